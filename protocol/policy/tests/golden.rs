//! The golden table: printed from the code, equal to the committed copy and to the manual.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "tests"
)]

use std::collections::BTreeMap;

use hoplock_policy::law::golden::{EXAMPLES, markdown};
use hoplock_policy::profile::Floor;

fn table() -> BTreeMap<&'static str, (&'static str, &'static str)> {
    include_str!("golden-postfix.txt")
        .lines()
        .skip(1)
        .map(|line| {
            let cells: Vec<&str> = line.split(" | ").collect();
            (cells[0], (cells[1], cells[2]))
        })
        .collect()
}

/// The law's answer for every row stands in the table, under the floors `may`, `dane`, `encrypt`.
#[test]
fn every_row_is_answered_as_the_table_says() {
    let table = table();
    assert_eq!(
        table.len(),
        EXAMPLES.len(),
        "rows in the copy and in the code"
    );
    let mut wrong = Vec::new();
    for example in EXAMPLES {
        let id = example.row.id();
        let (may, encrypt) = table[id];
        for (floor, expected) in [
            (Floor::May, may),
            (Floor::Dane, may),
            (Floor::Encrypt, encrypt),
        ] {
            let verdict = example.verdict(floor);
            let said = example.words(&verdict);
            if said != expected || verdict.row != example.row {
                wrong.push(format!(
                    "{id} floor {floor:?}: {said} (row {}), expected {expected}",
                    verdict.row.id()
                ));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// The manual shows what the code does. `UPDATE_DECISIONS=1` rewrites the page.
#[test]
fn the_manual_prints_the_table() {
    let page = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/decisions.md");
    if std::env::var_os("UPDATE_DECISIONS").is_some() {
        std::fs::write(page, markdown()).unwrap();
    }
    let printed = std::fs::read_to_string(page).unwrap();
    assert_eq!(
        printed,
        markdown(),
        "run this test with UPDATE_DECISIONS=1 and read the difference"
    );
}
