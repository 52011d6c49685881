//! Orders over a scripted world.

use hoplock_policy::dns::{FailureKind, RecordData, SecurityStatus};

use super::*;
use crate::answer::Settings;
use crate::discover::DiscoverOptions;
use crate::store::memory::MemoryStore;
use crate::world::Clock as _;
use crate::world::scripted::{Scripted, ScriptedWorld, Zone};

const TTL: Duration = Duration::from_secs(300);

fn name(text: &str) -> DomainName {
    DomainName::parse(text).unwrap()
}

struct Stage {
    world: Arc<ScriptedWorld>,
    anchors: NegativeAnchors,
}

impl Stage {
    /// `a.test` with one host, all of it proved, and no records of TLSA.
    fn new() -> Self {
        let world = ScriptedWorld::new();
        let answerer = Answerer::new(
            world.world(Arc::new(MemoryStore::new(8))),
            DiscoverOptions::default(),
            Settings::default(),
            8,
        );
        world.zone(Zone {
            name: name("test"),
            status: SecurityStatus::Secure,
            negative: TTL,
        });
        let stage = Self {
            world,
            anchors: NegativeAnchors::new(Arc::new(answerer)),
        };
        stage.set_all(SecurityStatus::Secure);
        stage
    }

    fn set_all(&self, status: SecurityStatus) {
        let mx = RecordData::Mx {
            preference: 10,
            exchange: hoplock_policy::dns::Exchange::Host(name("mx.a.test")),
        };
        let address = RecordData::A([192, 0, 2, 1].into());
        let (domain, host) = (name("a.test"), name("mx.a.test"));
        let records = |data| Scripted::Records(status, TTL, vec![data]);
        self.world.set(domain, RecordType::Mx, records(mx));
        self.world.set(host, RecordType::A, records(address));
    }

    fn fails(&self, owner: &str, record_type: RecordType, kind: FailureKind) {
        self.world
            .set(name(owner), record_type, Scripted::Fails(kind));
    }

    fn now(&self) -> Timestamp {
        self.world.now().wall
    }

    async fn order(&self, zone: Option<&str>) -> Result<Order, OrderError> {
        let wanted = Wanted {
            domain: "A.test".to_owned(),
            zone: zone.map(ToOwned::to_owned),
            expires: Timestamp(self.now().0 + 3_600_000),
            comment: "told on the phone".to_owned(),
            by: "eve".to_owned(),
        };
        self.anchors.add(wanted, self.now()).await
    }

    async fn standing(&self) -> Option<&'static str> {
        self.anchors.watch().await;
        let all = self.anchors.list(self.now()).await.unwrap();
        all.first().map(|(_, standing)| standing.word())
    }
}

/// OP-02: the zone is the topmost name that fails, whatever lookup showed it, and the lines for Unbound
/// name it.
#[tokio::test]
async fn the_zone_that_fails() {
    for (failing, zone, shown) in [
        (
            &[("a.test", RecordType::Mx)][..],
            "a.test",
            "MX of a.test: dnssec-bogus",
        ),
        (
            &[
                ("_25._tcp.mx.a.test", RecordType::Tlsa),
                ("_tcp.mx.a.test", RecordType::Soa),
            ],
            "_tcp.mx.a.test",
            "TLSA of _25._tcp.mx.a.test: dnssec-bogus",
        ),
        (
            &[
                ("_25._tcp.mx.a.test", RecordType::Tlsa),
                ("_tcp.mx.a.test", RecordType::Soa),
                ("mx.a.test", RecordType::Soa),
                ("a.test", RecordType::Soa),
                // Where this fails too, it is no single zone's trouble.
                ("test", RecordType::Soa),
            ],
            "a.test",
            "TLSA of _25._tcp.mx.a.test: dnssec-bogus",
        ),
    ] {
        let stage = Stage::new();
        for (owner, record_type) in failing {
            stage.fails(owner, *record_type, FailureKind::Bogus);
        }
        let order = stage.order(None).await.unwrap();
        assert_eq!(order.zone, name(zone));
        assert!(order.trouble.starts_with(shown), "{}", order.trouble);
        assert_eq!(order.line(), format!("domain-insecure: \"{zone}.\""));
        let [add, _] = order.to_add();
        assert_eq!(add, format!("unbound-control insecure_add {zone}."));
        let [remove, _] = order.to_remove();
        assert_eq!(remove, format!("unbound-control insecure_remove {zone}."));
        assert_eq!(Order::read(&order.stored()), Some(order));
    }
}

