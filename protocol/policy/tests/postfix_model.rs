//! A model of how Postfix reads a policy (smtp_tls_policy_maps), and every reply of ours fed to it.
//!
//! Postfix stops all mail to a destination whose policy it cannot read: an unknown attribute, one
//! given twice, one at a level that does not take it, braces before 3.10. The model knows which
//! version knows what. Not modelled: ciphers, which are never written. What Postfix does with pins and
//! anchors in a session stands in `pins_model.rs`.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "tests"
)]

use hoplock_policy::law::rows::Row;
use hoplock_policy::law::{Answer, MatchName, StsBasis, Verdict};
use hoplock_policy::name::DomainName;
use hoplock_policy::profile::{Family, PinDigest, Profile, Version};
use hoplock_policy::reason::Reason;
use hoplock_policy::render::render;
use hoplock_policy::tlsa::{TrustAnchorBytes, anchor_file};
use proptest::prelude::*;

/// What Postfix makes of one socketmap reply.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Read {
    /// Asks for the parent, then uses its own level.
    NotFound,
    /// Delays, and logs these words.
    Temp(String),
    /// Uses the policy.
    Policy(Policy),
    /// Delays, because it cannot read the reply or the policy.
    Broken(String),
}

/// A policy as Postfix holds it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Policy {
    level: String,
    matches: Vec<String>,
    tafiles: Vec<String>,
    servername: Option<String>,
    policy_type: Option<String>,
    policy_domain: Option<String>,
    policy_strings: Vec<String>,
    mx_host_patterns: Vec<String>,
    protocols: Option<String>,
}

/// Reads one reply as Postfix 3.`minor` does.
fn read(reply: &str, minor: u16) -> Read {
    if reply.len() > 100_000 {
        return Read::Broken("input exceeds size limit".to_owned());
    }
    if let Some(at) = reply.find(|c: char| c != '\t' && (c.is_control() || !c.is_ascii())) {
        return Read::Broken(format!("not printable at {at}"));
    }
    match reply.split_once(' ') {
        Some(("OK", "")) => Read::Broken("empty string result".to_owned()),
        Some(("OK", policy)) => match read_policy(policy, minor) {
            Ok(policy) => Read::Policy(policy),
            Err(why) => Read::Broken(why),
        },
        Some(("NOTFOUND", _)) => Read::NotFound,
        Some(("TEMP", words)) => Read::Temp(words.to_owned()),
        _ => Read::Broken(format!("unknown reply {reply:?}")),
    }
}

const LEVELS: &[&str] = &[
    "none",
    "may",
    "encrypt",
    "dane",
    "dane-only",
    "fingerprint",
    "verify",
    "secure",
];
const SEPARATORS: &[char] = &[' ', '\t', '\r', '\n', ','];

/// Words between separators; from 3.10 on, what stands in braces is one word.
fn words(policy: &str, braces: bool) -> Result<Vec<String>, String> {
    let mut found = Vec::new();
    let mut rest = policy.trim_start_matches(SEPARATORS);
    while !rest.is_empty() {
        let (mut depth, mut end) = (0_usize, rest.len());
        for (at, letter) in rest.char_indices() {
            match letter {
                '{' if braces => depth += 1,
                '}' if braces && depth > 0 => depth -= 1,
                _ if depth == 0 && SEPARATORS.contains(&letter) => {
                    end = at;
                    break;
                }
                _ => {}
            }
        }
        if depth > 0 {
            return Err(format!("missing closing brace in {rest:?}"));
        }
        found.push(rest[..end].to_owned());
        rest = rest[end..].trim_start_matches(SEPARATORS);
    }
    Ok(found)
}

fn name_and_value(word: &str, braces: bool) -> Result<(String, String), String> {
    let inside = match word.strip_prefix('{') {
        Some(inside) if braces => inside
            .strip_suffix('}')
            .ok_or(format!("text after the closing brace: {word:?}"))?,
        _ => word,
    };
    let (name, value) = inside
        .split_once('=')
        .ok_or(format!("missing '=' after attribute name: {word:?}"))?;
    let name = name.trim();
    if name.is_empty() || name.contains(char::is_whitespace) {
        return Err(format!("malformed attribute name: {word:?}"));
    }
    Ok((name.to_ascii_lowercase(), value.trim().to_owned()))
}

