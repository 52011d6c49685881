//! What a run has shown, and what it has to show to count.

use std::collections::BTreeMap;

use super::base::Cell;
use super::differences::Side;
use super::dump;
use super::program::Verdict;
use super::run::Trial;

#[derive(Debug, Default)]
pub struct Tally {
    pub cases: u64,
    /// By OpenSSL.
    pub accepted: u64,
    /// Accepted cases by what matched.
    pub good: BTreeMap<Cell, u64>,
    /// Refused cases with one fact changed, by what matched in the accepted one that they come from.
    pub bad: BTreeMap<Cell, u64>,
    /// Cases that were judged by a real handshake too, and alike.
    pub handshakes: u64,
    /// Records that we would use and OpenSSL would not. That asks more of a host, never less: where
    /// Postfix is left with no record it goes on without authentication.
    pub usable_for_us: u64,
    /// Differences by their reason, and by who accepts.
    pub explained: BTreeMap<(&'static str, Side), u64>,
    /// By mutation: how often it was made, and how often it ended in a refusal.
    pub mutations: BTreeMap<&'static str, (u64, u64)>,
    /// Differences without a reason, and whatever else should not be; in words.
    pub unexplained: Vec<String>,
}

impl Tally {
    /// Both together.
    #[must_use]
    pub fn and(mut self, other: Self) -> Self {
        self.cases += other.cases;
        self.accepted += other.accepted;
        self.handshakes += other.handshakes;
        self.usable_for_us += other.usable_for_us;
        for (cell, count) in other.good {
            *self.good.entry(cell).or_default() += count;
        }
        for (cell, count) in other.bad {
            *self.bad.entry(cell).or_default() += count;
        }
        for (reason, count) in other.explained {
            *self.explained.entry(reason).or_default() += count;
        }
        for (name, (made, refused)) in other.mutations {
            let entry = self.mutations.entry(name).or_default();
            *entry = (entry.0 + made, entry.1 + refused);
        }
        self.unexplained.extend(other.unexplained);
        self
    }

    pub fn count(&mut self, trial: &Trial) {
        self.cases += 1;
        if let Some(cell) = cell(trial) {
            self.accepted += 1;
            *self.good.entry(cell).or_default() += 1;
        }
    }

    /// A base must be accepted where it was meant to be.
    pub fn count_base(&mut self, trial: &Trial, meant: Cell) {
        self.count(trial);
        if cell(trial) != Some(meant) {
            self.unexplained.push(dump::text(
                trial,
                &format!("a base that should show {meant:?}"),
            ));
        }
    }

    /// A mutant must differ from its base in one fact.
    pub fn count_mutant(&mut self, trial: &Trial, base: &Trial) {
        self.count(trial);
        let apart = base.plan.facts_apart(&trial.plan);
        if apart != 1 {
            self.unexplained.push(dump::text(
                trial,
                &format!("a mutant with {apart} facts changed"),
            ));
        }
        let refused = trial.theirs.accepted().is_none();
        if let (Some(cell), true) = (cell(base), refused) {
            *self.bad.entry(cell).or_default() += 1;
        }
        if let super::run::Made::Mutant(name) = trial.made {
            let entry = self.mutations.entry(name).or_default();
            *entry = (entry.0 + 1, entry.1 + u64::from(refused));
        }
    }

    /// The cells, as `usage selector matching @depth accepted/refused`.
    pub fn cells(&self) -> String {
        let count = |counts: &BTreeMap<Cell, u64>, cell: &Cell| {
            counts.get(cell).copied().unwrap_or_default()
        };
        let cells: Vec<String> = Cell::all()
            .iter()
            .map(|cell| {
                let (good, bad) = (count(&self.good, cell), count(&self.bad, cell));
                let Cell {
                    usage,
                    selector,
                    matching,
                    depth,
                } = cell;
                format!("{usage} {selector} {matching} @{depth} {good}/{bad}")
            })
            .collect();
        cells.join(", ")
    }

    /// What is missing for this run to count.
    pub fn shortcomings(&self) -> Vec<String> {
        let mut short = Vec::new();
        if self.accepted * 100 < self.cases * LEAST_ACCEPTED {
            short.push(format!("{} of {} accepted", self.accepted, self.cases));
        }
        for cell in Cell::all() {
            for (what, counts) in [("accepted", &self.good), ("refused", &self.bad)] {
                let count = counts.get(&cell).copied().unwrap_or_default();
                if count < LEAST_IN_CELL {
                    short.push(format!("{count} {what} for {cell:?}"));
                }
            }
        }
        short
    }
}

/// What matched in an accepted case.
fn cell(trial: &Trial) -> Option<Cell> {
    match trial.theirs.verdict {
        Verdict::Accepted {
            depth,
            record: [usage, selector, matching],
        } => Some(Cell {
            usage,
            selector,
            matching,
            depth,
        }),
        _ => None,
    }
}

/// Of a hundred.
const LEAST_ACCEPTED: u64 = 40;
const LEAST_IN_CELL: u64 = 20;
