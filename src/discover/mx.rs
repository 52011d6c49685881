//! Which hosts take mail for a domain (RFC 5321, 5.1; RFC 7505; RFC 7672, 2.2.1).

use hoplock_policy::dns::{Answer, Exchange, RecordData, RecordType, Reply};
use hoplock_policy::findings::{MxFinding, NoHosts, Selection};
use hoplock_policy::name::{DomainName, MxHost};

use super::Asking;

/// What the MX lookup says.
pub(super) enum Found {
    /// Hosts to examine, with their preferences.
    Hosts {
        selection: Selection,
        hosts: Vec<(u16, MxHost)>,
    },
    /// None, or nobody knows.
    Nothing(MxFinding),
}

/// Asks for the MX records of a domain.
pub(super) async fn find(asking: Asking<'_>, domain: &DomainName) -> (Found, Reply) {
    let reply = asking.ask(domain, RecordType::Mx).await;
    (read(domain, &reply.answer), reply)
}

fn read(domain: &DomainName, answer: &Answer) -> Found {
    match answer {
        Answer::Records { status, data, .. } => {
            let hosts: Vec<(u16, MxHost)> = exchanges(data)
                .filter_map(|(preference, exchange)| match exchange {
                    Exchange::Host(name) => Some((preference, MxHost(name.clone()))),
                    Exchange::Null | Exchange::Malformed(_) => None,
                })
                .collect();
            if !hosts.is_empty() {
                return Found::Hosts {
                    selection: Selection::Mx(*status),
                    hosts,
                };
            }
            // RFC 7505, 3: only a lone null MX says "no mail"; RFC 5321, 5.1: MX records that lead
            // nowhere are no reason to fall back to the domain's own address.
            let lone_null = exchanges(data).all(|(_, exchange)| *exchange == Exchange::Null);
            let why = if lone_null {
                NoHosts::NullMx
            } else {
                NoHosts::NoUsableExchange
            };
            Found::Nothing(MxFinding::NoHosts {
                why,
                status: *status,
            })
        }
        // RFC 5321, 5.1: without MX records the domain is its own host.
        Answer::NoData(denial) => Found::Hosts {
            selection: Selection::Implicit(denial.status),
            hosts: vec![(0, MxHost(domain.clone()))],
        },
        Answer::NxDomain(denial) => Found::Nothing(MxFinding::NoHosts {
            why: NoHosts::NxDomain,
            status: denial.status,
        }),
        // RFC 7672, 2.1.2: a failed lookup is never "no MX".
        Answer::Failed(failure) => Found::Nothing(MxFinding::Failed(failure.clone())),
    }
}

/// Publisher errors in an MX set, in words.
pub(super) fn warnings(domain: &DomainName, answer: &Answer) -> Vec<String> {
    let Answer::Records { data, .. } = answer else {
        return Vec::new();
    };
    let mixed = exchanges(data).any(|(_, exchange)| *exchange != Exchange::Null);
    exchanges(data)
        .filter_map(|(preference, exchange)| match exchange {
            Exchange::Host(_) => None,
            // RFC 7505, 3: a null MX must stand alone.
            Exchange::Null if mixed => Some(format!(
                "{domain} has a null MX beside other MX records; it is ignored"
            )),
            Exchange::Null => None,
            Exchange::Malformed(text) => Some(format!(
                "{domain} has an MX record (preference {preference}) that names no host: {text}"
            )),
        })
        .collect()
}

fn exchanges(data: &[RecordData]) -> impl Iterator<Item = (u16, &Exchange)> {
    data.iter().filter_map(|record| match record {
        RecordData::Mx {
            preference,
            exchange,
        } => Some((*preference, exchange)),
        _ => None,
    })
}
