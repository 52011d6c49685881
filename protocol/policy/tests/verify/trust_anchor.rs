//! DANE-TA: an issuer that the records name, on a verified path to a leaf with a name that counts
//! (RFC 7671, 5.2; RFC 7672, 3.1.2).

use hoplock_policy::reason::Reason;
use hoplock_policy::verify::{Certificate, Warning};

use crate::der::{INTEGER, SET, UTF8_STRING, element, object_id, sequence};
use crate::forge::{
    COMMON_NAME, CRL_SIGN, DAY, KEY_USAGE, Party, distinguished, with_false_signature, world,
};
use crate::{Case, HOST};

/// CM-12, CM-16: each issuer may be the anchor, by certificate and by key, with each matching type;
/// the depth of the match is told.
#[test]
fn every_issuer_may_be_the_anchor() {
    let world = world();
    let chain = [&world.leaf, &world.intermediate, &world.root];
    for (certificate, party, depth) in [
        (&world.intermediate, &world.issuer, 1),
        (&world.root, &world.authority, 2),
    ] {
        for (selector, selected) in [(0, certificate.der()), (1, &*party.spki())] {
            for matching in 0..=2 {
                let case = Case::shown(&chain).record(2, selector, matching, selected);
                assert_eq!(case.outcome(), Ok(depth), "2 {selector} {matching}");
                assert_eq!(case.warnings(), []);
            }
        }
    }
}

/// CM-12: what stands above the anchor is neither needed nor looked at.
#[test]
fn nothing_above_the_anchor_counts() {
    let world = world();
    let false_root = world.authority.authority().expired().signed_by(&world.host);
    let unsigned = with_false_signature(&world.intermediate);
    for (chain, anchor) in [
        (vec![&world.leaf, &world.intermediate], &world.intermediate),
        (vec![&world.leaf, &unsigned], &unsigned),
        (
            vec![&world.leaf, &world.intermediate, &false_root],
            &world.intermediate,
        ),
    ] {
        let case = Case::shown(&chain).record(2, 0, 1, anchor.der());
        assert_eq!(case.outcome(), Ok(1));
        let case = Case::shown(&chain).record(2, 1, 1, &world.issuer.spki());
        assert_eq!(case.outcome(), Ok(1));
    }
}

/// CM-10: an impostor who appends the genuine issuers is not authenticated by them.
#[test]
fn an_issuer_that_was_only_appended() {
    let world = world();
    let impostor = world.host.namesake();
    let plain = impostor.leaf(&[HOST]);
    let same_issuer = Party::new("issuer");
    for leaf in [
        plain.signed_by(&impostor),
        plain.signed_by(&Party::new("elsewhere")),
        plain.signed_by(&same_issuer),
        with_false_signature(&world.leaf),
    ] {
        for (usage, selector, anchor) in [
            (2, 0, world.root.der().to_vec()),
            (2, 1, world.authority.spki()),
            (2, 0, world.intermediate.der().to_vec()),
            (2, 1, world.issuer.spki()),
        ] {
            for matching in 0..=2 {
                let chain = [&leaf, &world.intermediate, &world.root];
                let case = Case::shown(&chain).record(usage, selector, matching, &anchor);
                let reason = case.outcome().unwrap_err();
                assert!(
                    matches!(reason, Reason::AnchorNotIssuer | Reason::SignatureInvalid),
                    "{reason}"
                );
            }
        }
    }
}

/// CM-10: an intermediate that somebody else signed in the anchor's name leads nowhere.
#[test]
fn a_false_intermediate_leads_nowhere() {
    let world = world();
    let false_authority = world.authority.namesake();
    let false_intermediate = world.issuer.authority().signed_by(&false_authority);
    let chain = [&world.leaf, &false_intermediate, &world.root];
    let case = Case::shown(&chain).record(2, 0, 1, world.root.der());
    assert_eq!(case.outcome(), Err(Reason::SignatureInvalid));
    let case = case.record(2, 0, 1, false_authority.root().der());
    assert_eq!(case.outcome(), Err(Reason::SignatureInvalid));
}

