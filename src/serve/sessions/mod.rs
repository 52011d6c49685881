//! Reports of TLS sessions, from wherever the mail server makes them, judged.
//!
//! * `socket`: session JSON, a verdict for each line.
//! * `tlsrpt`: datagrams of libtlsrpt.
//! * `judge`: what was owed, and whether it was kept; `intake`: the one way of all reports.

mod intake;
mod judge;
pub(super) mod socket;
pub(super) mod tlsrpt;

pub use self::intake::Intake;
pub use self::judge::{Case, JudgeOptions, Judgement, SessionJudge};
