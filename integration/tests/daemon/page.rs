//! The page for people, as bytes: what a browser may do with it, who is answered, and that looking leaves
//! no trace. What it shows is looked at in a real browser (`integration/src/lab/page`).

use std::net::TcpStream;
use std::os::unix::net::UnixStream;

use hoplock::adapters::clock::SystemClock;
use hoplock::store::sqlite::SqliteStore;
use hoplock::world::{Clock as _, DaneMemory, Gone, Proof, Store as _};
use hoplock_policy::next_hop::NextHop;

use super::process::{Daemon, ask};

const PATHS: [&str; 9] = [
    "/",
    "/destination?next_hop=127.0.0.1",
    "/destination?next_hop=%3Cscript%3Ealert(1)%3C%2Fscript%3E",
    "/destinations",
    "/sessions",
    "/sessions?outcome=failed",
    "/policies",
    "/reports",
    "/watch",
];

/// An answer's status, head and body.
struct Got {
    status: String,
    head: String,
    body: String,
}

fn read(mut stream: impl std::io::Read + std::io::Write, request: &str, more: &str) -> Got {
    write!(
        stream,
        "{request} HTTP/1.1\r\nConnection: close\r\n{more}\r\n"
    )
    .unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    let (head, body) = text.split_once("\r\n\r\n").unwrap();
    Got {
        status: head.split_whitespace().nth(1).unwrap().to_owned(),
        head: head.to_ascii_lowercase(),
        body: body.to_owned(),
    }
}

fn get(daemon: &Daemon, path: &str) -> Got {
    let stream = UnixStream::connect(daemon.control()).unwrap();
    read(stream, &format!("GET {path}"), "Host: localhost\r\n")
}

/// Nothing inline, nothing from elsewhere, nothing kept by the browser, and no address of ours told to others.
#[test]
fn each_page_is_guarded() {
    let daemon = Daemon::start("");
    for path in PATHS {
        let got = get(&daemon, path);
        assert_eq!(got.status, "200", "{path}: {}", got.body);
        for field in [
            "content-type: text/html; charset=utf-8",
            "x-content-type-options: nosniff",
            "referrer-policy: no-referrer",
            "cache-control: no-store",
            "cross-origin-resource-policy: same-origin",
        ] {
            assert!(got.head.contains(field), "{path}: {}", got.head);
        }
        let policy = got
            .head
            .lines()
            .find_map(|line| line.strip_prefix("content-security-policy: "));
        let policy = policy.unwrap();
        assert!(policy.starts_with("default-src 'none'; "), "{policy}");
        assert!(!policy.contains("unsafe"), "{policy}");
        assert!(policy.contains("frame-ancestors 'none'"), "{policy}");
        // Each of these would be refused by that policy, or lead away from here.
        for piece in [
            "<script>",
            " style=",
            " onclick=",
            " onerror=",
            "http:",
            "https:",
            "//",
        ] {
            let body = got.body.replace("alert(1)%3C%2Fscript", "");
            assert!(!body.contains(piece), "{path}: {piece} in {body}");
        }
        let end = got.body.trim_end();
        assert!(
            end.starts_with("<!DOCTYPE html>") && end.ends_with("</html>"),
            "{path}"
        );
    }
    for (path, kind) in [
        ("/page/style.css", "content-type: text/css"),
        ("/page/refresh.js", "content-type: text/javascript"),
    ] {
        let got = get(&daemon, path);
        assert!(got.head.contains(kind), "{path}: {}", got.head);
    }
}

/// What a page shows was not asked by a mail server: nothing is counted, kept, or waited for.
#[test]
fn looking_leaves_no_trace() {
    let daemon = Daemon::start("[profile.postfix]\ndeadline = \"1s\"\n");
    let got = get(&daemon, "/destination?next_hop=somebody%40a.test");
    assert_eq!(got.status, "200");
    assert!(got.body.contains("a.test: MAIL WAITS"), "{}", got.body);
    let overview = get(&daemon, "/").body;
    assert!(
        overview.contains("No mail server has asked yet."),
        "{overview}"
    );
    assert!(!overview.contains("id=\"waiting\""), "{overview}");
    let cache = get(&daemon, "/api/v1/cache").body;
    assert!(cache.contains("\"entries\":0"), "{cache}");
    // The same asked by a mail server.
    let mut stream = daemon.connect();
    ask(&mut stream, "postfix a.test");
    let overview = get(&daemon, "/").body;
    assert!(
        !overview.contains("No mail server has asked yet."),
        "{overview}"
    );
    assert!(overview.contains("id=\"waiting\""), "{overview}");
    let totals = "<strong>1</strong> waiting";
    assert!(overview.contains(totals), "{overview}");
}

