//! What is remembered, in real time: changes seen within a TTL, refreshes that fail, kills.

use std::collections::BTreeSet;
use std::collections::hash_map::RandomState;
use std::fs;
use std::hash::BuildHasher as _;
use std::process::Command;
use std::sync::atomic::Ordering;
use std::thread::sleep;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::deliveries::{MANY, SHORT_LIFE, many};
use super::hoplock::Hoplock;
use super::policy_host::Behaviour;
use super::servers::{NOT_VALIDATING, must, until};
use super::stage::Lab;

/// ST-25, ST-27, CA-08: a new id and a new MX within one TTL; a refresh that fails keeps the policy
/// to its max_age and holds no answer up; a record that is replayed prolongs nothing.
pub(super) fn changes(lab: &mut Lab<'_>) {
    let ask = |domain: &str| Hoplock::ask("postfix", domain).unwrap_or_default();
    let reply = ask("change.plain.test");
    lab.report.check(
        reply == "OK secure match=old.change.plain.test servername=hostname",
        || format!("change.plain.test before: {reply:?}"),
    );
    let policy = "version: STSv1\nmode: enforce\nmx: new.change.plain.test\nmax_age: 86400\n";
    lab.sites.behave(
        "mta-sts.change.plain.test",
        Behaviour::Policy(policy.to_owned()),
    );
    lab.plan.change(lab.folder, "plain.test", |text| {
        text.replace(
            "change.plain.test. 3 IN MX 10 old.",
            "change.plain.test. 3 IN MX 10 new.",
        )
        .replace(
            "_mta-sts.change.plain.test. 3 IN TXT \"v=STSv1; id=1;\"",
            "_mta-sts.change.plain.test. 3 IN TXT \"v=STSv1; id=2;\"",
        )
    });
    lab.nsd.reload();
    until("the authoritative server's reload", PATIENCE, || {
        let text = must(Command::new("drill").args(["@127.0.0.2", "change.plain.test", "MX"]));
        text.contains("new.change.plain.test")
    });
    // One TTL at the resolver and hoplock together, since hoplock takes what the resolver has left.
    sleep(Duration::from_secs(3 + 1));
    let reply = ask("change.plain.test");
    lab.report.check(
        reply == "OK secure match=new.change.plain.test servername=hostname",
        || format!("change.plain.test one TTL after the change: {reply:?}"),
    );
    let kept = lab.hoplock.tool(&["cache", "show", "change.plain.test"]);
    let kept = String::from_utf8_lossy(&kept.stdout).into_owned();
    lab.report.check(kept.contains("\"id\": \"2\""), || {
        format!("the new policy is not kept: {kept}")
    });
    failing_refresh(lab);
}

fn failing_refresh(lab: &mut Lab<'_>) {
    let started = Instant::now();
    let first = Hoplock::ask("postfix", "short.plain.test").unwrap_or_default();
    lab.report.check(first.starts_with("OK secure "), || {
        format!("short.plain.test: {first:?}")
    });
    lab.sites
        .behave("mta-sts.short.plain.test", Behaviour::Hang);
    let mut ended = None;
    let mut slowest = Duration::ZERO;
    while started.elapsed() < Duration::from_secs(SHORT_LIFE * 2) && ended.is_none() {
        sleep(Duration::from_millis(250));
        let asked = Instant::now();
        let reply = Hoplock::ask("postfix", "short.plain.test").unwrap_or_default();
        slowest = slowest.max(asked.elapsed());
        if !reply.starts_with("OK secure ") {
            ended = Some((started.elapsed(), reply));
        }
    }
    let (after, reply) = ended.unwrap_or_default();
    // The policy began its life at some moment of the first question.
    let early = after < Duration::from_secs(SHORT_LIFE - 1);
    lab.report.check(!early && reply == "NOTFOUND ", || {
        format!("the policy of {SHORT_LIFE} s ended after {after:?} with {reply:?}")
    });
    // The policy host hangs for as long as it is asked; an answer that waits for it takes 12 s.
    lab.report.check(slowest < Duration::from_secs(6), || {
        format!("a refresh that hangs held an answer for {slowest:?}")
    });
    println!("failing refresh: ended after {after:?}, slowest answer before {slowest:?}");
    let asked = lab.sites.asked.lock().unwrap();
    let fetches = asked.get("mta-sts.short.plain.test").copied();
    drop(asked);
    lab.report
        .check(fetches.is_some_and(|fetches| fetches > 1), || {
            format!("no refresh was tried: {fetches:?}")
        });
}

