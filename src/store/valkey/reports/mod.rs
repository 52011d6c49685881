//! Counting and reports of a fleet: each host counts in its own file, and hands over what it has to the
//! store that all share, where reports are claimed once for all.
//!
//! Counts are kept by host and add up when they are read; so nothing is counted twice, whoever hands over
//! again. Where the shared store does not answer, counting goes on as if alone, and making and sending
//! reports waits.

mod claims;
mod counted;
mod keys;
mod push;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use hoplock_policy::moment::{Moment, Timestamp};
use hoplock_policy::name::DomainName;
use hoplock_policy::tlsrpt::Day;
use tokio::sync::OnceCell;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use self::keys::Keys;
use self::push::Pushing;
use super::batch::Batch;
use super::client::FleetClient;
use super::scripts;
use super::values::{list, number, text};
use crate::world::reports::local::LocalTally;
use crate::world::reports::outgoing::{Outgoing, ReportKey};
use crate::world::reports::received::Received;
use crate::world::reports::tally::{Counter, Counts};
use crate::world::reports::{ReportFigures, Reports, Resigned};
use crate::world::{Clock, StoreFailure, Waiting};

/// The reports of a host in a fleet.
pub struct ValkeyReports {
    inner: Arc<Inner>,
    pusher: JoinHandle<()>,
}

/// How patient a fleet is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FleetOptions {
    /// Between two rounds of handing over.
    pub between_rounds: Duration,
    /// For so long after the shared store was seen for the first time, or may have lost something, no host
    /// is elected: all hand over anew meanwhile.
    pub settling: Duration,
}

impl Default for FleetOptions {
    fn default() -> Self {
        Self {
            between_rounds: Duration::from_secs(1),
            settling: Duration::from_secs(60),
        }
    }
}

struct Inner {
    local: Arc<dyn LocalTally>,
    client: Arc<FleetClient>,
    clock: Arc<dyn Clock>,
    options: FleetOptions,
    pushing: tokio::sync::Mutex<Pushing>,
    behind: Mutex<Behind>,
    not_handed_over: AtomicU64,
    node: OnceCell<String>,
    installation: OnceCell<String>,
    told: AtomicBool,
}

/// What the fleet is still to be told of reports.
#[derive(Default)]
struct Behind {
    reports: BTreeMap<ReportKey, Outgoing>,
    mailed: BTreeSet<(Day, DomainName)>,
    /// All that were noted by this process, of the open days.
    mailed_ever: BTreeSet<(Day, DomainName)>,
    received: bool,
}

impl ValkeyReports {
    /// Puts the fleet's store behind what this host counts, and begins to hand over; to be called within the
    /// runtime.
    #[must_use]
    pub fn new(
        local: Arc<dyn LocalTally>,
        client: Arc<FleetClient>,
        clock: Arc<dyn Clock>,
        options: FleetOptions,
    ) -> Self {
        let inner = Arc::new(Inner {
            local,
            client,
            clock,
            options,
            pushing: tokio::sync::Mutex::new(Pushing::new()),
            behind: Mutex::default(),
            not_handed_over: AtomicU64::new(0),
            node: OnceCell::new(),
            installation: OnceCell::new(),
            told: AtomicBool::new(false),
        });
        Self {
            pusher: tokio::spawn(push::push(Arc::downgrade(&inner))),
            inner,
        }
    }

    /// Hands over what there is, now.
    ///
    /// # Errors
    /// [`StoreFailure`] where it cannot; the background will, when it can.
    pub async fn hand_over(&self) -> Result<(), StoreFailure> {
        self.inner.local.flush();
        self.inner.round().await
    }
}

impl Drop for ValkeyReports {
    fn drop(&mut self) {
        self.pusher.abort();
    }
}

