//! A Postfix 3.7 whose resolver validates nothing, chrooted as Debian has it, with the lines that
//! `docs/postfix.md` prints: hoplock, whose resolver validates, hands it pins and trust anchors.
//!
//! * `destinations`: what is published and forged, and column F of what everybody delivers to.
//! * `orders`: destinations that must be authenticated, and the operator's fallbacks.
//! * `files`: the files of trust anchors, taken away and back again.
//! * `rollover`: keys that change while mail goes out.

mod destinations;
mod files;
mod orders;
mod rollover;

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::deliveries::Delivery;
use super::postfix::{Instance, Postfix};
use super::servers::{NOT_VALIDATING, until};
use super::stage::{Lab, Mapped};
use super::zones::Plan;

use self::orders::Orders;
use self::rollover::Rollover;

/// What is published for this stage.
pub(super) struct Published {
    deliveries: Vec<Delivery>,
    orders: Orders,
    rollover: Rollover,
}

/// Adds to what the lab publishes.
pub(super) fn plan(plan: &mut Plan) -> Published {
    let deliveries = destinations::table(plan);
    Published {
        deliveries,
        orders: orders::plan(plan),
        rollover: rollover::plan(plan),
    }
}

impl Published {
    /// What hoplock is configured with: the profile as the page prints it, for this Postfix's chroot, and
    /// the rules.
    pub(super) fn configuration(&self, folder: &Path) -> String {
        let chroot = chroot(folder);
        fs::create_dir_all(chroot.join("hoplock")).unwrap();
        let profile = include_str!("../../../postfix/pins.toml")
            .replace("/var/spool/postfix", &chroot.display().to_string());
        format!("{profile}{}", self.orders.rules)
    }
}

/// All of it.
pub(super) fn all(
    lab: &mut Lab<'_>,
    published: &Published,
    deliveries: &[Delivery],
    mapped: &Mapped,
) {
    let start = |name, port, map: &'static str| {
        let instance = Instance {
            lines: include_str!("../../../postfix/pins.cf"),
            chroot: Some(NOT_VALIDATING),
            ..Instance::new(name, port, map)
        };
        Postfix::start(lab.folder, &instance)
    };
    let control = start("pins-control", 2529, "");
    let pins = Mapped {
        postfix: start(NAME, 2528, "socketmap:inet:127.0.0.1:8425:pins"),
        map: "pins",
        user: "p",
        dane: "fingerprint match=",
    };
    let mut own = destinations::of_everybody(deliveries);
    own.extend(published.deliveries.iter().cloned());
    lab.without_the_map(&own, &control);
    lab.answers(&own, &pins);
    lab.deliveries(&own, &pins);
    let ordered = orders::told(&published.orders.deliveries, "OK fingerprint match=");
    lab.without_the_map(&ordered, &control);
    lab.deliveries(&ordered, &pins);
    let by_dane = orders::told(&published.orders.deliveries, "OK dane-only");
    lab.answers(&by_dane, mapped);
    lab.deliveries(&by_dane, mapped);
    orders::are_logged(lab);
    without_its_own(lab, &pins);
    // The sessions of the one that is asked about are followed.
    let followed = lab.hoplock.reconfigure(|text| {
        let is_of = |map: &Mapped| format!("{}/log", map.postfix.folder().display());
        text.replace(&is_of(mapped), &is_of(&pins))
    });
    let gone = files::take_away(lab, &pins);
    rollover::all(lab, &pins, &published.rollover);
    files::is_back(lab, &pins, &gone);
    lab.hoplock.reconfigure(|_| followed.clone());
}

/// PD-11: beside such a Postfix hoplock sees by itself that it does no DANE, and the map `postfix` gives
/// pins, too, which hold against forged lookups.
fn without_its_own(lab: &mut Lab<'_>, pins: &Mapped) {
    let before = lab.hoplock.stand_beside(pins.postfix.folder());
    let status = lab.hoplock.tool(&["status", "--json"]);
    let status: serde_json::Value = serde_json::from_slice(&status.stdout).unwrap();
    let seen = &status["postfix"]["own_dane"];
    lab.report.check(
        seen.as_str()
            .is_some_and(|seen| seen != "works" && seen != "not-found"),
        || format!("own_dane beside a Postfix without: {seen}"),
    );
    pins.postfix
        .reconfigure("smtp_tls_policy_maps=socketmap:inet:127.0.0.1:8425:postfix");
    for (to, sent) in [("own@dane.test", true), ("own@forged-mx.test", false)] {
        pins.postfix.send(to);
        until("an attempt by pins", Duration::from_secs(30), || {
            pins.postfix.attempts(to) > 0
        });
        let outcome = pins.postfix.outcome(to).unwrap_or_default();
        let word = if sent {
            "status=sent"
        } else {
            "(Server certificate not verified)"
        };
        lab.report
            .check(outcome.contains(word), || format!("{to}: {outcome}"));
    }
    let told = pins.postfix.postmap("dane.test", "postfix");
    lab.report.check(told.starts_with(pins.dane), || {
        format!("the map postfix: {told:?}")
    });
    pins.postfix
        .reconfigure("smtp_tls_policy_maps=socketmap:inet:127.0.0.1:8425:pins");
    lab.hoplock.stand_beside(&before);
}

/// The chroot of the Postfix without DNSSEC.
fn chroot(folder: &Path) -> PathBuf {
    folder.join(NAME).join("spool")
}

const NAME: &str = "pins";
