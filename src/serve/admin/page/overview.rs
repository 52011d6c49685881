//! The first page: what stands out, then what protects mail, then how the daemon is and what it keeps.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use hoplock_policy::moment::{Moment, Timestamp};
use hoplock_policy::render::explain::words::span;
use maud::{Markup, html};

use super::words::count;
use super::{Place, aside, chart, demo, health, lists, shell, tables, watch};
use crate::serve::admin::status::{self, Alarm};
use crate::serve::admin::{Admin, sessions};
use crate::world::{JournalEntry, JournalQuery};

pub(super) async fn page(State(admin): State<Arc<Admin>>) -> Response {
    let now = admin.engine.answerer.world().clock.now();
    let rules = admin.rulebook.list(now.wall).await;
    let status = status::collect(&admin, &rules, now).await;
    let failures = failures(&admin, now.wall).await;
    let reports = lists::of_reports(&admin, FEW).await;
    let kept = Arc::clone(&admin);
    let drawing = aside(move || chart::draw(&kept.engine.answerer.today().day(now))).await;
    let kept = Arc::clone(&admin);
    let policies = aside(move || lists::policies_table(&kept, now, FEW)).await;
    let main = html! {
        h1.hidden { "Overview" }
        (demo::notice(admin.engine.demo))
        (alarms(&status.alarms))
        @match failures {
            Ok(failures) if failures.is_empty() => {}
            Ok(failures) => {
                section #failures aria-labelledby="failures-title" {
                    h2 #failures-title { "Sessions that failed in the last day" }
                    (tables::sessions(&failures))
                    p { a href="/sessions?outcome=failed" { "All that failed" } }
                }
            }
            Err(words) => section #failures { p.note { "Sessions cannot be shown: " (words) } }
        }
        (waiting(&admin, now))
        (watch::section(&admin.watch.list()))
        section #protection aria-labelledby="protection-title" {
            h2 #protection-title { "Today’s destinations by protection" }
            (drawing)
        }
        section #health aria-labelledby="health-title" {
            h2 #health-title { "How hoplock is" }
            (health::cards(&status))
        }
        section #policies aria-labelledby="policies-title" {
            h2 #policies-title { "MTA-STS policies that end soonest" }
            (policies)
        }
        section #rules aria-labelledby="rules-title" {
            h2 #rules-title { "Rules" }
            @if rules.is_empty() { p.quiet { "None: every destination’s own word counts." } }
            @else { (tables::rules(&rules, now.wall, FEW)) }
        }
        section #reports aria-labelledby="reports-title" {
            h2 #reports-title { "TLS reports" }
            @if !admin.post.is_enabled() {
                p.quiet { "Sending is switched off (" code { "[report] enabled" } ")." }
            }
            (reports)
        }
    };
    shell(Place::Overview, "Overview", "", &main).into_response()
}

fn alarms(alarms: &[Alarm]) -> Markup {
    html! {
        section #alarms aria-labelledby="alarms-title" {
            @if alarms.is_empty() {
                h2.calm #alarms-title { "No alarm stands" }
            } @else {
                h2 #alarms-title { (count(alarms.len() as u64, "alarm", "alarms")) }
                @for alarm in alarms {
                    article.alarm data-alarm=(alarm.alarm.word()) {
                        h3 { (alarm.what) }
                        p { (alarm.cause) }
                        p.cure { strong { "What helps: " } (alarm.cure) }
                    }
                }
            }
        }
    }
}

async fn failures(admin: &Admin, now: Timestamp) -> Result<Vec<(u64, JournalEntry)>, String> {
    let query = JournalQuery {
        since: Some(Timestamp(now.0.saturating_sub(DAY_MILLIS))),
        only_alarms: true,
        limit: FEW,
        ..JournalQuery::default()
    };
    sessions::read(admin, query).await
}

/// Destinations whose mail waits by our answer.
fn waiting(admin: &Admin, now: Moment) -> Markup {
    let waiting = admin.engine.answerer.waiting();
    let waiting = waiting.longer_than(Duration::ZERO, now);
    html! {
        @if !waiting.is_empty() {
            section #waiting aria-labelledby="waiting-title" {
                h2 #waiting-title { "Mail waits" }
                div.scroll {
                    table {
                        thead { tr { th { "For" } th { "Since" } th { "Why" } } }
                        tbody {
                            @for (next_hop, own) in waiting.iter().take(MANY) {
                                tr {
                                    td data-label="For" { (tables::destination(&next_hop.to_string())) }
                                    td data-label="Since" { (span(now.uptime.saturating_sub(own.since.uptime))) }
                                    td data-label="Why" { (own.reason.word()) ": " (own.detail) }
                                }
                            }
                        }
                    }
                }
                @if waiting.len() > MANY { p { "and " (waiting.len() - MANY) " more" } }
            }
        }
    }
}

const DAY_MILLIS: u64 = 86_400_000;
/// As many as belong on a first page.
const FEW: usize = 5;
const MANY: usize = 20;
