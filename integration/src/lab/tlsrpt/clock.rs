//! A clock set by hand: hoplock's wall clock is libfaketime's, which reads a file before each answer. What
//! hoplock does by the clock that never jumps (pauses between rounds, time limits) goes on as always, and
//! the product has no part for tests in it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

/// Whoever is under it has the same time.
pub(super) struct HandClock {
    file: PathBuf,
    ahead: AtomicI64,
    /// The day that is simulated first, counted from 1970.
    pub(super) first_day: i64,
}

impl HandClock {
    /// A clock that stands at the beginning of tomorrow, so that it never goes back.
    pub(super) fn new(file: PathBuf) -> Self {
        assert!(
            Path::new(LIBRARY).exists(),
            "the lab needs libfaketime and {LIBRARY} is missing"
        );
        let clock = Self {
            file,
            ahead: AtomicI64::new(0),
            first_day: machine() / DAY + 1,
        };
        clock.set(0, 0, 0);
        clock
    }

    /// Puts it to this time of a simulated day.
    pub(super) fn set(&self, day: i64, hour: i64, minute: i64) {
        self.put((self.first_day + day) * DAY + hour * HOUR + minute * MINUTE);
    }

    /// Puts it to this second of 1970's count.
    pub(super) fn put(&self, time: i64) {
        let ahead = time - machine();
        // Never half a file.
        let next = self.file.with_extension("next");
        fs::write(&next, format!("+{ahead}\n")).unwrap();
        fs::rename(&next, &self.file).unwrap();
        self.ahead.store(ahead, Ordering::Relaxed);
    }

    /// What it shows, in seconds.
    pub(super) fn now(&self) -> i64 {
        machine() + self.ahead.load(Ordering::Relaxed)
    }

    /// The second at which this simulated day begins.
    pub(super) fn midnight(&self, day: i64) -> i64 {
        (self.first_day + day) * DAY
    }

    /// A simulated day as reports have it: `2026-11-26`.
    pub(super) fn name(&self, day: i64) -> String {
        let at = format!("@{}", self.midnight(day));
        let mut date = Command::new("date");
        let date = date.args(["-u", "-d", &at, "+%F"]).output().unwrap();
        String::from_utf8(date.stdout).unwrap().trim().to_owned()
    }

    /// Has a program live by it.
    pub(super) fn rules<'a>(&self, command: &'a mut Command) -> &'a mut Command {
        command
            .env("LD_PRELOAD", LIBRARY)
            .env("FAKETIME_TIMESTAMP_FILE", &self.file)
            .env("FAKETIME_NO_CACHE", "1")
            .env("DONT_FAKE_MONOTONIC", "1")
    }
}

fn machine() -> i64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    i64::try_from(now.as_secs()).unwrap()
}

pub(super) const MINUTE: i64 = 60;
pub(super) const HOUR: i64 = 3_600;
pub(super) const DAY: i64 = 86_400;

/// Where Debian has it; the lab runs on amd64. The other one, without MT, gives a thread the machine's own time
/// now and then, while another thread reads the file.
const LIBRARY: &str = "/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1";
