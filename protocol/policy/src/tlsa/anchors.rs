//! Trust anchors by their bytes: what an MTA without DANE is handed as a file (RFC 7671, 5.2).
//!
//! A record with full data holds the anchor itself. A digest only names it, so a probe has to bring the
//! certificate; the digest, which DNSSEC has secured, proves it to be the right one.
//! Not done here: probing, writing files, and which hosts may be reached that way ([`crate::law`]).

use std::fmt::Write as _;

use data_encoding::BASE64;
use sha2::{Digest as _, Sha256};
use x509_parser::prelude::{FromDer as _, X509Certificate};

use super::{TlsaRecord, TlsaUsage, UsableRecord};
use crate::verify::Certificate;

/// A trust anchor by its bytes.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TrustAnchorBytes {
    /// The certificate of an authority: DER (RFC 5280, 4.1).
    Certificate(Vec<u8>),
    /// Its key alone: DER of the SubjectPublicKeyInfo (RFC 5280, 4.1.2.7).
    PublicKey(Vec<u8>),
}

impl TrustAnchorBytes {
    /// The anchor that a usable record of DANE-TA names, once its bytes are known: those of the record
    /// itself, or of a certificate in `probed` that has the record's digest.
    ///
    /// `None` for a certificate that must not issue, or that a strict reader refuses: no session could
    /// be authenticated by it (RFC 7671, 5.2), and the MTA would not read the file.
    #[must_use]
    pub fn of(record: &UsableRecord, probed: &[ProbedAnchor]) -> Option<Self> {
        if record.usage != TlsaUsage::TrustAnchor {
            return None;
        }
        let record = &record.record;
        match (record.matching, record.selector) {
            (FULL, 0) => is_authority(&record.data).then(|| Self::Certificate(record.data.clone())),
            (FULL, _) => Some(Self::PublicKey(record.data.clone())),
            (_, selector) => {
                let mut proved = probed.iter().filter(|anchor| anchor.is_named_by(record));
                let certificate = &proved.next()?.certificate;
                // RFC 6698, 2.1.2: a record of a key says nothing of the certificate around it, and
                // the host may show another one.
                match selector {
                    0 => Some(Self::Certificate(certificate.der().to_vec())),
                    _ => Some(Self::PublicKey(certificate.public_key()?.to_vec())),
                }
            }
        }
    }

    fn label(&self) -> &'static str {
        match self {
            Self::Certificate(_) => "CERTIFICATE",
            Self::PublicKey(_) => "PUBLIC KEY",
        }
    }

    fn der(&self) -> &[u8] {
        match self {
            Self::Certificate(der) | Self::PublicKey(der) => der,
        }
    }
}

/// A certificate that a probe brought, proved by the digest of a validated TLSA record: where it came
/// from is of no consequence.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ProbedAnchor {
    certificate: Certificate,
}

impl ProbedAnchor {
    /// The certificate of an authority whose digest `record` holds; `None` for any other.
    #[must_use]
    pub fn proved_by(record: &TlsaRecord, certificate: &Certificate) -> Option<Self> {
        let anchor = Self {
            certificate: certificate.clone(),
        };
        let is_proved = anchor.is_named_by(record) && is_authority(certificate.der());
        is_proved.then_some(anchor)
    }

    /// The certificate.
    #[must_use]
    pub fn certificate(&self) -> &Certificate {
        &self.certificate
    }

    /// True where `record` holds a digest of it.
    #[must_use]
    pub fn is_named_by(&self, record: &TlsaRecord) -> bool {
        let TlsaRecord {
            usage,
            selector,
            matching,
            ..
        } = *record;
        let named = TlsaRecord::naming(&self.certificate, usage, selector, matching);
        matching != FULL && named.as_ref() == Some(record)
    }
}

/// CM-18: who must not issue vouches for nobody.
fn is_authority(der: &[u8]) -> bool {
    let Ok((rest, certificate)) = X509Certificate::from_der(der) else {
        return false;
    };
    let constraints = certificate.basic_constraints();
    let may_issue = matches!(constraints, Ok(Some(constraints)) if constraints.value.ca);
    rest.is_empty() && may_issue
}

/// A file of trust anchors for an MTA (`tafile=`).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AnchorFile {
    /// Its name, made from the text: the same anchors have the same file, and what stands under a name
    /// never changes.
    pub name: String,
    /// Its text: PEM (RFC 7468).
    pub text: String,
}

/// The file for these anchors: each once, in an order of their own.
#[must_use]
pub fn anchor_file(anchors: &[TrustAnchorBytes]) -> AnchorFile {
    let mut sorted: Vec<&TrustAnchorBytes> = anchors.iter().collect();
    sorted.sort();
    sorted.dedup();
    let mut text = String::new();
    for anchor in sorted {
        let label = anchor.label();
        let _ = writeln!(text, "-----BEGIN {label}-----");
        // RFC 7468, 2: 64 characters a line, which are 48 octets.
        for line in anchor.der().chunks(48) {
            let _ = writeln!(text, "{}", BASE64.encode(line));
        }
        let _ = writeln!(text, "-----END {label}-----");
    }
    let mut name = String::new();
    for octet in Sha256::digest(text.as_bytes()) {
        let _ = write!(name, "{octet:02x}");
    }
    name.push_str(".pem");
    AnchorFile { name, text }
}

/// Matching type 0: full data (RFC 6698, 2.1.3).
const FULL: u8 = 0;

#[cfg(test)]
#[allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "tests"
)]
mod tests {
    use rcgen::{BasicConstraints, CertificateParams, IsCa, KeyPair};

    use super::*;

