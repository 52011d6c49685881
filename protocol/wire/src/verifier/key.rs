//! The key: the macros of a session.

use std::net::IpAddr;

use nom::bytes::complete::{tag, tag_no_case, take_till};
use nom::combinator::{all_consuming, opt};
use nom::multi::separated_list1;
use nom::{IResult, Parser as _};

/// A session, as Sendmail tells of it before the first RCPT. Nothing here is believed yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionKey<'a> {
    /// The recipient's address.
    pub recipient: &'a str,
    /// What stands behind its last `@`, without a dot at the end.
    pub domain: &'a str,
    /// `${server_name}`: the host.
    pub server_name: Option<&'a str>,
    /// `${server_addr}`: its address.
    pub server_addr: Option<IpAddr>,
    /// `${verify}`.
    pub verify: Verify,
    /// `${tls_version}`.
    pub tls_version: Option<&'a str>,
    /// `${cert_fp}`: which certificate the host has shown.
    pub certificate: Shown,
    /// `${cert_subject}`, in Sendmail's spelling; the host has written it.
    pub subject: &'a str,
    /// `${cn_subject}`, likewise.
    pub subject_name: &'a str,
    /// `${cn_issuer}`, likewise.
    pub issuer_name: &'a str,
}

/// The digest of the certificate that the host has shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shown {
    /// None: no TLS, or no certificate.
    Nothing,
    /// SHA-256.
    Sha256([u8; 32]),
    /// Something else: Sendmail takes MD5 unless `confCERT_FINGERPRINT_ALGORITHM` says `sha256`.
    OtherDigest,
}

/// `${verify}`: what Sendmail makes of the session (the operations guide, 5.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Verify {
    /// The certificate leads to an authority that Sendmail trusts. Says nothing of names.
    Ok,
    /// Sendmail's own DANE has authenticated the host.
    Trusted,
    /// Its own DANE has refused it.
    DaneFail,
    /// The certificate leads to no authority that Sendmail trusts.
    Fail,
    /// The host showed no certificate.
    No,
    /// No certificate was asked for.
    Not,
    /// STARTTLS was not used.
    None,
    /// STARTTLS was not used in this attempt, after one that had failed.
    Clear,
    /// A passing error of TLS.
    Temp,
    /// The host said no to STARTTLS.
    Protocol,
    /// The handshake failed.
    Software,
    /// Sendmail's own settings for this host are wrong.
    Config,
    /// Nothing is said.
    Absent,
    /// Another word.
    Other,
}

impl Verify {
    /// Reads the word, in either case.
    #[must_use]
    pub fn parse(word: &str) -> Self {
        if word.is_empty() {
            return Self::Absent;
        }
        let found = WORDS.iter().find(|(own, _)| own.eq_ignore_ascii_case(word));
        found.map_or(Self::Other, |(_, own)| *own)
    }

    /// The word as Sendmail's log has it.
    #[must_use]
    pub fn word(self) -> &'static str {
        let found = WORDS.iter().find(|(_, own)| *own == self);
        found.map_or("", |(word, _)| word)
    }

    /// True where a handshake was finished.
    #[must_use]
    pub fn is_encrypted(self) -> bool {
        matches!(
            self,
            Self::Ok | Self::Trusted | Self::DaneFail | Self::Fail | Self::No | Self::Not
        )
    }
}

/// A key that tells of no session. Answer it with a delay: the mail server must not go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadKey {
    /// Not the fields that the ruleset writes. A `|` in an address or in a certificate's subject has this
    /// effect too: who wrote it may have meant to be taken for another field.
    #[error("the key has {0} fields, and the ruleset writes {FIELDS}")]
    Fields(usize),
    /// A control character.
    #[error("the key has a control character")]
    Control,
    /// There is no domain to be judged by.
    #[error("the first field is no address with a domain")]
    Recipient,
    /// A field that is not what it should be.
    #[error("this is not {0}")]
    Not(&'static str),
}

