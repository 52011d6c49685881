//! Reports on their way: one attempt for each target that is due.

use std::collections::BTreeSet;
use std::sync::atomic::Ordering;
use std::sync::{MutexGuard, PoisonError};

use futures_util::StreamExt as _;
use hoplock_policy::moment::Timestamp;
use hoplock_policy::name::DomainName;
use hoplock_policy::tlsrpt::{Day, ReportTarget};
use hoplock_wire::tlsrpt::decode_document;

use super::draft::failures;
use super::schedule::after_failure;
use super::{Orders, PostOffice};
use crate::report::mail::{MEDIA_TYPE, ReportMail, gzip};
use crate::world::StoreFailure;
use crate::world::reports::outgoing::{Delivery, DeliveryState, Outgoing, ReportKey};

impl PostOffice {
    /// Sends what is due, several reports side by side.
    pub(super) async fn deliver_due(&self, now: Timestamp) -> Result<(), StoreFailure> {
        loop {
            let due = self.reports.due(now, PAGE).await?;
            let is_last = due.len() < PAGE;
            let sent = due.into_iter().map(|report| async {
                // Another host may have been elected meanwhile.
                match self.sends.load(Ordering::Relaxed) {
                    true => self.deliver(report, now, Tries::Due).await.map(|_| ()),
                    false => Ok(()),
                }
            });
            let mut sent = futures_util::stream::iter(sent).buffer_unordered(AT_ONCE);
            while let Some(outcome) = sent.next().await {
                outcome?;
            }
            if is_last || !self.sends.load(Ordering::Relaxed) {
                return Ok(());
            }
        }
    }

    /// Tries each of a report's targets that is due. Each confirmation is kept before the next target is
    /// tried, so that what stops in between sends as little twice as can be.
    pub(super) async fn deliver(
        &self,
        report: Outgoing,
        now: Timestamp,
        tries: Tries,
    ) -> Result<Outgoing, StoreFailure> {
        let key = report.key.clone();
        if !self.busy().insert(key.clone()) {
            // It is on its way already, by its schedule or by order.
            return Ok(report);
        }
        let _way = Way { office: self, key };
        self.deliver_alone(report, now).await
    }

    async fn deliver_alone(
        &self,
        mut report: Outgoing,
        now: Timestamp,
        tries: Tries,
    ) -> Result<Outgoing, StoreFailure> {
        let orders = self.orders.load_full();
        for at in 0..report.deliveries.len() {
            let Some(own) = report.deliveries.get(at) else {
                continue;
            };
            let is_due = match own.state {
                DeliveryState::Waiting { next } => tries == Tries::Waiting || next <= now,
                DeliveryState::Delivered { .. } | DeliveryState::GivenUp { .. } => false,
            };
            if !is_due {
                continue;
            }
            let outcome = self.attempt(&report, own, &orders).await;
            // It may have taken a minute.
            let now = self.clock.now().wall.max(now);
            if let (Ok(()), ReportTarget::Mailto(address)) = (&outcome, &own.target) {
                self.note_mailed(address, now).await?;
            }
            let Some(own) = report.deliveries.get_mut(at) else {
                continue;
            };
            own.attempts = own.attempts.saturating_add(1);
            own.first.get_or_insert(now);
            match outcome {
                Ok(()) => {
                    own.state = DeliveryState::Delivered { at: now };
                    own.last = match &own.target {
                        ReportTarget::Mailto(_) => "handed to the mail server".to_owned(),
                        ReportTarget::Https(_) => "accepted".to_owned(),
                    };
                    self.figures.delivered.fetch_add(1, Ordering::Relaxed);
                }
                Err(why) => {
                    own.state = after_failure(own, now);
                    own.last = why;
                    self.figures.failed.fetch_add(1, Ordering::Relaxed);
                }
            }
            self.tell(&report, at);
            self.reports.progress(report.clone()).await?;
        }
        Ok(report)
    }

