//! What outlives one answer: MTA-STS policies, destinations seen with DANE, rules given at run time.
//!
//! * [`memory`]: as long as the process; also the shelf in front of the others.
//! * [`sqlite`]: one file on this host.

pub mod memory;
pub mod sqlite;
