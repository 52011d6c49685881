//! Certificates that come one by one, and the veto.

use super::*;

/// EX-06, SV-10: the leaf is judged with all that came before it, before any mail; the verdict is kept
/// as one that came in time, and a refusal is an alarm.
#[tokio::test(start_paused = true)]
async fn certificates_are_judged_at_the_leaf() {
    let (good, bad) = (Chain::new("mx.e.test"), Chain::new("mx.e.test"));
    let scene = Scene::new(&[record(2, &good.root)]);
    // Two processes at once, and only one of the peers is the one that it should be.
    assert_eq!(scene.show(1, 2, &good.root).await, "ok");
    assert_eq!(scene.show(2, 2, &bad.root).await, "ok");
    assert_eq!(scene.show(2, 1, &bad.intermediate).await, "ok");
    assert_eq!(scene.show(1, 1, &good.intermediate).await, "ok");
    let refused = scene.show(2, 0, &bad.leaf).await;
    assert!(
        refused.starts_with("refuse anchor-not-in-chain: "),
        "{refused}"
    );
    assert_eq!(scene.show(1, 0, &good.leaf).await, "ok");
    let journal = scene.journal().await;
    let told: Vec<_> = journal
        .iter()
        .map(|own| (own.outcome, own.timing))
        .collect();
    let expected = [
        (SessionOutcome::AuthenticatedDane, Timing::BeforeMail),
        (SessionOutcome::Failed, Timing::BeforeMail),
    ];
    assert_eq!(told, expected);
    assert!(journal.iter().all(|own| own.source == SessionSource::Exim));
    assert_eq!(scene.sessions.alarms().count(scene.world.now()), 1);
    // What was shown before does not help the next one: nothing is left of it.
    let refused = scene.show(1, 0, &good.leaf).await;
    assert!(
        refused.starts_with("refuse anchor-not-in-chain: "),
        "{refused}"
    );
}

/// EX-06: after a restart nothing is known of the certificates before: what needs them is refused, and
/// what the leaf alone proves is not.
#[tokio::test(start_paused = true)]
async fn a_restart_in_the_middle_of_a_handshake() {
    let chain = Chain::new("mx.e.test");
    for (usage, of, beginning) in [
        (2, &chain.intermediate, "refuse anchor-not-in-chain: "),
        (3, &chain.leaf, "ok"),
    ] {
        let before = Scene::new(&[record(usage, of)]);
        assert_eq!(before.show(1, 1, &chain.intermediate).await, "ok");
        let after = Scene::new(&[record(usage, of)]);
        let answer = after.show(1, 0, &chain.leaf).await;
        assert!(answer.starts_with(beginning), "{answer}");
    }
}

/// SV-04, CA-07: a key that rolled over meanwhile is looked for once in fresh DNS, and told.
#[tokio::test(start_paused = true)]
async fn a_key_that_rolled_over() {
    let (old, new) = (Chain::new("mx.e.test"), Chain::new("mx.e.test"));
    let scene = Scene::new(&[record(3, &old.leaf)]);
    assert_eq!(scene.show(1, 0, &old.leaf).await, "ok");
    publish(&scene.world, &[record(3, &new.leaf)]);
    assert_eq!(scene.show(1, 0, &new.leaf).await, "ok");
    let journal = scene.journal().await;
    assert!(journal[0].second_look && journal[0].warnings.contains(&Warning::StaleCache));
    // The next one within half a minute buys no lookups.
    let _ = scene.world.take_asked();
    let refused = scene.show(1, 0, &old.leaf).await;
    assert!(refused.starts_with("refuse tlsa-no-match: "), "{refused}");
    assert!(scene.world.take_asked().is_empty());
    // Where fresh DNS hangs, the refusal stands, in time.
    scene.world.pass(Duration::from_secs(40));
    let owner = name("_25._tcp.mx.e.test");
    scene.world.set(owner, RecordType::Tlsa, Scripted::Hangs);
    let begun = scene.world.now().uptime;
    let refused = scene.show(1, 0, &old.leaf).await;
    assert!(refused.starts_with("refuse tlsa-no-match: "), "{refused}");
    assert!(scene.world.now().uptime.saturating_sub(begun) <= Duration::from_secs(4));
}

/// EX-06, NX-03: who owes nothing may show anything; who is not of the destination, or is mangled on the
/// way, nothing.
#[tokio::test(start_paused = true)]
async fn whoever_owes_nothing_goes_on() {
    let chain = Chain::new("mx.other.test");
    let scene = Scene::new(&[record(3, &chain.root)]);
    let show = async |domain: &str, host: &str| {
        let line = certificate(1, 0, domain, host, &chain.leaf);
        scene.ask(&line).await
    };
    assert_eq!(show("plain.test", "mx.plain.test").await, "ok");
    assert_eq!(show("[192.0.2.1]", "192.0.2.1").await, "ok");
    for (domain, host, beginning) in [
        ("e.test", "mx.e.test", "refuse tlsa-no-match: "),
        ("e.test", "mx.other.test", "refuse host-unknown: "),
        ("e.test", "192.0.2.1", "refuse bad-request: "),
    ] {
        let answer = show(domain, host).await;
        assert!(answer.starts_with(beginning), "{host}: {answer}");
    }
    let line = certificate(1, 0, "plain.test", "mx.plain.test", &chain.leaf);
    let other = certificate(1, 0, "plain.test", "mx.plain.test", &chain.root);
    let (front, _) = line.rsplit_once(' ').unwrap();
    let (_, der) = other.rsplit_once(' ').unwrap();
    let answer = scene.ask(&format!("{front} {der}")).await;
    assert!(answer.starts_with("refuse bad-request: SHA256"), "{answer}");
}

/// EX-06: the operator's pins are held by the certificate alone.
#[tokio::test(start_paused = true)]
async fn pins_are_held() {
    let (good, bad) = (Chain::new("mx.e.test"), Chain::new("mx.e.test"));
    let pin = data_encoding::HEXUPPER.encode(&Sha256::digest(&good.leaf));
    let rule =
        format!("[rules.\"plain.test\"]\nanswer = \"fingerprint\"\nfingerprints = [\"{pin}\"]");
    let rules = Config::parse(&rule, &[]).0.unwrap().rules;
    let scene = Scene::with_rules(&[], rules);
    assert_eq!(scene.ask("hoplock1 level plain.test").await, "enforce");
    let show = async |chain: &Chain| {
        let host = "mx.plain.test";
        scene
            .ask(&certificate(1, 0, "plain.test", host, &chain.leaf))
            .await
    };
    assert_eq!(show(&good).await, "ok");
    let refused = show(&bad).await;
    assert!(refused.starts_with("refuse pin-no-match: "), "{refused}");
}
