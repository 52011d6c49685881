//! The search of `search.rs` for a Postfix without DANE of its own: pins, trust anchors, the declared cell.
//! Duty, outcome and choice are stated here a second time, from the texts, so that the law is not measured
//! against itself. What Postfix does with the words in a session stands in `pins_model.rs`.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::too_many_lines,
    reason = "tests"
)]

mod restated;

use std::cmp::Reverse;
use std::collections::BTreeMap;

use hoplock_policy::law::choice::{Abilities, Choice, choose};
use hoplock_policy::law::duty::Duty;
use hoplock_policy::law::outcome::{Candidate, Outcome};
use hoplock_policy::law::situation::{HostSituation, HostState, MxSecurity, Situation};
use hoplock_policy::profile::{Family, Floor, OwnDane};
use restated::{duty, each_situation, is_usable, sets_of};

/// State, whether its records can be pinned, whether a trust anchor of it is known.
const KINDS: [(HostState, bool, bool); 9] = [
    (HostState::UsableEndEntity, true, false),
    // DT-17: in another digest only, without a trust anchor and with one.
    (HostState::UsableEndEntity, false, false),
    (HostState::UsableEndEntity, false, true),
    // DT-16: before the probe, and after it.
    (HostState::UsableTrustAnchor, false, false),
    (HostState::UsableTrustAnchor, false, true),
    (HostState::Unusable, false, false),
    (HostState::NoneSecure, false, false),
    (HostState::Failed, false, false),
    (HostState::AddressFailed, false, false),
];
const FLOORS: [Floor; 4] = [Floor::May, Floor::Dane, Floor::Encrypt, Floor::Secure];

/// Every multiset of one to three hosts, in two tiers.
fn host_sets() -> Vec<Vec<HostSituation>> {
    let mut all = Vec::new();
    for preference in [10, 20] {
        for (state, pinned, anchored) in KINDS {
            for listed in [false, true] {
                all.push(HostSituation {
                    preference,
                    state,
                    listed,
                    addresses: usize::from(state != HostState::AddressFailed),
                    pinned,
                    anchored,
                });
            }
        }
    }
    sets_of(&all)
}

fn abilities(floor: Floor, strict: bool) -> Abilities {
    Abilities {
        family: Family::Pins,
        floor,
        own_dane: OwnDane::No,
        verifier: false,
        address_limit: 0,
        strict,
    }
}

fn each(mut check: impl FnMut(&Situation, Abilities, &Choice)) -> usize {
    let mut count = 0;
    each_situation(host_sets(), true, |situation| {
        for floor in FLOORS {
            for strict in [false, true] {
                let abilities = abilities(floor, strict);
                check(situation, abilities, &choose(situation, abilities));
                count += 1;
            }
        }
    });
    count
}

fn is_enough(outcome: Outcome, duty: Duty) -> bool {
    match (outcome, duty) {
        (Outcome::Skip, _) | (_, Duty::Free) => true,
        (_, Duty::Refuse) => false,
        (outcome, Duty::Encrypt) => outcome != Outcome::Clear,
        (outcome, duty) => is_exact(outcome, duty),
    }
}

fn is_exact(outcome: Outcome, duty: Duty) -> bool {
    matches!(
        (outcome, duty),
        (Outcome::Clear, Duty::Free)
            | (Outcome::Encrypt, Duty::Encrypt)
            | (Outcome::WebPki, Duty::WebPki)
            | (Outcome::OwnWebPki, Duty::OwnWebPki)
            | (Outcome::Dane, Duty::Dane)
            | (Outcome::Skip, Duty::Refuse)
    )
}

/// What a Postfix without DNSSEC does to a host, stated anew from its manual and what was seen of it.
fn does(answer: Candidate, host: &HostSituation, situation: &Situation, floor: Floor) -> Outcome {
    if host.state == HostState::AddressFailed {
        return Outcome::Skip;
    }
    when_reached(answer, host, situation, floor)
}

