//! Figures in fixed tables: each row is there beforehand, so that counting takes no lock and no memory.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use prometheus_client::encoding::{EncodeMetric, MetricEncoder, NoLabelSet};
use prometheus_client::metrics::MetricType;

/// What names a row: labels and their values.
pub(super) type Labels = Vec<(&'static str, &'static str)>;

/// Counters by labels that are known beforehand; a row is shown from its first count on.
#[derive(Clone, Debug)]
pub(super) struct Counts {
    rows: Arc<[(Labels, AtomicU64)]>,
}

impl Counts {
    /// A row for each of these, all at zero.
    pub(super) fn new(labels: impl Iterator<Item = Labels>) -> Self {
        Self {
            rows: labels.map(|own| (own, AtomicU64::new(0))).collect(),
        }
    }

    /// Counts one in the row at this place.
    pub(super) fn count(&self, place: usize) {
        if let Some((_, count)) = self.rows.get(place) {
            count.fetch_add(1, Ordering::Relaxed);
        }
    }
}

impl EncodeMetric for Counts {
    fn encode(&self, mut encoder: MetricEncoder<'_>) -> fmt::Result {
        for (labels, count) in self.rows.iter() {
            let count = count.load(Ordering::Relaxed);
            if count > 0 {
                let mut row = encoder.encode_family(labels)?;
                row.encode_counter::<NoLabelSet, _, u64>(&count, None)?;
            }
        }
        Ok(())
    }

    fn metric_type(&self) -> MetricType {
        MetricType::Counter
    }
}

/// Durations in buckets, by labels that are known beforehand; a row is shown from its first duration on.
/// An observation is two additions, one to a bucket and one to the sum.
#[derive(Clone, Debug)]
pub(super) struct Durations {
    rows: Arc<[(Labels, Buckets)]>,
}

#[derive(Debug, Default)]
struct Buckets {
    /// By the first bound that is not below the duration; beyond all bounds the last one.
    counts: [AtomicU64; BOUNDS.len() + 1],
    /// In nanoseconds: enough for five hundred years.
    sum: AtomicU64,
}

impl Durations {
    /// A row for each of these, all empty.
    pub(super) fn new(labels: impl Iterator<Item = Labels>) -> Self {
        Self {
            rows: labels.map(|own| (own, Buckets::default())).collect(),
        }
    }

    /// Counts one duration in the row at this place.
    pub(super) fn observe(&self, place: usize, took: Duration) {
        let Some((_, own)) = self.rows.get(place) else {
            return;
        };
        let bucket = BOUNDS.partition_point(|bound| *bound < took);
        if let Some(count) = own.counts.get(bucket) {
            count.fetch_add(1, Ordering::Relaxed);
        }
        let nanos = u64::try_from(took.as_nanos()).unwrap_or(u64::MAX);
        own.sum.fetch_add(nanos, Ordering::Relaxed);
    }
}

impl EncodeMetric for Durations {
    fn encode(&self, mut encoder: MetricEncoder<'_>) -> fmt::Result {
        let bounds = BOUNDS.iter().map(Duration::as_secs_f64);
        let bounds: Vec<f64> = bounds.chain([f64::INFINITY]).collect();
        for (labels, own) in self.rows.iter() {
            let counts = own
                .counts
                .each_ref()
                .map(|count| count.load(Ordering::Relaxed));
            // The number is that of the buckets, so that it fits them while others go on counting.
            let total = counts.iter().sum();
            if total == 0 {
                continue;
            }
            let sum = Duration::from_nanos(own.sum.load(Ordering::Relaxed)).as_secs_f64();
            let buckets: Vec<(f64, u64)> = bounds.iter().copied().zip(counts).collect();
            let mut row = encoder.encode_family(labels)?;
            row.encode_histogram::<NoLabelSet>(sum, total, &buckets, None)?;
        }
        Ok(())
    }

    fn metric_type(&self) -> MetricType {
        MetricType::Histogram
    }
}

/// Upper bounds: an answer from the cache takes microseconds, a lookup milliseconds, the longest deadline
/// of a profile that is built in is 20 s, and a policy host has a minute (RFC 8461, 3.3).
const BOUNDS: [Duration; 16] = [
    Duration::from_micros(10),
    Duration::from_micros(100),
    Duration::from_millis(1),
    Duration::from_millis(5),
    Duration::from_millis(10),
    Duration::from_millis(25),
    Duration::from_millis(50),
    Duration::from_millis(100),
    Duration::from_millis(250),
    Duration::from_millis(500),
    Duration::from_secs(1),
    Duration::from_millis(2_500),
    Duration::from_secs(5),
    Duration::from_secs(10),
    Duration::from_secs(20),
    Duration::from_secs(60),
];

#[cfg(test)]
mod tests {
    use prometheus_client::encoding::text::encode;
    use prometheus_client::registry::{Registry, Unit};

    use super::*;

    fn shown(metric: impl prometheus_client::registry::Metric) -> String {
        let mut registry = Registry::default();
        registry.register_with_unit("own", "Words", Unit::Seconds, metric);
        let mut text = String::new();
        encode(&mut text, &registry).unwrap();
        text
    }

    /// A duration is in each bucket whose bound it does not pass, in the sum, and nowhere else.
    #[test]
    fn a_duration_is_counted_where_it_belongs() {
        let table = Durations::new(["a", "b", "c"].map(|own| vec![("row", own)]).into_iter());
        for took in [
            Duration::from_micros(7),
            Duration::from_micros(10),
            Duration::from_micros(11),
            Duration::from_secs(61),
        ] {
            table.observe(1, took);
        }
        table.observe(2, Duration::from_secs(60));
        table.observe(3, Duration::from_secs(1));
        let text = shown(table);
        for line in [
            "own_seconds_bucket{le=\"0.00001\",row=\"b\"} 2",
            "own_seconds_bucket{le=\"0.0001\",row=\"b\"} 3",
            "own_seconds_bucket{le=\"60.0\",row=\"b\"} 3",
            "own_seconds_bucket{le=\"+Inf\",row=\"b\"} 4",
            "own_seconds_count{row=\"b\"} 4",
            "own_seconds_sum{row=\"b\"} 61.000028",
            "own_seconds_bucket{le=\"20.0\",row=\"c\"} 0",
            "own_seconds_bucket{le=\"60.0\",row=\"c\"} 1",
        ] {
            assert!(text.lines().any(|own| own == line), "{line}\n{text}");
        }
        assert!(!text.contains("row=\"a\""), "{text}");
    }

    /// What was never counted is not shown; a place beyond the table counts nothing.
    #[test]
    fn counts_are_shown_from_the_first_on() {
        let table = Counts::new(["a", "b"].map(|own| vec![("row", own)]).into_iter());
        table.count(1);
        table.count(1);
        table.count(2);
        let text = shown(table);
        let rows: Vec<&str> = text.lines().filter(|line| !line.starts_with('#')).collect();
        assert_eq!(rows, ["own_seconds_total{row=\"b\"} 2"]);
    }
}
