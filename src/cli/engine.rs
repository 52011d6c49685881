//! A configuration from files, for every command that needs one.
#![allow(
    clippy::disallowed_methods,
    reason = "commands read the files that they are told of"
)]

use std::path::{Path, PathBuf};

use super::ConfigFile;
use crate::adapters::clock::SystemClock;
use crate::config::{Complaint, Config, Severity};
use crate::world::Clock as _;

/// The configuration and everything there is to say against it.
pub(super) struct Loaded {
    /// `None` where an error stands in it.
    pub(super) config: Option<Config>,
    /// All complaints, warnings included.
    pub(super) complaints: Vec<Complaint>,
    /// Where it came from, for people.
    pub(super) source: String,
}

/// Reads the file that is named, the one of the package where it exists, or none.
pub(super) fn load(file: &ConfigFile) -> Result<Loaded, String> {
    let path = match &file.config {
        Some(path) => Some(path.clone()),
        None => Some(PathBuf::from(PACKAGED)).filter(|path| path.exists()),
    };
    let (text, source) = match path {
        None => (String::new(), "built-in defaults".to_owned()),
        Some(path) => (read(&path)?, path.display().to_string()),
    };
    // The files of rules are read whatever else is wrong, so that all complaints come at once.
    let files = match Config::rules_directory_of(&text) {
        None => Vec::new(),
        Some(folder) => rule_files(&folder)?,
    };
    let now = SystemClock::new().now().wall;
    let (config, mut complaints) = Config::parse_at(&text, &files, now);
    for complaint in &mut complaints {
        complaint.file.get_or_insert_with(|| source.clone());
    }
    Ok(Loaded {
        config,
        complaints,
        source,
    })
}

impl Loaded {
    /// The configuration, or all its errors in one text.
    pub(super) fn usable(self) -> Result<Config, String> {
        match self.config {
            Some(config) => Ok(config),
            None => Err(self
                .complaints
                .iter()
                .filter(|complaint| complaint.severity == Severity::Error)
                .map(ToString::to_string)
                .collect::<Vec<_>>()
                .join("\n")),
        }
    }
}

/// The files of the rules directory, in the order of their names.
fn rule_files(folder: &Path) -> Result<Vec<(String, String)>, String> {
    let broken = |error| format!("rules_directory {}: {error}", folder.display());
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(broken)? {
        let path = entry.map_err(broken)?.path();
        if path.extension().is_some_and(|ending| ending == "toml") {
            files.push((path.display().to_string(), read(&path)?));
        }
    }
    files.sort();
    Ok(files)
}

fn read(path: &Path) -> Result<String, String> {
    std::fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))
}

/// The folder for state: systemd's where it gives one, else the user's; the package's where that user
/// keeps none, so that commands find the daemon of the package.
pub(super) fn state_folder() -> PathBuf {
    let variable = |name| std::env::var_os(name).filter(|value| !value.is_empty());
    if let Some(folder) = variable("STATE_DIRECTORY") {
        return PathBuf::from(folder);
    }
    let user = variable("XDG_STATE_HOME")
        .map(PathBuf::from)
        .or_else(|| variable("HOME").map(|home| PathBuf::from(home).join(".local").join("state")));
    user_or_package(
        user.map(|user| user.join("hoplock")),
        Path::new(PACKAGED_STATE),
    )
}

fn user_or_package(user: Option<PathBuf>, package: &Path) -> PathBuf {
    match user {
        Some(user) if user.exists() || !package.exists() => user,
        _ => package.to_path_buf(),
    }
}

/// Where the package puts the configuration.
const PACKAGED: &str = "/etc/hoplock/hoplock.toml";
/// Where the package keeps state.
const PACKAGED_STATE: &str = "/var/lib/hoplock";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_state_of_the_package_is_found() {
        let folder = tempfile::tempdir().unwrap();
        let (user, package) = (folder.path().join("user"), folder.path().join("package"));
        let chosen = || user_or_package(Some(user.clone()), &package);
        assert_eq!(chosen(), user);
        std::fs::create_dir(&package).unwrap();
        assert_eq!(chosen(), package);
        std::fs::create_dir(&user).unwrap();
        assert_eq!(chosen(), user);
        assert_eq!(user_or_package(None, &package), package);
    }
}
