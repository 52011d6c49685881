//! Addresses of a host that we ask something over HTTPS: looked up by ourselves, few, and none that is
//! refused.

use std::net::{IpAddr, Ipv4Addr};

use hoplock_policy::dns::{Answer, Question, RecordData, RecordType};
use hoplock_policy::name::DomainName;

use super::exchange::Peer;
use crate::world::{FetchFailure, FetchFailureKind, Resolver};

/// The addresses of a name.
pub(in crate::adapters) async fn of_name(
    resolver: &dyn Resolver,
    peer: Peer<'_>,
    host: &DomainName,
    refuse_private: bool,
) -> Result<Vec<IpAddr>, FetchFailure> {
    let ask = |record_type| resolver.lookup(Question::new(host.clone(), record_type));
    let (aaaa, a) = tokio::join!(ask(RecordType::Aaaa), ask(RecordType::A));
    let mut addresses: Vec<IpAddr> = Vec::new();
    let mut words = Vec::new();
    for reply in [aaaa, a] {
        match &reply.answer {
            Answer::Records { data, .. } => addresses.extend(data.iter().filter_map(address)),
            Answer::NoData(_) | Answer::NxDomain(_) => {}
            Answer::Failed(failure) => {
                words.push(format!(
                    "{}: {}",
                    reply.question.record_type, failure.detail
                ));
            }
        }
    }
    if addresses.is_empty() {
        let why = if words.is_empty() {
            "no address".to_owned()
        } else {
            words.join("; ")
        };
        return Err(peer.failure(FetchFailureKind::Lookup, why));
    }
    let mut addresses = allowed(addresses, peer, refuse_private)?;
    addresses.truncate(ADDRESSES);
    Ok(addresses)
}

/// Those that may be connected to; a failure where that is none.
pub(in crate::adapters) fn allowed(
    mut addresses: Vec<IpAddr>,
    peer: Peer<'_>,
    refuse_private: bool,
) -> Result<Vec<IpAddr>, FetchFailure> {
    if refuse_private {
        addresses.retain(|address| !is_private(*address));
        if addresses.is_empty() {
            let words = format!("{peer} has private addresses only");
            return Err(super::failure(FetchFailureKind::Refused, &words));
        }
    }
    Ok(addresses)
}

fn address(record: &RecordData) -> Option<IpAddr> {
    match record {
        RecordData::A(address) => Some(IpAddr::V4(*address)),
        RecordData::Aaaa(address) => Some(IpAddr::V6(*address)),
        _ => None,
    }
}

fn is_private(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => {
            v4.is_loopback()
                || v4.is_private()
                || v4.is_link_local()
                || v4.is_unspecified()
                || v4.is_broadcast()
                || v4.is_multicast()
                || is_of_nobody(v4)
        }
        IpAddr::V6(v6) => match v6.to_ipv4_mapped().or_else(|| translated(v6.segments())) {
            Some(v4) => is_private(IpAddr::V4(v4)),
            None => {
                v6.is_loopback()
                    || v6.is_unspecified()
                    || v6.is_multicast()
                    || v6.is_unique_local()
                    || v6.is_unicast_link_local()
            }
        },
    }
}

/// This network (RFC 1122, 3.2.1.3), and what providers share among customers (RFC 6598).
fn is_of_nobody(address: Ipv4Addr) -> bool {
    let [first, second, ..] = address.octets();
    first == 0 || (first == 100 && second & 0xc0 == 64)
}

/// The IPv4 address that a translator would connect to for one of its IPv6 addresses (RFC 6052, 2.1).
fn translated(segments: [u16; 8]) -> Option<Ipv4Addr> {
    match segments {
        [0x64, 0xff9b, 0, 0, 0, 0, high, low] => {
            let bits = u32::from(high) << 16 | u32::from(low);
            Some(Ipv4Addr::from_bits(bits))
        }
        _ => None,
    }
}

/// Addresses tried for one host; more are of no use within a minute.
const ADDRESSES: usize = 6;

#[cfg(test)]
mod tests {
    use super::*;

    /// ST-29: what is not of the public network.
    #[test]
    fn private_addresses() {
        for text in [
            "127.0.0.1",
            "10.1.2.3",
            "172.16.0.1",
            "192.168.0.1",
            "169.254.169.254",
            "0.0.0.0",
            "0.1.2.3",
            "100.64.0.1",
            "100.127.255.255",
            "255.255.255.255",
            "224.0.0.1",
            "::",
            "::1",
            "::ffff:10.0.0.1",
            "64:ff9b::7f00:1",
            "fc00::1",
            "fe80::1",
            "ff02::1",
        ] {
            assert!(is_private(text.parse().unwrap()), "{text}");
        }
        for text in [
            "192.0.2.1",
            "100.63.0.1",
            "100.128.0.1",
            "1.0.0.1",
            "::ffff:192.0.2.1",
            "64:ff9b::c000:201",
            "2001:db8::1",
        ] {
            assert!(!is_private(text.parse().unwrap()), "{text}");
        }
    }
}