/// The same for a host that it resolves.
fn when_reached(
    answer: Candidate,
    host: &HostSituation,
    situation: &Situation,
    floor: Floor,
) -> Outcome {
    let known = situation.mx == MxSecurity::Secure && is_usable(host);
    let or_skip = |good: bool, outcome: Outcome| if good { outcome } else { Outcome::Skip };
    match answer {
        Candidate::Fingerprint => or_skip(known && host.pinned, Outcome::Dane),
        Candidate::Anchored => or_skip(known && host.anchored, Outcome::Dane),
        Candidate::Secure => {
            let named = duty(host, situation, floor) == Duty::WebPki;
            or_skip(named, Outcome::WebPki)
        }
        Candidate::Encrypt => Outcome::Encrypt,
        Candidate::NotFound => match floor {
            Floor::May | Floor::Dane => Outcome::Clear,
            Floor::Encrypt => Outcome::Encrypt,
            Floor::Secure => Outcome::OwnWebPki,
        },
        Candidate::DaneOnly | Candidate::Dane => panic!("never said"),
    }
}

/// F's sentence: where the best tier owes nothing beyond encryption, usable hosts behind it owe no more than
/// that either. All cells, and no others.
fn is_declared(
    host: &HostSituation,
    outcome: Outcome,
    situation: &Situation,
    abilities: Abilities,
) -> bool {
    let there = situation
        .hosts
        .iter()
        .filter(|host| host.state != HostState::AddressFailed);
    let Some(best) = there.clone().map(|host| host.preference).min() else {
        return false;
    };
    let tier: Vec<Duty> = there
        .filter(|host| host.preference == best)
        .map(|host| duty(host, situation, abilities.floor))
        .collect();
    let tls = tier.contains(&Duty::Encrypt);
    !abilities.strict
        && situation.mx == MxSecurity::Secure
        && is_usable(host)
        && host.preference > best
        && tier
            .iter()
            .all(|duty| matches!(duty, Duty::Free | Duty::Encrypt))
        && (!tls || outcome != Outcome::Clear)
}

const WORDS: [Candidate; 5] = [
    Candidate::Fingerprint,
    Candidate::Anchored,
    Candidate::Secure,
    Candidate::Encrypt,
    Candidate::NotFound,
];

/// The choice, stated anew: (a) to (f) over the five answers that such a Postfix is told.
fn chosen(situation: &Situation, abilities: Abilities) -> Option<Candidate> {
    let floor = abilities.floor;
    let admitted = WORDS.into_iter().enumerate().filter_map(|(place, answer)| {
        let (mut tier, mut delivered, mut exact) = (u16::MAX, 0, 0);
        for host in &situation.hosts {
            let owed = duty(host, situation, floor);
            let done = does(answer, host, situation, floor);
            if !is_enough(done, owed) && !is_declared(host, done, situation, abilities) {
                return None;
            }
            // DT-13a: with `strict`, who does not resolve for us may resolve for Postfix.
            if abilities.strict && !is_enough(when_reached(answer, host, situation, floor), owed) {
                return None;
            }
            if done != Outcome::Skip {
                tier = tier.min(host.preference);
                delivered += 1;
            }
            exact += usize::from(is_exact(done, owed));
        }
        (delivered > 0).then_some(((tier, Reverse(delivered), Reverse(exact), place), answer))
    });
    admitted
        .min_by_key(|(merit, _)| *merit)
        .map(|(_, answer)| answer)
}

/// PD-04, PD-16, PD-18, FT-02: the answer is the best of those that keep every host at its duty; no outcome
/// falls below one, save in the declared cell, which occurs; mail waits only where no answer would do.
#[test]
fn no_outcome_falls_below_its_duty() {
    let (mut declared, mut answers) = (0, BTreeMap::new());
    let count = each(|situation, abilities, choice| {
        let floor = abilities.floor;
        let bare: Vec<Duty> = situation
            .hosts
            .iter()
            .map(|host| duty(host, situation, Floor::May))
            .collect();
        let expected = if bare.iter().all(|duty| *duty == Duty::Free) {
            // PD-12: where nothing is owed, nothing is said.
            Some(Candidate::NotFound)
        } else {
            chosen(situation, abilities)
        };
        assert_eq!(choice.answer, expected, "{situation:#?} {abilities:?}");
        *answers.entry(choice.answer).or_insert(0_usize) += 1;
        for (host, (own, outcome)) in situation
            .hosts
            .iter()
            .zip(choice.duties.iter().zip(&choice.outcomes))
        {
            let owed = duty(host, situation, floor);
            assert_eq!(*own, owed, "{host:?} of {situation:#?} {abilities:?}");
            let done = match choice.answer {
                Some(answer) => does(answer, host, situation, floor),
                None => Outcome::Skip,
            };
            assert_eq!(*outcome, done, "{host:?} of {situation:#?} {abilities:?}");
            if !is_enough(done, owed) {
                declared += 1;
                assert!(
                    is_declared(host, done, situation, abilities),
                    "{:?} gives {done:?} to {host:?} of {situation:#?} {abilities:?}",
                    choice.answer
                );
            }
        }
    });
    assert!(count > 150_000, "searched only {count}");
    assert!(declared > 300, "only {declared} declared cells occur");
    assert_eq!(answers.len(), WORDS.len() + 1, "{answers:?}");
    assert!(answers.values().all(|count| *count > 400), "{answers:?}");
}

