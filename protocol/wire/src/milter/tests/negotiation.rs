//! What is agreed on, and what follows from it.

use super::*;

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
