//! Rules over HTTP: reading everywhere, orders on the control socket alone.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};

use super::{Admin, time};
use crate::serve::rulebook::{Listed, RuleError, Standing};
use crate::world::StoredRule;

/// One rule.
#[derive(Serialize)]
pub(super) struct RuleLine {
    pattern: String,
    says: String,
    source: &'static str,
    standing: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    by: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    added: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    expires: Option<String>,
    #[serde(skip_serializing_if = "String::is_empty")]
    comment: String,
}

impl RuleLine {
    pub(super) fn of(listed: &Listed) -> Self {
        let (by, added) = listed.added.clone().unzip();
        Self {
            pattern: listed.rule.pattern.to_string(),
            says: listed.says.clone(),
            source: if added.is_some() {
                "run time"
            } else {
                "configuration"
            },
            standing: match listed.standing {
                Standing::Active => "active",
                Standing::NearExpiry => "near expiry",
                Standing::Expired | Standing::ExpiredProtection => "expired",
                Standing::Overlaid => "overlaid",
                Standing::NotUnderstood => "not understood",
            },
            by,
            added: added.map(time),
            expires: listed.rule.expires.map(time),
            comment: listed.rule.comment.clone(),
        }
    }
}

pub(super) async fn list(State(admin): State<Arc<Admin>>) -> Json<Vec<RuleLine>> {
    let now = admin.engine.answerer.world().clock.now();
    let listed = admin.rulebook.list(now.wall).await;
    Json(listed.iter().map(RuleLine::of).collect())
}

/// A rule to add: a section of the configuration, and who adds it.
#[derive(Deserialize)]
pub(super) struct NewRule {
    text: String,
    by: String,
}

pub(super) async fn add(State(admin): State<Arc<Admin>>, Json(new): Json<NewRule>) -> Response {
    let now = admin.engine.answerer.world().clock.now();
    let rule = StoredRule {
        pattern: String::new(),
        text: new.text,
        by: new.by,
        added: now.wall,
    };
    // Not in the request's own task: an order is done whole, also where nobody waits any more.
    let order = tokio::spawn(async move { admin.rulebook.add(rule).await });
    let Ok(outcome) = order.await else {
        return StatusCode::INTERNAL_SERVER_ERROR.into_response();
    };
    match outcome {
        Ok(()) => StatusCode::NO_CONTENT.into_response(),
        Err(error @ RuleError::Malformed(_)) => {
            (StatusCode::BAD_REQUEST, format!("{error}\n")).into_response()
        }
        Err(error @ RuleError::Store(_)) => {
            (StatusCode::SERVICE_UNAVAILABLE, format!("{error}\n")).into_response()
        }
    }
}

#[derive(Deserialize)]
pub(super) struct Removal {
    pattern: String,
    by: String,
}

pub(super) async fn remove(
    State(admin): State<Arc<Admin>>,
    Query(removal): Query<Removal>,
) -> Response {
    let order = async move { admin.rulebook.remove(&removal.pattern, &removal.by).await };
    let Ok(outcome) = tokio::spawn(order).await else {
        return StatusCode::INTERNAL_SERVER_ERROR.into_response();
    };
    match outcome {
        Ok(true) => StatusCode::NO_CONTENT.into_response(),
        Ok(false) => {
            let words = "no rule of that name was added at run time; those of the configuration \
                         are removed there\n";
            (StatusCode::NOT_FOUND, words).into_response()
        }
        Err(error) => (StatusCode::SERVICE_UNAVAILABLE, format!("{error}\n")).into_response(),
    }
}
