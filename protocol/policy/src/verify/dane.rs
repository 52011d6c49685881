//! TLSA records against what a host showed (RFC 7671; RFC 7672, 3).

use super::certificate::Certificate;
use super::names::ReferenceNames;
use super::read::Read;
use super::session::{LeafDigests, Presented, digest};
use super::trust_anchor;
use super::verdict::{Matched, Warning};
use crate::moment::Timestamp;
use crate::reason::Reason;
use crate::tlsa::{TlsaRecord, TlsaSet, TlsaUsage, UsableRecord, strongest};

/// What may be judged one way or another, where RFC 7671 and RFC 7672 leave it open.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifyOptions {
    /// Matching types, strongest first (RFC 7671, 9; CM-25).
    pub digest_order: Vec<u8>,
    /// An expired anchor authenticates nothing, though it is an intermediate (CM-17).
    pub ta_check_dates: bool,
    /// Under DANE the subject's common name counts where there is no alternative name (CM-28).
    pub common_name: bool,
    /// A wildcard covers more than one label (CM-29).
    pub multi_label_wildcards: bool,
}

impl Default for VerifyOptions {
    fn default() -> Self {
        Self {
            digest_order: vec![2, 1],
            ta_check_dates: false,
            common_name: true,
            multi_label_wildcards: false,
        }
    }
}

/// The host is who it should be (RFC 7672, 3.1).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Authenticated {
    /// By which record, at which depth.
    pub matched: Matched,
    /// Worth a word.
    pub warnings: Vec<Warning>,
}

/// The host is not known to be who it should be: the session keeps nothing of what DANE promises,
/// and mail must not go over it where DANE is owed (RFC 7672, 2.2).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// Why.
    pub reason: Reason,
    /// For people.
    pub detail: String,
}

impl Refused {
    /// With words for people.
    #[must_use]
    pub fn new(reason: Reason, detail: impl Into<String>) -> Self {
        Self {
            reason,
            detail: detail.into(),
        }
    }
}

/// Judges what was shown by the records of the host (RFC 7671, 5; RFC 7672, 3.1).
///
/// Any one record that counts is enough (RFC 7671, 8.1), of either usage (CM-21). A bare key or the
/// digests of a leaf can be matched by DANE-EE records alone.
///
/// # Errors
/// [`Refused`] where no usable record authenticates it.
pub fn authenticate(
    presented: &Presented,
    records: &TlsaSet,
    names: &ReferenceNames,
    now: Timestamp,
    options: &VerifyOptions,
) -> Result<Authenticated, Refused> {
    let counting = strongest(&records.usable, &options.digest_order);
    let of = |usage: TlsaUsage| -> Vec<&TlsaRecord> {
        let own = counting.iter().filter(|record| record.usage == usage);
        own.map(|record| &record.record).collect()
    };
    let (end_entity, anchors) = (of(TlsaUsage::EndEntity), of(TlsaUsage::TrustAnchor));
    match presented {
        Presented::Unknown => Err(Refused::new(
            Reason::ReportIncomplete,
            "what the host showed is not known",
        )),
        Presented::RawKey(key) => raw_key(key, &end_entity, &records.usable),
        Presented::Digests(digests) => by_digests(digests, &end_entity, anchors.is_empty()),
        Presented::Chain(chain) => {
            let Some(leaf) = chain.first() else {
                let words = "no certificate was shown";
                return Err(Refused::new(Reason::ReportIncomplete, words));
            };
            if let Some(matched) = find(leaf, &end_entity) {
                return Ok(Authenticated {
                    matched,
                    warnings: dates(leaf, now),
                });
            }
            if anchors.is_empty() {
                return Err(no_match(end_entity.len()));
            }
            let refused = trust_anchor::authenticate(chain, &anchors, names, now, options);
            refused.map_err(|refused| match refused.reason {
                Reason::AnchorNotInChain if !end_entity.is_empty() => no_match(counting.len()),
                _ => refused,
            })
        }
    }
}

