//! Where the mail server sends a recipient's mail, which it tells a milter and not a policy service: what
//! stays is let go, and a relay can be judged in the place of the recipient's domain.

use super::client::{Client, Envelope};
use super::server::{Door, HOME};
use super::stage::{Sockets, Stage, recipient};

/// All of it. Nothing is sent: what is looked at is said at RCPT.
pub(super) fn all(stage: &mut Stage<'_, '_>) {
    let rule = format!(
        "[[guard.rules]]\nrecipient = [\"{HOME}\"]\naction = \"reject\"\ntext = \"not there\"\n"
    );
    let (stays, own) = (
        format!("[guard]\n{rule}"),
        format!("[guard]\nown_domains = [\"{HOME}\"]\n{rule}"),
    );
    said(stage, &stays, HOME, |door| match door {
        Door::Policy => "550 5.7.1",
        _ => "250",
    });
    said(stage, &own, HOME, |_| "250");
    // All go by a relay of which nothing is known, whoever they are for.
    let rule = "[[guard.rules]]\nprotection = [\"opportunistic\"]\naction = \"reject\"\n";
    let relay = format!("[guard]\nby_next_hop = true\n{rule}");
    said(stage, &relay, "dane.test", |door| match door {
        Door::Policy => "250",
        _ => "550 5.7.1",
    });
    said(stage, &format!("[guard]\n{rule}"), "dane.test", |_| "250");
}

fn said(
    stage: &mut Stage<'_, '_>,
    guard: &str,
    domain: &str,
    expected: impl Fn(Door) -> &'static str + Sync,
) {
    stage.guard(Sockets::Both, guard);
    stage.at_once(&[Door::Policy, Door::Milter], |server, door| {
        let to = match domain {
            // Somebody who is there.
            HOME => format!("root@{HOME}"),
            _ => recipient(domain),
        };
        let envelope = Envelope {
            from: "s@a.test",
            to: &[&to],
            ..Envelope::default()
        };
        let mut client = Client::connect(server.port(door).unwrap());
        let replies = client.begin(envelope);
        let codes = replies.verdict().codes();
        let expected = expected(door);
        vec![
            match replies.rcpt.len() == 1 && codes.starts_with(expected) {
                true => Ok(()),
                false => Err(format!("{to} by {guard:?}: {replies}, expected {expected}")),
            },
        ]
    });
}
