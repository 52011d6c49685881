//! What is answered to a report: a verdict, or why there is none.

use serde::Serialize;

/// A verdict on one session, as the words of those who judge; see the project's verdict JSON.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct VerdictLine<'a> {
    /// `authenticated-dane`, `failed`, and so on (SV-02).
    pub verdict: &'a str,
    /// The reason's one word.
    pub reason: &'a str,
    /// What matched; `null` where nothing did.
    pub matched: Option<MatchedLine<'a>>,
    /// Worth a word, and no failure.
    pub warnings: Vec<&'a str>,
    /// One for each policy, where more than one applies (SV-08); left out where empty.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub results: Vec<ResultLine<'a>>,
    /// For people; left out where there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detail: Option<&'a str>,
    /// The report's own; left out where it had none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<&'a str>,
}

impl VerdictLine<'_> {
    /// Appends the verdict to `out` as one line with its LF.
    ///
    /// ```
    /// use hoplock_wire::session::{MatchedLine, VerdictLine};
    ///
    /// let line = VerdictLine {
    ///     verdict: "authenticated-dane",
    ///     reason: "tlsa-match",
    ///     matched: Some(MatchedLine::Tlsa { tlsa: "3 1 1 abcd", depth: 0 }),
    ///     warnings: vec!["sni-missing"],
    ///     ..VerdictLine::default()
    /// };
    /// let mut out = Vec::new();
    /// line.encode(&mut out);
    /// let expected = concat!(
    ///     r#"{"verdict":"authenticated-dane","reason":"tlsa-match","#,
    ///     r#""matched":{"tlsa":"3 1 1 abcd","depth":0},"warnings":["sni-missing"]}"#,
    ///     "\n",
    /// );
    /// assert_eq!(String::from_utf8(out)?, expected);
    /// # Ok::<(), std::string::FromUtf8Error>(())
    /// ```
    pub fn encode(&self, out: &mut Vec<u8>) {
        write(self, out);
    }
}

/// What matched.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum MatchedLine<'a> {
    /// A TLSA record.
    Tlsa {
        /// Its presentation format (RFC 6698, 2.2).
        tlsa: &'a str,
        /// The depth of the certificate that it matched; 0 is the leaf.
        depth: usize,
    },
    /// A pin of the operator.
    Pin {
        /// As it is written.
        pin: &'a str,
    },
    /// A name of the certificate, under web PKI.
    Name {
        /// The name.
        name: &'a str,
    },
}

/// The result under one policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct ResultLine<'a> {
    /// `tlsa`, `sts` or `pins`.
    pub policy: &'a str,
    /// What the session comes to under it alone.
    pub verdict: &'a str,
    /// The reason's one word.
    pub reason: &'a str,
    /// For people; left out where there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detail: Option<&'a str>,
}

/// Why there is no verdict.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct ErrorLine<'a> {
    /// What is wrong, in words.
    pub error: &'a str,
    /// The number of the line, from 1.
    pub line: u64,
}

impl ErrorLine<'_> {
    /// Appends the error to `out` as one line with its LF.
    ///
    /// ```
    /// use hoplock_wire::session::ErrorLine;
    ///
    /// let mut out = Vec::new();
    /// ErrorLine { error: "the JSON is cut short", line: 7 }.encode(&mut out);
    /// assert_eq!(out, b"{\"error\":\"the JSON is cut short\",\"line\":7}\n");
    /// ```
    pub fn encode(&self, out: &mut Vec<u8>) {
        write(self, out);
    }
}

/// Appends one line of JSON. An LF inside a text is escaped, so that it stays one.
pub(super) fn write(line: &impl Serialize, out: &mut Vec<u8>) {
    let start = out.len();
    if serde_json::to_writer(&mut *out, line).is_err() {
        // Texts, numbers and lists always have a JSON form, and memory takes all; should that change,
        // the reader still gets one line for its line.
        out.truncate(start);
        out.extend_from_slice(b"{\"error\":\"internal-error\"}");
    }
    out.push(b'\n');
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use proptest::prelude::{prop_assert_eq, proptest};
    use serde_json::{Value, json};

    use super::{ErrorLine, MatchedLine, ResultLine, VerdictLine};

    fn encoded(line: &VerdictLine<'_>) -> String {
        let mut out = Vec::new();
        line.encode(&mut out);
        String::from_utf8(out).unwrap()
    }

    /// SV-02: verdict, reason and match always stand there; the rest where there is some.
    #[test]
    fn a_short_verdict() {
        let line = VerdictLine {
            verdict: "indeterminate",
            reason: "chain-missing",
            ..VerdictLine::default()
        };
        let expected =
            r#"{"verdict":"indeterminate","reason":"chain-missing","matched":null,"warnings":[]}"#;
        assert_eq!(encoded(&line), format!("{expected}\n"));
    }

    /// SV-08: the results of both policies stand beside the verdict.
    #[test]
    fn a_long_verdict() {
        let result = |policy, verdict, detail| ResultLine {
            policy,
            verdict,
            reason: "tlsa-match",
            detail,
        };
        let line = VerdictLine {
            verdict: "authenticated-dane",
            reason: "tlsa-match",
            matched: Some(MatchedLine::Tlsa {
                tlsa: "2 1 1 abcd",
                depth: 1,
            }),
            warnings: vec!["sni-missing", "reused"],
            results: vec![
                result("tlsa", "authenticated-dane", None),
                result("sts", "failed", Some("expired")),
            ],
            detail: Some("the \"2 1 1\" record"),
            id: Some("7"),
        };
        let expected = json!({
            "verdict": "authenticated-dane", "reason": "tlsa-match",
            "matched": {"tlsa": "2 1 1 abcd", "depth": 1},
            "warnings": ["sni-missing", "reused"],
            "results": [
                {"policy": "tlsa", "verdict": "authenticated-dane", "reason": "tlsa-match"},
                {"policy": "sts", "verdict": "failed", "reason": "tlsa-match", "detail": "expired"},
            ],
            "detail": "the \"2 1 1\" record", "id": "7",
        });
        let read: Value = serde_json::from_str(&encoded(&line)).unwrap();
        assert_eq!(read, expected);
    }

    /// SV-02: each kind of match has its own keys.
    #[test]
    fn matches_differ_by_their_keys() {
        for (matched, expected) in [
            (MatchedLine::Pin { pin: "AB:CD" }, json!({"pin": "AB:CD"})),
            (
                MatchedLine::Name { name: "mx.test" },
                json!({"name": "mx.test"}),
            ),
        ] {
            let line = VerdictLine {
                matched: Some(matched),
                ..VerdictLine::default()
            };
            let read: Value = serde_json::from_str(&encoded(&line)).unwrap();
            assert_eq!(read["matched"], expected);
        }
    }

    proptest! {
        /// SV-11: whatever the words are, an answer is one line of JSON.
        #[test]
        fn an_answer_is_one_line(words in "(?s).{0,32}", number in 0_u64..) {
            let mut out = b"before\n".to_vec();
            ErrorLine { error: &words, line: number }.encode(&mut out);
            VerdictLine { detail: Some(&words), id: Some(&words), ..VerdictLine::default() }
                .encode(&mut out);
            let lines: Vec<_> = out.split_inclusive(|byte| *byte == b'\n').collect();
            prop_assert_eq!(lines.len(), 3);
            let error: Value = serde_json::from_slice(lines[1]).unwrap();
            prop_assert_eq!(error, json!({"error": words, "line": number}));
            let verdict: Value = serde_json::from_slice(lines[2]).unwrap();
            prop_assert_eq!(&verdict["detail"], &json!(words));
        }
    }
}
