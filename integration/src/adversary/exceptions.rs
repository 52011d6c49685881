//! The declared exceptions: where the law itself permits what the model alone would not.
//!
//! This is the only list. Whoever adds to it says which line of the law declares it.

use hoplock_model::{
    Duty, Fallback, Floor, Host, Level, Order, Outcome, Reply, Selection, State, Truth, Type,
    World, faults,
};
use hoplock_policy::verify::SessionOutcome;

use super::hidden::{has_clock_jumped, is_attacked, is_policy_hidden, without_policy};
use super::history::Judged;
use super::internet::is_in_signed_zone;
use super::judge::Case;
use super::memory::Memory;
use super::mta::Seeing;
use super::pins::{Reader, may_read};
use super::plan::{Attack, Event, Kind, Millis, NameServer, Target};
use super::session::happened::Happened;
use super::site::Site;

/// True where one of the exceptions, or several together, permit this outcome for this host.
pub(super) fn excuse(case: &Case<'_>, reply: &Reply, seeing: &Seeing, outcome: Outcome) -> bool {
    OUTRIGHT
        .iter()
        .any(|exception| exception(case, reply, seeing, outcome))
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
        || demands == Outcome::WebPki && carries_patterns(case, reply)
        || !is_strict(case) && unresolved(case, name, reader)
        || relaxed(case).iter().any(permits)
}

/// OP-06, DT-13a: such a profile has mail wait for a host whose addresses may be hidden.
fn is_strict(case: &Case<'_>) -> bool {
    case.pushed.is_some_and(|pushed| pushed.strict)
}

