//! One connection of Postfix's SMTP server that asks about recipients: requests in, actions out, in order.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use hoplock_policy::guard::Requirement;
use hoplock_policy::name::DomainName;
use hoplock_wire::delegation::{Action, BadRequest, Decoder, ProtocolState, Request};
use hoplock_wire::mailbox::{Domain, Path};
use hoplock_wire::refusal::{EnhancedStatus, Words};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::time::timeout;

use super::desk::{self, Decided, Desk, Fate, Sending};
use super::words;
use crate::config::{GuardConfig, OnTrouble};
use crate::serve::connections::Seat;

/// Serves one connection until it ends, is idle for too long, or the daemon drains.
pub(super) async fn converse<S>(mut stream: S, desk: Arc<Desk>, seat: Seat)
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let mut conversation = Conversation::new(&desk);
    let mut input = Vec::new();
    loop {
        seat.rests();
        let read = tokio::select! {
            () = seat.is_closed() => return,
            read = timeout(IDLE, stream.read_buf(&mut input)) => read,
        };
        seat.works();
        if !matches!(read, Ok(Ok(1..))) {
            return;
        }
        while let Some(action) = conversation.next(&mut input).await {
            let written = timeout(IDLE, stream.write_all(&action.encode())).await;
            if !matches!(written, Ok(Ok(()))) {
                return;
            }
        }
    }
}

/// What is known of a connection beside its bytes.
struct Conversation<'a> {
    desk: &'a Desk,
    decoder: Decoder,
    /// The message that was asked about last.
    instance: String,
    /// The fields that it was told to have: one for each domain is enough.
    recorded: BTreeSet<String>,
}

impl<'a> Conversation<'a> {
    fn new(desk: &'a Desk) -> Self {
        Self {
            desk,
            decoder: Decoder::new(),
            instance: String::new(),
            recorded: BTreeSet::new(),
        }
    }

    /// The answer to the next request at the front of `input`, which is taken off; `None` where there is
    /// none yet.
    async fn next(&mut self, input: &mut Vec<u8>) -> Option<Action> {
        let step = self.decoder.decode(input);
        let consumed = step.consumed;
        let action = match step.found {
            None => None,
            Some(Err(why)) => Some(self.unreadable(why)),
            Some(Ok(request)) => {
                let asked = Asked::of(&request);
                input.drain(..consumed);
                return Some(self.answer(asked).await);
            }
        };
        input.drain(..consumed);
        action
    }

    fn unreadable(&self, why: BadRequest) -> Action {
        tracing::info!(%why, "a request of policy delegation cannot be read");
        self.in_trouble(&why.to_string())
    }

    fn in_trouble(&self, why: &str) -> Action {
        match self.desk.config().on_trouble {
            OnTrouble::Dunno => Action::Dunno,
            OnTrouble::Defer => action(words::unreadable(why)),
        }
    }

    async fn answer(&mut self, asked: Asked) -> Action {
        let recipient = match asked.recipient {
            Recipient::None => return Action::Dunno,
            Recipient::Unreadable(why) => return self.in_trouble(&why),
            // Postfix does not say where it will send this.
            Recipient::Is(path) => desk::Recipient { path, route: None },
        };
        if asked.instance.is_empty() || asked.instance != self.instance {
            self.recorded.clear();
            self.instance = asked.instance;
        }
        let config = self.desk.config();
        if is_rewritten(&recipient.path, &config) {
            return self.in_trouble(REWRITTEN);
        }
        let decided = self.desk.decide(&config, &recipient, &asked.sending);
        let Decided { fate, record } = decided.await;
        match (fate, record) {
            // access(5) knows one action in an answer.
            (Fate::LetGo, Some(field)) if self.recorded.insert(field.value().to_owned()) => {
                Action::Prepend(field)
            }
            (fate, _) => action(fate),
        }
    }
}

/// What a request asks, apart from its bytes.
struct Asked {
    recipient: Recipient,
    sending: Sending,
    instance: String,
}

enum Recipient {
    /// None that could be decided on.
    None,
    /// One that is no address.
    Unreadable(String),
    /// This one.
    Is(Path),
}

impl Asked {
    fn of(request: &Request<'_>) -> Self {
        let recipient = match request.recipient_path() {
            // Behind RCPT nothing can be done for one recipient any more.
            _ if request.protocol_state != ProtocolState::Rcpt => Recipient::None,
            Ok(None) => Recipient::None,
            Ok(Some(path)) => Recipient::Is(path),
            Err(why) => Recipient::Unreadable(why.to_string()),
        };
        Self {
            recipient,
            sending: Sending {
                sender: request.sender_path().ok(),
                user: request.sasl_username.as_deref().map(str::to_owned),
                // Postfix tells neither a parameter of MAIL nor a header field.
                requirement: Requirement::Ordinary,
            },
            instance: request.instance.as_deref().unwrap_or_default().to_owned(),
        }
    }
}

/// Where the domain is its own, or none is there, Postfix makes another address of `user%domain` and
/// `domain!user` before it delivers (`allow_percent_hack`, `swap_bangpath`), and does not say which. Elsewhere
/// that is a local part like any other.
fn is_rewritten(path: &Path, config: &GuardConfig) -> bool {
    let Path::Mailbox(mailbox) = path else {
        return false;
    };
    let is_own = match &mailbox.domain {
        None => true,
        Some(Domain::Name(name)) => DomainName::parse(name)
            .is_ok_and(|name| config.own_domains.iter().any(|own| own.covers(&name))),
        Some(Domain::Literal(_)) => false,
    };
    is_own && mailbox.local_part.contains(['%', '!', '@'])
}

fn action(fate: Fate) -> Action {
    match fate {
        Fate::LetGo => Action::Dunno,
        Fate::Defer(refusal) => {
            let words = refusal.lines().next().cloned();
            let words = words.unwrap_or_else(|| Words::new(""));
            match EnhancedStatus::new(7, 1) {
                Some(status) => Action::DeferIfPermit(status, words),
                None => Action::Dunno,
            }
        }
        Fate::Reject(refusal) => Action::Reject(refusal),
        Fate::Hold(words) => Action::Hold(words),
        Fate::Warn(words) => Action::Warn(words),
        Fate::Filter(way) => Action::Filter(way),
        Fate::Prepend(field) => Action::Prepend(field),
    }
}

/// Postfix closes after some minutes of silence (`smtpd_policy_service_max_idle`, 300 s).
const IDLE: Duration = Duration::from_secs(600);
const REWRITTEN: &str = "an address with %, ! or a second @ is rewritten before it is delivered";
