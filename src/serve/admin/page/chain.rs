//! The evidence about one destination as a drawing: from its MX records over each host's addresses and TLSA
//! records to the certificate that the host showed last, and the way of its MTA-STS policy beside it.
//!
//! Each step is a box, and the colour of a box says how far it can be relied on. The drawing is made of
//! lists, so that it reads in the same order without style or eyes.

use std::collections::HashMap;

use hoplock_policy::dns::SecurityStatus;
use hoplock_policy::findings::{
    DaneFinding, Findings, HostFinding, MxFinding, PolicySource, StsFinding,
};
use hoplock_policy::law::JudgedHost;
use hoplock_policy::law::outcome::Outcome;
use hoplock_policy::law::situation::HostState;
use hoplock_policy::name::MxHost;
use hoplock_policy::render::View;
use hoplock_policy::render::explain::words::{
    addresses, deed, duty, record, records, selection, span, state, trouble,
};
use hoplock_policy::sts::StsMode;
use hoplock_policy::verify::SessionOutcome;
use maud::{Markup, html};

use super::tables::outcome;
use super::words::at;
use crate::world::JournalEntry;

/// The last session with each host.
pub(super) type LastSessions<'a> = HashMap<&'a MxHost, &'a JournalEntry>;

/// The last session of each host among these, which come newest first.
pub(super) fn last_sessions(entries: &[(u64, JournalEntry)]) -> LastSessions<'_> {
    let mut last = LastSessions::new();
    for (_, entry) in entries {
        if let Some(host) = &entry.mx_host {
            last.entry(host).or_insert(entry);
        }
    }
    last
}

/// The whole drawing.
pub(super) fn draw(view: &View<'_>, findings: &Findings, sessions: &LastSessions<'_>) -> Markup {
    let hosts = view.verdict.hosts.iter();
    let hosts: Vec<(&JudgedHost, &HostFinding)> = hosts
        .filter_map(|judged| Some((judged, findings.hosts.get(judged.index)?)))
        .collect();
    html! {
        div.chain {
            div class={ "box root " (mx_class(&findings.mx)) } {
                h3 { (findings.next_hop) }
                p { (records(findings)) ": " (selection(findings)) }
            }
            @if !hosts.is_empty() {
                ul.hosts {
                    @for (judged, host) in &hosts {
                        li data-host=(host.host) {
                            (one_host(view, findings, (judged, host), sessions.get(&host.host).copied()))
                        }
                    }
                }
            }
            (sts(view, findings))
        }
    }
}

/// Where nothing was looked up, since a rule of the operator decides: the hosts that sessions were had with.
pub(super) fn draw_without_findings(view: &View<'_>, sessions: &LastSessions<'_>) -> Markup {
    let mut hosts: Vec<(&MxHost, &JournalEntry)> = sessions
        .iter()
        .map(|(host, entry)| (*host, *entry))
        .collect();
    hosts.sort_by_key(|(host, _)| host.0.as_str());
    html! {
        div.chain {
            div class="box root plain" {
                h3 { (view.next_hop) }
                p { "nothing was looked up: " (view.verdict.row.words()) }
            }
            @if !hosts.is_empty() {
                ul.hosts {
                    @for (host, session) in hosts {
                        li data-host=(host) {
                            ol.steps {
                                li class="box plain" data-step="host" { h4 { (host) } p { "as sessions tell" } }
                                (certificate(Some(session)))
                            }
                        }
                    }
                }
            }
        }
    }
}

fn mx_class(mx: &MxFinding) -> &'static str {
    match mx {
        MxFinding::Hosts(selection) if selection.status() == SecurityStatus::Secure => "good",
        MxFinding::Hosts(_) => "weak",
        MxFinding::NoHosts { .. } => "plain",
        MxFinding::Failed(_) => "bad",
    }
}

fn one_host(
    view: &View<'_>,
    findings: &Findings,
    (judged, host): (&JudgedHost, &HostFinding),
    session: Option<&JournalEntry>,
) -> Markup {
    let reached = findings.addresses_of(&host.host.0);
    let proved = addresses(host);
    let address_class = match proved {
        "secure" => "good",
        "failed" => "bad",
        "none" => "plain",
        _ => "weak",
    };
    html! {
        ol.steps {
            li class={ "box " (address_class) } data-step="host" {
                h4 { (host.host) }
                p { "preference " (host.preference) }
                @if host.aliased { p.note { "the MX record points at an alias" } }
            }
            li class={ "box " (address_class) } data-step="addresses" {
                h4 { "Addresses" }
                p { (proved) }
                @for address in reached.iter().take(SHOWN) { p { code { (address) } } }
                @if reached.len() > SHOWN { p { "and " (reached.len() - SHOWN) " more" } }
            }
            li class={ "box " (state_class(judged.state)) } data-step="tlsa" {
                h4 { "TLSA" }
                p { (state(judged.state)) }
                @if let DaneFinding::Records { rdata, .. } = &host.dane {
                    @for own in rdata.iter().take(SHOWN) { p { code { (record(own)) } } }
                    @if rdata.len() > SHOWN { p { "and " (rdata.len() - SHOWN) " more" } }
                }
                @if let Some(words) = trouble(judged, host, findings) { p.note { (words) } }
            }
            (certificate(session))
            li class={ "box end " (outcome_class(judged.outcome)) } data-step="use" {
                h4 { "Owed: " (duty(judged.duty)) }
                p { (view.family.mta()) " will " (deed(judged)) }
            }
        }
    }
}

