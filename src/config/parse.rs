//! From text to [`Config`]: each section in turn, complaints collected.

use std::collections::BTreeMap;
use std::path::PathBuf;

use hoplock_policy::moment::Timestamp;
use hoplock_policy::rules::{RulePattern, Rules};
use toml::de::{DeTable, DeValue};

use super::complaint::{Complaint, Severity, nearest};
use super::keys::{KEYS, Key, STRICT};
use super::reader::{Reader, Section};
use super::types::Config;
use super::{guard, listen, profiles, report, rules, sections, watch};

impl Default for Config {
    fn default() -> Self {
        let mut reader = Reader::new("", None, None);
        read(&mut reader, &DeTable::new(), &mut BTreeMap::new())
    }
}

impl Config {
    /// Reads a configuration and the files of its rules directory (name and text).
    ///
    /// All complaints come at once; the configuration is there where none of them is an error.
    /// Without a clock nothing is said about expired rules: see [`Config::parse_at`].
    #[must_use]
    pub fn parse(text: &str, rule_files: &[(String, String)]) -> (Option<Self>, Vec<Complaint>) {
        parse(text, rule_files, None)
    }

    /// As [`Config::parse`], and warns of rules that have expired `now` (OP-05).
    #[must_use]
    pub fn parse_at(
        text: &str,
        rule_files: &[(String, String)],
        now: Timestamp,
    ) -> (Option<Self>, Vec<Complaint>) {
        parse(text, rule_files, Some(now))
    }

    /// The rules directory that a text names, whatever else is wrong with it: the caller reads the
    /// files and hands them to [`Config::parse`].
    #[must_use]
    pub fn rules_directory_of(text: &str) -> Option<PathBuf> {
        let (root, _) = DeTable::parse_recoverable(text);
        let mut reader = Reader::new(text, None, None);
        sections::path(&mut reader, &top(root.get_ref()), "rules_directory")
    }
}

fn parse(
    text: &str,
    rule_files: &[(String, String)],
    now: Option<Timestamp>,
) -> (Option<Config>, Vec<Complaint>) {
    let mut places = BTreeMap::new();
    let mut reader = Reader::new(text, None, now);
    let root = toml(&mut reader, text);
    let mut config = read(&mut reader, &root, &mut places);
    let mut complaints = reader.complaints;
    let mut all: Vec<_> = config.rules.iter().cloned().collect();
    for (name, text) in rule_files {
        let mut reader = Reader::new(text, Some(name.clone()), now);
        let root = toml(&mut reader, text);
        for rule in rules::read(&mut reader, &root, &mut places) {
            config
                .rules_of_files
                .insert(rule.pattern.clone(), name.clone());
            all.push(rule);
        }
        for (key, _) in &root {
            if key.get_ref().as_ref() != "rules" {
                let words = "a file of rules holds [rules.\"…\"] sections only";
                reader.error(key.span().start, words);
            }
        }
        complaints.extend(reader.complaints);
    }
    config.rules = Rules::new(all);
    complaints.sort_by(|a, b| (&a.file, a.line).cmp(&(&b.file, b.line)));
    let good = complaints
        .iter()
        .all(|complaint| complaint.severity != Severity::Error);
    (good.then_some(config), complaints)
}

/// What can be read of the text. A value that is broken gets one complaint, and so does a line.
fn toml<'a>(reader: &mut Reader<'_>, text: &'a str) -> DeTable<'a> {
    let (table, mut errors) = DeTable::parse_recoverable(text);
    let table = table.into_inner();
    // The first fault is the one to mend; those that follow from it come later in the text.
    errors.sort_by_key(|error| error.span().map_or(0, |span| span.start));
    let mut told = Vec::new();
    for error in errors {
        let at = error.span().map_or(0, |span| span.start);
        let whole = value_around(&table, at);
        let place = (whole.is_none().then(|| reader.line(at)), whole);
        reader.broken.push(at);
        if told.contains(&place) {
            continue;
        }
        told.push(place);
        let why = error.message().replace('\n', ", ");
        let line = text.get(..at).map_or("", |before| {
            let start = before.rfind('\n').map_or(0, |end| end + 1);
            text.get(start..).unwrap_or_default().trim_start()
        });
        let (why, cure) = if !why.contains("duplicate key") {
            let cure =
                "write KEY = VALUE with texts in double quotes, and [SECTION] on a line of its own";
            (format!("not TOML: {why}"), cure)
        } else if line.starts_with('[') {
            let cure = "write the keys of both under one of them";
            ("this section stands twice".to_owned(), cure)
        } else {
            ("this key stands twice".to_owned(), "keep one of the two")
        };
        reader.error(at, format!("{why}; {cure}"));
    }
    table
}

