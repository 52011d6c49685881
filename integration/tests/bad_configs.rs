//! Broken configurations, each beside the complaints that it must give: all of them, with lines.
//!
//! `NN-name.toml` has `NN-name.complaints`; `NN-name.d/` holds its files of rules. With
//! `UPDATE_COMPLAINTS` set the complaints are written instead; read them before they are committed.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "tests"
)]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use hoplock::config::{Config, Severity};
use hoplock_policy::moment::Timestamp;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("bad-configs")
}

/// Names without their endings, of the files that end so.
fn named(ending: &str) -> BTreeSet<String> {
    fs::read_dir(folder())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter_map(|name| name.strip_suffix(ending).map(str::to_owned))
        .collect()
}

fn rule_files(name: &str) -> Vec<(String, String)> {
    let Ok(entries) = fs::read_dir(folder().join(format!("{name}.d"))) else {
        return Vec::new();
    };
    let mut files: Vec<_> = entries
        .map(|entry| {
            let entry = entry.unwrap();
            let name = entry.file_name().into_string().unwrap();
            (name, fs::read_to_string(entry.path()).unwrap())
        })
        .collect();
    files.sort();
    files
}

/// MX-15, TU-09, OP-05: each mistake is told with its line, its key, and the cure; the ids in the
/// files say what else they stand for.
#[test]
fn every_bad_configuration_gets_its_complaints() {
    let mut wrong = Vec::new();
    let names = named(".toml");
    for name in &names {
        let text = fs::read_to_string(folder().join(format!("{name}.toml"))).unwrap();
        let (config, complaints) = Config::parse_at(&text, &rule_files(name), NOW);
        let said: String = complaints
            .iter()
            .map(|complaint| format!("{complaint}\n"))
            .collect();
        let beside = folder().join(format!("{name}.complaints"));
        if std::env::var_os("UPDATE_COMPLAINTS").is_some() {
            fs::write(&beside, &said).unwrap();
        }
        let expected = fs::read_to_string(&beside).unwrap_or_default();
        if said != expected || said.is_empty() {
            wrong.push(format!("{name}\nsaid:\n{said}expected:\n{expected}"));
        }
        let bad = complaints
            .iter()
            .any(|complaint| complaint.severity == Severity::Error);
        assert_eq!(
            config.is_none(),
            bad,
            "{name}: errors and no configuration go together"
        );
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    println!("{} bad configurations", names.len());
}

#[test]
fn no_file_lacks_its_partner() {
    assert_eq!(named(".toml"), named(".complaints"));
    assert!(named(".toml").len() >= 25);
    assert!(named(".d").is_subset(&named(".toml")));
}

/// The file that operators fill in holds every key with its real default.
#[test]
fn the_shipped_configuration_is_the_default() {
    let path = folder().join("../../packaging/hoplock.toml");
    if std::env::var_os("UPDATE_COMPLAINTS").is_some() {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, Config::template()).unwrap();
    }
    let text = fs::read_to_string(path).unwrap();
    assert_eq!(
        text,
        Config::template(),
        "packaging/hoplock.toml is behind the table of keys"
    );
    let with_values: String = text
        .lines()
        .map(|line| match line.strip_prefix('#') {
            Some(value) if value.starts_with(|c: char| c.is_ascii_lowercase()) => value,
            _ => line,
        })
        .map(|line| format!("{line}\n"))
        .collect();
    assert_ne!(text, with_values);
    for text in [text, with_values] {
        assert_eq!(
            Config::parse(&text, &[]),
            (Some(Config::default()), Vec::new())
        );
    }
}

/// The package starts the daemon with this file: there is nothing to say against it, and every
/// TCP socket is on loopback.
#[test]
fn the_configuration_of_the_package_is_clean() {
    let path = folder().join("../../packaging/debian/hoplock.toml");
    let text = fs::read_to_string(path).unwrap();
    let (config, complaints) = Config::parse(&text, &[]);
    assert_eq!(complaints, Vec::new());
    let listen = config.unwrap().listen;
    let places: Vec<String> = listen.socketmap.iter().map(ToString::to_string).collect();
    assert_eq!(
        places,
        [
            "inet:127.0.0.1:8425",
            "unix:/run/hoplock/socketmap",
            "unix:/var/spool/postfix/hoplock/socketmap"
        ]
    );
    for endpoint in &listen.http {
        assert!(endpoint.to_string().starts_with("inet:127.0.0.1:"));
    }
}

/// 2026-11-24: the time at which expiry is judged.
const NOW: Timestamp = Timestamp(1_795_478_400_000);