    fn certificate(is_ca: bool) -> Certificate {
        let mut params = CertificateParams::new(vec!["mx.test".to_owned()]).unwrap();
        if is_ca {
            params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        }
        let key = KeyPair::generate().unwrap();
        Certificate::from_der(params.self_signed(&key).unwrap().der().to_vec())
    }

    fn record(
        usage: TlsaUsage,
        certificate: &Certificate,
        selector: u8,
        matching: u8,
    ) -> UsableRecord {
        let number = if usage == TlsaUsage::EndEntity { 3 } else { 2 };
        let record = TlsaRecord::naming(certificate, number, selector, matching).unwrap();
        UsableRecord { usage, record }
    }

    /// DT-16, CM-14: full data is the anchor; a digest names one that a probe brings, and only that.
    #[test]
    fn bytes_come_from_the_record_or_from_a_probe_that_it_proves() {
        use TlsaUsage::{EndEntity, TrustAnchor};
        let (own, other) = (certificate(true), certificate(true));
        let whole = TrustAnchorBytes::Certificate(own.der().to_vec());
        let key = TrustAnchorBytes::PublicKey(own.public_key().unwrap().to_vec());
        for (selector, wanted) in [(0, &whole), (1, &key)] {
            let full = record(TrustAnchor, &own, selector, 0);
            assert_eq!(TrustAnchorBytes::of(&full, &[]).as_ref(), Some(wanted));
            for matching in [1, 2] {
                let digest = record(TrustAnchor, &own, selector, matching);
                assert_eq!(TrustAnchorBytes::of(&digest, &[]), None);
                let own = ProbedAnchor::proved_by(&digest.record, &own).unwrap();
                let foreign = record(TrustAnchor, &other, selector, matching);
                let foreign = ProbedAnchor::proved_by(&foreign.record, &other).unwrap();
                let got = TrustAnchorBytes::of(&digest, std::slice::from_ref(&foreign));
                assert_eq!(got, None, "another digest's");
                let got = TrustAnchorBytes::of(&digest, &[foreign, own]);
                assert_eq!(got.as_ref(), Some(wanted));
                assert_eq!(ProbedAnchor::proved_by(&digest.record, &other), None);
            }
        }
        let leaf = record(EndEntity, &own, 0, 0);
        assert_eq!(TrustAnchorBytes::of(&leaf, &[]), None);
    }

    /// CM-11, CM-18: a certificate that must not issue is no anchor, be it in the record or brought by a
    /// probe, and one that nobody can read neither.
    #[test]
    fn who_must_not_issue_is_no_anchor() {
        let leaf = certificate(false);
        let full = record(TlsaUsage::TrustAnchor, &leaf, 0, 0);
        assert_eq!(TrustAnchorBytes::of(&full, &[]), None);
        for (selector, matching) in [(0, 1), (1, 1), (1, 2)] {
            let digest = record(TlsaUsage::TrustAnchor, &leaf, selector, matching);
            assert_eq!(ProbedAnchor::proved_by(&digest.record, &leaf), None);
        }
        let mut cut = certificate(true).der().to_vec();
        cut.push(0);
        let cut = record(TlsaUsage::TrustAnchor, &Certificate::from_der(cut), 0, 0);
        assert_eq!(TrustAnchorBytes::of(&cut, &[]), None);
    }

    /// A record with full data proves nothing that a probe would have to bring.
    #[test]
    fn full_data_needs_no_probe() {
        let own = certificate(true);
        let full = record(TlsaUsage::TrustAnchor, &own, 0, 0);
        assert_eq!(ProbedAnchor::proved_by(&full.record, &own), None);
    }

    /// PD-14: the same set has the same file, whatever its order; another set has another name.
    #[test]
    fn a_file_is_named_by_what_is_in_it() {
        let own = certificate(true);
        let whole = TrustAnchorBytes::Certificate(own.der().to_vec());
        let key = TrustAnchorBytes::PublicKey(own.public_key().unwrap().to_vec());
        let both = anchor_file(&[whole.clone(), key.clone()]);
        assert_eq!(both, anchor_file(&[key.clone(), whole, key.clone()]));
        assert_ne!(both.name, anchor_file(&[key]).name);
        let (stem, ending) = both.name.split_once('.').unwrap();
        assert_eq!((stem.len(), ending), (64, "pem"));
        assert!(stem.bytes().all(|byte| byte.is_ascii_hexdigit()));
    }

    /// RFC 7468, 2, 5 and 13: labels, and lines of 64 characters; what is read back is what went in.
    #[test]
    fn the_text_is_pem() {
        let own = certificate(true);
        let key = own.public_key().unwrap().to_vec();
        let anchors = [
            TrustAnchorBytes::Certificate(own.der().to_vec()),
            TrustAnchorBytes::PublicKey(key.clone()),
        ];
        let text = anchor_file(&anchors).text;
        let parts: Vec<&str> = text.split_inclusive("-----END ").collect();
        assert!(
            parts[0].starts_with("-----BEGIN CERTIFICATE-----\n"),
            "{text}"
        );
        assert!(text.contains("\n-----END CERTIFICATE-----\n-----BEGIN PUBLIC KEY-----\n"));
        assert!(text.ends_with("\n-----END PUBLIC KEY-----\n"), "{text}");
        assert!(text.lines().all(|line| line.len() <= 64), "{text}");
        let inside = |label: &str| {
            let begin = format!("-----BEGIN {label}-----\n");
            let (_, rest) = text.split_once(&begin).unwrap();
            let (body, _) = rest.split_once("-----END").unwrap();
            BASE64.decode(body.replace('\n', "").as_bytes()).unwrap()
        };
        assert_eq!(inside("CERTIFICATE"), own.der());
        assert_eq!(inside("PUBLIC KEY"), key);
    }
}
