//! Profile F: the golden table's column and the rows about pins and anchors (PF-*, TU-*, CM-*).
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::expect_used,
    missing_docs,
    reason = "tests"
)]

mod common;

use common::*;
use hoplock_model::{
    Anchor, Certificate, Data, Fate, Fault, Floor, Level, Line, NextHop, Permitted, Pins, Probed,
    Profile, Question, Reply, Rule, Signing, Site, State, Truth, Type, World, account, best_tier,
    delivers_to, faults, is_safe, parse_reply, permitted, reference_names, truth_at,
};

/// SHA-256 of `30 02 01 00`, by sha256sum.
const FULL_PIN: &str = "a2686f9a2c8c6ba6e7354c9f3d1b0dfc4ad214b7b033b1dd6b9a23ab3edc2b71";

fn site(pins: Pins) -> Site {
    Site { profile: Profile::Pins(pins), ..Site::default() }
}

fn seen(world: &World, asked: &Question, site: &Site) -> Truth {
    truth_at(world, asked, site)
}

/// The truth of hosts behind a secure MX set, without a policy, under the default switches.
fn plain(hosts: &str) -> Truth {
    with(hosts, Pins::default())
}

fn with(hosts: &str, pins: Pins) -> Truth {
    seen(&destination(true, hosts), &question(Floor::May), &site(pins))
}

/// The pin of the host with that index, whose record is `311` or the like.
fn pin(index: u8) -> String {
    format!("{index:02x}", index = index + 1).repeat(32)
}

fn said(payload: &str) -> Reply {
    parse_reply(payload).unwrap()
}

/// A reply such as `fingerprint 0 1` or `secure 0` (indices of hosts), or as Postfix reads it.
fn reply(truth: &Truth, words: &str) -> Reply {
    let (word, indices) = words.split_once(' ').unwrap_or((words, ""));
    let indices = || indices.split(' ').map(|index| index.parse::<u8>().unwrap());
    match word {
        "fingerprint" => {
            let pins: Vec<String> = indices().map(pin).collect();
            said(&format!("OK fingerprint match={} servername=hostname", pins.join("|")))
        }
        "secure" => {
            let name = |index: u8| truth.hosts[usize::from(index)].name.clone();
            let names: Vec<String> = indices().map(name).collect();
            said(&format!("OK secure match={} servername=hostname", names.join(":")))
        }
        "NOTFOUND" => Reply::NotFound,
        "TEMP" => Reply::Temp("sts-no-mx-matches: later".to_owned()),
        level => said(&format!("OK {level}")),
    }
}

fn check(truth: &Truth, answer: &str) {
    let place = format!("{answer}: {:?} {truth:?}", permitted(truth));
    assert_eq!(faults(truth, &reply(truth, answer), &[]), [], "{place}");
    assert!(is_safe(truth, &reply(truth, answer)), "{place}");
}

/// Every other answer that can be said with these hosts is wrong.
fn check_alone(truth: &Truth, answer: &str) {
    check(truth, answer);
    let mut others: Vec<String> =
        ["NOTFOUND", "TEMP", "may", "encrypt", "dane", "dane-only"].map(str::to_owned).to_vec();
    for set in 1..1_u32 << truth.hosts.len() {
        let members = (0..truth.hosts.len()).filter(|index| set >> index & 1 == 1);
        let members: Vec<String> = members.map(|index| index.to_string()).collect();
        others
            .extend(["fingerprint", "secure"].map(|word| format!("{word} {}", members.join(" "))));
    }
    for other in others.iter().filter(|other| *other != answer) {
        let faults = faults(truth, &reply(truth, other), &[]);
        assert!(!faults.is_empty(), "{other} beside {answer}: {truth:?}");
    }
}

const INSECURE: (bool, bool, Rule) = (false, false, Rule::None);
const INSECURE_STS: (bool, bool, Rule) = (false, true, Rule::None);
const SECURE: (bool, bool, Rule) = (true, false, Rule::None);
const SECURE_STS: (bool, bool, Rule) = (true, true, Rule::None);
const DEMANDED: (bool, bool, Rule) = (true, false, Rule::Mandatory);

