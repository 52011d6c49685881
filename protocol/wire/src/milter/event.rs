//! What happens in a session, what is decided on it, and what goes wrong.

use thiserror::Error;

use super::command::{BadCommand, Header};
use super::connect::Connect;
use super::negotiation::Terms;
use super::packet::BadPacket;
use super::strings::{Envelope, Macros};
use crate::header_field::HeaderField;
use crate::refusal::{Refusal, Words};

/// What one look at the buffer came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Step<'a> {
    /// How many bytes the caller must now take off the front of its buffer.
    pub consumed: usize,
    /// What happened. Where it is `None`, read on, or answer what [`Session::waits`](super::Session::waits) names.
    pub event: Option<Event<'a>>,
}

/// What happened. Those that [`Session::waits`](super::Session::waits) for are to be answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event<'a> {
    /// The message under way is given up; another may follow.
    Abort,
    /// Some of the body.
    Body(&'a [u8]),
    /// A client is there.
    Connect(Connect<'a>),
    /// The recipients are complete.
    Data,
    /// The header is complete.
    EndOfHeaders,
    /// The message is complete, and waits for the last word. Changes belong here.
    EndOfMessage {
        /// The end of the body, where the mail server sends it along.
        body: &'a [u8],
    },
    /// A header field.
    Header(Header<'a>),
    /// The client names itself. A message under way is given up (RFC 5321, 4.1.4).
    Helo(&'a [u8]),
    /// Beside the next command.
    Macros(Macros<'a>),
    /// A message begins. One that is under way is given up.
    Mail(Envelope<'a>),
    /// The agreement. What is missing in its actions cannot be done for this mail server.
    Negotiated(Terms),
    /// The client has gone; another follows on this connection.
    NewConnection,
    /// The client has gone; close the connection.
    Quit,
    /// One recipient.
    Rcpt(Envelope<'a>),
    /// A command that the mail server does not know.
    Unknown(&'a [u8]),
}

/// What the mail server is told at a step that waits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// No more is to be seen of the message, or, at CONNECT and HELO, of the client. Not at RCPT,
    /// where the recipients behind it would pass unseen.
    Accept,
    /// Go on.
    Continue,
    /// Refused with this code and these words: at RCPT the recipient, at CONNECT and HELO the
    /// client, elsewhere the message.
    Refuse(Refusal),
    /// The same, for now, in the mail server's words.
    TempFail,
}

/// A change of a message that goes on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// A field below all others.
    Add(HeaderField),
    /// A field at that place, 0 being above all others.
    Insert(u32, HeaderField),
    /// The message is held, for this cause.
    Quarantine(Words),
}

/// Nothing can be understood any more. Close the connection: the mail server then does what its
/// configuration says of a filter that is away.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum Broken {
    /// A packet says nothing.
    #[error(transparent)]
    Command(#[from] BadCommand),
    /// A command that cannot come here.
    #[error("the command {} cannot come here", char::from(*.0))]
    OutOfOrder(u8),
    /// A count behind which nothing can be found.
    #[error(transparent)]
    Packet(#[from] BadPacket),
    /// A version before 2.
    #[error("version {0} of the milter protocol is not spoken")]
    Version(u32),
}

/// An answer that cannot be given. Nothing was written, and the mail server still waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum Unanswerable {
    /// At RCPT the rest of the message would pass unseen.
    #[error("accepting at RCPT lets all further recipients pass")]
    AcceptsOthers,
    /// The mail server waits for nothing.
    #[error("nothing waits for an answer")]
    NotAsked,
    /// A message can be changed, and waited for, at its end only.
    #[error("this can be said at the end of a message only")]
    NotAtEnd,
    /// The mail server makes no such change.
    #[error("the mail server did not agree to such a change")]
    NotGranted,
}
