//! The report itself: one JSON document, of one organization about one domain's policies on one day
//! (RFC 8460, 4.4).

mod file_name;
mod lenient;
mod read;
#[cfg(test)]
mod tests;

use serde::{Serialize, Serializer};

pub use self::file_name::{file_name, subject};
pub use self::read::{DocumentError, decode_document};
use super::date_time;
use super::{PolicyType, ResultType};

/// A report.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReportDocument {
    /// Who reports.
    pub organization_name: String,
    /// The start of the time that is covered, in seconds since 1970.
    pub begins: u64,
    /// Its end: the last second of a day.
    pub ends: u64,
    /// An address of somebody who can say more; empty where the sender leaves it out.
    pub contact_info: String,
    /// Unique among the reports of that organization.
    pub report_id: String,
    /// What came of sessions under each policy.
    pub policies: Vec<PolicySection>,
}

/// What came of sessions under one policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolicySection {
    /// The policy.
    pub policy: AppliedPolicy,
    /// Sessions that kept it (`total-successful-session-count`).
    pub successful: u64,
    /// Sessions that did not (`total-failure-session-count`).
    pub failed: u64,
    /// What went wrong, as the sender counts it; it need not add up to the total.
    pub failures: Vec<FailureSection>,
}

/// A policy as the sender knew it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct AppliedPolicy {
    /// Its kind.
    #[serde(rename = "policy-type")]
    pub kind: DocumentPolicyType,
    /// TLSA records in presentation format, or the policy's lines.
    // RFC 8460, 4.4: "an array of strings", for TLSA and MTA-STS alike.
    #[serde(rename = "policy-string", skip_serializing_if = "Vec::is_empty")]
    pub strings: Vec<String>,
    /// For DANE the TLSA base domain, for MTA-STS the policy domain, else the destination.
    #[serde(rename = "policy-domain")]
    pub domain: String,
    /// The `mx` patterns of an MTA-STS policy.
    // RFC 8460, 4.4: of "sts" alone; an array, whatever the example of appendix B shows.
    #[serde(rename = "mx-host", skip_serializing_if = "Vec::is_empty")]
    pub mx_hosts: Vec<String>,
}

/// Something that went wrong, and in how many sessions. What is not known is absent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct FailureSection {
    /// What.
    #[serde(rename = "result-type")]
    pub result: DocumentResult,
    /// Where the sessions came from.
    #[serde(rename = "sending-mta-ip", skip_serializing_if = "Option::is_none")]
    pub sending_ip: Option<String>,
    /// The host.
    #[serde(
        rename = "receiving-mx-hostname",
        skip_serializing_if = "Option::is_none"
    )]
    pub mx_host: Option<String>,
    /// What it called itself.
    #[serde(rename = "receiving-mx-helo", skip_serializing_if = "Option::is_none")]
    pub helo: Option<String>,
    /// Its address.
    #[serde(rename = "receiving-ip", skip_serializing_if = "Option::is_none")]
    pub receiving_ip: Option<String>,
    /// Sessions; 0 where the sender does not say.
    #[serde(rename = "failed-session-count")]
    pub count: u64,
    /// Where more can be read, or more words.
    #[serde(
        rename = "additional-information",
        skip_serializing_if = "Option::is_none"
    )]
    pub additional: Option<String>,
    /// The sender's own word for the reason.
    #[serde(
        rename = "failure-reason-code",
        skip_serializing_if = "Option::is_none"
    )]
    pub reason: Option<String>,
}

/// The kind of a policy, as documents name it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum DocumentPolicyType {
    /// `tlsa`: DANE.
    Tlsa,
    /// `sts`: MTA-STS.
    Sts,
    /// `no-policy-found`: neither.
    NoPolicyFound,
    /// A word that RFC 8460 does not have.
    Other(String),
}

/// What went wrong, as documents name it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum DocumentResult {
    /// A registered result type.
    Known(ResultType),
    /// A word that is not registered, or not yet.
    Other(String),
}

