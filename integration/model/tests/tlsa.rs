//! Where TLSA records are sought (TB-*), and which are usable (TU-*).
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
use hoplock_model::{Data, Floor, NextHop, Signing, State, Type, World, truth};

const HOST: &str = "host.near.test";
const BASE: &str = "_25._tcp.host.near.test";
const FAR_BASE: &str = "_25._tcp.host.far.test";

/// A world with one host, whose zone and an alias's target zone are signed as told.
fn world(near: Signing, far: Signing) -> World {
    let mut world = World::default();
    zones(&mut world, Signing::Signed, &[DOMAIN]);
    zones(&mut world, near, &["near.test"]);
    zones(&mut world, far, &["far.test"]);
    add(&mut world, DOMAIN, mx(10, HOST));
    world
}

fn aliased(near: Signing, far: Signing) -> World {
    let mut world = world(near, far);
    add(&mut world, HOST, alias("host.far.test"));
    add(&mut world, "host.far.test", Data::A);
    world
}

fn marked(usage: u8) -> Data {
    tlsa(usage, 1, 1, 32)
}

fn usage(world: &World) -> u8 {
    match only_state(world) {
        State::Usable(records) => records[0].0,
        other => panic!("{other:?}"),
    }
}

const SIGNED: Signing = Signing::Signed;
const UNSIGNED: Signing = Signing::Unsigned;

#[test]
fn tb_01_an_insecure_host_is_not_asked() {
    let mut world = world(UNSIGNED, SIGNED);
    add(&mut world, HOST, Data::A);
    add(&mut world, BASE, Data::Fails(Type::Tlsa));
    assert_eq!(only_state(&world), State::NoneInsecure);
}

#[test]
fn tb_02_the_port_counts() {
    let mut world = world(SIGNED, SIGNED);
    add(&mut world, HOST, Data::A);
    add(&mut world, "_587._tcp.host.near.test", marked(3));
    let mut asked = question(Floor::May);
    asked.next_hop = NextHop::Host(HOST.to_owned());
    assert_eq!(truth(&world, &asked).hosts[0].state, State::NoneSecure);
    asked.port = 587;
    assert!(matches!(truth(&world, &asked).hosts[0].state, State::Usable(_)));
}

#[test]
fn tb_03_expanded_before_original() {
    let mut both = aliased(SIGNED, SIGNED);
    add(&mut both, FAR_BASE, marked(2));
    add(&mut both, BASE, marked(3));
    assert_eq!(usage(&both), 2);
    let mut original = aliased(SIGNED, SIGNED);
    add(&mut original, BASE, marked(3));
    assert_eq!(usage(&original), 3);
    // unusable records at the expanded name end the search too
    let mut unusable = aliased(SIGNED, SIGNED);
    add(&mut unusable, FAR_BASE, marked(1));
    add(&mut unusable, BASE, marked(3));
    assert_eq!(only_state(&unusable), State::Unusable);
}

#[test]
fn tb_04_failure_ends_the_search_and_insecurity_does_not() {
    let mut failed = aliased(SIGNED, SIGNED);
    add(&mut failed, FAR_BASE, Data::Fails(Type::Tlsa));
    add(&mut failed, BASE, marked(3));
    assert_eq!(only_state(&failed), State::Failed);
    let mut insecure = aliased(SIGNED, SIGNED);
    zones(&mut insecure, UNSIGNED, &["open.test"]);
    add(&mut insecure, FAR_BASE, alias("shared.open.test"));
    add(&mut insecure, "shared.open.test", marked(2));
    assert_eq!(only_state(&insecure), State::NoneInsecure);
    add(&mut insecure, BASE, marked(3));
    assert_eq!(usage(&insecure), 3);
}

#[test]
fn tb_05_a_secure_alias_into_unsigned_space() {
    let mut world = aliased(SIGNED, UNSIGNED);
    assert_eq!(only_state(&world), State::NoneSecure);
    add(&mut world, FAR_BASE, marked(2));
    assert_eq!(only_state(&world), State::NoneSecure);
    add(&mut world, BASE, marked(3));
    assert_eq!(usage(&world), 3);
    add(&mut world, HOST, Data::Fails(Type::Cname));
    assert_eq!(only_state(&world), State::Failed);
    let mut open = aliased(UNSIGNED, SIGNED);
    add(&mut open, FAR_BASE, marked(2));
    add(&mut open, BASE, marked(3));
    assert_eq!(only_state(&open), State::NoneInsecure);
    add(&mut open, BASE, Data::Fails(Type::Tlsa)); // TB-01: not asked
    assert_eq!(only_state(&open), State::NoneInsecure);
}

#[test]
fn tb_06_nothing_in_the_middle() {
    let mut world = world(SIGNED, SIGNED);
    add(&mut world, HOST, alias("middle.far.test"));
    add(&mut world, "middle.far.test", alias("host.far.test"));
    add(&mut world, "host.far.test", Data::A);
    add(&mut world, "_25._tcp.middle.far.test", marked(3));
    assert_eq!(only_state(&world), State::NoneSecure);
}