fn read_policy(text: &str, minor: u16) -> Result<Policy, String> {
    let braces = minor >= 10;
    let mut words = words(text, braces)?.into_iter();
    let level = words.next().ok_or("empty policy")?.to_ascii_lowercase();
    if !LEVELS.contains(&level.as_str()) {
        return Err(format!("invalid security level {level:?}"));
    }
    let mut policy = Policy {
        level,
        ..Policy::default()
    };
    for word in words {
        // With TLS disabled, attributes only warn.
        if policy.level == "none" {
            continue;
        }
        let (name, value) = name_and_value(&word, braces)?;
        attribute(&mut policy, &name, value, minor)?;
    }
    let extended = policy.policy_domain.is_some()
        || !policy.policy_strings.is_empty()
        || !policy.mx_host_patterns.is_empty();
    if policy.policy_type.is_none() && extended {
        return Err("built-in policy has unexpected attribute".to_owned());
    }
    if policy.level == "fingerprint" && !policy.matches.iter().any(|digest| is_digest(digest)) {
        return Err("no fingerprints to match".to_owned());
    }
    Ok(policy)
}

fn attribute(policy: &mut Policy, name: &str, value: String, minor: u16) -> Result<(), String> {
    let since = match name {
        "match" | "tafile" | "ciphers" | "protocols" | "exclude" => 0,
        "servername" | "connection_reuse" => 4,
        "enable_rpk" => 9,
        "policy_type" | "policy_domain" | "policy_string" | "mx_host_pattern" | "policy_ttl"
        | "policy_failure" => 10,
        _ => return Err(format!("invalid attribute name: {name:?}")),
    };
    if minor < since {
        return Err(format!("invalid attribute name: {name:?} at 3.{minor}"));
    }
    match name {
        "match" => {
            let separator = match policy.level.as_str() {
                "fingerprint" => '|',
                "verify" | "secure" => ':',
                level => return Err(format!("\"match\" invalid at security level {level:?}")),
            };
            if value.is_empty() {
                return Err("\"match\" has empty value".to_owned());
            }
            let parts = value.split(separator).filter(|part| !part.is_empty());
            policy.matches.extend(parts.map(str::to_owned));
        }
        "tafile" if !["verify", "secure"].contains(&policy.level.as_str()) => {
            return Err(format!(
                "\"tafile\" invalid at security level {:?}",
                policy.level
            ));
        }
        "tafile" if value.is_empty() => return Err("\"tafile\" has empty value".to_owned()),
        "tafile" => policy.tafiles.push(value),
        "servername" if !is_host_name(&value) => return Err(format!("bad servername {value:?}")),
        "servername" => once(&mut policy.servername, name, value)?,
        "policy_type" if !["sts", "no-policy-found"].contains(&value.as_str()) => {
            return Err(format!("unexpected policy_type {value:?}"));
        }
        "policy_type" => once(&mut policy.policy_type, name, value)?,
        "policy_domain" if !is_host_name(&value) => {
            return Err(format!("malformed policy_domain {value:?}"));
        }
        "policy_domain" => once(&mut policy.policy_domain, name, value)?,
        "policy_string" => policy.policy_strings.push(value),
        "mx_host_pattern" => policy.mx_host_patterns.push(value),
        // Known to Postfix, deprecated or never relied on: an answer that has one is wrong (PF-15).
        "policy_ttl" | "policy_failure" => return Err(format!("{name} must not be relied on")),
        "protocols" if !is_protocol_list(&value, minor) => {
            return Err(format!("Invalid TLS protocol list {value:?}"));
        }
        "protocols" => once(&mut policy.protocols, name, value)?,
        _ => return Err(format!("{name} is never written")),
    }
    Ok(())
}

fn once(slot: &mut Option<String>, name: &str, value: String) -> Result<(), String> {
    match slot.replace(value) {
        None => Ok(()),
        Some(_) => Err(format!("{name:?} is specified multiple times")),
    }
}

/// Postfix: letters, digits, hyphens inside labels, underscores; not digits and dots alone.
fn is_host_name(text: &str) -> bool {
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
    };
    text.len() <= 255
        && text.split('.').all(label)
        && text.bytes().any(|b| !b.is_ascii_digit() && b != b'.')
}

