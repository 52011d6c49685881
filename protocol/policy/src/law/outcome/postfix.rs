//! Postfix: `smtp_tls_policy_maps` (PF-07, PF-12).
//!
//! Not done here: the words of the reply ([`crate::render::postfix`]).

use super::{Candidate, Outcome};
use crate::law::situation::{HostSituation, MxSecurity, Situation, StateClass};
use crate::profile::Floor;

/// What Postfix with a validating resolver does to `host` under `answer`.
///
/// `is_named` is the host's membership in `match=`.
pub(super) fn outcome(
    answer: Candidate,
    host: &HostSituation,
    is_named: bool,
    situation: &Situation,
    floor: Floor,
) -> Outcome {
    let Some(class) = host.state.class() else {
        return Outcome::Skip;
    };
    match answer {
        // Postfix, smtp_connect: `dane-only` behind an insecure MX set skips every host.
        Candidate::DaneOnly => match (situation.mx, class) {
            (MxSecurity::Secure, StateClass::Usable) => Outcome::Dane,
            _ => Outcome::Skip,
        },
        // It does DANE by itself, and is handed no pins.
        Candidate::Fingerprint | Candidate::Anchored => Outcome::Skip,
        Candidate::Secure if is_named => Outcome::WebPki,
        Candidate::Secure => Outcome::Skip,
        Candidate::Encrypt => Outcome::Encrypt,
        Candidate::Dane => dane(class),
        Candidate::NotFound => match floor {
            Floor::May => Outcome::Clear,
            Floor::Dane => dane(class),
            Floor::Encrypt => Outcome::Encrypt,
            Floor::Secure => Outcome::OwnWebPki,
        },
    }
}

fn dane(class: StateClass) -> Outcome {
    match class {
        StateClass::Usable => Outcome::Dane,
        StateClass::Unusable => Outcome::Encrypt,
        StateClass::None => Outcome::Clear,
        StateClass::Failed => Outcome::Skip,
    }
}
