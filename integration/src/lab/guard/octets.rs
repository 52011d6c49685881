//! The milter changes nothing but what it is told to: messages of odd shape, handed in once with it and
//! once without, arrive the same to the octet.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use super::FIELD;
use super::client::{Client, Envelope, Replies, Reply};
use super::compare::{differ, shown, split};
use super::messages::{Message, messages};
use super::server::{Door, Server};
use super::sink::Sink;
use super::stage::{Handed, Sockets, Stage, hand_in, recipient};
use crate::lab::servers::until;

/// As many messages through each server.
pub(super) fn are_kept(stage: &mut Stage<'_, '_>, count: usize) {
    stage.guard(Sockets::Both, &format!("[guard]\nheader = \"{FIELD}\"\n"));
    let messages = messages(count);
    for server in stage.servers {
        let started = Instant::now();
        let with = Round::run(*server, Door::MilterByPath, &messages, &stage.sink);
        let without = Round::run(*server, Door::Bare, &messages, &stage.sink);
        let (mut same, mut refused) = (0, BTreeMap::new());
        for message in &messages {
            let verdict = judge(message, &with, &without);
            match &verdict {
                Ok(None) => same += 1,
                Ok(Some(reason)) => *refused.entry(*reason).or_insert(0) += 1,
                Err(_) => {}
            }
            stage.check(*server, Door::MilterByPath, verdict.is_ok(), || {
                let words = verdict.unwrap_err();
                format!("message {} ({}): {words}", message.number, message.kind)
            });
        }
        // What every server takes is there.
        let least = messages
            .iter()
            .filter(|own| own.may_be_refused_for.is_none());
        let least = least.count();
        stage.check(*server, Door::MilterByPath, same >= least, || {
            format!("{same} of {count} messages arrived, expected {least}")
        });
        println!(
            "octets by {}: {same} of {count} messages the same, refused both times {refused:?}, {} s",
            server.name(),
            started.elapsed().as_secs()
        );
        if server.is_postfix() {
            cuts_by_itself(stage, *server);
        }
    }
}

/// Postfix cuts a field after some 60,000 octets where there is a filter, whatever that does; a cleanup(8)
/// that has once done so goes on with it, also where there is none. Otherwise it cuts after
/// `header_size_limit`.
fn cuts_by_itself(stage: &mut Stage<'_, '_>, server: &dyn Server) {
    let field = format!("X-Long: {}\r\n", ["x"; 800].join(&"y".repeat(99)));
    let lengths = [Door::MilterByPath, Door::Bare].map(|door| {
        let to = recipient(DOMAIN);
        let handed = Handed {
            from: "odd@client.lab.test",
            to: &[&to],
            fields: &field,
            ..Handed::default()
        };
        hand_in(server, door, handed);
        let came = stage.sink.arrived(&to);
        came.map_or(0, |came| came.values("X-Long").concat().len())
    });
    let right = (57_000..60_500).contains(&lengths[0]) && lengths[1] >= lengths[0];
    stage.check(server, Door::MilterByPath, right, || {
        format!("a field of 80,000 octets has {lengths:?}")
    });
}

/// A message arrives, the same both times, or it is refused both times for what it may be refused for.
fn judge(message: &Message, with: &Round, without: &Round) -> Result<Option<&'static str>, String> {
    let number = message.number;
    let (reply, other) = (&with.replies[&number], &without.replies[&number]);
    if reply.codes() != other.codes() {
        return Err(format!("answered {reply}, and without the filter {other}"));
    }
    if !other.is("250") {
        return match message.may_be_refused_for {
            Some(reason) => Ok(Some(reason)),
            None => Err(format!("refused, {other}")),
        };
    }
    let (Some(octets), Some(other)) = (with.arrived.get(&number), without.arrived.get(&number))
    else {
        return Err("it did not arrive".to_owned());
    };
    differ(&message.octets, FIELD, octets, other)?;
    let (fields, _) = split(octets);
    let own = fields.iter().find(|field| field.is(FIELD)).unwrap();
    match own.value().starts_with(EXPECTED.as_bytes()) {
        true => Ok(None),
        false => Err(format!("the field is {}", shown(own.octets))),
    }
}

/// All messages, handed in at one door.
struct Round {
    replies: BTreeMap<usize, Reply>,
    arrived: BTreeMap<usize, Vec<u8>>,
}

impl Round {
    fn run(server: &dyn Server, door: Door, messages: &[Message], sink: &Sink) -> Self {
        sink.take();
        let port = server.port(door).unwrap();
        let mut replies = BTreeMap::new();
        std::thread::scope(|scope| {
            let clients: Vec<_> = (0..CLIENTS)
                .map(|client| scope.spawn(move || hand_in_all(port, client, messages)))
                .collect();
            for client in clients {
                replies.extend(client.join().unwrap());
            }
        });
        let taken = replies.values().filter(|reply| reply.is("250")).count();
        let words = format!("{} messages by {} at {door:?}", taken, server.name());
        until(&words, PATIENCE, || sink.count() >= taken);
        let mut arrived = BTreeMap::new();
        for message in sink.take() {
            let number = number(&message.recipients[0]);
            let before = arrived.insert(number, message.octets);
            assert!(before.is_none(), "message {number} arrived twice");
        }
        Self { replies, arrived }
    }
}

/// Every so-manieth message, many in one connection.
fn hand_in_all(port: u16, client: usize, messages: &[Message]) -> Vec<(usize, Reply)> {
    let own = messages.iter().skip(client).step_by(CLIENTS);
    let own: Vec<&Message> = own.collect();
    let mut replies = Vec::new();
    for some in own.chunks(AT_ONCE) {
        let mut connection = Client::connect(port);
        for message in some {
            let reply = send(&mut connection, message).verdict().clone();
            if !reply.is("250") {
                // Some servers then take leave.
                connection = Client::connect(port);
            }
            replies.push((message.number, reply));
        }
    }
    replies
}

fn send(connection: &mut Client, message: &Message) -> Replies {
    let to = format!("m{}@{DOMAIN}", message.number);
    let envelope = Envelope {
        from: "odd@client.lab.test",
        parameters: if message.says_8bit {
            " BODY=8BITMIME"
        } else {
            ""
        },
        to: &[&to],
    };
    if message.by_chunks && !message.octets.is_empty() && connection.is_offered("CHUNKING") {
        return connection.send_chunks(envelope, &message.octets, CHUNK);
    }
    connection.send(envelope, &message.octets)
}

fn number(recipient: &str) -> usize {
    let number = recipient
        .strip_prefix('m')
        .and_then(|rest| rest.split('@').next());
    number.unwrap().parse().unwrap()
}

/// Where all of them go, and what is expected of it.
const DOMAIN: &str = "none.test";
const EXPECTED: &str = "none.test; protection=opportunistic; ";

/// Connections at the same time.
const CLIENTS: usize = 4;
/// Messages in one connection.
const AT_ONCE: usize = 50;
/// Octets of one BDAT.
const CHUNK: usize = 40_000;
const PATIENCE: Duration = Duration::from_secs(240);
