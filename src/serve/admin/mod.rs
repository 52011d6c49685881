//! The HTTP interface: metrics, health, answers as JSON, and the page for people.
//!
//! The same interface stands on the control socket, where file permissions guard it, and on TCP,
//! where the `Host` field is checked so that no web page can reach it by a name of its own. Orders
//! are taken on the control socket alone.
//!
//! * `cache`: what is kept, and forgetting it.
//! * `demo`: the destinations of a demonstration.
//! * `anchors`: orders to survive DNSSEC trouble.
//! * `observed`: what rules of mode `audit` kept from being done.
//! * `page`: the page for people.
//! * `rules`: rules at run time.
//! * `scrape`: metrics, and how things stand for them.
//! * `sessions`: what became of sessions.
//! * `status`: how the daemon is, and its alarms.
//! * `survey`: what destinations would be answered, without leaving a trace of having been asked.
//! * `watch`: one's own domains.

mod cache;
mod demo;
mod negative_anchors;
mod observed;
mod page;
mod reporting;
mod reports;
mod rules;
mod scrape;
mod sessions;
mod status;
mod survey;
mod watch;

use std::net::{Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

use axum::extract::{DefaultBodyLimit, Query, Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use hoplock_policy::findings::Validation;
use hoplock_policy::moment::Timestamp;
use hoplock_policy::next_hop::escaped;
use hoplock_policy::render::{explain, json};
use serde::{Deserialize, Serialize};

use super::connections::Connections;
use super::engine::Engine;
use super::negative_anchors::NegativeAnchors;
use super::rulebook::Rulebook;
use super::watching::Watching;
use crate::metrics::Metrics;
use crate::report::Sessions;
use crate::report::post::PostOffice;
use crate::report::read::INPUT_LIMIT;
use crate::report::tally::Tally;
use crate::world::Lasts;

/// What the interface shows.
pub struct Admin {
    /// Gives answers.
    pub engine: Engine,
    /// Rules of the configuration and of the store.
    pub rulebook: Rulebook,
    /// Orders to survive DNSSEC trouble.
    pub negative_anchors: NegativeAnchors,
    /// The figures.
    pub metrics: Arc<Metrics>,
    /// Connections of mail servers.
    pub connections: Connections,
    /// Judged sessions.
    pub sessions: Arc<Sessions>,
    /// Counts sessions for TLS reports.
    pub tally: Arc<Tally>,
    /// Makes and sends them.
    pub post: Arc<PostOffice>,
    /// Watches one's own domains.
    pub watch: Arc<Watching>,
}

/// The interface as routes; `guarded` on TCP.
pub fn router(admin: Arc<Admin>, guard: Guard) -> Router {
    let routes = Router::new()
        .route("/metrics", get(scrape::metrics))
        .route("/live", get(|| async { "alive\n" }))
        .route("/ready", get(ready))
        .route("/api/v1/query", get(query))
        .route("/api/v1/cache", get(cache::list))
        .route("/api/v1/cache/show", get(cache::show))
        .route("/api/v1/cache/export", get(cache::export))
        .route("/api/v1/demo", get(demo::list))
        .route("/api/v1/observed", get(observed::list))
        .route("/api/v1/sessions", get(sessions::list))
        .route("/api/v1/report", get(reports::list))
        .route("/api/v1/report/show", get(reports::show))
        .route("/api/v1/watch", get(watch::list))
        .route("/api/v1/status", get(status::status))
        .merge(page::routes());
    match guard {
        Guard::FilePermissions => routes
            .route("/api/v1/cache/purge", post(cache::purge))
            .route("/api/v1/survey", get(survey::survey))
            .route("/api/v1/report/send", post(reports::send))
            .route(
                "/api/v1/report/received",
                post(reports::receive).layer(DefaultBodyLimit::max(INPUT_LIMIT)),
            )
            .route(
                "/api/v1/negative-trust-anchors",
                get(negative_anchors::list)
                    .post(negative_anchors::add)
                    .delete(negative_anchors::remove),
            )
            .route(
                "/api/v1/rules",
                get(rules::list).post(rules::add).delete(rules::remove),
            )
            .with_state(admin),
        Guard::ReadOnly => routes
            .route("/api/v1/rules", get(rules::list))
            .with_state(admin)
            .layer(middleware::from_fn(check_site)),
        Guard::HostField => routes
            .route("/api/v1/rules", get(rules::list))
            .with_state(admin)
            .layer(middleware::from_fn(check_host)),
    }
}

/// What keeps strangers off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Guard {
    /// The control socket, a unix one: orders are taken.
    FilePermissions,
    /// Another unix socket, where the proxy or collector that it is for may only read.
    ReadOnly,
    /// The `Host` field must name this machine by address or as `localhost`.
    HostField,
}

async fn check_host(request: Request, next: Next) -> Response {
    let host = request
        .headers()
        .get(header::HOST)
        .and_then(|value| value.to_str().ok());
    if !host.is_none_or(is_local) {
        let words = "this interface answers to addresses and to localhost only\n";
        return (StatusCode::MISDIRECTED_REQUEST, words).into_response();
    }
    check_site(request, next).await
}

/// Also behind a proxy, which may have a password that browsers remember.
async fn check_site(request: Request, next: Next) -> Response {
    if is_anothers(request.headers(), request.uri().path()) {
        let words = "this interface answers to no other site's page\n";
        return (StatusCode::FORBIDDEN, words).into_response();
    }
    next.run(request).await
}

/// True where a browser says that a page of somebody else asks, and not a person who follows a link to a page:
/// it could not read the answer, and could have us look names up all the same (Fetch Metadata, 2.1 to 2.3).
fn is_anothers(headers: &HeaderMap, path: &str) -> bool {
    let is = |name: &str, word: &str| headers.get(name).is_some_and(|value| value == word);
    // A frame is navigated to as well.
    let is_followed = is("sec-fetch-mode", "navigate") && is("sec-fetch-dest", "document");
    is("sec-fetch-site", "cross-site") && (!is_followed || path.starts_with("/api/"))
}

/// An address or `localhost`, with or without a port, and nothing around it.
pub(super) fn is_local(host: &str) -> bool {
    let is_port = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if let Some(rest) = host.strip_prefix('[') {
        return rest.split_once(']').is_some_and(|(inside, rest)| {
            let behind = rest.is_empty() || rest.strip_prefix(':').is_some_and(is_port);
            behind && inside.parse::<Ipv6Addr>().is_ok()
        });
    }
    let bare = match host.rsplit_once(':') {
        Some((name, port)) if is_port(port) => name,
        _ => host,
    };
    bare.eq_ignore_ascii_case("localhost") || bare.parse::<Ipv4Addr>().is_ok()
}

/// Readiness; a degraded daemon is ready, and says so.
#[derive(Serialize)]
struct Ready {
    ready: bool,
    degraded: Vec<&'static str>,
}

async fn ready(State(admin): State<Arc<Admin>>) -> Json<Ready> {
    let world = admin.engine.answerer.world();
    let mut degraded = match world.resolver.validation() {
        Validation::Validating => Vec::new(),
        Validation::NotValidating => vec!["resolver-not-validating"],
        Validation::Unknown => vec!["resolver-unknown"],
    };
    if world.store.lasts() == Lasts::Process {
        degraded.push("no-state");
    }
    Json(Ready {
        ready: true,
        degraded,
    })
}

#[derive(Deserialize)]
struct QueryParameters {
    next_hop: String,
    profile: Option<String>,
    evidence: Option<Evidence>,
}

/// How much of the evidence is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Evidence {
    /// All of it, as JSON.
    Full,
    /// All of it, as text for people.
    Text,
}

