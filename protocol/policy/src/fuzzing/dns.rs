//! The target `dns_follow`: structured messages, and what may come of them.

use std::time::Duration;

use super::bytes::Bytes;
use crate::dns::{
    Answer, Denial, Exchange, FailureKind, MAX_ALIASES, MAX_NEGATIVE_TTL, Message, Question,
    Record, RecordData, RecordType, SecurityStatus, follow,
};
use crate::name::DomainName;

/// The target `dns_follow`: a question and a message made of the bytes.
pub fn dns_follow(bytes: &[u8]) {
    let mut bytes = Bytes::new(bytes);
    let question = Question::new(bytes.name(), bytes.pick(TYPES, RecordType::A));
    let mut message = Message {
        status: bytes.pick(
            &[SecurityStatus::Secure, SecurityStatus::Insecure],
            SecurityStatus::Insecure,
        ),
        name_error: bytes.flag(),
        records: Vec::new(),
        negative_ttl: bytes.flag().then(|| bytes.span()),
    };
    while !bytes.is_empty() {
        message.records.push(record(&mut bytes));
    }
    let answer = follow(&question, &message);
    follows(&question, &message, &answer);
    only_the_chain_counts(&question, &message, &answer);
}

/// Panics where the answer is not what stands on the alias chain of the message.
pub fn follows(question: &Question, message: &Message, answer: &Answer) {
    if let Answer::Failed(failure) = answer {
        assert_eq!(failure.kind, FailureKind::AliasLoop, "{message:?}");
        return assert!(runs_wild(question, message), "{failure:?}: {message:?}");
    }
    assert_eq!(
        answer.status(),
        message.status,
        "a status that nobody vouched for"
    );
    let aliases = answer.aliases();
    assert!(aliases.len() <= MAX_ALIASES, "{aliases:?}");
    let names: Vec<&DomainName> = std::iter::once(&question.name).chain(aliases).collect();
    for (at, name) in names.iter().enumerate() {
        let later = names.iter().skip(at + 1);
        assert!(!later.into_iter().any(|other| other == name), "{names:?}");
    }
    let mut shortest = Duration::MAX;
    for (from, to) in names.iter().zip(names.iter().skip(1)) {
        assert!(
            wanted(question, message, from).next().is_none(),
            "records at {from} are passed by"
        );
        let link = alias_of(message, from);
        assert_eq!(link.map(|(target, _)| target), Some(*to), "{message:?}");
        shortest = shortest.min(link.map_or(Duration::ZERO, |(_, ttl)| ttl));
    }
    let end = names.last().copied().unwrap_or(&question.name);
    let found: Vec<&Record> = wanted(question, message, end).collect();
    let shortest = found
        .iter()
        .map(|record| record.ttl)
        .fold(shortest, Duration::min);
    match answer {
        Answer::Records { data, ttl, .. } => {
            let expected: Vec<&RecordData> = found.iter().map(|record| &record.data).collect();
            assert!(!data.is_empty(), "records without records");
            assert_eq!(data.iter().collect::<Vec<_>>(), expected, "{message:?}");
            assert_eq!(*ttl, shortest, "CA-01: the smallest TTL on the chain");
        }
        Answer::NoData(denial) => is_absent(message, denial, &found, end, shortest, false),
        Answer::NxDomain(denial) => is_absent(message, denial, &found, end, shortest, true),
        Answer::Failed(_) => {}
    }
}

fn is_absent(
    message: &Message,
    denial: &Denial,
    found: &[&Record],
    end: &DomainName,
    shortest: Duration,
    name_error: bool,
) {
    assert!(found.is_empty(), "absent, and there: {found:?}");
    assert!(
        alias_of(message, end).is_none(),
        "the chain goes on at {end}"
    );
    assert_eq!(message.name_error, name_error, "{message:?}");
    let said = message.negative_ttl.unwrap_or(Duration::ZERO);
    assert_eq!(
        denial.ttl,
        shortest.min(said).min(MAX_NEGATIVE_TTL),
        "{message:?}"
    );
}

/// Whether the first aliases run in a circle or on for too long before any record is found.
fn runs_wild(question: &Question, message: &Message) -> bool {
    let mut name = &question.name;
    for _ in 0..=MAX_ALIASES {
        if wanted(question, message, name).next().is_some() {
            return false;
        }
        match alias_of(message, name) {
            Some((target, _)) => name = target,
            None => return false,
        }
    }
    true
}

