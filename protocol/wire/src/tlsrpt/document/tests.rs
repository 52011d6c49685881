//! Reports as others write them, and our own.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::{Just, Strategy, any, prop_assert_eq, prop_oneof, proptest};
use serde_json::{Value, json};

use super::*;
use crate::tlsrpt::DOCUMENT_LIMIT;

/// The example of RFC 8460, appendix B, in which `mx-host` is a text.
const APPENDIX_B: &str = r#"{
  "organization-name": "Company-X",
  "date-range": {
    "start-datetime": "2016-04-01T00:00:00Z",
    "end-datetime": "2016-04-01T23:59:59Z"
  },
  "contact-info": "sts-reporting@company-x.example",
  "report-id": "5065427c-23d3-47ca-b6e0-946ea0e8c4be",
  "policies": [{
    "policy": {
      "policy-type": "sts",
      "policy-string": ["version: STSv1","mode: testing",
            "mx: *.mail.company-y.example","max_age: 86400"],
      "policy-domain": "company-y.example",
      "mx-host": "*.mail.company-y.example"
    },
    "summary": {
      "total-successful-session-count": 5326,
      "total-failure-session-count": 303
    },
    "failure-details": [{
      "result-type": "certificate-expired",
      "sending-mta-ip": "2001:db8:abcd:0012::1",
      "receiving-mx-hostname": "mx1.mail.company-y.example",
      "failed-session-count": 100
    }, {
      "result-type": "starttls-not-supported",
      "sending-mta-ip": "2001:db8:abcd:0013::1",
      "receiving-mx-hostname": "mx2.mail.company-y.example",
      "receiving-ip": "203.0.113.56",
      "failed-session-count": 200,
      "additional-information": "https://reports.company-x.example/report_info?id=5065427c-23d3#StarttlsNotSupported"
    }, {
      "result-type": "validation-failure",
      "sending-mta-ip": "198.51.100.62",
      "receiving-ip": "203.0.113.58",
      "receiving-mx-hostname": "mx-backup.mail.company-y.example",
      "failed-session-count": 3,
      "failure-reason-code": "X509_V_ERR_PROXY_PATH_LENGTH_EXCEEDED"
    }]
  }]
}"#;

/// As Google writes them: all in one line, an id with the domain in it, no `failure-details` where nothing
/// failed, a policy of no kind beside.
const GOOGLE_STYLE: &str = r#"{"organization-name":"Google Inc.","date-range":{"start-datetime":"2026-11-26T00:00:00Z","end-datetime":"2026-11-26T23:59:59Z"},"contact-info":"smtp-tls-reporting@google.com","report-id":"2026-11-26T00:00:00Z_good.test","policies":[{"policy":{"policy-type":"sts","policy-string":["version: STSv1","mode: enforce","mx: mx.good.test","max_age: 604800"],"policy-domain":"good.test","mx-host":["mx.good.test"]},"summary":{"total-successful-session-count":17,"total-failure-session-count":0}},{"policy":{"policy-type":"no-policy-found","policy-domain":"good.test"},"summary":{"total-successful-session-count":2,"total-failure-session-count":1},"failure-details":[{"result-type":"starttls-not-supported","sending-mta-ip":"192.0.2.1","receiving-ip":"192.0.2.9","receiving-mx-hostname":"mx.good.test","failed-session-count":1}]}]}"#;

/// As Microsoft writes them: an id with a plus sign, times with an offset, DANE and MTA-STS of one domain,
/// what is not known as `null` or empty.
const MICROSOFT_STYLE: &str = r#"{"organization-name":"Microsoft Corporation","date-range":{"start-datetime":"2026-11-26T00:00:00+00:00","end-datetime":"2026-11-26T23:59:59.999+00:00"},"contact-info":"tlsrpt-noreply@microsoft.com","report-id":"134085312000000000+good.test","policies":[{"policy":{"policy-type":"tlsa","policy-string":["3 1 1 ABAB","2 1 1 CDCD"],"policy-domain":"mx.good.test","mx-host":null},"summary":{"total-successful-session-count":5,"total-failure-session-count":2},"failure-details":[{"result-type":"tlsa-invalid","sending-mta-ip":null,"receiving-mx-hostname":"mx.good.test","receiving-mx-helo":"","failed-session-count":2,"additional-information":null,"failure-reason-code":"no-matching-tlsa"}]},{"policy":{"policy-type":"sts","policy-string":[],"policy-domain":"good.test"},"summary":{"total-successful-session-count":5,"total-failure-session-count":0},"failure-details":null}]}"#;

