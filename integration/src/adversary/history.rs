//! What came of a run: every answer, and what the service was seen to remember.

use hoplock_policy::verify::SessionOutcome;

use super::plan::Millis;

/// Everything that is judged afterwards.
#[derive(Debug, Default)]
pub struct History {
    /// The answers, as they left.
    pub answers: Vec<Asked>,
    /// The verdicts on sessions.
    pub sessions: Vec<Judged>,
    /// What was durable, and since when.
    pub memory: Vec<Remembered>,
    /// MX sets as the name server that Postfix shares with the service kept them: the domain, since
    /// when, and until when.
    pub kept: Vec<(String, Millis, Millis)>,
    /// When each process began.
    pub begun: Vec<Millis>,
    /// When usable TLSA records were noted at a next hop (true), or noted to be proved gone (false).
    pub seen_with_dane: Vec<(Millis, String, bool)>,
}

/// One answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asked {
    /// The event of the plan that asked.
    pub event: usize,
    /// What Postfix asked.
    pub key: String,
    /// When.
    pub asked: Millis,
    /// When the answer left.
    pub answered: Millis,
    /// What Postfix was told.
    pub reply: String,
    /// The file of trust anchors that this names, as it stood there when the answer left.
    pub anchors: Option<String>,
    /// The row of the law, for people.
    pub row: &'static str,
    /// The reason, for people.
    pub reason: &'static str,
}

/// The verdict on one session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Judged {
    /// The event of the plan that reported it.
    pub event: usize,
    /// When the report came.
    pub reported: Millis,
    /// When the verdict was there.
    pub judged: Millis,
    /// What it says.
    pub outcome: SessionOutcome,
    /// Why.
    pub reason: &'static str,
    /// For people.
    pub detail: String,
    /// It rests on the mail server's word.
    pub by_word: bool,
    /// The report does not name the host.
    pub without_host: bool,
    /// It rests on lookups that were made for it.
    pub second_look: bool,
}

/// A policy that was made durable, or forgotten.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Remembered {
    /// Since when.
    pub at: Millis,
    /// Whose.
    pub domain: String,
    /// Its text, its id, and when its fetch began; none: forgotten.
    pub policy: Option<(String, String, Millis)>,
}
