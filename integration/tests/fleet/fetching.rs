//! What discovery makes of a fleet: one fetches for all, and nobody waits for the others.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use hoplock::discover::{DiscoverOptions, Discoverer};
use hoplock::store::memory::MemoryStore;
use hoplock::store::valkey::{FleetClient, ValkeyStore};
use hoplock::world::scripted::{Scripted, ScriptedPolicy, ScriptedWorld};
use hoplock::world::{PolicyResponse, Store as _};
use hoplock_policy::dns::{RecordData, RecordType, SecurityStatus};
use hoplock_policy::findings::StsFinding;
use hoplock_policy::name::DomainName;
use hoplock_policy::next_hop::NextHop;

use crate::server::{Server, until};

/// A host with an outside of its own.
struct Host {
    world: Arc<ScriptedWorld>,
    discoverer: Discoverer,
    store: Arc<ValkeyStore>,
}

const DAY: Duration = Duration::from_secs(86_400);

fn name(text: &str) -> DomainName {
    DomainName::parse(text).unwrap()
}

impl Host {
    fn new(client: &Arc<FleetClient>) -> Self {
        let world = ScriptedWorld::new();
        let local = Arc::new(MemoryStore::new(100));
        let store = Arc::new(ValkeyStore::new(local, client.clone(), world.clone()));
        let discoverer = Discoverer::new(world.world(store.clone()), DiscoverOptions::default());
        let host = Self {
            world,
            discoverer,
            store,
        };
        host.publishes("1", "enforce");
        host
    }

    fn publishes(&self, id: &str, mode: &str) {
        publishes(&self.world, id, mode);
    }

    /// What it finds, and how long it takes.
    async fn discover(&self) -> (StsFinding, Duration) {
        let begun = Instant::now();
        let next_hop = NextHop::parse("a.test");
        let findings = self.discoverer.discover(&next_hop, Duration::from_secs(20));
        (findings.await.sts, begun.elapsed())
    }

    /// The id of the policy that it goes by.
    async fn id(&self) -> Option<String> {
        match self.discover().await.0 {
            StsFinding::Policy { remembered, .. } => Some(remembered.id.clone()),
            _ => None,
        }
    }

    async fn refresh(&self) {
        for work in self.discoverer.policies().refresh() {
            work.await.unwrap();
        }
    }

    fn fetches(&self) -> usize {
        self.world.take_fetched().len()
    }

    /// How many policies it took over since this was asked last.
    fn taken_over(&self) -> u64 {
        let counters = self.discoverer.policies().counters();
        counters.taken_over.swap(0, Ordering::Relaxed)
    }

    /// Whether the server answers it in time.
    fn is_asking(&self) -> bool {
        self.store.client().is_asked()
    }

    async fn asks_again(&self) {
        until("the server answers in time", async || self.is_asking()).await;
    }

