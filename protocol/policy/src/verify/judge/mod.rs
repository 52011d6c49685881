//! From a session and what it owed to a verdict (SV-02).

mod policies;
mod resumed;
mod word;

use self::policies::Found;
pub use self::resumed::{Original, verify_resumed};
pub use self::word::{MtaWord, verify_by_word, verify_handshake_by_word};
use super::cipher::Cipher;
use super::dane::{Refused, VerifyOptions};
use super::owed::{DaneEvidence, Demand, Owed};
use super::session::{Session, Sni, Starttls, TlsVersion};
use super::verdict::{PolicyKind, PolicyResult, SessionOutcome, SessionVerdict, Warning};
use crate::dns::SecurityStatus;
use crate::law::duty::Duty;
use crate::moment::Timestamp;
use crate::next_hop::{NextHop, is_submission_port};
use crate::reason::Reason;
use crate::sts::StsMode;

/// Judges a session by what it owed (RFC 7672, 2.2; RFC 8461, 4 and 5). `now` is when the session
/// happened.
///
/// What the report leaves out and could have mattered makes the verdict "indeterminate"; a session
/// is called authenticated only where everything was said and holds (SV-01).
#[must_use]
pub fn verify(
    session: &Session,
    owed: &Owed<'_>,
    now: Timestamp,
    options: &VerifyOptions,
) -> SessionVerdict {
    judged(session, owed, now, options, Stage::Over)
}

/// Judges what a host shows while its handshake waits for the verdict, before any mail (SV-10): version
/// and cipher are not agreed on yet, so nothing is said of them. All else is held as by [`verify`], and
/// a version or cipher that is known, and authenticates nobody, authenticates nobody here either.
///
/// Whoever asks goes on only where the verdict [keeps what was owed](SessionOutcome::keeps).
#[must_use]
pub fn verify_handshake(
    session: &Session,
    owed: &Owed<'_>,
    now: Timestamp,
    options: &VerifyOptions,
) -> SessionVerdict {
    judged(session, owed, now, options, Stage::Handshake)
}

fn judged(
    session: &Session,
    owed: &Owed<'_>,
    now: Timestamp,
    options: &VerifyOptions,
    stage: Stage,
) -> SessionVerdict {
    let judging = Judging {
        session,
        owed,
        now,
        options,
        stage,
    };
    let mut verdict = judging.verdict();
    verdict.results = judging.results();
    verdict
}

/// How far a session had come when it was judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// The host has shown its certificates, and nothing is agreed on.
    Handshake,
    /// All of it is known that will ever be.
    Over,
}

struct Judging<'a> {
    session: &'a Session,
    owed: &'a Owed<'a>,
    now: Timestamp,
    options: &'a VerifyOptions,
    stage: Stage,
}

