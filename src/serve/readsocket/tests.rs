//! The desk over a scripted world: every verb, and certificates that come one by one.

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
        let intake = Arc::new(Intake::new(judge, Arc::clone(&sessions), clock));
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

/// EX-01, EX-03, EX-05: each host gets what it owes, the destination its level.
#[tokio::test(start_paused = true)]
async fn levels_hosts_and_options() {
    let chain = Chain::new("mx.e.test");
    let scene = Scene::new(&[record(3, &chain.leaf)]);
    for (line, answer) in [
        ("hoplock1 level e.test", "enforce"),
        ("hoplock1 level E.Test.", "enforce"),
        ("hoplock1 level [mx.e.test]", "enforce"),
        ("hoplock1 level plain.test", "may"),
        ("hoplock1 level [192.0.2.1]", "may"),
        ("hoplock1 level localhost", "may"),
        ("hoplock1 mx e.test mx.e.test", "ok"),
        ("hoplock1 mx plain.test mx.plain.test", "ok"),
        ("hoplock1 mx [192.0.2.1] 192.0.2.1", "ok"),
        (
            "hoplock1 option hosts_require_tls e.test mx.e.test",
            "value yes",
        ),
        (
            "hoplock1 option hosts_require_tls plain.test mx.plain.test",
            "value no",
        ),
        (
            "hoplock1 option hosts_require_tls [192.0.2.1] 192.0.2.1",
            "value no",
        ),
        ("hoplock1 option tls_sni [192.0.2.1] 192.0.2.1", "value "),
        (
            "hoplock1 option tls_sni e.test mx.e.test",
            "value mx.e.test",
        ),
        (
            "hoplock1 option tls_tempfail_tryclear e.test mx.e.test",
            "value no",
        ),
    ] {
        assert_eq!(scene.ask(line).await, answer, "{line}");
    }
    for (line, beginning) in [
        ("hoplock1 mx e.test mx.other.test", "refuse host-unknown: "),
        ("hoplock1 mx e.test 192.0.2.1", "refuse host-unknown: "),
        (
            "hoplock1 option no_such_option e.test mx.e.test",
            "defer bad-request: ",
        ),
        (
            "hoplock1 option hosts_require_tls e.test 192.0.2.1",
            "defer host-unknown: ",
        ),
        ("hoplock1 levels e.test", "defer bad-request: "),
        ("hoplock1 mx e.test", "refuse bad-request: "),
    ] {
        let answer = scene.ask(line).await;
        assert!(answer.starts_with(beginning), "{line}: {answer}");
    }
}

/// SB-01, NX-01: a port in the key chooses the TLSA records, and a host in brackets has no MX.
#[tokio::test(start_paused = true)]
async fn ports_and_brackets_are_kept() {
    let chain = Chain::new("mx.e.test");
    let scene = Scene::new(&[record(3, &chain.leaf)]);
    let _ = scene.world.take_asked();
    assert_eq!(scene.ask("hoplock1 level [mx.e.test]:587").await, "may");
    let asked = scene.world.take_asked();
    let names: Vec<String> = asked.iter().map(|own| own.name.to_string()).collect();
    assert!(
        names.iter().any(|own| own == "_587._tcp.mx.e.test"),
        "{names:?}"
    );
    assert!(asked.iter().all(|own| own.record_type != RecordType::Mx));
    assert!(asked.iter().all(|own| own.record_type != RecordType::Txt));
}

/// EX-01, EX-02: with a resolver that hangs every verb is answered in time, in a word at which nothing
/// goes on.
#[tokio::test(start_paused = true)]
async fn slow_lookups_are_a_delay_in_time() {
    let chain = Chain::new("mx.e.test");
    let cert = certificate(1, 0, "e.test", "mx.e.test", &chain.leaf);
    for (line, beginning) in [
        ("hoplock1 level e.test", "defer deadline: "),
        ("hoplock1 mx e.test mx.e.test", "refuse deadline: "),
        (
            "hoplock1 option hosts_require_tls e.test mx.e.test",
            "value yes",
        ),
        (&cert, "refuse policy-unknown: "),
        ("txt=e.test", "defer d"),
        ("policy=e.test", "defer deadline: "),
    ] {
        let scene = Scene::new(&[]);
        for record_type in [RecordType::Mx, RecordType::Tlsa, RecordType::Txt] {
            for owner in ["e.test", "_25._tcp.mx.e.test"] {
                scene.world.set(name(owner), record_type, Scripted::Hangs);
            }
        }
        let begun = scene.world.now().uptime;
        let answer = scene.ask(line).await;
        assert!(answer.starts_with(beginning), "{line}: {answer}");
        let took = scene.world.now().uptime.saturating_sub(begun);
        assert!(took <= Duration::from_millis(4_300), "{line}: {took:?}");
    }
    let scene = Scene::new(&[]);
    // A fault of ours is a delay as well (FT-04).
    scene
        .world
        .set(name("b.test"), RecordType::Mx, Scripted::Panics);
    let answer = scene.ask("hoplock1 mx b.test mx.b.test").await;
    assert!(answer.starts_with("refuse internal-error: "), "{answer}");
    scene
        .world
        .set(name("b.test"), RecordType::Txt, Scripted::Panics);
    let answer = scene.ask("txt=b.test").await;
    assert!(answer.starts_with("defer internal-error: "), "{answer}");
}

