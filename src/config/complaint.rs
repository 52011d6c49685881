//! One complaint about a configuration: place, fault, cure.

use std::fmt;

/// What is wrong, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Complaint {
    /// Whether the daemon starts all the same.
    pub severity: Severity,
    /// The file, where it is not the main one.
    pub file: Option<String>,
    /// Line in the text, the first is 1.
    pub line: usize,
    /// Fault and cure.
    pub text: String,
}

/// How bad a complaint is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// The daemon does not start, and a reload is refused.
    Error,
    /// Told, and gone on.
    Warning,
}

impl fmt::Display for Complaint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let severity = match self.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
        };
        if let Some(file) = &self.file {
            write!(f, "{file}: ")?;
        }
        write!(f, "line {}: {severity}: {}", self.line, self.text)
    }
}

/// The known word that is nearest to a mistyped one, where it is near enough to be meant.
pub(super) fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let allowed = (word.len() / 3).max(2);
    known
        .into_iter()
        .map(|candidate| (distance(word, candidate), candidate))
        .filter(|(distance, _)| *distance <= allowed)
        .min()
        .map(|(_, candidate)| candidate)
}

/// How many letters must be put in, taken out or changed.
fn distance(left: &str, right: &str) -> usize {
    let right: Vec<char> = right.chars().collect();
    let mut row: Vec<usize> = (0..=right.len()).collect();
    for (at, letter) in left.chars().enumerate() {
        let mut next = vec![at + 1];
        for (index, other) in right.iter().enumerate() {
            let diagonal = row.get(index).copied().unwrap_or(usize::MAX);
            let above = row.get(index + 1).copied().unwrap_or(usize::MAX);
            let before = next.last().copied().unwrap_or(usize::MAX);
            let changed = diagonal.saturating_add(usize::from(letter != *other));
            next.push(
                changed
                    .min(above.saturating_add(1))
                    .min(before.saturating_add(1)),
            );
        }
        row = next;
    }
    row.last().copied().unwrap_or(usize::MAX)
}
