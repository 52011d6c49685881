//! One connection of a client: nothing of a message is known at the next one; what is configured anew is in
//! force at once by policy delegation, and for the clients that come next by the milter protocol.

use super::FIELD;
use super::client::{Client, Envelope};
use super::server::{Door, Server};
use super::sink::Sink;
use super::stage::{Sockets, Stage, message, recipient};

const RULES: &str = "[[guard.rules]]\nprotection = [\"refused\"]\naction = \"reject\"\n";

/// All of it.
pub(super) fn all(stage: &mut Stage<'_, '_>) {
    let sink = stage.sink.clone();
    let at_end = format!("[guard]\nheader = \"{FIELD}\"\ndecide_at = \"end\"\n{RULES}");
    stage.guard(Sockets::Both, &at_end);
    stage.at_once(&[Door::Milter], |server, door| forgets(server, door, &sink));
    copies(stage);
    reloaded(stage);
}

/// Messages of one connection, each of which would have another fate by what stood in the one before.
fn forgets(server: &dyn Server, door: Door, sink: &Sink) -> Vec<Result<(), String>> {
    let mut client = Client::connect(server.port(door).unwrap());
    let (opts_out, requires) = ("TLS-Required: No\r\n", "Require-TLS-ESMTP: yes\r\n");
    let messages = [
        (opts_out, "sts-unlisted.test", "250"),
        ("", "sts-unlisted.test", "550 5.7.1"),
        (requires, "none.test", "550 5.7.30"),
        ("", "none.test", "250"),
        (requires, "dane.test", "250"),
        ("", "none.test", "250"),
    ];
    let mut found: Vec<Result<(), String>> = Vec::new();
    for (fields, domain, codes) in messages {
        // A message that is given up, with recipients that nobody gets.
        let given_up = recipient("sts-unlisted.test");
        client.begin(envelope(&[&given_up]));
        client.say("RSET");
        let to = recipient(domain);
        let replies = client.send(envelope(&[&to]), &message(fields));
        let right = replies.verdict().codes().starts_with(codes);
        found.push(match right {
            true if codes == "250" => told(sink, &to, &[domain]),
            true => Ok(()),
            false => Err(format!(
                "{fields:?} to {domain}: {replies}, expected {codes}"
            )),
        });
    }
    found
}

/// As many copies of our own field as are taken away, and one more.
fn copies(stage: &mut Stage<'_, '_>) {
    let sink = stage.sink.clone();
    stage.at_once(&[Door::Milter, Door::MilterByPath], |server, door| {
        let hand_in = |count: usize| {
            let to = recipient("none.test");
            let fields = format!("{FIELD}: x\r\n").repeat(count);
            let mut client = Client::connect(server.port(door).unwrap());
            (client.send(envelope(&[&to]), &message(&fields)), to)
        };
        let ((all, to), (more, _)) = (hand_in(1000), hand_in(1001));
        vec![
            match all.are_good() {
                true => told(&sink, &to, &["none.test"]),
                false => Err(format!("1,000 copies: {all}")),
            },
            match more.verdict().is("4") {
                true => Ok(()),
                false => Err(format!("1,001 copies: {more}")),
            },
        ]
    });
}

/// Rules, the moment of decision and the name of the field change while clients are connected.
fn reloaded(stage: &mut Stage<'_, '_>) {
    let doors = [Door::Policy, Door::Milter];
    let doors = stage.servers.iter().flat_map(|server| {
        let has = |door: &Door| server.port(*door).is_some();
        doors.into_iter().filter(has).map(|door| (*server, door))
    });
    let mut clients: Vec<_> = doors
        .map(|(server, door)| (server, door, Client::connect(server.port(door).unwrap())))
        .collect();
    for (server, door, client) in &mut clients {
        by_rules(stage, *server, *door, client, Rules::Old);
    }
    let rule =
        "[[guard.rules]]\nrecipient = [\"plain.test\"]\naction = \"reject\"\ntext = \"new\"\n";
    let guard = format!("[guard]\nheader = \"X-New\"\n{RULES}{rule}");
    stage.reload(Sockets::Both, &guard);
    for (server, door, client) in &mut clients {
        // What is to be seen of messages was agreed on when the client came.
        let rules = match door {
            Door::Policy => Rules::New,
            _ => Rules::Old,
        };
        by_rules(stage, *server, *door, client, rules);
    }
    for (server, door, client) in &mut clients {
        *client = Client::connect(server.port(*door).unwrap());
        by_rules(stage, *server, *door, client, Rules::New);
    }
}

/// Which are in force.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Rules {
    Old,
    New,
}

fn by_rules(
    stage: &mut Stage<'_, '_>,
    server: &dyn Server,
    door: Door,
    client: &mut Client,
    rules: Rules,
) {
    let (name, of_plain) = match rules {
        Rules::Old => (FIELD, "250"),
        Rules::New => ("X-New", "550 5.7.1"),
    };
    let forged = format!("{name}: forged\r\n");
    for (domain, codes) in [
        ("plain.test", of_plain),
        ("sts-unlisted.test", "550 5.7.1"),
        ("none.test", "250"),
    ] {
        let to = recipient(domain);
        let replies = client.send(envelope(&[&to]), &message(&forged));
        let right = replies.verdict().codes().starts_with(codes);
        stage.check(server, door, right, || {
            format!("{rules:?} rules, {domain}: {replies}, expected {codes}")
        });
        if codes != "250" || !right {
            let came = stage.sink.of(&to);
            stage.check(server, door, came.is_empty(), || format!("{to} arrived"));
            continue;
        }
        let told = stage.sink.arrived(&to).map(|came| came.values(name));
        let told = told.unwrap_or_default();
        let own = told.iter().filter(|own| own.contains("; protection="));
        // By policy delegation nothing can be taken away.
        let forged = told.iter().filter(|own| *own == "forged");
        let right = own.count() == 1 && forged.count() == usize::from(door == Door::Policy);
        stage.check(server, door, right, || {
            format!("{rules:?} rules, {domain}: the field is {told:?}")
        });
    }
}

fn envelope<'a>(to: &'a [&'a str]) -> Envelope<'a> {
    Envelope {
        from: "s@a.test",
        to,
        ..Envelope::default()
    }
}

/// It arrived, and is told of these domains alone.
fn told(sink: &Sink, to: &str, domains: &[&str]) -> Result<(), String> {
    let came = sink.arrived(to).ok_or("it did not arrive")?;
    let told = came.values(FIELD);
    let is_of = |domain: &&str| {
        told.iter()
            .any(|own| own.starts_with(&format!("{domain}; ")))
    };
    let right = told.len() == domains.len() && domains.iter().all(is_of);
    right.then_some(()).ok_or(format!("{to} is told {told:?}"))
}
