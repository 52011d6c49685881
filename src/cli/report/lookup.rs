//! `hoplock report lookup`: whether a domain wants reports, and where (RFC 8460, 3).

use std::process::ExitCode;

use clap::Args;
use hoplock_policy::name::DomainName;
use serde_json::{Value, json};

use crate::adapters::dns::DnsStub;
use crate::cli::control::Ended;
use crate::cli::engine::{Loaded, load};
use crate::cli::query::pretty;
use crate::cli::{ConfigFile, end, exit};
use crate::config::Config;
use crate::report::record::{Reporting, ask};
use crate::serve::engine::{dns_options, servers};

#[derive(Args)]
pub(in crate::cli) struct Arguments {
    /// The domain that mail is for.
    #[arg(value_name = "DOMAIN")]
    domain: String,
    /// Print JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    file: ConfigFile,
}

pub(super) fn run(arguments: &Arguments) -> ExitCode {
    end(look_up(arguments))
}

fn look_up(arguments: &Arguments) -> Result<(String, ExitCode), Ended> {
    let domain = DomainName::parse(&arguments.domain).map_err(|why| {
        let words = format!("{:?} is no domain: {why}", arguments.domain);
        (words, exit::bad_input())
    })?;
    let config = load(&arguments.file).and_then(Loaded::usable);
    let config = config.map_err(|why| (why, exit::bad_input()))?;
    let runtime = tokio::runtime::Runtime::new();
    let runtime = runtime.map_err(|error| (error.to_string(), exit::failed()))?;
    let reporting = runtime.block_on(asked(&config, &domain));
    let text = if arguments.json {
        pretty(&as_json(&domain, &reporting))
    } else {
        page(&domain, &reporting)
    };
    let status = match reporting {
        Reporting::Wanted(_) => exit::FINE,
        Reporting::NotWanted(_) | Reporting::Invalid(_) | Reporting::Unknown(_) => exit::failed(),
    };
    Ok((text, status))
}

async fn asked(config: &Config, domain: &DomainName) -> Reporting {
    let dns = DnsStub::new(dns_options(config), &servers(config));
    ask(&*dns, domain).await
}

fn page(domain: &DomainName, reporting: &Reporting) -> String {
    let record = match reporting {
        Reporting::Wanted(record) => record,
        Reporting::NotWanted(why) => return format!("{domain} wants no reports: {why}\n"),
        Reporting::Invalid(why) => return format!("{domain} gets no reports: {why}\n"),
        Reporting::Unknown(why) => {
            return format!("nobody knows whether {domain} wants reports: {why}\n");
        }
    };
    let mut text = format!("{domain} wants reports, at\n");
    for target in &record.targets {
        text.push_str(&format!("  {target}\n"));
    }
    for uri in &record.ignored {
        text.push_str(&format!("passed over: {uri}\n"));
    }
    text
}

fn as_json(domain: &DomainName, reporting: &Reporting) -> Value {
    let (word, why) = match reporting {
        Reporting::Wanted(record) => {
            let targets = record.targets.iter().map(ToString::to_string);
            return json!({
                "domain": domain.as_str(),
                "reporting": "wanted",
                "targets": targets.collect::<Vec<_>>(),
                "ignored": record.ignored,
            });
        }
        Reporting::NotWanted(why) => ("not-wanted", why),
        Reporting::Invalid(why) => ("invalid", why),
        Reporting::Unknown(why) => ("unknown", why),
    };
    json!({ "domain": domain.as_str(), "reporting": word, "why": why, "targets": [] })
}

#[cfg(test)]
mod tests {
    use hoplock_policy::tlsrpt::{ReportTarget, TlsrptRecord};

    use super::*;

    /// RP-02: two targets, and what is passed over.
    #[test]
    fn targets_are_shown() {
        let domain = DomainName::parse("a.test").unwrap();
        let reporting = Reporting::Wanted(TlsrptRecord {
            targets: vec![
                ReportTarget::Mailto("r@a.test".to_owned()),
                ReportTarget::Https("https://a.test/r".to_owned()),
            ],
            ignored: vec!["http://a.test/".to_owned()],
        });
        let expected = "a.test wants reports, at\n  mailto:r@a.test\n  https://a.test/r\n\
                        passed over: http://a.test/\n";
        assert_eq!(page(&domain, &reporting), expected);
        let value = as_json(&domain, &reporting);
        let expected = json!({
            "domain": "a.test", "reporting": "wanted",
            "targets": ["mailto:r@a.test", "https://a.test/r"], "ignored": ["http://a.test/"],
        });
        assert_eq!(value, expected);
        let reporting = Reporting::Invalid("more than one TLSRPT record".to_owned());
        let expected = "a.test gets no reports: more than one TLSRPT record\n";
        assert_eq!(page(&domain, &reporting), expected);
        assert_eq!(as_json(&domain, &reporting)["reporting"], "invalid");
    }
}
