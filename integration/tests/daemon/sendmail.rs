//! Sendmail's session check at the real daemon: a resolver, a mail host with TLS, and the keys that
//! Sendmail writes (SV-10).

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::spawn;
use std::time::{Duration, Instant};

use hoplock_policy::tlsa::TlsaRecord;
use hoplock_policy::verify::Certificate;
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use rustls_pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use sha2::{Digest as _, Sha256};

use super::process::{Daemon, ask};

/// A mail host on port 25 of an address of its own on loopback.
struct Host {
    address: Ipv4Addr,
    leaf: Vec<u8>,
    connections: Arc<AtomicUsize>,
}

impl Host {
    /// `None` where this test may not listen there: ports below 1024 are for root.
    fn start() -> Option<Self> {
        let made = rcgen::generate_simple_self_signed(vec!["mx.e.test".to_owned()]).unwrap();
        let leaf = made.cert.der().clone();
        let key = PrivatePkcs8KeyDer::from(made.signing_key.serialize_der());
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![leaf.clone()], PrivateKeyDer::Pkcs8(key))
            .unwrap();
        let config = Arc::new(config);
        let connections = Arc::new(AtomicUsize::new(0));
        let octet = || fastrand::u8(1..=254);
        let address = Ipv4Addr::new(127, octet(), octet(), octet());
        let listener = TcpListener::bind((address, 25)).ok()?;
        let counted = Arc::clone(&connections);
        spawn(move || {
            for stream in listener.incoming().flatten() {
                counted.fetch_add(1, Ordering::SeqCst);
                let config = Arc::clone(&config);
                spawn(move || serve(stream, config));
            }
        });
        Some(Self {
            address,
            leaf: leaf.to_vec(),
            connections,
        })
    }
}

fn serve(mut stream: TcpStream, config: Arc<ServerConfig>) -> Option<()> {
    stream.write_all(b"220 mx.e.test ESMTP\r\n").ok()?;
    let mut lines = BufReader::new(stream.try_clone().ok()?).lines();
    loop {
        let line = lines.next()?.ok()?;
        match line.split(' ').next()? {
            "EHLO" => stream
                .write_all(b"250-mx.e.test\r\n250 STARTTLS\r\n")
                .ok()?,
            "STARTTLS" => break,
            _ => return None,
        }
    }
    stream.write_all(b"220 go ahead\r\n").ok()?;
    let connection = ServerConnection::new(config).ok()?;
    let mut secure = BufReader::new(StreamOwned::new(connection, stream));
    loop {
        let mut line = String::new();
        secure
            .read_line(&mut line)
            .ok()
            .filter(|length| *length > 0)?;
        let reply = match line.starts_with("EHLO") {
            true => "250 mx.e.test\r\n",
            false => "221 bye\r\n",
        };
        secure.get_mut().write_all(reply.as_bytes()).ok()?;
    }
}

/// A validating resolver, in so far as it says so, that knows `e.test` with its host and record, and of
/// `plain.test` a host without any.
fn resolver(host: Ipv4Addr, tlsa: Vec<u8>) -> SocketAddr {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let address = socket.local_addr().unwrap();
    spawn(move || {
        let mut query = [0; 2048];
        while let Ok((length, client)) = socket.recv_from(&mut query) {
            let reply = reply(&query[..length], host, &tlsa);
            let _ = socket.send_to(&reply, client);
        }
    });
    address
}

fn reply(query: &[u8], host: Ipv4Addr, tlsa: &[u8]) -> Vec<u8> {
    let (mut end, mut labels) = (12, Vec::new());
    while query[end] != 0 {
        let length = usize::from(query[end]);
        labels.push(String::from_utf8_lossy(&query[end + 1..=end + length]).to_lowercase());
        end += 1 + length;
    }
    let question = &query[12..end + 5];
    let kind = u16::from_be_bytes([query[end + 1], query[end + 2]]);
    let name = labels.join(".");
    let data = match (name.as_str(), kind) {
        // Preference 10, `mx` and the name that was asked for.
        ("e.test" | "plain.test", 15) => Some(vec![0, 10, 2, b'm', b'x', 0xc0, 12]),
        ("mx.e.test" | "mx.plain.test", 1) => Some(host.octets().to_vec()),
        ("_25._tcp.mx.e.test", 52) => Some(tlsa.to_vec()),
        _ => None,
    };
    let mut bytes = query[..2].to_vec();
    // A response, recursion, AD; no error.
    bytes.extend([0x81, 0xa0, 0, 1, 0, u8::from(data.is_some()), 0, 0, 0, 0]);
    bytes.extend(question);
    if let Some(data) = data {
        bytes.extend([0xc0, 12]);
        bytes.extend(kind.to_be_bytes());
        bytes.extend([0, 1, 0, 0, 1, 44]);
        bytes.extend(u16::try_from(data.len()).unwrap().to_be_bytes());
        bytes.extend(data);
    }
    bytes
}

