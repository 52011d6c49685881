//! Reported sessions against what this daemon knows: the policy in force when they happened, and a
//! second look where they do not match it (SV-04).

mod case;
mod owing;
mod pins;

use std::sync::Arc;

use arc_swap::ArcSwap;
use hoplock_policy::next_hop::NextHop;
use hoplock_policy::profile::Profile;
use hoplock_policy::reason::Reason;
use hoplock_policy::verify::{
    MtaWord, Original, Owed, Presented, SessionOutcome, SessionVerdict, Warning, verify_by_word,
    verify_handshake_by_word, verify_resumed,
};
use rustls_pki_types::TrustAnchor;

pub use self::case::{Carries, Case, JudgeOptions, Judgement};
use self::owing::{Owing, by_its_mx_name};
use super::handshakes::Handshakes;
use crate::answer::{Answered, Answerer};
use crate::world::Patience;

/// Judges sessions by the answers of this daemon.
pub struct SessionJudge {
    answerer: Arc<Answerer>,
    authorities: Vec<TrustAnchor<'static>>,
    options: ArcSwap<JudgeOptions>,
    handshakes: Handshakes,
}

/// A session, and the one that it resumed, where that is known.
#[derive(Clone)]
struct Heard {
    case: Case,
    original: Option<Arc<Original>>,
    stage: Stage,
}

/// When a session is judged.
#[derive(Clone, Copy)]
enum Stage {
    /// While its handshake waits for the verdict, no longer than this.
    Handshake(Patience),
    /// After it.
    Over,
}

impl SessionJudge {
    /// A judge who asks `answerer` what was owed.
    #[must_use]
    pub fn new(
        answerer: Arc<Answerer>,
        authorities: Vec<TrustAnchor<'static>>,
        options: JudgeOptions,
    ) -> Self {
        Self {
            answerer,
            authorities,
            options: ArcSwap::from_pointee(options),
            handshakes: Handshakes::new(),
        }
    }

    /// For a daemon: handshakes before now may have been reported to a process that is gone, so nobody
    /// knows which was the last, and no session inherits from one of them (SV-05).
    #[must_use]
    pub fn from_now_on(self) -> Self {
        let now = self.answerer.world().clock.now().wall;
        self.handshakes.forget_until(now);
        self
    }

    /// Judges by other options from now on.
    pub fn reload(&self, options: JudgeOptions) {
        self.options.store(Arc::new(options));
    }

    /// The options in force.
    #[must_use]
    pub fn options(&self) -> Arc<JudgeOptions> {
        self.options.load_full()
    }

    /// Judges one session. Where it fails, the destination is looked up anew and it is judged once
    /// more: the key may have rolled over meanwhile. Nothing but a match makes up for the failure.
    pub async fn judge(&self, case: &Case) -> Judgement {
        self.at(Stage::Over, case, PROFILE).await
    }

    /// Judges what a host has shown while its handshake waits for the verdict (SV-10): all as for
    /// [`Self::judge`], but by the profile of the mail server that waits, and within its `patience`.
    pub async fn judge_handshake(
        &self,
        case: &Case,
        profile: &str,
        patience: Patience,
    ) -> Judgement {
        self.at(Stage::Handshake(patience), case, profile).await
    }

    async fn at(&self, stage: Stage, case: &Case, profile: &str) -> Judgement {
        let begun = self.handshakes.begin(&case.session, case.time);
        let profile = self.answerer.profile(profile);
        let (Some(next_hop), Some(profile)) = (&case.session.next_hop, profile) else {
            return first(without("next_hop"));
        };
        if next_hop.name().is_none() {
            let words = format!("{next_hop} is no destination with a policy of its own");
            return first(SessionVerdict::unknown(Reason::PolicyUnknown, words));
        }
        let in_force = match stage {
            Stage::Handshake(_) => {
                let key = next_hop.to_string();
                Some(self.answerer.answer(&key, &profile).await)
            }
            Stage::Over => {
                self.answerer
                    .in_force_at(next_hop, &profile, case.time)
                    .await
            }
        };
        let Some(answered) = in_force else {
            let words = "it is not known which rules were in force at that time";
            return first(SessionVerdict::unknown(Reason::PolicyUnknown, words));
        };
        let heard = Heard {
            case: by_its_mx_name(case, &answered),
            original: self.handshakes.resumed(&case.session, case.time),
            stage,
        };
        let mut verdict = self.by(&answered, &heard);
        let mut second_look = false;
        let mut judged_by = answered;
        if is_worth_a_second_look(&verdict)
            && let Some(anew) = self.look_again(next_hop, &profile, &heard).await
        {
            second_look = true;
            let again = self.by(&anew, &heard);
            if again.outcome.is_authenticated() {
                verdict = again;
                verdict.warnings.push(Warning::StaleCache);
                judged_by = anew;
            }
        }
        let findings = judged_by.findings.as_deref();
        if let Some(host) = &case.session.mx_host
            && pins::are_passed_by(&case.session, &verdict, findings, &self.options.load().tlsa)
        {
            self.answerer.pins_failed(next_hop, host);
        }
        let original = begun.zip(self.original(&judged_by, &heard, &verdict));
        if let Some((begun, original)) = original {
            self.handshakes.end(begun, original);
        }
        Judgement {
            verdict,
            second_look,
            answered: Some(judged_by),
        }
    }

