//! What every store of reports must do, whatever it keeps them in: run on each of them.

use std::collections::BTreeMap;
use std::fmt::Debug;

use hoplock_policy::moment::Timestamp;
use hoplock_policy::name::DomainName;
use hoplock_policy::tlsrpt::{Day, ReportTarget};
use hoplock_wire::tlsrpt::{PolicyType, ResultType};

use crate::world::reports::Reports;
use crate::world::reports::local::LocalTally;
use crate::world::reports::outgoing::{Delivery, DeliveryState, Outgoing, ReportKey};
use crate::world::reports::received::Received;
use crate::world::reports::tally::{Counter, Counts, TalliedFailure, TalliedPolicy};

/// What is not as it must be, in words.
pub type Checked = Result<(), String>;

/// Counters add up, days and domains are found again, page by page.
///
/// # Errors
/// What is not as it must be.
pub async fn counts_what_it_should(reports: &dyn Reports) -> Checked {
    let (day, other) = (day(), day().before());
    for number in [2, 0, 1] {
        let own = domain(&format!("d{number}.test"))?;
        reports.count(day, &own, counts(&own, 1, 0));
        reports.count(day, &own, counts(&own, 2, 1));
    }
    let first = domain("d0.test")?;
    reports.count(other, &first, counts(&first, 5, 0));
    reports.flush();
    settled(reports).await?;
    same("days", words(reports.days().await)?, vec![other, day])?;
    let read = words(reports.counts(day, first.clone()).await)?;
    same("counts", read, counts(&first, 3, 1))?;
    let read = words(reports.counts(other, first.clone()).await)?;
    same("counts of the day before", read, counts(&first, 5, 0))?;
    let none = words(reports.counts(day, domain("none.test")?).await)?;
    same("counts of nobody", none, BTreeMap::new())?;
    let mut found = Vec::new();
    let mut after = None;
    loop {
        let page = words(reports.domains(day, after, 2).await)?;
        let Some(last) = page.last() else { break };
        after = Some(last.clone());
        found.extend(page);
    }
    found.sort();
    let expected = [domain("d0.test")?, domain("d1.test")?, domain("d2.test")?];
    same("domains", found, expected.to_vec())?;
    same("sessions", reports.figures().counted, 17)?;
    let missing = words(reports.missing(other).await)?;
    same("hosts that have not closed", missing.len(), 1)?;
    words(reports.close(other).await)?;
    let missing = words(reports.missing(other).await)?;
    same("hosts that have not closed", missing, Vec::new())?;
    let missing = words(reports.missing(day).await)?;
    same("hosts that have not closed the next", missing.len(), 1)?;
    same("elected", words(reports.elect().await)?, true)?;
    same("elected again", words(reports.elect().await)?, true)?;
    let name = words(reports.installation().await)?;
    if name.is_empty() || words(reports.installation().await)? != name {
        return Err(format!("the installation has no lasting name: {name:?}"));
    }
    Ok(())
}

/// A report is claimed once, stands as it was claimed, and goes on from where it is.
///
/// # Errors
/// What is not as it must be.
pub async fn claims_once(reports: &dyn Reports) -> Checked {
    let (early, late) = (outgoing("a.test", 100)?, outgoing("b.test", 200)?);
    let key = early.key.clone();
    let none = words(reports.report(key.clone()).await)?;
    same("what nobody claimed", none, None)?;
    let claimed = words(reports.claim(early.clone()).await)?;
    same("the first claim", &claimed, &early)?;
    let again = Outgoing {
        report_id: "another".to_owned(),
        ..early.clone()
    };
    let claimed = words(reports.claim(again).await)?;
    same("the second claim", &claimed, &early)?;
    words(reports.claim(late.clone()).await)?;
    for (time, expected) in [
        (99, vec![]),
        (100, vec![early.clone()]),
        (300, vec![early.clone(), late.clone()]),
    ] {
        let due = words(reports.due(Timestamp(time), 9).await)?;
        same("due", due, expected)?;
    }
    let due = words(reports.due(Timestamp(300), 1).await)?;
    same("the longest due", due, vec![early.clone()])?;
    let mut done = early.clone();
    for delivery in &mut done.deliveries {
        delivery.state = DeliveryState::Delivered { at: Timestamp(150) };
        delivery.attempts = 1;
    }
    words(reports.progress(done.clone()).await)?;
    let report = words(reports.report(key).await)?;
    same("progress", report, Some(done.clone()))?;
    let due = words(reports.due(Timestamp(300), 9).await)?;
    same("due after one was sent", due, vec![late.clone()])?;
    let claimed = words(reports.claim(early).await)?;
    same("a claim of what was sent", claimed, done.clone())?;
    let older = outgoing_of("a.test", 900, day().before())?;
    words(reports.claim(older.clone()).await)?;
    let listed = words(reports.list(None, 9).await)?;
    let last = listed.last().cloned();
    same(
        "all reports",
        (listed.len(), last),
        (3, Some(older.clone())),
    )?;
    let listed = words(reports.list(Some(older.key.day), 9).await)?;
    same("reports of a day", listed, vec![older])?;
    let listed = words(reports.list(None, 1).await)?;
    same("at most so many", listed.len(), 1)?;
    Ok(())
}

