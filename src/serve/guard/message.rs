//! One message on its way through a milter: what was seen of it, and what becomes of it at its end.

use futures_util::future::join_all;
use hoplock_policy::guard::Requirement;
use hoplock_wire::mailbox::Path;
use hoplock_wire::milter::{Change, Decision, Envelope, Header};

use super::desk::{Decided, Desk, Fate, Sending};
use super::words;
use crate::config::{DecideAt, GuardConfig, OnTrouble};

/// A message under way.
#[derive(Default)]
pub(super) struct Message {
    sending: Sending,
    /// REQUIRETLS was a parameter of MAIL, or is asked for by the field that Postfix 3.11 hands it on by.
    require_tls: bool,
    /// How many fields say `TLS-Required: No`, and how many say it otherwise.
    opts_out: (u32, u32),
    recipients: Vec<Recipient>,
}

struct Recipient {
    path: Path,
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

    /// Takes one recipient, and says what becomes of it alone.
    pub(super) async fn recipient(
        &mut self,
        desk: &Desk,
        config: &GuardConfig,
        envelope: &Envelope<'_>,
    ) -> Decision {
        let path = match envelope.path() {
            Ok(path) => path,
            Err(why) => return in_trouble(config, &why.to_string()),
        };
        if config.decide_at == DecideAt::End {
            let decided = None;
            self.recipients.push(Recipient { path, decided });
            return Decision::Continue;
        }
        let decided = desk.decide(config, &path, &self.sending).await;
        match decided.fate {
            Fate::Defer(refusal) | Fate::Reject(refusal) => Decision::Refuse(refusal),
            _ => {
                let decided = Some(decided);
                self.recipients.push(Recipient { path, decided });
                Decision::Continue
            }
        }
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
        let sending = &self.sending;
        let decisions = self.recipients.into_iter().map(|recipient| async move {
            match recipient.decided {
                Some(decided) if !demands_more => decided,
                _ => desk.decide(config, &recipient.path, sending).await,
            }
        });
        let all = join_all(decisions).await;
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

/// Fields above all others, each once; and whether the message is held.
fn changes(all: Vec<Decided>) -> Vec<Change> {
    let mut changes: Vec<Change> = Vec::new();
    let mut add = |change: Change| {
        if !changes.contains(&change) {
            changes.push(change);
        }
    };
    let mut held = None;
    for decided in all {
        match decided.fate {
            Fate::Prepend(field) => add(Change::Insert(TOP, field)),
            Fate::Hold(words) => held = held.or(Some(words)),
            _ => {}
        }
        if let Some(field) = decided.record {
            add(Change::Insert(TOP, field));
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
