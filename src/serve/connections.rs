//! The connections at hand: counted, capped, and closed when the daemon drains.
//!
//! At the cap the longest idle connection makes room; where none is idle the new one is turned away
//! with a reason. A mail server reconnects by itself, so an idle connection is worth nothing to it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use dashmap::DashMap;
use tokio_util::sync::CancellationToken;

/// All connections.
#[derive(Clone)]
pub struct Connections {
    shared: Arc<Shared>,
}

struct Shared {
    seats: DashMap<u64, Arc<State>>,
    cap: usize,
    next: AtomicU64,
    /// Counts rests and works: the lowest resting number is the longest idle.
    order: AtomicU64,
    closing: CancellationToken,
}

struct State {
    /// When it last came to rest, in the order of all; [`WORKING`] while it works.
    resting_since: AtomicU64,
    closed: CancellationToken,
}

/// The place of one connection; leaving it frees the place.
pub struct Seat {
    id: u64,
    state: Arc<State>,
    shared: Arc<Shared>,
}

impl Connections {
    /// At most `cap` connections, until `closing` is cancelled.
    #[must_use]
    pub fn new(cap: usize, closing: &CancellationToken) -> Self {
        let shared = Shared {
            seats: DashMap::new(),
            cap,
            next: AtomicU64::new(0),
            order: AtomicU64::new(1),
            closing: closing.clone(),
        };
        Self {
            shared: Arc::new(shared),
        }
    }

    /// A place for a new connection; `None` where all are taken and none is idle.
    #[must_use]
    pub fn seat(&self) -> Option<Seat> {
        if self.shared.seats.len() >= self.shared.cap && !self.close_longest_idle() {
            return None;
        }
        let id = self.shared.next.fetch_add(1, Ordering::Relaxed);
        let state = Arc::new(State {
            resting_since: AtomicU64::new(WORKING),
            closed: self.shared.closing.child_token(),
        });
        self.shared.seats.insert(id, Arc::clone(&state));
        Some(Seat {
            id,
            state,
            shared: Arc::clone(&self.shared),
        })
    }

    /// How many there are.
    #[must_use]
    pub fn count(&self) -> usize {
        self.shared.seats.len()
    }

    fn close_longest_idle(&self) -> bool {
        let idle = self
            .shared
            .seats
            .iter()
            .map(|seat| (seat.resting_since.load(Ordering::Relaxed), *seat.key()))
            .filter(|(since, _)| *since != WORKING)
            .min();
        let Some((_, id)) = idle else { return false };
        if let Some((_, state)) = self.shared.seats.remove(&id) {
            state.closed.cancel();
        }
        true
    }
}

impl Seat {
    /// The connection waits for its client.
    pub fn rests(&self) {
        let now = self.shared.order.fetch_add(1, Ordering::Relaxed);
        self.state.resting_since.store(now, Ordering::Relaxed);
    }

    /// The connection has a request in hand: it is not closed before the answer.
    pub fn works(&self) {
        self.state.resting_since.store(WORKING, Ordering::Relaxed);
    }

    /// Ends when the connection must make room, or the daemon drains.
    pub async fn is_closed(&self) {
        self.state.closed.cancelled().await;
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.shared.seats.remove(&self.id);
    }
}

const WORKING: u64 = u64::MAX;
