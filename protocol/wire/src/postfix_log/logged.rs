//! One session, as far as a log tells of it.

use std::collections::BTreeSet;
use std::net::IpAddr;

use super::event::{DeliveryStatus, Fingerprint, TrustLevel};

/// A session of smtp(8) with one host, joined from the lines of one process. Every part but the
/// first five may be missing, and is then unknown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoggedSession {
    /// When its first line was written, as it is written there.
    pub time: String,
    /// The machine that wrote it.
    pub machine: String,
    /// The program, such as `postfix/smtp`.
    pub process: String,
    /// Its process id.
    pub pid: u32,
    /// The host, under the name by which Postfix found it.
    pub host: String,
    /// Its address.
    pub address: Option<IpAddr>,
    /// Its port.
    pub port: Option<u16>,
    /// What became of STARTTLS. `None` where the log does not say: the session may have been
    /// encrypted, or not.
    pub starttls: Option<LoggedStarttls>,
    /// The protocol version in OpenSSL's word, such as `TLSv1.3`.
    pub tls_version: Option<String>,
    /// The cipher suite in OpenSSL's word.
    pub cipher: Option<String>,
    /// What Postfix thinks of the certificate.
    pub trust: Option<TrustLevel>,
    /// Digest of the server's certificate (level 2).
    pub certificate_fingerprint: Option<Fingerprint>,
    /// Digest of the server's public key (level 2).
    pub key_fingerprint: Option<Fingerprint>,
    /// True where the log says that an earlier TLS session was resumed; false says nothing.
    pub resumed: bool,
    /// True for a delivery over a connection that an earlier one left open.
    pub reused: bool,
    /// Where the reused connection was made, if the log shows it.
    pub origin: Option<Origin>,
    /// What Postfix told libtlsrpt.
    pub tlsrpt: Option<LoggedTlsrpt>,
    /// The message; a session carries one, or none before it breaks.
    pub queue_id: Option<String>,
    /// What became of each recipient, in the order of the log.
    pub deliveries: Vec<LoggedDelivery>,
    /// What Postfix said of the certificate, of failures, and why mail was not sent, in the order
    /// of the log. Parts may be the server's words.
    pub words: Vec<String>,
}

impl LoggedSession {
    /// What became of the message: sent where at least one recipient's was, else deferred where
    /// one's was, else bounced. `None` before there was a delivery, and for address probes.
    #[must_use]
    pub fn delivered(&self) -> Option<DeliveryStatus> {
        let all = [
            DeliveryStatus::Sent,
            DeliveryStatus::Deferred,
            DeliveryStatus::Bounced,
        ];
        let has = |status: &DeliveryStatus| self.deliveries.iter().any(|own| own.status == *status);
        all.into_iter().find(has)
    }

    /// The recipients' domains in lower case: the next hops, where no transport or relay host says
    /// otherwise, which a log does not show.
    #[must_use]
    pub fn recipient_domains(&self) -> BTreeSet<&str> {
        let domains = self.deliveries.iter();
        domains
            .filter_map(|own| own.recipient_domain.as_deref())
            .collect()
    }
}

/// What became of STARTTLS, by a log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum LoggedStarttls {
    /// The session was encrypted.
    Used,
    /// The host did not offer it, and Postfix demanded it.
    NotOffered,
    /// The host offered it and said no to the command, and Postfix demanded it.
    Refused,
    /// The handshake failed. Mail that went out all the same is another session, in the clear.
    Failed,
    /// Mail went on without TLS, and Postfix did not demand it: the host did not offer it, or
    /// refused it, or Postfix was told not to ask. Which of them, the log does not say.
    ///
    /// Said in three cases: Postfix says so (`tls=may:none` from 3.11 on, or `Host offered
    /// STARTTLS`); or there is no TLS line, while this program of this machine has written some,
    /// and the log reaches further back than the delivery took. The last is wrong where lines were
    /// lost (tell [`Correlator::gap`](super::Correlator::gap)), or where several services write
    /// under one name with different levels.
    NotUsed,
}

/// Where a reused connection was made: the newest one of the same program to the same host,
/// address and port with the same protocol version and cipher suite.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    /// When its TLS line was written, as it is written there.
    pub time: String,
    /// The process id.
    pub pid: u32,
}

/// What Postfix told libtlsrpt of a session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoggedTlsrpt {
    /// The domain whose policy it was.
    pub domain: String,
    /// The result type, in the words of RFC 8460, 4.3; `None` for a success.
    pub failure: Option<String>,
    /// Postfix's word for the reason.
    pub reason: Option<String>,
}

/// What became of one recipient. The address itself is not kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoggedDelivery {
    /// The recipient's domain in lower case; `None` for an address without one.
    pub recipient_domain: Option<String>,
    /// What became of it.
    pub status: DeliveryStatus,
    /// The enhanced status code (RFC 3463).
    pub dsn: String,
    /// The level that was demanded and what became of it, from 3.11 on.
    pub tls: Option<String>,
}
