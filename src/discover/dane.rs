//! One host: its addresses, then its TLSA records (RFC 7672, 2.2.2 and 2.2.3).

use hoplock_policy::dns::{
    Answer, FailureKind, LookupFailure, RecordData, RecordType, Reply, SecurityStatus,
};
use hoplock_policy::findings::{AddressFinding, DaneFinding, HostFinding};
use hoplock_policy::name::{DomainName, MxHost, TlsaBaseDomain};

use super::{Asking, Candidate, DiscoverOptions, Port};

/// Examines one host.
pub(super) async fn examine(
    asking: Asking<'_>,
    options: DiscoverOptions,
    candidate: Candidate,
) -> (HostFinding, Vec<Reply>) {
    let Candidate {
        preference,
        host,
        port,
    } = candidate;
    let Port::One(port) = port else {
        let detail = format!("the SRV records name {host} with several ports");
        return (not_examined(preference, host, detail), Vec::new());
    };
    if host.0.is_address() {
        return (textual_address(preference, host), Vec::new());
    }
    let (a, aaaa) = tokio::join!(
        asking.ask(&host.0, RecordType::A),
        asking.ask(&host.0, RecordType::Aaaa)
    );
    let (ipv4, ipv6) = (addresses(&a.answer), addresses(&aaaa.answer));
    let path = Path::of([&a.answer, &aaaa.answer], &host.0);
    let mut lookups = vec![a, aaaa];
    let mut examination = Examination {
        asking,
        port,
        lookups: &mut lookups,
    };
    let dane = match path {
        _ if !options.dane => DaneFinding::NoneInsecure,
        // Nothing to connect to, or nobody knows: TLSA records would change nothing.
        Path::Nowhere => DaneFinding::NotAsked,
        Path::Secure { candidates } => examination.tlsa(candidates).await,
        Path::InsecureAlias => examination.alias(&host.0).await,
        Path::Insecure if options.force_insecure_host_tlsa => {
            examination.tlsa(vec![host.0.clone()]).await
        }
        // RFC 7672, 2.2.2: unsigned hosts are not asked for TLSA; their servers often fail at it.
        Path::Insecure => DaneFinding::NoneInsecure,
    };
    let aliased = lookups.iter().any(|reply| {
        !reply.answer.aliases().is_empty()
            && matches!(reply.question.record_type, RecordType::A | RecordType::Aaaa)
    });
    (
        HostFinding {
            host,
            preference,
            aliased,
            ipv4,
            ipv6,
            dane,
        },
        lookups,
    )
}

/// A host that was not looked at: unknown, so failed (MX-20).
pub(super) fn not_examined(preference: u16, host: MxHost, detail: String) -> HostFinding {
    let failure = LookupFailure {
        kind: FailureKind::NotExamined,
        detail,
    };
    HostFinding {
        host,
        preference,
        aliased: false,
        ipv4: AddressFinding::Failed(failure.clone()),
        ipv6: AddressFinding::Failed(failure.clone()),
        dane: DaneFinding::Failed(failure),
    }
}

/// RFC 7672, 2.2: DANE cannot apply to an exchange that is textually an address; nothing is asked.
fn textual_address(preference: u16, host: MxHost) -> HostFinding {
    HostFinding {
        host,
        preference,
        aliased: false,
        ipv4: AddressFinding::Present {
            status: SecurityStatus::Insecure,
            count: 1,
        },
        ipv6: AddressFinding::Absent {
            status: SecurityStatus::Insecure,
        },
        dane: DaneFinding::NoneInsecure,
    }
}

fn addresses(answer: &Answer) -> AddressFinding {
    match answer {
        Answer::Records { status, data, .. } => AddressFinding::Present {
            status: *status,
            count: data.len(),
        },
        Answer::NoData(denial) | Answer::NxDomain(denial) => AddressFinding::Absent {
            status: denial.status,
        },
        Answer::Failed(failure) => AddressFinding::Failed(failure.clone()),
    }
}

