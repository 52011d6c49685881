//! What the verbs of Exim's socket say: over every row of the golden table, and where a rule, a stranger or a
//! lookup that failed is in play. What a session owes is held against the judge of sessions
//! ([`hoplock_policy::verify`]), so that what is asked before a session and after it is one and the same.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "tests"
)]

use hoplock_policy::findings::{Findings, Validation};
use hoplock_policy::law::duty::Duty;
use hoplock_policy::law::golden::{EXAMPLES, Example, built_in};
use hoplock_policy::law::rows::Row;
use hoplock_policy::law::{Answer, Conditions, LawOptions, Verdict, decide};
use hoplock_policy::moment::Moment;
use hoplock_policy::name::DomainName;
use hoplock_policy::profile::{Floor, OwnDaneSeen};
use hoplock_policy::reason::Reason;
use hoplock_policy::render::exim::{Admission, Level, level, mx, option};
use hoplock_policy::render::render;
use hoplock_policy::rules::{Mode, PinnedLevel, Rule, RulePattern, Rules};
use hoplock_policy::tlsa::TlsaOptions;
use hoplock_policy::verify::Owed;

const OPTIONS: [&str; 6] = [
    "hosts_require_tls",
    "hosts_try_dane",
    "tls_verify_hosts",
    "tls_verify_cert_hostnames",
    "tls_tempfail_tryclear",
    "hosts_require_dane",
];

fn name(text: &str) -> DomainName {
    DomainName::parse(text).unwrap()
}

fn rule(answer: Option<PinnedLevel>, mode: Mode) -> Rule {
    Rule {
        answer,
        fingerprints: vec!["ab".repeat(32)],
        names: vec![name("gateway.test")],
        ..Rule::new(RulePattern::Any, mode)
    }
}

fn decided(example: &Example, floor: Floor, rules: Vec<Rule>) -> (Findings, Verdict) {
    let findings = example.findings();
    let conditions = Conditions {
        validation: Validation::Validating,
        remembered_dane: false,
        own_dane: OwnDaneSeen::NotFound,
        now: Moment::default(),
    };
    let verdict = decide(
        &findings,
        &Rules::new(rules),
        &built_in("exim", floor),
        &LawOptions::default(),
        conditions,
    );
    (findings, verdict)
}

fn of(row: Row) -> Example {
    *EXAMPLES.iter().find(|example| example.row == row).unwrap()
}

/// The values of [`OPTIONS`], `y` and `n`.
fn options(verdict: &Verdict, findings: Option<&Findings>, host: &str) -> String {
    let value = |option_name| option(option_name, verdict, findings, &name(host)).unwrap();
    let letters = OPTIONS.iter().map(|option| match &value(option)[..] {
        "yes" => 'y',
        "no" => 'n',
        other => panic!("{option} is {other}"),
    });
    letters.collect()
}

fn is_refused(admission: &Admission, reason: Reason) -> bool {
    matches!(admission, Admission::Refuse(words) if words.starts_with(&format!("{reason}: ")))
}

/// EX-03, EX-05, EX-07: each duty is its set of options, and only DANE tries Exim's own.
#[test]
fn each_duty_has_its_options() {
    for (row, host, duty, values) in [
        (Row::Dt06, "mx0", Duty::Dane, "yynnnn"),
        (Row::Dt07, "mx1", Duty::Free, "nnnnyn"),
        (Row::Dt09, "mx0", Duty::Encrypt, "ynnnnn"),
        (Row::Dt09s, "mx0", Duty::WebPki, "ynyynn"),
        // EX-05: behind an insecure MX set only MTA-STS counts, and Exim's own DANE is kept out of it.
        (Row::Dt04, "mx0", Duty::WebPki, "ynyynn"),
        // Whoever is refused is held to everything, should somebody ask.
        (Row::Dt12, "mx1", Duty::Refuse, "ynyynn"),
        (Row::Dt20, "mx0", Duty::Free, "nnnnyn"),
    ] {
        let (findings, verdict) = decided(&of(row), Floor::May, Vec::new());
        let host = format!("{host}.example.com");
        let judged = verdict
            .hosts
            .iter()
            .find(|judged| findings.hosts[judged.index].host.to_string() == host);
        assert_eq!(judged.unwrap().duty, duty, "{row:?}");
        assert_eq!(options(&verdict, Some(&findings), &host), values, "{row:?}");
        let sni = option("tls_sni", &verdict, Some(&findings), &name(&host));
        assert_eq!(sni, Some(host.clone()));
        let admission = mx(&verdict, Some(&findings), &name(&host));
        assert_eq!(admission == Admission::Ok, duty != Duty::Refuse, "{row:?}");
    }
    // PD-16: the floor `secure` asks for Exim's own names, with no name to compare of ours.
    let (findings, verdict) = decided(&of(Row::Dt05), Floor::Secure, Vec::new());
    assert_eq!(
        options(&verdict, Some(&findings), "mx0.example.com"),
        "ynynnn"
    );
}

