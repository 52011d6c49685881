//! Digest agility, and which records take part in it (RFC 7671, 9; RFC 7672, 5).

use hoplock_policy::reason::Reason;

use crate::forge::{Party, world};
use crate::{Case, HOST, rdata};

/// A record is for the host, or for somebody else.
const RIGHT: bool = true;
const WRONG: bool = false;

/// A case with these records: usage, selector, matching type, and whether it is right.
fn case(records: &[(u8, u8, u8, bool)]) -> Case {
    let (world, other) = (world(), Party::new("other"));
    let stranger = other.leaf(&[HOST]).signed_by(&other);
    let shown = Case::shown(&[&world.leaf, &world.intermediate]);
    records
        .iter()
        .fold(shown, |case, (usage, selector, matching, is_right)| {
            let selected = match (usage, selector, is_right) {
                (3, 0, &RIGHT) => world.leaf.der().to_vec(),
                (3, 1, &RIGHT) => world.host.spki(),
                (2, 0, &RIGHT) => world.intermediate.der().to_vec(),
                (2, 1, &RIGHT) => world.issuer.spki(),
                (_, 0, _) => stranger.der().to_vec(),
                _ => other.spki(),
            };
            case.record(*usage, *selector, *matching, &selected)
        })
}

/// CM-22, CM-23: within one pair of usage and selector only the strongest digest counts; it
/// silences neither another pair nor full data.
#[test]
fn the_strongest_digest_counts() {
    for (records, expected) in [
        (
            &[(3, 1, 2, WRONG), (3, 1, 1, RIGHT)][..],
            Err(Reason::TlsaNoMatch),
        ),
        (&[(3, 1, 2, RIGHT), (3, 1, 1, WRONG)], Ok(0)),
        (&[(3, 1, 2, RIGHT), (3, 1, 1, RIGHT)], Ok(0)),
        (
            &[(3, 0, 2, WRONG), (3, 0, 1, RIGHT)],
            Err(Reason::TlsaNoMatch),
        ),
        (
            &[(2, 0, 2, WRONG), (2, 0, 1, RIGHT)],
            Err(Reason::AnchorNotInChain),
        ),
        (
            &[(2, 1, 2, WRONG), (2, 1, 1, RIGHT)],
            Err(Reason::AnchorNotInChain),
        ),
        (&[(2, 1, 2, RIGHT), (2, 1, 1, WRONG)], Ok(1)),
        // Another selector.
        (&[(3, 1, 2, WRONG), (3, 0, 1, RIGHT)], Ok(0)),
        (&[(3, 0, 2, WRONG), (3, 1, 1, RIGHT)], Ok(0)),
        (&[(2, 1, 2, WRONG), (2, 0, 1, RIGHT)], Ok(1)),
        // Another usage.
        (&[(2, 1, 2, WRONG), (3, 1, 1, RIGHT)], Ok(0)),
        (&[(3, 1, 2, WRONG), (2, 1, 1, RIGHT)], Ok(1)),
        // Full data.
        (&[(3, 1, 2, WRONG), (3, 1, 0, RIGHT)], Ok(0)),
        (&[(3, 0, 2, WRONG), (3, 0, 0, RIGHT)], Ok(0)),
        (&[(2, 0, 2, WRONG), (2, 0, 0, RIGHT)], Ok(1)),
        (&[(3, 1, 0, WRONG), (3, 1, 1, RIGHT)], Ok(0)),
        (
            &[(3, 1, 2, WRONG), (3, 1, 1, RIGHT), (3, 1, 0, RIGHT)],
            Ok(0),
        ),
        // Several of the strongest.
        (
            &[(3, 1, 2, WRONG), (3, 1, 2, RIGHT), (3, 1, 1, WRONG)],
            Ok(0),
        ),
    ] {
        let mut backwards = records.to_vec();
        backwards.reverse();
        assert_eq!(case(records).outcome(), expected, "{records:?}");
        assert_eq!(case(&backwards).outcome(), expected, "{backwards:?}");
    }
}

