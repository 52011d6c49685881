//! Postfix: `smtp_tls_policy_maps` results, in the words that its version knows.
//!
//! An attribute that Postfix does not know, or does not allow at a level, stops all mail to that
//! destination, so each is written only where it may stand. `policy_failure` and `policy_ttl` are
//! never written: a destination that must not be used is answered with TEMP (PF-15).
//! Not done here: choosing the answer, and framing the reply (hoplock-wire).

use super::Rendered;
use crate::law::{Answer, MatchName, StsBasis, Verdict};
use crate::name::DomainName;
use crate::profile::{Family, PinDigest, Profile, Version};
use crate::reason::Reason;
use crate::sts::MxPattern;
use crate::tlsa::{TrustAnchorBytes, anchor_file};

/// The verdict as a Postfix policy; TEMP where it has no form that Postfix would read as meant.
#[must_use]
pub fn render(verdict: &Verdict, profile: &Profile) -> Rendered {
    let level = verdict.answer.word();
    let list = match &verdict.answer {
        Answer::NotFound => return Rendered::NotFound,
        Answer::Temp => return Rendered::temp(verdict.reason, &verdict.detail),
        // RFC 7435, 3: nothing is narrowed here, for a session that fails would fall to clear text.
        Answer::None | Answer::May | Answer::Dane => return Rendered::Ok(level.to_owned()),
        Answer::Encrypt | Answer::DaneOnly => {
            return Rendered::Ok(format!("{level}{}", protocols(profile)));
        }
        Answer::Fingerprint(digests) => fingerprints(digests, profile.digest).join("|"),
        Answer::Secure(names) | Answer::Verify(names) | Answer::Anchored { names, .. } => {
            let names: Vec<String> = in_order(names).map(ToString::to_string).collect();
            names.join(":")
        }
    };
    if list.is_empty() {
        // Postfix would use a list of its own instead: for `secure` that is the next-hop domain.
        let words = format!("{level} needs a list of what to match, and nothing is left to list");
        return Rendered::temp(Reason::MtaCannotAuthenticate, &words);
    }
    let mut policy = format!("{level} match={list}");
    if let Answer::Anchored { anchors, .. } = &verdict.answer {
        match tafile(anchors, profile) {
            Ok(attribute) => policy.push_str(&attribute),
            Err(words) => return Rendered::temp(Reason::MtaCannotAuthenticate, words),
        }
    }
    if profile.version >= SERVERNAME {
        // RFC 7672, 8.1; RFC 8461, 7.1: outside DANE, Postfix sends no SNI unless it is told to.
        policy.push_str(" servername=");
        match &verdict.server_name {
            Some(name) if is_host_name(name) => policy.push_str(name.as_str()),
            _ => policy.push_str("hostname"),
        }
    }
    policy.push_str(protocols(profile));
    policy.push_str(&own_authorities(verdict));
    if let (Answer::Secure(names), Some(basis)) = (&verdict.answer, told(verdict, profile)) {
        policy.push_str(&attributes(names, basis));
        let strings = policy_strings(basis);
        if fits(&policy, &strings) {
            policy.push_str(&strings);
        }
    }
    if fits(&policy, "") {
        Rendered::Ok(policy)
    } else {
        let words = format!("the answer is longer than {REPLY_LIMIT} octets");
        Rendered::temp(Reason::ReplyTooLong, &words)
    }
}

/// The file of these anchors under the path at which Postfix reads it (DT-16); why there is none.
fn tafile(anchors: &[TrustAnchorBytes], profile: &Profile) -> Result<String, &'static str> {
    let directory = profile.anchors_told();
    if anchors.is_empty() {
        // Postfix would trust the authorities of its own.
        return Err("no trust anchor is known by its bytes");
    }
    // A blank or a comma would end the path, and begin something else.
    let is_path = directory.starts_with('/')
        && directory
            .bytes()
            .all(|byte| byte.is_ascii_graphic() && !b",{}".contains(&byte));
    if !is_path {
        return Err(NO_DIRECTORY);
    }
    let name = anchor_file(anchors).name;
    Ok(format!(
        " tafile={}/{name}",
        directory.trim_end_matches('/')
    ))
}

/// RFC 9325, 3.1.1, where the operator asks for it (PF-16): TLS 1.2 at least, at mandatory levels.
fn protocols(profile: &Profile) -> &'static str {
    if !profile.require_tls12 {
        ""
    } else if profile.version >= PROTOCOL_BOUNDS {
        " protocols=>=TLSv1.2"
    } else {
        " protocols=!SSLv2:!SSLv3:!TLSv1:!TLSv1.1"
    }
}

