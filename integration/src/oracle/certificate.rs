//! What is to stand in a certificate, field by field (RFC 5280, 4.1), and its octets.

use std::collections::BTreeSet;

use sha2::{Digest as _, Sha512};

use super::der;
use super::extension::{Content, Extension, Known};
use super::keys::{Digest, Key, Signatory};
use super::subject::Subject;

/// A certificate as it is meant. Two that are equal are one certificate.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Certificate {
    pub version: Version,
    /// Content of the integer.
    pub serial: Vec<u8>,
    pub subject: Subject,
    pub issuer: Subject,
    pub key: Key,
    pub signed_by: Key,
    pub digest: Digest,
    /// Seconds since 1970.
    pub not_before: i64,
    /// Seconds since 1970.
    pub not_after: i64,
    pub extensions: Vec<Extension>,
    /// What is done to it that no honest writer would do.
    pub damage: Option<Damage>,
    pub maker: Maker,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Version {
    One,
    Two,
    Three,
}

/// Who writes it. What rcgen cannot write, the writer beside this file does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Maker {
    Ourselves,
    Rcgen,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Damage {
    /// One bit of the signature is another.
    Signature,
    /// The last octets are missing.
    Truncated,
    /// There is something behind it.
    Trailing,
    /// Octets that are no certificate at all.
    Noise,
    /// The key is of an algorithm that nobody knows.
    UnknownKey,
    /// The same key numbers under another algorithm: RSASSA-PSS for RSA (CM-02).
    OtherKeyAlgorithm,
    /// A length in more octets than it needs: BER, not DER.
    LongLength,
}

impl Certificate {
    /// The first extension about something.
    pub fn extension(&self, known: Known) -> Option<&Content> {
        self.extensions
            .iter()
            .find(|extension| extension.known() == known)
            .map(|extension| &extension.content)
    }

    /// Puts an extension in the place of the one about the same thing, or behind all.
    pub fn put(&mut self, extension: Extension) {
        let known = extension.known();
        match self.extensions.iter_mut().find(|old| old.known() == known) {
            Some(old) => *old = extension,
            None => self.extensions.push(extension),
        }
    }

    /// Takes away what is about something; false where there was nothing.
    pub fn take(&mut self, known: Known) -> bool {
        let before = self.extensions.len();
        self.extensions
            .retain(|extension| extension.known() != known);
        self.extensions.len() < before
    }

    /// One cannot be read, says nothing, or stands there twice (RFC 5280, 4.2).
    pub fn has_flawed_extensions(&self) -> bool {
        let mut mended = self.clone();
        mended.mend_extensions();
        mended.extensions.len() < self.extensions.len()
    }

    /// Takes those away.
    pub fn mend_extensions(&mut self) {
        let mut known = BTreeSet::new();
        self.extensions.retain(|one| {
            let is_sound = !matches!(one.content, Content::Broken(_) | Content::KeyUsage(0));
            is_sound && known.insert(one.known())
        });
    }

    pub fn is_self_issued(&self) -> bool {
        self.subject == self.issuer
    }

    pub fn is_self_signed(&self) -> bool {
        self.is_self_issued() && self.key == self.signed_by
    }

    pub fn is_in_time(&self, now: i64) -> bool {
        self.not_before <= now && now <= self.not_after
    }

    /// How many facts are different: a field is one, and so is an extension.
    pub fn facts_apart(&self, other: &Self) -> usize {
        let fields = [
            self.version != other.version,
            self.serial != other.serial,
            self.subject != other.subject,
            self.issuer != other.issuer,
            self.key != other.key,
            self.signed_by != other.signed_by,
            self.digest != other.digest,
            self.not_before != other.not_before,
            self.not_after != other.not_after,
            self.damage != other.damage,
            self.maker != other.maker,
        ];
        let fields = fields.into_iter().filter(|differs| *differs).count();
        let only_here = |here: &Self, there: &Self| {
            here.extensions
                .iter()
                .filter(|extension| !there.extensions.contains(extension))
                .map(Extension::known)
                .collect::<BTreeSet<Known>>()
        };
        let mut extensions = only_here(self, other);
        extensions.extend(only_here(other, self));
        let repeated = self.extensions.len() != other.extensions.len() && extensions.is_empty();
        fields + extensions.len() + usize::from(repeated)
    }

    /// Its octets by our own writer.
    pub fn write(&self, signatory: &mut Signatory) -> Vec<u8> {
        if self.damage == Some(Damage::Noise) {
            // No two are alike: a record of one is none of the other.
            return Sha512::digest(format!("{self:?}")).repeat(4);
        }
        let identifier = self.digest.identifier(self.signed_by.algorithm);
        let body = self.body(&identifier, signatory.pool.public(self.key));
        let mut signature = signatory.sign(self.signed_by, self.digest, &body);
        if self.damage == Some(Damage::Signature) {
            *signature.last_mut().unwrap() ^= 1;
        }
        let mut octets = der::sequence(&[body, identifier, der::bit_string(&signature)]);
        match self.damage {
            Some(Damage::Truncated) => octets.truncate(octets.len() - 3),
            Some(Damage::Trailing) => octets.extend([5, 0]),
            Some(Damage::LongLength) => lengthen(&mut octets),
            _ => {}
        }
        octets
    }

    fn body(&self, identifier: &[u8], key: &[u8]) -> Vec<u8> {
        let mut parts = Vec::new();
        match self.version {
            Version::One => {}
            Version::Two => parts.push(der::element(0xa0, &der::integer(&[1]))),
            Version::Three => parts.push(der::element(0xa0, &der::integer(&[2]))),
        }
        let validity = [der::time(self.not_before), der::time(self.not_after)];
        parts.extend([
            der::integer(&self.serial),
            identifier.to_vec(),
            self.issuer.der(),
            der::sequence(&validity),
            self.subject.der(),
            self.key_info(key),
        ]);
        if !self.extensions.is_empty() {
            let extensions: Vec<Vec<u8>> = self.extensions.iter().map(Extension::der).collect();
            parts.push(der::element(0xa3, &der::sequence(&extensions)));
        }
        der::sequence(&parts)
    }

    /// SubjectPublicKeyInfo as it stands there; `key` is the pool's.
    pub fn key_info(&self, key: &[u8]) -> Vec<u8> {
        let algorithm: &[u64] = match self.damage {
            Some(Damage::UnknownKey) => &[1, 3, 6, 1, 4, 1, 32_473, 10],
            Some(Damage::OtherKeyAlgorithm) => &[1, 2, 840, 113_549, 1, 1, 10],
            _ => return key.to_vec(),
        };
        der::sequence(&[der::sequence(&[der::object(algorithm)]), key_bits(key)])
    }
}

/// The BIT STRING of a SubjectPublicKeyInfo, with its header.
pub fn key_bits(key: &[u8]) -> Vec<u8> {
    let (_, inside) = open(key);
    let (algorithm, _) = open(inside);
    inside[algorithm..].to_vec()
}

/// The length of the first element with its header, and its content.
fn open(der: &[u8]) -> (usize, &[u8]) {
    let (header, length) = match der[1] {
        short @ 0..=0x7f => (2, usize::from(short)),
        long => {
            let octets = usize::from(long & 0x7f);
            let length = der[2..2 + octets]
                .iter()
                .fold(0, |length, octet| length << 8 | usize::from(*octet));
            (2 + octets, length)
        }
    };
    (header + length, &der[header..header + length])
}

/// Writes the outermost length with a zero before it.
fn lengthen(octets: &mut Vec<u8>) {
    octets[1] += 1;
    octets.insert(2, 0);
}
