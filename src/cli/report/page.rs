//! A report for people: who, when, and for each policy how many sessions kept it, what went wrong in the
//! others, and what to do.

use hoplock_wire::tlsrpt::{DocumentPolicyType, FailureSection, PolicySection, ReportDocument};

use super::words::{cure, meaning};

pub(super) fn page(report: &ReportDocument) -> String {
    let mut text = format!(
        "report {} of {}\n",
        tame(&report.report_id),
        tame(&report.organization_name)
    );
    if !report.contact_info.is_empty() {
        text.push_str(&format!("contact {}\n", tame(&report.contact_info)));
    }
    let (begins, ends) = (time(report.begins), time(report.ends));
    text.push_str(&format!("from {begins} to {ends}\n"));
    if report.policies.is_empty() {
        text.push_str("\nno policy: nothing is reported\n");
    }
    for section in report.policies.iter().take(POLICIES) {
        text.push('\n');
        text.push_str(&policy(section));
    }
    let more = report.policies.len().saturating_sub(POLICIES);
    if more > 0 {
        text.push_str(&format!(
            "\nand {more} more policies; `--json` has them all\n"
        ));
    }
    text
}

fn policy(section: &PolicySection) -> String {
    let domain = match section.policy.domain.as_str() {
        "" => "a domain that is not named".to_owned(),
        domain => tame(domain),
    };
    let head = match &section.policy.kind {
        DocumentPolicyType::Tlsa => format!("DANE of {domain}"),
        DocumentPolicyType::Sts => format!("MTA-STS of {domain}"),
        DocumentPolicyType::NoPolicyFound => format!("no policy for {domain}"),
        DocumentPolicyType::Other(word) => format!("policy {:?} of {domain}", tame(word)),
    };
    let (kept, failed) = (sessions(section.successful), section.failed);
    let mut text = format!("{head}: {kept} as it should be, {failed} not\n");
    for line in section.policy.strings.iter().take(SHOWN) {
        text.push_str(&format!("    {}\n", tame(line)));
    }
    let mut failures: Vec<&FailureSection> = section.failures.iter().collect();
    failures.sort_by_key(|failure| std::cmp::Reverse(failure.count));
    let mut told = Vec::new();
    for failure in failures.iter().take(SHOWN) {
        text.push_str(&what(failure));
        // Once for each kind, behind its largest number.
        if !told.contains(&&failure.result) {
            told.push(&failure.result);
            if let Some(cure) = cure(&failure.result, &section.policy.kind) {
                text.push_str(&format!("      cure: {cure}\n"));
            }
        }
    }
    let more = failures.len().saturating_sub(SHOWN);
    if more > 0 {
        text.push_str(&format!("  and {more} more; `--json` has them all\n"));
    }
    text
}

fn what(failure: &FailureSection) -> String {
    let word = tame(failure.result.word());
    let count = match failure.count {
        0 => "sessions, not counted".to_owned(),
        count => sessions(count),
    };
    let mut text = format!("  {count}: {} ({word})\n", meaning(&failure.result));
    let host = match (&failure.mx_host, &failure.receiving_ip) {
        (Some(host), Some(address)) => Some(format!("{}[{}]", tame(host), tame(address))),
        (Some(own), None) | (None, Some(own)) => Some(tame(own)),
        (None, None) => None,
    };
    let mut line = |name: &str, value: Option<String>| {
        if let Some(value) = value.filter(|value| !value.is_empty()) {
            text.push_str(&format!("      {name}: {value}\n"));
        }
    };
    line("host", host);
    line("it says", failure.helo.as_deref().map(tame));
    line("sender", failure.sending_ip.as_deref().map(tame));
    line("reason", failure.reason.as_deref().map(tame));
    line("more", failure.additional.as_deref().map(tame));
    text
}

fn sessions(count: u64) -> String {
    match count {
        1 => "1 session".to_owned(),
        _ => format!("{count} sessions"),
    }
}

fn time(seconds: u64) -> String {
    let time = i64::try_from(seconds).map(jiff::Timestamp::from_second);
    match time {
        Ok(Ok(time)) => time.strftime("%Y-%m-%d %H:%M:%S UTC").to_string(),
        _ => seconds.to_string(),
    }
}

/// One line that cannot steer a terminal nor turn a line round, whoever wrote it.
fn tame(text: &str) -> String {
    let is_wild = |c: char| {
        c.is_control()
            || matches!(c, '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    let short = text.chars().take(LONGEST);
    short.map(|c| if is_wild(c) { ' ' } else { c }).collect()
}

/// How many policies are shown: each host of a domain may have one.
const POLICIES: usize = 200;
/// How many lines and failures of one policy.
const SHOWN: usize = 40;
/// How much of one text: an answer to EHLO can have many lines.
const LONGEST: usize = 400;

#[cfg(test)]
mod tests {
    use hoplock_wire::tlsrpt::decode_document;

    use super::*;

    const REPORT: &str = r#"{"organization-name":"Example\u001b[2J Inc.","date-range":{"start-datetime":"2026-11-26T00:00:00Z","end-datetime":"2026-11-26T23:59:59Z"},"contact-info":"tls@example.test","report-id":"1@example.test","policies":[{"policy":{"policy-type":"sts","policy-string":["version: STSv1","mode: enforce"],"policy-domain":"good.test"},"summary":{"total-successful-session-count":17,"total-failure-session-count":4},"failure-details":[{"result-type":"certificate-expired","receiving-mx-hostname":"mx1.good.test","receiving-ip":"192.0.2.1","sending-mta-ip":"192.0.2.9","failed-session-count":1},{"result-type":"certificate-expired","receiving-mx-hostname":"mx2.good.test","failed-session-count":2,"failure-reason-code":"x\r\ny"},{"result-type":"new-type"}]},{"policy":{"policy-type":"tlsa","policy-domain":"mx.good.test"},"summary":{"total-successful-session-count":1,"total-failure-session-count":0}}]}"#;

    /// RP-08: who, when, how many, what and what to do, and nothing that steers a terminal.
    #[test]
    fn a_report_in_words() {
        let report = decode_document(REPORT.as_bytes()).unwrap();
        let expected = "\
report 1@example.test of Example [2J Inc.
contact tls@example.test
from 2026-11-26 00:00:00 UTC to 2026-11-26 23:59:59 UTC

MTA-STS of good.test: 17 sessions as it should be, 4 not
    version: STSv1
    mode: enforce
  2 sessions: the certificate had expired (certificate-expired)
      host: mx2.good.test
      reason: x  y
      cure: renew the certificate, and reload the mail server whenever it is renewed
  1 session: the certificate had expired (certificate-expired)
      host: mx1.good.test[192.0.2.1]
      sender: 192.0.2.9
  sessions, not counted: something that RFC 8460 has no word for (new-type)

DANE of mx.good.test: 1 session as it should be, 0 not
";
        assert_eq!(page(&report), expected);
    }

    #[test]
    fn long_reports_stay_readable() {
        let mut report = decode_document(REPORT.as_bytes()).unwrap();
        let section = report.policies.first_mut().unwrap();
        let failure = section.failures.first().unwrap().clone();
        section.failures = vec![failure; SHOWN + 7];
        let text = page(&report);
        assert!(text.contains("\n  and 7 more; `--json` has them all\n"));
        let section = report.policies.last().unwrap().clone();
        report.policies = vec![section; POLICIES + 3];
        assert!(page(&report).ends_with("\nand 3 more policies; `--json` has them all\n"));
        report.policies.clear();
        assert!(page(&report).ends_with("\nno policy: nothing is reported\n"));
    }
}
