//! TLS reporting (RFC 8460): for whom, which day, to where.
//!
//! * [`read_records`]: whether a domain wants reports, and where.
//! * [`Day`]: what a report covers.
//! * [`ReportTarget`]: where it goes.
//!
//! Not done here: the report's JSON and the datagrams of mail servers (hoplock-wire).

mod day;
mod record;
mod target;

pub use self::day::Day;
pub use self::record::{
    MalformedTlsrptRecord, TARGETS, TlsrptRecord, TlsrptRecordFinding, read_records, read_text,
};
pub use self::target::ReportTarget;
