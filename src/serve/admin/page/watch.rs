//! One's own domains, as senders see them: on the first page a row for each, and a page with every finding, its
//! cure, and what each host showed.

use std::sync::Arc;

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use hoplock_policy::moment::Timestamp;
use maud::{Markup, html};

use super::words::{count, from_now};
use super::{Place, shell};
use crate::serve::admin::Admin;
use crate::watch::shown::{WatchedDomain, WatchedFinding, WatchedHost};

/// All of it.
pub(super) async fn page(State(admin): State<Arc<Admin>>) -> Response {
    let domains = admin.watch.list();
    let now = admin.engine.clock.now().wall;
    let main = html! {
        h1 { "Your own domains" }
        p.quiet { "Looked at from here as others’ mail servers see them; " code { "hoplock check --watch" } " looks now." }
        @if domains.is_empty() {
            p { "None is watched: name them in " code { "[watch] domains" } "." }
        }
        @for domain in &domains { (whole(domain, now)) }
    };
    shell(Place::Watch, "Your own domains", "", &main).into_response()
}

/// On the first page: nothing where none is watched. Alarms stand above, with what helps.
pub(super) fn section(domains: &[WatchedDomain]) -> Markup {
    html! {
        @if !domains.is_empty() {
            section #watch aria-labelledby="watch-title" {
                h2 #watch-title { a href="/watch" { "Your own domains" } }
                div.scroll {
                    table {
                        thead { tr { th { "Domain" } th { "Stands" } th { "To know" } th { "Certificates end" } th { "Looked at" } } }
                        tbody {
                            @for domain in domains.iter().take(MANY) {
                                tr data-watched=(domain.domain) {
                                    td data-label="Domain" { (domain.domain) }
                                    td data-label="Stands" { span class={ "mark " (mark(domain.result)) } { (words(domain)) } }
                                    td.long data-label="To know" { (findings(&domain.findings)) }
                                    td data-label="Certificates end" { (ends(domain)) }
                                    td data-label="Looked at" { (domain.looked.as_deref().unwrap_or("not yet")) }
                                }
                            }
                        }
                    }
                }
                @if domains.len() > MANY { p { "and " (domains.len() - MANY) " more" } }
            }
        }
    }
}

fn mark(result: &str) -> &'static str {
    match result {
        "well" => "dane",
        "alarm" => "waiting",
        _ => "unknown",
    }
}

fn words(domain: &WatchedDomain) -> String {
    let alarms = domain.findings.iter().filter(|own| own.is_alarm()).count();
    match domain.result {
        "alarm" => count(alarms as u64, "alarm", "alarms"),
        other => other.to_owned(),
    }
}

fn findings(findings: &[WatchedFinding]) -> Markup {
    html! {
        @if findings.is_empty() { "nothing" }
        @for finding in findings {
            p title=(finding.cure) {
                (finding.severity) ": " (finding.what)
                @if let Some(address) = finding.address { " (" (address) ")" }
            }
        }
    }
}

fn ends(domain: &WatchedDomain) -> Markup {
    let ends = domain.hosts.iter().filter_map(|host| {
        let shown = host
            .addresses
            .iter()
            .filter_map(|own| own.certificate.as_ref());
        let first = shown.min_by_key(|own| own.not_after_seconds)?;
        let day = first.not_after.split('T').next()?;
        Some((&host.host, day.to_owned()))
    });
    html! {
        @for (host, day) in ends { p { (host) ": " (day) } }
    }
}

fn whole(domain: &WatchedDomain, now: Timestamp) -> Markup {
    html! {
        section data-watched=(domain.domain) {
            h2 { (domain.domain) " " span class={ "mark " (mark(domain.result)) } { (domain.result) } }
            p.quiet {
                @match &domain.looked {
                    Some(looked) => { "looked at " (ago(looked, now)) }
                    None => { "not looked at yet" }
                }
                @if let Some(policy) = &domain.policy { ", MTA-STS policy " (policy.mode) " " code { (policy.id) } }
            }
            @for finding in &domain.findings { (one_finding(finding, now)) }
            @if !domain.hosts.is_empty() {
                div.scroll {
                    table.watched {
                        thead { tr { th { "Host" } th { "TLSA" } th { "What it showed" } } }
                        tbody { @for host in &domain.hosts { (one_host(host, now)) } }
                    }
                }
            }
        }
    }
}

fn one_finding(finding: &WatchedFinding, now: Timestamp) -> Markup {
    html! {
        article class={ "finding " (finding.severity) } data-kind=(finding.kind) {
            h3 { (finding.what) }
            p { (finding.cause) }
            p.cure { strong { "What helps: " } (finding.cure) }
            p.quiet {
                (finding.severity) ", first seen " (ago(&finding.since, now))
                @if !finding.seen { "; the last look could not see whether it is mended" }
            }
        }
    }
}

fn one_host(host: &WatchedHost, now: Timestamp) -> Markup {
    html! {
        tr {
            td data-label="Host" { (host.host) small { " " (host.preference) } }
            td.long data-label="TLSA" {
                (host.tlsa_status)
                @for record in &host.tlsa { div { code { (record) } } }
            }
            td.long data-label="What it showed" {
                @for own in &host.addresses {
                    div {
                        code { (own.address) } " " (own.stage)
                        @if let Some(certificate) = &own.certificate {
                            ": " (certificate.subject) ", ends " (ago(&certificate.not_after, now))
                        }
                        @if let Some(matched) = &own.matched { ", matches " code { (matched) } }
                        @if let Some(refused) = &own.refused { ", " span.note { (refused) } }
                    }
                }
            }
        }
    }
}

/// A time of RFC 3339 as people say it; one that cannot be read stays as it is.
fn ago(text: &str, now: Timestamp) -> String {
    let at: Result<jiff::Timestamp, _> = text.parse();
    let millis = at
        .ok()
        .and_then(|at| u64::try_from(at.as_millisecond()).ok());
    millis.map_or_else(
        || text.to_owned(),
        |millis| from_now(Timestamp(millis), now),
    )
}

const MANY: usize = 50;

#[cfg(test)]
mod tests {
    use super::*;

    fn watched(result: &'static str, findings: Vec<WatchedFinding>) -> WatchedDomain {
        WatchedDomain {
            domain: "e.test".to_owned(),
            looked: Some("2026-11-24T10:00:00Z".to_owned()),
            result,
            findings,
            hosts: Vec::new(),
            policy: None,
        }
    }

    /// Whoever watches nothing sees nothing of it; else each domain has its row, and markup of others is text.
    #[test]
    fn each_domain_has_a_row() {
        assert_eq!(section(&[]).into_string(), "");
        let finding = WatchedFinding {
            kind: "tlsa-no-match",
            severity: "alarm",
            host: Some("mx.e.test".to_owned()),
            address: "192.0.2.1".parse().ok(),
            what: "no record of <mx> matches".to_owned(),
            cause: String::new(),
            cure: "publish \"it\"".to_owned(),
            since: String::new(),
            seen: true,
        };
        let page = section(&[watched("well", Vec::new()), watched("alarm", vec![finding])]);
        let page = page.into_string();
        for part in [
            "<span class=\"mark dane\">well</span>",
            "<span class=\"mark waiting\">1 alarm</span>",
            "alarm: no record of &lt;mx&gt; matches (192.0.2.1)",
            "title=\"publish &quot;it&quot;\"",
            "2026-11-24T10:00:00Z",
        ] {
            assert!(page.contains(part), "{part}\n{page}");
        }
    }
}
