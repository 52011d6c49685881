//! Sessions of which Sendmail's word is all there is, and those that are refused for what is not known.

use super::*;

/// SV-10, PD-11: Sendmail's own DANE counts where the operator says that it works, and nowhere else.
#[tokio::test(start_paused = true)]
async fn own_dane_counts_by_the_operators_word() {
    let (chain, other) = (Chain::new("mx.e.test"), Chain::new("mx.e.test"));
    let records = [record(3, 1, 1, &chain.leaf)];
    for (own_dane, counts) in [
        (OwnDane::Yes, true),
        (OwnDane::Auto, false),
        (OwnDane::No, false),
    ] {
        let scene = Scene::with(&records, "", |profile| profile.own_dane = own_dane);
        scene.prober.shows(Duration::ZERO, &[]);
        let answer = scene.shown("trusted", &other.leaf).await;
        assert_eq!(answer == "OK ok", counts, "{own_dane:?}: {answer}");
        let answer = scene.shown("ok", &other.leaf).await;
        assert!(answer.starts_with("OK report-incomplete: "), "{answer}");
        let journal = scene.journal().await;
        let is_by_word = |own: &JournalEntry| own.warnings.contains(&Warning::MtaWord);
        assert_eq!(journal.iter().any(is_by_word), counts);
    }
}

/// SV-10, SV-03: TLS that is owed and not used is refused; where nothing is owed, mail goes.
#[tokio::test(start_paused = true)]
async fn sessions_without_tls() {
    let chain = Chain::new("mx.e.test");
    let scene = Scene::new(&[record(3, 1, 1, &chain.leaf)]);
    let refused = scene.ask(&without_tls("e.test")).await;
    assert!(
        refused.starts_with("OK starttls-not-offered: "),
        "{refused}"
    );
    let refused = scene.ask(&without_tls("sts.test")).await;
    assert!(
        refused.starts_with("OK starttls-not-offered: "),
        "{refused}"
    );
    assert_eq!(scene.ask(&without_tls("plain.test")).await, "OK ok");
    assert_eq!(
        scene.ask(&key("plain.test", "fail", b"self-signed")).await,
        "OK ok"
    );
    for verify in [
        "temp", "protocol", "software", "config", "clear", "", "strange",
    ] {
        let session = |domain: &str| {
            format!("u@{domain} | mx.{domain} | 192.0.2.1 | {verify} | tlsv1.3 | | | |")
        };
        let refused = scene.ask(&session("e.test")).await;
        assert!(
            refused.starts_with("OK ") && refused != "OK ok",
            "{verify}: {refused}"
        );
        assert_eq!(scene.ask(&session("plain.test")).await, "OK ok", "{verify}");
    }
    // Unusable records oblige TLS, and no more (RFC 7672, 2.2).
    let scene = Scene::new(&[record(1, 1, 1, &chain.leaf)]);
    let refused = scene.ask(&without_tls("e.test")).await;
    assert!(
        refused.starts_with("OK starttls-not-offered: "),
        "{refused}"
    );
    assert_eq!(scene.shown("fail", b"any").await, "OK ok");
    // Sendmail says that the handshake was finished, and not by which version.
    let odd = "u@e.test | mx.e.test | 192.0.2.1 | ok | | | | |";
    assert!(scene.ask(odd).await.starts_with("OK handshake-failed: "));
    assert_eq!(scene.prober.asked(), 0);
}

/// SV-10, RFC 8461, 4.1: under MTA-STS Sendmail's word on the certificate counts, for it was told to
/// compare the name; a host that is none of the policy's is refused whatever it shows.
#[tokio::test(start_paused = true)]
async fn mta_sts_by_sendmails_word() {
    let scene = Scene::new(&[]);
    assert_eq!(scene.ask(&key("sts.test", "ok", b"any")).await, "OK ok");
    for verify in ["fail", "no", "not"] {
        let refused = scene.ask(&key("sts.test", verify, b"any")).await;
        assert!(
            refused.starts_with("OK certificate-not-trusted: "),
            "{refused}"
        );
    }
    for verify in ["dane_fail", "trusted", "strange"] {
        let refused = scene.ask(&key("sts.test", verify, b"any")).await;
        assert!(
            refused.starts_with("OK ") && refused != "OK ok",
            "{refused}"
        );
    }
    let elsewhere = key("sts.test", "ok", b"any").replace("mx.sts.test |", "mx.plain.test |");
    let refused = scene.ask(&elsewhere).await;
    assert!(refused.starts_with("OK sts-host-not-listed: "), "{refused}");
    let old = key("sts.test", "ok", b"any").replace("tlsv1.3", "tlsv1.1");
    let refused = scene.ask(&old).await;
    assert!(refused.starts_with("OK tls-version-too-old: "), "{refused}");
    let new = key("sts.test", "ok", b"any").replace("tlsv1.3", "tlsv2");
    let refused = scene.ask(&new).await;
    assert!(refused.starts_with("OK report-incomplete: "), "{refused}");
}

/// SV-10: where Sendmail was told no names to compare, its word on the certificate is not enough: the
/// names are compared here.
#[tokio::test(start_paused = true)]
async fn a_word_says_nothing_of_names() {
    let chain = Chain::new("mx.plain.test");
    let rule = "[rules.\"plain.test\"]\nanswer = \"secure\"\nnames = [\"mx.plain.test\"]\n";
    let scene = Scene::with(&[], rule, |_| {});
    scene.prober.shows(Duration::ZERO, &chain.all());
    let refused = scene.ask(&key("plain.test", "ok", &chain.leaf)).await;
    // Nobody vouches for this root here, whoever does at Sendmail's.
    assert!(
        refused.starts_with("OK certificate-not-trusted: "),
        "{refused}"
    );
    assert_eq!(scene.prober.asked(), 1);
}

