//! REQUIRETLS and `TLS-Required: No` (RFC 8689): what a message demands, or does without.

use crate::findings::{Findings, MxFinding, StsFinding, Validation};
use crate::law::outcome::Outcome;
use crate::law::rows::Row;
use crate::law::{Answer, Verdict};
use crate::reason::Reason;
use crate::sts::StsMode;

/// What the sender says of TLS for one message.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Requirement {
    /// Nothing: what the destination publishes counts.
    #[default]
    Ordinary,
    /// `TLS-Required: No`: it is to arrive, whatever the destination publishes (RFC 8689, 3).
    OptsOut,
    /// REQUIRETLS: over authenticated TLS, or back to the sender (RFC 8689, 2).
    RequireTls,
}

impl Requirement {
    /// RFC 8689, 4.2.2: where both stand in one message, REQUIRETLS counts.
    #[must_use]
    pub fn of(require_tls: bool, tls_required_no: bool) -> Self {
        match (require_tls, tls_required_no) {
            (true, _) => Self::RequireTls,
            (false, true) => Self::OptsOut,
            (false, false) => Self::Ordinary,
        }
    }
}

/// What is done with a message whose REQUIRETLS cannot be kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum OnRequireTls {
    /// Refused for good (RFC 8689, 4.2.1).
    #[default]
    Reject,
    /// Refused for now.
    Defer,
    /// Let go, as if it had not been said.
    Ignore,
}

/// Whether a message with REQUIRETLS can go to a destination (RFC 8689, 4.2.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Capability {
    /// Each host that may be used is found by a secure way and authenticated. Whether it announces
    /// REQUIRETLS itself is seen in the session alone.
    Capable,
    /// Some hosts are like that, and others may be used: whoever keeps to it in each session delivers, and
    /// whoever does not may fail the message. Refuse for now at most.
    Some,
    /// No host is: the message may be refused for good (RQ-05).
    Lacking(Lack),
    /// A lookup failed, nothing is validated, the operator lets go for a while, or the mail waits anyway:
    /// refuse for now at most.
    Unknown,
}

/// Why a destination cannot keep REQUIRETLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lack {
    /// It has no host to deliver to.
    NoHosts,
    /// A host may be used that is not authenticated.
    Unauthenticated,
    /// The hosts are authenticated, and nothing secures that they are the right ones: the MX lookup is
    /// insecure, and no MTA-STS policy is enforced that names them.
    InsecureMx,
    /// The policy is in testing mode, whatever the operator makes of it.
    Testing,
    /// A rule of the operator stands in the place of what the destination publishes.
    ByRule,
}

impl Lack {
    /// In words for people.
    #[must_use]
    pub fn words(self) -> &'static str {
        match self {
            Self::NoHosts => "the destination has no mail host",
            Self::Unauthenticated => "no host of the destination can be authenticated",
            Self::InsecureMx => "nothing secures which hosts the destination has",
            Self::Testing => "the MTA-STS policy of the destination is in testing mode",
            Self::ByRule => "a rule stands in the place of what the destination publishes",
        }
    }
}

/// What `verdict`, which rests on `findings`, means for a message with REQUIRETLS (RQ-04), where the resolver
/// was seen like that.
#[must_use]
pub fn capability(
    verdict: &Verdict,
    findings: Option<&Findings>,
    validation: Validation,
) -> Capability {
    // What the operator sets aside for a while says nothing of the destination (OP-03).
    if verdict.answer == Answer::Temp || verdict.hands_off() {
        return Capability::Unknown;
    }
    if verdict.row == Row::Rule || verdict.reason == Reason::RuleFallback {
        return Capability::Lacking(Lack::ByRule);
    }
    let Some(findings) = findings else {
        return Capability::Unknown;
    };
    // RQ-05: what could not be looked up, or not be proved, may be what is missing.
    let is_known = !findings.has_failure() && validation != Validation::NotValidating;
    let lacking = |lack| match is_known {
        true => Capability::Lacking(lack),
        false => Capability::Unknown,
    };
    let used: Vec<Outcome> = verdict
        .hosts
        .iter()
        .map(|host| host.outcome)
        .filter(|outcome| *outcome != Outcome::Skip)
        .collect();
    let missing: Vec<Lack> = used
        .iter()
        .filter_map(|outcome| lack(*outcome, findings))
        .collect();
    match missing.first() {
        // MX-06: the MTA may see hosts where we see none, and holds them to this.
        None if used.is_empty() && matches!(verdict.answer, Answer::Secure(_)) => {
            Capability::Unknown
        }
        None if used.is_empty() => lacking(Lack::NoHosts),
        None => Capability::Capable,
        Some(_) if missing.len() < used.len() => Capability::Some,
        Some(lack) => lacking(*lack),
    }
}

/// What keeps a host that is used like that from keeping REQUIRETLS.
fn lack(outcome: Outcome, findings: &Findings) -> Option<Lack> {
    match outcome {
        // RFC 7672, 2.2.1: behind an insecure MX set records say nothing of the destination (PD-07).
        Outcome::Dane if is_secure(findings) => None,
        // The MTA's own names: whoever chooses the hosts can have a certificate for them.
        Outcome::Dane | Outcome::OwnWebPki => Some(Lack::InsecureMx),
        // RFC 8461, 5: in testing mode nobody has promised anything.
        Outcome::WebPki if is_enforced(findings) => None,
        Outcome::WebPki => Some(Lack::Testing),
        Outcome::Skip | Outcome::Clear | Outcome::Encrypt => Some(Lack::Unauthenticated),
    }
}

fn is_secure(findings: &Findings) -> bool {
    match &findings.mx {
        MxFinding::Hosts(selection) => selection.status() == crate::dns::SecurityStatus::Secure,
        MxFinding::NoHosts { .. } | MxFinding::Failed(_) => false,
    }
}

fn is_enforced(findings: &Findings) -> bool {
    match &findings.sts {
        StsFinding::Policy { remembered, .. } => remembered.policy.mode == StsMode::Enforce,
        _ => false,
    }
}
