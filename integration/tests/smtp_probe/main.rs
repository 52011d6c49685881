//! The probers against real hosts on loopback that behave well, oddly or badly: servers of our own on
//! tokio and rustls, and the program `openssl` where a host must be old.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "tests"
)]

mod certificates;
mod dialogue;
mod openssl;
mod server;
mod tls;

use std::net::SocketAddr;
use std::time::Duration;

use hoplock::adapters::smtp::{ProbeOptions, SmtpProber};
use hoplock::world::probe::{ProbeTarget, Probed, Prober as _};
use hoplock_policy::name::DomainName;

/// Good hosts answer within milliseconds; bad ones are not waited for longer than this.
const PATIENCE: Duration = Duration::from_secs(8);

fn name(text: &str) -> DomainName {
    DomainName::parse(text).unwrap()
}

fn options(timeout: Duration) -> ProbeOptions {
    ProbeOptions {
        timeout,
        ..ProbeOptions::new(name("probe.e.test"))
    }
}

fn target(address: SocketAddr) -> ProbeTarget {
    ProbeTarget::new(address, name("mx.e.test"))
}

async fn probe(address: SocketAddr) -> Probed {
    probe_within(address, PATIENCE).await
}

async fn probe_within(address: SocketAddr, timeout: Duration) -> Probed {
    SmtpProber::new(options(timeout))
        .probe(target(address))
        .await
}
