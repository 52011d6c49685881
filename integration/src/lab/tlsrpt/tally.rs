//! What is counted, as lines with a number each, so that datagrams, our reports and another program's can be
//! told to be equal.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde_json::Value;

/// Lines of one or more domains, and how often each was counted.
pub(super) type Tally = BTreeMap<String, u64>;

/// What a datagram says, counted as it says it: nothing of hoplock is in this.
pub(super) fn of_datagram(tally: &mut Tally, datagram: &str) {
    let datagram: Value = serde_json::from_str(datagram).unwrap();
    let of = datagram["d"].as_str().unwrap();
    for policy in datagram["policies"].as_array().unwrap() {
        let kind = match policy["policy-type"].as_u64().unwrap() {
            1 => "tlsa",
            2 => "sts",
            _ => "no-policy-found",
        };
        let head = head(of, kind, policy);
        let outcome = if policy["f"] == 0 { "ok" } else { "failed" };
        add(tally, format!("{head} {outcome}"), 1);
        for failure in policy["failure-details"].as_array().into_iter().flatten() {
            let word = word(failure["c"].as_u64().unwrap());
            let line = detail(&head, word, ["s", "n", "r", "f"].map(|key| &failure[key]));
            add(tally, line, 1);
        }
    }
}

/// What all of them say.
pub(super) fn of_datagrams<'a>(datagrams: impl IntoIterator<Item = &'a str>) -> Tally {
    let mut tally = Tally::new();
    for datagram in datagrams {
        of_datagram(&mut tally, datagram);
    }
    tally
}

/// What a report says (RFC 8460, 4.4) about this domain.
pub(super) fn of_report(tally: &mut Tally, of: &str, report: &Value) {
    for section in report["policies"].as_array().into_iter().flatten() {
        let policy = &section["policy"];
        let head = head(of, policy["policy-type"].as_str().unwrap_or("?"), policy);
        let count = |key: &str| section["summary"][key].as_u64().unwrap_or_default();
        add(
            tally,
            format!("{head} ok"),
            count("total-successful-session-count"),
        );
        add(
            tally,
            format!("{head} failed"),
            count("total-failure-session-count"),
        );
        for failure in section["failure-details"].as_array().into_iter().flatten() {
            let keys = [
                "sending-mta-ip",
                "receiving-mx-hostname",
                "receiving-ip",
                "failure-reason-code",
            ];
            let word = failure["result-type"].as_str().unwrap_or("?");
            let line = detail(&head, word, keys.map(|key| &failure[key]));
            add(
                tally,
                line,
                failure["failed-session-count"].as_u64().unwrap_or_default(),
            );
        }
    }
}

/// How many sessions under policies there are in it.
pub(super) fn sessions(tally: &Tally) -> u64 {
    let ends = |line: &str| line.ends_with(" ok") || line.ends_with(" failed");
    tally
        .iter()
        .filter(|(line, _)| ends(line))
        .map(|(_, count)| count)
        .sum()
}

/// The lines that differ, with both numbers, at most a few.
pub(super) fn difference(left: &Tally, right: &Tally) -> String {
    let mut text = String::new();
    let of = |tally: &Tally, line: &str| tally.get(line).copied().unwrap_or_default();
    let lines = left
        .keys()
        .chain(right.keys().filter(|line| !left.contains_key(*line)));
    let differing = lines.filter(|line| of(left, line) != of(right, line));
    for line in differing.take(12) {
        writeln!(
            text,
            "  {} against {}: {line}",
            of(left, line),
            of(right, line)
        )
        .unwrap();
    }
    text
}

/// Records in any order and spelling are one policy.
fn head(of: &str, kind: &str, policy: &Value) -> String {
    let texts = |key: &str| -> Vec<String> {
        let texts = policy[key].as_array().into_iter().flatten();
        let texts = texts.filter_map(Value::as_str).map(str::to_ascii_lowercase);
        texts.collect()
    };
    let mut strings = texts("policy-string");
    if kind == "tlsa" {
        strings.sort_unstable();
    }
    let domain = policy["policy-domain"].as_str().unwrap_or("?");
    let (domain, hosts) = (domain.to_ascii_lowercase(), texts("mx-host"));
    format!("{of} {kind} {domain} {strings:?} {hosts:?}")
}

fn detail(head: &str, word: &str, beside: [&Value; 4]) -> String {
    let beside = beside.map(|own| own.as_str().unwrap_or("-"));
    format!("{head} {word} {}", beside.join(" "))
}

/// The words of libtlsrpt's codes.
fn word(code: u64) -> &'static str {
    match code {
        201 => "starttls-not-supported",
        202 => "certificate-host-mismatch",
        203 => "certificate-not-trusted",
        204 => "certificate-expired",
        205 => "validation-failure",
        301 => "sts-policy-fetch-error",
        302 => "sts-policy-invalid",
        303 => "sts-webpki-invalid",
        304 => "tlsa-invalid",
        305 => "dnssec-invalid",
        306 => "dane-required",
        _ => "?",
    }
}

fn add(tally: &mut Tally, line: String, count: u64) {
    if count > 0 {
        *tally.entry(line).or_default() += count;
    }
}
