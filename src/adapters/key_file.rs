//! The file with the key that signs mail. Not done here: reading the key itself (see
//! `report::dkim`).
#![allow(clippy::disallowed_methods, reason = "this room reads the key")]

use std::fs::File;
use std::io::{self, Read as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

/// A key file that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum KeyFileError {
    /// It cannot be read.
    #[error(
        "the key {path} cannot be read: {error}; it must exist, and the user that hoplock runs as must be \
         able to read it, such as by: chown root:hoplock {path}; chmod 640 {path}"
    )]
    Unreadable {
        /// Which.
        path: String,
        /// Why.
        error: io::Error,
    },
    /// It is larger than any key.
    #[error("the key {0} is larger than any key; name the file of the private key itself")]
    TooLarge(String),
}

/// Reads a key in PEM form. One that everybody can read is warned of in the log: whoever has it signs as the
/// domain.
///
/// # Errors
/// [`KeyFileError`] names the file and what to do.
pub fn read(path: &Path) -> Result<Vec<u8>, KeyFileError> {
    let shown = path.display().to_string();
    let (mode, text) = contents(path).map_err(|error| KeyFileError::Unreadable {
        path: shown.clone(),
        error,
    })?;
    if text.len() > LARGEST {
        return Err(KeyFileError::TooLarge(shown));
    }
    if is_open_to_others(mode) {
        tracing::warn!("{}", warning(&shown));
    }
    Ok(text)
}

/// The words about a key that others can read or change; `None` where only its owner and group can read it.
#[must_use]
pub fn complaint(path: &Path) -> Option<String> {
    let mode = std::fs::metadata(path).ok()?.permissions().mode();
    is_open_to_others(mode).then(|| warning(&path.display().to_string()))
}

fn contents(path: &Path) -> io::Result<(u32, Vec<u8>)> {
    let file = File::open(path)?;
    // Of the file that is read, not of what stands at that path a moment later.
    let mode = file.metadata()?.permissions().mode();
    let mut text = Vec::new();
    let limit = u64::try_from(LARGEST).unwrap_or(u64::MAX);
    file.take(limit + 1).read_to_end(&mut text)?;
    Ok((mode, text))
}

fn warning(path: &str) -> String {
    format!(
        "the key {path} can be read by everybody on this machine, or changed by others than its owner: who \
         has it signs mail as your domain; do: chmod 640 {path}"
    )
}

/// Reading by the group is how a service shares a key with others.
fn is_open_to_others(mode: u32) -> bool {
    mode & 0o027 != 0
}

/// An RSA key of 8192 bits takes a tenth of this.
const LARGEST: usize = 64 * 1024;

#[cfg(test)]
mod tests {
    use std::fs::Permissions;

    use super::*;

    #[test]
    fn a_key_that_others_can_read_is_warned_of() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key.pem");
        std::fs::write(&path, "words").unwrap();
        for (mode, is_open) in [
            (0o600, false),
            (0o640, false),
            (0o400, false),
            (0o660, true),
            (0o644, true),
            (0o604, true),
            (0o602, true),
        ] {
            std::fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
            assert_eq!(complaint(&path).is_some(), is_open, "{mode:o}");
            assert_eq!(read(&path).unwrap(), b"words");
        }
    }

    /// The words name the file and the cure.
    #[test]
    fn a_key_that_cannot_be_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("none.pem");
        let words = read(&path).unwrap_err().to_string();
        assert!(
            words.contains("none.pem") && words.contains("chmod"),
            "{words}"
        );
        assert!(read(folder.path()).is_err(), "a folder");
        std::fs::write(&path, vec![b'x'; LARGEST + 1]).unwrap();
        let words = read(&path).unwrap_err().to_string();
        assert!(words.contains("larger"), "{words}");
    }
}
