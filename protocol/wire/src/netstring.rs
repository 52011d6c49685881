//! Netstrings: `<length>:<bytes>,`.

/// One netstring at the front of the input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Frame<'a> {
    /// The bytes inside.
    pub payload: &'a [u8],
    /// How many bytes of the input it took.
    pub consumed: usize,
}

/// Bytes that can never become a netstring: the connection must be closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    /// The length is no plain decimal number.
    #[error("the length is not a decimal number followed by a colon")]
    Length,
    /// Longer than the caller reads.
    #[error("{length} bytes are announced, at most {limit} are read")]
    TooLong {
        /// Announced.
        length: usize,
        /// Allowed.
        limit: usize,
    },
    /// No comma where it must stand.
    #[error("no comma after the announced bytes")]
    Comma,
}

/// Takes one netstring off the front of `input`; `Ok(None)` asks for more bytes.
///
/// # Errors
/// [`Malformed`] as soon as no further byte can mend it.
pub fn decode(input: &[u8], limit: usize) -> Result<Option<Frame<'_>>, Malformed> {
    let digits = input
        .iter()
        .take_while(|byte| byte.is_ascii_digit())
        .count();
    if digits > MAX_DIGITS || digits > 1 && input.first() == Some(&b'0') {
        return Err(Malformed::Length);
    }
    let length = input
        .iter()
        .take(digits)
        .fold(0, |sum, digit| sum * 10 + usize::from(digit - b'0'));
    if length > limit {
        return Err(Malformed::TooLong { length, limit });
    }
    match input.get(digits) {
        None => return Ok(None),
        Some(b':') if digits > 0 => {}
        Some(_) => return Err(Malformed::Length),
    }
    let (start, end) = (digits + 1, digits + 1 + length);
    match (input.get(start..end), input.get(end)) {
        (Some(payload), Some(b',')) => Ok(Some(Frame {
            payload,
            consumed: end + 1,
        })),
        (_, Some(_)) => Err(Malformed::Comma),
        (_, None) => Ok(None),
    }
}

/// Appends `payload` as a netstring.
pub fn encode(payload: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(payload.len().to_string().as_bytes());
    out.push(b':');
    out.extend_from_slice(payload);
    out.push(b',');
}

const MAX_DIGITS: usize = 9;
