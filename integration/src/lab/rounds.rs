//! The rounds of deliveries: what is answered, what Postfix does with it, what the hosts receive.

use std::collections::BTreeMap;
use std::time::Duration;

use super::deliveries::{Delivery, Fate};
use super::mail_host::Session;
use super::postfix::Postfix;
use super::servers::until;
use super::stage::{Lab, Mapped};

impl Lab<'_> {
    /// Every answer for one version, as `postmap` sees it and as `explain` predicts it.
    pub(super) fn answers(&mut self, deliveries: &[Delivery], mapped: &Mapped) {
        for delivery in deliveries {
            let explained = self.hoplock.explain(delivery.next_hop, mapped.map);
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
        let told = mapped.postfix.postmap("dane.test", mapped.map);
        self.report.check(told.starts_with(mapped.dane), || {
            format!("postmap dane.test: {told:?}")
        });
        let told = mapped.postfix.postmap("none.test", mapped.map);
        self.report
            .check(told.is_empty(), || format!("postmap none.test: {told:?}"));
    }

    /// Every message that must wait, without the map: the attacker's sink gets it.
    pub(super) fn without_the_map(&mut self, deliveries: &[Delivery], control: &Postfix) {
        let sent = deliveries
            .iter()
            .filter(|delivery| delivery.fate != Fate::AnswerOnly);
        let sent: Vec<&Delivery> = sent.collect();
        let waiting: Vec<&&Delivery> = sent
            .iter()
            .filter(|delivery| matches!(delivery.fate, Fate::Waits(_)))
            .collect();
        for delivery in &waiting {
            control.send(&recipient("u", delivery));
        }
        // A handshake that fails is retried in clear text only when the message has waited a while.
        until(
            "the control's first attempts",
            Duration::from_secs(60),
            || {
                waiting
                    .iter()
                    .all(|delivery| control.attempts(&recipient("u", delivery)) > 0)
            },
        );
        std::thread::sleep(Duration::from_secs(3));
        control.flush();
        std::thread::sleep(Duration::from_secs(3));
        control.flush();
        until("the control's deliveries", Duration::from_secs(30), || {
            std::thread::sleep(Duration::from_millis(500));
            waiting.iter().all(|delivery| is_sent(control, delivery))
                || waiting
                    .iter()
                    .all(|delivery| control.attempts(&recipient("u", delivery)) > 1)
        });
        for delivery in &waiting {
            let to = recipient("u", delivery);
            let taken = self
                .seen(&to, delivery)
                .iter()
                .any(|session| session.delivered_to.contains(&to));
            self.report.check(taken, || {
                format!(
                    "{}: without the map the sink got nothing: {:?}",
                    delivery.domain,
                    control.outcome(&to)
                )
            });
        }
    }

    /// Every message with the map.
    pub(super) fn deliveries(&mut self, deliveries: &[Delivery], mapped: &Mapped) {
        let sent = deliveries
            .iter()
            .filter(|delivery| delivery.fate != Fate::AnswerOnly);
        let sent: Vec<&Delivery> = sent.collect();
        self.sessions.lock().unwrap().clear();
        let to = |delivery: &Delivery| recipient(mapped.user, delivery);
        for delivery in &sent {
            mapped.postfix.send(&to(delivery));
        }
        until("all outcomes", Duration::from_secs(120), || {
            sent.iter()
                .all(|delivery| mapped.postfix.attempts(&to(delivery)) > 0)
        });
        let mut fates = BTreeMap::new();
        for delivery in &sent {
            self.judge(delivery, mapped);
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
        println!("deliveries by {}: {} {fates:?}", mapped.map, sent.len());
    }

    /// What Postfix logged and the mail host received, against what must happen.
    fn judge(&mut self, delivery: &Delivery, mapped: &Mapped) {
        let to = recipient(mapped.user, delivery);
        let outcome = mapped.postfix.outcome(&to).unwrap_or_default();
        let seen = self.seen(&to, delivery);
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
            let verified = mapped.says_verified(relay);
            let expected = matches!(delivery.fate, Fate::Verified(_));
            self.report.check(verified == expected, || {
                format!("{name}: verified {verified}, expected {expected}: {outcome}")
            });
        }
        self.compare_with_prediction(delivery, &outcome, mapped);
    }

    /// `explain` said beforehand what Postfix would do to each host.
    fn compare_with_prediction(&mut self, delivery: &Delivery, outcome: &str, mapped: &Mapped) {
        let explained = self.hoplock.explain(delivery.next_hop, mapped.map);
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
            let verified = mapped.says_verified(outcome.split("relay=").nth(1).unwrap_or_default());
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

    fn seen(&self, to: &String, delivery: &Delivery) -> Vec<Session> {
        let suffix = format!(".{}", delivery.domain);
        let sessions = self.sessions.lock().unwrap();
        let is_own = |session: &&Session| {
            session.delivered_to.contains(to) || session.host.ends_with(&suffix)
        };
        sessions.iter().filter(is_own).cloned().collect()
    }
}

impl Mapped {
    /// Whether Postfix called a session with this relay verified.
    fn says_verified(&self, relay: &str) -> bool {
        let relay = relay.split(',').next().unwrap_or_default();
        let line = format!("Verified TLS connection established to {relay}");
        self.postfix.log().contains(&line)
    }
}

fn is_sent(postfix: &Postfix, delivery: &Delivery) -> bool {
    postfix
        .outcome(&recipient("u", delivery))
        .is_some_and(|outcome| outcome.contains("status=sent"))
}

fn recipient(user: &str, delivery: &Delivery) -> String {
    format!("{user}@{}", delivery.domain)
}
