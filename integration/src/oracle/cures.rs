//! What a case would be without the fact that is said to make the difference. A reason to differ is
//! believed only where both verifiers accept then: whatever else was wrong would still be wrong.

use super::base::identifier;
use super::certificate::{Certificate, Damage, Version};
use super::differences::{
    LONGEST_PATH, Side, has_key_of_anchor, identifiers_differ, is_odd_leaf, is_outside_of_profile,
    is_signed_unusually, is_signed_weakly, is_unreadable,
};
use super::extension::{AlternativeName, Content, Extension, Known, Purpose};
use super::keys::{Algorithm, Key};
use super::plan::{Of, Plan};
use super::subject::{Encoding, Subject};

/// Every certificate, changed in one way.
fn each(plan: &Plan, mut change: impl FnMut(&mut Certificate)) -> Vec<Plan> {
    let mut cured = plan.clone();
    cured.certificates.iter_mut().for_each(&mut change);
    vec![cured]
}

/// A leaf that everybody reads, and so the one whose record is published.
pub(super) fn readable_leaf(plan: &Plan, _: Side) -> Vec<Plan> {
    each(plan, |one| {
        make_readable(one);
        if is_odd_leaf(one) {
            one.damage = None;
        }
    })
}

/// Certificates that everybody reads, or none of those.
pub(super) fn readable_others(plan: &Plan, _: Side) -> Vec<Plan> {
    let mut dropped = plan.clone();
    dropped
        .shown
        .retain(|place| *place == plan.shown[0] || !is_unreadable(&plan.certificates[*place]));
    [each(plan, make_readable), vec![dropped]].concat()
}

fn make_readable(certificate: &mut Certificate) {
    if is_unreadable(certificate) {
        certificate.damage = None;
        certificate.serial = vec![1];
    }
}

/// Key identifiers that are right, and whatever part of the issuers leaves no choice.
pub(super) fn no_choice(plan: &Plan, who_accepts: Side) -> Vec<Plan> {
    let mut plain = plan.clone();
    let anchor = plan.story.path.get(plan.story.depth);
    let anchor = anchor.map(|place| plan.certificates[*place].clone());
    for one in &mut plain.certificates {
        let is_issuer = |other: &Certificate| {
            other.subject == one.issuer && other.key == one.signed_by && other.key != one.key
        };
        // OpenSSL does not take it for self-issued.
        if one.is_self_issued()
            && identifiers_differ(one, one)
            && (Some(&*one) == anchor.as_ref() || !plan.certificates.iter().any(is_issuer))
        {
            one.issuer = Subject::common("Somebody else");
        }
        one.take(Known::AuthorityKeyIdentifier);
        one.take(Known::SubjectKeyIdentifier);
        let (own, by) = (identifier(one.key), identifier(one.signed_by));
        one.put(Extension::plain(Content::SubjectKeyIdentifier(own)));
        one.put(Extension::plain(Content::AuthorityKeyIdentifier(by)));
    }
    let mut issuers: Vec<usize> = plain.shown[1..].to_vec();
    issuers.sort_unstable();
    issuers.dedup();
    issuers.retain(|place| {
        let is_near = |one: &Certificate| *one == plain.certificates[*place];
        *place != plain.shown[0] && plain.near().any(is_near)
    });
    // Those beside the path are most likely in the way.
    issuers.sort_by_key(|place| plan.story.path.contains(place));
    issuers.truncate(MOST_ISSUERS);
    let all = 1_usize << issuers.len();
    let with = |chosen: usize| {
        let mut some = plain.clone();
        let left: Vec<usize> = issuers
            .iter()
            .enumerate()
            .filter(|(bit, _)| chosen >> bit & 1 == 1)
            .map(|(_, place)| *place)
            .collect();
        some.shown
            .retain(|place| !issuers.contains(place) || left.contains(place));
        some
    };
    // Whoever is shown with the key of a bare anchor binds as he says (CM-18): where we accept, one of
    // them has to stay.
    let has_key = |plan: &Plan| {
        plan.shown_certificates()
            .any(|one| has_key_of_anchor(plan, one))
    };
    let must_stay = who_accepts == Side::We && has_key(&plain);
    // All of them first: mostly the key identifiers alone were in the way.
    let some = (0..all).rev().map(with);
    let some = some.filter(|some| !must_stay || has_key(some));
    // OpenSSL takes the certificates of other records for shown, and so no bare key.
    some.chain([without_full_records(&plain)]).collect()
}

fn without_full_records(plan: &Plan) -> Plan {
    let mut cured = plan.clone();
    for record in &mut cured.records {
        if (record.usage, record.selector, record.matching) == (2, 0, 0) {
            record.data.of = Of::Noise(0);
        }
    }
    cured
}

/// Path lengths without limits, and the record of an issuer that is not too far.
pub(super) fn shorter_path(plan: &Plan, _: Side) -> Vec<Plan> {
    let mut cured = plan.clone();
    for one in &mut cured.certificates {
        if let Some(Content::BasicConstraints {
            authority: true, ..
        }) = one.extension(Known::BasicConstraints)
        {
            one.put(Extension::critical(Content::BasicConstraints {
                authority: true,
                path_length: None,
            }));
        }
    }
    if plan.story.depth > LONGEST_PATH {
        let nearer = cured.story.path[LONGEST_PATH];
        let record = cured.record_mut();
        record.usage = 2;
        record.data.of = Of::Certificate(nearer);
    }
    vec![cured]
}

