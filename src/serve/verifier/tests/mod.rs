//! The desk over a scripted world and a scripted prober.

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
use crate::report::tally::Tally;
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

/// After how long, and what.
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
            certificate: None,
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
            Tally::idle(),
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

/// SV-10, TU-01: a record of the whole certificate is compared with Sendmail's digest, and nobody is
/// asked.
#[tokio::test(start_paused = true)]
async fn a_digest_is_compared_at_once() {
    let (chain, other) = (Chain::new("mx.e.test"), Chain::new("mx.e.test"));
    let scene = Scene::new(&[record(3, 0, 1, &chain.leaf)]);
    for verify in ["ok", "fail", "trusted", "dane_fail"] {
        assert_eq!(scene.shown(verify, &chain.leaf).await, "OK ok", "{verify}");
        let refused = scene.shown(verify, &other.leaf).await;
        assert!(refused.starts_with("OK tlsa-no-match: "), "{refused}");
    }
    assert_eq!(scene.prober.asked(), 0);
    let journal = scene.journal().await;
    assert_eq!(journal.len(), 8);
    for entry in journal {
        assert_eq!(entry.source, SessionSource::Sendmail);
        assert_eq!(entry.timing, Timing::BeforeMail);
        let expected = [SessionOutcome::AuthenticatedDane, SessionOutcome::Failed];
        assert!(expected.contains(&entry.outcome), "{entry:?}");
    }
    assert_eq!(scene.sessions.alarms().count(scene.world.now()), 1);
}

/// SV-10: a record of the key needs the certificate: the same address is asked, once, under the TLSA base
/// domain; after that it is known.
#[tokio::test(start_paused = true)]
async fn a_certificate_is_asked_for_and_remembered() {
    let chain = Chain::new("mx.e.test");
    for records in [
        record(3, 1, 1, &chain.leaf),
        record(3, 1, 2, &chain.leaf),
        record(3, 0, 2, &chain.leaf),
        record(3, 1, 0, &chain.leaf),
        record(2, 0, 1, &chain.root),
        record(2, 1, 1, &chain.root),
    ] {
        let scene = Scene::new(&[records]);
        scene.prober.shows(Duration::from_secs(1), &chain.all());
        assert_eq!(scene.shown("fail", &chain.leaf).await, "OK ok");
        assert_eq!(scene.shown("fail", &chain.leaf).await, "OK ok");
        let asked = scene.prober.asked.lock().unwrap().clone();
        assert_eq!(asked.len(), 1);
        assert_eq!(asked[0].address, SocketAddr::from((ADDRESS, 25)));
        assert_eq!(asked[0].server_name, name("mx.e.test"));
        let journal = scene.journal().await;
        assert!(journal.iter().all(|own| own.matched.is_some()));
    }
}

/// SV-10, PD-13: another key is refused, though the host shows hoplock the same; so is a certificate that
/// the host does not show to hoplock.
#[tokio::test(start_paused = true)]
async fn another_key_is_refused() {
    let (chain, other) = (Chain::new("mx.e.test"), Chain::new("mx.e.test"));
    let scene = Scene::new(&[record(3, 1, 1, &chain.leaf)]);
    scene.prober.shows(Duration::ZERO, &other.all());
    let refused = scene.shown("ok", &other.leaf).await;
    assert!(refused.starts_with("OK tlsa-no-match: "), "{refused}");
    // A man in the middle who shows hoplock the right one and Sendmail another.
    let scene = Scene::new(&[record(3, 1, 1, &chain.leaf)]);
    scene.prober.shows(Duration::ZERO, &chain.all());
    let refused = scene.shown("ok", &other.leaf).await;
    assert_eq!(
        refused,
        "OK report-incomplete: the host showed hoplock another certificate"
    );
    let scene = Scene::new(&[record(3, 1, 1, &chain.leaf)]);
    let refused = scene.shown("ok", &chain.leaf).await;
    assert!(refused.starts_with("OK report-incomplete: "), "{refused}");
    let journal = scene.journal().await;
    assert_eq!(journal[0].outcome, SessionOutcome::Indeterminate);
}

