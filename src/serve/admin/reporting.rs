//! How TLS reports and the fleet's store stand, for `status`.

use serde::Serialize;

use super::Admin;
use super::status::Alarm;
use crate::metrics::AlarmKind;
use crate::world::reports::FleetState;

/// Figures since the start.
#[derive(Serialize)]
pub(super) struct Reporting {
    enabled: bool,
    sessions_counted: u64,
    sessions_lost: u64,
    claimed: u64,
    delivered: u64,
    attempts_failed: u64,
    given_up: u64,
    received: u64,
    /// Whether the fleet's store is reached; without one it is left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) fleet: Option<&'static str>,
    /// Counters that it does not have yet.
    fleet_rows_waiting: u64,
}

impl Reporting {
    pub(super) fn of(admin: &Admin) -> Self {
        let (post, figures) = (admin.post.figures(), admin.tally.reports().figures());
        Self {
            enabled: admin.post.is_enabled(),
            sessions_counted: figures.counted,
            sessions_lost: figures.lost,
            claimed: post.claimed,
            delivered: post.delivered,
            attempts_failed: post.failed,
            given_up: post.given_up,
            received: post.received,
            fleet: figures.fleet.map(|state| match state {
                FleetState::Reached => "reached",
                FleetState::NotReached(_) => "not reached",
            }),
            fleet_rows_waiting: figures.not_handed_over,
        }
    }
}

pub(super) fn alarms(admin: &Admin) -> Vec<Alarm> {
    let mut alarms = Vec::new();
    let figures = admin.tally.reports().figures();
    if let Some(FleetState::NotReached(words)) = figures.fleet {
        alarms.push(Alarm {
            alarm: AlarmKind::FleetStore,
            what: "the store that the fleet shares is not reached; this host goes on alone and hands over \
                   what it counted when it is back"
                .to_owned(),
            cause: words,
            cure: "see whether it runs, and [store] shared".to_owned(),
        });
    }
    if figures.lost > 0 {
        alarms.push(Alarm {
            alarm: AlarmKind::ReportCountsLost,
            what: format!("{} sessions are missing in TLS reports", figures.lost),
            cause: "the state file could not be written for too long".to_owned(),
            cure: "see the log for the disk's fault".to_owned(),
        });
    }
    if let Some(cause) = admin.post.is_unsigned() {
        alarms.push(Alarm {
            alarm: AlarmKind::ReportsUnsigned,
            what: "TLS reports do not leave by mail".to_owned(),
            cause,
            cure: "write [report] dkim = \"mta\" or \"key\"; reports of the last day leave then"
                .to_owned(),
        });
    }
    alarms
}
