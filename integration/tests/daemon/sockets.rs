//! Sockets: which of them take orders, what may stand at their paths, what systemd hands over; and what
//! a reload or doctor says of them.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;

use super::process::{BINARY, Daemon, ask, reply};

/// Rewrites the configuration that a command is going to read.
fn rewrite(command: &Command, change: impl FnOnce(String, &Path) -> String) {
    let config = PathBuf::from(command.get_args().last().unwrap());
    let text = std::fs::read_to_string(&config).unwrap();
    let text = change(text, config.parent().unwrap());
    std::fs::write(&config, text).unwrap();
}

/// The status of an HTTP request.
fn http(socket: &Path, request: &str) -> String {
    let mut stream = UnixStream::connect(socket).unwrap();
    write!(
        stream,
        "{request} HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
    )
    .unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    text.split_whitespace().nth(1).unwrap().to_owned()
}

/// Orders are taken on the control socket alone, also where HTTP has a unix socket of its own; what
/// `[listen]` says of modes opens the control socket to nobody.
#[test]
fn orders_on_the_control_socket_alone() {
    let daemon = Daemon::start_with("", |command| {
        rewrite(command, |text, folder| {
            let http = format!(
                "http = [\"unix:{}\"]\nmode = \"0666\"",
                folder.join("http.sock").display()
            );
            text.replace("http = []", &http)
        });
    });
    let http_socket = daemon.folder.path().join("http.sock");
    assert_eq!(http(&http_socket, "GET /live"), "200");
    assert_eq!(http(&http_socket, "GET /api/v1/rules"), "200");
    for order in [
        "POST /api/v1/rules",
        "DELETE /api/v1/rules?pattern=a.test",
        "POST /api/v1/cache/purge",
    ] {
        let status = http(&http_socket, order);
        assert!(
            matches!(status.as_str(), "404" | "405"),
            "{order}: {status}"
        );
        let status = http(&daemon.control(), order);
        assert!(
            !matches!(status.as_str(), "404" | "405"),
            "{order}: {status}"
        );
    }
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&daemon.socket), 0o666);
    assert_eq!(mode(&http_socket), 0o666);
    assert_eq!(mode(&daemon.control()), 0o660);
}

/// A slip of the pen in a path costs no file.
#[test]
fn what_is_no_socket_is_not_removed() {
    let folder = tempfile::tempdir().unwrap();
    let (precious, config) = (
        folder.path().join("rules"),
        folder.path().join("hoplock.toml"),
    );
    std::fs::write(&precious, "precious").unwrap();
    let text = format!(
        "[listen]\nsocketmap = [\"unix:{}\"]\nhttp = []\ncontrol = \"unix:{}\"\n\
         [store]\npath = \"{}\"\n[dns]\nservers = [\"127.0.0.1:9\"]\nself_test = \"\"\n",
        precious.display(),
        folder.path().join("control").display(),
        folder.path().join("state.db").display()
    );
    std::fs::write(&config, text).unwrap();
    let output = Command::new(BINARY)
        .args(["serve", "--config"])
        .arg(&config)
        .output()
        .unwrap();
    let words = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{words}");
    assert!(words.contains("no socket"), "{words}");
    assert_eq!(std::fs::read_to_string(&precious).unwrap(), "precious");
}

/// One .socket unit with two lines hands over two sockets of one name; a name that nobody uses is
/// warned of.
#[test]
fn systemd_hands_over_several_of_one_name() {
    let handed = tempfile::tempdir().unwrap();
    let paths = ["one", "two"].map(|name| handed.path().join(name));
    let [one, two] = paths.clone().map(|path| UnixListener::bind(path).unwrap());
    let mut daemon = Daemon::start_with("", |command| {
        let arguments: Vec<_> = command.get_args().map(ToOwned::to_owned).collect();
        rewrite(command, |text, _| {
            text.replace("socketmap = [", "socketmap = [\"systemd:map\", ")
        });
        let config = PathBuf::from(arguments.last().unwrap());
        let script = "exec 3<&0 4<&1 5<&0; LISTEN_PID=$$ LISTEN_FDS=3 LISTEN_FDNAMES=map:map:stray \
                      exec \"$0\" \"$@\"";
        let mut activated = Command::new("sh");
        activated.arg("-c").arg(script).arg(BINARY).args(arguments);
        activated.stdin(Stdio::from(OwnedFd::from(one)));
        activated.stdout(Stdio::from(OwnedFd::from(two)));
        activated.stderr(std::fs::File::create(config.with_file_name("log")).unwrap());
        *command = activated;
    });
    for path in &paths {
        let mut stream = UnixStream::connect(path).unwrap();
        assert_eq!(ask(&mut stream, "postfix localhost"), "NOTFOUND ");
    }
    daemon.until(|daemon| daemon.log().contains("\"stray\""));
}

