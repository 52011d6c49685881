//! What a session owes where the operator has a word in it (PD-01, PD-09).

use hoplock_policy::findings::{DaneFinding, MxFinding, NoHosts, Selection};
use hoplock_policy::law::MatchName;
use hoplock_policy::law::duty::Duty;
use hoplock_policy::profile::Floor;
use hoplock_policy::rules::{Fallback, Mode, PinnedLevel, Rule, RulePattern};
use hoplock_policy::verify::{Demand, StrangeHost};

use crate::owed::{Destination, INSECURE, SECURE, failed, host, unusable, usable};
use crate::{HOST, name};

pub(crate) fn rule(mode: Mode, answer: Option<PinnedLevel>) -> Rule {
    Rule {
        answer,
        fingerprints: vec!["AB".repeat(32)],
        names: vec![name("own.test")],
        ..Rule::new(RulePattern::Exact(name("e.test")), mode)
    }
}

fn pinned(level: PinnedLevel) -> Rule {
    rule(Mode::Opportunistic, Some(level))
}

fn destination(mx: hoplock_policy::dns::SecurityStatus, dane: DaneFinding) -> Destination {
    Destination::new(Selection::Mx(mx), vec![host(HOST, 10, dane)])
}

fn pins() -> Demand {
    Demand::Pins(vec!["AB".repeat(32)])
}

fn own_names() -> Demand {
    Demand::Names(vec![MatchName::Host(name("own.test"))])
}

/// PD-13: a level that the operator gives is what a session owes, known host or not; off and audit
/// ask for nothing.
#[test]
fn a_rule_is_what_is_owed() {
    let fallback = |fallback| Rule {
        fallback,
        ..rule(Mode::Mandatory, None)
    };
    for (rule, duty, demand) in [
        (rule(Mode::Off, None), Duty::Free, Demand::Nothing),
        (rule(Mode::Audit, None), Duty::Free, Demand::Nothing),
        (pinned(PinnedLevel::None), Duty::Free, Demand::Nothing),
        (pinned(PinnedLevel::May), Duty::Free, Demand::Nothing),
        (pinned(PinnedLevel::Encrypt), Duty::Encrypt, Demand::Nothing),
        (pinned(PinnedLevel::Fingerprint), Duty::OwnWebPki, pins()),
        (pinned(PinnedLevel::Secure), Duty::OwnWebPki, own_names()),
        (pinned(PinnedLevel::Verify), Duty::OwnWebPki, own_names()),
        (pinned(PinnedLevel::Defer), Duty::Refuse, Demand::Nothing),
        (fallback(Fallback::Encrypt), Duty::Encrypt, Demand::Nothing),
        (fallback(Fallback::Fingerprint), Duty::OwnWebPki, pins()),
        (fallback(Fallback::Secure), Duty::OwnWebPki, own_names()),
    ] {
        let told = format!("{:?} {:?}", rule.mode, rule.answer);
        let destination = destination(SECURE, DaneFinding::NoneSecure);
        let destination = destination.policy("enforce", &[HOST]).rule(rule);
        for host in [HOST, "mx9.e.test"] {
            let owed = destination.owed(host).unwrap();
            assert_eq!((owed.duty, owed.demand), (duty, demand.clone()), "{told}");
        }
    }
    let deferred = destination(SECURE, DaneFinding::NoneSecure);
    let deferred = deferred.rule(fallback(Fallback::Defer));
    assert_eq!(deferred.duty(HOST), Ok(Duty::Refuse));
}

/// MX-22, PD-13: a level of DANE that the operator gives asks for DANE where there is any; records
/// behind an insecure MX set are none.
#[test]
fn a_pinned_level_of_dane() {
    for (mx, dane, opportunistic, mandatory) in [
        (SECURE, usable(), Duty::Dane, Duty::Dane),
        (SECURE, unusable(), Duty::Encrypt, Duty::Refuse),
        (SECURE, DaneFinding::NoneSecure, Duty::Free, Duty::Refuse),
        (INSECURE, usable(), Duty::Free, Duty::Refuse),
        (INSECURE, unusable(), Duty::Free, Duty::Refuse),
        (
            INSECURE,
            DaneFinding::NoneInsecure,
            Duty::Free,
            Duty::Refuse,
        ),
    ] {
        for (level, duty) in [
            (PinnedLevel::Dane, opportunistic),
            (PinnedLevel::DaneOnly, mandatory),
        ] {
            let destination = destination(mx, dane.clone()).rule(pinned(level));
            assert_eq!(
                destination.duty(HOST),
                Ok(duty),
                "{level:?} {mx:?} {dane:?}"
            );
        }
    }
}

