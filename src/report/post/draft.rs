//! Counters as the document of a report (RFC 8460, 4.4).

use std::collections::BTreeMap;

use hoplock_policy::tlsrpt::Day;
use hoplock_wire::tlsrpt::{
    AppliedPolicy, DocumentResult, FailureSection, PolicySection, ReportDocument,
};
use sha2::{Digest as _, Sha256};

use crate::world::reports::outgoing::ReportKey;
use crate::world::reports::tally::{Counter, TalliedFailure, TalliedPolicy};

/// Who reports.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reporter {
    /// The organization.
    pub organization: String,
    /// Whom people can ask.
    pub contact: String,
    /// The submitter's domain.
    pub submitter: String,
}

/// The report of what was counted; its policies in an order of their own, so that equal counts are equal
/// documents.
pub(super) fn document(
    counts: &BTreeMap<Counter, u64>,
    key: &ReportKey,
    report_id: &str,
    reporter: &Reporter,
) -> ReportDocument {
    let mut sections: BTreeMap<&TalliedPolicy, PolicySection> = BTreeMap::new();
    for (counter, count) in counts {
        let (Counter::Successful(policy) | Counter::Failed(policy) | Counter::Detail(policy, _)) =
            counter
        else {
            continue;
        };
        let section = sections.entry(policy).or_insert_with(|| empty(policy, key));
        match counter {
            Counter::Successful(_) => section.successful += count,
            Counter::Failed(_) => section.failed += count,
            Counter::Detail(_, failure) => section.failures.push(detail(failure, *count)),
            Counter::Record(_) => {}
        }
    }
    ReportDocument {
        organization_name: reporter.organization.clone(),
        begins: key.day.begins().0 / 1_000,
        ends: key.day.last_second().0 / 1_000,
        contact_info: reporter.contact.clone(),
        report_id: report_id.to_owned(),
        policies: sections.into_values().collect(),
    }
}

fn empty(policy: &TalliedPolicy, key: &ReportKey) -> PolicySection {
    // What was counted without its words is still of this domain.
    let domain = match policy.domain.as_str() {
        "" => key.domain.to_string(),
        domain => domain.to_owned(),
    };
    PolicySection {
        policy: AppliedPolicy {
            kind: policy.kind.into(),
            strings: policy.strings.clone(),
            domain,
            mx_hosts: policy.mx_hosts.clone(),
        },
        successful: 0,
        failed: 0,
        failures: Vec::new(),
    }
}

fn detail(failure: &TalliedFailure, count: u64) -> FailureSection {
    FailureSection {
        result: DocumentResult::Known(failure.result),
        sending_ip: failure.sending_ip.map(|address| address.to_string()),
        mx_host: failure.mx_host.clone(),
        helo: failure.helo.clone(),
        receiving_ip: failure.receiving_ip.map(|address| address.to_string()),
        count,
        additional: failure.additional.clone(),
        reason: failure.reason.clone(),
    }
}

/// The id of a report: of the day, the domain and the installation alone. So whoever makes it, and however
/// often, it is the same, and a receiver that gets it twice can tell; two installations of one sender do
/// not share ids. In the form of a Message-ID, as the subject wants it (RFC 8460, 5.3).
pub(super) fn report_id(key: &ReportKey, installation: &str, submitter: &str) -> String {
    let mut hash = Sha256::new();
    let day: Day = key.day;
    for part in [
        installation,
        &day.to_string(),
        key.domain.as_str(),
        submitter,
    ] {
        hash.update(part.len().to_be_bytes());
        hash.update(part.as_bytes());
    }
    let digest: [u8; 32] = hash.finalize().into();
    let first = digest.first_chunk::<8>().copied().unwrap_or_default();
    format!("{day}.{:016x}@{submitter}", u64::from_be_bytes(first))
}

