//! hoplock stopped, stopped in the middle of a message, hanging, and back again: each door does what its
//! mail server is told to do then, and soon.

use std::time::{Duration, Instant};

use super::FIELD;
use super::client::{Client, Envelope, Replies};
use super::server::Door;
use super::sink::Sink;
use super::stage::{Handed, Sockets, Stage, hand_in, message, recipient};

/// What is told to mail servers of a message, and where nobody tells it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Hoplock {
    Runs,
    IsAway,
}

/// All of it.
pub(super) fn all(stage: &mut Stage<'_, '_>) {
    let guard = format!("[guard]\nheader = \"{FIELD}\"\n");
    stage.guard(Sockets::Both, &guard);
    let sink = stage.sink.clone();
    let goes = |stage: &mut Stage<'_, '_>, hoplock: Hoplock, patience: Duration| {
        let sink = sink.clone();
        stage.at_once(DOORS, move |server, door| {
            let (started, to) = (Instant::now(), recipient("none.test"));
            let handed = Handed {
                from: "s@a.test",
                to: &[&to],
                ..Handed::default()
            };
            let replies = hand_in(server, door, handed);
            let took = started.elapsed();
            let in_time = match took < patience {
                true => Ok(()),
                false => Err(format!("took {took:?}: {replies}")),
            };
            vec![became(&sink, door, &to, &replies, hoplock), in_time]
        });
    };
    goes(stage, Hoplock::Runs, AT_ONCE);
    in_the_middle(stage);
    goes(stage, Hoplock::IsAway, AT_ONCE);
    stage.lab.hoplock.restart();
    goes(stage, Hoplock::Runs, AT_ONCE);
    stage.lab.hoplock.pause();
    goes(stage, Hoplock::IsAway, TIMEOUTS);
    stage.lab.hoplock.resume();
    goes(stage, Hoplock::Runs, AT_ONCE);
}

/// Messages at all doors, whose first recipient is taken before hoplock is killed.
fn in_the_middle(stage: &mut Stage<'_, '_>) {
    let doors = stage.servers.iter().flat_map(|server| {
        let has = |door: &&Door| server.port(**door).is_some();
        DOORS.iter().filter(has).map(|door| (*server, *door))
    });
    let begun: Vec<_> = doors
        .map(|(server, door)| {
            let mut client = Client::connect(server.port(door).unwrap());
            let to = recipient("none.test");
            let envelope = Envelope {
                from: "s@a.test",
                to: &[&to],
                ..Envelope::default()
            };
            let replies = client.begin(envelope);
            (server, door, client, to, replies)
        })
        .collect();
    stage.lab.hoplock.kill();
    for (server, door, mut client, to, mut replies) in begun {
        let taken = replies.are_recipients_taken();
        stage.check(server, door, taken, || format!("at first: {replies}"));
        let other = recipient("dane.test");
        replies.rcpt.push(client.say(&format!("RCPT TO:<{other}>")));
        client.finish(&mut replies, &message(""));
        // The first recipient passes by policy delegation: it was told so before.
        let became = match door {
            Door::PolicyDefers => {
                let second = &replies.rcpt[1];
                let right = second.is("451 4.3.5") && replies.is_taken();
                right
                    .then_some(())
                    .ok_or(format!("in the middle: {replies}"))
            }
            Door::Policy => {
                let came = stage.sink.arrived(&other);
                came.map(|_| ()).ok_or(format!("in the middle: {replies}"))
            }
            _ => became(&stage.sink, door, &to, &replies, Hoplock::IsAway),
        };
        stage.check(server, door, became.is_ok(), || became.unwrap_err());
    }
}

fn became(
    sink: &Sink,
    door: Door,
    to: &str,
    replies: &Replies,
    hoplock: Hoplock,
) -> Result<(), String> {
    let fails = |words: &str| Err(format!("{words}: {replies}"));
    let verdict = replies.verdict();
    let passes = matches!(door, Door::Policy | Door::MilterPasses | Door::Bare);
    if hoplock == Hoplock::Runs || passes {
        if !replies.are_good() {
            return fails("not taken");
        }
        let Some(came) = sink.arrived(to) else {
            return fails("did not arrive");
        };
        let is_told = hoplock == Hoplock::Runs && door != Door::Bare;
        return match came.values(FIELD).len() == usize::from(is_told) {
            true => Ok(()),
            false => fails("the field"),
        };
    }
    let is_refused = match door {
        Door::PolicyDefers => {
            verdict.is("451 4.3.5 ") && verdict.text.contains("the guard is away")
        }
        Door::MilterRefuses => verdict.is("5"),
        _ => verdict.is("4"),
    };
    match is_refused && !replies.is_taken() && sink.of(to).is_empty() {
        true => Ok(()),
        false => fails("not refused so"),
    }
}

const DOORS: &[Door] = &[
    Door::Policy,
    Door::PolicyDefers,
    Door::Milter,
    Door::MilterPasses,
    Door::MilterRefuses,
    Door::Bare,
];

/// Of a busy machine, and of Postfix's second try after a second.
const AT_ONCE: Duration = Duration::from_secs(8);
/// Ten seconds, twice in Postfix's policy delegation; in Sendmail five for the connection, five for what is
/// agreed on.
const TIMEOUTS: Duration = Duration::from_secs(30);
