//! Choice: among the answers that keep every host at its duty, the one that serves mail best.

use std::cmp::Reverse;

use super::duty::{Duty, duty, raised};
use super::outcome::{
    Candidate, Outcome, is_declared, is_exactly, is_named, keeps, once_resolved, outcome,
    understood,
};
use super::situation::Situation;
use super::verdict::Why;
use crate::profile::{Family, Floor, OwnDane, Profile};

/// What the MTA can do, as far as the choice needs it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Abilities {
    /// Its outcome function.
    pub family: Family,
    /// Its own default level.
    pub floor: Floor,
    /// Whether it does DANE by itself.
    pub own_dane: OwnDane,
    /// Whether it asks about each session, and keeps to the answer (Sendmail's session check).
    pub verifier: bool,
    /// How many addresses it tries; 0 is no limit.
    pub address_limit: usize,
    /// Pins also where they bend mail away from better hosts.
    pub strict: bool,
}

impl Abilities {
    /// What the law needs to know of the MTA of `profile`, once its own DANE was found out.
    #[must_use]
    pub fn of(profile: &Profile) -> Self {
        Self {
            family: profile.family,
            floor: profile.floor,
            own_dane: profile.own_dane,
            verifier: profile.verifier,
            address_limit: profile.address_limit,
            strict: profile.strict,
        }
    }
}

/// The chosen answer with everything that led to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Choice {
    /// The answer; `None` is TEMP.
    pub answer: Option<Candidate>,
    /// Duty of each host under the floor, in the order of the situation.
    pub duties: Vec<Duty>,
    /// Outcome of each host under the answer, in the same order.
    pub outcomes: Vec<Outcome>,
    /// True where nothing is demanded and the MTA's own default acts.
    pub nothing_owed: bool,
    /// DANE behind an insecure MX set is used.
    pub half_dane_used: bool,
    /// The answers that lost, and why.
    pub losers: Vec<(Candidate, Why)>,
}

/// Chooses the answer for one situation and one MTA.
#[must_use]
pub fn choose(situation: &Situation, abilities: Abilities) -> Choice {
    // PD-11: an MTA without DANE of its own takes its level `dane` for `may`.
    let abilities = match (abilities.own_dane, abilities.floor) {
        (OwnDane::No, Floor::Dane) => Abilities {
            floor: Floor::May,
            ..abilities
        },
        _ => abilities,
    };
    // An MTA without DANE of its own cannot make use of it.
    let half_dane_used = abilities.own_dane != OwnDane::No
        && situation.uses_half_dane(abilities.family, abilities.floor);
    let bare: Vec<Duty> = situation
        .hosts
        .iter()
        .map(|host| duty(host, situation, half_dane_used))
        .collect();
    let duties: Vec<Duty> = bare
        .iter()
        .map(|duty| raised(*duty, abilities.floor))
        .collect();
    let nothing_owed = bare.iter().all(|duty| *duty == Duty::Free) && !half_dane_used;
    if nothing_owed {
        // PD-12: "no policy" is "not found", so that the MTA's own default acts.
        let outcomes = outcomes(Candidate::NotFound, situation, &duties, abilities);
        let answer = Some(Candidate::NotFound);
        let losers = Vec::new();
        return Choice {
            answer,
            duties,
            outcomes,
            nothing_owed,
            half_dane_used,
            losers,
        };
    }
    let late = beyond_limit(situation, abilities.address_limit);
    let mut admissible = Vec::new();
    let mut losers = Vec::new();
    let understood = understood(&duties, abilities);
    for candidate in Candidate::ALL {
        if !understood.contains(&candidate) {
            // Exim is told none of them, and so none has lost; pins are for those without DANE.
            let is_told = match abilities.family {
                Family::Exim => false,
                Family::Pins => true,
                Family::Postfix | Family::Sendmail => {
                    !matches!(candidate, Candidate::Fingerprint | Candidate::Anchored)
                }
            };
            if is_told {
                losers.push((candidate, Why::NotUnderstood));
            }
            continue;
        }
        match admit(candidate, situation, &duties, abilities) {
            Ok(outcomes) => {
                let merit = merit(
                    candidate,
                    situation,
                    &outcomes,
                    &duties,
                    &late,
                    half_dane_used,
                );
                admissible.push((merit, candidate, outcomes));
            }
            Err(why) => losers.push((candidate, why)),
        }
    }
    admissible.sort_by_key(|(merit, ..)| *merit);
    let mut ranked = admissible.into_iter();
    let Some((best, answer, outcomes)) = ranked.next() else {
        let outcomes = vec![Outcome::Skip; duties.len()];
        return Choice {
            answer: None,
            duties,
            outcomes,
            nothing_owed,
            half_dane_used,
            losers,
        };
    };
    losers.extend(ranked.map(|(merit, candidate, _)| (candidate, merit.why_behind(&best))));
    losers.sort_by_key(|(candidate, _)| *candidate);
    Choice {
        answer: Some(answer),
        duties,
        outcomes,
        nothing_owed,
        half_dane_used,
        losers,
    }
}

