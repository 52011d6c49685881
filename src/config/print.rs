//! The effective configuration, as text that reads back to the same value.

use std::fmt::Write as _;

use super::keys::KEYS;
use super::types::Config;

impl Config {
    /// Each key with its meaning, its requirement and its default.
    #[must_use]
    pub fn print(&self) -> String {
        let mut page = String::new();
        for key in KEYS.iter().filter(|key| key.section.is_empty()) {
            self.print_key(&mut page, key);
        }
        let mut section = "";
        for key in KEYS.iter().filter(|key| !key.section.is_empty()) {
            if key.section != section {
                section = key.section;
                let _ = writeln!(page, "\n[{section}]");
            }
            self.print_key(&mut page, key);
        }
        let mut section = "";
        for ((own, key), literal) in &self.written {
            if !own.starts_with("profile.") && !own.starts_with("rules.") {
                continue;
            }
            if own != section {
                section = own;
                let _ = writeln!(page, "\n[{section}]");
            }
            let _ = writeln!(page, "{key} = {literal}");
        }
        page
    }

    fn print_key(&self, page: &mut String, key: &super::keys::Key) {
        let place = (key.section.to_owned(), key.name.to_owned());
        let value = self.written.get(&place).map_or(key.default, String::as_str);
        let mut remark = format!("# {}", key.meaning);
        if !key.requirement.is_empty() {
            let _ = write!(remark, " ({})", key.requirement);
        }
        if value != key.default {
            let _ = write!(remark, "; default {}", key.default);
        }
        let _ = writeln!(page, "{remark}\n{} = {value}", key.name);
    }
}
