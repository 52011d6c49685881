//! First fetches that failed are tried again without waiting for a question (ST-12, ST-13).
//!
//! Whoever keeps a policy host from being reached at the first contact, and then lets go, must not have
//! won until somebody happens to ask twice. A host that stays away for about a day is left alone; the
//! next question is a first contact again.

use std::sync::Arc;
use std::time::Duration;

use hoplock_policy::moment::Moment;
use hoplock_policy::name::PolicyDomain;
use tokio::task::JoinHandle;

use super::desk::{Desk, Progress};
use super::refresh::Place;
use super::{Policies, is_time_to_retry, retry_interval};
use crate::discover::record::{Record, record_of};

impl Policies {
    /// Starts the repetitions that are due, as far as there are places; when to look again is the
    /// second value.
    pub(super) fn try_again(self: &Arc<Self>, now: Moment) -> (Vec<JoinHandle<()>>, Duration) {
        let mut next = Duration::MAX;
        let mut started = Vec::new();
        for (domain, desk) in self.desks.iter() {
            let Desk::Failed {
                id, last, tries, ..
            } = desk
            else {
                continue;
            };
            // A living policy is refreshed by its own timetable, and one without id was not announced.
            let stored = self.world.store.policy_at_hand(&domain);
            let lives = stored.is_some_and(|policy| !policy.remaining(now).is_zero());
            if lives || id.is_empty() {
                continue;
            }
            if tries >= MOST_TRIES {
                self.desks.remove(&domain);
                continue;
            }
            if !is_time_to_retry(last, tries, now) {
                next = next.min(last.uptime.saturating_add(retry_interval(tries)));
                continue;
            }
            let Some(place) = self.places.take_short() else {
                next = now.uptime;
                continue;
            };
            let own = Arc::clone(self);
            started.push(tokio::spawn(own.again(domain, id, tries, place)));
        }
        (started, next)
    }

    async fn again(
        self: Arc<Self>,
        domain: PolicyDomain,
        failed: String,
        tries: u32,
        place: Place,
    ) {
        let record = record_of(&self.world, &domain).await;
        // Somebody may have asked meanwhile.
        if self
            .desks
            .get(&domain)
            .is_some_and(|desk| desk.is_under_way())
        {
            return;
        }
        let id = match record {
            Record::Announces(id) => id,
            // Nobody knows the id now; the policy host is authenticated, whatever the DNS says.
            Record::Failed(_) => failed.clone(),
            Record::None(_) | Record::Invalid(_) => {
                self.desks.remove(&domain);
                return;
            }
        };
        let tries = if id == failed { tries } else { 0 };
        let mut progress = self.start(&domain, &id, None, self.world.clock.now(), tries, None);
        // The outcome is on the desk; who waits here only holds the place.
        let _ = progress
            .wait_for(|far| matches!(far, Progress::Done(_)))
            .await;
        drop(place);
    }
}

/// With the growing intervals between them, about a day.
const MOST_TRIES: u32 = 27;
