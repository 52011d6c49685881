//! One chain of certificates against TLSA records, or against web PKI.

use std::path::Path;
use std::process::ExitCode;

use hoplock_policy::moment::Timestamp;
use hoplock_policy::name::DomainName;
use hoplock_policy::tlsa::{TlsaRecord, TlsaSet};
use hoplock_policy::verify::dane::authenticate;
use hoplock_policy::verify::{
    Authenticated, Certificate, CertificateFacts, Matched, Presented, ReferenceNames, Refused,
    by_web_pki,
};
use serde_json::{Value, json};

use super::super::certificates::read;
use super::super::engine::load;
use super::super::query::pretty;
use super::super::table::table;
use super::super::{complain, exit, print};
use super::Arguments;
use crate::adapters::clock::SystemClock;
use crate::adapters::https::authorities;
use crate::config::Config;
use crate::report::reported::time;
use crate::world::Clock as _;

pub(super) fn run(arguments: &Arguments, path: &Path) -> ExitCode {
    let judged = question(arguments, path).map(|question| {
        let verdict = question.judge();
        (question, verdict)
    });
    match judged {
        Ok((question, verdict)) => {
            let text = if arguments.json {
                pretty(&as_json(&verdict))
            } else {
                page(&question, &verdict)
            };
            print(&text);
            if verdict.is_ok() {
                exit::FINE
            } else {
                exit::failed()
            }
        }
        Err(why) => {
            complain(&why);
            exit::bad_input()
        }
    }
}

/// What is to be judged.
struct Question {
    chain: Vec<Certificate>,
    records: Option<TlsaSet>,
    names: ReferenceNames,
    at: Timestamp,
    config: Config,
    authorities: Vec<rustls_pki_types::TrustAnchor<'static>>,
}

/// A word for the outcome, and what matched; or why not.
type Judged = Result<(&'static str, Authenticated), Refused>;

fn question(arguments: &Arguments, path: &Path) -> Result<Question, String> {
    let config = load(&arguments.file).and_then(super::super::engine::Loaded::usable)?;
    let chain = read(path)?.certificates;
    if chain.is_empty() {
        return Err(format!("{}: no certificate", path.display()));
    }
    let records: Vec<TlsaRecord> = arguments
        .tlsa
        .iter()
        .map(|text| {
            text.parse()
                .map_err(|why| format!("--tlsa {text:?}: {why}"))
        })
        .collect::<Result<_, String>>()?;
    let rdata: Vec<Vec<u8>> = records.iter().map(TlsaRecord::rdata).collect();
    let records = (!rdata.is_empty())
        .then(|| TlsaSet::read(rdata.iter().map(Vec::as_slice), &config.dane.tlsa));
    let names: Vec<DomainName> = arguments
        .name
        .iter()
        .map(|text| DomainName::parse(text).map_err(|why| format!("--name {text:?}: {why}")))
        .collect::<Result<_, String>>()?;
    if records.is_none() && names.is_empty() {
        return Err("without --tlsa the names of the host are needed: --name".to_owned());
    }
    let at = match &arguments.at {
        None => SystemClock::new().now().wall,
        Some(text) => time(text)?,
    };
    let authorities = match &records {
        Some(_) => Vec::new(),
        None => authorities(&config.sts.roots).map_err(|error| error.to_string())?,
    };
    Ok(Question {
        chain,
        records,
        names: ReferenceNames::exactly(names),
        at,
        config,
        authorities,
    })
}

impl Question {
    fn judge(&self) -> Judged {
        let options = &self.config.dane.verify;
        match &self.records {
            Some(records) => {
                let presented = Presented::Chain(self.chain.clone());
                let found = authenticate(&presented, records, &self.names, self.at, options);
                found.map(|found| ("authenticated-dane", found))
            }
            None => by_web_pki(&self.chain, &self.authorities, &self.names, self.at)
                .map(|found| ("authenticated-sts", found)),
        }
    }
}

/// The verdict of design page 4.5.
fn as_json(verdict: &Judged) -> Value {
    match verdict {
        Ok((word, found)) => {
            let warnings: Vec<&str> = found.warnings.iter().map(|own| own.word()).collect();
            let (matched, reason) = match &found.matched {
                Matched::Tlsa { record, depth } => (
                    json!({"tlsa": record.to_string(), "depth": depth}),
                    "tlsa-match",
                ),
                Matched::Pin(pin) => (json!({"pin": pin}), "pin-match"),
                Matched::Name(name) => (json!({"name": name}), "sts-match"),
            };
            json!({"verdict": word, "reason": reason, "matched": matched, "warnings": warnings})
        }
        Err(refused) => json!({
            "verdict": "failed", "reason": refused.reason.word(), "detail": refused.detail,
            "matched": null, "warnings": [],
        }),
    }
}

fn page(question: &Question, verdict: &Judged) -> String {
    let mut lines = Vec::new();
    match verdict {
        Ok((word, found)) => {
            lines.push((*word).to_owned());
            lines.push(match &found.matched {
                Matched::Tlsa { record, depth } => format!("  {record} matches at depth {depth}"),
                Matched::Pin(pin) => format!("  pin {pin} matches"),
                Matched::Name(name) => format!("  valid for {name}"),
            });
            lines.extend(
                found
                    .warnings
                    .iter()
                    .map(|warning| format!("  note: {}", warning.word())),
            );
        }
        Err(refused) => {
            lines.push("failed".to_owned());
            lines.push(format!("  {}: {}", refused.reason.word(), refused.detail));
        }
    }
    lines.push(String::new());
    lines.push(certificates(&question.chain));
    lines.join("\n")
}

/// A line for each certificate, by depth as it was shown.
pub(in crate::cli) fn certificates(chain: &[Certificate]) -> String {
    let head = ["", "subject", "issuer", "names", "valid", "key"];
    let mut rows = vec![head.map(str::to_owned).to_vec()];
    for (depth, certificate) in chain.iter().enumerate() {
        let mut row = vec![depth.to_string()];
        match CertificateFacts::of(certificate) {
            None => row.push("cannot be read".to_owned()),
            Some(facts) => row.extend([
                facts.subject,
                facts.issuer,
                names(&facts.names),
                format!("{} to {}", day(facts.not_before), day(facts.not_after)),
                facts.key,
            ]),
        }
        rows.push(row);
    }
    table(&rows)
}

fn names(names: &[String]) -> String {
    let shown = names.iter().take(SHOWN).cloned().collect::<Vec<_>>();
    let more = names.len().saturating_sub(SHOWN);
    match (shown.is_empty(), more) {
        (true, _) => "none".to_owned(),
        (false, 0) => shown.join(" "),
        (false, more) => format!("{} and {more} more", shown.join(" ")),
    }
}

/// A date, from seconds since 1970.
pub(in crate::cli) fn day(seconds: i64) -> String {
    jiff::Timestamp::from_second(seconds).map_or_else(
        |_| seconds.to_string(),
        |time| time.strftime("%Y-%m-%d").to_string(),
    )
}

/// Names shown of one certificate.
const SHOWN: usize = 3;
