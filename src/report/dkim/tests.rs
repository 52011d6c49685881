//! Tests of signatures: RP-12. The verifier here is written by hand from RFC 6376, and shares nothing with
//! the library that signs.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "tests"
)]

use std::collections::BTreeMap;

use aws_lc_rs::encoding::AsDer as _;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{
    ED25519, Ed25519KeyPair, KeyPair as _, RSA_PKCS1_2048_8192_SHA256, RsaKeyPair,
    UnparsedPublicKey,
};
use data_encoding::BASE64;
use hoplock_policy::moment::Timestamp;
use sha2::{Digest as _, Sha256};

use super::super::mail::tests::{composed, name};
use super::*;

const NOW: Timestamp = Timestamp(1_795_741_200_000);

/// A public key, as DNS would have it.
enum Public {
    Rsa(Vec<u8>),
    Ed25519(Vec<u8>),
}

fn pem(label: &str, der: &[u8]) -> String {
    let lines: Vec<String> = BASE64
        .encode(der)
        .as_bytes()
        .chunks(64)
        .map(|line| String::from_utf8_lossy(line).into_owned())
        .collect();
    format!(
        "-----BEGIN {label}-----\n{}\n-----END {label}-----\n",
        lines.join("\n")
    )
}

fn rsa() -> (Vec<u8>, Public) {
    let pair = RsaKeyPair::generate(KeySize::Rsa2048).unwrap();
    let public = pair.public_key().as_ref().to_vec();
    (
        pair.as_der().unwrap().as_ref().to_vec(),
        Public::Rsa(public),
    )
}

fn ed25519() -> (Vec<u8>, Public) {
    let der = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).unwrap();
    let pair = Ed25519KeyPair::from_pkcs8(der.as_ref()).unwrap();
    let public = pair.public_key().as_ref().to_vec();
    (der.as_ref().to_vec(), Public::Ed25519(public))
}

fn signing(pem: &str) -> Signing {
    let key = DkimKey::from_pem(pem.as_bytes(), name("sender.test"), name("s1.tlsrpt"));
    Signing::Key(Box::new(key.unwrap()))
}

/// RFC 6376, 3.4.2.
fn relaxed(field: &str) -> String {
    let (name, value) = field.split_once(':').unwrap();
    let words: Vec<&str> = value.split_ascii_whitespace().collect();
    format!("{}:{}", name.trim().to_ascii_lowercase(), words.join(" "))
}

/// RFC 6376, 3.4.4.
fn relaxed_body(body: &str) -> String {
    let lines: Vec<String> = body
        .split("\r\n")
        .map(|line| {
            let mut out = String::new();
            for c in line.trim_end_matches([' ', '\t']).chars() {
                let is_blank = matches!(c, ' ' | '\t');
                if !(is_blank && out.ends_with(' ')) {
                    out.push(if is_blank { ' ' } else { c });
                }
            }
            out
        })
        .collect();
    let text = lines.join("\r\n");
    let text = text.trim_end_matches("\r\n");
    if text.is_empty() {
        String::new()
    } else {
        format!("{text}\r\n")
    }
}

/// Checks the first field of a mail, and gives its tags back.
fn verify(mail: &[u8], public: &Public) -> Result<BTreeMap<String, String>, &'static str> {
    let text = std::str::from_utf8(mail).unwrap();
    let (head, body) = text.split_once("\r\n\r\n").unwrap();
    let mut fields: Vec<String> = Vec::new();
    for line in head.split("\r\n") {
        match fields.last_mut() {
            Some(last) if line.starts_with([' ', '\t']) => last.push_str(&format!("\r\n{line}")),
            _ => fields.push(line.to_owned()),
        }
    }
    let own = fields.remove(0);
    let value = own.strip_prefix("DKIM-Signature:").ok_or("no signature")?;
    let tags: BTreeMap<String, String> = value
        .split(';')
        .filter_map(|tag| tag.split_once('='))
        .map(|(tag, value)| {
            let value: String = value.split_ascii_whitespace().collect();
            (tag.trim().to_owned(), value)
        })
        .collect();
    if BASE64.encode(&Sha256::digest(relaxed_body(body))) != tags["bh"] {
        return Err("body");
    }
    let mut input = String::new();
    for name in tags["h"].split(':') {
        // RFC 6376, 5.4.2: from the bottom; a field that is not there is nothing.
        let found = fields.iter().rposition(|field| {
            let (own, _) = field.split_once(':').unwrap();
            own.eq_ignore_ascii_case(name)
        });
        if let Some(index) = found {
            input.push_str(&format!("{}\r\n", relaxed(&fields.remove(index))));
        }
    }
    // The signature itself, without its value and without a line end (RFC 6376, 3.7).
    let before = own.find("\tb=").unwrap() + 3;
    let mut without = relaxed(&own[..before]);
    without.push(';');
    input.push_str(&without);
    let octets = BASE64.decode(tags["b"].as_bytes()).unwrap();
    let outcome = match public {
        Public::Rsa(key) => UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, key)
            .verify(input.as_bytes(), &octets),
        // RFC 8463, 3: of the digest.
        Public::Ed25519(key) => {
            UnparsedPublicKey::new(&ED25519, key).verify(&Sha256::digest(&input), &octets)
        }
    };
    outcome.map(|()| tags).map_err(|_| "signature")
}

