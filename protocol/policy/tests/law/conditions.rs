//! Switches, clocks, and what is known beside the findings.

use std::time::Duration;

use hoplock_policy::findings::{PolicySource, StsFailure, StsFailureKind, StsFinding, Validation};
use hoplock_policy::law::situation::HostState;
use hoplock_policy::law::{Answer, FirstContact, MatchName, StsBasis};
use hoplock_policy::profile::{Floor, OwnDane, OwnDaneSeen};
use hoplock_policy::rules::{Mode, Rule};

use super::{Case, INSECURE, SECURE, at, hosts, name, rule};

const NOTHING: (&str, &str, &str) = ("NOTFOUND", "DT-03", "no-policy");

fn policy(mode: &str, max_age: u64) -> String {
    format!("version: STSv1\nmode: {mode}\nmx: mx0.example.com\nmax_age: {max_age}\n")
}

/// ST-18, ST-23, ST-24: a policy binds while it is enforced and alive; one with a lifetime of zero
/// binds the answer that it was fetched for.
#[test]
fn a_policy_binds_while_it_lives() {
    for (mode, max_age, source, now, is_bound) in [
        ("enforce", 1000, PolicySource::Cache, 999, true),
        ("enforce", 1000, PolicySource::Cache, 1000, false),
        ("enforce", 1000, PolicySource::Fetched, 1000, false),
        ("enforce", 0, PolicySource::Fetched, 0, true),
        ("enforce", 0, PolicySource::Cache, 0, false),
        ("testing", 1000, PolicySource::Fetched, 0, false),
        ("testing", 0, PolicySource::Fetched, 0, false),
        ("none", 1000, PolicySource::Fetched, 0, false),
    ] {
        let mut case = Case::new(INSECURE, "10:none").policy(&policy(mode, max_age), source);
        case.conditions.now = at(now);
        let answer = case.said().0;
        let expected = if is_bound { "secure" } else { "NOTFOUND" };
        assert_eq!(answer, expected, "{mode} {max_age} {source:?} at {now}");
    }
}

/// OP-06, ST-23: MTA-STS can be switched off, for all or by a rule, and testing can be enforced;
/// never mode `none`.
#[test]
fn switches_of_mta_sts_change_what_binds() {
    for (mode, sts, by_rule, as_enforce, is_bound) in [
        ("enforce", true, true, false, true),
        ("enforce", false, true, false, false),
        ("enforce", true, false, false, false),
        ("enforce", false, false, false, false),
        ("testing", true, true, true, true),
        ("testing", true, true, false, false),
        ("none", true, true, true, false),
    ] {
        let mut case = Case::new(INSECURE, "10:none").rule(Rule {
            sts: by_rule,
            ..rule(Mode::Opportunistic)
        });
        case = case.policy(&policy(mode, 1000), PolicySource::Cache);
        (case.options.sts, case.options.testing_as_enforce) = (sts, as_enforce);
        let expected = if is_bound { "secure" } else { "NOTFOUND" };
        assert_eq!(
            case.said().0,
            expected,
            "{mode} {sts} {by_rule} {as_enforce}"
        );
    }
}

/// CA-08, ST-18: an answer lives no longer than the policy that it rests on; a policy for this answer
/// only does not cut the answer's own life.
#[test]
fn an_answer_ends_with_its_policy() {
    for (max_age, source, now, left) in [
        (86_400, PolicySource::Cache, 0, 300),
        (100, PolicySource::Cache, 0, 100),
        (100, PolicySource::Cache, 40, 60),
        (86_400, PolicySource::Cache, 40, 260),
        (0, PolicySource::Fetched, 0, 300),
    ] {
        let mut case = Case::new(INSECURE, "10:none").policy(&policy("enforce", max_age), source);
        case.conditions.now = at(now);
        let verdict = case.verdict();
        assert_eq!(verdict.answer, Answer::Secure(hosts(&["mx0.example.com"])));
        assert_eq!(verdict.expires_in, Duration::from_secs(left), "{max_age}");
    }
}

