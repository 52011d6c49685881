//! What is asked of one mail host by speaking to it, and everything that was seen while doing so
//! (RFC 3207, 4; RFC 8314, 3.3).
//!
//! Values and one trait; the real probers are `adapters::smtp`. Nothing here judges: what a session is
//! worth is said by `hoplock_policy::verify`. A probe changes no policy and no memory.

use std::net::SocketAddr;
use std::time::Duration;

use hoplock_policy::name::DomainName;
use hoplock_policy::next_hop::NextHop;
use hoplock_policy::tlsa::TlsaRecord;
use hoplock_policy::verify::{Certificate, Presented, Session, Sni, Starttls, TlsVersion};

pub use self::stage::{HandshakeFailure, Phase, SmtpReply, Stage, UnreachableKind};
use super::Waiting;

mod stage;

/// Speaks to mail hosts as a client that sends no mail.
pub trait Prober: Send + Sync {
    /// Connects, comes to TLS where it can, and says good-bye. Never fails: trouble is what was seen.
    /// Ends within the time that the prober was made with, counted from its turn.
    fn probe(&self, target: ProbeTarget) -> Waiting<'_, Probed>;
}

/// One address of one host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProbeTarget {
    /// Address and port.
    pub address: SocketAddr,
    /// The server name to ask for: under DANE the TLSA base domain (RFC 7672, 8.1), under MTA-STS the
    /// MX host (RFC 8461, 4.3).
    pub server_name: DomainName,
    /// How TLS begins.
    pub beginning: Beginning,
    /// Usable TLSA records, for an engine that has a verdict of its own; others do not look at them.
    pub records: Vec<TlsaRecord>,
}

impl ProbeTarget {
    /// A host of this next hop: a service says by its name how TLS begins (RFC 8314, 5.1), whatever its
    /// port; of others the port says it.
    #[must_use]
    pub fn of(next_hop: &NextHop, address: SocketAddr, server_name: DomainName) -> Self {
        let by_port = Self::new(address, server_name);
        let beginning = match next_hop {
            NextHop::Service { .. } if next_hop.begins_with_tls() => Beginning::Tls,
            NextHop::Service { .. } => Beginning::Starttls,
            _ => by_port.beginning,
        };
        Self {
            beginning,
            ..by_port
        }
    }

    /// STARTTLS, but for port 465 (RFC 8314, 3.3); no records.
    #[must_use]
    pub fn new(address: SocketAddr, server_name: DomainName) -> Self {
        let beginning = match address.port() {
            SUBMISSIONS => Beginning::Tls,
            _ => Beginning::Starttls,
        };
        Self {
            address,
            server_name,
            beginning,
            records: Vec::new(),
        }
    }
}

/// How TLS begins on a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Beginning {
    /// By command, in a session that began in clear text (RFC 3207).
    Starttls,
    /// At once (RFC 8314, 3.3).
    Tls,
}

/// Everything that was seen, as far as it went. What was not reached is empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Probed {
    /// Whom it was.
    pub target: ProbeTarget,
    /// Who looked.
    pub engine: Engine,
    /// How far it went, and what stopped it.
    pub stage: Stage,
    /// The first reply of the server.
    pub banner: Option<SmtpReply>,
    /// The extensions that it announced in clear text, with their parameters; inside TLS where that
    /// begins at once.
    pub extensions: Vec<String>,
    /// The extensions that it announced once TLS had begun; `None` where it was not asked or did not
    /// answer.
    pub extensions_inside: Option<Vec<String>>,
    /// The server name that went out; `None` where no handshake began, or where that name is one that
    /// TLS cannot carry.
    pub server_name_sent: Option<DomainName>,
    /// The certificates that the server sent, leaf first, in its order. In a handshake that failed it
    /// may have shown what is not its own.
    pub chain: Vec<Certificate>,
    /// The session, where the handshake was finished.
    pub tls: Option<TlsSeen>,
    /// What went wrong after the handshake; of no weight for what the session is worth.
    pub trouble: Option<String>,
    /// What the engine itself says of the records.
    pub verdict: Option<EngineVerdict>,
    /// How long it took.
    pub took: Took,
}

