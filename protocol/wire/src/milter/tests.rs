//! Whole conversations as Postfix and Sendmail had them, and what they do not show.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

use data_encoding::HEXLOWER;
use proptest::collection::vec;
use proptest::prelude::{Strategy as _, any, prop_assert_eq, proptest};

use super::packet::Packet;
use super::*;
use crate::header_field::HeaderField;
use crate::mailbox::Path;
use crate::refusal::{EnhancedStatus, Refusal, Words};

/// Conversations of a filter made of this codec, each packet in hexadecimal: `>` from the mail server,
/// `<` to it. A client hands in a message with fields of ours that it forged, one recipient that is
/// refused and one that is deferred; then it gives up two messages, and hands in another.
const RECORDED: [(&str, Interest, &str); 11] = [
    (
        "guard",
        Interest::Skip,
        include_str!("recorded/postfix-3.7-guard.hex"),
    ),
    (
        "all",
        Interest::Decide,
        include_str!("recorded/postfix-3.7-all.hex"),
    ),
    (
        "skip",
        Interest::Skip,
        include_str!("recorded/postfix-3.7-skip.hex"),
    ),
    (
        "watch",
        Interest::Watch,
        include_str!("recorded/postfix-3.7-watch.hex"),
    ),
    (
        "guard",
        Interest::Skip,
        include_str!("recorded/sendmail-8.18-guard.hex"),
    ),
    (
        "all",
        Interest::Decide,
        include_str!("recorded/sendmail-8.18-all.hex"),
    ),
    (
        "skip",
        Interest::Skip,
        include_str!("recorded/sendmail-8.18-skip.hex"),
    ),
    (
        "watch",
        Interest::Watch,
        include_str!("recorded/sendmail-8.18-watch.hex"),
    ),
    (
        "guard",
        Interest::Skip,
        include_str!("recorded/sendmail-8.17-guard.hex"),
    ),
    (
        "guard",
        Interest::Skip,
        include_str!("recorded/postfix-3.10-guard.hex"),
    ),
    (
        "all",
        Interest::Decide,
        include_str!("recorded/postfix-3.7-version-2.hex"),
    ),
];

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

/// The lines of a recording: whether they come from the mail server, and their bytes.
fn lines(recording: &str) -> Vec<(bool, Vec<u8>)> {
    let line = |line: &str| {
        let (mark, hex) = line.split_once(' ').unwrap();
        (mark == ">", HEXLOWER.decode(hex.as_bytes()).unwrap())
    };
    recording.lines().map(line).collect()
}

fn sent(recording: &str) -> Vec<u8> {
    let own = lines(recording).into_iter().filter(|(from, _)| *from);
    own.flat_map(|(_, bytes)| bytes).collect()
}

/// Each packet of a mail server gets the very reply that it got, and at no other time: a reply too
/// many, or one too few, and both sides would talk past each other from then on.
#[test]
fn recorded_conversations_are_repeated() {
    for (name, interest, recording) in RECORDED {
        let mut session = Session::new(wish(name, interest));
        let (mut buffer, mut recipient) = (Vec::new(), String::new());
        let mut out = Vec::new();
        for (number, (from_mail_server, bytes)) in lines(recording).iter().enumerate() {
            if !from_mail_server {
                assert_eq!(&out, bytes, "{name}, line {}", number + 1);
                out.clear();
                continue;
            }
            assert!(out.is_empty(), "{name}: {out:?} before line {}", number + 1);
            buffer.extend_from_slice(bytes);
            while !buffer.is_empty() {
                let step = session.decode(&buffer, &mut out).unwrap();
                let consumed = step.consumed;
                if let Some(Event::Rcpt(envelope)) = &step.event {
                    recipient = String::from_utf8_lossy(envelope.address).into_owned();
                }
                assert!(consumed > 0);
                buffer.drain(..consumed);
                answer(&mut session, &recipient, &mut out);
            }
        }
        assert!(out.is_empty());
    }
}

/// What comes out does not depend on how the bytes were cut.
#[test]
fn recorded_conversations_are_cut_anywhere() {
    for (name, interest, recording) in RECORDED {
        let sent = sent(recording);
        let whole = talk(wish(name, interest), [&sent[..]]);
        for size in [1, 2, 3, 5, 64, 1000] {
            assert_eq!(talk(wish(name, interest), sent.chunks(size)), whole);
        }
    }
}

