//! The built-in world holds together: names, sentences, hosts, keys.

use std::collections::BTreeSet;

use hoplock_policy::name::DomainName;
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject as _;
use sha2::{Digest as _, Sha256};
use x509_parser::prelude::{FromDer as _, X509Certificate};

use super::config::AUTHORITY_PEM;
use super::reports::{HOST_PEM, STRANGER_PEM};
use super::world::{AUTHORITY, HOST_KEY, STRANGER_KEY, hosts};
use super::{DOMAINS, shows};

#[test]
fn each_destination_is_a_name_with_a_sentence() {
    let mut seen = BTreeSet::new();
    for domain in DOMAINS {
        let name = domain.name;
        // RFC 6761, 6.2: nobody will ever have these names.
        assert!(name.ends_with(".test"), "{name}");
        assert!(DomainName::parse(name).is_ok(), "{name}");
        assert!(seen.insert(name), "{name} stands there twice");
        let sentence = domain.shows;
        assert!(seen.insert(sentence), "{sentence:?} stands there twice");
        assert!(sentence.chars().count() <= 62, "too long: {sentence}");
        let specs = domain.hosts.split(", ").filter(|spec| !spec.is_empty());
        assert_eq!(hosts(domain).count(), specs.count(), "{name}");
    }
}

#[test]
fn states_of_hosts_are_known() {
    let states = [
        "ee",
        "ta",
        "unusable",
        "none",
        "failed",
        "address-failed",
        "alias",
        "rollover",
        "lost",
    ];
    for domain in DOMAINS {
        for (_, _, state) in hosts(domain) {
            assert!(states.contains(&state), "{}: {state}", domain.name);
        }
    }
}

/// The digests that are published are those of the certificates that are shown.
#[test]
fn records_fit_the_certificates() {
    let der = |pem: &str| CertificateDer::from_pem_slice(pem.as_bytes()).unwrap();
    for (pem, key) in [(HOST_PEM, HOST_KEY), (STRANGER_PEM, STRANGER_KEY)] {
        let der = der(pem);
        let (_, certificate) = X509Certificate::from_der(&der).unwrap();
        let digest = Sha256::digest(certificate.public_key().raw);
        assert_eq!(digest[..], key);
    }
    assert_eq!(Sha256::digest(der(AUTHORITY_PEM))[..], AUTHORITY);
    let pinned = STRANGER_KEY.map(|byte| format!("{byte:02x}")).concat();
    assert!(DOMAINS.iter().any(|domain| domain.rule.contains(&pinned)));
}

#[test]
fn destinations_are_found_in_any_spelling() {
    let sentence = shows(DOMAINS, "bücher.test");
    assert!(sentence.is_some());
    assert_eq!(shows(DOMAINS, "XN--BCHER-KVA.test."), sentence);
    assert_eq!(shows(DOMAINS, "example.test"), None);
    assert_eq!(shows(&[], "bücher.test"), None);
}
