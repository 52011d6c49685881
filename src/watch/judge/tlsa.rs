//! TLSA records, by themselves and against what the hosts show (RFC 7671; RFC 7672).

use hoplock_policy::dns::{Answer, RecordData, RecordType, SecurityStatus};
use hoplock_policy::findings::{
    AddressFinding, DaneFinding, Findings, HostFinding, MxFinding, Selection,
};
use hoplock_policy::name::{DomainName, TlsaBaseDomain};
use hoplock_policy::reason::Reason;
use hoplock_policy::tlsa::{TlsaOptions, TlsaRecord, TlsaSet};
use hoplock_policy::verify::{
    Authenticated, Certificate, Presented, ReferenceNames, Refused, VerifyOptions, dane,
};

use super::{Doubt, Finding, HostView, Kind, Notes, Seen, Severity, is_unanswered, mend_dns, told};
use crate::watch::finding::Basis;
use crate::watch::look::SMTP;

/// The TLSA records of a host, as senders see them.
pub(in crate::watch) enum Records {
    /// Signed: they bind.
    Secure {
        /// Where they stand: server name and first reference name.
        base: TlsaBaseDomain,
        /// Sorted into usable and not.
        set: TlsaSet,
    },
    /// Published where DNSSEC signs nothing: nobody uses them.
    Insecure(usize),
    /// There are none.
    Absent,
    /// Nobody knows: the lookup failed, or there was no address to ask for.
    Unknown,
}

impl Records {
    pub(super) fn of(host: &HostFinding, findings: &Findings) -> Self {
        match &host.dane {
            DaneFinding::Records { base, rdata } => {
                let rdata = rdata.iter().map(Vec::as_slice);
                Self::Secure {
                    base: base.clone(),
                    set: TlsaSet::read(rdata, &TlsaOptions::default()),
                }
            }
            // RFC 7672, 2.2.2: senders do not ask for records of hosts in unsigned space.
            DaneFinding::Failed(_) if is_unsigned(host) => Self::Absent,
            DaneFinding::Failed(_) | DaneFinding::NotAsked => Self::Unknown,
            DaneFinding::NoneSecure | DaneFinding::NoneInsecure => {
                match unsigned_records(&host.host.0, findings) {
                    0 => Self::Absent,
                    count => Self::Insecure(count),
                }
            }
        }
    }

    pub(super) fn is_secure(&self) -> bool {
        matches!(self, Self::Secure { .. })
    }

    /// The records that can authenticate, where there are any.
    pub(super) fn usable(&self) -> Option<(&TlsaBaseDomain, &TlsaSet)> {
        match self {
            Self::Secure { base, set } if set.is_usable() => Some((base, set)),
            _ => None,
        }
    }
}

fn is_unsigned(host: &HostFinding) -> bool {
    [&host.ipv4, &host.ipv6].iter().all(|own| {
        !matches!(
            own,
            AddressFinding::Present {
                status: SecurityStatus::Secure,
                ..
            }
        )
    })
}

fn unsigned_records(host: &DomainName, findings: &Findings) -> usize {
    let owner = TlsaBaseDomain(host.clone()).owner(SMTP);
    let replies = findings.lookups.iter().filter(|reply| {
        reply.question.record_type == RecordType::Tlsa
            && Some(&reply.question.name) == owner.as_ref()
    });
    replies
        .filter_map(|reply| match &reply.answer {
            Answer::Records { data, .. } => Some(data),
            _ => None,
        })
        .flatten()
        .filter(|data| matches!(data, RecordData::Tlsa(_)))
        .count()
}