/// Keys of P-256 in the place of those that our library does not verify with, and digests of today.
pub(super) fn usual_signatures(plan: &Plan, who_accepts: Side) -> Vec<Plan> {
    let mut known: Vec<(Key, Key)> = Vec::new();
    let mut usual = |key: Key| {
        if !is_signed_unusually(key.algorithm) {
            return key;
        }
        if let Some((_, usual)) = known.iter().find(|(unusual, _)| *unusual == key) {
            return *usual;
        }
        let is_free = |number: &u8| {
            let key = Key {
                algorithm: Algorithm::P256,
                number: *number,
            };
            let in_plan = plan.certificates.iter();
            !known.iter().any(|(_, usual)| *usual == key)
                && !in_plan
                    .clone()
                    .any(|one| one.key == key || one.signed_by == key)
        };
        let number = (0..Algorithm::P256.count()).find(is_free).unwrap();
        let usual = Key {
            algorithm: Algorithm::P256,
            number,
        };
        known.push((key, usual));
        usual
    };
    let signs = |key: Key| plan.certificates.iter().any(|one| one.signed_by == key);
    let cured = each(plan, |one| {
        if signs(one.key) {
            one.key = usual(one.key);
        }
        let by = usual(one.signed_by);
        if by != one.signed_by || is_signed_weakly(one) {
            one.signed_by = by;
            one.digest = by.algorithm.usual_digest();
        }
    });
    // OpenSSL may have known the right issuer by the kind of its key.
    let without_choice = no_choice(&cured[0], who_accepts);
    [cured, without_choice].concat()
}

/// Issuers named in the octets of their subjects, or, where that is the certificate's own, of somebody
/// else.
pub(super) fn same_octets(plan: &Plan, _: Side) -> Vec<Plan> {
    let subjects: Vec<_> = plan.at_hand().map(|one| one.subject.clone()).collect();
    let same = each(plan, |one| {
        let subject = subjects
            .iter()
            .find(|subject| one.issuer.is_same_but_for_octets(subject));
        if let Some(subject) = subject {
            one.issuer = subject.clone();
        }
    });
    let other = each(plan, |one| {
        if one.issuer.is_same_but_for_octets(&one.subject) {
            one.issuer = Subject::common("Somebody else");
        }
    });
    // To us they are strangers: a bare key is looked for although its owner is shown.
    let issuers: Vec<_> = plan.at_hand().map(|one| one.issuer.clone()).collect();
    let mut hidden = plan.clone();
    hidden.shown.retain(|place| {
        let subject = &plan.certificates[*place].subject;
        *place == plan.shown[0]
            || !issuers
                .iter()
                .any(|one| one.is_same_but_for_octets(subject))
    });
    [same, other, vec![hidden]].concat()
}

/// Leaf and issuers as RFC 5280 wants them.
pub(super) fn in_profile(plan: &Plan, _: Side) -> Vec<Plan> {
    let mut cured = plan.clone();
    let leaf = plan.shown[0];
    let places: Vec<usize> = (0..plan.certificates.len())
        .filter(|place| plan.near().any(|one| *one == plan.certificates[*place]))
        .chain([leaf])
        .collect();
    for place in places {
        let one = &mut cured.certificates[place];
        one.version = Version::Three;
        if one.damage == Some(Damage::LongLength) {
            one.damage = None;
        }
        if one.has_flawed_extensions() {
            // Then OpenSSL does not look at purposes.
            one.mend_extensions();
            one.take(Known::KeyUsage);
            one.take(Known::ExtendedKeyUsage);
            one.take(Known::NetscapeType);
        }
        if place == leaf {
            for attribute in &mut one.subject.0 {
                attribute.encoding = Encoding::Utf8;
            }
        }
        if let Some(Content::ExtendedKeyUsage(purposes)) = one.extension(Known::ExtendedKeyUsage)
            && purposes.contains(&Purpose::Gated)
        {
            one.put(Extension::plain(Content::ExtendedKeyUsage(vec![
                Purpose::Server,
            ])));
        }
        if is_outside_of_profile(one, place == leaf) {
            one.put(Extension::critical(Content::BasicConstraints {
                authority: place != leaf,
                path_length: None,
            }));
        }
    }
    // OpenSSL may not have taken a certificate for the issuer's and looked for the bare key instead.
    let mut hidden = plan.clone();
    let key = hidden.record().data.of.clone();
    hidden
        .shown
        .retain(|place| *place == leaf || key != Of::Certificate(*place));
    vec![cured, hidden]
}

/// No constraints that are hard to weigh.
pub(super) fn no_constraints(plan: &Plan, _: Side) -> Vec<Plan> {
    each(plan, |one| {
        one.take(Known::NameConstraints);
    })
}

/// A second earlier.
pub(super) fn a_second_earlier(plan: &Plan, _: Side) -> Vec<Plan> {
    let mut cured = plan.clone();
    cured.now -= 1;
    vec![cured]
}

/// Names without a dot at the end.
pub(super) fn no_dots(plan: &Plan, _: Side) -> Vec<Plan> {
    let strip = |text: &mut Vec<u8>| {
        if text.ends_with(b".") {
            text.pop();
        }
    };
    let mut cured = plan.clone();
    let leaf = &mut cured.certificates[plan.shown[0]];
    leaf.subject
        .0
        .iter_mut()
        .for_each(|one| strip(&mut one.text));
    for extension in &mut leaf.extensions {
        if let Content::AlternativeNames(names) = &mut extension.content {
            for name in names {
                if let AlternativeName::Dns(text) = name {
                    strip(text);
                }
            }
        }
    }
    vec![cured]
}

/// Of so many issuers every choice is tried.
const MOST_ISSUERS: usize = 6;
