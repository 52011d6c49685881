//! RFC 8689 and the guard: what each row of the golden table means for a message that demands TLS, or does
//! without it, and which of the operator's rules counts.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "tests"
)]

use hoplock_policy::findings::{Findings, Validation};
use hoplock_policy::guard::{
    Capability, Guard, GuardRule, Handed, Lack, OnRequireTls, Protection, Requirement, Ruling,
    SenderPattern, capability, expected,
};
use hoplock_policy::law::golden::{EXAMPLES, Example, built_in, postfix};
use hoplock_policy::law::{Answer, Conditions, LawOptions, Verdict, decide, decide_without_lookup};
use hoplock_policy::moment::Moment;
use hoplock_policy::name::DomainName;
use hoplock_policy::next_hop::NextHop;
use hoplock_policy::profile::{Floor, OwnDane, OwnDaneSeen, Profile};
use hoplock_policy::reason::Reason;
use hoplock_policy::rules::{Fallback, Mode, PinnedLevel, Rule, RulePattern, Rules};

fn judged(
    findings: &Findings,
    rules: Vec<Rule>,
    profile: &Profile,
    options: &LawOptions,
) -> Verdict {
    let conditions = Conditions {
        validation: Validation::Validating,
        remembered_dane: false,
        own_dane: OwnDaneSeen::Works,
        now: Moment::default(),
    };
    decide(findings, &Rules::new(rules), profile, options, conditions)
}

fn rules_of(example: &Example) -> Vec<Rule> {
    let mandatory = || Rule::new(RulePattern::Any, Mode::Mandatory);
    example.mandatory.then(mandatory).into_iter().collect()
}

fn said(verdict: &Verdict, findings: &Findings) -> &'static str {
    match capability(verdict, Some(findings), Validation::Validating) {
        Capability::Capable => "capable",
        Capability::Some => "some",
        Capability::Unknown => "unknown",
        Capability::Lacking(Lack::NoHosts) => "no hosts",
        Capability::Lacking(Lack::Unauthenticated) => "unauthenticated",
        Capability::Lacking(Lack::InsecureMx) => "insecure",
        Capability::Lacking(Lack::Testing) => "testing",
        Capability::Lacking(Lack::ByRule) => "by rule",
    }
}

/// RQ-04, RQ-05: every row of the table, for Postfix, for one without DANE, and for Exim: can it keep
/// REQUIRETLS, and what is expected to protect a message?
#[test]
fn each_row_of_the_table() {
    let columns = [
        postfix(Floor::May),
        Profile {
            anchor_directory: "/anchors".to_owned(),
            ..built_in("pins", Floor::May)
        },
        built_in("exim", Floor::May),
    ];
    let mut table = String::new();
    for example in EXAMPLES {
        let findings = example.findings();
        let cells = columns.each_ref().map(|profile| {
            let verdict = judged(
                &findings,
                rules_of(example),
                profile,
                &LawOptions::default(),
            );
            let protection = expected(&verdict, Some(&findings), profile);
            format!("{}, {}", protection.word(), said(&verdict, &findings))
        });
        table += &format!("{} | {}\n", example.row.id(), cells.join(" | "));
    }
    assert_eq!(table, TABLE, "{table}");
}

