//! Sessions as both versions of Postfix report them, judged by hoplock: by the log of 3.7 at level 2, by
//! the datagrams of 3.10, and by the log of 3.10 afterwards.

use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::Value;

use super::deliveries::{Delivery, Fate};
use super::servers::until;
use super::stage::{Lab, Mapped};

/// Takes the datagrams of Postfix 3.10, keeps a copy of each, and hands it on to hoplock.
pub(super) struct Relay {
    seen: Arc<Mutex<Vec<String>>>,
}

impl Relay {
    pub(super) fn start(from: UnixDatagram, to: &Path) -> Self {
        let seen = Arc::<Mutex<Vec<String>>>::default();
        let (copies, to) = (Arc::clone(&seen), to.to_path_buf());
        std::thread::spawn(move || {
            let sender = UnixDatagram::unbound().unwrap();
            let mut datagram = vec![0; 65_536];
            while let Ok(length) = from.recv(&mut datagram) {
                let text = String::from_utf8_lossy(&datagram[..length]).into_owned();
                // Only what could be handed on counts.
                if sender.send_to(&datagram[..length], &to).is_ok() {
                    copies.lock().unwrap().push(text);
                }
            }
        });
        Self { seen }
    }

    /// What came so far.
    pub(super) fn seen(&self) -> Vec<String> {
        self.seen.lock().unwrap().clone()
    }
}

/// The journal of hoplock, newest first.
pub(super) fn journal(query: &str) -> Vec<Value> {
    let mut stream = TcpStream::connect("127.0.0.1:8426").unwrap();
    write!(
        stream,
        "GET /api/v1/sessions?limit=1000{query} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
    )
    .unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    let (head, body) = text.split_once("\r\n\r\n").unwrap();
    let body = if head.contains("chunked") {
        dechunked(body)
    } else {
        body.to_owned()
    };
    serde_json::from_str(&body).unwrap_or_else(|error| panic!("{error}: {text}"))
}

fn dechunked(mut body: &str) -> String {
    let mut whole = String::new();
    while let Some((length, rest)) = body.split_once("\r\n") {
        let length = usize::from_str_radix(length.trim(), 16).unwrap();
        if length == 0 {
            break;
        }
        whole.push_str(&rest[..length]);
        body = &rest[length + 2..];
    }
    whole
}

/// The verdicts on the sessions for one destination by one source.
fn verdicts<'a>(all: &'a [Value], source: &str, next_hop: &str) -> Vec<&'a str> {
    all.iter()
        .filter(|entry| entry["source"] == source && entry["next_hop"] == next_hop)
        .filter_map(|entry| entry["verdict"].as_str())
        .collect()
}

/// What a delivery's fate makes of the verdicts on its sessions.
fn fits(delivery: &Delivery, verdicts: &[&str]) -> bool {
    let has = |word: &str| verdicts.contains(&word);
    let authenticated = has("authenticated-dane") || has("authenticated-sts");
    match delivery.fate {
        Fate::Verified(_) => authenticated,
        Fate::Encrypted(_) => has("encrypted") && !authenticated,
        // Where a log has only begun, the absence of TLS lines proves nothing yet.
        Fate::Clear(_) => (has("cleartext") || has("indeterminate")) && !authenticated,
        Fate::Waits(_) => !authenticated && !has("encrypted") && !has("cleartext"),
        Fate::AnswerOnly => true,
    }
}

/// A log shows recipients; a transport to another next hop it does not show.
fn shows_its_next_hop(delivery: &Delivery) -> bool {
    delivery.next_hop == delivery.domain
}

/// Destinations whose mail waits after a session, not for want of an answer.
fn met_a_host(delivery: &Delivery) -> bool {
    matches!(delivery.fate, Fate::Waits(words) if words.contains("TLS") || words.contains("verified"))
        && !delivery.reply.starts_with("TEMP")
}

