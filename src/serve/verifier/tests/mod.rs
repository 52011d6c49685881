//! The desk over a scripted world and a scripted prober.

mod by_certificate;
mod by_word;

use std::collections::HashMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use hoplock_policy::dns::{Exchange, FailureKind, RecordData, RecordType, SecurityStatus};
use hoplock_policy::name::DomainName;
use hoplock_policy::profile::{OwnDane, Profile};
use hoplock_policy::reason::Reason;
use hoplock_policy::rules::Rules;
use hoplock_policy::tlsa::TlsaRecord;
use hoplock_policy::verify::{Certificate, SessionOutcome, Warning};
use hoplock_wire::netstring;
use hoplock_wire::socketmap::REPLY_LIMIT;
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use sha2::{Digest as _, Sha256};
use tokio::time::sleep;

use super::{Certificates, Desk};
use crate::answer::{Answerer, Settings};
use crate::config::Config;
use crate::discover::DiscoverOptions;
use crate::metrics::Metrics;
use crate::report::Sessions;
use crate::serve::sessions::{Intake, JudgeOptions, SessionJudge};
use crate::store::journal::MemoryJournal;
use crate::store::memory::MemoryStore;
use crate::world::probe::{Engine, ProbeTarget, Probed, Prober};
use crate::world::scripted::{Scripted, ScriptedPolicy, ScriptedWorld, Zone};
use crate::world::{
    Clock, JournalBounds, JournalEntry, JournalQuery, PolicyResponse, SessionSource, Timing,
    Waiting,
};

const TTL: Duration = Duration::from_secs(300);
const SECURE: SecurityStatus = SecurityStatus::Secure;
const INSECURE: SecurityStatus = SecurityStatus::Insecure;

fn name(text: &str) -> DomainName {
    DomainName::parse(text).unwrap()
}

/// A root, and a leaf for the host under it.
struct Chain {
    root: Vec<u8>,
    leaf: Vec<u8>,
}

impl Chain {
    fn new(host: &str) -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, "root");
        let key = KeyPair::generate().unwrap();
        let root = params.self_signed(&key).unwrap();
        let by_root = Issuer::new(params, key);
        let leaf = CertificateParams::new(vec![host.to_owned()]).unwrap();
        let leaf = leaf.signed_by(&KeyPair::generate().unwrap(), &by_root);
        Self {
            root: root.der().to_vec(),
            leaf: leaf.unwrap().der().to_vec(),
        }
    }

    fn all(&self) -> Vec<Vec<u8>> {
        vec![self.leaf.clone(), self.root.clone()]
    }
}

fn record(usage: u8, selector: u8, matching: u8, der: &[u8]) -> Vec<u8> {
    let certificate = Certificate::from_der(der.to_vec());
    let record = TlsaRecord::naming(&certificate, usage, selector, matching);
    record.unwrap().rdata()
}

/// After how long a host shows which chain.
type Shown = (Duration, Vec<Vec<u8>>);

/// A prober whose hosts show what a test says, after a while.
#[derive(Default)]
struct ScriptedProber {
    hosts: Mutex<HashMap<SocketAddr, Shown>>,
    asked: Mutex<Vec<ProbeTarget>>,
    at_once: Mutex<(usize, usize)>,
}

impl ScriptedProber {
    fn shows(&self, after: Duration, chain: &[Vec<u8>]) {
        let address = SocketAddr::from((ADDRESS, 25));
        let shown = (after, chain.to_vec());
        self.hosts.lock().unwrap().insert(address, shown);
    }

    fn asked(&self) -> usize {
        self.asked.lock().unwrap().len()
    }
}

impl Prober for ScriptedProber {
    fn probe(&self, target: ProbeTarget) -> Waiting<'_, Probed> {
        Box::pin(async move {
            let shown = self.hosts.lock().unwrap().get(&target.address).cloned();
            self.asked.lock().unwrap().push(target.clone());
            let mut probed = Probed::nothing(target, Engine::Rustls);
            if let Some((after, chain)) = shown {
                {
                    let mut at_once = self.at_once.lock().unwrap();
                    at_once.0 += 1;
                    at_once.1 = at_once.1.max(at_once.0);
                }
                sleep(after).await;
                self.at_once.lock().unwrap().0 -= 1;
                probed.chain = chain.into_iter().map(Certificate::from_der).collect();
            }
            probed
        })
    }
}

const ADDRESS: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 1);

struct Scene {
    world: Arc<ScriptedWorld>,
    prober: Arc<ScriptedProber>,
    desk: Arc<Desk>,
    sessions: Arc<Sessions>,
}

