//! The event journal: what became of sessions, for people and for reports.
//!
//! No answer rests on it, so it may lose what it cannot take in time, and says how much that was.
//! Not done here: judging sessions (hoplock-policy), raising alarms (`report`).

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

use hoplock_policy::moment::{Moment, Timestamp};
use hoplock_policy::name::MxHost;
use hoplock_policy::next_hop::{NextHop, NotADomain, escaped};
use hoplock_policy::reason::Reason;
use hoplock_policy::verify::{
    Matched, PolicyResult, Session, SessionOutcome, SessionVerdict, Starttls, TlsVersion, Warning,
};

use super::{StoreFailure, Waiting};

/// Keeps sessions that were judged, the newest for as long as [`JournalBounds`] say.
///
/// Sessions that failed have room of their own: no number of others takes it from them.
pub trait Journal: Send + Sync {
    /// Takes an entry, to be kept some time. Never waits and never fails: what comes in larger numbers
    /// than can be kept is counted in [`JournalFigures`] and forgotten (SV-11). `now` is when it came
    /// in, from which its age is counted, whatever time the report itself tells.
    fn note(&self, entry: JournalEntry, now: Moment);

    /// Has what was noted written; to be called every second or so. Never waits.
    fn flush(&self);

    /// Takes out a part of what is too old, a small one, so that nobody waits for it; to be called
    /// every minute or so. Never waits.
    fn drop_old(&self, now: Moment);

    /// What fits the question, newest first, each entry with its number. Numbers rise with each entry,
    /// so that the last one is where the next page begins ([`JournalQuery::before`]).
    ///
    /// # Errors
    /// [`StoreFailure`] where the journal cannot be read. Entries that are damaged are left out.
    fn read(
        &self,
        query: JournalQuery,
    ) -> Waiting<'_, Result<Vec<(u64, JournalEntry)>, StoreFailure>>;

    /// How many entries of each outcome are kept whose sessions were `since` then or later.
    ///
    /// # Errors
    /// [`StoreFailure`] where the journal cannot be read.
    fn counts(
        &self,
        since: Timestamp,
    ) -> Waiting<'_, Result<BTreeMap<SessionOutcome, u64>, StoreFailure>>;

    /// How full it is, and what it had to leave out. Never waits.
    fn figures(&self) -> JournalFigures;
}

/// One session, and what came of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JournalEntry {
    /// When the session was, by the report.
    pub time: Timestamp,
    /// Who reported it.
    pub source: SessionSource,
    /// Whether the verdict came before the mail or after it (SV-10).
    pub timing: Timing,
    /// The destination.
    pub next_hop: Option<NextHop>,
    /// The host.
    pub mx_host: Option<MxHost>,
    /// Its address.
    pub address: Option<IpAddr>,
    /// Its port.
    pub port: Option<u16>,
    /// What became of STARTTLS.
    pub starttls: Option<Starttls>,
    /// The protocol version.
    pub tls_version: Option<TlsVersion>,
    /// The cipher suite, as the report calls it.
    pub cipher: Option<String>,
    /// What the session comes to.
    pub outcome: SessionOutcome,
    /// Why.
    pub reason: Reason,
    /// For people.
    pub detail: String,
    /// What matched.
    pub matched: Option<MatchedText>,
    /// Worth a word.
    pub warnings: Vec<Warning>,
    /// One for each policy, where more than one applies (SV-08).
    pub results: Vec<PolicyResult>,
    /// The verdict is the one after a second look, at fresh DNS (SV-04).
    pub second_look: bool,
}

/// What a verdict does not say of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Judged {
    /// When the session was, by the report.
    pub time: Timestamp,
    /// Who reported it.
    pub source: SessionSource,
    /// Whether this came before the mail or after it.
    pub timing: Timing,
    /// It was judged once more, against fresh DNS.
    pub second_look: bool,
}

impl JournalEntry {
    /// The entry for a session and its verdict.
    #[must_use]
    pub fn of(session: &Session, verdict: SessionVerdict, judged: Judged) -> Self {
        Self {
            time: judged.time,
            source: judged.source,
            timing: judged.timing,
            next_hop: session.next_hop.clone(),
            mx_host: session.mx_host.clone(),
            address: session.address,
            port: session.port,
            starttls: session.starttls,
            tls_version: session.tls_version,
            cipher: session.cipher.clone(),
            outcome: verdict.outcome,
            reason: verdict.reason,
            detail: verdict.detail,
            matched: verdict.matched.map(MatchedText::of),
            warnings: verdict.warnings,
            results: verdict.results,
            second_look: judged.second_look,
        }
    }

