//! Prometheus as a process, and its HTTP interface.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde_json::Value;

use super::relay::get;
use crate::lab::servers::until;

/// Prometheus; it ends when this is dropped.
pub(super) struct Prometheus {
    child: Child,
    log: PathBuf,
}

/// A rule as Prometheus has read it.
pub(super) struct Rule {
    pub name: String,
    /// In its own spelling: one line, and no more parentheses than are needed.
    pub query: String,
    pub is_alert: bool,
    pub health: String,
    pub error: String,
}

impl Prometheus {
    pub(super) fn start(folder: &Path, config: &Path) -> Self {
        let log = folder.join("log");
        let mut command = Command::new("prometheus");
        command
            .arg(format!("--config.file={}", config.display()))
            .arg(format!(
                "--storage.tsdb.path={}",
                folder.join("data").display()
            ))
            .arg(format!("--web.listen-address={ADDRESS}"))
            .arg("--log.level=warn")
            .stdout(Stdio::null())
            .stderr(fs::File::create(&log).unwrap());
        let child = command
            .spawn()
            .unwrap_or_else(|error| panic!("prometheus cannot be started: {error}"));
        let own = Self { child, log };
        until("Prometheus", Duration::from_secs(20), || {
            get(ADDRESS, "/-/ready", "*/*").is_ok_and(|text| text.contains(" 200 "))
        });
        own
    }

    /// Warnings and worse.
    pub(super) fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap()
    }

    /// How many series an expression brings now.
    pub(super) fn ask(&self, query: &str) -> Result<usize, String> {
        let result = self.result(query)?;
        let series = result["result"].as_array().map_or(0, Vec::len);
        match result["resultType"].as_str() {
            Some("vector") => Ok(series),
            other => Err(format!("brings {other:?}, which is no vector")),
        }
    }

    /// The values of a label in what an expression brings now, sorted.
    pub(super) fn values(&self, query: &str, label: &str) -> Vec<String> {
        let result = self.result(query).unwrap();
        let series = result["result"].as_array().unwrap().iter();
        let values = series.map(|own| own["metric"][label].as_str().unwrap_or_default());
        let mut values: Vec<String> = values.map(ToOwned::to_owned).collect();
        values.sort();
        values
    }

    fn result(&self, query: &str) -> Result<Value, String> {
        let answer = self.api(&format!("query?query={}", encoded(query)));
        match answer["status"].as_str() {
            Some("success") => Ok(answer["data"].clone()),
            _ => Err(answer.to_string()),
        }
    }

    /// All rules.
    pub(super) fn rules(&self) -> Vec<Rule> {
        let answer = self.api("rules");
        let groups = answer["data"]["groups"].as_array().unwrap().iter();
        let rules = groups.flat_map(|group| group["rules"].as_array().unwrap());
        let word = |rule: &Value, key: &str| rule[key].as_str().unwrap_or_default().to_owned();
        rules
            .map(|rule| Rule {
                name: word(rule, "name"),
                query: word(rule, "query"),
                is_alert: rule["type"] == "alerting",
                health: word(rule, "health"),
                error: word(rule, "lastError"),
            })
            .collect()
    }

    fn api(&self, target: &str) -> Value {
        let text = get(ADDRESS, &format!("/api/v1/{target}"), "application/json").unwrap();
        let (_, body) = text.split_once("\r\n\r\n").unwrap();
        serde_json::from_str(body).unwrap_or_else(|error| panic!("{target}: {error}: {body}"))
    }
}

impl Drop for Prometheus {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// For the query of a URI.
fn encoded(text: &str) -> String {
    let octets = text.bytes().map(|byte| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'_' | b'-' | b'.' => {
            char::from(byte).to_string()
        }
        _ => format!("%{byte:02X}"),
    });
    octets.collect()
}

const ADDRESS: &str = "127.0.0.1:9090";
