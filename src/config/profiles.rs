//! `[profile.NAME]`: the built-in profiles as changed, and new ones.

use std::collections::HashMap;
use std::sync::Arc;

use hoplock_policy::profile::{
    AddressFamilies, Family, Floor, OwnDane, PinDigest, Profile, Version,
};
use toml::de::{DeTable, DeValue};

use super::complaint::Severity;
use super::keys::PROFILE_KEYS;
use super::reader::{Reader, Section};

/// All profiles: the built-in ones for Postfix, changed where the text changes them, and others.
pub(super) fn read(reader: &mut Reader<'_>, root: &DeTable<'_>) -> HashMap<String, Arc<Profile>> {
    let mut profiles = HashMap::new();
    for name in BUILT_IN {
        if let Some(profile) = Profile::built_in(name) {
            profiles.insert(profile.name.clone(), Arc::new(profile));
        }
    }
    let group = Section::of(root, "profile", reader);
    for (key, value) in group.table.into_iter().flatten() {
        let name: &str = key.get_ref();
        let DeValue::Table(table) = value.get_ref() else {
            let words = format!("write [profile.{name}] on a line of its own");
            reader.complain(Severity::Error, key.span().start, words);
            continue;
        };
        let section = Section {
            name: format!("profile.{name}"),
            table: Some(table),
        };
        reader.check_keys(&section, "profile", PROFILE_KEYS);
        if name.contains(' ') || name.is_empty() {
            let words = "a profile's name stands in socketmap requests: no blanks";
            reader.complain(Severity::Error, key.span().start, words);
            continue;
        }
        let profile = profile(reader, &section, name);
        profiles.insert(profile.name.clone(), Arc::new(profile));
    }
    profiles
}

fn profile(reader: &mut Reader<'_>, section: &Section<'_>, name: &str) -> Profile {
    let families = [
        ("postfix", Family::Postfix),
        ("pins", Family::Pins),
        ("exim", Family::Exim),
        ("sendmail", Family::Sendmail),
    ];
    let family = reader.choice(section, "family", &families);
    let base = match family {
        Some(Family::Pins) => "pins",
        Some(Family::Exim) => "exim",
        Some(Family::Sendmail) => "sendmail",
        Some(Family::Postfix) | None => "postfix",
    };
    let start = Profile::built_in(name).or_else(|| Profile::built_in(base));
    let mut profile = start.unwrap_or_else(|| unreachable!("postfix is built in"));
    if Profile::built_in(name).is_none() {
        name.clone_into(&mut profile.name);
    }
    if let Some(family) = family {
        profile.family = family;
    }
    if let Some((text, at)) = reader.text(section, "version") {
        match version(&text) {
            Some(version) => profile.version = version,
            None => {
                let words = format!("[{}] version = {text:?}; write \"3.7\"", section.name);
                reader.complain(Severity::Error, at, words);
            }
        }
    }
    let own = [
        ("auto", OwnDane::Auto),
        ("yes", OwnDane::Yes),
        ("no", OwnDane::No),
    ];
    profile.own_dane = reader
        .choice(section, "own_dane", &own)
        .unwrap_or(profile.own_dane);
    let floors = [
        ("may", Floor::May),
        ("dane", Floor::Dane),
        ("encrypt", Floor::Encrypt),
        ("secure", Floor::Secure),
    ];
    profile.floor = reader
        .choice(section, "floor", &floors)
        .unwrap_or(profile.floor);
    let families = [
        ("auto", AddressFamilies::Both),
        ("4", AddressFamilies::Ipv4),
        ("6", AddressFamilies::Ipv6),
    ];
    profile.families = reader
        .choice(section, "families", &families)
        .unwrap_or(profile.families);
    let limit = reader.number(section, "address_limit");
    profile.address_limit = limit.unwrap_or(profile.address_limit);
    profile.digest = digest(reader, section).unwrap_or(profile.digest);
    profile.probe = reader.boolean(section, "probe").unwrap_or(profile.probe);
    profile.strict = reader.boolean(section, "strict").unwrap_or(profile.strict);
    profile.deadline = reader
        .duration(section, "deadline")
        .unwrap_or(profile.deadline);
    let follow = reader.boolean(section, "follow_mx_aliases");
    profile.follow_mx_aliases = follow.unwrap_or(profile.follow_mx_aliases);
    profile
}

fn version(text: &str) -> Option<Version> {
    let mut parts = text.split('.');
    let major = parts.next()?.parse().ok()?;
    let minor = parts.next().unwrap_or("0").parse().ok()?;
    Some(Version { major, minor })
}

/// TU-09: SHA-256 is what everybody must know; broken digests are refused.
fn digest(reader: &mut Reader<'_>, section: &Section<'_>) -> Option<PinDigest> {
    let (text, at) = reader.text(section, "digest")?;
    let name = &section.name;
    match text.as_str() {
        "sha256" => Some(PinDigest::Sha256),
        "sha512" => {
            let words = format!(
                "[{name}] digest = \"sha512\": most published records are SHA-256 and cannot be \
                 pinned this way; set sha256 and smtp_tls_fingerprint_digest = sha256"
            );
            reader.complain(Severity::Warning, at, words);
            Some(PinDigest::Sha512)
        }
        _ => {
            let words = format!(
                "[{name}] digest = {text:?} is not safe or not known; write \"sha256\" and set \
                 smtp_tls_fingerprint_digest = sha256 in Postfix"
            );
            reader.complain(Severity::Error, at, words);
            None
        }
    }
}

const BUILT_IN: [&str; 5] = ["postfix", "postfix310", "pins", "exim", "sendmail"];