/// OP-05: a file of authorities that takes the place of Postfix's own, where a rule gives the names.
fn own_authorities(verdict: &Verdict) -> String {
    let by_names = matches!(verdict.answer, Answer::Secure(_) | Answer::Verify(_));
    let by_rule = matches!(verdict.reason, Reason::Rule | Reason::RuleFallback);
    let rule = verdict.rule.as_ref().filter(|_| by_names && by_rule);
    let file = rule.and_then(|rule| rule.authorities());
    file.map_or_else(String::new, |file| format!(" tafile={file}"))
}

/// The policy to tell: only where the answer rests on it, and only to a version that knows how.
fn told<'a>(verdict: &'a Verdict, profile: &Profile) -> Option<&'a StsBasis> {
    let knows = matches!(profile.family, Family::Postfix | Family::Pins)
        && profile.version >= REPORTED_POLICY;
    verdict
        .sts
        .as_ref()
        // A rule's own names are not the policy's: Postfix would hold the MX hosts against them.
        .filter(|_| knows && verdict.reason == Reason::StsEnforce)
        .filter(|basis| is_host_name(&basis.domain))
}

/// What the answer rests on; Postfix skips MX hosts that fit no pattern, so they are the names.
fn attributes(names: &[MatchName], basis: &StsBasis) -> String {
    let mut text = format!(" policy_type=sts policy_domain={}", basis.domain);
    for name in in_order(names) {
        text.push_str(" mx_host_pattern=");
        text.push_str(&match name {
            MatchName::Host(name) => name.to_string(),
            MatchName::Below(name) => format!("*.{name}"),
        });
    }
    text
}

/// The policy for reports (RFC 8460, 4.4), from parsed values: what cannot be read is not repeated.
fn policy_strings(basis: &StsBasis) -> String {
    let patterns = basis.patterns.iter();
    let hosts = patterns
        .filter_map(|text| MxPattern::parse(text))
        .map(|pattern| format!("mx: {pattern}"));
    let lines = ["version: STSv1".to_owned(), format!("mode: {}", basis.mode)]
        .into_iter()
        .chain(hosts)
        .chain([format!("max_age: {}", basis.max_age)]);
    lines
        .map(|line| format!(" {{ policy_string = {line} }}"))
        .collect()
}

/// Sorted, each once, without the words that Postfix would not read as a host's name.
fn in_order(names: &[MatchName]) -> impl Iterator<Item = &MatchName> {
    let mut names: Vec<&MatchName> = names
        .iter()
        .filter(|name| !matches!(name, MatchName::Host(host) if OWN_WORDS.contains(&host.as_str())))
        .collect();
    names.sort();
    names.dedup();
    names.into_iter()
}

/// Digests of the profile's algorithm in one spelling, sorted, each once; others say nothing to it.
fn fingerprints(digests: &[String], algorithm: PinDigest) -> Vec<String> {
    let length = match algorithm {
        PinDigest::Sha256 => 64,
        PinDigest::Sha512 => 128,
    };
    let mut digests: Vec<String> = digests
        .iter()
        .map(|digest| digest.replace(':', "").to_ascii_lowercase())
        .filter(|digest| digest.len() == length && digest.bytes().all(|b| b.is_ascii_hexdigit()))
        .collect();
    digests.sort();
    digests.dedup();
    digests
}

/// Postfix takes no name of digits and dots alone, be it `policy_domain` or `servername`.
fn is_host_name(name: &DomainName) -> bool {
    name.as_str()
        .bytes()
        .any(|byte| !byte.is_ascii_digit() && byte != b'.')
}

fn fits(policy: &str, more: &str) -> bool {
    "OK ".len() + policy.len() + more.len() <= REPLY_LIMIT
}

/// Postfix reads no longer reply over a socketmap.
pub const REPLY_LIMIT: usize = 100_000;
/// The cure where trust anchors cannot be handed over.
const NO_DIRECTORY: &str = "trust anchors go to Postfix as files, and there is no place for them; name one that smtp(8) can read: \
     anchor_directory in this profile";
