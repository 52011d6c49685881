//! The members of a report's JSON object, by key and type.
//!
//! Only known keys are kept; of the others not even the value is built. A key that comes twice is
//! refused: two readers could take it for two things (RFC 8259, 4).

use std::collections::BTreeMap;
use std::fmt::{self, Display, Formatter};

use data_encoding::BASE64;
use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::Value;
use serde_json::error::Category;
use thiserror::Error;

use super::{LINE_LIMIT, report::KEYS};

/// A line that is no report. Nothing of it is used; answer with an [`ErrorLine`](super::ErrorLine)
/// and go on with the next line (SV-11).
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum SessionError {
    /// The JSON stops before its end.
    #[error("the JSON is cut short")]
    CutShort,
    /// The line is not JSON in UTF-8, or a known key's value is nested deeper than 127 levels.
    #[error("no JSON from byte {at} on")]
    NotJson {
        /// The byte of the line, from 1, at which reading stopped.
        at: usize,
    },
    /// The line is JSON, and no object.
    #[error("a session is a JSON object")]
    NotAnObject,
    /// The line has more bytes than are read.
    #[error("the line has {length} bytes, at most {LINE_LIMIT} are read")]
    TooLong {
        /// The bytes of the line.
        length: usize,
    },
    /// A known key comes twice.
    #[error("{key} is given twice")]
    Twice {
        /// The key.
        key: &'static str,
    },
    /// A known key has a value of another type.
    #[error("{place} must be {expected}")]
    Expected {
        /// Where.
        place: Place,
        /// What would be right, in words.
        expected: &'static str,
    },
    /// The text is not base64 with its padding, or is empty.
    #[error("{place} is not base64 of DER")]
    NotBase64 {
        /// Where.
        place: Place,
    },
    /// A list has too many elements.
    #[error("{key} has {count} elements, at most {limit} are read")]
    TooMany {
        /// The key.
        key: &'static str,
        /// How many there are.
        count: usize,
        /// How many are allowed.
        limit: usize,
    },
}

/// A value in a report: `chain`, or `chain[2]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// The key.
    pub key: &'static str,
    /// The element of its list, from 0.
    pub index: Option<usize>,
}

impl Display for Place {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        match self.index {
            None => formatter.write_str(self.key),
            Some(index) => write!(formatter, "{}[{index}]", self.key),
        }
    }
}

