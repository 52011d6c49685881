//! The real binary over real sockets: framing, deadline, reload, drain, bounds, exit statuses.
//!
//! * [`state_file`]: what is wrong with it, and what happens then.
//! * [`anchors`]: DNSSEC trouble that is survived by order.
//! * [`callers`]: mail servers that ask over HTTP.
//! * [`demo`]: the demonstration.
//! * [`exim`]: readsocket, certificates, DNS answers.
//! * [`observing`]: rules of mode audit.
//! * [`orders`]: rules at run time, and looking at the daemon.
//! * [`page`]: the page for people.
//! * [`reports`]: sessions as they are reported.
//! * [`rule_files`]: rules as files.
//! * [`sendmail`]: Sendmail's session check.
//! * [`sessions`]: what is seen of judged sessions.
//! * [`submission`]: messages that are handed in, and what they say of TLS.
//! * [`survey`]: what many destinations would be answered.
//! * [`sockets`]: which take orders, what may stand at their paths.
//! * [`tls_reports`]: reports that others sent, and who wants ours.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "tests"
)]

mod anchors;
mod callers;
mod demo;
mod exim;
mod name_server;
mod observing;
mod orders;
mod page;
mod process;
mod reports;
mod rule_files;
mod sendmail;
mod sessions;
mod sockets;
mod state_file;
mod submission;
mod survey;
mod tally;
mod tls_reports;

use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use process::{BINARY, Daemon, ask, is_closed, reply};

/// PF-01, PF-05: keys that are no destination are not found, with the blank kept; requests that
/// cannot be answered say why.
#[test]
fn replies_are_exact() {
    let daemon = Daemon::start("");
    let mut stream = daemon.connect();
    for key in [
        "[192.0.2.1]",
        "[IPv6:2001:db8::1]:587",
        "localhost",
        "/var/run/x",
        ".example.test",
    ] {
        assert_eq!(
            ask(&mut stream, &format!("postfix {key}")),
            "NOTFOUND ",
            "{key}"
        );
        assert_eq!(
            ask(&mut stream, &format!("QUERY {key}")),
            "NOTFOUND ",
            "{key}"
        );
    }
    assert!(ask(&mut stream, "nomap example.test").starts_with("TEMP unknown-map: "));
    assert!(ask(&mut stream, "postfix ").starts_with("TEMP bad-request: "));
    assert!(ask(&mut stream, "postfix").starts_with("TEMP bad-request: "));
    // Control words are keys like any other (OP-09).
    assert_eq!(ask(&mut stream, "postfix PURGE"), "NOTFOUND ");
}

/// PF-02: bad framing closes without a reply; the service goes on.
#[test]
fn bad_framing_closes() {
    let daemon = Daemon::start("");
    for bytes in [":,", "aaa:", "3:abcX", "9999999999:", "10001:", "-1:"] {
        let mut stream = daemon.connect();
        stream.write_all(bytes.as_bytes()).unwrap();
        assert!(is_closed(&mut stream), "{bytes}");
    }
    assert_eq!(ask(&mut daemon.connect(), "postfix localhost"), "NOTFOUND ");
}

/// PF-03: connections persist; requests arrive in single bytes or back to back; order is kept.
#[test]
fn requests_may_be_split_or_joined() {
    let daemon = Daemon::start("");
    let mut stream = daemon.connect();
    for byte in b"17:postfix localhost," {
        stream.write_all(&[*byte]).unwrap();
        stream.flush().unwrap();
        sleep(Duration::from_millis(2));
    }
    assert_eq!(reply(&mut stream), "NOTFOUND ");
    stream
        .write_all(b"17:postfix localhost,7:nomap x,17:postfix localhost,")
        .unwrap();
    let replies = [reply(&mut stream), reply(&mut stream), reply(&mut stream)];
    assert!(replies[1].starts_with("TEMP unknown-map"), "{replies:?}");
    assert_eq!(
        (replies[0].as_str(), replies[2].as_str()),
        ("NOTFOUND ", "NOTFOUND ")
    );
}

