//! What authenticates must be worth it: versions (RFC 8996; RFC 9325, 3.1.1) and ciphers (RFC 7672,
//! 8.2).

use hoplock_policy::law::duty::Duty;
use hoplock_policy::law::rows::Row;
use hoplock_policy::law::{Answer, Verdict};
use hoplock_policy::next_hop::NextHop;
use hoplock_policy::profile::Profile;
use hoplock_policy::reason::Reason;
use hoplock_policy::render::{Rendered, render};
use hoplock_policy::verify::{SessionOutcome, Starttls, TlsVersion, Warning};

use crate::scene::Scene;

use SessionOutcome::{Cleartext, Encrypted, Failed};

const VERSIONS: [(TlsVersion, bool); 5] = [
    (TlsVersion::Ssl, false),
    (TlsVersion::Tls10, false),
    (TlsVersion::Tls11, false),
    (TlsVersion::Tls12, true),
    (TlsVersion::Tls13, true),
];

/// Names of ciphers that authenticate nobody: of OpenSSL, of GnuTLS, of the registry.
const ANONYMOUS: [&str; 12] = [
    "ADH-AES256-GCM-SHA384",
    "AECDH-AES128-SHA",
    "aecdh-aes128-sha",
    "EXP-ADH-RC4-MD5",
    "TLS_DH_anon_WITH_AES_128_GCM_SHA256",
    "TLS_ECDH_anon_WITH_AES_256_CBC_SHA",
    "TLS_DH_anon_EXPORT_WITH_RC4_40_MD5",
    "(TLS1.2)-(ANON-ECDH)-(AES-128-GCM)",
    "(TLS1.2)-(ANON-DH)-(AES-256-CBC)-(SHA1)",
    "TLS1.2:ANON_DH__AES_128_CBC__SHA1:128",
    "DH-ANON",
    "aNULL",
];

/// Names of ciphers that hide nothing.
const NULL: [&str; 9] = [
    "NULL-SHA256",
    "ECDHE-RSA-NULL-SHA",
    "AECDH-NULL-SHA",
    "eNULL",
    "TLS_NULL_WITH_NULL_NULL",
    "TLS_RSA_WITH_NULL_SHA256",
    "(TLS1.2)-(RSA)-(NULL)-(SHA256)",
    "TLS_SHA256_SHA256",
    "TLS_SHA384_SHA384",
];

/// Names of ciphers that do both.
const ORDINARY: [&str; 8] = [
    "TLS_AES_256_GCM_SHA384",
    "TLS_CHACHA20_POLY1305_SHA256",
    "ECDHE-RSA-AES256-GCM-SHA384",
    "DHE-RSA-AES128-SHA",
    "AES256-SHA",
    "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256",
    "(TLS1.3)-(ECDHE-X25519)-(RSA-PSS-RSAE-SHA256)-(AES-256-GCM)",
    "TLS1.3:ECDHE_X25519__RSA_PSS_RSAE_SHA256__AES_256_GCM:256",
];

fn over(scene: &Scene, version: TlsVersion) -> Scene {
    scene
        .clone()
        .but(|session| session.tls_version = Some(version))
}

fn with(scene: &Scene, cipher: &str) -> Scene {
    scene
        .clone()
        .but(|session| session.cipher = Some(cipher.to_owned()))
}

/// RQ-01: nobody is authenticated below TLS 1.2, at no level that authenticates.
#[test]
fn old_versions_authenticate_nobody() {
    for (scene, outcome) in Scene::authenticated() {
        for (version, is_enough) in VERSIONS {
            let expected = if is_enough {
                outcome
            } else {
                assert_eq!(over(&scene, version).said().1, Reason::TlsVersionTooOld);
                Failed
            };
            assert_eq!(
                over(&scene, version).verdict().outcome,
                expected,
                "{version:?}"
            );
        }
    }
}

/// RQ-01, RQ-02: where nobody must be authenticated, an old version is told and fails nothing.
#[test]
fn old_versions_are_told_elsewhere() {
    for scene in [Scene::free(), Scene::encrypt()] {
        for (version, is_enough) in VERSIONS {
            let verdict = over(&scene, version).verdict();
            assert_eq!(verdict.outcome, Encrypted, "{version:?}");
            let old = verdict.warnings.contains(&Warning::TlsVersionOld);
            assert_eq!(old, !is_enough, "{version:?}");
        }
        for cipher in ANONYMOUS {
            let verdict = with(&scene, cipher).verdict();
            assert_eq!((verdict.outcome, verdict.warnings), (Encrypted, vec![]));
        }
    }
}

