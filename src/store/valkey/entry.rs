//! A policy as the fleet shares it: one text, with the time of its fetch in front, where a script of the
//! server can compare it, and a checksum.
//!
//! ```text
//! 0001795737600000 SHA256-IN-HEX
//! {"v":1,"domain":"example.com","id":"2026","text":"version: STSv1\r\n…"}
//! ```
//!
//! Whoever can write there can write anything: an entry is evidence only as far as it says what is true of
//! any policy, and is read with the same suspicion as an answer from outside.

use std::sync::Arc;
use std::time::Duration;

use hoplock_policy::findings::RememberedPolicy;
use hoplock_policy::moment::{Moment, Timestamp};
use hoplock_policy::name::PolicyDomain;
use hoplock_policy::sts::StsPolicy;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::world::EARLIEST;

/// What the fleet says of a domain.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Entry {
    /// This policy.
    Policy(Arc<RememberedPolicy>),
    /// What was fetched up to this time is over: by the domain's own word, or the operator's.
    Over(Timestamp),
}

/// Why an entry is passed over.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum BadEntry {
    #[error("it is not what was written")]
    Sum,
    #[error("it cannot be read: {0}")]
    Form(String),
    #[error("it is of another domain")]
    Domain,
    #[error("it is from the future: a clock of the fleet is wrong")]
    Future,
    #[error("it has expired")]
    Expired,
    #[error("this host's own clock is wrong")]
    OurClock,
}

#[derive(Serialize, Deserialize)]
struct Form {
    #[serde(rename = "v")]
    version: u32,
    domain: String,
    #[serde(default)]
    id: String,
    /// None: over.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    text: Option<String>,
}

/// Writes a policy, and says how long the entry is worth keeping; `None` where it is over, or this clock
/// cannot say.
pub(super) fn write_policy(
    domain: &PolicyDomain,
    policy: &RememberedPolicy,
    now: Moment,
) -> Option<(String, Duration)> {
    let left = policy.remaining(now);
    if left.is_zero() || now.wall < EARLIEST {
        return None;
    }
    let form = Form {
        version: VERSION,
        domain: domain.0.as_str().to_owned(),
        id: policy.id.clone(),
        text: Some(policy.policy.text.clone()),
    };
    Some((sealed(fetched(policy, now), &form), left))
}

/// Writes that what was fetched up to `stamp` is over.
pub(super) fn write_over(domain: &PolicyDomain, stamp: Timestamp) -> String {
    let form = Form {
        version: VERSION,
        domain: domain.0.as_str().to_owned(),
        id: String::new(),
        text: None,
    };
    sealed(stamp, &form)
}

/// Reads an entry, as of `now` on this host.
pub(super) fn read(bytes: &[u8], domain: &PolicyDomain, now: Moment) -> Result<Entry, BadEntry> {
    let form = |why: &str| BadEntry::Form(why.to_owned());
    if now.wall < EARLIEST {
        return Err(BadEntry::OurClock);
    }
    let text = std::str::from_utf8(bytes).map_err(|_| form("it is no text"))?;
    let (head, body) = text
        .split_once('\n')
        .ok_or_else(|| form("it has no head"))?;
    let (stamp, sum) = head.split_once(' ').ok_or_else(|| form("it has no sum"))?;
    if sum != sum_of(stamp, body) {
        return Err(BadEntry::Sum);
    }
    let stamp = Timestamp(stamp.parse().map_err(|_| form("it has no time"))?);
    let read: Form = serde_json::from_str(body).map_err(|error| form(&error.to_string()))?;
    if read.version != VERSION {
        return Err(form("it is of another version of hoplock"));
    }
    if read.domain != domain.0.as_str() {
        return Err(BadEntry::Domain);
    }
    if stamp.0 > latest(now).0 {
        return Err(BadEntry::Future);
    }
    let Some(text) = read.text else {
        return Ok(Entry::Over(stamp));
    };
    let policy = StsPolicy::parse(text.as_bytes()).map_err(|why| form(&why.to_string()))?;
    // Its age is that of its fetch, by both clocks: nothing prolongs it (ST-27). What a clock that is a
    // little ahead wrote was fetched just now, by ours.
    let age = Duration::from_millis(now.wall.0.saturating_sub(stamp.0));
    let fetched = Moment {
        wall: Timestamp(stamp.0.min(now.wall.0)),
        uptime: now.uptime.checked_sub(age).ok_or(BadEntry::Expired)?,
    };
    let remembered = RememberedPolicy {
        policy,
        id: read.id,
        fetched,
    };
    if remembered.remaining(now).is_zero() {
        return Err(BadEntry::Expired);
    }
    Ok(Entry::Policy(Arc::new(remembered)))
}

/// When a policy was fetched, by the wall clock as it is now: the one at the time may have been wrong. Where
/// both agree it is the time that was noted, to the millisecond, on whichever host.
pub(super) fn fetched(policy: &RememberedPolicy, now: Moment) -> Timestamp {
    let age = now.uptime.saturating_sub(policy.fetched.uptime);
    let age = u64::try_from(age.as_millis()).unwrap_or(u64::MAX);
    let reckoned = now.wall.0.saturating_sub(age);
    let noted = policy.fetched.wall;
    if noted.0.abs_diff(reckoned) <= DRIFT_MILLIS && noted <= now.wall {
        return noted;
    }
    Timestamp(reckoned)
}