const TABLE: &str = "\
DT-01 | opportunistic, no hosts | opportunistic, no hosts | opportunistic, no hosts
DT-01s | authenticated, unknown | authenticated, unknown | authenticated, unknown
DT-02 | unknown, unknown | unknown, unknown | unknown, unknown
DT-03 | opportunistic, unauthenticated | opportunistic, unauthenticated | opportunistic, unauthenticated
DT-04 | authenticated, capable | authenticated, capable | authenticated, capable
DT-05 | opportunistic, unauthenticated | opportunistic, unauthenticated | opportunistic, unauthenticated
DT-05s | authenticated, capable | authenticated, capable | authenticated, capable
DT-06 | authenticated, capable | authenticated, capable | authenticated, capable
DT-07 | partly, some | authenticated, capable | partly, some
DT-07b | partly, some | opportunistic, unauthenticated | partly, some
DT-07c | partly, some | authenticated, capable | partly, some
DT-08 | authenticated, capable | authenticated, capable | authenticated, capable
DT-08b | authenticated, capable | authenticated, capable | authenticated, capable
DT-08c | authenticated, capable | authenticated, capable | authenticated, capable
DT-09 | encrypted, unauthenticated | encrypted, unauthenticated | encrypted, unauthenticated
DT-09s | authenticated, capable | authenticated, capable | authenticated, capable
DT-10 | partly, some | authenticated, capable | partly, some
DT-10s | authenticated, capable | authenticated, capable | authenticated, capable
DT-11 | opportunistic, unauthenticated | encrypted, unauthenticated | opportunistic, unauthenticated
DT-11s | authenticated, capable | authenticated, capable | authenticated, capable
DT-12 | authenticated, capable | authenticated, capable | authenticated, capable
DT-12u | partly, some | authenticated, capable | partly, some
DT-13 | opportunistic, unknown | unknown, unknown | opportunistic, unknown
DT-13a | opportunistic, unknown | opportunistic, unknown | opportunistic, unknown
DT-13s | authenticated, capable | authenticated, capable | authenticated, capable
DT-13u | partly, some | authenticated, capable | partly, some
DT-14 | encrypted, unknown | unknown, unknown | encrypted, unknown
DT-14s | authenticated, capable | authenticated, capable | authenticated, capable
DT-15 | unknown, unknown | unknown, unknown | unknown, unknown
DT-15s | unknown, unknown | unknown, unknown | unknown, unknown
DT-16 | authenticated, capable | unknown, unknown | authenticated, capable
DT-18 | authenticated, capable | authenticated, capable | authenticated, capable
DT-20 | partly, insecure | opportunistic, unauthenticated | opportunistic, unauthenticated
DT-20f | partly, unknown | opportunistic, unknown | opportunistic, unknown
DT-20n | opportunistic, unknown | opportunistic, unknown | opportunistic, unknown
DT-22 | authenticated, capable | authenticated, capable | authenticated, capable
DT-25 | unknown, unknown | unknown, unknown | unknown, unknown
DT-26 | refused, unknown | refused, unknown | refused, unknown
";

/// RQ-04: what is not enough: policies in testing mode, half-DANE, audit, a level of the operator's, a
/// fallback, the mail server's own names.
#[test]
fn what_is_not_enough() {
    let row = |id: &str| {
        let found = EXAMPLES.iter().find(|example| example.row.id() == id);
        found.unwrap().findings()
    };
    let any = |mode| Rule::new(RulePattern::Any, mode);
    let pinned = |answer| Rule {
        answer: Some(answer),
        names: vec![name("mx.e.test")],
        ..any(Mode::Opportunistic)
    };
    let fallback = Rule {
        fallback: Fallback::Secure,
        names: vec![name("mx.e.test")],
        ..any(Mode::Mandatory)
    };
    let postfix_may = postfix(Floor::May);
    let options = LawOptions::default();
    for (id, rules, profile, expected) in [
        ("DT-06", vec![], &postfix_may, "capable"),
        ("DT-06", vec![any(Mode::Audit)], &postfix_may, "unknown"),
        ("DT-06", vec![any(Mode::Off)], &postfix_may, "unknown"),
        (
            "DT-06",
            vec![pinned(PinnedLevel::DaneOnly)],
            &postfix_may,
            "by rule",
        ),
        (
            "DT-06",
            vec![pinned(PinnedLevel::Secure)],
            &postfix_may,
            "by rule",
        ),
        ("DT-06", vec![any(Mode::Mandatory)], &postfix_may, "capable"),
        ("DT-05", vec![fallback], &postfix_may, "by rule"),
        ("DT-05", vec![], &postfix(Floor::Secure), "insecure"),
        ("DT-03", vec![], &postfix(Floor::Secure), "insecure"),
        ("DT-20", vec![], &postfix_may, "insecure"),
        ("DT-09", vec![], &postfix_may, "unauthenticated"),
    ] {
        let findings = row(id);
        let verdict = judged(&findings, rules, profile, &options);
        assert_eq!(said(&verdict, &findings), expected, "{id}: {verdict:?}");
    }
    let testing = LawOptions {
        testing_as_enforce: true,
        ..LawOptions::default()
    };
    let mut findings = row("DT-04");
    into_testing(&mut findings);
    let verdict = judged(&findings, vec![], &postfix_may, &testing);
    assert!(matches!(verdict.answer, Answer::Secure(_)), "{verdict:?}");
    assert_eq!(said(&verdict, &findings), "testing");
}

