//! `hoplock check --watch`: one look at one's own domains, as the daemon watches them.

use std::process::ExitCode;

use hoplock_policy::name::DomainName;
use serde_json::json;

use super::{Arguments, helo};
use crate::cli::engine::{Loaded, load};
use crate::cli::page::Page;
use crate::cli::query::pretty;
use crate::cli::{complain, exit, print};
use crate::config::{Config, WatchConfig};
use crate::serve::engine::{Engine, Memory};
use crate::watch::Watch;
use crate::watch::shown::{WatchedAddress, WatchedDomain, WatchedFinding, WatchedHost};

pub(super) fn run(arguments: &Arguments) -> ExitCode {
    let prepared = load(&arguments.file)
        .and_then(Loaded::usable)
        .and_then(|config| Ok((domains(arguments, &config)?, helo(arguments)?, config)));
    let (domains, helo, config) = match prepared {
        Ok(prepared) => prepared,
        Err(why) => {
            complain(&why);
            return exit::bad_input();
        }
    };
    let looked = tokio::runtime::Runtime::new()
        .map_err(|error| error.to_string())
        .and_then(|runtime| runtime.block_on(look(arguments, &config, domains, helo)));
    match looked {
        Ok(watched) => {
            show(arguments, &watched);
            status(&watched)
        }
        Err(why) => {
            complain(&why);
            exit::inconclusive()
        }
    }
}

fn domains(arguments: &Arguments, config: &Config) -> Result<Vec<DomainName>, String> {
    let mut domains = Vec::new();
    for text in &arguments.next_hops {
        let name = DomainName::parse(text)
            .ok()
            .filter(|name| !name.is_address() && !name.is_single_label());
        let name = name.ok_or_else(|| format!("{text:?} is no domain to watch"))?;
        if !domains.contains(&name) {
            domains.push(name);
        }
    }
    if !domains.is_empty() {
        return Ok(domains);
    }
    match config.watch.domains.as_slice() {
        [] => Err("no domain: name one, or list yours in [watch] domains".to_owned()),
        own => Ok(own.to_vec()),
    }
}

async fn look(
    arguments: &Arguments,
    config: &Config,
    domains: Vec<DomainName>,
    helo: Option<DomainName>,
) -> Result<Vec<WatchedDomain>, String> {
    let prober = super::probe::prober(arguments.engine.into(), helo).await?;
    let engine = Engine::start(config, &Memory::InProcess)
        .await
        .map_err(|error| error.to_string())?;
    let mut world = engine.answerer.world().clone();
    world.prober = Some(prober);
    let own = WatchConfig {
        domains,
        ..config.watch.clone()
    };
    let watch = Watch::new(world, own, engine.authorities.clone());
    for domain in &watch.config().domains {
        // What it was before is not known here.
        let _ = watch.look(domain).await;
    }
    Ok(watch.list())
}

fn show(arguments: &Arguments, watched: &[WatchedDomain]) {
    if arguments.json {
        print(&pretty(&json!({
            "result": worst(watched),
            "domains": watched,
        })));
        return;
    }
    let pages: Vec<String> = watched.iter().map(page).collect();
    print(&pages.join("\n"));
}

fn page(domain: &WatchedDomain) -> String {
    let mut page = Page::default();
    let alarms = domain.findings.iter().filter(|own| own.is_alarm()).count();
    let words = match (domain.result, alarms) {
        ("alarm", 1) => "one ALARM".to_owned(),
        ("alarm", count) => format!("{count} ALARMS"),
        ("inconclusive", _) => "INCONCLUSIVE: something could not be looked at".to_owned(),
        _ if domain.findings.is_empty() => "all is well".to_owned(),
        _ => "well, with something to know".to_owned(),
    };
    page.line(&format!("{}: {words}.", domain.domain));
    for finding in &domain.findings {
        one(&mut page, finding);
    }
    for host in &domain.hosts {
        hosts(&mut page, host);
    }
    if let Some(policy) = &domain.policy {
        let patterns = policy.mx.join(" ");
        page.fact(
            "MTA-STS",
            &format!(
                "{}, id {}, for {patterns}, kept for {} s",
                policy.mode, policy.id, policy.max_age
            ),
        );
    }
    page.into_text()
}

fn one(page: &mut Page, finding: &WatchedFinding) {
    let label = match finding.severity {
        "alarm" => "ALARM",
        other => other,
    };
    let at = finding.address.map(|address| format!(" at {address}"));
    let at = at.unwrap_or_default();
    page.fact(label, &format!("{}{at} ({})", finding.what, finding.kind));
    page.fact("", &format!("because: {}", finding.cause));
    page.fact("", &format!("do: {}", finding.cure));
}

fn hosts(page: &mut Page, host: &WatchedHost) {
    let records = match host.tlsa.len() {
        0 => format!("TLSA {}", host.tlsa_status),
        count => format!("{count} TLSA, {}", host.tlsa_status),
    };
    page.fact(
        "host",
        &format!("{}, preference {}: {records}", host.host, host.preference),
    );
    for address in &host.addresses {
        page.fact("", &seen(address));
    }
}

fn seen(address: &WatchedAddress) -> String {
    let Some(certificate) = &address.certificate else {
        return format!("{}: {}", address.address, address.stage);
    };
    let dane = match (&address.matched, &address.refused) {
        (Some(record), _) => format!(", matches {record}"),
        (None, Some(why)) => format!(", REFUSED by TLSA: {}", why),
        (None, None) => String::new(),
    };
    let web_pki = address.web_pki.as_deref().unwrap_or_default();
    format!(
        "{}: {} until {}{dane}, by web PKI {web_pki}",
        address.address, certificate.subject, certificate.not_after
    )
}

/// One alarm is more than any doubt, and any doubt more than all that is well.
fn worst(watched: &[WatchedDomain]) -> &'static str {
    let has = |word: &str| watched.iter().any(|own| own.result == word);
    ["alarm", "inconclusive"]
        .into_iter()
        .find(|word| has(word))
        .unwrap_or("well")
}

fn status(watched: &[WatchedDomain]) -> ExitCode {
    match worst(watched) {
        "alarm" => exit::failed(),
        "inconclusive" => exit::inconclusive(),
        _ => exit::FINE,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn domain(result: &'static str, findings: Vec<WatchedFinding>) -> WatchedDomain {
        WatchedDomain {
            domain: "e.test".to_owned(),
            looked: None,
            result,
            findings,
            hosts: Vec::new(),
            policy: None,
        }
    }

    #[test]
    fn the_worst_decides() {
        for (results, expected) in [
            (&["well", "well"][..], "well"),
            (&["well", "inconclusive"], "inconclusive"),
            (&["inconclusive", "alarm", "well"], "alarm"),
        ] {
            let watched: Vec<WatchedDomain> = results
                .iter()
                .map(|result| domain(result, Vec::new()))
                .collect();
            assert_eq!(worst(&watched), expected);
        }
    }

    #[test]
    fn findings_for_people() {
        let finding = WatchedFinding {
            kind: "tlsa-no-match",
            severity: "alarm",
            host: Some("mx.e.test".to_owned()),
            address: "192.0.2.1".parse().ok(),
            what: "no record matches".to_owned(),
            cause: "another key".to_owned(),
            cure: "publish it".to_owned(),
            since: String::new(),
            seen: true,
        };
        let text = page(&domain("alarm", vec![finding]));
        assert_eq!(
            text,
            "e.test: one ALARM.\n  ALARM        no record matches at 192.0.2.1 (tlsa-no-match)\n\
             \x20              because: another key\n               do: publish it\n"
        );
    }
}
