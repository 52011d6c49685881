//! The target `decide`: any evidence, rules and MTA, through the law and into words.

use super::bytes::Bytes;
use super::evidence;
use super::laws::{Ruling, laws};
use super::orders;
use super::reply;
use crate::findings::{DaneFinding, Findings};
use crate::law::{Answer, decide as decide_by_law, decide_without_lookup, without_findings};
use crate::law::{Conditions, LawOptions, Verdict, rows::Row};
use crate::next_hop::NextHop;
use crate::reason::Reason;
use crate::render::{Rendered, View, explain, json, render};
use crate::rules::Rules;

/// The target `decide`: everything that the law looks at, made of the bytes.
pub fn decide(bytes: &[u8]) {
    let mut bytes = Bytes::new(bytes);
    // What is small and decides much stands in front.
    let profile = orders::profile(&mut bytes);
    let options = orders::options(&mut bytes);
    let conditions = orders::conditions(&mut bytes);
    let findings = evidence::findings(&mut bytes);
    let rules = orders::rules(&mut bytes, &findings.next_hop);
    let ordered = Rules::new(rules.clone());
    let decide = |findings: &Findings, rules: &Rules| {
        decide_by_law(findings, rules, &profile, &options, conditions)
    };
    let verdict = decide(&findings, &ordered);
    let rendered = render(&verdict, &profile);
    reply::check(&rendered, &verdict, &profile);
    laws(&Ruling {
        findings: &findings,
        rules: &ordered,
        profile: &profile.as_seen(conditions.own_dane),
        options: &options,
        conditions,
        verdict: &verdict,
    });
    // OP-07, PD-11: other MTAs, the same evidence.
    for other in orders::others(&profile) {
        let verdict = decide_by_law(&findings, &ordered, &other, &options, conditions);
        let rendered = render(&verdict, &other);
        reply::check(&rendered, &verdict, &other);
        told(&View {
            asked: "as it was typed",
            next_hop: &findings.next_hop,
            profile: &other.name,
            family: other.family,
            verdict: &verdict,
            findings: Some(&findings),
            rendered: &rendered,
            rules: &ordered,
            now: conditions.now,
        });
    }
    // PD-14: the same evidence in another order gives the same bytes.
    let turned_rules = Rules::new(rules.into_iter().rev().collect());
    let turned = decide(&in_another_order(&findings), &turned_rules);
    assert_eq!(render(&turned, &profile), rendered);
    assert_eq!(turned.expires_in, verdict.expires_in);
    let view = View {
        asked: "as it was typed",
        next_hop: &findings.next_hop,
        profile: &profile.name,
        family: profile.family,
        verdict: &verdict,
        findings: Some(&findings),
        rendered: &rendered,
        rules: &ordered,
        now: conditions.now,
    };
    told(&view);
    without_lookups(
        &findings.next_hop,
        &ordered,
        (&profile, &options),
        &verdict,
        conditions,
    );
    let waiting = Verdict::temp(Row::Law, Reason::Deadline, "it takes long");
    let (hop, now) = (&findings.next_hop, conditions.now);
    let waits = without_findings(waiting, hop, &ordered, &profile, now);
    reply::check(&render(&waits, &profile), &waits, &profile);
}

fn in_another_order(findings: &Findings) -> Findings {
    let mut turned = findings.clone();
    turned.hosts.reverse();
    for host in &mut turned.hosts {
        if let DaneFinding::Records { rdata, .. } = &mut host.dane {
            rdata.reverse();
        }
    }
    turned
}

/// ID-04: what people are shown holds no control character, wherever it came from.
fn told(view: &View<'_>) {
    let text = explain::text(view);
    let plain = text
        .chars()
        .all(|c| c == '\n' || !c.is_control() && !is_bidi(c));
    assert!(plain, "{text:?}");
    let (brief, full) = (
        format!("{:?}", json::query(view)),
        format!("{:?}", json::explain(view)),
    );
    assert!(brief.len() <= full.len(), "{brief}");
    // ID-03: the words for the MTA are the same wherever they are shown.
    if let Rendered::Ok(policy) = view.rendered {
        let flat = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(flat(&text).contains(&flat(policy)), "{text}");
    }
}

fn is_bidi(c: char) -> bool {
    matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{200e}' | '\u{200f}')
}

/// Keys that need no lookup get the same answer without one.
fn without_lookups(
    next_hop: &NextHop,
    rules: &Rules,
    (profile, options): (&crate::profile::Profile, &LawOptions),
    verdict: &Verdict,
    conditions: Conditions,
) {
    let (seen, now) = (conditions.own_dane, conditions.now);
    let early = decide_without_lookup(next_hop, rules, profile, options, seen, now);
    let is_destination = matches!(next_hop, NextHop::Domain { .. } | NextHop::Host { .. });
    assert!(
        early.is_some() || is_destination,
        "{next_hop:?} is looked up"
    );
    let Some(early) = early else { return };
    reply::check(&render(&early, profile), &early, profile);
    if is_destination {
        assert_eq!(early.answer, verdict.answer, "{early:?}");
    } else if early.answer != Answer::NotFound {
        assert!(early.rule.is_some(), "NX-03, PF-06: {early:?}");
    }
}
