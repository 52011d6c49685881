//! Both protocols over a scripted world: who is refused, marked, held or let go, and in time.

mod delegation;
mod milter;

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;

use hoplock_policy::dns::{Exchange, FailureKind, RecordData, RecordType, SecurityStatus};
use hoplock_policy::name::DomainName;
use hoplock_policy::tlsa::TlsaRecord;
use hoplock_policy::verify::Certificate;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, duplex};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::desk::Desk;
use crate::answer::{Answerer, Settings};
use crate::config::Config;
use crate::discover::DiscoverOptions;
use crate::metrics::Metrics;
use crate::serve::connections::Connections;
use crate::store::memory::MemoryStore;
use crate::world::scripted::{Scripted, ScriptedWorld, Zone};

const TTL: Duration = Duration::from_secs(300);

fn name(text: &str) -> DomainName {
    DomainName::parse(text).unwrap()
}

/// `dane.test`, all of whose hosts have usable TLSA records; `some.test`, one of whose two hosts has;
/// `plain.test`, without any; `lost.test`, whose MX lookup fails; `slow.test`, whose lookups never end;
/// `must.test`, where a rule demands DANE and there is none.
struct Scene {
    desk: Arc<Desk>,
    connections: Connections,
}

impl Scene {
    fn new(guard: &str) -> Self {
        let text = format!("[rules.\"must.test\"]\nmode = \"mandatory\"\n{guard}");
        let (config, complaints) = Config::parse(&text, &[]);
        let config = config.unwrap_or_else(|| panic!("{complaints:?}"));
        let world = ScriptedWorld::new();
        let secure = SecurityStatus::Secure;
        world.zone(Zone {
            name: name("test"),
            status: secure,
            negative: TTL,
        });
        let add = |owner: &str, data| world.add(name(owner), secure, TTL, data);
        for (domain, hosts) in [
            ("dane.test", &["a.dane.test"][..]),
            ("some.test", &["a.some.test", "b.some.test"]),
            ("plain.test", &["a.plain.test"]),
            ("must.test", &["a.must.test"]),
            ("slow.test", &["a.slow.test"]),
        ] {
            for (preference, host) in (10..).zip(hosts) {
                let exchange = Exchange::Host(name(host));
                add(
                    domain,
                    RecordData::Mx {
                        preference,
                        exchange,
                    },
                );
                add(host, RecordData::A(Ipv4Addr::new(192, 0, 2, 1)));
            }
        }
        let record = TlsaRecord::naming(&Certificate::from_der(vec![0x30, 0]), 3, 0, 1);
        let rdata = record.unwrap().rdata();
        for host in ["a.dane.test", "a.some.test"] {
            add(&format!("_25._tcp.{host}"), RecordData::Tlsa(rdata.clone()));
        }
        let failed = Scripted::Fails(FailureKind::ServFail);
        world.set(name("lost.test"), RecordType::Mx, failed);
        world.set(name("slow.test"), RecordType::Mx, Scripted::Hangs);
        let settings = Settings {
            rules: config.rules.clone(),
            profiles: config.profiles.clone(),
            ..Settings::default()
        };
        let outside = world.world(Arc::new(MemoryStore::new(100)));
        let answerer = Answerer::new(outside, DiscoverOptions::default(), settings, 100);
        let metrics = Arc::new(Metrics::new());
        let desk = Desk::new(Arc::new(answerer), metrics, config.guard);
        Self {
            desk: Arc::new(desk),
            connections: Connections::new(100, &CancellationToken::new()),
        }
    }
}

/// What `work` brings, which takes so long and hardly longer.
async fn takes<T>(limit: Duration, work: impl Future<Output = T>) -> T {
    let mut work = std::pin::pin!(work);
    let early = timeout(limit - Duration::from_millis(1), work.as_mut()).await;
    assert!(early.is_err(), "it was there before its time");
    timeout(Duration::from_secs(1), work).await.unwrap()
}
