//! Answers for judging sessions: what was in force when one happened, and what is published now.

use std::sync::Arc;
use std::time::Duration;

use hoplock_policy::findings::{Findings, StsFinding, Validation};
use hoplock_policy::law::{Conditions, Verdict, decide, decide_without_lookup, without_findings};
use hoplock_policy::moment::{Moment, Timestamp};
use hoplock_policy::name::MxHost;
use hoplock_policy::next_hop::NextHop;
use hoplock_policy::profile::Profile;

use super::answered::made;
use super::gather::{Purpose, is_overtaken};
use super::ruled::Then;
use super::{Answered, Answerer, memory};
use crate::cache::{Earlier, Entry};
use crate::world::Patience;

impl Answerer {
    /// The answer that was in force at `time`, as far as it is known: the evidence at hand, or where that
    /// is newer, the one before it, if that was in force, and lacks no policy that was known by then (SV-04);
    /// by the rules of that time (PD-01). `None` where those are not known any more.
    pub async fn in_force_at(
        &self,
        next_hop: &NextHop,
        profile: &Profile,
        time: Timestamp,
    ) -> Option<Arc<Answered>> {
        if !self.then(next_hop, time)?.is_other {
            let answered = self.answer(&next_hop.to_string(), profile).await;
            let then = self.then(next_hop, time)?;
            // Meanwhile a rule may have ended, or come.
            if !then.is_other {
                let findings = answered.findings.as_deref();
                let earlier = findings.and_then(|findings| self.earlier(findings, then.at));
                return Some(match earlier {
                    Some(earlier) => Arc::new(self.judged_then(earlier, profile, &then).await),
                    None => answered,
                });
            }
        }
        let then = self.then(next_hop, time)?;
        let answered = self.under_other_rules(next_hop, profile, then).await;
        Some(Arc::new(answered))
    }

    /// The same where another rule is for the destination by now, which may have been answered without a
    /// lookup.
    async fn under_other_rules(
        &self,
        next_hop: &NextHop,
        profile: &Profile,
        then: Then,
    ) -> Answered {
        let (rules, law) = (&then.settings.rules, &then.settings.law);
        let seen = self.world.mta.own_dane();
        if let Some(verdict) = decide_without_lookup(next_hop, rules, profile, law, seen, then.at) {
            return made(next_hop.clone(), verdict, None, profile, then.at);
        }
        match self.at_hand_or_gathered(next_hop, profile).await {
            Ok(entry) => {
                let earlier = self.earlier(&entry.findings, then.at);
                let evidence = earlier.unwrap_or_else(|| self.at_hand(&entry));
                self.judged_then(evidence, profile, &then).await
            }
            Err(in_vain) => {
                let verdict = without_findings(in_vain, next_hop, rules, profile, then.at);
                made(next_hop.clone(), verdict, None, profile, then.at)
            }
        }
    }

    /// What is at hand, or else is gathered within the profile's deadline.
    async fn at_hand_or_gathered(
        &self,
        next_hop: &NextHop,
        profile: &Profile,
    ) -> Result<Arc<Entry<Answered>>, Verdict> {
        let now = self.world.clock.now();
        let at_hand = self.cache.fresh(next_hop, now);
        match at_hand.filter(|own| !is_overtaken(&self.world, self.policies(), own, now)) {
            Some(entry) => Ok(entry),
            None => {
                let patience = Patience::of(profile.deadline);
                self.gathered(next_hop, profile, patience).await
            }
        }
    }

    /// The evidence before this, where this is newer than that time, and the one before was in force then.
    fn earlier(&self, findings: &Findings, at: Moment) -> Option<Earlier> {
        if findings.gathered.uptime <= at.uptime {
            return None;
        }
        let entry = self.cache.entry(&findings.next_hop)?;
        let earlier = entry.earlier.clone()?;
        let was_known =
            earlier.was_in_force(at.uptime) && !knew_more(findings, &earlier, at.uptime);
        was_known.then_some(earlier)
    }

    /// The evidence of an entry, and what is known of the resolver that brought it.
    fn at_hand(&self, entry: &Entry<Answered>) -> Earlier {
        Earlier {
            findings: Arc::clone(&entry.findings),
            under: self.validation_of(entry),
        }
    }

    /// Gathers findings anew, once for all who want that within half a minute: a session that does not
    /// match may rest on a key that was changed since (CA-07, ST-25). `None` where that has just been
    /// done, or brings nothing in time.
    pub async fn look_again(&self, next_hop: &NextHop, profile: &Profile) -> Option<Arc<Answered>> {
        let entry = self.gathered_anew(next_hop, profile).await?;
        Some(self.judged_anew(&entry, profile).await)
    }

