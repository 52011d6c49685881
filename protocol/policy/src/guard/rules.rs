//! The operator's rules for messages that are handed in, and which of them counts.

use std::fmt;
use std::net::IpAddr;

use super::protection::Protection;
use super::requiretls::{Capability, Lack, OnRequireTls, Requirement};
use crate::name::DomainName;
use crate::rules::RulePattern;

/// All rules, with orders of type `A`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Guard<A> {
    /// In the order in which they are written; the first that fits counts.
    pub rules: Vec<GuardRule<A>>,
    /// What is done where REQUIRETLS cannot be kept.
    pub requiretls: OnRequireTls,
}

/// One rule. A condition without values fits everything.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GuardRule<A> {
    /// Where the message goes to.
    pub recipients: Vec<RulePattern>,
    /// Whom it comes from.
    pub senders: Vec<SenderPattern>,
    /// As whom the client has authenticated itself, exactly.
    pub users: Vec<String>,
    /// What protects it on its way.
    pub protection: Vec<Protection>,
    /// What is done.
    pub action: A,
}

/// Senders that a rule is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SenderPattern {
    /// `<>`: notifications.
    Null,
    /// One mailbox. Local parts are compared without case, since nearly no server tells them apart.
    Mailbox(String, DomainName),
    /// All at this domain.
    Domain(DomainName),
    /// All at domains below this one.
    Below(DomainName),
}

/// One recipient of a message that is handed in.
#[derive(Clone, Copy, Debug)]
pub struct Handed<'a> {
    /// The recipient's domain; none for an address literal.
    pub domain: Option<&'a DomainName>,
    /// The recipient's address literal.
    pub address: Option<IpAddr>,
    /// The sender's local part; none for `<>`.
    pub sender: Option<(&'a str, Option<&'a DomainName>)>,
    /// The name by which the client authenticated itself.
    pub user: Option<&'a str>,
    /// What the message says of TLS.
    pub requirement: Requirement,
}

/// What is done with one recipient.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ruling<'a, A> {
    /// No rule is for it: it is let go.
    LetGo,
    /// A rule's order.
    Order(&'a A),
    /// REQUIRETLS cannot be kept: refuse for good.
    RequireTls(Lack),
    /// REQUIRETLS cannot be kept, or nobody knows whether: refuse for now.
    RequireTlsLater(Option<Lack>),
}

impl<A> Guard<A> {
    /// True where what is done depends on what protects the destination: only then it must be looked up.
    #[must_use]
    pub fn must_know(&self, handed: &Handed<'_>) -> bool {
        let demands = handed.requirement == Requirement::RequireTls
            && self.requiretls != OnRequireTls::Ignore;
        let first = self.rules.iter().find(|rule| rule.fits(handed));
        demands || first.is_some_and(|rule| !rule.protection.is_empty())
    }

    /// What is done, where the destination is protected like that. `known` is `None` only where
    /// [`Guard::must_know`] says that nothing depends on it.
    #[must_use]
    pub fn decide(
        &self,
        handed: &Handed<'_>,
        known: Option<(Protection, Capability)>,
    ) -> Ruling<'_, A> {
        if handed.requirement == Requirement::RequireTls {
            let capability = known.map_or(Capability::Unknown, |(_, capability)| capability);
            match (self.requiretls, capability) {
                (OnRequireTls::Ignore, _) | (_, Capability::Capable) => {}
                // RQ-05: only what is established is refused for good.
                (OnRequireTls::Reject, Capability::Lacking(lack)) => {
                    return Ruling::RequireTls(lack);
                }
                (OnRequireTls::Defer, Capability::Lacking(lack)) => {
                    return Ruling::RequireTlsLater(Some(lack));
                }
                (_, Capability::Some | Capability::Unknown) => {
                    return Ruling::RequireTlsLater(None);
                }
            }
        }
        let protection = known.map(|(protection, _)| protection);
        let fits = |rule: &&GuardRule<A>| {
            rule.fits(handed)
                && (rule.protection.is_empty()
                    || protection.is_some_and(|own| rule.protection.contains(&own)))
        };
        let found = self.rules.iter().find(fits);
        found.map_or(Ruling::LetGo, |rule| Ruling::Order(&rule.action))
    }
}

impl<A> GuardRule<A> {
    /// True where the rule is for such a recipient, if it is protected as the rule says.
    fn fits(&self, handed: &Handed<'_>) -> bool {
        let is_for = |pattern: &RulePattern| match (pattern, handed.address) {
            (RulePattern::Address(own), address) => address == Some(*own),
            (RulePattern::Any, _) => true,
            (pattern, _) => handed.domain.is_some_and(|name| pattern.covers(name)),
        };
        let recipient = self.recipients.is_empty() || self.recipients.iter().any(is_for);
        let is_from = |pattern: &SenderPattern| pattern.fits(handed.sender);
        let sender = self.senders.is_empty() || self.senders.iter().any(is_from);
        let is_user = |own: &String| handed.user == Some(own.as_str());
        let user = self.users.is_empty() || self.users.iter().any(is_user);
        recipient && sender && user
    }
}

impl SenderPattern {
    fn fits(&self, sender: Option<(&str, Option<&DomainName>)>) -> bool {
        match (self, sender) {
            (Self::Null, sender) => sender.is_none(),
            (Self::Mailbox(local_part, domain), Some((own, Some(at)))) => {
                own.to_lowercase() == *local_part && at == domain
            }
            (Self::Domain(domain), Some((_, Some(at)))) => at == domain,
            (Self::Below(domain), Some((_, Some(at)))) => {
                RulePattern::Suffix(domain.clone()).covers(at)
            }
            _ => false,
        }
    }
}

impl fmt::Display for SenderPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Null => f.write_str("<>"),
            Self::Mailbox(local_part, domain) => write!(f, "{local_part}@{domain}"),
            Self::Domain(domain) => write!(f, "{domain}"),
            Self::Below(domain) => write!(f, ".{domain}"),
        }
    }
}
