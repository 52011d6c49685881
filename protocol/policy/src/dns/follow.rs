//! From the records of one message to the answer: the alias chain, and nothing beside it.

use std::time::Duration;

use super::{
    Answer, Denial, FailureKind, Question, Record, RecordData, RecordType, SecurityStatus,
};

/// What stood in one message: the input of [`follow`].
#[derive(Clone, Debug)]
pub struct Message {
    /// Secure where the resolver vouches for all of it, else insecure.
    pub status: SecurityStatus,
    /// NXDOMAIN (true) or NOERROR (false).
    pub name_error: bool,
    /// The answer section.
    pub records: Vec<Record>,
    /// RFC 2308, 5: negative TTL from the SOA of the authority section, if there is one.
    pub negative_ttl: Option<Duration>,
}

/// Follows the alias chain of one message and takes only records that stand on it.
///
/// Records elsewhere in the message are ignored. Depth is limited to [`MAX_ALIASES`]; a circle or a
/// longer chain is a failed lookup, never an empty one (RFC 7672, 2.1.3; MX-11).
#[must_use]
pub fn follow(question: &Question, message: &Message) -> Answer {
    let mut owner = question.name.clone();
    let mut aliases = Vec::new();
    let mut ttl = Duration::MAX;
    loop {
        let found: Vec<&Record> = message
            .records
            .iter()
            .filter(|record| record.owner == owner && is_type(&record.data, question.record_type))
            .collect();
        if !found.is_empty() {
            ttl = found
                .iter()
                .map(|record| record.ttl)
                .fold(ttl, Duration::min);
            let data = found
                .into_iter()
                .map(|record| record.data.clone())
                .collect();
            return Answer::Records {
                status: message.status,
                aliases,
                data,
                ttl,
            };
        }
        let alias = message
            .records
            .iter()
            .find_map(|record| match &record.data {
                RecordData::Cname(target) if record.owner == owner => Some((target, record.ttl)),
                _ => None,
            });
        let Some((target, alias_ttl)) = alias else {
            break;
        };
        ttl = ttl.min(alias_ttl);
        if *target == question.name || aliases.contains(target) {
            return Answer::failed(
                FailureKind::AliasLoop,
                format!("aliases return to {target}"),
            );
        }
        aliases.push(target.clone());
        if aliases.len() > MAX_ALIASES {
            let detail = format!("more than {MAX_ALIASES} aliases");
            return Answer::failed(FailureKind::AliasLoop, detail);
        }
        owner = target.clone();
    }
    // RFC 2308, 5: without a SOA there is no TTL, so the absence is kept for no time at all.
    let ttl = ttl
        .min(message.negative_ttl.unwrap_or(Duration::ZERO))
        .min(MAX_NEGATIVE_TTL);
    let denial = Denial {
        status: message.status,
        aliases,
        ttl,
    };
    if message.name_error {
        Answer::NxDomain(denial)
    } else {
        Answer::NoData(denial)
    }
}

fn is_type(data: &RecordData, wanted: RecordType) -> bool {
    matches!(
        (data, wanted),
        (RecordData::A(_), RecordType::A)
            | (RecordData::Aaaa(_), RecordType::Aaaa)
            | (RecordData::Cname(_), RecordType::Cname)
            | (RecordData::Mx { .. }, RecordType::Mx)
            | (RecordData::Soa, RecordType::Soa)
            | (RecordData::Srv { .. }, RecordType::Srv)
            | (RecordData::Tlsa(_), RecordType::Tlsa)
            | (RecordData::Txt(_), RecordType::Txt)
    )
}

/// Aliases followed for one name; the well-known mail servers stop at about as many.
pub const MAX_ALIASES: usize = 16;
/// RFC 2308, 5 advises one to three hours at most for a remembered absence.
pub const MAX_NEGATIVE_TTL: Duration = Duration::from_secs(3 * 3600);