/// CM-11: a leaf that a DANE-TA record names is not authenticated by that, and the reason says so.
#[test]
fn nobody_vouches_for_himself() {
    let host = Party::new("host");
    for leaf in [
        host.leaf(&[HOST]).signed_by(&host),
        host.leaf(&[HOST]).constraint(true, None).signed_by(&host),
    ] {
        let again = Certificate::from_der(leaf.der());
        for chain in [vec![&leaf], vec![&leaf, &again]] {
            for (selector, matching) in [(0, 0), (0, 1), (0, 2), (1, 1), (1, 2)] {
                let selected = if selector == 0 {
                    leaf.der().to_vec()
                } else {
                    host.spki()
                };
                let case = Case::shown(&chain).record(2, selector, matching, &selected);
                let told = format!("2 {selector} {matching}");
                assert_eq!(case.outcome(), Err(Reason::AnchorIsLeaf), "{told}");
            }
        }
    }
    // A leaf that another has issued is no issuer either.
    let world = world();
    let case = Case::shown(&[&world.leaf, &world.intermediate]);
    let case = case.record(2, 1, 1, &world.host.spki());
    assert_eq!(case.outcome(), Err(Reason::AnchorIsLeaf));
}

/// CM-13: an anchor that is known by its digest alone must be shown.
#[test]
fn an_anchor_that_was_not_shown() {
    let world = world();
    for (selector, selected) in [(0, world.root.der().to_vec()), (1, world.authority.spki())] {
        for matching in 1..=2 {
            let chain = [&world.leaf, &world.intermediate];
            let case = Case::shown(&chain).record(2, selector, matching, &selected);
            assert_eq!(case.outcome(), Err(Reason::AnchorNotInChain));
        }
    }
}

/// CM-14: a record with a whole certificate supplies the anchor, which need not be shown.
#[test]
fn a_record_supplies_its_anchor() {
    let world = world();
    for (chain, anchor, depth) in [
        (vec![&world.leaf], &world.intermediate, 1),
        (vec![&world.leaf, &world.intermediate], &world.root, 2),
    ] {
        let case = Case::shown(&chain).record(2, 0, 0, anchor.der());
        assert_eq!(case.outcome(), Ok(depth));
    }
    let leaf_alone = Case::shown(&[&world.leaf]).record(2, 0, 0, world.root.der());
    assert_eq!(leaf_alone.outcome(), Err(Reason::AnchorNotIssuer));
    let other = world.leaf.clone();
    let unrelated = Case::shown(&[&other]).record(2, 0, 0, Party::new("x").root().der());
    assert_eq!(unrelated.outcome(), Err(Reason::AnchorNotIssuer));
    let namesake = world.issuer.namesake().root();
    let case = Case::shown(&[&world.leaf]).record(2, 0, 0, namesake.der());
    assert_eq!(case.outcome(), Err(Reason::SignatureInvalid));
}

/// CM-15: a bare key that belongs to nobody shown vouches for the topmost that was shown.
#[test]
fn a_bare_key_signed_the_topmost() {
    let world = world();
    for (chain, key, depth) in [
        (vec![&world.leaf], &world.issuer, 1),
        (vec![&world.leaf, &world.intermediate], &world.authority, 2),
    ] {
        let case = Case::shown(&chain).record(2, 1, 0, &key.spki());
        assert_eq!(case.outcome(), Ok(depth));
        assert_eq!(
            case.names(&["other.test"]).outcome(),
            Err(Reason::CertificateNameMismatch)
        );
    }
    // It signed nothing of what was shown.
    for key in [&world.host, &world.authority, &world.issuer.namesake()] {
        let case = Case::shown(&[&world.leaf]).record(2, 1, 0, &key.spki());
        let reason = case.outcome().unwrap_err();
        assert_eq!(reason, Reason::SignatureInvalid);
    }
    let expired = world.issuer.authority().expired();
    let expired = expired.signed_by(&world.authority);
    let case = Case::shown(&[&world.leaf, &expired]).record(2, 1, 0, &world.authority.spki());
    assert_eq!(case.outcome(), Err(Reason::CertificateExpired));
}