impl ReportDocument {
    /// The JSON, with each member that RFC 8460, 4.4 lists, in its order.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        // Texts, numbers and lists always have a JSON form.
        serde_json::to_vec(self).unwrap_or_default()
    }

    /// Sessions that kept their policy, all policies together.
    #[must_use]
    pub fn successful(&self) -> u64 {
        let counts = self.policies.iter().map(|section| section.successful);
        counts.fold(0, u64::saturating_add)
    }

    /// Sessions that did not.
    #[must_use]
    pub fn failed(&self) -> u64 {
        let counts = self.policies.iter().map(|section| section.failed);
        counts.fold(0, u64::saturating_add)
    }
}

impl FailureSection {
    /// The failure, and nothing known beside it.
    #[must_use]
    pub fn of(result: ResultType, count: u64) -> Self {
        Self {
            result: DocumentResult::Known(result),
            sending_ip: None,
            mx_host: None,
            helo: None,
            receiving_ip: None,
            count,
            additional: None,
            reason: None,
        }
    }
}

impl DocumentPolicyType {
    /// Its word.
    #[must_use]
    pub fn word(&self) -> &str {
        match self {
            Self::Tlsa => "tlsa",
            Self::Sts => "sts",
            Self::NoPolicyFound => "no-policy-found",
            Self::Other(word) => word,
        }
    }

    /// Reads a word.
    #[must_use]
    pub fn parse(word: &str) -> Self {
        match word {
            "tlsa" => Self::Tlsa,
            "sts" => Self::Sts,
            "no-policy-found" => Self::NoPolicyFound,
            other => Self::Other(other.to_owned()),
        }
    }
}

impl From<PolicyType> for DocumentPolicyType {
    /// A number that libtlsrpt has not given out yet names no policy that a report could name.
    fn from(kind: PolicyType) -> Self {
        kind.word().map_or(Self::NoPolicyFound, Self::parse)
    }
}

impl DocumentResult {
    /// Its word.
    #[must_use]
    pub fn word(&self) -> &str {
        match self {
            Self::Known(known) => known.word(),
            Self::Other(word) => word,
        }
    }

    /// Reads a word.
    #[must_use]
    pub fn parse(word: &str) -> Self {
        let known = ResultType::parse(word).map(Self::Known);
        known.unwrap_or_else(|| Self::Other(word.to_owned()))
    }
}

impl Serialize for ReportDocument {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let written = Written {
            organization_name: &self.organization_name,
            date_range: DateRange {
                // RFC 8460, 4.4: date-times of RFC 3339, in UTC.
                start: date_time::written(self.begins),
                end: date_time::written(self.ends),
            },
            contact_info: &self.contact_info,
            report_id: &self.report_id,
            policies: self.policies.iter().map(Section::of).collect(),
        };
        written.serialize(serializer)
    }
}

impl Serialize for DocumentPolicyType {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.word())
    }
}

impl Serialize for DocumentResult {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.word())
    }
}

#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct Written<'a> {
    organization_name: &'a str,
    date_range: DateRange,
    contact_info: &'a str,
    report_id: &'a str,
    policies: Vec<Section<'a>>,
}

#[derive(Serialize)]
struct DateRange {
    #[serde(rename = "start-datetime")]
    start: String,
    #[serde(rename = "end-datetime")]
    end: String,
}

#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct Section<'a> {
    policy: &'a AppliedPolicy,
    summary: Summary,
    failure_details: &'a [FailureSection],
}

#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct Summary {
    total_successful_session_count: u64,
    total_failure_session_count: u64,
}

impl<'a> Section<'a> {
    fn of(own: &'a PolicySection) -> Self {
        Self {
            policy: &own.policy,
            summary: Summary {
                total_successful_session_count: own.successful,
                total_failure_session_count: own.failed,
            },
            // RP-08: there even where it is empty.
            failure_details: &own.failures,
        }
    }
}
