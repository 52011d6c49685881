//! Every destination of the lab, by several mail servers at once, and what must not arrive there without
//! hoplock.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::{Asks, Client, Fate, Outcome};
use crate::lab::deliveries::Delivery;
use crate::lab::hoplock::Hoplock;
use crate::lab::mail_host::Session;
use crate::lab::stage::Lab;

/// A message: by whom, to which destination, and what must become of it.
#[derive(Clone)]
pub(super) struct Message<'a> {
    pub client: &'a dyn Client,
    pub asks: Asks,
    pub domain: &'a str,
    pub ids: &'a str,
    pub to: String,
    pub fate: Fate,
}

/// All deliveries with hoplock, and the waiting ones without it.
pub(super) fn all(lab: &mut Lab<'_>, deliveries: &[Delivery], clients: &[&dyn Client]) {
    let mut messages = Vec::new();
    for client in clients {
        for delivery in deliveries {
            if let Some(fate) = client.fate(delivery) {
                messages.push(Message {
                    client: *client,
                    asks: Asks::At(client.port()),
                    domain: delivery.domain,
                    ids: delivery.ids,
                    to: recipient(*client, "right", delivery.domain),
                    fate,
                });
            }
        }
    }
    let mut controls: Vec<Message<'_>> = messages
        .iter()
        .filter(|message| message.fate == Fate::Waits && arrives_without(message.domain))
        .cloned()
        .collect();
    for control in &mut controls {
        control.asks = Asks::Nobody;
        control.to = recipient(control.client, "control", control.domain);
    }
    first_contact(deliveries);
    lab.sessions.lock().unwrap().clear();
    let both: Vec<&Message<'_>> = messages.iter().chain(&controls).collect();
    send(&both);
    for message in &messages {
        while_late(message);
    }
    for message in &messages {
        judge(lab, message);
    }
    for control in &controls {
        let taken = seen(lab, control)
            .iter()
            .any(|session| session.delivered_to.contains(&control.to));
        lab.report.check(taken, || {
            let (outcome, line) = control.client.outcome(Asks::Nobody, &control.to);
            format!(
                "{} {}: without hoplock the sink got nothing: {outcome:?} {line}",
                control.client.name(),
                control.domain
            )
        });
    }
    for client in clients {
        let mut fates = BTreeMap::new();
        let own = messages
            .iter()
            .filter(|message| message.client.name() == client.name());
        for message in own {
            let word = match message.fate {
                Fate::Arrives { tls: true, .. } => "arrive over TLS",
                Fate::Arrives { tls: false, .. } => "arrive in clear text",
                Fate::Waits | Fate::ReachesNobody => "wait",
            };
            *fates.entry(word).or_insert(0) += 1;
        }
        let total: i32 = fates.values().sum();
        println!("deliveries by {}: {total} {fates:?}", client.name());
        // Each version is shown with at least these many.
        lab.report
            .check(total >= 25, || format!("{}: too few", client.name()));
    }
}

/// ST-13: a policy that is first met in the seconds of one answer may come too late for that answer.
/// Here every destination is known before.
fn first_contact(deliveries: &[Delivery]) {
    let next = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                while let Some(delivery) = deliveries.get(next.fetch_add(1, Ordering::Relaxed)) {
                    // The map of Postfix has the longest deadline.
                    let _ = Hoplock::ask("postfix", delivery.domain);
                }
            });
        }
    });
}

/// PF-04: what takes longer than the mail server waits for is found in the meantime. CA-03: a name
/// server that never answers is asked again after five seconds, then ten, then twenty; Exim, which has
/// several questions and resolves the same hosts in between, may need that.
fn while_late(message: &Message<'_>) {
    for _ in 0..4 {
        let (outcome, line) = message.client.outcome(message.asks, &message.to);
        let is_late = line.contains("deadline: ")
            || line.contains("lookup temp fail")
            || message.domain == "dead-backup.test";
        if message.fate == Fate::Waits || outcome != Outcome::Waits || !is_late {
            return;
        }
        message.client.again(message.asks, &message.to);
    }
}

/// No two messages have the same, so that a host's session is known to be of the one.
pub(super) fn recipient(client: &dyn Client, word: &str, domain: &str) -> String {
    format!("{word}-{}@{domain}", client.name())
}

/// Sends all of them, a dozen at a time, and returns when each has had its first attempt.
pub(super) fn send(messages: &[&Message<'_>]) {
    let next = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                while let Some(message) = messages.get(next.fetch_add(1, Ordering::Relaxed)) {
                    message.client.send(message.asks, &message.to);
                }
            });
        }
    });
}

/// What the mail server says and the hosts received, against what must happen.
pub(super) fn judge(lab: &mut Lab<'_>, message: &Message<'_>) {
    let client = message.client;
    let (outcome, line) = client.outcome(message.asks, &message.to);
    let seen = seen(lab, message);
    let name = format!("{} {} ({})", client.name(), message.to, message.ids);
    let taken: Vec<&Session> = seen
        .iter()
        .filter(|session| session.delivered_to.contains(&message.to))
        .collect();
    let words = || {
        let log = client.log(message.asks);
        let log: Vec<&str> = log
            .lines()
            .filter(|line| line.contains(message.domain))
            .collect();
        format!(
            "{name}: {outcome:?}, {:?}: {line}\n{seen:#?}\n{log:#?}",
            message.fate
        )
    };
    match message.fate {
        Fate::Arrives { host, tls } => {
            lab.report.check(outcome == Outcome::Sent, words);
            let arrived =
                taken.len() == 1 && taken[0].tls == tls && taken[0].host.starts_with(host);
            lab.report.check(arrived, words);
        }
        Fate::Waits | Fate::ReachesNobody => {
            // FT-05: delay, and neither a bounce nor a delivery.
            let is_kept = outcome == Outcome::Waits || message.fate == Fate::ReachesNobody;
            lab.report.check(is_kept, words);
            let mark = format!("\n{}", client.leaves_before());
            let leaked = seen.iter().any(|session| {
                session.delivered_to.contains(&message.to)
                    || session.rcpt_to.contains(&message.to)
                    || format!("\n{}", session.said)
                        .to_ascii_uppercase()
                        .contains(&mark)
            });
            lab.report.check(!leaked, || format!("leaked: {}", words()));
        }
    }
}

/// The sessions of this mail server with the hosts of this destination, and whoever took the message.
fn seen(lab: &Lab<'_>, message: &Message<'_>) -> Vec<Session> {
    let suffix = format!(".{}", message.domain);
    let hello = message.client.hello(message.asks);
    let sessions = lab.sessions.lock().unwrap();
    let is_own = |session: &&Session| {
        session.delivered_to.contains(&message.to)
            || (session.hello == hello && session.host.ends_with(&suffix))
    };
    sessions.iter().filter(is_own).cloned().collect()
}

/// How many are under way together.
const AT_ONCE: usize = 12;

/// What waits for want of DNS arrives nowhere, hoplock or not.
fn arrives_without(domain: &str) -> bool {
    !domain.starts_with("bogus-host.") && domain != "bogus.test"
}
