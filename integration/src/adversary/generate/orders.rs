//! The operator's rules, from a number: for one name, for those below a name, for all; with ends that come
//! during the run, given and taken back while it lasts.
//!
//! They have dice of their own, as sessions have.

use fastrand::Rng;
use hoplock_model::{Entry, Fallback, Level, Name, Order, Pattern};

use super::super::life::wall;
use super::super::plan::{Event, Millis, Plan};
use super::super::session::certificates::of_key;
use super::{key, pick};

/// Rules of the configuration, in so many of a hundred plans.
pub(super) fn configured(plan: &Plan, share: u8) -> Vec<Entry> {
    let mut rng = Rng::with_seed(plan.seed ^ OWN_DICE);
    let rng = &mut rng;
    if rng.u8(..100) >= share {
        return Vec::new();
    }
    let number = 1 + rng.usize(..3);
    // Of two for the same destinations the first would never count.
    let mut entries: Vec<Entry> = Vec::new();
    for _ in 0..number {
        let entry = entry(rng, plan, 1_000_000);
        if entries.iter().all(|own| own.pattern != entry.pattern) {
            entries.push(entry);
        }
    }
    entries
}

/// Rules of the configuration, and what happens to rules during a run, with questions around the ends of
/// them.
pub(super) fn attacked(plan: &mut Plan, span: Millis) -> Vec<(Millis, Event)> {
    plan.rules = configured(plan, 25);
    let mut rng = Rng::with_seed(plan.seed ^ OWN_DICE ^ 1);
    let rng = &mut rng;
    let mut events: Vec<(Millis, Event)> = Vec::new();
    if rng.u8(..100) < 25 {
        for _ in 0..=rng.u8(..4) {
            let at = rng.u64(..span);
            let entry = entry(rng, plan, span);
            let pattern = entry.pattern.clone();
            events.push((at, Event::Rule(Box::new(entry))));
            if rng.u8(..3) == 0 {
                events.push((rng.u64(at..=span), Event::Lift(pattern)));
            }
        }
    }
    let given = events.iter().filter_map(|(_, event)| match event {
        Event::Rule(entry) => Some(Entry::clone(entry)),
        _ => None,
    });
    let ends: Vec<Millis> = given
        .chain(plan.rules.iter().cloned())
        .filter_map(|entry| entry.expires?.checked_mul(1000)?.checked_sub(wall(0, 0)))
        .filter(|end| *end < span)
        .collect();
    let changes: Vec<Millis> = events.iter().map(|(at, _)| *at).chain(ends).collect();
    for at in changes {
        for at in [at.saturating_sub(600), at + 300] {
            let number = rng.usize(..plan.sites.len());
            if let Some(versions) = plan.sites.get(number) {
                let asked = key(rng, number, versions);
                events.push((at, Event::Ask(asked, 1)));
            }
        }
    }
    events
}

fn entry(rng: &mut Rng, plan: &Plan, span: Millis) -> Entry {
    let number = rng.usize(..plan.sites.len());
    let hosts: Vec<(Name, u8)> = plan
        .site(number, 0)
        .map(|site| {
            let hosts = site.hosts.iter();
            hosts
                .map(|host| (host.name.clone(), host.server.key))
                .collect()
        })
        .unwrap_or_default();
    let domain = format!("d{number}.test");
    let host = rng.choice(&hosts).cloned();
    let pattern = match (rng.u8(..100), &host) {
        (0..55, _) => Pattern::Exact(domain.clone()),
        (55..63, Some((name, _))) => Pattern::Exact(name.clone()),
        (63..75, _) => Pattern::Below(domain.clone()),
        (75..85, _) => Pattern::Below("test".to_owned()),
        _ => Pattern::All,
    };
    // A key of the destination, or of nobody.
    let own_key = host.as_ref().filter(|_| rng.u8(..4) > 0);
    let digest = plan.pushed().map_or(1, |pushed| pushed.digest);
    let pin = hex(&of_key(
        own_key.map_or(STRANGERS_KEY, |(_, key)| *key),
        digest,
    ));
    let pins = vec![pin];
    let names = match rng.u8(..3) {
        0 => vec![domain],
        _ => host.map_or_else(|| vec![domain], |(name, _)| vec![name]),
    };
    let order = match rng.u8(..100) {
        0..12 => Order::Off,
        12..27 => Order::Audit,
        27..39 => Order::Opportunistic,
        39..75 => Order::Mandatory {
            fallback: match rng.u8(..100) {
                0..35 => Fallback::Defer,
                35..55 => Fallback::Fingerprint(pins),
                55..75 => Fallback::Secure(names),
                _ => Fallback::Encrypt,
            },
            on_insecure: rng.u8(..100) < 30,
        },
        _ => {
            let level = *pick(rng, &LEVELS);
            let matches = match level {
                Level::Fingerprint => pins,
                Level::Verify | Level::Secure => names,
                _ => Vec::new(),
            };
            Order::Pinned {
                level,
                matches,
                tafile: None,
            }
        }
    };
    let begin = wall(0, 0) / 1000;
    Entry {
        pattern,
        order,
        expires: match rng.u8(..100) {
            0..55 => None,
            55..90 => Some(begin + rng.u64(..=span / 1000)),
            _ => Some(begin - 10),
        },
    }
}

fn hex(data: &[u8]) -> String {
    data.iter().map(|byte| format!("{byte:02x}")).collect()
}

const LEVELS: [Level; 7] = [
    Level::May,
    Level::Encrypt,
    Level::Dane,
    Level::DaneOnly,
    Level::Fingerprint,
    Level::Verify,
    Level::Secure,
];
/// Of no host.
const STRANGERS_KEY: u8 = 250;
const OWN_DICE: u64 = 0x00_0de5;
