//! Whether a host signed the handshake with the key of the certificate that it showed.
//!
//! The key is taken from the octets of the certificate, for DANE-EE asks for no more of it than that
//! (RFC 7671, 5.1): what a strict reader refuses, such as version 1 or an unknown critical extension, is
//! checked like any other (CM-07).

use aws_lc_rs::signature as legacy;
use hoplock_policy::verify::Certificate;
use rustls::crypto::{WebPkiSupportedAlgorithms, verify_tls13_signature_with_raw_key};
use rustls::{CertificateError, DigitallySignedStruct, Error, PeerMisbehaved, SignatureScheme};
use rustls_pki_types::{SubjectPublicKeyInfoDer, alg_id};
use x509_parser::asn1_rs::{Any, FromDer as _, Integer};

use crate::world::probe::{Signature, Unverifiable};

/// The rules by which a scheme names its algorithm.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Dialect {
    /// RFC 5246, 7.4.1.4.1: a scheme does not fix the curve.
    Tls12,
    /// RFC 8446, 4.2.3: it does, and PKCS #1 v1.5 is out.
    Tls13,
}

/// Checks one signature.
///
/// # Errors
/// What ends the handshake: [`CertificateError::BadSignature`] where the key did not sign this, and
/// [`PeerMisbehaved`] for a scheme that was not offered.
pub(super) fn check(
    dialect: Dialect,
    message: &[u8],
    leaf: &[u8],
    signed: &DigitallySignedStruct,
    algorithms: &WebPkiSupportedAlgorithms,
) -> Result<Signature, Error> {
    let leaf = Certificate::from_der(leaf);
    let info = leaf.public_key();
    let key = info.and_then(|info| Some((info, Key::read(info)?)));
    let Some((info, key)) = key else {
        return Ok(Signature::NotVerifiable(Unverifiable::NoKey));
    };
    if key.rsa_bits.is_some_and(|bits| bits < RSA_BITS) {
        return weak(dialect, message, &key, signed);
    }
    let outcome = match dialect {
        Dialect::Tls12 => by_hand(message, &key, signed, algorithms),
        Dialect::Tls13 => {
            let info = SubjectPublicKeyInfoDer::from(info);
            verify_tls13_signature_with_raw_key(message, &info, signed, algorithms).map(|_| ())
        }
    };
    match outcome {
        Ok(()) => Ok(Signature::Proved),
        Err(error @ Error::PeerMisbehaved(_)) => Err(error),
        Err(_) if key.is_foreign_to(algorithms) => {
            Ok(Signature::NotVerifiable(Unverifiable::UnknownKey))
        }
        Err(_) => Err(bad()),
    }
}

/// The schemes to offer, as the provider has them, but PSS behind PKCS #1 v1.5: for keys of fewer than
/// 2048 bits the library has only the latter, and in TLS 1.3 the order of these two is of no consequence.
pub(super) fn schemes(algorithms: &WebPkiSupportedAlgorithms) -> Vec<SignatureScheme> {
    let mut schemes = algorithms.supported_schemes();
    schemes.sort_by_key(|scheme| match scheme {
        // Signed over with SHA-256 or SHA-512 only by weak keys that are to be checked.
        SignatureScheme::RSA_PKCS1_SHA384 => 1,
        SignatureScheme::RSA_PSS_SHA256
        | SignatureScheme::RSA_PSS_SHA384
        | SignatureScheme::RSA_PSS_SHA512 => 2,
        _ => 0,
    });
    schemes
}

/// A SubjectPublicKeyInfo, taken apart (RFC 5280, 4.1).
struct Key<'a> {
    /// Algorithm and parameters, without the header around them, as `webpki` compares them.
    algorithm: &'a [u8],
    /// The key itself.
    octets: &'a [u8],
    /// How long its modulus is, where it is one for RSA.
    rsa_bits: Option<usize>,
}

