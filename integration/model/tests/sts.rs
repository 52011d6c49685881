//! MTA-STS records, policies, patterns and the policy in force (ST-*).
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
use hoplock_model::{Data, Floor, Mode, Policy, Type, World, covers, parse_policy, truth};

const BODY: &str = "version: STSv1\nmode: enforce\nmx: live.test\nmax_age: 86400\n";

fn enforced(world: &World, old: Option<(Policy, &str)>) -> Option<Vec<String>> {
    let mut asked = question(Floor::May);
    asked.remembered_id = old.as_ref().map(|(_, id)| (*id).to_owned());
    asked.remembered = old.map(|(policy, _)| policy);
    truth(world, &asked).enforced
}

fn with(record: &str, body: &str) -> World {
    let mut world = destination(false, "10:none");
    publish(&mut world, record, body);
    world
}

fn live() -> Option<Vec<String>> {
    Some(vec!["live.test".to_owned()])
}

fn old() -> Option<Vec<String>> {
    Some(vec!["old.test".to_owned()])
}

#[test]
fn st_02_st_03_records() {
    let longest = format!("v=STSv1; id={}", "a".repeat(32));
    let longest_name = format!("v=STSv1; id=1; {}=x", "n".repeat(32));
    for good in [
        "v=STSv1; id=20160831085700Z;",
        "v=STSv1;id=1",
        "v=STSv1 \t;\t id=1 \t;\t ",
        "v=STSv1; a.b-c_d=!x<y>~; id=1",
        "v=STSv1; id=1; id=2",
        "v=STSv1; id=1; ID=x-y",
        "v=STSv1; v=STSv1; id=1",
        longest.as_str(),
        longest_name.as_str(),
    ] {
        assert_eq!(enforced(&with(good, BODY), None), live(), "{good}");
    }
    let too_long = format!("v=STSv1; id={}", "a".repeat(33));
    let too_long_name = format!("v=STSv1; id=1; {}=x", "n".repeat(33));
    for bad in [
        "",
        "v=STSv1",
        "v=STSv1;",
        "v=STSv1; ",
        "v=STSv10; id=1",
        "V=STSv1; id=1",
        "v=stsv1; id=1",
        " v=STSv1; id=1",
        "v =STSv1; id=1",
        "id=1; v=STSv1",
        "v=STSv1 id=1",
        "v=STSv1; id=",
        "v=STSv1; id = 1",
        "v=STSv1; id=a-b",
        "v=STSv1; id=a b",
        "v=STSv1; id=1;;",
        "v=STSv1;; id=1",
        "v=STSv1; id=1; ;",
        "v=STSv1; id=1 ",
        "v=STSv1; id=1\n",
        "v=STSv1; ID=1",
        "v=STSv1; id=é",
        "v=STSv1; id=1; x",
        "v=STSv1; id=1; x=",
        "v=STSv1; id=1; =x",
        "v=STSv1; id=1; x=a=b",
        "v=STSv1; id=1; _x=a",
        "v=STSv1; id=1; x=é",
        "v=STSv1; id=a-b; id=1",
        too_long.as_str(),
        too_long_name.as_str(),
    ] {
        assert_eq!(enforced(&with(bad, BODY), None), None, "{bad}");
        // ST-04: and evicts nothing
        assert_eq!(enforced(&with(bad, BODY), Some((enforce(&["old.test"]), "0"))), old(), "{bad}");
    }
}

#[test]
fn st_01_st_02_several_records_and_strings() {
    let owner = format!("_mta-sts.{DOMAIN}");
    let mut other = with("v=STSv1; id=1", BODY);
    add(&mut other, &owner, text(&["unrelated"]));
    add(&mut other, &owner, text(&["v=STSv10; id=2"]));
    assert_eq!(enforced(&other, None), live());
    add(&mut other, &owner, text(&["v=STSv1; broken"]));
    assert_eq!(enforced(&other, None), None);
    let mut split = with("unrelated", BODY);
    add(&mut split, &owner, text(&["v=STS", "v1; i", "d=1"]));
    assert_eq!(enforced(&split, None), live());
    let mut aliased = with("unrelated", BODY);
    aliased.records.retain(|record| record.owner != owner);
    add(&mut aliased, &owner, alias("sts.listed.test"));
    add(&mut aliased, "sts.listed.test", text(&["v=STSv1; id=1"]));
    assert_eq!(enforced(&aliased, None), live());
}

