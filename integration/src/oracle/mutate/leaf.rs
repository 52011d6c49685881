//! What is the matter with the leaf.

use fastrand::Rng;

use super::Breaks::{Anchor, Both, EndEntity, Neither};
use super::fields::{
    broken, foreign_signature, other_issuer, reissue, repeated, serial_form, serial_padded,
    unknown_critical, usage, weak_digest,
};
use super::{Mutation, Mutations, names};
use crate::oracle::certificate::{Damage, Version};
use crate::oracle::draw::{between, key, one_of};
use crate::oracle::extension::{
    AlternativeName, CRL_SIGN, Content, Extension, KEY_AGREEMENT, KEY_CERT_SIGN, KEY_ENCIPHERMENT,
    Known, Purpose,
};
use crate::oracle::keys::Algorithm;
use crate::oracle::plan::Plan;
use crate::oracle::subject::{Attribute, Encoding, Kind, Subject};

/// DANE-EE puts up with all of it (RFC 7671, 5.1).
pub const ODD: Mutations = Mutations(&[
    Mutation {
        name: "leaf: ended",
        breaks: Anchor,
        apply: |rng, plan| {
            plan.leaf_mut().not_after = plan.now - between(rng, 1, 300_000_000);
            true
        },
    },
    Mutation {
        name: "leaf: begins later",
        breaks: Anchor,
        apply: |rng, plan| {
            plan.leaf_mut().not_before = plan.now + between(rng, 1, 300_000_000);
            true
        },
    },
    Mutation {
        name: "leaf: for purposes other than a server's",
        breaks: Anchor,
        apply: |rng, plan| {
            let purposes = [
                Purpose::Client,
                Purpose::Email,
                Purpose::Unknown,
                Purpose::Any,
            ];
            put(
                plan,
                Content::ExtendedKeyUsage(vec![one_of(rng, &purposes)]),
            )
        },
    },
    Mutation {
        name: "leaf: for a purpose in another form",
        breaks: Neither,
        apply: |rng, plan| {
            let forms = [
                vec![],
                vec![Purpose::Gated],
                vec![Purpose::Any, Purpose::Client],
                vec![Purpose::Client, Purpose::Server],
            ];
            put(plan, Content::ExtendedKeyUsage(one_of(rng, &forms)))
        },
    },
    Mutation {
        name: "leaf: a key for signing certificates only",
        breaks: Anchor,
        apply: |rng, plan| {
            let bits = one_of(rng, &[KEY_CERT_SIGN, CRL_SIGN]);
            usage(plan.leaf_mut(), bits)
        },
    },
    Mutation {
        name: "leaf: another key usage",
        breaks: Neither,
        apply: |rng, plan| {
            let bits = one_of(rng, &[0, KEY_AGREEMENT, KEY_ENCIPHERMENT, 0xff80]);
            usage(plan.leaf_mut(), bits)
        },
    },
    Mutation {
        name: "leaf: an authority",
        breaks: Neither,
        apply: |_, plan| {
            put(
                plan,
                Content::BasicConstraints {
                    authority: true,
                    path_length: None,
                },
            )
        },
    },
    Mutation {
        name: "leaf: a critical extension that nobody knows",
        breaks: Anchor,
        apply: |_, plan| unknown_critical(plan.leaf_mut()),
    },
    Mutation {
        name: "leaf: an extension that nobody knows",
        breaks: Neither,
        apply: |_, plan| put(plan, Content::Unknown),
    },
    Mutation {
        name: "leaf: an extension that cannot be read",
        breaks: Neither,
        apply: |rng, plan| broken(rng, plan.leaf_mut()),
    },
    Mutation {
        name: "leaf: Netscape's type",
        breaks: Neither,
        apply: |rng, plan| {
            put(
                plan,
                Content::NetscapeType(one_of(rng, &[0x40, 0x80, 0x20])),
            )
        },
    },
    Mutation {
        name: "leaf: name constraints, which only an authority may have",
        breaks: Neither,
        apply: |_, plan| {
            put(
                plan,
                Content::NameConstraints {
                    permitted: Vec::new(),
                    excluded: vec![AlternativeName::dns("")],
                },
            )
        },
    },
    Mutation {
        name: "leaf: version 1 or 2",
        breaks: Neither,
        apply: |rng, plan| {
            plan.leaf_mut().version = one_of(rng, &[Version::One, Version::Two]);
            true
        },
    },
    Mutation {
        name: "leaf: a serial number in another form",
        breaks: Neither,
        apply: |rng, plan| serial_form(rng, plan.leaf_mut()),
    },
    Mutation {
        name: "leaf: an extension twice",
        breaks: Neither,
        apply: |rng, plan| repeated(rng, plan.leaf_mut()),
    },
    Mutation {
        name: "leaf: signed with an old digest",
        breaks: Anchor,
        apply: |rng, plan| weak_digest(rng, plan.leaf_mut()),
    },
    Mutation {
        name: "leaf: its signature is broken",
        breaks: Anchor,
        apply: |_, plan| damage(plan, Damage::Signature),
    },
    Mutation {
        name: "leaf: signed by somebody else",
        breaks: Anchor,
        apply: |rng, plan| foreign_signature(rng, plan, 0),
    },
    Mutation {
        name: "leaf: issued by another name",
        breaks: Anchor,
        apply: |rng, plan| other_issuer(rng, plan.leaf_mut()),
    },
    Mutation {
        name: "leaf: a wildcard in some form",
        breaks: Neither,
        apply: |rng, plan| called(rng, plan, names::wildcard),
    },
    Mutation {
        name: "leaf: a name in another spelling",
        breaks: Neither,
        apply: |rng, plan| called(rng, plan, names::spelling),
    },
    Mutation {
        name: "leaf: the name as a name of another kind",
        breaks: Neither,
        apply: other_kind,
    },
    Mutation {
        name: "leaf: no alternative names",
        breaks: Neither,
        apply: |_, plan| plan.leaf_mut().take(Known::AlternativeNames),
    },
    Mutation {
        name: "leaf: a common name in another form",
        breaks: Neither,
        apply: odd_common_name,
    },
    Mutation {
        name: "leaf: a small or unusual key",
        breaks: Neither,
        apply: unusual_key,
    },
]);

