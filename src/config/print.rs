//! The effective configuration, as text that reads back to the same value.

use std::fmt::Write as _;

use hoplock_policy::profile::{Family, Profile};
use hoplock_policy::rules::Rule;

use super::keys::{KEYS, Key, PROFILE_KEYS, RULE_KEYS};
use super::literal::quoted;
use super::types::Config;

impl Config {
    /// Every key with its meaning, its requirement and its default.
    ///
    /// Rules that came from files of the rules directory stand there as comments: read back with
    /// the same files, the text gives the same configuration.
    #[must_use]
    pub fn print(&self) -> String {
        let mut page = String::new();
        fixed(&mut page, self, Style::Effective);
        let mut profiles: Vec<_> = self.profiles.values().collect();
        profiles.sort_by(|left, right| left.name.cmp(&right.name));
        for profile in profiles {
            let _ = writeln!(page, "\n[profile.{}]", quoted(&profile.name));
            let plain = plain(profile);
            for key in PROFILE_KEYS {
                let default = Some((key.show)(&plain));
                line(
                    &mut page,
                    key,
                    profile,
                    default.as_deref(),
                    Style::Effective,
                );
            }
        }
        self.print_rules(&mut page);
        page
    }

    /// A file for operators to fill in: every key, its default commented out.
    #[must_use]
    pub fn template() -> String {
        let mut page = String::from(TEMPLATE_HEAD);
        fixed(&mut page, &Self::default(), Style::Template);
        page.push_str(TEMPLATE_PROFILES);
        if let Some(profile) = Profile::built_in("postfix") {
            for key in PROFILE_KEYS {
                line(&mut page, key, &profile, None, Style::Template);
            }
        }
        page.push_str(TEMPLATE_RULES);
        legend(&mut page);
        page
    }

    fn print_rules(&self, page: &mut String) {
        let mut rules = self.rules.iter().peekable();
        if rules.peek().is_some() {
            page.push_str(
                "\n# Rules, best match first; keys that are not shown have their default:\n",
            );
            legend(page);
        }
        for rule in rules {
            match self.rules_of_files.get(&rule.pattern) {
                None => page.push_str(&format!("\n{}", section(rule))),
                Some(file) => {
                    let _ = writeln!(page, "\n# From {}:", file.escape_debug());
                    for line in section(rule).lines() {
                        let _ = writeln!(page, "# {line}");
                    }
                }
            }
        }
    }
}

/// How values are written.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Style {
    /// As they are in effect.
    Effective,
    /// Commented out.
    Template,
}

/// The sections that have fixed names.
fn fixed(page: &mut String, config: &Config, style: Style) {
    let mut section = "";
    for key in KEYS {
        if key.section != section {
            section = key.section;
            let _ = writeln!(page, "\n[{section}]");
        }
        line(page, key, config, Some(key.default), style);
    }
}

/// Remark and value of one key.
fn line<T>(page: &mut String, key: &Key<T>, value: &T, default: Option<&str>, style: Style) {
    let mut remark = format!("# {}", key.meaning);
    if !key.requirement.is_empty() {
        let _ = write!(remark, " ({})", key.requirement);
    }
    if let (Style::Effective, Some(default)) = (style, default) {
        let _ = write!(remark, "; default {default}");
    }
    let mark = if style == Style::Template { "#" } else { "" };
    let _ = writeln!(page, "{remark}\n{mark}{} = {}", key.name, (key.show)(value));
}

/// The keys of a rule, as remarks.
fn legend(page: &mut String) {
    for key in RULE_KEYS {
        let requirement = key.requirement;
        let _ = writeln!(
            page,
            "# {} = {}: {} ({requirement})",
            key.name, key.default, key.meaning
        );
    }
}

/// One rule with the keys that differ from their defaults.
pub(super) fn section(rule: &Rule) -> String {
    let mut page = format!("[rules.{}]\n", quoted(&rule.pattern.to_string()));
    for key in RULE_KEYS {
        let literal = (key.show)(rule);
        if literal != key.default {
            let _ = writeln!(page, "{} = {literal}", key.name);
        }
    }
    page
}

