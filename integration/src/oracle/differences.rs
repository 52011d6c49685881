//! Where our verifier means to differ from OpenSSL: every reason, and by which facts of a case it is
//! known. A difference that none of them explains is a fault.

use super::certificate::{Certificate, Damage, Version};
use super::cures;
use super::extension::{AlternativeName, Content, Known, Purpose};
use super::keys::{Algorithm, Digest};
use super::plan::{Of, Plan};
use super::subject::{Attribute, Encoding};

/// A reason to differ.
#[derive(Debug)]
pub struct Difference {
    /// The requirement that says so.
    pub requirement: &'static str,
    /// What that rests on.
    pub clause: &'static str,
    /// In a sentence.
    pub reason: &'static str,
    /// Who accepts, as far as it is always the same one.
    pub side: Option<Side>,
    /// Whether the facts of a case are such. The verdicts are not looked at.
    pub applies: fn(&Plan) -> bool,
    /// The case without those facts: then both must accept.
    pub cures: fn(&Plan, Side) -> Vec<Plan>,
}

/// Who accepts where the other refuses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Side {
    We,
    OpenSsl,
}

/// At most ten.
pub const ALL: &[Difference] = &[
    Difference {
        requirement: "CM-07",
        clause: "RFC 7671, 5.1",
        reason: "a leaf that OpenSSL cannot read, or its key, is still matched octet for octet",
        side: Some(Side::We),
        applies: |plan| plan.shown_certificates().next().is_some_and(is_odd_leaf),
        cures: cures::readable_leaf,
    },
    Difference {
        requirement: "CM-07",
        clause: "RFC 8446, 4.4.2",
        reason: "other octets that OpenSSL takes for no certificate end its handshake, or its record",
        side: Some(Side::We),
        applies: |plan| plan.at_hand().skip(1).any(is_unreadable),
        cures: cures::readable_others,
    },
    Difference {
        requirement: "CM-20",
        clause: "RFC 4158, 3.5.12",
        reason: "OpenSSL heeds key identifiers and takes the first issuer that looks right; we try all",
        // OpenSSL, where it therefore looks for a bare key, or not at the dates of an anchor.
        side: None,
        applies: |plan| is_anchored(plan) && has_rivals(plan),
        cures: cures::no_choice,
    },
    Difference {
        requirement: "CM-20",
        clause: "RFC 5280, 4.2.1.9",
        reason: "a path that rustls-webpki does not follow: of more than six issuers, or with \
                 self-issued ones where lengths are limited, since it counts them",
        side: Some(Side::OpenSsl),
        applies: |plan| {
            let has_longer = plan.story.depth > LONGEST_PATH;
            is_anchored(plan) && (has_longer || has_self_issued_issuer(plan))
        },
        cures: cures::shorter_path,
    },
    Difference {
        requirement: "CM-19",
        clause: "RFC 9325, 4.5",
        reason: "a signature that is not taken: RSA below 2048 bits, secp256k1, Ed448, or an old digest \
                 right below a bare key, where OpenSSL does not look at it",
        side: Some(Side::OpenSsl),
        applies: |plan| {
            is_anchored(plan)
                && plan.near().any(|one| {
                    is_signed_unusually(one.signed_by.algorithm)
                        || has_bare_key(plan) && is_signed_weakly(one)
                })
        },
        cures: cures::usual_signatures,
    },
    Difference {
        requirement: "CM-10",
        clause: "RFC 5280, 7.1",
        reason: "the names of issuers are compared octet for octet",
        side: Some(Side::OpenSsl),
        applies: |plan| is_anchored(plan) && has_names_in_other_octets(plan),
        cures: cures::same_octets,
    },
    Difference {
        requirement: "CM-18",
        clause: "RFC 5280, 4.1.2.1 and 4.2",
        reason: "a path with a certificate outside of RFC 5280's profile, which OpenSSL lets pass",
        side: Some(Side::OpenSsl),
        applies: |plan| is_anchored(plan) && has_outsiders(plan),
        cures: cures::in_profile,
    },
    Difference {
        requirement: "CM-18",
        clause: "RFC 5280, 4.2.1.10",
        reason: "name constraints that rustls-webpki does not weigh: not of hosts, or on a wildcard",
        side: Some(Side::OpenSsl),
        applies: |plan| is_anchored(plan) && plan.near().any(|one| is_constrained_oddly(plan, one)),
        cures: cures::no_constraints,
    },
    Difference {
        requirement: "CM-16",
        clause: "RFC 5280, 4.1.2.5",
        reason: "the last second of a certificate belongs to its validity",
        side: Some(Side::We),
        applies: |plan| is_anchored(plan) && plan.near().any(|one| one.not_after == plan.now),
        cures: cures::a_second_earlier,
    },
    Difference {
        requirement: "CM-30",
        clause: "RFC 9525, 6.3",
        reason: "a trailing dot is no part of a name",
        side: Some(Side::We),
        applies: |plan| is_anchored(plan) && plan.shown_certificates().next().is_some_and(has_dot),
        cures: cures::no_dots,
    },
];

