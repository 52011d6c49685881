//! What is seen only by asking: the map through Sendmail itself, and its resolver.

use hoplock_policy::findings::Validation;
use hoplock_policy::profile::OwnDane;

use super::super::Findings;
use super::super::ours::AS_ROOT;
use super::STS;
use crate::adapters::dns::{DnsStub, self_test, system};
use crate::adapters::program::is_root;
use crate::adapters::sendmail::{Lookup, Map, Settings};
use crate::config::Config;
use crate::serve::engine::dns_options;

/// The maps answer Sendmail, and its own DANE has a resolver that validates.
pub(in super::super) async fn answers(
    findings: &mut Findings,
    settings: &Settings,
    config: &Config,
) {
    answer(findings, settings);
    let relied_on = config
        .profiles
        .get("sendmail")
        .is_some_and(|profile| profile.own_dane == OwnDane::Yes);
    if relied_on {
        resolvers(findings, config).await;
    }
}

fn answer(findings: &mut Findings, settings: &Settings) {
    const CHECK: &str = "sendmail-answer";
    let is_unix = |map: &Map| {
        map.endpoint()
            .is_some_and(|place| place.starts_with("unix:"))
    };
    let place = settings.map_named(STS).map(|map| map.place.clone());
    let place = place.unwrap_or_default();
    match Lookup::ask(STS, "localhost") {
        Ok(Lookup::NotFound) => findings.fine(CHECK, format!("{place} answers Sendmail")),
        Ok(Lookup::Found(said)) => findings.problem(
            CHECK,
            format!("{place} says {said:?} of localhost, which is no destination"),
            "is that hoplock? see [listen] socketmap",
        ),
        Ok(Lookup::Failed) if settings.map_named(STS).is_some_and(is_unix) && !is_root() => findings
            .advice(
                CHECK,
                format!("{place} does not answer this user, which tells nothing of Sendmail's"),
                AS_ROOT,
            ),
        Ok(Lookup::Failed) => findings.problem(
            CHECK,
            format!("{place} does not answer Sendmail: all mail waits"),
            "start hoplock; a unix socket must be open to the user that Sendmail runs as (O RunAsUser), \
             and its folders must not be writable by others",
        ),
        Err(error) => findings.problem(CHECK, error.to_string(), "`sendmail -bt` must work"),
    }
}

/// The resolvers of the system, which need not be ours.
async fn resolvers(findings: &mut Findings, config: &Config) {
    const CHECK: &str = "sendmail-resolver";
    let servers = system::servers().unwrap_or_default();
    let stub = DnsStub::new(dns_options(config), &servers);
    self_test::test(&stub).await;
    for server in stub.report() {
        let address = server.address;
        match server.validation {
            Validation::Validating => findings.fine(CHECK, format!("{address} validates")),
            Validation::Unknown if config.dns.self_test.is_none() => {}
            Validation::Unknown | Validation::NotValidating => findings.problem(
                CHECK,
                format!("Sendmail asks {address}, which was not seen to validate DNSSEC: its DANE is off"),
                "name one validating resolver (127.0.0.1, unbound) alone in /etc/resolv.conf",
            ),
        }
    }
}
