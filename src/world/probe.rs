//! What is asked of one mail host by speaking to it, and everything that was seen while doing so
//! (RFC 3207, 4; RFC 8314, 3.3).
//!
//! Values and one trait; the real probers are `adapters::smtp`. Nothing here judges: what a session is
//! worth is said by `hoplock_policy::verify`. A probe changes no policy and no memory.

use std::fmt;
use std::net::SocketAddr;
use std::time::Duration;

use hoplock_policy::name::DomainName;
use hoplock_policy::tlsa::TlsaRecord;
use hoplock_policy::verify::{Certificate, Presented, Session, Sni, Starttls, TlsVersion};

use super::Waiting;

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

/// How far a probe went. All but the last stopped it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stage {
    /// No connection: the next address or host is to be tried, nothing is judged.
    Unreachable {
        /// Which kind of silence.
        kind: UnreachableKind,
        /// For people.
        detail: String,
    },
    /// The engine itself could not work; nothing was learned of the host.
    EngineFailed {
        /// For people.
        detail: String,
    },
    /// The connection stood, and no greeting came (RFC 5321, 3.1).
    NoGreeting {
        /// For people.
        detail: String,
    },
    /// The host does not take us: 554, or 4yz for now (RFC 5321, 3.1).
    BadGreeting(SmtpReply),
    /// What came is no reply of SMTP, or longer than anybody's.
    NotSmtp {
        /// In answer to what.
        phase: Phase,
        /// For people.
        detail: String,
    },
    /// The connection ended or fell silent after the greeting and before TLS.
    Lost {
        /// In answer to what.
        phase: Phase,
        /// For people.
        detail: String,
    },
    /// The host does not take EHLO, or not with our name.
    EhloRefused(SmtpReply),
    /// EHLO was answered, and STARTTLS is not among the extensions: in its own right a failure where TLS
    /// is owed (RFC 7672, 2.2; RFC 8461, 5).
    NotOffered,
    /// STARTTLS is announced, and refused when asked for (RFC 3207, 4).
    StarttlsRefused(SmtpReply),
    /// Octets in clear text came behind the go-ahead. They are somebody's who hopes that they are taken
    /// for the host's word inside TLS (CVE-2011-0411, seen from the client).
    Injected {
        /// The first of them, printable.
        text: String,
    },
    /// The handshake began and was not finished.
    HandshakeFailed {
        /// Who is to blame for what.
        kind: HandshakeFailure,
        /// For people.
        detail: String,
    },
    /// TLS stood.
    Established,
}

impl Stage {
    /// The word of the JSON interface.
    #[must_use]
    pub fn word(&self) -> &'static str {
        match self {
            Self::Unreachable { .. } => "unreachable",
            Self::EngineFailed { .. } => "engine-failed",
            Self::NoGreeting { .. } => "no-greeting",
            Self::BadGreeting(_) => "bad-greeting",
            Self::NotSmtp { .. } => "not-smtp",
            Self::Lost { .. } => "lost",
            Self::EhloRefused(_) => "ehlo-refused",
            Self::NotOffered => "not-offered",
            Self::StarttlsRefused(_) => "starttls-refused",
            Self::Injected { .. } => "injected",
            Self::HandshakeFailed { .. } => "handshake-failed",
            Self::Established => "established",
        }
    }

    /// What became of STARTTLS, or `None` where that is not known and nothing is to be judged.
    #[must_use]
    pub fn starttls(&self) -> Option<Starttls> {
        match self {
            Self::Established => Some(Starttls::Used),
            Self::NotOffered => Some(Starttls::NotOffered),
            // RFC 5321, 4.2.4: a host that does not know EHLO has no extensions.
            Self::EhloRefused(reply) if matches!(reply.code, 500 | 502) => {
                Some(Starttls::NotOffered)
            }
            Self::StarttlsRefused(_) => Some(Starttls::Refused),
            Self::Injected { .. } => Some(Starttls::Failed),
            Self::HandshakeFailed { kind, .. } if !kind.is_inconclusive() => Some(Starttls::Failed),
            Self::HandshakeFailed { .. }
            | Self::Unreachable { .. }
            | Self::EngineFailed { .. }
            | Self::NoGreeting { .. }
            | Self::BadGreeting(_)
            | Self::NotSmtp { .. }
            | Self::Lost { .. }
            | Self::EhloRefused(_) => None,
        }
    }
}

