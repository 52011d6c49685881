//! A Postfix on this machine, as its own `postconf` shows it. Read only: nothing is ever changed.
//!
//! * `commands`: `postconf` and `postmap`, run as programs.
//! * `lists`: lists as Postfix splits them.
//! * `own_dane`: whether its own DNSSEC works.

mod commands;
#[doc(hidden)]
pub mod fuzzing;
mod lists;
mod own_dane;

use std::collections::BTreeMap;
use std::path::PathBuf;

use self::commands::postconf;
pub use self::commands::postmap;
pub use self::lists::words;
pub use self::own_dane::{OwnDaneProbe, PostfixResolver};
use super::program::ProgramError;

/// What `postconf` says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Settings {
    /// Parameters by name, with `$` expanded.
    values: BTreeMap<String, String>,
    /// The client that delivers mail, as master.cf has it.
    pub smtp: Service,
    /// The other services that run smtp(8).
    others: Vec<Service>,
}

/// One line of master.cf that runs smtp(8).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Service {
    /// Its name.
    pub name: String,
    /// Whether it runs in the queue directory as its root.
    pub chrooted: bool,
    /// Parameters that the line overrides, with `$` expanded.
    pub overrides: BTreeMap<String, String>,
}

impl Settings {
    /// Asks `postconf`; `MAIL_CONFIG` of the environment names another folder, as for all of Postfix.
    ///
    /// # Errors
    /// [`ProgramError`] where there is no Postfix, or its configuration is broken.
    pub fn read() -> Result<Self, ProgramError> {
        let mut arguments = vec!["-x"];
        arguments.extend(PARAMETERS);
        let main = postconf(&arguments)?;
        // Overrides are asked for apart: with spaces or braces in them a line of -M is ambiguous.
        Ok(Self::of(&main, &postconf(&["-M"])?, &postconf(&["-Px"])?))
    }

    /// Of what `postconf -x`, `-M` and `-Px` print.
    #[must_use]
    pub fn of(main: &str, master: &str, overrides: &str) -> Self {
        let mut settings = Self::default();
        for line in main.lines() {
            if let Some((name, value)) = line.split_once('=') {
                let (name, value) = (name.trim().to_owned(), value.trim().to_owned());
                settings.values.insert(name, value);
            }
        }
        let by_default = settings.chrooted_by_default();
        for line in master.lines() {
            let words: Vec<&str> = line.split_whitespace().collect();
            let (Some(&name), Some(&kind), Some(&"smtp")) =
                (words.first(), words.get(1), words.get(7))
            else {
                continue;
            };
            let service = Service {
                name: name.to_owned(),
                chrooted: match words.get(4) {
                    Some(&"y") => true,
                    Some(&"-") => by_default,
                    _ => false,
                },
                overrides: overrides_of(name, kind, overrides),
            };
            if (name, kind) == ("smtp", "unix") {
                settings.smtp = service;
            } else {
                settings.others.push(service);
            }
        }
        settings
    }

    /// A parameter, as the delivering client sees it; empty where it is unknown.
    #[must_use]
    pub fn get(&self, name: &str) -> &str {
        let overridden = self.smtp.overrides.get(name);
        let value = overridden.or_else(|| self.values.get(name));
        value.map_or("", String::as_str)
    }

    /// What a person must do so that the delivering client sees this value, in the file that decides.
    #[must_use]
    pub fn cure(&self, name: &str, value: &str) -> String {
        if !self.smtp.overrides.contains_key(name) {
            return format!("in main.cf: {name} = {value}");
        }
        let option = if value.contains(char::is_whitespace) {
            format!("-o {{ {name} = {value} }}")
        } else {
            format!("-o {name}={value}")
        };
        format!("in master.cf, where -o {name} of the service smtp overrides main.cf: {option}")
    }

