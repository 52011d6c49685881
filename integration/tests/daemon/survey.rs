//! `hoplock survey` against a running daemon.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::thread::sleep;
use std::time::Duration;

use serde_json::Value;

use super::name_server::{self, A, MX, TLSA, mx};
use super::process::{BINARY, Daemon, ask};

/// `dN.test`: of ten in a row the first cannot be looked up, the second has DANE, the third a host and no
/// more, and the others nothing.
pub(crate) fn published(name: &[u8], wanted: u16) -> Vec<Vec<u8>> {
    let labels = labels(name);
    let labels: Vec<&str> = labels.iter().map(String::as_str).collect();
    let of = |label: &str| label.strip_prefix('d')?.parse::<u32>().ok();
    let Some(number) = labels.iter().find_map(|label| of(label)) else {
        return Vec::new();
    };
    let host = || mx(10, &format!("mx.d{number}.test"));
    match (number % 10, labels.as_slice(), wanted) {
        (0, [_, _], MX) => vec![Vec::new()],
        (1 | 2, [_, _], MX) => vec![host()],
        (1 | 2, ["mx", ..], A) => vec![vec![192, 0, 2, 1]],
        (1, ["_25", ..], TLSA) => vec![[vec![3, 1, 1], vec![0xab; 32]].concat()],
        _ => Vec::new(),
    }
}

fn labels(name: &[u8]) -> Vec<String> {
    let (mut labels, mut at) = (Vec::new(), 0);
    while name[at] != 0 {
        let end = at + 1 + usize::from(name[at]);
        labels.push(String::from_utf8_lossy(&name[at + 1..end]).into_owned());
        at = end;
    }
    labels
}

fn daemon() -> Daemon {
    let more = "[profile.postfix]\nown_dane = \"yes\"\n[profile.strict]\nfamily = \"postfix\"\n\
                floor = \"encrypt\"\nown_dane = \"yes\"\n";
    Daemon::start_over(name_server::start_with(published), more)
}

fn command(daemon: &Daemon, arguments: &[&str]) -> Command {
    let mut command = Command::new(BINARY);
    command.arg("survey").args(arguments);
    command.arg("--config").arg(daemon.config());
    command
}

