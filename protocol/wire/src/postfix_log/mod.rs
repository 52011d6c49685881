//! What Postfix's smtp(8) logs of TLS: lines into events, and events into sessions.
//!
//! [`parse_line`] reads a line of a log file, [`parse_message`] a message whose fields came apart
//! (the journal). [`Correlator`] joins the events of one process into [`LoggedSession`]s: the TLS
//! lines bear no queue id, the delivery line no certificate, so that process id and relay must do.
//! Formats are those of Postfix 3.7 to 3.11 at `smtp_tls_loglevel` 0, 1 and 2. At 2 the log has the
//! digests of the server's certificate and key, enough to match TLSA records of usage 3; at 1 only
//! what Postfix thought of them; at 0 only failures.
//!
//! A log is weak evidence: it comes after the fact, lines get lost, and parts of them are the
//! server's own words. What is said here is said by Postfix's fixed words and by fields that stand
//! where a server cannot put its own; and nothing is made up from lines that are not there, but for
//! [`LoggedStarttls::NotUsed`], under the conditions that stand with it.
//!
//! Not done here: with `smtp_tls_connection_reuse = yes` the handshake is tlsproxy(8)'s, and so are
//! its lines of level 2. One such process serves many, so that its lines cannot be joined for
//! certain: they are not read, and those sessions have no fingerprints. lmtp(8) is not read.

mod belongs;
mod clues;
mod correlator;
mod event;
mod line;
mod logged;
mod message;
mod open;
mod queued;
mod reading;
mod recent;

pub use correlator::{
    Correlator, Counts, DELIVERY_LIMIT, OPEN_LIMIT, ORIGIN_LIMIT, PATIENCE, PROGRAM_LIMIT,
};
pub use event::{
    CertificateLine, DeliveryLine, DeliveryStatus, Event, Fingerprint, Peer, TlsConnection,
    TlsrptLine, Trouble, TrustLevel,
};
pub use line::{LogLine, Source, parse_line, parse_message};
pub(crate) use line::{has_head, head};
pub use logged::{LoggedDelivery, LoggedSession, LoggedStarttls, LoggedTlsrpt, Origin};
pub use queued::{Queued, parse_queued, parse_queued_line};

/// The longest line that is read, in bytes.
///
/// Postfix cuts its own text at 2000 bytes; time, machine and program take some more.
pub const LINE_LIMIT: usize = 16 * 1024;
