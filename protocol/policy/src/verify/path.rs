//! Paths from a leaf to an anchor (RFC 5280, 6; RFC 4158). The certificates that a host shows may
//! come in any order, twice, crossed or in circles: the search is over names, has a budget, and
//! hands each path that it finds to rustls-webpki, which judges signatures, dates, purposes and
//! constraints. What that library leaves open is judged here: the right to sign, and everything
//! about the anchor.

use std::time::Duration;

use rustls_pki_types::{CertificateDer, TrustAnchor, UnixTime};
use webpki::{ALL_VERIFICATION_ALGS, EndEntityCert, Error, KeyUsage};

use super::certificate::Certificate;
use super::names::NameMatch;
use super::odd_leaf;
use super::read::{Read, permits};
use crate::moment::Timestamp;
use crate::name::DomainName;
use crate::reason::Reason;

/// Somebody whose signature counts.
pub(super) struct Anchor<'a> {
    /// Name, key and name constraints.
    pub(super) trust: TrustAnchor<'a>,
    /// Its certificate, where there is one: its own limits are enforced then (CM-18).
    pub(super) certificate: Option<Read<'a>>,
}

/// A path that holds.
pub(super) struct Path<'a, 'b> {
    /// Issuers between leaf and anchor, the leaf's own first.
    pub(super) intermediates: Vec<&'b Read<'a>>,
    /// Which anchor, by its place.
    pub(super) anchor: usize,
}

/// Each certificate once, and the leaf not again: nobody vouches for himself (CM-11). They are put
/// in an order of their own, so that whatever is found is the same whichever was shown first
/// (CM-20).
pub(super) fn unique<'a>(leaf: &Certificate, others: &'a [Certificate]) -> Vec<&'a Certificate> {
    let mut unique: Vec<&Certificate> = others.iter().take(LONGEST_CHAIN).collect();
    unique.sort_by_key(|other| other.der());
    unique.dedup();
    unique.retain(|other| *other != leaf);
    unique
}

/// What else is asked of a path that holds: its issuers, and its anchor.
pub(super) type Accept<'b> = dyn Fn(&[&Read<'_>], &Anchor<'_>) -> Result<(), Reason> + 'b;

/// Looks for a path from the leaf to one of the anchors that is acceptable too.
///
/// # Errors
/// The reason of the path that came nearest; [`Reason::AnchorNotIssuer`] where none reached an anchor.
pub(super) fn search<'a, 'b>(
    leaf: &'b Read<'a>,
    others: &'b [Read<'a>],
    anchors: &'b [Anchor<'a>],
    now: Timestamp,
    accept: &'b Accept<'b>,
) -> Result<Path<'a, 'b>, Reason> {
    let mut search = Search {
        leaf,
        others,
        anchors,
        now,
        accept,
        nodes: MOST_NODES,
        paths: MOST_PATHS,
        nearest: Reason::AnchorNotIssuer,
    };
    let mut path = Vec::new();
    search.from(&mut path).ok_or(search.nearest)
}

struct Search<'a, 'b> {
    leaf: &'b Read<'a>,
    others: &'b [Read<'a>],
    anchors: &'b [Anchor<'a>],
    now: Timestamp,
    accept: &'b Accept<'b>,
    nodes: usize,
    paths: usize,
    nearest: Reason,
}

