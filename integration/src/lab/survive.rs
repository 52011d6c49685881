//! DNSSEC trouble survived by order, with the real Unbound: the very lines that hoplock prints (OP-02).

use std::process::Command;
use std::time::Duration;

use serde_json::Value;

use super::hoplock::Hoplock;
use super::servers::{must, until};
use super::stage::Lab;

/// OP-02: a zone with the wrong key, and one name with spoiled signatures. TEMP turns into what an unsigned
/// destination is owed as soon as the lines are run, and comes back when the order is over and they are
/// taken back.
pub(super) fn orders(lab: &mut Lab<'_>) {
    for (domain, zone) in [
        ("bogus.test", "bogus.test."),
        ("bogus-tlsa.test", "_25._tcp.mx.bogus-tlsa.test."),
    ] {
        order(lab, domain, zone);
    }
}

fn order(lab: &mut Lab<'_>, domain: &str, zone: &str) {
    let ask = || Hoplock::ask("postfix", domain).unwrap_or_default();
    let before = ask();
    lab.report.check(before.starts_with("TEMP "), || {
        format!("{domain} before: {before:?}")
    });
    let order = [
        "rule",
        "add",
        domain,
        "--survive-dnssec-trouble",
        "--until",
        "20s",
        "--by",
        "lab",
    ];
    let output = lab.hoplock.tool(&order);
    let words = String::from_utf8_lossy(&output.stdout).into_owned();
    let lines = commands(&words);
    let wanted = |verb: &str| format!("unbound-control {verb} {zone}");
    let are_all = [
        "insecure_add",
        "flush_zone",
        "insecure_remove",
        "flush_zone",
    ]
    .map(wanted)
    .iter()
    .eq(&lines);
    lab.report.check(are_all, || {
        format!(
            "{domain}: {words}{}",
            String::from_utf8_lossy(&output.stderr)
        )
    });
    let unchanged = ask();
    lab.report.check(unchanged.starts_with("TEMP "), || {
        format!("{domain}, ordered and not set aside: {unchanged:?}")
    });
    let (add, remove) = lines.split_at(lines.len() / 2);
    run(lab, add);
    until("the survival", PATIENCE, || {
        standing(lab, domain).as_deref() == Some("works, unvalidated")
    });
    let survived = ask();
    lab.report.check(survived == "NOTFOUND ", || {
        format!("{domain}, set aside: {survived:?}")
    });
    until("the end of the order", PATIENCE, || {
        standing(lab, domain).as_deref() == Some("over, and still set aside")
    });
    let status = lab.hoplock.tool(&["status"]);
    let page = String::from_utf8_lossy(&status.stdout).into_owned();
    lab.report.check(page.contains("dnssec-set-aside"), || {
        format!("{domain}: no alarm: {page}")
    });
    run(lab, remove);
    until("the end of the trouble's survival", PATIENCE, || {
        standing(lab, domain).is_none()
    });
    let after = ask();
    lab.report.check(after.starts_with("TEMP "), || {
        format!("{domain}, validated again: {after:?}")
    });
}

/// The lines that stand alone.
fn commands(words: &str) -> Vec<String> {
    let lines = words.lines().map(str::trim);
    lines
        .filter(|line| line.starts_with("unbound-control "))
        .map(ToOwned::to_owned)
        .collect()
}

/// As they are printed, but for where this Unbound is configured.
fn run(lab: &Lab<'_>, lines: &[String]) {
    for line in lines {
        let mut words = line.split(' ');
        let mut command = Command::new(words.next().unwrap());
        command.arg("-c").arg(lab.folder.join("unbound.conf"));
        must(command.args(words));
    }
}

fn standing(lab: &Lab<'_>, domain: &str) -> Option<String> {
    let output = lab.hoplock.tool(&["status", "--json"]);
    let status: Value = serde_json::from_slice(&output.stdout).ok()?;
    let orders = status["negative_trust_anchors"].as_array()?;
    let own = orders.iter().find(|order| order["domain"] == domain)?;
    own["standing"].as_str().map(ToOwned::to_owned)
}

const PATIENCE: Duration = Duration::from_secs(60);
