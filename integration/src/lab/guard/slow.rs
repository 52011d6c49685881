//! DNS that does not answer keeps nobody waiting for longer than `[guard] deadline`.

use std::time::Duration;

use super::FIELD;
use super::server::{Door, Server};
use super::sink::Sink;
use super::stage::{Handed, Sockets, Stage, hand_in, recipient};
use crate::lab::zones::BLACK_HOLE;

/// What is configured for what is not known in time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Trouble {
    Passes,
    Defers,
    /// A rule is for what is not known.
    IsByRule,
    /// It defers, and decides at the end of the message.
    DefersAtEnd,
}

/// All of it.
pub(super) fn all(stage: &mut Stage<'_, '_>) {
    let rule = |protection: &str, action: &str| {
        format!("[[guard.rules]]\nprotection = [\"{protection}\"]\naction = \"{action}\"\n")
    };
    let cases = [
        (Trouble::Passes, String::new(), rule("refused", "reject")),
        (
            Trouble::Defers,
            "on_trouble = \"defer\"\n".to_owned(),
            rule("refused", "reject"),
        ),
        (Trouble::IsByRule, String::new(), rule("unknown", "defer")),
        (
            Trouble::DefersAtEnd,
            "on_trouble = \"defer\"\ndecide_at = \"end\"\n".to_owned(),
            rule("refused", "reject"),
        ),
    ];
    for (trouble, keys, rules) in cases {
        let guard = format!(
            "[dns]\nservers = [\"{BLACK_HOLE}\"]\ntimeout = \"2s\"\n\
             [guard]\nheader = \"{FIELD}\"\ndeadline = \"{}s\"\n{keys}{rules}",
            DEADLINE.as_secs()
        );
        stage.guard(Sockets::Both, &guard);
        let (sink, doors) = (stage.sink.clone(), [Door::Policy, Door::Milter]);
        let doors = match trouble {
            Trouble::DefersAtEnd => &doors[1..],
            _ => &doors[..],
        };
        stage.at_once(doors, |server, door| {
            let result = became(server, door, trouble, &sink);
            vec![result.map_err(|why| format!("{trouble:?}: {why}"))]
        });
    }
}

fn became(server: &dyn Server, door: Door, trouble: Trouble, sink: &Sink) -> Result<(), String> {
    // Nobody has asked for any of them before.
    let to = ["dane.test", "none.test", "sts.test"].map(recipient);
    let to = to.each_ref().map(String::as_str);
    let handed = Handed {
        from: "s@a.test",
        to: &to,
        ..Handed::default()
    };
    let replies = hand_in(server, door, handed);
    let fails = |words: &str| Err(format!("{words}: {replies}"));
    let mut all = replies.rcpt.iter().chain(&replies.message);
    if all.any(|reply| reply.took > DEADLINE + SLACK) {
        return fails("too late");
    }
    let deferred = |codes: &str| codes == "450 4.7.1";
    let codes: Vec<String> = replies.rcpt.iter().map(|reply| reply.codes()).collect();
    let waited = replies.rcpt.iter().all(|reply| reply.took > DEADLINE / 2);
    match trouble {
        Trouble::Passes => {
            if !replies.are_good() || !waited {
                return fails("did not pass after the deadline");
            }
            let told = sink.arrived(to[2]).map(|came| came.values(FIELD));
            match told == Some(Vec::new()) {
                true => Ok(()),
                false => fails(&format!("is told {told:?}")),
            }
        }
        Trouble::Defers | Trouble::IsByRule => {
            match codes.iter().all(|codes| deferred(codes)) && waited {
                true => Ok(()),
                false => fails("not deferred"),
            }
        }
        // All recipients are looked up at the same time.
        Trouble::DefersAtEnd => {
            match codes.iter().all(|codes| codes.starts_with("250"))
                && deferred(&replies.verdict().codes())
            {
                true => Ok(()),
                false => fails("not deferred at the end"),
            }
        }
    }
}

const DEADLINE: Duration = Duration::from_secs(1);
/// What is beside the lookups, on a busy machine.
const SLACK: Duration = Duration::from_millis(700);
