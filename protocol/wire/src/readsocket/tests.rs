//! Tables of requests, good and bad.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::*;

fn digest(text: &str) -> [u8; 32] {
    let octets = data_encoding::HEXLOWER_PERMISSIVE.decode(text.as_bytes());
    octets
        .ok()
        .and_then(|own| own.try_into().ok())
        .unwrap_or([0; 32])
}

/// Of `hello`.
const SHA256: &str = "2CF24DBA5FB0A30E26E83B2AC5B9E29E1B161E5C1FA7425E73043362938B9824";

fn level(domain: &str, require_tls: bool, tls_required_no: bool) -> Request<'_> {
    let says = MessageSays {
        require_tls,
        tls_required_no,
    };
    Request::Level { domain, says }
}

/// EX-01: each verb, as Exim writes it.
#[test]
fn requests_decode() {
    let domain = "good.test";
    let host = "mx.good.test";
    let cert = format!("hoplock1 cert 4711 2 {domain} {host} 127.0.1.1 25 {SHA256} aGVsbG8=");
    let v6 = format!("hoplock1 cert 1 0 {domain} {host} 2001:db8::1 587 {SHA256} aGVsbG8=");
    let read = CertRequest {
        pid: 4711,
        depth: 2,
        domain,
        host,
        address: IpAddr::V4(Ipv4Addr::new(127, 0, 1, 1)),
        port: 25,
        sha256: digest(SHA256),
        der: b"hello".to_vec(),
    };
    let read_v6 = CertRequest {
        pid: 1,
        depth: 0,
        address: IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1)),
        port: 587,
        ..read.clone()
    };
    let event = EventRequest {
        pid: 7,
        name: "dane:fail",
        domain: Some(domain),
        host: Some(host),
        address: Some(IpAddr::V4(Ipv4Addr::new(127, 0, 1, 1))),
        port: Some(25),
        data: b"validation-failure".to_vec(),
    };
    let nothing = EventRequest {
        name: "dns:fail",
        host: None,
        address: None,
        port: None,
        data: b"hello".to_vec(),
        ..event.clone()
    };
    let quiet = EventRequest {
        name: "tcp:close",
        data: Vec::new(),
        ..event.clone()
    };
    for (line, request) in [
        ("hoplock1 level good.test", level(domain, false, false)),
        ("hoplock1 level good.test ", level(domain, false, false)),
        (
            "hoplock1 level [mx.good.test]:587",
            level("[mx.good.test]:587", false, false),
        ),
        (
            "hoplock1 level good.test requiretls",
            level(domain, true, false),
        ),
        (
            "hoplock1 level good.test ,tls-required-no",
            level(domain, false, true),
        ),
        (
            "hoplock1 level good.test requiretls,tls-required-no",
            level(domain, true, true),
        ),
        (
            "hoplock1 mx good.test mx.good.test",
            Request::Mx { domain, host },
        ),
        (
            "hoplock1 option hosts_require_tls good.test mx.good.test",
            Request::Option {
                name: "hosts_require_tls",
                domain,
                host,
            },
        ),
        (&cert, Request::Cert(read)),
        (&v6, Request::Cert(read_v6)),
        (
            "hoplock1 event 7 dane:fail good.test mx.good.test 127.0.1.1 25 dmFsaWRhdGlvbi1mYWlsdXJl",
            Request::Event(event),
        ),
        (
            "hoplock1 event 7 dns:fail good.test    aGVsbG8=",
            Request::Event(nothing.clone()),
        ),
        (
            "hoplock1 event 7 dns:fail good.test   -1 aGVsbG8=",
            Request::Event(nothing),
        ),
        (
            "hoplock1 event 7 tcp:close good.test mx.good.test 127.0.1.1 25 ",
            Request::Event(quiet),
        ),
    ] {
        assert_eq!(decode(line.as_bytes()), Ok(request.clone()), "{line}");
        assert_eq!(Verb::of(line.as_bytes()), request.verb(), "{line}");
    }
}

/// EX-01: lookups in Exim's own form.
#[test]
fn lookups_decode() {
    let plain = |lookup, name| DnsdbRequest {
        lookup,
        name,
        dnssec: Dnssec::Lax,
        records: '\n',
        fields: None,
    };
    let tlsa = plain(Lookup::Tlsa, "_25._tcp.mx.test");
    let comma = Some(FieldSeparator::Character(';'));
    for (line, request) in [
        ("tlsa=_25._tcp.mx.test", tlsa),
        ("TLSA = _25._tcp.mx.test", tlsa),
        ("mx=a.test", plain(Lookup::Mx, "a.test")),
        ("mxh=a.test", plain(Lookup::Mxh, "a.test")),
        ("txt=a.test", plain(Lookup::Txt, "a.test")),
        ("policy=[a.test]:587", plain(Lookup::Policy, "[a.test]:587")),
        (
            "dnssec_strict,tlsa=_25._tcp.mx.test",
            DnsdbRequest {
                dnssec: Dnssec::Strict,
                ..tlsa
            },
        ),
        ("dnssec_strict , dnssec_lax,tlsa=_25._tcp.mx.test", tlsa),
        (
            "dnssec_never,tlsa=_25._tcp.mx.test",
            DnsdbRequest {
                dnssec: Dnssec::Never,
                ..tlsa
            },
        ),
        (
            ">|,; tlsa=_25._tcp.mx.test",
            DnsdbRequest {
                records: '|',
                fields: comma,
                ..tlsa
            },
        ),
        (
            ">, dnssec_strict,tlsa=_25._tcp.mx.test",
            DnsdbRequest {
                records: ',',
                dnssec: Dnssec::Strict,
                ..tlsa
            },
        ),
        (
            ">:; txt=a.test",
            DnsdbRequest {
                records: ':',
                fields: Some(FieldSeparator::Nothing),
                ..plain(Lookup::Txt, "a.test")
            },
        ),
        (
            ">  mx=a.test",
            DnsdbRequest {
                records: ' ',
                ..plain(Lookup::Mx, "a.test")
            },
        ),
    ] {
        assert_eq!(
            decode(line.as_bytes()),
            Ok(Request::Dnsdb(request)),
            "{line}"
        );
    }
}

