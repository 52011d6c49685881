//! What a message is changed by.

use super::*;
use crate::refusal::Words;

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
