//! Leaves: such as every verifier likes, and such as DANE-EE alone puts up with (RFC 7671, 5.1).

use fastrand::Rng;

use crate::oracle::certificate::{Certificate, Maker, Version};
use crate::oracle::draw::{algorithm, between, chance, key, one_of, serial, word};
use crate::oracle::extension::{
    AlternativeName, Content, DIGITAL_SIGNATURE, Extension, KEY_AGREEMENT, KEY_ENCIPHERMENT,
    Purpose,
};
use crate::oracle::mutate;
use crate::oracle::plan::Plan;
use crate::oracle::subject::Subject;

use super::authorities::identifier;

/// A leaf for one of the names; its issuer is filled in later.
pub(super) fn leaf(rng: &mut Rng, plan: &Plan) -> Certificate {
    let algorithm = algorithm(rng);
    let key = key(rng, algorithm, &plan.certificates);
    let name = one_of(rng, &plan.names);
    let subject = match rng.u8(..4) {
        0 => Subject::default(),
        1 => Subject::common(&name),
        2 => Subject::common(format!("{}.example", word(rng))),
        _ => Subject::authority("Mail", &name),
    };
    let mut leaf = Certificate {
        version: Version::Three,
        serial: serial(rng),
        issuer: subject.clone(),
        subject,
        key,
        signed_by: key,
        digest: algorithm.usual_digest(),
        not_before: plan.now - between(rng, 1, 40_000_000),
        not_after: plan.now + between(rng, 1, 40_000_000),
        extensions: Vec::new(),
        damage: None,
        maker: if chance(rng, 50) {
            Maker::Rcgen
        } else {
            Maker::Ourselves
        },
    };
    if chance(rng, 85) {
        leaf.put(Extension {
            critical: leaf.subject.0.is_empty(),
            content: Content::AlternativeNames(names(rng, &name)),
        });
    } else {
        // RFC 7672, 3.2.3: the subject counts where there is nothing else.
        leaf.subject = Subject::common(&name);
    }
    if chance(rng, 40) {
        leaf.put(Extension {
            critical: chance(rng, 50),
            content: Content::BasicConstraints {
                authority: false,
                path_length: None,
            },
        });
    }
    if chance(rng, 60) {
        let usage = one_of(
            rng,
            &[
                DIGITAL_SIGNATURE,
                DIGITAL_SIGNATURE | KEY_ENCIPHERMENT,
                DIGITAL_SIGNATURE | KEY_AGREEMENT,
            ],
        );
        leaf.put(Extension::critical(Content::KeyUsage(usage)));
    }
    if chance(rng, 70) {
        let purposes = match rng.u8(..4) {
            0 | 1 => vec![Purpose::Server],
            2 => vec![Purpose::Client, Purpose::Server],
            _ => vec![Purpose::Server, Purpose::Unknown],
        };
        leaf.put(Extension::plain(Content::ExtendedKeyUsage(purposes)));
    }
    if chance(rng, 50) {
        leaf.put(Extension::plain(Content::SubjectKeyIdentifier(identifier(
            key,
        ))));
    }
    if chance(rng, 20) {
        leaf.put(Extension::plain(Content::Policies));
    }
    leaf
}

/// Alternative names of which one fits, at any place among others.
fn names(rng: &mut Rng, name: &str) -> Vec<AlternativeName> {
    let fitting = match name.split_once('.') {
        // OpenSSL wants two labels behind the star, and no underscore in its place.
        Some((label, parent))
            if parent.contains('.') && !label.contains('_') && chance(rng, 35) =>
        {
            format!("*.{parent}")
        }
        _ => name.to_owned(),
    };
    let mut names = vec![AlternativeName::dns(fitting)];
    for _ in 0..one_of(rng, &[0, 0, 1, 2, 4]) {
        names.push(match rng.u8(..8) {
            0 => AlternativeName::Email(format!("{}@{}.example", word(rng), word(rng)).into()),
            1 => AlternativeName::Uri(format!("https://{}.example/", word(rng)).into()),
            2 => AlternativeName::Address(vec![192, 0, 2, rng.u8(..)]),
            _ => AlternativeName::dns(format!("{}.{}.example", word(rng), word(rng))),
        });
    }
    rng.shuffle(&mut names);
    names
}

/// Of version 1, or an authority: such leaves come from small authorities, and OpenSSL takes them under
/// any record.
pub(super) fn make_simple(rng: &mut Rng, plan: &mut Plan) {
    let name = one_of(rng, &plan.names);
    let leaf = plan.leaf_mut();
    if rng.bool() {
        leaf.version = Version::One;
        leaf.extensions.clear();
        leaf.subject = Subject::common(name);
    } else {
        leaf.put(Extension::plain(Content::BasicConstraints {
            authority: true,
            path_length: None,
        }));
    }
}

/// Whatever may be wrong with a leaf whose own record is published.
pub(super) fn make_odd(rng: &mut Rng, plan: &mut Plan) {
    for _ in 0..rng.usize(1..3) {
        mutate::LEAF_ODD.apply_any(rng, plan);
    }
}
