//! Both verdicts side by side: they agree, or there is a reason.

use super::differences::{Difference, Side, applying};
use super::dump;
use super::ours::Ours;
use super::plan::Plan;
use super::run::{Bench, Trial};

impl Bench {
    /// Counts a difference under its reason, or keeps it as one without.
    pub(super) fn compare(&mut self, trial: &Trial) {
        self.compare_usable(trial);
        let (what, who) = match (trial.theirs.accepted(), trial.ours.accepted()) {
            // We found something nearer or farther that OpenSSL did not.
            (Some(depth), Some(own)) if depth != own => ("another depth", Side::We),
            (Some(_), None) => ("another verdict", Side::OpenSsl),
            (None, Some(_)) => ("another verdict", Side::We),
            _ => return,
        };
        match self.reason(&trial.plan, who) {
            Some(difference) => {
                let explained = &mut self.tally.explained;
                *explained.entry((difference.reason, who)).or_default() += 1;
            }
            None => self.tally.unexplained.push(dump::text(trial, what)),
        }
    }

    /// A record that Postfix would use and we would not lets us ask less of a host than Postfix does.
    fn compare_usable(&mut self, trial: &Trial) {
        for (theirs, ours) in trial.theirs.usable.iter().zip(&trial.ours.usable) {
            match (theirs, ours) {
                (true, false) => {
                    let dump = dump::text(trial, "a record is usable for OpenSSL alone");
                    self.tally.unexplained.push(dump);
                }
                (false, true) => self.tally.usable_for_us += 1,
                _ => {}
            }
        }
    }

    /// The reason without whose facts both accept; where no single one will do, the first of several
    /// that do together.
    fn reason(&mut self, plan: &Plan, who_accepts: Side) -> Option<&'static Difference> {
        let applying = applying(plan, who_accepts);
        for difference in &applying {
            if (difference.cures)(plan, who_accepts)
                .iter()
                .any(|cured| self.accept(cured))
            {
                return Some(difference);
            }
        }
        let mut together = vec![plan.clone()];
        for difference in &applying {
            let cures = |plan: &Plan| (difference.cures)(plan, who_accepts);
            together = together
                .iter()
                .flat_map(cures)
                .take(MOST_TOGETHER)
                .collect();
        }
        let first = applying.first().copied();
        first.filter(|_| applying.len() > 1 && together.iter().any(|cured| self.accept(cured)))
    }

    /// Both accept, at the same depth.
    fn accept(&mut self, plan: &Plan) -> bool {
        let case = self.press.print(plan);
        let theirs = self.oracle.judge(&case).accepted();
        theirs.is_some() && theirs == Ours::judge(&case).accepted()
    }
}

/// Cures of several reasons are tried in so many combinations.
const MOST_TOGETHER: usize = 100;
