//! The operator's rules: precedence, expiry, and what each orders (OP-*, PD-08 to PD-10, DT-21 to
//! DT-25), for a Postfix with DANE of its own and for one without.
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
    Data, Duty, Entry, Fallback, Fault, Floor, Level, NextHop, Order, Pattern, Permitted, Pins,
    Profile, Reply, Signing, Site, Truth, Type, World, faults, is_safe, order_for, parse_reply,
    permitted, truth_at,
};

const FLOORS: [Floor; 4] = [Floor::May, Floor::Dane, Floor::Encrypt, Floor::Secure];

fn profiles() -> [Profile; 2] {
    [Profile::OwnDane, Profile::Pins(Pins::default())]
}

fn entry(pattern: Pattern, order: Order) -> Entry {
    Entry { pattern, order, expires: None }
}

fn exact(name: &str) -> Pattern {
    Pattern::Exact(name.to_owned())
}

fn below(name: &str) -> Pattern {
    Pattern::Below(name.to_owned())
}

fn mandatory(fallback: Fallback, on_insecure: bool) -> Order {
    Order::Mandatory { fallback, on_insecure }
}

fn pinned(level: Level, matches: &[&str]) -> Order {
    let matches = matches.iter().map(|&element| element.to_owned()).collect();
    Order::Pinned { level, matches, tafile: None }
}

/// The truth where that is ordered for everything.
fn under(world: &World, profile: &Profile, floor: Floor, enforced: bool, order: &Order) -> Truth {
    let mut asked = question(floor);
    asked.remembered = enforced.then(|| enforce(&["*.listed.test"]));
    let rules = vec![entry(Pattern::All, order.clone())];
    truth_at(world, &asked, &Site { profile: profile.clone(), rules, ..Site::default() })
}

fn wrong(truth: &Truth, payload: &str) -> Vec<Fault> {
    faults(truth, &parse_reply(payload).unwrap(), &[])
}

/// Of all these payloads the first alone is permitted.
fn only(truth: &Truth, payload: &str) {
    assert_eq!(wrong(truth, payload), [], "{payload}: {:?} {truth:?}", permitted(truth));
    let level = |word| format!("OK {word}");
    let fixed = ["NOTFOUND ", "TEMP other: words"].map(str::to_owned);
    let levels = ["may", "encrypt", "dane", "dane-only"].map(level);
    let lists = ["fingerprint match=aa", "secure match=a.test", "secure match=h0.listed.test"];
    let lists = lists.map(|list| format!("OK {list} servername=hostname"));
    for other in fixed.iter().chain(&levels).chain(&lists) {
        let delays = other.starts_with("TEMP") && payload.starts_with("TEMP later");
        if other != payload && !delays {
            assert_ne!(wrong(truth, other), [], "{other} beside {payload}: {truth:?}");
        }
    }
}

/// OP-01: exact name beats suffix, the longer suffix beats the shorter, suffix beats "*", and a
/// suffix is for what lies below it, not for itself.
#[test]
fn op_01_precedence() {
    let named = |word: &str| pinned(Level::Secure, &[word]);
    let rules = [
        entry(Pattern::All, named("all")),
        entry(below("test"), named("below test")),
        entry(exact("a.b.test"), named("exact")),
        entry(below("b.test"), named("below b.test")),
    ];
    let reversed: Vec<Entry> = rules.iter().rev().cloned().collect();
    for rules in [rules.to_vec(), reversed] {
        for (name, word) in [
            ("a.b.test", "exact"),
            ("c.b.test", "below b.test"),
            ("x.a.b.test", "below b.test"),
            ("b.test", "below test"),
            ("xb.test", "below test"),
            ("test", "all"),
            ("b.example", "all"),
            ("xtest", "all"),
        ] {
            assert_eq!(order_for(&rules, name, 0), Some(named(word)), "{name}");
        }
    }
    assert_eq!(order_for(&[entry(below("test"), Order::Off)], "test", 0), None);
}

/// OP-05: an entry that has expired is as if it were not there, so the next one is in force.
#[test]
fn op_05_expiry() {
    let until = |pattern, order, expires| Entry { pattern, order, expires: Some(expires) };
    let rules = [
        until(exact(DOMAIN), Order::Off, 100),
        until(Pattern::All, mandatory(Fallback::Defer, false), 200),
    ];
    let world = destination(true, "10:none");
    let at = |now| {
        let site = Site { rules: rules.to_vec(), now, ..Site::default() };
        truth_at(&world, &question(Floor::Encrypt), &site)
    };
    only(&at(99), "OK encrypt");
    only(&at(100), "TEMP later");
    only(&at(199), "TEMP later");
    only(&at(200), "NOTFOUND ");
}

