//! Actions as Postfix was seen to take them.

use super::*;
use crate::header_field::HeaderField;
use crate::refusal::{EnhancedStatus, Refusal, WORDS_LIMIT, Words};

/// access(5), each as Postfix 3.7.11 was seen to take it.
#[test]
fn actions_are_exact() {
    let status = EnhancedStatus::new(7, 5).unwrap();
    let words = || Words::new("sts: words");
    for (action, text) in [
        (Action::Dunno, "DUNNO"),
        (Action::Defer(status, words()), "DEFER 4.7.5 sts: words"),
        (
            Action::DeferIfPermit(status, words()),
            "DEFER_IF_PERMIT 4.7.5 sts: words",
        ),
        (
            Action::Reject(Refusal::new(550, status, "one\ntwo").unwrap()),
            "550 5.7.5 one two",
        ),
        (
            Action::Prepend(HeaderField::new("X-A", "b").unwrap()),
            "PREPEND X-A: b",
        ),
        (
            Action::Filter(Filter::parse("smtp:[192.0.2.1]:25").unwrap()),
            "FILTER smtp:[192.0.2.1]:25",
        ),
        (
            Action::Filter(Filter::parse("slow:").unwrap()),
            "FILTER slow:",
        ),
        (Action::Hold(words()), "HOLD sts: words"),
        (Action::Warn(words()), "WARN sts: words"),
    ] {
        let bytes = action.encode();
        assert_eq!(bytes, format!("action={text}\n\n").as_bytes());
        assert!(text.starts_with(action.word()) || action.word() == "REJECT");
    }
    for text in ["", "smtp", ":x", "a b:c", "a:b c", "a:b\nc", "ü:x"] {
        assert_eq!(Filter::parse(text), Err(UnfitFilter::Syntax), "{text:?}");
    }
    let long = format!("a:{}", "b".repeat(FILTER_LIMIT));
    assert_eq!(Filter::parse(&long), Err(UnfitFilter::TooLong));
}

/// An answer is one attribute and a blank line, whatever somebody else wrote into its words.
#[test]
fn nobody_adds_an_attribute() {
    let evil = "x\naction=DUNNO\n\naction=DUNNO\r\n\0\u{85}";
    let status = EnhancedStatus::new(999, 999).unwrap();
    let long = "ü".repeat(5000);
    for text in [evil, "", " \n ", &long] {
        for action in [
            Action::Defer(status, Words::new(text)),
            Action::DeferIfPermit(status, Words::new(text)),
            Action::Reject(Refusal::new(550, status, text).unwrap()),
            Action::Hold(Words::new(text)),
            Action::Warn(Words::new(text)),
        ] {
            let bytes = String::from_utf8(action.encode()).unwrap();
            let line = bytes.strip_suffix("\n\n").unwrap();
            assert!(!line.chars().any(char::is_control), "{line:?}");
            assert!(line.len() <= LINE_LIMIT && line.len() < 10 * WORDS_LIMIT);
            // A status alone makes Postfix 3.7 read beyond its end.
            assert!(line.split(' ').count() >= 2, "{line:?}");
        }
        assert!(HeaderField::new("X", evil).is_err());
    }
}
