//! Which lines belong to an open session.
//!
//! The rule behind all of it: a line that could be of another session is of another session. So no
//! session inherits a certificate from the one before, however alike they are.

use std::net::IpAddr;

use super::clues::{passed_starttls, request, taken, tls_feature};
use super::event::{DeliveryLine, Event, Peer, Trouble};
use super::logged::LoggedStarttls;
use super::open::{Open, Stage};
use super::reading::Reading;

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
}
