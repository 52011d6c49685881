//! What one line says.

use std::fmt::{self, Debug, Display, Formatter};
use std::net::IpAddr;

/// One line of smtp(8) that matters to TLS.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event<'a> {
    /// A handshake begins (level 2).
    Starting(Peer<'a>),
    /// What the server showed (level 2), logged when the handshake is over.
    Certificate(CertificateLine<'a>),
    /// The handshake resumed an earlier TLS session (level 2, or where that one was not trusted).
    Resumed(Peer<'a>),
    /// Postfix found the certificate, or a name in it, to match (level 2).
    Matched {
        /// Whose.
        peer: Peer<'a>,
        /// What matched, such as `Matched DANE EE certificate at depth 0: 3 1 1 BE70…`.
        words: &'a str,
    },
    /// Postfix found the certificate not to be valid. What follows from that depends on the level
    /// that the delivery demanded.
    VerificationFailed {
        /// Whose.
        peer: Peer<'a>,
        /// Why, such as `num=62:hostname mismatch`.
        words: &'a str,
    },
    /// The session is encrypted (level 1).
    Connection(TlsConnection<'a>),
    /// The handshake failed.
    HandshakeFailed {
        /// With whom.
        peer: Peer<'a>,
        /// Why, such as `lost connection`, or OpenSSL's number.
        words: &'a str,
    },
    /// OpenSSL's own words, behind the line of a failure.
    LibraryProblem {
        /// As they are.
        words: &'a str,
    },
    /// The host offers STARTTLS, and Postfix was told not to use it
    /// (`smtp_tls_note_starttls_offer`).
    Offered {
        /// The host's name; the address is not logged.
        host: &'a str,
    },
    /// What Postfix from 3.10 on told libtlsrpt.
    Tlsrpt(TlsrptLine<'a>),
    /// What became of one recipient.
    Delivery(DeliveryLine<'a>),
    /// A host was given up, and the next one is tried, or the same one in the clear.
    GivenUp {
        /// The message.
        queue_id: &'a str,
        /// Why.
        trouble: Trouble<'a>,
        /// Postfix's whole sentence.
        words: &'a str,
    },
}

/// The other end of a connection: `host[address]:port`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Peer<'a> {
    /// The host's name, under which it was found.
    pub host: &'a str,
    /// Its address.
    pub address: IpAddr,
    /// Its port; some lines leave it out.
    pub port: Option<u16>,
}

/// `… TLS connection established to …`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TlsConnection<'a> {
    /// What Postfix thinks of the server's certificate.
    pub trust: TrustLevel,
    /// True for a connection that an earlier delivery left open, with the figures of its handshake.
    pub reused: bool,
    /// With whom.
    pub peer: Peer<'a>,
    /// The protocol version in OpenSSL's word, such as `TLSv1.3`.
    pub tls_version: &'a str,
    /// The cipher suite in OpenSSL's word.
    pub cipher: &'a str,
    /// The strength of the cipher, in bits.
    pub bits: u32,
    /// What follows, such as `key-exchange X25519 server-signature …`; empty before TLS 1.3.
    pub details: &'a str,
}

/// What Postfix thinks of the server's certificate. Never infer success from it: what it demanded
/// is another matter, and Postfix 3.7 calls `Untrusted` what 3.10 calls `Trusted` when a name does not
/// match.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TrustLevel {
    /// The server showed none.
    Anonymous,
    /// It leads to no authority that Postfix was told to trust, or does not match.
    Untrusted,
    /// It leads to such an authority; its names were not looked at.
    Trusted,
    /// It is what the policy demands.
    Verified,
}

impl TrustLevel {
    /// All of them.
    pub const ALL: [Self; 4] = [
        Self::Anonymous,
        Self::Untrusted,
        Self::Trusted,
        Self::Verified,
    ];

    /// Postfix's word.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Anonymous => "Anonymous",
            Self::Untrusted => "Untrusted",
            Self::Trusted => "Trusted",
            Self::Verified => "Verified",
        }
    }
}

/// What the server showed. Names are the server's own words and can hold anything, commas and
/// what looks like further fields included; the fingerprints are Postfix's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CertificateLine<'a> {
    /// Whose.
    pub peer: Peer<'a>,
    /// The common name of the subject, or a matching alternative name; empty for a raw key.
    pub subject: &'a str,
    /// The common name or organisation of the issuer; empty for a raw key.
    pub issuer: &'a str,
    /// Digest of the certificate; `None` for a raw key (RFC 7250).
    pub certificate: Option<Fingerprint>,
    /// Digest of the public key (SubjectPublicKeyInfo).
    pub key: Fingerprint,
}

