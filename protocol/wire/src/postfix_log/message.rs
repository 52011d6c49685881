//! The text of a line: Postfix's words, and the fields between them.
//!
//! After `tls_client.c`, `tls_misc.c`, `tls_verify.c`, `tls_dane.c`, `tlsrpt_wrapper.c`, `log_adhoc.c`
//! and smtp(8) of Postfix 3.7 to 3.11. Text that a server or a sender can choose stands behind all
//! that is read of a line, or its end is found from the end of the line.

use nom::branch::alt;
use nom::bytes::complete::{escaped, tag, take_till, take_till1, take_until, take_while1};
use nom::character::complete::{anychar, char, none_of, u16, u32};
use nom::combinator::{all_consuming, map, map_opt, opt, recognize, rest, success, value};
use nom::sequence::{delimited, preceded, terminated};
use nom::{IResult, Parser};

use super::event::{
    CertificateLine, DeliveryLine, DeliveryStatus, Event, Fingerprint, Peer, TlsConnection,
    TlsrptLine, Trouble, TrustLevel,
};

/// The event of one message, or `None`.
pub(super) fn event(message: &str) -> Option<Event<'_>> {
    let (_, event) = alt((
        starting,
        connection,
        verification_failed,
        handshake_failed,
        library_problem,
        offered,
        tlsrpt,
        delivery,
        given_up,
        of_peer,
    ))
    .parse(message)
    .ok()?;
    Some(event)
}

type Parsed<'a, T = Event<'a>> = IResult<&'a str, T>;

fn word(input: &str) -> Parsed<'_, &str> {
    take_till1(|c| c == ' ')(input)
}

/// `host[address]:port`, or without the port.
fn peer(input: &str) -> Parsed<'_, Peer<'_>> {
    let (rest, host) = take_till1(|c: char| c == '[' || c.is_whitespace())(input)?;
    let address = map_opt(take_till(|c| c == ']'), |text: &str| text.parse().ok());
    let (rest, address) = delimited(char('['), address, char(']')).parse(rest)?;
    let (rest, port) = opt(preceded(char(':'), u16)).parse(rest)?;
    let peer = Peer {
        host,
        address,
        port,
    };
    Ok((rest, peer))
}

fn starting(input: &str) -> Parsed<'_> {
    let line = preceded(tag("setting up TLS connection to "), peer);
    map(all_consuming(line), Event::Starting).parse(input)
}

fn connection(input: &str) -> Parsed<'_> {
    let (rest, trust) = terminated(trust, tag(" TLS connection ")).parse(input)?;
    let (rest, reused) = alt((
        value(false, tag("established to ")),
        value(true, tag("reused to ")),
    ))
    .parse(rest)?;
    let (rest, peer) = terminated(peer, tag(": ")).parse(rest)?;
    let (rest, tls_version) = terminated(word, tag(" with cipher ")).parse(rest)?;
    let (rest, cipher) = terminated(word, tag(" (")).parse(rest)?;
    let (rest, bits) = terminated(u32, char('/')).parse(rest)?;
    let (details, _) = (u32, tag(" bits)")).parse(rest)?;
    let connection = TlsConnection {
        trust,
        reused,
        peer,
        tls_version,
        cipher,
        bits,
        details: details.trim(),
    };
    Ok(("", Event::Connection(connection)))
}

fn trust(input: &str) -> Parsed<'_, TrustLevel> {
    map_opt(word, |word| {
        TrustLevel::ALL.into_iter().find(|own| own.word() == word)
    })
    .parse(input)
}

fn verification_failed(input: &str) -> Parsed<'_> {
    let whose = opt(alt((tag("server "), tag("CA "))));
    let head = (whose, tag("certificate verification failed for "));
    let (words, peer) = delimited(head, peer, tag(": ")).parse(input)?;
    Ok(("", Event::VerificationFailed { peer, words }))
}