    async fn look_again(
        &self,
        next_hop: &NextHop,
        profile: &Profile,
        heard: &Heard,
    ) -> Option<Arc<Answered>> {
        let answerer = &self.answerer;
        match heard.stage {
            Stage::Handshake(patience) => {
                let looking = answerer.look_again(next_hop, profile);
                patience.wait(looking).await?
            }
            Stage::Over => {
                let time = heard.case.time;
                answerer.look_again_at(next_hop, profile, time).await
            }
        }
    }

    /// By what is known here, and where that demands nothing or is not known, by what the report brings
    /// too, as far as that demands more. It makes nothing good: a reporter who was lied to has no proof of
    /// who the host is.
    fn by(&self, answered: &Answered, heard: &Heard) -> SessionVerdict {
        let own = self.by_findings(answered, heard);
        let is_open = matches!(
            own.outcome,
            SessionOutcome::Encrypted | SessionOutcome::Cleartext | SessionOutcome::Indeterminate
        );
        // PD-01: under a rule of the operator it counts for nothing what a destination publishes, whoever
        // brings it.
        let counts = is_open && !answered.verdict.sets_published_aside();
        let case = &heard.case;
        let owed = case.evidence.owed(&case.session, &self.authorities);
        let brought = owed
            .filter(|_| counts)
            .map(|owed| self.under(&owed, heard, &self.options.load()));
        match brought {
            Some(brought) if brought.outcome == SessionOutcome::Failed => brought,
            _ => own,
        }
    }

    fn by_findings(&self, answered: &Answered, heard: &Heard) -> SessionVerdict {
        let options = self.options.load();
        let Some(host) = &heard.case.session.mx_host else {
            return self.without_host(answered, heard, &options);
        };
        match self.owed(answered, &heard.case, host, &options) {
            Owing::Known(owed) => self.under(&owed, heard, &options),
            Owing::Strange => {
                let words = format!("{host} is none of the hosts of {}", answered.next_hop);
                SessionVerdict::strange(words)
            }
            Owing::Unknown(words) => SessionVerdict::unknown(Reason::PolicyUnknown, words),
        }
    }

    fn under(&self, owed: &Owed<'_>, heard: &Heard, options: &JudgeOptions) -> SessionVerdict {
        let Heard {
            case,
            original,
            stage,
        } = heard;
        let (session, time) = (&case.session, case.time);
        match (stage, &case.word) {
            (Stage::Handshake(_), word) => {
                verify_handshake_by_word(session, owed, time, &options.verify, word)
            }
            (Stage::Over, MtaWord::Nothing) => {
                let original = original.as_deref();
                verify_resumed(session, owed, time, &options.verify, original)
            }
            (Stage::Over, word) => verify_by_word(session, owed, time, &options.verify, word),
        }
    }

    /// A report that names no host: whichever of the destination's it was, it must come to the same; and
    /// beyond an alarm, or nothing that was owed, only by the mail server's word (SV-01).
    fn without_host(
        &self,
        answered: &Answered,
        heard: &Heard,
        options: &JudgeOptions,
    ) -> SessionVerdict {
        let hosts = answered
            .findings
            .iter()
            .flat_map(|findings| &findings.hosts);
        let mut common: Option<SessionVerdict> = None;
        for finding in hosts {
            let mut named = heard.clone();
            named.case.session.mx_host = Some(finding.host.clone());
            let Owing::Known(owed) = self.owed(answered, &named.case, &finding.host, options)
            else {
                return without("mx_host");
            };
            let verdict = self.under(&owed, &named, options);
            let common = common.get_or_insert_with(|| verdict.clone());
            if common.outcome != verdict.outcome {
                return without("mx_host");
            }
        }
        let needs_no_host = |verdict: &SessionVerdict| {
            verdict.warnings.contains(&Warning::MtaWord)
                || matches!(
                    verdict.outcome,
                    SessionOutcome::Failed | SessionOutcome::Cleartext
                )
        };
        common
            .filter(needs_no_host)
            .unwrap_or_else(|| without("mx_host"))
    }

    /// What sessions that resume this one inherit: nothing of one of which too little is known.
    fn original(
        &self,
        answered: &Answered,
        heard: &Heard,
        verdict: &SessionVerdict,
    ) -> Option<Original> {
        let options = self.options.load();
        let case = &heard.case;
        let host = case.session.mx_host.as_ref()?;
        let is_over = matches!(heard.stage, Stage::Over);
        if case.session.presented == Presented::Unknown || !is_over {
            return None;
        }
        match self.owed(answered, case, host, &options) {
            Owing::Known(owed) => Some(Original {
                host: host.0.clone(),
                generation: owed.generation(),
                verdict: verdict.clone(),
            }),
            Owing::Strange | Owing::Unknown(_) => None,
        }
    }
}

fn without(part: &str) -> SessionVerdict {
    let words = format!("the report leaves out {part}");
    SessionVerdict::unknown(Reason::ReportIncomplete, words)
}

fn first(verdict: SessionVerdict) -> Judgement {
    Judgement {
        verdict,
        second_look: false,
        answered: None,
    }
}

/// What another key, another record or another policy could set right.
fn is_worth_a_second_look(verdict: &SessionVerdict) -> bool {
    verdict.outcome == SessionOutcome::Failed
        && !matches!(
            verdict.reason,
            Reason::StarttlsNotOffered
                | Reason::StarttlsRefused
                | Reason::HandshakeFailed
                | Reason::TlsVersionTooOld
                | Reason::CipherUnauthenticated
        )
}

/// Sessions are judged by what their destinations owe; of the profile only its rules and its floor count,
/// and those of Postfix stand for all whose mail server does not wait for the verdict.
const PROFILE: &str = "postfix";

#[cfg(test)]
mod tests;
