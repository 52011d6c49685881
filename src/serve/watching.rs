//! When watched domains are looked at, and what the log says of it.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt as _;
use hoplock_policy::name::DomainName;
use tokio::sync::Notify;
use tokio::time::{sleep, timeout};

use super::engine::Engine;
use crate::config::{Config, WatchConfig};
use crate::watch::Watch;
use crate::watch::finding::{Finding, Severity};
use crate::watch::shown::WatchedDomain;
use crate::watch::standing::Changes;

/// The watch of the daemon.
pub struct Watching {
    watch: Watch,
    changed: Notify,
}

impl Watching {
    /// One that has not looked yet.
    #[must_use]
    pub fn new(config: &Config, engine: &Engine) -> Self {
        let world = engine.answerer.world().clone();
        let authorities = engine.authorities.clone();
        Self {
            watch: Watch::new(world, config.watch.clone(), authorities),
            changed: Notify::new(),
        }
    }

    /// What is known of the watched domains.
    #[must_use]
    pub fn known(&self) -> &Watch {
        &self.watch
    }

    /// Every watched domain with its findings and hosts, for page and programs. Waits for nobody.
    #[must_use]
    pub fn list(&self) -> Vec<WatchedDomain> {
        self.watch.list()
    }

    /// Watches by this from now on; where it differs, everything is looked at anew.
    pub(super) fn reload(&self, config: &WatchConfig) {
        if *self.watch.config() != *config {
            self.watch.reload(config.clone());
            self.changed.notify_one();
        }
    }
}

/// Looks at one domain after the other, again and again; never ends.
pub(super) async fn rounds(watching: Arc<Watching>) {
    sleep(AFTER_START).await;
    loop {
        let config = watching.watch.config();
        let looks = async {
            let own = &config.domains;
            for (number, domain) in own.iter().enumerate() {
                look(&watching.watch, domain).await;
                if number + 1 < own.len() {
                    sleep(between(&config)).await;
                }
            }
            sleep(jittered(config.every)).await;
        };
        tokio::select! {
            () = looks => {}
            () = watching.changed.notified() => {}
        }
    }
}

async fn look(watch: &Watch, domain: &DomainName) {
    let looked = AssertUnwindSafe(watch.look(domain)).catch_unwind();
    match timeout(LONGEST_LOOK, looked).await {
        Ok(Ok(changes)) => tell(domain, &changes),
        Ok(Err(_)) => tracing::error!(%domain, "a look at this domain broke by a fault of hoplock"),
        Err(_) => tracing::warn!(%domain, "a look at this domain took too long and was given up"),
    }
}

/// One line for each finding that comes or goes.
fn tell(domain: &DomainName, changes: &Changes) {
    for finding in &changes.come {
        let Finding { cause, cure, .. } = finding;
        let (kind, what) = (finding.kind.word(), finding.told());
        match finding.severity {
            Severity::Alarm => tracing::error!(%domain, kind, cause, cure, "{what}"),
            Severity::Warning => tracing::warn!(%domain, kind, cause, cure, "{what}"),
            Severity::Note => tracing::info!(%domain, kind, cause, "{what}"),
        }
    }
    for finding in &changes.gone {
        let (kind, what) = (finding.kind.word(), finding.told());
        match finding.severity {
            Severity::Alarm | Severity::Warning => {
                tracing::info!(%domain, kind, "no longer so: {what}");
            }
            Severity::Note => tracing::debug!(%domain, kind, "no longer so: {what}"),
        }
    }
}

/// Domains of a long list are spread over the time that one look at each has.
fn between(config: &WatchConfig) -> Duration {
    let domains = u32::try_from(config.domains.len()).unwrap_or(u32::MAX);
    let share = config.every / domains.max(1).saturating_mul(2);
    share.min(LONGEST_PAUSE)
}

/// Up to a tenth more or less, so that hosts of a fleet do not all look at once.
fn jittered(every: Duration) -> Duration {
    every.mul_f64(rand::random_range(0.9..1.1))
}

/// What answers mail servers comes first.
const AFTER_START: Duration = Duration::from_secs(2);
/// Between two domains.
const LONGEST_PAUSE: Duration = Duration::from_secs(10);
/// Thirty seconds for each of many addresses, four at a time.
const LONGEST_LOOK: Duration = Duration::from_secs(900);
