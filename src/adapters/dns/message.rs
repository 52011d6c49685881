//! DNS messages: one query as bytes, one reply as a value (RFC 1035, 4; RFC 6840, 5.7; RFC 8914).
//!
//! Records are taken apart one by one: a malformed one harms only itself, where a parser of whole
//! messages would give up (TU-06).

mod hosts;

use std::net::{Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use hickory_proto::op::{Edns, Message as Query, Query as QuestionSection};
use hickory_proto::rr::{Name, RecordType as WireType};
use hickory_proto::serialize::binary::{BinDecodable, BinDecoder};
use hoplock_policy::dns::{
    Answer, FailureKind, Message, Question, Record, RecordData, RecordType, SecurityStatus, follow,
};
use hoplock_policy::name::DomainName;

/// A query as it leaves: its id, and its bytes.
#[derive(Clone, Debug)]
pub struct Outgoing {
    /// Must come back.
    pub id: u16,
    /// The message.
    pub bytes: Vec<u8>,
}

/// What a server replied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerReply {
    /// Response code, extended bits included.
    pub rcode: u16,
    /// The server vouches for the whole answer.
    pub authentic: bool,
    /// Cut short: ask again over TCP.
    pub truncated: bool,
    /// The answer section, as far as this service can use it.
    pub records: Vec<Record>,
    /// RFC 2308, 5: from the SOA of the authority section.
    pub negative_ttl: Option<Duration>,
    /// RFC 8914: codes and texts.
    pub extended_errors: Vec<(u16, String)>,
}

/// Bytes that are no reply to the query.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotAReply {
    /// Another id or question: keep listening.
    Foreign,
    /// Ours, and unreadable: ask the next server.
    Garbage,
}

/// The query for a question: RD, AD, no CD, no DO, EDNS with a payload that is never fragmented.
///
/// # Errors
/// Words, where the name cannot stand on the wire.
pub fn query(question: &Question) -> Result<Outgoing, String> {
    let name = Name::from_ascii(format!("{}.", question.name)).map_err(|why| why.to_string())?;
    let mut message = Query::query();
    let id = rand::random();
    message.metadata.id = id;
    message.metadata.recursion_desired = true;
    // RFC 6840, 5.7: AD in the query asks for AD in the answer.
    message.metadata.authentic_data = true;
    message.add_query(QuestionSection::query(
        name,
        wire_type(question.record_type),
    ));
    let mut edns = Edns::new();
    edns.set_max_payload(PAYLOAD);
    message.edns = Some(edns);
    let bytes = message.to_vec().map_err(|why| why.to_string())?;
    Ok(Outgoing { id, bytes })
}

/// Reads a reply to `question` that was asked with `id`.
///
/// # Errors
/// [`NotAReply`] says whether to go on listening.
pub fn read(bytes: &[u8], id: u16, question: &Question) -> Result<ServerReply, NotAReply> {
    let mut decoder = BinDecoder::new(bytes);
    let header = Header::read(&mut decoder).ok_or(NotAReply::Foreign)?;
    if header.id != id || header.flags & FLAG_RESPONSE == 0 || header.flags & OPCODE != 0 {
        return Err(NotAReply::Foreign);
    }
    if header.questions == 0 && !matches!(header.flags & RCODE, NOERROR | NXDOMAIN) {
        // Some servers repeat no question when they refuse. Who says that a name does not exist must
        // say of which.
        return Ok(header.without_records());
    }
    let asked = (header.questions == 1)
        .then(|| read_question(&mut decoder))
        .flatten();
    let Some((name, record_type)) = asked else {
        return Err(NotAReply::Garbage);
    };
    if name.as_ref() != Some(&question.name)
        || record_type != u16::from(wire_type(question.record_type))
    {
        return Err(NotAReply::Foreign);
    }
    let mut reply = header.without_records();
    if reply.truncated {
        return Ok(reply);
    }
    read_sections(&mut decoder, &header, &mut reply).ok_or(NotAReply::Garbage)?;
    Ok(reply)
}

/// What a reply means for the question; `believed` where AD counts (MX-15). What has more NSEC3 iterations
/// than the validator counts is insecure or failed, as that says (RFC 9276, 3.2; MX-18).
#[must_use]
pub fn interpret(question: &Question, reply: &ServerReply, believed: bool) -> Answer {
    let name_error = match reply.rcode {
        NOERROR => false,
        NXDOMAIN => true,
        code => return failed(code, reply),
    };
    let status = if reply.authentic && believed {
        SecurityStatus::Secure
    } else {
        SecurityStatus::Insecure
    };
    let records = reply.records.clone();
    let message = Message {
        status,
        name_error,
        records,
        negative_ttl: reply.negative_ttl,
    };
    follow(question, &message)
}

