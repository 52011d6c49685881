//! Sessions from the log of Postfix, as it is written. Everything here comes after the fact (SV-10).

use std::collections::{HashSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use hoplock_wire::postfix_log::{
    Correlator, LoggedSession, Source, parse_line, parse_message, parse_queued, parse_queued_line,
};
use tokio::sync::mpsc::Receiver;
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

use super::intake::Intake;
use super::judge::{Carries, Case};
use crate::adapters::mail_log::LogEntry;
use crate::report::logged::{self, Attribution};
use crate::report::reported::Evidence;
use crate::world::{SessionSource, Timing};

/// Joins the lines of a log into sessions and has them judged, until the daemon drains.
pub(super) async fn judge(
    mut entries: Receiver<LogEntry>,
    intake: Arc<Intake>,
    reporter: String,
    closing: CancellationToken,
) {
    let (mut correlator, mut attribution) = (Correlator::new(), Attribution::default());
    let mut own = OwnReports::of(reporter);
    let mut sweeps = interval(BETWEEN_SWEEPS);
    sweeps.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        let ended = tokio::select! {
            () = closing.cancelled() => break,
            _ = sweeps.tick() => correlator.sweep(),
            entry = entries.recv() => match entry {
                Some(entry) => {
                    own.look_at(&entry);
                    feed(&mut correlator, &entry)
                }
                None => break,
            },
        };
        for ended in ended {
            take(attribution.take(ended), &own, &intake).await;
        }
    }
    for ended in correlator.finish() {
        take(attribution.take(ended), &own, &intake).await;
    }
    take(attribution.finish(), &own, &intake).await;
}

/// The queue ids of the last TLS reports of ours (RP-13).
struct OwnReports {
    sender: String,
    queue_ids: HashSet<String>,
    /// The same in the order in which they came.
    order: VecDeque<String>,
}

impl OwnReports {
    /// Those from this address; the empty one stands for none.
    fn of(sender: String) -> Self {
        Self {
            sender,
            queue_ids: HashSet::new(),
            order: VecDeque::new(),
        }
    }

    fn look_at(&mut self, entry: &LogEntry) {
        let queued = match entry {
            LogEntry::Line(line) => parse_queued_line(line),
            LogEntry::Message { program, text, .. } => parse_queued(program, text),
        };
        let Some(queued) = queued else { return };
        if self.sender.is_empty() || !queued.sender.eq_ignore_ascii_case(&self.sender) {
            // Short queue ids are given again.
            self.queue_ids.remove(queued.queue_id);
        } else if self.queue_ids.insert(queued.queue_id.to_owned()) {
            self.order.push_back(queued.queue_id.to_owned());
            if self.order.len() > MOST_REPORTS
                && let Some(oldest) = self.order.pop_front()
            {
                self.queue_ids.remove(&oldest);
            }
        }
    }

    fn carries(&self, session: &LoggedSession) -> Carries {
        let is_own = |queue_id: &String| self.queue_ids.contains(queue_id);
        if session.queue_id.as_ref().is_some_and(is_own) {
            Carries::Report
        } else {
            Carries::Mail
        }
    }
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

async fn take(ended: Vec<LoggedSession>, own: &OwnReports, intake: &Arc<Intake>) {
    for entry in ended {
        let carries = own.carries(&entry);
        // Lines are read as they are written: their own clock may lack a year and a zone.
        let now = intake.now().wall;
        for own in logged::sessions(&entry) {
            let case = Case {
                session: own.session,
                time: logged::time(&entry, now).min(now),
                evidence: Evidence::default(),
                word: own.word,
                carries,
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

/// Reports whose sessions may come at once: those of a busy night.
const MOST_REPORTS: usize = 10_000;
/// What the correlator asks for.
const BETWEEN_SWEEPS: Duration = Duration::from_secs(10);
