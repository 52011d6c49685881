//! Rules in words, and what else stands in the head of a page.

use std::time::Duration;

use hoplock_policy::law::Answer;
use hoplock_policy::moment::Timestamp;
use hoplock_policy::reason::Reason;
use hoplock_policy::render::rule::says;
use hoplock_policy::rules::{Fallback, Mode, PinnedLevel, Rule, RulePattern, Rules};
use serde_json::json;

use super::{Case, NOW, name};

fn rule(mode: Mode) -> Rule {
    Rule::new(RulePattern::Exact(name("example.com")), mode)
}

/// OP-05, PD-15: a rule says its mode or level, and what differs from the usual, in the words of the
/// configuration.
#[test]
fn rules_say_what_they_order() {
    let mandatory = || rule(Mode::Mandatory);
    for (rule, words) in [
        (rule(Mode::Off), "mode off"),
        (rule(Mode::Audit), "mode audit"),
        (rule(Mode::Opportunistic), "mode opportunistic"),
        (
            Rule {
                sts: false,
                ..mandatory()
            },
            "mode mandatory, MTA-STS does not count",
        ),
        (
            Rule {
                sts: false,
                ..rule(Mode::Off)
            },
            "mode off",
        ),
        (
            Rule {
                fallback: Fallback::Encrypt,
                ..mandatory()
            },
            "mode mandatory, fallback encrypt",
        ),
        (
            Rule {
                fallback: Fallback::Secure,
                fallback_on_insecure: true,
                names: vec![name("a.test"), name("b.test")],
                ..mandatory()
            },
            "mode mandatory, fallback secure behind insecure MX records too, names a.test b.test",
        ),
        (
            Rule {
                fallback: Fallback::Fingerprint,
                fingerprints: vec!["ab".to_owned(), "cd".to_owned()],
                ..mandatory()
            },
            "mode mandatory, fallback fingerprint, fingerprints ab cd",
        ),
        (
            Rule {
                fallback_on_insecure: true,
                ..mandatory()
            },
            "mode mandatory",
        ),
    ] {
        assert_eq!(says(&rule), words);
    }
}

/// OP-05: a level is told in the word of the configuration.
#[test]
fn levels_have_the_words_of_the_configuration() {
    for (level, word) in [
        (PinnedLevel::None, "none"),
        (PinnedLevel::May, "may"),
        (PinnedLevel::Encrypt, "encrypt"),
        (PinnedLevel::Dane, "dane"),
        (PinnedLevel::DaneOnly, "dane-only"),
        (PinnedLevel::Fingerprint, "fingerprint"),
        (PinnedLevel::Verify, "verify"),
        (PinnedLevel::Secure, "secure"),
        (PinnedLevel::Defer, "defer"),
    ] {
        let pinned = Rule {
            answer: Some(level),
            ..rule(Mode::Opportunistic)
        };
        assert_eq!(says(&pinned), format!("answer {word}"));
        let mut case = Case::new(Answer::Encrypt, Reason::Rule);
        case.rules = Rules::new(vec![pinned]);
        let told = case.explain()["rules"][0].clone();
        assert_eq!(told["answer"], word);
        case.has(&format!(
            "\n  \"example.com\": answer {word} (not used, a closer one is)\n"
        ));
    }
}

/// OP-05, PD-15: each rule for the destination says whether it counts, and for how long still.
#[test]
fn rules_say_whether_they_count() {
    let told = |rule: &Rule, applied: bool| {
        let mut case = Case::new(Answer::NotFound, Reason::RuleAudit);
        case.rules = Rules::new(vec![
            rule.clone(),
            Rule {
                pattern: RulePattern::Suffix(name("other.test")),
                ..rule.clone()
            },
        ]);
        case.verdict.rule = applied.then(|| Box::new(rule.clone()));
        case
    };
    let ends = |seconds: i64| Rule {
        expires: NOW.wall.0.checked_add_signed(seconds * 1000).map(Timestamp),
        ..rule(Mode::Audit)
    };
    for (rule, applied, words, left) in [
        (rule(Mode::Audit), true, "in use", None),
        (ends(7200), true, "in use, expires in 2 h", Some(7200)),
        (ends(119), true, "in use, expires in 119 s", Some(119)),
        (
            ends(600),
            false,
            "not used, a closer one is, expires in 10 min",
            Some(600),
        ),
        (ends(0), false, "expired", Some(0)),
        (ends(-60), false, "expired", Some(0)),
    ] {
        let case = told(&rule, applied);
        case.has(&format!(
            "\n\nRules for this destination\n  \"example.com\": mode audit ({words})\n\n"
        ));
        let mut expected = json!({"pattern": "example.com", "mode": "audit", "comment": "",
                                  "applied": applied});
        if let Some(left) = left {
            expected["expires_in"] = json!(left);
        }
        assert_eq!(case.explain()["rules"], json!([expected]));
    }
    let commented = Rule {
        comment: "ticket 7".to_owned(),
        ..rule(Mode::Audit)
    };
    told(&commented, true).has(": mode audit (in use); ticket 7\n");
    let foreign = Rule {
        pattern: RulePattern::Suffix(name("example.com")),
        ..rule(Mode::Audit)
    };
    let case = told(&foreign, false);
    case.has("\n\nRules for this destination: none\n");
    assert_eq!(case.explain()["rules"], json!([]));
}

/// ID-03, PD-15: another spelling of the same name is shown only where it is not plain; words that the
/// reply holds already are not said twice.
#[test]
fn the_head_says_nothing_twice() {
    for (asked, is_shown) in [
        ("example.com", false),
        ("EXAMPLE.com.", false),
        ("example.com:25", false),
        ("ex\u{e4}mple.com", true),
    ] {
        let mut case = Case::new(Answer::NotFound, Reason::NoPolicy);
        case.asked = asked;
        let shown = case.text().contains("\n  asked as  ");
        assert_eq!(shown, is_shown, "{asked}");
    }
    for (answer, detail, is_shown) in [
        (Answer::Temp, "some words", false),
        (Answer::NotFound, "some words", true),
        (Answer::NotFound, "", false),
    ] {
        let mut case = Case::new(answer, Reason::NoPolicy);
        case.verdict.detail = detail.to_owned();
        let shown = case.text().contains("\n  because ");
        assert_eq!(shown, is_shown, "{detail}");
    }
}

/// PD-15: how long an answer is kept, in the unit that says it best.
#[test]
fn times_are_told_in_their_unit() {
    for (seconds, words) in [
        (0, "this answer only"),
        (1, "1 s"),
        (119, "119 s"),
        (120, "2 min"),
        (7199, "119 min"),
        (7200, "2 h"),
        (172_799, "47 h"),
        (172_800, "2 days"),
        (864_000, "10 days"),
    ] {
        let mut case = Case::new(Answer::NotFound, Reason::NoPolicy);
        case.verdict.expires_in = Duration::from_secs(seconds);
        case.has(&format!("\n  kept for  {words}\n"));
    }
}
