//! What is kept, over HTTP: findings and their answers, remembered policies; and forgetting them.

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use hoplock_policy::moment::{Moment, Timestamp};
use hoplock_policy::next_hop::{NextHop, NotADomain, escaped};
use hoplock_policy::render::json;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::rules::RuleLine;
use super::{Admin, time};
use crate::answer::Answered;
use crate::cache::Entry;
use crate::world::KeptPolicy;

/// What is kept.
#[derive(Serialize)]
pub(super) struct Kept {
    entries: usize,
    destinations: Vec<Destination>,
    policies: Vec<Policy>,
}

/// One destination.
#[derive(Serialize)]
struct Destination {
    next_hop: String,
    /// By profile.
    verdicts: Vec<(String, &'static str)>,
    expires_in: u64,
    hits: u32,
}

/// One remembered MTA-STS policy.
#[derive(Serialize)]
struct Policy {
    domain: String,
    mode: &'static str,
    id: String,
    mx: Vec<String>,
    max_age: u64,
    expires_in: u64,
    fetched: String,
    used: String,
}

pub(super) async fn list(State(admin): State<Arc<Admin>>) -> Json<Kept> {
    Json(admin.kept())
}

impl Admin {
    fn kept(&self) -> Kept {
        let now = self.engine.answerer.world().clock.now();
        let cache = self.engine.answerer.cache();
        let entries = cache.entries().into_iter();
        let mut destinations: Vec<Destination> = entries
            .map(|entry| Destination {
                next_hop: entry.findings.next_hop.to_string(),
                verdicts: verdicts(&entry),
                expires_in: entry.remaining(now).as_secs(),
                hits: entry.hits(),
            })
            .collect();
        destinations.sort_by(|left, right| left.next_hop.cmp(&right.next_hop));
        Kept {
            entries: cache.len(),
            destinations,
            policies: self.kept_policies(None),
        }
    }

    /// All remembered policies, or one domain's.
    fn kept_policies(&self, only: Option<&NextHop>) -> Vec<Policy> {
        let world = self.engine.answerer.world();
        let now = world.clock.now();
        let wanted = |kept: &KeptPolicy| match only {
            None => true,
            Some(NextHop::Domain { domain, .. }) => *domain == kept.domain,
            Some(_) => false,
        };
        let kept = world.store.policies().into_iter().filter(wanted);
        let mut policies: Vec<Policy> = kept
            .map(|kept| {
                let policy = &kept.policy.policy;
                Policy {
                    domain: kept.domain.to_string(),
                    mode: policy.mode.word(),
                    id: kept.policy.id.clone(),
                    mx: policy.mx.iter().map(ToString::to_string).collect(),
                    max_age: policy.max_age.as_secs(),
                    expires_in: kept.policy.remaining(now).as_secs(),
                    fetched: time(kept.policy.fetched.wall),
                    used: time(earlier(now, now.uptime.saturating_sub(kept.used))),
                }
            })
            .collect();
        policies.sort_by(|left, right| left.domain.cmp(&right.domain));
        policies
    }

