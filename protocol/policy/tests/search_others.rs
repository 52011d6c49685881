//! The search of `search.rs` for the other families: Exim, which gets each host's duty, and Sendmail with
//! and without DANE of its own and its session check. Duty and outcome are stated here a second time, from
//! the texts, so that the law is not measured against itself. What Sendmail reads of each answer stands in
//! `sendmail_model.rs`.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::too_many_lines,
    reason = "tests"
)]

mod restated;

use hoplock_policy::law::choice::{Abilities, Choice, choose};
use hoplock_policy::law::duty::Duty;
use hoplock_policy::law::outcome::{Candidate, Outcome};
use hoplock_policy::law::situation::{HostSituation, HostState, MxSecurity, Situation};
use hoplock_policy::profile::{Family, Floor, OwnDane};
use restated::{duty, each_situation, sets_of};

const STATES: [HostState; 6] = [
    HostState::UsableEndEntity,
    HostState::UsableTrustAnchor,
    HostState::Unusable,
    HostState::NoneSecure,
    HostState::Failed,
    HostState::AddressFailed,
];
const FLOORS: [Floor; 4] = [Floor::May, Floor::Dane, Floor::Encrypt, Floor::Secure];

/// Every multiset of one to three hosts, in two tiers.
fn host_sets() -> Vec<Vec<HostSituation>> {
    let mut all = Vec::new();
    for preference in [10, 20] {
        for state in STATES {
            for listed in [false, true] {
                let addresses = usize::from(state != HostState::AddressFailed);
                all.push(HostSituation {
                    preference,
                    state,
                    listed,
                    addresses,
                    pinned: false,
                    anchored: false,
                });
            }
        }
    }
    sets_of(&all)
}

fn each(family: Family, mut check: impl FnMut(&Situation, Abilities, &Choice)) -> usize {
    let mut count = 0;
    each_situation(host_sets(), true, |situation| {
        for floor in FLOORS {
            for own_dane in [OwnDane::Auto, OwnDane::Yes, OwnDane::No] {
                for verifier in [false, true] {
                    // The session check is Sendmail's.
                    if verifier && family != Family::Sendmail {
                        continue;
                    }
                    let abilities = Abilities {
                        family,
                        floor,
                        own_dane,
                        verifier,
                        address_limit: 0,
                        strict: false,
                    };
                    check(situation, abilities, &choose(situation, abilities));
                    count += 1;
                }
            }
        }
    });
    count
}

fn exact(duty: Duty) -> Outcome {
    match duty {
        Duty::Free => Outcome::Clear,
        Duty::Encrypt => Outcome::Encrypt,
        Duty::WebPki => Outcome::WebPki,
        Duty::OwnWebPki => Outcome::OwnWebPki,
        Duty::Dane => Outcome::Dane,
        Duty::Refuse => Outcome::Skip,
    }
}

fn is_enough(outcome: Outcome, duty: Duty) -> bool {
    match duty {
        _ if outcome == Outcome::Skip => true,
        Duty::Free => true,
        Duty::Encrypt => outcome != Outcome::Clear,
        duty => outcome == exact(duty),
    }
}

/// What Sendmail does to a host under an answer, stated anew from its rulesets and what was seen of it:
/// DANE where it has any, `secure` for the others, and nothing by any other word.
fn by_sendmail(
    answer: Candidate,
    host: &HostSituation,
    situation: &Situation,
    abilities: Abilities,
) -> Outcome {
    if host.state == HostState::AddressFailed {
        return Outcome::Skip;
    }
    let looks = abilities.own_dane == OwnDane::Yes && situation.mx == MxSecurity::Secure;
    if looks && host.state != HostState::NoneSecure {
        return match host.state {
            HostState::Unusable => Outcome::Encrypt,
            HostState::Failed => Outcome::Skip,
            _ => Outcome::Dane,
        };
    }
    match (answer, abilities.floor) {
        (Candidate::Secure, _) if duty(host, situation, abilities.floor) == Duty::WebPki => {
            Outcome::WebPki
        }
        (Candidate::Secure, _) => Outcome::Skip,
        (_, Floor::Encrypt) => Outcome::Encrypt,
        (_, Floor::Secure) => Outcome::OwnWebPki,
        _ => Outcome::Clear,
    }
}