/// SV-10: a host that is slow is refused in time, the asking goes on, and the next attempt is answered.
#[tokio::test(start_paused = true)]
async fn a_slow_host_is_known_the_next_time() {
    let chain = Chain::new("mx.e.test");
    let scene = Scene::new(&[record(3, 1, 1, &chain.leaf)]);
    scene.prober.shows(Duration::from_secs(8), &chain.all());
    let begun = scene.world.now().uptime;
    let refused = scene.shown("fail", &chain.leaf).await;
    assert!(
        refused.starts_with("OK report-incomplete: ") || refused.starts_with("TEMP deadline: ")
    );
    let took = scene.world.now().uptime - begun;
    assert!(took < Duration::from_millis(4_500), "{took:?}");
    sleep(Duration::from_secs(10)).await;
    assert_eq!(scene.shown("fail", &chain.leaf).await, "OK ok");
    assert_eq!(scene.prober.asked(), 1);
}

/// SV-10: one probe at a time at one address, whoever asks, and not one for each attempt.
#[tokio::test(start_paused = true)]
async fn hosts_are_asked_sparingly() {
    let (chain, other) = (Chain::new("mx.e.test"), Chain::new("mx.e.test"));
    let scene = Scene::new(&[record(3, 1, 1, &chain.leaf)]);
    scene.prober.shows(Duration::from_secs(1), &chain.all());
    let asking: Vec<_> = (0..20)
        .map(|_| {
            let (desk, key) = (Arc::clone(&scene.desk), key("e.test", "fail", &chain.leaf));
            tokio::spawn(async move { asked(&desk, &key).await })
        })
        .collect();
    for answer in asking {
        assert_eq!(answer.await.unwrap(), "OK ok");
    }
    assert_eq!(scene.prober.asked(), 1);
    for _ in 0..20 {
        let refused = scene.shown("fail", &other.leaf).await;
        assert!(refused.starts_with("OK report-incomplete: "), "{refused}");
    }
    assert_eq!(scene.prober.asked(), 1, "within half a minute");
    sleep(Duration::from_secs(31)).await;
    scene.shown("fail", &other.leaf).await;
    assert_eq!(scene.prober.asked(), 2);
    // What stands beside the leaf may have changed; the leaf itself is known, should nobody answer.
    scene.prober.hosts.lock().unwrap().clear();
    sleep(Duration::from_secs(3700)).await;
    assert_eq!(scene.shown("fail", &chain.leaf).await, "OK ok");
    assert_eq!(scene.prober.asked(), 3);
    assert_eq!(scene.prober.at_once.lock().unwrap().1, 1);
}

/// SV-10, PD-11: Sendmail's own DANE counts where the operator says that it works, and nowhere else.
#[tokio::test(start_paused = true)]
async fn own_dane_counts_by_the_operators_word() {
    let (chain, other) = (Chain::new("mx.e.test"), Chain::new("mx.e.test"));
    let records = [record(3, 1, 1, &chain.leaf)];
    for (own_dane, counts) in [
        (OwnDane::Yes, true),
        (OwnDane::Auto, false),
        (OwnDane::No, false),
    ] {
        let scene = Scene::with(&records, "", |profile| profile.own_dane = own_dane);
        scene.prober.shows(Duration::ZERO, &[]);
        let answer = scene.shown("trusted", &other.leaf).await;
        assert_eq!(answer == "OK ok", counts, "{own_dane:?}: {answer}");
        let answer = scene.shown("ok", &other.leaf).await;
        assert!(answer.starts_with("OK report-incomplete: "), "{answer}");
        let journal = scene.journal().await;
        let is_by_word = |own: &JournalEntry| own.warnings.contains(&Warning::MtaWord);
        assert_eq!(journal.iter().any(is_by_word), counts);
    }
}

