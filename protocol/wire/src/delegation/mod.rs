//! Policy delegation: what Postfix's SMTP server asks about each recipient, and what it is answered.
//!
//! After Postfix's SMTPD_POLICY_README and access(5). A request is lines of `name=value` and ends with
//! a blank line; so does the answer, which is one line, `action=` and an entry of an access table.
//! Requests follow each other on one connection, strictly in turn, so that each must be answered, a
//! broken one too: what is broken ends with its blank line and harms no request behind it.
//!
//! ```
//! use hoplock_wire::delegation::{Action, Decoder};
//! use hoplock_wire::refusal::{EnhancedStatus, Refusal};
//!
//! let bytes = b"request=smtpd_access_policy\nprotocol_state=RCPT\nrecipient=r@good.test\n\nreq";
//! let step = Decoder::new().decode(bytes);
//! assert_eq!(&bytes[step.consumed..], b"req");
//!
//! let request = step.found.ok_or("read more")??;
//! let recipient = request.recipient_path()?.ok_or("asked about no recipient")?;
//! assert_eq!(recipient.domain().map(ToString::to_string).as_deref(), Some("good.test"));
//!
//! let status = EnhancedStatus::new(7, 10).ok_or("no status")?;
//! let action = Action::Reject(Refusal::new(550, status, "no mail host can be authenticated")?);
//! assert_eq!(action.encode(), b"action=550 5.7.10 no mail host can be authenticated\n\n");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! What is good to know of Postfix (measured with 3.7.11): addresses come without quotes and source
//! routes, and with the dot behind their domain; nothing is asked about `<postmaster>` without a
//! domain; a `PREPEND` or `FILTER` that it cannot read lets the mail go and warns, so that neither can
//! be made here.
//!
//! Not done here: which action is right, and what is done where nobody knows one. The README lets a
//! server in trouble close the connection instead of answering; Postfix asks again and then does what
//! its `default_action` says.

mod action;
mod decoder;
mod request;
#[cfg(test)]
mod tests;

pub use action::{Action, FILTER_LIMIT, Filter, UnfitFilter};
pub use decoder::{Decoder, REQUEST_LIMIT, Step};
pub use request::{ATTRIBUTES_LIMIT, BadRequest, LINE_LIMIT, ProtocolState, Request};