/// EX-06, SV-10: the leaf is judged with all that came before it, before any mail; the verdict is kept
/// as one that came in time, and a refusal is an alarm.
#[tokio::test(start_paused = true)]
async fn certificates_are_judged_at_the_leaf() {
    let (good, bad) = (Chain::new("mx.e.test"), Chain::new("mx.e.test"));
    let scene = Scene::new(&[record(2, &good.root)]);
    // Two processes at once, and only one of the peers is the one that it should be.
    assert_eq!(scene.show(1, 2, &good.root).await, "ok");
    assert_eq!(scene.show(2, 2, &bad.root).await, "ok");
    assert_eq!(scene.show(2, 1, &bad.intermediate).await, "ok");
    assert_eq!(scene.show(1, 1, &good.intermediate).await, "ok");
    let refused = scene.show(2, 0, &bad.leaf).await;
    assert!(
        refused.starts_with("refuse anchor-not-in-chain: "),
        "{refused}"
    );
    assert_eq!(scene.show(1, 0, &good.leaf).await, "ok");
    let journal = scene.journal().await;
    let told: Vec<_> = journal
        .iter()
        .map(|own| (own.outcome, own.timing))
        .collect();
    let expected = [
        (SessionOutcome::AuthenticatedDane, Timing::BeforeMail),
        (SessionOutcome::Failed, Timing::BeforeMail),
    ];
    assert_eq!(told, expected);
    assert!(journal.iter().all(|own| own.source == SessionSource::Exim));
    assert_eq!(scene.sessions.alarms().count(scene.world.now()), 1);
    // What was shown before does not help the next one: nothing is left of it.
    let refused = scene.show(1, 0, &good.leaf).await;
    assert!(
        refused.starts_with("refuse anchor-not-in-chain: "),
        "{refused}"
    );
}

/// EX-06: after a restart nothing is known of the certificates before: what needs them is refused, and
/// what the leaf alone proves is not.
#[tokio::test(start_paused = true)]
async fn a_restart_in_the_middle_of_a_handshake() {
    let chain = Chain::new("mx.e.test");
    for (usage, of, beginning) in [
        (2, &chain.intermediate, "refuse anchor-not-in-chain: "),
        (3, &chain.leaf, "ok"),
    ] {
        let before = Scene::new(&[record(usage, of)]);
        assert_eq!(before.show(1, 1, &chain.intermediate).await, "ok");
        let after = Scene::new(&[record(usage, of)]);
        let answer = after.show(1, 0, &chain.leaf).await;
        assert!(answer.starts_with(beginning), "{answer}");
    }
}

/// SV-04, CA-07: a key that rolled over meanwhile is looked for once in fresh DNS, and told.
#[tokio::test(start_paused = true)]
async fn a_key_that_rolled_over() {
    let (old, new) = (Chain::new("mx.e.test"), Chain::new("mx.e.test"));
    let scene = Scene::new(&[record(3, &old.leaf)]);
    assert_eq!(scene.show(1, 0, &old.leaf).await, "ok");
    publish(&scene.world, &[record(3, &new.leaf)]);
    assert_eq!(scene.show(1, 0, &new.leaf).await, "ok");
    let journal = scene.journal().await;
    assert!(journal[0].second_look && journal[0].warnings.contains(&Warning::StaleCache));
    // The next one within half a minute buys no lookups.
    let _ = scene.world.take_asked();
    let refused = scene.show(1, 0, &old.leaf).await;
    assert!(refused.starts_with("refuse tlsa-no-match: "), "{refused}");
    assert!(scene.world.take_asked().is_empty());
    // Where fresh DNS hangs, the refusal stands, in time.
    scene.world.pass(Duration::from_secs(40));
    let owner = name("_25._tcp.mx.e.test");
    scene.world.set(owner, RecordType::Tlsa, Scripted::Hangs);
    let begun = scene.world.now().uptime;
    let refused = scene.show(1, 0, &old.leaf).await;
    assert!(refused.starts_with("refuse tlsa-no-match: "), "{refused}");
    assert!(scene.world.now().uptime.saturating_sub(begun) <= Duration::from_secs(4));
}

