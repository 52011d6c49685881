//! One connection of a mail server that asks by the milter protocol.

use std::sync::Arc;
use std::time::Duration;

use hoplock_wire::mailbox::Path;
use hoplock_wire::milter::{
    Actions, Change, Decision, Event, Interest, MacroList, MacroStage, Macros, Session,
    Unanswerable, Wish,
};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::time::timeout;

use super::desk::{Desk, Route};
use super::message::{Message, Resolved};
use crate::config::{DecideAt, GuardConfig};
use crate::serve::connections::Seat;

/// Serves one connection until it ends, is idle for too long, or the daemon drains.
pub(super) async fn converse<S>(mut stream: S, desk: Arc<Desk>, seat: Seat)
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let mut filter = Filter::new(&desk);
    let mut input = Vec::new();
    loop {
        let reading = timeout(IDLE, stream.read_buf(&mut input));
        let read = if filter.in_message {
            // Whoever is cut off here has all further messages of his session go unseen, or wait.
            reading.await
        } else {
            seat.rests();
            tokio::select! {
                () = seat.is_closed() => return,
                read = reading => read,
            }
        };
        seat.works();
        if !matches!(read, Ok(Ok(1..))) {
            return;
        }
        let went = filter.take(&mut input).await;
        let written = timeout(IDLE, stream.write_all(&filter.output)).await;
        filter.output.clear();
        if !matches!((went, written), (Went::On, Ok(Ok(())))) {
            return;
        }
    }
}

/// What is known of a connection beside its bytes.
struct Filter<'a> {
    desk: &'a Desk,
    /// The rules that were in force when it began: what is to be seen of messages was agreed on by them.
    config: Arc<GuardConfig>,
    session: Session,
    output: Vec<u8>,
    /// As whom the client has authenticated itself.
    user: Option<String>,
    /// What the mail server makes of the next recipient.
    resolved: Resolved,
    message: Message,
    in_message: bool,
}

/// Whether the connection goes on.
enum Went {
    On,
    ToItsEnd,
}

impl<'a> Filter<'a> {
    fn new(desk: &'a Desk) -> Self {
        let config = desk.config();
        Self {
            desk,
            session: Session::new(wish(&config)),
            config,
            output: Vec::new(),
            user: None,
            resolved: Resolved::default(),
            message: Message::default(),
            in_message: false,
        }
    }

    /// Takes whole packets off the front of `input`, and answers them.
    async fn take(&mut self, input: &mut Vec<u8>) -> Went {
        let mut consumed = 0;
        let went = loop {
            let rest = input.get(consumed..).unwrap_or_default();
            let step = match self.session.decode(rest, &mut self.output) {
                Ok(step) => step,
                Err(why) => {
                    tracing::info!(%why, "bad packet on a milter connection; closing it");
                    break Went::ToItsEnd;
                }
            };
            consumed += step.consumed;
            match step.event {
                None => break Went::On,
                Some(Event::Quit) => break Went::ToItsEnd,
                Some(event) => {
                    if self.event(event).await.is_err() {
                        break Went::ToItsEnd;
                    }
                }
            }
        };
        input.drain(..consumed);
        went
    }

    async fn event(&mut self, event: Event<'_>) -> Result<(), Unanswerable> {
        match event {
            Event::Macros(macros) if macros.command == MAIL => {
                let user = macros.get("auth_authen");
                self.user = user.map(|user| String::from_utf8_lossy(user).into_owned());
            }
            Event::Macros(macros) if macros.command == RCPT => self.resolved = resolved(&macros),
            Event::NewConnection => {
                (self.user, self.resolved) = (None, Resolved::default());
                self.begin(Message::default(), false);
            }
            Event::Mail(envelope) => {
                let message = Message::from(&envelope, self.user.clone());
                self.begin(message, true);
            }
            Event::Rcpt(envelope) => {
                let resolved = std::mem::take(&mut self.resolved);
                let deciding = self
                    .message
                    .recipient(self.desk, &self.config, &envelope, resolved);
                let decision = deciding.await;
                if self.session.waits().is_some() {
                    self.session.answer(&decision, &[], &mut self.output)?;
                }
            }
            Event::Header(field) => self.message.field(&field),
            Event::Abort => self.begin(Message::default(), false),
            Event::EndOfMessage { .. } => {
                let message = std::mem::take(&mut self.message);
                self.in_message = false;
                let (decision, changes) = message.end(self.desk, &self.config).await;
                self.last_word(&decision, &changes)?;
            }
            _ => {}
        }
        Ok(())
    }

