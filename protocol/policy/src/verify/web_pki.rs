//! Certificates that public authorities vouch for: what MTA-STS asks (RFC 8461, 4.1 and 4.2), and what
//! an operator may ask.

use rustls_pki_types::TrustAnchor;
use x509_parser::prelude::X509Certificate;

use super::certificate::Certificate;
use super::dane::{Authenticated, Refused};
use super::names::{NameMatch, NameRules, ReferenceNames, matching, told};
use super::path::{Anchor, may_vouch, search, unique};
use super::read::Read;
use super::verdict::Matched;
use crate::moment::Timestamp;
use crate::reason::Reason;

/// Judges a chain as MTA-STS does: an authority vouches for it, and one of the names is among its
/// DNS-IDs (RFC 8461, 4.2).
///
/// # Errors
/// [`Refused`] where it does not.
pub fn by_web_pki(
    chain: &[Certificate],
    authorities: &[TrustAnchor<'static>],
    names: &ReferenceNames,
    now: Timestamp,
) -> Result<Authenticated, Refused> {
    let rules = NameRules {
        common_name: false,
        multi_label_wildcards: false,
    };
    let found = authenticate(chain, authorities, now, |leaf| matching(leaf, names, rules))?;
    Ok(Authenticated {
        matched: Matched::Name(found.presented),
        warnings: Vec::new(),
    })
}

/// Judges a chain by web PKI; `find` looks for a name that counts.
pub(super) fn authenticate(
    chain: &[Certificate],
    authorities: &[TrustAnchor<'static>],
    now: Timestamp,
    find: impl Fn(&X509Certificate<'_>) -> Option<NameMatch>,
) -> Result<NameMatch, Refused> {
    let Some((leaf, others)) = chain.split_first() else {
        let words = "no certificate was shown";
        return Err(Refused::new(Reason::ReportIncomplete, words));
    };
    let others = unique(leaf, others);
    let Some(leaf) = Read::of(leaf) else {
        let words = "the leaf cannot be read";
        return Err(Refused::new(Reason::CertificateUnreadable, words));
    };
    let others: Vec<Read<'_>> = others.into_iter().filter_map(Read::of).collect();
    // Of some hundred authorities few have issued anybody here.
    let issued = |authority: &&TrustAnchor<'static>| {
        let subject = authority.subject.as_ref();
        std::iter::once(&leaf)
            .chain(&others)
            .any(|read| read.issuer() == subject)
    };
    let anchors: Vec<Anchor<'_>> = authorities
        .iter()
        .filter(issued)
        .map(|authority| Anchor {
            trust: authority.clone(),
            certificate: None,
        })
        .collect();
    let name = find(&leaf.parsed);
    let accept =
        |issuers: &[&Read<'_>], anchor: &Anchor<'_>| may_vouch(issuers, anchor, name.as_ref());
    search(&leaf, &others, &anchors, now, &accept).map_err(|reason| match reason {
        Reason::AnchorNotIssuer => {
            let words = "the certificate leads to no authority that is trusted here";
            Refused::new(Reason::CertificateNotTrusted, words)
        }
        reason => Refused::new(reason, "no path from a trusted authority to the leaf holds"),
    })?;
    name.ok_or_else(|| {
        let words = format!("the certificate has {}", told(&leaf.parsed));
        Refused::new(Reason::CertificateNameMismatch, words)
    })
}
