//! Extensions of certificates (RFC 5280, 4.2), well formed or not.

use super::der;
use super::subject::Subject;

/// One extension.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Extension {
    pub critical: bool,
    pub content: Content,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Content {
    BasicConstraints {
        authority: bool,
        path_length: Option<u8>,
    },
    /// The bits of RFC 5280, 4.2.1.3, the first one highest.
    KeyUsage(u16),
    ExtendedKeyUsage(Vec<Purpose>),
    AlternativeNames(Vec<AlternativeName>),
    NameConstraints {
        permitted: Vec<AlternativeName>,
        excluded: Vec<AlternativeName>,
    },
    SubjectKeyIdentifier(Vec<u8>),
    AuthorityKeyIdentifier(Vec<u8>),
    /// Names one policy that means nothing here.
    Policies,
    /// Netscape's certificate type.
    NetscapeType(u8),
    /// One that nobody knows.
    Unknown,
    /// One that everybody knows, with octets inside that mean nothing.
    Broken(Known),
}

/// What an extension is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Known {
    BasicConstraints,
    KeyUsage,
    ExtendedKeyUsage,
    AlternativeNames,
    NameConstraints,
    SubjectKeyIdentifier,
    AuthorityKeyIdentifier,
    Policies,
    NetscapeType,
    Unknown,
}

/// RFC 5280, 4.2.1.12.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Purpose {
    Server,
    Client,
    Email,
    Any,
    /// Netscape's server-gated crypto, which OpenSSL takes for a server.
    Gated,
    Unknown,
}

/// RFC 5280, 4.2.1.6. In name constraints the same forms stand for subtrees.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum AlternativeName {
    Dns(Vec<u8>),
    Email(Vec<u8>),
    Uri(Vec<u8>),
    Address(Vec<u8>),
    Directory(Subject),
    Other(Vec<u8>),
}

impl Extension {
    pub fn plain(content: Content) -> Self {
        Self {
            critical: false,
            content,
        }
    }

    pub fn critical(content: Content) -> Self {
        Self {
            critical: true,
            content,
        }
    }

    pub fn known(&self) -> Known {
        match &self.content {
            Content::BasicConstraints { .. } => Known::BasicConstraints,
            Content::KeyUsage(_) => Known::KeyUsage,
            Content::ExtendedKeyUsage(_) => Known::ExtendedKeyUsage,
            Content::AlternativeNames(_) => Known::AlternativeNames,
            Content::NameConstraints { .. } => Known::NameConstraints,
            Content::SubjectKeyIdentifier(_) => Known::SubjectKeyIdentifier,
            Content::AuthorityKeyIdentifier(_) => Known::AuthorityKeyIdentifier,
            Content::Policies => Known::Policies,
            Content::NetscapeType(_) => Known::NetscapeType,
            Content::Unknown => Known::Unknown,
            Content::Broken(known) => *known,
        }
    }

    pub fn der(&self) -> Vec<u8> {
        let mut parts = vec![der::object(self.known().numbers())];
        if self.critical {
            parts.push(der::boolean(true));
        }
        parts.push(der::octet_string(&self.content.der()));
        der::sequence(&parts)
    }
}

impl Known {
    pub const ALL: [Self; 8] = [
        Self::BasicConstraints,
        Self::KeyUsage,
        Self::ExtendedKeyUsage,
        Self::AlternativeNames,
        Self::NameConstraints,
        Self::SubjectKeyIdentifier,
        Self::AuthorityKeyIdentifier,
        Self::Policies,
    ];

    /// The numbers of its object identifier.
    pub fn numbers(self) -> &'static [u64] {
        match self {
            Self::BasicConstraints => &[2, 5, 29, 19],
            Self::KeyUsage => &[2, 5, 29, 15],
            Self::ExtendedKeyUsage => &[2, 5, 29, 37],
            Self::AlternativeNames => &[2, 5, 29, 17],
            Self::NameConstraints => &[2, 5, 29, 30],
            Self::SubjectKeyIdentifier => &[2, 5, 29, 14],
            Self::AuthorityKeyIdentifier => &[2, 5, 29, 35],
            Self::Policies => &[2, 5, 29, 32],
            Self::NetscapeType => &[2, 16, 840, 1, 113_730, 1, 1],
            // An arc for examples (RFC 5612).
            Self::Unknown => &[1, 3, 6, 1, 4, 1, 32_473, 7],
        }
    }
}