impl Judging<'_> {
    fn verdict(&self) -> SessionVerdict {
        let duty = self.owed.duty;
        if duty == Duty::Refuse {
            if let Some(refused) = self.unlisted() {
                return failed(refused.reason, refused.detail);
            }
            let words = "mail for this destination must wait rather than go to this host";
            return failed(Reason::HostRefused, words);
        }
        let Some(starttls) = self.session.starttls else {
            return incomplete("starttls");
        };
        if starttls != Starttls::Used {
            return self.without_tls(starttls);
        }
        if let Some(missing) = self.missing_basics() {
            return incomplete(missing);
        }
        if self.is_old_submission() {
            let words = "submission asks for TLS 1.2 or later";
            return failed(Reason::TlsVersionTooOld, words);
        }
        match (duty, &self.owed.demand) {
            (_, Demand::Pins(pins)) => {
                self.said(SessionOutcome::AuthenticatedPinned, self.pins(pins))
            }
            (_, Demand::Names(names)) => {
                self.said(SessionOutcome::AuthenticatedPinned, self.names(names))
            }
            (Duty::Dane, _) if self.owed.binds_nothing() => self.unauthenticated(),
            (Duty::Dane, _) => self.said(SessionOutcome::AuthenticatedDane, self.dane()),
            (Duty::WebPki | Duty::OwnWebPki, _) => {
                self.said(SessionOutcome::AuthenticatedSts, self.sts())
            }
            (Duty::Encrypt | Duty::Free | Duty::Refuse, _) => self.unauthenticated(),
        }
    }

    /// RFC 8997, 3: on submission ports what is older than TLS 1.2 is no TLS at all, whatever is owed
    /// (SB-05).
    fn is_old_submission(&self) -> bool {
        let session = self.session;
        let next_hop = session.next_hop.as_ref();
        let is_submission = next_hop.is_some_and(NextHop::is_submission)
            || session.port.is_some_and(is_submission_port);
        let version = session.tls_version;
        is_submission && version.is_some_and(|version| version < TlsVersion::FLOOR)
    }

    /// SV-03, RQ-06: where TLS is owed, no reason excuses its absence.
    fn without_tls(&self, starttls: Starttls) -> SessionVerdict {
        let (reason, words) = match starttls {
            Starttls::NotOffered => (
                Reason::StarttlsNotOffered,
                "the host did not offer STARTTLS",
            ),
            Starttls::Refused => (Reason::StarttlsRefused, "the host said no to STARTTLS"),
            Starttls::Failed | Starttls::Used => {
                (Reason::HandshakeFailed, "the TLS handshake failed")
            }
        };
        if self.owed.duty == Duty::Free && self.owed.demand == Demand::Nothing {
            return plain(SessionOutcome::Cleartext, reason, words);
        }
        failed(reason, format!("{words}, and TLS was owed"))
    }

    /// TLS that authenticates nobody: all that was owed (RFC 7435).
    fn unauthenticated(&self) -> SessionVerdict {
        // SV-09: of an unknown cipher nobody can say that it hides anything.
        if self.session.cipher.is_none() && self.stage == Stage::Over {
            return incomplete("cipher");
        }
        let owed = self.owed.duty == Duty::Encrypt;
        if self.cipher() == Cipher::Null {
            // SV-09: a cipher that hides nothing is clear text by another name.
            let words = "the cipher hides nothing";
            return if owed {
                failed(Reason::CipherUnauthenticated, words)
            } else {
                plain(
                    SessionOutcome::Cleartext,
                    Reason::CipherUnauthenticated,
                    words,
                )
            };
        }
        let reason = if owed {
            Reason::EncryptedAsOwed
        } else {
            Reason::OpportunisticTls
        };
        let mut verdict = plain(
            SessionOutcome::Encrypted,
            reason,
            "nobody had to be authenticated",
        );
        if self
            .session
            .tls_version
            .is_some_and(|version| version < TlsVersion::FLOOR)
        {
            verdict.warnings.push(Warning::TlsVersionOld);
        }
        if let Some(evidence) = self.usable_records() {
            match self.dane() {
                // MX-22: it matched, and anybody may have chosen the host.
                Ok(found) if evidence.mx != SecurityStatus::Secure => {
                    verdict.matched = Some(found.matched);
                    verdict.warnings.push(Warning::MxInsecure);
                }
                Ok(found) => verdict.matched = Some(found.matched),
                Err(refused) if !is_open(refused.reason) => {
                    verdict.warnings.push(Warning::DaneDisagrees);
                }
                Err(_) => {}
            }
        }
        verdict
    }

    /// A policy's own result as the verdict.
    fn said(&self, good: SessionOutcome, found: Result<Found, Refused>) -> SessionVerdict {
        let found = match found {
            Ok(found) => found,
            Err(refused) if is_open(refused.reason) => {
                return plain(
                    SessionOutcome::Indeterminate,
                    refused.reason,
                    refused.detail,
                );
            }
            Err(refused) => {
                let mut verdict = failed(refused.reason, refused.detail);
                verdict.warnings = self.about_sni();
                return verdict;
            }
        };
        if let Some(missing) = self.missing() {
            return incomplete(missing);
        }
        let mut verdict = plain(good, found.reason, String::new());
        verdict.matched = Some(found.matched);
        verdict.warnings = found.warnings;
        verdict.warnings.extend(self.about_sni());
        // PD-06: where MTA-STS binds, records that do not match are told.
        if good == SessionOutcome::AuthenticatedSts
            && let Some(Err(refused)) = self.usable_records().map(|_| self.dane())
            && !is_open(refused.reason)
        {
            verdict.warnings.push(Warning::DaneDisagrees);
        }
        verdict
    }

    /// SV-08: where DANE and MTA-STS both apply, each has its own result; so has a policy that is
    /// only tested, for nothing else would tell of what fails under it (RFC 8461, 5; ST-23).
    fn results(&self) -> Vec<PolicyResult> {
        let has_dane = self
            .usable_records()
            .is_some_and(|evidence| evidence.mx == SecurityStatus::Secure);
        let mode = self.owed.sts.map_or(StsMode::None, |policy| policy.mode);
        let (dane_counts, sts_counts) = match mode {
            StsMode::Enforce => (has_dane, has_dane),
            StsMode::Testing => (has_dane, true),
            StsMode::None => (false, false),
        };
        let of = |policy, good, found: Result<Found, Refused>| {
            let found = self.with_tls().and(found);
            let (outcome, reason, detail) = match found {
                Ok(found) if self.missing().is_none() => (good, found.reason, String::new()),
                Ok(_) => (
                    SessionOutcome::Indeterminate,
                    Reason::ReportIncomplete,
                    String::new(),
                ),
                Err(refused) if is_open(refused.reason) => (
                    SessionOutcome::Indeterminate,
                    refused.reason,
                    refused.detail,
                ),
                Err(refused) => (SessionOutcome::Failed, refused.reason, refused.detail),
            };
            PolicyResult {
                policy,
                outcome,
                reason,
                detail,
            }
        };
        let dane = || {
            let good = SessionOutcome::AuthenticatedDane;
            of(PolicyKind::Dane, good, self.dane())
        };
        let sts = || {
            let good = SessionOutcome::AuthenticatedSts;
            of(PolicyKind::Sts, good, self.sts())
        };
        let both = [dane_counts.then(dane), sts_counts.then(sts)];
        both.into_iter().flatten().collect()
    }

    fn usable_records(&self) -> Option<&DaneEvidence> {
        let dane = self.owed.dane.as_ref();
        dane.filter(|evidence| evidence.records.is_usable())
    }

    fn with_tls(&self) -> Result<(), Refused> {
        match self.session.starttls {
            None => Err(Refused::new(Reason::ReportIncomplete, "starttls")),
            Some(Starttls::Used) => Ok(()),
            Some(Starttls::NotOffered) => Err(Refused::new(Reason::StarttlsNotOffered, "")),
            Some(Starttls::Refused) => Err(Refused::new(Reason::StarttlsRefused, "")),
            Some(Starttls::Failed) => Err(Refused::new(Reason::HandshakeFailed, "")),
        }
    }

    /// What is missing by now, and without which nobody is called authenticated (SV-01).
    fn missing(&self) -> Option<&'static str> {
        match self.stage {
            Stage::Handshake => self.session.missing_in_handshake(),
            Stage::Over => self.session.missing(),
        }
    }

    /// What no verdict on an encrypted session can do without.
    fn missing_basics(&self) -> Option<&'static str> {
        let session = self.session;
        if session.next_hop.is_none() {
            return Some("next_hop");
        }
        session.mx_host.is_none().then_some("mx_host")
    }

    fn about_sni(&self) -> Vec<Warning> {
        let base = self.owed.dane.as_ref().and_then(|dane| dane.base.as_ref());
        let Some(base) = base.filter(|_| self.owed.duty == Duty::Dane) else {
            return Vec::new();
        };
        // RFC 7672, 8.1: the server name is the TLSA base domain (CM-31).
        match &self.session.sni {
            Sni::Sent(name) if *name == base.0 => Vec::new(),
            Sni::Sent(_) => vec![Warning::SniOther],
            Sni::NotSent => vec![Warning::SniMissing],
            // Some sources never say.
            Sni::Unknown => Vec::new(),
        }
    }
}

