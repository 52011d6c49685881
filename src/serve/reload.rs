//! What a reload cannot change, and says so (OP-08).

use super::engine::fetch_options;
use crate::config::Config;

/// Says in the log what a reload left as it was.
pub(super) fn tell_what_is_kept(start: &Config, new: &Config) {
    let kept = taken_at_start(start, new);
    if !kept.is_empty() {
        tracing::warn!(
            "changed, but taken at the start only: {}; restart hoplock for them",
            kept.join(", ")
        );
    }
}

/// What a reload cannot change: parts of the configuration that differ from those of the start.
fn taken_at_start(start: &Config, new: &Config) -> Vec<&'static str> {
    let limits = |config: &Config| {
        let limits = &config.limits;
        let journal = (limits.journal_days, limits.journal_entries);
        let table = (limits.connections, limits.lookups, limits.cache_entries);
        (table, journal)
    };
    [
        ("[listen]", start.listen != new.listen),
        ("[dns]", start.dns != new.dns),
        (
            "[sts] port, roots, timeout",
            fetch_options(start) != fetch_options(new),
        ),
        ("[limits]", limits(start) != limits(new)),
        ("[log]", start.log != new.log),
        ("[store]", start.store != new.store),
        ("[sources]", start.sources != new.sources),
        (
            "[report] from, for the log of Postfix",
            start.report.from != new.report.from && start.sources.postfix_log.is_some(),
        ),
    ]
    .into_iter()
    .filter_map(|(name, differs)| differs.then_some(name))
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(text: &str) -> Config {
        Config::parse(text, &[]).0.unwrap()
    }

    #[test]
    fn what_needs_a_restart() {
        let start = config("");
        for (text, expected) in [
            ("", &[] as &[&str]),
            (
                "[dane]\nhalf_dane = false\n[rules.\"a.test\"]\nanswer = \"may\"",
                &[],
            ),
            ("[sts]\nenabled = false", &[]),
            ("[listen]\nmode = \"0600\"", &["[listen]"]),
            ("[dns]\nservers = [\"192.0.2.1\"]", &["[dns]"]),
            ("[sts]\nport = 8443", &["[sts] port, roots, timeout"]),
            (
                "[limits]\nconnections = 7\n[log]\nlevel = \"debug\"",
                &["[limits]", "[log]"],
            ),
            ("[store]\npath = \"/nowhere/hoplock.db\"", &["[store]"]),
            ("[limits]\njournal_days = 7", &["[limits]"]),
            ("[sources]\npostfix_log = \"journal\"", &["[sources]"]),
        ] {
            assert_eq!(taken_at_start(&start, &config(text)), expected, "{text}");
        }
    }
}
