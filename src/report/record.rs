//! The TLSRPT record of a domain (RFC 8460, 3): asking for it, and what it says.

use hoplock_policy::dns::{Answer, FailureKind, Question, RecordData, RecordType};
use hoplock_policy::name::DomainName;
use hoplock_policy::tlsrpt::{TlsrptRecord, TlsrptRecordFinding, read_records};

use crate::world::Resolver;

/// Whether a domain wants reports.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reporting {
    /// It does, at these targets.
    Wanted(TlsrptRecord),
    /// It has no record, for this reason.
    NotWanted(String),
    /// It has something, and it is not exactly one valid record: no report.
    Invalid(String),
    /// Nobody knows: ask again later.
    Unknown(String),
}

impl Reporting {
    /// What an answer means.
    #[must_use]
    pub fn of(answer: &Answer) -> Self {
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
                    TlsrptRecordFinding::One(record) => Self::Wanted(record),
                    TlsrptRecordFinding::Absent => {
                        Self::NotWanted("no TXT record there begins with v=TLSRPTv1;".to_owned())
                    }
                    // RFC 8460, 3: anything but exactly one means no reporting.
                    TlsrptRecordFinding::Several => {
                        Self::Invalid("more than one TLSRPT record".to_owned())
                    }
                    TlsrptRecordFinding::Malformed(why) => Self::Invalid(why.to_string()),
                }
            }
            Answer::NoData(_) | Answer::NxDomain(_) => {
                Self::NotWanted("no TLSRPT record".to_owned())
            }
            Answer::Failed(failure) => Self::Unknown(match failure.kind {
                FailureKind::Timeout => "TXT lookup: no answer in time".to_owned(),
                kind => format!("TXT lookup: {}, {}", kind.word(), failure.detail),
            }),
        }
    }
}

/// RFC 8460, 3: the record stands at `_smtp._tls` plus the policy domain, aliases followed; `None` where that
/// is too long for a name.
#[must_use]
pub fn question(domain: &DomainName) -> Option<Question> {
    let owner = domain.child("_tls")?.child("_smtp")?;
    Some(Question::new(owner, RecordType::Txt))
}

/// Asks whether a domain wants reports, however long the resolver takes.
pub async fn ask(resolver: &dyn Resolver, domain: &DomainName) -> Reporting {
    match question(domain) {
        Some(question) => Reporting::of(&resolver.lookup(question).await.answer),
        None => Reporting::NotWanted("the name is too long for a TLSRPT record".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use hoplock_policy::dns::{LookupFailure, SecurityStatus};
    use hoplock_policy::tlsrpt::ReportTarget;

    use super::*;
    use crate::world::scripted::ScriptedWorld;

    fn name(text: &str) -> DomainName {
        DomainName::parse(text).unwrap()
    }

    fn add(world: &ScriptedWorld, owner: &str, data: RecordData) {
        let ttl = Duration::from_secs(60);
        world.add(name(owner), SecurityStatus::Insecure, ttl, data);
    }

    fn txt(text: &str) -> RecordData {
        RecordData::Txt(vec![text.as_bytes().to_vec()])
    }

    /// RP-01: zero, one, two records, version 10, an alias.
    #[tokio::test]
    async fn records_of_a_domain() {
        let world = ScriptedWorld::new();
        let one = "v=TLSRPTv1; rua=mailto:r@one.test";
        add(&world, "_smtp._tls.one.test", txt(one));
        add(&world, "_smtp._tls.one.test", txt("v=TLSRPTv10; rua=x:y"));
        add(&world, "_smtp._tls.two.test", txt(one));
        add(
            &world,
            "_smtp._tls.two.test",
            txt("v=TLSRPTv1; rua=mailto:s@two.test"),
        );
        add(
            &world,
            "_smtp._tls.later.test",
            txt("v=TLSRPTv10; rua=mailto:r@later.test"),
        );
        add(&world, "_smtp._tls.bad.test", txt("v=TLSRPTv1; rua=,,"));
        let target = RecordData::Cname(name("_smtp._tls.one.test"));
        add(&world, "_smtp._tls.alias.test", target);
        let ask = async |domain: &str| ask(&*world, &name(domain)).await;
        let wanted = Reporting::Wanted(TlsrptRecord {
            targets: vec![ReportTarget::Mailto("r@one.test".to_owned())],
            ignored: vec![],
        });
        assert_eq!(ask("one.test").await, wanted);
        assert_eq!(ask("alias.test").await, wanted);
        assert!(matches!(ask("two.test").await, Reporting::Invalid(_)));
        assert!(matches!(ask("bad.test").await, Reporting::Invalid(_)));
        assert!(matches!(ask("later.test").await, Reporting::NotWanted(_)));
        assert!(matches!(ask("none.test").await, Reporting::NotWanted(_)));
        let long = ["a".repeat(60).as_str(); 4].join(".") + ".test";
        assert!(matches!(ask(&long).await, Reporting::NotWanted(_)));
    }

    /// RP-01: a lookup that failed is no absence.
    #[test]
    fn nobody_knows() {
        let failed = Answer::Failed(LookupFailure {
            kind: FailureKind::Timeout,
            detail: String::new(),
        });
        let words = "TXT lookup: no answer in time".to_owned();
        assert_eq!(Reporting::of(&failed), Reporting::Unknown(words));
    }
}
