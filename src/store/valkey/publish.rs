//! Behind everybody's back: what was fetched here goes to the fleet, and what is over anywhere comes here.
//!
//! After each connection all policies of this host are compared with the fleet's, a few at a time: the server
//! may have lost some, and what was fetched while it was away is told then.

use std::sync::Weak;
use std::time::Duration;

use hoplock_policy::moment::Timestamp;
use hoplock_policy::name::{DomainName, PolicyDomain};
use redis::Value;
use tokio::time::{sleep, timeout};

use super::batch::{Batch, Kind};
use super::client::Trouble;
use super::entry::{self, Entry};
use super::policies::Shared;
use super::queue::{Pending, Taken};
use super::scripts;
use super::values::{number, text};
use crate::world::KeptPolicy;

/// Until the store is gone.
pub(super) async fn publish(shared: Weak<Shared>) {
    let mut round = Round::default();
    while let Some(shared) = shared.upgrade() {
        let outcome = round.work(&shared).await;
        match outcome {
            // More waits; the server has other hosts to serve as well.
            Ok(true) => {
                drop(shared);
                sleep(BETWEEN_BATCHES).await;
            }
            Ok(false) => {
                let _ = timeout(BETWEEN_LOOKS, shared.queue.arrived.notified()).await;
            }
            Err(_) => {
                drop(shared);
                sleep(BETWEEN_LOOKS).await;
            }
        }
    }
}

/// Where the work stands.
#[derive(Default)]
struct Round {
    /// Whose policies were compared last.
    connection: Option<u64>,
    /// Those that are still to be compared.
    compare: Vec<KeptPolicy>,
    /// The time of the server up to which we know what is over.
    seen: u64,
    /// A mark that stays as long as the server forgets nothing.
    mark: Option<String>,
}

impl Round {
    /// One step; true where more is to be done at once.
    async fn work(&mut self, shared: &Shared) -> Result<bool, Trouble> {
        let connection = shared.client.connection();
        if connection.is_none() {
            return Ok(false);
        }
        let mark = mark(shared).await?;
        let is_known = connection == self.connection && self.mark.as_ref() == Some(&mark);
        if !is_known || shared.queue.overflowed() {
            self.connection = connection;
            self.mark = Some(mark);
            self.compare = shared.local.policies();
            self.seen = 0;
        }
        let taken = shared.queue.take(BATCH);
        let is_full = taken.domains.len() == BATCH;
        if let Err(trouble) = tell(shared, &taken).await {
            shared.queue.put_back(taken);
            return Err(trouble);
        }
        if !is_full {
            // First, so that what is over elsewhere is not told again as if it were not.
            self.look_for_ends(shared).await?;
            self.compare_some(shared).await?;
        }
        Ok(is_full || !self.compare.is_empty())
    }

    /// Tells those that the fleet has older, or not at all.
    async fn compare_some(&mut self, shared: &Shared) -> Result<(), Trouble> {
        let now = shared.clock.now();
        let from = self.compare.len().saturating_sub(BATCH);
        let some = self.compare.split_off(from);
        let lives = |kept: &KeptPolicy| !kept.policy.remaining(now).is_zero();
        let some: Vec<_> = some.into_iter().filter(lives).collect();
        if some.is_empty() {
            return Ok(());
        }
        let mut heads = redis::pipe();
        for kept in &some {
            heads
                .cmd("GETRANGE")
                .arg(shared.entry_key(&kept.domain))
                .arg(0)
                .arg(15);
        }
        let found = match shared.client.work(&heads).await {
            Ok(found) => found,
            Err(trouble) => {
                self.compare.extend(some);
                return Err(trouble);
            }
        };
        let latest = entry::head(entry::latest(now));
        for (kept, found) in some.into_iter().zip(found) {
            let stamp = entry::fetched(&kept.policy, now);
            let own = entry::head(Timestamp(stamp.0.saturating_sub(SAME_FETCH_MILLIS)));
            // Whatever else stands there, the script compares once more.
            let is_known = matches!(&found, Value::BulkString(head)
                if head.len() == 16 && head.as_slice() >= own.as_bytes() && head.as_slice() <= latest.as_bytes());
            if !is_known {
                shared.queue.publish(kept.domain, kept.policy);
            }
        }
        Ok(())
    }

