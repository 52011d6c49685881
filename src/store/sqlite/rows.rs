//! Rows of the state file: written with a checksum, read with suspicion.

use std::sync::Arc;
use std::time::Duration;

use hoplock_policy::findings::RememberedPolicy;
use hoplock_policy::moment::{Moment, Timestamp};
use hoplock_policy::name::{DomainName, PolicyDomain};
use hoplock_policy::next_hop::NextHop;
use hoplock_policy::sts::StsPolicy;
use rusqlite::{Connection, OptionalExtension as _, Row, params};
use sha2::{Digest as _, Sha256};

use super::super::memory::{DANE_KEPT, KEPT_BEYOND, MemoryStore};
use crate::world::{DaneMemory, EARLIEST, Gone, Proof, StoredRule};

/// Where the file stands in time: what it holds is aged from here, and what is written is dated by the
/// clock that never jumps, counted on from here. So no jump while it is open dates anything wrongly.
#[derive(Clone, Copy, Debug)]
pub(super) struct Opened {
    now: Moment,
    /// The wall clock that ages are counted against: ours where it is plausible, else the latest
    /// that the file has seen.
    against: Timestamp,
}

/// What reading the whole file brought beside the rows.
pub(super) struct Loaded {
    pub(super) opened: Opened,
    pub(super) warnings: Vec<String>,
}

/// Why a row cannot be used.
#[derive(Debug, thiserror::Error)]
pub(super) enum RowError {
    #[error(transparent)]
    Sqlite(#[from] rusqlite::Error),
    #[error("the entry for {0:?} is not what was written")]
    Sum(String),
    #[error("the entry for {0:?} cannot be read: {1}")]
    Content(String, String),
}

impl Opened {
    /// ST-28: a wall clock that runs behind what the file has seen, or far ahead of it, has jumped;
    /// then ages are counted against the file's own latest time, and nothing expires for the jump.
    fn new(now: Moment, latest: Timestamp) -> Self {
        let ahead = Duration::from_millis(now.wall.0.saturating_sub(latest.0));
        let plausible = latest.0 == 0 || now.wall >= latest && ahead <= LONGEST_PAUSE;
        let against = if plausible { now.wall } else { latest };
        Self { now, against }
    }

    /// The file's own date of a moment.
    pub(super) fn date(self, uptime: Duration) -> i64 {
        let (later, earlier) = (
            uptime.saturating_sub(self.now.uptime),
            self.now.uptime.saturating_sub(uptime),
        );
        let millis = |span: Duration| i64::try_from(span.as_millis()).unwrap_or(i64::MAX);
        number(self.against)
            .saturating_add(millis(later))
            .saturating_sub(millis(earlier))
            .max(0)
    }

    fn moment(self, wall: Timestamp) -> Moment {
        let age = self.against.0.saturating_sub(wall.0);
        // Written since the file was opened, and read back.
        let ahead = wall.0.saturating_sub(self.against.0);
        let uptime = self.now.uptime.saturating_sub(Duration::from_millis(age));
        let by_now = self.now.wall.0.saturating_sub(age).saturating_add(ahead);
        Moment {
            // ST-28: a clock that is surely wrong ends nothing until it is set. One that may be right
            // ages what a file that runs ahead of it holds like everything else, from now on.
            wall: if self.now.wall < EARLIEST {
                wall
            } else {
                Timestamp(wall.0.min(by_now))
            },
            uptime: uptime.saturating_add(Duration::from_millis(ahead)),
        }
    }
}

/// Puts everything on the shelf; the first bad row refuses the whole.
pub(super) fn load(
    connection: &Connection,
    shelf: &MemoryStore,
    now: Moment,
) -> Result<Loaded, RowError> {
    let latest: Option<i64> = connection.query_row(
        "SELECT max(at) FROM (SELECT max(fetched) AS at FROM policies UNION ALL
         SELECT max(used) FROM policies UNION ALL SELECT max(seen) FROM dane)",
        [],
        |row| row.get(0),
    )?;
    let latest = Timestamp(latest.map_or(0, |at| u64::try_from(at).unwrap_or(0)));
    let opened = Opened::new(now, latest);
    let mut warnings = Vec::new();
    if opened.against.0.abs_diff(now.wall.0) > WORTH_A_WORD_MILLIS {
        warnings.push(
            "the clock of this machine differs by far from what the state file has seen; \
             remembered policies are kept, and age on the clock that does not jump; set the clock"
                .to_owned(),
        );
    }
    // The most recently used last: where the shelf is too small these stay.
    let mut statement = connection
        .prepare("SELECT domain, id, text, fetched, used, sum FROM policies ORDER BY used")?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let (domain, policy, used) = read_policy(row, opened)?;
        shelf.shelve(&domain, policy, used);
    }
    let mut statement = connection
        .prepare("SELECT destination, seen, gone, proved, sum FROM dane ORDER BY seen")?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let (destination, memory) = read_dane(row, opened)?;
        let _ = shelf.note_dane(destination, memory);
    }
    let mut statement = connection.prepare("SELECT pattern, text, by, added, sum FROM rules")?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let rule = read_rule(row)?;
        shelf.rules_at_hand().insert(rule.pattern.clone(), rule);
    }
    Ok(Loaded { opened, warnings })
}

