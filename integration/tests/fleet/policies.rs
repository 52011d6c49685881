//! Policies between two hosts.

use std::sync::Arc;
use std::time::Duration;

use hoplock::adapters::clock::SystemClock;
use hoplock::store::memory::MemoryStore;
use hoplock::store::valkey::{FleetClient, ValkeyStore};
use hoplock::world::{Clock, FetchLease, Store};
use hoplock_policy::findings::RememberedPolicy;
use hoplock_policy::moment::{Moment, Timestamp};
use hoplock_policy::name::{DomainName, PolicyDomain};
use hoplock_policy::sts::StsPolicy;

use crate::server::{Server, not_reached, reached, until};

/// A host.
pub(crate) struct Node {
    pub(crate) store: ValkeyStore,
    local: Arc<MemoryStore>,
    clock: Arc<Ahead>,
}

/// A clock whose wall is so many milliseconds ahead.
pub(crate) struct Ahead(SystemClock, i64);

impl Clock for Ahead {
    fn now(&self) -> Moment {
        let now = self.0.now();
        Moment {
            wall: Timestamp(now.wall.0.saturating_add_signed(self.1)),
            ..now
        }
    }
}

pub(crate) fn clock(ahead: i64) -> Arc<Ahead> {
    Arc::new(Ahead(SystemClock::new(), ahead))
}

fn domain(name: &str) -> PolicyDomain {
    PolicyDomain(DomainName::parse(name).unwrap())
}

impl Node {
    pub(crate) fn new(client: &Arc<FleetClient>, ahead: i64) -> Self {
        let local = Arc::new(MemoryStore::new(1_000));
        let clock = clock(ahead);
        let store = ValkeyStore::new(local.clone(), Arc::clone(client), clock.clone());
        Self {
            store,
            local,
            clock,
        }
    }

    fn policy(&self, id: &str, max_age: u64) -> Arc<RememberedPolicy> {
        let text = format!("version: STSv1\nmode: enforce\nmx: mx.test\nmax_age: {max_age}\n");
        Arc::new(RememberedPolicy {
            policy: StsPolicy::parse(text.as_bytes()).unwrap(),
            id: id.to_owned(),
            fetched: self.clock.now(),
        })
    }

    /// One that was fetched so long ago.
    fn earlier(&self, id: &str, ago: Duration) -> Arc<RememberedPolicy> {
        let now = self.clock.now();
        let millis = u64::try_from(ago.as_millis()).unwrap();
        Arc::new(RememberedPolicy {
            fetched: Moment {
                wall: Timestamp(now.wall.0 - millis),
                uptime: now.uptime - ago,
            },
            ..(*self.policy(id, 86_400)).clone()
        })
    }

    /// This host fetched a policy just now.
    pub(crate) async fn fetched(&self, name: &str, id: &str, max_age: u64) {
        let policy = self.policy(id, max_age);
        self.store
            .remember_policy(domain(name), policy)
            .await
            .unwrap();
    }

    /// The id of what other hosts remember.
    pub(crate) async fn elsewhere(&self, name: &str) -> Option<String> {
        let found = self.store.policy_elsewhere(domain(name)).await.unwrap();
        found.map(|policy| policy.id.clone())
    }

    pub(crate) fn at_hand(&self, name: &str) -> Option<String> {
        let found = self.store.policy_at_hand(&domain(name));
        found.map(|policy| policy.id.clone())
    }

    pub(crate) async fn remembers(&self, name: &str) -> bool {
        self.store.policy(domain(name)).await.unwrap().is_some()
    }

    async fn shared(&self, name: &str, id: &str) -> Option<String> {
        let found = self.store.shared_policy(domain(name), id.to_owned());
        found.await.map(|policy| policy.id.clone())
    }

    async fn lease(&self, name: &str) -> Option<FetchLease> {
        self.store.lease_fetch(domain(name)).await
    }
}

async fn pair(server: &Server) -> (Node, Node) {
    let (one, two) = (server.client().await, server.client().await);
    (Node::new(&one, 0), Node::new(&two, 0))
}

async fn arrives(node: &Node, name: &str) {
    until(name, async || node.elsewhere(name).await.is_some()).await;
}

