//! A verdict in the words of one MTA. Rendering takes no decision.

pub mod explain;
pub mod json;
pub mod postfix;
mod view;

pub use self::view::View;

use std::fmt;

use crate::law::Verdict;
use crate::profile::Profile;

/// What leaves on the socket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Rendered {
    /// A policy; never empty.
    Ok(String),
    /// No policy: the MTA's own default acts.
    NotFound,
    /// Delay: `reason-word: words`.
    Temp(String),
}

impl fmt::Display for Rendered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ok(text) => write!(f, "OK {text}"),
            Self::NotFound => f.write_str("NOTFOUND "),
            Self::Temp(text) => write!(f, "TEMP {text}"),
        }
    }
}

/// The verdict in the words of the profile's MTA.
#[must_use]
pub fn render(verdict: &Verdict, profile: &Profile) -> Rendered {
    postfix::render(verdict, profile)
}
