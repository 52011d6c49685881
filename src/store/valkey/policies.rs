//! Policies of a fleet: the local store first, and the fleet's memory where it has nothing.
//!
//! What is fetched is written here, and told to the fleet behind everybody's back; what comes from the fleet
//! is written here before it is used. So an answer never rests on the fleet's store, and with that store gone
//! each host is as it would be alone. Destinations seen with DANE, rules and uses stay on each host.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use hoplock_policy::findings::RememberedPolicy;
use hoplock_policy::moment::{Moment, Timestamp};
use hoplock_policy::name::PolicyDomain;
use hoplock_policy::next_hop::NextHop;
use hoplock_policy::sts::StsMode;
use redis::Value;
use tokio::task::JoinHandle;

use super::client::FleetClient;
use super::entry::{self, BadEntry, Entry};
use super::publish;
use super::queue::Queue;
use super::scripts;
use crate::world::{
    Clock, DaneMemory, FetchLease, Gone, KeptPolicy, Lasts, Store, StoreFailure, StoredRule,
    Waiting,
};

/// The store of a host in a fleet.
pub struct ValkeyStore {
    shared: Arc<Shared>,
    publisher: JoinHandle<()>,
    host_number: u64,
}

/// What the background needs too.
pub(super) struct Shared {
    pub(super) local: Arc<dyn Store>,
    pub(super) client: Arc<FleetClient>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) queue: Queue,
    told: AtomicBool,
}

impl ValkeyStore {
    /// Puts the fleet's memory behind a store of this host, and begins to publish; to be called within the
    /// runtime.
    #[must_use]
    pub fn new(local: Arc<dyn Store>, client: Arc<FleetClient>, clock: Arc<dyn Clock>) -> Self {
        let shared = Arc::new(Shared {
            local,
            client,
            clock,
            queue: Queue::default(),
            told: AtomicBool::new(false),
        });
        Self {
            publisher: tokio::spawn(publish::publish(Arc::downgrade(&shared))),
            shared,
            host_number: rand::random_range(1..=u64::MAX),
        }
    }
}

impl ValkeyStore {
    /// The connection behind it.
    #[must_use]
    pub fn client(&self) -> Arc<FleetClient> {
        Arc::clone(&self.shared.client)
    }
}

impl Drop for ValkeyStore {
    fn drop(&mut self) {
        self.publisher.abort();
    }
}

impl Shared {
    /// What the fleet has of a domain; nothing where it has nothing good, or does not answer.
    async fn ask(&self, domain: &PolicyDomain) -> Option<Entry> {
        let mut get = redis::pipe();
        get.cmd("GET").arg(self.entry_key(domain));
        let values = self.client.ask(&get).await.ok()?;
        self.read(domain, values.into_iter().next()?)
    }

    /// Reads an entry; a bad one is told of, once, and is nothing.
    pub(super) fn read(&self, domain: &PolicyDomain, value: Value) -> Option<Entry> {
        let read = match value {
            Value::Nil => return None,
            Value::BulkString(bytes) => entry::read(&bytes, domain, self.clock.now()),
            _ => Err(BadEntry::Form("it is of another kind".to_owned())),
        };
        match read {
            Ok(entry) => Some(entry),
            // Between its last look and ours.
            Err(BadEntry::Expired) => None,
            Err(why) => {
                if !self.told.swap(true, Ordering::Relaxed) {
                    tracing::warn!(%domain, reason = %why,
                        "an MTA-STS policy in the fleet's store is passed over, and all others like it \
                         without another word; policies are fetched as if it had none");
                }
                None
            }
        }
    }

