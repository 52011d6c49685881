//! The declared exceptions: where the law itself permits what the model alone would not.
//!
//! This, with [`sessions`], is the only list. Whoever adds to it says which line of the law declares it.

use hoplock_model::{
    Duty, Fallback, Floor, Host, Level, Order, Outcome, Reply, Selection, State, Truth, Type,
    World, faults,
};

use super::hidden::{
    has_clock_jumped, is_attacked, is_of_absence, is_policy_hidden, without_policy,
};
use super::judge::Case;
use super::memory::Memory;
use super::mta::Seeing;
use super::pins::{Reader, may_read};
use super::plan::{Attack, Kind, Millis, NameServer, Target};
use super::site::Site;

mod sessions;

use self::sessions::binds_not;
pub(super) use self::sessions::{is_given_dane, session, unreported, without_address};

/// True where one of the exceptions, or several together, permit this outcome for this host.
pub(super) fn excuse(case: &Case<'_>, reply: &Reply, seeing: &Seeing, outcome: Outcome) -> bool {
    OUTRIGHT
        .iter()
        .any(|exception| exception(case, reply, seeing, outcome))
        || is_answered_for(case)
        || relaxed(case)
            .iter()
            .any(|truth| truth.permits(&seeing.name, outcome))
}

/// True where one of the exceptions, or several together, permit this to be read, for a mail server without
/// DANE of its own.
pub(super) fn excuse_when_led(
    case: &Case<'_>,
    reply: &Reply,
    demands: Outcome,
    name: &str,
    reader: &Reader,
    permits: &dyn Fn(&Truth) -> bool,
) -> bool {
    is_test_spoiled(case)
        || is_answered_for(case)
        || demands == Outcome::WebPki && carries_patterns(case, reply)
        || unresolved(case, name, reader)
        || relaxed(case).iter().any(permits)
}

/// OP-06, DT-13a: such a profile has mail wait for a host whose addresses may be hidden.
fn is_strict(case: &Case<'_>) -> bool {
    case.pushed.is_some_and(|pushed| pushed.strict)
}

/// MX-13, DT-13a: a mail server without DANE of its own counts a host whose address lookup failed as one that
/// is not there. Where it failed for the service alone, it is there; and whoever can do that has the mail
/// that is not owed to the other hosts either.
///
/// MX-14, OP-06: with `strict` that goes for a host whose addresses were denied where no signature tells that
/// from the truth, and not for one whose lookup failed. He who can deny them could have given it others, and it
/// would owe nothing.
fn unresolved(case: &Case<'_>, name: &str, reader: &Reader) -> bool {
    let is_strict = is_strict(case);
    let is_hidden = |truth: &Truth, host: &Host| {
        if is_strict {
            binds_not(case, truth, host)
        } else {
            host.state == State::AddressFailed || host.name == name
        }
    };
    let is_gone = |truth: &Truth| {
        let mut without = truth.clone();
        without.hosts.retain(|host| !is_hidden(truth, host));
        // Where it is the only one, nobody is left who could be sent anything.
        without.hosts.is_empty() || may_read(case, &without, name, reader)
    };
    let hides = |attack: &Attack| {
        let on_addresses = attack.types.is_empty()
            || attack
                .types
                .iter()
                .any(|own| matches!(own, Type::A | Type::Aaaa));
        let hides = attack.kind.is_dns() && (!is_strict || is_of_absence(attack.kind));
        on_addresses && hides && concerns(attack, case.number)
    };
    let since = case.asked.asked.saturating_sub(case.oldest + FAILURE);
    let mut attacks = case.plan.attacks.iter();
    let hidden = attacks
        .any(|attack| hides(attack) && attack.until > since && attack.from <= case.asked.answered);
    hidden && relaxed(case).iter().any(is_gone)
}

/// What is taken for published.
type Published = fn(&Site) -> World;

