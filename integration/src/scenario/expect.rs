//! What is expected of an answer, and of the questions that led to it.

use std::time::Duration;

use hoplock_policy::dns::Question;
use serde_json::Value;

use super::load::duration;
use super::words::{domain, type_of};

/// What came of the last question.
pub(super) struct Last {
    pub(super) json: Value,
    pub(super) asked: Vec<Question>,
    pub(super) fetched: usize,
    pub(super) waited: Duration,
    pub(super) replies: Vec<String>,
}

impl Last {
    pub(super) fn holds(&self, line: &str) -> Result<(), String> {
        let text = |pointer: &str| {
            let value = self.json.pointer(pointer).cloned().unwrap_or(Value::Null);
            value
                .as_str()
                .map_or_else(|| value.to_string(), ToOwned::to_owned)
        };
        let same = |found: String, wanted: &str| {
            if found == wanted {
                Ok(())
            } else {
                Err(format!("found {found:?}, expected {line:?}"))
            }
        };
        if let Some(rest) = line.strip_prefix("host ") {
            return self.host(rest, line);
        }
        if let Some(rest) = line.strip_prefix("asked ") {
            let (what, count) = rest.split_once(" = ").ok_or("write asked NAME TYPE = N")?;
            return same(self.count(what)?.to_string(), count);
        }
        if let Some(what) = line.strip_prefix("not asked ") {
            return same(self.count(what)?.to_string(), "0");
        }
        if let Some(wanted) = line.strip_prefix("reply begins ") {
            let found = text("/reply");
            return if found.starts_with(wanted) {
                Ok(())
            } else {
                same(found, wanted)
            };
        }
        if let Some(wanted) = line.strip_prefix("detail holds ") {
            let found = text("/detail");
            return if found.contains(wanted) {
                Ok(())
            } else {
                same(found, wanted)
            };
        }
        if let Some(wanted) = line.strip_prefix("waited under ") {
            let limit = duration(wanted)?;
            return if self.waited < limit {
                Ok(())
            } else {
                Err(format!("waited {:?}", self.waited))
            };
        }
        if let Some(wanted) = line.strip_prefix("warning holds ") {
            let found = text("/warnings");
            return if found.contains(wanted) {
                Ok(())
            } else {
                same(found, wanted)
            };
        }
        if line == "no wait" {
            return if self.waited.is_zero() {
                Ok(())
            } else {
                Err(format!("waited {:?}", self.waited))
            };
        }
        if line == "all replies equal" {
            let first = self.replies.first();
            return if self.replies.iter().all(|reply| Some(reply) == first) {
                Ok(())
            } else {
                Err(format!("{:?}", self.replies))
            };
        }
        let (name, wanted) = line.split_once(" = ").ok_or("write NAME = VALUE")?;
        // The blank at the end of NOTFOUND cannot be seen in a file.
        let wanted = if wanted == "NOTFOUND" {
            "NOTFOUND "
        } else {
            wanted
        };
        match name {
            "reply" | "row" | "reason" | "verdict" | "domain" | "rule" | "would_fail"
            | "expires_in" => same(text(&format!("/{name}")), wanted),
            "mx" => same(text("/mx/status"), wanted),
            "sts" => same(text("/sts/state"), wanted),
            "sts id" => same(text("/sts/id"), wanted),
            "sts source" => same(text("/sts/source"), wanted),
            "hosts" => same(
                self.json["mx"]["hosts"]
                    .as_array()
                    .unwrap()
                    .len()
                    .to_string(),
                wanted,
            ),
            "queries" => same(self.asked.len().to_string(), wanted),
            "fetches" => same(self.fetched.to_string(), wanted),
            _ => Err(format!("unknown word {name:?}")),
        }
    }

    /// `NAME state=… duty=… outcome=… base=… addresses=…`
    fn host(&self, rest: &str, line: &str) -> Result<(), String> {
        let mut words = rest.split_whitespace();
        let name = words.next().ok_or("host without a name")?;
        let hosts = self.json["mx"]["hosts"].as_array().unwrap();
        let host = hosts.iter().find(|host| host["host"] == name);
        let host = host.ok_or_else(|| format!("no host {name} in {hosts:?}"))?;
        for word in words {
            let (field, wanted) = word.split_once('=').ok_or("write field=value")?;
            let field = if field == "base" { "tlsa_base" } else { field };
            let found = &host[field];
            let found = found
                .as_str()
                .map_or_else(|| found.to_string(), ToOwned::to_owned);
            if found != wanted {
                return Err(format!("{name}: {field} is {found}, expected {line:?}"));
            }
        }
        Ok(())
    }

    /// `NAME TYPE`, `any TYPE`, `below NAME`.
    fn count(&self, what: &str) -> Result<usize, String> {
        let words: Vec<&str> = what.split_whitespace().collect();
        Ok(match words.as_slice() {
            ["any", kind] => {
                let kind = type_of(kind)?;
                self.asked
                    .iter()
                    .filter(|question| question.record_type == kind)
                    .count()
            }
            ["below", suffix] => {
                let suffix = format!(".{suffix}");
                self.asked
                    .iter()
                    .filter(|q| q.name.as_str().ends_with(&suffix))
                    .count()
            }
            [name, kind] => {
                let question = Question::new(domain(name)?, type_of(kind)?);
                self.asked
                    .iter()
                    .filter(|asked| **asked == question)
                    .count()
            }
            _ => return Err("write asked NAME TYPE = N".to_owned()),
        })
    }
}
