//! Exim and Sendmail: what happens to mail, in the same one sentence.

use hoplock_policy::findings::Validation;
use hoplock_policy::law::golden::{EXAMPLES, built_in};
use hoplock_policy::law::rows::Row;
use hoplock_policy::law::{Conditions, LawOptions, decide};
use hoplock_policy::moment::Moment;
use hoplock_policy::profile::{Floor, OwnDane, OwnDaneSeen, Profile};
use hoplock_policy::render::{View, explain, json, render};
use hoplock_policy::rules::{Fallback, Mode, PinnedLevel, Rule, RulePattern, Rules};
use serde_json::Value;

fn rule(answer: Option<PinnedLevel>, mode: Mode) -> Rule {
    Rule {
        pattern: RulePattern::Any,
        mode,
        sts: true,
        answer,
        fingerprints: Vec::new(),
        names: Vec::new(),
        ca_file: None,
        fallback: Fallback::Defer,
        fallback_on_insecure: false,
        comment: String::new(),
        expires: None,
        since: None,
    }
}

fn told(row: Row, profile: &Profile, rules: &Rules) -> (String, Value) {
    let example = EXAMPLES.iter().find(|example| example.row == row).unwrap();
    let findings = example.findings();
    let conditions = Conditions {
        validation: Validation::Validating,
        remembered_dane: false,
        own_dane: OwnDaneSeen::Works,
        now: Moment::default(),
    };
    let options = LawOptions::default();
    let verdict = decide(&findings, rules, profile, &options, conditions);
    let rendered = render(&verdict, profile);
    let view = View {
        asked: "example.com",
        next_hop: &findings.next_hop,
        profile: &profile.name,
        family: profile.family,
        verdict: &verdict,
        findings: Some(&findings),
        rendered: &rendered,
        rules,
        now: Moment::default(),
    };
    (
        explain::text(&view),
        serde_json::to_value(json::query(&view)).unwrap(),
    )
}

fn first_line(text: &str) -> &str {
    text.lines()
        .next()
        .unwrap()
        .strip_prefix("example.com: ")
        .unwrap()
}

/// PD-15, EX-03: Exim is told a level, and people what each host owes and gets.
#[test]
fn exims_answer_is_told() {
    let exim = built_in("exim", Floor::May);
    for (row, sentence, reply, word) in [
        (
            Row::Dt06,
            "of its hosts, 2 must be authenticated by DANE (Exim is told \"enforce\", and asks about each \
             host).",
            "enforce",
            "dane-only",
        ),
        (
            Row::Dt08,
            "of its hosts, 1 must be authenticated by DANE, 1 must show a certificate valid for its name \
             (Exim is told \"enforce\", and asks about each host).",
            "enforce",
            "dane",
        ),
        (
            Row::Dt13,
            "of its hosts, 1 owes nothing, 1 gets no mail (Exim is told \"enforce\", and asks about each \
             host).",
            "enforce",
            "dane",
        ),
        (
            Row::Dt09,
            "of its hosts, 1 must take mail over TLS (Exim is told \"enforce\", and asks about each host).",
            "enforce",
            "encrypt",
        ),
        (
            Row::Dt01s,
            "whoever takes mail must show a certificate that the MTA-STS policy permits (Exim is told \
             \"enforce\", and asks about each host).",
            "enforce",
            "secure",
        ),
        (
            Row::Dt05,
            "this destination demands nothing; Exim's own level applies.",
            "may",
            "none",
        ),
    ] {
        let (text, query) = told(row, &exim, &Rules::default());
        assert_eq!(first_line(&text), sentence, "{row:?}");
        assert_eq!(query["reply"], reply, "{row:?}");
        assert_eq!(query["verdict"], word, "{row:?}");
        assert!(!text.contains("Postfix"), "{text}");
        assert!(row == Row::Dt01s || text.contains("Exim will"), "{text}");
        assert!(!text.contains("Answers that lost"), "{text}");
    }
    let (text, query) = told(Row::Dt15, &exim, &Rules::default());
    assert!(first_line(&text).starts_with("MAIL WAITS: "), "{text}");
    let reply = query["reply"].as_str().unwrap();
    assert!(reply.starts_with("defer tlsa-lookup-failed: "), "{reply}");
    assert_eq!(query["verdict"], "defer");
    assert!(text.contains("way out"), "{text}");
    let ordered = rule(Some(PinnedLevel::Encrypt), Mode::Opportunistic);
    let (text, _) = told(Row::Dt06, &exim, &Rules::new(vec![ordered]));
    assert_eq!(
        first_line(&text),
        "mail must go over TLS, and no certificate is checked, as a rule of yours says (Exim is told \
         \"enforce\", and asks about each host)."
    );
}

