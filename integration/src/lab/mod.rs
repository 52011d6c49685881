//! The lab: real servers on loopback, really signed zones, and a real Postfix that delivers mail.
//!
//! * [`certificates`]: a private authority and what it issues.
//! * [`zones`]: an own root and TLD, signed; what each destination publishes.
//! * [`servers`]: NSD, Unbound, hoplock, Postfix as processes.
//! * [`mail_host`]: MX hosts that speak STARTTLS and can misbehave.
//! * [`policy_host`]: MTA-STS policies over HTTPS, and every way of failing at it.
//! * [`deliveries`]: what must happen to each message.
//! * [`run`]: all of it, and the verdict.

pub mod certificates;
pub mod deliveries;
pub mod mail_host;
pub mod policy_host;
pub mod run;
pub mod servers;
pub mod zones;
