//! What a rule of the operator makes of a verdict.

use std::time::Duration;

use hoplock_policy::law::outcome::Outcome;
use hoplock_policy::law::rows::Row;
use hoplock_policy::law::{Answer, LawOptions, Verdict, decide_without_lookup, without_findings};
use hoplock_policy::moment::{Moment, Timestamp};
use hoplock_policy::next_hop::NextHop;
use hoplock_policy::profile::{Floor, OwnDaneSeen, Profile};
use hoplock_policy::reason::Reason;
use hoplock_policy::render::render;
use hoplock_policy::rules::{Fallback, Mode, PinnedLevel, Rule, RulePattern, Rules};

use super::{Case, INSECURE, SECURE, hosts, name, rule};

fn pin(level: PinnedLevel) -> Rule {
    Rule {
        answer: Some(level),
        ..rule(Mode::Opportunistic)
    }
}

/// With what lists need: two names, one of them twice, and a digest.
fn with_lists(rule: Rule) -> Rule {
    Rule {
        names: vec![name("b.test"), name("a.test"), name("b.test")],
        fingerprints: vec!["ab".repeat(32)],
        ..rule
    }
}

fn levels() -> Vec<(PinnedLevel, Answer)> {
    let names = || hosts(&["a.test", "b.test"]);
    vec![
        (PinnedLevel::None, Answer::None),
        (PinnedLevel::May, Answer::May),
        (PinnedLevel::Encrypt, Answer::Encrypt),
        (PinnedLevel::Dane, Answer::Dane),
        (PinnedLevel::DaneOnly, Answer::DaneOnly),
        (
            PinnedLevel::Fingerprint,
            Answer::Fingerprint(vec!["ab".repeat(32)]),
        ),
        (PinnedLevel::Verify, Answer::Verify(names())),
        (PinnedLevel::Secure, Answer::Secure(names())),
        (PinnedLevel::Defer, Answer::Temp),
    ]
}

/// PD-01, OP-05: a level that a rule gives is given whatever was found, and before anything is.
#[test]
fn a_pinned_level_is_the_answer() {
    for (level, answer) in levels() {
        let pinned = with_lists(pin(level));
        for case in [
            Case::new(SECURE, "10:ee, 20:none"),
            Case::new(SECURE, "10:failed"),
            Case::enforced(INSECURE, "10:none"),
        ] {
            let unruled = case.verdict().hosts;
            let verdict = case.rule(pinned.clone()).verdict();
            assert_eq!(verdict.answer, answer, "{level:?}");
            assert_eq!((verdict.row, verdict.reason), (Row::Rule, Reason::Rule));
            assert_eq!(verdict.rule.as_deref(), Some(&pinned));
            assert_eq!(verdict.hosts, unruled, "the evidence is still told");
            assert_eq!(verdict.sts, None, "no policy is passed off as its base");
        }
        let verdict = before_lookups("example.com", pinned.clone()).unwrap();
        assert_eq!(verdict.answer, answer, "{level:?}");
        assert_eq!(verdict.rule.as_deref(), Some(&pinned));
        assert_eq!(verdict.expires_in, Duration::from_secs(60));
    }
}

/// PF-10, PD-17: a level that needs a list and has none delays.
#[test]
fn an_empty_list_delays() {
    for (level, answer) in levels() {
        let verdict = Case::new(SECURE, "10:ee").rule(pin(level)).verdict();
        let needs_list = matches!(
            level,
            PinnedLevel::Fingerprint | PinnedLevel::Verify | PinnedLevel::Secure
        );
        let expected = if needs_list { Answer::Temp } else { answer };
        assert_eq!(verdict.answer, expected, "{level:?}");
        assert_eq!(verdict.reason, Reason::Rule);
    }
}

/// PD-15: the words name the rule, and what its author wrote for people.
#[test]
fn a_pinned_level_is_explained() {
    let mut pinned = pin(PinnedLevel::Encrypt);
    let told = |rule: &Rule| {
        let case = Case::new(SECURE, "10:ee").rule(rule.clone());
        case.verdict().detail
    };
    assert_eq!(told(&pinned), "rule \"example.com\" gives the level");
    pinned.comment = "ticket 7".to_owned();
    let words = "rule \"example.com\" gives the level: ticket 7";
    assert_eq!(told(&pinned), words);
}

