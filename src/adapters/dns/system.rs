//! The name servers that the system is configured with. Search lists are never used (MX-19).

use std::net::SocketAddr;
use std::path::Path;

use hickory_resolver::config::ResolverConfig;
use hickory_resolver::system_conf::{parse_resolv_conf, read_system_conf};

/// The servers of resolv.conf, in order.
///
/// # Errors
/// Words, where the file cannot be read.
pub fn servers() -> Result<Vec<SocketAddr>, String> {
    let (config, _) = read_system_conf().map_err(|error| error.to_string())?;
    Ok(addresses(&config))
}

/// The servers of another file of that kind, in order.
///
/// # Errors
/// Words, where the file cannot be read.
pub fn servers_of(file: &Path) -> Result<Vec<SocketAddr>, String> {
    #[allow(
        clippy::disallowed_methods,
        reason = "adapters read the system's files"
    )]
    let text = std::fs::read(file).map_err(|error| error.to_string())?;
    servers_in(&text)
}

/// The text of resolv.conf, where it can be read.
#[must_use]
pub fn resolv_conf() -> Option<String> {
    #[allow(
        clippy::disallowed_methods,
        reason = "adapters read the system's files"
    )]
    let text = std::fs::read("/etc/resolv.conf").ok()?;
    Some(String::from_utf8_lossy(&text).into_owned())
}

/// The servers that such a text names, in order.
pub(super) fn servers_in(text: &[u8]) -> Result<Vec<SocketAddr>, String> {
    let (config, _) = parse_resolv_conf(text).map_err(|error| error.to_string())?;
    Ok(addresses(&config))
}

fn addresses(config: &ResolverConfig) -> Vec<SocketAddr> {
    let servers = config.name_servers().iter();
    let mut addresses: Vec<SocketAddr> = servers
        .map(|server| {
            let port = server
                .connections
                .first()
                .map_or(DNS, |connection| connection.port);
            SocketAddr::new(server.ip, port)
        })
        .collect();
    addresses.dedup();
    addresses
}

const DNS: u16 = 53;
