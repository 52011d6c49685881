//! The sections with fixed names, save `[listen]`: each from its keys to a value.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use hoplock_policy::law::FirstContact;
use hoplock_policy::name::DomainName;
use hoplock_policy::tlsa::TlsaOptions;
use hoplock_policy::verify::VerifyOptions;

use super::reader::{Reader, Section};
use super::types::{
    DaneConfig, DnsConfig, Limits, LogConfig, LogFormat, LogSource, SharedUrl, Sources,
    StoreConfig, StsConfig,
};
use super::words;
use crate::adapters::dns::Trust;
use crate::store::valkey::FleetAddress;
use crate::world::JournalBounds;

/// The resolver.
pub(super) fn dns(reader: &mut Reader<'_>, section: &Section<'_>) -> DnsConfig {
    let texts = reader.texts(section, "servers").unwrap_or_default();
    let mut servers = Vec::new();
    for (text, at) in texts {
        let bare = text.parse::<IpAddr>().ok();
        let server = bare.map(|address| SocketAddr::new(address, DNS));
        let server = server.or_else(|| text.parse().ok());
        match server.filter(|server: &SocketAddr| server.port() != 0) {
            Some(server) if servers.contains(&server) => {
                reader.warn(
                    at,
                    format!("[dns] servers: {text:?} stands there twice; keep one"),
                );
            }
            Some(server) => servers.push(server),
            None => {
                let words = format!(
                    "[dns] servers: {text:?} is no name server; write \"IP\", \"IP:PORT\" or \
                     \"[IPv6]:PORT\""
                );
                reader.error(at, words);
            }
        }
    }
    let trust = reader.choice(section, "trust", words::TRUST);
    let trust = trust.unwrap_or(Trust::Loopback);
    // RFC 4035, 4.9.3: the AD bit is worth what the path to the resolver is worth (MX-15).
    if trust == Trust::Loopback && !servers.is_empty() && !trust.believes(&servers) {
        let words = "[dns] servers: not all are resolvers on loopback, so DNSSEC is not believed \
                     and DANE is off; use a validating resolver on 127.0.0.1, or write trust = \
                     \"always\" where the path is protected";
        let at = reader.at(section, "servers");
        reader.warn(at, words);
    }
    DnsConfig {
        servers,
        trust,
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
            let words = format!(
                "[{}] {key} = {text:?}: {why}; write a domain name, or \"\" for none",
                section.name
            );
            reader.error(at, words);
            None
        }
    }
}

