//! The certificates of a handshake, which Exim hands over one by one, each on a connection of its own:
//! the one furthest from the leaf first, the leaf last (the Exim specification, `tls:cert` event).
//!
//! They are joined by the process, the host, the address and the port. One that does not come next, going
//! down, begins another handshake: a process number may have been given to another process since, and a
//! handshake may have been broken off. Who shows too few is refused by what needs those that are missing.

use std::collections::{HashMap, VecDeque};
use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use hoplock_policy::verify::{Certificate, SessionOutcome};

/// Handshakes whose leaf has not come yet, and those that were refused.
#[derive(Default)]
pub(super) struct Chains {
    table: Mutex<Table>,
}

#[derive(Default)]
struct Table {
    begun: HashMap<Peer, Begun>,
    /// Of all certificates together.
    octets: usize,
    refused: VecDeque<(Peer, Duration)>,
    /// By destination and peer, whichever process it was.
    vouched: HashMap<(String, Peer), (SessionOutcome, Duration)>,
}

/// One end of a handshake, and the process that made it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Peer {
    /// The Exim process.
    pub(super) pid: u32,
    /// The host, in lower case.
    pub(super) host: String,
    /// Its address.
    pub(super) address: IpAddr,
    /// Its port.
    pub(super) port: u16,
}

struct Begun {
    /// For whom the handshake is made.
    domain: String,
    /// The one furthest from the leaf first.
    certificates: Vec<Vec<u8>>,
    /// Of the last one.
    depth: u32,
    /// When that came.
    came: Duration,
}

/// What one more certificate makes of a handshake.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Joined {
    /// Others follow.
    Noted,
    /// It was the leaf: all that were shown, leaf first.
    Whole(Vec<Certificate>),
    /// More than any host needs.
    TooMany,
}

impl Chains {
    /// Takes a certificate that came `now`, by the clock that never jumps.
    pub(super) fn take(
        &self,
        peer: Peer,
        domain: &str,
        depth: u32,
        der: Vec<u8>,
        now: Duration,
    ) -> Joined {
        let mut table = self.table();
        let begun = table.take(&peer).filter(|begun| {
            let continues = begun.depth.checked_sub(1) == Some(depth) && begun.domain == domain;
            continues && now.saturating_sub(begun.came) < BETWEEN
        });
        let mut certificates = begun.map_or_else(Vec::new, |begun| begun.certificates);
        certificates.push(der);
        if certificates.len() > MOST_CERTIFICATES || octets(&certificates) > MOST_OCTETS {
            return Joined::TooMany;
        }
        if depth == 0 {
            let leaf_first = certificates.into_iter().rev();
            return Joined::Whole(leaf_first.map(Certificate::from_der).collect());
        }
        table.make_room(octets(&certificates), now);
        table.octets += octets(&certificates);
        let begun = Begun {
            domain: domain.to_owned(),
            certificates,
            depth,
            came: now,
        };
        table.begun.insert(peer, begun);
        Joined::Noted
    }

    /// Notes that the handshake with this peer was refused: its failure is told.
    pub(super) fn refuse(&self, peer: Peer, now: Duration) {
        let mut table = self.table();
        if table.refused.len() >= MOST_REFUSED {
            table.refused.pop_front();
        }
        table.refused.push_back((nameless(peer), now));
    }

    /// True where a failure with this peer was told of just now.
    pub(super) fn was_refused(&self, peer: &Peer, now: Duration) -> bool {
        let peer = nameless(peer.clone());
        let refused = &mut self.table().refused;
        refused.retain(|(_, then)| now.saturating_sub(*then) < UNTIL_TOLD);
        refused.iter().any(|(own, _)| *own == peer)
    }

    /// Notes what a handshake came to that was let go on. Exim hands connections over from process to
    /// process, so that the number of the process says nothing of it any more.
    pub(super) fn vouch(&self, peer: Peer, domain: &str, outcome: SessionOutcome, now: Duration) {
        let mut table = self.table();
        let is_old = |(_, then): &(SessionOutcome, Duration)| now.saturating_sub(*then) >= VOUCHED;
        if table.vouched.len() >= MOST_VOUCHED {
            table.vouched.retain(|_, own| !is_old(own));
        }
        if table.vouched.len() < MOST_VOUCHED {
            let site = (domain.to_owned(), Peer { pid: 0, ..peer });
            table.vouched.insert(site, (outcome, now));
        }
    }

