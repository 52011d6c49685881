//! The signature of a mail with a report (RFC 6376; RFC 8463; RFC 8460, 3).
//!
//! RP-12: a mail leaves signed by the mail server or signed here; there is no third way. Not done here:
//! reading files, and asking whether the DNS publishes the key.

use data_encoding::BASE64;
use hoplock_policy::moment::Timestamp;
use hoplock_policy::name::DomainName;
use mail_auth::common::crypto::{DkimKey as Key, Ed25519Key, RsaKey, Sha256, SigningKey as _};
use mail_auth::common::headers::{HeaderStream, Writable, Writer};
use mail_auth::dkim::canonicalize::CanonicalHeaders;
use mail_auth::dkim::{Canonicalization, Signature};
use rustls_pki_types::PrivateKeyDer;
use rustls_pki_types::pem::PemObject as _;

use super::mail::UnsignedMail;

/// Who signs.
pub enum Signing {
    /// The mail server does, as it signs all mail of the From address's domain: the operator says so.
    ByMta,
    /// We do, with this key.
    Key(Box<DkimKey>),
}

/// A key, and where the world finds its public half.
pub struct DkimKey {
    domain: DomainName,
    selector: DomainName,
    key: Key,
}

/// A key that cannot sign; the words are for people. The caller names the file.
#[derive(Debug, thiserror::Error)]
pub enum BadKey {
    /// Not a key in PEM form.
    #[error("no private key in PEM form: {0}")]
    NoPem(String),
    /// A key for something else.
    #[error("neither an RSA key of 2048 to 8192 bits nor an Ed25519 key: {0}")]
    Unusable(String),
}

/// Why a mail was not signed, so that it does not leave. Neither passes by itself.
#[derive(Debug, thiserror::Error)]
pub enum NotSigned {
    /// RFC 8460, 3: the signature is the reporting domain's.
    #[error("the mail is from {from}, and the DKIM key is for {domain}")]
    OtherDomain {
        /// The domain in From.
        from: DomainName,
        /// The key's.
        domain: DomainName,
    },
    /// The library failed.
    #[error("no DKIM signature: {0}")]
    Library(String),
}

impl Signing {
    /// The octets of a mail, fit to leave.
    ///
    /// # Errors
    /// [`NotSigned`]: the mail stays here.
    pub fn seal(&self, mail: UnsignedMail, now: Timestamp) -> Result<Vec<u8>, NotSigned> {
        match self {
            Self::ByMta => Ok(mail.octets),
            Self::Key(key) => key.sign(mail, now),
        }
    }
}

impl DkimKey {
    /// Reads a private key in PEM form: PKCS #8 (RSA and Ed25519) or PKCS #1 (RSA).
    ///
    /// # Errors
    /// [`BadKey`] says what it is instead.
    pub fn from_pem(pem: &[u8], domain: DomainName, selector: DomainName) -> Result<Self, BadKey> {
        let der =
            PrivateKeyDer::from_pem_slice(pem).map_err(|error| BadKey::NoPem(error.to_string()))?;
        let ed25519 = match &der {
            // Without its public half too, as openssl writes it.
            PrivateKeyDer::Pkcs8(der) => {
                Ed25519Key::from_pkcs8_maybe_unchecked_der(der.secret_pkcs8_der()).ok()
            }
            _ => None,
        };
        let key = match ed25519 {
            Some(key) => Key::Ed25519(key),
            None => RsaKey::<Sha256>::from_key_der(der)
                .map(Key::Rsa)
                .map_err(|error| BadKey::Unusable(error.to_string()))?,
        };
        Ok(Self {
            domain,
            selector,
            key,
        })
    }

    /// The domain that signs.
    #[must_use]
    pub fn domain(&self) -> &DomainName {
        &self.domain
    }

    /// Where the public half is to be found: the name of its TXT record (RFC 6376, 3.6.2.1).
    #[must_use]
    pub fn record(&self) -> String {
        format!("{}._domainkey.{}", self.selector, self.domain)
    }