/// RFC 7671, 5.1: nothing of the leaf counts but the octets that the selector picks: no name, no
/// date, no signature (CM-04, CM-05, CM-06).
fn find(leaf: &Certificate, records: &[&TlsaRecord]) -> Option<Matched> {
    let record = records.iter().find(|record| is_match(record, leaf))?;
    Some(at_leaf(record))
}

fn at_leaf(record: &TlsaRecord) -> Matched {
    Matched::Tlsa {
        record: record.clone(),
        depth: 0,
    }
}

/// True where a record holds what its selector picks of this certificate, or the digest of that.
pub(super) fn is_match(record: &TlsaRecord, certificate: &Certificate) -> bool {
    certificate
        .selected(record.selector)
        .is_some_and(|selected| is_digest(record, selected))
}

/// RFC 6698, 2.1.3.
pub(super) fn is_digest(record: &TlsaRecord, selected: &[u8]) -> bool {
    digest(record.matching, selected).is_some_and(|digest| digest == record.data)
}

/// RFC 7250: only records of the form 3 1 x can match a bare key; a client expects one only where
/// there are no others (CM-08).
fn raw_key(
    key: &[u8],
    end_entity: &[&TlsaRecord],
    usable: &[UsableRecord],
) -> Result<Authenticated, Refused> {
    let is_key = |record: &TlsaRecord| record.selector == 1;
    let mut keys = end_entity.iter().filter(|record| is_key(record)).peekable();
    if keys.peek().is_none() {
        let words = "the host showed a bare key, and only 3 1 x records can match one";
        return Err(Refused::new(Reason::RawKeyNotUsable, words));
    }
    let Some(record) = keys.find(|record| is_digest(record, key)) else {
        return Err(no_match(end_entity.len()));
    };
    let is_expected = usable
        .iter()
        .all(|record| record.usage == TlsaUsage::EndEntity && is_key(&record.record));
    Ok(Authenticated {
        matched: at_leaf(record),
        warnings: if is_expected {
            Vec::new()
        } else {
            vec![Warning::RawKeyUnexpected]
        },
    })
}

/// A log line holds digests of one kind; they settle what records of that kind say, and no more.
fn by_digests(
    digests: &LeafDigests,
    end_entity: &[&TlsaRecord],
    only_end_entity: bool,
) -> Result<Authenticated, Refused> {
    let of = |record: &TlsaRecord| match record.selector {
        0 => &digests.certificate,
        _ => &digests.key,
    };
    let comparable = |record: &&&TlsaRecord| match record.matching {
        1 => of(record).len() == 32,
        2 => of(record).len() == 64,
        _ => false,
    };
    if let Some(record) = end_entity
        .iter()
        .filter(comparable)
        .find(|record| record.data == *of(record))
    {
        return Ok(Authenticated {
            matched: at_leaf(record),
            warnings: Vec::new(),
        });
    }
    if only_end_entity && end_entity.iter().all(|record| comparable(&record)) {
        return Err(no_match(end_entity.len()));
    }
    Err(Refused::new(
        Reason::ReportIncomplete,
        "digests of the leaf alone cannot be compared with these records",
    ))
}

fn no_match(records: usize) -> Refused {
    let words = match records {
        0 => "no TLSA record can match what the host showed".to_owned(),
        1 => "the TLSA record does not match what the host showed".to_owned(),
        _ => format!("none of {records} TLSA records matches what the host showed"),
    };
    Refused::new(Reason::TlsaNoMatch, words)
}

/// CM-05: DANE-EE does not look at dates; people may want to.
fn dates(leaf: &Certificate, now: Timestamp) -> Vec<Warning> {
    let out_of_date = Read::of(leaf).is_some_and(|leaf| leaf.dates(now).is_err());
    if out_of_date {
        vec![Warning::CertificateDates]
    } else {
        Vec::new()
    }
}
