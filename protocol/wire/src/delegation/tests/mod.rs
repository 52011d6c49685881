//! What the tests of policy delegation share, and anything at all.
#![allow(clippy::unwrap_used, reason = "tests")]

mod actions;
mod requests;

use proptest::collection::vec;
use proptest::prelude::{any, prop_assert_eq, proptest};

use super::*;

/// What was found in a stream that comes in these pieces, shown as text, and the most bytes that had
/// to be kept.
fn read<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> (Vec<String>, usize) {
    let mut decoder = Decoder::new();
    let (mut found, mut buffer, mut most) = (Vec::new(), Vec::new(), 0);
    for piece in pieces {
        buffer.extend_from_slice(piece);
        loop {
            let step = decoder.decode(&buffer);
            let consumed = step.consumed;
            let next = step.found.map(|found| format!("{found:?}"));
            buffer.drain(..consumed);
            match next {
                Some(next) => found.push(next),
                None => break,
            }
        }
        most = most.max(buffer.len());
    }
    (found, most)
}

proptest! {
    /// However the bytes are cut, the same requests come out.
    #[test]
    fn splits_change_nothing(
        text in "((request=smtpd_access_policy|recipient=r@a.test|x|=|\\x00)?\r?\n){0,12}",
        cuts in vec(1_usize..9, 0..40),
    ) {
        let bytes = text.as_bytes();
        let mut pieces = Vec::new();
        let mut rest = bytes;
        for cut in cuts {
            let (piece, behind) = rest.split_at(cut.min(rest.len()));
            pieces.push(piece);
            rest = behind;
        }
        pieces.push(rest);
        prop_assert_eq!(read(pieces).0, read([bytes]).0);
    }

    /// Any bytes pass the checks of the fuzz target.
    #[test]
    fn any_bytes(bytes in vec(any::<u8>(), 0..200)) {
        crate::fuzzing::delegation(&bytes);
    }
}
