//! What is the matter with an issuer, the anchor included.

use fastrand::Rng;

use super::Breaks::{Anchor, Neither};
use super::fields::{
    broken, foreign_signature, other_issuer, reissue, repeated, same_issuer_in_other_octets,
    serial_form, serial_padded, unknown_critical, usage, weak_digest,
};
use super::{Mutation, Mutations};
use crate::oracle::certificate::{Certificate, Damage, Version};
use crate::oracle::draw::{between, key, one_of};
use crate::oracle::extension::{
    AlternativeName, CRL_SIGN, Content, DIGITAL_SIGNATURE, Extension, Known, Purpose,
};
use crate::oracle::keys::Algorithm;
use crate::oracle::plan::{Form, Plan};
use crate::oracle::subject::Subject;

pub(super) const ALL: Mutations = Mutations(&[
    Mutation {
        name: "issuer: ended",
        breaks: Anchor,
        apply: |rng, plan| {
            let end = plan.now - between(rng, 1, 300_000_000);
            below_anchor(rng, plan, |one| one.not_after = end)
        },
    },
    Mutation {
        name: "issuer: begins later",
        breaks: Anchor,
        apply: |rng, plan| {
            let begin = plan.now + between(rng, 1, 300_000_000);
            below_anchor(rng, plan, |one| one.not_before = begin)
        },
    },
    Mutation {
        name: "anchor: ended, or begins later",
        breaks: Neither,
        apply: |rng, plan| {
            let now = plan.now;
            let by = between(rng, 1, 300_000_000);
            let later = rng.bool();
            anchor(plan, |one| {
                if later {
                    one.not_before = now + by;
                } else {
                    one.not_after = now - by;
                }
            })
        },
    },
    Mutation {
        name: "issuer: no authority",
        breaks: Anchor,
        apply: |rng, plan| {
            any(rng, plan, |one| {
                one.put(Extension::critical(Content::BasicConstraints {
                    authority: false,
                    path_length: None,
                }));
            })
        },
    },
    Mutation {
        name: "issuer: without basic constraints",
        breaks: Neither,
        apply: |rng, plan| any_if(rng, plan, |one| one.take(Known::BasicConstraints)),
    },
    Mutation {
        name: "issuer: of too long a path",
        breaks: Anchor,
        apply: too_long,
    },
    Mutation {
        name: "issuer: a key that must not sign certificates",
        breaks: Anchor,
        apply: |rng, plan| {
            let bits = one_of(
                rng,
                &[DIGITAL_SIGNATURE, CRL_SIGN, DIGITAL_SIGNATURE | CRL_SIGN],
            );
            any_if(rng, plan, |one| usage(one, bits))
        },
    },
    Mutation {
        name: "issuer: without key usage",
        breaks: Neither,
        apply: |rng, plan| any_if(rng, plan, |one| one.take(Known::KeyUsage)),
    },
    Mutation {
        name: "issuer: for purposes other than a server's",
        breaks: Anchor,
        apply: |rng, plan| {
            let purpose = one_of(rng, &[Purpose::Client, Purpose::Email, Purpose::Any]);
            any(rng, plan, |one| {
                one.put(Extension::plain(Content::ExtendedKeyUsage(vec![purpose])));
            })
        },
    },
    Mutation {
        name: "issuer: for a purpose in another form",
        breaks: Neither,
        apply: |rng, plan| {
            let forms = [vec![Purpose::Gated], vec![Purpose::Server], vec![]];
            let form = one_of(rng, &forms);
            any(rng, plan, |one| {
                one.put(Extension::plain(Content::ExtendedKeyUsage(form)));
            })
        },
    },
    Mutation {
        name: "issuer: excludes the name of the leaf",
        breaks: Anchor,
        apply: |rng, plan| {
            let roots = vec![
                AlternativeName::dns("example"),
                AlternativeName::dns("test"),
            ];
            constrain(rng, plan, Vec::new(), roots)
        },
    },
    Mutation {
        name: "issuer: permits other names only",
        breaks: Anchor,
        apply: |rng, plan| {
            constrain(
                rng,
                plan,
                vec![AlternativeName::dns("elsewhere.invalid")],
                Vec::new(),
            )
        },
    },
    Mutation {
        name: "issuer: constrains names in some way",
        breaks: Neither,
        apply: constrain_somehow,
    },
    Mutation {
        name: "issuer: a critical extension that nobody knows",
        breaks: Anchor,
        apply: |rng, plan| any_if(rng, plan, unknown_critical),
    },
    Mutation {
        name: "issuer: an extension that cannot be read",
        breaks: Neither,
        apply: |rng, plan| {
            let mut other = rng.fork();
            any_if(rng, plan, |one| broken(&mut other, one))
        },
    },
    Mutation {
        name: "issuer: version 1 or 2",
        breaks: Neither,
        apply: |rng, plan| {
            let version = one_of(rng, &[Version::One, Version::Two]);
            any(rng, plan, |one| one.version = version)
        },
    },
    Mutation {
        name: "issuer: a serial number in another form",
        breaks: Neither,
        apply: |rng, plan| {
            let mut other = rng.fork();
            any_if(rng, plan, |one| serial_form(&mut other, one))
        },
    },
    Mutation {
        name: "issuer: a padded serial number",
        breaks: Neither,
        apply: |rng, plan| any_if(rng, plan, serial_padded),
    },
    Mutation {
        name: "issuer: an extension twice",
        breaks: Neither,
        apply: |rng, plan| {
            let mut other = rng.fork();
            any_if(rng, plan, |one| repeated(&mut other, one))
        },
    },
    Mutation {
        name: "issuer: signed with an old digest",
        breaks: Neither,
        apply: |rng, plan| {
            let mut other = rng.fork();
            any_if(rng, plan, |one| weak_digest(&mut other, one))
        },
    },
    Mutation {
        name: "issuer: its signature is broken",
        breaks: Neither,
        apply: |rng, plan| any(rng, plan, |one| one.damage = Some(Damage::Signature)),
    },
    Mutation {
        name: "issuer: signed by somebody else",
        breaks: Neither,
        apply: |rng, plan| {
            let depth = depth(rng, plan);
            depth.is_some_and(|depth| foreign_signature(rng, plan, depth))
        },
    },
    Mutation {
        name: "issuer: issued by another name",
        breaks: Neither,
        apply: |rng, plan| {
            let mut other = rng.fork();
            any_if(rng, plan, |one| other_issuer(&mut other, one))
        },
    },
    Mutation {
        name: "path: an issuer named in other octets",
        breaks: Neither,
        apply: |rng, plan| {
            let depth = rng.usize(..plan.story.path.len());
            same_issuer_in_other_octets(rng, plan.at_mut(depth))
        },
    },
    Mutation {
        name: "issuer: no key identifier, or another one",
        breaks: Neither,
        apply: |rng, plan| {
            let remove = rng.bool();
            any_if(rng, plan, |one| {
                let had = one.take(Known::SubjectKeyIdentifier);
                if !remove {
                    one.put(Extension::plain(Content::SubjectKeyIdentifier(vec![7; 20])));
                }
                had || !remove
            })
        },
    },
    Mutation {
        name: "path: an issuer's key identifier is wrong",
        breaks: Neither,
        apply: |rng, plan| {
            let depth = rng.usize(..plan.story.path.len());
            plan.at_mut(depth)
                .put(Extension::plain(Content::AuthorityKeyIdentifier(vec![
                    9;
                    20
                ])));
            true
        },
    },
    Mutation {
        name: "issuer: another key than the one that signed",
        breaks: Neither,
        apply: |rng, plan| {
            let kind = one_of(rng, &Algorithm::UNUSUAL);
            let other = key(rng, kind, &plan.certificates);
            any(rng, plan, |one| one.key = other)
        },
    },
    Mutation {
        name: "issuer: issued anew, with the same key",
        breaks: Neither,
        apply: |rng, plan| {
            let serial = crate::oracle::draw::serial(rng);
            depth(rng, plan).is_some_and(|depth| reissue(plan, depth, |one, _| one.serial = serial))
        },
    },
    Mutation {
        name: "issuer: cut short",
        breaks: Neither,
        apply: |rng, plan| any(rng, plan, |one| one.damage = Some(Damage::Truncated)),
    },
    Mutation {
        name: "issuer: without a subject",
        breaks: Neither,
        apply: |rng, plan| any(rng, plan, |one| one.subject = Subject::default()),
    },
    Mutation {
        name: "issuer: Netscape's type",
        breaks: Neither,
        apply: |rng, plan| {
            let bits = one_of(rng, &[0x04, 0x40, 0x02]);
            any(rng, plan, |one| {
                one.put(Extension::plain(Content::NetscapeType(bits)))
            })
        },
    },
]);