    fn begin(&mut self, message: Message, in_message: bool) {
        (self.message, self.in_message) = (message, in_message);
    }

    fn last_word(&mut self, decision: &Decision, changes: &[Change]) -> Result<(), Unanswerable> {
        let answered = self.session.answer(decision, changes, &mut self.output);
        let Err(Unanswerable::NotGranted) = answered else {
            return answered;
        };
        // A message that is to be held, or that has a forged field, must not go as it is.
        tracing::warn!(
            "a mail server does not let its milters change messages as [guard] asks for; the message waits"
        );
        let later = Decision::TempFail;
        self.session.answer(&later, &[], &mut self.output)
    }
}

/// What is to be seen of each message.
fn wish(config: &GuardConfig) -> Wish {
    let users = MacroList::new(MacroStage::Mail, &["{auth_authen}"]);
    let routes = MacroList::new(
        MacroStage::Rcpt,
        &["{rcpt_mailer}", "{rcpt_host}", "{rcpt_addr}"],
    );
    Wish {
        mail: Interest::Watch,
        rcpt: match config.decide_at {
            DecideAt::Rcpt => Interest::Decide,
            DecideAt::End => Interest::Watch,
        },
        headers: Interest::Watch,
        actions: Actions::ADD_HEADERS | Actions::QUARANTINE,
        strip: config.header.iter().cloned().collect(),
        macros: users.into_iter().chain(routes).collect(),
        ..Wish::default()
    }
}

/// What the mail server makes of a recipient. `{rcpt_addr}` is the address that it delivers to, once comments are
/// gone and `user%domain` is understood: whom a rule is for must not depend on how he is written.
fn resolved(macros: &Macros<'_>) -> Resolved {
    let address = macros.get("rcpt_addr").map(Path::from_internal);
    let is_whole = |path: &Path| path.domain().is_some();
    Resolved {
        path: address.and_then(Result::ok).filter(is_whole),
        route: route(macros),
    }
}

/// Where the mail server says that it will send a recipient's mail: `{rcpt_mailer}` is a transport of Postfix
/// or a mailer of Sendmail, `{rcpt_host}` the next hop, in the form in which a policy is asked for.
fn route(macros: &Macros<'_>) -> Option<Route> {
    let mailer = String::from_utf8_lossy(macros.get("rcpt_mailer")?).into_owned();
    if STAYS.contains(&mailer.as_str()) {
        return Some(Route::Stays);
    }
    let host = String::from_utf8_lossy(macros.get("rcpt_host")?).into_owned();
    (!host.is_empty()).then_some(Route::Leaves(host))
}

/// Transports and mailers that deliver here, or nowhere.
const STAYS: &[&str] = &[
    // Postfix, master.cf.
    "local",
    "virtual",
    "lmtp",
    "error",
    "retry",
    "discard", // Sendmail.
    "prog",
    "*file*",
    "*include*",
    "cyrus",
    "cyrusv2",
    "procmail",
    "usenet",
];
/// The commands before which the client's name and the way of a recipient are told.
const MAIL: u8 = b'M';
const RCPT: u8 = b'R';
/// Sendmail keeps a connection as long as its client's (an hour at most, `confTO_COMMAND`).
const IDLE: Duration = Duration::from_secs(3700);
