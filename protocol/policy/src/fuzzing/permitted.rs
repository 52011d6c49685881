//! What the RFCs, the policy, the rule and the floor permit to happen to one host, from the evidence:
//! state, duty and "weaker" stated anew.

use crate::dns::SecurityStatus;
use crate::findings::{AddressFinding, DaneFinding, Findings, HostFinding, MxFinding, Validation};
use crate::law::outcome::Outcome;
use crate::law::{Answer, Conditions, LawOptions};
use crate::profile::{AddressFamilies, Floor, OwnDane, Profile};
use crate::tlsa::{TlsaOptions, TlsaSet};

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
                State::Usable => return outcome == Outcome::Dane,
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

    /// What Postfix does to a host under an answer, from smtp(8) of its manual.
    pub(super) fn does(&self, answer: &Answer, host: &HostFinding) -> Outcome {
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