/// EX-04: what Exim would bounce for is never asked for, nor what would leave without TLS, nor what hides a
/// certificate; an option that nobody knows has no value, and the snippet fails closed.
#[test]
fn nothing_bounces_and_nothing_is_unknown() {
    for example in EXAMPLES {
        let (findings, verdict) = decided(example, Floor::May, Vec::new());
        for host in ["mx0.example.com", "stranger.test"] {
            for never in [
                "hosts_require_dane",
                "hosts_avoid_tls",
                "hosts_verify_avoid_tls",
                "tls_resumption_hosts",
                "multi_domain",
            ] {
                let value = option(never, &verdict, Some(&findings), &name(host));
                assert_eq!(value.as_deref(), Some("no"), "{never}");
            }
            for unknown in [
                "",
                "hosts_require_tls ",
                "HOSTS_REQUIRE_TLS",
                "tls_certificate",
            ] {
                assert_eq!(
                    option(unknown, &verdict, Some(&findings), &name(host)),
                    None
                );
            }
        }
    }
}

/// SNI is the TLSA base where DANE binds (RFC 7672, 8.1), and the host's name in its MX record elsewhere.
#[test]
fn server_names_are_where_the_records_stand() {
    use hoplock_policy::findings::DaneFinding;
    use hoplock_policy::name::TlsaBaseDomain;
    for (row, expected) in [(Row::Dt06, "base.test"), (Row::Dt04, "mx0.example.com")] {
        let example = of(row);
        let (mut findings, verdict) = decided(&example, Floor::May, Vec::new());
        if let DaneFinding::Records { base, .. } = &mut findings.hosts[0].dane {
            *base = TlsaBaseDomain(name("base.test"));
        }
        let host = name("mx0.example.com");
        let sni = option("tls_sni", &verdict, Some(&findings), &host);
        assert_eq!(sni.as_deref(), Some(expected), "{row:?}");
    }
    let (findings, verdict) = decided(&of(Row::Dt06), Floor::May, Vec::new());
    let host = name("stranger.test");
    let sni = option("tls_sni", &verdict, Some(&findings), &host);
    assert_eq!(sni.as_deref(), Some("stranger.test"));
}

/// EX-04, RQ-05: `level` is the reply of `query`, too; mail that waits has its reason, and never bounces.
#[test]
fn the_level_is_the_reply() {
    for example in EXAMPLES {
        let (_, verdict) = decided(example, Floor::May, Vec::new());
        let said = level(&verdict);
        let reply = render(&verdict, &built_in("exim", Floor::May));
        assert_eq!(reply.to_string(), said.to_string());
        assert_eq!(reply.waits(), matches!(said, Level::Defer(_)));
        match (&said, &verdict.answer) {
            (Level::Defer(words), Answer::Temp) => {
                assert!(
                    words.starts_with(&format!("{}: ", verdict.reason)),
                    "{words}"
                );
                assert_eq!(said.to_string(), format!("defer {words}"));
            }
            (Level::May, Answer::NotFound) => assert_eq!(said.to_string(), "may"),
            (Level::Enforce, answer) => {
                assert!(!matches!(answer, Answer::Temp | Answer::NotFound));
                assert_eq!(said.to_string(), "enforce");
            }
            other => panic!("{other:?}"),
        }
    }
    // A host that seemed to have no address owes nothing; who is known owes what the floor asks.
    for (floor, expected) in [
        (Floor::May, Level::May),
        (Floor::Dane, Level::May),
        (Floor::Encrypt, Level::Enforce),
        (Floor::Secure, Level::Enforce),
    ] {
        let (_, verdict) = decided(&of(Row::Dt05), floor, Vec::new());
        assert_eq!(level(&verdict), expected, "{floor:?}");
        let (_, verdict) = decided(&of(Row::Dt01), floor, Vec::new());
        assert_eq!(level(&verdict), Level::May);
    }
}