/// PD-13: under a level of DANE that the operator gives, a host outside a secure MX set is a
/// stranger, and none whose set anybody may have chosen; the strict level refuses both.
#[test]
fn a_pinned_level_of_dane_for_a_stranger() {
    for (mx, opportunistic) in [(SECURE, Err(StrangeHost)), (INSECURE, Ok(Duty::Free))] {
        for (level, expected) in [
            (PinnedLevel::Dane, opportunistic),
            (PinnedLevel::DaneOnly, Ok(Duty::Refuse)),
        ] {
            let destination = destination(mx, usable()).policy("enforce", &["*.e.test"]);
            let destination = destination.rule(pinned(level));
            assert_eq!(destination.duty("mx9.e.test"), expected, "{level:?} {mx:?}");
        }
    }
}

/// PD-13: a host whose TLSA lookup failed owes no less for a level of DANE that the operator gives.
#[test]
fn a_pinned_level_of_dane_after_a_failure() {
    for level in [PinnedLevel::Dane, PinnedLevel::DaneOnly] {
        let destination = destination(SECURE, failed()).rule(pinned(level));
        assert_eq!(destination.duty(HOST), Ok(Duty::Refuse), "{level:?}");
    }
}

/// PD-13: mandatory DANE asks for it, and refuses whom it does not know.
#[test]
fn mandatory_dane() {
    let destination = destination(SECURE, usable()).rule(rule(Mode::Mandatory, None));
    assert_eq!(destination.duty(HOST), Ok(Duty::Dane));
    assert_eq!(destination.duty("mx9.e.test"), Err(StrangeHost));
}

/// PD-08, PD-02: where DANE is mandatory, no policy makes up for hosts that are not known, or not securely:
/// not when the lookup of the hosts failed, nor where there is none.
#[test]
fn mandatory_dane_without_hosts() {
    let of = |mx| {
        let mut destination = destination(INSECURE, DaneFinding::NoneInsecure)
            .policy("enforce", &["*.e.test"])
            .rule(rule(Mode::Mandatory, None));
        destination.findings.mx = mx;
        destination
    };
    let DaneFinding::Failed(failure) = failed() else {
        unreachable!()
    };
    let none = MxFinding::NoHosts {
        why: NoHosts::NxDomain,
        status: INSECURE,
    };
    for mx in [
        MxFinding::Failed(failure),
        none,
        MxFinding::Hosts(Selection::Mx(INSECURE)),
    ] {
        for host in [HOST, "mx9.e.test"] {
            assert_eq!(of(mx.clone()).duty(host), Ok(Duty::Refuse), "{mx:?} {host}");
        }
    }
}

/// SV-08: where a rule says that MTA-STS does not count, no policy is in force for its destination.
#[test]
fn mta_sts_switched_off() {
    let without = Rule {
        sts: false,
        ..rule(Mode::Opportunistic, None)
    };
    for dane in [usable(), DaneFinding::NoneSecure] {
        let destination = destination(SECURE, dane).policy("enforce", &["*.e.test"]);
        assert!(destination.owed(HOST).unwrap().sts.is_some());
        let destination = destination.rule(without.clone());
        assert!(destination.owed(HOST).unwrap().sts.is_none());
    }
    let insecure = destination(INSECURE, usable()).policy("enforce", &["*.e.test"]);
    let insecure = insecure.rule(without);
    assert_eq!(insecure.duty("mx9.e.test"), Err(StrangeHost));
}

/// PD-13: the MTA's own default level is owed too.
#[test]
fn the_floor_is_owed() {
    for (floor, duty) in [
        (Floor::May, Duty::Free),
        (Floor::Encrypt, Duty::Encrypt),
        (Floor::Secure, Duty::OwnWebPki),
    ] {
        let mut destination = destination(SECURE, DaneFinding::NoneSecure);
        destination.floor = floor;
        let owed = destination.owed(HOST).unwrap();
        assert_eq!(owed.duty, duty, "{floor:?}");
        let demand = match duty {
            Duty::OwnWebPki => Demand::Names(vec![
                MatchName::Host(name("e.test")),
                MatchName::Below(name("e.test")),
            ]),
            _ => Demand::Nothing,
        };
        assert_eq!(owed.demand, demand, "{floor:?}");
        // So does a host that is not known, where all that acts is that level.
        let unknown = destination.owed("mx9.e.test").unwrap();
        let own = (unknown.duty, unknown.demand);
        assert_eq!(own, (duty, demand.clone()), "{floor:?}");
        // PD-16: where no host is known, it is all that is owed.
        destination.findings.hosts = Vec::new();
        destination.findings.mx = MxFinding::NoHosts {
            why: NoHosts::NxDomain,
            status: SECURE,
        };
        let owed = destination.owed(HOST).unwrap();
        assert_eq!((owed.duty, owed.demand), (duty, demand), "{floor:?}");
    }
}
