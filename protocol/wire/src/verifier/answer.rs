//! Answers of the map `verifier`.

use crate::socketmap::Reply;

/// What the map `verifier` is answered.
///
/// There is no "not found" among them, and no permanent error: Sendmail would take the one for the
/// ruleset's own default, the other for no requirement at all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// The session is what was owed: the mail may go.
    Ok,
    /// It is not: the mail waits, and these words stand in Sendmail's log.
    Refuse(String),
    /// Nobody knows, or not in time: the mail waits.
    Unavailable(String),
}

impl Answer {
    /// A refusal, by the word of its reason.
    #[must_use]
    pub fn refuse(reason: &str, words: &str) -> Self {
        Self::Refuse(text(reason, words))
    }

    /// No verdict, by the word of its reason.
    #[must_use]
    pub fn unavailable(reason: &str, words: &str) -> Self {
        Self::Unavailable(text(reason, words))
    }

    /// The word for logs and metrics.
    #[must_use]
    pub fn word(&self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Refuse(_) => "refuse",
            Self::Unavailable(_) => "temp",
        }
    }

    /// The reply that carries it. The ruleset lets mail go at the one word `ok`, and no refusal is that
    /// word: each has a colon.
    #[must_use]
    pub fn reply(&self) -> Reply {
        match self {
            Self::Ok => Reply::Ok("ok".to_owned()),
            Self::Refuse(text) => Reply::Ok(text.clone()),
            Self::Unavailable(text) => Reply::temp(text.clone()),
        }
    }
}

/// `REASON: words`, of characters that an address may have outside quotation marks, whatever comes.
fn text(reason: &str, words: &str) -> String {
    let (mut reason, words) = (plain(reason), plain(words));
    // The colon behind it must be left: without one a text could be the word `ok`.
    reason.truncate(REASON_LIMIT);
    let mut text = match reason.is_empty() {
        true => format!("refused: {words}"),
        false => format!("{reason}: {words}"),
    };
    // All of it is ASCII.
    text.truncate(TEXT_LIMIT);
    text.trim_end().to_owned()
}

fn plain(text: &str) -> String {
    let kept = text.chars().map(|c| match c {
        'a'..='z' | 'A'..='Z' | '0'..='9' | '.' | ':' | '-' | '_' | '/' | '=' | '+' => c,
        _ => ' ',
    });
    let kept: String = kept.collect();
    kept.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Reasons are words of a closed list, the longest of some thirty characters.
const REASON_LIMIT: usize = 64;
/// The words become a part of an SMTP reply in Sendmail's log and queue: a line is enough.
const TEXT_LIMIT: usize = 200;