/// OP-05: no answer outlives the rule that it rests on.
#[test]
fn an_answer_ends_with_its_rule() {
    let mut pinned = pin(PinnedLevel::Encrypt);
    for (end, left) in [(None, 300), (Some(120_000), 120), (Some(900_000), 300)] {
        pinned.expires = end.map(Timestamp);
        let verdict = Case::new(SECURE, "10:ee").rule(pinned.clone()).verdict();
        assert_eq!(verdict.expires_in, Duration::from_secs(left), "{end:?}");
    }
}

/// OP-03, PD-16: under `off` and `audit` the MTA's own level acts, and where that is DANE or cannot
/// be left to it, it is told a level that asks for no DANE.
#[test]
fn off_and_audit_keep_hands_off() {
    for (floor, answer, outcome) in [
        (Floor::May, Answer::NotFound, Outcome::Clear),
        (Floor::Dane, Answer::May, Outcome::Clear),
        (Floor::Encrypt, Answer::Encrypt, Outcome::Encrypt),
        (Floor::Secure, Answer::NotFound, Outcome::OwnWebPki),
    ] {
        for (mode, reason) in [
            (Mode::Off, Reason::RuleOff),
            (Mode::Audit, Reason::RuleAudit),
        ] {
            let case = Case::new(SECURE, "10:ee, 20:failed").floor(floor);
            let verdict = case.rule(rule(mode)).verdict();
            assert_eq!(verdict.answer, answer, "{floor:?} {mode:?}");
            assert_eq!((verdict.row, verdict.reason), (Row::Dt21, reason));
            assert_eq!(verdict.hosts.len(), 2);
            assert!(verdict.hosts.iter().all(|host| host.outcome == outcome));
            assert_eq!(verdict.rule.as_deref(), Some(&rule(mode)));
        }
    }
}

/// OP-03: `audit` tells what it keeps from being done, where there is anything; `off` tells nothing.
#[test]
fn audit_tells_what_would_have_been() {
    for (mode, hosts, would_fail, detail) in [
        (
            Mode::Audit,
            "10:ee",
            Some(Reason::DaneAllHosts),
            "told only; the policy would be dane-only (dane-all-hosts)",
        ),
        (
            Mode::Audit,
            "10:none",
            None,
            "a rule keeps hoplock's hands off this destination",
        ),
        (
            Mode::Off,
            "10:ee",
            None,
            "a rule keeps hoplock's hands off this destination",
        ),
    ] {
        let verdict = Case::new(SECURE, hosts).rule(rule(mode)).verdict();
        assert_eq!(verdict.would_fail, would_fail, "{mode:?} {hosts}");
        assert_eq!(verdict.detail, detail);
    }
}

/// OP-03, DT-21: what waits because it cannot be looked up has no host to show, and `audit` tells it too.
#[test]
fn audit_tells_of_what_would_wait() {
    let rules = Rules::new(vec![Rule::new(RulePattern::Any, Mode::Audit)]);
    let profile = Profile::built_in("postfix").unwrap();
    let waits = Verdict::temp(Row::Dt02, Reason::MxLookupFailed, "it failed");
    let next_hop = NextHop::parse("e.test");
    let verdict = without_findings(waits, &next_hop, &rules, &profile, Moment::default());
    assert_eq!(verdict.answer, Answer::NotFound);
    assert_eq!(verdict.would_fail, Some(Reason::MxLookupFailed));
}

/// OP-05: authorities of the operator's own are said to Postfix, at a level of the rule and at its
/// fallback; where they cannot be said, mail waits rather than rest on others.
#[test]
fn own_authorities_are_said_or_mail_waits() {
    let with = |rule: Rule| Rule {
        ca_file: Some("/etc/ca.pem".to_owned()),
        names: vec![name("a.test")],
        ..rule
    };
    let fallback = Rule {
        fallback: Fallback::Secure,
        ..rule(Mode::Mandatory)
    };
    for (own, text) in [
        (pin(PinnedLevel::Secure), "OK secure match=a.test"),
        (pin(PinnedLevel::Verify), "OK verify match=a.test"),
        (fallback, "OK secure match=a.test"),
    ] {
        for name in ["postfix", "postfix310", "exim", "sendmail"] {
            let profile = Profile::built_in(name).unwrap();
            let mut case = Case::new(SECURE, "10:none").rule(with(own.clone()));
            case.profile = profile.clone();
            let verdict = case.verdict();
            let said = render(&verdict, &profile).to_string();
            if name.starts_with("postfix") {
                let expected = format!("{text} servername=hostname tafile=/etc/ca.pem");
                assert_eq!(said, expected, "{name}");
            } else {
                assert_eq!(verdict.answer, Answer::Temp, "{name}: {said}");
                assert_eq!(verdict.reason, Reason::MtaCannotAuthenticate);
            }
        }
    }
    // What a policy of the destination gives has the authorities of everybody.
    let case = Case::enforced(SECURE, "10:none").rule(with(rule(Mode::Opportunistic)));
    let said = render(&case.verdict(), &case.profile).to_string();
    assert!(
        said.starts_with("OK secure match=") && !said.contains("tafile"),
        "{said}"
    );
}

