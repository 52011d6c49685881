//! What must hold for any rows of the state file; called by the fuzz target and by the replay of its
//! corpus.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use hoplock_policy::findings::RememberedPolicy;
use hoplock_policy::fuzzing::Bytes;
use hoplock_policy::moment::{Moment, Timestamp};
use hoplock_policy::name::{DomainName, PolicyDomain};
use rusqlite::{Connection, params};

use super::fuzzing_journal::Journal;
use super::open::SCHEMAS;
use super::rows::{self, dane_fields, sum};
use crate::store::memory::MemoryStore;
use crate::world::{KeptPolicy, Store as _};

/// The target `state`: the time, then rows, some of them damaged.
pub fn state(bytes: &[u8]) {
    let mut bytes = Bytes::new(bytes);
    let now = Moment {
        wall: time(&mut bytes),
        uptime: Duration::from_secs(8_000_000_000),
    };
    let file = empty();
    let mut expected = Expected::default();
    let mut journal = Journal::default();
    while !bytes.is_empty() {
        match bytes.byte() {
            0xf0.. => journal.row(&file, &mut bytes, now),
            kind if kind % 4 == 0 => dane_row(&file, &mut bytes, &mut expected),
            kind if kind % 4 == 1 => rule_row(&file, &mut bytes, &mut expected),
            _ => policy_row(&file, &mut bytes, &mut expected),
        }
    }
    // Whatever stands in the journal, it is no matter of the rest.
    journal.read(&file);
    let shelf = MemoryStore::new(1000);
    let loaded = rows::load(&file, &shelf, now);
    // ST-28: one bad row refuses the whole; nothing is read as if it were not there.
    assert_eq!(loaded.is_err(), expected.bad, "{:?}", loaded.err());
    let Ok(loaded) = loaded else {
        return;
    };
    let policies = shelf.policies();
    assert_eq!(policies.len(), expected.policies.len());
    for kept in &policies {
        let texts = expected.policies.get(kept.domain.0.as_str());
        let known = texts.is_some_and(|texts| texts.contains(&kept.policy.policy.text));
        assert!(known, "{}", kept.domain);
        assert!(kept.policy.fetched.uptime <= now.uptime && kept.used <= now.uptime);
        let left = kept.policy.remaining(now);
        assert!(left <= kept.policy.policy.max_age, "ST-27: {left:?}");
    }
    assert_eq!(shelf.rules_at_hand().len(), expected.rules);
    written_again(&policies, loaded.opened, now);
}

/// What the rows come to.
#[derive(Default)]
struct Expected {
    bad: bool,
    /// Texts by domain, under each spelling of it.
    policies: BTreeMap<String, Vec<String>>,
    rules: usize,
}

pub(super) fn empty() -> Connection {
    let file = Connection::open_in_memory();
    assert!(file.is_ok(), "{:?}", file.as_ref().err());
    let file = file.unwrap_or_else(|_| empty());
    for statements in SCHEMAS {
        assert_eq!(file.execute_batch(statements), Ok(()));
    }
    file
}

fn time(bytes: &mut Bytes<'_>) -> Timestamp {
    let day = 86_400_000;
    match bytes.byte() {
        0 => Timestamp(0),
        255 => Timestamp(u64::from(bytes.long()) << 10),
        days => Timestamp(1_793_491_200_000 + day * u64::from(days)),
    }
}

fn date(bytes: &mut Bytes<'_>) -> i64 {
    if bytes.byte() == 7 {
        return i64::from(bytes.long()).wrapping_mul(i64::MAX / 0xffff) - i64::from(bytes.long());
    }
    i64::try_from(time(bytes).0).unwrap_or(i64::MAX)
}

/// A checksum that is the right one, or one octet off it.
fn with_damage(mut sum: Vec<u8>, bytes: &mut Bytes<'_>, expected: &mut Expected) -> Vec<u8> {
    if bytes.byte() == 1 {
        expected.bad = true;
        let octet = sum.first_mut();
        octet.into_iter().for_each(|octet| *octet ^= 1);
    }
    sum
}

