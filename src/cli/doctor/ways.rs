//! Ways around the map: relays, other transports, overrides in master.cf.

use hoplock_policy::moment::Timestamp;
use hoplock_policy::next_hop::NextHop;
use hoplock_policy::rules::RulePattern;

use super::Findings;
use super::table::{Ours, Table};
use crate::adapters::postfix::{Settings, words};
use crate::config::Config;

/// All of them.
pub(super) fn around(
    findings: &mut Findings,
    settings: &Settings,
    config: &Config,
    now: Timestamp,
) {
    relayhost(findings, settings, config, now);
    let transport = settings.get("default_transport");
    if transport == "smtp" || transport.is_empty() {
        findings.fine("default_transport", "smtp");
    } else {
        findings.problem(
            "default_transport",
            format!("default_transport = {transport}: mail leaves by another way than smtp(8) and its map"),
            settings.cure("default_transport", "smtp"),
        );
    }
    overrides(findings, settings, config);
    for parameter in [
        "transport_maps",
        "sender_dependent_default_transport_maps",
        "sender_dependent_relayhost_maps",
    ] {
        let value = settings.get(parameter);
        if !value.is_empty() {
            findings.advice(
                parameter,
                format!("{parameter} = {value}: what it redirects is asked about under the next hop that it names"),
                "nothing, where that is meant; `hoplock query '[relay.example]:587'` shows such an answer",
            );
        }
    }
}

/// A relay is a problem until a rule for exactly it says that it is meant.
fn relayhost(findings: &mut Findings, settings: &Settings, config: &Config, now: Timestamp) {
    const CHECK: &str = "relayhost";
    let relay = settings.get(CHECK);
    if relay.is_empty() {
        findings.fine(CHECK, "none");
        return;
    }
    let open: Vec<&str> = words(relay)
        .filter(|relay| !is_meant(relay, config, now))
        .collect();
    let Some(first) = open.first() else {
        findings.fine(CHECK, format!("{relay}, for which there is a rule"));
        return;
    };
    let pattern = match NextHop::parse(first) {
        NextHop::NotADomain(other) => other.address().map(|address| address.to_string()),
        named => named.name().map(|name| name.as_str().to_owned()),
    };
    let pattern = pattern.unwrap_or_else(|| (*first).to_owned());
    findings.problem(
        CHECK,
        format!("relayhost = {relay}: hoplock is asked about the relay alone, and the way from there on is the relay's"),
        format!(
            "remove relayhost where this machine may deliver by itself; else run hoplock at the relay. \
             Where it is meant, say so by a rule of hoplock for exactly it, which also says how it must \
             be reached: [rules.\"{pattern}\"] answer = \"encrypt\", or \"secure\" with names"
        ),
    );
}

fn is_meant(relay: &str, config: &Config, now: Timestamp) -> bool {
    match NextHop::parse(relay) {
        NextHop::NotADomain(other) => other
            .address()
            .and_then(|address| config.rules.for_address(address, now))
            .is_some_and(|rule| matches!(rule.pattern, RulePattern::Address(_))),
        named => named
            .name()
            .and_then(|name| config.rules.for_name(name, now))
            .is_some_and(|rule| matches!(rule.pattern, RulePattern::Exact(_))),
    }
}

/// Services beside smtp that run smtp(8); what overrides smtp itself is judged where it counts.
fn overrides(findings: &mut Findings, settings: &Settings, config: &Config) {
    for other in settings.of_others() {
        let name = &other.smtp.name;
        for (parameter, effect) in bypasses(settings, &other, config) {
            let value = other.get(parameter);
            let what =
                format!("master.cf: the service {name} has -o {parameter}={value}: {effect}");
            // Postfix itself sends by `relay`; any other is used where somebody says so.
            if name == "relay" {
                findings.problem(
                    "transport",
                    what,
                    format!("in master.cf: remove -o {parameter} from the service relay"),
                );
            } else {
                findings.advice(
                    "transport",
                    what,
                    "nothing, where that service is for what hoplock shall not judge (a content \
                     filter on this machine); else remove the override from master.cf",
                );
            }
        }
    }
}

