//! Postfix's settings that decide whether an answer of ours is kept (PF-08).

use hoplock_policy::findings::Validation;
use hoplock_policy::profile::{AddressFamilies, Family, Floor, OwnDane, PinDigest, Profile};

use super::Findings;
use crate::adapters::dns::{DnsStub, self_test, system};
use crate::adapters::postfix::{PostfixResolver, Settings, words};
use crate::config::Config;
use crate::serve::engine::dns_options;

/// DNSSEC of Postfix itself: `dane` is quietly `may`, and `dane-only` defers, where it does not work.
pub(super) async fn dnssec(findings: &mut Findings, settings: &Settings, config: &Config) {
    let against = settings.against_dane();
    for (name, wanted, effect) in [
        ("smtp_dns_support_level", "dnssec", "Postfix does no DANE"),
        ("smtp_host_lookup", "dns", "without DNS there is no DANE"),
        (
            "ignore_mx_lookup_error",
            "no",
            "a failed MX lookup passes for none, and DANE is off",
        ),
        (
            "smtp_dns_resolver_options",
            "",
            "names are completed from a search list, and DANE is off",
        ),
    ] {
        let value = settings.get(name);
        let several = words(value).count() > 1;
        if against.contains(&name) {
            let what = if value.is_empty() {
                format!("{name} is not set: {effect}")
            } else {
                format!("{name} = {value}: {effect}")
            };
            findings.problem(name, what, settings.cure(name, wanted));
        } else if name == "smtp_host_lookup" && several {
            findings.advice(
                name,
                format!("{name} = {value}: addresses that are not from DNS have no DANE"),
                settings.cure(name, wanted),
            );
        } else {
            findings.fine(name, if value.is_empty() { "none" } else { value });
        }
    }
    resolvers(findings, settings, config).await;
}

/// The resolvers of Postfix, which need not be ours.
async fn resolvers(findings: &mut Findings, settings: &Settings, config: &Config) {
    let resolvers = PostfixResolver::of(settings);
    let addresses: Vec<_> = resolvers.iter().map(|resolver| resolver.address).collect();
    let stub = DnsStub::new(dns_options(config), &addresses);
    self_test::test(&stub).await;
    let cure = "name one validating resolver (127.0.0.1, unbound) alone in /etc/resolv.conf, then \
                systemctl restart postfix, which copies it into the chroot";
    if resolvers.is_empty() {
        findings.problem(
            "postfix-resolver",
            "Postfix's resolv.conf names no server",
            cure,
        );
    }
    for server in stub.report() {
        let resolver = resolvers
            .iter()
            .find(|resolver| resolver.address == server.address);
        let file =
            resolver.map_or_else(String::new, |resolver| resolver.file.display().to_string());
        let named = format!("{} ({file})", server.address);
        match server.validation {
            Validation::Validating => {
                findings.fine("postfix-resolver", format!("{named} validates"))
            }
            Validation::NotValidating => findings.problem(
                "postfix-resolver",
                format!("Postfix asks {named}, which does not validate DNSSEC"),
                cure,
            ),
            Validation::Unknown => findings.problem(
                "postfix-resolver",
                format!("Postfix asks {named}, which does not answer the self-test"),
                cure,
            ),
        }
    }
    let own = settings.as_seen(RESOLV_CONF);
    if settings.smtp.chrooted {
        let system = system::servers_of(RESOLV_CONF.as_ref()).unwrap_or_default();
        let copied = system::servers_of(&own).unwrap_or_default();
        if system != copied {
            findings.problem(
                "postfix-resolv-conf",
                format!(
                    "{} differs from {RESOLV_CONF}: smtp(8) runs chrooted and reads the former",
                    own.display()
                ),
                "systemctl restart postfix, which copies it",
            );
        }
    }
}

/// Levels, floors and digests.
pub(super) fn levels(findings: &mut Findings, settings: &Settings, config: &Config) {
    let Some(profile) = profile_of(settings, config) else {
        return;
    };
    floor(findings, settings, &profile);
    let digest = settings.get("smtp_tls_fingerprint_digest");
    let ours = match profile.digest {
        PinDigest::Sha256 => "sha256",
        PinDigest::Sha512 => "sha512",
    };
    if digest == ours {
        findings.fine("smtp_tls_fingerprint_digest", digest);
    } else {
        findings.problem(
            "smtp_tls_fingerprint_digest",
            format!(
                "smtp_tls_fingerprint_digest is {digest:?}, and fingerprints of hoplock are {ours}"
            ),
            settings.cure("smtp_tls_fingerprint_digest", ours),
        );
    }
    insecure_mx(findings, settings, config);
    addresses(findings, settings, &profile);
    let (major, minor, _) = settings.version();
    let wanted = (profile.version.major, profile.version.minor);
    if (major, minor) >= wanted {
        findings.fine("postfix-version", format!("{major}.{minor}"));
    } else {
        findings.problem(
            "postfix-version",
            format!(
                "Postfix is {major}.{minor}, and the profile {} is for {}.{} and later: it may be told \
                 words that it does not know, and will defer",
                profile.name, wanted.0, wanted.1
            ),
            format!("[profile.{}] version = \"{major}.{minor}\"", profile.name),
        );
    }
    if profile.own_dane == OwnDane::No && profile.family == Family::Postfix {
        findings.advice(
            "own-dane",
            format!(
                "[profile.{}] own_dane = \"no\": Postfix is handed pins in place of DANE",
                profile.name
            ),
            "own_dane = \"auto\", once Postfix's resolver validates",
        );
    }
}