/// Report mails, and reports that others sent.
///
/// # Errors
/// What is not as it must be.
pub async fn keeps_what_came(reports: &dyn Reports) -> Checked {
    let (day, own) = (day(), domain("a.test")?);
    for expected in [0, 1, 2] {
        let mailed = words(reports.mailed(day, own.clone()).await)?;
        same("mailed", mailed, expected)?;
        words(reports.note_mailed(day, own.clone()).await)?;
    }
    let other = words(reports.mailed(day.before(), own).await)?;
    same("mailed the day before", other, 0)?;
    let (early, late) = (received("one", 5), received("two", 9));
    let is_new = words(reports.receive(late.clone()).await)?;
    same("received", is_new, true)?;
    let is_new = words(reports.receive(early.clone()).await)?;
    same("received too", is_new, true)?;
    let is_new = words(reports.receive(early.clone()).await)?;
    same("received again", is_new, false)?;
    let found = words(reports.received(9).await)?;
    same("what came", found, vec![late.clone(), early])?;
    let found = words(reports.received(1).await)?;
    same("what came last", found, vec![late])?;
    Ok(())
}

/// The half of a fleet's counting that stays on each host; to be run on an empty one.
///
/// # Errors
/// What is not as it must be.
pub async fn hands_over(local: &dyn LocalTally) -> Checked {
    let (day, own) = (day(), domain("a.test")?);
    let node = words(local.node().await)?;
    if node.is_empty() || node.contains('|') || words(local.node().await)? != node {
        return Err(format!("the host has no lasting name: {node:?}"));
    }
    same("nothing counted", words(local.dirty(9).await)?, Vec::new())?;
    local.count(day, &own, counts(&own, 2, 0));
    local.count(day.before(), &own, counts(&own, 1, 0));
    local.flush();
    let rows = words(local.dirty(9).await)?;
    let told: Vec<_> = rows.iter().map(|row| (row.day, row.count)).collect();
    same("rows", told, vec![(day.before(), 1), (day, 2)])?;
    same("at most so many", words(local.dirty(1).await)?.len(), 1)?;
    local.count(day, &own, counts(&own, 3, 0));
    local.flush();
    words(local.handed_over(rows).await)?;
    let rows = words(local.dirty(9).await)?;
    let told: Vec<_> = rows.iter().map(|row| (row.day, row.count)).collect();
    same("what grew meanwhile", told, vec![(day, 5)])?;
    words(local.handed_over(rows).await)?;
    same("all handed over", words(local.dirty(9).await)?, Vec::new())?;
    words(local.all_dirty(day).await)?;
    let rows = words(local.dirty(9).await)?;
    same("anew, of this day", rows.len(), 1)?;
    words(local.all_dirty(day.before()).await)?;
    let rows = words(local.dirty(9).await)?;
    same("anew, of both", rows.len(), 2)?;
    same("not closed", words(local.closed().await)?, None)?;
    words(local.close(day).await)?;
    words(local.close(day.before()).await)?;
    same("closed", words(local.closed().await)?, Some(day))?;
    words(local.adopt_installation("fleet1".to_owned()).await)?;
    let name = words(local.installation().await)?;
    same("the fleet's name", name, "fleet1".to_owned())
}