/// EX-06, NX-03: who owes nothing may show anything; who is not of the destination, or is mangled on the
/// way, nothing.
#[tokio::test(start_paused = true)]
async fn whoever_owes_nothing_goes_on() {
    let chain = Chain::new("mx.other.test");
    let scene = Scene::new(&[record(3, &chain.root)]);
    let show = async |domain: &str, host: &str| {
        let line = certificate(1, 0, domain, host, &chain.leaf);
        scene.ask(&line).await
    };
    assert_eq!(show("plain.test", "mx.plain.test").await, "ok");
    assert_eq!(show("[192.0.2.1]", "192.0.2.1").await, "ok");
    for (domain, host, beginning) in [
        ("e.test", "mx.e.test", "refuse tlsa-no-match: "),
        ("e.test", "mx.other.test", "refuse host-unknown: "),
        ("e.test", "192.0.2.1", "refuse bad-request: "),
    ] {
        let answer = show(domain, host).await;
        assert!(answer.starts_with(beginning), "{host}: {answer}");
    }
    let line = certificate(1, 0, "plain.test", "mx.plain.test", &chain.leaf);
    let other = certificate(1, 0, "plain.test", "mx.plain.test", &chain.root);
    let (front, _) = line.rsplit_once(' ').unwrap();
    let (_, der) = other.rsplit_once(' ').unwrap();
    let answer = scene.ask(&format!("{front} {der}")).await;
    assert!(answer.starts_with("refuse bad-request: SHA256"), "{answer}");
}

/// EX-06: the operator's pins are held by the certificate alone.
#[tokio::test(start_paused = true)]
async fn pins_are_held() {
    let (good, bad) = (Chain::new("mx.e.test"), Chain::new("mx.e.test"));
    let pin = data_encoding::HEXUPPER.encode(&Sha256::digest(&good.leaf));
    let rule =
        format!("[rules.\"plain.test\"]\nanswer = \"fingerprint\"\nfingerprints = [\"{pin}\"]");
    let rules = Config::parse(&rule, &[]).0.unwrap().rules;
    let scene = Scene::with_rules(&[], rules);
    assert_eq!(scene.ask("hoplock1 level plain.test").await, "enforce");
    let show = async |chain: &Chain| {
        let host = "mx.plain.test";
        scene
            .ask(&certificate(1, 0, "plain.test", host, &chain.leaf))
            .await
    };
    assert_eq!(show(&good).await, "ok");
    let refused = show(&bad).await;
    assert!(refused.starts_with("refuse pin-no-match: "), "{refused}");
}

/// EX-08: Exim's own words become the same words of RFC 8460, and nothing is told twice.
#[tokio::test(start_paused = true)]
async fn events_are_reports() {
    for (event, domain, data, outcome, result) in [
        (
            "dane:fail",
            "e.test",
            "validation-failure",
            SessionOutcome::Failed,
            "validation-failure",
        ),
        (
            "dane:fail",
            "e.test",
            "dnssec-invalid",
            SessionOutcome::Failed,
            "dnssec-invalid",
        ),
        (
            "dane:fail",
            "e.test",
            "dane-required",
            SessionOutcome::Failed,
            "dane-required",
        ),
        (
            "dns:fail",
            "e.test",
            "DNS_AGAIN:_25._tcp.mx.e.test:TLSA",
            SessionOutcome::Failed,
            "dnssec-invalid",
        ),
        (
            "msg:host:defer",
            "e.test",
            "a TLS session is required, but the server did not offer TLS support",
            SessionOutcome::Failed,
            "starttls-not-supported",
        ),
    ] {
        let scene = Scene::new(&[record(3, &Chain::new("mx.e.test").leaf)]);
        scene.event(event, domain, data).await;
        // Exim tells of the same failure again when it gives the host up.
        let again = "TLS session: (certificate verification failed)";
        scene.event("msg:host:defer", domain, again).await;
        let journal = scene.journal().await;
        assert_eq!(journal.len(), 1, "{data}: {journal:?}");
        let entry = &journal[0];
        assert_eq!(
            (entry.outcome, entry.timing),
            (outcome, Timing::BeforeMail),
            "{data}"
        );
        assert_eq!(
            crate::report::result_type(entry.reason).word(),
            result,
            "{data}"
        );
    }
    let scene = Scene::new(&[]);
    for (event, data) in [
        ("dns:fail", "DNS_NOMATCH:_25._tcp.mx.e.test:TLSA"),
        ("dns:fail", "nonsense"),
        ("dane:fail", "nonsense"),
        ("msg:host:defer", "Connection refused"),
        ("msg:delivery", "250 2.0.0 queued"),
        ("tcp:close", ""),
        ("smtp:ehlo", "250-e.test\r\n250 STARTTLS"),
    ] {
        scene.event(event, "e.test", data).await;
    }
    assert_eq!(scene.journal().await, []);
}

