//! Where the fleet's store is: a URL, read once, whose password nothing prints.

use std::fmt::{self, Debug, Display, Formatter};
use std::path::PathBuf;

use redis::{ConnectionAddr, IntoConnectionInfo as _, RedisConnectionInfo};

/// `redis://[[USER]:PASSWORD@]HOST[:PORT][/DB]`, `rediss://…` for TLS, or
/// `redis+unix:///PATH[?db=N&user=U&pass=P]`; `prefix=TEXT` behind the question mark for other names of
/// keys. `valkey` stands for `redis` wherever people write so.
#[derive(Clone)]
pub struct FleetAddress {
    pub(super) place: Place,
    pub(super) login: RedisConnectionInfo,
    pub(super) prefix: String,
}

/// What is connected to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Place {
    Tcp { host: String, port: u16 },
    Tls { host: String, port: u16 },
    Unix(PathBuf),
}

/// Why a URL cannot be used; never with the URL in it, since that holds the password.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct BadAddress(String);

impl FleetAddress {
    /// Reads a URL.
    ///
    /// # Errors
    /// [`BadAddress`] in words that do not repeat it.
    pub fn parse(url: &str) -> Result<Self, BadAddress> {
        let bad = |words: &str| BadAddress(words.to_owned());
        let (scheme, rest) = url.split_once(':').ok_or_else(|| bad(NO_SCHEME))?;
        let (scheme, is_tls) = match scheme {
            "redis" | "valkey" => ("redis", false),
            "rediss" | "valkeys" => ("redis", true),
            "redis+unix" | "valkey+unix" | "unix" => ("redis+unix", false),
            _ => return Err(bad(NO_SCHEME)),
        };
        if rest.contains('#') {
            return Err(bad(
                "a # must be written %23, and certificates are always checked",
            ));
        }
        let (before, query) = rest.split_once('?').unwrap_or((rest, ""));
        let (mut prefix, mut passed_on) = (DEFAULT_PREFIX.to_owned(), Vec::new());
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            match pair.split_once('=') {
                Some(("prefix", text)) if is_prefix(text) => text.clone_into(&mut prefix),
                Some(("prefix", _)) => return Err(bad(BAD_PREFIX)),
                Some(("db" | "user" | "pass", _)) if scheme == "redis+unix" => passed_on.push(pair),
                _ => {
                    return Err(bad(
                        "what stands behind the ? is not known, but for prefix=",
                    ));
                }
            }
        }
        let plain = format!("{scheme}:{before}?{}", passed_on.join("&"));
        // Its own words may repeat a part of the URL.
        let read = plain.trim_end_matches('?').into_connection_info();
        let read = read.map_err(|_| {
            bad("it is no URL of the form redis://:password@host:port/db (a password is percent-encoded)")
        })?;
        let place = match read.addr() {
            ConnectionAddr::Unix(path) => Place::Unix(path.clone()),
            ConnectionAddr::Tcp(host, port) if is_tls => Place::Tls {
                host: host.clone(),
                port: *port,
            },
            ConnectionAddr::Tcp(host, port) => Place::Tcp {
                host: host.clone(),
                port: *port,
            },
            _ => return Err(bad(NO_SCHEME)),
        };
        Ok(Self {
            place,
            // Redis 7.0 does not know it, and each command needs a right.
            login: read.redis_settings().clone().set_skip_set_lib_name(),
            prefix,
        })
    }

    /// The same with a password from elsewhere, such as a file.
    #[must_use]
    pub fn with_password(self, password: &str) -> Self {
        Self {
            login: self.login.set_password(password),
            ..self
        }
    }

    /// The same with another prefix of all keys.
    ///
    /// # Errors
    /// [`BadAddress`] where it has other characters than letters, digits, `.`, `_`, `-` and `:`.
    pub fn with_prefix(self, prefix: &str) -> Result<Self, BadAddress> {
        if !is_prefix(prefix) {
            return Err(BadAddress(BAD_PREFIX.to_owned()));
        }
        let prefix = prefix.to_owned();
        Ok(Self { prefix, ..self })
    }

    /// True where the way there is encrypted, or does not leave this machine.
    #[must_use]
    pub fn is_private(&self) -> bool {
        match &self.place {
            Place::Tls { .. } | Place::Unix(_) => true,
            Place::Tcp { host, .. } => {
                let address = host.parse::<std::net::IpAddr>();
                host == "localhost" || address.is_ok_and(|address| address.is_loopback())
            }
        }
    }

    /// True where a password is sent.
    #[must_use]
    pub fn has_password(&self) -> bool {
        self.login.password().is_some()
    }
}

