//! What the certificates of a path permit each other (RFC 5280, 6.1; RFC 7671, 5.2.1).

use hoplock_policy::reason::Reason;
use hoplock_policy::verify::{Certificate, Warning};

use crate::der::sequence;
use crate::forge::{
    BASIC_CONSTRAINTS, CLIENT_AUTH, CRL_SIGN, DIGITAL_SIGNATURE, Draft, KEY_CERT_SIGN, KEY_USAGE,
    NAME_CONSTRAINTS, PURPOSES, Party, SERVER_AUTH, UNKNOWN, distinguished, with_false_signature,
    world,
};
use crate::old::old;
use crate::{Case, HOST};

/// Any purpose (RFC 5280, 4.2.1.12), which OpenSSL does not take for that of a server.
const ANY_PURPOSE: &str = "2.5.29.37.0";

/// CM-19: a leaf with a list of purposes must be one for servers under DANE-TA; under DANE-EE not.
#[test]
fn purposes() {
    let world = world();
    let plain = world.host.leaf(&[HOST]);
    for (draft, expected) in [
        (plain.clone(), Ok(1)),
        (plain.clone().purposes(&[SERVER_AUTH]), Ok(1)),
        (plain.clone().purposes(&[CLIENT_AUTH, SERVER_AUTH]), Ok(1)),
        (
            plain.clone().purposes(&[CLIENT_AUTH]),
            Err(Reason::PurposeMismatch),
        ),
        (
            plain.clone().purposes(&[UNKNOWN]),
            Err(Reason::PurposeMismatch),
        ),
        (
            plain.clone().purposes(&[ANY_PURPOSE]),
            Err(Reason::PurposeMismatch),
        ),
        (plain.clone().key_usage(0x04), Err(Reason::PurposeMismatch)),
        (
            plain.extension(PURPOSES, false, &[0x30, 0]),
            Err(Reason::PurposeMismatch),
        ),
    ] {
        let leaf = draft.signed_by(&world.issuer);
        let case = Case::shown(&[&leaf, &world.intermediate]);
        let below = case.clone().record(2, 1, 1, &world.issuer.spki());
        assert_eq!(below.outcome(), expected);
        let itself = case.record(3, 1, 1, &world.host.spki());
        assert_eq!(itself.outcome(), Ok(0));
    }
}

/// CM-19: signatures with SHA-1 and MD5 prove nothing below an anchor; of the anchor itself, and
/// under DANE-EE, nobody looks at them.
#[test]
fn old_signatures() {
    let old = old();
    for (chain, anchor, expected) in [
        (vec![&old.sha256, &old.root], &old.root, Ok(1)),
        (
            vec![&old.sha1, &old.root],
            &old.root,
            Err(Reason::SignatureWeak),
        ),
        (
            vec![&old.md5, &old.root],
            &old.root,
            Err(Reason::SignatureWeak),
        ),
        (
            vec![&old.below, &old.intermediate, &old.root],
            &old.root,
            Err(Reason::SignatureWeak),
        ),
        (
            vec![&old.below, &old.intermediate],
            &old.intermediate,
            Ok(1),
        ),
    ] {
        for matching in 0..=2 {
            let case = Case::shown(&chain).record(2, 0, matching, anchor.der());
            assert_eq!(case.outcome(), expected);
            let itself = Case::shown(&chain).record(3, 0, matching, chain[0].der());
            assert_eq!(itself.outcome(), Ok(0));
        }
    }
}

/// With the extensions of another beside its own.
fn twice(mut own: Draft, other: &Draft) -> Draft {
    own.extensions.extend(other.extensions.iter().cloned());
    own
}

