//! The real world: DNS, policy hosts, time.
//!
//! * [`clock`]: the only place that asks for the time.
//! * [`dns`]: a stub that reads the AD bit of a validating resolver.
//! * [`https`]: fetches MTA-STS policies.

pub mod clock;
pub mod dns;
pub mod https;