/// `servername` is known from here.
const SERVERNAME: Version = Version { major: 3, minor: 4 };
/// `protocols=>=…` is known from here; older versions are told what to leave out.
const PROTOCOL_BOUNDS: Version = Version { major: 3, minor: 6 };
/// `policy_type` and its companions, and braces, are known from here.
const REPORTED_POLICY: Version = Version {
    major: 3,
    minor: 10,
};
/// In `match=` these are instructions to Postfix, not names of hosts.
const OWN_WORDS: &[&str] = &["hostname", "nexthop", "dot-nexthop"];

#[cfg(test)]
#[allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "tests"
)]
mod tests {
    use super::*;
    use crate::law::rows::Row;

    fn name(text: &str) -> DomainName {
        DomainName::parse(text).unwrap()
    }

    fn hosts(names: &[&str]) -> Vec<MatchName> {
        names
            .iter()
            .map(|text| MatchName::Host(name(text)))
            .collect()
    }

    fn profile(minor: u16) -> Profile {
        let mut profile = Profile::built_in("postfix").unwrap();
        profile.version = Version { major: 3, minor };
        profile
    }

    fn reply(answer: Answer, minor: u16) -> String {
        let verdict = Verdict::plain(answer, Row::Rule, Reason::Rule, "words".to_owned());
        render(&verdict, &profile(minor)).to_string()
    }

    fn enforced(names: &[&str], patterns: &[&str]) -> Verdict {
        let answer = Answer::Secure(hosts(names));
        let mut verdict = Verdict::plain(answer, Row::Dt04, Reason::StsEnforce, "words".to_owned());
        verdict.sts = Some(StsBasis {
            domain: name("sts.test"),
            patterns: patterns.iter().map(ToString::to_string).collect(),
            mode: "enforce",
            max_age: 86400,
        });
        verdict
    }

    /// RQ-02, PD-12: levels without a list are one word; "no policy" is no level at all.
    #[test]
    fn plain_levels_are_one_word() {
        for minor in [3, 7, 10] {
            assert_eq!(reply(Answer::NotFound, minor), "NOTFOUND ");
            assert_eq!(reply(Answer::None, minor), "OK none");
            assert_eq!(reply(Answer::May, minor), "OK may");
            assert_eq!(reply(Answer::Encrypt, minor), "OK encrypt");
            assert_eq!(reply(Answer::Dane, minor), "OK dane");
            assert_eq!(reply(Answer::DaneOnly, minor), "OK dane-only");
        }
    }

    /// PF-11, PD-14: SNI is asked for from 3.4 on; names are sorted and stand once.
    #[test]
    fn names_are_sorted_and_sni_is_asked_for() {
        let names = || hosts(&["b.test", "a.test", "b.test"]);
        let secure = "OK secure match=a.test:b.test";
        assert_eq!(reply(Answer::Secure(names()), 3), secure);
        let with_name = format!("{secure} servername=hostname");
        assert_eq!(reply(Answer::Secure(names()), 4), with_name);
        assert_eq!(reply(Answer::Secure(names()), 10), with_name);
        assert_eq!(
            reply(Answer::Verify(names()), 7),
            "OK verify match=a.test:b.test servername=hostname"
        );
    }

    /// PF-09, PD-14: digests of the profile's algorithm, one spelling, joined by a vertical bar.
    #[test]
    fn fingerprints_are_digests_of_the_profiles_algorithm() {
        let (low, high) = ("0a".repeat(32), "f1".repeat(32));
        let spelled = vec!["F1:".repeat(31) + "F1", high.clone(), low.clone()];
        let with_long = [spelled.clone(), vec!["ab".repeat(64)]].concat();
        for digests in [spelled, with_long.clone()] {
            assert_eq!(
                reply(Answer::Fingerprint(digests), 7),
                format!("OK fingerprint match={low}|{high} servername=hostname")
            );
        }
        let mut longer = profile(3);
        longer.digest = PinDigest::Sha512;
        let answer = Answer::Fingerprint(with_long);
        let verdict = Verdict::plain(answer, Row::Rule, Reason::Rule, String::new());
        assert_eq!(
            render(&verdict, &longer).to_string(),
            format!("OK fingerprint match={}", "ab".repeat(64))
        );
    }

    /// PF-10, PD-17: a list with nothing in it would mean a list of Postfix's own, so mail waits.
    #[test]
    fn empty_lists_delay() {
        let answers = [
            Answer::Fingerprint(Vec::new()),
            Answer::Fingerprint(vec![String::new(), "zz".repeat(32)]),
            Answer::Secure(Vec::new()),
            Answer::Verify(Vec::new()),
            Answer::Secure(hosts(&["hostname", "nexthop", "dot-nexthop"])),
        ];
        for answer in answers {
            let said = reply(answer, 10);
            assert!(said.starts_with("TEMP mta-cannot-authenticate: "), "{said}");
        }
    }