/// The cells in which Sendmail is let fall below a duty; all of them, and no others: a host whose TLSA
/// records are all unusable, under an enforced policy that names it, where Sendmail's own DANE decides and
/// no session check stands above it (DT-09s, DT-10s, DT-11s, DT-14s).
fn is_declared(host: &HostSituation, situation: &Situation, abilities: Abilities) -> bool {
    abilities.own_dane == OwnDane::Yes
        && !abilities.verifier
        && situation.mx == MxSecurity::Secure
        && situation.enforce
        && !situation.mandatory
        && host.listed
        && host.state == HostState::Unusable
}

/// PD-04, PD-16, PD-18: Exim gives each host exactly its duty, under any floor and whatever it does by
/// itself; mail waits only where every host must be refused.
#[test]
fn exim_gives_each_host_its_duty() {
    let mut words = std::collections::BTreeSet::new();
    let count = each(Family::Exim, |situation, abilities, choice| {
        let duties: Vec<Duty> = situation
            .hosts
            .iter()
            .map(|host| duty(host, situation, abilities.floor))
            .collect();
        assert_eq!(choice.duties, duties, "{situation:#?} {abilities:?}");
        let outcomes: Vec<Outcome> = duties.iter().map(|duty| exact(*duty)).collect();
        assert_eq!(choice.outcomes, outcomes, "{situation:#?} {abilities:?}");
        let all_refused = duties.iter().all(|duty| *duty == Duty::Refuse);
        assert_eq!(
            choice.answer.is_none(),
            all_refused,
            "{situation:#?} {abilities:?}"
        );
        // None of the other families' words lost: Exim is told none.
        assert_eq!(choice.losers, Vec::new());
        assert!(!choice.half_dane_used);
        let Some(answer) = choice.answer else { return };
        words.insert(answer);
        let used: Vec<Duty> = duties
            .iter()
            .copied()
            .filter(|duty| *duty != Duty::Refuse)
            .collect();
        let refused = used.len() < duties.len();
        let all = |wanted: Duty| used.iter().all(|duty| *duty == wanted);
        let expected = if all(Duty::Dane) {
            Candidate::DaneOnly
        } else if all(Duty::WebPki) {
            Candidate::Secure
        } else if used.contains(&Duty::Dane) || (refused && all(Duty::Free)) {
            Candidate::Dane
        } else if used.contains(&Duty::Encrypt) && !choice.nothing_owed {
            Candidate::Encrypt
        } else {
            Candidate::NotFound
        };
        assert_eq!(answer, expected, "{situation:#?} {abilities:?}");
    });
    assert!(count > 50_000, "searched only {count}");
    assert_eq!(words.len(), 5, "{words:?}");
}

/// PD-16, PD-11, MX-13: under no answer does a Sendmail send mail to a host below its duty, save in the
/// declared cells, which occur.
#[test]
fn sendmail_falls_below_no_duty() {
    let (mut declared, mut answers) = (0, std::collections::BTreeSet::new());
    let count = each(Family::Sendmail, |situation, abilities, choice| {
        for (host, (own, outcome)) in situation
            .hosts
            .iter()
            .zip(choice.duties.iter().zip(&choice.outcomes))
        {
            let owed = duty(host, situation, abilities.floor);
            assert_eq!(*own, owed, "{situation:#?} {abilities:?}");
            let Some(answer) = choice.answer else {
                assert_eq!(*outcome, Outcome::Skip);
                continue;
            };
            // What it does by itself, and what its session check leaves of it.
            let mut done = by_sendmail(answer, host, situation, abilities);
            if abilities.verifier && !is_enough(done, owed) {
                done = exact(owed);
            }
            assert_eq!(
                *outcome, done,
                "{answer:?}: {host:?} of {situation:#?} {abilities:?}"
            );
            if is_enough(done, owed) {
                continue;
            }
            declared += 1;
            assert!(
                is_declared(host, situation, abilities),
                "{answer:?} gives {done:?} to {host:?} of {situation:#?} {abilities:?}"
            );
        }
        answers.extend(choice.answer);
    });
    assert!(count > 100_000, "searched only {count}");
    assert!(declared > 500, "only {declared} declared cells occur");
    // PD-11: no word that Sendmail ignores.
    let understood = [Candidate::Secure, Candidate::NotFound];
    assert_eq!(answers.into_iter().collect::<Vec<_>>(), understood);
}