/// The records by themselves; `is_proved`: what looks unsigned is.
pub(super) fn judge(notes: &mut Notes, seen: &Seen, hosts: &[HostView<'_>], is_proved: bool) {
    let any = hosts.iter().any(|host| host.records.is_secure());
    let selection = match &seen.findings.mx {
        MxFinding::Hosts(Selection::Mx(status) | Selection::Implicit(status)) => Some(*status),
        _ => None,
    };
    if is_proved && any && selection.is_some_and(|status| status != SecurityStatus::Secure) {
        notes.find(Finding::new(
            Kind::MxInsecure,
            Severity::Warning,
            format!("the MX records of {} are not signed, and its hosts have TLSA records", seen.domain),
            "whoever can forge the MX records names hosts of his own; some senders leave DANE out then \
             (RFC 7672, 2.2.1)",
            "sign the zone of the domain too",
        ));
    }
    for host in hosts {
        let name = host.name;
        match &host.records {
            Records::Secure { base, set } => unusable(notes, name, base, set),
            Records::Insecure(count) if is_proved => {
                let finding = Finding::new(
                    Kind::TlsaInsecure,
                    Severity::Warning,
                    format!("{count} TLSA records of {name} are not signed by DNSSEC"),
                    "no sender uses them (RFC 7672, 2.2)",
                    "sign the zone and give its parent a DS record; or take them out",
                );
                notes.find(finding.of(name));
            }
            Records::Absent if is_proved && any => {
                let finding = Finding::new(
                    Kind::TlsaMissing,
                    Severity::Warning,
                    format!("{name} has no TLSA records, and other hosts of the domain have"),
                    "mail that goes to it is authenticated by nothing, and whoever keeps senders from the \
                     others brings it there",
                    "publish records for this host too: hoplock tlsa FILE.pem",
                );
                notes.find(finding.of(name));
            }
            Records::Unknown => failed(notes, host),
            Records::Absent | Records::Insecure(_) => {}
        }
    }
}

fn failed(notes: &mut Notes, host: &HostView<'_>) {
    let DaneFinding::Failed(failure) = &host.finding.dane else {
        return;
    };
    let name = host.name;
    let doubt = Doubt::on(&[Basis::Tlsa, Basis::Dane]).of(name);
    if is_unanswered(failure) {
        notes.unanswered(&format!("the TLSA records of {name}"), failure, doubt);
        return;
    }
    notes.doubt(Doubt {
        basis: &[Basis::Dane],
        weighs: false,
        ..doubt
    });
    let owner = TlsaBaseDomain(name.clone()).owner(SMTP);
    let owner = owner.map_or_else(|| name.to_string(), |owner| owner.to_string());
    let finding = Finding::new(
        Kind::TlsaLookupFailed,
        Severity::Alarm,
        format!("the TLSA records of {name} cannot be looked up: mail to it waits"),
        told(failure),
        mend_dns(failure, &owner, "TLSA"),
    );
    notes.find(finding.of(name));
}

fn unusable(notes: &mut Notes, host: &DomainName, base: &TlsaBaseDomain, set: &TlsaSet) {
    if set.unusable.is_empty() {
        return;
    }
    let listed = set.unusable.iter().map(|(rdata, why)| {
        let record = TlsaRecord::from_rdata(rdata);
        let text = record.map_or_else(|_| "malformed".to_owned(), |own| short(&own));
        format!("{text} ({why})")
    });
    let (severity, cause) = match set.is_usable() {
        true => (Severity::Note, "senders go by the other records"),
        false => (
            Severity::Warning,
            "senders demand TLS of the host and authenticate nobody (RFC 7672, 2.2)",
        ),
    };
    let finding = Finding::new(
        Kind::TlsaUnusable,
        severity,
        format!(
            "TLSA records of {} that no sender can use: {}",
            base.0,
            listed.collect::<Vec<_>>().join(", ")
        ),
        cause,
        "publish 3 1 1 for the key of the host, or 2 1 1 for its issuer (RFC 7672, 3.1): hoplock tlsa \
         FILE.pem",
    );
    notes.find(finding.of(host));
}

/// What the records make of a chain.
pub(super) fn compare(
    chain: &[Certificate],
    base: &TlsaBaseDomain,
    set: &TlsaSet,
    seen: &Seen,
) -> Result<Authenticated, Refused> {
    let names = match &seen.findings.mx {
        MxFinding::Hosts(
            Selection::Mx(SecurityStatus::Secure) | Selection::Implicit(SecurityStatus::Secure),
        ) => {
            let expanded = seen.findings.expanded_domain();
            ReferenceNames::behind_secure_mx(base, &seen.domain, expanded)
        }
        _ => ReferenceNames::behind_insecure_mx(base),
    };
    let presented = Presented::Chain(chain.to_vec());
    dane::authenticate(
        &presented,
        set,
        &names,
        seen.time,
        &VerifyOptions::default(),
    )
}

/// The finding for a chain that the records refuse.
pub(super) fn refused(
    host: &DomainName,
    base: &TlsaBaseDomain,
    chain: &[Certificate],
    refused: &Refused,
) -> Finding {
    let waits = "senders that keep DANE deliver no mail to it, now";
    let (kind, what, cure) = match refused.reason {
        Reason::AnchorNotInChain | Reason::AnchorIsLeaf => (
            Kind::TlsaAnchorMissing,
            format!("{host} does not send the issuer that its TLSA records name"),
            "let the host send its whole chain, up to that issuer; or publish 3 1 1 for its key"
                .to_owned(),
        ),
        Reason::CertificateNameMismatch => (
            Kind::TlsaNameMismatch,
            format!("the certificate of {host} is for other names"),
            format!(
                "get a certificate with {} among its names, or publish 3 1 1, which looks at no name \
                 (RFC 7672, 3.1.1)",
                base.0
            ),
        ),
        Reason::TlsaNoMatch => (
            Kind::TlsaNoMatch,
            format!("no TLSA record of {host} matches what it shows"),
            match record_of(base, chain, 3) {
                Some(record) => format!(
                    "publish {record} now, or give the host back the key that its records name; before the \
                     next change the new record stands beside the old one for two TTLs (RFC 7671, 8.1)"
                ),
                None => "publish a record for what it shows: hoplock tlsa FILE.pem".to_owned(),
            },
        ),
        _ => (
            Kind::TlsaChainInvalid,
            format!("the chain of {host} does not lead to the issuer that its TLSA records name"),
            "mend the chain that the host shows, or publish 3 1 1, which looks at the key alone"
                .to_owned(),
        ),
    };
    let cause = format!("{waits}: {} ({})", refused.detail, refused.reason);
    Finding::new(kind, Severity::Alarm, what, cause, cure).of(host)
}

/// A record for the leaf (usage 3), or for the issuer that is sent behind it (usage 2), as a zone has it.
pub(super) fn record_of(base: &TlsaBaseDomain, chain: &[Certificate], usage: u8) -> Option<String> {
    let certificate = chain.get(usize::from(usage == 2))?;
    let record = TlsaRecord::naming(certificate, usage, 1, 1)?;
    Some(format!("{}. IN TLSA {record}", base.owner(SMTP)?))
}

/// Whole certificates and keys only by their beginning.
pub(in crate::watch) fn short(record: &TlsaRecord) -> String {
    let text = record.to_string();
    if record.data.len() <= LONGEST_DIGEST {
        return text;
    }
    let start: String = text.chars().take(SHOWN).collect();
    format!("{start}... ({} octets)", record.data.len())
}

/// SHA-512.
const LONGEST_DIGEST: usize = 64;
/// Of a longer record.
const SHOWN: usize = 40;
