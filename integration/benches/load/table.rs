//! From the figures of all rounds to tables in Markdown: medians with quartiles, and ratios within
//! a round, since two servers of one round met the same noise.

use std::fmt::Write as _;

use super::drive::{Figures, Transport};

/// The servers of a round, in the order of [`Cell::rounds`].
pub const HOPLOCK: usize = 0;
pub const NAMES: [&str; 5] = [
    "hoplock",
    "empty current_thread",
    "empty multi_thread",
    "control current_thread",
    "control multi_thread",
];
/// An empty server and its twin, by flavour.
const FLAVOURS: [(usize, usize, &str); 2] = [(1, 3, "current_thread"), (2, 4, "multi_thread")];

/// One transport and number of connections.
pub struct Cell {
    pub transport: Transport,
    pub connections: usize,
    pub rounds: Vec<[Figures; NAMES.len()]>,
}

type Pick = fn(&Figures) -> f64;

impl Cell {
    fn spread(&self, server: usize, pick: Pick) -> Spread {
        Spread::of(self.rounds.iter().map(|round| pick(&round[server])))
    }

    fn ratio(&self, above: usize, below: usize, pick: Pick) -> Spread {
        let rounds = self.rounds.iter();
        Spread::of(rounds.map(|round| pick(&round[above]) / pick(&round[below])))
    }

    /// The flavour of the empty server that needs less CPU here, with its twin.
    fn cheaper(&self) -> (usize, usize, &'static str) {
        let cpu = |server: usize| self.spread(server, CPU).median;
        let by_cpu = |(one, ..): &(usize, _, _), (other, ..): &(usize, _, _)| {
            cpu(*one).total_cmp(&cpu(*other))
        };
        FLAVOURS.into_iter().min_by(by_cpu).unwrap()
    }
}

/// Both tables.
pub fn tables(cells: &[Cell]) -> String {
    let mut text = String::from(
        "CPU is the server's own, in µs for one request.\n\n\
         | transport | connections | server | requests/s | median µs | p99 µs | CPU µs |\n\
         |---|---:|---|---:|---:|---:|---:|\n",
    );
    for cell in cells {
        for server in [HOPLOCK, 1, 2] {
            let _ = writeln!(
                text,
                "| {} | {} | {} | {} | {} | {} | {} |",
                cell.transport.word(),
                cell.connections,
                NAMES[server],
                cell.spread(server, |figures| figures.requests_per_second)
                    .show(0),
                cell.spread(server, |figures| figures.median).show(1),
                cell.spread(server, |figures| figures.p99).show(1),
                cell.spread(server, CPU).show(2),
            );
        }
    }
    text.push_str(
        "\nRatios within a round, against the flavour of the empty server that needs less CPU \
         there. A/A is a second instance of that flavour against the first: what chance alone \
         does.\n\n\
         | transport | connections | cheaper flavour | CPU, hoplock/empty | CPU, A/A | \
         requests/s, hoplock/empty | requests/s, A/A |\n\
         |---|---:|---|---:|---:|---:|---:|\n",
    );
    for cell in cells {
        let (empty, twin, flavour) = cell.cheaper();
        let speed: Pick = |figures| figures.requests_per_second;
        let _ = writeln!(
            text,
            "| {} | {} | {flavour} | {} | {} | {} | {} |",
            cell.transport.word(),
            cell.connections,
            cell.ratio(HOPLOCK, empty, CPU).show(2),
            cell.ratio(twin, empty, CPU).show(2),
            cell.ratio(HOPLOCK, empty, speed).show(2),
            cell.ratio(twin, empty, speed).show(2),
        );
    }
    text
}

const CPU: Pick = |figures| figures.cpu;

/// A median between its quartiles.
struct Spread {
    lower: f64,
    median: f64,
    upper: f64,
}

impl Spread {
    fn of(values: impl Iterator<Item = f64>) -> Self {
        let mut sorted: Vec<f64> = values.collect();
        sorted.sort_unstable_by(f64::total_cmp);
        let at = |quarters: usize| {
            let place = (sorted.len() - 1) * quarters;
            let (low, rest) = (sorted[place / 4], place % 4);
            let high = sorted[(place / 4 + 1).min(sorted.len() - 1)];
            low + (high - low) * [0.0, 0.25, 0.5, 0.75][rest]
        };
        Self {
            lower: at(1),
            median: at(2),
            upper: at(3),
        }
    }

    fn show(&self, digits: usize) -> String {
        let Self {
            lower,
            median,
            upper,
        } = self;
        format!("{median:.digits$} ({lower:.digits$} to {upper:.digits$})")
    }
}
