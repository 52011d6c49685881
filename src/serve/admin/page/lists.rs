//! Lists, whole: destinations, sessions, policies and rules, reports.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use hoplock_policy::moment::Moment;
use hoplock_policy::render::explain::words::span;
use hoplock_policy::verify::SessionOutcome;
use maud::{Markup, html};
use serde::Deserialize;
use tokio::time::timeout;

use super::chart::name;
use super::words::{at, count};
use super::{Place, aside, first_by, shell, tables};
use crate::answer::{Answered, Protection};
use crate::report::post::standing;
use crate::serve::admin::{Admin, sessions as journal};
use crate::world::reports::outgoing::Outgoing;
use crate::world::reports::received::Received;
use crate::world::{JournalQuery, StoreFailure};

#[derive(Deserialize)]
pub(super) struct ByProtection {
    protection: Option<String>,
}

/// What the cache holds, by what protects it.
pub(super) async fn destinations(
    State(admin): State<Arc<Admin>>,
    Query(wanted): Query<ByProtection>,
) -> Response {
    let only = wanted.protection.as_deref().and_then(Protection::parse);
    let main = aside(move || destinations_table(&admin, only)).await;
    shell(Place::Destinations, "Destinations", "", &main).into_response()
}

fn destinations_table(admin: &Admin, only: Option<Protection>) -> Markup {
    let now = admin.engine.answerer.world().clock.now();
    let rows: Vec<_> = admin
        .engine
        .answerer
        .cache()
        .entries()
        .into_iter()
        .flat_map(|entry| {
            let left = entry.remaining(now);
            let hits = entry.hits();
            let answers = entry.answers().into_iter();
            answers.map(move |answered| (Protection::of(&answered), answered, left, hits))
        })
        .filter(|(protection, ..)| only.is_none_or(|only| *protection == only))
        .collect();
    let all = rows.len();
    let order = |(protection, answered, ..): &(Protection, Arc<Answered>, Duration, u32)| {
        let name = answered.next_hop.to_string();
        (std::cmp::Reverse(*protection), name)
    };
    let rows = first_by(rows, MANY, order);
    html! {
        h1 { "Destinations at hand" @if let Some(only) = only { ": " (name(only)) } }
        p.quiet {
            "What is known now, and so until its DNS records or its failure must be looked up anew. "
            (count(all as u64, "answer", "answers"))
            @if all > MANY { ", of which " (MANY) " are shown" }
            "."
        }
        p.filters {
            a href="/destinations" aria-current=[only.is_none().then_some("true")] { "all" } " "
            @for protection in Protection::ALL {
                a href={ "/destinations?protection=" (protection.word()) }
                    aria-current=[(only == Some(protection)).then_some("true")] { (name(protection)) } " "
            }
        }
        div.scroll {
            table.destinations {
                thead {
                    tr { th { "Destination" } th { "Protection" } th { "Answer" } th { "Why" } th { "Known for" } }
                }
                tbody {
                    @for (protection, answered, left, hits) in &rows {
                        tr {
                            td data-label="Destination" { (tables::destination(&answered.next_hop.to_string())) }
                            td data-label="Protection" { span class={ "mark " (protection.word()) } { (name(*protection)) } }
                            td data-label="Answer" { (answered.verdict.answer.word()) small { " " (answered.profile) } }
                            td data-label="Why" { (answered.verdict.reason.word()) }
                            td data-label="Known for" { (span(*left)) small { " " (count(u64::from(*hits), "more query", "more queries")) } }
                        }
                    }
                }
            }
        }
    }
}

#[derive(Deserialize)]
pub(super) struct ByOutcome {
    outcome: Option<String>,
    before: Option<u64>,
}

/// The journal, newest first.
pub(super) async fn sessions(
    State(admin): State<Arc<Admin>>,
    Query(wanted): Query<ByOutcome>,
) -> Response {
    let word = wanted.outcome.as_deref().unwrap_or_default();
    let only = SessionOutcome::ALL
        .into_iter()
        .find(|own| own.word() == word);
    let query = JournalQuery {
        outcome: only,
        before: wanted.before,
        ..JournalQuery::default()
    };
    let found = match journal::read(&admin, query).await {
        Ok(found) => found,
        Err(words) => return unavailable(Place::Sessions, &words),
    };
    let older = found.last().filter(|_| found.len() == JournalQuery::LIMIT);
    let main = html! {
        h1 { "Sessions" }
        p.quiet { "As the mail servers reported them, judged by what was owed at the time." }
        p.filters {
            a href="/sessions" aria-current=[only.is_none().then_some("true")] { "all" } " "
            @for outcome in SessionOutcome::ALL {
                a href={ "/sessions?outcome=" (outcome.word()) }
                    aria-current=[(only == Some(outcome)).then_some("true")] { (outcome.word()) } " "
            }
        }
        @if found.is_empty() { p { "None." } } @else { (tables::sessions(&found)) }
        @if let Some((number, _)) = older {
            p {
                a rel="next" href={
                    "/sessions?before=" (number) @if let Some(only) = only { "&outcome=" (only.word()) }
                } { "Older ones" }
            }
        }
    };
    shell(Place::Sessions, "Sessions", "", &main).into_response()
}

