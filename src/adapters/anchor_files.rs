//! Trust anchors as files in a directory that the mail server reads (DT-16).
//!
//! Certificates are public, and so are these files: whoever may reach the directory may read them. A file
//! is written beside its place and then renamed, so that nobody ever reads half of one.
#![allow(
    clippy::disallowed_methods,
    reason = "this room hands the mail server its files"
)]

use std::collections::HashMap;
use std::fs::{self, File, Permissions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use hoplock_policy::tlsa::AnchorFile;
use tokio::task::spawn_blocking;

use crate::world::Waiting;
use crate::world::anchors::AnchorFiles;

/// Directories of anchors.
#[derive(Debug, Default)]
pub struct AnchorDirectories {
    kept: Arc<Mutex<Kept>>,
}

#[derive(Debug, Default)]
struct Kept {
    /// Files that answers name.
    files: HashMap<PathBuf, Live>,
    /// Files that were found, of answers of an earlier process perhaps, and since when that is known.
    found: HashMap<PathBuf, Duration>,
}

#[derive(Debug)]
struct Live {
    text: Arc<str>,
    /// On the clock that never jumps.
    until: Duration,
}

impl AnchorDirectories {
    /// Nothing is written yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// How many files answers name.
    #[must_use]
    pub fn live(&self) -> usize {
        self.kept().files.len()
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl AnchorFiles for AnchorDirectories {
    fn publish<'a>(
        &'a self,
        directory: &'a str,
        file: AnchorFile,
        until: Duration,
    ) -> Waiting<'a, Result<(), String>> {
        Box::pin(async move {
            let path = Path::new(directory).join(&file.name);
            {
                let mut kept = self.kept();
                if let Some(live) = kept.files.get_mut(&path) {
                    live.until = live.until.max(until);
                    return Ok(());
                }
                if kept.files.len() >= MOST_FILES {
                    return Err(format!(
                        "{MOST_FILES} files of trust anchors are in use already"
                    ));
                }
            }
            let text: Arc<str> = file.text.into();
            let (to, written) = (path.clone(), Arc::clone(&text));
            let writing = spawn_blocking(move || stand(&to, &written)).await;
            match writing {
                Ok(Ok(())) => {
                    let live = Live { text, until };
                    self.kept().files.insert(path, live);
                    Ok(())
                }
                Ok(Err(error)) => Err(format!(
                    "the trust anchors cannot be written to {}: {error}; let the user of hoplock write \
                     to anchor_directory",
                    path.display()
                )),
                Err(error) => Err(error.to_string()),
            }
        })
    }

    fn sweep(&self, now: Duration) -> Waiting<'_, ()> {
        let kept = Arc::clone(&self.kept);
        Box::pin(async move {
            let sweeping = spawn_blocking(move || sweep(&kept, now));
            if let Err(error) = sweeping.await {
                tracing::error!(%error, "the files of trust anchors were not looked after");
            }
        })
    }
}

/// Makes a file stand with this text.
fn stand(path: &Path, text: &str) -> io::Result<()> {
    if stands(path, text) {
        return Ok(());
    }
    let folder = path.parent().unwrap_or(Path::new("/"));
    match fs::DirBuilder::new().mode(FOLDER_MODE).create(folder) {
        // Whatever the umask: smtp(8) runs as another user. The bit that gives files the group of their
        // folder, which this one may have from the folder above, is not asked for: the unit's
        // RestrictSUIDSGID refuses that, and what everybody may read needs no group.
        Ok(()) => fs::set_permissions(folder, Permissions::from_mode(FOLDER_MODE))?,
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
        Err(error) => return Err(error),
    }
    // Destinations that share an authority may want the same file at one moment: each writes its own.
    let number = WRITTEN.fetch_add(1, Ordering::Relaxed);
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(format!(".{number}{UNFINISHED}"));
    let beside = folder.join(name);
    // One of a process that died; and nothing is followed that somebody else has put there.
    match fs::remove_file(&beside) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = File::options().write(true).create_new(true).open(&beside)?;
    file.write_all(text.as_bytes())?;
    file.set_permissions(Permissions::from_mode(FILE_MODE))?;
    // What a crash leaves behind under the final name is whole.
    file.sync_all()?;
    match fs::rename(&beside, path) {
        // Another answer that names the same anchors has put the same file in its place.
        Err(error) if error.kind() == io::ErrorKind::NotFound && stands(path, text) => Ok(()),
        renamed => renamed,
    }
}

fn stands(path: &Path, text: &str) -> bool {
    fs::read(path).is_ok_and(|there| there == text.as_bytes())
}