/// Records elsewhere, and the order of the records, change nothing.
fn only_the_chain_counts(question: &Question, message: &Message, answer: &Answer) {
    let on_chain = |name: &DomainName| *name == question.name || answer.aliases().contains(name);
    if !matches!(answer, Answer::Failed(_)) {
        let mut bare = message.clone();
        bare.records.retain(|record| on_chain(&record.owner));
        assert_eq!(follow(question, &bare), *answer, "what is elsewhere counts");
    }
    let is_alias = |record: &&Record| matches!(record.data, RecordData::Cname(_));
    let aliases = message.records.iter().filter(is_alias);
    let mut owners: Vec<&DomainName> = aliases.map(|record| &record.owner).collect();
    owners.sort();
    if owners
        .iter()
        .zip(owners.iter().skip(1))
        .any(|(one, next)| one == next)
    {
        return;
    }
    let mut turned = message.clone();
    turned.records.reverse();
    let (mut one, mut other) = (answer.clone(), follow(question, &turned));
    for answer in [&mut one, &mut other] {
        if let Answer::Records { data, .. } = answer {
            data.sort_by_cached_key(|data| format!("{data:?}"));
        }
    }
    assert_eq!(one, other, "the order of the records counts: {message:?}");
}

fn wanted<'a>(
    question: &Question,
    message: &'a Message,
    owner: &DomainName,
) -> impl Iterator<Item = &'a Record> {
    let (wanted, owner) = (question.record_type, owner.clone());
    let records = message.records.iter();
    records.filter(move |record| record.owner == owner && type_of(&record.data) == wanted)
}

fn alias_of<'a>(message: &'a Message, owner: &DomainName) -> Option<(&'a DomainName, Duration)> {
    message
        .records
        .iter()
        .find_map(|record| match &record.data {
            RecordData::Cname(target) if record.owner == *owner => Some((target, record.ttl)),
            _ => None,
        })
}

fn type_of(data: &RecordData) -> RecordType {
    match data {
        RecordData::A(_) => RecordType::A,
        RecordData::Aaaa(_) => RecordType::Aaaa,
        RecordData::Cname(_) => RecordType::Cname,
        RecordData::Mx { .. } => RecordType::Mx,
        RecordData::Soa => RecordType::Soa,
        RecordData::Srv { .. } => RecordType::Srv,
        RecordData::Tlsa(_) => RecordType::Tlsa,
        RecordData::Txt(_) => RecordType::Txt,
    }
}

fn record(bytes: &mut Bytes<'_>) -> Record {
    let kind = bytes.byte();
    let (owner, ttl) = (bytes.name(), bytes.span());
    let data = match kind % 8 {
        // Twice, for chains are what this is about.
        0 | 7 => RecordData::Cname(bytes.name()),
        1 => RecordData::A(std::net::Ipv4Addr::new(127, 0, 0, bytes.byte())),
        2 => RecordData::Aaaa(std::net::Ipv6Addr::from(u128::from(bytes.byte()))),
        3 => RecordData::Mx {
            preference: u16::from(bytes.byte()),
            exchange: match bytes.byte() % 3 {
                0 => Exchange::Host(bytes.name()),
                1 => Exchange::Null,
                _ => Exchange::Malformed(bytes.text()),
            },
        },
        4 => RecordData::Soa,
        5 => RecordData::Tlsa(bytes.text().into_bytes()),
        _ => RecordData::Txt(vec![bytes.text().into_bytes()]),
    };
    // A chain needs few bytes where each name has a number.
    let owner = match kind {
        0x80.. => numbered(kind),
        _ => owner,
    };
    let data = match data {
        RecordData::Cname(_) if kind >= 0x80 => RecordData::Cname(numbered(kind.wrapping_add(8))),
        data => data,
    };
    Record { owner, ttl, data }
}

/// Names of a long chain; the first is the first of the known names.
fn numbered(kind: u8) -> DomainName {
    match kind / 8 {
        16 => Bytes::new(&[0]).name(),
        number => DomainName::parse(&format!("n{number}.test"))
            .unwrap_or_else(|_| Bytes::new(&[0]).name()),
    }
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
