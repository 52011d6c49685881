//! Which hosts offer a domain's submission service (RFC 2782; RFC 6186, 3.1; RFC 7673, 3).

use hoplock_policy::dns::{Answer, Exchange, RecordData, SecurityStatus};
use hoplock_policy::findings::{MxFinding, NoHosts};
use hoplock_policy::name::{DomainName, MxHost};

use super::{Candidate, Port};

/// What the SRV lookup says.
pub(super) enum Found {
    /// Hosts to examine.
    Hosts {
        status: SecurityStatus,
        hosts: Vec<Candidate>,
    },
    /// None, or nobody knows.
    Nothing(MxFinding),
}

pub(super) fn read(answer: &Answer) -> Found {
    let (data, status) = match answer {
        Answer::Records { status, data, .. } => (data.as_slice(), *status),
        // RFC 6186, 3.1: without SRV records there is nothing to go to; no name is made up.
        Answer::NoData(denial) | Answer::NxDomain(denial) => (&[][..], denial.status),
        // RFC 7673, 3.1: a failed lookup is never "no service" (SB-03).
        Answer::Failed(failure) => return Found::Nothing(MxFinding::Failed(failure.clone())),
    };
    let mut hosts: Vec<Candidate> = targets(data)
        .filter_map(|(priority, port, target)| match target {
            Exchange::Host(name) => Some(Candidate::at(priority, MxHost(name.clone()), port)),
            Exchange::Null | Exchange::Malformed(_) => None,
        })
        .collect();
    if hosts.is_empty() {
        // RFC 2782: a lone target of "." says that there is no such service.
        let unusable = targets(data).any(|(.., target)| *target != Exchange::Null);
        let why = if unusable {
            NoHosts::NoUsableExchange
        } else {
            NoHosts::NoService
        };
        return Found::Nothing(MxFinding::NoHosts { why, status });
    }
    let all = hosts.clone();
    for host in &mut hosts {
        let mut same = all.iter().filter(|other| other.host == host.host);
        if same.any(|other| other.port != host.port) {
            host.port = Port::Several;
        }
    }
    Found::Hosts { status, hosts }
}

/// Publisher errors in an SRV set, in words.
pub(super) fn warnings(owner: &DomainName, answer: &Answer) -> Vec<String> {
    let Answer::Records { data, .. } = answer else {
        return Vec::new();
    };
    let mixed = targets(data).any(|(.., target)| *target != Exchange::Null);
    targets(data)
        .filter_map(|(priority, _, target)| match target {
            Exchange::Host(_) => None,
            Exchange::Null if mixed => Some(format!(
                "{owner} has an SRV record without a target beside others; it is ignored"
            )),
            Exchange::Null => None,
            Exchange::Malformed(text) => Some(format!(
                "{owner} has an SRV record (priority {priority}) that names no host: {text}"
            )),
        })
        .collect()
}

fn targets(data: &[RecordData]) -> impl Iterator<Item = (u16, u16, &Exchange)> {
    data.iter().filter_map(|record| match record {
        RecordData::Srv {
            priority,
            port,
            target,
        } => Some((*priority, *port, target)),
        _ => None,
    })
}
