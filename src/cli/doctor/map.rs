//! How Postfix asks us: the policy map, its place among others, and ways around it.

use std::path::PathBuf;

use hoplock_policy::profile::{Family, Profile};

use super::Findings;
use super::postfix::words;
use crate::adapters::postfix::{Settings, postmap};
use crate::config::{Config, Endpoint};

/// One table of `smtp_tls_policy_maps`.
pub(super) struct Table {
    /// As it is written.
    written: String,
    /// Through proxymap(8), which is not chrooted.
    proxied: bool,
    /// Where it is asked, for a socketmap.
    endpoint: Option<Endpoint>,
    /// The map's name there.
    pub(super) map: Option<String>,
}

impl Table {
    /// All tables, in their order.
    pub(super) fn all(settings: &Settings) -> Vec<Self> {
        words(settings.get("smtp_tls_policy_maps"))
            .map(Self::read)
            .collect()
    }

    fn read(written: &str) -> Self {
        let (proxied, bare) = match written.strip_prefix("proxy:") {
            Some(rest) => (true, rest),
            None => (false, written),
        };
        let socketmap = bare
            .strip_prefix("socketmap:")
            .and_then(|rest| rest.rsplit_once(':'));
        let (endpoint, map) = socketmap
            .map(|(place, map)| (Endpoint::parse(place), map.to_owned()))
            .unzip();
        Self {
            written: written.to_owned(),
            proxied,
            endpoint: endpoint.flatten(),
            map,
        }
    }

    /// The socket as it stands outside of any chroot.
    fn outside(&self, settings: &Settings) -> Option<Endpoint> {
        match &self.endpoint {
            Some(Endpoint::Unix(path)) if !self.proxied => Some(Endpoint::Unix(
                settings.as_seen(&path.display().to_string()),
            )),
            other => other.clone(),
        }
    }
}

/// Whether our map is there, first, spelled well, and answers.
pub(super) fn policy_maps(findings: &mut Findings, settings: &Settings, config: &Config) {
    const CHECK: &str = "smtp_tls_policy_maps";
    let tables = Table::all(settings);
    let listens = |endpoint: &Endpoint| config.listen.socketmap.contains(endpoint);
    let ours = tables.iter().position(|table| {
        table
            .outside(settings)
            .is_some_and(|endpoint| listens(&endpoint))
    });
    let line = line_to_add(settings, config);
    let Some(position) = ours else {
        let chroot_trap = tables
            .iter()
            .find(|table| !table.proxied && table.endpoint.as_ref().is_some_and(listens));
        match chroot_trap {
            Some(table) => findings.problem(
                "chroot",
                format!(
                    "{} is looked for inside the chroot {}, where it is not",
                    table.written,
                    settings.root().display()
                ),
                format!("smtp_tls_policy_maps = {line}; or put proxy: in front of it"),
            ),
            None if tables.iter().any(|table| table.map.is_some()) => findings.problem(
                CHECK,
                format!(
                    "smtp_tls_policy_maps = {}: hoplock does not listen there",
                    settings.get(CHECK)
                ),
                format!("in main.cf: smtp_tls_policy_maps = {line}"),
            ),
            None => findings.problem(
                CHECK,
                "Postfix does not ask hoplock",
                format!("add to main.cf: smtp_tls_policy_maps = {line}"),
            ),
        }
        return;
    };
    let Some(table) = tables.get(position) else {
        return;
    };
    if position > 0 {
        let before: Vec<&str> = tables
            .iter()
            .take(position)
            .map(|table| table.written.as_str())
            .collect();
        findings.problem(
            "map-order",
            format!("{} is asked before hoplock, and its word stands unchecked", before.join(", ")),
            "put hoplock's map first in smtp_tls_policy_maps, and make the exceptions rules of hoplock",
        );
    }
    if dialect(findings, table, settings, config) {
        ask(findings, table, settings);
    }
}

