//! `[watch]`: one's own domains, looked at as the senders of others see them.

use std::time::Duration;

use hoplock_policy::name::DomainName;

use super::reader::{Reader, Section};

/// What is watched, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WatchConfig {
    /// The domains, each once; none: nothing is looked at.
    pub domains: Vec<DomainName>,
    /// Between two looks at a domain.
    pub every: Duration,
    /// How long before its end a certificate is told of.
    pub certificate_days: Duration,
}

/// The section.
pub(super) fn read(reader: &mut Reader<'_>, section: &Section<'_>) -> WatchConfig {
    let domains = domains(reader, section);
    let every = reader.duration(section, "every");
    if let Some(short) = every.filter(|every| *every < SHORTEST) {
        let words = format!(
            "[watch] every = \"{}s\" is too often; write \"{}s\" or more",
            short.as_secs(),
            SHORTEST.as_secs()
        );
        let at = reader.at(section, "every");
        reader.error(at, words);
    }
    let too_long = "is longer than certificates last; write \"366d\" or less";
    let before = reader.span(section, "certificate_days", LONGEST_BEFORE, too_long);
    WatchConfig {
        domains,
        every: every.unwrap_or(EVERY),
        certificate_days: before.unwrap_or(BEFORE),
    }
}

fn domains(reader: &mut Reader<'_>, section: &Section<'_>) -> Vec<DomainName> {
    let mut domains = Vec::new();
    for (text, at) in reader.texts(section, "domains").unwrap_or_default() {
        let why = match DomainName::parse(&text) {
            Ok(name) if domains.contains(&name) => {
                let words = format!("[watch] domains: {text:?} stands there twice; keep one");
                reader.warn(at, words);
                continue;
            }
            Ok(name) if name.is_address() => "an address publishes nothing".to_owned(),
            Ok(name) if name.is_single_label() => "a name of one label has no policy".to_owned(),
            Ok(name) => {
                domains.push(name);
                continue;
            }
            Err(why) => why.to_string(),
        };
        let words = format!(
            "[watch] domains: {text:?} is no domain: {why}; write the part of addresses behind the @"
        );
        reader.error(at, words);
    }
    domains
}

/// Keys and records change by hand or by a timer once in weeks; mail that waits for the mending of what was
/// seen within the hour does not bounce, for mail servers try for days.
const EVERY: Duration = Duration::from_secs(3_600);
/// Each look is a connection to every address of every host. Hosts that see them oftener take us for a robot;
/// what is shorter is for trials.
const SHORTEST: Duration = Duration::from_secs(10);
/// Whoever renews by hand needs that much; whoever renews by a timer has done it long before, so that what
/// is told of then is a timer that failed.
const BEFORE: Duration = Duration::from_secs(14 * 86_400);
/// No authority issues longer ones for servers.
const LONGEST_BEFORE: u64 = 366 * 86_400;
