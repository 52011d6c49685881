//! The DNS stub against servers that misbehave, on loopback sockets, with the bytes looked at.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    clippy::cast_possible_truncation,
    reason = "tests"
)]

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use hoplock::adapters::dns::message::{NotAReply, interpret, read};
use hoplock::adapters::dns::{DnsOptions, DnsStub, Trust, self_test};
use hoplock::world::{Resolver as _, Validation};
use hoplock_policy::dns::{
    Answer, Exchange, FailureKind, Question, RecordData, RecordType, SecurityStatus,
};
use hoplock_policy::name::DomainName;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, UdpSocket};

const AD: u16 = 0x0020;
const TC: u16 = 0x0200;

/// What a fake server does with a query.
type Manner = Arc<dyn Fn(&[u8]) -> Option<Vec<u8>> + Send + Sync>;

/// A server over UDP, and the queries that it saw.
async fn server(manner: Manner) -> (SocketAddr, Arc<Mutex<Vec<Vec<u8>>>>) {
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let address = socket.local_addr().unwrap();
    let seen = Arc::new(Mutex::new(Vec::new()));
    let kept = Arc::clone(&seen);
    tokio::spawn(async move {
        let mut buffer = [0; 2048];
        while let Ok((length, client)) = socket.recv_from(&mut buffer).await {
            kept.lock().unwrap().push(buffer[..length].to_vec());
            if let Some(reply) = manner(&buffer[..length]) {
                socket.send_to(&reply, client).await.unwrap();
            }
        }
    });
    (address, seen)
}

/// The question section of a query, without what follows it.
fn question(query: &[u8]) -> &[u8] {
    let mut end = 12;
    while query[end] != 0 {
        end += 1 + usize::from(query[end]);
    }
    &query[12..end + 5]
}

/// A reply with these flags, code, records (type, TTL, RDATA) and extended errors.
fn reply(
    query: &[u8],
    flags: u16,
    rcode: u16,
    records: &[(u16, u32, &[u8])],
    extended: &[u16],
) -> Vec<u8> {
    let mut bytes = query[..2].to_vec();
    bytes.extend((0x8180 | flags | rcode).to_be_bytes());
    bytes.extend([
        0,
        1,
        0,
        records.len() as u8,
        0,
        0,
        0,
        u8::from(!extended.is_empty()),
    ]);
    bytes.extend(question(query));
    for (kind, ttl, rdata) in records {
        bytes.extend([0xc0, 12]);
        bytes.extend(kind.to_be_bytes());
        bytes.extend([0, 1]);
        bytes.extend(ttl.to_be_bytes());
        bytes.extend((rdata.len() as u16).to_be_bytes());
        bytes.extend(*rdata);
    }
    if !extended.is_empty() {
        bytes.extend([0, 0, 41, 4, 208, 0, 0, 0, 0]);
        bytes.extend(((extended.len() * 6) as u16).to_be_bytes());
        for code in extended {
            bytes.extend([0, 15, 0, 2]);
            bytes.extend(code.to_be_bytes());
        }
    }
    bytes
}

fn good(query: &[u8]) -> Option<Vec<u8>> {
    Some(reply(query, AD, 0, &[(1, 77, &[192, 0, 2, 1])], &[]))
}

fn stub(servers: &[SocketAddr], trust: Trust) -> Arc<DnsStub> {
    let options = DnsOptions {
        servers: servers.to_vec(),
        trust,
        timeout: Duration::from_secs(5),
        lookups: 16,
        self_test: Some(DomainName::parse("com").unwrap()),
        self_test_bogus: None,
    };
    DnsStub::new(options, servers)
}

fn a() -> Question {
    Question::new(DomainName::parse("mx.e.test").unwrap(), RecordType::A)
}

fn kind(answer: &Answer) -> Option<FailureKind> {
    match answer {
        Answer::Failed(failure) => Some(failure.kind),
        _ => None,
    }
}