/// The overrides of a service by which its mail is less safe, with what they do.
fn bypasses(
    settings: &Settings,
    other: &Settings,
    config: &Config,
) -> Vec<(&'static str, &'static str)> {
    let overridden = |name: &str| other.smtp.overrides.contains_key(name);
    let mut found = Vec::new();
    let first_is_ours = Table::all(other)
        .first()
        .is_some_and(|table| table.ours(&other.root(), &config.listen.socketmap) != Ours::No);
    if overridden("smtp_tls_policy_maps") && !first_is_ours {
        found.push((
            "smtp_tls_policy_maps",
            "its mail goes without hoplock's word",
        ));
    }
    if overridden("smtp_tls_security_level") && other.level() != settings.level() {
        let effect = "its mail goes by that level wherever hoplock demands nothing";
        found.push(("smtp_tls_security_level", effect));
    }
    for parameter in other.against_dane() {
        if overridden(parameter) {
            found.push((parameter, "its mail goes without DANE"));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::super::State;
    use super::*;

    const MAIN: &str = "mail_version = 3.7.11\ncompatibility_level = 3.6\n\
                        smtp_dns_support_level = dnssec\nsmtp_host_lookup = dns\n\
                        smtp_tls_security_level = may\ndefault_transport = smtp\n\
                        smtp_tls_policy_maps = socketmap:inet:127.0.0.1:8425:postfix\n";
    const MASTER: &str = "smtp unix - - n - - smtp\nrelay unix - - n - - smtp\n\
                          amavis unix - - n - 2 smtp\n";

    fn config(text: &str) -> Config {
        Config::parse(text, &[]).0.unwrap()
    }

    fn of_overrides(overrides: &str) -> Vec<(&'static str, State)> {
        let settings = Settings::of(MAIN, MASTER, overrides);
        let mut findings = Findings::default();
        around(&mut findings, &settings, &config(""), Timestamp(1));
        let all = findings.0.into_iter();
        all.filter(|finding| finding.state != State::Fine)
            .map(|finding| (finding.check, finding.state))
            .collect()
    }

    #[test]
    fn overrides_of_other_services() {
        for (overrides, expected) in [
            ("", None),
            ("relay/unix/syslog_name = relay", None),
            (
                "relay/unix/smtp_tls_policy_maps = socketmap:inet:localhost:8425:postfix",
                None,
            ),
            ("relay/unix/smtp_tls_policy_maps =", Some(State::Problem)),
            ("amavis/unix/smtp_tls_policy_maps =", Some(State::Advice)),
            (
                "amavis/unix/smtp_tls_security_level = none",
                Some(State::Advice),
            ),
            (
                "relay/unix/smtp_tls_security_level = none",
                Some(State::Problem),
            ),
            ("relay/unix/smtp_tls_security_level = may", None),
            ("relay/unix/smtp_host_lookup = native", Some(State::Problem)),
            (
                "relay/unix/ignore_mx_lookup_error = yes",
                Some(State::Problem),
            ),
            // Judged as the settings of the service that counts.
            ("smtp/unix/smtp_tls_security_level = none", None),
        ] {
            let expected: Vec<_> = expected
                .map(|state| ("transport", state))
                .into_iter()
                .collect();
            assert_eq!(of_overrides(overrides), expected, "{overrides}");
        }
    }

    #[test]
    fn a_relay_is_meant_where_a_rule_is_for_exactly_it() {
        let meant = |relay: &str, rules: &str| is_meant(relay, &config(rules), Timestamp(1));
        let rule = |name: &str| format!("[rules.\"{name}\"]\nanswer = \"encrypt\"\n");
        assert!(meant("[relay.test]:587", &rule("relay.test")));
        assert!(meant("relay.test", &rule("relay.test")));
        assert!(meant("[192.0.2.1]", &rule("192.0.2.1")));
        assert!(!meant("[relay.test]:587", ""));
        assert!(!meant("[relay.test]:587", &rule(".test")));
        assert!(!meant("[relay.test]:587", &rule("*")));
        assert!(!meant("[192.0.2.1]", &rule("*")));
    }
}
