//! The file that an interrupted survey goes on from: a head, and a line for each finished destination.
#![allow(
    clippy::disallowed_methods,
    reason = "commands write the files that they are told of"
)]

use std::collections::HashMap;
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{BufRead as _, BufReader, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::answers::{Answer, Surveyed};

/// The file, open for more.
pub(super) struct Journal {
    file: File,
    name: String,
    /// Lines that are not on the disk for certain.
    loose: u32,
}

/// What the answers of the file belong to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Head {
    /// The form of the file.
    pub(super) survey: u32,
    pub(super) profiles: Vec<String>,
    pub(super) direct: bool,
}

/// What is finished, by destination.
pub(super) type Finished = HashMap<String, Vec<Answer>>;

impl Journal {
    /// Opens or makes the file, and reads what is finished. A last line that was cut off is taken out:
    /// its destination is asked again.
    pub(super) fn open(path: &Path, head: &Head) -> Result<(Self, Finished), String> {
        let name = path.display().to_string();
        let broken = |error: std::io::Error| format!("{name}: {error}");
        // It says where mail goes: for its owner alone.
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(path)
            .map_err(broken)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(format!("{name}: another survey is writing to it"));
            }
            Err(TryLockError::Error(error)) => return Err(broken(error)),
        }
        let mut journal = Self {
            file,
            name: name.clone(),
            loose: 0,
        };
        let (finished, good) = journal.read(head)?;
        journal.file.set_len(good).map_err(broken)?;
        journal.file.seek(SeekFrom::End(0)).map_err(broken)?;
        if good == 0 {
            journal.line(head)?;
            journal.sync()?;
        }
        Ok((journal, finished))
    }

    /// What is finished, and how many bytes of the file are whole lines.
    fn read(&self, head: &Head) -> Result<(Finished, u64), String> {
        let mut input = BufReader::new(&self.file);
        let (mut finished, mut good, mut number) = (Finished::new(), 0, 0_u64);
        let mut line = Vec::new();
        loop {
            line.clear();
            let read = input.read_until(b'\n', &mut line);
            let read = read.map_err(|error| format!("{}: {error}", self.name))?;
            let is_whole = line.last() == Some(&b'\n');
            // A head that was cut off is ours; anything else belongs to somebody.
            let is_ours = number > 0 || is_whole || begins(head, &line);
            if !is_whole && is_ours {
                return Ok((finished, good));
            }
            number += 1;
            let none = |why: String| format!("{}, line {number}: {why}", self.name);
            if number == 1 {
                let own: Head = serde_json::from_slice(&line)
                    .map_err(|_| none("this is no survey to go on from".to_owned()))?;
                if own != *head {
                    return Err(none(format!(
                        "a survey of the profiles {}{}; go on with the same, or name another file",
                        own.profiles.join(", "),
                        if own.direct { ", --direct" } else { "" }
                    )));
                }
            } else {
                let own: Surveyed = serde_json::from_slice(&line)
                    .map_err(|error| none(format!("no line of a survey: {error}")))?;
                finished.insert(own.next_hop, own.answers);
            }
            good += u64::try_from(read).unwrap_or(0);
        }
    }

    /// Notes a finished destination.
    pub(super) fn note(&mut self, own: &Surveyed) -> Result<(), String> {
        self.line(own)?;
        self.loose += 1;
        if self.loose >= TOGETHER {
            self.sync()?;
        }
        Ok(())
    }

    /// Puts everything on the disk.
    pub(super) fn sync(&mut self) -> Result<(), String> {
        self.loose = 0;
        let synced = self.file.sync_data();
        synced.map_err(|error| format!("{}: {error}", self.name))
    }

    fn line(&mut self, value: &impl Serialize) -> Result<(), String> {
        let broken = |error: &dyn std::fmt::Display| format!("{}: {error}", self.name);
        let mut line = serde_json::to_vec(value).map_err(|error| broken(&error))?;
        line.push(b'\n');
        self.file.write_all(&line).map_err(|error| broken(&error))
    }
}

fn begins(head: &Head, bytes: &[u8]) -> bool {
    serde_json::to_vec(head).is_ok_and(|head| head.starts_with(bytes))
}

/// A power cut costs so many answers at most, and they are asked again.
const TOGETHER: u32 = 256;

#[cfg(test)]
mod tests {
    use super::*;

    fn surveyed(next_hop: &str) -> Surveyed {
        Surveyed {
            next_hop: next_hop.to_owned(),
            weight: 1,
            answers: Vec::new(),
        }
    }

    /// What is finished comes back; a torn last line is taken out, and nothing else of another kind is
    /// taken.
    #[test]
    fn goes_on() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("journal");
        let head = Head {
            survey: 1,
            profiles: vec!["postfix".to_owned()],
            direct: false,
        };
        let (mut journal, finished) = Journal::open(&path, &head).unwrap();
        assert!(finished.is_empty());
        journal.note(&surveyed("a.test")).unwrap();
        journal.note(&surveyed("b.test")).unwrap();
        assert!(Journal::open(&path, &head).is_err_and(|why| why.contains("another survey")));
        drop(journal);
        let whole = std::fs::read(&path).unwrap();
        for cut in 0..whole.len() {
            std::fs::write(&path, &whole[..cut]).unwrap();
            let (mut journal, finished) = Journal::open(&path, &head).unwrap();
            let lines = whole[..cut].iter().filter(|byte| **byte == b'\n').count();
            assert_eq!(finished.len(), lines.saturating_sub(1), "{cut}");
            journal.note(&surveyed("c.test")).unwrap();
            drop(journal);
            let (_, again) = Journal::open(&path, &head).unwrap();
            assert_eq!(again.len(), finished.len() + 1);
        }
        let other = Head {
            direct: true,
            ..head.clone()
        };
        std::fs::write(&path, &whole).unwrap();
        assert!(Journal::open(&path, &other).is_err());
        for text in [&b"x\n"[..], b"x", b"a.test"] {
            let foreign = [text, &whole[..]].concat();
            std::fs::write(&path, &foreign[..text.len()]).unwrap();
            assert!(Journal::open(&path, &head).is_err());
            assert_eq!(std::fs::read(&path).unwrap(), text);
            std::fs::write(&path, &foreign).unwrap();
            assert!(Journal::open(&path, &head).is_err());
            assert_eq!(std::fs::read(&path).unwrap(), foreign);
        }
    }
}
