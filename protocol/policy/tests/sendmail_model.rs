//! A model of what Sendmail makes of its `sts` map's results: the three rulesets that ask the map
//! (`Set_SNI`, `STS_secure`, `STS_Check` of `cf/m4/proto.m4`), the parser of what `Set_SNI` returns, and
//! the limits of the map's values. Written from those sources and held against what a Sendmail 8.18 in
//! test mode answered. Every verdict of the search is fed through it.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "tests"
)]

use hoplock_policy::dns::SecurityStatus;
use hoplock_policy::findings::Validation;
use hoplock_policy::law::duty::Duty;
use hoplock_policy::law::golden::{Example, built_in};
use hoplock_policy::law::outcome::{MATCH_LIMIT, Outcome};
use hoplock_policy::law::rows::Row;
use hoplock_policy::law::{
    Answer, Conditions, FirstContact, LawOptions, MatchName, Verdict, decide,
};
use hoplock_policy::moment::Moment;
use hoplock_policy::name::DomainName;
use hoplock_policy::profile::{Floor, OwnDane, OwnDaneSeen, Profile};
use hoplock_policy::reason::Reason;
use hoplock_policy::render::render;
use hoplock_policy::rules::Rules;
use proptest::prelude::*;

/// What Sendmail makes of one reply.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Read {
    /// It dies of it: `OK` and nothing.
    Dies,
    /// Mail waits for every host.
    Waits,
    /// Mail waits by an accident of its rules: never what was meant.
    Broken(&'static str),
    /// No demand: also for words that were meant as one.
    Ignored,
    /// A certificate that verifies, with the host's name in it, and the host's name in this list.
    Secure(Vec<String>),
}

/// The reply as the socket map reads it, and as the rulesets act on its value.
fn read(reply: &str) -> Read {
    let value = match reply.split_once(' ') {
        None if reply == "OK" => return Read::Dies,
        None => return Read::Waits,
        Some(("OK", value)) => value,
        // "PERM" is no policy to it.
        Some(("NOTFOUND" | "PERM", _)) => return Read::Ignored,
        // "TEMP", "TIMEOUT", and what is no status.
        Some(_) => return Read::Waits,
    };
    let tokens = tokens(value);
    let cost: usize = tokens.iter().map(|token| token.len() + 1).sum();
    let longest = tokens.iter().map(|token| token.len()).max();
    if cost > 1251 || longest.unwrap_or_default() > 256 {
        // "Address too long": the ruleset ends without a result, and so without a demand.
        return Read::Ignored;
    }
    // R$* secure $*: the first word of that spelling, wherever it stands.
    let Some(rest) = after_secure(value) else {
        return Read::Ignored;
    };
    // Set_SNI: all from the last "servername=" on must be one option that the program knows.
    match rest.rfind("servername=").map(|at| &rest[at..]) {
        None => return Read::Broken("invalid_syntax: 403 STARTTLS temporarily not possible"),
        Some("servername=hostname") => {}
        Some(_) => return Read::Broken("servername, invalid_value"),
    }
    // STS_Check: R$* servername=hostname $| trmatch, so it must be the last word.
    let Some(rest) = rest.strip_suffix("servername=hostname") else {
        return Read::Broken("servername is not the last word");
    };
    let rest = rest.trim_end();
    if rest.is_empty() {
        return Read::Secure(vec![]);
    }
    // The regular expression takes what stands behind the first "match=", and 255 octets of it.
    let Some(at) = rest.find("match=") else {
        return Read::Broken("not found in");
    };
    let list = &rest[at + "match=".len()..];
    let list = &list[..list.len().min(255)];
    if list.contains(' ') || list.is_empty() {
        return Read::Broken("not found in");
    }
    let names = list.split(':').map(|name| name.trim_end_matches('.'));
    Read::Secure(names.map(str::to_owned).collect())
}

/// Words as Sendmail's rules see them: blanks part them, and each of these letters is one.
fn tokens(value: &str) -> Vec<&str> {
    let mut tokens = Vec::new();
    for word in value.split(' ').filter(|word| !word.is_empty()) {
        let mut rest = word;
        while let Some(at) = rest.find([':', '.', '%', '@', '!', '^', '/', '[', ']', '+']) {
            tokens.push(&rest[..at]);
            tokens.push(&rest[at..=at]);
            rest = &rest[at + 1..];
        }
        tokens.push(rest);
    }
    tokens.retain(|token| !token.is_empty());
    tokens
}

