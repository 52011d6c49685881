//! DANE-EE: the leaf's own octets, and nothing else (RFC 7671, 5.1; RFC 7672, 3.1.1).

use hoplock_policy::reason::Reason;
use hoplock_policy::verify::{Certificate, Presented, Warning};

use crate::der::{
    INTEGER, NULL, SEQUENCE, SET, UTC_TIME, UTF8_STRING, bits, element, object_id, sequence,
};
use crate::forge::{
    ALTERNATIVE_NAMES, CLIENT_AUTH, DAY, Draft, KEY_CERT_SIGN, PURPOSES, Party, UNKNOWN,
    with_false_signature,
};
use crate::old::{old, spki};
use crate::{Case, HOST, rdata};

/// CM-01: an issuer that a DANE-EE record names is no match, wherever it stands behind the leaf.
#[test]
fn only_the_leaf_counts() {
    let (host, authority) = (Party::new("host"), Party::new("authority"));
    let (leaf, root) = (host.leaf(&[HOST]).signed_by(&authority), authority.root());
    for (chain, expected) in [
        (vec![&leaf, &root], Err(Reason::TlsaNoMatch)),
        (vec![&leaf, &leaf, &root], Err(Reason::TlsaNoMatch)),
        (vec![&root, &leaf], Ok(0)),
        (vec![&root], Ok(0)),
    ] {
        for (selector, selected) in [(0, root.der().to_vec()), (1, authority.spki())] {
            for matching in 0..=2 {
                let case = Case::shown(&chain).record(3, selector, matching, &selected);
                let told = format!("{} shown, 3 {selector} {matching}", chain.len());
                assert_eq!(case.outcome(), expected, "{told}");
            }
        }
    }
}

/// CM-02, CM-03: each selector with each matching type matches, and matches no more once any bit of
/// what the record holds is turned round.
#[test]
fn selectors_and_matching_types() {
    let host = Party::new("host");
    let leaf = host.leaf(&[HOST]).signed_by(&host);
    for (selector, selected) in [(0, leaf.der().to_vec()), (1, host.spki())] {
        for matching in 0..=2 {
            let case = Case::shown(&[&leaf]).record(3, selector, matching, &selected);
            assert_eq!(case.outcome(), Ok(0), "3 {selector} {matching}");
            let right = &case.rdata[0];
            // Full data must still be a certificate or a key: its last octets are signature or key.
            let first = if matching == 0 { right.len() - 8 } else { 3 };
            for octet in first..right.len() {
                for bit in 0..8 {
                    let mut wrong = case.clone();
                    wrong.rdata[0][octet] ^= 1 << bit;
                    let told = format!("3 {selector} {matching}, bit {bit} of octet {octet}");
                    assert_eq!(wrong.outcome(), Err(Reason::TlsaNoMatch), "{told}");
                }
            }
        }
    }
}

/// CM-02, CM-03: data of one selector or matching type is not compared with that of another.
#[test]
fn selectors_and_matching_types_are_not_confused() {
    let host = Party::new("host");
    let leaf = host.leaf(&[HOST]).signed_by(&host);
    let (whole, key) = (leaf.der().to_vec(), host.spki());
    for (right, selector, matching) in [
        (rdata(3, 0, 1, &whole), 1, 1),
        (rdata(3, 1, 1, &key), 0, 1),
        (rdata(3, 0, 2, &whole), 1, 2),
        (rdata(3, 1, 2, &key), 0, 2),
    ] {
        let mut case = Case::shown(&[&leaf]);
        case.rdata.push(right);
        assert_eq!(case.outcome(), Ok(0));
        case.rdata[0][1..3].copy_from_slice(&[selector, matching]);
        assert_eq!(case.outcome(), Err(Reason::TlsaNoMatch));
    }
    // The key alone is not what selector 1 covers.
    let case = Case::shown(&[&leaf]).record(3, 1, 1, &host.key_bits());
    assert_eq!(case.outcome(), Err(Reason::TlsaNoMatch));
}

