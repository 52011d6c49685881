//! What a Postfix that reports by itself is told of a policy.

use hoplock_policy::law::rows::Row;
use hoplock_policy::law::{Answer, MatchName, StsBasis, Verdict};
use hoplock_policy::profile::Profile;
use hoplock_policy::reason::Reason;
use hoplock_policy::render::render;

use super::name;

/// PF-13, PF-14: Postfix would refuse a policy domain of digits and dots alone, and with it the whole
/// answer; so such a domain's policy is enforced without being told.
#[test]
fn a_domain_that_postfix_would_refuse_is_not_told() {
    let profile = Profile::built_in("postfix310").unwrap();
    for (domain, is_told) in [
        ("example.com", true),
        ("1.2.3.test", true),
        ("1.a", true),
        ("1.2.3", false),
        ("192.0.2.1", false),
    ] {
        let names = vec![MatchName::Host(name("mx.example.com"))];
        let words = String::new();
        let answer = Answer::Secure(names);
        let mut verdict = Verdict::plain(answer, Row::Dt04, Reason::StsEnforce, words);
        verdict.sts = Some(StsBasis {
            domain: name(domain),
            patterns: vec!["mx.example.com".to_owned()],
            mode: "enforce",
            max_age: 86_400,
        });
        let said = render(&verdict, &profile).to_string();
        let start = "OK secure match=mx.example.com servername=hostname";
        assert!(said.starts_with(start), "{said}");
        let told = format!(" policy_domain={domain} ");
        assert_eq!(said.contains(&told), is_told, "{said}");
        assert_eq!(said.contains("policy_"), is_told, "{said}");
    }
}
