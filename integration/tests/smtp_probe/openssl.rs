//! The same hosts by the program `openssl`, and its own verdict on TLSA records.

use std::net::{IpAddr, Ipv6Addr};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use hoplock::adapters::smtp::openssl::OpensslProber;
use hoplock::world::probe::{
    Beginning, Engine, HandshakeFailure, ProbeTarget, Probed, Prober as _, Signature, Stage,
};
use hoplock_policy::tlsa::TlsaRecord;
use hoplock_policy::verify::{Certificate, Presented, Starttls, TlsVersion};
use rcgen::{KeyPair, PKCS_RSA_SHA256};
use rustls::version::{TLS12, TLS13};
use sha2::{Digest as _, Sha256};

use crate::certificates::{Identity, Oddity, by_openssl, leaf};
use crate::server::{Greeting, Host, Manner, Old, Tls};
use crate::{PATIENCE, options, target};

async fn probe(target: ProbeTarget) -> Probed {
    probe_within(target, PATIENCE).await
}

async fn probe_within(target: ProbeTarget, timeout: Duration) -> Probed {
    let prober = OpensslProber::find(options(timeout)).await.unwrap();
    prober.probe(target).await
}

async fn against(tls: Tls, records: Vec<TlsaRecord>) -> Probed {
    let host = Host::start(Manner::good(tls)).await;
    probe(ProbeTarget {
        records,
        ..target(host.address)
    })
    .await
}

async fn against_old(folder: &Path, arguments: &[&str], records: Vec<TlsaRecord>) -> Probed {
    let old = Old::start(folder, arguments).await;
    against(Tls::Relay(old.address), records).await
}

/// `usage 0 1` of these octets.
fn whole(usage: u8, certificate: &[u8]) -> TlsaRecord {
    TlsaRecord {
        usage,
        selector: 0,
        matching: 1,
        data: Sha256::digest(certificate).to_vec(),
    }
}

/// `3 1 1` of a key.
fn key(certificate: &[u8]) -> TlsaRecord {
    let certificate = Certificate::from_der(certificate);
    TlsaRecord {
        selector: 1,
        ..whole(3, certificate.public_key().unwrap())
    }
}

/// The second where records are of trust anchors only.
const NO_MATCH: &[&str] = &[
    "no matching DANE TLSA records",
    "self-signed certificate in certificate chain",
];

fn failure(probed: &Probed) -> HandshakeFailure {
    let Stage::HandshakeFailed { kind, .. } = &probed.stage else {
        panic!("{probed:?}")
    };
    *kind
}

/// SV-01: the same is seen as by the other engine; without records there is no verdict.
#[tokio::test]
async fn good_hosts_of_either_version() {
    let identity = Identity::new(Oddity::None);
    for (version, expected) in [(&TLS13, TlsVersion::Tls13), (&TLS12, TlsVersion::Tls12)] {
        let host = Host::start(Manner::good(Tls::Rustls(identity.server(&[version])))).await;
        let probed = probe(target(host.address)).await;
        assert_eq!(probed.stage, Stage::Established, "{probed:?}");
        assert_eq!(probed.engine, Engine::Openssl);
        let sent: Vec<&[u8]> = identity.chain.iter().map(AsRef::as_ref).collect();
        let chain: Vec<&[u8]> = probed.chain.iter().map(Certificate::der).collect();
        assert_eq!(chain, sent);
        let tls = probed.tls.as_ref().unwrap();
        assert_eq!(tls.version, Some(expected));
        assert_eq!(tls.signature, Signature::Proved);
        assert_eq!(tls.group.as_deref(), Some("X25519"));
        assert_eq!(probed.extensions, ["SIZE 1000", "StartTLS", "8BITMIME"]);
        assert_eq!((&probed.verdict, &probed.trouble), (&None, &None));
        let session = probed.session().unwrap();
        assert_eq!(session.presented, Presented::Chain(probed.chain.clone()));
        let seen = host.seen().await;
        assert_eq!(seen.sni.as_deref(), Some("mx.e.test"));
        assert_eq!(seen.clear, ["EHLO probe.e.test", "STARTTLS"]);
        assert_eq!(seen.inside, ["quit"]);
        assert!(seen.good_bye);
        assert_eq!(seen.connections, 1);
    }
}

