//! The journal in the state file: entries as rows, and back.
//!
//! These rows decide over nothing. So, other than elsewhere in the file, one that is damaged is left
//! out and the rest is read; their tables have neither types nor constraints, since SQLite's own check
//! at the start would refuse the whole file for a value that breaks one.

use std::net::IpAddr;
use std::slice::Iter;

use hoplock_policy::name::{DomainName, MxHost};
use hoplock_policy::next_hop::NextHop;
use hoplock_policy::reason::Reason;
use hoplock_policy::verify::{
    PolicyKind, PolicyResult, SessionOutcome, Starttls, TlsVersion, Warning,
};
use rusqlite::types::Value;
use rusqlite::{Connection, params_from_iter};

use super::rows::{number, sum, timestamp};
use crate::world::{JournalEntry, JournalQuery, MatchedKind, MatchedText, SessionSource, Timing};

/// The two tables: no number of one kind of session takes the room of the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Table {
    /// Sessions that failed.
    Alarms,
    /// All others.
    Others,
}

impl Table {
    /// Where an entry belongs.
    pub(super) fn of(entry: &JournalEntry) -> Self {
        if entry.is_alarm() {
            Self::Alarms
        } else {
            Self::Others
        }
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Alarms => "alarms",
            Self::Others => "sessions",
        }
    }
}

/// Writes entries, the first under the number `first`; `kept` is their date by the file's reckoning.
pub(super) fn put(
    connection: &Connection,
    first: i64,
    entries: impl Iterator<Item = (i64, JournalEntry)>,
) -> rusqlite::Result<()> {
    let places = "?, ".repeat(FIELDS + 1);
    let insert = |table: Table| {
        let name = table.name();
        connection.prepare(&format!(
            "INSERT INTO {name} ({COLUMNS}) VALUES ({places}?)"
        ))
    };
    let (mut alarms, mut others) = (insert(Table::Alarms)?, insert(Table::Others)?);
    for (id, (kept, entry)) in (first..).zip(entries) {
        let statement = match Table::of(&entry) {
            Table::Alarms => &mut alarms,
            Table::Others => &mut others,
        };
        let fields = fields(kept, entry);
        let sum = sum_of(id, &fields);
        let row = std::iter::once(Value::Integer(id)).chain(fields);
        statement.execute(params_from_iter(row.chain([Value::Blob(sum)])))?;
    }
    Ok(())
}

/// How many rows a table has.
pub(super) fn count(connection: &Connection, table: Table) -> rusqlite::Result<usize> {
    let name = table.name();
    let count: i64 = connection.query_row(&format!("SELECT count(*) FROM {name}"), [], |row| {
        row.get(0)
    })?;
    Ok(usize::try_from(count).unwrap_or(0))
}

/// The largest number in use.
pub(super) fn last(connection: &Connection) -> rusqlite::Result<i64> {
    let last: Option<i64> = connection.query_row(
        "SELECT max((SELECT coalesce(max(id), 0) FROM alarms),
         (SELECT coalesce(max(id), 0) FROM sessions))",
        [],
        |row| row.get(0),
    )?;
    Ok(last.unwrap_or(0))
}

/// Takes out the oldest rows, so many.
pub(super) fn drop_oldest(
    connection: &Connection,
    table: Table,
    rows: usize,
) -> rusqlite::Result<usize> {
    let name = table.name();
    connection.execute(
        &format!("DELETE FROM {name} WHERE id IN (SELECT id FROM {name} ORDER BY id LIMIT ?1)"),
        [i64::try_from(rows).unwrap_or(i64::MAX)],
    )
}

/// Takes out those of the oldest `rows` that were kept at this date or before, or whose date nobody
/// can read.
pub(super) fn drop_old(
    connection: &Connection,
    table: Table,
    rows: usize,
    date: i64,
) -> rusqlite::Result<usize> {
    let name = table.name();
    connection.execute(
        &format!(
            "DELETE FROM {name} WHERE id IN (SELECT id FROM {name} ORDER BY id LIMIT ?1)
             AND (kept <= ?2 OR typeof(kept) <> 'integer')"
        ),
        [i64::try_from(rows).unwrap_or(i64::MAX), date],
    )
}

/// A part of the journal, read at one go.
pub(super) struct Page {
    /// What fits the question, newest first.
    pub(super) found: Vec<(u64, JournalEntry)>,
    /// Rows that are not what was written.
    pub(super) damaged: usize,
    /// The number before which the next page begins; none: this was the last.
    pub(super) next: Option<i64>,
}

