//! DNS with security status: the AD bit of a validating resolver, read by a small stub.
//!
//! AD is believed only over a protected path (RFC 4035, 4.9.3): by default where every server is on
//! loopback. Not done here: validation, recursion, caching.

#[doc(hidden)]
pub mod fuzzing;
pub mod message;
pub mod observed;
mod resolver;
pub mod self_test;
mod stub;
pub mod system;
mod transport;

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use hoplock_policy::name::DomainName;

pub use self::stub::DnsStub;
pub use self::transport::{Datagrams, Network, Transport};

/// How the stub asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DnsOptions {
    /// Servers, first one preferred; none: the system's, watched.
    pub servers: Vec<SocketAddr>,
    /// When AD is believed.
    pub trust: Trust,
    /// One lookup, all attempts together.
    pub timeout: Duration,
    /// Lookups in flight at once; more wait for a place.
    pub lookups: usize,
    /// A signed name for the self-test; none: no test.
    pub self_test: Option<DomainName>,
    /// A name that must fail.
    pub self_test_bogus: Option<DomainName>,
}

/// When AD is believed (MX-15).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trust {
    /// Where every server is on loopback, the well-known forwarders there excepted.
    Loopback,
    /// Always: the operator vouches for the path.
    Always,
    /// Never.
    Never,
}

impl Trust {
    /// True where AD from these servers is believed.
    #[must_use]
    pub fn believes(self, servers: &[SocketAddr]) -> bool {
        match self {
            Self::Always => true,
            Self::Never => false,
            Self::Loopback => {
                !servers.is_empty() && servers.iter().all(|server| is_own_resolver(server.ip()))
            }
        }
    }
}

/// On loopback, and none of the forwarders there that pass on AD from elsewhere.
fn is_own_resolver(address: IpAddr) -> bool {
    let forwarder = match address {
        IpAddr::V4(v4) => FORWARDERS.contains(&v4.octets()),
        IpAddr::V6(_) => false,
    };
    address.is_loopback() && !forwarder
}

/// Docker's embedded resolver and the two of systemd-resolved.
const FORWARDERS: [[u8; 4]; 3] = [[127, 0, 0, 11], [127, 0, 0, 53], [127, 0, 0, 54]];
