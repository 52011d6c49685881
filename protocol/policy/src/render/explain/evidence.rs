//! Hosts with what they are owed and what the MTA will do, the MTA-STS policy, every lookup.

use super::duration;
use super::page::{Page, aligned};
use super::words::{addresses, deed, duty, record, records, selection, state, trouble};
use crate::dns::Answer;
use crate::findings::{
    DaneFinding, Findings, HostFinding, PolicySource, RememberedPolicy, StsFailure, StsFinding,
};
use crate::law::JudgedHost;
use crate::next_hop::escaped;
use crate::render::json::words;
use crate::render::{View, safe};

/// The hosts, best preference first.
pub(super) fn hosts(page: &mut Page, view: &View<'_>, findings: &Findings) {
    page.title(&format!("{}: {}", records(findings), selection(findings)));
    let found: Vec<(&JudgedHost, &HostFinding)> = view
        .verdict
        .hosts
        .iter()
        .filter_map(|judged| Some((judged, findings.hosts.get(judged.index)?)))
        .collect();
    if !found.is_empty() {
        let will = format!("{} will", view.family.mta());
        let head = ["pref", "host", "addresses", "TLSA", "owed", &will];
        let mut rows = vec![head.map(str::to_owned).to_vec()];
        rows.extend(found.iter().map(|(judged, host)| row(judged, host)));
        let mut lines = aligned(&rows).into_iter();
        page.row(&lines.next().unwrap_or_default());
        for ((judged, host), line) in found.into_iter().zip(lines) {
            page.row(&line);
            below(page, judged, host, findings);
        }
    }
    for warning in &findings.warnings {
        page.item(&format!("warning: {}", escaped(warning)));
    }
}

fn row(judged: &JudgedHost, host: &HostFinding) -> Vec<String> {
    vec![
        format!("{:>4}", host.preference),
        host.host.to_string(),
        addresses(host).to_owned(),
        state(judged.state).to_owned(),
        duty(judged.duty).to_owned(),
        deed(judged).to_owned(),
    ]
}

/// What has no room in the row: trouble, and the records themselves.
fn below(page: &mut Page, judged: &JudgedHost, host: &HostFinding, findings: &Findings) {
    if let Some(words) = trouble(judged, host, findings) {
        page.detail(&words);
    }
    if host.aliased {
        page.detail("the MX record points at an alias");
    }
    if let DaneFinding::Records { base, rdata } = &host.dane {
        let owner = findings
            .port_of(&host.host)
            .and_then(|port| base.owner(port));
        let owner = owner.map_or_else(|| base.to_string(), |owner| owner.to_string());
        page.detail(&format!("TLSA records at {owner}:"));
        for rdata in rdata {
            page.detail(&format!("  {}", record(rdata)));
        }
    }
}

/// The MTA-STS policy, and which hosts it permits.
pub(super) fn sts(page: &mut Page, view: &View<'_>, findings: &Findings) {
    match &findings.sts {
        StsFinding::NotApplicable => page.title("MTA-STS: does not apply here"),
        StsFinding::Absent(why) if why.is_empty() => page.title("MTA-STS: none"),
        StsFinding::Absent(why) => page.title(&format!("MTA-STS: none, {}", escaped(why))),
        StsFinding::Failed(failure) => {
            page.title(&format!("MTA-STS: NOT KNOWN, {}", escaped(&words(failure))));
        }
        StsFinding::Policy {
            remembered,
            source,
            trouble,
        } => policy(
            page,
            view,
            findings,
            (remembered, *source, trouble.as_ref()),
        ),
    }
}

fn policy(
    page: &mut Page,
    view: &View<'_>,
    findings: &Findings,
    (remembered, source, trouble): (&RememberedPolicy, PolicySource, Option<&StsFailure>),
) {
    let policy = &remembered.policy;
    let source = match source {
        PolicySource::Fetched => "fetched for this answer",
        PolicySource::Cache => "remembered",
    };
    let left = remembered.remaining(view.now);
    let left = if left.is_zero() {
        "EXPIRED".to_owned()
    } else {
        format!("expires in {}", duration(left))
    };
    page.title(&format!(
        "MTA-STS: {}, {source}, id {}, {left}",
        policy.mode.word(),
        escaped(&remembered.id)
    ));
    let mut patterns: Vec<String> = policy.mx.iter().map(ToString::to_string).collect();
    let more = patterns.len().saturating_sub(LISTED);
    patterns.truncate(LISTED);
    if more > 0 {
        patterns.push(format!("and {more} more"));
    }
    page.fact("permits", &patterns.join(" "));
    let hosts = view.verdict.hosts.iter();
    let refused: Vec<String> = hosts
        .filter_map(|judged| findings.hosts.get(judged.index))
        .filter(|host| !policy.permits(&host.host.0))
        .map(|host| host.host.to_string())
        .collect();
    if !refused.is_empty() {
        page.fact("but not", &refused.join(" "));
    }
    if let Some(failure) = trouble {
        page.fact("trouble", &safe(&words(failure)));
    }
}

/// Every lookup with its status and TTL.
pub(super) fn lookups(page: &mut Page, findings: &Findings) {
    if findings.lookups.is_empty() {
        page.title("Lookups: none");
        return;
    }
    page.title("Lookups");
    let head = ["type", "name", "status", "result", "TTL", "took"];
    let mut rows = vec![head.map(str::to_owned).to_vec()];
    rows.extend(findings.lookups.iter().map(|reply| {
        let answer = &reply.answer;
        let ttl = answer.ttl();
        vec![
            reply.question.record_type.to_string(),
            reply.question.name.to_string(),
            answer.status().word().to_owned(),
            answer.rcode().to_owned(),
            ttl.map_or("-".to_owned(), |ttl| format!("{} s", ttl.as_secs())),
            format!("{} ms", reply.took.as_millis()),
        ]
    }));
    let mut lines = aligned(&rows).into_iter();
    page.row(&lines.next().unwrap_or_default());
    for (reply, line) in findings.lookups.iter().zip(lines) {
        page.row(&line);
        for alias in reply.answer.aliases() {
            page.detail(&format!("alias of {alias}"));
        }
        if let Answer::Failed(failure) = &reply.answer
            && !failure.detail.is_empty()
        {
            page.detail(&safe(&failure.detail));
        }
    }
}

/// Patterns shown of a policy.
const LISTED: usize = 20;
