//! Chains in disorder: shuffled, doubled, crossed, in circles, and without end (RFC 5280, 6; RFC
//! 4158).

use hoplock_policy::reason::Reason;
use hoplock_policy::verify::Certificate;

use crate::der::{INTEGER, element};
use crate::forge::{Party, world};
use crate::{Case, HOST};

/// Every order of these.
fn orders<T: Copy>(items: &[T]) -> Vec<Vec<T>> {
    if items.is_empty() {
        return vec![Vec::new()];
    }
    let mut all = Vec::new();
    for (at, first) in items.iter().enumerate() {
        let rest = [&items[..at], &items[at + 1..]].concat();
        for mut order in orders(&rest) {
            order.insert(0, *first);
            all.push(order);
        }
    }
    all
}

/// The leaf, and behind it these.
fn behind<'a>(leaf: &'a Certificate, others: &[&'a Certificate]) -> Case {
    Case::shown(&[&[leaf], others].concat())
}

/// A certificate that is looked at later than another of the same names, by their octets: serial
/// numbers grow, and signatures are not all of one length.
pub(crate) fn issued_behind(other: &Certificate, issue: impl Fn() -> Certificate) -> Certificate {
    let mut issued = (0..1_000).map(|_| issue());
    issued.find(|own| own.der() > other.der()).unwrap()
}

/// CM-20: the order of the certificates behind the leaf changes nothing; nor do strays among them,
/// the leaf shown again, or what is no certificate.
#[test]
fn any_order_is_the_same() {
    let world = world();
    let stray = Party::new("stray").root();
    let garbage = Certificate::from_der(*b"no certificate");
    let others = [
        &world.intermediate,
        &world.root,
        &stray,
        &garbage,
        &world.leaf,
    ];
    for order in orders(&others) {
        for (selected, depth) in [(&world.intermediate, 1), (&world.root, 2)] {
            let case = behind(&world.leaf, &order).record(2, 0, 1, selected.der());
            assert_eq!(case.outcome(), Ok(depth));
        }
        let case = behind(&world.leaf, &order).record(2, 0, 1, stray.der());
        assert_eq!(case.outcome(), Err(Reason::AnchorNotIssuer));
    }
}

/// CM-20: certificates that are shown again and again do not use up the search.
#[test]
fn duplicates_are_one() {
    let world = world();
    let other = world.issuer.namesake().authority();
    let other = other.signed_by(&world.authority);
    let right = issued_behind(&other, || {
        let draft = world.issuer.authority();
        draft.signed_by(&world.authority)
    });
    let mut others = vec![&other; 60];
    others.push(&right);
    others.extend([&world.root; 30]);
    let case = behind(&world.leaf, &others).record(2, 0, 1, world.root.der());
    assert_eq!(case.outcome(), Ok(2));
}

/// CM-20: where one way to the anchor is longer than another, the same one is told in every order.
#[test]
fn the_same_way_is_told() {
    let world = world();
    let second = Party::new("second");
    let crossed = world.issuer.authority().signed_by(&second);
    let second = second.authority().signed_by(&world.authority);
    let others = [&world.intermediate, &crossed, &second, &world.root];
    let told = |order: &[&Certificate]| {
        let case = behind(&world.leaf, order).record(2, 0, 1, world.root.der());
        case.judged()
    };
    let first = told(&others);
    assert!(first.is_ok());
    for order in orders(&others) {
        assert_eq!(told(&order), first);
    }
}

/// CM-20: an issuer that two authorities have signed leads to either.
#[test]
fn crossed_issuers() {
    let world = world();
    let second = Party::new("second");
    let crossed = world.issuer.authority().signed_by(&second);
    let expired = world.issuer.authority().expired();
    let expired = expired.signed_by(&world.authority);
    let second = second.root();
    let others = [
        &world.intermediate,
        &crossed,
        &expired,
        &world.root,
        &second,
    ];
    for order in orders(&others) {
        for anchor in [&world.root, &second] {
            let case = behind(&world.leaf, &order).record(2, 0, 1, anchor.der());
            assert_eq!(case.outcome(), Ok(2));
        }
    }
    // The only way to the anchor is the expired one.
    let others = [&expired, &crossed, &world.root, &second];
    for order in orders(&others) {
        let case = behind(&world.leaf, &order).record(2, 0, 1, world.root.der());
        assert_eq!(case.outcome(), Err(Reason::CertificateExpired));
    }
}

/// CM-18, CM-20: an authority with a new key has signed that itself; a third certificate of its name
/// that vouches for nobody is no part of the path, although it is tried first.
#[test]
fn an_authority_with_a_new_key() {
    let older = Party::new("authority");
    let newer = older.namesake();
    let leaf = Party::new("host").leaf(&[HOST]).signed_by(&newer);
    let (link, root) = (newer.authority().signed_by(&older), older.root());
    // Shorter, and so before the others in their order.
    let mut stray = older.namesake().authority();
    stray.serial = element(INTEGER, &[1]);
    let stray = stray.signed_by(&older.namesake());
    for order in orders(&[&stray, &link, &root]) {
        for matching in 0..=2 {
            let case = behind(&leaf, &order).record(2, 0, matching, root.der());
            assert_eq!(case.outcome(), Ok(2));
            let case = behind(&leaf, &order).record(2, 1, matching, &older.spki());
            assert_eq!(case.outcome(), Ok(2));
        }
    }
}

