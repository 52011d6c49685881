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
    /// What to do where DANE is mandatory and its absence is established.
    pub fallback: Fallback,
    /// Whether the fallback also serves where the MX set is insecure (DT-24).
    pub fallback_on_insecure: bool,
    /// For people.
    pub comment: String,
    /// After this the rule no longer counts.
    pub expires: Option<Timestamp>,
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
