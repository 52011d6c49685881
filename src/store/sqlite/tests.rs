//! The file: what it keeps, over restarts, faults and older schemas.
#![allow(clippy::disallowed_methods, reason = "tests")]

use hoplock_policy::name::{DomainName, MxHost};
use hoplock_policy::reason::Reason;
use hoplock_policy::tlsa::TlsaRecord;
use hoplock_policy::verify::{
    Matched, PolicyKind, PolicyResult, Session, SessionVerdict, Starttls, TlsVersion, Warning,
};
use rusqlite::Connection;

use super::*;
use crate::store::journal::MOST_IN_A_SECOND;
use crate::store::journal::tests::{
    BOUNDS, NOW, entry, keeps_no_more, keeps_what_it_should, later,
};
use crate::world::{Judged, SessionSource, Timing};

fn opened(path: &Path, bounds: JournalBounds) -> SqliteStore {
    SqliteStore::open_with(path, 8, bounds, NOW).unwrap()
}

async fn all(store: &SqliteStore) -> Vec<(u64, JournalEntry)> {
    let limit = usize::MAX;
    let query = JournalQuery {
        limit,
        ..JournalQuery::default()
    };
    store.read(query).await.unwrap()
}

/// Every field in use.
fn full(outcome: SessionOutcome) -> JournalEntry {
    let session = Session {
        next_hop: Some(NextHop::parse("[mx.bücher.test]:587")),
        mx_host: Some(MxHost(DomainName::parse("mx.bücher.test").unwrap())),
        address: Some("2001:db8::1".parse().unwrap()),
        port: Some(587),
        starttls: Some(Starttls::Refused),
        tls_version: Some(TlsVersion::Ssl),
        cipher: Some("TLS_AES_256_GCM_SHA384".to_owned()),
        ..Session::unknown()
    };
    let result = |policy| PolicyResult {
        policy,
        outcome,
        reason: Reason::StsEnforce,
        detail: "\"quoted\", and\na line".to_owned(),
    };
    let verdict = SessionVerdict {
        outcome,
        reason: Reason::HalfDane,
        detail: "words ' ü".to_owned(),
        matched: Some(Matched::Tlsa {
            record: TlsaRecord::from_rdata(&[3, 1, 0, 9]).unwrap(),
            depth: 2,
        }),
        warnings: Warning::ALL.to_vec(),
        results: [PolicyKind::Dane, PolicyKind::Sts, PolicyKind::Pins]
            .map(result)
            .to_vec(),
    };
    let judged = Judged {
        time: later(3).wall,
        source: SessionSource::Probe,
        timing: Timing::WithoutMail,
        second_look: true,
    };
    JournalEntry::of(&session, verdict, judged)
}

/// SV-02, SV-08, SV-10: the file keeps what memory keeps, and every field of it, over a restart.
#[tokio::test]
async fn the_journal_in_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state.db");
    keeps_what_it_should(&opened(&path, BOUNDS)).await;
    let store = opened(&path, BOUNDS);
    assert_eq!(all(&store).await.len(), 3);
    let mut expected = Vec::new();
    for outcome in SessionOutcome::ALL {
        store.note(full(outcome), later(4));
        expected.insert(0, full(outcome));
    }
    // What waits is written before the process goes.
    drop(store);
    let store = opened(&path, BOUNDS);
    let read = all(&store).await;
    let entries: Vec<_> = read.iter().map(|(_, entry)| entry.clone()).collect();
    assert_eq!(entries[..7], expected);
    let numbers: Vec<_> = read.iter().map(|(number, _)| *number).collect();
    assert_eq!(numbers, [10, 9, 8, 7, 6, 5, 4, 3, 2, 1]);
}