/// As small senders do it: no zone, no contact, a whole policy in one text, counts in quotes, words and
/// members that nobody knows.
const SLOPPY: &str = "\u{feff}{\"organization-name\":\"small.test\",\"version\":2,\"date-range\":{\"start-datetime\":\"2026-11-26 00:00:00\",\"end-datetime\":\"2026-11-26T23:59:59\",\"zone\":[]},\"report-id\":\"1\",\"policies\":[{\"policy\":{\"policy-type\":\"dane\",\"policy-string\":\"version: STSv1\\r\\nmode: none\\r\\n\",\"mx-host-pattern\":\"*.good.test\",\"x\":{\"y\":[{}]}},\"summary\":{\"total-successful-session-count\":\"3\",\"total-failure-session-count\":2.0},\"failure-details\":[{\"result-type\":\"certificate-revoked\"}]}]}";

fn example() -> ReportDocument {
    let text = |text: &str| Some(text.to_owned());
    ReportDocument {
        organization_name: "Company-X".to_owned(),
        begins: 1_459_468_800,
        ends: 1_459_555_199,
        contact_info: "sts-reporting@company-x.example".to_owned(),
        report_id: "5065427c-23d3-47ca-b6e0-946ea0e8c4be".to_owned(),
        policies: vec![PolicySection {
            policy: AppliedPolicy {
                kind: DocumentPolicyType::Sts,
                strings: [
                    "version: STSv1",
                    "mode: testing",
                    "mx: *.mail.company-y.example",
                    "max_age: 86400",
                ]
                .map(str::to_owned)
                .to_vec(),
                domain: "company-y.example".to_owned(),
                mx_hosts: vec!["*.mail.company-y.example".to_owned()],
            },
            successful: 5_326,
            failed: 303,
            failures: vec![
                FailureSection {
                    sending_ip: text("2001:db8:abcd:0012::1"),
                    mx_host: text("mx1.mail.company-y.example"),
                    ..FailureSection::of(ResultType::CertificateExpired, 100)
                },
                FailureSection {
                    sending_ip: text("2001:db8:abcd:0013::1"),
                    mx_host: text("mx2.mail.company-y.example"),
                    receiving_ip: text("203.0.113.56"),
                    additional: text(
                        "https://reports.company-x.example/report_info?id=5065427c-23d3#StarttlsNotSupported",
                    ),
                    ..FailureSection::of(ResultType::StarttlsNotSupported, 200)
                },
                FailureSection {
                    sending_ip: text("198.51.100.62"),
                    mx_host: text("mx-backup.mail.company-y.example"),
                    receiving_ip: text("203.0.113.58"),
                    reason: text("X509_V_ERR_PROXY_PATH_LENGTH_EXCEEDED"),
                    ..FailureSection::of(ResultType::ValidationFailure, 3)
                },
            ],
        }],
    }
}

/// RP-07, RP-08: the example of the RFC is read, and written as its errata have it.
#[test]
fn the_example_of_the_rfc() {
    let read = decode_document(APPENDIX_B.as_bytes()).unwrap();
    assert_eq!(read, example());
    assert_eq!((read.successful(), read.failed()), (5_326, 303));
    let written: Value = serde_json::from_slice(&read.encode()).unwrap();
    let mut expected: Value = serde_json::from_str(APPENDIX_B).unwrap();
    let policy = expected.pointer_mut("/policies/0/policy/mx-host").unwrap();
    *policy = json!(["*.mail.company-y.example"]);
    assert_eq!(written, expected);
}

/// RP-07, RP-08: byte for byte what leaves: members in the order of the RFC, arrays, UTC, and no member for
/// what is not known.
#[test]
fn what_leaves() {
    let mut report = example();
    report.policies.truncate(1);
    let section = report.policies.first_mut().unwrap();
    section.failures = vec![FailureSection::of(ResultType::TlsaInvalid, 1)];
    section.policy.kind = DocumentPolicyType::Tlsa;
    section.policy.strings = vec!["3 1 1 ABAB".to_owned()];
    section.policy.mx_hosts.clear();
    report.policies.push(PolicySection {
        policy: AppliedPolicy {
            kind: PolicyType::NoPolicyFound.into(),
            strings: vec![],
            domain: "xn--bcher-kva.test".to_owned(),
            mx_hosts: vec![],
        },
        successful: u64::MAX,
        failed: 0,
        failures: vec![],
    });
    let expected = r#"{"organization-name":"Company-X","date-range":{"start-datetime":"2016-04-01T00:00:00Z","end-datetime":"2016-04-01T23:59:59Z"},"contact-info":"sts-reporting@company-x.example","report-id":"5065427c-23d3-47ca-b6e0-946ea0e8c4be","policies":[{"policy":{"policy-type":"tlsa","policy-string":["3 1 1 ABAB"],"policy-domain":"company-y.example"},"summary":{"total-successful-session-count":5326,"total-failure-session-count":303},"failure-details":[{"result-type":"tlsa-invalid","failed-session-count":1}]},{"policy":{"policy-type":"no-policy-found","policy-domain":"xn--bcher-kva.test"},"summary":{"total-successful-session-count":18446744073709551615,"total-failure-session-count":0},"failure-details":[]}]}"#;
    assert_eq!(String::from_utf8(report.encode()).unwrap(), expected);
    assert_eq!(report.successful(), u64::MAX, "does not wrap");
}