/// One policy, straight from the file.
pub(super) fn policy(
    connection: &Connection,
    domain: &PolicyDomain,
    opened: Opened,
) -> Result<Option<(Arc<RememberedPolicy>, Duration)>, RowError> {
    let mut statement = connection
        .prepare("SELECT domain, id, text, fetched, used, sum FROM policies WHERE domain = ?1")?;
    let mut rows = statement.query([domain.0.as_str()])?;
    match rows.next()? {
        None => Ok(None),
        Some(row) => read_policy(row, opened).map(|(_, policy, used)| Some((policy, used))),
    }
}

/// What is remembered of a destination, straight from the file.
pub(super) fn dane(
    connection: &Connection,
    destination: &NextHop,
    opened: Opened,
) -> Result<Option<DaneMemory>, RowError> {
    let mut statement = connection
        .prepare("SELECT destination, seen, gone, proved, sum FROM dane WHERE destination = ?1")?;
    let mut rows = statement.query([destination.to_string()])?;
    match rows.next()? {
        None => Ok(None),
        Some(row) => read_dane(row, opened).map(|(_, memory)| Some(memory)),
    }
}

fn read_policy(
    row: &Row<'_>,
    opened: Opened,
) -> Result<(PolicyDomain, Arc<RememberedPolicy>, Duration), RowError> {
    let (domain, id, text): (String, String, String) = (row.get(0)?, row.get(1)?, row.get(2)?);
    let (fetched, used): (i64, i64) = (row.get(3)?, row.get(4)?);
    // The use is written again and again, and decides over nothing but refreshing.
    check(row, 5, &domain, &[id.as_str(), &text, &fetched.to_string()])?;
    let bad = |why: String| RowError::Content(domain.clone(), why);
    let name = DomainName::parse(&domain).map_err(|why| bad(why.to_string()))?;
    let policy = StsPolicy::parse(text.as_bytes()).map_err(|why| bad(why.to_string()))?;
    let remembered = RememberedPolicy {
        policy,
        id,
        fetched: opened.moment(timestamp(fetched)),
    };
    let used = opened.moment(timestamp(used)).uptime;
    Ok((PolicyDomain(name), Arc::new(remembered), used))
}

fn read_dane(row: &Row<'_>, opened: Opened) -> Result<(NextHop, DaneMemory), RowError> {
    let (destination, seen): (String, i64) = (row.get(0)?, row.get(1)?);
    let (gone, proved): (Option<i64>, bool) = (row.get(2)?, row.get(3)?);
    check(row, 4, &destination, &dane_fields(seen, gone, proved))?;
    let next_hop = NextHop::parse(&destination);
    if next_hop.name().is_none() {
        let why = "it is no destination".to_owned();
        return Err(RowError::Content(destination, why));
    }
    let gone = gone.map(|since| Gone {
        since: opened.moment(timestamp(since)),
        proof: if proved { Proof::Proved } else { Proof::Said },
    });
    let seen = opened.moment(timestamp(seen));
    Ok((next_hop, DaneMemory { seen, gone }))
}

pub(super) fn dane_fields(seen: i64, gone: Option<i64>, proved: bool) -> [String; 3] {
    let gone = gone.map_or_else(String::new, |gone| gone.to_string());
    [seen.to_string(), gone, proved.to_string()]
}

fn read_rule(row: &Row<'_>) -> Result<StoredRule, RowError> {
    let rule = StoredRule {
        pattern: row.get(0)?,
        text: row.get(1)?,
        by: row.get(2)?,
        added: timestamp(row.get(3)?),
    };
    let added = row.get::<_, i64>(3)?.to_string();
    check(
        row,
        4,
        &rule.pattern,
        &[rule.text.as_str(), &rule.by, &added],
    )?;
    Ok(rule)
}

/// Writes a policy, unless the one there was fetched later.
pub(super) fn put_policy(
    connection: &Connection,
    opened: Opened,
    domain: &PolicyDomain,
    remembered: &RememberedPolicy,
    used: Duration,
) -> rusqlite::Result<()> {
    let (domain, id, text) = (domain.0.as_str(), &remembered.id, &remembered.policy.text);
    let begun = remembered.fetched.uptime;
    let fetched = opened.date(begun);
    let expires = opened.date(begun.saturating_add(remembered.policy.max_age));
    let sum = sum(domain, &[id.as_str(), text, &fetched.to_string()]);
    connection.execute(
        "INSERT INTO policies (domain, id, text, fetched, expires, used, sum)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)
         ON CONFLICT (domain) DO UPDATE SET id = ?2, text = ?3, fetched = ?4, expires = ?5,
         used = max(used, ?6), sum = ?7 WHERE fetched <= ?4",
        params![domain, id, text, fetched, expires, opened.date(used), sum],
    )?;
    Ok(())
}

