//! What is judged, by what options, and what comes of it.

use std::sync::Arc;

use hoplock_policy::moment::Timestamp;
use hoplock_policy::tlsa::TlsaOptions;
use hoplock_policy::verify::{MtaWord, Session, SessionVerdict, VerifyOptions};

use crate::answer::Answered;
use crate::report::reported::Evidence;

/// What the configuration says of judging.
#[derive(Clone, Debug, Default)]
pub struct JudgeOptions {
    /// How certificates are judged.
    pub verify: VerifyOptions,
    /// Which records are usable.
    pub tlsa: TlsaOptions,
}

/// A session to be judged.
#[derive(Clone, Debug)]
pub struct Case {
    /// What happened.
    pub session: Session,
    /// When.
    pub time: Timestamp,
    /// What the reporter knew of the policy.
    pub evidence: Evidence,
    /// What the mail server makes of it.
    pub word: MtaWord,
    /// What it carried.
    pub carries: Carries,
}

/// What a session carried.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Carries {
    /// Mail: it counts for TLS reports.
    #[default]
    Mail,
    /// A TLS report of ours: it is judged, and does not count (RP-13).
    Report,
    /// Mail, over a session that was counted when it was told of first (RP-16).
    Counted,
}

/// A verdict, and how it came about.
#[derive(Clone, Debug)]
pub struct Judgement {
    /// The verdict.
    pub verdict: SessionVerdict,
    /// It rests on lookups that were made for it.
    pub second_look: bool,
    /// What it was judged by, where that is known.
    pub answered: Option<Arc<Answered>>,
}