/// CM-02: a certificate issued anew for the same key matches by its key alone.
#[test]
fn a_certificate_issued_anew() {
    let host = Party::new("host");
    let old = host.leaf(&[HOST]).signed_by(&host);
    let new = host.leaf(&[HOST]).signed_by(&host);
    assert_ne!(old.der(), new.der());
    for matching in 0..=2 {
        let by_key = Case::shown(&[&new]).record(3, 1, matching, &host.spki());
        assert_eq!(by_key.outcome(), Ok(0), "3 1 {matching}");
        let whole = Case::shown(&[&new]).record(3, 0, matching, old.der());
        assert_eq!(whole.outcome(), Err(Reason::TlsaNoMatch), "3 0 {matching}");
    }
}

/// CM-02: selector 1 covers algorithm and parameters: the same numbers under other words are
/// another key.
#[test]
fn the_same_numbers_under_another_algorithm() {
    let host = Party::rsa("host");
    let numbers = bits(&host.key_bits());
    let plain = [object_id("1.2.840.113549.1.1.1"), element(NULL, &[])];
    let without_parameters = [object_id("1.2.840.113549.1.1.1")];
    let pss = [object_id("1.2.840.113549.1.1.10")];
    assert_eq!(host.spki(), sequence(&[sequence(&plain), numbers.clone()]));
    for algorithm in [&without_parameters[..], &pss] {
        let key = sequence(&[sequence(algorithm), numbers.clone()]);
        let leaf = Draft {
            spki: key.clone(),
            ..host.leaf(&[HOST])
        };
        let leaf = leaf.signed_by(&host);
        for matching in 0..=2 {
            let own = Case::shown(&[&leaf]).record(3, 1, matching, &key);
            assert_eq!(own.outcome(), Ok(0), "3 1 {matching}");
            let other = Case::shown(&[&leaf]).record(3, 1, matching, &host.spki());
            assert_eq!(other.outcome(), Err(Reason::TlsaNoMatch), "3 1 {matching}");
        }
    }
}

/// CM-04: no name is looked at: neither another one nor its absence nor one that is broken.
#[test]
fn names_are_not_looked_at() {
    let host = Party::new("host");
    let odd_names = sequence(&[element(0x82, b"mx.e.test\0"), element(0x9f, b"\xff")]);
    for draft in [
        host.leaf(&["unrelated.example"]),
        host.leaf(&[]),
        host.leaf(&[]).subject(sequence(&[])),
        host.leaf(&["*"]),
        host.leaf(&[])
            .extension(ALTERNATIVE_NAMES, true, &odd_names),
        host.leaf(&[])
            .extension(ALTERNATIVE_NAMES, true, b"garbage"),
    ] {
        passes_without_a_word(&draft.signed_by(&host), &host.spki());
    }
    let nameless = Case::shown(&[&host.leaf(&[HOST]).signed_by(&host)]);
    let nameless = nameless.names(&[]).record(3, 1, 1, &host.spki());
    assert_eq!(nameless.outcome(), Ok(0), "no name is expected either");
}

/// CM-05: a leaf that expired ten years ago matches, and one that is valid next year; people are
/// told.
#[test]
fn dates_are_not_looked_at() {
    let host = Party::new("host");
    let told = vec![Warning::CertificateDates];
    for (draft, warnings) in [
        (host.leaf(&[HOST]).expired(), &told),
        (host.leaf(&[HOST]).not_yet_valid(), &told),
        (host.leaf(&[HOST]).valid(DAY, -DAY), &told),
        (host.leaf(&[HOST]).valid(-DAY, -1), &told),
        (host.leaf(&[HOST]).valid(1, DAY), &told),
        (host.leaf(&[HOST]).valid(-DAY, 0), &Vec::new()),
        (host.leaf(&[HOST]).valid(0, DAY), &Vec::new()),
    ] {
        let leaf = draft.signed_by(&host);
        for (selector, selected) in [(0, leaf.der().to_vec()), (1, host.spki())] {
            let case = Case::shown(&[&leaf]).record(3, selector, 1, &selected);
            assert_eq!(case.outcome(), Ok(0));
            assert_eq!(case.warnings(), *warnings);
        }
    }
}

