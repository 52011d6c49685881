//! One message on its way through a milter: what was seen of it, and what becomes of it at its end.

use std::collections::BTreeSet;
use std::time::Duration;

use futures_util::stream::{self, StreamExt as _};
use hoplock_policy::guard::Requirement;
use hoplock_wire::header_field::HeaderField;
use hoplock_wire::mailbox::Path;
use hoplock_wire::milter::{Change, Decision, Envelope, Header};

use super::desk::{Decided, Desk, Fate, Recipient, Route, Sending};
use super::words;
use crate::config::{DecideAt, GuardConfig, OnTrouble};
use crate::world::Patience;

/// A message under way.
#[derive(Default)]
pub(super) struct Message {
    sending: Sending,
    /// REQUIRETLS was a parameter of MAIL, or is asked for by the field that Postfix 3.11 hands it on by.
    require_tls: bool,
    /// How many fields say `TLS-Required: No`, and how many say it otherwise.
    opts_out: (u32, u32),
    recipients: Vec<Accepted>,
}

/// What a mail server makes of a recipient's address, as far as it says so.
#[derive(Clone, Debug, Default)]
pub(super) struct Resolved {
    /// The address that it delivers to.
    pub(super) path: Option<Path>,
    /// Where it sends that.
    pub(super) route: Option<Route>,
}

struct Accepted {
    recipient: Recipient,
    /// None where it is decided at the end.
    decided: Option<Decided>,
}

impl Message {
    /// A message that begins, from a client that authenticated itself like that.
    pub(super) fn from(envelope: &Envelope<'_>, user: Option<String>) -> Self {
        let require_tls = envelope.argument("REQUIRETLS").is_some();
        Self {
            sending: Sending {
                sender: envelope.path().ok(),
                user,
                requirement: Requirement::of(require_tls, false),
            },
            require_tls,
            ..Self::default()
        }
    }

    /// Takes one recipient, of whom the mail server makes that, and says what becomes of it alone.
    pub(super) async fn recipient(
        &mut self,
        desk: &Desk,
        config: &GuardConfig,
        envelope: &Envelope<'_>,
        Resolved { path, route }: Resolved,
    ) -> Decision {
        let path = match (path, envelope.path(), &route) {
            (Some(path), ..) | (None, Ok(path), _) => path,
            // The mail server has understood it.
            (None, Err(_), Some(_)) => Path::Null,
            (None, Err(why), None) => return in_trouble(config, &why.to_string()),
        };
        let recipient = Recipient { path, route };
        if config.decide_at == DecideAt::End {
            return self.accept(recipient, None);
        }
        let decided = desk.decide(config, &recipient, &self.sending).await;
        match decided.fate {
            Fate::Defer(refusal) | Fate::Reject(refusal) => Decision::Refuse(refusal),
            _ => self.accept(recipient, Some(decided)),
        }
    }

    fn accept(&mut self, recipient: Recipient, decided: Option<Decided>) -> Decision {
        if self.recipients.len() >= RECIPIENTS {
            return match words::too_many() {
                Fate::Defer(refusal) => Decision::Refuse(refusal),
                _ => Decision::TempFail,
            };
        }
        self.recipients.push(Accepted { recipient, decided });
        Decision::Continue
    }

    /// Looks at one field of the header.
    pub(super) fn field(&mut self, field: &Header<'_>) {
        if field.is(OPTS_OUT) {
            let (no, other) = &mut self.opts_out;
            // RFC 8689, 3: "No" is the only value there is.
            if field.trimmed().eq_ignore_ascii_case(b"no") {
                *no += 1;
            } else {
                *other += 1;
            }
        }
        if field.is(DEMANDS) && field.trimmed().eq_ignore_ascii_case(b"yes") {
            self.require_tls = true;
        }
    }

    /// What becomes of the message, and how it is changed where it goes on.
    pub(super) async fn end(
        mut self,
        desk: &Desk,
        config: &GuardConfig,
    ) -> (Decision, Vec<Change>) {
        // RFC 8689, 3: the field stands once.
        let opts_out = self.opts_out == (1, 0);
        let requirement = Requirement::of(self.require_tls, opts_out);
        // What was decided at RCPT stands, unless the header demands more.
        let demands_more = requirement == Requirement::RequireTls
            && self.sending.requirement != Requirement::RequireTls;
        self.sending.requirement = requirement;
        let all = decide_all(desk, config, self.recipients, &self.sending, demands_more).await;
        // One answer for all: what is refused for good says most.
        let mut refusals: Vec<&Fate> = all
            .iter()
            .map(|decided| &decided.fate)
            .filter(|fate| !fate.goes_on())
            .collect();
        refusals.sort_by_key(|fate| matches!(fate, Fate::Defer(_)));
        if let Some(Fate::Defer(refusal) | Fate::Reject(refusal)) = refusals.first() {
            return (Decision::Refuse(refusal.clone()), Vec::new());
        }
        (Decision::Continue, changes(all))
    }
}

/// The fates of all recipients, within the deadline of one.
async fn decide_all(
    desk: &Desk,
    config: &GuardConfig,
    recipients: Vec<Accepted>,
    sending: &Sending,
    anew: bool,
) -> Vec<Decided> {
    let patience = Patience::of(config.deadline + GRACE);
    let decisions = recipients.into_iter().map(|accepted| async move {
        match accepted.decided {
            Some(decided) if !anew => decided,
            _ => {
                let deciding = desk.decide(config, &accepted.recipient, sending);
                let in_time = patience.wait(deciding).await;
                in_time.unwrap_or_else(|| desk.too_late(config, sending))
            }
        }
    });
    stream::iter(decisions).buffered(AT_ONCE).collect().await
}

/// Fields above all others, each once; and whether the message is held.
fn changes(all: Vec<Decided>) -> Vec<Change> {
    let (mut changes, mut known) = (Vec::new(), BTreeSet::new());
    let mut add = |field: HeaderField| {
        // The first of them will do for whoever looks.
        if known.len() < FIELDS && known.insert(field.to_string()) {
            changes.push(Change::Insert(TOP, field));
        }
    };
    let mut held = None;
    for decided in all {
        match decided.fate {
            Fate::Prepend(field) => add(field),
            Fate::Hold(words) => held = held.or(Some(words)),
            _ => {}
        }
        if let Some(field) = decided.record {
            add(field);
        }
    }
    changes.extend(held.map(Change::Quarantine));
    changes
}

/// What cannot be read.
fn in_trouble(config: &GuardConfig, why: &str) -> Decision {
    match config.on_trouble {
        OnTrouble::Dunno => Decision::Continue,
        OnTrouble::Defer => match words::unreadable(why) {
            Fate::Defer(refusal) => Decision::Refuse(refusal),
            _ => Decision::TempFail,
        },
    }
}

/// RFC 8689, 3.
const OPTS_OUT: &str = "TLS-Required";
/// Postfix 3.11, REQUIRETLS_README: how REQUIRETLS goes through what speaks no ESMTP.
const DEMANDS: &str = "Require-TLS-ESMTP";
/// Above all others.
const TOP: u32 = 0;
/// Recipients of one message: mail servers have at most so many (`smtpd_recipient_limit` of Postfix, 1000).
const RECIPIENTS: usize = 1000;
/// Recipients looked at together.
const AT_ONCE: usize = 16;
/// Fields that are added to one message.
const FIELDS: usize = 100;
/// For what comes after the last lookup.
const GRACE: Duration = Duration::from_millis(300);
