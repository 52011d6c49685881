//! A certificate for people: whose, by whom, for which names, from when until when.

use x509_parser::prelude::{GeneralName, ParsedExtension};
use x509_parser::public_key::PublicKey;

use super::certificate::Certificate;
use super::read::Read;

/// What a certificate says of itself (RFC 5280, 4.1.2); nothing of it is proved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CertificateFacts {
    /// The subject, as RFC 4514 writes it.
    pub subject: String,
    /// The issuer, likewise.
    pub issuer: String,
    /// DNS-IDs (RFC 9525, 2), as they stand there.
    pub names: Vec<String>,
    /// Valid from, in seconds since 1970.
    pub not_before: i64,
    /// Valid until, in seconds since 1970.
    pub not_after: i64,
    /// The kind of key and its size, as in `RSA 2048`.
    pub key: String,
}

impl CertificateFacts {
    /// Reads them; `None` for a certificate that cannot be read.
    #[must_use]
    pub fn of(certificate: &Certificate) -> Option<Self> {
        let read = Read::of(certificate)?;
        let parsed = &read.parsed;
        let mut names = Vec::new();
        for extension in parsed.extensions() {
            if let ParsedExtension::SubjectAlternativeName(listed) = extension.parsed_extension() {
                names.extend(listed.general_names.iter().filter_map(|name| match name {
                    GeneralName::DNSName(name) => Some(plain(name)),
                    _ => None,
                }));
            }
        }
        Some(Self {
            subject: plain(&parsed.subject().to_string()),
            issuer: plain(&parsed.issuer().to_string()),
            names,
            not_before: parsed.validity().not_before.timestamp(),
            not_after: parsed.validity().not_after.timestamp(),
            key: key(&read),
        })
    }
}

fn key(read: &Read<'_>) -> String {
    match read.parsed.public_key().parsed() {
        Ok(PublicKey::RSA(key)) => format!("RSA {}", key.key_size()),
        Ok(PublicKey::EC(point)) => format!("EC {}", point.key_size()),
        Ok(PublicKey::Unknown(_)) => match read.parsed.public_key().algorithm.algorithm {
            ref own if own.to_id_string() == ED25519 => "Ed25519".to_owned(),
            ref own => own.to_id_string(),
        },
        Ok(_) => "of another kind".to_owned(),
        Err(_) => "unreadable".to_owned(),
    }
}

/// A peer writes what it likes: no control characters reach a terminal.
fn plain(text: &str) -> String {
    text.chars()
        .map(|c| if c.is_control() { '?' } else { c })
        .collect()
}

/// RFC 8410, 3.
const ED25519: &str = "1.3.101.112";