/// Reads the newest rows before a number: few enough that nobody waits for it.
pub(super) fn page(
    connection: &Connection,
    query: &JournalQuery,
    before: i64,
    wanted: usize,
) -> rusqlite::Result<Page> {
    let of = |table: Table| format!("SELECT {COLUMNS} FROM {} WHERE id < ?1", table.name());
    let rows = match query.lanes() {
        (true, true) => format!("{} UNION ALL {}", of(Table::Alarms), of(Table::Others)),
        (true, false) => of(Table::Alarms),
        (false, _) => of(Table::Others),
    };
    let mut statement = connection.prepare(&format!("{rows} ORDER BY id DESC LIMIT {PAGE}"))?;
    let mut rows = statement.query([before])?;
    let mut page = Page {
        found: Vec::new(),
        damaged: 0,
        next: None,
    };
    let mut seen = 0_usize;
    while page.found.len() < wanted
        && let Some(row) = rows.next()?
    {
        let id: i64 = row.get(0)?;
        seen += 1;
        // A page that is full is followed by another.
        page.next = (seen == PAGE).then_some(id);
        let values: Result<Vec<Value>, _> = (1..=FIELDS + 1).map(|at| row.get(at)).collect();
        match values.ok().and_then(|values| entry(id, &values)) {
            Some(entry) if query.fits(&entry) => {
                page.found.push((u64::try_from(id).unwrap_or(0), entry));
            }
            Some(_) => {}
            None => page.damaged += 1,
        }
    }
    Ok(page)
}

/// The columns of both tables, in the order of [`fields`].
pub(super) const COLUMNS: &str = "id, kept, time, source, timing, next_hop, mx_host, address, port, starttls, \
     tls_version, cipher, outcome, reason, detail, matched, matched_text, depth, warnings, results, \
     second_look, sum";
/// Those between the number and the checksum.
const FIELDS: usize = 20;
/// Some thousandths of a second.
const PAGE: usize = 1_000;

pub(super) fn fields(kept: i64, entry: JournalEntry) -> Vec<Value> {
    let (matched, matched_text, depth) = match entry.matched {
        None => (None, None, None),
        Some(matched) => (
            Some(matched.kind.word().to_owned()),
            Some(matched.text),
            matched.depth.map(i64::from),
        ),
    };
    let next_hop = entry
        .next_hop
        .map(|next_hop| (next_hop.to_string(), next_hop));
    // One that has no spelling of its own is as good as none.
    let next_hop = next_hop.filter(|(text, next_hop)| NextHop::parse(text) == *next_hop);
    let warnings: Vec<&str> = entry
        .warnings
        .iter()
        .map(|warning| warning.word())
        .collect();
    let word = |word: Option<&'static str>| text(word.map(str::to_owned));
    vec![
        Value::Integer(kept),
        Value::Integer(number(entry.time)),
        word(Some(entry.source.word())),
        word(Some(entry.timing.word())),
        text(next_hop.map(|(text, _)| text)),
        text(entry.mx_host.map(|host| host.to_string())),
        text(entry.address.map(|address| address.to_string())),
        entry
            .port
            .map_or(Value::Null, |port| Value::Integer(i64::from(port))),
        word(entry.starttls.map(Starttls::word)),
        word(entry.tls_version.map(TlsVersion::word)),
        text(entry.cipher),
        word(Some(entry.outcome.word())),
        word(Some(entry.reason.word())),
        text(Some(entry.detail)),
        text(matched),
        text(matched_text),
        depth.map_or(Value::Null, Value::Integer),
        text(Some(warnings.join(" "))),
        text((!entry.results.is_empty()).then(|| results_text(&entry.results))),
        Value::Integer(i64::from(entry.second_look)),
    ]
}

fn text(text: Option<String>) -> Value {
    text.map_or(Value::Null, Value::Text)
}

/// One result, as it stands in the row.
type ResultWords = (String, String, String, String);

fn results_text(results: &[PolicyResult]) -> String {
    let all: Vec<(&str, &str, &str, &str)> = results
        .iter()
        .map(|result| {
            let (outcome, reason) = (result.outcome.word(), result.reason.word());
            (
                result.policy.word(),
                outcome,
                reason,
                result.detail.as_str(),
            )
        })
        .collect();
    // Texts alone: nothing in it can fail.
    serde_json::to_string(&all).unwrap_or_default()
}