/// OP-01: "DANE for chosen destinations only", and off for chosen ones, in one set of rules. The
/// rule belongs to the next hop, in brackets or not.
#[test]
fn op_01_on_and_off_for_chosen_ones() {
    let world = destination(true, "10:ee 20:none");
    let seen = |next_hop, rules: &[Entry]| {
        let mut asked = question(Floor::May);
        asked.next_hop = next_hop;
        truth_at(&world, &asked, &Site { rules: rules.to_vec(), ..Site::default() })
    };
    let domain = || NextHop::Domain(DOMAIN.to_owned());
    let chosen = [entry(Pattern::All, Order::Off), entry(exact(DOMAIN), Order::Opportunistic)];
    only(&seen(domain(), &chosen), "OK dane");
    only(&seen(NextHop::Host("h0.listed.test".to_owned()), &chosen), "NOTFOUND ");
    let spared = [entry(below("listed.test"), Order::Off)];
    only(&seen(domain(), &spared), "OK dane");
    only(&seen(NextHop::Host("h0.listed.test".to_owned()), &spared), "NOTFOUND ");
    only(&seen(NextHop::Host("h0.listed.test".to_owned()), &[]), "OK dane-only");
}

/// OP-03, DT-21: off and audit say `may` where the own default is `dane`, `encrypt` under that
/// floor, else nothing; whatever DNS or a policy says, and whatever fails.
#[test]
fn op_03_off_and_audit() {
    let mut failing = destination(true, "10:ee");
    add(&mut failing, DOMAIN, Data::Fails(Type::Mx));
    let worlds = [
        destination(true, "10:ee 20:none"),
        destination(true, "10:failed 20:unusable"),
        destination(false, "10:ee"),
        destination(true, "10:unreachable"),
        failing,
    ];
    for order in [Order::Off, Order::Audit] {
        let open = under(&worlds[2], &Profile::OwnDane, Floor::Dane, false, &order);
        assert!(!open.half_dane);
        for (world, profile) in worlds.iter().flat_map(|world| profiles().map(|at| (world, at))) {
            for (enforced, floor) in FLOORS.iter().flat_map(|floor| [(true, floor), (false, floor)])
            {
                let truth = under(world, &profile, *floor, enforced, &order);
                only(
                    &truth,
                    match floor {
                        Floor::Dane => "OK may",
                        Floor::Encrypt => "OK encrypt",
                        Floor::May | Floor::Secure => "NOTFOUND ",
                    },
                );
            }
        }
    }
}

/// OP-03: `opportunistic` is the law as it is.
#[test]
fn op_03_opportunistic() {
    for (mx_secure, hosts) in [(true, "10:ee 20:none"), (false, "10:ee"), (true, "10:failed")] {
        let world = destination(mx_secure, hosts);
        for profile in profiles() {
            let truth = under(&world, &profile, Floor::May, false, &Order::Opportunistic);
            let site = Site { profile, ..Site::default() };
            let bare = truth_at(&world, &question(Floor::May), &site);
            assert_eq!(permitted(&truth), permitted(&bare));
        }
    }
}