/// Names to leave out, joined by colons; one lower bound instead from 3.6 on.
fn is_protocol_list(text: &str, minor: u16) -> bool {
    const KNOWN: [&str; 6] = ["SSLv2", "SSLv3", "TLSv1", "TLSv1.1", "TLSv1.2", "TLSv1.3"];
    match text.strip_prefix(">=") {
        Some(bound) => minor >= 6 && KNOWN.contains(&bound),
        None => text.split(':').all(|item| {
            item.strip_prefix('!')
                .is_some_and(|name| KNOWN.contains(&name))
        }),
    }
}

fn is_digest(text: &str) -> bool {
    let digits = text.replace(':', "");
    matches!(digits.len(), 64 | 128) && digits.bytes().all(|b| b.is_ascii_hexdigit())
}

fn is_broken(reply: &str, minor: u16) -> bool {
    matches!(read(reply, minor), Read::Broken(_))
}

/// The model is worth something only if it refuses what Postfix was seen to refuse.
#[test]
fn the_model_refuses_what_postfix_refuses() {
    let digest = "ab".repeat(32);
    for (reply, minor) in [
        ("OK ", 10),
        ("OK", 10),
        ("PERM no", 10),
        ("ok dane", 10),
        ("OK half-dane", 10),
        ("OK dane match=mx.test", 10),
        ("OK encrypt match=mx.test", 7),
        ("OK secure match=", 7),
        ("OK secure match", 7),
        ("OK secure match=mx.test servername=hostname", 3),
        ("OK secure match=mx.test servername=", 7),
        ("OK secure match=mx.test servername=a servername=b", 7),
        ("OK secure match=mx.test policy_type=sts", 7),
        ("OK secure match=mx.test policy_type=sts", 9),
        ("OK secure match=mx.test policy_type=tlsa", 10),
        ("OK secure match=mx.test policy_domain=a.test", 10),
        ("OK secure match=mx.test mx_host_pattern=mx.test", 10),
        ("OK secure match=mx.test { policy_string = a: b }", 10),
        (
            "OK secure match=mx.test policy_type=sts policy_domain=1.2.3",
            10,
        ),
        ("OK secure { match = mx.test }", 7),
        ("OK secure { match = mx.test", 10),
        (
            "OK secure match=mx.test policy_type=sts { policy_string = a } b }",
            10,
        ),
        (
            "OK secure match=mx.test policy_type=sts policy_failure=validation-failure",
            10,
        ),
        ("OK fingerprint", 7),
        ("OK secure match=mx.test tafile=", 7),
        (&format!("OK fingerprint match={digest} tafile=/a.pem"), 7),
        ("OK encrypt tafile=/a.pem", 7),
        ("OK fingerprint match=zz", 7),
        ("OK may nonsense=1", 10),
        ("OK encrypt protocols=>=TLSv1.2", 5),
        ("OK encrypt protocols=bogus", 10),
        ("OK encrypt protocols=!SSLv2 protocols=!SSLv3", 10),
        ("OK dane-only\n", 10),
    ] {
        assert!(is_broken(reply, minor), "{reply:?} at 3.{minor}");
    }
    for (reply, minor) in [
        ("OK none match=x", 3),
        ("OK secure match=mx.test tafile=/a.pem", 3),
        ("OK secure match=mx.test", 3),
        ("OK secure { match = mx.test }", 10),
        ("OK secure,match=a.test:b.test\tmatch=c.test", 3),
        (&format!("OK fingerprint match={digest}"), 3),
        (
            "OK secure match=m.test servername=hostname policy_type=sts policy_domain=s.test \
          mx_host_pattern=m.test { policy_string = version: STSv1 } { policy_string = mx: m.test }",
            10,
        ),
    ] {
        assert!(
            matches!(read(reply, minor), Read::Policy(_)),
            "{reply:?}: {:?}",
            read(reply, minor)
        );
    }
}

fn name(text: &str) -> DomainName {
    DomainName::parse(text).unwrap()
}

fn profile(minor: u16, digest: PinDigest, family: Family) -> Profile {
    let mut profile = Profile::built_in("postfix").unwrap();
    profile.version = Version { major: 3, minor };
    profile.digest = digest;
    profile.family = family;
    profile
}

const VERSIONS: [u16; 7] = [3, 4, 5, 7, 9, 10, 11];

