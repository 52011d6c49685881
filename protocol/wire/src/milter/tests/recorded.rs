//! Whole conversations as Postfix and Sendmail had them.

use data_encoding::HEXLOWER;

use super::*;

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