    /// What the last handshake with this host for this destination came to, where it was let go on.
    pub(super) fn vouched(
        &self,
        peer: &Peer,
        domain: &str,
        now: Duration,
    ) -> Option<SessionOutcome> {
        let site = (
            domain.to_owned(),
            Peer {
                pid: 0,
                ..peer.clone()
            },
        );
        let (outcome, then) = *self.table().vouched.get(&site)?;
        (now.saturating_sub(then) < VOUCHED).then_some(outcome)
    }

    /// Forgets what is known of this peer: its connection has ended.
    pub(super) fn forget(&self, peer: &Peer) {
        self.table().take(peer);
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Table {
    fn take(&mut self, peer: &Peer) -> Option<Begun> {
        let begun = self.begun.remove(peer)?;
        self.octets = self.octets.saturating_sub(octets(&begun.certificates));
        Some(begun)
    }

    /// Room for one more: what is over goes first, then what has waited longest. Whoever comes back for
    /// that has shown too little, and is refused where it matters.
    fn make_room(&mut self, wanted: usize, now: Duration) {
        let is_full = |own: &Self| {
            own.begun.len() >= MOST_HANDSHAKES || own.octets + wanted > MOST_OCTETS_IN_ALL
        };
        if !is_full(self) {
            return;
        }
        self.begun
            .retain(|_, begun| now.saturating_sub(begun.came) < BETWEEN);
        self.octets = self
            .begun
            .values()
            .map(|own| octets(&own.certificates))
            .sum();
        while is_full(self) {
            let oldest = self.begun.iter().min_by_key(|(_, begun)| begun.came);
            let Some(peer) = oldest.map(|(peer, _)| peer.clone()) else {
                return;
            };
            self.take(&peer);
        }
    }
}

/// Some events know the address alone.
fn nameless(peer: Peer) -> Peer {
    Peer {
        host: String::new(),
        ..peer
    }
}

fn octets(certificates: &[Vec<u8>]) -> usize {
    certificates.iter().map(Vec::len).sum()
}

/// Between two certificates of one handshake: Exim waits a few seconds for each answer, and no host waits
/// longer for a client that is silent in the middle of a handshake.
const BETWEEN: Duration = Duration::from_secs(30);
/// Real chains have two to four.
const MOST_CERTIFICATES: usize = 16;
/// Of one handshake, in DER; TLS libraries take about as much (OpenSSL: 100 KiB for all of them).
const MOST_OCTETS: usize = 256 * 1024;
/// At once; Exim's `queue_run_max` and `remote_max_parallel` stay far below.
const MOST_HANDSHAKES: usize = 2_000;
/// Of all handshakes together.
const MOST_OCTETS_IN_ALL: usize = 32 * 1024 * 1024;
/// Exim tells of the delay as soon as it has given the host up.
const UNTIL_TOLD: Duration = Duration::from_secs(60);
/// Each is a name and an address.
const MOST_REFUSED: usize = 2_000;
/// As long as a connection may be handed from message to message.
const VOUCHED: Duration = Duration::from_secs(3600);
/// Each is two names and an address.
const MOST_VOUCHED: usize = 20_000;

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn peer(pid: u32) -> Peer {
        Peer {
            pid,
            host: "mx.e.test".to_owned(),
            address: "192.0.2.1".parse().unwrap(),
            port: 25,
        }
    }

    fn show(chains: &Chains, pid: u32, depth: u32, der: &str, seconds: u64) -> Joined {
        let now = Duration::from_secs(seconds);
        let der = der.as_bytes().to_vec();
        chains.take(peer(pid), "e.test", depth, der, now)
    }

    fn whole(texts: &[&str]) -> Joined {
        let certificate = |text: &&str| Certificate::from_der(text.as_bytes().to_vec());
        Joined::Whole(texts.iter().map(certificate).collect())
    }

    /// EX-06: two processes at once keep their certificates apart, and each chain is leaf first.
    #[test]
    fn two_processes_at_once() {
        let chains = Chains::default();
        for (pid, depth, der) in [(1, 2, "r1"), (2, 1, "i2"), (1, 1, "i1")] {
            assert_eq!(show(&chains, pid, depth, der, 1), Joined::Noted);
        }
        assert_eq!(show(&chains, 2, 0, "l2", 2), whole(&["l2", "i2"]));
        assert_eq!(show(&chains, 1, 0, "l1", 3), whole(&["l1", "i1", "r1"]));
        // All of it is used up.
        assert_eq!(show(&chains, 1, 0, "l1", 4), whole(&["l1"]));
        assert_eq!(chains.table().octets, 0);
    }

    /// EX-06: what does not come next begins anew: a repeated handshake, a process number that is used
    /// again, a certificate that got lost, another destination, one that comes too late.
    #[test]
    fn what_does_not_come_next_begins_anew() {
        let chains = Chains::default();
        let _ = show(&chains, 1, 2, "old", 1);
        let _ = show(&chains, 1, 2, "r", 2);
        let _ = show(&chains, 1, 1, "i", 2);
        assert_eq!(show(&chains, 1, 0, "l", 3), whole(&["l", "i", "r"]));
        let _ = show(&chains, 1, 2, "r", 4);
        assert_eq!(show(&chains, 1, 0, "l", 5), whole(&["l"]), "one is lost");
        let _ = show(&chains, 1, 1, "i", 6);
        let _ = show(&chains, 1, 1, "j", 6);
        assert_eq!(show(&chains, 1, 0, "l", 6), whole(&["l", "j"]));
        let _ = show(&chains, 1, 1, "i", 10);
        assert_eq!(show(&chains, 1, 0, "l", 40), whole(&["l"]), "too late");
        let _ = show(&chains, 1, 1, "i", 50);
        let now = Duration::from_secs(50);
        let other = chains.take(peer(1), "f.test", 0, b"l".to_vec(), now);
        assert_eq!(other, whole(&["l"]));
        let _ = show(&chains, 1, 1, "i", 60);
        chains.forget(&peer(1));
        assert_eq!(show(&chains, 1, 0, "l", 60), whole(&["l"]));
    }

    /// EX-01: bounded in number, in size and in time; what is dropped is dropped whole.
    #[test]
    fn all_of_it_is_bounded() {
        let chains = Chains::default();
        for depth in (1..=20).rev() {
            let joined = show(&chains, 1, depth, "c", 1);
            assert_eq!(joined == Joined::TooMany, depth == 4, "{depth}");
        }
        let large = "c".repeat(MOST_OCTETS / 2 + 1);
        assert_eq!(show(&chains, 2, 3, &large, 1), Joined::Noted);
        assert_eq!(show(&chains, 2, 2, &large, 1), Joined::TooMany);
        for pid in 0..5_000 {
            let _ = show(&chains, pid, 1, &"c".repeat(60_000), 2);
        }
        let (count, octets) = {
            let table = chains.table();
            (table.begun.len(), table.octets)
        };
        assert!(octets <= MOST_OCTETS_IN_ALL && count <= MOST_HANDSHAKES);
        assert_eq!(octets, count * 60_000);
        for pid in 0..5_000 {
            let _ = show(&chains, pid, 1, "c", 3);
        }
        assert_eq!(chains.table().begun.len(), MOST_HANDSHAKES);
        // The newest is the last to go.
        assert_eq!(show(&chains, 4_999, 0, "l", 4), whole(&["l", "c"]));
    }

    /// EX-08: what was told of just now is known to be, of this process and this host.
    #[test]
    fn what_was_told_is_known() {
        let chains = Chains::default();
        let at = Duration::from_secs;
        chains.refuse(peer(1), at(1));
        assert!(!chains.was_refused(&peer(2), at(2)));
        assert!(chains.was_refused(&peer(1), at(2)));
        assert!(!chains.was_refused(&peer(1), at(61)));
        for pid in 0..5_000 {
            chains.refuse(peer(pid), at(800));
        }
        assert_eq!(chains.table().refused.len(), MOST_REFUSED);
        let good = SessionOutcome::AuthenticatedDane;
        chains.vouch(peer(1), "e.test", good, at(1));
        assert_eq!(chains.vouched(&peer(2), "e.test", at(2)), Some(good));
        assert_eq!(chains.vouched(&peer(1), "f.test", at(2)), None);
        assert_eq!(chains.vouched(&peer(1), "e.test", at(3601)), None);
    }
}
