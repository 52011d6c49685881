//! From a certificate's digest to the certificate, with what the host showed beside it.
//!
//! Sendmail tells the digest alone, and most TLSA records name the key. A digest binds its certificate, so
//! whoever shows one of that digest shows the right one: those that were seen are remembered, and for one
//! that was not, the same address is asked at once, as a mail server would. That the host holds the key
//! was proved to Sendmail, in its own handshake.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use hoplock_policy::name::DomainName;
use hoplock_policy::verify::Certificate;
use quick_cache::Weighter;
use quick_cache::sync::Cache;
use sha2::{Digest as _, Sha256};
use tokio::sync::watch;

use crate::world::probe::{ProbeTarget, Probed, Prober};
use crate::world::{Clock, Patience};

/// Certificates by their digests.
pub struct Certificates {
    seen: Cache<Digest, Arc<Seen>, ByOctets>,
    prober: Option<Arc<dyn Prober>>,
    probes: Mutex<Probes>,
    clock: Arc<dyn Clock>,
}

/// SHA-256 of a certificate.
type Digest = [u8; 32];
/// What a host showed, leaf first.
type Chain = Arc<[Certificate]>;

struct Seen {
    chain: Chain,
    /// On the clock that never jumps.
    at: Duration,
}

#[derive(Default)]
struct Probes {
    /// One at a time at one address.
    under_way: HashMap<IpAddr, Running>,
    /// When an address was last asked under a name.
    last: HashMap<(IpAddr, DomainName), Duration>,
}

#[derive(Clone)]
struct Running {
    server_name: DomainName,
    /// Ends when the probe does.
    over: watch::Receiver<()>,
}

/// A certificate, and where it was shown.
#[derive(Clone, Debug)]
pub(super) struct Wanted {
    /// Its digest.
    pub(super) digest: Digest,
    /// The end that showed it.
    pub(super) address: SocketAddr,
    /// The name to ask for (RFC 7672, 8.1).
    pub(super) server_name: DomainName,
}

impl Certificates {
    /// A memory that asks hosts by `prober`; without one it asks nobody.
    #[must_use]
    pub fn new(prober: Option<Arc<dyn Prober>>, clock: Arc<dyn Clock>) -> Self {
        Self {
            seen: Cache::with_weighter(EXPECTED, MOST_OCTETS, ByOctets),
            prober,
            probes: Mutex::default(),
            clock,
        }
    }

    /// The certificate of this digest, with what was shown beside it, leaf first. A host that must be
    /// asked has as long as `patience` lasts; after that the asking goes on, for the next time.
    pub(super) async fn find(
        self: &Arc<Self>,
        wanted: Wanted,
        patience: Patience,
    ) -> Result<Chain, String> {
        let known = self.seen.get(&wanted.digest);
        if let Some(seen) = &known
            && self.now().saturating_sub(seen.at) < FRESH
        {
            return Ok(Arc::clone(&seen.chain));
        }
        let asked = patience.wait(self.ask(&wanted)).await;
        let asked = asked.unwrap_or_else(|| {
            Err("the host did not show its certificate to hoplock in time".to_owned())
        });
        match (asked, self.seen.get(&wanted.digest).or(known)) {
            (_, Some(seen)) => Ok(Arc::clone(&seen.chain)),
            (Ok(()), None) => Err("the host showed hoplock another certificate".to_owned()),
            (Err(why), None) => Err(why),
        }
    }

    /// Asks the host, or waits for one who does.
    async fn ask(self: &Arc<Self>, wanted: &Wanted) -> Result<(), String> {
        loop {
            let mut running = self.begin(wanted)?;
            // It ends by an error, since nothing is ever sent.
            while running.over.changed().await.is_ok() {}
            // Another name may have had the address: then it is our turn now.
            if running.server_name == wanted.server_name {
                return Ok(());
            }
        }
    }

