//! A real Prometheus scrapes hoplock under load and is asked every expression of the shipped rules and of the
//! dashboard; each must bring a series.
//!
//! * `server`: Prometheus, and its HTTP interface; `relay`: `/metrics` in the older of the two formats.
//! * `load`: something of every kind. `expressions`: what is asked, out of the shipped files.

mod expressions;
mod load;
mod relay;
mod server;

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use self::expressions::Asked;
use self::relay::Relay;
use self::server::Prometheus;
use super::servers::{must, until};
use super::stage::Lab;

/// All of it.
pub(super) fn all(lab: &mut Lab<'_>) {
    let folder = lab.folder.join("prometheus");
    fs::create_dir(&folder).unwrap();
    let plain = lab
        .hoplock
        .reconfigure(|plain| load::configuration(plain, &folder));
    let relay = Relay::start(HTTP, OLDER);
    let config = configuration(&folder);
    must(
        Command::new("promtool")
            .args(["check", "config"])
            .arg(&config),
    );
    let over = AtomicBool::new(false);
    let log = std::thread::scope(|scope| {
        let load = scope.spawn(|| load::until_over(&folder, &over));
        let prometheus = Prometheus::start(&folder, &config);
        is_scraped(lab, &prometheus, &relay);
        rules_are_evaluated(lab, &prometheus);
        every_expression(lab, &prometheus);
        the_linter_is_content(lab);
        over.store(true, Ordering::Relaxed);
        load.join().unwrap();
        prometheus.log()
    });
    lab.report
        .check(log.is_empty(), || format!("Prometheus complains: {log}"));
    lab.hoplock.reconfigure(|_| plain.clone());
}

/// The shipped configuration, looking more often, and at both formats; the shipped rules beside it.
fn configuration(folder: &Path) -> PathBuf {
    let rules = fs::read_to_string(shipped("hoplock.rules.yml")).unwrap();
    fs::write(folder.join("hoplock.rules.yml"), rules).unwrap();
    let text = fs::read_to_string(shipped("prometheus.yml")).unwrap();
    let changed = text.replace("_interval: 15s", "_interval: 1s").replace(
        &format!("- targets: [\"{HTTP}\"]"),
        &format!("- targets: [\"{HTTP}\", \"{OLDER}\"]"),
    );
    assert!(changed.contains(OLDER) && changed.matches("_interval: 1s").count() == 2);
    let config = folder.join("prometheus.yml");
    fs::write(&config, changed).unwrap();
    config
}

pub(super) fn shipped(file: &str) -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.join("../packaging/prometheus").join(file)
}

/// Both formats were read, and say the same: every figure that one has the other has.
fn is_scraped(lab: &mut Lab<'_>, prometheus: &Prometheus, relay: &Relay) {
    until("two scrapes of both formats", PATIENCE, || {
        let scraped = "count_over_time(up{job=\"hoplock\"}[1m]) >= 5 and up == 1";
        prometheus.ask(scraped).is_ok_and(|found| found == 2)
    });
    // The real one is asked for OpenMetrics by this Prometheus, and the relay never is.
    let accepted = relay.accepted();
    lab.report
        .check(accepted.contains("application/openmetrics-text"), || {
            format!("Prometheus asks for {accepted:?}")
        });
    let direct = get(HTTP, "/metrics", &accepted);
    lab.report.check(direct.contains("# EOF"), || {
        format!("no OpenMetrics for {accepted:?}")
    });
    let named = |instance: &str| {
        let query =
            format!("group by (__name__) ({{__name__=~\"hoplock_.*\", instance=\"{instance}\"}})");
        prometheus.values(&query, "__name__")
    };
    let (open, older) = (named(HTTP), named(OLDER));
    lab.report.check(open.len() >= 50 && open == older, || {
        format!("OpenMetrics {open:?}, text 0.0.4 {older:?}")
    });
    println!("{} names scraped in both formats", open.len());
}

/// Prometheus itself has read all rules, and none fails.
fn rules_are_evaluated(lab: &mut Lab<'_>, prometheus: &Prometheus) {
    until("the first evaluation of all rules", PATIENCE, || {
        prometheus
            .rules()
            .iter()
            .all(|rule| rule.health != "unknown")
    });
    for rule in prometheus.rules() {
        lab.report.check(rule.health == "ok", || {
            format!("{}: {} {}", rule.name, rule.health, rule.error)
        });
    }
}

/// Each expression brings at least one series.
fn every_expression(lab: &mut Lab<'_>, prometheus: &Prometheus) {
    let mut all = expressions::of_rules(&prometheus.rules());
    all.extend(expressions::of_dashboard(&shipped(
        "hoplock-dashboard.json",
    )));
    lab.report.check(all.len() >= 100, || {
        format!("only {} expressions", all.len())
    });
    // Rates need time; what is there at last counts.
    let started = Instant::now();
    let mut missing: Vec<&Asked> = all.iter().collect();
    while !missing.is_empty() && started.elapsed() < PATIENCE {
        missing.retain(|asked| !brings(prometheus, asked));
        std::thread::sleep(Duration::from_millis(500));
    }
    for asked in &all {
        let is_missing = missing.iter().any(|own| std::ptr::eq(*own, asked));
        lab.report.check(!is_missing, || {
            let found = prometheus.ask(&asked.query);
            format!("{}: {}: {found:?}", asked.from, asked.query)
        });
    }
    println!("{} expressions asked", all.len());
}

fn brings(prometheus: &Prometheus, asked: &Asked) -> bool {
    prometheus.ask(&asked.query).is_ok_and(|found| found >= 1)
}

/// Prometheus's own linter has nothing to say of what a daemon with all these figures shows.
fn the_linter_is_content(lab: &mut Lab<'_>) {
    let text = get(HTTP, "/metrics", "text/plain;version=0.0.4");
    let (_, body) = text.split_once("\r\n\r\n").unwrap();
    let mut tool = Command::new("promtool");
    tool.args(["check", "metrics"]);
    let pipes = tool.stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = pipes.stderr(Stdio::piped()).spawn().unwrap();
    let mut pipe = child.stdin.take().unwrap();
    pipe.write_all(body.as_bytes()).unwrap();
    drop(pipe);
    let output = child.wait_with_output().unwrap();
    let said = [output.stdout, output.stderr].concat();
    let is_content = output.status.success() && said.is_empty();
    lab.report.check(is_content, || {
        format!("promtool check metrics: {}", String::from_utf8_lossy(&said))
    });
}

/// A whole HTTP response, over a connection of its own that ends behind it.
fn get(server: &str, target: &str, accept: &str) -> String {
    relay::get(server, target, accept).unwrap_or_else(|error| panic!("{server}{target}: {error}"))
}

/// What the shipped configuration scrapes.
const HTTP: &str = "127.0.0.1:8426";
/// The same in text 0.0.4.
const OLDER: &str = "127.0.0.1:8436";
const PATIENCE: Duration = Duration::from_secs(40);
