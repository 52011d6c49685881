//! Single commands and replies.

use super::*;
use crate::mailbox::Path;
use crate::milter::packet::Packet;

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
            // Sendmail 8.18.1.
            b"h\x006\x88\xc2IPv6:0:0:0:0:0:0:0:1\0",
            Peer::Inet {
                address: "::1".parse().ok(),
                port: 35010,
            },
        ),
        (
            // Postfix 3.7.11.
            b"h\x006\xbd0::1\0",
            Peer::Inet {
                address: "::1".parse().ok(),
                port: 48432,
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
