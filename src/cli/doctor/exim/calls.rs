//! Each question that Exim asks must fail closed (EX-02): silence, an empty answer and a daemon that is
//! not there may not pass for the good word.

use super::super::Findings;
use super::{is_smtp, requires, transport_of, vetoes};
use crate::adapters::exim::{Call, Instance, Settings};

/// Looks at all of them.
pub(super) fn of(findings: &mut Findings, settings: &Settings) {
    for transport in settings.transports.iter().filter(|t| is_smtp(t)) {
        for (option, call) in transport.calls() {
            let good: &[&str] = match (option, call.verb()) {
                ("event_action", Some("cert" | "mx")) => &["ok"],
                ("hosts_require_tls", Some("option")) => &["value no"],
                ("hosts_require_tls", Some("level")) => &["may"],
                _ => continue,
            };
            at(findings, transport, option, &call, good);
        }
    }
    levels(findings, settings);
}

/// One question of a transport.
fn at(findings: &mut Findings, transport: &Instance, option: &str, call: &Call<'_>, good: &[&str]) {
    let name = &transport.name;
    let verb = call.verb().unwrap_or_default();
    let effect = if option == "event_action" {
        "nothing is refused"
    } else {
        "mail goes out in clear text"
    };
    match call.failure {
        None => findings.problem(
            "readsocket-failure",
            format!(
                "{option} of the transport {name} asks `hoplock1 {verb}` without a failure text: where \
                 hoplock does not answer, {effect}"
            ),
            format!("in {name}: {option} as in docs/exim.md, with a last argument of ${{readsocket…}}"),
        ),
        Some(failure) if passes(failure, good) => findings.problem(
            "readsocket-failure",
            format!(
                "{option} of the transport {name} takes {failure:?} for the answer to `hoplock1 {verb}` \
                 where there is none: {effect}"
            ),
            format!("in {name}: {option} as in docs/exim.md"),
        ),
        Some(_) => {}
    }
    if !call.beside.iter().any(|beside| is_whole(beside, good)) {
        findings.problem(
            "readsocket-answer",
            format!(
                "{option} of the transport {name} does not compare the whole answer to `hoplock1 {verb}` \
                 with {:?}: an empty or unknown answer passes",
                good.join(" or ")
            ),
            format!("in {name}: {option} as in docs/exim.md"),
        );
    }
}

/// Routers: what is neither `enforce` nor `may` must not take the way of `may`.
fn levels(findings: &mut Findings, settings: &Settings) {
    let mut guarded = false;
    for router in &settings.routers {
        let condition = router.get("condition").unwrap_or_default();
        let calls = Call::all(condition);
        let asked: Vec<&Call<'_>> = calls
            .iter()
            .filter(|call| call.verb() == Some("level"))
            .collect();
        if asked.is_empty() {
            continue;
        }
        let is_closed = asked.iter().all(|call| {
            let compared = call.beside.iter().any(|beside| is_whole(beside, MAY));
            compared && !call.failure.is_some_and(|failure| passes(failure, MAY))
        });
        let defers = router.get("driver") == Some("redirect")
            && router.is_on("allow_defer") == Some(true)
            && router
                .get("data")
                .is_some_and(|data| data.trim_start().starts_with(":defer:"));
        if defers && is_closed {
            guarded = true;
        }
        let protects = transport_of(settings, router).is_some_and(|t| vetoes(t) || requires(t));
        if protects && !is_closed && !guarded {
            findings.problem(
                "readsocket-level",
                format!(
                    "the router {} does not take mail whose level is not known: it goes on to a router \
                     that is not hoplock's",
                    router.name
                ),
                "hoplock_guard before it, and the condition, as in docs/exim.md",
            );
        }
    }
}

/// Whether a failure text is, or is taken for, the good answer.
fn passes(failure: &str, good: &[&str]) -> bool {
    good.contains(&failure.trim())
}

/// Whether a text that stands beside an answer is a good word, or a pattern of good words that are
/// whole.
fn is_whole(beside: &str, good: &[&str]) -> bool {
    let text = beside.trim();
    let text = text.strip_prefix("\\N").unwrap_or(text);
    let text = text.strip_suffix("\\N").unwrap_or(text);
    if good.contains(&text) {
        return true;
    }
    let pattern = text
        .strip_prefix('^')
        .and_then(|text| text.strip_suffix('$'));
    let Some(pattern) = pattern else {
        return false;
    };
    // `hoplock: ok`, `(enforce|may)`.
    let words = pattern.strip_prefix("hoplock: ").unwrap_or(pattern);
    let words = words
        .strip_prefix('(')
        .and_then(|words| words.strip_suffix(')'))
        .unwrap_or(words);
    words.split('|').any(|word| good.contains(&word))
        && words
            .split('|')
            .all(|word| good.contains(&word) || word == "enforce")
}

/// The level of destinations that owe nothing.
const MAY: &[&str] = &["may"];
