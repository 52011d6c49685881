//! hoplock's own side: configuration, daemon, resolver, roots, datagrams, state, clock.

use std::collections::BTreeSet;
use std::io::ErrorKind;
use std::path::Path;
use std::time::Duration;

use hoplock_policy::findings::Validation;
use serde_json::Value;
use tokio::time::sleep;

use super::super::control::{Daemon, Unreachable, get};
use super::super::engine::{Loaded, state_folder};
use super::super::status::{list, text};
use super::{ConfigFile, Findings, alarms};
use crate::adapters::clock::SystemClock;
use crate::adapters::dns::{DnsStub, self_test};
use crate::adapters::https::HttpsFetcher;
use crate::config::{Config, Severity};
use crate::serve::engine::{dns_options, fetch_options, servers};
use crate::store::sqlite;
use crate::world::{Clock as _, EARLIEST};

/// Complaints about the configuration; `None` where it cannot be used.
pub(super) fn configuration(findings: &mut Findings, loaded: &Loaded) -> Option<Config> {
    for complaint in &loaded.complaints {
        let cure = "mend that line; `hoplock config check` shows all";
        match complaint.severity {
            Severity::Error => findings.problem("configuration", complaint.to_string(), cure),
            Severity::Warning => findings.advice("configuration", complaint.to_string(), cure),
        }
    }
    if loaded.complaints.is_empty() {
        findings.fine("configuration", format!("{}: no complaints", loaded.source));
    }
    loaded.config.clone()
}

/// Whether it runs, and with which name servers; its status, for its alarms.
pub(super) async fn daemon(
    findings: &mut Findings,
    file: &ConfigFile,
    config: &Config,
) -> Option<Value> {
    let daemon = match Daemon::of(file) {
        Ok(daemon) => daemon,
        Err((why, _)) => {
            findings.advice("daemon", why, "name a unix socket in [listen] control");
            return None;
        }
    };
    let response = match get(daemon.socket(), "/api/v1/status").await {
        Ok(response) => response,
        Err(why @ Unreachable::Forbidden { .. }) => {
            findings.advice("daemon", why.to_string(), AS_ROOT);
            return None;
        }
        Err(why) => {
            let cure = "start it: systemctl start hoplock";
            findings.problem("daemon", why.to_string(), cure);
            return None;
        }
    };
    let status: Value = serde_json::from_str(&response.body).unwrap_or_default();
    let version = text(&status, "/version");
    findings.fine("daemon", format!("hoplock {version} runs"));
    if version != env!("CARGO_PKG_VERSION") {
        findings.advice(
            "daemon-version",
            format!(
                "the daemon is hoplock {version}, and this is {}",
                env!("CARGO_PKG_VERSION")
            ),
            "systemctl restart hoplock",
        );
    }
    let asked: BTreeSet<String> = list(&status, "/resolver/servers")
        .iter()
        .map(|server| text(server, "/address"))
        .collect();
    let configured = servers(config).iter().map(ToString::to_string).collect();
    if asked != configured {
        let words = |set: &BTreeSet<String>| set.iter().cloned().collect::<Vec<_>>().join(", ");
        findings.advice(
            "daemon-resolver",
            format!(
                "the daemon asks {}, and the configuration says {}",
                words(&asked),
                words(&configured)
            ),
            "systemctl restart hoplock: name servers are taken at the start only",
        );
    }
    Some(status)
}

/// The daemon's status once it has looked at what was changed a moment ago, or after some seconds as it is.
pub(super) async fn settled(findings: &Findings, file: &ConfigFile, status: Value) -> Value {
    let mut status = status;
    for _ in 0..LOOKS {
        if !alarms::may_pass(findings, &status) {
            break;
        }
        sleep(BETWEEN_LOOKS).await;
        let Ok(daemon) = Daemon::of(file) else { break };
        if let Ok(response) = get(daemon.socket(), "/api/v1/status").await {
            status = serde_json::from_str(&response.body).unwrap_or(status);
        }
    }
    status
}