/// SV-10: fingerprints of a rule, of the certificate or of its key.
#[tokio::test(start_paused = true)]
async fn pins_of_a_rule() {
    let chain = Chain::new("mx.plain.test");
    let of_key = &record(3, 1, 1, &chain.leaf)[3..];
    let of_key: Vec<String> = of_key.iter().map(|own| format!("{own:02X}")).collect();
    for (pin, asked) in [
        (digest(&chain.leaf).to_uppercase(), 0),
        (of_key.join(":"), 1),
    ] {
        let rule = format!(
            "[rules.\"plain.test\"]\nanswer = \"fingerprint\"\nfingerprints = [\"{pin}\"]\n"
        );
        let scene = Scene::with(&[], &rule, |_| {});
        scene.prober.shows(Duration::ZERO, &chain.all());
        let session = key("plain.test", "ok", &chain.leaf);
        assert_eq!(scene.ask(&session).await, "OK ok");
        assert_eq!(scene.prober.asked(), asked);
        let other = Chain::new("mx.plain.test");
        let refused = scene.ask(&key("plain.test", "ok", &other.leaf)).await;
        assert!(
            refused.starts_with("OK ") && refused != "OK ok",
            "{refused}"
        );
        let clear = scene.ask(&without_tls("plain.test")).await;
        assert!(clear.starts_with("OK starttls-not-offered: "), "{clear}");
    }
}

/// SV-10: who takes mail for a destination that binds its hosts is one of them, and has a name.
#[tokio::test(start_paused = true)]
async fn strange_hosts() {
    let chain = Chain::new("mx.e.test");
    let scene = Scene::new(&[record(3, 1, 1, &chain.leaf)]);
    scene.prober.shows(Duration::ZERO, &chain.all());
    for (host, expected) in [
        ("mx.other.test", "OK host-unknown: "),
        ("[192.0.2.9]", "OK host-unknown: "),
        ("192.0.2.9", "OK host-unknown: "),
        ("", "OK host-unknown: "),
    ] {
        let session = key("e.test", "trusted", &chain.leaf).replacen("mx.e.test", host, 1);
        let refused = scene.ask(&session).await;
        assert!(refused.starts_with(expected), "{host}: {refused}");
        let free = key("plain.test", "fail", b"any").replacen("mx.plain.test", host, 1);
        assert_eq!(scene.ask(&free).await, "OK ok", "{host}");
    }
    // NX-03: a destination without a name owes nothing.
    let literal = "u@[192.0.2.1] | [192.0.2.1] | 192.0.2.1 | none | | | | |";
    assert_eq!(scene.ask(literal).await, "OK ok");
}

/// SV-10, RFC 7672, 2.1.2: where nobody knows what is owed, mail waits.
#[tokio::test(start_paused = true)]
async fn what_nobody_knows_waits() {
    let chain = Chain::new("mx.e.test");
    let scene = Scene::new(&[record(3, 1, 1, &chain.leaf)]);
    let fails = Scripted::Fails(FailureKind::ServFail);
    scene.world.set(name("e.test"), RecordType::Mx, fails);
    let answer = scene.shown("trusted", &chain.leaf).await;
    assert!(answer.starts_with("TEMP"), "{answer}");
    scene
        .world
        .set(name("plain.test"), RecordType::Mx, Scripted::Hangs);
    let begun = scene.world.now().uptime;
    let answer = scene.ask(&without_tls("plain.test")).await;
    assert!(answer.starts_with("TEMP"), "{answer}");
    let took = scene.world.now().uptime - begun;
    assert!(took < Duration::from_millis(4_500), "{took:?}");
    let scene = Scene::new(&[]);
    scene
        .world
        .set(name("plain.test"), RecordType::Mx, Scripted::Panics);
    let answer = scene.ask(&without_tls("plain.test")).await;
    assert!(answer.starts_with("TEMP"), "{answer}");
    // Its TLSA records cannot be had: no session with this host.
    let scene = Scene::new(&[]);
    let owner = name("_25._tcp.mx.e.test");
    let fails = Scripted::Fails(FailureKind::ServFail);
    scene.world.set(owner, RecordType::Tlsa, fails);
    let refused = scene.shown("trusted", &chain.leaf).await;
    assert!(refused.starts_with("OK host-refused: "), "{refused}");
}

/// SV-10: a key that cannot be read is refused, and so is a digest that nothing can be compared with,
/// with the cure.
#[tokio::test(start_paused = true)]
async fn what_cannot_be_read_is_refused() {
    let chain = Chain::new("mx.e.test");
    let scene = Scene::new(&[record(3, 1, 1, &chain.leaf)]);
    for key in [
        "u@e.test",
        "u",
        "|",
        "u@e.test | a | b | c | d | e | f | g | h",
    ] {
        let refused = scene.ask(key).await;
        assert!(refused.starts_with("OK bad-request: "), "{refused}");
    }
    let md5 = "u@e.test | mx.e.test | 192.0.2.1 | ok | tlsv1.3 | 00:11 |/cn=a | a | b";
    let refused = scene.ask(md5).await;
    assert!(refused.starts_with("OK report-incomplete: "), "{refused}");
    assert_eq!(scene.prober.asked(), 0);
    assert_eq!(Reason::ReportIncomplete.word(), "report-incomplete");
}
