//! Faults of the state file at the start and in service (ST-28): refused with the cure, never started
//! as if nothing were remembered.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::sync::Arc;
use std::time::Duration;

use hoplock::store::sqlite::{OpenError, SqliteStore, inspect};
use hoplock::world::{DaneMemory, Lasts, Store as _, StoredRule};
use hoplock_policy::findings::RememberedPolicy;
use hoplock_policy::moment::{Moment, Timestamp};
use hoplock_policy::name::{DomainName, PolicyDomain};
use hoplock_policy::next_hop::NextHop;
use hoplock_policy::sts::StsPolicy;
use rusqlite::Connection;

use super::process::{BINARY, Daemon, ask};

/// 2026-11-24.
pub(crate) const NOW: Moment = Moment {
    wall: Timestamp(1_795_478_400_000),
    uptime: Duration::from_secs(40 * 86_400),
};

fn domain(name: &str) -> PolicyDomain {
    PolicyDomain(DomainName::parse(name).unwrap())
}

fn policy() -> Arc<RememberedPolicy> {
    let text = b"version: STSv1\nmode: enforce\nmx: mx.e.test\nmax_age: 86400\n";
    Arc::new(RememberedPolicy {
        policy: StsPolicy::parse(text).unwrap(),
        id: "1".to_owned(),
        fetched: NOW,
    })
}

/// A sound state file with one policy, one sighting of DANE and one rule.
fn written(path: &Path) {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let store = SqliteStore::open(path, 8, NOW).unwrap();
    runtime.block_on(async {
        store
            .remember_policy(domain("e.test"), policy())
            .await
            .unwrap();
        let seen = DaneMemory {
            seen: NOW,
            gone: None,
        };
        store.remember_dane(NextHop::parse("d.test"), seen);
        let rule = StoredRule {
            pattern: "r.test".to_owned(),
            text: "[rules.\"r.test\"]\nanswer = \"encrypt\"\n".to_owned(),
            by: "somebody".to_owned(),
            added: NOW.wall,
        };
        store.keep_rule(rule).await.unwrap();
    });
}

/// Runs a daemon that is expected to refuse.
fn refused(state: &Path, arguments: &[&str]) -> Output {
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("hoplock.toml");
    let text = format!(
        "[listen]\nsocketmap = []\nhttp = []\ncontrol = \"unix:{}/control\"\n\
         [dns]\nservers = [\"127.0.0.1:1\"]\nself_test = \"\"\n[store]\npath = \"{}\"\n",
        folder.path().display(),
        state.display()
    );
    fs::write(&config, text).unwrap();
    let mut command = Command::new("timeout");
    command
        .args(["20", BINARY, "serve", "--config"])
        .arg(&config);
    command
        .args(arguments)
        .stdin(Stdio::null())
        .output()
        .unwrap()
}

fn words(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// ST-28, MX-17: all that was written is there again; a process that died left nothing half.
#[test]
fn what_was_written_is_read_again() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state.db");
    written(&path);
    let mode = fs::metadata(&path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode & 0o027, 0, "{mode:o}: not for everybody");
    let inspected = inspect(&path).unwrap();
    assert_eq!((inspected.policies, inspected.latest), (1, NOW.wall));
    let later = NOW.later(Duration::from_secs(3600));
    let store = SqliteStore::open(&path, 8, later).unwrap();
    assert_eq!(store.lasts(), Lasts::Disk);
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let kept = store.policy(domain("e.test")).await.unwrap().unwrap();
        assert_eq!(kept.policy, policy().policy);
        assert_eq!(kept.remaining(later), Duration::from_secs(86_400 - 3600));
        let seen = store.dane(NextHop::parse("d.test")).await;
        assert_eq!(seen.unwrap().unwrap().seen.wall, NOW.wall);
        assert_eq!(store.rules().await.unwrap()[0].by, "somebody");
        store.forget_policy(domain("e.test")).await.unwrap();
    });
    drop(store);
    assert_eq!(inspect(&path).unwrap().policies, 0);
}

/// ST-28: what the shelf in memory had to drop is found in the file.
#[test]
fn a_full_shelf_asks_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state.db");
    let store = SqliteStore::open(&path, 16, NOW).unwrap();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        for number in 0..200 {
            let name = domain(&format!("p{number}.test"));
            store.remember_policy(name, policy()).await.unwrap();
        }
        assert!(store.policies().len() < 200, "the shelf is bounded");
        for number in 0..200 {
            let name = domain(&format!("p{number}.test"));
            assert!(
                store.policy(name.clone()).await.unwrap().is_some(),
                "{name}"
            );
        }
        // Also when there is room again.
        for number in 20..200 {
            let name = domain(&format!("p{number}.test"));
            store.forget_policy(name).await.unwrap();
        }
        for number in 0..200 {
            let name = domain(&format!("p{number}.test"));
            let found = store.policy(name.clone()).await.unwrap();
            assert_eq!(found.is_some(), number < 20, "{name}");
        }
        assert!(store.policy(domain("other.test")).await.unwrap().is_none());
    });
}