fn after_secure(value: &str) -> Option<&str> {
    let mut from = 0;
    for token in tokens(value) {
        let at = from + value[from..].find(token)?;
        from = at + token.len();
        if token.eq_ignore_ascii_case("secure") {
            return Some(value[from..].trim_start());
        }
    }
    None
}

/// TLS_NameInList and the rule behind it: the host's name, or all of it behind its first label.
fn is_in_list(host: &str, list: &[String]) -> bool {
    let above = host.split_once('.').map(|(_, above)| format!(".{above}"));
    list.iter()
        .any(|name| name.eq_ignore_ascii_case(host) || Some(name) == above.as_ref())
}

/// The model is worth something only if it says what Sendmail was seen to do.
#[test]
fn the_model_says_what_sendmail_did() {
    let hostname = "servername=hostname";
    let secure = |names: &[&str]| Read::Secure(names.iter().map(ToString::to_string).collect());
    let long: Vec<String> = (0..111).map(|number| format!("m{number:03}.t")).collect();
    for (reply, expected) in [
        ("OK".to_owned(), Read::Dies),
        ("OK ".to_owned(), Read::Ignored),
        ("NOTFOUND ".to_owned(), Read::Ignored),
        ("PERM no".to_owned(), Read::Ignored),
        ("OK may".to_owned(), Read::Ignored),
        ("OK encrypt".to_owned(), Read::Ignored),
        ("OK dane-only".to_owned(), Read::Ignored),
        (format!("OK verify match=mx.test {hostname}"), Read::Ignored),
        ("TEMP busy: words".to_owned(), Read::Waits),
        ("TIMEOUT x".to_owned(), Read::Waits),
        ("garbage".to_owned(), Read::Waits),
        (
            format!("OK secure match=mx.test {hostname}"),
            secure(&["mx.test"]),
        ),
        (
            format!("OK SECURE match=mx.test {hostname}"),
            secure(&["mx.test"]),
        ),
        (
            format!("OK secure match=secure.test:.b.test {hostname}"),
            secure(&["secure.test", ".b.test"]),
        ),
        (format!("OK secure {hostname}"), secure(&[])),
        // Further names than it reads words for: no ruleset ends, and nothing is demanded.
        (
            format!("OK secure match={} {hostname}", long.join(":")),
            Read::Ignored,
        ),
    ] {
        assert_eq!(read(&reply), expected, "{reply:?}");
    }
    for reply in [
        "OK secure match=mx.test",
        "OK secure servername=hostname match=mx.test",
        "OK secure match=mx.test servername=hostname policy_type=sts",
        "OK secure match=mx.test servername=hostname flags=d",
        "OK secure match=mx.test match=my.test servername=hostname",
        "OK secure match= servername=hostname",
        "OK secure nonsense servername=hostname",
    ] {
        assert!(matches!(read(reply), Read::Broken(_)), "{reply:?}");
    }
    // 255 octets are read, and the beginning of a name that is cut is taken for a name.
    let first = format!("{}.{}.{}.t", "a".repeat(60), "b".repeat(60), "c".repeat(60));
    let last = "z".repeat(255 - first.len() - 3) + ".t";
    let cut = read(&format!("OK secure match={first}:{last}est {hostname}"));
    assert_eq!(cut, secure(&[&first, &last]));
    for (host, listed) in [
        ("a.sts.test", true),
        ("my_x.sts.test", true),
        ("a.b.sts.test", false),
        ("sts.test", false),
    ] {
        assert_eq!(
            is_in_list(host, &[".sts.test".to_owned()]),
            listed,
            "{host}"
        );
    }
    assert!(is_in_list("MX.test", &["mx.test".to_owned()]));
    assert!(!is_in_list(
        "mx.test",
        &["mx.tes".to_owned(), "mx.test.test".to_owned()]
    ));
}

fn name(text: &str) -> DomainName {
    DomainName::parse(text).unwrap()
}

