//! What is known of watched domains: as JSON, and as alarms.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use serde::Serialize;

use super::Admin;
use super::status::Alarm;
use super::time;
use crate::metrics::AlarmKind;
use crate::watch::shown::WatchedDomain;

/// All of them.
#[derive(Serialize)]
pub(super) struct Watched {
    domains: Vec<WatchedDomain>,
}

pub(super) async fn list(State(admin): State<Arc<Admin>>) -> Json<Watched> {
    Json(Watched {
        domains: admin.watch.list(),
    })
}

/// One for each finding that is one; its words are `watch::finding::Kind::ALARMS`.
pub(super) fn alarms(admin: &Admin) -> Vec<Alarm> {
    let alarms = admin.watch.known().alarms();
    let alarm = alarms.into_iter().map(|(domain, stands)| {
        let finding = stands.finding;
        let doubt = match stands.seen {
            true => "",
            false => "; the last look could not see whether it is mended",
        };
        Alarm {
            alarm: AlarmKind::Watch(finding.kind),
            what: format!(
                "{domain}, since {}: {}{doubt}",
                time(stands.since),
                finding.told()
            ),
            cause: finding.cause,
            cure: finding.cure,
        }
    });
    alarm.collect()
}