/// The outcomes under an answer that the MTA understands, that delivers somewhere, and under which
/// no host falls below its duty; or why it is none of these.
fn admit(
    candidate: Candidate,
    situation: &Situation,
    duties: &[Duty],
    abilities: Abilities,
) -> Result<Vec<Outcome>, Why> {
    let outcomes = outcomes(candidate, situation, duties, abilities);
    let hosts = || situation.hosts.iter().zip(duties);
    if let Some(index) = hosts().zip(&outcomes).position(|((host, duty), out)| {
        !keeps(*out, *duty) && !is_declared(host, *duty, *out, situation, abilities)
            || abilities.strict
                && !keeps(
                    once_resolved(candidate, host, *duty, situation, abilities),
                    *duty,
                )
    }) {
        return Err(Why::WeakerThanDuty { host: index });
    }
    // PD-17: `secure` without names, which would match the next-hop domain instead, ends here too:
    // whoever stands in no list is skipped.
    if outcomes.iter().all(|outcome| *outcome == Outcome::Skip) {
        return Err(Why::DeliversNowhere);
    }
    // The same for an MTA that reaches others by its own DANE.
    let names_somebody =
        hosts().any(|(host, duty)| is_named(host.state, *duty, situation.mx, abilities));
    if candidate == Candidate::Secure && !names_somebody {
        return Err(Why::NamesNobody);
    }
    Ok(outcomes)
}

fn outcomes(
    candidate: Candidate,
    situation: &Situation,
    duties: &[Duty],
    abilities: Abilities,
) -> Vec<Outcome> {
    let hosts = situation.hosts.iter().zip(duties);
    hosts
        .map(|(host, duty)| outcome(candidate, host, *duty, situation, abilities))
        .collect()
}

/// Lower is better: the clauses (b) to (f) of the choice, in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Merit {
    /// (b) `dane` where half-DANE is used.
    half_dane: u8,
    /// (c) The best delivered tier; nobody is bent away from a better host.
    tier: u32,
    /// (d) Most hosts delivered.
    delivered: Reverse<usize>,
    /// (e) Most hosts at exactly their duty.
    exact: Reverse<usize>,
    /// (f) Failing closed first.
    candidate: Candidate,
}

impl Merit {
    fn why_behind(&self, best: &Self) -> Why {
        if self.half_dane != best.half_dane {
            Why::NotHalfDane
        } else if self.tier != best.tier {
            Why::BendsPreference
        } else if self.delivered != best.delivered {
            Why::DeliversFewer
        } else if self.exact != best.exact {
            Why::AsksMore
        } else {
            Why::FailsOpen
        }
    }
}

fn merit(
    candidate: Candidate,
    situation: &Situation,
    outcomes: &[Outcome],
    duties: &[Duty],
    late: &[bool],
    half_dane_used: bool,
) -> Merit {
    let mut tier = u32::MAX;
    let (mut delivered, mut exact) = (0, 0);
    for (((host, outcome), duty), late) in
        situation.hosts.iter().zip(outcomes).zip(duties).zip(late)
    {
        let seen = if *late { Outcome::Skip } else { *outcome };
        if seen != Outcome::Skip {
            tier = tier.min(u32::from(host.preference));
            delivered += 1;
        }
        exact += usize::from(is_exactly(seen, *duty));
    }
    Merit {
        half_dane: u8::from(half_dane_used && candidate != Candidate::Dane),
        tier,
        delivered: Reverse(delivered),
        exact: Reverse(exact),
        candidate,
    }
}

/// For each host, whether the addresses of all better tiers already reach the MTA's limit.
fn beyond_limit(situation: &Situation, limit: usize) -> Vec<bool> {
    let hosts = &situation.hosts;
    hosts
        .iter()
        .map(|host| {
            let better = hosts
                .iter()
                .filter(|other| other.preference < host.preference);
            limit != 0 && better.map(|other| other.addresses).sum::<usize>() >= limit
        })
        .collect()
}