fn handshake_failed(input: &str) -> Parsed<'_> {
    let head = tag("SSL_connect error to ");
    let (words, peer) = delimited(head, peer, tag(": ")).parse(input)?;
    Ok(("", Event::HandshakeFailed { peer, words }))
}

fn library_problem(input: &str) -> Parsed<'_> {
    let (words, _) = tag("warning: TLS library problem: ")(input)?;
    Ok(("", Event::LibraryProblem { words }))
}

fn offered(input: &str) -> Parsed<'_> {
    let host = take_till1(|c| c == ']');
    let line = delimited(tag("Host offered STARTTLS: ["), host, char(']'));
    map(all_consuming(line), |host| Event::Offered { host }).parse(input)
}

fn tlsrpt(input: &str) -> Parsed<'_> {
    let (rest, failed) = preceded(
        tag("TLSRPT: status="),
        alt((value(false, tag("success")), value(true, tag("failure")))),
    )
    .parse(input)?;
    let (rest, domain) = preceded(tag(", domain="), take_until(", ")).parse(rest)?;
    // Where no connection was made, Postfix writes "(null)[(null)]".
    let no_peer = value(None, take_till1(|c| c == ','));
    let whom = alt((map(peer, Some), no_peer));
    let (rest, peer) = preceded(tag(", receiving_mx="), whom).parse(rest)?;
    let kind = preceded(tag(", failure_type="), take_till1(|c| c == ','));
    let (rest, failure) = opt(kind).parse(rest)?;
    let reason = preceded(tag(", failure_reason="), take_while1(|_| true));
    let (rest, reason) = opt(reason).parse(rest)?;
    if failed != failure.is_some() {
        return Err(nom::Err::Error(nom::error::make_error(
            input,
            nom::error::ErrorKind::Verify,
        )));
    }
    let line = TlsrptLine {
        domain,
        peer,
        failure,
        reason,
    };
    Ok((rest, Event::Tlsrpt(line)))
}

/// `4c1P6x…: `.
fn queue_id(input: &str) -> Parsed<'_, &str> {
    let id = take_while1(|c: char| c.is_ascii_alphanumeric() || c == '_');
    terminated(id, tag(": ")).parse(input)
}

fn delivery(input: &str) -> Parsed<'_> {
    let field = || take_till(|c| c == ',');
    let (rest, queue_id) = queue_id(input)?;
    let (rest, recipient) = delimited(tag("to=<"), address, char('>')).parse(rest)?;
    let original = delimited(tag(", orig_to=<"), address, char('>'));
    let (rest, _) = opt(original).parse(rest)?;
    let (rest, relay) = preceded(tag(", relay="), field()).parse(rest)?;
    let (rest, uses) = opt(preceded(tag(", conn_use="), u32)).parse(rest)?;
    let (rest, _) = preceded(tag(", delay="), field()).parse(rest)?;
    let (rest, delays) = preceded(tag(", delays="), field()).parse(rest)?;
    let (rest, tls) = opt(preceded(tag(", tls="), field())).parse(rest)?;
    let (rest, dsn) = preceded(tag(", dsn="), field()).parse(rest)?;
    let status = map_opt(word, DeliveryStatus::parse);
    let (text, status) = delimited(tag(", status="), status, tag(" (")).parse(rest)?;
    // A long text is cut by syslog, and its bracket with it.
    let text = text.strip_suffix(')').unwrap_or(text);
    let line = DeliveryLine {
        queue_id,
        recipient,
        relay: all_consuming(peer).parse(relay).ok().map(|(_, peer)| peer),
        connection_use: uses.unwrap_or(1),
        delays,
        tls,
        dsn,
        status,
        text,
        trouble: trouble(text),
    };
    Ok(("", Event::Delivery(line)))
}

/// A mail address up to its `>`. A quoted local part may hold a `>` and all that follows in a
/// delivery line; whoever writes to such an address must not write our log.
fn address(input: &str) -> Parsed<'_, &str> {
    let inside = opt(escaped(none_of("\\\""), '\\', anychar));
    let quoted = delimited(char('"'), inside, char('"'));
    alt((
        recognize((quoted, take_till(|c| c == '>'))),
        take_until(">, "),
    ))
    .parse(input)
}