fn policy_row(file: &Connection, bytes: &mut Bytes<'_>, expected: &mut Expected) {
    let domain = if bytes.flag() {
        bytes.text()
    } else {
        bytes.name().to_string()
    };
    let (id, mut text) = (bytes.text(), bytes.text());
    if bytes.flag() {
        text = format!("version: STSv1\nmode: enforce\nmx: *.e.test\nmax_age: 604800\n{text}");
    }
    let (fetched, used) = (date(bytes), date(bytes));
    let sum = sum(&domain, &[id.as_str(), &text, &fetched.to_string()]);
    let damaged = expected.bad;
    let sum = with_damage(sum, bytes, expected);
    let written = file.execute(
        "INSERT INTO policies (domain, id, text, fetched, expires, used, sum)
         VALUES (?1, ?2, ?3, ?4, ?4, ?5, ?6)",
        params![domain, id, text, fetched, used, sum],
    );
    if written.is_err() {
        // A second row of the same key is none.
        expected.bad = damaged;
        return;
    }
    let read = hoplock_policy::sts::StsPolicy::parse(text.as_bytes()).is_ok();
    match DomainName::parse(&domain) {
        Ok(name) if read => {
            let texts = expected.policies.entry(name.to_string());
            texts.or_default().push(text);
        }
        _ => expected.bad = true,
    }
}

fn dane_row(file: &Connection, bytes: &mut Bytes<'_>, expected: &mut Expected) {
    let destination = if bytes.flag() {
        bytes.text()
    } else {
        bytes.name().to_string()
    };
    let (seen, gone) = (date(bytes), bytes.flag().then(|| date(bytes)));
    let proved = bytes.flag();
    let sum = sum(&destination, &dane_fields(seen, gone, proved));
    let damaged = expected.bad;
    let sum = with_damage(sum, bytes, expected);
    let written = file.execute(
        "INSERT INTO dane (destination, seen, gone, proved, sum) VALUES (?1, ?2, ?3, ?4, ?5)",
        params![destination, seen, gone, proved, sum],
    );
    if written.is_err() {
        expected.bad = damaged;
    } else if hoplock_policy::next_hop::NextHop::parse(&destination)
        .name()
        .is_none()
    {
        expected.bad = true;
    }
}

fn rule_row(file: &Connection, bytes: &mut Bytes<'_>, expected: &mut Expected) {
    let (pattern, text, by, added) = (bytes.text(), bytes.text(), bytes.text(), date(bytes));
    let sum = sum(&pattern, &[text.as_str(), &by, &added.to_string()]);
    let damaged = expected.bad;
    let sum = with_damage(sum, bytes, expected);
    let written = file.execute(
        "INSERT INTO rules (pattern, text, by, added, sum) VALUES (?1, ?2, ?3, ?4, ?5)",
        params![pattern, text, by, added, sum],
    );
    match written {
        Ok(_) => expected.rules += 1,
        Err(_) => expected.bad = damaged,
    }
}

/// ST-27, ST-28: what is written and read back is the same policy, and lives no longer for it.
fn written_again(policies: &[KeptPolicy], opened: rows::Opened, now: Moment) {
    let file = empty();
    for kept in policies {
        let written = rows::put_policy(&file, opened, &kept.domain, &kept.policy, kept.used);
        assert_eq!(written, Ok(()));
        let read = rows::policy(&file, &kept.domain, opened).ok().flatten();
        assert!(read.is_some(), "{}", kept.domain);
        let Some((read, _)) = read else { return };
        assert_eq!(
            (&read.policy, &read.id),
            (&kept.policy.policy, &kept.policy.id)
        );
        same_age(&read, &kept.policy, &kept.domain, now);
    }
}

fn same_age(
    read: &Arc<RememberedPolicy>,
    kept: &Arc<RememberedPolicy>,
    domain: &PolicyDomain,
    now: Moment,
) {
    let (before, after) = (kept.remaining(now), read.remaining(now));
    let rounding = Duration::from_millis(1);
    assert!(
        after <= before + rounding,
        "{domain}: {before:?}, then {after:?}"
    );
}
