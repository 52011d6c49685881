//! MX records and addresses (RFC 5321, 5.1).

use hoplock_policy::findings::{AddressFinding, HostFinding, MxFinding, NoHosts};

use super::{Doubt, Finding, Kind, Notes, Seen, Severity, is_unanswered, mend_dns, told};
use crate::watch::finding::Basis;

/// Everything that rests on the hosts of the domain.
const ALL_HOSTS: &[Basis] = &[
    Basis::Hosts,
    Basis::Tlsa,
    Basis::Dane,
    Basis::Session,
    Basis::PolicyHosts,
    Basis::WebPki,
];
/// The same without the MX records themselves.
const BEHIND: &[Basis] = &[
    Basis::Tlsa,
    Basis::Dane,
    Basis::Session,
    Basis::PolicyHosts,
    Basis::WebPki,
];
/// What rests on a host's addresses.
const OF_ADDRESSES: &[Basis] = &[
    Basis::Hosts,
    Basis::Tlsa,
    Basis::Dane,
    Basis::Session,
    Basis::WebPki,
];

pub(super) fn judge(notes: &mut Notes, seen: &Seen) {
    let domain = &seen.domain;
    match &seen.findings.mx {
        MxFinding::Failed(failure) if is_unanswered(failure) => {
            notes.unanswered("the MX records", failure, Doubt::on(ALL_HOSTS));
        }
        MxFinding::Failed(failure) => {
            notes.doubt(Doubt {
                weighs: false,
                ..Doubt::on(BEHIND)
            });
            notes.find(Finding::new(
                Kind::MxLookupFailed,
                Severity::Alarm,
                format!("the MX records of {domain} cannot be looked up: mail waits"),
                told(failure),
                mend_dns(failure, domain.as_str(), "MX"),
            ));
        }
        MxFinding::NoHosts { why, .. } => notes.find(nobody(seen, *why)),
        MxFinding::Hosts(_) => {
            for host in &seen.findings.hosts {
                addresses(notes, seen, host);
            }
        }
    }
    if !seen.findings.warnings.is_empty() {
        notes.find(Finding::new(
            Kind::MxMalformed,
            Severity::Warning,
            seen.findings.warnings.join("; "),
            "such a record leads nobody anywhere",
            "take the record out, or let it name a host",
        ));
    }
}

fn nobody(seen: &Seen, why: NoHosts) -> Finding {
    let domain = &seen.domain;
    let (severity, cause, cure) = match why {
        NoHosts::NullMx => (
            Severity::Note,
            "a null MX says so (RFC 7505)",
            "nothing, if that is meant; a domain without mail need not be watched",
        ),
        NoHosts::NxDomain => (
            Severity::Alarm,
            "the domain does not exist",
            "see its delegation and its zone; a name that is mistyped in [watch] domains looks the same",
        ),
        NoHosts::NoUsableExchange | NoHosts::NoService => (
            Severity::Alarm,
            "there are MX records, and none names a host",
            "let an MX record name a host (RFC 5321, 5.1)",
        ),
    };
    let what = format!("no host takes mail for {domain}");
    Finding::new(Kind::NoMailHost, severity, what, cause, cure)
}

fn addresses(notes: &mut Notes, seen: &Seen, host: &HostFinding) {
    let name = &host.host.0;
    if host.aliased {
        let finding = Finding::new(
            Kind::MxMalformed,
            Severity::Warning,
            format!("the MX record that names {name} points at an alias"),
            "RFC 2181, 10.3 forbids that, and some mail servers do not follow it",
            "let the MX record name the host itself",
        );
        notes.find(finding.of(name));
    }
    let families = [("A", &host.ipv4), ("AAAA", &host.ipv6)];
    let has_one = families
        .iter()
        .any(|(_, own)| matches!(own, AddressFinding::Present { .. }));
    for (record_type, finding) in families {
        let AddressFinding::Failed(failure) = finding else {
            continue;
        };
        if is_unanswered(failure) {
            let doubt = Doubt {
                weighs: !has_one,
                ..Doubt::on(OF_ADDRESSES).of(name)
            };
            notes.unanswered(&format!("{record_type} records of {name}"), failure, doubt);
            continue;
        }
        if !has_one {
            notes.doubt(Doubt {
                weighs: false,
                ..Doubt::on(BEHIND).of(name)
            });
        }
        // TB-12: one good family is enough.
        let (severity, comes) = match has_one {
            true => (Severity::Warning, "it is reached by its other addresses"),
            false => (Severity::Alarm, "mail to it waits"),
        };
        let finding = Finding::new(
            Kind::AddressLookupFailed,
            severity,
            format!("the {record_type} records of {name} cannot be looked up: {comes}"),
            told(failure),
            mend_dns(failure, name.as_str(), record_type),
        );
        notes.find(finding.of(name));
    }
    let is_absent = |own: &AddressFinding| matches!(own, AddressFinding::Absent { .. });
    if is_absent(&host.ipv4) && is_absent(&host.ipv6) {
        let others = seen.findings.hosts.iter();
        let alone = others
            .filter(|own| own.host != host.host)
            .all(|own| is_absent(&own.ipv4) && is_absent(&own.ipv6));
        let severity = if alone {
            Severity::Alarm
        } else {
            Severity::Warning
        };
        let finding = Finding::new(
            Kind::HostWithoutAddress,
            severity,
            format!("{name} has no address"),
            "it is named as a mail host, and there is nothing to connect to",
            "publish its address, or take it out of the MX records",
        );
        notes.find(finding.of(name));
    }
}
