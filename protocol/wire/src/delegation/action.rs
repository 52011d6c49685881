//! Answers, as the daemon writes them.

use std::fmt;

use nom::bytes::complete::{take_while, take_while1};
use nom::character::complete::char;
use nom::combinator::all_consuming;
use nom::sequence::separated_pair;
use nom::{IResult, Parser as _};
use thiserror::Error;

use crate::header_field::HeaderField;
use crate::refusal::{EnhancedStatus, Refusal, Words};

/// What Postfix is to do (access(5)). Each can leave as it stands: what could not be said was refused
/// when the value was made. There is no empty action, with which Postfix lets mail go and warns.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// `DEFER`: not now, whatever the restrictions behind this one say.
    Defer(EnhancedStatus, Words),
    /// `DEFER_IF_PERMIT`: not now, unless a restriction behind this one refuses for good.
    DeferIfPermit(EnhancedStatus, Words),
    /// `DUNNO`: no opinion; the next restriction is asked.
    Dunno,
    /// `FILTER`: the whole message goes that way; of several the last counts.
    Filter(Filter),
    /// `HOLD`: the whole message waits until somebody releases it.
    Hold(Words),
    /// `PREPEND`: a header field at the top of the message, one for each recipient that says so.
    Prepend(HeaderField),
    /// The code itself, with its status and words: refused. `REJECT` is not written, since it knows
    /// the code 554 only.
    Reject(Refusal),
    /// `WARN`: a line in the log, and no opinion.
    Warn(Words),
}

/// `transport:destination`, a transport of master.cf and its next hop.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Filter {
    transport: String,
    destination: String,
}

/// A way that Postfix would not understand; it would warn and send the message the usual way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum UnfitFilter {
    /// No `:`, no transport before it, or what is not printable ASCII without blanks.
    #[error("a filter is transport:destination, without blanks")]
    Syntax,
    /// Longer than [`FILTER_LIMIT`].
    #[error("a filter has at most {FILTER_LIMIT} bytes")]
    TooLong,
}

impl Action {
    /// The first word, for logs and metrics.
    #[must_use]
    pub fn word(&self) -> &'static str {
        match self {
            Self::Defer(..) => "DEFER",
            Self::DeferIfPermit(..) => "DEFER_IF_PERMIT",
            Self::Dunno => "DUNNO",
            Self::Filter(_) => "FILTER",
            Self::Hold(_) => "HOLD",
            Self::Prepend(_) => "PREPEND",
            Self::Reject(_) => "REJECT",
            Self::Warn(_) => "WARN",
        }
    }

    /// The bytes that leave: one attribute and a blank line, far below what Postfix reads
    /// (`LINE_LIMIT`).
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        format!("action={self}\n\n").into_bytes()
    }
}

/// The action as it stands in an access table.
impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = self.word();
        match self {
            // The class is 4, as both are temporary: Postfix takes the rest of another one.
            Self::Defer(status, words) | Self::DeferIfPermit(status, words) => {
                write!(f, "{word} 4.{status} {words}")
            }
            Self::Dunno => f.write_str(word),
            Self::Filter(way) => write!(f, "{word} {way}"),
            Self::Hold(words) | Self::Warn(words) => write!(f, "{word} {words}"),
            Self::Prepend(field) => write!(f, "{word} {field}"),
            Self::Reject(refusal) => write!(f, "{refusal}"),
        }
    }
}

impl Filter {
    /// Reads `transport:destination`. The destination may be empty: the recipient's domain.
    ///
    /// # Errors
    /// [`UnfitFilter`] says what Postfix would not take.
    pub fn parse(text: &str) -> Result<Self, UnfitFilter> {
        if text.len() > FILTER_LIMIT {
            return Err(UnfitFilter::TooLong);
        }
        let transport = take_while1(|c| matches!(c, '!'..='9' | ';'..='~'));
        let destination = take_while(|c| matches!(c, '!'..='~'));
        let parsed: IResult<&str, (&str, &str)> =
            all_consuming(separated_pair(transport, char(':'), destination)).parse(text);
        let (_, (transport, destination)) = parsed.map_err(|_| UnfitFilter::Syntax)?;
        Ok(Self {
            transport: transport.to_owned(),
            destination: destination.to_owned(),
        })
    }
}

impl fmt::Display for Filter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.transport, self.destination)
    }
}

/// The longest way: a service name, and a host of at most 255 bytes with brackets and a port.
pub const FILTER_LIMIT: usize = 400;
