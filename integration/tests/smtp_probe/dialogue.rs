//! What happens before TLS begins.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use hoplock::adapters::smtp::SmtpProber;
use hoplock::world::probe::{Beginning, Phase, Probed, Prober as _, Stage, UnreachableKind};
use hoplock_policy::verify::Starttls;
use rustls::version::TLS13;
use tokio::net::TcpListener;

use crate::certificates::{Identity, Oddity};
use crate::server::{Greeting, Host, Manner, Tls};
use crate::{PATIENCE, options, probe, probe_within, target};

fn good() -> Tls {
    Tls::Rustls(Identity::new(Oddity::None).server(&[&TLS13]))
}

fn starttls(probed: &Probed) -> Option<Starttls> {
    probed.session().and_then(|session| session.starttls)
}

/// SV-01: all that a good host shows is there, and it is left in order.
#[tokio::test]
async fn a_good_host_is_seen_whole() {
    let host = Host::start(Manner::good(good())).await;
    let probed = probe(host.address).await;
    assert_eq!(probed.stage, Stage::Established, "{probed:?}");
    let banner = probed.banner.unwrap();
    assert_eq!(banner.to_string(), "220 mx.e.test ESMTP");
    assert_eq!(probed.extensions, ["SIZE 1000", "StartTLS", "8BITMIME"]);
    let inside = probed.extensions_inside.unwrap();
    assert_eq!(inside, ["AUTH PLAIN", "8BITMIME"]);
    assert_eq!(probed.trouble, None);
    assert_eq!(probed.verdict, None);
    let took = probed.took;
    let parts = [
        took.connect,
        took.greeting,
        took.ehlo,
        took.starttls,
        took.handshake,
    ];
    let sum: Duration = parts.into_iter().map(Option::unwrap).sum();
    assert!(sum > Duration::ZERO && sum <= took.all, "{took:?}");
    let seen = host.seen().await;
    assert_eq!(seen.clear, ["EHLO probe.e.test", "STARTTLS"]);
    assert_eq!(seen.inside, ["EHLO probe.e.test", "QUIT"]);
    assert_eq!(seen.sni.as_deref(), Some("mx.e.test"));
    assert!(seen.good_bye);
}

/// SV-03: no STARTTLS and a refusal of it are different things, and both are left politely.
#[tokio::test]
async fn starttls_not_offered_or_refused() {
    let host = Host::start(Manner::extends(b"250-mx.e.test\r\n250 XSTARTTLS\r\n")).await;
    let probed = probe(host.address).await;
    assert_eq!(probed.stage, Stage::NotOffered);
    assert_eq!(probed.extensions, ["XSTARTTLS"]);
    assert_eq!(starttls(&probed), Some(Starttls::NotOffered));
    assert_eq!(host.seen().await.clear, ["EHLO probe.e.test", "QUIT"]);
    assert!(host.seen().await.good_bye);

    let manner = Manner {
        starttls: b"454 4.7.0 not now\r\n".to_vec(),
        ..Manner::good(Tls::Closes)
    };
    let host = Host::start(manner).await;
    let probed = probe(host.address).await;
    let Stage::StarttlsRefused(reply) = &probed.stage else {
        panic!("{probed:?}")
    };
    assert_eq!((reply.code, &reply.lines[0][..]), (454, "4.7.0 not now"));
    assert_eq!(starttls(&probed), Some(Starttls::Refused));
    assert_eq!(
        host.seen().await.clear,
        ["EHLO probe.e.test", "STARTTLS", "QUIT"]
    );
}

/// SV-03: octets that come in clear text behind the go-ahead are never taken for anything said in TLS.
#[tokio::test]
async fn injected_clear_text_is_noticed() {
    let manner = Manner {
        starttls: b"220 go ahead\r\n250-mx.e.test\r\n250 AUTH PLAIN\r\n".to_vec(),
        ..Manner::good(good())
    };
    let host = Host::start(manner).await;
    let probed = probe(host.address).await;
    let Stage::Injected { text } = &probed.stage else {
        panic!("{probed:?}")
    };
    assert!(
        text.starts_with("250-mx.e.test\\x0d\\x0a250 AUTH"),
        "{text}"
    );
    assert_eq!(starttls(&probed), Some(Starttls::Failed));
    assert_eq!(probed.extensions_inside, None);
    assert!(probed.chain.is_empty() && probed.tls.is_none());
}

