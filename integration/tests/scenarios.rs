//! Plays every scenario of `integration/scenarios`, and says how many ran beside how many there are.
#![allow(clippy::print_stdout, clippy::panic, reason = "tests")]

use std::path::Path;

use hoplock_integration::scenario::{load, run};

#[test]
fn every_scenario_holds() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios");
    let (scenarios, files, malformed) = load(&folder);
    let mut faults: Vec<String> = malformed.into_iter().map(|fault| fault.0).collect();
    let mut ran = 0;
    for scenario in &scenarios {
        let found = run(scenario);
        if !found.is_empty() {
            faults.push(format!(
                "# {} ({})",
                scenario.sentence,
                scenario.ids.join(" ")
            ));
            faults.extend(found);
        }
        ran += 1;
    }
    println!("{ran} scenarios ran of {files} files");
    assert!(files > 0, "there are no scenarios");
    assert_eq!(ran, files, "not every file loads:\n{}", faults.join("\n"));
    assert!(
        faults.is_empty(),
        "{} faults:\n{}",
        faults.len(),
        faults.join("\n")
    );
}