fn profiles() -> Vec<Profile> {
    let mut all = Vec::new();
    for floor in [Floor::May, Floor::Dane, Floor::Encrypt, Floor::Secure] {
        for own_dane in [OwnDane::Auto, OwnDane::Yes, OwnDane::No] {
            for verifier in [false, true] {
                all.push(Profile {
                    own_dane,
                    verifier,
                    ..built_in("sendmail", floor)
                });
            }
        }
    }
    all
}

/// Renders, reads back, and holds the one against the other.
fn check(verdict: &Verdict, profile: &Profile) -> Read {
    let reply = render(verdict, profile).to_string();
    assert!(reply.len() < 100_000);
    assert!(reply.bytes().all(|byte| matches!(byte, b' '..=b'~')));
    let was_read = read(&reply);
    match &was_read {
        Read::Dies => panic!("Sendmail dies of {reply:?}"),
        Read::Broken(why) => panic!("{reply:?}: {why}"),
        Read::Ignored => {
            assert_eq!(reply, "NOTFOUND ");
            // OP-05: what is not said is held by Sendmail's settings, its own DANE or its session check.
            let by_itself = match &verdict.answer {
                Answer::NotFound | Answer::None | Answer::May => true,
                Answer::Encrypt => matches!(profile.floor, Floor::Encrypt | Floor::Secure),
                Answer::Dane => profile.own_dane == OwnDane::Yes,
                _ => false,
            };
            assert!(
                by_itself || profile.verifier,
                "{:?} is ignored",
                verdict.answer
            );
        }
        Read::Waits => {
            let words = reply.strip_prefix("TEMP ").expect(&reply);
            let (word, text) = words.split_once(": ").expect(&reply);
            assert!(Reason::ALL.iter().any(|reason| reason.word() == word));
            assert!(!text.trim().is_empty(), "{reply:?}");
            if verdict.answer == Answer::Temp {
                assert_eq!(word, verdict.reason.word());
            }
        }
        Read::Secure(list) => {
            let (Answer::Secure(names) | Answer::Verify(names)) = &verdict.answer else {
                panic!("{:?} became {reply:?}", verdict.answer);
            };
            assert!(!list.is_empty(), "PD-17: {reply:?}");
            let mut expected: Vec<MatchName> = names.clone();
            expected.sort();
            expected.dedup();
            let expected: Vec<String> = expected.iter().map(ToString::to_string).collect();
            assert_eq!(list, &expected, "{reply:?}");
        }
    }
    was_read
}

/// Every multiset of up to three hosts, as the golden table writes them.
fn worlds() -> Vec<String> {
    let mut hosts = Vec::new();
    for preference in [10, 20] {
        for state in ["ee", "ta", "unusable", "none", "failed", "address-failed"] {
            for listed in ["", "(unlisted)"] {
                hosts.push(format!("{preference}:{state}{listed}"));
            }
        }
    }
    let mut sets = vec![String::new()];
    for (at, one) in hosts.iter().enumerate() {
        sets.push(one.clone());
        for (next, other) in hosts.iter().enumerate().skip(at) {
            sets.push(format!("{one}, {other}"));
            for third in hosts.iter().skip(next).step_by(3) {
                sets.push(format!("{one}, {other}, {third}"));
            }
        }
    }
    sets
}

/// OP-05, PD-11, PD-17: every verdict that the law comes to, for every Sendmail, is read as it was meant;
/// and a host that is named is one that owes web PKI.
#[test]
fn sendmail_reads_every_verdict_as_meant() {
    let conditions = Conditions {
        validation: Validation::Validating,
        remembered_dane: false,
        own_dane: OwnDaneSeen::Works,
        now: Moment::default(),
    };
    let (mut secure, mut waits, mut ignored) = (0, 0, 0);
    let profiles = profiles();
    for world in worlds() {
        let hosts: &'static str = Box::leak(world.into_boxed_str());
        for mx in [SecurityStatus::Secure, SecurityStatus::Insecure] {
            for enforce in [false, true] {
                if !enforce && hosts.contains("unlisted") {
                    continue;
                }
                let example = Example {
                    row: Row::Law,
                    mx: Some(mx),
                    hosts,
                    enforce,
                    mandatory: false,
                };
                let findings = example.findings();
                for profile in &profiles {
                    let verdict = decide(
                        &findings,
                        &Rules::default(),
                        profile,
                        &LawOptions {
                            first_contact: FirstContact::Ignore,
                            ..LawOptions::default()
                        },
                        conditions,
                    );
                    match check(&verdict, profile) {
                        Read::Secure(list) => {
                            secure += 1;
                            for host in &verdict.hosts {
                                let own = findings.hosts[host.index].host.to_string();
                                let named = is_in_list(&own, &list) && !hosts.is_empty();
                                assert!(!named || host.duty == Duty::WebPki, "{verdict:#?}");
                                assert!(
                                    named || host.outcome != Outcome::WebPki || profile.verifier
                                );
                            }
                        }
                        Read::Waits => waits += 1,
                        _ => ignored += 1,
                    }
                }
            }
        }
    }
    assert!(secure > 10_000, "{secure}");
    assert!(waits > 10_000, "{waits}");
    assert!(ignored > 5_000, "{ignored}");
}

