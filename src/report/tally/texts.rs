//! What hosts and zones say of themselves, made short and safe: it goes to third parties.

/// A text of at most [`LONGEST`] characters, without control characters; `None` where nothing is left.
pub(super) fn short(text: &str) -> Option<String> {
    let safe = text.replace(char::is_control, " ");
    let safe: String = safe.trim().chars().take(LONGEST).collect();
    (!safe.is_empty()).then_some(safe)
}

/// The name in an answer to EHLO: Postfix hands over all of its lines, and RFC 8460, 4.4 asks for the
/// string by which the host introduced itself.
pub(super) fn helo(answer: &str) -> Option<String> {
    let first = answer.lines().next()?;
    let behind_code = match first.get(..4) {
        Some("250-" | "250 ") => first.get(4..).unwrap_or_default(),
        _ => first,
    };
    short(behind_code.split_ascii_whitespace().next()?)
}

/// Longer ones help nobody to find a fault.
const LONGEST: usize = 256;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_hosts() {
        for (answer, expected) in [
            ("250-mx.a.test\r\n250 STARTTLS", Some("mx.a.test")),
            ("250 mx.a.test Hello", Some("mx.a.test")),
            ("mx.a.test", Some("mx.a.test")),
            ("250-\u{7}x\r\n", Some("x")),
            ("", None),
            ("250-", None),
        ] {
            assert_eq!(helo(answer).as_deref(), expected, "{answer:?}");
        }
        assert_eq!(
            short(&"ü".repeat(300)).map(|text| text.chars().count()),
            Some(256)
        );
    }
}