/// MTA-STS.
pub(super) fn sts(reader: &mut Reader<'_>, section: &Section<'_>) -> StsConfig {
    let port = reader.number(section, "port").map_or(HTTPS, |number| {
        let port = u16::try_from(number).ok().filter(|port| *port != 0);
        port.unwrap_or_else(|| {
            let at = reader.at(section, "port");
            reader.error(
                at,
                format!("[sts] port = {number} is no port; write 1 to 65535"),
            );
            HTTPS
        })
    });
    let roots = reader.texts(section, "roots").unwrap_or_default();
    for (_, at) in roots.iter().filter(|(text, _)| text.is_empty()) {
        reader.error(
            *at,
            "[sts] roots: an empty path; write the path of a PEM file",
        );
    }
    let first_contact = reader.choice(section, "on_first_contact_failure", words::FIRST_CONTACT);
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

/// DANE.
pub(super) fn dane(reader: &mut Reader<'_>, section: &Section<'_>) -> DaneConfig {
    let digest_order = digest_order(reader, section);
    let mut switch = |key, default| reader.boolean(section, key).unwrap_or(default);
    DaneConfig {
        verify: VerifyOptions {
            digest_order,
            ta_check_dates: switch("ta_check_dates", false),
            common_name: switch("common_name", true),
            multi_label_wildcards: switch("multi_label_wildcards", false),
        },
        enabled: switch("enabled", true),
        half_dane: switch("half_dane", true),
        srv_submission: switch("srv_submission", false),
        force_insecure_host_tlsa: switch("force_insecure_host_tlsa", false),
        tlsa: TlsaOptions {
            map_pkix_usages: switch("map_pkix_usages", false),
            complete_ca_set: switch("complete_ca_set", false),
            trust_anchor_digests: switch("trust_anchor_digests", true),
        },
    }
}

/// Digests, strongest first (RFC 7671, 9). SHA-256 must be among them (RFC 7671, 9; TU-09).
fn digest_order(reader: &mut Reader<'_>, section: &Section<'_>) -> Vec<u8> {
    let Some(texts) = reader.texts(section, "digest_order") else {
        return VerifyOptions::default().digest_order;
    };
    let mut order = Vec::new();
    for (text, at) in texts {
        let known = DIGESTS.iter().find(|(word, _)| *word == text);
        match known {
            Some((_, matching)) if !order.contains(matching) => order.push(*matching),
            Some(_) => reader.warn(
                at,
                format!("[dane] digest_order: {text:?} stands there twice; keep one"),
            ),
            None => reader.error(
                at,
                format!("[dane] digest_order: {text:?} is no digest of TLSA records; write \"sha512\" or \"sha256\""),
            ),
        }
    }
    if !order.contains(&SHA_256) {
        let at = reader.at(section, "digest_order");
        reader.error(
            at,
            "[dane] digest_order: \"sha256\" must be among them, since every record may use it (RFC 7671, 9)",
        );
    }
    order
}

/// Matching types by name (RFC 6698, 7.4).
pub(super) const DIGESTS: &[(&str, u8)] = &[("sha256", SHA_256), ("sha512", 2)];
const SHA_256: u8 = 1;

/// Bounds.
pub(super) fn limits(reader: &mut Reader<'_>, section: &Section<'_>) -> Limits {
    let mut bound = |key: &str, default: usize| {
        let zero = "would stop the service; write 1 or more";
        bounded(reader, section, key, zero, MOST).unwrap_or(default)
    };
    Limits {
        connections: bound("connections", CONNECTIONS),
        lookups: bound("lookups", LOOKUPS),
        cache_entries: bound("cache_entries", CACHE_ENTRIES),
        mx_hosts: bound("mx_hosts", MX_HOSTS),
        journal_days: {
            let zero = "would keep nothing; write 1 or more, or journal_entries = 0";
            let days = bounded(reader, section, "journal_days", zero, LONGEST_JOURNAL);
            days.unwrap_or(JournalBounds::DAYS)
        },
        journal_entries: {
            let entries = bounded(reader, section, "journal_entries", "", LARGEST_JOURNAL);
            entries.unwrap_or(JournalBounds::ENTRIES)
        },
    }
}

/// A number up to `most`; with words against it, not nought.
fn bounded(
    reader: &mut Reader<'_>,
    section: &Section<'_>,
    key: &str,
    zero: &str,
    most: usize,
) -> Option<usize> {
    let number = reader.number(section, key)?;
    let at = reader.at(section, key);
    if number == 0 && !zero.is_empty() {
        reader.error(at, format!("[limits] {key} = 0 {zero}"));
    } else if number > most {
        let words = format!("[limits] {key} = {number} is no limit; write {most} or less");
        reader.error(at, words);
    }
    Some(number)
}

/// The log.
pub(super) fn log(reader: &mut Reader<'_>, section: &Section<'_>) -> LogConfig {
    let level = reader.choice(section, "level", words::LOG_LEVELS);
    let format = reader.choice(section, "format", words::LOG_FORMATS);
    LogConfig {
        level: level.unwrap_or(LOG_LEVEL).to_owned(),
        format: format.unwrap_or(LogFormat::Auto),
    }
}

/// The state.
pub(super) fn store(reader: &mut Reader<'_>, section: &Section<'_>) -> StoreConfig {
    StoreConfig {
        path: path(reader, section, "path"),
        shared: shared(reader, section),
        shared_password_file: path(reader, section, "shared_password_file"),
        shared_prefix: prefix(reader, section),
        shared_ca_file: path(reader, section, "shared_ca_file"),
    }
}

fn shared(reader: &mut Reader<'_>, section: &Section<'_>) -> Option<SharedUrl> {
    let (text, at) = reader.text(section, "shared")?;
    if text.is_empty() {
        return None;
    }
    // Its words are without the text, in which a password may stand.
    if let Err(why) = FleetAddress::parse(&text) {
        let words = format!(
            "[store] shared is no store of a fleet: {why}; write \"redis://HOST:6379\", or \
             \"rediss://HOST:6379\" with TLS"
        );
        reader.error(at, words);
        return None;
    }
    Some(SharedUrl(text))
}

fn prefix(reader: &mut Reader<'_>, section: &Section<'_>) -> String {
    let Some((text, at)) = reader.text(section, "shared_prefix") else {
        return PREFIX.to_owned();
    };
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | ':');
    if !text.chars().all(is_plain) || text.len() > LONGEST_PREFIX {
        let words = format!(
            "[store] shared_prefix = {text:?} must be at most {LONGEST_PREFIX} letters, digits and . - _ :"
        );
        reader.error(at, words);
        return PREFIX.to_owned();
    }
    text
}

/// Where sessions are reported, beside the sockets.
pub(super) fn sources(reader: &mut Reader<'_>, section: &Section<'_>) -> Sources {
    const KEY: &str = "postfix_log";
    let Some((text, at)) = reader
        .text(section, KEY)
        .filter(|(text, _)| !text.is_empty())
    else {
        return Sources { postfix_log: None };
    };
    let postfix_log = match text.as_str() {
        "journal" => Some(LogSource::Journal),
        path if path.starts_with('/') && !path.contains('\0') => Some(LogSource::File(path.into())),
        _ => {
            let words = format!(
                "[sources] {KEY} = {text:?} is no log; write \"journal\" for that of systemd, or the \
                 path of a file from the root on"
            );
            reader.error(at, words);
            None
        }
    };
    Sources { postfix_log }
}

/// A path; the empty text stands for none.
pub(super) fn path(reader: &mut Reader<'_>, section: &Section<'_>, key: &str) -> Option<PathBuf> {
    let (text, _) = reader.text(section, key)?;
    (!text.is_empty()).then(|| PathBuf::from(text))
}

const DNS: u16 = 53;
const HTTPS: u16 = 443;
/// Some resolvers give no AD for the root itself.
const SELF_TEST: &str = "com.";
const DNS_TIMEOUT: Duration = Duration::from_secs(5);
/// RFC 8461, 3.3.
const FETCH_TIMEOUT: Duration = Duration::from_secs(60);
/// Memory for about as many sockets as a large MTA opens.
const CONNECTIONS: usize = 10_000;
/// A resolver on the same host takes this much at once.
const LOOKUPS: usize = 256;
/// Destinations of a large site, a few KiB each.
const CACHE_ENTRIES: usize = 100_000;
/// More MX hosts than any known site has.
const MX_HOSTS: usize = 32;
/// Above this the bounds bound nothing.
const MOST: usize = 10_000_000;
/// Ten years.
const LONGEST_JOURNAL: usize = 3_650;
/// Some 400 MB, which stand in a file that is checked whole at each start: less than a second then.
const LARGEST_JOURNAL: usize = 1_000_000;
const LOG_LEVEL: &str = "info";
const PREFIX: &str = "hoplock:";
/// It stands in front of each key of the fleet's store.
const LONGEST_PREFIX: usize = 64;
