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

pub use self::certificates::Certificates;
pub use self::desk::Desk;
use super::admin::Admin;
use super::sessions::Intake;

/// The desk of a daemon, which asks hosts for the certificates that it has not seen.
#[must_use]
pub fn open(admin: &Admin, intake: &Arc<Intake>) -> Desk {
    let answerer = Arc::clone(&admin.engine.answerer);
    let world = answerer.world();
    let certificates = Certificates::new(world.prober.clone(), Arc::clone(&world.clock));
    let certificates = Arc::new(certificates);
    Desk::new(
        answerer,
        Arc::clone(intake),
        certificates,
        Arc::clone(&admin.metrics),
    )
}

#[cfg(test)]
#[allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]
mod tests;
