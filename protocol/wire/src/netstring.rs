//! Netstrings: `<length>:<bytes>,`, the frame around each socketmap message.
//!
//! After D. J. Bernstein, "Netstrings" (1997), and netstring(3) of Postfix. The caller owns the
//! connection, its buffer and the limit; nothing is copied and nothing is kept between calls.
//! Not done here: what the bytes mean (see [`socketmap`](crate::socketmap)).
//!
//! Leading zeros (`007:`) are refused, always, as Bernstein demands. Postfix would accept them, but
//! neither Postfix nor Sendmail writes them; so each message has exactly one encoding.

use std::ops::ControlFlow;

use nom::IResult;
use nom::bytes::streaming::{tag, take};
use nom::character::complete::digit0;
use thiserror::Error;

/// One netstring at the front of the input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Frame<'a> {
    /// The bytes inside.
    pub payload: &'a [u8],
    /// How many bytes of the input the whole netstring took; the next one begins there.
    pub consumed: usize,
}

/// Bytes that no further byte can make a netstring.
///
/// Nobody knows where the next message would begin, so on each of these close the connection
/// without a reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum Malformed {
    /// The input does not begin with a plain decimal number and a colon. Close the connection.
    #[error("the length is not a plain decimal number followed by a colon")]
    Length,
    /// More bytes are announced than the caller reads. Close the connection.
    #[error("at least {length} bytes are announced, at most {limit} are read")]
    TooLong {
        /// The announced length as far as it was read: up to the digit that passed the limit.
        length: usize,
        /// The limit that the caller gave.
        limit: usize,
    },
    /// Another byte stands where the comma must. Close the connection.
    #[error("no comma follows the announced bytes")]
    Comma,
}

/// Takes one netstring off the front of `input`.
///
/// `Ok(None)` asks the caller to read more and to call again with the longer input. It is answered
/// only while some continuation of the input is a netstring within `limit`, so a caller that keeps
/// reading holds at most `limit` bytes, the digits of `limit` and two marks.
///
/// ```
/// use hoplock_wire::netstring::{decode, Malformed};
///
/// let input = b"17:postfix good.test,13:postfix";
/// let frame = decode(input, 10_000)?.ok_or("a whole frame")?;
/// assert_eq!(frame.payload, b"postfix good.test");
///
/// let rest = &input[frame.consumed..];
/// assert_eq!(decode(rest, 10_000), Ok(None));
/// assert_eq!(decode(b"GET / HTTP/1.1", 10_000), Err(Malformed::Length));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// [`Malformed`], at the first byte that rules out every continuation. The same error comes back
/// for every longer input.
pub fn decode(input: &[u8], limit: usize) -> Result<Option<Frame<'_>>, Malformed> {
    match frame(input, limit) {
        Ok((rest, payload)) => {
            let consumed = input.len() - rest.len();
            Ok(Some(Frame { payload, consumed }))
        }
        Err(nom::Err::Incomplete(_)) => Ok(None),
        Err(nom::Err::Error(why) | nom::Err::Failure(why)) => Err(why),
    }
}

/// Appends `payload` to `out` as one netstring.
///
/// ```
/// let mut out = Vec::new();
/// hoplock_wire::netstring::encode(b"NOTFOUND ", &mut out);
/// assert_eq!(out, b"9:NOTFOUND ,");
/// ```
pub fn encode(payload: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(payload.len().to_string().as_bytes());
    out.push(b':');
    out.extend_from_slice(payload);
    out.push(b',');
}

type Parsed<'a, T, E = Malformed> = IResult<&'a [u8], T, E>;

fn frame(input: &[u8], limit: usize) -> Parsed<'_, &[u8]> {
    let (rest, length) = announced(input, limit)?;
    let (rest, _) = blame(tag(":")(rest), Malformed::Length)?;
    let (rest, payload) = blame(take(length)(rest), Malformed::Comma)?;
    let (rest, _) = blame(tag(",")(rest), Malformed::Comma)?;
    Ok((rest, payload))
}