fn into_testing(findings: &mut Findings) {
    use hoplock_policy::findings::StsFinding;
    use hoplock_policy::sts::StsPolicy;
    if let StsFinding::Policy { remembered, .. } = &mut findings.sts {
        let text = remembered.policy.text.replace("enforce", "testing");
        let mut own = (**remembered).clone();
        own.policy = StsPolicy::parse(text.as_bytes()).unwrap();
        *remembered = std::sync::Arc::new(own);
    }
}

/// RQ-03: for a message that opts out, what the destination publishes does not count, and is not looked up;
/// the operator's rules and his own level do.
#[test]
fn a_message_that_opts_out() {
    let bypass = |floor| Profile {
        floor,
        ..Profile::built_in("bypass").unwrap()
    };
    let any = |mode| Rule::new(RulePattern::Any, mode);
    let pinned = Rule {
        answer: Some(PinnedLevel::Encrypt),
        ..any(Mode::Opportunistic)
    };
    let next_hop = NextHop::parse("e.test");
    for (rules, floor, answer) in [
        (vec![], Floor::May, Some(Answer::May)),
        (vec![], Floor::Dane, Some(Answer::May)),
        (vec![], Floor::Encrypt, Some(Answer::NotFound)),
        (vec![], Floor::Secure, Some(Answer::NotFound)),
        (
            vec![any(Mode::Opportunistic)],
            Floor::May,
            Some(Answer::May),
        ),
        (vec![any(Mode::Audit)], Floor::May, Some(Answer::May)),
        (vec![any(Mode::Off)], Floor::May, Some(Answer::NotFound)),
        (vec![pinned], Floor::May, Some(Answer::Encrypt)),
        // What the operator demands is looked up, and kept to.
        (vec![any(Mode::Mandatory)], Floor::May, None),
    ] {
        let profile = bypass(floor);
        let rules = Rules::new(rules);
        let (options, now) = (LawOptions::default(), Moment::default());
        let works = OwnDaneSeen::Works;
        let verdict = decide_without_lookup(&next_hop, &rules, &profile, &options, works, now);
        let said = verdict.map(|verdict| verdict.answer);
        assert_eq!(said, answer, "{rules:?} {floor:?}");
    }
    // Whatever was found.
    for example in EXAMPLES.iter().filter(|example| !example.mandatory) {
        let findings = example.findings();
        let verdict = judged(
            &findings,
            vec![],
            &bypass(Floor::May),
            &LawOptions::default(),
        );
        assert_eq!(verdict.answer, Answer::May, "{:?}", example.row);
        assert_eq!(verdict.reason, Reason::TlsRequiredNo);
    }
    // SB-05: a server that begins with TLS cannot do without.
    let wrapper = Profile {
        wrapper: true,
        ..bypass(Floor::May)
    };
    let verdict = judged(
        &EXAMPLES[0].findings(),
        vec![],
        &wrapper,
        &LawOptions::default(),
    );
    assert_eq!(verdict.answer, Answer::Encrypt);
}

/// RQ-03: REQUIRETLS counts where both are said.
#[test]
fn both_flags() {
    for (require_tls, no, requirement) in [
        (false, false, Requirement::Ordinary),
        (false, true, Requirement::OptsOut),
        (true, false, Requirement::RequireTls),
        (true, true, Requirement::RequireTls),
    ] {
        assert_eq!(Requirement::of(require_tls, no), requirement);
    }
}

fn name(text: &str) -> DomainName {
    DomainName::parse(text).unwrap()
}

fn handed<'a>(domain: &'a DomainName, requirement: Requirement) -> Handed<'a> {
    Handed {
        domain: Some(domain),
        address: None,
        sender: None,
        user: None,
        requirement,
    }
}