    /// DT-16, PF-11, PD-17: names, anchors and SNI together; where the file has no place, or one of them is
    /// missing, mail waits with the cure.
    #[test]
    fn anchors_are_named_by_their_file() {
        let anchors = vec![TrustAnchorBytes::PublicKey(vec![1, 2, 3])];
        let file = anchor_file(&anchors).name;
        let answer = |names: &[&str], anchors: &[TrustAnchorBytes]| Answer::Anchored {
            names: hosts(names),
            anchors: anchors.to_vec(),
        };
        let said = |answer: Answer, directory: &str, inside: &str, minor| {
            let verdict = Verdict::plain(answer, Row::Dt16, Reason::DaneAllHosts, String::new());
            let mut profile = profile(minor);
            profile.anchor_directory = directory.to_owned();
            profile.anchor_directory_in_chroot = inside.to_owned();
            render(&verdict, &profile).to_string()
        };
        let good = answer(&["b.test", "a.test"], &anchors);
        let policy = format!("OK secure match=a.test:b.test tafile=/anchors/{file}");
        assert_eq!(said(good.clone(), "/var/x", "/anchors/", 3), policy);
        assert_eq!(
            said(good.clone(), "/anchors", "", 10),
            format!("{policy} servername=hostname")
        );
        for (directory, inside) in [
            ("", ""),
            ("", "/anchors"),
            ("/a b", ""),
            ("/a,b", ""),
            ("a", ""),
        ] {
            let said = said(good.clone(), directory, inside, 7);
            assert!(said.starts_with("TEMP mta-cannot-authenticate: "), "{said}");
            assert!(said.contains("anchor_directory"), "{said}");
        }
        for lacking in [answer(&[], &anchors), answer(&["a.test"], &[])] {
            let said = said(lacking, "/anchors", "", 7);
            assert!(said.starts_with("TEMP mta-cannot-authenticate: "), "{said}");
        }
    }

    /// PF-11; RFC 7672, 8.1: where the TLSA base is another name than the MX host's, it is asked for.
    #[test]
    fn another_server_name_is_told() {
        let pins = Answer::Fingerprint(vec!["ab".repeat(32)]);
        let mut verdict = Verdict::plain(pins, Row::Dt06, Reason::DaneAllHosts, String::new());
        verdict.server_name = Some(name("base.test"));
        let said = render(&verdict, &profile(7)).to_string();
        assert!(said.ends_with(" servername=base.test"), "{said}");
    }

    /// PF-12, PF-13: a version before 3.10 is told the names; a later one what they rest on too.
    #[test]
    fn an_enforced_policy_is_told_to_those_who_know_how() {
        let verdict = enforced(&["mx2.sts.test", "mx1.sts.test"], &["*.sts.test"]);
        let names = "OK secure match=mx1.sts.test:mx2.sts.test servername=hostname";
        assert_eq!(render(&verdict, &profile(7)).to_string(), names);
        assert_eq!(render(&verdict, &profile(9)).to_string(), names);
        let all = format!(
            "{names} policy_type=sts policy_domain=sts.test mx_host_pattern=mx1.sts.test \
             mx_host_pattern=mx2.sts.test {{ policy_string = version: STSv1 }} \
             {{ policy_string = mode: enforce }} {{ policy_string = mx: *.sts.test }} \
             {{ policy_string = max_age: 86400 }}"
        );
        assert_eq!(render(&verdict, &profile(10)).to_string(), all);
        assert_eq!(render(&verdict, &profile(11)).to_string(), all);
        let mut sendmail = Profile::built_in("sendmail").unwrap();
        sendmail.floor = profile(10).floor;
        assert!(!render(&verdict, &sendmail).to_string().contains("policy_"));
    }

    /// PF-12: where no host is known, the patterns stand instead, each in its reader's spelling.
    #[test]
    fn patterns_stand_for_unknown_hosts() {
        let mut verdict = enforced(&[], &["*.sts.test", "mx.other.test"]);
        verdict.answer = Answer::Secure(vec![
            MatchName::Host(name("mx.other.test")),
            MatchName::Below(name("sts.test")),
        ]);
        let said = render(&verdict, &profile(10)).to_string();
        let start = "OK secure match=mx.other.test:.sts.test servername=hostname policy_type=sts \
                     policy_domain=sts.test mx_host_pattern=mx.other.test \
                     mx_host_pattern=*.sts.test { ";
        assert!(said.starts_with(start), "{said}");
    }

