//! Keys and authorities that change while a message goes out every second (RFC 7671, 8.1): by the rule
//! of two TTLs nothing waits, and against it mail waits until the records have caught up.

use std::fmt;
use std::fs;
use std::net::SocketAddr;
use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::sleep;
use std::time::{Duration, Instant};

use rustls::ServerConfig;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use sha2::{Digest as _, Sha256};

use crate::lab::certificates::{Authority, Flaw, Identity};
use crate::lab::mail_host::{self, Manner};
use crate::lab::servers::until;
use crate::lab::sessions::journal;
use crate::lab::stage::{Lab, Mapped};
use crate::lab::zones::Plan;

/// A host whose key changes, and its records before, during and after.
pub(super) struct Rolled {
    domain: &'static str,
    address: &'static str,
    old: Identity,
    new: Identity,
    records: [Vec<String>; 3],
    /// Of the records, in seconds.
    ttl: u64,
}

/// What changes.
pub(super) struct Rollover {
    /// By the rule.
    kept: Vec<Rolled>,
    /// Key and record at once.
    broken: Rolled,
}

/// All of it, as it is before.
pub(super) fn plan(plan: &mut Plan) -> Rollover {
    let [first, second] = ["First CA", "Second CA"].map(Authority::named);
    let issue =
        |authority: &Authority, domain: &str| authority.issue(&format!("mx.{domain}"), Flaw::None);
    let by_keys = |domain, address| {
        let (old, new) = (issue(&first, domain), issue(&first, domain));
        let [one, other] = [&old, &new].map(|own| own.end_entity(1, 1));
        let records = [vec![one.clone()], vec![one, other.clone()], vec![other]];
        Rolled {
            domain,
            address,
            old,
            new,
            records,
            ttl: TTL,
        }
    };
    let leaf = Rolled {
        records: [0, 1, 2].map(|_| vec![first.anchor(0)]),
        ..by_keys("leaf.roll.test", "127.0.4.2")
    };
    let [one, other] = [&first, &second].map(|authority| authority.anchor_as(0, 0));
    let authority = Rolled {
        new: issue(&second, "ca.roll.test"),
        records: [vec![one.clone()], vec![one, other.clone()], vec![other]],
        ..by_keys("ca.roll.test", "127.0.4.3")
    };
    let kept = vec![by_keys("roll.test", "127.0.4.1"), leaf, authority];
    let broken = Rolled {
        // What was believed is remembered for one renewal, and the log is read with some delay.
        ttl: 3 * TTL,
        ..by_keys("broken.roll.test", "127.0.4.4")
    };
    for own in kept.iter().chain([&broken]) {
        plan.mx(own.domain, 10, &own.host());
        plan.record(&format!("{}. 300 IN A {}", own.host(), own.address));
        for record in &own.records[0] {
            plan.record(&own.line(record));
        }
    }
    Rollover { kept, broken }
}

impl Rolled {
    fn host(&self) -> String {
        format!("mx.{}", self.domain)
    }

    fn line(&self, record: &str) -> String {
        format!("_25._tcp.{}. {} IN TLSA {record}", self.host(), self.ttl)
    }

    /// Publishes the records of one phase in place of those of another.
    fn publish(&self, lab: &mut Lab<'_>, from: usize, to: usize) {
        let owner = format!("_25._tcp.{}. ", self.host());
        let (from, to) = (&self.records[from], &self.records[to]);
        let added: String = to
            .iter()
            .filter(|record| !from.contains(record))
            .map(|record| self.line(record) + "\n")
            .collect();
        lab.plan.change(lab.folder, "roll.test", |text| {
            let stays = |line: &&str| {
                !line.starts_with(&owner) || to.iter().any(|record| line.ends_with(record.as_str()))
            };
            let mut text: String = text
                .lines()
                .filter(stays)
                .fold(String::new(), |all, line| all + line + "\n");
            text.push_str(&added);
            text
        });
    }