    /// Keeps here what came from the fleet, where it was fetched later than what is kept. It comes back
    /// where it, or something later, is kept now.
    pub(super) async fn adopt(
        &self,
        domain: &PolicyDomain,
        policy: Arc<RememberedPolicy>,
    ) -> Result<Option<Arc<RememberedPolicy>>, StoreFailure> {
        let stamp = entry::fetched(&policy, self.clock.now());
        if self.queue.is_over(domain).is_some_and(|over| over >= stamp) {
            return Ok(None);
        }
        let kept = self.local.policy(domain.clone()).await?;
        let is_news = |kept: &Arc<RememberedPolicy>| {
            kept.fetched.uptime.saturating_add(entry::SAME_FETCH) < policy.fetched.uptime
        };
        if !kept.as_ref().is_none_or(is_news) {
            return Ok(None);
        }
        // What is remembered here and demands something is replaced by what its own policy host says, and
        // by nobody's word: the fleet may only say that it was fetched again, as it is.
        let now = self.clock.now();
        let demands = |kept: &Arc<RememberedPolicy>| {
            kept.policy.mode == StsMode::Enforce && !kept.remaining(now).is_zero()
        };
        if let Some(kept) = kept.as_ref().filter(|kept| demands(kept))
            && kept.policy.text != policy.policy.text
        {
            return Ok(None);
        }
        self.local
            .remember_policy(domain.clone(), Arc::clone(&policy))
            .await?;
        Ok(Some(self.local.policy_at_hand(domain).unwrap_or(policy)))
    }

    /// Forgets here what was fetched up to this time, by the word of the fleet.
    pub(super) async fn end(&self, domain: &PolicyDomain, stamp: Timestamp) {
        let Some(kept) = self.local.policy_at_hand(domain) else {
            return;
        };
        if entry::fetched(&kept, self.clock.now()) > stamp {
            return;
        }
        match self.local.forget_policy(domain.clone()).await {
            Ok(()) => tracing::info!(%domain, "MTA-STS policy forgotten, by word of the fleet"),
            Err(error) => {
                tracing::warn!(%domain, %error, "MTA-STS policy cannot be forgotten, and goes on");
            }
        }
    }

    pub(super) fn entry_key(&self, domain: &PolicyDomain) -> String {
        self.client.key(&format!("policy:{}", domain.0.as_str()))
    }

    pub(super) fn lease_key(&self, domain: &PolicyDomain) -> String {
        self.client.key(&format!("lease:{}", domain.0.as_str()))
    }
}