/// PF-04, FT-03: with a resolver that swallows everything, TEMP leaves at the deadline, and others
/// on the same daemon are answered meanwhile.
#[test]
fn a_silent_resolver_costs_the_deadline_and_no_more() {
    let daemon = Daemon::start("[profile.postfix]\ndeadline = \"2s\"\n");
    let mut slow = daemon.connect();
    write!(slow, "20:postfix example.test,").unwrap();
    assert_eq!(ask(&mut daemon.connect(), "postfix localhost"), "NOTFOUND ");
    let answer = reply(&mut slow);
    assert!(answer.starts_with("TEMP "), "{answer}");
}

/// FT-03: at the cap the longest idle connection makes room; where none is idle, the new one is told.
#[test]
fn the_connection_cap_closes_the_longest_idle() {
    let daemon = Daemon::start("[limits]\nconnections = 2\n[profile.postfix]\ndeadline = \"5s\"\n");
    let mut first = daemon.connect();
    assert_eq!(ask(&mut first, "postfix localhost"), "NOTFOUND ");
    let mut second = daemon.connect();
    assert_eq!(ask(&mut second, "postfix localhost"), "NOTFOUND ");
    let mut third = daemon.connect();
    assert_eq!(ask(&mut third, "postfix localhost"), "NOTFOUND ");
    assert!(
        is_closed(&mut first),
        "the longest idle connection is closed"
    );
    write!(second, "20:postfix example.test,").unwrap();
    write!(third, "20:postfix example.test,").unwrap();
    sleep(Duration::from_secs(1));
    let answer = ask(&mut daemon.connect(), "postfix localhost");
    assert!(answer.starts_with("TEMP busy: "), "{answer}");
    assert!(
        reply(&mut second).starts_with("TEMP "),
        "requests in hand are answered"
    );
}

/// OP-08: a bad file leaves the running configuration as it is; a good one is taken over.
#[test]
fn reload_is_atomic() {
    let mut daemon = Daemon::start(
        "[profile.postfix]\nown_dane = \"yes\"\n[rules.\"a.test\"]\nanswer = \"encrypt\"\n",
    );
    assert_eq!(ask(&mut daemon.connect(), "postfix a.test"), "OK encrypt");
    let good = std::fs::read_to_string(daemon.config()).unwrap();
    std::fs::write(daemon.config(), good.replace("answer", "anwser")).unwrap();
    daemon.signal("-HUP");
    daemon.until(|daemon| daemon.log().contains("reload refused"));
    assert!(
        daemon.log().contains("did you mean answer?"),
        "{}",
        daemon.log()
    );
    assert_eq!(ask(&mut daemon.connect(), "postfix a.test"), "OK encrypt");
    std::fs::write(daemon.config(), good.replace("encrypt", "dane-only")).unwrap();
    daemon.signal("-HUP");
    daemon.until(|daemon| daemon.log().contains("reloaded"));
    assert_eq!(ask(&mut daemon.connect(), "postfix a.test"), "OK dane-only");
    assert_eq!(daemon.tool(&["config", "check"]).status.code(), Some(0));
    std::fs::write(daemon.config(), "[dane]\nhalf_dan = true\n").unwrap();
    let check = daemon.tool(&["config", "check"]);
    assert_eq!(check.status.code(), Some(2));
    let words = String::from_utf8_lossy(&check.stderr).into_owned();
    assert!(
        words.contains("line 2") && words.contains("half_dane"),
        "{words}"
    );
}

