//! The operator's rules: which of them is in force for a destination, and what it orders.

use crate::{Duty, Level, Name, Rule};

plain_data! {
    /// A rule: for which destinations, what it orders, and the second from which it is void.
    pub struct Entry { pub pattern: Pattern, pub order: Order, pub expires: Option<u64> }
    /// One destination; those below a name, without the name itself; all.
    pub enum Pattern { Exact(Name), Below(Name), All }
    /// What a rule orders (OP-03, OP-05): nothing; the same, with notes of what would have failed;
    /// the law as it is; nothing but DANE over a secure MX set, and what to do where there are no
    /// usable records (`on_insecure`: also where they are absent for want of signatures); or one
    /// answer, whatever DNS says.
    pub enum Order { Off, Audit, Opportunistic, Mandatory { fallback: Fallback, on_insecure: bool },
        Pinned { level: Level, matches: Vec<String>, tafile: Option<String> } }
    /// The four strategies of PD-09, with what the operator configured for two of them.
    pub enum Fallback { Defer, Fingerprint(Vec<String>), Secure(Vec<Name>), Encrypt }
}

/// The order in force: exact name beats suffix (the longer one first), suffix beats all (OP-01).
pub fn order_for(entries: &[Entry], next_hop: &str, now: u64) -> Option<Order> {
    let rank = |entry: &Entry| match &entry.pattern {
        Pattern::Exact(name) => (name == next_hop).then_some(usize::MAX),
        Pattern::Below(top) => next_hop.ends_with(&format!(".{top}")).then_some(top.len()),
        Pattern::All => Some(0),
    };
    let lives = |entry: &&Entry| entry.expires.is_none_or(|end| now < end); // OP-05
    let ranked = entries.iter().filter(lives).filter_map(|entry| Some((rank(entry)?, entry)));
    ranked.max_by_key(|(rank, _)| *rank).map(|(_, entry)| entry.order.clone())
}

impl From<Rule> for Order {
    fn from(rule: Rule) -> Self {
        match rule {
            Rule::None => Self::Opportunistic,
            Rule::Off => Self::Off,
            Rule::Mandatory => Self::Mandatory { fallback: Fallback::Defer, on_insecure: false },
        }
    }
}

impl Order {
    /// The least that a host owes where the operator has said what to do; none: the law says it.
    /// `absent`: that there are no usable records is established, so that a fallback fires.
    pub(crate) fn duty(&self, absent: bool) -> Option<Duty> {
        match self {
            Self::Off | Self::Audit => Some(Duty::Free), // OP-03
            Self::Opportunistic => None,
            Self::Mandatory { fallback, .. } if absent => Some(match fallback {
                Fallback::Defer => Duty::Refuse,
                Fallback::Fingerprint(_) => Duty::Dane, // no host is known to have those keys
                Fallback::Secure(_) => Duty::OwnNames,
                Fallback::Encrypt => Duty::Encrypt,
            }),
            Self::Mandatory { .. } => None,
            // PD-01: the operator's word comes first, also where it is a weak one
            Self::Pinned { level, .. } => Some(match level {
                Level::May | Level::Dane => Duty::Free,
                Level::Encrypt => Duty::Encrypt,
                Level::Verify | Level::Secure => Duty::OwnNames,
                Level::DaneOnly | Level::Fingerprint => Duty::Dane,
            }),
        }
    }
}