/// What the addresses say about the way to TLSA records.
enum Path {
    /// No address is known.
    Nowhere,
    /// Secure to the end: these TLSA base domain candidates, in order.
    Secure { candidates: Vec<DomainName> },
    /// The addresses are insecure, behind an alias whose own status is yet to be asked.
    InsecureAlias,
    /// The host itself lies in unsigned space.
    Insecure,
}

impl Path {
    /// TB-12: one good family is enough; a failed or absent one does not spoil the other.
    fn of(answers: [&Answer; 2], host: &DomainName) -> Self {
        let mut path = Self::Nowhere;
        for answer in answers {
            let Answer::Records {
                status, aliases, ..
            } = answer
            else {
                continue;
            };
            if *status == SecurityStatus::Secure {
                // RFC 7672, 2.2.2: the fully expanded name first, the original second; names in
                // the middle of the chain never (2.2.3).
                let mut candidates: Vec<DomainName> = aliases.last().cloned().into_iter().collect();
                candidates.push(host.clone());
                return Self::Secure { candidates };
            }
            if !aliases.is_empty() {
                path = Self::InsecureAlias;
            } else if matches!(path, Self::Nowhere) {
                path = Self::Insecure;
            }
        }
        path
    }
}

/// The questions about one host after its addresses.
struct Examination<'a, 'b> {
    asking: Asking<'a>,
    port: u16,
    lookups: &'b mut Vec<Reply>,
}

impl Examination<'_, '_> {
    /// RFC 7672, 2.2.2: the alias may be secure though its target is not; only a question for the
    /// alias itself tells, and then the original name is the only candidate.
    async fn alias(&mut self, host: &DomainName) -> DaneFinding {
        let reply = self.asking.ask(host, RecordType::Cname).await;
        let answer = reply.answer.clone();
        self.lookups.push(reply);
        match answer {
            Answer::Records {
                status: SecurityStatus::Secure,
                ..
            } => self.tlsa(vec![host.clone()]).await,
            Answer::Records { .. } | Answer::NoData(_) | Answer::NxDomain(_) => {
                DaneFinding::NoneInsecure
            }
            Answer::Failed(failure) => DaneFinding::Failed(failure),
        }
    }

    /// Asks the candidates in order; the first with secure records is the base.
    async fn tlsa(&mut self, candidates: Vec<DomainName>) -> DaneFinding {
        let mut proved = true;
        for candidate in candidates {
            let base = TlsaBaseDomain(candidate);
            // A name too long for TLSA records cannot have any.
            let Some(owner) = base.owner(self.port) else {
                continue;
            };
            let reply = self.asking.ask(&owner, RecordType::Tlsa).await;
            let answer = reply.answer.clone();
            self.lookups.push(reply);
            match answer {
                Answer::Records {
                    status: SecurityStatus::Secure,
                    data,
                    ..
                } => {
                    // RFC 7672, 2.2.3: an aliased owner name leaves the base as it is.
                    return DaneFinding::Records {
                        base,
                        rdata: rdata(data),
                    };
                }
                // RFC 7672, 2.2: insecure records count as absent, even when they can be seen.
                Answer::Records { .. } => proved = false,
                Answer::NoData(denial) | Answer::NxDomain(denial) => {
                    proved &= denial.status == SecurityStatus::Secure;
                }
                // RFC 7672, 2.1.2: no second candidate after a failed lookup.
                Answer::Failed(failure) => return DaneFinding::Failed(failure),
            }
        }
        if proved {
            DaneFinding::NoneSecure
        } else {
            DaneFinding::NoneInsecure
        }
    }
}

fn rdata(data: Vec<RecordData>) -> Vec<Vec<u8>> {
    let tlsa = data.into_iter().filter_map(|record| match record {
        RecordData::Tlsa(rdata) => Some(rdata),
        _ => None,
    });
    tlsa.collect()
}
