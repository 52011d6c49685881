//! What a session really kept of what a truth demands, by the model and by who stood at the other end.
//!
//! Nothing here asks the service how it judges: keys are numbers, and what a certificate is worth is
//! known from how it was made.

use hoplock_model::{Duty, Name, State, Truth};

use super::certificates::{issuer_digest, key_digest};
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

    /// The session is no less than it owes.
    pub(super) fn keeps(&self) -> bool {
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
        let names = |record: &(u8, u8, u8, Vec<u8>)| match record {
            (3, 1, 1, data) => data[..] == key_digest(end.key),
            (2, 1, 1, data) => end
                .certificate
                .as_ref()
                .is_some_and(|own| self.is_issued(own, data)),
            _ => false,
        };
        self.truth.mx_secure() && records.iter().any(names)
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
    fn is_issued(&self, certificate: &Certificate, data: &[u8]) -> bool {
        let happened = self.happened;
        let issued = certificate
            .issuer()
            .is_some_and(|number| data == issuer_digest(number));
        let is_reference = |name: &Name| {
            *name == happened.host || Some(name) == happened.alias.as_ref() || name == self.next_hop
        };
        issued && !certificate.leaf.expired && certificate.names().iter().any(is_reference)
    }
}
