//! From a digest of a trust anchor to the anchor: the host is asked for its certificates, and the one that
//! has the digest is the right one, whoever showed it (DT-16).
//!
//! Only a mail server without DANE of its own needs that, and only where a host publishes no record that
//! can be pinned. What a probe brings is remembered by its digest; a probe that brings nothing is not
//! repeated for a minute. Not done here: files ([`crate::world::anchors`]).

use std::collections::HashMap;
use std::net::SocketAddr;
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::FutureExt as _;
use futures_util::future::{BoxFuture, Shared};
use hoplock_policy::findings::{DaneFinding, Findings, HostFinding};
use hoplock_policy::name::{DomainName, MxHost};
use hoplock_policy::next_hop::NextHop;
use hoplock_policy::tlsa::{ProbedAnchor, TlsaRecord};
use quick_cache::sync::Cache;

use crate::world::probe::{ProbeTarget, Probed, Prober};
use crate::world::{Clock, Patience};

/// Trust anchors that probes brought.
pub(super) struct Anchors {
    prober: Option<Arc<dyn Prober>>,
    clock: Arc<dyn Clock>,
    /// By the record that names it.
    known: Cache<TlsaRecord, ProbedAnchor>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    under_way: HashMap<Place, Probing>,
    failed: HashMap<Place, Failed>,
    /// When a host was asked last, on the clock that never jumps.
    asked: HashMap<Place, Duration>,
    pins_failed: HashMap<(NextHop, DomainName), Duration>,
}

/// A host, and the port at which it is asked.
type Place = (DomainName, u16);
type Probing = Shared<BoxFuture<'static, ()>>;

struct Failed {
    why: String,
    /// On the clock that never jumps.
    at: Duration,
}

/// One host to be asked.
struct Asked {
    place: Place,
    server_name: DomainName,
    addresses: Vec<SocketAddr>,
    next_hop: NextHop,
    records: Vec<TlsaRecord>,
}

impl Anchors {
    /// Asks hosts by `prober`; without one it asks nobody.
    pub(super) fn new(prober: Option<Arc<dyn Prober>>, clock: Arc<dyn Clock>) -> Self {
        Self {
            prober,
            clock,
            known: Cache::new(MOST_KNOWN),
            state: Mutex::default(),
        }
    }

    /// The same findings with what is known of their hosts' anchors; `None` where that is nothing.
    pub(super) fn beside(&self, findings: &Findings) -> Option<Findings> {
        let now = self.now();
        let (mut anchors, mut anchor_failures, mut end_entity_failed) =
            (Vec::new(), Vec::new(), Vec::new());
        let state = self.state();
        for host in &findings.hosts {
            anchors.extend(records(host).filter_map(|record| self.known.get(&record)));
            let name = &host.host.0;
            if let Some(failed) = state.failed.get(&(name.clone(), port(findings, host))) {
                anchor_failures.push((host.host.clone(), failed.why.clone()));
            }
            let pins = (findings.next_hop.clone(), name.clone());
            if state
                .pins_failed
                .get(&pins)
                .is_some_and(|until| now < *until)
            {
                end_entity_failed.push(host.host.clone());
            }
        }
        drop(state);
        let is_nothing =
            anchors.is_empty() && anchor_failures.is_empty() && end_entity_failed.is_empty();
        (!is_nothing).then(|| Findings {
            anchors,
            anchor_failures,
            end_entity_failed,
            ..findings.clone()
        })
    }

    /// Asks these hosts, each once for all who want that at the same time. Who runs out of patience leaves;
    /// the asking goes on.
    pub(super) async fn ask(
        self: &Arc<Self>,
        findings: &Findings,
        wanted: &[MxHost],
        patience: Patience,
    ) {
        let probing: Vec<Probing> = wanted
            .iter()
            .filter_map(|host| findings.hosts.iter().find(|own| own.host == *host))
            .filter_map(|host| self.begin(findings, host))
            .collect();
        patience.wait(futures_util::future::join_all(probing)).await;
    }

