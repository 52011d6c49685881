//! What the law permits to be said of sessions.

use hoplock_model::{Duty, Floor, Host, Level, Order, Selection, State, Truth};
use hoplock_policy::verify::SessionOutcome;

use super::super::hidden::is_attacked;
use super::super::history::Judged;
use super::super::internet::is_in_signed_zone;
use super::super::judge::Case;
use super::super::plan::Event;
use super::super::session::happened::Happened;
use super::{is_test_spoiled, relaxed};

/// True where one of the exceptions permits what is said of this session.
pub(in super::super) fn session(case: &Case<'_>, happened: &Happened, judged: &Judged) -> bool {
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
pub(in super::super) fn unreported(case: &Case<'_>, happened: &Happened, judged: &Judged) -> bool {
    let now = (judged.reported, judged.event);
    let verdicts = &case.history.sessions;
    let mut handshakes = verdicts
        .iter()
        .filter(|own| own.event == happened.handshake);
    happened.resumed && !handshakes.any(|own| (own.reported, own.event) < now)
}

/// PD-01: under a level that the operator gives nothing is looked up, so that nobody knows the hosts that a
/// level of DANE is for.
pub(in super::super) fn is_given_dane(case: &Case<'_>) -> bool {
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
pub(in super::super) fn without_address(case: &Case<'_>, happened: &Happened) -> bool {
    relaxed(case).iter().any(|truth| {
        let mut hosts = truth.hosts.iter();
        hosts.any(|host| host.name == happened.host && binds_not(case, truth, host))
    })
}

/// Its address lookup has failed, and there could be no DANE behind it.
pub(super) fn binds_not(case: &Case<'_>, truth: &Truth, host: &Host) -> bool {
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
