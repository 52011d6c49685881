//! Sendmail's map `verifier`: each session is judged before its first RCPT, and refused where it falls
//! below what its host owes (SV-10).
//!
//! * `desk`: the answer to a key.
//! * `nameless`: destinations and hosts without a name.
//! * `certificates`: from a certificate's digest, which is all that Sendmail tells, to the certificate.

mod certificates;
mod desk;
mod nameless;

use std::sync::Arc;
use std::time::Duration;

pub use self::certificates::Certificates;
pub use self::desk::Desk;
use super::admin::Admin;
use super::sessions::Intake;
use crate::adapters::smtp::{ProbeOptions, SmtpProber, own_name};
use crate::world::probe::Prober;

/// The desk of a daemon, which asks hosts for the certificates that it has not seen.
#[must_use]
pub fn open(admin: &Admin, intake: &Arc<Intake>) -> Desk {
    let prober = own_name().map(|helo| {
        let options = ProbeOptions {
            helo,
            timeout: PROBE,
        };
        Arc::new(SmtpProber::new(options)) as Arc<dyn Prober>
    });
    if prober.is_none() {
        tracing::info!(
            "this machine has no name to say in EHLO: Sendmail's session check (map verifier) asks no              host for its certificate, and refuses where a TLSA record names a key"
        );
    }
    let answerer = Arc::clone(&admin.engine.answerer);
    let clock = Arc::clone(&answerer.world().clock);
    let certificates = Arc::new(Certificates::new(prober, clock));
    Desk::new(
        answerer,
        Arc::clone(intake),
        certificates,
        Arc::clone(&admin.metrics),
    )
}

/// Sendmail waits for 5 s; a probe that takes longer is there for the next attempt.
const PROBE: Duration = Duration::from_secs(15);

#[cfg(test)]
#[allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]
mod tests;
