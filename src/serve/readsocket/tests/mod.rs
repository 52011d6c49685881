//! The desk over a scripted world: every verb, and certificates that come one by one.

mod certificates;
mod connections;
mod events;
mod lookups;
mod verbs;

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;

use hoplock_policy::dns::{Exchange, FailureKind, RecordData, RecordType, SecurityStatus};
use hoplock_policy::name::DomainName;
use hoplock_policy::reason::Reason;
use hoplock_policy::rules::Rules;
use hoplock_policy::tlsa::TlsaRecord;
use hoplock_policy::verify::{Certificate, SessionOutcome, Warning};
use hoplock_wire::readsocket::Answer;
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use sha2::{Digest as _, Sha256};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, duplex};
use tokio_util::sync::CancellationToken;

use super::Desk;
use super::conversation::{converse, turn_away};
use crate::answer::{Answerer, Settings};
use crate::config::Config;
use crate::discover::DiscoverOptions;
use crate::metrics::Metrics;
use crate::report::Sessions;
use crate::report::tally::Tally;
use crate::serve::connections::Connections;
use crate::serve::sessions::{Intake, JudgeOptions, SessionJudge};
use crate::store::journal::MemoryJournal;
use crate::store::memory::MemoryStore;
use crate::world::scripted::{Scripted, ScriptedWorld, Zone};
use crate::world::{Clock, JournalBounds, JournalEntry, JournalQuery, SessionSource, Timing};

const TTL: Duration = Duration::from_secs(300);
const SECURE: SecurityStatus = SecurityStatus::Secure;

fn name(text: &str) -> DomainName {
    DomainName::parse(text).unwrap()
}

/// A root, an intermediate that it has signed, and a leaf for the host under that.
struct Chain {
    root: Vec<u8>,
    intermediate: Vec<u8>,
    leaf: Vec<u8>,
}

impl Chain {
    fn new(host: &str) -> Self {
        let authority = |text: &str| {
            let mut params = CertificateParams::new(Vec::new()).unwrap();
            params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
            params.distinguished_name.push(DnType::CommonName, text);
            params
        };
        let (root_key, key) = (KeyPair::generate().unwrap(), KeyPair::generate().unwrap());
        let root = authority("root").self_signed(&root_key).unwrap();
        let by_root = Issuer::new(authority("root"), root_key);
        let intermediate = authority("intermediate").signed_by(&key, &by_root).unwrap();
        let by_intermediate = Issuer::new(authority("intermediate"), key);
        let leaf_key = KeyPair::generate().unwrap();
        let leaf = CertificateParams::new(vec![host.to_owned()]).unwrap();
        let leaf = leaf.signed_by(&leaf_key, &by_intermediate).unwrap();
        Self {
            root: root.der().to_vec(),
            intermediate: intermediate.der().to_vec(),
            leaf: leaf.der().to_vec(),
        }
    }
}

/// A TLSA record of this usage for the key of a certificate.
fn record(usage: u8, der: &[u8]) -> Vec<u8> {
    let certificate = Certificate::from_der(der.to_vec());
    TlsaRecord::naming(&certificate, usage, 1, 1)
        .unwrap()
        .rdata()
}

struct Scene {
    world: Arc<ScriptedWorld>,
    desk: Arc<Desk>,
    sessions: Arc<Sessions>,
    answerer: Arc<Answerer>,
}

impl Scene {
    /// `e.test`, signed, with one host, `mx.e.test`, that has these TLSA records; `f.test` by the same
    /// host; and `plain.test`, unsigned.
    fn new(records: &[Vec<u8>]) -> Self {
        Self::with_rules(records, Rules::default())
    }

    fn with_rules(records: &[Vec<u8>], rules: Rules) -> Self {
        let world = ScriptedWorld::new();
        for (zone, status) in [("test", SECURE), ("plain.test", SecurityStatus::Insecure)] {
            world.zone(Zone {
                name: name(zone),
                status,
                negative: TTL,
            });
        }
        let add = |owner: &str, status, data| world.add(name(owner), status, TTL, data);
        let exchange = |host: &str| RecordData::Mx {
            preference: 10,
            exchange: Exchange::Host(name(host)),
        };
        let address = || RecordData::A(Ipv4Addr::new(192, 0, 2, 1));
        add("e.test", SECURE, exchange("mx.e.test"));
        add("f.test", SECURE, exchange("mx.e.test"));
        add("mx.e.test", SECURE, address());
        add(
            "plain.test",
            SecurityStatus::Insecure,
            exchange("mx.plain.test"),
        );
        add("mx.plain.test", SecurityStatus::Insecure, address());
        publish(&world, records);
        let store = Arc::new(MemoryStore::new(100));
        let settings = Settings {
            rules,
            ..Settings::default()
        };
        let outside = world.world(store);
        let answerer = Answerer::new(outside, DiscoverOptions::default(), settings, 100);
        let answerer = Arc::new(answerer);
        let judge = SessionJudge::new(Arc::clone(&answerer), Vec::new(), JudgeOptions::default());
        let journal = Arc::new(MemoryJournal::new(JournalBounds::default()));
        let sessions = Arc::new(Sessions::new(journal));
        let clock = Arc::clone(&world) as Arc<dyn Clock>;
        let intake = Arc::new(Intake::new(
            judge,
            Arc::clone(&sessions),
            Tally::idle(),
            clock,
        ));
        let metrics = Arc::new(Metrics::new());
        let desk = Arc::new(Desk::new(Arc::clone(&answerer), intake, metrics));
        Self {
            world,
            desk,
            sessions,
            answerer,
        }
    }

    async fn ask(&self, line: &str) -> String {
        text(&self.desk.answer(line.as_bytes()).await)
    }

    async fn show(&self, pid: u32, depth: u32, der: &[u8]) -> String {
        self.ask(&certificate(pid, depth, "e.test", "mx.e.test", der))
            .await
    }

    async fn event(&self, event: &str, domain: &str, data: &str) {
        let data = data_encoding::BASE64.encode(data.as_bytes());
        let line = format!("hoplock1 event 7 {event} {domain} mx.{domain} 192.0.2.1 25 {data}");
        assert_eq!(self.ask(&line).await, "ok", "{line}");
    }

    async fn journal(&self) -> Vec<JournalEntry> {
        let entries = self.sessions.journal().read(JournalQuery::default()).await;
        entries
            .unwrap()
            .into_iter()
            .map(|(_, entry)| entry)
            .collect()
    }
}

fn publish(world: &ScriptedWorld, records: &[Vec<u8>]) {
    let owner = name("_25._tcp.mx.e.test");
    if records.is_empty() {
        world.clear(&owner, RecordType::Tlsa);
        return;
    }
    let data = records.iter().cloned().map(RecordData::Tlsa).collect();
    world.set(
        owner,
        RecordType::Tlsa,
        Scripted::Records(SECURE, TTL, data),
    );
}

fn certificate(pid: u32, depth: u32, domain: &str, host: &str, der: &[u8]) -> String {
    let digest = data_encoding::HEXUPPER.encode(&Sha256::digest(der));
    let der = data_encoding::BASE64.encode(der);
    format!("hoplock1 cert {pid} {depth} {domain} {host} 192.0.2.1 25 {digest} {der}")
}

fn text(answer: &Answer) -> String {
    String::from_utf8(answer.encode()).unwrap()
}
