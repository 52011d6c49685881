//! Postfix's own programs: `postconf` and `postmap`.

use super::super::program::{Account, ProgramError, run};

/// Asks `postmap` for one key of one table, as another user where one is given.
///
/// # Errors
/// [`ProgramError`] with what `postmap` complained of; a key that is not found is no error.
pub fn postmap(
    table: &str,
    key: &str,
    account: Option<&Account>,
) -> Result<Option<String>, ProgramError> {
    let output = run("postmap", &["-q", key, table], "", account)?;
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
    Err(ProgramError::Failed {
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
pub(super) fn postconf(arguments: &[&str]) -> Result<String, ProgramError> {
    let output = run("postconf", arguments, "", None)?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    Err(ProgramError::Failed {
        program: "postconf",
        words: String::from_utf8_lossy(&output.stderr).trim().to_owned(),
    })
}

/// As the system words it, in the C locale that Postfix keeps to.
const FORBIDDEN: &str = "Permission denied";

#[cfg(test)]
mod tests {
    use super::*;

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
