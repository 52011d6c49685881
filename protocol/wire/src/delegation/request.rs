//! One request: its attributes, typed.

use std::borrow::Cow;
use std::net::IpAddr;
use std::str::FromStr;

use nom::bytes::complete::{tag, take_till, take_while1};
use nom::character::complete::char;
use nom::sequence::{separated_pair, terminated};
use nom::{IResult, Parser as _};
use thiserror::Error;

use crate::mailbox::{BadPath, Path};

/// What Postfix says when it asks. Each attribute is described in SMTPD_POLICY_README; the version is
/// the first that sends it. One without a value, or with the value `0` of a number, is not known
/// (yet), so that it is the same as one that was not sent.
///
/// Texts are UTF-8; octets that are not become U+FFFD. Only `sender` and `recipient` are as they came.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Request<'a> {
    /// The step of the SMTP session at which this is asked.
    pub protocol_state: ProtocolState,
    /// `SMTP` or `ESMTP`.
    pub protocol_name: Option<Cow<'a, str>>,
    /// The client's address; not known where the client is no connection.
    pub client_address: Option<IpAddr>,
    /// The client's name, if its address belongs to it; else `unknown`.
    pub client_name: Option<Cow<'a, str>>,
    /// 3.0: the client's port.
    pub client_port: Option<u16>,
    /// The name of the client's address, whether or not the address belongs to it.
    pub reverse_client_name: Option<Cow<'a, str>>,
    /// 3.2: the address that the client connected to.
    pub server_address: Option<IpAddr>,
    /// 3.2: the port that the client connected to; 587 and 465 are submission (RFC 8314, 3).
    pub server_port: Option<u16>,
    /// The name the client gave itself.
    pub helo_name: Option<Cow<'a, str>>,
    /// The reverse-path in its internal form, empty for `<>`; see [`Request::sender_path`].
    pub sender: &'a [u8],
    /// The forward-path in its internal form; empty where there is none yet, or more than one; see
    /// [`Request::recipient_path`].
    pub recipient: &'a [u8],
    /// How many recipients were accepted; known at `DATA` and behind it only.
    pub recipient_count: Option<u32>,
    /// The name of the queue file, once there is one: from the second recipient on.
    pub queue_id: Option<Cow<'a, str>>,
    /// The same for all requests about one message, and for no others.
    pub instance: Option<Cow<'a, str>>,
    /// What the client says that the message has in bytes, and at `END-OF-MESSAGE` its true size.
    pub size: Option<u64>,
    /// The argument of ETRN.
    pub etrn_domain: Option<Cow<'a, str>>,
    /// `yes` where the server is overloaded (2.5).
    pub stress: Option<Cow<'a, str>>,
    /// How the client authenticated itself, and that it did (RFC 4954).
    pub sasl_method: Option<Cow<'a, str>>,
    /// As whom the client authenticated itself.
    pub sasl_username: Option<Cow<'a, str>>,
    /// The `AUTH=` argument of MAIL, from clients that may use it.
    pub sasl_sender: Option<Cow<'a, str>>,
    /// The subject's common name in the client's certificate, as xtext (RFC 3461, 4).
    pub ccert_subject: Option<Cow<'a, str>>,
    /// The issuer's common name in the client's certificate, as xtext.
    pub ccert_issuer: Option<Cow<'a, str>>,
    /// The digest of the client's certificate.
    pub ccert_fingerprint: Option<Cow<'a, str>>,
    /// 2.9: the digest of the client's public key.
    pub ccert_pubkey_fingerprint: Option<Cow<'a, str>>,
    /// The TLS version of the client's own session, which says nothing of the way onwards.
    pub encryption_protocol: Option<Cow<'a, str>>,
    /// The cipher of the client's own session.
    pub encryption_cipher: Option<Cow<'a, str>>,
    /// The key size of that cipher.
    pub encryption_keysize: Option<u32>,
    /// 3.1: what the administrator says of the place in main.cf where this is asked.
    pub policy_context: Option<Cow<'a, str>>,
    /// 3.8: the compatibility level of main.cf.
    pub compatibility_level: Option<Cow<'a, str>>,
    /// 3.8: the version of Postfix.
    pub mail_version: Option<Cow<'a, str>>,
}

