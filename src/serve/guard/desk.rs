//! One recipient of a message that is handed in, from its address to what is done with it.

use std::net::IpAddr;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use futures_util::FutureExt as _;
use hoplock_policy::guard::{
    Capability, Handed, Protection, Requirement, Ruling, capability, expected,
};
use hoplock_policy::name::DomainName;
use hoplock_policy::profile::Profile;
use hoplock_policy::reason::Reason;
use hoplock_wire::delegation::Filter;
use hoplock_wire::header_field::HeaderField;
use hoplock_wire::mailbox::{Domain, Path};
use hoplock_wire::refusal::{Refusal, Words};

use super::words;
use crate::answer::{Answered, Answerer};
use crate::config::{GuardConfig, OnTrouble, Order};
use crate::metrics::Metrics;
use crate::world::Patience;

/// Decides on recipients.
pub struct Desk {
    answerer: Arc<Answerer>,
    metrics: Arc<Metrics>,
    config: ArcSwap<GuardConfig>,
}

/// Who hands a message in, and what it says of TLS.
#[derive(Clone, Debug, Default)]
pub(super) struct Sending {
    /// The reverse-path, where it could be read.
    pub(super) sender: Option<Path>,
    /// As whom the client has authenticated itself.
    pub(super) user: Option<String>,
    /// What the message says of TLS, as far as it was seen.
    pub(super) requirement: Requirement,
}

/// What is done with one recipient.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    /// Let go.
    LetGo,
    /// Refused for now.
    Defer(Refusal),
    /// Refused for good.
    Reject(Refusal),
    /// Let go, and the message waits until somebody releases it.
    Hold(Words),
    /// Let go, with words in the log.
    Warn(Words),
    /// Let go that way.
    Filter(Filter),
    /// Let go, with a field in the message.
    Prepend(HeaderField),
}

/// The fate of one recipient, and what there is to record of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Decided {
    pub(super) fate: Fate,
    /// What protects the recipient's domain, where that is to be recorded.
    pub(super) record: Option<HeaderField>,
}

/// What was found out about a destination.
pub(super) struct Found {
    pub(super) protection: Protection,
    pub(super) capability: Capability,
    /// The evidence; none where it did not come in time.
    pub(super) answered: Option<Arc<Answered>>,
}

impl Fate {
    /// True where the message goes on for this recipient.
    pub(super) fn goes_on(&self) -> bool {
        !matches!(self, Self::Defer(_) | Self::Reject(_))
    }

    /// The word for metrics.
    pub(super) fn word(&self) -> &'static str {
        match self {
            Self::LetGo => "dunno",
            Self::Defer(_) => "defer",
            Self::Reject(_) => "reject",
            Self::Hold(_) => "hold",
            Self::Warn(_) => "warn",
            Self::Filter(_) => "filter",
            Self::Prepend(_) => "prepend",
        }
    }
}

impl Desk {
    /// A desk that judges destinations by `answerer`.
    #[must_use]
    pub fn new(answerer: Arc<Answerer>, metrics: Arc<Metrics>, config: GuardConfig) -> Self {
        Self {
            answerer,
            metrics,
            config: ArcSwap::from_pointee(config),
        }
    }

    /// Puts other rules in force.
    pub fn reload(&self, config: GuardConfig) {
        self.config.store(Arc::new(config));
    }

    /// The rules in force.
    pub(super) fn config(&self) -> Arc<GuardConfig> {
        self.config.load_full()
    }

    /// Counts a connection for which there was no room.
    pub(super) fn turned_away(&self) {
        self.metrics.turned_away.inc();
    }

    /// Decides on one recipient by these rules. There is always a decision, and in time.
    pub(super) async fn decide(
        &self,
        config: &GuardConfig,
        recipient: &Path,
        sending: &Sending,
    ) -> Decided {
        let decided = self.decide_by(config, recipient, sending).await;
        self.metrics.guarded(decided.fate.word());
        decided
    }

    async fn decide_by(
        &self,
        config: &GuardConfig,
        recipient: &Path,
        sending: &Sending,
    ) -> Decided {
        let let_go = Decided {
            fate: Fate::LetGo,
            record: None,
        };
        // A mailbox of the server itself goes nowhere.
        let Some(target) = recipient.domain().and_then(Target::of) else {
            return let_go;
        };
        let sender = sending.sender.as_ref().and_then(sender);
        let handed = Handed {
            domain: target.domain.as_ref(),
            address: target.address,
            sender: sender
                .as_ref()
                .map(|(local_part, domain)| (local_part.as_str(), domain.as_ref())),
            user: sending.user.as_deref(),
            requirement: sending.requirement,
        };
        let must_know = config.guard.must_know(&handed);
        let found = if must_know || config.header.is_some() {
            Some(self.look(config, &target).await)
        } else {
            None
        };
        let known = found.as_ref();
        let is_lost = must_know && known.is_some_and(|found| found.answered.is_none());
        let ruling = config.guard.decide(
            &handed,
            known.map(|found| (found.protection, found.capability)),
        );
        let fate = match ruling {
            Ruling::RequireTls(lack) => words::require_tls(&target, lack),
            Ruling::RequireTlsLater(lack) => words::require_tls_later(&target, lack, known),
            // FT-01: whatever the rule would have said of what is not known.
            _ if is_lost && config.on_trouble == OnTrouble::Defer => words::trouble(&target),
            Ruling::LetGo => Fate::LetGo,
            Ruling::Order(order) => by_order(order, &target, known),
        };
        self.log(&fate, &target, sending);
        let record = config.header.as_deref().zip(known);
        Decided {
            record: record.and_then(|(name, found)| words::record(name, &target, found)),
            fate,
        }
    }