/// The reasons that may explain why one side alone accepts.
pub fn applying(plan: &Plan, who_accepts: Side) -> Vec<&'static Difference> {
    let all = ALL.iter();
    all.filter(|one| one.side.is_none_or(|side| side == who_accepts) && (one.applies)(plan))
        .collect()
}

/// A path may be what decides.
fn is_anchored(plan: &Plan) -> bool {
    plan.records.iter().any(|record| record.usage == 2)
}

/// OpenSSL's parser stops at it, and with it the handshake.
pub(super) fn is_unreadable(certificate: &Certificate) -> bool {
    // X.690, 8.3.2: no zeros or ones in front that change nothing.
    let is_padded = matches!(
        certificate.serial[..],
        [0, ..=0x7f, ..] | [0xff, 0x80..=0xff, ..]
    );
    let is_damaged = matches!(
        certificate.damage,
        Some(Damage::Truncated | Damage::Trailing | Damage::Noise)
    );
    is_padded || is_damaged
}

/// OpenSSL reads it not at all, or without its key, or other octets than stand there.
pub(super) fn is_odd_leaf(certificate: &Certificate) -> bool {
    is_unreadable(certificate)
        || matches!(
            certificate.damage,
            Some(Damage::UnknownKey | Damage::OtherKeyAlgorithm | Damage::LongLength)
        )
}

fn has_outsiders(plan: &Plan) -> bool {
    let leaf = &plan.certificates[plan.shown[0]];
    is_outside_of_profile(leaf, true)
        || plan
            .near()
            .any(|one| is_outside_of_profile(one, one == leaf))
}

/// Not of version 3, not DER, a leaf that calls itself an authority, an issuer that does not, an extension
/// that cannot be read or stands twice, a leaf's name in two octets for each character, or Netscape's
/// server-gated crypto in the place of server authentication (CM-19).
pub(super) fn is_outside_of_profile(certificate: &Certificate, is_leaf: bool) -> bool {
    let is_gated = match certificate.extension(Known::ExtendedKeyUsage) {
        Some(Content::ExtendedKeyUsage(purposes)) => {
            purposes.contains(&Purpose::Gated) && !purposes.contains(&Purpose::Server)
        }
        _ => false,
    };
    let is_authority = matches!(
        certificate.extension(Known::BasicConstraints),
        Some(Content::BasicConstraints {
            authority: true,
            ..
        })
    );
    let is_wide = |attribute: &Attribute| attribute.encoding == Encoding::Bmp;
    certificate.version != Version::Three
        || certificate.damage == Some(Damage::LongLength)
        || is_gated
        || certificate.has_flawed_extensions()
        || is_leaf && certificate.subject.common_names().any(is_wide)
        || is_authority == is_leaf
}

/// rustls-webpki compares hosts and addresses. It refuses where another form of name is constrained and
/// present, or what is constrained is no name, and takes a wildcard for all that it covers.
fn is_constrained_oddly(plan: &Plan, certificate: &Certificate) -> bool {
    let Some(Content::NameConstraints {
        permitted,
        excluded,
    }) = certificate.extension(Known::NameConstraints)
    else {
        return false;
    };
    let has_wildcard = names(plan.leaf()).any(|name| name.starts_with(b"*"));
    let excludes_host = excluded
        .iter()
        .any(|name| matches!(name, AlternativeName::Dns(_)));
    let is_other_form = |name: &AlternativeName| match name {
        AlternativeName::Dns(text) => text.starts_with(b"-"),
        AlternativeName::Address(_) => false,
        _ => true,
    };
    has_wildcard && excludes_host || permitted.iter().chain(excluded).any(is_other_form)
}