/// SV-11: bounds in number and in age, and where they were made smaller.
#[tokio::test]
async fn the_file_is_bounded() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state.db");
    keeps_no_more(&opened(&path, BOUNDS), BOUNDS).await;
    let entries = 4_000;
    let large = JournalBounds { entries, ..BOUNDS };
    let store = opened(&path, large);
    for second in 0..8 {
        for _ in 0..MOST_IN_A_SECOND + 1 {
            store.note(entry("a.test", SessionOutcome::Encrypted, second), NOW);
        }
        store.flush();
        store.counts(NOW.wall).await.unwrap();
    }
    let figures = store.figures();
    assert_eq!((figures.others, figures.too_many), (3_000, 8));
    drop(store);
    let store = opened(&path, BOUNDS);
    assert_eq!(store.figures().others, 3_000);
    store.drop_old(later(1));
    assert_eq!(all(&store).await.len(), 2_000, "in steps");
    store.drop_old(later(61));
    store.drop_old(later(121));
    assert_eq!(all(&store).await.len(), BOUNDS.others());
    let entries = 0;
    let none = JournalBounds { entries, ..BOUNDS };
    let none = opened(&folder.path().join("none.db"), none);
    none.note(entry("a.test", SessionOutcome::Failed, 0), NOW);
    assert!(all(&none).await.is_empty());
    assert_eq!(none.figures(), JournalFigures::default());
}

/// A question is answered over many pages, from either table or both.
#[tokio::test]
async fn questions_go_over_many_pages() {
    let folder = tempfile::tempdir().unwrap();
    let store = opened(&folder.path().join("state.db"), JournalBounds::default());
    for second in 0..20_u64 {
        for number in 0..150_u64 {
            let name = format!("d{number}.test");
            let outcome = match number % 50 {
                0 => SessionOutcome::Failed,
                _ => SessionOutcome::AuthenticatedSts,
            };
            store.note(entry(&name, outcome, second), later(second));
        }
        store.flush();
        store.counts(later(100).wall).await.unwrap();
    }
    let asked = async |next_hop: &str, only_alarms, limit| {
        let next_hop = Some(NextHop::parse(next_hop));
        let query = JournalQuery {
            next_hop,
            only_alarms,
            limit,
            ..JournalQuery::default()
        };
        let found = store.read(query).await.unwrap();
        found
            .iter()
            .map(|(_, entry)| entry.time.0)
            .collect::<Vec<_>>()
    };
    let newest_first: Vec<u64> = (0..20).rev().map(|second| later(second).wall.0).collect();
    assert_eq!(asked("d7.test", false, 100).await, newest_first);
    assert_eq!(asked("d50.test", true, 100).await, newest_first);
    assert_eq!(asked("d50.test", false, 3).await, newest_first[..3]);
    assert!(asked("d7.test", true, 100).await.is_empty());
    let read = all(&store).await;
    assert_eq!(read.len(), 3_000);
    assert!(read.windows(2).all(|pair| pair[0].0 > pair[1].0));
    let counts = store.counts(later(10).wall).await.unwrap();
    assert_eq!(counts[&SessionOutcome::Failed], 30);
    assert_eq!(counts[&SessionOutcome::AuthenticatedSts], 1_470);
}

/// SV-11: a damaged entry is left out, whatever is wrong with it; the others are read, the file
/// opens, what it remembers is there, and age takes the damaged ones out too.
#[tokio::test]
async fn damaged_entries_harm_themselves_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state.db");
    let store = opened(&path, BOUNDS);
    let (seen, gone) = (NOW, None);
    store.remember_dane(NextHop::parse("d.test"), DaneMemory { seen, gone });
    for second in 0..9 {
        let outcome = SessionOutcome::Encrypted;
        store.note(entry("a.test", outcome, second), later(second));
    }
    drop(store);
    let connection = Connection::open(&path).unwrap();
    for damage in [
        "UPDATE sessions SET detail = 'other words' WHERE id = 1",
        "UPDATE sessions SET outcome = NULL WHERE id = 2",
        "UPDATE sessions SET kept = 'never' WHERE id = 3",
        "UPDATE sessions SET cipher = CAST(x'ff' AS TEXT) WHERE id = 4",
        "UPDATE sessions SET sum = 7 WHERE id = 5",
        "UPDATE sessions SET id = 77 WHERE id = 6",
        "UPDATE sessions SET next_hop = 1.5 WHERE id = 7",
        "INSERT INTO alarms SELECT * FROM sessions WHERE id = 8",
    ] {
        connection.execute_batch(damage).unwrap();
    }
    drop(connection);
    assert!(inspect(&path).is_ok());
    let store = opened(&path, BOUNDS);
    let read = all(&store).await;
    let times: Vec<u64> = read.iter().map(|(_, entry)| entry.time.0).collect();
    // The eighth stands in the wrong table as well, and is whole.
    let expected = [8, 7, 7].map(|second| later(second).wall.0);
    assert_eq!(times, expected);
    let seen = store.dane(NextHop::parse("d.test")).await.unwrap();
    assert!(seen.is_some());
    store.note(entry("b.test", SessionOutcome::Failed, 9), later(9));
    assert_eq!(all(&store).await[0].0, 78, "numbers go on rising");
    store.drop_old(later(2 * 86_400));
    assert!(all(&store).await.is_empty());
    assert_eq!(store.figures().others + store.figures().alarms, 0);
}

