//! Speaks to mail hosts to see their TLS: greeting, EHLO, STARTTLS, handshake, EHLO, QUIT (RFC 5321;
//! RFC 3207; RFC 8314, 3.3). No mail is sent and nothing is retried.
//!
//! [`SmtpProber`] does TLS with rustls and takes any certificate, so as to record it; what it demands
//! is that the host proves to hold the certificate's key. [`openssl`] leaves TLS to the program of that
//! name, for hosts that offer only what rustls lacks. Both share the dialogue in clear text. Not done
//! here: judging (see `hoplock_policy::verify`), and bare keys (RFC 7250).

mod approach;
pub(super) mod dialogue;
mod handshake;
pub mod openssl;
mod own_name;
mod recorder;
mod signature;
mod turns;

use std::sync::Arc;
use std::time::Duration;

use hoplock_policy::name::DomainName;
use rustls::crypto::{CryptoProvider, aws_lc_rs};

pub use self::own_name::own_name;
use self::turns::Turns;
use crate::adapters::clock::Stopwatch;
use crate::world::probe::{Engine, ProbeTarget, Probed, Prober};
use crate::world::{Patience, Waiting};

/// How hosts are probed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProbeOptions {
    /// The name in our EHLO (RFC 5321, 4.1.1.1). Hosts may refuse one that has no address; none is made
    /// up, and HELO is not tried instead, since it has no STARTTLS.
    pub helo: DomainName,
    /// One probe, all steps together, counted from its turn.
    pub timeout: Duration,
}

impl ProbeOptions {
    /// With this name, and [`WHOLE`] for a timeout.
    #[must_use]
    pub fn new(helo: DomainName) -> Self {
        Self {
            helo,
            timeout: WHOLE,
        }
    }
}

/// Probes with rustls: TLS 1.2 and 1.3.
#[derive(Debug)]
pub struct SmtpProber {
    options: ProbeOptions,
    provider: Arc<CryptoProvider>,
    turns: Turns,
}

impl SmtpProber {
    /// A prober; nothing is connected to yet. Its bounds on probes at once are its own: one prober is
    /// to be shared, not made for each host.
    #[must_use]
    pub fn new(options: ProbeOptions) -> Self {
        Self {
            options,
            provider: Arc::new(aws_lc_rs::default_provider()),
            turns: Turns::new(),
        }
    }

    async fn look(&self, seen: &mut Probed) {
        let patience = Patience::of(self.options.timeout);
        let helo = &self.options.helo;
        let Some(stream) = approach::approach(seen, helo, patience).await else {
            return;
        };
        let secure = handshake::handshake(seen, stream, &self.provider, patience).await;
        if let Some(secure) = secure {
            approach::inside(seen, secure, helo, patience).await;
        }
    }
}

impl Prober for SmtpProber {
    fn probe(&self, target: ProbeTarget) -> Waiting<'_, Probed> {
        Box::pin(async move {
            let _turn = self.turns.take(target.address.ip()).await;
            let watch = Stopwatch::start();
            let mut seen = Probed::nothing(target, Engine::Rustls);
            self.look(&mut seen).await;
            seen.took.all = watch.elapsed();
            seen
        })
    }
}

/// One probe, all steps together. A person waits for it; hosts that need longer are of no use to mail
/// either, though RFC 5321, 4.5.3.2 would have a client wait for minutes.
pub const WHOLE: Duration = Duration::from_secs(60);
/// A connection that takes longer meets a filter that drops packets.
const CONNECT: Duration = Duration::from_secs(10);
/// RFC 5321, 4.5.3.2.1 grants five minutes. Hosts that keep clients waiting on purpose, to tell robots
/// from mail servers, do so for up to half a minute.
const GREETING: Duration = Duration::from_secs(40);
/// EHLO and STARTTLS, each: as for [`GREETING`], but few hosts wait on purpose here.
const REPLY: Duration = Duration::from_secs(20);
/// A handshake is two or three ways forth and back, and one signature.
const HANDSHAKE: Duration = Duration::from_secs(15);
/// What is said inside TLS and at the end changes no verdict.
const INSIDE: Duration = Duration::from_secs(10);
/// Who has been told QUIT has this long to say good-bye.
const CLOSING: Duration = Duration::from_secs(2);
