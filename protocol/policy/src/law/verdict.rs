//! What the law decided, with the evidence for it (PD-15).

use std::fmt;
use std::time::Duration;

use super::duty::Duty;
use super::outcome::{Candidate, Outcome};
use super::rows::Row;
use super::situation::HostState;
use crate::findings::{Findings, StsFailureKind, StsFinding};
use crate::name::{DomainName, MxHost};
use crate::reason::Reason;
use crate::rules::Rule;
use crate::tlsa::TrustAnchorBytes;

/// The decision for one next hop and one profile.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// What the MTA is told.
    pub answer: Answer,
    /// The row of the golden table.
    pub row: Row,
    /// Why, as a stable word.
    pub reason: Reason,
    /// Why, for people: names the host and the lookup that decided.
    pub detail: String,
    /// Each host with its state, duty and outcome, best preference first.
    pub hosts: Vec<JudgedHost>,
    /// Answers that lost, with the reason.
    pub losers: Vec<Loser>,
    /// The rule that took part.
    pub rule: Option<Box<Rule>>,
    /// The MTA-STS policy that the answer rests on: the domain and the policy's own words.
    pub sts: Option<StsBasis>,
    /// How long the answer may be kept.
    pub expires_in: Duration,
    /// Hosts of which a probe could bring a trust anchor that changes the answer (DT-16): usable by
    /// digests of trust anchors alone, and the bytes not known yet.
    pub anchors_wanted: Vec<MxHost>,
    /// The server name to ask for, where it is not the name of the MX host (PF-11; RFC 7672, 8.1).
    pub server_name: Option<DomainName>,
    /// What would have failed under the policy, where a rule says to tell only.
    pub would_fail: Option<Reason>,
}

impl Verdict {
    /// A verdict without hosts to show.
    #[must_use]
    pub fn plain(answer: Answer, row: Row, reason: Reason, detail: String) -> Self {
        Self {
            answer,
            row,
            reason,
            detail,
            hosts: Vec::new(),
            losers: Vec::new(),
            rule: None,
            sts: None,
            expires_in: Duration::ZERO,
            anchors_wanted: Vec::new(),
            server_name: None,
            would_fail: None,
        }
    }

    /// Why a host of this duty may owe more than that: an MTA-STS policy may be in force that could not be
    /// had, or not be read (ST-13, ST-28). `None` where nothing is open: what DANE demands stands above any
    /// policy, and so does a rule of the operator.
    #[must_use]
    pub fn open_policy(&self, duty: Duty, findings: Option<&Findings>) -> Option<(Reason, String)> {
        let counts = self.rule.as_ref().is_none_or(|rule| rule.sts);
        if !counts || self.sets_published_aside() || matches!(duty, Duty::Dane | Duty::Refuse) {
            return None;
        }
        let waits = matches!(self.reason, Reason::StoreFailed | Reason::StsFirstContact);
        if self.answer == Answer::Temp && waits {
            return Some((self.reason, self.detail.clone()));
        }
        // The answer may be no weaker for that, and rest on something else; a host is.
        match findings.map(|findings| &findings.sts) {
            Some(StsFinding::Failed(failure)) if failure.kind == StsFailureKind::Store => {
                Some((Reason::StoreFailed, failure.words()))
            }
            _ => None,
        }
    }

    /// True where a rule keeps hoplock's hands off a destination (OP-03).
    #[must_use]
    pub fn hands_off(&self) -> bool {
        matches!(self.reason, Reason::RuleOff | Reason::RuleAudit)
    }

    /// True where a rule of the operator stands above whatever the destination publishes, and asks for no
    /// DANE (PD-01).
    #[must_use]
    pub fn sets_published_aside(&self) -> bool {
        let asks_for_dane = matches!(self.answer, Answer::Dane | Answer::DaneOnly);
        // PD-09: a fallback is an order too, once nothing that it asks for is published.
        let is_ordered = self.row == Row::Rule || self.reason == Reason::RuleFallback;
        self.hands_off() || is_ordered && !asks_for_dane
    }

    /// Delay, with a reason and words for people.
    #[must_use]
    pub fn temp(row: Row, reason: Reason, detail: impl Into<String>) -> Self {
        Self::plain(Answer::Temp, row, reason, detail.into())
    }
}

