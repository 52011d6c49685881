//! The log of the mail server, as it is written: a file that may be rotated, or the journal of systemd.
//!
//! Lines come from now on; what was written before the start was judged before, or by hand
//! (`hoplock verify --postfix-log`). Not done here: reading lines (hoplock-wire).

mod file;
mod journal;

use std::path::PathBuf;

use tokio::sync::mpsc::{Receiver, channel};

/// One line, or one message with the fields that came beside it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LogEntry {
    /// A line of a file.
    Line(String),
    /// A message of the journal.
    Message {
        /// When it was logged, as RFC 3339 writes it.
        time: String,
        /// The machine.
        machine: String,
        /// The program, as in `postfix/smtp`.
        program: String,
        /// Its process id.
        pid: u32,
        /// The message.
        text: String,
    },
}

/// Follows a file; ends when the receiver is dropped.
#[must_use]
pub fn follow_file(path: PathBuf) -> Receiver<LogEntry> {
    let (sender, receiver) = channel(QUEUED);
    std::thread::spawn(move || file::follow(&path, &sender));
    receiver
}

/// Follows the journal; ends when the receiver is dropped.
#[must_use]
pub fn follow_journal() -> Receiver<LogEntry> {
    let (sender, receiver) = channel(QUEUED);
    tokio::spawn(journal::follow(sender));
    receiver
}

/// Lines read ahead of their judge: a few hundred kilobytes.
const QUEUED: usize = 1_000;