/// The level that Postfix takes where we say NOTFOUND must be the one that we think (PD-16).
fn floor(findings: &mut Findings, settings: &Settings, profile: &Profile) {
    const CHECK: &str = "smtp_tls_security_level";
    let level = settings.level();
    let floor = match level {
        "may" => Some(Floor::May),
        "dane" => Some(Floor::Dane),
        "encrypt" => Some(Floor::Encrypt),
        "secure" => Some(Floor::Secure),
        _ => None,
    };
    match floor {
        Some(floor) if floor == profile.floor => {
            findings.fine(CHECK, format!("{level}, as floor says"));
        }
        Some(_) => findings.problem(
            CHECK,
            format!(
                "Postfix's own level is {level}, and [profile.{}] floor says otherwise: an answer could \
                 ask for less than you do",
                profile.name
            ),
            format!("[profile.{}] floor = \"{level}\"", profile.name),
        ),
        None if matches!(level, "" | "none") => findings.problem(
            CHECK,
            "smtp_tls_security_level is not set: mail goes out in clear text wherever hoplock \
             demands nothing",
            settings.cure(CHECK, "may"),
        ),
        None => findings.problem(
            CHECK,
            format!(
                "Postfix's own level is {level}, which cannot stand beside a policy map: it would \
                 strand mail"
            ),
            format!(
                "{} (or encrypt, with floor = \"encrypt\")",
                settings.cure(CHECK, "may")
            ),
        ),
    }
    obsolete(findings, settings);
}

/// Parameters from before Postfix 2.3, which count only where no newer one is set.
fn obsolete(findings: &mut Findings, settings: &Settings) {
    for name in ["smtp_use_tls", "smtp_enforce_tls", "smtp_tls_per_site"] {
        let value = settings.get(name);
        if !matches!(value, "" | "no") {
            findings.advice(
                name,
                format!(
                    "{name} = {value} is obsolete, and later versions of Postfix know it no more"
                ),
                format!(
                    "remove it; smtp_tls_security_level = {} and rules of hoplock say the same",
                    match settings.level() {
                        "" | "none" | "may" => "may",
                        _ => "encrypt (with floor = \"encrypt\")",
                    }
                ),
            );
        }
    }
}

/// What Postfix does with `dane` behind an unsigned MX set.
fn insecure_mx(findings: &mut Findings, settings: &Settings, config: &Config) {
    const CHECK: &str = "smtp_tls_dane_insecure_mx_policy";
    let by_itself = profile_of(settings, config).is_none_or(|own| own.family == Family::Postfix);
    if settings.version() < (3, 1, 0) || !config.dane.half_dane || !by_itself {
        return;
    }
    let effect = match settings.get(CHECK) {
        "dane" => {
            findings.fine(CHECK, "dane");
            return;
        }
        "encrypt" => {
            "TLSA records behind unsigned MX records are not compared, and only demand TLS"
        }
        _ => "TLSA records behind unsigned MX records are not used",
    };
    findings.advice(
        CHECK,
        format!("{CHECK} = {}: {effect}", settings.get(CHECK)),
        settings.cure(CHECK, "dane"),
    );
}

