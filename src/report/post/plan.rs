//! Which domains are due in the next minutes. The domains of a day are looked through once in a while, and
//! only those of the next stretch are held: a day may have millions.

use std::collections::BTreeMap;
use std::time::Duration;

use hoplock_policy::moment::Timestamp;
use hoplock_policy::name::DomainName;
use hoplock_policy::tlsrpt::Day;

use super::schedule::{later, leaves};
use crate::world::StoreFailure;
use crate::world::reports::Reports;
use crate::world::reports::outgoing::ReportKey;

/// The next stretch of a day's reports.
pub(super) struct Plan {
    /// Everything that leaves up to this time was planned.
    until: Option<Timestamp>,
    due: BTreeMap<Timestamp, Vec<Planned>>,
}

/// A domain whose report is to be claimed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Planned {
    pub(super) domain: DomainName,
    /// Lookups of its record that failed so far.
    pub(super) failures: u32,
}

impl Plan {
    pub(super) fn new() -> Self {
        Self {
            until: None,
            due: BTreeMap::new(),
        }
    }

    /// True where the next stretch is to be looked up.
    pub(super) fn is_exhausted(&self, now: Timestamp) -> bool {
        self.until.is_none_or(|until| until <= now)
    }

    /// Looks through the domains of the day for those of the next stretch. What is due is found once, also
    /// where the delay was changed meanwhile.
    pub(super) async fn stretch(
        &mut self,
        reports: &dyn Reports,
        (day, delay, installation): (Day, Duration, &str),
        now: Timestamp,
    ) -> Result<(), StoreFailure> {
        let until = later(now, STRETCH);
        let mut after = None;
        let mut found = Vec::new();
        loop {
            let page = reports.domains(day, after, PAGE).await?;
            let is_last = page.len() < PAGE;
            after = page.last().cloned();
            for domain in page {
                let key = ReportKey { day, domain };
                let at = leaves(&key, installation, delay);
                let is_new = self.until.is_none_or(|planned| at > planned);
                if at <= until && is_new {
                    found.push((at, key.domain));
                }
            }
            if is_last {
                break;
            }
        }
        for (at, domain) in found {
            self.put(
                at,
                Planned {
                    domain,
                    failures: 0,
                },
            );
        }
        self.until = Some(until);
        Ok(())
    }

    /// Plans a domain once more.
    pub(super) fn put(&mut self, at: Timestamp, planned: Planned) {
        self.due.entry(at).or_default().push(planned);
    }

    /// Those that are due, so many at most.
    pub(super) fn take(&mut self, now: Timestamp, limit: usize) -> Vec<Planned> {
        let mut taken = Vec::new();
        while taken.len() < limit {
            let Some(mut first) = self.due.first_entry().filter(|first| *first.key() <= now) else {
                break;
            };
            let room = limit - taken.len();
            let own = first.get_mut();
            let keep = own.len().saturating_sub(room);
            taken.extend(own.split_off(keep));
            if own.is_empty() {
                first.remove();
            }
        }
        taken
    }
}

/// A twenty-fourth of the usual delay: memory for so many of a day's domains, and as many walks through
/// all of them.
const STRETCH: Duration = Duration::from_secs(600);
/// Domains asked for at once.
const PAGE: usize = 1_000;