/// Never holds the lock while the disk is asked: one that hangs must hold up nobody else.
fn sweep(kept: &Mutex<Kept>, now: Duration) {
    let lock = || kept.lock().unwrap_or_else(PoisonError::into_inner);
    let (ended, live, mut found) = {
        let mut kept = lock();
        let mut ended = Vec::new();
        kept.files.retain(|path, live| {
            let is_live = now < live.until.saturating_add(AFTERWARDS);
            if !is_live {
                ended.push(path.clone());
            }
            is_live
        });
        let live: HashMap<PathBuf, Arc<str>> = kept
            .files
            .iter()
            .map(|(path, live)| (path.clone(), Arc::clone(&live.text)))
            .collect();
        (ended, live, std::mem::take(&mut kept.found))
    };
    let mut folders: Vec<PathBuf> = live
        .keys()
        .chain(&ended)
        .chain(found.keys())
        .filter_map(|path| path.parent().map(Path::to_path_buf))
        .collect();
    folders.sort();
    folders.dedup();
    for path in &ended {
        remove(path);
    }
    for folder in folders {
        strangers(&live, &mut found, &folder, now);
    }
    // Last: one that was removed above, and named again meanwhile, stands again.
    let again = lock()
        .files
        .iter()
        .map(|(path, live)| (path.clone(), Arc::clone(&live.text)))
        .collect::<Vec<_>>();
    for (path, text) in again {
        if let Err(error) = stand(&path, &text) {
            let path = path.display();
            tracing::warn!(%path, %error, "a file of trust anchors is gone, and mail waits for it");
        }
    }
    lock().found = found;
}

/// Files of an earlier process: whoever was told of them may still need them for a day.
fn strangers(
    live: &HashMap<PathBuf, Arc<str>>,
    found: &mut HashMap<PathBuf, Duration>,
    folder: &Path,
    now: Duration,
) {
    let Ok(entries) = fs::read_dir(folder) else {
        return;
    };
    let mut there = Vec::new();
    for path in entries.flatten().map(|entry| entry.path()) {
        if !is_ours(&path) || live.contains_key(&path) {
            continue;
        }
        let since = *found.entry(path.clone()).or_insert(now);
        if now.saturating_sub(since) >= A_DAY {
            remove(&path);
        } else {
            there.push(path);
        }
    }
    found.retain(|path, _| path.parent() != Some(folder) || there.contains(path));
}

/// Whether a name is one that an anchor file has, finished or not: nothing else is touched.
fn is_ours(path: &Path) -> bool {
    let name = path.file_name().and_then(|name| name.to_str());
    let Some((digest, rest)) = name.and_then(|name| name.split_once(".pem")) else {
        return false;
    };
    let number = rest
        .strip_prefix('.')
        .and_then(|rest| rest.strip_suffix(UNFINISHED));
    let is_unfinished = |number: &str| number.bytes().all(|byte| byte.is_ascii_digit());
    digest.len() == DIGITS
        && digest.bytes().all(|byte| byte.is_ascii_hexdigit())
        && (rest.is_empty() || number.is_some_and(is_unfinished))
}

fn remove(path: &Path) {
    match fs::remove_file(path) {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => {
            let path = path.display();
            tracing::warn!(%path, %error, "a file of trust anchors that nobody needs stays");
        }
    }
}

