//! Messages that demand TLS on their whole way, or do without it, and the guard's sockets.

use std::io::{Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;

use super::name_server::{self, A, MX, TLSA, mx};
use super::process::{Daemon, ask};

/// `dane.test` with DANE at its only host, `plain.test` in unsigned space, `lost.test` whose MX lookup fails.
fn server() -> std::net::SocketAddr {
    let tlsa = [&[3, 1, 1][..], &[7; 32]].concat();
    name_server::start(vec![
        ("dane.test", MX, mx(10, "mx.dane.test")),
        ("mx.dane.test", A, vec![192, 0, 2, 1]),
        ("_25._tcp.mx.dane.test", TLSA, tlsa),
        ("plain.test", MX, mx(10, "mx.plain.test")),
        ("mx.plain.test", A, vec![192, 0, 2, 2]),
        ("lost.test", MX, Vec::new()),
    ])
}

const OWN_DANE: &str =
    "[profile.postfix]\nown_dane = \"yes\"\n[profile.postfix310]\nown_dane = \"yes\"\n";

/// RQ-03, RQ-05: the map for messages that opt out answers `may`, whatever is published; the one for
/// `smtp_requiretls_policy` tells what can keep REQUIRETLS from what cannot, and both from what nobody knows.
#[test]
fn maps_for_rfc_8689() {
    let daemon = Daemon::start_over(server(), OWN_DANE);
    let mut stream = daemon.connect();
    assert_eq!(ask(&mut stream, "postfix dane.test"), "OK dane-only");
    for domain in ["dane.test", "plain.test", "lost.test"] {
        assert_eq!(ask(&mut stream, &format!("bypass {domain}")), "OK may");
    }
    assert_eq!(ask(&mut stream, "requiretls dane.test"), "OK enforce");
    assert_eq!(ask(&mut stream, "requiretls plain.test"), "NOTFOUND ");
    let lost = ask(&mut stream, "requiretls lost.test");
    assert!(lost.starts_with("TEMP mx-lookup-failed: "), "{lost}");
}

/// RQ-03: what the operator demands stands above what the message does without.
#[test]
fn the_operator_stands_above_the_message() {
    let rules = format!(
        "{OWN_DANE}[profile.bypass]\nown_dane = \"yes\"\n[rules.\"dane.test\"]\nmode = \"mandatory\"\n\
         [rules.\"plain.test\"]\nanswer = \"encrypt\"\n"
    );
    let daemon = Daemon::start_over(server(), &rules);
    let mut stream = daemon.connect();
    assert_eq!(ask(&mut stream, "bypass dane.test"), "OK dane-only");
    assert_eq!(ask(&mut stream, "bypass plain.test"), "OK encrypt");
}

/// The sockets of the guard are there, and rules come and go by a reload (OP-08).
#[test]
fn the_guard_listens() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("policy");
    let listen = format!("policy = [\"unix:{}\"]\n", path.display());
    let guard = "[guard]\n[[guard.rules]]\nprotection = [\"opportunistic\"]\naction = \"reject\"\n";
    let more = format!("{OWN_DANE}{guard}");
    let server = server();
    let daemon = Daemon::start_with(&more, |command| {
        let config = PathBuf::from(command.get_args().last().unwrap());
        let text = std::fs::read_to_string(&config).unwrap();
        let text = text.replacen("[listen]\n", &format!("[listen]\n{listen}"), 1);
        let (before, after) = text.split_once("servers = [").unwrap();
        let (_, after) = after.split_once(']').unwrap();
        let text = format!("{before}servers = [\"{server}\"]{after}");
        std::fs::write(&config, text).unwrap();
    });
    let mut stream = UnixStream::connect(&path).unwrap();
    let mut asked = |recipient: &str| {
        let request = format!(
            "request=smtpd_access_policy\nprotocol_state=RCPT\nsender=s@own.test\nrecipient={recipient}\n\n"
        );
        stream.write_all(request.as_bytes()).unwrap();
        let mut reply = Vec::new();
        while !reply.ends_with(b"\n\n") {
            let mut piece = [0; 1000];
            let length = stream.read(&mut piece).unwrap();
            assert!(length > 0, "it hung up");
            reply.extend_from_slice(&piece[..length]);
        }
        String::from_utf8(reply).unwrap()
    };
    assert_eq!(asked("r@dane.test"), "action=DUNNO\n\n");
    let refused = asked("r@plain.test");
    assert!(
        refused.starts_with("action=550 5.7.1 mail for plain.test would be opportunistic"),
        "{refused}"
    );
    let text = std::fs::read_to_string(daemon.config()).unwrap();
    let text = text.replace("action = \"reject\"", "action = \"warn\"");
    std::fs::write(daemon.config(), text).unwrap();
    daemon.signal("-HUP");
    for _ in 0..100 {
        if asked("r@plain.test").starts_with("action=WARN ") {
            return;
        }
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    panic!("the rule was not reloaded");
}
