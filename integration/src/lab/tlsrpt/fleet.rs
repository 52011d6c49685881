//! Three hosts that share a server: datagrams to all of them while the server and one of them are killed,
//! and one report in the end.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::thread::sleep;
use std::time::{Duration, Instant};

use super::Scene;
use super::arrivals::{Arrival, arrivals, mails, reached};
use super::clock::{HandClock, MINUTE};
use super::datagrams::{Sender, datagram};
use super::node::{Installation, Node, Told};
use super::office;
use super::oracle;
use super::published::{DOMAINS, Target, target};
use super::shared::{Kind, Shared};
use super::single::{QUIET, ROUND};
use super::tally::{self, Tally};
use crate::lab::hoplock::Hoplock;
use crate::lab::report::Report;
use crate::lab::servers::until;

/// What else happens to the fleet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Trouble {
    /// The host that is killed by day comes back in the hour of the reports.
    AwayOverMidnight,
    /// It comes back soon; the host that sends reports is killed while it does.
    SenderKilled,
}

/// One fleet.
struct Fleet<'a> {
    scene: &'a Scene<'a>,
    name: &'static str,
    shared: Shared,
    nodes: Vec<Node>,
    clock: Arc<HandClock>,
    trouble: Trouble,
    report: Report,
    /// When the host was killed.
    killed: Option<Instant>,
    /// The host that was killed while it sent, and how many it had sent by then.
    sender: Option<(usize, usize)>,
    /// How long answers took while the server was down.
    answers: Vec<Duration>,
}