/// MX-16: RD and AD set, CD and DO clear, payload 1232; ids are fresh.
#[tokio::test]
async fn the_query_asks_for_the_status() {
    let (address, seen) = server(Arc::new(good)).await;
    let stub = stub(&[address], Trust::Loopback);
    for _ in 0..8 {
        let reply = stub.lookup(a()).await;
        assert_eq!(reply.answer.status(), SecurityStatus::Secure);
        assert_eq!(reply.answer.ttl(), Some(Duration::from_secs(77)));
    }
    let seen = seen.lock().unwrap();
    for query in seen.iter() {
        assert_eq!(query[2] & 0x01, 0x01, "RD");
        assert_eq!(query[3] & 0x20, 0x20, "AD");
        assert_eq!(query[3] & 0x10, 0, "CD");
        let opt = &query[12 + question(query).len()..];
        assert_eq!(opt[..5], [0, 0, 41, 4, 208], "OPT with a payload of 1232");
        assert_eq!(opt[7] & 0x80, 0, "DO");
    }
    let mut ids: Vec<&[u8]> = seen.iter().map(|query| &query[..2]).collect();
    ids.sort_unstable();
    ids.dedup();
    assert!(ids.len() > 5, "ids are random: {ids:?}");
}

/// MX-19: names are asked as they are, absolute: no search list, no second try with a suffix.
#[tokio::test]
async fn names_are_absolute() {
    let none = |query: &[u8]| Some(reply(query, AD, 3, &[], &[]));
    let (address, seen) = server(Arc::new(none)).await;
    let stub = stub(&[address], Trust::Loopback);
    let name = DomainName::parse("single").unwrap();
    let answer = stub
        .lookup(Question::new(name, RecordType::Mx))
        .await
        .answer;
    assert!(matches!(answer, Answer::NxDomain(_)), "{answer:?}");
    let seen = seen.lock().unwrap();
    assert_eq!(seen.len(), 1);
    assert_eq!(&question(&seen[0])[..8], b"\x06single\x00");
}

/// MX-16: a truncated answer leads to TCP, whose data is used.
#[tokio::test]
async fn truncated_answers_are_asked_again_over_tcp() {
    // The same port must be free for both.
    let (tcp, udp) = loop {
        let tcp = TcpListener::bind("127.0.0.1:0").await.unwrap();
        if let Ok(udp) = UdpSocket::bind(tcp.local_addr().unwrap()).await {
            break (tcp, udp);
        }
    };
    let address = tcp.local_addr().unwrap();
    tokio::spawn(async move {
        let mut buffer = [0; 512];
        let (length, client) = udp.recv_from(&mut buffer).await.unwrap();
        let cut = reply(&buffer[..length], TC, 0, &[], &[]);
        udp.send_to(&cut, client).await.unwrap();
        let (mut stream, _) = tcp.accept().await.unwrap();
        let length = usize::from(stream.read_u16().await.unwrap());
        let mut query = vec![0; length];
        stream.read_exact(&mut query).await.unwrap();
        let whole = reply(&query, AD, 0, &[(1, 60, &[192, 0, 2, 9])], &[]);
        stream.write_u16(whole.len() as u16).await.unwrap();
        stream.write_all(&whole).await.unwrap();
    });
    let answer = stub(&[address], Trust::Loopback).lookup(a()).await.answer;
    match answer {
        Answer::Records { data, .. } => {
            assert_eq!(data, [RecordData::A("192.0.2.9".parse().unwrap())]);
        }
        other => panic!("{other:?}"),
    }
}

