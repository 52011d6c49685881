//! Rows of TLS reports.

use std::collections::BTreeMap;

use hoplock_policy::moment::Timestamp;
use hoplock_policy::name::DomainName;
use hoplock_policy::tlsrpt::Day;
use rusqlite::{Connection, OptionalExtension as _, params};

use super::super::rows::number;
use crate::store::reports_json::{read_outgoing, read_received, write_outgoing, write_received};
use crate::world::StoreFailure;
use crate::world::reports::local::TallyRow;
use crate::world::reports::outgoing::{Outgoing, ReportKey};
use crate::world::reports::received::Received;
use crate::world::reports::tally::{Counter, Counts};

/// Adds to what is counted, all of it or nothing.
pub(super) fn add(
    connection: &mut Connection,
    all: &BTreeMap<(Day, DomainName), Counts>,
) -> rusqlite::Result<()> {
    let transaction = connection.transaction()?;
    {
        let mut statement = transaction.prepare(
            "INSERT INTO tally (day, domain, key, count, handed_over) VALUES (?1, ?2, ?3, ?4, 0)
             ON CONFLICT DO UPDATE SET count = count + excluded.count",
        )?;
        for ((day, domain), counts) in all {
            for (counter, count) in counts {
                let count = i64::try_from(*count).unwrap_or(i64::MAX);
                statement.execute(params![day.number(), domain.as_str(), counter.key(), count])?;
            }
        }
    }
    transaction.commit()
}

/// What this host counted of a domain on a day; what another version wrote is left out.
pub(super) fn counts(
    connection: &Connection,
    day: Day,
    domain: &DomainName,
) -> rusqlite::Result<BTreeMap<Counter, u64>> {
    let mut statement =
        connection.prepare("SELECT key, count FROM tally WHERE day = ?1 AND domain = ?2")?;
    let mut rows = statement.query(params![day.number(), domain.as_str()])?;
    let mut counts = BTreeMap::new();
    while let Some(row) = rows.next()? {
        let key: String = row.get(0)?;
        if let Some(counter) = Counter::parse(&key) {
            counts.insert(counter, row.get::<_, i64>(1)?.unsigned_abs());
        }
    }
    Ok(counts)
}

/// The days of which something is counted.
pub(super) fn days(connection: &Connection) -> rusqlite::Result<Vec<Day>> {
    // One step of the index for each day, however many rows it has.
    let mut statement = connection.prepare("SELECT min(day) FROM tally WHERE day > ?1")?;
    let (mut days, mut last) = (Vec::new(), -1_i64);
    while let Some(day) = statement.query_row([last], |row| row.get::<_, Option<i64>>(0))? {
        days.extend(u32::try_from(day).ok().map(Day::numbered));
        last = day;
    }
    Ok(days)
}

/// The domains of a day in the order of their names, those after `after`.
pub(super) fn domains(
    connection: &Connection,
    day: Day,
    after: Option<&DomainName>,
    limit: usize,
) -> rusqlite::Result<Vec<DomainName>> {
    let mut statement =
        connection.prepare("SELECT min(domain) FROM tally WHERE day = ?1 AND domain > ?2")?;
    let mut last = after.map_or_else(String::new, |name| name.as_str().to_owned());
    let mut domains = Vec::new();
    while domains.len() < limit {
        let next: Option<String> =
            statement.query_row(params![day.number(), last], |row| row.get(0))?;
        let Some(next) = next else { break };
        domains.extend(DomainName::parse(&next).ok());
        last = next;
    }
    Ok(domains)
}

/// Rows that grew since they were handed over.
pub(super) fn dirty(connection: &Connection, limit: usize) -> rusqlite::Result<Vec<TallyRow>> {
    let mut statement = connection.prepare(
        "SELECT day, domain, key, count FROM tally WHERE count > handed_over
         ORDER BY day, domain, key LIMIT ?1",
    )?;
    let rows = statement.query_map([i64::try_from(limit).unwrap_or(i64::MAX)], |row| {
        let parts: (u32, String, String, i64) =
            (row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?);
        Ok(parts)
    })?;
    let mut found = Vec::new();
    for row in rows {
        let (day, domain, key, count) = row?;
        if let Ok(domain) = DomainName::parse(&domain) {
            found.push(TallyRow {
                day: Day::numbered(day),
                domain,
                key,
                count: count.unsigned_abs(),
            });
        }
    }
    Ok(found)
}

/// Notes what was handed over. A row that has grown meanwhile stays dirty.
pub(super) fn handed_over(connection: &mut Connection, rows: &[TallyRow]) -> rusqlite::Result<()> {
    let transaction = connection.transaction()?;
    {
        let mut statement = transaction.prepare(
            "UPDATE tally SET handed_over = max(handed_over, ?4)
             WHERE day = ?1 AND domain = ?2 AND key = ?3",
        )?;
        for row in rows {
            let count = i64::try_from(row.count).unwrap_or(i64::MAX);
            statement.execute(params![
                row.day.number(),
                row.domain.as_str(),
                row.key,
                count
            ])?;
        }
    }
    transaction.commit()
}

