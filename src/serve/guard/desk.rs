//! One recipient of a message that is handed in, from its address to what is done with it.

use std::net::IpAddr;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use arc_swap::ArcSwap;
use futures_util::FutureExt as _;
use hoplock_policy::guard::{
    Capability, Handed, OnRequireTls, Protection, Requirement, Ruling, expected,
};
use hoplock_policy::name::DomainName;
use hoplock_policy::next_hop::{NextHop, escaped};
use hoplock_policy::reason::Reason;
use hoplock_policy::rules::RulePattern;
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

/// Whom a message goes to.
#[derive(Clone, Debug)]
pub(super) struct Recipient {
    /// The forward-path.
    pub(super) path: Path,
    /// Where the mail server says that it will send this, if it says so.
    pub(super) route: Option<Route>,
}

/// Where a mail server sends a recipient's mail.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Route {
    /// It keeps it, or does not deliver it by SMTP at all.
    Stays,
    /// To this next hop.
    Leaves(String),
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
        recipient: &Recipient,
        sending: &Sending,
    ) -> Decided {
        let decided = self.decide_by(config, recipient, sending).await;
        self.metrics.guarded(decided.fate.word());
        decided
    }

    /// What is done where the deadline of a whole message ends before it is a recipient's turn.
    pub(super) fn too_late(&self, config: &GuardConfig, sending: &Sending) -> Decided {
        let demands = sending.requirement == Requirement::RequireTls
            && config.guard.requiretls != OnRequireTls::Ignore;
        let fate = if demands || config.on_trouble == OnTrouble::Defer {
            words::trouble("all recipients")
        } else {
            Fate::LetGo
        };
        self.metrics.guarded(fate.word());
        Decided { fate, record: None }
    }

    async fn decide_by(
        &self,
        config: &GuardConfig,
        recipient: &Recipient,
        sending: &Sending,
    ) -> Decided {
        let let_go = Decided {
            fate: Fate::LetGo,
            record: None,
        };
        // A mailbox of the server itself goes nowhere.
        let Some(target) = Target::of(recipient, config.by_next_hop) else {
            return let_go;
        };
        let is_own = |own: &RulePattern| match &target.domain {
            Some(name) => own.covers(name),
            None => false,
        };
        if config.own_domains.iter().any(is_own) {
            return let_go;
        }
        let sender = sender(sending.sender.as_ref());
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
            Some(self.look(config, &target, sending.requirement).await)
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
            _ if is_lost && config.on_trouble == OnTrouble::Defer => words::trouble(&target.shown),
            Ruling::LetGo => Fate::LetGo,
            // FT-01: the rule before this one may have been for it. What is refused for good is so for what
            // was found.
            Ruling::Order(Order::Reject(text))
                if known.is_some_and(|found| found.protection == Protection::Unknown)
                    && must_know =>
            {
                words::defer(&words::said(text, &target, known))
            }
            Ruling::Order(order) => by_order(order, &target, known),
        };
        self.log(&fate, recipient, sending);
        let record = config.header.as_deref().zip(known);
        Decided {
            record: record.and_then(|(name, found)| words::record(name, &target, found)),
            fate,
        }
    }

    /// What protects a destination, as far as that can be known in time.
    async fn look(&self, config: &GuardConfig, target: &Target, requirement: Requirement) -> Found {
        let unknown = Found {
            protection: Protection::Unknown,
            capability: Capability::Unknown,
            answered: None,
        };
        let Some(own) = self.answerer.profile(&config.profile) else {
            return unknown;
        };
        // RFC 8689, 4.2.2: it will go as if the destination had published nothing.
        let profile = match requirement {
            Requirement::OptsOut => Arc::new(own.opting_out()),
            Requirement::Ordinary | Requirement::RequireTls => own,
        };
        let answering = self.answerer.answer(&target.key, &profile);
        // FT-04: a fault in one lookup is that lookup's alone.
        let answering = AssertUnwindSafe(answering).catch_unwind();
        // The lookups take the time that delivery gives them, and are there for it then.
        let patience = Patience::of(config.deadline);
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
            protection: expected(verdict, answered.findings.as_deref(), &profile),
            capability: self.answerer.capability(&answered),
            answered: Some(answered),
        }
    }

    fn log(&self, fate: &Fate, recipient: &Recipient, sending: &Sending) {
        let user = sending.user.as_deref().unwrap_or_default().escape_debug();
        let from = sending.sender.as_ref().map(shown).unwrap_or_default();
        let to = shown(&recipient.path);
        match fate {
            Fate::Defer(refusal) | Fate::Reject(refusal) => {
                tracing::info!(%from, %to, %user, "refused at submission: {refusal}");
            }
            Fate::Hold(words) => tracing::info!(%from, %to, %user, "held at submission: {words}"),
            Fate::Warn(words) => tracing::warn!(%from, %to, %user, "at submission: {words}"),
            Fate::LetGo | Fate::Filter(_) | Fate::Prepend(_) => {}
        }
    }
}

/// ID-04: an address in a log.
fn shown(path: &Path) -> String {
    match path {
        Path::Null => "<>".to_owned(),
        Path::Mailbox(mailbox) => {
            let domain = mailbox.domain.as_ref().map(|domain| format!("@{domain}"));
            let address = format!("{}{}", mailbox.local_part, domain.unwrap_or_default());
            address.escape_debug().to_string()
        }
    }
}

/// Where a recipient's mail goes.
pub(super) struct Target {
    /// The next hop, as the mail server asks for its policy.
    key: String,
    /// The recipient's domain, if it has a name.
    pub(super) domain: Option<DomainName>,
    /// The recipient's address literal.
    address: Option<IpAddr>,
    /// The recipient's domain, in words for people.
    pub(super) shown: String,
}

impl Target {
    /// `None` where the mail does not leave, or no mail server could find out where that is.
    fn of(recipient: &Recipient, by_next_hop: bool) -> Option<Self> {
        let own = match recipient.path.domain() {
            Some(Domain::Name(text)) => DomainName::parse(text).ok().map(|name| name.to_string()),
            Some(Domain::Literal(text)) => Some(format!("[{text}]")),
            None => None,
        };
        let key = match (&recipient.route, &own) {
            (Some(Route::Stays), _) | (None, None) => return None,
            (_, Some(own)) if !by_next_hop => own.clone(),
            // What could not be read is where the mail server sends it.
            (Some(Route::Leaves(next_hop)), _) => next_hop.clone(),
            (None, Some(own)) => own.clone(),
        };
        let own = own.unwrap_or_else(|| key.clone());
        let parsed = NextHop::parse(&own);
        Some(Self {
            address: match &parsed {
                NextHop::NotADomain(what) => what.address(),
                _ => None,
            },
            domain: parsed.name().cloned(),
            shown: format!("{}", escaped(&own)),
            key,
        })
    }
}

/// Local part and domain of a sender; `None` for `<>`. One that could not be read is nobody's.
fn sender(path: Option<&Path>) -> Option<(String, Option<DomainName>)> {
    let mailbox = match path {
        Some(Path::Null) => return None,
        None => return Some((String::new(), None)),
        Some(Path::Mailbox(mailbox)) => mailbox,
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
