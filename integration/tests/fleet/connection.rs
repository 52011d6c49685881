//! The connection: TLS, passwords, and servers that hang.

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use hoplock::store::valkey::{FleetAddress, FleetClient};
use hoplock::world::reports::FleetState;
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};

use crate::server::{PASSWORD, Server, client, not_reached, reached};

/// TLS with an authority of one's own; by no other, and for no other name.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tls_is_checked() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let authority = |file: &str| {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let certificate = params.self_signed(&key).unwrap();
        std::fs::write(path(file), certificate.pem()).unwrap();
        Issuer::new(params, key)
    };
    let ours = authority("ours.pem");
    let _ = authority("another.pem");
    let key = KeyPair::generate().unwrap();
    let params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    let certificate = params.signed_by(&key, &ours).unwrap();
    std::fs::write(path("server.pem"), certificate.pem()).unwrap();
    std::fs::write(path("server.key"), key.serialize_pem()).unwrap();
    let server = Server::start_with(false, Some((path("server.pem"), path("server.key"))));
    let url = |host: &str| format!("rediss://:{PASSWORD}@{host}:{}", server.port);
    let good = client(&url("localhost"), Some(&path("ours.pem")));
    reached(&good).await;
    for (host, roots) in [("localhost", "another.pem"), ("127.0.0.1", "ours.pem")] {
        let refused = client(&url(host), Some(&path(roots)));
        tokio::time::sleep(Duration::from_millis(600)).await;
        let FleetState::NotReached(words) = refused.state() else {
            panic!("{host} {roots}");
        };
        assert!(words.contains("certificate"), "{words}");
    }
    let none = FleetAddress::parse(&url("localhost")).unwrap();
    assert!(FleetClient::start(none, Some(&path("server.key"))).is_err());
}

/// A wrong password is said, without it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn passwords_are_not_told() {
    let server = Server::start(false);
    let wrong = client(&format!("redis://:falsch@127.0.0.1:{}", server.port), None);
    tokio::time::sleep(Duration::from_millis(600)).await;
    let FleetState::NotReached(words) = wrong.state() else {
        panic!("reached");
    };
    assert!(!words.contains("falsch"), "{words}");
    assert!(
        words.to_lowercase().contains("auth") || words.contains("WRONGPASS"),
        "{words}"
    );
}

/// A server that hangs costs one question a quarter of a second, and the others nothing.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hanging_server_is_noticed_once() {
    let server = Server::start(false);
    let client = server.client().await;
    let node = crate::policies::Node::new(&client, 0);
    server.freeze(true);
    let asked = Instant::now();
    assert_eq!(node.elsewhere("a.test").await, None);
    let waited = asked.elapsed();
    assert!(waited < Duration::from_millis(480), "{waited:?}");
    let asked = Instant::now();
    for _ in 0..100 {
        assert_eq!(node.elsewhere("a.test").await, None);
    }
    let waited = asked.elapsed();
    assert!(waited < Duration::from_millis(200), "{waited:?}");
    not_reached(&client).await;
    server.freeze(false);
    reached(&client).await;
}

/// A slow one is left alone by who waits, and used for what can wait.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slow_server_delays_no_answer() {
    let server = Server::start(false);
    let (port, delay) = crate::proxy::slow(server.port).await;
    let client = client(&crate::server::url(port), None);
    reached(&client).await;
    let (near, far) = (
        crate::policies::Node::new(&client, 0),
        server.client().await,
    );
    let far = crate::policies::Node::new(&far, 0);
    near.fetched("known.test", "1", 86_400).await;
    delay.store(600, Ordering::Relaxed);
    let asked = Instant::now();
    assert_eq!(near.at_hand("known.test").as_deref(), Some("1"));
    assert!(near.remembers("known.test").await);
    assert!(
        asked.elapsed() < Duration::from_millis(100),
        "what is known is not asked for"
    );
    assert_eq!(near.elsewhere("new.test").await, None);
    let asked = Instant::now();
    assert_eq!(near.elsewhere("new.test").await, None);
    assert!(asked.elapsed() < Duration::from_millis(100));
    // The background has more time.
    near.fetched("late.test", "2", 86_400).await;
    crate::server::until("it is published", async || {
        far.elsewhere("late.test").await.is_some()
    })
    .await;
    delay.store(0, Ordering::Relaxed);
    reached(&client).await;
}

/// One that is full is told of as if it were away, and what it could not take it gets later.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_server_is_told_of() {
    let server = Server::start(false);
    let client = server.client().await;
    let node = crate::policies::Node::new(&client, 0);
    let set = |bytes: &str| {
        let mut config = redis::cmd("CONFIG");
        config.arg("SET").arg("maxmemory").arg(bytes);
        let _: () = config.query(&mut server.stranger()).unwrap();
    };
    set("1");
    node.fetched("a.test", "1", 86_400).await;
    not_reached(&client).await;
    let FleetState::NotReached(words) = client.state() else {
        panic!("reached");
    };
    assert!(words.contains("OOM"), "{words}");
    set("0");
    reached(&client).await;
    let other = crate::policies::Node::new(&server.client().await, 0);
    crate::server::until("it is there", async || {
        other.elsewhere("a.test").await.is_some()
    })
    .await;
}