impl Store for ValkeyStore {
    fn policy(
        &self,
        domain: PolicyDomain,
    ) -> Waiting<'_, Result<Option<Arc<RememberedPolicy>>, StoreFailure>> {
        self.shared.local.policy(domain)
    }

    fn policy_elsewhere(
        &self,
        domain: PolicyDomain,
    ) -> Waiting<'_, Result<Option<Arc<RememberedPolicy>>, StoreFailure>> {
        Box::pin(async move {
            let Some(Entry::Policy(policy)) = self.shared.ask(&domain).await else {
                return Ok(None);
            };
            let demands = policy.policy.mode == StsMode::Enforce;
            match self.shared.adopt(&domain, policy).await {
                Ok(adopted) => Ok(adopted),
                // ST-28: it is known to demand something, and nothing may rest on it yet.
                Err(failure) if demands => Err(failure),
                Err(_) => Ok(None),
            }
        })
    }

    fn policy_at_hand(&self, domain: &PolicyDomain) -> Option<Arc<RememberedPolicy>> {
        self.shared.local.policy_at_hand(domain)
    }

    fn remember_policy(
        &self,
        domain: PolicyDomain,
        policy: Arc<RememberedPolicy>,
    ) -> Waiting<'_, Result<(), StoreFailure>> {
        Box::pin(async move {
            let local = &self.shared.local;
            local
                .remember_policy(domain.clone(), Arc::clone(&policy))
                .await?;
            // Another fetch may have begun later and been quicker.
            let latest = local.policy_at_hand(&domain).unwrap_or(policy);
            self.shared.queue.publish(domain, latest);
            Ok(())
        })
    }

    fn policy_used(&self, domain: &PolicyDomain, now: Moment) {
        self.shared.local.policy_used(domain, now);
    }

    fn forget_policy(&self, domain: PolicyDomain) -> Waiting<'_, Result<(), StoreFailure>> {
        Box::pin(async move {
            let now = self.shared.clock.now();
            // First: the fleet's copy must not come back in between.
            self.shared.queue.over(domain.clone(), now.wall);
            self.shared.local.forget_policy(domain.clone()).await?;
            if self.shared.client.connection().is_none() {
                tracing::warn!(%domain,
                    "forgotten on this host; the other hosts of the fleet are told when its store is \
                     reached, if this process still runs then");
            }
            Ok(())
        })
    }

    fn policy_ended(
        &self,
        domain: PolicyDomain,
        begun: Moment,
    ) -> Waiting<'_, Result<(), StoreFailure>> {
        Box::pin(async move {
            let now = self.shared.clock.now();
            let age = now.uptime.saturating_sub(begun.uptime);
            let age = u64::try_from(age.as_millis()).unwrap_or(u64::MAX);
            let stamp = Timestamp(now.wall.0.saturating_sub(age));
            self.shared.queue.over(domain.clone(), stamp);
            self.shared.local.policy_ended(domain, begun).await
        })
    }

    fn shared_policy(
        &self,
        domain: PolicyDomain,
        id: String,
    ) -> Waiting<'_, Option<Arc<RememberedPolicy>>> {
        Box::pin(async move {
            let Some(Entry::Policy(policy)) = self.shared.ask(&domain).await else {
                return None;
            };
            if policy.id != id {
                return None;
            }
            let adopted = self.shared.adopt(&domain, policy).await.ok()??;
            (adopted.id == id).then_some(adopted)
        })
    }

    fn lease_fetch(&self, domain: PolicyDomain) -> Waiting<'_, Option<FetchLease>> {
        Box::pin(async move {
            let token = format!("{:032x}", rand::random::<u128>());
            let mut take = redis::pipe();
            take.cmd("EVAL")
                .arg(scripts::LEASE)
                .arg(1)
                .arg(self.shared.lease_key(&domain))
                .arg(&token)
                .arg(LEASE_MILLIS);
            let was_asked = self.shared.client.is_asked();
            match self.shared.client.ask(&take).await.as_deref() {
                Ok([Value::Int(0)]) => None,
                answer if was_asked || matches!(answer, Ok([Value::Int(1)])) => {
                    // Also where no answer came in time: the server may have given it all the same, and
                    // what nobody gives back bars the others for its whole time.
                    let shared = Arc::clone(&self.shared);
                    Some(FetchLease::shared(move || {
                        shared.queue.release(domain, token);
                    }))
                }
                // Nobody can say who has it: each for himself.
                _ => Some(FetchLease::alone()),
            }
        })
    }

    fn host_number(&self) -> u64 {
        self.host_number
    }

    fn sweep(&self, now: Moment) {
        self.shared.local.sweep(now);
    }

    fn policies(&self) -> Vec<KeptPolicy> {
        self.shared.local.policies()
    }

    fn dane(&self, destination: NextHop) -> Waiting<'_, Result<Option<DaneMemory>, StoreFailure>> {
        self.shared.local.dane(destination)
    }

    fn remember_dane(&self, destination: NextHop, memory: DaneMemory) {
        self.shared.local.remember_dane(destination, memory);
    }

    fn dane_gone(&self) -> Waiting<'_, Result<Vec<(NextHop, Gone)>, StoreFailure>> {
        self.shared.local.dane_gone()
    }

    fn rules(&self) -> Waiting<'_, Result<Vec<StoredRule>, StoreFailure>> {
        self.shared.local.rules()
    }

    fn keep_rule(&self, rule: StoredRule) -> Waiting<'_, Result<(), StoreFailure>> {
        self.shared.local.keep_rule(rule)
    }

    fn drop_rule(&self, pattern: String) -> Waiting<'_, Result<bool, StoreFailure>> {
        self.shared.local.drop_rule(pattern)
    }

    fn lasts(&self) -> Lasts {
        self.shared.local.lasts()
    }

    fn can_be_written(&self) -> bool {
        self.shared.local.can_be_written()
    }
}

/// A fetch takes a minute at most (RFC 8461, 3.3), and what is known then is to be told.
const LEASE_MILLIS: u64 = 90_000;