impl Inner {
    /// One line, whatever more there is.
    fn tell_unreadable(&self, name: &str) {
        if !self.told.swap(true, Ordering::Relaxed) {
            tracing::warn!(
                name,
                "something in the fleet's store cannot be read, and is left out: another version of hoplock, \
                 or nobody, has written it"
            );
        }
    }

    async fn close(&self, day: Day) -> Result<(), StoreFailure> {
        self.local.close(day).await?;
        // The background says so too, whenever it can.
        self.round().await
    }

    async fn missing(&self, day: Day) -> Result<Vec<String>, StoreFailure> {
        let keys = Keys(&self.client);
        let own = self.node().await?.to_owned();
        let mut batch = Batch::default();
        batch
            .script(scripts::MISSING, [keys.hosts(), keys.closed(day)])
            .arg(SEEN_MILLIS);
        let found = list(batch.work(&self.client).await?.into_iter().next());
        let mut missing: BTreeSet<String> =
            found.iter().filter_map(text).map(str::to_owned).collect();
        if self.local.closed().await? < Some(day) {
            missing.insert(own);
        }
        Ok(missing.into_iter().collect())
    }

    async fn elect(&self) -> Result<bool, StoreFailure> {
        let keys = Keys(&self.client);
        let own = self.node().await?.to_owned();
        let settling = u64::try_from(self.options.settling.as_millis()).unwrap_or(u64::MAX);
        let mut batch = Batch::default();
        batch
            .script(scripts::ELECT, [keys.leader(), keys.since()])
            .arg(own)
            .arg(LEADS_MILLIS)
            .arg(settling);
        let values = batch.work(&self.client).await?;
        Ok(values.first().and_then(number) == Some(1))
    }

    async fn resign(&self) -> Result<Resigned, StoreFailure> {
        let keys = Keys(&self.client);
        let own = self.node().await?.to_owned();
        let mut batch = Batch::default();
        batch.script(scripts::RELEASE, [keys.leader()]).arg(own);
        batch.work(&self.client).await?;
        Ok(Resigned::ToOthers)
    }

    /// The name of this host in the fleet.
    async fn node(&self) -> Result<&str, StoreFailure> {
        let node = self.node.get_or_try_init(|| self.local.node());
        Ok(node.await?)
    }

    async fn installation(&self) -> Result<String, StoreFailure> {
        let name = self.installation.get_or_try_init(|| self.agree());
        Ok(name.await?.clone())
    }

    /// One name for all: that of the first who came.
    async fn agree(&self) -> Result<String, StoreFailure> {
        let own = self.local.installation().await?;
        let (key, kind) = Keys(&self.client).installation();
        let mut batch = Batch::default();
        batch.add("SET", key.clone(), kind).arg(&own).arg("NX");
        batch.add("GET", key, kind);
        let values = batch.work(&self.client).await?;
        let found = values.get(1).and_then(text).filter(|name| is_name(name));
        let name = found.unwrap_or(&own).to_owned();
        if name != own {
            self.local.adopt_installation(name.clone()).await?;
        }
        Ok(name)
    }
}

impl Reports for ValkeyReports {
    fn count(&self, day: Day, domain: &DomainName, counts: Counts) {
        self.inner.local.count(day, domain, counts);
    }

    fn flush(&self) {
        self.inner.local.flush();
    }

