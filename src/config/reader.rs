//! Walks a parsed text and collects complaints; every value is taken once, with its place.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::time::Duration;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::complaint::{Complaint, Severity, nearest};
use super::keys::{Key, STRICT};

/// The text, and what there is to say against it so far.
pub(super) struct Reader<'a> {
    text: &'a str,
    file: Option<String>,
    pub(super) complaints: Vec<Complaint>,
    pub(super) written: BTreeMap<(String, String), String>,
}

/// One section of the text: its name as written, and its kind in the table of keys.
#[derive(Clone)]
pub(super) struct Section<'a> {
    pub(super) name: String,
    pub(super) table: Option<&'a DeTable<'a>>,
}

/// A value with its place.
pub(super) type Value<'a> = &'a Spanned<DeValue<'a>>;

impl<'a> Reader<'a> {
    pub(super) fn new(text: &'a str, file: Option<String>) -> Self {
        Self {
            text,
            file,
            complaints: Vec::new(),
            written: BTreeMap::new(),
        }
    }

    pub(super) fn complain(&mut self, severity: Severity, at: usize, text: impl Into<String>) {
        let line = self
            .text
            .get(..at)
            .unwrap_or_default()
            .matches('\n')
            .count()
            + 1;
        let file = self.file.clone();
        self.complaints.push(Complaint {
            severity,
            file,
            line,
            text: text.into(),
        });
    }

    /// Unknown keys of a section, with the nearest known one.
    pub(super) fn check_keys(&mut self, section: &Section<'_>, kind: &str, known: &[Key]) {
        let Some(table) = section.table else { return };
        for (key, _) in table {
            let word: &str = key.get_ref();
            if known.iter().any(|known| known.name == word) {
                continue;
            }
            let strict = STRICT.contains(&kind);
            let severity = if strict {
                Severity::Error
            } else {
                Severity::Warning
            };
            let hint = match nearest(word, known.iter().map(|known| known.name)) {
                Some(near) => format!("; did you mean {near}?"),
                None => {
                    let names: Vec<&str> = known.iter().map(|known| known.name).collect();
                    format!("; its keys are {}", names.join(", "))
                }
            };
            let words = format!("[{}] has no key {word:?}{hint}", section.name);
            self.complain(severity, key.span().start, words);
        }
    }