/// RP-08: what large senders write.
#[test]
fn large_senders() {
    let google = decode_document(GOOGLE_STYLE.as_bytes()).unwrap();
    assert_eq!(google.report_id, "2026-11-26T00:00:00Z_good.test");
    assert_eq!((google.begins, google.ends), (1_795_651_200, 1_795_737_599));
    let [sts, none] = google.policies.as_slice() else {
        panic!("{google:?}");
    };
    assert_eq!(sts.policy.kind, DocumentPolicyType::Sts);
    assert_eq!((sts.successful, sts.failed, sts.failures.len()), (17, 0, 0));
    assert_eq!(none.policy.kind, DocumentPolicyType::NoPolicyFound);
    assert_eq!(none.policy.strings, Vec::<String>::new());

    let microsoft = decode_document(MICROSOFT_STYLE.as_bytes()).unwrap();
    assert_eq!(microsoft.ends, 1_795_737_599);
    assert_eq!((microsoft.successful(), microsoft.failed()), (10, 2));
    let tlsa = microsoft.policies.first().unwrap();
    assert_eq!(tlsa.policy.strings, ["3 1 1 ABAB", "2 1 1 CDCD"]);
    assert_eq!(tlsa.policy.mx_hosts, Vec::<String>::new());
    let failure = tlsa.failures.first().unwrap();
    assert_eq!(
        failure.result,
        DocumentResult::Known(ResultType::TlsaInvalid)
    );
    assert_eq!(failure.sending_ip, None);
    assert_eq!(failure.reason.as_deref(), Some("no-matching-tlsa"));
}

/// RP-08: leniency on input: time without zone, one text for a list, unknown words and members.
#[test]
fn small_senders() {
    let read = decode_document(SLOPPY.as_bytes()).unwrap();
    assert_eq!((read.begins, read.ends), (1_795_651_200, 1_795_737_599));
    assert_eq!(read.contact_info, "");
    let section = read.policies.first().unwrap();
    let kind = DocumentPolicyType::Other("dane".to_owned());
    assert_eq!(section.policy.kind, kind);
    assert_eq!(section.policy.strings, ["version: STSv1", "mode: none"]);
    assert_eq!(section.policy.mx_hosts, ["*.good.test"]);
    assert_eq!((section.successful, section.failed), (3, 2));
    let failure = section.failures.first().unwrap();
    let result = DocumentResult::Other("certificate-revoked".to_owned());
    assert_eq!((&failure.result, failure.count), (&result, 0));
    let none = r#"{"organization-name":"","report-id":"","date-range":{"start-datetime":"2026-11-26T00:00:00Z","end-datetime":"2026-11-26T00:00:00Z"},"policies":[]}"#;
    assert_eq!(decode_document(none.as_bytes()).unwrap().policies, []);
}