/// The known members of one object. Each is taken once; `null` is the same as none.
pub(super) struct Members(BTreeMap<&'static str, Value>);

impl Members {
    pub(super) fn parse(line: &[u8]) -> Result<Self, SessionError> {
        if line.len() > LINE_LIMIT {
            return Err(SessionError::TooLong { length: line.len() });
        }
        let object: Object = serde_json::from_slice(line).map_err(|why| match why.classify() {
            // Blanks may stand for lines to the parser; here all of it is one line.
            Category::Syntax | Category::Io => SessionError::NotJson { at: why.column() },
            Category::Eof => SessionError::CutShort,
            Category::Data => SessionError::NotAnObject,
        })?;
        match object.twice {
            Some(key) => Err(SessionError::Twice { key }),
            None => Ok(Self(object.values)),
        }
    }

    /// The value as it stands, `null` too.
    pub(super) fn take(&mut self, key: &'static str) -> Option<Value> {
        self.0.remove(key)
    }

    pub(super) fn text(&mut self, key: &'static str) -> Result<Option<String>, SessionError> {
        match self.take(key) {
            None | Some(Value::Null) => Ok(None),
            Some(value) => as_text(value, Place { key, index: None }).map(Some),
        }
    }

    /// A text that `parse` reads; `expected` says what it takes.
    pub(super) fn parsed<T>(
        &mut self,
        key: &'static str,
        expected: &'static str,
        parse: impl Fn(&str) -> Option<T>,
    ) -> Result<Option<T>, SessionError> {
        let wrong = SessionError::Expected {
            place: Place { key, index: None },
            expected,
        };
        match self.take(key) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) => parse(&text).ok_or(wrong).map(Some),
            Some(_) => Err(wrong),
        }
    }

    pub(super) fn port(&mut self, key: &'static str) -> Result<Option<u16>, SessionError> {
        let Some(value) = self.take(key).filter(|value| !value.is_null()) else {
            return Ok(None);
        };
        let port = value
            .as_u64()
            .and_then(|port| u16::try_from(port).ok())
            .filter(|port| *port > 0);
        port.ok_or(SessionError::Expected {
            place: Place { key, index: None },
            expected: "a number from 1 to 65535",
        })
        .map(Some)
    }

    pub(super) fn truth(&mut self, key: &'static str) -> Result<Option<bool>, SessionError> {
        match self.take(key) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::Bool(truth)) => Ok(Some(truth)),
            Some(_) => Err(SessionError::Expected {
                place: Place { key, index: None },
                expected: "true or false",
            }),
        }
    }

    pub(super) fn texts(
        &mut self,
        key: &'static str,
        limit: usize,
    ) -> Result<Option<Vec<String>>, SessionError> {
        self.list(key, limit, as_text)
    }

    pub(super) fn ders(
        &mut self,
        key: &'static str,
        limit: usize,
    ) -> Result<Option<Vec<Vec<u8>>>, SessionError> {
        self.list(key, limit, |value, place| {
            der(&as_text(value, place)?, place)
        })
    }

    pub(super) fn der(&mut self, key: &'static str) -> Result<Option<Vec<u8>>, SessionError> {
        let place = Place { key, index: None };
        let text = self.text(key)?;
        text.map(|text| der(&text, place)).transpose()
    }

    fn list<T>(
        &mut self,
        key: &'static str,
        limit: usize,
        read: impl Fn(Value, Place) -> Result<T, SessionError>,
    ) -> Result<Option<Vec<T>>, SessionError> {
        let values = match self.take(key) {
            None | Some(Value::Null) => return Ok(None),
            Some(Value::Array(values)) => values,
            Some(_) => {
                return Err(SessionError::Expected {
                    place: Place { key, index: None },
                    expected: "a list of texts",
                });
            }
        };
        let count = values.len();
        if count > limit {
            return Err(SessionError::TooMany { key, count, limit });
        }
        let numbered = values.into_iter().enumerate();
        let read = numbered.map(|(index, value)| {
            let index = Some(index);
            read(value, Place { key, index })
        });
        read.collect::<Result<_, _>>().map(Some)
    }
}

fn as_text(value: Value, place: Place) -> Result<String, SessionError> {
    match value {
        Value::String(text) => Ok(text),
        _ => Err(SessionError::Expected {
            place,
            expected: "a text",
        }),
    }
}

fn der(text: &str, place: Place) -> Result<Vec<u8>, SessionError> {
    match BASE64.decode(text.as_bytes()) {
        Ok(der) if !der.is_empty() => Ok(der),
        Ok(_) | Err(_) => Err(SessionError::NotBase64 { place }),
    }
}

/// A JSON object, reduced to the keys that are known.
struct Object {
    values: BTreeMap<&'static str, Value>,
    /// The first key that came a second time.
    twice: Option<&'static str>,
}

impl<'de> Deserialize<'de> for Object {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(ObjectVisitor)
    }
}

struct ObjectVisitor;

impl<'de> Visitor<'de> for ObjectVisitor {
    type Value = Object;

    fn expecting(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        formatter.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Object, A::Error> {
        let (mut values, mut twice) = (BTreeMap::new(), None);
        while let Some(key) = map.next_key::<String>()? {
            let Some(known) = KEYS.iter().find(|known| **known == key) else {
                map.next_value::<IgnoredAny>()?;
                continue;
            };
            if values.insert(*known, map.next_value()?).is_some() {
                twice = twice.or(Some(*known));
            }
        }
        Ok(Object { values, twice })
    }
}
