//! What one destination would be answered, for each of several profiles (`hoplock survey`).

use std::sync::Arc;

use axum::Json;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use hoplock_policy::next_hop::escaped;
use hoplock_policy::render::json;
use serde::{Deserialize, Serialize};

use super::Admin;

#[derive(Deserialize)]
pub(super) struct Wanted {
    next_hop: String,
    /// Names, with commas between.
    profiles: String,
}

#[derive(Serialize)]
struct Surveyed {
    answers: Vec<json::Query>,
}

pub(super) async fn survey(
    State(admin): State<Arc<Admin>>,
    Query(wanted): Query<Wanted>,
) -> Response {
    let answerer = &admin.engine.answerer;
    let mut profiles = Vec::new();
    for name in wanted.profiles.split(',') {
        let Some(profile) = answerer.profile(name) else {
            let words = format!("there is no profile {}; try postfix\n", escaped(name));
            return (StatusCode::NOT_FOUND, words).into_response();
        };
        profiles.push(profile);
    }
    let settings = answerer.settings();
    let answers = answerer.survey(&wanted.next_hop, &profiles).await;
    let answers = answers
        .iter()
        .map(|answered| {
            let name = &answered.profile;
            json::query(&answered.view(&wanted.next_hop, name, &settings.rules))
        })
        .collect();
    Json(Surveyed { answers }).into_response()
}
