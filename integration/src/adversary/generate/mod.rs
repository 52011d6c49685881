//! A plan from a number: what is published, how it changes, what the attacker does, what is asked, which
//! sessions are made and reported.
//!
//! Interesting things are made likely: questions come shortly before and after attacks begin and end,
//! records change, and TTLs end.

mod changes;
mod orders;
mod pins;
mod sessions;
mod sites;

use fastrand::Rng;
use hoplock_model::{Entry, Fallback, Floor, Order, Pattern, Type};

use super::plan::{Attack, Event, Key, Kind, Millis, NameServer, Plan, Target, Victim};
use super::site::Site;

/// A plan without an attacker and without changes: many destinations, each asked about once, and a few
/// sessions with the hosts of each.
#[must_use]
pub fn honest(seed: u64, destinations: usize) -> Plan {
    let mut rng = Rng::with_seed(seed);
    let servers = vec![NameServer::Validating];
    let floor = floor(&mut rng);
    let half_dane = rng.u8(..100) < 80;
    let make = |number| {
        let site = sites::site(&mut rng, number, floor, Broken::Some);
        vec![(0, site)]
    };
    let sites: Vec<Vec<(Millis, Site)>> = (0..destinations).map(make).collect();
    let mut rng = Rng::with_seed(seed ^ 0x5eed);
    let ask = |(number, versions): (usize, &Vec<(Millis, Site)>)| {
        let key = key(&mut rng, number, versions);
        (1000, Event::Ask(key, 1))
    };
    let events = sites.iter().enumerate().map(ask).collect();
    let mut plan = Plan {
        seed,
        servers,
        floor,
        own_dane: true,
        pins: None,
        deadline: POSTFIX,
        half_dane,
        first_contact_defers: false,
        rules: Vec::new(),
        file: false,
        sites,
        attacks: Vec::new(),
        events,
        blind_from: None,
    };
    pins::honest(&mut plan);
    plan.rules = orders::configured(&plan, 30);
    with(sessions::honest(&plan), &mut plan);
    plan
}

/// A plan with an attacker.
#[must_use]
pub fn attacked(seed: u64) -> Plan {
    let mut rng = Rng::with_seed(seed);
    let rng = &mut rng;
    let servers = servers(rng);
    let floor = floor(rng);
    let all_validate = servers
        .iter()
        .all(|server| *server == NameServer::Validating);
    let broken = if all_validate {
        Broken::Some
    } else {
        Broken::None
    };
    let servers_are_plain = servers.contains(&NameServer::Plain);
    let span = span(rng);
    let number = 1 + rng.usize(..4);
    let sites: Vec<Vec<(Millis, Site)>> = (0..number)
        .map(|number| {
            let first = sites::site(rng, number, floor, broken);
            changes::of(rng, first, span, floor)
        })
        .collect();
    let attacks = attacks(rng, &sites, servers.len(), span);
    let blind = all_validate && rng.u8(..100) < 4;
    let blind_from = blind.then(|| rng.u64(..span));
    let mut events = asks(rng, &sites, &attacks, span);
    let file = rng.u8(..100) < 30;
    if file {
        deaths(rng, &mut events, span);
    }
    if rng.u8(..100) < 12 {
        for _ in 0..=rng.u8(..2) {
            let by = *pick(rng, &[-3_600_000, 60_000, 864_000_000, -1_795_514_400_000]);
            events.push((rng.u64(..span), Event::Wall(by)));
        }
    }
    if rng.u8(..100) < 20 {
        for _ in 0..=rng.u8(..3) {
            let drawn = rng.u8(..4);
            let at = rng.u64(..span);
            let pattern = Pattern::Exact(format!("d{}.test", rng.usize(..number)));
            events.push((at, simple(drawn, pattern)));
        }
    }
    let mut plan = Plan {
        seed,
        servers,
        floor,
        own_dane: !servers_are_plain || rng.bool(),
        pins: None,
        deadline: *pick(rng, &[POSTFIX, POSTFIX, HURRIED]),
        half_dane: rng.u8(..100) < 80,
        first_contact_defers: false,
        rules: Vec::new(),
        file,
        sites,
        attacks,
        events,
        blind_from,
    };
    pins::attacked(&mut plan, span);
    let ordered = orders::attacked(&mut plan, span);
    with(ordered, &mut plan);
    with(sessions::attacked(&plan, span), &mut plan);
    plan
}

