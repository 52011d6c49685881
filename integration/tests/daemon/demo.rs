//! `hoplock demo`: every kind of answer without a network, and nothing left behind.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};

use hoplock_policy::law::rows::Row;
use serde_json::Value;
use tempfile::TempDir;

use super::process::{BINARY, ask};

/// A demonstration that runs, in a namespace without any network where this machine lets us make one.
struct Demo {
    child: Child,
    /// The system's temporary files, as it sees them.
    place: TempDir,
    folder: PathBuf,
    /// What it printed before it waited.
    printed: String,
}

impl Demo {
    fn start() -> Self {
        let place = tempfile::tempdir().unwrap();
        let mut child = without_network()
            .args([BINARY, "demo", "--port", "0"])
            .env("TMPDIR", place.path())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut printed = String::new();
        loop {
            let Some(line) = lines.next() else {
                let mut why = String::new();
                let _ = child.stderr.take().unwrap().read_to_string(&mut why);
                panic!("it ended after {printed:?}: {why}");
            };
            printed.push_str(&(line.unwrap() + "\n"));
            if printed.contains("The page for people: ") {
                break;
            }
        }
        let folder = only_entry(place.path());
        Self {
            child,
            place,
            folder,
            printed,
        }
    }

    /// Runs a command as its own words say.
    fn tool(&self, arguments: &[&str]) -> Output {
        let config = self.folder.join("hoplock.toml");
        let export = format!("export HOPLOCK_CONFIG={}\n", config.display());
        assert!(self.printed.contains(&export), "{}", self.printed);
        let mut command = Command::new(BINARY);
        command.args(arguments).env("HOPLOCK_CONFIG", config);
        command.output().unwrap()
    }

    fn says(&self, arguments: &[&str], status: i32) -> String {
        let output = self.tool(arguments);
        let text = String::from_utf8(output.stdout).unwrap();
        let error = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(status), "{text}{error}");
        text
    }

    fn get(&self, target: &str) -> Value {
        serde_json::from_str(&self.fetch(target)).unwrap()
    }

    fn fetch(&self, target: &str) -> String {
        let mut stream = UnixStream::connect(self.folder.join("control")).unwrap();
        let request = format!("GET {target} HTTP/1.0\r\nHost: localhost\r\n\r\n");
        stream.write_all(request.as_bytes()).unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        assert!(head.contains(" 200 "), "{text}");
        body.to_owned()
    }

    fn signal(&self, name: &str) {
        let id = self.child.id().to_string();
        assert!(
            Command::new("kill")
                .args([name, &id])
                .status()
                .unwrap()
                .success()
        );
    }

    /// Its exit status, what it said to standard error, and what it left.
    fn end(mut self, signal: &str) -> (ExitStatus, String, usize) {
        self.signal(signal);
        let status = self.child.wait().unwrap();
        let mut said = String::new();
        let mut error = self.child.stderr.take().unwrap();
        error.read_to_string(&mut said).unwrap();
        let left = std::fs::read_dir(self.place.path()).unwrap().count();
        (status, said, left)
    }
}

impl Drop for Demo {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Begins a command in a namespace whose only interface is a loopback that is down. Where that may not be
/// made, by somebody who is not root in a container for example, with the network that there is.
fn without_network() -> Command {
    for flags in ["-n", "-rn"] {
        let tried = Command::new("unshare").args([flags, "true"]).output();
        if tried.is_ok_and(|tried| tried.status.success()) {
            let mut command = Command::new("unshare");
            command.arg(flags);
            return command;
        }
    }
    Command::new("env")
}

fn only_entry(folder: &Path) -> PathBuf {
    let entries: Vec<_> = std::fs::read_dir(folder).unwrap().collect();
    assert_eq!(entries.len(), 1, "{entries:?}");
    entries.into_iter().next().unwrap().unwrap().path()
}

/// What `--once` prints.
fn table() -> String {
    let place = tempfile::tempdir().unwrap();
    let output = without_network()
        .args([BINARY, "demo", "--once", "--port", "0"])
        .env("TMPDIR", place.path())
        .output()
        .unwrap();
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && error.is_empty(), "{error}");
    assert_eq!(std::fs::read_dir(place.path()).unwrap().count(), 0);
    String::from_utf8(output.stdout).unwrap()
}

/// Every word for an answer and every row of the table of answers occur; what is printed is what the map and
/// the HTTP interface say.
#[test]
fn every_kind_of_answer_is_shown() {
    let demo = Demo::start();
    let domains = demo.get("/api/v1/demo");
    let domains = domains.as_array().unwrap();
    assert!(domains.len() >= 25, "{}", domains.len());
    let mut map = UnixStream::connect(demo.folder.join("map")).unwrap();
    let (mut verdicts, mut rows) = (BTreeSet::new(), BTreeSet::new());
    for domain in domains {
        let field = |name: &str| domain[name].as_str().unwrap();
        let (name, profile) = (field("next_hop"), field("profile"));
        let reply = ask(&mut map, &format!("{profile} {name}"));
        let answer = demo.says(&["query", name, "--profile", profile, "--json"], {
            i32::from(reply.starts_with("TEMP "))
        });
        let answer: Value = serde_json::from_str(&answer).unwrap();
        assert_eq!(answer["reply"], reply, "{name}");
        let row = answer["row"].as_str().unwrap();
        let line = demo.printed.lines().find(|line| line.starts_with(name));
        let line = line.unwrap_or_else(|| panic!("{name} is not printed"));
        assert!(line.ends_with(field("shows")), "{line}");
        assert!(line.split_whitespace().any(|word| word == row), "{line}");
        verdicts.insert(answer["verdict"].as_str().unwrap().to_owned());
        rows.insert(row.to_owned());
    }
    let words = [
        "dane",
        "dane-only",
        "defer",
        "encrypt",
        "fingerprint",
        "may",
        "none",
        "secure",
        "verify",
    ];
    assert_eq!(verdicts, words.map(str::to_owned).into());
    let all: BTreeSet<String> = Row::ALL.iter().map(|row| row.id().to_owned()).collect();
    assert_eq!(rows, all);
}