/// CM-06: neither issuer, signature, key usage, purposes nor constraints are looked at.
#[test]
fn the_wrapper_is_not_looked_at() {
    let (host, authority) = (Party::new("host"), Party::new("authority"));
    let plain = host.leaf(&[HOST]);
    for leaf in [
        plain.signed_by(&host),
        host.authority().signed_by(&host),
        with_false_signature(&plain.signed_by(&authority)),
        plain.clone().purposes(&[CLIENT_AUTH]).signed_by(&host),
        plain
            .clone()
            .extension(PURPOSES, true, &sequence(&[]))
            .signed_by(&host),
        plain.clone().key_usage(KEY_CERT_SIGN).signed_by(&host),
        plain.clone().key_usage(0).signed_by(&host),
        plain.clone().constraint(false, Some(0)).signed_by(&host),
        plain.clone().only_names(&[], &["e.test"]).signed_by(&host),
        plain.extension(UNKNOWN, true, b"?").signed_by(&host),
    ] {
        passes_without_a_word(&leaf, &host.spki());
    }
    for leaf in [old().sha1, old().md5] {
        passes_without_a_word(&leaf, &spki(&leaf));
    }
}

/// CM-07: what a strict library refuses is matched from its octets, whole and by its key.
#[test]
fn odd_leaves_are_matched() {
    let host = Party::new("host");
    let plain = host.leaf(&[HOST]);
    let changed = |change: &dyn Fn(&mut Draft)| {
        let mut draft = plain.clone();
        change(&mut draft);
        draft
    };
    let version = |number: u8| element(0xa0, &element(INTEGER, &[number]));
    let unknown = sequence(&[object_id(UNKNOWN), element(NULL, &[])]);
    let latin = element(UTF8_STRING, b"b\xfccher");
    let name = sequence(&[element(SET, &sequence(&[object_id("2.5.4.3"), latin]))]);
    let drafts = [
        changed(&|draft| {
            draft.version = Vec::new();
            draft.extensions = Vec::new();
        }),
        changed(&|draft| draft.version = Vec::new()),
        changed(&|draft| draft.version = version(1)),
        changed(&|draft| draft.version = version(9)),
        changed(&|draft| draft.serial = element(INTEGER, &[0x80, 1])),
        changed(&|draft| draft.serial = element(INTEGER, &[0])),
        changed(&|draft| draft.serial = element(INTEGER, &[])),
        changed(&|draft| draft.serial = element(INTEGER, &[0x7f; 40])),
        changed(&|draft| draft.algorithm = Some(unknown.clone())),
        changed(&|draft| draft.algorithm = Some(sequence(&[]))),
        changed(&|draft| draft.issuer = Some(name.clone())),
        changed(&|draft| draft.subject = element(SEQUENCE, b"no name")),
        changed(&|draft| {
            let never = element(UTC_TIME, b"never");
            draft.validity = sequence(&[never.clone(), never]);
        }),
        changed(&|draft| draft.behind_key = element(0x81, &[0, 7])),
        changed(&|draft| draft.extensions.push(draft.extensions[0].clone())),
        changed(&|draft| draft.extensions.push(element(SEQUENCE, b"odd"))),
        plain.clone().extension(UNKNOWN, true, b"?"),
    ];
    for (number, draft) in drafts.iter().enumerate() {
        let leaf = draft.signed_by(&host);
        for (selector, selected) in [(0, leaf.der().to_vec()), (1, host.spki())] {
            for matching in 0..=2 {
                let case = Case::shown(&[&leaf]).record(3, selector, matching, &selected);
                assert_eq!(case.outcome(), Ok(0), "{number}: 3 {selector} {matching}");
            }
        }
    }
    let unknown_key = sequence(&[sequence(&[object_id(UNKNOWN)]), bits(b"key")]);
    let leaf = changed(&|draft| draft.spki = unknown_key.clone()).signed_by(&host);
    let case = Case::shown(&[&leaf]).record(3, 1, 1, &unknown_key);
    assert_eq!(case.outcome(), Ok(0), "a key of a kind that nobody knows");
}

/// CM-07: octets that are no certificate at all are matched as a whole, and have no key.
#[test]
fn octets_that_are_no_certificate() {
    let host = Party::new("host");
    let whole = host.leaf(&[HOST]).signed_by(&host).der().to_vec();
    let key = host.spki();
    let at_key = whole
        .windows(key.len())
        .position(|part| *part == key)
        .unwrap();
    for octets in [
        &b"no certificate"[..],
        b"",
        &[0x30, 0x80],
        &[0x30, 0x84, 0xff, 0xff, 0xff, 0xff],
        &whole[1..],
        &whole[..at_key + key.len() - 1],
    ] {
        let leaf = Certificate::from_der(octets);
        for matching in 1..=2 {
            let case = Case::shown(&[&leaf]).record(3, 0, matching, octets);
            assert_eq!(case.outcome(), Ok(0), "{octets:02x?}");
            for selected in [octets, &key] {
                let case = Case::shown(&[&leaf]).record(3, 1, matching, selected);
                assert_eq!(case.outcome(), Err(Reason::TlsaNoMatch), "{octets:02x?}");
            }
        }
    }
}

