//! What waits to be told to the fleet: by domain, the newest of each kind, bounded.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use hoplock_policy::findings::RememberedPolicy;
use hoplock_policy::moment::Timestamp;
use hoplock_policy::name::PolicyDomain;
use tokio::sync::Notify;

/// The queue. Never waits.
#[derive(Default)]
pub(super) struct Queue {
    waiting: Mutex<Waiting>,
    pub(super) arrived: Notify,
}

#[derive(Default)]
struct Waiting {
    domains: HashMap<PolicyDomain, Pending>,
    /// What was taken out last, and may still be on its way: up to when it is over.
    on_its_way: HashMap<PolicyDomain, Timestamp>,
    /// Leases to be given back: domain and token.
    leases: Vec<(PolicyDomain, String)>,
    /// Something found no place: everything is to be compared.
    overflowed: bool,
}

/// What is to be told of one domain.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Pending {
    /// What was fetched up to this time is over.
    pub(super) over: Option<Timestamp>,
    /// This policy was fetched.
    pub(super) policy: Option<Arc<RememberedPolicy>>,
}

/// A part of what waited.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Taken {
    pub(super) domains: Vec<(PolicyDomain, Pending)>,
    pub(super) leases: Vec<(PolicyDomain, String)>,
}

impl Queue {
    pub(super) fn publish(&self, domain: PolicyDomain, policy: Arc<RememberedPolicy>) {
        let pending = Pending {
            over: None,
            policy: Some(policy),
        };
        self.put(domain, pending);
    }

    pub(super) fn over(&self, domain: PolicyDomain, stamp: Timestamp) {
        let pending = Pending {
            over: Some(stamp),
            policy: None,
        };
        self.put(domain, pending);
    }

    pub(super) fn release(&self, domain: PolicyDomain, token: String) {
        let mut waiting = self.waiting();
        // Beyond that they expire by themselves.
        if waiting.leases.len() < MOST {
            waiting.leases.push((domain, token));
        }
        drop(waiting);
        self.arrived.notify_one();
    }

    /// Up to which time a domain's policies are over, though the fleet does not know it yet.
    pub(super) fn is_over(&self, domain: &PolicyDomain) -> Option<Timestamp> {
        let waiting = self.waiting();
        let on_its_way = waiting.on_its_way.get(domain).copied();
        let pending = waiting.domains.get(domain);
        pending.and_then(|pending| pending.over).max(on_its_way)
    }

    /// The first `limit`, to be put back where they cannot be told.
    pub(super) fn take(&self, limit: usize) -> Taken {
        let mut waiting = self.waiting();
        waiting.on_its_way.clear();
        let names: Vec<_> = waiting.domains.keys().take(limit).cloned().collect();
        let domains: Vec<_> = names
            .into_iter()
            .filter_map(|name| waiting.domains.remove_entry(&name))
            .collect();
        for (domain, pending) in &domains {
            if let Some(over) = pending.over {
                waiting.on_its_way.insert(domain.clone(), over);
            }
        }
        // Behind the policies: who is let in then finds them.
        let leases = if waiting.domains.is_empty() {
            std::mem::take(&mut waiting.leases)
        } else {
            Vec::new()
        };
        Taken { domains, leases }
    }

    /// What could not be told; what came meanwhile is newer. Leases expire by themselves.
    pub(super) fn put_back(&self, taken: Taken) {
        let mut waiting = self.waiting();
        for (domain, older) in taken.domains {
            let newer = waiting.domains.remove(&domain).unwrap_or_default();
            waiting.put(domain, joined(older, newer));
        }
    }

    /// Whether something found no place since this was asked last.
    pub(super) fn overflowed(&self) -> bool {
        std::mem::take(&mut self.waiting().overflowed)
    }

    fn put(&self, domain: PolicyDomain, newer: Pending) {
        let mut waiting = self.waiting();
        let older = waiting.domains.remove(&domain).unwrap_or_default();
        waiting.put(domain, joined(older, newer));
        drop(waiting);
        self.arrived.notify_one();
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Waiting {
    fn put(&mut self, domain: PolicyDomain, pending: Pending) {
        // A policy is in the local store, too, and is found when all are compared; that one is over
        // stands nowhere else.
        if self.domains.len() >= MOST && pending.over.is_none() {
            self.overflowed = true;
            return;
        }
        self.domains.insert(domain, pending);
    }
}

fn joined(older: Pending, newer: Pending) -> Pending {
    // A policy that was over before it was told of needs no telling.
    let policy = match (newer.over, older.policy) {
        (Some(_), _) => newer.policy,
        (None, before) => newer.policy.or(before),
    };
    Pending {
        over: newer.over.max(older.over),
        policy,
    }
}

/// Domains that wait: some megabytes.
const MOST: usize = 10_000;

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use std::time::Duration;

    use hoplock_policy::moment::Moment;
    use hoplock_policy::name::DomainName;
    use hoplock_policy::sts::StsPolicy;

    use super::*;

    fn domain(name: &str) -> PolicyDomain {
        PolicyDomain(DomainName::parse(name).unwrap())
    }

    fn policy(id: &str) -> Arc<RememberedPolicy> {
        let text = "version: STSv1\nmode: enforce\nmx: a.test\nmax_age: 86400\n";
        Arc::new(RememberedPolicy {
            policy: StsPolicy::parse(text.as_bytes()).unwrap(),
            id: id.to_owned(),
            fetched: Moment::default().later(Duration::from_secs(9)),
        })
    }

    /// The newest of each kind wins, whatever was on its way meanwhile.
    #[test]
    fn the_newest_wins() {
        let queue = Queue::default();
        let own = domain("a.test");
        queue.publish(own.clone(), policy("1"));
        queue.over(own.clone(), Timestamp(7));
        assert_eq!(queue.is_over(&own), Some(Timestamp(7)));
        queue.publish(own.clone(), policy("2"));
        let taken = queue.take(10);
        assert_eq!(queue.is_over(&own), Some(Timestamp(7)), "on its way");
        let told = Pending {
            over: Some(Timestamp(7)),
            policy: Some(policy("2")),
        };
        assert_eq!(taken.domains, [(own.clone(), told)]);
        queue.publish(own.clone(), policy("3"));
        queue.put_back(taken);
        queue.release(own, "token".to_owned());
        let taken = queue.take(10);
        let (_, pending) = taken.domains.first().unwrap();
        assert_eq!(pending.over, Some(Timestamp(7)));
        assert_eq!(pending.policy.as_ref().unwrap().id, "3");
        assert_eq!(taken.leases.len(), 1);
        assert_eq!(queue.take(10), Taken::default());
        assert_eq!(queue.is_over(&domain("a.test")), None);
    }

    #[test]
    fn what_finds_no_place_is_known() {
        let queue = Queue::default();
        for number in 0..=MOST {
            queue.publish(domain(&format!("d{number}.test")), policy("1"));
        }
        queue.over(domain("late.test"), Timestamp(1));
        assert!(queue.overflowed() && !queue.overflowed());
        assert_eq!(queue.take(usize::MAX).domains.len(), MOST + 1);
    }
}