/// The same where everything is set as strictly as can be: what is then left of the declared exceptions are
/// the operator's rules, and what nobody can know.
#[must_use]
pub fn strictest(seed: u64) -> Plan {
    let mut plan = attacked(seed);
    plan.first_contact_defers = true;
    if let Some(pins) = &mut plan.pins {
        pins.strict = true;
    }
    plan
}

/// A rule in two words: DANE is demanded, nothing is, or it is taken back.
fn simple(drawn: u8, pattern: Pattern) -> Event {
    let order = match drawn {
        0 | 1 => Order::Mandatory {
            fallback: Fallback::Defer,
            on_insecure: false,
        },
        2 => Order::Off,
        _ => return Event::Lift(pattern),
    };
    Event::Rule(Box::new(Entry {
        pattern,
        order,
        expires: None,
    }))
}

/// More happens in the plan.
fn with(events: Vec<(Millis, Event)>, plan: &mut Plan) {
    plan.events.extend(events);
    plan.events.sort_by_key(|(at, _)| *at);
}

/// A plan whose first process is killed at this call to its outside, right before the first question.
#[must_use]
pub fn killed(seed: u64, calls: u64) -> Plan {
    let mut plan = attacked(seed);
    plan.file = true;
    let is_ask = |(_, event): &&(Millis, Event)| matches!(event, Event::Ask(..));
    let first = plan.events.iter().find(is_ask).map_or(0, |(at, _)| *at);
    plan.events.push((first, Event::Crash(calls)));
    // Before the question of the same time.
    plan.events
        .sort_by_key(|(at, event)| (*at, matches!(event, Event::Ask(..))));
    plan
}

/// A plan in which everybody asks at once: thousands of questions side by side.
#[must_use]
pub fn crowd(seed: u64) -> Plan {
    let mut plan = attacked(seed);
    for (at, event) in &mut plan.events {
        if let Event::Ask(_, times) = event {
            *times = 500;
            *at -= *at % 10_000;
        }
    }
    plan.events.sort_by_key(|(at, _)| *at);
    plan
}

/// Whether zones may be there that no validator accepts.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Broken {
    Some,
    None,
}

fn floor(rng: &mut Rng) -> Floor {
    match rng.u8(..100) {
        0..66 => Floor::May,
        66..76 => Floor::Dane,
        76..92 => Floor::Encrypt,
        _ => Floor::Secure,
    }
}

fn servers(rng: &mut Rng) -> Vec<NameServer> {
    use NameServer::{Plain, Remote, Validating};
    match rng.u8(..100) {
        0..55 => vec![Validating],
        55..68 => vec![Validating, Validating],
        68..84 => vec![Validating, Plain],
        84..88 => vec![Plain],
        88..91 => vec![Validating, Remote],
        _ => vec![Remote],
    }
}

fn span(rng: &mut Rng) -> Millis {
    match rng.u8(..100) {
        0..45 => 600_000,
        45..75 => 3_600_000,
        75..93 => 3 * 3_600_000,
        _ => 10 * 86_400_000,
    }
}

fn attacks(
    rng: &mut Rng,
    sites: &[Vec<(Millis, Site)>],
    servers: usize,
    span: Millis,
) -> Vec<Attack> {
    let number = rng.usize(..6);
    let attack = |_| {
        let from = if rng.u8(..4) == 0 { 0 } else { rng.u64(..span) };
        let long = *pick(rng, &[2_000, 30_000, 300_000, 3_600_000, span]);
        let kind = kind(rng);
        Attack {
            from,
            until: (from + long).min(span),
            victim: if rng.bool() {
                Victim::Service
            } else {
                Victim::Everyone
            },
            target: match rng.u8(..100) {
                0..78 => Target::Site(rng.usize(..sites.len())),
                78..88 => Target::All,
                88..93 => Target::SelfTest,
                _ => Target::NameServer(rng.usize(..servers)),
            },
            types: types(rng),
            share: *pick(rng, &[100, 100, 100, 50, 20]),
            kind,
        }
    };
    (0..number).map(attack).collect()
}