impl Probed {
    /// Nothing seen yet.
    #[must_use]
    pub fn nothing(target: ProbeTarget, engine: Engine) -> Self {
        Self {
            target,
            engine,
            stage: Stage::Unreachable {
                kind: UnreachableKind::Other,
                detail: "not tried".to_owned(),
            },
            banner: None,
            extensions: Vec::new(),
            extensions_inside: None,
            server_name_sent: None,
            chain: Vec::new(),
            tls: None,
            trouble: None,
            verdict: None,
            took: Took::default(),
        }
    }

    /// The session as the verifier takes it (SV-01), without next hop and host name, which are the
    /// caller's. `None` where nothing can be judged, for nobody spoke, or host and engine have no
    /// version or cipher in common: that is inconclusive, never a failure.
    ///
    /// What the host merely showed without proving that it holds the key is left out, so that no
    /// verdict rests on it.
    #[must_use]
    pub fn session(&self) -> Option<Session> {
        let starttls = self.stage.starttls()?;
        let proved = |tls: &TlsSeen| tls.signature == Signature::Proved;
        let presented = if self.tls.as_ref().is_some_and(proved) {
            Presented::Chain(self.chain.clone())
        } else {
            Presented::Unknown
        };
        let sni = match &self.server_name_sent {
            Some(name) => Sni::Sent(name.clone()),
            None if starttls == Starttls::Used => Sni::NotSent,
            None => Sni::Unknown,
        };
        Some(Session {
            address: Some(self.target.address.ip()),
            port: Some(self.target.address.port()),
            starttls: Some(starttls),
            tls_version: self.tls.as_ref().and_then(|tls| tls.version),
            cipher: self.tls.as_ref().map(|tls| tls.cipher.clone()),
            sni,
            presented,
            ..Session::unknown()
        })
    }
}

/// Who does TLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Engine {
    /// rustls, in this process: TLS 1.2 and 1.3 with forward secrecy and authenticated encryption.
    Rustls,
    /// The program `openssl`: also what is withdrawn, as far as its build has it.
    Openssl,
}

impl Engine {
    /// The word of options and JSON.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Rustls => "rustls",
            Self::Openssl => "openssl",
        }
    }
}

/// A session of TLS.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsSeen {
    /// The version; `None` where the engine names one that nobody knows.
    pub version: Option<TlsVersion>,
    /// The cipher suite, in the registry's words (rustls) or in OpenSSL's.
    pub cipher: String,
    /// The group of the key exchange; `None` where none was used, as under RSA key exchange, or the
    /// engine does not say.
    pub group: Option<String>,
    /// Whether the host proved that it holds the leaf's key.
    pub signature: Signature,
}

/// Whether the host proved that it holds the key of its leaf. Without that a chain says nothing: anybody
/// can show a certificate that is not his.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signature {
    /// It signed the handshake with it, or decrypted with it what only that key decrypts.
    Proved,
    /// The engine cannot tell. The handshake went on, so that the chain can be shown; nothing is
    /// authenticated by it.
    NotVerifiable(Unverifiable),
}

/// Why a signature cannot be checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unverifiable {
    /// An RSA key of fewer than 2048 bits, in a scheme that the library has for longer ones only.
    WeakKey,
    /// A key of a kind or size that the library does not have.
    UnknownKey,
    /// The octets of the leaf do not lead to a key.
    NoKey,
}

impl Unverifiable {
    /// The word of the JSON interface.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::WeakKey => "weak-key",
            Self::UnknownKey => "unknown-key",
            Self::NoKey => "no-key",
        }
    }
}

