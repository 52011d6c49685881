//! `hoplock check --watch` and the watching daemon: own domains, good and bad, and one that is mended while
//! the daemon watches.

use std::collections::BTreeSet;
use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::process::Command;
use std::time::Duration;

use serde_json::Value;

use super::both;
use crate::lab::certificates::Flaw;
use crate::lab::mail_host::Manner;
use crate::lab::policy_host::Behaviour;
use crate::lab::servers::{must, until};
use crate::lab::stage::Lab;
use crate::lab::zones::Plan;

/// Domains that are watched, by what is wrong with them: the findings that count, the status of
/// `check --watch`.
const DOMAINS: [(&str, &[&str], i32); 6] = [
    ("watch-well.test", &[], 0),
    (
        "watch-wrong.test",
        &["alarm tlsa-no-match mx1.watch-wrong.test"],
        1,
    ),
    (
        "watch-soon.test",
        &[
            "warning tlsa-rollover mx1.watch-soon.test",
            "warning certificate-expires mx1.watch-soon.test",
        ],
        0,
    ),
    (
        "watch-unlisted.test",
        &["alarm sts-host-not-listed mx2.watch-unlisted.test"],
        1,
    ),
    ("watch-report.test", &["warning tlsrpt-invalid"], 0),
    // Mended later.
    (MENDED, &["alarm tlsa-no-match mx1.watch.roll.test"], 1),
];
const MENDED: &str = "watch.roll.test";

/// Each with two hosts that have DANE, an enforced policy and a TLSRPT record, and one fault.
pub(super) fn plan(plan: &mut Plan) {
    for (domain, ..) in DOMAINS {
        let hosts = [format!("mx1.{domain}"), format!("mx2.{domain}")];
        for (preference, host) in [10, 20].into_iter().zip(&hosts) {
            let is_first = preference == 10;
            let flaw = match domain {
                "watch-soon.test" if is_first => Flaw::EndsSoon,
                _ => Flaw::None,
            };
            plan.mx(domain, preference, host);
            let own = plan.host(host, Manner::Good, flaw);
            let other = plan.authority.issue(host, Flaw::None);
            let is_wrong = ["watch-wrong.test", MENDED].contains(&domain) && is_first;
            let named = if is_wrong { &other } else { &own };
            plan.record(&format!(
                "_25._tcp.{host}. 3 IN TLSA {}",
                named.end_entity(1, 1)
            ));
        }
        let second = match domain {
            "watch-unlisted.test" => String::new(),
            _ => format!("mx: {}\n", hosts[1]),
        };
        let policy = format!(
            "version: STSv1\nmode: enforce\nmx: {}\n{second}max_age: 1209600\n",
            hosts[0]
        );
        plan.sts(domain, Behaviour::Policy(policy), Flaw::None);
        match domain {
            "watch-report.test" => plan.record(&format!(
                "_smtp._tls.{domain}. 300 IN TXT \"v=TLSRPTv1; rua=tls-reports@{domain}\""
            )),
            _ => plan.asks_for_reports(domain),
        }
    }
}

/// All of it.
pub(super) fn all(lab: &mut Lab<'_>) {
    for (domain, expected, status) in DOMAINS {
        by_command(lab, domain, expected, status);
    }
    mended(lab);
    println!("watch: {} domains", DOMAINS.len());
}

fn by_command(lab: &mut Lab<'_>, domain: &str, expected: &[&str], status: i32) {
    let output = lab.hoplock.tool(&["check", "--watch", domain, "--json"]);
    let value: Value = serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|error| panic!("{domain}: {error}: {}", both(&output)));
    let found = findings(&value["domains"][0]);
    let right = found == set(expected) && output.status.code() == Some(status);
    lab.report.check(right, || {
        format!(
            "check --watch {domain}: {found:?} {}, expected {expected:?} {status}\n{value:#}",
            output.status
        )
    });
    let text = lab.hoplock.tool(&["check", "--watch", domain]);
    let text = String::from_utf8_lossy(&text.stdout).into_owned();
    let kinds = expected.iter().filter_map(|own| own.split(' ').nth(1));
    let missing: Vec<&str> = kinds.filter(|kind| !text.contains(kind)).collect();
    lab.report.check(missing.is_empty(), || {
        format!("check --watch {domain} lacks {missing:?}:\n{text}")
    });
}

fn set(words: &[&str]) -> BTreeSet<String> {
    words.iter().map(|&own| own.to_owned()).collect()
}

/// Notes of addresses where nobody is are no finding here.
fn findings(domain: &Value) -> BTreeSet<String> {
    let all = domain["findings"].as_array().cloned().unwrap_or_default();
    let words = all.iter().map(|own| {
        let part = |key: &str| own[key].as_str().map(|text| format!(" {text}"));
        let (kind, host) = (part("kind"), part("host"));
        format!(
            "{}{}{}",
            own["severity"].as_str().unwrap_or_default(),
            kind.unwrap_or_default(),
            host.unwrap_or_default()
        )
    });
    words.collect()
}