/// One line for people.
impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreachable { detail, .. } => write!(f, "not reachable: {detail}"),
            Self::EngineFailed { detail } => write!(f, "not probed: {detail}"),
            Self::NoGreeting { detail } => write!(f, "no greeting: {detail}"),
            Self::BadGreeting(reply) => write!(f, "does not take us: {reply}"),
            Self::NotSmtp { phase, detail } => write!(f, "no SMTP reply to {phase}: {detail}"),
            Self::Lost { phase, detail } => write!(f, "no reply to {phase}: {detail}"),
            Self::EhloRefused(reply) => write!(f, "refused EHLO: {reply}"),
            Self::NotOffered => f.write_str("does not offer STARTTLS"),
            Self::StarttlsRefused(reply) => write!(f, "refused STARTTLS: {reply}"),
            Self::Injected { text } => {
                write!(f, "clear text behind the go-ahead for TLS: {text}")
            }
            Self::HandshakeFailed { kind, detail } => {
                write!(f, "TLS handshake failed: {kind}: {detail}")
            }
            Self::Established => f.write_str("TLS established"),
        }
    }
}

/// Why no connection came about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UnreachableKind {
    /// Nobody listens there.
    Refused,
    /// Silence.
    Timeout,
    /// No way leads there: often a machine without IPv6.
    NoRoute,
    /// Something else.
    Other,
}

/// The parts of a dialogue that wait for a reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Waiting for the greeting.
    Greeting,
    /// EHLO.
    Ehlo,
    /// STARTTLS.
    Starttls,
    /// QUIT.
    Quit,
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Greeting => "our connecting",
            Self::Ehlo => "EHLO",
            Self::Starttls => "STARTTLS",
            Self::Quit => "QUIT",
        })
    }
}

/// Why a handshake was not finished.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HandshakeFailure {
    /// Host and engine have no version or cipher in common: the host refused before it showed anything
    /// (`handshake_failure`, `protocol_version`, `insufficient_security`: RFC 8446, 6.2), or chose what
    /// was not offered. The engine cannot tell whether a mail server, which may offer more, would get
    /// on: inconclusive, never a failure.
    PeerTooOld,
    /// The host did not prove that it holds the key of the certificate that it showed.
    BadSignature,
    /// The host broke off by another alert, or after it had shown a certificate.
    Alert,
    /// What came is no TLS.
    NotTls,
    /// TLS, but not as the RFC has it.
    Misbehaved,
    /// The connection ended.
    Closed,
    /// Silence.
    Timeout,
}

impl HandshakeFailure {
    /// The word of the JSON interface.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::PeerTooOld => "peer-too-old",
            Self::BadSignature => "bad-signature",
            Self::Alert => "alert",
            Self::NotTls => "not-tls",
            Self::Misbehaved => "misbehaved",
            Self::Closed => "closed",
            Self::Timeout => "timeout",
        }
    }

    /// True where the failure may be the engine's own.
    #[must_use]
    pub fn is_inconclusive(self) -> bool {
        self == Self::PeerTooOld
    }
}

impl fmt::Display for HandshakeFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::PeerTooOld => "no version or cipher in common",
            Self::BadSignature => "the host does not hold the key of its certificate",
            Self::Alert => "the host broke off",
            Self::NotTls => "the host does not speak TLS",
            Self::Misbehaved => "the host speaks broken TLS",
            Self::Closed => "the connection ended",
            Self::Timeout => "no end in time",
        })
    }
}

/// A reply of the server in its own words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SmtpReply {
    /// Three digits.
    pub code: u16,
    /// Its lines, of visible ASCII only. Never empty.
    pub lines: Vec<String>,
}

/// On one line.
impl fmt::Display for SmtpReply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.code, self.lines.join(" / "))
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