    fn settle(&self) -> Waiting<'_, Result<(), StoreFailure>> {
        Box::pin(async move {
            self.inner.local.settle().await?;
            // What does not arrive now does when the process runs again.
            let _ = timeout(LAST_ROUND, self.inner.round()).await;
            Ok(())
        })
    }

    fn close(&self, day: Day) -> Waiting<'_, Result<(), StoreFailure>> {
        Box::pin(self.inner.close(day))
    }

    fn missing(&self, day: Day) -> Waiting<'_, Result<Vec<String>, StoreFailure>> {
        Box::pin(self.inner.missing(day))
    }

    fn days(&self) -> Waiting<'_, Result<Vec<Day>, StoreFailure>> {
        Box::pin(async { Ok(self.inner.days().await?) })
    }

    fn domains(
        &self,
        day: Day,
        after: Option<DomainName>,
        limit: usize,
    ) -> Waiting<'_, Result<Vec<DomainName>, StoreFailure>> {
        Box::pin(async move { Ok(self.inner.domains(day, after, limit).await?) })
    }

    fn counts(
        &self,
        day: Day,
        domain: DomainName,
    ) -> Waiting<'_, Result<BTreeMap<Counter, u64>, StoreFailure>> {
        Box::pin(async move { Ok(self.inner.counts(day, domain).await?) })
    }

    fn elect(&self) -> Waiting<'_, Result<bool, StoreFailure>> {
        Box::pin(self.inner.elect())
    }

    fn resign(&self) -> Waiting<'_, Result<Resigned, StoreFailure>> {
        Box::pin(self.inner.resign())
    }

    fn claim(&self, report: Outgoing) -> Waiting<'_, Result<Outgoing, StoreFailure>> {
        Box::pin(self.inner.claim(report))
    }

    fn report(&self, key: ReportKey) -> Waiting<'_, Result<Option<Outgoing>, StoreFailure>> {
        Box::pin(self.inner.report(key))
    }

    fn progress(&self, report: Outgoing) -> Waiting<'_, Result<(), StoreFailure>> {
        Box::pin(self.inner.progress(report))
    }

    fn due(
        &self,
        now: Timestamp,
        limit: usize,
    ) -> Waiting<'_, Result<Vec<Outgoing>, StoreFailure>> {
        Box::pin(async move { Ok(self.inner.due(now, limit).await?) })
    }

    fn list(
        &self,
        day: Option<Day>,
        limit: usize,
    ) -> Waiting<'_, Result<Vec<Outgoing>, StoreFailure>> {
        Box::pin(async move { Ok(self.inner.list(day, limit).await?) })
    }

    fn mailed(&self, day: Day, domain: DomainName) -> Waiting<'_, Result<u64, StoreFailure>> {
        Box::pin(self.inner.mailed(day, domain))
    }

    fn note_mailed(&self, day: Day, domain: DomainName) -> Waiting<'_, Result<(), StoreFailure>> {
        Box::pin(self.inner.note_mailed(day, domain))
    }

    fn receive(&self, report: Received) -> Waiting<'_, Result<bool, StoreFailure>> {
        Box::pin(self.inner.receive(report))
    }

    fn received(&self, limit: usize) -> Waiting<'_, Result<Vec<Received>, StoreFailure>> {
        Box::pin(async move {
            match self.inner.received(limit).await {
                Ok(found) => Ok(found),
                // What came to this host is here.
                Err(_) => self.inner.local.received(limit).await,
            }
        })
    }

    fn installation(&self) -> Waiting<'_, Result<String, StoreFailure>> {
        Box::pin(self.inner.installation())
    }

    fn drop_old(&self, now: Moment) {
        self.inner.local.drop_old(now);
    }

    fn figures(&self) -> ReportFigures {
        let local = self.inner.local.figures();
        let waiting = self.inner.not_handed_over.load(Ordering::Relaxed);
        ReportFigures {
            not_handed_over: local.not_handed_over.max(waiting),
            fleet: Some(self.inner.client.state()),
            ..local
        }
    }
}

/// A name that may stand in report-ids.
fn is_name(text: &str) -> bool {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
    (1..=64).contains(&text.len()) && text.chars().all(is_plain)
}

/// How long the end of the process may be held up.
const LAST_ROUND: Duration = Duration::from_secs(2);
/// A host that was not seen for two days has nothing more to say.
const SEEN_MILLIS: u64 = 48 * 3_600_000;
/// Half a minute is promised, and the answer takes its time.
const LEADS_MILLIS: u64 = 45_000;
/// Reports that others sent are kept for so long.
const RECEIVED_KEPT_DAYS: u64 = 90;