/// Remembered policies and all rules.
pub(super) async fn policies(State(admin): State<Arc<Admin>>) -> Response {
    let now = admin.engine.answerer.world().clock.now();
    let rules = admin.rulebook.list(now.wall).await;
    let kept = Arc::clone(&admin);
    let policies = aside(move || policies_table(&kept, now, MANY)).await;
    let main = html! {
        h1 { "Policies and rules" }
        section #policies {
            h2 { "MTA-STS policies" }
            p.quiet { "Each is fetched anew before it ends, as long as somebody writes to its domain." }
            (policies)
        }
        section #rules {
            h2 { "Rules" }
            @if rules.is_empty() { p.quiet { "None." } } @else { (tables::rules(&rules, now.wall, MANY)) }
        }
    };
    shell(Place::Policies, "Policies and rules", "", &main).into_response()
}

/// Policies, those that end soonest first.
pub(super) fn policies_table(admin: &Admin, now: Moment, most: usize) -> Markup {
    let kept = admin.engine.answerer.world().store.policies();
    let all = kept.len();
    let kept = first_by(kept, most, |own| own.policy.remaining(now));
    html! {
        @if kept.is_empty() { p.quiet { "None is remembered." } }
        @else {
            div.scroll {
                table.policies {
                    thead {
                        tr { th { "Domain" } th { "Mode" } th { "Ends in" } th { "Of" } th { "Fetched" } th { "Permits" } }
                    }
                    tbody {
                        @for own in &kept {
                            @let policy = &own.policy.policy;
                            @let left = own.policy.remaining(now);
                            // A meter for eyes, the words for everybody.
                            @let near = left < policy.max_age / 4;
                            tr data-domain=(own.domain) class=[near.then_some("near")] {
                                td data-label="Domain" { (tables::destination(&own.domain.to_string())) }
                                td data-label="Mode" { (policy.mode.word()) }
                                td data-label="Ends in" {
                                    (span(left)) " "
                                    meter min="0" max=(policy.max_age.as_secs()) value=(left.as_secs())
                                        low=(policy.max_age.as_secs() / 4) optimum=(policy.max_age.as_secs()) {}
                                    @if near { " " span class="mark clear" { "ends soon" } }
                                }
                                td data-label="Of" { (span(policy.max_age)) }
                                td data-label="Fetched" { (at(own.policy.fetched.wall)) }
                                td data-label="Permits" {
                                    @for pattern in policy.mx.iter().take(PATTERNS) { code { (pattern) } " " }
                                    @if policy.mx.len() > PATTERNS { "and " (policy.mx.len() - PATTERNS) " more" }
                                }
                            }
                        }
                    }
                }
            }
            @if all > most { p { a href="/policies" { "All " (all) } } }
        }
    }
}

/// Reports that left and that came.
pub(super) async fn reports(State(admin): State<Arc<Admin>>) -> Response {
    let main = html! {
        h1 { "TLS reports" }
        p.quiet { "RFC 8460: what we told others about sessions with them, and what others told us." }
        (of_reports(&admin, MANY).await)
    };
    shell(Place::Reports, "Reports", "", &main).into_response()
}

/// The newest of each kind.
pub(super) async fn of_reports(admin: &Admin, most: usize) -> Markup {
    let reports = admin.post.reports();
    let read = async {
        let sent = reports.list(None, most).await?;
        let received = reports.received(most).await?;
        Ok::<_, StoreFailure>((sent, received))
    };
    match timeout(journal::READING, read).await {
        Ok(Ok((sent, received))) => html! {
            h3 { "Sent" }
            (sent_table(&sent))
            h3 { "Received" }
            (received_table(&received))
        },
        Ok(Err(error)) => html! { p.note { (error) } },
        Err(_) => html! { p.note { "They cannot be read: the disk does not answer." } },
    }
}

fn sent_table(sent: &[Outgoing]) -> Markup {
    html! {
        @if sent.is_empty() { p.quiet { "None yet." } }
        @else {
            div.scroll {
                table.sent {
                    thead { tr { th { "Day" } th { "About" } th { "Kept" } th { "Failed" } th { "To" } th { "Standing" } } }
                    tbody {
                        @for report in sent {
                            tr {
                                td data-label="Day" { (report.key.day) }
                                td data-label="About" { (report.key.domain) }
                                td data-label="Kept" { (report.successful) }
                                td data-label="Failed" { (report.failed) }
                                td data-label="To" { @for own in &report.deliveries { code { (own.target) } " " } }
                                td data-label="Standing" { (standing(report)) }
                            }
                        }
                    }
                }
            }
        }
    }
}

fn received_table(received: &[Received]) -> Markup {
    html! {
        @if received.is_empty() { p.quiet { "None yet; " code { "hoplock report read" } " takes them." } }
        @else {
            div.scroll {
                table.received {
                    thead { tr { th { "From" } th { "Begins" } th { "Ends" } th { "Kept" } th { "Failed" } th { "Id" } } }
                    tbody {
                        @for report in received {
                            tr class=[(report.failed > 0).then_some("near")] {
                                td data-label="From" { (report.organization) }
                                td data-label="Begins" { (at(report.begins)) }
                                td data-label="Ends" { (at(report.ends)) }
                                td data-label="Kept" { (report.successful) }
                                td data-label="Failed" { (report.failed) }
                                td data-label="Id" { code { (report.report_id) } }
                            }
                        }
                    }
                }
            }
        }
    }
}

fn unavailable(place: Place, words: &str) -> Response {
    let main = html! { h1 { "It cannot be shown" } p { (words) } };
    (
        StatusCode::SERVICE_UNAVAILABLE,
        shell(place, "It cannot be shown", "", &main),
    )
        .into_response()
}

/// As many rows as a browser and a reader take.
const MANY: usize = 500;
const PATTERNS: usize = 3;