    /// The same as another service that runs smtp(8) sees it.
    pub fn of_others(&self) -> impl Iterator<Item = Self> {
        self.others.iter().map(|service| Self {
            values: self.values.clone(),
            smtp: service.clone(),
            others: Vec::new(),
        })
    }

    /// The parameters for which Postfix gives DANE up, and takes `dane` for `may`; none: it does DANE.
    /// The same as in its own `dane_init()`.
    #[must_use]
    pub fn against_dane(&self) -> Vec<&'static str> {
        let mut against = Vec::new();
        if self.get("smtp_dns_support_level") != "dnssec" {
            against.push("smtp_dns_support_level");
        }
        if !words(self.get("smtp_host_lookup")).any(|method| method == "dns") {
            against.push("smtp_host_lookup");
        }
        if self.get("ignore_mx_lookup_error") == "yes" {
            against.push("ignore_mx_lookup_error");
        }
        if !self.get("smtp_dns_resolver_options").is_empty() {
            against.push("smtp_dns_resolver_options");
        }
        against
    }

    /// The level that holds where no table says another, also by the parameters of old.
    #[must_use]
    pub fn level(&self) -> &str {
        let yes = |name| self.get(name) == "yes";
        match self.get("smtp_tls_security_level") {
            "" if yes("smtp_enforce_tls") && yes("smtp_tls_enforce_peername") => "verify",
            "" if yes("smtp_enforce_tls") => "encrypt",
            "" if yes("smtp_use_tls") => "may",
            level => level,
        }
    }

    /// Postfix's version: major, minor, patch; nought where it says none.
    #[must_use]
    pub fn version(&self) -> (u16, u16, u16) {
        numbers(self.values.get("mail_version"))
    }

    /// What `-` in the chroot field means: it changed with Postfix 3.0, and with the compatibility
    /// level 1.
    fn chrooted_by_default(&self) -> bool {
        self.version() < (3, 0, 0) || numbers(self.values.get("compatibility_level")) < (1, 0, 0)
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

/// What Postfix says in its EHLO; `None` where there is no Postfix.
#[must_use]
pub fn helo_name() -> Option<String> {
    let name = postconf(&["-h", "-x", "smtp_helo_name"]).ok()?;
    Some(name.trim().to_owned()).filter(|name| !name.is_empty())
}

/// Of lines `service/type/parameter = value`.
fn overrides_of(name: &str, kind: &str, lines: &str) -> BTreeMap<String, String> {
    let front = format!("{name}/{kind}/");
    let own = lines.lines().filter_map(|line| line.strip_prefix(&front));
    own.filter_map(|line| line.split_once('='))
        .map(|(name, value)| (name.trim().to_owned(), value.trim().to_owned()))
        .collect()
}

fn numbers(text: Option<&String>) -> (u16, u16, u16) {
    let text = text.map_or("", String::as_str);
    let mut numbers = text
        .split(['.', '-'])
        .map(|part| part.parse::<u16>().unwrap_or(0));
    let mut next = || numbers.next().unwrap_or(0);
    (next(), next(), next())
}

/// The parameters that decide over TLS.
const PARAMETERS: &[&str] = &[
    "compatibility_level",
    "default_transport",
    "ignore_mx_lookup_error",
    "inet_protocols",
    "mail_owner",
    "mail_version",
    "proxy_read_maps",
    "queue_directory",
    "relayhost",
    "sender_dependent_default_transport_maps",
    "sender_dependent_relayhost_maps",
    "smtp_dns_resolver_options",
    "smtp_dns_support_level",
    "smtp_enforce_tls",
    "smtp_host_lookup",
    "smtp_mx_address_limit",
    "smtp_tls_CAfile",
    "smtp_tls_CApath",
    "smtp_tls_dane_insecure_mx_policy",
    "smtp_tls_enforce_peername",
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

    const WELL: &str = "mail_version = 3.7.11\ncompatibility_level = 3.6\n\
                        smtp_dns_support_level = dnssec\nsmtp_host_lookup = dns\n\
                        ignore_mx_lookup_error = no\nsmtp_dns_resolver_options =\n";

    #[test]
    fn overrides_are_those_of_their_service() {
        let settings = Settings::of(
            WELL,
            "smtp inet n - n - - smtpd\n\
             smtp unix - - y - - smtp -o smtp_tls_security_level=none -o {x=a, b}\n\
             relay unix - - n - - smtp -o syslog_name=postfix/$service_name\n",
            "smtp/inet/smtpd_tls_auth_only = yes\n\
             smtp/unix/smtp_tls_policy_maps = static:may, inline:{ a=b }\n\
             smtp/unix/smtp_tls_security_level = none\n\
             relay/unix/syslog_name = postfix/relay\n",
        );
        assert!(settings.smtp.chrooted);
        assert_eq!(settings.get("smtp_tls_security_level"), "none");
        assert_eq!(
            settings.get("smtp_tls_policy_maps"),
            "static:may, inline:{ a=b }"
        );
        assert_eq!(settings.get("smtpd_tls_auth_only"), "");
        let others: Vec<Settings> = settings.of_others().collect();
        assert_eq!(others.len(), 1);
        assert_eq!(others[0].smtp.name, "relay");
        assert_eq!(others[0].smtp.overrides["syslog_name"], "postfix/relay");
        // A cure names the file that decides.
        let cure = settings.cure("smtp_tls_security_level", "may");
        assert!(cure.contains("master.cf") && cure.contains("-o smtp_tls_security_level=may"));
        let cure = settings.cure("smtp_host_lookup", "dns");
        assert_eq!(cure, "in main.cf: smtp_host_lookup = dns");
    }

    #[test]
    fn a_chroot_that_is_left_to_the_default() {
        let chrooted = |main: &str| {
            let settings = Settings::of(main, "smtp unix - - - - - smtp", "");
            settings.smtp.chrooted
        };
        assert!(!chrooted(
            "mail_version = 3.7.11\ncompatibility_level = 3.6"
        ));
        assert!(!chrooted("mail_version = 3.7.11\ncompatibility_level = 1"));
        assert!(chrooted("mail_version = 3.7.11\ncompatibility_level = 0"));
        assert!(chrooted("mail_version = 3.7.11\ncompatibility_level ="));
        assert!(chrooted("mail_version = 2.11.0\ncompatibility_level = 2"));
    }

    #[test]
    fn what_makes_postfix_give_dane_up() {
        assert!(Settings::of(WELL, "", "").against_dane().is_empty());
        for (line, name) in [
            ("smtp_dns_support_level = enabled", "smtp_dns_support_level"),
            ("smtp_host_lookup = native", "smtp_host_lookup"),
            ("ignore_mx_lookup_error = yes", "ignore_mx_lookup_error"),
            (
                "smtp_dns_resolver_options = res_defnames",
                "smtp_dns_resolver_options",
            ),
        ] {
            let settings = Settings::of(&format!("{WELL}{line}\n"), "", "");
            assert_eq!(settings.against_dane(), [name], "{line}");
        }
        let both = Settings::of(&format!("{WELL}smtp_host_lookup = native, dns\n"), "", "");
        assert!(both.against_dane().is_empty());
    }

    #[test]
    fn levels_of_old() {
        let level = |main: &str| Settings::of(main, "", "").level().to_owned();
        assert_eq!(level("smtp_tls_security_level ="), "");
        assert_eq!(level("smtp_use_tls = yes"), "may");
        assert_eq!(level("smtp_enforce_tls = yes"), "encrypt");
        assert_eq!(
            level("smtp_enforce_tls = yes\nsmtp_tls_enforce_peername = yes"),
            "verify"
        );
        assert_eq!(
            level("smtp_use_tls = yes\nsmtp_tls_security_level = dane"),
            "dane"
        );
    }
}
