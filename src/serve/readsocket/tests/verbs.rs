//! Levels, hosts and options.

use super::*;

/// EX-01, EX-03, EX-05, RQ-03: each host gets what it owes, the destination its level.
#[tokio::test(start_paused = true)]
async fn levels_hosts_and_options() {
    let chain = Chain::new("mx.e.test");
    let scene = Scene::new(&[record(3, &chain.leaf)]);
    for (line, answer) in [
        ("hoplock1 level e.test", "enforce"),
        ("hoplock1 level E.Test.", "enforce"),
        ("hoplock1 level [mx.e.test]", "enforce"),
        ("hoplock1 level plain.test", "may"),
        // RQ-03, RQ-05: what the message says of TLS.
        ("hoplock1 level e.test tls-required-no", "may"),
        ("hoplock1 level e.test requiretls", "enforce"),
        (
            "hoplock1 level e.test requiretls,tls-required-no",
            "enforce",
        ),
        (
            "hoplock1 level plain.test requiretls",
            "refuse requiretls: no host of the destination can be authenticated",
        ),
        ("hoplock1 level [192.0.2.1]", "may"),
        ("hoplock1 level localhost", "may"),
        ("hoplock1 mx e.test mx.e.test", "ok"),
        ("hoplock1 mx plain.test mx.plain.test", "ok"),
        ("hoplock1 mx [192.0.2.1] 192.0.2.1", "ok"),
        (
            "hoplock1 option hosts_require_tls e.test mx.e.test",
            "value yes",
        ),
        (
            "hoplock1 option hosts_require_tls plain.test mx.plain.test",
            "value no",
        ),
        (
            "hoplock1 option hosts_require_tls [192.0.2.1] 192.0.2.1",
            "value no",
        ),
        ("hoplock1 option tls_sni [192.0.2.1] 192.0.2.1", "value "),
        (
            "hoplock1 option tls_sni e.test mx.e.test",
            "value mx.e.test",
        ),
        (
            "hoplock1 option tls_tempfail_tryclear e.test mx.e.test",
            "value no",
        ),
    ] {
        assert_eq!(scene.ask(line).await, answer, "{line}");
    }
    for (line, beginning) in [
        ("hoplock1 mx e.test mx.other.test", "refuse host-unknown: "),
        ("hoplock1 mx e.test 192.0.2.1", "refuse host-unknown: "),
        (
            "hoplock1 option no_such_option e.test mx.e.test",
            "defer bad-request: ",
        ),
        (
            "hoplock1 option hosts_require_tls e.test 192.0.2.1",
            "defer host-unknown: ",
        ),
        ("hoplock1 levels e.test", "defer bad-request: "),
        ("hoplock1 mx e.test", "refuse bad-request: "),
    ] {
        let answer = scene.ask(line).await;
        assert!(answer.starts_with(beginning), "{line}: {answer}");
    }
}

/// SB-01, NX-01: a port in the key chooses the TLSA records, and a host in brackets has no MX.
#[tokio::test(start_paused = true)]
async fn ports_and_brackets_are_kept() {
    let chain = Chain::new("mx.e.test");
    let scene = Scene::new(&[record(3, &chain.leaf)]);
    let _ = scene.world.take_asked();
    assert_eq!(scene.ask("hoplock1 level [mx.e.test]:587").await, "may");
    let asked = scene.world.take_asked();
    let names: Vec<String> = asked.iter().map(|own| own.name.to_string()).collect();
    assert!(
        names.iter().any(|own| own == "_587._tcp.mx.e.test"),
        "{names:?}"
    );
    assert!(asked.iter().all(|own| own.record_type != RecordType::Mx));
    assert!(asked.iter().all(|own| own.record_type != RecordType::Txt));
}

/// EX-01, EX-02: with a resolver that hangs every verb is answered in time, in a word at which nothing
/// goes on.
#[tokio::test(start_paused = true)]
async fn slow_lookups_are_a_delay_in_time() {
    let chain = Chain::new("mx.e.test");
    let cert = certificate(1, 0, "e.test", "mx.e.test", &chain.leaf);
    for (line, beginning) in [
        ("hoplock1 level e.test", "defer deadline: "),
        ("hoplock1 mx e.test mx.e.test", "refuse deadline: "),
        (
            "hoplock1 option hosts_require_tls e.test mx.e.test",
            "value yes",
        ),
        (&cert, "refuse policy-unknown: "),
        ("txt=e.test", "defer d"),
        ("policy=e.test", "defer deadline: "),
    ] {
        let scene = Scene::new(&[]);
        for record_type in [RecordType::Mx, RecordType::Tlsa, RecordType::Txt] {
            for owner in ["e.test", "_25._tcp.mx.e.test"] {
                scene.world.set(name(owner), record_type, Scripted::Hangs);
            }
        }
        let begun = scene.world.now().uptime;
        let answer = scene.ask(line).await;
        assert!(answer.starts_with(beginning), "{line}: {answer}");
        let took = scene.world.now().uptime.saturating_sub(begun);
        assert!(took <= Duration::from_millis(4_300), "{line}: {took:?}");
    }
    let scene = Scene::new(&[]);
    // A fault of ours is a delay as well (FT-04).
    scene
        .world
        .set(name("b.test"), RecordType::Mx, Scripted::Panics);
    let answer = scene.ask("hoplock1 mx b.test mx.b.test").await;
    assert!(answer.starts_with("refuse internal-error: "), "{answer}");
    scene
        .world
        .set(name("b.test"), RecordType::Txt, Scripted::Panics);
    let answer = scene.ask("txt=b.test").await;
    assert!(answer.starts_with("defer internal-error: "), "{answer}");
}

/// An answer is counted by verb and word, and under the verdict as any other.
#[tokio::test(start_paused = true)]
async fn requests_are_counted() {
    let scene = Scene::new(&[]);
    let _ = scene.ask("hoplock1 level plain.test").await;
    let _ = scene.ask("nonsense").await;
    let text = scene.desk.metrics().prometheus();
    for line in [
        "hoplock_exim_requests_total{verb=\"level\",answer=\"may\"} 1",
        "hoplock_exim_requests_total{verb=\"unknown\",answer=\"defer\"} 1",
        "hoplock_answers_total{verdict=\"none\",reason=\"no-policy\"} 1",
    ] {
        assert!(text.contains(line), "{line}\n{text}");
    }
    assert!(scene.answerer.was_asked("exim"));
}
