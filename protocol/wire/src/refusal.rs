//! What a client is told when a message or a recipient is refused: code, enhanced status and words.
//!
//! After RFC 5321, 4.2 and RFC 3463. The same value is written for a policy server and for a milter.
//! Postfix 3.7 makes an answer of what lies behind a bare code in its memory, and Sendmail 8.18 takes
//! an enhanced status that stands alone for words (both measured); so there are always words. Not
//! done here: which code is right.

use std::fmt;

use thiserror::Error;

/// One refusal, with a line or more of words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    code: u16,
    status: EnhancedStatus,
    lines: Vec<Words>,
}

/// The subject and the detail of an enhanced status code (RFC 3463, 2), such as the `7.10` of
/// `5.7.10`. The class is that of the reply it stands in, so that the two cannot differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EnhancedStatus {
    subject: u16,
    detail: u16,
}

/// One line for people: printable ASCII, not blank, of at most [`WORDS_LIMIT`] bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Words(String);

/// A code that cannot stand in a refusal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum UnfitRefusal {
    /// 421, on which Postfix and Sendmail end the whole session: it is no answer about one
    /// recipient. Use 450 or 451.
    #[error("421 ends the session")]
    EndsSession,
    /// Not from 400 to 559 (RFC 5321, 4.2), or its second digit is more than 5.
    #[error("{0} is no code of a refusal")]
    NoRefusal(u16),
}

impl Refusal {
    /// A refusal; each line feed in `words` begins another line.
    ///
    /// ```
    /// use hoplock_wire::refusal::{EnhancedStatus, Refusal};
    ///
    /// // RFC 8689, 4.2.1: REQUIRETLS that cannot be met.
    /// let status = EnhancedStatus::new(7, 30).ok_or("no status")?;
    /// let refusal = Refusal::new(550, status, "REQUIRETLS needed\nsee your administrator")?;
    /// assert_eq!(refusal.to_string(), "550 5.7.30 REQUIRETLS needed see your administrator");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`UnfitRefusal`] names the code that cannot refuse.
    pub fn new(code: u16, status: EnhancedStatus, words: &str) -> Result<Self, UnfitRefusal> {
        if code == 421 {
            return Err(UnfitRefusal::EndsSession);
        }
        // RFC 5321, 4.2: the first digit is 4 or 5 here, the second has a meaning up to 5.
        if !matches!(code, 400..=459 | 500..=559) {
            return Err(UnfitRefusal::NoRefusal(code));
        }
        let lines = words.lines().take(LINES_LIMIT).map(Words::new);
        let mut lines: Vec<Words> = lines.collect();
        if lines.is_empty() {
            lines.push(Words::new(""));
        }
        Ok(Self {
            code,
            status,
            lines,
        })
    }

    /// The reply code.
    #[must_use]
    pub fn code(&self) -> u16 {
        self.code
    }

    /// Whether the client may try again.
    #[must_use]
    pub fn is_temporary(&self) -> bool {
        self.code < 500
    }

    /// The enhanced status with its class, such as `5.7.10`.
    #[must_use]
    pub fn status(&self) -> String {
        // RFC 2034, 4: the class is the first digit of the code.
        let class = self.code / 100;
        format!("{class}.{}", self.status)
    }

    /// The lines, at least one.
    pub fn lines(&self) -> impl ExactSizeIterator<Item = &Words> {
        self.lines.iter()
    }
}

/// Code, status and all words in one line.
impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.code, self.status())?;
        self.lines.iter().try_for_each(|line| write!(f, " {line}"))
    }
}

impl EnhancedStatus {
    /// Subject and detail; `None` where one has more than three digits (RFC 3463, 2).
    #[must_use]
    pub fn new(subject: u16, detail: u16) -> Option<Self> {
        (subject < 1000 && detail < 1000).then_some(Self { subject, detail })
    }
}

