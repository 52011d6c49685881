//! Reports that leave, against a schema that was written from RFC 8460, 4.4 and knows nothing of the code.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "tests"
)]

use std::fs;
use std::path::Path;

use hoplock_wire::tlsrpt::{
    AppliedPolicy, DocumentPolicyType, DocumentResult, FailureSection, PolicySection,
    ReportDocument, ResultType,
};
use jsonschema::Validator;
use serde_json::{Value, json};

fn schema() -> Validator {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tlsrpt.schema.json");
    let schema: Value = serde_json::from_str(&fs::read_to_string(file).unwrap()).unwrap();
    jsonschema::options()
        .should_validate_formats(true)
        .build(&schema)
        .unwrap()
}

/// What is wrong with a report, each with its place.
fn complaints(schema: &Validator, report: &Value) -> Vec<String> {
    let errors = schema.iter_errors(report);
    errors
        .map(|error| format!("{}: {error}", error.instance_path()))
        .collect()
}

fn text(text: &str) -> Option<String> {
    Some(text.to_owned())
}

fn section(kind: DocumentPolicyType, domain: &str, strings: &[&str]) -> PolicySection {
    PolicySection {
        policy: AppliedPolicy {
            mx_hosts: match kind {
                DocumentPolicyType::Sts => vec!["mx.a.test".to_owned(), "*.b.test".to_owned()],
                _ => vec![],
            },
            kind,
            strings: strings.iter().map(|own| (*own).to_owned()).collect(),
            domain: domain.to_owned(),
        },
        successful: 17,
        failed: 0,
        failures: vec![],
    }
}

/// A report with each kind of policy, each result, each member.
fn whole() -> ReportDocument {
    let every = ResultType::ALL.map(|result| FailureSection {
        sending_ip: text("2001:db8::1"),
        mx_host: text("mx.a.test"),
        helo: text("mx.a.test"),
        receiving_ip: text("192.0.2.1"),
        additional: text("https://example.test/1"),
        reason: text("tls-handshake-failure"),
        ..FailureSection::of(result, 3)
    });
    let mut dane = section(
        DocumentPolicyType::Tlsa,
        "mx.a.test",
        &["3 1 1 ABAB", "2 0 1 CDCD"],
    );
    dane.failures = every.to_vec();
    dane.failed = 33;
    let mut none = section(DocumentPolicyType::NoPolicyFound, "xn--bcher-kva.test", &[]);
    none.failures = vec![FailureSection::of(
        ResultType::StarttlsNotSupported,
        u64::MAX,
    )];
    none.failed = u64::MAX;
    let lines = [
        "version: STSv1",
        "mode: enforce",
        "mx: mx.a.test",
        "max_age: 86400",
    ];
    ReportDocument {
        organization_name: "Example Inc.".to_owned(),
        begins: 1_795_651_200,
        ends: 1_795_737_599,
        contact_info: "tls@example.test".to_owned(),
        report_id: "1795651200.1@example.test".to_owned(),
        policies: vec![
            dane,
            section(DocumentPolicyType::Sts, "a.test", &lines),
            none,
        ],
    }
}

/// RP-07, RP-08: what leaves fits, all of it and each part.
#[test]
fn what_leaves_fits() {
    let schema = schema();
    let whole = whole();
    let mut reports = vec![whole.clone()];
    for policy in &whole.policies {
        reports.push(ReportDocument {
            policies: vec![policy.clone()],
            ..whole.clone()
        });
    }
    for report in reports {
        let value: Value = serde_json::from_slice(&report.encode()).unwrap();
        assert_eq!(complaints(&schema, &value), Vec::<String>::new(), "{value}");
    }
}

/// RP-07, RP-08: the schema tells what is wrong from what is right, so that its silence means something.
#[test]
fn the_schema_is_no_sieve() {
    let schema = schema();
    let good: Value = serde_json::from_slice(&whole().encode()).unwrap();
    for (place, value) in [
        ("/date-range/start-datetime", json!("2026-11-26T00:00:00")),
        (
            "/date-range/start-datetime",
            json!("2026-11-26T00:00:00+00:00"),
        ),
        ("/date-range/end-datetime", json!("2026-11-27T00:00:00Z")),
        ("/date-range/end-datetime", json!(1_795_737_599)),
        ("/contact-info", json!("nobody")),
        ("/policies", json!([])),
        ("/policies/0/policy/policy-type", json!("dane")),
        ("/policies/0/policy/policy-type", json!(1)),
        ("/policies/0/policy/policy-string", json!("3 1 1 ABAB")),
        (
            "/policies/0/policy/policy-string",
            json!(["version: STSv1"]),
        ),
        ("/policies/1/policy/mx-host", json!("mx.a.test")),
        ("/policies/1/policy/policy-string", json!(["a\nb"])),
        (
            "/policies/2/policy/policy-domain",
            json!("b\u{fc}cher.test"),
        ),
        (
            "/policies/2/summary/total-failure-session-count",
            json!("1"),
        ),
        (
            "/policies/0/failure-details/0/result-type",
            json!("unknown"),
        ),
        (
            "/policies/0/failure-details/0/receiving-ip",
            json!("mx.a.test"),
        ),
        (
            "/policies/0/failure-details/0/failed-session-count",
            json!(-1),
        ),
    ] {
        let mut bad = good.clone();
        *bad.pointer_mut(place).unwrap() = value.clone();
        let complaints = complaints(&schema, &bad);
        assert!(!complaints.is_empty(), "{place} {value} passed");
        assert!(complaints[0].starts_with(place), "{complaints:?}");
    }
    for (place, member) in [
        ("", "organization-name"),
        ("", "contact-info"),
        ("/policies/0", "summary"),
        ("/policies/0/failure-details/0", "result-type"),
    ] {
        let mut bad = good.clone();
        let object = bad.pointer_mut(place).unwrap().as_object_mut().unwrap();
        object.remove(member).unwrap();
        assert!(!complaints(&schema, &bad).is_empty(), "without {member}");
    }
}

/// RP-03: a word that others use is read and written again, and is nothing that we would send.
#[test]
fn unknown_words_do_not_fit() {
    let schema = schema();
    let mut report = whole();
    report.policies[0].failures[0].result = DocumentResult::parse("certificate-revoked");
    let value: Value = serde_json::from_slice(&report.encode()).unwrap();
    assert_eq!(complaints(&schema, &value).len(), 1);
}
