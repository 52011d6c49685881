//! The configuration as a value.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::net::{Ipv6Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use hoplock_policy::law::FirstContact;
use hoplock_policy::name::DomainName;
use hoplock_policy::profile::Profile;
use hoplock_policy::rules::{RulePattern, Rules};
use hoplock_policy::tlsa::TlsaOptions;
use hoplock_policy::verify::VerifyOptions;

use super::guard::GuardConfig;
use super::report::ReportConfig;
use super::watch::WatchConfig;
use crate::adapters::dns::Trust;

/// All that the operator ordered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// Sockets.
    pub listen: Listen,
    /// Resolver.
    pub dns: DnsConfig,
    /// MTA-STS.
    pub sts: StsConfig,
    /// DANE.
    pub dane: DaneConfig,
    /// The built-in Postfix profiles as changed, and others by name.
    pub profiles: HashMap<String, Arc<Profile>>,
    /// Rules for single destinations.
    pub rules: Rules,
    /// Bounds.
    pub limits: Limits,
    /// Log.
    pub log: LogConfig,
    /// State.
    pub store: StoreConfig,
    /// Where sessions are reported.
    pub sources: Sources,
    /// What is done with messages when they are handed in.
    pub guard: GuardConfig,
    /// TLS reports.
    pub report: ReportConfig,
    /// One's own domains.
    pub watch: WatchConfig,
    /// Folder with more files of rules.
    pub rules_directory: Option<PathBuf>,
    /// The file of each rule that came from the rules directory.
    pub(super) rules_of_files: BTreeMap<RulePattern, String>,
}

/// Sockets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listen {
    /// Socketmap.
    pub socketmap: Vec<Endpoint>,
    /// HTTP.
    pub http: Vec<Endpoint>,
    /// Session reports as JSON lines.
    pub sessions: Vec<Endpoint>,
    /// Datagrams of libtlsrpt: unix ones.
    pub tlsrpt: Vec<Endpoint>,
    /// Exim's readsocket.
    pub readsocket: Vec<Endpoint>,
    /// Policy delegation.
    pub policy: Vec<Endpoint>,
    /// Milter.
    pub milter: Vec<Endpoint>,
    /// Synthetic DNS answers, over UDP and TCP.
    pub dns: Vec<Endpoint>,
    /// Control; none: beside the store.
    pub control: Option<Endpoint>,
    /// Mode of unix sockets.
    pub mode: u32,
    /// Their owner.
    pub owner: Option<String>,
    /// Their group.
    pub group: Option<String>,
}

/// Where to listen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Endpoint {
    /// A unix socket.
    Unix(PathBuf),
    /// `HOST:PORT`.
    Inet(String),
    /// A socket that systemd hands over under this name.
    Systemd(String),
}

/// Resolver.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DnsConfig {
    /// Servers; none: the system's.
    pub servers: Vec<SocketAddr>,
    /// When AD is believed.
    pub trust: Trust,
    /// One lookup.
    pub timeout: Duration,
    /// A signed name.
    pub self_test: Option<DomainName>,
    /// A name that must fail.
    pub self_test_bogus: Option<DomainName>,
}

/// MTA-STS.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StsConfig {
    /// Ask at all.
    pub enabled: bool,
    /// Port of policy hosts.
    pub port: u16,
    /// PEM files with more roots.
    pub roots: Vec<PathBuf>,
    /// One fetch.
    pub timeout: Duration,
    /// Where a policy may exist and was never seen.
    pub on_first_contact_failure: FirstContact,
    /// Enforce policies in testing mode.
    pub testing_as_enforce: bool,
    /// Do not fetch from private addresses.
    pub refuse_private_addresses: bool,
}

/// DANE.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DaneConfig {
    /// Ask at all.
    pub enabled: bool,
    /// Find submission services by SRV records.
    pub srv_submission: bool,
    /// Behind an insecure MX set too.
    pub half_dane: bool,
    /// Of hosts in unsigned space too.
    pub force_insecure_host_tlsa: bool,
    /// Which records are usable.
    pub tlsa: TlsaOptions,
    /// How sessions are judged by them.
    pub verify: VerifyOptions,
}

/// Bounds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Connections of mail servers.
    pub connections: usize,
    /// DNS lookups in flight.
    pub lookups: usize,
    /// Destinations kept.
    pub cache_entries: usize,
    /// Hosts examined for one destination.
    pub mx_hosts: usize,
    /// Days that judged sessions are kept.
    pub journal_days: usize,
    /// How many of them at most; 0: none.
    pub journal_entries: usize,
}

