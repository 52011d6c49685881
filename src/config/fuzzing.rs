//! What must hold for any configuration; called by the fuzz target and by the replay of its corpus.

use hoplock_policy::moment::Timestamp;

use super::{Config, Endpoint, Severity};

/// The target `config`: a text, and files of rules behind it with 0x1e between them.
pub fn config(bytes: &[u8]) {
    let all = String::from_utf8_lossy(bytes);
    let mut parts = all.split('\u{1e}');
    let text = parts.next().unwrap_or_default();
    let files: Vec<(String, String)> = parts
        .enumerate()
        .map(|(number, text)| (format!("{number}.toml"), text.to_owned()))
        .collect();
    let (config, complaints) = Config::parse(text, &files);
    let is_error = |severity: Severity| severity == Severity::Error;
    let faulty = complaints.iter().any(|own| is_error(own.severity));
    assert_eq!(config.is_none(), faulty, "{complaints:?}");
    for complaint in &complaints {
        let shown = complaint.to_string();
        // OP-08: told to people at a terminal, in one line each, with a line that there is.
        assert!(!shown.chars().any(char::is_control), "{shown:?}");
        let file = complaint.file.as_ref();
        let of = |name: &String| files.iter().find(|(own, _)| own == name);
        let whole = file.and_then(of).map_or(text, |(_, text)| text.as_str());
        let lines = whole.matches('\n').count() + 1;
        assert!((1..=lines).contains(&complaint.line), "{shown:?}");
        assert!(!complaint.text.is_empty());
    }
    let (later, more) = Config::parse_at(text, &files, Timestamp(u64::MAX));
    assert_eq!(later, config, "time alone changes what a text says");
    assert!(more.len() >= complaints.len());
    if let Ok(endpoint) = Endpoint::parse(text).ok_or(()) {
        assert_eq!(Endpoint::parse(&endpoint.to_string()), Some(endpoint));
    }
    let Some(config) = config else {
        return;
    };
    assert_eq!(Config::rules_directory_of(text), config.rules_directory);
    prints(&config, &files, complaints.len());
}

/// What is printed reads back to the same, and says nothing new.
fn prints(config: &Config, files: &[(String, String)], complaints: usize) {
    let printed = config.print();
    let (again, more) = Config::parse(&printed, files);
    assert!(again.as_ref() == Some(config), "{printed}\n{more:?}");
    assert!(more.len() <= complaints, "{printed}\n{more:?}");
    let twice = again.map(|again| again.print());
    assert_eq!(twice.as_ref(), Some(&printed));
    // Each rule by itself, as the state file and the command line have it.
    for rule in config.rules.iter() {
        let section = super::print::section(rule);
        let (alone, _) = Config::parse(&section, &[]);
        let rules = alone.map(|alone| alone.rules.iter().cloned().collect::<Vec<_>>());
        assert_eq!(
            rules.as_deref(),
            Some(std::slice::from_ref(rule)),
            "{section}"
        );
    }
}
