//! hoplock stopped, hanging, answering garbage, restarted in the middle: nothing leaves below its policy,
//! nothing is lost, and nothing bounces.

use std::time::Duration;

use super::rounds::{Message, judge, recipient, send};
use super::stand_in::{Trouble, stand_in};
use super::{Asks, Client, Fate, Outcome};
use crate::lab::stage::Lab;

/// EX-02, FT-03, FT-05: each kind of trouble from each of these requests on, hoplock gone, and hoplock
/// gone and back while a session is under way.
pub(super) fn all(lab: &mut Lab<'_>, clients: &[&dyn Client], requests: &[&'static str]) {
    let mut messages = Vec::new();
    for (number, request) in requests.iter().enumerate() {
        // The first request is about every destination, a later one about those that owe something.
        let owing = if number == 0 { 6 } else { 5 };
        let domains = DESTINATIONS.get(..owing).unwrap_or_default();
        messages.extend(from_then_on(clients, request, domains));
    }
    round(lab, &messages);
    println!("{} messages with hoplock in trouble", messages.len());
    stopped(lab, clients);
    for request in requests {
        restarted(lab, clients, request);
    }
}

/// EX-02, EX-06: the same from a request on that only these destinations meet.
pub(super) fn only(
    lab: &mut Lab<'_>,
    clients: &[&dyn Client],
    request: &'static str,
    domains: &[&'static str],
) {
    round(lab, &from_then_on(clients, request, domains));
}

/// Two that are well, two that are attacked, one without TLS, and one that owes nothing: while nobody
/// says so, that one waits too.
const DESTINATIONS: [&str; 6] = [
    "dane.test",
    "sts.test",
    "wrong-key.test",
    "sts-wrongname.test",
    "strip.test",
    "none.test",
];

const ARRIVES: Fate = Fate::Arrives {
    host: "mx.",
    tls: true,
};

/// Messages that wait for an answer to this request.
fn from_then_on<'a>(
    clients: &[&'a dyn Client],
    request: &'static str,
    domains: &[&'static str],
) -> Vec<Message<'a>> {
    let mut messages = Vec::new();
    for client in clients {
        for trouble in [Trouble::Hang, Trouble::Garbage, Trouble::Close] {
            let (port, _) = stand_in(client.port(), request, trouble);
            let word = format!("{trouble:?}-{}", last_word(request)).to_lowercase();
            let mut new = waiting(*client, port, &word, request, domains);
            if trouble == Trouble::Garbage && !client.waits_on_garbage(request) {
                for message in &mut new {
                    message.fate = Fate::ReachesNobody;
                }
            }
            messages.append(&mut new);
        }
    }
    messages
}

fn waiting<'a>(
    client: &'a dyn Client,
    port: u16,
    word: &str,
    request: &str,
    domains: &[&'static str],
) -> Vec<Message<'a>> {
    let fate = |domain: &str| match domain {
        // Held to its records by the mail server itself, whoever answers.
        "dane.test" if client.does_dane_without(request) => ARRIVES,
        _ => Fate::Waits,
    };
    let message = |domain: &&'static str| Message {
        client,
        asks: Asks::At(port),
        domain,
        ids: "EX-02 FT-03 FT-05",
        to: recipient(client, word, domain),
        fate: fate(domain),
    };
    domains.iter().map(message).collect()
}

/// Sends all, and judges each.
fn round(lab: &mut Lab<'_>, messages: &[Message<'_>]) {
    lab.sessions.lock().unwrap().clear();
    send(&messages.iter().collect::<Vec<_>>());
    for message in messages {
        judge(lab, message);
    }
}

/// hoplock is back: what is well goes out, and what is not waits on.
fn afterwards(lab: &mut Lab<'_>, messages: &mut Vec<Message<'_>>) {
    lab.sessions.lock().unwrap().clear();
    messages.retain(|message| message.fate == Fate::Waits);
    for message in &mut *messages {
        message.fate = match message.domain {
            "dane.test" if !message.client.can_dane() => Fate::Waits,
            "dane.test" | "sts.test" | "none.test" => ARRIVES,
            _ => Fate::Waits,
        };
    }
    // A daemon that has just started has everything to look up, and may be late for the first attempt.
    let needs = |message: &&Message<'_>, attempt| {
        let (outcome, _) = message.client.outcome(message.asks, &message.to);
        attempt == 0 || (message.fate != Fate::Waits && outcome == Outcome::Waits)
    };
    for attempt in 0..3 {
        std::thread::scope(|scope| {
            for message in messages.iter().filter(|message| needs(message, attempt)) {
                scope.spawn(|| message.client.again(message.asks, &message.to));
            }
        });
    }
    for message in messages {
        judge(lab, message);
    }
}

/// hoplock is gone: all waits.
fn stopped(lab: &mut Lab<'_>, clients: &[&dyn Client]) {
    lab.hoplock.kill();
    let mut messages = Vec::new();
    for client in clients {
        messages.extend(waiting(
            *client,
            client.port(),
            "stopped",
            "",
            &DESTINATIONS,
        ));
    }
    round(lab, &messages);
    lab.hoplock.restart();
    afterwards(lab, &mut messages);
}

/// hoplock ends in the middle of a session and comes back.
fn restarted(lab: &mut Lab<'_>, clients: &[&dyn Client], request: &'static str) {
    let mut messages = Vec::new();
    let mut holds = Vec::new();
    let word = format!("restart-{}", last_word(request));
    for client in clients {
        let (port, held) = stand_in(client.port(), request, Trouble::Restart);
        holds.push(held);
        messages.extend(waiting(*client, port, &word, request, &["sts.test"]));
    }
    lab.sessions.lock().unwrap().clear();
    std::thread::scope(|scope| {
        scope.spawn(|| send(&messages.iter().collect::<Vec<_>>()));
        let patience = Duration::from_secs(60);
        let held: Vec<_> = holds
            .iter()
            .map(|held| held.recv_timeout(patience))
            .collect();
        lab.hoplock.kill();
        lab.hoplock.restart();
        for held in held {
            let words = || format!("nobody asked {request:?}");
            lab.report.check(held.is_ok(), words);
            if let Ok(held) = held {
                let _ = held.send(());
            }
        }
    });
    for message in &messages {
        judge(lab, message);
    }
    afterwards(lab, &mut messages);
}

fn last_word(request: &str) -> &str {
    request.trim().rsplit(' ').next().unwrap_or_default()
}
