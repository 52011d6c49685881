//! Reports by order of people: looked at, and sent now.

use hoplock_policy::moment::Timestamp;
use hoplock_policy::tlsrpt::{Day, ReportTarget};
use hoplock_wire::tlsrpt::ReportDocument;

use super::PostOffice;
use super::claim::{LOOKUPS, receivers};
use super::deliver::Tries;
use super::draft::{document, report_id};
use super::schedule::{patience_ends, ready};
use super::worth::Nothing;
use crate::world::StoreFailure;
use crate::world::reports::outgoing::{Outgoing, ReportKey};

/// A report as it will leave, or left, or why there is none.
#[derive(Clone, Debug)]
pub struct Shown {
    /// The document of what is counted so far, or of the report that was claimed.
    pub document: ReportDocument,
    /// The report, where it was claimed.
    pub claimed: Option<Outgoing>,
    /// Where it goes, or why it goes nowhere, for one that was not claimed.
    pub targets: Result<Vec<ReportTarget>, Nothing>,
}

impl PostOffice {
    /// Has a report leave now, claimed or not, and its waiting deliveries tried again at once; for a
    /// day that is over.
    ///
    /// # Errors
    /// Why there is no such report, or that the store failed.
    pub async fn send_now(
        &self,
        key: &ReportKey,
    ) -> Result<Result<Outgoing, Nothing>, StoreFailure> {
        let (orders, now) = (self.orders.load_full(), self.clock.now().wall);
        if let Err(nothing) = self.may_send(key.day, now).await? {
            return Ok(Err(nothing));
        }
        let installation = self.reports.installation().await?;
        if let Err(nothing) = self
            .claim(key, &orders, &installation, LOOKUPS, now)
            .await?
        {
            return Ok(Err(nothing));
        }
        let Some(report) = self.reports.report(key.clone()).await? else {
            return Ok(Err(Nothing::NoSession));
        };
        self.deliver(report, now, Tries::Waiting).await.map(Ok)
    }

    /// Whether a report of this day would be whole.
    async fn may_send(
        &self,
        day: Day,
        now: Timestamp,
    ) -> Result<Result<(), Nothing>, StoreFailure> {
        let not_yet = |words: String| Ok(Err(Nothing::NotYet(words)));
        if !self.is_enabled() {
            return not_yet("[report] enabled is false: no report leaves".to_owned());
        }
        if now < ready(day) {
            let words = format!("{day} is not closed yet: try again three minutes after its end");
            return not_yet(words);
        }
        let missing = self.reports.missing(day).await?;
        if !missing.is_empty() && now < patience_ends(day) {
            let hosts = missing.join(", ");
            return not_yet(format!(
                "these hosts have not handed in what they counted: {hosts}"
            ));
        }
        Ok(Ok(()))
    }

    /// A report as it will leave, or left.
    ///
    /// # Errors
    /// [`StoreFailure`] where nobody knows.
    pub async fn show(&self, key: &ReportKey) -> Result<Shown, StoreFailure> {
        let orders = self.orders.load_full();
        let installation = self.reports.installation().await?;
        let id = report_id(key, &installation, &orders.reporter.submitter);
        let counts = self.reports.counts(key.day, key.domain.clone()).await?;
        let drafted = document(&counts, key, &id, &orders.reporter);
        if let Some(claimed) = self.reports.report(key.clone()).await? {
            let read = hoplock_wire::tlsrpt::decode_document(&claimed.document);
            let targets = claimed.deliveries.iter().map(|own| own.target.clone());
            return Ok(Shown {
                document: read.unwrap_or(drafted),
                targets: Ok(targets.collect()),
                claimed: Some(claimed),
            });
        }
        let targets = match self.is_worth_it(key, &counts, &orders).await? {
            Ok(()) => self.targets(&key.domain, &counts, LOOKUPS).await,
            Err(nothing) => Err(nothing),
        };
        Ok(Shown {
            document: drafted,
            claimed: None,
            targets: targets.and_then(|targets| receivers(targets, &orders)),
        })
    }
}