    /// Asks these hosts once more where their records have been looked up since and name authorities that
    /// nobody has shown yet: a certificate may come from another of them by now. Nobody waits for that; true
    /// while one is being asked.
    pub(super) fn ask_again(self: &Arc<Self>, findings: &Findings, used: &[&HostFinding]) -> bool {
        let mut is_open = false;
        for host in used {
            if records(host).all(|record| self.known.get(&record).is_some()) {
                continue;
            }
            let place = (host.host.0.clone(), port(findings, host));
            let now = self.now();
            let (is_asked, was_asked) = {
                let state = self.state();
                let last = state.asked.get(&place).copied();
                let since = |last: Duration| {
                    last >= findings.gathered.uptime || now.saturating_sub(last) < BETWEEN
                };
                let is_asked = state.under_way.contains_key(&place);
                (is_asked, last.is_some_and(since))
            };
            is_open |= is_asked || !was_asked && self.begin(findings, host).is_some();
        }
        is_open
    }

    /// DT-19: the pinned records of a host did not match what it showed, and its trust anchors did.
    pub(super) fn pins_failed(&self, next_hop: &NextHop, host: &DomainName, lifetime: Duration) {
        let now = self.now();
        let mut state = self.state();
        if state.pins_failed.len() >= MOST_PLACES {
            state.pins_failed.retain(|_, until| now < *until);
        }
        if state.pins_failed.len() < MOST_PLACES {
            let key = (next_hop.clone(), host.clone());
            state.pins_failed.insert(key, now.saturating_add(lifetime));
        }
    }

    /// The probe of a host that is under way, begun now if there is none; `None` where it must not be asked
    /// now.
    fn begin(self: &Arc<Self>, findings: &Findings, host: &HostFinding) -> Option<Probing> {
        let asked = asked(findings, host);
        let now = self.now();
        let mut state = self.state();
        if let Some(probing) = state.under_way.get(&asked.place) {
            return Some(probing.clone());
        }
        let is_recent = |failed: &Failed| now.saturating_sub(failed.at) < BETWEEN;
        if state.failed.get(&asked.place).is_some_and(is_recent) {
            return None;
        }
        let Some(prober) = self.prober.clone() else {
            let words = "this machine has no name to say in EHLO, so that hoplock asks no host";
            state.fail(asked.place, words.to_owned(), now);
            return None;
        };
        let place = asked.place.clone();
        // Its turn comes with the next question: that others are many is no failure of this host.
        if state.under_way.len() >= AT_ONCE || !state.ask(&place, now) {
            return None;
        }
        let end = End {
            anchors: Arc::clone(self),
            place: place.clone(),
        };
        let task = tokio::spawn(async move {
            let found = AssertUnwindSafe(end.anchors.look(&asked, &*prober)).catch_unwind();
            let why = match found.await {
                Ok(Ok(())) => None,
                Ok(Err(why)) => Some(why),
                Err(_) => Some("the probe broke by a fault of hoplock".to_owned()),
            };
            let now = end.anchors.now();
            let mut state = end.anchors.state();
            match why {
                Some(why) => state.fail(asked.place, why, now),
                None => drop(state.failed.remove(&asked.place)),
            }
        });
        let probing = task.map(|_| ()).boxed().shared();
        state.under_way.insert(place, probing.clone());
        Some(probing)
    }

    /// Asks one address after the other until each record has its certificate.
    async fn look(&self, asked: &Asked, prober: &dyn Prober) -> Result<(), String> {
        let mut last = "no address of it is known".to_owned();
        for address in &asked.addresses {
            let target = ProbeTarget::of(&asked.next_hop, *address, asked.server_name.clone());
            let probed = prober.probe(target).await;
            if self.remember(&asked.records, &probed) {
                return Ok(());
            }
            last = if probed.chain.is_empty() {
                format!("{address}: {}", probed.stage)
            } else {
                format!(
                    "{address} showed no certificate of an authority that its TLSA records name; RFC 7672, \
                     3.1.2, has a server send that certificate too"
                )
            };
        }
        Err(last)
    }

