//! A verdict in the words of one MTA, and of people. Rendering takes no decision.

pub mod exim;
pub mod explain;
mod host;
pub mod json;
pub mod postfix;
pub mod rule;
pub mod sendmail;
mod view;

pub use self::view::View;

use std::fmt;

use crate::law::Verdict;
use crate::next_hop::escaped;
use crate::profile::{Family, Profile};
use crate::reason::Reason;

/// What leaves on the socket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Rendered {
    /// A policy; never empty.
    Ok(String),
    /// No policy: the MTA's own default acts.
    NotFound,
    /// Delay: `reason-word: words`.
    Temp(String),
    /// Exim's router level; each host is asked about by itself.
    Level(exim::Level),
}

impl Rendered {
    /// Delay with words for people: printable ASCII in one line, no longer than the MTA logs.
    #[must_use]
    pub fn temp(reason: Reason, words: &str) -> Self {
        Self::Temp(reasoned(reason, words))
    }

    /// True where mail waits.
    #[must_use]
    pub fn waits(&self) -> bool {
        matches!(self, Self::Temp(_) | Self::Level(exim::Level::Defer(_)))
    }
}

impl fmt::Display for Rendered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ok(text) => write!(f, "OK {text}"),
            Self::NotFound => f.write_str("NOTFOUND "),
            Self::Temp(text) => write!(f, "TEMP {text}"),
            Self::Level(level) => write!(f, "{level}"),
        }
    }
}

/// The verdict in the words of the profile's MTA.
#[must_use]
pub fn render(verdict: &Verdict, profile: &Profile) -> Rendered {
    match profile.family {
        Family::Postfix | Family::Pins => postfix::render(verdict, profile),
        Family::Exim => Rendered::Level(exim::level(verdict)),
        Family::Sendmail => sendmail::render(verdict, profile),
    }
}

/// A reason with words for people: printable ASCII in one line, no longer than an MTA logs.
fn reasoned(reason: Reason, words: &str) -> String {
    let words = if words.trim().is_empty() {
        "no more is known"
    } else {
        words
    };
    let mut text = format!("{reason}: {}", escaped(words));
    if text.len() > TEMP_LIMIT {
        text.truncate(TEMP_LIMIT - "...".len());
        text.push_str("...");
    }
    text
}

/// Text that somebody else wrote, as printable ASCII of bounded length.
fn safe(text: &str) -> String {
    format!("{}", escaped(text))
}

/// Postfix logs about so many octets of a delay's words.
const TEMP_LIMIT: usize = 200;

#[cfg(test)]
mod tests {
    use super::*;

    /// ID-04: words from the network reach the MTA's log as printable ASCII in one short line.
    #[test]
    fn delays_are_one_printable_line() {
        for words in [
            "TLSA of mx.test: dns-servfail, \u{202e}\r\nOK may\0\u{1b}[2J",
            "",
            " ",
            &"\u{fc}".repeat(4000),
            &"a".repeat(4000),
        ] {
            let said = Rendered::temp(Reason::TlsaLookupFailed, words).to_string();
            assert!(said.starts_with("TEMP tlsa-lookup-failed: "), "{said}");
            assert!(said.bytes().all(|b| (b' '..=b'~').contains(&b)), "{said}");
            assert!(said.len() > "TEMP tlsa-lookup-failed: ".len() && said.len() <= 205);
        }
    }

    /// What fits is told whole; what does not is cut to the limit, and the cut is shown.
    #[test]
    fn delays_are_cut_at_the_limit_only() {
        let room = TEMP_LIMIT - "busy: ".len();
        let whole = "a".repeat(room);
        let said = Rendered::temp(Reason::Busy, &whole);
        assert_eq!(said, Rendered::Temp(format!("busy: {whole}")));
        let said = Rendered::temp(Reason::Busy, &"a".repeat(room + 1));
        let cut = "a".repeat(room - "...".len());
        assert_eq!(said, Rendered::Temp(format!("busy: {cut}...")));
    }
}
