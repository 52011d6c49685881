//! Sessions as counters (RFC 8460, 4.2 and 4.3): each is a text that says what is counted, and a number.
//! Counters of the same text add up, whoever counted them: over seconds, hosts and restarts.

use std::collections::BTreeMap;
use std::net::IpAddr;

use hoplock_wire::tlsrpt::{PolicyType, ResultType};
use serde::{Deserialize, Serialize};

/// What one or more sessions add.
pub type Counts = BTreeMap<Counter, u64>;

/// What is counted, for one domain and one day.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Counter {
    /// Sessions that kept a policy.
    #[serde(rename = "ok")]
    Successful(TalliedPolicy),
    /// Sessions that did not.
    #[serde(rename = "failed")]
    Failed(TalliedPolicy),
    /// Sessions in which this went wrong, whatever they came to.
    #[serde(rename = "detail")]
    Detail(TalliedPolicy, TalliedFailure),
    /// How often a mail server told of this TLSRPT record.
    #[serde(rename = "record")]
    Record(String),
}

impl Counter {
    /// The text by which stores know it.
    #[must_use]
    pub fn key(&self) -> String {
        // Texts, numbers and lists always have a JSON form.
        serde_json::to_string(self).unwrap_or_default()
    }

    /// Reads it back; `None` for what another version wrote, or nobody.
    #[must_use]
    pub fn parse(key: &str) -> Option<Self> {
        serde_json::from_str(key).ok()
    }
}

/// A policy that sessions were under (RFC 8460, 4.4).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct TalliedPolicy {
    /// Its kind.
    #[serde(rename = "t")]
    pub kind: PolicyType,
    /// For DANE the TLSA base domain, for MTA-STS the policy domain, else the destination (RP-06).
    #[serde(rename = "d")]
    pub domain: String,
    /// TLSA records in presentation format, or the policy's lines (RP-07).
    #[serde(rename = "s", default, skip_serializing_if = "Vec::is_empty")]
    pub strings: Vec<String>,
    /// The `mx` patterns of an MTA-STS policy.
    #[serde(rename = "m", default, skip_serializing_if = "Vec::is_empty")]
    pub mx_hosts: Vec<String>,
}

/// Something that went wrong; equal ones add up (RP-09).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct TalliedFailure {
    /// One of the eleven (RP-03).
    #[serde(rename = "c", with = "result_type")]
    pub result: ResultType,
    /// Where the session came from.
    #[serde(rename = "s", default, skip_serializing_if = "Option::is_none")]
    pub sending_ip: Option<IpAddr>,
    /// The host.
    #[serde(rename = "n", default, skip_serializing_if = "Option::is_none")]
    pub mx_host: Option<String>,
    /// What it called itself.
    #[serde(rename = "h", default, skip_serializing_if = "Option::is_none")]
    pub helo: Option<String>,
    /// Its address.
    #[serde(rename = "r", default, skip_serializing_if = "Option::is_none")]
    pub receiving_ip: Option<IpAddr>,
    /// More words.
    #[serde(rename = "a", default, skip_serializing_if = "Option::is_none")]
    pub additional: Option<String>,
    /// The reason's own word.
    #[serde(rename = "f", default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

impl TalliedFailure {
    /// The failure, and nothing known beside it.
    #[must_use]
    pub fn of(result: ResultType) -> Self {
        Self {
            result,
            sending_ip: None,
            mx_host: None,
            helo: None,
            receiving_ip: None,
            additional: None,
            reason: None,
        }
    }
}

/// As its word.
mod result_type {
    use hoplock_wire::tlsrpt::ResultType;
    use serde::de::Error as _;
    use serde::{Deserialize as _, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(
        result: &ResultType,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(result.word())
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<ResultType, D::Error> {
        let word = String::deserialize(deserializer)?;
        ResultType::parse(&word).ok_or_else(|| D::Error::custom("no result type"))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    /// RP-09: a counter is its text, and reads back.
    #[test]
    fn counters_read_back() {
        let policy = TalliedPolicy {
            kind: PolicyType::Sts,
            domain: "a.test".to_owned(),
            strings: vec!["version: STSv1".to_owned()],
            mx_hosts: vec!["*.a.test".to_owned()],
        };
        let failure = TalliedFailure {
            receiving_ip: Some("2001:db8::1".parse().unwrap()),
            ..TalliedFailure::of(ResultType::CertificateExpired)
        };
        for counter in [
            Counter::Successful(policy.clone()),
            Counter::Failed(policy.clone()),
            Counter::Detail(policy, failure),
            Counter::Record("v=TLSRPTv1; rua=mailto:r@a.test".to_owned()),
        ] {
            assert_eq!(Counter::parse(&counter.key()), Some(counter));
        }
        assert_eq!(Counter::parse("{\"later\":1}"), None);
    }
}