impl fmt::Display for EnhancedStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.subject, self.detail)
    }
}

impl Words {
    /// The text as one line: what is not printable ASCII becomes `?`, what is too long is cut, and
    /// what is blank says so.
    #[must_use]
    pub fn new(text: &str) -> Self {
        let plain = |c: char| if matches!(c, ' '..='~') { c } else { '?' };
        let trimmed = text.trim();
        let mut words: String = trimmed.chars().take(WORDS_LIMIT + 1).map(plain).collect();
        if words.len() > WORDS_LIMIT {
            words.truncate(WORDS_LIMIT - "...".len());
            words.push_str("...");
        }
        if words.is_empty() {
            words.push_str("no more is known");
        }
        Self(words)
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Words {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The longest line of words, in bytes. RFC 5321, 4.5.3.1.5 gives a reply line 512; before the words
/// stand code and status, the recipient's address of up to 256, and, from Postfix, some words of its
/// own.
pub const WORDS_LIMIT: usize = 200;
/// The most lines of a refusal. libmilter takes 32 (`smfi_setmlreply`); nobody reads so many.
pub const LINES_LIMIT: usize = 8;

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use proptest::prelude::proptest;

    use super::*;

    fn status() -> EnhancedStatus {
        EnhancedStatus::new(7, 10).unwrap()
    }

    /// RFC 5321, 4.2 and RFC 3463, 2: codes that refuse, and the class that follows them.
    #[test]
    fn codes() {
        for (code, text) in [
            (400, "400 4.7.10 words"),
            (450, "450 4.7.10 words"),
            (459, "459 4.7.10 words"),
            (550, "550 5.7.10 words"),
            (554, "554 5.7.10 words"),
        ] {
            let refusal = Refusal::new(code, status(), "words").unwrap();
            assert_eq!(refusal.to_string(), text);
            assert_eq!(refusal.is_temporary(), code < 500);
        }
        for code in [
            0, 99, 200, 250, 354, 399, 460, 499, 560, 599, 600, 999, 5500,
        ] {
            let refused = Refusal::new(code, status(), "words");
            assert_eq!(refused, Err(UnfitRefusal::NoRefusal(code)));
        }
        let ends = Refusal::new(421, status(), "words");
        assert_eq!(ends, Err(UnfitRefusal::EndsSession));
        assert!(EnhancedStatus::new(999, 999).is_some());
        assert!(EnhancedStatus::new(1000, 0).is_none() && EnhancedStatus::new(0, 1000).is_none());
    }

    /// There are words, and nothing in them ends a line.
    #[test]
    fn words() {
        let long = "ü".repeat(500);
        for (text, words) in [
            ("fine", "fine"),
            (" spaces ", "spaces"),
            ("", "no more is known"),
            ("\r", "no more is known"),
            ("a\r\nQUIT\0\u{1b}[2Jü", "a??QUIT??[2J?"),
            (&long, &format!("{}...", "?".repeat(197))),
        ] {
            assert_eq!(Words::new(text).as_str(), words);
        }
        let two = Refusal::new(550, status(), "one\n\nthree\r\n").unwrap();
        let lines: Vec<&str> = two.lines().map(Words::as_str).collect();
        assert_eq!(lines, ["one", "no more is known", "three"]);
        let none = Refusal::new(550, status(), "").unwrap();
        assert_eq!(none.to_string(), "550 5.7.10 no more is known");
        let many = Refusal::new(550, status(), &"x\n".repeat(100)).unwrap();
        assert_eq!(many.lines().len(), LINES_LIMIT);
    }

    proptest! {
        /// Any text is a line.
        #[test]
        fn any_text(text in "(?s).{0,300}") {
            let words = Words::new(&text);
            let words = words.as_str();
            assert!(!words.trim().is_empty() && words.len() <= WORDS_LIMIT);
            assert!(words.bytes().all(|byte| matches!(byte, b' '..=b'~')));
        }
    }
}
