//! Whether a domain gets a report of a day, as far as that stands in what was counted.

use std::collections::BTreeMap;

use hoplock_policy::rules::RulePattern;

use super::{Orders, PostOffice};
use crate::world::StoreFailure;
use crate::world::reports::outgoing::ReportKey;
use crate::world::reports::tally::Counter;

/// Why a domain gets no report of a day.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Nothing {
    /// Nothing was counted.
    #[error("no session with it was counted on that day")]
    NoSession,
    /// Fewer than the operator wants to report.
    #[error("{sessions} sessions are fewer than [report] min_sessions")]
    TooFew {
        /// Those counted.
        sessions: u64,
    },
    /// Nothing but the mails that brought it reports (RP-13).
    #[error("its only sessions brought it reports of ours")]
    OwnReports,
    /// The operator does not want it.
    #[error("[report] {0} says so")]
    Refused(&'static str),
    /// It asks for none.
    #[error("it does not ask for reports: {0}")]
    NotAsked(String),
    /// The day is not closed, or hosts of the fleet have not handed in what they counted.
    #[error("{0}")]
    NotYet(String),
    /// Nobody knows whether it asks for reports.
    #[error("its TLSRPT record cannot be looked up: {0}")]
    LookupFailed(String),
}

impl PostOffice {
    pub(super) async fn is_worth_it(
        &self,
        key: &ReportKey,
        counts: &BTreeMap<Counter, u64>,
        orders: &Orders,
    ) -> Result<Result<(), Nothing>, StoreFailure> {
        let covers = |patterns: &[RulePattern]| patterns.iter().any(|own| own.covers(&key.domain));
        if !orders.allow.is_empty() && !covers(&orders.allow) {
            return Ok(Err(Nothing::Refused("allow")));
        }
        if covers(&orders.deny) {
            return Ok(Err(Nothing::Refused("deny")));
        }
        let sum = |wanted: fn(&Counter) -> bool| -> u64 {
            let own = counts.iter().filter(|(counter, _)| wanted(counter));
            own.fold(0, |all, (_, count)| all.saturating_add(*count))
        };
        let successful = sum(|own| matches!(own, Counter::Successful(_)));
        let failed = sum(|own| matches!(own, Counter::Failed(_)));
        let sessions = successful.saturating_add(failed);
        if sessions == 0 && !counts.keys().any(|own| matches!(own, Counter::Detail(..))) {
            return Ok(Err(Nothing::NoSession));
        }
        if sessions < orders.min_sessions {
            return Ok(Err(Nothing::TooFew { sessions }));
        }
        // RP-13: a report about nothing but the delivery of the last one would go on for ever. Postfix
        // makes no datagram of a session under TLS-Required: No, so those are of other mail.
        let by_datagram = sum(|own| matches!(own, Counter::Record(_)));
        if by_datagram == 0 && self.may_be_reports(key, successful, failed).await? {
            return Ok(Err(Nothing::OwnReports));
        }
        Ok(Ok(()))
    }

    /// Whether all these sessions may have brought reports, as far as their mail server does not tell: one
    /// that got through takes a session, or a few where it is put off first; one that does not is tried
    /// again for days.
    async fn may_be_reports(
        &self,
        key: &ReportKey,
        successful: u64,
        failed: u64,
    ) -> Result<bool, StoreFailure> {
        let (mut day, mut lately, mut all) = (key.day, 0_u64, 0_u64);
        for back in 0..=QUEUED_FOR {
            let mailed = self.reports.mailed(day, key.domain.clone()).await?;
            all = all.saturating_add(mailed);
            if back <= 1 {
                lately = all;
            }
            day = day.before();
        }
        Ok(all > 0
            && successful <= lately.saturating_mul(SESSIONS_OF_ONE)
            && failed <= all.saturating_mul(RETRIES_OF_ONE))
    }
}

/// Days that a mail server tries to deliver a mail: Postfix, Exim and Sendmail give up after five or less.
const QUEUED_FOR: u32 = 5;
/// Sessions that a mail takes which gets through: the host may put it off, and another be tried.
const SESSIONS_OF_ONE: u64 = 3;
/// Sessions of a day that a mail takes which does not.
const RETRIES_OF_ONE: u64 = 50;