/// SV-10, SV-03: TLS that is owed and not used is refused; where nothing is owed, mail goes.
#[tokio::test(start_paused = true)]
async fn sessions_without_tls() {
    let chain = Chain::new("mx.e.test");
    let scene = Scene::new(&[record(3, 1, 1, &chain.leaf)]);
    let refused = scene.ask(&without_tls("e.test")).await;
    assert!(
        refused.starts_with("OK starttls-not-offered: "),
        "{refused}"
    );
    let refused = scene.ask(&without_tls("sts.test")).await;
    assert!(
        refused.starts_with("OK starttls-not-offered: "),
        "{refused}"
    );
    assert_eq!(scene.ask(&without_tls("plain.test")).await, "OK ok");
    assert_eq!(
        scene.ask(&key("plain.test", "fail", b"self-signed")).await,
        "OK ok"
    );
    for verify in [
        "temp", "protocol", "software", "config", "clear", "", "strange",
    ] {
        let session = |domain: &str| {
            format!("u@{domain} | mx.{domain} | 192.0.2.1 | {verify} | tlsv1.3 | | | |")
        };
        let refused = scene.ask(&session("e.test")).await;
        assert!(
            refused.starts_with("OK ") && refused != "OK ok",
            "{verify}: {refused}"
        );
        assert_eq!(scene.ask(&session("plain.test")).await, "OK ok", "{verify}");
    }
    // Unusable records oblige TLS, and no more (RFC 7672, 2.2).
    let scene = Scene::new(&[record(1, 1, 1, &chain.leaf)]);
    let refused = scene.ask(&without_tls("e.test")).await;
    assert!(
        refused.starts_with("OK starttls-not-offered: "),
        "{refused}"
    );
    assert_eq!(scene.shown("fail", b"any").await, "OK ok");
    // Sendmail says that the handshake was finished, and not by which version.
    let odd = "u@e.test | mx.e.test | 192.0.2.1 | ok | | | | |";
    assert!(scene.ask(odd).await.starts_with("OK handshake-failed: "));
    assert_eq!(scene.prober.asked(), 0);
}

/// SV-10, RFC 8461, 4.1: under MTA-STS Sendmail's word on the certificate counts, for it was told to
/// compare the name; a host that is none of the policy's is refused whatever it shows.
#[tokio::test(start_paused = true)]
async fn mta_sts_by_sendmails_word() {
    let scene = Scene::new(&[]);
    assert_eq!(scene.ask(&key("sts.test", "ok", b"any")).await, "OK ok");
    for verify in ["fail", "no", "not"] {
        let refused = scene.ask(&key("sts.test", verify, b"any")).await;
        assert!(
            refused.starts_with("OK certificate-not-trusted: "),
            "{refused}"
        );
    }
    for verify in ["dane_fail", "trusted", "strange"] {
        let refused = scene.ask(&key("sts.test", verify, b"any")).await;
        assert!(
            refused.starts_with("OK ") && refused != "OK ok",
            "{refused}"
        );
    }
    let elsewhere = key("sts.test", "ok", b"any").replace("mx.sts.test |", "mx.plain.test |");
    let refused = scene.ask(&elsewhere).await;
    assert!(refused.starts_with("OK sts-host-not-listed: "), "{refused}");
    let old = key("sts.test", "ok", b"any").replace("tlsv1.3", "tlsv1.1");
    let refused = scene.ask(&old).await;
    assert!(refused.starts_with("OK tls-version-too-old: "), "{refused}");
    let new = key("sts.test", "ok", b"any").replace("tlsv1.3", "tlsv2");
    let refused = scene.ask(&new).await;
    assert!(refused.starts_with("OK report-incomplete: "), "{refused}");
}

/// SV-10: where Sendmail was told no names to compare, its word on the certificate is not enough: the
/// names are compared here.
#[tokio::test(start_paused = true)]
async fn a_word_says_nothing_of_names() {
    let chain = Chain::new("mx.plain.test");
    let rule = "[rules.\"plain.test\"]\nanswer = \"secure\"\nnames = [\"mx.plain.test\"]\n";
    let scene = Scene::with(&[], rule, |_| {});
    scene.prober.shows(Duration::ZERO, &chain.all());
    let refused = scene.ask(&key("plain.test", "ok", &chain.leaf)).await;
    // Nobody vouches for this root here, whoever does at Sendmail's.
    assert!(
        refused.starts_with("OK certificate-not-trusted: "),
        "{refused}"
    );
    assert_eq!(scene.prober.asked(), 1);
}

