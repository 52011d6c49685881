//! What must hold for queries to the zone; called by the fuzz target and by the replay of its corpus.

use std::time::Duration;

use hickory_proto::op::{Message, MessageType};
use hickory_proto::rr::Name;
use hoplock_policy::next_hop::NextHop;

use super::message::{Asked, Outgoing, Transport, ZONE, read};

/// The target `dns_query`: the bytes as a query, answered in each way that there is.
pub fn dns_query(bytes: &[u8]) {
    let zone = Name::from_ascii(ZONE).unwrap_or_else(|_| Name::root());
    let is_query = bytes.len() >= 12 && bytes.get(2).is_some_and(|flags| flags & 0x80 == 0);
    for (way, transport) in [
        (0, Transport::Udp),
        (1, Transport::Tcp),
        (2, Transport::Udp),
    ] {
        let outgoing = match read(bytes, &zone) {
            Asked::Nothing => {
                assert!(!is_query);
                return;
            }
            Asked::AtOnce(outgoing) => outgoing,
            Asked::Policy {
                destination,
                outgoing,
            } => {
                assert!(matches!(
                    NextHop::parse(&destination),
                    NextHop::Domain { .. } | NextHop::Service { .. }
                ));
                with_policy(way, outgoing)
            }
        };
        assert!(is_query);
        let code = outgoing.code();
        let Some(reply) = outgoing.bytes(transport) else {
            continue;
        };
        assert!(
            transport == Transport::Tcp || reply.len() <= 1232,
            "{}",
            reply.len()
        );
        // It goes to whoever asked, and is never taken for a question.
        assert_eq!(reply.get(..2), bytes.get(..2));
        let read = Message::from_vec(&reply);
        assert!(read.is_ok(), "{reply:?}");
        let Ok(read) = read else { return };
        assert_eq!(read.metadata.message_type, MessageType::Response);
        if code != "NOERROR" {
            assert!(read.answers.is_empty(), "{code}");
        }
    }
}

/// With a short policy, a long one, or none.
fn with_policy(way: usize, outgoing: Outgoing) -> Outgoing {
    let words = ["enforce".to_owned(), "a".repeat(255), "b".repeat(256)];
    match way {
        0 => outgoing.with_policy(&words, Duration::MAX),
        1 => outgoing.with_policy(&vec!["a".repeat(255); 20], Duration::ZERO),
        _ => outgoing.failed(&"ü".repeat(4000)),
    }
}