/// MX-15: AD is believed over loopback only, the forwarders there excepted, or by order.
#[test]
fn trust_follows_the_path() {
    let servers = |text: &str| -> Vec<SocketAddr> {
        text.split(' ')
            .map(|server| server.parse().unwrap())
            .collect()
    };
    for (list, believed) in [
        ("127.0.0.1:53", true),
        ("[::1]:53", true),
        ("127.0.0.1:53 127.0.0.2:5353", true),
        ("127.0.0.53:53", false),
        ("127.0.0.54:53", false),
        ("127.0.0.11:53", false),
        ("192.0.2.53:53", false),
        ("127.0.0.1:53 192.0.2.53:53", false),
    ] {
        assert_eq!(Trust::Loopback.believes(&servers(list)), believed, "{list}");
        assert!(Trust::Always.believes(&servers(list)));
        assert!(!Trust::Never.believes(&servers(list)));
    }
    assert!(!Trust::Loopback.believes(&[]));
}

/// MX-15, MX-04: without trust, AD counts for nothing; without AD, an answer is insecure.
#[tokio::test]
async fn status_needs_trust_and_ad() {
    let (address, _) = server(Arc::new(good)).await;
    let answer = stub(&[address], Trust::Never).lookup(a()).await.answer;
    assert_eq!(answer.status(), SecurityStatus::Insecure);
    assert_eq!(
        stub(&[address], Trust::Never).validation(),
        Validation::NotValidating
    );
    let plain = |query: &[u8]| Some(reply(query, 0, 0, &[(1, 60, &[192, 0, 2, 1])], &[]));
    let (address, _) = server(Arc::new(plain)).await;
    let answer = stub(&[address], Trust::Always).lookup(a()).await.answer;
    assert_eq!(answer.status(), SecurityStatus::Insecure);
}

/// MX-03, MX-04: every kind of trouble is a failure, with its kind.
#[tokio::test]
async fn trouble_is_failure() {
    let cases: [(Manner, FailureKind); 6] = [
        (
            Arc::new(|q: &[u8]| Some(reply(q, 0, 2, &[], &[]))),
            FailureKind::ServFail,
        ),
        (
            Arc::new(|q: &[u8]| Some(reply(q, 0, 2, &[], &[22, 9]))),
            FailureKind::Bogus,
        ),
        (
            Arc::new(|q: &[u8]| Some(reply(q, 0, 5, &[], &[]))),
            FailureKind::Refused,
        ),
        (
            Arc::new(|q: &[u8]| Some(reply(q, 0, 1, &[], &[]))),
            FailureKind::Refused,
        ),
        (
            Arc::new(|q: &[u8]| {
                let mut bytes = good(q).unwrap();
                bytes.truncate(bytes.len() - 3);
                Some(bytes)
            }),
            FailureKind::Malformed,
        ),
        (Arc::new(|_: &[u8]| None), FailureKind::Timeout),
    ];
    for (manner, expected) in cases {
        let (address, _) = server(manner).await;
        let answer = stub(&[address], Trust::Loopback).lookup(a()).await.answer;
        assert_eq!(kind(&answer), Some(expected), "{answer:?}");
    }
    let nobody = UdpSocket::bind("127.0.0.1:0")
        .await
        .unwrap()
        .local_addr()
        .unwrap();
    let answer = stub(&[nobody], Trust::Loopback).lookup(a()).await.answer;
    assert_eq!(kind(&answer), Some(FailureKind::Unreachable));
}

/// Replies to another id or another question are not taken; the right one that follows is.
#[tokio::test]
async fn foreign_replies_are_ignored() {
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let address = socket.local_addr().unwrap();
    tokio::spawn(async move {
        let mut buffer = [0; 512];
        let (length, client) = socket.recv_from(&mut buffer).await.unwrap();
        let mut foreign = good(&buffer[..length]).unwrap();
        foreign[0] ^= 0xff;
        socket.send_to(&foreign, client).await.unwrap();
        let mut other = good(&buffer[..length]).unwrap();
        other[13] ^= 0x01;
        socket.send_to(&other, client).await.unwrap();
        let right = good(&buffer[..length]).unwrap();
        socket.send_to(&right, client).await.unwrap();
    });
    let answer = stub(&[address], Trust::Loopback).lookup(a()).await.answer;
    assert_eq!(answer.status(), SecurityStatus::Secure, "{answer:?}");
}

