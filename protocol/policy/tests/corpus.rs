//! Replays the corpus of the fuzz targets of the law, so that what a fuzzer once found is
//! checked in every run, without a fuzzer.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "tests"
)]

use std::fs;
use std::path::Path;

use hoplock_policy::fuzzing;

/// PD-14, PD-16 to PD-18, PF-10 to PF-15, FT-01: the seeds and all that the fuzzer found.
#[test]
fn decide() {
    replay("decide", fuzzing::decide);
}

/// MX-11, CA-01, CA-02: the seeds and all that the fuzzer found.
#[test]
fn dns_follow() {
    replay("dns_follow", fuzzing::dns_follow);
}

/// ID-02, ID-04, ST-19, ST-20: the seeds and all that the fuzzer found.
#[test]
fn names() {
    replay("names", fuzzing::names);
}

/// PF-05, NX-03, NX-05, ID-02: the seeds and all that the fuzzer found.
#[test]
fn next_hop() {
    replay("next_hop", fuzzing::next_hop);
}

/// ST-08, ST-10, ST-15 to ST-20, ST-30: the seeds and all that the fuzzer found.
#[test]
fn sts_policy() {
    replay("sts_policy", fuzzing::sts_policy);
}

/// ST-02, ST-03: the seeds and all that the fuzzer found.
#[test]
fn sts_record() {
    replay("sts_record", fuzzing::sts_record);
}

/// TU-01 to TU-08, TU-10: the seeds and all that the fuzzer found.
#[test]
fn tlsa() {
    replay("tlsa", fuzzing::tlsa);
}

/// RP-01, RP-02: the seeds and all that the fuzzer found.
#[test]
fn tlsrpt_record() {
    replay("tlsrpt_record", fuzzing::tlsrpt_record);
}

/// CM-03, CM-07, CM-20: the seeds and all that the fuzzer found.
#[test]
fn verify() {
    replay("verify", fuzzing::verify);
}

fn replay(target: &str, check: fn(&[u8])) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus");
    let folder = root.join(target);
    let entries = fs::read_dir(&folder).unwrap_or_else(|why| panic!("{}: {why}", folder.display()));
    let mut files: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    assert!(!files.is_empty(), "{} is empty", folder.display());
    files.sort();
    for file in &files {
        // Shown only if the check of this file panics.
        println!("{}", file.display());
        check(&fs::read(file).unwrap());
    }
    println!("{} files of {target} replayed", files.len());
}
