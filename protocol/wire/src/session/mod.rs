//! Session reports and what is answered to them: one JSON object on a line, either way.
//!
//! Whatever hands mail over (an MTA's hook, a proxy, a script) tells of a TLS session as it was, and
//! gets a verdict. [`decode`] reads a report; what it leaves out is unknown, never fine (SV-01). Keys
//! that are not known are passed over, so that a reporter may be newer than its reader; a known key
//! of another type is an error that names it. [`VerdictLine`] and [`ErrorLine`] are the answers.
//! Framing is that of [`lines`](crate::lines). Not done here: X.509, names, and every judgement.
//!
//! The keys are those of the project's session JSON; certificates are DER (RFC 5280) in base64
//! (RFC 4648, 4), TLSA records are in their presentation format (RFC 6698, 2.2).

mod answer;
mod members;
mod report;

pub use answer::{ErrorLine, MatchedLine, ResultLine, VerdictLine};
pub use members::{Place, SessionError};
pub use report::{ReportedSession, Sni, Starttls, decode};

/// The longest line that is read, in bytes without its ending.
///
/// A hundred certificates of 1900 bytes fit. OpenSSL itself takes no more than 100 KiB of
/// certificates from a server (`SSL_CTX_set_max_cert_list`), which are 137 KiB in base64.
pub const LINE_LIMIT: usize = 256 * 1024;

/// The most certificates of a chain.
///
/// OpenSSL verifies chains of up to 100 certificates (`SSL_CTX_set_verify_depth`), so no longer one
/// can have been accepted; each of them costs its judge a signature.
pub const CHAIN_LIMIT: usize = 100;

/// The most TLSA records, and the most names.
///
/// A DNS reply of 65535 bytes could hold more, yet no host has a use for them; each is compared
/// with each certificate.
pub const LIST_LIMIT: usize = 100;
