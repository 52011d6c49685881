//! Commands: what one packet of a mail server says.

use thiserror::Error;

use super::connect::Connect;
use super::negotiation::Offer;
use super::packet::{self, Packet};
use super::strings::{Envelope, Macros, string};

/// One command, by the name of its callback or its constant. Octets are as the client sent them:
/// with or beyond ASCII, with NULs where the mail server lets them through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Command<'a> {
    /// `SMFIC_ABORT`: forget the message (`xxfi_abort`). Never answered.
    Abort,
    /// `SMFIC_BODY`: some of the body, its lines ended by CR LF (`xxfi_body`).
    Body(&'a [u8]),
    /// `SMFIC_CONNECT`: a client is there (`xxfi_connect`).
    Connect(Connect<'a>),
    /// `SMFIC_DATA`: the client said DATA (`xxfi_data`); from version 4 on.
    Data,
    /// `SMFIC_BODYEOB`: the message has come whole (`xxfi_eom`). What it may carry is the end of the
    /// body.
    EndOfBody(&'a [u8]),
    /// `SMFIC_EOH`: the header has come whole (`xxfi_eoh`).
    EndOfHeaders,
    /// `SMFIC_HEADER`: a header field (`xxfi_header`).
    Header(Header<'a>),
    /// `SMFIC_HELO`: the name that the client gave itself, with HELO or EHLO (`xxfi_helo`).
    Helo(&'a [u8]),
    /// `SMFIC_MACRO`: what is known beside the next command (`smfi_getsymval`). Never answered.
    Macros(Macros<'a>),
    /// `SMFIC_MAIL`: a message begins (`xxfi_envfrom`).
    Mail(Envelope<'a>),
    /// `SMFIC_OPTNEG`: what the mail server can do (`xxfi_negotiate`).
    Negotiate(Offer),
    /// `SMFIC_QUIT`: the client has gone (`xxfi_close`). Never answered.
    Quit,
    /// `SMFIC_QUIT_NC`: the client has gone, and another follows on this connection. Never answered.
    QuitNewConnection,
    /// `SMFIC_RCPT`: one recipient (`xxfi_envrcpt`).
    Rcpt(Envelope<'a>),
    /// `SMFIC_UNKNOWN`: a command that the mail server does not know (`xxfi_unknown`); from version
    /// 3 on.
    Unknown(&'a [u8]),
}

/// A header field as it stands in the message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header<'a> {
    /// The name.
    pub name: &'a [u8],
    /// All behind the colon, a LF before each folded line. With
    /// [`Steps::HEADER_LEADING_SPACE`](super::Steps::HEADER_LEADING_SPACE) the blank behind the
    /// colon is there, without it the mail server has taken one away.
    pub value: &'a [u8],
}

/// A packet that says nothing. Close the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum BadCommand {
    /// A negotiation that is cut short.
    #[error("a negotiation has less than three numbers")]
    Negotiation,
    /// A client of a family that is not known, or cut short.
    #[error("a client's address is none")]
    Peer,
    /// Strings without their end, or one too few.
    #[error("a command lacks a string or its end")]
    Strings,
    /// No command of version 6.
    #[error("there is no command {0:#04x}")]
    Unknown(u8),
}

impl<'a> Command<'a> {
    /// Reads a packet. What stands behind a command that has no data is not looked at, as in
    /// libmilter.
    ///
    /// # Errors
    /// [`BadCommand`] says what is wrong.
    pub fn parse(packet: Packet<'a>) -> Result<Self, BadCommand> {
        let data = packet.data;
        Ok(match packet.command {
            b'A' => Self::Abort,
            b'B' => Self::Body(data),
            b'C' => Self::Connect(Connect::parse(data)?),
            b'D' => Self::Macros(Macros::parse(data)?),
            b'E' => Self::EndOfBody(data),
            b'H' => Self::Helo(one(data)?),
            b'K' => Self::QuitNewConnection,
            b'L' => Self::Header(Header::parse(data)?),
            b'M' => Self::Mail(Envelope::parse(data)?),
            b'N' => Self::EndOfHeaders,
            b'O' => Self::Negotiate(Offer::parse(data)?),
            b'Q' => Self::Quit,
            b'R' => Self::Rcpt(Envelope::parse(data)?),
            b'T' => Self::Data,
            b'U' => Self::Unknown(one(data)?),
            other => return Err(BadCommand::Unknown(other)),
        })
    }

    /// Its letter.
    #[must_use]
    pub fn letter(&self) -> u8 {
        match self {
            Self::Abort => b'A',
            Self::Body(_) => b'B',
            Self::Connect(_) => b'C',
            Self::Data => b'T',
            Self::EndOfBody(_) => b'E',
            Self::EndOfHeaders => b'N',
            Self::Header(_) => b'L',
            Self::Helo(_) => b'H',
            Self::Macros(_) => b'D',
            Self::Mail(_) => b'M',
            Self::Negotiate(_) => b'O',
            Self::Quit => b'Q',
            Self::QuitNewConnection => b'K',
            Self::Rcpt(_) => b'R',
            Self::Unknown(_) => b'U',
        }
    }

    /// Appends the packet to `out`, as a mail server would send it.
    pub fn encode(&self, out: &mut Vec<u8>) {
        let data = match self {
            Self::Abort | Self::Data | Self::EndOfHeaders => Vec::new(),
            Self::Quit | Self::QuitNewConnection => Vec::new(),
            Self::Body(octets) | Self::EndOfBody(octets) => octets.to_vec(),
            Self::Connect(client) => client.encode(),
            Self::Header(field) => [field.name, b"\0", field.value, b"\0"].concat(),
            Self::Helo(text) | Self::Unknown(text) => [text, &b"\0"[..]].concat(),
            Self::Macros(macros) => macros.encode(),
            Self::Mail(envelope) | Self::Rcpt(envelope) => envelope.encode(),
            Self::Negotiate(offer) => offer.encode(),
        };
        packet::encode(self.letter(), &data, out);
    }
}

impl<'a> Header<'a> {
    /// Name and value, each ended by a NUL; one inside the value belongs to it.
    fn parse(data: &'a [u8]) -> Result<Self, BadCommand> {
        let (rest, name) = string(data).ok_or(BadCommand::Strings)?;
        let value = rest.strip_suffix(b"\0").ok_or(BadCommand::Strings)?;
        Ok(Self { name, value })
    }

    /// Whether this is the field of that name (RFC 5322, 1.2.2: in either case). Blanks before the
    /// colon, as old messages have them, are no part of the name (RFC 5322, 4.5).
    #[must_use]
    pub fn is(&self, name: &str) -> bool {
        self.name
            .trim_ascii_end()
            .eq_ignore_ascii_case(name.as_bytes())
    }

    /// The value without blanks and line feeds at its ends.
    #[must_use]
    pub fn trimmed(&self) -> &'a [u8] {
        self.value.trim_ascii()
    }
}

/// The one string of a command.
fn one(data: &[u8]) -> Result<&[u8], BadCommand> {
    string(data)
        .map(|(_, text)| text)
        .ok_or(BadCommand::Strings)
}