/// CM-20: authorities that have signed each other in a circle end nowhere, and hide nobody.
#[test]
fn circles() {
    let (host, a, b, c) = (
        Party::new("host"),
        Party::new("a"),
        Party::new("b"),
        Party::new("c"),
    );
    let leaf = host.leaf(&[HOST]).signed_by(&a);
    let by_b = a.authority().signed_by(&b);
    let by_c = b.authority().signed_by(&c);
    let by_a = c.authority().signed_by(&a);
    let (way_out, root) = (c.authority().signed_by(&host), host.root());
    let outside = Party::new("outside");
    for order in orders(&[&by_b, &by_c, &by_a]) {
        for (anchor, depth) in [(&by_b, 1), (&by_c, 2), (&by_a, 3)] {
            let case = behind(&leaf, &order).record(2, 0, 1, anchor.der());
            assert_eq!(case.outcome(), Ok(depth));
        }
        let case = behind(&leaf, &order).record(2, 0, 0, outside.root().der());
        assert_eq!(case.outcome(), Err(Reason::AnchorNotIssuer));
    }
    for order in orders(&[&by_b, &by_c, &by_a, &way_out, &root]) {
        let case = behind(&leaf, &order).record(2, 0, 1, root.der());
        assert_eq!(case.outcome(), Ok(4));
    }
}

/// CM-20: issuers of the same name are told apart by what they signed.
#[test]
fn namesakes() {
    let world = world();
    let others: Vec<Certificate> = (0..20)
        .map(|_| {
            world
                .issuer
                .namesake()
                .authority()
                .signed_by(&world.authority)
        })
        .collect();
    let mut others: Vec<&Certificate> = others.iter().collect();
    others.extend([&world.root, &world.intermediate]);
    let case = behind(&world.leaf, &others);
    let by_root = case.clone().record(2, 0, 1, world.root.der());
    assert_eq!(by_root.outcome(), Ok(2));
    let by_key = case.clone().record(2, 1, 1, &world.issuer.spki());
    assert_eq!(by_key.outcome(), Ok(1));
    let by_other = case.record(2, 0, 1, others[7].der());
    assert_eq!(by_other.outcome(), Err(Reason::SignatureInvalid));
}

/// CM-20: a hundred certificates that all bear one name and vouch for each other end the search,
/// with or without a word for its end; nobody is authenticated by them.
#[test]
fn a_hundred_namesakes_end() {
    let parties: Vec<Party> = (0..10).map(|_| Party::new("same")).collect();
    let pairs = parties
        .iter()
        .flat_map(|own| parties.iter().map(move |by| (own, by)));
    let others: Vec<Certificate> = pairs
        .map(|(own, by)| own.authority().signed_by(by))
        .collect();
    let others: Vec<&Certificate> = others.iter().collect();
    assert_eq!(others.len(), 100);
    let host = Party::new("host");
    let impostor = host.leaf(&[HOST]).signed_by(&parties[0].namesake());
    let case = behind(&impostor, &others);
    for party in &parties {
        let case = case.clone().record(2, 1, 1, &party.spki());
        let reason = case.outcome().unwrap_err();
        assert!(
            matches!(
                reason,
                Reason::PathSearchExhausted | Reason::SignatureInvalid
            ),
            "{reason}"
        );
    }
    let everybody = others
        .iter()
        .fold(case, |case, other| case.record(2, 0, 1, other.der()));
    assert_eq!(everybody.outcome(), Err(Reason::PathSearchExhausted));
    let unknown = behind(&impostor, &others).record(2, 0, 0, host.root().der());
    assert!(unknown.outcome().is_err());
}

/// CM-20: a circle of a hundred authorities of different names ends too, and does not hide an
/// anchor.
#[test]
fn a_hundred_in_a_circle_end() {
    let host = Party::new("host");
    let parties: Vec<Party> = (0..99).map(|at| Party::new(&format!("{at}"))).collect();
    let next = |at: usize| &parties[(at + 1) % parties.len()];
    let others: Vec<Certificate> = (0..parties.len())
        .map(|at| parties[at].authority().signed_by(next(at)))
        .collect();
    let others: Vec<&Certificate> = others.iter().rev().collect();
    let leaf = host.leaf(&[HOST]).signed_by(&parties[0]);
    let case = behind(&leaf, &others);
    for (at, expected) in [
        (0, Ok(1)),
        (3, Ok(4)),
        (6, Ok(7)),
        (7, Err(Reason::PathTooLong)),
        (50, Err(Reason::PathTooLong)),
    ] {
        let case = case.clone().record(2, 1, 1, &parties[at].spki());
        assert_eq!(case.outcome(), expected, "{at}");
    }
}
