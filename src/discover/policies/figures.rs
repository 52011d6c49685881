//! How the remembered policies stand, for people.

use std::time::Duration;

use hoplock_policy::moment::Moment;
use hoplock_policy::sts::StsMode;

use super::Policies;
use super::desk::Desk;
use super::refresh::is_kept_fresh;

/// How they stand.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PolicyFigures {
    /// Remembered and not expired.
    pub remembered: usize,
    /// Of these, those whose last fetch failed; one in mode none is missed by nobody (RFC 8461, 3.3).
    pub failing: usize,
    /// What is left of the one that ends first, of those that are in another mode and are refreshed ahead of
    /// their expiry whether or not somebody asks.
    pub soonest_expiry: Option<Duration>,
}

impl Policies {
    /// How the policies at hand stand now.
    #[must_use]
    pub fn figures(&self, now: Moment) -> PolicyFigures {
        let mut figures = PolicyFigures::default();
        for kept in self.world.store.policies() {
            let left = kept.policy.remaining(now);
            if left.is_zero() {
                continue;
            }
            figures.remembered += 1;
            if kept.policy.policy.mode == StsMode::None {
                continue;
            }
            if matches!(self.desks.peek(&kept.domain), Some(Desk::Failed { .. })) {
                figures.failing += 1;
            }
            if is_kept_fresh(&kept, now) {
                let soonest = figures.soonest_expiry.map_or(left, |known| known.min(left));
                figures.soonest_expiry = Some(soonest);
            }
        }
        figures
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use std::sync::Arc;

    use hoplock_policy::findings::RememberedPolicy;
    use hoplock_policy::name::{DomainName, PolicyDomain};
    use hoplock_policy::sts::StsPolicy;

    use super::*;
    use crate::discover::{DiscoverOptions, Discoverer};
    use crate::store::memory::MemoryStore;
    use crate::world::scripted::ScriptedWorld;
    use crate::world::{Clock as _, Store as _};

    const DAY: Duration = Duration::from_secs(86_400);

    async fn remember(store: &MemoryStore, name: &str, mode: &str, days: u64, now: Moment) {
        let seconds = days * DAY.as_secs();
        let mx = if mode == "none" { "" } else { "mx: mx.test\n" };
        let text = format!("version: STSv1\nmode: {mode}\n{mx}max_age: {seconds}\n");
        let policy = RememberedPolicy {
            policy: StsPolicy::parse(text.as_bytes()).unwrap(),
            id: "1".to_owned(),
            fetched: now,
        };
        let domain = PolicyDomain(DomainName::parse(name).unwrap());
        store
            .remember_policy(domain, Arc::new(policy))
            .await
            .unwrap();
    }

    /// ST-27: what is counted as failing is what can end while nobody looks: not what has ended, and not
    /// what demands nothing.
    #[tokio::test]
    async fn policies_that_cannot_be_refreshed_are_counted() {
        let world = ScriptedWorld::new();
        let store = Arc::new(MemoryStore::new(10));
        let discoverer = Discoverer::new(world.world(store.clone()), DiscoverOptions::default());
        let policies = discoverer.policies();
        let begun = world.now();
        assert_eq!(policies.figures(begun), PolicyFigures::default());
        remember(&store, "a.test", "enforce", 30, begun).await;
        remember(&store, "b.test", "testing", 10, begun).await;
        remember(&store, "c.test", "none", 5, begun).await;
        remember(&store, "d.test", "enforce", 1, begun).await;
        let expected = PolicyFigures {
            remembered: 4,
            failing: 0,
            soonest_expiry: Some(DAY),
        };
        assert_eq!(policies.figures(begun), expected);
        world.pass(2 * DAY);
        // Nobody answers for any of them.
        for refresh in policies.refresh() {
            refresh.await.unwrap();
        }
        let expected = PolicyFigures {
            remembered: 3,
            failing: 2,
            soonest_expiry: Some(8 * DAY),
        };
        assert_eq!(policies.figures(world.now()), expected);
        // Unused for 30 days it is not refreshed any more, and ends by itself.
        world.pass(28 * DAY - Duration::from_secs(1));
        let figures = policies.figures(world.now());
        assert_eq!((figures.remembered, figures.failing), (1, 1));
    }
}