/// EX-08, SV-10, RQ-01: a delivery adds what was not known before it; what was vouched for before the
/// mail does not count twice, unless version or cipher spoil it.
#[tokio::test(start_paused = true)]
async fn deliveries_are_reports() {
    let chain = Chain::new("mx.e.test");
    let delivery = |cipher: &str, verified: &str, dane: &str| {
        format!(
            "tls_out_cipher={cipher}\ntls_out_certificate_verified={verified}\ntls_out_dane={dane}"
        )
    };
    let modern = "TLS1.3:ECDHE_SECP256R1__ECDSA_SECP256R1_SHA256__AES_256_GCM:256";
    let scene = Scene::new(&[record(3, &chain.leaf)]);
    scene
        .event("msg:delivery", "plain.test", &delivery("", "0", "no"))
        .await;
    scene
        .event("msg:delivery", "plain.test", &delivery(modern, "0", "no"))
        .await;
    scene
        .event("msg:delivery", "e.test", &delivery(modern, "0", "yes"))
        .await;
    scene
        .event("msg:delivery", "e.test", &delivery(modern, "0", "no"))
        .await;
    scene
        .event("msg:delivery", "e.test", &delivery("", "0", "no"))
        .await;
    let journal = scene.journal().await;
    let told: Vec<_> = journal.iter().rev().map(|own| own.outcome).collect();
    let expected = [
        SessionOutcome::Cleartext,
        SessionOutcome::Encrypted,
        SessionOutcome::AuthenticatedDane,
        SessionOutcome::Failed,
        SessionOutcome::Failed,
    ];
    assert_eq!(told, expected);
    assert!(
        journal
            .iter()
            .all(|own| own.timing == Timing::AfterDelivery)
    );
    let scene = Scene::new(&[record(3, &chain.leaf)]);
    assert_eq!(scene.show(7, 0, &chain.leaf).await, "ok");
    scene
        .event("msg:delivery", "e.test", &delivery(modern, "0", "no"))
        .await;
    assert_eq!(scene.journal().await.len(), 1, "vouched for");
    let old = "TLS1.1:ECDHE_SECP256R1__AES_256_CBC__SHA1:256";
    scene
        .event("msg:delivery", "e.test", &delivery(old, "0", "no"))
        .await;
    let journal = scene.journal().await;
    assert_eq!(journal.len(), 2);
    assert_eq!(journal[0].reason, Reason::TlsVersionTooOld);
}

/// EX-08: the veto's own refusal is not told again by the event that follows it.
#[tokio::test(start_paused = true)]
async fn a_refusal_is_told_once() {
    let (good, bad) = (Chain::new("mx.e.test"), Chain::new("mx.e.test"));
    let scene = Scene::new(&[record(3, &good.leaf)]);
    assert!(scene.show(7, 0, &bad.leaf).await.starts_with("refuse "));
    let words = "TLS session: (gnutls_handshake): Error in the certificate.";
    scene.event("msg:host:defer", "e.test", words).await;
    assert_eq!(scene.journal().await.len(), 1);
}