/// ST-28: a fetch that began earlier and ended later takes nothing away, in memory and in the file.
#[test]
fn an_older_fetch_replaces_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state.db");
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let fetched = |id: &str, later: u64| {
        Arc::new(RememberedPolicy {
            id: id.to_owned(),
            fetched: NOW.later(Duration::from_secs(later)),
            ..RememberedPolicy::clone(&policy())
        })
    };
    let store = SqliteStore::open(&path, 8, NOW).unwrap();
    let id = |store: &SqliteStore| {
        let kept = runtime.block_on(store.policy(domain("e.test")));
        kept.unwrap().unwrap().id.clone()
    };
    for (name, later) in [("newer", 10), ("older", 5)] {
        let kept = store.remember_policy(domain("e.test"), fetched(name, later));
        runtime.block_on(kept).unwrap();
    }
    assert_eq!(id(&store), "newer");
    drop(store);
    assert_eq!(id(&SqliteStore::open(&path, 8, NOW).unwrap()), "newer");
}

/// What has long expired leaves memory and file; what has not, and what only just has, stays.
#[test]
fn what_has_long_expired_is_swept() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state.db");
    written(&path);
    let day = Duration::from_secs(86_400);
    let store = SqliteStore::open(&path, 8, NOW).unwrap();
    store.sweep(NOW.later(day * 7));
    assert_eq!(store.policies().len(), 1);
    store.sweep(NOW.later(day * 9));
    assert_eq!(store.policies().len(), 0);
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let seen = |store: &SqliteStore| {
        let seen = store.dane(NextHop::parse("d.test"));
        runtime.block_on(seen).unwrap()
    };
    assert!(seen(&store).is_some());
    store.sweep(NOW.later(day * 41));
    assert!(seen(&store).is_none());
    drop(store);
    let store = SqliteStore::open(&path, 8, NOW).unwrap();
    assert!(store.policies().is_empty() && seen(&store).is_none());
    assert_eq!(runtime.block_on(store.rules()).unwrap().len(), 1);
}

/// A schema of a later version is refused with the cure, and `--no-state` goes on without.
#[test]
fn a_newer_schema_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state.db");
    written(&path);
    let connection = Connection::open(&path).unwrap();
    connection
        .pragma_update(None, "user_version", 7_777)
        .unwrap();
    drop(connection);
    let before = fs::read(&path).unwrap();
    let output = refused(&path, &[]);
    assert_eq!(output.status.code(), Some(1), "{}", words(&output));
    for word in ["schema 7777", "later version", "--no-state"] {
        assert!(words(&output).contains(word), "{}", words(&output));
    }
    assert_eq!(
        fs::read(&path).unwrap(),
        before,
        "nothing was changed in it"
    );
    // With --no-state it runs until it is told to end.
    assert_eq!(refused(&path, &["--no-state"]).status.code(), Some(124));
}

/// A change of the file's bytes.
type Damage<'a> = &'a dyn Fn(&mut Vec<u8>);

/// Every kind of damage is refused, and said where; nothing is overwritten.
#[test]
fn damage_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let sound = folder.path().join("sound.db");
    written(&sound);
    let bytes = fs::read(&sound).unwrap();
    let damaged = |name: &str, change: Damage<'_>| {
        let path = folder.path().join(name);
        let mut bytes = bytes.clone();
        change(&mut bytes);
        fs::write(&path, &bytes).unwrap();
        (path, bytes)
    };
    let text_of_policy = |bytes: &[u8]| {
        let mark = b"mode: enforce";
        let place = bytes.windows(mark.len()).position(|window| window == mark);
        place.unwrap()
    };
    let cases: [(&str, &str, Damage<'_>); 4] = [
        ("garbage.db", "no SQLite file", &|bytes| bytes.fill(b'x')),
        ("header.db", "no SQLite file", &|bytes| {
            bytes[..16].fill(0xff)
        }),
        // SQLite would not notice: one letter of a policy.
        ("letter.db", "is not what was written", &|bytes| {
            let place = text_of_policy(bytes);
            bytes[place + 7] = b'E';
        }),
        ("tree.db", "damaged", &|bytes| {
            let place = text_of_policy(bytes);
            let page = place / 4096 * 4096;
            bytes[page..page + 8].fill(0xff);
        }),
    ];
    for (name, word, change) in cases {
        let (path, before) = damaged(name, change);
        let output = refused(&path, &[]);
        assert_eq!(output.status.code(), Some(1), "{name}: {}", words(&output));
        assert!(words(&output).contains(word), "{name}: {}", words(&output));
        assert!(words(&output).contains(name), "{name}: {}", words(&output));
        if name != "letter.db" {
            assert_eq!(fs::read(&path).unwrap(), before, "{name} was changed");
        }
    }
}

