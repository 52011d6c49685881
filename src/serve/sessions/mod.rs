//! Reports of TLS sessions, from wherever the mail server makes them, judged.
//!
//! * `socket`: session JSON, a verdict for each line.
//! * `tlsrpt`: datagrams of libtlsrpt.
//! * `mail_log`: the log of Postfix.
//! * `judge`: what was owed, and whether it was kept; `handshakes`: what resumed sessions inherit;
//!   `intake`: the one way of all reports.

mod handshakes;
mod intake;
mod judge;
mod mail_log;
mod open;
pub(super) mod socket;
pub(super) mod tlsrpt;

pub use self::intake::Intake;
pub use self::judge::{Carries, Case, JudgeOptions, Judgement, SessionJudge};
pub use self::open::{judge_options, open};