/// MX-13, DT-13a: a mail server without DANE of its own counts a host whose address lookup failed as one that
/// is not there. Where it failed for the service alone, it is there; and whoever can do that has the mail
/// that is not owed to the other hosts either.
fn unresolved(case: &Case<'_>, name: &str, reader: &Reader) -> bool {
    let is_gone = |truth: &Truth| {
        let without = Truth {
            hosts: truth
                .hosts
                .iter()
                .filter(|host| host.name != name && host.state != State::AddressFailed)
                .cloned()
                .collect(),
            ..truth.clone()
        };
        // Where it is the only one, nobody is left who could be sent anything.
        without.hosts.is_empty() || may_read(case, &without, name, reader)
    };
    let hides = |attack: &Attack| {
        let on_addresses = attack.types.is_empty()
            || attack
                .types
                .iter()
                .any(|own| matches!(own, Type::A | Type::Aaaa));
        on_addresses && attack.kind.is_dns() && concerns(attack, case.number)
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

/// True where one of the exceptions permits what is said of this session.
pub(super) fn session(case: &Case<'_>, happened: &Happened, judged: &Judged) -> bool {
    let is_open = !judged.outcome.is_authenticated();
    is_test_spoiled(case)
        || unreported(case, happened, judged)
        || happened.resumed && is_set_back(case)
        || nothing_owed(case, happened, judged)
        || outlived(case, happened, judged)
        || forged_set(case, happened, judged)
        || is_misdated(case, happened, judged)
        || is_open && is_off(case)
        || is_open && (without_address(case, happened) || by_word(case, judged))
}

/// SV-05: a report does not say which session was resumed. Where that has not been reported yet, the last
/// one that was stands for it.
pub(super) fn unreported(case: &Case<'_>, happened: &Happened, judged: &Judged) -> bool {
    let now = (judged.reported, judged.event);
    let verdicts = &case.history.sessions;
    let mut handshakes = verdicts
        .iter()
        .filter(|own| own.event == happened.handshake);
    happened.resumed && !handshakes.any(|own| (own.reported, own.event) < now)
}

/// PD-01: under a level that the operator gives nothing is looked up, so that nobody knows the hosts that a
/// level of DANE is for.
pub(super) fn is_given_dane(case: &Case<'_>) -> bool {
    let is_given = |truth: &Truth| {
        let level = match &truth.order {
            Order::Pinned { level, .. } => Some(*level),
            _ => None,
        };
        matches!(level, Some(Level::Dane | Level::DaneOnly))
    };
    case.truths().iter().any(is_given)
}

/// SV-05, ST-28: sessions are put in order by the times with which they are reported; a wall clock that was
/// set back makes two orders of them. And it makes a policy live for longer.
fn is_set_back(case: &Case<'_>) -> bool {
    case.plan.events.iter().any(|(at, event)| {
        let by = match event {
            Event::Wall(by) | Event::Restart(_, by) => *by,
            _ => 0,
        };
        by < 0 && *at <= case.asked.answered
    })
}

/// ST-28, SV-04: a wall clock that was stepped after a session gives it a time at which it was not, and so
/// another policy. Who is authenticated by the next hop's own names has them.
fn is_misdated(case: &Case<'_>, happened: &Happened, judged: &Judged) -> bool {
    let is_kept = match judged.outcome {
        SessionOutcome::AuthenticatedPinned => happened.has_name_of(&case.asked.key),
        outcome => !outcome.is_authenticated(),
    };
    let mut events = case.plan.events.iter();
    is_kept
        && events.any(|(at, event)| {
            let is_step = matches!(event, Event::Wall(by) | Event::Restart(_, by) if *by != 0);
            is_step && happened.at <= *at && *at <= judged.judged
        })
}

/// DT-01s: where no MX host can be found, the patterns of the enforced policy say who may take mail; an
/// attacker who names other hosts for the insecure set has changed nothing.
fn forged_set(case: &Case<'_>, happened: &Happened, judged: &Judged) -> bool {
    let permits = |truth: &Truth| {
        let patterns = truth.enforced.as_ref();
        let is_vouched_for = patterns.is_some_and(|own| happened.is_vouched_for(own));
        truth.selection == Selection::Failed && is_vouched_for
    };
    judged.outcome == SessionOutcome::AuthenticatedSts
        && is_attacked(case)
        && relaxed(case).iter().any(permits)
}

/// The policies that such a clock may keep.
fn outlived(case: &Case<'_>, happened: &Happened, judged: &Judged) -> bool {
    let policies = case.plan.sites.get(case.number).into_iter().flatten();
    let mut policies = policies.filter_map(|(_, site)| site.sts.as_ref());
    judged.outcome == SessionOutcome::AuthenticatedSts
        && is_set_back(case)
        && policies.any(|sts| happened.is_vouched_for(&sts.patterns))
}

/// MX-13, MX-17: a failed address lookup binds as far as there could be DANE behind it: not where no
/// resolver is believed, nor where nothing is signed, and the attacker may answer what the servers cannot.
pub(super) fn without_address(case: &Case<'_>, happened: &Happened) -> bool {
    relaxed(case).iter().any(|truth| {
        let mut hosts = truth.hosts.iter();
        hosts.any(|host| host.name == happened.host && binds_not(case, truth, host))
    })
}

/// Its address lookup has failed, and there could be no DANE behind it.
fn binds_not(case: &Case<'_>, truth: &Truth, host: &Host) -> bool {
    let is_signed = is_in_signed_zone(&case.site.published(), &host.name);
    host.state == State::AddressFailed
        && (!truth.settings.believed || !is_signed && is_attacked(case))
}

/// SV-01, MX-22: where a report names no host, and the mail server says that it used TLS and no more, it
/// stands for whichever host of the destination permits that; its word is marked as such.
fn by_word(case: &Case<'_>, judged: &Judged) -> bool {
    let permits = |truth: &Truth| truth.hosts.iter().any(|host| host.duty <= Duty::Encrypt);
    judged.by_word && judged.without_host && relaxed(case).iter().any(permits)
}

/// PD-12, PD-16, SV-07: where no host of the destination owes more than the mail server's own level, none is
/// bound either: whoever has led the mail to another host could have had it at the right one.
fn nothing_owed(case: &Case<'_>, happened: &Happened, judged: &Judged) -> bool {
    let own_level = match case.plan.floor {
        Floor::May | Floor::Dane => Duty::Free,
        Floor::Encrypt => Duty::Encrypt,
        Floor::Secure => Duty::OwnNames,
    };
    let keeps = match judged.outcome {
        SessionOutcome::AuthenticatedPinned => happened.has_name_of(&case.asked.key),
        SessionOutcome::Encrypted => own_level <= Duty::Encrypt && happened.is_encrypted(),
        _ => own_level == Duty::Free && !judged.outcome.is_authenticated(),
    };
    let binds_nobody = |truth: &Truth| {
        let is_strange = truth.hosts.iter().all(|host| host.name != happened.host);
        let owes_no_more = |host: &Host| host.duty <= own_level || binds_not(case, truth, host);
        let owes_no_more = truth.hosts.iter().all(owes_no_more);
        is_strange && owes_no_more && truth.enforced.is_none()
    };
    keeps && relaxed(case).iter().any(binds_nobody)
}

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

/// OP-03, PD-01: no session is held to more than the operator demands.
fn is_off(case: &Case<'_>) -> bool {
    let keeps_out = |truth: &Truth| {
        matches!(
            truth.order,
            Order::Off | Order::Audit | Order::Pinned { .. }
        )
    };
    case.truths().iter().any(keeps_out)
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

fn is_test_spoiled(case: &Case<'_>) -> bool {
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
