//! What an attack, a broken policy host or a stepped clock may have kept from the service.

use hoplock_model::{Type, World};

use super::exceptions::{FAILURE, concerns};
use super::judge::Case;
use super::plan::{Attack, Event, Kind, Millis};
use super::site::{Site, StsHost};

pub(super) fn is_attacked(case: &Case<'_>) -> bool {
    let since = case.asked.asked.saturating_sub(case.oldest + FAILURE);
    case.plan.attacks.iter().any(|attack| {
        concerns(attack, case.number) && attack.until > since && attack.from <= case.asked.answered
    })
}

/// `knows_another`: a policy is remembered, so that nobody waits for another one (ST-04, ST-14).
pub(super) fn is_policy_hidden(case: &Case<'_>, knows_another: bool) -> bool {
    let since = case.asked.asked.saturating_sub(case.oldest + RETRY);
    // Of a session that has been, nobody waits for more.
    let waits = case.plan.first_contact_defers && !case.is_of_session() && !knows_another;
    let hides = |attack: &Attack| {
        let on_record = attack.types.is_empty() || attack.types.contains(&Type::Txt);
        let hides = if waits {
            // Whoever waits for a policy that may be there is left with what says that there is none: a
            // denial, or what was true before it was published. Only a signature tells that from the truth.
            on_record && is_of_absence(attack.kind)
        } else {
            attack.kind.is_https() || on_record
        };
        hides
            && concerns(attack, case.number)
            && attack.until > since
            && attack.from <= case.asked.answered
    };
    let mut versions = case.plan.sites.get(case.number).into_iter().flatten();
    let is_broken = |site: &Site| {
        site.sts
            .as_ref()
            .is_some_and(|sts| sts.host != StsHost::Serves)
    };
    case.plan.attacks.iter().any(hides)
        || !waits && versions.any(|(at, site)| *at <= case.asked.answered && is_broken(site))
}

pub(super) fn is_of_absence(kind: Kind) -> bool {
    matches!(kind, Kind::NxDomain | Kind::NoData | Kind::Stale(_))
}

pub(super) fn has_clock_jumped(case: &Case<'_>) -> bool {
    let before = |(at, _): &&(Millis, Event)| *at <= case.asked.asked;
    let events = || case.plan.events.iter().filter(before);
    let ahead = events().any(|(_, event)| match event {
        Event::Wall(by) | Event::Restart(_, by) => *by > 0,
        _ => false,
    });
    // A process that is to be killed may live on for long.
    let died = events().any(|(_, event)| matches!(event, Event::Crash(_) | Event::Restart(..)));
    ahead && died
}

pub(super) fn without_policy(site: &Site) -> World {
    World {
        policy_hosts: Vec::new(),
        ..site.published()
    }
}

/// A policy that could not be fetched is tried again within an hour.
const RETRY: Millis = 3_700_000;