/// Whether the map's name is a profile that this Postfix understands; false where it is none.
fn dialect(findings: &mut Findings, table: &Table, settings: &Settings, config: &Config) -> bool {
    const CHECK: &str = "map-name";
    let name = table.map.clone().unwrap_or_default();
    let canonical = Profile::built_in(&name).map_or_else(|| name.clone(), |profile| profile.name);
    let Some(profile) = config
        .profiles
        .get(&canonical)
        .filter(|p| p.family == Family::Postfix)
    else {
        findings.problem(
            CHECK,
            format!("hoplock has no map {name:?} for Postfix: each query is answered TEMP"),
            format!(
                "in main.cf: smtp_tls_policy_maps = {}",
                line_to_add(settings, config)
            ),
        );
        return false;
    };
    let (major, minor, _) = settings.version();
    let speaks_reports = (profile.version.major, profile.version.minor) >= (3, 10);
    let knows_reports = (major, minor) >= (3, 10);
    match (speaks_reports, knows_reports) {
        // The version check has said so already.
        (true, false) => {}
        (false, true) => findings.advice(
            CHECK,
            format!("this Postfix {major}.{minor} also understands the map postfix310, which lets it report by TLSRPT"),
            "write postfix310 in place of postfix in smtp_tls_policy_maps",
        ),
        _ => findings.fine(CHECK, name),
    }
    true
}

/// Asks through Postfix's own client.
fn ask(findings: &mut Findings, table: &Table, settings: &Settings) {
    const CHECK: &str = "postmap";
    let map = table.map.clone().unwrap_or_default();
    let Some(endpoint) = table.outside(settings) else {
        return;
    };
    // From outside of the chroot, and without proxymap(8), which need not run.
    let asked = format!("socketmap:{endpoint}:{map}");
    match postmap(&asked, "localhost") {
        Ok(None) => findings.fine(CHECK, format!("{asked} answers")),
        Ok(Some(reply)) => findings.problem(
            CHECK,
            format!("{asked} says {reply:?} of localhost, which is no destination"),
            "is that hoplock? see [listen] socketmap",
        ),
        Err(error) => findings.problem(
            CHECK,
            format!("postmap -q localhost {asked}: {error}"),
            "start hoplock; the socket must be open to the user postfix ([listen] group, mode)",
        ),
    }
}

/// Ways around the map.
pub(super) fn bypasses(findings: &mut Findings, settings: &Settings) {
    let relay = settings.get("relayhost");
    if relay.is_empty() {
        findings.fine("relayhost", "none");
    } else {
        findings.problem(
            "relayhost",
            format!("relayhost = {relay}: hoplock is asked about the relay alone, and the way from there on is the relay's"),
            "remove relayhost where this machine may deliver by itself; else run hoplock at the relay",
        );
    }
    let transport = settings.get("default_transport");
    if transport == "smtp" || transport.is_empty() {
        findings.fine("default_transport", "smtp");
    } else {
        findings.problem(
            "default_transport",
            format!("default_transport = {transport}: mail leaves by another way than smtp(8) and its map"),
            "in main.cf: default_transport = smtp",
        );
    }
    for (service, parameter, value) in settings.overridden() {
        let bypass = match parameter.as_str() {
            "smtp_tls_policy_maps" => true,
            "smtp_tls_security_level" | "smtp_dns_support_level" => {
                settings.plain(parameter) != value
            }
            _ => false,
        };
        if bypass {
            findings.problem(
                "transport",
                format!("master.cf: the service {service} has -o {parameter}={value}: its mail goes by that alone"),
                "remove the override, or use the service for what hoplock shall not judge",
            );
        }
    }
    for parameter in [
        "transport_maps",
        "sender_dependent_default_transport_maps",
        "sender_dependent_relayhost_maps",
    ] {
        let value = settings.get(parameter);
        if !value.is_empty() {
            findings.advice(
                parameter,
                format!("{parameter} = {value}: what it redirects is asked about under the next hop that it names"),
                "nothing, where that is meant; `hoplock query '[relay.example]:587'` shows such an answer",
            );
        }
    }
}

/// What main.cf should say: the first socket that Postfix can reach.
fn line_to_add(settings: &Settings, config: &Config) -> String {
    let map = if settings.version() >= (3, 10, 0) {
        "postfix310"
    } else {
        "postfix"
    };
    let root = settings.root();
    let reachable = config
        .listen
        .socketmap
        .iter()
        .find_map(|endpoint| match endpoint {
            Endpoint::Inet(_) => Some(endpoint.to_string()),
            Endpoint::Unix(path) => {
                let inside = path.strip_prefix(&root).ok()?;
                Some(format!(
                    "unix:{}",
                    PathBuf::from("/").join(inside).display()
                ))
            }
            Endpoint::Systemd(_) => None,
        });
    let place = reachable.unwrap_or_else(|| "inet:127.0.0.1:8425".to_owned());
    format!("socketmap:{place}:{map}")
}
