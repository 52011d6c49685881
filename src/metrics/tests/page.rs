//! What is exposed, beside docs/metrics.md, the rules of alerts, and the operator's page.

use std::collections::{BTreeMap, BTreeSet};

use hoplock_policy::reason::Reason;

use super::everything::everything;
use crate::metrics::AlarmKind;

const PAGE: &str = include_str!("../../../docs/metrics.md");
const OPERATIONS: &str = include_str!("../../../docs/operations.md");
const RULES: &str = include_str!("../../../packaging/prometheus/hoplock.rules.yml");

/// A figure: its type, and its labels with their values.
#[derive(Debug, Default, PartialEq, Eq)]
struct Figure {
    kind: String,
    labels: BTreeMap<String, BTreeSet<String>>,
}

/// What a text in OpenMetrics holds.
fn exposed(text: &str) -> BTreeMap<String, Figure> {
    let mut figures = BTreeMap::<String, Figure>::new();
    let mut current = String::new();
    for line in text.lines() {
        if let Some(rest) = line.strip_prefix("# TYPE ") {
            let (name, kind) = rest.split_once(' ').unwrap();
            name.clone_into(&mut current);
            kind.clone_into(&mut figures.entry(current.clone()).or_default().kind);
        } else if !line.starts_with('#') {
            let figure = figures.get_mut(&current).unwrap();
            let Some((_, rest)) = line.split_once('{') else {
                continue;
            };
            let labels = rest.split_once('}').unwrap().0;
            for pair in labels.split(',').filter(|pair| !pair.is_empty()) {
                let (label, value) = pair.split_once('=').unwrap();
                if label != "le" {
                    let values = figure.labels.entry(label.to_owned()).or_default();
                    values.insert(value.trim_matches('"').to_owned());
                }
            }
        }
    }
    figures
}

/// The cells of each row of the page's tables that begins with a word of this kind.
fn rows<'a>(page: &'a str, begins: &'a str) -> impl Iterator<Item = Vec<&'a str>> {
    let lines = page.lines();
    let rows = lines.filter_map(move |line| {
        let cells: Vec<&str> = line.strip_prefix("| ")?.split('|').map(str::trim).collect();
        cells[0].starts_with(begins).then_some(cells)
    });
    rows.filter(|cells| cells[0].starts_with('`'))
}

/// The words between backquotes.
fn quoted(text: &str) -> BTreeSet<String> {
    let parts = text.split('`').skip(1).step_by(2);
    parts.map(ToOwned::to_owned).collect()
}

/// What the page says: labels with all their values, but for those whose values are elsewhere.
fn described() -> BTreeMap<String, Figure> {
    let mut figures = BTreeMap::new();
    for cells in rows(PAGE, "`hoplock_") {
        let [name, kind, labels] = [cells[0], cells[1], cells[2]];
        let labels = labels.split(';').map(str::trim);
        let labels = labels.filter(|own| !own.is_empty()).map(|own| {
            let (label, values) = own.split_once(": ").unwrap();
            (label.trim_matches('`').to_owned(), quoted(values))
        });
        let figure = Figure {
            kind: kind.to_owned(),
            labels: labels.collect(),
        };
        let before = figures.insert(name.trim_matches('`').to_owned(), figure);
        assert!(before.is_none(), "{name} stands twice on the page");
    }
    figures
}

/// Every figure with its type, its labels and all their values is on the page; nothing else is.
#[test]
fn the_page_has_what_is_exposed() {
    let metrics = everything();
    let mut shown = exposed(&metrics.open_metrics());
    let registered: BTreeSet<&String> = metrics.register.names().iter().collect();
    let missing: Vec<_> = registered
        .iter()
        .filter(|name| !shown.contains_key(**name))
        .collect();
    assert!(missing.is_empty(), "never shown in this test: {missing:?}");
    for figure in shown.values_mut() {
        // Their values have lists of their own.
        for label in ["reason", "alarm", "version", "kind"] {
            if let Some(values) = figure.labels.get_mut(label) {
                values.clear();
            }
        }
    }
    let mut page = described();
    for name in shown.keys() {
        let described = page.remove(name);
        let described = described.unwrap_or_else(|| panic!("{name} is not on the page"));
        assert_eq!(described, shown[name], "{name}");
    }
    assert!(page.is_empty(), "on the page alone: {:?}", page.keys());
}

/// Every reason and every kind of alarm is on the page, and nothing that is none.
#[test]
fn the_page_has_every_reason_and_every_alarm() {
    let section = PAGE.split("\n## Reasons\n").nth(1).unwrap();
    let reasons: BTreeSet<String> = Reason::ALL
        .iter()
        .map(|own| own.word().to_owned())
        .collect();
    let mut on_page = quoted(section);
    on_page.remove("explain");
    assert_eq!(on_page, reasons);
    let kinds: BTreeSet<String> = AlarmKind::all().map(|own| own.word().to_owned()).collect();
    let section = |page: &'static str, title: &str| page.split(title).nth(1).unwrap();
    let table = section(PAGE, "\n## Alarms\n")
        .split("\n## ")
        .next()
        .unwrap();
    let listed = |table: &str| -> BTreeSet<String> {
        let cells = rows(table, "`").map(|cells| quoted(cells[0]));
        cells.flatten().collect()
    };
    assert_eq!(listed(table), kinds);
    let table = section(OPERATIONS, "| alarm | what it means |\n");
    let mut on_page = listed(table.split("\n\n").next().unwrap());
    // Their words are on the page of the watch.
    assert!(on_page.remove("watch-…"), "{on_page:?}");
    let own = kinds.into_iter().filter(|word| !word.starts_with("watch-"));
    assert_eq!(on_page, own.collect(), "the operator's page");
}

/// The alerts of the rules with their severities.
fn alerts() -> BTreeMap<String, String> {
    let mut alerts = BTreeMap::new();
    let mut current = String::new();
    for line in RULES.lines().map(str::trim) {
        if let Some(name) = line.strip_prefix("- alert: ") {
            name.clone_into(&mut current);
        } else if let Some(severity) = line.strip_prefix("severity: ") {
            let before = alerts.insert(current.clone(), severity.to_owned());
            assert!(before.is_none(), "{current} has two severities");
        }
    }
    assert_eq!(alerts.len(), RULES.matches("- alert: ").count());
    alerts
}

/// Every alert is on the page with its severity; every alert that a figure or an alarm names is one.
#[test]
fn the_page_has_every_alert() {
    let alerts = alerts();
    let on_page: BTreeMap<String, String> = rows(PAGE, "`Hoplock")
        .map(|cells| (cells[0].trim_matches('`').to_owned(), cells[1].to_owned()))
        .collect();
    assert_eq!(on_page, alerts);
    let own = PAGE.split("\n## Alerts\n").next().unwrap();
    let named = quoted(own).into_iter();
    let named: BTreeSet<String> = named.filter(|word| word.starts_with("Hoplock")).collect();
    let all: BTreeSet<String> = alerts.into_keys().collect();
    let unknown: Vec<_> = named.difference(&all).collect();
    assert!(unknown.is_empty(), "{unknown:?}");
    let unnamed: Vec<_> = all.difference(&named).collect();
    assert!(unnamed.is_empty(), "{unnamed:?}");
}
