//! Reports leave: by mail through a program or a server, and by HTTPS.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "tests"
)]

mod https;
mod mail;

use std::sync::Arc;
use std::time::Duration;

use hoplock::adapters::courier::{CourierOptions, Mailer, ReportCourier, SENDMAIL};
use hoplock::store::memory::MemoryStore;
use hoplock::world::courier::{Undelivered, UndeliveredKind};
use hoplock::world::scripted::ScriptedWorld;
use hoplock_policy::dns::{RecordData, SecurityStatus};
use hoplock_policy::name::DomainName;

/// A courier to which `receiver.test` is at loopback.
fn courier_with(change: impl FnOnce(&mut CourierOptions)) -> ReportCourier {
    let world = ScriptedWorld::new();
    world.add(
        DomainName::parse("receiver.test").unwrap(),
        SecurityStatus::Insecure,
        Duration::from_secs(60),
        RecordData::A("127.0.0.1".parse().unwrap()),
    );
    let resolver = world.world(Arc::new(MemoryStore::new(8))).resolver;
    let mut options = CourierOptions {
        mailer: Mailer::Program(SENDMAIL.into()),
        roots: Vec::new(),
        refuse_private_addresses: false,
        ignore_certificate: false,
        timeout: Duration::from_secs(2),
    };
    change(&mut options);
    ReportCourier::new(resolver, options).unwrap()
}

fn kind(outcome: &Result<(), Undelivered>) -> Option<UndeliveredKind> {
    outcome.as_ref().err().map(|own| own.kind)
}