/// The head by which scripts compare entries.
pub(super) fn head(stamp: Timestamp) -> String {
    format!("{:016}", stamp.0)
}

/// The latest time that another host's clock may tell while ours tells `now`.
pub(super) fn latest(now: Moment) -> Timestamp {
    Timestamp(now.wall.0.saturating_add(SKEW_MILLIS))
}

fn sealed(stamp: Timestamp, form: &Form) -> String {
    // Texts and numbers always have a JSON form.
    let body = serde_json::to_string(form).unwrap_or_default();
    let stamp = head(stamp);
    format!("{stamp} {}\n{body}", sum_of(&stamp, &body))
}

fn sum_of(stamp: &str, body: &str) -> String {
    let mut digest = Sha256::new();
    for part in [stamp, "\n", body] {
        digest.update(part.as_bytes());
    }
    data_encoding::HEXLOWER.encode(&digest.finalize())
}

const VERSION: u32 = 1;
/// Times of one fetch that went over several clocks differ by so little; two fetches never do.
pub(super) const SAME_FETCH: Duration = Duration::from_millis(5);
/// A clock that is kept right is moved by less.
const DRIFT_MILLIS: u64 = 2_000;
/// Clocks of mail hosts are set by the network; two minutes are a fault already.
const SKEW_MILLIS: u64 = 120_000;

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use hoplock_policy::name::DomainName;

    use super::*;

    const NOW: Moment = Moment {
        wall: Timestamp(1_795_737_600_000),
        uptime: Duration::from_secs(86_400 * 700),
    };
    const TEXT: &str = "version: STSv1\r\nmode: enforce\r\nmx: *.a.test\r\nmax_age: 86400\r\n";

    fn domain(name: &str) -> PolicyDomain {
        PolicyDomain(DomainName::parse(name).unwrap())
    }

    fn policy(fetched: Moment) -> RememberedPolicy {
        RememberedPolicy {
            policy: StsPolicy::parse(TEXT.as_bytes()).unwrap(),
            id: "i1".to_owned(),
            fetched,
        }
    }

    fn later(seconds: u64) -> Moment {
        NOW.later(Duration::from_secs(seconds))
    }

    /// Reads back with its age, on a host whose clocks began elsewhere, and lives no longer for it.
    #[test]
    fn an_entry_ages_from_its_fetch() {
        let own = domain("a.test");
        let (text, left) = write_policy(&own, &policy(NOW), later(400)).unwrap();
        assert_eq!(left, Duration::from_secs(86_000));
        let there = Moment {
            wall: later(1_000).wall,
            uptime: Duration::from_secs(86_400 * 800),
        };
        let Ok(Entry::Policy(found)) = read(text.as_bytes(), &own, there) else {
            panic!("readable");
        };
        assert_eq!(
            (found.id.as_str(), found.policy.text.as_str()),
            ("i1", TEXT)
        );
        assert_eq!(found.fetched.wall, NOW.wall);
        assert_eq!(found.remaining(there), Duration::from_secs(85_400));
        let over = there.later(Duration::from_secs(85_400));
        assert_eq!(read(text.as_bytes(), &own, over), Err(BadEntry::Expired));
        assert_eq!(write_policy(&own, &policy(NOW), later(86_400)), None);
    }

    #[test]
    fn what_is_wrong_is_passed_over() {
        let own = domain("a.test");
        let (text, _) = write_policy(&own, &policy(NOW), NOW).unwrap();
        let read_at = |text: &str, now| read(text.as_bytes(), &own, now);
        let behind = |seconds: u64| Moment {
            wall: Timestamp(NOW.wall.0 - seconds * 1_000),
            ..NOW
        };
        // A little ahead is now; far ahead is no time at all.
        let Ok(Entry::Policy(ahead)) = read_at(&text, behind(120)) else {
            panic!("readable");
        };
        assert_eq!(ahead.fetched, behind(120));
        assert_eq!(read_at(&text, behind(121)), Err(BadEntry::Future));
        let unset = Moment {
            wall: Timestamp(5),
            ..NOW
        };
        assert_eq!(read_at(&text, unset), Err(BadEntry::OurClock));
        assert_eq!(write_policy(&own, &policy(unset), unset), None);
        let other = read(text.as_bytes(), &domain("b.test"), NOW);
        assert_eq!(other, Err(BadEntry::Domain));
        for changed in [
            text.replace("86400", "96400"),
            text.replacen("00017957", "00017958", 1),
            text.replace("\"i1\"", "\"i2\""),
        ] {
            assert_eq!(read_at(&changed, NOW), Err(BadEntry::Sum), "{changed}");
        }
        for garbage in ["", "\n", " \n", "1 2\n3"] {
            assert!(read_at(garbage, NOW).is_err());
        }
        let over = write_over(&own, NOW.wall);
        assert_eq!(read_at(&over, NOW), Ok(Entry::Over(NOW.wall)));
        for body in [
            "",
            "{}",
            "{\"v\":2,\"domain\":\"a.test\"}",
            "{\"v\":1,\"domain\":\"a.test\",\"text\":\"x\"}",
        ] {
            let stamp = head(NOW.wall);
            let sealed = format!("{stamp} {}\n{body}", sum_of(&stamp, body));
            assert!(
                matches!(read_at(&sealed, NOW), Err(BadEntry::Form(_))),
                "{body}"
            );
        }
    }
}
