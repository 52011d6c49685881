//! One order, as it is stored and told.

use hoplock_policy::dns::{Question, RecordType};
use hoplock_policy::moment::Timestamp;
use hoplock_policy::name::DomainName;
use serde::{Deserialize, Serialize};

use crate::world::StoredRule;

/// To survive a destination's DNSSEC trouble.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Order {
    /// The destination.
    pub domain: DomainName,
    /// The zone that validation is to be set aside for.
    pub zone: DomainName,
    /// The lookup that failed.
    pub question: Question,
    /// Why, with the resolver's own words.
    pub trouble: String,
    /// Who says so.
    pub by: String,
    /// Since when.
    pub added: Timestamp,
    /// Until when.
    pub expires: Timestamp,
    /// Why.
    pub comment: String,
}

/// What is stored beside destination, person and time.
#[derive(Serialize, Deserialize)]
struct Written {
    zone: String,
    name: String,
    record_type: String,
    trouble: String,
    expires: u64,
    comment: String,
}

impl Order {
    /// True once its time is over.
    #[must_use]
    pub fn is_over(&self, now: Timestamp) -> bool {
        self.expires <= now
    }

    /// The commands that set validation aside, in the words of unbound-control(8). What was found false
    /// before is still in its cache.
    #[must_use]
    pub fn to_add(&self) -> [String; 2] {
        [
            format!("unbound-control insecure_add {}.", self.zone),
            format!("unbound-control flush_zone {}.", self.zone),
        ]
    }

    /// The line of unbound.conf(5) that does the same over a restart.
    #[must_use]
    pub fn line(&self) -> String {
        format!("domain-insecure: \"{}.\"", self.zone)
    }

    /// The commands that put validation back.
    #[must_use]
    pub fn to_remove(&self) -> [String; 2] {
        [
            format!("unbound-control insecure_remove {}.", self.zone),
            format!("unbound-control flush_zone {}.", self.zone),
        ]
    }

    pub(super) fn stored(&self) -> StoredRule {
        let written = Written {
            zone: self.zone.to_string(),
            name: self.question.name.to_string(),
            record_type: self.question.record_type.to_string(),
            trouble: self.trouble.clone(),
            expires: self.expires.0,
            comment: self.comment.clone(),
        };
        StoredRule {
            pattern: format!("{PREFIX}{}", self.domain),
            // Texts and numbers have a form always.
            text: serde_json::to_string(&written).unwrap_or_default(),
            by: self.by.clone(),
            added: self.added,
        }
    }

    pub(super) fn read(stored: &StoredRule) -> Option<Self> {
        let domain = stored.pattern.strip_prefix(PREFIX)?;
        let written: Written = serde_json::from_str(&stored.text).ok()?;
        let types = [
            RecordType::A,
            RecordType::Aaaa,
            RecordType::Cname,
            RecordType::Mx,
            RecordType::Soa,
            RecordType::Srv,
            RecordType::Tlsa,
            RecordType::Txt,
        ];
        let mut types = types.into_iter();
        let record_type = types.find(|own| own.to_string() == written.record_type)?;
        Some(Self {
            domain: DomainName::parse(domain).ok()?,
            zone: DomainName::parse(&written.zone).ok()?,
            question: Question::new(DomainName::parse(&written.name).ok()?, record_type),
            trouble: written.trouble,
            by: stored.by.clone(),
            added: stored.added,
            expires: Timestamp(written.expires),
            comment: written.comment,
        })
    }
}

/// No pattern of a rule can begin so.
pub(super) const PREFIX: &str = "dnssec:";

pub(super) fn is_order(stored: &StoredRule) -> bool {
    stored.pattern.starts_with(PREFIX)
}