/// What is wrong with an issuer, and what is then said.
fn unfit(own: &Draft) -> Vec<(&'static str, Draft, Reason)> {
    let own = || own.clone();
    vec![
        (
            "no authority",
            own().constraint(false, None),
            Reason::IssuerNotAuthority,
        ),
        (
            "no constraints at all",
            own().without(BASIC_CONSTRAINTS),
            Reason::IssuerNotAuthority,
        ),
        (
            "may not sign certificates",
            own().key_usage(DIGITAL_SIGNATURE | CRL_SIGN),
            Reason::IssuerNotAuthority,
        ),
        (
            "for clients",
            own().purposes(&[CLIENT_AUTH]),
            Reason::PurposeMismatch,
        ),
        (
            "excluded",
            own().only_names(&[], &["e.test"]),
            Reason::NameNotPermitted,
        ),
        (
            "excluded itself",
            own().only_names(&["test"], &[HOST]),
            Reason::NameNotPermitted,
        ),
        (
            "others permitted",
            own().only_names(&["other.test"], &[]),
            Reason::NameNotPermitted,
        ),
        (
            "critical and unknown",
            own().extension(UNKNOWN, true, b"?"),
            Reason::ExtensionUnknown,
        ),
    ]
}

/// What is odd about an issuer, and does no harm.
fn fit(own: &Draft) -> Vec<(&'static str, Draft)> {
    let own = || own.clone();
    vec![
        ("no key usage", own().without(KEY_USAGE)),
        (
            "may sign certificates alone",
            own().key_usage(KEY_CERT_SIGN),
        ),
        ("for servers", own().purposes(&[CLIENT_AUTH, SERVER_AUTH])),
        ("others excluded", own().only_names(&[], &["other.test"])),
        ("permitted", own().only_names(&["e.test", "x.test"], &[])),
        ("unknown", own().extension(UNKNOWN, false, b"?")),
    ]
}

/// CM-18: what an anchor says of itself binds it, whether the record picks its certificate or its
/// key, and whether it was shown or stands in the record.
#[test]
fn the_anchor_is_bound() {
    let world = world();
    let own = world.issuer.authority();
    let unfit = unfit(&own)
        .into_iter()
        .map(|(what, draft, reason)| (what, draft, Err(reason)));
    let fit = fit(&own)
        .into_iter()
        .map(|(what, draft)| (what, draft, Ok(1)));
    for (what, draft, expected) in unfit.chain(fit) {
        for signer in [&world.issuer, &world.authority] {
            let anchor = draft.signed_by(signer);
            let case = Case::shown(&[&world.leaf, &anchor]);
            for matching in 0..=2 {
                let whole = case.clone().record(2, 0, matching, anchor.der());
                assert_eq!(whole.outcome(), expected, "{what}, 2 0 {matching}");
                let key = case.clone().record(2, 1, matching, &world.issuer.spki());
                assert_eq!(key.outcome(), expected, "{what}, 2 1 {matching}");
            }
            let supplied = Case::shown(&[&world.leaf]).record(2, 0, 0, anchor.der());
            assert_eq!(supplied.outcome(), expected, "{what}, not shown");
        }
    }
}

/// CM-18: what an intermediate says of itself binds it, below any kind of anchor.
#[test]
fn intermediates_are_bound() {
    let world = world();
    let own = world.issuer.authority();
    let unfit = unfit(&own)
        .into_iter()
        .map(|(what, draft, reason)| (what, draft, Err(reason)));
    let fit = fit(&own)
        .into_iter()
        .map(|(what, draft)| (what, draft, Ok(2)));
    for (what, draft, expected) in unfit.chain(fit) {
        let intermediate = draft.signed_by(&world.authority);
        let shown = Case::shown(&[&world.leaf, &intermediate, &world.root]);
        let topmost = Case::shown(&[&world.leaf, &intermediate]);
        for case in [
            shown.clone().record(2, 0, 1, world.root.der()),
            shown.record(2, 1, 1, &world.authority.spki()),
            topmost.clone().record(2, 0, 0, world.root.der()),
            topmost.record(2, 1, 0, &world.authority.spki()),
        ] {
            assert_eq!(case.outcome(), expected, "{what}");
        }
    }
}