pub(super) fn is_signed_unusually(by: Algorithm) -> bool {
    matches!(
        by,
        Algorithm::Rsa1024 | Algorithm::Secp256k1 | Algorithm::Ed448
    )
}

pub(super) fn is_signed_weakly(certificate: &Certificate) -> bool {
    matches!(certificate.digest, Digest::Md5 | Digest::Sha1)
}

fn has_dot(leaf: &Certificate) -> bool {
    names(leaf).any(|name| name.ends_with(b"."))
}

/// DNS-IDs, and the common names for want of them.
fn names(leaf: &Certificate) -> impl Iterator<Item = &[u8]> {
    let listed = match leaf.extension(Known::AlternativeNames) {
        Some(Content::AlternativeNames(names)) => &names[..],
        _ => &[],
    };
    let listed = listed.iter().filter_map(|name| match name {
        AlternativeName::Dns(text) => Some(&text[..]),
        _ => None,
    });
    listed.chain(leaf.subject.common_names().map(|name| &name.text[..]))
}

/// Not at the top, where it would be self-signed.
fn has_self_issued_issuer(plan: &Plan) -> bool {
    let mut issuers = plan.near();
    let is_own =
        |one: &Certificate| one.is_self_issued() || one.issuer.is_same_but_for_octets(&one.subject);
    issuers.any(|one| is_own(one) && one.key != one.signed_by)
}

/// A record holds its key in full.
pub(super) fn has_key_of_anchor(plan: &Plan, certificate: &Certificate) -> bool {
    plan.records.iter().any(|record| match record.data.of {
        Of::Certificate(place) => {
            (record.usage, record.selector, record.matching) == (2, 1, 0)
                && plan.certificates[place].key == certificate.key
        }
        Of::Noise(_) => false,
    })
}

fn has_bare_key(plan: &Plan) -> bool {
    plan.records
        .iter()
        .any(|record| (record.usage, record.selector, record.matching) == (2, 1, 0))
}

fn has_names_in_other_octets(plan: &Plan) -> bool {
    let all: Vec<&Certificate> = plan.at_hand().collect();
    all.iter().any(|one| {
        all.iter()
            .any(|other| one.issuer.is_same_but_for_octets(&other.subject))
    })
}

/// There is a choice between issuers of one name, or a key identifier speaks against the only one.
fn has_rivals(plan: &Plan) -> bool {
    let all: Vec<&Certificate> = plan.near().collect();
    all.iter().any(|one| {
        let issuers: Vec<&&Certificate> = all
            .iter()
            .filter(|other| other.subject == one.issuer && other != &one)
            .collect();
        // Strangers of that name hide a bare key.
        let is_stranger = |issuer: &&&Certificate| !has_key_of_anchor(plan, issuer);
        // So does one that OpenSSL has from another record (CM-09).
        let is_supplied =
            |issuer: &&&Certificate| !plan.shown_certificates().any(|one| one == **issuer);
        let hides_key = |issuer: &&&Certificate| is_stranger(issuer) || is_supplied(issuer);
        let is_choice = has_bare_key(plan) && issuers.iter().any(hides_key)
            || issuers.iter().any(|issuer| **issuer != *issuers[0]);
        let is_warned = issuers.iter().any(|issuer| identifiers_differ(one, issuer))
            || one.is_self_issued() && identifiers_differ(one, one);
        is_choice || is_warned
    })
}

pub(super) fn identifiers_differ(one: &Certificate, issuer: &Certificate) -> bool {
    match (
        one.extension(Known::AuthorityKeyIdentifier),
        issuer.extension(Known::SubjectKeyIdentifier),
    ) {
        (
            Some(Content::AuthorityKeyIdentifier(wanted)),
            Some(Content::SubjectKeyIdentifier(own)),
        ) => wanted != own,
        (Some(Content::Broken(_)), _) | (_, Some(Content::Broken(_))) => true,
        _ => false,
    }
}

/// Issuers between leaf and anchor, and the anchor.
pub(super) const LONGEST_PATH: usize = 7;