/// The announced length, as far as it has come in.
///
/// The digits at hand are judged without waiting for the colon: a number never shrinks by
/// another digit, so the refusal is final.
fn announced(input: &[u8], limit: usize) -> Parsed<'_, usize> {
    let (rest, digits) = blame(digit0(input), Malformed::Length)?;
    match digits {
        [] if !input.is_empty() => return refuse(Malformed::Length),
        [b'0', _, ..] => return refuse(Malformed::Length),
        _ => {}
    }
    let read = digits.iter().try_fold(0_usize, |sum, digit| {
        // `digit0` lets only digits through.
        let digit = usize::from(digit.wrapping_sub(b'0'));
        let grown = sum.checked_mul(10).and_then(|tens| tens.checked_add(digit));
        match grown {
            Some(length) if length <= limit => ControlFlow::Continue(length),
            Some(length) => ControlFlow::Break(length),
            None => ControlFlow::Break(usize::MAX),
        }
    });
    match read {
        ControlFlow::Continue(length) => Ok((rest, length)),
        ControlFlow::Break(length) => refuse(Malformed::TooLong { length, limit }),
    }
}

fn refuse<T>(why: Malformed) -> Parsed<'static, T> {
    Err(nom::Err::Failure(why))
}

/// Says what is wrong where a step failed; a step that only lacks bytes stays as it is.
fn blame<T>(parsed: Parsed<'_, T, ()>, why: Malformed) -> Parsed<'_, T> {
    parsed.map_err(|failed| failed.map(|()| why))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

    use proptest::prelude::{any, prop_assert, prop_assert_eq, proptest};

    use super::{Frame, Malformed, decode, encode};
    use crate::socketmap::{QUERY_LIMIT, REPLY_LIMIT};

    const FRAMES: &[(&[u8], &[u8])] = &[
        (b"0:,", b""),
        (b"1:,,", b","),
        (b"3:abc,", b"abc"),
        (b"4:1:a,,", b"1:a,"),
        (b"3:\x00\xff\n,", b"\x00\xff\n"),
        (b"9:NOTFOUND ,", b"NOTFOUND "),
        (b"10:0123456789,", b"0123456789"),
        (b"17:postfix good.test,", b"postfix good.test"),
        (
            b"31:postfix [host.example.test]:587,",
            b"postfix [host.example.test]:587",
        ),
    ];

    /// Input, and the first byte (counted from one) that rules out a netstring of up to 9999 bytes.
    const MALFORMED: &[(&[u8], usize, Malformed)] = &[
        (b":,", 1, Malformed::Length),
        (b",", 1, Malformed::Length),
        (b"aaa:", 1, Malformed::Length),
        (b"-1:a,", 1, Malformed::Length),
        (b"+1:a,", 1, Malformed::Length),
        (b" 1:a,", 1, Malformed::Length),
        (b"\n3:abc,", 1, Malformed::Length),
        (b"GET / HTTP/1.1\r\n", 1, Malformed::Length),
        (b"\x16\x03\x01\x00\xa5", 1, Malformed::Length),
        (b"3 :abc,", 2, Malformed::Length),
        (b"3,abc,", 2, Malformed::Length),
        (b"1x:a,", 2, Malformed::Length),
        (b"00:,", 2, Malformed::Length),
        (b"007:postfix,", 2, Malformed::Length),
        (b"0000000000000:", 2, Malformed::Length),
        (b"3:abcX", 6, Malformed::Comma),
        (b"2:abc,", 5, Malformed::Comma),
        (b"0:a,", 3, Malformed::Comma),
        (b"3:abc\n", 6, Malformed::Comma),
        (
            b"10000:",
            5,
            Malformed::TooLong {
                length: 10_000,
                limit: 9_999,
            },
        ),
        (
            b"9999999999:",
            5,
            Malformed::TooLong {
                length: 99_999,
                limit: 9_999,
            },
        ),
        (
            b"18446744073709551616:",
            5,
            Malformed::TooLong {
                length: 18_446,
                limit: 9_999,
            },
        ),
    ];

    /// PF-01: a frame is its length, a colon, the bytes and a comma, both ways.
    #[test]
    fn frames_decode_and_encode() {
        for &(bytes, payload) in FRAMES {
            let frame = Frame {
                payload,
                consumed: bytes.len(),
            };
            assert_eq!(decode(bytes, QUERY_LIMIT), Ok(Some(frame)));
            let mut encoded = Vec::new();
            encode(payload, &mut encoded);
            assert_eq!(encoded, bytes);
        }
    }

    /// PF-03: whatever follows a frame is left alone, and each shorter start asks for more.
    #[test]
    fn frames_decode_at_every_split_point() {
        for &(bytes, payload) in FRAMES {
            for end in 0..bytes.len() {
                assert_eq!(
                    decode(&bytes[..end], QUERY_LIMIT),
                    Ok(None),
                    "{end} of {bytes:?}"
                );
            }
            for rest in [&b"0"[..], b":", b",", b"x", b"17:postfix good.test,"] {
                let longer = [bytes, rest].concat();
                let frame = Frame {
                    payload,
                    consumed: bytes.len(),
                };
                assert_eq!(decode(&longer, QUERY_LIMIT), Ok(Some(frame)), "{longer:?}");
            }
        }
    }

    /// PF-02: bad framing is refused at the first byte that no other byte can mend, not later, and
    /// no byte that follows changes the error.
    #[test]
    fn malformed_input_is_refused_at_the_first_wrong_byte() {
        for &(bytes, wrong, why) in MALFORMED {
            for end in 0..wrong {
                assert_eq!(decode(&bytes[..end], 9_999), Ok(None), "{end} of {bytes:?}");
            }
            for end in wrong..=bytes.len() {
                assert_eq!(decode(&bytes[..end], 9_999), Err(why), "{end} of {bytes:?}");
            }
        }
    }

    /// PF-02: each limit is reached, and not passed by a single byte.
    #[test]
    fn limits_hold_to_the_byte() {
        for limit in [0, 1, 9, 10, QUERY_LIMIT, REPLY_LIMIT] {
            let mut bytes = Vec::new();
            encode(&vec![b'x'; limit], &mut bytes);
            assert_eq!(decode(&bytes, limit).unwrap().unwrap().payload.len(), limit);

            // One more is refused by its length alone.
            let length = limit + 1;
            let announced = length.to_string();
            let refused = Err(Malformed::TooLong { length, limit });
            assert_eq!(decode(announced.as_bytes(), limit), refused);
        }
    }

    /// PF-02: lengths past the machine's own numbers are refused under any limit.
    #[test]
    fn lengths_do_not_wrap() {
        let limit = usize::MAX;
        let refused = Err(Malformed::TooLong {
            length: limit,
            limit,
        });
        let past = format!("{limit}0:");
        assert_eq!(decode(past.as_bytes(), limit), refused);
        assert_eq!(
            decode(b"340282366920938463463374607431768211456:", limit),
            refused
        );
        assert_eq!(decode(format!("{limit}:abc").as_bytes(), limit), Ok(None));
    }

    /// PF-03: three requests arrive in any three packets and come out whole and in order.
    #[test]
    fn back_to_back_frames_survive_any_packets() {
        let bytes = b"17:postfix good.test,0:,13:postfix .test,";
        let expected = [&b"postfix good.test"[..], b"", b"postfix .test"];
        for first in 0..=bytes.len() {
            for second in first..=bytes.len() {
                let packets = [&bytes[..first], &bytes[first..second], &bytes[second..]];
                assert_eq!(receive(packets), expected, "cut at {first} and {second}");
            }
        }
        assert_eq!(receive(bytes.chunks(1)), expected, "one byte at a time");
    }

    fn receive<'a>(packets: impl IntoIterator<Item = &'a [u8]>) -> Vec<Vec<u8>> {
        let (mut payloads, mut buffer) = (Vec::new(), Vec::new());
        for packet in packets {
            buffer.extend_from_slice(packet);
            while let Some(frame) = decode(&buffer, QUERY_LIMIT).unwrap() {
                payloads.push(frame.payload.to_vec());
                let consumed = frame.consumed;
                buffer.drain(..consumed);
            }
        }
        assert!(buffer.is_empty(), "{buffer:?} is left over");
        payloads
    }

    proptest! {
        /// PF-01: decoding takes back what encoding did, whatever follows.
        #[test]
        fn decode_undoes_encode(payload: Vec<u8>, rest: Vec<u8>) {
            let mut bytes = Vec::new();
            encode(&payload, &mut bytes);
            let consumed = bytes.len();
            bytes.extend_from_slice(&rest);
            let frame = Frame { payload: &payload, consumed };
            prop_assert_eq!(decode(&bytes, payload.len()), Ok(Some(frame)));
        }

        /// PF-02, PF-03: a judgement on a start of the input is the judgement on all of it.
        #[test]
        fn prefixes_agree_with_the_whole(bytes in "[0-3]{0,2}[:,a]{0,2}[a0,:]{0,6}", limit in 0_usize..30) {
            let bytes = bytes.as_bytes();
            let whole = decode(bytes, limit);
            for end in 0..bytes.len() {
                let start = decode(&bytes[..end], limit);
                prop_assert!(start == Ok(None) || start == whole, "{start:?}, {whole:?}");
            }
        }

        /// PF-02: any bytes are judged, and the checks of the fuzz target hold for them.
        #[test]
        fn garbage_is_judged(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
            crate::fuzzing::netstring(&bytes);
        }
    }
}