/// EX-07, FT-02: a host that must get no mail is refused with its reason, and the next one is tried.
#[test]
fn refusals_have_their_reasons() {
    for (row, host, reason) in [
        (Row::Dt12, "mx1.example.com", Reason::TlsaLookupFailed),
        (Row::Dt13a, "mx1.example.com", Reason::AddressLookupFailed),
        (Row::Dt05s, "mx1.example.com", Reason::StsHostNotListed),
        (Row::Dt04, "stranger.test", Reason::StsHostNotListed),
        (Row::Dt01s, "stranger.test", Reason::StsHostNotListed),
        (Row::Dt06, "stranger.test", Reason::HostUnknown),
        (Row::Dt08, "stranger.test", Reason::HostUnknown),
        (Row::Dt13, "stranger.test", Reason::HostUnknown),
    ] {
        let (findings, verdict) = decided(&of(row), Floor::May, Vec::new());
        let admission = mx(&verdict, Some(&findings), &name(host));
        assert!(
            is_refused(&admission, reason),
            "{row:?} {host}: {admission:?}"
        );
        assert_eq!(
            options(&verdict, Some(&findings), host),
            "ynyynn",
            "{row:?}"
        );
    }
    let demanded = rule(None, Mode::Mandatory);
    let (findings, verdict) = decided(&of(Row::Dt07), Floor::May, vec![demanded]);
    let admission = mx(&verdict, Some(&findings), &name("mx1.example.com"));
    assert!(
        is_refused(&admission, Reason::DaneRequired),
        "{admission:?}"
    );
    let admission = mx(&verdict, Some(&findings), &name("mx0.example.com"));
    assert_eq!(admission, Admission::Ok);
}

/// RFC 8461, 4.1: where no host is known for sure, the policy's patterns say who may take mail.
#[test]
fn patterns_admit_where_no_host_is_known() {
    let (findings, verdict) = decided(&of(Row::Dt01s), Floor::May, Vec::new());
    for findings in [Some(&findings), None] {
        for (host, admitted) in [
            ("mx7.listed.example", true),
            ("a.b.listed.example", false),
            ("listed.example", false),
            ("stranger.test", false),
        ] {
            let admission = mx(&verdict, findings, &name(host));
            assert_eq!(admission == Admission::Ok, admitted, "{host}");
            assert_eq!(options(&verdict, findings, host), "ynyynn", "{host}");
        }
    }
    // Exactly a name, too.
    let (findings, verdict) = decided(&of(Row::Dt04), Floor::May, Vec::new());
    let known = name("mx1.example.com");
    assert_eq!(mx(&verdict, Some(&findings), &known), Admission::Ok);
    assert_eq!(mx(&verdict, None, &known), Admission::Ok);
    assert_ne!(mx(&verdict, None, &name("1.example.com")), Admission::Ok);
}

/// FT-01: what waits gets no session with anybody, whoever asks.
#[test]
fn what_waits_gets_no_session() {
    for row in [Row::Dt02, Row::Dt15, Row::Dt26] {
        let (findings, verdict) = decided(&of(row), Floor::May, Vec::new());
        for host in ["mx0.example.com", "stranger.test"] {
            let Admission::Defer(words) = mx(&verdict, Some(&findings), &name(host)) else {
                panic!("{row:?}");
            };
            assert_eq!(Level::Defer(words), level(&verdict));
            assert_eq!(options(&verdict, Some(&findings), host), "ynyynn");
        }
    }
}

/// OP-03, OP-05, EX-06: a rule stands above what is published; pins and names are for the certificate.
#[test]
fn rules_stand_above() {
    use PinnedLevel as Pin;
    let free = "nnnnyn";
    for (answer, row, expected, values) in [
        (Pin::None, Row::Dt06, Level::May, free),
        (Pin::May, Row::Dt06, Level::May, free),
        (Pin::Encrypt, Row::Dt06, Level::Enforce, "ynnnnn"),
        (Pin::Fingerprint, Row::Dt05, Level::Enforce, "ynnnnn"),
        (Pin::Secure, Row::Dt05, Level::Enforce, "ynnnnn"),
        (Pin::Verify, Row::Dt05, Level::Enforce, "ynnnnn"),
        (Pin::Dane, Row::Dt06, Level::Enforce, "yynnnn"),
        (Pin::Dane, Row::Dt09, Level::Enforce, "ynnnnn"),
        (Pin::Dane, Row::Dt05, Level::Enforce, free),
        (Pin::Dane, Row::Dt20, Level::Enforce, free),
        (Pin::Dane, Row::Dt15, Level::Enforce, "ynyynn"),
        (Pin::DaneOnly, Row::Dt06, Level::Enforce, "yynnnn"),
        (Pin::DaneOnly, Row::Dt05, Level::Enforce, "ynyynn"),
        (Pin::DaneOnly, Row::Dt09, Level::Enforce, "ynyynn"),
        (Pin::DaneOnly, Row::Dt20, Level::Enforce, "ynyynn"),
    ] {
        let (findings, verdict) = decided(
            &of(row),
            Floor::May,
            vec![rule(Some(answer), Mode::Opportunistic)],
        );
        assert_eq!(level(&verdict), expected, "{answer:?}");
        let said = options(&verdict, Some(&findings), "mx0.example.com");
        assert_eq!(said, values, "{answer:?} {row:?}");
        let refused = mx(&verdict, Some(&findings), &name("mx0.example.com")) != Admission::Ok;
        assert_eq!(refused, values == "ynyynn", "{answer:?} {row:?}");
    }
    for mode in [Mode::Off, Mode::Audit] {
        for (floor, expected, values) in [
            (Floor::May, Level::May, free),
            (Floor::Dane, Level::May, free),
            (Floor::Encrypt, Level::Enforce, "ynnnnn"),
            (Floor::Secure, Level::May, free),
        ] {
            let (findings, verdict) = decided(&of(Row::Dt06), floor, vec![rule(None, mode)]);
            assert_eq!(level(&verdict), expected, "{mode:?} {floor:?}");
            let said = options(&verdict, Some(&findings), "stranger.test");
            assert_eq!(said, values, "{mode:?} {floor:?}");
        }
    }
    let (findings, verdict) = decided(
        &of(Row::Dt05),
        Floor::May,
        vec![rule(Some(Pin::Defer), Mode::Opportunistic)],
    );
    assert!(matches!(level(&verdict), Level::Defer(_)));
    assert_eq!(
        options(&verdict, Some(&findings), "mx0.example.com"),
        "ynyynn"
    );
}

