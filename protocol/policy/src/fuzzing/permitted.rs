//! What the RFCs, the policy, the rule and the floor permit to happen to one host, from the evidence:
//! state, duty and "weaker" stated anew.

use crate::dns::SecurityStatus;
use crate::findings::{AddressFinding, DaneFinding, Findings, HostFinding, MxFinding, Validation};
use crate::law::outcome::Outcome;
use crate::law::{Answer, Conditions, LawOptions};
use crate::profile::{AddressFamilies, Family, Floor, OwnDane, PinDigest, Profile};
use crate::tlsa::{TlsaOptions, TlsaSet, TlsaUsage};

/// What is known of a host, in the eyes of one MTA.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// Has no address.
    Gone,
    /// Some lookup failed.
    Unknown,
    /// Usable TLSA records.
    Usable,
    /// Only unusable ones.
    Unusable,
    /// None.
    Bare,
}

/// The circumstances of one destination.
#[derive(Clone, Copy, Debug)]
pub(super) struct Case<'a> {
    pub(super) findings: &'a Findings,
    /// As it was seen.
    pub(super) profile: &'a Profile,
    pub(super) options: &'a LawOptions,
    pub(super) conditions: Conditions,
    /// A policy is enforced.
    pub(super) enforce: bool,
    /// A rule demands DANE.
    pub(super) mandatory: bool,
}

