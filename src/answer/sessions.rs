//! Answers for judging sessions: what was in force when one happened, and what is published now.

use std::sync::Arc;
use std::time::Duration;

use hoplock_policy::findings::{Findings, StsFinding, Validation};
use hoplock_policy::law::{Conditions, decide};
use hoplock_policy::moment::{Moment, Timestamp};
use hoplock_policy::name::MxHost;
use hoplock_policy::next_hop::NextHop;
use hoplock_policy::profile::Profile;

use super::answered::made;
use super::gather::Purpose;
use super::{Answered, Answerer, memory};
use crate::cache::Earlier;
use crate::world::Patience;

impl Answerer {
    /// The answer that was in force at `time`, as far as it is known: the evidence at hand, or where that
    /// is newer, the one before it, if that was in force, and lacks no policy that was known by then (SV-04).
    pub async fn in_force_at(
        &self,
        next_hop: &NextHop,
        profile: &Profile,
        time: Timestamp,
    ) -> Arc<Answered> {
        // How long ago, and so when on the clock that never jumps: the other may have been stepped since
        // the evidence was gathered.
        let now = self.world.clock.now();
        let ago = Duration::from_millis(now.wall.0.saturating_sub(time.0));
        let at = now.uptime.saturating_sub(ago);
        let answered = self.answer(&next_hop.to_string(), profile).await;
        let Some(findings) = answered.findings.as_deref() else {
            return answered;
        };
        if findings.gathered.uptime <= at {
            return answered;
        }
        let entry = self.cache.entry(next_hop);
        match entry.and_then(|entry| entry.earlier.clone()) {
            Some(earlier) if earlier.was_in_force(at) && !knew_more(findings, &earlier, at) => {
                {
                    // OP-05: by the rules of that moment, not of the one at which the evidence was gathered.
                    let then = Moment {
                        wall: time,
                        uptime: at,
                    };
                    Arc::new(self.judged_then(earlier, profile, then).await)
                }
            }
            _ => answered,
        }
    }

    /// Gathers findings anew, once for all who want that within half a minute: a session that does not
    /// match may rest on a key that was changed since (CA-07, ST-25). `None` where that has just been
    /// done, or brings nothing in time.
    pub async fn look_again(&self, next_hop: &NextHop, profile: &Profile) -> Option<Arc<Answered>> {
        let now = self.world.clock.now();
        if !self.may_look_again(next_hop, now) {
            return None;
        }
        let flight = self.flight(next_hop, profile.deadline, Purpose::Renewal);
        let landed = Patience::of(profile.deadline).wait(flight).await;
        let entry = landed?.ok()?;
        let now = self.world.clock.now();
        let patience = Patience::of(profile.deadline);
        Some(self.judge(&entry, profile, now, patience).await)
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

    /// The answer that this evidence gave at that moment.
    async fn judged_then(&self, earlier: Earlier, profile: &Profile, now: Moment) -> Answered {
        let Earlier { findings, under } = earlier;
        let settings = self.settings.load_full();
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
