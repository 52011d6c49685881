//! `hoplock report`: what others sent, and who wants reports (RFC 8460).

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use serde_json::{Value, json};

use super::name_server::{self, TXT, txt};
use super::process::BINARY;

fn run(arguments: &[&str], input: &[u8]) -> Output {
    let mut child = Command::new(BINARY)
        .arg("report")
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // A command that reads nothing closes the pipe.
    let _ = child.stdin.take().unwrap().write_all(input);
    child.wait_with_output().unwrap()
}

fn told(output: &Output) -> (i32, String, String) {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    let status = output.status.code().unwrap();
    (status, text(&output.stdout), text(&output.stderr))
}

/// RP-01, RP-02: the record is asked for where it stands, and each kind of answer has its words and its exit
/// status.
#[test]
fn who_wants_reports() {
    let record = |owner, text: &str| (owner, TXT, txt(text));
    let good = "v=TLSRPTv1; rua=mailto:r@a.test,https://a.test/r,http://a.test/";
    let server = name_server::start(vec![
        record("_smtp._tls.a.test", good),
        record("_smtp._tls.a.test", "v=TLSRPTv10; rua=mailto:r@a.test"),
        record("_smtp._tls.two.test", "v=TLSRPTv1; rua=mailto:r@a.test"),
        record("_smtp._tls.two.test", "v=TLSRPTv1; rua=mailto:s@a.test"),
        record("_smtp._tls.empty.test", "v=TLSRPTv1; rua=,,"),
        ("_smtp._tls.broken.test", TXT, vec![]),
    ]);
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("hoplock.toml");
    std::fs::write(&config, format!("[dns]\nservers = [\"{server}\"]\n")).unwrap();
    let config = config.to_str().unwrap();
    let ask = |domain, more: &[&str]| {
        told(&run(
            &[&["lookup", domain, "--config", config], more].concat(),
            b"",
        ))
    };
    for (domain, status, expected) in [
        (
            "a.test",
            0,
            "a.test wants reports, at\n  mailto:r@a.test\n  https://a.test/r\npassed over: http://a.test/\n",
        ),
        (
            "none.test",
            1,
            "none.test wants no reports: no TLSRPT record\n",
        ),
        (
            "two.test",
            1,
            "two.test gets no reports: more than one TLSRPT record\n",
        ),
        (
            "empty.test",
            1,
            "empty.test gets no reports: the TLSRPT record's rua is not a list of URIs with commas between \
             them\n",
        ),
    ] {
        assert_eq!(
            ask(domain, &[]),
            (status, expected.to_owned(), String::new())
        );
    }
    let (status, text, _) = ask("broken.test", &[]);
    assert_eq!(status, 1);
    assert!(text.starts_with("nobody knows whether broken.test wants reports: "));
    let (status, text, _) = ask("A.test.", &["--json"]);
    let value: Value = serde_json::from_str(&text).unwrap();
    let expected = json!({
        "domain": "a.test", "reporting": "wanted", "ignored": ["http://a.test/"],
        "targets": ["mailto:r@a.test", "https://a.test/r"],
    });
    assert_eq!((status, value), (0, expected));
    assert_eq!(ask("a b", &[]).0, 2);
}

/// RP-08, RP-11: reports of others in words and as JSON, from a file and from a pipe.
#[test]
fn what_others_report() {
    let seeds = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus");
    let file = |name: &str| seeds.join(name).to_str().unwrap().to_owned();
    let (status, text, _) = told(&run(&["read", &file("tlsrpt_document/appendix-b")], b""));
    assert_eq!(status, 0);
    assert!(text.starts_with("report 5065427c-23d3-47ca-b6e0-946ea0e8c4be of Company-X\n"));
    assert!(text.contains("\n  100 sessions: the certificate had expired (certificate-expired)\n"));
    // A mail in a pipe, as a mail server's alias has it.
    let mail = std::fs::read(file("received_report/mail")).unwrap();
    let (status, text, _) = told(&run(&["read", "-", "--json"], &mail));
    let value: Value = serde_json::from_str(&text).unwrap();
    assert_eq!((status, &value["report-id"]), (0, &json!("1")));
    for (input, expected) in [
        (
            &b"hello"[..],
            "hoplock: -: neither JSON nor gzip nor a mail\n",
        ),
        (
            b"{}",
            "hoplock: -: the report cannot be read: line 1, column 2: missing field `organization-name`\n",
        ),
    ] {
        let expected = (1, String::new(), expected.to_owned());
        assert_eq!(told(&run(&["read", "-"], input)), expected);
    }
    assert_eq!(told(&run(&["read", "/nonexistent"], b"")).0, 1);
}