/// Where the value begins, other than a section, that reaches over this place.
fn value_around(table: &DeTable<'_>, at: usize) -> Option<usize> {
    table.iter().find_map(|(_, value)| match value.get_ref() {
        DeValue::Table(inner) => value_around(inner, at),
        _ => {
            let span = value.span();
            (span.start..=span.end).contains(&at).then_some(span.start)
        }
    })
}

fn top<'a>(root: &'a DeTable<'a>) -> Section<'a> {
    Section {
        name: String::new(),
        table: Some(root),
    }
}

fn read(
    reader: &mut Reader<'_>,
    root: &DeTable<'_>,
    places: &mut BTreeMap<RulePattern, String>,
) -> Config {
    check_sections(reader, root);
    let mut section = |name: &'static str| {
        let section = Section::of(root, name, reader);
        let known: Vec<&Key<Config>> = KEYS.iter().filter(|key| key.section == name).collect();
        reader.check_keys(&section, name, &known);
        section
    };
    let (sockets, dns, sts, dane) = (
        section("listen"),
        section("dns"),
        section("sts"),
        section("dane"),
    );
    let (limits, log, store) = (section("limits"), section("log"), section("store"));
    let (sources, submission) = (section("sources"), section("guard"));
    let (reports, watched) = (section("report"), section("watch"));
    let listen = listen::read(reader, &sockets);
    let profiles = profiles::read(reader, root);
    Config {
        guard: guard::read(reader, &submission, &listen, &profiles),
        listen,
        dns: sections::dns(reader, &dns),
        sts: sections::sts(reader, &sts),
        dane: sections::dane(reader, &dane),
        profiles,
        rules: Rules::new(rules::read(reader, root, places)),
        limits: sections::limits(reader, &limits),
        log: sections::log(reader, &log),
        store: sections::store(reader, &store),
        sources: sections::sources(reader, &sources),
        report: report::read(reader, &reports),
        watch: watch::read(reader, &watched),
        rules_directory: sections::path(reader, &top(root), "rules_directory"),
        rules_of_files: BTreeMap::new(),
    }
}

fn check_sections(reader: &mut Reader<'_>, root: &DeTable<'_>) {
    let mut known: Vec<&str> = KEYS.iter().map(|key| key.section).collect();
    known.extend(["profile", "rules", "rules_directory"]);
    known.retain(|name| !name.is_empty());
    for (key, value) in root {
        let word: &str = key.get_ref();
        if known.contains(&word) {
            continue;
        }
        let near = nearest(word, known.iter().copied());
        // A mistyped [rules] or [dane] would silently take protection away.
        let strict = near.is_some_and(|near| STRICT.contains(&near) || near == "rules_directory");
        let severity = if strict {
            Severity::Error
        } else {
            Severity::Warning
        };
        let home = KEYS.iter().find(|key| key.name == word);
        let is_table = matches!(value.get_ref(), DeValue::Table(_) | DeValue::Array(_));
        let words = match (near, home) {
            (_, Some(home)) if !is_table => {
                format!(
                    "{word} stands in no section; it belongs to [{}]",
                    home.section
                )
            }
            (Some(near), _) => format!("unknown section or key {word:?}; did you mean {near}?"),
            (None, _) => {
                format!("unknown section or key {word:?}; `hoplock config print` lists all")
            }
        };
        let strict_home = home.is_some_and(|home| STRICT.contains(&home.section));
        let severity = if strict_home {
            Severity::Error
        } else {
            severity
        };
        reader.complain(severity, key.span().start, words);
    }
}
