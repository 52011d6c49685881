//! The file as a store of reports.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::path::Path;

use hoplock_wire::tlsrpt::{PolicyType, ResultType};

use super::*;
use crate::store::journal::tests::NOW;
use crate::store::reports_checks::{
    claims_once, counts_what_it_should, hands_over, keeps_what_came,
};
use crate::world::reports::tally::{TalliedFailure, TalliedPolicy};

fn opened(path: &Path) -> SqliteReports {
    SqliteReports::of(Arc::new(SqliteStore::open(path, 8, NOW).unwrap()))
}

fn counts(count: u64) -> Counts {
    let policy = TalliedPolicy {
        kind: PolicyType::NoPolicyFound,
        domain: "a.test".to_owned(),
        strings: Vec::new(),
        mx_hosts: Vec::new(),
    };
    let failure = TalliedFailure::of(ResultType::CertificateExpired);
    Counts::from([
        (Counter::Successful(policy.clone()), count),
        (Counter::Detail(policy, failure), 1),
    ])
}

/// RP-09, RP-11, RP-16: the file does what every store of reports does.
#[tokio::test]
async fn the_file_is_a_store_of_reports() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| opened(&folder.path().join(name));
    counts_what_it_should(&at("counts.db")).await.unwrap();
    claims_once(&at("claims.db")).await.unwrap();
    keeps_what_came(&at("came.db")).await.unwrap();
    hands_over(&at("over.db")).await.unwrap();
}

/// RP-09: what was counted is there after an end without a word, what is held back by a fault of the disk
/// arrives when that has passed, and old days go.
#[tokio::test]
async fn counts_outlive_the_process() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state.db");
    let (today, domain) = (Day::of(NOW.wall), DomainName::parse("a.test").unwrap());
    let reports = opened(&path);
    reports.count(today, &domain, counts(3));
    drop(reports);
    let reports = opened(&path);
    reports.count(today, &domain, counts(4));
    let read = reports.counts(today, domain.clone()).await.unwrap();
    assert_eq!(read.values().copied().collect::<Vec<_>>(), [7, 2]);
    let names = (
        reports.installation().await.unwrap(),
        reports.node().await.unwrap(),
    );
    assert_ne!(names.0, names.1);
    let old = Day::numbered(today.number() - 20);
    reports.count(old, &domain, counts(1));
    assert_eq!(reports.days().await.unwrap(), [old, today]);
    reports.drop_old(NOW);
    assert_eq!(reports.days().await.unwrap(), [today]);
    drop(reports);
    let reports = opened(&path);
    assert_eq!(reports.installation().await.unwrap(), names.0);
    assert_eq!(reports.node().await.unwrap(), names.1);
    // A disk that takes nothing: held, and lost nowhere.
    let refuse = |reports: &SqliteReports| {
        let store = Arc::clone(&reports.store);
        async move {
            let trigger = "CREATE TEMP TRIGGER full BEFORE INSERT ON tally
                           BEGIN SELECT RAISE(FAIL, 'disk full'); END";
            store
                .writer
                .run(move |own| Ok(own.execute_batch(trigger)?))
                .await
                .unwrap();
        }
    };
    refuse(&reports).await;
    reports.count(today, &domain, counts(10));
    assert!(reports.settle().await.is_err());
    assert!(reports.counts(today, domain.clone()).await.is_err());
    let store = Arc::clone(&reports.store);
    let mend = |own: &mut rusqlite::Connection| Ok(own.execute_batch("DROP TRIGGER full")?);
    store.writer.run(mend).await.unwrap();
    let read = reports.counts(today, domain).await.unwrap();
    assert_eq!(read.values().copied().collect::<Vec<_>>(), [17, 3]);
    let figures = reports.figures();
    assert_eq!((figures.counted, figures.lost), (10, 0));
}
