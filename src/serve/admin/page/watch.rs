//! One's own domains: each with what stands of it, and the certificates of its hosts.

use maud::{Markup, html};

use super::words::count;
use crate::watch::shown::{WatchedDomain, WatchedFinding};

/// Nothing where none is watched. Alarms stand above, with what helps.
pub(super) fn section(domains: &[WatchedDomain]) -> Markup {
    html! {
        @if !domains.is_empty() {
            section #watch aria-labelledby="watch-title" {
                h2 #watch-title { "Your own domains" }
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
