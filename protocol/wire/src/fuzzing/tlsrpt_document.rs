//! The target `tlsrpt_document`.

use serde_json::Value;

use crate::tlsrpt::{
    DOCUMENT_LIMIT, DocumentError, DocumentPolicyType, DocumentResult, ReportDocument, ResultType,
    decode_document, file_name, subject,
};

/// The target `tlsrpt_document`: the bytes as a report, inside of one, and as the names that one travels
/// under.
pub fn tlsrpt_document(bytes: &[u8]) {
    document(bytes);
    let text = String::from_utf8_lossy(bytes).into_owned();
    let start = r#"{"organization-name":"a","report-id":"1","date-range":{"start-datetime":"2026-11-26T00:00:00Z","end-datetime":"2026-11-26T23:59:59Z"},"policies":[{"policy":{"policy-type":"sts"},"summary":{},"#;
    document(format!("{start}{text}}}]}}").as_bytes());
    document(format!("{start}\"failure-details\":[{text}]}}]}}").as_bytes());
    names(&text);
}

fn document(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let bare = text.strip_prefix('\u{feff}').unwrap_or(&text);
    match decode_document(bytes) {
        Ok(report) => {
            let encoded = report.encode();
            assert_eq!(
                decode_document(&encoded).as_ref(),
                Ok(&report),
                "reads back"
            );
            let written: Option<Value> = serde_json::from_slice(&encoded).ok();
            assert!(written.is_some_and(|own| fits(&own)), "out of the schema");
            is_read(bare, &report);
        }
        Err(why) => {
            assert!(why.to_string().len() < 300, "long words");
            let value: Result<Value, _> = serde_json::from_str(bare);
            let holds = match (&why, &value) {
                (DocumentError::TooLong { length }, _) => *length > DOCUMENT_LIMIT,
                (DocumentError::CutShort | DocumentError::NotJson { .. }, value) => value.is_err(),
                // Read up to the mistake, and not behind it.
                (DocumentError::Schema { line, .. }, _) => *line >= 1,
            };
            assert!(holds, "{why} is not what is wrong");
        }
    }
}

/// RP-07, RP-08, stated anew: each member that RFC 8460, 4.4 lists, arrays as arrays, times in UTC.
fn fits(report: &Value) -> bool {
    let is_text = |own: &Value, key: &str| own.get(key).is_some_and(Value::is_string);
    let is_number = |own: &Value, key: &str| own.get(key).is_some_and(Value::is_u64);
    let are_texts = |own: &Value, key: &str| match own.get(key) {
        Some(Value::Array(list)) => list.iter().all(Value::is_string),
        Some(_) => false,
        None => true,
    };
    let time = |key: &str| {
        let text = report
            .get("date-range")
            .and_then(|own| own.get(key)?.as_str());
        text.is_some_and(|text| text.len() == 20 && text.ends_with('Z'))
    };
    let failure =
        |own: &Value| is_text(own, "result-type") && is_number(own, "failed-session-count");
    let section = |own: &Value| {
        let (policy, summary) = (own.get("policy"), own.get("summary"));
        let failures = own.get("failure-details").and_then(Value::as_array);
        policy.is_some_and(|own| {
            is_text(own, "policy-type")
                && is_text(own, "policy-domain")
                && are_texts(own, "policy-string")
                && are_texts(own, "mx-host")
        }) && summary.is_some_and(|own| {
            is_number(own, "total-successful-session-count")
                && is_number(own, "total-failure-session-count")
        }) && failures.is_some_and(|list| list.iter().all(failure))
    };
    let policies = report.get("policies").and_then(Value::as_array);
    ["organization-name", "contact-info", "report-id"]
        .iter()
        .all(|key| is_text(report, key))
        && time("start-datetime")
        && time("end-datetime")
        && policies.is_some_and(|list| list.iter().all(section))
}

/// What was read is what stands there, where it stands there as the RFC has it.
fn is_read(text: &str, report: &ReportDocument) {
    let Ok(value) = serde_json::from_str::<Value>(text) else {
        return;
    };
    let member = |key: &str| value.get(key).and_then(Value::as_str);
    assert_eq!(
        member("organization-name"),
        Some(&*report.organization_name)
    );
    assert_eq!(member("report-id"), Some(&*report.report_id));
    for (index, section) in report.policies.iter().enumerate() {
        if let DocumentPolicyType::Other(word) = &section.policy.kind {
            assert!(!["tlsa", "sts", "no-policy-found"].contains(&word.as_str()));
        }
        let written = value.get("policies").and_then(|list| list.get(index));
        let count = written.and_then(|own| own.pointer("/summary/total-failure-session-count"));
        if let Some(count) = count.and_then(Value::as_u64) {
            assert_eq!(section.failed, count);
        }
        for (index, failure) in section.failures.iter().enumerate() {
            if let DocumentResult::Other(word) = &failure.result {
                assert_eq!(ResultType::parse(word), None);
            }
            let own = written.and_then(|own| own.get("failure-details")?.get(index));
            let word = own.and_then(|own| own.get("result-type")?.as_str());
            // serde takes a list of all values in their order for an object too.
            assert!(word.is_none_or(|word| word == failure.result.word()));
        }
    }
}

/// RP-11: whatever a name is made of, nothing of it ends a header field or leaves a folder.
fn names(text: &str) {
    let file = file_name(text, text, 1, 2, text, true);
    let parts: Vec<&str> = file.split('!').collect();
    assert!((4..=5).contains(&parts.len()), "{file}");
    assert!(file.ends_with(".json.gz") && !file.contains(['/', '\\', '"', ' ']));
    assert!(file.chars().all(|c| c.is_ascii_graphic()));
    let subject = subject(text, text, text);
    assert!(subject.chars().all(|c| matches!(c, ' '..='~')));
    assert_eq!(subject.matches(['<', '>']).count(), 2);
}
