//! Replies, as a mail server reads them: for tests, and for whoever plays one.

use nom::number::complete::be_u32;
use nom::{IResult, Parser as _};

use super::command::BadCommand;
use super::negotiation::Offer;
use super::packet::Packet;
use super::strings::string;

/// One reply that was read. All of version 6 are known that do not touch the body or the envelope.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Received<'a> {
    /// `SMFIR_ACCEPT`.
    Accept,
    /// `SMFIR_ADDHEADER`: name and value.
    AddHeader(&'a [u8], &'a [u8]),
    /// `SMFIR_CHGHEADER`: occurrence, name and new value, which is empty for deletion.
    ChangeHeader(u32, &'a [u8], &'a [u8]),
    /// `SMFIR_CONTINUE`.
    Continue,
    /// `SMFIR_DISCARD`, which is never sent by us.
    Discard,
    /// `SMFIR_INSHEADER`: place, name and value.
    InsertHeader(u32, &'a [u8], &'a [u8]),
    /// `SMFIC_OPTNEG`: what is agreed, in the form of an offer, and lists of macros.
    Negotiate(Offer, &'a [u8]),
    /// `SMFIR_PROGRESS`.
    Progress,
    /// `SMFIR_QUARANTINE`: the cause.
    Quarantine(&'a [u8]),
    /// `SMFIR_REPLYCODE`: the reply, its lines parted by CR LF.
    Refuse(&'a [u8]),
    /// `SMFIR_REJECT`.
    Reject,
    /// `SMFIR_SKIP`.
    Skip,
    /// `SMFIR_TEMPFAIL`.
    TempFail,
}

/// Reads one packet of a filter.
///
/// # Errors
/// [`BadCommand`] says what is wrong.
pub fn decode_reply(packet: Packet<'_>) -> Result<Received<'_>, BadCommand> {
    let data = packet.data;
    Ok(match packet.command {
        b'a' => Received::Accept,
        b'c' => Received::Continue,
        b'd' => Received::Discard,
        b'p' => Received::Progress,
        b'r' => Received::Reject,
        b's' => Received::Skip,
        b't' => Received::TempFail,
        b'q' => Received::Quarantine(last(data)?),
        b'y' => Received::Refuse(last(data)?),
        b'h' => {
            let (name, value) = field(data)?;
            Received::AddHeader(name, value)
        }
        b'i' => {
            let (index, name, value) = counted(data)?;
            Received::InsertHeader(index, name, value)
        }
        b'm' => {
            let (occurrence, name, value) = counted(data)?;
            Received::ChangeHeader(occurrence, name, value)
        }
        b'O' => {
            let macros = data.get(OFFER..).unwrap_or_default();
            Received::Negotiate(Offer::parse(data)?, macros)
        }
        other => return Err(BadCommand::Unknown(other)),
    })
}

fn counted(data: &[u8]) -> Result<(u32, &[u8], &[u8]), BadCommand> {
    let number: IResult<&[u8], u32> = be_u32.parse(data);
    let (rest, number) = number.map_err(|_| BadCommand::Strings)?;
    let (name, value) = field(rest)?;
    Ok((number, name, value))
}

fn field(data: &[u8]) -> Result<(&[u8], &[u8]), BadCommand> {
    let (rest, name) = string(data).ok_or(BadCommand::Strings)?;
    Ok((name, last(rest)?))
}

fn last(data: &[u8]) -> Result<&[u8], BadCommand> {
    match string(data) {
        Some((b"", text)) => Ok(text),
        _ => Err(BadCommand::Strings),
    }
}

/// Three numbers.
const OFFER: usize = 12;
