//! Session reports for `hoplock verify --jsonl`, one on a line: `sessions KIND NUMBER`, where KIND is
//! `none` (no evidence: reading alone), `ee` (a leaf that a DANE-EE record names) or `ta` (leaf,
//! intermediate and root, by a record of the root).
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a tool of the tests"
)]

use std::io::{BufWriter, Write as _};

use hoplock_policy::tlsa::TlsaRecord;
use hoplock_policy::verify::Certificate;
use hoplock_wire::session::{ReportedSession, Sni, Starttls};
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose};

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let (kind, number) = match &arguments[..] {
        [_, kind, number] => (kind.as_str(), number.parse::<usize>().unwrap()),
        _ => {
            eprintln!("usage: sessions none|ee|ta NUMBER");
            std::process::exit(2);
        }
    };
    let sessions: Vec<ReportedSession> = (0..HOSTS).map(|host| session(kind, host)).collect();
    let mut out = BufWriter::new(std::io::stdout().lock());
    let mut line = Vec::new();
    for at in 0..number {
        line.clear();
        sessions[at % HOSTS].encode(&mut line);
        out.write_all(&line).unwrap();
    }
}

fn session(kind: &str, number: usize) -> ReportedSession {
    let host = format!("mx.d{number}.test");
    let chain = chain(&host);
    let record = |at: usize, usage| {
        let certificate = Certificate::from_der(chain[at].clone());
        TlsaRecord::naming(&certificate, usage, 1, 1)
            .unwrap()
            .to_string()
    };
    let tlsa = match kind {
        "ee" => Some(vec![record(0, 3)]),
        "ta" => Some(vec![record(2, 2)]),
        _ => None,
    };
    ReportedSession {
        next_hop: Some(format!("d{number}.test")),
        mx_host: Some(host.clone()),
        address: Some("192.0.2.1".parse().unwrap()),
        port: Some(25),
        starttls: Some(Starttls::Used),
        tls_version: Some("TLSv1.3".to_owned()),
        cipher: Some("TLS_AES_256_GCM_SHA384".to_owned()),
        sni: Sni::Sent(host),
        chain: Some(chain),
        tlsa,
        ..ReportedSession::default()
    }
}

/// Leaf, intermediate and root, on P-256.
fn chain(host: &str) -> Vec<Vec<u8>> {
    let authority = |name: &str| {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        params
    };
    let (root, root_key) = (authority("root"), KeyPair::generate().unwrap());
    let (middle, middle_key) = (authority("middle"), KeyPair::generate().unwrap());
    let leaf = CertificateParams::new(vec![host.to_owned()]).unwrap();
    let leaf_key = KeyPair::generate().unwrap();
    let by_root = Issuer::from_params(&root, &root_key);
    let by_middle = Issuer::from_params(&middle, &middle_key);
    [
        leaf.signed_by(&leaf_key, &by_middle).unwrap(),
        middle.signed_by(&middle_key, &by_root).unwrap(),
        root.self_signed(&root_key).unwrap(),
    ]
    .iter()
    .map(|certificate| certificate.der().to_vec())
    .collect()
}

/// Hosts that take turns.
const HOSTS: usize = 50;