/// Where sessions are reported, beside the sockets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sources {
    /// The log of Postfix; none: it is not read.
    pub postfix_log: Option<LogSource>,
}

/// Where a log is read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LogSource {
    /// The journal of systemd.
    Journal,
    /// A file, also after it was rotated.
    File(PathBuf),
}

/// Log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogConfig {
    /// Level.
    pub level: String,
    /// Form.
    pub format: LogFormat,
}

/// Form of the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// Text; with its own time on a terminal only.
    Auto,
    /// Text with its own time.
    Text,
    /// One JSON object for each line.
    Json,
}

/// State.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoreConfig {
    /// The state file, or the place where it would be.
    pub path: Option<PathBuf>,
    /// The store that a fleet shares.
    pub shared: Option<SharedUrl>,
    /// File with its password.
    pub shared_password_file: Option<PathBuf>,
    /// What the names of its keys begin with.
    pub shared_prefix: String,
    /// PEM file with the authorities for its certificate.
    pub shared_ca_file: Option<PathBuf>,
}

/// `redis://…`; shown without the password that may be in it.
#[derive(Clone, PartialEq, Eq)]
pub struct SharedUrl(pub String);

impl fmt::Display for SharedUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some((scheme, rest)) = self.0.split_once("://") else {
            return f.write_str("(unreadable)");
        };
        match rest.rsplit_once('@') {
            Some((user, host)) => {
                let user = user.split(':').next().unwrap_or_default();
                write!(f, "{scheme}://{user}:…@{host}")
            }
            None => write!(f, "{scheme}://{rest}"),
        }
    }
}

impl fmt::Debug for SharedUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

impl Config {
    /// Where the control socket is, given the folder for state.
    #[must_use]
    pub fn control(&self, state: &std::path::Path) -> Endpoint {
        let beside = || {
            let folder = self.store.path.as_deref().and_then(std::path::Path::parent);
            Endpoint::Unix(folder.unwrap_or(state).join("control.sock"))
        };
        self.listen.control.clone().unwrap_or_else(beside)
    }
}

impl Config {
    /// A text as a value of the configuration.
    #[must_use]
    pub fn quoted(text: &str) -> String {
        super::literal::quoted(text)
    }

    /// Where the state file is, given the folder for state.
    #[must_use]
    pub fn state_file(&self, state: &std::path::Path) -> PathBuf {
        let path = self.store.path.clone();
        path.unwrap_or_else(|| state.join("hoplock.db"))
    }
}

impl Endpoint {
    /// Reads `unix:PATH`, `inet:HOST:PORT` or `systemd:NAME`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (kind, rest) = text.split_once(':')?;
        match kind {
            "unix" => {
                let good = rest.starts_with('/') && rest.len() <= UNIX_PATH && !rest.contains('\0');
                good.then(|| Self::Unix(PathBuf::from(rest)))
            }
            "inet" => {
                let (host, port) = rest.rsplit_once(':')?;
                let port_good = port.bytes().all(|byte| byte.is_ascii_digit());
                port.parse::<u16>().ok().filter(|_| port_good)?;
                is_host(host).then(|| Self::Inet(rest.to_owned()))
            }
            "systemd" if !rest.is_empty() => Some(Self::Systemd(rest.to_owned())),
            _ => None,
        }
    }

    /// True where only this host can reach it, as far as the text tells.
    #[must_use]
    pub fn is_local(&self) -> bool {
        match self {
            Self::Unix(_) | Self::Systemd(_) => true,
            Self::Inet(address) => {
                let host = address.rsplit_once(':').map_or("", |(host, _)| host);
                let host = host.trim_start_matches('[').trim_end_matches(']');
                host == "localhost"
                    || host
                        .parse::<std::net::IpAddr>()
                        .is_ok_and(|address| address.is_loopback())
            }
        }
    }
}

impl fmt::Display for LogSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Journal => f.write_str("journal"),
            Self::File(path) => write!(f, "{}", path.display()),
        }
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
            Self::Inet(address) => write!(f, "inet:{address}"),
            Self::Systemd(name) => write!(f, "systemd:{name}"),
        }
    }
}

/// A name, an IPv4 address, or an IPv6 address in brackets.
fn is_host(text: &str) -> bool {
    match text.strip_prefix('[') {
        Some(rest) => rest
            .strip_suffix(']')
            .is_some_and(|inside| inside.parse::<Ipv6Addr>().is_ok()),
        None => DomainName::parse(text).is_ok(),
    }
}

/// The room for a path in `sockaddr_un` on Linux, without the final zero octet.
const UNIX_PATH: usize = 107;
