//! DANE-TA: an issuer that the records name has signed a path to the leaf (RFC 7671, 5.2).

use rustls_pki_types::{CertificateDer, TrustAnchor};
use webpki::anchor_from_trusted_cert;

use super::certificate::{Certificate, contents};
use super::dane::{Authenticated, Refused, VerifyOptions, is_match};
use super::names::{NameMatch, NameRules, ReferenceNames, matching, told};
use super::path::{Anchor, Path, search};
use super::read::{Read, permits};
use super::verdict::{Matched, Warning};
use crate::moment::Timestamp;
use crate::name::DomainName;
use crate::reason::Reason;
use crate::tlsa::TlsaRecord;

/// Judges a chain by the records of trust anchors.
pub(super) fn authenticate(
    chain: &[Certificate],
    records: &[&TlsaRecord],
    names: &ReferenceNames,
    now: Timestamp,
    options: &VerifyOptions,
) -> Result<Authenticated, Refused> {
    let Some((leaf, others)) = chain.split_first() else {
        return Err(Refused::new(
            Reason::ReportIncomplete,
            "no certificate was shown",
        ));
    };
    let others = unique(leaf, others);
    if nothing_to_trust(&others, records) {
        return Err(without_anchor(leaf, records));
    }
    let Some(leaf) = Read::of(leaf) else {
        let words = "the leaf cannot be read, and must be for somebody to vouch for it";
        return Err(Refused::new(Reason::CertificateUnreadable, words));
    };
    let others: Vec<Read<'_>> = others.into_iter().filter_map(Read::of).collect();
    let (anchors, sources) = anchors(&leaf, &others, records);
    let path = search(&leaf, &others, &anchors, now).map_err(|reason| {
        let words = "no path from an anchor of the TLSA records to the leaf holds";
        Refused::new(reason, words)
    })?;
    let (Some(anchor), Some(record)) = (anchors.get(path.anchor), sources.get(path.anchor)) else {
        return Err(Refused::new(Reason::Internal, "a path without its anchor"));
    };
    let mut warnings = Vec::new();
    if let Some(certificate) = &anchor.certificate
        && let Err(reason) = certificate.dates(now)
    {
        // CM-17: OpenSSL looks at the dates of a self-issued anchor, and not at those of one that
        // somebody else has issued.
        if certificate.is_self_issued() || options.ta_check_dates {
            return Err(Refused::new(reason, "the anchor itself is out of date"));
        }
        warnings.push(Warning::AnchorExpired);
    }
    let name = named(&leaf, &path, anchor, names, options)?;
    if name.is_common_name {
        warnings.push(Warning::CommonName);
    }
    Ok(Authenticated {
        matched: Matched::Tlsa {
            record: (*record).clone(),
            depth: path.intermediates.len() + 1,
        },
        warnings,
    })
}

/// Each certificate once, and the leaf not again: nobody vouches for himself (CM-11).
fn unique<'a>(leaf: &Certificate, others: &'a [Certificate]) -> Vec<&'a Certificate> {
    let mut unique: Vec<&Certificate> = Vec::new();
    for other in others.iter().take(LONGEST_CHAIN) {
        if other != leaf && !unique.contains(&other) {
            unique.push(other);
        }
    }
    unique
}

/// True where no record names anybody who was shown, and none supplies its anchor itself.
fn nothing_to_trust(others: &[&Certificate], records: &[&TlsaRecord]) -> bool {
    records.iter().all(|record| {
        record.matching != FULL && !others.iter().any(|other| is_match(record, other))
    })
}

fn without_anchor(leaf: &Certificate, records: &[&TlsaRecord]) -> Refused {
    if records.iter().any(|record| is_match(record, leaf)) {
        let words =
            "the record of a trust anchor matches the leaf itself; only an issuer may match it";
        return Refused::new(Reason::AnchorIsLeaf, words);
    }
    // RFC 7671, 5.2.2: the system's own authorities are not asked (CM-13).
    let words = "the host does not show the trust anchor that its TLSA records name";
    Refused::new(Reason::AnchorNotInChain, words)
}

