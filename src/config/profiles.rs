//! `[profile.NAME]`: the built-in profiles as changed, and new ones.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use hoplock_policy::profile::{Family, Floor, OwnDane, PinDigest, Profile, Version};
use toml::de::{DeTable, DeValue};

use super::keys::{Key, PROFILE_KEYS};
use super::print::built_in_of;
use super::reader::{Reader, Section};
use super::words;

/// All profiles: the built-in ones, changed where the text changes them, and others.
pub(super) fn read(reader: &mut Reader<'_>, root: &DeTable<'_>) -> HashMap<String, Arc<Profile>> {
    let mut profiles: HashMap<_, _> = BUILT_IN
        .iter()
        .filter_map(|name| Profile::built_in(name))
        .map(|profile| (profile.name.clone(), Arc::new(profile)))
        .collect();
    let known: Vec<&Key<Profile>> = PROFILE_KEYS.iter().collect();
    let group = Section::of(root, "profile", reader);
    for (key, value) in group.table.into_iter().flatten() {
        let name: &str = key.get_ref();
        let at = key.span().start;
        let fault = fault_of_name(name);
        // A name that is no name is quoted: it may hold anything.
        let title = match fault {
            None => format!("profile.{name}"),
            Some(_) => format!("profile.{name:?}"),
        };
        let DeValue::Table(table) = value.get_ref() else {
            reader.error(at, format!("write [{title}] on a line of its own"));
            continue;
        };
        if let Some(fault) = fault {
            reader.error(at, format!("[{title}] {fault}"));
        }
        let section = Section {
            name: title,
            table: Some(table),
        };
        reader.check_keys(&section, "profile", &known);
        if let Some(profile) = profile(reader, &section, name, at) {
            profiles.insert(profile.name.clone(), Arc::new(profile));
        }
    }
    profiles
}

/// Why no profile can have this name.
fn fault_of_name(name: &str) -> Option<String> {
    let asked = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '-' | '_' | '.');
    if name.is_empty() || !name.chars().all(asked) {
        return Some(
            "stands in requests of the MTA; use letters, digits, \"-\", \"_\" and \".\" only"
                .to_owned(),
        );
    }
    if name == SESSION_CHECK {
        return Some("is the map of Sendmail's session check; use another name".to_owned());
    }
    if name == REQUIRE_TLS {
        return Some("is the map for smtp_requiretls_policy; use another name".to_owned());
    }
    let built_in = Profile::built_in(name).filter(|profile| profile.name != name);
    built_in.map(|profile| {
        let own = profile.name;
        format!("is another name of {own}; write [profile.{own}]")
    })
}

fn profile(
    reader: &mut Reader<'_>,
    section: &Section<'_>,
    name: &str,
    at: usize,
) -> Option<Profile> {
    let family = reader.choice(section, "family", words::FAMILIES);
    let own =
        Profile::built_in(name).filter(|own| family.is_none_or(|family| family == own.family));
    let base = built_in_of(family.unwrap_or(Family::Postfix));
    let start = own.or_else(|| Profile::built_in(base))?;
    let version = version(reader, section).unwrap_or(start.version);
    let choice = Profile {
        name: name.to_owned(),
        version,
        own_dane: reader
            .choice(section, "own_dane", words::OWN_DANE)
            .unwrap_or(start.own_dane),
        verifier: reader
            .boolean(section, "verifier")
            .unwrap_or(start.verifier),
        floor: floor(reader, section).unwrap_or(start.floor),
        families: reader
            .choice(section, "families", words::ADDRESS_FAMILIES)
            .unwrap_or(start.families),
        address_limit: reader
            .number(section, "address_limit")
            .unwrap_or(start.address_limit),
        digest: digest(reader, section).unwrap_or(start.digest),
        probe: reader.boolean(section, "probe").unwrap_or(start.probe),
        anchor_directory: directory(reader, section, "anchor_directory")
            .unwrap_or(start.anchor_directory),
        anchor_directory_in_chroot: directory(reader, section, "anchor_directory_in_chroot")
            .unwrap_or(start.anchor_directory_in_chroot),
        strict: reader.boolean(section, "strict").unwrap_or(start.strict),
        deadline: reader
            .duration(section, "deadline")
            .unwrap_or(start.deadline),
        follow_mx_aliases: reader
            .boolean(section, "follow_mx_aliases")
            .unwrap_or(start.follow_mx_aliases),
        require_tls12: reader
            .boolean(section, "protocols")
            .unwrap_or(start.require_tls12),
        wrapper: reader.boolean(section, "wrapper").unwrap_or(start.wrapper),
        bypass: reader.boolean(section, "bypass").unwrap_or(start.bypass),
        ..start
    };
    check(reader, section, &choice, at);
    Some(choice)
}

