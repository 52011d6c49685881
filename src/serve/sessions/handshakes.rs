//! Full handshakes, which later sessions may resume without showing anything (SV-05).
//!
//! A report does not say which session was resumed, so it was the last one with that host: as soon as a
//! newer handshake is reported, nobody inherits from an older one, whatever the newer one comes to. Where
//! they are reported in another order than that of their times, nobody knows which was the last.

use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use hoplock_policy::moment::Timestamp;
use hoplock_policy::name::MxHost;
use hoplock_policy::verify::{Original, Session, Starttls};
use quick_cache::sync::Cache;

/// The last handshake with each host.
pub(super) struct Handshakes {
    known: Cache<Peer, Handshake>,
    /// One reads and writes at a time.
    turn: Mutex<()>,
    number: AtomicU64,
    /// Until when nobody knows which handshakes there were, in milliseconds.
    forgotten: AtomicU64,
}

/// One end of a resumable session, as the mail server names it.
type Peer = (MxHost, Option<IpAddr>, Option<u16>);

/// When a handshake was; those of one time in the order in which they were reported.
type When = (Timestamp, u64);

#[derive(Clone)]
struct Handshake {
    when: When,
    /// What came of it, as soon as that is known and somebody may inherit it.
    original: Option<Arc<Original>>,
}

/// A handshake whose session is being judged.
pub(super) struct Begun {
    peer: Peer,
    when: When,
}

impl Handshakes {
    pub(super) fn new() -> Self {
        Self {
            known: Cache::new(MOST),
            turn: Mutex::new(()),
            number: AtomicU64::new(0),
            forgotten: AtomicU64::new(0),
        }
    }

    /// Takes note of a session as soon as its report has come; nothing where it made no handshake of its
    /// own, or none that somebody could inherit from.
    pub(super) fn begin(&self, session: &Session, time: Timestamp) -> Option<Begun> {
        if session.resumed || !matches!(session.starttls, None | Some(Starttls::Used)) {
            return None;
        }
        let Some(peer) = peer(session) else {
            // It may have been with anybody.
            self.forget_until(time);
            return None;
        };
        let number = self.number.fetch_add(1, Ordering::Relaxed);
        let when = (time, number);
        let _turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        let newer = self.known.get(&peer).map(|known| known.when);
        let newer = newer.filter(|(known, _)| *known > time);
        let handshake = Handshake {
            when: newer.map_or(when, |(known, _)| (known, number)),
            original: None,
        };
        self.known.insert(peer.clone(), handshake);
        newer.is_none().then_some(Begun { peer, when })
    }

    /// Nobody inherits from a handshake of that time or earlier.
    pub(super) fn forget_until(&self, time: Timestamp) {
        self.forgotten.fetch_max(time.0, Ordering::Relaxed);
    }

    /// What came of it: others may inherit that, unless another one was reported meanwhile.
    pub(super) fn end(&self, begun: Begun, original: Original) {
        let Begun { peer, when } = begun;
        let _turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        let known = self.known.get(&peer);
        if known.is_none_or(|known| known.when <= when) {
            let original = Some(Arc::new(original));
            self.known.insert(peer, Handshake { when, original });
        }
    }

    /// What a session of that time resumed, where that is known.
    pub(super) fn resumed(&self, session: &Session, time: Timestamp) -> Option<Arc<Original>> {
        let (host, address, port) = peer(session)?;
        let exact = self.known.get(&(host.clone(), address, port))?;
        // A report that leaves out address or port may speak of the same end.
        let vague = [(None, port), (address, None), (None, None)];
        let vague = vague
            .into_iter()
            .filter(|own| *own != (address, port))
            .filter_map(|(address, port)| self.known.get(&(host.clone(), address, port)));
        let is_last = vague.into_iter().all(|own| own.when < exact.when);
        let (made, _) = exact.when;
        let is_known = made.0 > self.forgotten.load(Ordering::Relaxed);
        exact
            .original
            .filter(|_| is_last && is_known && made <= time)
    }
}

fn peer(session: &Session) -> Option<Peer> {
    let host = session.mx_host.clone()?;
    Some((host, session.address, session.port))
}

/// Tickets are good for hours; a busy mail server talks to a few thousand hosts in that time.
const MOST: usize = 10_000;