/// PF-12, RP-07: an answer that rests on a policy carries its words, sorted and each once; no other
/// answer does.
#[test]
fn an_answer_by_policy_carries_it() {
    let text = "version: STSv1\nmode: enforce\nmx: mx1.example.com\nmx: *.example.com\n\
                mx: mx1.example.com\nmax_age: 86400\n";
    let case = |mx, hosts| Case::new(mx, hosts).policy(text, PolicySource::Cache);
    let basis = StsBasis {
        domain: name("example.com"),
        patterns: vec!["*.example.com".to_owned(), "mx1.example.com".to_owned()],
        mode: "enforce",
        max_age: 86_400,
    };
    assert_eq!(case(INSECURE, "10:none").verdict().sts, Some(basis));
    let verdict = case(SECURE, "10:ee").verdict();
    assert_eq!((verdict.answer, verdict.sts), (Answer::DaneOnly, None));
    assert_eq!(Case::new(INSECURE, "10:none").verdict().sts, None);
}

/// MX-06: without a host the patterns of the policy are the names, sorted and each once, and the hosts
/// that have no address are still shown.
#[test]
fn without_hosts_the_patterns_are_the_names() {
    let text = "version: STSv1\nmode: enforce\nmx: *.example.com\nmx: mx.other.test\n\
                mx: *.example.com\nmax_age: 86400\n";
    for mx in [SECURE, INSECURE] {
        let case = Case::new(mx, "10:gone, 20:gone").policy(text, PolicySource::Cache);
        let verdict = case.verdict();
        let below = MatchName::Below(name("example.com"));
        let names = [hosts(&["mx.other.test"]), vec![below]].concat();
        assert_eq!(verdict.answer, Answer::Secure(names));
        assert_eq!(verdict.row.id(), "DT-01s");
        assert!(verdict.sts.is_some());
        let plain = Case::new(mx, "10:gone, 20:gone").verdict();
        assert_eq!((plain.answer, plain.row.id()), (Answer::NotFound, "DT-01"));
        for hosts in [verdict.hosts, plain.hosts] {
            let shown: Vec<_> = hosts.iter().map(|host| (host.index, host.state)).collect();
            let gone = HostState::Unreachable;
            assert_eq!(shown, [(0, gone), (1, gone)]);
        }
    }
}

/// MX-17: behind a resolver that does not validate nothing is proved; destinations that must be or
/// were authenticated wait, all others go on as if DANE were off.
#[test]
fn a_resolver_that_does_not_validate_stops_what_needs_it() {
    let waits = ("TEMP", "law", "resolver-not-validating");
    for (validation, dane, remembered, mandatory, said) in [
        (Validation::NotValidating, true, false, false, NOTHING),
        (Validation::NotValidating, true, true, false, waits),
        (Validation::NotValidating, true, false, true, waits),
        (Validation::NotValidating, true, true, true, waits),
        (Validation::NotValidating, false, true, false, NOTHING),
        (Validation::Validating, false, false, false, NOTHING),
        (
            Validation::Validating,
            true,
            true,
            false,
            ("dane-only", "DT-06", "dane-all-hosts"),
        ),
        (
            Validation::Unknown,
            true,
            true,
            false,
            ("dane-only", "DT-06", "dane-all-hosts"),
        ),
    ] {
        let mut case = Case::new(SECURE, "10:ee");
        if mandatory {
            case = case.rule(rule(Mode::Mandatory));
        }
        case.conditions.validation = validation;
        case.conditions.remembered_dane = remembered;
        case.options.dane = dane;
        assert_eq!(
            case.said(),
            said,
            "{validation:?} {dane} {remembered} {mandatory}"
        );
    }
}

/// OP-01, MX-17, MX-13: without DANE, hosts are told apart by their addresses only.
#[test]
fn without_dane_only_addresses_count() {
    let found = "10:ee, 20:ta, 30:unusable, 40:none, 50:failed, 60:address-failed, 70:gone";
    let mut case = Case::new(SECURE, found);
    case.options.dane = false;
    let states: Vec<HostState> = case.verdict().hosts.iter().map(|host| host.state).collect();
    let mut expected = vec![HostState::NoneInsecure; 5];
    expected.extend([HostState::AddressFailed, HostState::Unreachable]);
    assert_eq!(states, expected);
}

