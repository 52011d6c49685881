//! What findings come to: the law, with the trust anchors that it wants, and their files.

use std::sync::Arc;

use hoplock_policy::findings::{Findings, Validation};
use hoplock_policy::law::outcome::Outcome;
use hoplock_policy::law::{Answer, Conditions, Verdict, decide};
use hoplock_policy::moment::Moment;
use hoplock_policy::profile::Profile;
use hoplock_policy::reason::Reason;
use hoplock_policy::tlsa::anchor_file;

use super::{Answered, Answerer, Settings, made, memory};
use crate::cache::Entry;
use crate::world::Patience;

impl Answerer {
    /// What findings come to under these settings, without a file being written.
    pub(super) async fn decided(
        &self,
        entry: &Entry<Answered>,
        settings: &Settings,
        profile: &Profile,
        now: Moment,
        patience: Patience,
    ) -> Answered {
        let next_hop = &entry.findings.next_hop;
        let validation = self.validation_of(entry);
        let remembered_dane = validation == Validation::NotValidating
            && memory::holds(&self.world, next_hop, now).await;
        let conditions = Conditions {
            validation,
            remembered_dane,
            own_dane: self.world.mta.own_dane(),
            now,
        };
        let by = |findings: &Findings| {
            decide(
                findings,
                &settings.rules,
                profile,
                &settings.law,
                conditions,
            )
        };
        let (findings, verdict) = self.with_anchors(&entry.findings, by, patience).await;
        made(next_hop.clone(), verdict, Some(findings), profile, now)
    }

    /// MX-17: what was gathered while the resolver did not validate is judged so, whatever came after.
    pub(super) fn validation_of(&self, entry: &Entry<Answered>) -> Validation {
        match entry.under {
            Validation::NotValidating => Validation::NotValidating,
            _ => self.world.resolver.validation(),
        }
    }

    /// The same for a mail server: the files that the answer names stand. False where the next question
    /// may come to something else.
    pub(super) async fn handed_over(
        &self,
        entry: &Entry<Answered>,
        settings: &Settings,
        profile: &Profile,
        now: Moment,
        patience: Patience,
    ) -> (Answered, bool) {
        let answered = self.decided(entry, settings, profile, now, patience).await;
        let may_keep = answered.verdict.anchors_wanted.is_empty()
            && !self.asks_again(&answered.verdict, answered.findings.as_deref(), profile);
        let Err(words) = self
            .hand_over(&answered.verdict, profile, now, patience)
            .await
        else {
            return (answered, may_keep);
        };
        let mut verdict = Verdict {
            hosts: answered.verdict.hosts,
            ..Verdict::temp(answered.verdict.row, Reason::MtaCannotAuthenticate, words)
        };
        for host in &mut verdict.hosts {
            host.outcome = Outcome::Skip;
        }
        let answered = made(answered.next_hop, verdict, answered.findings, profile, now);
        (answered, false)
    }

    /// The verdict on findings, with the trust anchors that it wants, where hosts show them in time. Mail
    /// that goes out without them waits for none; they are asked all the same.
    async fn with_anchors(
        &self,
        findings: &Arc<Findings>,
        by: impl Fn(&Findings) -> Verdict,
        patience: Patience,
    ) -> (Arc<Findings>, Verdict) {
        let mut findings = Arc::clone(findings);
        let mut verdict = by(&findings);
        let is_by_pins = matches!(
            verdict.answer,
            Answer::Fingerprint(_) | Answer::Anchored { .. }
        );
        if verdict.anchors_wanted.is_empty() && !is_by_pins {
            return (findings, verdict);
        }
        for attempt in 0..2 {
            if let Some(more) = self.anchors.beside(&findings) {
                findings = Arc::new(more);
                verdict = by(&findings);
            }
            if verdict.anchors_wanted.is_empty() || attempt > 0 {
                break;
            }
            // DT-19: by pins that are known to fail nothing goes out either.
            let waits = verdict.answer == Answer::Temp || !findings.end_entity_failed.is_empty();
            let patience = if waits { patience } else { patience.over() };
            let wanted = &verdict.anchors_wanted;
            self.anchors.ask(&findings, wanted, patience).await;
        }
        (findings, verdict)
    }

    /// CA-01: a probe is as old as the records may be. True while hosts are being asked for other anchors
    /// than those that the answer rests on.
    fn asks_again(
        &self,
        verdict: &Verdict,
        findings: Option<&Findings>,
        profile: &Profile,
    ) -> bool {
        let (Answer::Anchored { .. }, Some(findings), true) =
            (&verdict.answer, findings, profile.probe)
        else {
            return false;
        };
        let used = verdict.hosts.iter();
        let used: Vec<_> = used
            .filter(|host| host.outcome == Outcome::Dane)
            .filter_map(|host| findings.hosts.get(host.index))
            .collect();
        self.anchors.ask_again(findings, &used)
    }

    /// Makes the files stand that the answer names, before it leaves.
    async fn hand_over(
        &self,
        verdict: &Verdict,
        profile: &Profile,
        now: Moment,
        patience: Patience,
    ) -> Result<(), String> {
        let Answer::Anchored { anchors, .. } = &verdict.answer else {
            return Ok(());
        };
        // Without a place the renderer says so.
        if profile.anchor_directory.is_empty() {
            return Ok(());
        }
        let until = now.uptime.saturating_add(verdict.expires_in);
        let files = &self.world.anchor_files;
        let published = files.publish(&profile.anchor_directory, anchor_file(anchors), until);
        let in_time = patience.wait(published).await;
        in_time.unwrap_or_else(|| Err("the trust anchors are not yet written".to_owned()))
    }
}