/// PD-09, PD-10: a fallback acts where the absence of DANE is established, and nowhere else; behind an
/// insecure MX set only where the rule says so, and never over a lookup that failed.
#[test]
fn fallbacks_need_established_absence() {
    let demanded = |on_insecure| Rule {
        fallback: Fallback::Encrypt,
        fallback_on_insecure: on_insecure,
        ..rule(Mode::Mandatory)
    };
    for (mx, found, on_insecure, said) in [
        (
            SECURE,
            "10:none",
            false,
            ("encrypt", "DT-23", "rule-fallback"),
        ),
        (
            SECURE,
            "10:unusable, 20:none",
            false,
            ("encrypt", "DT-23", "rule-fallback"),
        ),
        (SECURE, "", true, ("TEMP", "DT-23", "dane-required")),
        (
            SECURE,
            "10:none, 20:failed",
            true,
            ("TEMP", "DT-25", "tlsa-lookup-failed"),
        ),
        (
            SECURE,
            "10:ee, 20:none",
            true,
            ("dane-only", "DT-22", "dane-all-hosts"),
        ),
        (INSECURE, "10:none", false, ("TEMP", "DT-24", "mx-insecure")),
        (
            INSECURE,
            "10:none",
            true,
            ("encrypt", "DT-24", "rule-fallback"),
        ),
        (
            INSECURE,
            "10:ee",
            true,
            ("encrypt", "DT-24", "rule-fallback"),
        ),
        (
            INSECURE,
            "10:none, 20:failed",
            true,
            ("TEMP", "DT-24", "mx-insecure"),
        ),
        (
            INSECURE,
            "10:none, 20:address-failed",
            true,
            ("TEMP", "DT-24", "mx-insecure"),
        ),
    ] {
        let case = Case::new(mx, found).rule(demanded(on_insecure));
        assert_eq!(case.said(), said, "{mx:?} {found}");
    }
}

/// PD-11, PD-10: an MTA that cannot do DANE takes pins or waits where DANE is there; the fallback is for
/// its absence.
#[test]
fn fallbacks_are_not_for_an_mta_without_dane() {
    let demanded = Rule {
        fallback: Fallback::Encrypt,
        fallback_on_insecure: true,
        ..rule(Mode::Mandatory)
    };
    for (hosts, said) in [
        ("10:ta", ("TEMP", "DT-22", "mta-cannot-authenticate")),
        ("10:ee", ("fingerprint", "DT-22", "dane-all-hosts")),
    ] {
        let mut case = Case::new(SECURE, hosts).rule(demanded.clone());
        case.profile.own_dane = hoplock_policy::profile::OwnDane::No;
        assert_eq!(case.said(), said, "{hosts}");
    }
}

