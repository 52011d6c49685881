//! Requests as Postfix sent them, and broken ones.

use super::*;
use crate::mailbox::Path;

/// Postfix 3.7.11, at `RCPT TO:<"a b"@good.test>`, the second of a message.
const POSTFIX_3_7: &str = "\
request=smtpd_access_policy
protocol_state=RCPT
protocol_name=ESMTP
client_address=127.0.0.1
client_name=localhost
client_port=36936
reverse_client_name=localhost
server_address=127.0.0.1
server_port=2525
helo_name=client.test
sender=s@a.test
recipient=a b@good.test
recipient_count=0
queue_id=C7BB09A284A
instance=ae.6b089406.c6482.0
size=100
etrn_domain=
stress=
sasl_method=
sasl_username=
sasl_sender=
ccert_subject=
ccert_issuer=
ccert_fingerprint=
ccert_pubkey_fingerprint=
encryption_protocol=
encryption_cipher=
encryption_keysize=0
policy_context=

";

fn one(bytes: &[u8]) -> Result<Request<'_>, BadRequest> {
    let step = Decoder::new().decode(bytes);
    assert_eq!(step.consumed, bytes.len());
    step.found.unwrap()
}

/// The bytes of Postfix 3.7.11, attribute by attribute.
#[test]
fn what_postfix_sends_is_read() {
    let request = one(POSTFIX_3_7.as_bytes()).unwrap();
    let localhost = Some([127, 0, 0, 1].into());
    let expected = Request {
        protocol_state: ProtocolState::Rcpt,
        protocol_name: Some("ESMTP".into()),
        client_address: localhost,
        client_name: Some("localhost".into()),
        client_port: Some(36936),
        reverse_client_name: Some("localhost".into()),
        server_address: localhost,
        server_port: Some(2525),
        helo_name: Some("client.test".into()),
        sender: b"s@a.test",
        recipient: b"a b@good.test",
        queue_id: Some("C7BB09A284A".into()),
        instance: Some("ae.6b089406.c6482.0".into()),
        size: Some(100),
        ..Request::default()
    };
    assert_eq!(request, expected);
    let recipient = request.recipient_path().unwrap().unwrap();
    let Path::Mailbox(mailbox) = &recipient else {
        unreachable!("{recipient:?}");
    };
    assert_eq!(mailbox.local_part, "a b");
    assert_eq!(recipient.domain().unwrap().to_string(), "good.test");
    // Postfix 3.10.13 sends two more.
    let more = "policy_context=\ncompatibility_level=3.6\nmail_version=3.10.13\n";
    let text = POSTFIX_3_7.replace("policy_context=\n", more);
    let expected = Request {
        compatibility_level: Some("3.6".into()),
        mail_version: Some("3.10.13".into()),
        ..expected
    };
    assert_eq!(one(text.as_bytes()).unwrap(), expected);
}

