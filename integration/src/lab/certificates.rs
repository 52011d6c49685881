//! A private authority, and certificates good and bad.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa,
    Issuer, KeyPair, KeyUsagePurpose, PublicKeyData as _, date_time_ymd,
};
use rustls::ServerConfig;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use sha2::{Digest, Sha256, Sha512};

/// The authority that hoplock and Postfix trust in the lab.
pub struct Authority {
    params: CertificateParams,
    key: KeyPair,
    certificate: rcgen::Certificate,
}

/// What is wrong with a certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flaw {
    None,
    Expired,
    /// Ends in ten days.
    EndsSoon,
    WrongName,
    SelfSigned,
}

/// A certificate with its key and chain, as a mail or policy host presents it.
#[derive(Clone)]
pub struct Identity {
    pub certificate: CertificateDer<'static>,
    pub public_key: Vec<u8>,
    /// Certificate and key, for servers that are programs.
    pub pem: String,
    pub tls: Arc<ServerConfig>,
}

impl Default for Authority {
    fn default() -> Self {
        Self::new()
    }
}

impl Authority {
    /// The one that is trusted.
    pub fn new() -> Self {
        Self::named("Lab Root CA")
    }

    /// One of this name.
    pub fn named(own: &str) -> Self {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.distinguished_name = name(own);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let certificate = params.self_signed(&key).unwrap();
        Self {
            params,
            key,
            certificate,
        }
    }

    pub fn pem(&self) -> String {
        self.certificate.pem()
    }

    /// `usage selector matching data` of this authority as a trust anchor, SHA-256.
    pub fn anchor(&self, selector: u8) -> String {
        self.anchor_as(selector, 1)
    }

    /// The same by another matching type.
    pub fn anchor_as(&self, selector: u8, matching: u8) -> String {
        let data = match selector {
            0 => self.certificate.der().to_vec(),
            _ => self.key.subject_public_key_info(),
        };
        format!("2 {selector} {matching} {}", matched(matching, &data))
    }

    /// A certificate for `host` with a flaw, and the chain up to this authority.
    pub fn issue(&self, host: &str, flaw: Flaw) -> Identity {
        let key = KeyPair::generate().unwrap();
        let subject = match flaw {
            Flaw::WrongName => "somebody-else.test",
            Flaw::None | Flaw::Expired | Flaw::EndsSoon | Flaw::SelfSigned => host,
        };
        let mut params = CertificateParams::new(vec![subject.to_owned()]).unwrap();
        params.distinguished_name = name(subject);
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        if flaw == Flaw::Expired {
            params.not_before = date_time_ymd(2015, 1, 1);
            params.not_after = date_time_ymd(2016, 1, 1);
        }
        if flaw == Flaw::EndsSoon {
            let days = |count: u64| Duration::from_secs(count * 86_400);
            let now = SystemTime::now();
            params.not_before = (now - days(80)).into();
            params.not_after = (now + days(10)).into();
        }
        let certificate = match flaw {
            Flaw::SelfSigned => params.self_signed(&key).unwrap(),
            Flaw::None | Flaw::Expired | Flaw::EndsSoon | Flaw::WrongName => params
                .signed_by(&key, &Issuer::from_params(&self.params, &self.key))
                .unwrap(),
        };
        let mut chain = vec![certificate.der().clone()];
        if flaw != Flaw::SelfSigned {
            chain.push(self.certificate.der().clone());
        }
        let private = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let tls = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(chain, private)
            .unwrap();
        Identity {
            certificate: certificate.der().clone(),
            public_key: key.subject_public_key_info(),
            pem: format!("{}{}", certificate.pem(), key.serialize_pem()),
            tls: Arc::new(tls),
        }
    }
}

impl Identity {
    /// A DANE-EE record for this certificate.
    pub fn end_entity(&self, selector: u8, matching: u8) -> String {
        let data: &[u8] = if selector == 0 {
            &self.certificate
        } else {
            &self.public_key
        };
        format!("3 {selector} {matching} {}", matched(matching, data))
    }
}

/// RFC 6698, 2.1.3.
fn matched(matching: u8, data: &[u8]) -> String {
    match matching {
        0 => hex(data),
        1 => hex(&Sha256::digest(data)),
        _ => hex(&Sha512::digest(data)),
    }
}

fn name(text: &str) -> DistinguishedName {
    let mut name = DistinguishedName::new();
    name.push(DnType::CommonName, text);
    name
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