/// OP-10: a socket of systemd's at an address or path that `[listen]` names is taken for it, so that one
/// configuration serves with and without `hoplock.socket`; who asks while nobody serves is answered by the next.
#[test]
fn systemd_holds_the_sockets_that_listen_names() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("map");
    let (unix, tcp) = (
        UnixListener::bind(&path).unwrap(),
        TcpListener::bind("127.0.0.1:0").unwrap(),
    );
    let address = tcp.local_addr().unwrap();
    let start = |host: &str| {
        let port = address.port();
        let (unix, tcp) = (unix.try_clone().unwrap(), tcp.try_clone().unwrap());
        Daemon::start_with("", |command| {
            let arguments: Vec<_> = command.get_args().map(ToOwned::to_owned).collect();
            rewrite(command, |text, _| {
                let own = format!(
                    "socketmap = [\"inet:{host}:{port}\", \"unix:{}\", ",
                    path.display()
                );
                text.replace("socketmap = [", &own)
            });
            let config = PathBuf::from(arguments.last().unwrap());
            let script =
                "exec 3<&0 4<&1; LISTEN_PID=$$ LISTEN_FDS=2 LISTEN_FDNAMES=a:b exec \"$0\" \"$@\"";
            let mut activated = Command::new("sh");
            activated.arg("-c").arg(script).arg(BINARY).args(arguments);
            activated.stdin(Stdio::from(OwnedFd::from(unix)));
            activated.stdout(Stdio::from(OwnedFd::from(tcp)));
            activated.stderr(std::fs::File::create(config.with_file_name("log")).unwrap());
            *command = activated;
        })
    };
    let mut first = start("127.0.0.1");
    assert_eq!(
        ask(
            &mut UnixStream::connect(&path).unwrap(),
            "postfix localhost"
        ),
        "NOTFOUND "
    );
    assert!(
        !first.log().contains("systemd handed over"),
        "{}",
        first.log()
    );
    first.signal("-TERM");
    let ended = first.child.wait().unwrap().code();
    assert_eq!(ended, Some(0), "{}", first.log());
    // Nobody serves, and nobody is turned away.
    let mut early = UnixStream::connect(&path).unwrap();
    let mut also = TcpStream::connect(address).unwrap();
    // A name is as good as the address.
    let _second = start("localhost");
    assert_eq!(ask(&mut early, "postfix localhost"), "NOTFOUND ");
    also.write_all(b"17:postfix localhost,").unwrap();
    assert_eq!(reply(&mut also), "NOTFOUND ");
}

/// OP-08: a reload says what it could not change, and doctor sees that the daemon has the old.
#[test]
fn a_reload_names_what_needs_a_restart() {
    let mut daemon = Daemon::start("");
    let text = std::fs::read_to_string(daemon.config()).unwrap();
    let servers = text
        .lines()
        .find(|line| line.starts_with("servers"))
        .unwrap();
    let changed = text
        .replace(servers, "servers = [\"127.0.0.1:9\"]")
        .replace(
            "socketmap = [",
            "socketmap = [\"unix:/nowhere/else/map.sock\", ",
        );
    std::fs::write(daemon.config(), changed).unwrap();
    daemon.signal("-HUP");
    daemon.until(|daemon| daemon.log().contains("restart hoplock for them"));
    assert!(daemon.log().contains("[listen], [dns]"), "{}", daemon.log());
    let output = daemon.tool(&["doctor", "--json"]);
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    let state = |check: &str, words: &str| {
        let findings = report["findings"].as_array().unwrap();
        let found = findings.iter().find(|finding| {
            finding["check"] == check && finding["what"].as_str().unwrap().contains(words)
        });
        found.map_or("", |finding| finding["state"].as_str().unwrap())
    };
    assert_eq!(state("daemon", "runs"), "fine", "{report:#}");
    assert_eq!(
        state("daemon-resolver", "127.0.0.1:9"),
        "advice",
        "{report:#}"
    );
    assert_eq!(state("sockets", "/nowhere/else"), "advice", "{report:#}");
    // What the daemon cannot see, doctor does not hush up.
    assert_ne!(state("alarm", "Postfix's own DNSSEC"), "fine", "{report:#}");
}