/// MX-17: three results of the self-test; only three plain answers running convict.
#[tokio::test]
async fn the_self_test_has_three_results() {
    let soa = |ad: u16| {
        move |query: &[u8]| {
            let rdata = [&[0, 0][..], &[0; 20]].concat();
            Some(reply(query, ad, 0, &[(6, 60, &rdata)], &[]))
        }
    };
    let (address, _) = server(Arc::new(soa(AD))).await;
    let validating = stub(&[address], Trust::Loopback);
    assert_eq!(
        validating.validation(),
        Validation::Unknown,
        "nothing is known before the test"
    );
    self_test::test(&validating).await;
    assert_eq!(validating.validation(), Validation::Validating);
    let (address, seen) = server(Arc::new(soa(0))).await;
    let plain = stub(&[address], Trust::Loopback);
    self_test::test(&plain).await;
    assert_eq!(plain.validation(), Validation::NotValidating);
    assert_eq!(seen.lock().unwrap().len(), 3, "convicted by three answers");
    let spoiled = |query: &[u8]| Some(reply(query, 0, 2, &[], &[]));
    let (address, _) = server(Arc::new(spoiled)).await;
    let unknown = stub(&[address], Trust::Loopback);
    self_test::test(&unknown).await;
    assert_eq!(unknown.validation(), Validation::Unknown);
}

/// A server that does not validate never answers in the place of one that does (D1 of the design).
#[tokio::test]
async fn only_a_validating_server_stands_in() {
    let soa = [&[0, 0][..], &[0; 20]].concat();
    let kept = soa.clone();
    // Validates, and fails at everything but the test.
    let first = move |query: &[u8]| {
        let is_test = question(query).starts_with(b"\x03com");
        Some(if is_test {
            reply(query, AD, 0, &[(6, 60, &kept)], &[])
        } else {
            reply(query, 0, 2, &[], &[])
        })
    };
    let second = move |query: &[u8]| {
        let is_test = question(query).starts_with(b"\x03com");
        let kind: (u16, u32, &[u8]) = if is_test {
            (6, 60, &soa)
        } else {
            (1, 60, &[192, 0, 2, 66])
        };
        Some(reply(query, 0, 0, &[kind], &[]))
    };
    let (one, _) = server(Arc::new(first)).await;
    let (two, seen) = server(Arc::new(second)).await;
    let stub = stub(&[one, two], Trust::Loopback);
    self_test::test(&stub).await;
    let tested = seen.lock().unwrap().len();
    let answer = stub.lookup(a()).await.answer;
    assert_eq!(kind(&answer), Some(FailureKind::ServFail), "{answer:?}");
    assert_eq!(
        seen.lock().unwrap().len(),
        tested,
        "the other server was not asked"
    );
}

/// With the self-test switched off nobody is known to validate, so nobody stands in for the first.
#[tokio::test]
async fn without_a_test_the_first_server_is_alone() {
    let fails = |query: &[u8]| Some(reply(query, 0, 2, &[], &[]));
    let (one, _) = server(Arc::new(fails)).await;
    let (two, seen) = server(Arc::new(good)).await;
    let servers = [one, two];
    let options = DnsOptions {
        servers: servers.to_vec(),
        trust: Trust::Loopback,
        timeout: Duration::from_secs(5),
        lookups: 16,
        self_test: None,
        self_test_bogus: None,
    };
    let answer = DnsStub::new(options, &servers).lookup(a()).await.answer;
    assert_eq!(kind(&answer), Some(FailureKind::ServFail), "{answer:?}");
    assert!(seen.lock().unwrap().is_empty());
}