    /// Its host, and what it shows.
    fn start(&self, lab: &Lab<'_>) -> Arc<Shown> {
        let shown = Arc::new(Shown(Mutex::new(Arc::clone(&self.old.tls.cert_resolver))));
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let resolver = Arc::<Shown>::clone(&shown);
        let tls = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_cert_resolver(resolver);
        let address = SocketAddr::from((self.address.parse::<std::net::Ipv4Addr>().unwrap(), 25));
        let sessions = Arc::clone(&lab.sessions);
        let host = mail_host::serve(self.host(), address, Manner::Good, Arc::new(tls), sessions);
        lab.runtime.spawn(host);
        shown
    }

    fn recipient(&self, number: usize) -> String {
        format!("m{number}@{}", self.domain)
    }
}

/// What a host shows at the moment.
struct Shown(Mutex<Arc<dyn ResolvesServerCert>>);

impl Shown {
    fn change(&self, to: &Identity) {
        *self.0.lock().unwrap() = Arc::clone(&to.tls.cert_resolver);
    }
}

impl fmt::Debug for Shown {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Shown")
    }
}

impl ResolvesServerCert for Shown {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        self.0.lock().unwrap().resolve(hello)
    }
}

/// A message every second to each of these while `change` goes on; returns how many each got.
fn mail(pins: &Mapped, all: &[&Rolled], change: impl FnOnce(&AtomicUsize)) -> usize {
    let (ended, sent) = (AtomicBool::new(false), AtomicUsize::new(0));
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !ended.load(Ordering::Relaxed) {
                let begun = Instant::now();
                let number = sent.load(Ordering::Relaxed);
                for own in all {
                    pins.postfix.send(&own.recipient(number));
                }
                sent.store(number + 1, Ordering::Relaxed);
                sleep(Duration::from_secs(1).saturating_sub(begun.elapsed()));
            }
        });
        let _end = End(&ended);
        change(&sent);
    });
    sent.into_inner()
}

/// Ends the sending, also where the lab breaks off.
struct End<'a>(&'a AtomicBool);

impl Drop for End<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// The authoritative server knows the zone as it is written.
fn reloaded(lab: &Lab<'_>) {
    let text = fs::read_to_string(lab.folder.join("roll.test.zone")).unwrap();
    let serial = text.split("hostmaster.test. ").nth(1).unwrap();
    let serial = format!(" {} 3600 ", serial.split(' ').next().unwrap());
    lab.nsd.reload();
    until("the zone that changes", Duration::from_secs(20), || {
        let mut look = Command::new("drill");
        let output = look.args(["@127.0.0.2", "roll.test", "SOA"]).output();
        String::from_utf8_lossy(&output.unwrap().stdout).contains(&serial)
    });
}

/// All of it.
pub(super) fn all(lab: &mut Lab<'_>, pins: &Mapped, rollover: &Rollover) {
    by_the_rule(lab, pins, &rollover.kept);
    against_the_rule(lab, pins, &rollover.broken);
}

/// CA-01, CA-04: new record, two TTLs, new key, old record withdrawn: not one message waits.
fn by_the_rule(lab: &mut Lab<'_>, pins: &Mapped, kept: &[Rolled]) {
    let hosts: Vec<Arc<Shown>> = kept.iter().map(|own| own.start(lab)).collect();
    let all: Vec<&Rolled> = kept.iter().collect();
    let step = |lab: &mut Lab<'_>, from, to| {
        for own in kept {
            own.publish(lab, from, to);
        }
        reloaded(lab);
    };
    let mut changed = 0;
    let count = mail(pins, &all, |sent| {
        sleep(Duration::from_secs(TTL + 2));
        step(lab, 0, 1);
        sleep(Duration::from_secs(2 * TTL));
        for (own, host) in kept.iter().zip(&hosts) {
            host.change(&own.new);
        }
        changed = sent.load(Ordering::Relaxed);
        sleep(Duration::from_secs(TTL + 2));
        step(lab, 1, 2);
        sleep(Duration::from_secs(2 * TTL + 2));
    });
    attempted(pins, &all, count);
    let log = pins.postfix.log();
    for own in kept {
        let late: Vec<String> = (0..count)
            .map(|number| own.recipient(number))
            .filter(|to| {
                let outcome = pins.postfix.outcome(to).unwrap_or_default();
                pins.postfix.attempts(to) != 1 || !outcome.contains("status=sent")
            })
            .collect();
        lab.report.check(late.is_empty(), || {
            let first = late.first().map(|to| pins.postfix.outcome(to));
            format!("{}: waited: {late:?} of {count}: {first:?}", own.domain)
        });
        for (identity, word) in [(&own.old, "old"), (&own.new, "new")] {
            let digest: Vec<String> = Sha256::digest(&identity.public_key)
                .iter()
                .map(|octet| format!("{octet:02X}"))
                .collect();
            let is_used = log.contains(&format!("pkey_fingerprint={}", digest.join(":")));
            lab.report.check(is_used, || {
                format!("{}: the {word} key was not met", own.domain)
            });
        }
        is_authenticated(lab, own, &log, count);
    }
    let both = changed > 3 && changed + 3 < count;
    lab.report.check(both, || {
        format!("the keys changed at message {changed} of {count}")
    });
    println!(
        "pins: {} rollovers by the rule, {count} messages each: none waits",
        kept.len()
    );
}