/// SV-10: a host with TLSA records is not put to the rules of `FEATURE(`sts')`, so that nobody has compared
/// its name: Sendmail's `OK` is not enough for MTA-STS there.
#[tokio::test(start_paused = true)]
async fn a_word_counts_where_names_were_compared() {
    let chain = Chain::new("mx.e.test");
    let scene = Scene::new(&[record(1, 1, 1, &chain.leaf)]);
    let txt = RecordData::Txt(vec![b"v=STSv1; id=1".to_vec()]);
    scene.world.add(name("_mta-sts.e.test"), SECURE, TTL, txt);
    let policy = "version: STSv1\nmode: enforce\nmx: mx.e.test\nmax_age: 86400\n";
    let response = PolicyResponse {
        status: 200,
        media_type: Some("text/plain".to_owned()),
        body: policy.as_bytes().to_vec(),
        certificate: None,
    };
    let responds = ScriptedPolicy::Responds(response, Duration::ZERO);
    scene.world.policy(name("e.test"), responds);
    scene.prober.shows(Duration::ZERO, &chain.all());
    let refused = scene.shown("ok", &chain.leaf).await;
    assert!(
        refused.starts_with("OK certificate-not-trusted: "),
        "{refused}"
    );
    assert_eq!(scene.prober.asked(), 1);
}

/// SV-10: fingerprints of a rule, of the certificate or of its key.
#[tokio::test(start_paused = true)]
async fn pins_of_a_rule() {
    let chain = Chain::new("mx.plain.test");
    let of_key = &record(3, 1, 1, &chain.leaf)[3..];
    let of_key: Vec<String> = of_key.iter().map(|own| format!("{own:02X}")).collect();
    for (pin, asked) in [
        (digest(&chain.leaf).to_uppercase(), 0),
        (of_key.join(":"), 1),
    ] {
        let rule = format!(
            "[rules.\"plain.test\"]\nanswer = \"fingerprint\"\nfingerprints = [\"{pin}\"]\n"
        );
        let scene = Scene::with(&[], &rule, |_| {});
        scene.prober.shows(Duration::ZERO, &chain.all());
        let session = key("plain.test", "ok", &chain.leaf);
        assert_eq!(scene.ask(&session).await, "OK ok");
        assert_eq!(scene.prober.asked(), asked);
        let other = Chain::new("mx.plain.test");
        let refused = scene.ask(&key("plain.test", "ok", &other.leaf)).await;
        assert!(
            refused.starts_with("OK ") && refused != "OK ok",
            "{refused}"
        );
        let clear = scene.ask(&without_tls("plain.test")).await;
        assert!(clear.starts_with("OK starttls-not-offered: "), "{clear}");
    }
}

/// SV-10: who takes mail for a destination that binds its hosts is one of them, and has a name.
#[tokio::test(start_paused = true)]
async fn strange_hosts() {
    let chain = Chain::new("mx.e.test");
    let scene = Scene::new(&[record(3, 1, 1, &chain.leaf)]);
    scene.prober.shows(Duration::ZERO, &chain.all());
    for (host, expected) in [
        ("mx.other.test", "OK host-unknown: "),
        ("[192.0.2.9]", "OK host-unknown: "),
        ("192.0.2.9", "OK host-unknown: "),
        ("", "OK host-unknown: "),
    ] {
        let session = key("e.test", "trusted", &chain.leaf).replacen("mx.e.test", host, 1);
        let refused = scene.ask(&session).await;
        assert!(refused.starts_with(expected), "{host}: {refused}");
        let free = key("plain.test", "fail", b"any").replacen("mx.plain.test", host, 1);
        assert_eq!(scene.ask(&free).await, "OK ok", "{host}");
    }
    // NX-03: a destination without a name owes nothing.
    let literal = "u@[192.0.2.1] | [192.0.2.1] | 192.0.2.1 | none | | | | |";
    assert_eq!(scene.ask(literal).await, "OK ok");
}