    /// True where one of the records has its certificate now.
    fn remember(&self, records: &[TlsaRecord], probed: &Probed) -> bool {
        let mut found = false;
        for certificate in probed.chain.iter().take(LONGEST_CHAIN) {
            for record in records {
                if let Some(anchor) = ProbedAnchor::proved_by(record, certificate) {
                    self.known.insert(record.clone(), anchor);
                    found = true;
                }
            }
        }
        found
    }

    fn now(&self) -> Duration {
        self.clock.now().uptime
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Notes why a host brought nothing; where too many have, this one has no words of its own.
    fn fail(&mut self, place: Place, why: String, at: Duration) {
        if self.failed.len() >= MOST_PLACES && !self.failed.contains_key(&place) {
            self.failed
                .retain(|_, failed| at.saturating_sub(failed.at) < BETWEEN);
        }
        if self.failed.len() < MOST_PLACES || self.failed.contains_key(&place) {
            self.failed.insert(place, Failed { why, at });
        }
    }

    /// Notes that a host is asked now; false where there is no room for that.
    fn ask(&mut self, place: &Place, at: Duration) -> bool {
        if self.asked.len() >= MOST_PLACES && !self.asked.contains_key(place) {
            self.asked
                .retain(|_, last| at.saturating_sub(*last) < BETWEEN);
        }
        let has_room = self.asked.len() < MOST_PLACES || self.asked.contains_key(place);
        if has_room {
            self.asked.insert(place.clone(), at);
        }
        has_room
    }
}

/// Takes a probe off the board when its task ends, however it ends.
struct End {
    anchors: Arc<Anchors>,
    place: Place,
}

impl Drop for End {
    fn drop(&mut self) {
        self.anchors.state().under_way.remove(&self.place);
    }
}

/// The records that could name a trust anchor by a digest, as they stand in the DNS; the law says which
/// of them count.
fn records(host: &HostFinding) -> impl Iterator<Item = TlsaRecord> {
    let rdata = match &host.dane {
        DaneFinding::Records { rdata, .. } => rdata.as_slice(),
        _ => &[],
    };
    rdata
        .iter()
        .filter_map(|rdata| TlsaRecord::from_rdata(rdata).ok())
        .filter(|record| record.matching != 0 && matches!(record.usage, 0 | 2))
}

fn port(findings: &Findings, host: &HostFinding) -> u16 {
    findings.port_of(&host.host).unwrap_or(SMTP)
}

fn asked(findings: &Findings, host: &HostFinding) -> Asked {
    let port = port(findings, host);
    let addresses = findings.addresses_of(&host.host.0);
    // RFC 7672, 8.1: under DANE the TLSA base domain is asked for.
    let server_name = match &host.dane {
        DaneFinding::Records { base, .. } => base.0.clone(),
        _ => host.host.0.clone(),
    };
    Asked {
        place: (host.host.0.clone(), port),
        server_name,
        addresses: addresses
            .into_iter()
            .take(MOST_ADDRESSES)
            .map(|address| SocketAddr::new(address, port))
            .collect(),
        next_hop: findings.next_hop.clone(),
        records: records(host).collect(),
    }
}

/// Where a next hop has no port of its own.
const SMTP: u16 = 25;
/// A host that shows no such certificate, or is down, is asked again after this long, when somebody wants
/// its anchor.
const BETWEEN: Duration = Duration::from_secs(60);
/// Of one host: behind the first few, others show the same.
const MOST_ADDRESSES: usize = 4;
/// Authorities are few: many hosts share one.
const MOST_KNOWN: usize = 20_000;
/// Hosts of which it is known that they were asked, and what that brought.
const MOST_PLACES: usize = 10_000;
/// Hosts that are asked at once: each for seconds.
const AT_ONCE: usize = 64;
/// Certificates of a chain that are looked at: real ones have four or so.
const LONGEST_CHAIN: usize = 20;

#[cfg(test)]
#[allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]
mod tests;