    /// Leases are given back behind everybody's back, and end by themselves after a minute and a half.
    async fn is_free(&self, server: &Server) {
        let mut stranger = server.stranger();
        let mut is_free = || {
            let mut exists = redis::cmd("EXISTS");
            let found: redis::RedisResult<u64> =
                exists.arg("hoplock:lease:a.test").query(&mut stranger);
            found == Ok(0)
        };
        for _ in 0..2_000 {
            if is_free() {
                return self.asks_again().await;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("the lease is never free");
    }
}

/// The destination announces a policy with this id, and its host serves it after 20 ms.
pub(crate) fn publishes(world: &ScriptedWorld, id: &str, mode: &str) {
    let record = RecordData::Txt(vec![format!("v=STSv1; id={id};").into_bytes()]);
    let ttl = Duration::from_secs(60);
    let txt = Scripted::Records(SecurityStatus::Insecure, ttl, vec![record]);
    world.set(name("_mta-sts.a.test"), RecordType::Txt, txt);
    let response = PolicyResponse {
        status: 200,
        media_type: Some("text/plain".to_owned()),
        body: text(mode).into_bytes(),
        certificate: None,
    };
    let served = ScriptedPolicy::Responds(response, Duration::from_millis(20));
    world.policy(name("a.test"), served);
}

pub(crate) fn text(mode: &str) -> String {
    format!("version: STSv1\nmode: {mode}\nmx: *.a.test\nmax_age: 604800\n")
}

async fn pair(server: &Server) -> (Host, Host) {
    let (one, two) = (server.client().await, server.client().await);
    (Host::new(&one), Host::new(&two))
}

/// ST-04: a policy that is announced is fetched by one host.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_policy_is_fetched_once() {
    let server = Server::start(false);
    let (one, two) = pair(&server).await;
    let (first, second) = tokio::join!(one.id(), two.id());
    assert_eq!(
        (first.as_deref(), second.as_deref()),
        (Some("1"), Some("1"))
    );
    assert_eq!(one.fetches() + two.fetches(), 1);
    // Announced anew as it is, it is taken over. What demands less than the one in force here is what its
    // own policy host says, and nobody else: each host fetches it.
    for (id, mode, fetches) in [("2", "enforce", 1), ("3", "testing", 2)] {
        for host in [&one, &two] {
            host.publishes(id, mode);
        }
        assert_eq!(one.id().await.as_deref(), Some(id));
        until("it is there", async || {
            two.id().await.as_deref() == Some(id)
        })
        .await;
        assert_eq!(one.fetches() + two.fetches(), fetches, "{mode}");
    }
    // Who comes new and sees no record, for whatever reason, goes by what the fleet remembers.
    let third = Host::new(&server.client().await);
    third.world.clear(&name("_mta-sts.a.test"), RecordType::Txt);
    assert_eq!(third.id().await.as_deref(), Some("3"));
    assert_eq!(third.fetches(), 0);
}

/// ST-27: one refreshes, the others find it done; where the server is gone each for himself.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_host_refreshes() {
    let mut server = Server::start(false);
    let (one, two) = pair(&server).await;
    assert!(one.id().await.is_some() && two.id().await.is_some());
    let _ = (one.fetches(), two.fetches());
    let domain = || hoplock_policy::name::PolicyDomain(name("a.test"));
    // A server that is too slow for a quarter of a second, on a machine that has other things to do, is one
    // without which each refreshes for himself: then another day shows it.
    loop {
        one.is_free(&server).await;
        for host in [&one, &two] {
            host.world.pass(DAY);
        }
        let _ = two.taken_over();
        one.refresh().await;
        if one.fetches() == 0 {
            // What two fetched for himself in the round before.
            assert_eq!(one.taken_over(), 1);
            continue;
        }
        two.refresh().await;
        match (two.fetches(), two.taken_over()) {
            (0, 1) => break,
            // He has the lease until he has told of it.
            (0, 0) => {
                let taken_over = async || {
                    two.world.pass(Duration::from_secs(1));
                    two.refresh().await;
                    two.taken_over() == 1 || !two.is_asking()
                };
                until("two has taken it over", taken_over).await;
                if two.is_asking() {
                    assert_eq!(two.fetches(), 0);
                    break;
                }
                let _ = two.fetches();
            }
            found => assert!(!two.is_asking(), "not only one refreshes: {found:?}"),
        }
        two.asks_again().await;
    }
    // While another has the lease, it is left to him, and looked for again.
    let lease = loop {
        one.is_free(&server).await;
        for host in [&one, &two] {
            host.world.pass(DAY);
        }
        let lease = one.store.lease_fetch(domain()).await.expect("free");
        let was_asking = one.is_asking();
        two.refresh().await;
        match (two.fetches(), two.taken_over()) {
            (0, 0) if was_asking => break lease,
            // The lease was not one, or what one fetched for himself before.
            (0, _) => {}
            _ => assert!(
                !was_asking || !two.is_asking(),
                "two refreshes under one's lease"
            ),
        }
        drop(lease);
        one.asks_again().await;
        two.asks_again().await;
    };
    drop(lease);
    one.is_free(&server).await;
    two.world.pass(Duration::from_secs(11));
    two.refresh().await;
    assert_eq!(two.fetches(), 1);
    server.kill();
    one.world.pass(DAY);
    one.refresh().await;
    assert_eq!(one.fetches(), 1);
}

/// A server that hangs costs an answer a quarter of a second in all, and no fetch.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_waits_for_a_quarter_of_a_second() {
    let server = Server::start(false);
    let (one, two) = pair(&server).await;
    server.freeze(true);
    let (found, took) = one.discover().await;
    assert!(matches!(found, StsFinding::Policy { .. }), "{found:?}");
    assert!(took < Duration::from_millis(480), "{took:?}");
    let (_, took) = one.discover().await;
    assert!(took < Duration::from_millis(200), "{took:?}");
    // Another host fetches and does not come to an end.
    server.freeze(false);
    crate::server::reached(&two.store.client()).await;
    let domain = hoplock_policy::name::PolicyDomain(name("a.test"));
    let lease = until_leased(&two, &domain).await;
    let three = Host::new(&server.client().await);
    let (found, took) = three.discover().await;
    assert!(matches!(found, StsFinding::Policy { .. }), "{found:?}");
    assert!(took < Duration::from_millis(480), "{took:?}");
    drop(lease);
}

async fn until_leased(
    host: &Host,
    domain: &hoplock_policy::name::PolicyDomain,
) -> hoplock::world::FetchLease {
    for _ in 0..400 {
        if let Some(lease) = host.store.lease_fetch(domain.clone()).await {
            return lease;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("no lease");
}

/// A lease that the server gave too late for who asked is given back too: else nobody had it, and it barred
/// all for its whole time.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lease_that_comes_too_late_is_given_back() {
    let server = Server::start(false);
    let (one, two) = pair(&server).await;
    let domain = || hoplock_policy::name::PolicyDomain(name("late.test"));
    one.asks_again().await;
    server.freeze(true);
    let lease = one.store.lease_fetch(domain()).await;
    assert!(lease.is_some() && !one.is_asking(), "each for himself");
    server.freeze(false);
    one.asks_again().await;
    two.asks_again().await;
    until("one has it", async || {
        two.store.lease_fetch(domain()).await.is_none()
    })
    .await;
    drop(lease);
    until("it is free again", async || {
        two.store.lease_fetch(domain()).await.is_some()
    })
    .await;
}
