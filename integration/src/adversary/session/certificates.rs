//! Real certificates for the hosts of a run, by the numbers of their keys.
//!
//! Keys follow from their numbers, so that TLSA records are the same in every process; certificates are
//! made once and kept. A chain is always a leaf and its issuer, which the host's DANE-TA records name;
//! that issuer is vouched for by the authority of all (web PKI), or by nobody.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use hoplock_model::Name;
use hoplock_policy::verify::Certificate;
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, PKCS_ECDSA_P256_SHA256, PublicKeyData as _, date_time_ymd,
};
use rustls::RootCertStore;
use rustls_pki_types::{PrivatePkcs8KeyDer, TrustAnchor};
use sha2::{Digest as _, Sha256, Sha512};

/// A certificate to be shown.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Leaf {
    /// The number of its key.
    pub(crate) key: u8,
    /// Who has issued it.
    pub(crate) issuer: Vouching,
    /// For which names.
    pub(crate) names: Vec<Name>,
    /// It has expired long ago.
    pub(crate) expired: bool,
}

/// Who has issued a certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Vouching {
    /// The issuer of this number, vouched for by the authority of all.
    Public(u8),
    /// The same issuer, vouched for by nobody.
    Private(u8),
    /// Somebody else who has taken that issuer's name.
    Impostor(u8),
}

impl Leaf {
    /// The chain as a host shows it, leaf first.
    pub(crate) fn chain(&self) -> Arc<Vec<Certificate>> {
        static KNOWN: Kept<Leaf, Arc<Vec<Certificate>>> = Kept::new();
        KNOWN.get(self.clone(), || {
            let issuer = self.issuer.issuer();
            let mut params = CertificateParams::new(self.names.clone()).unwrap();
            params.distinguished_name = named("a mail host");
            if self.expired {
                params.not_before = date_time_ymd(2001, 1, 1);
                params.not_after = date_time_ymd(2002, 1, 1);
            }
            let signing = Issuer::from_params(&issuer.params, &*issuer.key);
            let leaf = params.signed_by(&*pair(u16::from(self.key)), &signing);
            let leaf = Certificate::from_der(leaf.unwrap().der().to_vec());
            Arc::new(vec![leaf, issuer.shown.clone()])
        })
    }
}

/// Somebody who signs certificates.
struct Signing {
    params: CertificateParams,
    key: Arc<KeyPair>,
    shown: Certificate,
}

impl Vouching {
    fn issuer(self) -> Arc<Signing> {
        static KNOWN: Kept<Vouching, Arc<Signing>> = Kept::new();
        KNOWN.get(self, || {
            let (number, first) = match self {
                Self::Public(number) | Self::Private(number) => (number, ISSUERS),
                Self::Impostor(number) => (number, IMPOSTORS),
            };
            let key = pair(first + u16::from(number));
            let params = authority(&format!("issuer {number}"));
            let made = match self {
                Self::Public(_) => {
                    let (root, own) = (authority(EVERYBODYS), pair(ROOT));
                    params.signed_by(&*key, &Issuer::from_params(&root, &*own))
                }
                Self::Private(_) | Self::Impostor(_) => params.self_signed(&*key),
            };
            let shown = Certificate::from_der(made.unwrap().der().to_vec());
            Arc::new(Signing { params, key, shown })
        })
    }
}

/// Whom everybody trusts.
pub(crate) fn authorities() -> Vec<TrustAnchor<'static>> {
    static ROOTS: OnceLock<Vec<TrustAnchor<'static>>> = OnceLock::new();
    let make = || {
        let root = authority(EVERYBODYS).self_signed(&*pair(ROOT)).unwrap();
        let mut store = RootCertStore::empty();
        store.add(root.der().clone()).unwrap();
        store.roots
    };
    ROOTS.get_or_init(make).clone()
}

/// The public key of a number, as selector 1 takes it (RFC 6698, 2.1.2).
pub(crate) fn public_key(key: u8) -> Vec<u8> {
    pair(u16::from(key)).subject_public_key_info()
}

/// The key of a number as a TLSA record holds it (selector 1).
pub(crate) fn of_key(key: u8, matching: u8) -> Vec<u8> {
    match matching {
        1 => key_digest(key).to_vec(),
        _ => matched(public_key(key), matching),
    }
}

/// What a TLSA record holds of an issuer: the certificate that it shows, or its key.
pub(crate) fn selected(issuer: Vouching, selector: u8, matching: u8) -> Vec<u8> {
    let shown = &issuer.issuer().shown;
    matched(
        match selector {
            0 => shown.der().to_vec(),
            _ => issuer.issuer().key.subject_public_key_info(),
        },
        matching,
    )
}

