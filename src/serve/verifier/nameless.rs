//! Sessions for a destination, or with a host, that has no name: nobody can be who he should be there.

use hoplock_policy::law::duty::Duty;
use hoplock_policy::law::{Answer as Level, Verdict};
use hoplock_policy::reason::Reason;
use hoplock_wire::verifier::{Answer, SessionKey};

/// NX-03: an address, or another destination without a name, owes nothing but by an order of the operator;
/// and of those TLS alone can be kept without a name.
pub(super) fn destination(verdict: &Verdict, session: &SessionKey<'_>) -> Answer {
    match verdict.answer {
        Level::None | Level::May | Level::NotFound => Answer::Ok,
        Level::Encrypt if is_encrypted(session) => Answer::Ok,
        Level::Encrypt => {
            let words = "TLS was owed and not used";
            Answer::refuse(Reason::StarttlsNotOffered.word(), words)
        }
        Level::Temp => Answer::unavailable(verdict.reason.word(), &verdict.detail),
        _ => {
            let words = "the rule asks for a certificate, and the destination has no name";
            Answer::refuse(verdict.reason.word(), words)
        }
    }
}

/// A host without a name is none of those that a policy binds (RFC 7672, 2.2.1; RFC 8461, 4.1): it may
/// take mail where nobody is bound.
pub(super) fn host(verdict: &Verdict) -> Answer {
    let is_off = verdict.hands_off();
    let is_free = verdict.hosts.iter().all(|own| own.duty == Duty::Free);
    match verdict.answer {
        _ if is_off => Answer::Ok,
        // The operator's level stands above what the destination has published (PD-01).
        Level::None | Level::May if verdict.rule.is_some() => Answer::Ok,
        Level::None | Level::May | Level::NotFound if is_free => Answer::Ok,
        Level::Temp if verdict.hosts.is_empty() => {
            Answer::unavailable(verdict.reason.word(), &verdict.detail)
        }
        _ => Answer::refuse(Reason::HostUnknown.word(), NO_NAME),
    }
}

fn is_encrypted(session: &SessionKey<'_>) -> bool {
    session.verify.is_encrypted() && session.tls_version.is_some()
}

const NO_NAME: &str =
    "the host has no name, and what the destination owes is owed by hosts with a name";
