//! What must hold for rules that come at run time, and for the `Host` field of requests; called by the
//! fuzz targets and by the replay of their corpus.

use std::net::IpAddr;

use hoplock_policy::moment::Timestamp;
use hoplock_policy::render::rule::says;
use hoplock_policy::rules::PinnedLevel;

use super::admin::is_local;
use super::rulebook::{in_its_place, pattern_of, read};
use crate::world::StoredRule;

/// The target `stored_rule`: a pattern and the text of its rule, 0x1e between them.
pub fn stored_rule(bytes: &[u8]) {
    let all = String::from_utf8_lossy(bytes);
    let (pattern, text) = all.split_once('\u{1e}').unwrap_or((&all, ""));
    let own = pattern_of(pattern);
    if let Some(own) = &own {
        // The one form under which rules are stored is a fixed point.
        assert_eq!(
            pattern_of(&own.to_string()).as_ref(),
            Some(own),
            "{pattern:?}"
        );
    }
    let rule = read(text);
    match &rule {
        Ok(rule) => {
            let written = rule.pattern.to_string();
            assert_eq!(
                pattern_of(&written).as_ref(),
                Some(&rule.pattern),
                "{text:?}"
            );
            assert!(!says(rule).chars().any(char::is_control), "{rule:?}");
        }
        Err(why) => assert!(!why.is_empty()),
    }
    // Whatever cannot be understood makes its destinations wait: it may have demanded anything.
    let stored = StoredRule {
        pattern: pattern.to_owned(),
        text: text.to_owned(),
        by: String::new(),
        added: Timestamp(0),
    };
    let instead = in_its_place(&stored).ok();
    assert_eq!(
        instead.as_ref().map(|rule| rule.pattern.clone()),
        own,
        "{text:?}"
    );
    if let Some(instead) = instead {
        assert_eq!(instead.answer, Some(PinnedLevel::Defer));
        let single = rule
            .as_ref()
            .ok()
            .filter(|rule| text.matches("rules").count() == 1 && rule.expires.is_some());
        if let Some(rule) = single {
            assert_eq!(instead.expires, rule.expires, "{text:?}");
        }
    }
}

/// The target `host_field`: what is taken for this machine is an address or `localhost`, with or
/// without a port, and nothing around it.
pub fn host_field(bytes: &[u8]) {
    let host = String::from_utf8_lossy(bytes);
    let without_port = |text: &str| {
        let (front, port) = text.rsplit_once(':').unwrap_or((text, "0"));
        port.bytes()
            .all(|byte| byte.is_ascii_digit())
            .then(|| front.to_owned())
    };
    let forms = [Some(host.to_string()), without_port(&host)];
    let local = forms.iter().flatten().any(|form| {
        let inside = form
            .strip_prefix('[')
            .and_then(|rest| rest.strip_suffix(']'));
        match (inside, form.parse()) {
            (Some(inside), _) => inside.parse::<std::net::Ipv6Addr>().is_ok(),
            (None, Ok(IpAddr::V4(_))) => true,
            _ => form.eq_ignore_ascii_case("localhost"),
        }
    });
    assert_eq!(is_local(&host), local, "{host:?}");
}