    /// The probe that is under way at this address, begun now if none was.
    fn begin(self: &Arc<Self>, wanted: &Wanted) -> Result<Running, String> {
        let Some(prober) = &self.prober else {
            let words = "this machine has no name to say in EHLO, so that hoplock asks no host";
            return Err(words.to_owned());
        };
        let (now, address) = (self.now(), wanted.address.ip());
        let mut probes = self.probes();
        if let Some(running) = probes.under_way.get(&address) {
            return Ok(running.clone());
        }
        let is_recent = |last: &Duration| now.saturating_sub(*last) < BETWEEN;
        let key = (address, wanted.server_name.clone());
        if probes.last.get(&key).is_some_and(is_recent) {
            let words = "the host showed hoplock another certificate, or none, a moment ago";
            return Err(words.to_owned());
        }
        if probes.last.len() >= MOST_LAST {
            probes.last.retain(|_, last| is_recent(last));
        }
        if probes.last.len() >= MOST_LAST || probes.under_way.len() >= AT_ONCE {
            return Err("too many hosts are asked for their certificates at once".to_owned());
        }
        let (sender, over) = watch::channel(());
        let running = Running {
            server_name: wanted.server_name.clone(),
            over,
        };
        probes.last.insert(key, now);
        probes.under_way.insert(address, running.clone());
        drop(probes);
        let target = ProbeTarget::new(wanted.address, wanted.server_name.clone());
        let (own, prober) = (Arc::clone(self), Arc::clone(prober));
        tokio::spawn(async move {
            // Dropped in this order, also where the probe breaks: who waits finds the place free.
            let _sender = sender;
            let place = Place {
                certificates: own,
                address,
            };
            let probed = prober.probe(target).await;
            place.certificates.remember(probed);
        });
        Ok(running)
    }

    fn remember(&self, probed: Probed) {
        let Some(leaf) = probed.chain.first() else {
            let (address, stage) = (probed.target.address, probed.stage.to_string());
            tracing::info!(%address, stage, "a host showed no certificate");
            return;
        };
        let digest: Digest = Sha256::digest(leaf.der()).into();
        let mut chain = probed.chain;
        if chain.len() > MOST_CERTIFICATES || octets(&chain) > LONGEST {
            chain.truncate(1);
        }
        let seen = Seen {
            chain: chain.into(),
            at: self.now(),
        };
        self.seen.insert(digest, Arc::new(seen));
    }

    fn now(&self) -> Duration {
        self.clock.now().uptime
    }

    fn probes(&self) -> MutexGuard<'_, Probes> {
        self.probes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The place of a probe at its address, until it is over.
struct Place {
    certificates: Arc<Certificates>,
    address: IpAddr,
}

impl Drop for Place {
    fn drop(&mut self) {
        self.certificates.probes().under_way.remove(&self.address);
    }
}

/// What a chain costs.
#[derive(Clone)]
struct ByOctets;

impl Weighter<Digest, Arc<Seen>> for ByOctets {
    fn weight(&self, _: &Digest, seen: &Arc<Seen>) -> u64 {
        u64::try_from(octets(&seen.chain))
            .unwrap_or(u64::MAX)
            .max(1)
    }
}

fn octets(chain: &[Certificate]) -> usize {
    chain.iter().map(|own| own.der().len()).sum()
}

/// The leaf is bound by its digest for ever; what stands beside it the host may change.
const FRESH: Duration = Duration::from_secs(3600);
/// A host that shows others than it showed Sendmail is not asked at each attempt.
const BETWEEN: Duration = Duration::from_secs(30);
/// Addresses that are asked at once: each for seconds.
const AT_ONCE: usize = 64;
/// Addresses of which it is known when they were asked.
const MOST_LAST: usize = 10_000;
/// Chains that are expected: some thousands of octets each.
const EXPECTED: usize = 5_000;
/// Of all that is remembered, in octets.
const MOST_OCTETS: u64 = 32 * 1024 * 1024;
/// A longer chain is remembered by its leaf.
const MOST_CERTIFICATES: usize = 20;
/// The same in octets.
const LONGEST: usize = 128 * 1024;
