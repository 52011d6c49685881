//! Distinguished names (RFC 5280, 4.1.2.4), in whatever encoding a certificate may choose.

use super::der;

/// A name: one attribute in each set.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Subject(pub Vec<Attribute>);

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Attribute {
    pub kind: Kind,
    pub encoding: Encoding,
    /// The octets as they will stand there; for [`Encoding::Bmp`] they are widened.
    pub text: Vec<u8>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    CommonName,
    Organization,
    Country,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Encoding {
    Utf8,
    Printable,
    Ia5,
    /// Two octets for each character.
    Bmp,
}

impl Subject {
    /// A common name alone.
    pub fn common(text: impl AsRef<[u8]>) -> Self {
        Self(vec![Attribute::utf8(Kind::CommonName, text)])
    }

    /// An organization and a common name, as authorities have.
    pub fn authority(organization: &str, name: &str) -> Self {
        Self(vec![
            Attribute::utf8(Kind::Organization, organization),
            Attribute::utf8(Kind::CommonName, name),
        ])
    }

    pub fn common_names(&self) -> impl Iterator<Item = &Attribute> {
        self.0
            .iter()
            .filter(|attribute| attribute.kind == Kind::CommonName)
    }

    pub fn der(&self) -> Vec<u8> {
        let sets: Vec<Vec<u8>> = self
            .0
            .iter()
            .map(|attribute| der::set(&[attribute.der()]))
            .collect();
        der::sequence(&sets)
    }

    /// True where OpenSSL takes both for the same name although their octets differ: it folds case,
    /// blanks and the kind of string (RFC 5280, 7.1).
    pub fn is_same_but_for_octets(&self, other: &Self) -> bool {
        self != other
            && self.0.len() == other.0.len()
            && self
                .0
                .iter()
                .zip(&other.0)
                .all(|(one, another)| one.kind == another.kind && one.folded() == another.folded())
    }
}

impl Attribute {
    pub fn utf8(kind: Kind, text: impl AsRef<[u8]>) -> Self {
        Self {
            kind,
            encoding: Encoding::Utf8,
            text: text.as_ref().to_vec(),
        }
    }

    fn der(&self) -> Vec<u8> {
        let number = match self.kind {
            Kind::CommonName => 3,
            Kind::Organization => 10,
            Kind::Country => 6,
        };
        let (tag, text) = match self.encoding {
            Encoding::Utf8 => (0x0c, self.text.clone()),
            Encoding::Printable => (0x13, self.text.clone()),
            Encoding::Ia5 => (0x16, self.text.clone()),
            Encoding::Bmp => (
                0x1e,
                self.text.iter().flat_map(|octet| [0, *octet]).collect(),
            ),
        };
        der::sequence(&[der::object(&[2, 5, 4, number]), der::element(tag, &text)])
    }

    fn folded(&self) -> Vec<u8> {
        let words: Vec<Vec<u8>> = self
            .text
            .split(u8::is_ascii_whitespace)
            .filter(|word| !word.is_empty())
            .map(<[u8]>::to_ascii_lowercase)
            .collect();
        words.join(&b' ')
    }
}
