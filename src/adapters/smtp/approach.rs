//! From an address to the first octet of TLS, and what is said once TLS stands; the same for each
//! engine.
#![allow(clippy::disallowed_methods, reason = "this room asks the network")]

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use hoplock_policy::name::DomainName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::dialogue::{Answer, Dialogue, Trouble};
use super::{CONNECT, GREETING, INSIDE, REPLY};
use crate::adapters::clock::Stopwatch;
use crate::world::Patience;
use crate::world::probe::{Beginning, Phase, Probed, Stage, UnreachableKind};

/// Brings a connection to where TLS begins; `None` where it does not come so far, and `seen` says why.
pub(super) async fn approach(
    seen: &mut Probed,
    helo: &DomainName,
    patience: Patience,
) -> Option<TcpStream> {
    let watch = Stopwatch::start();
    let connected = connect(seen.target.address, patience).await;
    seen.took.connect = Some(watch.elapsed());
    let stream = match connected {
        Ok(stream) => stream,
        Err(stage) => {
            seen.stage = stage;
            return None;
        }
    };
    if seen.target.beginning == Beginning::Tls {
        return Some(stream);
    }
    let mut dialogue = Dialogue::new(stream, patience);
    match in_clear(seen, &mut dialogue, helo).await {
        Ok(()) => {}
        // RFC 5321, 3.1: no command before the greeting, not even a good-bye.
        Err(stage @ Stage::NoGreeting { .. }) => {
            seen.stage = stage;
            return None;
        }
        Err(stage) => {
            seen.stage = stage;
            dialogue.quit().await;
            return None;
        }
    }
    match dialogue.into_stream() {
        Ok(stream) => Some(stream),
        // Whoever reads on inside TLS what came before it obeys a stranger. Here nobody does, but a host
        // behind such a connection is not the one that we believe to speak to. No QUIT: the host waits
        // for a handshake.
        Err(text) => {
            seen.stage = Stage::Injected { text };
            None
        }
    }
}

/// What is said inside TLS: greeting where there was none, EHLO, QUIT. Of the verdict nothing hangs on
/// it.
pub(super) async fn inside<S: AsyncRead + AsyncWrite + Unpin>(
    seen: &mut Probed,
    stream: S,
    helo: &DomainName,
    patience: Patience,
) {
    let mut dialogue = Dialogue::new(stream, patience);
    if seen.target.beginning == Beginning::Tls {
        let (greeting, took) = timed(dialogue.reply(GREETING)).await;
        seen.took.greeting = Some(took);
        match greeting {
            Ok(answer) => {
                let refused = answer.reply.code != 220;
                seen.trouble = refused.then(|| format!("the greeting: {}", answer.reply));
                seen.banner = Some(answer.reply);
            }
            Err(trouble) => {
                let words = trouble.words();
                seen.trouble = Some(format!("no greeting inside TLS: {words}"));
                dialogue.close().await;
                return;
            }
        }
    }
    if seen.trouble.is_none() {
        let (answer, took) = timed(ehlo(&mut dialogue, helo, INSIDE)).await;
        match answer {
            Ok(answer) if answer.reply.code == 250 => {
                if seen.target.beginning == Beginning::Tls {
                    seen.took.ehlo = Some(took);
                    seen.extensions.clone_from(&answer.extensions);
                }
                seen.extensions_inside = Some(answer.extensions);
            }
            Ok(answer) => {
                seen.trouble = Some(format!("refused EHLO inside TLS: {}", answer.reply));
            }
            Err(trouble) => {
                let words = trouble.words();
                seen.trouble = Some(format!("no reply to EHLO inside TLS: {words}"));
            }
        }
    }
    dialogue.quit().await;
}

/// Greeting, EHLO, STARTTLS (RFC 3207, 4).
async fn in_clear(
    seen: &mut Probed,
    dialogue: &mut Dialogue<TcpStream>,
    helo: &DomainName,
) -> Result<(), Stage> {
    let (greeting, took) = timed(dialogue.reply(GREETING)).await;
    seen.took.greeting = Some(took);
    let greeting = greeting.map_err(|trouble| stopped(Phase::Greeting, trouble))?;
    seen.banner = Some(greeting.reply.clone());
    if greeting.reply.code != 220 {
        return Err(Stage::BadGreeting(greeting.reply));
    }
    let (answer, took) = timed(ehlo(dialogue, helo, REPLY)).await;
    seen.took.ehlo = Some(took);
    let answer = answer.map_err(|trouble| stopped(Phase::Ehlo, trouble))?;
    if answer.reply.code != 250 {
        return Err(Stage::EhloRefused(answer.reply));
    }
    seen.extensions = answer.extensions;
    if !answer.offers_starttls {
        return Err(Stage::NotOffered);
    }
    let (answer, took) = timed(dialogue.command("STARTTLS", REPLY)).await;
    seen.took.starttls = Some(took);
    let answer = answer.map_err(|trouble| stopped(Phase::Starttls, trouble))?;
    if answer.reply.code != 220 {
        return Err(Stage::StarttlsRefused(answer.reply));
    }
    Ok(())
}

async fn ehlo<S: AsyncRead + AsyncWrite + Unpin>(
    dialogue: &mut Dialogue<S>,
    helo: &DomainName,
    limit: Duration,
) -> Result<Answer, Trouble> {
    dialogue.command(&format!("EHLO {helo}"), limit).await
}

fn stopped(phase: Phase, trouble: Trouble) -> Stage {
    match trouble {
        Trouble::NotSmtp(detail) => Stage::NotSmtp { phase, detail },
        Trouble::Lost(detail) if phase == Phase::Greeting => Stage::NoGreeting { detail },
        Trouble::Lost(detail) => Stage::Lost { phase, detail },
    }
}

async fn connect(address: SocketAddr, patience: Patience) -> Result<TcpStream, Stage> {
    let attempt = patience.wait(timeout(CONNECT, TcpStream::connect(address)));
    let error = match attempt.await {
        Some(Ok(Ok(stream))) => {
            // Small messages that wait for each other; a failure to say so costs time only.
            let _ = stream.set_nodelay(true);
            return Ok(stream);
        }
        Some(Ok(Err(error))) => error,
        Some(Err(_)) | None => io::Error::new(io::ErrorKind::TimedOut, "no connection in time"),
    };
    let kind = match error.kind() {
        io::ErrorKind::ConnectionRefused => UnreachableKind::Refused,
        io::ErrorKind::TimedOut => UnreachableKind::Timeout,
        io::ErrorKind::NetworkUnreachable
        | io::ErrorKind::HostUnreachable
        | io::ErrorKind::AddrNotAvailable => UnreachableKind::NoRoute,
        _ => UnreachableKind::Other,
    };
    let detail = format!("{address}: {error}");
    Err(Stage::Unreachable { kind, detail })
}

async fn timed<T>(work: impl Future<Output = T>) -> (T, Duration) {
    let watch = Stopwatch::start();
    let outcome = work.await;
    (outcome, watch.elapsed())
}
