//! Which TLSA records bind a host, and which of them are usable.

use crate::{Answer, Data, Name, Pins, Type, World};
use std::net::IpAddr;

/// Usage, selector, matching type and data.
pub type TlsaRecord = (u8, u8, u8, Vec<u8>);

plain_data! {
    /// What DNS says of a host: usable records (before digest agility); secure ones, none usable; proof of none; host or records in unsigned space; their
    /// lookup, or that of the alias that places them, failed; that of addresses did; no address.
    pub enum State { Usable(Vec<TlsaRecord>), Unusable, NoneSecure, NoneInsecure,
        Failed, AddressFailed, Unreachable }
}

/// The state of a host for a session on `port`, and its TLSA base domain. The switches of profile
/// F are for records that are pushed; by its own lookups Postfix judges by its own (TU-03).
pub(crate) fn host_state(
    world: &World,
    host: &str,
    port: u16,
    believed: bool,
    pins: Option<&Pins>,
) -> (State, Option<Name>) {
    let (bases, mut state) = base_candidates(world, host, believed);
    for base in bases {
        let owner = format!("_{port}._tcp.{base}"); // RFC 6698, 3; TB-02
        match world.follow(&owner, Type::Tlsa, believed, vec![]) {
            // RFC 7672, 2.1.2; TB-04: no second candidate
            Answer::Failed => return (State::Failed, None),
            Answer::Records { secure: true, data, .. } => {
                let usable: Vec<_> = data.iter().filter_map(|at| usable(at, pins)).collect();
                let none = usable.is_empty();
                return (if none { State::Unusable } else { State::Usable(usable) }, Some(base));
            }
            Answer::NoData { secure: true, .. } | Answer::NxDomain { secure: true, .. } => {}
            _ => state = State::NoneInsecure, // RFC 7672, 2.2; TB-08: even if there are records
        }
    }
    (state, None)
}

/// The TLSA base domains to try, in order, and the host's state if none of them has records.
fn base_candidates(world: &World, host: &str, believed: bool) -> (Vec<Name>, State) {
    let ask = |record_type| world.follow(host, record_type, believed, vec![]);
    let answers = [ask(Type::A), ask(Type::Aaaa)];
    let addresses = answers.iter().find_map(|answer| match answer {
        Answer::Records { secure, aliases, .. } => Some((*secure, aliases.last())),
        _ => None, // TB-12: one family is enough, whatever became of the other
    });
    let original = host.to_owned();
    match addresses {
        _ if host.parse::<IpAddr>().is_ok() => (vec![], State::NoneInsecure), // MX-21
        None if answers.contains(&Answer::Failed) => (vec![], State::AddressFailed), // MX-13
        None => (vec![], State::Unreachable),                                 // MX-14
        Some((true, None)) => (vec![original], State::NoneSecure),
        // RFC 7672, 2.2.2; TB-03, TB-06: expanded name first, original second, nothing between
        Some((true, Some(expanded))) => (vec![expanded.clone(), original], State::NoneSecure),
        Some((false, None)) => (vec![], State::NoneInsecure), // RFC 7672, 2.2.2; TB-01
        Some((false, Some(_))) => match ask(Type::Cname) {
            Answer::Failed => (vec![], State::Failed),
            Answer::Records { secure: true, .. } => (vec![original], State::NoneSecure), // TB-05
            _ => (vec![], State::NoneInsecure),
        },
    }
}

/// RFC 7672, 3.1; TU-01 to TU-06: DANE-TA and DANE-EE with well-formed data.
fn usable(data: &Data, pins: Option<&Pins>) -> Option<TlsaRecord> {
    let Data::Tlsa(rdata) = data else { return None };
    let [usage, selector, matching, data @ ..] = rdata.as_slice() else { return None };
    let usage = match (usage, pins) {
        // TU-03: a digest of a CA is of use to who knows every CA
        (0, Some(pins)) if pins.map_pkix_usages && (*matching == 0 || pins.all_anchors_known) => 2,
        (1, Some(pins)) if pins.map_pkix_usages => 3,
        _ => *usage,
    };
    let usable = match (usage, selector, matching) {
        (2 | 3, 0 | 1, 0) => is_sequence(data),
        (2 | 3, 0 | 1, 1) => data.len() == 32,
        (2 | 3, 0 | 1, 2) => data.len() == 64,
        _ => false,
    };
    // TU-08, OP-04: switched off is unusable, not absent
    let off =
        |pins: &Pins| !pins.digests.contains(matching) || usage == 2 && !pins.trust_anchor_digests;
    let off = *matching != 0 && pins.is_some_and(off);
    (usable && !off).then(|| (usage, *selector, *matching, data.to_vec()))
}

/// A shallow stand-in for "a parsable certificate or key" (TU-06): both are a DER SEQUENCE that
/// fills the data to its end and is not empty. What is inside it is not looked at.
fn is_sequence(data: &[u8]) -> bool {
    let (length, content) = match data {
        [0x30, 0x81, length, content @ ..] => (u16::from(*length), content),
        [0x30, 0x82, high, low, content @ ..] => (u16::from_be_bytes([*high, *low]), content),
        [0x30, length, content @ ..] if *length < 0x80 => (u16::from(*length), content),
        _ => return false, // X.690, 10.1: indefinite; or longer than any RDATA
    };
    !content.is_empty() && usize::from(length) == content.len()
}
