//! Rules, profiles, options and conditions made of a fuzzer's bytes.

use super::bytes::Bytes;
use super::evidence::moment;
use crate::findings::Validation;
use crate::law::{Conditions, FirstContact, LawOptions};
use crate::moment::Timestamp;
use crate::next_hop::NextHop;
use crate::profile::{
    AddressFamilies, Family, Floor, OwnDane, OwnDaneSeen, PinDigest, Profile, Version,
};
use crate::rules::{Fallback, Mode, PinnedLevel, Rule, RulePattern};
use crate::tlsa::TlsaOptions;

/// `postfix` or `postfix310`, changed as the configuration could change it.
pub(super) fn profile(bytes: &mut Bytes<'_>) -> Profile {
    let (shape, more) = (bytes.byte(), bytes.byte());
    let name = if shape & 1 == 0 {
        "postfix"
    } else {
        "postfix310"
    };
    let base = Profile::built_in(name);
    assert!(base.is_some(), "{name} is built in");
    let minors = [7, 10, 3, 4, 5, 6, 9, 11];
    let mut profile = base.unwrap_or_else(|| profile(bytes));
    assert_eq!(profile.family, Family::Postfix);
    profile.floor = match shape >> 1 & 3 {
        0 => Floor::May,
        1 => Floor::Dane,
        2 => Floor::Encrypt,
        _ => Floor::Secure,
    };
    profile.own_dane = match shape >> 3 & 3 {
        0 => OwnDane::Auto,
        1 => OwnDane::No,
        _ => OwnDane::Yes,
    };
    profile.families = match shape >> 5 & 3 {
        0 => AddressFamilies::Ipv4,
        1 => AddressFamilies::Ipv6,
        _ => AddressFamilies::Both,
    };
    if more & 1 != 0 {
        profile.version = Version {
            major: 3,
            minor: bytes.pick(&minors, 7),
        };
    }
    profile.follow_mx_aliases = more & 2 == 0;
    profile.require_tls12 = more & 4 != 0;
    profile.digest = if more & 8 == 0 {
        PinDigest::Sha256
    } else {
        PinDigest::Sha512
    };
    profile.address_limit = usize::from(more >> 4 & 7);
    profile.strict = more & 128 != 0;
    profile
}

/// The same operator's Exim and Sendmail, and a Postfix without DANE.
pub(super) fn others(postfix: &Profile) -> Vec<Profile> {
    let like = |name| {
        let base = Profile::built_in(name)?;
        Some(Profile {
            floor: postfix.floor,
            own_dane: if base.family == Family::Pins {
                OwnDane::No
            } else {
                postfix.own_dane
            },
            strict: postfix.follow_mx_aliases,
            anchor_directory: "/anchors".to_owned(),
            families: postfix.families,
            // Any bit will do.
            verifier: base.family == Family::Sendmail && postfix.require_tls12,
            ..base
        })
    };
    ["exim", "sendmail", "pins"]
        .into_iter()
        .filter_map(like)
        .collect()
}

/// Switches of the configuration.
pub(super) fn options(bytes: &mut Bytes<'_>) -> LawOptions {
    let (shape, more) = (bytes.byte(), bytes.byte());
    LawOptions {
        dane: shape & 1 == 0,
        sts: shape & 2 == 0,
        half_dane: shape & 4 == 0,
        srv_submission: shape & 32 != 0,
        testing_as_enforce: shape & 8 != 0,
        first_contact: if shape & 16 == 0 {
            FirstContact::Ignore
        } else {
            FirstContact::Defer
        },
        tlsa: TlsaOptions {
            map_pkix_usages: more & 1 != 0,
            complete_ca_set: more & 2 != 0,
            trust_anchor_digests: more & 4 == 0,
        },
        digest_order: if more & 8 == 0 {
            vec![2, 1]
        } else {
            vec![1, 2]
        },
    }
}

/// What is known beside the findings.
pub(super) fn conditions(bytes: &mut Bytes<'_>) -> Conditions {
    let shape = bytes.byte();
    Conditions {
        validation: match shape & 3 {
            0 => Validation::NotValidating,
            1 => Validation::Unknown,
            _ => Validation::Validating,
        },
        remembered_dane: shape & 4 != 0,
        own_dane: match shape >> 3 & 7 {
            0 => OwnDaneSeen::LookupsOff,
            1 => OwnDaneSeen::ResolverDoesNotValidate,
            2 => OwnDaneSeen::ResolverUnknown,
            3 => OwnDaneSeen::NotFound,
            _ => OwnDaneSeen::Works,
        },
        now: moment(bytes),
    }
}

/// Some rules, each for other destinations, as the configuration lets them pass.
pub(super) fn rules(bytes: &mut Bytes<'_>, next_hop: &NextHop) -> Vec<Rule> {
    let mut rules: Vec<Rule> = Vec::new();
    let mut count = bytes.byte() % 4;
    while count > 0 {
        count -= 1;
        let rule = rule(bytes, next_hop);
        if !rules.iter().any(|own| own.pattern == rule.pattern) {
            rules.push(rule);
        }
    }
    rules
}

fn rule(bytes: &mut Bytes<'_>, next_hop: &NextHop) -> Rule {
    let first = bytes.byte();
    let pattern = match (first % 6, next_hop.name()) {
        (0 | 1, Some(name)) => RulePattern::Exact(name.clone()),
        (2, Some(name)) => name.parent().map_or(RulePattern::Any, RulePattern::Suffix),
        (3, _) => RulePattern::Exact(bytes.name()),
        (4, _) => RulePattern::Suffix(bytes.name()),
        _ => RulePattern::Any,
    };
    let shape = bytes.byte();
    Rule {
        pattern,
        mode: match shape & 3 {
            0 => Mode::Off,
            1 => Mode::Audit,
            2 => Mode::Opportunistic,
            _ => Mode::Mandatory,
        },
        sts: shape & 4 == 0,
        fallback_on_insecure: shape & 8 != 0,
        fallback: match shape >> 4 & 3 {
            0 => Fallback::Defer,
            1 => Fallback::Fingerprint,
            2 => Fallback::Secure,
            _ => Fallback::Encrypt,
        },
        answer: (shape & 0x40 != 0).then(|| bytes.pick(LEVELS, PinnedLevel::Defer)),
        expires: (shape & 0x80 != 0)
            .then(|| Timestamp(1_800_000_000_000 + u64::from(bytes.number()) * 10_000)),
        fingerprints: (0..bytes.byte() % 3).map(|_| fingerprint(bytes)).collect(),
        names: (0..bytes.byte() % 3).map(|_| bytes.name()).collect(),
        ca_file: (first / 6 % 4 == 1).then(|| "/own.pem".to_owned()),
        comment: bytes.text(),
        since: None,
    }
}

/// A digest as the configuration lets it pass: colons anywhere, either case.
fn fingerprint(bytes: &mut Bytes<'_>) -> String {
    let shape = bytes.byte();
    let octet = format!("{:02x}", bytes.byte());
    let length = if shape & 1 == 0 { 32 } else { 64 };
    let separator = if shape & 2 == 0 { "" } else { ":" };
    let digest = vec![octet; length].join(separator);
    if shape & 4 == 0 {
        digest
    } else {
        digest.to_ascii_uppercase()
    }
}

const LEVELS: &[PinnedLevel] = &[
    PinnedLevel::None,
    PinnedLevel::May,
    PinnedLevel::Encrypt,
    PinnedLevel::Dane,
    PinnedLevel::DaneOnly,
    PinnedLevel::Fingerprint,
    PinnedLevel::Verify,
    PinnedLevel::Secure,
    PinnedLevel::Defer,
];