/// What contradicts itself.
fn check(reader: &mut Reader<'_>, section: &Section<'_>, profile: &Profile, at: usize) {
    let name = &section.name;
    // PD-11: this family is for MTAs without DANE.
    if profile.family == Family::Pins && profile.own_dane != OwnDane::No {
        let words = format!(
            "[{name}] family = \"pins\" is for an MTA without DANE of its own; write own_dane = \
             \"no\", or family = \"postfix\""
        );
        reader.error(at, words);
    }
    // PD-11: what is not asked about its sessions cannot be held to anything by them.
    if profile.verifier && profile.family != Family::Sendmail {
        let words = format!(
            "[{name}] verifier is for family = \"sendmail\", which asks about each session; write \
             verifier = false"
        );
        reader.error(reader.at(section, "verifier"), words);
    }
    // Where nothing is written, nothing can be read.
    if profile.anchor_directory.is_empty() && !profile.anchor_directory_in_chroot.is_empty() {
        let words = format!(
            "[{name}] anchor_directory_in_chroot is what the MTA sees of anchor_directory; set that too"
        );
        reader.warn(reader.at(section, "anchor_directory_in_chroot"), words);
    }
    let patience = match profile.family {
        Family::Postfix | Family::Pins => POSTFIX_PATIENCE,
        Family::Exim | Family::Sendmail => SHORT_PATIENCE,
    };
    if profile.deadline >= patience {
        let words = format!(
            "[{name}] deadline: this MTA gives up after {} s and would see an error instead of \
             TEMP; write a shorter one",
            patience.as_secs()
        );
        let at = reader.at(section, "deadline");
        reader.warn(at, words);
    }
}

fn version(reader: &mut Reader<'_>, section: &Section<'_>) -> Option<Version> {
    let (text, at) = reader.text(section, "version")?;
    let mut parts = text.split('.').map(str::parse);
    let (major, minor) = (parts.next(), parts.next().unwrap_or(Ok(0)));
    let rest_is_good = parts.all(|part| part.is_ok());
    match (major, minor) {
        (Some(Ok(major)), Ok(minor)) if rest_is_good => Some(Version { major, minor }),
        _ => {
            let words = format!(
                "[{}] version = {text:?} is no version; write \"3.7\"",
                section.name
            );
            reader.error(at, words);
            None
        }
    }
}

/// DT-16: a path that can stand in an answer to the MTA, or nothing.
fn directory(reader: &mut Reader<'_>, section: &Section<'_>, key: &str) -> Option<String> {
    let (text, at) = reader.text(section, key)?;
    let can_be_told = |byte: u8| byte.is_ascii_graphic() && !b",{}".contains(&byte);
    if text.is_empty() || (text.starts_with('/') && text.bytes().all(can_be_told)) {
        return Some(text);
    }
    let words = format!(
        "[{}] {key} = {text:?} cannot stand in an answer to the MTA; write an absolute path without \
         blanks, commas and braces",
        section.name
    );
    reader.error(at, words);
    None
}

/// PD-16: levels that no answer could be measured against are refused, each with its cure.
fn floor(reader: &mut Reader<'_>, section: &Section<'_>) -> Option<Floor> {
    let (text, at) = reader.text(section, "floor")?;
    let cure = match text.as_str() {
        "none" => {
            "set smtp_tls_security_level = may in the MTA and write \"may\": under none, mail to \
             every destination without a policy leaves in clear text"
        }
        "dane-only" => {
            "set smtp_tls_security_level = dane in the MTA and write \"dane\"; demand DANE of a \
             destination by [rules.\"…\"] mode = \"mandatory\""
        }
        "verify" | "fingerprint" => {
            "set smtp_tls_security_level = encrypt or secure in the MTA and write that; pin a \
             destination by [rules.\"…\"] answer"
        }
        _ => return reader.choice(section, "floor", words::FLOORS),
    };
    let name = &section.name;
    reader.error(
        at,
        format!("[{name}] floor = {text:?} is not possible; {cure}"),
    );
    None
}

/// TU-09: SHA-256 is what everybody must know; broken digests are refused.
fn digest(reader: &mut Reader<'_>, section: &Section<'_>) -> Option<PinDigest> {
    let (text, at) = reader.text(section, "digest")?;
    let name = &section.name;
    let why = match text.as_str() {
        // RFC 6698, 6: SHA-256 is mandatory, and what most records are.
        "sha512" => {
            let words = format!(
                "[{name}] digest = \"sha512\" drops SHA-256, and published SHA-256 records cannot \
                 be pinned this way; write \"sha256\" and set smtp_tls_fingerprint_digest = sha256 \
                 in Postfix"
            );
            reader.warn(at, words);
            return Some(PinDigest::Sha512);
        }
        "sha256" => return Some(PinDigest::Sha256),
        "md5" | "sha1" => "is broken: others can make a certificate with the same digest",
        _ => "is not known",
    };
    let words = format!(
        "[{name}] digest = {text:?} {why}; write \"sha256\" and set smtp_tls_fingerprint_digest = \
         sha256 in Postfix"
    );
    reader.error(at, words);
    None
}

const BUILT_IN: [&str; 6] = [
    "postfix",
    "postfix310",
    "pins",
    "bypass",
    "exim",
    "sendmail",
];
/// This map is no policy.
const SESSION_CHECK: &str = "verifier";
/// Nor is this one.
const REQUIRE_TLS: &str = "requiretls";
/// Postfix waits 100 s for a map.
const POSTFIX_PATIENCE: Duration = Duration::from_secs(100);
/// Exim and Sendmail wait 5 s.
const SHORT_PATIENCE: Duration = Duration::from_secs(5);
