//! What rules of mode audit let pass, and how people see it.

use serde_json::Value;

use super::name_server;
use super::orders::out;
use super::process::{Daemon, ask};
use super::survey::published;

/// OP-03, DT-21: with everything observed only, mail goes out; each destination that would have been held
/// to something is told of once in the log, counted at each answer, and listed; a closer rule goes on.
#[test]
fn everything_is_observed() {
    let server = name_server::start_with(published);
    let more = "[profile.postfix]\nown_dane = \"yes\"\n[rules.\"*\"]\nmode = \"audit\"\n\
                [rules.\"closer.test\"]\nanswer = \"encrypt\"\n";
    let daemon = Daemon::start_over(server, more);
    let mut stream = daemon.connect();
    let mut reply = |name: &str| ask(&mut stream, &format!("postfix {name}"));
    // DANE, twice; a lookup that fails; no policy at all; and the closer rule.
    for name in ["d1.test", "d1.test", "d10.test", "d2.test"] {
        assert_eq!(reply(name), "NOTFOUND ", "{name}");
    }
    assert_eq!(reply("closer.test"), "OK encrypt");

    let (code, text) = out(&daemon, &["rule", "observed", "--json"]);
    assert_eq!(code, Some(0), "{text}");
    let all: Value = serde_json::from_str(&text).unwrap();
    let all: Vec<_> = all.as_array().unwrap().iter().collect();
    let seen: Vec<_> = all
        .iter()
        .map(|own| {
            let field = |name: &str| own[name].as_str().unwrap();
            let answers = own["answers"].as_u64().unwrap();
            (field("next_hop"), field("reason"), answers, field("rule"))
        })
        .collect();
    let expected = [
        ("d1.test", "dane-all-hosts", 2, "*"),
        ("d10.test", "mx-lookup-failed", 1, "*"),
    ];
    assert_eq!(seen, expected);
    let log = daemon.log();
    for (name, reason, ..) in expected {
        let lines = log.lines().filter(|line| line.contains("only observed"));
        let own = lines.filter(|line| line.contains(name) && line.contains(reason));
        assert_eq!(own.count(), 1, "{log}");
    }
    let (_, page) = out(&daemon, &["rule", "observed"]);
    assert!(page.contains("the policy would be dane-only"), "{page}");

    let (_, page) = out(&daemon, &["status"]);
    let words = "NOTHING IS DEMANDED of any destination, save by one closer rule, without end; 2 \
                 destinations would have been held to something";
    assert!(page.contains(words), "{page}");
    let (_, text) = out(&daemon, &["status", "--json"]);
    let status: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(status["observing"]["everything"], true);
    assert_eq!(status["observing"]["answers"], 3);
    let (_, page) = out(&daemon, &["doctor"]);
    assert!(page.contains("observing: NOTHING IS DEMANDED"), "{page}");

    let closer = ["rule", "add", "*", "--mode", "opportunistic"];
    assert_eq!(out(&daemon, &closer).0, Some(0));
    let (_, page) = out(&daemon, &["status"]);
    assert!(!page.contains("NOTHING IS DEMANDED"), "{page}");
    assert_eq!(
        ask(&mut daemon.connect(), "postfix d1.test"),
        "OK dane-only"
    );
    // What stands in place of a rule of the configuration is told.
    let (_, page) = out(&daemon, &["doctor"]);
    assert!(
        page.contains("rule \"*\" of the configuration does not count"),
        "{page}"
    );
}

/// OP-03: with nothing observed nothing is said of it.
#[test]
fn nothing_is_observed() {
    let daemon = Daemon::start("");
    let (_, page) = out(&daemon, &["status"]);
    assert!(!page.contains("observing"), "{page}");
    let (code, page) = out(&daemon, &["rule", "observed"]);
    let words = "nothing was kept from being done in the last week\n";
    assert_eq!((code, page.as_str()), (Some(0), words));
}