/// Renders, reads back, and holds the one against the other.
fn check(verdict: &Verdict, profile: &Profile) {
    let minor = profile.version.minor;
    let reply = render(verdict, profile).to_string();
    let policy = match (read(&reply, minor), &verdict.answer) {
        (Read::Broken(why), _) => panic!("3.{minor}: {reply:?}: {why}"),
        (Read::NotFound, answer) => return assert_eq!(answer, &Answer::NotFound, "{reply:?}"),
        (Read::Temp(words), answer) => {
            let (reason, words) = words.split_once(": ").expect("a reason, a colon, words");
            assert!(!words.trim().is_empty(), "{reply:?}");
            match answer {
                Answer::Temp => assert_eq!(reason, verdict.reason.word()),
                Answer::Fingerprint(_) | Answer::Secure(_) | Answer::Verify(_) => {
                    assert_eq!(reason, "mta-cannot-authenticate");
                    assert!(expected(answer, profile).is_empty(), "{reply:?}");
                }
                Answer::Anchored { anchors, .. } => {
                    assert_eq!(reason, "mta-cannot-authenticate");
                    let lacks = expected(answer, profile).is_empty() || anchors.is_empty();
                    assert!(
                        lacks || !profile.anchor_directory.starts_with('/'),
                        "{reply:?}"
                    );
                }
                other => panic!("{other:?} became {reply:?}"),
            }
            return;
        }
        (Read::Policy(policy), _) => policy,
    };
    assert_eq!(policy.level, verdict.answer.word(), "{reply:?}");
    let names = expected(&verdict.answer, profile);
    assert_eq!(policy.matches, names, "{reply:?}");
    let mandatory = matches!(
        policy.level.as_str(),
        "encrypt" | "dane-only" | "fingerprint" | "verify" | "secure"
    );
    let order = if minor >= 6 {
        ">=TLSv1.2"
    } else {
        "!SSLv2:!SSLv3:!TLSv1:!TLSv1.1"
    };
    let order = (profile.require_tls12 && mandatory).then_some(order);
    assert_eq!(policy.protocols.as_deref(), order, "{reply:?}");
    let listing = !names.is_empty();
    let sni = match &verdict.server_name {
        Some(name) if is_host_name(name.as_str()) => name.as_str(),
        _ => "hostname",
    };
    let sni = (listing && minor >= 4).then_some(sni);
    assert_eq!(policy.servername.as_deref(), sni, "{reply:?}");
    // DT-16: without a file Postfix would trust authorities of its own.
    let files: Vec<String> = match &verdict.answer {
        Answer::Anchored { anchors, .. } => {
            vec![format!("/anchors/{}", anchor_file(anchors).name)]
        }
        _ => Vec::new(),
    };
    assert_eq!(policy.tafiles, files, "{reply:?}");
    let told = verdict.sts.as_ref().filter(|_| {
        minor >= 10
            && verdict.reason == Reason::StsEnforce
            && matches!(verdict.answer, Answer::Secure(_))
    });
    assert_eq!(
        policy.policy_type.as_deref(),
        told.map(|_| "sts"),
        "{reply:?}"
    );
    let Some(basis) = told else {
        assert!(!reply.contains(['{', '}']), "{reply:?}");
        return;
    };
    let domain = basis.domain.to_string();
    assert_eq!(policy.policy_domain, Some(domain), "{reply:?}");
    let patterns = names.iter().map(|name| match name.strip_prefix('.') {
        Some(parent) => format!("*.{parent}"),
        None => name.clone(),
    });
    assert_eq!(policy.mx_host_patterns, patterns.collect::<Vec<_>>());
    let strings = &policy.policy_strings;
    assert_eq!(strings[0], "version: STSv1");
    assert_eq!(strings[1], format!("mode: {}", basis.mode));
    assert_eq!(strings.last(), Some(&format!("max_age: {}", basis.max_age)));
    for line in &strings[2..strings.len() - 1] {
        let host = line.strip_prefix("mx: ").unwrap();
        // Postfix takes any text here; ours is a pattern and nothing else.
        let pattern = host.strip_prefix("*.").unwrap_or(host);
        assert!(DomainName::parse(pattern).is_ok_and(|name| name.as_str() == pattern));
        assert!(
            basis
                .patterns
                .iter()
                .any(|text| text.eq_ignore_ascii_case(host))
        );
    }
}