/// The step of an SMTP session.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum ProtocolState {
    /// The client has connected.
    Connect,
    /// `EHLO`.
    Ehlo,
    /// `HELO`.
    Helo,
    /// `MAIL`.
    Mail,
    /// `RCPT`: the one at which a recipient can be refused without the others.
    Rcpt,
    /// `DATA`.
    Data,
    /// The message has come.
    EndOfMessage,
    /// `VRFY`.
    Vrfy,
    /// `ETRN`.
    Etrn,
    /// Not said.
    #[default]
    Missing,
    /// Another that Postfix may come to know.
    Other(String),
}

/// What is wrong with a request. It must have an answer all the same: Postfix waits for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum BadRequest {
    /// A NUL, or a CR that ends no line: the README allows no NUL, and what a CR is for is unclear.
    #[error("an attribute has a NUL or a carriage return")]
    Control,
    /// A line longer than [`LINE_LIMIT`].
    #[error("a line is longer than {LINE_LIMIT} bytes")]
    LineTooLong,
    /// A line that is no `name=value`.
    #[error("a line has no name, or no = behind it")]
    NoAttribute,
    /// The attribute that must be there is not.
    #[error("the attribute request is missing")]
    NoRequest,
    /// An attribute that must be a number is none.
    #[error("the attribute {0} is no number")]
    NotNumber(&'static str),
    /// More bytes than [`REQUEST_LIMIT`](super::REQUEST_LIMIT).
    #[error("the request is too long")]
    TooLong,
    /// More lines than [`ATTRIBUTES_LIMIT`].
    #[error("there are more than {ATTRIBUTES_LIMIT} attributes")]
    TooManyAttributes,
    /// Another request than `smtpd_access_policy`, the only one there is.
    #[error("the request is not smtpd_access_policy")]
    UnknownRequest,
}

impl Request<'_> {
    /// Where the message comes from.
    ///
    /// # Errors
    /// [`BadPath`] where this is no address.
    pub fn sender_path(&self) -> Result<Path, BadPath> {
        Path::from_internal(self.sender)
    }

    /// Where the message goes to, or `None` where that cannot be said in one address: before `RCPT`,
    /// and at `DATA` and behind it where there are several recipients.
    ///
    /// # Errors
    /// [`BadPath`] where this is no address.
    pub fn recipient_path(&self) -> Result<Option<Path>, BadPath> {
        match self.recipient {
            b"" => Ok(None),
            recipient => Path::from_internal(recipient).map(Some),
        }
    }
}

impl ProtocolState {
    fn of(word: &[u8]) -> Self {
        match word {
            b"CONNECT" => Self::Connect,
            b"EHLO" => Self::Ehlo,
            b"HELO" => Self::Helo,
            b"MAIL" => Self::Mail,
            b"RCPT" => Self::Rcpt,
            b"DATA" => Self::Data,
            b"END-OF-MESSAGE" => Self::EndOfMessage,
            b"VRFY" => Self::Vrfy,
            b"ETRN" => Self::Etrn,
            b"" => Self::Missing,
            other => Self::Other(String::from_utf8_lossy(other).into_owned()),
        }
    }
}

/// Reads the lines of a request, without the blank one at their end.
pub(super) fn parse(lines: &[u8]) -> Result<Request<'_>, BadRequest> {
    let mut attributes = Attributes(Vec::new());
    let mut rest = lines;
    while !rest.is_empty() {
        if attributes.0.len() == ATTRIBUTES_LIMIT {
            return Err(BadRequest::TooManyAttributes);
        }
        let (behind, attribute) = attribute(rest)?;
        attributes.0.push(attribute);
        rest = behind;
    }
    match attributes.raw("request") {
        b"smtpd_access_policy" => read(&attributes),
        b"" => Err(BadRequest::NoRequest),
        _ => Err(BadRequest::UnknownRequest),
    }
}

