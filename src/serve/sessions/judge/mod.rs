//! Reported sessions against what this daemon knows: the policy in force when they happened, and a
//! second look where they do not match it (SV-04).

use std::net::IpAddr;
use std::sync::Arc;

use arc_swap::ArcSwap;
use hoplock_policy::dns::SecurityStatus;
use hoplock_policy::findings::MxFinding;
use hoplock_policy::law::Answer;
use hoplock_policy::moment::{Moment, Timestamp};
use hoplock_policy::name::MxHost;
use hoplock_policy::profile::Profile;
use hoplock_policy::reason::Reason;
use hoplock_policy::tlsa::TlsaOptions;
use hoplock_policy::verify::{
    MtaWord, Original, Owed, Presented, Session, SessionOutcome, SessionVerdict, VerifyOptions,
    Warning, verify_by_word, verify_resumed,
};
use quick_cache::sync::Cache;
use rustls_pki_types::TrustAnchor;

use crate::answer::{Answered, Answerer};
use crate::report::reported::Evidence;

/// Judges sessions by the answers of this daemon.
pub struct SessionJudge {
    answerer: Arc<Answerer>,
    authorities: Vec<TrustAnchor<'static>>,
    options: ArcSwap<JudgeOptions>,
    /// Sessions that others may resume (SV-05).
    originals: Cache<Peer, Arc<Original>>,
}

/// What the configuration says of judging.
#[derive(Clone, Debug, Default)]
pub struct JudgeOptions {
    /// How certificates are judged.
    pub verify: VerifyOptions,
    /// Which records are usable.
    pub tlsa: TlsaOptions,
}

/// A session to be judged.
#[derive(Clone, Debug)]
pub struct Case {
    /// What happened.
    pub session: Session,
    /// When.
    pub time: Timestamp,
    /// What the reporter knew of the policy.
    pub evidence: Evidence,
    /// What the mail server makes of it.
    pub word: MtaWord,
}

/// A verdict, and how it came about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Judgement {
    /// The verdict.
    pub verdict: SessionVerdict,
    /// It rests on lookups that were made for it.
    pub second_look: bool,
}

/// One end of a resumable session.
type Peer = (MxHost, Option<IpAddr>, Option<u16>);

impl SessionJudge {
    /// A judge who asks `answerer` what was owed.
    #[must_use]
    pub fn new(
        answerer: Arc<Answerer>,
        authorities: Vec<TrustAnchor<'static>>,
        options: JudgeOptions,
    ) -> Self {
        Self {
            answerer,
            authorities,
            options: ArcSwap::from_pointee(options),
            originals: Cache::new(ORIGINALS),
        }
    }

    /// Judges by other options from now on.
    pub fn reload(&self, options: JudgeOptions) {
        self.options.store(Arc::new(options));
    }

    /// The options in force.
    #[must_use]
    pub fn options(&self) -> Arc<JudgeOptions> {
        self.options.load_full()
    }

    /// Judges one session. Where it fails, the destination is looked up anew and it is judged once
    /// more: the key may have rolled over meanwhile. Nothing but a match makes up for the failure.
    pub async fn judge(&self, case: &Case) -> Judgement {
        let (Some(next_hop), Some(profile)) = (&case.session.next_hop, self.profile()) else {
            let words = "the report leaves out next_hop";
            return first(SessionVerdict::unknown(Reason::ReportIncomplete, words));
        };
        if next_hop.name().is_none() {
            let words = format!("{next_hop} is no destination with a policy of its own");
            return first(SessionVerdict::unknown(Reason::PolicyUnknown, words));
        }
        let answered = self
            .answerer
            .in_force_at(next_hop, &profile, case.time)
            .await;
        let case = &by_its_mx_name(case, &answered);
        let mut verdict = self.by(&answered, case);
        let mut second_look = false;
        if is_worth_a_second_look(&verdict)
            && let Some(anew) = self.answerer.look_again(next_hop, &profile).await
        {
            second_look = true;
            let again = self.by(&anew, case);
            if again.outcome.is_authenticated() {
                verdict = again;
                verdict.warnings.push(Warning::StaleCache);
            }
        }
        self.remember(&answered, case, &verdict);
        Judgement {
            verdict,
            second_look,
        }
    }

    /// Sessions are judged by what their destinations owe; of the profile only its rules and its floor
    /// count, and those of Postfix stand for all.
    fn profile(&self) -> Option<Arc<Profile>> {
        self.answerer.profile(PROFILE)
    }

    /// By what is known here, and where that demands nothing or is not known, by what the report brings:
    /// a reporter who was lied to takes nothing away.
    fn by(&self, answered: &Answered, case: &Case) -> SessionVerdict {
        let own = self.by_findings(answered, case);
        let is_open = matches!(
            own.outcome,
            SessionOutcome::Encrypted | SessionOutcome::Cleartext | SessionOutcome::Indeterminate
        );
        let mut evidence = case.evidence.clone();
        if is_insecure(answered) {
            // RFC 7672, 2.2.1: whatever records the mail server saw, they bind nothing here (MX-22).
            evidence.records = None;
        }
        match evidence.owed(&case.session, &self.authorities) {
            Some(owed) if is_open => self.under(&owed, case, &self.options.load()),
            _ => own,
        }
    }