/// Rows from a day on are to be handed over anew, some of them; false where there are no more. In steps,
/// since a policy that an answer waits for is written by the same thread.
pub(super) fn make_dirty(connection: &Connection, since: Day) -> rusqlite::Result<bool> {
    let sql = format!(
        "UPDATE tally SET handed_over = 0 WHERE (day, domain, key) IN
         (SELECT day, domain, key FROM tally WHERE day >= ?1 AND handed_over > 0 LIMIT {STEP})"
    );
    Ok(connection.execute(&sql, [since.number()])? == STEP)
}

/// Closes a day and all before it.
pub(super) fn close(connection: &Connection, day: Day) -> rusqlite::Result<()> {
    let sql = "INSERT OR IGNORE INTO tally_closed (day) VALUES (?1)";
    connection.execute(sql, [day.number()]).map(|_| ())
}

/// The latest day that was closed.
pub(super) fn closed(connection: &Connection) -> rusqlite::Result<Option<Day>> {
    let sql = "SELECT max(day) FROM tally_closed";
    let latest: Option<u32> = connection.query_row(sql, [], |row| row.get(0))?;
    Ok(latest.map(Day::numbered))
}

/// Keeps a report unless one is kept for its day and domain; the one that stands.
pub(super) fn claim(
    connection: &mut Connection,
    report: Outgoing,
) -> Result<Outgoing, super::super::rows::RowError> {
    let transaction = connection.transaction()?;
    let inserted = transaction.execute(
        "INSERT OR IGNORE INTO outgoing (day, domain, due, report) VALUES (?1, ?2, ?3, ?4)",
        params![
            report.key.day.number(),
            report.key.domain.as_str(),
            report.due().map(number),
            write_outgoing(&report)
        ],
    )?;
    let stands = match inserted {
        0 => outgoing(&transaction, &report.key)?,
        _ => None,
    };
    transaction.commit()?;
    match stands {
        None => Ok(report),
        Some(text) => read(&text),
    }
}

/// Keeps how far a report has come.
pub(super) fn progress(connection: &Connection, report: &Outgoing) -> rusqlite::Result<()> {
    let sql = "UPDATE outgoing SET due = ?3, report = ?4 WHERE day = ?1 AND domain = ?2";
    let (day, domain) = (report.key.day.number(), report.key.domain.as_str());
    let due = report.due().map(number);
    let changed = params![day, domain, due, write_outgoing(report)];
    connection.execute(sql, changed).map(|_| ())
}

/// The text of a report.
pub(super) fn outgoing(
    connection: &Connection,
    key: &ReportKey,
) -> rusqlite::Result<Option<String>> {
    let sql = "SELECT report FROM outgoing WHERE day = ?1 AND domain = ?2";
    let key = params![key.day.number(), key.domain.as_str()];
    connection.query_row(sql, key, |row| row.get(0)).optional()
}

/// The texts of reports with a delivery due.
pub(super) fn due(
    connection: &Connection,
    now: Timestamp,
    limit: usize,
) -> rusqlite::Result<Vec<String>> {
    let sql = "SELECT report FROM outgoing WHERE due <= ?1 ORDER BY due LIMIT ?2";
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    texts(connection, sql, params![number(now), limit])
}

/// The texts of reports of a day, or of the latest.
pub(super) fn list(
    connection: &Connection,
    day: Option<Day>,
    limit: usize,
) -> rusqlite::Result<Vec<String>> {
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    match day {
        Some(day) => {
            let sql = "SELECT report FROM outgoing WHERE day = ?1 ORDER BY domain LIMIT ?2";
            texts(connection, sql, params![day.number(), limit])
        }
        None => {
            let sql = "SELECT report FROM outgoing ORDER BY day DESC, domain LIMIT ?1";
            texts(connection, sql, params![limit])
        }
    }
}

fn texts(
    connection: &Connection,
    sql: &str,
    parameters: &[&dyn rusqlite::ToSql],
) -> rusqlite::Result<Vec<String>> {
    let mut statement = connection.prepare(sql)?;
    let rows = statement.query_map(parameters, |row| row.get(0))?;
    rows.collect()
}

/// Those that can be read; one that cannot is a fault of its own, and told of once a day at most.
pub(super) fn readable(texts: &[String]) -> Vec<Outgoing> {
    let all = texts.iter().filter_map(|text| match read_outgoing(text) {
        Ok(report) => Some(report),
        Err(error) => {
            tracing::warn!(%error, "a report that leaves is left out");
            None
        }
    });
    all.collect()
}

/// A report from its text.
pub(super) fn read(text: &str) -> Result<Outgoing, super::super::rows::RowError> {
    read_outgoing(text).map_err(|StoreFailure(words)| {
        super::super::rows::RowError::Content("outgoing".to_owned(), words)
    })
}

