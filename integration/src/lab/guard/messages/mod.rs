//! Messages of odd shape, the same ones each time: every kind of header with every kind of body.
//!
//! What they are made of is random from a fixed seed; a message is known again by its number.

mod bodies;
mod headers;
mod text;

use fastrand::Rng;

/// One message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Message {
    pub(super) number: usize,
    /// Its header and its body, in words.
    pub(super) kind: String,
    /// As a client has it, before dots are doubled.
    pub(super) octets: Vec<u8>,
    /// What a mail server may refuse it for.
    pub(super) may_be_refused_for: Option<&'static str>,
    /// The client says that there are octets beyond ASCII.
    pub(super) says_8bit: bool,
    /// By BDAT, where that is offered (RFC 3030).
    pub(super) by_chunks: bool,
}

/// A header or a body.
struct Part {
    octets: Vec<u8>,
    may_be_refused_for: Option<&'static str>,
}

impl Part {
    fn new(octets: impl Into<Vec<u8>>) -> Self {
        Self {
            octets: octets.into(),
            may_be_refused_for: None,
        }
    }

    fn refusable(octets: impl Into<Vec<u8>>, reason: &'static str) -> Self {
        Self {
            octets: octets.into(),
            may_be_refused_for: Some(reason),
        }
    }
}

/// A kind of header or body: its words, and how it is made.
type Kind = (&'static str, fn(&mut Rng) -> Part);

/// So many of them. Each kind of header meets each kind of body as early as can be.
pub(super) fn messages(count: usize) -> Vec<Message> {
    (0..count).map(message).collect()
}

fn message(number: usize) -> Message {
    let mut random = Rng::with_seed(SEED.wrapping_add(u64::try_from(number).unwrap()));
    let (head, body) = (
        headers::KINDS[number % headers::KINDS.len()],
        bodies::KINDS[number / headers::KINDS.len() % bodies::KINDS.len()],
    );
    let (of_head, of_body) = (head.1(&mut random), body.1(&mut random));
    let mut octets = of_head.octets;
    octets.extend_from_slice(&of_body.octets);
    let is_8bit = !octets.is_ascii();
    // What stands before the first empty line, even where it is no header.
    let has_large_header = !octets.starts_with(b"\r\n") && header_length(&octets) > LARGE;
    Message {
        number,
        kind: format!("{} / {}", head.0, body.0),
        octets,
        may_be_refused_for: of_head
            .may_be_refused_for
            .or(of_body.may_be_refused_for)
            .or(has_large_header.then_some(LARGE_HEADER)),
        says_8bit: is_8bit && random.bool(),
        by_chunks: random.u8(..4) == 0,
    }
}

fn header_length(octets: &[u8]) -> usize {
    let end = octets.windows(4).position(|window| window == b"\r\n\r\n");
    end.unwrap_or(octets.len())
}

/// Where all begins.
const SEED: u64 = 84_617_672;

/// A line that ends in CR or LF alone.
const BARE: &str = "a bare CR or LF";
/// NUL in it.
const NUL: &str = "NUL";
/// More header than some take: Sendmail by default 32,768 octets.
const LARGE_HEADER: &str = "a large header";
const LARGE: usize = 30_000;

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn they_are_always_the_same() {
        assert_eq!(messages(400), messages(400));
    }

    #[test]
    fn each_header_meets_each_body() {
        let all = messages(1000);
        let kinds: BTreeSet<&str> = all.iter().map(|message| message.kind.as_str()).collect();
        assert_eq!(kinds.len(), headers::KINDS.len() * bodies::KINDS.len());
        let octets: BTreeSet<&[u8]> = all.iter().map(|own| own.octets.as_slice()).collect();
        assert!(octets.len() > 950, "only {} differ", octets.len());
    }

    /// What may be refused has what it may be refused for, and nothing else has.
    #[test]
    fn what_may_be_refused_is_told() {
        for message in messages(1000) {
            let octets = &message.octets;
            let has_bare = octets.iter().enumerate().any(|(at, octet)| match octet {
                b'\n' => at == 0 || octets[at - 1] != b'\r',
                b'\r' => octets.get(at + 1) != Some(&b'\n'),
                _ => false,
            });
            let is_large = !octets.starts_with(b"\r\n") && header_length(octets) > LARGE;
            let reason = message.may_be_refused_for;
            let words = format!("{} {}", message.number, message.kind);
            assert_eq!(
                reason.is_some(),
                has_bare || octets.contains(&0) || is_large,
                "{words}"
            );
        }
    }

    /// A dot that ends the message early would hand in the rest as commands.
    #[test]
    fn no_message_ends_early() {
        for message in messages(1000) {
            for end in [&b"\n.\n"[..], b"\r.\r", b"\n.\r\n", b"\r.\n"] {
                let mut windows = message.octets.windows(end.len()).enumerate();
                let early = windows.find(|(at, window)| {
                    // CR LF before it: the client doubles that dot.
                    *window == end
                        && !(end == b"\n.\r\n" && *at > 0 && message.octets[at - 1] == b'\r')
                });
                assert!(early.is_none(), "{} {}", message.number, message.kind);
            }
        }
    }
}
