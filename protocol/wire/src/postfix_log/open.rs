//! A session whose end has not been seen, and what its lines make of it.
//!
//! Not done here: which lines are its own; see [`belongs`](super::belongs).

use std::collections::BTreeSet;

use super::clues::{passed_starttls, request, tls_feature};
use super::event::{DeliveryLine, DeliveryStatus, Event, TlsConnection, TlsrptLine, Trouble};
use super::line::Source;
use super::logged::{LoggedDelivery, LoggedSession, LoggedStarttls, LoggedTlsrpt, Origin};
use super::reading::Reading;

/// A session that may go on.
#[derive(Clone, Debug)]
pub(super) struct Open {
    pub(super) session: LoggedSession,
    pub(super) stage: Stage,
    /// When its newest line before the first delivery was written.
    pub(super) newest: Option<Reading>,
    /// What all deliveries of one request over one connection share.
    pub(super) request: String,
    pub(super) recipients: BTreeSet<String>,
    /// How many sweeps ago its last line came.
    pub(super) quiet: u32,
}

/// How far a session has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    /// Nothing is known of TLS.
    Plain,
    /// There are lines of a handshake, and none of its outcome.
    Handshaking,
    /// The handshake succeeded.
    Encrypted,
    /// The handshake failed.
    Failed,
    /// A recipient's delivery was logged.
    Delivering,
    /// Postfix has given the host up.
    Over,
}

impl Open {
    /// A session that begins with this line, or `None` if none does.
    pub(super) fn begin(
        source: Source<'_>,
        event: &Event<'_>,
        now: Option<Reading>,
    ) -> Option<Self> {
        let (host, peer) = match event {
            Event::Starting(peer)
            | Event::Resumed(peer)
            | Event::Matched { peer, .. }
            | Event::VerificationFailed { peer, .. }
            | Event::HandshakeFailed { peer, .. } => (peer.host, Some(*peer)),
            Event::Certificate(line) => (line.peer.host, Some(line.peer)),
            Event::Connection(line) => (line.peer.host, Some(line.peer)),
            Event::Offered { host } => (*host, None),
            Event::Tlsrpt(line) => (line.peer?.host, line.peer),
            Event::Delivery(line) => (line.relay?.host, line.relay),
            Event::GivenUp { trouble, .. } => match trouble {
                Trouble::NotOffered(peer) | Trouble::Refused(peer) => (peer.host, Some(*peer)),
                // Of a session without TLS lines these say nothing.
                Trouble::HandshakeFailed | Trouble::NotVerified | Trouble::ConnectionLost(_) => {
                    return None;
                }
            },
            Event::LibraryProblem { .. } => return None,
        };
        let mut open = Self {
            session: empty(source, host),
            stage: Stage::Plain,
            newest: None,
            request: String::new(),
            recipients: BTreeSet::new(),
            quiet: 0,
        };
        open.session.address = peer.map(|peer| peer.address);
        open.session.port = peer.and_then(|peer| peer.port);
        open.add(event, now);
        Some(open)
    }

    /// Takes the line in. Only for the line that the session begins with, and for lines that belong
    /// here.
    pub(super) fn add(&mut self, event: &Event<'_>, now: Option<Reading>) {
        self.quiet = 0;
        if !matches!(event, Event::Delivery(_)) {
            self.newest = now;
        }
        match event {
            Event::Starting(_) => self.stage = Stage::Handshaking,
            Event::Resumed(_) => {
                self.stage = Stage::Handshaking;
                self.session.resumed = true;
            }
            Event::Certificate(line) => {
                self.stage = Stage::Handshaking;
                self.session.certificate_fingerprint = line.certificate.clone();
                self.session.key_fingerprint = Some(line.key.clone());
            }
            Event::Matched { words, .. } | Event::VerificationFailed { words, .. } => {
                self.stage = Stage::Handshaking;
                self.say(words);
            }
            Event::Connection(line) => self.connected(line),
            Event::HandshakeFailed { words, .. } => {
                self.stage = Stage::Failed;
                self.session.starttls = Some(LoggedStarttls::Failed);
                self.say(words);
            }
            Event::LibraryProblem { words } => self.say(words),
            Event::Offered { .. } => {
                // Postfix says so just before it goes on in the clear.
                self.session.starttls = Some(LoggedStarttls::NotUsed);
            }
            Event::Tlsrpt(line) => self.reported(line),
            Event::GivenUp {
                queue_id,
                trouble,
                words,
            } => {
                self.session.queue_id.get_or_insert((*queue_id).to_owned());
                self.stage = Stage::Over;
                self.troubled(trouble);
                self.say(words);
            }
            Event::Delivery(line) => self.delivered(line),
        }
    }

    /// Where a reused connection comes from is known to the whole of a program.
    pub(super) fn set_origin(&mut self, origin: Option<Origin>) {
        self.session.origin = origin;
    }