fn for_all(protection: &[Protection], action: &'static str) -> GuardRule<&'static str> {
    GuardRule {
        recipients: vec![],
        senders: vec![],
        users: vec![],
        protection: protection.to_vec(),
        action,
    }
}

/// RQ-05: refused for good only where it is established that REQUIRETLS cannot be kept; where nobody knows,
/// refused for now, whatever the operator asks for beyond letting it go.
#[test]
fn requiretls_is_refused_for_good_only_where_it_cannot_be_kept() {
    let lack = Lack::Unauthenticated;
    let lacking = Capability::Lacking(lack);
    let domain = name("e.test");
    for (on, capability, ruling) in [
        (OnRequireTls::Reject, Capability::Capable, Ruling::LetGo),
        (OnRequireTls::Reject, lacking, Ruling::RequireTls(lack)),
        (
            OnRequireTls::Reject,
            Capability::Unknown,
            Ruling::RequireTlsLater(None),
        ),
        (
            OnRequireTls::Reject,
            Capability::Some,
            Ruling::RequireTlsLater(None),
        ),
        (OnRequireTls::Defer, Capability::Capable, Ruling::LetGo),
        (
            OnRequireTls::Defer,
            lacking,
            Ruling::RequireTlsLater(Some(lack)),
        ),
        (
            OnRequireTls::Defer,
            Capability::Unknown,
            Ruling::RequireTlsLater(None),
        ),
        (OnRequireTls::Ignore, Capability::Capable, Ruling::LetGo),
        (OnRequireTls::Ignore, lacking, Ruling::LetGo),
        (OnRequireTls::Ignore, Capability::Unknown, Ruling::LetGo),
    ] {
        let guard: Guard<&str> = Guard {
            rules: vec![],
            requiretls: on,
        };
        let known = Some((Protection::Opportunistic, capability));
        let asked = handed(&domain, Requirement::RequireTls);
        assert_eq!(guard.decide(&asked, known), ruling, "{on:?} {capability:?}");
        assert_eq!(guard.must_know(&asked), on != OnRequireTls::Ignore);
        for other in [Requirement::Ordinary, Requirement::OptsOut] {
            assert_eq!(guard.decide(&handed(&domain, other), known), Ruling::LetGo);
            assert!(!guard.must_know(&handed(&domain, other)));
        }
    }
}

/// The first rule that fits counts, by recipient, sender, user and protection.
#[test]
fn the_first_that_fits() {
    let rule = |action| for_all(&[], action);
    let guard = Guard {
        rules: vec![
            GuardRule {
                recipients: vec![
                    RulePattern::Exact(name("bank.test")),
                    RulePattern::Suffix(name("gov.test")),
                ],
                senders: vec![
                    SenderPattern::Mailbox("boss".to_owned(), name("own.test")),
                    SenderPattern::Null,
                ],
                ..rule("by recipient and sender")
            },
            GuardRule {
                users: vec!["anna".to_owned()],
                ..rule("by user")
            },
            GuardRule {
                senders: vec![
                    SenderPattern::Domain(name("other.test")),
                    SenderPattern::Below(name("below.test")),
                ],
                ..rule("by sender")
            },
            GuardRule {
                recipients: vec![RulePattern::Address("192.0.2.1".parse().unwrap())],
                ..rule("by address")
            },
            GuardRule {
                protection: vec![Protection::Unknown],
                ..rule("by protection")
            },
        ],
        requiretls: OnRequireTls::Reject,
    };
    type Sender<'a> = Option<(&'a str, &'a str)>;
    let boss: Sender<'_> = Some(("Boss", "own.test"));
    for (to, from, user, expected) in [
        ("bank.test", boss, None, "by recipient and sender"),
        ("a.gov.test", None, None, "by recipient and sender"),
        ("gov.test", boss, None, "by protection"),
        (
            "bank.test",
            Some(("bosss", "own.test")),
            None,
            "by protection",
        ),
        (
            "bank.test",
            Some(("boss", "a.own.test")),
            Some("anna"),
            "by user",
        ),
        ("bank.test", boss, Some("anna"), "by recipient and sender"),
        ("x.test", boss, Some("Anna"), "by protection"),
        ("x.test", Some(("a", "other.test")), None, "by sender"),
        ("x.test", Some(("a", "b.other.test")), None, "by protection"),
        ("x.test", Some(("a", "b.below.test")), None, "by sender"),
        ("x.test", Some(("a", "below.test")), None, "by protection"),
    ] {
        let (to, from_domain) = (name(to), from.map(|(_, domain)| name(domain)));
        let handed = Handed {
            sender: from.map(|(local_part, _)| (local_part, from_domain.as_ref())),
            user,
            ..handed(&to, Requirement::Ordinary)
        };
        let known = Some((Protection::Unknown, Capability::Unknown));
        let told = format!("{to} {from:?} {user:?}");
        assert_eq!(
            guard.decide(&handed, known),
            Ruling::Order(&expected),
            "{told}"
        );
        assert_eq!(
            guard.must_know(&handed),
            expected == "by protection",
            "{told}"
        );
        let other = Some((Protection::Refused, Capability::Unknown));
        if expected == "by protection" {
            assert_eq!(guard.decide(&handed, other), Ruling::LetGo, "{told}");
        }
    }
    let literal = Handed {
        domain: None,
        address: Some("192.0.2.1".parse().unwrap()),
        sender: Some(("a", None)),
        user: None,
        requirement: Requirement::Ordinary,
    };
    assert_eq!(guard.decide(&literal, None), Ruling::Order(&"by address"));
}

/// RQ-05, MX-17: a resolver that validates nothing proves nothing, and so nothing is refused for good for it; nor
/// for what the operator sets aside for a while, or where a lookup failed.
#[test]
fn trouble_is_not_established() {
    let row = |id: &str| {
        let found = EXAMPLES.iter().find(|example| example.row.id() == id);
        found.unwrap().findings()
    };
    let profile = postfix(Floor::May);
    let options = LawOptions::default();
    let plain = row("DT-05");
    let verdict = judged(&plain, vec![], &profile, &options);
    for (validation, expected) in [
        (
            Validation::Validating,
            Capability::Lacking(Lack::Unauthenticated),
        ),
        (
            Validation::Unknown,
            Capability::Lacking(Lack::Unauthenticated),
        ),
        (Validation::NotValidating, Capability::Unknown),
    ] {
        assert_eq!(capability(&verdict, Some(&plain), validation), expected);
    }
    // An enforced policy none of whose hosts is there is established, unless something could not be had.
    let mut findings = row("DT-26");
    let verdict = judged(&findings, vec![], &profile, &options);
    assert_eq!(
        expected(&verdict, Some(&findings), &profile),
        Protection::Refused
    );
    findings.hosts.push(row("DT-15").hosts[0].clone());
    assert_eq!(
        expected(&verdict, Some(&findings), &profile),
        Protection::Unknown
    );
    // PD-11: what was not seen of the mail server's own DANE may be seen soon.
    let findings = row("DT-06");
    for (own_dane, protection) in [
        (OwnDane::No, Protection::Refused),
        (OwnDane::Auto, Protection::Unknown),
    ] {
        let sendmail = Profile {
            own_dane,
            ..Profile::built_in("sendmail").unwrap()
        };
        let conditions = Conditions {
            validation: Validation::Validating,
            remembered_dane: false,
            own_dane: OwnDaneSeen::NotFound,
            now: Moment::default(),
        };
        let verdict = decide(
            &findings,
            &Rules::default(),
            &sendmail,
            &options,
            conditions,
        );
        assert_eq!(verdict.reason, Reason::MtaCannotAuthenticate);
        assert_eq!(expected(&verdict, Some(&findings), &sendmail), protection);
    }
    // PD-01: a delay that the operator orders is a delay.
    let deferred = Rule {
        answer: Some(PinnedLevel::Defer),
        ..Rule::new(RulePattern::Any, Mode::Opportunistic)
    };
    let verdict = judged(&findings, vec![deferred], &profile, &options);
    assert_eq!(
        expected(&verdict, Some(&findings), &profile),
        Protection::Unknown
    );
}
