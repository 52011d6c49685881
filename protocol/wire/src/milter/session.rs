//! One connection of a mail server, which may carry many messages and, where it is used again, many
//! clients: what may come when, and what is answered without being asked.

use super::command::{Command, Header};
use super::event::{Broken, Change, Decision, Event, Step, Unanswerable};
use super::negotiation::{Actions, FIRST_VERSION, Interest, Offer, Steps, Terms, Wish};
use super::packet;
use super::reply::Reply;
use super::stage::Stage;
use crate::header_field::is_name;

/// The conversation, as a value. The caller owns the connection, the buffers and the deadlines.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    wish: Wish,
    terms: Terms,
    place: Place,
    /// The step on whose decision the mail server waits.
    waiting: Option<Stage>,
    /// How many fields of each name of `wish.strip` the message has.
    copies: Vec<u32>,
}

/// Where a session is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    /// Nothing is agreed.
    Start,
    /// No client.
    Agreed,
    /// A client, and no message.
    Client,
    /// A message, up to this step.
    Message(Stage),
    /// The client has gone.
    Closed,
}

impl Session {
    /// A session at the start of a connection.
    #[must_use]
    pub fn new(wish: Wish) -> Self {
        let mut wish = wish;
        // What is no name can stand in no message.
        wish.strip.retain(|name| is_name(name));
        Self {
            copies: vec![0; wish.strip.len()],
            wish,
            terms: Terms::default(),
            place: Place::Start,
            waiting: None,
        }
    }

