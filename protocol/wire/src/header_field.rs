//! A header field of ours: what a guard adds to a message.
//!
//! After RFC 5322, 2.2. One line of ASCII: no folding, no octets beyond. Whatever would end the line,
//! or the header, makes no field. Not done here: the syntax inside the field.

use std::fmt;

use nom::bytes::complete::take_while1;
use nom::combinator::all_consuming;
use nom::{IResult, Parser as _};
use thiserror::Error;

/// A field that can be added to any message as it stands.
///
/// ```
/// use hoplock_wire::header_field::HeaderField;
///
/// let field = HeaderField::new("Hoplock-Protection", "good.test; dane-only")?;
/// assert_eq!(field.to_string(), "Hoplock-Protection: good.test; dane-only");
/// assert!(HeaderField::new("Hoplock-Protection", "a\r\nBcc: everybody@good.test").is_err());
/// # Ok::<(), hoplock_wire::header_field::UnfitField>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeaderField {
    name: String,
    value: String,
}

/// Why something is no header field.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum UnfitField {
    /// The name is empty or has a blank, a colon, a control character or an octet beyond ASCII
    /// (RFC 5322, 3.6.8).
    #[error("the name of the header field is none")]
    Name,
    /// Longer than a line may be (RFC 5322, 2.1.1).
    #[error("the header field is longer than {FIELD_LIMIT} bytes")]
    TooLong,
    /// The value is blank, or not printable ASCII.
    #[error("the value of the header field is not one line of printable ASCII")]
    Value,
}

impl HeaderField {
    /// The field, if it is one. Blanks around the value are left out.
    ///
    /// # Errors
    /// [`UnfitField`] says what would spoil the message.
    pub fn new(name: &str, value: &str) -> Result<Self, UnfitField> {
        if !is_name(name) {
            return Err(UnfitField::Name);
        }
        let value = value.trim_matches(' ');
        if value.is_empty() || !value.bytes().all(|byte| matches!(byte, b' '..=b'~')) {
            return Err(UnfitField::Value);
        }
        if name.len() + ": ".len() + value.len() > FIELD_LIMIT {
            return Err(UnfitField::TooLong);
        }
        Ok(Self {
            name: name.to_owned(),
            value: value.to_owned(),
        })
    }

    /// The name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The value, without the blank behind the colon.
    #[must_use]
    pub fn value(&self) -> &str {
        &self.value
    }
}

/// Name and value, as in a message.
impl fmt::Display for HeaderField {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.name, self.value)
    }
}

/// Whether this is the name of a header field (RFC 5322, 3.6.8: `ftext`).
pub(crate) fn is_name(name: &str) -> bool {
    let ftext = take_while1(|c| matches!(c, '!'..='9' | ';'..='~'));
    let parsed: IResult<&str, &str> = all_consuming(ftext).parse(name);
    parsed.is_ok()
}

/// The longest field in bytes, without the end of its line (RFC 5322, 2.1.1).
pub const FIELD_LIMIT: usize = 998;

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    /// RFC 5322, 2.2 and 2.1.1: one line, and all of it.
    #[test]
    fn fields() {
        let field = HeaderField::new("X-A", " b ").unwrap();
        assert_eq!((field.name(), field.value()), ("X-A", "b"));
        let longest = "v".repeat(FIELD_LIMIT - 5);
        assert!(HeaderField::new("X-A", &longest).is_ok());
        for (name, value, why) in [
            ("", "b", UnfitField::Name),
            ("X A", "b", UnfitField::Name),
            ("X:A", "b", UnfitField::Name),
            ("X-A\n", "b", UnfitField::Name),
            ("X-Ü", "b", UnfitField::Name),
            ("X-A", "", UnfitField::Value),
            ("X-A", "  ", UnfitField::Value),
            ("X-A", "a\nb", UnfitField::Value),
            ("X-A", "a\r\n b", UnfitField::Value),
            ("X-A", "a\0", UnfitField::Value),
            ("X-A", "a\tb", UnfitField::Value),
            ("X-A", "ü", UnfitField::Value),
            ("X-A", &format!("{longest}v"), UnfitField::TooLong),
        ] {
            assert_eq!(
                HeaderField::new(name, value),
                Err(why),
                "{name:?} {value:?}"
            );
        }
    }
}
