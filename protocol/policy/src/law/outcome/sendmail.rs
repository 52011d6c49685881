//! Sendmail: `FEATURE(`sts')`, and DANE of its own from 8.18 on (the law's column S).
//!
//! Of all words only `secure` binds. Where Sendmail does DANE by itself, a host with TLSA records is
//! DANE's alone, whatever the map says: the rules of `FEATURE(`sts')` are not run for it.
//! Not done here: the session check, which stands above this ([`super::outcome`]), and the words of the
//! reply ([`crate::render::sendmail`]).

use super::{Candidate, Outcome};
use crate::law::choice::Abilities;
use crate::law::situation::{HostSituation, HostState, MxSecurity, Situation, StateClass};
use crate::profile::{Floor, OwnDane};

/// What Sendmail does to `host` under `answer`, before its session check.
pub(super) fn outcome(
    answer: Candidate,
    host: &HostSituation,
    is_named: bool,
    situation: &Situation,
    abilities: Abilities,
) -> Outcome {
    // MX-13: nobody reaches what nobody can resolve.
    if matches!(
        host.state,
        HostState::AddressFailed | HostState::Unreachable
    ) {
        return Outcome::Skip;
    }
    let own = match host.state.class() {
        Some(class) if does_dane(situation.mx, abilities) => class,
        _ => StateClass::None,
    };
    match (own, answer) {
        (StateClass::Usable, _) => Outcome::Dane,
        (StateClass::Unusable, _) => Outcome::Encrypt,
        (StateClass::Failed, _) => Outcome::Skip,
        (StateClass::None, Candidate::Secure) if is_named => Outcome::WebPki,
        (StateClass::None, Candidate::Secure) => Outcome::Skip,
        (StateClass::None, _) => match abilities.floor {
            Floor::May | Floor::Dane => Outcome::Clear,
            Floor::Encrypt => Outcome::Encrypt,
            Floor::Secure => Outcome::OwnWebPki,
        },
    }
}

/// True where Sendmail puts aside what the map says of a host, for TLSA records that it cannot use.
pub(super) fn leaves_to_dane(state: HostState, mx: MxSecurity, abilities: Abilities) -> bool {
    state == HostState::Unusable && does_dane(mx, abilities)
}

/// Whether Sendmail looks for TLSA records; what is only hoped for does not count (PD-11).
fn does_dane(mx: MxSecurity, abilities: Abilities) -> bool {
    // Behind an insecure MX set it does no DANE.
    mx == MxSecurity::Secure && abilities.own_dane == OwnDane::Yes
}

/// Octets of a list of names that Sendmail reads. Seen of 8.18: it cuts the list at 255 without a word,
/// and then takes the beginning of a name for a name, which somebody else may own.
pub const MATCH_LIMIT: usize = 250;
