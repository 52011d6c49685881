//! Resolution, and the choice of hosts (MX-*).
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
use hoplock_model::{Answer, Data, Duty, Floor, Selection, Signing, State, Type, World, truth};

fn world(zoned: &[(&str, Signing)], records: &[(&str, Data)]) -> World {
    let mut world = World::default();
    for (apex, signing) in zoned {
        zones(&mut world, *signing, &[apex]);
    }
    for (owner, data) in records {
        add(&mut world, owner, data.clone());
    }
    world
}

fn secure(answer: &Answer) -> Option<bool> {
    match answer {
        Answer::Records { secure, .. }
        | Answer::NoData { secure, .. }
        | Answer::NxDomain { secure, .. } => Some(*secure),
        Answer::Failed => None,
    }
}

#[test]
fn existence() {
    use Signing::{Signed, Unsigned};
    let world = world(
        &[("a.test", Signed), ("b.test", Unsigned)],
        &[
            ("x.y.a.test", Data::A),
            ("f.a.test", Data::Fails(Type::A)),
            ("outside.example", Data::A),
        ],
    );
    let none = || vec![];
    let no_data = Answer::NoData { secure: true, aliases: none() };
    let no_name = Answer::NxDomain { secure: true, aliases: none() };
    assert_eq!(world.lookup("x.y.a.test", Type::Aaaa), no_data);
    assert_eq!(world.lookup("y.a.test", Type::A), no_data); // empty non-terminal
    assert_eq!(world.lookup("a.test", Type::A), no_data); // apex
    assert_eq!(world.lookup("test", Type::A), no_data); // above an apex
    assert_eq!(world.lookup("", Type::A), no_data);
    assert_eq!(world.lookup("z.a.test", Type::A), no_name);
    assert_eq!(world.lookup("ya.test", Type::A), no_name);
    assert_eq!(world.lookup("outside.example", Type::A), no_name); // in no zone
    assert_eq!(world.lookup("example", Type::A), no_name);
    assert_eq!(world.lookup("f.a.test", Type::A), Answer::Failed);
    assert_eq!(world.lookup("f.a.test", Type::Mx), no_data); // a failing type exists as well
    assert_eq!(
        world.lookup("z.b.test", Type::A),
        Answer::NxDomain { secure: false, aliases: none() }
    );
    let data = vec![Data::A];
    assert_eq!(
        world.lookup("x.y.a.test", Type::A),
        Answer::Records { secure: true, data, aliases: none() }
    );
}

#[test]
fn every_type_answers_for_itself() {
    let all = [
        (Type::A, Data::A),
        (Type::Aaaa, Data::Aaaa),
        (Type::Mx, mx(1, "m.test")),
        (Type::Tlsa, tlsa(3, 1, 1, 32)),
        (Type::Txt, text(&["(A"])),
    ];
    let records: Vec<(&str, Data)> = all.iter().map(|(_, data)| ("n.test", data.clone())).collect();
    let mut world = world(&[("test", Signing::Signed)], &records);
    for (record_type, data) in all {
        let Answer::Records { data: found, .. } = world.lookup("n.test", record_type) else {
            panic!("{record_type:?}");
        };
        assert_eq!(found, [data]);
    }
    add(&mut world, "c.test", alias("n.test"));
    let Answer::Records { data, aliases, .. } = world.lookup("c.test", Type::Cname) else {
        panic!();
    };
    assert_eq!((data, aliases.len()), (vec![alias("n.test")], 0));
}

#[test]
fn zones_below_zones() {
    use Signing::{Broken, Signed, Silent, Unsigned};
    for (above, below, expected) in [
        (Signed, Signed, Some(true)),
        (Signed, Unsigned, Some(false)),
        (Unsigned, Signed, Some(false)), // an island
        (Unsigned, Unsigned, Some(false)),
        (Broken, Signed, None),
        (Silent, Signed, None),
        (Broken, Unsigned, None),
        (Signed, Broken, None),
        (Signed, Silent, None),
    ] {
        let world = world(&[("test", above), ("a.test", below)], &[("n.a.test", Data::A)]);
        assert_eq!(secure(&world.lookup("n.a.test", Type::A)), expected, "{above:?} {below:?}");
        assert_eq!(secure(&world.lookup("no.a.test", Type::A)), expected, "{above:?} {below:?}");
    }
}