/// DANE-EE minds some of it.
pub(super) const WORSE: Mutations = Mutations(&[
    Mutation {
        name: "leaf: issued anew, with the same key",
        breaks: Neither,
        apply: |rng, plan| {
            reissue(plan, 0, |leaf, _| {
                leaf.serial = crate::oracle::draw::serial(rng)
            })
        },
    },
    Mutation {
        name: "leaf: issued anew, with another key",
        breaks: EndEntity,
        apply: |rng, plan| {
            let other = key(rng, Algorithm::P256, &plan.certificates);
            reissue(plan, 0, |leaf, _| leaf.key = other)
        },
    },
    Mutation {
        name: "leaf: another key, with the record of this one",
        breaks: Neither,
        apply: unusual_key,
    },
    Mutation {
        name: "leaf: the same key under another algorithm",
        breaks: EndEntity,
        apply: |_, plan| {
            reissue(plan, 0, |leaf, _| {
                leaf.damage = Some(Damage::OtherKeyAlgorithm)
            })
        },
    },
    Mutation {
        name: "leaf: a key of an unknown algorithm",
        breaks: Both,
        apply: |_, plan| damage(plan, Damage::UnknownKey),
    },
    Mutation {
        name: "leaf: cut short",
        breaks: Both,
        apply: |_, plan| damage(plan, Damage::Truncated),
    },
    Mutation {
        name: "leaf: something behind it",
        breaks: Both,
        apply: |_, plan| damage(plan, Damage::Trailing),
    },
    Mutation {
        name: "leaf: no certificate at all",
        breaks: Both,
        apply: |_, plan| damage(plan, Damage::Noise),
    },
    Mutation {
        name: "leaf: a padded serial number",
        breaks: Both,
        apply: |_, plan| serial_padded(plan.leaf_mut()),
    },
    Mutation {
        name: "leaf: BER",
        breaks: Neither,
        apply: |_, plan| damage(plan, Damage::LongLength),
    },
    Mutation {
        name: "leaf: for another host",
        breaks: Anchor,
        apply: |rng, plan| {
            let other = format!("{}.elsewhere.invalid", crate::oracle::draw::word(rng));
            put(
                plan,
                Content::AlternativeNames(vec![AlternativeName::dns(other)]),
            )
        },
    },
]);