    /// Mail went on, and no line spoke of TLS where one must have.
    pub(super) fn set_not_used(&mut self) {
        self.session.starttls.get_or_insert(LoggedStarttls::NotUsed);
    }

    /// Whether nothing more is to be waited for: Postfix logs all recipients of a message in one go, and
    /// goes on to the next host once it has given one up.
    pub(super) fn is_settled(&self) -> bool {
        self.session.delivered().is_some() || self.stage == Stage::Over
    }

    /// Whether a delivery of this session may still come that would look like one without TLS.
    pub(super) fn expects_delivery(&self) -> bool {
        self.session.deliveries.is_empty() && self.stage != Stage::Over
    }

    /// How many deliveries it has.
    pub(super) fn deliveries(&self) -> usize {
        self.session.deliveries.len()
    }

    pub(super) fn close(self) -> LoggedSession {
        self.session
    }

    fn connected(&mut self, line: &TlsConnection<'_>) {
        self.stage = Stage::Encrypted;
        self.session.starttls = Some(LoggedStarttls::Used);
        self.session.tls_version = Some(line.tls_version.to_owned());
        self.session.cipher = Some(line.cipher.to_owned());
        self.session.trust = Some(line.trust);
        self.session.reused = line.reused;
    }

    fn reported(&mut self, line: &TlsrptLine<'_>) {
        let failure = line.failure.map(|word| word.replace('_', "-"));
        if failure.is_none() && self.stage == Stage::Plain {
            // A success is told behind a handshake only; at level 0 nothing else tells of it.
            self.stage = Stage::Encrypted;
            self.session.starttls = Some(LoggedStarttls::Used);
        }
        self.session.tlsrpt = Some(LoggedTlsrpt {
            domain: line.domain.to_owned(),
            failure,
            reason: line.reason.map(str::to_owned),
        });
    }

    fn delivered(&mut self, line: &DeliveryLine<'_>) {
        if self.stage != Stage::Delivering {
            self.request = request(line);
        }
        self.stage = Stage::Delivering;
        let own = &mut self.session;
        let told = own.tlsrpt.as_ref().and_then(|told| told.failure.as_deref());
        if told == Some("starttls-not-supported") && passed_starttls(line) {
            own.starttls.get_or_insert(LoggedStarttls::NotUsed);
        }
        if let Some(relay) = line.relay {
            own.address.get_or_insert(relay.address);
            own.port = own.port.or(relay.port);
        }
        own.reused |= line.connection_use > 1;
        own.queue_id.get_or_insert(line.queue_id.to_owned());
        let domain = line.recipient_domain().map(str::to_lowercase);
        own.deliveries.push(LoggedDelivery {
            recipient_domain: domain,
            status: line.status,
            dsn: line.dsn.to_owned(),
            tls: line.tls.map(str::to_owned),
        });
        self.recipients.insert(line.recipient.to_owned());
        if let Some(trouble) = &line.trouble {
            self.troubled(trouble);
        }
        self.session.starttls = self.session.starttls.or(tls_feature(line));
        if line.status != DeliveryStatus::Sent {
            self.say(line.text);
        }
    }

    fn troubled(&mut self, trouble: &Trouble<'_>) {
        let starttls = match trouble {
            Trouble::NotOffered(_) => LoggedStarttls::NotOffered,
            Trouble::Refused(_) => LoggedStarttls::Refused,
            Trouble::HandshakeFailed => LoggedStarttls::Failed,
            // There was a certificate to be verified.
            Trouble::NotVerified => LoggedStarttls::Used,
            Trouble::ConnectionLost(_) => return,
        };
        self.session.starttls.get_or_insert(starttls);
    }

    fn say(&mut self, words: &str) {
        let mut end = words.len().min(WORDS_LENGTH);
        while !words.is_char_boundary(end) {
            end -= 1;
        }
        let words = words.get(..end).unwrap_or(words);
        let said = self.session.words.iter().any(|own| own == words);
        if !said && self.session.words.len() < WORDS_LIMIT {
            self.session.words.push(words.to_owned());
        }
    }
}

fn empty(source: Source<'_>, host: &str) -> LoggedSession {
    LoggedSession {
        time: source.time.to_owned(),
        machine: source.machine.to_owned(),
        process: source.process.to_owned(),
        pid: source.pid,
        host: host.to_owned(),
        address: None,
        port: None,
        starttls: None,
        tls_version: None,
        cipher: None,
        trust: None,
        certificate_fingerprint: None,
        key_fingerprint: None,
        resumed: false,
        reused: false,
        origin: None,
        tlsrpt: None,
        queue_id: None,
        deliveries: Vec::new(),
        words: Vec::new(),
    }
}

/// The most sentences that are kept of a session: more is the noise of a broken TLS library.
const WORDS_LIMIT: usize = 16;

/// The most bytes of a sentence. A server's answer can be 2000 bytes, and is the least of it.
const WORDS_LENGTH: usize = 512;
