//! Changes that a certificate at any depth can suffer.

use fastrand::Rng;

use crate::oracle::certificate::Certificate;
use crate::oracle::draw::{key, one_of};
use crate::oracle::extension::{Content, Extension, Known};
use crate::oracle::keys::Digest;
use crate::oracle::plan::Plan;
use crate::oracle::subject::{Attribute, Encoding, Kind};

pub(super) fn usage(certificate: &mut Certificate, bits: u16) -> bool {
    certificate.put(Extension::critical(Content::KeyUsage(bits)));
    true
}

pub(super) fn unknown_critical(certificate: &mut Certificate) -> bool {
    certificate.put(Extension::critical(Content::Unknown));
    true
}

/// Makes an extension unreadable, whether it was there or not.
pub(super) fn broken(rng: &mut Rng, certificate: &mut Certificate) -> bool {
    let known = one_of(rng, &Known::ALL);
    certificate.put(Extension {
        critical: rng.bool(),
        content: Content::Broken(known),
    });
    true
}

/// RFC 5280, 4.1.2.2 wants a positive number of at most twenty octets; others are about.
pub(super) fn serial_form(rng: &mut Rng, certificate: &mut Certificate) -> bool {
    let forms = [vec![0], vec![0xff], vec![0x80, 1], vec![0x7f; 40]];
    certificate.serial = one_of(rng, &forms);
    true
}

/// A number with more octets than it needs (X.690, 8.3.2).
pub(super) fn serial_padded(certificate: &mut Certificate) -> bool {
    certificate.serial = vec![0, 1];
    true
}

/// The same extension twice, which RFC 5280, 4.2 forbids.
pub(super) fn repeated(rng: &mut Rng, certificate: &mut Certificate) -> bool {
    let Some(again) = rng.choice(&certificate.extensions).cloned() else {
        return false;
    };
    certificate.extensions.push(again);
    true
}

/// SHA-1, or MD5 where the signer's key can do that.
pub(super) fn weak_digest(rng: &mut Rng, certificate: &mut Certificate) -> bool {
    let algorithm = certificate.signed_by.algorithm;
    certificate.digest = if algorithm.is_rsa() {
        one_of(rng, &[Digest::Md5, Digest::Sha1])
    } else {
        Digest::Sha1
    };
    !algorithm.is_edwards()
}

/// The signature is by a key of the same kind that is not the issuer's.
pub(super) fn foreign_signature(rng: &mut Rng, plan: &mut Plan, depth: usize) -> bool {
    let kind = plan.at(depth).signed_by.algorithm;
    let mut known = plan.certificates.clone();
    let mut signer = plan.at(depth).clone();
    signer.key = signer.signed_by;
    known.push(signer);
    let other = key(rng, kind, &known);
    plan.at_mut(depth).signed_by = other;
    other.algorithm == kind
}

/// The issuer is called otherwise.
pub(super) fn other_issuer(rng: &mut Rng, certificate: &mut Certificate) -> bool {
    let word = crate::oracle::draw::word(rng);
    let issuer = &mut certificate.issuer;
    match rng.u8(..3) {
        0 => issuer.0 = vec![Attribute::utf8(Kind::CommonName, word)],
        1 => issuer.0.push(Attribute::utf8(Kind::Country, "XX")),
        _ => {
            issuer.0.pop();
        }
    }
    true
}

/// The issuer is called the same in other octets: OpenSSL does not mind (RFC 5280, 7.1).
pub(super) fn same_issuer_in_other_octets(rng: &mut Rng, certificate: &mut Certificate) -> bool {
    let before = certificate.issuer.clone();
    for attribute in &mut certificate.issuer.0 {
        match rng.u8(..4) {
            0 => attribute.text.make_ascii_uppercase(),
            1 => attribute.text.push(b' '),
            2 => attribute.encoding = Encoding::Printable,
            _ if attribute.text.is_ascii() => attribute.encoding = Encoding::Utf8,
            _ => {}
        }
    }
    certificate.issuer.is_same_but_for_octets(&before)
}

/// Shows a changed certificate in the place of the one whose record is published.
pub(super) fn reissue(
    plan: &mut Plan,
    depth: usize,
    change: impl FnOnce(&mut Certificate, i64),
) -> bool {
    let old = plan.story.path[depth];
    let mut renewed = plan.certificates[old].clone();
    change(&mut renewed, plan.now);
    let differs = renewed != plan.certificates[old] && plan.shown.contains(&old);
    let place = plan.add(renewed);
    for shown in plan.shown.iter_mut().filter(|shown| **shown == old) {
        *shown = place;
    }
    plan.story.path[depth] = place;
    differs
}