/// Whether the resolvers validate, and are believed.
pub(super) async fn resolver(findings: &mut Findings, config: &Config) {
    let servers = servers(config);
    let cure = "install a validating resolver (apt install unbound) and name 127.0.0.1 alone, in \
                /etc/resolv.conf or in [dns] servers";
    if servers.is_empty() {
        findings.problem("resolver", "no name server is configured", cure);
        return;
    }
    let stub = DnsStub::new(dns_options(config), &servers);
    self_test::test(&stub).await;
    if config.dns.self_test.is_none() {
        findings.advice(
            "resolver",
            "the self-test is switched off: whether the resolver validates is not known",
            "[dns] self_test = \"com.\"",
        );
    }
    for server in stub.report() {
        let address = server.address;
        match server.validation {
            Validation::Validating => {
                findings.fine("resolver", format!("{address} validates DNSSEC"));
            }
            Validation::NotValidating => findings.problem(
                "resolver",
                format!("{address} does not validate DNSSEC"),
                cure,
            ),
            Validation::Unknown if config.dns.self_test.is_none() => {}
            Validation::Unknown => findings.problem(
                "resolver",
                format!("{address} does not answer the self-test"),
                format!("dig +dnssec SOA com @{}; {cure}", address.ip()),
            ),
        }
    }
    if !stub.believes() {
        findings.problem(
            "resolver-trust",
            "the resolver's word on DNSSEC is not believed: it is not on this machine, or is a \
             forwarder",
            format!("{cure}; where the path to it is protected, [dns] trust = \"always\""),
        );
    }
}

/// Whether policy hosts can be verified at all.
pub(super) fn roots(findings: &mut Findings, config: &Config) {
    let dns = DnsStub::new(dns_options(config), &[]);
    match HttpsFetcher::new(dns, fetch_options(config)) {
        Ok(fetcher) if fetcher.roots() > 0 => findings.fine(
            "roots",
            format!(
                "{} certificates vouch for MTA-STS policy hosts",
                fetcher.roots()
            ),
        ),
        Ok(_) => findings.problem(
            "roots",
            "no root certificate is installed: no MTA-STS policy can be fetched",
            "apt install ca-certificates",
        ),
        Err(error) => findings.problem("roots", error.to_string(), "mend [sts] roots"),
    }
}

/// Whether the kernel holds back as many datagrams as mail servers send at once: libtlsrpt does not
/// wait, so what finds no room is a session that nobody counts.
pub(super) fn datagrams(findings: &mut Findings, config: &Config) {
    if !config.listen.tlsrpt.is_empty() {
        queue(findings, read_number(DATAGRAMS));
    }
}

fn queue(findings: &mut Findings, length: Option<u64>) {
    const CHECK: &str = "datagrams";
    match length {
        Some(length) if length >= ENOUGH_DATAGRAMS => findings.fine(
            CHECK,
            format!("the kernel holds {length} datagrams of mail servers until they are read"),
        ),
        Some(length) => findings.advice(
            CHECK,
            format!(
                "the kernel holds {length} datagrams only: what mail servers report beyond that at one \
                 moment is lost"
            ),
            format!(
                "write \"net.unix.max_dgram_qlen = {ENOUGH_DATAGRAMS}\" into /etc/sysctl.d/hoplock.conf; \
                 sysctl --system; then systemctl restart hoplock, since a socket keeps the length that \
                 it began with"
            ),
        ),
        None => findings.advice(
            CHECK,
            format!("{DATAGRAMS} cannot be read: how many datagrams the kernel holds is not known"),
            "sysctl net.unix.max_dgram_qlen says it where that is possible",
        ),
    }
}

#[allow(clippy::disallowed_methods, reason = "doctor looks at the kernel")]
fn read_number(path: &str) -> Option<u64> {
    std::fs::read_to_string(path).ok()?.trim().parse().ok()
}

