//! A folder of our own for state and sockets, gone when it is dropped.
#![allow(
    clippy::disallowed_methods,
    reason = "commands write the files that they need"
)]

use std::fs::DirBuilder;
use std::io::{self, ErrorKind};
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

/// The folder.
pub(super) struct Folder(PathBuf);

impl Folder {
    /// A new one among the system's temporary files, open to this user alone.
    pub(super) fn create() -> io::Result<Self> {
        let place = std::env::temp_dir();
        loop {
            let number: u32 = rand::random();
            let path = place.join(format!("hoplock-demo-{number:08x}"));
            // Never one that is there already: somebody else may have made it.
            match DirBuilder::new().mode(0o700).create(&path) {
                Ok(()) => return Ok(Self(path)),
                Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
                Err(error) => {
                    let words = format!("{}: {error}", path.display());
                    return Err(io::Error::new(error.kind(), words));
                }
            }
        }
    }

    /// Where it is.
    pub(super) fn path(&self) -> &Path {
        &self.0
    }

    /// Writes a file, and says where it is.
    pub(super) fn write(&self, name: &str, text: &str) -> Result<PathBuf, String> {
        let path = self.0.join(name);
        match std::fs::write(&path, text) {
            Ok(()) => Ok(path),
            Err(error) => Err(format!("{}: {error}", path.display())),
        }
    }

    /// Reads one.
    pub(super) fn read(&self, name: &str) -> Result<String, String> {
        let path = self.0.join(name);
        std::fs::read_to_string(&path).map_err(|error| format!("{}: {error}", path.display()))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // Somebody who removed it before has done what is wanted.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
