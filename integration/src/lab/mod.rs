//! The lab: real servers on loopback, really signed zones, and a real Postfix that delivers mail.
//!
//! * [`certificates`]: a private authority and what it issues.
//! * [`zones`]: an own root and TLD, signed; what each destination publishes.
//! * [`servers`]: NSD and Unbound as processes; [`hoplock`]; [`postfix`], of this machine and of
//!   another Debian in a folder.
//! * [`mail_host`]: MX hosts that speak STARTTLS and can misbehave.
//! * [`policy_host`]: MTA-STS policies over HTTPS, and every way of failing at it.
//! * [`deliveries`]: what must happen to each message; `rounds`: whether it did.
//! * `check`: `hoplock check` and `hoplock tlsa`, beside the tools that judge too.
//! * `pins`: the same destinations by a Postfix without DNSSEC.
//! * `clients`: the same destinations by Exim and Sendmail.
//! * `guard`: mail at submission, by Postfix's policy delegation and by the milter protocol.
//! * `reports`, `doctor`, `memory`: what else is shown with the real servers.
//! * `package`: the package on fresh machines under their own systemd, and the container.
//! * `tlsrpt`: TLS reports, from datagrams to receivers.
//! * `page`: the page for people, in Chromium.
//! * `manual`: the commands and configurations of the manual.
//! * `prometheus`: metrics, rules and dashboard, by a real Prometheus.
//! * `survive`: DNSSEC set aside in Unbound, by order.
//! * `stage`: what each of these is given. [`run`]: all of it, and the verdict (`report`).

pub mod certificates;
mod check;
mod clients;
pub mod deliveries;
mod doctor;
mod guard;
pub mod hoplock;
pub mod mail_host;
mod manual;
mod memory;
mod package;
mod page;
mod pins;
pub mod policy_host;
pub mod postfix;
mod prometheus;
pub mod report;
mod reports;
mod rounds;
pub mod run;
pub mod servers;
mod sessions;
mod stage;
mod survive;
mod tlsrpt;
pub mod zones;
