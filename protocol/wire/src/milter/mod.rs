//! The milter protocol: what Sendmail and Postfix tell a filter of a message, and what it answers.
//!
//! There is no standard. The meaning of each command is that of libmilter's documentation (`xxfi_…`
//! for what comes, `smfi_…` for what is answered), its number that of `mfdef.h`, as
//! draft-adams-milter-protocol describes both; what they leave open was measured with Postfix 3.7.11
//! and 3.10.13 and with Sendmail 8.17.1.9 and 8.18.1. Spoken are the versions 2 to 6.
//!
//! | layer | what it knows |
//! |---|---|
//! | [`packet`] | a length, a command, octets |
//! | [`Command`], [`Reply`] | what one packet says |
//! | [`Offer`], [`Wish`], [`Terms`] | what both sides agree on first |
//! | [`Session`] | what may come when, and who has to speak |
//!
//! A mail server sends a command and waits, unless it was agreed that nothing is answered. [`Session`]
//! is a value: bytes go in, events come out, and replies into a buffer. What needs a decision stops
//! it until there is one:
//!
//! ```
//! use hoplock_wire::header_field::HeaderField;
//! use hoplock_wire::milter::{
//!     Actions, Change, Command, Decision, Envelope, Event, Interest, Offer, Session, Stage, Steps,
//!     Wish,
//! };
//!
//! let mut sent = Vec::new();
//! for command in [
//!     Command::Negotiate(Offer { version: 6, actions: Actions::all(), steps: Steps::all() }),
//!     Command::Mail(Envelope::parse(b"<s@a.test>\0REQUIRETLS\0")?),
//!     Command::Rcpt(Envelope::parse(b"<r@good.test>\0")?),
//!     Command::EndOfBody(b""),
//! ] {
//!     command.encode(&mut sent);
//! }
//!
//! let mut session = Session::new(Wish {
//!     mail: Interest::Watch,
//!     rcpt: Interest::Decide,
//!     actions: Actions::ADD_HEADERS,
//!     ..Wish::default()
//! });
//! let (mut rest, mut replies) = (&sent[..], Vec::new());
//! loop {
//!     let step = session.decode(rest, &mut replies)?;
//!     rest = &rest[step.consumed..];
//!     match step.event {
//!         Some(Event::Mail(from)) => assert!(from.argument("requiretls").is_some()),
//!         Some(Event::Rcpt(to)) => {
//!             assert_eq!(to.address, b"<r@good.test>");
//!             session.answer(&Decision::Continue, &[], &mut replies)?;
//!         }
//!         Some(Event::EndOfMessage { .. }) => {
//!             let field = HeaderField::new("X-Protection", "good.test; dane-only")?;
//!             session.answer(&Decision::Continue, &[Change::Add(field)], &mut replies)?;
//!         }
//!         Some(_) => {}
//!         None => break,
//!     }
//! }
//! assert!(rest.is_empty() && session.waits().is_none());
//! assert!(replies.ends_with(b"hX-Protection\0 good.test; dane-only\0\0\0\0\x01c"));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! What is good to know of the mail servers, measured but for the timeouts, which are documented:
//! * Postfix makes a connection for each client and says ABORT where nothing is under way; Sendmail
//!   says it only where a message is given up, and nothing at all between two messages.
//! * Both take the blanks before the colon of a header field away, and count the fields of a name in
//!   either case and from 1. A field that is added below stands, in Sendmail, in the place of one
//!   that was deleted.
//! * A recipient that the mail server itself refuses is not shown.
//! * There is no way to gain time at RCPT: the decision has the mail server's timeout
//!   (`milter_command_timeout`, 30 s, in Postfix; `T=R:`, 10 s, in Sendmail).
//!
//! Not done here: deadlines, which decision is right, and changes of the envelope and the body, which
//! no guard needs. A message is never discarded: there is no such reply.

mod command;
mod connect;
mod event;
mod negotiation;
pub mod packet;
mod received;
mod reply;
mod session;
mod stage;
mod strings;
#[cfg(test)]
mod tests;

pub use command::{BadCommand, Command, Header};
pub use connect::{Connect, Peer};
pub use event::{Broken, Change, Decision, Event, Step, Unanswerable};
pub use negotiation::{Actions, Interest, MacroList, MacroStage, Offer, Steps, Terms, Wish};
pub use received::{Received, decode_reply};
pub use reply::Reply;
pub use session::{COPIES_LIMIT, Session};
pub use stage::Stage;
pub use strings::{Envelope, Macros};