/// CM-18: an issuer whose limits cannot be read, or stand there twice, vouches for nobody: neither
/// as an anchor nor below one.
#[test]
fn limits_that_cannot_be_read() {
    let world = world();
    let own = || world.issuer.authority();
    for draft in [
        own().extension(BASIC_CONSTRAINTS, true, b"?"),
        own().extension(KEY_USAGE, false, b"?"),
        own().extension(NAME_CONSTRAINTS, false, b"?"),
        twice(own(), &own().constraint(true, Some(0))),
        twice(own(), &own().key_usage(KEY_CERT_SIGN)),
    ] {
        let issuer = draft.signed_by(&world.authority);
        let case = Case::shown(&[&world.leaf, &issuer, &world.root]);
        for (case, as_anchor) in [
            (case.clone().record(2, 0, 1, issuer.der()), true),
            (case.clone().record(2, 1, 1, &world.issuer.spki()), true),
            (case.record(2, 0, 1, world.root.der()), false),
        ] {
            let reason = case.outcome().unwrap_err();
            let is_none = as_anchor && reason == Reason::AnchorNotIssuer;
            assert!(
                is_none || reason == Reason::CertificateUnreadable,
                "{reason}"
            );
        }
    }
}

/// CM-18: an issuer permits only so many others below it.
#[test]
fn path_lengths() {
    let world = world();
    let low = Party::new("low");
    let lower = low.authority().signed_by(&world.issuer);
    let leaf = world.host.leaf(&[HOST]).signed_by(&low);
    for (root_permits, issuer_permits, expected) in [
        (None, None, Ok(3)),
        (Some(2), Some(1), Ok(3)),
        (Some(1), None, Err(Reason::PathTooLong)),
        (Some(0), None, Err(Reason::PathTooLong)),
        (None, Some(0), Err(Reason::PathTooLong)),
    ] {
        let root = world.authority.authority().constraint(true, root_permits);
        let root = root.signed_by(&world.authority);
        let middle = world.issuer.authority().constraint(true, issuer_permits);
        let middle = middle.signed_by(&world.authority);
        let case = Case::shown(&[&leaf, &lower, &middle, &root]);
        let told = format!("{root_permits:?} {issuer_permits:?}");
        let whole = case.clone().record(2, 0, 1, root.der());
        assert_eq!(whole.outcome(), expected, "{told}");
        let key = case.record(2, 1, 1, &world.authority.spki());
        assert_eq!(key.outcome(), expected, "{told}");
    }
    let none_below = world.issuer.authority().constraint(true, Some(0));
    let none_below = none_below.signed_by(&world.issuer);
    let case = Case::shown(&[&world.leaf, &none_below]);
    assert_eq!(case.record(2, 0, 1, none_below.der()).outcome(), Ok(1));
}

/// CM-18, CM-28: names that stand in the subject alone are under the constraints too.
#[test]
fn constraints_on_common_names() {
    let world = world();
    let leaf = world.host.leaf(&[]).subject(distinguished(&[HOST]));
    let leaf = leaf.signed_by(&world.issuer);
    for (permitted, excluded, is_permitted) in [
        (&[][..], &[][..], true),
        (&["e.test"], &[], true),
        (&[HOST], &[], true),
        (&["test"], &["other.test"], true),
        (&[], &["e.test"], false),
        (&[], &[".e.test"], false),
        (&[], &["E.Test"], false),
        (&["other.test"], &[], false),
        (&["x.e.test", "test"], &[HOST], false),
    ] {
        let limited = |own: &Party| match (permitted, excluded) {
            ([], []) => own.authority(),
            _ => own.authority().only_names(permitted, excluded),
        };
        let root = limited(&world.authority).signed_by(&world.authority);
        let intermediate = limited(&world.issuer).signed_by(&world.authority);
        for (chain, anchor, depth) in [
            (vec![&leaf, &world.intermediate, &root], &root, 2),
            (vec![&leaf, &intermediate, &world.root], &world.root, 2),
            (vec![&leaf, &intermediate], &intermediate, 1),
        ] {
            let case = Case::shown(&chain).record(2, 0, 1, anchor.der());
            let expected = if is_permitted {
                Ok(depth)
            } else {
                Err(Reason::NameNotPermitted)
            };
            assert_eq!(case.outcome(), expected, "{permitted:?} {excluded:?}");
        }
    }
}