/// Each attribute goes where it belongs; the order is of no consequence, nor is what is not known.
#[test]
fn attributes_are_typed() {
    let names = [
        "protocol_name",
        "client_name",
        "reverse_client_name",
        "helo_name",
        "queue_id",
        "instance",
        "etrn_domain",
        "stress",
        "sasl_method",
        "sasl_username",
        "sasl_sender",
        "ccert_subject",
        "ccert_issuer",
        "ccert_fingerprint",
        "ccert_pubkey_fingerprint",
        "encryption_protocol",
        "encryption_cipher",
        "policy_context",
        "compatibility_level",
        "mail_version",
    ];
    let mut lines: Vec<String> = names.map(|name| format!("{name}=v-{name}")).into();
    lines.extend(
        [
            "client_address=2001:db8::1",
            "server_address=192.0.2.25",
            "client_port=1025",
            "server_port=587",
            "recipient_count=3",
            "size=9000000000",
            "encryption_keysize=256",
            "sender=",
            "recipient=r@[192.0.2.1]",
            "protocol_state=END-OF-MESSAGE",
            "tls_feature_of_tomorrow=yes",
            "request=smtpd_access_policy",
        ]
        .map(str::to_owned),
    );
    let text = format!("{}\n\n", lines.join("\n"));
    let request = one(text.as_bytes()).unwrap();
    let v = |name: &str| Some(format!("v-{name}").into());
    let expected = Request {
        protocol_state: ProtocolState::EndOfMessage,
        protocol_name: v("protocol_name"),
        client_address: Some("2001:db8::1".parse().unwrap()),
        client_name: v("client_name"),
        client_port: Some(1025),
        reverse_client_name: v("reverse_client_name"),
        server_address: Some("192.0.2.25".parse().unwrap()),
        server_port: Some(587),
        helo_name: v("helo_name"),
        sender: b"",
        recipient: b"r@[192.0.2.1]",
        recipient_count: Some(3),
        queue_id: v("queue_id"),
        instance: v("instance"),
        size: Some(9_000_000_000),
        etrn_domain: v("etrn_domain"),
        stress: v("stress"),
        sasl_method: v("sasl_method"),
        sasl_username: v("sasl_username"),
        sasl_sender: v("sasl_sender"),
        ccert_subject: v("ccert_subject"),
        ccert_issuer: v("ccert_issuer"),
        ccert_fingerprint: v("ccert_fingerprint"),
        ccert_pubkey_fingerprint: v("ccert_pubkey_fingerprint"),
        encryption_protocol: v("encryption_protocol"),
        encryption_cipher: v("encryption_cipher"),
        encryption_keysize: Some(256),
        policy_context: v("policy_context"),
        compatibility_level: v("compatibility_level"),
        mail_version: v("mail_version"),
    };
    assert_eq!(request, expected);
    assert_eq!(request.sender_path(), Ok(Path::Null));
    lines.reverse();
    let reversed = format!("{}\n\n", lines.join("\n"));
    assert_eq!(one(reversed.as_bytes()).unwrap(), expected);
}

/// The steps of a session.
#[test]
fn protocol_states() {
    for (word, state) in [
        ("CONNECT", ProtocolState::Connect),
        ("EHLO", ProtocolState::Ehlo),
        ("HELO", ProtocolState::Helo),
        ("MAIL", ProtocolState::Mail),
        ("RCPT", ProtocolState::Rcpt),
        ("DATA", ProtocolState::Data),
        ("END-OF-MESSAGE", ProtocolState::EndOfMessage),
        ("VRFY", ProtocolState::Vrfy),
        ("ETRN", ProtocolState::Etrn),
        ("", ProtocolState::Missing),
        ("rcpt", ProtocolState::Other("rcpt".to_owned())),
    ] {
        let text = format!("request=smtpd_access_policy\nprotocol_state={word}\n\n");
        assert_eq!(one(text.as_bytes()).unwrap().protocol_state, state);
    }
}

/// The README: a value may hold `=` and blanks; the first of two counts; a CR may end lines, as a
/// person at a terminal writes them; nothing and `0` are not known.
#[test]
fn what_is_allowed() {
    let text = "request=smtpd_access_policy\r\nsender=a=b @c.test\r\nrecipient=r@good.test\r\n\
                recipient=r@evil.test\r\nclient_address=unknown\r\nclient_port=unknown\r\n\
                size=0\r\nsasl_username=\r\nx=\r\nx=\r\n\r\n";
    let request = one(text.as_bytes()).unwrap();
    assert_eq!(request.sender, b"a=b @c.test");
    assert_eq!(request.recipient, b"r@good.test");
    assert_eq!((request.client_address, request.client_port), (None, None));
    assert_eq!((request.size, &request.sasl_username), (None, &None));
    assert_eq!(request.protocol_state, ProtocolState::Missing);

    let octets = b"request=smtpd_access_policy\nhelo_name=\xffx\nrecipient=\xff@good.test\n\n";
    let request = one(octets).unwrap();
    assert_eq!(request.helo_name.as_deref(), Some("\u{fffd}x"));
    assert!(request.recipient_path().is_err());
    let none = one(b"request=smtpd_access_policy\nrecipient=\n\n").unwrap();
    assert_eq!(none.recipient_path(), Ok(None));
}

