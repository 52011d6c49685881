//! What the tests of the milter share: wishes, answers, and whole conversations.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

mod any;
mod changes;
mod negotiation;
mod order;
mod packets;
mod recorded;

use super::*;
use crate::header_field::HeaderField;
use crate::refusal::{EnhancedStatus, Refusal};

fn status() -> EnhancedStatus {
    EnhancedStatus::new(7, 10).unwrap()
}

fn refusal(code: u16, words: &str) -> Refusal {
    Refusal::new(code, status(), words).unwrap()
}

/// The wish of a recording.
fn wish(name: &str, interest: Interest) -> Wish {
    let every = Wish {
        connect: interest,
        helo: interest,
        mail: interest,
        rcpt: interest,
        data: interest,
        headers: interest,
        end_of_headers: interest,
        body: interest,
        unknown: interest,
        actions: Actions::ADD_HEADERS | Actions::QUARANTINE,
        strip: vec!["Hoplock".to_owned()],
        macros: Vec::new(),
    };
    if name != "guard" {
        return every;
    }
    let list = |stage, names: &[&str]| MacroList::new(stage, names).unwrap();
    Wish {
        mail: Interest::Watch,
        rcpt: Interest::Decide,
        macros: vec![
            list(MacroStage::Mail, &["i", "{auth_authen}", "{mail_addr}"]),
            list(MacroStage::Rcpt, &["{rcpt_addr}"]),
            list(MacroStage::EndOfMessage, &["i"]),
        ],
        ..every
    }
}

/// The answers of a recording.
fn answer(session: &mut Session, recipient: &str, out: &mut Vec<u8>) {
    let decision = match session.waits() {
        None => return,
        Some(Stage::EndOfMessage) => {
            session.progress(out).unwrap();
            let field = |name, value| HeaderField::new(name, value).unwrap();
            let changes = [
                Change::Add(field("Hoplock", "ours; dane-only")),
                Change::Insert(0, field("X-First", "v")),
            ];
            return session.answer(&Decision::Continue, &changes, out).unwrap();
        }
        Some(Stage::Rcpt) if recipient.contains("refuse") => {
            Decision::Refuse(refusal(550, "100% no\nsecond line"))
        }
        Some(Stage::Rcpt) if recipient.contains("later") => {
            Decision::Refuse(refusal(451, "not now"))
        }
        Some(_) => Decision::Continue,
    };
    session.answer(&decision, &[], out).unwrap();
}

/// What happened, shown as text, and all replies, where the stream comes in these pieces.
fn talk<'a>(wish: Wish, pieces: impl IntoIterator<Item = &'a [u8]>) -> (Vec<String>, Vec<u8>) {
    let mut session = Session::new(wish);
    let (mut told, mut buffer, mut out) = (Vec::new(), Vec::new(), Vec::new());
    let mut recipient = String::new();
    for piece in pieces {
        buffer.extend_from_slice(piece);
        loop {
            let step = match session.decode(&buffer, &mut out) {
                Ok(step) => step,
                Err(why) => {
                    told.push(why.to_string());
                    return (told, out);
                }
            };
            let consumed = step.consumed;
            if let Some(Event::Rcpt(envelope)) = &step.event {
                recipient = String::from_utf8_lossy(envelope.address).into_owned();
            }
            let event = step.event.map(|event| format!("{event:?}"));
            buffer.drain(..consumed);
            answer(&mut session, &recipient, &mut out);
            match event {
                Some(event) => told.push(event),
                None => break,
            }
        }
    }
    (told, out)
}

fn packets(commands: &[Command<'_>]) -> Vec<u8> {
    let mut out = Vec::new();
    commands.iter().for_each(|command| command.encode(&mut out));
    out
}

fn offer(version: u32, actions: Actions, steps: Steps) -> Command<'static> {
    Command::Negotiate(Offer {
        version,
        actions,
        steps,
    })
}

fn everything() -> Command<'static> {
    offer(6, Actions::all(), Steps::all())
}

/// A session after these commands: what it told, and its replies.
fn after(wish: Wish, commands: &[Command<'_>]) -> (Session, Result<Vec<String>, Broken>, Vec<u8>) {
    let bytes = packets(commands);
    let mut session = Session::new(wish);
    let (mut rest, mut out, mut told) = (&bytes[..], Vec::new(), Vec::new());
    loop {
        match session.decode(rest, &mut out) {
            Ok(Step { consumed, event }) => {
                rest = &rest[consumed..];
                let Some(event) = event else {
                    assert!(rest.is_empty() || session.waits().is_some());
                    return (session, Ok(told), out);
                };
                let name = format!("{event:?}");
                let end = name
                    .find(|c: char| !c.is_alphanumeric())
                    .unwrap_or(name.len());
                told.push(name[..end].to_owned());
                if session.waits().is_some() && !rest.is_empty() {
                    session.answer(&Decision::Continue, &[], &mut out).unwrap();
                }
            }
            Err(why) => return (session, Err(why), out),
        }
    }
}

fn mail() -> Command<'static> {
    Command::Mail(Envelope::parse(b"<>\0").unwrap())
}

fn rcpt() -> Command<'static> {
    Command::Rcpt(Envelope::parse(b"<r@good.test>\0").unwrap())
}

fn header(name: &'static str) -> Command<'static> {
    Command::Header(Header {
        name: name.as_bytes(),
        value: b" forged",
    })
}

fn read(out: &[u8]) -> Vec<Received<'_>> {
    let (mut rest, mut all) = (out, Vec::new());
    while let Some(frame) = packet::decode(rest).unwrap() {
        all.push(decode_reply(frame.packet).unwrap());
        rest = &rest[frame.consumed..];
    }
    assert!(rest.is_empty());
    all
}