/// PD-15, PD-11: what Sendmail is told, and what it does by itself where it is told nothing.
#[test]
fn sendmails_answer_is_told() {
    let sendmail = built_in("sendmail", Floor::May);
    let by_itself = "(Sendmail is told nothing, and sees to it by itself).";
    for (row, sentence, reply, word) in [
        (
            Row::Dt06,
            format!("mail must be authenticated by DANE {by_itself}"),
            "NOTFOUND ",
            "none",
        ),
        (
            Row::Dt07,
            format!("of its hosts, 1 must be authenticated by DANE, 1 owes nothing {by_itself}"),
            "NOTFOUND ",
            "none",
        ),
        (
            Row::Dt09,
            format!(
                "mail must go over TLS, but nobody is authenticated, for no TLSA record here can be used \
                 {by_itself}"
            ),
            "NOTFOUND ",
            "none",
        ),
        (
            Row::Dt05s,
            "MTA-STS demands a valid certificate for mx0.example.com (Sendmail is told \"secure\")."
                .to_owned(),
            "OK secure match=mx0.example.com servername=hostname",
            "secure",
        ),
        (
            Row::Dt03,
            "this destination demands nothing; Sendmail's own level applies.".to_owned(),
            "NOTFOUND ",
            "none",
        ),
    ] {
        let (text, query) = told(row, &sendmail, &Rules::default());
        assert_eq!(first_line(&text), sentence, "{row:?}");
        assert_eq!(query["reply"], reply, "{row:?}");
        assert_eq!(query["verdict"], word, "{row:?}");
        assert!(!text.contains("Postfix"), "{text}");
        assert!(text.contains("Sendmail will"), "{text}");
    }
    let ordered = rule(Some(PinnedLevel::None), Mode::Opportunistic);
    let (text, _) = told(Row::Dt06, &sendmail, &Rules::new(vec![ordered]));
    assert_eq!(
        first_line(&text),
        "a rule of yours asks for no more than Sendmail's own level, which applies."
    );
}

/// PD-11: where Sendmail cannot be told, mail waits, and the text has the reason and both cures.
#[test]
fn what_sendmail_cannot_be_told_has_its_cures() {
    let own = built_in("sendmail", Floor::May);
    let auto = Profile::built_in("sendmail").unwrap();
    for (row, profile, because) in [
        (Row::Dt06, &auto, "only Postfix's settings are looked at"),
        (Row::Dt09, &auto, "a host owes what Sendmail cannot be told"),
        (
            Row::Dt08c,
            &own,
            "Sendmail would send mail to a host below what that host owes",
        ),
    ] {
        let (text, query) = told(row, profile, &Rules::default());
        let flat = text.split_whitespace().collect::<Vec<_>>().join(" ");
        assert_eq!(query["reason"], "mta-cannot-authenticate", "{row:?}");
        assert_eq!(query["verdict"], "defer");
        assert_eq!(
            first_line(&text),
            "MAIL WAITS: no answer that this Sendmail understands keeps the mail safe."
        );
        let detail = query["detail"].as_str().unwrap();
        assert!(detail.contains(because), "{detail}");
        assert_eq!(
            detail.contains("own_dane = \"yes\""),
            profile.own_dane == OwnDane::Auto,
            "{detail}"
        );
        assert!(flat.contains("sendmail -d0.13 -bt"), "{text}");
        assert!(flat.contains("verifier = true"), "{text}");
        assert!(!flat.contains("postconf"), "{text}");
    }
    // With the session check, nothing of that waits.
    for row in [Row::Dt06, Row::Dt09, Row::Dt08c] {
        let profile = Profile {
            verifier: true,
            ..auto.clone()
        };
        let (text, query) = told(row, &profile, &Rules::default());
        assert_eq!(query["reply"], "NOTFOUND ", "{text}");
        assert!(text.contains("the session check holds each host"), "{text}");
    }
}