/// CM-01, CM-09, CM-13: OpenSSL's verdict on records that match and that do not.
#[tokio::test]
async fn verdicts_of_dane() {
    let identity = Identity::new(Oddity::None);
    let (own, authority) = (&identity.chain[0], &identity.chain[1]);
    let wrong = whole(3, b"another");
    for (records, matched) in [
        (vec![key(own)], Some("EE certificate at depth 0")),
        (vec![whole(3, own)], Some("EE certificate at depth 0")),
        (
            vec![wrong.clone(), key(own)],
            Some("EE certificate at depth 0"),
        ),
        (vec![whole(2, authority)], Some("TA certificate at depth 1")),
        (vec![wrong], None),
        (vec![whole(3, authority)], None),
        (vec![whole(2, b"another")], None),
    ] {
        for version in [&TLS13, &TLS12] {
            let server = Tls::Rustls(identity.server(&[version]));
            let probed = against(server, records.clone()).await;
            assert_eq!(probed.stage, Stage::Established, "{probed:?}");
            let verdict = probed.verdict.unwrap();
            assert_eq!(verdict.authenticated, matched.is_some(), "{verdict:?}");
            match matched {
                Some(words) => {
                    assert_eq!(verdict.words, "OK");
                    let own = verdict.matched.unwrap();
                    assert!(own.ends_with(words), "{own}");
                }
                None => assert!(NO_MATCH.contains(&&verdict.words[..]), "{verdict:?}"),
            }
        }
    }
}

/// CM-05, CM-06, CM-07: odd certificates under DANE-EE.
#[tokio::test]
async fn odd_certificates() {
    for oddity in [
        Oddity::Expired,
        Oddity::SelfSigned,
        Oddity::Version1,
        Oddity::CriticalExtension,
    ] {
        let identity = Identity::new(oddity);
        let records = vec![key(&identity.chain[0])];
        let probed = against(Tls::Rustls(identity.server(&[&TLS13])), records).await;
        assert_eq!(probed.stage, Stage::Established, "{oddity:?}: {probed:?}");
        assert_eq!(probed.chain[0].der(), &*identity.chain[0]);
        let verdict = probed.verdict.unwrap();
        assert!(verdict.authenticated, "{oddity:?}: {verdict:?}");
    }
}

/// SV-03: what the other engine cannot tell this one can.
#[tokio::test]
async fn hosts_that_are_old() {
    let folder = by_openssl(&["-newkey", "rsa:2048"]);
    let own = leaf(folder.path());
    for (arguments, version, cipher, group) in [
        (
            &["-tls1_1", "-cipher", "ALL:@SECLEVEL=0"][..],
            TlsVersion::Tls11,
            "ECDHE-RSA-AES256-SHA",
            Some("X25519"),
        ),
        (
            &["-tls1", "-cipher", "AES128-SHA:@SECLEVEL=0"],
            TlsVersion::Tls10,
            "AES128-SHA",
            None,
        ),
        (
            &["-tls1_2", "-cipher", "AES128-GCM-SHA256"],
            TlsVersion::Tls12,
            "AES128-GCM-SHA256",
            None,
        ),
        (
            &["-tls1_2", "-cipher", "DHE-RSA-AES128-GCM-SHA256"],
            TlsVersion::Tls12,
            "DHE-RSA-AES128-GCM-SHA256",
            Some("DH, 2048 bits"),
        ),
        (
            &["-tls1_2", "-cipher", "ECDHE-RSA-AES128-SHA"],
            TlsVersion::Tls12,
            "ECDHE-RSA-AES128-SHA",
            Some("X25519"),
        ),
    ] {
        let probed = against_old(folder.path(), arguments, vec![key(&own)]).await;
        assert_eq!(probed.stage, Stage::Established, "{probed:?}");
        let tls = probed.tls.unwrap();
        assert_eq!(tls.version, Some(version));
        assert_eq!(tls.cipher, cipher);
        assert_eq!(tls.group.as_deref(), group, "{arguments:?}");
        assert_eq!(tls.signature, Signature::Proved);
        assert_eq!(probed.chain[0].der(), own);
        assert!(probed.verdict.unwrap().authenticated);
    }
}

/// A key of 1024 bits is proved in TLS 1.3, too.
#[tokio::test]
async fn weak_keys() {
    let folder = by_openssl(&["-newkey", "rsa:1024"]);
    let own = leaf(folder.path());
    for version in ["-tls1_2", "-tls1_3"] {
        let arguments = ["-cipher", "ALL:@SECLEVEL=0", version];
        let probed = against_old(folder.path(), &arguments, vec![key(&own)]).await;
        assert_eq!(probed.stage, Stage::Established, "{probed:?}");
        assert!(probed.verdict.unwrap().authenticated);
    }
}

/// SV-03: the program prints a version, a cipher, a chain that matches and "OK" for a handshake that it
/// has broken off; none of it counts.
#[tokio::test]
async fn another_key_is_noticed() {
    let rsa = || KeyPair::generate_for(&PKCS_RSA_SHA256).unwrap();
    let short = || KeyPair::generate().unwrap();
    for (identity, other) in [
        (Identity::new(Oddity::None), short()),
        (Identity::new(Oddity::Version1), short()),
        (Identity::with_key(Oddity::None, rsa()), rsa()),
    ] {
        for version in [&TLS13, &TLS12] {
            let server = identity.signed_by(&other, &[version]);
            let records = vec![key(&identity.chain[0])];
            let probed = against(Tls::Rustls(server), records).await;
            assert_eq!(failure(&probed), HandshakeFailure::BadSignature);
            assert_eq!((&probed.tls, &probed.verdict), (&None, &None));
            let session = probed.session().unwrap();
            assert_eq!(session.starttls, Some(Starttls::Failed));
            assert_eq!(session.presented, Presented::Unknown);
        }
    }
}

