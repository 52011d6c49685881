//! Orders to survive DNSSEC trouble, over the control socket (OP-02).

use std::sync::Arc;

use axum::Json;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use hoplock_policy::moment::Timestamp;
use serde::{Deserialize, Serialize};

use super::status::Alarm;
use super::{Admin, time};
use crate::metrics::AlarmKind;
use crate::serve::negative_anchors::{Order, OrderError, Seen, Standing, Wanted};

/// One order.
#[derive(Serialize)]
pub(super) struct OrderLine {
    domain: String,
    zone: String,
    trouble: String,
    standing: &'static str,
    by: String,
    added: String,
    expires: String,
    comment: String,
    add: [String; 2],
    line: String,
    remove: [String; 2],
}

impl OrderLine {
    fn of(order: &Order, standing: &Standing) -> Self {
        Self {
            domain: order.domain.to_string(),
            zone: order.zone.to_string(),
            trouble: order.trouble.clone(),
            standing: standing.word(),
            by: order.by.clone(),
            added: time(order.added),
            expires: time(order.expires),
            comment: order.comment.clone(),
            add: order.to_add(),
            line: order.line(),
            remove: order.to_remove(),
        }
    }
}

impl Admin {
    /// All orders; what cannot be read is told by the log.
    pub(super) async fn orders(&self, now: Timestamp) -> Vec<(Order, Standing)> {
        self.negative_anchors.list(now).await.unwrap_or_default()
    }
}

/// What somebody should look at: an order that is over while validation is still set aside.
pub(super) fn alarms(orders: &[(Order, Standing)]) -> Vec<Alarm> {
    let over =
        |(_, standing): &&(Order, Standing)| standing.is_over && standing.seen == Seen::SetAside;
    orders
        .iter()
        .filter(over)
        .map(|(order, _)| Alarm {
            alarm: AlarmKind::DnssecSetAside,
            what: format!(
                "DNSSEC of {} is still set aside, and was to be until {}",
                order.zone,
                time(order.expires)
            ),
            cause: format!("by order of {}, for mail to {}", order.by, order.domain),
            cure: order.to_remove().join(" && "),
        })
        .collect()
}

pub(super) fn lines(orders: &[(Order, Standing)]) -> Vec<OrderLine> {
    let lines = orders.iter();
    lines
        .map(|(order, standing)| OrderLine::of(order, standing))
        .collect()
}

pub(super) async fn list(State(admin): State<Arc<Admin>>) -> Json<Vec<OrderLine>> {
    let now = admin.engine.answerer.world().clock.now();
    Json(lines(&admin.orders(now.wall).await))
}

/// An order.
#[derive(Deserialize)]
pub(super) struct NewOrder {
    domain: String,
    zone: Option<String>,
    /// RFC 3339.
    expires: String,
    #[serde(default)]
    comment: String,
    by: String,
}

pub(super) async fn add(State(admin): State<Arc<Admin>>, Json(new): Json<NewOrder>) -> Response {
    let now = admin.engine.answerer.world().clock.now().wall;
    let read: Option<jiff::Timestamp> = new.expires.parse().ok();
    let expires = read.and_then(|time| u64::try_from(time.as_millisecond()).ok());
    let Some(expires) = expires.map(Timestamp) else {
        return (StatusCode::BAD_REQUEST, "the end is no time\n").into_response();
    };
    let wanted = Wanted {
        domain: new.domain,
        zone: new.zone,
        expires,
        comment: new.comment,
        by: new.by,
    };
    // Not in the request's own task: an order is done whole, also where nobody waits any more.
    let order = tokio::spawn(async move { admin.negative_anchors.add(wanted, now).await });
    let Ok(outcome) = order.await else {
        return StatusCode::INTERNAL_SERVER_ERROR.into_response();
    };
    match outcome {
        Ok(order) => {
            let standing = Standing {
                seen: Seen::NotYet,
                is_over: false,
            };
            Json(OrderLine::of(&order, &standing)).into_response()
        }
        Err(error @ OrderError::Store(_)) => {
            (StatusCode::SERVICE_UNAVAILABLE, format!("{error}\n")).into_response()
        }
        Err(error) => (StatusCode::BAD_REQUEST, format!("{error}\n")).into_response(),
    }
}

#[derive(Deserialize)]
pub(super) struct Removal {
    domain: String,
    by: String,
}

pub(super) async fn remove(
    State(admin): State<Arc<Admin>>,
    Query(removal): Query<Removal>,
) -> Response {
    let order = async move {
        admin
            .negative_anchors
            .remove(&removal.domain, &removal.by)
            .await
    };
    let Ok(outcome) = tokio::spawn(order).await else {
        return StatusCode::INTERNAL_SERVER_ERROR.into_response();
    };
    match outcome {
        Ok(Some(order)) => {
            let standing = Standing {
                seen: Seen::NotYet,
                is_over: true,
            };
            Json(OrderLine::of(&order, &standing)).into_response()
        }
        Ok(None) => {
            let words = "no DNSSEC trouble of that destination is being survived\n";
            (StatusCode::NOT_FOUND, words).into_response()
        }
        Err(error) => (StatusCode::SERVICE_UNAVAILABLE, format!("{error}\n")).into_response(),
    }
}
