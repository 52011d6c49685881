//! A Postfix on this machine, as its own `postconf` shows it. Read only: nothing is ever changed.

mod own_dane;

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

pub use self::own_dane::{OwnDaneProbe, PostfixResolver};

/// What `postconf` says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Settings {
    /// Parameters by name, with `$` expanded.
    values: BTreeMap<String, String>,
    /// The client that delivers mail, as master.cf has it.
    pub smtp: Service,
    /// Overrides of all services that run smtp(8): service, parameter, value.
    overridden: Vec<(String, String, String)>,
}

/// One line of master.cf.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Service {
    /// Whether it runs in the queue directory as its root.
    pub chrooted: bool,
    /// Parameters that the line overrides.
    pub overrides: BTreeMap<String, String>,
}

/// Why `postconf` says nothing.
#[derive(Debug, thiserror::Error)]
pub enum PostconfError {
    /// There is none.
    #[error("there is no postconf on this machine")]
    NotInstalled,
    /// It cannot be run.
    #[error("postconf cannot be run: {0}")]
    CannotRun(io::Error),
    /// It failed.
    #[error("postconf failed: {0}")]
    Failed(String),
}

impl Settings {
    /// Asks `postconf`; `MAIL_CONFIG` of the environment names another folder, as for all of Postfix.
    ///
    /// # Errors
    /// [`PostconfError`] where there is no Postfix, or its configuration is broken.
    pub fn read() -> Result<Self, PostconfError> {
        let mut settings = Self::default();
        let mut arguments = vec!["-x"];
        arguments.extend(PARAMETERS);
        for line in postconf(&arguments)?.lines() {
            if let Some((name, value)) = line.split_once('=') {
                let (name, value) = (name.trim().to_owned(), value.trim().to_owned());
                settings.values.insert(name, value);
            }
        }
        let version = settings.version();
        for line in postconf(&["-M"])?.lines() {
            let words: Vec<&str> = line.split_whitespace().collect();
            let (Some(name), Some(&kind), Some(&"smtp")) =
                (words.first(), words.get(1), words.get(7))
            else {
                continue;
            };
            let service = Service::read(line, version);
            for (parameter, value) in &service.overrides {
                let place = (name.to_string(), parameter.clone(), value.clone());
                settings.overridden.push(place);
            }
            if (*name, kind) == ("smtp", "unix") {
                settings.smtp = service;
            }
        }
        Ok(settings)
    }

    /// A parameter, as the delivering client sees it; empty where it is unknown.
    #[must_use]
    pub fn get(&self, name: &str) -> &str {
        let overridden = self.smtp.overrides.get(name);
        let value = overridden.or_else(|| self.values.get(name));
        value.map_or("", String::as_str)
    }

    /// A parameter as main.cf has it, whatever master.cf overrides.
    #[must_use]
    pub fn plain(&self, name: &str) -> &str {
        self.values.get(name).map_or("", String::as_str)
    }

    /// What master.cf overrides for services that run smtp(8): service, parameter, value.
    #[must_use]
    pub fn overridden(&self) -> &[(String, String, String)] {
        &self.overridden
    }

    /// Postfix's version: major, minor, patch; nought where it says none.
    #[must_use]
    pub fn version(&self) -> (u16, u16, u16) {
        let text = self.values.get("mail_version").map_or("", String::as_str);
        let mut numbers = text
            .split(['.', '-'])
            .map(|part| part.parse::<u16>().unwrap_or(0));
        let mut next = || numbers.next().unwrap_or(0);
        (next(), next(), next())
    }

    /// The root of the client's files: the queue directory where it is chrooted.
    #[must_use]
    pub fn root(&self) -> PathBuf {
        if self.smtp.chrooted {
            PathBuf::from(self.get("queue_directory"))
        } else {
            PathBuf::from("/")
        }
    }

    /// A path as the client sees it.
    #[must_use]
    pub fn as_seen(&self, path: &str) -> PathBuf {
        self.root().join(path.trim_start_matches('/'))
    }
}

