//! Claimed reports, report mails and reports that came: kept here, and in the fleet's store.
//!
//! What this host claimed it keeps in its own file too: where the fleet's store loses its memory it gets
//! them back, so that no report is made a second time.

use std::sync::PoisonError;

use hoplock_policy::moment::Timestamp;
use hoplock_policy::name::DomainName;
use hoplock_policy::tlsrpt::Day;
use redis::Value;

use super::super::batch::Batch;
use super::super::client::Trouble;
use super::super::scripts;
use super::super::values::{list, number, text};
use super::keys::{Keys, expires, received_name, report_name};
use super::{Inner, RECEIVED_KEPT_DAYS};
use crate::store::reports_json::{read_outgoing, read_received, write_outgoing, write_received};
use crate::world::StoreFailure;
use crate::world::reports::outgoing::{DeliveryState, Outgoing, ReportKey};
use crate::world::reports::received::Received;

impl Inner {
    pub(super) async fn claim(&self, report: Outgoing) -> Result<Outgoing, StoreFailure> {
        // Claimed here before, whatever the fleet's store has forgotten since.
        let known = self.local.report(report.key.clone()).await?;
        let text = self.claim_there(&known.unwrap_or(report)).await?;
        let stands = read_outgoing(&text)?;
        self.keep_here(&stands).await?;
        Ok(stands)
    }

    /// The text of the claim that stands.
    async fn claim_there(&self, report: &Outgoing) -> Result<String, Trouble> {
        let keys = Keys(&self.client);
        let name = report_name(&report.key);
        let mut batch = Batch::default();
        batch
            .script(
                scripts::CLAIM,
                [keys.report(&name), keys.reports(), keys.due()],
            )
            .arg(write_outgoing(report))
            .arg(&name)
            .arg(report.key.day.number())
            .arg(due_text(report))
            .arg(expires(report.key.day, self.clock.now().wall));
        let values = batch.work(&self.client).await?;
        let found = values.first().and_then(text).map(str::to_owned);
        found.ok_or_else(|| Trouble::Refused("a claim is no text".to_owned()))
    }

    pub(super) async fn progress(&self, report: Outgoing) -> Result<(), StoreFailure> {
        self.keep_here(&report).await?;
        if self.put_there(&report, "").await.is_err() {
            // What was sent is sent, and durable here: the fleet learns it when its store is back.
            self.behind().reports.insert(report.key.clone(), report);
        }
        Ok(())
    }

    /// Writes a report there; false where another text than `over` stands there, if one is given.
    async fn put_there(&self, report: &Outgoing, over: &str) -> Result<bool, Trouble> {
        let keys = Keys(&self.client);
        let name = report_name(&report.key);
        let mut batch = Batch::default();
        batch
            .script(
                scripts::PROGRESS,
                [keys.report(&name), keys.reports(), keys.due()],
            )
            .arg(write_outgoing(report))
            .arg(&name)
            .arg(report.key.day.number())
            .arg(due_text(report))
            .arg(expires(report.key.day, self.clock.now().wall))
            .arg(over);
        let values = batch.work(&self.client).await?;
        Ok(values.first().and_then(number) == Some(1))
    }

    async fn keep_here(&self, report: &Outgoing) -> Result<(), StoreFailure> {
        let kept = self.local.claim(report.clone()).await?;
        if kept != *report {
            self.local.progress(report.clone()).await?;
        }
        Ok(())
    }

    /// The reports of these names, as far as they are there and can be read, and the names that are gone.
    pub(super) async fn named(
        &self,
        names: &[String],
    ) -> Result<(Vec<Outgoing>, Vec<String>), Trouble> {
        let keys = Keys(&self.client);
        let (mut found, mut gone) = (Vec::new(), Vec::new());
        for names in names.chunks(AT_ONCE) {
            let mut get = redis::pipe();
            for name in names {
                get.cmd("GET").arg(keys.report(name).0);
            }
            let values = self.client.work(&get).await?;
            for (name, value) in names.iter().zip(values) {
                match value {
                    Value::Nil => gone.push(name.clone()),
                    value => match text(&value).map(read_outgoing) {
                        Some(Ok(report)) if report_name(&report.key) == *name => found.push(report),
                        _ => self.tell_unreadable(name),
                    },
                }
            }
        }
        Ok((found, gone))
    }

