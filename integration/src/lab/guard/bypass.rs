//! RQ-03: a message with `TLS-Required: No` on its way out, by the lines that `docs/guard.md` prints for
//! Postfix 3.7, and by Postfix 3.10 itself.

use std::net::TcpStream;
use std::time::Duration;

use super::client::{Client, Envelope};
use super::stage::{message, recipient};
use crate::lab::postfix::{Instance, Postfix};
use crate::lab::servers::until;
use crate::lab::stage::Lab;

/// All of it.
pub(super) fn all(lab: &mut Lab<'_>) {
    let (main, master) = printed();
    let old = Instance {
        // All mail here is handed in.
        more: format!("{main}cleanup_service_name = submission-cleanup\n"),
        services: master
            .replace("unix - - y - - smtp", "unix - - n - - smtp")
            .replace("unix n - y - 0 cleanup", "unix n - n - 0 cleanup"),
        ..Instance::new("bypass-3.7", OLD, "socketmap:inet:127.0.0.1:8425:postfix")
    };
    let trixie = lab.trixie();
    let new = Instance {
        root: Some(&trixie),
        ..Instance::new(
            "bypass-3.10",
            NEW,
            "socketmap:inet:127.0.0.1:8425:postfix310",
        )
    };
    for instance in [old, new] {
        let postfix = Postfix::start(lab.folder, &instance);
        // The policy lists no host of the one; the key of the other is not the published one.
        for (domain, fields, status) in [
            ("sts-unlisted.test", "", "status=deferred"),
            ("sts-unlisted.test", "TLS-Required: No\r\n", "status=sent"),
            ("wrong-key.test", "", "status=deferred"),
            ("wrong-key.test", "TLS-Required: No\r\n", "status=sent"),
            (
                "wrong-key.test",
                "TLS-Required: Nothing\r\n",
                "status=deferred",
            ),
            (
                "wrong-key.test",
                "X-TLS-Required: No\r\n",
                "status=deferred",
            ),
        ] {
            let to = recipient(domain);
            send(instance.port, &to, fields);
            until("an attempt", Duration::from_secs(30), || {
                postfix.attempts(&to) > 0
            });
            let outcome = postfix.outcome(&to).unwrap_or_default();
            lab.report.check(outcome.contains(status), || {
                format!("{} with {fields:?}: {outcome}", instance.name)
            });
        }
    }
}

fn send(port: u16, to: &str, fields: &str) {
    until("Postfix", Duration::from_secs(20), || {
        TcpStream::connect(("127.0.0.1", port)).is_ok()
    });
    let envelope = Envelope {
        from: "s@client.lab.test",
        to: &[to],
        ..Envelope::default()
    };
    let replies = Client::connect(port).send(envelope, &message(fields));
    assert!(replies.are_good(), "{to}: {replies}");
}

/// What the page prints for main.cf and for master.cf.
fn printed() -> (String, String) {
    let page = include_str!("../../../../docs/guard.md");
    let block = |title: &str| {
        let (_, block) = page.split_once(&format!("# {title}\n")).unwrap();
        block.split_once("```").unwrap().0.to_owned()
    };
    (block("main.cf of Postfix 3.7"), block("master.cf"))
}

const OLD: u16 = 2580;
const NEW: u16 = 2581;