/// Report mails handed over on a day for a domain.
pub(super) fn mailed(
    connection: &Connection,
    day: Day,
    domain: &DomainName,
) -> rusqlite::Result<u64> {
    let sql = "SELECT count FROM mailed WHERE day = ?1 AND domain = ?2";
    let key = params![day.number(), domain.as_str()];
    let count: Option<i64> = connection
        .query_row(sql, key, |row| row.get(0))
        .optional()?;
    Ok(count.unwrap_or(0).unsigned_abs())
}

/// One more.
pub(super) fn note_mailed(
    connection: &Connection,
    day: Day,
    domain: &DomainName,
) -> rusqlite::Result<()> {
    let sql = "INSERT INTO mailed (day, domain, count) VALUES (?1, ?2, 1)
               ON CONFLICT DO UPDATE SET count = count + 1";
    let key = params![day.number(), domain.as_str()];
    connection.execute(sql, key).map(|_| ())
}

/// Keeps a report that came; false where it is kept already.
pub(super) fn receive(connection: &Connection, report: &Received) -> rusqlite::Result<bool> {
    let sql = "INSERT OR IGNORE INTO received (at, organization, report_id, report)
               VALUES (?1, ?2, ?3, ?4)";
    let row = params![
        number(report.at),
        report.organization,
        report.report_id,
        write_received(report)
    ];
    let is_new = connection.execute(sql, row)? == 1;
    // Whoever may send us mail may send many: the newest stay.
    let sql = format!(
        "DELETE FROM received WHERE id <= (SELECT max(id) FROM received) - {MOST_RECEIVED}"
    );
    connection.execute(&sql, [])?;
    Ok(is_new)
}

/// Reports that came, the latest first.
pub(super) fn received(connection: &Connection, limit: usize) -> rusqlite::Result<Vec<Received>> {
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let sql = "SELECT report FROM received ORDER BY at DESC, id DESC LIMIT ?1";
    let texts = texts(connection, sql, params![limit])?;
    let read = texts.iter().filter_map(|text| read_received(text).ok());
    Ok(read.collect())
}

/// A name of this file, made at the first question: random, 16 digits.
pub(super) fn identity(connection: &Connection, name: &str) -> rusqlite::Result<String> {
    let fresh = format!("{:016x}", rand::random::<u64>());
    connection.execute(
        "INSERT OR IGNORE INTO identity (name, value) VALUES (?1, ?2)",
        params![name, fresh],
    )?;
    let sql = "SELECT value FROM identity WHERE name = ?1";
    connection.query_row(sql, [name], |row| row.get(0))
}

/// Another name from now on.
pub(super) fn set_identity(
    connection: &Connection,
    name: &str,
    value: &str,
) -> rusqlite::Result<()> {
    let sql = "INSERT OR REPLACE INTO identity (name, value) VALUES (?1, ?2)";
    connection.execute(sql, params![name, value]).map(|_| ())
}

/// Takes out what is older than it is kept, so many rows of each table at most.
pub(super) fn drop_old(connection: &mut Connection, today: Day) -> rusqlite::Result<()> {
    // A clock that has jumped ahead takes nothing out that is of these days.
    let newest: Option<u32> =
        connection.query_row("SELECT max(day) FROM tally", [], |row| row.get(0))?;
    let today = newest.map_or(today, |newest| {
        today.min(Day::numbered(newest.saturating_add(2)))
    });
    let before = |days: u32| today.number().saturating_sub(days);
    let transaction = connection.transaction()?;
    for (table, kept) in [
        ("tally", COUNTS_KEPT),
        ("tally_closed", REPORTS_KEPT),
        ("mailed", COUNTS_KEPT),
        ("outgoing", REPORTS_KEPT),
    ] {
        let row = match table {
            "tally" => "day, domain, key",
            "tally_closed" => "day",
            _ => "day, domain",
        };
        let sql = format!(
            "DELETE FROM {table} WHERE ({row}) IN
             (SELECT {row} FROM {table} WHERE day < ?1 LIMIT {STEP})"
        );
        transaction.execute(&sql, [before(kept)])?;
    }
    let oldest = Day::numbered(before(REPORTS_KEPT)).begins();
    let sql = format!(
        "DELETE FROM received WHERE id IN (SELECT id FROM received WHERE at < ?1 LIMIT {STEP})"
    );
    transaction.execute(&sql, [number(oldest)])?;
    transaction.commit()
}

/// Days that counters are kept: a report leaves within a day of its own, or never (RFC 8460, 5.5), and
/// people may ask about last week.
const COUNTS_KEPT: u32 = 14;
/// Days that reports are kept for people.
const REPORTS_KEPT: u32 = 90;
/// Reports of others that are kept: some a day for each of many domains. Each is small, see the office.
const MOST_RECEIVED: usize = 1_000;
/// Rows taken out, or changed, at one go: some hundredths of a second.
const STEP: usize = 5_000;
