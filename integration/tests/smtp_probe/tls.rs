//! What happens in the handshake, by rustls.

use std::path::Path;
use std::time::{Duration, Instant};

use hoplock::world::probe::{HandshakeFailure, Probed, Signature, Stage, Unverifiable};
use hoplock_policy::verify::{Certificate, Presented, Starttls, TlsVersion};
use rcgen::{
    KeyPair, PKCS_ECDSA_P256_SHA256, PKCS_ECDSA_P384_SHA384, PKCS_ED25519, PKCS_RSA_SHA256,
};
use rustls::version::{TLS12, TLS13};

use crate::certificates::{Identity, Oddity, by_openssl, leaf};
use crate::server::{Host, Manner, Old, Tls};
use crate::{probe, probe_within};

async fn against(tls: Tls) -> Probed {
    let host = Host::start(Manner::good(tls)).await;
    probe(host.address).await
}

async fn against_old(folder: &Path, arguments: &[&str]) -> Probed {
    let old = Old::start(folder, arguments).await;
    against(Tls::Relay(old.address)).await
}

fn failure(probed: &Probed) -> HandshakeFailure {
    let Stage::HandshakeFailed { kind, .. } = &probed.stage else {
        panic!("{probed:?}")
    };
    *kind
}

fn ders(chain: &[Certificate]) -> Vec<&[u8]> {
    chain.iter().map(Certificate::der).collect()
}

/// SV-01: version, cipher, group, chain and proof are those of the session, for every kind of key.
#[tokio::test]
async fn good_hosts_of_either_version() {
    for algorithm in [
        &PKCS_ECDSA_P256_SHA256,
        &PKCS_ECDSA_P384_SHA384,
        &PKCS_ED25519,
        &PKCS_RSA_SHA256,
    ] {
        let key = KeyPair::generate_for(algorithm).unwrap();
        let identity = Identity::with_key(Oddity::None, key);
        for (version, expected, cipher) in [
            (&TLS13, TlsVersion::Tls13, "TLS_AES_"),
            (&TLS12, TlsVersion::Tls12, "TLS_ECDHE_"),
        ] {
            let probed = against(Tls::Rustls(identity.server(&[version]))).await;
            assert_eq!(probed.stage, Stage::Established, "{probed:?}");
            let tls = probed.tls.as_ref().unwrap();
            assert_eq!(tls.version, Some(expected));
            assert!(tls.cipher.starts_with(cipher), "{}", tls.cipher);
            assert!(tls.group.is_some());
            assert_eq!(tls.signature, Signature::Proved, "{algorithm:?}");
            let sent: Vec<&[u8]> = identity.chain.iter().map(AsRef::as_ref).collect();
            assert_eq!(ders(&probed.chain), sent);
            let session = probed.session().unwrap();
            assert_eq!(session.starttls, Some(Starttls::Used));
            assert_eq!(session.presented, Presented::Chain(probed.chain.clone()));
        }
    }
}

/// CM-05, CM-06, CM-07: whatever is odd about a certificate, it is recorded, and its key is proved.
#[tokio::test]
async fn odd_certificates_prove_their_key() {
    for oddity in [
        Oddity::Expired,
        Oddity::SelfSigned,
        Oddity::Version1,
        Oddity::CriticalExtension,
    ] {
        let identity = Identity::new(oddity);
        for version in [&TLS13, &TLS12] {
            let probed = against(Tls::Rustls(identity.server(&[version]))).await;
            assert_eq!(probed.stage, Stage::Established, "{oddity:?}: {probed:?}");
            let tls = probed.tls.unwrap();
            assert_eq!(tls.signature, Signature::Proved, "{oddity:?}");
            assert_eq!(probed.chain[0].der(), &*identity.chain[0]);
            let key = identity.public_key();
            assert_eq!(probed.chain[0].public_key(), Some(&key[..]), "{oddity:?}");
        }
    }
}

/// CM-07: octets that lead to no key are recorded; nothing rests on them, for nothing was proved.
#[tokio::test]
async fn octets_that_are_no_certificate() {
    let identity = Identity::new(Oddity::Garbage);
    for version in [&TLS13, &TLS12] {
        let probed = against(Tls::Rustls(identity.server(&[version]))).await;
        assert_eq!(probed.stage, Stage::Established, "{probed:?}");
        let signature = probed.tls.as_ref().unwrap().signature;
        assert_eq!(signature, Signature::NotVerifiable(Unverifiable::NoKey));
        assert_eq!(ders(&probed.chain), [b"no certificate"]);
        assert_eq!(probed.session().unwrap().presented, Presented::Unknown);
    }
}