    /// The same for a session that happened at `time`, by the rules of that time.
    pub async fn look_again_at(
        &self,
        next_hop: &NextHop,
        profile: &Profile,
        time: Timestamp,
    ) -> Option<Arc<Answered>> {
        let entry = self.gathered_anew(next_hop, profile).await?;
        let then = self.then(next_hop, time)?;
        if then.is_other {
            let evidence = self.at_hand(&entry);
            return Some(Arc::new(self.judged_then(evidence, profile, &then).await));
        }
        Some(self.judged_anew(&entry, profile).await)
    }

    async fn judged_anew(&self, entry: &Arc<Entry<Answered>>, profile: &Profile) -> Arc<Answered> {
        let now = self.world.clock.now();
        let patience = Patience::of(profile.deadline);
        self.judge(entry, profile, now, patience).await
    }

    async fn gathered_anew(
        &self,
        next_hop: &NextHop,
        profile: &Profile,
    ) -> Option<Arc<Entry<Answered>>> {
        if !self.may_look_again(next_hop, self.world.clock.now()) {
            return None;
        }
        let flight = self.flight(next_hop, profile.deadline, Purpose::Renewal);
        let landed = Patience::of(profile.deadline).wait(flight).await;
        landed?.ok()
    }

    /// DT-19: a host showed a certificate that none of its DANE-EE records names, and that a trust anchor of
    /// its records vouches for. Pins would go on to refuse it, so answers rest on the anchor for as long as
    /// the records live.
    pub fn pins_failed(&self, next_hop: &NextHop, host: &MxHost) {
        let now = self.world.clock.now();
        let Some(entry) = self.cache.fresh(next_hop, now) else {
            return;
        };
        self.anchors
            .pins_failed(next_hop, &host.0, entry.remaining(now));
        entry.forget_answers();
    }

    fn may_look_again(&self, next_hop: &NextHop, now: Moment) -> bool {
        let is_recent =
            |looked: &Duration| now.uptime.saturating_sub(*looked) < BETWEEN_SECOND_LOOKS;
        if self.looked_again.len() >= MOST_SECOND_LOOKS {
            self.looked_again.retain(|_, looked| is_recent(looked));
        }
        if self.looked_again.len() >= MOST_SECOND_LOOKS {
            return false;
        }
        let mut may = true;
        self.looked_again
            .entry(next_hop.clone())
            .and_modify(|looked| {
                may = !is_recent(looked);
                if may {
                    *looked = now.uptime;
                }
            })
            .or_insert(now.uptime);
        may
    }

    /// The answer that this evidence gave at that moment, by the rules of that moment, not of the one at
    /// which it was gathered (OP-05).
    async fn judged_then(&self, earlier: Earlier, profile: &Profile, then: &Then) -> Answered {
        let Earlier { findings, under } = earlier;
        let (settings, now) = (&then.settings, then.at);
        // MX-17: what a resolver has proved while it validated stays proved, and the other way round.
        let conditions = Conditions {
            validation: under,
            remembered_dane: under == Validation::NotValidating
                && memory::holds(&self.world, &findings.next_hop, now).await,
            own_dane: self.world.mta.own_dane(),
            now,
        };
        let findings = self.anchors.beside(&findings).map_or(findings, Arc::new);
        let verdict = decide(
            &findings,
            &settings.rules,
            profile,
            &settings.law,
            conditions,
        );
        let next_hop = findings.next_hop.clone();
        made(next_hop, verdict, Some(findings), profile, now)
    }
}

/// True where the policy of these findings was remembered by then, and the earlier ones lack it: an answer
/// of that time would have rested on it.
fn knew_more(findings: &Findings, earlier: &Earlier, at: Duration) -> bool {
    let fetched = |findings: &Findings| match &findings.sts {
        StsFinding::Policy { remembered, .. } => Some(remembered.fetched.uptime),
        _ => None,
    };
    fetched(findings).is_some_and(|own| own <= at && fetched(&earlier.findings) < Some(own))
}

/// A peer that shows a wrong certificate in every session buys no more lookups than this.
const BETWEEN_SECOND_LOOKS: Duration = Duration::from_secs(30);
/// Destinations that are looked at again at once: each entry is a name and a time.
const MOST_SECOND_LOOKS: usize = 10_000;
