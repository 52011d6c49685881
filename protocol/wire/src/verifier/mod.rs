//! The key of Sendmail's map `verifier`, which is a session, and what it is answered.
//!
//! The ruleset `Local_tls_rcpt` hands over the macros of a session (the Sendmail operations guide, 5.2
//! and 5.1.1), a `|` between them, before the first recipient's RCPT:
//!
//! ```text
//! u@good.test | mx.good.test | 192.0.2.1 | ok | tlsv1.3 | 3a:ab:…:69 |/cn=mx.good.test | mx.good.test | ca
//! ```
//!
//! Sendmail folds the key to lower case, unless its map has `-f`, and puts blanks where it likes: it has
//! read the key as an address. Answers are read as addresses too, so that parentheses are comments and a
//! quotation mark without its fellow is an error: [`Answer`] leaves them out.
//!
//! ```
//! use hoplock_wire::verifier::{Answer, Shown, Verify, decode};
//!
//! let session = decode("u@good.test | mx.good.test | 192.0.2.1 | none | | | | |")?;
//! assert_eq!((session.domain, session.verify), ("good.test", Verify::None));
//! assert_eq!(session.certificate, Shown::Nothing);
//!
//! let mut out = Vec::new();
//! Answer::refuse("starttls-not-offered", "the host (as always) did not").reply().encode(1000, &mut out);
//! assert_eq!(out, b"51:OK starttls-not-offered: the host as always did not,");
//! # Ok::<(), hoplock_wire::verifier::BadKey>(())
//! ```
//!
//! Not done here: what a session is worth.

mod answer;
mod key;

pub use answer::Answer;
pub use key::{BadKey, SessionKey, Shown, Verify, decode};

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests;
