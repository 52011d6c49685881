//! What can be handed to an MTA without DANE in place of TLSA records: digests to pin, and trust anchors
//! by their bytes (the law's column F).
//!
//! Taken from each host by itself, and then put together. Digest agility (RFC 7671, 9) is among what the
//! MTA takes: for pins that is one digest, for trust anchors all of them, since they go by their bytes.
//! Not done here: which of the two is answered ([`super::choice`]).

use std::fmt::Write as _;

use super::choice::{Abilities, choose};
use super::options::LawOptions;
use super::outcome::{Candidate, Outcome};
use super::rows::Row;
use super::situation::{HostState, Situation, StateClass};
use super::verdict::{Answer, JudgedHost, MatchName, Verdict};
use crate::findings::{DaneFinding, Findings, HostFinding};
use crate::name::{DomainName, MxHost};
use crate::profile::{Family, PinDigest, Profile};
use crate::reason::Reason;
use crate::render::postfix::REPLY_LIMIT;
use crate::tlsa::{TlsaRecord, TlsaSet, TlsaUsage, TrustAnchorBytes, UsableRecord, strongest};
use crate::verify::reference_names;
use crate::verify::session::digest;

/// What one host's records give.
#[derive(Debug, Default)]
pub(super) struct Means {
    /// Digests of its certificates and keys, where those are what is used of it.
    pub(super) pins: Vec<String>,
    /// Its trust anchors, where those are.
    pub(super) anchors: Vec<TrustAnchorBytes>,
    /// It has records of trust anchors beside the pins, and they go unused (DT-19).
    beside: bool,
    /// A probe could bring an anchor that would be used.
    pub(super) wanted: bool,
}

impl Means {
    /// What the records of `host` give to the MTA of `profile`.
    pub(super) fn of(
        host: &HostFinding,
        findings: &Findings,
        profile: &Profile,
        options: &LawOptions,
    ) -> Self {
        let DaneFinding::Records { rdata, .. } = &host.dane else {
            return Self::default();
        };
        let set = TlsaSet::read(rdata.iter().map(Vec::as_slice), &options.tlsa);
        let counting = strongest(&set.usable, &options.digest_order);
        let is_anchor = |record: &UsableRecord| record.usage == TlsaUsage::TrustAnchor;
        // RFC 7671, 9: agility is among the digests that the client supports, and this one takes one.
        let pins: Vec<String> = set
            .usable
            .iter()
            .filter(|record| !is_anchor(record))
            .filter_map(|record| pin(&record.record, profile.digest))
            .collect();
        let has_place = !profile.anchors_told().is_empty();
        let anchors: Vec<TrustAnchorBytes> = counting
            .iter()
            .filter(|_| has_place)
            .filter_map(|record| TrustAnchorBytes::of(record, &findings.anchors))
            .collect();
        let beside = counting.iter().any(|record| is_anchor(record));
        // DT-19: the DANE-EE part is used, until it was seen to fail where the other matched.
        let failed = findings.end_entity_failed.contains(&host.host);
        let is_digest = |record: &&UsableRecord| is_anchor(record) && record.record.matching != 0;
        let wanted = has_place
            && profile.probe
            && anchors.is_empty()
            && (pins.is_empty() || failed)
            && counting.iter().any(is_digest);
        let by_anchors = pins.is_empty() || failed && !anchors.is_empty();
        let (pins, anchors) = if by_anchors {
            (Vec::new(), anchors)
        } else {
            (pins, Vec::new())
        };
        Self {
            pins,
            anchors,
            beside,
            wanted,
        }
    }
}

/// PF-09: the digest of a DANE-EE record in the algorithm that the MTA takes; full data is hashed, and
/// a digest of another algorithm says nothing to it (DT-17).
fn pin(record: &TlsaRecord, algorithm: PinDigest) -> Option<String> {
    let own = match algorithm {
        PinDigest::Sha256 => 1,
        PinDigest::Sha512 => 2,
    };
    let octets = match record.matching {
        0 => digest(own, &record.data)?,
        matching if matching == own => record.data.clone(),
        _ => return None,
    };
    let mut text = String::with_capacity(2 * octets.len());
    for octet in octets {
        let _ = write!(text, "{octet:02x}");
    }
    Some(text)
}

