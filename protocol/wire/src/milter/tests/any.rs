//! Anything at all.

use proptest::collection::vec;
use proptest::prelude::{Strategy, any, prop_assert_eq, proptest};

use super::*;

/// Any command that a mail server can send.
fn command() -> impl Strategy<Value = Vec<u8>> {
    let octets = || vec(any::<u8>(), 0..12);
    let letters = "[ABCDEHKLMNOQRTU]";
    (letters, octets(), octets(), any::<bool>()).prop_map(|(letter, first, second, ends)| {
        let command = letter.bytes().next().unwrap_or_default();
        let mut data = [first, vec![0], second].concat();
        if ends {
            data.push(0);
        }
        let mut out = Vec::new();
        packet::encode(command, &data, &mut out);
        out
    })
}

proptest! {
    /// However a conversation is cut, the same comes out; and all of it passes the checks of the fuzz
    /// target.
    #[test]
    fn splits_change_nothing(
        first in any::<u8>(),
        commands in vec(command(), 0..20),
        size in 1_usize..40,
    ) {
        let mut stream = packets(&[everything(), mail()]);
        stream.extend(commands.concat());
        let whole = talk(wish("all", Interest::Decide), [&stream[..]]);
        let cut = talk(wish("all", Interest::Decide), stream.chunks(size));
        prop_assert_eq!(whole, cut);
        crate::fuzzing::milter(&[&[first], &stream[..]].concat());
    }

    /// Any bytes pass the checks of the fuzz target.
    #[test]
    fn any_bytes(bytes in vec(any::<u8>(), 0..200)) {
        crate::fuzzing::milter(&bytes);
    }
}
