//! A certificate from its octets. DANE-EE needs no more than where the key lies (RFC 7671, 5.1), so
//! what a strict reader refuses is still matched: version 1, odd extensions, a negative serial
//! number.

use std::fmt;

use nom::bytes::complete::take;
use nom::combinator::{recognize, verify};
use nom::number::complete::u8 as octet;
use nom::sequence::preceded;
use nom::{IResult, Parser as _};

use super::session::digest;
use crate::tlsa::TlsaRecord;

/// A certificate as it was shown (RFC 5280, 4.1).
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Certificate {
    der: Vec<u8>,
}

impl Certificate {
    /// Any octets at all; nothing is read yet.
    #[must_use]
    pub fn from_der(der: impl Into<Vec<u8>>) -> Self {
        Self { der: der.into() }
    }

    /// True where these octets are one element that holds the parts of a certificate, whatever is
    /// in them (RFC 5280, 4.1). OpenSSL takes a signature of any number of bits, and what it takes must
    /// not be less to us: a host would owe less (TU-07).
    #[must_use]
    pub fn is_framed(der: &[u8]) -> bool {
        let is_bits = |(_, _, bits): (_, _, &[u8])| bits.first().is_some_and(|unused| *unused < 8);
        inside(SEQUENCE, der).is_ok_and(|(rest, _)| rest.is_empty())
            && parts(der).is_some_and(is_bits)
            && public_key(der).is_ok()
    }

    /// The octets: selector 0 (RFC 6698, 2.1.2).
    #[must_use]
    pub fn der(&self) -> &[u8] {
        &self.der
    }

    /// The SubjectPublicKeyInfo, algorithm and parameters included: selector 1 (RFC 6698, 2.1.2).
    /// `None` where the octets do not lead there.
    #[must_use]
    pub fn public_key(&self) -> Option<&[u8]> {
        public_key(&self.der).ok().map(|(_, key)| key)
    }

    /// What a selector covers (RFC 6698, 2.1.2); `None` for one that nobody knows.
    #[must_use]
    pub fn selected(&self, selector: u8) -> Option<&[u8]> {
        match selector {
            0 => Some(&self.der),
            1 => self.public_key(),
            _ => None,
        }
    }
}

impl TlsaRecord {
    /// The record that names this certificate (RFC 6698, 2.1); `None` for a selector or matching
    /// type that nobody knows, and for a key that cannot be found.
    #[must_use]
    pub fn naming(
        certificate: &Certificate,
        usage: u8,
        selector: u8,
        matching: u8,
    ) -> Option<Self> {
        Some(Self {
            usage,
            selector,
            matching,
            data: digest(matching, certificate.selected(selector)?)?,
        })
    }

    /// The record that names a public key, given as SubjectPublicKeyInfo (RFC 6698, 2.1.2).
    #[must_use]
    pub fn of_key(key: &[u8], usage: u8, matching: u8) -> Option<Self> {
        Some(Self {
            usage,
            selector: 1,
            matching,
            data: digest(matching, key)?,
        })
    }
}

impl fmt::Debug for Certificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Certificate({} octets)", self.der.len())
    }
}

/// A certificate as its issuer signed it (RFC 5280, 4.1.1).
pub(super) struct Signed<'a> {
    /// What was signed.
    pub(super) content: &'a [u8],
    /// The algorithm, without its header.
    pub(super) algorithm: &'a [u8],
    /// The signature.
    pub(super) signature: &'a [u8],
}

impl<'a> Signed<'a> {
    pub(super) fn read(der: &'a [u8]) -> Option<Self> {
        let (content, algorithm, bits) = parts(der)?;
        Some(Self {
            content,
            algorithm,
            signature: bits.strip_prefix(&[NO_UNUSED_BITS])?,
        })
    }
}

/// What was signed, the algorithm, and the bits of the signature with the number of those unused.
fn parts(der: &[u8]) -> Option<(&[u8], &[u8], &[u8])> {
    let (_, fields) = inside(SEQUENCE, der).ok()?;
    let (rest, content) = whole(SEQUENCE, fields).ok()?;
    let (rest, algorithm) = inside(SEQUENCE, rest).ok()?;
    let (rest, bits) = inside(BIT_STRING, rest).ok()?;
    rest.is_empty().then_some((content, algorithm, bits))
}

/// The parts of a SubjectPublicKeyInfo (RFC 5280, 4.1.2.7).
pub(super) struct SubjectKey<'a> {
    /// The algorithm, without its header.
    pub(super) algorithm: &'a [u8],
    /// The key.
    pub(super) bits: &'a [u8],
}

impl<'a> SubjectKey<'a> {
    /// Reads the content of a SubjectPublicKeyInfo, without its header.
    pub(super) fn read(content: &'a [u8]) -> Option<Self> {
        let (rest, algorithm) = inside(SEQUENCE, content).ok()?;
        let (rest, bits) = inside(BIT_STRING, rest).ok()?;
        let bits = bits.strip_prefix(&[NO_UNUSED_BITS])?;
        rest.is_empty().then_some(Self { algorithm, bits })
    }
}

/// An element without its header; what is no element stays as it is.
pub(super) fn contents(der: &[u8]) -> &[u8] {
    inside(SEQUENCE, der).map_or(der, |(_, content)| content)
}

/// Steps over the fields of a certificate in front of its key, whatever is in them (RFC 5280, 4.1).
fn public_key(der: &[u8]) -> IResult<&[u8], &[u8]> {
    let (_, certificate) = inside(SEQUENCE, der)?;
    let (_, mut rest) = inside(SEQUENCE, certificate)?;
    if let Ok((behind, _)) = whole(VERSION, rest) {
        rest = behind;
    }
    // Serial number, signature algorithm, issuer, validity, subject.
    for tag in [INTEGER, SEQUENCE, SEQUENCE, SEQUENCE, SEQUENCE] {
        (rest, _) = whole(tag, rest)?;
    }
    whole(SEQUENCE, rest)
}

/// One element with its header.
fn whole(tag: u8, input: &[u8]) -> IResult<&[u8], &[u8]> {
    recognize(|input| inside(tag, input)).parse(input)
}

/// The content of one element, and what stands behind it.
fn inside(tag: u8, input: &[u8]) -> IResult<&[u8], &[u8]> {
    let (rest, length) = preceded(verify(octet, |own| *own == tag), length).parse(input)?;
    take(length)(rest)
}

/// X.690, 8.1.3: definite lengths of up to four octets.
fn length(input: &[u8]) -> IResult<&[u8], usize> {
    let (rest, first) = octet(input)?;
    if first < 0x80 {
        return Ok((rest, usize::from(first)));
    }
    let (rest, octets) = verify(take(usize::from(first & 0x7f)), |octets: &[u8]| {
        (1..=4).contains(&octets.len())
    })
    .parse(rest)?;
    let length = octets
        .iter()
        .fold(0_usize, |length, octet| length << 8 | usize::from(*octet));
    Ok((rest, length))
}

const SEQUENCE: u8 = 0x30;
const INTEGER: u8 = 0x02;
const BIT_STRING: u8 = 0x03;
/// Keys and signatures are whole octets.
const NO_UNUSED_BITS: u8 = 0;
/// `[0]`, explicit: absent in version 1.
const VERSION: u8 = 0xa0;
