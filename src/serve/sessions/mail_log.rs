//! Sessions from the log of Postfix, as it is written. Everything here comes after the fact (SV-10).

use std::sync::Arc;
use std::time::Duration;

use hoplock_wire::postfix_log::{Correlator, LoggedSession, Source, parse_line, parse_message};
use tokio::sync::mpsc::Receiver;
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

use super::intake::Intake;
use super::judge::Case;
use crate::adapters::mail_log::LogEntry;
use crate::report::logged::{self, Attribution};
use crate::report::reported::Evidence;
use crate::world::{SessionSource, Timing};

/// Joins the lines of a log into sessions and has them judged, until the daemon drains.
pub(super) async fn judge(
    mut entries: Receiver<LogEntry>,
    intake: Arc<Intake>,
    closing: CancellationToken,
) {
    let (mut correlator, mut attribution) = (Correlator::new(), Attribution::default());
    let mut sweeps = interval(BETWEEN_SWEEPS);
    sweeps.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        let ended = tokio::select! {
            () = closing.cancelled() => break,
            _ = sweeps.tick() => correlator.sweep(),
            entry = entries.recv() => match entry {
                Some(entry) => feed(&mut correlator, &entry),
                None => break,
            },
        };
        for ended in ended {
            take(attribution.take(ended), &intake).await;
        }
    }
    for ended in correlator.finish() {
        take(attribution.take(ended), &intake).await;
    }
    take(attribution.finish(), &intake).await;
}

fn feed(correlator: &mut Correlator, entry: &LogEntry) -> Vec<LoggedSession> {
    let line = match entry {
        LogEntry::Line(line) => parse_line(line),
        LogEntry::Message {
            time,
            machine,
            program,
            pid,
            text,
        } => {
            let source = Source {
                time,
                machine,
                process: program,
                pid: *pid,
            };
            parse_message(source, text)
        }
    };
    line.map(|line| correlator.feed(&line)).unwrap_or_default()
}

async fn take(ended: Vec<LoggedSession>, intake: &Arc<Intake>) {
    for entry in ended {
        // Lines are read as they are written: their own clock may lack a year and a zone.
        let now = intake.now().wall;
        for own in logged::sessions(&entry) {
            let case = Case {
                session: own.session,
                time: logged::time(&entry, now).min(now),
                evidence: Evidence::default(),
                word: own.word,
            };
            let intake = Arc::clone(intake);
            let permit = intake.place().await;
            tokio::spawn(async move {
                let source = SessionSource::PostfixLog;
                intake.take(&case, source, Timing::AfterDelivery).await;
                drop(permit);
            });
        }
    }
}

/// What the correlator asks for.
const BETWEEN_SWEEPS: Duration = Duration::from_secs(10);