/// CM-09: while a key is rolled over, the old one matches and the new one, and no third.
#[test]
fn both_keys_of_a_rollover() {
    let (old, new, other) = (Party::new("host"), Party::new("host"), Party::new("host"));
    for (host, expected) in [
        (&old, Ok(0)),
        (&new, Ok(0)),
        (&other, Err(Reason::TlsaNoMatch)),
    ] {
        let leaf = host.leaf(&[HOST]).signed_by(host);
        let case = Case::shown(&[&leaf])
            .record(3, 1, 1, &old.spki())
            .record(3, 1, 1, &new.spki());
        assert_eq!(case.outcome(), expected);
    }
}

/// CM-21: each usage may succeed where the other fails.
#[test]
fn either_usage_is_enough() {
    let (host, authority, other) = (Party::new("host"), Party::new("authority"), Party::new("x"));
    let (leaf, root) = (host.leaf(&[HOST]).signed_by(&authority), authority.root());
    let unnamed = host.leaf(&["else.test"]).signed_by(&authority);
    for (leaf, end_entity, anchor, expected) in [
        (&leaf, &other, &root, Ok(1)),
        (&leaf, &host, &other.root(), Ok(0)),
        (&leaf, &host, &root, Ok(0)),
        (&leaf, &other, &other.root(), Err(Reason::TlsaNoMatch)),
        (&unnamed, &host, &root, Ok(0)),
        (
            &unnamed,
            &other,
            &root,
            Err(Reason::CertificateNameMismatch),
        ),
    ] {
        let case = Case::shown(&[leaf, &root])
            .record(3, 1, 1, &end_entity.spki())
            .record(2, 0, 1, anchor.der());
        assert_eq!(case.outcome(), expected);
    }
}

/// TU-05, TU-10: what is unusable matches nothing, even where it holds the right digest; a usable
/// record beside it must match all the same.
#[test]
fn unusable_records_match_nothing() {
    let (host, other) = (Party::new("host"), Party::new("other"));
    let leaf = host.leaf(&[HOST]).signed_by(&host);
    let digest = rdata(3, 1, 1, &host.spki())[3..].to_vec();
    for fields in [
        [1, 1, 1],
        [0, 1, 1],
        [3, 1, 255],
        [3, 255, 1],
        [255, 1, 1],
        [3, 1, 3],
    ] {
        let mut case = Case::shown(&[&leaf]);
        case.rdata.push([&fields[..], &digest].concat());
        assert_eq!(case.outcome(), Err(Reason::TlsaNoMatch), "{fields:?}");
        case = case.record(3, 1, 1, &other.spki());
        assert_eq!(case.outcome(), Err(Reason::TlsaNoMatch), "{fields:?}");
        case = case.record(3, 1, 1, &host.spki());
        assert_eq!(case.outcome(), Ok(0), "{fields:?}");
    }
}

/// SV-01: a host that showed nothing, as far as is known, is not said to have shown the wrong
/// thing.
#[test]
fn nothing_shown_is_no_mismatch() {
    let host = Party::new("host");
    for usage in [2, 3] {
        for presented in [Presented::Unknown, Presented::Chain(Vec::new())] {
            let case = Case::of(presented).record(usage, 1, 1, &host.spki());
            assert_eq!(case.outcome(), Err(Reason::ReportIncomplete));
        }
    }
}

/// The leaf is matched whole and by its key, and nothing is said of it.
fn passes_without_a_word(leaf: &Certificate, key: &[u8]) {
    for (selector, selected) in [(0, leaf.der()), (1, key)] {
        let case = Case::shown(&[leaf]).record(3, selector, 1, selected);
        assert_eq!(case.outcome(), Ok(0), "3 {selector} 1");
        assert_eq!(case.warnings(), []);
    }
}
