//! What the operator ordered for single destinations; a rule stands above all findings (PD-01).

use std::net::IpAddr;

use crate::moment::Timestamp;
use crate::name::DomainName;

/// All rules in force. Exact names beat suffixes, longer suffixes beat shorter, `*` comes last.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rules {
    rules: Vec<Rule>,
}

/// One rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    /// Which destinations it is for.
    pub pattern: RulePattern,
    /// What is demanded of them.
    pub mode: Mode,
    /// Whether MTA-STS counts for them.
    pub sts: bool,
    /// A level given whatever the findings say.
    pub answer: Option<PinnedLevel>,
    /// Digests for `fingerprint`, already in the form that the MTA reads.
    pub fingerprints: Vec<String>,
    /// Reference names for `secure` and `verify`.
    pub names: Vec<DomainName>,
    /// A file of authorities that alone count for `secure` and `verify`, as the mail server finds it.
    pub ca_file: Option<String>,
    /// What to do where DANE is mandatory and its absence is established.
    pub fallback: Fallback,
    /// Whether the fallback also serves where the MX set is insecure (DT-24).
    pub fallback_on_insecure: bool,
    /// For people.
    pub comment: String,
    /// After this the rule no longer counts.
    pub expires: Option<Timestamp>,
    /// When it was given, where that was at run time: what has been before was not under it (SV-04).
    pub since: Option<Timestamp>,
}

impl Rule {
    /// A rule that says no more than this: MTA-STS counts, no level is pinned, mail waits where DANE is
    /// demanded and absent, and it holds until it is taken away.
    #[must_use]
    pub fn new(pattern: RulePattern, mode: Mode) -> Self {
        Self {
            pattern,
            mode,
            sts: true,
            answer: None,
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
}

/// Which destinations a rule is for.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RulePattern {
    /// An address literal.
    Address(IpAddr),
    /// This name alone.
    Exact(DomainName),
    /// Names below this one, written `.example.com`.
    Suffix(DomainName),
    /// Every destination, written `*`.
    Any,
}

/// What is demanded of a destination.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Mode {
    /// Nothing: hoplock keeps its hands off.
    Off,
    /// Nothing, but what would have failed is told.
    Audit,
    /// What the destination publishes.
    Opportunistic,
    /// DANE, or the fallback.
    Mandatory,
}

/// A level that the operator gives whatever the findings say.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PinnedLevel {
    /// No TLS.
    None,
    /// Opportunistic TLS.
    May,
    /// Mandatory TLS.
    Encrypt,
    /// Opportunistic DANE.
    Dane,
    /// Mandatory DANE.
    DaneOnly,
    /// The rule's fingerprints.
    Fingerprint,
    /// The rule's names, found in insecure DNS as well.
    Verify,
    /// The rule's names.
    Secure,
    /// Delay.
    Defer,
}

/// What to do where DANE is mandatory and its absence is established (PD-09).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Fallback {
    /// Delay.
    Defer,
    /// The rule's fingerprints.
    Fingerprint,
    /// Web PKI under the rule's names.
    Secure,
    /// TLS without authentication.
    Encrypt,
}

impl Rules {
    /// The given rules; order is of no consequence.
    #[must_use]
    pub fn new(mut rules: Vec<Rule>) -> Self {
        rules.sort_by_key(|rule| (rule.pattern.rank(), rule.pattern.clone()));
        Self { rules }
    }

    /// These rules with `later` ones, each in front of an earlier one for the same destinations, which
    /// counts again when the later one has expired.
    #[must_use]
    pub fn overlaid(&self, later: Vec<Rule>) -> Self {
        // Sorting keeps the order of equals.
        Self::new(
            later
                .into_iter()
                .chain(self.rules.iter().cloned())
                .collect(),
        )
    }

    /// The rule for a name, expired ones left out.
    #[must_use]
    pub fn for_name(&self, name: &DomainName, now: Timestamp) -> Option<&Rule> {
        self.rules
            .iter()
            .find(|rule| rule.pattern.covers(name) && !rule.is_expired(now))
    }