type Exception = fn(&Case<'_>, &Reply, &Seeing, Outcome) -> bool;

/// Those that excuse an outcome by themselves.
const OUTRIGHT: [Exception; 4] = [patterns, replayed_set, spoiled_test, failed_for_us_alone];

/// The truths under the exceptions that say what the service cannot know.
pub(super) fn relaxed(case: &Case<'_>) -> Vec<Truth> {
    // ST-28: a wall clock that runs ahead when the process starts cannot be told from a pause.
    let mut memories: Vec<Option<Memory>> = case.memories();
    if has_clock_jumped(case) {
        memories.push(None);
    }
    // ST-13, ST-14 (RFC 8461, 3.3 and 10.2): a policy that could not be discovered or fetched, since
    // its record or its host was attacked or is broken, counts as unpublished. ST-04 (RFC 8461, 5.1): where
    // another is remembered, that one goes on to bind, also where first contact would wait.
    let (known, unknown) = memories.iter().cloned().partition(Option::is_some);
    let hidden = |knows_another, memories| {
        let is_hidden = is_policy_hidden(case, knows_another);
        is_hidden.then_some((without_policy as Published, memories))
    };
    let mut grounds: Vec<(Published, Vec<Option<Memory>>)> = vec![(Site::published, memories)];
    grounds.extend(hidden(true, known));
    grounds.extend(hidden(false, unknown));
    // PD-07, DT-20n: behind an insecure MX set, which proves nothing, TLSA records bind only where they
    // are seen; whoever keeps all of them from being seen has gained no more than by forging the set.
    let mut cases = vec![case.with_half_dane(true), case.with_half_dane(false)];
    if !is_attacked(case) {
        cases = vec![case.as_it_is()];
    }
    let mut truths = Vec::new();
    for case in &cases {
        for (published, memories) in &grounds {
            truths.extend(case.truths_over(published, memories));
        }
    }
    let over_forged = over_forged(case, &truths);
    truths.extend(over_forged);
    truths
}

/// DT-01s, PF-12: where no host can be found, the answer carries the policy's patterns, and Postfix
/// lets a wildcard cover any number of labels.
fn patterns(case: &Case<'_>, reply: &Reply, _: &Seeing, outcome: Outcome) -> bool {
    outcome == Outcome::WebPki && carries_patterns(case, reply)
}

fn carries_patterns(case: &Case<'_>, reply: &Reply) -> bool {
    let Reply::Level { matches, .. } = reply else {
        return false;
    };
    case.asked.row == "DT-01s"
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

/// DT-12u and DT-14, column floor `encrypt`: the answer is `dane`, for Postfix skips a host whose lookup
/// failed. Where it failed for the service alone, Postfix sees a bare host, and takes clear text.
pub(super) fn failed_for_us_alone(
    case: &Case<'_>,
    reply: &Reply,
    seeing: &Seeing,
    outcome: Outcome,
) -> bool {
    let is_dane = matches!(
        reply,
        Reply::Level {
            level: Level::Dane,
            ..
        }
    );
    let is_bare = matches!(seeing.state, State::NoneSecure | State::NoneInsecure);
    outcome == Outcome::Clear
        && is_dane
        && is_bare
        && case.plan.floor == Floor::Encrypt
        && matches!(case.asked.row, "DT-12u" | "DT-14")
        && is_attacked(case)
}

/// PD-01, PD-16, OP-05: what the operator has ordered, be it less than is owed or another's keys.
pub(super) fn is_ordered(reply: &Reply, truths: &[Truth]) -> bool {
    truths.iter().any(|truth| {
        let of_his_own = match &truth.order {
            Order::Pinned { .. } => true,
            Order::Mandatory { fallback, .. } => truth.absent && *fallback != Fallback::Defer,
            Order::Off | Order::Audit | Order::Opportunistic => false,
        };
        of_his_own && faults(truth, reply, &[]).is_empty()
    })
}

/// The same where an attacker has made it fire.
pub(super) fn is_ordered_over_forged(case: &Case<'_>, reply: &Reply, truths: &[Truth]) -> bool {
    is_ordered(reply, &over_forged(case, truths))
}

/// PD-09, DT-24: where the operator lets a fallback fire over an insecure MX set, that set says whether it does;
/// an attacker who names other hosts for it, or denies their addresses, has changed nothing in what was ordered.
/// MX-17: behind a resolver that has stopped to validate, and was not tested since, everything is insecure.
fn over_forged(case: &Case<'_>, truths: &[Truth]) -> Vec<Truth> {
    let fires = |truth: &&Truth| {
        let is_open = matches!(
            truth.selection,
            Selection::Hosts { secure: false } | Selection::NoHosts { secure: false }
        );
        let is_let = matches!(
            truth.order,
            Order::Mandatory {
                on_insecure: true,
                ..
            }
        );
        let is_forged = truth.settings.believed && is_attacked(case);
        is_let && (is_open && is_forged || case.is_untested())
    };
    let absent = |truth: &Truth| Truth {
        absent: true,
        ..truth.clone()
    };
    truths.iter().filter(fires).map(absent).collect()
}

/// RFC 4033, 8.1: an old MX set, replayed within the life of its signatures, says nothing of a host that
/// has joined it since; an answer is about the set that the service was shown.
fn replayed_set(case: &Case<'_>, _: &Reply, seeing: &Seeing, _: Outcome) -> bool {
    let lacks = |truth: &Truth| truth.hosts.iter().all(|host| host.name != seeing.name);
    replayed(case) > 0 && case.truths().iter().any(lacks)
}

/// MX-17: a self-test that brings nothing changes nothing. A resolver that stops to validate while
/// somebody spoils its test is believed until it can be tested.
fn spoiled_test(case: &Case<'_>, _: &Reply, _: &Seeing, _: Outcome) -> bool {
    is_test_spoiled(case)
}

pub(super) fn is_test_spoiled(case: &Case<'_>) -> bool {
    let servers = &case.plan.servers;
    let never = !servers.contains(&NameServer::Validating);
    let Some(from) = case.plan.blind_from.or_else(|| never.then_some(0)) else {
        return false;
    };
    let since = from.saturating_sub(CONVICTION);
    let spoils = |attack: &Attack| {
        matches!(attack.target, Target::SelfTest | Target::NameServer(_))
            && !attack.kind.is_https()
            && attack.until > since
            && attack.from <= case.asked.answered
    };
    case.asked.answered >= from && case.plan.attacks.iter().any(spoils)
}

/// MX-17, DT-02: behind a resolver that has stopped to validate, and was not tested since, whoever answers in the
/// place of servers that fail is believed, where nothing is remembered that says otherwise.
fn is_answered_for(case: &Case<'_>) -> bool {
    let forges = |attack: &Attack| {
        let on_set = attack.types.is_empty() || attack.types.contains(&Type::Mx);
        let forges = attack.kind == Kind::ForgeMx || is_of_absence(attack.kind);
        let since = case.asked.asked.saturating_sub(case.oldest);
        let in_time = attack.until > since && attack.from <= case.asked.answered;
        on_set && forges && in_time && concerns(attack, case.number)
    };
    let binds_nothing = |truth: &Truth| {
        let is_known = truth.enforced.is_some() || truth.settings.seen_with_dane;
        truth.selection == Selection::Failed && truth.order == Order::Opportunistic && !is_known
    };
    case.is_untested()
        && case.plan.attacks.iter().any(forges)
        && relaxed(case).iter().any(binds_nothing)
}

/// MX-17: where a destination that was signed is so no longer, the resolver is tested before that is
/// believed. If nobody answers the test, the answer may come too late for this attempt.
pub(super) fn waits_for_test(case: &Case<'_>) -> bool {
    let holds_up = |attack: &Attack| {
        attack.target == Target::SelfTest
            && attack.until > case.asked.asked
            && attack.from <= case.asked.answered
    };
    case.asked.reason == "deadline" && case.plan.attacks.iter().any(holds_up)
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

/// RFC 2308, 7.1: a failed lookup is kept for five minutes at most.
pub(super) const FAILURE: Millis = 320_000;
/// MX-17: a resolver that stops to validate is convicted by its next self-test.
pub(super) const CONVICTION: Millis = 640_000;
