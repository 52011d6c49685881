//! The same datagrams, collected, merged and rendered by tlsrpt-reporter 0.6.0.

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use super::tally::{self, Tally};
use crate::lab::servers::must;

/// What it reports of these datagrams, each list those of one collector.
pub(super) fn counted(lab: &Path, name: &str, collectors: &[Vec<&str>]) -> Tally {
    let package = std::env::var_os("LAB_TLSRPT_REPORTER")
        .expect("LAB_TLSRPT_REPORTER names the folder where pip put tlsrpt-reporter");
    let folder = lab.join(format!("oracle-{name}"));
    fs::create_dir_all(&folder).unwrap();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("oracle/other_collector.py");
    let mut python = Command::new("/usr/bin/python3");
    python.arg(script).arg(package).arg(&folder);
    for (number, datagrams) in collectors.iter().enumerate() {
        let file = folder.join(format!("datagrams{number}"));
        fs::write(&file, datagrams.join("\n") + "\n").unwrap();
        python.arg(file);
    }
    let told = must(&mut python);
    let reports: Vec<(String, Value)> = serde_json::from_str(told.trim()).unwrap();
    let mut tally = Tally::new();
    for (domain, report) in &reports {
        tally::of_report(&mut tally, domain, report);
    }
    tally
}
