//! One query as bytes, one reply as bytes (RFC 1035, 4; RFC 6891; RFC 2308, 3).
//!
//! The zone has an SOA, an NS and TXT records below it. A policy that cannot be told is a failure, so that
//! whoever asks waits: never an absence, which would read as "nothing is owed" (RFC 7672, 2.1.2).

use std::time::Duration;

use hickory_proto::op::{Edns, Message, MessageType, Metadata, OpCode, ResponseCode};
use hickory_proto::rr::rdata::opt::EdnsOption;
use hickory_proto::rr::rdata::{NS, SOA, TXT};
use hickory_proto::rr::{DNSClass, Name, RData, Record, RecordType};
use hoplock_policy::next_hop::{NextHop, NotADomain};

/// What a query asks for.
pub(super) enum Asked {
    /// It is no query: a reply to it could go round and round.
    Nothing,
    /// It is answered without any lookup.
    AtOnce(Outgoing),
    /// The policy of this destination.
    Policy {
        /// The destination.
        destination: String,
        /// The reply, as far as it is made.
        outgoing: Outgoing,
    },
}

/// A reply in the making.
pub(super) struct Outgoing {
    message: Message,
    /// The largest message that the client takes over UDP.
    payload: usize,
}

/// How a reply travels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Transport {
    /// Datagrams: what is too long is cut, and asked for again over TCP.
    Udp,
    /// A stream.
    Tcp,
}

/// Reads a query. Never fails: what cannot be read is told so, as far as it has a header.
pub(super) fn read(bytes: &[u8], zone: &Name) -> Asked {
    let (Some(&[first, second]), Some(flags)) = (bytes.first_chunk::<2>(), bytes.get(2)) else {
        return Asked::Nothing;
    };
    if bytes.len() < HEADER || flags & RESPONSE != 0 {
        return Asked::Nothing;
    }
    let Ok(query) = Message::from_vec(bytes) else {
        let op_code = OpCode::from_u8((flags >> 3) & 0x0f);
        let id = u16::from_be_bytes([first, second]);
        let metadata = Metadata::new(id, MessageType::Query, op_code);
        return Outgoing::to(&metadata, None).refused(ResponseCode::FormErr);
    };
    let mut outgoing = Outgoing::to(&query.metadata, query.edns.as_ref());
    if query.edns.as_ref().is_some_and(|edns| edns.version() != 0) {
        // RFC 6891, 6.1.3.
        return outgoing.refused(ResponseCode::BADVERS);
    }
    if query.metadata.op_code != OpCode::Query {
        return outgoing.refused(ResponseCode::NotImp);
    }
    let [question] = query.queries.as_slice() else {
        return outgoing.refused(ResponseCode::FormErr);
    };
    outgoing.message.add_query(question.clone());
    let (name, record_type) = (question.name(), question.query_type());
    let is_ours = question.query_class() == DNSClass::IN && zone.zone_of(name);
    if !is_ours || matches!(record_type, RecordType::AXFR | RecordType::IXFR) {
        return outgoing.refused(ResponseCode::Refused);
    }
    outgoing.message.metadata.authoritative = true;
    match (below(name, zone), record_type) {
        (Below::Apex, RecordType::SOA | RecordType::ANY) => {
            outgoing.message.add_answer(soa(zone));
            Asked::AtOnce(outgoing)
        }
        (Below::Apex, RecordType::NS) => {
            // RFC 6303, 3: a zone of this machine alone names itself.
            let ns = Record::from_rdata(zone.clone(), ZONE_TTL, RData::NS(NS(zone.clone())));
            outgoing.message.add_answer(ns);
            Asked::AtOnce(outgoing)
        }
        (Below::Destination(destination), RecordType::TXT | RecordType::ANY) => Asked::Policy {
            destination,
            outgoing,
        },
        // RFC 2308, 2.2: there is such a name, and below it, and no such record.
        (Below::Apex | Below::Between | Below::Destination(_), _) => {
            Asked::AtOnce(outgoing.without_records(zone, ResponseCode::NoError))
        }
        (Below::Nobody, _) => Asked::AtOnce(outgoing.without_records(zone, ResponseCode::NXDomain)),
    }
}

/// What a name of the zone stands for.
enum Below {
    /// The zone itself.
    Apex,
    /// One label, below which there are destinations: resolvers ask for it on their way (RFC 9156).
    Between,
    /// A destination.
    Destination(String),
    /// What is no destination.
    Nobody,
}

fn below(name: &Name, zone: &Name) -> Below {
    let labels = usize::from(name.num_labels().saturating_sub(zone.num_labels()));
    let mut text = String::new();
    for label in name.iter().take(labels) {
        let is_plain = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
        if !label.iter().all(is_plain) {
            return Below::Nobody;
        }
        if !text.is_empty() {
            text.push('.');
        }
        text.push_str(&String::from_utf8_lossy(label));
    }
    if text.is_empty() {
        return Below::Apex;
    }
    match NextHop::parse(&text) {
        NextHop::Domain { .. } | NextHop::Service { .. } => Below::Destination(text),
        NextHop::NotADomain(NotADomain::SingleLabel(_)) => Below::Between,
        NextHop::Host { .. } | NextHop::Parent(_) | NextHop::NotADomain(_) => Below::Nobody,
    }
}