fn types(rng: &mut Rng) -> Vec<Type> {
    match rng.u8(..100) {
        0..25 => Vec::new(),
        25..45 => vec![Type::Tlsa],
        45..65 => vec![Type::Mx],
        65..82 => vec![Type::Txt],
        82..94 => vec![Type::A, Type::Aaaa],
        _ => vec![Type::Cname],
    }
}

fn kind(rng: &mut Rng) -> Kind {
    match rng.u8(..100) {
        0..12 => Kind::Drop,
        12..22 => Kind::Delay(*pick(rng, &[300, 1_600, 4_000, 6_000])),
        22..36 => Kind::ServFail,
        36..40 => Kind::Refused,
        40..45 => Kind::Truncate(rng.bool()),
        45..55 => Kind::NxDomain,
        55..61 => Kind::NoData,
        61..71 => Kind::ForgeMx,
        71..75 => Kind::Stale(*pick(rng, &[10_000, 400_000, 4_000_000])),
        75..78 => Kind::Garbage,
        78..80 => Kind::ForeignFirst,
        80..88 => Kind::Reset,
        88..92 => Kind::Redirect,
        92..96 => Kind::WrongCertificate,
        _ => Kind::Slow(*pick(rng, &[3_000, 15_000, 60_000])),
    }
}

/// Questions at random, and around everything that begins or ends.
fn asks(
    rng: &mut Rng,
    sites: &[Vec<(Millis, Site)>],
    attacks: &[Attack],
    span: Millis,
) -> Vec<(Millis, Event)> {
    let mut times = Vec::new();
    for attack in attacks {
        times.extend([attack.from, attack.from + 700, attack.until + 500]);
        times.extend([attack.until + 310_000, attack.until.saturating_sub(500)]);
    }
    for versions in sites {
        for (from, site) in versions {
            let ttl = u64::from(site.ttls.longest()) * 1000;
            times.extend([*from, from.saturating_sub(900), from + ttl + 2_500]);
            times.extend([from + ttl / 2, from + 2 * ttl]);
            if let Some(sts) = &site.sts {
                times.push(from + sts.max_age * 1000 + 2_000);
            }
        }
    }
    for _ in 0..8 {
        times.push(rng.u64(..span));
    }
    times.retain(|at| *at < span + 400_000);
    rng.shuffle(&mut times);
    times.truncate(24);
    let crowd = rng.u16(..1000) < 2;
    let mut events = Vec::new();
    for at in times {
        let number = rng.usize(..sites.len());
        let key = sites.get(number).map(|versions| key(rng, number, versions));
        let times = match rng.u8(..100) {
            _ if crowd => 400,
            0..90 => 1,
            _ => 3,
        };
        events.extend(key.map(|key| (at, Event::Ask(key, times))));
    }
    events
}

fn key(rng: &mut Rng, number: usize, versions: &[(Millis, Site)]) -> Key {
    let hosts = versions.first().map_or(0, |(_, site)| site.hosts.len());
    match rng.u8(..100) {
        0..80 => Key::Domain(number),
        80..86 => Key::Submission(number),
        _ if hosts == 0 => Key::Domain(number),
        86..95 => Key::Host(number, rng.usize(..hosts)),
        _ => Key::HostSubmission(number, rng.usize(..hosts)),
    }
}

/// Ends of the process, in order and otherwise.
fn deaths(rng: &mut Rng, events: &mut Vec<(Millis, Event)>, span: Millis) {
    let asks: Vec<Millis> = events.iter().map(|(at, _)| *at).collect();
    for _ in 0..=rng.u8(..3) {
        if rng.u8(..100) < 65 {
            let at = asks.get(rng.usize(..asks.len().max(1))).copied();
            let calls = 1 + rng.u64(..40);
            events.push((at.unwrap_or(0).saturating_sub(1), Event::Crash(calls)));
        } else {
            let down = *pick(rng, &[100, 5_000, 400_000]);
            let by = *pick(rng, &[0, 0, 0, -86_400_000, 40_000, 864_000_000]);
            events.push((rng.u64(..span), Event::Restart(down, by)));
        }
    }
}

/// What Postfix is answered within.
const POSTFIX: Millis = 20_000;
/// What those are answered within that wait for five seconds.
const HURRIED: Millis = 4_000;

fn pick<'a, T>(rng: &mut Rng, of: &'a [T]) -> &'a T {
    rng.choice(of).unwrap()
}