/// CM-24: what is malformed, unknown or switched off does not silence a good record of a weaker
/// digest.
#[test]
fn the_unusable_silence_nothing() {
    let right = case(&[(3, 1, 1, RIGHT)]);
    let short = rdata(3, 1, 2, b"somebody else")[..66].to_vec();
    let long = [rdata(3, 1, 2, b"somebody else"), vec![0]].concat();
    let as_pkix = rdata(1, 1, 2, b"somebody else");
    let unknown = [&[3, 1, 3][..], &[7; 64]].concat();
    for silent in [short, long, as_pkix, unknown, vec![3, 1, 2]] {
        let mut beside = right.clone();
        beside.rdata.push(silent.clone());
        assert_eq!(beside.outcome(), Ok(0), "{silent:02x?}");
    }
    let mut control = right;
    control.rdata.push(rdata(3, 1, 2, b"somebody else"));
    assert_eq!(control.outcome(), Err(Reason::TlsaNoMatch));
    // Digests of anchors switched off: the full record beside them stands alone.
    let mut anchors = case(&[(2, 1, 2, WRONG), (2, 1, 0, RIGHT)]);
    anchors.tlsa.trust_anchor_digests = false;
    assert_eq!(anchors.outcome(), Ok(1));
}

/// CM-25: the operator says which digest is the strongest; by default SHA-512 is.
#[test]
fn the_order_is_configurable() {
    for (order, expected) in [
        (&[2, 1][..], Err(Reason::TlsaNoMatch)),
        (&[2], Err(Reason::TlsaNoMatch)),
        (&[1, 2], Ok(0)),
        (&[1], Ok(0)),
    ] {
        for (usage, depth) in [(3, 0), (2, 1)] {
            let mut case = case(&[(usage, 1, 2, WRONG), (usage, 1, 1, RIGHT)]);
            if usage == 3 {
                let default = case.outcome();
                assert_eq!(default, Err(Reason::TlsaNoMatch), "the default");
            }
            case.options.digest_order = order.to_vec();
            let outcome = case.outcome();
            match expected {
                Ok(_) => assert_eq!(outcome, Ok(depth), "{order:?}"),
                Err(_) => assert!(outcome.is_err(), "{order:?}"),
            }
        }
    }
    // Where it is alone, a digest that the operator left out counts.
    let mut alone = case(&[(3, 1, 2, RIGHT)]);
    alone.options.digest_order = vec![1];
    assert_eq!(alone.outcome(), Ok(0));
}

/// CM-21, TU-03: a mapped record of usage 0 asks for no public authority, and for a name all the
/// same; its digest counts only for who owns a complete set of authorities.
#[test]
fn mapped_usages() {
    let world = world();
    let case = Case::shown(&[&world.leaf, &world.intermediate]);
    let anchor = world.intermediate.der();
    let whole = case.clone().record(0, 0, 0, anchor);
    let digest = case.clone().record(0, 0, 1, anchor);
    let key = case.record(1, 1, 1, &world.host.spki());
    let told = |case: &Case, map: bool, complete: bool| {
        let mut case = case.clone();
        case.tlsa.map_pkix_usages = map;
        case.tlsa.complete_ca_set = complete;
        case.outcome()
    };
    let nothing = Err(Reason::TlsaNoMatch);
    assert_eq!(told(&whole, false, false), nothing);
    assert_eq!(told(&whole, true, false), Ok(1));
    assert_eq!(
        told(&whole.names(&["other.test"]), true, false),
        Err(Reason::CertificateNameMismatch)
    );
    assert_eq!(told(&digest, false, true), nothing);
    assert_eq!(told(&digest, true, false), nothing);
    assert_eq!(told(&digest, true, true), Ok(1));
    assert_eq!(told(&key, false, false), nothing);
    assert_eq!(told(&key, true, false), Ok(0));
}
