//! Who connected to the mail server.

use std::net::IpAddr;
use std::str::from_utf8;

use nom::number::complete::{be_u16, u8 as octet};
use nom::{IResult, Parser as _};

use super::command::BadCommand;
use super::strings::string;

/// A client, as the mail server sees it (`xxfi_connect`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Connect<'a> {
    /// Its name, or its address in brackets.
    pub host: &'a [u8],
    /// Where it comes from.
    pub peer: Peer<'a>,
}

/// The address of a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Peer<'a> {
    /// IPv4 or IPv6.
    Inet {
        /// The address, `None` where it is written in no form that is known.
        address: Option<IpAddr>,
        /// The port, 0 where it is not known.
        port: u16,
    },
    /// A socket of this machine.
    Unix(&'a [u8]),
    /// No connection, or one of another kind.
    Unknown,
}

impl<'a> Connect<'a> {
    /// Reads name, family, port and address.
    pub(super) fn parse(data: &'a [u8]) -> Result<Self, BadCommand> {
        let (rest, host) = string(data).ok_or(BadCommand::Strings)?;
        let family: IResult<&[u8], u8> = octet(rest);
        let (rest, family) = family.map_err(|_| BadCommand::Peer)?;
        let peer = match family {
            b'U' => Peer::Unknown,
            b'L' => Peer::Unix(address(rest)?.1),
            b'4' | b'6' => {
                let (port, address) = address(rest)?;
                Peer::Inet {
                    address: ip(address),
                    port,
                }
            }
            _ => return Err(BadCommand::Peer),
        };
        Ok(Self { host, peer })
    }

    pub(super) fn encode(&self) -> Vec<u8> {
        let behind = match self.peer {
            Peer::Unknown => b"U".to_vec(),
            Peer::Unix(path) => [b"L\0\0", path, b"\0"].concat(),
            Peer::Inet { address, port } => {
                let (family, text) = match address {
                    Some(IpAddr::V6(address)) => (b"6", format!("IPv6:{address}")),
                    Some(IpAddr::V4(address)) => (b"4", address.to_string()),
                    None => (b"4", String::new()),
                };
                let port = port.to_be_bytes();
                [&family[..], &port, text.as_bytes(), b"\0"].concat()
            }
        };
        [self.host, b"\0", &behind].concat()
    }
}

fn address(input: &[u8]) -> Result<(u16, &[u8]), BadCommand> {
    let port: IResult<&[u8], u16> = be_u16.parse(input);
    let (rest, port) = port.map_err(|_| BadCommand::Peer)?;
    let (_, address) = string(rest).ok_or(BadCommand::Strings)?;
    Ok((port, address))
}

/// Sendmail puts the tag of RFC 5321, 4.1.3 before an address of IPv6, Postfix does not.
fn ip(text: &[u8]) -> Option<IpAddr> {
    let text = from_utf8(text).ok()?;
    let tagged = text
        .get(..5)
        .is_some_and(|tag| tag.eq_ignore_ascii_case("IPv6:"));
    let text = if tagged { text.get(5..)? } else { text };
    text.parse().ok()
}
