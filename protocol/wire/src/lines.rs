//! Lines in a growing buffer: the frame around session reports, and around the lines of a log.
//!
//! A line ends with LF; a CR before it belongs to the ending. Blank lines are passed over and
//! counted. A line over the limit is told once, as soon as it is over, and skipped to its end: it
//! harms no line behind it (SV-11). Not done here: what a line means.

/// Finds lines at the front of a buffer that the caller owns and fills.
///
/// ```
/// use hoplock_wire::lines::{Found, LineFramer};
///
/// let mut framer = LineFramer::new(8);
/// let input = b"one\n\nfar too long\nth";
///
/// let step = framer.decode(input);
/// assert_eq!(step.found, Some(Found::Line { number: 1, bytes: b"one" }));
/// let input = &input[step.consumed..];
///
/// let step = framer.decode(input);
/// assert_eq!(step.found, Some(Found::Overlong { number: 3 }));
/// let input = &input[step.consumed..];
///
/// let step = framer.decode(input);
/// assert_eq!((step.found, step.consumed), (None, 0));
/// let step = framer.decode(b"three\n");
/// assert_eq!(step.found, Some(Found::Line { number: 4, bytes: b"three" }));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LineFramer {
    limit: usize,
    /// Lines that ended or passed the limit.
    number: u64,
    /// Inside a line that was told to be overlong.
    skipping: bool,
    /// How many bytes at the front of the buffer are known to hold no LF: without it, a sender of
    /// single bytes would make each of them cost the whole line.
    searched: usize,
}

/// What one look at the buffer came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Step<'a> {
    /// How many bytes the caller must now take off the front of its buffer, whether anything was
    /// found or not.
    pub consumed: usize,
    /// What was found. Where it is `None`, nothing more is in these bytes: read on.
    pub found: Option<Found<'a>>,
}

/// One line, or what is left to be said of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Found<'a> {
    /// A line within the limit that is not blank.
    Line {
        /// Its number, from 1; blank and overlong lines count.
        number: u64,
        /// The line without its ending.
        bytes: &'a [u8],
    },
    /// A line longer than the limit. Its rest is skipped; answer with an error and go on.
    Overlong {
        /// Its number, from 1.
        number: u64,
    },
}

impl LineFramer {
    /// A framer at the start of a stream whose lines may have `limit` bytes without their ending.
    #[must_use]
    pub fn new(limit: usize) -> Self {
        Self {
            limit,
            number: 0,
            skipping: false,
            searched: 0,
        }
    }

