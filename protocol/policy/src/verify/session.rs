//! One TLS session as somebody reports it (SV-01). What a report leaves out is unknown, never fine.

use std::net::IpAddr;

use sha2::{Digest as _, Sha256, Sha512};

use super::certificate::Certificate;
use crate::name::{DomainName, MxHost};
use crate::next_hop::NextHop;

/// A session with one mail host. Every part may be missing: then the verdict is "indeterminate"
/// wherever that part could have mattered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    /// The destination whose policy the session owes.
    pub next_hop: Option<NextHop>,
    /// The host, under the name that the MX record gives.
    pub mx_host: Option<MxHost>,
    /// Its address.
    pub address: Option<IpAddr>,
    /// Its port.
    pub port: Option<u16>,
    /// What became of STARTTLS.
    pub starttls: Option<Starttls>,
    /// The protocol version that was agreed on.
    pub tls_version: Option<TlsVersion>,
    /// The cipher suite, in OpenSSL's or the registry's words.
    pub cipher: Option<String>,
    /// The server name that was asked for.
    pub sni: Sni,
    /// What the host showed.
    pub presented: Presented,
    /// True where the session resumed an earlier one, so that nothing was shown.
    pub resumed: bool,
}

impl Session {
    /// A report that says nothing.
    #[must_use]
    pub fn unknown() -> Self {
        Self {
            next_hop: None,
            mx_host: None,
            address: None,
            port: None,
            starttls: None,
            tls_version: None,
            cipher: None,
            sni: Sni::Unknown,
            presented: Presented::Unknown,
            resumed: false,
        }
    }

    /// The first part that is missing, and without which nobody is called authenticated (SV-01).
    pub(super) fn missing(&self) -> Option<&'static str> {
        self.missing_in_handshake().or_else(|| {
            first_missing([
                ("tls_version", self.tls_version.is_none()),
                ("cipher", self.cipher.is_none()),
            ])
        })
    }

    /// The same while the handshake goes on: version and cipher are told when it is over.
    pub(super) fn missing_in_handshake(&self) -> Option<&'static str> {
        first_missing([
            ("next_hop", self.next_hop.is_none()),
            ("mx_host", self.mx_host.is_none()),
            ("address", self.address.is_none()),
            ("port", self.port.is_none()),
        ])
    }
}

fn first_missing<const N: usize>(parts: [(&'static str, bool); N]) -> Option<&'static str> {
    let missing = parts.into_iter().find(|(_, missing)| *missing);
    missing.map(|(part, _)| part)
}

/// What became of STARTTLS (RFC 3207).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Starttls {
    /// The session is encrypted.
    Used,
    /// The host did not offer it.
    NotOffered,
    /// The host offered it and said no to the command (454).
    Refused,
    /// The handshake failed.
    Failed,
}

impl Starttls {
    /// The word of the session JSON.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Used => "used",
            Self::NotOffered => "not-offered",
            Self::Refused => "refused",
            Self::Failed => "failed",
        }
    }

    /// Reads the word of the session JSON.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        let all = [Self::Used, Self::NotOffered, Self::Refused, Self::Failed];
        all.into_iter().find(|own| own.word() == word)
    }
}

/// Protocol versions, oldest first (RFC 8996; RFC 9325, 3.1.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TlsVersion {
    /// SSL 2 or 3: broken (RFC 7568).
    Ssl,
    /// TLS 1.0: withdrawn (RFC 8996).
    Tls10,
    /// TLS 1.1: withdrawn (RFC 8996).
    Tls11,
    /// TLS 1.2.
    Tls12,
    /// TLS 1.3.
    Tls13,
}

impl TlsVersion {
    /// The word that OpenSSL, GnuTLS or rustls use, or `None` for one that nobody knows.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        let folded: String = word
            .chars()
            .filter(|c| !matches!(c, 'v' | 'V' | '_' | '-' | ' ' | '.'))
            .map(|c| c.to_ascii_uppercase())
            .collect();
        Some(match folded.as_str() {
            "SSL2" | "SSL3" | "SSL30" => Self::Ssl,
            "TLS1" | "TLS10" => Self::Tls10,
            "TLS11" => Self::Tls11,
            "TLS12" => Self::Tls12,
            "TLS13" => Self::Tls13,
            _ => return None,
        })
    }

    /// OpenSSL's word.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Ssl => "SSLv3",
            Self::Tls10 => "TLSv1",
            Self::Tls11 => "TLSv1.1",
            Self::Tls12 => "TLSv1.2",
            Self::Tls13 => "TLSv1.3",
        }
    }

    /// RFC 8996; RFC 9325, 3.1.1: what authenticates must be at least this (RQ-01).
    pub const FLOOR: Self = Self::Tls12;
}

/// The server name that was asked for (RFC 6066, 3).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sni {
    /// The report does not say.
    Unknown,
    /// None.
    NotSent,
    /// This one.
    Sent(DomainName),
}

/// What the host showed (RFC 8446, 4.4.2).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Presented {
    /// Certificates, leaf first, in the order of the handshake.
    Chain(Vec<Certificate>),
    /// A bare key (RFC 7250): the DER of a SubjectPublicKeyInfo.
    RawKey(Vec<u8>),
    /// Only digests of the leaf are known: the log of Postfix at level 2 says no more.
    Digests(LeafDigests),
    /// The report does not say.
    Unknown,
}

/// Digests of a leaf certificate, both by one algorithm (RFC 6698, 2.1.3). One that is not known is empty,
/// and compares with nothing: Sendmail tells only that of the whole certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeafDigests {
    /// Of the whole certificate.
    pub certificate: Vec<u8>,
    /// Of its public key.
    pub key: Vec<u8>,
}

/// Digests that TLSA records hold (RFC 6698, 2.1.3).
pub(crate) fn digest(matching: u8, data: &[u8]) -> Option<Vec<u8>> {
    match matching {
        0 => Some(data.to_vec()),
        1 => Some(Sha256::digest(data).to_vec()),
        2 => Some(Sha512::digest(data).to_vec()),
        _ => None,
    }
}
