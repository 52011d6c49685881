//! Who is asked for, and when.

use fastrand::Rng;

use super::Breaks::{Anchor, Neither};
use super::{Mutation, Mutations};
use crate::oracle::draw::{one_of, word};
use crate::oracle::extension::{AlternativeName, Content, Known};
use crate::oracle::plan::Plan;

pub(super) const ALL: Mutations = Mutations(&[
    Mutation {
        name: "names: another host is asked for",
        breaks: Anchor,
        apply: |rng, plan| {
            plan.names = vec![format!("{}.{}.invalid", word(rng), word(rng))];
            true
        },
    },
    Mutation {
        name: "names: a host below is asked for",
        breaks: Anchor,
        apply: |rng, plan| {
            plan.names = vec![format!("{}.{}", word(rng), plan.names[0])];
            true
        },
    },
    Mutation {
        name: "names: only one of them is asked for",
        breaks: Neither,
        apply: |rng, plan| {
            let several = plan.names.len() > 1;
            plan.names = vec![one_of(rng, &plan.names)];
            several
        },
    },
    Mutation {
        name: "names: the domain above is asked for",
        breaks: Neither,
        apply: |_, plan| match plan.names[0].split_once('.') {
            Some((_, parent)) => {
                plan.names = vec![parent.to_owned()];
                true
            }
            None => false,
        },
    },
    Mutation {
        name: "names: in another order",
        breaks: Neither,
        apply: |_, plan| {
            plan.names.reverse();
            plan.names.len() > 1
        },
    },
    Mutation {
        name: "names: another host below the wildcard is asked for",
        breaks: Neither,
        apply: below_wildcard,
    },
    Mutation {
        name: "time: after the leaf has ended",
        breaks: Anchor,
        apply: |rng, plan| {
            plan.now = plan.leaf().not_after + rng.i64(1..100_000);
            true
        },
    },
    Mutation {
        name: "time: before the leaf begins",
        breaks: Anchor,
        apply: |rng, plan| {
            plan.now = plan.leaf().not_before - rng.i64(1..100_000);
            true
        },
    },
    Mutation {
        name: "time: at the edge of a certificate's",
        breaks: Neither,
        apply: edge,
    },
]);

fn below_wildcard(rng: &mut Rng, plan: &mut Plan) -> bool {
    let Some(Content::AlternativeNames(names)) = plan.leaf().extension(Known::AlternativeNames)
    else {
        return false;
    };
    let parent = names.iter().find_map(|name| match name {
        AlternativeName::Dns(text) => std::str::from_utf8(text).ok()?.strip_prefix("*."),
        _ => None,
    });
    let is_name = |octet: u8| octet.is_ascii_alphanumeric() || b".-".contains(&octet);
    let Some(parent) = parent.filter(|parent| parent.bytes().all(is_name)) else {
        return false;
    };
    let label = one_of(
        rng,
        &["mx_1", "a.b", "xn--bcher-kva", "25", "a-b--c", "_25._tcp"],
    );
    let name = format!("{label}.{parent}");
    let is_below = !parent.is_empty();
    plan.names = vec![name.trim_end_matches('.').to_owned()];
    is_below
}

/// A name with a star in it, at one of the places where it may or may not cover this one (RFC 9525, 6.3).
pub(super) fn wildcard(rng: &mut Rng, name: &str) -> String {
    let (label, parent) = name.split_once('.').unwrap_or((name, "example"));
    let (first, rest) = label.split_at(1);
    let above = parent.split_once('.').map_or("example", |(_, above)| above);
    let forms = [
        format!("*.{parent}"),
        format!("*.{parent}"),
        format!("*.{}", parent.to_uppercase()),
        format!("*.{parent}."),
        format!("{first}*.{parent}"),
        format!("*{rest}.{parent}"),
        format!("{first}*{rest}.{parent}"),
        format!("{label}.*.{above}"),
        format!("*.*.{above}"),
        format!("*.{above}"),
        format!("*.{name}"),
        format!("*{name}"),
        "*".to_owned(),
    ];
    one_of(rng, &forms)
}

/// A name as people, programs and attackers write it.
pub(super) fn spelling(rng: &mut Rng, name: &str) -> String {
    let (label, parent) = name.split_once('.').unwrap_or((name, "example"));
    let forms = [
        name.to_uppercase(),
        format!("{name}."),
        format!("{name}\0"),
        format!("{name}\0.attacker.invalid"),
        format!(".{name}"),
        format!(" {name}"),
        format!("{name} "),
        format!("{label}..{parent}"),
        format!("b\u{fc}cher.{parent}"),
        format!("xn--bcher-kva.{parent}"),
        format!("xn--{label}.{parent}"),
        format!("{label}_.{parent}"),
        format!("-{label}.{parent}"),
        format!("https://{name}/"),
        format!("postmaster@{name}"),
        format!("{}.{name}", word(rng)),
        String::new(),
        ".".to_owned(),
    ];
    one_of(rng, &forms)
}

/// The last second of something, the first, or the one beside it.
fn edge(rng: &mut Rng, plan: &mut Plan) -> bool {
    let one = plan.at(rng.usize(..plan.story.path.len()));
    let edges = [
        one.not_before - 1,
        one.not_before,
        one.not_before + 1,
        one.not_after - 1,
        one.not_after,
        one.not_after + 1,
    ];
    plan.now = one_of(rng, &edges);
    true
}