/// Values are told apart by their kind, too.
pub(super) fn sum_of(id: i64, fields: &[Value]) -> Vec<u8> {
    let texts: Vec<String> = fields
        .iter()
        .map(|value| match value {
            Value::Null => "-".to_owned(),
            Value::Integer(number) => format!("i{number}"),
            Value::Real(number) => format!("r{number}"),
            Value::Text(text) => format!("t{text}"),
            Value::Blob(bytes) => format!("b{bytes:?}"),
        })
        .collect();
    sum(&id.to_string(), &texts)
}

/// The entry of a row, its number aside; none where it is not what was written, or holds words of
/// another version.
fn entry(id: i64, values: &[Value]) -> Option<JournalEntry> {
    let (written, fields) = values.split_last()?;
    if *written != Value::Blob(sum_of(id, fields)) {
        return None;
    }
    let mut fields = Fields(fields.iter());
    let _kept = fields.number()??;
    Some(JournalEntry {
        time: timestamp(i64::try_from(fields.number()??).ok()?),
        source: fields.word(SessionSource::parse)??,
        timing: fields.word(Timing::parse)??,
        next_hop: fields.word(|text| {
            let next_hop = NextHop::parse(text);
            (next_hop.to_string() == text).then_some(next_hop)
        })?,
        mx_host: fields.word(|text| DomainName::parse(text).ok().map(MxHost))?,
        address: fields.word(|text| text.parse::<IpAddr>().ok())?,
        port: fields.small()?,
        starttls: fields.word(Starttls::parse)?,
        tls_version: fields.word(TlsVersion::parse)?,
        cipher: fields.word(|text| Some(text.to_owned()))?,
        outcome: fields.word(outcome)??,
        reason: fields.word(reason)??,
        detail: fields.word(|text| Some(text.to_owned()))??,
        matched: matched(&mut fields)?,
        warnings: fields.word(warnings)??,
        results: fields.word(results)?.unwrap_or_default(),
        second_look: fields.number()?? != 0,
    })
}

/// Values in the order of [`COLUMNS`]; each call takes one.
///
/// The outer option is none where the value is not of its kind, the inner one where there is none.
struct Fields<'a>(Iter<'a, Value>);

impl Fields<'_> {
    fn word<T>(&mut self, read: impl FnOnce(&str) -> Option<T>) -> Option<Option<T>> {
        match self.0.next()? {
            Value::Null => Some(None),
            Value::Text(text) => read(text).map(Some),
            Value::Integer(_) | Value::Real(_) | Value::Blob(_) => None,
        }
    }

    fn number(&mut self) -> Option<Option<u64>> {
        match self.0.next()? {
            Value::Null => Some(None),
            Value::Integer(number) => u64::try_from(*number).ok().map(Some),
            Value::Text(_) | Value::Real(_) | Value::Blob(_) => None,
        }
    }

    fn small<T: TryFrom<u64>>(&mut self) -> Option<Option<T>> {
        match self.number()? {
            None => Some(None),
            Some(number) => T::try_from(number).ok().map(Some),
        }
    }
}

fn outcome(word: &str) -> Option<SessionOutcome> {
    let mut all = SessionOutcome::ALL.into_iter();
    all.find(|outcome| outcome.word() == word)
}

fn reason(word: &str) -> Option<Reason> {
    let mut all = Reason::ALL.iter().copied();
    all.find(|reason| reason.word() == word)
}

fn matched(fields: &mut Fields<'_>) -> Option<Option<MatchedText>> {
    let kind = fields.word(MatchedKind::parse)?;
    let text = fields.word(|text| Some(text.to_owned()))?;
    let depth = fields.small()?;
    match (kind, text) {
        (None, None) => Some(None),
        (Some(kind), Some(text)) => Some(Some(MatchedText { kind, text, depth })),
        _ => None,
    }
}

fn warnings(words: &str) -> Option<Vec<Warning>> {
    let known = |word| Warning::ALL.into_iter().find(|own| own.word() == word);
    words.split_terminator(' ').map(known).collect()
}

fn results(text: &str) -> Option<Vec<PolicyResult>> {
    let all: Vec<ResultWords> = serde_json::from_str(text).ok()?;
    let read = |(policy, own_outcome, own_reason, detail): ResultWords| {
        let policies = [PolicyKind::Dane, PolicyKind::Sts, PolicyKind::Pins];
        Some(PolicyResult {
            policy: policies.into_iter().find(|own| own.word() == policy)?,
            outcome: outcome(&own_outcome)?,
            reason: reason(&own_reason)?,
            detail,
        })
    };
    all.into_iter().map(read).collect()
}