    /// What protects a destination, as far as that can be known in time.
    async fn look(&self, config: &GuardConfig, target: &Target) -> Found {
        let unknown = Found {
            protection: Protection::Unknown,
            capability: Capability::Unknown,
            answered: None,
        };
        let Some(own) = self.answerer.profile(&config.profile) else {
            return unknown;
        };
        let profile = Profile {
            deadline: own.deadline.min(config.deadline),
            ..(*own).clone()
        };
        let answering = self.answerer.answer(&target.key, &profile);
        // FT-04: a fault in one lookup is that lookup's alone.
        let answering = AssertUnwindSafe(answering).catch_unwind();
        let patience = Patience::of(config.deadline + GRACE);
        let Some(Ok(answered)) = patience.wait(answering).await else {
            return unknown;
        };
        let verdict = &answered.verdict;
        if matches!(
            verdict.reason,
            Reason::Deadline | Reason::Busy | Reason::Internal
        ) {
            return unknown;
        }
        Found {
            protection: expected(verdict, profile.floor),
            capability: capability(verdict, answered.findings.as_deref()),
            answered: Some(answered),
        }
    }

    fn log(&self, fate: &Fate, target: &Target, sending: &Sending) {
        let user = sending.user.as_deref().unwrap_or_default().escape_debug();
        let domain = &target.shown;
        match fate {
            Fate::Defer(refusal) | Fate::Reject(refusal) => {
                tracing::info!(%domain, %user, "a message is refused at submission: {refusal}");
            }
            Fate::Hold(words) => tracing::info!(%domain, %user, "a message is held: {words}"),
            Fate::Warn(words) => tracing::warn!(%domain, %user, "{words}"),
            Fate::LetGo | Fate::Filter(_) | Fate::Prepend(_) => {}
        }
    }
}

/// Where a recipient's mail goes.
pub(super) struct Target {
    /// The key that a policy is asked by.
    key: String,
    /// The domain, if it has a name.
    pub(super) domain: Option<DomainName>,
    address: Option<IpAddr>,
    /// In words for people.
    pub(super) shown: String,
}

impl Target {
    /// `None` where no mail server could find out where that is.
    fn of(domain: &Domain) -> Option<Self> {
        match domain {
            Domain::Name(text) => {
                let name = DomainName::parse(text).ok()?;
                Some(Self {
                    key: name.to_string(),
                    shown: name.to_string(),
                    domain: Some(name),
                    address: None,
                })
            }
            Domain::Literal(text) => {
                // RFC 5321, 4.1.3: the tag stands before IPv6 addresses.
                let tagged = text
                    .get(..5)
                    .filter(|tag| tag.eq_ignore_ascii_case("ipv6:"));
                let bare = tagged.map_or(text.as_str(), |tag| text.get(tag.len()..).unwrap_or(""));
                let address: IpAddr = bare.parse().ok()?;
                Some(Self {
                    key: format!("[{text}]"),
                    shown: format!("[{address}]"),
                    domain: None,
                    address: Some(address),
                })
            }
        }
    }
}

/// Local part and domain of a sender; `None` for `<>`.
fn sender(path: &Path) -> Option<(String, Option<DomainName>)> {
    let Path::Mailbox(mailbox) = path else {
        return None;
    };
    let domain = match &mailbox.domain {
        Some(Domain::Name(name)) => DomainName::parse(name).ok(),
        Some(Domain::Literal(_)) | None => None,
    };
    Some((mailbox.local_part.clone(), domain))
}

fn by_order(order: &Order, target: &Target, found: Option<&Found>) -> Fate {
    match order {
        Order::Dunno => Fate::LetGo,
        Order::Defer(text) => words::defer(&words::said(text, target, found)),
        Order::Reject(text) => words::reject(&words::said(text, target, found)),
        Order::Hold(text) => Fate::Hold(Words::new(&words::said(text, target, found))),
        Order::Warn(text) => Fate::Warn(Words::new(&words::said(text, target, found))),
        Order::Filter(way) => Fate::Filter(way.clone()),
        Order::Prepend(field) => Fate::Prepend(field.clone()),
    }
}

/// Lookups end at the deadline; this is for what comes after.
const GRACE: Duration = Duration::from_millis(300);