/// CA-07: key and record change at one moment: mail waits while the old record is believed, goes out
/// without anybody's doing once it is not, and the sessions are known to have failed.
fn against_the_rule(lab: &mut Lab<'_>, pins: &Mapped, broken: &Rolled) {
    let host = broken.start(lab);
    let sent = |to: &str| {
        let outcome = pins.postfix.outcome(to).unwrap_or_default();
        outcome.contains("status=sent")
    };
    let mut last = 0;
    let count = mail(pins, &[broken], |number| {
        sleep(Duration::from_secs(3));
        host.change(&broken.new);
        sleep(Duration::from_secs(2));
        broken.publish(lab, 0, 2);
        reloaded(lab);
        sleep(Duration::from_secs(broken.ttl + 2));
        last = number.load(Ordering::Relaxed);
        sleep(Duration::from_secs(4));
    });
    attempted(pins, &[broken], count);
    let waited: Vec<usize> = (0..count)
        .filter(|number| !sent(&broken.recipient(*number)))
        .collect();
    lab.report.check(!waited.is_empty(), || {
        "a broken rollover made nothing wait".to_owned()
    });
    let late: Vec<&usize> = waited.iter().filter(|number| **number > last).collect();
    lab.report.check(late.is_empty(), || {
        format!("a TTL after the new record these wait: {late:?}")
    });
    pins.postfix.flush();
    until("what waited", Duration::from_secs(30), || {
        (0..count).all(|number| sent(&broken.recipient(number)))
    });
    let log = pins.postfix.log();
    is_authenticated(lab, broken, &log, count);
    let failed = || {
        let query = format!("&next_hop={}", broken.domain);
        journal(&query)
            .iter()
            .any(|entry| entry["verdict"] == "failed" && entry["reason"] == "tlsa-no-match")
    };
    let mut is_known = failed();
    for _ in 0..60 {
        if is_known {
            break;
        }
        sleep(Duration::from_millis(500));
        is_known = failed();
    }
    lab.report.check(is_known, || {
        let all = journal(&format!("&next_hop={}", broken.domain));
        format!("the sessions that failed are not known: {all:#?}")
    });
    println!(
        "pins: a rollover against the rule: {} of {count} messages waited, and went out",
        waited.len()
    );
}

fn attempted(pins: &Mapped, all: &[&Rolled], count: usize) {
    until("the last attempts", Duration::from_secs(30), || {
        all.iter()
            .all(|own| (0..count).all(|number| pins.postfix.attempts(&own.recipient(number)) > 0))
    });
}

/// Each message that arrived came over a session that Postfix calls verified.
fn is_authenticated(lab: &mut Lab<'_>, own: &Rolled, log: &str, count: usize) {
    let host = own.host();
    let (mut arrived, mut clear) = (0, 0);
    for session in lab.sessions.lock().unwrap().iter() {
        if session.host == host && session.mail_from.is_some() {
            arrived += session.delivered_to.len();
            clear += usize::from(!session.tls);
        }
    }
    let line = format!("Verified TLS connection established to {host}[");
    let verified = log.matches(&line).count();
    lab.report
        .check(arrived == count && clear == 0 && verified == count, || {
            format!(
                "{}: {count} sent, {arrived} arrived, {verified} verified, {clear} in clear text",
                own.domain
            )
        });
}

/// Of the TLSA records that change by the rule, in seconds.
const TTL: u64 = 3;
