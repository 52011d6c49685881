//! What must hold for any reply of a resolver, and for any resolv.conf; called by the fuzz targets and
//! by the replay of their corpus.

use std::time::Duration;

use hoplock_policy::dns::{
    Answer, Exchange, FailureKind, Message, Question, RecordData, RecordType, SecurityStatus,
};
use hoplock_policy::fuzzing::{Bytes, follows};

use super::message::{NotAReply, ServerReply, interpret, is_answer, is_bogus, query, read};
use super::system::servers_in;

/// The target `dns_message`: a type, a name, and a message with whatever id it has.
pub fn dns_message(bytes: &[u8]) {
    let mut bytes = Bytes::new(bytes);
    let record_type = bytes.pick(TYPES, RecordType::Mx);
    let question = Question::new(bytes.name(), record_type);
    asked(&question);
    let message = bytes.take(usize::MAX);
    let field = |at: usize| match message.get(at..at + 2) {
        Some(&[high, low]) => u16::from_be_bytes([high, low]),
        _ => 0,
    };
    let (id, flags) = (field(0), field(2));
    let foreign = read(message, id.wrapping_add(1), &question);
    assert_eq!(foreign, Err(NotAReply::Foreign), "another id is taken");
    let outcome = read(message, id, &question);
    cut_or_prolonged(message, id, &question, &outcome);
    let Ok(reply) = outcome else {
        return;
    };
    assert_eq!(flags & 0xf800, 0x8000, "no reply to a query, and taken");
    assert_eq!(reply.rcode & 15, flags & 15);
    assert_eq!(reply.truncated, flags & 0x0200 != 0);
    assert_eq!(reply.authentic, flags & 0x0020 != 0);
    if reply.truncated {
        // Never looked into: it is asked for again over TCP.
        return assert!(reply.records.is_empty());
    }
    if field(4) != 1 {
        assert_eq!(field(4), 0, "several questions");
        assert!(!is_answer(&reply), "an answer to nobody knows what");
    }
    records(message, &reply, usize::from(field(6)));
    for believed in [false, true] {
        meaning(&question, &reply, believed);
    }
}

/// Every question can be asked, and its own bytes as a reply are an empty one.
fn asked(question: &Question) {
    let outgoing = query(question);
    assert!(outgoing.is_ok(), "{question:?}: {outgoing:?}");
    let Ok(outgoing) = outgoing else { return };
    let mut bytes = outgoing.bytes;
    assert_eq!(
        read(&bytes, outgoing.id, question),
        Err(NotAReply::Foreign),
        "a query is taken for a reply"
    );
    if let Some(flags) = bytes.get_mut(2) {
        *flags |= 0x80;
    }
    let reply = read(&bytes, outgoing.id, question);
    let empty = reply.map(|reply| interpret(question, &reply, false));
    assert!(matches!(empty, Ok(Answer::NoData(_))), "{empty:?}");
}

/// What follows a message changes nothing, and a part of it is never another message.
fn cut_or_prolonged(
    message: &[u8],
    id: u16,
    question: &Question,
    outcome: &Result<ServerReply, NotAReply>,
) {
    let longer = [message, &[0xc0, 0x0c, 0, 1, 0xff]].concat();
    if outcome.is_ok() {
        assert_eq!(read(&longer, id, question), *outcome, "more bytes count");
    }
    let length = message.len();
    for cut in [12, length / 3, length / 2, length.saturating_sub(1)] {
        let part = message.get(..cut).unwrap_or(message);
        if let Ok(reply) = read(part, id, question) {
            assert_eq!(Ok(reply), *outcome, "cut at {cut}");
        }
    }
}

/// Each record stands in the message: as many at most as it announces, with their bytes.
fn records(message: &[u8], reply: &ServerReply, announced: usize) {
    assert!(reply.records.len() <= announced, "{reply:?}");
    let there = |part: &[u8]| part.is_empty() || message.windows(part.len()).any(|own| own == part);
    let longest = Duration::from_secs(0x7fff_ffff);
    assert!(reply.negative_ttl.is_none_or(|ttl| ttl <= longest));
    for record in &reply.records {
        assert!(record.ttl <= longest, "RFC 2181, 8: {record:?}");
        let good = match &record.data {
            RecordData::A(address) => there(&address.octets()),
            RecordData::Aaaa(address) => there(&address.octets()),
            RecordData::Tlsa(data) => there(data),
            RecordData::Txt(strings) => strings
                .iter()
                .all(|string| string.len() < 256 && there(string)),
            RecordData::Mx {
                preference,
                exchange,
            } => there(&preference.to_be_bytes()) || matches!(exchange, Exchange::Malformed(_)),
            RecordData::Srv { port, target, .. } => {
                there(&port.to_be_bytes()) || matches!(target, Exchange::Malformed(_))
            }
            RecordData::Cname(_) | RecordData::Soa => true,
        };
        assert!(good, "{record:?} stands nowhere");
    }
    for (_, text) in &reply.extended_errors {
        assert!(text.len() <= 3 * message.len(), "{text:?}");
    }
}

/// MX-03, MX-04, MX-15: errors are failures, AD counts where it is believed, and what comes out stands
/// on the chain of aliases.
fn meaning(question: &Question, reply: &ServerReply, believed: bool) {
    let answer = interpret(question, reply, believed);
    let vouched = believed && reply.authentic;
    if !vouched {
        assert_ne!(answer.status(), SecurityStatus::Secure, "{reply:?}");
    }
    assert_eq!(is_answer(reply), matches!(reply.rcode, 0 | 3));
    if !is_answer(reply) {
        let failed = match &answer {
            Answer::Failed(failure) => failure.kind,
            other => {
                return assert!(
                    !other.status().word().is_empty() && is_answer(reply),
                    "{other:?}"
                );
            }
        };
        let expected = match reply.rcode {
            2 if is_bogus(reply) => FailureKind::Bogus,
            2 => FailureKind::ServFail,
            _ => FailureKind::Refused,
        };
        assert_eq!(failed, expected, "{reply:?}");
        return;
    }
    assert!(!is_bogus(reply));
    let message = Message {
        status: if vouched {
            SecurityStatus::Secure
        } else {
            SecurityStatus::Insecure
        },
        name_error: reply.rcode == 3,
        records: reply.records.clone(),
        negative_ttl: reply.negative_ttl,
    };
    follows(question, &message, &answer);
}

/// The target `resolv_conf`: a server that is asked is one that the text names (MX-15).
pub fn resolv_conf(bytes: &[u8]) {
    let Ok(servers) = servers_in(bytes) else {
        return;
    };
    let text = String::from_utf8_lossy(bytes);
    let named: Vec<std::net::IpAddr> = text
        .lines()
        .filter_map(|line| {
            let mut words = line.split_whitespace();
            let is_server = words.next() == Some("nameserver");
            let word = words.next().filter(|_| is_server)?;
            // The scope of a link and remarks stand behind signs of their own.
            word.split(['%', '#', ';'])
                .next()
                .and_then(|address| address.parse().ok())
        })
        .collect();
    for server in &servers {
        assert_eq!(server.port(), 53);
        assert!(
            named.contains(&server.ip()),
            "{server} stands nowhere in {text:?}"
        );
    }
    let mut once = servers.clone();
    once.dedup();
    assert_eq!(once, servers);
}

const TYPES: &[RecordType] = &[
    RecordType::A,
    RecordType::Aaaa,
    RecordType::Cname,
    RecordType::Mx,
    RecordType::Soa,
    RecordType::Tlsa,
    RecordType::Txt,
];
