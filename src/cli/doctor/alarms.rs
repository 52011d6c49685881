//! What the running daemon sees: its alarms, as far as the same was not found here.
//!
//! The daemon runs as another user, was started with an older configuration, or at another time: where
//! it sees what doctor does not, mail goes by its word.

use serde_json::Value;

use super::super::status::{list, text};
use super::Findings;
use crate::config::Config;

/// The alarms of a status. `is_postfix` is false where the mail server of this machine is another.
pub(super) fn of(findings: &mut Findings, status: &Value, config: &Config, is_postfix: bool) {
    const CHECK: &str = "alarm";
    for alarm in list(status, "/alarms") {
        let word = text(alarm, "/alarm");
        let matter = matter(&word);
        // Told already: without a self-test nothing can be known, here as there.
        let untested = word == "resolver-unknown" && config.dns.self_test.is_none();
        // Another mail server is here, and has not asked yet.
        let is_of_another = word == "postfix-dnssec"
            && !is_postfix
            && text(status, "/postfix/own_dane") == "not-found";
        if findings.any_problem(matter) || untested || is_of_another {
            continue;
        }
        let what = format!("{}: {}", text(alarm, "/what"), text(alarm, "/cause"));
        if matter.is_empty() {
            findings.problem(CHECK, what, text(alarm, "/cure"));
        } else {
            findings.problem(
                CHECK,
                format!("{what} (the running daemon sees it differently from doctor)"),
                cure(&word, &text(status, "/postfix/own_dane"), config),
            );
        }
    }
}

/// True where the daemon has not seen yet what doctor sees: Postfix's settings, a moment after they were
/// changed and the daemon was told.
pub(super) fn may_pass(findings: &Findings, status: &Value) -> bool {
    let mut alarms = list(status, "/alarms").iter();
    alarms.any(|alarm| {
        let word = text(alarm, "/alarm");
        word == "postfix-dnssec" && !findings.any_problem(matter(&word))
    })
}

/// The checks of doctor that look at the same.
fn matter(alarm: &str) -> &'static [&'static str] {
    match alarm {
        "resolver-not-validating" | "resolver-unknown" => &["resolver"],
        "resolver-not-believed" => &["resolver-trust"],
        "postfix-dnssec" => &[
            "postfix",
            "postfix-resolver",
            "smtp_dns_support_level",
            "smtp_host_lookup",
            "ignore_mx_lookup_error",
            "smtp_dns_resolver_options",
        ],
        _ => &[],
    }
}

fn cure(alarm: &str, own_dane: &str, config: &Config) -> String {
    let words = match (alarm, own_dane) {
        ("postfix-dnssec", "not-found") => {
            "the daemon cannot read Postfix's settings: `postconf` must work for its user (chmod 644 \
             /etc/postfix/main.cf); where Postfix runs elsewhere and validates, say own_dane = \"yes\" \
             in its profile, or \"no\" where it does not"
        }
        ("postfix-dnssec", "resolver-unknown") if config.dns.self_test.is_none() => {
            "without a self-test it cannot be seen: [dns] self_test = \"com.\""
        }
        ("postfix-dnssec", _) => {
            "wait half a minute, after which the daemon looks again; then systemctl restart hoplock"
        }
        _ => {
            "the daemon asks the name servers that it was started with: systemctl restart hoplock \
             (a reload keeps them)"
        }
    };
    words.to_owned()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::State;
    use super::*;

    fn said(alarm: &str, own_dane: &str, before: &[&'static str], config: &str) -> Vec<String> {
        said_beside(alarm, own_dane, before, config, true)
    }

    fn said_beside(
        alarm: &str,
        own_dane: &str,
        before: &[&'static str],
        config: &str,
        is_postfix: bool,
    ) -> Vec<String> {
        let mut findings = Findings::default();
        for check in before {
            findings.problem(check, "seen", "mend it");
        }
        let status = json!({
            "postfix": { "own_dane": own_dane },
            "alarms": [{ "alarm": alarm, "what": "it", "cause": "because", "cure": "do" }],
        });
        let config = Config::parse(config, &[]).0.unwrap();
        of(&mut findings, &status, &config, is_postfix);
        let told = findings.0.into_iter().skip(before.len());
        told.inspect(|finding| assert_eq!(finding.state, State::Problem))
            .map(|finding| format!("{} {}", finding.what, finding.cure))
            .collect()
    }

    #[test]
    fn an_alarm_is_left_out_only_where_its_matter_is_told() {
        // Postfix's settings are for root's eyes, or there is no Postfix.
        let told = said("postfix-dnssec", "not-found", &[], "");
        assert!(
            told[0].contains("cannot read Postfix's settings"),
            "{told:?}"
        );
        assert!(told[0].contains("differently"), "{told:?}");
        let postfix = ["smtp_host_lookup"];
        assert!(said("postfix-dnssec", "lookups-off", &postfix, "").is_empty());
        // Another matter is no excuse.
        let told = said("postfix-dnssec", "not-found", &["resolver"], "");
        assert_eq!(told.len(), 1);
        // [dns] servers was changed, and the daemon reloaded.
        let told = said("resolver-not-validating", "works", &[], "");
        assert!(told[0].contains("restart"), "{told:?}");
        assert!(said("resolver-not-validating", "works", &["resolver"], "").is_empty());
        // Nobody can know.
        let untested = "[dns]\nself_test = \"\"";
        assert!(said("resolver-unknown", "works", &[], untested).is_empty());
        let told = said("postfix-dnssec", "resolver-unknown", &[], untested);
        assert!(told[0].contains("self_test"), "{told:?}");
    }

    #[test]
    fn another_mail_server_needs_no_dnssec_of_postfix() {
        let told = |own_dane, alarm| said_beside(alarm, own_dane, &[], "", false).len();
        assert_eq!(told("not-found", "postfix-dnssec"), 0);
        // There is one where the daemon looks.
        assert_eq!(told("lookups-off", "postfix-dnssec"), 1);
        assert_eq!(told("not-found", "mail-waits"), 1);
    }

    #[test]
    fn other_alarms_keep_their_cure() {
        assert_eq!(said("mail-waits", "works", &[], ""), ["it: because do"]);
    }
}
