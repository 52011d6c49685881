//! Reading what others report. Senders differ from the RFC in small ways, and a report that is turned down
//! for them helps nobody; what a report is kept by must be there.

use serde::Deserialize;
use serde_json::error::Category;
use thiserror::Error;

use super::{
    AppliedPolicy, DocumentPolicyType, DocumentResult, FailureSection, PolicySection,
    ReportDocument, lenient,
};
use crate::tlsrpt::DOCUMENT_LIMIT;

/// A report that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum DocumentError {
    /// The JSON stops before its end.
    #[error("the JSON is cut short")]
    CutShort,
    /// The bytes are no JSON.
    #[error("no JSON in line {line} from column {column} on")]
    NotJson {
        /// The line, from 1.
        line: usize,
        /// The column, from 1; where bytes that are no UTF-8 stand before, each counts as three.
        column: usize,
    },
    /// A member is missing, or its value is of another type.
    #[error("line {line}, column {column}: {what}")]
    Schema {
        /// The line, from 1.
        line: usize,
        /// The column, from 1.
        column: usize,
        /// What is wrong, in words of at most 200 bytes.
        what: String,
    },
    /// More bytes than are read.
    #[error("the report has {length} bytes, at most {DOCUMENT_LIMIT} are read")]
    TooLong {
        /// Its bytes.
        length: usize,
    },
}

/// Reads a report. Members that are not known are passed over; so is a byte order mark. Times may lack their
/// zone; `policy-string` and `mx-host` may be one text or be absent; counts are taken as they are given,
/// whether they add up or not; words for results and policies that RFC 8460 does not have are kept.
///
/// ```
/// use hoplock_wire::tlsrpt::{DocumentPolicyType, decode_document};
///
/// let report = decode_document(
///     br#"{"organization-name": "Example Inc.", "report-id": "2026-11-26T00:00:00Z_good.test",
///     "date-range": {"start-datetime": "2026-11-26T00:00:00Z", "end-datetime": "2026-11-26T23:59:59Z"},
///     "contact-info": "tls@example.test", "policies": [{"policy": {"policy-type": "sts",
///     "policy-domain": "good.test", "policy-string": ["version: STSv1", "mode: testing",
///     "mx: mx.good.test", "max_age: 86400"], "mx-host": ["mx.good.test"]}, "summary":
///     {"total-successful-session-count": 3, "total-failure-session-count": 0}}]}"#,
/// )?;
/// assert_eq!(report.policies[0].policy.kind, DocumentPolicyType::Sts);
/// assert_eq!((report.successful(), report.failed()), (3, 0));
/// # Ok::<(), hoplock_wire::tlsrpt::DocumentError>(())
/// ```
///
/// # Errors
/// [`DocumentError`] says what is wrong, and where.
pub fn decode_document(bytes: &[u8]) -> Result<ReportDocument, DocumentError> {
    if bytes.len() > DOCUMENT_LIMIT {
        let length = bytes.len();
        return Err(DocumentError::TooLong { length });
    }
    let text = String::from_utf8_lossy(bytes);
    let text = text.strip_prefix('\u{feff}').unwrap_or(&text);
    if text.trim_start().starts_with('[') {
        // serde would take a list of all values in their order.
        return Err(DocumentError::Schema {
            line: 1,
            column: 1,
            what: "a report is a JSON object".to_owned(),
        });
    }
    let read: Read = serde_json::from_str(text).map_err(|why| blame(&why))?;
    Ok(ReportDocument {
        organization_name: read.organization_name,
        begins: read.date_range.start,
        ends: read.date_range.end,
        contact_info: read.contact_info,
        report_id: read.report_id,
        policies: read.policies.into_iter().map(PolicySection::from).collect(),
    })
}

/// What is required is what each element of a list has at least: short bytes never become large values.
#[derive(Deserialize)]
#[serde(rename_all = "kebab-case", expecting = "a report")]
struct Read {
    organization_name: String,
    date_range: ReadRange,
    #[serde(default, deserialize_with = "lenient::text")]
    contact_info: String,
    report_id: String,
    policies: Vec<ReadSection>,
}

#[derive(Deserialize)]
#[serde(expecting = "a start and an end")]
struct ReadRange {
    #[serde(rename = "start-datetime", deserialize_with = "lenient::time")]
    start: u64,
    #[serde(rename = "end-datetime", deserialize_with = "lenient::time")]
    end: u64,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case", expecting = "a policy with its summary")]
struct ReadSection {
    policy: ReadPolicy,
    summary: ReadSummary,
    #[serde(default, deserialize_with = "lenient::list")]
    failure_details: Vec<ReadFailure>,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case", expecting = "a policy")]
struct ReadPolicy {
    policy_type: DocumentPolicyType,
    #[serde(default, deserialize_with = "lenient::texts")]
    policy_string: Vec<String>,
    #[serde(default, deserialize_with = "lenient::text")]
    policy_domain: String,
    // The RFC's prose calls the value mx-host-pattern, and some take that for the key.
    #[serde(
        default,
        alias = "mx-host-pattern",
        deserialize_with = "lenient::texts"
    )]
    mx_host: Vec<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case", expecting = "the numbers of sessions")]
struct ReadSummary {
    #[serde(default, deserialize_with = "lenient::count")]
    total_successful_session_count: u64,
    #[serde(default, deserialize_with = "lenient::count")]
    total_failure_session_count: u64,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case", expecting = "a failure")]
struct ReadFailure {
    result_type: DocumentResult,
    sending_mta_ip: Option<String>,
    receiving_mx_hostname: Option<String>,
    receiving_mx_helo: Option<String>,
    receiving_ip: Option<String>,
    #[serde(default, deserialize_with = "lenient::count")]
    failed_session_count: u64,
    additional_information: Option<String>,
    failure_reason_code: Option<String>,
}

impl From<ReadSection> for PolicySection {
    fn from(read: ReadSection) -> Self {
        Self {
            policy: AppliedPolicy {
                kind: read.policy.policy_type,
                strings: read.policy.policy_string,
                domain: read.policy.policy_domain,
                mx_hosts: read.policy.mx_host,
            },
            successful: read.summary.total_successful_session_count,
            failed: read.summary.total_failure_session_count,
            failures: read
                .failure_details
                .into_iter()
                .map(FailureSection::from)
                .collect(),
        }
    }
}

impl From<ReadFailure> for FailureSection {
    fn from(read: ReadFailure) -> Self {
        Self {
            result: read.result_type,
            sending_ip: read.sending_mta_ip,
            mx_host: read.receiving_mx_hostname,
            helo: read.receiving_mx_helo,
            receiving_ip: read.receiving_ip,
            count: read.failed_session_count,
            additional: read.additional_information,
            reason: read.failure_reason_code,
        }
    }
}

fn blame(why: &serde_json::Error) -> DocumentError {
    let (line, column) = (why.line(), why.column());
    match why.classify() {
        Category::Eof => DocumentError::CutShort,
        Category::Syntax | Category::Io => DocumentError::NotJson { line, column },
        Category::Data => {
            let words = why.to_string();
            // serde_json says the place once more, at the end.
            let place = format!(" at line {line} column {column}");
            let words = words.strip_suffix(&place).unwrap_or(&words);
            DocumentError::Schema {
                line,
                column,
                what: cut(words),
            }
        }
    }
}

/// Cuts a text that may quote the document.
fn cut(text: &str) -> String {
    const LIMIT: usize = 200;
    let mut end = text.len().min(LIMIT);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.get(..end).unwrap_or_default().to_owned()
}
