//! The sentences of the house, read from the sources: which room may know which, and how large a
//! file may grow. What the compiler does not forbid, grows; cheap arrows need a test.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "tests"
)]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// Rooms of `src/`, highest first: an arrow may only point to a room with a larger number.
const FLOORS: &[(&str, usize)] = &[
    ("main", 0),
    ("cli", 1),
    ("serve", 2),
    ("metrics", 3),
    ("answer", 4),
    ("cache", 5),
    ("config", 5),
    ("report", 5),
    ("watch", 5),
    ("adapters", 6),
    ("demo", 6),
    ("discover", 6),
    ("store", 6),
    ("world", 7),
];

/// Words that only the rooms which wait, listen or write may use.
const OUTSIDE: &[&str] = &[
    "std::net::TcpStream",
    "std::net::TcpListener",
    "std::net::UdpSocket",
    "tokio::net",
    "tokio::fs",
    "std::fs",
    "std::os::unix::net",
    "hyper::",
    "rustls::",
    "hickory_",
];

/// Words of time.
const CLOCKS: &[&str] = &["SystemTime", "Instant::now", "UNIX_EPOCH"];

/// Files past the rule of 400 lines without tests, each with its reason.
const LARGE: &[(&str, &str)] = &[];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .unwrap()
        .to_path_buf()
}

fn sources(folder: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut folders = vec![root().join(folder)];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|ending| ending == "rs") {
                let name = path.strip_prefix(root()).unwrap().display().to_string();
                found.push((name, fs::read_to_string(&path).unwrap()));
            }
        }
    }
    assert!(!found.is_empty(), "{folder} has no sources");
    found
}

/// The code of a file: tests at its end and comments left out.
fn code(text: &str) -> String {
    let body = text.split("#[cfg(test)]").next().unwrap();
    let lines = body
        .lines()
        .filter(|line| !line.trim_start().starts_with("//"));
    lines.collect::<Vec<_>>().join("\n")
}

fn room(file: &str) -> &str {
    let inside = file.strip_prefix("src/").unwrap();
    inside.split(['/', '.']).next().unwrap()
}

fn floor(room: &str) -> Option<usize> {
    FLOORS
        .iter()
        .find(|(name, _)| *name == room)
        .map(|(_, floor)| *floor)
}

/// The rooms that a file of `src/` imports or names by path.
fn arrows(text: &str) -> BTreeSet<String> {
    let mut rooms = BTreeSet::new();
    for start in ["crate::", "hoplock::"] {
        for rest in text.split(start).skip(1) {
            if let Some(list) = rest.strip_prefix('{') {
                let list = list.split("};").next().unwrap();
                rooms.extend(list.split(',').map(|item| {
                    item.trim()
                        .split([':', ' ', '{'])
                        .next()
                        .unwrap()
                        .to_owned()
                }));
            } else {
                let end = rest.find(|c: char| !c.is_alphanumeric() && c != '_');
                rooms.insert(rest[..end.unwrap_or(rest.len())].to_owned());
            }
        }
    }
    rooms
}

#[test]
fn imports_point_down_only() {
    let mut wrong = Vec::new();
    for (file, text) in sources("src") {
        let own = room(&file);
        if own == "lib" {
            continue;
        }
        let Some(from) = floor(own) else {
            wrong.push(format!(
                "{file}: the room {own} is not in the plan of the house"
            ));
            continue;
        };
        for target in arrows(&code(&text)) {
            let Some(to) = floor(&target) else { continue };
            if target != own && to < from {
                wrong.push(format!("{file}: {own} looks up at {target}"));
            }
            let siblings = ["adapters", "discover", "store"];
            if target != own && siblings.contains(&own) && siblings.contains(&target.as_str()) {
                wrong.push(format!("{file}: {own} looks sideways at {target}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_pure_crates_know_no_outside() {
    let mut wrong = Vec::new();
    for folder in ["protocol/policy/src", "protocol/wire/src"] {
        for (file, text) in sources(folder) {
            let code = code(&text);
            let words = OUTSIDE
                .iter()
                .chain(CLOCKS)
                .chain(&["async ", ".await", "std::env", "tokio"]);
            for word in words {
                // Addresses are values; sockets are not.
                if code.contains(word) {
                    wrong.push(format!("{file}: {word}"));
                }
            }
        }
    }
    for (file, text) in sources("protocol/wire/src") {
        if code(&text).contains("hoplock_") {
            wrong.push(format!("{file}: hoplock-wire imports nothing of ours"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn only_the_rim_touches_network_disk_and_time() {
    let rim = ["adapters", "store", "serve", "report", "cli", "main"];
    let mut wrong = Vec::new();
    for (file, text) in sources("src") {
        let code = code(&text);
        if !rim.contains(&room(&file)) {
            for word in OUTSIDE.iter().filter(|word| code.contains(**word)) {
                wrong.push(format!("{file}: {word}"));
            }
        }
        let may_ask_the_time = [
            "src/adapters/clock.rs",
            "src/world/patience.rs",
            "src/world/scripted/mod.rs",
        ]
        .contains(&file.as_str());
        if !may_ask_the_time {
            for word in CLOCKS.iter().filter(|word| code.contains(**word)) {
                wrong.push(format!("{file}: {word}"));
            }
        }
        if room(&file) == "discover" && (code.contains("adapters") || code.contains("scripted")) {
            wrong.push(format!(
                "{file}: discover sees the world only through its traits"
            ));
        }
        if ["answer", "discover", "cache"].contains(&room(&file)) {
            for word in ["dane-only", "match=", "servername", "postfix::"] {
                if code.contains(word) {
                    wrong.push(format!("{file}: speaks an MTA's language: {word}"));
                }
            }
        }
    }
    for (file, text) in sources("protocol/policy/src/render") {
        if code(&text).contains("choose(") || code(&text).contains("decide(") {
            wrong.push(format!("{file}: rendering takes no decision"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn bytes_become_messages_in_hoplock_wire_only() {
    let mut wrong = Vec::new();
    for (file, text) in sources("src") {
        for word in ["NOTFOUND ", "b\"OK ", "TEMP \""] {
            if code(&text).contains(word) {
                wrong.push(format!("{file}: {word}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn files_stay_small() {
    let mut wrong = Vec::new();
    for folder in ["src", "protocol", "integration"] {
        for (file, text) in sources(folder) {
            let is_test = file.contains("/tests/");
            let lines = text.split("#[cfg(test)]").next().unwrap().lines().count();
            let excused = LARGE.iter().any(|(name, _)| *name == file);
            if lines > 400 && !excused && !is_test {
                wrong.push(format!(
                    "{file}: {lines} lines without tests, 400 are allowed"
                ));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_file_says_what_it_is() {
    let mut wrong = Vec::new();
    for folder in ["src", "protocol", "integration"] {
        for (file, text) in sources(folder) {
            if !text.starts_with("//!") {
                wrong.push(format!("{file}: no header"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
