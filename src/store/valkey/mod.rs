//! The memory that the hosts of a fleet share: a Valkey or Redis server beside the state file of each host.
//!
//! Each host works from its own memory and goes on alone where the server is down; nothing that a mail server
//! waits for is ever waited for here but once, for a quarter of a second, and only where this host knows
//! nothing.
//!
//! * [`FleetAddress`], [`FleetClient`]: where the server is, and the connection to it.
//! * [`ValkeyStore`]: MTA-STS policies.
//! * [`ValkeyReports`]: what is counted, and TLS reports.
//!
//! Whoever can write there can weaken the fleet (docs/fleet.md). Not done here: clusters with hash slots;
//! sharing rules, and destinations seen with DANE.

mod address;
mod batch;
mod client;
mod dial;
mod entry;
mod policies;
mod publish;
mod queue;
mod reports;
mod scripts;
mod values;

pub use self::address::{BadAddress, DEFAULT_PREFIX, FleetAddress};
pub use self::client::FleetClient;
pub use self::dial::FleetError;
pub use self::policies::ValkeyStore;
pub use self::reports::{FleetOptions, ValkeyReports};
