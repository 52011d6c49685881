//! From text to [`Config`]: each section in turn, complaints collected.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use hoplock_policy::law::FirstContact;
use hoplock_policy::name::DomainName;
use hoplock_policy::rules::Rules;
use hoplock_policy::tlsa::TlsaOptions;
use toml::de::DeTable;

use super::complaint::{Complaint, Severity, nearest};
use super::keys::{KEYS, Key, LATER};
use super::reader::{Reader, Section};
use super::types::{
    Config, DaneConfig, DnsConfig, Limits, LogConfig, LogFormat, StoreConfig, StsConfig,
};
use super::{listen, profiles, rules};
use crate::adapters::dns::Trust;

impl Default for Config {
    fn default() -> Self {
        let mut reader = Reader::new("", None);
        let empty = DeTable::new();
        read(&mut reader, &empty)
    }
}

impl Config {
    /// Reads a configuration and the files of its rules directory (name and text).
    ///
    /// All complaints come at once; the configuration is there where none of them is an error.
    #[must_use]
    pub fn parse(text: &str, rule_files: &[(String, String)]) -> (Option<Self>, Vec<Complaint>) {
        let mut reader = Reader::new(text, None);
        let root = parse(&mut reader, text);
        let mut config = read(&mut reader, &root);
        let mut complaints = reader.complaints;
        let mut all = config.rules.iter().cloned().collect::<Vec<_>>();
        for (name, text) in rule_files {
            let mut reader = Reader::new(text, Some(name.clone()));
            let root = parse(&mut reader, text);
            all.extend(rules::read(&mut reader, &root));
            for (key, _) in &root {
                if key.get_ref().as_ref() != "rules" {
                    let words = "a file of rules holds [rules.\"…\"] sections only";
                    reader.complain(Severity::Error, key.span().start, words);
                }
            }
            complaints.extend(reader.complaints);
        }
        config.rules = Rules::new(all);
        complaints.sort_by(|a, b| (&a.file, a.line).cmp(&(&b.file, b.line)));
        let good = complaints
            .iter()
            .all(|complaint| complaint.severity != Severity::Error);
        (good.then_some(config), complaints)
    }
}

fn parse<'a>(reader: &mut Reader<'_>, text: &'a str) -> DeTable<'a> {
    let (table, errors) = DeTable::parse_recoverable(text);
    for error in errors {
        let at = error.span().map_or(0, |span| span.start);
        reader.complain(
            Severity::Error,
            at,
            format!("not TOML: {}", error.message()),
        );
    }
    table.into_inner()
}

fn read(reader: &mut Reader<'_>, root: &DeTable<'_>) -> Config {
    check_sections(reader, root);
    let top = Section {
        name: String::new(),
        table: Some(root),
    };
    let rules_directory = reader
        .text(&top, "rules_directory")
        .and_then(|(text, _)| path(&text));
    let mut section = |name: &'static str| {
        let section = Section::of(root, name, reader);
        let known: Vec<Key> = KEYS
            .iter()
            .filter(|key| key.section == name)
            .copied()
            .collect();
        reader.check_keys(&section, name, &known);
        section
    };
    let (listen_at, dns, sts, dane) = (
        section("listen"),
        section("dns"),
        section("sts"),
        section("dane"),
    );
    let (limits_section, log, store) = (section("limits"), section("log"), section("store"));
    let later = [
        section("guard"),
        section("sources"),
        section("watch"),
        section("report"),
    ];
    for section in [&listen_at, &limits_section, &store]
        .into_iter()
        .chain(&later)
    {
        warn_of_later(reader, section);
    }
    let config = Config {
        listen: listen::read(reader, &listen_at),
        dns: dns_section(reader, &dns),
        sts: sts_section(reader, &sts),
        dane: dane_section(reader, &dane),
        profiles: profiles::read(reader, root),
        rules: Rules::new(rules::read(reader, root)),
        limits: limits(reader, &limits_section),
        log: LogConfig {
            level: level(reader, &log),
            format: reader
                .choice(
                    &log,
                    "format",
                    &[
                        ("auto", LogFormat::Auto),
                        ("text", LogFormat::Text),
                        ("json", LogFormat::Json),
                    ],
                )
                .unwrap_or(LogFormat::Auto),
        },
        store: StoreConfig {
            path: reader
                .text(&store, "path")
                .and_then(|(text, _)| path(&text)),
        },
        rules_directory,
        written: BTreeMap::new(),
    };
    Config {
        written: std::mem::take(&mut reader.written),
        ..config
    }
}

fn check_sections(reader: &mut Reader<'_>, root: &DeTable<'_>) {
    let mut known: Vec<&str> = KEYS.iter().map(|key| key.section).collect();
    known.extend(["profile", "rules", "rules_directory"]);
    for (key, _) in root {
        let word: &str = key.get_ref();
        if !known.contains(&word) || word.is_empty() {
            let near = nearest(word, known.iter().copied().filter(|name| !name.is_empty()));
            let hint = near.map_or(String::new(), |near| format!("; did you mean {near}?"));
            // A mistyped [rules] or [dane] would silently take protection away.
            let strict = near.is_some_and(|near| super::keys::STRICT.contains(&near));
            let severity = if strict {
                Severity::Error
            } else {
                Severity::Warning
            };
            reader.complain(
                severity,
                key.span().start,
                format!("unknown section {word:?}{hint}"),
            );
        }
    }
}

fn warn_of_later(reader: &mut Reader<'_>, section: &Section<'_>) {
    let Some(table) = section.table else { return };
    for (key, _) in table {
        let name: &str = key.get_ref();
        let later = LATER.contains(&(section.name.as_str(), name));
        if later && (section.name.as_str(), name) != ("store", "path") {
            let words = format!(
                "[{}] {name} is not built yet and has no effect",
                section.name
            );
            reader.complain(Severity::Warning, key.span().start, words);
        }
    }
}

