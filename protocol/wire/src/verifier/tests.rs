//! Keys as Sendmail writes them, and those that it does not.

use std::net::IpAddr;

use proptest::prelude::{any, proptest};

use super::{Answer, BadKey, Shown, Verify, decode};
use crate::netstring;
use crate::socketmap::REPLY_LIMIT;

const DIGEST: &str = "3a:ab:1b:51:00:00:00:00:00:00:00:00:00:00:00:00:00:00:00:00:00:00:00:00:00:00:00:00:00:00:00:69";

fn text(answer: &Answer) -> String {
    let mut out = Vec::new();
    answer.reply().encode(REPLY_LIMIT, &mut out);
    let frame = netstring::decode(&out, REPLY_LIMIT).unwrap().unwrap();
    String::from_utf8(frame.payload.to_vec()).unwrap()
}

/// SV-10: the bytes that Sendmail 8.17 and 8.18 were seen to write.
#[test]
fn a_session_is_read() {
    let key = format!(
        "u@good.test | mx.good.test | 127.0.1.1 | ok | tlsv1.3 | {DIGEST} |/cn=mx.good.test | mx.good.test \
         | test+20intermediate+20ca"
    );
    let own = decode(&key).unwrap();
    assert_eq!((own.recipient, own.domain), ("u@good.test", "good.test"));
    assert_eq!(own.server_name, Some("mx.good.test"));
    assert_eq!(own.server_addr, Some(IpAddr::from([127, 0, 1, 1])));
    assert_eq!(own.verify, Verify::Ok);
    assert_eq!(own.tls_version, Some("tlsv1.3"));
    let Shown::Sha256(digest) = own.certificate else {
        unreachable!("{own:?}");
    };
    assert_eq!((digest.first(), digest.last()), (Some(&0x3a), Some(&0x69)));
    assert_eq!(own.subject, "/cn=mx.good.test");
    assert_eq!(
        (own.subject_name, own.issuer_name),
        ("mx.good.test", "test+20intermediate+20ca")
    );
}

/// SV-10: a session without TLS is a session; so is one of which Sendmail knows nothing, with `-f` or
/// without it, with blanks or without them.
#[test]
fn what_is_empty_is_unknown() {
    for key in [
        "u@good.test | mx.good.test | 127.0.1.1 | none | | | | |",
        "u@good.test|mx.good.test|127.0.1.1|NONE|||||",
        "<U@Good.Test.>|mx.good.test|[127.0.1.1]|None||  ||| ",
    ] {
        let own = decode(key).unwrap();
        assert!(own.domain.eq_ignore_ascii_case("good.test"), "{key}");
        assert_eq!(own.server_addr, Some(IpAddr::from([127, 0, 1, 1])));
        assert_eq!((own.verify, own.tls_version), (Verify::None, None));
        assert_eq!(own.certificate, Shown::Nothing);
    }
    let own = decode("u@good.test||||||||").unwrap();
    assert_eq!((own.server_name, own.server_addr), (None, None));
    assert_eq!(own.verify, Verify::Absent);
}

/// SV-10: addresses, as `anynet_ntoa` of Sendmail writes them.
#[test]
fn addresses_are_read() {
    for text in [
        "ipv6:2001:db8::1",
        "IPv6:2001:DB8::1",
        "[ipv6:2001:db8:0::1]",
    ] {
        let key = format!("u@good.test|mx.good.test|{text}|ok|tlsv1.2||||");
        let address = decode(&key).unwrap().server_addr;
        assert_eq!(address, Some("2001:db8::1".parse().unwrap()), "{text}");
    }
}

/// SV-10: whichever part of a key somebody else has written, a mail's author or a host, moves no other
/// into its place.
#[test]
fn nobody_forges_a_field() {
    let session = format!("mx.good.test|127.0.1.1|ok|tlsv1.3|{DIGEST}");
    for (key, fields) in [
        (format!("u@good.test|{session}||"), 8),
        (format!("u@good.test|{session}|/cn=a|b|mx|ca"), 10),
        (
            format!("\"u@good.test|{session}|||\"@evil.test|{session}|||"),
            17,
        ),
        ("u@good.test".to_owned(), 1),
    ] {
        assert_eq!(decode(&key), Err(BadKey::Fields(fields)), "{key}");
    }
    let quoted = decode("\"a@good.test\"@evil.test|mx|||||||").unwrap();
    assert_eq!(quoted.domain, "evil.test");
}

