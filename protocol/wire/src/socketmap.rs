//! Socketmap requests and replies (socketmap_table(5)).

use crate::netstring;

/// One request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Request<'a> {
    /// Which map.
    pub map: &'a str,
    /// Which key.
    pub key: &'a str,
}

/// A request that cannot be read; answered `TEMP bad-request`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadRequest {
    /// No blank between map and key.
    #[error("the request is not \"map key\"")]
    NoBlank,
    /// Not UTF-8.
    #[error("the request is not UTF-8")]
    NotUtf8,
    /// No key.
    #[error("the request has an empty key")]
    EmptyKey,
}

/// One reply.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    /// Found; never empty.
    Ok(String),
    /// Not found.
    NotFound,
    /// Delay.
    Temp(String),
}

/// An empty `OK` would be read as "not found".
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an OK reply needs a value")]
pub struct EmptyReply;

/// Reads a request.
///
/// # Errors
/// [`BadRequest`] says what is wrong.
pub fn decode_request(payload: &[u8]) -> Result<Request<'_>, BadRequest> {
    let text = std::str::from_utf8(payload).map_err(|_| BadRequest::NotUtf8)?;
    let (map, key) = text.split_once(' ').ok_or(BadRequest::NoBlank)?;
    if key.is_empty() {
        Err(BadRequest::EmptyKey)
    } else {
        Ok(Request { map, key })
    }
}

impl Reply {
    /// A found value.
    ///
    /// # Errors
    /// [`EmptyReply`].
    pub fn ok(text: String) -> Result<Self, EmptyReply> {
        if text.trim().is_empty() {
            Err(EmptyReply)
        } else {
            Ok(Self::Ok(text))
        }
    }

    /// Delay.
    #[must_use]
    pub fn temp(text: String) -> Self {
        Self::Temp(text)
    }

    /// Appends the whole netstring.
    pub fn encode(&self, limit: usize, out: &mut Vec<u8>) {
        let payload = match self {
            Self::Ok(text) => format!("OK {text}"),
            Self::NotFound => "NOTFOUND ".to_owned(),
            Self::Temp(text) => format!("TEMP {text}"),
        };
        if payload.len() > limit {
            netstring::encode(
                b"TEMP reply-too-long: the answer is longer than is read",
                out,
            );
        } else {
            netstring::encode(payload.as_bytes(), out);
        }
    }
}

/// Longest request.
pub const QUERY_LIMIT: usize = 10_000;
/// Longest reply.
pub const REPLY_LIMIT: usize = 100_000;
