//! What all hosts counted, added up as it is read.

use std::collections::BTreeMap;

use hoplock_policy::name::DomainName;
use hoplock_policy::tlsrpt::Day;
use redis::Value;

use super::super::batch::Batch;
use super::super::client::Trouble;
use super::super::values::{list, number, text};
use super::Inner;
use super::keys::Keys;
use crate::world::StoreFailure;
use crate::world::reports::tally::Counter;

impl Inner {
    pub(super) async fn days(&self) -> Result<Vec<Day>, Trouble> {
        let (key, kind) = Keys(&self.client).days();
        let mut batch = Batch::default();
        batch.add("ZRANGE", key, kind).arg(0).arg(-1);
        let found = list(batch.work(&self.client).await?.into_iter().next());
        let numbers = found.iter().filter_map(number);
        let days = numbers.filter_map(|number| u32::try_from(number).ok());
        Ok(days.map(Day::numbered).collect())
    }

    pub(super) async fn domains(
        &self,
        day: Day,
        after: Option<DomainName>,
        limit: usize,
    ) -> Result<Vec<DomainName>, Trouble> {
        let (key, kind) = Keys(&self.client).domains(day);
        let mut from = after.map_or_else(|| "-".to_owned(), |after| format!("({}", after.as_str()));
        let mut domains = Vec::new();
        while domains.len() < limit {
            let wanted = limit - domains.len();
            let mut batch = Batch::default();
            batch
                .add("ZRANGEBYLEX", key.clone(), kind)
                .arg(&from)
                .arg("+")
                .arg("LIMIT")
                .arg(0)
                .arg(wanted.min(DOMAINS_AT_ONCE));
            let found = list(batch.work(&self.client).await?.into_iter().next());
            let Some(Value::BulkString(last)) = found.last() else {
                break;
            };
            // What is no name is passed over, and the page goes on behind it.
            from = format!("({}", String::from_utf8_lossy(last));
            if std::str::from_utf8(last).is_err() {
                self.tell_unreadable("a domain");
                break;
            }
            let names = found.iter().filter_map(text);
            domains.extend(names.filter_map(|name| DomainName::parse(name).ok()));
        }
        Ok(domains)
    }

    pub(super) async fn counts(
        &self,
        day: Day,
        domain: DomainName,
    ) -> Result<BTreeMap<Counter, u64>, Trouble> {
        let (key, kind) = Keys(&self.client).tally(day, &domain);
        let mut batch = Batch::default();
        batch.add("HGETALL", key, kind);
        let found = list(batch.work(&self.client).await?.into_iter().next());
        let mut counts = BTreeMap::new();
        for pair in found.chunks_exact(2) {
            let [field, count] = pair else { continue };
            let counter = text(field)
                .and_then(|field| field.split_once('|'))
                .and_then(|(_, key)| Counter::parse(key));
            let (Some(counter), Some(count)) = (counter, number(count)) else {
                self.tell_unreadable(domain.as_str());
                continue;
            };
            let sum: &mut u64 = counts.entry(counter).or_default();
            *sum = sum.saturating_add(count);
        }
        Ok(counts)
    }

    pub(super) async fn mailed(&self, day: Day, domain: DomainName) -> Result<u64, StoreFailure> {
        let own = self.node().await?.to_owned();
        let here = self.local.mailed(day, domain.clone()).await?;
        let (key, kind) = Keys(&self.client).mailed(day, &domain);
        let mut batch = Batch::default();
        batch.add("HGETALL", key, kind);
        let found = list(batch.work(&self.client).await?.into_iter().next());
        let others = found.chunks_exact(2).filter_map(|pair| match pair {
            [host, count] if text(host) != Some(own.as_str()) => number(count),
            _ => None,
        });
        Ok(others.fold(here, u64::saturating_add))
    }
}

const DOMAINS_AT_ONCE: usize = 1_000;