/// SV-02, SV-03, PD-13: Postfix 3.7's log at level 2, followed by the daemon: each delivery's verdict is
/// what Postfix itself made of it.
pub(super) fn by_log(lab: &mut Lab<'_>, deliveries: &[Delivery], mapped: &Mapped) {
    let sent: Vec<&Delivery> = deliveries
        .iter()
        .filter(|delivery| delivery.fate != Fate::AnswerOnly && shows_its_next_hop(delivery))
        .collect();
    let expected: Vec<&&Delivery> = sent
        .iter()
        .filter(|delivery| !matches!(delivery.fate, Fate::Waits(_)) || met_a_host(delivery))
        .collect();
    let mut all = Vec::new();
    for _ in 0..90 {
        all = journal("");
        let is_there =
            |delivery: &&&Delivery| !verdicts(&all, "postfix-log", delivery.domain).is_empty();
        if expected.iter().all(is_there) {
            break;
        }
        std::thread::sleep(Duration::from_millis(500));
    }
    let mut counts = BTreeMap::<String, usize>::new();
    for delivery in &expected {
        let found = verdicts(&all, "postfix-log", delivery.domain);
        for verdict in &found {
            *counts.entry((*verdict).to_owned()).or_default() += 1;
        }
        let fits = !found.is_empty() && fits(delivery, &found);
        lab.report.check(fits, || {
            let own = all.iter().filter(|own| own["next_hop"] == delivery.domain);
            let own: Vec<String> = own.map(Value::to_string).collect();
            format!(
                "{}: the log says {found:?}, delivered as {:?}: {own:#?}\n{:?}",
                delivery.domain,
                delivery.fate,
                mapped
                    .postfix
                    .outcome(&format!("{}@{}", mapped.user, delivery.domain))
            )
        });
    }
    println!("sessions by the log of 3.7: {counts:?}");
    // A wrong certificate is known by its fingerprints, not by Postfix's word.
    let wrong = all
        .iter()
        .find(|entry| entry["next_hop"] == "wrong-key.test" && entry["source"] == "postfix-log");
    lab.report.check(
        wrong.is_some_and(|entry| {
            entry["reason"] == "tlsa-no-match"
                && !entry["warnings"].to_string().contains("mta-word")
        }),
        || format!("wrong-key.test by the log: {wrong:?}"),
    );
    let matched = all
        .iter()
        .find(|entry| entry["next_hop"] == "dane.test" && entry["source"] == "postfix-log");
    lab.report.check(
        matched.is_some_and(|entry| entry["matched"]["tlsa"].is_string()),
        || format!("dane.test by the log: {matched:?}"),
    );
}

/// PD-13, RQ-06: clear text is known for what it is once the log reaches far enough back.
pub(super) fn in_the_clear(lab: &mut Lab<'_>, mapped: &Mapped) {
    let to = "again@none-clear.test";
    mapped.postfix.send(to);
    let mut found = Vec::new();
    for _ in 0..60 {
        found = journal("&next_hop=none-clear.test");
        if found.iter().any(|entry| entry["verdict"] == "cleartext") {
            break;
        }
        std::thread::sleep(Duration::from_millis(500));
    }
    lab.report.check(
        found.iter().any(|entry| entry["verdict"] == "cleartext"),
        || format!("none-clear.test by the log: {found:?}"),
    );
}

/// SV-02, SV-11, RP-16: the datagrams of Postfix 3.10: as many sessions as datagrams could be handed on,
/// and the verdicts are Postfix's.
pub(super) fn by_datagrams(lab: &mut Lab<'_>, deliveries: &[Delivery], relay: &Relay) {
    let told = |text: &String| -> usize {
        let datagram: Value = serde_json::from_str(text).unwrap();
        let policies = datagram["policies"].as_array().unwrap();
        let sessions = policies.iter().map(|policy| {
            let failures = policy["failure-details"].as_array().map_or(0, Vec::len);
            let success = usize::from(policy["f"] == 0);
            (failures + success).max(1)
        });
        sessions.sum()
    };
    let mut all = Vec::new();
    let (mut expected, mut counted) = (0, 0);
    for _ in 0..40 {
        expected = relay.seen().iter().map(told).sum();
        all = journal("");
        counted = all
            .iter()
            .filter(|entry| entry["source"] == "tlsrpt")
            .count();
        if counted == expected && expected > 0 {
            break;
        }
        std::thread::sleep(Duration::from_millis(500));
    }
    lab.report.check(counted == expected && expected > 0, || {
        format!("{counted} sessions by datagrams, {expected} were told of")
    });
    let (mut compared, mut settled) = (0, 0);
    for delivery in deliveries {
        let found = verdicts(&all, "tlsrpt", delivery.domain);
        if found.is_empty() {
            continue;
        }
        compared += 1;
        // Where hosts owe different things, a datagram that names none of them settles nothing.
        let is_open = all
            .iter()
            .filter(|own| own["source"] == "tlsrpt" && own["next_hop"] == delivery.domain)
            .all(|own| own["reason"] == "report-incomplete");
        let is_open = is_open && matches!(delivery.fate, Fate::Encrypted(_) | Fate::Verified(_));
        settled += usize::from(!is_open);
        lab.report.check(is_open || fits(delivery, &found), || {
            let own = all.iter().filter(|own| own["next_hop"] == delivery.domain);
            let own: Vec<String> = own.map(Value::to_string).collect();
            format!(
                "{}: the datagrams say {found:?}, delivered as {:?}: {own:#?}",
                delivery.domain, delivery.fate
            )
        });
    }
    println!(
        "sessions by datagrams of 3.10: {counted} of {compared} destinations, {settled} of them settled"
    );
    lab.report.check(settled >= 10, || {
        format!("datagrams for {compared} destinations, which settle only {settled}")
    });
}

