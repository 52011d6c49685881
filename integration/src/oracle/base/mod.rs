//! Cases that are to be accepted: one for each form of record and certificate, at each depth.

mod authorities;
pub mod crowd;
mod leaf;
pub mod neighbours;

use fastrand::Rng;

pub(super) use self::authorities::identifier;

use super::draw::{between, chance, one_of, word};
use super::plan::{Form, Plan, Record, Story};

/// What a case shows: usage, selector, matching type, and the depth of the match.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Cell {
    pub usage: u8,
    pub selector: u8,
    pub matching: u8,
    pub depth: usize,
}

impl Cell {
    /// Depth 0 for DANE-EE, 1 to 3 for DANE-TA.
    pub fn all() -> Vec<Self> {
        let depths = [(3, 0), (2, 1), (2, 2), (2, 3)];
        let mut all = Vec::new();
        for (usage, depth) in depths {
            for selector in 0..2 {
                for matching in 0..3 {
                    all.push(Self {
                        usage,
                        selector,
                        matching,
                        depth,
                    });
                }
            }
        }
        all
    }

    /// The depths that no cell of the table has, up to where OpenSSL gives up.
    pub fn beyond(rng: &mut Rng) -> Self {
        Self {
            usage: 2,
            selector: rng.u8(..2),
            matching: rng.u8(..3),
            depth: rng.usize(4..=10),
        }
    }
}

/// Names under which a host is asked for.
struct Hosts {
    /// TLSA base domain, next hop, and what that is an alias of.
    names: Vec<String>,
}

impl Hosts {
    fn draw(rng: &mut Rng) -> Self {
        let domain = format!("{}.example", word(rng));
        let base = match rng.u8(..6) {
            0 => domain.clone(),
            4 | 5 => format!(
                "{}.{domain}",
                one_of(rng, &["mx_1", "mx_1", "xn--bcher-kva", "25", "a-b--c"])
            ),
            1 => format!("mx{}.{domain}", rng.u8(1..9)),
            2 => format!("mx.{}.{domain}", word(rng)),
            _ => format!("mail.{}.test", word(rng)),
        };
        let mut names = vec![base];
        if chance(rng, 70) {
            names.push(domain);
        }
        if chance(rng, 30) {
            names.push(format!("{}.{}.test", word(rng), word(rng)));
        }
        names.dedup();
        Self { names }
    }
}

/// A case that OpenSSL should accept in this cell.
pub fn base(rng: &mut Rng, cell: Cell) -> Plan {
    let hosts = Hosts::draw(rng);
    let form = form(rng, cell);
    // Half in the years around now, half until the dates need four digits and beyond.
    let now = if chance(rng, 50) {
        between(rng, 1_700_000_000, 2_050_000_000)
    } else {
        between(rng, 1_000_000_000, 3_200_000_000)
    };
    let mut plan = Plan {
        certificates: Vec::new(),
        shown: Vec::new(),
        records: Vec::new(),
        names: hosts.names,
        now,
        story: Story {
            path: Vec::new(),
            record: 0,
            form,
            depth: cell.depth,
        },
    };
    let above = match form {
        Form::EndEntity => rng.usize(..4),
        Form::Shown => cell.depth + one_of(rng, &[0, 0, 0, 1, 1, 2]),
        Form::FullRecord | Form::BareKey => cell.depth + one_of(rng, &[0, 0, 1]),
    };
    let leaf = leaf::leaf(rng, &plan);
    plan.certificates.push(leaf);
    authorities::add(rng, &mut plan, above);
    plan.story.path = (0..plan.certificates.len()).collect();
    show(rng, &mut plan, above);
    publish(&mut plan, cell);
    match form {
        Form::EndEntity if chance(rng, 40) => leaf::make_odd(rng, &mut plan),
        Form::EndEntity => {}
        _ if cell.depth == 1 && chance(rng, 15) && !needs_key_identifier(&plan) => {
            leaf::make_simple(rng, &mut plan);
        }
        _ => {}
    }
    if chance(rng, 50) {
        neighbours::add_harmless(rng, &mut plan);
    }
    if chance(rng, 30) {
        crowd::add_harmless(rng, &mut plan);
    }
    plan
}

fn form(rng: &mut Rng, cell: Cell) -> Form {
    match (cell.usage, cell.selector, cell.matching) {
        (3, ..) => Form::EndEntity,
        (_, 0, 0) if chance(rng, 50) => Form::FullRecord,
        (_, 1, 0) if chance(rng, 50) => Form::BareKey,
        _ => Form::Shown,
    }
}

/// By nothing else OpenSSL would know which of two authorities of one name has issued the leaf.
fn needs_key_identifier(plan: &Plan) -> bool {
    let issuer = plan.certificates.get(1);
    issuer.is_some_and(|issuer| issuer.is_self_issued() && !issuer.is_self_signed())
}

/// Shows what the form wants, and sometimes what is above it.
fn show(rng: &mut Rng, plan: &mut Plan, above: usize) {
    let depth = plan.story.depth;
    let last = match plan.story.form {
        Form::EndEntity => rng.usize(..=above),
        Form::Shown => rng.usize(depth..=above),
        Form::FullRecord | Form::BareKey => depth - 1,
    };
    plan.shown = plan.story.path[..=last].to_vec();
}

fn publish(plan: &mut Plan, cell: Cell) {
    let Cell {
        usage,
        selector,
        matching,
        depth,
    } = cell;
    let of = plan.story.path[depth];
    plan.records = vec![Record::of(of, usage, selector, matching)];
}
