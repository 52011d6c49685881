//! The last fetch of each domain: under way, failed, or fetched and not on the disk.

use std::sync::Arc;
use std::time::Duration;

use hoplock_policy::findings::{RememberedPolicy, StsFailure, StsFailureKind};
use hoplock_policy::moment::Moment;
use hoplock_policy::name::PolicyDomain;
use hoplock_policy::sts::StsMode;
use tokio::sync::watch;

use super::Policies;
use crate::world::Patience;

/// What came of a fetch.
pub(super) type Fetched = Result<Arc<RememberedPolicy>, StsFailure>;

/// What is known of the last fetch.
#[derive(Clone)]
pub(super) enum Desk {
    /// It goes on.
    UnderWay {
        number: u64,
        id: String,
        since: Moment,
        /// How old it may be for somebody to wait for it.
        worth_waiting: Duration,
        progress: watch::Receiver<Progress>,
    },
    /// The policy is here and cannot be kept: only the keeping is tried again.
    Unkept {
        id: String,
        policy: Arc<RememberedPolicy>,
    },
    /// Another host of the fleet refreshes: what it brings is looked for at this uptime.
    Elsewhere { until: Duration, tries: u32 },
    /// It failed: not repeated before its time (RFC 8461, 3.3).
    Failed {
        id: String,
        last: Moment,
        tries: u32,
        failure: StsFailure,
    },
}

/// How far a fetch is.
#[derive(Clone)]
pub(super) enum Progress {
    /// The policy host is being asked.
    Asking,
    /// It has answered, and the policy goes to the disk.
    Learnt(Arc<RememberedPolicy>),
    /// Over.
    Done(Fetched),
}

impl Desk {
    /// True while somebody works on it: a fetch whose task broke will never be done.
    pub(super) fn is_under_way(&self) -> bool {
        matches!(self, Self::UnderWay { progress, .. } if progress.has_changed().is_ok())
    }
}

impl Policies {
    /// Puts `desk` in place of the fetch of this number, or clears it away; a fetch that another has
    /// taken the place of changes nothing.
    pub(super) fn finish(&self, domain: &PolicyDomain, finished: u64, desk: Option<Desk>) {
        let known = self.desks.get(domain);
        if !matches!(known, Some(Desk::UnderWay { number, .. }) if number == finished) {
            return;
        }
        match desk {
            Some(desk) => self.desks.insert(domain.clone(), desk),
            None => {
                self.desks.remove(domain);
            }
        }
    }
}

/// Waits for a fetch to end.
pub(super) async fn wait(mut progress: watch::Receiver<Progress>, patience: Patience) -> Fetched {
    let is_done = |progress: &Progress| matches!(progress, Progress::Done(_));
    // What the fetch says last counts, whether it is over, patience is, or its task broke.
    drop(patience.wait(progress.wait_for(is_done)).await);
    let far = progress.borrow();
    match &*far {
        Progress::Done(outcome) => outcome.clone(),
        // ST-28: its demand is known, and it is not durable yet.
        Progress::Learnt(policy) if demands(policy) => Err(StsFailure {
            kind: StsFailureKind::Store,
            detail: "the policy was fetched, and is not on the disk yet".to_owned(),
        }),
        Progress::Learnt(_) | Progress::Asking => Err(pending()),
    }
}

fn pending() -> StsFailure {
    let detail = "the policy host is slow; the fetch goes on in the background".to_owned();
    StsFailure {
        kind: StsFailureKind::Pending,
        detail,
    }
}

/// True where mail may not go out as if there were no policy.
pub(super) fn demands(policy: &RememberedPolicy) -> bool {
    policy.policy.mode == StsMode::Enforce
}
