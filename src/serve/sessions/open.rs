//! The sockets and logs by which sessions are reported, opened at the start.

use std::sync::Arc;

use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::intake::Intake;
use super::judge::{JudgeOptions, SessionJudge};
use super::{mail_log, socket, tlsrpt};
use crate::adapters::mail_log as log;
use crate::config::{Config, LogSource};
use crate::serve::admin::Admin;
use crate::serve::connections::Connections;
use crate::serve::handed_over::HandedOver;
use crate::serve::listen::Listener;
use crate::serve::sockets::{BindError, bind, bind_datagrams};

/// Opens whatever the configuration names; all of it ends when `closing` is cancelled.
///
/// # Errors
/// [`BindError`] where a socket cannot be had.
pub async fn open(
    config: &Config,
    admin: &Admin,
    handed_over: &mut HandedOver,
    closing: &CancellationToken,
    tasks: &TaskTracker,
) -> Result<Arc<Intake>, BindError> {
    let judge = SessionJudge::new(
        Arc::clone(&admin.engine.answerer),
        admin.engine.authorities.clone(),
        judge_options(config),
    )
    .from_now_on();
    let clock = Arc::clone(&admin.engine.answerer.world().clock);
    let (sessions, tally) = (Arc::clone(&admin.sessions), Arc::clone(&admin.tally));
    let intake = Arc::new(Intake::new(judge, sessions, tally, clock));
    let hall = Hall {
        intake: &intake,
        closing,
        tasks,
    };
    let connections = Connections::new(REPORTERS, closing);
    for endpoint in &config.listen.sessions {
        for listener in bind(endpoint, &config.listen, handed_over).await? {
            hall.sessions(listener, &connections);
        }
        tracing::info!(%endpoint, "listening for session reports");
    }
    for endpoint in &config.listen.tlsrpt {
        for datagrams in bind_datagrams(endpoint, &config.listen, handed_over).await? {
            hall.datagrams(datagrams);
        }
        tracing::info!(%endpoint, "listening for TLSRPT datagrams");
    }
    if let Some(source) = &config.sources.postfix_log {
        let entries = match source {
            LogSource::Journal => log::follow_journal(),
            LogSource::File(path) => log::follow_file(path.clone()),
        };
        tracing::info!(%source, "following the log of Postfix");
        let (intake, closing) = (Arc::clone(&intake), closing.clone());
        let reporter = config.report.from.clone();
        tasks.spawn(mail_log::judge(entries, intake, reporter, closing));
    }
    Ok(intake)
}

/// What the configuration says of judging.
#[must_use]
pub fn judge_options(config: &Config) -> JudgeOptions {
    JudgeOptions {
        verify: config.dane.verify.clone(),
        tlsa: config.dane.tlsa.clone(),
    }
}

struct Hall<'a> {
    intake: &'a Arc<Intake>,
    closing: &'a CancellationToken,
    tasks: &'a TaskTracker,
}

impl Hall<'_> {
    fn sessions(&self, listener: Listener, connections: &Connections) {
        let (intake, closing) = (Arc::clone(self.intake), self.closing.clone());
        let (tasks, connections) = (self.tasks.clone(), connections.clone());
        self.tasks.spawn(async move {
            while let Some(stream) = listener.accept(&closing).await {
                // Where no place is free and none is idle, the reporter sees its connection close, and
                // comes again.
                if let Some(seat) = connections.seat() {
                    tasks.spawn(socket::take_reports(stream, Arc::clone(&intake), seat));
                }
            }
        });
    }

    fn datagrams(&self, datagrams: tlsrpt::Datagrams) {
        let (sender, receiver) = tlsrpt::queue();
        let (read, to_be_judged) = tlsrpt::queue();
        let sessions = Arc::clone(&self.intake.sessions);
        let closing = self.closing.clone();
        self.tasks
            .spawn(tlsrpt::drain(datagrams, sender, sessions, closing));
        let intake = Arc::clone(self.intake);
        self.tasks.spawn(tlsrpt::count(receiver, read, intake));
        let intake = Arc::clone(self.intake);
        self.tasks.spawn(tlsrpt::judge(to_be_judged, intake));
    }
}

/// Connections of reporters: a mail server needs one or two.
const REPORTERS: usize = 256;