/// SIGTERM: requests in hand are answered, sockets are removed, exit status 0.
#[test]
fn drain_answers_what_is_in_hand() {
    let mut daemon = Daemon::start("[profile.postfix]\ndeadline = \"2s\"\n");
    let mut busy = daemon.connect();
    write!(busy, "20:postfix example.test,").unwrap();
    sleep(Duration::from_millis(300));
    let mut idle = daemon.connect();
    daemon.signal("-TERM");
    assert!(is_closed(&mut idle));
    assert!(reply(&mut busy).starts_with("TEMP "));
    assert_eq!(
        daemon.child.wait().unwrap().code(),
        Some(0),
        "{}",
        daemon.log()
    );
    assert!(!daemon.socket.exists(), "the socket file is removed");
}

/// Out of descriptors: connections wait, nothing ends, and service resumes.
#[test]
fn out_of_descriptors_is_survived() {
    let mut daemon = Daemon::start_with("", |command| {
        let arguments: Vec<_> = command.get_args().map(ToOwned::to_owned).collect();
        let mut limited = Command::new("sh");
        limited
            .arg("-c")
            .arg("ulimit -n 40; exec \"$0\" \"$@\"")
            .arg(BINARY)
            .args(arguments);
        let log = command.get_current_dir().map(Path::to_path_buf);
        assert!(log.is_none());
        let folder = limited.get_args().last().unwrap().to_owned();
        let folder = Path::new(&folder).parent().unwrap().to_path_buf();
        limited.stderr(std::fs::File::create(folder.join("log")).unwrap());
        limited.stdout(Stdio::null());
        *command = limited;
    });
    let crowd: Vec<UnixStream> = (0..60).map(|_| daemon.connect()).collect();
    daemon.until(|daemon| daemon.log().contains("could not be accepted"));
    drop(crowd);
    let mut after = daemon.connect();
    assert_eq!(ask(&mut after, "postfix localhost"), "NOTFOUND ");
}

/// Exit statuses and words of `query` and `explain`.
#[test]
fn commands_say_what_they_found() {
    let daemon = Daemon::start(
        "[profile.postfix]\ndeadline = \"1s\"\nown_dane = \"yes\"\n[rules.\"a.test\"]\nanswer = \"dane-only\"\n",
    );
    let answered = daemon.tool(&["query", "a.test"]);
    assert_eq!(answered.status.code(), Some(0));
    assert_eq!(String::from_utf8_lossy(&answered.stdout), "OK dane-only\n");
    let json = daemon.tool(&["query", "a.test", "--json"]);
    let value: serde_json::Value = serde_json::from_slice(&json.stdout).unwrap();
    assert_eq!(value["verdict"], "dane-only");
    assert_eq!(
        (&value["row"], &value["rule"]),
        (&"rule".into(), &"a.test".into())
    );
    let waits = daemon.tool(&["explain", "b.test"]);
    assert_eq!(waits.status.code(), Some(1));
    assert!(
        String::from_utf8_lossy(&waits.stdout).contains("MAIL WAITS"),
        "{waits:?}"
    );
    assert_eq!(daemon.tool(&["query", "a..b"]).status.code(), Some(2));
    let direct = daemon.tool(&["query", "a.test", "--direct"]);
    assert_eq!(String::from_utf8_lossy(&direct.stdout), "OK dane-only\n");
    let config = daemon.config();
    drop(daemon);
    let nobody = Command::new(BINARY)
        .args(["query", "a.test"])
        .output()
        .unwrap();
    assert!(
        matches!(nobody.status.code(), Some(0 | 1 | 3)),
        "{nobody:?} {}",
        config.display()
    );
}

/// PF-17: unix sockets are for owner and group; the control socket is apart from the map.
#[test]
fn sockets_are_not_for_everybody() {
    use std::os::unix::fs::PermissionsExt as _;
    let daemon = Daemon::start("");
    for path in [&daemon.socket, &daemon.control()] {
        let mode = std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode, 0o660, "{}", path.display());
    }
}

