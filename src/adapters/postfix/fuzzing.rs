//! What must hold for anything that Postfix's programs print; called by the fuzz target and by the
//! replay of its corpus.

use super::super::program::Account;
use super::commands::{complaints_about, main_cf_is_closed};
use super::{Settings, words};

/// The target `postconf`: what `postconf -x`, `-M` and `-Px` print, 0x1e between them.
pub fn postconf(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let mut parts = text.split('\u{1e}');
    let mut next = || parts.next().unwrap_or_default();
    let (main, master, overrides) = (next(), next(), next());
    let settings = Settings::of(main, master, overrides);
    assert_eq!(settings, Settings::of(main, master, overrides));
    let set = |name: &str| {
        let of = |lines: &str, front: &str| {
            let values = lines.lines().filter_map(|line| {
                let (own, value) = line.strip_prefix(front)?.split_once('=')?;
                (own.trim() == name).then(|| value.trim().to_owned())
            });
            values.fold(None, |_, value| Some(value))
        };
        let own = settings.smtp.name == "smtp";
        let own = own.then(|| of(overrides, "smtp/unix/")).flatten();
        own.or_else(|| of(main, "")).unwrap_or_default()
    };
    for name in DECIDING {
        assert_eq!(settings.get(name), set(name), "{name}");
        assert!(!settings.cure(name, "x y").is_empty());
    }
    // PD-08 of the checker: DANE is believed in only where each setting lets it be.
    let against = settings.against_dane();
    let lets = set("smtp_dns_support_level") == "dnssec"
        && words(&set("smtp_host_lookup")).any(|word| word == "dns")
        && set("ignore_mx_lookup_error") != "yes"
        && set("smtp_dns_resolver_options").is_empty();
    assert_eq!(against.is_empty(), lets, "{against:?}");
    let (major, minor, patch) = settings.version();
    assert!(main.contains("mail_version") || (major, minor, patch) == (0, 0, 0));
    let root = settings.root();
    assert!(settings.smtp.chrooted || root == std::path::Path::new("/"));
    assert!(settings.as_seen("/etc/resolv.conf").starts_with(&root));
    assert!(settings.level().is_empty() || main.contains("tls") || overrides.contains("tls"));
    for other in settings.of_others() {
        assert!(master.contains(&other.smtp.name));
    }
    list(main);
    complaints(main);
    if let Some(account) = Account::read(main) {
        assert!(main.starts_with(&account.name));
    }
}

/// Nothing of a list is lost but what divides it, and what is in braces stays together.
fn list(text: &str) {
    let divides = |letter: char| letter == ',' || letter.is_ascii_whitespace();
    let found: Vec<&str> = words(text).collect();
    let bare = |text: &str| text.chars().filter(|c| !divides(*c)).collect::<String>();
    assert_eq!(bare(&found.concat()), bare(text));
    for word in found {
        assert!(!word.is_empty());
        let braces = word.contains('{');
        assert!(braces || !word.contains(divides), "{word:?}");
    }
}

/// What people are shown of a failure is a part of what was said.
fn complaints(text: &str) {
    let shown = complaints_about("socketmap:unix:/s:postfix", text);
    for words in shown.split("; ") {
        let parts = text.split("; ").any(|part| part.contains(words));
        assert!(parts, "{words:?} was never said");
    }
    assert!(!main_cf_is_closed(text) || text.contains("Permission denied"));
}

const DECIDING: &[&str] = &[
    "smtp_dns_support_level",
    "smtp_host_lookup",
    "ignore_mx_lookup_error",
    "smtp_dns_resolver_options",
    "smtp_tls_policy_maps",
    "smtp_tls_security_level",
];