/// RFC 8914: the validator says that it is the signatures; another server's word would be weaker.
#[must_use]
pub fn is_bogus(reply: &ServerReply) -> bool {
    reply.rcode == SERVFAIL
        && reply
            .extended_errors
            .iter()
            .any(|(code, _)| matches!(code, 1 | 2 | 5..=12))
}

/// True where the reply says something about the name, be it absence.
#[must_use]
pub fn is_answer(reply: &ServerReply) -> bool {
    matches!(reply.rcode, NOERROR | NXDOMAIN)
}

fn failed(code: u16, reply: &ServerReply) -> Answer {
    let mut words = match code {
        SERVFAIL => "the resolver says SERVFAIL".to_owned(),
        REFUSED => "the resolver says REFUSED".to_owned(),
        code => format!("the resolver says response code {code}"),
    };
    for (code, text) in &reply.extended_errors {
        words.push_str(&format!(" (extended error {code}"));
        if !text.is_empty() {
            words.push_str(&format!(": {text}"));
        }
        words.push(')');
    }
    let kind = match code {
        _ if is_bogus(reply) => FailureKind::Bogus,
        SERVFAIL => FailureKind::ServFail,
        _ => FailureKind::Refused,
    };
    Answer::failed(kind, words)
}

struct Header {
    id: u16,
    flags: u16,
    questions: u16,
    answers: u16,
    authorities: u16,
    additionals: u16,
}

impl Header {
    fn read(decoder: &mut BinDecoder<'_>) -> Option<Self> {
        Some(Self {
            id: u16(decoder)?,
            flags: u16(decoder)?,
            questions: u16(decoder)?,
            answers: u16(decoder)?,
            authorities: u16(decoder)?,
            additionals: u16(decoder)?,
        })
    }

    fn without_records(&self) -> ServerReply {
        ServerReply {
            rcode: self.flags & RCODE,
            authentic: self.flags & FLAG_AUTHENTIC != 0,
            truncated: self.flags & FLAG_TRUNCATED != 0,
            records: Vec::new(),
            negative_ttl: None,
            extended_errors: Vec::new(),
        }
    }
}

fn read_question(decoder: &mut BinDecoder<'_>) -> Option<(Option<DomainName>, u16)> {
    let name = Name::read(decoder).ok()?;
    let record_type = u16(decoder)?;
    let _class = u16(decoder)?;
    Some((domain_name(&name), record_type))
}

fn read_sections(
    decoder: &mut BinDecoder<'_>,
    header: &Header,
    reply: &mut ServerReply,
) -> Option<()> {
    for _ in 0..header.answers {
        let raw = Raw::read(decoder)?;
        reply.records.extend(raw.record()?);
    }
    for _ in 0..header.authorities {
        let raw = Raw::read(decoder)?;
        if raw.record_type == u16::from(WireType::SOA) && reply.negative_ttl.is_none() {
            reply.negative_ttl = raw.negative_ttl();
        }
    }
    for _ in 0..header.additionals {
        let raw = Raw::read(decoder)?;
        if raw.record_type == u16::from(WireType::OPT) {
            reply.rcode |= u16::from(raw.ttl.to_be_bytes()[0]) << 4;
            reply.extended_errors = extended_errors(raw.data);
        }
    }
    Some(())
}

/// One record, its data still bytes.
struct Raw<'a> {
    owner: Name,
    record_type: u16,
    ttl: u32,
    data: &'a [u8],
    /// A decoder that stands at the data, for names that are compressed.
    inside: BinDecoder<'a>,
    /// Where the data ends.
    end: usize,
}

impl<'a> Raw<'a> {
    fn read(decoder: &mut BinDecoder<'a>) -> Option<Self> {
        let owner = Name::read(decoder).ok()?;
        let record_type = u16(decoder)?;
        let _class = u16(decoder)?;
        let ttl = decoder.read_u32().ok()?.unverified();
        let length = usize::from(u16(decoder)?);
        let inside = decoder.clone(u16::try_from(decoder.index()).ok()?);
        let data = decoder.read_slice(length).ok()?.unverified();
        Some(Self {
            owner,
            record_type,
            ttl,
            data,
            inside,
            end: decoder.index(),
        })
    }