/// ST-27, ST-28: what one host fetched the others take over, with its age, and keep.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn policies_are_shared() {
    let server = Server::start(false);
    let (one, two) = pair(&server).await;
    one.fetched("a.test", "1", 86_400).await;
    arrives(&two, "a.test").await;
    let own = two
        .local
        .policy_at_hand(&domain("a.test"))
        .expect("kept here");
    assert!(own.remaining(two.clock.now()) <= Duration::from_secs(86_400));
    // The same fetch again is no news, and another id is not what was asked for.
    assert_eq!(two.shared("a.test", "1").await, None);
    tokio::time::sleep(Duration::from_millis(20)).await;
    one.fetched("a.test", "2", 86_400).await;
    until("the new one is there", async || {
        two.shared("a.test", "2").await.is_some()
    })
    .await;
    assert_eq!(two.shared("a.test", "3").await, None);
    assert_eq!(two.at_hand("a.test").as_deref(), Some("2"));
    // It is never replaced by an earlier fetch.
    let mut stranger = server.stranger();
    let newer: Vec<u8> = redis::cmd("GET")
        .arg("hoplock:policy:a.test")
        .query(&mut stranger)
        .unwrap();
    two.fetched("a.test", "3", 86_400).await;
    until("two's is there", async || {
        let now: Vec<u8> = redis::cmd("GET")
            .arg("hoplock:policy:a.test")
            .query(&mut stranger)
            .unwrap();
        now != newer
    })
    .await;
    let _: () = redis::cmd("SET")
        .arg("hoplock:policy:a.test")
        .arg(newer)
        .query(&mut stranger)
        .unwrap();
    assert_eq!(two.shared("a.test", "2").await, None);
    assert_eq!(two.at_hand("a.test").as_deref(), Some("3"));
    // Nor there: who was away and comes with an earlier one tells nothing.
    let third = Node::new(&server.client().await, 0);
    two.fetched("late.test", "2", 86_400).await;
    arrives(&third, "late.test").await;
    let early = third.earlier("1", Duration::from_secs(60));
    let fourth = Node::new(&server.client().await, 0);
    fourth
        .store
        .remember_policy(domain("late.test"), early)
        .await
        .unwrap();
    tokio::time::sleep(Duration::from_millis(500)).await;
    let fifth = Node::new(&server.client().await, 0);
    assert_eq!(fifth.elsewhere("late.test").await.as_deref(), Some("2"));
    // What lives for a second is over after it, wherever it came from.
    one.fetched("short.test", "1", 1).await;
    let took = two.elsewhere("short.test").await;
    tokio::time::sleep(Duration::from_millis(1_100)).await;
    assert_eq!(two.elsewhere("short.test").await, None, "{took:?}");
}

/// One host fetches at a time; a lease is given back, and nobody waits for a dead server.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_host_has_the_lease() {
    let mut server = Server::start(false);
    let (one, two) = pair(&server).await;
    let lease = one.lease("a.test").await.expect("free");
    assert!(two.lease("a.test").await.is_none() && one.lease("a.test").await.is_none());
    assert!(two.lease("b.test").await.is_some());
    let left: i64 = redis::cmd("PTTL")
        .arg("hoplock:lease:a.test")
        .query(&mut server.stranger())
        .unwrap();
    assert!((80_000..=90_000).contains(&left), "{left}");
    drop(lease);
    until("it is free again", async || {
        two.lease("a.test").await.is_some()
    })
    .await;
    // One that was taken over is not released by who had it before.
    let lease = one.lease("c.test").await.expect("free");
    let _: () = redis::cmd("SET")
        .arg("hoplock:lease:c.test")
        .arg("another")
        .arg("PX")
        .arg(60_000)
        .query(&mut server.stranger())
        .unwrap();
    drop(lease);
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert!(two.lease("c.test").await.is_none());
    server.kill();
    until("each is alone", async || {
        one.lease("c.test").await.is_some() && two.lease("c.test").await.is_some()
    })
    .await;
}

/// ST-18: what ended ends everywhere, and stays over.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_over_is_over_everywhere() {
    let server = Server::start(false);
    let (one, two) = pair(&server).await;
    for name in ["purged.test", "ended.test", "newer.test"] {
        one.fetched(name, "1", 86_400).await;
        arrives(&two, name).await;
    }
    one.store
        .forget_policy(domain("purged.test"))
        .await
        .unwrap();
    assert_eq!(
        one.elsewhere("purged.test").await,
        None,
        "at once, whatever the fleet still has"
    );
    let begun = one.clock.now();
    one.store
        .policy_ended(domain("ended.test"), begun)
        .await
        .unwrap();
    until("two has forgotten", async || {
        two.at_hand("purged.test").is_none() && two.at_hand("ended.test").is_none()
    })
    .await;
    assert_eq!(two.elsewhere("purged.test").await, None);
    assert_eq!(one.elsewhere("ended.test").await, None);
    // A fetch that began later than the one that ended it stands, here and there.
    let begun = one.clock.now();
    tokio::time::sleep(Duration::from_millis(20)).await;
    two.fetched("newer.test", "2", 86_400).await;
    tokio::time::sleep(Duration::from_millis(300)).await;
    one.store
        .policy_ended(domain("newer.test"), begun)
        .await
        .unwrap();
    tokio::time::sleep(Duration::from_millis(1_500)).await;
    assert_eq!(two.at_hand("newer.test").as_deref(), Some("2"));
    arrives(&one, "newer.test").await;
    // A host that was away with the old policy does not bring it back.
    let third = Node::new(&server.client().await, 0);
    let old = third.earlier("1", Duration::from_secs(60));
    third
        .store
        .remember_policy(domain("purged.test"), old)
        .await
        .unwrap();
    tokio::time::sleep(Duration::from_millis(1_500)).await;
    assert_eq!(two.elsewhere("purged.test").await, None);
    // Fetched anew, it is shared anew.
    one.fetched("purged.test", "2", 86_400).await;
    arrives(&two, "purged.test").await;
}

