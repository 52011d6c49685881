//! DANE-TA: an issuer that the records name has signed a path to the leaf (RFC 7671, 5.2).

use rustls_pki_types::{CertificateDer, TrustAnchor};
use webpki::anchor_from_trusted_cert;

use super::certificate::{Certificate, contents};
use super::dane::{Authenticated, Refused, VerifyOptions, is_match};
use super::names::{NameRules, ReferenceNames, matching, told};
use super::path::{Anchor, may_vouch, search, unique};
use super::read::Read;
use super::verdict::{Matched, Warning};
use crate::moment::Timestamp;
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
    if nothing_to_trust(leaf, &others, records) {
        return Err(without_anchor(leaf, records));
    }
    let Some(leaf) = Read::of(leaf) else {
        let words = "the leaf cannot be read, and must be for somebody to vouch for it";
        return Err(Refused::new(Reason::CertificateUnreadable, words));
    };
    let others: Vec<Read<'_>> = others.into_iter().filter_map(Read::of).collect();
    let mut anchors = anchors(&leaf, &others, records);
    let is_out_of_date = |anchor: &Anchor<'_>| {
        let certificate = anchor.certificate.as_ref();
        certificate.and_then(|certificate| certificate.dates(now).err())
    };
    // Of two certificates for one anchor the one that is in date is taken, whichever was shown first.
    anchors.sort_by_key(|(anchor, _)| is_out_of_date(anchor).is_some());
    let (anchors, sources): (Vec<_>, Vec<_>) = anchors.into_iter().unzip();
    let rules = NameRules {
        common_name: options.common_name,
        multi_label_wildcards: options.multi_label_wildcards,
    };
    let name = matching(&leaf.parsed, names, rules);
    let accept = |issuers: &[&Read<'_>], anchor: &Anchor<'_>| {
        // CM-17: OpenSSL looks at the dates of a self-issued anchor, and not at those of one that
        // somebody else has issued.
        match (is_out_of_date(anchor), &anchor.certificate) {
            (Some(reason), Some(own)) if own.names(own) || options.ta_check_dates => {
                return Err(reason);
            }
            _ => {}
        }
        may_vouch(issuers, anchor, name.as_ref())
    };
    let path = search(&leaf, &others, &anchors, now, &accept).map_err(|reason| {
        let words = "no path from an anchor of the TLSA records to the leaf holds";
        Refused::new(reason, words)
    })?;
    let (Some(anchor), Some(record)) = (anchors.get(path.anchor), sources.get(path.anchor)) else {
        return Err(Refused::new(Reason::Internal, "a path without its anchor"));
    };
    let Some(name) = &name else {
        let wanted: Vec<String> = names.iter().map(ToString::to_string).collect();
        let words = format!(
            "the certificate has {}, and none of {}",
            told(&leaf.parsed),
            wanted.join(" ")
        );
        return Err(Refused::new(Reason::CertificateNameMismatch, words));
    };
    let mut warnings = Vec::new();
    if is_out_of_date(anchor).is_some() {
        warnings.push(Warning::AnchorExpired);
    }
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

/// True where no record names anybody who was shown, and none supplies its anchor itself.
fn nothing_to_trust(leaf: &Certificate, others: &[&Certificate], records: &[&TlsaRecord]) -> bool {
    records.iter().all(|record| {
        let is_leaf = record.selector == 0 && is_match(record, leaf);
        let supplies = record.matching == FULL && !is_leaf;
        !supplies && !others.iter().any(|other| is_match(record, other))
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

/// Everybody whom the records name, as far as he was shown or can be made from the record, each with the
/// record that names him.
fn anchors<'a>(
    leaf: &Read<'a>,
    others: &[Read<'a>],
    records: &[&'a TlsaRecord],
) -> Vec<(Anchor<'a>, &'a TlsaRecord)> {
    let mut anchors = Vec::new();
    for record in records {
        let shown = others.iter().filter(|other| {
            let key = other.parsed.public_key().raw;
            super::dane::is_digest(record, if record.selector == 0 { other.der } else { key })
        });
        let mut found: Vec<Anchor<'a>> = shown
            .filter_map(|other| from_certificate(other.der))
            .collect();
        if record.matching == FULL {
            match record.selector {
                // CM-11: the leaf supplies nobody but itself.
                0 if record.data == leaf.der || !found.is_empty() => {}
                // RFC 7671, 5.2.1: the record supplies the anchor itself (CM-14).
                0 => found.extend(from_certificate(&record.data)),
                // RFC 7671, 5.2.3: a bare key may have signed any of those shown (CM-15).
                _ => found.extend(bare(&record.data, leaf, others)),
            }
        }
        anchors.extend(found.into_iter().map(|anchor| (anchor, *record)));
    }
    anchors
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

/// A bare key: an anchor under each name by which somebody among those shown was issued. Whoever is
/// shown with that key under such a name, in any spelling, binds with all his limits, even if they
/// leave him no anchor at all (CM-18); strangers of that name hide nothing, nor do certificates that
/// other records supply (CM-09).
fn bare<'a>(key: &[u8], leaf: &Read<'a>, others: &[Read<'a>]) -> Vec<Anchor<'a>> {
    let mut anchors: Vec<Anchor<'a>> = Vec::new();
    for read in std::iter::once(leaf).chain(others) {
        let subject = read.issuer();
        let is_known = |anchor: &Anchor<'_>| anchor.trust.subject.as_ref() == subject;
        let is_owner = |own: &Read<'_>| own.parsed.public_key().raw == key && read.names(own);
        if !anchors.iter().any(is_known) && !others.iter().any(is_owner) {
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

/// Matching type 0 (RFC 6698, 2.1.3).
const FULL: u8 = 0;