/// EX-01: the text is that of Exim's own `${lookup dnsdb{…}}`.
#[tokio::test(start_paused = true)]
async fn lookups_have_exims_text() {
    let scene = Scene::new(&[vec![3, 1, 1, 0xbe, 0x70], vec![2, 0, 1, 0xf9, 0x93]]);
    let add = |owner: &str, data| scene.world.add(name(owner), SECURE, TTL, data);
    let exchange = |preference, exchange| RecordData::Mx {
        preference,
        exchange,
    };
    add("m.test", exchange(10, Exchange::Host(name("mx1.m.test"))));
    add("m.test", exchange(20, Exchange::Host(name("mx2.m.test"))));
    add("null.test", exchange(0, Exchange::Null));
    let strings = vec![b"part1 ".to_vec(), b"part2".to_vec()];
    add("t.test", RecordData::Txt(strings));
    let evil = vec![b"a\nok\0".to_vec(), vec![0xff]];
    add("evil.test", RecordData::Txt(evil));
    let plain = RecordData::Txt(vec![b"unsigned".to_vec()]);
    scene
        .world
        .add(name("u.test"), SecurityStatus::Insecure, TTL, plain);
    scene.world.set(
        name("bad.test"),
        RecordType::Txt,
        Scripted::Fails(FailureKind::ServFail),
    );
    for (line, answer) in [
        ("tlsa=_25._tcp.mx.e.test", "value 3 1 1 be70\n2 0 1 f993"),
        (
            ">|,; tlsa=_25._tcp.mx.e.test",
            "value 3;1;1;be70|2;0;1;f993",
        ),
        ("mx=m.test", "value 10 mx1.m.test\n20 mx2.m.test"),
        ("mx=M.Test.", "value 10 mx1.m.test\n20 mx2.m.test"),
        (">:,/ mx=m.test", "value 10/mx1.m.test:20/mx2.m.test"),
        ("mxh=m.test", "value mx1.m.test\nmx2.m.test"),
        ("mx=null.test", "value 0 ."),
        ("txt=t.test", "value part1 "),
        (">|,; txt=t.test", "value part1 ;part2"),
        (">|; txt=t.test", "value part1 part2"),
        (">|,; txt=evil.test", "value a?ok?;\u{fffd}"),
        ("txt=u.test", "value unsigned"),
        ("dnssec_lax,txt=u.test", "value unsigned"),
        ("dnssec_strict,txt=t.test", "value part1 "),
        ("txt=nothing.test", "none"),
        ("mxh=t.test", "none"),
        ("dnssec_strict,txt=nothing.plain.test", "none"),
    ] {
        assert_eq!(scene.ask(line).await, answer, "{line}");
    }
    for (line, beginning) in [
        ("dnssec_strict,txt=u.test", "defer dnssec-insecure: "),
        ("txt=bad.test", "defer dns-servfail: "),
        ("txt=..", "defer bad-request: "),
    ] {
        let answer = scene.ask(line).await;
        assert!(answer.starts_with(beginning), "{line}: {answer}");
    }
}

/// EX-01: `policy=` gives the level first, then how it came about and what each host owes.
#[tokio::test(start_paused = true)]
async fn policies_are_rendered() {
    let scene = Scene::new(&[record(3, &Chain::new("mx.e.test").leaf)]);
    let answer = scene.ask("policy=e.test").await;
    let row = "row=DT-06";
    let expected =
        format!("value enforce verdict=dane-only reason=dane-all-hosts {row} dane=mx.e.test");
    assert_eq!(answer, expected);
    let apart = scene.ask(">:,; policy=e.test").await;
    assert_eq!(apart, expected.replace(' ', ";").replacen(';', " ", 1));
    let free = scene.ask("policy=plain.test").await;
    assert!(
        free.starts_with("value may verdict=none reason=no-policy "),
        "{free}"
    );
    let mx = RecordType::Mx;
    let fails = Scripted::Fails(FailureKind::ServFail);
    scene.world.set(name("bad.test"), mx, fails);
    let failed = scene.ask("policy=bad.test").await;
    assert!(failed.starts_with("defer mx-lookup-failed: "), "{failed}");
}

struct Line {
    client: DuplexStream,
    served: tokio::task::JoinHandle<()>,
}

fn connect(scene: &Scene, connections: &Connections) -> Line {
    let (client, server) = duplex(64 * 1024);
    let seat = connections.seat().unwrap();
    let served = tokio::spawn(converse(server, Arc::clone(&scene.desk), seat));
    Line { client, served }
}

async fn answer(mut line: Line) -> String {
    let mut answer = String::new();
    line.client.read_to_string(&mut answer).await.unwrap();
    drop(line.client);
    line.served.await.unwrap();
    answer
}