impl Scene {
    /// `e.test`, signed, with one host, `mx.e.test`, that has these TLSA records; `plain.test`, unsigned;
    /// `sts.test`, unsigned, which enforces MTA-STS for `mx.sts.test`.
    fn new(records: &[Vec<u8>]) -> Self {
        Self::with(records, "", |_| {})
    }

    fn with(records: &[Vec<u8>], config: &str, change: impl FnOnce(&mut Profile)) -> Self {
        let world = ScriptedWorld::new();
        for (zone, status) in [
            ("test", SECURE),
            ("plain.test", INSECURE),
            ("sts.test", INSECURE),
        ] {
            world.zone(Zone {
                name: name(zone),
                status,
                negative: TTL,
            });
        }
        let add = |owner: &str, status, data| world.add(name(owner), status, TTL, data);
        for (domain, status) in [
            ("e.test", SECURE),
            ("plain.test", INSECURE),
            ("sts.test", INSECURE),
        ] {
            let host = format!("mx.{domain}");
            let exchange = Exchange::Host(name(&host));
            let preference = 10;
            add(
                domain,
                status,
                RecordData::Mx {
                    preference,
                    exchange,
                },
            );
            add(&host, status, RecordData::A(ADDRESS));
        }
        let sts = RecordData::Txt(vec![b"v=STSv1; id=1".to_vec()]);
        add("_mta-sts.sts.test", INSECURE, sts);
        let policy = "version: STSv1\nmode: enforce\nmx: mx.sts.test\nmax_age: 86400\n";
        let response = PolicyResponse {
            status: 200,
            media_type: Some("text/plain".to_owned()),
            body: policy.as_bytes().to_vec(),
        };
        let responds = ScriptedPolicy::Responds(response, Duration::ZERO);
        world.policy(name("sts.test"), responds);
        publish(&world, records);
        let rules = match config {
            "" => Rules::default(),
            text => Config::parse(text, &[]).0.unwrap().rules,
        };
        let mut profile = Profile::built_in("sendmail").unwrap();
        profile.verifier = true;
        change(&mut profile);
        let settings = Settings {
            rules,
            profiles: HashMap::from([("sendmail".to_owned(), Arc::new(profile))]),
            ..Settings::default()
        };
        let outside = world.world(Arc::new(MemoryStore::new(100)));
        let answerer = Answerer::new(outside, DiscoverOptions::default(), settings, 100);
        let answerer = Arc::new(answerer);
        let judge = SessionJudge::new(Arc::clone(&answerer), Vec::new(), JudgeOptions::default());
        let journal = Arc::new(MemoryJournal::new(JournalBounds::default()));
        let sessions = Arc::new(Sessions::new(journal));
        let clock = Arc::clone(&world) as Arc<dyn Clock>;
        let intake = Arc::new(Intake::new(
            judge,
            Arc::clone(&sessions),
            Arc::clone(&clock),
        ));
        let prober = Arc::new(ScriptedProber::default());
        let asks = Arc::clone(&prober) as Arc<dyn Prober>;
        let certificates = Arc::new(Certificates::new(Some(asks), clock));
        let metrics = Arc::new(Metrics::new());
        Self {
            world,
            prober,
            desk: Arc::new(Desk::new(answerer, intake, certificates, metrics)),
            sessions,
        }
    }

    async fn ask(&self, key: &str) -> String {
        asked(&self.desk, key).await
    }

    /// A session with the host of `e.test`, as Sendmail tells of it.
    async fn shown(&self, verify: &str, leaf: &[u8]) -> String {
        self.ask(&key("e.test", verify, leaf)).await
    }

    async fn journal(&self) -> Vec<JournalEntry> {
        let entries = self.sessions.journal().read(JournalQuery::default()).await;
        let entries = entries.unwrap().into_iter();
        entries.map(|(_, entry)| entry).collect()
    }
}

async fn asked(desk: &Desk, key: &str) -> String {
    let mut out = Vec::new();
    desk.answer(key).await.reply().encode(REPLY_LIMIT, &mut out);
    let frame = netstring::decode(&out, REPLY_LIMIT).unwrap().unwrap();
    String::from_utf8(frame.payload.to_vec()).unwrap()
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

fn digest(der: &[u8]) -> String {
    let digest = Sha256::digest(der);
    let octets: Vec<String> = digest.iter().map(|octet| format!("{octet:02x}")).collect();
    octets.join(":")
}

fn key(domain: &str, verify: &str, leaf: &[u8]) -> String {
    let digest = digest(leaf);
    format!(
        "u@{domain} | mx.{domain} | 192.0.2.1 | {verify} | tlsv1.3 | {digest} |/cn=mx.{domain} | mx.{domain} \
         | root"
    )
}

fn without_tls(domain: &str) -> String {
    format!("u@{domain} | mx.{domain} | 192.0.2.1 | none | | | | |")
}
