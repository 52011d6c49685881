//! Postfix's settings that decide whether an answer of ours is kept (PF-08).

use hoplock_policy::findings::Validation;
use hoplock_policy::profile::{Family, Floor, OwnDane, PinDigest, Profile};

use super::Findings;
use crate::adapters::dns::{DnsStub, self_test, system};
use crate::adapters::postfix::{PostfixResolver, Settings};
use crate::config::Config;
use crate::serve::engine::dns_options;

/// DNSSEC of Postfix itself: `dane` is quietly `may`, and `dane-only` defers, where it does not work.
pub(super) async fn dnssec(findings: &mut Findings, settings: &Settings, config: &Config) {
    let level = settings.get("smtp_dns_support_level");
    if level == "dnssec" {
        findings.fine("smtp_dns_support_level", "dnssec");
    } else {
        findings.problem(
            "smtp_dns_support_level",
            format!("smtp_dns_support_level is {level:?}: Postfix does no DANE"),
            "add to main.cf: smtp_dns_support_level = dnssec",
        );
    }
    let lookup = settings.get("smtp_host_lookup");
    let methods: Vec<&str> = words(lookup).collect();
    if !methods.contains(&"dns") {
        findings.problem(
            "smtp_host_lookup",
            format!("smtp_host_lookup = {lookup}: without DNS there is no DANE"),
            "in main.cf: smtp_host_lookup = dns",
        );
    } else if methods.len() > 1 {
        findings.advice(
            "smtp_host_lookup",
            format!("smtp_host_lookup = {lookup}: addresses that are not from DNS have no DANE"),
            "in main.cf: smtp_host_lookup = dns",
        );
    } else {
        findings.fine("smtp_host_lookup", lookup);
    }
    if settings.get("ignore_mx_lookup_error") == "yes" {
        findings.problem(
            "ignore_mx_lookup_error",
            "ignore_mx_lookup_error = yes: a failed MX lookup passes for none, and DANE is off",
            "in main.cf: ignore_mx_lookup_error = no",
        );
    } else {
        findings.fine("ignore_mx_lookup_error", "no");
    }
    let options = settings.get("smtp_dns_resolver_options");
    if options.is_empty() {
        findings.fine("smtp_dns_resolver_options", "none");
    } else {
        findings.problem(
            "smtp_dns_resolver_options",
            format!("smtp_dns_resolver_options = {options}: names are completed from a search list, and DANE is off"),
            "remove the line from main.cf",
        );
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
            format!("add to main.cf: smtp_tls_fingerprint_digest = {ours}"),
        );
    }
    insecure_mx(findings, settings, config);
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
    if profile.own_dane == OwnDane::No {
        findings.advice(
            "own-dane",
            format!(
                "[profile.{}] own_dane = \"no\": destinations with DANE wait",
                profile.name
            ),
            "own_dane = \"auto\", once Postfix's resolver validates",
        );
    }
}

/// The level that Postfix takes where we say NOTFOUND must be the one that we think (PD-16).
fn floor(findings: &mut Findings, settings: &Settings, profile: &Profile) {
    let level = settings.get("smtp_tls_security_level");
    let floor = match level {
        "may" => Some(Floor::May),
        "dane" => Some(Floor::Dane),
        "encrypt" => Some(Floor::Encrypt),
        "secure" => Some(Floor::Secure),
        _ => None,
    };
    match floor {
        Some(floor) if floor == profile.floor => {
            findings.fine("smtp_tls_security_level", format!("{level}, as floor says"));
        }
        Some(_) => findings.problem(
            "smtp_tls_security_level",
            format!(
                "smtp_tls_security_level = {level}, and [profile.{}] floor says otherwise: an answer \
                 could ask for less than you do",
                profile.name
            ),
            format!("[profile.{}] floor = \"{level}\"", profile.name),
        ),
        None if matches!(level, "" | "none") => findings.problem(
            "smtp_tls_security_level",
            "smtp_tls_security_level is not set: mail goes out in clear text wherever hoplock \
             demands nothing",
            "add to main.cf: smtp_tls_security_level = may",
        ),
        None => findings.problem(
            "smtp_tls_security_level",
            format!("smtp_tls_security_level = {level} cannot stand beside a policy map: it would strand mail"),
            "in main.cf: smtp_tls_security_level = may (or encrypt, with floor = \"encrypt\")",
        ),
    }
}

/// What Postfix does with `dane` behind an unsigned MX set.
fn insecure_mx(findings: &mut Findings, settings: &Settings, config: &Config) {
    const CHECK: &str = "smtp_tls_dane_insecure_mx_policy";
    if settings.version() < (3, 1, 0) || !config.dane.half_dane {
        return;
    }
    match settings.get(CHECK) {
        "dane" => findings.fine(CHECK, "dane"),
        "encrypt" => findings.problem(
            CHECK,
            format!("{CHECK} = encrypt: hosts without TLS behind unsigned MX records get no mail"),
            format!("in main.cf: {CHECK} = dane"),
        ),
        other => findings.advice(
            CHECK,
            format!("{CHECK} = {other}: TLSA records behind unsigned MX records are not used"),
            format!("add to main.cf: {CHECK} = dane"),
        ),
    }
}

/// The profile that Postfix's map names, else the built-in one.
pub(super) fn profile_of(settings: &Settings, config: &Config) -> Option<Profile> {
    let named = super::map::Table::all(settings)
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

/// The words of a list in Postfix's style.
pub(super) fn words(list: &str) -> impl Iterator<Item = &str> {
    list.split([',', ' ', '\t']).filter(|word| !word.is_empty())
}

const RESOLV_CONF: &str = "/etc/resolv.conf";