async fn query(
    State(admin): State<Arc<Admin>>,
    Query(parameters): Query<QueryParameters>,
) -> Response {
    let name = parameters.profile.as_deref().unwrap_or(DEFAULT_PROFILE);
    let Some(profile) = admin.engine.answerer.profile(name) else {
        let words = format!(
            "there is no profile {}; try postfix or postfix310\n",
            escaped(name)
        );
        return (StatusCode::NOT_FOUND, words).into_response();
    };
    let answered = admin
        .engine
        .answerer
        .answer(&parameters.next_hop, &profile)
        .await;
    let settings = admin.engine.answerer.settings();
    let view = answered.view(&parameters.next_hop, &profile.name, &settings.rules);
    match parameters.evidence {
        None => Json(json::query(&view)).into_response(),
        Some(Evidence::Full) => Json(json::explain(&view)).into_response(),
        Some(Evidence::Text) => {
            let shown = admin.shown_by(&parameters.next_hop);
            (explain::text(&view) + &shown).into_response()
        }
    }
}

/// RFC 3339.
fn time(at: Timestamp) -> String {
    let millis = i64::try_from(at.0).unwrap_or(i64::MAX);
    jiff::Timestamp::from_millisecond(millis)
        .unwrap_or(jiff::Timestamp::MAX)
        .to_string()
}

/// The profile of somebody who names none.
pub const DEFAULT_PROFILE: &str = "postfix";

#[cfg(test)]
mod tests {
    use super::*;

    /// A page of another site may lead here, and may not have us asked behind its reader's back.
    #[test]
    fn pages_of_others() {
        let headers = |pairs: &[(&'static str, &'static str)]| -> HeaderMap {
            let pairs = pairs.iter().map(|(name, value)| {
                let name = axum::http::HeaderName::from_static(name);
                (name, axum::http::HeaderValue::from_static(value))
            });
            pairs.collect()
        };
        let (site, mode, dest) = ("sec-fetch-site", "sec-fetch-mode", "sec-fetch-dest");
        let link = [(site, "cross-site"), (mode, "navigate"), (dest, "document")];
        let frame = [(site, "cross-site"), (mode, "navigate"), (dest, "iframe")];
        for (pairs, path, expected) in [
            (&[][..], "/api/v1/query", false),
            (&[(site, "same-origin"), (mode, "cors")], "/", false),
            (
                &[(site, "none"), (mode, "navigate"), (dest, "document")],
                "/api/v1/query",
                false,
            ),
            (&link, "/destination", false),
            (&link, "/api/v1/query", true),
            (&frame, "/destination", true),
            (&[(site, "cross-site"), (mode, "navigate")], "/", true),
            (&[(site, "cross-site"), (mode, "no-cors")], "/", true),
            (&[(site, "cross-site")], "/", true),
        ] {
            assert_eq!(
                is_anothers(&headers(pairs), path),
                expected,
                "{pairs:?} {path}"
            );
        }
    }

    /// No page of another host reaches the interface by a name of its own.
    #[test]
    fn names_of_this_machine() {
        for host in [
            "localhost",
            "LOCALHOST:1",
            "127.0.0.1",
            "192.0.2.1:80",
            "[::1]",
            "[::1]:80",
        ] {
            assert!(is_local(host), "{host}");
        }
        for host in [
            "e.test",
            "localhost.e.test",
            "[::1].e.test",
            "127.0.0.1:e.test",
            "[::1",
            "",
        ] {
            assert!(!is_local(host), "{host}");
        }
    }
}
