//! Our verifier against OpenSSL's, set as Postfix sets it, over thousands of generated cases.
//!
//! `ORACLE_SEED` replays a run, `ORACLE_CASES` says how many cases it has; `integration/oracle.sh` runs
//! the long form.
#![allow(clippy::disallowed_methods, missing_docs, reason = "tests")]

use std::time::Instant;

use hoplock_integration::oracle::differences;
use hoplock_integration::oracle::program::Programs;
use hoplock_integration::oracle::run::run;

fn setting(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

/// CM-01, CM-10, CM-20: whatever is shown and published, both say the same, or there is a reason.
#[test]
fn both_say_the_same() {
    let seed = setting("ORACLE_SEED").unwrap_or_else(|| fastrand::u64(..1 << 48));
    let cases = setting("ORACLE_CASES").unwrap_or(5_000);
    let folder = tempfile::tempdir().unwrap();
    let programs = Programs::build(folder.path());
    println!("ORACLE_SEED={seed}");
    let begun = Instant::now();
    let tally = run(&programs, seed, cases);
    println!(
        "{} cases in {:?}, {} accepted, {} by handshake too",
        tally.cases,
        begun.elapsed(),
        tally.accepted,
        tally.handshakes
    );
    println!("accepted: {:?}", tally.good);
    println!("refused for one fact: {:?}", tally.bad);
    for (name, (made, refused)) in &tally.mutations {
        println!("{made:6} {refused:6} {name}");
    }
    for difference in differences::ALL {
        let count = tally.explained.get(difference.reason).copied().unwrap_or_default();
        println!("{count:6} {}: {}", difference.requirement, difference.reason);
    }
    println!("{} unexplained", tally.unexplained.len());
    for dump in tally.unexplained.iter().take(400) {
        println!("{dump}");
    }
    assert_eq!(tally.shortcomings(), Vec::<String>::new());
    assert!(tally.unexplained.is_empty(), "seed {seed}");
}
