//! Socketmap messages: what stands inside the netstrings, seen from both ends.
//!
//! After socketmap_table(5) of Postfix, which Sendmail's socket map shares: a request is
//! `MAP KEY`, a reply is a status word, a blank and a text. Not done here: framing (see
//! [`netstring`](crate::netstring)), keys (any text is a key), and the choice of an answer.
//!
//! The daemon uses [`decode_request`] and [`Reply`]; a client uses [`Request::encode`] and
//! [`decode_reply`].

mod received;
mod reply;
mod request;

pub use received::{BadReply, Received, decode_reply};
pub use reply::{Reply, UnfitAnswer};
pub use request::{BadRequest, Request, UnfitRequest, decode_request};

/// The longest request that is read, in bytes inside the netstring.
///
/// No key that a mail server may ask is near it: a domain name has at most 255 bytes. Postfix gives
/// its own requests the same bound from 3.12 on; earlier versions have none.
pub const QUERY_LIMIT: usize = 10_000;

/// The longest reply that may be sent, in bytes inside the netstring.
///
/// Postfix (dict_sockmap.c) reads 100000 bytes; one more is `input exceeds size limit` to it, and
/// it drops the connection instead of reading the answer.
pub const REPLY_LIMIT: usize = 100_000;
