//! What is configured for a run.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use hoplock::answer::Settings;
use hoplock_model::Floor;
use hoplock_policy::law::{FirstContact, LawOptions};
use hoplock_policy::profile::{self, PinDigest, Profile};

use super::orders::rules;
use super::plan::{Millis, Plan, Pushed};

/// The file of trust anchors that a reply names, as smtp(8) reads it in its chroot.
pub(super) fn named_file(reply: &str, place: &Path) -> Option<String> {
    let (_, told) = reply.split_once(&format!(" tafile={IN_CHROOT}/"))?;
    let name = told.split(' ').next()?;
    #[allow(clippy::disallowed_methods, reason = "as the mail server does")]
    std::fs::read_to_string(place.join(name)).ok()
}

/// The profile by which the mail server asks.
pub(super) fn profile(plan: &Plan, place: Option<&Path>) -> Profile {
    let name = if plan.pins.is_some() {
        "pins"
    } else {
        "postfix"
    };
    let mut profile = built_in(plan, name);
    if let Some(pushed) = plan.pushed() {
        let Pushed {
            digest,
            strict,
            probe,
            ..
        } = pushed;
        profile.digest = match digest {
            2 => PinDigest::Sha512,
            _ => PinDigest::Sha256,
        };
        (profile.strict, profile.probe) = (strict, probe);
        if let Some(place) = place {
            profile.anchor_directory = place.display().to_string();
            profile.anchor_directory_in_chroot = IN_CHROOT.to_owned();
        }
    }
    profile
}

fn built_in(plan: &Plan, name: &str) -> Profile {
    let mut profile = Profile::built_in(name).unwrap();
    // The simulated mail server tries every address.
    profile.address_limit = 0;
    profile.deadline = Duration::from_millis(plan.deadline);
    profile.floor = match plan.floor {
        Floor::May => profile::Floor::May,
        Floor::Dane => profile::Floor::Dane,
        Floor::Encrypt => profile::Floor::Encrypt,
        Floor::Secure => profile::Floor::Secure,
    };
    profile
}

pub(super) fn settings(plan: &Plan, now: Millis, place: Option<&Path>) -> Settings {
    // Sessions are judged by the one called `postfix`.
    let profiles = [built_in(plan, "postfix"), profile(plan, place)];
    let named = profiles.map(|profile| (profile.name.clone(), Arc::new(profile)));
    Settings {
        rules: rules(plan, now),
        profiles: HashMap::from(named),
        law: LawOptions {
            half_dane: plan.half_dane,
            first_contact: if plan.first_contact_defers {
                FirstContact::Defer
            } else {
                FirstContact::Ignore
            },
            ..LawOptions::default()
        },
    }
}

/// Where smtp(8) finds the directory of trust anchors.
const IN_CHROOT: &str = "/anchors";
