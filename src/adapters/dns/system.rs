//! The name servers that the system is configured with. Search lists are never used (MX-19).

use std::net::SocketAddr;

use hickory_resolver::system_conf::read_system_conf;

/// The servers of resolv.conf, in order.
///
/// # Errors
/// Words, where the file cannot be read.
pub fn servers() -> Result<Vec<SocketAddr>, String> {
    let (config, _) = read_system_conf().map_err(|error| error.to_string())?;
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
    Ok(addresses)
}

const DNS: u16 = 53;