    fn by_findings(&self, answered: &Answered, case: &Case) -> SessionVerdict {
        let options = self.options.load();
        let Some(host) = &case.session.mx_host else {
            return self.without_host(answered, case, &options);
        };
        match self.owed(answered, case, host, &options) {
            Owing::Known(owed) => self.under(&owed, case, &options),
            Owing::Strange => {
                let words = format!("{host} is none of the hosts of {}", answered.next_hop);
                SessionVerdict::strange(words)
            }
            Owing::Unknown => {
                SessionVerdict::unknown(Reason::PolicyUnknown, answered.verdict.detail.clone())
            }
        }
    }

    fn under(&self, owed: &Owed<'_>, case: &Case, options: &JudgeOptions) -> SessionVerdict {
        let (session, time) = (&case.session, case.time);
        match case.word {
            MtaWord::Nothing => {
                let original = peer(session).and_then(|peer| self.originals.get(&peer));
                verify_resumed(session, owed, time, &options.verify, original.as_deref())
            }
            _ => verify_by_word(session, owed, time, &options.verify, &case.word),
        }
    }

    /// A report that names no host: the mail server's word must be good for one of them.
    fn without_host(
        &self,
        answered: &Answered,
        case: &Case,
        options: &JudgeOptions,
    ) -> SessionVerdict {
        let hosts = answered
            .findings
            .iter()
            .flat_map(|findings| &findings.hosts);
        let mut worst = None;
        for finding in hosts {
            let mut named = case.clone();
            named.session.mx_host = Some(finding.host.clone());
            if let Owing::Known(owed) = self.owed(answered, &named, &finding.host, options) {
                let verdict = self.under(&owed, &named, options);
                if verdict.outcome != SessionOutcome::Failed {
                    return verdict;
                }
                worst.get_or_insert(verdict);
            }
        }
        worst.unwrap_or_else(|| {
            let words = "the report leaves out mx_host";
            SessionVerdict::unknown(Reason::ReportIncomplete, words)
        })
    }

    fn owed<'a>(
        &'a self,
        answered: &'a Answered,
        case: &Case,
        host: &MxHost,
        options: &JudgeOptions,
    ) -> Owing<'a> {
        let verdict = &answered.verdict;
        if verdict.answer == Answer::Temp && verdict.hosts.is_empty() && verdict.rule.is_none() {
            return Owing::Unknown;
        }
        let findings = answered.findings.as_deref();
        // What was in force then is judged as it was then.
        let at = Moment {
            wall: case.time,
            uptime: answered.made.uptime,
        };
        let owed = Owed::under(
            verdict,
            findings,
            &host.0,
            &options.tlsa,
            &self.authorities,
            at,
        );
        match owed {
            Ok(own) => Owing::Known(own),
            Err(_) => Owing::Strange,
        }
    }

    fn remember(&self, answered: &Answered, case: &Case, verdict: &SessionVerdict) {
        let options = self.options.load();
        let (Some(peer), Some(host)) = (peer(&case.session), &case.session.mx_host) else {
            return;
        };
        if case.session.resumed || case.session.presented == Presented::Unknown {
            return;
        }
        if let Owing::Known(owed) = self.owed(answered, case, host, &options) {
            let original = Original {
                host: host.0.clone(),
                generation: owed.generation(),
                verdict: verdict.clone(),
            };
            self.originals.insert(peer, Arc::new(original));
        }
    }
}

/// What is known of a host's duty.
enum Owing<'a> {
    /// All of it.
    Known(Owed<'a>),
    /// The destination binds its hosts, and this is none of them.
    Strange,
    /// The lookups failed.
    Unknown,
}

/// True where the choice of hosts is known to be nobody's promise.
fn is_insecure(answered: &Answered) -> bool {
    let mx = answered.findings.as_ref().map(|findings| &findings.mx);
    matches!(mx, Some(MxFinding::Hosts(selection)) if selection.status() != SecurityStatus::Secure)
}

/// Postfix reports a host whose MX name is an alias under the name where that leads; duties and policies
/// go by the name in the MX record (RFC 8461, 4.1).
fn by_its_mx_name(case: &Case, answered: &Answered) -> Case {
    let mut case = case.clone();
    let findings = answered.findings.as_deref();
    if let Some(host) = &mut case.session.mx_host
        && let Some(finding) = findings.and_then(|findings| findings.host_named(&host.0))
    {
        *host = finding.host.clone();
    }
    case
}

fn first(verdict: SessionVerdict) -> Judgement {
    Judgement {
        verdict,
        second_look: false,
    }
}

fn peer(session: &Session) -> Option<Peer> {
    let host = session.mx_host.clone()?;
    Some((host, session.address, session.port))
}

/// What another key, another record or another policy could set right.
fn is_worth_a_second_look(verdict: &SessionVerdict) -> bool {
    verdict.outcome == SessionOutcome::Failed
        && !matches!(
            verdict.reason,
            Reason::StarttlsNotOffered
                | Reason::StarttlsRefused
                | Reason::HandshakeFailed
                | Reason::TlsVersionTooOld
                | Reason::CipherUnauthenticated
        )
}

/// By whose rules and floor sessions are judged.
const PROFILE: &str = "postfix";
/// Tickets are good for hours; a busy mail server talks to a few thousand hosts in that time.
const ORIGINALS: usize = 10_000;

#[cfg(test)]
mod tests;
