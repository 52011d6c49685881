//! Walks a parsed text and collects complaints; every value is taken once, with its place.

use std::borrow::Cow;
use std::time::Duration;

use hoplock_policy::moment::Timestamp;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::complaint::{Complaint, Severity, nearest};
use super::keys::{Key, STRICT};
use super::literal::UNITS;
use super::words::Words;

/// The text, and what there is to say against it so far.
pub(super) struct Reader<'a> {
    text: &'a str,
    file: Option<String>,
    /// Where expiry is to be judged, the time.
    pub(super) now: Option<Timestamp>,
    /// Places where the text is not TOML: what was made of the values there means nothing.
    pub(super) broken: Vec<usize>,
    pub(super) complaints: Vec<Complaint>,
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
    pub(super) fn new(text: &'a str, file: Option<String>, now: Option<Timestamp>) -> Self {
        Self {
            text,
            file,
            now,
            broken: Vec::new(),
            complaints: Vec::new(),
        }
    }

    pub(super) fn complain(&mut self, severity: Severity, at: usize, text: impl Into<String>) {
        let complaint = Complaint {
            severity,
            file: self.file.clone(),
            line: self.line(at),
            text: text.into(),
        };
        if !self.complaints.contains(&complaint) {
            self.complaints.push(complaint);
        }
    }

    pub(super) fn error(&mut self, at: usize, text: impl Into<String>) {
        self.complain(Severity::Error, at, text);
    }

    pub(super) fn warn(&mut self, at: usize, text: impl Into<String>) {
        self.complain(Severity::Warning, at, text);
    }

    pub(super) fn line(&self, at: usize) -> usize {
        let before = self.text.get(..at).unwrap_or_default();
        before.matches('\n').count() + 1
    }

    /// A place in this text, for complaints about another place.
    pub(super) fn place(&self, at: usize) -> String {
        match &self.file {
            None => format!("line {}", self.line(at)),
            Some(file) => format!("{file}, line {}", self.line(at)),
        }
    }

    /// Unknown keys of a section, with the nearest known one.
    pub(super) fn check_keys<T>(&mut self, section: &Section<'_>, kind: &str, known: &[&Key<T>]) {
        for (key, value) in section.table.into_iter().flatten() {
            let word: &str = key.get_ref();
            if !known.iter().any(|known| known.name == word) {
                let names: Vec<&str> = known.iter().map(|known| known.name).collect();
                self.unknown(section, kind, key, value, &names);
            }
        }
    }

    fn unknown(
        &mut self,
        section: &Section<'_>,
        kind: &str,
        key: &Spanned<Cow<'_, str>>,
        value: Value<'_>,
        known: &[&str],
    ) {
        let word: &str = key.get_ref();
        let severity = if STRICT.contains(&kind) {
            Severity::Error
        } else {
            Severity::Warning
        };
        let dotted = dotted(word, value);
        let hint = match nearest(word, known.iter().copied()) {
            // [rules.example.com]: TOML takes the dots apart.
            _ if matches!(kind, "rules" | "profile") && dotted.is_some() => {
                let front = section.name.trim_start_matches(kind);
                let front = front.trim_matches(['.', '"']);
                let name = format!("{front}.{}", dotted.unwrap_or_default());
                format!("; put names with dots in quotes: [{kind}.{name:?}]")
            }
            Some(near) => format!("; did you mean {near}?"),
            None if known.is_empty() => String::new(),
            None => format!("; its keys are {}", known.join(", ")),
        };
        let words = format!("[{}] has no key {word:?}{hint}", section.name);
        self.complain(severity, key.span().start, words);
    }

    /// The value of a key.
    pub(super) fn value<'t>(&self, section: &Section<'t>, key: &str) -> Option<Value<'t>> {
        let mut pairs = section.table?.iter();
        let (_, value) = pairs.find(|(own, _)| own.get_ref().as_ref() == key)?;
        let span = value.span();
        let broken = |at: &usize| (span.start..=span.end).contains(at);
        (!self.broken.iter().any(broken)).then_some(value)
    }

    /// Where the value of a key stands.
    pub(super) fn at(&self, section: &Section<'_>, key: &str) -> usize {
        self.value(section, key)
            .map_or(0, |value| value.span().start)
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
                    self.error(value.span().start, words);
                }
                number
            }
            other => self.wrong_type(section, key, value, other, "a whole number"),
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
                    let _: Option<()> =
                        self.wrong_type(section, key, item, other, "a list of texts in quotes");
                }
            }
        }
        Some(texts)
    }

    /// "90s", "5m", "2h", "1d": a wait, of a day at most.
    pub(super) fn duration(&mut self, section: &Section<'_>, key: &str) -> Option<Duration> {
        self.span(
            section,
            key,
            LONGEST,
            "is more than a day; write \"1d\" or less",
        )
    }

    /// The same, of so many seconds at most; with words against more.
    pub(super) fn span(
        &mut self,
        section: &Section<'_>,
        key: &str,
        longest: u64,
        too_long: &str,
    ) -> Option<Duration> {
        let (text, at) = self.text(section, key)?;
        let split = text
            .find(|c: char| !c.is_ascii_digit())
            .unwrap_or(text.len());
        let (digits, unit) = text.split_at(split);
        let unit = UNITS.iter().find(|(own, _)| *own == unit);
        let seconds = digits
            .parse::<u64>()
            .ok()
            .zip(unit)
            .and_then(|(number, (_, length))| number.checked_mul(*length));
        let why = match seconds {
            None => "is no duration; write \"90s\", \"5m\", \"2h\" or \"1d\"",
            Some(0) => "leaves no time at all; write \"1s\" or more",
            Some(seconds) if seconds > longest => too_long,
            Some(seconds) => return Some(Duration::from_secs(seconds)),
        };
        self.error(at, format!("[{}] {key} = {text:?} {why}", section.name));
        None
    }

    /// One of several words.
    pub(super) fn choice<T: Copy + 'static>(
        &mut self,
        section: &Section<'_>,
        key: &str,
        choices: Words<T>,
    ) -> Option<T> {
        let (text, at) = self.text(section, key)?;
        if let Some((_, value)) = choices.iter().find(|(word, _)| *word == text) {
            return Some(*value);
        }
        let words: Vec<&str> = choices
            .iter()
            .map(|(word, _)| *word)
            .filter(|word| !word.is_empty())
            .collect();
        let hint = nearest(&text, words.iter().copied())
            .map_or(String::new(), |near| format!("; did you mean {near:?}?"));
        let listed = words.join(", ");
        let words = format!(
            "[{}] {key} = {text:?} is not one of {listed}{hint}",
            section.name
        );
        self.error(at, words);
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
            DeValue::Integer(_) => "a number",
            DeValue::Float(_) => "a fraction",
            DeValue::Boolean(_) => "true or false",
            DeValue::Datetime(_) => "a time without quotes",
            DeValue::Array(_) => "a list",
            DeValue::Table(_) => "a section",
        };
        let place = match section.name.as_str() {
            "" => String::new(),
            name => format!("[{name}] "),
        };
        let words = format!("{place}{key} must be {wanted}, not {found}");
        self.error(value.span().start, words);
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

/// The rest of a name that TOML took apart at its dots, as in [rules.example.com].
fn dotted(word: &str, value: Value<'_>) -> Option<String> {
    let DeValue::Table(table) = value.get_ref() else {
        return None;
    };
    let mut inner = table.iter();
    let rest = match (inner.next(), inner.next()) {
        (Some((key, value)), None) => dotted(key.get_ref(), value),
        _ => None,
    };
    Some(rest.map_or_else(|| word.to_owned(), |rest| format!("{word}.{rest}")))
}

/// No wait of this service is longer than a day.
const LONGEST: u64 = 86_400;
