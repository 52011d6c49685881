//! Opening of the state file: whose it is, whether it is whole, and its schema.

use std::fmt::Display;
use std::path::Path;

use hoplock_policy::moment::Timestamp;
use rusqlite::{Connection, OpenFlags};

use super::rescue;

/// Why the state file cannot be used, with the cure. Starting without it would forget what it says.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The file or its folder cannot be read or written.
    #[error(
        "the state file {path} cannot be used: {why}; mend its folder and owner ([store] path says \
         where it is), or run `hoplock serve --no-state`, which remembers nothing"
    )]
    Unusable {
        /// The file.
        path: String,
        /// What the system said.
        why: String,
    },
    /// Another process has it open.
    #[error(
        "the state file {path} is in use: is another hoplock running? Stop it, or give this one a \
         file of its own with [store] path"
    )]
    InUse {
        /// The file.
        path: String,
    },
    /// It is something else.
    #[error("{path} is no state file of hoplock: {why}; name another file with [store] path")]
    NotOurs {
        /// The file.
        path: String,
        /// What it is.
        why: String,
    },
    /// A later version wrote it.
    #[error(
        "the state file {path} has schema {found}, and this hoplock knows none later than {known}: \
         install the later version again; or move the file away, and what was remembered is learnt \
         anew; or run `hoplock serve --no-state`"
    )]
    Newer {
        /// The file.
        path: String,
        /// Its schema.
        found: i64,
        /// The latest known.
        known: i64,
    },
    /// Its content is damaged.
    #[error(
        "the state file {path} is damaged: {why}; put back a copy of it, or move it away (mv {path} \
         {path}.damaged) and what was remembered is learnt anew; until then `hoplock serve \
         --no-state` runs without it"
    )]
    Damaged {
        /// The file.
        path: String,
        /// Where.
        why: String,
    },
    /// Its content is damaged where nothing is remembered: the next start mends that by itself.
    #[error(
        "the journal of sessions in the state file {path} is damaged: {why}; all that is remembered is \
         sound; systemctl restart hoplock begins the journal anew and keeps the rest; look at the disk"
    )]
    JournalDamaged {
        /// The file.
        path: String,
        /// Where.
        why: String,
    },
}

impl OpenError {
    pub(super) fn unusable(path: &Path, why: &dyn Display) -> Self {
        Self::Unusable {
            path: path.display().to_string(),
            why: why.to_string(),
        }
    }

    pub(super) fn damaged(path: &Path, why: &dyn Display) -> Self {
        Self::Damaged {
            path: path.display().to_string(),
            why: why.to_string(),
        }
    }

    fn of(path: &Path, error: &rusqlite::Error) -> Self {
        use rusqlite::ErrorCode::{DatabaseBusy, DatabaseCorrupt, DatabaseLocked, NotADatabase};
        let shown = path.display().to_string();
        match error.sqlite_error_code() {
            Some(DatabaseBusy | DatabaseLocked) => Self::InUse { path: shown },
            Some(NotADatabase) => Self::NotOurs {
                path: shown,
                why: "it is no SQLite file, or its first page is damaged".to_owned(),
            },
            Some(DatabaseCorrupt) => Self::damaged(path, error),
            _ => Self::unusable(path, error),
        }
    }
}

/// Opens the file for this process alone, checks it, and brings its schema up to date. Where nothing is
/// damaged but the journal, that begins anew.
pub(super) fn open(path: &Path) -> Result<Connection, OpenError> {
    make_folder(path)?;
    prepare(path).map_err(|fault| match fault {
        Fault::Sqlite(error) => OpenError::of(path, &error),
        Fault::Ours(error) => error,
    })
}

/// A store without a file: what it holds goes with the process.
pub(super) fn in_memory() -> Result<Connection, OpenError> {
    let path = Path::new(":memory:");
    let open = || -> Result<Connection, Fault> {
        let mut connection = Connection::open_in_memory()?;
        migrate(path, &mut connection)?;
        Ok(connection)
    };
    open().map_err(|fault| match fault {
        Fault::Sqlite(error) => OpenError::of(path, &error),
        Fault::Ours(error) => error,
    })
}

pub(super) fn open_file(path: &Path) -> Result<Connection, Fault> {
    make_file(path).map_err(Fault::Ours)?;
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
        | OpenFlags::SQLITE_OPEN_CREATE
        | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    Ok(Connection::open_with_flags(path, flags)?)
}

/// What a look from outside shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Inspected {
    /// Remembered MTA-STS policies, as of the last checkpoint.
    pub policies: usize,
    /// The latest time that stands in it; nought where it is empty.
    pub latest: Timestamp,
}

