//! Names: who a host may say it is (RFC 7672, 3.2.2), and what a certificate says (RFC 7672, 3.2.3;
//! RFC 9525, 6).

use hoplock_policy::name::TlsaBaseDomain;
use hoplock_policy::reason::Reason;
use hoplock_policy::verify::{ReferenceNames, Warning};

use crate::der::{element, object_id, sequence};
use crate::forge::{ALTERNATIVE_NAMES, Draft, Party, UNKNOWN, distinguished, dns_id};
use crate::{Case, HOST, name};

const MISMATCH: Result<usize, Reason> = Err(Reason::CertificateNameMismatch);

/// A host below an authority that its DANE-TA record names.
struct Below {
    host: Party,
    authority: Party,
}

impl Below {
    fn new() -> Self {
        Self {
            host: Party::new("host"),
            authority: Party::new("authority"),
        }
    }

    fn case(&self, draft: &Draft) -> Case {
        let (leaf, root) = (draft.signed_by(&self.authority), self.authority.root());
        Case::shown(&[&leaf, &root]).record(2, 1, 1, &self.authority.spki())
    }

    /// A certificate with these alternative names, as DER, and this common name.
    fn with(&self, names: &[Vec<u8>], common_name: &str) -> Draft {
        let subject = distinguished(&[common_name]);
        let draft = self.host.leaf(&[]).subject(subject);
        draft.extension(ALTERNATIVE_NAMES, false, &sequence(names))
    }
}

/// CM-26: behind a secure MX set the base, the next hop and what that is an alias of are good, each
/// alone; a fourth name is not.
#[test]
fn behind_a_secure_mx_set() {
    let below = Below::new();
    let base = TlsaBaseDomain(name("mx.provider.test"));
    let (next_hop, expanded) = (name("e.test"), name("alias.test"));
    let all = ReferenceNames::behind_secure_mx(&base, &next_hop, Some(&expanded));
    let two = ReferenceNames::behind_secure_mx(&base, &next_hop, None);
    for (presented, of_all, of_two) in [
        ("mx.provider.test", Ok(1), Ok(1)),
        ("e.test", Ok(1), Ok(1)),
        ("alias.test", Ok(1), MISMATCH),
        ("provider.test", MISMATCH, MISMATCH),
        ("mx.e.test", MISMATCH, MISMATCH),
        ("fourth.test", MISMATCH, MISMATCH),
    ] {
        for (references, expected) in [(&all, of_all), (&two, of_two)] {
            let mut case = below.case(&below.host.leaf(&["unrelated.test", presented]));
            case.names = references.clone();
            assert_eq!(case.outcome(), expected, "{presented}");
        }
    }
}

/// CM-27: without MX the base counts, and the original name where the base is what that is an alias
/// of; behind an insecure MX set the base alone.
#[test]
fn without_mx_and_behind_an_insecure_set() {
    let below = Below::new();
    let (original, expanded) = (name("e.test"), name("alias.test"));
    let base_is = |name: &hoplock_policy::name::DomainName| TlsaBaseDomain(name.clone());
    for (references, expected) in [
        (
            ReferenceNames::without_mx(&base_is(&expanded), &original),
            [Ok(1), Ok(1), MISMATCH],
        ),
        (
            ReferenceNames::without_mx(&base_is(&original), &original),
            [Ok(1), MISMATCH, MISMATCH],
        ),
        (
            ReferenceNames::behind_insecure_mx(&TlsaBaseDomain(name(HOST))),
            [MISMATCH, MISMATCH, Ok(1)],
        ),
    ] {
        for (presented, expected) in ["e.test", "alias.test", HOST].into_iter().zip(expected) {
            let mut case = below.case(&below.host.leaf(&[presented]));
            case.names = references.clone();
            assert_eq!(case.outcome(), expected, "{presented} of {references:?}");
        }
    }
}

