//! The lab from start to verdict.

use std::collections::BTreeMap;
use std::fs;
use std::net::{SocketAddr, UdpSocket};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use super::certificates::Authority;
use super::deliveries::{Delivery, Fate, table};
use super::mail_host::{self, Session, Sessions};
use super::policy_host;
use super::servers::{Hoplock, Postfix, must, nsd, open_to_all, prepare, unbound, until};
use super::zones::{BLACK_HOLE, POLICY_HOST, Plan};

/// What was checked, and what was wrong.
#[derive(Default)]
struct Report {
    passed: usize,
    failed: Vec<String>,
}

impl Report {
    fn check(&mut self, good: bool, words: impl FnOnce() -> String) {
        if good {
            self.passed += 1;
        } else {
            let words = words();
            println!("FAILED {words}");
            self.failed.push(words);
        }
    }
}

/// Runs everything; the last line counts.
pub fn main() -> ExitCode {
    let folder = tempfile::tempdir().unwrap();
    open_to_all(folder.path());
    prepare(folder.path());
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let mut plan = Plan::new(Authority::new());
    let deliveries = table(&mut plan);
    fs::write(folder.path().join("ca.pem"), plan.authority.pem()).unwrap();
    let anchor = plan.sign(folder.path());
    let _black_hole = UdpSocket::bind((BLACK_HOLE, 53)).unwrap();
    let sessions = Sessions::default();
    start_hosts(&runtime, &mut plan, &sessions);
    let _servers = [nsd(folder.path(), &plan), unbound(folder.path(), &anchor)];
    until("the lab's DNS", Duration::from_secs(20), || {
        let answer = must(
            std::process::Command::new("sh")
                .arg("-c")
                .arg("(ldns-dane 2>/dev/null; drill -D @127.0.0.1 com. SOA || true) 2>/dev/null"),
        );
        answer.contains("flags: qr rd ra ad") || answer.contains(" ad ")
    });
    let mut hoplock = Hoplock::start(folder.path());
    let transport = "inline:{ {relayed.test=smtp:[submit.test]:587} }";
    let map = "socketmap:inet:127.0.0.1:8425:postfix";
    let mapped = Postfix::start(folder.path(), "mapped", 2525, map, transport);
    let control = Postfix::start(folder.path(), "control", 2526, "", transport);
    let mut report = Report::default();
    let mut lab = Lab {
        hoplock: &mut hoplock,
        mapped,
        control,
        sessions,
        report: &mut report,
    };
    lab.answers(&deliveries);
    lab.deliveries(&deliveries);
    lab.kill_in_mid_flow();
    let log = lab.hoplock.log();
    report.check(!log.contains("panicked"), || "hoplock panicked".to_owned());
    if !report.failed.is_empty() {
        println!("--- hoplock's log\n{log}");
    }
    let failed = report.failed.len();
    println!("{} passed, {failed} failed", report.passed);
    if failed == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

fn start_hosts(runtime: &tokio::runtime::Runtime, plan: &mut Plan, sessions: &Sessions) {
    for host in &plan.hosts {
        let address = SocketAddr::from((host.address, host.port));
        let tls = Arc::clone(&host.identity.tls);
        let (name, sessions) = (host.name.clone(), Arc::clone(sessions));
        runtime.spawn(mail_host::serve(name, address, host.manner, tls, sessions));
    }
    let sites = Arc::new(std::mem::take(&mut plan.sites));
    let address = format!("{POLICY_HOST}:443").parse().unwrap();
    runtime.spawn(policy_host::serve(address, sites));
}

struct Lab<'a> {
    hoplock: &'a mut Hoplock,
    mapped: Postfix,
    control: Postfix,
    sessions: Sessions,
    report: &'a mut Report,
}

