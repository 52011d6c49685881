//! The operator's commands against a running daemon: rules at run time, status, cache.

use std::process::Command;

use hoplock::store::sqlite::SqliteStore;
use hoplock::world::{Store as _, StoredRule};
use serde_json::Value;

use super::process::{BINARY, Daemon, ask};
use super::state_file::NOW;

pub(crate) fn out(daemon: &Daemon, arguments: &[&str]) -> (Option<i32>, String) {
    let output = daemon.tool(arguments);
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let words = String::from_utf8_lossy(&output.stderr).into_owned();
    (output.status.code(), text + &words)
}

/// PD-01, OP-05: a rule at run time stands in place of the configuration's, is stored with who, when
/// and until, survives a crash, and its removal brings the configuration's back.
#[test]
fn rules_at_run_time() {
    let mut daemon = Daemon::start(
        "[profile.postfix]\nown_dane = \"yes\"\n[rules.\"a.test\"]\nanswer = \"dane-only\"\n",
    );
    assert_eq!(ask(&mut daemon.connect(), "postfix a.test"), "OK dane-only");
    let (code, words) = out(
        &daemon,
        &[
            "rule",
            "add",
            "a.test",
            "--answer",
            "encrypt",
            "--until",
            "2h",
            "--by",
            "eve",
            "--comment",
            "told on the phone",
        ],
    );
    assert_eq!(code, Some(0), "{words}");
    assert_eq!(ask(&mut daemon.connect(), "postfix a.test"), "OK encrypt");
    daemon.crash_and_restart();
    assert_eq!(ask(&mut daemon.connect(), "postfix a.test"), "OK encrypt");
    let (_, text) = out(&daemon, &["rule", "list", "--json"]);
    let rules: Value = serde_json::from_str(&text).unwrap();
    let stored = rules
        .as_array()
        .unwrap()
        .iter()
        .find(|rule| rule["by"] == "eve")
        .unwrap();
    assert_eq!(
        (&stored["pattern"], &stored["comment"], &stored["standing"]),
        (
            &"a.test".into(),
            &"told on the phone".into(),
            &"near expiry".into()
        )
    );
    for field in ["added", "expires"] {
        let time = stored[field].as_str().unwrap();
        assert!(time.parse::<jiff::Timestamp>().is_ok(), "{time}");
    }
    let configured = rules
        .as_array()
        .unwrap()
        .iter()
        .find(|rule| rule["by"].is_null())
        .unwrap();
    assert_eq!(configured["standing"], "overlaid");
    let (code, page) = out(&daemon, &["rule", "list"]);
    assert_eq!(code, Some(0));
    for word in [
        "a.test",
        "eve",
        "told on the phone",
        "near expiry",
        "overlaid",
    ] {
        assert!(page.contains(word), "{page}");
    }
    assert_eq!(out(&daemon, &["rule", "remove", "A.TEST"]).0, Some(0));
    assert_eq!(ask(&mut daemon.connect(), "postfix a.test"), "OK dane-only");
    let (code, words) = out(&daemon, &["rule", "remove", "a.test"]);
    assert_eq!(code, Some(2), "{words}");
    assert!(words.contains("added at run time"), "{words}");
    daemon.crash_and_restart();
    assert_eq!(ask(&mut daemon.connect(), "postfix a.test"), "OK dane-only");
}

/// PD-01, OP-05: when a rule added at run time ends, the configuration's for the same destinations
/// counts again.
#[test]
fn an_expired_exception_steps_back() {
    let mut daemon = Daemon::start(
        "[profile.postfix]\nown_dane = \"yes\"\n[rules.\"a.test\"]\nanswer = \"dane-only\"\n",
    );
    let order = ["rule", "add", "a.test", "--answer", "may", "--until", "8s"];
    let added = out(&daemon, &order);
    assert_eq!(added.0, Some(0), "{}", added.1);
    assert_eq!(ask(&mut daemon.connect(), "postfix a.test"), "OK may");
    daemon.until(|daemon| ask(&mut daemon.connect(), "postfix a.test") == "OK dane-only");
    let (_, text) = out(&daemon, &["rule", "list", "--json"]);
    let rules: Value = serde_json::from_str(&text).unwrap();
    let standings: Vec<&Value> = rules
        .as_array()
        .unwrap()
        .iter()
        .map(|rule| &rule["standing"])
        .collect();
    assert_eq!(standings, ["active", "expired"]);
}

