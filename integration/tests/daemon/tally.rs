//! Sessions counted for TLS reports, by a daemon that is ended in several ways.

use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::Duration;

use serde_json::Value;

use super::name_server::{self, TXT, txt};
use super::process::Daemon;

const REPORT: &str = "[report]\nenabled = true\norganization = \"Sender Ltd\"\ncontact = \"help@o.test\"\n\
                      from = \"tlsrpt@o.test\"\ndkim = \"mta\"\n";

fn start(report: &str) -> (Daemon, PathBuf) {
    let path = tempfile::tempdir().unwrap().keep().join("tlsrpt.sock");
    let mut daemon = Daemon::start_with(report, |command| {
        let config = PathBuf::from(command.get_args().last().unwrap());
        let text = std::fs::read_to_string(&config).unwrap();
        let line = format!("tlsrpt = [\"unix:{}\"]\nhttp = []", path.display());
        let text = text.replacen("http = []", &line, 1);
        // The record is looked up when a report is shown.
        let record = "v=TLSRPTv1; rua=mailto:r@a.test";
        let server = name_server::start(vec![("_smtp._tls.a.test", TXT, txt(record))]);
        let (before, after) = text.split_once("servers = [").unwrap();
        let (_, after) = after.split_once(']').unwrap();
        let text = format!("{before}servers = [\"{server}\"]{after}");
        std::fs::write(&config, text).unwrap();
    });
    daemon.until(|_| path.exists());
    (daemon, path)
}

fn datagram(result: u8) -> String {
    let details = match result {
        0 => "",
        _ => r#""failure-details":[{"c":204,"n":"mx.a.test","r":"192.0.2.1"}],"#,
    };
    format!(
        r#"{{"d":"a.test","pr":"v=TLSRPTv1;rua=mailto:r@a.test","policies":[{{"policy-type":1,"policy-domain":"mx.a.test","policy-string":["3 1 1 {}"],{details}"t":0,"f":{result}}}]}}"#,
        "ab".repeat(32)
    )
}

/// Sends as libtlsrpt does, without waiting; how many went out.
fn send(path: &Path, result: u8, times: usize) -> u64 {
    let sender = UnixDatagram::unbound().unwrap();
    sender.set_nonblocking(true).unwrap();
    let datagram = datagram(result);
    let sent = (0..times).filter(|number| {
        if number % 50 == 0 {
            sleep(Duration::from_millis(2));
        }
        sender.send_to(datagram.as_bytes(), path).is_ok()
    });
    u64::try_from(sent.count()).unwrap()
}

/// Successes and failures of today's report, as it would leave.
fn counted(daemon: &Daemon) -> (u64, u64, u64) {
    let today = jiff::Timestamp::now().strftime("%Y-%m-%d").to_string();
    let shown = daemon.tool(&["report", "show", "a.test", "--day", &today, "--json"]);
    let shown: Value = serde_json::from_slice(&shown.stdout).unwrap_or_default();
    let sum = |pointer: &str| {
        let policies = shown
            .pointer("/document/policies")
            .and_then(Value::as_array);
        let values = policies.into_iter().flatten();
        let values = values.filter_map(|policy| policy.pointer(pointer)?.as_u64());
        values.sum::<u64>()
    };
    (
        sum("/summary/total-successful-session-count"),
        sum("/summary/total-failure-session-count"),
        sum("/failure-details/0/failed-session-count"),
    )
}

/// RP-09, RP-16: what was sent is counted, as it is; over a crash all but the last second of it, over an
/// orderly end all of it.
#[test]
fn counts_survive() {
    let (mut daemon, path) = start(REPORT);
    let (good, bad) = (send(&path, 0, 3_000), send(&path, 1, 500));
    assert!(good > 0 && bad > 0);
    daemon.until(|daemon| counted(daemon) == (good, bad, bad));
    sleep(Duration::from_millis(1_500));
    daemon.crash_and_restart();
    daemon.until(|daemon| path.exists() && daemon.control().exists());
    daemon.until(|daemon| counted(daemon) == (good, bad, bad));
    let more = send(&path, 0, 500);
    daemon.signal("-TERM");
    daemon.child.wait().unwrap();
    daemon.crash_and_restart();
    daemon.until(|daemon| counted(daemon) == (good + more, bad, bad));
}

/// RP-16: where the mail server reports by itself nothing is counted, and nothing leaves.
#[test]
fn the_other_collector() {
    let (mut daemon, path) = start(&format!("{REPORT}collector = \"mta\"\n"));
    assert!(send(&path, 0, 10) > 0);
    let judged = |daemon: &Daemon| {
        let status = daemon.tool(&["status", "--json"]);
        let status: Value = serde_json::from_slice(&status.stdout).unwrap_or_default();
        let sessions = status.pointer("/journal/sessions").and_then(Value::as_u64);
        assert_eq!(
            status.pointer("/reports/enabled"),
            Some(&Value::Bool(false))
        );
        sessions.unwrap_or_default()
    };
    // They are judged all the same.
    daemon.until(|daemon| judged(daemon) > 0);
    assert_eq!(counted(&daemon), (0, 0, 0));
    let listed = daemon.tool(&["report", "list", "--json"]);
    let listed: Value = serde_json::from_slice(&listed.stdout).unwrap();
    assert_eq!(listed.pointer("/sent"), Some(&Value::Array(Vec::new())));
    assert_eq!(listed.pointer("/counted"), Some(&Value::Array(Vec::new())));
}