/// So many sessions of each kind.
#[must_use]
pub fn counts(domain: &DomainName, successful: u64, failed: u64) -> Counts {
    let policy = TalliedPolicy {
        kind: PolicyType::Sts,
        domain: domain.as_str().to_owned(),
        strings: vec!["version: STSv1".to_owned()],
        mx_hosts: Vec::new(),
    };
    let mut counts = Counts::new();
    if successful > 0 {
        counts.insert(Counter::Successful(policy.clone()), successful);
    }
    if failed > 0 {
        counts.insert(Counter::Failed(policy.clone()), failed);
        let failure = TalliedFailure::of(ResultType::CertificateExpired);
        counts.insert(Counter::Detail(policy, failure), failed);
    }
    counts
}

/// A claimed report of [`day`] with one delivery, due at this time.
///
/// # Errors
/// Where the domain is none.
pub fn outgoing(name: &str, due: u64) -> Result<Outgoing, String> {
    outgoing_of(name, due, day())
}

/// The day that is counted on.
#[must_use]
pub fn day() -> Day {
    Day::numbered(DAY)
}

/// A name.
///
/// # Errors
/// Where it is none.
pub fn domain(name: &str) -> Result<DomainName, String> {
    DomainName::parse(name).map_err(|why| why.to_string())
}

fn outgoing_of(name: &str, due: u64, day: Day) -> Result<Outgoing, String> {
    let domain = domain(name)?;
    let delivery = Delivery {
        target: ReportTarget::Mailto(format!("r@{name}")),
        redirected_from: None,
        state: DeliveryState::Waiting {
            next: Timestamp(due),
        },
        attempts: 0,
        first: None,
        last: String::new(),
    };
    Ok(Outgoing {
        report_id: format!("{day}-{name}"),
        key: ReportKey { day, domain },
        document: b"{}".to_vec(),
        successful: 1,
        failed: 0,
        claimed: Timestamp(50),
        deliveries: vec![delivery],
    })
}

fn received(id: &str, at: u64) -> Received {
    Received {
        at: Timestamp(at + DAY_MILLIS * u64::from(DAY)),
        organization: "Elsewhere".to_owned(),
        report_id: id.to_owned(),
        begins: Timestamp(1),
        ends: Timestamp(2),
        successful: 3,
        failed: 4,
        document: b"{\"a\":1}".to_vec(),
    }
}

/// What was counted is there within a second or so.
async fn settled(reports: &dyn Reports) -> Checked {
    for _ in 0..50 {
        reports.flush();
        if words(reports.days().await)?.len() == 2 {
            let counted = words(reports.counts(day(), domain("d2.test")?).await)?;
            if counted.len() == 3 {
                return Ok(());
            }
        }
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    Err("what was counted did not arrive".to_owned())
}

fn words<T>(outcome: Result<T, crate::world::StoreFailure>) -> Result<T, String> {
    outcome.map_err(|failure| failure.to_string())
}

fn same<T: PartialEq + Debug>(what: &str, found: T, expected: T) -> Checked {
    if found == expected {
        return Ok(());
    }
    Err(format!("{what}: {found:?} and not {expected:?}"))
}

/// 2026-11-27.
const DAY: u32 = 20_784;
const DAY_MILLIS: u64 = 86_400_000;

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use std::sync::Arc;
    use std::time::Duration;

    use hoplock_policy::moment::Moment;

    use super::*;
    use crate::store::sqlite::{SqliteReports, SqliteStore};

    const NOW: Moment = Moment {
        wall: Timestamp(DAY_MILLIS * DAY as u64),
        uptime: Duration::from_secs(700 * 86_400),
    };

    /// RP-09: what any store of reports does.
    #[tokio::test]
    async fn in_a_state_file() {
        let fresh = || SqliteReports::of(Arc::new(SqliteStore::in_memory(NOW).unwrap()));
        let reports = fresh();
        counts_what_it_should(&reports).await.unwrap();
        claims_once(&reports).await.unwrap();
        keeps_what_came(&reports).await.unwrap();
        hands_over(&fresh()).await.unwrap();
    }
}