/// A digest by `smtp_tls_fingerprint_digest`. The log does not name the algorithm, but its length
/// tells: 16 bytes are MD5, 20 SHA-1, 32 SHA-256, 64 SHA-512.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Fingerprint(pub Vec<u8>);

impl Fingerprint {
    /// Reads pairs of hexadecimal digits with a colon between them; at least one pair.
    ///
    /// ```
    /// use hoplock_wire::postfix_log::Fingerprint;
    ///
    /// assert_eq!(Fingerprint::parse("BE:70:b6"), Some(Fingerprint(vec![0xbe, 0x70, 0xb6])));
    /// assert_eq!(Fingerprint::parse("BE:7"), None);
    /// ```
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let pairs = text.split(':').map(|pair| match pair.as_bytes() {
            [high, low] => Some(nibble(*high)? << 4 | nibble(*low)?),
            _ => None,
        });
        pairs.collect::<Option<_>>().map(Self)
    }
}

/// As Postfix writes it.
impl Display for Fingerprint {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        for (index, byte) in self.0.iter().enumerate() {
            let colon = if index == 0 { "" } else { ":" };
            write!(formatter, "{colon}{byte:02X}")?;
        }
        Ok(())
    }
}

impl Debug for Fingerprint {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        Display::fmt(self, formatter)
    }
}

fn nibble(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        b'A'..=b'F' => Some(digit - b'A' + 10),
        _ => None,
    }
}

/// `TLSRPT: status=…`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TlsrptLine<'a> {
    /// The recipient's domain, as A-labels.
    pub domain: &'a str,
    /// The host, without its port; `None` where no connection was made.
    pub peer: Option<Peer<'a>>,
    /// The result type of RFC 8460, 4.3 with `_` for `-`; `None` for a success.
    pub failure: Option<&'a str>,
    /// Postfix's word for the reason.
    pub reason: Option<&'a str>,
}

/// The last line of each recipient of a delivery: `… to=<…>, relay=…, … status=…`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DeliveryLine<'a> {
    /// The message.
    pub queue_id: &'a str,
    /// The recipient's address, after all rewriting; a local part with odd characters is quoted.
    pub recipient: &'a str,
    /// The host; `None` where there was no connection, or one to no IP address.
    pub relay: Option<Peer<'a>>,
    /// The how manieth delivery over this connection it is, from 1.
    pub connection_use: u32,
    /// Seconds before the queue, in the queue, in setting the connection up, in transmission:
    /// `0.05/0.01/0.3/0.1`.
    pub delays: &'a str,
    /// Postfix from 3.11 on: the level that was demanded and what became of it, such as
    /// `dane:encrypt`.
    pub tls: Option<&'a str>,
    /// The enhanced status code (RFC 3463).
    pub dsn: &'a str,
    /// What became of the recipient.
    pub status: DeliveryStatus,
    /// Why, in Postfix's words, or the server's where it says `host … said:`.
    pub text: &'a str,
    /// What these words say of TLS.
    pub trouble: Option<Trouble<'a>>,
}

impl<'a> DeliveryLine<'a> {
    /// The part of the recipient's address behind the last `@`, as it is written; it is the next
    /// hop where no transport says otherwise.
    #[must_use]
    pub fn recipient_domain(&self) -> Option<&'a str> {
        self.recipient.rsplit_once('@').map(|(_, domain)| domain)
    }
}

/// What became of a recipient.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum DeliveryStatus {
    /// The server took the message.
    Sent,
    /// It stays in the queue (also with `soft_bounce`).
    Deferred,
    /// It went back to its sender.
    Bounced,
    /// Address verification: the server takes the recipient.
    Deliverable,
    /// Address verification: it does not.
    Undeliverable,
}

impl DeliveryStatus {
    /// Reads Postfix's word.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        Some(match word {
            "sent" => Self::Sent,
            "deferred" | "SOFTBOUNCE" => Self::Deferred,
            "bounced" => Self::Bounced,
            "deliverable" => Self::Deliverable,
            "undeliverable" => Self::Undeliverable,
            _ => return None,
        })
    }

    /// Postfix's word.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Sent => "sent",
            Self::Deferred => "deferred",
            Self::Bounced => "bounced",
            Self::Deliverable => "deliverable",
            Self::Undeliverable => "undeliverable",
        }
    }
}

/// What a sentence of Postfix says of the session that it ends. Only sentences that begin with
/// Postfix's own words count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trouble<'a> {
    /// `TLS is required, but was not offered by host …`.
    NotOffered(Peer<'a>),
    /// `TLS is required, but host … refused to start TLS: …`.
    Refused(Peer<'a>),
    /// `Cannot start TLS: handshake failure`.
    HandshakeFailed,
    /// `Server certificate not verified`.
    NotVerified,
    /// `lost connection with …` or `conversation with … timed out …`.
    ConnectionLost(Peer<'a>),
}