/// OP-02: where nothing fails, or not for DNSSEC, there is nothing to survive, unless the operator names
/// the zone; and no order is without an end.
#[tokio::test]
async fn nothing_to_survive() {
    let stage = Stage::new();
    let refused = |why: Result<Order, OrderError>| why.unwrap_err().to_string();
    assert!(refused(stage.order(None).await).contains("none of its lookups fails"));
    stage.fails("a.test", RecordType::Mx, FailureKind::Timeout);
    assert!(refused(stage.order(None).await).contains("not DNSSEC (MX of a.test: dns-timeout"));
    for zone in ["a..test", "test", ""] {
        assert!(matches!(
            stage.order(Some(zone)).await,
            Err(OrderError::Malformed(_))
        ));
    }
    let order = stage.order(Some("A.test.")).await.unwrap();
    assert_eq!(order.zone, name("a.test"));
    for millis in [0, 8 * 86_400_000] {
        let wanted = Wanted {
            domain: "a.test".to_owned(),
            zone: Some("a.test".to_owned()),
            expires: Timestamp(stage.now().0 + millis),
            comment: String::new(),
            by: String::new(),
        };
        let refused = stage.anchors.add(wanted, stage.now()).await;
        assert!(matches!(refused, Err(OrderError::Time)), "{millis}");
    }
}

/// OP-02: watched until it works; when its time is over, told of until nothing is set aside any more.
#[tokio::test]
async fn the_life_of_an_order() {
    let stage = Stage::new();
    stage.fails("a.test", RecordType::Mx, FailureKind::Bogus);
    stage.order(None).await.unwrap();
    assert_eq!(stage.standing().await, Some("still fails"));
    // The operator has added the anchor: answered, and not validated.
    stage.set_all(SecurityStatus::Insecure);
    assert_eq!(stage.standing().await, Some("works, unvalidated"));
    stage.world.pass(Duration::from_secs(3600));
    assert_eq!(stage.standing().await, Some("over, and still set aside"));
    assert_eq!(stage.standing().await, Some("over, and still set aside"));
    // A resolver that does not answer takes nothing back, also not for a process that has just started.
    stage.fails("a.test", RecordType::Mx, FailureKind::Timeout);
    assert_eq!(stage.standing().await, Some("over, and still set aside"));
    stage.anchors.watched.clear();
    assert_eq!(stage.standing().await, Some("over"));
    stage.set_all(SecurityStatus::Insecure);
    assert_eq!(stage.standing().await, Some("over, and still set aside"));
    // It is taken away: what fails, fails again, and the order is gone.
    stage.fails("a.test", RecordType::Mx, FailureKind::Bogus);
    assert_eq!(stage.standing().await, None);

    // Mended by its operator before the end.
    stage.order(None).await.unwrap();
    stage.set_all(SecurityStatus::Secure);
    assert_eq!(stage.standing().await, Some("validates again"));
    let removed = stage.anchors.remove("a.TEST", "eve").await.unwrap();
    assert_eq!(removed.map(|order| order.by), Some("eve".to_owned()));
    assert_eq!(stage.standing().await, None);
    assert!(
        stage
            .anchors
            .remove("a.test", "eve")
            .await
            .unwrap()
            .is_none()
    );
}
