//! Small worlds, written in short.
#![allow(dead_code, reason = "every test file takes what it needs")]

use hoplock_model::{
    Data, Floor, Mode, NextHop, Policy, PolicyHost, Question, Record, Rule, Settings, Signing,
    State, Truth, Type, World, Zone, truth,
};

pub(crate) const DOMAIN: &str = "dest.test";

/// Adds zones.
pub(crate) fn zones(world: &mut World, signing: Signing, apexes: &[&str]) {
    let zone = |apex: &&str| Zone { apex: (*apex).to_owned(), signing };
    world.zones.extend(apexes.iter().map(zone));
}

/// Adds a record.
pub(crate) fn add(world: &mut World, owner: &str, data: Data) {
    world.records.push(Record { owner: owner.to_owned(), data });
}

pub(crate) fn alias(target: &str) -> Data {
    Data::Cname(target.to_owned())
}

pub(crate) fn mx(preference: u16, exchange: &str) -> Data {
    Data::Mx(preference, exchange.to_owned())
}

/// A TLSA record whose data are `length` octets.
pub(crate) fn tlsa(usage: u8, selector: u8, matching: u8, length: usize) -> Data {
    Data::Tlsa([vec![usage, selector, matching], vec![7; length]].concat())
}

pub(crate) fn text(strings: &[&str]) -> Data {
    Data::Txt(strings.iter().map(|string| string.as_bytes().to_vec()).collect())
}

pub(crate) fn settings(floor: Floor) -> Settings {
    Settings { floor, half_dane: true, rule: Rule::None, believed: true, seen_with_dane: false }
}

pub(crate) fn question(floor: Floor) -> Question {
    Question {
        next_hop: NextHop::Domain(DOMAIN.to_owned()),
        port: 25,
        settings: settings(floor),
        remembered: None,
        remembered_id: None,
    }
}

pub(crate) fn enforce(patterns: &[&str]) -> Policy {
    let patterns = patterns.iter().map(|&pattern| pattern.to_owned()).collect();
    Policy { mode: Mode::Enforce, patterns, max_age: 86400 }
}

/// Publishes a record and a body for the domain.
pub(crate) fn publish(world: &mut World, record: &str, body: &str) {
    add(world, &format!("_mta-sts.{DOMAIN}"), text(&[record]));
    world.policy_hosts.push(PolicyHost {
        domain: DOMAIN.to_owned(),
        certificate_valid: true,
        status: 200,
        media_type: "text/plain; charset=utf-8".to_owned(),
        body: body.as_bytes().to_vec(),
    });
}

/// A record such as `311`, or `311b` for a second of the kind, of the host with that index.
pub(crate) fn record(figures: &str, index: usize) -> Data {
    let figure = |at| figures[at..=at].parse::<u8>().unwrap();
    let data = match figure(2) {
        0 => full(figures, index),
        1 => vec![mark(figures, index); 32],
        _ => vec![mark(figures, index); 64],
    };
    Data::Tlsa([vec![figure(0), figure(1), figure(2)], data].concat())
}

/// DER that is as good as a certificate or a key to the model.
pub(crate) fn full(figures: &str, index: usize) -> Vec<u8> {
    vec![0x30, 2, mark(figures, index), 0]
}

fn mark(figures: &str, index: usize) -> u8 {
    let second = if figures.ends_with('b') { 0x80 } else { 0 };
    u8::try_from(index + 1).unwrap() + second
}

/// The domain with hosts such as `10:ee 20:none(unlisted)`, in signed zones of their own.
pub(crate) fn destination(mx_secure: bool, hosts: &str) -> World {
    let mut world = World::default();
    zones(&mut world, if mx_secure { Signing::Signed } else { Signing::Unsigned }, &[DOMAIN]);
    zones(&mut world, Signing::Signed, &["listed.test", "stray.test"]);
    zones(&mut world, Signing::Unsigned, &["open.test"]);
    for (index, host) in hosts.split_whitespace().enumerate() {
        let (preference, state) = host.split_once(':').unwrap();
        let (state, zone) = match state.strip_suffix("(unlisted)") {
            Some(state) => (state, "stray.test"),
            None if state == "none-insecure" => (state, "open.test"),
            None => (state, "listed.test"),
        };
        let name = format!("h{index}.{zone}");
        let base = format!("_25._tcp.{name}");
        add(&mut world, DOMAIN, mx(preference.parse().unwrap(), &name));
        if !matches!(state, "address-failed" | "unreachable") {
            add(&mut world, &name, Data::A);
        }
        match state {
            "ee" => add(&mut world, &base, record("311", index)),
            "ta" => add(&mut world, &base, record("201", index)),
            "unusable" => add(&mut world, &base, record("111", index)),
            "failed" => add(&mut world, &base, Data::Fails(Type::Tlsa)),
            "address-failed" => {
                add(&mut world, &name, Data::Fails(Type::A));
                add(&mut world, &name, Data::Fails(Type::Aaaa));
            }
            "none" | "none-insecure" => {}
            "unreachable" => add(&mut world, &name, text(&["here"])),
            records => {
                for figures in records.split('+') {
                    add(&mut world, &base, record(figures, index));
                }
            }
        }
    }
    world
}

/// The truth without anything special.
pub(crate) fn plain_truth(world: &World) -> Truth {
    truth(world, &question(Floor::May))
}

/// The state of the only host of a world.
pub(crate) fn only_state(world: &World) -> State {
    let truth = plain_truth(world);
    assert_eq!(truth.hosts.len(), 1, "{truth:?}");
    truth.hosts[0].state.clone()
}