/// Each destination with trust anchors has one; they are some kilobytes.
const MOST_FILES: usize = 100_000;
/// Postfix asks once for each delivery request, and may be at it for an hour: so long are the sessions
/// and pauses of one with many recipients.
const AFTERWARDS: Duration = Duration::from_secs(3600);
/// TTLs are hardly ever longer.
const A_DAY: Duration = Duration::from_secs(86_400);
/// SHA-256 in hexadecimal.
const DIGITS: usize = 64;
const UNFINISHED: &str = ".new";
/// How many were begun.
static WRITTEN: AtomicU64 = AtomicU64::new(0);
const FOLDER_MODE: u32 = 0o755;
const FILE_MODE: u32 = 0o644;

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn file(letter: char, text: &str) -> AnchorFile {
        AnchorFile {
            name: format!("{}.pem", String::from(letter).repeat(DIGITS)),
            text: text.to_owned(),
        }
    }

    fn at(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    fn names(folder: &Path) -> Vec<String> {
        let entries = fs::read_dir(folder).unwrap();
        let mut names: Vec<String> = entries
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    /// DT-16: the file stands before anybody hears of it, for everybody, whole; the folder is made, but
    /// none above it.
    #[tokio::test]
    async fn a_file_stands_before_it_is_told_of() {
        let place = tempfile::tempdir().unwrap();
        // As the package makes it, beside the socket.
        fs::set_permissions(place.path(), Permissions::from_mode(0o2750)).unwrap();
        let folder = place.path().join("anchors");
        let directory = folder.to_str().unwrap();
        let files = AnchorDirectories::new();
        let own = file('a', "one");
        files.publish(directory, own.clone(), at(10)).await.unwrap();
        let path = folder.join(&own.name);
        assert_eq!(fs::read_to_string(&path).unwrap(), "one");
        assert_eq!(
            fs::metadata(&path).unwrap().permissions().mode() & 0o777,
            FILE_MODE
        );
        assert_eq!(
            fs::metadata(&folder).unwrap().permissions().mode() & 0o7777,
            FOLDER_MODE
        );
        assert_eq!(names(&folder), [own.name]);
        let nowhere = place.path().join("not/there");
        let refused = files
            .publish(nowhere.to_str().unwrap(), file('a', "one"), at(10))
            .await;
        let words = refused.unwrap_err();
        assert!(
            words.contains("not/there") && words.contains("anchor_directory"),
            "{words}"
        );
    }

    /// DT-16: many destinations that share an authority want its file at one moment: it stands for each of
    /// them, and whoever finds it finds it whole.
    #[tokio::test(flavor = "multi_thread")]
    async fn one_file_for_many_at_once() {
        let place = tempfile::tempdir().unwrap();
        let directory = place.path().to_str().unwrap();
        for round in 0..50 {
            let own = file('e', &format!("{round}").repeat(10_000));
            let path = place.path().join(&own.name);
            let files: Vec<_> = (0..8).map(|_| AnchorDirectories::new()).collect();
            let publishing = files.iter().map(|files| {
                let (own, path) = (own.clone(), path.clone());
                async move {
                    let text = own.text.clone();
                    files.publish(directory, own, at(10)).await.unwrap();
                    assert_eq!(fs::read_to_string(path).unwrap(), text);
                }
            });
            futures_util::future::join_all(publishing).await;
            assert_eq!(names(place.path()), [own.name]);
        }
    }

    /// DT-16: half a file of a process that died is made whole.
    #[tokio::test]
    async fn a_torn_file_is_written_anew() {
        let place = tempfile::tempdir().unwrap();
        let own = file('b', "the whole text");
        fs::write(place.path().join(&own.name), "the wh").unwrap();
        let files = AnchorDirectories::new();
        let directory = place.path().to_str().unwrap();
        files.publish(directory, own.clone(), at(10)).await.unwrap();
        assert_eq!(
            fs::read_to_string(place.path().join(&own.name)).unwrap(),
            "the whole text"
        );
    }

    /// DT-16: what an answer names stays, and comes back when somebody removes it; afterwards it goes. Files
    /// of an earlier process stay for a day, and what is not ours for ever.
    #[tokio::test]
    async fn files_go_when_no_answer_names_them() {
        let place = tempfile::tempdir().unwrap();
        let directory = place.path().to_str().unwrap();
        let (own, earlier) = (file('c', "own"), file('d', "earlier"));
        fs::write(place.path().join(&earlier.name), "earlier").unwrap();
        let unfinished = format!("{}.7.new", earlier.name);
        fs::write(place.path().join(&unfinished), "ear").unwrap();
        fs::write(place.path().join("README"), "of the operator").unwrap();
        let files = AnchorDirectories::new();
        files
            .publish(directory, own.clone(), at(100))
            .await
            .unwrap();
        // Answers that come later extend it.
        files
            .publish(directory, own.clone(), at(500))
            .await
            .unwrap();
        files
            .publish(directory, own.clone(), at(300))
            .await
            .unwrap();
        fs::remove_file(place.path().join(&own.name)).unwrap();
        files.sweep(at(499 + 3600)).await;
        let left = ["README", &own.name, &earlier.name, &unfinished];
        assert_eq!(names(place.path()), left);
        assert_eq!(
            fs::read_to_string(place.path().join(&own.name)).unwrap(),
            "own"
        );
        files.sweep(at(500 + 3600)).await;
        assert_eq!(names(place.path()), ["README", &earlier.name, &unfinished]);
        assert_eq!(files.live(), 0);
        files.sweep(at(499 + 3600 + 86_400)).await;
        assert_eq!(names(place.path()), ["README"]);
        // Named again, it stands again.
        files
            .publish(directory, own.clone(), at(200_000))
            .await
            .unwrap();
        assert_eq!(names(place.path()), ["README", &own.name]);
    }
}