/// What must stand in `match=`: sorted, each once, nothing that is an instruction to Postfix.
fn expected(answer: &Answer, profile: &Profile) -> Vec<String> {
    let mut list: Vec<String> = match answer {
        Answer::Secure(names) | Answer::Verify(names) | Answer::Anchored { names, .. } => {
            let mut names = names.clone();
            names.sort();
            names.iter().map(ToString::to_string).collect()
        }
        Answer::Fingerprint(digests) => {
            let length = if profile.digest == PinDigest::Sha256 {
                64
            } else {
                128
            };
            let mut digests: Vec<String> = digests
                .iter()
                .filter(|text| is_digest(text))
                .map(|text| text.replace(':', "").to_lowercase())
                .filter(|text| text.len() == length)
                .collect();
            digests.sort();
            digests
        }
        _ => Vec::new(),
    };
    list.dedup();
    list.retain(|name| !["hostname", "nexthop", "dot-nexthop"].contains(&name.as_str()));
    list
}

fn lists_of_names() -> Vec<Vec<MatchName>> {
    let host = |text: &str| MatchName::Host(name(text));
    let below = |text: &str| MatchName::Below(name(text));
    vec![
        vec![],
        vec![host("mx.example.com")],
        vec![
            host("mx2.example.com"),
            host("mx1.example.com"),
            host("mx2.example.com"),
        ],
        vec![below("example.com")],
        vec![below("example.com"), host("mx.other.test"), below("a.test")],
        vec![
            host("xn--mller-kva.example"),
            host("_mx.under_score.test"),
            host("1.2.3.test"),
        ],
        vec![host("hostname"), host("nexthop"), host("dot-nexthop")],
        vec![host("nexthop"), host("mx.example.com")],
        vec![host(&format!(
            "{0}.{0}.{0}.{1}",
            "a".repeat(63),
            "b".repeat(61)
        ))],
    ]
}

fn answers() -> Vec<Answer> {
    let mut answers = vec![
        Answer::NotFound,
        Answer::Temp,
        Answer::None,
        Answer::May,
        Answer::Encrypt,
        Answer::Dane,
        Answer::DaneOnly,
    ];
    for names in lists_of_names() {
        answers.push(Answer::Secure(names.clone()));
        answers.push(Answer::Verify(names.clone()));
        let key = TrustAnchorBytes::PublicKey(vec![48, 0]);
        for anchors in [vec![], vec![key.clone()], vec![key.clone(), key]] {
            let names = names.clone();
            answers.push(Answer::Anchored { names, anchors });
        }
    }
    for digests in [
        vec![],
        vec![String::new()],
        vec!["ab".repeat(32)],
        vec!["cd".repeat(32), "AB:".repeat(31) + "AB", "ab".repeat(32)],
        vec!["ab".repeat(64), "ab".repeat(32)],
        vec!["0 servername=evil.test".to_owned(), "g".repeat(64)],
    ] {
        answers.push(Answer::Fingerprint(digests));
    }
    answers
}

fn bases() -> Vec<Option<StsBasis>> {
    let basis = |domain: &str, mode, patterns: &[&str]| {
        Some(StsBasis {
            domain: name(domain),
            patterns: patterns.iter().map(ToString::to_string).collect(),
            mode,
            max_age: 86400,
        })
    };
    vec![
        None,
        basis(
            "example.com",
            "enforce",
            &["*.example.com", "mx.other.test"],
        ),
        basis("xn--mller-kva.example", "testing", &["mx.example.com"]),
        basis(
            "example.com",
            "enforce",
            &["} { policy_failure = x", "a b", "match=evil.test"],
        ),
    ]
}

/// PF-13, PF-14, PF-15: every answer, for every version, is read by Postfix as it was meant.
#[test]
fn postfix_reads_every_answer_as_meant() {
    let mut read = 0;
    for answer in answers() {
        for basis in bases() {
            for reason in Reason::ALL {
                let mut verdict =
                    Verdict::plain(answer.clone(), Row::Law, *reason, "some words".to_owned());
                verdict.sts.clone_from(&basis);
                for minor in VERSIONS {
                    for digest in [PinDigest::Sha256, PinDigest::Sha512] {
                        for family in [Family::Postfix, Family::Pins] {
                            let mut profile = profile(minor, digest, family);
                            check(&verdict, &profile);
                            profile.require_tls12 = true;
                            profile.anchor_directory = "/anchors".to_owned();
                            for server_name in ["base.test", "1.2.3"] {
                                verdict.server_name = Some(name(server_name));
                                check(&verdict, &profile);
                            }
                            verdict.server_name = None;
                            read += 2;
                        }
                    }
                }
            }
        }
    }
    assert_eq!(
        read,
        answers().len() * bases().len() * Reason::ALL.len() * VERSIONS.len() * 8
    );
}

