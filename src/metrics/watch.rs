//! Figures of watched domains.

use hoplock_policy::moment::Timestamp;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;

use super::register::Register;
use crate::watch::WatchFigures;
use crate::watch::finding::{Kind, Severity};

/// Those of one daemon.
#[derive(Default)]
pub(super) struct WatchMetrics {
    findings: Family<FindingLabels, Gauge>,
    /// Without labels; a family, since it is absent until there is something to tell.
    looked: Family<NoLabels, Gauge>,
    first_end: Family<NoLabels, Gauge>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct FindingLabels {
    severity: &'static str,
    kind: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct NoLabels {}

impl WatchMetrics {
    pub(super) fn register(&self, register: &mut Register) {
        register.figure(
            "watch_findings",
            "What stands of the watched domains, by severity and kind",
            self.findings.clone(),
        );
        register.figure(
            "watch_last_look_timestamp_seconds",
            "When the last look at a watched domain ended, in seconds since 1970",
            self.looked.clone(),
        );
        register.figure(
            "watch_certificate_ends_in_seconds",
            "Until the first certificate of the watched mail hosts ends; negative when it has ended",
            self.first_end.clone(),
        );
    }

    pub(super) fn take_over(&self, figures: &WatchFigures, now: Timestamp) {
        let gauge = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
        // A severity that has none is 0, so that a rule over it sees alarms come.
        for severity in Severity::ALL {
            for kind in Kind::ALL {
                let count = figures.findings.get(&(severity, *kind));
                let is_listed = severity == Severity::Alarm && Kind::ALARMS.contains(kind);
                let labels = FindingLabels {
                    severity: severity.word(),
                    kind: kind.word(),
                };
                if count.is_none() && !is_listed {
                    self.findings.remove(&labels);
                    continue;
                }
                let count = count.copied().unwrap_or(0);
                self.findings
                    .get_or_create(&labels)
                    .set(i64::try_from(count).unwrap_or(i64::MAX));
            }
        }
        let set = |family: &Family<NoLabels, Gauge>, value: Option<i64>| match value {
            Some(value) => _ = family.get_or_create(&NoLabels {}).set(value),
            None => family.clear(),
        };
        set(&self.looked, figures.looked.map(|at| gauge(at.0 / 1000)));
        let left = figures
            .first_end
            .map(|end| end.saturating_sub(gauge(now.0 / 1000)));
        set(&self.first_end, left);
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn text(metrics: &WatchMetrics) -> String {
        let mut register = Register::new();
        metrics.register(&mut register);
        register.open_metrics()
    }

    /// Nothing is told before there is something to tell: a 0 would read as a certificate that has ended.
    #[test]
    fn figures_are_absent_until_known() {
        let metrics = WatchMetrics::default();
        let now = Timestamp(1_000_000);
        metrics.take_over(&WatchFigures::default(), now);
        let before = text(&metrics);
        assert!(!before.contains("ends_in_seconds{"), "{before}");
        assert!(
            before.contains("hoplock_watch_findings{severity=\"alarm\",kind=\"tlsa-no-match\"} 0")
        );
        let figures = WatchFigures {
            findings: BTreeMap::from([((Severity::Alarm, Kind::TlsaNoMatch), 2)]),
            looked: Some(now),
            first_end: Some(900),
        };
        metrics.take_over(&figures, now);
        let after = text(&metrics);
        for line in [
            "hoplock_watch_findings{severity=\"alarm\",kind=\"tlsa-no-match\"} 2",
            "hoplock_watch_last_look_timestamp_seconds{} 1000",
            "hoplock_watch_certificate_ends_in_seconds{} -100",
        ] {
            assert!(after.contains(line), "{line}\n{after}");
        }
    }
}