    /// The same with texts that are short and safe to show, a destination that has a name or an address
    /// or none, and no time to come: texts come from hosts that may be anybody's (SV-11).
    #[must_use]
    pub fn bounded(mut self, now: Moment) -> Self {
        let safe = |text: &String| format!("{}", escaped(text));
        self.time = self.time.min(now.wall);
        self.next_hop = self.next_hop.filter(is_shown_as_it_is);
        let cipher = self.cipher.as_ref().filter(|cipher| !cipher.is_empty());
        self.cipher = cipher.map(safe);
        self.detail = safe(&self.detail);
        if let Some(matched) = &mut self.matched {
            matched.text = safe(&matched.text);
        }
        self.results.truncate(MOST_RESULTS);
        for result in &mut self.results {
            result.detail = safe(&result.detail);
        }
        self.warnings.sort_unstable();
        self.warnings.dedup();
        self
    }

    /// True where the session stayed below what was owed.
    #[must_use]
    pub fn is_alarm(&self) -> bool {
        self.outcome == SessionOutcome::Failed
    }
}

/// What reads back as what it was.
fn is_shown_as_it_is(next_hop: &NextHop) -> bool {
    !matches!(
        next_hop,
        NextHop::NotADomain(NotADomain::Path | NotADomain::Port | NotADomain::Malformed(_))
    )
}

macro_rules! words {
    ($($(#[doc = $type_doc:literal])+ $type:ident { $($(#[doc = $doc:literal])+ $variant:ident => $word:literal,)+ })+) => {$(
        $(#[doc = $type_doc])+
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $type { $($(#[doc = $doc])+ $variant,)+ }

        impl $type {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)+];

            /// The stable word.
            #[must_use]
            pub fn word(self) -> &'static str {
                match self { $(Self::$variant => $word,)+ }
            }

            /// The one of this word.
            #[must_use]
            pub fn parse(word: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|own| own.word() == word)
            }
        }
    )+};
}

words! {
    /// Who reported a session.
    SessionSource {
        /// A line of session JSON.
        SessionJson => "session-json",
        /// A datagram of libtlsrpt.
        Tlsrpt => "tlsrpt",
        /// The log of Postfix.
        PostfixLog => "postfix-log",
        /// Certificates and events of Exim.
        Exim => "exim",
        /// The session check of Sendmail.
        Sendmail => "sendmail",
        /// A probe of ours.
        Probe => "probe",
    }
    /// Whether a verdict came before the mail or after it (SV-10).
    Timing {
        /// The mail server waited for it before it sent anything.
        BeforeMail => "before-mail",
        /// The mail may have left by then: the verdict stops nothing.
        AfterDelivery => "after-delivery",
        /// There was no mail: a probe.
        WithoutMail => "without-mail",
    }
    /// What kind of thing matched.
    MatchedKind {
        /// A TLSA record.
        Tlsa => "tlsa",
        /// A pin of the operator.
        Pin => "pin",
        /// A name of the certificate.
        Name => "name",
    }
}

/// What matched, in words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MatchedText {
    /// What it is.
    pub kind: MatchedKind,
    /// The record, pin or name, as it is written.
    pub text: String,
    /// Where in the path, 0 being the leaf; for records.
    pub depth: Option<u32>,
}

impl MatchedText {
    fn of(matched: Matched) -> Self {
        let (kind, text, depth) = match matched {
            Matched::Tlsa { record, depth } => {
                let depth = u32::try_from(depth).unwrap_or(u32::MAX);
                (MatchedKind::Tlsa, record.to_string(), Some(depth))
            }
            Matched::Pin(text) => (MatchedKind::Pin, text, None),
            Matched::Name(text) => (MatchedKind::Name, text, None),
        };
        Self { kind, text, depth }
    }
}

/// How long the journal keeps things, and how many.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct JournalBounds {
    /// How long.
    pub age: Duration,
    /// How many entries in all; 0: none.
    pub entries: usize,
}

impl JournalBounds {
    /// Two weeks: a holiday, and then there is still time to look.
    pub const DAYS: usize = 14;
    /// About half a kilobyte each, so some 50 MB of disk: a week of a site that sends ten mails a
    /// minute.
    pub const ENTRIES: usize = 100_000;