/// The evidence of one destination in the eyes of an MTA without DANE.
#[derive(Clone, Copy)]
pub(super) struct Pinning<'a> {
    pub(super) findings: &'a Findings,
    pub(super) profile: &'a Profile,
    pub(super) options: &'a LawOptions,
}

impl<'a> Pinning<'a> {
    fn means(&self, host: &HostFinding) -> Means {
        Means::of(host, self.findings, self.profile, self.options)
    }

    /// The hosts that the answer authenticates, with what it uses of each.
    fn used(&self, hosts: &[JudgedHost]) -> Vec<(&'a HostFinding, Means)> {
        let used = hosts.iter().filter(|host| host.outcome == Outcome::Dane);
        used.filter_map(|host| self.findings.hosts.get(host.index))
            .map(|finding| (finding, self.means(finding)))
            .collect()
    }

    /// The verdict that pins or anchors the hosts used.
    pub(super) fn chosen(&self, candidate: Candidate, hosts: &[JudgedHost], row: Row) -> Verdict {
        let used = self.used(hosts);
        let mut verdict = if candidate == Candidate::Fingerprint {
            self.fingerprint(&used, row)
        } else {
            self.anchored(&used, row)
        };
        verdict.server_name = server_name(&used);
        verdict
    }

    fn fingerprint(&self, used: &[(&HostFinding, Means)], row: Row) -> Verdict {
        let all = used.iter().flat_map(|(_, means)| &means.pins);
        let mut pins: Vec<String> = all.cloned().collect();
        pins.sort();
        pins.dedup();
        let most = most_pins(self.profile.digest);
        if pins.len() > most {
            // A list that were cut would refuse hosts that are as good as the others.
            let words = format!(
                "{} keys and certificates would have to be pinned, and Postfix reads {most} at most",
                pins.len()
            );
            return Verdict::temp(row, Reason::ReplyTooLong, words);
        }
        let (reason, words) = if used.iter().any(|(_, means)| means.beside) {
            (
                Reason::DaneEndEntityOnly,
                "every host used must show a key or certificate that the DANE-EE records name; records of \
                 trust anchors beside them go unused",
            )
        } else {
            (
                Reason::DaneAllHosts,
                "every host used must show a key or certificate that the TLSA records name",
            )
        };
        Verdict::plain(Answer::Fingerprint(pins), row, reason, words.to_owned())
    }

    fn anchored(&self, used: &[(&HostFinding, Means)], row: Row) -> Verdict {
        let all = used.iter().flat_map(|(_, means)| &means.anchors);
        let mut anchors: Vec<TrustAnchorBytes> = all.cloned().collect();
        anchors.sort();
        anchors.dedup();
        // RFC 7672, 3.2.2: the names that count for DANE-TA, and no others (CM-26).
        let references = used
            .iter()
            .filter_map(|(host, _)| reference_names(host, self.findings));
        let mut names: Vec<MatchName> = references
            .flat_map(|names| names.iter().cloned().collect::<Vec<_>>())
            .map(MatchName::Host)
            .collect();
        names.sort();
        names.dedup();
        if names.is_empty() || anchors.is_empty() {
            let words = "no reference name or no trust anchor is left to tell";
            return Verdict::temp(row, Reason::MtaCannotAuthenticate, words);
        }
        let words = "every host used must show a certificate from a trust anchor that the TLSA records name";
        let answer = Answer::Anchored { names, anchors };
        Verdict::plain(answer, row, Reason::DaneTrustAnchors, words.to_owned())
    }

