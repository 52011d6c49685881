//! An Exim on this machine, as its own `exim -bP config` shows it. Read only: nothing is ever changed.
//!
//! * `expansion`: where an expansion string asks by `${readsocket…}`.

mod expansion;
#[doc(hidden)]
pub mod fuzzing;

use std::collections::BTreeMap;

pub use self::expansion::Call;
use super::program::{Account, ProgramError, run};

/// What `exim -bP config` prints: files are included by then, macros and conditions resolved.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Settings {
    /// Options of the main part.
    main: BTreeMap<String, String>,
    /// Routers, in the order in which an address comes to them.
    pub routers: Vec<Instance>,
    /// Transports.
    pub transports: Vec<Instance>,
    /// The lines of the access control lists.
    pub acl: Vec<String>,
}

/// A router or a transport.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Instance {
    /// Its name.
    pub name: String,
    /// The options that are set, without quotes.
    options: BTreeMap<String, String>,
}

impl Settings {
    /// Asks Exim.
    ///
    /// # Errors
    /// [`ProgramError`] where there is no Exim, or its configuration is broken.
    pub fn read() -> Result<Self, ProgramError> {
        exim(&["-bP", "config"], None).map(|text| Self::of(&text))
    }

    /// Of what `exim -bP config` prints.
    #[must_use]
    pub fn of(text: &str) -> Self {
        let mut settings = Self::default();
        let mut part = "main";
        let lines = text.lines().map(str::trim);
        for line in lines.filter(|line| !line.is_empty() && !line.starts_with('#')) {
            if let Some(name) = line.strip_prefix("begin ") {
                part = name.trim();
                continue;
            }
            let instances = match part {
                "main" => {
                    set(&mut settings.main, line);
                    continue;
                }
                "acl" => {
                    settings.acl.push(line.to_owned());
                    continue;
                }
                "routers" => &mut settings.routers,
                "transports" => &mut settings.transports,
                _ => continue,
            };
            match (name_of_instance(line), instances.last_mut()) {
                (Some(name), _) => instances.push(Instance {
                    name: name.to_owned(),
                    options: BTreeMap::new(),
                }),
                (None, Some(instance)) => set(&mut instance.options, line),
                // A macro before the first of them.
                (None, None) => {}
            }
        }
        settings
    }

    /// An option of the main part.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.main.get(name).map(String::as_str)
    }

    /// Whether values are kept from this user: Exim shows them to its administrators.
    #[must_use]
    pub fn is_hidden(&self) -> bool {
        let mut all = self.routers.iter().chain(&self.transports);
        all.any(|instance| instance.options().any(|(_, value)| value == HIDDEN))
    }

    /// The transport of that name.
    #[must_use]
    pub fn transport(&self, name: &str) -> Option<&Instance> {
        let mut all = self.transports.iter();
        all.find(|transport| transport.name == name)
    }
}

impl Instance {
    /// An option where it is set.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.options.get(name).map(String::as_str)
    }

    /// All options that are set.
    pub fn options(&self) -> impl Iterator<Item = (&str, &str)> {
        let all = self.options.iter();
        all.map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// A switch, where it is set.
    #[must_use]
    pub fn is_on(&self, name: &str) -> Option<bool> {
        self.get(name).map(|value| matches!(value, "true" | "yes"))
    }

    /// Where its options ask by `${readsocket…}`, with the name of the option.
    pub fn calls(&self) -> impl Iterator<Item = (&str, Call<'_>)> {
        let all = self.options();
        all.flat_map(|(name, value)| Call::all(value).into_iter().map(move |call| (name, call)))
    }
}

/// `name = value`, `name`, `no_name` or `not_name`; macros begin with a capital and are left out, since
/// they are filled in where they are used.
fn set(options: &mut BTreeMap<String, String>, line: &str) {
    let line = line.strip_prefix("hide ").unwrap_or(line);
    let (name, value) = match line.split_once('=') {
        Some((name, value)) => (name.trim(), unquoted(value.trim())),
        None => match line.strip_prefix("no_").or(line.strip_prefix("not_")) {
            Some(name) => (name, "false".to_owned()),
            None => (line, "true".to_owned()),
        },
    };
    if name.starts_with(|letter: char| letter.is_ascii_lowercase()) {
        options.insert(name.to_owned(), value);
    }
}

