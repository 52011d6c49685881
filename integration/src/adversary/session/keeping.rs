//! What a session really kept of what a truth demands, by the model and by who stood at the other end.
//!
//! Nothing here asks the service how it judges: keys are numbers, and what a certificate is worth is
//! known from how it was made.

use hoplock_model::{Duty, Fallback, Level, Name, Order, State, TlsaRecord, Truth};

use super::certificates::{Vouching, of_key, selected};
use super::happened::{Certificate, Happened};

/// A session under a truth.
pub(super) struct Keeping<'a> {
    pub(super) truth: &'a Truth,
    pub(super) happened: &'a Happened,
    /// The next hop's own name.
    pub(super) next_hop: &'a str,
}

impl Keeping<'_> {
    /// What is owed to the host.
    pub(super) fn duty(&self) -> Duty {
        self.truth.duty_of(&self.happened.host)
    }

    /// Whether the session is what the operator has ordered for this destination; nothing where he orders
    /// nobody in particular.
    pub(super) fn ordered(&self) -> Option<bool> {
        let certificate = || self.happened.end()?.certificate.as_ref();
        let has_name = |names: &[Name]| {
            certificate().is_some_and(|own| {
                own.is_trusted() && own.names().iter().any(|name| names.contains(name))
            })
        };
        let has_pin = |pins: &[String]| {
            self.happened.end().is_some_and(|end| {
                let own = [1, 2].map(|matching| hex(&of_key(end.key, matching)));
                pins.iter().any(|pin| own.contains(pin))
            })
        };
        match &self.truth.order {
            Order::Pinned { level, matches, .. } => match level {
                Level::Fingerprint => Some(has_pin(matches)),
                Level::Verify | Level::Secure => Some(has_name(matches)),
                _ => None,
            },
            Order::Mandatory { fallback, .. } if self.truth.absent => match fallback {
                Fallback::Fingerprint(pins) => Some(has_pin(pins)),
                Fallback::Secure(names) => Some(has_name(names)),
                Fallback::Defer | Fallback::Encrypt => None,
            },
            _ => None,
        }
    }

    /// The session is no less than it owes.
    pub(super) fn keeps(&self) -> bool {
        if let Some(kept) = self.ordered() {
            return kept;
        }
        // PD-01, PD-16: his word also stands where it is a weak one.
        let is_encrypted = self.happened.is_encrypted();
        match &self.truth.order {
            Order::Pinned { level, .. } => match level {
                Level::May | Level::Dane => return true,
                Level::Encrypt => return is_encrypted,
                _ => {}
            },
            Order::Mandatory { fallback, .. }
                if self.truth.absent && *fallback == Fallback::Encrypt =>
            {
                return is_encrypted;
            }
            _ => {}
        }
        match self.duty() {
            Duty::Free => true,
            Duty::Encrypt => self.happened.is_encrypted(),
            Duty::OwnNames => self.own_names(),
            Duty::WebPki => self.sts(),
            Duty::Dane => self.dane(),
            Duty::Refuse => false,
        }
    }

    /// The host's own records name who stood there, and nobody could change which host that is
    /// (RFC 7672, 2.2 and 3.1).
    pub(super) fn dane(&self) -> bool {
        let mut hosts = self.truth.hosts.iter();
        let host = hosts.find(|host| host.name == self.happened.host);
        let Some((State::Usable(records), end)) =
            host.map(|host| &host.state).zip(self.happened.end())
        else {
            return false;
        };
        let certificate = end.certificate.as_ref();
        let names = |record: &TlsaRecord| match record.0 {
            3 => is_of_key(record, end.key),
            2 => certificate.is_some_and(|own| self.is_issued(own, record)),
            _ => false,
        };
        self.truth.mx_secure() && counting(records).any(names)
    }

    /// The policy in force names the host, and the authority of all vouches for it.
    pub(super) fn sts(&self) -> bool {
        let patterns = self.truth.enforced.as_ref();
        patterns.is_some_and(|patterns| self.happened.is_vouched_for(patterns))
    }

    /// The authority of all vouches for the next hop.
    pub(super) fn own_names(&self) -> bool {
        self.happened.has_name_of(self.next_hop)
    }

    /// RFC 7671, 5.2; RFC 7672, 3.2.2.
    fn is_issued(&self, certificate: &Certificate, record: &TlsaRecord) -> bool {
        let happened = self.happened;
        let issued = is_of_issuer(record, certificate.leaf.issuer);
        let is_reference = |name: &Name| {
            *name == happened.host || Some(name) == happened.alias.as_ref() || name == self.next_hop
        };
        issued && !certificate.leaf.expired && certificate.names().iter().any(is_reference)
    }
}

/// The records that digest agility leaves: of a usage and a selector those in the strongest digest, and
/// full data (RFC 7671, 9).
pub(in super::super) fn counting(records: &[TlsaRecord]) -> impl Iterator<Item = &TlsaRecord> {
    records.iter().filter(|record| {
        let is_stronger = |other: &TlsaRecord| {
            (other.0, other.1) == (record.0, record.1) && record.2 != 0 && other.2 > record.2
        };
        !records.iter().any(is_stronger)
    })
}

/// True where a DANE-EE record names the key of this number.
pub(in super::super) fn is_of_key(record: &TlsaRecord, key: u8) -> bool {
    let (_, selector, matching, data) = record;
    *selector == 1 && *data == of_key(key, *matching)
}

/// True where a DANE-TA record names whoever has signed.
pub(in super::super) fn is_of_issuer(record: &TlsaRecord, issuer: Vouching) -> bool {
    let (_, selector, matching, data) = record;
    *data == selected(issuer, *selector, *matching)
}

fn hex(data: &[u8]) -> String {
    data.iter().map(|byte| format!("{byte:02x}")).collect()
}
