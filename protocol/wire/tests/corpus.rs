//! Replays the corpus of this crate's fuzz targets, so that what a fuzzer once found is checked in
//! every run, without a fuzzer.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "tests"
)]

use std::fs;
use std::path::Path;

use hoplock_wire::fuzzing;

/// The seeds and all that the fuzzer found.
#[test]
fn delegation() {
    replay("delegation", fuzzing::delegation);
}

/// The seeds and all that the fuzzer found.
#[test]
fn destinations() {
    replay("destinations", fuzzing::destinations);
}

/// The seeds and all that the fuzzer found.
#[test]
fn milter() {
    replay("milter", fuzzing::milter);
}

/// PF-02: the seeds and all that the fuzzer found.
#[test]
fn netstring() {
    replay("netstring", fuzzing::netstring);
}

/// The seeds and all that the fuzzer found.
#[test]
fn smtp_reply() {
    replay("smtp_reply", fuzzing::smtp_reply);
}

/// PF-01: the seeds and all that the fuzzer found.
#[test]
fn socketmap() {
    replay("socketmap", fuzzing::socketmap);
}

/// EX-01: the seeds and all that the fuzzer found.
#[test]
fn readsocket() {
    replay("readsocket", fuzzing::readsocket);
}

/// SV-10: the seeds and all that the fuzzer found.
#[test]
fn verifier_key() {
    replay("verifier_key", fuzzing::verifier_key);
}

/// SV-11: the seeds and all that the fuzzer found.
#[test]
fn session() {
    replay("session", fuzzing::session);
}

/// RP-03: the seeds and all that the fuzzer found.
#[test]
fn tlsrpt() {
    replay("tlsrpt", fuzzing::tlsrpt);
}

/// SV-01: the seeds and all that the fuzzer found.
#[test]
fn postfix_log() {
    replay("postfix_log", fuzzing::postfix_log);
}

/// RP-07, RP-08, RP-11: the seeds and all that the fuzzer found.
#[test]
fn tlsrpt_document() {
    replay("tlsrpt_document", fuzzing::tlsrpt_document);
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

/// Of any crate: a target that no test replays would rot unseen.
#[test]
fn each_target_is_replayed_by_its_crate() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let crates = fs::read_dir(root.join("protocol")).unwrap();
    let tests = crates.map(|entry| entry.unwrap().path().join("tests/corpus.rs"));
    let replays: String = tests
        .chain([root.join("integration/tests/corpus.rs")])
        .filter_map(|file| fs::read_to_string(file).ok())
        .collect();
    let manifest = fs::read_to_string(root.join("fuzz/Cargo.toml")).unwrap();
    let mut targets = 0;
    for entry in fs::read_dir(root.join("fuzz/fuzz_targets")).unwrap() {
        let file = entry.unwrap().path();
        let name = file.file_stem().unwrap().display().to_string();
        assert!(
            manifest.contains(&format!("name = \"{name}\"")),
            "{name} is not built"
        );
        assert!(
            replays.contains(&format!("replay(\"{name}\"")),
            "{name} is not replayed"
        );
        targets += 1;
    }
    assert!(targets >= 20, "{targets} targets");
}