/// In quotes a backslash hides what follows.
fn unquoted(value: &str) -> String {
    let inside = value.strip_prefix('"');
    let Some(inside) = inside.and_then(|rest| rest.strip_suffix('"')) else {
        return value.to_owned();
    };
    let mut text = String::with_capacity(inside.len());
    let mut letters = inside.chars();
    while let Some(letter) = letters.next() {
        match letter {
            '\\' => match letters.next() {
                Some('n') => text.push('\n'),
                Some(hidden) => text.push(hidden),
                None => {}
            },
            other => text.push(other),
        }
    }
    text
}

fn name_of_instance(line: &str) -> Option<&str> {
    let name = line.strip_suffix(':')?;
    let is_part = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.');
    (!name.is_empty() && name.bytes().all(is_part)).then_some(name)
}

/// The user that Exim delivers as.
#[must_use]
pub fn user() -> Option<String> {
    let printed = exim(&["-bP", "exim_user"], None).ok()?;
    let (_, name) = printed.split_once('=')?;
    Some(name.trim().to_owned()).filter(|name| !name.is_empty())
}

/// Asks a socket through Exim, as another user where one is given; what it says where nobody answers
/// is empty.
///
/// # Errors
/// [`ProgramError`] where Exim cannot be run.
pub fn ask(place: &str, request: &str, account: Option<&Account>) -> Result<String, ProgramError> {
    let expansion = format!("${{readsocket{{{place}}}{{{request}\\n}}{{5s}}{{}}{{}}}}");
    exim(&["-be", &expansion], account).map(|text| text.trim().to_owned())
}

/// What Exim prints; Debian also calls it `exim4`.
fn exim(arguments: &[&str], account: Option<&Account>) -> Result<String, ProgramError> {
    let output = match run("exim", arguments, "", account) {
        Err(ProgramError::NotInstalled(_)) => run("exim4", arguments, "", account)?,
        other => other?,
    };
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    Err(ProgramError::Failed {
        program: "exim",
        words: String::from_utf8_lossy(&output.stderr).trim().to_owned(),
    })
}

/// What stands for a value that this user may not see.
const HIDDEN: &str = "<value not displayable>";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_exim_prints() {
        let settings = Settings::of(
            "# Exim Configuration (4.98.2)\n# 1 \"/etc/exim4/exim4.conf\"\n\
             HOPLOCK_SOCKET = inet:127.0.0.1:8427\nhide mysql_servers = <value not displayable>\n\
             dns_dnssec_ok = 1\nno_local_from_check\n\nbegin acl\n  acl_check_rcpt:\n    accept\n\
             \nbegin routers\n\n  out-1:\n    driver = dnslookup\n    debug_print = \"R: \\\"a\\\\b\"\n\
             \u{20}   transport = t\n    no_more\n\nbegin transports\n  SOME_MACRO = yes\n\n  t:\n\
             \u{20}   driver = smtp\n    multi_domain\n    hosts_require_tls = *\n\
             \u{20}   ANOTHER_MACRO = = 1\n\nbegin retry\n  * * F,2h,15m\n",
        );
        assert_eq!(settings.get("dns_dnssec_ok"), Some("1"));
        assert_eq!(settings.get("local_from_check"), Some("false"));
        assert_eq!(
            settings.get("mysql_servers"),
            Some("<value not displayable>")
        );
        assert_eq!(settings.acl, ["acl_check_rcpt:", "accept"]);
        let [router] = &settings.routers[..] else {
            panic!("{:?}", settings.routers);
        };
        assert_eq!(router.name, "out-1");
        assert_eq!(router.get("debug_print"), Some("R: \"a\\b"));
        assert_eq!(router.is_on("more"), Some(false));
        let [transport] = &settings.transports[..] else {
            panic!("{:?}", settings.transports);
        };
        assert_eq!(Some(transport), settings.transport("t"));
        assert_eq!(transport.is_on("multi_domain"), Some(true));
        assert_eq!(transport.is_on("tls_tempfail_tryclear"), None);
        assert_eq!(transport.options().count(), 3);
        assert!(!settings.is_hidden());
        let shown = "begin transports\n  t:\n    driver = <value not displayable>\n";
        assert!(Settings::of(shown).is_hidden());
    }
}