/// Whatever becomes of the server, what was fetched meanwhile is there when it is back.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lost_memory_is_filled_again() {
    for keeps in [true, false] {
        let mut server = Server::start(keeps);
        let (one, two) = pair(&server).await;
        one.fetched("before.test", "1", 86_400).await;
        arrives(&two, "before.test").await;
        server.kill();
        let client = server_client(&one);
        not_reached(&client).await;
        one.fetched("meanwhile.test", "1", 86_400).await;
        assert_eq!(two.elsewhere("meanwhile.test").await, None);
        assert!(two.remembers("before.test").await);
        server.run();
        reached(&client).await;
        arrives(&two, "meanwhile.test").await;
        let third = Node::new(&server.client().await, 0);
        arrives(&third, "before.test").await;
        let _: () = redis::cmd("FLUSHALL")
            .query(&mut server.stranger())
            .unwrap();
        let fourth = Node::new(&server.client().await, 0);
        arrives(&fourth, "before.test").await;
        arrives(&fourth, "meanwhile.test").await;
    }
}

fn server_client(node: &Node) -> Arc<FleetClient> {
    node.store.client()
}

/// Nothing that stands there can do more than not be there.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn garbage_is_nothing() {
    let server = Server::start(false);
    let (one, two) = pair(&server).await;
    let mut stranger = server.stranger();
    let mut spoil = |command: &str, key: &str, value: &[u8]| {
        let _: () = redis::cmd("DEL").arg(key).query(&mut stranger).unwrap();
        let _: redis::Value = redis::cmd(command)
            .arg(key)
            .arg(value)
            .query(&mut stranger)
            .unwrap();
    };
    one.fetched("good.test", "1", 86_400).await;
    arrives(&two, "good.test").await;
    for (number, value) in [
        b"".as_slice(),
        b"\xff\xfe",
        b"0001795737600000 x\n{}",
        b"9999999999999999 ",
    ]
    .into_iter()
    .enumerate()
    {
        let name = format!("bad{number}.test");
        spoil("SET", &format!("hoplock:policy:{name}"), value);
        assert_eq!(two.elsewhere(&name).await, None);
        assert_eq!(two.shared(&name, "1").await, None);
        one.fetched(&name, "1", 86_400).await;
        arrives(&two, &name).await;
    }
    spoil("LPUSH", "hoplock:policy:list.test", b"x");
    assert_eq!(two.elsewhere("list.test").await, None);
    one.fetched("list.test", "1", 86_400).await;
    arrives(&two, "list.test").await;
    // The index of what is over, the mark and a lease.
    for key in ["over", "mark", "lease:good.test"] {
        spoil("LPUSH", &format!("hoplock:{key}"), b"x");
    }
    assert!(
        one.lease("good.test").await.is_some(),
        "what never ends is no lease"
    );
    one.store.forget_policy(domain("good.test")).await.unwrap();
    until("two has forgotten", async || {
        two.at_hand("good.test").is_none()
    })
    .await;
}

/// A host whose clock is wrong neither weakens the others nor is weakened.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn wrong_clocks_are_alone() {
    let server = Server::start(false);
    let good = Node::new(&server.client().await, 0);
    let fast = Node::new(&server.client().await, 600_000);
    let little = Node::new(&server.client().await, 60_000);
    let slow = Node::new(&server.client().await, -600_000);
    fast.fetched("fast.test", "1", 86_400).await;
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert_eq!(good.elsewhere("fast.test").await, None, "from the future");
    // What is from the future stands in nobody's way.
    good.fetched("fast.test", "2", 86_400).await;
    until("it is replaced", async || {
        little.elsewhere("fast.test").await.as_deref() == Some("2")
    })
    .await;
    assert_eq!(slow.elsewhere("fast.test").await, None);
    little.fetched("little.test", "1", 86_400).await;
    arrives(&good, "little.test").await;
    let kept = good.local.policy_at_hand(&domain("little.test")).unwrap();
    assert!(kept.remaining(good.clock.now()) <= Duration::from_secs(86_400));
}