    pub(super) async fn due(&self, now: Timestamp, limit: usize) -> Result<Vec<Outgoing>, Trouble> {
        let (key, kind) = Keys(&self.client).due();
        let (mut due, mut offset) = (Vec::new(), 0);
        // What cannot be read stands in nobody's way.
        while due.len() < limit {
            let mut batch = Batch::default();
            batch
                .add("ZRANGEBYSCORE", key.clone(), kind)
                .arg("-inf")
                .arg(now.0)
                .arg("LIMIT")
                .arg(offset)
                .arg(AT_ONCE);
            let names = names(list(batch.work(&self.client).await?.into_iter().next()));
            let is_last = names.len() < AT_ONCE;
            let (found, gone) = self.named(&names).await?;
            offset += names.len() - gone.len();
            if !gone.is_empty() {
                let mut drop = Batch::default();
                drop.add("ZREM", key.clone(), kind).arg(&gone);
                drop.work(&self.client).await?;
            }
            due.extend(found);
            if is_last {
                break;
            }
        }
        due.truncate(limit);
        Ok(due)
    }

    pub(super) async fn list(
        &self,
        day: Option<Day>,
        limit: usize,
    ) -> Result<Vec<Outgoing>, Trouble> {
        let (key, kind) = Keys(&self.client).reports();
        let (latest, earliest) = match day {
            Some(day) => (day.number().to_string(), day.number().to_string()),
            None => ("+inf".to_owned(), "-inf".to_owned()),
        };
        let (mut listed, mut offset) = (Vec::new(), 0);
        while listed.len() < limit {
            let mut batch = Batch::default();
            batch
                .add("ZREVRANGEBYSCORE", key.clone(), kind)
                .arg(&latest)
                .arg(&earliest)
                .arg("LIMIT")
                .arg(offset)
                .arg(AT_ONCE);
            let names = names(list(batch.work(&self.client).await?.into_iter().next()));
            let is_last = names.len() < AT_ONCE;
            offset += names.len();
            listed.extend(self.named(&names).await?.0);
            if is_last {
                break;
            }
        }
        listed.truncate(limit);
        Ok(listed)
    }

    pub(super) async fn note_mailed(
        &self,
        day: Day,
        domain: DomainName,
    ) -> Result<(), StoreFailure> {
        self.local.note_mailed(day, domain.clone()).await?;
        // In the background, together with what is counted.
        let mut behind = self.behind();
        behind.mailed.insert((day, domain.clone()));
        behind.mailed_ever.insert((day, domain));
        Ok(())
    }

    pub(super) async fn receive(&self, report: Received) -> Result<bool, StoreFailure> {
        let is_new = self.local.receive(report.clone()).await?;
        match self.receive_there(&report).await {
            Ok(is_new_there) => Ok(is_new && is_new_there),
            Err(_) => {
                self.behind().received = true;
                Ok(is_new)
            }
        }
    }

    async fn receive_there(&self, report: &Received) -> Result<bool, Trouble> {
        let keys = Keys(&self.client);
        let name = received_name(&report.organization, &report.report_id);
        let mut batch = Batch::default();
        batch
            .script(
                scripts::RECEIVE,
                [keys.received(&name), keys.all_received()],
            )
            .arg(write_received(report))
            .arg(&name)
            .arg(report.at.0)
            .arg(RECEIVED_KEPT_DAYS * 86_400);
        let values = batch.work(&self.client).await?;
        Ok(values.first().and_then(number) == Some(1))
    }

    pub(super) async fn received(&self, limit: usize) -> Result<Vec<Received>, Trouble> {
        let keys = Keys(&self.client);
        let (key, kind) = keys.all_received();
        let mut batch = Batch::default();
        batch
            .add("ZREVRANGEBYSCORE", key, kind)
            .arg("+inf")
            .arg("-inf")
            .arg("LIMIT")
            .arg(0)
            .arg(limit);
        let names = names(list(batch.work(&self.client).await?.into_iter().next()));
        let mut found = Vec::new();
        for names in names.chunks(AT_ONCE) {
            let mut get = redis::pipe();
            for name in names {
                get.cmd("GET").arg(keys.received(name).0);
            }
            for (name, value) in names.iter().zip(self.client.work(&get).await?) {
                match text(&value).map(read_received) {
                    Some(Ok(report)) => found.push(report),
                    Some(Err(_)) => self.tell_unreadable(name),
                    None => {}
                }
            }
        }
        Ok(found)
    }