/// Postfix 3.10 hands its datagrams to hoplock's own socket, without anybody in between.
pub(super) fn straight(lab: &mut Lab<'_>, mapped: &Mapped, socket: &Path) {
    let name = format!("smtp_tlsrpt_socket_name={}", socket.display());
    mapped.postfix.reconfigure(&name);
    let before = journal("")
        .into_iter()
        .filter(|own| own["source"] == "tlsrpt");
    let before = before.count();
    let logged = |log: &str| log.matches("TLSRPT: status=").count();
    let at_first = logged(&mapped.postfix.log());
    let domains = ["dane.test", "sts.test", "wrong-key.test", "ta-key.test"];
    let to = |domain: &str| format!("straight@{domain}");
    for domain in domains {
        mapped.postfix.send(&to(domain));
    }
    until("the last deliveries", Duration::from_secs(60), || {
        domains
            .iter()
            .all(|domain| mapped.postfix.attempts(&to(domain)) > 0)
    });
    let log = mapped.postfix.log();
    let sent = logged(&log) - at_first;
    let mut counted = 0;
    for _ in 0..20 {
        let now = journal("")
            .into_iter()
            .filter(|own| own["source"] == "tlsrpt");
        counted = now.count() - before;
        if counted == sent {
            break;
        }
        std::thread::sleep(Duration::from_millis(500));
    }
    lab.report
        .check(counted == sent && sent >= domains.len(), || {
            format!("Postfix logs {sent} reports, hoplock counts {counted}")
        });
    let lost = log.contains("Could not report TLS handshake");
    lab.report
        .check(!lost, || "libtlsrpt could not send".to_owned());
}

/// `hoplock verify --postfix-log` on the whole log of either version agrees with Postfix on every
/// delivery, and ends with 1, since some sessions were below their policy.
pub(super) fn afterwards(lab: &mut Lab<'_>, deliveries: &[Delivery], mapped: &Mapped) {
    let log = mapped.postfix.folder().join("log");
    let output = lab.hoplock.tool(&[
        "verify",
        "--json",
        "--postfix-log",
        &log.display().to_string(),
    ]);
    lab.report.check(output.status.code() == Some(1), || {
        format!("verify --postfix-log: {}", output.status)
    });
    let text = String::from_utf8(output.stdout).unwrap();
    let lines: Vec<Value> = text
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let mut compared = 0;
    for delivery in deliveries.iter().filter(|own| shows_its_next_hop(own)) {
        let own = lines.iter().filter(|line| {
            let id = line["id"].as_str().unwrap_or_default();
            id.split(' ').any(|word| word == delivery.domain)
        });
        let found: Vec<&str> = own.filter_map(|line| line["verdict"].as_str()).collect();
        if found.is_empty() {
            continue;
        }
        compared += 1;
        lab.report.check(fits(delivery, &found), || {
            format!(
                "{} in the log of {}: {found:?}, delivered as {:?}",
                delivery.domain, mapped.map, delivery.fate
            )
        });
    }
    println!(
        "verify --postfix-log, {}: {compared} destinations",
        mapped.map
    );
    lab.report.check(compared >= 40, || {
        format!("only {compared} destinations in the log of {}", mapped.map)
    });
}
