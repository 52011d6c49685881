//! Trust anchors by digest alone, over a scripted world: who is asked, how often, and what waits meanwhile.

use std::net::Ipv4Addr;

use hoplock_policy::dns::{Exchange, RecordData, RecordType, SecurityStatus};
use hoplock_policy::law::Answer;
use hoplock_policy::profile::Profile;
use hoplock_policy::tlsa::TrustAnchorBytes;
use hoplock_policy::verify::Certificate;
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};

use super::*;
use crate::answer::{Answerer, Settings};
use crate::discover::DiscoverOptions;
use crate::store::memory::MemoryStore;
use crate::world::scripted::{Scripted, ScriptedHost, ScriptedWorld, Zone};

const TTL: Duration = Duration::from_secs(3600);
const SOON: Duration = Duration::from_millis(20);

fn name(text: &str) -> DomainName {
    DomainName::parse(text).unwrap()
}

/// An authority, and a chain that it issued for the host.
struct Authority {
    certificate: Certificate,
    chain: Vec<Certificate>,
}

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let own = params.self_signed(&key).unwrap();
        let issuer = Issuer::new(params, key);
        let leaf_key = KeyPair::generate().unwrap();
        let leaf = CertificateParams::new(vec!["mx.e.test".to_owned()]).unwrap();
        let leaf = leaf.signed_by(&leaf_key, &issuer).unwrap();
        let read = |der: &[u8]| Certificate::from_der(der.to_vec());
        let certificate = read(own.der());
        let chain = vec![read(leaf.der()), certificate.clone()];
        Self { certificate, chain }
    }

    /// A record of it, with this selector, by SHA-256.
    fn record(&self, selector: u8) -> Vec<u8> {
        let record = TlsaRecord::naming(&self.certificate, 2, selector, 1);
        record.unwrap().rdata()
    }
}

fn world(records: &[Vec<u8>]) -> Arc<ScriptedWorld> {
    let world = ScriptedWorld::new();
    world.zone(Zone {
        name: name("test"),
        status: SecurityStatus::Secure,
        negative: TTL,
    });
    let add = |owner: &str, data| world.add(name(owner), SecurityStatus::Secure, TTL, data);
    let exchange = Exchange::Host(name("mx.e.test"));
    add(
        "e.test",
        RecordData::Mx {
            preference: 10,
            exchange,
        },
    );
    add("mx.e.test", RecordData::A(Ipv4Addr::new(192, 0, 2, 1)));
    let data = records.iter().cloned().map(RecordData::Tlsa).collect();
    world.set(
        name("_25._tcp.mx.e.test"),
        RecordType::Tlsa,
        Scripted::Records(SecurityStatus::Secure, TTL, data),
    );
    world
}

fn answerer(world: &Arc<ScriptedWorld>) -> Arc<Answerer> {
    let store = Arc::new(MemoryStore::new(100));
    let options = DiscoverOptions::default();
    let answerer = Answerer::new(world.world(store), options, Settings::default(), 100);
    Arc::new(answerer)
}

fn pins() -> Profile {
    let mut profile = Profile::built_in("pins").unwrap();
    profile.anchor_directory = "/anchors".to_owned();
    profile
}

fn shows(world: &ScriptedWorld, chain: &[Certificate]) {
    let host = ScriptedHost::Shows(chain.to_vec(), SOON);
    world.host(name("mx.e.test"), host);
}

/// DT-16: the certificate that has the digest is the anchor, and its file stands before the answer leaves;
/// the host is asked once, however often mail is.
#[tokio::test(start_paused = true)]
async fn a_host_is_asked_once_for_its_anchor() {
    let authority = Authority::new();
    for selector in [0, 1] {
        let world = world(&[authority.record(selector)]);
        shows(&world, &authority.chain);
        let answerer = answerer(&world);
        for _ in 0..3 {
            let answered = answerer.answer("e.test", &pins()).await;
            let Answer::Anchored { anchors, .. } = &answered.verdict.answer else {
                panic!("{:?}", answered.verdict);
            };
            let der = authority.certificate.der().to_vec();
            let key = authority.certificate.public_key().unwrap().to_vec();
            let expected = match selector {
                0 => TrustAnchorBytes::Certificate(der),
                _ => TrustAnchorBytes::PublicKey(key),
            };
            assert_eq!(*anchors, [expected]);
            let file = hoplock_policy::tlsa::anchor_file(anchors);
            let words = answered.rendered.to_string();
            assert!(
                words.contains(&format!("tafile=/anchors/{}", file.name)),
                "{words}"
            );
            assert_eq!(world.published(), [("/anchors".to_owned(), file)]);
        }
        assert_eq!(world.take_probed(), [name("mx.e.test")]);
    }
}

