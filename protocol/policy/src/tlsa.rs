//! TLSA records: reading, usability, digest agility (RFC 6698, 2.1; RFC 7671, 9; RFC 7672, 3.1).
//!
//! Not done here: matching against certificates, see [`crate::verify`].

use std::fmt;
use std::str::FromStr;

use x509_parser::prelude::{FromDer, SubjectPublicKeyInfo};

use crate::verify::Certificate;

mod agility;
mod anchors;

pub use self::agility::strongest;
pub use self::anchors::{AnchorFile, ProbedAnchor, TrustAnchorBytes, anchor_file};

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

/// What a usable record binds, by the acronyms of RFC 7218, 2.1.
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
            // A certificate that strict readers refuse is matched by its octets all the same (CM-07).
            (0, _) if self.selector == 0 => {
                if !Certificate::is_framed(&self.data) {
                    return Err(Unusable::Certificate);
                }
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

/// A text that is no TLSA record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a TLSA record is written as three numbers and hexadecimal data, as in 3 1 1 8cb0...")]
pub struct MalformedText;

impl FromStr for TlsaRecord {
    type Err = MalformedText;

    /// Reads the form of zone files (RFC 6698, 2.2): blanks may stand within the data.
    fn from_str(text: &str) -> Result<Self, MalformedText> {
        let mut words = text.split_ascii_whitespace();
        let mut number = || {
            let word = words.next().ok_or(MalformedText)?;
            word.parse::<u8>().map_err(|_| MalformedText)
        };
        let (usage, selector, matching) = (number()?, number()?, number()?);
        let digits: String = words.collect();
        let data = hex(&digits).filter(|data| !data.is_empty());
        Ok(Self {
            usage,
            selector,
            matching,
            data: data.ok_or(MalformedText)?,
        })
    }
}

/// Pairs of hexadecimal digits; `None` where there is anything else.
pub(crate) fn hex(digits: &str) -> Option<Vec<u8>> {
    let value = |digit: u8| char::from(digit).to_digit(16);
    let pair = |pair: &[u8]| match *pair {
        [high, low] => u8::try_from(value(high)? * 16 + value(low)?).ok(),
        _ => None,
    };
    digits.as_bytes().chunks(2).map(pair).collect()
}

impl TlsaRecord {
    /// The record as it stands in a message (RFC 6698, 2.1).
    #[must_use]
    pub fn rdata(&self) -> Vec<u8> {
        let mut rdata = vec![self.usage, self.selector, self.matching];
        rdata.extend_from_slice(&self.data);
        rdata
    }
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

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]
mod tests {
    use x509_parser::prelude::X509Certificate;

    use super::*;

    fn set(records: &[(u8, u8, u8, &[u8])], options: &TlsaOptions) -> TlsaSet {
        let rdata: Vec<Vec<u8>> = records
            .iter()
            .map(|(usage, selector, matching, data)| {
                [&[*usage, *selector, *matching][..], *data].concat()
            })
            .collect();
        TlsaSet::read(rdata.iter().map(Vec::as_slice), options)
    }

    fn data(selector: u8, matching: u8) -> Vec<u8> {
        let key = rcgen::generate_simple_self_signed(vec!["mx.e.test".to_owned()]).unwrap();
        let certificate = key.cert.der().to_vec();
        match (matching, selector) {
            (0, 0) => certificate,
            (0, _) => {
                let (_, parsed) = X509Certificate::from_der(&certificate).unwrap();
                parsed.tbs_certificate.subject_pki.raw.to_vec()
            }
            (1, _) => vec![7; 32],
            _ => vec![7; 64],
        }
    }

    /// TU-01: the twelve good cells, and every neighbour.
    #[test]
    fn the_grid() {
        let options = TlsaOptions::default();
        for usage in 0..=4 {
            for selector in 0..=2 {
                for matching in 0..=3 {
                    let data = data(selector, matching);
                    let set = set(&[(usage, selector, matching, &data)], &options);
                    let good = matches!(usage, 2 | 3) && selector < 2 && matching < 3;
                    assert_eq!(set.is_usable(), good, "{usage} {selector} {matching}");
                }
            }
        }
    }

    /// TU-06: wrong lengths and garbage make the record unusable, with the reason.
    #[test]
    fn malformed_data() {
        let options = TlsaOptions::default();
        let why = |record: (u8, u8, u8, &[u8])| set(&[record], &options).unusable[0].1;
        assert_eq!(why((3, 1, 1, &[7; 31])), Unusable::DigestLength);
        assert_eq!(why((3, 1, 2, &[7; 32])), Unusable::DigestLength);
        assert_eq!(why((3, 0, 0, b"garbage")), Unusable::Certificate);
        assert_eq!(why((3, 1, 0, b"garbage")), Unusable::PublicKey);
        assert_eq!(why((3, 1, 1, &[])), Unusable::Rdata);
        let mut longer = data(0, 0);
        longer.push(0);
        assert_eq!(why((3, 0, 0, &longer)), Unusable::Certificate);
        let beside = set(&[(3, 1, 1, &[7; 31]), (3, 1, 1, &[7; 32])], &options);
        assert_eq!((beside.usable.len(), beside.unusable.len()), (1, 1));
    }

    /// TU-06, TU-07: a certificate whose signature has bits unused is still one.
    #[test]
    fn unused_bits() {
        let mut certificate = data(0, 0);
        let length = certificate.len();
        let is_last = |at: &usize| at + 2 + usize::from(certificate[at + 1]) == length;
        let mut places = 0..length - 1;
        let at = places
            .find(|at| certificate[*at] == 3 && is_last(at))
            .unwrap();
        for (unused, good) in [(0, true), (2, true), (7, true), (8, false)] {
            certificate[at + 2] = unused;
            let set = set(&[(3, 0, 0, &certificate)], &TlsaOptions::default());
            assert_eq!(set.is_usable(), good, "{unused}");
        }
    }

    /// TU-02, TU-03: PKIX usages stay unusable until mapped; digests of usage 0 need a second switch.
    #[test]
    fn mapping() {
        let usable = |record: (u8, u8, u8, &[u8]), options: &TlsaOptions| {
            set(&[record], options)
                .usable
                .first()
                .map(|record| record.usage)
        };
        let certificate = data(0, 0);
        let mut options = TlsaOptions::default();
        assert_eq!(usable((1, 1, 1, &[7; 32]), &options), None);
        options.map_pkix_usages = true;
        assert_eq!(
            usable((1, 1, 1, &[7; 32]), &options),
            Some(TlsaUsage::EndEntity)
        );
        assert_eq!(usable((0, 0, 1, &[7; 32]), &options), None);
        assert_eq!(
            usable((0, 0, 0, &certificate), &options),
            Some(TlsaUsage::TrustAnchor)
        );
        options.complete_ca_set = true;
        assert_eq!(
            usable((0, 0, 1, &[7; 32]), &options),
            Some(TlsaUsage::TrustAnchor)
        );
    }

    /// TU-05, TU-08: the private type 255 is unusable; anchor digests can be switched off.
    #[test]
    fn switched_off() {
        let options = TlsaOptions {
            trust_anchor_digests: false,
            ..TlsaOptions::default()
        };
        let set = set(&[(3, 1, 255, &[7; 32]), (2, 0, 1, &[7; 32])], &options);
        let why: Vec<Unusable> = set.unusable.iter().map(|(_, why)| *why).collect();
        assert_eq!(why, [Unusable::SwitchedOff, Unusable::MatchingType]);
    }

    /// PD-14: the same records in another order, or twice, are the same set.
    #[test]
    fn order_is_of_no_consequence() {
        let options = TlsaOptions::default();
        let (a, b) = ((3, 1, 1, &[7; 32][..]), (2, 0, 1, &[8; 32][..]));
        assert_eq!(set(&[a, b], &options), set(&[b, a, b], &options));
    }
}
