//! Packets: four octets that count what follows, one for the command, and its data.

use nom::bytes::streaming::take;
use nom::number::streaming::{be_u32, u8 as octet};
use nom::{IResult, Parser as _};
use thiserror::Error;

/// One packet, of either side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Packet<'a> {
    /// What it is, a letter by custom.
    pub command: u8,
    /// Everything behind.
    pub data: &'a [u8],
}

/// A packet at the front of a buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Frame<'a> {
    /// The packet.
    pub packet: Packet<'a>,
    /// How many bytes it takes up.
    pub consumed: usize,
}

/// A count behind which nothing can be found. Close the connection: the mail server then does what
/// its configuration says of a filter that is away.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum BadPacket {
    /// No room for a command.
    #[error("a packet is empty")]
    Empty,
    /// More than [`PACKET_LIMIT`].
    #[error("a packet says that it has {0} bytes, more than {PACKET_LIMIT}")]
    TooLong(u32),
}

/// Takes one packet off the front of `input`; `None` where it has not come whole.
///
/// The count is judged as soon as it is there, so that nobody keeps room for what may never come.
///
/// # Errors
/// [`BadPacket`] names the count.
pub fn decode(input: &[u8]) -> Result<Option<Frame<'_>>, BadPacket> {
    let counted: IResult<&[u8], u32> = be_u32(input);
    let Ok((rest, count)) = counted else {
        return Ok(None);
    };
    let length = match usize::try_from(count) {
        Ok(0) => return Err(BadPacket::Empty),
        Ok(length) if length <= PACKET_LIMIT => length,
        _ => return Err(BadPacket::TooLong(count)),
    };
    let packet: IResult<&[u8], (u8, &[u8])> = (octet, take(length - 1)).parse(rest);
    Ok(packet.ok().map(|(_, (command, data))| Frame {
        packet: Packet { command, data },
        consumed: size_of::<u32>() + length,
    }))
}

/// Appends one packet to `out`; what is longer than [`PACKET_LIMIT`] is cut.
pub(super) fn encode(command: u8, data: &[u8], out: &mut Vec<u8>) {
    let data = data.get(..PACKET_LIMIT - 1).unwrap_or(data);
    let count = u32::try_from(data.len() + 1).unwrap_or(u32::MAX);
    out.extend_from_slice(&count.to_be_bytes());
    out.push(command);
    out.extend_from_slice(data);
}

/// The longest packet, in bytes behind its count. Sendmail and libmilter keep to 65535, or to 1 MiB
/// where that is agreed (`SMFIP_MDS_1M`), which we never do; Postfix sends a header field whole,
/// which has at most 102400 (its `header_size_limit`) unless somebody raised that.
pub const PACKET_LIMIT: usize = 1024 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    /// Each cut is told by reading on, each count that cannot be by its name.
    #[test]
    fn packets() {
        let bytes = b"\0\0\0\x03Qab\0\0\0\x01c";
        for cut in 0..7 {
            assert_eq!(decode(&bytes[..cut]), Ok(None));
        }
        let packet = Packet {
            command: b'Q',
            data: b"ab",
        };
        for cut in 7..bytes.len() {
            let frame = Frame {
                packet,
                consumed: 7,
            };
            assert_eq!(decode(&bytes[..cut]), Ok(Some(frame)));
        }
        assert_eq!(decode(b"\0\0\0\0"), Err(BadPacket::Empty));
        assert_eq!(decode(b"\0\x10\0\0"), Ok(None), "1 MiB may come");
        assert_eq!(decode(b"\0\x10\0\x01"), Err(BadPacket::TooLong(1_048_577)));
        assert_eq!(decode(b"GET "), Err(BadPacket::TooLong(0x4745_5420)));
        let mut out = Vec::new();
        encode(b'Q', b"ab", &mut out);
        encode(b'c', b"", &mut out);
        assert_eq!(out, bytes);
    }
}
