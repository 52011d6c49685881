//! TLS reporting (RFC 8460): what an MTA tells of the TLS of one delivery, and what one organization tells
//! another of a day.
//!
//! * [`decode`]: datagrams of libtlsrpt.
//! * [`ReportDocument`], [`decode_document`]: the report, which leaves and comes.
//! * [`file_name`], [`subject`]: the names that it travels under.
//!
//! # Datagrams
//!
//! Postfix from 3.10 on sends one for each new handshake with a host of a domain that asks for
//! reports. One datagram is one JSON object; its keys are libtlsrpt's own. Two forms are about: with
//! `"dpv":"1"`, and without it as the release candidate 0.5.0rc1 writes it, which Debian 13 ships.
//! A datagram has no certificate, no fingerprint and no TLS version. Not done here: adding up, and the mail
//! or request that a report leaves in (RFC 8460, 5).
//!
//! The EHLO answer and the names of hosts come from the other side, and libtlsrpt passes bytes on
//! that are no UTF-8; these are replaced, so that no host can spoil the report of its own failure.

mod address;
mod datagram;
mod date_time;
mod document;
mod result_type;

pub use datagram::{
    FailureDetail, FinalResult, PolicyReport, PolicyType, TlsrptError, TlsrptReport, decode,
};
pub use document::{
    AppliedPolicy, DocumentError, DocumentPolicyType, DocumentResult, FailureSection,
    PolicySection, ReportDocument, decode_document, file_name, subject,
};
pub use result_type::{FailureCode, ResultType};

/// The longest datagram that is read, in bytes.
///
/// libtlsrpt sets no bound. A report has a few hundred bytes; the EHLO answer and the policy strings
/// of a large TLSA set make it some thousands. A buffer of one byte more tells a datagram of just
/// this length from a longer one that was cut.
pub const DATAGRAM_LIMIT: usize = 65_536;

/// The longest report that is read, in bytes of JSON.
///
/// RFC 8460 sets no bound; its section 5.2 tells of receivers that take ten megabytes. What is read takes some
/// ten times as much memory in the worst case.
pub const DOCUMENT_LIMIT: usize = 16_777_216;