#[test]
fn st_04_st_05_st_13_st_14_st_24_the_policy_in_force() {
    let remembered = || Some((enforce(&["old.test"]), "1"));
    let mut failing = with("v=STSv1; id=2", BODY);
    add(&mut failing, &format!("_mta-sts.{DOMAIN}"), Data::Fails(Type::Txt));
    assert_eq!(enforced(&failing, None), None);
    assert_eq!(enforced(&failing, remembered()), old());
    assert_eq!(enforced(&destination(true, "10:none"), remembered()), old());
    assert_eq!(enforced(&with("v=STSv1; id=1", BODY), remembered()), old());
    assert_eq!(enforced(&with("v=STSv1; id=2", BODY), remembered()), live());
    assert_eq!(enforced(&with("v=STSv1; id=2", "junk"), remembered()), old());
    assert_eq!(enforced(&with("v=STSv1; id=2", "junk"), None), None);
    for mode in ["none", "testing"] {
        let body = BODY.replace("enforce", mode);
        assert_eq!(enforced(&with("v=STSv1; id=2", &body), remembered()), None);
        assert_eq!(enforced(&with("v=STSv1; id=1", &body), remembered()), old());
    }
    let mut asked = question(Floor::May);
    asked.remembered_id = Some("1".to_owned()); // an id without a policy is none
    assert_eq!(truth(&with("v=STSv1; id=1", BODY), &asked).enforced, live());
    let quiet = Policy { mode: Mode::None, patterns: vec![], max_age: 1 };
    assert_eq!(enforced(&with("v=STSv1; id=1", BODY), Some((quiet, "1"))), None);
}

#[test]
fn st_07_st_08_st_10_st_11_fetching() {
    let changed = |change: fn(&mut hoplock_model::PolicyHost)| {
        let mut world = with("v=STSv1; id=1", BODY);
        change(&mut world.policy_hosts[0]);
        enforced(&world, None)
    };
    assert_eq!(changed(|_| {}), live());
    assert_eq!(changed(|host| host.media_type = "TEXT/Plain ; x=y".to_owned()), live());
    assert_eq!(changed(|host| host.media_type = "text/html".to_owned()), None);
    assert_eq!(changed(|host| host.media_type = "text/plainer".to_owned()), None);
    assert_eq!(changed(|host| host.media_type = String::new()), None);
    assert_eq!(changed(|host| host.certificate_valid = false), None);
    assert_eq!(changed(|host| host.status = 301), None);
    assert_eq!(changed(|host| host.status = 204), None);
    assert_eq!(changed(|host| host.domain = "parent.test".to_owned()), None);
    let pad = |host: &mut hoplock_model::PolicyHost, size: usize| {
        let room = size - host.body.len() - 3;
        host.body.extend([b"x: ".to_vec(), vec![b'y'; room]].concat());
    };
    for (size, expected) in [(65536, live()), (65537, None)] {
        let mut world = with("v=STSv1; id=1", BODY);
        pad(&mut world.policy_hosts[0], size);
        assert_eq!(world.policy_hosts[0].body.len(), size);
        assert_eq!(enforced(&world, None), expected);
    }
}

