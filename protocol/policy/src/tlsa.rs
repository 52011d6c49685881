//! TLSA records: reading, usability, digest agility (RFC 6698, 2.1; RFC 7671, 9; RFC 7672, 3.1).
//!
//! Not done here: matching against certificates.

use std::fmt;

use x509_parser::prelude::{FromDer, SubjectPublicKeyInfo, X509Certificate};

/// One TLSA record (RFC 6698, 2.1).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TlsaRecord {
    /// Certificate usage.
    pub usage: u8,
    /// Selector.
    pub selector: u8,
    /// Matching type.
    pub matching: u8,
    /// Certificate association data.
    pub data: Vec<u8>,
}

/// RDATA too short to be a record: that record is unusable, the set is not failed (TU-06).
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("TLSA data of fewer than four octets")]
pub struct MalformedRdata;

/// Which records count as usable beside what RFC 7672 says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsaOptions {
    /// Read usage 0 as 2 and usage 1 as 3.
    pub map_pkix_usages: bool,
    /// Digests of usage 0 count too: the client owns a complete set of authorities.
    pub complete_ca_set: bool,
    /// Digests of trust anchors (2 x 1, 2 x 2) count.
    pub trust_anchor_digests: bool,
}

impl Default for TlsaOptions {
    fn default() -> Self {
        Self {
            map_pkix_usages: false,
            complete_ca_set: false,
            trust_anchor_digests: true,
        }
    }
}

/// What a usable record binds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TlsaUsage {
    /// DANE-TA: an issuer of the certificate.
    TrustAnchor,
    /// DANE-EE: the certificate itself.
    EndEntity,
}

/// A record that can authenticate a session.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UsableRecord {
    /// What it binds.
    pub usage: TlsaUsage,
    /// The record.
    pub record: TlsaRecord,
}

/// Why a record cannot be used. TLS is still owed (RFC 7672, 2.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, thiserror::Error)]
pub enum Unusable {
    /// Fewer than four octets.
    #[error("shorter than four octets")]
    Rdata,
    /// A usage other than DANE-TA and DANE-EE (RFC 7672, 3.1.3).
    #[error("certificate usage not for SMTP")]
    Usage,
    /// An unknown selector.
    #[error("unknown selector")]
    Selector,
    /// An unknown matching type.
    #[error("unknown matching type")]
    MatchingType,
    /// A digest of the wrong length.
    #[error("digest of the wrong length")]
    DigestLength,
    /// Full data that is no certificate.
    #[error("data is no certificate")]
    Certificate,
    /// Full data that is no public key.
    #[error("data is no public key")]
    PublicKey,
    /// Switched off by the configuration.
    #[error("switched off by configuration")]
    SwitchedOff,
}

/// The records of one host, sorted into usable and not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsaSet {
    /// Sorted, each once.
    pub usable: Vec<UsableRecord>,
    /// RDATA and why, sorted, each once.
    pub unusable: Vec<(Vec<u8>, Unusable)>,
}

impl TlsaRecord {
    /// Reads RDATA (RFC 6698, 2.1).
    ///
    /// # Errors
    /// [`MalformedRdata`] where a field is missing or the data is empty.
    pub fn from_rdata(rdata: &[u8]) -> Result<Self, MalformedRdata> {
        match rdata {
            [usage, selector, matching, data @ ..] if !data.is_empty() => Ok(Self {
                usage: *usage,
                selector: *selector,
                matching: *matching,
                data: data.to_vec(),
            }),
            _ => Err(MalformedRdata),
        }
    }

    fn usability(&self, options: &TlsaOptions) -> Result<TlsaUsage, Unusable> {
        let usage = match self.usage {
            2 => TlsaUsage::TrustAnchor,
            3 => TlsaUsage::EndEntity,
            0 if options.map_pkix_usages && (self.matching == 0 || options.complete_ca_set) => {
                TlsaUsage::TrustAnchor
            }
            1 if options.map_pkix_usages => TlsaUsage::EndEntity,
            _ => return Err(Unusable::Usage),
        };
        if self.selector > 1 {
            return Err(Unusable::Selector);
        }
        match (self.matching, self.data.len()) {
            (0, _) if self.selector == 0 => {
                whole(X509Certificate::from_der(&self.data)).ok_or(Unusable::Certificate)?;
            }
            (0, _) => {
                whole(SubjectPublicKeyInfo::from_der(&self.data)).ok_or(Unusable::PublicKey)?;
            }
            (1, 32) | (2, 64) => {}
            (1 | 2, _) => return Err(Unusable::DigestLength),
            _ => return Err(Unusable::MatchingType),
        }
        if usage == TlsaUsage::TrustAnchor && self.matching != 0 && !options.trust_anchor_digests {
            return Err(Unusable::SwitchedOff);
        }
        Ok(usage)
    }
}

fn whole<T, E>(parsed: Result<(&[u8], T), E>) -> Option<T> {
    parsed
        .ok()
        .filter(|(rest, _)| rest.is_empty())
        .map(|(_, value)| value)
}

impl fmt::Display for TlsaRecord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {} ", self.usage, self.selector, self.matching)?;
        self.data
            .iter()
            .try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl TlsaSet {
    /// Sorts the records of one host.
    #[must_use]
    pub fn read<'a>(rdata: impl IntoIterator<Item = &'a [u8]>, options: &TlsaOptions) -> Self {
        let mut set = Self {
            usable: Vec::new(),
            unusable: Vec::new(),
        };
        for rdata in rdata {
            let read = TlsaRecord::from_rdata(rdata).map_err(|_| Unusable::Rdata);
            match read.and_then(|record| Ok((record.usability(options)?, record))) {
                Ok((usage, record)) => set.usable.push(UsableRecord { usage, record }),
                Err(why) => set.unusable.push((rdata.to_vec(), why)),
            }
        }
        set.usable.sort();
        set.usable.dedup();
        set.unusable.sort();
        set.unusable.dedup();
        set
    }

    /// True where some record can authenticate a session.
    #[must_use]
    pub fn is_usable(&self) -> bool {
        !self.usable.is_empty()
    }

    /// True where a usable record binds the certificate itself.
    #[must_use]
    pub fn has_end_entity(&self) -> bool {
        self.usable
            .iter()
            .any(|record| record.usage == TlsaUsage::EndEntity)
    }
}