/// The operator's `dane` binds those whom a secure MX set does not name, and nobody behind an insecure one.
#[test]
fn a_pinned_dane_knows_its_hosts() {
    for (answer, row, refused) in [
        (PinnedLevel::Dane, Row::Dt06, true),
        (PinnedLevel::Dane, Row::Dt20, false),
        (PinnedLevel::DaneOnly, Row::Dt06, true),
        (PinnedLevel::DaneOnly, Row::Dt20, true),
    ] {
        let rules = vec![rule(Some(answer), Mode::Opportunistic)];
        let (findings, verdict) = decided(&of(row), Floor::May, rules);
        let host = name("stranger.test");
        let admission = mx(&verdict, Some(&findings), &host);
        assert_eq!(admission != Admission::Ok, refused, "{answer:?} {row:?}");
        // Nothing was looked up: nobody can be told from a stranger.
        assert_ne!(mx(&verdict, None, &host), Admission::Ok);
    }
}

/// SV-01: what a session is held to before it is what it is judged by afterwards, in every row, for every
/// host and for a stranger, under each floor.
#[test]
fn asked_before_is_judged_after() {
    let mut judged = 0;
    for example in EXAMPLES {
        for floor in [Floor::May, Floor::Dane, Floor::Encrypt, Floor::Secure] {
            let (findings, verdict) = decided(example, floor, Vec::new());
            if verdict.answer == Answer::Temp {
                continue;
            }
            for host in [
                "mx0.example.com",
                "mx1.example.com",
                "mx2.example.com",
                "a.listed.example",
            ] {
                let host = name(host);
                let owed = Owed::under(
                    &verdict,
                    Some(&findings),
                    &host,
                    &TlsaOptions::default(),
                    &[],
                    Moment::default(),
                    floor,
                );
                let admission = mx(&verdict, Some(&findings), &host);
                let said = options(&verdict, Some(&findings), host.as_str());
                let row = example.row;
                judged += 1;
                match owed.map(|owed| owed.duty) {
                    // A host that the policy's patterns do not permit owes web PKI, and fails there.
                    Ok(Duty::WebPki) if admission != Admission::Ok => {
                        assert!(
                            is_refused(&admission, Reason::StsHostNotListed),
                            "{row:?} {host}"
                        );
                    }
                    Ok(Duty::Refuse) | Err(_) => {
                        assert_ne!(admission, Admission::Ok, "{row:?} {host} {floor:?}");
                        assert_eq!(said, "ynyynn", "{row:?} {host}");
                    }
                    Ok(duty) => {
                        assert_eq!(admission, Admission::Ok, "{row:?} {host} {floor:?}");
                        let expected = match duty {
                            Duty::Free => "nnnnyn",
                            Duty::Encrypt => "ynnnnn",
                            Duty::WebPki => "ynyynn",
                            Duty::OwnWebPki => "ynynnn",
                            _ => "yynnnn",
                        };
                        // Where nothing is known of a host, Exim's own level acts by itself.
                        let own = verdict.hosts.is_empty() && level(&verdict) == Level::May;
                        if !own {
                            assert_eq!(said, expected, "{row:?} {host} {floor:?}");
                        }
                    }
                }
            }
        }
    }
    assert!(judged > 300, "{judged}");
}