/// CM-28: where there is any DNS-ID, only DNS-IDs count; without, the common name does, which is
/// told, and which an option forbids.
#[test]
fn common_names() {
    let below = Below::new();
    let address = element(0x87, &[192, 0, 2, 1]);
    let mailbox = element(0x81, b"postmaster@e.test");
    for (names, common_name, expected) in [
        (vec![dns_id("other.example")], HOST, MISMATCH),
        (vec![dns_id("x.test"), dns_id(HOST)], "other.example", Ok(1)),
        (vec![dns_id("")], HOST, MISMATCH),
        (
            vec![address.clone(), dns_id("other.example")],
            HOST,
            MISMATCH,
        ),
        (vec![], "other.example", MISMATCH),
        (vec![], HOST, Ok(1)),
        (vec![], "*.e.test", Ok(1)),
        (vec![], "MX.E.TEST.", Ok(1)),
        (vec![], "m*.e.test", MISMATCH),
        (vec![], "mx.e.test\0.x.test", MISMATCH),
        (vec![], "mx.e.test ", MISMATCH),
        (vec![], "CN=mx.e.test", MISMATCH),
        (vec![address, mailbox], HOST, Ok(1)),
    ] {
        let told = format!("{common_name:?} beside {}", names.len());
        let is_common_name = !names.iter().any(|name| name[0] == 0x82);
        let draft = if names.is_empty() {
            let subject = distinguished(&[common_name]);
            below.host.leaf(&[]).subject(subject)
        } else {
            below.with(&names, common_name)
        };
        let mut case = below.case(&draft);
        assert_eq!(case.outcome(), expected, "{told}");
        if expected.is_ok() {
            let warnings = if is_common_name {
                vec![Warning::CommonName]
            } else {
                vec![]
            };
            assert_eq!(case.warnings(), warnings, "{told}");
        }
        case.options.common_name = false;
        let strict = if is_common_name { MISMATCH } else { expected };
        assert_eq!(case.outcome(), strict, "{told}");
    }
    let several = distinguished(&["A host", HOST]);
    let several = below.host.leaf(&[]).subject(several);
    assert_eq!(below.case(&several).outcome(), Ok(1));
}

/// CM-28, CM-30: a list of alternative names that cannot be read may hold any: the common name does
/// not stand in for it.
#[test]
fn broken_alternative_names() {
    let below = Below::new();
    let named = below.host.leaf(&[]).subject(distinguished(&[HOST]));
    assert_eq!(below.case(&named).outcome(), Ok(1));
    for broken in [
        &b"garbage"[..],
        b"",
        &element(0x30, &[0x82, 9, b'm']),
        &sequence(&[element(0x82, b"\xff\xfe")]),
        &sequence(&[element(0x82, b"b\xc3\xbccher.e.test")]),
    ] {
        let draft = named.clone().extension(ALTERNATIVE_NAMES, false, broken);
        let outcome = below.case(&draft).outcome();
        let refused = [MISMATCH, Err(Reason::CertificateUnreadable)];
        assert!(refused.contains(&outcome), "{broken:02x?}: {outcome:?}");
    }
}

/// CM-29: a wildcard is the whole leftmost label and covers one label; by an option several.
#[test]
fn wildcards() {
    let below = Below::new();
    for (presented, reference, one, several) in [
        ("*.a.example", "m.a.example", true, true),
        ("*.A.Example.", "m.a.example", true, true),
        ("*.a.example", "xn--bcher-kva.a.example", true, true),
        ("*.a.example", "a.example", false, false),
        ("*.a.example", "x.m.a.example", false, true),
        ("*.a.example", "w.x.m.a.example", false, true),
        ("*.a.example", "m.b.example", false, false),
        ("*.a.example", "ma.example", false, false),
        ("*.a.example", "m.a.example.test", false, false),
        ("m*.a.example", "m.a.example", false, false),
        ("m*.a.example", "mx.a.example", false, false),
        ("*m.a.example", "m.a.example", false, false),
        ("**.a.example", "m.a.example", false, false),
        ("*.*.example", "m.a.example", false, false),
        ("m.*.example", "m.a.example", false, false),
        ("*", "m.a.example", false, false),
        ("*.", "m.a.example", false, false),
        ("*", "example", false, false),
        ("*a.example", "a.example", false, false),
        (".a.example", "m.a.example", false, false),
        (".a.example", "a.example", false, false),
        ("*.m.a.example", "*.m.a.example", false, false),
    ] {
        let Ok(reference) = hoplock_policy::name::DomainName::parse(reference) else {
            continue;
        };
        let mut case = below.case(&below.host.leaf(&[presented]));
        case.names = ReferenceNames::exactly([reference.clone()]);
        for (multi_label, is_match) in [(false, one), (true, several)] {
            case.options.multi_label_wildcards = multi_label;
            let expected = if is_match { Ok(1) } else { MISMATCH };
            assert_eq!(case.outcome(), expected, "{presented} for {reference}");
        }
    }
}

