//! Programs of the mail servers on this machine.

use std::io::{self, Write as _};
use std::os::unix::fs::MetadataExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Command, Output, Stdio};

/// Why a program says nothing.
#[derive(Debug, thiserror::Error)]
pub enum ProgramError {
    /// There is none.
    #[error("there is no {0} on this machine")]
    NotInstalled(&'static str),
    /// It cannot be run.
    #[error("{program} cannot be run: {error}")]
    CannotRun {
        /// Which.
        program: &'static str,
        /// Why not.
        error: io::Error,
    },
    /// It failed.
    #[error("{program} failed: {words}")]
    Failed {
        /// Which.
        program: &'static str,
        /// What it said.
        words: String,
    },
}

/// A user that a program runs as, without any further group: as smtp(8) runs, and Exim's transports.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    /// The name, for people.
    pub name: String,
    pub(super) user: u32,
    pub(super) group: u32,
}

impl Account {
    /// The account of that name, where this process may take another's place, which root may.
    #[must_use]
    pub fn to_become(name: &str) -> Option<Self> {
        if !is_root() || name.is_empty() {
            return None;
        }
        // By getent(1), since users need not stand in /etc/passwd.
        let output = Command::new("getent")
            .args(["passwd", name])
            .output()
            .ok()?;
        Self::read(&String::from_utf8_lossy(&output.stdout))
    }

    /// The account that a file belongs to, where this process may take another's place.
    #[must_use]
    pub fn owner_of(path: &Path) -> Option<Self> {
        let owner = std::fs::metadata(path).ok()?.uid();
        Self::to_become(&owner.to_string())
    }

    /// Reads a line of passwd(5).
    pub(super) fn read(line: &str) -> Option<Self> {
        let mut fields = line.trim_end().split(':');
        Some(Self {
            name: fields.next()?.to_owned(),
            user: fields.nth(1)?.parse().ok()?,
            group: fields.next()?.parse().ok()?,
        })
    }
}

/// Whether test(1) says yes to a file, asked as that user, or as this process where none is given.
#[must_use]
pub fn may(test: &'static str, path: &Path, account: Option<&Account>) -> bool {
    let path = path.display().to_string();
    run("test", &[test, &path], "", account).is_ok_and(|output| output.status.success())
}

/// Whether this process runs as root.
#[must_use]
pub fn is_root() -> bool {
    std::fs::metadata("/proc/self").is_ok_and(|own| own.uid() == 0)
}

/// Runs a program from the path of programs, else from where Debian has it: services often have a
/// short path.
pub(super) fn run(
    program: &'static str,
    arguments: &[&str],
    input: &str,
    account: Option<&Account>,
) -> Result<Output, ProgramError> {
    let installed = Path::new("/usr/sbin").join(program);
    for candidate in [Path::new(program), &installed] {
        let mut command = Command::new(candidate);
        command.args(arguments);
        if let Some(account) = account {
            // Further groups go with that.
            command.gid(account.group).uid(account.user);
        }
        match told(&mut command, input) {
            Ok(output) => return Ok(output),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(ProgramError::CannotRun { program, error }),
        }
    }
    Err(ProgramError::NotInstalled(program))
}

/// A few words fit into the pipe, so nobody waits for the other.
fn told(command: &mut Command, input: &str) -> io::Result<Output> {
    command.stdin(Stdio::piped());
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn()?;
    if let Some(mut pipe) = child.stdin.take() {
        // A program that does not read says so itself.
        let _ = pipe.write_all(input.as_bytes());
    }
    child.wait_with_output()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_passwd() {
        let account = Account::read("postfix:x:102:105::/var/spool/postfix:/usr/sbin/nologin\n");
        let account = account.unwrap();
        assert_eq!((account.name.as_str(), account.user), ("postfix", 102));
        assert_eq!(account.group, 105);
        assert_eq!(Account::read(""), None);
        assert_eq!(Account::read("postfix:x:many:105"), None);
    }

    #[test]
    fn a_program_reads_what_it_is_told() {
        let output = run("cat", &[], "words\n", None).unwrap();
        assert_eq!(output.stdout, b"words\n");
        let missing = run("no-such-program-of-hoplock", &[], "", None);
        assert!(matches!(missing, Err(ProgramError::NotInstalled(_))));
    }
}