/// DT-16: many messages at once ask the host once; a Postfix that does DANE by itself asks nobody.
#[tokio::test(start_paused = true)]
async fn many_share_one_probe() {
    let authority = Authority::new();
    let world = world(&[authority.record(1)]);
    shows(&world, &authority.chain);
    let answerer = answerer(&world);
    let postfix = Profile::built_in("postfix").unwrap();
    let answered = answerer.answer("e.test", &postfix).await;
    assert_eq!(answered.verdict.answer, Answer::DaneOnly);
    assert_eq!(world.take_probed(), []);
    let asked = (0..50).map(|_| {
        let answerer = Arc::clone(&answerer);
        tokio::spawn(async move { answerer.answer("e.test", &pins()).await })
    });
    for answered in futures_util::future::join_all(asked).await {
        let answered = answered.unwrap();
        assert_eq!(answered.verdict.answer.word(), "secure");
    }
    assert_eq!(world.take_probed(), [name("mx.e.test")]);
}

/// DT-16, CA-01: where several authorities are named by their digests, the host is asked again when its
/// records are looked up again, and not before; what it shows then counts beside what it has shown.
#[tokio::test(start_paused = true)]
async fn another_authority_is_known_within_a_ttl() {
    let (first, second) = (Authority::new(), Authority::new());
    let world = world(&[first.record(1), second.record(1)]);
    shows(&world, &first.chain);
    let answerer = answerer(&world);
    let anchors = async || {
        let answered = answerer.answer("e.test", &pins()).await;
        let Answer::Anchored { anchors, .. } = &answered.verdict.answer else {
            panic!("{:?}", answered.verdict);
        };
        anchors.len()
    };
    assert_eq!(anchors().await, 1);
    shows(&world, &second.chain);
    world.pass(TTL - Duration::from_secs(1));
    assert_eq!(anchors().await, 1);
    assert_eq!(world.take_probed().len(), 1);
    world.pass(Duration::from_secs(2));
    // Mail waits for nobody meanwhile.
    assert_eq!(anchors().await, 1);
    tokio::time::sleep(2 * SOON).await;
    assert_eq!(anchors().await, 2);
    world.pass(BETWEEN);
    assert_eq!(anchors().await, 2);
    assert_eq!(world.take_probed().len(), 1);
}

/// DT-16, CA-03: whoever shows another chain is no anchor's host. Mail waits with the reason, and the host
/// is asked again after a minute, not before.
#[tokio::test(start_paused = true)]
async fn another_chain_is_a_delay_for_a_minute() {
    let (authority, other) = (Authority::new(), Authority::new());
    let world = world(&[authority.record(1)]);
    shows(&world, &other.chain);
    let answerer = answerer(&world);
    for _ in 0..3 {
        let answered = answerer.answer("e.test", &pins()).await;
        assert_eq!(answered.verdict.answer, Answer::Temp);
        assert!(
            answered.verdict.detail.contains("192.0.2.1"),
            "{}",
            answered.verdict.detail
        );
    }
    assert_eq!(world.take_probed().len(), 1);
    shows(&world, &authority.chain);
    world.pass(BETWEEN - Duration::from_secs(1));
    let answered = answerer.answer("e.test", &pins()).await;
    assert_eq!(answered.verdict.answer, Answer::Temp);
    world.pass(Duration::from_secs(2));
    let answered = answerer.answer("e.test", &pins()).await;
    assert_eq!(answered.verdict.answer.word(), "secure");
    assert_eq!(world.take_probed().len(), 1);
}