/// A database of another program, a folder, a place that cannot be: each named, none touched.
#[test]
fn other_files_are_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let foreign = folder.path().join("foreign.db");
    let connection = Connection::open(&foreign).unwrap();
    connection.execute_batch("CREATE TABLE mail (id)").unwrap();
    drop(connection);
    let before = fs::read(&foreign).unwrap();
    let output = refused(&foreign, &[]);
    assert_eq!(output.status.code(), Some(1));
    assert!(
        words(&output).contains("another program"),
        "{}",
        words(&output)
    );
    assert_eq!(fs::read(&foreign).unwrap(), before);
    let output = refused(folder.path(), &[]);
    assert_eq!(output.status.code(), Some(1));
    assert!(
        words(&output).contains("cannot be used"),
        "{}",
        words(&output)
    );
    let below_a_file = foreign.join("state.db");
    let output = refused(&below_a_file, &[]);
    assert_eq!(output.status.code(), Some(1));
    assert!(words(&output).contains("--no-state"), "{}", words(&output));
}

/// Two daemons over one file would each trust a memory that the other changes.
#[test]
fn a_file_has_one_owner() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state.db");
    let owner = SqliteStore::open(&path, 8, NOW).unwrap();
    let second = SqliteStore::open(&path, 8, NOW);
    assert!(matches!(second, Err(OpenError::InUse { .. })));
    let output = refused(&path, &[]);
    assert!(words(&output).contains("in use"), "{}", words(&output));
    drop(owner);
    SqliteStore::open(&path, 8, NOW).unwrap();
}

/// Where the disk takes no more, what is remembered goes on, what is new is refused with the reason,
/// and all is well again when there is room.
#[test]
fn a_full_disk_is_survived() {
    let mut daemon = Daemon::start_with("", |command| {
        let arguments: Vec<_> = command.get_args().map(ToOwned::to_owned).collect();
        let log = Path::new(&arguments[2]).with_file_name("log");
        let mut limited = Command::new("sh");
        // A write beyond the limit fails, as on a full disk; ignored, the signal does not end it.
        let script = "trap '' XFSZ; ulimit -f 512; exec \"$0\" \"$@\"";
        limited.arg("-c").arg(script).arg(BINARY).args(arguments);
        limited.stderr(fs::File::create(log).unwrap());
        limited.stdout(Stdio::null());
        *command = limited;
    });
    let add = |daemon: &Daemon, number: usize| {
        let (name, comment) = (format!("r{number}.test"), "x".repeat(4_000));
        let arguments = [
            "rule",
            "add",
            &name,
            "--answer",
            "encrypt",
            "--comment",
            &comment,
        ];
        daemon.tool(&arguments)
    };
    let mut kept = 0;
    let refused = loop {
        let output = add(&daemon, kept);
        if output.status.code() != Some(0) {
            break output;
        }
        kept += 1;
        assert!(kept < 100, "the limit was never reached");
    };
    assert!(kept > 0);
    assert!(words(&refused).contains("could not keep it"), "{refused:?}");
    assert!(
        daemon.log().contains("cannot be written"),
        "{}",
        daemon.log()
    );
    let mut stream = daemon.connect();
    assert_eq!(ask(&mut stream, "postfix r0.test"), "OK encrypt");
    // What was refused does not count.
    let beyond = daemon.tool(&["rule", "list", "--json"]);
    let listed: serde_json::Value = serde_json::from_slice(&beyond.stdout).unwrap();
    assert_eq!(listed.as_array().unwrap().len(), kept);
    // Room again, after a crash: all that was kept is there.
    daemon.crash_and_restart();
    let mut stream = daemon.connect();
    for number in 0..kept {
        let key = format!("postfix r{number}.test");
        assert_eq!(ask(&mut stream, &key), "OK encrypt", "{key}");
    }
    assert_eq!(add(&daemon, kept).status.code(), Some(0));
}