/// What an engine says by its own lights of the records that it was given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EngineVerdict {
    /// True where it holds the host for authenticated.
    pub authenticated: bool,
    /// Its words, such as `no matching DANE TLSA records`.
    pub words: String,
    /// Its words for the record that matched, such as
    /// `3 1 1 ...9d53ae matched EE certificate at depth 0`.
    pub matched: Option<String>,
}

/// How long each part of a probe took; `None` for what was not begun. A part that failed counts up to
/// its failure.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Took {
    /// Until the connection stood.
    pub connect: Option<Duration>,
    /// Until the greeting was read.
    pub greeting: Option<Duration>,
    /// EHLO and its reply.
    pub ehlo: Option<Duration>,
    /// STARTTLS and its reply.
    pub starttls: Option<Duration>,
    /// The handshake.
    pub handshake: Option<Duration>,
    /// All of it, good-byes included.
    pub all: Duration,
}

/// RFC 8314, 3.3: submission with TLS from the first octet.
const SUBMISSIONS: u16 = 465;

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn probed(stage: Stage) -> Probed {
        let name = DomainName::parse("mx.e.test").unwrap();
        let target = ProbeTarget::new("192.0.2.1:25".parse().unwrap(), name);
        Probed {
            stage,
            server_name_sent: Some(target.server_name.clone()),
            chain: vec![Certificate::from_der(*b"leaf")],
            ..Probed::nothing(target, Engine::Rustls)
        }
    }

    fn reply(code: u16) -> SmtpReply {
        let lines = vec!["no".to_owned()];
        SmtpReply { code, lines }
    }

    /// SV-01, SV-03: what a probe comes to in the words of a session.
    #[test]
    fn stages_in_words_of_a_session() {
        let failed = |kind| Stage::HandshakeFailed {
            kind,
            detail: String::new(),
        };
        for (stage, expected) in [
            (Stage::Established, Some(Starttls::Used)),
            (Stage::NotOffered, Some(Starttls::NotOffered)),
            (Stage::StarttlsRefused(reply(454)), Some(Starttls::Refused)),
            (Stage::EhloRefused(reply(502)), Some(Starttls::NotOffered)),
            (Stage::EhloRefused(reply(550)), None),
            (Stage::BadGreeting(reply(554)), None),
            (failed(HandshakeFailure::Alert), Some(Starttls::Failed)),
            (
                failed(HandshakeFailure::BadSignature),
                Some(Starttls::Failed),
            ),
            (failed(HandshakeFailure::PeerTooOld), None),
        ] {
            let session = probed(stage.clone()).session();
            let starttls = session.and_then(|session| session.starttls);
            assert_eq!(starttls, expected, "{stage}");
        }
    }

    /// SV-01: a chain whose key was not proved is nothing that was shown.
    #[test]
    fn only_what_was_proved_is_judged() {
        let tls = |signature| TlsSeen {
            version: Some(TlsVersion::Tls13),
            cipher: "TLS_AES_128_GCM_SHA256".to_owned(),
            group: None,
            signature,
        };
        let presented = |tls| {
            let probed = Probed {
                tls,
                ..probed(Stage::Established)
            };
            probed.session().unwrap().presented
        };
        let chain = vec![Certificate::from_der(*b"leaf")];
        assert_eq!(
            presented(Some(tls(Signature::Proved))),
            Presented::Chain(chain)
        );
        let weak = Signature::NotVerifiable(Unverifiable::WeakKey);
        assert_eq!(presented(Some(tls(weak))), Presented::Unknown);
        assert_eq!(presented(None), Presented::Unknown);
    }

    #[test]
    fn tls_begins_at_once_on_its_own_port() {
        let name = DomainName::parse("mx.e.test").unwrap();
        for (port, expected) in [
            (25, Beginning::Starttls),
            (465, Beginning::Tls),
            (587, Beginning::Starttls),
        ] {
            let address = SocketAddr::from(([192, 0, 2, 1], port));
            let target = ProbeTarget::new(address, name.clone());
            assert_eq!(target.beginning, expected);
        }
    }
}