impl<'a> Key<'a> {
    fn read(info: &'a [u8]) -> Option<Self> {
        let (_, info) = Any::from_der(info).ok()?;
        let (rest, algorithm) = Any::from_der(info.data).ok()?;
        let (_, bits) = Any::from_der(rest).ok()?;
        // X.690, 8.6.2.2: the first octet counts the unused bits, of which a key has none.
        let octets = bits.data.strip_prefix(&[0])?;
        let algorithm = algorithm.data;
        let is_rsa = algorithm == alg_id::RSA_ENCRYPTION.as_ref();
        let rsa_bits = is_rsa.then(|| modulus_bits(octets)).flatten();
        Some(Self {
            algorithm,
            octets,
            rsa_bits,
        })
    }

    /// True where no algorithm of the library is one for this key: then a signature says neither yes nor
    /// no. A key that the library knows, under a scheme for other keys, is a lie.
    fn is_foreign_to(&self, algorithms: &WebPkiSupportedAlgorithms) -> bool {
        let known = |own: &[u8]| own == self.algorithm;
        let longest = self.rsa_bits.is_some_and(|bits| bits > RSA_MOST_BITS);
        longest
            || !algorithms
                .all
                .iter()
                .any(|algorithm| known(algorithm.public_key_alg_id().as_ref()))
    }
}

fn modulus_bits(octets: &[u8]) -> Option<usize> {
    let (_, sequence) = Any::from_der(octets).ok()?;
    let (_, modulus) = Integer::from_der(sequence.data).ok()?;
    let mut significant = modulus.as_ref().iter().skip_while(|octet| **octet == 0);
    let first = significant.next()?;
    let highest = 8 - usize::try_from(first.leading_zeros()).ok()?;
    Some(highest + 8 * significant.count())
}

/// TLS 1.2: any algorithm of the scheme that is one for this key.
fn by_hand(
    message: &[u8],
    key: &Key<'_>,
    signed: &DigitallySignedStruct,
    algorithms: &WebPkiSupportedAlgorithms,
) -> Result<(), Error> {
    let mut mapping = algorithms.mapping.iter();
    let (_, candidates) = mapping
        .find(|(scheme, _)| *scheme == signed.scheme)
        .ok_or(PeerMisbehaved::SignedHandshakeWithUnadvertisedSigScheme)?;
    let fits = candidates
        .iter()
        .find(|algorithm| algorithm.public_key_alg_id().as_ref() == key.algorithm);
    let signature = signed.signature();
    fits.and_then(|algorithm| {
        algorithm
            .verify_signature(key.octets, message, signature)
            .ok()
    })
    .ok_or_else(bad)
}

/// Short RSA keys: the library keeps PKCS #1 v1.5 for them, with two digests. Not so for TLS 1.3, which
/// signs by PSS.
fn weak(
    dialect: Dialect,
    message: &[u8],
    key: &Key<'_>,
    signed: &DigitallySignedStruct,
) -> Result<Signature, Error> {
    let long_enough = key.rsa_bits.is_some_and(|bits| bits >= RSA_LEAST_BITS);
    let parameters = match (dialect, signed.scheme) {
        (Dialect::Tls12, SignatureScheme::RSA_PKCS1_SHA256) if long_enough => {
            &legacy::RSA_PKCS1_1024_8192_SHA256_FOR_LEGACY_USE_ONLY
        }
        (Dialect::Tls12, SignatureScheme::RSA_PKCS1_SHA512) if long_enough => {
            &legacy::RSA_PKCS1_1024_8192_SHA512_FOR_LEGACY_USE_ONLY
        }
        _ => return Ok(Signature::NotVerifiable(Unverifiable::WeakKey)),
    };
    legacy::UnparsedPublicKey::new(parameters, key.octets)
        .verify(message, signed.signature())
        .map(|()| Signature::Proved)
        .map_err(|_| bad())
}

fn bad() -> Error {
    Error::InvalidCertificate(CertificateError::BadSignature)
}

/// What the library asks of RSA keys (RFC 9325, 4.5).
const RSA_BITS: usize = 2048;
/// The least that it has for old hosts.
const RSA_LEAST_BITS: usize = 1024;
/// The most.
const RSA_MOST_BITS: usize = 8192;