fn some_name() -> impl Strategy<Value = DomainName> {
    let label = "[a-z0-9_]([a-z0-9-]{0,12}[a-z0-9_])?";
    proptest::collection::vec(label, 1..5)
        .prop_map(|labels| labels.join(".") + ".x")
        .prop_filter_map("no name", |text| DomainName::parse(&text).ok())
}

fn some_match() -> impl Strategy<Value = MatchName> {
    prop_oneof![
        some_name().prop_map(MatchName::Host),
        some_name().prop_map(MatchName::Below),
    ]
}

fn some_answer() -> impl Strategy<Value = Answer> {
    prop_oneof![
        Just(Answer::Temp),
        proptest::collection::vec(some_match(), 0..6).prop_map(Answer::Secure),
        proptest::collection::vec(some_match(), 0..6).prop_map(Answer::Verify),
        proptest::collection::vec("([0-9a-fA-F]{64}|[0-9a-f]{128}|.{0,70})", 0..5)
            .prop_map(Answer::Fingerprint),
    ]
}

/// Text as a policy host could send it: anything, with a liking for what means something here.
fn hostile() -> impl Strategy<Value = String> {
    prop_oneof![
        ".{0,60}",
        "[{}=, :a-z*.\r\n\0]{0,60}",
        "(\\*\\.)?[a-zA-Z0-9.-]{1,40}",
        some_name().prop_map(|name| format!("*.{name}")),
    ]
}

/// PF-16, RQ-02: TLS 1.2 is demanded by order only, in the version's own syntax, and never where a
/// session that fails would fall to clear text.
#[test]
fn protocols_are_narrowed_by_order_only() {
    let said = |answer: Answer, minor, require_tls12| {
        let mut profile = profile(minor, PinDigest::Sha256, Family::Postfix);
        profile.require_tls12 = require_tls12;
        let verdict = Verdict::plain(answer, Row::Rule, Reason::Rule, String::new());
        render(&verdict, &profile).to_string()
    };
    for answer in [Answer::NotFound, Answer::None, Answer::May, Answer::Dane] {
        let plain = said(answer.clone(), 11, false);
        assert!(!plain.contains('='), "{plain}");
        assert_eq!(said(answer, 11, true), plain);
    }
    assert_eq!(said(Answer::DaneOnly, 11, false), "OK dane-only");
    assert_eq!(
        said(Answer::DaneOnly, 6, true),
        "OK dane-only protocols=>=TLSv1.2"
    );
    assert_eq!(
        said(Answer::Encrypt, 5, true),
        "OK encrypt protocols=!SSLv2:!SSLv3:!TLSv1:!TLSv1.1"
    );
    let names = Answer::Secure(vec![MatchName::Host(name("mx.test"))]);
    assert_eq!(
        said(names, 7, true),
        "OK secure match=mx.test servername=hostname protocols=>=TLSv1.2"
    );
}

proptest! {
    /// PF-14, ST-30: no text from the network adds to a reply, or makes it unreadable.
    #[test]
    fn no_text_from_the_network_changes_a_reply(
        answer in some_answer(),
        detail in hostile(),
        domain in some_name(),
        patterns in proptest::collection::vec(hostile(), 0..6),
        max_age in any::<u64>(),
        has_basis in any::<bool>(),
        version in 0..VERSIONS.len(),
    ) {
        let mut verdict = Verdict::plain(answer, Row::Law, Reason::StsEnforce, detail);
        if has_basis {
            verdict.sts = Some(StsBasis { domain, patterns, mode: "enforce", max_age });
        }
        check(&verdict, &profile(VERSIONS[version], PinDigest::Sha256, Family::Postfix));
    }

    /// PD-14: names in another order give the same bytes.
    #[test]
    fn order_changes_nothing(names in proptest::collection::vec(some_match(), 1..6)) {
        let backwards: Vec<MatchName> = names.iter().rev().cloned().collect();
        let twice = [names.clone(), backwards].concat();
        let said = |names| {
            let verdict =
                Verdict::plain(Answer::Secure(names), Row::Law, Reason::Rule, String::new());
            render(&verdict, &profile(10, PinDigest::Sha256, Family::Postfix))
        };
        prop_assert_eq!(said(names), said(twice));
    }
}