impl<'a, 'b> Search<'a, 'b> {
    fn from(&mut self, path: &mut Vec<&'b Read<'a>>) -> Option<Path<'a, 'b>> {
        let head = path.last().copied().unwrap_or(self.leaf);
        let anchors = self.anchors;
        for (number, anchor) in anchors.iter().enumerate() {
            if anchor.trust.subject.as_ref() != head.issuer() {
                continue;
            }
            if !spend(&mut self.paths) {
                self.note(Reason::PathSearchExhausted);
                return None;
            }
            match self.holds(path, anchor) {
                Ok(()) => {
                    return Some(Path {
                        intermediates: path.clone(),
                        anchor: number,
                    });
                }
                Err(reason) => self.note(reason),
            }
        }
        let others = self.others;
        for issuer in others {
            if issuer.subject() != head.issuer() {
                continue;
            }
            // RFC 4158, 5.2: nobody stands twice in a path.
            let is_there = |other: &Read<'_>| {
                other.subject() == issuer.subject()
                    && other.parsed.public_key().raw == issuer.parsed.public_key().raw
            };
            if is_there(self.leaf) || path.iter().any(|other| is_there(other)) {
                continue;
            }
            if path.len() >= LONGEST_PATH {
                self.note(Reason::PathTooLong);
                continue;
            }
            if !spend(&mut self.nodes) {
                self.note(Reason::PathSearchExhausted);
                return None;
            }
            path.push(issuer);
            let found = self.from(path);
            path.pop();
            if found.is_some() {
                return found;
            }
        }
        None
    }

    fn holds(&self, path: &[&Read<'a>], anchor: &Anchor<'a>) -> Result<(), Reason> {
        if !self.leaf.is_sound() {
            return Err(Reason::CertificateUnreadable);
        }
        for issuer in path {
            if !issuer.is_sound() {
                return Err(Reason::CertificateUnreadable);
            }
            // RFC 5280, 6.1.4 (n): webpki does not look at it.
            if !issuer.may_sign() {
                return Err(Reason::IssuerNotAuthority);
            }
        }
        if !self.leaf.may_serve() {
            return Err(Reason::PurposeMismatch);
        }
        if let Some(certificate) = &anchor.certificate {
            is_fit(certificate, path)?;
        }
        let leaf = CertificateDer::from(self.leaf.der);
        let intermediates: Vec<CertificateDer<'_>> = path
            .iter()
            .map(|read| CertificateDer::from(read.der))
            .collect();
        let verified = EndEntityCert::try_from(&leaf).and_then(|leaf| {
            let seconds = Duration::from_secs(self.now.0 / 1000);
            let anchors = std::slice::from_ref(&anchor.trust);
            leaf.verify_for_usage(
                ALL_VERIFICATION_ALGS,
                anchors,
                &intermediates,
                UnixTime::since_unix_epoch(seconds),
                KeyUsage::server_auth(),
                None,
                None,
            )
            .and_then(|verified| {
                // webpki makes a path of its own from what it is given, and may leave out issuers that
                // share a name with others (RFC 5280, 3.2). Depth, lengths and constraints are judged by
                // this path (CM-18): it must be the one. The shorter one has its turn too.
                if verified.intermediate_certificates().count() == path.len() {
                    Ok(())
                } else {
                    Err(Error::UnknownIssuer)
                }
            })
        });
        match verified {
            Ok(()) => (self.accept)(path, anchor),
            // Private authorities issue such leaves: `openssl x509 -req` did so until version 3.2.
            Err(Error::UnsupportedCertVersion | Error::CaUsedAsEndEntity) if path.is_empty() => {
                odd_leaf::verify(self.leaf, anchor, self.now)?;
                (self.accept)(path, anchor)
            }
            Err(error) => Err(reason(&error)),
        }
    }

    fn note(&mut self, reason: Reason) {
        if nearness(reason) > nearness(self.nearest) {
            self.nearest = reason;
        }
    }
}

fn spend(budget: &mut usize) -> bool {
    let left = budget.checked_sub(1);
    *budget = left.unwrap_or(0);
    left.is_some()
}

/// CM-18: what the certificate of an anchor says of itself binds the path below it.
fn is_fit(anchor: &Read<'_>, path: &[&Read<'_>]) -> Result<(), Reason> {
    if !anchor.is_sound() {
        return Err(Reason::CertificateUnreadable);
    }
    if anchor.has_unknown_critical() {
        return Err(Reason::ExtensionUnknown);
    }
    if anchor.hides_constraints() {
        return Err(Reason::NameNotPermitted);
    }
    if !anchor.is_authority() || !anchor.may_sign() {
        return Err(Reason::IssuerNotAuthority);
    }
    if !anchor.is_for_servers() {
        return Err(Reason::PurposeMismatch);
    }
    // RFC 5280, 4.2.1.9: self-issued certificates do not count.
    let below = path
        .iter()
        .filter(|issuer| !issuer.is_self_issued())
        .count();
    match anchor.path_length() {
        Some(length) if below > length => Err(Reason::PathTooLong),
        _ => Ok(()),
    }
}

