//! What the DNS says while an order is in force, and after it.

use hoplock_policy::dns::{Answer, SecurityStatus};
use hoplock_policy::moment::Moment;
use hoplock_policy::name::PolicyDomain;
use hoplock_policy::next_hop::NextHop;

use super::{NegativeAnchors, Order, zone};

/// What was seen of a destination's trouble.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Seen {
    /// Nothing yet.
    NotYet,
    /// The lookup fails.
    Fails(String),
    /// It is answered without validation: set aside, or not signed any more.
    SetAside,
    /// It is answered and validated: the trouble is over.
    Validates,
}

/// How an order stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    /// What was seen.
    pub seen: Seen,
    /// Its time is over.
    pub is_over: bool,
}

impl Standing {
    /// In a few words.
    #[must_use]
    pub fn word(&self) -> &'static str {
        match (&self.seen, self.is_over) {
            (Seen::SetAside, true) => "over, and still set aside",
            (_, true) => "over",
            (Seen::NotYet, false) => "not looked yet",
            (Seen::Fails(_), false) => "still fails",
            (Seen::SetAside, false) => "works, unvalidated",
            (Seen::Validates, false) => "validates again",
        }
    }
}

/// What is remembered of one order's lookups.
pub(super) struct Watched {
    pub(super) seen: Seen,
    /// When it was looked, on the clock that never jumps.
    looked: std::time::Duration,
    reminded: bool,
    told_over: bool,
}

impl NegativeAnchors {
    /// Looks whether orders work, and reminds of their end; to be called every few seconds.
    pub async fn watch(&self) {
        let orders = match self.orders().await {
            Ok(orders) => orders,
            Err(error) => {
                tracing::error!(%error, "orders to survive DNSSEC trouble cannot be read");
                return;
            }
        };
        for order in orders {
            let now = self.answerer.world().clock.now();
            if self.is_due(&order, now) {
                self.look(&order, now).await;
            }
            self.remind(&order, now).await;
        }
    }

    /// What works is looked at once a minute, what does not more often: somebody waits for it.
    fn is_due(&self, order: &Order, now: Moment) -> bool {
        let Some(watched) = self.watched.get(&order.domain) else {
            return true;
        };
        let works = matches!(watched.seen, Seen::SetAside | Seen::Validates);
        let age = now.uptime.saturating_sub(watched.looked);
        !works || order.is_over(now.wall) || age >= BETWEEN_LOOKS_AT_WHAT_WORKS
    }

    async fn look(&self, order: &Order, now: Moment) {
        let resolver = &self.answerer.world().resolver;
        let reply = resolver.lookup(order.question.clone()).await;
        let is_dnssec = zone::is_dnssec(&reply.answer);
        let seen = match &reply.answer {
            Answer::Failed(failure) => Seen::Fails(zone::words(&order.question, failure)),
            answer if answer.status() == SecurityStatus::Secure => Seen::Validates,
            _ => Seen::SetAside,
        };
        let mut watched = self
            .watched
            .entry(order.domain.clone())
            .or_insert_with(|| Watched {
                seen: Seen::NotYet,
                looked: now.uptime,
                reminded: false,
                told_over: false,
            });
        watched.looked = now.uptime;
        // A resolver that does not answer says nothing of what was set aside in it.
        let is_unknown = matches!(seen, Seen::Fails(_)) && !is_dnssec;
        if is_unknown && (watched.seen == Seen::SetAside || order.is_over(now.wall)) {
            return;
        }
        let before = std::mem::replace(&mut watched.seen, seen.clone());
        drop(watched);
        let is_same = match (&before, &seen) {
            (Seen::Fails(_), Seen::Fails(_)) => true,
            (before, seen) => before == seen,
        };
        if is_same {
            return;
        }
        let (domain, zone) = (&order.domain, &order.zone);
        match &seen {
            Seen::NotYet => {}
            Seen::Fails(words) if before == Seen::NotYet => {
                tracing::info!(%domain, %zone, words, "DNSSEC trouble: not set aside yet");
            }
            Seen::Fails(words) => {
                tracing::warn!(%domain, %zone, words, "DNSSEC trouble: it fails again")
            }
            Seen::SetAside => tracing::warn!(
                %domain,
                %zone,
                "DNSSEC trouble is survived: lookups work, and nothing below this zone is validated"
            ),
            Seen::Validates => tracing::info!(
                %domain,
                %zone,
                "DNSSEC trouble is over: lookups are validated; the order can be removed"
            ),
        }
        // Mail need not wait for what was found before.
        let policy_domain = PolicyDomain(domain.clone());
        let next_hop = NextHop::parse(domain.as_str());
        self.answerer.cache().forget(&next_hop);
        self.answerer.policies().forget_failure(&policy_domain);
    }

    /// OP-02: before its end, at its end, and until it is gone.
    async fn remind(&self, order: &Order, now: Moment) {
        let (domain, zone) = (&order.domain, &order.zone);
        let [remove, flush] = order.to_remove();
        let Some(mut watched) = self.watched.get_mut(domain) else {
            return;
        };
        let left = order.expires.0.saturating_sub(now.wall.0);
        let whole = order.expires.0.saturating_sub(order.added.0);
        if !order.is_over(now.wall) {
            if left <= (whole / 4).min(REMIND_MILLIS) && !watched.reminded {
                watched.reminded = true;
                let minutes = left.div_ceil(60_000);
                tracing::warn!(
                    %domain,
                    %zone,
                    minutes,
                    remove,
                    flush,
                    "DNSSEC trouble: the order ends soon; remove the anchor then"
                );
            }
            return;
        }
        if watched.seen == Seen::NotYet {
            return;
        }
        let is_set_aside = watched.seen == Seen::SetAside;
        let is_told = std::mem::replace(&mut watched.told_over, is_set_aside);
        drop(watched);
        if is_set_aside {
            if !is_told {
                tracing::error!(
                    %domain,
                    %zone,
                    remove,
                    flush,
                    "DNSSEC trouble: the order is over, and validation is still set aside; remove the anchor"
                );
            }
            return;
        }
        // Validated again, or failing again: nothing is set aside any more.
        match self.forget(order).await {
            Ok(()) => {
                tracing::info!(%domain, %zone, "DNSSEC trouble: the order is over, and nothing is set aside");
            }
            Err(error) => tracing::error!(%error, %domain, "an order cannot be forgotten"),
        }
    }
}

const BETWEEN_LOOKS_AT_WHAT_WORKS: std::time::Duration = std::time::Duration::from_secs(60);
/// A quarter of an hour ahead, or a quarter of a short order's time.
const REMIND_MILLIS: u64 = 15 * 60_000;