/// RP-12: each kind of key, in each form, signs what a verifier takes; every change is seen.
#[test]
fn a_signed_mail_verifies() {
    let (rsa_der, rsa_public) = rsa();
    let (ed_der, ed_public) = ed25519();
    // RFC 5958, 2: in PKCS #8 an RSA key of this size stands behind 26 octets.
    let pkcs1 = &rsa_der[26..];
    let mut long_id = String::new();
    for (key, public, algorithm) in [
        (pem("PRIVATE KEY", &rsa_der), &rsa_public, "rsa-sha256"),
        (pem("RSA PRIVATE KEY", pkcs1), &rsa_public, "rsa-sha256"),
        (pem("PRIVATE KEY", &ed_der), &ed_public, "ed25519-sha256"),
    ] {
        let signing = signing(&key);
        long_id.push_str(&"i".repeat(90));
        for (mail, change) in [
            (composed(|_| ()), true),
            (composed(|mail| mail.report_id = &long_id), false),
        ] {
            let mail = mail.unwrap();
            let unsigned = mail.octets.clone();
            let sealed = signing.seal(mail.clone(), NOW).unwrap();
            assert!(sealed.ends_with(&unsigned), "the mail itself stays");
            let tags = verify(&sealed, public).unwrap();
            assert_eq!(tags["a"], algorithm);
            assert_eq!(tags["c"], "relaxed/relaxed");
            assert_eq!(
                (tags["d"].as_str(), tags["s"].as_str()),
                ("sender.test", "s1.tlsrpt")
            );
            assert_eq!(tags["t"], "1795741200");
            // RFC 8460, 3.
            assert!(!tags.contains_key("l"), "{tags:?}");
            assert_eq!(
                sealed,
                signing.seal(mail, NOW).unwrap(),
                "the same each time"
            );
            let text = String::from_utf8(sealed).unwrap();
            assert!(text.lines().all(|line| line.len() <= 998));
            if !change {
                continue;
            }
            for (from, to) in [
                ("From: tlsrpt@", "From: other@"),
                ("To: reports@", "To: others@"),
                ("Subject: Report", "Subject: Other"),
                ("Date: Fri", "Date: Sat"),
                ("Message-ID: <2", "Message-ID: <3"),
                ("TLS-Report-Domain: r", "TLS-Report-Domain: s"),
                ("TLS-Report-Submitter: m", "TLS-Report-Submitter: n"),
                ("TLS-Required: No", "TLS-Required: Yes"),
                ("MIME-Version: 1.0", "MIME-Version: 1.1"),
                ("report-type=\"tlsrpt\"", "report-type=\"other\""),
                ("Failed:      4", "Failed:      5"),
                (
                    "\r\nFrom: tlsrpt@",
                    "\r\nFrom: mallory@m.test\r\nFrom: tlsrpt@",
                ),
                ("\r\nSubject: Report", "\r\nSubject: x\r\nSubject: Report"),
                ("--\r\n", "--\r\nmore words\r\n"),
            ] {
                let changed = text.replacen(from, to, 1);
                assert_ne!(changed, text, "{from}");
                assert!(verify(changed.as_bytes(), public).is_err(), "{to}");
            }
        }
    }
}

/// RP-12: by the mail server the mail leaves as it is; a key of another domain does not sign it, and then it
/// does not leave.
#[test]
fn unsigned_or_misaligned() {
    let mail = composed(|_| ()).unwrap();
    let unsigned = mail.octets.clone();
    assert_eq!(Signing::ByMta.seal(mail, NOW).unwrap(), unsigned);
    let signing = signing(&pem("PRIVATE KEY", &ed25519().0));
    for (from, is_good) in [
        ("a@sender.test", true),
        ("a@reports.SENDER.test", true),
        ("a@xsender.test", false),
        ("a@test", false),
        ("a@sender.test.other.test", false),
    ] {
        let mail = composed(|mail| mail.from = from).unwrap();
        let outcome = signing.seal(mail, NOW);
        assert_eq!(outcome.is_ok(), is_good, "{from}");
        if let Err(error) = outcome {
            assert!(matches!(error, NotSigned::OtherDomain { .. }), "{error}");
        }
    }
}

#[test]
fn keys_that_cannot_sign() {
    let read = |text: &str| {
        let key = DkimKey::from_pem(text.as_bytes(), name("sender.test"), name("s1"));
        key.map(|key| key.record())
    };
    let good = pem("PRIVATE KEY", &ed25519().0);
    assert_eq!(read(&good).unwrap(), "s1._domainkey.sender.test");
    for text in ["", "words", &good.replace("PRIVATE", "PUBLIC")] {
        assert!(matches!(read(text), Err(BadKey::NoPem(_))), "{text}");
    }
    let ecdsa = rcgen::KeyPair::generate().unwrap().serialize_pem();
    for text in [
        ecdsa,
        pem("PRIVATE KEY", b"words"),
        pem("EC PRIVATE KEY", b"x"),
    ] {
        assert!(matches!(read(&text), Err(BadKey::Unusable(_))), "{text}");
    }
}

/// Signs a mail with each key in a folder, for `integration/oracle/signed_mails.py`, which runs this and judges what
/// comes of it.
#[test]
#[ignore = "material of an oracle: run integration/oracle/signed_mails.py"]
#[allow(clippy::disallowed_methods, reason = "tests")]
fn for_another_verifier() {
    let folder = std::path::PathBuf::from(std::env::var("HOPLOCK_DKIM").unwrap());
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|ending| ending != "pem") {
            continue;
        }
        let signing = signing(&std::fs::read_to_string(&path).unwrap());
        for length in 1..80 {
            let id = "i".repeat(length);
            let mail = composed(|mail| {
                mail.organization = "Bücher   & Söhne  ";
                mail.report_id = &id;
            });
            let sealed = signing.seal(mail.unwrap(), NOW).unwrap();
            std::fs::write(path.with_extension(format!("{length}.eml")), sealed).unwrap();
        }
    }
}
