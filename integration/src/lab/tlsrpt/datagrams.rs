//! Datagrams as libtlsrpt sends them: of its form, from a socket without a name, never waiting.

use std::io::ErrorKind;
use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::thread::sleep;
use std::time::{Duration, Instant};

use super::published::{domain, record};

/// What was handed over to one collector.
pub(super) struct Sent {
    /// The collector's number.
    pub(super) node: usize,
    pub(super) at: Instant,
    pub(super) octets: String,
}

/// A sender, which counts what it could hand over.
pub(super) struct Sender {
    socket: UnixDatagram,
    pub(super) sent: Vec<Sent>,
    /// Attempts that found the receiver's queue full.
    pub(super) full: usize,
    /// Those that found nobody there.
    pub(super) away: usize,
}

impl Sender {
    pub(super) fn new() -> Self {
        let socket = UnixDatagram::unbound().unwrap();
        // For each single send that is MSG_DONTWAIT.
        socket.set_nonblocking(true).unwrap();
        Self {
            socket,
            sent: Vec::new(),
            full: 0,
            away: 0,
        }
    }

    /// Sends one; false where nobody is there. A full queue is tried again, as no mail server would, so that
    /// the number is round.
    pub(super) fn send(&mut self, node: usize, to: &Path, octets: String) -> bool {
        loop {
            match self.socket.send_to(octets.as_bytes(), to) {
                Ok(_) => {
                    let at = Instant::now();
                    self.sent.push(Sent { node, at, octets });
                    return true;
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    self.full += 1;
                    sleep(Duration::from_micros(500));
                }
                Err(_) => {
                    self.away += 1;
                    return false;
                }
            }
        }
    }
}

/// The datagram of this number about one of these domains: domains, policies and outcomes in turn, and each
/// in each combination.
pub(super) fn datagram(number: usize, domains: &[usize]) -> String {
    let of = domains[number % domains.len()];
    let turn = number / domains.len();
    let own = domain(of);
    let policies = match of % 5 {
        0 => policy(&dane(&own, turn % 2, turn), turn, &DANE_FAILURES),
        1 => policy(&sts(&own), turn, &STS_FAILURES),
        2 => policy(&none(&own), turn, &PLAIN_FAILURES),
        // A destination under both.
        3 => format!(
            "{},{}",
            policy(&dane(&own, 0, turn), turn, &DANE_FAILURES),
            policy(&sts(&own), turn + 1, &STS_FAILURES)
        ),
        // What a destination is under changes within the day.
        _ if turn.is_multiple_of(2) => policy(&sts(&own), turn, &STS_FAILURES),
        _ => policy(&none(&own), turn, &PLAIN_FAILURES),
    };
    let version = if number.is_multiple_of(2) {
        "\"dpv\": \"1\","
    } else {
        ""
    };
    format!(
        "{{{version}\"d\": \"{own}\",\"pr\": \"{}\",\"policies\":[{policies}]}}",
        record(of)
    )
}

fn dane(own: &str, host: usize, turn: usize) -> String {
    // The order of records in an answer changes from one to the next.
    let mut records = [
        format!("\"3 1 1 {}\"", "AB".repeat(32)),
        format!("\"2 1 1 {}\"", "0C".repeat(32)),
    ];
    if turn.is_multiple_of(3) {
        records.swap(0, 1);
    }
    format!(
        "\"policy-type\":1,\"policy-domain\": \"mx{host}.{own}\",\"policy-string\":[{}]",
        records.join(",")
    )
}

fn sts(own: &str) -> String {
    format!(
        "\"policy-type\":2,\"policy-domain\": \"{own}\",\"policy-string\":[\"version: STSv1\",\
         \"mode: enforce\",\"mx: *.{own}\",\"max_age: 86400\"],\"mx-host\":[\"*.{own}\"]"
    )
}

fn none(own: &str) -> String {
    format!("\"policy-type\":9,\"policy-domain\": \"{own}\"")
}

/// Of seven sessions one fails at one host, one at two, and one fails first and succeeds then.
fn policy(head: &str, turn: usize, failures: &[(u32, &str)]) -> String {
    let detail = |turn: usize| {
        let (code, reason) = failures[turn / 7 % failures.len()];
        let host = turn % 2;
        let reason = if reason.is_empty() {
            String::new()
        } else {
            format!(",\"f\": \"{reason}\"")
        };
        format!(
            "{{\"c\":{code},\"s\": \"192.0.2.1\",\"n\": \"mx{host}.rpt.test\",\"h\": \
             \"250-mx{host}.rpt.test\\r\\n250-PIPELINING\\r\\n250 STARTTLS\",\"r\": \"198.51.100.{host}\"{reason}}}"
        )
    };
    let (details, failed) = match turn % 7 {
        0 => (vec![detail(turn)], 1),
        1 => (vec![detail(turn), detail(turn + 7)], 1),
        2 => (vec![detail(turn)], 0),
        _ => (Vec::new(), 0),
    };
    let count = details.len();
    let details = if details.is_empty() {
        String::new()
    } else {
        format!(",\"failure-details\":[{}]", details.join(","))
    };
    format!("{{{head}{details},\"t\":{count},\"f\":{failed}}}")
}

const DANE_FAILURES: [(u32, &str); 4] = [(304, ""), (305, ""), (203, ""), (201, "")];
const STS_FAILURES: [(u32, &str); 5] = [
    (202, ""),
    (204, ""),
    (303, ""),
    (301, ""),
    (205, "tls-handshake-failure"),
];
const PLAIN_FAILURES: [(u32, &str); 3] = [(201, ""), (205, "self-signed_certificate"), (306, "")];
