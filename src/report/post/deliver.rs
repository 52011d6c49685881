//! Reports on their way: one attempt for each target that is due.

use std::collections::BTreeSet;
use std::sync::atomic::Ordering;
use std::sync::{MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::StreamExt as _;
use hoplock_policy::moment::Timestamp;
use hoplock_policy::name::DomainName;
use hoplock_policy::tlsrpt::{Day, ReportTarget};
use hoplock_wire::tlsrpt::decode_document;

use super::claim::is_denied;
use super::draft::failures;
use super::schedule::{FIRST_PAUSE, after_failure, later};
use super::{Orders, PostOffice};
use crate::report::mail::{MEDIA_TYPE, ReportMail, gzip};
use crate::world::StoreFailure;
use crate::world::reports::outgoing::{Delivery, DeliveryState, Outgoing, ReportKey};

impl PostOffice {
    /// Sends what is due, several reports side by side. A fault of one is none of the others.
    pub(super) async fn deliver_due(&self, now: Timestamp) -> Result<(), StoreFailure> {
        let due = self.reports.due(now, PAGE).await?;
        let sent = due.into_iter().map(|report| async {
            // Another host may have been elected meanwhile.
            match self.sends.load(Ordering::Relaxed) {
                true => self.deliver(report, now, Tries::Due).await.map(|_| ()),
                false => Ok(()),
            }
        });
        let sent = futures_util::stream::iter(sent).buffer_unordered(AT_ONCE);
        let outcomes: Vec<_> = sent.collect().await;
        outcomes.into_iter().collect()
    }

    /// Tries each of a report's targets that is due.
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
        let way = Way { office: self, key };
        // How far it is now: it may have been on its way since it was looked up.
        match self.reports.report(way.key.clone()).await? {
            Some(report) => self.deliver_alone(report, now, tries).await,
            None => Ok(report),
        }
    }

    async fn deliver_alone(
        &self,
        mut report: Outgoing,
        now: Timestamp,
        tries: Tries,
    ) -> Result<Outgoing, StoreFailure> {
        let orders = self.orders.load_full();
        for at in 0..report.deliveries.len() {
            let Some(own) = report.deliveries.get_mut(at) else {
                continue;
            };
            let is_due = match own.state {
                DeliveryState::Waiting { next } => tries == Tries::Waiting || next <= now,
                DeliveryState::Delivered { .. } | DeliveryState::GivenUp { .. } => false,
            };
            if !is_due {
                continue;
            }
            let now = self.clock.now().wall.max(now);
            if let Err(why) = still_wanted(report.key.day, own, &orders, now) {
                own.state = DeliveryState::GivenUp { at: now };
                why.clone_into(&mut own.last);
                self.tell(&report, at);
                self.reports.progress(report.clone()).await?;
                continue;
            }
            own.attempts = own.attempts.saturating_add(1);
            own.first.get_or_insert(now);
            // Written before it is tried: what cannot be written down is not sent, and what was sent and
            // not confirmed is not sent again at once, whoever looks next.
            own.state = DeliveryState::Waiting {
                next: later(now, FIRST_PAUSE),
            };
            let own = own.clone();
            self.reports.progress(report.clone()).await?;
            let outcome = self.attempt(&report, &own, &orders).await;
            self.confirm(&mut report, at, outcome).await?;
        }
        Ok(report)
    }

    /// Writes down what an attempt came to.
    async fn confirm(
        &self,
        report: &mut Outgoing,
        at: usize,
        outcome: Result<(), String>,
    ) -> Result<(), StoreFailure> {
        // It may have taken a minute.
        let now = self.clock.now().wall;
        let Some(own) = report.deliveries.get_mut(at) else {
            return Ok(());
        };
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
        let mailed = match (own.state, &own.target) {
            (DeliveryState::Delivered { .. }, ReportTarget::Mailto(address)) => {
                Some(address.clone())
            }
            _ => None,
        };
        self.tell(report, at);
        self.reports.progress(report.clone()).await?;
        match mailed {
            Some(address) => self.note_mailed(&address, now).await,
            None => Ok(()),
        }
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
        let target = match (&orders.redirect, &delivery.redirected_from) {
            // Said since it was claimed: then too they go to nobody else.
            (Some(redirect), None) => redirect,
            _ => &delivery.target,
        };
        match target {
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

/// Whether a delivery is to be tried at all: orders may have changed since it was claimed.
fn still_wanted(
    day: Day,
    delivery: &Delivery,
    orders: &Orders,
    now: Timestamp,
) -> Result<(), &'static str> {
    if delivery.attempts == 0 && day.over_for(now).is_some_and(|over| over > TOO_LATE) {
        return Err("too old: nobody could send it in time");
    }
    if is_denied(&delivery.target, orders) {
        return Err("[report] deny says so");
    }
    Ok(())
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

/// Two days after its own nobody waits for a report any more.
const TOO_LATE: Duration = Duration::from_secs(3 * 86_400);
/// Reports on their way at once: a receiver that is slow holds up no other.
const AT_ONCE: usize = 16;
/// Reports asked for at once.
const PAGE: usize = 200;