    /// The rule for an address literal.
    #[must_use]
    pub fn for_address(&self, address: IpAddr, now: Timestamp) -> Option<&Rule> {
        self.rules.iter().find(|rule| {
            !rule.is_expired(now)
                && (rule.pattern == RulePattern::Address(address)
                    || rule.pattern == RulePattern::Any && rule.answer.is_some())
        })
    }

    /// The rule written for exactly this suffix, for `.parent` keys (PF-06).
    #[must_use]
    pub fn for_suffix(&self, suffix: &DomainName, now: Timestamp) -> Option<&Rule> {
        self.rules.iter().find(|rule| {
            matches!(&rule.pattern, RulePattern::Suffix(own) if own == suffix)
                && !rule.is_expired(now)
        })
    }

    /// All rules, best match first.
    pub fn iter(&self) -> impl Iterator<Item = &Rule> {
        self.rules.iter()
    }
}

impl Rule {
    /// The authorities that a level or a fallback of this rule is to rest on.
    #[must_use]
    pub fn authorities(&self) -> Option<&str> {
        self.ca_file.as_deref()
    }

    /// True once its time is over (OP-05).
    #[must_use]
    pub fn is_expired(&self, now: Timestamp) -> bool {
        self.expires.is_some_and(|expires| expires <= now)
    }
}

impl RulePattern {
    /// True where the pattern is meant for `name`; a suffix does not cover the bare name itself.
    #[must_use]
    pub fn covers(&self, name: &DomainName) -> bool {
        match self {
            Self::Address(_) => false,
            Self::Exact(own) => own == name,
            Self::Suffix(suffix) => name
                .as_str()
                .strip_suffix(suffix.as_str())
                .is_some_and(|front| front.ends_with('.')),
            Self::Any => true,
        }
    }

    /// Sorting key: best match first.
    fn rank(&self) -> (u8, std::cmp::Reverse<usize>) {
        match self {
            Self::Address(_) => (0, std::cmp::Reverse(0)),
            Self::Exact(_) => (1, std::cmp::Reverse(0)),
            Self::Suffix(suffix) => (2, std::cmp::Reverse(suffix.as_str().len())),
            Self::Any => (3, std::cmp::Reverse(0)),
        }
    }
}

impl std::fmt::Display for RulePattern {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Address(address) => write!(f, "{address}"),
            Self::Exact(name) => write!(f, "{name}"),
            Self::Suffix(name) => write!(f, ".{name}"),
            Self::Any => f.write_str("*"),
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp(1000);

    fn name(text: &str) -> DomainName {
        DomainName::parse(text).unwrap()
    }

    /// A rule in the spelling of the configuration; the comment tells it from others.
    fn rule(pattern: &str, comment: &str) -> Rule {
        let pattern = match (pattern, pattern.strip_prefix('.'), pattern.parse()) {
            ("*", ..) => RulePattern::Any,
            (_, Some(parent), _) => RulePattern::Suffix(name(parent)),
            (.., Ok(address)) => RulePattern::Address(address),
            (.., Err(_)) => RulePattern::Exact(name(pattern)),
        };
        Rule {
            comment: comment.to_owned(),
            ..Rule::new(pattern, Mode::Opportunistic)
        }
    }

    fn until(rule: Rule, end: u64) -> Rule {
        Rule {
            expires: Some(Timestamp(end)),
            ..rule
        }
    }

    fn pinned(rule: Rule) -> Rule {
        Rule {
            answer: Some(PinnedLevel::Encrypt),
            ..rule
        }
    }

    fn said(found: Option<&Rule>) -> &str {
        found.map_or("", |rule| rule.comment.as_str())
    }