/// Reads the key of a request to the map `verifier`.
///
/// # Errors
/// [`BadKey`] says what is wrong with it.
pub fn decode(key: &str) -> Result<SessionKey<'_>, BadKey> {
    if key.chars().any(char::is_control) {
        return Err(BadKey::Control);
    }
    let fields = fields(key);
    let &[
        recipient,
        name,
        address,
        verify,
        version,
        digest,
        subject,
        subject_name,
        issuer_name,
    ] = fields.as_slice()
    else {
        return Err(BadKey::Fields(fields.len()));
    };
    Ok(SessionKey {
        recipient,
        domain: domain(recipient).ok_or(BadKey::Recipient)?,
        server_name: known(word(name, "a host name")?),
        server_addr: known(address).map(server_addr).transpose()?,
        verify: Verify::parse(word(verify, "a word of ${verify}")?),
        tls_version: known(word(version, "a version of TLS")?),
        certificate: certificate(digest)?,
        subject,
        subject_name,
        issuer_name,
    })
}

fn fields(key: &str) -> Vec<&str> {
    let field = take_till(|c| c == '|');
    let read: IResult<&str, Vec<&str>> = all_consuming(separated_list1(tag("|"), field)).parse(key);
    let fields = read.map_or_else(|_| Vec::new(), |(_, fields)| fields);
    fields.into_iter().map(str::trim).collect()
}

/// RFC 5321, 4.1.2: the last `@` parts them, since a local part may have its own within quotation marks.
fn domain(recipient: &str) -> Option<&str> {
    let (local, domain) = recipient.rsplit_once('@')?;
    let domain = domain.strip_suffix('>').unwrap_or(domain);
    let domain = domain.strip_suffix('.').unwrap_or(domain);
    let is_one_word = !domain.is_empty() && !domain.contains(char::is_whitespace);
    (is_one_word && !local.trim_start_matches('<').is_empty()).then_some(domain)
}

fn word<'a>(field: &'a str, what: &'static str) -> Result<&'a str, BadKey> {
    if field.contains(char::is_whitespace) {
        return Err(BadKey::Not(what));
    }
    Ok(field)
}

fn known(field: &str) -> Option<&str> {
    Some(field).filter(|field| !field.is_empty())
}

/// `192.0.2.1`, or `IPv6:2001:db8::1`; in brackets or without them.
fn server_addr(field: &str) -> Result<IpAddr, BadKey> {
    let inside = field
        .strip_prefix('[')
        .and_then(|inside| inside.strip_suffix(']'))
        .unwrap_or(field);
    let read: IResult<&str, Option<&str>> = opt(tag_no_case("ipv6:")).parse(inside);
    let rest = read.map_or(inside, |(rest, _)| rest);
    rest.parse().map_err(|_| BadKey::Not("an address"))
}

/// Octets in hexadecimal, a colon between them.
fn certificate(field: &str) -> Result<Shown, BadKey> {
    if field.is_empty() {
        return Ok(Shown::Nothing);
    }
    let octet = |text: &str| match text.len() {
        2 if text.bytes().all(|own| own.is_ascii_hexdigit()) => u8::from_str_radix(text, 16).ok(),
        _ => None,
    };
    let octets: Option<Vec<u8>> = field.split(':').map(octet).collect();
    let octets = octets.ok_or(BadKey::Not("a digest in hexadecimal with colons"))?;
    Ok(octets.try_into().map_or(Shown::OtherDigest, Shown::Sha256))
}

const WORDS: &[(&str, Verify)] = &[
    ("OK", Verify::Ok),
    ("TRUSTED", Verify::Trusted),
    ("DANE_FAIL", Verify::DaneFail),
    ("FAIL", Verify::Fail),
    ("NO", Verify::No),
    ("NOT", Verify::Not),
    ("NONE", Verify::None),
    ("CLEAR", Verify::Clear),
    ("TEMP", Verify::Temp),
    ("PROTOCOL", Verify::Protocol),
    ("SOFTWARE", Verify::Software),
    ("CONFIG", Verify::Config),
];
/// The fields of the ruleset.
const FIELDS: usize = 9;