/// The daemon watches all of them: what it says in status, metrics, API and log; a record is mended, and the
/// alarm goes by itself.
fn mended(lab: &mut Lab<'_>) {
    let before = fs::read_to_string(lab.hoplock.config()).unwrap();
    let domains: Vec<&str> = DOMAINS.iter().map(|(domain, ..)| *domain).collect();
    let section = format!("[watch]\nevery = \"10s\"\ndomains = {domains:?}\n");
    lab.hoplock.reload(&format!("{before}{section}"));
    until("the first look at all domains", PATIENCE, || {
        let watched = get("/api/v1/watch");
        let watched: Value = serde_json::from_str(&watched).unwrap();
        let all = watched["domains"].as_array().cloned().unwrap_or_default();
        all.len() == domains.len() && all.iter().all(|own| own["looked"].is_string())
    });
    let watched: Value = serde_json::from_str(&get("/api/v1/watch")).unwrap();
    for (number, (domain, expected, _)) in DOMAINS.iter().enumerate() {
        let found = findings(&watched["domains"][number]);
        lab.report.check(found == set(expected), || {
            format!("watched {domain}: {found:?}, expected {expected:?}")
        });
    }
    let alarms = alarms(lab);
    let expected = [
        "watch-sts-host-not-listed watch-unlisted.test",
        "watch-tlsa-no-match watch-wrong.test",
        "watch-tlsa-no-match watch.roll.test",
    ];
    lab.report.check(alarms == set(&expected), || {
        format!("alarms of the watch: {alarms:?}")
    });
    let metrics = get("/metrics");
    for line in [
        "hoplock_watch_findings{severity=\"alarm\",kind=\"tlsa-no-match\"} 2",
        "hoplock_watch_findings{severity=\"warning\",kind=\"tlsrpt-invalid\"} 1",
        "hoplock_watch_findings{severity=\"alarm\",kind=\"tlsa-chain-invalid\"} 0",
    ] {
        lab.report
            .check(metrics.contains(line), || format!("{line}\n{metrics}"));
    }
    let left = metrics.lines().find_map(|line| {
        let left = line.strip_prefix("hoplock_watch_certificate_ends_in_seconds{} ")?;
        left.parse::<i64>().ok()
    });
    let in_days = left.map(|seconds| seconds / 86_400);
    lab.report.check(in_days == Some(9), || {
        format!("the first certificate ends in {left:?} s")
    });
    let page = get("/");
    for part in [
        "data-watched=\"watch-well.test\"",
        "no TLSA record of mx1.watch-wrong.test",
    ] {
        lab.report.check(page.contains(part), || {
            format!("the page lacks {part}:\n{page}")
        });
    }
    mend(lab);
    until("the mended record", PATIENCE, || {
        lab.hoplock
            .log()
            .contains("no longer so: no TLSA record of mx1.watch.roll.test")
    });
    let left = self::alarms(lab);
    lab.report.check(left == set(&expected[..2]), || {
        format!("alarms after the mending: {left:?}")
    });
    lab.hoplock.reload(&before);
    let none = self::alarms(lab);
    lab.report.check(none.is_empty(), || {
        format!("alarms of domains that nobody watches: {none:?}")
    });
}

/// Publishes the record that the alarm's cure prints.
fn mend(lab: &mut Lab<'_>) {
    let watched: Value = serde_json::from_str(&get("/api/v1/watch")).unwrap();
    let all = watched["domains"].as_array().cloned().unwrap_or_default();
    let own = all.iter().find(|own| own["domain"] == MENDED).unwrap();
    let cure = own["findings"][0]["cure"].as_str().unwrap();
    let owner = format!("_25._tcp.mx1.{MENDED}.");
    let (_, record) = cure.split_once(&format!("{owner} IN TLSA ")).unwrap();
    let record: Vec<&str> = record.split_whitespace().take(4).collect();
    let record = record.join(" ");
    lab.plan.change(lab.folder, "roll.test", |text| {
        let line = |line: &str| match line.starts_with(&owner) {
            true => format!("{owner} 3 IN TLSA {record}\n"),
            false => format!("{line}\n"),
        };
        text.lines().map(line).collect()
    });
    lab.nsd.reload();
    until("the authoritative server's reload", PATIENCE, || {
        let text = must(Command::new("drill").args(["@127.0.0.2", &owner, "TLSA"]));
        let digest = record.rsplit(' ').next().unwrap();
        text.replace(' ', "").to_lowercase().contains(digest)
    });
}

/// The watch's alarms of `hoplock status`, with their domains.
fn alarms(lab: &Lab<'_>) -> BTreeSet<String> {
    let status = lab.hoplock.tool(&["status", "--json"]);
    let status: Value = serde_json::from_slice(&status.stdout).unwrap();
    let all = status["alarms"].as_array().cloned().unwrap_or_default();
    all.iter()
        .filter_map(|own| {
            let word = own["alarm"].as_str()?.to_owned();
            let domain = own["what"].as_str()?.split(',').next()?.to_owned();
            word.starts_with("watch-")
                .then(|| format!("{word} {domain}"))
        })
        .collect()
}

fn get(path: &str) -> String {
    let mut stream = TcpStream::connect("127.0.0.1:8426").unwrap();
    write!(stream, "GET {path} HTTP/1.0\r\n\r\n").unwrap();
    let mut response = String::new();
    stream.read_to_string(&mut response).unwrap();
    let (_, body) = response.split_once("\r\n\r\n").unwrap();
    body.to_owned()
}

const PATIENCE: Duration = Duration::from_secs(90);