fn dns_section(reader: &mut Reader<'_>, section: &Section<'_>) -> DnsConfig {
    let texts = reader.texts(section, "servers").unwrap_or_default();
    let mut servers = Vec::new();
    for (text, at) in texts {
        let bare = text
            .parse::<IpAddr>()
            .ok()
            .map(|address| SocketAddr::new(address, DNS));
        match bare.or_else(|| text.parse().ok()) {
            Some(server) => servers.push(server),
            None => {
                let words = format!(
                    "[dns] servers: {text:?} is no \"IP\" or \"IP:PORT\" (\"[IPv6]:PORT\")"
                );
                reader.complain(Severity::Error, at, words);
            }
        }
    }
    let choices = [
        ("loopback", Trust::Loopback),
        ("always", Trust::Always),
        ("never", Trust::Never),
    ];
    DnsConfig {
        servers,
        trust: reader
            .choice(section, "trust", &choices)
            .unwrap_or(Trust::Loopback),
        timeout: reader.duration(section, "timeout").unwrap_or(DNS_TIMEOUT),
        self_test: name(
            reader,
            section,
            "self_test",
            DomainName::parse(SELF_TEST).ok(),
        ),
        self_test_bogus: name(reader, section, "self_test_bogus", None),
    }
}

fn name(
    reader: &mut Reader<'_>,
    section: &Section<'_>,
    key: &str,
    default: Option<DomainName>,
) -> Option<DomainName> {
    let Some((text, at)) = reader.text(section, key) else {
        return default;
    };
    if text.is_empty() {
        return None;
    }
    match DomainName::parse(&text) {
        Ok(name) => Some(name),
        Err(why) => {
            let words = format!("[{}] {key} = {text:?}: {why}", section.name);
            reader.complain(Severity::Error, at, words);
            None
        }
    }
}

fn sts_section(reader: &mut Reader<'_>, section: &Section<'_>) -> StsConfig {
    let port = reader.number(section, "port").map(|port| {
        u16::try_from(port)
            .ok()
            .filter(|port| *port != 0)
            .ok_or(port)
    });
    let port = match port {
        None => HTTPS,
        Some(Ok(port)) => port,
        Some(Err(port)) => {
            let at = reader
                .value(section, "port")
                .map_or(0, |value| value.span().start);
            reader.complain(
                Severity::Error,
                at,
                format!("[sts] port = {port} is no port"),
            );
            HTTPS
        }
    };
    let roots = reader.texts(section, "roots").unwrap_or_default();
    let choices = [
        ("ignore", FirstContact::Ignore),
        ("defer", FirstContact::Defer),
    ];
    let first_contact = reader.choice(section, "on_first_contact_failure", &choices);
    StsConfig {
        enabled: reader.boolean(section, "enabled").unwrap_or(true),
        port,
        roots: roots
            .into_iter()
            .map(|(text, _)| PathBuf::from(text))
            .collect(),
        timeout: reader.duration(section, "timeout").unwrap_or(FETCH_TIMEOUT),
        on_first_contact_failure: first_contact.unwrap_or(FirstContact::Ignore),
        testing_as_enforce: reader
            .boolean(section, "testing_as_enforce")
            .unwrap_or(false),
        refuse_private_addresses: reader
            .boolean(section, "refuse_private_addresses")
            .unwrap_or(false),
    }
}

fn dane_section(reader: &mut Reader<'_>, section: &Section<'_>) -> DaneConfig {
    let mut switch = |key, default| reader.boolean(section, key).unwrap_or(default);
    DaneConfig {
        enabled: switch("enabled", true),
        half_dane: switch("half_dane", true),
        force_insecure_host_tlsa: switch("force_insecure_host_tlsa", false),
        tlsa: TlsaOptions {
            map_pkix_usages: switch("map_pkix_usages", false),
            complete_ca_set: switch("complete_ca_set", false),
            trust_anchor_digests: switch("trust_anchor_digests", true),
        },
    }
}

fn limits(reader: &mut Reader<'_>, section: &Section<'_>) -> Limits {
    let mut bound = |key: &str, default: usize| match reader.number(section, key) {
        Some(0) => {
            let at = reader
                .value(section, key)
                .map_or(0, |value| value.span().start);
            let words = format!("[limits] {key} = 0 would stop the service; write 1 or more");
            reader.complain(Severity::Error, at, words);
            default
        }
        Some(number) => number,
        None => default,
    };
    Limits {
        connections: bound("connections", 10_000),
        lookups: bound("lookups", 256),
        cache_entries: bound("cache_entries", 100_000),
        mx_hosts: bound("mx_hosts", 32),
    }
}

fn level(reader: &mut Reader<'_>, section: &Section<'_>) -> String {
    let levels = [
        ("error", "error"),
        ("warn", "warn"),
        ("info", "info"),
        ("debug", "debug"),
        ("trace", "trace"),
    ];
    reader
        .choice(section, "level", &levels)
        .unwrap_or("info")
        .to_owned()
}

fn path(text: &str) -> Option<PathBuf> {
    (!text.is_empty()).then(|| PathBuf::from(text))
}

const DNS: u16 = 53;
const HTTPS: u16 = 443;
/// Some resolvers give no AD for the root itself.
const SELF_TEST: &str = "com.";
const DNS_TIMEOUT: Duration = Duration::from_secs(5);
/// RFC 8461, 3.3.
const FETCH_TIMEOUT: Duration = Duration::from_secs(60);
