//! The MTA-STS record, and what it says about the policy at hand (RFC 8461, 3.1).

use std::sync::Arc;

use hoplock_policy::dns::{
    Answer, FailureKind, LookupFailure, Question, RecordData, RecordType, Reply,
};
use hoplock_policy::findings::StsFinding;
use hoplock_policy::name::PolicyDomain;
use hoplock_policy::sts::{StsRecordFinding, read_records};

use super::policies::{Policies, Record};
use crate::world::{Patience, World};

/// Finds the policy of a domain, and the lookups that were made for it.
pub(super) async fn find(
    world: &World,
    policies: &Arc<Policies>,
    domain: &PolicyDomain,
    patience: Patience,
) -> (StsFinding, Vec<Reply>) {
    let Some(question) = question(domain) else {
        let why = "the name is too long for an MTA-STS record".to_owned();
        return (StsFinding::Absent(why), Vec::new());
    };
    let reply = match patience.wait(world.resolver.lookup(question.clone())).await {
        Some(reply) => reply,
        None => super::out_of_time(question),
    };
    let finding = policies.find(domain, record(&reply.answer), patience).await;
    (finding, vec![reply])
}

/// What the record says now, however long the resolver takes.
pub(super) async fn record_of(world: &World, domain: &PolicyDomain) -> Record {
    match question(domain) {
        Some(question) => record(&world.resolver.lookup(question).await.answer),
        None => Record::None("the name is too long for an MTA-STS record".to_owned()),
    }
}

/// RFC 8461, 3.1: the record stands at `_mta-sts` plus the policy domain, aliases followed.
fn question(domain: &PolicyDomain) -> Option<Question> {
    let owner = domain.0.child("_mta-sts")?;
    Some(Question::new(owner, RecordType::Txt))
}

fn record(answer: &Answer) -> Record {
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
