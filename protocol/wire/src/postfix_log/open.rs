//! A session whose end has not been seen, and which lines belong to it.
//!
//! The rule behind all of it: a line that could be of another session is of another session. So no
//! session inherits a certificate from the one before, however alike they are.

use std::collections::BTreeSet;
use std::net::IpAddr;

use super::event::{DeliveryLine, DeliveryStatus, Event, Peer, TlsConnection, TlsrptLine, Trouble};
use super::line::Source;
use super::logged::{LoggedDelivery, LoggedSession, LoggedStarttls, LoggedTlsrpt, Origin};
use super::reading::Reading;

/// A session that may go on.
#[derive(Clone, Debug)]
pub(super) struct Open {
    session: LoggedSession,
    stage: Stage,
    /// When its newest line before the first delivery was written.
    newest: Option<Reading>,
    /// What all deliveries of one request over one connection share.
    request: String,
    recipients: BTreeSet<String>,
    /// How many sweeps ago its last line came.
    pub(super) quiet: u32,
}

/// How far a session has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
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

/// What a line is to an open session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Belongs {
    /// It is part of it.
    Here,
    /// It says nothing of it, and does not end it.
    Nowhere,
    /// It ends it, and may begin the next one.
    Next,
    /// As `Next`; and lines that should stand between the two are missing.
    NextAfterGap,
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

    /// Whether the line is of this session.
    pub(super) fn belongs(&self, event: &Event<'_>, now: Option<Reading>) -> Belongs {
        let same = |here: bool| if here { Belongs::Here } else { Belongs::Next };
        match event {
            Event::Starting(_) | Event::Offered { .. } => Belongs::Next,
            Event::Certificate(line) => {
                let first = self.session.key_fingerprint.is_none();
                same(first && self.is_in_handshake(&line.peer))
            }
            Event::Resumed(peer)
            | Event::Matched { peer, .. }
            | Event::VerificationFailed { peer, .. }
            | Event::HandshakeFailed { peer, .. } => same(self.is_in_handshake(peer)),
            Event::Connection(line) => same(!line.reused && self.is_in_handshake(&line.peer)),
            Event::LibraryProblem { .. } if self.stage == Stage::Failed => Belongs::Here,
            Event::LibraryProblem { .. } => Belongs::Nowhere,
            Event::Tlsrpt(line) => match &line.peer {
                None => Belongs::Nowhere,
                Some(peer) => {
                    let early = !matches!(self.stage, Stage::Delivering | Stage::Over);
                    same(early && self.session.tlsrpt.is_none() && self.is_with(peer))
                }
            },
            Event::GivenUp {
                queue_id, trouble, ..
            } => self.given_up(queue_id, trouble),
            Event::Delivery(line) => self.delivery(line, now),
        }
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

    /// Whether a server has taken the message, so that no further delivery is to be waited for.
    pub(super) fn is_sent(&self) -> bool {
        self.session.delivered() == Some(DeliveryStatus::Sent)
    }

    /// Whether a delivery of this session may still come that would look like one without TLS.
    pub(super) fn awaits_delivery(&self) -> bool {
        self.session.deliveries.is_empty() && self.stage != Stage::Over
    }

    /// How many deliveries it has.
    pub(super) fn deliveries(&self) -> usize {
        self.session.deliveries.len()
    }

    pub(super) fn close(self) -> LoggedSession {
        self.session
    }

    fn is_with(&self, peer: &Peer<'_>) -> bool {
        let own = &self.session;
        let port = match (own.port, peer.port) {
            (Some(own), Some(other)) => own == other,
            // Some lines leave the port out.
            _ => true,
        };
        let address = own.address.is_none_or(|own: IpAddr| own == peer.address);
        own.host == peer.host && address && port
    }

    /// Whether a line of a handshake with this peer is of this one: none has ended, and what stands
    /// before it is of a handshake too, or is what was told to libtlsrpt in the midst of one.
    fn is_in_handshake(&self, peer: &Peer<'_>) -> bool {
        let begun = match self.stage {
            Stage::Handshaking => true,
            Stage::Plain => self.session.tlsrpt.is_some(),
            Stage::Encrypted | Stage::Failed | Stage::Delivering | Stage::Over => false,
        };
        begun && self.is_with(peer)
    }

    fn given_up(&self, queue_id: &str, trouble: &Trouble<'_>) -> Belongs {
        let own = &self.session;
        match trouble {
            Trouble::NotOffered(peer) | Trouble::Refused(peer) => {
                match self.stage == Stage::Plain && self.is_with(peer) {
                    true => Belongs::Here,
                    false => Belongs::Next,
                }
            }
            Trouble::HandshakeFailed => match self.stage {
                Stage::Failed | Stage::Handshaking => Belongs::Here,
                Stage::Plain | Stage::Encrypted | Stage::Delivering | Stage::Over => {
                    Belongs::Nowhere
                }
            },
            Trouble::NotVerified => match self.stage {
                Stage::Encrypted | Stage::Handshaking => Belongs::Here,
                Stage::Plain | Stage::Failed | Stage::Delivering | Stage::Over => Belongs::Nowhere,
            },
            Trouble::ConnectionLost(peer) => {
                let other = own.queue_id.as_deref().is_some_and(|own| own != queue_id);
                match self.stage != Stage::Over && self.is_with(peer) && !other {
                    true => Belongs::Here,
                    false => Belongs::Nowhere,
                }
            }
        }
    }

    fn delivery(&self, line: &DeliveryLine<'_>, now: Option<Reading>) -> Belongs {
        if !line.relay.is_some_and(|relay| self.is_with(&relay)) {
            return Belongs::Next;
        }
        match self.stage {
            Stage::Over => Belongs::Next,
            Stage::Delivering => {
                let same = self.request == request(line);
                match same && !self.recipients.contains(line.recipient) {
                    true => Belongs::Here,
                    false => Belongs::Next,
                }
            }
            Stage::Plain | Stage::Handshaking | Stage::Encrypted | Stage::Failed => {
                match self.fits(line) && !self.is_too_old(line, now) {
                    true => Belongs::Here,
                    // The request that this session was made for had its own delivery lines.
                    false => Belongs::NextAfterGap,
                }
            }
        }
    }

    /// Whether the first delivery can have come out of what the session has come to.
    fn fits(&self, line: &DeliveryLine<'_>) -> bool {
        let used = tls_feature(line);
        match line.trouble {
            Some(Trouble::NotOffered(_) | Trouble::Refused(_)) => self.stage == Stage::Plain,
            Some(Trouble::HandshakeFailed) => self.stage != Stage::Encrypted,
            Some(Trouble::NotVerified) => self.stage != Stage::Failed,
            Some(Trouble::ConnectionLost(_)) => true,
            None if passed_starttls(line) => match self.stage {
                Stage::Plain => line.connection_use == 1,
                Stage::Encrypted => {
                    let reused = line.connection_use > 1;
                    reused == self.session.reused && used != Some(LoggedStarttls::NotUsed)
                }
                // After a failed handshake Postfix gives the host up, or says so in the delivery.
                Stage::Handshaking | Stage::Failed | Stage::Delivering | Stage::Over => false,
            },
            None => true,
        }
    }

    /// Whether all that is known was written before this delivery's request came to the process.
    fn is_too_old(&self, line: &DeliveryLine<'_>, now: Option<Reading>) -> bool {
        let age = now.zip(self.newest);
        let age = age.and_then(|(now, newest)| now.since(newest));
        age.zip(taken(line)).is_some_and(|(age, taken)| age > taken)
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

/// The most seconds that the process can have spent on the delivery's request: the last two of its
/// delays, rounded up, and the width of a clock that shows whole seconds.
pub(super) fn taken(line: &DeliveryLine<'_>) -> Option<i64> {
    let mut delays = line.delays.split('/').skip(2);
    let mut next = || {
        let whole = delays.next()?.split('.').next()?;
        whole.parse::<i64>().ok()
    };
    let (set_up, transmission) = (next()?, next()?);
    set_up.checked_add(transmission)?.checked_add(CLOCK_WIDTH)
}

/// Whether the server's word shows that mail went on behind the point where STARTTLS is due.
pub(super) fn passed_starttls(line: &DeliveryLine<'_>) -> bool {
    // Postfix adds these behind the server's words.
    let commands = ["MAIL FROM", "RCPT TO", "DATA", "end of DATA"];
    let replied = |command| {
        let end = format!("(in reply to {command} command)");
        line.text.ends_with(&end)
    };
    line.status == DeliveryStatus::Sent || commands.into_iter().any(replied)
}

/// What the `tls=` of Postfix from 3.11 on says, if it says anything for certain.
fn tls_feature(line: &DeliveryLine<'_>) -> Option<LoggedStarttls> {
    let level = line.tls?.split('/').next()?;
    if level.starts_with('!') || level.ends_with('?') {
        return None;
    }
    Some(match level == "none" || level.ends_with(":none") {
        true => LoggedStarttls::NotUsed,
        false => LoggedStarttls::Used,
    })
}

/// What the deliveries of one request over one connection have in common, and no others: beside the
/// message the delays up to the connection's being set up.
fn request(line: &DeliveryLine<'_>) -> String {
    let (shared, _) = line.delays.rsplit_once('/').unwrap_or((line.delays, ""));
    format!("{} {shared} {}", line.queue_id, line.connection_use)
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

/// Seconds that two readings in whole seconds, and two rounded delays, can be off.
const CLOCK_WIDTH: i64 = 4;