/// RFC 5280, 4.2.1.10: a name that stands in the subject alone is under the constraints of the
/// issuers too, and webpki does not look at it.
pub(super) fn may_vouch(
    issuers: &[&Read<'_>],
    anchor: &Anchor<'_>,
    name: Option<&NameMatch>,
) -> Result<(), Reason> {
    let Some(name) = name.filter(|name| name.is_common_name) else {
        return Ok(());
    };
    let name = DomainName::parse(&name.presented);
    let own = issuers.iter().copied().chain(&anchor.certificate);
    let mut constraints = own.filter_map(Read::constraints);
    let is_open = anchor.certificate.is_some() || anchor.trust.name_constraints.is_none();
    if is_open && constraints.all(|own| name.as_ref().is_ok_and(|name| permits(own, name))) {
        Ok(())
    } else {
        Err(Reason::NameNotPermitted)
    }
}

fn reason(error: &Error) -> Reason {
    match error {
        Error::CertExpired { .. } => Reason::CertificateExpired,
        Error::CertNotValidYet { .. } => Reason::CertificateNotYetValid,
        Error::NameConstraintViolation => Reason::NameNotPermitted,
        Error::PathLenConstraintViolated | Error::MaximumPathDepthExceeded => Reason::PathTooLong,
        Error::EndEntityUsedAsCa | Error::CaUsedAsEndEntity => Reason::IssuerNotAuthority,
        Error::RequiredEkuNotFoundContext(_) | Error::EmptyEkuExtension => Reason::PurposeMismatch,
        Error::InvalidSignatureForPublicKey => Reason::SignatureInvalid,
        Error::UnsupportedSignatureAlgorithmContext(_)
        | Error::UnsupportedSignatureAlgorithmForPublicKeyContext(_) => Reason::SignatureWeak,
        Error::UnsupportedCriticalExtension => Reason::ExtensionUnknown,
        Error::MaximumPathBuildCallsExceeded
        | Error::MaximumSignatureChecksExceeded
        | Error::MaximumNameConstraintComparisonsExceeded => Reason::PathSearchExhausted,
        Error::UnknownIssuer => Reason::AnchorNotIssuer,
        _ => Reason::CertificateUnreadable,
    }
}

/// How near a path came that failed for this reason: the nearest one is told.
fn nearness(reason: Reason) -> usize {
    const NEAREST_LAST: [Reason; 11] = [
        Reason::AnchorNotIssuer,
        Reason::SignatureInvalid,
        Reason::CertificateUnreadable,
        Reason::SignatureWeak,
        Reason::ExtensionUnknown,
        Reason::IssuerNotAuthority,
        Reason::PathTooLong,
        Reason::PurposeMismatch,
        Reason::NameNotPermitted,
        Reason::CertificateNotYetValid,
        Reason::CertificateExpired,
    ];
    // An exhausted search is told before anything: nobody knows what it would have found.
    let place = NEAREST_LAST.iter().position(|own| *own == reason);
    place.unwrap_or(NEAREST_LAST.len())
}

/// Certificates that are looked at: nobody needs more, and whoever sends them pays nothing.
const LONGEST_CHAIN: usize = 100;
/// Issuers between leaf and anchor, at most: what webpki verifies.
const LONGEST_PATH: usize = 6;
/// Steps of the search: a hundred certificates in honest disorder need a few hundred.
const MOST_NODES: usize = 1_000;
/// Paths that are verified, each of at most seven signatures.
const MOST_PATHS: usize = 50;
