//! Postfix's own programs: `postconf` and `postmap`.

use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Command, Output};

/// Why one of Postfix's programs says nothing.
#[derive(Debug, thiserror::Error)]
pub enum PostconfError {
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

/// A user that a program runs as, without any further group: as smtp(8) runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    /// The name, for people.
    pub name: String,
    user: u32,
    group: u32,
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

/// Whether this process runs as root.
fn is_root() -> bool {
    std::fs::metadata("/proc/self").is_ok_and(|own| own.uid() == 0)
}

/// Asks `postmap` for one key of one table, as another user where one is given.
///
/// # Errors
/// [`PostconfError`] with what `postmap` complained of; a key that is not found is no error.
pub fn postmap(
    table: &str,
    key: &str,
    account: Option<&Account>,
) -> Result<Option<String>, PostconfError> {
    let output = run("postmap", &["-q", key, table], account)?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
    if output.status.success() {
        return Ok(Some(text(&output.stdout)));
    }
    let complaints = text(&output.stderr);
    // Not found is status 1 and no fatal error; warnings about main.cf come in any case.
    if !complaints.lines().any(|line| line.contains("fatal:")) {
        return Ok(None);
    }
    // Services read main.cf before they become that user: its being closed to it says nothing.
    if account.is_some() && main_cf_is_closed(&complaints) {
        return postmap(table, key, None);
    }
    Err(PostconfError::Failed {
        program: "postmap",
        words: complaints_about(table, &complaints),
    })
}

pub(super) fn main_cf_is_closed(complaints: &str) -> bool {
    complaints.lines().any(|line| {
        line.contains("fatal: open ") && line.contains(".cf: ") && line.contains(FORBIDDEN)
    })
}

/// What matters of it: where it could not connect, else the lines that speak of the table or of the
/// end, without those about main.cf.
pub(super) fn complaints_about(table: &str, complaints: &str) -> String {
    let chosen = |wanted: &dyn Fn(&str) -> bool| {
        let lines = complaints.lines().filter(|line| wanted(line));
        let bare = lines.map(|line| {
            line.rsplit_once(": warning: ")
                .map_or(line, |(_, rest)| rest)
        });
        bare.collect::<Vec<_>>().join("; ")
    };
    let connecting = chosen(&|line| line.contains("connect to"));
    if connecting.is_empty() {
        chosen(&|line| line.contains("fatal:") || line.contains(table))
    } else {
        connecting
    }
}

/// What `postconf` prints.
pub(super) fn postconf(arguments: &[&str]) -> Result<String, PostconfError> {
    let output = run("postconf", arguments, None)?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    Err(PostconfError::Failed {
        program: "postconf",
        words: String::from_utf8_lossy(&output.stderr).trim().to_owned(),
    })
}

/// From the path of programs, else from where Debian has it: services often have a short path.
fn run(
    program: &'static str,
    arguments: &[&str],
    account: Option<&Account>,
) -> Result<Output, PostconfError> {
    let installed = Path::new("/usr/sbin").join(program);
    for candidate in [Path::new(program), &installed] {
        let mut command = Command::new(candidate);
        command.args(arguments);
        if let Some(account) = account {
            // Further groups go with that.
            command.gid(account.group).uid(account.user);
        }
        match command.output() {
            Ok(output) => return Ok(output),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(PostconfError::CannotRun { program, error }),
        }
    }
    Err(PostconfError::NotInstalled(program))
}

/// As the system words it, in the C locale that Postfix keeps to.
const FORBIDDEN: &str = "Permission denied";

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
    fn the_words_of_a_failure_are_short() {
        let table = "socketmap:unix:/s:postfix";
        let refused = "postmap: warning: /etc/main.cf: unused parameter: x=y\n\
                       postmap: warning: connect to /s: Connection refused\n\
                       postmap: fatal: table socketmap:unix:/s:postfix: query error: refused";
        let words = complaints_about(table, refused);
        assert_eq!(words, "connect to /s: Connection refused");
        let unknown = "postmap: fatal: unsupported dictionary type: x";
        assert_eq!(complaints_about(table, unknown), unknown);
    }

    #[test]
    fn a_closed_main_cf_is_no_closed_socket() {
        assert!(main_cf_is_closed(
            "postmap: fatal: open /etc/postfix/main.cf: Permission denied"
        ));
        assert!(!main_cf_is_closed(
            "postmap: warning: connect to /run/map: Permission denied\n\
             postmap: fatal: table socketmap:unix:/run/map:postfix: query error: Permission denied"
        ));
    }
}
