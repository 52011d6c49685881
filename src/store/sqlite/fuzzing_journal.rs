//! What must hold for any rows of the journal: part of the target `state`.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use hoplock_policy::fuzzing::Bytes;
use hoplock_policy::moment::{Moment, Timestamp};
use hoplock_policy::name::MxHost;
use hoplock_policy::next_hop::NextHop;
use hoplock_policy::reason::Reason;
use hoplock_policy::verify::{
    PolicyKind, PolicyResult, SessionOutcome, Starttls, TlsVersion, Warning,
};
use rusqlite::types::Value;
use rusqlite::{Connection, params_from_iter};

use super::fuzzing::empty;
use super::journal::{self, COLUMNS, Table, fields, sum_of};
use crate::world::{JournalEntry, JournalQuery, MatchedKind, MatchedText, SessionSource, Timing};

/// What stands in the journal.
#[derive(Default)]
pub(super) struct Journal {
    rows: usize,
    /// Written as entries are, with their numbers.
    whole: Vec<(i64, JournalEntry)>,
    last: i64,
}

impl Journal {
    /// One more row: an entry, or an entry with some values changed, or with its checksum spoilt.
    pub(super) fn row(&mut self, file: &Connection, bytes: &mut Bytes<'_>, now: Moment) {
        let entry = entry(bytes).bounded(now);
        assert_eq!(entry.clone().bounded(now).time, entry.time);
        self.last += 1;
        self.rows += 1;
        let id = self.last;
        if bytes.flag() {
            let written = journal::put(file, id, [(7, entry.clone())].into_iter());
            assert_eq!(written, Ok(()));
            self.whole.push((id, entry));
            return;
        }
        let table = if bytes.flag() {
            Table::Alarms
        } else {
            Table::Others
        };
        let mut fields = fields(i64::from(bytes.long()), entry);
        for _ in 0..bytes.byte() % 4 {
            let at = usize::from(bytes.byte());
            let value = value(bytes);
            let field = fields.get_mut(at);
            field.into_iter().for_each(|field| *field = value.clone());
        }
        let sum = match bytes.byte() % 4 {
            0 => value(bytes),
            _ => Value::Blob(sum_of(id, &fields)),
        };
        let places = "?, ".repeat(fields.len() + 1);
        let insert = format!(
            "INSERT INTO {} ({COLUMNS}) VALUES ({places}?)",
            table.name()
        );
        let row = std::iter::once(Value::Integer(id)).chain(fields);
        let written = file.execute(&insert, params_from_iter(row.chain([sum])));
        assert_eq!(written, Ok(1));
    }

    /// SV-11: every whole entry is read as it was, the others are left out one by one, and all of them
    /// can be taken out.
    pub(super) fn read(&self, file: &Connection) {
        let query = JournalQuery {
            limit: usize::MAX,
            ..JournalQuery::default()
        };
        let (mut found, mut damaged, mut next) = (Vec::new(), 0, Some(i64::MAX));
        while let Some(before) = next {
            let page = journal::page(file, &query, before, usize::MAX);
            assert!(page.is_ok(), "{:?}", page.err());
            let Ok(page) = page else { return };
            damaged += page.damaged;
            found.extend(page.found);
            next = page.next;
        }
        assert_eq!(found.len() + damaged, self.rows);
        let rising = found.iter().rev().map(|(id, _)| *id);
        assert!(rising.is_sorted_by(|left, right| left < right));
        for (id, entry) in &self.whole {
            let id = u64::try_from(*id).unwrap_or(0);
            let read = found.iter().find(|(own, _)| *own == id);
            assert_eq!(read.map(|(_, entry)| entry), Some(entry));
        }
        // What could be read, whoever wrote it, is the same when it is written again.
        let again = empty();
        for (id, entry) in &found {
            let id = i64::try_from(*id).unwrap_or(0);
            assert_eq!(
                journal::put(&again, id, [(7, entry.clone())].into_iter()),
                Ok(())
            );
            let page = journal::page(&again, &query, id + 1, 1).ok();
            let read = page.and_then(|page| page.found.into_iter().next());
            assert_eq!(read.as_ref().map(|(_, entry)| entry), Some(entry));
        }
        let counted = |table| journal::count(file, table).unwrap_or(usize::MAX);
        for table in [Table::Alarms, Table::Others] {
            let rows = counted(table);
            let old = journal::drop_old(file, table, 3, i64::from(u16::MAX));
            assert_eq!(counted(table) + old.unwrap_or(0), rows);
            let left = counted(table);
            assert_eq!(journal::drop_oldest(file, table, rows), Ok(left));
            assert_eq!(counted(table), 0);
        }
    }
}