fn depth(rng: &mut Rng, plan: &Plan) -> Option<usize> {
    let issuers = plan.issuers();
    (!issuers.is_empty()).then(|| rng.usize(issuers))
}

/// Changes an issuer, the anchor or one below it.
fn any(rng: &mut Rng, plan: &mut Plan, change: impl FnOnce(&mut Certificate)) -> bool {
    any_if(rng, plan, |one| {
        change(one);
        true
    })
}

fn any_if(rng: &mut Rng, plan: &mut Plan, change: impl FnOnce(&mut Certificate) -> bool) -> bool {
    depth(rng, plan).is_some_and(|depth| change(plan.at_mut(depth)))
}

/// Changes an issuer that is not the anchor itself.
fn below_anchor(rng: &mut Rng, plan: &mut Plan, change: impl FnOnce(&mut Certificate)) -> bool {
    let Some(depth) = depth(rng, plan) else {
        return false;
    };
    change(plan.at_mut(depth));
    depth < plan.story.depth
}

fn anchor(plan: &mut Plan, change: impl FnOnce(&mut Certificate)) -> bool {
    let depth = plan.story.depth;
    change(plan.at_mut(depth));
    matches!(plan.story.form, Form::Shown | Form::FullRecord)
}

/// Fewer issuers may be below than there are.
fn too_long(rng: &mut Rng, plan: &mut Plan) -> bool {
    let Some(depth) = depth(rng, plan).filter(|depth| *depth > 1) else {
        return false;
    };
    // By one, mostly.
    let short = if rng.bool() {
        depth - 2
    } else {
        rng.usize(..depth - 1)
    };
    let short = u8::try_from(short).unwrap();
    plan.at_mut(depth)
        .put(Extension::critical(Content::BasicConstraints {
            authority: true,
            path_length: Some(short),
        }));
    true
}

