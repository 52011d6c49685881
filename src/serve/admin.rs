//! The HTTP interface: metrics, health, answers as JSON. Read-only.
//!
//! The same interface stands on the control socket, where file permissions guard it, and on TCP,
//! where the `Host` field is checked so that no web page can reach it by a name of its own.

use std::sync::Arc;

use axum::extract::{Query, Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use hoplock_policy::findings::Validation;
use hoplock_policy::next_hop::escaped;
use hoplock_policy::render::{explain, json};
use serde::{Deserialize, Serialize};

use super::connections::Connections;
use crate::answer::Answerer;
use crate::metrics::Metrics;

/// What the interface shows.
pub struct Admin {
    /// Gives answers.
    pub answerer: Arc<Answerer>,
    /// The figures.
    pub metrics: Arc<Metrics>,
    /// Connections of mail servers.
    pub connections: Connections,
}

/// The interface as routes; `guarded` on TCP.
pub fn router(admin: Arc<Admin>, guard: Guard) -> Router {
    let routes = Router::new()
        .route("/metrics", get(metrics))
        .route("/live", get(|| async { "alive\n" }))
        .route("/ready", get(ready))
        .route("/api/v1/query", get(query))
        .route("/api/v1/cache", get(cache))
        .with_state(admin);
    match guard {
        Guard::FilePermissions => routes,
        Guard::HostField => routes.layer(middleware::from_fn(check_host)),
    }
}

/// What keeps strangers off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Guard {
    /// A unix socket.
    FilePermissions,
    /// The `Host` field must name this machine by address or as `localhost`.
    HostField,
}

async fn check_host(request: Request, next: Next) -> Response {
    let host = request
        .headers()
        .get(header::HOST)
        .and_then(|value| value.to_str().ok());
    if host.is_none_or(is_local) {
        return next.run(request).await;
    }
    let words = "this interface answers to addresses and to localhost only\n";
    (StatusCode::MISDIRECTED_REQUEST, words).into_response()
}

fn is_local(host: &str) -> bool {
    let bare = match host.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or_default(),
        None => host.rsplit_once(':').map_or(host, |(name, _)| name),
    };
    bare.eq_ignore_ascii_case("localhost") || bare.parse::<std::net::IpAddr>().is_ok()
}

async fn metrics(State(admin): State<Arc<Admin>>, headers: HeaderMap) -> Response {
    admin.refresh();
    let accept = headers
        .get(header::ACCEPT)
        .and_then(|value| value.to_str().ok());
    let open = accept.is_some_and(|accept| accept.contains("application/openmetrics-text"));
    if open {
        let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
        ([(header::CONTENT_TYPE, kind)], admin.metrics.open_metrics()).into_response()
    } else {
        let kind = "text/plain; version=0.0.4; charset=utf-8";
        ([(header::CONTENT_TYPE, kind)], admin.metrics.prometheus()).into_response()
    }
}

/// Readiness; a degraded daemon is ready, and says so.
#[derive(Serialize)]
struct Ready {
    ready: bool,
    degraded: Vec<&'static str>,
}

async fn ready(State(admin): State<Arc<Admin>>) -> Json<Ready> {
    let degraded = match admin.answerer.world().resolver.validation() {
        Validation::Validating => Vec::new(),
        Validation::NotValidating => vec!["resolver-not-validating"],
        Validation::Unknown => vec!["resolver-unknown"],
    };
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
    let Some(profile) = admin.answerer.profile(name) else {
        let words = format!(
            "there is no profile {}; try postfix or postfix310\n",
            escaped(name)
        );
        return (StatusCode::NOT_FOUND, words).into_response();
    };
    let answered = admin.answerer.answer(&parameters.next_hop, &profile).await;
    let settings = admin.answerer.settings();
    let view = answered.view(&parameters.next_hop, &profile.name, &settings.rules);
    match parameters.evidence {
        None => Json(json::query(&view)).into_response(),
        Some(Evidence::Full) => Json(json::explain(&view)).into_response(),
        Some(Evidence::Text) => explain::text(&view).into_response(),
    }
}

/// What the cache holds, in numbers.
#[derive(Serialize)]
struct CacheFigures {
    entries: usize,
}

async fn cache(State(admin): State<Arc<Admin>>) -> Json<CacheFigures> {
    Json(CacheFigures {
        entries: admin.answerer.cache().len(),
    })
}

impl Admin {
    /// Takes over the figures that others count.
    fn refresh(&self) {
        use std::sync::atomic::Ordering::Relaxed;
        let counters = self.answerer.counters();
        let gauge = |number: usize| i64::try_from(number).unwrap_or(i64::MAX);
        self.metrics
            .connections
            .set(gauge(self.connections.count()));
        self.metrics
            .cache_entries
            .set(gauge(self.answerer.cache().len()));
        self.metrics
            .gathered
            .inner()
            .store(counters.gathered.load(Relaxed), Relaxed);
        self.metrics
            .broken
            .inner()
            .store(counters.broken.load(Relaxed), Relaxed);
        self.metrics
            .cached
            .inner()
            .store(counters.cached.load(Relaxed), Relaxed);
        self.metrics
            .resolver_validating
            .set(match self.answerer.world().resolver.validation() {
                Validation::Validating => 1,
                Validation::NotValidating => 0,
                Validation::Unknown => -1,
            });
    }
}

/// The profile of somebody who names none.
pub const DEFAULT_PROFILE: &str = "postfix";
