//! Sessions whose certificate says who the host was.

use super::*;

/// SV-10, TU-01: a record of the whole certificate is compared with Sendmail's digest, and nobody is
/// asked.
#[tokio::test(start_paused = true)]
async fn a_digest_is_compared_at_once() {
    let (chain, other) = (Chain::new("mx.e.test"), Chain::new("mx.e.test"));
    let scene = Scene::new(&[record(3, 0, 1, &chain.leaf)]);
    for verify in ["ok", "fail", "trusted", "dane_fail"] {
        assert_eq!(scene.shown(verify, &chain.leaf).await, "OK ok", "{verify}");
        let refused = scene.shown(verify, &other.leaf).await;
        assert!(refused.starts_with("OK tlsa-no-match: "), "{refused}");
    }
    assert_eq!(scene.prober.asked(), 0);
    let journal = scene.journal().await;
    assert_eq!(journal.len(), 8);
    for entry in journal {
        assert_eq!(entry.source, SessionSource::Sendmail);
        assert_eq!(entry.timing, Timing::BeforeMail);
        let expected = [SessionOutcome::AuthenticatedDane, SessionOutcome::Failed];
        assert!(expected.contains(&entry.outcome), "{entry:?}");
    }
    assert_eq!(scene.sessions.alarms().count(scene.world.now()), 1);
}

/// SV-10: a record of the key needs the certificate: the same address is asked, once, under the TLSA base
/// domain; after that it is known.
#[tokio::test(start_paused = true)]
async fn a_certificate_is_asked_for_and_remembered() {
    let chain = Chain::new("mx.e.test");
    for records in [
        record(3, 1, 1, &chain.leaf),
        record(3, 1, 2, &chain.leaf),
        record(3, 0, 2, &chain.leaf),
        record(3, 1, 0, &chain.leaf),
        record(2, 0, 1, &chain.root),
        record(2, 1, 1, &chain.root),
    ] {
        let scene = Scene::new(&[records]);
        scene.prober.shows(Duration::from_secs(1), &chain.all());
        assert_eq!(scene.shown("fail", &chain.leaf).await, "OK ok");
        assert_eq!(scene.shown("fail", &chain.leaf).await, "OK ok");
        let asked = scene.prober.asked.lock().unwrap().clone();
        assert_eq!(asked.len(), 1);
        assert_eq!(asked[0].address, SocketAddr::from((ADDRESS, 25)));
        assert_eq!(asked[0].server_name, name("mx.e.test"));
        let journal = scene.journal().await;
        assert!(journal.iter().all(|own| own.matched.is_some()));
    }
}

/// SV-10, PD-13: another key is refused, though the host shows hoplock the same; so is a certificate that
/// the host does not show to hoplock.
#[tokio::test(start_paused = true)]
async fn another_key_is_refused() {
    let (chain, other) = (Chain::new("mx.e.test"), Chain::new("mx.e.test"));
    let scene = Scene::new(&[record(3, 1, 1, &chain.leaf)]);
    scene.prober.shows(Duration::ZERO, &other.all());
    let refused = scene.shown("ok", &other.leaf).await;
    assert!(refused.starts_with("OK tlsa-no-match: "), "{refused}");
    // A man in the middle who shows hoplock the right one and Sendmail another.
    let scene = Scene::new(&[record(3, 1, 1, &chain.leaf)]);
    scene.prober.shows(Duration::ZERO, &chain.all());
    let refused = scene.shown("ok", &other.leaf).await;
    assert_eq!(
        refused,
        "OK report-incomplete: the host showed hoplock another certificate"
    );
    let scene = Scene::new(&[record(3, 1, 1, &chain.leaf)]);
    let refused = scene.shown("ok", &chain.leaf).await;
    assert!(refused.starts_with("OK report-incomplete: "), "{refused}");
    let journal = scene.journal().await;
    assert_eq!(journal[0].outcome, SessionOutcome::Indeterminate);
}

/// SV-10: a host that is slow is refused in time, the asking goes on, and the next attempt is answered.
#[tokio::test(start_paused = true)]
async fn a_slow_host_is_known_the_next_time() {
    let chain = Chain::new("mx.e.test");
    let scene = Scene::new(&[record(3, 1, 1, &chain.leaf)]);
    scene.prober.shows(Duration::from_secs(8), &chain.all());
    let begun = scene.world.now().uptime;
    let refused = scene.shown("fail", &chain.leaf).await;
    assert!(
        refused.starts_with("OK report-incomplete: ") || refused.starts_with("TEMP deadline: ")
    );
    let took = scene.world.now().uptime - begun;
    assert!(took < Duration::from_millis(4_500), "{took:?}");
    sleep(Duration::from_secs(10)).await;
    assert_eq!(scene.shown("fail", &chain.leaf).await, "OK ok");
    assert_eq!(scene.prober.asked(), 1);
}

/// SV-10: one probe at a time at one address, whoever asks, and not one for each attempt.
#[tokio::test(start_paused = true)]
async fn hosts_are_asked_sparingly() {
    let (chain, other) = (Chain::new("mx.e.test"), Chain::new("mx.e.test"));
    let scene = Scene::new(&[record(3, 1, 1, &chain.leaf)]);
    scene.prober.shows(Duration::from_secs(1), &chain.all());
    let asking: Vec<_> = (0..20)
        .map(|_| {
            let (desk, key) = (Arc::clone(&scene.desk), key("e.test", "fail", &chain.leaf));
            tokio::spawn(async move { asked(&desk, &key).await })
        })
        .collect();
    for answer in asking {
        assert_eq!(answer.await.unwrap(), "OK ok");
    }
    assert_eq!(scene.prober.asked(), 1);
    for _ in 0..20 {
        let refused = scene.shown("fail", &other.leaf).await;
        assert!(refused.starts_with("OK report-incomplete: "), "{refused}");
    }
    assert_eq!(scene.prober.asked(), 1, "within half a minute");
    sleep(Duration::from_secs(31)).await;
    scene.shown("fail", &other.leaf).await;
    assert_eq!(scene.prober.asked(), 2);
    // What stands beside the leaf may have changed; the leaf itself is known, should nobody answer.
    scene.prober.hosts.lock().unwrap().clear();
    sleep(Duration::from_secs(3700)).await;
    assert_eq!(scene.shown("fail", &chain.leaf).await, "OK ok");
    assert_eq!(scene.prober.asked(), 3);
    assert_eq!(scene.prober.at_once.lock().unwrap().1, 1);
}

/// SV-04, CA-07: a key that was changed since the last lookup is found by a second look.
#[tokio::test(start_paused = true)]
async fn a_changed_key_is_looked_up_anew() {
    let (old, new) = (Chain::new("mx.e.test"), Chain::new("mx.e.test"));
    let scene = Scene::new(&[record(3, 1, 1, &old.leaf)]);
    scene.prober.shows(Duration::ZERO, &old.all());
    assert_eq!(scene.shown("fail", &old.leaf).await, "OK ok");
    publish(&scene.world, &[record(3, 1, 1, &new.leaf)]);
    scene.prober.shows(Duration::ZERO, &new.all());
    scene.world.pass(Duration::from_secs(40));
    assert_eq!(scene.shown("fail", &new.leaf).await, "OK ok");
    let journal = scene.journal().await;
    assert!(journal[0].second_look && journal[0].warnings.contains(&Warning::StaleCache));
}
