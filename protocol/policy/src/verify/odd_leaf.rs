//! Leaves that a strict library does not read, right below their anchor: of version 1, or marked as an
//! authority. Postfix takes both, and small private authorities issue both.

use rustls_pki_types::SignatureVerificationAlgorithm;
use webpki::ALL_VERIFICATION_ALGS;

use super::certificate::{Signed, SubjectKey};
use super::path::Anchor;
use super::read::Read;
use crate::moment::Timestamp;
use crate::reason::Reason;

/// Judges such a leaf: dates, purpose, and the anchor's signature (RFC 5280, 6.1.3).
pub(super) fn verify(leaf: &Read<'_>, anchor: &Anchor<'_>, now: Timestamp) -> Result<(), Reason> {
    leaf.dates(now)?;
    if leaf.has_unknown_critical() {
        return Err(Reason::ExtensionUnknown);
    }
    if !leaf.is_for_servers() {
        return Err(Reason::PurposeMismatch);
    }
    // Constraints are webpki's to judge, and it does not read this leaf.
    if anchor.trust.name_constraints.is_some() {
        return Err(Reason::NameNotPermitted);
    }
    let signed = Signed::read(leaf.der).ok_or(Reason::CertificateUnreadable)?;
    let key = SubjectKey::read(anchor.trust.subject_public_key_info.as_ref())
        .ok_or(Reason::CertificateUnreadable)?;
    let fits = |algorithm: &&&dyn SignatureVerificationAlgorithm| {
        algorithm.signature_alg_id().as_ref() == signed.algorithm
            && algorithm.public_key_alg_id().as_ref() == key.algorithm
    };
    let mut algorithms = ALL_VERIFICATION_ALGS.iter().filter(fits).peekable();
    if algorithms.peek().is_none() {
        return Err(Reason::SignatureWeak);
    }
    let verifies = |algorithm: &&dyn SignatureVerificationAlgorithm| {
        algorithm
            .verify_signature(key.bits, signed.content, signed.signature)
            .is_ok()
    };
    if algorithms.any(verifies) {
        Ok(())
    } else {
        Err(Reason::SignatureInvalid)
    }
}