/// Writes that a policy was used.
pub(super) fn put_used(
    connection: &Connection,
    opened: Opened,
    domain: &PolicyDomain,
    used: Duration,
) -> rusqlite::Result<()> {
    connection.execute(
        "UPDATE policies SET used = ?2 WHERE domain = ?1",
        params![domain.0.as_str(), opened.date(used)],
    )?;
    Ok(())
}

/// Takes out what has long expired.
pub(super) fn sweep(
    connection: &Connection,
    opened: Opened,
    now: Duration,
) -> rusqlite::Result<()> {
    connection.execute(
        "DELETE FROM policies WHERE expires <= ?1",
        [opened.date(now.saturating_sub(KEPT_BEYOND))],
    )?;
    connection.execute(
        "DELETE FROM dane WHERE seen <= ?1",
        [opened.date(now.saturating_sub(DANE_KEPT))],
    )?;
    Ok(())
}

/// Takes a policy out.
pub(super) fn drop_policy(connection: &Connection, domain: &PolicyDomain) -> rusqlite::Result<()> {
    connection.execute(
        "DELETE FROM policies WHERE domain = ?1",
        [domain.0.as_str()],
    )?;
    Ok(())
}

/// Writes what is remembered of a destination.
pub(super) fn put_dane(
    connection: &Connection,
    opened: Opened,
    destination: &NextHop,
    memory: DaneMemory,
) -> rusqlite::Result<()> {
    let (destination, seen) = (destination.to_string(), opened.date(memory.seen.uptime));
    let gone = memory.gone.map(|gone| opened.date(gone.since.uptime));
    let proved = memory.gone.is_some_and(|gone| gone.proof == Proof::Proved);
    let sum = sum(&destination, &dane_fields(seen, gone, proved));
    connection.execute(
        "INSERT OR REPLACE INTO dane (destination, seen, gone, proved, sum)
         VALUES (?1, ?2, ?3, ?4, ?5)",
        params![destination, seen, gone, proved, sum],
    )?;
    Ok(())
}

/// Writes a rule.
pub(super) fn put_rule(connection: &Connection, rule: &StoredRule) -> rusqlite::Result<()> {
    let added = number(rule.added);
    let sum = sum(
        &rule.pattern,
        &[rule.text.as_str(), &rule.by, &added.to_string()],
    );
    connection.execute(
        "INSERT OR REPLACE INTO rules (pattern, text, by, added, sum) VALUES (?1, ?2, ?3, ?4, ?5)",
        params![rule.pattern, rule.text, rule.by, added, sum],
    )?;
    Ok(())
}

/// Takes a rule out.
pub(super) fn drop_rule(connection: &Connection, pattern: &str) -> rusqlite::Result<()> {
    let found = connection
        .query_row(
            "DELETE FROM rules WHERE pattern = ?1 RETURNING 1",
            [pattern],
            |_| Ok(()),
        )
        .optional();
    found.map(|_| ())
}

fn check(row: &Row<'_>, at: usize, name: &str, fields: &[impl AsRef<str>]) -> Result<(), RowError> {
    let written: Vec<u8> = row.get(at)?;
    if written == sum(name, fields) {
        Ok(())
    } else {
        Err(RowError::Sum(name.to_owned()))
    }
}

/// Of the fields with their lengths, so that no two rows share one by accident of joining.
pub(super) fn sum(name: &str, fields: &[impl AsRef<str>]) -> Vec<u8> {
    let mut digest = Sha256::new();
    for field in std::iter::once(name).chain(fields.iter().map(AsRef::as_ref)) {
        digest.update(field.len().to_be_bytes());
        digest.update(field.as_bytes());
    }
    digest.finalize().to_vec()
}

pub(super) fn number(time: Timestamp) -> i64 {
    i64::try_from(time.0).unwrap_or(i64::MAX)
}

pub(super) fn timestamp(number: i64) -> Timestamp {
    Timestamp(u64::try_from(number).unwrap_or(0))
}

/// A machine may be off for as long as a policy can live (RFC 8461, 3.2: 31557600 seconds); a clock
/// further ahead has jumped.
const LONGEST_PAUSE: Duration = Duration::from_secs(31_557_600);
/// Less than that is a clock that was set by a little, which is nothing to people.
const WORTH_A_WORD_MILLIS: u64 = 3_600_000;
