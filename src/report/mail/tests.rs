//! Tests of mails with reports: RP-11, RP-13.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

use std::io::Read as _;
use std::sync::LazyLock;

use data_encoding::BASE64;
use flate2::read::GzDecoder;
use hoplock_policy::tlsrpt::Day;

use super::*;

pub(in crate::report) fn name(text: &str) -> DomainName {
    DomainName::parse(text).unwrap()
}

/// What the example is made of.
static EXAMPLE: LazyLock<(DomainName, DomainName, [String; 2])> = LazyLock::new(|| {
    let failures = [
        "3 sessions: certificate-expired, mx1.receiver.test",
        "1 session: starttls-not-supported, mx2.receiver.test",
    ];
    let failures = failures.map(ToOwned::to_owned);
    (name("mx.sender.test"), name("receiver.test"), failures)
});

/// A mail of the example, changed by `change`, and what comes of it.
pub(in crate::report) fn composed<'a>(
    change: impl FnOnce(&mut ReportMail<'a>),
) -> Result<UnsignedMail, NotComposed> {
    let (submitter, policy_domain, failures) = &*EXAMPLE;
    let day = Day::parse("2026-11-26").unwrap();
    let mut mail = ReportMail {
        from: "tlsrpt@sender.test",
        to: "reports@receiver.test",
        submitter,
        policy_domain,
        report_id: "2026-11-26.receiver.test.k3v",
        document: b"{\"organization-name\":\"Sender\"}",
        begins: day.begins(),
        ends: day.last_second(),
        organization: "Sender",
        contact: "postmaster@sender.test",
        date: Timestamp(day.is_over_at().0 + 3_600_000),
        successful: 120,
        failed: 4,
        failures,
    };
    change(&mut mail);
    mail.compose()
}

fn text(mail: &UnsignedMail) -> String {
    String::from_utf8(mail.octets.clone()).unwrap()
}

/// Header fields, unfolded, in their order.
fn fields(text: &str) -> Vec<(String, String)> {
    let (head, _) = text.split_once("\r\n\r\n").unwrap();
    let unfolded = head.replace("\r\n\t", "").replace("\r\n ", " ");
    let fields = unfolded.split("\r\n").map(|line| {
        let (name, value) = line.split_once(": ").unwrap();
        (name.to_owned(), value.to_owned())
    });
    fields.collect()
}

/// RP-11, RP-13: every octet of a mail with a report.
#[test]
fn the_mail_of_the_rfc() {
    let text = text(&composed(|_| ()).unwrap());
    let expected = "From: tlsrpt@sender.test\r\n\
        To: reports@receiver.test\r\n\
        Date: Fri, 27 Nov 2026 01:00:00 +0000\r\n\
        Message-ID: <2026-11-26.receiver.test.k3v@mx.sender.test>\r\n\
        Subject: Report Domain: receiver.test Submitter: mx.sender.test Report-ID: \
        <2026-11-26.receiver.test.k3v@mx.sender.test>\r\n\
        TLS-Report-Domain: receiver.test\r\n\
        TLS-Report-Submitter: mx.sender.test\r\n\
        TLS-Required: No\r\n\
        Auto-Submitted: auto-generated\r\n\
        MIME-Version: 1.0\r\n\
        Content-Type: multipart/report; report-type=\"tlsrpt\"; \r\n\
        \tboundary=\"BOUNDARY\"\r\n\
        \r\n\
        \r\n--BOUNDARY\r\n\
        Content-Type: text/plain; charset=\"utf-8\"\r\n\
        Content-Transfer-Encoding: 7bit\r\n\
        \r\n\
        This is a report about TLS of mail to receiver.test (RFC 8460).\r\n\
        \r\n\
        Reported by: Sender\r\n\
        Contact:     postmaster@sender.test\r\n\
        Submitter:   mx.sender.test\r\n\
        Report-ID:   2026-11-26.receiver.test.k3v\r\n\
        From:        2026-11-26T00:00:00Z\r\n\
        To:          2026-11-26T23:59:59Z\r\n\
        Successful:  120\r\n\
        Failed:      4\r\n\
        \r\n\
        Failures:\r\n\
        * 3 sessions: certificate-expired, mx1.receiver.test\r\n\
        * 1 session: starttls-not-supported, mx2.receiver.test\r\n\
        \r\n\
        The report itself is attached, as JSON in gzip.\r\n\
        \r\n--BOUNDARY\r\n\
        Content-Type: application/tlsrpt+gzip\r\n\
        Content-Disposition: attachment;\r\n \
        filename=\"mx.sender.test!receiver.test!1795651200!1795737599!20261126receivertestk3v.json.gz\"\r\n\
        Content-Transfer-Encoding: base64\r\n\
        \r\n\
        PACKED\r\n\
        \r\n--BOUNDARY--\r\n";
    let boundary = boundary("2026-11-26.receiver.test.k3v@mx.sender.test");
    let packed = gzip(b"{\"organization-name\":\"Sender\"}").unwrap();
    let expected = expected
        .replace("BOUNDARY", &boundary)
        .replace("PACKED", &BASE64.encode(&packed));
    assert_eq!(text, expected);
    assert_eq!(
        text,
        self::text(&composed(|_| ()).unwrap()),
        "the same each time"
    );
}

