//! What a run can break.

use super::history::{Asked, Judged};
use super::plan::Key;
use super::session::happened::Happened;

/// A promise that was broken.
#[derive(Clone, Debug, PartialEq)]
pub struct Violation {
    /// Which.
    pub kind: Breach,
    /// By what.
    pub about: About,
    /// What was asked about.
    pub key: Key,
    /// In words.
    pub words: String,
}

/// What broke a promise.
#[derive(Clone, Debug, PartialEq)]
pub enum About {
    /// An answer.
    Answer(Asked),
    /// The verdict on a session, and what had happened in it.
    Session(Judged, Happened),
}

impl About {
    /// The event of the plan that it comes from.
    #[must_use]
    pub fn event(&self) -> usize {
        match self {
            Self::Answer(asked) => asked.event,
            Self::Session(judged, _) => judged.event,
        }
    }
}

/// The promises.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Breach {
    /// A delivery weaker than what the destination has proved, or what is remembered of it.
    Weaker,
    /// A refusal, or a detour, where nothing was attacked and nothing is broken; or still, after an
    /// attack has ended for longer than anything is kept.
    Stranded,
    /// Words that make Postfix fail or bounce.
    Unreadable,
    /// The operator has ordered something else, whatever is published.
    Disobeyed,
    /// In calm, another answer than the law permits, or one with something in it that does not belong
    /// there, or without something that does.
    Another,
    /// A session below the mail server's own level.
    BelowFloor,
    /// A session that is called authenticated, and was not with the right host, or not under a duty that
    /// permits that.
    FalselyAuthenticated,
    /// A session below its duty that is called encrypted, or in the clear, as if no more had been owed.
    Unalarmed,
    /// In calm, an alarm for a session that kept its duty.
    FalseAlarm,
    /// In calm, no verdict on such a session, though everything was reported.
    Undecided,
}
