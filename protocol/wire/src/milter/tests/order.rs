//! What may come when, and what a decision leaves of a message.

use super::*;

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