    /// Room for sessions that failed: a quarter, one at least.
    #[must_use]
    pub fn alarms(&self) -> usize {
        self.entries.div_ceil(4)
    }

    /// Room for the others.
    #[must_use]
    pub fn others(&self) -> usize {
        self.entries - self.alarms()
    }
}

impl Default for JournalBounds {
    fn default() -> Self {
        Self {
            age: Duration::from_secs(86_400 * Self::DAYS as u64),
            entries: Self::ENTRIES,
        }
    }
}

/// What is wanted of the journal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JournalQuery {
    /// Sessions at this time or later.
    pub since: Option<Timestamp>,
    /// Sessions before this time.
    pub until: Option<Timestamp>,
    /// Of this destination.
    pub next_hop: Option<NextHop>,
    /// That came to this.
    pub outcome: Option<SessionOutcome>,
    /// That stayed below what was owed.
    pub only_alarms: bool,
    /// No more than these.
    pub limit: usize,
    /// Entries with a smaller number than this.
    pub before: Option<u64>,
}

impl Default for JournalQuery {
    fn default() -> Self {
        Self {
            since: None,
            until: None,
            next_hop: None,
            outcome: None,
            only_alarms: false,
            limit: Self::LIMIT,
            before: None,
        }
    }
}

impl JournalQuery {
    /// As much as somebody reads who did not say how much.
    pub const LIMIT: usize = 100;

    /// Whether an entry fits, its number aside.
    #[must_use]
    pub fn fits(&self, entry: &JournalEntry) -> bool {
        let next_hop = self.next_hop.as_ref();
        self.since.is_none_or(|since| entry.time >= since)
            && self.until.is_none_or(|until| entry.time < until)
            && next_hop.is_none_or(|wanted| entry.next_hop.as_ref() == Some(wanted))
            && self.outcome.is_none_or(|wanted| entry.outcome == wanted)
            && (!self.only_alarms || entry.is_alarm())
    }

    /// Whether sessions that failed are wanted, and whether others are.
    #[must_use]
    pub fn lanes(&self) -> (bool, bool) {
        let alarm = |outcome| outcome == SessionOutcome::Failed;
        (
            self.outcome.is_none_or(alarm),
            !self.only_alarms && self.outcome.is_none_or(|outcome| !alarm(outcome)),
        )
    }
}

/// How full a journal is, and what it had to leave out since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct JournalFigures {
    /// Entries of sessions that failed.
    pub alarms: usize,
    /// Entries of all others.
    pub others: usize,
    /// Came at once in larger numbers than are kept.
    pub too_many: u64,
    /// Could not be written.
    pub not_written: u64,
}

/// DANE, MTA-STS, pins, and one that nobody knows of yet.
const MOST_RESULTS: usize = 4;

#[cfg(test)]
mod tests {
    use hoplock_policy::tlsa::TlsaRecord;
    use hoplock_policy::verify::PolicyKind;

    use super::*;

    const NOW: Moment = Moment {
        wall: Timestamp(1_000),
        uptime: Duration::ZERO,
    };

    fn entry() -> JournalEntry {
        let verdict = SessionVerdict {
            outcome: SessionOutcome::AuthenticatedDane,
            reason: Reason::DaneAllHosts,
            detail: "as it should be".to_owned(),
            matched: Some(Matched::Tlsa {
                record: TlsaRecord::from_rdata(&[&[3, 1, 1][..], &[7; 32]].concat()).unwrap(),
                depth: 0,
            }),
            warnings: vec![
                Warning::StaleCache,
                Warning::SniMissing,
                Warning::StaleCache,
            ],
            results: Vec::new(),
        };
        let session = Session {
            next_hop: Some(NextHop::parse("e.test")),
            cipher: Some("TLS_AES_256_GCM_SHA384".to_owned()),
            ..Session::unknown()
        };
        let judged = Judged {
            time: Timestamp(900),
            source: SessionSource::Tlsrpt,
            timing: Timing::AfterDelivery,
            second_look: true,
        };
        JournalEntry::of(&session, verdict, judged)
    }