/// CM-18: every name of the leaf must be permitted, not only the one that counts.
#[test]
fn one_name_outside_spoils_the_rest() {
    let world = world();
    let limited = world.issuer.authority().only_names(&["e.test"], &[]);
    let limited = limited.signed_by(&world.authority);
    for (names, expected) in [
        (&[HOST, "e.test"][..], Ok(1)),
        (&[HOST, "other.test"], Err(Reason::NameNotPermitted)),
    ] {
        let leaf = world.host.leaf(names).signed_by(&world.issuer);
        let case = Case::shown(&[&leaf, &limited]).record(2, 0, 1, limited.der());
        assert_eq!(case.outcome(), expected);
    }
}

/// CM-16, CM-18, CM-19: leaves of version 1 and leaves marked as authorities, which small
/// authorities issue, are taken right below their anchor, and judged like others.
#[test]
fn odd_leaves_below_their_anchor() {
    let world = world();
    let authority = world.host.leaf(&[HOST]).constraint(true, None);
    let subject = distinguished(&[HOST]);
    let old = Draft {
        version: Vec::new(),
        ..world.host.leaf(&[]).subject(subject)
    };
    let sha1 = sequence(&[crate::der::object_id("1.2.840.10045.4.1")]);
    for (draft, warnings) in [(&authority, vec![]), (&old, vec![Warning::CommonName])] {
        let judged = |leaf: &Certificate, anchor: &Certificate| {
            let case = Case::shown(&[leaf, anchor]);
            case.record(2, 0, 1, anchor.der())
        };
        let case = judged(&draft.signed_by(&world.issuer), &world.intermediate);
        assert_eq!((case.outcome(), case.warnings()), (Ok(1), warnings));
        let other = case.names(&["other.test"]).outcome();
        assert_eq!(other, Err(Reason::CertificateNameMismatch));
        let limited = world.issuer.authority().only_names(&["e.test"], &[]);
        let limited = limited.signed_by(&world.authority);
        let weak = Draft {
            algorithm: Some(sha1.clone()),
            ..draft.clone()
        };
        let genuine = draft.signed_by(&world.issuer);
        for (leaf, anchor, reason) in [
            (
                draft.clone().expired().signed_by(&world.issuer),
                &world.intermediate,
                Reason::CertificateExpired,
            ),
            (
                with_false_signature(&genuine),
                &world.intermediate,
                Reason::SignatureInvalid,
            ),
            (
                draft.signed_by(&world.issuer.namesake()),
                &world.intermediate,
                Reason::SignatureInvalid,
            ),
            (
                weak.signed_by(&world.issuer),
                &world.intermediate,
                Reason::SignatureWeak,
            ),
            (genuine.clone(), &limited, Reason::NameNotPermitted),
        ] {
            assert_eq!(judged(&leaf, anchor).outcome(), Err(reason));
        }
    }
    for (draft, reason) in [
        (
            authority.clone().purposes(&[CLIENT_AUTH]),
            Reason::PurposeMismatch,
        ),
        (
            authority.extension(UNKNOWN, true, b"?"),
            Reason::ExtensionUnknown,
        ),
    ] {
        let leaf = draft.signed_by(&world.issuer);
        let case = Case::shown(&[&leaf, &world.intermediate]);
        let case = case.record(2, 0, 1, world.intermediate.der());
        assert_eq!(case.outcome(), Err(reason));
    }
}