/// CM-30: names are compared as A-labels, whatever their case, without a dot at the end; what is no
/// DNS-ID is no name of a host.
#[test]
fn odd_alternative_names() {
    let below = Below::new();
    let text = |tag: u8, text: &str| element(tag, text.as_bytes());
    let other_name = element(
        0xa0,
        &[object_id(UNKNOWN), element(0xa0, &text(0x0c, HOST))].concat(),
    );
    let directory = element(0xa4, &distinguished(&[HOST]));
    for (names, is_match) in [
        (vec![dns_id("MX.E.TEST")], true),
        (vec![dns_id("mx.e.test.")], true),
        (
            vec![dns_id("x.test"), other_name.clone(), dns_id(HOST)],
            true,
        ),
        (vec![dns_id("mx.e.test..")], false),
        (vec![dns_id(".mx.e.test")], false),
        (vec![dns_id(" mx.e.test")], false),
        (vec![dns_id("mx.e.test ")], false),
        (vec![dns_id("mx.e.test\n")], false),
        (vec![dns_id("mx.e.test\0")], false),
        (vec![dns_id("mx.e.test\0.attacker.test")], false),
        (vec![dns_id("\0mx.e.test")], false),
        (vec![dns_id("mx.e.testx")], false),
        (vec![dns_id("mx.e.test:25")], false),
        (vec![dns_id("smtp://mx.e.test")], false),
        (vec![text(0x81, HOST)], false),
        (vec![text(0x81, "postmaster@mx.e.test")], false),
        (vec![text(0x86, HOST)], false),
        (vec![text(0x86, "smtp://mx.e.test/")], false),
        (vec![text(0x87, HOST)], false),
        (vec![text(0x88, HOST)], false),
        (vec![directory], false),
        (vec![other_name], false),
    ] {
        let expected = if is_match { Ok(1) } else { MISMATCH };
        // No common name helps, for it is another one.
        let case = below.case(&below.with(&names, "other.example"));
        assert_eq!(case.outcome(), expected, "{names:02x?}");
    }
}

/// CM-30: an internationalised name matches in the form of A-labels alone.
#[test]
fn internationalised_names() {
    let below = Below::new();
    for (presented, reference, is_match) in [
        ("xn--bcher-kva.e.test", "b\u{fc}cher.e.test", true),
        ("XN--BCHER-KVA.e.test", "xn--bcher-kva.e.test", true),
        ("b\u{fc}cher.e.test", "b\u{fc}cher.e.test", false),
        ("bucher.e.test", "b\u{fc}cher.e.test", false),
        ("*.e.test", "b\u{fc}cher.e.test", true),
        ("xn--*.e.test", "xn--bcher-kva.e.test", false),
    ] {
        let case = below.case(&below.host.leaf(&[presented]));
        let case = case.names(&[reference]);
        let expected = if is_match { Ok(1) } else { MISMATCH };
        assert_eq!(case.outcome(), expected, "{presented} for {reference}");
    }
}

/// CM-30: the text of an address is no name, on neither side.
#[test]
fn addresses_are_no_names() {
    let below = Below::new();
    for names in [
        vec![element(0x87, &[192, 0, 2, 1])],
        vec![dns_id("*.0.2.1")],
    ] {
        let case = below.case(&below.with(&names, "other.example"));
        assert_eq!(case.names(&["192.0.2.1"]).outcome(), MISMATCH);
    }
}

/// CM-26, CM-28: of many names any one is enough, and the refusal names some, not all.
#[test]
fn many_names() {
    let below = Below::new();
    let texts: Vec<String> = (0..300).map(|at| format!("h{at}.test")).collect();
    let names: Vec<&str> = texts.iter().map(String::as_str).collect();
    let case = below.case(&below.host.leaf(&names));
    assert_eq!(case.clone().names(&["h299.test"]).outcome(), Ok(1));
    let refused = case.names(&["h300.test"]).judged().unwrap_err();
    assert_eq!(refused.reason, Reason::CertificateNameMismatch);
    assert!(refused.detail.contains("h0.test") && refused.detail.contains("h300.test"));
    assert!(refused.detail.len() < 200, "{}", refused.detail);
}

/// CM-30: what a certificate says of itself cannot forge a line of a log.
#[test]
fn names_are_quoted_for_people() {
    let below = Below::new();
    let case = below.case(&below.host.leaf(&["x\r\nforged: line\0", "\u{1b}[2J"]));
    let refused = case.judged().unwrap_err();
    let is_tame = refused.detail.chars().all(|c| !c.is_control());
    assert!(is_tame, "{:?}", refused.detail);
}
