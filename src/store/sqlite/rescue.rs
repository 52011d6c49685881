//! A state file in which something is damaged, but nothing that is remembered: all of that is taken over
//! into a new file, and the journal begins anew.
//!
//! The journal is by far the largest part, so a fault of the disk is most likely there; and mail must
//! not wait for what no answer rests on. Each step leaves a whole file behind, one or the other.

use std::path::{Path, PathBuf};

use rusqlite::Connection;

use super::open::{Fault, OpenError, migrate, open_file};

/// Whether the file, or one table of it, is sound as far as SQLite can tell; the words where it is not.
pub(super) fn check(connection: &Connection, table: Option<&str>) -> Result<(), String> {
    let check = match table {
        None => "PRAGMA quick_check(1)".to_owned(),
        Some(table) => format!("PRAGMA quick_check({table})"),
    };
    match connection.query_row(&check, [], |row| row.get::<_, String>(0)) {
        Ok(word) if word == "ok" => Ok(()),
        Ok(words) => Err(words),
        Err(error) => Err(error.to_string()),
    }
}

/// Whether everything that answers may rest on is sound, whatever else is not.
pub(super) fn remembers(connection: &Connection) -> bool {
    REMEMBERED
        .iter()
        .all(|table| check(connection, Some(table)).is_ok())
}

/// Puts a new file in the place of this one, with all that is remembered; the old one is kept beside
/// it. The caller opens the path again.
pub(super) fn rescue(path: &Path, connection: Connection, why: &str) -> Result<(), Fault> {
    let (fresh, old) = (beside(path, "fresh"), beside(path, "damaged"));
    let unusable = |error: std::io::Error| Fault::Ours(OpenError::unusable(path, &error));
    for leftover in [&fresh, &beside(&fresh, "journal"), &old] {
        remove(leftover).map_err(unusable)?;
    }
    let mut new = open_file(&fresh)?;
    migrate(&fresh, &mut new)?;
    drop(new);
    let name = fresh.display().to_string();
    connection.execute("ATTACH DATABASE ?1 AS fresh", [name])?;
    connection.execute_batch(&format!("PRAGMA fresh.synchronous = FULL; {TAKEN_OVER}"))?;
    for table in REPORTED {
        // What of the reports is sound goes along: it would be missed, and nothing rests on it. A file of
        // an earlier schema has none.
        if check(&connection, Some(table)).is_ok() {
            let taken = format!("INSERT INTO fresh.{table} SELECT * FROM main.{table}");
            if let Err(error) = connection.execute_batch(&taken) {
                tracing::debug!(%error, table, "not taken over");
            }
        }
    }
    connection.execute_batch("DETACH DATABASE fresh")?;
    // What stands beside the old file would be taken for the new one's. The lock is held all the while.
    let mode: String =
        connection.query_row("PRAGMA journal_mode = DELETE", [], |row| row.get(0))?;
    if mode != "delete" {
        return Err(Fault::Ours(OpenError::damaged(path, &why)));
    }
    std::fs::hard_link(path, &old).map_err(unusable)?;
    rename(&fresh, path).map_err(unusable)?;
    tracing::warn!(
        "a part of the state file {} was damaged in which nothing is remembered ({why}): policies, \
         destinations seen with DANE and rules are all there, the journal of sessions begins anew; \
         the old file is kept as {}; look at the disk",
        path.display(),
        old.display()
    );
    Ok(())
}

fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(if ending == "journal" { "-" } else { "." });
    name.push(ending);
    PathBuf::from(name)
}

#[allow(clippy::disallowed_methods, reason = "the store owns its file")]
fn remove(path: &Path) -> std::io::Result<()> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// On the disk when it returns, as all that is remembered.
#[allow(clippy::disallowed_methods, reason = "the store owns its file")]
fn rename(from: &Path, to: &Path) -> std::io::Result<()> {
    std::fs::rename(from, to)?;
    let folder = to.parent().filter(|folder| !folder.as_os_str().is_empty());
    std::fs::File::open(folder.unwrap_or_else(|| Path::new(".")))?.sync_all()
}

/// The tables that answers may rest on.
const REMEMBERED: [&str; 3] = ["policies", "dane", "rules"];
/// The tables of TLS reports.
const REPORTED: [&str; 6] = [
    "tally",
    "tally_closed",
    "outgoing",
    "mailed",
    "received",
    "identity",
];
/// All of them, with their checksums: a row that is damaged is still refused.
const TAKEN_OVER: &str = "BEGIN;
     INSERT INTO fresh.policies SELECT * FROM main.policies;
     INSERT INTO fresh.dane SELECT * FROM main.dane;
     INSERT INTO fresh.rules SELECT * FROM main.rules;
     COMMIT;";