fn strategies() -> [(Fallback, &'static str); 4] {
    let names = vec!["b.test".to_owned(), "A.test".to_owned()];
    [
        (Fallback::Defer, "TEMP later"),
        (
            Fallback::Fingerprint(vec!["AA:bb".to_owned()]),
            "OK fingerprint match=aabb servername=hostname",
        ),
        (Fallback::Secure(names), "OK secure match=a.test:b.test servername=hostname"),
        (Fallback::Encrypt, "OK encrypt"),
    ]
}

/// PD-09, DT-23: where there are provably no usable records, the strategy answers, with exactly
/// what is configured; at any floor, and also where a policy is in force.
#[test]
fn dt_23_the_four_strategies() {
    for (fallback, answer) in strategies() {
        for hosts in ["10:none", "10:unusable", "10:none 20:unusable 30:unreachable"] {
            for profile in profiles() {
                for (floor, enforced) in
                    FLOORS.map(|at| (at, false)).into_iter().chain([(Floor::May, true)])
                {
                    let world = destination(true, hosts);
                    let order = mandatory(fallback.clone(), false);
                    let truth = under(&world, &profile, floor, enforced, &order);
                    only(&truth, answer);
                }
            }
        }
    }
}

/// PD-09, PF-10, PD-17: not one name or pin more or less, and without any there is delay.
#[test]
fn pd_09_exactly_what_is_configured() {
    let world = destination(true, "10:none");
    let of =
        |fallback| under(&world, &Profile::OwnDane, Floor::May, false, &mandatory(fallback, false));
    let [_, (pins, _), (names, _), _] = strategies();
    let truth = of(names);
    let secure = |names| format!("OK secure match={names} servername=hostname");
    assert_eq!(wrong(&truth, &secure("a.test")), [Fault::Lost("b.test".to_owned())]);
    assert_eq!(
        wrong(&truth, &secure("a.test:b.test:nexthop")),
        [Fault::Stray("nexthop".to_owned())]
    );
    assert_eq!(wrong(&truth, "OK secure match=a.test:b.test"), [Fault::Servername]);
    let verify = wrong(&truth, "OK verify match=a.test:b.test servername=hostname");
    assert!(matches!(verify[..], [Fault::Word(_)]));
    let truth = of(pins);
    let pinned = wrong(&truth, "OK fingerprint match=aabb|cc servername=hostname");
    assert_eq!(pinned, [Fault::Stray("cc".to_owned())]);
    only(&of(Fallback::Fingerprint(vec![])), "TEMP later");
    only(&of(Fallback::Secure(vec![])), "TEMP later");
}

/// PD-10, DT-25: no strategy fires on a failed lookup of any kind, nor where the resolver is not
/// believed (MX-17).
#[test]
fn pd_10_never_on_failure() {
    let mut broken = destination(true, "10:none");
    broken.zones[0].signing = Signing::Broken;
    let worlds = [
        destination(true, "10:failed"),
        destination(true, "10:none 20:failed"),
        destination(true, "10:none 20:address-failed"),
        destination(true, "10:address-failed 20:unusable"),
        destination(false, "10:none 20:failed"),
        broken,
    ];
    for (fallback, _) in strategies() {
        let order = mandatory(fallback, true);
        for (world, profile) in worlds.iter().flat_map(|world| profiles().map(|at| (world, at))) {
            for enforced in [false, true] {
                only(&under(world, &profile, Floor::May, enforced, &order), "TEMP later");
            }
        }
        let mut asked = question(Floor::May);
        asked.settings.believed = false;
        for order in [order, mandatory(Fallback::Encrypt, false)] {
            let site = Site { rules: vec![entry(Pattern::All, order)], ..Site::default() };
            only(&truth_at(&destination(true, "10:none"), &asked, &site), "TEMP later");
        }
    }
    let bounded = Site {
        rules: vec![entry(Pattern::All, mandatory(Fallback::Encrypt, true))],
        examined: Some(1), // MX-20
        ..Site::default()
    };
    let world = destination(true, "10:none 20:none");
    only(&truth_at(&world, &question(Floor::May), &bounded), "TEMP later");
}

/// PD-08, DT-24: over an insecure MX set there is delay, whose reason says so, or the strategy
/// where the rule allows that; records found that way do not count.
#[test]
fn dt_24_an_insecure_set() {
    for hosts in ["10:none", "10:ee", "10:ee 20:unusable"] {
        for (profile, enforced) in
            profiles().into_iter().flat_map(|at| [(at.clone(), true), (at, false)])
        {
            for (fallback, answer) in strategies() {
                let world = destination(false, hosts);
                let order = mandatory(fallback.clone(), false);
                let truth = under(&world, &profile, Floor::May, enforced, &order);
                only(&truth, "TEMP mx-insecure: later");
                let other = wrong(&truth, "TEMP something: mx-insecure");
                assert_eq!(other, [Fault::Reason("mx-insecure")]);
                let order = mandatory(fallback, true);
                only(&under(&world, &profile, Floor::May, enforced, &order), answer);
            }
        }
    }
}

/// PD-10, NX-04: behind a secure set, a host in unsigned space is absence only where the rule
/// takes that for enough.
#[test]
fn nx_04_a_host_in_unsigned_space() {
    let world = destination(true, "10:none-insecure 20:none");
    for profile in profiles() {
        let under = |on_insecure| {
            under(&world, &profile, Floor::May, false, &mandatory(Fallback::Encrypt, on_insecure))
        };
        only(&under(false), "TEMP later");
        only(&under(true), "OK encrypt");
        assert!(is_safe(&under(true), &parse_reply("OK encrypt").unwrap()));
    }
}

/// DT-22: one usable host is enough for DANE, whatever the others; no strategy, and no policy,
/// reaches those.
#[test]
fn dt_22_a_usable_host() {
    for hosts in ["10:ee", "10:ee 20:none", "10:ee 20:failed", "10:ee 20:unusable 30:none"] {
        for enforced in [false, true] {
            let order = mandatory(Fallback::Encrypt, true);
            let world = destination(true, hosts);
            let own = under(&world, &Profile::OwnDane, Floor::May, enforced, &order);
            only(&own, "OK dane-only");
            let bare = own.hosts.iter().skip(1);
            assert!(bare.clone().all(|host| host.duty == Duty::Refuse));
            let pins = under(&world, &profiles()[1], Floor::May, enforced, &order);
            let pin = "01".repeat(32);
            only(&pins, &format!("OK fingerprint match={pin} servername=hostname"));
        }
    }
    // usable, though it cannot be said without a probe: that is no absence
    let order = mandatory(Fallback::Encrypt, true);
    for hosts in ["10:ta", "10:312", "10:ta 20:none"] {
        let world = destination(true, hosts);
        only(&under(&world, &profiles()[1], Floor::May, false, &order), "TEMP later");
        only(&under(&world, &profiles()[0], Floor::May, false, &order), "OK dane-only");
    }
    // TU-08: switched off is unusable, and so it is
    let off = Profile::Pins(Pins { trust_anchor_digests: false, ..Pins::default() });
    only(&under(&destination(true, "10:ta"), &off, Floor::May, false, &order), "OK encrypt");
}

/// RFC 7672, 6: a domain that must have DANE and has no hosts is not left to the own default; a
/// strategy or delay.
#[test]
fn mandatory_without_hosts() {
    for profile in profiles() {
        for (secure, on_insecure, fallback) in
            [(true, false, true), (true, true, true), (false, false, false), (false, true, true)]
        {
            let world = destination(secure, "10:unreachable");
            let order = mandatory(Fallback::Encrypt, on_insecure);
            let truth = under(&world, &profile, Floor::May, true, &order);
            assert_eq!(wrong(&truth, "TEMP x"), []);
            assert_eq!(wrong(&truth, "OK encrypt").is_empty(), fallback);
            assert_ne!(wrong(&truth, "NOTFOUND "), []);
            assert_ne!(wrong(&truth, "OK secure match=.listed.test servername=hostname"), []);
        }
    }
}

/// OP-05, PD-01: a pinned answer stands before DANE, MTA-STS and every failure.
#[test]
fn op_05_pinned_answers() {
    let mut failing = destination(true, "10:ee");
    add(&mut failing, DOMAIN, Data::Fails(Type::Mx));
    let worlds = [destination(true, "10:ee"), destination(false, "10:none"), failing];
    for (order, answer) in [
        (pinned(Level::May, &[]), "OK may"),
        (pinned(Level::Encrypt, &[]), "OK encrypt"),
        (
            pinned(Level::Fingerprint, &["bb", "AA"]),
            "OK fingerprint match=aa|bb servername=hostname",
        ),
        (pinned(Level::Secure, &["a.test"]), "OK secure match=a.test servername=hostname"),
        (pinned(Level::Verify, &["a.test"]), "OK verify match=a.test"),
        // PF-10, PD-17: never without a list
        (pinned(Level::Fingerprint, &[]), "TEMP later"),
        (pinned(Level::Secure, &[]), "TEMP later"),
        // PF-14: no list where Postfix forbids one
        (pinned(Level::Encrypt, &["a.test"]), "OK encrypt"),
    ] {
        for (world, profile) in worlds.iter().flat_map(|world| profiles().map(|at| (world, at))) {
            for floor in FLOORS {
                only(&under(world, &profile, floor, true, &order), answer);
            }
        }
    }
    // PD-11: only to a mail server that can
    for level in [Level::Dane, Level::DaneOnly] {
        let word = if level == Level::Dane { "OK dane" } else { "OK dane-only" };
        let order = pinned(level, &[]);
        let [own, pins] = profiles();
        only(&under(&worlds[1], &own, Floor::May, false, &order), word);
        only(&under(&worlds[1], &pins, Floor::May, false, &order), "TEMP later");
    }
}

/// OP-05, PF-14: the operator's CA file goes with the levels that take one.
#[test]
fn op_05_a_ca_file() {
    let order = |level| {
        let (matches, tafile) = (vec!["aa".to_owned()], Some("/ca".to_owned()));
        Order::Pinned { level, matches, tafile }
    };
    let of = |level| {
        under(&destination(true, "10:ee"), &Profile::OwnDane, Floor::May, false, &order(level))
    };
    let with = |file| format!("OK secure match=aa tafile={file} servername=hostname");
    assert_eq!(wrong(&of(Level::Secure), &with("/ca")), []);
    assert_eq!(wrong(&of(Level::Secure), &with("/other")), [Fault::Tafile]);
    assert_ne!(wrong(&of(Level::Secure), "OK secure match=aa servername=hostname"), []);
    assert_eq!(wrong(&of(Level::Verify), "OK verify match=aa tafile=/ca"), []);
    let pins = of(Level::Fingerprint);
    assert_eq!(wrong(&pins, "OK fingerprint match=aa servername=hostname"), []);
}

/// The least that a session owes under an order is what the weakest session under its answer is.
#[test]
fn duties_under_orders() {
    let [(defer, _), (pins, _), (names, _), (encrypt, _)] = strategies();
    for (order, duty) in [
        (Order::Audit, Duty::Free),
        (mandatory(defer, false), Duty::Refuse),
        (mandatory(pins, false), Duty::Dane),
        (mandatory(names, false), Duty::OwnNames),
        (mandatory(encrypt, false), Duty::Encrypt),
        (pinned(Level::May, &[]), Duty::Free),
        (pinned(Level::Encrypt, &[]), Duty::Encrypt),
        (pinned(Level::Secure, &["a.test"]), Duty::OwnNames),
        (pinned(Level::Fingerprint, &["aa"]), Duty::Dane),
    ] {
        let truth =
            under(&destination(true, "10:none"), &Profile::OwnDane, Floor::May, false, &order);
        assert_eq!(truth.hosts[0].duty, duty, "{order:?}");
    }
}

/// PD-07, OP-06: with half-DANE off no DANE is claimed over an insecure set; `may` says so to a
/// mail server whose own default is `dane`.
#[test]
fn pd_07_half_dane_off() {
    let mut asked = question(Floor::Dane);
    let world = destination(false, "10:ee 20:none");
    let seen = |asked: &_| truth_at(&world, asked, &Site::default());
    only(&seen(&asked), "OK dane");
    asked.settings.half_dane = false;
    let may = parse_reply("OK may").unwrap();
    for good in [&may, &Reply::NotFound] {
        assert_eq!(faults(&seen(&asked), good, &[]), []);
    }
    asked.settings.floor = Floor::May;
    only(&seen(&asked), "NOTFOUND ");
    assert_eq!(permitted(&seen(&asked)), [Permitted::NotFound]);
}

/// The law, choice: hosts that the mail server's limit of addresses leaves untried count in what
/// is compared, and only there.
#[test]
fn the_address_limit() {
    let with = |hosts: &str, profile: &Profile, limit| {
        let site = Site { profile: profile.clone(), address_limit: limit, ..Site::default() };
        truth_at(&destination(true, hosts), &question(Floor::May), &site)
    };
    let [own, pins] = profiles();
    only(&with("10:ee 20:none", &own, None), "OK dane");
    only(&with("10:ee 20:none", &own, Some(2)), "OK dane");
    only(&with("10:ee 20:none", &own, Some(1)), "OK dane-only"); // both reach one host
    only(&with("10:none 20:ee", &own, Some(1)), "OK dane"); // but no host falls below its duty
    only(&with("10:unusable 20:failed", &pins, Some(1)), "TEMP later");
    let tier = "10:ee 10:200 20:200";
    let level = |truth: &Truth| match &permitted(truth)[..] {
        [Permitted::Level { level, .. }] => *level,
        other => panic!("{other:?}"),
    };
    assert_eq!(level(&with(tier, &pins, Some(3))), Level::Secure);
    assert_eq!(level(&with(tier, &pins, Some(2))), Level::Fingerprint);
}
