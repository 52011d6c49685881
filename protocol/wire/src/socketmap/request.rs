//! Requests: `MAP KEY`.
//!
//! After socketmap_table(5). The first blank ends the map's name; all that follows is the key,
//! blanks included. Not done here: whether the map exists, and what the key means.

use std::str::from_utf8;

use thiserror::Error;

use crate::netstring;

/// One request: look `key` up in `map`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Request<'a> {
    /// The name of the map: not empty, without a blank.
    pub map: &'a str,
    /// What is looked up: not empty, and otherwise any text, with control characters and blanks.
    pub key: &'a str,
}

/// A whole frame that is no request.
///
/// The frames stay in step, so the connection lives on: answer each of these with
/// `TEMP bad-request: …`, which makes the mail server wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum BadRequest {
    /// Nothing stands before the blank. Answer `TEMP`.
    #[error("the request has no map name before its blank")]
    EmptyMap,
    /// Nothing stands after the blank. Answer `TEMP`.
    #[error("the request has an empty key")]
    EmptyKey,
    /// No blank parts the map's name from the key. Answer `TEMP`.
    #[error("the request is not a map name, a blank and a key")]
    NoBlank,
    /// The request is not UTF-8. Answer `TEMP`.
    #[error("the request is not UTF-8")]
    NotUtf8,
}

/// A request that no server could read as it was meant; nothing was written. The caller's input is
/// at fault: tell whoever gave it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum UnfitRequest {
    /// The map's name is empty or has a blank, which would end it early. Ask for another name.
    #[error("a map name must have no blank and not be empty")]
    Map,
    /// There is nothing to look up. Ask for a key.
    #[error("a key must not be empty")]
    EmptyKey,
    /// The server would close the connection. Ask for a shorter key.
    #[error("the request has {length} bytes, at most {limit} are read")]
    TooLong {
        /// The bytes of map, blank and key.
        length: usize,
        /// The limit that the caller gave.
        limit: usize,
    },
}

/// Reads the inside of one netstring as a request.
///
/// ```
/// use hoplock_wire::socketmap::{decode_request, BadRequest, Request};
///
/// let request = decode_request(b"postfix [mx.example]:587");
/// assert_eq!(request, Ok(Request { map: "postfix", key: "[mx.example]:587" }));
/// assert_eq!(decode_request(b"postfix "), Err(BadRequest::EmptyKey));
/// ```
///
/// # Errors
/// [`BadRequest`] names the part that is missing or unreadable.
pub fn decode_request(payload: &[u8]) -> Result<Request<'_>, BadRequest> {
    let text = from_utf8(payload).map_err(|_| BadRequest::NotUtf8)?;
    match text.split_once(' ') {
        None => Err(BadRequest::NoBlank),
        Some(("", _)) => Err(BadRequest::EmptyMap),
        Some((_, "")) => Err(BadRequest::EmptyKey),
        Some((map, key)) => Ok(Request { map, key }),
    }
}

impl Request<'_> {
    /// Appends the request to `out` as one netstring. For clients: tests, benchmarks and tools.
    ///
    /// # Errors
    /// [`UnfitRequest`]; `out` is then as it was.
    pub fn encode(&self, limit: usize, out: &mut Vec<u8>) -> Result<(), UnfitRequest> {
        if self.map.is_empty() || self.map.contains(' ') {
            return Err(UnfitRequest::Map);
        }
        if self.key.is_empty() {
            return Err(UnfitRequest::EmptyKey);
        }
        let payload = format!("{} {}", self.map, self.key);
        if payload.len() > limit {
            let length = payload.len();
            return Err(UnfitRequest::TooLong { length, limit });
        }
        netstring::encode(payload.as_bytes(), out);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use proptest::prelude::{prop_assert_eq, proptest};

    use super::{BadRequest, Request, UnfitRequest, decode_request};
    use crate::netstring;
    use crate::socketmap::QUERY_LIMIT;

    /// PF-01: the first blank parts map and key; the key is taken as it stands.
    #[test]
    fn requests_decode() {
        for (payload, map, key) in [
            (&b"postfix good.test"[..], "postfix", "good.test"),
            (b"postfix Good.TEST.", "postfix", "Good.TEST."),
            (b"postfix .test", "postfix", ".test"),
            (
                b"QUERYwithTLSRPT [mx.good.test]:587",
                "QUERYwithTLSRPT",
                "[mx.good.test]:587",
            ),
            (
                b"verifier u@good.test | mx | ok",
                "verifier",
                "u@good.test | mx | ok",
            ),
            (b"postfix  good.test", "postfix", " good.test"),
            (b"postfix good.test\0", "postfix", "good.test\0"),
            (
                "postfix b\u{fc}cher.test".as_bytes(),
                "postfix",
                "b\u{fc}cher.test",
            ),
        ] {
            assert_eq!(decode_request(payload), Ok(Request { map, key }));
        }
    }

    /// PF-01: each way to be no request has its name.
    #[test]
    fn bad_requests_are_named() {
        for (payload, why) in [
            (&b""[..], BadRequest::NoBlank),
            (b"good.test", BadRequest::NoBlank),
            (b"postfix\tgood.test", BadRequest::NoBlank),
            (b"postfix ", BadRequest::EmptyKey),
            (b" good.test", BadRequest::EmptyMap),
            (b" ", BadRequest::EmptyMap),
            (b"postfix \xff", BadRequest::NotUtf8),
            (b"postfix b\xc3", BadRequest::NotUtf8),
            (b"\xc0\x80 good.test", BadRequest::NotUtf8),
        ] {
            assert_eq!(decode_request(payload), Err(why), "{payload:?}");
        }
    }

    /// PF-01, PF-02: a client's request is one netstring within the limit, or nothing.
    #[test]
    fn requests_encode_whole_or_not_at_all() {
        let mut out = b"3:abc,".to_vec();
        let request = Request {
            map: "postfix",
            key: "good.test",
        };
        assert_eq!(request.encode(17, &mut out), Ok(()));
        assert_eq!(out, b"3:abc,17:postfix good.test,");

        let too_long = UnfitRequest::TooLong {
            length: 17,
            limit: 16,
        };
        assert_eq!(request.encode(16, &mut out), Err(too_long));
        for (map, key, why) in [
            ("", "good.test", UnfitRequest::Map),
            ("post fix", "good.test", UnfitRequest::Map),
            ("postfix", "", UnfitRequest::EmptyKey),
        ] {
            assert_eq!(Request { map, key }.encode(QUERY_LIMIT, &mut out), Err(why));
        }
        assert_eq!(out, b"3:abc,17:postfix good.test,");
    }

    proptest! {
        /// PF-01: a request that was written is read as it was meant.
        #[test]
        fn decode_undoes_encode(map in "[^ ]{1,8}", key in "(?s).{1,32}") {
            let request = Request { map: &map, key: &key };
            let mut out = Vec::new();
            prop_assert_eq!(request.encode(QUERY_LIMIT, &mut out), Ok(()));
            let frame = netstring::decode(&out, QUERY_LIMIT).unwrap().unwrap();
            prop_assert_eq!(frame.consumed, out.len());
            prop_assert_eq!(decode_request(frame.payload), Ok(request));
        }
    }
}