    /// The value of a key, noted as written.
    pub(super) fn value<'t>(&mut self, section: &Section<'t>, key: &str) -> Option<Value<'t>> {
        let table = section.table?;
        let (_, value) = table
            .iter()
            .find(|(own, _)| own.get_ref().as_ref() == key)?;
        let literal = self.text.get(value.span()).unwrap_or_default().to_owned();
        self.written
            .insert((section.name.clone(), key.to_owned()), literal);
        Some(value)
    }

    pub(super) fn text(&mut self, section: &Section<'_>, key: &str) -> Option<(String, usize)> {
        let value = self.value(section, key)?;
        match value.get_ref() {
            DeValue::String(text) => Some((Cow::clone(text).into_owned(), value.span().start)),
            other => self.wrong_type(section, key, value, other, "a text in quotes"),
        }
    }

    pub(super) fn boolean(&mut self, section: &Section<'_>, key: &str) -> Option<bool> {
        let value = self.value(section, key)?;
        match value.get_ref() {
            DeValue::Boolean(boolean) => Some(*boolean),
            other => self.wrong_type(section, key, value, other, "true or false"),
        }
    }

    pub(super) fn number(&mut self, section: &Section<'_>, key: &str) -> Option<usize> {
        let value = self.value(section, key)?;
        match value.get_ref() {
            DeValue::Integer(integer) => {
                let number = usize::from_str_radix(integer.as_str(), integer.radix()).ok();
                if number.is_none() {
                    let words = format!("[{}] {key} must be 0 or a larger number", section.name);
                    self.complain(Severity::Error, value.span().start, words);
                }
                number
            }
            other => self.wrong_type(section, key, value, other, "a number"),
        }
    }

    pub(super) fn texts(
        &mut self,
        section: &Section<'_>,
        key: &str,
    ) -> Option<Vec<(String, usize)>> {
        let value = self.value(section, key)?;
        let DeValue::Array(array) = value.get_ref() else {
            let other = value.get_ref();
            return self.wrong_type(section, key, value, other, "a list of texts, as [\"…\"]");
        };
        let mut texts = Vec::new();
        for item in array.iter() {
            match item.get_ref() {
                DeValue::String(text) => {
                    texts.push((Cow::clone(text).into_owned(), item.span().start));
                }
                other => {
                    let () = self
                        .wrong_type(section, key, item, other, "a text in quotes")
                        .unwrap_or_default();
                }
            }
        }
        Some(texts)
    }

    /// "90s", "5m", "2h", "1d".
    pub(super) fn duration(&mut self, section: &Section<'_>, key: &str) -> Option<Duration> {
        let (text, at) = self.text(section, key)?;
        let split = text
            .find(|c: char| !c.is_ascii_digit())
            .unwrap_or(text.len());
        let (digits, unit) = text.split_at(split);
        let unit = match unit {
            "s" => Some(1),
            "m" => Some(60),
            "h" => Some(3600),
            "d" => Some(86_400),
            _ => None,
        };
        let seconds = digits
            .parse::<u64>()
            .ok()
            .zip(unit)
            .and_then(|(n, unit)| n.checked_mul(unit));
        match seconds.filter(|seconds| *seconds > 0) {
            Some(seconds) => Some(Duration::from_secs(seconds)),
            None => {
                let words = format!(
                    "[{}] {key} = {text:?} is no duration; write \"90s\", \"5m\", \"2h\" or \"1d\"",
                    section.name
                );
                self.complain(Severity::Error, at, words);
                None
            }
        }
    }

    /// One of several words.
    pub(super) fn choice<T: Copy>(
        &mut self,
        section: &Section<'_>,
        key: &str,
        choices: &[(&str, T)],
    ) -> Option<T> {
        let (text, at) = self.text(section, key)?;
        if let Some((_, value)) = choices.iter().find(|(word, _)| *word == text) {
            return Some(*value);
        }
        let words: Vec<&str> = choices.iter().map(|(word, _)| *word).collect();
        let hint = nearest(&text, words.iter().copied())
            .map_or(String::new(), |near| format!("; did you mean {near:?}?"));
        let listed = words.join(", ");
        let words = format!(
            "[{}] {key} = {text:?} is not one of {listed}{hint}",
            section.name
        );
        self.complain(Severity::Error, at, words);
        None
    }

    fn wrong_type<T>(
        &mut self,
        section: &Section<'_>,
        key: &str,
        value: Value<'_>,
        found: &DeValue<'_>,
        wanted: &str,
    ) -> Option<T> {
        let found = match found {
            DeValue::String(_) => "a text",
            DeValue::Integer(_) | DeValue::Float(_) => "a number",
            DeValue::Boolean(_) => "true or false",
            DeValue::Datetime(_) => "a time without quotes",
            DeValue::Array(_) => "a list",
            DeValue::Table(_) => "a section",
        };
        let words = format!("[{}] {key} must be {wanted}, not {found}", section.name);
        self.complain(Severity::Error, value.span().start, words);
        None
    }
}

impl<'a> Section<'a> {
    /// A section of this name in a table; an absent one is empty.
    pub(super) fn of(root: &'a DeTable<'a>, name: &str, reader: &mut Reader<'_>) -> Self {
        let found = root.iter().find(|(key, _)| key.get_ref().as_ref() == name);
        let table = found.and_then(|(key, value)| match value.get_ref() {
            DeValue::Table(table) => Some(table),
            _ => {
                let words = format!("{name} is a section: write [{name}] on a line of its own");
                reader.complain(Severity::Error, key.span().start, words);
                None
            }
        });
        Self {
            name: name.to_owned(),
            table,
        }
    }
}