    /// The record as this service uses it; `Some(None)` for others, `None` for data that breaks the
    /// alias chain and so the whole reply.
    #[allow(
        clippy::option_option,
        reason = "two different ways of not being there"
    )]
    fn record(mut self) -> Option<Option<Record>> {
        let Some(owner) = domain_name(&self.owner) else {
            return Some(None);
        };
        let data = match WireType::from(self.record_type) {
            WireType::A => <[u8; 4]>::try_from(self.data)
                .ok()
                .map(|octets| RecordData::A(Ipv4Addr::from(octets))),
            WireType::AAAA => <[u8; 16]>::try_from(self.data)
                .ok()
                .map(|octets| RecordData::Aaaa(Ipv6Addr::from(octets))),
            WireType::CNAME => {
                let target = self.name()?;
                Some(RecordData::Cname(domain_name(&target)?))
            }
            WireType::MX => Some(self.mx()),
            WireType::SOA => Some(RecordData::Soa),
            WireType::SRV => Some(self.srv()),
            WireType::TLSA => Some(RecordData::Tlsa(self.data.to_vec())),
            WireType::TXT => strings(self.data).map(RecordData::Txt),
            _ => None,
        };
        let ttl = ttl(self.ttl);
        Some(data.map(|data| Record { owner, ttl, data }))
    }

    /// RFC 2308, 5: the smaller of the SOA's own TTL and its minimum field, which comes last.
    fn negative_ttl(&self) -> Option<Duration> {
        let minimum = self
            .data
            .last_chunk::<4>()
            .map(|octets| u32::from_be_bytes(*octets))?;
        Some(ttl(self.ttl.min(minimum)))
    }
}

fn u16(decoder: &mut BinDecoder<'_>) -> Option<u16> {
    decoder.read_u16().ok().map(|value| value.unverified())
}

fn domain_name(name: &Name) -> Option<DomainName> {
    DomainName::parse(&name.to_ascii()).ok()
}

/// RFC 2181, 8: a TTL with the highest bit set counts as zero.
fn ttl(seconds: u32) -> Duration {
    let seconds = if seconds > i32::MAX.unsigned_abs() {
        0
    } else {
        seconds
    };
    Duration::from_secs(u64::from(seconds))
}

fn strings(mut data: &[u8]) -> Option<Vec<Vec<u8>>> {
    let mut strings = Vec::new();
    while let Some((length, rest)) = data.split_first() {
        let (string, rest) = rest.split_at_checked(usize::from(*length))?;
        strings.push(string.to_vec());
        data = rest;
    }
    Some(strings)
}

/// All of them: the first is not always the one that tells.
fn extended_errors(mut options: &[u8]) -> Vec<(u16, String)> {
    let mut errors = Vec::new();
    while let [code_high, code_low, length_high, length_low, rest @ ..] = options {
        let code = u16::from_be_bytes([*code_high, *code_low]);
        let length = usize::from(u16::from_be_bytes([*length_high, *length_low]));
        let Some((value, rest)) = rest.split_at_checked(length) else {
            break;
        };
        if let (EXTENDED_ERROR, [high, low, text @ ..]) = (code, value) {
            let info = u16::from_be_bytes([*high, *low]);
            errors.push((info, String::from_utf8_lossy(text).into_owned()));
        }
        options = rest;
    }
    errors
}

fn wire_type(record_type: RecordType) -> WireType {
    match record_type {
        RecordType::A => WireType::A,
        RecordType::Aaaa => WireType::AAAA,
        RecordType::Cname => WireType::CNAME,
        RecordType::Mx => WireType::MX,
        RecordType::Soa => WireType::SOA,
        RecordType::Srv => WireType::SRV,
        RecordType::Tlsa => WireType::TLSA,
        RecordType::Txt => WireType::TXT,
    }
}

/// The size that passes every network unfragmented (DNS flag day 2020).
const PAYLOAD: u16 = 1232;
/// RFC 8914, 2: the option code.
const EXTENDED_ERROR: u16 = 15;
const FLAG_RESPONSE: u16 = 0x8000;
const OPCODE: u16 = 0x7800;
const FLAG_TRUNCATED: u16 = 0x0200;
const FLAG_AUTHENTIC: u16 = 0x0020;
const RCODE: u16 = 0x000f;
const NOERROR: u16 = 0;
const SERVFAIL: u16 = 2;
const NXDOMAIN: u16 = 3;
const REFUSED: u16 = 5;