fn read<'a>(own: &Attributes<'a>) -> Result<Request<'a>, BadRequest> {
    Ok(Request {
        protocol_state: ProtocolState::of(own.raw("protocol_state")),
        protocol_name: own.text("protocol_name"),
        client_address: own.parsed("client_address"),
        client_name: own.text("client_name"),
        client_port: own.number("client_port")?,
        reverse_client_name: own.text("reverse_client_name"),
        server_address: own.parsed("server_address"),
        server_port: own.number("server_port")?,
        helo_name: own.text("helo_name"),
        sender: own.raw("sender"),
        recipient: own.raw("recipient"),
        recipient_count: own.number("recipient_count")?,
        queue_id: own.text("queue_id"),
        instance: own.text("instance"),
        size: own.number("size")?,
        etrn_domain: own.text("etrn_domain"),
        stress: own.text("stress"),
        sasl_method: own.text("sasl_method"),
        sasl_username: own.text("sasl_username"),
        sasl_sender: own.text("sasl_sender"),
        ccert_subject: own.text("ccert_subject"),
        ccert_issuer: own.text("ccert_issuer"),
        ccert_fingerprint: own.text("ccert_fingerprint"),
        ccert_pubkey_fingerprint: own.text("ccert_pubkey_fingerprint"),
        encryption_protocol: own.text("encryption_protocol"),
        encryption_cipher: own.text("encryption_cipher"),
        encryption_keysize: own.number("encryption_keysize")?,
        policy_context: own.text("policy_context"),
        compatibility_level: own.text("compatibility_level"),
        mail_version: own.text("mail_version"),
    })
}

/// Names and values in the order in which they came.
struct Attributes<'a>(Vec<(&'a [u8], &'a [u8])>);

impl<'a> Attributes<'a> {
    /// The value as it came. The README lets a server keep the first of several or the last; Postfix's
    /// own reader (attr_scan_plain.c) keeps the first.
    fn raw(&self, name: &str) -> &'a [u8] {
        let mut all = self.0.iter();
        let found = all.find(|(own, _)| *own == name.as_bytes());
        found.map_or(b"", |(_, value)| value)
    }

    fn text(&self, name: &str) -> Option<Cow<'a, str>> {
        let value = self.raw(name);
        (!value.is_empty()).then(|| String::from_utf8_lossy(value))
    }

    /// What has a form of its own, or the word `unknown`.
    fn parsed<T: FromStr>(&self, name: &str) -> Option<T> {
        self.text(name)?.parse().ok()
    }

    /// A number; `0` says that it is not known.
    fn number<T: FromStr + Default + PartialEq>(
        &self,
        name: &'static str,
    ) -> Result<Option<T>, BadRequest> {
        match self.text(name).as_deref() {
            // Postfix says so where there is no connection.
            None | Some("unknown") => Ok(None),
            Some(digits) => match digits.parse() {
                Ok(number) => Ok(Some(number).filter(|number| *number != T::default())),
                Err(_) => Err(BadRequest::NotNumber(name)),
            },
        }
    }
}

type Attribute<'a> = (&'a [u8], &'a [u8]);

/// One line: `name=value`, and its end.
fn attribute(input: &[u8]) -> Result<(&[u8], Attribute<'_>), BadRequest> {
    let name = take_while1(|byte| !matches!(byte, b'=' | b'\n'));
    let value = take_till(|byte| byte == b'\n');
    // The request ends behind a whole line.
    let line: IResult<&[u8], Attribute<'_>> =
        terminated(separated_pair(name, char('='), value), tag("\n")).parse(input);
    let (rest, (name, value)) = line.map_err(|_| BadRequest::NoAttribute)?;
    if name.len() + 1 + value.len() > LINE_LIMIT {
        return Err(BadRequest::LineTooLong);
    }
    let value = value.strip_suffix(b"\r").unwrap_or(value);
    if name
        .iter()
        .chain(value)
        .any(|byte| matches!(byte, 0 | b'\r'))
    {
        return Err(BadRequest::Control);
    }
    Ok((rest, (name, value)))
}

/// The longest line that is read, in bytes without its ending: four times Postfix's default
/// `line_length_limit`, as attr_scan_plain.c has it.
pub const LINE_LIMIT: usize = 8192;
/// The most attributes of a request. Postfix 3.10 sends 34.
pub const ATTRIBUTES_LIMIT: usize = 256;
