//! One fact of a case made another: what must be refused for it, and what must not.

mod chain;
mod fields;
mod issuers;
mod leaf;
mod names;
mod records;

use fastrand::Rng;

use super::draw::chance;
use super::keys::Digest;
use super::plan::Plan;

pub use self::leaf::ODD as LEAF_ODD;

/// A change of one fact.
pub struct Mutation {
    /// What is different, in words.
    pub name: &'static str,
    /// For which cases it should end in a refusal. OpenSSL has the last word.
    pub breaks: Breaks,
    /// Makes the change; false where there is nothing to change in this case.
    apply: fn(&mut Rng, &mut Plan) -> bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Breaks {
    Both,
    EndEntity,
    Anchor,
    Neither,
}

/// Several of them.
#[derive(Clone, Copy)]
pub struct Mutations(&'static [Mutation]);

impl Mutation {
    fn breaks(&self, plan: &Plan) -> bool {
        match self.breaks {
            Breaks::Both => true,
            Breaks::EndEntity => !plan.is_by_anchor(),
            Breaks::Anchor => plan.is_by_anchor(),
            Breaks::Neither => false,
        }
    }
}

impl Mutations {
    /// Makes any of the changes that can be made.
    pub fn apply_any(self, rng: &mut Rng, plan: &mut Plan) -> &'static str {
        loop {
            if let Some(name) = self.try_one(rng, plan, |_| true) {
                return name;
            }
        }
    }

    /// Tries one of those that are wanted. Not all can be made in every case.
    fn try_one(
        self,
        rng: &mut Rng,
        plan: &mut Plan,
        wanted: impl Fn(&Mutation) -> bool,
    ) -> Option<&'static str> {
        let wanted: Vec<&Mutation> = self.0.iter().filter(|one| wanted(one)).collect();
        let one = rng.choice(wanted)?;
        let mut changed = plan.clone();
        let is_other = (one.apply)(rng, &mut changed) && plan.facts_apart(&changed) > 0;
        is_other.then(|| {
            *plan = changed;
            one.name
        })
    }
}

/// Changes one fact that should end in a refusal.
pub fn break_one(rng: &mut Rng, plan: &mut Plan) -> &'static str {
    let before = plan.clone();
    change(rng, plan, |one| one.breaks(&before))
}

/// Changes one fact, whatever comes of it.
pub fn change_one(rng: &mut Rng, plan: &mut Plan) -> &'static str {
    change(rng, plan, |_| true)
}

/// Changes two to four facts, or all that an attacker would. Half of the time all are about issuers:
/// there one hides the other.
pub fn change_several(rng: &mut Rng, plan: &mut Plan) {
    if chance(rng, 10) {
        chain::attacker(rng, plan);
        return;
    }
    let about_issuers = rng.bool() && plan.story.path.len() > 1;
    for _ in 0..rng.usize(2..5) {
        if about_issuers {
            issuers::ALL.apply_any(rng, plan);
        } else if !plan.records.is_empty() {
            // Without any record there is nothing left to change the outcome.
            change_one(rng, plan);
        }
    }
}

fn change(rng: &mut Rng, plan: &mut Plan, wanted: impl Fn(&Mutation) -> bool) -> &'static str {
    loop {
        let list = any_list(rng);
        if let Some(name) = list.try_one(rng, plan, &wanted) {
            return name;
        }
    }
}

/// By what usually goes wrong, not by how long the lists are.
fn any_list(rng: &mut Rng) -> Mutations {
    match rng.u8(..100) {
        0..20 => records::ALL,
        20..45 => leaf::ODD,
        45..55 => leaf::WORSE,
        55..77 => issuers::ALL,
        77..88 => chain::ALL,
        _ => names::ALL,
    }
}

/// What RSA may sign with today.
pub const RSA_DIGESTS: [Digest; 4] = [
    Digest::Sha256,
    Digest::Sha384,
    Digest::Sha512,
    Digest::Pss256,
];
