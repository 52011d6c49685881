//! The declared exceptions: where the law itself permits what the model alone would not.
//!
//! This is the only list. Whoever adds to it says which line of the law declares it.

use hoplock_model::postfix::Reply;
use hoplock_model::{Duty, Outcome, Selection, Truth, Type, World};

use super::judge::Case;
use super::mta::Seeing;
use super::plan::{Attack, Event, Kind, Millis, Target};
use super::site::{Site, StsHost};

/// True where one of the exceptions permits this outcome for this host.
pub(super) fn excuse(case: &Case<'_>, reply: &Reply, seeing: &Seeing, outcome: Outcome) -> bool {
    ALL.iter()
        .any(|exception| exception(case, reply, seeing, outcome))
}

type Exception = fn(&Case<'_>, &Reply, &Seeing, Outcome) -> bool;

const ALL: [Exception; 4] = [first_contact, patterns, rule_off, clock_jumped];

/// ST-13, ST-14 (RFC 8461, 3.3 and 10.2): a policy that could not be discovered or fetched, since its
/// record or its host was attacked or is broken, counts as unpublished; what is remembered goes on.
fn first_contact(case: &Case<'_>, _: &Reply, seeing: &Seeing, outcome: Outcome) -> bool {
    let since = case.asked.asked.saturating_sub(case.oldest + RETRY);
    let hides = |attack: &Attack| {
        let on_record = attack.types.is_empty() || attack.types.contains(&Type::Txt);
        concerns(attack, case.number)
            && (attack.kind.is_https() || on_record)
            && attack.until > since
            && attack.from <= case.asked.answered
    };
    let attacked = case.plan.attacks.iter().any(hides);
    let versions = case.plan.sites.get(case.number);
    let broken = |site: &Site| {
        site.sts
            .as_ref()
            .is_some_and(|sts| sts.host != StsHost::Serves)
    };
    let was_broken = versions.is_some_and(|versions| {
        let in_force = |at: Millis| at <= case.asked.answered;
        versions
            .iter()
            .any(|(at, site)| in_force(*at) && broken(site))
    });
    (attacked || was_broken)
        && case
            .truths_over(&without_policy, &case.memories())
            .iter()
            .any(|truth| truth.permits(&seeing.name, outcome))
}

/// DT-01s, PF-12: where no host can be found, the answer carries the policy's patterns, and Postfix
/// lets a wildcard cover any number of labels.
fn patterns(case: &Case<'_>, reply: &Reply, _: &Seeing, outcome: Outcome) -> bool {
    let Reply::Level { matches, .. } = reply else {
        return false;
    };
    outcome == Outcome::WebPki
        && case.asked.row == "DT-01s"
        && case.truths().iter().any(|truth| {
            let own = truth.enforced.as_ref().is_some_and(|patterns| {
                let written: Vec<String> = patterns
                    .iter()
                    .map(|pattern| pattern.trim_start_matches('*').to_owned())
                    .collect();
                matches.iter().all(|matched| written.contains(matched))
            });
            own && truth.selection != Selection::Failed
        })
}

/// PD-12: where nothing is owed, the mail server's own level acts, and strands by its own choice.
pub(super) fn own_level_acts(reply: &Reply, truths: &[Truth]) -> bool {
    let owes_nothing = |truth: &Truth| truth.hosts.iter().all(|host| host.duty == Duty::Free);
    *reply == Reply::NotFound && truths.iter().any(owes_nothing)
}

/// OP-03: where the operator switches a destination off, it is as the mail server's own level has it.
fn rule_off(case: &Case<'_>, _: &Reply, _: &Seeing, _: Outcome) -> bool {
    let rule = |at| case.plan.rule(case.number, at) == hoplock_model::Rule::Off;
    rule(case.asked.asked) || rule(case.asked.answered)
}

/// ST-28: a wall clock that runs ahead when the process starts cannot be told from a pause.
fn clock_jumped(case: &Case<'_>, _: &Reply, seeing: &Seeing, outcome: Outcome) -> bool {
    let mut ahead = 0;
    let mut jumped = false;
    for (at, event) in &case.plan.events {
        if *at > case.asked.asked {
            break;
        }
        match event {
            Event::Wall(by) => ahead += by.max(&0),
            Event::Restart(_, by) => {
                ahead += by.max(&0);
                jumped |= ahead > 0;
            }
            Event::Crash(_) => jumped |= ahead > 0,
            _ => {}
        }
    }
    let forgotten = [None];
    let truths = || {
        let mut truths = case.truths_over(&Site::published, &forgotten);
        truths.extend(case.truths_over(&without_policy, &forgotten));
        truths
    };
    jumped
        && truths()
            .iter()
            .any(|truth| truth.permits(&seeing.name, outcome))
}

fn without_policy(site: &Site) -> World {
    World {
        policy_hosts: Vec::new(),
        ..site.published()
    }
}

/// How old what was replayed to the service may be, beyond its TTL: within the life of its signatures
/// nobody can tell (RFC 4033, 8.1).
pub(super) fn replayed(case: &Case<'_>) -> Millis {
    let since = case.asked.asked.saturating_sub(case.oldest);
    let replays = case.plan.attacks.iter().filter_map(|attack| {
        let in_time = attack.until > since && attack.from <= case.asked.answered;
        match attack.kind {
            Kind::Stale(ago) if in_time && concerns(attack, case.number) => Some(ago),
            _ => None,
        }
    });
    replays.max().unwrap_or(0)
}

/// True where an attack may have to do with this site.
pub(super) fn concerns(attack: &Attack, number: usize) -> bool {
    match attack.target {
        Target::Site(own) => own == number,
        Target::All | Target::NameServer(_) => true,
        Target::SelfTest => false,
    }
}

/// A policy that could not be fetched is tried again within an hour.
const RETRY: Millis = 3_700_000;
/// MX-17: a resolver that stops to validate is convicted by its next self-test.
pub(super) const CONVICTION: Millis = 640_000;