/// What a profile would be with no key set beside its family.
fn plain(profile: &Profile) -> Profile {
    Profile::built_in(&profile.name)
        .filter(|own| own.family == profile.family)
        .or_else(|| Profile::built_in(built_in_of(profile.family)))
        .unwrap_or_else(|| profile.clone())
}

/// The built-in profile from which a new one of that family starts.
pub(super) fn built_in_of(family: Family) -> &'static str {
    match family {
        Family::Postfix => "postfix",
        Family::Pins => "pins",
        Family::Exim => "exim",
        Family::Sendmail => "sendmail",
    }
}

const TEMPLATE_HEAD: &str = "\
# Configuration of hoplock. Every key stands here with its default, commented out: an empty file
# does the same. Durations are texts: \"90s\", \"5m\", \"2h\", \"1d\".
# `hoplock config check` names every mistake with its line; `hoplock config print` shows what is
# in effect.

";
const TEMPLATE_PROFILES: &str = "
# What the MTA can do. Built in are postfix, postfix310, pins, exim and sendmail; a section of such
# a name changes single keys, any other name makes a new profile. The name is the name of the map.
[profile.postfix]
";
const TEMPLATE_RULES: &str = "
# Rules for single destinations: an exact name, a suffix as in \".example.com\", an address, or \"*\".
# [rules.\"example.com\"]
";