/// A rule that another version stored and this one does not understand may have demanded anything:
/// its destinations wait, and an alarm says so.
#[test]
fn a_rule_that_is_not_understood_defers() {
    let mut daemon = Daemon::start("");
    daemon.signal("-TERM");
    daemon.child.wait().unwrap();
    let path = daemon.folder.path().join("state.db");
    let store = SqliteStore::open(&path, 8, NOW).unwrap();
    let rule = StoredRule {
        pattern: "a.test".to_owned(),
        text: "[rules.\"a.test\"]\nmode = \"of the future\"\n".to_owned(),
        by: "eve".to_owned(),
        added: NOW.wall,
    };
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(store.keep_rule(rule)).unwrap();
    drop(store);
    daemon.crash_and_restart();
    let reply = ask(&mut daemon.connect(), "postfix a.test");
    assert!(reply.starts_with("TEMP "), "{reply}");
    let (code, page) = out(&daemon, &["status"]);
    assert_eq!(code, Some(1));
    assert!(page.contains("rule-not-understood"), "{page}");
    assert_eq!(out(&daemon, &["rule", "remove", "a.test"]).0, Some(0));
    assert_eq!(ask(&mut daemon.connect(), "postfix localhost"), "NOTFOUND ");
}

/// Concurrent orders: what was acknowledged is in force.
#[test]
fn orders_at_once() {
    let daemon = Daemon::start("");
    std::thread::scope(|scope| {
        for number in 0..24 {
            let daemon = &daemon;
            scope.spawn(move || {
                let name = format!("r{number}.test");
                let added = out(daemon, &["rule", "add", &name, "--answer", "encrypt"]);
                assert_eq!(added.0, Some(0), "{}", added.1);
                let key = format!("postfix {name}");
                assert_eq!(ask(&mut daemon.connect(), &key), "OK encrypt");
            });
        }
    });
    for number in 0..24 {
        let key = format!("postfix r{number}.test");
        assert_eq!(ask(&mut daemon.connect(), &key), "OK encrypt");
    }
}

/// The way out at three in the morning: nothing is demanded anywhere, and mail goes out.
#[test]
fn everything_let_out_for_two_hours() {
    let daemon = Daemon::start("[profile.postfix]\ndeadline = \"1s\"\n");
    let key = "postfix broken.test";
    assert!(ask(&mut daemon.connect(), key).starts_with("TEMP deadline: "));
    let added = out(
        &daemon,
        &["rule", "add", "*", "--mode", "audit", "--until", "2h"],
    );
    assert_eq!(added.0, Some(0), "{}", added.1);
    assert_eq!(ask(&mut daemon.connect(), key), "NOTFOUND ");
}