/// CA-02, TU-06: recorded bytes: negative TTL from the SOA, odd TLSA and MX data harm only themselves.
#[test]
fn messages_are_read_record_by_record() {
    let asked = Question::new(DomainName::parse("e.test").unwrap(), RecordType::Tlsa);
    let mut query = vec![0x12, 0x34, 1, 0x20, 0, 1, 0, 0, 0, 0, 0, 0];
    query.extend(b"\x01e\x04test\x00\x00\x34\x00\x01");
    let records: [(u16, u32, &[u8]); 3] =
        [(52, 60, &[3, 1]), (52, 60, &[]), (52, 30, &[3, 1, 1, 9])];
    let bytes = reply(&query, AD, 0, &records, &[]);
    let message = read(&bytes, 0x1234, &asked).unwrap();
    match interpret(&asked, &message, true) {
        Answer::Records {
            data, ttl, status, ..
        } => {
            assert_eq!(data.len(), 3);
            assert_eq!(data[0], RecordData::Tlsa(vec![3, 1]));
            assert_eq!(
                (ttl, status),
                (Duration::from_secs(30), SecurityStatus::Secure)
            );
        }
        other => panic!("{other:?}"),
    }
    // NXDOMAIN with a SOA of TTL 3600 and minimum 60 in the authority section.
    let mut denial = reply(&query, AD, 3, &[], &[]);
    denial[9] = 1;
    denial.extend([0xc0, 14, 0, 6, 0, 1, 0, 0, 0x0e, 0x10, 0, 22, 0, 0]);
    denial.extend([0; 16]);
    denial.extend([0, 0, 0, 60]);
    let message = read(&denial, 0x1234, &asked).unwrap();
    match interpret(&asked, &message, true) {
        Answer::NxDomain(denial) => assert_eq!(denial.ttl, Duration::from_secs(60)),
        other => panic!("{other:?}"),
    }
    let asked = Question::new(DomainName::parse("e.test").unwrap(), RecordType::Mx);
    let kind = query.len() - 3;
    query[kind] = 15;
    let odd: &[u8] = &[0, 20, 4, b'a', b' ', b'b', b'!', 0];
    let records: [(u16, u32, &[u8]); 2] = [(15, 60, &[0, 0, 0]), (15, 60, odd)];
    let message = read(&reply(&query, AD, 0, &records, &[]), 0x1234, &asked).unwrap();
    match interpret(&asked, &message, true) {
        Answer::Records { data, .. } => {
            let null = RecordData::Mx {
                preference: 0,
                exchange: Exchange::Null,
            };
            assert_eq!(data[0], null);
            let malformed = |data: &RecordData| {
                matches!(
                    data,
                    RecordData::Mx {
                        exchange: Exchange::Malformed(_),
                        ..
                    }
                )
            };
            assert!(malformed(&data[1]), "{data:?}");
        }
        other => panic!("{other:?}"),
    }
}

/// MX-07, MX-11: what stands behind a record's data is no part of it, and MX data without any sense
/// is a host that cannot be reached, never the absence of a record.
#[test]
fn data_ends_where_the_record_does() {
    let asked = Question::new(DomainName::parse("e.test").unwrap(), RecordType::Mx);
    let mut query = vec![0x12, 0x34, 1, 0x20, 0, 1, 0, 0, 0, 0, 0, 0];
    query.extend(b"\x01e\x04test\x00\x00\x0f\x00\x01");
    // Each time the next record would go on with what this one has begun.
    for data in [
        &b""[..],
        b"\0",
        b"\0\x0a",
        b"\0\x0a\x01",
        b"\0\x0a\x01m\x05",
    ] {
        let records: [(u16, u32, &[u8]); 2] = [(15, 60, data), (16, 60, b"\x04test")];
        let message = read(&reply(&query, AD, 0, &records, &[]), 0x1234, &asked).unwrap();
        let Answer::Records { data, .. } = interpret(&asked, &message, true) else {
            panic!("{data:?} is read as an absence");
        };
        let [RecordData::Mx { exchange, .. }] = &data[..] else {
            panic!("{data:?}");
        };
        assert!(matches!(exchange, Exchange::Malformed(_)), "{data:?}");
    }
    let kind = query.len() - 3;
    query[kind] = 1;
    let asked = Question::new(asked.name, RecordType::A);
    let cut: [(u16, u32, &[u8]); 2] = [(5, 60, b"\x01a\x04"), (1, 60, &[192, 0, 2, 1])];
    let bytes = reply(&query, AD, 0, &cut, &[]);
    assert_eq!(read(&bytes, 0x1234, &asked), Err(NotAReply::Garbage));
}