    /// The answers of one destination with all their evidence; nothing is looked up.
    fn shown(&self, entry: &Entry<Answered>) -> Value {
        let settings = self.engine.answerer.settings();
        let now = self.engine.answerer.world().clock.now();
        let asked = entry.findings.next_hop.to_string();
        let answers: Vec<json::Explain> = entry
            .answers()
            .iter()
            .map(|answered| {
                json::explain(&answered.view(&asked, &answered.profile, &settings.rules))
            })
            .collect();
        json!({
            "next_hop": asked,
            "gathered": time(entry.findings.gathered.wall),
            "expires_in": entry.remaining(now).as_secs(),
            "hits": entry.hits(),
            "answers": answers,
        })
    }
}

/// The wall clock's time of a moment that long ago.
fn earlier(now: Moment, age: Duration) -> Timestamp {
    let millis = u64::try_from(age.as_millis()).unwrap_or(u64::MAX);
    Timestamp(now.wall.0.saturating_sub(millis))
}

fn verdicts(entry: &Entry<Answered>) -> Vec<(String, &'static str)> {
    let answers = entry.answers();
    let words = answers
        .iter()
        .map(|answered| (answered.profile.clone(), answered.verdict.answer.word()));
    words.collect()
}

#[derive(Deserialize)]
pub(super) struct Wanted {
    next_hop: String,
}

pub(super) async fn show(
    State(admin): State<Arc<Admin>>,
    Query(wanted): Query<Wanted>,
) -> Json<Value> {
    let next_hop = NextHop::parse(&wanted.next_hop);
    let entry = admin.engine.answerer.cache().entry(&next_hop);
    let policies = admin.kept_policies(Some(&next_hop));
    let memory = admin.engine.answerer.world().store.dane(next_hop);
    let seen = memory.await.ok().flatten();
    let findings = entry.map(|entry| admin.shown(&entry));
    Json(json!({
        "findings": findings,
        "policies": policies,
        "dane_seen": seen.map(|memory| time(memory.seen.wall)),
        "dane_gone": seen.and_then(|memory| memory.gone).map(|gone| time(gone.since.wall)),
    }))
}

pub(super) async fn export(State(admin): State<Arc<Admin>>) -> Json<Value> {
    let entries = admin.engine.answerer.cache().entries();
    let now = admin.engine.answerer.world().clock.now();
    let rules = admin.rulebook.list(now.wall).await;
    let rules: Vec<RuleLine> = rules.iter().map(RuleLine::of).collect();
    Json(json!({
        "hoplock": env!("CARGO_PKG_VERSION"),
        "time": time(now.wall),
        "destinations": entries.iter().map(|entry| admin.shown(entry)).collect::<Vec<_>>(),
        "policies": admin.kept_policies(None),
        "rules": rules,
    }))
}

#[derive(Deserialize)]
pub(super) struct Purge {
    next_hop: Option<String>,
    #[serde(default)]
    all: bool,
    /// Remembered policies too: what is forgotten protects nobody until it is learnt again.
    #[serde(default)]
    policies: bool,
}

pub(super) async fn purge(State(admin): State<Arc<Admin>>, Query(purge): Query<Purge>) -> Response {
    let answerer = &admin.engine.answerer;
    let next_hop = purge.next_hop.as_deref().map(NextHop::parse);
    if let Some(NextHop::NotADomain(NotADomain::Malformed(why))) = &next_hop {
        let asked = escaped(purge.next_hop.as_deref().unwrap_or_default());
        let words = format!("{asked} is no destination: {why}\n");
        return (StatusCode::BAD_REQUEST, words).into_response();
    }
    if next_hop.is_none() && !purge.all {
        let words = "name a next hop, or all\n";
        return (StatusCode::BAD_REQUEST, words).into_response();
    }
    let before = answerer.cache().len();
    match &next_hop {
        Some(next_hop) => answerer.cache().forget(next_hop),
        None => answerer.cache().forget_all(),
    }
    let findings = before.saturating_sub(answerer.cache().len());
    let store = &answerer.world().store;
    let meant: Vec<_> = match &next_hop {
        _ if !purge.policies => Vec::new(),
        None => store
            .policies()
            .into_iter()
            .map(|kept| kept.domain)
            .collect(),
        // By name: it may be in the file and not at hand.
        Some(NextHop::Domain { domain, .. }) => vec![domain.clone()],
        Some(_) => Vec::new(),
    };
    let mut policies = 0_usize;
    for domain in meant {
        let known = store.policy(domain.clone()).await;
        policies += usize::from(!matches!(known, Ok(None)));
        if let Err(error) = store.forget_policy(domain).await {
            return (StatusCode::SERVICE_UNAVAILABLE, format!("{error}\n")).into_response();
        }
    }
    match &next_hop {
        Some(NextHop::Domain { domain, .. }) => answerer.policies().forget_failure(domain),
        Some(_) => {}
        None => answerer.policies().forget_failures(),
    }
    tracing::info!(findings, policies, "purged by order");
    Json(json!({ "findings": findings, "policies": policies })).into_response()
}
