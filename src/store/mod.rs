//! What outlives one answer: MTA-STS policies and destinations seen with DANE.
//!
//! [`memory`] lasts as long as the process; a store on disk comes with a later version.

pub mod memory;
