//! Reports that others sent us (RFC 8460, 4.4 and 5): from the bytes of a file or a mail to the document.
//!
//! * Plain JSON, gzip, or a whole mail with either in it; which, the bytes say, not their name.
//! * What is packed is unpacked up to a bound: a small mail may hold more than a machine has.
//!
//! Not done here: whether the mail comes from whom it says (DKIM; RFC 8460, 3 has the receiver's mail server
//! check it), keeping reports (`store`), reading files (`cli`).

pub mod fuzzing;
mod gzip;
mod mail;

use hoplock_policy::moment::Timestamp;
use hoplock_wire::tlsrpt::{DOCUMENT_LIMIT, DocumentError, ReportDocument, decode_document};
use thiserror::Error;

use crate::world::reports::received::Received;

/// A report, read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReadReport {
    /// What it says.
    pub document: ReportDocument,
    /// Its JSON, as it came.
    pub json: Vec<u8>,
}

/// Why there is no report.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ReadError {
    /// More bytes than are looked at.
    #[error("more than {INPUT_LIMIT} bytes: no report is as large")]
    TooLong,
    /// It begins as gzip does, and cannot be unpacked.
    #[error("the gzip file is damaged: {0}")]
    Damaged(String),
    /// It becomes too large.
    #[error("unpacked, it has more than {DOCUMENT_LIMIT} bytes: no report is as large")]
    Expands,
    /// A mail in pieces that cannot be put together.
    #[error("the mail's parts are nested in a way that cannot be read")]
    BrokenMail,
    /// A mail without a report.
    #[error(
        "the mail has no report in it: no part is application/tlsrpt+json or application/tlsrpt+gzip, and \
         none is named .json or .json.gz"
    )]
    NoReport,
    /// Nothing that a report comes in.
    #[error("neither JSON nor gzip nor a mail")]
    Neither,
    /// JSON, and no report.
    #[error("the report cannot be read: {0}")]
    Document(#[from] DocumentError),
}

impl ReadReport {
    /// What is kept of it, where it was read at this time.
    #[must_use]
    pub fn received(&self, at: Timestamp) -> Received {
        let millis = |seconds: u64| Timestamp(seconds.saturating_mul(1_000));
        Received {
            at,
            organization: self.document.organization_name.clone(),
            report_id: self.document.report_id.clone(),
            begins: millis(self.document.begins),
            ends: millis(self.document.ends),
            successful: self.document.successful(),
            failed: self.document.failed(),
            document: self.json.clone(),
        }
    }
}

/// Reads a report from a file or a mail.
///
/// # Errors
/// [`ReadError`] says why there is none.
pub fn read(bytes: &[u8]) -> Result<ReadReport, ReadError> {
    if bytes.len() > INPUT_LIMIT {
        return Err(ReadError::TooLong);
    }
    let json = if gzip::is_packed(bytes) {
        gzip::unpacked(bytes)?
    } else if is_json(bytes) {
        bytes.to_vec()
    } else {
        mail::report_in(bytes)?
    };
    let document = decode_document(&json)?;
    Ok(ReadReport { document, json })
}

/// No mail begins with a brace or a bracket.
fn is_json(bytes: &[u8]) -> bool {
    let bare = bytes.strip_prefix(BYTE_ORDER_MARK).unwrap_or(bytes);
    matches!(bare.trim_ascii_start().first(), Some(b'{' | b'['))
}

const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// The longest file or mail that is looked at, in bytes: a document of the longest kind, plain, in base64.
pub const INPUT_LIMIT: usize = 2 * DOCUMENT_LIMIT;

#[cfg(test)]
mod tests;