/// The events of a message from Sendmail that watches everything, one by one.
#[test]
fn a_message_of_sendmail_is_read() {
    let sent = sent(RECORDED[7].2);
    let mut session = Session::new(wish("watch", Interest::Watch));
    let (mut rest, mut out, mut events) = (&sent[..], Vec::new(), Vec::new());
    while events.last() != Some(&Event::EndOfMessage { body: b"" }) {
        let step = session.decode(rest, &mut out).unwrap();
        rest = &rest[step.consumed..];
        events.extend(step.event);
    }
    let localhost = "127.0.0.1".parse().ok();
    assert!(matches!(
        events[0],
        Event::Negotiated(Terms { version: 6, .. })
    ));
    let Event::Macros(macros) = events[1] else {
        unreachable!("{:?}", events[1]);
    };
    assert_eq!(macros.command, b'C');
    assert_eq!(macros.get("j"), Some(&b"rec.test"[..]));
    assert_eq!(macros.get("daemon_name"), Some(&b"MTA"[..]));
    assert_eq!(macros.get("{if_name}"), Some(&b"localhost"[..]));
    assert_eq!(macros.get("if_nam"), None);
    let Event::Connect(client) = events[2] else {
        unreachable!("{:?}", events[2]);
    };
    assert_eq!(client.host, b"localhost");
    assert!(matches!(client.peer, Peer::Inet { address, port: 1024.. } if address == localhost));
    let own: Vec<Event<'_>> = events[3..]
        .iter()
        .filter(|event| !matches!(event, Event::Macros(_)))
        .copied()
        .collect();
    let envelope = |data: &'static [u8]| Envelope::parse(data).unwrap();
    let field = |name: &'static [u8], value: &'static [u8]| Event::Header(Header { name, value });
    let expected = [
        Event::Helo(b"client.test"),
        Event::Mail(envelope(b"<s@a.test>\0SIZE=100\0BODY=8BITMIME\0")),
        Event::Rcpt(envelope(b"<r@good.test>\0")),
        Event::Rcpt(envelope(b"<\"a b\"@refuse.test>\0NOTIFY=NEVER\0")),
        Event::Rcpt(envelope(b"<r@later.test>\0")),
        Event::Unknown(b"BOGUS"),
        Event::Data,
        field(b"From", b" s@a.test"),
        field(b"To", b"no-space"),
        field(b"Subject", b"  two spaces"),
        field(b"Hoplock", b" forged"),
        field(b"hOPLOCK", b" blank before colon"),
        field(b"X-Folded", b" one\n\ttwo\n  three"),
        field(b"X-8bit", b" \xff\xfe\xc3\xbc"),
        field(b"Hoplock", b"forged2\n folded"),
        field(b"X-Tab", b"\ttab"),
        field(b"X-Empty", b""),
        Event::EndOfHeaders,
        Event::Body(b"body line\r\n.dot\r\n"),
        Event::EndOfMessage { body: b"" },
    ];
    assert_eq!(own, expected);
    let Event::Mail(mail) = own[1] else {
        unreachable!("{:?}", own[1]);
    };
    assert_eq!(mail.argument("size"), Some(&b"100"[..]));
    assert_eq!(mail.argument("requiretls"), None);
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

/// Every version and every offer: nothing is taken that was not offered, and what is not spared is
/// answered.
#[test]
fn negotiation() {
    let wish = || Wish {
        rcpt: Interest::Decide,
        mail: Interest::Watch,
        actions: Actions::ADD_HEADERS,
        strip: vec!["Hoplock".to_owned()],
        ..Wish::default()
    };
    for (version, actions, steps, agreed) in [
        // Postfix and Sendmail today.
        (6, Actions::all(), Steps::all(), (6, 0x11, 0x1f_73d3)),
        // A later one may offer what nobody knows.
        (
            7,
            Actions::from(u32::MAX),
            Steps::from(u32::MAX),
            (6, 0x11, 0x1f_73d3),
        ),
        // Sendmail 8.12.
        (2, Actions::from(0x3f), Steps::from(0x7f), (2, 0x11, 0x53)),
        (2, Actions::default(), Steps::none(), (2, 0, 0)),
    ] {
        let (session, told, out) = after(wish(), &[offer(version, actions, steps)]);
        let terms = *session.terms();
        let bits = (terms.version, terms.actions.bits(), terms.steps.bits());
        assert_eq!(bits, agreed, "version {version}: {:#x}", bits.2);
        assert_eq!(told, Ok(vec!["Negotiated".to_owned()]));
        let offer = Offer {
            version: terms.version,
            actions: terms.actions,
            steps: terms.steps,
        };
        assert_eq!(read(&out), [Received::Negotiate(offer, b"")]);
    }
    for version in [0, 1] {
        let (_, told, out) = after(wish(), &[offer(version, Actions::all(), Steps::all())]);
        assert_eq!((told, out), (Err(Broken::Version(version)), vec![]));
    }
}

/// Where a mail server spares nothing, each step has one answer, and the body is asked for no more
/// than once where that can be said.
#[test]
fn old_mail_servers_get_all_their_answers() {
    let message = [
        Command::Helo(b"client.test"),
        mail(),
        rcpt(),
        header("Subject"),
        Command::EndOfHeaders,
        Command::Body(b"a"),
        Command::Body(b"b"),
        Command::EndOfBody(b""),
    ];
    let (go_on, skip) = (Received::Continue, Received::Skip);
    for (steps, body) in [
        (Steps::none(), &[go_on, go_on][..]),
        (Steps::SKIP, &[skip, skip]),
        (Steps::SKIP | Steps::NO_REPLY_BODY, &[skip, skip]),
        (Steps::NO_REPLY_BODY, &[]),
    ] {
        let mut commands = vec![offer(6, Actions::all(), steps)];
        commands.extend(message);
        let (mut session, told, mut out) = after(Wish::default(), &commands);
        let events = ["Negotiated", "EndOfMessage"].map(str::to_owned);
        assert_eq!(told, Ok(events.to_vec()));
        session.answer(&Decision::Continue, &[], &mut out).unwrap();
        let expected = [&[go_on; 5][..], body, &[go_on]].concat();
        assert_eq!(read(&out)[1..], expected, "{steps:?}");
    }
}

/// Macros are asked for by name and by stage, where that was agreed.
#[test]
fn macros_are_asked_for() {
    let list = MacroList::new(MacroStage::EndOfMessage, &["i", "{auth_authen}"]).unwrap();
    let wish = Wish {
        macros: vec![list],
        ..Wish::default()
    };
    let (_, _, out) = after(wish.clone(), &[everything()]);
    assert!(out.ends_with(b"\0\0\0\x05i {auth_authen}\0"));
    let (_, _, out) = after(wish, &[offer(6, Actions::ADD_HEADERS, Steps::all())]);
    assert_eq!(out.len(), 17);
    for names in [
        &[][..],
        &[""],
        &["ab"],
        &["{}"],
        &["{a b}"],
        &["{a\0}"],
        &["i", "{"],
    ] {
        assert_eq!(MacroList::new(MacroStage::Rcpt, names), None, "{names:?}");
    }
}

/// Every pair of commands: which may follow which, with all that is skipped in between.
#[test]
fn what_may_follow_what() {
    let message = [
        mail(),
        rcpt(),
        Command::Data,
        header("X"),
        Command::EndOfHeaders,
        Command::Body(b"x"),
        Command::EndOfBody(b""),
    ];
    let watch = || wish("watch", Interest::Watch);
    for (at, first) in message.iter().enumerate() {
        for (next, second) in message.iter().enumerate() {
            let commands = [everything(), mail(), *first, *second];
            let (_, told, _) = after(watch(), &commands);
            let repeats = matches!(second.letter(), b'R' | b'L' | b'B');
            let begins = next == 0;
            // Behind an end that was answered there is no message.
            let may = begins || (at < 6 && (next > at || (next == at && repeats)));
            let expected = match may {
                true => Ok(()),
                false => Err(Broken::OutOfOrder(second.letter())),
            };
            assert_eq!(told.map(|_| ()), expected, "{first:?}, {second:?}");
        }
    }
    for own in &message[1..] {
        let (_, told, _) = after(watch(), &[everything(), *own]);
        assert_eq!(told, Err(Broken::OutOfOrder(own.letter())), "without MAIL");
        let (_, told, _) = after(Wish::default(), &[everything(), *own]);
        assert!(told.is_ok(), "MAIL is left out");
        for ends in [Command::Abort, Command::Helo(b"x")] {
            let (_, told, _) = after(watch(), &[everything(), mail(), ends, *own]);
            assert_eq!(
                told,
                Err(Broken::OutOfOrder(own.letter())),
                "behind {ends:?}"
            );
        }
    }
}

/// What stands between messages, and around them.
#[test]
fn what_may_stand_between_messages() {
    let watch = || wish("watch", Interest::Watch);
    let client = Command::Connect(Connect {
        host: b"unknown",
        peer: Peer::Unknown,
    });
    let macros = Command::Macros(Macros::parse(b"C").unwrap());
    for (commands, told) in [
        (vec![mail()], Err(Broken::OutOfOrder(b'M'))),
        (vec![macros], Err(Broken::OutOfOrder(b'D'))),
        (vec![Command::Abort], Err(Broken::OutOfOrder(b'A'))),
        (vec![Command::Quit], Ok(vec!["Quit"])),
        (
            vec![everything(), everything()],
            Err(Broken::OutOfOrder(b'O')),
        ),
        (
            vec![everything(), client, client],
            Err(Broken::OutOfOrder(b'C')),
        ),
        (
            vec![everything(), mail(), client],
            Err(Broken::OutOfOrder(b'C')),
        ),
        // Postfix says ABORT between messages too, and twice.
        (
            vec![
                everything(),
                client,
                mail(),
                Command::Abort,
                Command::Abort,
                Command::Quit,
            ],
            Ok(vec!["Negotiated", "Connect", "Mail", "Abort", "Quit"]),
        ),
        // Another client on the same connection.
        (
            vec![
                everything(),
                client,
                mail(),
                Command::QuitNewConnection,
                client,
                mail(),
            ],
            Ok(vec![
                "Negotiated",
                "Connect",
                "Mail",
                "NewConnection",
                "Connect",
                "Mail",
            ]),
        ),
        (
            vec![
                everything(),
                client,
                Command::Unknown(b"X"),
                mail(),
                Command::Unknown(b"Y"),
                rcpt(),
            ],
            Ok(vec![
                "Negotiated",
                "Connect",
                "Unknown",
                "Mail",
                "Unknown",
                "Rcpt",
            ]),
        ),
        // A message begins before the last one ended.
        (
            vec![everything(), client, mail(), rcpt(), mail(), rcpt()],
            Ok(vec![
                "Negotiated",
                "Connect",
                "Mail",
                "Rcpt",
                "Mail",
                "Rcpt",
            ]),
        ),
    ] {
        let told = told.map(|told| told.into_iter().map(str::to_owned).collect());
        assert_eq!(after(watch(), &commands).1, told, "{commands:?}");
    }
    // Behind QUIT nothing is read.
    let (session, _, _) = after(watch(), &[everything(), Command::Quit]);
    let mut session = session;
    let step = session.decode(b"anything at all", &mut Vec::new()).unwrap();
    assert_eq!((step.consumed, step.event), (0, None));
}

/// What a decision does to the message: a recipient that is refused leaves the others.
#[test]
fn decisions_and_the_message() {
    let decide = || wish("all", Interest::Decide);
    let refused = Decision::Refuse(refusal(550, "no"));
    let to_rcpt = [everything(), mail(), rcpt()];
    let to_data = [everything(), mail(), rcpt(), Command::Data];
    for (commands, decision, goes_on) in [
        (&to_rcpt[..], &Decision::Continue, true),
        (&to_rcpt, &Decision::TempFail, true),
        (&to_rcpt, &refused, true),
        (&to_rcpt[..2], &refused, false),
        (&to_rcpt[..2], &Decision::Accept, false),
        (&to_rcpt[..2], &Decision::TempFail, false),
        (&to_data, &refused, false),
        (&to_data, &Decision::Accept, false),
        (&to_data, &Decision::Continue, true),
    ] {
        let (mut session, _, mut out) = after(decide(), commands);
        session.answer(decision, &[], &mut out).unwrap();
        let next = packets(&[Command::EndOfHeaders]);
        let may = session.decode(&next, &mut out).is_ok();
        assert_eq!(may, goes_on, "{decision:?} on {commands:?}");
    }
    let (mut session, _, mut out) = after(decide(), &to_rcpt);
    let before = out.clone();
    let field = Change::Add(HeaderField::new("X", "y").unwrap());
    let accepts = session.answer(&Decision::Accept, &[], &mut out);
    assert_eq!(accepts, Err(Unanswerable::AcceptsOthers));
    let changes = session.answer(&Decision::Continue, &[field], &mut out);
    assert_eq!(changes, Err(Unanswerable::NotAtEnd));
    // Sendmail 8.18 drops the filter, having taken this recipient.
    assert_eq!(session.progress(&mut out), Err(Unanswerable::NotAtEnd));
    assert_eq!((&out, session.waits()), (&before, Some(Stage::Rcpt)));
    session.answer(&refused, &[], &mut out).unwrap();
    assert_eq!(read(&out).last(), Some(&Received::Refuse(b"550 5.7.10 no")));
    let again = session.answer(&refused, &[], &mut out);
    assert_eq!(again, Err(Unanswerable::NotAsked));
    assert_eq!(session.progress(&mut out), Err(Unanswerable::NotAsked));
}

/// Changes leave in the order of a mail server that counts anew after each deletion, and only where
/// the message goes on.
#[test]
fn changes_at_the_end() {
    let commands = [
        everything(),
        mail(),
        header("Hoplock"),
        header("Subject"),
        header("HOPLOCK "),
        header("Hoplock-Other"),
        Command::EndOfBody(b"tail"),
    ];
    let field = HeaderField::new("Hoplock", "ours").unwrap();
    let changes = [
        Change::Add(field.clone()),
        Change::Insert(1, field),
        Change::Quarantine(Words::new("100% held")),
    ];
    for leading_space in [true, false] {
        let steps = if leading_space {
            Steps::all()
        } else {
            Steps::NO_BODY
        };
        let mut commands = commands;
        commands[0] = offer(6, Actions::all(), steps);
        let (mut session, _, _) = after(wish("watch", Interest::Watch), &commands);
        let mut out = Vec::new();
        session.progress(&mut out).unwrap();
        session.progress(&mut out).unwrap();
        session
            .answer(&Decision::Continue, &changes, &mut out)
            .unwrap();
        let value: &[u8] = if leading_space { b" ours" } else { b"ours" };
        let expected = [
            Received::Progress,
            Received::Progress,
            Received::ChangeHeader(2, b"Hoplock", b""),
            Received::ChangeHeader(1, b"Hoplock", b""),
            Received::AddHeader(b"Hoplock", value),
            Received::InsertHeader(1, b"Hoplock", value),
            Received::Quarantine(b"100% held"),
            Received::Continue,
        ];
        assert_eq!(read(&out), expected);
    }
    for decision in [Decision::TempFail, Decision::Refuse(refusal(550, "no"))] {
        let (mut session, _, _) = after(wish("watch", Interest::Watch), &commands);
        let mut out = Vec::new();
        session.answer(&decision, &changes, &mut out).unwrap();
        assert_eq!(read(&out).len(), 1, "{decision:?}");
    }
    // Copies are counted anew in each message.
    let mut two = commands.to_vec();
    two.extend([
        mail(),
        header("Hoplock"),
        Command::Abort,
        mail(),
        Command::EndOfBody(b""),
    ]);
    let (mut session, _, _) = after(wish("watch", Interest::Watch), &two);
    let mut out = Vec::new();
    session.answer(&Decision::Continue, &[], &mut out).unwrap();
    assert_eq!(read(&out), [Received::Continue]);
}

/// What was not agreed is not written, and copies that cannot be deleted do not pass unsaid.
#[test]
fn nothing_is_changed_without_leave() {
    let field = HeaderField::new("X", "y").unwrap();
    for (granted, change) in [
        (Actions::QUARANTINE, Change::Add(field.clone())),
        (Actions::QUARANTINE, Change::Insert(0, field)),
        (Actions::ADD_HEADERS, Change::Quarantine(Words::new("x"))),
    ] {
        let commands = [
            offer(6, granted, Steps::all()),
            mail(),
            Command::EndOfBody(b""),
        ];
        let (mut session, _, _) = after(wish("watch", Interest::Watch), &commands);
        let mut out = Vec::new();
        let answer = session.answer(&Decision::Continue, &[change], &mut out);
        assert_eq!((answer, out.len()), (Err(Unanswerable::NotGranted), 0));
        assert_eq!(session.answer(&Decision::Continue, &[], &mut out), Ok(()));
    }
    let commands = [
        offer(6, Actions::ADD_HEADERS, Steps::all()),
        mail(),
        header("hoplock"),
        Command::EndOfBody(b""),
    ];
    let (mut session, _, mut out) = after(wish("watch", Interest::Watch), &commands);
    let answer = session.answer(&Decision::Continue, &[], &mut out);
    assert_eq!(answer, Err(Unanswerable::NotGranted));
    assert_eq!(session.answer(&Decision::TempFail, &[], &mut out), Ok(()));
}

/// As many copies as nobody has by accident: deferred, so that none of them passes for ours.
#[test]
fn countless_copies_are_deferred() {
    for (count, last) in [
        (COPIES_LIMIT, Received::Continue),
        (COPIES_LIMIT + 1, Received::TempFail),
    ] {
        let mut commands = vec![everything(), mail()];
        commands.extend((0..count).map(|_| header("Hoplock")));
        commands.push(Command::EndOfBody(b""));
        let (mut session, _, _) = after(wish("watch", Interest::Watch), &commands);
        let mut out = Vec::new();
        session.answer(&Decision::Continue, &[], &mut out).unwrap();
        let replies = read(&out);
        assert_eq!(replies.last(), Some(&last));
        assert!(replies.len() == 1 || replies.len() == 1 + COPIES_LIMIT as usize);
    }
}

/// Refusals as Postfix and Sendmail take them: a percent sign is doubled, lines are parted by CR LF.
#[test]
fn refusals_are_exact() {
    let mut out = Vec::new();
    Reply::Refuse(&refusal(550, "100% no\nsecond line")).encode(true, &mut out);
    let text = b"550-5.7.10 100%% no\r\n550 5.7.10 second line";
    assert_eq!(read(&out), [Received::Refuse(text)]);
    let mut out = Vec::new();
    Reply::Refuse(&refusal(451, "a\r\nQUIT\0")).encode(true, &mut out);
    let text = b"451-4.7.10 a\r\n451 4.7.10 QUIT?";
    assert_eq!(read(&out), [Received::Refuse(text)]);
}

/// Every reply without data is its letter.
#[test]
fn replies_are_letters() {
    for (reply, received) in [
        (Reply::Accept, Received::Accept),
        (Reply::Continue, Received::Continue),
        (Reply::Progress, Received::Progress),
        (Reply::Reject, Received::Reject),
        (Reply::Skip, Received::Skip),
        (Reply::TempFail, Received::TempFail),
    ] {
        let mut out = Vec::new();
        reply.encode(true, &mut out);
        assert_eq!(out, [0, 0, 0, 1, reply.letter()]);
        assert_eq!(read(&out), [received]);
    }
    for (command, data, why) in [
        (b'z', &b""[..], BadCommand::Unknown(b'z')),
        (b'm', b"\0\0", BadCommand::Strings),
        (b'h', b"X\0y", BadCommand::Strings),
        (b'y', b"550 x\0y\0", BadCommand::Strings),
        (b'O', b"\0\0\0\x06", BadCommand::Negotiation),
    ] {
        assert_eq!(decode_reply(Packet { command, data }), Err(why));
    }
}

/// Packets that say nothing are named, and octets are kept whatever they are.
#[test]
fn commands() {
    let parse = |command, data| Command::parse(Packet { command, data });
    for (command, data, why) in [
        (b'M', &b""[..], BadCommand::Strings),
        (b'M', b"<s@a.test>", BadCommand::Strings),
        (b'R', b"<s@a.test>\0SIZE=1", BadCommand::Strings),
        (b'L', b"Subject\0x", BadCommand::Strings),
        (b'L', b"Subject\0", BadCommand::Strings),
        (b'L', b"Subject", BadCommand::Strings),
        (b'H', b"client.test", BadCommand::Strings),
        (b'U', b"", BadCommand::Strings),
        (b'D', b"", BadCommand::Strings),
        (b'D', b"Ci\0", BadCommand::Strings),
        (b'D', b"Ci\0x", BadCommand::Strings),
        (b'C', b"host", BadCommand::Strings),
        (b'C', b"host\0", BadCommand::Peer),
        (b'C', b"host\0X", BadCommand::Peer),
        (b'C', b"host\x004\0", BadCommand::Peer),
        (b'C', b"host\x004\0\x19192.0.2.1", BadCommand::Strings),
        (b'O', b"\0\0\0\x06\0\0\0\0\0\0\0", BadCommand::Negotiation),
        (b'd', b"", BadCommand::Unknown(b'd')),
        (0, b"", BadCommand::Unknown(0)),
    ] {
        assert_eq!(parse(command, data), Err(why), "{command} {data:?}");
    }
    let peers = [
        (&b"h\0U"[..], Peer::Unknown),
        (b"h\0L\0\0/run/x\0", Peer::Unix(b"/run/x")),
        (
            b"h\x006\x04\x01IPv6:2001:db8::1\0",
            Peer::Inet {
                address: "2001:db8::1".parse().ok(),
                port: 1025,
            },
        ),
        (
            b"h\x006\0\x192001:db8::1\0",
            Peer::Inet {
                address: "2001:db8::1".parse().ok(),
                port: 25,
            },
        ),
        (
            b"h\x004\0\0somewhere\0",
            Peer::Inet {
                address: None,
                port: 0,
            },
        ),
    ];
    for (data, peer) in peers {
        let host = b"h";
        assert_eq!(
            parse(b'C', data),
            Ok(Command::Connect(Connect { host, peer }))
        );
    }
    let Ok(Command::Header(field)) = parse(b'L', b"X-A\0 a\0b\xff\n\tc \0") else {
        unreachable!("a header field");
    };
    assert_eq!(field.value, b" a\0b\xff\n\tc ");
    assert_eq!(field.trimmed(), b"a\0b\xff\n\tc");
    assert!(field.is("x-a") && !field.is("x-ab"));
    let Ok(Command::Rcpt(to)) = parse(b'R', b"r@odd.test\0NOTIFY=NEVER\0orcpt=rfc822;a=b\0X\0")
    else {
        unreachable!("a recipient");
    };
    assert_eq!(to.arguments().count(), 3);
    assert_eq!(to.argument("ORCPT"), Some(&b"rfc822;a=b"[..]));
    assert_eq!(
        (to.argument("x"), to.argument("notif")),
        (Some(&b""[..]), None)
    );
    let path = to.path().unwrap();
    assert_eq!(
        path.domain().map(ToString::to_string).as_deref(),
        Some("odd.test")
    );
    assert_eq!(Envelope::parse(b"<>\0").unwrap().path(), Ok(Path::Null));
}

/// Any command that a mail server can send.
fn command() -> impl proptest::strategy::Strategy<Value = Vec<u8>> {
    let octets = || vec(any::<u8>(), 0..12);
    let letters = "[ABCDEHKLMNOQRTU]";
    (letters, octets(), octets(), any::<bool>()).prop_map(|(letter, first, second, ends)| {
        let command = letter.bytes().next().unwrap_or_default();
        let mut data = [first, vec![0], second].concat();
        if ends {
            data.push(0);
        }
        let mut out = Vec::new();
        packet::encode(command, &data, &mut out);
        out
    })
}

proptest! {
    /// However a conversation is cut, the same comes out; and all of it passes the checks of the fuzz
    /// target.
    #[test]
    fn splits_change_nothing(
        first in any::<u8>(),
        commands in vec(command(), 0..20),
        size in 1_usize..40,
    ) {
        let mut stream = packets(&[everything(), mail()]);
        stream.extend(commands.concat());
        let whole = talk(wish("all", Interest::Decide), [&stream[..]]);
        let cut = talk(wish("all", Interest::Decide), stream.chunks(size));
        prop_assert_eq!(whole, cut);
        crate::fuzzing::milter(&[&[first], &stream[..]].concat());
    }

    /// Any bytes pass the checks of the fuzz target.
    #[test]
    fn any_bytes(bytes in vec(any::<u8>(), 0..200)) {
        crate::fuzzing::milter(&bytes);
    }
}
