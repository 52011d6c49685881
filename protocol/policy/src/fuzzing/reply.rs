//! What may leave for an MTA, whatever was found: the grammar of `smtp_tls_policy_maps` results, of
//! Sendmail's map and of Exim's level, as strict as we write them (PF-10 to PF-16, PD-17, ST-30, ID-03).

use crate::law::rows::Row;
use crate::law::{Answer, Verdict};
use crate::name::DomainName;
use crate::profile::{Family, Floor, OwnDane, PinDigest, Profile};
use crate::reason::Reason;
use crate::render::Rendered;
use crate::render::exim::Level;

/// Panics where a reply is not one that the MTA reads as it is meant.
pub(super) fn check(rendered: &Rendered, verdict: &Verdict, profile: &Profile) {
    let reply = rendered.to_string();
    assert!(reply.len() <= 100_000, "a reply of {} octets", reply.len());
    let printable = reply.bytes().all(|byte| matches!(byte, b' '..=b'~'));
    assert!(printable, "{reply:?}");
    let exim = matches!(rendered, Rendered::Level(_));
    assert_eq!(exim, profile.family == Family::Exim, "{reply}");
    match rendered {
        Rendered::NotFound if profile.family == Family::Sendmail => {
            assert_eq!(reply, "NOTFOUND ");
            left_to_sendmail(&verdict.answer, profile);
        }
        Rendered::NotFound => {
            assert_eq!(reply, "NOTFOUND ");
            assert_eq!(verdict.answer, Answer::NotFound, "{reply}");
        }
        Rendered::Temp(words) => delay(words, verdict, profile),
        Rendered::Level(level) => {
            let waits = verdict.answer == Answer::Temp;
            assert_eq!(rendered.waits(), waits, "{level} for {:?}", verdict.answer);
            match level {
                Level::Defer(words) => delay(words, verdict, profile),
                Level::May => {}
                Level::Enforce => {
                    let hands_off = matches!(verdict.answer, Answer::None | Answer::May);
                    assert!(!hands_off, "{:?}", verdict.answer);
                }
            }
        }
        Rendered::Ok(policy) => {
            assert_eq!(reply, format!("OK {policy}"));
            let (level, rest) = policy.split_once(' ').unwrap_or((policy, ""));
            // Sendmail knows one word for both.
            let is_pinned = profile.family == Family::Sendmail
                && matches!(verdict.answer, Answer::Verify(_))
                && level == "secure";
            assert!(level == verdict.answer.word() || is_pinned, "{policy}");
            let left = match profile.family {
                Family::Sendmail => sendmail(level, rest, verdict),
                _ => attributes(level, rest, verdict, profile),
            };
            assert_eq!(left, "", "more than may stand there: {policy}");
        }
    }
}

/// What Sendmail may be told nothing of: it does so by itself, or its sessions are checked.
fn left_to_sendmail(answer: &Answer, profile: &Profile) {
    let by_itself = match answer {
        Answer::NotFound | Answer::None | Answer::May => true,
        Answer::Encrypt => matches!(profile.floor, Floor::Encrypt | Floor::Secure),
        Answer::Dane => profile.own_dane == OwnDane::Yes,
        _ => false,
    };
    assert!(by_itself || profile.verifier, "{answer:?}");
}

/// The one form that Sendmail's rulesets act on, and what is left behind it.
fn sendmail<'a>(level: &str, rest: &'a str, verdict: &Verdict) -> &'a str {
    assert_eq!(level, "secure");
    let (list, rest) = value(rest, "match");
    is_list(list, ':', |name| {
        let below = name.strip_prefix('.');
        is_name(below.unwrap_or(name)) && (below.is_none() || verdict.row == Row::Dt01s)
    });
    after(rest, "servername=hostname")
}

/// FT-01: a delay has its reason as a word that is known, and words for people.
fn delay(words: &str, verdict: &Verdict, profile: &Profile) {
    assert!(words.len() <= 200, "{} octets: {words}", words.len());
    let (word, text) = words.split_once(": ").unwrap_or_default();
    let known = Reason::ALL.iter().any(|reason| reason.word() == word);
    assert!(known && !text.trim().is_empty(), "{words:?}");
    // Whatever cannot be said as it is meant is a delay; nothing else becomes one.
    let may_wait = match &verdict.answer {
        Answer::Temp => word == verdict.reason.word(),
        Answer::Fingerprint(_)
        | Answer::Secure(_)
        | Answer::Verify(_)
        | Answer::Anchored { .. } => true,
        Answer::Encrypt | Answer::Dane | Answer::DaneOnly => {
            // OP-05: a word that Sendmail would ignore.
            word == Reason::MtaCannotAuthenticate.word()
                && profile.family == Family::Sendmail
                && !profile.verifier
        }
        _ => false,
    };
    assert!(may_wait, "{words} for {:?}", verdict.answer);
}

