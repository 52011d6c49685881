//! Our own verifier, asked the same.

use hoplock_policy::moment::Timestamp;
use hoplock_policy::name::DomainName;
use hoplock_policy::tlsa::{TlsaOptions, TlsaSet};
use hoplock_policy::verify::dane::authenticate;
use hoplock_policy::verify::{Certificate, Matched, Presented, ReferenceNames, VerifyOptions};

use super::case::Case;

/// What our verifier says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ours {
    /// Which records it would use, in the order of the case.
    pub usable: Vec<bool>,
    /// The depth of the match, or why there is none.
    pub verdict: Result<usize, String>,
}

impl Ours {
    pub fn judge(case: &Case) -> Self {
        let chain = case
            .chain
            .iter()
            .map(|one| Certificate::from_der(one.der.clone()));
        let presented = Presented::Chain(chain.collect());
        let set = TlsaSet::read(
            case.records.iter().map(Vec::as_slice),
            &TlsaOptions::default(),
        );
        let names = case
            .names
            .iter()
            .map(|name| DomainName::parse(name).unwrap());
        let now = Timestamp(case.now.unsigned_abs() * 1000);
        let options = VerifyOptions::default();
        let said = authenticate(
            &presented,
            &set,
            &ReferenceNames::exactly(names),
            now,
            &options,
        );
        let verdict = match said {
            Ok(authenticated) => match authenticated.matched {
                Matched::Tlsa { depth, .. } => Ok(depth),
                other => panic!("matched {other:?}, and nothing of TLSA"),
            },
            Err(refused) => Err(format!("{:?}: {}", refused.reason, refused.detail)),
        };
        let usable = case
            .records
            .iter()
            .map(|rdata| {
                set.usable.iter().any(|usable| {
                    let record = &usable.record;
                    let numbers = [record.usage, record.selector, record.matching];
                    rdata.strip_prefix(&numbers[..]) == Some(&record.data[..])
                })
            })
            .collect();
        Self { usable, verdict }
    }

    /// The depth where it was accepted.
    pub fn accepted(&self) -> Option<usize> {
        self.verdict.as_ref().ok().copied()
    }
}
