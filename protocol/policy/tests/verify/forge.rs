//! Certificates of every kind, signed by keys of rcgen: also the kinds that rcgen does not make.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use hoplock_policy::verify::Certificate;
use rcgen::{KeyPair, PKCS_RSA_SHA256, PublicKeyData as _, SigningKey as _};
use rustls_pki_types::TrustAnchor;

use crate::der::{
    BOOLEAN, INTEGER, NULL, OCTET_STRING, SET, UTF8_STRING, bits, element, named_bits, object_id,
    sequence, time,
};
use crate::{HOST, NOW};

pub(crate) const COMMON_NAME: &str = "2.5.4.3";
pub(crate) const KEY_USAGE: &str = "2.5.29.15";
pub(crate) const ALTERNATIVE_NAMES: &str = "2.5.29.17";
pub(crate) const BASIC_CONSTRAINTS: &str = "2.5.29.19";
pub(crate) const NAME_CONSTRAINTS: &str = "2.5.29.30";
pub(crate) const PURPOSES: &str = "2.5.29.37";
pub(crate) const SERVER_AUTH: &str = "1.3.6.1.5.5.7.3.1";
pub(crate) const CLIENT_AUTH: &str = "1.3.6.1.5.5.7.3.2";
/// Nobody knows it.
pub(crate) const UNKNOWN: &str = "1.3.6.1.4.1.55555.7";

pub(crate) const DIGITAL_SIGNATURE: u8 = 0x80;
pub(crate) const KEY_CERT_SIGN: u8 = 0x04;
pub(crate) const CRL_SIGN: u8 = 0x02;

pub(crate) const DAY: i64 = 86_400;
pub(crate) const YEAR: i64 = 365 * DAY;

/// Somebody with a name and a key.
#[derive(Clone, Debug)]
pub(crate) struct Party {
    /// The name as it stands in certificates.
    pub(crate) subject: Vec<u8>,
    key: Arc<KeyPair>,
}

impl Party {
    pub(crate) fn new(name: &str) -> Self {
        Self::with(name, KeyPair::generate().unwrap())
    }

    /// With an RSA key.
    pub(crate) fn rsa(name: &str) -> Self {
        Self::with(name, KeyPair::generate_for(&PKCS_RSA_SHA256).unwrap())
    }

    fn with(name: &str, key: KeyPair) -> Self {
        Self {
            subject: distinguished(&[name]),
            key: Arc::new(key),
        }
    }

    /// Somebody else of the same name.
    pub(crate) fn namesake(&self) -> Self {
        Self {
            subject: self.subject.clone(),
            ..Self::new("")
        }
    }

    /// The same key under another name.
    pub(crate) fn renamed(&self, name: &str) -> Self {
        Self {
            subject: distinguished(&[name]),
            ..self.clone()
        }
    }

    /// The key as certificates and 3 1 0 records have it.
    pub(crate) fn spki(&self) -> Vec<u8> {
        self.key.subject_public_key_info()
    }

    /// The key alone.
    pub(crate) fn key_bits(&self) -> Vec<u8> {
        self.key.der_bytes().to_vec()
    }

    /// A certificate for a host of these names.
    pub(crate) fn leaf(&self, names: &[&str]) -> Draft {
        let draft = self.bare();
        if names.is_empty() {
            return draft;
        }
        let names: Vec<Vec<u8>> = names.iter().map(|name| dns_id(name)).collect();
        draft.extension(ALTERNATIVE_NAMES, false, &sequence(&names))
    }

    /// A certificate for an authority.
    pub(crate) fn authority(&self) -> Draft {
        self.bare()
            .constraint(true, None)
            .key_usage(KEY_CERT_SIGN | CRL_SIGN)
    }

    /// A certificate of an authority, signed by itself.
    pub(crate) fn root(&self) -> Certificate {
        self.authority().signed_by(self)
    }

    /// As a system trusts it.
    pub(crate) fn anchor(&self) -> TrustAnchor<'static> {
        let der = self.root().der().to_vec().into();
        let anchor = webpki::anchor_from_trusted_cert(&der).unwrap();
        anchor.to_owned()
    }

    /// A certificate that says nothing of itself.
    pub(crate) fn bare(&self) -> Draft {
        Draft {
            version: element(0xa0, &element(INTEGER, &[2])),
            serial: next_serial(),
            algorithm: None,
            issuer: None,
            validity: sequence(&[time(NOW - YEAR), time(NOW + YEAR)]),
            subject: self.subject.clone(),
            spki: self.spki(),
            behind_key: Vec::new(),
            extensions: Vec::new(),
        }
    }

    fn signature_algorithm(&self) -> Vec<u8> {
        if self.key.algorithm() == &PKCS_RSA_SHA256 {
            return sequence(&[object_id("1.2.840.113549.1.1.11"), element(NULL, &[])]);
        }
        sequence(&[object_id("1.2.840.10045.4.3.2")])
    }
}

/// A host below an intermediate below a root.
pub(crate) struct World {
    pub(crate) host: Party,
    pub(crate) issuer: Party,
    pub(crate) authority: Party,
    pub(crate) leaf: Certificate,
    pub(crate) intermediate: Certificate,
    pub(crate) root: Certificate,
}

pub(crate) fn world() -> World {
    let (host, issuer) = (Party::new("host"), Party::new("issuer"));
    let authority = Party::new("authority");
    World {
        leaf: host.leaf(&[HOST]).signed_by(&issuer),
        intermediate: issuer.authority().signed_by(&authority),
        root: authority.root(),
        host,
        issuer,
        authority,
    }
}