/// Looks at a state file that another process may have open, without touching it.
///
/// # Errors
/// [`OpenError`] with the cure.
pub fn inspect(path: &Path) -> Result<Inspected, OpenError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_URI;
    // Neither locks nor side files: what the owner has not yet written back is not seen.
    let address = format!("file:{}?immutable=1", escaped(path));
    let look = || -> Result<Inspected, Fault> {
        let connection = Connection::open_with_flags(&address, flags)?;
        whose(path, &connection)?;
        if let Err(why) = rescue::check(&connection, None) {
            return Err(Fault::Ours(if rescue::remembers(&connection) {
                OpenError::JournalDamaged {
                    path: path.display().to_string(),
                    why,
                }
            } else {
                OpenError::damaged(path, &why)
            }));
        }
        let version: i64 = connection.query_row("PRAGMA user_version", [], |row| row.get(0))?;
        if version == 0 {
            // Made a moment ago: all of it stands in the write-ahead log.
            return Ok(Inspected {
                policies: 0,
                latest: Timestamp(0),
            });
        }
        refuse_newer(path, version)?;
        let (policies, latest): (i64, i64) = connection.query_row(
            "SELECT count(*), max(coalesce(max(fetched), 0), coalesce(max(used), 0),
             (SELECT coalesce(max(seen), 0) FROM dane)) FROM policies",
            [],
            |row| Ok((row.get(0)?, row.get(1)?)),
        )?;
        Ok(Inspected {
            policies: usize::try_from(policies).unwrap_or(0),
            latest: Timestamp(u64::try_from(latest).unwrap_or(0)),
        })
    };
    look().map_err(|fault| match fault {
        Fault::Sqlite(error) => OpenError::of(path, &error),
        Fault::Ours(error) => error,
    })
}

/// A path in a URI.
fn escaped(path: &Path) -> String {
    let text = path.display().to_string();
    text.replace('%', "%25")
        .replace('?', "%3f")
        .replace('#', "%23")
}

fn refuse_newer(path: &Path, found: i64) -> Result<(), Fault> {
    let known = i64::try_from(SCHEMAS.len()).unwrap_or(i64::MAX);
    if found > known || found < 0 {
        return Err(Fault::Ours(OpenError::Newer {
            path: path.display().to_string(),
            found,
            known,
        }));
    }
    Ok(())
}

pub(super) enum Fault {
    Sqlite(rusqlite::Error),
    Ours(OpenError),
}

impl From<rusqlite::Error> for Fault {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sqlite(error)
    }
}

fn prepare(path: &Path) -> Result<Connection, Fault> {
    let mut connection = owned(path)?;
    if let Err(why) = rescue::check(&connection, None) {
        let version: i64 = connection.query_row("PRAGMA user_version", [], |row| row.get(0))?;
        refuse_newer(path, version)?;
        if !rescue::remembers(&connection) {
            return Err(Fault::Ours(OpenError::damaged(path, &why)));
        }
        rescue::rescue(path, connection, &why)?;
        connection = owned(path)?;
        rescue::check(&connection, None)
            .map_err(|why| Fault::Ours(OpenError::damaged(path, &why)))?;
    }
    migrate(path, &mut connection)?;
    Ok(connection)
}

/// The file as this process's alone.
fn owned(path: &Path) -> Result<Connection, Fault> {
    let connection = open_file(path)?;
    // One process alone: two daemons over one file would each trust a shelf that the other changes.
    connection.pragma_update(None, "locking_mode", "EXCLUSIVE")?;
    whose(path, &connection)?;
    let mode: String = connection.query_row("PRAGMA journal_mode = WAL", [], |row| row.get(0))?;
    if mode != "wal" {
        let why = format!("it stays in journal mode {mode}");
        return Err(Fault::Ours(OpenError::unusable(path, &why)));
    }
    // A commit is on the disk when it returns (ST-28).
    connection.pragma_update(None, "synchronous", "FULL")?;
    Ok(connection)
}

/// Refuses a file of another program before anything is written to it.
fn whose(path: &Path, connection: &Connection) -> Result<(), Fault> {
    let id: i64 = connection.query_row("PRAGMA application_id", [], |row| row.get(0))?;
    let tables: i64 =
        connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    if id != APPLICATION && (id != 0 || tables != 0) {
        return Err(Fault::Ours(OpenError::NotOurs {
            path: path.display().to_string(),
            why: "it is a database of another program".to_owned(),
        }));
    }
    Ok(())
}

