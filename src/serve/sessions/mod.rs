//! Reports of TLS sessions, from wherever the mail server makes them, judged.

mod judge;

pub use self::judge::{Case, JudgeOptions, Judgement, SessionJudge};
