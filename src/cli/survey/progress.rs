//! A bar on standard error, where that is a terminal.

use std::io::{IsTerminal as _, Write as _};
use std::time::Duration;

use super::super::table::span;
use crate::adapters::clock::SystemClock;

/// How far it is.
pub(super) struct Progress {
    clock: SystemClock,
    is_shown: bool,
    /// When it was drawn last, by the clock.
    drawn: Option<Duration>,
    total: usize,
    /// Finished before this run.
    before: usize,
    done: usize,
}

impl Progress {
    pub(super) fn new(total: usize, before: usize) -> Self {
        Self {
            clock: SystemClock::new(),
            is_shown: std::io::stderr().is_terminal(),
            drawn: None,
            total,
            before,
            done: before,
        }
    }

    /// One more.
    pub(super) fn step(&mut self) {
        self.done += 1;
        let now = self.clock.running();
        let is_due = self
            .drawn
            .is_none_or(|drawn| now.saturating_sub(drawn) >= BETWEEN);
        if self.is_shown && is_due {
            self.drawn = Some(now);
            let line = bar(self.total, self.before, self.done, now);
            // A terminal that went away is no trouble of the survey.
            let _ = write!(std::io::stderr(), "\r{line:<WIDTH$}");
        }
    }

    /// Makes room for words.
    pub(super) fn clear(&mut self) {
        if self.is_shown && self.drawn.take().is_some() {
            let _ = write!(std::io::stderr(), "\r{:<WIDTH$}\r", "");
        }
    }
}

/// The line; time left by the pace of this run.
fn bar(total: usize, before: usize, done: usize, took: Duration) -> String {
    let share = |parts: usize| done.saturating_mul(parts) / total.max(1);
    let full = share(CELLS).min(CELLS);
    let cells = format!("{}{}", "#".repeat(full), ".".repeat(CELLS - full));
    let mut line = format!("[{cells}] {done} of {total}, {} %", share(100));
    let (here, left) = (done.saturating_sub(before), total.saturating_sub(done));
    // The first few say nothing of the others.
    if here >= TELLING {
        let seconds = took.as_secs_f64() / wide(here) * wide(left);
        let time = Duration::try_from_secs_f64(seconds).unwrap_or_default();
        line.push_str(&format!(", {} left", span(time.as_secs())));
    }
    line
}

fn wide(number: usize) -> f64 {
    u32::try_from(number).map_or(f64::MAX, f64::from)
}

/// Cells of the bar.
const CELLS: usize = 24;
/// Columns that are written over.
const WIDTH: usize = 78;
/// Answers that tell a pace.
const TELLING: usize = 20;
/// Four times a second is quick enough for eyes.
const BETWEEN: Duration = Duration::from_millis(250);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bars() {
        let at = Duration::from_secs;
        let empty = format!("[{}] 0 of 10, 0 %", ".".repeat(24));
        assert_eq!(bar(10, 0, 0, at(1)), empty);
        let half = format!(
            "[{}{}] 500 of 1000, 50 %, 200 s left",
            "#".repeat(12),
            ".".repeat(12)
        );
        let half = half.replace("200 s", "3 min");
        assert_eq!(bar(1000, 300, 500, at(80)), half);
        assert!(bar(0, 0, 0, at(0)).len() < WIDTH);
    }
}