/// CM-15, CM-18: where somebody shown has the very key, his own certificate is the anchor, and
/// binds.
#[test]
fn a_bare_key_of_somebody_shown() {
    let world = world();
    let case = Case::shown(&[&world.leaf, &world.intermediate]);
    let case = case.record(2, 1, 0, &world.issuer.spki());
    assert_eq!(case.outcome(), Ok(1));
    for (draft, reason) in [
        (
            world.issuer.authority().constraint(false, None),
            Reason::IssuerNotAuthority,
        ),
        (
            world.issuer.authority().only_names(&[], &["e.test"]),
            Reason::NameNotPermitted,
        ),
    ] {
        let limited = draft.signed_by(&world.authority);
        let case = Case::shown(&[&world.leaf, &limited]);
        let case = case.record(2, 1, 0, &world.issuer.spki());
        assert_eq!(case.outcome(), Err(reason));
    }
}

/// CM-15, CM-18: whoever is shown with a bare key binds even where he makes no anchor of his own; a
/// stranger of the same name hides nothing.
#[test]
fn a_bare_key_of_somebody_unfit() {
    let world = world();
    let mut unfit = world.issuer.authority();
    unfit.version = element(0xa0, &element(INTEGER, &[1]));
    let unfit = unfit.without(KEY_USAGE).key_usage(CRL_SIGN);
    let unfit = unfit.signed_by(&world.authority);
    let stranger = world.issuer.namesake().root();
    for (others, expected) in [
        (vec![&unfit], Err(Reason::IssuerNotAuthority)),
        (vec![&unfit, &stranger], Err(Reason::IssuerNotAuthority)),
        (vec![&stranger], Ok(1)),
    ] {
        let case = Case::shown(&[&[&world.leaf], &others[..]].concat());
        let case = case.record(2, 1, 0, &world.issuer.spki());
        assert_eq!(case.outcome(), expected);
    }
}

/// CM-15, CM-18: he binds also where the leaf names him in another spelling, which leads nowhere.
#[test]
fn a_bare_key_of_somebody_in_another_spelling() {
    let world = world();
    let mut leaf = world.host.leaf(&[HOST]);
    leaf.issuer = Some(distinguished(&["ISSUER"]));
    let leaf = leaf.signed_by(&world.issuer);
    let limited = world.issuer.authority().only_names(&[], &["e.test"]);
    let limited = limited.signed_by(&world.authority);
    for (chain, expected) in [
        (vec![&leaf], Ok(1)),
        (vec![&leaf, &limited], Err(Reason::AnchorNotIssuer)),
    ] {
        let case = Case::shown(&chain).record(2, 1, 0, &world.issuer.spki());
        assert_eq!(case.outcome(), expected);
    }
}

/// CM-09, CM-15: whatever certificate another record supplies takes nothing from a bare key.
#[test]
fn a_bare_key_of_somebody_supplied() {
    let world = world();
    let sound = world.authority.root();
    let unfit = world.authority.authority().without(KEY_USAGE);
    let unfit = unfit.key_usage(CRL_SIGN).signed_by(&world.authority);
    let stranger = world.authority.namesake().root();
    for supplied in [&sound, &unfit, &stranger] {
        let chain = [&world.leaf, &world.intermediate];
        let case = Case::shown(&chain).record(2, 1, 0, &world.authority.spki());
        let case = case.record(2, 0, 0, supplied.der());
        assert_eq!(case.outcome(), Ok(2));
    }
}

/// CM-16: what stands below the anchor must be valid at the time that is given, to the second.
#[test]
fn dates_below_the_anchor() {
    let world = world();
    let leaf = world.host.leaf(&[HOST]).valid(-DAY, DAY);
    let leaf = leaf.signed_by(&world.issuer);
    let brief = world.issuer.authority().valid(-DAY, DAY);
    let brief = brief.signed_by(&world.authority);
    for chain in [
        [&leaf, &world.intermediate, &world.root],
        [&world.leaf, &brief, &world.root],
    ] {
        for (at, expected) in [
            (-DAY - 1, Err(Reason::CertificateNotYetValid)),
            (-DAY, Ok(2)),
            (0, Ok(2)),
            (DAY, Ok(2)),
            (DAY + 1, Err(Reason::CertificateExpired)),
        ] {
            let case = Case::shown(&chain).record(2, 0, 1, world.root.der());
            assert_eq!(case.at(at).outcome(), expected, "{at}");
        }
    }
}