/// PD-17: `secure` is said only where it names a host that it binds.
#[test]
fn secure_names_whom_it_binds() {
    let mut said = 0;
    each(Family::Sendmail, |situation, abilities, choice| {
        if choice.answer != Some(Candidate::Secure) {
            return;
        }
        said += 1;
        let bound = situation
            .hosts
            .iter()
            .zip(&choice.duties)
            .any(|(host, duty)| {
                let left_to_dane = host.state == HostState::Unusable
                    && abilities.own_dane == OwnDane::Yes
                    && situation.mx == MxSecurity::Secure;
                *duty == Duty::WebPki && !left_to_dane
            });
        assert!(bound, "{situation:#?} {abilities:?}");
    });
    assert!(said > 10_000, "only {said}");
}

/// FT-02: mail waits only where neither of Sendmail's two answers would be safe and reach somebody; with
/// the session check, only where every host must be refused, or cannot be resolved.
#[test]
fn sendmail_waits_only_where_it_must() {
    let mut waits = 0;
    each(Family::Sendmail, |situation, abilities, choice| {
        if choice.answer.is_some() {
            return;
        }
        waits += 1;
        if abilities.verifier {
            for (host, duty) in situation.hosts.iter().zip(&choice.duties) {
                let gone = host.state == HostState::AddressFailed;
                assert!(
                    gone || *duty == Duty::Refuse,
                    "{situation:#?} {abilities:?}"
                );
            }
        }
        for answer in [Candidate::Secure, Candidate::NotFound] {
            let mut safe = true;
            let (mut reached, mut names) = (false, false);
            for host in &situation.hosts {
                let owed = duty(host, situation, abilities.floor);
                let mut done = by_sendmail(answer, host, situation, abilities);
                if abilities.verifier && !is_enough(done, owed) {
                    done = exact(owed);
                }
                safe &= is_enough(done, owed) || is_declared(host, situation, abilities);
                reached |= done != Outcome::Skip;
                names |= done == Outcome::WebPki;
            }
            let can_be_said = answer == Candidate::NotFound || names;
            assert!(
                !(safe && reached && can_be_said),
                "{answer:?} would do for {situation:#?} {abilities:?}"
            );
        }
    });
    assert!(waits > 10_000, "only {waits}");
}

/// PD-11: where its own DANE was not vouched for, nothing rests on it, and `auto` is as good as `no`.
#[test]
fn what_is_not_vouched_for_is_not_relied_on() {
    each_situation(host_sets(), true, |situation| {
        for floor in FLOORS {
            let choice = |own_dane| {
                let abilities = Abilities {
                    family: Family::Sendmail,
                    floor,
                    own_dane,
                    verifier: false,
                    address_limit: 0,
                    strict: false,
                };
                choose(situation, abilities)
            };
            let (auto, no) = (choice(OwnDane::Auto), choice(OwnDane::No));
            assert_eq!(
                (auto.answer, &auto.outcomes),
                (no.answer, &no.outcomes),
                "{situation:#?} {floor:?}"
            );
            assert!(!no.outcomes.contains(&Outcome::Dane), "{situation:#?}");
        }
    });
}
