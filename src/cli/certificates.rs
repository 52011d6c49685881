//! Certificates and keys from files that the operator names: PEM or DER.
#![allow(
    clippy::disallowed_methods,
    reason = "commands read the files that they are told of"
)]

use std::io::Read;
use std::path::Path;

use hoplock_policy::verify::Certificate;
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::{PemObject as _, SectionKind};

/// What stands in a file.
pub(super) struct Contents {
    /// Certificates, in the order of the file.
    pub(super) certificates: Vec<Certificate>,
    /// Public keys, as SubjectPublicKeyInfo.
    pub(super) keys: Vec<Vec<u8>>,
}

/// Reads a file of PEM or DER, `-` being standard input.
pub(super) fn read(path: &Path) -> Result<Contents, String> {
    let octets = octets(path)?;
    contents(&octets).map_err(|why| format!("{}: {why}", path.display()))
}

/// Opens any file, `-` being standard input.
pub(super) fn open(path: &Path) -> Result<Box<dyn Read>, String> {
    if path.as_os_str() == "-" {
        return Ok(Box::new(std::io::stdin()));
    }
    let file = std::fs::File::open(path);
    let file = file.map_err(|error| format!("{}: {error}", path.display()))?;
    Ok(Box::new(file))
}

fn octets(path: &Path) -> Result<Vec<u8>, String> {
    let mut octets = Vec::new();
    let read = open(path)?.read_to_end(&mut octets);
    read.map_err(|error| format!("{}: {error}", path.display()))?;
    Ok(octets)
}

fn contents(octets: &[u8]) -> Result<Contents, String> {
    let mut contents = Contents {
        certificates: Vec::new(),
        keys: Vec::new(),
    };
    if octets.starts_with(&[DER_SEQUENCE]) {
        contents.certificates.push(Certificate::from_der(octets));
        return Ok(contents);
    }
    for section in <(SectionKind, Vec<u8>)>::pem_slice_iter(octets) {
        let (kind, der) = section.map_err(|error| format!("no PEM that can be read: {error}"))?;
        match kind {
            SectionKind::Certificate => {
                let der = CertificateDer::from(der);
                contents
                    .certificates
                    .push(Certificate::from_der(der.as_ref()));
            }
            SectionKind::PublicKey => contents.keys.push(der),
            // A file of a mail server holds its private key too; that is nobody's business.
            _ => {}
        }
    }
    if contents.certificates.is_empty() && contents.keys.is_empty() {
        return Err("no certificate in PEM or DER form".to_owned());
    }
    Ok(contents)
}

/// How every certificate in DER begins.
const DER_SEQUENCE: u8 = 0x30;