/// RP-08: a report that cannot be read, and what is said of it.
#[test]
fn errors_say_place_and_what() {
    let words = |text: &str| decode_document(text.as_bytes()).unwrap_err().to_string();
    let swapped = |from: &str, to: &str| {
        assert!(GOOGLE_STYLE.contains(from), "{from}");
        words(&GOOGLE_STYLE.replacen(from, to, 1))
    };
    for (told, expected) in [
        (words(""), "the JSON is cut short"),
        (words(&GOOGLE_STYLE[..99]), "the JSON is cut short"),
        (words("{\n  x"), "no JSON in line 2 from column 3 on"),
        (words("[]"), "line 1, column 1: a report is a JSON object"),
        (
            words("\n7"),
            "line 2, column 1: invalid type: integer `7`, expected a report",
        ),
        (
            words("{}"),
            "line 1, column 2: missing field `organization-name`",
        ),
        (
            swapped("\"report-id\"", "\"id\""),
            "column 815: missing field `report-id`",
        ),
        (
            swapped("\"2026-11-26T00:00:00Z\"", "\"yesterday\""),
            "column 77: invalid value: string \"yesterday\", expected a time of RFC 3339 between 1970 \
             and 9999",
        ),
        (
            swapped(":17", ":-17"),
            "column 454: invalid type: integer `-17`, expected a number of sessions",
        ),
        (
            swapped(":17", ":1.5"),
            "invalid value: floating point `1.5`, expected a number of sessions",
        ),
        (
            swapped(":17", ":\"many\""),
            "invalid value: string \"many\", expected a number of sessions",
        ),
        (
            swapped("[\"mx.good.test\"]", "7"),
            "invalid type: integer `7`, expected a list of texts",
        ),
        (
            swapped("\"result-type\"", "\"type\""),
            "missing field `result-type`",
        ),
        (
            swapped(
                "[\"mx.good.test\"]",
                &format!("[{}\"\"]", "\"\",".repeat(8_192)),
            ),
            "more than 8192 texts in a list",
        ),
    ] {
        assert!(told.contains(expected), "{told}\n{expected}");
    }
    let long = format!("\"policies\":\"{}\"", "\u{e4}".repeat(500));
    let told = swapped("\"policies\":[", &format!("{long},\"x\":["));
    assert!(told.len() < 250, "{told}");
    assert_eq!(
        decode_document(&vec![b' '; DOCUMENT_LIMIT + 1]),
        Err(DocumentError::TooLong {
            length: DOCUMENT_LIMIT + 1
        })
    );
}

/// RP-08: each name of a policy or result is its word, and other words are kept.
#[test]
fn words() {
    for word in ["tlsa", "sts", "no-policy-found", "", "TLSA", "dane"] {
        assert_eq!(DocumentPolicyType::parse(word).word(), word);
    }
    for own in ResultType::ALL {
        assert_eq!(
            DocumentResult::parse(own.word()),
            DocumentResult::Known(own)
        );
    }
    let kind = DocumentPolicyType::from(PolicyType::Unknown(7));
    assert_eq!(kind, DocumentPolicyType::NoPolicyFound);
}

fn failure() -> impl Strategy<Value = FailureSection> {
    let result = prop_oneof![
        (0..ResultType::ALL.len()).prop_map(|at| ResultType::ALL[at].word().to_owned()),
        ".{0,8}",
    ];
    let texts = vec(option::of(".{0,8}"), 6);
    (result, texts, any::<u64>()).prop_map(|(result, texts, count)| {
        let text = |at: usize| texts.get(at).cloned().flatten();
        FailureSection {
            result: DocumentResult::parse(&result),
            sending_ip: text(0),
            mx_host: text(1),
            helo: text(2),
            receiving_ip: text(3),
            count,
            additional: text(4),
            reason: text(5),
        }
    })
}

fn section() -> impl Strategy<Value = PolicySection> {
    let kind = prop_oneof![
        Just(DocumentPolicyType::Tlsa),
        Just(DocumentPolicyType::Sts),
        Just(DocumentPolicyType::NoPolicyFound),
        ".{0,5}".prop_map(|word| DocumentPolicyType::parse(&word)),
    ];
    let texts = || vec(".{0,9}", 0..4);
    let policy = (kind, texts(), ".{0,9}", texts());
    let counts = (any::<u64>(), any::<u64>());
    (policy, counts, vec(failure(), 0..3)).prop_map(|(policy, counts, failures)| PolicySection {
        policy: AppliedPolicy {
            kind: policy.0,
            strings: policy.1,
            domain: policy.2,
            mx_hosts: policy.3,
        },
        successful: counts.0,
        failed: counts.1,
        failures,
    })
}

proptest! {
    /// RP-08: what leaves reads back.
    #[test]
    fn reports_read_back(
        texts in vec(".{0,12}", 3),
        begins in 0_u64..4_000_000_000,
        ends in 0_u64..4_000_000_000,
        policies in vec(section(), 0..3),
    ) {
        let report = ReportDocument {
            organization_name: texts[0].clone(),
            begins,
            ends,
            contact_info: texts[1].clone(),
            report_id: texts[2].clone(),
            policies,
        };
        prop_assert_eq!(decode_document(&report.encode()), Ok(report));
    }

    /// RP-08: whatever comes, the rules of the fuzz target hold.
    #[test]
    fn any_bytes(bytes in vec(any::<u8>(), 0..200)) {
        crate::fuzzing::tlsrpt_document(&bytes);
    }
}
