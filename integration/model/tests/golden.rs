//! The golden table's columns for Postfix, row by row, and the cases around it.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::expect_used,
    missing_docs,
    reason = "tests"
)]

mod common;

use common::*;
use hoplock_model::{
    Data, Duty, Floor, NextHop, Outcome, Reply, Rule, Seen, Selection, Signing, State, Truth, Type,
    World, best_tier, delivers_to, faults, is_safe, outcome, parse_reply, permitted, truth,
};

/// A row with hosts: situation, the answer at floor `may` or `dane`, that at floor `encrypt`
/// (`secure` with the preferences of its hosts), and for both the levels of `may`, `encrypt` and
/// `dane` (first letters) that are safe, worked out by hand from duties and outcomes.
struct Row {
    name: &'static str,
    mx_secure: bool,
    enforce: bool,
    rule: Rule,
    hosts: &'static str,
    answers: [&'static str; 2],
    safe: [&'static str; 2],
}

const INSECURE: (bool, bool, Rule) = (false, false, Rule::None);
const INSECURE_STS: (bool, bool, Rule) = (false, true, Rule::None);
const SECURE: (bool, bool, Rule) = (true, false, Rule::None);
const SECURE_STS: (bool, bool, Rule) = (true, true, Rule::None);
const DEMANDED: (bool, bool, Rule) = (true, false, Rule::Mandatory);
const DEMANDED_INSECURE: (bool, bool, Rule) = (false, false, Rule::Mandatory);

type Line = (&'static str, (bool, bool, Rule), &'static str, [&'static str; 2], [&'static str; 2]);

const TABLE: &[Line] = &[
    ("DT-03", INSECURE, "10:none", ["NOTFOUND"; 2], ["med", "e"]),
    ("DT-04", INSECURE_STS, "10:ee 20:none", ["secure 10 20"; 2], ["", ""]),
    ("DT-05", SECURE, "10:none", ["NOTFOUND"; 2], ["med", "e"]),
    ("DT-05s", SECURE_STS, "10:none 20:none(unlisted)", ["secure 10"; 2], ["", ""]),
    ("DT-06", SECURE, "10:ee 20:ee", ["dane-only"; 2], ["d", "d"]),
    ("DT-07", SECURE, "10:ee 20:none", ["dane", "dane-only"], ["d", ""]),
    ("DT-07b", SECURE, "10:none 20:ee", ["dane", "dane-only"], ["d", ""]),
    ("DT-07c", SECURE, "10:ee 10:none", ["dane", "dane-only"], ["d", ""]),
    ("DT-08", SECURE_STS, "10:ee 20:none", ["dane-only"; 2], ["", ""]),
    ("DT-08b", SECURE_STS, "10:none 20:ee", ["secure 10"; 2], ["", ""]),
    ("DT-08c", SECURE_STS, "10:none(unlisted) 20:ee", ["dane-only"; 2], ["", ""]),
    ("DT-09", SECURE, "10:unusable", ["encrypt"; 2], ["ed", "ed"]),
    ("DT-09s", SECURE_STS, "10:unusable", ["secure 10"; 2], ["", ""]),
    ("DT-10", SECURE, "10:ee 20:unusable", ["dane"; 2], ["d", "d"]),
    ("DT-10s", SECURE_STS, "10:ee 20:unusable", ["dane-only"; 2], ["", ""]),
    ("DT-11", SECURE, "10:unusable 20:none", ["dane", "encrypt"], ["ed", "e"]),
    ("DT-11s", SECURE_STS, "10:unusable 20:none", ["secure 10 20"; 2], ["", ""]),
    ("DT-12", SECURE, "10:ee 20:failed", ["dane-only"; 2], ["d", "d"]),
    ("DT-12u", SECURE, "10:ee 20:unusable 30:failed", ["dane"; 2], ["d", "d"]),
    ("DT-13", SECURE, "10:none 20:failed", ["dane", "TEMP later"], ["d", ""]),
    ("DT-13a", SECURE, "10:none 20:address-failed", ["dane", "TEMP later"], ["d", ""]),
    ("DT-13s", SECURE_STS, "10:none 20:failed", ["secure 10"; 2], ["", ""]),
    ("DT-13u", SECURE, "10:ee 20:none 30:failed", ["dane", "dane-only"], ["d", ""]),
    ("DT-14", SECURE, "10:unusable 20:failed", ["dane"; 2], ["d", "d"]),
    ("DT-14s", SECURE_STS, "10:unusable 20:failed", ["secure 10"; 2], ["", ""]),
    ("DT-15", SECURE, "10:failed", ["TEMP later"; 2], ["d", "d"]),
    ("DT-15s", SECURE_STS, "10:failed", ["TEMP later"; 2], ["d", "d"]),
    ("DT-16", SECURE, "10:ta", ["dane-only"; 2], ["d", "d"]),
    ("DT-18", SECURE, "10:ee 20:ta", ["dane-only"; 2], ["d", "d"]),
    ("DT-20", INSECURE, "10:ee 20:none", ["dane", "NOTFOUND"], ["med", "e"]),
    ("DT-20f", INSECURE, "10:ee 20:failed", ["dane", "NOTFOUND"], ["d", "ed"]),
    ("DT-20n", INSECURE, "10:none 20:failed", ["NOTFOUND"; 2], ["med", "e"]),
    ("DT-22", DEMANDED, "10:none 20:ee 30:failed", ["dane-only"; 2], ["", ""]),
    ("DT-23", DEMANDED, "10:none", ["TEMP later"; 2], ["", ""]),
    ("DT-24", DEMANDED_INSECURE, "10:ee", ["TEMP mx-insecure: later"; 2], ["", ""]),
    ("DT-25", DEMANDED, "10:none 20:failed", ["TEMP later"; 2], ["", ""]),
    ("DT-26", SECURE_STS, "10:none(unlisted)", ["TEMP sts-no-mx-matches: later"; 2], ["", ""]),
    ("DT-27", SECURE, "10:none", ["NOTFOUND"; 2], ["med", "e"]),
];

fn rows() -> impl Iterator<Item = Row> {
    TABLE.iter().map(|&(name, (mx_secure, enforce, rule), hosts, answers, safe)| Row {
        name,
        mx_secure,
        enforce,
        rule,
        hosts,
        answers,
        safe,
    })
}

fn truth_of(row: &Row, floor: Floor) -> Truth {
    let mut asked = question(floor);
    asked.settings.rule = row.rule;
    asked.remembered = row.enforce.then(|| enforce(&["*.listed.test"]));
    truth(&destination(row.mx_secure, row.hosts), &asked)
}

/// The reply that a row means.
fn reply(truth: &Truth, answer: &str) -> Reply {
    let payload = match answer.split_once(' ') {
        Some(("secure", preferences)) => {
            let preferences: Vec<u16> =
                preferences.split(' ').map(|preference| preference.parse().unwrap()).collect();
            let hosts = truth.hosts.iter().filter(|host| preferences.contains(&host.preference));
            let names: Vec<&str> = hosts.map(|host| host.name.as_str()).collect();
            let names = if names.is_empty() { "none.test".to_owned() } else { names.join(":") };
            format!("OK secure match={names} servername=hostname")
        }
        None if answer != "NOTFOUND" => format!("OK {answer}"),
        _ => format!("{answer} "),
    };
    parse_reply(&payload).unwrap()
}

#[test]
fn every_answer_of_the_table_is_safe_and_reaches_the_best_tier() {
    for row in rows() {
        for (floor, column) in [(Floor::May, 0), (Floor::Dane, 0), (Floor::Encrypt, 1)] {
            let truth = truth_of(&row, floor);
            let answer = reply(&truth, row.answers[column]);
            let place = format!("{} {floor:?} {truth:?}", row.name);
            assert!(is_safe(&truth, &answer), "{place}");
            assert_eq!(delivers_to(&truth, &answer), best_tier(&truth), "{place}");
            let temp = matches!(answer, Reply::Temp(_));
            assert_eq!(temp, best_tier(&truth).is_none(), "{place}");
        }
    }
}

/// PD-18: choice (b) to (f) leaves exactly the answer of the table, at every floor of its columns.
#[test]
fn every_other_answer_is_worse() {
    let words = ["NOTFOUND", "TEMP x", "may", "encrypt", "dane", "dane-only"];
    let named = ["secure 10", "secure 20", "secure 10 20", "secure 10 20 30"];
    for row in rows() {
        for (floor, column) in [(Floor::May, 0), (Floor::Dane, 0), (Floor::Encrypt, 1)] {
            let truth = truth_of(&row, floor);
            let right = row.answers[column];
            let place = format!("{} {floor:?} {:?} {truth:?}", row.name, permitted(&truth));
            assert_eq!(faults(&truth, &reply(&truth, right), &[]), [], "{place}");
            for other in words.iter().chain(&named) {
                let both_temp = other.starts_with("TEMP") && right.starts_with("TEMP later");
                let same = reply(&truth, other) == reply(&truth, right);
                let faulty = !faults(&truth, &reply(&truth, other), &[]).is_empty();
                assert_eq!(faulty, !same && !both_temp, "{other} {place}");
            }
        }
    }
}

#[test]
fn weaker_answers_are_refused() {
    for row in rows() {
        for (floor, column, own) in
            [(Floor::May, 0, "may"), (Floor::Dane, 0, "dane"), (Floor::Encrypt, 1, "encrypt")]
        {
            let truth = truth_of(&row, floor);
            let safe = |level: &str| row.safe[column].contains(level.chars().next().unwrap());
            for level in ["may", "encrypt", "dane"] {
                let place = format!("{} {floor:?} {level} {truth:?}", row.name);
                assert_eq!(is_safe(&truth, &reply(&truth, level)), safe(level), "{place}");
            }
            assert_eq!(is_safe(&truth, &reply(&truth, "NOTFOUND")), safe(own), "{}", row.name);
            assert!(is_safe(&truth, &reply(&truth, "dane-only")), "{}", row.name);
            let all = reply(&truth, "secure 10 20 30");
            let named = truth.hosts.iter().all(|host| host.duty <= Duty::WebPki);
            assert_eq!(is_safe(&truth, &all), named, "{}", row.name);
            let any = parse_reply("OK secure match=nexthop").unwrap();
            let any_safe = truth.hosts.iter().all(|host| host.duty <= Duty::OwnNames);
            assert_eq!(is_safe(&truth, &any), any_safe, "{}", row.name);
        }
    }
}

#[test]
fn dt_01_no_host_and_no_policy() {
    let nowhere = destination(true, "");
    let mut missing = World::default();
    zones(&mut missing, Signing::Unsigned, &["test"]);
    let mut null = destination(true, "");
    add(&mut null, DOMAIN, mx(0, ""));
    let dead = destination(true, "10:unreachable");
    // the domain of `nowhere` exists without MX and without addresses
    for (world, secure) in [(nowhere, true), (missing, false), (null, true), (dead, true)] {
        for floor in [Floor::May, Floor::Dane, Floor::Encrypt] {
            let truth = truth(&world, &question(floor));
            assert_eq!(truth.selection, Selection::NoHosts { secure });
            assert_eq!(best_tier(&truth), None);
            let forged = Seen { name: "forged.test", mx_secure: false, state: State::NoneInsecure };
            assert!(truth.permits(forged.name, outcome(&Reply::NotFound, floor, &forged)));
            let clear = truth.permits(forged.name, Outcome::Clear);
            assert_eq!(clear, floor != Floor::Encrypt);
        }
    }
}

#[test]
fn dt_01s_no_host_but_enforce() {
    for world in [destination(true, ""), destination(false, "10:unreachable(unlisted)")] {
        let mut asked = question(Floor::May);
        asked.remembered = Some(enforce(&["*.listed.test", "mail.test"]));
        let truth = truth(&world, &asked);
        assert_eq!(best_tier(&truth), None);
        for (host, duty) in [
            ("a.listed.test", Duty::WebPki),
            ("mail.test", Duty::WebPki),
            ("a.b.listed.test", Duty::Refuse),
            ("forged.test", Duty::Refuse),
        ] {
            assert_eq!(truth.duty_of(host), duty, "{host}");
            assert!(!truth.permits(host, Outcome::Encrypt));
            assert!(!truth.permits(host, Outcome::Dane));
        }
        let patterns = parse_reply("OK secure match=.listed.test:mail.test").unwrap();
        let seen = Seen { name: "a.listed.test", mx_secure: false, state: State::NoneInsecure };
        assert_eq!(outcome(&patterns, Floor::May, &seen), Outcome::WebPki);
    }
}

#[test]
fn dt_02_the_mx_lookup_failed() {
    let mut broken = destination(true, "10:ee");
    broken.zones[0].signing = Signing::Broken;
    let mut silent = destination(true, "10:ee");
    silent.zones[0].signing = Signing::Silent;
    let mut failing = destination(true, "10:ee");
    add(&mut failing, DOMAIN, Data::Fails(Type::Mx));
    for world in [broken, silent, failing] {
        for remembered in [None, Some(enforce(&["*.listed.test"]))] {
            let mut asked = question(Floor::May);
            asked.remembered = remembered;
            let truth = truth(&world, &asked);
            assert_eq!(truth.selection, Selection::Failed);
            assert_eq!((truth.hosts.len(), best_tier(&truth)), (0, None));
            assert_eq!(truth.duty_of("h0.listed.test"), Duty::Refuse);
        }
    }
}

#[test]
fn dt_21_a_rule_that_is_off_demands_the_floor_only() {
    for (floor, duty) in [
        (Floor::May, Duty::Free),
        (Floor::Dane, Duty::Free),
        (Floor::Encrypt, Duty::Encrypt),
        (Floor::Secure, Duty::OwnNames),
    ] {
        let mut asked = question(floor);
        asked.settings.rule = Rule::Off;
        asked.remembered = Some(enforce(&["other.test"]));
        let truth = truth(&destination(true, "10:ee 20:failed"), &asked);
        assert!(truth.hosts.iter().all(|host| host.duty == duty), "{truth:?}");
        assert_eq!(truth.duty_of("stranger.test"), duty);
        assert_eq!(best_tier(&truth), Some(10));
    }
}

#[test]
fn dt_28_a_bracketed_host() {
    let mut world = destination(false, "10:ee");
    publish(&mut world, "v=STSv1; id=1", "version: STSv1\nmode: enforce\nmx: x.test\nmax_age: 9\n");
    let mut asked = question(Floor::May);
    asked.next_hop = NextHop::Host("h0.listed.test".to_owned());
    asked.remembered = Some(enforce(&["other.test"]));
    let truth = truth(&world, &asked);
    assert_eq!(truth.selection, Selection::Hosts { secure: true });
    assert_eq!(truth.enforced, None);
    assert_eq!(truth.duty_of("h0.listed.test"), Duty::Dane);
    assert_eq!(truth.duty_of("forged.test"), Duty::Refuse);
    assert!(is_safe(&truth, &reply(&truth, "dane-only")));
    assert!(!is_safe(&truth, &reply(&truth, "encrypt")));
    assert_eq!(best_tier(&truth), Some(0));
}

#[test]
fn the_floor_secure_is_met_by_the_own_level_or_more() {
    let bare = truth(&destination(true, "10:none"), &question(Floor::Secure));
    assert_eq!(bare.hosts[0].duty, Duty::OwnNames);
    assert!(is_safe(&bare, &Reply::NotFound));
    assert!(!is_safe(&bare, &reply(&bare, "encrypt")));
    assert!(is_safe(&bare, &reply(&bare, "secure 10")));
    assert_eq!(best_tier(&bare), Some(10));
    let mixed = truth(&destination(true, "10:none 20:ee"), &question(Floor::Secure));
    assert!(!is_safe(&mixed, &Reply::NotFound)); // OwnNames is no DANE
    assert_eq!(best_tier(&mixed), Some(20));
    // over an insecure set half-DANE is not used at this floor
    let open = truth(&destination(false, "10:ee"), &question(Floor::Secure));
    assert_eq!(open.hosts[0].duty, Duty::OwnNames);
}

#[test]
fn strangers() {
    let secure = plain_truth(&destination(true, "10:none"));
    assert_eq!(secure.duty_of("forged.test"), Duty::Refuse);
    let open = plain_truth(&destination(false, "10:none"));
    assert_eq!(open.duty_of("forged.test"), Duty::Free);
    let half = plain_truth(&destination(false, "10:ee 20:failed"));
    assert_eq!(half.duty_of("forged.test"), Duty::Free);
    assert_eq!(half.hosts[1].duty, Duty::Refuse);
    let mut asked = question(Floor::Encrypt);
    asked.remembered = Some(enforce(&["*.listed.test"]));
    let named = truth(&destination(false, "10:failed"), &asked);
    assert_eq!(named.duty_of("h0.listed.test"), Duty::WebPki); // PD-06: whatever TLSA it has
    assert_eq!(named.duty_of("other.listed.test"), Duty::WebPki);
    assert_eq!(named.duty_of("forged.test"), Duty::Refuse);
    asked.settings.rule = Rule::Mandatory;
    let demanded = truth(&destination(false, "10:ee"), &asked);
    assert_eq!(demanded.duty_of("forged.test"), Duty::Refuse);
}

#[test]
fn half_dane_only_where_it_is_used() {
    let world = destination(false, "10:ee 20:failed 30:address-failed");
    let duties = |asked: &hoplock_model::Question| -> Vec<Duty> {
        truth(&world, asked).hosts.iter().map(|host| host.duty).collect()
    };
    let mut asked = question(Floor::Dane);
    assert_eq!(duties(&asked), [Duty::Free, Duty::Refuse, Duty::Refuse]);
    asked.settings.half_dane = false;
    assert_eq!(duties(&asked), [Duty::Free; 3]);
    asked.settings.half_dane = true;
    asked.remembered = Some(enforce(&["*.listed.test"])); // PD-01, PD-06
    assert_eq!(duties(&asked), [Duty::WebPki; 3]);
    let unusable = plain_truth(&destination(false, "10:unusable"));
    assert_eq!(unusable.hosts[0].duty, Duty::Free);
    assert_eq!(duties(&question(Floor::Encrypt)), [Duty::Encrypt; 3]);
}

#[test]
fn mx_17_an_unbelieved_resolver() {
    let world = destination(true, "10:ee 20:none");
    let mut asked = question(Floor::May);
    asked.settings.believed = false;
    let open = truth(&world, &asked);
    assert_eq!(open.selection, Selection::Hosts { secure: false });
    assert!(open.hosts.iter().all(|host| host.state == State::NoneInsecure));
    assert!(open.hosts.iter().all(|host| host.duty == Duty::Free));
    asked.settings.seen_with_dane = true;
    let known = truth(&world, &asked);
    assert!(known.hosts.iter().all(|host| host.duty == Duty::Refuse));
    assert_eq!(best_tier(&known), None);
    asked.settings.seen_with_dane = false;
    asked.settings.rule = Rule::Mandatory;
    assert_eq!(best_tier(&truth(&world, &asked)), None);
    asked.settings.believed = true;
    asked.settings.seen_with_dane = true;
    assert_eq!(best_tier(&truth(&world, &asked)), Some(10));
    let bare = truth(&destination(true, "10:none"), &{
        asked.settings.rule = Rule::None;
        asked
    });
    assert_eq!(bare.hosts[0].duty, Duty::Free); // remembered, but the resolver is believed
}

#[test]
fn dane_stands_in_for_web_pki_over_a_secure_set_only() {
    let mut asked = question(Floor::May);
    asked.remembered = Some(enforce(&["*.listed.test"]));
    for secure in [true, false] {
        let truth = truth(&destination(secure, "10:none"), &asked);
        assert_eq!(truth.hosts[0].duty, Duty::WebPki);
        assert_eq!(truth.permits("h0.listed.test", Outcome::Dane), secure);
        assert!(truth.permits("h0.listed.test", Outcome::WebPki));
        assert!(!truth.permits("h0.listed.test", Outcome::OwnNames));
        assert!(truth.permits("h0.listed.test", Outcome::Skip));
    }
}

#[test]
fn sts_holds_for_mail_to_a_domain_only() {
    let mut asked = question(Floor::May);
    asked.remembered = Some(enforce(&["*.listed.test"]));
    assert!(truth(&destination(true, "10:none"), &asked).enforced.is_some());
    for port in [465, 587, 2525] {
        asked.port = port;
        assert_eq!(truth(&destination(true, "10:none"), &asked).enforced, None);
    }
}

/// MX-13, PF-12: P leaves a host whose addresses could not be looked up to Postfix, so it stands in
/// `match=` where it owes web PKI; one without addresses need not.
#[test]
fn mx_13_names_without_addresses() {
    let mut asked = question(Floor::May);
    asked.remembered = Some(enforce(&["*.listed.test"]));
    let world = destination(false, "10:none 20:address-failed 30:unreachable");
    let truth = truth(&world, &asked);
    for (hosts, right) in [("10", false), ("10 20", true), ("10 20 30", true), ("10 30", false)] {
        let reply = reply(&truth, &format!("secure {hosts}"));
        assert_eq!(faults(&truth, &reply, &[]).is_empty(), right, "{hosts}");
    }
}
