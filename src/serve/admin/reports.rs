//! TLS reports over HTTP: what leaves, what came; orders on the control socket alone.

use std::sync::Arc;

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use hoplock_policy::name::DomainName;
use hoplock_policy::next_hop::escaped;
use hoplock_policy::tlsrpt::Day;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Admin, time};
use crate::report::post::{Shown, key, standing};
use crate::world::StoreFailure;
use crate::world::reports::outgoing::{Delivery, DeliveryState, Outgoing};
use crate::world::reports::received::Received;

/// What is asked for; each part may be left out.
#[derive(Deserialize)]
pub(super) struct Wanted {
    domain: Option<String>,
    /// `2026-11-26`; without it, the day that was over last.
    day: Option<String>,
    limit: Option<usize>,
}

/// All that is kept of reports.
#[derive(Serialize)]
struct Listed {
    /// Days of which something is counted.
    counted: Vec<String>,
    /// Reports that left or are on their way, the latest days first.
    sent: Vec<SentLine>,
    /// Reports that others sent us, the latest first.
    received: Vec<ReceivedLine>,
}

/// A report of ours.
#[derive(Serialize)]
struct SentLine {
    day: String,
    domain: String,
    report_id: String,
    standing: &'static str,
    successful: u64,
    failed: u64,
    claimed: String,
    deliveries: Vec<DeliveryLine>,
}

#[derive(Serialize)]
struct DeliveryLine {
    target: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    redirected_from: Option<String>,
    state: &'static str,
    /// When it is tried next, or when that was the end of it.
    at: String,
    attempts: u32,
    last: String,
}

/// A report of somebody else's.
#[derive(Serialize)]
struct ReceivedLine {
    at: String,
    organization: String,
    report_id: String,
    begins: String,
    ends: String,
    successful: u64,
    failed: u64,
}

/// One report, whole.
#[derive(Serialize)]
struct ShownLine {
    day: String,
    domain: String,
    /// The JSON of RFC 8460, as it will leave or left.
    document: Value,
    /// Where it goes.
    targets: Vec<String>,
    /// Why it goes nowhere.
    #[serde(skip_serializing_if = "Option::is_none")]
    not_sent: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    claimed: Option<SentLine>,
}

pub(super) async fn list(
    State(admin): State<Arc<Admin>>,
    Query(wanted): Query<Wanted>,
) -> Response {
    let limit = wanted.limit.unwrap_or(LIMIT).min(MOST);
    // Those of others are read whole.
    let few = limit.min(LIMIT);
    let day = match wanted.day.as_deref().map(day).transpose() {
        Ok(day) => day,
        Err(words) => return bad(words),
    };
    let reports = admin.post.reports();
    let read = async {
        let days = reports.days().await?;
        let sent = reports.list(day, limit).await?;
        let received = reports.received(few).await?;
        Ok::<_, StoreFailure>(Listed {
            counted: days.iter().rev().map(ToString::to_string).collect(),
            sent: sent.iter().map(SentLine::of).collect(),
            received: received.iter().map(ReceivedLine::of).collect(),
        })
    };
    match read.await {
        Ok(listed) => Json(listed).into_response(),
        Err(error) => failed(&error),
    }
}

pub(super) async fn show(
    State(admin): State<Arc<Admin>>,
    Query(wanted): Query<Wanted>,
) -> Response {
    let (day, domain) = match wanted.which(&admin) {
        Ok(which) => which,
        Err(words) => return bad(words),
    };
    match admin.post.show(&key(day, domain.clone())).await {
        Ok(shown) => Json(ShownLine::of(day, &domain, &shown)).into_response(),
        Err(error) => failed(&error),
    }
}

