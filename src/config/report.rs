//! `[report]`: TLS reports, who counts, who sends, to whom.

use std::path::PathBuf;
use std::time::Duration;

use hoplock_policy::name::DomainName;
use hoplock_policy::rules::RulePattern;
use hoplock_policy::tlsrpt::ReportTarget;

use super::reader::{Reader, Section};
use super::rules::pattern;
use super::sections::path;
use super::words;

/// All of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReportConfig {
    /// Reports are made at all.
    pub enabled: bool,
    /// Who counts sessions, and sends.
    pub collector: Collector,
    /// The name in reports.
    pub organization: String,
    /// How we can be reached.
    pub contact: String,
    /// The sender's address; its domain is the submitter (RFC 8460, 5.3).
    pub from: String,
    /// How mail is handed over.
    pub mailer: Mailer,
    /// Who signs it.
    pub dkim: Dkim,
    /// File with the key, where hoplock signs.
    pub dkim_key: Option<PathBuf>,
    /// The selector of the key record.
    pub dkim_selector: Option<DomainName>,
    /// Reports leave within this time after midnight UTC.
    pub delay: Duration,
    /// Domains that get reports; none: all.
    pub allow: Vec<RulePattern>,
    /// Domains, and receivers, that get none.
    pub deny: Vec<RulePattern>,
    /// Where all reports go instead, for trials.
    pub redirect: Option<ReportTarget>,
    /// Reports in one day at most.
    pub daily_limit: usize,
    /// Days with fewer sessions are not reported.
    pub min_sessions: usize,
    /// HTTPS: the receiver's certificate is not looked at (RFC 8460, 3).
    pub ignore_certificate: bool,
    /// HTTPS: receivers at private addresses are not connected to.
    pub refuse_private_addresses: bool,
}

/// Who counts sessions and sends reports (RP-16).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Collector {
    /// hoplock.
    Hoplock,
    /// The mail server, or a program beside it.
    Mta,
}

/// How mail is handed to the mail server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Mailer {
    /// By this program, with the options of sendmail(1).
    Program(PathBuf),
    /// By SMTP to `HOST:PORT`.
    Smtp(String),
}

impl std::fmt::Display for Mailer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Program(path) => write!(f, "{}", path.display()),
            Self::Smtp(address) => write!(f, "smtp:{address}"),
        }
    }
}

/// Who signs report mail (RFC 8460, 3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dkim {
    /// Nobody was named: then no report leaves by mail.
    Nobody,
    /// The mail server, or a milter of it.
    Mta,
    /// hoplock, by a key of its own.
    Key,
}

impl ReportConfig {
    /// The domain of the sender's address.
    #[must_use]
    pub fn submitter(&self) -> Option<DomainName> {
        let (_, domain) = self.from.rsplit_once('@')?;
        DomainName::parse(domain).ok()
    }

    /// Whether sessions are counted here.
    #[must_use]
    pub fn counts(&self) -> bool {
        self.enabled && self.collector == Collector::Hoplock
    }
}

/// Reads the section.
pub(super) fn read(reader: &mut Reader<'_>, section: &Section<'_>) -> ReportConfig {
    let config = ReportConfig {
        enabled: reader.boolean(section, "enabled").unwrap_or(false),
        collector: reader
            .choice(section, "collector", words::COLLECTORS)
            .unwrap_or(Collector::Hoplock),
        organization: line(reader, section, "organization"),
        contact: line(reader, section, "contact"),
        from: from(reader, section),
        mailer: mailer(reader, section),
        dkim: reader
            .choice(section, "dkim", words::DKIM)
            .unwrap_or(Dkim::Nobody),
        dkim_key: path(reader, section, "dkim_key"),
        dkim_selector: selector(reader, section),
        delay: reader.duration(section, "delay").unwrap_or(DELAY),
        allow: patterns(reader, section, "allow"),
        deny: patterns(reader, section, "deny"),
        redirect: redirect(reader, section),
        daily_limit: at_least_one(reader, section, "daily_limit").unwrap_or(DAILY_LIMIT),
        min_sessions: at_least_one(reader, section, "min_sessions").unwrap_or(1),
        ignore_certificate: reader
            .boolean(section, "ignore_certificate")
            .unwrap_or(false),
        refuse_private_addresses: reader
            .boolean(section, "refuse_private_addresses")
            .unwrap_or(true),
    };
    complain(reader, section, &config);
    config
}

/// What must be there before a report can leave.
fn complain(reader: &mut Reader<'_>, section: &Section<'_>, config: &ReportConfig) {
    let at = |reader: &Reader<'_>, key| reader.at(section, key);
    if config.counts() {
        let enabled = at(reader, "enabled");
        for (key, value, cure) in [
            (
                "organization",
                &config.organization,
                "the name of who sends the reports, such as \"Example Ltd\"",
            ),
            (
                "contact",
                &config.contact,
                "an address at which people can ask about them",
            ),
            (
                "from",
                &config.from,
                "an address such as \"tlsrpt@example.com\", whose domain signs them",
            ),
        ] {
            // One that is wrong has its complaint already.
            let is_missing = reader
                .text(section, key)
                .is_none_or(|(text, _)| text.is_empty());
            if value.is_empty() && is_missing {
                let words = format!("[report] enabled needs {key}: {cure}");
                reader.error(enabled, words);
            }
        }
        if config.dkim == Dkim::Nobody {
            // RP-12.
            let words = "[report] dkim is not set, so no report leaves by mail, since unsigned ones are \
                         refused everywhere (RFC 8460, 3); write dkim = \"mta\" where your mail server \
                         signs mail from this address, or dkim = \"key\" with dkim_key and dkim_selector";
            reader.warn(enabled, words);
        }
    }
    if config.dkim == Dkim::Key && (config.dkim_key.is_none() || config.dkim_selector.is_none()) {
        let words = "[report] dkim = \"key\" needs dkim_key, a PEM file, and dkim_selector, the name below \
                     _domainkey at which its record stands";
        let place = at(reader, "dkim");
        reader.error(place, words);
    }
}