impl Content {
    /// What stands in the extension's octet string.
    pub fn der(&self) -> Vec<u8> {
        match self {
            Self::BasicConstraints {
                authority,
                path_length,
            } => {
                let mut parts = Vec::new();
                // DEFAULT FALSE is left out (X.690, 11.5).
                if *authority {
                    parts.push(der::boolean(true));
                }
                parts.extend(path_length.map(|length| der::integer(&[length])));
                der::sequence(&parts)
            }
            Self::KeyUsage(bits) => der::named_bits(*bits),
            Self::ExtendedKeyUsage(purposes) => {
                let purposes: Vec<Vec<u8>> =
                    purposes.iter().map(|purpose| purpose.object()).collect();
                der::sequence(&purposes)
            }
            Self::AlternativeNames(names) => {
                let names: Vec<Vec<u8>> = names.iter().map(AlternativeName::der).collect();
                der::sequence(&names)
            }
            Self::NameConstraints {
                permitted,
                excluded,
            } => {
                let subtrees = |tag, names: &[AlternativeName]| {
                    let names: Vec<Vec<u8>> = names
                        .iter()
                        .map(|name| der::sequence(&[name.der()]))
                        .collect();
                    (!names.is_empty()).then(|| der::constructed(tag, &names))
                };
                let both = [subtrees(0xa0, permitted), subtrees(0xa1, excluded)];
                let both: Vec<Vec<u8>> = both.into_iter().flatten().collect();
                der::sequence(&both)
            }
            Self::SubjectKeyIdentifier(identifier) => der::octet_string(identifier),
            Self::AuthorityKeyIdentifier(identifier) => {
                der::sequence(&[der::element(0x80, identifier)])
            }
            Self::Policies => {
                der::sequence(&[der::sequence(&[der::object(&[2, 23, 140, 1, 2, 1])])])
            }
            Self::NetscapeType(bits) => der::named_bits(u16::from(*bits) << 8),
            Self::Unknown => der::null(),
            Self::Broken(_) => vec![0x30, 0x05, 0x01],
        }
    }
}

impl Purpose {
    fn object(self) -> Vec<u8> {
        let web = |number| der::object(&[1, 3, 6, 1, 5, 5, 7, 3, number]);
        match self {
            Self::Server => web(1),
            Self::Client => web(2),
            Self::Email => web(4),
            Self::Any => der::object(&[2, 5, 29, 37, 0]),
            Self::Gated => der::object(&[2, 16, 840, 1, 113_730, 4, 1]),
            Self::Unknown => der::object(&[1, 3, 6, 1, 4, 1, 32_473, 8]),
        }
    }
}

impl AlternativeName {
    pub fn dns(text: impl AsRef<[u8]>) -> Self {
        Self::Dns(text.as_ref().to_vec())
    }

    fn der(&self) -> Vec<u8> {
        match self {
            Self::Email(text) => der::element(0x81, text),
            Self::Dns(text) => der::element(0x82, text),
            Self::Directory(name) => der::element(0xa4, &name.der()),
            Self::Uri(text) => der::element(0x86, text),
            Self::Address(octets) => der::element(0x87, octets),
            Self::Other(text) => der::constructed(
                0xa0,
                &[
                    der::object(&[1, 3, 6, 1, 4, 1, 32_473, 9]),
                    der::element(0xa0, &der::element(0x0c, text)),
                ],
            ),
        }
    }
}

/// Bits of [`Content::KeyUsage`].
pub const DIGITAL_SIGNATURE: u16 = 0x8000;
pub const KEY_ENCIPHERMENT: u16 = 0x2000;
pub const KEY_AGREEMENT: u16 = 0x0800;
pub const KEY_CERT_SIGN: u16 = 0x0400;
pub const CRL_SIGN: u16 = 0x0200;