/// Without user and password.
impl Display for FleetAddress {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match &self.place {
            Place::Tcp { host, port } => write!(f, "redis://{}:{port}", bracketed(host)),
            Place::Tls { host, port } => write!(f, "rediss://{}:{port}", bracketed(host)),
            Place::Unix(path) => write!(f, "redis+unix://{}", path.display()),
        }
    }
}

/// The same: this is what ends up in logs.
impl Debug for FleetAddress {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        Display::fmt(self, f)
    }
}

fn bracketed(host: &str) -> String {
    if host.contains(':') {
        format!("[{host}]")
    } else {
        host.to_owned()
    }
}

/// Plain characters: a prefix stands in ACL patterns and in `redis-cli --scan`.
fn is_prefix(text: &str) -> bool {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-' | ':');
    text.len() <= LONGEST_PREFIX && text.chars().all(is_plain)
}

/// What all keys begin with.
pub const DEFAULT_PREFIX: &str = "hoplock:";
const LONGEST_PREFIX: usize = 64;
const NO_SCHEME: &str = "it must begin with redis://, rediss:// or redis+unix://";
const BAD_PREFIX: &str = "a prefix has letters, digits, '.', '_', '-' and ':', 64 at most";

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    /// The password is used and never shown.
    #[test]
    fn passwords_are_not_shown() {
        for (url, place, private) in [
            ("redis://:geh%23eim@db.test:7/2", "redis://db.test:7", false),
            (
                "redis://u:geh%23eim@127.0.0.1",
                "redis://127.0.0.1:6379",
                true,
            ),
            (
                "rediss://:geh%23eim@[2001:db8::1]:7",
                "rediss://[2001:db8::1]:7",
                true,
            ),
            (
                "valkeys://:geh%23eim@db.test/",
                "rediss://db.test:6379",
                true,
            ),
            (
                "redis+unix:///run/v.sock?pass=geh%23eim&db=3",
                "redis+unix:///run/v.sock",
                true,
            ),
        ] {
            let address = FleetAddress::parse(url).unwrap();
            assert_eq!(format!("{address} {address:?}"), format!("{place} {place}"));
            assert_eq!(address.login.password(), Some("geh#eim"), "{url}");
            assert!(!format!("{:?}", address.login).contains("geh"));
            assert_eq!(
                (address.is_private(), address.has_password()),
                (private, true)
            );
            assert_eq!(address.prefix, DEFAULT_PREFIX);
        }
        let address = FleetAddress::parse("redis://h/?prefix=mail:").unwrap();
        assert_eq!(
            (address.prefix.as_str(), address.has_password()),
            ("mail:", false)
        );
        assert!(address.clone().with_password("x").has_password());
        assert_eq!(address.with_prefix("b.").unwrap().prefix, "b.");
    }

    #[test]
    fn other_urls_are_refused() {
        for url in [
            "",
            "redis",
            "http://:geheim@h",
            "redis://",
            "redis://:geheim@h:port",
            "redis://:geheim@h/db",
            "redis://:geheim@h#insecure",
            "redis://:geheim@h?db=1",
            "redis://:geheim@h?prefix=a*",
            "redis://:geheim@h?geheim",
        ] {
            let refused = FleetAddress::parse(url).unwrap_err().to_string();
            assert!(!refused.contains("geheim"), "{url}: {refused}");
        }
    }
}