/// Replies that are sent ahead of the question are not taken for the answer.
#[tokio::test]
async fn who_speaks_out_of_turn_is_noticed() {
    let early = b"220 mx.e.test\r\n250-mx.e.test\r\n250 STARTTLS\r\n";
    let host = Host::start(Manner::greets(early)).await;
    let probed = probe(host.address).await;
    let Stage::NotSmtp { phase, detail } = &probed.stage else {
        panic!("{probed:?}")
    };
    assert_eq!(*phase, Phase::Ehlo);
    assert!(
        detail.starts_with("it speaks before it is asked"),
        "{detail}"
    );
    assert!(host.seen().await.clear.iter().all(|line| line == "QUIT"));
}

/// SV-01: hosts that do not take us, or do not come so far, are not judged.
#[tokio::test]
async fn greetings() {
    let host = Host::start(Manner::greets(b"554 \x1b[2Jgo away\r\n")).await;
    let probed = probe(host.address).await;
    let Stage::BadGreeting(reply) = &probed.stage else {
        panic!("{probed:?}")
    };
    assert_eq!(reply.to_string(), "554 \\x1b[2Jgo away");
    assert_eq!(starttls(&probed), None);
    assert_eq!(host.seen().await.clear, ["QUIT"]);

    let lines = b"220-mx.e.test\r\n220-we are many\r\n220 \r\n";
    let manner = Manner {
        tls: good(),
        ..Manner::greets(lines)
    };
    let host = Host::start(manner).await;
    let probed = probe(host.address).await;
    assert_eq!(probed.stage, Stage::Established);
    assert_eq!(
        probed.banner.unwrap().lines,
        ["mx.e.test", "we are many", ""]
    );

    let host = Host::start(Manner::greets(b"SSH-2.0-OpenSSH_9.2\r\n")).await;
    let probed = probe(host.address).await;
    let Stage::NotSmtp { phase, detail } = probed.stage else {
        panic!("{probed:?}")
    };
    assert_eq!(phase, Phase::Greeting);
    assert!(detail.contains("SSH-2.0-OpenSSH_9.2"), "{detail}");

    let manner = Manner {
        greeting: Greeting::Closes,
        ..Manner::good(Tls::Closes)
    };
    let host = Host::start(manner).await;
    let probed = probe(host.address).await;
    assert!(
        matches!(probed.stage, Stage::NoGreeting { .. }),
        "{probed:?}"
    );
}

/// A host that is silent or drips is left when the time is over, not later.
#[tokio::test]
async fn time_is_bounded() {
    for greeting in [Greeting::Never, Greeting::Drips(vec![b'2'; 600])] {
        let manner = Manner {
            greeting: greeting.clone(),
            ..Manner::good(Tls::Closes)
        };
        let drips = matches!(greeting, Greeting::Drips(_));
        let host = Host::start(manner).await;
        let began = Instant::now();
        let probed = probe_within(host.address, Duration::from_secs(1)).await;
        assert!(began.elapsed() < Duration::from_secs(3));
        if drips {
            // The fourth octet is neither a blank nor a hyphen.
            assert!(matches!(probed.stage, Stage::NotSmtp { .. }), "{probed:?}");
        } else {
            assert!(
                matches!(probed.stage, Stage::NoGreeting { .. }),
                "{probed:?}"
            );
        }
        assert_eq!(host.seen().await.connections, 1);
    }
    let slow = [b"220 ".to_vec(), vec![b'x'; 600]].concat();
    let manner = Manner {
        greeting: Greeting::Drips(slow),
        ..Manner::good(Tls::Closes)
    };
    let host = Host::start(manner).await;
    let began = Instant::now();
    let probed = probe_within(host.address, Duration::from_secs(1)).await;
    assert!(began.elapsed() < Duration::from_secs(3));
    let Stage::NoGreeting { detail } = probed.stage else {
        panic!("{probed:?}")
    };
    assert_eq!(detail, "no whole reply within the time for all of it");
}

