//! An answer for people: one sentence that a tired postmaster understands at once, what to do where
//! mail waits, then all the evidence (PD-15, PD-18).
//!
//! Plain text, no colour; every text that came from the network is escaped (ID-04).
//! Not done here: JSON (its neighbour), and what is printed where (the daemon's command line).

mod advice;
mod evidence;
mod headline;
mod page;
pub mod words;

use std::time::Duration;

use self::page::Page;
use super::json::rules_for;
use super::rule::says;
use super::safe;
use super::view::View;
use crate::next_hop::{NextHop, escaped};
use crate::rules::Rule;

/// The whole text.
#[must_use]
pub fn text(view: &View<'_>) -> String {
    let mut page = Page::default();
    page.line(&words::sentence(view));
    advice::write(&mut page, view);
    page.gap();
    decision(&mut page, view);
    if let Some(findings) = view.findings {
        evidence::hosts(&mut page, view, findings);
        evidence::sts(&mut page, view, findings);
    }
    losers(&mut page, view);
    rules(&mut page, view);
    match view.findings {
        Some(findings) => evidence::lookups(&mut page, findings),
        None => page.title("Lookups: none were needed"),
    }
    page.into_text()
}

/// The destination as hoplock reads it; what it cannot read is shown as it was typed, escaped.
fn destination(view: &View<'_>) -> String {
    match view.next_hop {
        NextHop::NotADomain(_) => safe(view.asked),
        next_hop => next_hop.to_string(),
    }
}

fn decision(page: &mut Page, view: &View<'_>) {
    let verdict = view.verdict;
    let asked = view.asked.trim_end_matches('.');
    if !asked.eq_ignore_ascii_case(&destination(view)) && !asked.is_ascii() {
        page.fact("asked as", &safe(view.asked));
    }
    let reply = view.rendered.to_string();
    page.fact("reply", &format!("{:?}", reply.trim_end()));
    let because = safe(&verdict.detail);
    if !because.is_empty() && !reply.contains(&because) {
        page.fact("because", &because);
    }
    let row = verdict.row;
    page.fact("row", &format!("{}: {}", row.id(), row.words()));
    page.fact("reason", verdict.reason.word());
    if let Some(would) = verdict.would_fail {
        page.fact("without", &format!("the rule, the reason would be {would}"));
    }
    page.fact("kept for", &duration(verdict.expires_in));
    page.fact("profile", &safe(view.profile));
}

fn losers(page: &mut Page, view: &View<'_>) {
    if view.verdict.losers.is_empty() {
        return;
    }
    page.title("Answers that lost");
    let rows = view.verdict.losers.iter().map(|loser| {
        let host = loser.host.as_ref();
        let host = host.map_or(String::new(), |host| format!(": {host}"));
        vec![
            loser.answer.word().to_owned(),
            format!("{}{host}", loser.why),
        ]
    });
    page.table(rows.collect());
}

fn rules(page: &mut Page, view: &View<'_>) {
    let rules = rules_for(view);
    if rules.is_empty() {
        page.title("Rules for this destination: none");
        return;
    }
    page.title("Rules for this destination");
    for (rule, applied) in rules {
        let use_of_it = match (applied, rule.is_expired(view.now.wall)) {
            (true, _) => "in use",
            (false, true) => "expired",
            (false, false) => "not used, a closer one is",
        };
        let mut words = format!(
            "{:?}: {} ({use_of_it}",
            rule.pattern.to_string(),
            says(rule)
        );
        if let Some(left) = rule_left(rule, view) {
            words.push_str(&format!(", expires in {}", duration(left)));
        }
        words.push(')');
        if !rule.comment.is_empty() {
            words.push_str(&format!("; {}", escaped(&rule.comment)));
        }
        page.item(&words);
    }
}

fn rule_left(rule: &Rule, view: &View<'_>) -> Option<Duration> {
    let left = rule.expires?.0.checked_sub(view.now.wall.0)?;
    (left > 0).then(|| Duration::from_millis(left))
}

fn duration(duration: Duration) -> String {
    if duration.is_zero() {
        return "this answer only".to_owned();
    }
    words::span(duration)
}