#[test]
fn mx_02_the_security_of_aliases() {
    use Signing::{Broken, Signed, Unsigned};
    let chains = [
        (Signed, Signed, Some(true)),
        (Signed, Unsigned, Some(false)),
        (Unsigned, Signed, Some(false)),
        (Signed, Broken, None),
    ];
    for (first, second, expected) in chains {
        let world = world(
            &[("a.test", first), ("b.test", second)],
            &[("a.test", alias("b.test")), ("b.test", mx(1, "m.b.test"))],
        );
        for record_type in [Type::Mx, Type::A] {
            let answer = world.lookup("a.test", record_type);
            assert_eq!(secure(&answer), expected);
        }
        let missing = world.lookup("a.test", Type::Txt);
        let ends =
            expected.map(|secure| Answer::NoData { secure, aliases: vec!["b.test".to_owned()] });
        assert_eq!(missing, ends.unwrap_or(Answer::Failed));
    }
}

#[test]
fn mx_11_long_chains_and_circles() {
    let chain = |length: usize| {
        let mut world = world(&[("test", Signing::Signed)], &[]);
        for step in 0..length {
            add(&mut world, &format!("n{step}.test"), alias(&format!("n{}.test", step + 1)));
        }
        add(&mut world, &format!("n{length}.test"), Data::A);
        world.lookup("n0.test", Type::A)
    };
    let Answer::Records { aliases, .. } = chain(16) else { panic!() };
    assert_eq!((aliases.len(), aliases[15].as_str()), (16, "n16.test"));
    assert_eq!(chain(17), Answer::Failed);
    let circle = world(
        &[("test", Signing::Signed)],
        &[("a.test", alias("b.test")), ("b.test", alias("a.test"))],
    );
    assert_eq!(circle.lookup("a.test", Type::Mx), Answer::Failed);
    let dangling = world(&[("test", Signing::Signed)], &[("a.test", alias("b.test"))]);
    let end = Answer::NxDomain { secure: true, aliases: vec!["b.test".to_owned()] };
    assert_eq!(dangling.lookup("a.test", Type::A), end);
}

#[test]
fn mx_05_implicit_mx() {
    for (signing, duty) in [(Signing::Signed, Duty::Dane), (Signing::Unsigned, Duty::Free)] {
        let base = format!("_25._tcp.{DOMAIN}");
        let world = world(&[(DOMAIN, signing)], &[(DOMAIN, Data::A), (&base, tlsa(3, 1, 1, 32))]);
        let truth = plain_truth(&world);
        assert_eq!(truth.hosts.len(), 1);
        assert_eq!((truth.hosts[0].name.as_str(), truth.hosts[0].preference), (DOMAIN, 0));
        assert_eq!(truth.hosts[0].duty, duty);
    }
}

#[test]
fn mx_06_mx_07_mx_08_no_falling_back() {
    let missing = world(&[("test", Signing::Signed)], &[]);
    assert_eq!(plain_truth(&missing).selection, Selection::NoHosts { secure: true });
    let mut dead = destination(true, "10:unreachable");
    add(&mut dead, DOMAIN, Data::A);
    let truth = plain_truth(&dead);
    assert_eq!(truth.selection, Selection::NoHosts { secure: true });
    assert_eq!(truth.hosts.len(), 1); // the unreachable one; not the domain
    let mut mixed = destination(true, "10:ee");
    add(&mut mixed, DOMAIN, mx(0, ""));
    let truth = plain_truth(&mixed);
    assert_eq!(truth.selection, Selection::Hosts { secure: true });
    assert_eq!(truth.hosts.len(), 1);
}

#[test]
fn mx_09_order_and_mx_14_dead_hosts() {
    let world = destination(true, "30:none 10:none 20:ee 5:unreachable");
    let truth = plain_truth(&world);
    let order: Vec<u16> = truth.hosts.iter().map(|host| host.preference).collect();
    assert_eq!(order, [5, 10, 20, 30]);
    assert_eq!(truth.hosts[0].state, State::Unreachable);
    assert_eq!(hoplock_model::best_tier(&truth), Some(10));
}

#[test]
fn mx_10_an_exchange_that_is_an_alias() {
    let mut world = destination(true, "");
    add(&mut world, DOMAIN, mx(10, "mail.dest.test"));
    add(&mut world, "mail.dest.test", alias("h.listed.test"));
    add(&mut world, "h.listed.test", Data::Aaaa);
    assert_eq!(only_state(&world), State::NoneSecure);
    add(&mut world, "_25._tcp.h.listed.test", tlsa(3, 1, 1, 32));
    assert!(matches!(only_state(&world), State::Usable(_)));
}

#[test]
fn mx_13_failed_addresses() {
    let world = destination(true, "10:address-failed");
    let truth = truth(&world, &question(Floor::May));
    assert_eq!(truth.hosts[0].state, State::AddressFailed);
    assert_eq!(truth.hosts[0].duty, Duty::Refuse);
    assert_eq!(hoplock_model::best_tier(&truth), None);
}

#[test]
fn mx_21_an_address_for_an_exchange() {
    let mut world = destination(true, "");
    add(&mut world, DOMAIN, mx(10, "192.0.2.1"));
    assert_eq!(only_state(&world), State::NoneInsecure);
}