fn words(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// The lines of a JSON survey, and its summary.
fn lines(output: &Output) -> (BTreeMap<String, Value>, Value) {
    let text = words(&output.stdout);
    let mut all: Vec<Value> = text
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let summary = all.pop().unwrap()["summary"].clone();
    let by_name = |line: Value| (line["next_hop"].as_str().unwrap().to_owned(), line);
    (all.into_iter().map(by_name).collect(), summary)
}

/// Ten thousand destinations, interrupted in the middle and resumed: each is asked once, the answers are
/// those that the daemon gives a mail server, nothing of them is kept in its cache, and memory is bounded.
#[test]
fn ten_thousand_interrupted_and_resumed() {
    let daemon = daemon();
    let folder = daemon.folder.path();
    let (list, journal) = (folder.join("list"), folder.join("journal"));
    let names: Vec<String> = (0..TEN_THOUSAND).map(|n| format!("d{n}.test")).collect();
    std::fs::write(&list, names.join("\n")).unwrap();
    let (list, noted) = (list.to_str().unwrap(), journal.to_str().unwrap());
    let arguments = [list, "--resume", noted, "--json", "--rate", "0"];
    let mut first = command(&daemon, &arguments);
    let mut first = first
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    while finished(&journal).is_none_or(|count| count <= TEN_THOUSAND / 3) {
        assert!(first.try_wait().unwrap().is_none(), "it ended by itself");
        sleep(Duration::from_millis(20));
    }
    let peak = peak_memory(first.id());
    let interrupt = Command::new("kill")
        .args(["-INT", &first.id().to_string()])
        .status();
    assert!(interrupt.unwrap().success());
    let first = first.wait_with_output().unwrap();
    assert_eq!(first.status.code(), Some(0), "{}", words(&first.stderr));
    assert!(words(&first.stderr).contains("goes on from here"));
    let (before, summary) = lines(&first);
    assert_eq!(summary["complete"], false);
    assert_eq!(before.len(), finished(&journal).unwrap());
    assert!(before.len() < TEN_THOUSAND, "{}", before.len());

    let second = command(&daemon, &arguments).output().unwrap();
    assert_eq!(second.status.code(), Some(0), "{}", words(&second.stderr));
    let (all, summary) = lines(&second);
    assert_eq!(summary["complete"], true);
    assert_eq!(
        (all.len(), finished(&journal)),
        (TEN_THOUSAND, Some(TEN_THOUSAND))
    );
    assert!(before.iter().all(|(name, line)| all[name] == *line));
    assert!(peak < 150 * 1024, "{peak} KiB");

    let (_, kept) = super::orders::out(&daemon, &["cache", "list"]);
    assert_eq!(kept, "nothing is kept yet\n", "a survey leaves no findings");
    let (_, status) = super::orders::out(&daemon, &["status", "--json"]);
    let status: Value = serde_json::from_str(&status).unwrap();
    assert!(status["answers_last_hour"].as_object().unwrap().is_empty());

    let one_by_one = one_by_one(&daemon, &names);
    let mut counts: BTreeMap<(String, String), u64> = BTreeMap::new();
    for (name, reply) in &one_by_one {
        let answer = &all[name]["answers"][0];
        let own = answer["reply"].as_str().unwrap();
        assert_eq!(own.trim_end(), reply.trim_end(), "{name}");
        let field = |name: &str| answer[name].as_str().unwrap().to_owned();
        *counts
            .entry((field("verdict"), field("reason")))
            .or_default() += 1;
    }
    let told = summary["profiles"]["postfix"].as_array().unwrap();
    assert_eq!(told.len(), counts.len());
    for own in told {
        let field = |name: &str| own[name].as_str().unwrap().to_owned();
        let count = counts[&(field("verdict"), field("reason"))];
        assert_eq!(own["destinations"].as_u64(), Some(count), "{own}");
    }
    assert_eq!(
        counts[&("dane-only".to_owned(), "dane-all-hosts".to_owned())],
        1000
    );
    assert_eq!(
        counts[&("defer".to_owned(), "mx-lookup-failed".to_owned())],
        1000
    );
}

/// Whole lines of answers, without the head.
fn finished(journal: &Path) -> Option<usize> {
    let bytes = std::fs::read(journal).ok()?;
    let lines = bytes.iter().filter(|byte| **byte == b'\n').count();
    lines.checked_sub(1)
}

/// In KiB, as the kernel has it.
fn peak_memory(process: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let line = line.unwrap().trim().trim_end_matches(" kB").to_owned();
    line.parse().unwrap()
}

/// What a mail server is told, over a few connections.
fn one_by_one(daemon: &Daemon, names: &[String]) -> Vec<(String, String)> {
    std::thread::scope(|scope| {
        let parts: Vec<_> = names
            .chunks(names.len() / 8)
            .map(|part| {
                scope.spawn(move || {
                    let mut stream = daemon.connect();
                    let reply = |name: &String| {
                        let reply = ask(&mut stream, &format!("postfix {name}"));
                        (name.clone(), reply)
                    };
                    part.iter().map(reply).collect::<Vec<_>>()
                })
            })
            .collect();
        let parts = parts.into_iter().map(|part| part.join().unwrap());
        parts.flatten().collect()
    })
}

/// A mail log on standard input: messages are counted, several profiles are answered side by side, the
/// broken and the weak come first, and what cannot be read is told with its line.
#[test]
fn a_log_for_two_profiles() {
    use std::io::Write as _;
    let daemon = daemon();
    let line = |id: &str, to: &str| {
        format!(
            "2026-11-26T10:00:00+00:00 out postfix/smtp[7]: {id}: to=<{to}>, \
             relay=mx.a.test[192.0.2.1]:25, delay=1, delays=0/0/0.5/0.4, dsn=2.0.0, status=sent (x)\n"
        )
    };
    let log = [
        line("A1", "u@d1.test"),
        line("A2", "u@d2.test"),
        line("A3", "v@D2.test"),
        line("A4", "u@d10.test"),
        line("A5", "nobody"),
    ];
    for more in [&[][..], &["--direct"]] {
        let arguments = [&["-", "--profile", "postfix", "--profile", "strict"], more].concat();
        let run = |form: &[&str]| {
            let mut child = command(&daemon, &[&arguments, form].concat());
            child
                .stdin(Stdio::piped())
                .stdout(Stdio::piped())
                .stderr(Stdio::piped());
            let mut child = child.spawn().unwrap();
            let mut input = child.stdin.take().unwrap();
            input.write_all(log.concat().as_bytes()).unwrap();
            drop(input);
            let output = child.wait_with_output().unwrap();
            assert_eq!(output.status.code(), Some(0), "{output:?}");
            assert!(words(&output.stderr).contains("line 5: "), "{output:?}");
            output
        };
        let table = words(&run(&[]).stdout);
        let columns: Vec<Vec<&str>> = table
            .lines()
            .take(4)
            .map(|line| line.split_whitespace().collect())
            .collect();
        let expected = [
            [
                "DESTINATION",
                "WEIGHT",
                "POSTFIX",
                "REASON",
                "STRICT",
                "REASON",
            ],
            [
                "d10.test",
                "1",
                "defer",
                "mx-lookup-failed",
                "defer",
                "mx-lookup-failed",
            ],
            ["d2.test", "2", "none", "no-policy", "none", "no-policy"],
            [
                "d1.test",
                "1",
                "dane-only",
                "dane-all-hosts",
                "dane-only",
                "dane-all-hosts",
            ],
        ];
        assert_eq!(columns, expected, "{table}");
        let csv = words(&run(&["--csv"]).stdout);
        assert_eq!(csv.lines().count(), 1 + 3 * 2, "{csv}");
        assert!(
            csv.contains("d1.test,1,strict,dane-only,dane-all-hosts,DT-06,OK dane-only,"),
            "{csv}"
        );
        let (all, summary) = lines(&run(&["--json"]));
        assert_eq!(all["d2.test"]["weight"], 2);
        assert_eq!(
            (&summary["unreadable_lines"], &summary["asked"]),
            (&1.into(), &3.into())
        );
    }
}

/// Exit statuses: nothing to read, no such profile, no daemon, a file to go on from that is another's.
#[test]
fn what_cannot_begin() {
    let mut daemon = daemon();
    let list = daemon.folder.path().join("list");
    std::fs::write(&list, "d1.test\n").unwrap();
    let list = list.to_str().unwrap().to_owned();
    let code = |daemon: &Daemon, arguments: &[&str]| {
        let output = command(daemon, arguments).output().unwrap();
        assert!(!output.stderr.is_empty());
        output.status.code()
    };
    assert_eq!(code(&daemon, &["/nowhere/list"]), Some(2));
    assert_eq!(code(&daemon, &[&list, "--profile", "nobody"]), Some(2));
    assert_eq!(code(&daemon, &[&list, "--resume", &list]), Some(2));
    assert_eq!(std::fs::read_to_string(&list).unwrap(), "d1.test\n");
    daemon.signal("-TERM");
    daemon.child.wait().unwrap();
    assert_eq!(code(&daemon, &[&list]), Some(3));
}

const TEN_THOUSAND: usize = 10_000;
