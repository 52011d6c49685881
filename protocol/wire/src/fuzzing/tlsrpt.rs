//! The target `tlsrpt`.

use serde_json::Value;

use crate::tlsrpt::{
    DATAGRAM_LIMIT, FailureCode, PolicyType, ResultType, TlsrptError, TlsrptReport, decode,
};

/// The target `tlsrpt`: the bytes as a datagram, and inside of one.
pub fn tlsrpt(bytes: &[u8]) {
    datagram(bytes);
    let text = String::from_utf8_lossy(bytes).into_owned();
    let start = r#"{"d": "a.test","pr": "v=TLSRPTv1","policies":[{"policy-type":1,"#;
    let end = r#","policy-domain": "mx.a.test","t":0,"f":0}]}"#;
    datagram(format!("{start}{text}{end}").as_bytes());

    // As the EHLO answer of a host, which can be anything, and must spoil nothing.
    let mut hostile = br#"{"d": "a","pr": "b","policies":[{"policy-type":9,"policy-domain": "a","failure-details":[{"c":201,"h": ""#.to_vec();
    let harmless = bytes
        .iter()
        .filter(|byte| !matches!(byte, 0..=31 | b'"' | b'\\'));
    let mut answer: Vec<u8> = harmless.copied().collect();
    answer.truncate(DATAGRAM_LIMIT / 2);
    hostile.extend_from_slice(&answer);
    hostile.extend_from_slice(br#""}],"t":1,"f":1}]}"#);
    let read = decode(&hostile);
    let read = read.as_ref().ok().and_then(|read| read.policies.first());
    let ehlo = read.and_then(|policy| policy.failures.first()?.ehlo.clone());
    assert_eq!(ehlo, Some(String::from_utf8_lossy(&answer).into_owned()));
}

fn datagram(bytes: &[u8]) {
    match decode(bytes) {
        Ok(report) => {
            let encoded = report.encode();
            assert_eq!(decode(&encoded).as_ref(), Ok(&report), "encode, decode");
            is_read(bytes, &report);
        }
        Err(why) => {
            assert!(why.to_string().len() < 300, "long words");
            let value: Result<Value, _> = serde_json::from_str(&String::from_utf8_lossy(bytes));
            let holds = match (&why, &value) {
                (TlsrptError::TooLong { length }, _) => *length > DATAGRAM_LIMIT,
                (TlsrptError::CutShort | TlsrptError::NotJson { .. }, value) => value.is_err(),
                (TlsrptError::UnknownVersion { .. }, Ok(value)) => {
                    value.get("dpv").is_none_or(|dpv| dpv != "1")
                }
                (TlsrptError::NoPolicy, Ok(value)) => {
                    value.get("policies") == Some(&Value::Array(vec![]))
                }
                // Read up to the mistake, and not behind it.
                (TlsrptError::Schema { .. }, _) | (_, Err(_)) => true,
            };
            assert!(holds, "{why} is not what is wrong");
        }
    }
}

/// Each number has its meaning, said again here.
fn is_read(bytes: &[u8], report: &TlsrptReport) {
    assert!(!report.policies.is_empty());
    let value: Result<Value, _> = serde_json::from_str(&String::from_utf8_lossy(bytes));
    let Ok(value) = value else {
        return;
    };
    let text = |key: &str| value.get(key).and_then(Value::as_str);
    assert_eq!(text("d"), Some(report.domain.as_str()));
    assert_eq!(text("pr"), Some(report.record.as_str()));
    for (index, policy) in report.policies.iter().enumerate() {
        let written = value.get("policies").and_then(|list| list.get(index));
        let number = |key: &str| written.and_then(|own| own.get(key)?.as_i64());
        let kind = match number("policy-type") {
            Some(1) => PolicyType::Tlsa,
            Some(2) => PolicyType::Sts,
            Some(9) => PolicyType::NoPolicyFound,
            Some(other) => PolicyType::Unknown(other),
            // serde takes a list of all values in their order for an object too.
            None => continue,
        };
        assert_eq!(policy.kind, kind);
        assert_eq!(number("f"), Some(i64::from(policy.result)));
        for failure in &policy.failures {
            let code = i64::from(failure.code);
            let registered = matches!(code, 201..=205 | 301..=306);
            match failure.code {
                FailureCode::Known(known) => {
                    assert!(registered && known.code() == code);
                    assert_eq!(ResultType::parse(known.word()), Some(known));
                }
                FailureCode::Unknown(_) => assert!(!registered, "{code} is registered"),
            }
        }
    }
}