/// All of it, over this server; what was checked.
pub(super) fn all(
    scene: &Scene<'_>,
    (name, kind, port): (&'static str, Kind, u16),
    trouble: Trouble,
) -> Report {
    let clock = Arc::new(HandClock::new(scene.folder.join(format!("wall-{name}"))));
    clock.set(0, 12, 0);
    let shared = Shared::start(scene.folder, name, kind, port);
    let (store, mailer) = (shared.store(), format!("smtp:127.0.0.1:{}", office::PORT));
    let installation = Installation {
        name,
        mailer: &mailer,
        store: &store,
        told: Told::ByDatagrams,
    };
    let nodes = (0..HOSTS).map(|number| {
        let port = port + 10 + 10 * number;
        let node = format!("{name}-{number}");
        Node::start(scene.folder, &node, port, installation, &clock)
    });
    let nodes = nodes.collect();
    let mut fleet = Fleet {
        scene,
        name,
        shared,
        nodes,
        clock,
        trouble,
        report: Report::default(),
        killed: None,
        sender: None,
        answers: Vec::new(),
    };
    let mut sender = Sender::new();
    fleet.traffic(&mut sender);
    fleet.all_is_handed_over();
    fleet.midnight();
    fleet.one_report(&sender);
    for node in &fleet.nodes {
        let panicked = node.log().contains("panicked");
        fleet
            .report
            .check(!panicked, || format!("{} panicked", node.name));
    }
    fleet.report
}

impl Fleet<'_> {
    /// Ten thousand datagrams to the hosts in turn. The server is killed and started again twice, and one
    /// host once.
    fn traffic(&mut self, sender: &mut Sender) {
        let domains = domains();
        let started = Instant::now();
        let mut number = 0;
        while sender.sent.len() < SENDS {
            match sender.sent.len() {
                2_500 | 6_500 if self.shared.is_up() => self.shared.kill(),
                4_000 | 8_000 if !self.shared.is_up() => {
                    self.answers_meanwhile();
                    self.shared.run();
                }
                5_500 if self.killed.is_none() => {
                    self.nodes[LOSER].kill();
                    self.killed = Some(Instant::now());
                }
                8_500 if self.trouble == Trouble::SenderKilled && !self.nodes[LOSER].is_up() => {
                    self.nodes[LOSER].run();
                }
                _ => {}
            }
            let node = number % self.nodes.len();
            sender.send(
                node,
                &self.nodes[node].datagrams(),
                datagram(number, &domains),
            );
            number += 1;
            // Some hundreds in a second, so that all of it takes place in the middle.
            if number.is_multiple_of(10) {
                sleep(Duration::from_millis(12));
            }
        }
        println!(
            "fleet {} {}: {} datagrams taken by {} hosts in {:.0} s, {} found the killed one away",
            self.name,
            self.shared.version(),
            sender.sent.len(),
            self.nodes.len(),
            started.elapsed().as_secs_f64(),
            sender.away
        );
        let longest = self.answers.iter().max().copied().unwrap_or_default();
        println!(
            "fleet {}: {} answers with the server down, the longest took {:.1} ms",
            self.name,
            self.answers.len(),
            longest.as_secs_f64() * 1_000.0
        );
        self.report.check(longest < Duration::from_secs(1), || {
            format!("with the server down an answer took {longest:?}")
        });
    }

    /// Each host answers while the server is down: about what it has heard of, and about what not.
    fn answers_meanwhile(&mut self) {
        let turn = self.answers.len();
        for node in self.nodes.iter().filter(|node| node.is_up()) {
            for (domain, expected) in [
                ("match.rpt.test", "OK dane-only"),
                ("sts.test", "OK secure"),
                (&*format!("d{turn:02}.rpt.test"), "OK dane-only"),
            ] {
                let started = Instant::now();
                let answer = Hoplock::ask_at(node.port, "postfix310", domain).unwrap_or_default();
                self.answers.push(started.elapsed());
                self.report.check(answer.starts_with(expected), || {
                    format!("{} with the server down: {domain}: {answer}", node.name)
                });
            }
        }
    }

    fn all_is_handed_over(&mut self) {
        let started = Instant::now();
        let waits = |node: &Node| {
            let reports = &node.told(&["status"])["reports"];
            reports["fleet"] != "reached" || reports["fleet_rows_waiting"] != 0
        };
        let up = || self.nodes.iter().filter(|node| node.is_up());
        while up().any(waits) && started.elapsed() < Duration::from_secs(30) {
            sleep(Duration::from_millis(200));
        }
        for node in self.nodes.iter().filter(|node| node.is_up()) {
            let reports = &node.told(&["status"])["reports"];
            let good = reports["fleet"] == "reached" && reports["fleet_rows_waiting"] == 0;
            self.report
                .check(good, || format!("{}: {reports}", node.name));
        }
    }

    /// The day ends, and its reports leave; then another day, of which there is nothing.
    fn midnight(&mut self) {
        self.clock.put(self.clock.midnight(1) + 130);
        // All hosts close the day, and nobody is elected for a minute after the server was lost sight of.
        sleep(QUIET);
        let early = mails(self.scene.sessions, self.name).len();
        self.report.check(early == 0, || {
            format!("{early} mails of a day that is just over")
        });
        let mut started = Instant::now();
        for minute in [10, 25, 40, 64] {
            self.clock.put(self.clock.midnight(1) + minute * MINUTE);
            sleep(ROUND);
            match (self.trouble, minute) {
                (Trouble::AwayOverMidnight, 25) => self.they_wait_for_it(),
                (Trouble::SenderKilled, 25) => {
                    self.the_sender_is_killed();
                    started = Instant::now();
                }
                _ => {}
            }
        }
        let wanted = domains().iter().map(|own| targets(*own)).sum::<usize>();
        while reached(self.scene, self.name) < wanted
            && started.elapsed() < Duration::from_secs(100)
        {
            sleep(Duration::from_millis(200));
        }
        let waited = started.elapsed().as_secs();
        // Whoever would send once more has the time to.
        sleep(ROUND);
        if let Some((sender, by_it)) = self.sender {
            self.nodes[sender].run();
            println!(
                "fleet {}: the sender was killed after {by_it} reports; another host had sent the rest {waited} s \
                 later",
                self.name
            );
        }
        self.clock.put(self.clock.midnight(2) + 70 * MINUTE);
        sleep(QUIET);
    }

    /// A host that was away at midnight has counted, too: it is waited for.
    fn they_wait_for_it(&mut self) {
        let early = mails(self.scene.sessions, self.name).len();
        let told = |node: &Node| node.log().contains("wait for what these hosts counted");
        let mut is_told = false;
        for _ in 0..300 {
            is_told = self.nodes.iter().any(told);
            if is_told {
                break;
            }
            sleep(Duration::from_millis(300));
        }
        self.report.check(early == 0 && is_told, || {
            format!(
                "{early} mails left without what a host that is away has counted; told: {is_told}"
            )
        });
        self.nodes[LOSER].run();
    }

    /// SIGKILL for the host that sends, as soon as it has sent something.
    fn the_sender_is_killed(&mut self) {
        let sent = |node: &Node| node.log().matches("TLS report sent").count();
        until("somebody to send", Duration::from_secs(100), || {
            self.nodes.iter().any(|node| sent(node) > 0)
        });
        let sender = (0..self.nodes.len()).max_by_key(|own| sent(&self.nodes[*own]));
        let sender = sender.unwrap();
        self.nodes[sender].kill();
        self.sender = Some((sender, sent(&self.nodes[sender])));
    }

    /// Exactly one report for each domain and target, and it counts what was sent.
    fn one_report(&mut self, sender: &Sender) {
        let arrived = arrivals(self.scene, self.name, &self.clock);
        let mut ids = BTreeMap::<(String, bool), BTreeSet<String>>::new();
        let mut texts = BTreeSet::new();
        let mut counted = BTreeMap::<String, Tally>::new();
        for own in &arrived {
            let to = (own.domain(), own.mail.is_some());
            ids.entry(to).or_default().insert(own.id());
            texts.insert(own.report.to_string());
            counted.insert(own.domain(), own.tally());
            let good =
                own.against.is_empty() && own.mail.as_ref().is_none_or(|mail| mail["dkim"] == true);
            self.report
                .check(good, || format!("{}: {:?}", own.domain(), own.against));
        }
        let wanted = domains().iter().map(|own| targets(*own)).sum::<usize>();
        // What is sent twice is the same to the octet, and at both targets.
        let one = ids.values().all(|own| own.len() == 1) && texts.len() == domains().len();
        let names: Vec<String> = arrived.iter().map(Arrival::domain).collect();
        self.report.check(one && ids.len() == wanted, || {
            format!(
                "{}: {} targets, {wanted} expected: {names:?}",
                self.name,
                ids.len()
            )
        });
        // What the killed host had taken and not yet kept.
        let sent = tally::of_datagrams(sender.sent.iter().map(|sent| &*sent.octets));
        let killed = self.killed.unwrap();
        let last = sender.sent.iter().filter(|sent| {
            sent.node == LOSER && sent.at <= killed && killed - sent.at <= LAST_SECOND
        });
        let last: Vec<&str> = last.map(|sent| &*sent.octets).collect();
        let may_miss = tally::of_datagrams(last.iter().copied());
        let mut reported = Tally::new();
        for own in counted.into_values() {
            reported.extend(own);
        }
        let of = |tally: &Tally, line: &String| tally.get(line).copied().unwrap_or_default();
        let is_lawful = |line: &String| {
            let (all, found) = (of(&sent, line), of(&reported, line));
            found <= all && all - found <= of(&may_miss, line)
        };
        let lawful = sent.keys().chain(reported.keys()).all(is_lawful);
        let missing =
            tally::sessions(&sent) - tally::sessions(&reported).min(tally::sessions(&sent));
        self.report.check(lawful, || {
            format!(
                "{}: {missing} sessions are missing or too many:\n{}",
                self.name,
                tally::difference(&sent, &reported)
            )
        });
        let collectors = (0..self.nodes.len()).map(|node| {
            let own = sender.sent.iter().filter(|sent| sent.node == node);
            own.map(|sent| &*sent.octets).collect()
        });
        let collectors: Vec<Vec<&str>> = collectors.collect();
        let other = oracle::counted(self.scene.folder, self.name, &collectors);
        self.report.check(other == sent, || {
            format!("tlsrpt-reporter: {}", tally::difference(&sent, &other))
        });
        let [keys, copied] = self.shared.keys();
        self.report.check(keys == copied, || {
            format!("the replica has {copied} keys of {keys}")
        });
        println!(
            "fleet {}: {} arrivals for {} targets, one report-id each; {} of {} sessions reported; missing {missing}, \
             and the killed host got {} datagrams with {} sessions in its last second; {keys} keys, {copied} at the \
             replica",
            self.name,
            arrived.len(),
            ids.len(),
            tally::sessions(&reported),
            tally::sessions(&sent),
            last.len(),
            tally::sessions(&may_miss),
        );
    }
}

/// The domains that a report can be brought to.
fn domains() -> Vec<usize> {
    let has = |number: &usize| targets(*number) > 0;
    (0..DOMAINS).filter(has).collect()
}

fn targets(number: usize) -> usize {
    match target(number) {
        Target::Mail | Target::Post => 1,
        Target::Two => 2,
        Target::Refused | Target::Gone | Target::Ambiguous => 0,
    }
}

const HOSTS: u16 = 3;
const SENDS: usize = 10_000;
/// The host that is killed.
const LOSER: usize = 2;
/// What is counted is written once a second, and that takes its time, too.
const LAST_SECOND: Duration = Duration::from_millis(1_200);
