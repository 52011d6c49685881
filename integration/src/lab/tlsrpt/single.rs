//! A day of one box: datagrams through the day, nothing leaves before midnight, and then all of it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::thread::sleep;
use std::time::{Duration, Instant};

use super::Scene;
use super::after;
use super::arrivals::{Arrival, arrivals, mails};
use super::clock::HandClock;
use super::datagrams::{Sender, datagram};
use super::node::{Installation, Node, Told};
use super::office::Office;
use super::oracle;
use super::published::{DOMAINS, MATCH, NO_MATCH, Target, domain, target};
use super::tally::{self, Tally};
use crate::lab::report::Report;
use crate::lab::servers::until;

pub(super) const PORT: u16 = 8460;

/// What the checks after midnight are given.
pub(super) struct Box<'a> {
    pub(super) scene: &'a Scene<'a>,
    pub(super) node: Node,
    pub(super) office: &'a Office,
    pub(super) clock: &'a Arc<HandClock>,
    pub(super) report: Report,
}

/// All of it; what was checked.
pub(super) fn all(scene: &Scene<'_>, office: &Office, clock: &Arc<HandClock>) -> Report {
    clock.set(0, 8, 0);
    let installation = Installation {
        name: "solo",
        mailer: office.sendmail.to_str().unwrap(),
        store: "",
        told: Told::ByDatagrams,
    };
    let node = Node::start(scene.folder, "solo", PORT, installation, clock);
    let mut own = Box {
        scene,
        node,
        office,
        clock,
        report: Report::default(),
    };
    let mut sender = Sender::new();
    own.real_mail();
    own.the_day(&mut sender);
    let expected = own.expected(&sender);
    own.midnight(&mut sender);
    own.the_hour();
    own.what_arrived(&expected);
    after::all(&mut own);
    let log = own.node.log();
    own.report
        .check(!log.contains("panicked"), || "the box panicked".to_owned());
    let status = own.node.terminate();
    own.report.check(status == Some(0), || {
        format!("the box drained with {status:?}")
    });
    own.report
}