/// MX-17: resolv.conf of the running machine changes to a resolver that does not validate. DANE is off,
/// destinations that were seen with it wait, all others go on; and back again.
pub(super) fn another_resolver(lab: &mut Lab<'_>) {
    let state = |lab: &Lab<'_>| {
        let status = lab.hoplock.tool(&["status", "--json"]);
        let status: Value = serde_json::from_slice(&status.stdout).unwrap();
        status["resolver"]["state"].as_str().unwrap().to_owned()
    };
    let ask = |domain: &str| Hoplock::ask("postfix", domain).unwrap_or_default();
    let expect = |lab: &mut Lab<'_>, domain: &str, begins: &str| {
        let reply = ask(domain);
        lab.report.check(reply.starts_with(begins), || {
            format!("{domain} with another resolver: {reply:?}, expected {begins:?}")
        });
    };
    expect(lab, "dane.test", "OK dane-only");
    let file = lab.folder.join("resolv.conf");
    let well = fs::read_to_string(&file).unwrap();
    fs::write(&file, format!("nameserver {NOT_VALIDATING}\n")).unwrap();
    until("the other resolver", Duration::from_secs(40), || {
        sleep(Duration::from_millis(500));
        state(lab) == "not-validating"
    });
    expect(lab, "dane.test", "TEMP resolver-not-validating: ");
    expect(lab, "sts.test", "OK secure match=");
    expect(lab, "none.test", "NOTFOUND ");
    let alarms = lab.hoplock.tool(&["status"]);
    let page = String::from_utf8_lossy(&alarms.stdout).into_owned();
    let told = page.contains("resolver-not-validating") && alarms.status.code() == Some(1);
    lab.report.check(told, || format!("no alarm: {page}"));
    // A crash does not make it forget.
    lab.hoplock.kill();
    lab.hoplock.restart();
    expect(lab, "dane.test", "TEMP resolver-not-validating: ");
    fs::write(&file, well).unwrap();
    until("the validating resolver", Duration::from_secs(40), || {
        sleep(Duration::from_millis(500));
        state(lab) == "validating"
    });
    // Postfix is looked at once more, too.
    until("dane.test again", Duration::from_secs(40), || {
        sleep(Duration::from_millis(500));
        ask("dane.test") == "OK dane-only"
    });
    println!("another resolver: noticed, and back again");
}

/// ST-28: SIGKILL at random moments while policies are learnt and refreshed; what an answer rested
/// on is still enforced after a restart with the policy hosts cut off.
pub(super) fn kills(lab: &mut Lab<'_>) {
    let before = lab.sites.times_asked();
    let mut answered = BTreeSet::new();
    let (mut kills, mut next) = (0, 0);
    let random = RandomState::new();
    let started = Instant::now();
    while lab.sites.times_asked() < before + MANY + REFRESHES {
        assert!(
            started.elapsed() < Duration::from_secs(180),
            "too few refreshes: {}",
            lab.sites.times_asked() - before
        );
        let life = Duration::from_millis(300 + random.hash_one(kills) % 2500);
        let until = Instant::now() + life;
        // Some are learnt in each life, right up to its end; those known are asked again.
        while Instant::now() < until {
            let domain = many(next % MANY);
            next += 1;
            let reply = Hoplock::ask("postfix", &domain).unwrap_or_default();
            if reply.starts_with("OK secure ") {
                answered.insert(domain);
            } else {
                let known = answered.contains(&domain);
                lab.report
                    .check(!known, || format!("{domain} after a kill: {reply:?}"));
            }
            sleep(Duration::from_millis(15));
        }
        lab.hoplock.kill();
        kills += 1;
        lab.hoplock.restart();
    }
    // Each has been asked for its policy at most a third of its life ago, or will be right now.
    sleep(Duration::from_secs(1));
    lab.sites.cut.store(true, Ordering::Relaxed);
    lab.hoplock.kill();
    lab.hoplock.restart();
    for domain in &answered {
        let reply = Hoplock::ask("postfix", domain).unwrap_or_default();
        lab.report.check(reply.starts_with("OK secure "), || {
            format!("{domain} after {kills} kills, with the network cut: {reply:?}")
        });
    }
    lab.report.check(answered.len() == MANY, || {
        format!("only {} policies were learnt", answered.len())
    });
    let fetches = lab.sites.times_asked() - before;
    println!("kills: {kills} in {fetches} fetches of {MANY} policies; all remembered");
    lab.sites.cut.store(false, Ordering::Relaxed);
}

/// Beside the first fetch of each policy.
const REFRESHES: usize = 200;
const PATIENCE: Duration = Duration::from_secs(20);
