//! A datagram of libtlsrpt as counters: the mail server's own word, as it is.

use hoplock_policy::name::DomainName;
use hoplock_policy::tlsa::TlsaRecord;
use hoplock_wire::tlsrpt::{
    FailureCode, FailureDetail, FinalResult, PolicyReport, PolicyType, ResultType, TlsrptReport,
};

use super::texts::{helo, short};
use crate::world::reports::tally::{Counter, Counts, TalliedFailure, TalliedPolicy};

/// What a datagram adds: for each policy one session, and each failure on its way.
pub(super) fn counts(report: &TlsrptReport) -> Counts {
    let mut counts = Counts::new();
    let mut add = |counter| *counts.entry(counter).or_default() += 1;
    for own in &report.policies {
        let policy = policy(own);
        for failure in &own.failures {
            add(Counter::Detail(policy.clone(), failed(failure)));
        }
        add(match own.result {
            FinalResult::Success => Counter::Successful(policy),
            FinalResult::Failure => Counter::Failed(policy),
        });
    }
    if let Some(record) = Some(&report.record).filter(|record| record.len() <= LONGEST_RECORD) {
        add(Counter::Record(record.clone()));
    }
    counts
}

fn policy(own: &PolicyReport) -> TalliedPolicy {
    let domain = DomainName::parse(&own.domain);
    let strings = own.policy_strings.iter();
    let mut strings: Vec<String> = match own.kind {
        PolicyType::Tlsa => strings.map(|text| record(text)).collect(),
        _ => strings.filter_map(|text| short(text)).collect(),
    };
    if own.kind == PolicyType::Tlsa {
        // The order of records in an answer says nothing, and would count one policy as several.
        strings.sort_unstable();
        strings.dedup();
    }
    strings.truncate(MOST_STRINGS);
    let patterns = own.mx_hosts.iter().filter_map(|text| short(text));
    TalliedPolicy {
        kind: own.kind,
        domain: domain.map_or_else(
            |_| short(&own.domain).unwrap_or_default(),
            |name| name.to_string(),
        ),
        strings,
        mx_hosts: patterns.take(MOST_STRINGS).collect(),
    }
}

/// As the zone file has it, in one spelling.
fn record(text: &str) -> String {
    match text.parse::<TlsaRecord>() {
        Ok(record) => record.to_string(),
        Err(_) => short(text).unwrap_or_default(),
    }
}

fn failed(own: &FailureDetail) -> TalliedFailure {
    let text = |text: &Option<String>| text.as_deref().and_then(short);
    let (result, unknown) = match own.code {
        FailureCode::Known(result) => (result, None),
        // RP-03: what has no word is a validation failure, with its number beside.
        FailureCode::Unknown(code) => (ResultType::ValidationFailure, Some(format!("code {code}"))),
    };
    TalliedFailure {
        result,
        sending_ip: own.sending_ip,
        mx_host: text(&own.mx_host),
        helo: own.ehlo.as_deref().and_then(helo),
        receiving_ip: own.receiving_ip,
        additional: text(&own.additional),
        reason: text(&own.reason).or(unknown),
    }
}

/// More lines no policy needs, and no RRset that Postfix looks through has more records.
const MOST_STRINGS: usize = 40;
/// A TXT record of two strings.
const LONGEST_RECORD: usize = 1_024;

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use hoplock_wire::tlsrpt::decode;

    use super::*;

    const EHLO: &str = "250-mx.d.test\\r\\n250 STARTTLS";

    fn counted(datagrams: &[String]) -> Counts {
        let mut all = Counts::new();
        for datagram in datagrams {
            for (counter, count) in counts(&decode(datagram.as_bytes()).unwrap()) {
                *all.entry(counter).or_default() += count;
            }
        }
        all
    }

    fn dane(records: &[&str], details: &str, result: u8) -> String {
        let records = serde_json::to_string(records).unwrap();
        format!(
            r#"{{"d":"d.test","pr":"v=TLSRPTv1;rua=mailto:r@d.test","policies":[{{"policy-type":1,
            "policy-domain":"MX.d.test","policy-string":{records},"failure-details":[{details}],"t":0,"f":{result}}}]}}"#
        )
    }

    /// RP-09: three equal failures and another one are two details, of 3 and 1; a delivery that failed at
    /// one host and got through at the next is one failure and one success.
    #[test]
    fn equal_failures_add_up() {
        let one = format!(r#"{{"c":203,"n":"mx.d.test","h":"{EHLO}","r":"192.0.2.1"}}"#);
        let other = r#"{"c":204,"n":"mx.d.test"}"#.to_owned();
        let (a, b) = (
            &*format!("3 1 1 {}", "ab".repeat(32)),
            &*format!("3 1 1 {}", "CD".repeat(32)),
        );
        let all = counted(&[
            dane(&[a, b], &one, 1),
            dane(&[b, a], &one, 1),
            dane(&[a, b, b], &one, 1),
            dane(&[a, b], &other, 1),
            dane(&[a, b], "", 0),
        ]);
        let details: Vec<_> = all
            .iter()
            .filter_map(|(own, count)| match own {
                Counter::Detail(policy, failure) => Some((policy, failure, *count)),
                _ => None,
            })
            .collect();
        assert_eq!(details.len(), 2);
        assert_eq!(
            (details[0].1.result, details[0].2),
            (ResultType::CertificateNotTrusted, 3)
        );
        assert_eq!(details[0].1.helo.as_deref(), Some("mx.d.test"));
        assert_eq!(
            (details[1].1.result, details[1].2),
            (ResultType::CertificateExpired, 1)
        );
        // RP-06: the base domain, in its one spelling.
        let policy = details[0].0.clone();
        assert_eq!(
            (policy.kind, &*policy.domain),
            (PolicyType::Tlsa, "mx.d.test")
        );
        assert_eq!(policy.strings.len(), 2);
        assert_eq!(all[&Counter::Failed(policy.clone())], 4);
        assert_eq!(all[&Counter::Successful(policy)], 1);
        let record = "v=TLSRPTv1;rua=mailto:r@d.test".to_owned();
        assert_eq!(all[&Counter::Record(record)], 5);
    }

    /// RP-03: a code that nobody knows is a validation failure that says so.
    #[test]
    fn unknown_codes() {
        let all = counted(&[dane(&[], r#"{"c":901}"#, 1)]);
        let is_told = |own: &Counter| {
            matches!(own, Counter::Detail(_, failure) if failure.result == ResultType::ValidationFailure
                && failure.reason.as_deref() == Some("code 901"))
        };
        assert!(all.keys().any(is_told), "{all:?}");
    }
}
