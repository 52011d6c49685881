//! TLS reporting (RFC 8460): which day, to whom.
//!
//! * [`Day`]: what a report covers.
//! * [`ReportTarget`]: where it goes.
//!
//! Not done here: the report's JSON and the datagrams of mail servers (hoplock-wire).

mod day;
mod target;

pub use self::day::Day;
pub use self::target::ReportTarget;
