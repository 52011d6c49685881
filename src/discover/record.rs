//! The MTA-STS record at `_mta-sts` (RFC 8461, 3.1): asking for it, and what it says.

use hoplock_policy::dns::{Answer, FailureKind, LookupFailure, Question, RecordData, RecordType};
use hoplock_policy::name::PolicyDomain;
use hoplock_policy::sts::{StsRecordFinding, read_records};

use crate::world::World;

/// What the record at `_mta-sts` says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Record {
    /// Exactly one valid record with this id.
    Announces(String),
    /// There is none.
    None(String),
    /// There is something, and it is not exactly one valid record.
    Invalid(String),
    /// Nobody knows.
    Failed(String),
}

/// What the record says now, however long the resolver takes.
pub(super) async fn record_of(world: &World, domain: &PolicyDomain) -> Record {
    match question(domain) {
        Some(question) => record(&world.resolver.lookup(question).await.answer),
        None => Record::None("the name is too long for an MTA-STS record".to_owned()),
    }
}

/// RFC 8461, 3.1: the record stands at `_mta-sts` plus the policy domain, aliases followed.
pub(super) fn question(domain: &PolicyDomain) -> Option<Question> {
    let owner = domain.0.child("_mta-sts")?;
    Some(Question::new(owner, RecordType::Txt))
}

pub(super) fn record(answer: &Answer) -> Record {
    match answer {
        Answer::Records { data, .. } => {
            let texts: Vec<Vec<Vec<u8>>> = data
                .iter()
                .filter_map(|record| match record {
                    RecordData::Txt(strings) => Some(strings.clone()),
                    _ => None,
                })
                .collect();
            match read_records(&texts) {
                StsRecordFinding::One(record) => Record::Announces(record.id),
                StsRecordFinding::Absent => {
                    Record::None("no TXT record there is of MTA-STS".into())
                }
                // RFC 8461, 3.1: anything but exactly one means no policy.
                StsRecordFinding::Several => Record::Invalid("more than one MTA-STS record".into()),
                StsRecordFinding::Malformed(why) => Record::Invalid(why.to_string()),
            }
        }
        Answer::NoData(_) | Answer::NxDomain(_) => Record::None("no MTA-STS record".into()),
        Answer::Failed(failure) => Record::Failed(words(failure)),
    }
}

fn words(failure: &LookupFailure) -> String {
    match failure.kind {
        FailureKind::Timeout => "TXT lookup: no answer in time".to_owned(),
        _ => format!("TXT lookup: {}, {}", failure.kind.word(), failure.detail),
    }
}