/// What cannot be written is counted, and everything else in the file goes on.
#[tokio::test]
async fn a_journal_that_cannot_be_written() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state.db");
    drop(opened(&path, BOUNDS));
    let connection = Connection::open(&path).unwrap();
    let refusing = "CREATE TRIGGER refuse BEFORE INSERT ON sessions BEGIN
         SELECT RAISE(FAIL, 'no room'); END";
    connection.execute_batch(refusing).unwrap();
    drop(connection);
    let store = opened(&path, BOUNDS);
    store.note(entry("a.test", SessionOutcome::Encrypted, 0), NOW);
    store.note(entry("b.test", SessionOutcome::Failed, 0), NOW);
    assert!(all(&store).await.is_empty(), "all or nothing");
    store.note(entry("b.test", SessionOutcome::Failed, 1), NOW);
    assert_eq!(all(&store).await.len(), 1);
    let rule = StoredRule {
        pattern: "r.test".to_owned(),
        text: "[rules.\"r.test\"]\nanswer = \"encrypt\"\n".to_owned(),
        by: "somebody".to_owned(),
        added: NOW.wall,
    };
    store.keep_rule(rule).await.unwrap();
    let figures = store.figures();
    assert_eq!((figures.not_written, figures.alarms), (2, 1));
}

/// Whether the file takes what is to be written is known, from the write that failed to the next that did not.
#[tokio::test]
async fn a_file_that_cannot_be_written_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state.db");
    drop(opened(&path, BOUNDS));
    let connection = Connection::open(&path).unwrap();
    let refusing =
        "CREATE TRIGGER refuse BEFORE INSERT ON rules WHEN NEW.pattern = 'bad.test' BEGIN
         SELECT RAISE(FAIL, 'no room'); END";
    connection.execute_batch(refusing).unwrap();
    drop(connection);
    let store = opened(&path, BOUNDS);
    assert!(store.can_be_written());
    for (pattern, taken) in [
        ("bad.test", false),
        ("good.test", true),
        ("bad.test", false),
    ] {
        let rule = StoredRule {
            pattern: pattern.to_owned(),
            text: format!("[rules.\"{pattern}\"]\nanswer = \"encrypt\"\n"),
            by: "somebody".to_owned(),
            added: NOW.wall,
        };
        assert_eq!(store.keep_rule(rule).await.is_ok(), taken, "{pattern}");
        assert_eq!(store.can_be_written(), taken, "{pattern}");
    }
}

/// A file as the first version made it, with one destination in it.
fn of_the_first_schema(path: &Path, more: &str) -> Connection {
    let connection = Connection::open(path).unwrap();
    connection.execute_batch(open::SCHEMAS[0]).unwrap();
    connection.execute_batch(more).unwrap();
    connection
        .execute_batch("PRAGMA application_id = 0x68706c6b; PRAGMA user_version = 1")
        .unwrap();
    let seen = NOW.wall.0 as i64;
    let fields = rows::dane_fields(seen, None, false);
    connection
        .execute(
            "INSERT INTO dane VALUES ('d.test', ?1, NULL, 0, ?2)",
            rusqlite::params![seen, rows::sum("d.test", &fields)],
        )
        .unwrap();
    connection
}