/// SV-10, RFC 7672, 2.1.2: where nobody knows what is owed, mail waits.
#[tokio::test(start_paused = true)]
async fn what_nobody_knows_waits() {
    let chain = Chain::new("mx.e.test");
    let scene = Scene::new(&[record(3, 1, 1, &chain.leaf)]);
    let fails = Scripted::Fails(FailureKind::ServFail);
    scene.world.set(name("e.test"), RecordType::Mx, fails);
    let answer = scene.shown("trusted", &chain.leaf).await;
    assert!(answer.starts_with("TEMP"), "{answer}");
    scene
        .world
        .set(name("plain.test"), RecordType::Mx, Scripted::Hangs);
    let begun = scene.world.now().uptime;
    let answer = scene.ask(&without_tls("plain.test")).await;
    assert!(answer.starts_with("TEMP"), "{answer}");
    let took = scene.world.now().uptime - begun;
    assert!(took < Duration::from_millis(4_500), "{took:?}");
    let scene = Scene::new(&[]);
    scene
        .world
        .set(name("plain.test"), RecordType::Mx, Scripted::Panics);
    let answer = scene.ask(&without_tls("plain.test")).await;
    assert!(answer.starts_with("TEMP"), "{answer}");
    // Its TLSA records cannot be had: no session with this host.
    let scene = Scene::new(&[]);
    let owner = name("_25._tcp.mx.e.test");
    let fails = Scripted::Fails(FailureKind::ServFail);
    scene.world.set(owner, RecordType::Tlsa, fails);
    let refused = scene.shown("trusted", &chain.leaf).await;
    assert!(refused.starts_with("OK host-refused: "), "{refused}");
}

/// EX-02, FT-03: the greeting is answered, whatever the profile says; it is no session, and nothing like it is.
#[tokio::test(start_paused = true)]
async fn the_greeting_is_answered() {
    let scene = Scene::new(&[]);
    assert_eq!(scene.ask("hello").await, "OK ok");
    assert_eq!(scene.prober.asked(), 0);
    assert!(scene.journal().await.is_empty());
    for other in ["hello ", "hello|", "hello you"] {
        let refused = scene.ask(other).await;
        assert!(refused.starts_with("OK bad-request: "), "{refused}");
    }
}

/// SV-10: a key that cannot be read is refused, and so is a digest that nothing can be compared with,
/// with the cure.
#[tokio::test(start_paused = true)]
async fn what_cannot_be_read_is_refused() {
    let chain = Chain::new("mx.e.test");
    let scene = Scene::new(&[record(3, 1, 1, &chain.leaf)]);
    for key in [
        "u@e.test",
        "u",
        "|",
        "u@e.test | a | b | c | d | e | f | g | h",
    ] {
        let refused = scene.ask(key).await;
        assert!(refused.starts_with("OK bad-request: "), "{refused}");
    }
    let md5 = "u@e.test | mx.e.test | 192.0.2.1 | ok | tlsv1.3 | 00:11 |/cn=a | a | b";
    let refused = scene.ask(md5).await;
    assert!(refused.starts_with("OK report-incomplete: "), "{refused}");
    assert_eq!(scene.prober.asked(), 0);
    assert_eq!(Reason::ReportIncomplete.word(), "report-incomplete");
}

/// SV-04, CA-07: a key that was changed since the last lookup is found by a second look.
#[tokio::test(start_paused = true)]
async fn a_changed_key_is_looked_up_anew() {
    let (old, new) = (Chain::new("mx.e.test"), Chain::new("mx.e.test"));
    let scene = Scene::new(&[record(3, 1, 1, &old.leaf)]);
    scene.prober.shows(Duration::ZERO, &old.all());
    assert_eq!(scene.shown("fail", &old.leaf).await, "OK ok");
    publish(&scene.world, &[record(3, 1, 1, &new.leaf)]);
    scene.prober.shows(Duration::ZERO, &new.all());
    scene.world.pass(Duration::from_secs(40));
    assert_eq!(scene.shown("fail", &new.leaf).await, "OK ok");
    let journal = scene.journal().await;
    assert!(journal[0].second_look && journal[0].warnings.contains(&Warning::StaleCache));
}
