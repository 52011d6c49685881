//! A pool of keys, made once for a run, and how each signs (RFC 3279, RFC 4055, RFC 5758, RFC 8410).

use std::collections::HashMap;

use rcgen::{KeyPair, SignatureAlgorithm, SigningKey as _};
use rustls_pki_types::PrivatePkcs8KeyDer;

use super::der;
use super::program::Signer;

/// One key of the pool.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key {
    pub algorithm: Algorithm,
    pub number: u8,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Algorithm {
    P256,
    P384,
    P521,
    Secp256k1,
    Rsa2048,
    Rsa1024,
    Ed25519,
    Ed448,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Digest {
    Md5,
    Sha1,
    Sha256,
    Sha384,
    Sha512,
    /// RSA-PSS over SHA-256, with the salt as long.
    Pss256,
}

impl Algorithm {
    pub const ALL: [Self; 8] = [
        Self::P256,
        Self::P384,
        Self::P521,
        Self::Secp256k1,
        Self::Rsa2048,
        Self::Rsa1024,
        Self::Ed25519,
        Self::Ed448,
    ];

    /// Those that every library of today verifies.
    pub const ORDINARY: [Self; 4] = [Self::P256, Self::P384, Self::Rsa2048, Self::Ed25519];

    /// Small, or not everywhere.
    pub const UNUSUAL: [Self; 4] = [Self::Rsa1024, Self::Secp256k1, Self::Ed448, Self::P521];

    /// How many the pool has. RSA keys take long to make.
    pub fn count(self) -> u8 {
        match self {
            Self::P256 => 24,
            Self::P384 => 6,
            Self::Rsa2048 => 4,
            Self::Ed25519 => 8,
            Self::P521 | Self::Secp256k1 | Self::Rsa1024 | Self::Ed448 => 2,
        }
    }

    /// How many of them are drawn for paths; the others are the strays'.
    pub fn drawn(self) -> u8 {
        match self {
            Self::Ed25519 => self.count() - STRAY_KEYS,
            _ => self.count(),
        }
    }

    /// The signer's words for it.
    fn words(self) -> &'static str {
        match self {
            Self::P256 => "EC P-256",
            Self::P384 => "EC P-384",
            Self::P521 => "EC P-521",
            Self::Secp256k1 => "EC secp256k1",
            Self::Rsa2048 => "RSA 2048",
            Self::Rsa1024 => "RSA 1024",
            Self::Ed25519 => "ED25519",
            Self::Ed448 => "ED448",
        }
    }

    pub fn is_rsa(self) -> bool {
        matches!(self, Self::Rsa2048 | Self::Rsa1024)
    }

    pub fn is_edwards(self) -> bool {
        matches!(self, Self::Ed25519 | Self::Ed448)
    }

    /// The digest that goes with it; nothing to choose where the algorithm has its own.
    pub fn usual_digest(self) -> Digest {
        match self {
            Self::P384 => Digest::Sha384,
            Self::P521 => Digest::Sha512,
            _ => Digest::Sha256,
        }
    }
}

impl Digest {
    /// AlgorithmIdentifier of a signature.
    pub fn identifier(self, by: Algorithm) -> Vec<u8> {
        let rsa =
            |last| der::sequence(&[der::object(&[1, 2, 840, 113_549, 1, 1, last]), der::null()]);
        let ecdsa = |last: &[u64]| {
            let numbers = [&[1, 2, 840, 10_045, 4], last].concat();
            der::sequence(&[der::object(&numbers)])
        };
        match (by, self) {
            (Algorithm::Ed25519, _) => der::sequence(&[der::object(&[1, 3, 101, 112])]),
            (Algorithm::Ed448, _) => der::sequence(&[der::object(&[1, 3, 101, 113])]),
            (Algorithm::Rsa2048 | Algorithm::Rsa1024, _) => match self {
                Self::Md5 => rsa(4),
                Self::Sha1 => rsa(5),
                Self::Sha256 => rsa(11),
                Self::Sha384 => rsa(12),
                Self::Sha512 => rsa(13),
                Self::Pss256 => pss(),
            },
            (_, Self::Md5 | Self::Sha1) => ecdsa(&[1]),
            (_, Self::Sha256 | Self::Pss256) => ecdsa(&[3, 2]),
            (_, Self::Sha384) => ecdsa(&[3, 3]),
            (_, Self::Sha512) => ecdsa(&[3, 4]),
        }
    }

