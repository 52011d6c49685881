//! What `hoplock explain` says of one destination, with its evidence as a drawing.
//!
//! Asked without a trace, as a survey is: nothing is counted, logged or kept for having been looked at.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use hoplock_policy::next_hop::{NextHop, escaped, without_mailbox};
use hoplock_policy::profile::Profile;
use hoplock_policy::render::explain;
use hoplock_policy::render::explain::words::sentence;
use maud::{Markup, html};
use serde::Deserialize;
use tokio::sync::Semaphore;
use tokio::time::timeout;

use super::chain::{draw, draw_without_findings, last_sessions};
use super::tables;
use super::{Place, demo, shell};
use crate::answer::{Answered, Protection};
use crate::serve::admin::{Admin, DEFAULT_PROFILE, sessions};
use crate::serve::target::percent_encoded;
use crate::world::{JournalEntry, JournalQuery};

#[derive(Deserialize)]
pub(super) struct Wanted {
    #[serde(default)]
    next_hop: String,
    profile: Option<String>,
}

pub(super) async fn page(
    State(admin): State<Arc<Admin>>,
    Query(wanted): Query<Wanted>,
) -> Response {
    // People paste what they find: addresses of mail, blanks around a name.
    let asked = wanted.next_hop.trim();
    let asked = without_mailbox(asked);
    let answerer = &admin.engine.answerer;
    let name = wanted.profile.as_deref().unwrap_or_else(|| usual(&admin));
    let Some(profile) = answerer.profile(name) else {
        let words = format!("There is no profile {}.", escaped(name));
        return not_found(asked, &words);
    };
    if asked.is_empty() {
        return not_found(asked, "Type the domain that mail goes to.");
    }
    // Who looks must not keep orders and surveys of the operator waiting.
    let Ok(Ok(_seat)) = timeout(PATIENCE, LOOKS.acquire()).await else {
        let words = "Too many destinations are looked up for this page: try again in a moment.";
        return busy(asked, words);
    };
    let answers = answerer.survey(asked, std::slice::from_ref(&profile)).await;
    let Some(answered) = answers.first() else {
        return StatusCode::INTERNAL_SERVER_ERROR.into_response();
    };
    let entries = sessions_of(&admin, &answered.next_hop).await;
    let main = content(&admin, asked, answered, &profile, &entries);
    shell(Place::Destination, asked, asked, &main).into_response()
}

/// The profile that mail servers ask for here.
fn usual(admin: &Admin) -> &'static str {
    let answerer = &admin.engine.answerer;
    let asked = PROFILES.iter().find(|name| answerer.was_asked(name));
    asked.copied().unwrap_or(DEFAULT_PROFILE)
}

fn not_found(asked: &str, words: &str) -> Response {
    let main = html! { h1 { "Nothing to explain" } p { (words) } };
    let page = shell(Place::Destination, "Nothing to explain", asked, &main);
    (StatusCode::NOT_FOUND, page).into_response()
}

fn busy(asked: &str, words: &str) -> Response {
    let main = html! { h1 { "Not now" } p { (words) } };
    let page = shell(Place::Destination, "Not now", asked, &main);
    (StatusCode::SERVICE_UNAVAILABLE, page).into_response()
}

async fn sessions_of(admin: &Admin, next_hop: &NextHop) -> Vec<(u64, JournalEntry)> {
    let query = JournalQuery {
        next_hop: Some(next_hop.clone()),
        ..JournalQuery::default()
    };
    sessions::read(admin, query).await.unwrap_or_default()
}

fn content(
    admin: &Admin,
    asked: &str,
    answered: &Answered,
    profile: &Profile,
    entries: &[(u64, JournalEntry)],
) -> Markup {
    let settings = admin.engine.answerer.settings();
    let view = answered.view(asked, &profile.name, &settings.rules);
    let verdict = &answered.verdict;
    let protection = Protection::of(answered);
    let last = last_sessions(entries);
    html! {
        h1.verdict data-verdict=(verdict.answer.word()) {
            span class={ "swatch " (protection.word()) } {}
            (sentence(&view))
        }
        (demo::sentence(admin.engine.demo, asked))
        dl.facts {
            dt { "Answer" } dd { code { (answered.rendered) } }
            dt { "Row of the law" } dd { (verdict.row.id()) ": " (verdict.row.words()) }
            dt { "Reason" } dd { (verdict.reason.word()) @if !verdict.detail.is_empty() { ": " (verdict.detail) } }
            @if let Some(rule) = &verdict.rule {
                dt { "Rule" } dd { (rule.pattern) @if !rule.comment.is_empty() { ": " (rule.comment) } }
            }
            dt { "Asked as" }
            dd {
                @for name in PROFILES {
                    a href={ "/destination?next_hop=" (percent_encoded(asked)) "&profile=" (name) }
                        aria-current=[(*name == profile.name).then_some("true")] { (name) }
                    " "
                }
            }
        }
        section aria-labelledby="evidence" {
            h2 #evidence { "The evidence" }
            @match &answered.findings {
                Some(findings) => (draw(&view, findings, &last)),
                None => (draw_without_findings(&view, &last)),
            }
        }
        @if !entries.is_empty() {
            section aria-labelledby="sessions" {
                h2 #sessions { "Sessions" }
                (tables::sessions(entries.get(..SESSIONS).unwrap_or(entries)))
            }
        }
        details {
            summary { "Everything, as " code { "hoplock explain" } " prints it" }
            pre { (explain::text(&view)) }
        }
        p.quiet {
            "The same on the command line: "
            code { "hoplock explain '" (escaped(asked)) "' --profile " (profile.name) }
        }
    }
}

/// Destinations that are looked up for the page at once: a quarter of the seats for surveys.
static LOOKS: Semaphore = Semaphore::const_new(4);
/// How long somebody waits for one of them.
const PATIENCE: Duration = Duration::from_secs(1);
/// The profiles that are built in, the likeliest first.
const PROFILES: &[&str] = &["postfix", "postfix310", "pins", "exim", "sendmail"];
/// The newest; the list of all is a page of its own.
const SESSIONS: usize = 10;