    /// PF-14: names that a rule gives are not the policy's, and are not passed off as its own.
    #[test]
    fn a_rules_names_are_not_the_policys() {
        let mut verdict = enforced(&["gateway.test"], &["mx.sts.test"]);
        verdict.reason = Reason::RuleFallback;
        assert_eq!(
            render(&verdict, &profile(10)).to_string(),
            "OK secure match=gateway.test servername=hostname"
        );
    }

    /// ST-30, ID-03: text of a policy can add nothing; what is no pattern is not repeated.
    #[test]
    fn policy_text_adds_nothing() {
        let hostile = [
            "mx.sts.test } { policy_failure = validation-failure",
            "a.test match=evil.test",
            "{",
            "m\u{fc}ller.test",
            "mx.sts.test\r\n",
            "mx.sts.test",
        ];
        let said = render(&enforced(&["mx.sts.test"], &hostile), &profile(10)).to_string();
        let plain = render(&enforced(&["mx.sts.test"], &["mx.sts.test"]), &profile(10));
        assert_eq!(said, plain.to_string());
    }

    /// A reply that Postfix would not read becomes a delay; words for reports go first.
    #[test]
    fn long_replies_are_cut_down_or_delayed() {
        let many: Vec<String> = (0..5000).map(|n| format!("mx{n}.sts.test")).collect();
        let many: Vec<&str> = many.iter().map(String::as_str).collect();
        let short = render(&enforced(&["mx1.sts.test"], &many), &profile(10)).to_string();
        assert!(short.ends_with(" mx_host_pattern=mx1.sts.test"), "{short}");
        let long = enforced(&many, &["*.sts.test"]);
        let said = render(&long, &profile(10)).to_string();
        assert!(said.starts_with("TEMP reply-too-long: "), "{said}");
        assert!(render(&long, &profile(7)).to_string().starts_with("OK "));
        let room = REPLY_LIMIT - "OK secure match= servername=hostname".len();
        for (length, fits) in [(room, true), (room + 1, false)] {
            // Names of eleven octets and a colon each; the last one takes up the rest.
            let count = (length - 30) / 12;
            let last = "z".repeat(length - 12 * count - ".test".len());
            let mut names: Vec<MatchName> = (0..count)
                .map(|number| MatchName::Host(name(&format!("m{number:05}.test"))))
                .collect();
            names.push(MatchName::Host(name(&format!("{last}.test"))));
            let verdict = Verdict::plain(
                Answer::Secure(names),
                Row::Dt04,
                Reason::StsEnforce,
                String::new(),
            );
            let said = render(&verdict, &profile(7)).to_string();
            assert_eq!(said.starts_with("OK "), fits);
            assert_eq!(said.len() == REPLY_LIMIT, fits);
        }
    }

    /// PF-16, RQ-02: TLS 1.2 is asked for by option only, in the version's own syntax, and never at
    /// an opportunistic level.
    #[test]
    fn protocols_are_narrowed_by_order_only() {
        let said = |answer: Answer, minor, require_tls12| {
            let mut profile = Profile::built_in("postfix").unwrap();
            (profile.version.minor, profile.require_tls12) = (minor, require_tls12);
            let row = Row::Law;
            let verdict = Verdict::plain(answer, row, Reason::Rule, String::new());
            render(&verdict, &profile).to_string()
        };
        assert_eq!(said(Answer::Encrypt, 7, false), "OK encrypt");
        assert_eq!(
            said(Answer::Encrypt, 7, true),
            "OK encrypt protocols=>=TLSv1.2"
        );
        let old = "OK dane-only protocols=!SSLv2:!SSLv3:!TLSv1:!TLSv1.1";
        assert_eq!(said(Answer::DaneOnly, 5, true), old);
        assert_eq!(said(Answer::Dane, 7, true), "OK dane");
        assert_eq!(said(Answer::May, 7, true), "OK may");
        assert_eq!(said(Answer::NotFound, 7, true), "NOTFOUND ");
        let names = vec![MatchName::Host(DomainName::parse("mx.e.test").unwrap())];
        let secure = "OK secure match=mx.e.test servername=hostname protocols=>=TLSv1.2";
        assert_eq!(said(Answer::Secure(names), 7, true), secure);
    }
}