    /// What rcgen calls it, if it signs so.
    pub fn in_rcgen(self, by: Algorithm) -> Option<&'static SignatureAlgorithm> {
        Some(match (by, self) {
            (Algorithm::P256, Self::Sha256) => &rcgen::PKCS_ECDSA_P256_SHA256,
            (Algorithm::P384, Self::Sha384) => &rcgen::PKCS_ECDSA_P384_SHA384,
            (Algorithm::P521, Self::Sha512) => &rcgen::PKCS_ECDSA_P521_SHA512,
            (Algorithm::Rsa2048, Self::Sha256) => &rcgen::PKCS_RSA_SHA256,
            (Algorithm::Rsa2048, Self::Sha384) => &rcgen::PKCS_RSA_SHA384,
            (Algorithm::Rsa2048, Self::Sha512) => &rcgen::PKCS_RSA_SHA512,
            (Algorithm::Ed25519, _) => &rcgen::PKCS_ED25519,
            _ => return None,
        })
    }

    /// The signer's word for it.
    fn word(self, by: Algorithm) -> &'static str {
        match self {
            _ if by.is_edwards() => "-",
            // There is no ECDSA with MD5.
            Self::Md5 if !by.is_rsa() => "SHA1",
            Self::Md5 => "MD5",
            Self::Sha1 => "SHA1",
            Self::Pss256 if by.is_rsa() => "pss-SHA256",
            Self::Sha256 | Self::Pss256 => "SHA256",
            Self::Sha384 => "SHA384",
            Self::Sha512 => "SHA512",
        }
    }
}

/// RFC 4055, 3.1.
fn pss() -> Vec<u8> {
    let sha256 = der::sequence(&[der::object(&[2, 16, 840, 1, 101, 3, 4, 2, 1]), der::null()]);
    let mask = der::sequence(&[der::object(&[1, 2, 840, 113_549, 1, 1, 8]), sha256.clone()]);
    let parameters = der::sequence(&[
        der::element(0xa0, &sha256),
        der::element(0xa1, &mask),
        der::element(0xa2, &der::integer(&[32])),
    ]);
    der::sequence(&[der::object(&[1, 2, 840, 113_549, 1, 1, 10]), parameters])
}

/// Both halves of every key.
#[derive(Clone, Debug)]
pub struct KeyPool(Vec<(Key, Vec<u8>, Vec<u8>)>);

impl KeyPool {
    /// Makes all keys.
    pub fn make(signer: &mut Signer) -> Self {
        let keys = Algorithm::ALL.into_iter().flat_map(|algorithm| {
            (0..algorithm.count()).map(move |number| Key { algorithm, number })
        });
        Self(
            keys.map(|key| {
                let (private, public) = signer.make(key.algorithm.words());
                (key, private, public)
            })
            .collect(),
        )
    }

    fn entry(&self, key: Key) -> &(Key, Vec<u8>, Vec<u8>) {
        self.0.iter().find(|(known, ..)| *known == key).unwrap()
    }

    /// SubjectPublicKeyInfo.
    pub fn public(&self, key: Key) -> &[u8] {
        &self.entry(key).2
    }

    /// PKCS #8.
    pub fn private(&self, key: Key) -> &[u8] {
        &self.entry(key).1
    }
}

/// Signs with the keys of a pool: by rcgen, or, where that does not, by the signer.
#[derive(Debug)]
pub struct Signatory {
    pub pool: KeyPool,
    quick: HashMap<(Key, Digest), KeyPair>,
    signer: Signer,
}

impl Signatory {
    pub fn new(pool: KeyPool, mut signer: Signer) -> Self {
        for (_, private, _) in &pool.0 {
            signer.load(private);
        }
        Self {
            pool,
            quick: HashMap::new(),
            signer,
        }
    }

    /// A signature.
    pub fn sign(&mut self, key: Key, digest: Digest, message: &[u8]) -> Vec<u8> {
        if let Some(algorithm) = digest.in_rcgen(key.algorithm) {
            let private = PrivatePkcs8KeyDer::from(self.pool.private(key));
            let pair = self.quick.entry((key, digest)).or_insert_with(|| {
                KeyPair::from_pkcs8_der_and_sign_algo(&private, algorithm).unwrap()
            });
            return pair.sign(message).unwrap();
        }
        let place = self.pool.0.iter().position(|(known, ..)| *known == key);
        self.signer
            .sign(place.unwrap(), digest.word(key.algorithm), message)
    }
}

/// The last keys of Ed25519.
pub const STRAY_KEYS: u8 = 4;
