//! Times and lengths of time, as people say them.

use std::time::Duration;

use hoplock_policy::moment::Timestamp;
use hoplock_policy::render::explain::words::span;
use maud::{Markup, html};

use super::super::time;

/// A time, to the second.
pub(super) fn at(moment: Timestamp) -> Markup {
    let whole = time(moment);
    let shown: String = whole.chars().take(19).collect();
    html! { time datetime=(whole) { (shown.replace('T', " ")) } }
}

/// Hours and minutes of a time.
pub(super) fn clock(moment: Timestamp) -> String {
    time(moment).chars().skip(11).take(5).collect()
}

/// How long ago a time was, or how long it is until then.
pub(super) fn from_now(moment: Timestamp, now: Timestamp) -> String {
    match moment.0.checked_sub(now.0) {
        Some(ahead) => format!("in {}", span(Duration::from_millis(ahead))),
        None => format!("{} ago", span(Duration::from_millis(now.0 - moment.0))),
    }
}

/// A number and its noun.
pub(super) fn count(number: u64, one: &str, several: &str) -> String {
    if number == 1 {
        format!("1 {one}")
    } else {
        format!("{number} {several}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_as_people_say_them() {
        let (early, late) = (Timestamp(1_000), Timestamp(301_000));
        assert_eq!(from_now(late, early), "in 5 min");
        assert_eq!(from_now(early, late), "5 min ago");
        assert_eq!(clock(Timestamp(1_793_491_200_000)), "00:00");
        let shown = at(Timestamp(1_793_491_201_500)).into_string();
        assert!(shown.contains(">2026-11-01 00:00:01<"), "{shown}");
    }
}