    /// Takes packets off the front of `input` up to one that makes an event, and appends to `out`
    /// what is answered without a decision.
    ///
    /// Call again with what was not consumed and, after a [`Step`] without an event, more bytes
    /// behind it. What is not consumed is less than one packet, or stands behind a step that waits.
    ///
    /// # Errors
    /// [`Broken`], on which the connection ends.
    pub fn decode<'a>(&mut self, input: &'a [u8], out: &mut Vec<u8>) -> Result<Step<'a>, Broken> {
        let mut consumed = 0;
        while self.waiting.is_none() && self.place != Place::Closed {
            let Some(frame) = packet::decode(input.get(consumed..).unwrap_or_default())? else {
                break;
            };
            let event = self.take(Command::parse(frame.packet)?, out)?;
            consumed += frame.consumed;
            if event.is_some() {
                return Ok(Step { consumed, event });
            }
        }
        Ok(Step {
            consumed,
            event: None,
        })
    }

    /// The step that waits for [`Session::answer`].
    #[must_use]
    pub fn waits(&self) -> Option<Stage> {
        self.waiting
    }

    /// What was agreed.
    #[must_use]
    pub fn terms(&self) -> &Terms {
        &self.terms
    }

    /// Answers the step that waits; the reply is appended to `out`. A message that goes on is changed
    /// and loses the copies of our own header fields.
    ///
    /// # Errors
    /// [`Unanswerable`] says why this cannot be the answer.
    pub fn answer(
        &mut self,
        decision: &Decision,
        changes: &[Change],
        out: &mut Vec<u8>,
    ) -> Result<(), Unanswerable> {
        let stage = self.waiting.ok_or(Unanswerable::NotAsked)?;
        let is_end = stage == Stage::EndOfMessage;
        if !is_end && !changes.is_empty() {
            return Err(Unanswerable::NotAtEnd);
        }
        if stage == Stage::Rcpt && *decision == Decision::Accept {
            return Err(Unanswerable::AcceptsOthers);
        }
        let goes_on = matches!(decision, Decision::Accept | Decision::Continue);
        let mut decision = decision;
        if is_end && goes_on {
            self.judge(changes)?;
            if self.copies.iter().any(|copies| *copies > COPIES_LIMIT) {
                // A forged field must not pass for ours.
                decision = &Decision::TempFail;
            } else {
                self.change(changes, out);
            }
        }
        self.write(&reply_to(decision), out);
        self.waiting = None;
        let ends = match decision {
            Decision::Continue => is_end,
            // A recipient that is refused leaves the message as it is.
            Decision::Refuse(_) | Decision::TempFail => stage != Stage::Rcpt,
            Decision::Accept => true,
        };
        if ends && matches!(self.place, Place::Message(_)) {
            self.place = Place::Client;
        }
        Ok(())
    }

    /// Tells the mail server that the decision at the end of a message takes its time, so that it
    /// waits anew.
    ///
    /// # Errors
    /// [`Unanswerable`] where it is not the end of a message that waits.
    pub fn progress(&self, out: &mut Vec<u8>) -> Result<(), Unanswerable> {
        match self.waiting {
            Some(Stage::EndOfMessage) => {
                self.write(&Reply::Progress, out);
                Ok(())
            }
            Some(_) => Err(Unanswerable::NotAtEnd),
            None => Err(Unanswerable::NotAsked),
        }
    }

    fn take<'a>(
        &mut self,
        command: Command<'a>,
        out: &mut Vec<u8>,
    ) -> Result<Option<Event<'a>>, Broken> {
        let letter = command.letter();
        let out_of_order = Err(Broken::OutOfOrder(letter));
        match (command, self.place) {
            (Command::Quit, _) => {
                self.place = Place::Closed;
                Ok(Some(Event::Quit))
            }
            (Command::Negotiate(offer), Place::Start) => self.negotiate(&offer, out).map(Some),
            (Command::Negotiate(_), _) | (_, Place::Start) => out_of_order,
            (Command::Macros(macros), _) => Ok(Some(Event::Macros(macros))),
            (Command::Abort, place) => {
                // Postfix says so between messages too.
                if matches!(place, Place::Message(_)) {
                    self.place = Place::Client;
                    return Ok(Some(Event::Abort));
                }
                Ok(None)
            }
            (Command::QuitNewConnection, _) => {
                self.place = Place::Agreed;
                Ok(Some(Event::NewConnection))
            }
            (Command::Connect(_), place) if place != Place::Agreed => out_of_order,
            (Command::Connect(client), _) => {
                self.place = Place::Client;
                Ok(self.met(Stage::Connect, Event::Connect(client), out))
            }
            (Command::Helo(name), _) => {
                self.place = Place::Client;
                Ok(self.met(Stage::Helo, Event::Helo(name), out))
            }
            (Command::Unknown(line), _) => Ok(self.met(Stage::Unknown, Event::Unknown(line), out)),
            (command, _) => {
                let Some((stage, event)) = of_message(command) else {
                    return out_of_order;
                };
                self.advance(stage, letter)?;
                if let Event::Header(field) = &event {
                    self.count(field);
                }
                Ok(self.met(stage, event, out))
            }
        }
    }

    fn negotiate(&mut self, offer: &Offer, out: &mut Vec<u8>) -> Result<Event<'static>, Broken> {
        if offer.version < FIRST_VERSION {
            return Err(Broken::Version(offer.version));
        }
        self.terms = self.wish.meet(offer);
        self.place = Place::Agreed;
        let (terms, macros) = (&self.terms, self.wish.macros.as_slice());
        self.write(&Reply::Negotiate { terms, macros }, out);
        Ok(Event::Negotiated(self.terms))
    }

    /// A step that has come: answered at once, or waiting; an event, or none.
    fn met<'a>(&mut self, stage: Stage, event: Event<'a>, out: &mut Vec<u8>) -> Option<Event<'a>> {
        let interest = self.wish.interest(stage);
        if interest == Interest::Decide {
            self.waiting = Some(stage);
        } else if interest == Interest::Skip
            && stage == Stage::Body
            && self.terms.steps.contains(Steps::SKIP)
        {
            self.write(&Reply::Skip, out);
        } else if !self.terms.steps.contains(stage.unanswered()) {
            self.write(&Reply::Continue, out);
        }
        (interest != Interest::Skip).then_some(event)
    }

    /// Goes on in the message, or to the next one.
    fn advance(&mut self, stage: Stage, letter: u8) -> Result<(), Broken> {
        let may_come = match self.place {
            _ if stage == Stage::Mail => true,
            Place::Message(last) => last < stage || (last == stage && stage.repeats()),
            // Where MAIL is left out, a message begins with whatever comes.
            _ => self.terms.steps.contains(Steps::NO_MAIL),
        };
        if !may_come {
            return Err(Broken::OutOfOrder(letter));
        }
        if stage == Stage::Mail || !matches!(self.place, Place::Message(_)) {
            self.copies.fill(0);
        }
        self.place = Place::Message(stage);
        Ok(())
    }

    fn count(&mut self, field: &Header<'_>) {
        for (name, copies) in self.wish.strip.iter().zip(&mut self.copies) {
            if field.is(name) {
                *copies = copies.saturating_add(1);
            }
        }
    }

    fn judge(&self, changes: &[Change]) -> Result<(), Unanswerable> {
        let mut needed = Actions::default();
        if self.copies.iter().any(|copies| *copies > 0) {
            needed = needed | Actions::CHANGE_HEADERS;
        }
        for change in changes {
            needed = needed
                | match change {
                    Change::Add(_) | Change::Insert(..) => Actions::ADD_HEADERS,
                    Change::Quarantine(_) => Actions::QUARANTINE,
                };
        }
        match self.terms.actions.contains(needed) {
            true => Ok(()),
            false => Err(Unanswerable::NotGranted),
        }
    }

    fn change(&self, changes: &[Change], out: &mut Vec<u8>) {
        for (name, copies) in self.wish.strip.iter().zip(&self.copies) {
            // From the last to the first: Postfix counts anew after each deletion, Sendmail does not.
            for occurrence in (1..=*copies).rev() {
                self.write(&Reply::DeleteHeader { name, occurrence }, out);
            }
        }
        for change in changes {
            let reply = match change {
                Change::Add(field) => Reply::AddHeader(field),
                Change::Insert(index, field) => Reply::InsertHeader {
                    index: *index,
                    field,
                },
                Change::Quarantine(words) => Reply::Quarantine(words),
            };
            self.write(&reply, out);
        }
    }

    fn write(&self, reply: &Reply<'_>, out: &mut Vec<u8>) {
        reply.encode(self.terms.steps.contains(Steps::HEADER_LEADING_SPACE), out);
    }
}

/// The commands that only a message has, and their steps.
fn of_message(command: Command<'_>) -> Option<(Stage, Event<'_>)> {
    Some(match command {
        Command::Mail(envelope) => (Stage::Mail, Event::Mail(envelope)),
        Command::Rcpt(envelope) => (Stage::Rcpt, Event::Rcpt(envelope)),
        Command::Data => (Stage::Data, Event::Data),
        Command::Header(field) => (Stage::Header, Event::Header(field)),
        Command::EndOfHeaders => (Stage::EndOfHeaders, Event::EndOfHeaders),
        Command::Body(octets) => (Stage::Body, Event::Body(octets)),
        Command::EndOfBody(body) => (Stage::EndOfMessage, Event::EndOfMessage { body }),
        _ => return None,
    })
}

fn reply_to(decision: &Decision) -> Reply<'_> {
    match decision {
        Decision::Accept => Reply::Accept,
        Decision::Continue => Reply::Continue,
        Decision::Refuse(refusal) => Reply::Refuse(refusal),
        Decision::TempFail => Reply::TempFail,
    }
}

/// The most copies of one of our header fields that are deleted. A message with more is deferred: no
/// mail has them by accident, and one that stayed would pass for ours.
pub const COPIES_LIMIT: u32 = 1000;