/// Everybody whom the records name, as far as he was shown or can be made from the record; beside each
/// the record that names him.
fn anchors<'a>(
    leaf: &Read<'a>,
    others: &[Read<'a>],
    records: &[&'a TlsaRecord],
) -> (Vec<Anchor<'a>>, Vec<&'a TlsaRecord>) {
    let (mut anchors, mut sources) = (Vec::new(), Vec::new());
    for record in records {
        let shown = others.iter().filter(|other| {
            let key = other.parsed.public_key().raw;
            super::dane::is_digest(record, if record.selector == 0 { other.der } else { key })
        });
        let mut found: Vec<Anchor<'a>> = shown
            .filter_map(|other| from_certificate(other.der))
            .collect();
        if found.is_empty() && record.matching == FULL {
            found = match record.selector {
                // RFC 7671, 5.2.1: the record supplies the anchor itself (CM-14).
                0 => from_certificate(&record.data).into_iter().collect(),
                // RFC 7671, 5.2.3: a bare key may have signed any of those shown (CM-15).
                _ => bare(&record.data, leaf, others),
            };
        }
        sources.extend(found.iter().map(|_| *record));
        anchors.extend(found);
    }
    (anchors, sources)
}

fn from_certificate(der: &[u8]) -> Option<Anchor<'_>> {
    let certificate = Read::of_der(der)?;
    let trust = anchor_from_trusted_cert(&CertificateDer::from(der))
        .ok()?
        .to_owned();
    Some(Anchor {
        trust,
        certificate: Some(certificate),
    })
}

/// A bare key: an anchor under each name by which somebody among those shown was issued.
fn bare<'a>(key: &[u8], leaf: &Read<'a>, others: &[Read<'a>]) -> Vec<Anchor<'a>> {
    let mut anchors: Vec<Anchor<'a>> = Vec::new();
    for read in std::iter::once(leaf).chain(others) {
        let subject = read.issuer();
        let is_known = |anchor: &Anchor<'_>| anchor.trust.subject.as_ref() == subject;
        if !anchors.iter().any(is_known) {
            anchors.push(Anchor {
                trust: TrustAnchor {
                    subject: subject.to_vec().into(),
                    subject_public_key_info: contents(key).to_vec().into(),
                    name_constraints: None,
                },
                certificate: None,
            });
        }
    }
    anchors
}

/// RFC 7672, 3.2.2 and 3.2.3: the leaf has one of the reference names.
fn named(
    leaf: &Read<'_>,
    path: &Path<'_, '_>,
    anchor: &Anchor<'_>,
    names: &ReferenceNames,
    options: &VerifyOptions,
) -> Result<NameMatch, Refused> {
    let rules = NameRules {
        common_name: options.common_name,
        multi_label_wildcards: options.multi_label_wildcards,
    };
    let Some(found) = matching(&leaf.parsed, names, rules) else {
        let wanted: Vec<String> = names.iter().map(ToString::to_string).collect();
        let words = format!(
            "the certificate has {}, and none of {}",
            told(&leaf.parsed),
            wanted.join(" ")
        );
        return Err(Refused::new(Reason::CertificateNameMismatch, words));
    };
    if found.is_common_name {
        let issuers = path.intermediates.iter().copied();
        let constraints = issuers
            .chain(anchor.certificate.as_ref())
            .filter_map(Read::constraints);
        let name = DomainName::parse(&found.presented);
        for constraints in constraints {
            if !name.as_ref().is_ok_and(|name| permits(constraints, name)) {
                let words = "an issuer may not vouch for the name in the subject";
                return Err(Refused::new(Reason::NameNotPermitted, words));
            }
        }
    }
    Ok(found)
}

/// Matching type 0 (RFC 6698, 2.1.3).
const FULL: u8 = 0;
/// Certificates that are looked at: nobody needs more, and whoever sends them pays nothing.
const LONGEST_CHAIN: usize = 100;
