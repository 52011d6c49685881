//! The target `milter`.

use crate::header_field::HeaderField;
use crate::milter::packet::{self, PACKET_LIMIT};
use crate::milter::{
    Actions, Change, Command, Decision, Event, Interest, Received, Reply, Session, Stage, Steps,
    Terms, Wish, decode_reply,
};
use crate::refusal::{EnhancedStatus, Refusal, WORDS_LIMIT, Words};

/// The target `milter`: the first octet as a wish, the rest as what a mail server sends, whole and in
/// pieces, and as texts of replies.
pub fn milter(bytes: &[u8]) {
    let Some((&first, stream)) = bytes.split_first() else {
        return;
    };
    let whole = talk(first, stream, stream.len());
    for size in [1, 7] {
        assert_eq!(whole, talk(first, stream, size), "in pieces of {size}");
    }
    packets(stream);
    replies(&String::from_utf8_lossy(stream));
}

/// The interests that an octet stands for.
fn wish(first: u8) -> Wish {
    let interest = |bit: u8| match (first >> bit) & 3 {
        0 => Interest::Skip,
        1 => Interest::Watch,
        _ => Interest::Decide,
    };
    Wish {
        connect: interest(0),
        helo: interest(0),
        unknown: interest(0),
        mail: interest(1),
        data: interest(1),
        rcpt: interest(2),
        headers: interest(3),
        end_of_headers: interest(4),
        body: interest(5),
        actions: Actions::ADD_HEADERS | Actions::QUARANTINE,
        strip: vec!["Hoplock".to_owned()],
        macros: Vec::new(),
    }
}

/// What happened and what was answered, where the bytes come in pieces of this size.
fn talk(first: u8, stream: &[u8], size: usize) -> (Vec<String>, Vec<u8>) {
    let mut session = Session::new(wish(first));
    let (mut told, mut replies) = (Vec::new(), Vec::new());
    let (mut start, mut end) = (0, 0);
    let decisions = decisions();
    let mut asked = 0;
    loop {
        let rest = stream.get(start..end).unwrap_or_default();
        let step = match session.decode(rest, &mut replies) {
            Ok(step) => step,
            Err(why) => {
                assert!(why.to_string().len() < 200);
                told.push(why.to_string());
                break;
            }
        };
        start += step.consumed;
        assert!(start <= end, "more was taken than there is");
        match step.event {
            Some(event) => {
                told.push(format!("{event:?}"));
                if event == Event::Quit {
                    break;
                }
            }
            None if end == stream.len() => break,
            None => end = (end + size.max(1)).min(stream.len()),
        }
        if let Some(stage) = session.waits() {
            let before = replies.len();
            let silent = session.decode(rest, &mut replies).map(|step| step.consumed);
            assert_eq!(silent, Ok(0), "nothing is read while a decision waits");
            let decision = decisions
                .get(asked % decisions.len())
                .unwrap_or(&Decision::TempFail);
            asked += 1;
            decide(&mut session, stage, decision, &mut replies);
            assert!(replies.len() > before && session.waits().is_none());
        }
    }
    all_are_replies(&replies, session.terms());
    (told, replies)
}

fn decisions() -> Vec<Decision> {
    let status = EnhancedStatus::new(7, 10);
    let refusal = status.and_then(|status| Refusal::new(550, status, "100%\nno").ok());
    let mut all = vec![Decision::Continue, Decision::Continue, Decision::TempFail];
    all.extend(refusal.map(Decision::Refuse));
    all.push(Decision::Accept);
    all
}

fn decide(session: &mut Session, stage: Stage, decision: &Decision, out: &mut Vec<u8>) {
    let ends = stage == Stage::EndOfMessage;
    let change = Change::Quarantine(Words::new("held"));
    assert_eq!(session.progress(out).is_ok(), ends);
    let mut answered = session.answer(decision, std::slice::from_ref(&change), out);
    if answered.is_err() {
        answered = session.answer(decision, &[], out);
    }
    if answered.is_err() {
        // Accepting at RCPT, or copies that this mail server does not let us delete.
        answered = session.answer(&Decision::TempFail, &[], out);
    }
    assert_eq!(answered, Ok(()));
}

/// All that was written is packets that a mail server reads, and none throws a message away.
fn all_are_replies(replies: &[u8], terms: &Terms) {
    let mut rest = replies;
    while let Ok(Some(frame)) = packet::decode(rest) {
        let reply = decode_reply(frame.packet);
        assert!(reply.is_ok() && reply != Ok(Received::Discard), "{reply:?}");
        match reply {
            Ok(Received::Skip) => assert!(terms.steps.contains(Steps::SKIP)),
            Ok(Received::ChangeHeader(occurrence, name, value)) => {
                assert!(occurrence > 0 && name == b"Hoplock" && value.is_empty());
                assert!(terms.actions.contains(Actions::CHANGE_HEADERS));
            }
            Ok(Received::Quarantine(_)) => assert!(terms.actions.contains(Actions::QUARANTINE)),
            _ => {}
        }
        rest = rest.get(frame.consumed..).unwrap_or_default();
    }
    assert!(rest.is_empty(), "half a packet was written");
}

/// A command that was read can be written, and is the same when it is read again.
fn packets(stream: &[u8]) {
    let mut rest = stream;
    while let Ok(Some(frame)) = packet::decode(rest) {
        assert!(frame.packet.data.len() < PACKET_LIMIT);
        if let Ok(command) = Command::parse(frame.packet) {
            let mut encoded = Vec::new();
            command.encode(&mut encoded);
            let again = packet::decode(&encoded).ok().flatten();
            let again = again.map(|frame| Command::parse(frame.packet));
            assert_eq!(again, Some(Ok(command)));
        }
        rest = rest.get(frame.consumed..).unwrap_or_default();
    }
}

/// Nothing that somebody else wrote ends a line, a string or a packet.
fn replies(text: &str) {
    let (name, value) = text.split_once(':').unwrap_or((text, ""));
    if let Ok(field) = HeaderField::new(name, value) {
        let mut out = Vec::new();
        Reply::AddHeader(&field).encode(false, &mut out);
        let frame = packet::decode(&out).ok().flatten();
        let read = frame.map(|frame| decode_reply(frame.packet));
        let expected = Received::AddHeader(field.name().as_bytes(), field.value().as_bytes());
        assert_eq!(read, Some(Ok(expected)));
    }
    let status = EnhancedStatus::new(7, 10);
    let refusal = status.and_then(|status| Refusal::new(450, status, text).ok());
    if let Some(refusal) = refusal {
        let mut out = Vec::new();
        Reply::Refuse(&refusal).encode(true, &mut out);
        let body = out.get(5..out.len() - 1).unwrap_or_default();
        let body = String::from_utf8_lossy(body);
        assert_eq!(body.split("\r\n").count(), refusal.lines().len());
        for line in body.split("\r\n") {
            assert!(line.starts_with("450-4.7.10 ") || line.starts_with("450 4.7.10 "));
            assert!(
                line.bytes().all(|byte| matches!(byte, b' '..=b'~')),
                "{line:?}"
            );
            assert!(line.len() <= 11 + 2 * WORDS_LIMIT && !line.replace("%%", "").contains('%'));
        }
    }
}