#[test]
fn tb_07_an_aliased_record_set() {
    for (far, expected) in [(SIGNED, true), (UNSIGNED, false)] {
        let mut world = world(SIGNED, far);
        add(&mut world, HOST, Data::A);
        add(&mut world, BASE, alias("shared.far.test"));
        add(&mut world, "shared.far.test", marked(3));
        assert_eq!(matches!(only_state(&world), State::Usable(_)), expected);
    }
    let mut circle = world(SIGNED, SIGNED);
    add(&mut circle, HOST, Data::A);
    add(&mut circle, BASE, alias(BASE));
    assert_eq!(only_state(&circle), State::Failed);
}

#[test]
fn tb_08_tb_09_tb_10() {
    let mut world = world(SIGNED, SIGNED);
    add(&mut world, HOST, Data::A);
    assert_eq!(only_state(&world), State::NoneSecure);
    zones(&mut world, UNSIGNED, &[BASE]);
    assert_eq!(only_state(&world), State::NoneInsecure); // an unproved denial
    add(&mut world, BASE, marked(3));
    assert_eq!(only_state(&world), State::NoneInsecure); // visible and insecure
    zones(&mut world, Signing::Broken, &[BASE]);
    assert_eq!(only_state(&world), State::Failed);
}

#[test]
fn tb_12_one_family_is_enough() {
    let mut world = world(SIGNED, SIGNED);
    add(&mut world, BASE, marked(3));
    assert_eq!(only_state(&world), State::Unreachable);
    add(&mut world, HOST, Data::Fails(Type::A));
    assert_eq!(only_state(&world), State::AddressFailed); // neither absence is proved
    add(&mut world, HOST, Data::Aaaa);
    assert_eq!(usage(&world), 3);
}

fn state_of(rdata: &[Vec<u8>]) -> State {
    let mut world = world(SIGNED, SIGNED);
    add(&mut world, HOST, Data::A);
    for rdata in rdata {
        add(&mut world, BASE, Data::Tlsa(rdata.clone()));
    }
    only_state(&world)
}

fn rdata(usage: u8, selector: u8, matching: u8, data: &[u8]) -> Vec<u8> {
    [&[usage, selector, matching], data].concat()
}

#[test]
fn tu_01_the_grid() {
    for usage in 0..=255 {
        for selector in [0, 1, 2, 7, 255] {
            for matching in [0, 1, 2, 3, 200, 255] {
                let data: &[u8] = match matching {
                    0 => &[0x30, 2, 5, 0],
                    2 => &[9; 64],
                    _ => &[9; 32],
                };
                let record = rdata(usage, selector, matching, data);
                let usable = matches!((usage, selector, matching), (2 | 3, 0 | 1, 0..=2));
                let expected = if usable {
                    State::Usable(vec![(usage, selector, matching, data.to_vec())])
                } else {
                    State::Unusable
                };
                assert_eq!(state_of(&[record]), expected);
            }
        }
    }
}

#[test]
fn tu_06_malformed_alone_and_beside_a_good_one() {
    let long = |first: &[u8], length: usize| [first, &vec![1; length]].concat();
    let good = rdata(3, 1, 1, &[4; 32]);
    let bad = [
        rdata(3, 1, 1, &[4; 31]),
        rdata(3, 1, 1, &[4; 33]),
        rdata(3, 1, 2, &[4; 63]),
        rdata(3, 1, 2, &[4; 32]),
        rdata(3, 0, 0, &[]),
        rdata(3, 0, 0, b"garbage"),
        rdata(3, 0, 0, &[0x30]),
        rdata(3, 0, 0, &[0x30, 0]),
        rdata(3, 0, 0, &[0x30, 0x80, 0, 0]),
        rdata(3, 0, 0, &long(&[0x30, 0x80], 128)),
        rdata(3, 0, 0, &long(&[0x30, 5], 6)),
        rdata(3, 0, 0, &long(&[0x30, 0x81, 200], 199)),
        rdata(3, 0, 0, &long(&[0x31, 0x81, 200], 200)),
        vec![3, 1, 1],
        vec![3],
        vec![],
    ];
    for record in bad {
        assert_eq!(state_of(std::slice::from_ref(&record)), State::Unusable, "{record:?}");
        let State::Usable(kept) = state_of(&[record, good.clone()]) else { panic!() };
        assert_eq!(kept.len(), 1);
    }
    for full in
        [long(&[0x30, 0x7f], 127), long(&[0x30, 0x81, 200], 200), long(&[0x30, 0x82, 1, 44], 300)]
    {
        assert!(matches!(state_of(&[rdata(2, 0, 0, &full)]), State::Usable(_)));
    }
}

#[test]
fn tu_10_no_agility_before_the_session() {
    let State::Usable(kept) =
        state_of(&[rdata(3, 1, 1, &[4; 32]), rdata(3, 1, 2, &[4; 64]), rdata(1, 1, 1, &[4; 32])])
    else {
        panic!()
    };
    assert_eq!(kept.len(), 2);
}
