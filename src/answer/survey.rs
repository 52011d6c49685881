//! What a destination would be answered, for somebody who sends it nothing.
//!
//! Findings at hand are used as any mail server's query uses them. Others are gathered beside the
//! cache and forgotten with the answer: ten thousand destinations that nobody writes to must not take
//! the place of those that somebody does. Nothing is counted as an answer, logged, or noted as mail
//! that waits. What stays are MTA-STS policies: having been fetched, they are in force (RFC 8461, 3.3).

use std::sync::Arc;

use hoplock_policy::findings::Findings;
use hoplock_policy::law::{decide_without_lookup, without_findings};
use hoplock_policy::moment::Moment;
use hoplock_policy::next_hop::NextHop;
use hoplock_policy::profile::Profile;

use super::gather::{Broken, is_overtaken};
use super::{Answered, Answerer, in_vain, made};
use crate::cache::Entry;
use crate::world::Patience;

impl Answerer {
    /// What each of these profiles would be answered, in their order, from one gathering. Where their
    /// deadlines differ, the longest is waited for.
    pub async fn survey(&self, key: &str, profiles: &[Arc<Profile>]) -> Vec<Answered> {
        let next_hop = NextHop::parse(key);
        let now = self.world.clock.now();
        let settings = self.settings.load_full();
        let without_lookup: Vec<_> = profiles
            .iter()
            .map(|profile| {
                let (rules, law) = (&settings.rules, &settings.law);
                let seen = self.world.mta.own_dane();
                decide_without_lookup(&next_hop, rules, profile, law, seen, now)
            })
            .collect();
        let landed = if without_lookup.iter().all(Option::is_some) {
            None
        } else {
            self.evidence(&next_hop, profiles, now).await
        };
        let now = self.world.clock.now();
        // Trust anchors are asked for, so that what is told is what a mail server would be told.
        let deadline = profiles.iter().map(|profile| profile.deadline).max();
        let patience = Patience::of(deadline.unwrap_or_default());
        let mut answers = Vec::with_capacity(profiles.len());
        for (profile, early) in profiles.iter().zip(without_lookup) {
            answers.push(match (early, &landed) {
                (Some(verdict), _) => made(next_hop.clone(), verdict, None, profile, now),
                (None, Some(Ok(entry))) => {
                    let deciding = self.decided(entry, &settings, profile, now, patience);
                    deciding.await
                }
                (None, failed) => {
                    let verdict = in_vain(failed.as_ref().map(|_| Broken));
                    let rules = &settings.rules;
                    let verdict = without_findings(verdict, &next_hop, rules, profile, now);
                    made(next_hop.clone(), verdict, None, profile, now)
                }
            });
        }
        answers
    }

    /// Looks a destination up now, whatever is at hand; what comes is kept nowhere. `None` where nothing
    /// came within the profile's deadline.
    pub async fn look(&self, key: &str, profile: &Profile) -> Option<Arc<Findings>> {
        let seat = Arc::clone(&self.surveys).acquire_owned().await.ok()?;
        let gathering = self.gather_apart(NextHop::parse(key), profile.deadline, seat);
        let landed = Patience::of(profile.deadline).wait(gathering).await?;
        landed.ok().map(|entry| Arc::clone(&entry.findings))
    }

    /// At hand, under way for somebody else, or gathered; `None` where the deadline passed.
    async fn evidence(
        &self,
        next_hop: &NextHop,
        profiles: &[Arc<Profile>],
        now: Moment,
    ) -> Option<Result<Arc<Entry<Answered>>, Broken>> {
        let is_good = |entry: &Arc<Entry<Answered>>, now| {
            !is_overtaken(&self.world, self.policies(), entry, now)
        };
        let at_hand = self.cache.peek_fresh(next_hop, now);
        if let Some(entry) = at_hand.filter(|entry| is_good(entry, now)) {
            return Some(Ok(entry));
        }
        let deadline = profiles.iter().map(|profile| profile.deadline).max()?;
        // Waiting for a seat is not waiting for the destination.
        let seat = Arc::clone(&self.surveys).acquire_owned().await.ok()?;
        let patience = Patience::of(deadline);
        let flight = self.flights.get(&(next_hop.clone(), deadline));
        if let Some(flight) = flight.map(|flight| flight.clone()) {
            // CA-05: one gathering for all who ask.
            return patience.wait(flight).await;
        }
        let gathering = self.gather_apart(next_hop.clone(), deadline, seat);
        patience.wait(gathering).await
    }
}

/// A part of `[limits] lookups`, so that a mail server's questions find room beside it.
pub(super) const AT_ONCE: usize = 16;

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]
mod tests {
    use hoplock_policy::name::DomainName;
    use hoplock_policy::profile::OwnDaneSeen;
    use hoplock_policy::rules::{Mode, PinnedLevel, Rule, RulePattern, Rules};

    use super::*;
    use crate::answer::Settings;
    use crate::discover::DiscoverOptions;
    use crate::store::memory::MemoryStore;
    use crate::world::scripted::ScriptedWorld;

    /// PD-11, OP-05: a survey says what the mail server is told, also where a rule gives the answer and the
    /// mail server's own DANE does not work.
    #[tokio::test(start_paused = true)]
    async fn a_rule_is_surveyed_as_it_is_answered() {
        for seen in [OwnDaneSeen::Works, OwnDaneSeen::LookupsOff] {
            let world = ScriptedWorld::new();
            world.mta(seen);
            let pattern = RulePattern::Exact(DomainName::parse("e.test").unwrap());
            let rule = Rule {
                answer: Some(PinnedLevel::DaneOnly),
                ..Rule::new(pattern, Mode::Opportunistic)
            };
            let settings = Settings {
                rules: Rules::new(vec![rule]),
                ..Settings::default()
            };
            let store = Arc::new(MemoryStore::new(10));
            let options = DiscoverOptions::default();
            let answerer = Answerer::new(world.world(store), options, settings, 10);
            let profile = Arc::new(Profile::built_in("postfix").unwrap());
            let told = answerer.answer("e.test", &profile).await;
            let surveyed = answerer.survey("e.test", &[profile]).await;
            assert_eq!(surveyed[0].rendered, told.rendered);
            let waits = told.rendered.to_string().starts_with("TEMP");
            assert_eq!(waits, seen != OwnDaneSeen::Works);
        }
    }
}
