//! Certificates with signatures of an age that is over, made by OpenSSL: rcgen signs with nothing
//! so old.

use hoplock_policy::verify::Certificate;
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject as _;
use x509_parser::prelude::{FromDer as _, X509Certificate};

/// The certificates of `fixtures/old-signatures.pem`, which says how they were made.
pub(crate) struct Old {
    /// Signed by itself with SHA-256.
    pub(crate) root: Certificate,
    /// Signed by the root with SHA-1.
    pub(crate) intermediate: Certificate,
    /// Signed by the root with SHA-1.
    pub sha1: Certificate,
    /// Signed by the root with MD5.
    pub md5: Certificate,
    /// Signed by the intermediate with SHA-256.
    pub(crate) below: Certificate,
    /// Signed by the root with SHA-256.
    pub sha256: Certificate,
}

pub(crate) fn old() -> Old {
    let pem = include_bytes!("fixtures/old-signatures.pem");
    let mut all =
        CertificateDer::pem_slice_iter(pem).map(|der| Certificate::from_der(der.unwrap().to_vec()));
    let mut next = || all.next().unwrap();
    Old {
        root: next(),
        intermediate: next(),
        sha1: next(),
        md5: next(),
        below: next(),
        sha256: next(),
    }
}

/// The key of a certificate that others made.
pub(crate) fn spki(certificate: &Certificate) -> Vec<u8> {
    let (_, parsed) = X509Certificate::from_der(certificate.der()).unwrap();
    parsed.public_key().raw.to_vec()
}