/// CM-07, SV-03: showing a certificate proves nothing; who signs with another key has failed, also where
/// the certificate is too odd for stricter readers.
#[tokio::test]
async fn another_key_is_noticed() {
    let other = KeyPair::generate().unwrap();
    for oddity in [Oddity::None, Oddity::Version1, Oddity::CriticalExtension] {
        let identity = Identity::new(oddity);
        for version in [&TLS13, &TLS12] {
            let server = identity.signed_by(&other, &[version]);
            let probed = against(Tls::Rustls(server)).await;
            assert_eq!(failure(&probed), HandshakeFailure::BadSignature);
            assert_eq!(probed.chain[0].der(), &*identity.chain[0]);
            assert_eq!(probed.tls, None);
            let session = probed.session().unwrap();
            assert_eq!(session.starttls, Some(Starttls::Failed));
            assert_eq!(session.presented, Presented::Unknown);
        }
    }
    // Another RSA key, and a key of another kind.
    let rsa = || KeyPair::generate_for(&PKCS_RSA_SHA256).unwrap();
    for version in [&TLS13, &TLS12] {
        for identity in [
            Identity::with_key(Oddity::None, rsa()),
            Identity::new(Oddity::None),
        ] {
            let probed = against(Tls::Rustls(identity.signed_by(&rsa(), &[version]))).await;
            assert!(!probed.chain.is_empty());
            let session = probed.session().unwrap();
            assert_eq!(session.starttls, Some(Starttls::Failed), "{probed:?}");
        }
    }
}

/// Short RSA keys: checked where the library can, and said to be unverifiable where it cannot.
#[tokio::test]
async fn weak_keys() {
    let folder = by_openssl(&["-newkey", "rsa:1024"]);
    let cipher = ["-cipher", "ALL:@SECLEVEL=0"];
    let weak = Signature::NotVerifiable(Unverifiable::WeakKey);
    for (version, expected) in [("-tls1_2", Signature::Proved), ("-tls1_3", weak)] {
        let arguments = [&cipher[..], &[version]].concat();
        let probed = against_old(folder.path(), &arguments).await;
        assert_eq!(probed.stage, Stage::Established, "{probed:?}");
        assert_eq!(probed.tls.unwrap().signature, expected, "{version}");
        assert_eq!(probed.chain[0].der(), leaf(folder.path()));
    }
}

/// SV-03: a host that offers only what rustls lacks is inconclusive, never failed.
#[tokio::test]
async fn hosts_that_are_too_old() {
    let folder = by_openssl(&["-newkey", "rsa:2048"]);
    for arguments in [
        &["-tls1_1", "-cipher", "ALL:@SECLEVEL=0"][..],
        &["-tls1", "-cipher", "ALL:@SECLEVEL=0"],
        // RSA key exchange, DHE, CBC.
        &["-tls1_2", "-cipher", "AES128-GCM-SHA256"],
        &["-tls1_2", "-cipher", "DHE-RSA-AES128-GCM-SHA256"],
        &["-tls1_2", "-cipher", "ECDHE-RSA-AES128-SHA"],
    ] {
        let probed = against_old(folder.path(), arguments).await;
        assert_eq!(
            failure(&probed),
            HandshakeFailure::PeerTooOld,
            "{arguments:?}"
        );
        assert_eq!(probed.session(), None, "{arguments:?}");
        assert_eq!(probed.server_name_sent, Some(crate::name("mx.e.test")));
    }
}

/// A host so old that it answers whatever it was offered with what it has.
#[tokio::test]
async fn hosts_that_choose_without_looking() {
    let random = [7; 32];
    let hello = |version: [u8; 2], cipher: [u8; 2]| {
        let body = [&version[..], &random, &[0], &cipher, &[0]].concat();
        let length = u16::try_from(body.len()).unwrap();
        let message = [&[2, 0][..], &length.to_be_bytes(), &body].concat();
        let length = u16::try_from(message.len()).unwrap();
        [&[22][..], &version, &length.to_be_bytes(), &message].concat()
    };
    for octets in [
        hello([3, 1], [0, 0x2f]),
        hello([3, 0], [0, 0x0a]),
        hello([3, 3], [0, 0x2f]),
    ] {
        let probed = against(Tls::Says(octets)).await;
        assert_eq!(failure(&probed), HandshakeFailure::PeerTooOld, "{probed:?}");
    }
}

/// SV-03: every other end of a handshake is a failure, and has its kind.
#[tokio::test]
async fn broken_handshakes() {
    for (tls, expected) in [
        (
            Tls::Says(b"this is no TLS record at all\r\n".to_vec()),
            HandshakeFailure::NotTls,
        ),
        (
            Tls::Says(b"HTTP/1.1 400 Bad Request\r\n\r\n".to_vec()),
            HandshakeFailure::NotTls,
        ),
        (Tls::Closes, HandshakeFailure::Closed),
        // unrecognized_name (RFC 6066, 3), internal_error.
        (
            Tls::Says(vec![21, 3, 3, 0, 2, 2, 112]),
            HandshakeFailure::Alert,
        ),
        (
            Tls::Says(vec![21, 3, 3, 0, 2, 2, 80]),
            HandshakeFailure::Alert,
        ),
        // A ServerHello without content.
        (
            Tls::Says(vec![22, 3, 3, 0, 4, 2, 0, 0, 0]),
            HandshakeFailure::Misbehaved,
        ),
    ] {
        let probed = against(tls).await;
        assert_eq!(failure(&probed), expected, "{probed:?}");
        let session = probed.session().unwrap();
        assert_eq!(session.starttls, Some(Starttls::Failed));
    }
}

#[tokio::test]
async fn a_silent_handshake_ends() {
    let host = Host::start(Manner::good(Tls::Silent)).await;
    let began = Instant::now();
    let probed = probe_within(host.address, Duration::from_secs(1)).await;
    assert!(began.elapsed() < Duration::from_secs(3));
    assert_eq!(failure(&probed), HandshakeFailure::Timeout);
}
