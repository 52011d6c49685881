//! A case in full, to be looked at and fed to other programs.

use std::fmt::Write as _;

use super::plan::Plan;
use super::program::hex;
use super::run::Trial;

/// Both verdicts, and all that they were given.
pub fn text(trial: &Trial, what: &str) -> String {
    let mut text = String::new();
    let _ = writeln!(text, "== {what}: group {}, {:?}", trial.group, trial.made);
    let _ = writeln!(text, "OpenSSL: {:?}", trial.theirs);
    let _ = writeln!(text, "ours:    {:?}", trial.ours);
    let _ = writeln!(text, "story:   {:?}", trial.plan.story);
    let _ = writeln!(text, "shown:   {:?}", trial.plan.shown);
    let _ = writeln!(text, "time:    {}", trial.case.now);
    let _ = writeln!(text, "names:   {}", trial.case.names.join(" "));
    for (record, rdata) in trial.plan.records.iter().zip(&trial.case.records) {
        let data = rdata.get(3..).map(hex).unwrap_or_default();
        let _ = writeln!(
            text,
            "record:  {} {} {} {data}  ({:?})",
            record.usage, record.selector, record.matching, record.data
        );
    }
    for place in parts(&trial.plan) {
        let _ = writeln!(text, "#{place}: {:?}", trial.plan.certificates[place]);
    }
    for certificate in &trial.case.chain {
        text.push_str(&pem(&certificate.der));
    }
    text
}

/// Certificates that play a part, without the crowd of strays.
fn parts(plan: &Plan) -> Vec<usize> {
    let mut parts = plan.story.path.clone();
    parts.extend(plan.shown.iter().take(12));
    parts.sort_unstable();
    parts.dedup();
    parts
}

fn pem(der: &[u8]) -> String {
    let body = base64(der);
    let lines: Vec<&str> = body
        .as_bytes()
        .chunks(64)
        .map(|line| std::str::from_utf8(line).unwrap())
        .collect();
    format!(
        "-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n",
        lines.join("\n")
    )
}

fn base64(octets: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for three in octets.chunks(3) {
        let bits = three
            .iter()
            .enumerate()
            .fold(0_u32, |bits, (place, octet)| {
                bits | u32::from(*octet) << (16 - 8 * place)
            });
        for place in 0..4 {
            if place <= three.len() {
                text.push(char::from(DIGITS[(bits >> (18 - 6 * place) & 63) as usize]));
            } else {
                text.push('=');
            }
        }
    }
    text
}
