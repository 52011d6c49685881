//! What the attacker publishes himself.

use hoplock_model::{Answer, Data, Type};

use super::internet::{ATTACKER, ATTACKERS_KEY};

/// The attacker's own zone is signed, and his host has keys of his own: whoever is led there by an
/// insecure MX set finds everything in order.
pub(super) fn attackers(name: &str, record_type: Type) -> Answer {
    let aliases = Vec::new();
    let data = match record_type {
        Type::A if name == ATTACKER => Some(Data::A),
        Type::Tlsa if name == format!("_25._tcp.{ATTACKER}") => {
            Some(Data::Tlsa(super::records::end_entity(ATTACKERS_KEY)))
        }
        _ => None,
    };
    match data {
        Some(data) => Answer::Records {
            secure: true,
            data: vec![data],
            aliases,
        },
        None if name == ATTACKER => Answer::NoData {
            secure: true,
            aliases,
        },
        None => Answer::NxDomain {
            secure: true,
            aliases,
        },
    }
}