/// PD-07, PD-16: DANE behind an insecure MX set can be switched off, and an MTA whose own level is
/// DANE is told so where it would use it all the same.
#[test]
fn half_dane_can_be_switched_off() {
    let half = ("dane", "DT-20", "half-dane");
    let not_told = ("NOTFOUND", "DT-20", "no-policy");
    let told = ("may", "DT-20", "no-policy");
    for (half_dane, floor, hosts, said) in [
        (true, Floor::May, "10:ee, 20:none", half),
        (true, Floor::Dane, "10:ee, 20:none", half),
        (true, Floor::Dane, "10:unusable, 20:none", half),
        (true, Floor::Encrypt, "10:ee, 20:none", not_told),
        (false, Floor::May, "10:ee, 20:none", not_told),
        (false, Floor::Dane, "10:ee, 20:none", told),
        (false, Floor::Dane, "10:unusable, 20:none", told),
        (false, Floor::Dane, "10:none", NOTHING),
        (false, Floor::Encrypt, "10:ee, 20:none", not_told),
        (false, Floor::Secure, "10:ee, 20:none", not_told),
    ] {
        let mut case = Case::new(INSECURE, hosts).floor(floor);
        case.options.half_dane = half_dane;
        assert_eq!(case.said(), said, "{half_dane} {floor:?} {hosts}");
    }
}

/// ST-13, ST-14, ST-28: a policy that could not be had binds nobody, unless the operator waits for it
/// or what is remembered cannot be read; mail that is protected anyway goes.
#[test]
fn first_contact_waits_only_where_ordered() {
    let kinds = [
        (StsFailureKind::Record, "sts-record-lookup-failed"),
        (StsFailureKind::Fetch, "sts-policy-fetch-error"),
        (StsFailureKind::Store, "store-failed"),
    ];
    for (kind, word) in kinds {
        for (contact, sts) in [
            (FirstContact::Ignore, true),
            (FirstContact::Defer, true),
            (FirstContact::Defer, false),
        ] {
            let asked = |mx, hosts, by_rule| {
                let mut case = Case::new(mx, hosts).rule(Rule {
                    sts: by_rule,
                    ..rule(Mode::Opportunistic)
                });
                let detail = "words".to_owned();
                case.findings.sts = StsFinding::Failed(StsFailure { kind, detail });
                (case.options.first_contact, case.options.sts) = (contact, sts);
                case
            };
            let waits = match (kind, contact, sts) {
                (.., false) => None,
                (StsFailureKind::Store, ..) => Some("store-failed"),
                (_, FirstContact::Defer, _) => Some("sts-first-contact"),
                (_, FirstContact::Ignore, _) => None,
            };
            let case = asked(INSECURE, "10:none", true);
            let said = waits.map_or(NOTHING, |reason| ("TEMP", "DT-03", reason));
            assert_eq!(case.said(), said, "{kind:?} {contact:?} {sts}");
            let verdict = case.verdict();
            assert_eq!(verdict.hosts.len(), 1);
            if waits.is_some() {
                assert_eq!(verdict.detail, format!("{word}: words"));
                assert_eq!(verdict.hosts[0].outcome.word(), "skip");
            }
            assert_eq!(asked(INSECURE, "10:none", false).said(), NOTHING);
            let protected = asked(SECURE, "10:ee", true).said();
            assert_eq!(protected, ("dane-only", "DT-06", "dane-all-hosts"));
            let waiting = asked(SECURE, "10:failed", true).said();
            assert_eq!(waiting, ("TEMP", "DT-15", "tlsa-lookup-failed"));
        }
    }
}

/// PD-11, D4: an MTA that may not be told to do DANE takes pins, or waits, and the words say what was seen
/// of it; but only where it had to be found out, and where the destination has DANE.
#[test]
fn what_was_seen_of_the_mta_is_told_where_it_matters() {
    let pinned = "every host used must show a key or certificate that the TLSA records name";
    let waiting = "mx0.example.com: its records name trust anchors, which go to Postfix as files: set \
                   anchor_directory in the profile";
    let seen = OwnDaneSeen::LookupsOff;
    let (auto, no) = (OwnDane::Auto, OwnDane::No);
    for (own_dane, hosts, answer, detail) in [
        (
            auto,
            "10:ee",
            "fingerprint",
            format!("{pinned}; {}", seen.words()),
        ),
        (no, "10:ee", "fingerprint", pinned.to_owned()),
        (
            auto,
            "10:ta",
            "TEMP",
            format!("{waiting}; {}", seen.words()),
        ),
        (no, "10:ta", "TEMP", waiting.to_owned()),
        (
            auto,
            "10:none",
            "NOTFOUND",
            "the destination demands nothing".to_owned(),
        ),
    ] {
        let mut case = Case::new(SECURE, hosts);
        case.profile.own_dane = own_dane;
        case.conditions.own_dane = seen;
        assert_eq!(case.said().0, answer, "{own_dane:?} {hosts}");
        assert_eq!(case.verdict().detail, detail, "{own_dane:?}");
    }
}