fn given_up(input: &str) -> Parsed<'_> {
    let (words, queue_id) = queue_id(input)?;
    let (_, trouble) = map_opt(success(words), trouble).parse(input)?;
    let event = Event::GivenUp {
        queue_id,
        trouble,
        words,
    };
    Ok(("", event))
}

/// What Postfix's sentence says of TLS.
fn trouble(text: &str) -> Option<Trouble<'_>> {
    let required = || tag("TLS is required, but ");
    let not_offered = preceded((required(), tag("was not offered by host ")), peer);
    let refused = delimited(
        (required(), tag("host ")),
        peer,
        tag(" refused to start TLS: "),
    );
    let lost = delimited(tag("lost connection with "), peer, tag(" while "));
    let timed_out = delimited(tag("conversation with "), peer, tag(" timed out while "));
    let (_, trouble) = alt((
        map(all_consuming(not_offered), Trouble::NotOffered),
        map(refused, Trouble::Refused),
        map(alt((lost, timed_out)), Trouble::ConnectionLost),
        value(
            Trouble::HandshakeFailed,
            all_consuming(tag("Cannot start TLS: handshake failure")),
        ),
        value(
            Trouble::NotVerified,
            all_consuming(tag("Server certificate not verified")),
        ),
    ))
    .parse(text)
    .ok()?;
    Some(trouble)
}

/// Lines of level 2 that begin with the other end.
fn of_peer(input: &str) -> Parsed<'_> {
    let (words, peer) = terminated(peer, tag(": ")).parse(input)?;
    let raw_key = preceded(tag("raw public key fingerprint="), rest);
    let resumed = alt((
        recognize(all_consuming(tag("Reusing old session"))),
        tag("re-using session with untrusted "),
    ));
    let matched = recognize((alt((tag("Matched "), tag("matched peername: "))), rest));
    alt((
        map_opt(preceded(tag("subject_CN="), rest), move |words| {
            let (subject, issuer, certificate, key) = certificate(words)?;
            Some(Event::Certificate(CertificateLine {
                peer,
                subject,
                issuer,
                certificate: Some(certificate),
                key,
            }))
        }),
        map_opt(raw_key, move |words| {
            Some(Event::Certificate(CertificateLine {
                peer,
                subject: "",
                issuer: "",
                certificate: None,
                key: Fingerprint::parse(words)?,
            }))
        }),
        value(Event::Resumed(peer), resumed),
        map(matched, move |words| Event::Matched { peer, words }),
    ))
    .parse(words)
}

/// Subject, issuer, and the fingerprints of certificate and key.
///
/// The names are the server's, and may look like fingerprints; the true ones stand last, and are
/// nothing but digits and colons.
fn certificate(words: &str) -> Option<(&str, &str, Fingerprint, Fingerprint)> {
    FORMATS.iter().find_map(|[issuer, certificate, key]| {
        let (names, key) = words.rsplit_once(key)?;
        let (names, certificate) = names.rsplit_once(certificate)?;
        let (subject, issuer) = names.split_once(issuer)?;
        let certificate = Fingerprint::parse(certificate)?;
        Some((subject, issuer, certificate, Fingerprint::parse(key)?))
    })
}