fn start(server: Option<SocketAddr>) -> Daemon {
    Daemon::start_with("[profile.sendmail]\nverifier = true\n", |command| {
        let Some(server) = server else { return };
        let config = PathBuf::from(command.get_args().last().unwrap());
        let text = std::fs::read_to_string(&config).unwrap();
        let (before, rest) = text.split_once("servers = [\"").unwrap();
        let (_, after) = rest.split_once('"').unwrap();
        std::fs::write(&config, format!("{before}servers = [\"{server}\"{after}")).unwrap();
    })
}

fn key(domain: &str, address: IpAddr, verify: &str, leaf: &[u8]) -> String {
    let digest = Sha256::digest(leaf);
    let octets: Vec<String> = digest.iter().map(|octet| format!("{octet:02x}")).collect();
    let digest = octets.join(":");
    format!(
        "verifier u@{domain} | mx.{domain} | {address} | {verify} | tlsv1.3 | {digest} |/cn=x | x | x"
    )
}

fn checked(stream: &mut UnixStream, key: &str) -> String {
    let begun = Instant::now();
    let answer = ask(stream, key);
    assert!(begun.elapsed() < Duration::from_secs(5), "{answer}");
    answer
}

/// SV-10: the right certificate is let through, by a probe of the very host, once; another one is
/// refused, and so is clear text; and all of it stands in the journal, as seen before the mail.
#[test]
fn sessions_are_checked_before_the_mail() {
    let Some(host) = Host::start() else {
        println!("port 25 is not ours: nothing is tested here");
        return;
    };
    let certificate = Certificate::from_der(host.leaf.clone());
    let record = TlsaRecord::naming(&certificate, 3, 1, 1).unwrap();
    let daemon = start(Some(resolver(host.address, record.rdata())));
    let mut stream = daemon.connect();
    let address = IpAddr::V4(host.address);
    let good = key("e.test", address, "fail", &host.leaf);
    assert_eq!(checked(&mut stream, &good), "OK ok", "{}", daemon.log());
    assert_eq!(checked(&mut stream, &good), "OK ok");
    assert_eq!(host.connections.load(Ordering::SeqCst), 1);
    let refused = checked(&mut stream, &key("e.test", address, "trusted", b"another"));
    assert!(refused.starts_with("OK report-incomplete: "), "{refused}");
    for domain in ["e.test", "plain.test"] {
        let clear = format!("verifier u@{domain} | mx.{domain} | {address} | none | | | | |");
        let answer = checked(&mut stream, &clear);
        let is_refused = answer.starts_with("OK starttls-not-offered: ");
        assert_eq!(is_refused, domain == "e.test", "{answer}");
        assert!(is_refused || answer == "OK ok", "{answer}");
    }
    let listed = daemon.tool(&["sessions", "--json"]);
    let listed = String::from_utf8_lossy(&listed.stdout).into_owned();
    assert_eq!(listed.matches("\"sendmail\"").count(), 5, "{listed}");
    assert_eq!(listed.matches("\"before-mail\"").count(), 5, "{listed}");
    assert_eq!(listed.matches("authenticated-dane").count(), 2, "{listed}");
}

/// SV-10, PF-04: with a resolver that swallows everything Sendmail is told to wait within its 5 s; a key
/// that tells of no session is refused, on the same connection as policies.
#[test]
fn slow_lookups_and_bad_keys_are_answered() {
    let daemon = start(None);
    let mut stream = daemon.connect();
    let address = IpAddr::V4(Ipv4Addr::LOCALHOST);
    let answer = checked(&mut stream, &key("e.test", address, "trusted", b"any"));
    assert!(answer.starts_with("TEMP "), "{answer}");
    let answer = checked(&mut stream, "verifier u@e.test");
    assert!(answer.starts_with("OK bad-request: "), "{answer}");
    assert!(checked(&mut stream, "verifier ").starts_with("TEMP bad-request: "));
    assert_eq!(checked(&mut stream, "sendmail localhost"), "NOTFOUND ");
    assert_eq!(checked(&mut stream, "sts [192.0.2.1]"), "NOTFOUND ");
    let literal = "verifier u@[127.0.0.1] | [127.0.0.1] | 127.0.0.1 | none | | | | |";
    assert_eq!(checked(&mut stream, literal), "OK ok");
}