#[test]
fn st_15_to_st_18_policies() {
    let policy = |body: &str| parse_policy(body.as_bytes());
    let plain =
        Policy { mode: Mode::Enforce, patterns: vec!["live.test".to_owned()], max_age: 86400 };
    for good in [
        BODY,
        "version: STSv1\r\nmode: enforce\r\nmx: live.test\r\nmax_age: 86400",
        "mx:live.test \t\nmax_age:\t 86400\nmode:enforce\nversion:STSv1\n",
        "version: STSv1\nmode: enforce\nmode: none\nmx: live.test\nmax_age: 86400\nmax_age: 1\n",
        "version: STSv1\nmode: enforce\nmx: live.test\nmax_age: 86400\nx.y-z_1: {é a=b}\tok\n",
    ] {
        let tab = good.contains("}\t");
        assert_eq!(policy(good), (!tab).then(|| plain.clone()), "{good:?}");
    }
    let braces = format!("{BODY}ext: {{ match=x }} ü\n");
    assert_eq!(policy(&braces), Some(plain)); // ST-30
    for bad in [
        "",
        "\n",
        "mode: enforce\nmx: live.test\nmax_age: 86400\n",
        "version: STSv1\nmx: live.test\nmax_age: 86400\n",
        "version: STSv1\nmode: enforce\nmx: live.test\n",
        "version: STSv1\nmode: enforce\nmax_age: 86400\n",
        "version: STSv1\nmode: testing\nmax_age: 86400\n",
        "version: STSv2\nmode: enforce\nmx: live.test\nmax_age: 86400\n",
        "version: STSv1\nmode: report\nmx: live.test\nmax_age: 86400\n",
        "version: STSv1\nmode: Enforce\nmx: live.test\nmax_age: 86400\n",
        "Version: STSv1\nmode: enforce\nmx: live.test\nmax_age: 86400\n",
        "version: STSv1\n\nmode: enforce\nmx: live.test\nmax_age: 86400\n",
        "version: STSv1\nmode: enforce\nmx: live.test\nmax_age: 86400\n\n",
        "version: STSv1\nmode: enforce\nmx: live.test\nmax_age: 86400\r",
        "version: STSv1\rmode: enforce\rmx: live.test\rmax_age: 86400\r",
        " version: STSv1\nmode: enforce\nmx: live.test\nmax_age: 86400\n",
        "version : STSv1\nmode: enforce\nmx: live.test\nmax_age: 86400\n",
        "version: STSv1\nmode: enforce\nmx: live.test\nmax_age: 86400\nextension\n",
        "version: STSv1\nmode: enforce\nmx: live.test\nmax_age: 86400\nextension:\n",
        "version: STSv1\nmode: enforce\nmx: live.test, b.test\nmax_age: 86400\n",
        "\u{feff}version: STSv1\nmode: enforce\nmx: live.test\nmax_age: 86400\n",
    ] {
        assert_eq!(policy(bad), None, "{bad:?}");
    }
    assert_eq!(parse_policy(&[BODY.as_bytes(), &[b'x', b':', 0xff]].concat()), None);
    let none = policy("version: STSv1\nmode: none\nmax_age: 0\n").unwrap();
    assert_eq!((none.mode, none.max_age), (Mode::None, 0));
    for (age, expected) in [
        ("0", Some(0)),
        ("31557600", Some(31_557_600)),
        ("31557601", Some(31_557_600)),
        ("9999999999", Some(31_557_600)),
        ("0000086400", Some(86400)),
        ("99999999999", None),
        ("-1", None),
        ("+1", None),
        ("1.5", None),
        ("1 000", None),
    ] {
        let found = policy(&BODY.replace("86400", age)).map(|policy| policy.max_age);
        assert_eq!(found, expected, "{age}");
    }
}

#[test]
fn st_19_patterns() {
    let label = "a".repeat(63);
    let is_good =
        |pattern: &str| parse_policy(BODY.replace("live.test", pattern).as_bytes()).is_some();
    for good in
        ["*.test", "MAIL.Example", "xn--bcher-kva.test", "a", "1.test", &format!("{label}.b")]
    {
        assert!(is_good(good), "{good}");
    }
    let long_label = format!("{label}a.b");
    let long_name = [label.as_str(); 4].join(".");
    for bad in [
        "*.*.x",
        "**.x",
        "a.*.x",
        "*",
        "*.",
        "*x.test",
        "192.0.2.1",
        "[192.0.2.1]",
        "2001:db8::1",
        "bücher.test",
        "a-.test",
        "-a.test",
        "a..test",
        ".test",
        "a.test.",
        "a_b.test",
        "a b.test",
        &long_label,
        &long_name,
    ] {
        assert!(!is_good(bad), "{bad}");
    }
}

#[test]
fn st_20_matching() {
    for (pattern, host, expected) in [
        ("m.b.test", "m.b.test", true),
        ("M.B.Test", "m.b.test", true),
        ("*.b.test", "m.b.test", true),
        ("*.B.test", "m.b.test", true),
        ("*.b.test", "b.test", false),
        ("*.b.test", "x.m.b.test", false),
        ("*.b.test", "mb.test", false),
        ("b.test", "m.b.test", false),
        ("*.test", "test", false),
    ] {
        assert_eq!(covers(pattern, host), expected, "{pattern} {host}");
    }
}