/// The state file, and the clock against what it has seen.
pub(super) fn state(findings: &mut Findings, config: &Config) {
    let path = config.state_file(&state_folder());
    let now = SystemClock::new().now().wall;
    if now < EARLIEST {
        findings.problem(
            "clock",
            "the clock of this machine stands before this version of hoplock was made",
            "set the clock: timedatectl set-ntp true",
        );
    }
    match can_read(&path) {
        Ok(()) => {}
        Err(ErrorKind::PermissionDenied) => {
            let what = format!("{} is not open to this user", path.display());
            findings.advice("state", what, AS_ROOT);
            return;
        }
        Err(ErrorKind::NotFound) => {
            findings.advice(
                "state",
                format!("there is no state file {} yet", path.display()),
                "it is made when the daemon starts; [store] path says where it is",
            );
            return;
        }
        // Told below, in the words of the store.
        Err(_) => {}
    }
    match sqlite::inspect(&path) {
        Ok(inspected) => {
            findings.fine(
                "state",
                format!(
                    "{} is sound: {} policies{}",
                    path.display(),
                    inspected.policies,
                    if has_more(&path) {
                        ", and what its daemon wrote since, in its write-ahead log"
                    } else {
                        ""
                    }
                ),
            );
            if inspected.latest > now {
                findings.problem(
                    "clock",
                    "the clock of this machine runs behind what the state file has seen",
                    "set the clock: timedatectl set-ntp true",
                );
            } else if now >= EARLIEST {
                findings.fine("clock", "the clock runs ahead of all that is remembered");
            }
        }
        Err(error) => findings.problem("state", error.to_string(), "see above"),
    }
}

/// True where a daemon that runs has written more than the file itself holds.
#[allow(clippy::disallowed_methods, reason = "doctor looks at the state file")]
fn has_more(path: &Path) -> bool {
    let mut log = path.as_os_str().to_owned();
    log.push("-wal");
    std::fs::metadata(log).is_ok_and(|own| own.len() > 0)
}

#[allow(clippy::disallowed_methods, reason = "doctor looks at the state file")]
fn can_read(path: &Path) -> Result<(), ErrorKind> {
    let opened = std::fs::File::open(path);
    opened.map(drop).map_err(|error| error.kind())
}

/// The cure of what only this user cannot see.
pub(super) const AS_ROOT: &str = "run doctor as root";
/// How many datagrams wait for a reader, for each socket.
const DATAGRAMS: &str = "/proc/sys/net/unix/max_dgram_qlen";
/// What systemd sets at boot; bare kernels have 10.
const ENOUGH_DATAGRAMS: u64 = 512;

/// The daemon's own look takes a second or two.
const BETWEEN_LOOKS: Duration = Duration::from_millis(500);
/// Five seconds of them.
const LOOKS: usize = 10;

#[cfg(test)]
mod tests {
    use super::super::State;
    use super::*;

    /// A queue of a bare kernel is told of, with the line that mends it, where it matters.
    #[test]
    fn short_queues_are_told_of() {
        for (length, state, word) in [
            (Some(512), State::Fine, "512"),
            (Some(4_096), State::Fine, "4096"),
            (Some(10), State::Advice, "max_dgram_qlen = 512"),
            (None, State::Advice, "sysctl net.unix.max_dgram_qlen"),
        ] {
            let mut findings = Findings::default();
            queue(&mut findings, length);
            let [finding] = &findings.0[..] else {
                panic!("{:?}", findings.0);
            };
            let words = format!("{} {}", finding.what, finding.cure);
            assert_eq!(finding.state, state, "{words}");
            assert!(words.contains(word), "{words}");
        }
        let mut findings = Findings::default();
        let with = Config::parse("[listen]\ntlsrpt = [\"unix:/run/tlsrpt\"]", &[]);
        datagrams(&mut findings, &with.0.unwrap());
        assert_eq!(findings.0.len(), 1);
        datagrams(&mut findings, &Config::default());
        assert_eq!(findings.0.len(), 1);
    }
}
