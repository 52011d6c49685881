//! Sans-I/O codecs of the sockets that mail servers speak: bytes in, messages out, and back.
//!
//! [`netstring`] finds the frames, [`socketmap`] reads and writes what is inside (socketmap_table(5)
//! of Postfix, and the socket map of Sendmail). [`smtp_reply`] reads what mail servers say to a client.
//! Every function is pure: the caller owns sockets,
//! buffers, deadlines and limits. Framing that is broken closes a connection; content that is bad is
//! answered with `TEMP`, which makes the mail server wait and never deliver with less protection.
//! Not done here: what a key means, and which answer it deserves.
//!
//! One turn of a conversation, from both ends:
//!
//! ```
//! use hoplock_wire::netstring;
//! use hoplock_wire::socketmap::{
//!     decode_reply, decode_request, Received, Reply, Request, QUERY_LIMIT, REPLY_LIMIT,
//! };
//!
//! // The mail server asks ...
//! let mut bytes = Vec::new();
//! Request { map: "postfix", key: "good.test" }.encode(QUERY_LIMIT, &mut bytes)?;
//! assert_eq!(bytes, b"17:postfix good.test,");
//!
//! // ... the daemon reads and answers ...
//! let frame = netstring::decode(&bytes, QUERY_LIMIT)?.ok_or("read more")?;
//! let request = decode_request(frame.payload)?;
//! assert_eq!((request.map, request.key), ("postfix", "good.test"));
//! let mut bytes = Vec::new();
//! Reply::ok("dane-only".to_owned())?.encode(REPLY_LIMIT, &mut bytes);
//! assert_eq!(bytes, b"12:OK dane-only,");
//!
//! // ... and the mail server reads the answer.
//! let frame = netstring::decode(&bytes, REPLY_LIMIT)?.ok_or("read more")?;
//! assert_eq!(decode_reply(frame.payload), Ok(Received::Ok("dane-only")));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
#![forbid(unsafe_code)]

#[doc(hidden)]
pub mod fuzzing;
pub mod lines;
pub mod netstring;
pub mod postfix_log;
pub mod session;
pub mod smtp_reply;
pub mod socketmap;
pub mod tlsrpt;