pub(super) async fn send(
    State(admin): State<Arc<Admin>>,
    Query(wanted): Query<Wanted>,
) -> Response {
    let (day, domain) = match wanted.which(&admin) {
        Ok(which) => which,
        Err(words) => return bad(words),
    };
    if day.over_for(admin.engine.clock.now().wall).is_none() {
        return bad(format!("{day} is not over: a report covers a whole day"));
    }
    match admin.post.send_now(&key(day, domain)).await {
        Ok(Ok(report)) => Json(SentLine::of(&report)).into_response(),
        Ok(Err(nothing)) => bad(format!("no report: {nothing}")),
        Err(error) => failed(&error),
    }
}

/// Keeps a report that somebody sent us, whatever it came in.
pub(super) async fn receive(State(admin): State<Arc<Admin>>, body: Bytes) -> Response {
    let report = match crate::report::read::read(&body) {
        Ok(report) => report,
        Err(error) => return bad(error.to_string()),
    };
    let received = report.received(admin.engine.clock.now().wall);
    match admin.post.receive(received).await {
        Ok(true) => (StatusCode::CREATED, "kept\n").into_response(),
        Ok(false) => "kept before\n".into_response(),
        Err(error) => failed(&error),
    }
}

impl Wanted {
    fn which(&self, admin: &Admin) -> Result<(Day, DomainName), String> {
        let text = self.domain.as_deref().unwrap_or_default();
        let domain = DomainName::parse(text)
            .map_err(|why| format!("{} is no domain: {why}", escaped(text)))?;
        let day = match &self.day {
            Some(text) => day(text)?,
            None => Day::of(admin.engine.clock.now().wall).before(),
        };
        Ok((day, domain))
    }
}

fn day(text: &str) -> Result<Day, String> {
    Day::parse(text).ok_or_else(|| format!("{} is no day; write it as 2026-11-26", escaped(text)))
}

impl SentLine {
    fn of(report: &Outgoing) -> Self {
        Self {
            day: report.key.day.to_string(),
            domain: report.key.domain.to_string(),
            report_id: report.report_id.clone(),
            standing: standing(report),
            successful: report.successful,
            failed: report.failed,
            claimed: time(report.claimed),
            deliveries: report.deliveries.iter().map(DeliveryLine::of).collect(),
        }
    }
}

impl DeliveryLine {
    fn of(own: &Delivery) -> Self {
        let (state, at) = match own.state {
            DeliveryState::Waiting { next } => ("waiting", next),
            DeliveryState::Delivered { at } => ("delivered", at),
            DeliveryState::GivenUp { at } => ("given up", at),
        };
        Self {
            target: own.target.to_string(),
            redirected_from: own.redirected_from.as_ref().map(ToString::to_string),
            state,
            at: time(at),
            attempts: own.attempts,
            last: own.last.clone(),
        }
    }
}

impl ReceivedLine {
    fn of(own: &Received) -> Self {
        Self {
            at: time(own.at),
            organization: own.organization.clone(),
            report_id: own.report_id.clone(),
            begins: time(own.begins),
            ends: time(own.ends),
            successful: own.successful,
            failed: own.failed,
        }
    }
}

impl ShownLine {
    fn of(day: Day, domain: &DomainName, shown: &Shown) -> Self {
        let document = shown.document.encode();
        let (targets, not_sent) = match &shown.targets {
            Ok(targets) => (targets.iter().map(ToString::to_string).collect(), None),
            Err(nothing) => (Vec::new(), Some(nothing.to_string())),
        };
        Self {
            day: day.to_string(),
            domain: domain.to_string(),
            // What was encoded a moment ago is JSON.
            document: serde_json::from_slice(&document).unwrap_or_default(),
            targets,
            not_sent,
            claimed: shown.claimed.as_ref().map(SentLine::of),
        }
    }
}

fn bad(words: String) -> Response {
    (StatusCode::BAD_REQUEST, words + "\n").into_response()
}

fn failed(error: &StoreFailure) -> Response {
    (StatusCode::SERVICE_UNAVAILABLE, format!("{error}\n")).into_response()
}

const LIMIT: usize = 100;
/// A page that people read, and a program can ask for a day.
const MOST: usize = 10_000;