/// The addresses that Postfix uses should be those that we reckon with.
fn addresses(findings: &mut Findings, settings: &Settings, profile: &Profile) {
    const PROTOCOLS: &str = "inet_protocols";
    const LIMIT: &str = "smtp_mx_address_limit";
    let protocols = settings.get(PROTOCOLS);
    let used: Vec<&str> = words(protocols).collect();
    let uses = |family| used.is_empty() || used.contains(&"all") || used.contains(&family);
    let (ipv4, ipv6) = (uses("ipv4"), uses("ipv6"));
    let (counted4, counted6) = match profile.families {
        AddressFamilies::Both => (true, true),
        AddressFamilies::Ipv4 => (true, false),
        AddressFamilies::Ipv6 => (false, true),
    };
    let families = match (ipv4, ipv6) {
        (true, false) => "4",
        (false, true) => "6",
        _ => "auto",
    };
    let cure = format!("[profile.{}] families = \"{families}\"", profile.name);
    if ipv4 && !counted4 || ipv6 && !counted6 {
        findings.problem(
            PROTOCOLS,
            format!(
                "{PROTOCOLS} = {protocols}: Postfix delivers to addresses that [profile.{}] families \
                 leaves out, and their hosts are not looked at",
                profile.name
            ),
            cure,
        );
    } else if counted4 && !ipv4 || counted6 && !ipv6 {
        findings.advice(
            PROTOCOLS,
            format!(
                "{PROTOCOLS} = {protocols}: hoplock also reckons with hosts that Postfix cannot reach"
            ),
            cure,
        );
    } else {
        findings.fine(PROTOCOLS, protocols);
    }
    let limit = settings.get(LIMIT);
    let Ok(number) = limit.parse::<usize>() else {
        return;
    };
    // It only chooses between answers that keep every duty, and pins are built in without one.
    let is_pinned = profile.family == Family::Pins && profile.address_limit == 0;
    if number == profile.address_limit || is_pinned {
        findings.fine(LIMIT, limit);
    } else {
        findings.advice(
            LIMIT,
            format!(
                "{LIMIT} = {limit}, and hoplock reckons with {}: which hosts Postfix comes to may be \
                 others than it thinks",
                profile.address_limit
            ),
            format!("[profile.{}] address_limit = {limit}", profile.name),
        );
    }
}

/// The profile that Postfix's map names, else the built-in one.
pub(super) fn profile_of(settings: &Settings, config: &Config) -> Option<Profile> {
    let named = super::table::Table::all(settings)
        .into_iter()
        .find_map(|table| {
            let name = table.map?;
            let built_in = Profile::built_in(&name);
            let canonical = built_in.map_or(name, |profile| profile.name);
            config
                .profiles
                .get(&canonical)
                .map(|profile| Profile::clone(profile))
        });
    let profile = named.or_else(|| {
        config
            .profiles
            .get("postfix")
            .map(|profile| Profile::clone(profile))
    });
    profile.filter(|profile| matches!(profile.family, Family::Postfix | Family::Pins))
}

const RESOLV_CONF: &str = "/etc/resolv.conf";

#[cfg(test)]
mod tests {
    use super::super::State;
    use super::*;

    fn said(check: &str, main: &str, profile: &str) -> Option<State> {
        let config = Config::parse(profile, &[]).0.unwrap();
        let main = format!("mail_version = 3.7.11\ncompatibility_level = 3.6\n{main}");
        let settings = Settings::of(&main, "smtp unix - - n - - smtp", "");
        let mut findings = Findings::default();
        levels(&mut findings, &settings, &config);
        let found = findings.0.iter().find(|finding| finding.check == check);
        found.map(|finding| finding.state)
    }

    #[test]
    fn families_of_addresses() {
        let (four, six) = (
            "[profile.postfix]\nfamilies = \"4\"",
            "[profile.postfix]\nfamilies = \"6\"",
        );
        for (protocols, profile, expected) in [
            ("all", "", State::Fine),
            ("ipv4, ipv6", "", State::Fine),
            ("ipv4", "", State::Advice),
            ("ipv4", four, State::Fine),
            ("all", four, State::Problem),
            ("ipv4", six, State::Problem),
            ("ipv6", six, State::Fine),
        ] {
            let main = format!("inet_protocols = {protocols}\n");
            let state = said("inet_protocols", &main, profile);
            assert_eq!(state, Some(expected), "{protocols} {profile}");
        }
    }

    #[test]
    fn limits_of_addresses() {
        let limit = |main, profile| said("smtp_mx_address_limit", main, profile);
        let other = "[profile.postfix]\naddress_limit = 2";
        let five = "smtp_mx_address_limit = 5\n";
        assert_eq!(limit(five, ""), Some(State::Fine));
        assert_eq!(limit(five, other), Some(State::Advice));
        assert_eq!(
            limit("smtp_mx_address_limit = 2\n", other),
            Some(State::Fine)
        );
    }

    #[test]
    fn parameters_of_old_are_no_clear_text() {
        let old = "smtp_use_tls = yes\n";
        assert_eq!(said("smtp_use_tls", old, ""), Some(State::Advice));
        assert_eq!(said("smtp_tls_security_level", old, ""), Some(State::Fine));
        assert_eq!(
            said("smtp_tls_security_level", "", ""),
            Some(State::Problem)
        );
        assert_eq!(said("smtp_use_tls", "smtp_use_tls = no\n", ""), None);
    }
}
