//! Exim's readsocket and the DNS answers, at the real daemon: certificates on connections of their own,
//! what is hostile, what is slow, a restart in the middle of a handshake (EX-01, EX-02, EX-06).

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpStream, UdpSocket};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::thread::{sleep, spawn};
use std::time::{Duration, Instant};

use hickory_proto::op::{Message, Query, ResponseCode};
use hickory_proto::rr::{Name, RData, RecordType};
use sha2::{Digest as _, Sha256};

use super::process::Daemon;

struct Exim {
    daemon: Daemon,
    socket: PathBuf,
}

/// A daemon that Exim asks, with rules, since nothing can be looked up here: `pinned.test` shows the
/// certificate of this digest.
fn start(pinned: &[u8], more: &str) -> Exim {
    let folder = tempfile::tempdir().unwrap().keep();
    let socket = folder.join("exim.sock");
    let digest = data_encoding::HEXUPPER.encode(&Sha256::digest(pinned));
    let rules = format!(
        "\n[rules.\"tls.test\"]\nanswer = \"encrypt\"\n[rules.\"any.test\"]\nanswer = \"may\"\n\
         [rules.\"pinned.test\"]\nanswer = \"fingerprint\"\nfingerprints = [\"{digest}\"]\n{more}"
    );
    let mut daemon = Daemon::start_with(&rules, |command| {
        let config = PathBuf::from(command.get_args().last().unwrap());
        let text = std::fs::read_to_string(&config).unwrap();
        let line = format!(
            "readsocket = [\"unix:{}\"]\ndns = [\"inet:127.0.0.1:0\"]\nhttp = []",
            socket.display()
        );
        std::fs::write(&config, text.replacen("http = []", &line, 1)).unwrap();
    });
    daemon.until(|daemon| socket.exists() && daemon.log().contains("answering DNS queries"));
    Exim { daemon, socket }
}

impl Exim {
    fn connect(&self) -> UnixStream {
        let stream = UnixStream::connect(&self.socket).unwrap();
        let patience = Some(Duration::from_secs(20));
        stream.set_read_timeout(patience).unwrap();
        stream
    }

    /// As Exim asks: it writes, shuts its side down, and reads to the end.
    fn ask(&self, line: &str) -> String {
        let mut stream = self.connect();
        stream.write_all(line.as_bytes()).unwrap();
        stream.write_all(b"\n").unwrap();
        stream.shutdown(Shutdown::Write).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    }

    fn show(&self, pid: u32, depth: u32, der: &[u8]) -> String {
        let digest = data_encoding::HEXUPPER.encode(&Sha256::digest(der));
        let der = data_encoding::BASE64.encode(der);
        let host = "mx.pinned.test 192.0.2.1 25";
        self.ask(&format!(
            "hoplock1 cert {pid} {depth} pinned.test {host} {digest} {der}"
        ))
    }

    fn dns(&self) -> SocketAddr {
        let log = self.daemon.log();
        let line = log
            .lines()
            .rfind(|line| line.contains("answering DNS queries"));
        let (_, address) = line.unwrap().split_once("address=").unwrap();
        address.split_whitespace().next().unwrap().parse().unwrap()
    }
}

fn certificate() -> Vec<u8> {
    let names = vec!["mx.pinned.test".to_owned()];
    let made = rcgen::generate_simple_self_signed(names).unwrap();
    made.cert.der().to_vec()
}

/// EX-01: exact words, with the client's half-close and without, and the connection ends.
#[test]
fn one_line_for_one_line() {
    let exim = start(b"", "");
    assert_eq!(exim.ask("hoplock1 level tls.test"), "enforce");
    assert_eq!(exim.ask("hoplock1 level any.test"), "may");
    assert_eq!(exim.ask("hoplock1 level [192.0.2.1]"), "may");
    assert_eq!(exim.ask("hoplock1 mx tls.test mx.tls.test"), "ok");
    let option = "hoplock1 option hosts_require_tls";
    assert_eq!(
        exim.ask(&format!("{option} tls.test mx.tls.test")),
        "value yes"
    );
    assert_eq!(
        exim.ask(&format!("{option} any.test mx.any.test")),
        "value no"
    );
    let words = "value enforce verdict=encrypt reason=rule row=rule";
    assert_eq!(exim.ask("policy=tls.test"), words);
    let mut open = exim.connect();
    open.write_all(b"hoplock1 level tls.test\n").unwrap();
    let mut answer = String::new();
    open.read_to_string(&mut answer).unwrap();
    assert_eq!(answer, "enforce");
}

/// EX-01, EX-02, FT-03: with a resolver that swallows everything each verb is answered within Exim's 5 s,
/// in a word at which nothing goes on; others are answered meanwhile.
#[test]
fn slow_lookups_are_a_delay_in_time() {
    let exim = start(b"", "");
    let begun = Instant::now();
    let lines = [
        ("hoplock1 level slow.test", "defer deadline: "),
        ("hoplock1 mx slow.test mx.slow.test", "refuse deadline: "),
        ("txt=slow.test", "defer d"),
        ("policy=slow.test", "defer deadline: "),
    ];
    let asked = lines.map(|(line, beginning)| {
        let mut stream = exim.connect();
        writeln!(stream, "{line}").unwrap();
        (stream, beginning)
    });
    assert_eq!(exim.ask("hoplock1 level tls.test"), "enforce");
    assert!(begun.elapsed() < Duration::from_secs(4));
    for (mut stream, beginning) in asked {
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        assert!(answer.starts_with(beginning), "{answer}");
    }
    assert!(
        begun.elapsed() < Duration::from_secs(5),
        "{:?}",
        begun.elapsed()
    );
}

