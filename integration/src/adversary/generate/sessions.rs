//! Sessions of the mail server and their reports, from a number.
//!
//! They have dice of their own: with and without them a number gives the same destinations, attacks and
//! questions.

use fastrand::Rng;

use super::super::plan::{Event, Key, Millis, Plan};
use super::super::session::{
    Contact, Evidence, Part, Peer, Report, Resumes, Shows, Starttls, Strength, Word,
};
use super::{key, pick};

/// Sessions that nobody touches: one or two for each destination, after its answer.
pub(super) fn honest(plan: &Plan) -> Vec<(Millis, Event)> {
    let mut rng = Rng::with_seed(plan.seed ^ OWN_DICE);
    let rng = &mut rng;
    let mut events = Vec::new();
    for (_, event) in &plan.events {
        let Event::Ask(key, _) = event else {
            continue;
        };
        // For some a second one, which may resume the first.
        let number = if rng.u8(..100) < 20 { 2 } else { 1 };
        for at in (0..number).map(|nth| AFTER_THE_ANSWERS + 5_000 * nth) {
            let ago = *pick(rng, &[0, 0, 200, 4_000]);
            if let Some(peer) = own_peer(rng, plan, key, at - ago) {
                let mut contact = Contact::plain(key.clone(), peer, ago);
                contact.bare = rng.u8(..100) < 4;
                if rng.bool() {
                    contact.resumes = Resumes::Last;
                }
                contact.report = report(rng);
                let is_told = matches!(contact.report.evidence, Evidence::None | Evidence::True);
                if !is_told {
                    contact.report.evidence = Evidence::True;
                }
                if contact.report.word == Word::Careless {
                    contact.report.word = Word::Checked;
                }
                events.push((at, Event::Session(Box::new(contact))));
            }
        }
    }
    events
}

/// Sessions after answers and at other times, which the attacker makes something of; some stand in a
/// row with the same host, and resume one another.
pub(super) fn attacked(plan: &Plan, span: Millis) -> Vec<(Millis, Event)> {
    let mut rng = Rng::with_seed(plan.seed ^ OWN_DICE);
    let rng = &mut rng;
    let mut begins: Vec<(Millis, Key)> = Vec::new();
    for (at, event) in &plan.events {
        if let Event::Ask(key, _) = event
            && rng.u8(..100) < 35
        {
            let after = *pick(rng, &[150, 2_000, 2_000, 20_000, 100_000]);
            begins.push((at + after, key.clone()));
        }
    }
    for _ in 0..rng.u8(..4) {
        let number = rng.usize(..plan.sites.len());
        if let Some(versions) = plan.sites.get(number) {
            begins.push((rng.u64(..span), key(rng, number, versions)));
        }
    }
    let mut events = Vec::new();
    for (at, key) in begins {
        let Some(first) = contact(rng, plan, key, at) else {
            continue;
        };
        if rng.u8(..100) < 30 {
            row(rng, plan, &first, at, &mut events);
        }
        events.push((at, Event::Session(Box::new(first))));
    }
    rng.shuffle(&mut events);
    events.truncate(MOST);
    events
}

/// More sessions with the same host: for the same destination or another, touched or not.
fn row(rng: &mut Rng, plan: &Plan, first: &Contact, at: Millis, events: &mut Vec<(Millis, Event)>) {
    let mut at = at;
    for _ in 0..=rng.u8(..3) {
        at += *pick(rng, &[400, 5_000, 60_000]);
        let Some(mut next) = contact(rng, plan, first.key.clone(), at) else {
            continue;
        };
        next.peer = first.peer;
        if rng.bool() {
            next.resumes = Resumes::Last;
        }
        if rng.u8(..100) < 60 {
            next.starttls = Starttls::Untouched;
            next.strength = Strength::Modern;
            next.report.left_out.clear();
            next.report.word = Word::Nothing;
        }
        if rng.u8(..100) < 15
            && let Peer::Own(place) = first.peer
        {
            // A connection that is open is used again for another destination.
            let site = first.key.site();
            let other = rng.usize(..plan.sites.len());
            (next.key, next.peer) = match rng.bool() {
                true => (Key::Host(site, place), Peer::Own(place)),
                false if other == site => (Key::Submission(site), Peer::Own(place)),
                false => (Key::Domain(other), Peer::Of(site, place)),
            };
        }
        events.push((at, Event::Session(Box::new(next))));
    }
}