    /// Tells the fleet what it does not know yet of reports.
    pub(super) async fn catch_up(&self, node: &str) -> Result<(), StoreFailure> {
        let (reports, mailed, received) = {
            let mut behind = self.behind();
            let reports: Vec<_> = behind.reports.keys().take(AT_ONCE).cloned().collect();
            let reports: Vec<_> = reports
                .iter()
                .filter_map(|key| behind.reports.remove(key))
                .collect();
            let mailed = std::mem::take(&mut behind.mailed);
            (reports, mailed, std::mem::take(&mut behind.received))
        };
        let outcome = self.tell(node, &reports, &mailed, received).await;
        if outcome.is_err() {
            let mut behind = self.behind();
            for report in reports {
                behind.reports.entry(report.key.clone()).or_insert(report);
            }
            behind.mailed.extend(mailed);
            behind.received |= received;
        }
        outcome
    }

    async fn tell(
        &self,
        node: &str,
        reports: &[Outgoing],
        mailed: &std::collections::BTreeSet<(Day, DomainName)>,
        received: bool,
    ) -> Result<(), StoreFailure> {
        for report in reports {
            self.merge(report).await?;
        }
        let (keys, now) = (Keys(&self.client), self.clock.now().wall);
        let mut batch = Batch::default();
        for (day, domain) in mailed {
            let count = self.local.mailed(*day, domain.clone()).await?;
            let (key, kind) = keys.mailed(*day, domain);
            batch.add("HSET", key.clone(), kind).arg(node).arg(count);
            batch.add("EXPIREAT", key, kind).arg(expires(*day, now));
        }
        batch.work(&self.client).await?;
        if received {
            for report in self.local.received(RECEIVED_RETOLD).await? {
                self.receive_there(&report).await?;
            }
        }
        Ok(())
    }

    /// Puts a report of ours where none is; where the same one stands, what is further of both.
    async fn merge(&self, own: &Outgoing) -> Result<(), StoreFailure> {
        let there = self.claim_there(own).await?;
        // Unreadable: of another version, whose business it is.
        let Ok(stands) = read_outgoing(&there) else {
            return Ok(());
        };
        if stands.report_id != own.report_id || stands.document != own.document {
            return Ok(());
        }
        let mut merged = stands.clone();
        for (there, here) in merged.deliveries.iter_mut().zip(&own.deliveries) {
            if there.target == here.target && rank(here.state) > rank(there.state) {
                there.clone_from(here);
            }
        }
        if merged != stands {
            // Where somebody was quicker, he sends: his word is newer.
            self.put_there(&merged, &there).await?;
        }
        Ok(())
    }

    /// The fleet's store may have lost anything: what we know of reports is to be told anew.
    pub(super) async fn everything_behind(&self, today: Day) -> Result<(), StoreFailure> {
        let mut reports = Vec::new();
        for day in [today, today.before(), today.before().before()] {
            reports.extend(self.local.list(Some(day), REPORTS_RETOLD).await?);
        }
        let mut behind = self.behind();
        for report in reports {
            behind.reports.entry(report.key.clone()).or_insert(report);
        }
        let first = today.before().before();
        behind.mailed_ever.retain(|(day, _)| *day >= first);
        let ever = behind.mailed_ever.clone();
        behind.mailed.extend(ever);
        behind.received = true;
        Ok(())
    }

    pub(super) async fn report(&self, key: ReportKey) -> Result<Option<Outgoing>, StoreFailure> {
        let name = report_name(&key);
        let (report, kind) = Keys(&self.client).report(&name);
        let mut batch = Batch::default();
        batch.add("GET", report, kind);
        match batch.work(&self.client).await?.first() {
            None | Some(Value::Nil) => Ok(None),
            Some(value) => read_outgoing(text(value).unwrap_or_default()).map(Some),
        }
    }

    fn behind(&self) -> std::sync::MutexGuard<'_, super::Behind> {
        self.behind.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Further is what happens later, and confirmed is final.
fn rank(state: DeliveryState) -> u8 {
    match state {
        DeliveryState::Waiting { .. } => 0,
        DeliveryState::GivenUp { .. } => 1,
        DeliveryState::Delivered { .. } => 2,
    }
}

fn due_text(report: &Outgoing) -> String {
    report
        .due()
        .map_or_else(String::new, |due| due.0.to_string())
}

fn names(values: Vec<Value>) -> Vec<String> {
    let names = values.iter().filter_map(text);
    names.map(str::to_owned).collect()
}

const AT_ONCE: usize = 200;
/// Reports of a day that are told anew: more than a site sends in a day, mostly, and not more memory than
/// some ten megabytes.
const REPORTS_RETOLD: usize = 10_000;
const RECEIVED_RETOLD: usize = 100;
