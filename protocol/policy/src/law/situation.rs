//! What the law looks at: each host's state, the security of the MX set, the policy in force.

use crate::dns::SecurityStatus;
use crate::findings::{AddressFinding, DaneFinding, HostFinding};
use crate::profile::{AddressFamilies, Family, OwnDane, Profile};
use crate::tlsa::{TlsaOptions, TlsaSet};

/// One destination, as far as duty, outcome and choice need it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Situation {
    /// How far the choice of hosts can be relied on.
    pub mx: MxSecurity,
    /// The hosts that can be reached, or whose reachability is unknown; order is of no consequence.
    pub hosts: Vec<HostSituation>,
    /// An MTA-STS policy is to be enforced.
    pub enforce: bool,
    /// A rule demands DANE.
    pub mandatory: bool,
    /// DANE behind an insecure MX set may be used (RFC 7672, 2.2.1 allows it).
    pub half_dane: bool,
    /// TLS begins with the connection: there is no clear text to fall back to (RFC 8314, 3.3).
    pub implicit_tls: bool,
}

/// Security of the choice of hosts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum MxSecurity {
    /// DANE applies.
    Secure,
    /// DANE cannot bind the domain to its hosts; only MTA-STS can.
    Insecure,
}

/// One host, as far as the law needs it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct HostSituation {
    /// MX preference: lower first.
    pub preference: u16,
    /// State of its TLSA records.
    pub state: HostState,
    /// The enforced MTA-STS policy names it.
    pub listed: bool,
    /// How many addresses the MTA will see.
    pub addresses: usize,
    /// Keys or certificates of its records can be pinned, in the digest that the MTA takes (PF-09).
    pub pinned: bool,
    /// A trust anchor of its records is known by its bytes (DT-16).
    pub anchored: bool,
}

/// State of a host.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum HostState {
    /// Some record is usable, and one of those is DANE-EE: authenticate by them.
    UsableEndEntity,
    /// Usable by trust anchors (DANE-TA) only: authenticate by them.
    UsableTrustAnchor,
    /// Records, and none is usable: TLS without authentication.
    Unusable,
    /// Proved: no records.
    NoneSecure,
    /// Unsigned space: no records that count.
    NoneInsecure,
    /// The TLSA lookup failed: not to be used.
    Failed,
    /// The address lookup failed: not to be used, never "has no TLSA".
    AddressFailed,
    /// Has no address in the families that the MTA uses: leaves the aggregate (MX-14).
    Unreachable,
}

/// The four columns of the outcome tables.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum StateClass {
    /// Usable records.
    Usable,
    /// Only unusable records.
    Unusable,
    /// No records.
    None,
    /// Unknown.
    Failed,
}

impl HostState {
    /// The column of the outcome tables; `None` for a host that is not there at all.
    #[must_use]
    pub fn class(self) -> Option<StateClass> {
        Some(match self {
            Self::UsableEndEntity | Self::UsableTrustAnchor => StateClass::Usable,
            Self::Unusable => StateClass::Unusable,
            Self::NoneSecure | Self::NoneInsecure => StateClass::None,
            Self::Failed | Self::AddressFailed => StateClass::Failed,
            Self::Unreachable => return None,
        })
    }

    /// The word of the JSON interface.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::UsableEndEntity | Self::UsableTrustAnchor => "usable",
            Self::Unusable => "unusable",
            Self::NoneSecure => "none-secure",
            Self::NoneInsecure => "none-insecure",
            Self::Failed => "failed",
            Self::AddressFailed => "address-failed",
            Self::Unreachable => "unreachable",
        }
    }
}

impl From<SecurityStatus> for MxSecurity {
    /// Only a validated choice is secure; a failed lookup never gets here (it is its own finding).
    fn from(status: SecurityStatus) -> Self {
        match status {
            SecurityStatus::Secure => Self::Secure,
            SecurityStatus::Insecure | SecurityStatus::Bogus | SecurityStatus::Indeterminate => {
                Self::Insecure
            }
        }
    }
}

/// The state of a host in the eyes of an MTA, and how many addresses it will see.
#[must_use]
pub fn state_of(
    host: &HostFinding,
    profile: &Profile,
    options: &TlsaOptions,
) -> (HostState, usize) {
    let families = profile.families;
    // TU-03, TU-08: an MTA that does DANE by itself judges records by the RFC, whatever is set here;
    // save where each session is judged here too.
    let by_itself = match profile.family {
        Family::Postfix => profile.own_dane != OwnDane::No,
        Family::Sendmail => profile.own_dane == OwnDane::Yes && !profile.verifier,
        Family::Pins | Family::Exim => false,
    };
    let standard = TlsaOptions::default();
    let options = if by_itself { &standard } else { options };
    let seen = match families {
        AddressFamilies::Both => [Some(&host.ipv4), Some(&host.ipv6)],
        AddressFamilies::Ipv4 => [Some(&host.ipv4), None],
        AddressFamilies::Ipv6 => [None, Some(&host.ipv6)],
    };
    let mut addresses = 0;
    let mut failed = false;
    for family in seen.into_iter().flatten() {
        match family {
            AddressFinding::Present { count, .. } => addresses += count,
            AddressFinding::Absent { .. } => {}
            AddressFinding::Failed(_) => failed = true,
        }
    }
    if addresses == 0 {
        // MX-13: an unknown address is never "no address"; MX-14: a proved absence leaves the set.
        let state = if failed {
            HostState::AddressFailed
        } else {
            HostState::Unreachable
        };
        return (state, 0);
    }
    let state = match &host.dane {
        // MX-10: an MTA that does not follow aliases fails at such a host; it is never "gone".
        _ if host.aliased && !profile.follow_mx_aliases => HostState::Failed,
        DaneFinding::Records { rdata, .. } => {
            let set = TlsaSet::read(rdata.iter().map(Vec::as_slice), options);
            match (set.is_usable(), set.has_end_entity()) {
                (true, true) => HostState::UsableEndEntity,
                (true, false) => HostState::UsableTrustAnchor,
                // RFC 7672, 2.2: records that cannot be used still demand TLS.
                (false, _) => HostState::Unusable,
            }
        }
        DaneFinding::NoneSecure => HostState::NoneSecure,
        DaneFinding::NoneInsecure => HostState::NoneInsecure,
        // Not asked although an address is there: the other family failed first. Unknown, so failed.
        DaneFinding::Failed(_) | DaneFinding::NotAsked => HostState::Failed,
    };
    (state, addresses)
}