const FORMATS: [[&str; 3]; 2] = [
    [", issuer=", ", cert fingerprint=", ", pkey fingerprint="],
    [", issuer_CN=", ", fingerprint=", ", pkey_fingerprint="],
];

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use proptest::prelude::{prop_assert_eq, proptest};

    use super::event;
    use crate::postfix_log::{
        CertificateLine, DeliveryLine, DeliveryStatus, Event, Fingerprint, Peer, TlsConnection,
        TlsrptLine, Trouble, TrustLevel,
    };

    fn peer<'a>(host: &'a str, address: &str) -> Peer<'a> {
        Peer {
            host,
            address: address.parse().unwrap(),
            port: Some(25),
        }
    }

    fn portless<'a>(host: &'a str, address: &str) -> Peer<'a> {
        Peer {
            port: None,
            ..peer(host, address)
        }
    }

    /// SV-01: protocol, cipher and host of Postfix 3.7, of 3.10, of TLS 1.1 and of reused connections.
    #[test]
    fn connections() {
        let good = || peer("mx.good.test", "127.0.1.1");
        let connection = |trust, peer, details| TlsConnection {
            trust,
            reused: false,
            peer,
            tls_version: "TLSv1.3",
            cipher: "TLS_AES_256_GCM_SHA384",
            bits: 256,
            details,
        };
        for (message, expected) in [
            (
                "Verified TLS connection established to mx.good.test[127.0.1.1]:25: TLSv1.3 with \
                 cipher TLS_AES_256_GCM_SHA384 (256/256 bits) key-exchange X25519 server-signature \
                 ECDSA (prime256v1) server-digest SHA256",
                connection(
                    TrustLevel::Verified,
                    good(),
                    "key-exchange X25519 server-signature ECDSA (prime256v1) server-digest SHA256",
                ),
            ),
            (
                "Trusted TLS connection established to mx.good.test[127.0.1.1]:25: TLSv1.3 with \
                 cipher TLS_AES_256_GCM_SHA384 (256/256 bits) key-exchange x25519",
                connection(TrustLevel::Trusted, good(), "key-exchange x25519"),
            ),
            (
                "Untrusted TLS connection established to mx.good.test[127.0.1.1]:25: TLSv1.1 with \
                 cipher ECDHE-ECDSA-AES256-SHA (256/256 bits)",
                TlsConnection {
                    tls_version: "TLSv1.1",
                    cipher: "ECDHE-ECDSA-AES256-SHA",
                    ..connection(TrustLevel::Untrusted, good(), "")
                },
            ),
            (
                "Anonymous TLS connection reused to mx6.test[2001:db8::25]:25: TLSv1.2 with cipher \
                 AECDH-AES128-SHA (128/128 bits)",
                TlsConnection {
                    reused: true,
                    tls_version: "TLSv1.2",
                    cipher: "AECDH-AES128-SHA",
                    bits: 128,
                    ..connection(TrustLevel::Anonymous, peer("mx6.test", "2001:db8::25"), "")
                },
            ),
            (
                "Verified TLS connection established to 2001:db8::1[2001:db8::1]:587: TLSv1.3 with \
                 cipher TLS_AES_256_GCM_SHA384 (256/256 bits)",
                TlsConnection {
                    peer: Peer {
                        port: Some(587),
                        ..peer("2001:db8::1", "2001:db8::1")
                    },
                    ..connection(TrustLevel::Verified, good(), "")
                },
            ),
        ] {
            assert_eq!(
                event(message),
                Some(Event::Connection(expected)),
                "{message}"
            );
        }
    }

    /// SV-01: fingerprints in the words of both versions, and of a raw key.
    #[test]
    fn certificates() {
        let line = |subject, issuer, certificate: &str, key: &str| {
            Event::Certificate(CertificateLine {
                peer: peer("mx.dane.test", "127.0.1.1"),
                subject,
                issuer,
                certificate: Fingerprint::parse(certificate),
                key: Fingerprint::parse(key).unwrap(),
            })
        };
        let head = "mx.dane.test[127.0.1.1]:25: ";
        for (rest, expected) in [
            (
                "subject_CN=mx.good.test, issuer_CN=Test Intermediate CA, fingerprint=3A:AB:01, \
                 pkey_fingerprint=BE:70",
                line("mx.good.test", "Test Intermediate CA", "3a:ab:1f", "be:70"),
            ),
            (
                "subject_CN=mx.good.test, issuer=Test Intermediate CA, cert fingerprint=3A:AB:01, \
                 pkey fingerprint=BE:70",
                line("mx.good.test", "Test Intermediate CA", "3a:ab:1f", "be:70"),
            ),
            (
                "subject_CN=, issuer=, cert fingerprint=00, pkey fingerprint=FF",
                line("", "", "00", "ff"),
            ),
            (
                "raw public key fingerprint=BE:70",
                line("", "", "", "be:70"),
            ),
        ] {
            let message = format!("{head}{rest}").replace(":01", ":1F");
            assert_eq!(event(&message), Some(expected), "{message}");
        }
        for bad in [
            "subject_CN=mx, issuer=CA, cert fingerprint=3A:AB, pkey fingerprint=",
            "subject_CN=mx, issuer=CA, cert fingerprint=3A:A, pkey fingerprint=BE",
            "subject_CN=mx, issuer=CA, cert fingerprint=3AAB, pkey fingerprint=BE",
            "subject_CN=mx, issuer=CA, cert fingerprint=3A:AB",
            "subject_CN=mx, issuer=CA",
            "subject_CN=mx, issuer_CN=CA, cert fingerprint=3A, pkey fingerprint=BE",
            "raw public key fingerprint=",
            "raw public key fingerprint=BE:70:",
        ] {
            assert_eq!(event(&format!("{head}{bad}")), None, "{bad}");
        }
    }

    /// SV-11: names are the server's, and may forge fields; what Postfix adds behind them counts.
    #[test]
    fn a_forged_name_forges_no_fingerprint() {
        for forged in [
            "x, issuer=y, cert fingerprint=AA, pkey fingerprint=AA",
            "x, issuer_CN=y, fingerprint=AA, pkey_fingerprint=AA",
            "x, cert fingerprint=AA, pkey fingerprint=AA, issuer=",
            ", pkey fingerprint=",
            ", pkey_fingerprint=AA",
        ] {
            for format in [
                [
                    "",
                    ", issuer=",
                    ", cert fingerprint=BB, pkey fingerprint=CC",
                ],
                ["", ", issuer_CN=", ", fingerprint=BB, pkey_fingerprint=CC"],
            ] {
                for names in [["mx", forged], [forged, "CA"], [forged, forged]] {
                    let [_, issuer, end] = format;
                    let [subject, from] = names;
                    let message =
                        format!("mx[192.0.2.1]:25: subject_CN={subject}{issuer}{from}{end}");
                    let Some(Event::Certificate(line)) = event(&message) else {
                        panic!("{message}")
                    };
                    assert_eq!(line.certificate, Fingerprint::parse("BB"), "{message}");
                    assert_eq!(Some(line.key), Fingerprint::parse("CC"), "{message}");
                }
            }
        }
    }

    /// SV-03: failures of certificate and handshake, as measured.
    #[test]
    fn failures() {
        for (message, host, address, expected) in [
            (
                "server certificate verification failed for mx.wrong.test[127.0.1.3]:25: \
                 num=62:hostname mismatch",
                "mx.wrong.test",
                "127.0.1.3",
                "num=62:hostname mismatch",
            ),
            (
                "CA certificate verification failed for mx.good.test[127.0.1.1]:25: \
                 num=65:no matching DANE TLSA records",
                "mx.good.test",
                "127.0.1.1",
                "num=65:no matching DANE TLSA records",
            ),
            (
                "certificate verification failed for mx.self.test[127.0.1.2]:25: \
                 self-signed certificate",
                "mx.self.test",
                "127.0.1.2",
                "self-signed certificate",
            ),
        ] {
            let peer = peer(host, address);
            let words = expected;
            assert_eq!(
                event(message),
                Some(Event::VerificationFailed { peer, words })
            );
        }
        for words in ["-1", "Connection timed out", "lost connection"] {
            let message = format!("SSL_connect error to mx.badtls.test[127.0.1.7]:25: {words}");
            let peer = peer("mx.badtls.test", "127.0.1.7");
            assert_eq!(
                event(&message),
                Some(Event::HandshakeFailed { peer, words })
            );
        }
        let words = "error:0A00010B:SSL routines::wrong version number:ssl3_record.c:331:";
        let message = format!("warning: TLS library problem: {words}");
        assert_eq!(event(&message), Some(Event::LibraryProblem { words }));
    }

    /// SV-01: the smaller lines of level 2, and the offer that was not taken.
    #[test]
    fn small_lines() {
        let peer = peer("mx.dane.test", "127.0.1.1");
        let whose = "mx.dane.test[127.0.1.1]:25";
        let matched = "Matched DANE EE certificate at depth 0: 3 1 1 BE70";
        for (message, expected) in [
            (
                format!("setting up TLS connection to {whose}"),
                Event::Starting(peer),
            ),
            (
                format!("{whose}: Reusing old session"),
                Event::Resumed(peer),
            ),
            (
                format!(
                    "{whose}: re-using session with untrusted peer credential, look for details \
                     earlier in the log"
                ),
                Event::Resumed(peer),
            ),
            (
                format!("{whose}: {matched}"),
                Event::Matched {
                    peer,
                    words: matched,
                },
            ),
            (
                "Host offered STARTTLS: [mx.dane.test]".to_owned(),
                Event::Offered {
                    host: "mx.dane.test",
                },
            ),
        ] {
            assert_eq!(event(&message), Some(expected), "{message}");
        }
        for other in [
            "mx.dane.test[127.0.1.1]:25: TLS cipher list \"aNULL:-aNULL:HIGH\"",
            "mx.dane.test[127.0.1.1]:25: depth=0 verify=1 subject=/CN=mx",
            "connect to mx.test[192.0.2.1]:25: Connection refused",
            "SSL_connect:before SSL initialization",
            "4c1P6x: host mx.test[192.0.2.1] said: 450 4.7.1 wait (in reply to RCPT TO command)",
            "4c1P6x: enabling PIX workarounds: disable_esmtp for mx.test[192.0.2.1]:25",
            "4c1P6x: replace: header Subject: x: to=<a@b.test>, relay=mx[192.0.2.1]:25",
            "warning: TLS policy lookup for a.test/mx.a.test: policy table lookup error",
            "",
        ] {
            assert_eq!(event(other), None, "{other}");
        }
    }

    /// RP-03: what 3.10 tells libtlsrpt.
    #[test]
    fn tlsrpt_lines() {
        let line = |domain, peer, failure, reason| {
            Some(Event::Tlsrpt(TlsrptLine {
                domain,
                peer,
                failure,
                reason,
            }))
        };
        let mx = portless("mx.dane.test", "127.0.1.1");
        let success =
            "TLSRPT: status=success, domain=dane.test, receiving_mx=mx.dane.test[127.0.1.1]";
        assert_eq!(event(success), line("dane.test", Some(mx), None, None));
        let failure = "TLSRPT: status=failure, domain=badtls.test, \
                       receiving_mx=mx.badtls.test[127.0.1.7], failure_type=validation_failure, \
                       failure_reason=tls-handshake-failure";
        let mx = portless("mx.badtls.test", "127.0.1.7");
        assert_eq!(
            event(failure),
            line(
                "badtls.test",
                Some(mx),
                Some("validation_failure"),
                Some("tls-handshake-failure"),
            )
        );
        let nobody = "TLSRPT: status=failure, domain=a.test, receiving_mx=(null)[(null)], \
                      failure_type=sts_policy_fetch_error";
        let expected = line("a.test", None, Some("sts_policy_fetch_error"), None);
        assert_eq!(event(nobody), expected);
        for bad in [
            "TLSRPT: status=success, domain=a, receiving_mx=b[192.0.2.1], failure_type=x",
            "TLSRPT: status=failure, domain=a, receiving_mx=b[192.0.2.1]",
            "TLSRPT: status=maybe, domain=a, receiving_mx=b[192.0.2.1]",
        ] {
            assert_eq!(event(bad), None, "{bad}");
        }
    }

    const SENT: DeliveryLine<'_> = DeliveryLine {
        queue_id: "4c1P6xkQ",
        recipient: "user@good.test",
        relay: None,
        connection_use: 1,
        delays: "0.05/0.01/0.3/0.1",
        tls: None,
        dsn: "2.0.0",
        status: DeliveryStatus::Sent,
        text: "250 2.0.0 Ok: queued as 4c1P (x)",
        trouble: None,
    };

    fn delivered(message: &str) -> DeliveryLine<'_> {
        match event(message) {
            Some(Event::Delivery(line)) => line,
            other => panic!("{message}: {other:?}"),
        }
    }

    /// SV-01: the fields of a delivery, and those that are not always there.
    #[test]
    fn deliveries() {
        let relay = Some(peer("mx.good.test", "127.0.1.1"));
        let tail = "delay=0.46, delays=0.05/0.01/0.3/0.1, dsn=2.0.0, status=sent (250 2.0.0 Ok: \
                    queued as 4c1P (x))";
        let message = |middle: &str| format!("4c1P6xkQ: to=<user@good.test>, {middle}");
        let plain = message(&format!("relay=mx.good.test[127.0.1.1]:25, {tail}"));
        assert_eq!(delivered(&plain), DeliveryLine { relay, ..SENT });
        assert_eq!(delivered(&plain).recipient_domain(), Some("good.test"));

        let original = message(&format!(
            "orig_to=<root>, relay=mx.good.test[127.0.1.1]:25, conn_use=3, {tail}"
        ));
        let expected = DeliveryLine {
            relay,
            connection_use: 3,
            ..SENT
        };
        assert_eq!(delivered(&original), expected);

        let newer = plain.replace(", dsn", ", tls=dane:encrypt/requiretls, dsn");
        let expected = DeliveryLine {
            relay,
            tls: Some("dane:encrypt/requiretls"),
            ..SENT
        };
        assert_eq!(delivered(&newer), expected);

        for nowhere in [
            "none",
            "mx.test[/run/lmtp]",
            "mx.test[private/lmtp]",
            "local",
        ] {
            let message = message(&format!("relay={nowhere}, {tail}"));
            assert_eq!(delivered(&message), SENT, "{nowhere}");
        }
    }

    /// SV-03: what Postfix's sentences say of TLS, at the end of a delivery and between two hosts.
    #[test]
    fn troubles() {
        let mx = portless("mx.t.test", "127.0.1.6");
        for (text, expected) in [
            (
                "TLS is required, but was not offered by host mx.t.test[127.0.1.6]",
                Some(Trouble::NotOffered(mx)),
            ),
            (
                "TLS is required, but host mx.t.test[127.0.1.6] refused to start TLS: 454 4.7.0 no",
                Some(Trouble::Refused(mx)),
            ),
            (
                "Cannot start TLS: handshake failure",
                Some(Trouble::HandshakeFailed),
            ),
            (
                "Server certificate not verified",
                Some(Trouble::NotVerified),
            ),
            (
                "lost connection with mx.t.test[127.0.1.6] while sending RCPT TO",
                Some(Trouble::ConnectionLost(mx)),
            ),
            (
                "conversation with mx.t.test[127.0.1.6] timed out while sending message body",
                Some(Trouble::ConnectionLost(mx)),
            ),
            (
                "host mx.t.test[127.0.1.6] said: 450 Server certificate not verified",
                None,
            ),
            ("Server certificate not verified, perhaps", None),
        ] {
            let message = format!(
                "4c1P6xkQ: to=<user@t.test>, relay=mx.t.test[127.0.1.6]:25, delay=1, \
                 delays=0.1/0/1/0, dsn=4.7.5, status=deferred ({text})"
            );
            let line = delivered(&message);
            assert_eq!((line.text, line.trouble), (text, expected));
            assert_eq!(line.status, DeliveryStatus::Deferred);
            // A line that syslog has cut.
            let (cut, _) = message.split_at(message.len() - 1);
            assert_eq!(delivered(cut).text, text);

            let message = format!("4c1P6xkQ: {text}");
            let expected = expected.map(|trouble| Event::GivenUp {
                queue_id: "4c1P6xkQ",
                trouble,
                words: text,
            });
            assert_eq!(event(&message), expected);
        }
    }

    /// SV-11: a recipient's local part may look like the rest of the line; it is quoted.
    #[test]
    fn a_forged_recipient_forges_no_delivery() {
        let forged = r#""x\">, relay=good[192.0.2.9]:25, delay=0, delays=0/0/0/0, dsn=2.0.0, status=sent (""#;
        let message = format!(
            "4c1P6xkQ: to=<{forged}@t.test>, orig_to=<{forged}@u.test>, \
             relay=mx.t.test[127.0.1.6]:25, delay=1, delays=0.1/0/1/0, dsn=5.1.1, \
             status=bounced (host mx.t.test[127.0.1.6] said: 550 status=sent (no))"
        );
        let line = delivered(&message);
        assert_eq!(line.recipient, format!("{forged}@t.test"));
        assert_eq!(line.recipient_domain(), Some("t.test"));
        assert_eq!(line.relay, Some(peer("mx.t.test", "127.0.1.6")));
        assert_eq!(line.status, DeliveryStatus::Bounced);

        for (recipient, domain) in [
            ("user", None),
            ("", None),
            (r#""a@b"@c.test"#, Some("c.test")),
            (r#""a\"@b"@c.test"#, Some("c.test")),
            (r#""""#, None),
            ("user@[192.0.2.1]", Some("[192.0.2.1]")),
            ("u>ser@d.test", Some("d.test")),
        ] {
            let message = format!(
                "4: to=<{recipient}>, relay=none, delay=1, delays=0/0/1/0, dsn=4.4.1, \
                 status=deferred (connect to mx: refused)"
            );
            let line = delivered(&message);
            assert_eq!(line.recipient, recipient);
            assert_eq!(line.recipient_domain(), domain);
        }
    }

    /// SV-11: a field that is missing, doubled or of another kind makes no event.
    #[test]
    fn broken_deliveries() {
        let whole = "4c1P: to=<u@t.test>, relay=mx.t[127.0.1.6]:25, delay=1, delays=0/0/1/0, \
                     dsn=2.0.0, status=sent (ok)";
        assert!(event(whole).is_some());
        for (from, to) in [
            ("4c1P: ", ""),
            ("4c1P", "4c-1P"),
            ("to=<u@t.test>", "to=u@t.test"),
            ("to=<u@t.test>, ", ""),
            ("relay=mx.t[127.0.1.6]:25, ", ""),
            (", delay=1", ""),
            (", dsn=2.0.0", ", dsn=2.0.0, dsn=2.0.0"),
            (", delay=", ", conn_use=x, delay="),
            (", delay=", ", conn_use=99999999999, delay="),
            ("status=sent", "status=SENT"),
            ("status=sent", "status=expired"),
            (" (ok)", ""),
        ] {
            let broken = whole.replacen(from, to, 1);
            assert_ne!(broken, whole);
            assert_eq!(event(&broken), None, "{broken}");
        }
    }

    proptest! {
        /// SV-11: any text, alone and behind each beginning.
        #[test]
        fn any_text(text in "(?s).{0,40}", cut in 0_usize..200) {
            let _ = event(&text);
            for start in [
                "mx[192.0.2.1]:25: subject_CN=",
                "Verified TLS connection established to ",
                "4c1P: to=<\"",
                "TLSRPT: status=failure, domain=",
                "4c1P: to=<a@b>, relay=mx[::1]:25, delay=0, delays=0/0/0/0, dsn=2.0.0, status=sent (",
            ] {
                let start = start.get(..cut).unwrap_or(start);
                let _ = event(&format!("{start}{text}"));
            }
        }

        /// SV-01: fingerprints of any length read back to the same.
        #[test]
        fn fingerprints(bytes in proptest::collection::vec(0_u8.., 1..70)) {
            let fingerprint = Fingerprint(bytes);
            prop_assert_eq!(Fingerprint::parse(&fingerprint.to_string()), Some(fingerprint));
        }
    }
}