    /// Takes at most one line off the front of `input`.
    ///
    /// After the first [`Step`] without a find, call again with what was not consumed and more
    /// bytes behind it. What is not consumed has at most `limit` bytes and a CR.
    pub fn decode<'a>(&mut self, input: &'a [u8]) -> Step<'a> {
        let mut consumed = 0;
        loop {
            let rest = input.get(consumed..).unwrap_or_default();
            let unknown = rest.get(self.searched..).unwrap_or(rest);
            let end = unknown.iter().position(|byte| *byte == b'\n');
            let Some(end) = end else {
                return self.without_end(rest, consumed);
            };
            let end = rest.len() - unknown.len() + end;
            consumed += end + 1;
            self.searched = 0;
            if self.skipping {
                self.skipping = false;
                continue;
            }
            let line = rest.get(..end).unwrap_or_default();
            if let Some(found) = self.judge(line.strip_suffix(b"\r").unwrap_or(line)) {
                let found = Some(found);
                return Step { consumed, found };
            }
        }
    }

    /// The last line, where the stream ends without an LF; `rest` is what was not consumed.
    pub fn finish<'a>(&mut self, rest: &'a [u8]) -> Option<Found<'a>> {
        self.searched = 0;
        if self.skipping {
            self.skipping = false;
            return None;
        }
        if rest.is_empty() {
            return None;
        }
        self.judge(rest.strip_suffix(b"\r").unwrap_or(rest))
    }

    fn without_end<'a>(&mut self, rest: &[u8], consumed: usize) -> Step<'a> {
        let everything = consumed + rest.len();
        if self.skipping {
            let found = None;
            return Step {
                consumed: everything,
                found,
            };
        }
        // The last byte may be the CR of an ending.
        if rest.strip_suffix(b"\r").unwrap_or(rest).len() <= self.limit {
            self.searched = rest.len();
            let found = None;
            return Step { consumed, found };
        }
        self.searched = 0;
        self.skipping = true;
        self.number += 1;
        let found = Found::Overlong {
            number: self.number,
        };
        Step {
            consumed: everything,
            found: Some(found),
        }
    }

    fn judge<'a>(&mut self, bytes: &'a [u8]) -> Option<Found<'a>> {
        self.number += 1;
        let number = self.number;
        if bytes.len() > self.limit {
            return Some(Found::Overlong { number });
        }
        let blank = bytes.iter().all(u8::is_ascii_whitespace);
        (!blank).then_some(Found::Line { number, bytes })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{any, prop_assert_eq, proptest};

    use super::{Found, LineFramer};

    /// Number and bytes of each line, or number alone for one that is too long.
    type Lines = Vec<(u64, Option<Vec<u8>>)>;

    fn own(found: Found<'_>) -> (u64, Option<Vec<u8>>) {
        match found {
            Found::Line { number, bytes } => (number, Some(bytes.to_vec())),
            Found::Overlong { number } => (number, None),
        }
    }

    /// The lines of a stream that comes in these pieces, and the most bytes that had to be kept.
    fn read<'a>(limit: usize, pieces: impl IntoIterator<Item = &'a [u8]>) -> (Lines, usize) {
        let mut framer = LineFramer::new(limit);
        let (mut lines, mut buffer, mut most) = (Vec::new(), Vec::new(), 0);
        for piece in pieces {
            buffer.extend_from_slice(piece);
            loop {
                let step = framer.decode(&buffer);
                let consumed = step.consumed;
                let found = step.found.map(own);
                buffer.drain(..consumed);
                match found {
                    Some(found) => lines.push(found),
                    None => break,
                }
            }
            most = most.max(buffer.len());
        }
        lines.extend(framer.finish(&buffer).map(own));
        (lines, most)
    }

    /// The same, said plainly.
    fn plain(limit: usize, bytes: &[u8]) -> Lines {
        let mut lines: Vec<&[u8]> = bytes.split(|byte| *byte == b'\n').collect();
        if lines.last().is_some_and(|last| last.is_empty()) {
            lines.pop();
        }
        (1..)
            .zip(lines)
            .filter_map(|(number, line)| {
                let line = line.strip_suffix(b"\r").unwrap_or(line);
                let blank = line.iter().all(u8::is_ascii_whitespace);
                match line.len() <= limit {
                    true => (!blank).then(|| (number, Some(line.to_vec()))),
                    false => Some((number, None)),
                }
            })
            .collect()
    }

    /// SV-11: lines keep their numbers; CR, blank lines and a missing last LF are of no consequence.
    #[test]
    fn lines_are_found() {
        let one = || Some(b"one".to_vec());
        for (bytes, lines) in [
            (&b""[..], vec![]),
            (b"\n\r\n  \n", vec![]),
            (b"one", vec![(1, one())]),
            (b"one\n", vec![(1, one())]),
            (b"one\r\n", vec![(1, one())]),
            (b"one\r", vec![(1, one())]),
            (b"\n\none\n\n", vec![(3, one())]),
            (b"one\none", vec![(1, one()), (2, one())]),
            (b"four\n", vec![(1, Some(b"four".to_vec()))]),
            (
                b"four\r\none",
                vec![(1, Some(b"four".to_vec())), (2, one())],
            ),
            (b"fives\none\n", vec![(1, None), (2, one())]),
            (b"fives\r\none\n", vec![(1, None), (2, one())]),
            (b"     \none\n", vec![(1, None), (2, one())]),
            (b"one\n\nfives and more", vec![(1, one()), (3, None)]),
        ] {
            assert_eq!(read(4, [bytes]).0, lines, "{bytes:?}");
            assert_eq!(read(4, bytes.chunks(1)).0, lines, "{bytes:?} byte by byte");
        }
    }

    /// SV-11: an endless line is told once, as soon as it is too long, and is never kept.
    #[test]
    fn an_overlong_line_is_told_at_once_and_not_kept() {
        let mut framer = LineFramer::new(4);
        let step = framer.decode(b"12345");
        assert_eq!(step.found, Some(Found::Overlong { number: 1 }));
        assert_eq!(step.consumed, 5);
        for _ in 0..1000 {
            let step = framer.decode(b"123456789");
            assert_eq!((step.consumed, step.found), (9, None));
        }
        let step = framer.decode(b"9\none\n");
        let bytes = &b"one"[..];
        assert_eq!(step.found, Some(Found::Line { number: 2, bytes }));
        assert_eq!(step.consumed, 6);
    }

    /// SV-11: what a caller must keep is bounded.
    #[test]
    fn no_more_than_a_line_and_a_cr_is_kept() {
        let bytes = b"1234\r\n12345678\n1234\r567\n".repeat(3);
        let (_, most) = read(4, bytes.chunks(1));
        assert_eq!(most, 5);
    }

    proptest! {
        /// SV-11: any bytes in pieces of any size give the lines that a plain reading gives.
        #[test]
        fn any_bytes_in_any_pieces(
            bytes in proptest::collection::vec(
                proptest::sample::select(b"abc \r\n\n\0\xff".to_vec()), 0..64),
            limit in 0_usize..9,
            piece in 1_usize..9,
        ) {
            let (lines, most) = read(limit, bytes.chunks(piece));
            prop_assert_eq!(lines, plain(limit, &bytes));
            assert!(most <= limit + 1);
        }

        /// SV-11: a caller that breaks the contract gets nonsense, and no panic.
        #[test]
        fn any_calls(inputs in proptest::collection::vec(
            proptest::collection::vec(any::<u8>(), 0..16), 0..16)) {
            let mut framer = LineFramer::new(5);
            for input in inputs {
                let step = framer.decode(&input);
                assert!(step.consumed <= input.len());
            }
        }
    }
}