/// What is no rule is refused with the place and the cure, and nothing changes.
#[test]
fn rules_that_are_none() {
    let daemon = Daemon::start("");
    let cases: [(&[&str], &str); 8] = [
        (&["a.test"], "--mode"),
        (&["a.test", "--mode", "of"], "off"),
        (&["a.test", "--answer", "secure"], "names"),
        (
            &["a.test", "--answer", "fingerprint", "--fingerprint", "zz"],
            "fingerprint",
        ),
        (&["a..test", "--answer", "encrypt"], "a..test"),
        (&["a.test", "--answer", "encrypt", "--until", "soon"], "90m"),
        (
            &[
                "a.test",
                "--answer",
                "encrypt",
                "--until",
                "2020-01-01T00:00:00Z",
            ],
            "before it begins",
        ),
        (
            &["a.test", "--answer", "encrypt\"\nmode = \"off"],
            "encrypt",
        ),
    ];
    for (arguments, word) in cases {
        let all = [&["rule", "add"], arguments].concat();
        let (code, words) = out(&daemon, &all);
        assert_eq!(code, Some(2), "{arguments:?}: {words}");
        assert!(words.contains(word), "{arguments:?}: {words}");
    }
    assert_eq!(out(&daemon, &["rule", "list"]).1, "no rules\n");
    // Any spelling that was taken is taken again; what a rule weakens is listed.
    for name in ["[192.0.2.1]", "bücher.test", "Trail.test."] {
        let added = out(&daemon, &["rule", "add", name, "--no-sts", "--by", "eve"]);
        assert_eq!(added.0, Some(0), "{}", added.1);
        let page = out(&daemon, &["rule", "list"]).1;
        assert!(page.contains("MTA-STS does not count"), "{page}");
        let removed = out(&daemon, &["rule", "remove", name]);
        assert_eq!(removed.0, Some(0), "{name}: {}", removed.1);
    }
}

/// `status` tells of alarms with cause and cure, and its exit status says that there are some.
#[test]
fn status_tells() {
    let mut daemon = Daemon::start(
        "[rules.\"old.test\"]\nmode = \"mandatory\"\nexpires = \"2020-01-01T00:00:00Z\"\n",
    );
    let (code, text) = out(&daemon, &["status", "--json"]);
    assert_eq!(code, Some(1), "{text}");
    let status: Value = serde_json::from_str(&text).unwrap();
    let alarms: Vec<&str> = status["alarms"]
        .as_array()
        .unwrap()
        .iter()
        .map(|alarm| {
            for field in ["what", "cause", "cure"] {
                assert!(!alarm[field].as_str().unwrap().is_empty(), "{alarm}");
            }
            alarm["alarm"].as_str().unwrap()
        })
        .collect();
    assert!(alarms.contains(&"rule-expired"), "{alarms:?}");
    assert!(
        status["store"]["path"]
            .as_str()
            .unwrap()
            .ends_with("state.db")
    );
    assert_eq!(ask(&mut daemon.connect(), "postfix localhost"), "NOTFOUND ");
    let (_, page) = out(&daemon, &["status"]);
    for word in ["alarms:", "cure:", "resolver", "state.db", "last hour"] {
        assert!(page.contains(word), "{page}");
    }
    let config = daemon.config();
    daemon.signal("-TERM");
    daemon.child.wait().unwrap();
    let mut nobody = Command::new(BINARY);
    let output = nobody
        .args(["status", "--config"])
        .arg(config)
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(3));
    assert!(
        String::from_utf8_lossy(&output.stderr).contains("no daemon listens"),
        "{output:?}"
    );
}

/// `cache` shows what is kept and forgets it; without an order to, policies stay.
#[test]
fn cache_shows_and_forgets() {
    let daemon = Daemon::start("[profile.postfix]\ndeadline = \"1s\"\n");
    assert_eq!(
        out(&daemon, &["cache", "list"]),
        (Some(0), "nothing is kept yet\n".to_owned())
    );
    let (code, words) = out(&daemon, &["cache", "show", "a.test"]);
    assert_eq!(
        (code, words.as_str()),
        (Some(0), "nothing is kept of a.test\n")
    );
    let (code, words) = out(&daemon, &["cache", "purge", "a..test"]);
    assert_eq!(code, Some(2), "{words}");
    let (code, words) = out(&daemon, &["cache", "purge"]);
    assert_eq!(code, Some(2), "{words}");
    let (code, words) = out(&daemon, &["cache", "purge", "--all"]);
    assert_eq!(
        (code, words.as_str()),
        (
            Some(0),
            "forgotten: findings of 0 destinations, 0 policies\n"
        )
    );
    let (code, text) = out(&daemon, &["cache", "export"]);
    assert_eq!(code, Some(0));
    let export: Value = serde_json::from_str(&text).unwrap();
    assert!(export["destinations"].as_array().unwrap().is_empty());
}