    /// The hosts of which a probe could bring an anchor that changes the answer: none where even with
    /// all of them known another answer would be better.
    pub(super) fn wanted(&self, situation: &Situation, hosts: &[JudgedHost]) -> Vec<MxHost> {
        if self.profile.family != Family::Pins {
            return Vec::new();
        }
        let counting = || {
            let counting = |host: &&JudgedHost| host.state != HostState::Unreachable;
            hosts.iter().filter(counting)
        };
        let wanted: Vec<Option<&HostFinding>> = counting()
            .map(|host| {
                let finding = self.findings.hosts.get(host.index)?;
                let is_usable = host.state.class() == Some(StateClass::Usable);
                (is_usable && self.means(finding).wanted).then_some(finding)
            })
            .collect();
        let mut known = situation.clone();
        for (host, wanted) in known.hosts.iter_mut().zip(&wanted) {
            if wanted.is_some() {
                (host.pinned, host.anchored) = (false, true);
            }
        }
        let choice = choose(&known, Abilities::of(self.profile));
        if choice.answer != Some(Candidate::Anchored) {
            return Vec::new();
        }
        let used = wanted.into_iter().zip(&choice.outcomes);
        let mut names: Vec<MxHost> = used
            .filter(|(_, outcome)| **outcome == Outcome::Dane)
            .filter_map(|(wanted, _)| Some(wanted?.host.clone()))
            .collect();
        names.sort();
        names.dedup();
        names
    }

    /// Why no host that has usable records can be authenticated, with the cure: the postmaster reads it in
    /// the MTA's log.
    pub(super) fn cannot(&self, hosts: &[JudgedHost]) -> String {
        let words: Vec<String> = hosts
            .iter()
            .filter(|host| host.state.class() == Some(StateClass::Usable))
            .filter_map(|host| self.findings.hosts.get(host.index))
            .map(|host| format!("{}: {}", host.host, self.lacking(host)))
            .take(NAMED)
            .collect();
        words.join("; ")
    }

    fn lacking(&self, host: &HostFinding) -> String {
        let means = self.means(host);
        let profile = self.profile;
        if !means.beside {
            let (own, other) = match profile.digest {
                PinDigest::Sha256 => ("sha256", "SHA-512"),
                PinDigest::Sha512 => ("sha512", "SHA-256"),
            };
            return format!(
                "its DANE-EE records are digests of {other} only, and the MTA pins {own}"
            );
        }
        if profile.anchors_told().is_empty() {
            return "its records name trust anchors, which go to Postfix as files: set anchor_directory \
                    in the profile"
                .to_owned();
        }
        let failure = self.findings.anchor_failures.iter();
        let mut failure = failure.filter(|(failed, _)| *failed == host.host);
        match failure.next() {
            Some((_, why)) => format!("no trust anchor was brought by a probe: {why}"),
            None if means.wanted => "its trust anchor is being asked for (probe)".to_owned(),
            None if !profile.probe => {
                "its records are digests of trust anchors; set probe = true in the profile"
                    .to_owned()
            }
            None => "its trust anchor is no certificate of an authority".to_owned(),
        }
    }
}

/// PF-11; RFC 7672, 8.1: the server name is the TLSA base. The MX host's own is asked for, as Postfix does
/// by itself, unless all hosts used have another base in common.
fn server_name(used: &[(&HostFinding, Means)]) -> Option<DomainName> {
    let mut bases = used.iter().map(|(host, _)| match &host.dane {
        DaneFinding::Records { base, .. } => Some(&base.0),
        _ => None,
    });
    let first = bases.next()??;
    let in_common = bases.all(|base| base == Some(first));
    let differs = used.iter().any(|(host, _)| host.host.0 != *first);
    (in_common && differs).then(|| first.clone())
}

/// Digests of an algorithm that an answer has room for, beside its other words.
fn most_pins(digest: PinDigest) -> usize {
    let digits = match digest {
        PinDigest::Sha256 => 64,
        PinDigest::Sha512 => 128,
    };
    PINS.min((REPLY_LIMIT - OTHER_WORDS) / (digits + "|".len()))
}

/// Whoever publishes more than so many keys has made a mistake; nobody could look at them all.
const PINS: usize = 1000;
/// Octets of an answer beside its pins: level, server name, protocols.
const OTHER_WORDS: usize = 1000;
/// Hosts named in one TEMP text: the MTA logs about 200 characters of it.
const NAMED: usize = 3;