    /// PD-01, OP-01: exact names beat suffixes, longer suffixes shorter ones, and `*` comes last; no
    /// suffix covers its own name, half a label, or an address.
    #[test]
    fn the_nearest_rule_counts() {
        let mut rules = vec![
            rule("*", "any"),
            rule(".test", "short suffix"),
            rule(".e.test", "long suffix"),
            rule("mx.e.test", "exact"),
            rule("192.0.2.1", "address"),
        ];
        for _ in 0..rules.len() {
            rules.rotate_left(1);
            let rules = Rules::new(rules.clone());
            for (asked, expected) in [
                ("mx.e.test", "exact"),
                ("a.mx.e.test", "long suffix"),
                ("other.e.test", "long suffix"),
                ("e.test", "short suffix"),
                ("the.test", "short suffix"),
                ("mxe.test", "short suffix"),
                ("e.example", "any"),
                ("192.0.2.1", "any"),
            ] {
                assert_eq!(said(rules.for_name(&name(asked), NOW)), expected, "{asked}");
            }
        }
        let only = Rules::new(vec![
            rule(".e.test", "suffix"),
            rule("192.0.2.1", "address"),
        ]);
        for asked in ["e.test", "the.test", "192.0.2.1"] {
            assert_eq!(only.for_name(&name(asked), NOW), None, "{asked}");
        }
    }

    /// OP-05: a rule counts up to its end and not at it; then the next nearest one does.
    #[test]
    fn expired_rules_do_not_count() {
        for (end, is_expired) in [(999, true), (1000, true), (1001, false)] {
            assert_eq!(
                until(rule("*", ""), end).is_expired(NOW),
                is_expired,
                "{end}"
            );
            let ending = |pattern| until(pinned(rule(pattern, "ending")), end);
            let rules = Rules::new(vec![
                ending("e.test"),
                ending(".e.test"),
                ending("192.0.2.1"),
                rule("*", "any"),
            ]);
            let (ending, any, none) = if is_expired {
                ("", "any", "")
            } else {
                ("ending", "ending", "ending")
            };
            assert_eq!(said(rules.for_name(&name("e.test"), NOW)), any);
            assert_eq!(said(rules.for_suffix(&name("e.test"), NOW)), none);
            let address = "192.0.2.1".parse().unwrap();
            assert_eq!(said(rules.for_address(address, NOW)), ending);
        }
        assert!(!rule("*", "").is_expired(NOW));
    }

    /// NX-03: a literal is answered by a rule for that address, or by one for everything that gives
    /// a level, and by nothing else.
    #[test]
    fn literals_have_rules_of_their_own() {
        let address = |text: &str| text.parse().unwrap();
        let rules = Rules::new(vec![
            rule("192.0.2.1", "address"),
            rule(".test", "suffix"),
            rule("*", "any"),
        ]);
        assert_eq!(
            said(rules.for_address(address("192.0.2.1"), NOW)),
            "address"
        );
        assert_eq!(rules.for_address(address("192.0.2.2"), NOW), None);
        let rules = Rules::new(vec![
            pinned(rule("a.test", "exact")),
            pinned(rule("192.0.2.1", "address")),
            pinned(rule("*", "any")),
        ]);
        assert_eq!(
            said(rules.for_address(address("192.0.2.1"), NOW)),
            "address"
        );
        assert_eq!(said(rules.for_address(address("2001:db8::1"), NOW)), "any");
    }

    /// PF-06: a `.parent` key is answered by the rule for exactly that suffix.
    #[test]
    fn parents_have_rules_of_their_own() {
        let rules = Rules::new(vec![
            rule("e.test", "exact"),
            rule(".e.test", "suffix"),
            rule(".test", "parent"),
            rule("*", "any"),
        ]);
        for (asked, expected) in [("e.test", "suffix"), ("test", "parent"), ("a.e.test", "")] {
            assert_eq!(
                said(rules.for_suffix(&name(asked), NOW)),
                expected,
                "{asked}"
            );
        }
    }

    /// OP-05: an exception given later stands in front of the rule it is for, which counts again
    /// when the exception is over.
    #[test]
    fn later_rules_stand_in_front_until_they_end() {
        let configured = Rules::new(vec![rule("e.test", "configured"), rule("*", "any")]);
        let rules = configured.overlaid(vec![until(rule("e.test", "later"), 2000)]);
        assert_eq!(rules.iter().count(), 3);
        let asked = name("e.test");
        assert_eq!(said(rules.for_name(&asked, NOW)), "later");
        assert_eq!(said(rules.for_name(&asked, Timestamp(2000))), "configured");
        assert_eq!(said(rules.for_name(&name("x.test"), NOW)), "any");
    }
}
