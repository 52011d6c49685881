//! Reports of sessions over their sockets: judged, answered, counted; and what is hostile harms only
//! itself (SV-11).

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::os::unix::net::{UnixDatagram, UnixStream};
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::{Value, json};

use super::process::{Daemon, ask};

/// Destinations with rules, since nothing can be looked up here.
const RULES: &str =
    "\n[rules.\"tls.test\"]\nanswer = \"encrypt\"\n[rules.\"any.test\"]\nanswer = \"may\"\n";

fn start(key: &str) -> (Daemon, PathBuf) {
    let folder = tempfile::tempdir().unwrap().keep();
    let path = folder.join("reports.sock");
    let text = RULES.to_owned();
    let mut daemon = Daemon::start_with(&text, |command| {
        let config = PathBuf::from(command.get_args().last().unwrap());
        let text = std::fs::read_to_string(&config).unwrap();
        let line = format!("{key} = [\"unix:{}\"]\nhttp = []", path.display());
        std::fs::write(&config, text.replacen("http = []", &line, 1)).unwrap();
    });
    daemon.until(|_| path.exists());
    (daemon, path)
}

fn session(next_hop: &str, starttls: &str) -> Value {
    json!({
        "next_hop": next_hop, "mx_host": format!("mx.{next_hop}"), "address": "192.0.2.1", "port": 25,
        "starttls": starttls, "tls_version": "TLSv1.3", "cipher": "TLS_AES_256_GCM_SHA384",
        "sni": null, "id": "own",
    })
}

struct Reporter {
    stream: UnixStream,
    answers: BufReader<UnixStream>,
}

impl Reporter {
    fn connect(path: &Path) -> Self {
        let stream = UnixStream::connect(path).unwrap();
        let timeout = Some(Duration::from_secs(20));
        stream.set_read_timeout(timeout).unwrap();
        let answers = BufReader::new(stream.try_clone().unwrap());
        Self { stream, answers }
    }

    fn say(&mut self, bytes: &[u8]) -> Value {
        self.stream.write_all(bytes).unwrap();
        self.stream.write_all(b"\n").unwrap();
        self.hear()
    }

    fn hear(&mut self) -> Value {
        let mut line = String::new();
        self.answers.read_line(&mut line).unwrap();
        serde_json::from_str(&line).unwrap()
    }

    fn report(&mut self, session: &Value) -> Value {
        self.say(session.to_string().as_bytes())
    }
}

/// One figure of the metrics, labels included; 0 where it is not there.
fn figure(daemon: &Daemon, name: &str) -> u64 {
    let mut stream = UnixStream::connect(daemon.control()).unwrap();
    let request = "GET /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
    stream.write_all(request.as_bytes()).unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    let values = text
        .lines()
        .filter(|line| line.starts_with(name))
        .filter_map(|line| line.rsplit(' ').next()?.parse::<u64>().ok());
    values.sum()
}

/// SV-01, SV-02, SV-03, SV-10: a verdict for each line, by the rule in force.
#[test]
fn sessions_are_judged_as_they_are_reported() {
    let (mut daemon, path) = start("sessions");
    let mut reporter = Reporter::connect(&path);
    let verdict = reporter.report(&session("tls.test", "used"));
    assert_eq!(verdict["verdict"], "encrypted", "{verdict}");
    assert_eq!(verdict["reason"], "encrypted-as-owed");
    assert_eq!(verdict["id"], "own");
    let verdict = reporter.report(&session("tls.test", "not-offered"));
    assert_eq!(verdict["verdict"], "failed", "{verdict}");
    assert_eq!(verdict["reason"], "starttls-not-offered");
    let verdict = reporter.report(&session("any.test", "not-offered"));
    assert_eq!(verdict["verdict"], "cleartext", "{verdict}");
    let mut part = session("tls.test", "used");
    part.as_object_mut().unwrap().remove("mx_host");
    let verdict = reporter.report(&part);
    assert_eq!(verdict["verdict"], "indeterminate", "{verdict}");
    assert_eq!(verdict["reason"], "report-incomplete");
    // A reporter that hangs up behind its last line is answered too.
    let text = session("tls.test", "used").to_string();
    reporter.stream.write_all(text.as_bytes()).unwrap();
    reporter.stream.shutdown(std::net::Shutdown::Write).unwrap();
    assert_eq!(reporter.hear()["verdict"], "encrypted");
    // The failed one is an alarm wherever people look.
    daemon.until(|daemon| {
        let output = daemon.tool(&["status", "--json"]);
        let status: Value = serde_json::from_slice(&output.stdout).unwrap();
        let alarms = status["alarms"].to_string();
        // SV-10: nobody waited for this verdict.
        let is_told = alarms.contains("judged afterwards: the mail may have gone out");
        alarms.contains("tls.test") && is_told && output.status.code() == Some(1)
    });
    assert!(daemon.log().contains("a session was below its policy"));
    let labels = "hoplock_sessions_total{outcome=\"failed\",reason=\"starttls-not-offered\"}";
    assert_eq!(figure(&daemon, labels), 1);
}

