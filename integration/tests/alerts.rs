//! What is shipped for Prometheus and Grafana: Prometheus's own tool reads it, each alert fires when it
//! should, and each says what to do. The lab asks a real Prometheus for every expression.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "tests"
)]

use std::collections::BTreeSet;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use hoplock::metrics::Metrics;
use serde_json::Value;

fn top() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn read(file: &str) -> String {
    fs::read_to_string(top().join(file)).unwrap()
}

/// What `promtool` says; it must be content, and must not complain either.
fn promtool(arguments: &[&str], input: &str) {
    let mut command = Command::new("promtool");
    command.args(arguments).current_dir(top());
    let (input_pipe, output) = (Stdio::piped(), Stdio::piped());
    command
        .stdin(input_pipe)
        .stdout(output)
        .stderr(Stdio::piped());
    let mut child = command.spawn().unwrap_or_else(|error| {
        panic!("promtool cannot be started ({error}): install the package prometheus")
    });
    let mut pipe = child.stdin.take().unwrap();
    // It may end before it has read all.
    let _ = pipe.write_all(input.as_bytes());
    drop(pipe);
    let output = child.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let complaints = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(
        output.status.success() && complaints.is_empty(),
        "{arguments:?}: {said}{complaints}"
    );
}

/// MX-17, CA-09, SV-10: each alert fires in its trouble, from its minute on and not before, and ends with it.
#[test]
fn alerts_fire_when_they_should() {
    let tests = "integration/prometheus/hoplock.rules.test.yml";
    promtool(&["test", "rules", tests], "");
    let (rules, tests) = (read("packaging/prometheus/hoplock.rules.yml"), read(tests));
    let names = after(&rules, "- alert: ");
    assert!(names.len() >= 25, "{names:?}");
    let quiet = "exp_samples: []";
    for name in names {
        let looked_at = format!("ALERTS{{alertname=\"{name}\", alertstate=\"firing\"}}");
        let lines: Vec<&str> = tests.lines().collect();
        let looks = (0..lines.len()).filter(|at| lines[*at].contains(&looked_at));
        let is_quiet: Vec<bool> = looks.map(|at| lines[at + 2].trim() == quiet).collect();
        // Before, in trouble, and after it.
        assert_eq!(is_quiet, [true, false, true], "{name}");
    }
}

/// The rest of each line that begins so.
fn after(text: &str, begins: &str) -> Vec<String> {
    let lines = text.lines().map(str::trim);
    lines
        .filter_map(|line| line.strip_prefix(begins))
        .map(ToOwned::to_owned)
        .collect()
}

/// Rules and scrape configuration are read by the real thing; each alert has a severity, says in a line what
/// is the matter, and then what to do, by a command.
#[test]
fn rules_say_what_to_do() {
    let lint = ["check", "rules", "--lint=all", "--lint-fatal"];
    let rules = "packaging/prometheus/hoplock.rules.yml";
    promtool(&[&lint[..], &[rules]].concat(), "");
    promtool(
        &["check", "config", "packaging/prometheus/prometheus.yml"],
        "",
    );
    let text = read(rules);
    for alert in text.split("- alert: ").skip(1) {
        let name = alert.lines().next().unwrap();
        let severities = after(alert, "severity: ");
        assert_eq!(severities.len(), 1, "{name}");
        assert!(
            ["critical", "warning"].contains(&&*severities[0]),
            "{name}: {severities:?}"
        );
        let (summary, description) = alert.split_once("description: >-").unwrap();
        assert!(summary.contains("summary: >-"), "{name}");
        assert!(
            summary.contains("{{ $labels.instance }}")
                && description.contains("{{ $labels.instance }}"),
            "{name} does not say where"
        );
        let commands = ["`hoplock ", "`journalctl ", "`systemctl "];
        assert!(
            commands.iter().any(|own| description.contains(own)),
            "{name} names no command: {description}"
        );
    }
}

/// Commands that the descriptions name exist: `hoplock help` knows each of them.
#[test]
fn commands_in_alerts_exist() {
    let text = read("packaging/prometheus/hoplock.rules.yml");
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let named: BTreeSet<&str> = text
        .split("`hoplock ")
        .skip(1)
        .map(|rest| rest.split([' ', '`']).next().unwrap())
        .collect();
    let known: BTreeSet<&str> = [
        "status", "doctor", "explain", "rule", "sessions", "check", "config", "report",
    ]
    .into();
    assert_eq!(named, known);
    for command in known {
        let page = read("src/cli/mod.rs").to_lowercase();
        assert!(page.contains(&format!("{command}(")), "hoplock {command}");
    }
}

/// `/metrics` in text 0.0.4 passes Prometheus's own reader and linter without a complaint.
#[test]
fn the_older_text_passes_the_linter() {
    let metrics = Metrics::new();
    metrics.asked_by_exim("level", "may");
    metrics.take_over_alarms(&[], 1_795_478_400);
    promtool(&["check", "metrics"], &metrics.prometheus());
}

/// The dashboard is chosen by data source and instance alone: each query goes to that source and to those
/// instances, each panel says what it shows, and no two stand in one place.
#[test]
fn the_dashboard_follows_its_variables() {
    let text = read("packaging/prometheus/hoplock-dashboard.json");
    let board: Value = serde_json::from_str(&text).unwrap();
    let variables = board["templating"]["list"].as_array().unwrap();
    let names: Vec<&str> = variables
        .iter()
        .map(|own| own["name"].as_str().unwrap())
        .collect();
    assert_eq!(names, ["datasource", "instance"]);
    let mut taken = BTreeSet::new();
    let mut ids = BTreeSet::new();
    let mut queries = 0;
    for panel in board["panels"].as_array().unwrap() {
        let title = panel["title"].as_str().unwrap();
        assert!(ids.insert(panel["id"].as_u64().unwrap()), "{title}");
        let at = |key: &str| panel["gridPos"][key].as_u64().unwrap();
        assert!(at("x") + at("w") <= 24, "{title} is too wide");
        for x in at("x")..at("x") + at("w") {
            for y in at("y")..at("y") + at("h") {
                assert!(taken.insert((x, y)), "{title} stands upon another");
            }
        }
        if panel["type"] == "row" {
            continue;
        }
        assert!(panel["description"].as_str().unwrap().len() > 10, "{title}");
        assert_eq!(panel["datasource"]["uid"], "${datasource}", "{title}");
        for target in panel["targets"].as_array().unwrap() {
            let query = target["expr"].as_str().unwrap();
            assert_eq!(target["datasource"]["uid"], "${datasource}", "{title}");
            let figures = query.matches("hoplock_").count() + query.matches("ALERTS").count();
            let chosen = query.matches("{instance=~\"$instance\"").count();
            assert_eq!(figures, chosen, "{title}: {query}");
            queries += 1;
        }
    }
    assert!(queries >= 60, "only {queries} queries");
}
