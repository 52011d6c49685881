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

/// EX-02: the seeds and all that the fuzzer found.
#[test]
fn dns_query() {
    replay("dns_query", fuzzing::dns_query);
}

/// EX-02, EX-03: the seeds and all that the fuzzer found.
#[test]
fn exim_config() {
    replay("exim_config", fuzzing::exim_config);
}

/// The seeds and all that the fuzzer found.
#[test]
fn host_field() {
    replay("host_field", fuzzing::host_field);
}

/// The seeds and all that the fuzzer found.
#[test]
fn openssl_output() {
    replay("openssl_output", fuzzing::openssl_output);
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

/// RP-08, RP-11: the seeds and all that the fuzzer found.
#[test]
fn received_report() {
    replay("received_report", fuzzing::received_report);
}

/// MX-15: the seeds and all that the fuzzer found.
#[test]
fn resolv_conf() {
    replay("resolv_conf", fuzzing::resolv_conf);
}

/// EX-02: the seeds and all that the fuzzer found.
#[test]
fn sendmail_cf() {
    replay("sendmail_cf", fuzzing::sendmail_cf);
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

/// A decoder is fuzzed in the version that the product has, down to the libraries that it rests on.
#[test]
fn the_fuzzer_links_what_the_product_links() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let packages = |lock: &str| {
        let text = fs::read_to_string(root.join(lock)).unwrap();
        let packages = text.split("[[package]]\n").skip(1);
        let heads = packages.map(|package| {
            let mut lines = package.lines();
            (
                lines.next().unwrap().to_owned(),
                lines.next().unwrap().to_owned(),
            )
        });
        heads.collect::<Vec<_>>()
    };
    let product = packages("Cargo.lock");
    let own = ["arbitrary", "hoplock-fuzz", "libfuzzer-sys"].map(|name| format!("name = {name:?}"));
    let fuzzer = packages("fuzz/Cargo.lock");
    assert!(fuzzer.len() > 100);
    for (name, version) in fuzzer.iter().filter(|(name, _)| !own.contains(name)) {
        assert!(
            product.contains(&(name.clone(), version.clone())),
            "{name}, {version} in fuzz/Cargo.lock alone: copy Cargo.lock there and run cargo metadata in fuzz/"
        );
    }
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
