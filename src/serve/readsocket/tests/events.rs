//! Events as reports.

use super::*;

/// EX-08: Exim's own words become the same words of RFC 8460, and nothing is told twice.
#[tokio::test(start_paused = true)]
async fn events_are_reports() {
    for (event, domain, data, outcome, result) in [
        (
            "dane:fail",
            "e.test",
            "validation-failure",
            SessionOutcome::Failed,
            "validation-failure",
        ),
        (
            "dane:fail",
            "e.test",
            "dnssec-invalid",
            SessionOutcome::Failed,
            "dnssec-invalid",
        ),
        (
            "dane:fail",
            "e.test",
            "dane-required",
            SessionOutcome::Failed,
            "dane-required",
        ),
        (
            "dns:fail",
            "e.test",
            "DNS_AGAIN:_25._tcp.mx.e.test:TLSA",
            SessionOutcome::Failed,
            "dnssec-invalid",
        ),
        (
            "msg:host:defer",
            "e.test",
            "a TLS session is required, but the server did not offer TLS support",
            SessionOutcome::Failed,
            "starttls-not-supported",
        ),
    ] {
        let scene = Scene::new(&[record(3, &Chain::new("mx.e.test").leaf)]);
        scene.event(event, domain, data).await;
        // Exim tells of the same failure again when it gives the host up.
        let again = "TLS session: (certificate verification failed)";
        scene.event("msg:host:defer", domain, again).await;
        let journal = scene.journal().await;
        assert_eq!(journal.len(), 1, "{data}: {journal:?}");
        let entry = &journal[0];
        assert_eq!(
            (entry.outcome, entry.timing),
            (outcome, Timing::BeforeMail),
            "{data}"
        );
        assert_eq!(
            crate::report::result_type(entry.reason).word(),
            result,
            "{data}"
        );
    }
    let scene = Scene::new(&[]);
    for (event, data) in [
        ("dns:fail", "DNS_NOMATCH:_25._tcp.mx.e.test:TLSA"),
        ("dns:fail", "nonsense"),
        ("dane:fail", "nonsense"),
        ("msg:host:defer", "Connection refused"),
        ("msg:delivery", "250 2.0.0 queued"),
        ("tcp:close", ""),
        ("smtp:ehlo", "250-e.test\r\n250 STARTTLS"),
    ] {
        scene.event(event, "e.test", data).await;
    }
    assert_eq!(scene.journal().await, []);
}

/// EX-08, SV-10, RQ-01: a delivery adds what was not known before it; what was vouched for before the
/// mail does not count twice, unless version or cipher spoil it.
#[tokio::test(start_paused = true)]
async fn deliveries_are_reports() {
    let chain = Chain::new("mx.e.test");
    let delivery = |cipher: &str, verified: &str, dane: &str| {
        format!(
            "tls_out_cipher={cipher}\ntls_out_certificate_verified={verified}\ntls_out_dane={dane}"
        )
    };
    let modern = "TLS1.3:ECDHE_SECP256R1__ECDSA_SECP256R1_SHA256__AES_256_GCM:256";
    let scene = Scene::new(&[record(3, &chain.leaf)]);
    scene
        .event("msg:delivery", "plain.test", &delivery("", "0", "no"))
        .await;
    scene
        .event("msg:delivery", "plain.test", &delivery(modern, "0", "no"))
        .await;
    scene
        .event("msg:delivery", "e.test", &delivery(modern, "0", "yes"))
        .await;
    scene
        .event("msg:delivery", "e.test", &delivery(modern, "0", "no"))
        .await;
    scene
        .event("msg:delivery", "e.test", &delivery("", "0", "no"))
        .await;
    let journal = scene.journal().await;
    let told: Vec<_> = journal.iter().rev().map(|own| own.outcome).collect();
    let expected = [
        SessionOutcome::Cleartext,
        SessionOutcome::Encrypted,
        SessionOutcome::AuthenticatedDane,
        SessionOutcome::Failed,
        SessionOutcome::Failed,
    ];
    assert_eq!(told, expected);
    assert!(
        journal
            .iter()
            .all(|own| own.timing == Timing::AfterDelivery)
    );
    let scene = Scene::new(&[record(3, &chain.leaf)]);
    assert_eq!(scene.show(7, 0, &chain.leaf).await, "ok");
    scene
        .event("msg:delivery", "e.test", &delivery(modern, "0", "no"))
        .await;
    assert_eq!(scene.journal().await.len(), 1, "vouched for");
    let old = "TLS1.1:ECDHE_SECP256R1__AES_256_CBC__SHA1:256";
    scene
        .event("msg:delivery", "e.test", &delivery(old, "0", "no"))
        .await;
    let journal = scene.journal().await;
    assert_eq!(journal.len(), 2);
    assert_eq!(journal[0].reason, Reason::TlsVersionTooOld);
}

/// EX-08: the veto's own refusal is not told again by the event that follows it.
#[tokio::test(start_paused = true)]
async fn a_refusal_is_told_once() {
    let (good, bad) = (Chain::new("mx.e.test"), Chain::new("mx.e.test"));
    let scene = Scene::new(&[record(3, &good.leaf)]);
    assert!(scene.show(7, 0, &bad.leaf).await.starts_with("refuse "));
    let words = "TLS session: (gnutls_handshake): Error in the certificate.";
    scene.event("msg:host:defer", "e.test", words).await;
    // Some events know the address alone.
    let data = data_encoding::BASE64.encode(words.as_bytes());
    let line = format!("hoplock1 event 7 msg:host:defer e.test  192.0.2.1 25 {data}");
    assert_eq!(scene.ask(&line).await, "ok");
    assert_eq!(scene.journal().await.len(), 1);
}