/// SV-10: each way to be no key has its name.
#[test]
fn bad_keys_are_named() {
    let not = BadKey::Not;
    for (key, why) in [
        ("u|mx|||||||", BadKey::Recipient),
        ("@good.test|mx|||||||", BadKey::Recipient),
        ("u@|mx|||||||", BadKey::Recipient),
        ("u@.|mx|||||||", BadKey::Recipient),
        ("u@good test|mx|||||||", BadKey::Recipient),
        ("u@good.test|m x|||||||", not("a host name")),
        ("u@good.test|mx|127.1|||||| ", not("an address")),
        ("u@good.test|mx||o k|||||", not("a word of ${verify}")),
        ("u@good.test|mx|||tls v1|||| ", not("a version of TLS")),
        ("u@good.test|mx|\u{1}||||||", BadKey::Control),
        (
            "u@good.test|mx||ok|tlsv1|3a:a|||",
            not("a digest in hexadecimal with colons"),
        ),
        (
            "u@good.test|mx||ok|tlsv1|3a:+b|||",
            not("a digest in hexadecimal with colons"),
        ),
    ] {
        assert_eq!(decode(key), Err(why), "{key}");
    }
    // MD5, as Sendmail takes where it is not told otherwise.
    let md5 = "u@good.test|mx||ok|tlsv1|3a:ab:3a:ab:3a:ab:3a:ab:3a:ab:3a:ab:3a:ab:3a:ab|||";
    assert_eq!(decode(md5).unwrap().certificate, Shown::OtherDigest);
}

/// SV-10: the words of Sendmail, and which of them tell of a finished handshake.
#[test]
fn words_of_sendmail() {
    for (word, is_encrypted) in [
        ("OK", true),
        ("TRUSTED", true),
        ("DANE_FAIL", true),
        ("FAIL", true),
        ("NO", true),
        ("NOT", true),
        ("NONE", false),
        ("CLEAR", false),
        ("TEMP", false),
        ("PROTOCOL", false),
        ("SOFTWARE", false),
        ("CONFIG", false),
    ] {
        let own = Verify::parse(&word.to_lowercase());
        assert_eq!((own.word(), own.is_encrypted()), (word, is_encrypted));
    }
    assert_eq!(Verify::parse(""), Verify::Absent);
    assert_eq!(Verify::parse("okay"), Verify::Other);
    assert!(!Verify::Absent.is_encrypted() && !Verify::Other.is_encrypted());
}

/// SV-10: `OK ok` lets mail go, and nothing else is that; what Sendmail would read as a comment, a
/// quotation or a route stands in no answer.
#[test]
fn answers_are_exact() {
    assert_eq!(text(&Answer::Ok), "OK ok");
    for (reason, words, expected) in [
        (
            "tlsa-no-match",
            "no record matches",
            "OK tlsa-no-match: no record matches",
        ),
        ("ok", "", "OK ok:"),
        ("", "ok", "OK refused: ok"),
        ("a", "(b) \"c\" <d> ;$1 e\\\r\nok", "OK a: b c d 1 e ok"),
        ("(", "\u{fc}", "OK refused:"),
    ] {
        assert_eq!(text(&Answer::refuse(reason, words)), expected);
    }
    let deadline = Answer::unavailable("deadline", "later");
    assert_eq!(text(&deadline), "TEMP deadline: later");
    let long = text(&Answer::refuse("a", &"b ".repeat(1000)));
    assert!(long.len() <= 203, "{}", long.len());
}

proptest! {
    /// SV-10: any bytes at all pass the checks of the fuzz target.
    #[test]
    fn garbage_is_answered(bytes in proptest::collection::vec(any::<u8>(), 0..96)) {
        crate::fuzzing::verifier_key(&bytes);
    }

    /// SV-10: as above, for bytes that come near a key.
    #[test]
    fn near_keys_are_answered(
        text in "[a-z@.\"<> ]{0,12}([|][a-z0-9:.\\[\\] ]{0,8}){6,9}",
    ) {
        crate::fuzzing::verifier_key(text.as_bytes());
    }
}