/// The MTA-STS policy under an answer, for dialects that pass it on to reports.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StsBasis {
    /// The policy domain.
    pub domain: DomainName,
    /// `mx` patterns, as published.
    pub patterns: Vec<String>,
    /// `enforce` or `testing`.
    pub mode: &'static str,
    /// `max_age` in seconds.
    pub max_age: u64,
}

/// What the MTA is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// Nothing: the MTA's own default acts.
    NotFound,
    /// Wait, with the verdict's reason and words.
    Temp,
    /// No TLS; by rule only.
    None,
    /// Opportunistic TLS; by rule or switch only (PD-12).
    May,
    /// Mandatory TLS.
    Encrypt,
    /// Opportunistic DANE.
    Dane,
    /// Mandatory DANE.
    DaneOnly,
    /// Web PKI for names found in insecure DNS too; by rule only. Never without names (PD-17).
    Verify(Vec<MatchName>),
    /// Web PKI under these names. Never without names (PD-17).
    Secure(Vec<MatchName>),
    /// These digests. Never without digests (PF-10).
    Fingerprint(Vec<String>),
    /// These trust anchors and no others, under these names. Never without names (PD-17), nor without
    /// anchors (DT-16).
    Anchored {
        /// The reference names (RFC 7672, 3.2.2).
        names: Vec<MatchName>,
        /// The anchors.
        anchors: Vec<TrustAnchorBytes>,
    },
}

impl Answer {
    /// The word of the JSON interface.
    #[must_use]
    pub fn word(&self) -> &'static str {
        match self {
            Self::NotFound | Self::None => "none",
            Self::Temp => "defer",
            Self::May => "may",
            Self::Encrypt => "encrypt",
            Self::Dane => "dane",
            Self::DaneOnly => "dane-only",
            Self::Verify(_) => "verify",
            // The level of the MTA is the same; the authorities are others.
            Self::Secure(_) | Self::Anchored { .. } => "secure",
            Self::Fingerprint(_) => "fingerprint",
        }
    }
}

/// One name of a `match=` list.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum MatchName {
    /// This host.
    Host(DomainName),
    /// Any name below this one: only where there is no host to name (DT-01s).
    Below(DomainName),
}

impl fmt::Display for MatchName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Host(name) => write!(f, "{name}"),
            Self::Below(name) => write!(f, ".{name}"),
        }
    }
}

/// One host under the verdict.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JudgedHost {
    /// Its place in the findings.
    pub index: usize,
    /// State for this profile.
    pub state: HostState,
    /// What a session owes, floor included.
    pub duty: Duty,
    /// What the MTA does.
    pub outcome: Outcome,
    /// The MTA-STS policy in force names it.
    pub listed: bool,
}

/// An answer that was not given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Loser {
    /// The answer.
    pub answer: Candidate,
    /// Why not.
    pub why: Why,
    /// The host below its duty, where that is why.
    pub host: Option<DomainName>,
}

/// Why an answer lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Why {
    /// The MTA does not know the word, or cannot keep it.
    NotUnderstood,
    /// (a) A host would come out weaker than its duty.
    WeakerThanDuty {
        /// Its place in the situation.
        host: usize,
    },
    /// No host would get mail.
    DeliversNowhere,
    /// `secure` would stand without a name to match (PD-17).
    NamesNobody,
    /// (b) DANE behind an insecure MX set is used, and this answer does not use it.
    NotHalfDane,
    /// (c) Mail would be bent away from a better host.
    BendsPreference,
    /// (d) Fewer hosts would get mail.
    DeliversFewer,
    /// (e) More would be asked than is owed.
    AsksMore,
    /// (f) It fails open where the other fails closed.
    FailsOpen,
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotUnderstood => "the MTA cannot keep it",
            Self::WeakerThanDuty { .. } => "a host would come out weaker than its duty",
            Self::DeliversNowhere => "no host would get mail",
            Self::NamesNobody => "no host owes what it says",
            Self::NotHalfDane => "it makes no use of the hosts' DANE records",
            Self::BendsPreference => "mail would be bent away from a better host",
            Self::DeliversFewer => "fewer hosts would get mail",
            Self::AsksMore => "it asks more than is owed",
            Self::FailsOpen => "equal, but it fails open where the other fails closed",
        })
    }
}