    /// SV-11: whatever a report or a certificate says, what is kept of it is short, printable, and
    /// not of a time to come; what is so already stays as it is.
    #[test]
    fn entries_are_bounded() {
        let good = entry().bounded(NOW);
        let matched = good.matched.clone().unwrap();
        assert_eq!((matched.kind, matched.depth), (MatchedKind::Tlsa, Some(0)));
        assert!(matched.text.starts_with("3 1 1 0707"), "{matched:?}");
        assert_eq!(good.warnings, [Warning::SniMissing, Warning::StaleCache]);
        assert_eq!(good.clone().bounded(NOW), good);
        let text = "\u{1b}[2J\n".repeat(1_000);
        let result = PolicyResult {
            policy: PolicyKind::Sts,
            outcome: SessionOutcome::Failed,
            reason: Reason::StsEnforce,
            detail: text.clone(),
        };
        let wild = JournalEntry {
            time: Timestamp(u64::MAX),
            next_hop: Some(NextHop::parse("no name at all")),
            cipher: Some(text.clone()),
            detail: text.clone(),
            matched: Some(MatchedText { text, ..matched }),
            results: vec![result; 100],
            ..good
        };
        let tame = wild.bounded(NOW);
        assert_eq!((tame.time, &tame.next_hop), (NOW.wall, &None));
        let texts = [
            tame.cipher.as_ref(),
            Some(&tame.detail),
            tame.matched.as_ref().map(|matched| &matched.text),
            tame.results.last().map(|result| &result.detail),
        ];
        for text in texts {
            let text = text.unwrap();
            assert!(
                text.len() < 400 && !text.chars().any(char::is_control),
                "{text}"
            );
        }
        assert!(tame.results.len() < 10);
    }

    /// Every word is read as what it was said for.
    #[test]
    fn words_are_read_again() {
        for source in SessionSource::ALL {
            assert_eq!(SessionSource::parse(source.word()), Some(*source));
        }
        for timing in Timing::ALL {
            assert_eq!(Timing::parse(timing.word()), Some(*timing));
        }
        for kind in MatchedKind::ALL {
            assert_eq!(MatchedKind::parse(kind.word()), Some(*kind));
        }
        assert_eq!(Timing::parse(""), None);
    }

    /// Both kinds of room together are what was ordered.
    #[test]
    fn room_is_divided() {
        for (entries, alarms, others) in
            [(0, 0, 0), (1, 1, 0), (2, 1, 1), (100_000, 25_000, 75_000)]
        {
            let bounds = JournalBounds {
                entries,
                ..JournalBounds::default()
            };
            assert_eq!((bounds.alarms(), bounds.others()), (alarms, others));
        }
        assert_eq!(JournalBounds::default().age, Duration::from_secs(1_209_600));
    }

    /// What is asked for is found, and nothing else.
    #[test]
    fn questions_choose() {
        let entry = entry();
        let all = JournalQuery::default();
        assert!(all.fits(&entry));
        assert_eq!(all.lanes(), (true, true));
        let failed = Some(SessionOutcome::Failed);
        for (query, fits, lanes) in [
            (
                JournalQuery {
                    since: Some(Timestamp(900)),
                    ..all.clone()
                },
                true,
                (true, true),
            ),
            (
                JournalQuery {
                    since: Some(Timestamp(901)),
                    ..all.clone()
                },
                false,
                (true, true),
            ),
            (
                JournalQuery {
                    until: Some(Timestamp(901)),
                    ..all.clone()
                },
                true,
                (true, true),
            ),
            (
                JournalQuery {
                    until: Some(Timestamp(900)),
                    ..all.clone()
                },
                false,
                (true, true),
            ),
            (
                JournalQuery {
                    next_hop: Some(NextHop::parse("E.test.")),
                    ..all.clone()
                },
                true,
                (true, true),
            ),
            (
                JournalQuery {
                    next_hop: Some(NextHop::parse("[e.test]")),
                    ..all.clone()
                },
                false,
                (true, true),
            ),
            (
                JournalQuery {
                    outcome: Some(entry.outcome),
                    ..all.clone()
                },
                true,
                (false, true),
            ),
            (
                JournalQuery {
                    outcome: failed,
                    ..all.clone()
                },
                false,
                (true, false),
            ),
            (
                JournalQuery {
                    only_alarms: true,
                    ..all
                },
                false,
                (true, false),
            ),
        ] {
            assert_eq!(
                (query.fits(&entry), query.lanes()),
                (fits, lanes),
                "{query:?}"
            );
        }
    }
}
