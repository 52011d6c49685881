//! The keys of reports, and for how long they are kept.

use hoplock_policy::moment::Timestamp;
use hoplock_policy::name::DomainName;
use hoplock_policy::tlsrpt::Day;
use sha2::{Digest as _, Sha256};

use super::super::batch::Kind;
use super::super::client::FleetClient;
use crate::world::reports::outgoing::ReportKey;

/// Names keys.
#[derive(Clone, Copy)]
pub(super) struct Keys<'a>(pub(super) &'a FleetClient);

type Key = (String, Kind);

impl Keys<'_> {
    /// The days of which something is counted.
    pub(super) fn days(self) -> Key {
        (self.0.key("days"), Kind::Sorted)
    }

    /// The domains of a day.
    pub(super) fn domains(self, day: Day) -> Key {
        (self.day("domains", day), Kind::Sorted)
    }

    /// What each host counted of a domain on a day, by `HOST|KEY`.
    pub(super) fn tally(self, day: Day, domain: &DomainName) -> Key {
        let key = format!("{}:{}", self.day("tally", day), domain.as_str());
        (key, Kind::Hash)
    }

    /// The hosts that have closed a day.
    pub(super) fn closed(self, day: Day) -> Key {
        (self.day("closed", day), Kind::Set)
    }

    /// How many report mails each host handed over for a domain on a day.
    pub(super) fn mailed(self, day: Day, domain: &DomainName) -> Key {
        let key = format!("{}:{}", self.day("mailed", day), domain.as_str());
        (key, Kind::Hash)
    }

    /// A claimed report.
    pub(super) fn report(self, name: &str) -> Key {
        (self.0.key(&format!("report:{name}")), Kind::Text)
    }

    /// All claimed reports, by day.
    pub(super) fn reports(self) -> Key {
        (self.0.key("reports"), Kind::Sorted)
    }

    /// Those with something to be done, by time.
    pub(super) fn due(self) -> Key {
        (self.0.key("due"), Kind::Sorted)
    }

    /// A report that came.
    pub(super) fn received(self, name: &str) -> Key {
        (self.0.key(&format!("received:{name}")), Kind::Text)
    }

    /// All that came, by time.
    pub(super) fn all_received(self) -> Key {
        (self.0.key("received"), Kind::Sorted)
    }

    /// What each host said last.
    pub(super) fn beats(self) -> Key {
        (self.0.key("beats"), Kind::Hash)
    }

    /// When each host was seen last.
    pub(super) fn hosts(self) -> Key {
        (self.0.key("hosts"), Kind::Sorted)
    }

    /// Since when the server is known to remember everything.
    pub(super) fn since(self) -> Key {
        (self.0.key("since"), Kind::Text)
    }

    /// Who sends.
    pub(super) fn leader(self) -> Key {
        (self.0.key("leader"), Kind::Text)
    }

    /// The name of the installation.
    pub(super) fn installation(self) -> Key {
        (self.0.key("installation"), Kind::Text)
    }

    fn day(self, name: &str, day: Day) -> String {
        self.0.key(&format!("{name}:{}", day.number()))
    }
}

/// The name of a report in keys and indices.
pub(super) fn report_name(key: &ReportKey) -> String {
    format!("{}:{}", key.day.number(), key.domain.as_str())
}

/// The name of a report that came: whoever sends the same again sends it under the same name.
pub(super) fn received_name(organization: &str, report_id: &str) -> String {
    let mut digest = Sha256::new();
    for part in [organization, "\0", report_id] {
        digest.update(part.as_bytes());
    }
    data_encoding::HEXLOWER.encode(&digest.finalize())
}

/// When what belongs to a day expires, in seconds of the epoch; not at once for what is old.
pub(super) fn expires(day: Day, now: Timestamp) -> u64 {
    let end = day.is_over_at().0 / 1_000 + DAYS_KEPT * 86_400;
    end.max(now.0 / 1_000 + 86_400)
}

/// A report may be sent for a day after its own, is asked for by people for some more, and is made from what
/// was counted once only.
pub(super) const DAYS_KEPT: u64 = 14;