/// Replies without measure are not read to their end.
#[tokio::test]
async fn size_is_bounded() {
    let lines = [b"250-X\r\n".repeat(200), b"250 STARTTLS\r\n".to_vec()].concat();
    let wide = [&b"250-"[..], &vec![b'x'; 1 << 20], b"\r\n250 STARTTLS\r\n"].concat();
    for (ehlo, expected) in [
        (lines, "the reply has more than 100 lines"),
        (wide, "a line of the reply is longer than 1024 octets"),
    ] {
        let host = Host::start(Manner::extends(&ehlo)).await;
        let probed = probe(host.address).await;
        let Stage::NotSmtp { phase, detail } = probed.stage else {
            panic!("{probed:?}")
        };
        assert_eq!(phase, Phase::Ehlo);
        assert!(detail.starts_with(expected), "{detail}");
        assert!(detail.len() < 200, "{detail}");
    }
}

/// SV-01, SV-03: a host without EHLO has no STARTTLS; one that does not like our name says nothing of it.
#[tokio::test]
async fn ehlo_refused() {
    for (ehlo, expected) in [
        (&b"502 what\r\n"[..], Some(Starttls::NotOffered)),
        (b"550 no such name\r\n", None),
        (b"421 busy\r\n", None),
    ] {
        let host = Host::start(Manner::extends(ehlo)).await;
        let probed = probe(host.address).await;
        assert!(matches!(probed.stage, Stage::EhloRefused(_)), "{probed:?}");
        assert_eq!(starttls(&probed), expected);
        assert!(host.seen().await.good_bye);
    }
}

#[tokio::test]
async fn nobody_there() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let probed = probe(address).await;
    let Stage::Unreachable { kind, .. } = &probed.stage else {
        panic!("{probed:?}")
    };
    assert_eq!(*kind, UnreachableKind::Refused);
    assert_eq!(starttls(&probed), None);
    assert!(probed.took.connect.is_some() && probed.took.greeting.is_none());
}

#[tokio::test]
async fn over_ipv6() {
    let ip = IpAddr::V6(Ipv6Addr::LOCALHOST);
    let host = Host::start_at(ip, Manner::good(good())).await;
    let probed = probe(host.address).await;
    assert_eq!(probed.stage, Stage::Established, "{probed:?}");
    assert_eq!(probed.session().unwrap().address, Some(ip));
}

/// RFC 8314, 3.3: TLS from the first octet, and the greeting inside.
#[tokio::test]
async fn tls_at_once() {
    let manner = Manner {
        implicit: true,
        ..Manner::good(good())
    };
    let host = Host::start(manner.clone()).await;
    let at_once = |address| {
        let mut target = target(address);
        target.beginning = Beginning::Tls;
        target
    };
    let prober = SmtpProber::new(options(PATIENCE));
    let probed = prober.probe(at_once(host.address)).await;
    assert_eq!(probed.stage, Stage::Established, "{probed:?}");
    assert_eq!(probed.banner.unwrap().code, 220);
    assert_eq!(probed.extensions, ["AUTH PLAIN", "8BITMIME"]);
    assert_eq!(probed.trouble, None);
    let seen = host.seen().await;
    assert!(seen.clear.is_empty() && seen.good_bye);
    assert_eq!(seen.inside, ["EHLO probe.e.test", "QUIT"]);

    // A greeting that does not take us is a trouble of its own; TLS stood all the same.
    let manner = Manner {
        greeting: Greeting::Says(b"421 busy\r\n".to_vec()),
        ..manner
    };
    let host = Host::start(manner).await;
    let probed = prober.probe(at_once(host.address)).await;
    assert_eq!(probed.stage, Stage::Established);
    assert_eq!(probed.trouble.as_deref(), Some("the greeting: 421 busy"));
    assert_eq!(host.seen().await.inside, ["QUIT"]);
}

/// One address is spoken to by one probe at a time, others meanwhile.
#[tokio::test]
async fn manners() {
    let host = Host::start(Manner::good(good())).await;
    let other = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 2));
    let other = Host::start_at(other, Manner::good(good())).await;
    let prober = Arc::new(SmtpProber::new(options(PATIENCE)));
    let tasks: Vec<_> = (0..6)
        .map(|number| {
            let address = if number < 5 {
                host.address
            } else {
                other.address
            };
            let prober = Arc::clone(&prober);
            tokio::spawn(async move { prober.probe(target(address)).await })
        })
        .collect();
    for task in tasks {
        assert_eq!(task.await.unwrap().stage, Stage::Established);
    }
    let seen = host.seen().await;
    assert_eq!((seen.connections, seen.at_once), (5, 1));
}
