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

use hoplock_policy::findings::{Findings, Validation};
use hoplock_policy::law::golden::{EXAMPLES, built_in, markdown, postfix};
use hoplock_policy::law::{Conditions, LawOptions, decide};
use hoplock_policy::moment::Moment;
use hoplock_policy::profile::{Floor, OwnDane, OwnDaneSeen};
use hoplock_policy::render::render;
use hoplock_policy::rules::Rules;

fn table() -> BTreeMap<&'static str, Vec<&'static str>> {
    include_str!("golden.txt")
        .lines()
        .skip(1)
        .map(|line| {
            let cells: Vec<&str> = line.split(" | ").collect();
            (cells[0], cells)
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
        let (may, encrypt) = (table[id][1], table[id][2]);
        for (floor, expected) in [
            (Floor::May, may),
            (Floor::Dane, may),
            (Floor::Encrypt, encrypt),
        ] {
            let verdict = example.verdict(&postfix(floor));
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

/// PD-04, MX-13, DT-16, DT-18, DT-22: column F, a Postfix without DANE of its own, be it said or found out.
#[test]
fn every_row_is_answered_by_pins() {
    let table = table();
    let mut wrong = Vec::new();
    let found_out = |floor| {
        let mut profile = postfix(floor);
        profile.own_dane = OwnDane::No;
        profile
    };
    for example in EXAMPLES {
        let id = example.row.id();
        for floor in [Floor::May, Floor::Dane] {
            for profile in [built_in("pins", floor), found_out(floor)] {
                let verdict = example.verdict(&profile);
                let (said, expected) = (example.words(&verdict), table[id][3]);
                if said != expected {
                    wrong.push(format!("{id} floor {floor:?}: {said}, expected {expected}"));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// PD-04, MX-13, DT-22: column S, a Sendmail with DANE of its own and no session check.
#[test]
fn every_row_is_answered_for_sendmail() {
    let table = table();
    let mut wrong = Vec::new();
    for example in EXAMPLES {
        let id = example.row.id();
        for floor in [Floor::May, Floor::Dane] {
            let verdict = example.verdict(&built_in("sendmail", floor));
            let (said, expected) = (example.words(&verdict), table[id][4]);
            if said != expected {
                wrong.push(format!("{id} floor {floor:?}: {said}, expected {expected}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// PD-04, EX-05: column E, where each host has exactly its duty, whatever Exim does by itself.
#[test]
fn every_row_is_answered_for_exim() {
    let table = table();
    let mut wrong = Vec::new();
    for example in EXAMPLES {
        let id = example.row.id();
        for own_dane in [OwnDane::Yes, OwnDane::No, OwnDane::Auto] {
            let mut profile = built_in("exim", Floor::May);
            profile.own_dane = own_dane;
            let verdict = example.verdict(&profile);
            let (said, expected) = (example.words_for_exim(&verdict), table[id][5]);
            if said != expected {
                wrong.push(format!("{id} {own_dane:?}: {said}, expected {expected}"));
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

/// PD-14, PD-17: permuted evidence renders to the same bytes, in both dialects, and no `secure`
/// leaves without names.
#[test]
fn permuted_evidence_gives_the_same_bytes() {
    let conditions = Conditions {
        validation: Validation::Validating,
        remembered_dane: false,
        own_dane: OwnDaneSeen::Works,
        now: Moment::default(),
    };
    let options = LawOptions::default();
    for example in EXAMPLES {
        let (yes, no) = (OwnDane::Yes, OwnDane::No);
        for (floor, minor, own_dane) in [
            (Floor::May, 7, yes),
            (Floor::Encrypt, 7, yes),
            (Floor::May, 10, yes),
            (Floor::May, 7, no),
            (Floor::Encrypt, 10, no),
        ] {
            let mut profile = postfix(floor);
            profile.version.minor = minor;
            profile.own_dane = own_dane;
            let said = |findings: &Findings| {
                let rules = Rules::default();
                let verdict = decide(findings, &rules, &profile, &options, conditions);
                render(&verdict, &profile).to_string()
            };
            let findings = example.findings();
            let first = said(&findings);
            assert!(
                !first.starts_with("OK secure") || first.contains(" match="),
                "{first}"
            );
            let mut turned = findings.clone();
            for _ in 0..findings.hosts.len() {
                turned.hosts.rotate_left(1);
                assert_eq!(said(&turned), first, "{}", example.row.id());
            }
            turned.hosts.reverse();
            turned.hosts.extend(findings.hosts.clone());
            assert_eq!(
                said(&turned),
                first,
                "{}: every host twice",
                example.row.id()
            );
        }
    }
}