/// RP-11: the attachment is the document, whatever its size; a header of gzip without time and name.
#[test]
fn the_document_comes_back() {
    let document: Vec<u8> = (0..200_000_u32)
        .flat_map(|number| number.wrapping_mul(2_654_435_761).to_be_bytes())
        .collect();
    let packed = gzip(&document).unwrap();
    assert_eq!(packed, gzip(&document).unwrap());
    // RFC 1952, 2.3: no flags, no time.
    assert_eq!(packed[..8], [0x1f, 0x8b, 8, 0, 0, 0, 0, 0]);
    let mail = text(&composed(|mail| mail.document = &document).unwrap());
    let (_, attached) = mail.split_once("base64\r\n\r\n").unwrap();
    let (attached, _) = attached.split_once("\r\n--").unwrap();
    let octets = BASE64.decode(attached.replace("\r\n", "").as_bytes());
    let mut back = Vec::new();
    let octets = octets.unwrap();
    GzDecoder::new(octets.as_slice())
        .read_to_end(&mut back)
        .unwrap();
    assert!(back == document);
    assert!(mail.lines().all(|line| line.len() <= 998));
    assert!(mail.is_ascii());
}

/// RFC 5322, 2.1.1: names as long as names may be, and words without end.
#[test]
fn lines_are_short() {
    let label = "a".repeat(63);
    let longest = name(&[label.as_str(); 4].join(".")[..253]);
    let id = "i".repeat(LONGEST_ID);
    let words = "w".repeat(100_000);
    let failures: Vec<String> = (0..100).map(|number| format!("{number} {words}")).collect();
    let mail = composed(|mail| {
        mail.submitter = &longest;
        mail.policy_domain = &longest;
        mail.report_id = &id;
        mail.organization = &words;
        mail.contact = &words;
        mail.failures = &failures;
    });
    let mail = text(&mail.unwrap());
    let widest = mail.lines().map(str::len).max().unwrap();
    assert!(widest <= 998, "{widest}");
    assert!(mail.contains("and 80 more"), "{mail}");
    assert!(mail.len() < 20_000, "{}", mail.len());
    assert_eq!(fields(&mail).len(), 11);
}

/// Fields with line ends, quotes and the like in them make no header field, no line and no part: they are
/// refused, or made harmless.
#[test]
fn nothing_is_injected() {
    for bad in [
        "a@b.test\r\nBcc: x@y.test",
        "a@b.test\nBcc: x@y.test",
        "a@b.test, x@y.test",
        "<a@b.test>",
        "\"a\" <a@b.test>",
        "a b@c.test",
        "a@b@c.test",
        "-f@c.test",
        "a@",
        "@b.test",
        "a",
        "",
        "a.@b.test",
        "a..b@c.test",
        "\"a\r\n\"@b.test",
        "ä@b.test",
        "a@[192.0.2.1]",
        "a@b.test(words)",
        "a@b.test\0",
    ] {
        let outcome = composed(|mail| mail.from = bad);
        assert!(outcome.is_err(), "{bad:?}");
        assert!(composed(|mail| mail.to = bad).is_err(), "{bad:?}");
    }
    for bad in [
        "",
        "a\r\nBcc: x@y.test",
        "a b",
        "a>b",
        "<a@b.test>",
        "a@b@c",
        "a@",
        "a\"b",
        "ä",
        &"a".repeat(LONGEST_ID + 1),
    ] {
        let outcome = composed(|mail| mail.report_id = bad);
        assert!(matches!(outcome, Err(NotComposed::ReportId(_))), "{bad:?}");
    }
    let plain = fields(&text(&composed(|_| ()).unwrap()));
    let boundary = boundary("2026-11-26.receiver.test.k3v@mx.sender.test");
    let bad =
        format!("x\r\n--{boundary}\r\nContent-Type: text/html\r\n\r\n<b>\n.\n\u{85}\u{1b}[2J");
    let failures = vec![bad.clone()];
    let mail = composed(|mail| {
        mail.organization = &bad;
        mail.contact = &bad;
        mail.failures = &failures;
    });
    let mail = text(&mail.unwrap());
    assert_eq!(fields(&mail), plain);
    let ends = mail
        .lines()
        .filter(|line| line.starts_with(&format!("--{boundary}")));
    assert_eq!(ends.count(), 3, "{mail}");
    assert!(!mail.contains("\r\nContent-Type: text/html"), "{mail}");
    assert!(!mail.contains('\u{1b}') && !mail.lines().any(|line| line == "."));
}

/// Words that are not ASCII are encoded, and a report-id with a domain is a Message-ID as it is.
#[test]
fn words_of_the_world() {
    let mail = composed(|mail| {
        mail.organization = "Bücher & Söhne";
        mail.report_id = "1.2@mx.sender.test";
        mail.to = "r+t@Bücher.test";
    });
    let mail = text(&mail.unwrap());
    assert!(mail.is_ascii());
    assert!(mail.contains("Content-Transfer-Encoding: quoted-printable\r\n"));
    assert!(mail.contains("B=C3=BCcher"), "{mail}");
    let fields = fields(&mail);
    let of = |name: &str| {
        let own = fields.iter().find(|(own, _)| own == name);
        own.map(|(_, value)| value.clone()).unwrap()
    };
    assert_eq!(of("Message-ID"), "<1.2@mx.sender.test>");
    assert_eq!(of("To"), "r+t@xn--bcher-kva.test");
    assert!(of("Subject").ends_with("Report-ID: <1.2@mx.sender.test>"));
    assert!(mail.contains("!12mxsendertest.json.gz"), "{mail}");
}
