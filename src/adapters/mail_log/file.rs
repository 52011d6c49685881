//! A log file, also after it was renamed, removed and made anew, or cut to nothing.
#![allow(clippy::disallowed_methods, reason = "this room reads the mail log")]

use std::fs::{File, Metadata};
use std::io::{Read as _, Seek as _, SeekFrom};
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::time::Duration;

use tokio::sync::mpsc::Sender;

use super::LogEntry;

/// Sends every line that is written from now on.
pub(super) fn follow(path: &Path, lines: &Sender<LogEntry>) {
    let mut following = Following::from_end(path);
    let mut told = false;
    while !lines.is_closed() {
        match following.read_on(path) {
            Ok(new) => {
                if std::mem::take(&mut told) {
                    tracing::info!(path = %path.display(), "the mail log can be read again");
                }
                if new.is_empty() {
                    std::thread::sleep(BETWEEN_LOOKS);
                }
                for line in new {
                    if lines.blocking_send(LogEntry::Line(line)).is_err() {
                        return;
                    }
                }
            }
            Err(error) => {
                if !std::mem::replace(&mut told, true) {
                    let path = path.display();
                    tracing::warn!(%path, %error, "the mail log cannot be read; trying again");
                }
                std::thread::sleep(AFTER_AN_ERROR);
            }
        }
    }
}

/// Where reading stands.
struct Following {
    file: Option<File>,
    position: u64,
    /// The beginning of a line whose end is not written yet.
    begun: Vec<u8>,
    /// The rest of a line that is too long is passed over.
    skipping: bool,
}

impl Following {
    fn from_end(path: &Path) -> Self {
        let mut file = File::open(path).ok();
        let end = file
            .as_mut()
            .and_then(|file| file.seek(SeekFrom::End(0)).ok());
        Self {
            file,
            position: end.unwrap_or(0),
            begun: Vec::new(),
            skipping: false,
        }
    }

    /// The lines that have come since the last look.
    fn read_on(&mut self, path: &Path) -> std::io::Result<Vec<String>> {
        let mut lines = self.rest()?;
        let now = match std::fs::metadata(path) {
            Ok(now) => now,
            // Between renaming and making anew.
            Err(error) if error.kind() == std::io::ErrorKind::NotFound && self.file.is_some() => {
                return Ok(lines);
            }
            Err(error) => return Err(error),
        };
        if !self.is_same(&now)? {
            // What was still written to the old one has been read above.
            lines.extend(self.rest()?);
            self.file = Some(File::open(path)?);
            self.position = 0;
            self.begun.clear();
            self.skipping = false;
            lines.extend(self.rest()?);
        }
        Ok(lines)
    }

    fn is_same(&self, now: &Metadata) -> std::io::Result<bool> {
        let Some(file) = &self.file else {
            return Ok(false);
        };
        let own = file.metadata()?;
        let is_cut = now.len() < self.position;
        Ok((own.dev(), own.ino()) == (now.dev(), now.ino()) && !is_cut)
    }

    fn rest(&mut self) -> std::io::Result<Vec<String>> {
        let mut lines = Vec::new();
        let Some(file) = &mut self.file else {
            return Ok(lines);
        };
        let mut chunk = vec![0; CHUNK];
        // A bounded look: a log that is written faster than it is read must not fill memory.
        for _ in 0..CHUNKS_AT_ONCE {
            let read = file.read(&mut chunk)?;
            if read == 0 {
                break;
            }
            self.position += read as u64;
            for part in chunk
                .get(..read)
                .unwrap_or_default()
                .split_inclusive(|octet| *octet == b'\n')
            {
                let (text, ended) = match part.strip_suffix(b"\n") {
                    Some(text) => (text, true),
                    None => (part, false),
                };
                if !self.skipping {
                    self.begun.extend_from_slice(text);
                }
                if self.begun.len() > LONGEST_LINE {
                    self.begun.clear();
                    self.skipping = true;
                }
                if ended {
                    if !std::mem::take(&mut self.skipping) {
                        lines.push(String::from_utf8_lossy(&self.begun).into_owned());
                    }
                    self.begun.clear();
                }
            }
        }
        Ok(lines)
    }
}

/// A session is judged soon enough after half a second, and a look costs next to nothing.
const BETWEEN_LOOKS: Duration = Duration::from_millis(500);
const AFTER_AN_ERROR: Duration = Duration::from_secs(5);
const CHUNK: usize = 64 * 1024;
const CHUNKS_AT_ONCE: usize = 16;
/// Postfix cuts its lines at 2,000 octets; the rest of the machine may write longer ones.
const LONGEST_LINE: usize = 64 * 1024;

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    /// SV-11: lines in parts, a rotation by renaming, one by cutting, and an overlong line.
    #[test]
    fn a_log_is_followed_through_its_rotations() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("mail.log");
        let write = |text: &[u8]| {
            let mut options = std::fs::OpenOptions::new();
            let file = options.append(true).create(true).open(&path);
            file.unwrap().write_all(text).unwrap();
        };
        write(b"before the start\n");
        let mut following = Following::from_end(&path);
        assert!(following.read_on(&path).unwrap().is_empty());
        write(b"one\ntw");
        assert_eq!(following.read_on(&path).unwrap(), ["one"]);
        write(b"o\n");
        assert_eq!(following.read_on(&path).unwrap(), ["two"]);
        write(b"three\n");
        std::fs::rename(&path, folder.path().join("mail.log.1")).unwrap();
        assert_eq!(following.read_on(&path).unwrap(), ["three"]);
        assert!(following.read_on(&path).unwrap().is_empty());
        write(b"four\n");
        assert_eq!(following.read_on(&path).unwrap(), ["four"]);
        std::fs::OpenOptions::new()
            .write(true)
            .truncate(true)
            .open(&path)
            .unwrap();
        write(b"5\n");
        assert_eq!(following.read_on(&path).unwrap(), ["5"]);
        write(&[b'x'; LONGEST_LINE + 10]);
        write(b"\nsix\n");
        assert_eq!(following.read_on(&path).unwrap(), ["six"]);
    }

    /// A log that is not there yet is read from its beginning once it is.
    #[test]
    fn a_log_that_comes_later() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("mail.log");
        let mut following = Following::from_end(&path);
        assert!(following.read_on(&path).is_err());
        std::fs::write(&path, "one\n").unwrap();
        assert_eq!(following.read_on(&path).unwrap(), ["one"]);
    }
}