    /// Learns what is over.
    async fn look_for_ends(&mut self, shared: &Shared) -> Result<(), Trouble> {
        let mut ends = Batch::default();
        ends.add("ZRANGEBYSCORE", shared.client.key("over"), Kind::Sorted)
            .arg(self.seen)
            .arg("+inf")
            .arg("WITHSCORES")
            .arg("LIMIT")
            .arg(0)
            .arg(ENDS);
        let found = ends.work(&shared.client).await?;
        let Some(Value::Array(found)) = found.into_iter().next() else {
            return Ok(());
        };
        let mut domains = Vec::new();
        let mut latest = self.seen;
        for pair in found.chunks_exact(2) {
            let [name, score] = pair else { continue };
            latest = latest.max(number(score).unwrap_or(0));
            if let Some(domain) = domain(name) {
                domains.push(domain);
            }
        }
        // Those of the last millisecond are looked at again and again, until others come behind them: more may
        // be written in it.
        self.end(shared, domains).await?;
        let is_full = found.len() == ENDS * 2;
        self.seen = if is_full && latest == self.seen {
            latest.saturating_add(1)
        } else {
            latest
        };
        Ok(())
    }

    async fn end(&self, shared: &Shared, domains: Vec<PolicyDomain>) -> Result<(), Trouble> {
        let kept = |domain: &PolicyDomain| shared.local.policy_at_hand(domain).is_some();
        let domains: Vec<_> = domains.into_iter().filter(kept).collect();
        if domains.is_empty() {
            return Ok(());
        }
        let mut entries = redis::pipe();
        for domain in &domains {
            entries.cmd("GET").arg(shared.entry_key(domain));
        }
        let found = shared.client.work(&entries).await?;
        for (domain, value) in domains.into_iter().zip(found) {
            match shared.read(&domain, value) {
                Some(Entry::Over(stamp)) => shared.end(&domain, stamp).await,
                // Ended, and another was fetched since.
                Some(Entry::Policy(policy)) => {
                    if let Err(error) = shared.adopt(&domain, policy).await {
                        tracing::debug!(%domain, %error, "a policy of the fleet cannot be kept");
                    }
                }
                None => {}
            }
        }
        Ok(())
    }
}

/// The mark that some host has left; where there is none, ours.
async fn mark(shared: &Shared) -> Result<String, Trouble> {
    let key = (shared.client.key("mark"), Kind::Text);
    let mut batch = Batch::default();
    batch
        .add("SET", key.0.clone(), key.1)
        .arg(format!("{:032x}", rand::random::<u128>()))
        .arg("NX");
    batch.add("GET", key.0, key.1);
    let values = batch.work(&shared.client).await?;
    let mark = values.get(1).and_then(text).unwrap_or_default();
    Ok(mark.to_owned())
}

/// Tells what waited.
async fn tell(shared: &Shared, taken: &Taken) -> Result<(), Trouble> {
    let mut batch = Batch::default();
    for (domain, pending) in &taken.domains {
        add(shared, &mut batch, domain, pending);
    }
    for (domain, token) in &taken.leases {
        let lease = (shared.lease_key(domain), Kind::Text);
        batch.script(scripts::RELEASE, [lease]).arg(token);
    }
    batch.work(&shared.client).await.map(drop)
}

fn add(shared: &Shared, batch: &mut Batch, domain: &PolicyDomain, pending: &Pending) {
    let now = shared.clock.now();
    let mut put = |text: String, stamp, millis: u64, over: &str| {
        let entry = (shared.entry_key(domain), Kind::Text);
        let index = (shared.client.key("over"), Kind::Sorted);
        batch
            .script(scripts::PUT_ENTRY, [entry, index])
            .arg(text)
            .arg(entry::head(stamp))
            .arg(entry::head(entry::latest(now)))
            .arg(millis)
            .arg(over)
            .arg(OVER_KEPT_MILLIS);
    };
    if let Some(stamp) = pending.over {
        let text = entry::write_over(domain, stamp);
        put(text, stamp, OVER_KEPT_MILLIS, domain.0.as_str());
    }
    let written = pending.policy.as_ref().and_then(|policy| {
        let (text, left) = entry::write_policy(domain, policy, now)?;
        Some((text, entry::fetched(policy, now), left))
    });
    if let Some((text, stamp, left)) = written {
        let millis = u64::try_from(left.as_millis()).unwrap_or(OVER_KEPT_MILLIS);
        put(text, stamp, millis.max(1), "");
    }
}

fn domain(value: &Value) -> Option<PolicyDomain> {
    DomainName::parse(text(value)?).ok().map(PolicyDomain)
}

/// In one step.
const BATCH: usize = 200;
const SAME_FETCH_MILLIS: u64 = 5;
/// More than are written in a millisecond.
const ENDS: usize = 1_000;
/// Two thousand policies in a second, at most, from each host.
const BETWEEN_BATCHES: Duration = Duration::from_millis(100);
const BETWEEN_LOOKS: Duration = Duration::from_secs(1);
/// Longer than any policy lives (RFC 8461, 3.2: a year): a host that was away for so long must not bring back
/// what is over.
const OVER_KEPT_MILLIS: u64 = 366 * 86_400_000;