/// Commands reach it by what it says, and find sessions, alarms, rules and reports there.
#[test]
fn the_commands_have_something_to_show() {
    let demo = Demo::start();
    let explained = demo.says(&["explain", "half-dane.test"], 0);
    assert!(explained.contains("DT-20: "), "{explained}");
    assert!(
        explained.contains("Shown here: MX not signed"),
        "{explained}"
    );
    let other = demo.says(&["explain", "no.such.test"], 0);
    assert!(!other.contains("Shown here"), "{other}");
    for (page, words) in [
        ("/", "href=\"/demo\""),
        ("/demo", "next_hop=half-dane.test&amp;profile=postfix"),
        (
            "/destination?next_hop=half-dane.test",
            "Shown here: MX not signed",
        ),
    ] {
        let page = demo.fetch(page);
        assert!(page.contains(words), "{words}: {page}");
    }
    let status = demo.says(&["status"], 1);
    for alarm in [
        "dane-lost: lost-dane.test",
        "session-failed: sessions below their policy: wrong-certificate.test",
        "session-failed: sessions below their policy: starttls-stripped.test",
        "rule-expired: the rule \"rule-expired.test\"",
    ] {
        assert!(status.contains(alarm), "{alarm}: {status}");
    }
    assert!(status.starts_with("4 alarms:"), "{status}");
    assert!(status.contains("(near expiry, run time)"), "{status}");
    let sessions = demo.says(&["sessions", "--json"], 0);
    let sessions: Value = serde_json::from_str(&sessions).unwrap();
    let sessions = sessions.as_array().unwrap().iter();
    let mut outcomes: Vec<_> = sessions.map(|session| &session["verdict"]).collect();
    outcomes.sort_by_key(|outcome| outcome.to_string());
    assert_eq!(
        outcomes,
        [
            "authenticated-dane",
            "authenticated-sts",
            "encrypted",
            "failed",
            "failed"
        ]
    );
    let reports = demo.says(&["report", "list"], 0);
    assert!(reports.contains("Sender of the demonstration"), "{reports}");
    let kept = demo.says(&["explain", "sts-host-gone.test", "--json"], 0);
    let kept: Value = serde_json::from_str(&kept).unwrap();
    assert_eq!(kept["sts"]["source"], "cache", "{kept}");
    let (status, said, left) = demo.end("-TERM");
    assert_eq!((status.code(), said.as_str(), left), (Some(0), "", 0));
}

/// OP-08: its rules may be changed like those of any daemon; and Ctrl-C ends it as SIGTERM does.
#[test]
fn its_rules_may_be_changed() {
    let demo = Demo::start();
    let held = demo.says(&["query", "held-by-rule.test"], 1);
    assert!(held.starts_with("TEMP rule: "), "{held}");
    let config = demo.folder.join("hoplock.toml");
    let text = std::fs::read_to_string(&config).unwrap();
    std::fs::write(
        &config,
        text.replace("answer = \"defer\"", "answer = \"dane-only\""),
    )
    .unwrap();
    demo.signal("-HUP");
    let changed = (0..1000).any(|_| {
        std::thread::sleep(std::time::Duration::from_millis(20));
        demo.tool(&["query", "held-by-rule.test"]).stdout == b"OK dane-only\n"
    });
    assert!(changed);
    let (status, said, left) = demo.end("-INT");
    assert_eq!((status.code(), said.as_str(), left), (Some(0), "", 0));
}

/// The manual's page holds the table as it is printed, and the README lines of it.
#[test]
fn the_manual_shows_what_is_printed() {
    let table = table();
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let read = |file: &str| std::fs::read_to_string(root.join(file)).unwrap();
    let page = read("docs/demo.md");
    assert!(
        page.contains(&format!("```text\n{table}```\n")),
        "docs/demo.md is not:\n{table}"
    );
    let readme = read("README.md");
    let (_, shown) = readme.split_once("<!-- demo-example -->\n").unwrap();
    let (shown, _) = shown.split_once("<!-- /demo-example -->").unwrap();
    let shown: Vec<&str> = shown
        .lines()
        .filter(|line| !line.is_empty() && !line.starts_with("```"))
        .collect();
    assert!(shown.len() > 8, "{shown:?}");
    for line in shown {
        let is_printed = table.lines().any(|printed| printed == line);
        assert!(is_printed || line == "…", "README.md: {line}");
    }
}

/// A port that is taken is said, with the way out; nothing is left then, either.
#[test]
fn a_port_that_is_taken_is_said() {
    let place = tempfile::tempdir().unwrap();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    let output = Command::new(BINARY)
        .args(["demo", "--once", "--port", &port.to_string()])
        .env("TMPDIR", place.path())
        .output()
        .unwrap();
    let error = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{error}");
    assert!(error.contains(&format!("127.0.0.1:{port}")), "{error}");
    assert!(error.contains("hoplock demo --port 0"), "{error}");
    assert_eq!(std::fs::read_dir(place.path()).unwrap().count(), 0);
}
