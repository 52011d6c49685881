//! Destinations whose DNSSEC trouble is to be survived for a time, by the operator's order (OP-02).
//!
//! Behind a validating resolver nobody but that resolver can set validation aside: it answers nothing that
//! it finds false. So an order changes no answer of ours. It finds the zone that fails, says the exact line
//! for Unbound (a negative trust anchor, RFC 7646), watches until lookups work, and reminds when the time
//! is over until the anchor is gone. Orders are stored, logged, and always end.
//!
//! * [`zone`]: which zone fails.
//! * [`order`]: an order as it is stored and told.
//! * [`watch`]: what the DNS says meanwhile.

mod order;
mod watch;
mod zone;

use std::sync::Arc;
use std::time::Duration;

use dashmap::DashMap;
use hoplock_policy::dns::{Question, RecordType};
use hoplock_policy::moment::Timestamp;
use hoplock_policy::name::DomainName;
use hoplock_policy::next_hop::NextHop;

pub use self::order::Order;
use self::order::{PREFIX, is_order};
use self::watch::Watched;
pub use self::watch::{Seen, Standing};
pub use self::zone::NoTrouble;
use self::zone::Trouble;
use crate::answer::Answerer;
use crate::world::{StoreFailure, StoredRule};

/// All orders.
pub struct NegativeAnchors {
    answerer: Arc<Answerer>,
    /// One change at a time.
    changing: tokio::sync::Mutex<()>,
    /// By destination.
    watched: DashMap<DomainName, Watched>,
}

/// What is wanted.
#[derive(Clone, Debug)]
pub struct Wanted {
    /// The destination, as it was written.
    pub domain: String,
    /// The zone, where the operator knows it.
    pub zone: Option<String>,
    /// When it ends.
    pub expires: Timestamp,
    /// Why.
    pub comment: String,
    /// Who says so.
    pub by: String,
}

/// Why there is no order.
#[derive(Debug, thiserror::Error)]
pub enum OrderError {
    /// No such destination or zone.
    #[error("{0}")]
    Malformed(String),
    /// It would end at once, or later than any such thing should.
    #[error("it must end, and within a week (RFC 7646): name a later or an earlier time")]
    Time,
    /// Nothing to survive.
    #[error("{0}: {1}")]
    NoTrouble(DomainName, NoTrouble),
    /// It cannot be kept.
    #[error(transparent)]
    Store(#[from] StoreFailure),
}

impl NegativeAnchors {
    /// Over an answerer; orders that are stored are read by [`NegativeAnchors::watch`].
    #[must_use]
    pub fn new(answerer: Arc<Answerer>) -> Self {
        Self {
            answerer,
            changing: tokio::sync::Mutex::default(),
            watched: DashMap::new(),
        }
    }

    /// Takes an order: finds the zone, stores it, and gives it back with the lines for the resolver.
    ///
    /// # Errors
    /// [`OrderError`] with the cure; nothing changed then.
    pub async fn add(&self, wanted: Wanted, now: Timestamp) -> Result<Order, OrderError> {
        let NextHop::Domain { domain, .. } = NextHop::parse(&wanted.domain) else {
            let words = format!("{:?} is no mail domain", wanted.domain);
            return Err(OrderError::Malformed(words));
        };
        let domain = domain.0;
        let left = wanted.expires.0.saturating_sub(now.0);
        if left == 0 || left > LONGEST_MILLIS {
            return Err(OrderError::Time);
        }
        let trouble = match &wanted.zone {
            Some(zone) => named(&domain, zone)?,
            None => zone::trouble(&self.answerer, &domain)
                .await
                .map_err(|why| OrderError::NoTrouble(domain.clone(), why))?,
        };
        let order = Order {
            domain,
            zone: trouble.zone,
            question: trouble.question,
            trouble: trouble.words,
            added: now,
            expires: wanted.expires,
            by: wanted.by,
            comment: wanted.comment,
        };
        let _changing = self.changing.lock().await;
        self.answerer
            .world()
            .store
            .keep_rule(order.stored())
            .await?;
        self.watched.remove(&order.domain);
        tracing::warn!(
            domain = %order.domain,
            zone = %order.zone,
            by = order.by,
            comment = order.comment,
            trouble = order.trouble,
            "DNSSEC trouble is to be survived: waiting for the resolver's operator to set validation aside"
        );
        Ok(order)
    }

    /// Takes an order back; `None` where there is none.
    ///
    /// # Errors
    /// [`StoreFailure`] where it cannot be forgotten.
    pub async fn remove(&self, domain: &str, by: &str) -> Result<Option<Order>, StoreFailure> {
        let _changing = self.changing.lock().await;
        let Ok(domain) = DomainName::parse(domain) else {
            return Ok(None);
        };
        let orders = self.orders().await?;
        let Some(order) = orders.into_iter().find(|own| own.domain == domain) else {
            return Ok(None);
        };
        self.forget(&order).await?;
        tracing::info!(%domain, zone = %order.zone, by, "DNSSEC trouble is no longer to be survived");
        Ok(Some(order))
    }

    /// All orders, and how each stands.
    ///
    /// # Errors
    /// [`StoreFailure`] where they cannot be read.
    pub async fn list(&self, now: Timestamp) -> Result<Vec<(Order, Standing)>, StoreFailure> {
        let orders = self.orders().await?;
        let standing = |order: &Order| {
            let watched = self.watched.get(&order.domain);
            let seen = watched.map_or(Seen::NotYet, |watched| watched.seen.clone());
            Standing {
                seen,
                is_over: order.is_over(now),
            }
        };
        Ok(orders
            .into_iter()
            .map(|order| {
                let standing = standing(&order);
                (order, standing)
            })
            .collect())
    }

    async fn orders(&self) -> Result<Vec<Order>, StoreFailure> {
        let stored = self.answerer.world().store.rules().await?;
        let mut orders = Vec::new();
        for stored in stored.iter().filter(|stored| is_order(stored)) {
            match Order::read(stored) {
                Some(order) => orders.push(order),
                None => tracing::error!(
                    pattern = stored.pattern,
                    "an order to survive DNSSEC trouble is not understood; it changes no answer"
                ),
            }
        }
        orders.sort_by(|left, right| left.domain.cmp(&right.domain));
        Ok(orders)
    }

    async fn forget(&self, order: &Order) -> Result<(), StoreFailure> {
        let store = &self.answerer.world().store;
        store.drop_rule(order.stored().pattern).await?;
        self.watched.remove(&order.domain);
        Ok(())
    }
}

/// True for what stands among the stored rules and is none: an order.
pub(super) fn is_no_rule(stored: &StoredRule) -> bool {
    stored.pattern.starts_with(PREFIX)
}

/// A zone that the operator names: its own existence is what is watched.
fn named(domain: &DomainName, zone: &str) -> Result<Trouble, OrderError> {
    match DomainName::parse(zone) {
        Ok(zone) if !zone.is_single_label() => Ok(Trouble {
            question: Question::new(domain.clone(), RecordType::Mx),
            words: "named by the operator".to_owned(),
            zone,
        }),
        Ok(zone) => {
            let words = format!("{zone} is not a zone to set aside: too much stands below it");
            Err(OrderError::Malformed(words))
        }
        Err(why) => Err(OrderError::Malformed(format!("{zone:?} is no zone: {why}"))),
    }
}

/// RFC 7646: such an anchor is for the time that a repair takes.
const LONGEST_MILLIS: u64 = 7 * 86_400_000;
/// How often it is looked whether an order works.
pub(super) const BETWEEN_LOOKS: Duration = Duration::from_secs(5);

#[cfg(test)]
mod tests;