impl Service {
    /// Reads `service type private unpriv chroot wakeup maxproc command -o name=value …`.
    fn read(line: &str, version: (u16, u16, u16)) -> Self {
        let words: Vec<&str> = line.split_whitespace().collect();
        let chrooted = match words.get(4) {
            Some(&"y") => true,
            // The default of the field changed with Postfix 3.0.
            Some(&"-") => version < (3, 0, 0),
            _ => false,
        };
        let mut overrides = BTreeMap::new();
        let mut rest = words.get(8..).unwrap_or_default().iter();
        while let Some(word) = rest.next() {
            let setting = match word.strip_prefix("-o") {
                Some("") => rest.next().copied(),
                Some(joined) => Some(joined),
                None => None,
            };
            if let Some((name, value)) = setting.and_then(|setting| setting.split_once('=')) {
                overrides.insert(name.to_owned(), value.to_owned());
            }
        }
        Self {
            chrooted,
            overrides,
        }
    }
}

/// Asks `postmap` for one key of one table.
///
/// # Errors
/// [`PostconfError`] with what `postmap` complained of; a key that is not found is no error.
pub fn postmap(table: &str, key: &str) -> Result<Option<String>, PostconfError> {
    let output = run("postmap", &["-q", key, table])?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
    if output.status.success() {
        return Ok(Some(text(&output.stdout)));
    }
    let complaints = text(&output.stderr);
    // Not found is status 1 and no fatal error; warnings about main.cf come in any case.
    let fatal = complaints.lines().any(|line| line.contains("fatal:"));
    if fatal {
        Err(PostconfError::Failed(complaints_about(table, &complaints)))
    } else {
        Ok(None)
    }
}

/// The lines that speak of the table or of the end, without those about main.cf.
fn complaints_about(table: &str, complaints: &str) -> String {
    let ours = complaints.lines().filter(|line| {
        line.contains("fatal:") || line.contains(table) || line.contains("connect to")
    });
    ours.collect::<Vec<_>>().join("; ")
}

fn postconf(arguments: &[&str]) -> Result<String, PostconfError> {
    let output = run("postconf", arguments)?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let words = String::from_utf8_lossy(&output.stderr).trim().to_owned();
    Err(PostconfError::Failed(words))
}

/// From the path of programs, else from where Debian has it: services often have a short path.
fn run(program: &str, arguments: &[&str]) -> Result<Output, PostconfError> {
    let installed = Path::new("/usr/sbin").join(program);
    for candidate in [Path::new(program), &installed] {
        match Command::new(candidate).args(arguments).output() {
            Ok(output) => return Ok(output),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(PostconfError::CannotRun(error)),
        }
    }
    Err(PostconfError::NotInstalled)
}

/// The parameters that decide over TLS.
const PARAMETERS: &[&str] = &[
    "compatibility_level",
    "default_transport",
    "ignore_mx_lookup_error",
    "mail_version",
    "queue_directory",
    "relayhost",
    "sender_dependent_default_transport_maps",
    "sender_dependent_relayhost_maps",
    "smtp_dns_resolver_options",
    "smtp_dns_support_level",
    "smtp_enforce_tls",
    "smtp_host_lookup",
    "smtp_tls_CAfile",
    "smtp_tls_CApath",
    "smtp_tls_dane_insecure_mx_policy",
    "smtp_tls_enforce_sts_mx_patterns",
    "smtp_tls_fingerprint_digest",
    "smtp_tls_per_site",
    "smtp_tls_policy_maps",
    "smtp_tls_security_level",
    "smtp_use_tls",
    "tls_append_default_CA",
    "transport_maps",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_master_cf() {
        let line = "smtp unix - - y - - smtp -o smtp_tls_security_level=none -osmtp_helo_timeout=5";
        let service = Service::read(line, (3, 7, 11));
        assert!(service.chrooted);
        assert_eq!(service.overrides["smtp_tls_security_level"], "none");
        assert_eq!(service.overrides["smtp_helo_timeout"], "5");
        assert!(!Service::read("smtp unix - - - - - smtp", (3, 7, 11)).chrooted);
        assert!(Service::read("smtp unix - - - - - smtp", (2, 11, 0)).chrooted);
    }
}