/// EX-01, EX-02: what cannot be read is answered in a word at which the shipped configuration does not
/// go on, whichever verb it would have been.
#[test]
fn bad_requests_fail_closed() {
    let cert = |fields: &str| format!("hoplock1 cert {fields}");
    let good = format!("1 0 a.test mx.a.test 127.0.0.1 25 {SHA256}");
    let (no_base64, no_end) = (cert(&format!("{good} a$==")), cert(&good));
    let more = cert(&format!("{good} aGVsbG8= x"));
    let not_padded = cert(&format!("{good} aGVsbG8"));
    let cut = cert("1 0 a.test mx.a.test 127.0.0.1 25 2CF24D aGVsbG8=");
    let no_depth = cert(&format!(
        "1  a.test mx.a.test 127.0.0.1 25 {SHA256} aGVsbG8="
    ));
    let no_port = cert(&format!(
        "1 0 a.test mx.a.test 127.0.0.1 99999 {SHA256} aGVsbG8="
    ));
    let no_address = cert(&format!("1 0 a.test mx.a.test mx 25 {SHA256} aGVsbG8="));
    for (line, verb, word) in [
        ("", Verb::Unknown, "defer"),
        ("hoplock1", Verb::Unknown, "defer"),
        ("hoplock1 ", Verb::Unknown, "defer"),
        ("exim1 level a.test", Verb::Unknown, "defer"),
        ("hoplock1 levels a.test", Verb::Unknown, "defer"),
        ("hoplock1 Level a.test", Verb::Unknown, "defer"),
        ("hoplock1 level", Verb::Level, "defer"),
        ("hoplock1 level ", Verb::Level, "defer"),
        ("hoplock1 level  a.test", Verb::Level, "defer"),
        ("hoplock1 level a.test b.test", Verb::Level, "defer"),
        ("hoplock1 level a.test\tb", Verb::Level, "defer"),
        ("hoplock1 level a.test\0", Verb::Level, "defer"),
        ("hoplock1 mx a.test", Verb::Mx, "refuse"),
        ("hoplock1 mx a.test ", Verb::Mx, "refuse"),
        ("hoplock1 mx a.test mx.a.test x", Verb::Mx, "refuse"),
        (
            "hoplock1 option hosts_require_tls a.test",
            Verb::Option,
            "defer",
        ),
        (&no_base64, Verb::Cert, "refuse"),
        (&not_padded, Verb::Cert, "refuse"),
        (&no_end, Verb::Cert, "refuse"),
        (&more, Verb::Cert, "refuse"),
        (&cut, Verb::Cert, "refuse"),
        (&no_depth, Verb::Cert, "refuse"),
        (&no_port, Verb::Cert, "refuse"),
        (&no_address, Verb::Cert, "refuse"),
        ("hoplock1 event 1 tcp:close", Verb::Event, "defer"),
        (
            "hoplock1 event 1 tcp:close a.test b 1.2.3.4",
            Verb::Event,
            "defer",
        ),
        (
            "hoplock1 event x tcp:close a b 1.2.3.4 25 ",
            Verb::Event,
            "defer",
        ),
        ("a=a.test", Verb::Dnsdb, "defer"),
        ("mx=", Verb::Dnsdb, "defer"),
        ("mx=a.test b.test", Verb::Dnsdb, "defer"),
        ("mxx=a.test", Verb::Dnsdb, "defer"),
        (">", Verb::Dnsdb, "defer"),
        (">|", Verb::Dnsdb, "defer"),
        (">|; tlsa=_25._tcp.a.test", Verb::Dnsdb, "defer"),
        ("dnssec_strict mx=a.test", Verb::Dnsdb, "defer"),
        ("defer_never,mx=a.test", Verb::Dnsdb, "defer"),
    ] {
        let Err(why) = decode(line.as_bytes()) else {
            panic!("{line:?} was read");
        };
        assert_eq!(why.verb, verb, "{line:?}");
        let answer = String::from_utf8(why.answer().encode()).unwrap_or_default();
        let beginning = format!("{word} bad-request: ");
        assert!(answer.starts_with(&beginning), "{line:?}: {answer}");
    }
    assert_eq!(
        decode(b"hoplock1 mx a.test \xff").map_err(|why| (why.verb, why.wrong)),
        Err((Verb::Mx, Wrong::NotUtf8))
    );
    assert_eq!(BadRequest::empty().answer().word(), "defer");
}

/// EX-01: a line over the limit is refused for what it would have been.
#[test]
fn overlong_lines_are_told_by_their_beginning() {
    let line = [b"hoplock1 cert 1 0 ".as_slice(), &vec![b'a'; LINE_LIMIT]].concat();
    let why = BadRequest::too_long(&line);
    assert_eq!(decode(&line), Err(why));
    assert!(why.answer().encode().starts_with(b"refuse bad-request: "));
    let line = vec![b'x'; LINE_LIMIT + 1];
    assert_eq!(BadRequest::too_long(&line).answer().word(), "defer");
    assert_eq!(
        decode(&vec![b'x'; LINE_LIMIT]).map_err(|why| why.wrong),
        Err(Wrong::Protocol)
    );
}
