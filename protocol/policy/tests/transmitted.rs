//! The trace field and the MTA type, held against the grammar of the draft and of RFC 5321, 5322 and 3848.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "tests"
)]

use hoplock_policy::moment::Timestamp;
use hoplock_policy::name::DomainName;
use hoplock_policy::transmitted::{Transmission, remote_mta};
use hoplock_policy::verify::SessionOutcome;
use proptest::prelude::*;

fn name(text: &str) -> DomainName {
    DomainName::parse(text).unwrap()
}

/// `Transmitted-line` of draft-ietf-dane-smtp-00, 5, read by hand: the protocol and the date, or nothing
/// where the grammar does not fit.
fn read(field: &str) -> Option<(String, String)> {
    let line = field.strip_suffix("\r\n")?;
    // Folding (RFC 5322, 2.2.3): a line end stands before a blank or a tab only.
    let pieces: Vec<&str> = line.split("\r\n").collect();
    if pieces.iter().skip(1).any(|piece| !piece.starts_with('\t')) || line.contains("\n\n") {
        return None;
    }
    if pieces
        .iter()
        .any(|piece| piece.len() > 998 || piece.contains(['\r', '\n']))
    {
        return None;
    }
    let text = pieces.concat().replace('\t', " ");
    let rest = text.strip_prefix("Transmitted: TO ")?;
    let (clauses, date) = rest.split_once(';')?;
    let mut words = clauses.split(' ').peekable();
    let is_domain = |word: &str| {
        word.split('.').all(|label| {
            let inside = label
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b == b'-');
            inside && !label.is_empty() && !label.starts_with('-') && !label.ends_with('-')
        })
    };
    if !is_domain(words.next()?) {
        return None;
    }
    if let Some(info) = words.next_if(|word| word.starts_with('(')) {
        let literal = info.strip_prefix("([")?.strip_suffix("])")?;
        let address = literal.strip_prefix("IPv6:").unwrap_or(literal);
        let address: std::net::IpAddr = address.parse().ok()?;
        if address.is_ipv6() != literal.starts_with("IPv6:") {
            return None;
        }
    }
    if words.next()? != "BY" || !is_domain(words.next()?) || words.next()? != "WITH" {
        return None;
    }
    let protocol = words.next()?.to_owned();
    if let Some(word) = words.next() {
        let id = words.next()?;
        let atext = |b: u8| b.is_ascii_graphic() && !b"()<>[]:;@\\,.\"".contains(&b);
        if word != "ID" || id.is_empty() || !id.bytes().all(atext) || words.next().is_some() {
            return None;
        }
    }
    Some((protocol, date.strip_prefix(' ')?.to_owned()))
}

fn transmission<'a>(
    to: &'a DomainName,
    by: &'a DomainName,
    outcome: SessionOutcome,
) -> Transmission<'a> {
    Transmission {
        to,
        address: None,
        by,
        id: None,
        outcome,
        auth: false,
        at: Timestamp(1_792_238_400_000),
    }
}

/// TR-01: the field, whole, with each clause that may stand in it.
#[test]
fn the_field_is_whole() {
    let (to, by) = (name("mx.example.com"), name("client.example.org"));
    let mut sent = transmission(&to, &by, SessionOutcome::AuthenticatedDane);
    assert_eq!(
        sent.field().unwrap(),
        "Transmitted: TO mx.example.com\r\n\tBY client.example.org\r\n\tWITH ESMTPT;\r\n\t\
         Sat, 17 Oct 2026 12:00:00 +0000\r\n"
    );
    sent.address = Some("192.0.2.1".parse().unwrap());
    sent.id = Some("4X1y2z");
    let field = sent.field().unwrap();
    assert!(field.starts_with("Transmitted: TO mx.example.com ([192.0.2.1])\r\n\tBY "));
    assert!(
        field.contains("\tWITH ESMTPT\r\n\tID 4X1y2z;\r\n"),
        "{field}"
    );
    sent.address = Some("2001:db8::1".parse().unwrap());
    let field = sent.field().unwrap();
    assert!(
        field.contains("TO mx.example.com ([IPv6:2001:db8::1])\r\n"),
        "{field}"
    );
    assert!(read(&field).is_some(), "{field}");
}

/// TR-02: authentication is claimed only where there was some; otherwise the registered words stand.
#[test]
fn the_protocol_claims_no_more_than_was() {
    use SessionOutcome as Came;
    let (to, by) = (name("mx.example.com"), name("client.example.org"));
    for (outcome, plain, with_auth) in [
        (Came::AuthenticatedDane, Some("ESMTPT"), Some("ESMTPTA")),
        (Came::AuthenticatedSts, Some("ESMTPT"), Some("ESMTPTA")),
        (Came::AuthenticatedPinned, Some("ESMTPT"), Some("ESMTPTA")),
        (Came::Encrypted, Some("ESMTPS"), Some("ESMTPSA")),
        (Came::Cleartext, Some("ESMTP"), Some("ESMTPA")),
        // TR-03: nothing was sent, or nobody knows.
        (Came::Failed, None, None),
        (Came::Indeterminate, None, None),
    ] {
        for (auth, expected) in [(false, plain), (true, with_auth)] {
            let mut sent = transmission(&to, &by, outcome);
            sent.auth = auth;
            assert_eq!(sent.protocol(), expected, "{outcome:?}");
            let said = sent.field().map(|field| read(&field).expect(&field).0);
            assert_eq!(said.as_deref(), expected, "TR-03: {outcome:?}");
        }
    }
}

