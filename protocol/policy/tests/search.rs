//! A search over all small host sets: no outcome weaker than its duty, the same bytes whatever the
//! order, no `secure` without names. Duty, outcome and "weaker" are stated here a second time, from
//! the texts, so that the law is not measured against itself.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::too_many_lines,
    reason = "tests"
)]

mod restated;

use hoplock_policy::law::choice::{Abilities, choose};
use hoplock_policy::law::outcome::{Candidate, Outcome};
use hoplock_policy::law::rows::{Row, row_of};
use hoplock_policy::law::situation::{HostSituation, HostState, MxSecurity, Situation};
use hoplock_policy::profile::{Family, Floor, OwnDane};

const STATES: [HostState; 6] = [
    HostState::UsableEndEntity,
    HostState::UsableTrustAnchor,
    HostState::Unusable,
    HostState::NoneSecure,
    HostState::Failed,
    HostState::AddressFailed,
];
const FLOORS: [Floor; 4] = [Floor::May, Floor::Dane, Floor::Encrypt, Floor::Secure];

/// Every host that a small world can have.
fn hosts() -> Vec<HostSituation> {
    let mut all = Vec::new();
    for preference in [10, 20, 30] {
        for state in STATES {
            for listed in [false, true] {
                let addresses = if state == HostState::AddressFailed {
                    0
                } else {
                    1
                };
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
    all
}

/// Every multiset of one to three hosts.
fn host_sets() -> Vec<Vec<HostSituation>> {
    restated::sets_of(&hosts())
}

fn each(mut check: impl FnMut(&Situation, Floor)) -> usize {
    let mut count = 0;
    for hosts in host_sets() {
        for mx in [MxSecurity::Secure, MxSecurity::Insecure] {
            for enforce in [false, true] {
                // Being listed means nothing where nothing is enforced.
                if !enforce && hosts.iter().any(|host| host.listed) {
                    continue;
                }
                for mandatory in [false, true] {
                    for half_dane in [false, true] {
                        let hosts = hosts.clone();
                        let situation = Situation {
                            mx,
                            hosts,
                            enforce,
                            mandatory,
                            half_dane,
                            implicit_tls: false,
                        };
                        for floor in FLOORS {
                            check(&situation, floor);
                            count += 1;
                        }
                    }
                }
            }
        }
    }
    count
}

fn abilities(floor: Floor) -> Abilities {
    Abilities {
        family: Family::Postfix,
        floor,
        own_dane: OwnDane::Yes,
        verifier: false,
        address_limit: 5,
        strict: false,
    }
}

/// What RFC 7672, RFC 8461, the rule and the floor permit as the outcome for one host, stated anew.
fn permitted(host: &HostSituation, situation: &Situation, floor: Floor, outcome: Outcome) -> bool {
    use HostState::{AddressFailed, Failed, Unusable, UsableEndEntity, UsableTrustAnchor};
    if outcome == Outcome::Skip {
        return true;
    }
    let usable = matches!(host.state, UsableEndEntity | UsableTrustAnchor);
    let unknown = matches!(host.state, Failed | AddressFailed);
    let secure = situation.mx == MxSecurity::Secure;
    if situation.mandatory {
        return secure && usable && outcome == Outcome::Dane;
    }
    if secure && usable {
        return outcome == Outcome::Dane;
    }
    if secure && unknown {
        return false;
    }
    if situation.enforce {
        return host.listed && outcome == Outcome::WebPki;
    }
    let tls_owed = secure && host.state == Unusable;
    match floor {
        Floor::May | Floor::Dane => !tls_owed || outcome != Outcome::Clear,
        Floor::Encrypt => outcome != Outcome::Clear,
        // DANE authenticates too; unauthenticated TLS and other names do not.
        Floor::Secure => outcome == Outcome::OwnWebPki,
    }
}

/// PD-16, PD-18, PD-04: no outcome is weaker than the host's duty, under any floor.
#[test]
fn no_outcome_is_weaker_than_its_duty() {
    let mut searched = 0;
    let count = each(|situation, floor| {
        let choice = choose(situation, abilities(floor));
        for (host, outcome) in situation.hosts.iter().zip(&choice.outcomes) {
            searched += 1;
            assert!(
                permitted(host, situation, floor, *outcome),
                "{situation:#?}\nfloor {floor:?}: {:?} gives {outcome:?} to {host:?}",
                choice.answer
            );
        }
    });
    assert!(count > 100_000, "searched only {count} situations");
    assert!(searched > 300_000, "judged only {searched} hosts");
}

/// PD-17, PD-10: `secure` has a name to match, and no answer that delivers nowhere is given.
#[test]
fn every_answer_reaches_somebody() {
    each(|situation, floor| {
        let choice = choose(situation, abilities(floor));
        let Some(answer) = choice.answer else { return };
        if answer == Candidate::Secure {
            assert!(choice.outcomes.contains(&Outcome::WebPki), "{situation:#?}");
        }
        let somebody = choice
            .outcomes
            .iter()
            .any(|outcome| *outcome != Outcome::Skip);
        assert!(
            somebody || choice.nothing_owed,
            "{answer:?} for {situation:#?} floor {floor:?}"
        );
    });
}

/// PD-11: whatever its own level, an MTA without DANE of its own is never relied on to do DANE.
#[test]
fn an_mta_without_dane_is_not_relied_on() {
    each(|situation, floor| {
        let abilities = Abilities {
            own_dane: OwnDane::No,
            ..abilities(floor)
        };
        let choice = choose(situation, abilities);
        let needs = matches!(choice.answer, Some(Candidate::Dane | Candidate::DaneOnly));
        assert!(
            !needs && !choice.outcomes.contains(&Outcome::Dane),
            "{situation:#?} {floor:?}"
        );
        for (host, outcome) in situation.hosts.iter().zip(&choice.outcomes) {
            assert!(
                permitted(host, situation, floor, *outcome),
                "{situation:#?} {floor:?}"
            );
        }
    });
}

/// FT-02, RQ-02: mail waits only where no answer of Postfix would be safe for some host; and where
/// nothing is owed, nothing is said.
#[test]
fn mail_waits_only_where_it_must() {
    each(|situation, floor| {
        let choice = choose(situation, abilities(floor));
        if choice.answer.is_none() {
            // Whoever could be reached safely by himself must not wait: a lone host set tells.
            for host in &situation.hosts {
                let alone = Situation {
                    hosts: vec![host.clone()],
                    ..situation.clone()
                };
                let alone = choose(&alone, abilities(floor));
                let strict = matches!(alone.answer, Some(Candidate::DaneOnly | Candidate::Secure));
                assert!(
                    !strict,
                    "TEMP for {situation:#?} floor {floor:?}, though {host:?} is safe"
                );
            }
        }
        let owed = situation.enforce || situation.mandatory || situation.mx == MxSecurity::Secure;
        let bare = |host: &HostSituation| host.state == HostState::NoneSecure;
        if situation.hosts.iter().all(bare) && !situation.enforce && !situation.mandatory {
            assert_eq!(
                choice.answer,
                Some(Candidate::NotFound),
                "{situation:#?} {owed}"
            );
        }
    });
}

/// PF-07: `dane` is answered only where it reaches somebody whom `dane-only` would not; half-DANE, for
/// which `dane-only` reaches nobody, apart.
#[test]
fn dane_only_is_preferred_where_it_loses_nobody() {
    let mut seen = 0;
    each(|situation, floor| {
        let choice = choose(situation, abilities(floor));
        if choice.answer == Some(Candidate::Dane) && !choice.half_dane_used {
            seen += 1;
            let beyond = |outcome: &Outcome| !matches!(outcome, Outcome::Skip | Outcome::Dane);
            assert!(
                choice.outcomes.iter().any(beyond),
                "{situation:#?} floor {floor:?}"
            );
        }
    });
    assert!(seen > 1000, "only {seen} situations are answered `dane`");
}

/// PD-14: the same hosts in another order come out the same.
#[test]
fn order_is_of_no_consequence() {
    each(|situation, floor| {
        let mut turned = situation.clone();
        turned.hosts.reverse();
        let (one, other) = (
            choose(situation, abilities(floor)),
            choose(&turned, abilities(floor)),
        );
        let mut outcomes = other.outcomes.clone();
        outcomes.reverse();
        assert_eq!(
            (one.answer, one.outcomes),
            (other.answer, outcomes),
            "{situation:#?}"
        );
        assert_eq!(row_of(situation), row_of(&turned), "{situation:#?}");
    });
}

/// PD-15: a row that is named answers as the golden table says; where words do not fit, it is `law`.
#[test]
fn a_named_row_answers_as_the_table() {
    let golden = include_str!("golden.txt");
    let expected = |row: Row, floor: Floor| {
        let line = golden
            .lines()
            .find(|line| line.split(" | ").next() == Some(row.id()))?;
        let column = if floor == Floor::Encrypt { 2 } else { 1 };
        let cell = line.split(" | ").nth(column).unwrap();
        Some(cell.split(' ').next().unwrap().to_owned())
    };
    let mut named = 0;
    each(|situation, floor| {
        if floor == Floor::Secure || !situation.half_dane {
            return;
        }
        let row = row_of(situation);
        let Some(expected) = expected(row, floor) else {
            return;
        };
        named += 1;
        let answer = match choose(situation, abilities(floor)).answer {
            None => "TEMP",
            Some(Candidate::NotFound) => "NOTFOUND",
            Some(other) => other.word(),
        };
        // MX-13 makes this one cell, and `decide` gives it.
        let all_unknown = situation
            .hosts
            .iter()
            .all(|host| host.state == HostState::AddressFailed);
        if all_unknown && answer == "NOTFOUND" {
            return;
        }
        assert_eq!(
            answer,
            expected,
            "{} floor {floor:?}: {situation:#?}",
            row.id()
        );
    });
    assert!(named > 50_000, "only {named} situations have a row");
}
