//! Duty: what the destination has proved demands of a session with one host.

use super::situation::{HostSituation, MxSecurity, Situation, StateClass};
use crate::profile::{Family, Floor};

/// What a session with a host owes. Ordered by nothing: see [`super::outcome::keeps`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Duty {
    /// Nothing beyond what the MTA does by itself.
    Free,
    /// TLS.
    Encrypt,
    /// TLS, a certificate that a public authority vouches for, under the MX host's name.
    WebPki,
    /// The same under the MTA's own reference names: the floor `secure`, which only NOTFOUND gives.
    OwnWebPki,
    /// TLS authenticated by the host's TLSA records.
    Dane,
    /// No session at all.
    Refuse,
}

impl Duty {
    /// The word of the JSON interface.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Free => "free",
            Self::Encrypt => "encrypt",
            Self::WebPki | Self::OwnWebPki => "web-pki",
            Self::Dane => "dane",
            Self::Refuse => "refuse",
        }
    }
}

impl Situation {
    /// True where the answer makes use of DANE behind an insecure MX set: Postfix only, where the
    /// floor asks for nothing that `dane` would not give.
    #[must_use]
    pub fn uses_half_dane(&self, family: Family, floor: Floor) -> bool {
        self.half_dane
            && family == Family::Postfix
            && matches!(floor, Floor::May | Floor::Dane)
            && self.mx == MxSecurity::Insecure
            && !self.enforce
            && !self.mandatory
            && self.hosts.iter().any(|host| {
                matches!(
                    host.state.class(),
                    Some(StateClass::Usable | StateClass::Unusable)
                )
            })
    }
}

/// The duty of one host, before the MTA's floor.
#[must_use]
pub fn duty(host: &HostSituation, situation: &Situation, half_dane_used: bool) -> Duty {
    let Some(class) = host.state.class() else {
        return Duty::Free;
    };
    match published(host, class, situation, half_dane_used) {
        // RFC 8314, 3.3: on such a port nothing is sent before TLS (SB-05).
        Duty::Free if situation.implicit_tls => Duty::Encrypt,
        duty => duty,
    }
}

/// What the destination has published, and the operator demands, comes to.
fn published(
    host: &HostSituation,
    class: StateClass,
    situation: &Situation,
    half_dane_used: bool,
) -> Duty {
    if situation.mandatory {
        // RFC 7672, 6: a destination that must have DANE and has none waits.
        return match (situation.mx, class) {
            (MxSecurity::Secure, StateClass::Usable) => Duty::Dane,
            _ => Duty::Refuse,
        };
    }
    let by_policy = if host.listed {
        Duty::WebPki
    } else {
        Duty::Refuse
    };
    match (situation.mx, class, situation.enforce) {
        (MxSecurity::Secure, StateClass::Usable, _) => Duty::Dane,
        // RFC 7672, 2.1.2: a failed lookup is not "no DANE"; RFC 8461, 2: MTA-STS does not cover it.
        (MxSecurity::Secure, StateClass::Failed, _) => Duty::Refuse,
        // RFC 8461, 5: hosts outside an enforced policy get no mail. Both obligations are met by
        // web PKI where TLSA records are unusable (RFC 7672, 2.2).
        (MxSecurity::Secure, StateClass::Unusable | StateClass::None, true) => by_policy,
        (MxSecurity::Secure, StateClass::Unusable, false) => Duty::Encrypt,
        (MxSecurity::Secure, StateClass::None, false) => Duty::Free,
        // RFC 7672, 2.2.1: behind an insecure MX set only MTA-STS binds domain and host.
        (MxSecurity::Insecure, _, true) => by_policy,
        (MxSecurity::Insecure, StateClass::Failed, false) if half_dane_used => Duty::Refuse,
        (MxSecurity::Insecure, _, false) => Duty::Free,
    }
}

/// The duty under the MTA's own default level: never less than before (PD-16).
#[must_use]
pub fn raised(duty: Duty, floor: Floor) -> Duty {
    match (floor, duty) {
        (Floor::Encrypt, Duty::Free) => Duty::Encrypt,
        (Floor::Secure, Duty::Free | Duty::Encrypt) => Duty::OwnWebPki,
        _ => duty,
    }
}
