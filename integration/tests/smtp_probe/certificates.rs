//! Certificates good, odd and wrong, and what a server needs to show them.

use std::path::Path;
use std::sync::Arc;

use rcgen::{
    BasicConstraints, CertificateParams, CustomExtension, DnType, IsCa, Issuer, KeyPair,
    PublicKeyData as _, SigningKey as _, date_time_ymd,
};
use rustls::crypto::aws_lc_rs;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls::{ServerConfig, SupportedProtocolVersion};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use tempfile::TempDir;

/// A chain, and the key that signs handshakes.
pub(crate) struct Identity {
    pub(crate) chain: Vec<CertificateDer<'static>>,
    pub(crate) key: KeyPair,
}

/// What is odd about a leaf.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Oddity {
    None,
    Expired,
    SelfSigned,
    /// Version 1: no extensions (RFC 5280, 4.1.2.1).
    Version1,
    /// An extension that nobody knows and everybody must heed (RFC 5280, 4.2).
    CriticalExtension,
    /// Octets that are no certificate at all.
    Garbage,
}

impl Identity {
    pub(crate) fn new(oddity: Oddity) -> Self {
        Self::with_key(oddity, KeyPair::generate().unwrap())
    }

    pub(crate) fn with_key(oddity: Oddity, key: KeyPair) -> Self {
        let mut params = CertificateParams::new(vec!["mx.e.test".to_owned()]).unwrap();
        params
            .distinguished_name
            .push(DnType::CommonName, "mx.e.test");
        match oddity {
            Oddity::Expired => {
                params.not_before = date_time_ymd(2015, 1, 1);
                params.not_after = date_time_ymd(2016, 1, 1);
            }
            Oddity::CriticalExtension => {
                let mut odd =
                    CustomExtension::from_oid_content(&[1, 3, 6, 1, 4, 1, 99_999, 7], vec![5, 0]);
                odd.set_criticality(true);
                params.custom_extensions.push(odd);
            }
            Oddity::None | Oddity::SelfSigned | Oddity::Version1 | Oddity::Garbage => {}
        }
        let chain = match oddity {
            Oddity::SelfSigned => vec![params.self_signed(&key).unwrap().der().clone()],
            Oddity::Version1 => {
                let leaf = params.self_signed(&key).unwrap();
                vec![version_1(leaf.der(), &key)]
            }
            Oddity::Garbage => vec![CertificateDer::from(b"no certificate".to_vec())],
            Oddity::None | Oddity::Expired | Oddity::CriticalExtension => {
                let (authority, own) = authority();
                let issuer = Issuer::from_params(&own.0, &own.1);
                let leaf = params.signed_by(&key, &issuer).unwrap();
                vec![leaf.der().clone(), authority]
            }
        };
        Self { chain, key }
    }

    /// A server that shows this chain.
    pub(crate) fn server(
        &self,
        versions: &[&'static SupportedProtocolVersion],
    ) -> Arc<ServerConfig> {
        self.signed_by(&self.key, versions)
    }

    /// A server that shows this chain and signs with whatever key it likes.
    pub(crate) fn signed_by(
        &self,
        key: &KeyPair,
        versions: &[&'static SupportedProtocolVersion],
    ) -> Arc<ServerConfig> {
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let key = aws_lc_rs::sign::any_supported_type(&key).unwrap();
        let shown = Shown(Arc::new(CertifiedKey::new(self.chain.clone(), key)));
        let provider = Arc::new(aws_lc_rs::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_protocol_versions(versions)
            .unwrap()
            .with_no_client_auth()
            .with_cert_resolver(Arc::new(shown));
        Arc::new(config)
    }

    pub(crate) fn public_key(&self) -> Vec<u8> {
        self.key.subject_public_key_info()
    }
}

/// rustls' own checks of what it is to show are left out.
#[derive(Debug)]
struct Shown(Arc<CertifiedKey>);

impl ResolvesServerCert for Shown {
    fn resolve(&self, _client_hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.0))
    }
}

fn authority() -> (CertificateDer<'static>, (CertificateParams, KeyPair)) {
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params
        .distinguished_name
        .push(DnType::CommonName, "Test CA");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let certificate = params.self_signed(&key).unwrap().der().clone();
    (certificate, (params, key))
}

/// The same certificate without version and extensions, signed anew.
fn version_1(certificate: &[u8], key: &KeyPair) -> CertificateDer<'static> {
    let outer = elements(content(certificate));
    let inner = elements(content(outer[0]));
    // [0] version, serial, algorithm, issuer, validity, subject, key, [3] extensions.
    assert_eq!((inner[0][0], inner[7][0]), (0xa0, 0xa3));
    let body = sequence(0x30, &inner[1..7].concat());
    let mut bits = vec![0];
    bits.extend(key.sign(&body).unwrap());
    let whole = [body, outer[1].to_vec(), sequence(0x03, &bits)].concat();
    CertificateDer::from(sequence(0x30, &whole))
}

/// Splits DER into its elements, headers included.
fn elements(mut der: &[u8]) -> Vec<&[u8]> {
    let mut found = Vec::new();
    while !der.is_empty() {
        let whole = der.len() - after(der).len();
        found.push(&der[..whole]);
        der = &der[whole..];
    }
    found
}

fn header(der: &[u8]) -> (usize, usize) {
    match der[1] {
        short if short < 0x80 => (2, usize::from(short)),
        long => {
            let octets = usize::from(long & 0x7f);
            let length = der[2..2 + octets]
                .iter()
                .fold(0, |n, b| n << 8 | usize::from(*b));
            (2 + octets, length)
        }
    }
}

fn content(der: &[u8]) -> &[u8] {
    let (start, length) = header(der);
    &der[start..start + length]
}

fn after(der: &[u8]) -> &[u8] {
    let (start, length) = header(der);
    &der[start + length..]
}

fn sequence(tag: u8, content: &[u8]) -> Vec<u8> {
    let length = u16::try_from(content.len()).unwrap();
    let [high, low] = length.to_be_bytes();
    let header = match length {
        0..0x80 => vec![tag, low],
        0x80..0x100 => vec![tag, 0x81, low],
        _ => vec![tag, 0x82, high, low],
    };
    [&header[..], content].concat()
}

/// A folder with `key.pem` and a self-signed `certificate.pem`, by the program `openssl`.
pub(crate) fn by_openssl(key: &[&str]) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    run(
        folder.path(),
        &[
            &[
                "req",
                "-x509",
                "-nodes",
                "-days",
                "30",
                "-subj",
                "/CN=mx.e.test",
            ][..],
            &["-keyout", "key.pem", "-out", "certificate.pem"],
            key,
        ]
        .concat(),
    );
    folder
}

/// The leaf of such a folder.
pub(crate) fn leaf(folder: &Path) -> Vec<u8> {
    let arguments = ["x509", "-in", "certificate.pem", "-outform", "DER"];
    run(folder, &arguments)
}

fn run(folder: &Path, arguments: &[&str]) -> Vec<u8> {
    let output = std::process::Command::new("openssl")
        .args(arguments)
        .current_dir(folder)
        .output()
        .expect("these tests need the program openssl");
    let words = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{arguments:?}: {words}");
    output.stdout
}