/// EX-01: with a half-close and without, in one piece or in many, with a line feed or without; one
/// answer, and the end.
#[tokio::test(start_paused = true)]
async fn one_line_one_answer() {
    let scene = Scene::new(&[]);
    let connections = Connections::new(10, &CancellationToken::new());
    for (pieces, shuts) in [
        (&["hoplock1 level plain.test\n"][..], true),
        (&["hoplock1 level plain.test\n"], false),
        (&["hoplock1 level plain.test\r\n"], false),
        (&["hoplock1 level plain.test"], true),
        (&["hoplock1 le", "vel plain", ".test", "\n"], false),
        (
            &["hoplock1 level plain.test\nhoplock1 level e.test\n"],
            true,
        ),
    ] {
        let mut line = connect(&scene, &connections);
        for piece in pieces {
            line.client.write_all(piece.as_bytes()).await.unwrap();
        }
        if shuts {
            line.client.shutdown().await.unwrap();
        }
        assert_eq!(answer(line).await, "may", "{pieces:?} {shuts}");
    }
    assert_eq!(connections.count(), 0);
}

/// EX-01, EX-02: garbage, nothing, a request that does not end, a line of two megabytes: an answer that
/// nobody hopes for, and the next connection is served.
#[tokio::test(start_paused = true)]
async fn bad_lines_are_answered() {
    let scene = Scene::new(&[]);
    let connections = Connections::new(10, &CancellationToken::new());
    let long = format!("hoplock1 cert 1 0 {}\n", "a".repeat(2 * 1024 * 1024));
    for (bytes, shuts, beginning) in [
        (&b""[..], true, "defer bad-request: "),
        (b"\n\n", true, "defer bad-request: "),
        (b"\xff\xfe\x00\n", false, "defer bad-request: "),
        (b"GET / HTTP/1.0\r\n\r\n", false, "defer bad-request: "),
        (b"hoplock1 mx e.test", false, "refuse bad-request: "),
        (long.as_bytes(), true, "refuse bad-request: "),
        (long.trim_end().as_bytes(), true, "refuse bad-request: "),
    ] {
        let mut line = connect(&scene, &connections);
        line.client.write_all(bytes).await.unwrap();
        if shuts {
            line.client.shutdown().await.unwrap();
        }
        let answer = answer(line).await;
        assert!(answer.starts_with(beginning), "{answer}");
    }
    let mut line = connect(&scene, &connections);
    line.client
        .write_all(b"hoplock1 level plain.test\n")
        .await
        .unwrap();
    assert_eq!(answer(line).await, "may");
}

/// FT-03: who waits longest makes room, and is told; who finds none is told; a request in hand is
/// answered while the daemon drains.
#[tokio::test(start_paused = true)]
async fn whoever_finds_no_place_is_told() {
    let scene = Scene::new(&[]);
    let closing = CancellationToken::new();
    let connections = Connections::new(1, &closing);
    let mut first = connect(&scene, &connections);
    first.client.write_all(b"hoplock1 mx e.test").await.unwrap();
    tokio::time::sleep(Duration::from_millis(10)).await;
    let mut second = connect(&scene, &connections);
    assert!(answer(first).await.starts_with("refuse busy: "));
    scene
        .world
        .set(name("slow.test"), RecordType::Mx, Scripted::Hangs);
    second
        .client
        .write_all(b"hoplock1 level slow.test\n")
        .await
        .unwrap();
    tokio::time::sleep(Duration::from_millis(10)).await;
    assert!(connections.seat().is_none());
    let (mut client, server) = duplex(1024);
    let turned = tokio::spawn(turn_away(server));
    client
        .write_all(b"hoplock1 mx e.test mx.e.test\n")
        .await
        .unwrap();
    let mut told = String::new();
    client.read_to_string(&mut told).await.unwrap();
    assert!(told.starts_with("refuse busy: "), "{told}");
    turned.await.unwrap();
    closing.cancel();
    assert!(answer(second).await.starts_with("defer deadline: "));
}

/// An answer is counted by verb and word, and under the verdict as any other.
#[tokio::test(start_paused = true)]
async fn requests_are_counted() {
    let scene = Scene::new(&[]);
    let _ = scene.ask("hoplock1 level plain.test").await;
    let _ = scene.ask("nonsense").await;
    let text = scene.desk.metrics().prometheus();
    for line in [
        "hoplock_exim_requests_total{verb=\"level\",answer=\"may\"} 1",
        "hoplock_exim_requests_total{verb=\"unknown\",answer=\"defer\"} 1",
        "hoplock_answers_total{verdict=\"none\",reason=\"no-policy\"} 1",
    ] {
        assert!(text.contains(line), "{line}\n{text}");
    }
    assert!(scene.answerer.was_asked("exim"));
}
