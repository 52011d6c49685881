//! The registry of all figures, with the names that stand in it; its text in both formats.

use prometheus_client::encoding::text::encode;
use prometheus_client::registry::{Metric, Registry, Unit};

use super::tables::Durations;

/// Everything that is shown.
pub(super) struct Register {
    registry: Registry,
    names: Vec<String>,
}

impl Register {
    /// Nothing yet.
    pub(super) fn new() -> Self {
        Self {
            registry: Registry::with_prefix(PREFIX),
            names: Vec::new(),
        }
    }

    /// A figure by its name without prefix and suffix.
    pub(super) fn figure(&mut self, name: &str, help: &str, metric: impl Metric) {
        self.names.push(format!("{PREFIX}_{name}"));
        self.registry.register(name, help, metric);
    }

    /// A table of durations, whose name ends in their unit.
    pub(super) fn durations(&mut self, name: &str, help: &str, metric: Durations) {
        self.names.push(format!("{PREFIX}_{name}_seconds"));
        self.registry
            .register_with_unit(name, help, Unit::Seconds, metric);
    }

    /// What stands in it, whether there is something to show of it or not; counters without suffix.
    #[cfg(test)]
    pub(super) fn names(&self) -> &[String] {
        &self.names
    }

    /// As OpenMetrics.
    pub(super) fn open_metrics(&self) -> String {
        let mut text = String::new();
        // Writing to a String cannot fail.
        let _ = encode(&mut text, &self.registry);
        text
    }

    /// As Prometheus text 0.0.4: counters are named with their suffix there, and units are unknown.
    pub(super) fn prometheus(&self) -> String {
        let open = self.open_metrics();
        let counters: Vec<&str> = open
            .lines()
            .filter_map(|line| line.strip_prefix("# TYPE ")?.strip_suffix(" counter"))
            .collect();
        let mut text = String::with_capacity(open.len());
        for line in open.lines() {
            if line == "# EOF" || line.starts_with("# UNIT ") {
                continue;
            }
            let mut words = line.splitn(4, ' ');
            match (words.next(), words.next(), words.next(), words.next()) {
                (Some("#"), Some(kind), Some(name), Some(rest)) if counters.contains(&name) => {
                    text.push_str(&format!("# {kind} {name}_total {rest}\n"));
                }
                _ => {
                    text.push_str(line);
                    text.push('\n');
                }
            }
        }
        text
    }
}

const PREFIX: &str = "hoplock";
