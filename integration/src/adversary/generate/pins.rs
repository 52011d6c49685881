//! Plans of a mail server without DANE of its own, from a number: its settings, records in every form that
//! can be pinned or handed over, and attacks on addresses and on probes.
//!
//! They have dice of their own, as sessions have: the others stay as they are.

use fastrand::Rng;
use hoplock_model::Type;

use super::super::plan::{Attack, Event, Kind, Millis, Plan, Pushed, Target, Victim};
use super::super::session::Shows;
use super::super::site::{Addresses, Form, MailHost, Tlsa};
use super::pick;

/// Makes some plans without an attacker such.
pub(super) fn honest(plan: &mut Plan) {
    let mut rng = Rng::with_seed(plan.seed ^ OWN_DICE);
    if rng.u8(..100) < 40 {
        plan.pins = Some(pushed(&mut rng));
        forms(&mut rng, plan);
    }
}

/// Makes some plans with an attacker such.
pub(super) fn attacked(plan: &mut Plan, span: Millis) {
    let mut rng = Rng::with_seed(plan.seed ^ OWN_DICE);
    let rng = &mut rng;
    plan.first_contact_defers = rng.u8(..100) < 15;
    if rng.u8(..100) >= 35 {
        if !plan.own_dane {
            owe_tls(plan);
        }
        return;
    }
    plan.pins = Some(pushed(rng));
    plan.own_dane = true;
    forms(rng, plan);
    for _ in 0..rng.u8(..3) {
        let from = if rng.u8(..4) == 0 { 0 } else { rng.u64(..span) };
        let long = *pick(rng, &[2_000, 30_000, 300_000, 3_600_000, span]);
        let kind = match rng.u8(..100) {
            0..35 => Kind::ForgeAddress,
            35..50 => Kind::ProbeLost,
            50..60 => Kind::ProbeLate(*pick(rng, &[300, 4_000, 9_000])),
            _ => Kind::ProbeMet(*pick(
                rng,
                &[Shows::Impostor, Shows::Padded, Shows::Attackers],
            )),
        };
        let attack = Attack {
            from,
            until: (from + long).min(span),
            victim: if rng.bool() {
                Victim::Service
            } else {
                Victim::Everyone
            },
            target: match rng.u8(..100) {
                0..85 => Target::Site(rng.usize(..plan.sites.len())),
                _ => Target::All,
            },
            types: match kind {
                Kind::ForgeAddress => vec![Type::A, Type::Aaaa],
                _ => Vec::new(),
            },
            share: 100,
            kind,
        };
        plan.attacks.push(attack);
    }
    let forges = |attack: &Attack| attack.kind == Kind::ForgeAddress;
    if plan.attacks.iter().any(forges) {
        // He may answer what the servers cannot, and give an address to who has none.
        for (_, site) in plan.sites.iter_mut().flatten() {
            for host in &mut site.hosts {
                if matches!(host.addresses, Addresses::Fail | Addresses::None) {
                    host.addresses = Addresses::Four;
                }
            }
        }
    }
    // Asked again at once, when what a probe brings has come.
    let again: Vec<(Millis, Event)> = plan
        .events
        .iter()
        .filter(|(_, event)| matches!(event, Event::Ask(_, 1)))
        .filter(|_| rng.u8(..100) < 25)
        .map(|(at, event)| (at + 1_500, event.clone()))
        .collect();
    super::with(again, plan);
}

fn pushed(rng: &mut Rng) -> Pushed {
    Pushed {
        digest: if rng.u8(..100) < 70 { 1 } else { 2 },
        strict: rng.u8(..100) < 35,
        probe: rng.u8(..100) < 70,
        has_place: rng.u8(..100) < 85,
    }
}

/// What is demanded for the sake of one host is demanded of all of them.
fn owe_tls(plan: &mut Plan) {
    for versions in &mut plan.sites {
        let binds = |host: &MailHost| host.tlsa != Tlsa::None;
        let owes_tls = versions
            .iter()
            .any(|(_, site)| site.hosts.iter().any(binds));
        for (_, site) in versions {
            for host in &mut site.hosts {
                host.server.tls |= owes_tls;
            }
        }
    }
}

/// Gives hosts records in other forms, each host the same in all versions of its site.
fn forms(rng: &mut Rng, plan: &mut Plan) {
    owe_tls(plan);
    // Where the other digest is pinned, the key that is no longer meant to count would be.
    let may_be_agile = plan.pins.is_some_and(|pins| pins.digest == 2);
    for versions in &mut plan.sites {
        let hosts = versions
            .iter()
            .map(|(_, site)| site.hosts.len())
            .max()
            .unwrap_or(0);
        for place in 0..hosts {
            let form = Form {
                selector: u8::from(rng.u8(..100) < 60),
                matching: *pick(rng, &[0, 1, 1, 1, 2]),
            };
            let turned = rng.u8(..100);
            // A certificate is made anew where the authority changes: its digest would have to roll over
            // too, which is not done here.
            let stays = versions.len() == 1;
            for (_, site) in versions.iter_mut() {
                if let Some(host) = site.hosts.get_mut(place) {
                    turn(host, form, turned, (stays, may_be_agile));
                }
            }
        }
    }
}

fn turn(host: &mut MailHost, form: Form, turned: u8, (stays, may_be_agile): (bool, bool)) {
    host.form = Form {
        selector: if stays { form.selector } else { 1 },
        ..form
    };
    let key = match host.tlsa {
        Tlsa::Keys(ref keys) if keys.len() == 1 && stays => host.server.key,
        _ => return,
    };
    match turned {
        0..18 => host.tlsa = Tlsa::Anchor(key),
        18..28 => host.tlsa = Tlsa::Both(key),
        28..38 if may_be_agile => host.tlsa = Tlsa::Agile(key),
        28..44 => host.tlsa = Tlsa::Twice(key),
        _ => {}
    }
}

const OWN_DICE: u64 = 0x00_9125;