/// What a host says inside TLS in OpenSSL's words is not taken for OpenSSL's.
#[tokio::test]
async fn the_host_does_not_speak_for_openssl() {
    let identity = Identity::new(Oddity::None);
    let words = "Verification: OK\nDANE TLSA 3 1 1 ...00 matched EE certificate at depth 0\n---\n";
    let manner = Manner {
        implicit: true,
        greeting: Greeting::Says(words.repeat(50).into_bytes()),
        ..Manner::good(Tls::Rustls(identity.server(&[&TLS13])))
    };
    let host = Host::start(manner).await;
    let probed = probe(ProbeTarget {
        records: vec![whole(3, b"another")],
        beginning: Beginning::Tls,
        ..target(host.address)
    })
    .await;
    assert_eq!(probed.stage, Stage::Established, "{probed:?}");
    let verdict = probed.verdict.unwrap();
    assert!(!verdict.authenticated);
    assert_eq!(verdict.matched, None);
}

/// SV-03: each end of a handshake has its kind, the same as by the other engine.
#[tokio::test]
async fn broken_handshakes() {
    for (tls, expected) in [
        (
            Tls::Says(b"this is no TLS record at all\r\n".to_vec()),
            HandshakeFailure::NotTls,
        ),
        (Tls::Closes, HandshakeFailure::Closed),
        (
            Tls::Says(vec![21, 3, 3, 0, 2, 2, 112]),
            HandshakeFailure::Alert,
        ),
        // handshake_failure, protocol_version (RFC 8446, 6.2).
        (
            Tls::Says(vec![21, 3, 3, 0, 2, 2, 40]),
            HandshakeFailure::PeerTooOld,
        ),
        (
            Tls::Says(vec![21, 3, 1, 0, 2, 2, 70]),
            HandshakeFailure::PeerTooOld,
        ),
    ] {
        let probed = against(tls, Vec::new()).await;
        assert_eq!(failure(&probed), expected, "{probed:?}");
    }
    let probed = against(
        Tls::Rustls(Identity::new(Oddity::Garbage).server(&[&TLS13])),
        Vec::new(),
    )
    .await;
    assert_eq!(failure(&probed), HandshakeFailure::Misbehaved, "{probed:?}");

    let host = Host::start(Manner::good(Tls::Silent)).await;
    let began = Instant::now();
    let probed = probe_within(target(host.address), Duration::from_secs(1)).await;
    assert!(began.elapsed() < Duration::from_secs(4));
    assert_eq!(failure(&probed), HandshakeFailure::Timeout);
}

/// SV-03: the dialogue in clear text is the same.
#[tokio::test]
async fn before_the_handshake() {
    let not_offered = Manner::extends(b"250 mx.e.test\r\n");
    let refused = Manner {
        starttls: b"454 not now\r\n".to_vec(),
        ..Manner::good(Tls::Closes)
    };
    let injected = Manner {
        starttls: b"220 go ahead\r\n250 AUTH PLAIN\r\n".to_vec(),
        ..Manner::good(Tls::Closes)
    };
    for (manner, expected) in [
        (not_offered, "not-offered"),
        (refused, "starttls-refused"),
        (injected, "injected"),
    ] {
        let host = Host::start(manner).await;
        let probed = probe(target(host.address)).await;
        assert_eq!(probed.stage.word(), expected, "{probed:?}");
        assert_eq!(probed.took.handshake, None);
    }
}

#[tokio::test]
async fn over_ipv6() {
    let identity = Identity::new(Oddity::None);
    let manner = Manner::good(Tls::Rustls(identity.server(&[&TLS13])));
    let host = Host::start_at(IpAddr::V6(Ipv6Addr::LOCALHOST), manner).await;
    let probed = probe(target(host.address)).await;
    assert_eq!(probed.stage, Stage::Established, "{probed:?}");
}

/// Trouble of the engine is no trouble of the host.
#[tokio::test]
async fn no_program() {
    let program = PathBuf::from("openssl-that-is-not-there");
    let missing = OpensslProber::with_program(program, options(PATIENCE)).await;
    let words = missing.err().unwrap().to_string();
    assert!(
        words.starts_with("openssl-that-is-not-there cannot be run: "),
        "{words}"
    );

    let mut target = target(Host::start(Manner::good(Tls::Closes)).await.address);
    // No DER: OpenSSL takes none of these for a record.
    let broken = TlsaRecord {
        matching: 0,
        data: vec![1],
        ..whole(3, b"")
    };
    target.records = vec![broken];
    let probed = probe(target).await;
    let Stage::EngineFailed { detail } = &probed.stage else {
        panic!("{probed:?}")
    };
    assert!(detail.contains("TLSA"), "{detail}");
    assert_eq!(probed.session(), None);
}