/// CM-17: an anchor that has expired is refused where it is self-issued, and told of where it is
/// not; with `ta_check_dates` it is refused either way.
#[test]
fn dates_of_the_anchor() {
    let world = world();
    let expired = world.issuer.authority().expired();
    let not_yet = world.issuer.authority().not_yet_valid();
    for (draft, reason) in [
        (expired, Reason::CertificateExpired),
        (not_yet, Reason::CertificateNotYetValid),
    ] {
        let self_issued = draft.signed_by(&world.issuer);
        let crossed = draft.signed_by(&world.authority);
        for matching in 0..=2 {
            for (selector, key) in [(0, None), (1, Some(world.issuer.spki()))] {
                let of = |anchor: &Certificate| {
                    let selected = key.as_deref().unwrap_or(anchor.der());
                    let case = Case::shown(&[&world.leaf, anchor]);
                    case.record(2, selector, matching, selected)
                };
                assert_eq!(of(&self_issued).outcome(), Err(reason));
                assert_eq!(of(&crossed).outcome(), Ok(1));
                assert_eq!(of(&crossed).warnings(), [Warning::AnchorExpired]);
                let mut strict = of(&crossed);
                strict.options.ta_check_dates = true;
                assert_eq!(strict.outcome(), Err(reason));
            }
        }
        let supplied = Case::shown(&[&world.leaf]).record(2, 0, 0, self_issued.der());
        assert_eq!(supplied.outcome(), Err(reason));
    }
}

/// CM-17: an anchor is self-issued in whatever spelling it names its issuer.
#[test]
fn an_anchor_that_names_itself_otherwise() {
    let world = world();
    let otherwise = |kind: u8, text: &[u8]| {
        let value = [object_id(COMMON_NAME), element(kind, text)];
        let part = element(SET, &sequence(&value));
        let mut draft = world.issuer.authority().expired();
        draft.issuer = Some(sequence(&[part]));
        draft.signed_by(&world.issuer)
    };
    let wide: Vec<u8> = b"issuer".iter().flat_map(|octet| [0, *octet]).collect();
    for (anchor, expected) in [
        (otherwise(UTF8_STRING, b"Issuer"), None),
        (otherwise(0x13, b" issuer "), None),
        (otherwise(0x1e, &wide), None),
        (otherwise(UTF8_STRING, b"iss uer"), Some(1)),
    ] {
        let case = Case::shown(&[&world.leaf, &anchor]).record(2, 0, 1, anchor.der());
        let expected = expected.ok_or(Reason::CertificateExpired);
        assert_eq!(case.outcome(), expected);
    }
}

/// CM-17, CM-20: an expired certificate of an anchor does not stand in the way of a valid one for
/// the same key, whichever is shown first.
#[test]
fn an_anchor_that_was_renewed() {
    let world = world();
    let old = world.issuer.authority().expired().signed_by(&world.issuer);
    let new = world.issuer.root();
    let crossed = world.issuer.authority().expired();
    let crossed = crossed.signed_by(&world.authority);
    for others in [
        vec![&old, &new],
        vec![&new, &old],
        vec![&crossed, &new],
        vec![&old, &crossed, &new],
    ] {
        for matching in 0..=2 {
            let chain: Vec<&Certificate> =
                [&world.leaf].into_iter().chain(others.clone()).collect();
            let mut case = Case::shown(&chain).record(2, 1, matching, &world.issuer.spki());
            assert_eq!(case.outcome(), Ok(1));
            assert_eq!(case.warnings(), []);
            case.options.ta_check_dates = true;
            assert_eq!(case.outcome(), Ok(1));
        }
    }
}