/// PD-09, PF-10, PD-17: each fallback gives its level under the rule's own lists, and one without its
/// list waits.
#[test]
fn each_fallback_gives_its_level() {
    let names = hosts(&["a.test", "b.test"]);
    let digests = vec!["ab".repeat(32)];
    for (fallback, answer, outcome) in [
        (Fallback::Encrypt, Answer::Encrypt, Outcome::Encrypt),
        (
            Fallback::Fingerprint,
            Answer::Fingerprint(digests),
            Outcome::OwnWebPki,
        ),
        (Fallback::Secure, Answer::Secure(names), Outcome::OwnWebPki),
    ] {
        let bare = Rule {
            fallback,
            ..rule(Mode::Mandatory)
        };
        let demanded = with_lists(bare.clone());
        let case = || Case::enforced(SECURE, "10:none(unlisted), 20:none(unlisted)");
        let verdict = case().rule(demanded).verdict();
        assert_eq!(verdict.answer, answer, "{fallback:?}");
        assert_eq!(verdict.reason, Reason::RuleFallback);
        let words = format!(
            "DANE is demanded and absent; fallback {}",
            verdict.answer.word()
        );
        assert_eq!(verdict.detail, words);
        assert_eq!(verdict.hosts.len(), 2);
        assert!(verdict.hosts.iter().all(|host| host.outcome == outcome));
        assert_eq!(verdict.sts, None, "{fallback:?}");
        let expected = if fallback == Fallback::Encrypt {
            Answer::Encrypt
        } else {
            Answer::Temp
        };
        assert_eq!(case().rule(bare).verdict().answer, expected, "{fallback:?}");
    }
    let waits = with_lists(rule(Mode::Mandatory));
    let verdict = Case::new(SECURE, "10:none").rule(waits).verdict();
    assert_eq!(
        (verdict.answer, verdict.reason),
        (Answer::Temp, Reason::DaneRequired)
    );
}

fn before_lookups(key: &str, rule: Rule) -> Option<Verdict> {
    let (rules, profile) = (Rules::new(vec![rule]), Case::new(SECURE, "").profile);
    let options = LawOptions::default();
    decide_without_lookup(
        &NextHop::parse(key),
        &rules,
        &profile,
        &options,
        OwnDaneSeen::Works,
        Moment::default(),
    )
}

/// OP-03, NX-03, PF-06: what a rule decides by itself is not looked up; all else of a destination is,
/// and what is no destination is answered by its own rule or not at all.
#[test]
fn only_what_needs_lookups_waits_for_them() {
    let off = before_lookups("example.com", rule(Mode::Off)).unwrap();
    assert_eq!((off.answer, off.row), (Answer::NotFound, Row::Dt21));
    assert_eq!(off.rule.as_deref(), Some(&rule(Mode::Off)));
    assert_eq!(off.expires_in, Duration::from_secs(60));
    let pinned_off = Rule {
        mode: Mode::Off,
        ..pin(PinnedLevel::Encrypt)
    };
    let verdict = before_lookups("[example.com]", pinned_off).unwrap();
    assert_eq!((verdict.answer, verdict.row), (Answer::Encrypt, Row::Rule));
    for mode in [Mode::Audit, Mode::Opportunistic, Mode::Mandatory] {
        assert_eq!(before_lookups("example.com", rule(mode)), None, "{mode:?}");
    }
    assert_eq!(before_lookups("other.test", rule(Mode::Off)), None);
    let for_pattern = |pattern| Rule {
        pattern,
        ..pin(PinnedLevel::Encrypt)
    };
    let literal = for_pattern(RulePattern::Address("192.0.2.1".parse().unwrap()));
    let suffix = for_pattern(RulePattern::Suffix(name("example.com")));
    for (key, rule, answer, reason) in [
        ("[192.0.2.1]", &literal, Answer::Encrypt, Reason::Rule),
        (
            "[192.0.2.2]",
            &literal,
            Answer::NotFound,
            Reason::NotADomain,
        ),
        ("localhost", &literal, Answer::NotFound, Reason::NotADomain),
        (".example.com", &suffix, Answer::Encrypt, Reason::Rule),
        (".test", &suffix, Answer::NotFound, Reason::ParentKey),
    ] {
        let verdict = before_lookups(key, rule.clone()).unwrap();
        assert_eq!((verdict.answer, verdict.reason), (answer, reason), "{key}");
    }
}

/// OP-03, FT-04: where lookups come to nothing mail waits, unless the operator only wants to be told.
#[test]
fn audited_mail_waits_for_no_lookup() {
    let profile = Case::new(SECURE, "").profile;
    let late = || Verdict::temp(Row::Law, Reason::Deadline, "too late");
    for (mode, answer) in [
        (Some(Mode::Audit), Answer::NotFound),
        (Some(Mode::Opportunistic), Answer::Temp),
        (Some(Mode::Mandatory), Answer::Temp),
        (Some(Mode::Off), Answer::Temp),
        (None, Answer::Temp),
    ] {
        let rules = Rules::new(mode.map(rule).into_iter().collect());
        let next_hop = NextHop::parse("example.com");
        let verdict = without_findings(late(), &next_hop, &rules, &profile, Moment::default());
        assert_eq!(verdict.answer, answer, "{mode:?}");
    }
}