    fn sign(&self, mail: UnsignedMail, now: Timestamp) -> Result<Vec<u8>, NotSigned> {
        if !is_of(&mail.domain, &self.domain) {
            return Err(NotSigned::OtherDomain {
                from: mail.domain,
                domain: self.domain.clone(),
            });
        }
        let mut signature = Signature {
            v: 1,
            a: self.key.algorithm(),
            d: self.domain.to_string(),
            s: self.selector.to_string(),
            h: SIGNED.iter().map(|&name| name.to_owned()).collect(),
            ch: Canonicalization::Relaxed,
            cb: Canonicalization::Relaxed,
            t: now.0 / 1_000,
            ..Signature::default()
        };
        let message = Message(&mail.octets);
        let (_, headers, signed, body) = signature.canonicalize(message);
        signature.h = signed;
        // RFC 8460, 3: no `l=`; the whole body is signed.
        let digest = self.key.hash(body);
        signature.bh = BASE64.encode(digest.as_ref()).into_bytes();
        let mut tags = Vec::new();
        signature.write(&mut tags, false);
        let input = Input {
            headers,
            tags: &tags,
        };
        let octets = self.key.sign(input);
        let octets = octets.map_err(|error| NotSigned::Library(error.to_string()))?;
        let mut sealed = field(&tags, &BASE64.encode(&octets))?;
        sealed.extend_from_slice(&mail.octets);
        Ok(sealed)
    }
}

/// A mail of ours, from which the header fields are taken one after the other.
struct Message<'a>(&'a [u8]);

impl<'a> HeaderStream<'a> for Message<'a> {
    fn next_header(&mut self) -> Option<(&'a [u8], &'a [u8])> {
        // A field goes on in lines that begin with a blank (RFC 5322, 2.2.3).
        let ends = |(index, pair): (usize, &[u8])| match pair {
            [b'\n', b' ' | b'\t'] => None,
            [b'\n', _] => Some(index + 1),
            _ => None,
        };
        let end = self.0.windows(2).enumerate().find_map(ends)?;
        let (field, rest) = self.0.split_at_checked(end)?;
        let colon = field.iter().position(|octet| *octet == b':')?;
        let (name, value) = field.split_at_checked(colon)?;
        self.0 = rest;
        Some((name, value.get(1..)?))
    }

    fn body(&mut self) -> &'a [u8] {
        // All fields are taken, and what is left begins with the empty line.
        self.0.strip_prefix(b"\r\n").unwrap_or(self.0)
    }
}

/// What is signed (RFC 6376, 3.7). The library's own way to sign asks the clock of the machine.
struct Input<'a> {
    headers: CanonicalHeaders<'a>,
    /// The field of the signature itself, canonical, without a value of `b=`.
    tags: &'a [u8],
}

impl Writable for Input<'_> {
    fn write(self, writer: &mut impl Writer) {
        self.headers.write(writer);
        writer.write(self.tags);
    }
}

/// The field as it leaves: canonical it is what was signed. The library would write one too, which has a
/// blank behind the signature where that fills its last line; verifiers that take only the signature itself
/// out before they look then see another field.
fn field(tags: &[u8], signature: &str) -> Result<Vec<u8>, NotSigned> {
    let text = String::from_utf8_lossy(tags);
    let values = text.strip_prefix("dkim-signature:");
    let values = values.and_then(|own| own.strip_suffix(';'));
    let values = values.ok_or_else(|| NotSigned::Library(format!("an odd field: {text}")))?;
    // A line end and a tab are a blank (RFC 6376, 3.4.2).
    let mut field = format!("DKIM-Signature: {}", values.replace(' ', "\r\n\t")).into_bytes();
    for (index, line) in signature.as_bytes().chunks(LINE).enumerate() {
        if index > 0 {
            field.extend_from_slice(b"\r\n\t");
        }
        field.extend_from_slice(line);
    }
    field.extend_from_slice(b";\r\n");
    Ok(field)
}

fn is_of(name: &DomainName, domain: &DomainName) -> bool {
    let above = name.as_str().strip_suffix(domain.as_str());
    above.is_some_and(|above| above.is_empty() || above.ends_with('.'))
}

/// RFC 6376, 5.4: From, and whatever says what this mail is. Each stands twice, so that no second field of
/// that name can be put in front of it (RFC 6376, 8.15).
const SIGNED: &[&str] = &[
    "From",
    "From",
    "To",
    "To",
    "Subject",
    "Subject",
    "Date",
    "Date",
    "Message-ID",
    "Message-ID",
    "TLS-Report-Domain",
    "TLS-Report-Domain",
    "TLS-Report-Submitter",
    "TLS-Report-Submitter",
    "TLS-Required",
    "TLS-Required",
    "Auto-Submitted",
    "MIME-Version",
    "MIME-Version",
    "Content-Type",
    "Content-Type",
];

/// Octets of the signature in one line.
const LINE: usize = 72;

#[cfg(test)]
mod tests;