impl Lab<'_> {
    /// Every answer, as `postmap` sees it and as `explain` predicts it.
    fn answers(&mut self, deliveries: &[Delivery]) {
        for delivery in deliveries {
            let explained = self.hoplock.explain(delivery.next_hop);
            let reply = explained["reply"].as_str().unwrap_or_default().to_owned();
            let name = delivery.next_hop;
            self.report.check(reply.starts_with(delivery.reply), || {
                format!(
                    "{name} ({}): {reply:?}, expected {:?}\n{}",
                    delivery.ids,
                    delivery.reply,
                    self.hoplock.explain_text(name)
                )
            });
            for field in ["lookups", "row", "reason", "mx", "sts"] {
                self.report.check(!explained[field].is_null(), || {
                    format!("{name}: no {field}")
                });
            }
        }
        let told = self.mapped.postmap("dane.test");
        self.report.check(told == "dane-only", || {
            format!("postmap dane.test: {told:?}")
        });
        let told = self.mapped.postmap("none.test");
        self.report
            .check(told.is_empty(), || format!("postmap none.test: {told:?}"));
        println!(
            "--- explain dane.test\n{}",
            self.hoplock.explain_text("dane.test")
        );
        println!(
            "--- explain bogus-tlsa.test\n{}",
            self.hoplock.explain_text("bogus-tlsa.test")
        );
    }

    /// Every message: first without the map where it must wait with it, then with the map.
    fn deliveries(&mut self, deliveries: &[Delivery]) {
        let sent = deliveries
            .iter()
            .filter(|delivery| delivery.fate != Fate::AnswerOnly);
        let sent: Vec<&Delivery> = sent.collect();
        let waiting: Vec<&&Delivery> = sent
            .iter()
            .filter(|delivery| matches!(delivery.fate, Fate::Waits(_)))
            .collect();
        for delivery in &waiting {
            self.control.send(&recipient(delivery));
        }
        // A handshake that fails is retried in clear text only when the message has waited a while.
        until(
            "the control's first attempts",
            Duration::from_secs(60),
            || {
                waiting
                    .iter()
                    .all(|delivery| self.control.attempts(&recipient(delivery)) > 0)
            },
        );
        std::thread::sleep(Duration::from_secs(3));
        self.control.flush();
        std::thread::sleep(Duration::from_secs(3));
        self.control.flush();
        until("the control's deliveries", Duration::from_secs(30), || {
            std::thread::sleep(Duration::from_millis(500));
            waiting
                .iter()
                .all(|delivery| is_sent(&self.control, delivery))
                || waiting
                    .iter()
                    .all(|delivery| self.control.attempts(&recipient(delivery)) > 1)
        });
        for delivery in &waiting {
            let to = recipient(delivery);
            let taken = self
                .seen(delivery)
                .iter()
                .any(|session| session.delivered_to.contains(&to));
            self.report.check(taken, || {
                format!(
                    "{}: without the map the sink got nothing: {:?}",
                    delivery.domain,
                    self.control.outcome(&to)
                )
            });
        }
        self.sessions.lock().unwrap().clear();
        for delivery in &sent {
            self.mapped.send(&recipient(delivery));
        }
        until("all outcomes", Duration::from_secs(120), || {
            sent.iter()
                .all(|delivery| self.mapped.attempts(&recipient(delivery)) > 0)
        });
        let mut fates = BTreeMap::new();
        for delivery in &sent {
            self.judge(delivery);
            *fates
                .entry(
                    format!("{:?}", delivery.fate)
                        .split('(')
                        .next()
                        .unwrap()
                        .to_owned(),
                )
                .or_insert(0) += 1;
        }
        println!("deliveries: {} {fates:?}", sent.len());
        self.report.check(sent.len() >= 40, || {
            format!("only {} deliveries", sent.len())
        });
    }

    /// What Postfix logged and the mail host received, against what must happen.
    fn judge(&mut self, delivery: &Delivery) {
        let to = recipient(delivery);
        let outcome = self.mapped.outcome(&to).unwrap_or_default();
        let seen = self.seen(delivery);
        let name = delivery.domain;
        let taken: Vec<&Session> = seen
            .iter()
            .filter(|session| session.delivered_to.contains(&to))
            .collect();
        let words = || format!("{name} ({}): {outcome}\n{seen:#?}", delivery.ids);
        if let Fate::Waits(reason) = delivery.fate {
            self.report
                .check(outcome.contains("status=deferred"), words);
            self.report.check(outcome.contains(reason), words);
            // Postfix takes leave of a host that it refuses: QUIT, and nothing else, may follow the
            // handshake.
            let leaked = seen.iter().any(|session| {
                session.mail_from.is_some()
                    || !matches!(session.after_handshake.as_str(), "" | "QUIT\r\n")
            });
            self.report.check(!leaked, || {
                format!("{name}: bytes after the handshake: {seen:#?}")
            });
        } else {
            let (host, tls) = match delivery.fate {
                Fate::Verified(host) | Fate::Encrypted(host) => (host, true),
                Fate::Clear(host) => (host, false),
                Fate::Waits(_) | Fate::AnswerOnly => unreachable!(),
            };
            self.report.check(outcome.contains("status=sent"), words);
            let relay = outcome.split("relay=").nth(1).unwrap_or_default();
            self.report.check(relay.starts_with(host), words);
            self.report
                .check(taken.len() == 1 && taken[0].tls == tls, words);
            let verified = self.says_verified(relay);
            let expected = matches!(delivery.fate, Fate::Verified(_));
            self.report.check(verified == expected, || {
                format!("{name}: verified {verified}, expected {expected}: {outcome}")
            });
        }
        self.compare_with_prediction(delivery, &outcome);
    }

    /// `explain` said beforehand what Postfix would do to each host.
    fn compare_with_prediction(&mut self, delivery: &Delivery, outcome: &str) {
        let explained = self.hoplock.explain(delivery.next_hop);
        let hosts = explained["mx"]["hosts"]
            .as_array()
            .cloned()
            .unwrap_or_default();
        let name = delivery.domain;
        let relay = outcome.split("relay=").nth(1).unwrap_or_default();
        let relay = relay.split('[').next().unwrap_or_default();
        if outcome.contains("status=sent") {
            // An alias is logged under the name where it leads.
            let host = hosts
                .iter()
                .find(|host| host["host"] == relay)
                .or(hosts.first());
            let predicted = host
                .and_then(|host| host["outcome"].as_str())
                .unwrap_or_default();
            let verified = self.says_verified(outcome.split("relay=").nth(1).unwrap_or_default());
            let half = explained["mx"]["status"] == "insecure" && predicted == "dane";
            let fits = match predicted {
                "dane" | "web-pki" => verified || half,
                "clear" | "encrypt" => !verified,
                _ => false,
            };
            self.report.check(fits, || {
                format!("{name}: predicted {predicted:?}: {outcome}")
            });
        } else {
            let weak = hosts.iter().any(|host| host["outcome"] == "clear");
            self.report
                .check(!weak, || format!("{name}: predicted a delivery: {outcome}"));
        }
    }

    /// Whether Postfix called a session with this relay verified.
    fn says_verified(&self, relay: &str) -> bool {
        let relay = relay.split(',').next().unwrap_or_default();
        let line = format!("Verified TLS connection established to {relay}");
        self.mapped.log().contains(&line)
    }

    fn seen(&self, delivery: &Delivery) -> Vec<Session> {
        let to = recipient(delivery);
        let suffix = format!(".{}", delivery.domain);
        let sessions = self.sessions.lock().unwrap();
        let is_own = |session: &&Session| {
            session.delivered_to.contains(&to) || session.host.ends_with(&suffix)
        };
        sessions.iter().filter(is_own).cloned().collect()
    }

    /// FT-03: hoplock dies; mail waits, nothing is lost, and goes out after the restart.
    fn kill_in_mid_flow(&mut self) {
        self.hoplock.kill();
        let to = "survivor@dane.test".to_owned();
        self.mapped.send(&to);
        until("the wait without hoplock", Duration::from_secs(30), || {
            self.mapped.attempts(&to) > 0
        });
        let outcome = self.mapped.outcome(&to).unwrap_or_default();
        self.report.check(
            outcome.contains("status=deferred") && outcome.contains("4.7.5"),
            || format!("hoplock killed: {outcome}"),
        );
        self.hoplock.restart();
        std::thread::sleep(Duration::from_secs(2));
        self.mapped.flush();
        until(
            "delivery after the restart",
            Duration::from_secs(30),
            || {
                self.mapped
                    .outcome(&to)
                    .is_some_and(|outcome| outcome.contains("status=sent"))
            },
        );
        self.report.check(true, String::new);
        let bounced = self.mapped.log().contains("status=bounced");
        self.report
            .check(!bounced, || "a message bounced".to_owned());
        let status = self.hoplock.terminate();
        self.report
            .check(status == Some(0), || format!("drained with {status:?}"));
        self.hoplock.restart();
    }
}

fn is_sent(postfix: &Postfix, delivery: &Delivery) -> bool {
    postfix
        .outcome(&recipient(delivery))
        .is_some_and(|outcome| outcome.contains("status=sent"))
}

fn recipient(delivery: &Delivery) -> String {
    format!("u@{}", delivery.domain)
}
