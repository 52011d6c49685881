//! A destination's policy in a few words, for configurations that look it up: the same in the answer to
//! `policy=` of Exim's readsocket, and in the TXT records of the DNS answers.

use hoplock_policy::render::exim::{self, Level};

use crate::answer::Answered;

/// The words: the level first, alone; then `verdict=`, `reason=`, `row=`, and for each host what it owes,
/// as `DUTY=HOST`.
///
/// # Errors
/// `reason: words` where mail must wait: then there is no policy to be told.
pub(super) fn policy_words(answered: &Answered) -> Result<Vec<String>, String> {
    let verdict = &answered.verdict;
    let level = match exim::level(verdict) {
        Level::Enforce => "enforce",
        Level::May => "may",
        Level::Defer(text) => return Err(text),
    };
    let mut words = vec![
        level.to_owned(),
        format!("verdict={}", verdict.answer.word()),
        format!("reason={}", verdict.reason),
        format!("row={}", verdict.row.id()),
    ];
    let hosts = answered
        .findings
        .iter()
        .flat_map(|findings| &findings.hosts);
    let hosts: Vec<_> = hosts.collect();
    let judged = verdict.hosts.iter().take(MOST_HOSTS);
    words.extend(judged.filter_map(|judged| {
        let host = hosts.get(judged.index)?;
        Some(format!("{}={}", judged.duty.word(), host.host))
    }));
    Ok(words)
}

/// More are not told: the level already counts them.
const MOST_HOSTS: usize = 20;
