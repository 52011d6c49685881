//! Requests that Exim's `${readsocket{…}}` brings, and their answers.
//!
//! After the Exim specification, 11.5 ("Expansion items", `readsocket`): Exim opens a connection,
//! writes one request, shuts its side down, and takes everything up to the end of the connection for
//! the answer. So there is one line, one answer, and no line feed behind it: a configuration compares
//! the whole answer with the word that it hopes for.
//!
//! The frame is a line ([`LineFramer`](crate::lines::LineFramer) with [`LINE_LIMIT`]); [`decode`] reads
//! it, [`Answer::encode`] writes what leaves. What cannot be read is answered by
//! [`BadRequest::answer`], in a word that no configuration hopes for. Not done here: what a domain, a
//! host or a certificate means.
//!
//! ```
//! use hoplock_wire::readsocket::{Answer, Request, decode};
//!
//! let request = decode(b"hoplock1 mx good.test mx.good.test");
//! assert_eq!(request, Ok(Request::Mx { domain: "good.test", host: "mx.good.test" }));
//! assert_eq!(Answer::Ok.encode(), b"ok");
//!
//! let refused = Answer::refuse("sts-host-not-listed", "the policy does not permit it\r\nok");
//! assert_eq!(refused.encode(), b"refuse sts-host-not-listed: the policy does not permit it??ok");
//!
//! let why = decode(b"hoplock1 mx good.test").unwrap_err();
//! assert!(why.answer().encode().starts_with(b"refuse bad-request: "));
//! ```

mod answer;
mod dnsdb;
mod fields;
mod request;

pub use answer::{ANSWER_LIMIT, Answer};
pub use dnsdb::{DnsdbRequest, Dnssec, FieldSeparator, Lookup};
pub use request::{
    BadRequest, CertRequest, EventRequest, MessageSays, Request, Verb, Wrong, decode,
};

/// The longest request line that is read, in bytes without its ending.
///
/// The longest requests hold a certificate in base64: this is room for one of 190,000 bytes, a hundred
/// times what mail hosts show.
pub const LINE_LIMIT: usize = 256 * 1024;

#[cfg(test)]
#[allow(clippy::panic, reason = "tests")]
mod tests;