/// DT-01s, RFC 8461, 4.1: a policy's wildcard permits one label, and so does Sendmail's leading dot.
#[test]
fn wildcards_permit_one_label() {
    let names = vec![
        MatchName::Below(name("sts.test")),
        MatchName::Host(name("mx.other.test")),
    ];
    let verdict = Verdict::plain(
        Answer::Secure(names),
        Row::Dt01s,
        Reason::StsEnforce,
        String::new(),
    );
    let profile = built_in("sendmail", Floor::May);
    let reply = render(&verdict, &profile).to_string();
    assert_eq!(
        reply,
        "OK secure match=mx.other.test:.sts.test servername=hostname"
    );
    let Read::Secure(list) = check(&verdict, &profile) else {
        panic!("{reply}");
    };
    for (host, permitted) in [
        ("mx1.sts.test", true),
        ("mx.other.test", true),
        ("a.mx.sts.test", false),
        ("sts.test", false),
        ("my.other.test", false),
    ] {
        assert_eq!(is_in_list(host, &list), permitted, "{host}");
    }
}

/// OP-05, PD-11: a pinned level that Sendmail would ignore is a delay with the cure in its words, save
/// where something holds each session to it.
#[test]
fn pinned_levels_are_held_or_delayed() {
    let digest = "ab".repeat(32);
    let host = || vec![MatchName::Host(name("mx.test"))];
    let secure = "OK secure match=mx.test servername=hostname";
    for (answer, plain, own_dane, encrypting, checked) in [
        (
            Answer::None,
            "NOTFOUND ",
            "NOTFOUND ",
            "NOTFOUND ",
            "NOTFOUND ",
        ),
        (
            Answer::May,
            "NOTFOUND ",
            "NOTFOUND ",
            "NOTFOUND ",
            "NOTFOUND ",
        ),
        (Answer::Encrypt, "TEMP", "TEMP", "NOTFOUND ", "NOTFOUND "),
        (Answer::Dane, "TEMP", "NOTFOUND ", "TEMP", "NOTFOUND "),
        (Answer::DaneOnly, "TEMP", "TEMP", "TEMP", "NOTFOUND "),
        (
            Answer::Fingerprint(vec![digest]),
            "TEMP",
            "TEMP",
            "TEMP",
            "NOTFOUND ",
        ),
        (Answer::Secure(host()), secure, secure, secure, secure),
        (Answer::Verify(host()), secure, secure, secure, secure),
        (Answer::Secure(vec![]), "TEMP", "TEMP", "TEMP", "TEMP"),
    ] {
        let verdict = Verdict::plain(answer.clone(), Row::Rule, Reason::Rule, String::new());
        for (own, floor, verifier, expected) in [
            (OwnDane::No, Floor::May, false, plain),
            (OwnDane::Auto, Floor::Dane, false, plain),
            (OwnDane::Yes, Floor::May, false, own_dane),
            (OwnDane::No, Floor::Encrypt, false, encrypting),
            (OwnDane::No, Floor::Secure, false, encrypting),
            (OwnDane::No, Floor::May, true, checked),
        ] {
            let profile = Profile {
                own_dane: own,
                verifier,
                ..built_in("sendmail", floor)
            };
            let reply = render(&verdict, &profile).to_string();
            if expected == "TEMP" {
                assert!(
                    reply.starts_with("TEMP mta-cannot-authenticate: "),
                    "{reply}"
                );
                let cure = "verifier = true in [profile.sendmail]";
                assert!(
                    reply.contains(cure) || answer == Answer::Secure(vec![]),
                    "{reply}"
                );
            } else {
                assert_eq!(reply, expected, "{answer:?}");
            }
            check(&verdict, &profile);
        }
    }
}