/// The HTTP interface answers to local names only, and shows figures in both forms.
#[test]
fn http_checks_its_host_field() {
    let port = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    let daemon = Daemon::start("");
    let text = std::fs::read_to_string(daemon.config()).unwrap();
    let text = text.replace("http = []", &format!("http = [\"inet:127.0.0.1:{port}\"]"));
    drop(daemon);
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("hoplock.toml");
    let own = text.lines().map(|line| match line.split_once(" = ") {
        Some(("socketmap", _)) => "socketmap = []".to_owned(),
        Some(("control", _)) => format!("control = \"unix:{}\"", folder.path().join("c").display()),
        _ => line.to_owned(),
    });
    std::fs::write(&config, own.collect::<Vec<_>>().join("\n")).unwrap();
    let mut child = Command::new(BINARY)
        .arg("serve")
        .arg("--config")
        .arg(&config)
        .spawn()
        .unwrap();
    let get = |path: &str, host: &str, accept: &str| {
        let started = Instant::now();
        let mut stream = loop {
            match TcpStream::connect(("127.0.0.1", port)) {
                Ok(stream) => break stream,
                Err(_) if started.elapsed() < Duration::from_secs(10) => {
                    sleep(Duration::from_millis(20));
                }
                Err(error) => panic!("{error}"),
            }
        };
        write!(
            stream,
            "GET {path} HTTP/1.1\r\nHost: {host}\r\nAccept: {accept}\r\nConnection: close\r\n\r\n"
        )
        .unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).unwrap();
        text
    };
    let plain = get("/metrics", "localhost", "*/*");
    assert!(
        plain.contains("version=0.0.4") && !plain.contains("# EOF"),
        "{plain}"
    );
    let open = get("/metrics", "127.0.0.1:8426", "application/openmetrics-text");
    assert!(open.contains("# EOF"), "{open}");
    assert!(get("/live", "[::1]:8426", "*/*").starts_with("HTTP/1.1 200"));
    assert!(get("/ready", "localhost", "*/*").contains("\"ready\":true"));
    assert!(get("/metrics", "evil.example", "*/*").starts_with("HTTP/1.1 421"));
    child.kill().unwrap();
    child.wait().unwrap();
}

/// Sockets that systemd hands over are used under the names that it gives them.
#[test]
fn systemd_sockets_are_taken_over() {
    use std::os::fd::OwnedFd;
    use std::os::unix::net::UnixListener;
    let handed = tempfile::tempdir().unwrap();
    let path = handed.path().join("activated.sock");
    let listener = UnixListener::bind(&path).unwrap();
    let mut daemon = Daemon::start_with("", |command| {
        let arguments: Vec<_> = command.get_args().map(ToOwned::to_owned).collect();
        let config = PathBuf::from(arguments.last().unwrap());
        let text = std::fs::read_to_string(&config).unwrap();
        let text = text.replace("socketmap = [", "socketmap = [\"systemd:map\", ");
        std::fs::write(&config, text).unwrap();
        let mut activated = Command::new("sh");
        // The shell hands the socket on as descriptor 3, where systemd would put it.
        let script = "exec 3<&0; LISTEN_PID=$$ LISTEN_FDS=1 LISTEN_FDNAMES=map exec \"$0\" \"$@\"";
        activated.arg("-c").arg(script).arg(BINARY).args(arguments);
        activated.stdin(Stdio::from(OwnedFd::from(listener)));
        activated.stderr(std::fs::File::create(config.with_file_name("log")).unwrap());
        activated.stdout(Stdio::null());
        *command = activated;
    });
    let mut stream = UnixStream::connect(&path).unwrap();
    assert_eq!(ask(&mut stream, "postfix localhost"), "NOTFOUND ");
    assert_eq!(ask(&mut daemon.connect(), "postfix localhost"), "NOTFOUND ");
    daemon.signal("-TERM");
    assert_eq!(daemon.child.wait().unwrap().code(), Some(0));
    assert!(path.exists(), "a socket of systemd's is left to systemd");
}
