//! Values as they are written in TOML 1.0, each on one line.

use std::fmt::{Display, Write as _};
use std::time::Duration;

use hoplock_policy::moment::Timestamp;

/// A basic string.
pub(super) fn quoted(text: &str) -> String {
    let mut literal = String::from('"');
    for letter in text.chars() {
        match letter {
            '"' | '\\' => literal.extend(['\\', letter]),
            letter if letter.is_control() => {
                let _ = write!(literal, "\\u{:04X}", u32::from(letter));
            }
            letter => literal.push(letter),
        }
    }
    literal.push('"');
    literal
}

/// A text that may be absent: the empty string stands for that.
pub(super) fn optional(value: Option<impl Display>) -> String {
    quoted(&value.map_or_else(String::new, |value| value.to_string()))
}

/// An array of strings.
pub(super) fn list<T: Display>(items: impl IntoIterator<Item = T>) -> String {
    let items: Vec<String> = items
        .into_iter()
        .map(|item| quoted(&item.to_string()))
        .collect();
    format!("[{}]", items.join(", "))
}

/// A duration in the largest unit that needs no fraction; one minute is better known as 60 seconds.
pub(super) fn duration(value: Duration) -> String {
    let seconds = value.as_secs();
    let fits = |length: u64| seconds > 60 && seconds.is_multiple_of(length);
    let (unit, length) = UNITS
        .iter()
        .rev()
        .find(|(_, length)| fits(*length))
        .unwrap_or(&("s", 1));
    quoted(&format!("{}{unit}", seconds / length))
}

/// A point in time, RFC 3339.
pub(super) fn time(value: Timestamp) -> String {
    let millis = i64::try_from(value.0).unwrap_or(i64::MAX);
    jiff::Timestamp::from_millisecond(millis)
        .unwrap_or(jiff::Timestamp::MAX)
        .to_string()
}

/// Units of durations and their seconds, shortest first.
pub(super) const UNITS: [(&str, u64); 4] = [("s", 1), ("m", 60), ("h", 3600), ("d", 86_400)];
