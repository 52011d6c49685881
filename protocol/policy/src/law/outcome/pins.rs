//! Postfix without DANE of its own: the law's column F.
//!
//! It is handed what DANE would have it find: pinned keys and certificates (`fingerprint`), and trust
//! anchors as a file (`secure` with `tafile`). Whoever shows neither is skipped.
//! Not done here: which records can be handed over ([`crate::law`]), and the words of the reply
//! ([`crate::render::postfix`]).

use super::{Candidate, Outcome, keeps};
use crate::law::choice::Abilities;
use crate::law::duty::{Duty, duty, raised};
use crate::law::situation::{HostSituation, HostState, MxSecurity, Situation, StateClass};
use crate::profile::Floor;

/// What such a Postfix does to `host` under `answer`.
pub(super) fn outcome(
    answer: Candidate,
    host: &HostSituation,
    is_named: bool,
    situation: &Situation,
    floor: Floor,
) -> Outcome {
    if is_reachable(host) {
        once_resolved(answer, host, is_named, situation, floor)
    } else {
        Outcome::Skip
    }
}

/// The same for a host whose addresses it finds, whatever we found (DT-13a under `strict`).
pub(super) fn once_resolved(
    answer: Candidate,
    host: &HostSituation,
    is_named: bool,
    situation: &Situation,
    floor: Floor,
) -> Outcome {
    // RFC 7672, 2.2.1: records behind an insecure MX set authenticate nobody (PD-07).
    let is_usable =
        situation.mx == MxSecurity::Secure && host.state.class() == Some(StateClass::Usable);
    match answer {
        Candidate::Fingerprint if is_usable && host.pinned => Outcome::Dane,
        Candidate::Anchored if is_usable && host.anchored => Outcome::Dane,
        Candidate::Secure if is_named => Outcome::WebPki,
        Candidate::Fingerprint | Candidate::Anchored | Candidate::Secure => Outcome::Skip,
        Candidate::Encrypt => Outcome::Encrypt,
        // Postfix, dane_init: without DNSSEC it takes `dane` for `may`, and waits under `dane-only`.
        Candidate::DaneOnly => Outcome::Skip,
        Candidate::Dane => Outcome::Clear,
        Candidate::NotFound => match floor {
            Floor::May | Floor::Dane => Outcome::Clear,
            Floor::Encrypt => Outcome::Encrypt,
            Floor::Secure => Outcome::OwnWebPki,
        },
    }
}

/// True where the best tier owes nothing beyond encryption, and so does `outcome` to a host behind it:
/// pins would bend mail away from better hosts, and without them whoever is on the way would choose the
/// free host anyway. `strict` asks for the opposite.
pub(super) fn is_declared(
    owed: Duty,
    outcome: Outcome,
    situation: &Situation,
    abilities: Abilities,
) -> bool {
    if abilities.strict || owed != Duty::Dane {
        return false;
    }
    let reachable = || situation.hosts.iter().filter(|host| is_reachable(host));
    let Some(best) = reachable().map(|host| host.preference).min() else {
        return false;
    };
    let tier = reachable().filter(|host| host.preference == best);
    let most = tier.map(|host| raised(duty(host, situation, false), abilities.floor));
    // A host of the best tier owes DANE itself, and so none is let there.
    most.max()
        .is_some_and(|most| most <= Duty::Encrypt && keeps(outcome, most))
}

/// MX-13: nobody reaches what nobody can resolve.
fn is_reachable(host: &HostSituation) -> bool {
    !matches!(
        host.state,
        HostState::AddressFailed | HostState::Unreachable
    )
}