/// What is broken is told, ends with its blank line, and harms nothing behind it.
#[test]
fn broken_requests() {
    let long = format!(
        "request=smtpd_access_policy\nx={}\n\n",
        "v".repeat(LINE_LIMIT - 1)
    );
    let many = format!(
        "request=smtpd_access_policy\n{}\n",
        "x=\n".repeat(ATTRIBUTES_LIMIT)
    );
    for (text, why) in [
        ("\n", BadRequest::NoRequest),
        ("recipient=r@good.test\n\n", BadRequest::NoRequest),
        ("request=\n\n", BadRequest::NoRequest),
        ("request=junk\n\n", BadRequest::UnknownRequest),
        (
            "request=smtpd_access_policy \n\n",
            BadRequest::UnknownRequest,
        ),
        (
            "request=smtpd_access_policy\nrecipient\n\n",
            BadRequest::NoAttribute,
        ),
        (
            "request=smtpd_access_policy\n=r@good.test\n\n",
            BadRequest::NoAttribute,
        ),
        ("GET / HTTP/1.1\r\n\r\n", BadRequest::NoAttribute),
        (
            "request=smtpd_access_policy\nsender=a\0b\n\n",
            BadRequest::Control,
        ),
        (
            "request=smtpd_access_policy\nsender=a\rb\n\n",
            BadRequest::Control,
        ),
        (
            "request=smtpd_access_policy\ns\0=a\n\n",
            BadRequest::Control,
        ),
        (
            "request=smtpd_access_policy\nsize=1e9\n\n",
            BadRequest::NotNumber("size"),
        ),
        (
            "request=smtpd_access_policy\nsize=-1\n\n",
            BadRequest::NotNumber("size"),
        ),
        (
            "request=smtpd_access_policy\nclient_port=65536\n\n",
            BadRequest::NotNumber("client_port"),
        ),
        (&long, BadRequest::LineTooLong),
        (&many, BadRequest::TooManyAttributes),
    ] {
        let both = format!("{text}{POSTFIX_3_7}");
        let (found, _) = read([both.as_bytes()]);
        assert_eq!(found.len(), 2, "{text:?}");
        assert_eq!(
            found[0],
            format!("{:?}", Err::<Request<'_>, _>(why)),
            "{text:?}"
        );
        assert!(found[1].starts_with("Ok("), "{text:?}");
    }
    let whole = format!(
        "request=smtpd_access_policy\nx={}\n\n",
        "v".repeat(LINE_LIMIT - 2)
    );
    assert!(one(whole.as_bytes()).is_ok());
    let whole = format!(
        "request=smtpd_access_policy\n{}\n",
        "x=\n".repeat(ATTRIBUTES_LIMIT - 1)
    );
    assert!(one(whole.as_bytes()).is_ok());
}

/// The limit holds to the byte, however the bytes come and however the lines end.
#[test]
fn the_request_limit_holds_to_the_byte() {
    for (ending, room) in [("\n", 0), ("\r\n", 1)] {
        for (more, is_read) in [(0, true), (1, false)] {
            let mut text = format!("request=smtpd_access_policy{ending}");
            let left = REQUEST_LIMIT + more - room - text.len();
            let full = format!("x={}{ending}", "v".repeat(1021 - ending.len()));
            text.push_str(&full.repeat(left / 1023));
            let last = left % 1023;
            text.push_str(&format!(
                "x={}{ending}",
                "v".repeat(last - 2 - ending.len())
            ));
            assert_eq!(text.len(), REQUEST_LIMIT + more - room);
            text.push_str(ending);
            for size in [1, 1000, usize::MAX] {
                let (found, _) = read(text.as_bytes().chunks(size.min(text.len())));
                assert_eq!(found.len(), 1);
                assert_eq!(
                    found[0].starts_with("Ok("),
                    is_read,
                    "{more} {ending:?} {size}"
                );
            }
        }
    }
}

/// A request without an end is not kept; when it ends it is told, once, and the next one is read.
#[test]
fn an_endless_request_is_not_kept() {
    for junk in [
        vec![b'x'; 3 * REQUEST_LIMIT],
        b"a=b\n".repeat(REQUEST_LIMIT),
        b"\rx\n".repeat(REQUEST_LIMIT),
        [vec![b'\r'; REQUEST_LIMIT + 1], b"x".to_vec()].concat(),
    ] {
        for size in [1, 7, 4096, usize::MAX] {
            let mut bytes = junk.clone();
            bytes.extend_from_slice(b"end\r\n\r\n");
            bytes.extend_from_slice(POSTFIX_3_7.as_bytes());
            let (found, most) = read(bytes.chunks(size.min(bytes.len())));
            assert_eq!(found.len(), 2, "{size}");
            assert_eq!(found[0], "Err(TooLong)");
            assert!(found[1].starts_with("Ok("));
            assert!(most <= REQUEST_LIMIT, "{most} bytes were kept");
        }
    }
}