#[cfg(test)]
mod tests {
    #![allow(
        clippy::unwrap_used,
        clippy::indexing_slicing,
        clippy::panic,
        clippy::expect_used,
        reason = "tests"
    )]

    use super::*;

    /// Some good values for every key that is in use; the first is the default.
    const VALUES: &[(&str, &str, &[&str])] = &[
        (
            "listen",
            "socketmap",
            &[
                r#"["inet:127.0.0.1:8425"]"#,
                "[]",
                r#"["unix:/run/ä \"b\\c", "inet:[::1]:1"]"#,
            ],
        ),
        (
            "listen",
            "http",
            &[
                r#"["inet:127.0.0.1:8426"]"#,
                "[]",
                r#"["systemd:http", "inet:0.0.0.0:0"]"#,
            ],
        ),
        (
            "listen",
            "sessions",
            &["[]", r#"["unix:/s", "systemd:sessions"]"#],
        ),
        (
            "listen",
            "tlsrpt",
            &["[]", r#"["unix:/t"]"#, r#"["systemd:tlsrpt"]"#],
        ),
        (
            "listen",
            "readsocket",
            &["[]", r#"["unix:/e", "systemd:exim"]"#],
        ),
        ("listen", "milter", &["[]"]),
        (
            "listen",
            "policy",
            &["[]", r#"["unix:/p", "inet:127.0.0.1:1"]"#],
        ),
        ("listen", "dns", &["[]", r#"["inet:127.0.0.1:5354"]"#]),
        ("listen", "control", &[r#""""#, r#""unix:/c.sock""#]),
        ("listen", "mode", &[r#""0660""#, r#""600""#, r#""0000""#]),
        ("listen", "owner", &[r#""""#, r#""hoplock""#]),
        ("listen", "group", &[r#""""#, "'post\"fix'"]),
        ("dns", "servers", &["[]", r#"["127.0.0.1", "[::1]:5353"]"#]),
        (
            "dns",
            "trust",
            &[r#""loopback""#, r#""always""#, r#""never""#],
        ),
        (
            "dns",
            "timeout",
            &[r#""5s""#, r#""60s""#, r#""120s""#, r#""1d""#, r#""61s""#],
        ),
        ("dns", "self_test", &[r#""com.""#, r#""""#, r#""example""#]),
        ("dns", "self_test_bogus", &[r#""""#, r#""bogus.example.""#]),
        ("sts", "enabled", &["true", "false"]),
        ("sts", "port", &["443", "0x1F", "8_443"]),
        ("sts", "roots", &["[]", r#"["/a", "b"]"#]),
        ("sts", "timeout", &[r#""60s""#, r#""2m""#, r#""3h""#]),
        (
            "sts",
            "on_first_contact_failure",
            &[r#""ignore""#, r#""defer""#],
        ),
        ("sts", "testing_as_enforce", &["false", "true"]),
        ("sts", "refuse_private_addresses", &["false", "true"]),
        ("dane", "enabled", &["true", "false"]),
        ("dane", "half_dane", &["true", "false"]),
        ("dane", "srv_submission", &["false", "true"]),
        ("dane", "force_insecure_host_tlsa", &["false", "true"]),
        ("dane", "map_pkix_usages", &["false", "true"]),
        ("dane", "complete_ca_set", &["false", "true"]),
        ("dane", "trust_anchor_digests", &["true", "false"]),
        ("dane", "ta_check_dates", &["false", "true"]),
        ("dane", "common_name", &["true", "false"]),
        ("dane", "multi_label_wildcards", &["false", "true"]),
        (
            "dane",
            "digest_order",
            &[r#"["sha512", "sha256"]"#, r#"["sha256", "sha512"]"#],
        ),
        ("limits", "connections", &["10000", "1"]),
        ("limits", "lookups", &["256", "1"]),
        ("limits", "cache_entries", &["100000", "1"]),
        ("limits", "mx_hosts", &["32", "1"]),
        ("limits", "journal_days", &["14", "1"]),
        ("limits", "journal_entries", &["100000", "0", "1"]),
        ("log", "level", &[r#""info""#, r#""trace""#]),
        ("log", "format", &[r#""auto""#, r#""json""#]),
        ("guard", "profile", &[r#""postfix""#, r#""sendmail""#]),
        ("guard", "deadline", &[r#""8s""#, r#""20s""#]),
        ("guard", "by_next_hop", &["false", "true"]),
        (
            "guard",
            "own_domains",
            &["[]", r#"["own.test", ".own.test"]"#],
        ),
        ("guard", "on_trouble", &[r#""dunno""#, r#""defer""#]),
        (
            "guard",
            "requiretls",
            &[r#""reject""#, r#""defer""#, r#""ignore""#],
        ),
        ("guard", "decide_at", &[r#""rcpt""#, r#""end""#]),
        ("guard", "header", &[r#""""#, r#""Hoplock-Protection""#]),
        (
            "guard",
            "rules",
            &[
                "[]",
                r#"[{ recipient = ["a.test", ".b.test", "*"], sender = ["<>", "B@c.test", "d.test", ".e.test"], user = ["u \"x\""], protection = ["refused"], action = "reject", text = "no \\ way" }, { action = "dunno" }]"#,
                r#"[{ action = "filter", text = "smtp:[192.0.2.1]" }, { action = "prepend", text = "X-A: b: c" }, { action = "hold" }, { action = "warn", text = "w" }, { action = "defer" }]"#,
            ],
        ),
        ("store", "path", &[r#""""#, r#""/var/lib/a\u0009b""#]),
        (
            "store",
            "shared",
            &[
                r#""""#,
                r#""redis://127.0.0.1:6379""#,
                r#""rediss://:pass@valkey.example:6380/2""#,
            ],
        ),
        (
            "store",
            "shared_password_file",
            &[r#""""#, r#""/etc/hoplock/shared""#],
        ),
        ("store", "shared_prefix", &[r#""hoplock:""#, r#""mx.""#]),
        ("store", "shared_ca_file", &[r#""""#, r#""/etc/ca.pem""#]),
        (
            "sources",
            "postfix_log",
            &[r#""""#, r#""journal""#, r#""/var/log/mail.log""#],
        ),
        (
            "watch",
            "domains",
            &["[]", r#"["example.com", "Bücher.example"]"#],
        ),
        ("watch", "every", &[r#""1h""#, r#""10s""#, r#""1d""#]),
        (
            "watch",
            "certificate_days",
            &[r#""14d""#, r#""36h""#, r#""366d""#],
        ),
        ("report", "enabled", &["false"]),
        ("report", "collector", &[r#""hoplock""#, r#""mta""#]),
        ("report", "organization", &[r#""""#, r#""Bücher \"Ltd\"""#]),
        (
            "report",
            "contact",
            &[r#""""#, r#""postmaster@example.com""#],
        ),
        ("report", "from", &[r#""""#, r#""tls-rpt@example.com""#]),
        (
            "report",
            "mailer",
            &[
                r#""smtp:127.0.0.1:25""#,
                r#""/usr/sbin/sendmail""#,
                r#""/usr/bin/x""#,
            ],
        ),
        ("report", "dkim", &[r#""""#, r#""mta""#]),
        (
            "report",
            "dkim_key",
            &[r#""""#, r#""/etc/hoplock/dkim.pem""#],
        ),
        ("report", "dkim_selector", &[r#""""#, r#""tlsrpt""#]),
        ("report", "delay", &[r#""4h""#, r#""1s""#, r#""1d""#]),
        (
            "report",
            "allow",
            &["[]", r#"["example.com", ".example.net"]"#],
        ),
        ("report", "deny", &["[]", r#"["*"]"#]),
        (
            "report",
            "redirect",
            &[
                r#""""#,
                r#""mailto:me@example.com""#,
                r#""https://example.com/a?b""#,
            ],
        ),
        ("report", "daily_limit", &["10000", "1"]),
        ("report", "min_sessions", &["1", "7"]),
        ("report", "ignore_certificate", &["false", "true"]),
        ("report", "refuse_private_addresses", &["true", "false"]),
        ("", "rules_directory", &[r#""""#, r#""/etc/rules""#]),
    ];

    const PROFILES: &[(&str, &[&str])] = &[
        ("version", &[r#""3.7""#, r#""3.10""#, r#""4""#]),
        (
            "floor",
            &[r#""may""#, r#""dane""#, r#""encrypt""#, r#""secure""#],
        ),
        ("families", &[r#""auto""#, r#""4""#, r#""6""#]),
        ("address_limit", &["5", "0"]),
        ("digest", &[r#""sha256""#, r#""sha512""#]),
        ("probe", &["true", "false"]),
        ("anchor_directory", &[r#""""#, r#""/var/lib/anchors""#]),
        ("anchor_directory_in_chroot", &[r#""""#, r#""/anchors""#]),
        ("strict", &["false", "true"]),
        ("deadline", &[r#""20s""#, r#""1s""#]),
        ("follow_mx_aliases", &["true", "false"]),
        ("protocols", &["false", "true"]),
        ("wrapper", &["false", "true"]),
        ("bypass", &["false", "true"]),
    ];

    const SENDMAIL: &[(&str, &[&str])] = &[("verifier", &["false", "true"])];

    const DIGEST: &str = r#"["0000000000000000000000000000000000000000000000000000000000000000", "AA:0000000000000000000000000000000000000000000000000000000000000A"]"#;

    const RULES: &[(&str, &[&str])] = &[
        (
            "mode",
            &[
                r#""opportunistic""#,
                r#""off""#,
                r#""audit""#,
                r#""mandatory""#,
            ],
        ),
        ("sts", &["true", "false"]),
        ("ca_file", &[r#""""#, r#""/etc/ca.pem""#]),
        (
            "answer",
            &[
                r#""""#,
                r#""none""#,
                r#""dane-only""#,
                r#""fingerprint""#,
                r#""secure""#,
                r#""defer""#,
            ],
        ),
        ("fingerprints", &[DIGEST]),
        ("names", &[r#"["mx.example.com", "bücher.example."]"#]),
        (
            "fallback",
            &[
                r#""defer""#,
                r#""fingerprint""#,
                r#""secure""#,
                r#""encrypt""#,
            ],
        ),
        ("fallback_on_insecure", &["false", "true"]),
        (
            "comment",
            &[r#""""#, r#""a \"b\" \\ # ü""#, "\"\"\"two\nlines\"\"\""],
        ),
        (
            "expires",
            &[
                r#""""#,
                r#""2030-01-01T00:00:00+02:00""#,
                r#""2030-01-01T00:00:00.25Z""#,
            ],
        ),
    ];

    fn some_keys(dice: &mut fastrand::Rng, page: &mut String, keys: &[(&str, &[&str])], all: bool) {
        for (key, values) in keys {
            if all || dice.bool() {
                let _ = writeln!(page, "{key} = {}", dice.choice(*values).unwrap());
            }
        }
    }

    fn some_rules(dice: &mut fastrand::Rng, patterns: &[&str]) -> String {
        let mut page = String::new();
        for pattern in patterns.iter().filter(|_| dice.bool()).collect::<Vec<_>>() {
            let _ = writeln!(page, "[rules.{pattern:?}]");
            let all = dice.bool();
            if all {
                some_keys(dice, &mut page, RULES, true);
            }
        }
        page
    }

    fn some_text(dice: &mut fastrand::Rng) -> String {
        let mut page = String::new();
        if dice.bool() {
            page.push_str("rules_directory = \"/etc/rules\"\n");
        }
        let mut section = "";
        for (own, key, values) in VALUES.iter().filter(|(own, ..)| !own.is_empty()) {
            if *own != section {
                section = own;
                let _ = writeln!(page, "[{section}]");
            }
            some_keys(dice, &mut page, &[(key, values)], false);
        }
        for name in ["postfix", "exim", "\"out.bound\"", "zz"] {
            if dice.bool() {
                let _ = writeln!(page, "[profile.{name}]");
                some_keys(dice, &mut page, PROFILES, false);
            }
        }
        page.push_str("[profile.other]\nfamily = \"pins\"\n");
        some_keys(dice, &mut page, PROFILES, false);
        page + &some_rules(
            dice,
            &["*", ".example.com", "Example.com", "[IPv6:2001:db8::1]"],
        )
    }

    /// What is printed is what is in effect: it reads back to an equal value, rules
    /// and profiles included, and without a new complaint.
    #[test]
    fn what_is_printed_reads_back_to_the_same() {
        let mut differing = std::collections::HashSet::new();
        for seed in 0..400 {
            let mut dice = fastrand::Rng::with_seed(seed);
            let text = some_text(&mut dice);
            let file = some_rules(&mut dice, &["example.net", "192.0.2.1"]);
            let files = [("more.toml".to_owned(), file)];
            let (config, complaints) = Config::parse(&text, &files);
            let config = config.unwrap_or_else(|| panic!("{text}\n{complaints:?}"));
            let printed = config.print();
            let (again, more) = Config::parse(&printed, &files);
            assert_eq!(again.as_ref(), Some(&config), "{text}\n{printed}\n{more:?}");
            assert!(more.len() <= complaints.len(), "{printed}\n{more:?}");
            assert_eq!(again.unwrap().print(), printed);
            differing.insert(printed);
        }
        assert!(differing.len() > 300);
    }

    /// Each default of the table is the default in effect, and so is each value above.
    #[test]
    fn the_table_tells_the_real_defaults() {
        let default = Config::default();
        assert_eq!(
            Config::parse("", &[]),
            (Some(Config::default()), Vec::new())
        );
        for key in KEYS {
            assert_eq!(
                (key.show)(&default),
                key.default,
                "{}.{}",
                key.section,
                key.name
            );
            let values = VALUES
                .iter()
                .find(|(section, name, _)| (*section, *name) == (key.section, key.name));
            let (.., values) = values.unwrap_or_else(|| panic!("no values for {}", key.name));
            for value in *values {
                let text = format!("{} = {value}\n", key.name);
                let text = match key.section {
                    "" => text,
                    section => format!("[{section}]\n{text}"),
                };
                let config = Config::parse(&text, &[]).0.expect(&text);
                let is_default = *value == key.default;
                assert_eq!(
                    config == default,
                    is_default,
                    "{text}: each value has an effect"
                );
            }
        }
        let postfix = Profile::built_in("postfix").unwrap();
        for key in PROFILE_KEYS {
            assert!((key.show)(&postfix) == key.default, "{}", key.name);
        }
    }

    /// Each key of a profile and of a rule has an effect of its own, and is printed as such.
    #[test]
    fn every_key_of_profiles_and_rules_counts() {
        let lists = format!("fingerprints = {DIGEST}\nnames = [\"a.example\"]\n");
        let more = [("own_dane", &[r#""auto""#, r#""yes""#, r#""no""#][..])];
        let sections = [
            ("[profile.postfix]\n", String::new(), PROFILES),
            ("[profile.postfix]\n", String::new(), &more[..]),
            ("[profile.sendmail]\n", String::new(), SENDMAIL),
            ("[rules.\"example.com\"]\n", lists, RULES),
        ];
        for (head, base, keys) in sections {
            let parse = |text: &str| Config::parse(text, &[]).0.expect(text);
            for (key, values) in keys {
                let rest: String = base
                    .lines()
                    .filter(|line| !line.starts_with(key))
                    .map(|line| format!("{line}\n"))
                    .collect();
                let without = parse(&format!("{head}{rest}"));
                let mut seen = vec![without.print()];
                for (at, value) in values.iter().enumerate() {
                    let with = parse(&format!("{head}{rest}{key} = {value}\n"));
                    let only_value = values.len() == 1;
                    let is_default = at == 0 && !only_value;
                    assert_eq!(with == without, is_default, "{key} = {value}");
                    assert_eq!(seen.contains(&with.print()), is_default, "{key} = {value}");
                    seen.push(with.print());
                }
            }
        }
        let profiles = PROFILES.iter().chain(&more).chain(SENDMAIL);
        let tried: Vec<&str> = profiles.map(|(key, _)| *key).collect();
        let missing: Vec<&str> = PROFILE_KEYS
            .iter()
            .map(|key| key.name)
            .filter(|name| !tried.contains(name))
            .collect();
        // The family is tested below.
        assert_eq!(missing, ["family"]);
        let tried: Vec<&str> = RULES.iter().map(|(key, _)| *key).collect();
        assert!(RULE_KEYS.iter().all(|key| tried.contains(&key.name)));
    }

    /// A new profile starts from its family's built-in one; single keys change.
    #[test]
    fn profiles_start_from_the_built_in_ones() {
        let text = "[profile.old]\nfamily = \"pins\"\n[profile.exim]\nstrict = true\n";
        let config = Config::parse(text, &[]).0.unwrap();
        let pins = Profile::built_in("pins").unwrap();
        let old = Profile {
            name: "old".to_owned(),
            ..pins
        };
        assert_eq!(*config.profiles["old"], old);
        let exim = Profile {
            strict: true,
            ..Profile::built_in("exim").unwrap()
        };
        assert_eq!(*config.profiles["exim"], exim);
        assert_eq!(config.profiles.len(), 7);
    }

    #[test]
    fn damaged_texts_give_complaints_on_one_line_each() {
        let whole = some_text(&mut fastrand::Rng::with_seed(7));
        let mut dice = fastrand::Rng::with_seed(8);
        for _ in 0..2000 {
            let mut letters: Vec<char> = whole.chars().collect();
            for _ in 0..dice.usize(1..6) {
                let at = dice.usize(..letters.len());
                match dice.u8(..40) {
                    0 => letters.truncate(at + 1),
                    1 => {
                        letters[at] = dice
                            .choice(['[', ']', '"', '\'', '=', '.', '\n', '#', '{', 'ä', '\0'])
                            .unwrap()
                    }
                    _ => drop(letters.remove(at)),
                }
            }
            let text: String = letters.into_iter().collect();
            let (config, complaints) = Config::parse(&text, &[]);
            assert!(config.is_some() || !complaints.is_empty());
            for complaint in complaints {
                assert!(complaint.line >= 1 && complaint.line <= text.lines().count() + 1);
                assert!(!complaint.to_string().contains('\n'), "{complaint}");
            }
        }
    }
}