/// What is left of the attributes once those are taken that may stand at the level.
fn attributes<'a>(level: &str, rest: &'a str, verdict: &Verdict, profile: &Profile) -> &'a str {
    let (minor, strict) = (profile.version.minor, profile.require_tls12);
    let protocols = match minor {
        0..=5 => "protocols=!SSLv2:!SSLv3:!TLSv1:!TLSv1.1",
        _ => "protocols=>=TLSv1.2",
    };
    let protocols = if strict { protocols } else { "" };
    let rest = match level {
        "none" | "may" | "dane" => return rest,
        "encrypt" | "dane-only" => return after(rest, protocols),
        "fingerprint" => {
            let (list, rest) = value(rest, "match");
            let digits = match profile.digest {
                PinDigest::Sha256 => 64,
                PinDigest::Sha512 => 128,
            };
            is_list(list, '|', |digest| {
                digest.len() == digits
                    && digest
                        .bytes()
                        .all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
            });
            rest
        }
        _ => {
            assert!(matches!(level, "secure" | "verify"), "{level}");
            let (list, rest) = value(rest, "match");
            is_list(list, ':', |name| is_match(name, verdict));
            rest
        }
    };
    let rest = match &verdict.answer {
        Answer::Anchored { .. } => anchors(rest, profile),
        _ => rest,
    };
    let servername = match &verdict.server_name {
        _ if minor < 4 => String::new(),
        // Postfix takes no name of digits and dots alone.
        Some(name)
            if name
                .as_str()
                .contains(|c: char| !c.is_ascii_digit() && c != '.') =>
        {
            format!("servername={name}")
        }
        _ => "servername=hostname".to_owned(),
    };
    let rest = after(after(rest, &servername), protocols);
    if level == "secure" && minor >= 10 && verdict.reason == Reason::StsEnforce {
        told_policy(rest)
    } else {
        own_authorities(rest, verdict)
    }
}

/// OP-05: the file that a rule names, behind the names that a rule gives, and nowhere else.
fn own_authorities<'a>(rest: &'a str, verdict: &Verdict) -> &'a str {
    let by_names = matches!(verdict.answer, Answer::Secure(_) | Answer::Verify(_));
    let file = match verdict.reason {
        Reason::Rule | Reason::RuleFallback => verdict.rule.as_ref(),
        _ => None,
    };
    match file.and_then(|rule| rule.ca_file.as_ref()) {
        Some(file) if by_names => after(rest, &format!("tafile={file}")),
        _ => rest,
    }
}

/// DT-16: a file in the directory that the MTA was said to see, named by what is in it.
fn anchors<'a>(rest: &'a str, profile: &Profile) -> &'a str {
    let (path, rest) = value(rest, "tafile");
    let name = path
        .strip_prefix(profile.anchors_told())
        .unwrap_or_default();
    let stem = name
        .strip_prefix('/')
        .and_then(|name| name.strip_suffix(".pem"));
    let is_digest = |stem: &str| stem.len() == 64 && stem.bytes().all(|b| b.is_ascii_hexdigit());
    assert!(stem.is_some_and(is_digest), "{path}");
    rest
}

/// PF-12, PF-13: the policy that the answer rests on, from parsed values.
fn told_policy(rest: &str) -> &str {
    if rest.is_empty() {
        // Postfix knows no policy domain of digits and dots alone.
        return rest;
    }
    let (domain, mut rest) = value(after(rest, "policy_type=sts"), "policy_domain");
    assert!(DomainName::parse(domain).is_ok(), "{domain:?}");
    let mut patterns = 0;
    while rest.starts_with("mx_host_pattern=") {
        let (pattern, more) = value(rest, "mx_host_pattern");
        assert!(
            is_name(pattern.strip_prefix("*.").unwrap_or(pattern)),
            "{pattern:?}"
        );
        patterns += 1;
        rest = more;
    }
    assert!(patterns > 0, "a policy without hosts");
    while let Some(inside) = rest.strip_prefix("{ policy_string = ") {
        let (line, more) = inside.split_once(" }").unwrap_or_default();
        let (key, value) = line.split_once(": ").unwrap_or_default();
        let good = match key {
            "version" => value == "STSv1",
            "mode" => matches!(value, "enforce" | "testing"),
            "mx" => is_name(value.strip_prefix("*.").unwrap_or(value)),
            "max_age" => value
                .parse::<u64>()
                .is_ok_and(|seconds| seconds <= 31_557_600),
            _ => false,
        };
        assert!(good, "{line:?}");
        rest = more.strip_prefix(' ').unwrap_or(more);
    }
    rest
}

/// The value of `name=value` in front, and what follows the blank behind it.
fn value<'a>(rest: &'a str, name: &str) -> (&'a str, &'a str) {
    let front = rest
        .strip_prefix(name)
        .and_then(|rest| rest.strip_prefix('='));
    assert!(front.is_some(), "no {name}= in {rest:?}");
    let front = front.unwrap_or_default();
    front.split_once(' ').unwrap_or((front, ""))
}

/// What follows a word that must stand in front.
fn after<'a>(rest: &'a str, word: &str) -> &'a str {
    let left = rest.strip_prefix(word);
    assert!(left.is_some(), "no {word} in {rest:?}");
    let left = left.unwrap_or_default();
    left.strip_prefix(' ').unwrap_or(left)
}

/// PF-10, PD-17, PD-14: never empty, sorted, each once.
fn is_list(list: &str, separator: char, good: impl Fn(&str) -> bool) {
    let items: Vec<&str> = list.split(separator).collect();
    for item in &items {
        assert!(good(item), "{item:?} in {list:?}");
    }
    let mut once = items.clone();
    once.sort_unstable();
    once.dedup();
    assert_eq!(once.len(), items.len(), "twice in {list:?}");
}

/// A host's name; a name with all below it only where there is no host to name (DT-01s).
fn is_match(name: &str, verdict: &Verdict) -> bool {
    let own_words = ["hostname", "nexthop", "dot-nexthop"];
    match name.strip_prefix('.') {
        Some(below) => is_name(below) && verdict.row == Row::Dt01s,
        None => is_name(name) && !own_words.contains(&name),
    }
}

fn is_name(text: &str) -> bool {
    let good = |byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.');
    !text.is_empty() && text.bytes().all(good) && DomainName::parse(text).is_ok()
}
