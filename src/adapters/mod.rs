//! The real world: DNS, policy hosts, mail hosts, the mail server beside us, time.
//!
//! * [`clock`]: the only place that asks for the time.
//! * [`dns`]: a stub that reads the AD bit of a validating resolver.
//! * [`https`]: fetches MTA-STS policies.
//! * [`mail_log`]: follows the log of the mail server.
//! * [`postfix`]: what Postfix says of its own settings, and whether its DNSSEC works.
//! * [`smtp`]: speaks to mail hosts to see their TLS.

pub mod clock;
pub mod dns;
pub mod https;
pub mod mail_log;
pub mod postfix;
pub mod smtp;
