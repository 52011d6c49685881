//! The steps of a session that a filter may watch or decide on.

use super::negotiation::Steps;

/// One step, in the order in which they come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stage {
    /// A client has connected.
    Connect,
    /// It named itself.
    Helo,
    /// A message begins.
    Mail,
    /// One recipient.
    Rcpt,
    /// The recipients are complete.
    Data,
    /// One header field.
    Header,
    /// The header is complete.
    EndOfHeaders,
    /// Some of the body.
    Body,
    /// The message is complete: the only step at which it can be changed.
    EndOfMessage,
    /// A command that the mail server does not know; may come at any time.
    Unknown,
}

impl Stage {
    /// The step in which the mail server leaves it out.
    pub(super) fn skipped(self) -> Steps {
        match self {
            Self::Connect => Steps::NO_CONNECT,
            Self::Helo => Steps::NO_HELO,
            Self::Mail => Steps::NO_MAIL,
            Self::Rcpt => Steps::NO_RCPT,
            Self::Data => Steps::NO_DATA,
            Self::Header => Steps::NO_HEADERS,
            Self::EndOfHeaders => Steps::NO_END_OF_HEADERS,
            Self::Body => Steps::NO_BODY,
            Self::EndOfMessage => Steps::none(),
            Self::Unknown => Steps::NO_UNKNOWN,
        }
    }

    /// The step in which the mail server does not wait for an answer.
    pub(super) fn unanswered(self) -> Steps {
        match self {
            Self::Connect => Steps::NO_REPLY_CONNECT,
            Self::Helo => Steps::NO_REPLY_HELO,
            Self::Mail => Steps::NO_REPLY_MAIL,
            Self::Rcpt => Steps::NO_REPLY_RCPT,
            Self::Data => Steps::NO_REPLY_DATA,
            Self::Header => Steps::NO_REPLY_HEADERS,
            Self::EndOfHeaders => Steps::NO_REPLY_END_OF_HEADERS,
            Self::Body => Steps::NO_REPLY_BODY,
            Self::EndOfMessage => Steps::none(),
            Self::Unknown => Steps::NO_REPLY_UNKNOWN,
        }
    }

    /// Whether it can come more than once in one message.
    pub(super) fn repeats(self) -> bool {
        matches!(self, Self::Rcpt | Self::Header | Self::Body)
    }

    /// All of them.
    pub(super) const ALL: [Self; 10] = [
        Self::Connect,
        Self::Helo,
        Self::Mail,
        Self::Rcpt,
        Self::Data,
        Self::Header,
        Self::EndOfHeaders,
        Self::Body,
        Self::EndOfMessage,
        Self::Unknown,
    ];
}