/// DT-16, PF-04: a host that hangs holds mail up for the deadline and no longer, and its certificate counts
/// when it comes after all.
#[tokio::test(start_paused = true)]
async fn a_slow_host_is_there_the_next_time() {
    let authority = Authority::new();
    let world = world(&[authority.record(1)]);
    let slow = ScriptedHost::Shows(authority.chain.clone(), Duration::from_secs(12));
    world.host(name("mx.e.test"), slow);
    let answerer = answerer(&world);
    let profile = Profile {
        deadline: Duration::from_secs(5),
        ..pins()
    };
    let begun = answerer.world().clock.now().uptime;
    let answered = answerer.answer("e.test", &profile).await;
    let took = answerer.world().clock.now().uptime - begun;
    assert_eq!(answered.verdict.answer, Answer::Temp);
    assert!(took < Duration::from_secs(6), "{took:?}");
    tokio::time::sleep(Duration::from_secs(10)).await;
    let answered = answerer.answer("e.test", &profile).await;
    assert_eq!(answered.verdict.answer.word(), "secure");
    assert_eq!(world.take_probed().len(), 1);
}

/// DT-16: a file that cannot be written is a delay with its reason, and is tried again with the next
/// question.
#[tokio::test(start_paused = true)]
async fn without_its_file_no_answer_leaves() {
    let authority = Authority::new();
    let world = world(&[authority.record(1)]);
    shows(&world, &authority.chain);
    world.takes_anchors(false);
    let answerer = answerer(&world);
    let answered = answerer.answer("e.test", &pins()).await;
    assert_eq!(answered.verdict.answer, Answer::Temp);
    let words = answered.rendered.to_string();
    assert!(
        words.starts_with("TEMP mta-cannot-authenticate: the directory"),
        "{words}"
    );
    world.takes_anchors(true);
    let answered = answerer.answer("e.test", &pins()).await;
    assert_eq!(answered.verdict.answer.word(), "secure");
}

/// DT-19: pins are the answer until they were seen to fail where the anchor matched; then it is the anchor,
/// for as long as the records live.
#[tokio::test(start_paused = true)]
async fn pins_that_failed_give_way_to_the_anchor() {
    let authority = Authority::new();
    let stranger = rcgen::generate_simple_self_signed(vec!["mx.e.test".to_owned()]).unwrap();
    let stranger = Certificate::from_der(stranger.cert.der().to_vec());
    let pinned = TlsaRecord::naming(&stranger, 3, 1, 1).unwrap().rdata();
    let world = world(&[pinned, authority.record(1)]);
    shows(&world, &authority.chain);
    let answerer = answerer(&world);
    let (next_hop, host) = (NextHop::parse("e.test"), MxHost(name("mx.e.test")));
    let answered = answerer.answer("e.test", &pins()).await;
    assert_eq!(answered.verdict.answer.word(), "fingerprint");
    answerer.pins_failed(&next_hop, &host);
    let answered = answerer.answer("e.test", &pins()).await;
    assert_eq!(
        answered.verdict.answer.word(),
        "secure",
        "{:?}",
        answered.verdict
    );
    world.pass(TTL + Duration::from_secs(1));
    let answered = answerer.answer("e.test", &pins()).await;
    assert_eq!(answered.verdict.answer.word(), "fingerprint");
    // Of a destination that nobody knows there is nothing to be learnt.
    answerer.pins_failed(&NextHop::parse("other.test"), &host);
}

/// CA-06: hosts without end cost no memory without end, and none of them keeps another from being asked for
/// longer than it takes.
#[tokio::test(start_paused = true)]
async fn hosts_without_end_are_bounded() {
    let world = ScriptedWorld::new();
    let clock = Arc::clone(&world) as Arc<dyn Clock>;
    let anchors = Anchors::new(None, clock);
    let mut state = anchors.state();
    for number in 0..MOST_PLACES + 50 {
        let place = (name(&format!("mx{number}.e.test")), 25);
        state.fail(place.clone(), "down".to_owned(), Duration::from_secs(1000));
        let has_room = state.ask(&place, Duration::from_secs(1000));
        assert_eq!(has_room, number < MOST_PLACES);
    }
    assert_eq!(
        (state.failed.len(), state.asked.len()),
        (MOST_PLACES, MOST_PLACES)
    );
    // A minute later the old ones make room.
    let later = Duration::from_secs(1000) + BETWEEN;
    let place = (name("mx.other.test"), 25);
    assert!(state.ask(&place, later));
    state.fail(place, "down".to_owned(), later);
    assert_eq!((state.failed.len(), state.asked.len()), (1, 1));
}
