//! Every verdict on a session against the model, and against who really stood at the other end: never
//! authenticated below its duty, never silent where more was owed, and no alarm for nothing.
//!
//! As with answers, a verdict may rest on anything that was true within the lifetimes of the records,
//! from before the session until the verdict.

use hoplock_model::{Duty, State, Truth};
use hoplock_policy::verify::SessionOutcome;

use super::super::exceptions;
use super::super::history::{Asked, History, Judged};
use super::super::judge::Case;
use super::super::plan::Plan;
use super::super::violation::{About, Breach, Violation};
use super::happened::Happened;
use super::keeping::Keeping;
use super::report::{authenticates_nobody, contact, own_name, refuses};
use super::{Contact, Evidence, Part, Shows, Word};

/// Judges all verdicts of a run.
pub(in super::super) fn judge(plan: &Plan, history: &History) -> Vec<Violation> {
    let happened = Happened::all(plan);
    let found = history.sessions.iter().filter_map(|judged| {
        let contact = contact(plan, judged.event)?;
        let happened = happened.get(judged.event)?.as_ref()?;
        // The same span, as if it were an answer that took so long.
        let asked = Asked {
            event: judged.event,
            key: plan.key(&contact.key),
            asked: happened.at,
            answered: judged.judged,
            reply: String::new(),
            anchors: None,
            row: "",
            reason: judged.reason,
        };
        let took = judged.judged - judged.reported;
        let judging = Judging {
            case: Case::spanning(plan, history, &asked, &contact.key, took, None)?,
            contact,
            happened,
            judged,
            next_hop: own_name(plan, &contact.key),
        };
        let (kind, words) = judging.breach()?;
        Some(Violation {
            kind,
            about: About::Session(judged.clone(), happened.clone()),
            key: contact.key.clone(),
            words,
        })
    });
    found.collect()
}

/// True where the mail server tells the truth, and checks what it must.
fn is_honest(contact: &Contact) -> bool {
    let report = &contact.report;
    contact.shows == Shows::Own
        && matches!(report.evidence, Evidence::None | Evidence::True)
        && report.word != Word::Careless
}

/// One verdict, and what is to be known about it.
struct Judging<'a> {
    case: Case<'a>,
    contact: &'a Contact,
    happened: &'a Happened,
    judged: &'a Judged,
    next_hop: String,
}

impl Judging<'_> {
    fn breach(&self) -> Option<(Breach, String)> {
        let outcome = self.judged.outcome;
        match outcome {
            _ if outcome.is_authenticated() => self.falsely_authenticated(),
            SessionOutcome::Encrypted | SessionOutcome::Cleartext => self.unalarmed(),
            _ => self.false_alarm(),
        }
    }

    /// Authenticated is only who is, under a duty that permits it.
    fn falsely_authenticated(&self) -> Option<(Breach, String)> {
        let is_so = |truth: &Truth| {
            let keeping = self.under(truth);
            if let Some(kept) = keeping.ordered() {
                return kept;
            }
            match self.judged.outcome {
                SessionOutcome::AuthenticatedDane => keeping.dane(),
                // RFC 8461, 2; PD-02: no policy makes up for records that do not match.
                SessionOutcome::AuthenticatedSts => keeping.sts() && keeping.duty() <= Duty::WebPki,
                _ => {
                    let is_owed = keeping.duty() == Duty::OwnNames
                        || exceptions::without_address(&self.case, self.happened);
                    keeping.own_names() && is_owed
                }
            }
        };
        if self.holds(&is_so) || exceptions::session(&self.case, self.happened, self.judged) {
            return None;
        }
        Some((Breach::FalselyAuthenticated, self.words()))
    }

    /// A session below its duty is an alarm, or open.
    fn unalarmed(&self) -> Option<(Breach, String)> {
        let is_encrypted = self.judged.outcome == SessionOutcome::Encrypted;
        if is_encrypted && !self.happened.is_encrypted() {
            let words = format!("nothing is hidden: {}", self.words());
            return Some((Breach::Unalarmed, words));
        }
        // SV-04: only a match makes up for what was below the duty at first sight.
        if self.judged.second_look {
            let words = format!("a second look took the alarm away: {}", self.words());
            return Some((Breach::Unalarmed, words));
        }
        if self.holds(&|truth| self.under(truth).keeps())
            || exceptions::session(&self.case, self.happened, self.judged)
        {
            return None;
        }
        Some((Breach::Unalarmed, self.words()))
    }

    /// In calm, a session that keeps its duty is no alarm, and where the report is whole, it is good.
    fn false_alarm(&self) -> Option<(Breach, String)> {
        // Of a resumed session the full handshake counts too.
        let handshake = contact(self.case.plan, self.happened.handshake);
        let is_honest = self.happened.untouched
            && is_honest(self.contact)
            && handshake.is_some_and(is_honest)
            && !refuses(self.case.plan, self.contact, self.happened)
            && !self.says_less()
            && !exceptions::is_given_dane(&self.case)
            && !exceptions::unreported(&self.case, self.happened, self.judged)
            && self.case.is_calm();
        if !is_honest || !self.keeps_everything() {
            return None;
        }
        match self.judged.outcome {
            SessionOutcome::Failed => Some((Breach::FalseAlarm, self.words())),
            SessionOutcome::Indeterminate if self.is_whole() => {
                Some((Breach::Undecided, self.words()))
            }
            _ => None,
        }
    }

    /// True where the mail server, which remembers no policy, says that it asked for less than was owed.
    fn says_less(&self) -> bool {
        let owes_more = |truth: &Truth| self.under(truth).duty() > Duty::Encrypt;
        authenticates_nobody(self.case.plan, self.contact, self.happened)
            && self.case.truths().iter().any(owes_more)
    }

    /// True where the report says all that it takes to judge.
    fn is_whole(&self) -> bool {
        let report = &self.contact.report;
        let has_all = report.left_out.iter().all(|part| *part == Part::Sni);
        has_all && !report.digests && !self.happened.resumed
    }

    /// Under every truth, with a host that every truth knows.
    fn keeps_everything(&self) -> bool {
        self.case.truths().iter().all(|truth| {
            let mut hosts = truth.hosts.iter();
            let is_known = hosts.any(|host| {
                let reached = !matches!(host.state, State::Unreachable | State::AddressFailed);
                host.name == self.happened.host && reached
            });
            is_known && self.under(truth).keeps()
        })
    }

    /// By one of the truths that the verdict may rest on.
    fn holds(&self, is_so: &dyn Fn(&Truth) -> bool) -> bool {
        self.case.truths().iter().any(is_so) || exceptions::relaxed(&self.case).iter().any(is_so)
    }

    fn under<'b>(&'b self, truth: &'b Truth) -> Keeping<'b> {
        Keeping {
            truth,
            happened: self.happened,
            next_hop: &self.next_hop,
        }
    }

    fn words(&self) -> String {
        let duties: Vec<String> = self
            .case
            .truths()
            .iter()
            .map(|truth| format!("{:?}", self.under(truth).duty()))
            .collect();
        format!(
            "{} for {} is called {} ({}), owes {}",
            self.happened.host,
            self.case.plan.key(&self.contact.key),
            self.judged.outcome.word(),
            self.judged.reason,
            duties.join(" or ")
        )
    }
}