/// SV-11: half JSON, a megabyte of noise, a chain of two megabytes, wrong types: an error for each, and
/// the next line is judged.
#[test]
fn hostile_reports_harm_only_themselves() {
    let (daemon, path) = start("sessions");
    let mut reporter = Reporter::connect(&path);
    let whole = session("tls.test", "used").to_string();
    let error = reporter.say(&whole.as_bytes()[..whole.len() / 2]);
    assert!(error["error"].is_string() && error["line"] == 1, "{error}");
    let error = reporter.say(br#"{"port":"25"}"#);
    assert!(error["error"].as_str().unwrap().contains("port"), "{error}");
    let error = reporter.say(br#"{"chain":["MAA=","no base64!"]}"#);
    assert!(
        error["error"].as_str().unwrap().contains("chain"),
        "{error}"
    );
    let long = format!("{{\"chain\":[\"{}\"]}}", "A".repeat(2 * 1024 * 1024));
    let error = reporter.say(long.as_bytes());
    assert!(
        error["error"].as_str().unwrap().contains("longer"),
        "{error}"
    );
    let error = reporter.say("[".repeat(200_000).as_bytes());
    assert!(error["error"].is_string(), "{error}");
    let verdict = reporter.report(&session("tls.test", "used"));
    assert_eq!(verdict["verdict"], "encrypted", "{verdict}");
    // Noise: whatever its lines are, the service goes on. The sender does not read answers.
    let mut noise = Reporter::connect(&path);
    let patience = Some(Duration::from_secs(2));
    noise.stream.set_write_timeout(patience).unwrap();
    let mut random = fastrand::Rng::with_seed(11);
    let bytes: Vec<u8> = (0..1024 * 1024).map(|_| random.u8(..)).collect();
    let _ = noise.stream.write_all(&bytes);
    drop(noise);
    let verdict = reporter.report(&session("tls.test", "used"));
    assert_eq!(verdict["verdict"], "encrypted", "{verdict}");
    assert_eq!(ask(&mut daemon.connect(), "postfix localhost"), "NOTFOUND ");
    assert!(figure(&daemon, "hoplock_sessions_dropped_total{why=\"malformed\"}") >= 5);
}

/// SV-11, RP-16: ten thousand datagrams at once: what could be sent is counted, one way or another, and
/// queries are answered.
#[test]
fn a_burst_of_datagrams() {
    let (mut daemon, path) = start("tlsrpt");
    let sender = UnixDatagram::unbound().unwrap();
    sender.set_nonblocking(true).unwrap();
    let good = br#"{"dpv":"1","d":"tls.test","pr":"v=TLSRPTv1;rua=mailto:r@tls.test","policies":[{"policy-type":9,"policy-domain":"tls.test","t":0,"f":0}]}"#;
    let failed = br#"{"d": "tls.test","pr": "v=TLSRPTv1;rua=mailto:r@tls.test","policies":[{"policy-type":9,"policy-domain":"tls.test","failure-details":[{"c":201,"n":"mx.tls.test"}],"t":1,"f":1}]}"#;
    let mut sent = 0;
    for number in 0..10_000 {
        let datagram: &[u8] = match number % 10 {
            0..=7 => good,
            8 => failed,
            _ => b"{\"d\":",
        };
        // As libtlsrpt does: it does not wait.
        match sender.send_to(datagram, &path) {
            Ok(_) => sent += 1,
            Err(error) => assert_eq!(error.kind(), std::io::ErrorKind::WouldBlock, "{error}"),
        }
    }
    assert!(sent > 0);
    assert_eq!(ask(&mut daemon.connect(), "postfix localhost"), "NOTFOUND ");
    let accounted = |daemon: &Daemon| {
        let malformed = "hoplock_sessions_dropped_total{why=\"malformed\"}";
        let overload = "hoplock_sessions_dropped_total{why=\"overload\"}";
        figure(daemon, "hoplock_sessions_total{")
            + figure(daemon, malformed)
            + figure(daemon, overload)
    };
    daemon.until(|daemon| accounted(daemon) == sent);
    assert!(figure(&daemon, "hoplock_sessions_total{outcome=\"failed\"") > 0 || sent < 10);
}