fn value(bytes: &mut Bytes<'_>) -> Value {
    match bytes.byte() % 6 {
        0 => Value::Null,
        1 => Value::Integer(i64::from(bytes.long()) - i64::from(u16::MAX)),
        2 => Value::Real(f64::from(bytes.long())),
        3 => Value::Blob(bytes.text().into_bytes()),
        4 => Value::Integer(i64::MIN),
        _ => Value::Text(bytes.text()),
    }
}

fn entry(bytes: &mut Bytes<'_>) -> JournalEntry {
    let outcome = bytes.pick(&SessionOutcome::ALL, SessionOutcome::Failed);
    let next_hop = match bytes.byte() % 4 {
        0 => None,
        1 => Some(NextHop::parse(&bytes.text())),
        2 => Some(NextHop::parse(&format!("[{}]:587", bytes.name()))),
        _ => Some(NextHop::parse(bytes.name().as_str())),
    };
    let address = match bytes.byte() % 3 {
        0 => None,
        1 => Some(IpAddr::V4(Ipv4Addr::from_bits(bytes.long()))),
        _ => Some(IpAddr::V6(Ipv6Addr::from_bits(
            u128::from(bytes.long()) << 17,
        ))),
    };
    let some = |bytes: &mut Bytes<'_>| bytes.flag().then(|| bytes.text());
    let starttls = [
        Starttls::Used,
        Starttls::NotOffered,
        Starttls::Refused,
        Starttls::Failed,
    ];
    let versions = [
        TlsVersion::Ssl,
        TlsVersion::Tls10,
        TlsVersion::Tls11,
        TlsVersion::Tls13,
    ];
    JournalEntry {
        time: Timestamp(u64::from(bytes.long()) << 12),
        source: bytes.pick(SessionSource::ALL, SessionSource::Probe),
        timing: bytes.pick(Timing::ALL, Timing::AfterDelivery),
        next_hop,
        mx_host: bytes.flag().then(|| MxHost(bytes.name())),
        address,
        port: bytes.flag().then(|| bytes.number()),
        starttls: bytes.flag().then(|| bytes.pick(&starttls, Starttls::Used)),
        tls_version: bytes
            .flag()
            .then(|| bytes.pick(&versions, TlsVersion::Tls12)),
        cipher: some(bytes),
        outcome,
        reason: bytes.pick(Reason::ALL, Reason::Internal),
        detail: bytes.text(),
        matched: bytes.flag().then(|| MatchedText {
            kind: bytes.pick(MatchedKind::ALL, MatchedKind::Pin),
            text: bytes.text(),
            depth: bytes.flag().then(|| bytes.long()),
        }),
        warnings: (0..bytes.byte() % 8)
            .map(|_| bytes.pick(&Warning::ALL, Warning::StaleCache))
            .collect(),
        results: (0..bytes.byte() % 8)
            .map(|_| PolicyResult {
                policy: bytes.pick(&[PolicyKind::Dane, PolicyKind::Sts], PolicyKind::Pins),
                outcome,
                reason: bytes.pick(Reason::ALL, Reason::Internal),
                detail: bytes.text(),
            })
            .collect(),
        second_look: bytes.flag(),
    }
}