/// EX-06, SV-10: two processes show their certificates at once, and only the right leaf goes on; the
/// refusal is told before the mail, in the log and to whoever lists sessions.
#[test]
fn a_wrong_certificate_is_refused() {
    let (right, wrong, issuer) = (certificate(), certificate(), certificate());
    let mut exim = start(&right, "");
    assert_eq!(exim.ask("hoplock1 level pinned.test"), "enforce");
    assert_eq!(exim.show(100, 1, &issuer), "ok");
    assert_eq!(exim.show(200, 1, &issuer), "ok");
    let refused = exim.show(200, 0, &wrong);
    assert!(refused.starts_with("refuse pin-no-match: "), "{refused}");
    assert_eq!(exim.show(100, 0, &right), "ok");
    exim.daemon.until(|daemon| {
        let log = daemon.log();
        log.contains("a session was below its policy") && log.contains("before-mail")
    });
    assert!(
        exim.daemon.log().contains("refused"),
        "{}",
        exim.daemon.log()
    );
    // A restart in the middle of a handshake: the leaf is judged by itself.
    assert_eq!(exim.show(300, 1, &issuer), "ok");
    exim.daemon.crash_and_restart();
    let socket = exim.socket.clone();
    exim.daemon.until(|_| UnixStream::connect(&socket).is_ok());
    let refused = exim.show(300, 0, &wrong);
    assert!(refused.starts_with("refuse pin-no-match: "), "{refused}");
    assert_eq!(exim.show(300, 0, &right), "ok");
}

/// EX-01, EX-02: garbage, nothing, bytes without end: an answer that nobody hopes for, and service goes
/// on.
#[test]
fn what_is_hostile_is_answered() {
    let exim = start(b"", "");
    for (bytes, beginning) in [
        (&b""[..], "defer bad-request: "),
        (b"\xff\x00\x01", "defer bad-request: "),
        (b"hoplock1 cert 1 0 x", "refuse bad-request: "),
        (b"hoplock1 mx", "refuse bad-request: "),
        (b"17:postfix tls.test,", "defer bad-request: "),
    ] {
        let mut stream = exim.connect();
        stream.write_all(bytes).unwrap();
        stream.shutdown(Shutdown::Write).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        assert!(answer.starts_with(beginning), "{answer}");
    }
    let mut stream = exim.connect();
    let long = format!("hoplock1 cert 1 0 {}\n", "a".repeat(2 * 1024 * 1024));
    stream.write_all(long.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("refuse bad-request: "), "{answer}");
    assert_eq!(exim.ask("hoplock1 level tls.test"), "enforce");
}

/// FT-03: where no place is free and none is idle, the new one is told; SIGTERM answers what is in hand.
#[test]
fn busy_and_draining() {
    let mut exim = start(b"", "[limits]\nconnections = 1\n");
    let mut slow = exim.connect();
    slow.write_all(b"hoplock1 level slow.test\n").unwrap();
    sleep(Duration::from_millis(500));
    let busy = exim.ask("hoplock1 mx tls.test mx.tls.test");
    assert!(busy.starts_with("refuse busy: "), "{busy}");
    exim.daemon.signal("-TERM");
    let mut answer = String::new();
    slow.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("defer deadline: "), "{answer}");
    drop(slow);
    assert_eq!(exim.daemon.child.wait().unwrap().code(), Some(0));
    assert!(!exim.socket.exists(), "the socket file is removed");
}

/// The same policy by DNS, over UDP and TCP; what cannot be told in time is a failure.
#[test]
fn policies_by_dns() {
    let exim = start(b"", "");
    let server = exim.dns();
    let query = |owner: &str| {
        let mut message = Message::query();
        let name = Name::from_ascii(format!("{owner}.policy.hoplock.internal.")).unwrap();
        message.add_query(Query::query(name, RecordType::TXT));
        message.to_vec().unwrap()
    };
    let by_udp = |owner: &str| {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        socket
            .set_read_timeout(Some(Duration::from_secs(10)))
            .unwrap();
        socket.send_to(&query(owner), server).unwrap();
        let mut buffer = [0; 4096];
        let (length, from) = socket.recv_from(&mut buffer).unwrap();
        assert_eq!(from, server);
        Message::from_vec(&buffer[..length]).unwrap()
    };
    let level = |message: &Message| match &message.answers[0].data {
        RData::TXT(txt) => String::from_utf8(txt.txt_data[0].to_vec()).unwrap(),
        other => panic!("{other:?}"),
    };
    let begun = Instant::now();
    spawn({
        let asked = query("slow.test");
        move || {
            UdpSocket::bind("127.0.0.1:0")
                .unwrap()
                .send_to(&asked, server)
        }
    });
    assert_eq!(level(&by_udp("tls.test")), "enforce");
    assert_eq!(level(&by_udp("any.test")), "may");
    let mut stream = TcpStream::connect(server).unwrap();
    let asked = query("tls.test");
    let length = u16::try_from(asked.len()).unwrap().to_be_bytes();
    stream.write_all(&[&length[..], &asked].concat()).unwrap();
    let mut length = [0; 2];
    stream.read_exact(&mut length).unwrap();
    let mut reply = vec![0; usize::from(u16::from_be_bytes(length))];
    stream.read_exact(&mut reply).unwrap();
    assert_eq!(level(&Message::from_vec(&reply).unwrap()), "enforce");
    let failed = by_udp("slow.test");
    assert_eq!(failed.metadata.response_code, ResponseCode::ServFail);
    assert!(begun.elapsed() < Duration::from_secs(5));
}