fn contact(rng: &mut Rng, plan: &Plan, key: Key, at: Millis) -> Option<Contact> {
    let ago = match rng.u8(..100) {
        0..70 => *pick(rng, &[0, 0, 300]),
        70..84 => 30_000,
        84..95 => 400_000,
        _ => *pick(rng, &[4_000_000, 90_000_000]),
    };
    let ago = ago.min(at);
    let peer = match rng.u8(..100) {
        0..80 => own_peer(rng, plan, &key, at - ago),
        80..88 => a_host(rng, plan, at - ago).map(|(site, place)| Peer::Of(site, place)),
        _ => None,
    };
    let strange = matches!(key, Key::Host(..) | Key::HostSubmission(..)) && rng.u8(..100) < 85;
    if strange && peer.is_none() {
        return None;
    }
    let mut contact = Contact::plain(key, peer.unwrap_or(Peer::Attacker), ago);
    contact.starttls = match rng.u8(..100) {
        0..82 => Starttls::Untouched,
        82..90 => Starttls::Stripped,
        90..95 => Starttls::Refused,
        _ => Starttls::Spoiled,
    };
    contact.shows = match rng.u8(..100) {
        0..48 => Shows::Own,
        48..52 => Shows::Expired,
        52..58 => Shows::Attackers,
        58..63 => Shows::Misissued,
        63..73 => Shows::Impostor,
        73..81 => Shows::Padded,
        81..89 => Shows::OtherKey,
        _ => {
            let host = a_host(rng, plan, at - ago);
            host.map_or(Shows::Impostor, |(site, place)| Shows::Host(site, place))
        }
    };
    contact.bare = rng.u8(..100) < 5;
    contact.strength = match rng.u8(..100) {
        0..87 => Strength::Modern,
        87..91 => Strength::Withdrawn,
        91..96 => Strength::Anonymous,
        _ => Strength::Null,
    };
    contact.resumes = match rng.u8(..100) {
        0..80 => Resumes::Nothing,
        80..93 => Resumes::Last,
        _ => Resumes::Another(rng.usize(..3)),
    };
    contact.report = report(rng);
    Some(contact)
}

fn report(rng: &mut Rng) -> Report {
    let mut report = Report::whole();
    if rng.u8(..100) < 22 {
        for _ in 0..=rng.u8(..2) {
            let part = *pick(rng, &PARTS);
            if !report.lacks(part) {
                report.left_out.push(part);
            }
        }
    }
    report.digests = rng.u8(..100) < 8;
    report.evidence = match rng.u8(..100) {
        0..60 => Evidence::None,
        60..72 => Evidence::True,
        72..77 => Evidence::Nothing,
        77..84 => Evidence::ShownKey,
        84..90 => Evidence::ShownIssuer,
        90..96 => Evidence::Policy,
        _ => Evidence::NoPolicy,
    };
    report.word = match rng.u8(..100) {
        0..72 => Word::Nothing,
        72..82 => Word::Policy,
        82..92 => Word::Checked,
        _ => Word::Careless,
    };
    report
}

/// A host of the destination, by its place.
fn own_peer(rng: &mut Rng, plan: &Plan, key: &Key, at: Millis) -> Option<Peer> {
    let hosts = plan.site(key.site(), at)?.hosts.len();
    match key {
        Key::Host(_, place) | Key::HostSubmission(_, place) => Some(Peer::Own(*place)),
        _ if hosts == 0 => None,
        _ => Some(Peer::Own(rng.usize(..hosts))),
    }
}

/// Any host of any site.
fn a_host(rng: &mut Rng, plan: &Plan, at: Millis) -> Option<(usize, usize)> {
    let number = rng.usize(..plan.sites.len());
    let hosts = plan.site(number, at)?.hosts.len();
    (hosts > 0).then(|| (number, rng.usize(..hosts)))
}

const PARTS: [Part; 10] = [
    Part::NextHop,
    Part::Host,
    Part::Address,
    Part::Port,
    Part::Starttls,
    Part::Version,
    Part::Cipher,
    Part::Sni,
    Part::Shown,
    Part::Resumed,
];
/// By then all answers of an honest run are there.
const AFTER_THE_ANSWERS: Millis = 40_000;
/// Sessions of one run.
const MOST: usize = 24;
const OWN_DICE: u64 = 0x005e_5510;