impl Box<'_> {
    /// Postfix's own datagrams, from mail that arrives and mail that waits.
    fn real_mail(&mut self) {
        let to = [
            (format!("a@{MATCH}"), "status=sent"),
            (format!("b@{MATCH}"), "status=sent"),
            (format!("a@{NO_MATCH}"), "status=deferred"),
            ("report@sts.test".to_owned(), "status=sent"),
        ];
        for (to, _) in &to {
            self.office.postfix.send(to);
        }
        for (to, expected) in &to {
            let postfix = &self.office.postfix;
            let words = format!("Postfix to be done with {to}");
            until(&words, Duration::from_secs(60), || postfix.attempts(to) > 0);
            let outcome = postfix.outcome(to).unwrap_or_default();
            self.report
                .check(outcome.contains(expected), || format!("{to}: {outcome}"));
        }
        let mut seen = 0;
        for _ in 0..100 {
            seen = self.office.relay.seen().len();
            if seen >= to.len() {
                break;
            }
            sleep(Duration::from_millis(100));
        }
        self.report.check(seen >= to.len(), || {
            format!("Postfix sent {seen} datagrams")
        });
    }

    /// Ten thousand datagrams in four parts, the last of them just before midnight; all are counted.
    fn the_day(&mut self, sender: &mut Sender) {
        let socket = self.node.datagrams();
        let started = Instant::now();
        for (part, (hour, minute)) in [(8, 30), (12, 0), (18, 0), (23, 57)]
            .into_iter()
            .enumerate()
        {
            self.clock.set(0, hour, minute);
            for number in part * PART..(part + 1) * PART {
                sender.send(0, &socket, datagram(number, &EVERY));
            }
            self.all_are_counted(sender);
        }
        println!(
            "reports: {} datagrams taken in {:.1} s ({} sends found the socket full), {} of Postfix itself",
            sender.sent.len(),
            started.elapsed().as_secs_f64(),
            sender.full,
            self.office.relay.seen().len()
        );
        // The day is not over, and whoever thinks it is has the time to show.
        sleep(QUIET);
        let (mails, posts) = (
            mails(self.scene.sessions, "solo").len(),
            self.scene.posts.of("solo").len(),
        );
        self.report.check(mails + posts == 0, || {
            format!("{mails} mails and {posts} posts left before midnight")
        });
    }

    fn all_are_counted(&mut self, sender: &Sender) {
        let expected = tally::sessions(&self.expected(sender));
        let mut counted = 0;
        for _ in 0..100 {
            counted = self.node.counted();
            if counted >= expected {
                break;
            }
            sleep(Duration::from_millis(100));
        }
        self.report.check(counted == expected, || {
            format!("{counted} sessions are counted, {expected} were told of")
        });
    }

    /// What was told of on the first day, counted without hoplock.
    fn expected(&self, sender: &Sender) -> Tally {
        let own = sender.sent.iter().map(|sent| sent.octets.clone());
        let all: Vec<String> = own.chain(self.office.relay.seen()).collect();
        tally::of_datagrams(all.iter().map(String::as_str))
    }

    /// What comes after midnight counts for the day that begins; nothing leaves before the old one is closed.
    fn midnight(&mut self, sender: &mut Sender) {
        let all: Vec<String> = self.office.relay.seen();
        let before = sender.sent.len();
        let first: Vec<&str> = sender.sent.iter().map(|sent| &*sent.octets).collect();
        let first = first
            .into_iter()
            .chain(all.iter().map(String::as_str))
            .collect();
        self.same_as_another(first);
        self.clock.set(1, 0, 1);
        for turn in 0..LATE {
            // Of one domain alone.
            sender.send(0, &self.node.datagrams(), datagram(DOMAINS * turn, &EVERY));
        }
        assert_eq!(sender.sent.len(), before + LATE);
        self.all_are_counted(sender);
        self.clock.put(self.clock.midnight(1) + 170);
        sleep(QUIET);
        let (mails, posts) = (
            mails(self.scene.sessions, "solo").len(),
            self.scene.posts.of("solo").len(),
        );
        self.report.check(mails + posts == 0, || {
            format!("{mails} mails and {posts} posts left within three minutes of midnight")
        });
    }

    /// RP-09: another program counts the same datagrams.
    fn same_as_another(&mut self, datagrams: Vec<&str>) {
        let expected = tally::of_datagrams(datagrams.iter().copied());
        let other = oracle::counted(self.scene.folder, "solo", &[datagrams]);
        self.report.check(other == expected, || {
            let difference = tally::difference(&expected, &other);
            format!("the lab counts otherwise than tlsrpt-reporter:\n{difference}")
        });
        println!(
            "reports: tlsrpt-reporter counts {} sessions in {} lines, the lab the same",
            tally::sessions(&other),
            other.len()
        );
    }

    /// RP-10: reports leave over the hour of [report] delay, not all at once.
    fn the_hour(&mut self) {
        let mut by_step = BTreeMap::new();
        let mut before = 0;
        for minute in (3..=63).step_by(10) {
            after::walk(self, self.clock.midnight(1) + minute * 60);
            let now = mails(self.scene.sessions, "solo").len() + self.scene.posts.of("solo").len();
            by_step.insert(minute, now - before);
            before = now;
        }
        // The last of them was claimed, and waits for the next round to be sent.
        sleep(ROUND);
        let all = mails(self.scene.sessions, "solo").len() + self.scene.posts.of("solo").len();
        by_step.insert(64, all - before);
        let by_step: Vec<usize> = by_step.into_values().collect();
        println!("reports: those that left by each tenth minute: {by_step:?}");
        let busiest = by_step.iter().max().copied().unwrap_or_default();
        let steps = by_step.iter().filter(|left| **left > 0).count();
        self.report.check(steps >= 4 && busiest * 2 < all, || {
            format!("reports leave in {by_step:?}")
        });
    }

    /// RP-08, RP-09, RP-11 to RP-14: what arrived, and only that, once.
    fn what_arrived(&mut self, expected: &Tally) {
        // What was handed to Postfix is on its way for a moment.
        let wanted = DOMAINS - 3 + 3 + 2;
        let arrived =
            || mails(self.scene.sessions, "solo").len() + self.scene.posts.of("solo").len();
        for _ in 0..100 {
            if arrived() >= wanted {
                break;
            }
            sleep(Duration::from_millis(100));
        }
        let arrived = arrivals(self.scene, "solo", self.clock);
        let day = self.clock.name(0);
        let (mut counted, mut keys) = (Tally::new(), BTreeSet::new());
        for own in &arrived {
            let name = own.domain();
            self.report.check(own.against.is_empty(), || {
                format!("{name}: the schema says {:?}", own.against)
            });
            self.report
                .check(own.day() == day, || format!("{name}: of {}", own.day()));
            let is_first = keys.insert((name.clone(), own.path.is_some()));
            self.report
                .check(is_first, || format!("{name}: two reports"));
            if let Some(mail) = &own.mail {
                self.mail(mail, own);
            }
            // One with two targets is the same report at both.
            if own.path.is_none() || !keys.contains(&(name, false)) {
                counted.extend(own.tally());
            }
        }
        // The refused one, as it stands.
        let refused = domain(9);
        let shown = self.node.told(&["report", "show", &refused, "--day", &day]);
        tally::of_report(&mut counted, &refused, &shown["document"]);
        let none = [Target::Gone, Target::Ambiguous];
        let is_asked = |line: &&String| {
            let of = (0..DOMAINS).find(|number| line.starts_with(&domain(*number)));
            of.is_none_or(|number| !none.contains(&target(number)))
        };
        let expected: Tally = expected
            .iter()
            .filter(|(line, _)| is_asked(line))
            .map(|(line, count)| (line.clone(), *count))
            .collect();
        self.report.check(counted == expected, || {
            format!(
                "reported against sent:\n{}",
                tally::difference(&counted, &expected)
            )
        });
        self.report.check(arrived.len() == wanted, || {
            let names: Vec<String> = arrived.iter().map(Arrival::domain).collect();
            format!("{} arrivals, {wanted} expected: {names:?}", arrived.len())
        });
        let by_mail = arrived.iter().filter(|own| own.mail.is_some()).count();
        println!(
            "reports: {by_mail} by mail (each signed and valid by dkimpy), {} by HTTPS, all valid by the schema; \
             {} sessions in {} lines, as sent",
            arrived.len() - by_mail,
            tally::sessions(&counted),
            counted.len()
        );
    }

    /// One mail, and what the commands say of it.
    fn mail(&mut self, mail: &serde_json::Value, own: &Arrival) {
        let name = own.domain();
        let id = own.id();
        for (good, words) in [
            (mail["dkim"] == true, "DKIM"),
            (
                mail["tls-required"] == serde_json::json!(["No"]),
                "TLS-Required",
            ),
            (mail["type"] == "multipart/report", "type"),
            (mail["report_type"] == "tlsrpt", "report-type"),
            (
                mail["parts"] == serde_json::json!(["text/plain", "application/tlsrpt+gzip"]),
                "parts",
            ),
            (
                mail["tls-report-submitter"] == serde_json::json!(["solo.client.lab.test"]),
                "TLS-Report-Submitter",
            ),
            (
                mail["message-id"] == serde_json::json!([format!("<{id}>")]),
                "Message-ID",
            ),
        ] {
            self.report.check(good, || {
                let mail: String = mail.to_string().chars().take(600).collect();
                format!("{name}: {words}: {mail}")
            });
        }
        let read = self
            .node
            .fed(&["report", "read", "-", "--json", "--no-keep"], &own.octets);
        let value: serde_json::Value = serde_json::from_slice(&read.stdout).unwrap_or_default();
        let mut counted = Tally::new();
        tally::of_report(&mut counted, &name, &value);
        self.report.check(counted == own.tally(), || {
            format!("{name}: report read says otherwise: {value}")
        });
    }
}

/// All domains.
const EVERY: [usize; DOMAINS] = {
    let mut every = [0; DOMAINS];
    let mut number = 0;
    while number < DOMAINS {
        every[number] = number;
        number += 1;
    }
    every
};
/// A quarter of ten thousand.
const PART: usize = 2_500;
/// Those after midnight.
const LATE: usize = 50;
/// hoplock looks every five seconds whether something is to be sent.
pub(super) const ROUND: Duration = Duration::from_millis(5_800);
/// What is due is claimed in one round, and sent in it or in the next.
pub(super) const QUIET: Duration = Duration::from_millis(11_000);