pub(super) fn migrate(path: &Path, connection: &mut Connection) -> Result<(), Fault> {
    let found: i64 = connection.query_row("PRAGMA user_version", [], |row| row.get(0))?;
    refuse_newer(path, found)?;
    for (version, statements) in (1_i64..).zip(SCHEMAS) {
        if version <= found {
            continue;
        }
        // Each step whole or not at all, with its number.
        let step = connection.transaction()?;
        step.execute_batch(statements)?;
        step.pragma_update(None, "application_id", APPLICATION)?;
        step.pragma_update(None, "user_version", version)?;
        step.commit()?;
    }
    // Takes the lock now, so that a second process is refused at its start.
    connection.execute_batch("BEGIN EXCLUSIVE; COMMIT")?;
    Ok(())
}

#[allow(clippy::disallowed_methods, reason = "the store owns its file")]
fn make_folder(path: &Path) -> Result<(), OpenError> {
    let Some(folder) = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty())
    else {
        return Ok(());
    };
    std::fs::create_dir_all(folder).map_err(|error| OpenError::unusable(path, &error))
}

/// Where mail goes is nobody else's business: the side files that SQLite makes take over the mode.
#[allow(clippy::disallowed_methods, reason = "the store owns its file")]
fn make_file(path: &Path) -> Result<(), OpenError> {
    use std::os::unix::fs::OpenOptionsExt as _;
    let mut options = std::fs::OpenOptions::new();
    match options.write(true).create_new(true).mode(MODE).open(path) {
        Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => {
            Err(OpenError::unusable(path, &error))
        }
        _ => Ok(()),
    }
}

/// For the owner, and for the group to read.
const MODE: u32 = 0o640;

/// "hplk": says that a file is ours.
const APPLICATION: i64 = 0x6870_6c6b;

/// The statements that lead from one schema to the next; the first makes schema 1. Only added to.
pub(super) const SCHEMAS: &[&str] = &[
    // Every row has a checksum: SQLite notices a damaged tree, not a damaged value. Times are
    // milliseconds since 1970 by the file's own reckoning, see `Opened`.
    "CREATE TABLE policies (
         domain TEXT PRIMARY KEY, id TEXT NOT NULL, text TEXT NOT NULL,
         fetched INTEGER NOT NULL, expires INTEGER NOT NULL, used INTEGER NOT NULL,
         sum BLOB NOT NULL
     ) STRICT, WITHOUT ROWID;
     CREATE TABLE dane (
         destination TEXT PRIMARY KEY, seen INTEGER NOT NULL, gone INTEGER,
         proved INTEGER NOT NULL, sum BLOB NOT NULL
     ) STRICT, WITHOUT ROWID;
     CREATE TABLE rules (
         pattern TEXT PRIMARY KEY, text TEXT NOT NULL, by TEXT NOT NULL,
         added INTEGER NOT NULL, sum BLOB NOT NULL
     ) STRICT, WITHOUT ROWID;",
    // The journal. Nothing is strict here: see `journal`.
    "CREATE TABLE alarms (
         id INTEGER PRIMARY KEY, kept, time, source, timing, next_hop, mx_host, address, port,
         starttls, tls_version, cipher, outcome, reason, detail, matched, matched_text, depth,
         warnings, results, second_look, sum
     );
     CREATE TABLE sessions (
         id INTEGER PRIMARY KEY, kept, time, source, timing, next_hop, mx_host, address, port,
         starttls, tls_version, cipher, outcome, reason, detail, matched, matched_text, depth,
         warnings, results, second_look, sum
     );",
    // TLS reports: what this host counted, what leaves, what came. Nothing is strict here either, and no
    // answer rests on it.
    "CREATE TABLE tally (
         day INTEGER, domain TEXT, key TEXT, count INTEGER, handed_over INTEGER,
         PRIMARY KEY (day, domain, key)
     ) WITHOUT ROWID;
     CREATE INDEX tally_dirty ON tally (day, domain, key) WHERE count > handed_over;
     CREATE TABLE tally_closed (day INTEGER PRIMARY KEY);
     CREATE TABLE outgoing (
         day INTEGER, domain TEXT, due INTEGER, report TEXT, PRIMARY KEY (day, domain)
     ) WITHOUT ROWID;
     CREATE INDEX outgoing_due ON outgoing (due) WHERE due IS NOT NULL;
     CREATE TABLE mailed (
         day INTEGER, domain TEXT, count INTEGER, PRIMARY KEY (day, domain)
     ) WITHOUT ROWID;
     CREATE TABLE received (
         id INTEGER PRIMARY KEY, at INTEGER, organization TEXT, report_id TEXT, report TEXT,
         UNIQUE (organization, report_id)
     );
     CREATE TABLE identity (name TEXT PRIMARY KEY, value TEXT) WITHOUT ROWID;",
];