/// RFC 6698, 2.1.3.
pub(crate) fn matched(data: Vec<u8>, matching: u8) -> Vec<u8> {
    match matching {
        0 => data,
        1 => Sha256::digest(data).to_vec(),
        _ => Sha512::digest(data).to_vec(),
    }
}

/// The digest of it (matching type 1), as DANE-EE records of the key hold it.
pub(crate) fn key_digest(key: u8) -> [u8; 32] {
    digest(u16::from(key))
}

/// The digest of the key of the issuer of this number, as DANE-TA records hold it.
pub(crate) fn issuer_digest(number: u8) -> [u8; 32] {
    digest(ISSUERS + u16::from(number))
}

/// The same of somebody who has taken that issuer's name.
pub(crate) fn impostor_digest(number: u8) -> [u8; 32] {
    digest(IMPOSTORS + u16::from(number))
}

fn digest(number: u16) -> [u8; 32] {
    static KNOWN: Kept<u16, [u8; 32]> = Kept::new();
    KNOWN.get(number, || {
        Sha256::digest(pair(number).subject_public_key_info()).into()
    })
}

/// The key pair of a number.
fn pair(number: u16) -> Arc<KeyPair> {
    static KNOWN: Kept<u16, Arc<KeyPair>> = Kept::new();
    KNOWN.get(number, || {
        let mut bytes = BEFORE_THE_SCALAR.to_vec();
        bytes.extend([0; 30]);
        bytes.extend((number + 1).to_be_bytes());
        let bytes = PrivatePkcs8KeyDer::from(bytes);
        let pair = KeyPair::from_pkcs8_der_and_sign_algo(&bytes, &PKCS_ECDSA_P256_SHA256);
        Arc::new(pair.unwrap())
    })
}

fn authority(name: &str) -> CertificateParams {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.distinguished_name = named(name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    params
}

fn named(text: &str) -> DistinguishedName {
    let mut name = DistinguishedName::new();
    name.push(DnType::CommonName, text);
    name
}

/// What was made once in this process.
struct Kept<K, V>(OnceLock<Mutex<HashMap<K, V>>>);

impl<K: Eq + Hash, V: Clone> Kept<K, V> {
    const fn new() -> Self {
        Self(OnceLock::new())
    }

    fn get(&self, key: K, make: impl FnOnce() -> V) -> V {
        let lock = || {
            let known = self.0.get_or_init(Mutex::default);
            known.lock().unwrap_or_else(PoisonError::into_inner)
        };
        if let Some(value) = lock().get(&key) {
            return value.clone();
        }
        let value = make();
        let mut known = lock();
        // A long search meets ever more names.
        if known.len() >= MOST_KEPT {
            known.clear();
        }
        known.entry(key).or_insert(value).clone()
    }
}

/// Beyond the keys of hosts.
const ISSUERS: u16 = 0x100;
const IMPOSTORS: u16 = 0x200;
const ROOT: u16 = 0x300;
const EVERYBODYS: &str = "everybody's authority";
/// A kilobyte or two each.
const MOST_KEPT: usize = 20_000;
/// A private key for P-256 in PKCS #8 (RFC 5208, 5; RFC 5915, 3), up to its 32 octets.
const BEFORE_THE_SCALAR: [u8; 35] = [
    0x30, 0x41, 0x02, 0x01, 0x00, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01,
    0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, 0x04, 0x27, 0x30, 0x25, 0x02, 0x01,
    0x01, 0x04, 0x20,
];

#[cfg(test)]
mod tests {
    use super::*;

    /// The keys are right, and follow from their numbers; chains differ by who vouches.
    #[test]
    fn certificates_are_real() {
        assert_eq!(key_digest(7), key_digest(7));
        assert_ne!(key_digest(7), issuer_digest(7));
        let leaf = |issuer| Leaf {
            key: 7,
            issuer,
            names: vec!["m0.d0.test".to_owned()],
            expired: false,
        };
        let chain = leaf(Vouching::Private(3)).chain();
        let key = chain[0].public_key().unwrap();
        assert_eq!(key, public_key(7));
        let issuer: [u8; 32] = Sha256::digest(chain[1].public_key().unwrap()).into();
        assert_eq!(issuer, issuer_digest(3));
        assert_eq!(*leaf(Vouching::Private(3)).chain(), *chain);
        assert_eq!(authorities().len(), 1);
    }
}
