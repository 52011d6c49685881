//! The manual as programs read it: the pages, their fenced blocks, what stands before a block, links.
//!
//! * [`block`]: fenced blocks, and for which program each is. * [`mark`]: the comment before a block.
//! * [`links`]: links and anchors.
//!
//! `tests/manual.rs` holds what needs no server; the lab's stage `manual` runs the commands. The words of
//! the comments are in CONTRIBUTING.md, "Blocks of the manual".

use std::fs;
use std::path::{Path, PathBuf};

pub mod block;
pub mod links;
pub mod mark;

use block::Block;

/// One page of the manual.
pub struct Page {
    /// Its path from the root of the repository.
    pub name: String,
    pub text: String,
    pub blocks: Vec<Block>,
}

impl Page {
    /// Reads a text, or says what in it nobody understands.
    pub fn read(name: &str, text: &str) -> Result<Self, String> {
        let blocks = block::blocks(text).map_err(|words| format!("{name}:{words}"))?;
        Ok(Self {
            name: name.to_owned(),
            text: text.to_owned(),
            blocks,
        })
    }
}

/// All pages: those of the root that hold commands, then `docs/` by name.
pub fn pages() -> Result<Vec<Page>, String> {
    let mut names = vec!["README.md".to_owned(), "CONTRIBUTING.md".to_owned()];
    let mut found: Vec<String> = fs::read_dir(root().join("docs"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.ends_with(".md"))
        .map(|name| format!("docs/{name}"))
        .collect();
    found.sort();
    names.append(&mut found);
    names
        .iter()
        .map(|name| Page::read(name, &fs::read_to_string(root().join(name)).unwrap()))
        .collect()
}

/// The repository.
#[must_use]
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .unwrap()
        .to_path_buf()
}
