//! A Postfix without libtlsrpt: hoplock counts by its log. It knows no `TLS-Required` either, so reports go
//! the way that docs/reporting.md prints for it, and nothing comes of their sessions.

use std::sync::Arc;
use std::thread::sleep;
use std::time::{Duration, Instant};

use super::Scene;
use super::arrivals::{arrivals, mails};
use super::clock::{HandClock, MINUTE};
use super::node::{Installation, Node, Told};
use super::published::{MATCH, NO_MATCH};
use super::single::{QUIET, ROUND};
use super::tally;
use crate::lab::postfix::{Instance, Postfix};
use crate::lab::report::Report;
use crate::lab::servers::until;

/// All of it; what was checked.
pub(super) fn all(scene: &Scene<'_>) -> Report {
    let mut report = Report::default();
    let clock = Arc::new(HandClock::new(scene.folder.join("wall-older")));
    clock.set(0, 12, 0);
    let postfix = postfix(scene);
    let mailer = format!("smtp:127.0.0.1:{SMTP}");
    let installation = Installation {
        name: "older",
        mailer: &mailer,
        store: "",
        told: Told::ByLog(postfix.folder()),
    };
    let node = Node::start(scene.folder, "older", PORT, installation, &clock);
    let sent = [
        (format!("a@{MATCH}"), "status=sent"),
        (format!("b@{MATCH}"), "status=sent"),
        (format!("a@{NO_MATCH}"), "status=deferred"),
    ];
    for (to, _) in &sent {
        postfix.send(to);
    }
    for (to, expected) in &sent {
        let words = format!("Postfix 3.7 to be done with {to}");
        until(&words, Duration::from_secs(60), || postfix.attempts(to) > 0);
        let outcome = postfix.outcome(to).unwrap_or_default();
        report.check(outcome.contains(expected), || format!("{to}: {outcome}"));
    }
    let started = Instant::now();
    while node.counted() < 3 && started.elapsed() < Duration::from_secs(90) {
        sleep(Duration::from_millis(300));
    }
    let counted = node.counted();
    report.check(counted == 3, || {
        format!("{counted} sessions are counted by the log, 3 were")
    });
    for minute in [3, 30, 64] {
        clock.put(clock.midnight(1) + minute * MINUTE);
        sleep(ROUND);
    }
    until(
        "the reports' own deliveries",
        Duration::from_secs(30),
        || {
            [MATCH, NO_MATCH]
                .iter()
                .all(|own| postfix.attempts(&format!("r@{own}")) > 0)
        },
    );
    for own in [MATCH, NO_MATCH] {
        let outcome = postfix.outcome(&format!("r@{own}")).unwrap_or_default();
        report.check(outcome.contains("status=sent"), || {
            format!("the report to {own}: {outcome}")
        });
    }
    let arrived = arrivals(scene, "older", &clock);
    let sessions: u64 = arrived
        .iter()
        .map(|own| tally::sessions(&own.tally()))
        .sum();
    report.check(arrived.len() == 2 && sessions == 3, || {
        format!(
            "by the log: {} reports of {sessions} sessions",
            arrived.len()
        )
    });
    // A log is read within seconds, and a session judged within some more.
    sleep(ROUND * 2);
    let today = clock.name(1);
    for own in [MATCH, NO_MATCH] {
        let shown = node.told(&["report", "show", own, "--day", &today]);
        let policies = shown["document"]["policies"].as_array().map(Vec::len);
        report.check(policies == Some(0), || {
            format!("by the log, {own} today: {shown}")
        });
    }
    for day in [2, 3] {
        clock.put(clock.midnight(day) + 64 * MINUTE);
        sleep(QUIET);
    }
    let now = mails(scene.sessions, "older").len();
    report.check(now == arrived.len(), || {
        format!("by the log: {now} mails in all")
    });
    println!(
        "reports: by the log of Postfix 3.7: {sessions} sessions in {} mails, which all arrived, and none about them",
        arrived.len()
    );
    report
}

/// With the lines for a Postfix before 3.10.
fn postfix(scene: &Scene<'_>) -> Postfix {
    let map = format!("socketmap:inet:127.0.0.1:{PORT}:postfix");
    let instance = Instance {
        more: "sender_dependent_default_transport_maps = \
               inline:{ tlsrpt@older.client.lab.test=tlsrpt: }\n"
            .to_owned(),
        services: format!(
            "tlsrpt unix - - n - - smtp\n  -o smtp_tls_policy_maps=socketmap:inet:127.0.0.1:{PORT}:bypass\n"
        ),
        ..Instance::new("office-older", SMTP, &map)
    };
    Postfix::start(scene.folder, &instance)
}

const PORT: u16 = 8620;
const SMTP: u16 = 2543;
