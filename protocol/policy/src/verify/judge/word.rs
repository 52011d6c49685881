//! Reports without certificates: what the mail server itself says of a session, against what was owed.

use super::super::dane::VerifyOptions;
use super::super::owed::{Demand, Owed};
use super::super::session::{Session, Starttls};
use super::super::verdict::{PolicyKind, SessionOutcome, SessionVerdict, Warning};
use super::{failed, plain, verify, verify_handshake};
use crate::law::duty::Duty;
use crate::moment::Timestamp;
use crate::reason::Reason;

/// What the mail server says of a session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MtaWord {
    /// It authenticated the host; by which policy, where the report says so.
    Authenticated(Option<PolicyKind>),
    /// It used TLS, and authenticated nobody.
    Encrypted,
    /// It refused the session.
    Refused {
        /// Why.
        reason: Reason,
        /// For people.
        detail: String,
    },
    /// It says nothing of that.
    Nothing,
}

/// Judges a session as [`verify`] does, and where the report does not hold enough for that, by the
/// mail server's word: that proves which policy it used, and what it made of it, no more.
#[must_use]
pub fn verify_by_word(
    session: &Session,
    owed: &Owed<'_>,
    now: Timestamp,
    options: &VerifyOptions,
    word: &MtaWord,
) -> SessionVerdict {
    let mut own = verify(session, owed, now, options);
    if own.reason != Reason::ReportIncomplete {
        let refused = matches!(word, MtaWord::Refused { .. });
        if refused && own.outcome.is_authenticated() {
            own.warnings.push(Warning::MtaDisagrees);
        }
        if matches!(word, MtaWord::Authenticated(_)) && own.outcome == SessionOutcome::Failed {
            own.warnings.push(Warning::MtaDisagrees);
        }
        return own;
    }
    let mut verdict = match word {
        MtaWord::Nothing => return own,
        MtaWord::Refused { reason, detail } => failed(*reason, detail.clone()),
        MtaWord::Authenticated(kind) => authenticated(owed, *kind),
        MtaWord::Encrypted => encrypted(owed),
    };
    verdict.warnings.push(Warning::MtaWord);
    verdict
}

/// Judges a session that waits for the verdict as [`verify_handshake`] does, and where what was shown is
/// not known well enough for that, by the mail server's word, as far as it is about the very policy that
/// is owed (SV-10): nothing that it says of one kind of proof stands in for another, and what the operator
/// demands it does not know.
///
/// Its word of DANE counts for DANE, its word of web PKI for what MTA-STS owes, and that it trusts nobody
/// who vouches for the certificate is a failure where that is owed.
#[must_use]
pub fn verify_handshake_by_word(
    session: &Session,
    owed: &Owed<'_>,
    now: Timestamp,
    options: &VerifyOptions,
    word: &MtaWord,
) -> SessionVerdict {
    let own = verify_handshake(session, owed, now, options);
    let is_complete =
        session.starttls == Some(Starttls::Used) && session.missing_in_handshake().is_none();
    if own.reason != Reason::ReportIncomplete || !is_complete {
        return own;
    }
    let outcome = match (owed.duty, &owed.demand, word) {
        (Duty::Dane, Demand::Nothing, MtaWord::Authenticated(Some(PolicyKind::Dane))) => {
            SessionOutcome::AuthenticatedDane
        }
        (Duty::WebPki, Demand::Nothing, MtaWord::Authenticated(Some(PolicyKind::Sts))) => {
            SessionOutcome::AuthenticatedSts
        }
        (Duty::WebPki, _, MtaWord::Refused { .. }) => SessionOutcome::Failed,
        _ => return own,
    };
    let mut verdict = match word {
        MtaWord::Refused { reason, detail } => failed(*reason, detail.clone()),
        _ => plain(outcome, Reason::MtaVerified, "by the mail server's word"),
    };
    verdict.results = own.results;
    verdict.warnings.push(Warning::MtaWord);
    verdict
}

fn authenticated(owed: &Owed<'_>, kind: Option<PolicyKind>) -> SessionVerdict {
    let wanted = match (owed.duty, &owed.demand) {
        (_, Demand::Pins(_) | Demand::Names(_)) => None,
        (Duty::Dane, _) if owed.binds_nothing() => {
            return plain(SessionOutcome::Encrypted, Reason::OpportunisticTls, "");
        }
        (Duty::Dane, _) => Some(PolicyKind::Dane),
        (Duty::WebPki | Duty::OwnWebPki, _) => Some(PolicyKind::Sts),
        (Duty::Free | Duty::Encrypt | Duty::Refuse, _) => return encrypted(owed),
    };
    let outcome = match wanted {
        Some(PolicyKind::Dane) => SessionOutcome::AuthenticatedDane,
        Some(PolicyKind::Sts) => SessionOutcome::AuthenticatedSts,
        Some(PolicyKind::Pins) | None => SessionOutcome::AuthenticatedPinned,
    };
    match (wanted, kind) {
        (Some(wanted), Some(kind)) if wanted != kind => {
            let words = format!(
                "the mail server authenticated the host by {}, and {} was owed",
                kind.word(),
                wanted.word()
            );
            failed(Reason::MtaPolicyWeaker, words)
        }
        _ => plain(outcome, Reason::MtaVerified, "by the mail server's word"),
    }
}

fn encrypted(owed: &Owed<'_>) -> SessionVerdict {
    match (owed.duty, &owed.demand) {
        (Duty::Free, Demand::Nothing) => {
            plain(SessionOutcome::Encrypted, Reason::OpportunisticTls, "")
        }
        (Duty::Encrypt, Demand::Nothing) => {
            plain(SessionOutcome::Encrypted, Reason::EncryptedAsOwed, "")
        }
        _ => failed(
            Reason::MtaPolicyWeaker,
            "the mail server used TLS and authenticated nobody, and authentication was owed",
        ),
    }
}
