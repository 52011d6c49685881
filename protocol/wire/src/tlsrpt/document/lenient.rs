//! Values that senders write in more than one way.

use std::fmt::{self, Formatter};

use serde::de::{Deserialize, Deserializer, Error, SeqAccess, Unexpected, Visitor};

use super::{DocumentPolicyType, DocumentResult};
use crate::tlsrpt::date_time;

/// One text or several, or `null`.
pub(super) fn texts<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    struct Texts;

    impl<'de> Visitor<'de> for Texts {
        type Value = Vec<String>;

        fn expecting(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
            formatter.write_str("a list of texts")
        }

        fn visit_str<E: Error>(self, text: &str) -> Result<Self::Value, E> {
            // A whole MTA-STS policy in one text is its lines all the same.
            let lines = text.lines().map(str::trim_end);
            let lines = lines.filter(|line| !line.is_empty());
            let texts: Vec<String> = lines.take(TEXTS + 1).map(str::to_owned).collect();
            bounded(texts)
        }

        fn visit_unit<E: Error>(self) -> Result<Self::Value, E> {
            Ok(Vec::new())
        }

        fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
            let mut texts = Vec::new();
            while let Some(text) = list.next_element::<Option<String>>()? {
                texts.extend(text);
                texts = bounded(texts)?;
            }
            Ok(texts)
        }
    }

    deserializer.deserialize_any(Texts)
}

fn bounded<E: Error>(texts: Vec<String>) -> Result<Vec<String>, E> {
    if texts.len() > TEXTS {
        return Err(E::custom(format_args!("more than {TEXTS} texts in a list")));
    }
    Ok(texts)
}

/// How many sessions: a whole number, its digits in a text, or `null` for none.
pub(super) fn count<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
    struct Count;

    impl Visitor<'_> for Count {
        type Value = u64;

        fn expecting(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
            formatter.write_str("a number of sessions")
        }

        fn visit_u64<E: Error>(self, number: u64) -> Result<u64, E> {
            Ok(number)
        }

        fn visit_f64<E: Error>(self, number: f64) -> Result<u64, E> {
            let whole = format!("{number:.0}").parse().ok();
            let exact = number.fract() == 0.0;
            whole
                .filter(|_| exact)
                .ok_or_else(|| E::invalid_value(Unexpected::Float(number), &self))
        }

        fn visit_str<E: Error>(self, text: &str) -> Result<u64, E> {
            let number = text.parse().ok();
            number.ok_or_else(|| E::invalid_value(Unexpected::Str(text), &self))
        }

        fn visit_unit<E: Error>(self) -> Result<u64, E> {
            Ok(0)
        }
    }

    deserializer.deserialize_any(Count)
}

/// A time of RFC 3339, without a zone too.
pub(super) fn time<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
    let text = String::deserialize(deserializer)?;
    date_time::read(&text).ok_or_else(|| {
        let expected = "a time of RFC 3339 between 1970 and 9999";
        D::Error::invalid_value(Unexpected::Str(&text), &expected)
    })
}

/// A text, or `null` for none.
pub(super) fn text<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}

/// A list, or `null` for an empty one.
pub(super) fn list<'de, D: Deserializer<'de>, T: Deserialize<'de>>(
    deserializer: D,
) -> Result<Vec<T>, D::Error> {
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}

impl<'de> Deserialize<'de> for DocumentPolicyType {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Self::parse(&String::deserialize(deserializer)?))
    }
}

impl<'de> Deserialize<'de> for DocumentResult {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Self::parse(&String::deserialize(deserializer)?))
    }
}

/// Records of a TLSA set, lines of an MTA-STS policy: a policy of 64 KiB has no more of them.
const TEXTS: usize = 8_192;
