//! Which profile fits the Postfix of this machine.

use super::postfix::profile_of;
use super::{Findings, State};
use crate::adapters::postfix::Settings;
use crate::config::Config;

/// By its version, and by what was found out of its DNSSEC.
pub(super) fn postfix(findings: &mut Findings, settings: &Settings, config: &Config) {
    const CHECK: &str = "profile";
    let (major, minor, _) = settings.version();
    let own_dane = !findings.any_problem(OWN_DANE);
    let map = match (own_dane, (major, minor) >= (3, 10)) {
        (true, true) => "postfix310",
        (true, false) => "postfix",
        (false, _) => "pins",
    };
    let used = profile_of(settings, config).map(|profile| profile.name);
    let used = used.unwrap_or_else(|| "postfix".to_owned());
    let why = if own_dane {
        "its own DNSSEC works"
    } else {
        "its own DNSSEC does not work"
    };
    let what = format!("{map} fits this Postfix {major}.{minor}: {why}");
    let is_fitting = used == map || map == "postfix310" && used == "postfix";
    let state = if is_fitting {
        State::Fine
    } else {
        State::Advice
    };
    let cure = match state {
        State::Fine => String::new(),
        _ if own_dane => format!("name the map {map} in smtp_tls_policy_maps"),
        _ => "better mend its DNSSEC, see above; until then own_dane = \"auto\" keeps mail from going out \
              weaker"
            .to_owned(),
    };
    findings.add(CHECK, state, what, cure);
}

/// The checks that say so.
const OWN_DANE: &[&str] = &[
    "smtp_dns_support_level",
    "smtp_host_lookup",
    "ignore_mx_lookup_error",
    "smtp_dns_resolver_options",
    "postfix-resolver",
    "postfix-resolv-conf",
];

#[cfg(test)]
mod tests {
    use super::*;

    fn said(version: &str, map: &str, trouble: bool) -> (State, String) {
        let main = format!(
            "mail_version = {version}\ncompatibility_level = 3.6\n\
             smtp_tls_policy_maps = socketmap:inet:127.0.0.1:8425:{map}\n"
        );
        let settings = Settings::of(&main, "", "");
        let config = Config::parse("", &[]).0.unwrap();
        let mut findings = Findings::default();
        if trouble {
            findings.problem("postfix-resolver", "x", "y");
        }
        postfix(&mut findings, &settings, &config);
        let last = findings.0.pop().unwrap();
        (last.state, last.what)
    }

    /// OP-07, PD-11: by version, and by whether DNSSEC works.
    #[test]
    fn fitting_profiles() {
        for (version, map, trouble, state, fits) in [
            ("3.7.11", "postfix", false, State::Fine, "postfix"),
            ("3.10.1", "postfix310", false, State::Fine, "postfix310"),
            // The check of the map says what it could have beside.
            ("3.10.1", "postfix", false, State::Fine, "postfix310"),
            ("3.7.11", "postfix310", false, State::Advice, "postfix"),
            ("3.7.11", "postfix", true, State::Advice, "pins"),
            ("3.7.11", "pins", true, State::Fine, "pins"),
        ] {
            let (seen, what) = said(version, map, trouble);
            assert!(what.starts_with(&format!("{fits} fits")), "{what}");
            assert_eq!(seen, state, "{version} {map} {trouble}");
        }
    }
}