/// TR-01: what has no place in the grammar gives no field, and no other one.
#[test]
fn what_the_grammar_has_no_place_for() {
    let (good, odd) = (name("mx.example.com"), name("mx_1.example.com"));
    let outcome = SessionOutcome::Encrypted;
    assert!(transmission(&good, &good, outcome).field().is_some());
    assert_eq!(transmission(&odd, &good, outcome).field(), None);
    assert_eq!(transmission(&good, &odd, outcome).field(), None);
    let long = "a".repeat(256);
    for (id, stands) in [
        ("4X1y2z", true),
        ("a!#$%&'*+-/=?^_`{|}~", true),
        (&long[1..], true),
        (&long[..], false),
        ("", false),
        ("a b", false),
        ("a;b", false),
        ("a\r\nBcc: x", false),
        ("<a@b>", false),
        ("\u{fc}", false),
    ] {
        let mut sent = transmission(&good, &good, outcome);
        sent.id = Some(id);
        assert_eq!(sent.field().is_some(), stands, "{id:?}");
    }
}

/// RFC 5322, 3.3: days, months and leap years.
#[test]
fn dates_are_those_of_the_calendar() {
    let to = name("mx.example.com");
    for (seconds, expected) in [
        (0, "Thu, 1 Jan 1970 00:00:00 +0000"),
        (86_399, "Thu, 1 Jan 1970 23:59:59 +0000"),
        (31_535_999, "Thu, 31 Dec 1970 23:59:59 +0000"),
        (68_169_600, "Tue, 29 Feb 1972 00:00:00 +0000"),
        (68_256_000, "Wed, 1 Mar 1972 00:00:00 +0000"),
        (951_782_400, "Tue, 29 Feb 2000 00:00:00 +0000"),
        (951_868_800, "Wed, 1 Mar 2000 00:00:00 +0000"),
        (1_735_689_599, "Tue, 31 Dec 2024 23:59:59 +0000"),
        (1_782_864_062, "Wed, 1 Jul 2026 00:01:02 +0000"),
        (4_107_542_400, "Mon, 1 Mar 2100 00:00:00 +0000"),
        (4_107_542_399, "Sun, 28 Feb 2100 23:59:59 +0000"),
        (253_402_300_799, "Fri, 31 Dec 9999 23:59:59 +0000"),
        (u64::MAX / 1000, "Fri, 31 Dec 9999 23:59:59 +0000"),
    ] {
        let mut sent = transmission(&to, &to, SessionOutcome::Encrypted);
        sent.at = Timestamp(seconds * 1000 + 999 * u64::from(seconds < 1_000_000));
        let (_, date) = read(&sent.field().unwrap()).unwrap();
        assert_eq!(date, expected, "{seconds}");
    }
}

/// TR-04: the type `dane` for authenticated hosts, `dns` for all others.
#[test]
fn the_type_is_dane_where_it_was_authenticated() {
    let host = name("mx.example.com");
    for outcome in SessionOutcome::ALL {
        let authenticated = matches!(
            outcome,
            SessionOutcome::AuthenticatedDane
                | SessionOutcome::AuthenticatedSts
                | SessionOutcome::AuthenticatedPinned
        );
        let expected = if authenticated {
            "dane; mx.example.com"
        } else {
            "dns; mx.example.com"
        };
        assert_eq!(remote_mta(&host, outcome), expected, "{outcome:?}");
    }
}

proptest! {
    /// TR-01, TR-02: whatever is put in, a field that comes out fits the grammar and has its WITH.
    #[test]
    fn every_field_fits_the_grammar(
        to in "[a-z0-9_-]{1,20}(\\.[a-z0-9_-]{1,20}){0,4}",
        by in "[a-z0-9]{1,20}(\\.[a-z0-9-]{1,20}){0,4}",
        id in proptest::option::of(".{0,40}|[A-Za-z0-9]{1,20}"),
        address in proptest::option::of(any::<std::net::IpAddr>()),
        which in 0..7_usize,
        auth in any::<bool>(),
        at in any::<u64>(),
    ) {
        let names = DomainName::parse(&to).ok().zip(DomainName::parse(&by).ok());
        let Some((to, by)) = names else { return Ok(()) };
        let outcome = SessionOutcome::ALL[which];
        let sent = Transmission { to: &to, address, by: &by, id: id.as_deref(), outcome, auth, at: Timestamp(at) };
        if let Some(field) = sent.field() {
            let (protocol, _) = read(&field).expect(&field);
            prop_assert_eq!(Some(&protocol[..]), sent.protocol());
            let claims = protocol == "ESMTPT" || protocol == "ESMTPTA";
            prop_assert_eq!(claims, outcome.is_authenticated());
        }
    }
}