fn version(path: &Path) -> i64 {
    let connection = Connection::open(path).unwrap();
    let version = connection.query_row("PRAGMA user_version", [], |row| row.get(0));
    version.unwrap()
}

/// ST-28: a file of the first version gets a journal, and keeps all that it remembers; a step that
/// cannot be made leaves it as it was.
#[tokio::test]
async fn an_older_file_is_brought_up_to_date() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state.db");
    drop(of_the_first_schema(&path, ""));
    assert_eq!(
        inspect(&path).unwrap().latest,
        NOW.wall,
        "nothing is changed"
    );
    assert_eq!(version(&path), 1);
    let store = opened(&path, BOUNDS);
    store.note(entry("a.test", SessionOutcome::Failed, 0), NOW);
    assert_eq!(all(&store).await.len(), 1);
    let seen = store.dane(NextHop::parse("d.test")).await.unwrap();
    assert_eq!(seen.unwrap().seen.wall, NOW.wall);
    drop(store);
    assert_eq!(version(&path), 3);
    assert_eq!(all(&opened(&path, BOUNDS)).await.len(), 1);
    let path = folder.path().join("other.db");
    drop(of_the_first_schema(&path, "CREATE TABLE sessions (theirs)"));
    assert!(SqliteStore::open(&path, 8, NOW).is_err());
    assert_eq!(version(&path), 1);
    let connection = Connection::open(&path).unwrap();
    let alarms = connection.prepare("SELECT * FROM alarms");
    assert!(alarms.is_err(), "no half of a step");
}

/// ST-28: a damaged page of the journal is not the end of what is remembered: that is taken over
/// into a new file, and the damaged one is kept. A damaged page of anything else is refused as ever.
#[tokio::test]
async fn a_damaged_journal_begins_anew() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state.db");
    let damaged = folder.path().join("state.db.damaged");
    for round in 0..2 {
        let store = opened(&path, JournalBounds::default());
        let seen = DaneMemory {
            seen: NOW,
            gone: None,
        };
        store.remember_dane(NextHop::parse(&format!("d{round}.test")), seen);
        for number in 0..MOST_IN_A_SECOND {
            let name = format!("mark{number}.test");
            store.note(entry(&name, SessionOutcome::Encrypted, 0), NOW);
        }
        drop(store);
        spoil(&path, "mark250.test");
        let before = std::fs::read(&path).unwrap();
        assert!(matches!(
            inspect(&path),
            Err(OpenError::JournalDamaged { .. })
        ));
        assert_eq!(std::fs::read(&path).unwrap(), before, "only looked at");
        let store = opened(&path, JournalBounds::default());
        for past in 0..=round {
            let name = NextHop::parse(&format!("d{past}.test"));
            assert!(store.dane(name).await.unwrap().is_some(), "{past}");
        }
        assert!(all(&store).await.is_empty());
        store.note(entry("a.test", SessionOutcome::Failed, 0), NOW);
        assert_eq!(all(&store).await.len(), 1);
        drop(store);
        assert_eq!(all(&opened(&path, JournalBounds::default())).await.len(), 1);
        assert!(inspect(&path).is_ok());
        let kept = std::fs::read(&damaged).unwrap();
        assert!(
            find(&kept, "mark250.test").is_some(),
            "for people to look at"
        );
        let files = std::fs::read_dir(folder.path()).unwrap().count();
        assert_eq!(files, 2, "nothing else is left behind");
    }
    spoil(&path, "d1.test");
    let before = std::fs::read(&path).unwrap();
    let refused = SqliteStore::open(&path, 8, NOW);
    assert!(matches!(refused, Err(OpenError::Damaged { .. })));
    assert_eq!(std::fs::read(&path).unwrap(), before);
}

/// Spoils the head of the page in which this stands.
fn spoil(path: &Path, mark: &str) {
    let mut bytes = std::fs::read(path).unwrap();
    let page = find(&bytes, mark).unwrap() / 4096 * 4096;
    bytes[page..page + 8].fill(0xff);
    std::fs::write(path, bytes).unwrap();
}

fn find(bytes: &[u8], mark: &str) -> Option<usize> {
    let mut windows = bytes.windows(mark.len());
    windows.position(|window| window == mark.as_bytes())
}
