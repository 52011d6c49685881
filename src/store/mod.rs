//! What outlives one answer: MTA-STS policies, destinations seen with DANE, rules given at run time, and
//! the journal of sessions.
//!
//! * [`memory`]: as long as the process; also the shelf in front of the others.
//! * [`journal`]: the journal, as long as the process; and the room in front of the other one.
//! * [`sqlite`]: one file on this host.
//! * [`reports_json`]: TLS reports as text, for every store that keeps them.
//! * [`valkey`]: what the hosts of a fleet share.

pub mod journal;
pub mod memory;
#[doc(hidden)]
pub mod reports_checks;
pub mod reports_json;
pub mod sqlite;
pub mod valkey;
