//! The zone over a scripted world: what is replied to which bytes.

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;

use hickory_proto::op::{Edns, Message, OpCode, Query, ResponseCode};
use hickory_proto::rr::{DNSClass, Name, RData, RecordType as Type};
use hoplock_policy::dns::{Exchange, FailureKind, RecordData, RecordType, SecurityStatus};
use hoplock_policy::name::DomainName;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, duplex};
use tokio_util::sync::CancellationToken;

use super::message::Transport;
use super::server::{NameServer, converse};
use crate::answer::{Answerer, Settings};
use crate::discover::DiscoverOptions;
use crate::metrics::Metrics;
use crate::serve::connections::Connections;
use crate::store::memory::MemoryStore;
use crate::world::scripted::{Scripted, ScriptedWorld, Zone};

const TTL: Duration = Duration::from_secs(300);

fn name(text: &str) -> DomainName {
    DomainName::parse(text).unwrap()
}

struct Scene {
    world: Arc<ScriptedWorld>,
    server: Arc<NameServer>,
}

/// `e.test` with DANE, `many.test` with hosts enough for a long answer, and `bad.test`, whose MX lookup
/// fails.
fn scene() -> Scene {
    let world = ScriptedWorld::new();
    world.zone(Zone {
        name: name("test"),
        status: SecurityStatus::Secure,
        negative: TTL,
    });
    let add = |owner: &str, data| world.add(name(owner), SecurityStatus::Secure, TTL, data);
    let host = |domain: &str, host: &str, preference| {
        let exchange = Exchange::Host(name(host));
        add(
            domain,
            RecordData::Mx {
                preference,
                exchange,
            },
        );
        add(host, RecordData::A(Ipv4Addr::new(192, 0, 2, 1)));
        let tlsa = [&[3, 1, 1][..], &[7; 32]].concat();
        add(&format!("_25._tcp.{host}"), RecordData::Tlsa(tlsa));
    };
    host("e.test", "mx.e.test", 10);
    for number in 0..15 {
        let long = format!("{}{number}.many.test", "a".repeat(55));
        host("many.test", &long, number);
    }
    let fails = Scripted::Fails(FailureKind::ServFail);
    world.set(name("bad.test"), RecordType::Mx, fails);
    world.set(name("slow.test"), RecordType::Mx, Scripted::Hangs);
    let outside = world.world(Arc::new(MemoryStore::new(100)));
    let options = DiscoverOptions::default();
    let answerer = Answerer::new(outside, options, Settings::default(), 100);
    let server = NameServer::new(Arc::new(answerer), Arc::new(Metrics::new()));
    Scene {
        world,
        server: Arc::new(server),
    }
}

fn query(owner: &str, record_type: Type) -> Message {
    let mut message = Message::query();
    message.metadata.id = 4711;
    message.metadata.recursion_desired = true;
    message.add_query(Query::query(Name::from_ascii(owner).unwrap(), record_type));
    message
}

fn with_edns(mut message: Message, payload: u16) -> Message {
    let mut edns = Edns::new();
    edns.set_max_payload(payload);
    message.edns = Some(edns);
    message
}

async fn ask_by(scene: &Scene, message: &Message, transport: Transport) -> Message {
    let bytes = message.to_vec().unwrap();
    let reply = scene.server.reply(&bytes, transport).await;
    Message::from_vec(&reply.unwrap()).unwrap()
}

async fn ask(scene: &Scene, owner: &str, record_type: Type) -> Message {
    ask_by(scene, &query(owner, record_type), Transport::Udp).await
}

fn strings(message: &Message) -> Vec<String> {
    let RData::TXT(txt) = &message.answers[0].data else {
        panic!("{message:?}");
    };
    let texts = txt.txt_data.iter();
    texts
        .map(|own| String::from_utf8(own.to_vec()).unwrap())
        .collect()
}

