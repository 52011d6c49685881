//! The requests that `docs/callers.md` prints, put to the real daemon over HTTP: what comes back is what
//! the page says.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::Value;

use super::name_server::{self, A, MX, SRV, TLSA, TTL, mx, srv};
use super::process::Daemon;

/// What the page's destinations publish.
fn published() -> Vec<name_server::Published> {
    let digest = |byte| [vec![3, 1, 1], vec![byte; 32]].concat();
    vec![
        ("example.com", MX, mx(10, "mx1.example.com")),
        ("mx1.example.com", A, vec![192, 0, 2, 1]),
        ("_25._tcp.mx1.example.com", TLSA, digest(0xab)),
        ("example.net", MX, mx(10, "mx1.example.net")),
        ("example.net", MX, mx(20, "mx2.example.net")),
        ("mx1.example.net", A, vec![192, 0, 2, 2]),
        ("_25._tcp.mx1.example.net", TLSA, digest(0xcd)),
        ("mx2.example.net", A, vec![192, 0, 2, 3]),
        ("example.org", MX, mx(10, "mx1.example.org")),
        ("mx1.example.org", A, vec![192, 0, 2, 4]),
        ("_25._tcp.mx1.example.org", TLSA, Vec::new()),
        (
            "_submission._tcp.example.com",
            SRV,
            srv(2587, "mx1.example.com"),
        ),
        ("_2587._tcp.mx1.example.com", TLSA, digest(0xef)),
        (
            "_submissions._tcp.example.com",
            SRV,
            srv(465, "mx1.example.com"),
        ),
        (
            "_submission._tcp.plain.test",
            SRV,
            srv(25, "mx1.example.com"),
        ),
        ("_submission._tcp.example.net", SRV, srv(0, "")),
        ("_submission._tcp.example.org", SRV, Vec::new()),
    ]
}

/// OP-07: each request of the page brings, under the page's configuration, the answer that the page
/// prints, field by field.
#[test]
fn the_page_tells_the_truth() {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/callers.md");
    let page = std::fs::read_to_string(page).unwrap();
    let daemon = Callers::start(&blocks(&page, "toml").concat());
    let (requests, answers) = (blocks(&page, "http"), blocks(&page, "json"));
    assert!(requests.len() >= 3, "an example for each caller");
    assert_eq!(requests.len(), answers.len());
    for (request, answer) in requests.iter().zip(&answers) {
        let mut printed: Value = serde_json::from_str(answer).unwrap();
        let mut brought = daemon.get(request.trim());
        // Time goes by while it is asked.
        let left = |value: &mut Value| value["expires_in"].take().as_u64().unwrap();
        let (said, is) = (left(&mut printed), left(&mut brought));
        assert!(is <= said && said <= u64::from(TTL), "{request}");
        assert_eq!(brought, printed, "{request}");
    }
}

/// The page's rule for callers that cannot keep what is owed: whatever is no answer is a delay.
#[test]
fn what_is_no_answer_is_no_answer() {
    let daemon = Callers::start("[profile.caller]\nfamily = \"exim\"\n");
    for target in [
        "/api/v1/query?next_hop=example.com&profile=nobody",
        "/api/v1/query?profile=caller",
        "/api/v1/query",
    ] {
        let reply = daemon.ask(&format!("GET {target}"));
        assert!(reply.starts_with("HTTP/1.1 40"), "{target}: {reply}");
    }
}

/// SB-02, SB-03, SB-05: services that SRV records lead to, over the wire; without the option such a key
/// is refused with the cure.
#[test]
fn services_found_by_srv() {
    let profile = "[profile.postfix]\nown_dane = \"yes\"\n";
    let off = Callers::start(profile);
    let query = |daemon: &Callers, key: &str| {
        daemon.get(&format!("GET /api/v1/query?next_hop={key}&profile=postfix"))
    };
    let refused = query(&off, "_submission._tcp.example.com");
    assert_eq!(refused["reason"], "srv-off");
    assert!(
        refused["detail"]
            .as_str()
            .unwrap()
            .contains("srv_submission = true")
    );
    let check = off.daemon.tool(&["check", "_submission._tcp.example.com"]);
    assert_eq!(check.status.code(), Some(2), "{check:?}");
    let on = Callers::start(&format!("[dane]\nsrv_submission = true\n{profile}"));
    for (key, reply, status) in [
        ("_submission._tcp.example.com", "OK dane-only", "secure"),
        ("_submissions._tcp.example.com", "OK encrypt", "secure"),
        ("_submission._tcp.plain.test", "NOTFOUND ", "insecure"),
        ("_submission._tcp.example.net", "NOTFOUND ", "secure"),
    ] {
        let answer = query(&on, key);
        assert_eq!(answer["reply"], reply, "{answer}");
        assert_eq!(answer["mx"]["status"], status, "{answer}");
    }
    let failed = query(&on, "_submission._tcp.example.org");
    assert_eq!(failed["reason"], "mx-lookup-failed", "{failed}");
    let explained = on.daemon.tool(&["explain", "_submission._tcp.example.com"]);
    let explained = String::from_utf8(explained.stdout).unwrap();
    for words in ["SRV records: secure", "_2587._tcp.mx1.example.com"] {
        assert!(explained.contains(words), "{explained}");
    }
}

struct Callers {
    daemon: Daemon,
    http: SocketAddr,
}

impl Callers {
    fn start(more: &str) -> Self {
        let server = name_server::start(published());
        let free = TcpListener::bind("127.0.0.1:0").unwrap();
        let http = free.local_addr().unwrap();
        drop(free);
        let mut daemon = Daemon::start_with(more, |command| {
            let config = PathBuf::from(command.get_args().last().unwrap());
            let text = std::fs::read_to_string(&config).unwrap();
            let text = text.replacen("http = []", &format!("http = [\"inet:{http}\"]"), 1);
            let (before, after) = text.split_once("servers = [").unwrap();
            let (_, after) = after.split_once(']').unwrap();
            let text = format!("{before}servers = [\"{server}\"]{after}");
            std::fs::write(&config, text).unwrap();
        });
        daemon.until(|_| TcpStream::connect(http).is_ok());
        Self { daemon, http }
    }

    fn ask(&self, request: &str) -> String {
        let mut stream = TcpStream::connect(self.http).unwrap();
        stream
            .set_read_timeout(Some(Duration::from_secs(20)))
            .unwrap();
        let host = self.http;
        write!(
            stream,
            "{request} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n"
        )
        .unwrap();
        let mut reply = String::new();
        stream.read_to_string(&mut reply).unwrap();
        reply
    }

    fn get(&self, request: &str) -> Value {
        let reply = self.ask(request);
        let (head, body) = reply.split_once("\r\n\r\n").unwrap();
        assert!(head.starts_with("HTTP/1.1 200"), "{request}: {reply}");
        serde_json::from_str(body).unwrap()
    }
}

/// The fenced blocks of one language, in order.
fn blocks(page: &str, language: &str) -> Vec<String> {
    let begin = format!("```{language}\n");
    let parts = page.split(&begin).skip(1);
    parts
        .map(|part| part.split_once("```").unwrap().0.to_owned())
        .collect()
}
