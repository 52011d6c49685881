//! The one way of every report: judged, kept, told of. A fault in one harms that one alone (FT-04).

use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use futures_util::FutureExt as _;
use hoplock_policy::reason::Reason;
use hoplock_policy::verify::{Presented, SessionOutcome, SessionVerdict};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::judge::{Carries, Case, Judgement, SessionJudge};
use crate::report::Sessions;
use crate::report::tally::Tally;
use crate::world::{Clock, JournalEntry, Judged, Patience, SessionSource, Timing};

/// Takes sessions in.
pub struct Intake {
    /// Judges them.
    pub judge: SessionJudge,
    /// Keeps them.
    pub sessions: Arc<Sessions>,
    /// Counts them for TLS reports.
    pub tally: Arc<Tally>,
    clock: Arc<dyn Clock>,
    at_once: Arc<Semaphore>,
}

impl Intake {
    /// An intake that judges by `judge`, keeps in `sessions` and counts by `tally`.
    #[must_use]
    pub fn new(
        judge: SessionJudge,
        sessions: Arc<Sessions>,
        tally: Arc<Tally>,
        clock: Arc<dyn Clock>,
    ) -> Self {
        Self {
            judge,
            sessions,
            tally,
            clock,
            at_once: Arc::new(Semaphore::new(AT_ONCE)),
        }
    }

    /// The time, for reports that do not tell it.
    #[must_use]
    pub fn now(&self) -> hoplock_policy::moment::Moment {
        self.clock.now()
    }

    /// A place among those that are judged at once; to be held while [`Self::take`] runs where many
    /// are taken side by side. `None` does not happen.
    pub async fn place(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.at_once).acquire_owned().await.ok()
    }

    /// Judges a session, and keeps what came of it.
    pub async fn take(&self, case: &Case, source: SessionSource, timing: Timing) -> SessionVerdict {
        let judgement = whole(self.judge.judge(case)).await;
        self.keep(case, judgement, source, timing)
    }

    /// Judges what a host has shown, for a mail server that waits for it and sends nothing meanwhile
    /// (SV-10), and keeps what came of it.
    pub async fn take_handshake(
        &self,
        case: &Case,
        source: SessionSource,
        profile: &str,
        patience: Patience,
    ) -> SessionVerdict {
        let judged = self.judge.judge_handshake(case, profile, patience);
        let judgement = whole(judged).await;
        self.keep(case, judgement, source, Timing::BeforeMail)
    }

    /// Judges a session that waits for the verdict and of which its mail server tells no certificate
    /// (SV-10), and keeps what came of it. Where that leaves the verdict open, `completed` may bring what
    /// the host has shown, or says why it does not; it is not begun otherwise.
    pub async fn take_session_check(
        &self,
        case: &Case,
        source: SessionSource,
        profile: &str,
        patience: Patience,
        completed: impl Future<Output = Result<Presented, String>>,
    ) -> SessionVerdict {
        let judged = self.judge.judge_handshake(case, profile, patience);
        let mut judgement = whole(judged).await;
        let mut case = case.clone();
        let verdict = &judgement.verdict;
        let is_open = verdict.outcome == SessionOutcome::Indeterminate
            && verdict.reason == Reason::ReportIncomplete;
        if is_open && matches!(case.session.presented, Presented::Digests(_)) {
            match completed.await {
                Ok(presented) => {
                    case.session.presented = presented;
                    let judged = self.judge.judge_handshake(&case, profile, patience);
                    judgement = whole(judged).await;
                }
                Err(why) => judgement.verdict.detail = why,
            }
        }
        self.keep(&case, judgement, source, Timing::BeforeMail)
    }

    /// Judges a session of which something good was kept already, and keeps what came of it only where
    /// that was spoilt: no session counts twice for the same.
    pub async fn take_if_failed(&self, case: &Case, source: SessionSource, timing: Timing) {
        let judgement = whole(self.judge.judge(case)).await;
        if judgement.verdict.outcome == SessionOutcome::Failed {
            self.keep(case, judgement, source, timing);
        }
    }

    fn keep(
        &self,
        case: &Case,
        judgement: Judgement,
        source: SessionSource,
        timing: Timing,
    ) -> SessionVerdict {
        let Judgement {
            verdict,
            second_look,
            answered,
        } = judgement;
        let how = Judged {
            time: case.time,
            source,
            timing,
            second_look,
        };
        let now = self.clock.now();
        let findings = answered.as_deref().and_then(|own| own.findings.as_deref());
        if let (Some(findings), Carries::Mail) = (findings, case.carries) {
            let how = (case.time.min(now.wall), source);
            self.tally
                .session(&case.session, &verdict, findings, how, now);
        }
        let entry = JournalEntry::of(&case.session, verdict.clone(), how);
        self.sessions.note(entry, now);
        verdict
    }
}

/// What a judge comes to, or that he broke: then nobody knows.
async fn whole(judged: impl Future<Output = Judgement>) -> Judgement {
    let judged = AssertUnwindSafe(judged).catch_unwind().await;
    judged.unwrap_or_else(|_| Judgement {
        verdict: SessionVerdict::unknown(
            Reason::Internal,
            "judging this session broke by a fault of hoplock; its log has the details",
        ),
        second_look: false,
        answered: None,
    })
}

/// Sessions judged at once: each may wait for lookups, which have a bound of their own.
const AT_ONCE: usize = 256;