/// The level is the first string, alone, so that Exim's plain lookup is the word to compare; the TTL is
/// what is left of the answer (CA-01, CA-04), and the case of the query is kept.
#[tokio::test(start_paused = true)]
async fn a_policy_is_one_record() {
    let scene = scene();
    let reply = ask(&scene, "E.test.policy.HOPLOCK.internal.", Type::TXT).await;
    let metadata = reply.metadata;
    assert_eq!(
        (metadata.id, metadata.response_code),
        (4711, ResponseCode::NoError)
    );
    assert!(metadata.authoritative && !metadata.recursion_available);
    assert!(metadata.recursion_desired && !metadata.authentic_data);
    let expected = [
        "enforce",
        "verdict=dane-only",
        "reason=dane-all-hosts",
        "row=DT-06",
        "dane=mx.e.test",
    ];
    assert_eq!(strings(&reply), expected);
    assert_eq!(reply.answers.len(), 1);
    assert_eq!(reply.answers[0].ttl, 300);
    assert_eq!(
        reply.queries[0].name().to_string(),
        "E.test.policy.HOPLOCK.internal."
    );
    scene.world.pass(Duration::from_secs(100));
    let later = ask(&scene, "e.test.policy.hoplock.internal.", Type::TXT).await;
    assert_eq!(later.answers[0].ttl, 200);
    let any = ask(&scene, "e.test.policy.hoplock.internal.", Type::ANY).await;
    assert_eq!(strings(&any)[0], "enforce");
}

/// RFC 2308: what does not exist is denied with the zone's SOA, without a lookup; what stands between the
/// zone and a destination exists, for resolvers that ask step by step (RFC 9156).
#[tokio::test(start_paused = true)]
async fn absences_have_the_zones_soa() {
    let scene = scene();
    let no_data = ResponseCode::NoError;
    for (owner, record_type, code) in [
        ("policy.hoplock.internal.", Type::TXT, no_data),
        ("policy.hoplock.internal.", Type::A, no_data),
        ("test.policy.hoplock.internal.", Type::NS, no_data),
        ("test.policy.hoplock.internal.", Type::TXT, no_data),
        ("e.test.policy.hoplock.internal.", Type::A, no_data),
        ("e.test.policy.hoplock.internal.", Type::MX, no_data),
        (
            "192.0.2.1.policy.hoplock.internal.",
            Type::TXT,
            ResponseCode::NXDomain,
        ),
    ] {
        let reply = ask(&scene, owner, record_type).await;
        assert_eq!(reply.metadata.response_code, code, "{owner} {record_type}");
        assert!(reply.metadata.authoritative && reply.answers.is_empty());
        let RData::SOA(soa) = &reply.authorities[0].data else {
            panic!("{reply:?}");
        };
        assert_eq!((soa.minimum, reply.authorities[0].ttl), (300, 300));
        assert_eq!(
            reply.authorities[0].name.to_string(),
            "policy.hoplock.internal."
        );
    }
    let labels: [&[u8]; 5] = [b"a@b", b"test", b"policy", b"hoplock", b"internal"];
    let mut odd = query("policy.hoplock.internal.", Type::TXT);
    odd.queries[0].set_name(Name::from_labels(labels).unwrap());
    let reply = ask_by(&scene, &odd, Transport::Udp).await;
    assert_eq!(reply.metadata.response_code, ResponseCode::NXDomain);
    assert!(scene.world.take_asked().is_empty());
    for record_type in [Type::SOA, Type::NS] {
        let reply = ask(&scene, "policy.hoplock.internal.", record_type).await;
        assert_eq!(reply.answers.len(), 1);
        assert_eq!(reply.answers[0].record_type(), record_type);
    }
}

/// EX-02: what fails is a failure, never an absence that would read as nothing owed; and in time.
#[tokio::test(start_paused = true)]
async fn failures_are_failures() {
    let scene = scene();
    for (owner, word) in [
        ("bad.test.policy.hoplock.internal.", "mx-lookup-failed: "),
        ("slow.test.policy.hoplock.internal.", "deadline: "),
    ] {
        let asked = with_edns(query(owner, Type::TXT), 4096);
        let reply = ask_by(&scene, &asked, Transport::Udp).await;
        assert_eq!(reply.metadata.response_code, ResponseCode::ServFail);
        assert!(reply.answers.is_empty() && reply.authorities.is_empty());
        // RFC 8914: the cause, for the resolver's log.
        let bytes = reply.to_vec().unwrap();
        let text = String::from_utf8_lossy(&bytes);
        assert!(text.contains(word), "{text:?}");
        let plain = ask(&scene, owner, Type::TXT).await;
        assert_eq!(plain.metadata.response_code, ResponseCode::ServFail);
        assert!(plain.edns.is_none());
    }
}