impl Outgoing {
    fn to(query: &Metadata, edns: Option<&Edns>) -> Self {
        let mut message = Message::response(query.id, query.op_code);
        message.metadata = Metadata::response_from_request(query);
        let mut payload = SMALLEST;
        if let Some(edns) = edns {
            payload = usize::from(edns.max_payload()).clamp(SMALLEST, usize::from(PAYLOAD));
            let mut own = Edns::new();
            own.set_max_payload(PAYLOAD).set_version(0);
            message.edns = Some(own);
        }
        Self { message, payload }
    }

    fn refused(mut self, code: ResponseCode) -> Asked {
        self.message.metadata.response_code = code;
        Asked::AtOnce(self)
    }

    fn without_records(mut self, zone: &Name, code: ResponseCode) -> Self {
        self.message.metadata.response_code = code;
        // RFC 2308, 3: an absence is remembered by the SOA.
        self.message.add_authority(soa(zone));
        self
    }

    /// With the words of a policy as one TXT record, the level as its first string.
    pub(super) fn with_policy(mut self, words: &[String], ttl: Duration) -> Self {
        // RFC 1035, 3.3: a string has 255 octets at most. The level always fits.
        let strings = words.iter().filter(|own| own.len() <= 255).cloned();
        let txt = RData::TXT(TXT::new(strings.collect()));
        let name = self.message.queries.first().map(|own| own.name().clone());
        let ttl = u32::try_from(ttl.min(LONGEST).as_secs()).unwrap_or(0);
        if let Some(name) = name {
            self.message.add_answer(Record::from_rdata(name, ttl, txt));
        }
        self
    }

    /// A failure, with its cause for the resolver's log (RFC 8914).
    pub(super) fn failed(mut self, words: &str) -> Self {
        self.message.metadata.response_code = ResponseCode::ServFail;
        self.message.metadata.authoritative = false;
        if let Some(edns) = &mut self.message.edns {
            let text: String = words.chars().take(EXTRA_TEXT).collect();
            let data = [&OTHER_ERROR.to_be_bytes()[..], text.as_bytes()].concat();
            let options = edns.options_mut();
            options.insert(EdnsOption::Unknown(EXTENDED_ERROR, data));
        }
        self
    }

    /// The word of its response code, for metrics.
    pub(super) fn code(&self) -> &'static str {
        match self.message.metadata.response_code {
            ResponseCode::NoError if self.message.answers.is_empty() => "NODATA",
            ResponseCode::NoError => "NOERROR",
            ResponseCode::NXDomain => "NXDOMAIN",
            ResponseCode::ServFail => "SERVFAIL",
            ResponseCode::FormErr => "FORMERR",
            ResponseCode::NotImp => "NOTIMP",
            ResponseCode::Refused => "REFUSED",
            _ => "BADVERS",
        }
    }

    /// The bytes that leave; `None` where there is nothing that could be said.
    pub(super) fn bytes(mut self, transport: Transport) -> Option<Vec<u8>> {
        let bytes = self.message.to_vec().ok()?;
        if transport == Transport::Tcp || bytes.len() <= self.payload {
            return Some(bytes);
        }
        // RFC 2181, 9: what is cut is asked for again over TCP.
        self.message.answers.clear();
        self.message.authorities.clear();
        self.message.metadata.truncation = true;
        self.message.to_vec().ok()
    }
}

fn soa(zone: &Name) -> Record {
    // RFC 6303, 3; nobody transfers this zone, so only the last number means anything.
    let nobody = Name::from_ascii("nobody.invalid.").unwrap_or_else(|_| Name::root());
    let minimum = ZONE_TTL;
    let soa = SOA::new(zone.clone(), nobody, 1, 3600, 1200, 604_800, minimum);
    Record::from_rdata(zone.clone(), ZONE_TTL, RData::SOA(soa))
}

/// The zone.
pub(super) const ZONE: &str = "policy.hoplock.internal.";
/// Of what never changes, and of absences.
const ZONE_TTL: u32 = 300;
/// Bounds only what other machines keep; the answers' own lives are shorter.
const LONGEST: Duration = Duration::from_secs(86_400);
/// RFC 1035, 4.1.1.
const HEADER: usize = 12;
const RESPONSE: u8 = 0x80;
/// RFC 1035, 4.2.1: what everybody takes.
const SMALLEST: usize = 512;
/// What is never fragmented.
const PAYLOAD: u16 = 1232;
/// RFC 8914, 2 and 5.2.
const EXTENDED_ERROR: u16 = 15;
const OTHER_ERROR: u16 = 0;
const EXTRA_TEXT: usize = 200;