type Row = (&'static str, (bool, bool, Rule), &'static str, &'static str);

/// Column F of the golden table; hosts are named by their indices.
const TABLE: &[Row] = &[
    ("DT-03", INSECURE, "10:none", "NOTFOUND"),
    ("DT-04", INSECURE_STS, "10:ee 20:none", "secure 0 1"),
    ("DT-05", SECURE, "10:none", "NOTFOUND"),
    ("DT-05s", SECURE_STS, "10:none 20:none(unlisted)", "secure 0"),
    ("DT-06", SECURE, "10:ee 20:ee", "fingerprint 0 1"),
    ("DT-07", SECURE, "10:ee 20:none", "fingerprint 0"),
    ("DT-07b", SECURE, "10:none 20:ee", "NOTFOUND"),
    ("DT-07c", SECURE, "10:ee 10:none", "fingerprint 0"),
    ("DT-08", SECURE_STS, "10:ee 20:none", "fingerprint 0"),
    ("DT-08b", SECURE_STS, "10:none 20:ee", "secure 0"),
    ("DT-08c", SECURE_STS, "10:none(unlisted) 20:ee", "fingerprint 1"),
    ("DT-09", SECURE, "10:unusable", "encrypt"),
    ("DT-09s", SECURE_STS, "10:unusable", "secure 0"),
    ("DT-10", SECURE, "10:ee 20:unusable", "fingerprint 0"),
    ("DT-10s", SECURE_STS, "10:ee 20:unusable", "fingerprint 0"),
    ("DT-11", SECURE, "10:unusable 20:none", "encrypt"),
    ("DT-11s", SECURE_STS, "10:unusable 20:none", "secure 0 1"),
    ("DT-12", SECURE, "10:ee 20:failed", "fingerprint 0"),
    ("DT-12u", SECURE, "10:ee 20:unusable 30:failed", "fingerprint 0"),
    ("DT-13", SECURE, "10:none 20:failed", "TEMP"),
    ("DT-13a", SECURE, "10:none 20:address-failed", "NOTFOUND"),
    ("DT-13s", SECURE_STS, "10:none 20:failed", "secure 0"),
    ("DT-13u", SECURE, "10:ee 20:none 30:failed", "fingerprint 0"),
    ("DT-14", SECURE, "10:unusable 20:failed", "TEMP"),
    ("DT-14s", SECURE_STS, "10:unusable 20:failed", "secure 0"),
    ("DT-15", SECURE, "10:failed", "TEMP"),
    ("DT-15s", SECURE_STS, "10:failed", "TEMP"),
    ("DT-16", SECURE, "10:ta", "TEMP"),
    ("DT-18", SECURE, "10:ee 20:ta", "fingerprint 0"),
    ("DT-20", INSECURE, "10:ee 20:none", "NOTFOUND"),
    ("DT-20f", INSECURE, "10:ee 20:failed", "NOTFOUND"),
    ("DT-20n", INSECURE, "10:none 20:failed", "NOTFOUND"),
    ("DT-22", DEMANDED, "10:none 20:ee 30:failed", "fingerprint 1"),
    ("DT-25", DEMANDED, "10:none 20:failed", "TEMP"),
    ("DT-26", SECURE_STS, "10:none(unlisted)", "TEMP"),
    ("DT-27", SECURE, "10:none", "NOTFOUND"),
];

fn asked(enforced: bool, rule: Rule, floor: Floor) -> Question {
    let mut asked = question(floor);
    asked.settings.rule = rule;
    asked.remembered = enforced.then(|| enforce(&["*.listed.test"]));
    asked
}

/// PD-04, PD-18: column F says exactly this, and nothing else that can be said is as good.
#[test]
fn the_golden_column() {
    for (name, (mx_secure, enforced, rule), hosts, answer) in TABLE {
        for floor in [Floor::May, Floor::Dane] {
            let world = destination(*mx_secure, hosts);
            let truth = seen(&world, &asked(*enforced, *rule, floor), &site(Pins::default()));
            println!("{name} {floor:?}");
            check_alone(&truth, answer);
        }
    }
}

/// PD-16: the same law at higher floors, by hand.
#[test]
fn higher_floors() {
    for (floor, hosts, answer) in [
        (Floor::Encrypt, "10:none", "NOTFOUND"),
        (Floor::Encrypt, "10:ee 20:none", "fingerprint 0"),
        (Floor::Encrypt, "10:none 20:ee", "NOTFOUND"), // both owe what the own level gives
        (Floor::Encrypt, "10:unusable", "encrypt"),
        (Floor::Encrypt, "10:unusable 20:none", "encrypt"),
        (Floor::Encrypt, "10:none 20:failed", "TEMP"),
        (Floor::Secure, "10:none", "NOTFOUND"),
        (Floor::Secure, "10:unusable", "NOTFOUND"),
        (Floor::Secure, "10:ee 20:none", "fingerprint 0"),
        // the best tier owes authentication: the sentence about the free host does not apply
        (Floor::Secure, "10:none 20:ee", "fingerprint 1"),
        (Floor::Secure, "10:none 20:failed", "TEMP"),
    ] {
        let world = destination(true, hosts);
        let truth = seen(&world, &question(floor), &site(Pins::default()));
        check_alone(&truth, answer);
    }
}

/// OP-06: `strict` pins hosts behind a best tier that owes nothing beyond encryption, and changes
/// nothing where the best tier owes more, or where something failed in it.
#[test]
fn strict() {
    for (hosts, usual, strict) in [
        ("10:none 20:ee", "NOTFOUND", "fingerprint 1"),
        ("10:unusable 20:ee", "encrypt", "fingerprint 1"),
        ("10:none 20:unusable 30:ee", "encrypt", "fingerprint 2"),
        ("10:none 10:none 20:ee 30:ee", "NOTFOUND", "fingerprint 2 3"),
        ("10:ee 20:none 30:ee", "fingerprint 0 2", "fingerprint 0 2"),
        ("10:none 10:failed 20:ee", "fingerprint 2", "fingerprint 2"),
        ("10:none 20:ee 30:failed", "fingerprint 1", "fingerprint 1"),
        // a host that cannot be reached is no tier (MX-13, MX-14)
        ("10:unreachable 20:none 30:ee", "NOTFOUND", "fingerprint 2"),
        ("10:address-failed 20:none 30:ee", "NOTFOUND", "fingerprint 2"),
        // and no reason to let it have what it may not have, should it be reached after all (DT-13a)
        ("10:none 20:address-failed", "NOTFOUND", "TEMP"),
        ("10:unusable 20:address-failed", "encrypt", "TEMP"),
        ("10:ee 20:none 30:address-failed", "fingerprint 0", "fingerprint 0"),
    ] {
        check_alone(&plain(hosts), usual);
        check_alone(&with(hosts, Pins { strict: true, ..Pins::default() }), strict);
    }
}

/// MX-13, MX-14: hosts without addresses are neither pinned nor counted; where addresses could
/// only not be looked up, and nothing else is left, there is delay.
#[test]
fn hosts_without_addresses() {
    check_alone(&plain("10:unreachable 20:ee"), "fingerprint 1");
    check_alone(&plain("10:address-failed 20:ee"), "fingerprint 1");
    check_alone(&plain("10:unreachable 20:unusable"), "encrypt");
    check_alone(&plain("10:address-failed"), "TEMP");
    check_alone(&plain("10:address-failed 20:unreachable"), "TEMP");
    check_alone(&plain("10:unreachable"), "NOTFOUND"); // DT-01
    let mut world = destination(true, "10:ee 20:ee");
    add(&mut world, "h0.listed.test", Data::Fails(Type::A)); // and has no AAAA
    let truth = seen(&world, &question(Floor::May), &site(Pins::default()));
    check_alone(&truth, "fingerprint 1"); // although its TLSA records stand there
    assert_eq!(account(&truth)[0].fate, Fate::AddressFailed);
    let asked = asked(true, Rule::None, Floor::May);
    let open = destination(false, "10:none 20:address-failed");
    let open = seen(&open, &asked, &site(Pins::default()));
    check(&open, "secure 0");
    check(&open, "secure 0 1"); // the policy names it, and it does no harm
    let all = seen(&destination(false, "10:address-failed"), &asked, &site(Pins::default()));
    check_alone(&all, "TEMP");
    // no duty and nobody to deliver to: the rows say both
    let free = destination(false, "10:address-failed");
    let free = seen(&free, &question(Floor::May), &site(Pins::default()));
    check(&free, "NOTFOUND");
    check(&free, "TEMP");
    assert_eq!(permitted(&free).len(), 2);
}

/// The law's outcome table for a mail server without DANE: it takes `dane` for `may`, delays all
/// under `dane-only`, and asks nobody's records itself; so what is weaker than a duty is not safe.
#[test]
fn outcomes() {
    let truth = plain("10:ee 20:ta 30:none");
    for (answer, safe, reached) in [
        ("may", false, Some(10)),
        ("dane", false, Some(10)),
        ("encrypt", false, Some(10)),
        ("NOTFOUND", false, Some(10)),
        ("secure 0", false, Some(10)), // web PKI is no DANE
        ("secure 2", true, Some(30)),
        ("dane-only", true, None),
        ("TEMP", true, None),
        ("fingerprint 0", true, Some(10)),
        ("fingerprint 1", true, None), // no EE record of any host
    ] {
        let reply = reply(&truth, answer);
        assert_eq!(
            (is_safe(&truth, &reply), delivers_to(&truth, &reply)),
            (safe, reached),
            "{answer}"
        );
    }
    let anchored = plain("10:200 20:none");
    for (names, reached) in
        [("h0.listed.test", Some(10)), ("dest.test", Some(10)), ("x.test", None)]
    {
        assert_eq!(delivers_to(&anchored, &anchors_reply(names)), reached);
    }
    assert_eq!(best_tier(&plain("10:none 20:failed")), None);
    assert_eq!(best_tier(&plain("10:failed 20:ee")), Some(20));
}

/// Every host that is left out is left out for a reason.
#[test]
fn reasons_for_leaving_out() {
    let hosts = "10:ee 20:unreachable 30:address-failed 40:failed 50:none 60:none-insecure \
        70:unusable 80:ta";
    use Fate::{
        AddressFailed, LookupFailed, MxInsecure, NoBytes, NoRecords, NoneUsable, Unreachable,
    };
    let expected = [
        Fate::Pinned(pin(0)),
        Unreachable,
        AddressFailed,
        LookupFailed,
        NoRecords,
        NoRecords,
        NoneUsable,
        NoBytes,
    ];
    assert_eq!(fates(&plain(hosts)), expected);
    let open = destination(false, "10:ee 20:unreachable 30:none");
    let open = seen(&open, &question(Floor::May), &site(Pins::default()));
    assert_eq!(fates(&open), [MxInsecure, Unreachable, MxInsecure]);
    assert_eq!(account(&open)[0].record, None);
}

/// MX-20: what is left unexamined has failed. Pins or delay, never "no policy".
#[test]
fn mx_20_unexamined_hosts() {
    let site = Site { examined: Some(2), ..site(Pins::default()) };
    for (hosts, answer) in [
        ("10:ee 20:ee 30:ee", "fingerprint 0 1"),
        ("10:none 20:none 30:none", "TEMP"),
        ("10:none 20:none 30:ee", "TEMP"),
        ("10:none 20:ee 30:none", "fingerprint 1"),
        ("10:unusable 20:none 30:none", "TEMP"),
        ("10:none 20:none", "NOTFOUND"),
    ] {
        check_alone(&seen(&destination(true, hosts), &question(Floor::May), &site), answer);
    }
    let own = |hosts| {
        let site = Site { examined: Some(2), ..Site::default() };
        seen(&destination(true, hosts), &question(Floor::May), &site)
    };
    check(&own("10:ee 20:ee 30:ee"), "dane-only");
    check(&own("10:none 20:none 30:none"), "dane");
}

/// The fates of the records of the only host, in the order of the records.
fn fates(truth: &Truth) -> Vec<Fate> {
    account(truth).into_iter().map(|line| line.fate).collect()
}

/// PF-09: certificate and key digests share the list; full data are hashed, a digest of another
/// kind is left out. Every pin is accounted for by the record that it came from.
#[test]
fn pf_09_which_records_become_pins() {
    let truth = plain("10:301+311b");
    let second = "81".repeat(32);
    let answer = said(&format!("OK fingerprint match={}|{second} servername=hostname", pin(0)));
    assert_eq!(faults(&truth, &answer, &[]), []);
    assert_eq!(fates(&truth), [Fate::Pinned(pin(0)), Fate::Pinned(second.clone())]);
    let upper = format!(
        "OK fingerprint match={} match=81:{} servername=hostname",
        pin(0),
        &second[2..].to_uppercase()
    );
    assert_eq!(faults(&truth, &said(&upper), &[]), []);
    for full in ["10:300", "10:310"] {
        let truth = plain(full);
        assert_eq!(fates(&truth), [Fate::Pinned(FULL_PIN.to_owned())]);
        let answer = said(&format!("OK fingerprint match={FULL_PIN} servername=hostname"));
        assert_eq!(faults(&truth, &answer, &[]), []);
    }
    let truth = plain("10:301+312");
    assert_eq!(fates(&truth), [Fate::Pinned(pin(0)), Fate::OtherDigest]);
    check_alone(&truth, "fingerprint 0");
    let sha512 = Pins { digest: 2, ..Pins::default() };
    let truth = with("10:312+301", sha512.clone());
    let long = "01".repeat(64);
    assert_eq!(fates(&truth), [Fate::Pinned(long.clone()), Fate::OtherDigest]);
    let answer = said(&format!("OK fingerprint match={long} servername=hostname"));
    assert_eq!(faults(&truth, &answer, &[]), []);
    check_alone(&with("10:311", sha512), "TEMP"); // DT-17 the other way round
}

/// The union: a pin too many lets an impostor in, one too few strands mail; neither is permitted,
/// nor is one that stands twice (PD-14).
#[test]
fn no_pin_too_many_and_none_too_few() {
    let truth = plain("10:ee 20:311+311b 30:none");
    let spare = "82".repeat(32);
    let of = |pins: &[&str]| {
        faults(
            &truth,
            &said(&format!("OK fingerprint match={} servername=hostname", pins.join("|"))),
            &[],
        )
    };
    assert_eq!(of(&[&pin(0), &pin(1), &spare]), []);
    assert_eq!(of(&[&pin(0), &spare]), [Fault::Lost(pin(1))]);
    assert_eq!(of(&[&pin(1), &spare]), [Fault::Lost(pin(0))]);
    assert_eq!(of(&[&pin(0), &pin(1), &spare, &pin(7)]), [Fault::Stray(pin(7))]);
    assert_eq!(of(&[&pin(0), &pin(1), &pin(1), &spare]), [Fault::Twice(pin(1))]);
    let none = Line { host: "h2.listed.test".to_owned(), record: None, fate: Fate::NoRecords };
    assert_eq!(account(&truth).last(), Some(&none));
}

/// RFC 7671, 9: agility is among the digests that the client supports, and for pins that is one:
/// no other counts or silences it, whatever the order, for each host by itself.
#[test]
fn agility_of_pins() {
    use Fate::OtherDigest;
    let pinned = || Fate::Pinned(pin(0));
    let long = || Fate::Pinned("01".repeat(64));
    let full = || Fate::Pinned(FULL_PIN.to_owned());
    let cases = [
        ("10:312+311", vec![OtherDigest, pinned()]),
        ("10:311+312", vec![pinned(), OtherDigest]),
        ("10:302+301", vec![OtherDigest, pinned()]),
        ("10:312+301", vec![OtherDigest, pinned()]),
        ("10:312+310", vec![OtherDigest, full()]),
        ("10:212+311", vec![Fate::NoBytes, pinned()]),
        ("10:311", vec![pinned()]),
    ];
    for (hosts, expected) in cases {
        assert_eq!(fates(&plain(hosts)), expected, "{hosts}");
    }
    let turned = Pins { digests: vec![1, 2], ..Pins::default() };
    assert_eq!(fates(&with("10:312+311", turned)), [OtherDigest, pinned()]);
    for digests in [vec![2, 1], vec![1, 2]] {
        let sha512 = Pins { digest: 2, digests, ..Pins::default() };
        let truth = with("10:312+311", sha512);
        assert_eq!(fates(&truth), [long(), OtherDigest]);
        let answer = said(&format!("OK fingerprint match={} servername=hostname", "01".repeat(64)));
        assert_eq!(faults(&truth, &answer, &[]), []);
    }
    let mapped = Pins { map_pkix_usages: true, ..Pins::default() };
    assert_eq!(fates(&with("10:112+311", mapped)), [OtherDigest, pinned()]);
    let off = Pins { digests: vec![1], ..Pins::default() };
    assert_eq!(fates(&with("10:312+311", off)), [pinned()]); // CM-24: disabled ones take no part
    let mut world = destination(true, "10:311");
    let short = [vec![3, 1, 2], vec![7; 63]].concat();
    add(&mut world, "_25._tcp.h0.listed.test", Data::Tlsa(short)); // CM-24: malformed
    let truth = seen(&world, &question(Floor::May), &site(Pins::default()));
    check_alone(&truth, "fingerprint 0");
    check_alone(&plain("10:312+311"), "fingerprint 0");
    check_alone(&plain("10:312+311 20:311"), "fingerprint 0 1");
    check_alone(&plain("10:312+301 20:311"), "fingerprint 0 1");
    check_alone(&plain("10:312 20:311"), "fingerprint 1");
}

/// CM-22 to CM-25: for anchors agility is within usage and selector, never against full data,
/// among records that count, in the configured order, and for each host by itself.
#[test]
fn agility_of_anchors() {
    use Fate::{NoBytes, Weaker};
    let turned = Pins { digests: vec![1, 2], ..Pins::default() };
    let off = Pins { digests: vec![1], ..Pins::default() };
    let other = Pins { digest: 2, ..Pins::default() };
    for (hosts, pins, expected) in [
        ("10:202+201", Pins::default(), vec![NoBytes, Weaker]),
        ("10:212+211", other, vec![NoBytes, Weaker]),
        ("10:202+201", turned, vec![Weaker, NoBytes]),
        ("10:202+201", off, vec![NoBytes]),
        ("10:202+211", Pins::default(), vec![NoBytes, NoBytes]),
        ("10:202+200", Pins::default(), vec![NoBytes, anchored(0)]),
        ("10:201 20:202", Pins::default(), vec![NoBytes, NoBytes]),
    ] {
        assert_eq!(fates(&with(hosts, pins)), expected, "{hosts}");
    }
    // so a probe brings the bytes for the strongest only
    let world =
        published(&[digest_of("202", &issuer(1).whole), digest_of("201", &issuer(0).whole)]);
    let with = |probed| {
        let site = Site { probed, ..site(Pins::default()) };
        seen(&world, &question(Floor::May), &site)
    };
    check_alone(&with(vec![probed(0)]), "TEMP");
    let strong = Probed { issuers: vec![issuer(1)], ..probed(0) };
    let right = anchors_reply("dest.test:h0.listed.test");
    assert_eq!(faults(&with(vec![strong]), &right, &file(&[1])), []);
}

/// TU-02 to TU-04, TU-08, OP-04: what is switched off or mapped changes usability for profile F,
/// never for a Postfix that judges by itself.
#[test]
fn switches_of_usability() {
    let off = Pins { trust_anchor_digests: false, ..Pins::default() };
    check_alone(&with("10:201", off.clone()), "encrypt");
    check_alone(&with("10:201+311", off.clone()), "fingerprint 0");
    assert_eq!(fates(&with("10:200", off)), [anchored(0)]); // all its bytes are in DNS
    let sha256 = Pins { digests: vec![1], ..Pins::default() };
    check_alone(&with("10:312", sha256), "encrypt");
    let mapped = Pins { map_pkix_usages: true, ..Pins::default() };
    check_alone(&plain("10:111"), "encrypt");
    check_alone(&with("10:111", mapped.clone()), "fingerprint 0");
    check_alone(&with("10:001", mapped.clone()), "encrypt");
    assert_eq!(fates(&with("10:000", mapped.clone())), [anchored(0)]);
    let known = Pins { all_anchors_known: true, ..mapped };
    assert_eq!(fates(&with("10:001", known.clone())), [Fate::NoBytes]);
    let unmapped = Pins { map_pkix_usages: false, ..known };
    check_alone(&with("10:001", unmapped), "encrypt");
}

fn anchored(index: usize) -> Fate {
    Fate::Anchored(vec![Anchor::Certificate(full("200", index))])
}

/// A CA whose certificate and key are those that `200` and `210` publish for a host.
fn issuer(index: usize) -> Certificate {
    Certificate { whole: full("200", index), key: full("210b", index) }
}

fn file(indices: &[usize]) -> Vec<Anchor> {
    indices.iter().map(|index| Anchor::Certificate(issuer(*index).whole)).collect()
}

fn anchors_reply(names: &str) -> Reply {
    said(&format!("OK secure match={names} tafile=/x servername=hostname"))
}

/// DT-16, CM-26: full-data anchors stand in the CA file, beside exactly the names that a
/// certificate may have: the TLSA base domains and the next-hop domain.
#[test]
fn dt_16_anchors_from_dns() {
    let truth = plain("10:200");
    let right = anchors_reply("dest.test:h0.listed.test");
    assert_eq!(faults(&truth, &right, &file(&[0])), []);
    assert!(is_safe(&truth, &right));
    for (names, file, wrong) in [
        ("h0.listed.test", file(&[0]), Fault::Lost("dest.test".to_owned())),
        ("dest.test", file(&[0]), Fault::Lost("h0.listed.test".to_owned())),
        ("dest.test:h0.listed.test:x.test", file(&[0]), Fault::Stray("x.test".to_owned())),
        ("dest.test:h0.listed.test:hostname", file(&[0]), Fault::Stray("hostname".to_owned())),
        ("dest.test:h0.listed.test", file(&[0, 1]), Fault::StrayAnchor(file(&[1])[0].clone())),
        ("dest.test:h0.listed.test", file(&[]), Fault::LostAnchor(account(&truth)[0].clone())),
    ] {
        assert_eq!(faults(&truth, &anchors_reply(names), &file), [wrong]);
    }
    // plain web PKI, TLS without authentication and delay are not it
    for other in ["secure 0", "encrypt", "TEMP", "NOTFOUND", "fingerprint 0"] {
        let faults = faults(&truth, &reply(&truth, other), &file(&[0]));
        assert!(matches!(faults[..], [Fault::Word(_)]), "{other}");
    }
    let both = plain("10:200 20:200 30:none");
    let right = anchors_reply("dest.test:h0.listed.test:h1.listed.test");
    assert_eq!(faults(&both, &right, &file(&[0, 1])), []);
}

/// CM-26, CM-27: the alias-expanded next hop and base count; without MX the host itself does.
#[test]
fn reference_names_of_the_rows() {
    let names = |world: &World, asked: &Question| {
        let truth = seen(world, asked, &site(Pins::default()));
        assert_eq!(truth.hosts.len(), 1);
        reference_names(&truth, &truth.hosts[0])
    };
    let asked = question(Floor::May);
    assert_eq!(names(&destination(true, "10:200"), &asked), ["dest.test", "h0.listed.test"]);
    // the next hop is an alias
    let mut world = destination(true, "10:200");
    for at in &mut world.records {
        if at.owner == DOMAIN {
            at.owner = "real.test".to_owned();
        }
    }
    zones(&mut world, Signing::Signed, &["real.test"]);
    add(&mut world, DOMAIN, alias("real.test"));
    assert_eq!(names(&world, &asked), ["dest.test", "h0.listed.test", "real.test"]);
    // of two aliases in a row the middle name does not count
    add(&mut world, "first.test", alias(DOMAIN));
    zones(&mut world, Signing::Signed, &["first.test"]);
    let mut first = question(Floor::May);
    first.next_hop = NextHop::Domain("first.test".to_owned());
    assert_eq!(names(&world, &first), ["first.test", "h0.listed.test", "real.test"]);
    // the host is an alias, and its records are at the end or at the beginning of it
    let aliased = |owner: &str| {
        let mut world = World::default();
        zones(&mut world, Signing::Signed, &[DOMAIN, "far.test"]);
        add(&mut world, DOMAIN, mx(10, "mx.dest.test"));
        add(&mut world, "mx.dest.test", alias("mx.far.test"));
        add(&mut world, "mx.far.test", Data::A);
        add(&mut world, &format!("_25._tcp.{owner}"), record("200", 0));
        world
    };
    assert_eq!(names(&aliased("mx.far.test"), &asked), ["dest.test", "mx.far.test"]);
    assert_eq!(names(&aliased("mx.dest.test"), &asked), ["dest.test", "mx.dest.test"]);
    // a bracketed host, and a domain without MX
    let mut bracketed = question(Floor::May);
    bracketed.next_hop = NextHop::Host("mx.dest.test".to_owned());
    assert_eq!(names(&aliased("mx.far.test"), &bracketed), ["mx.dest.test", "mx.far.test"]);
    assert_eq!(names(&aliased("mx.dest.test"), &bracketed), ["mx.dest.test"]);
    let mut bare = question(Floor::May);
    bare.next_hop = NextHop::Domain("mx.dest.test".to_owned());
    assert_eq!(names(&aliased("mx.far.test"), &bare), ["mx.dest.test", "mx.far.test"]);
    assert_eq!(names(&aliased("mx.dest.test"), &bare), ["mx.dest.test"]);
}

fn probed(index: usize) -> Probed {
    let leaf = Certificate { whole: full("300", 90 + index), key: full("310", 90 + index) };
    Probed { host: format!("h{index}.listed.test"), leaf, issuers: vec![issuer(index)] }
}

/// A record whose digest is that of data of this kind, by the model's own hashing.
fn digest_of(figures: &str, data: &[u8]) -> Data {
    use sha2::Digest;
    let kind = figures.bytes().map(|figure| figure - b'0').collect::<Vec<u8>>();
    let digest = match kind[2] {
        1 => sha2::Sha256::digest(data).to_vec(),
        _ => sha2::Sha512::digest(data).to_vec(),
    };
    Data::Tlsa([kind, digest].concat())
}

/// A host with these records, and a second one that is bare.
fn published(records: &[Data]) -> World {
    let mut world = destination(true, "10:none 20:none");
    for data in records {
        add(&mut world, "_25._tcp.h0.listed.test", data.clone());
    }
    world
}

/// DT-16: a digest of an anchor needs the bytes, which a verified probe brings; until then, and
/// where probes are off, there is delay. A CA that no record is for is never let in.
#[test]
fn dt_16_anchors_from_a_probe() {
    let right = anchors_reply("dest.test:h0.listed.test");
    for data in [
        digest_of("201", &issuer(0).whole),
        digest_of("202", &issuer(0).whole),
        digest_of("211", &issuer(0).key),
        Data::Tlsa([vec![2, 1, 0], issuer(0).key].concat()),
    ] {
        let world = published(&[data]);
        let with = |pins, probed| {
            let site = Site { probed, ..site(pins) };
            seen(&world, &question(Floor::May), &site)
        };
        check_alone(&with(Pins::default(), vec![]), "TEMP");
        let truth = with(Pins::default(), vec![probed(0)]);
        assert_eq!(faults(&truth, &right, &file(&[0])), []);
        assert!(faults(&truth, &right, &file(&[0, 1])).len() == 1);
        assert_eq!(faults(&truth, &right, &file(&[])).len(), 1);
        check_alone(&with(Pins { probe: false, ..Pins::default() }, vec![probed(0)]), "TEMP");
        let stranger = Probed { issuers: vec![issuer(1)], ..probed(0) };
        check_alone(&with(Pins::default(), vec![stranger]), "TEMP");
        let elsewhere = Probed { host: "h1.listed.test".to_owned(), ..probed(0) };
        check_alone(&with(Pins::default(), vec![elsewhere]), "TEMP");
    }
    // a bare key, where the mail server takes it
    let key = full("210", 0);
    let truth = with("10:210", Pins { bare_keys: true, ..Pins::default() });
    assert_eq!(faults(&truth, &right, &[Anchor::Key(key)]), []);
    check_alone(&plain("10:210"), "TEMP");
}

/// DT-16, choice (c), (d) and (f): anchors win where they reach a better tier or more hosts; with
/// one answer a host has either its pins or its anchors.
#[test]
fn anchors_or_pins() {
    let names = |indices: &[usize]| {
        let hosts = indices.iter().map(|index| format!("h{index}.listed.test"));
        anchors_reply(
            &["dest.test".to_owned()].into_iter().chain(hosts).collect::<Vec<_>>().join(":"),
        )
    };
    for (hosts, pins, anchors) in [
        ("10:200 20:ee", None, Some(&[0][..])),
        ("10:ee 20:200", Some("fingerprint 0"), None),
        ("10:ee 10:200", Some("fingerprint 0"), None),
        ("10:ee 10:200 20:200", None, Some(&[1, 2])),
        ("10:ta 20:ee", Some("fingerprint 1"), None),
        ("10:none 20:200", Some("NOTFOUND"), None),
        ("10:200 20:none", None, Some(&[0])),
        ("10:200 20:failed", None, Some(&[0])),
    ] {
        let truth = plain(hosts);
        match (pins, anchors) {
            (Some(words), _) => check(&truth, words),
            (_, Some(indices)) => {
                assert_eq!(faults(&truth, &names(indices), &file(indices)), [], "{hosts}");
            }
            _ => {}
        }
        assert_eq!(permitted(&truth).len(), 1, "{hosts}");
    }
    // under a policy: a tie between its names and the anchors is a tie
    let asked = asked(true, Rule::None, Floor::May);
    let truth = seen(&destination(true, "10:200 10:none"), &asked, &site(Pins::default()));
    assert_eq!(permitted(&truth).len(), 2);
    check(&truth, "secure 1");
    assert_eq!(faults(&truth, &names(&[0]), &file(&[0])), []);
}

/// DT-17: DANE-EE in a digest that the mail server lacks is pinned by what a verified probe was
/// shown; until then there is delay, and never a level without authentication.
#[test]
fn dt_17_another_digest() {
    let leaf = probed(0).leaf;
    for (data, shown) in
        [(digest_of("312", &leaf.key), &leaf.key), (digest_of("302", &leaf.whole), &leaf.whole)]
    {
        let world = published(&[data]);
        let with = |probed| {
            let site = Site { probed, ..site(Pins::default()) };
            seen(&world, &question(Floor::May), &site)
        };
        check_alone(&with(vec![]), "TEMP");
        let Data::Tlsa(rdata) = digest_of("311", shown) else { panic!() };
        let pin: String = rdata[3..].iter().map(|byte| format!("{byte:02x}")).collect();
        let truth = with(vec![probed(0)]);
        let answer = said(&format!("OK fingerprint match={pin} servername=hostname"));
        assert_eq!(faults(&truth, &answer, &[]), []);
        assert_eq!(fates(&truth)[0], Fate::Pinned(pin));
        let other = Probed { leaf: probed(1).leaf, ..probed(0) };
        check_alone(&with(vec![other]), "TEMP");
    }
    // beside what can be said it does not count, whatever is shown
    for beside in ["311", "301", "310"] {
        let world = published(&[digest_of("312", &leaf.key), record(beside, 0)]);
        let site = Site { probed: vec![probed(0)], ..site(Pins::default()) };
        let truth = seen(&world, &question(Floor::May), &site);
        let said = if beside == "310" { FULL_PIN.to_owned() } else { pin(0) };
        assert_eq!(fates(&truth)[..2], [Fate::OtherDigest, Fate::Pinned(said)], "{beside}");
    }
    // a host that lacks it is not silenced by one that has it, nor by its own anchors
    let mut world = published(&[digest_of("312", &leaf.key), record("201", 0)]);
    add(&mut world, "_25._tcp.h1.listed.test", record("311", 1));
    let site = Site { probed: vec![probed(0)], ..site(Pins::default()) };
    let fates = fates(&seen(&world, &question(Floor::May), &site));
    assert!(matches!(&fates[0], Fate::Pinned(shown) if *shown != pin(1)), "{fates:?}");
    assert_eq!(fates[2], Fate::Pinned(pin(1)));
}

/// DT-19: a host with both is pinned by DANE-EE; after a report of a mismatch that a DANE-TA
/// record explains, it is reached by its anchors.
#[test]
fn dt_19_both_kinds() {
    let truth = plain("10:311+200");
    check_alone(&truth, "fingerprint 0");
    assert_eq!(fates(&truth), [Fate::Pinned(pin(0)), anchored(0)]);
    let site = Site { mismatched: vec!["h0.listed.test".to_owned()], ..site(Pins::default()) };
    let world = destination(true, "10:311+200");
    let truth = seen(&world, &question(Floor::May), &site);
    assert_eq!(fates(&truth), [Fate::Mismatched, anchored(0)]);
    assert_eq!(faults(&truth, &anchors_reply("dest.test:h0.listed.test"), &file(&[0])), []);
    assert!(!faults(&truth, &reply(&truth, "fingerprint 0"), &[]).is_empty());
}

/// PF-11: SNI is the host's name, or the base where there is only one; never for a Postfix that
/// does not know the attribute.
#[test]
fn pf_11_sni() {
    let truth = plain("10:ee");
    let with = |rest: &str| said(&format!("OK fingerprint match={}{rest}", pin(0)));
    assert_eq!(faults(&truth, &with(" servername=hostname"), &[]), []);
    assert_eq!(faults(&truth, &with(" servername=h0.listed.test"), &[]), []);
    assert_eq!(faults(&truth, &with(""), &[]), [Fault::Servername]);
    assert_eq!(faults(&truth, &with(" servername=nexthop"), &[]), [Fault::Servername]);
    assert_eq!(faults(&truth, &with(" servername=x.test"), &[]), [Fault::Servername]);
    let two = plain("10:ee 20:none");
    assert_eq!(faults(&two, &with(" servername=h0.listed.test"), &[]), [Fault::Servername]);
    let old = Site { servername: false, ..site(Pins::default()) };
    let old = seen(&destination(true, "10:ee"), &question(Floor::May), &old);
    assert_eq!(faults(&old, &with(""), &[]), []);
    assert_eq!(faults(&old, &with(" servername=hostname"), &[]), [Fault::Servername]);
    let asked = asked(true, Rule::None, Floor::May);
    let named = seen(&destination(true, "10:none"), &asked, &site(Pins::default()));
    let bare = said("OK secure match=h0.listed.test");
    assert_eq!(faults(&named, &bare, &[]), [Fault::Servername]);
}

/// DT-01, DT-01s, DT-02, DT-28: where the profiles do not differ.
#[test]
fn without_hosts_and_in_brackets() {
    let site = site(Pins::default());
    let nowhere = seen(&destination(true, ""), &question(Floor::May), &site);
    assert_eq!(permitted(&nowhere), [Permitted::NotFound]);
    let enforced = asked(true, Rule::None, Floor::May);
    let named = seen(&destination(false, "10:unreachable"), &enforced, &site);
    let patterns = said("OK secure match=.listed.test servername=hostname");
    assert_eq!(faults(&named, &patterns, &[]), []);
    for wrong in ["OK secure match=h0.listed.test servername=hostname", "OK encrypt"] {
        assert!(!faults(&named, &said(wrong), &[]).is_empty(), "{wrong}");
    }
    assert!(!faults(&named, &Reply::NotFound, &[]).is_empty());
    let mut broken = destination(true, "10:ee");
    broken.zones[0].signing = Signing::Broken;
    assert_eq!(permitted(&seen(&broken, &enforced, &site)), [Permitted::Temp("")]);
    let mut bracketed = enforced;
    bracketed.next_hop = NextHop::Host("h0.listed.test".to_owned());
    check_alone(&seen(&destination(false, "10:ee"), &bracketed, &site), "fingerprint 0");
}

/// MX-17: who was seen with DANE waits for a resolver that validates.
#[test]
fn mx_17_an_unbelieved_resolver() {
    let mut asked = question(Floor::May);
    asked.settings.believed = false;
    let world = destination(true, "10:ee");
    let nowhere = destination(true, "10:unreachable");
    for (known, believed, answer) in
        [(false, false, "NOTFOUND"), (true, false, "TEMP"), (true, true, "fingerprint 0")]
    {
        asked.settings.seen_with_dane = known;
        asked.settings.believed = believed;
        check_alone(&seen(&world, &asked, &site(Pins::default())), answer);
        let without = if answer == "TEMP" { "TEMP" } else { "NOTFOUND" };
        check_alone(&seen(&nowhere, &asked, &site(Pins::default())), without);
    }
}

/// A thousand pins fit into a reply; of more there may be delay, never a shortened list.
#[test]
fn a_list_is_never_cut_short() {
    let many = |count: u16| {
        let mut world = destination(true, "10:none");
        for number in 0..count {
            let data = [&[3, 1, 1][..], &number.to_be_bytes(), &[7; 30]].concat();
            add(&mut world, "_25._tcp.h0.listed.test", Data::Tlsa(data));
        }
        seen(&world, &question(Floor::May), &site(Pins::default()))
    };
    assert_eq!(permitted(&many(1000)).len(), 1);
    let two = permitted(&many(1001));
    assert!(matches!(&two[..],
        [Permitted::Level { level: Level::Fingerprint, needed, .. }, Permitted::Temp(_)]
            if needed.len() == 1001));
}

/// PD-11, PF-10, PD-16, RFC 7672, 2.2: over all sets of up to three hosts. What is permitted is
/// safe; DANE levels are never named to a mail server without DANE; no list is empty; behind a
/// secure set a host with usable records is authenticated or passed over, unless the best tier is
/// free; and there is an answer wherever a host could be reached.
#[test]
fn all_small_sets() {
    let states =
        ["ee", "ta", "200", "unusable", "none", "none(unlisted)", "failed", "address-failed"];
    let hosts: Vec<String> = [10, 20]
        .iter()
        .flat_map(|preference| states.map(|state| format!("{preference}:{state}")))
        .collect();
    for (first, second, third) in triples(&hosts) {
        let world = destination(true, &format!("{first} {second} {third}"));
        for enforced in [false, true] {
            for (floor, strict) in
                [(Floor::May, false), (Floor::May, true), (Floor::Encrypt, false)]
            {
                let asked = asked(enforced, Rule::None, floor);
                let site = site(Pins { strict, ..Pins::default() });
                small_set(&seen(&world, &asked, &site), strict);
            }
        }
    }
}

fn triples(hosts: &[String]) -> impl Iterator<Item = (&String, &String, &String)> {
    let pairs = hosts.iter().flat_map(move |first| hosts.iter().map(move |second| (first, second)));
    pairs
        .flat_map(move |(first, second)| hosts.iter().map(move |third| (first, second, third)))
        .filter(|(first, second, third)| first <= second && second <= third)
}

fn small_set(truth: &Truth, strict: bool) {
    let permitted = permitted(truth);
    let place = format!("{permitted:?} {truth:?}");
    assert!(!permitted.is_empty(), "{place}");
    let usable = truth.hosts.iter().any(|host| matches!(host.state, State::Usable(_)));
    let free = |words: &[Level]| {
        permitted.iter().any(|answer| match answer {
            Permitted::NotFound => true,
            Permitted::Level { level, .. } => words.contains(level),
            Permitted::Temp(_) => false,
        })
    };
    let bare_first = truth.hosts.iter().filter(|host| host.state != State::AddressFailed);
    let best = bare_first.clone().map(|host| host.preference).min();
    let mut best = bare_first.filter(|host| Some(host.preference) == best);
    let bound = |state: &State| matches!(state, State::Usable(_) | State::Failed);
    let tier_is_bare = best.all(|host| !bound(&host.state));
    if usable && (strict || !tier_is_bare) {
        assert!(!free(&[Level::May, Level::Encrypt]), "{place}");
    }
    for answer in &permitted {
        if let Permitted::Level { level, needed, .. } = answer {
            assert!(!matches!(level, Level::Dane | Level::DaneOnly | Level::May), "{place}");
            assert_eq!(needed.is_empty(), *level == Level::Encrypt, "{place}");
        }
    }
    let pinned = account(truth).iter().any(|line| matches!(line.fate, Fate::Pinned(_)));
    if pinned {
        assert!(!matches!(permitted[..], [Permitted::Temp(_)]), "{place}");
    }
}
