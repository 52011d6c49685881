//! DNSSEC trouble that is survived by order (OP-02).

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use serde_json::Value;

use super::name_server::{self, A, MX, mx, wire};
use super::orders::out;
use super::process::{Daemon, ask};

/// What the resolver says of everything below `a.test`.
const FAILS: u8 = 0;
const UNVALIDATED: u8 = 1;

/// OP-02: the order says the exact lines, changes no answer itself, and is seen to work as soon as the
/// resolver sets validation aside: TEMP becomes the insecure row. It survives a crash; when its time is
/// over, that is an alarm until the anchor is gone, and TEMP is back.
#[test]
fn trouble_is_survived_for_a_time() {
    let resolver = Arc::new(AtomicU8::new(FAILS));
    let (state, said) = (Arc::clone(&resolver), Arc::clone(&resolver));
    let find = move |name: &[u8], wanted: u16| {
        let fails = state.load(Ordering::SeqCst) == FAILS;
        let is = |own: &str| name == wire(own);
        match wanted {
            _ if fails && name.ends_with(&wire("a.test")) => vec![Vec::new()],
            MX if is("a.test") => vec![mx(10, "mx.a.test")],
            A if is("mx.a.test") => vec![vec![192, 0, 2, 1]],
            _ => Vec::new(),
        }
    };
    let secure = move |_: &[u8]| said.load(Ordering::SeqCst) != UNVALIDATED;
    let server = name_server::start_changing(find, secure);
    let mut daemon = Daemon::start_over(server, "");
    let answer = |daemon: &Daemon| ask(&mut daemon.connect(), "postfix a.test");
    assert!(answer(&daemon).starts_with("TEMP mx-lookup-failed: "));

    let order = ["rule", "add", "a.test", "--survive-dnssec-trouble"];
    let (code, words) = out(&daemon, &order);
    assert_eq!(code, Some(2), "an order without an end: {words}");
    let more = [
        "--until",
        "25s",
        "--comment",
        "told on the phone",
        "--by",
        "eve",
    ];
    let (code, words) = out(&daemon, &[&order[..], &more].concat());
    assert_eq!(code, Some(0), "{words}");
    for line in [
        "    unbound-control insecure_add a.test.\n",
        "    domain-insecure: \"a.test.\"\n",
        "    unbound-control insecure_remove a.test.\n",
        "MX of a.test: dns-servfail",
    ] {
        assert!(words.contains(line), "{words}");
    }
    // Nothing is weakened by us.
    assert!(answer(&daemon).starts_with("TEMP mx-lookup-failed: "));
    daemon.until(|daemon| standing(daemon).as_deref() == Some("still fails"));
    let (_, page) = out(&daemon, &["rule", "list"]);
    for word in ["DNSSEC of a.test set aside", "eve", "told on the phone"] {
        assert!(page.contains(word), "{page}");
    }
    daemon.crash_and_restart();

    resolver.store(UNVALIDATED, Ordering::SeqCst);
    daemon.until(|daemon| daemon.log().contains("DNSSEC trouble is survived"));
    assert_eq!(answer(&daemon), "NOTFOUND ");
    daemon.until(|daemon| standing(daemon).as_deref() == Some("over, and still set aside"));
    let (code, page) = out(&daemon, &["status"]);
    assert_eq!(code, Some(1), "{page}");
    for words in [
        "dnssec-set-aside",
        "unbound-control insecure_remove a.test. && unbound-control flush_zone a.test.",
    ] {
        assert!(page.contains(words), "{page}");
    }
    assert!(
        daemon.log().contains("the order ends soon"),
        "{}",
        daemon.log()
    );

    resolver.store(FAILS, Ordering::SeqCst);
    daemon.until(|daemon| standing(daemon).is_none());
    daemon.until(|daemon| answer(daemon).starts_with("TEMP mx-lookup-failed: "));
}

fn standing(daemon: &Daemon) -> Option<String> {
    let (_, text) = out(daemon, &["status", "--json"]);
    let status: Value = serde_json::from_str(&text).unwrap();
    let order = status["negative_trust_anchors"].as_array().unwrap().first();
    order.map(|order| order["standing"].as_str().unwrap().to_owned())
}

/// OP-02: an order is no rule: it hides none, is removed by its own name, and there is none where nothing
/// fails.
#[test]
fn an_order_is_no_rule() {
    let server = name_server::start_with(|_, _| Vec::new());
    let daemon = Daemon::start_over(server, "[rules.\"a.test\"]\nanswer = \"encrypt\"\n");
    let order = [
        "rule",
        "add",
        "a.test",
        "--survive-dnssec-trouble",
        "--until",
        "2h",
    ];
    let (code, words) = out(&daemon, &order);
    assert_eq!(code, Some(2));
    assert!(words.contains("none of its lookups fails now"), "{words}");
    let (code, words) = out(&daemon, &[&order[..], &["--zone", "a.test"]].concat());
    assert_eq!(code, Some(0), "{words}");
    assert_eq!(ask(&mut daemon.connect(), "postfix a.test"), "OK encrypt");
    for name in ["a.test", "dnssec:a.test"] {
        assert_eq!(out(&daemon, &["rule", "remove", name]).0, Some(2), "{name}");
    }
    let removal = ["rule", "remove", "A.test", "--survive-dnssec-trouble"];
    let (code, words) = out(&daemon, &removal);
    assert_eq!(code, Some(0), "{words}");
    assert!(
        words.contains("unbound-control insecure_remove a.test."),
        "{words}"
    );
    assert_eq!(out(&daemon, &removal).0, Some(2));
    let log = daemon.log();
    assert!(!log.contains("for nobody who is known"), "{log}");
}