/// MX-06: who says that a name does not exist says of which; who refuses need not.
#[test]
fn a_denial_repeats_its_question() {
    let asked = a();
    let header = |code: u8| [0x12, 0x34, 0x81, 0xa0 | code, 0, 0, 0, 0, 0, 0, 0, 0];
    for code in [0, 3] {
        let read = read(&header(code), 0x1234, &asked);
        assert_eq!(read, Err(NotAReply::Garbage), "code {code}");
    }
    let refused = read(&header(5), 0x1234, &asked).unwrap();
    assert_eq!(
        kind(&interpret(&asked, &refused, true)),
        Some(FailureKind::Refused)
    );
}

/// Every prefix and every flipped byte of a message is read without a panic.
#[test]
fn damaged_messages_are_survived() {
    let mut query = vec![0x12, 0x34, 1, 0x20, 0, 1, 0, 0, 0, 0, 0, 0];
    query.extend(b"\x01e\x04test\x00\x00\x34\x00\x01");
    let bytes = reply(&query, AD, 0, &[(52, 60, &[3, 1, 1, 9])], &[6]);
    let asked = Question::new(DomainName::parse("e.test").unwrap(), RecordType::Tlsa);
    for end in 0..bytes.len() {
        let _ = read(&bytes[..end], 0x1234, &asked);
    }
    for at in 0..bytes.len() {
        for value in [0x00, 0x7f, 0x80, 0xc0, 0xff] {
            let mut damaged = bytes.clone();
            damaged[at] = value;
            if let Ok(message) = read(&damaged, 0x1234, &asked) {
                let _ = interpret(&asked, &message, true);
            }
        }
    }
}

/// SB-02, SB-03: SRV data is read whole; what makes no sense names a host that can never be reached, and
/// is no absence.
#[test]
fn srv_data() {
    let name = |text: &str| DomainName::parse(text).unwrap();
    let question = Question::new(name("_submission._tcp.e.test"), RecordType::Srv);
    let read_as = |data: &[u8]| {
        let mut query = vec![0, 7, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0];
        query.extend(b"\x0b_submission\x04_tcp\x01e\x04test\0\0\x21\0\x01");
        let bytes = reply(&query, AD, 0, &[(33, 60, data)], &[]);
        let reply = read(&bytes, 7, &question).unwrap();
        let Answer::Records { data, .. } = interpret(&question, &reply, true) else {
            panic!("{reply:?}");
        };
        let RecordData::Srv {
            priority,
            port,
            target,
        } = data[0].clone()
        else {
            panic!("{data:?}");
        };
        (priority, port, target)
    };
    let host = Exchange::Host(name("mx.test"));
    let whole = b"\0\x0a\0\x01\x02\x4b\x02mx\x04test\0";
    assert_eq!(read_as(whole), (10, 587, host));
    assert_eq!(read_as(b"\0\0\0\0\0\0\0"), (0, 0, Exchange::Null));
    for length in 0..whole.len() {
        let (.., target) = read_as(&whole[..length]);
        assert!(matches!(target, Exchange::Malformed(_)), "cut at {length}");
    }
    let (.., target) = read_as(&[whole, &b"x"[..]].concat());
    assert!(matches!(target, Exchange::Malformed(_)));
}