/// What cannot be shown says so, as a page; no page takes orders.
#[test]
fn what_is_not_there() {
    let daemon = Daemon::start("");
    for path in [
        "/destination",
        "/destination?next_hop=",
        "/destination?next_hop=a.test&profile=%3Cb%3E",
    ] {
        let got = get(&daemon, path);
        assert_eq!(got.status, "404", "{path}");
        assert!(
            got.body.contains("Nothing to explain") && !got.body.contains("<b>"),
            "{}",
            got.body
        );
    }
    for path in PATHS {
        let stream = UnixStream::connect(daemon.control()).unwrap();
        let got = read(
            stream,
            &format!("POST {path}"),
            "Host: localhost\r\nContent-Length: 0\r\n",
        );
        assert_eq!(got.status, "405", "{path}");
    }
}

/// On TCP: a name of somebody else for this address is turned away (DNS rebinding), and so is what another
/// site's page has a browser fetch; a link from there may be followed.
#[test]
fn pages_of_others_learn_nothing() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    drop(listener);
    let daemon = Daemon::start_with("", |command| {
        let config = std::path::PathBuf::from(command.get_args().last().unwrap());
        let text = std::fs::read_to_string(&config).unwrap();
        let text = text.replace("http = []", &format!("http = [\"inet:127.0.0.1:{port}\"]"));
        std::fs::write(&config, text).unwrap();
    });
    let own = format!("Host: 127.0.0.1:{port}\r\n");
    let foreign = "Host: rebound.test\r\n".to_owned();
    let site = "Sec-Fetch-Site: cross-site\r\n";
    for path in PATHS
        .into_iter()
        .chain(["/api/v1/query?next_hop=a.test", "/metrics"])
    {
        for (more, expected) in [
            (own.clone(), "200"),
            (foreign.clone(), "421"),
            (format!("{own}{site}Sec-Fetch-Mode: no-cors\r\n"), "403"),
            (
                format!("{own}{site}Sec-Fetch-Mode: navigate\r\nSec-Fetch-Dest: iframe\r\n"),
                "403",
            ),
            (
                format!("{own}Sec-Fetch-Site: same-origin\r\nSec-Fetch-Mode: cors\r\n"),
                "200",
            ),
        ] {
            // Its resolver never answers: what is not turned away would be looked up.
            if path.contains("a.test") && expected == "200" {
                continue;
            }
            let stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
            let got = read(stream, &format!("GET {path}"), &more);
            assert_eq!(got.status, expected, "{path}: {more:?}");
        }
    }
    let link = format!("{own}{site}Sec-Fetch-Mode: navigate\r\nSec-Fetch-Dest: document\r\n");
    let stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    assert_eq!(read(stream, "GET /", &link).status, "200");
    drop(daemon);
}

/// CA-09: a destination that had usable TLSA records and has none stands first on the page, with its name and
/// what helps.
#[test]
fn the_page_tells_of_lost_dane() {
    let daemon = Daemon::start_with("", |command| {
        let config = std::path::PathBuf::from(command.get_args().last().unwrap());
        let now = SystemClock::new().now();
        let path = config.with_file_name("state.db");
        let store = SqliteStore::open(&path, 8, now).unwrap();
        let gone = Gone {
            since: now,
            proof: Proof::Proved,
        };
        let lost = DaneMemory {
            seen: now,
            gone: Some(gone),
        };
        store.remember_dane(NextHop::parse("lost.test"), lost);
        let kept = || {
            tokio::runtime::Runtime::new()
                .unwrap()
                .block_on(store.dane_gone())
        };
        assert_eq!(kept().unwrap().len(), 1);
    });
    let page = get(&daemon, "/").body;
    let (_, alarm) = page
        .split_once("data-alarm=\"dane-lost\"")
        .expect("the alarm");
    let (alarm, _) = alarm.split_once("</article>").unwrap();
    assert!(
        alarm.contains("lost.test had usable TLSA records"),
        "{alarm}"
    );
    assert!(alarm.contains("hoplock rule add lost.test"), "{alarm}");
    assert!(!page.contains("No alarm stands"), "{page}");
}
