//! Reports in all that they come in.

use std::io::Write as _;

use data_encoding::BASE64_MIME;
use flate2::Compression;
use flate2::write::GzEncoder;
use hoplock_wire::tlsrpt::DocumentPolicyType;

use super::*;

const REPORT: &str = r#"{"organization-name":"Example Inc.","date-range":{"start-datetime":"2026-11-26T00:00:00Z","end-datetime":"2026-11-26T23:59:59Z"},"contact-info":"tls@example.test","report-id":"1@example.test","policies":[{"policy":{"policy-type":"sts","policy-string":["version: STSv1","mode: enforce","mx: mx.good.test","max_age: 604800"],"policy-domain":"good.test","mx-host":["mx.good.test"]},"summary":{"total-successful-session-count":17,"total-failure-session-count":2},"failure-details":[{"result-type":"certificate-expired","failed-session-count":2}]}]}"#;

fn packed(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// A mail with a text and one more part, of these fields and bytes.
fn mail(fields: &str, bytes: &[u8]) -> String {
    let fields = fields.replace('\n', "\r\n");
    let body = BASE64_MIME.encode(bytes);
    format!(
        "Received: from mail.example.test by mx.good.test; Fri, 27 Nov 2026 01:00:00 +0000\r\n\
         From: tls@example.test\r\n\
         To: reports@good.test\r\n\
         Subject: Report Domain: good.test Submitter: example.test\r\n Report-ID: <1@example.test>\r\n\
         TLS-Report-Domain: good.test\r\n\
         TLS-Report-Submitter: example.test\r\n\
         MIME-Version: 1.0\r\n\
         Content-Type: multipart/report; report-type=\"tlsrpt\";\r\n boundary=\"b\"\r\n\
         \r\n\
         --b\r\n\
         Content-Type: text/plain; charset=\"us-ascii\"\r\n\
         \r\n\
         This is an aggregate TLS report from example.test.\r\n\
         --b\r\n\
         {fields}\r\n\
         Content-Transfer-Encoding: base64\r\n\
         \r\n\
         {body}\r\n\
         --b--\r\n"
    )
}

/// RP-08: a file, plain and packed.
#[test]
fn files() {
    let plain = read(REPORT.as_bytes()).unwrap();
    assert_eq!(plain.document.organization_name, "Example Inc.");
    let section = plain.document.policies.first().unwrap();
    assert_eq!(section.policy.kind, DocumentPolicyType::Sts);
    assert_eq!(read(&packed(REPORT.as_bytes())), Ok(plain.clone()));
    let spaced = format!("\u{feff}\r\n {REPORT}");
    assert_eq!(read(spaced.as_bytes()).unwrap().document, plain.document);
    // Packed in two members, as RFC 1952 has it.
    let (one, two) = REPORT.as_bytes().split_at(100);
    assert_eq!(read(&[packed(one), packed(two)].concat()), Ok(plain));
}

/// RP-11: a mail as RFC 8460, 5.3 has it.
#[test]
fn mails_of_the_rfc() {
    let expected = read(REPORT.as_bytes()).unwrap();
    let name = "example.test!good.test!1795651200!1795737599!1";
    for (media_type, ending, bytes) in [
        (
            "application/tlsrpt+gzip",
            "json.gz",
            packed(REPORT.as_bytes()),
        ),
        (
            "application/tlsrpt+json",
            "json",
            REPORT.as_bytes().to_vec(),
        ),
        ("APPLICATION/TLSRPT+JSON", "txt", REPORT.as_bytes().to_vec()),
    ] {
        let text = mail(
            &format!(
                "Content-Type: {media_type}\nContent-Disposition: attachment;\n filename=\"{name}.{ending}\""
            ),
            &bytes,
        );
        assert_eq!(read(text.as_bytes()), Ok(expected.clone()), "{media_type}");
        let unix = text.replace("\r\n", "\n");
        assert_eq!(read(unix.as_bytes()), Ok(expected.clone()), "line ends");
        let stored = format!("From tls@example.test Fri Nov 27 01:00:00 2026\n{unix}");
        assert_eq!(read(stored.as_bytes()), Ok(expected.clone()), "mailbox");
    }
}

/// RP-11: mails as some write them: another media type, the name alone, a mail that is the report itself, one
/// that was forwarded.
#[test]
fn other_mails() {
    let expected = read(REPORT.as_bytes()).unwrap();
    let (json, gzip) = (REPORT.as_bytes(), packed(REPORT.as_bytes()));
    for (fields, bytes) in [
        ("Content-Type: application/gzip", gzip.as_slice()),
        ("Content-Type: application/x-gzip; name=x", &gzip),
        ("Content-Type: application/json", json),
        (
            "Content-Type: application/octet-stream; name=\"a!b!1!2.json.gz\"",
            &gzip,
        ),
        (
            "Content-Disposition: attachment; filename=\"A!B!1!2.JSON\"\nContent-Type: text/plain",
            json,
        ),
        (
            "Content-Type: application/octet-stream\nContent-Disposition: attachment;\n \
             filename*0=\"a!b!1\";\n filename*1=\"!2.json.gz\"",
            &gzip,
        ),
    ] {
        assert_eq!(
            read(mail(fields, bytes).as_bytes()),
            Ok(expected.clone()),
            "{fields}"
        );
    }
    let alone = format!(
        "From: a@b.test\nMIME-Version: 1.0\nContent-Type: application/tlsrpt+gzip\n\
         Content-Transfer-Encoding: base64\n\n{}\n",
        BASE64_MIME.encode(&gzip)
    );
    assert_eq!(read(alone.as_bytes()), Ok(expected.clone()));
    let inner = mail("Content-Type: application/tlsrpt+gzip", &gzip);
    let forwarded = format!(
        "From: a@good.test\r\nSubject: Fwd\r\nMIME-Version: 1.0\r\n\
         Content-Type: multipart/mixed; boundary=\"o\"\r\n\r\n--o\r\n\r\nsee below\r\n--o\r\n\
         Content-Type: message/rfc822\r\n\r\n{inner}\r\n--o--\r\n"
    );
    assert_eq!(read(forwarded.as_bytes()), Ok(expected));
}

/// RP-11: the part of the registered type is the report, whatever stands before it.
#[test]
fn the_surest_part_is_read() {
    let text = mail("Content-Type: application/tlsrpt+json", REPORT.as_bytes());
    let other = "--b\r\nContent-Type: application/json; name=\"other.json\"\r\n\r\n{}\r\n--b\r\n";
    let text = text.replacen("--b\r\n", other, 1);
    assert!(read(text.as_bytes()).is_ok(), "{text}");
}

/// RP-08: what is no report, in clear words.
#[test]
fn errors() {
    let error = |bytes: &[u8]| read(bytes).unwrap_err();
    assert_eq!(error(b""), ReadError::Neither);
    assert_eq!(error(b"hello"), ReadError::Neither);
    assert_eq!(error(b"\x1f\x8b\x07abc"), ReadError::Neither);
    assert_eq!(error(b"PK\x03\x04"), ReadError::Neither);
    let cut = packed(REPORT.as_bytes());
    assert!(matches!(error(&cut[..60]), ReadError::Damaged(_)));
    let none = mail("Content-Type: application/pdf", b"%PDF");
    assert_eq!(error(none.as_bytes()), ReadError::NoReport);
    let text = error(none.as_bytes()).to_string();
    assert!(text.contains("application/tlsrpt+gzip"), "{text}");
    let broken = mail("Content-Type: application/tlsrpt+json", b"{}");
    let told = error(broken.as_bytes()).to_string();
    let expected = "the report cannot be read: line 1, column 2: missing field `organization-name`";
    assert_eq!(told, expected);
    assert_eq!(error(&vec![b'x'; INPUT_LIMIT + 1]), ReadError::TooLong);
}

/// RP-08: a packed file that would fill the memory is given up at the bound.
#[test]
fn bombs() {
    let bomb = packed(&vec![b' '; DOCUMENT_LIMIT + 1]);
    assert!(bomb.len() < 20_000);
    assert_eq!(read(&bomb), Err(ReadError::Expands));
    let sent = mail("Content-Type: application/tlsrpt+gzip", &bomb);
    assert_eq!(read(sent.as_bytes()), Err(ReadError::Expands));
    // Members are counted together.
    let twice = packed(&vec![b' '; DOCUMENT_LIMIT / 2 + 1]);
    let both = [twice.clone(), twice].concat();
    assert_eq!(read(&both), Err(ReadError::Expands));
}

/// RP-08: a mail that the parser stumbles over is one that cannot be read, and no more. Found by the fuzzer.
#[test]
fn mails_that_break_the_parser() {
    let mail = include_bytes!("../../../fuzz/corpus/received_report/mail-nested-broken");
    assert!(read(mail).is_err());
}

/// What is kept of a report that was read.
#[test]
fn what_is_kept() {
    let report = read(&packed(REPORT.as_bytes())).unwrap();
    let received = report.received(Timestamp(1_795_800_000_123));
    assert_eq!(
        received,
        Received {
            at: Timestamp(1_795_800_000_123),
            organization: "Example Inc.".to_owned(),
            report_id: "1@example.test".to_owned(),
            begins: Timestamp(1_795_651_200_000),
            ends: Timestamp(1_795_737_599_000),
            successful: 17,
            failed: 2,
            document: REPORT.as_bytes().to_vec(),
        }
    );
}

/// Any bytes, and the rules of the fuzz target.
#[test]
fn any_bytes() {
    for seed in 0..300 {
        let mut random = fastrand::Rng::with_seed(seed);
        let length = random.usize(0..200);
        let bytes: Vec<u8> = (0..length).map(|_| random.u8(..)).collect();
        fuzzing::received_report(&bytes);
        // A good mail with a byte changed.
        let mut sent =
            mail("Content-Type: application/tlsrpt+json", REPORT.as_bytes()).into_bytes();
        let at = random.usize(0..sent.len());
        sent[at] = random.u8(..);
        fuzzing::received_report(&sent);
    }
}