/// The failures in lines for people, the most frequent first.
pub(super) fn failures(document: &ReportDocument) -> Vec<String> {
    let mut all: Vec<(&PolicySection, &FailureSection)> = document
        .policies
        .iter()
        .flat_map(|section| {
            section
                .failures
                .iter()
                .map(move |failure| (section, failure))
        })
        .collect();
    all.sort_by_key(|(_, failure)| std::cmp::Reverse(failure.count));
    let line = |(section, failure): (&PolicySection, &FailureSection)| {
        let host = failure.mx_host.as_deref().unwrap_or(&section.policy.domain);
        let reason = failure.reason.as_deref();
        let reason = reason.map_or(String::new(), |reason| format!(" ({reason})"));
        format!(
            "{} × {} at {host}{reason}",
            failure.count,
            failure.result.word()
        )
    };
    all.into_iter().map(line).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use hoplock_policy::name::DomainName;
    use hoplock_wire::tlsrpt::{PolicyType, ResultType, decode_document};

    use super::*;

    /// RP-06, RP-08, RP-09: counters of one policy are one section, whoever counted them; a detail may
    /// stand beside successes alone.
    #[test]
    fn counters_become_sections() {
        let policy = |domain: &str| TalliedPolicy {
            kind: PolicyType::Tlsa,
            domain: domain.to_owned(),
            strings: vec!["3 1 1 ab".to_owned()],
            mx_hosts: Vec::new(),
        };
        let failure = TalliedFailure {
            mx_host: Some("mx1.a.test".to_owned()),
            receiving_ip: Some("192.0.2.1".parse().unwrap()),
            ..TalliedFailure::of(ResultType::TlsaInvalid)
        };
        let counts = BTreeMap::from([
            (Counter::Successful(policy("mx1.a.test")), 7),
            (Counter::Failed(policy("mx1.a.test")), 3),
            (Counter::Detail(policy("mx1.a.test"), failure), 4),
            (Counter::Successful(policy("mx2.a.test")), 1),
            (
                Counter::Record("v=TLSRPTv1;rua=mailto:r@a.test".to_owned()),
                11,
            ),
        ]);
        let key = ReportKey {
            day: Day::parse("2026-11-26").unwrap(),
            domain: DomainName::parse("a.test").unwrap(),
        };
        let reporter = Reporter {
            organization: "Example".to_owned(),
            contact: "c@o.test".to_owned(),
            submitter: "o.test".to_owned(),
        };
        let id = report_id(&key, "one", "o.test");
        let document = document(&counts, &key, &id, &reporter);
        assert_eq!(decode_document(&document.encode()), Ok(document.clone()));
        let sections: Vec<_> = document
            .policies
            .iter()
            .map(|own| {
                (
                    &*own.policy.domain,
                    own.successful,
                    own.failed,
                    own.failures.len(),
                )
            })
            .collect();
        assert_eq!(sections, [("mx1.a.test", 7, 3, 1), ("mx2.a.test", 1, 0, 0)]);
        assert_eq!(document.policies[0].failures[0].count, 4);
        assert_eq!(document.begins, 1_795_651_200);
        assert_eq!(document.ends, 1_795_737_599);
        assert_eq!(failures(&document), ["4 × tlsa-invalid at mx1.a.test"]);
    }

    /// RP-11: the same report has the same id, and no other has.
    #[test]
    fn ids_are_the_reports_own() {
        let key = |day: &str, domain: &str| ReportKey {
            day: Day::parse(day).unwrap(),
            domain: DomainName::parse(domain).unwrap(),
        };
        let own = report_id(&key("2026-11-26", "a.test"), "one", "o.test");
        assert_eq!(
            own,
            report_id(&key("2026-11-26", "a.test"), "one", "o.test")
        );
        for other in [
            report_id(&key("2026-11-27", "a.test"), "one", "o.test"),
            report_id(&key("2026-11-26", "b.test"), "one", "o.test"),
            report_id(&key("2026-11-26", "a.test"), "two", "o.test"),
            report_id(&key("2026-11-26", "a.test"), "one", "p.test"),
        ] {
            assert_ne!(own, other);
        }
        assert!(
            own.starts_with("2026-11-26.") && own.ends_with("@o.test"),
            "{own}"
        );
    }
}
