//! What was found of a destination, for people; its hosts are `block`'s.

use hoplock_policy::findings::{Findings, StsFinding, Validation};
use hoplock_policy::law::Answer;
use hoplock_policy::next_hop::escaped;
use hoplock_policy::reason::Reason;
use hoplock_policy::render::explain::words::{records, selection};

use super::judge::Standing;
use super::probe::Checked;
use crate::cli::page::Page;

/// One destination, without its hosts.
pub(super) fn head(checked: &Checked) -> String {
    let mut page = Page::default();
    let next_hop = &checked.answered.next_hop;
    page.line(&format!("{next_hop}: {}.", sentence(checked)));
    if checked.validation != Validation::Validating {
        page.fact(
            "WARNING",
            "your resolver was not seen to validate DNSSEC, so hosts may owe DANE and nothing here \
             shows it; see `hoplock doctor`",
        );
    }
    let answered = &checked.answered;
    if let Some(findings) = answered.findings.as_deref() {
        page.fact(records(findings), &selection(findings));
        page.fact("MTA-STS", &sts(findings));
        for warning in &findings.warnings {
            page.fact("note", &safe(warning));
        }
    }
    let verdict = &answered.verdict;
    let lookup_is_told = verdict.reason == Reason::MxLookupFailed;
    if verdict.answer != Answer::Temp {
        let reply = answered.rendered.to_string();
        page.fact("Postfix", &format!("is told {:?}", reply.trim_end()));
    } else if lookup_is_told || verdict.detail.is_empty() {
        page.fact("Postfix", &format!("is told to wait ({})", verdict.reason));
    } else {
        let (reason, detail) = (verdict.reason, safe(&verdict.detail));
        page.fact("Postfix", &format!("is told to wait ({reason}): {detail}"));
    }
    if let Some(rule) = &answered.verdict.rule {
        page.fact("rule", &format!("{:?} counts", rule.pattern.to_string()));
    }
    page.into_text()
}

fn sentence(checked: &Checked) -> String {
    let count = |standing| {
        let hosts = checked.hosts.iter();
        hosts.filter(|host| host.standing() == standing).count()
    };
    let all = checked.hosts.len();
    let (failed, kept) = (count(Standing::Failed), count(Standing::Kept));
    let (unclear, gone) = (count(Standing::Inconclusive), count(Standing::Unreachable));
    if all == 0 {
        return match checked.standing() {
            Standing::Inconclusive => "it is not known which hosts it has".to_owned(),
            _ => "no host takes mail for it".to_owned(),
        };
    }
    if gone == all {
        return "none of its hosts could be reached".to_owned();
    }
    let mut parts = Vec::new();
    let mut part = |count: usize, one: &str, many: &str| {
        if count > 0 {
            let words = if count == 1 { one } else { many };
            parts.push(format!("{count} {words}"));
        }
    };
    part(failed, "FAILS its duty", "FAIL their duty");
    part(kept, "keeps its duty", "keep their duty");
    part(unclear, "is inconclusive", "are inconclusive");
    part(gone, "could not be reached", "could not be reached");
    match (all, parts.as_slice()) {
        (1, [_]) => format!("its host {}", parts.concat().trim_start_matches("1 ")),
        (_, [_]) => format!("all {}", parts.concat()),
        _ => format!("of {all} hosts {}", parts.join(", ")),
    }
}

fn sts(findings: &Findings) -> String {
    match &findings.sts {
        StsFinding::NotApplicable => "does not apply here".to_owned(),
        StsFinding::Absent(_) => "none".to_owned(),
        StsFinding::Failed(failure) => {
            let words = safe(&failure.detail);
            format!("NOT KNOWN: {}, {words}", failure.kind.word())
        }
        StsFinding::Policy { remembered, .. } => {
            let policy = &remembered.policy;
            let patterns: Vec<String> = policy.mx.iter().map(ToString::to_string).collect();
            let shown = patterns.len().min(PATTERNS);
            let more = patterns.len() - shown;
            let more = if more > 0 {
                format!(" and {more} more")
            } else {
                String::new()
            };
            let shown = patterns.get(..shown).unwrap_or_default().join(" ");
            format!("{}, for {shown}{more}", policy.mode.word())
        }
    }
}

/// Text that somebody else wrote, for a terminal.
pub(super) fn safe(text: &str) -> String {
    format!("{}", escaped(text))
}

/// Patterns shown of a policy.
const PATTERNS: usize = 8;
