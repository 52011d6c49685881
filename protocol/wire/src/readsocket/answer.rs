//! Answers, as the daemon writes them.

/// One answer. Whatever cannot leave as it stands leaves as `defer`, which no configuration hopes for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// Some host of the destination owes more than nothing.
    Enforce,
    /// No host owes anything.
    May,
    /// Go on.
    Ok,
    /// Do not go on with this host. Make it with [`Answer::refuse`].
    Refuse {
        /// The stable word.
        reason: String,
        /// For people.
        words: String,
    },
    /// Wait and ask again. Make it with [`Answer::defer`].
    Defer {
        /// The stable word.
        reason: String,
        /// For people.
        words: String,
    },
    /// This text.
    Value(String),
    /// The records of a DNS lookup, each with its fields joined, in the form of Exim's `dnsdb`.
    Records {
        /// At least one, or the answer leaves as [`Answer::None`].
        records: Vec<String>,
        /// Between two of them. Exim's own default is a line feed, and here alone does one leave.
        separator: char,
    },
    /// There is no such thing.
    None,
}

impl Answer {
    /// `refuse REASON: words`.
    #[must_use]
    pub fn refuse(reason: &str, words: &str) -> Self {
        Self::Refuse {
            reason: reason.to_owned(),
            words: words.to_owned(),
        }
    }

    /// `defer REASON: words`.
    #[must_use]
    pub fn defer(reason: &str, words: &str) -> Self {
        Self::Defer {
            reason: reason.to_owned(),
            words: words.to_owned(),
        }
    }

    /// The first word, for logs and metrics.
    #[must_use]
    pub fn word(&self) -> &'static str {
        match self {
            Self::Enforce => "enforce",
            Self::May => "may",
            Self::Ok => "ok",
            Self::Refuse { .. } => "refuse",
            Self::Defer { .. } => "defer",
            Self::Value(_) | Self::Records { .. } => "value",
            Self::None => "none",
        }
    }

    /// The bytes that leave: one line without an ending, whatever the texts hold.
    ///
    /// Control characters leave as `?`: a name or a record that somebody else wrote adds no line and
    /// no second answer. The text of a refusal is printable ASCII and short; a value is never cut, but
    /// leaves as `defer` where it is longer than [`ANSWER_LIMIT`].
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let text = match self {
            Self::Enforce | Self::May | Self::Ok | Self::None => self.word().to_owned(),
            Self::Refuse { reason, words } | Self::Defer { reason, words } => {
                format!("{} {}: {}", self.word(), reason_word(reason), brief(words))
            }
            Self::Value(text) => format!("value {}", tame(text)),
            Self::Records { records, .. } if records.is_empty() => "none".to_owned(),
            Self::Records { records, separator } => {
                let records: Vec<String> = records.iter().map(|record| tame(record)).collect();
                let mut between = [0; 4];
                format!(
                    "value {}",
                    records.join(separator.encode_utf8(&mut between))
                )
            }
        };
        if text.len() > ANSWER_LIMIT {
            let words = "the answer is longer than any configuration reads";
            return format!("defer reply-too-long: {words}").into_bytes();
        }
        text.into_bytes()
    }
}

/// A reason is a word: nothing in it may look like the end of it.
fn reason_word(reason: &str) -> String {
    let is_plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    if reason.is_empty() || reason.len() > REASON_LIMIT || !reason.bytes().all(is_plain) {
        return "internal-error".to_owned();
    }
    reason.to_owned()
}

/// Words for a log, in printable ASCII.
fn brief(words: &str) -> String {
    let plain = |c: char| if matches!(c, ' '..='~') { c } else { '?' };
    let mut text: String = words.chars().take(WORDS_LIMIT + 1).map(plain).collect();
    if text.trim().is_empty() {
        return "no more is known".to_owned();
    }
    if text.len() > WORDS_LIMIT {
        text.truncate(WORDS_LIMIT - "...".len());
        text.push_str("...");
    }
    text
}

/// Text of somebody else's, without what could end a line or move a cursor.
fn tame(text: &str) -> String {
    let tame = |c: char| if c.is_control() { '?' } else { c };
    text.chars().map(tame).collect()
}

/// The longest answer that leaves, in bytes. Exim has no bound of its own; what is longer is no answer
/// that anything can be done with.
pub const ANSWER_LIMIT: usize = 64 * 1024;
/// The longest reason; all of ours are far shorter.
const REASON_LIMIT: usize = 40;
/// Words for people: Exim writes them into its log and into the delay's text.
const WORDS_LIMIT: usize = 300;

#[cfg(test)]
mod tests {
    use super::*;

    /// EX-01: the words are exact, without a line feed behind them: a configuration compares the whole.
    #[test]
    fn answers_are_exact() {
        let records = |records: &[&str], separator| Answer::Records {
            records: records.iter().map(|own| (*own).to_owned()).collect(),
            separator,
        };
        for (answer, bytes) in [
            (Answer::Enforce, "enforce"),
            (Answer::May, "may"),
            (Answer::Ok, "ok"),
            (Answer::None, "none"),
            (
                Answer::refuse("tlsa-no-match", "it is another key"),
                "refuse tlsa-no-match: it is another key",
            ),
            (Answer::refuse("busy", ""), "refuse busy: no more is known"),
            (Answer::defer("deadline", "later"), "defer deadline: later"),
            (Answer::Value("yes".to_owned()), "value yes"),
            (Answer::Value(String::new()), "value "),
            (
                records(&["10 a.test", "20 b.test"], '\n'),
                "value 10 a.test\n20 b.test",
            ),
            (
                records(&["3;1;1;ab", "2;0;1;cd"], '|'),
                "value 3;1;1;ab|2;0;1;cd",
            ),
            (records(&["a", "b"], 'ü'), "value aüb"),
            (records(&[], '\n'), "none"),
        ] {
            assert_eq!(answer.encode(), bytes.as_bytes(), "{answer:?}");
            assert!(bytes.starts_with(answer.word()) || answer.word() == "value");
        }
    }

    /// EX-01, EX-02: nothing that somebody else wrote ends the line, or makes a word of its own.
    #[test]
    fn nobody_adds_a_line() {
        let evil = "x\nok\r\nmay\0\u{1b}[2J\u{85}";
        let record = Answer::Records {
            records: vec![evil.to_owned()],
            separator: '\n',
        };
        for answer in [
            Answer::refuse("busy", evil),
            Answer::defer("busy", evil),
            Answer::Value(evil.to_owned()),
            record,
        ] {
            let text = String::from_utf8(answer.encode()).unwrap_or_default();
            assert!(text.starts_with(answer.word()), "{text:?}");
            assert!(!text.chars().any(char::is_control), "{text:?}");
        }
        for reason in ["", "ok\nmay", "a b", "Busy", &"a".repeat(41)] {
            let bytes = Answer::refuse(reason, "words").encode();
            assert_eq!(bytes, b"refuse internal-error: words", "{reason:?}");
        }
        let long = "ü".repeat(4000);
        let refused = Answer::refuse("busy", &long).encode();
        assert!(refused.len() < 330 && refused.ends_with(b"?..."));
    }

    /// EX-01: a value is whole or it is a delay.
    #[test]
    fn values_are_never_cut() {
        let room = ANSWER_LIMIT - "value ".len();
        let whole = Answer::Value("a".repeat(room)).encode();
        assert_eq!(whole.len(), ANSWER_LIMIT);
        let long = Answer::Value("a".repeat(room + 1)).encode();
        assert!(long.starts_with(b"defer reply-too-long: "));
    }
}
