//! The last day as a drawing: how many destinations were asked about, by what protected them.
//!
//! Columns of ten minutes on top of each other, the strongest protection at the bottom. The drawing is
//! SVG in the page itself, coloured by the page's style; each column says its figures to those who point
//! at it, and the legend says the totals to everybody.

use std::fmt::Write as _;

use hoplock_policy::moment::Timestamp;
use maud::{Markup, html};

use super::words::{clock, count};
use crate::answer::{Counts, Day, Protection};

/// How a protection is called.
pub(super) fn name(protection: Protection) -> &'static str {
    match protection {
        Protection::Dane => "DANE",
        Protection::MtaSts => "MTA-STS",
        Protection::Pinned => "pinned",
        Protection::Encrypted => "encrypted",
        Protection::Clear => "clear",
        Protection::Waiting => "waiting",
    }
}

/// What it means, in a few words.
pub(super) fn meaning(protection: Protection) -> &'static str {
    match protection {
        Protection::Dane => "hosts must match their TLSA records",
        Protection::MtaSts => "hosts must show a valid certificate",
        Protection::Pinned => "hosts must show keys that are pinned",
        Protection::Encrypted => "TLS is demanded, no certificate",
        Protection::Clear => "TLS where it is offered, nothing demanded",
        Protection::Waiting => "mail is delayed, not sent weaker",
    }
}

/// The drawing and its legend.
pub(super) fn draw(day: &Day) -> Markup {
    let all: u64 = day.totals.iter().sum();
    html! {
        ul.legend {
            @for (protection, total) in Protection::ALL.into_iter().zip(day.totals) {
                li {
                    a href={ "/destinations?protection=" (protection.word()) } {
                        span class={ "swatch " (protection.word()) } {}
                        strong { (total) }
                        " " (name(protection))
                    }
                    small { (meaning(protection)) }
                }
            }
        }
        @if all == 0 {
            p.quiet { "No mail server has asked yet." }
        } @else {
            (columns(day))
        }
        @if day.is_cut { p.quiet { "There were more destinations than are counted." } }
    }
}

fn columns(day: &Day) -> Markup {
    let highest = day.slots.iter().map(|(_, counts)| counts.iter().sum());
    let top = round_up(highest.max().unwrap_or(0));
    let first = COLUMNS.saturating_sub(day.slots.len());
    let begun = day.slots.first().map(|(time, _)| *time);
    let words = format!(
        "Destinations in each ten minutes since {}, at most {top}",
        begun.map(clock).unwrap_or_default()
    );
    html! {
        svg.chart viewBox={ "0 0 " (WIDTH) " " (HEIGHT + BELOW) } role="img" aria-label=(words) {
            @for (height, label) in [(0, top), (HEIGHT / 2, top / 2)] {
                @if label > 0 {
                    line.grid x1="0" x2=(LEFT + COLUMNS * STEP) y1=(height) y2=(height) {}
                    text.label x="0" y=(height + 11) { (label) }
                }
            }
            line.axis x1="0" x2=(LEFT + COLUMNS * STEP) y1=(HEIGHT) y2=(HEIGHT) {}
            @for (index, protection) in Protection::ALL.into_iter().enumerate() {
                path class={ "column " (protection.word()) } d=(outline(day, first, index, top)) {}
            }
            @for (index, (begin, counts)) in day.slots.iter().enumerate() {
                @let left = LEFT + (first + index) * STEP;
                @if is_labelled(*begin) {
                    text.label x=(left) y=(HEIGHT + 14) { (clock(*begin)) }
                }
                rect.slot x=(left) y="0" width=(STEP) height=(HEIGHT) { title { (told(*begin, counts)) } }
            }
        }
    }
}

/// The outline of all pieces of one protection.
fn outline(day: &Day, first: usize, index: usize, top: u64) -> String {
    let mut path = String::new();
    for (slot, (_, counts)) in day.slots.iter().enumerate() {
        let below: u64 = counts.iter().take(index).sum();
        let own = counts.get(index).copied().unwrap_or(0);
        if own == 0 {
            continue;
        }
        let left = LEFT + (first + slot) * STEP;
        let (from, to) = (scaled(below, top), scaled(below + own, top));
        // What is there is seen, however little it is beside the rest.
        let height = to.saturating_sub(from).max(1);
        let width = STEP - 1;
        // Writing to a String cannot fail.
        let _ = write!(
            path,
            "M{left} {}h{width}v-{height}h-{width}z",
            HEIGHT.saturating_sub(from)
        );
    }
    path
}

fn scaled(count: u64, top: u64) -> u64 {
    count.saturating_mul(HEIGHT) / top.max(1)
}

/// Two, four or ten times a power of ten, so that half of it is a number that people know.
fn round_up(count: u64) -> u64 {
    let mut power: u64 = 1;
    loop {
        for step in [2, 4, 10] {
            let top = power.saturating_mul(step);
            if top >= count {
                return top;
            }
        }
        power = power.saturating_mul(10);
    }
}

/// A label at every third hour.
fn is_labelled(begin: Timestamp) -> bool {
    (begin.0 / 60_000) % 180 < 10
}

fn told(begin: Timestamp, counts: &Counts) -> String {
    let all = Protection::ALL.into_iter().zip(counts);
    let words: Vec<String> = all
        .filter(|(_, number)| **number > 0)
        .map(|(protection, number)| format!("{number} {}", name(protection)))
        .collect();
    let words = if words.is_empty() {
        count(0, "destination", "destinations")
    } else {
        words.join(", ")
    };
    format!("{}: {words}", clock(begin))
}

/// A day of ten minutes.
const COLUMNS: usize = 144;
/// Units for each.
const STEP: usize = 5;
/// Room for the labels of the axis.
const LEFT: usize = 34;
const WIDTH: usize = LEFT + COLUMNS * STEP;
const HEIGHT: u64 = 160;
/// Room for the times.
const BELOW: u64 = 20;

#[cfg(test)]
mod tests {
    use super::*;

    fn day(slots: &[Counts]) -> Day {
        let times = (0..).map(|slot| Timestamp(1_793_491_200_000 + slot * 600_000));
        Day {
            slots: times.zip(slots.iter().copied()).collect(),
            totals: slots.last().copied().unwrap_or_default(),
            is_cut: false,
        }
    }

    /// The latest column stands at the right edge, pieces stand on each other, small ones are seen.
    #[test]
    fn columns_stand_on_each_other() {
        let slots = [[0; 6], [300, 0, 0, 0, 99, 1]];
        let day = day(&slots);
        assert_eq!(round_up(400), 400);
        assert_eq!(outline(&day, 142, 0, 400), "M749 160h4v-120h-4z");
        assert_eq!(outline(&day, 142, 1, 400), "");
        assert_eq!(outline(&day, 142, 4, 400), "M749 40h4v-39h-4z");
        assert_eq!(outline(&day, 142, 5, 400), "M749 1h4v-1h-4z");
        let drawn = draw(&day).into_string();
        assert!(drawn.contains("<title>00:10: 300 DANE, 99 clear, 1 waiting</title>"));
        assert!(drawn.contains("00:00: 0 destinations"));
    }

    #[test]
    fn tops_that_people_know() {
        let tops = [0, 1, 2, 3, 5, 11, 21, 41, 100, 101].map(round_up);
        assert_eq!(tops, [2, 2, 2, 4, 10, 20, 40, 100, 100, 200]);
        assert!(round_up(u64::MAX) == u64::MAX);
    }
}
