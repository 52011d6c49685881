//! Whom a message reaches under an answer, by either kind of Postfix.

use hoplock_model::postfix::Reply;
use hoplock_model::{Anchor, Floor, Outcome, State, Truth};

use super::exceptions;
use super::judge::Case;
use super::mta::demanded;
use super::pins::{Reader, accepts, level, may_read, names, readers};
use super::violation::Breach;

impl Case<'_> {
    /// A host that a Postfix with DANE of its own gets to with less than is owed.
    pub(super) fn weaker(&self, reply: &Reply, truths: &[Truth]) -> Option<(Breach, String)> {
        for seeing in &self.postfix_sees() {
            let outcome = demanded(self.plan, reply, seeing);
            if is_below(outcome, self.plan.floor)
                && !exceptions::failed_for_us_alone(self, reply, seeing, outcome)
            {
                let words = format!("{} under {:?}", seeing.name, self.plan.floor);
                return Some((Breach::BelowFloor, words));
            }
            let permitted = truths
                .iter()
                .any(|truth| truth.permits(&seeing.name, outcome));
            if !permitted && !exceptions::excuse(self, reply, seeing, outcome) {
                let words = format!(
                    "{} ({:?}) gets {outcome:?}, owes {}",
                    seeing.name,
                    seeing.state,
                    duties(truths, &seeing.name)
                );
                return Some((Breach::Weaker, words));
            }
        }
        None
    }

    /// Somebody who reads a message that is not owed to him, wherever the attacker leads a Postfix without
    /// DANE of its own.
    pub(super) fn weaker_when_led(
        &self,
        reply: &Reply,
        anchors: &[Anchor],
        truths: &[Truth],
    ) -> Option<(Breach, String)> {
        let demands = level(reply, self.plan.floor);
        if demands == Outcome::Skip {
            return None;
        }
        if is_below(demands, self.plan.floor) {
            let words = format!("{demands:?} under {:?}", self.plan.floor);
            return Some((Breach::BelowFloor, words));
        }
        for name in names(self) {
            let accepted = readers(self, &name)
                .into_iter()
                .filter(|reader| accepts(self, reply, anchors, reader));
            for reader in accepted {
                let permits = |truth: &Truth| may_read(self, truth, &name, &reader);
                let is_permitted = truths.iter().any(permits)
                    || exceptions::excuse_when_led(self, reply, demands, &name, &reader, &permits);
                if !is_permitted {
                    let words = format!(
                        "{} ({:?}) reads it as {name} by {demands:?}, owes {}",
                        reader.who,
                        reader.leaf,
                        duties(truths, &name)
                    );
                    return Some((Breach::Weaker, words));
                }
            }
        }
        None
    }

    /// The same as [`Self::stranded`] for a Postfix without DANE of its own.
    pub(super) fn stranded_without_dane(
        &self,
        reply: &Reply,
        anchors: &[Anchor],
        truths: &[Truth],
    ) -> Option<String> {
        let hosts = truths.first().map_or(&[][..], |truth| &truth.hosts);
        let reached = hosts.iter().filter(|host| {
            let is_there = !matches!(host.state, State::Unreachable | State::AddressFailed);
            let reader = self.site.host(&host.name).map(Reader::of);
            is_there && reader.is_none_or(|reader| accepts(self, reply, anchors, &reader))
        });
        let reached = reached.map(|host| host.preference).min();
        self.short_of_the_best(reply, reached, truths)
    }
}

fn duties(truths: &[Truth], name: &str) -> String {
    let duties: Vec<String> = truths
        .iter()
        .map(|truth| format!("{:?}", truth.duty_of(name)))
        .collect();
    duties.join(" or ")
}

fn is_below(outcome: Outcome, floor: Floor) -> bool {
    match floor {
        Floor::May | Floor::Dane => false,
        Floor::Encrypt => outcome == Outcome::Clear,
        Floor::Secure => matches!(outcome, Outcome::Clear | Outcome::Encrypt),
    }
}