/// What the host showed last, as far as anybody told.
fn certificate(session: Option<&JournalEntry>) -> Markup {
    let Some(session) = session else {
        return html! {
            li class="box unknown" data-step="certificate" {
                h4 { "Certificate" }
                p { "no session was reported; " code { "hoplock check" } " looks at it now" }
            }
        };
    };
    let class = match session.outcome {
        SessionOutcome::Failed => "bad",
        SessionOutcome::AuthenticatedDane
        | SessionOutcome::AuthenticatedSts
        | SessionOutcome::AuthenticatedPinned => "good",
        SessionOutcome::Encrypted | SessionOutcome::Cleartext => "weak",
        SessionOutcome::Indeterminate => "unknown",
    };
    html! {
        li class={ "box " (class) } data-step="certificate" {
            h4 { "Certificate" }
            p { (outcome(session.outcome)) }
            @if let Some(matched) = &session.matched {
                p { "matched " code { (matched.text) } }
            }
            p { (session.reason.word()) }
            @if !session.detail.is_empty() {
                p class=(if class == "bad" { "note" } else { "quiet" }) { (session.detail) }
            }
            p.quiet { (at(session.time)) }
        }
    }
}

fn state_class(state: HostState) -> &'static str {
    match state {
        HostState::UsableEndEntity | HostState::UsableTrustAnchor => "good",
        HostState::Unusable => "weak",
        HostState::NoneSecure | HostState::NoneInsecure | HostState::Unreachable => "plain",
        HostState::Failed | HostState::AddressFailed => "bad",
    }
}

fn outcome_class(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Dane | Outcome::WebPki | Outcome::OwnWebPki => "good",
        Outcome::Encrypt => "weak",
        Outcome::Clear => "plain",
        Outcome::Skip => "bad",
    }
}

/// From the record over the policy host to what the policy permits.
fn sts(view: &View<'_>, findings: &Findings) -> Markup {
    let box_of = |class: &str, words: &str| {
        html! {
            ol.steps {
                li class={ "box " (class) } data-step="policy" { h4 { "MTA-STS" } p { (words) } }
            }
        }
    };
    match &findings.sts {
        StsFinding::NotApplicable => html! {},
        StsFinding::Absent(why) if why.is_empty() => box_of("plain", "no policy"),
        StsFinding::Absent(why) => box_of("plain", &format!("no policy: {why}")),
        StsFinding::Failed(failure) => box_of("bad", &failure.words()),
        StsFinding::Policy {
            remembered,
            source,
            trouble,
        } => {
            let policy = &remembered.policy;
            let left = remembered.remaining(view.now);
            let class = match policy.mode {
                StsMode::Enforce => "good",
                StsMode::Testing => "weak",
                StsMode::None => "plain",
            };
            html! {
                ol.steps {
                    li class={ "box " (if trouble.is_some() { "bad" } else { "plain" }) } data-step="record" {
                        h4 { "MTA-STS record" }
                        p { "id " code { (remembered.id) } }
                        @if let Some(failure) = trouble { p.note { (failure.words()) } }
                    }
                    li class={ "box " (class) } data-step="policy" {
                        h4 { "Policy" }
                        p { "mode " strong { (policy.mode.word()) } }
                        p {
                            @match source {
                                PolicySource::Fetched => { "fetched for this answer" }
                                PolicySource::Cache => { "remembered" }
                            }
                        }
                        p { (expiry(left)) }
                    }
                    li class={ "box end " (class) } data-step="permits" {
                        h4 { "Permits" }
                        @for pattern in policy.mx.iter().take(LISTED) { p { code { (pattern) } } }
                        @if policy.mx.len() > LISTED { p { "and " (policy.mx.len() - LISTED) " more" } }
                    }
                }
            }
        }
    }
}

fn expiry(left: std::time::Duration) -> String {
    if left.is_zero() {
        "has expired".to_owned()
    } else {
        format!("holds for {}", span(left))
    }
}

/// Addresses and records of one host: more would push the certificate out of sight.
const SHOWN: usize = 4;
/// Patterns of a policy.
const LISTED: usize = 8;
