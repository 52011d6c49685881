//! How far a probe came, and what stopped it.

use std::fmt;

use hoplock_policy::verify::Starttls;

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