/// True for reasons that leave the question open.
fn is_open(reason: Reason) -> bool {
    matches!(
        reason,
        Reason::ReportIncomplete
            | Reason::ResumedUnknown
            | Reason::PolicyUnknown
            | Reason::PeerTooOld
            | Reason::Internal
    )
}

fn plain(outcome: SessionOutcome, reason: Reason, detail: impl Into<String>) -> SessionVerdict {
    SessionVerdict {
        outcome,
        reason,
        detail: detail.into(),
        matched: None,
        warnings: Vec::new(),
        results: Vec::new(),
    }
}

fn failed(reason: Reason, detail: impl Into<String>) -> SessionVerdict {
    plain(SessionOutcome::Failed, reason, detail)
}

fn incomplete(part: &str) -> SessionVerdict {
    plain(
        SessionOutcome::Indeterminate,
        Reason::ReportIncomplete,
        missing_words(part),
    )
}

fn missing_words(part: &str) -> String {
    format!("the report leaves out {part}")
}

impl SessionVerdict {
    /// Nobody knows what the session owed.
    #[must_use]
    pub fn unknown(reason: Reason, detail: impl Into<String>) -> Self {
        plain(SessionOutcome::Indeterminate, reason, detail)
    }

    /// The session had no business with this host.
    #[must_use]
    pub fn strange(detail: impl Into<String>) -> Self {
        failed(Reason::HostUnknown, detail)
    }
}
