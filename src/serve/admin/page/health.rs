//! How the daemon is: resolver, mail server, state, cache, what it answered and what became of sessions.

use hoplock_policy::render::explain::words::span;
use maud::{Markup, html};

use super::words::count;
use crate::serve::admin::status::Status;

/// A card for each part.
pub(super) fn cards(status: &Status) -> Markup {
    let resolver = &status.resolver;
    let resolver_class = match (resolver.believed, resolver.state) {
        (true, "validating") => "good",
        (true, "unknown") => "weak",
        _ => "bad",
    };
    let answers: u64 = status.answers_last_hour.values().sum();
    let sessions: u64 = status.sessions_last_hour.values().sum();
    let failed = status
        .sessions_last_hour
        .get("failed")
        .copied()
        .unwrap_or(0);
    html! {
        div.cards {
            div class={ "card " (resolver_class) } #resolver {
                h3 { "Resolver" }
                p { strong { (resolver.state) } @if !resolver.believed { ", not believed" } }
                @for server in &resolver.servers { p.quiet { code { (server.address) } " " (server.state) } }
            }
            div class={ "card " (if status.postfix.own_dane == "works" { "good" } else { "plain" }) } #mta {
                h3 { "Postfix’s own DNSSEC" }
                p { strong { (status.postfix.own_dane) } }
                p.quiet { (status.postfix.words) }
            }
            div class={ "card " (if status.store.path.is_some() { "good" } else { "bad" }) } #store {
                h3 { "State" }
                p { strong { (count(status.store.policies as u64, "policy", "policies")) } " remembered" }
                p.quiet {
                    @match &status.store.path {
                        Some(path) => code { (path) }
                        None => { "in this process only: a restart forgets it" }
                    }
                }
                @if let Some(fleet) = status.reports.fleet { p.quiet { "fleet’s store: " (fleet) } }
            }
            div.card.plain #cache {
                h3 { "Cache" }
                p { strong { (count(status.cache.entries as u64, "destination", "destinations")) } }
                p.quiet {
                    (status.cache.answered_from) " answers from it, " (status.cache.lookups) " lookups, "
                    (status.cache.ahead_of_expiry) " ahead of expiry"
                }
            }
            div.card.plain #answers {
                h3 { "Answers, last hour" }
                p { strong { (answers) } }
                p.quiet {
                    @for (word, number) in &status.answers_last_hour { (word) " " (number) " · " }
                    (count(status.connections as u64, "connection", "connections"))
                }
            }
            div class={ "card " (if failed > 0 { "bad" } else { "plain" }) } #sessions-card {
                h3 { "Sessions, last hour" }
                p { strong { (sessions) } @if failed > 0 { ", " (failed) " failed" } }
                p.quiet {
                    "journal: " (status.journal.sessions) " kept, " (status.journal.failed) " failed"
                    @if status.journal.not_kept > 0 { ", " (status.journal.not_kept) " not kept" }
                }
            }
            div.card.plain #uptime {
                h3 { "Running" }
                p { strong { (span(std::time::Duration::from_secs(status.uptime))) } }
                p.quiet { "version " (status.version) }
            }
        }
    }
}
