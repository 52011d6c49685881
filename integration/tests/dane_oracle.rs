//! Our verifier against OpenSSL's, set as Postfix sets it, over thousands of generated cases.
//!
//! Every run has fresh cases and prints its seed; `ORACLE_SEED` makes the same ones again, with other
//! keys. `ORACLE_CASES` says how many, `ORACLE_DUMPS` how many differences are shown in full.
//! `integration/oracle.sh` runs the long form.
#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    missing_docs,
    reason = "tests"
)]

use std::rc::Rc;
use std::sync::OnceLock;
use std::time::Instant;

use hoplock_integration::oracle::case::{Case, Octets};
use hoplock_integration::oracle::differences::{self, Side};
use hoplock_integration::oracle::program::{Judgement, Programs, Verdict};
use hoplock_integration::oracle::run::run;
use hoplock_integration::oracle::tally::Tally;

/// CM-01, CM-10, CM-20: whatever is shown and published, both say the same, at the same depth, or there
/// is a reason without which they would.
#[test]
fn both_say_the_same() {
    let tally = tally();
    for (name, (made, refused)) in &tally.mutations {
        println!("{made:7} {refused:7} refused  {name}");
    }
    assert!(differences::ALL.len() <= 10, "too many reasons to differ");
    for difference in differences::ALL {
        let [ours, theirs] = [Side::We, Side::OpenSsl].map(|side| {
            let count = tally.explained.get(&(difference.reason, side));
            count.copied().unwrap_or_default()
        });
        println!(
            "{ours:7} accepted by us, {theirs:5} by OpenSSL  {} ({}): {}",
            difference.requirement, difference.clause, difference.reason
        );
    }
    for dump in tally.unexplained.iter().take(setting("ORACLE_DUMPS", 5)) {
        println!("{dump}");
    }
    let count = tally.unexplained.len();
    assert_eq!(
        count, 0,
        "differences without a reason; the first ones are above"
    );
}

/// CM-02, CM-03, CM-11: each usage, selector, matching type and depth is seen accepted, and refused for
/// one fact alone; and enough is accepted for agreement to mean something.
#[test]
fn every_form_is_seen_accepted_and_refused() {
    assert_eq!(tally().shortcomings(), Vec::<String>::new());
}

/// A handshake in memory says the same of a case as its short form does.
#[test]
fn openssl_says_the_same_in_a_handshake() {
    let tally = tally();
    assert!(
        tally.handshakes * 20 > tally.cases,
        "only {} handshakes",
        tally.handshakes
    );
}

/// The C program answers whatever it is given.
#[test]
fn octets_of_no_meaning_are_answered() {
    let folder = tempfile::tempdir().unwrap();
    let mut oracle = Programs::build(folder.path()).oracle();
    let digest = [&[3, 0, 1][..], &[7; 32]].concat();
    let mut judge = |chain: &[&[u8]], records: &[&[u8]]| {
        let chain = chain.iter().map(|der| Octets {
            der: der.to_vec(),
            key: Vec::new(),
        });
        let case = Case {
            chain: chain.map(Rc::new).collect(),
            records: records.iter().map(|rdata| rdata.to_vec()).collect(),
            names: vec!["mx.example".to_owned()],
            now: 1_800_000_000,
        };
        oracle.judge(&case)
    };
    let unparsable = Judgement {
        usable: vec![true],
        verdict: Verdict::Unparsable(0),
    };
    for octets in [
        &b""[..],
        b"\0",
        b"0",
        b"\x30\x82\xff\xff",
        b"no certificate\n",
    ] {
        assert_eq!(judge(&[octets, octets], &[&digest]), unparsable);
    }
    assert_eq!(judge(&[], &[&digest]), unparsable);
    let records: [&[u8]; 5] = [
        b"",
        b"\x03",
        b"\x03\x01\x01",
        b"\x01\x01\x01x",
        b"\x03\x01\xffx",
    ];
    let unusable = judge(&[b"0"], &records);
    assert_eq!(unusable.usable, [false; 5]);
    assert_eq!(unusable.verdict, Verdict::Unusable);
    assert_eq!(judge(&[], &[]).verdict, Verdict::Unusable);
}

/// One run for all tests.
fn tally() -> &'static Tally {
    static TALLY: OnceLock<Tally> = OnceLock::new();
    TALLY.get_or_init(|| {
        let seed = setting("ORACLE_SEED", fastrand::u64(..1 << 48));
        let cases = setting("ORACLE_CASES", 5_000);
        let folder = tempfile::tempdir().unwrap();
        let programs = Programs::build(folder.path());
        println!("ORACLE_SEED={seed}");
        let begun = Instant::now();
        let tally = run(&programs, seed, cases);
        println!(
            "{} cases in {:.1?}: {} accepted, {} judged by handshake too, {} records usable for us alone",
            tally.cases,
            begun.elapsed(),
            tally.accepted,
            tally.handshakes,
            tally.usable_for_us
        );
        println!("cells, accepted and refused for one fact: {}", tally.cells());
        tally
    })
}

fn setting<T: std::str::FromStr>(name: &str, otherwise: T) -> T {
    let set = std::env::var(name).ok().and_then(|text| text.parse().ok());
    set.unwrap_or(otherwise)
}