/// PF-10, PD-17, DT-16: no list is empty: whoever is pinned, anchored or named is there.
#[test]
fn every_answer_lists_somebody() {
    each(|situation, abilities, choice| {
        let hosts = || situation.hosts.iter().zip(&choice.outcomes);
        let used = |outcome: Outcome| hosts().any(|(_, own)| *own == outcome);
        let good = match choice.answer {
            Some(Candidate::Fingerprint) => {
                used(Outcome::Dane)
                    && hosts().all(|(host, own)| *own != Outcome::Dane || host.pinned)
            }
            Some(Candidate::Anchored) => {
                used(Outcome::Dane)
                    && hosts().all(|(host, own)| *own != Outcome::Dane || host.anchored)
            }
            Some(Candidate::Secure) => used(Outcome::WebPki),
            _ => !used(Outcome::Dane) && !used(Outcome::WebPki),
        };
        assert!(good, "{situation:#?} {abilities:?} {choice:#?}");
    });
}

/// OP-06, DT-13a: `strict` changes exactly the situations in which a host would get less than its records ask
/// for, or could where its addresses are hidden from the service alone.
#[test]
fn strict_changes_no_other_cell() {
    let (mut changed, mut hidden) = (0, 0);
    each(|situation, abilities, lax| {
        if abilities.strict {
            return;
        }
        let strict = Abilities {
            strict: true,
            ..abilities
        };
        let strict = choose(situation, strict);
        let falls_short = lax
            .duties
            .iter()
            .zip(&lax.outcomes)
            .any(|(duty, outcome)| !is_enough(*outcome, *duty));
        let hides = |answer| {
            let mut hosts = situation.hosts.iter().zip(&lax.duties);
            hosts.any(|(host, owed)| {
                let done = when_reached(answer, host, situation, abilities.floor);
                host.state == HostState::AddressFailed && !is_enough(done, *owed)
            })
        };
        let is_hidden = lax.answer.is_some_and(hides);
        let differs = (strict.answer, &strict.outcomes) != (lax.answer, &lax.outcomes);
        let expected = falls_short || is_hidden;
        assert_eq!(differs, expected, "{situation:#?} {abilities:?}");
        changed += usize::from(falls_short);
        hidden += usize::from(is_hidden);
    });
    assert!(changed > 200, "only {changed}");
    assert!(hidden > 200, "only {hidden}");
}

/// PD-14: the same hosts in another order come out the same.
#[test]
fn order_is_of_no_consequence() {
    each(|situation, abilities, one| {
        let mut turned = situation.clone();
        turned.hosts.rotate_left(1);
        let other = choose(&turned, abilities);
        let mut outcomes = other.outcomes;
        outcomes.rotate_right(1);
        assert_eq!(
            (one.answer, &one.outcomes),
            (other.answer, &outcomes),
            "{situation:#?}"
        );
    });
}

/// PD-11: an MTA without DANE is never told a word of it, and hears why.
#[test]
fn no_word_of_dane_is_said() {
    use hoplock_policy::law::Why;
    each(|situation, _, choice| {
        let said = matches!(choice.answer, Some(Candidate::Dane | Candidate::DaneOnly));
        assert!(!said, "{situation:#?}");
        for word in [Candidate::Dane, Candidate::DaneOnly] {
            let lost = choice.losers.contains(&(word, Why::NotUnderstood));
            assert!(lost || choice.nothing_owed, "{situation:#?}");
        }
    });
}