impl Case<'_> {
    /// DANE counts at all.
    pub(super) fn dane(&self) -> bool {
        self.options.dane && self.conditions.validation != Validation::NotValidating
    }

    /// The choice of hosts is proved.
    pub(super) fn is_secure(&self) -> bool {
        let proved = match &self.findings.mx {
            MxFinding::Hosts(selection) => selection.status() == SecurityStatus::Secure,
            MxFinding::NoHosts { .. } | MxFinding::Failed(_) => false,
        };
        self.dane() && proved
    }

    pub(super) fn state(&self, host: &HostFinding) -> State {
        let families = match self.profile.families {
            AddressFamilies::Both => vec![&host.ipv4, &host.ipv6],
            AddressFamilies::Ipv4 => vec![&host.ipv4],
            AddressFamilies::Ipv6 => vec![&host.ipv6],
        };
        let there = families
            .iter()
            .any(|family| matches!(family, AddressFinding::Present { count: 1.., .. }));
        let failed = families
            .iter()
            .any(|family| matches!(family, AddressFinding::Failed(_)));
        match (there, failed) {
            (false, true) => return State::Unknown,
            (false, false) => return State::Gone,
            (true, _) if !self.dane() => return State::Bare,
            (true, _) => {}
        }
        if host.aliased && !self.profile.follow_mx_aliases {
            return State::Unknown;
        }
        // TU-03: an MTA that does DANE by itself judges by the RFC.
        let standard = TlsaOptions::default();
        let options = match self.profile.own_dane {
            OwnDane::No => &self.options.tlsa,
            OwnDane::Auto | OwnDane::Yes => &standard,
        };
        match &host.dane {
            DaneFinding::Records { rdata, .. } => {
                if TlsaSet::read(rdata.iter().map(Vec::as_slice), options).is_usable() {
                    State::Usable
                } else {
                    State::Unusable
                }
            }
            DaneFinding::NoneSecure | DaneFinding::NoneInsecure => State::Bare,
            DaneFinding::Failed(_) | DaneFinding::NotAsked => State::Unknown,
        }
    }

    /// Whether no rule of protection is broken where this happens to a host; `listed` where the policy
    /// permits it.
    pub(super) fn permits(&self, host: &HostFinding, listed: bool, outcome: Outcome) -> bool {
        let state = self.state(host);
        if outcome == Outcome::Skip {
            return true;
        }
        if state == State::Gone {
            return false;
        }
        if self.mandatory {
            return self.is_secure() && state == State::Usable && outcome == Outcome::Dane;
        }
        if self.is_secure() {
            match state {
                State::Usable => return outcome == Outcome::Dane || self.bends(host, outcome),
                State::Unknown => return false,
                State::Unusable | State::Bare | State::Gone => {}
            }
        }
        if self.enforce {
            return listed && outcome == Outcome::WebPki;
        }
        let tls_owed = self.is_secure() && state == State::Unusable;
        match self.profile.floor {
            Floor::May | Floor::Dane => !tls_owed || outcome != Outcome::Clear,
            Floor::Encrypt => outcome != Outcome::Clear,
            Floor::Secure => matches!(
                outcome,
                Outcome::OwnWebPki | Outcome::WebPki | Outcome::Dane
            ),
        }
    }

    /// F's sentence under "Choice": where the best tier owes nothing beyond encryption, hosts behind it owe no
    /// more than that either.
    fn bends(&self, host: &HostFinding, outcome: Outcome) -> bool {
        let profile = self.profile;
        let applies = profile.family == Family::Pins && !profile.strict && !self.enforce;
        if !applies || profile.floor == Floor::Secure {
            return false;
        }
        let reachable = || {
            let hosts = self.findings.hosts.iter();
            hosts.filter(|host| self.state(host) != State::Gone && !self.is_unresolved(host))
        };
        let best = reachable().map(|host| host.preference).min();
        let tier = || reachable().filter(|host| Some(host.preference) == best);
        let is_bare = |host| matches!(self.state(host), State::Bare | State::Unusable);
        let tls = profile.floor == Floor::Encrypt
            || tier().any(|host| self.state(host) == State::Unusable);
        best.is_some_and(|best| best < host.preference)
            && tier().all(is_bare)
            && (!tls || outcome != Outcome::Clear)
    }

    fn is_unresolved(&self, host: &HostFinding) -> bool {
        let seen = match self.profile.families {
            AddressFamilies::Both => vec![&host.ipv4, &host.ipv6],
            AddressFamilies::Ipv4 => vec![&host.ipv4],
            AddressFamilies::Ipv6 => vec![&host.ipv6],
        };
        let there =
            |family: &&AddressFinding| matches!(family, AddressFinding::Present { count: 1.., .. });
        self.state(host) == State::Unknown && !seen.iter().any(there)
    }

    /// One of the listed digests is of a certificate or key that the host's DANE-EE records name.
    fn is_pinned(&self, host: &HostFinding, list: &[String]) -> bool {
        let DaneFinding::Records { rdata, .. } = &host.dane else {
            return false;
        };
        let set = TlsaSet::read(rdata.iter().map(Vec::as_slice), &self.options.tlsa);
        // RFC 7671, 9: the strongest that the client supports counts, and this client supports one.
        let wanted = match self.profile.digest {
            PinDigest::Sha256 => 1,
            PinDigest::Sha512 => 2,
        };
        let mut end_entity = set
            .usable
            .iter()
            .filter(|record| record.usage == TlsaUsage::EndEntity);
        end_entity.any(|record| {
            let record = &record.record;
            let octets = match record.matching {
                0 => crate::verify::session::digest(wanted, &record.data),
                own if own == wanted => Some(record.data.clone()),
                _ => None,
            };
            octets.is_some_and(|octets| {
                list.iter()
                    .any(|own| crate::tlsa::hex(own) == Some(octets.clone()))
            })
        })
    }

    /// What Postfix does to a host under an answer, from smtp(8) of its manual.
    pub(super) fn does(&self, answer: &Answer, host: &HostFinding) -> Outcome {
        // MX-13: without DANE it is of no consequence what could be behind such a name.
        if self.profile.family == Family::Pins && self.is_unresolved(host) {
            return Outcome::Skip;
        }
        self.does_once_resolved(answer, host)
    }

    /// The same where its own lookup of the host's addresses succeeds.
    pub(super) fn does_once_resolved(&self, answer: &Answer, host: &HostFinding) -> Outcome {
        let state = self.state(host);
        let by_dane = || match state {
            State::Usable => Outcome::Dane,
            State::Unusable => Outcome::Encrypt,
            State::Bare => Outcome::Clear,
            State::Unknown | State::Gone => Outcome::Skip,
        };
        let named = |names: &[crate::law::MatchName]| {
            let own = crate::law::MatchName::Host(host.host.0.clone());
            names.contains(&own)
        };
        match answer {
            _ if state == State::Gone => Outcome::Skip,
            Answer::Fingerprint(list)
                if self.is_secure() && state == State::Usable && self.is_pinned(host, list) =>
            {
                Outcome::Dane
            }
            Answer::Temp => Outcome::Skip,
            Answer::DaneOnly if self.is_secure() && state == State::Usable => Outcome::Dane,
            Answer::DaneOnly => Outcome::Skip,
            Answer::Dane => by_dane(),
            Answer::Secure(names) | Answer::Verify(names) if named(names) => Outcome::WebPki,
            Answer::Secure(_)
            | Answer::Verify(_)
            | Answer::Fingerprint(_)
            | Answer::Anchored { .. } => Outcome::Skip,
            Answer::Encrypt => Outcome::Encrypt,
            Answer::None | Answer::May => Outcome::Clear,
            Answer::NotFound => match self.profile.floor {
                Floor::May => Outcome::Clear,
                // PD-11: without DNSSEC of its own, it takes `dane` for `may`.
                Floor::Dane if self.profile.own_dane == OwnDane::No => Outcome::Clear,
                Floor::Dane => by_dane(),
                Floor::Encrypt => Outcome::Encrypt,
                Floor::Secure => Outcome::OwnWebPki,
            },
        }
    }
}