/// A text for a header field: one line.
fn line(reader: &mut Reader<'_>, section: &Section<'_>, key: &str) -> String {
    let Some((text, at)) = reader.text(section, key) else {
        return String::new();
    };
    if text.chars().any(char::is_control) || text.chars().count() > LONGEST_LINE {
        let words = format!(
            "[report] {key} must be one line of at most {LONGEST_LINE} characters, without control characters"
        );
        reader.error(at, words);
        return String::new();
    }
    text
}

fn from(reader: &mut Reader<'_>, section: &Section<'_>) -> String {
    let text = line(reader, section, "from");
    let good = text.is_empty()
        || ReportTarget::parse(&format!("mailto:{text}"))
            .is_some_and(|target| target == ReportTarget::Mailto(text.clone()));
    if !good {
        let words =
            format!("[report] from = {text:?} is no mail address; write \"tlsrpt@example.com\"");
        let at = reader.at(section, "from");
        reader.error(at, words);
        return String::new();
    }
    text
}

fn mailer(reader: &mut Reader<'_>, section: &Section<'_>) -> Mailer {
    let default = || Mailer::Smtp(LOOPBACK.to_owned());
    let Some((text, at)) = reader.text(section, "mailer") else {
        return default();
    };
    let smtp = text.strip_prefix("smtp:").map(|address| {
        let is_port = |port: &str| port.parse::<u16>().is_ok_and(|port| port != 0);
        let good = address
            .rsplit_once(':')
            .is_some_and(|(host, port)| !host.is_empty() && is_port(port));
        good.then(|| Mailer::Smtp(address.to_owned()))
    });
    let found = match smtp {
        Some(smtp) => smtp,
        None if text.starts_with('/') && !text.contains('\0') => {
            Some(Mailer::Program(PathBuf::from(&text)))
        }
        None => None,
    };
    found.unwrap_or_else(|| {
        let words = format!(
            "[report] mailer = {text:?} is no way to send mail; write \"smtp:{LOOPBACK}\" or \
             \"{SENDMAIL}\""
        );
        reader.error(at, words);
        default()
    })
}

fn selector(reader: &mut Reader<'_>, section: &Section<'_>) -> Option<DomainName> {
    let (text, at) = reader.text(section, "dkim_selector")?;
    if text.is_empty() {
        return None;
    }
    match DomainName::parse(&text) {
        Ok(name) => Some(name),
        Err(why) => {
            let words = format!(
                "[report] dkim_selector = {text:?}: {why}; write a name such as \"tlsrpt\""
            );
            reader.error(at, words);
            None
        }
    }
}

fn patterns(reader: &mut Reader<'_>, section: &Section<'_>, key: &str) -> Vec<RulePattern> {
    let mut found = Vec::new();
    for (text, at) in reader.texts(section, key).unwrap_or_default() {
        match pattern(&text) {
            Ok(pattern) => found.push(pattern),
            Err(why) => {
                let words = format!("[report] {key}: {text:?} is no domain: {why}");
                reader.error(at, words);
            }
        }
    }
    found
}

fn redirect(reader: &mut Reader<'_>, section: &Section<'_>) -> Option<ReportTarget> {
    let (text, at) = reader.text(section, "redirect")?;
    if text.is_empty() {
        return None;
    }
    let target = ReportTarget::parse(&text);
    if target.is_none() {
        let words = format!(
            "[report] redirect = {text:?} is nowhere; write \"mailto:you@example.com\" or \
             \"https://example.com/tlsrpt\""
        );
        reader.error(at, words);
    }
    target
}

fn at_least_one(reader: &mut Reader<'_>, section: &Section<'_>, key: &str) -> Option<usize> {
    let number = reader.number(section, key)?;
    if number == 0 {
        let at = reader.at(section, key);
        let words =
            format!("[report] {key} = 0 would send nothing; write 1 or more, or enabled = false");
        reader.error(at, words);
        return None;
    }
    Some(number)
}

const SENDMAIL: &str = "/usr/sbin/sendmail";
/// Programs that take mail need rights that a hardened unit does not leave them.
const LOOPBACK: &str = "127.0.0.1:25";
/// RFC 8460, 4.1 asks for some hours, so that receivers are not flooded at midnight.
const DELAY: Duration = Duration::from_secs(4 * 3600);
/// A site that writes to more domains that ask for reports raises it, and knows that it does.
const DAILY_LIMIT: usize = 10_000;
/// RFC 5322, 2.1.1, with room for a field's name.
const LONGEST_LINE: usize = 200;
