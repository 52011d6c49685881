//! Bare keys in place of certificates (RFC 7250), and digests in place of either.

use hoplock_policy::reason::Reason;
use hoplock_policy::verify::{LeafDigests, Presented, Warning};
use sha2::{Digest as _, Sha256, Sha512};

use crate::forge::Party;
use crate::{Case, HOST};

/// CM-08: a bare key is matched by records of the form 3 1 x alone, whatever else they hold.
#[test]
fn only_3_1_x_matches_a_bare_key() {
    let host = Party::new("host");
    let key = host.spki();
    let leaf = host.leaf(&[HOST]).signed_by(&host);
    for matching in 0..=2 {
        let case = Case::of(Presented::RawKey(key.clone()));
        let right = case.clone().record(3, 1, matching, &key);
        assert_eq!((right.outcome(), right.warnings()), (Ok(0), vec![]));
        let wrong = case.clone().record(3, 1, matching, &Party::new("x").spki());
        assert_eq!(wrong.outcome(), Err(Reason::TlsaNoMatch));
        let other = case.clone().record(2, 1, matching, &key);
        assert_eq!(other.outcome(), Err(Reason::RawKeyNotUsable));
        for usage in [2, 3] {
            let whole = case.clone().record(usage, 0, matching, leaf.der());
            assert_eq!(whole.outcome(), Err(Reason::RawKeyNotUsable));
        }
    }
    // The digest of the key, where a certificate is asked for, is none of that certificate.
    for (usage, selector) in [(3, 0), (2, 0), (2, 1)] {
        let case = Case::of(Presented::RawKey(key.clone()));
        let case = case.record(usage, selector, 1, &key);
        assert_eq!(case.outcome(), Err(Reason::RawKeyNotUsable));
    }
}

/// CM-08: where other records stand beside 3 1 x, nobody should have been asked for a bare key:
/// that is told, and the match counts.
#[test]
fn a_bare_key_is_expected_only_by_3_1_x() {
    let host = Party::new("host");
    let leaf = host.leaf(&[HOST]).signed_by(&host);
    let unexpected = vec![Warning::RawKeyUnexpected];
    for (usage, selector, matching, selected, warnings) in [
        (3, 1, 1, Party::new("next").spki(), vec![]),
        (3, 1, 0, Party::new("next").spki(), vec![]),
        (3, 0, 1, leaf.der().to_vec(), unexpected.clone()),
        (2, 1, 1, host.spki(), unexpected.clone()),
        (2, 0, 0, leaf.der().to_vec(), unexpected),
        // Unusable records expect nothing.
        (1, 0, 1, leaf.der().to_vec(), vec![]),
    ] {
        let case = Case::of(Presented::RawKey(host.spki()))
            .record(3, 1, 1, &host.spki())
            .record(usage, selector, matching, &selected);
        assert_eq!(case.outcome(), Ok(0));
        assert_eq!(case.warnings(), warnings, "{usage} {selector} {matching}");
    }
}

/// CM-08, CM-22: agility holds for bare keys too; octets that are no key match nothing but
/// themselves.
#[test]
fn a_bare_key_is_judged_like_another() {
    let (host, other) = (Party::new("host"), Party::new("other"));
    let case = Case::of(Presented::RawKey(host.spki()));
    let silenced = case
        .clone()
        .record(3, 1, 2, &other.spki())
        .record(3, 1, 1, &host.spki());
    assert_eq!(silenced.outcome(), Err(Reason::TlsaNoMatch));
    let bits_alone = case.record(3, 1, 1, &host.key_bits());
    assert_eq!(bits_alone.outcome(), Err(Reason::TlsaNoMatch));
    let empty = Case::of(Presented::RawKey(Vec::new())).record(3, 1, 1, &host.spki());
    assert_eq!(empty.outcome(), Err(Reason::TlsaNoMatch));
}

/// CM-03, SV-01: digests of the leaf settle what records of the same kind say; of others they leave
/// the question open, and never answer it.
#[test]
fn digests_of_the_leaf() {
    let (host, other) = (Party::new("host"), Party::new("other"));
    let leaf = host.leaf(&[HOST]).signed_by(&host);
    let (whole, key) = (leaf.der().to_vec(), host.spki());
    let sha256 = LeafDigests {
        certificate: Sha256::digest(&whole).to_vec(),
        key: Sha256::digest(&key).to_vec(),
    };
    let sha512 = LeafDigests {
        certificate: Sha512::digest(&whole).to_vec(),
        key: Sha512::digest(&key).to_vec(),
    };
    let open = Err(Reason::ReportIncomplete);
    for (digests, own, foreign) in [(&sha256, 1, 2), (&sha512, 2, 1)] {
        let case = Case::of(Presented::Digests(digests.clone()));
        for (selector, right) in [(0, &whole), (1, &key)] {
            let matched = case.clone().record(3, selector, own, right);
            assert_eq!(matched.outcome(), Ok(0));
            let wrong = case.clone().record(3, selector, own, &other.spki());
            assert_eq!(wrong.outcome(), Err(Reason::TlsaNoMatch));
            let kind = case.clone().record(3, selector, foreign, right);
            assert_eq!(kind.outcome(), open, "another digest");
            let full = case.clone().record(3, selector, 0, right);
            assert_eq!(full.outcome(), open, "full data");
            let anchor = wrong.clone().record(2, selector, own, right);
            assert_eq!(anchor.outcome(), open, "an anchor may have signed it");
            let beside = matched.record(2, selector, own, &other.spki());
            assert_eq!(beside.outcome(), Ok(0));
        }
        // The digest of the certificate is none of the key, nor the other way round.
        let crossed = case.clone().record(3, 0, own, &key);
        let crossed = crossed.record(3, 1, own, &whole);
        assert_eq!(crossed.outcome(), Err(Reason::TlsaNoMatch));
        assert_eq!(case.outcome(), Err(Reason::TlsaNoMatch), "no record at all");
    }
}
