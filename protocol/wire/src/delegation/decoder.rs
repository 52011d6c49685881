//! Requests at the front of a growing buffer.

use super::request::{BadRequest, Request, parse};

/// Finds requests at the front of a buffer that the caller owns and fills.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Decoder {
    /// Where the line begins that has not ended; all lines before it are of this request.
    line: usize,
    /// Up to here there is no line feed behind `line`: without it, a sender of single bytes would
    /// make each of them cost the whole line.
    searched: usize,
    /// Inside a request that is too long: what the line has that has not ended.
    skipping: Option<Held>,
}

/// What one look at the buffer came to.
#[derive(Debug, PartialEq, Eq)]
pub struct Step<'a> {
    /// How many bytes the caller must now take off the front of its buffer, whether a request was
    /// found or not.
    pub consumed: usize,
    /// One request, or what is wrong with it: both get an answer. Where it is `None`, read on.
    pub found: Option<Result<Request<'a>, BadRequest>>,
}

/// What is known of a line that was thrown away and has not ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Held {
    CarriageReturn,
    Content,
    Nothing,
}

impl Decoder {
    /// A decoder at the start of a connection.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes at most one request off the front of `input`.
    ///
    /// Call again with what was not consumed and, after a [`Step`] without a request, more bytes
    /// behind it. What is not consumed has at most [`REQUEST_LIMIT`] bytes. A request over the limit
    /// is told when it ends, so that its answer comes in its turn.
    pub fn decode<'a>(&mut self, input: &'a [u8]) -> Step<'a> {
        if let Some(held) = self.skipping {
            return self.skip(held, input);
        }
        while let Some(end) = self.line_feed(input) {
            if end > REQUEST_LIMIT {
                break;
            }
            let line = input.get(self.line..end).unwrap_or_default();
            if line.strip_suffix(b"\r").unwrap_or(line).is_empty() {
                let request = input.get(..self.line).unwrap_or_default();
                *self = Self::new();
                return Step {
                    consumed: end + 1,
                    found: Some(parse(request)),
                };
            }
            self.line = end + 1;
            self.searched = self.line;
        }
        if input.len() <= REQUEST_LIMIT {
            return Step {
                consumed: 0,
                found: None,
            };
        }
        let kept = self.line;
        *self = Self::new();
        let step = self.skip(Held::Nothing, input.get(kept..).unwrap_or_default());
        Step {
            consumed: kept + step.consumed,
            ..step
        }
    }

    fn line_feed(&mut self, input: &[u8]) -> Option<usize> {
        let unknown = input.get(self.searched..).unwrap_or_default();
        match unknown.iter().position(|byte| *byte == b'\n') {
            Some(at) => Some(self.searched + at),
            None => {
                self.searched = input.len();
                None
            }
        }
    }

    /// Throws bytes away up to a blank line.
    fn skip<'a>(&mut self, held: Held, input: &[u8]) -> Step<'a> {
        let mut held = held;
        for (at, byte) in input.iter().enumerate() {
            held = match (byte, held) {
                (b'\n', Held::Nothing | Held::CarriageReturn) => {
                    self.skipping = None;
                    return Step {
                        consumed: at + 1,
                        found: Some(Err(BadRequest::TooLong)),
                    };
                }
                (b'\n', Held::Content) => Held::Nothing,
                (b'\r', Held::Nothing) => Held::CarriageReturn,
                _ => Held::Content,
            };
        }
        self.skipping = Some(held);
        Step {
            consumed: input.len(),
            found: None,
        }
    }
}

/// The longest request that is read, in bytes without its blank line. Postfix sends some thirty
/// attributes, of at most 2048 bytes each (its `line_length_limit`) and most of them short: it was
/// 560 bytes when measured.
pub const REQUEST_LIMIT: usize = 64 * 1024;