/// RFC 8461, 4.1: no name is cut short. A list that Sendmail does not read whole is a delay, and the law
/// names the best hosts only.
#[test]
fn no_name_is_cut_short() {
    let profile = built_in("sendmail", Floor::May);
    let said = |length: usize| {
        let names = vec![
            MatchName::Host(name(&format!("{0}.{0}.{0}.tt", "a".repeat(60)))),
            MatchName::Host(name(&format!("{}.t", "b".repeat(length - 185 - 3)))),
        ];
        let verdict = Verdict::plain(
            Answer::Secure(names),
            Row::Dt01s,
            Reason::StsEnforce,
            String::new(),
        );
        check(&verdict, &profile);
        render(&verdict, &profile).to_string()
    };
    assert!(said(MATCH_LIMIT).starts_with("OK secure "));
    let long = said(MATCH_LIMIT + 1);
    assert!(long.starts_with("TEMP reply-too-long: "), "{long}");
}

/// RFC 8461, 4.1: where not all names have a place, the best hosts are named, and the others get no mail.
#[test]
fn the_best_hosts_are_named() {
    // mx0 to mx29, the best of them last: names of fifteen and sixteen octets.
    let hosts: Vec<String> = (0..30).map(|at| format!("{}:none", 300 - at)).collect();
    let example = Example {
        row: Row::Law,
        mx: Some(SecurityStatus::Secure),
        hosts: Box::leak(hosts.join(", ").into_boxed_str()),
        enforce: true,
        mandatory: false,
    };
    for verifier in [false, true] {
        let profile = Profile {
            verifier,
            ..built_in("sendmail", Floor::May)
        };
        let verdict = example.verdict(&profile);
        let Read::Secure(list) = check(&verdict, &profile) else {
            panic!("{verdict:?}");
        };
        // Fourteen with their colons are 238 octets; one of fifteen has no place behind them.
        let named: Vec<String> = (16..30).map(|at| format!("mx{at}.example.com")).collect();
        assert_eq!(list, named);
        for host in &verdict.hosts {
            let expected = if host.index >= 16 {
                Outcome::WebPki
            } else {
                Outcome::Skip
            };
            assert_eq!((host.duty, host.outcome), (Duty::WebPki, expected));
        }
    }
    // Others read as many as they are told.
    let verdict = example.verdict(&built_in("postfix", Floor::May));
    assert!(matches!(&verdict.answer, Answer::Secure(names) if names.len() == 30));
    let all = |host: &hoplock_policy::law::JudgedHost| host.outcome == Outcome::WebPki;
    assert!(verdict.hosts.iter().all(all));
}

proptest! {
    /// ST-30, PD-14: whatever names and words come from outside, Sendmail reads what was meant, and the
    /// order of names changes nothing.
    #[test]
    fn no_text_from_the_network_changes_a_reply(
        names in proptest::collection::vec(("[a-z0-9]{1,8}(\\.[a-z0-9_-]{1,8}){0,3}", any::<bool>()), 0..9),
        detail in ".{0,60}",
        which in 0..24_usize,
    ) {
        let names: Vec<MatchName> = names
            .into_iter()
            .filter_map(|(text, below)| {
                let name = DomainName::parse(&format!("{text}.x")).ok()?;
                Some(if below { MatchName::Below(name) } else { MatchName::Host(name) })
            })
            .collect();
        let profile = &profiles()[which];
        let turned: Vec<MatchName> = names.iter().rev().chain(&names).cloned().collect();
        let verdict = |names| Verdict::plain(Answer::Secure(names), Row::Law, Reason::StsEnforce, detail.clone());
        check(&verdict(names.clone()), profile);
        prop_assert_eq!(render(&verdict(names), profile), render(&verdict(turned), profile));
        let delay = Verdict::temp(Row::Law, Reason::TlsaLookupFailed, detail.clone());
        prop_assert_eq!(check(&delay, profile), Read::Waits);
    }
}