fn put(plan: &mut Plan, content: Content) -> bool {
    plan.leaf_mut().put(Extension::plain(content));
    true
}

fn damage(plan: &mut Plan, how: Damage) -> bool {
    plan.leaf_mut().damage = Some(how);
    true
}

fn unusual_key(rng: &mut Rng, plan: &mut Plan) -> bool {
    let kind = one_of(rng, &Algorithm::UNUSUAL);
    let other = key(rng, kind, &plan.certificates);
    let leaf = plan.leaf_mut();
    // A self-signed leaf would have to be signed anew with it: two facts.
    let may = !leaf.is_self_signed();
    leaf.key = other;
    may
}

/// The only DNS-ID is a form of a name that is asked for.
fn called(rng: &mut Rng, plan: &mut Plan, form: fn(&mut Rng, &str) -> String) -> bool {
    let name = one_of(rng, &plan.names);
    let name = AlternativeName::dns(form(rng, &name));
    let mut names = vec![name];
    if rng.u8(..6) == 0 {
        names.push(AlternativeName::Email(b"postmaster@mail.example".to_vec()));
    }
    call(plan, names)
}

fn call(plan: &mut Plan, names: Vec<AlternativeName>) -> bool {
    let critical = plan.leaf().subject.0.is_empty();
    plan.leaf_mut().put(Extension {
        critical,
        content: Content::AlternativeNames(names),
    });
    true
}

fn other_kind(rng: &mut Rng, plan: &mut Plan) -> bool {
    let name = one_of(rng, &plan.names);
    let octets = name.clone().into_bytes();
    let names = match rng.u8(..8) {
        0 => vec![AlternativeName::Email(octets)],
        1 => vec![AlternativeName::Uri(octets)],
        2 => vec![AlternativeName::Address(vec![192, 0, 2, 25])],
        3 => vec![AlternativeName::Address(octets)],
        4 => vec![AlternativeName::Directory(Subject::common(&name))],
        5 => vec![AlternativeName::Other(octets)],
        6 => vec![AlternativeName::Uri(
            format!("https://{name}/").into_bytes(),
        )],
        _ => vec![],
    };
    call(plan, names)
}

/// Matters only where there are no alternative names (CM-28).
fn odd_common_name(rng: &mut Rng, plan: &mut Plan) -> bool {
    let name = one_of(rng, &plan.names);
    let mut subject = match rng.u8(..8) {
        0 => Subject(vec![
            Attribute::utf8(Kind::CommonName, "Mail server"),
            Attribute::utf8(Kind::CommonName, &name),
        ]),
        1 => Subject(vec![Attribute::utf8(Kind::Organization, &name)]),
        2 => Subject::common(&name),
        3..5 => Subject::common(names::wildcard(rng, &name)),
        _ => Subject::common(names::spelling(rng, &name)),
    };
    for attribute in &mut subject.0 {
        attribute.encoding = one_of(
            rng,
            &[
                Encoding::Utf8,
                Encoding::Printable,
                Encoding::Ia5,
                Encoding::Bmp,
            ],
        );
    }
    let leaf = plan.leaf_mut();
    let matters = leaf.extension(Known::AlternativeNames).is_none() && !leaf.is_self_issued();
    leaf.subject = subject;
    matters
}