/// What is not of this zone, or no question, is refused with the code that says so; what is no query gets
/// nothing.
#[tokio::test(start_paused = true)]
async fn other_queries_are_refused() {
    let scene = scene();
    let ours = "e.test.policy.hoplock.internal.";
    let mut chaos = query(ours, Type::TXT);
    chaos.queries[0].set_query_class(DNSClass::CH);
    let mut notify = query(ours, Type::SOA);
    notify.metadata.op_code = OpCode::Notify;
    let mut two = query(ours, Type::TXT);
    two.add_query(two.queries[0].clone());
    let mut none = query(ours, Type::TXT);
    none.queries.clear();
    let mut later = with_edns(query(ours, Type::TXT), 1232);
    later.edns.as_mut().unwrap().set_version(1);
    for (asked, code) in [
        (query("e.test.", Type::TXT), ResponseCode::Refused),
        (query("hoplock.internal.", Type::SOA), ResponseCode::Refused),
        (
            query("xpolicy.hoplock.internal.", Type::TXT),
            ResponseCode::Refused,
        ),
        (query(".", Type::NS), ResponseCode::Refused),
        (
            query("policy.hoplock.internal.", Type::AXFR),
            ResponseCode::Refused,
        ),
        (chaos, ResponseCode::Refused),
        (notify, ResponseCode::NotImp),
        (two, ResponseCode::FormErr),
        (none, ResponseCode::FormErr),
        (later, ResponseCode::BADVERS),
    ] {
        let reply = ask_by(&scene, &asked, Transport::Udp).await;
        let (own, wanted) = (u16::from(reply.metadata.response_code), u16::from(code));
        assert_eq!(own, wanted, "{asked:?}");
        assert!(reply.answers.is_empty() && !reply.metadata.authoritative);
        assert_eq!(reply.metadata.id, 4711);
    }
    let good = query(ours, Type::TXT).to_vec().unwrap();
    for length in 0..good.len() {
        let reply = scene.server.reply(&good[..length], Transport::Udp).await;
        match reply {
            None => assert!(length < 12, "{length}"),
            Some(bytes) => {
                let reply = Message::from_vec(&bytes).unwrap();
                assert_eq!(reply.metadata.response_code, ResponseCode::FormErr);
            }
        }
    }
    let mut reply = good;
    reply[2] |= 0x80;
    assert_eq!(scene.server.reply(&reply, Transport::Udp).await, None);
}

/// RFC 6891, RFC 2181, 9: what does not fit is cut whole, and whole over TCP; several queries come over
/// one connection.
#[tokio::test(start_paused = true)]
async fn long_answers_go_over_tcp() {
    let scene = scene();
    let asked = query("many.test.policy.hoplock.internal.", Type::TXT);
    let cut = scene
        .server
        .reply(&asked.to_vec().unwrap(), Transport::Udp)
        .await
        .unwrap();
    assert!(cut.len() <= 512);
    let cut = Message::from_vec(&cut).unwrap();
    assert!(cut.metadata.truncation && cut.answers.is_empty() && cut.edns.is_none());
    for (payload, fits) in [(512, false), (65_535, true)] {
        let edns = with_edns(asked.clone(), payload);
        let bytes = scene
            .server
            .reply(&edns.to_vec().unwrap(), Transport::Udp)
            .await
            .unwrap();
        assert!(bytes.len() <= 1232, "{}", bytes.len());
        let reply = Message::from_vec(&bytes).unwrap();
        assert_eq!(reply.metadata.truncation, !fits, "{payload}");
        assert_eq!(reply.edns.unwrap().max_payload(), 1232);
    }
    let (mut client, stream) = duplex(64 * 1024);
    let connections = Connections::new(1, &CancellationToken::new());
    let seat = connections.seat().unwrap();
    let served = tokio::spawn(converse(stream, Arc::clone(&scene.server), seat));
    let bytes = asked.to_vec().unwrap();
    for _ in 0..2 {
        client
            .write_u16(u16::try_from(bytes.len()).unwrap())
            .await
            .unwrap();
        client.write_all(&bytes).await.unwrap();
        let mut reply = vec![0; usize::from(client.read_u16().await.unwrap())];
        client.read_exact(&mut reply).await.unwrap();
        let reply = Message::from_vec(&reply).unwrap();
        assert!(!reply.metadata.truncation);
        assert_eq!(strings(&reply).len(), 4 + 15);
    }
    drop(client);
    served.await.unwrap();
}