    fn busy(&self) -> MutexGuard<'_, BTreeSet<ReportKey>> {
        self.busy.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn attempt(
        &self,
        report: &Outgoing,
        delivery: &Delivery,
        orders: &Orders,
    ) -> Result<(), String> {
        let courier = self.courier.load_full();
        match &delivery.target {
            ReportTarget::Mailto(address) => {
                let message = letter(report, address, orders)?;
                let sent = courier.mail(orders.from.clone(), address.clone(), message);
                sent.await.map_err(|undelivered| undelivered.words)
            }
            // RFC 8460, 5.4.
            ReportTarget::Https(url) => {
                let body = gzip(&report.document).map_err(|error| error.to_string())?;
                let posted = courier.post(url.clone(), MEDIA_TYPE, body);
                posted.await.map_err(|undelivered| undelivered.words)
            }
        }
    }

    /// The session of this mail is no news (RP-13).
    async fn note_mailed(&self, address: &str, now: Timestamp) -> Result<(), StoreFailure> {
        let domain = address.rsplit_once('@').map_or("", |(_, domain)| domain);
        match DomainName::parse(domain) {
            Ok(domain) => self.reports.note_mailed(Day::of(now), domain).await,
            Err(_) => Ok(()),
        }
    }

    /// One line for each delivery, and for its first failure; the attempts between are counted.
    fn tell(&self, report: &Outgoing, at: usize) {
        let Some(own) = report.deliveries.get(at) else {
            return;
        };
        let (day, domain, target) = (report.key.day, &report.key.domain, &own.target);
        let (attempts, words) = (own.attempts, &own.last);
        match own.state {
            DeliveryState::Delivered { .. } => {
                let id = &report.report_id;
                tracing::info!(%domain, %day, %target, id, attempts, "TLS report sent");
            }
            DeliveryState::Waiting { .. } if attempts == 1 => {
                tracing::warn!(%domain, %day, %target, words,
                    "TLS report could not be sent; it is tried again for 24 hours");
            }
            DeliveryState::Waiting { .. } => {
                tracing::debug!(%domain, %day, %target, words, attempts, "TLS report still not sent");
            }
            DeliveryState::GivenUp { .. } => {
                self.figures.given_up.fetch_add(1, Ordering::Relaxed);
                tracing::warn!(%domain, %day, %target, words, attempts,
                    "TLS report given up after 24 hours");
            }
        }
    }
}

/// Which of a report's deliveries are tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tries {
    /// Those that are due.
    Due,
    /// All that wait, by order.
    Waiting,
}

/// A report on its way; dropped when it has arrived, was given back, or nobody waits for it any more.
struct Way<'a> {
    office: &'a PostOffice,
    key: ReportKey,
}

impl Drop for Way<'_> {
    fn drop(&mut self) {
        self.office.busy().remove(&self.key);
    }
}

/// The mail, signed, or why there is none.
fn letter(report: &Outgoing, to: &str, orders: &Orders) -> Result<Vec<u8>, String> {
    let signing = orders.signing.as_ref().map_err(Clone::clone)?;
    let Some(submitter) = &orders.submitter else {
        return Err("[report] from has no domain".to_owned());
    };
    let failures =
        decode_document(&report.document).map_or_else(|_| Vec::new(), |own| failures(&own));
    let mail = ReportMail {
        from: &orders.from,
        to,
        submitter,
        policy_domain: &report.key.domain,
        report_id: &report.report_id,
        document: &report.document,
        begins: report.key.day.begins(),
        ends: report.key.day.last_second(),
        organization: &orders.reporter.organization,
        contact: &orders.reporter.contact,
        date: report.claimed,
        successful: report.successful,
        failed: report.failed,
        failures: &failures,
    };
    let unsigned = mail.compose().map_err(|error| error.to_string())?;
    let sealed = signing.seal(unsigned, report.claimed);
    sealed.map_err(|error| error.to_string())
}

/// Reports on their way at once: a receiver that is slow holds up no other.
const AT_ONCE: usize = 16;
/// Reports asked for at once.
const PAGE: usize = 200;