/// A certificate that is not signed yet. Its parts are DER as they will stand there.
#[derive(Clone)]
pub(crate) struct Draft {
    pub(crate) version: Vec<u8>,
    pub(crate) serial: Vec<u8>,
    /// Instead of the algorithm of the signer's key, which signs all the same.
    pub(crate) algorithm: Option<Vec<u8>>,
    /// Instead of the signer's name.
    pub(crate) issuer: Option<Vec<u8>>,
    pub(crate) validity: Vec<u8>,
    pub(crate) subject: Vec<u8>,
    pub(crate) spki: Vec<u8>,
    /// Between key and extensions.
    pub(crate) behind_key: Vec<u8>,
    pub(crate) extensions: Vec<Vec<u8>>,
}

impl Draft {
    /// Valid in this period, in seconds from now.
    pub(crate) fn valid(mut self, from: i64, to: i64) -> Self {
        self.validity = sequence(&[time(NOW + from), time(NOW + to)]);
        self
    }

    pub(crate) fn expired(self) -> Self {
        self.valid(-11 * YEAR, -10 * YEAR)
    }

    pub(crate) fn not_yet_valid(self) -> Self {
        self.valid(YEAR, 2 * YEAR)
    }

    pub(crate) fn subject(mut self, subject: Vec<u8>) -> Self {
        self.subject = subject;
        self
    }

    /// RFC 5280, 4.2; one of the same kind is replaced.
    pub(crate) fn extension(self, id: &str, critical: bool, value: &[u8]) -> Self {
        let mut draft = self.without(id);
        let mut parts = vec![object_id(id)];
        if critical {
            parts.push(element(BOOLEAN, &[0xff]));
        }
        parts.push(element(OCTET_STRING, value));
        draft.extensions.push(sequence(&parts));
        draft
    }

    pub(crate) fn without(mut self, id: &str) -> Self {
        let id = object_id(id);
        let is_other = |extension: &Vec<u8>| !extension.windows(id.len()).any(|part| *part == *id);
        self.extensions.retain(is_other);
        self
    }

    /// Basic constraints (RFC 5280, 4.2.1.9).
    pub(crate) fn constraint(self, is_authority: bool, path_length: Option<u8>) -> Self {
        let mut parts = Vec::new();
        if is_authority {
            parts.push(element(BOOLEAN, &[0xff]));
        }
        if let Some(length) = path_length {
            parts.push(element(INTEGER, &[length]));
        }
        self.extension(BASIC_CONSTRAINTS, true, &sequence(&parts))
    }

    pub(crate) fn key_usage(self, octet: u8) -> Self {
        self.extension(KEY_USAGE, true, &named_bits(&[octet]))
    }

    pub(crate) fn purposes(self, ids: &[&str]) -> Self {
        let ids: Vec<Vec<u8>> = ids.iter().map(|id| object_id(id)).collect();
        self.extension(PURPOSES, false, &sequence(&ids))
    }

    /// Name constraints for host names (RFC 5280, 4.2.1.10).
    pub(crate) fn only_names(self, permitted: &[&str], excluded: &[&str]) -> Self {
        let subtrees = |tag: u8, names: &[&str]| {
            let names: Vec<Vec<u8>> = names.iter().map(|name| sequence(&[dns_id(name)])).collect();
            if names.is_empty() {
                return Vec::new();
            }
            element(tag, &names.concat())
        };
        let value = sequence(&[subtrees(0xa0, permitted), subtrees(0xa1, excluded)]);
        self.extension(NAME_CONSTRAINTS, true, &value)
    }

    pub(crate) fn signed_by(&self, issuer: &Party) -> Certificate {
        let algorithm = self.algorithm.clone();
        let algorithm = algorithm.unwrap_or_else(|| issuer.signature_algorithm());
        let extensions = if self.extensions.is_empty() {
            Vec::new()
        } else {
            element(0xa3, &sequence(&self.extensions))
        };
        let content = sequence(&[
            self.version.clone(),
            self.serial.clone(),
            algorithm.clone(),
            self.issuer
                .clone()
                .unwrap_or_else(|| issuer.subject.clone()),
            self.validity.clone(),
            self.subject.clone(),
            self.spki.clone(),
            self.behind_key.clone(),
            extensions,
        ]);
        let signature = issuer.key.sign(&content).unwrap();
        Certificate::from_der(sequence(&[content, algorithm, bits(&signature)]))
    }
}

/// A distinguished name of these common names.
pub(crate) fn distinguished(common_names: &[&str]) -> Vec<u8> {
    let part = |name: &&str| {
        let value = element(UTF8_STRING, name.as_bytes());
        element(SET, &sequence(&[object_id(COMMON_NAME), value]))
    };
    let parts: Vec<Vec<u8>> = common_names.iter().map(part).collect();
    sequence(&parts)
}

/// A DNS-ID among alternative names (RFC 5280, 4.2.1.6).
pub(crate) fn dns_id(name: &str) -> Vec<u8> {
    element(0x82, name.as_bytes())
}

/// The same certificate with one bit of its signature turned round.
pub(crate) fn with_false_signature(certificate: &Certificate) -> Certificate {
    let mut der = certificate.der().to_vec();
    *der.last_mut().unwrap() ^= 1;
    Certificate::from_der(der)
}

fn next_serial() -> Vec<u8> {
    static NEXT: AtomicU64 = AtomicU64::new(0x0100_0000_0000_0000);
    element(INTEGER, &NEXT.fetch_add(1, Ordering::Relaxed).to_be_bytes())
}
