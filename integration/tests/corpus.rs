//! Replays the corpus of the fuzz targets of the daemon, so that what a fuzzer once found is
//! checked in every run, without a fuzzer.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "tests"
)]

use std::fs;
use std::path::Path;

use hoplock::fuzzing;

/// OP-08: the seeds and all that the fuzzer found.
#[test]
fn config() {
    replay("config", fuzzing::config);
}

/// MX-03, MX-04, MX-15, TU-06: the seeds and all that the fuzzer found.
#[test]
fn dns_message() {
    replay("dns_message", fuzzing::dns_message);
}

/// The seeds and all that the fuzzer found.
#[test]
fn host_field() {
    replay("host_field", fuzzing::host_field);
}

/// ST-06, ST-08, ST-09, ST-11: the seeds and all that the fuzzer found.
#[test]
fn policy_response() {
    replay("policy_response", fuzzing::policy_response);
}

/// PF-08: the seeds and all that the fuzzer found.
#[test]
fn postconf() {
    replay("postconf", fuzzing::postconf);
}

/// MX-15: the seeds and all that the fuzzer found.
#[test]
fn resolv_conf() {
    replay("resolv_conf", fuzzing::resolv_conf);
}

/// ST-27, ST-28: the seeds and all that the fuzzer found.
#[test]
fn state() {
    replay("state", fuzzing::state);
}

/// OP-05: the seeds and all that the fuzzer found.
#[test]
fn stored_rule() {
    replay("stored_rule", fuzzing::stored_rule);
}

fn replay(target: &str, check: fn(&[u8])) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/corpus");
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