fn constrain(
    rng: &mut Rng,
    plan: &mut Plan,
    permitted: Vec<AlternativeName>,
    excluded: Vec<AlternativeName>,
) -> bool {
    // Where there are no alternative names, OpenSSL weighs the subject.
    let leaf = plan.leaf();
    let in_subject = leaf
        .subject
        .common_names()
        .any(|own| plan.names.iter().any(|name| name.as_bytes() == own.text));
    let named = leaf.extension(Known::AlternativeNames).is_some() || in_subject;
    let critical = rng.bool();
    any(rng, plan, |one| {
        one.put(Extension {
            critical,
            content: Content::NameConstraints {
                permitted,
                excluded,
            },
        });
    }) && named
}

/// Subtrees of every kind, in every form (RFC 5280, 4.2.1.10).
fn constrain_somehow(rng: &mut Rng, plan: &mut Plan) -> bool {
    let name = one_of(rng, &plan.names);
    let parent = name.split_once('.').map_or("example", |(_, parent)| parent);
    let subtree = match rng.u8(..12) {
        0 => AlternativeName::dns(&name),
        1 => AlternativeName::dns(format!(".{name}")),
        2 => AlternativeName::dns(parent),
        3 => AlternativeName::dns(format!(".{parent}")),
        4 => AlternativeName::dns(&name[1..]),
        5 => AlternativeName::dns(""),
        6 => AlternativeName::dns(name.to_uppercase()),
        7 => AlternativeName::Address(vec![192, 0, 2, 0, 255, 255, 255, 0]),
        8 => AlternativeName::Address(vec![0; 8]),
        9 => AlternativeName::Email(b".example".to_vec()),
        10 => AlternativeName::Uri(b".example".to_vec()),
        _ => AlternativeName::Directory(Subject(plan.leaf().subject.0[..].to_vec())),
    };
    if rng.bool() {
        constrain(rng, plan, vec![subtree], Vec::new())
    } else {
        constrain(rng, plan, Vec::new(), vec![subtree])
    }
}