/// SB-05: on submission ports an old version is a failure, whatever is owed; an absence is judged as
/// elsewhere.
#[test]
fn old_versions_are_no_submission() {
    for key in ["host.test:587", "[mx.host.test]:submissions", "host.test"] {
        for scene in [Scene::free(), Scene::encrypt()] {
            let to = |port| {
                let next_hop = NextHop::parse(key);
                scene.clone().but(|session| {
                    session.next_hop = Some(next_hop);
                    session.port = Some(port);
                })
            };
            let is_submission = key != "host.test";
            for (version, is_enough) in VERSIONS {
                let failed = (Failed, Reason::TlsVersionTooOld);
                for (port, fails) in [(25, is_submission), (587, true), (465, true)] {
                    let said = over(&to(port), version).said();
                    assert_eq!(
                        said == failed,
                        fails && !is_enough,
                        "{key} {port} {version:?}"
                    );
                }
            }
        }
        let scene = Scene::free().but(|session| {
            session.next_hop = Some(NextHop::parse(key));
            session.starttls = Some(Starttls::NotOffered);
        });
        assert_eq!(scene.verdict().outcome, Cleartext, "{key}");
    }
}

/// SV-09: a cipher that authenticates nobody or hides nothing is a failure at every level that
/// authenticates, by whatever name.
#[test]
fn such_ciphers_authenticate_nobody() {
    for (scene, outcome) in Scene::authenticated() {
        for cipher in ANONYMOUS.into_iter().chain(NULL) {
            let said = with(&scene, cipher).said();
            assert_eq!(said, (Failed, Reason::CipherUnauthenticated), "{cipher}");
        }
        for cipher in ORDINARY {
            assert_eq!(with(&scene, cipher).verdict().outcome, outcome, "{cipher}");
        }
    }
}

/// SV-09: what hides nothing is clear text, and fails where TLS is owed.
#[test]
fn what_hides_nothing_is_clear_text() {
    for cipher in NULL {
        for (scene, outcome) in [(Scene::free(), Cleartext), (Scene::encrypt(), Failed)] {
            let said = with(&scene, cipher).said();
            assert_eq!(said, (outcome, Reason::CipherUnauthenticated), "{cipher}");
        }
    }
}

/// RQ-02: answers for opportunistic destinations narrow neither version nor cipher, though the
/// operator asks for TLS 1.2 elsewhere.
#[test]
fn opportunistic_answers_are_not_narrowed() {
    let mut profile = Profile::built_in("postfix").unwrap();
    profile.require_tls12 = true;
    let said = |answer: Answer| {
        let verdict = Verdict::plain(answer, Row::Law, Reason::NoPolicy, String::new());
        render(&verdict, &profile)
    };
    assert_eq!(said(Answer::NotFound), Rendered::NotFound);
    for (answer, word) in [(Answer::May, "may"), (Answer::Dane, "dane")] {
        assert_eq!(said(answer), Rendered::Ok(word.to_owned()));
    }
    let Rendered::Ok(mandatory) = said(Answer::Encrypt) else {
        panic!("encrypt has words");
    };
    assert!(mandatory.contains("TLSv1.2"), "{mandatory}");
}

/// RQ-02, RQ-06: clear text after a fault of TLS is fine where nothing is owed, and nowhere else.
#[test]
fn clear_text_after_a_fault() {
    for (duty, outcome) in [
        (Duty::Free, Cleartext),
        (Duty::Encrypt, Failed),
        (Duty::WebPki, Failed),
        (Duty::OwnWebPki, Failed),
        (Duty::Dane, Failed),
        (Duty::Refuse, Failed),
    ] {
        let scene = Scene::free().owing(duty);
        let scene = scene.but(|session| session.starttls = Some(Starttls::Failed));
        assert_eq!(scene.verdict().outcome, outcome, "{duty:?}");
    }
}

/// RQ-01: versions are known by the words of several libraries, and no word is taken for a newer
/// one.
#[test]
fn versions_have_words() {
    for (word, version) in [
        ("SSLv3", TlsVersion::Ssl),
        ("TLSv1", TlsVersion::Tls10),
        ("TLSv1.0", TlsVersion::Tls10),
        ("TLS1.1", TlsVersion::Tls11),
        ("TLSv1_2", TlsVersion::Tls12),
        ("TLS 1.3", TlsVersion::Tls13),
    ] {
        assert_eq!(TlsVersion::parse(word), Some(version), "{word}");
        assert_eq!(TlsVersion::parse(version.word()), Some(version));
    }
    for word in ["", "TLS", "TLSv1.4", "TLSv13x", "DTLSv1.2"] {
        assert_eq!(TlsVersion::parse(word), None, "{word}");
    }
}
