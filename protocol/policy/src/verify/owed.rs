//! What a session owes: the duty of its host, with the evidence that it is judged by.

use rustls_pki_types::TrustAnchor;
use sha2::{Digest as _, Sha256};

use super::names::ReferenceNames;
use crate::dns::SecurityStatus;
use crate::findings::{
    AddressFinding, DaneFinding, Findings, HostFinding, MxFinding, Selection, StsFinding,
};
use crate::law::duty::{Duty, raised};
use crate::law::rows::Row;
use crate::law::situation::HostState;
use crate::law::{Answer, MatchName, Verdict};
use crate::moment::Moment;
use crate::name::{DomainName, TlsaBaseDomain};
use crate::next_hop::NextHop;
use crate::profile::Floor;
use crate::reason::Reason;
use crate::rules::Mode;
use crate::sts::{StsMode, StsPolicy};
use crate::tlsa::{TlsaOptions, TlsaSet};

/// What a session owes, with the evidence for it (RFC 7672, 2.2; RFC 8461, 5).
#[derive(Clone, Debug)]
pub struct Owed<'a> {
    /// The duty of the host (see [`crate::law::duty`]).
    pub duty: Duty,
    /// Its TLSA records, where it has any that are secure: they bind where the duty is `dane`, and
    /// are compared elsewhere.
    pub dane: Option<DaneEvidence>,
    /// The policy in force, enforced or tested.
    pub sts: Option<&'a StsPolicy>,
    /// What the operator demands in place of all that.
    pub demand: Demand,
    /// Who vouches for certificates by web PKI.
    pub authorities: &'a [TrustAnchor<'static>],
}

/// The TLSA records of a host, and whom they bind (RFC 7672, 2.2 and 3).
#[derive(Clone, Debug)]
pub struct DaneEvidence {
    /// Where the records stand: the server name that must be asked for.
    pub base: Option<TlsaBaseDomain>,
    /// The records.
    pub records: TlsaSet,
    /// Which names count under DANE-TA.
    pub names: ReferenceNames,
    /// Whether what led to the host is secure; if not, the records bind nothing (RFC 7672, 2.2.1).
    pub mx: SecurityStatus,
}

/// What the operator demands, above all that a destination publishes (PD-01).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Demand {
    /// Nothing beside the duty.
    Nothing,
    /// One of these digests, of the certificate or its key, in hexadecimal with colons.
    Pins(Vec<String>),
    /// Web PKI under one of these names.
    Names(Vec<MatchName>),
}

/// Nothing is known of this host, and the destination's policy binds it to others: whoever it is,
/// mail for the destination does not belong there (RFC 7672, 2.2.1; RFC 8461, 4.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StrangeHost;

impl<'a> Owed<'a> {
    /// What a session with `host` owed under a verdict of this program, with the policy in force at
    /// `now` (RFC 7672, 2.2; RFC 8461, 5), for a mail server whose own level is `floor`.
    ///
    /// # Errors
    /// [`StrangeHost`] where the destination binds its hosts, and this is none of them.
    pub fn under(
        verdict: &Verdict,
        findings: Option<&'a Findings>,
        host: &DomainName,
        tlsa: &TlsaOptions,
        authorities: &'a [TrustAnchor<'static>],
        now: Moment,
        floor: Floor,
    ) -> Result<Self, StrangeHost> {
        let sts_counts = verdict.rule.as_ref().is_none_or(|rule| rule.sts);
        let sts = findings
            .filter(|_| sts_counts)
            .and_then(|findings| in_force(findings, now));
        let finding = findings.and_then(|findings| named(findings, host));
        let dane = finding
            .zip(findings)
            .and_then(|(finding, findings)| evidence(finding, findings, tlsa));
        let own = Self {
            duty: Duty::Free,
            dane,
            sts,
            demand: Demand::Nothing,
            authorities,
        };
        if let Some((duty, demand)) = by_operator(verdict, &own, findings, finding) {
            return Ok(Self {
                duty,
                demand,
                ..own
            });
        }
        // A host that seemed to have no address was given no duty, and is like one that nobody
        // knows.
        let mut judged = verdict.hosts.iter().filter(|judged| {
            let own = findings.and_then(|findings| findings.hosts.get(judged.index));
            own.is_some_and(|own| own.host.0 == *host) && judged.state != HostState::Unreachable
        });
        match judged.next() {
            Some(judged) => Ok(own.owing(judged.duty, findings)),
            // PD-16: the mail server's own level acts, for those who are known and for those who are not.
            None if verdict.answer == Answer::NotFound && asks_no_more(verdict, floor) => {
                Ok(own.owing(raised(Duty::Free, floor), findings))
            }
            // PD-08: DANE is demanded, and a host that no secure MX set has named has none.
            None if is_mandatory(verdict) && !has_secure_set(findings) => Ok(Self {
                duty: Duty::Refuse,
                ..own
            }),
            // DT-01s: no host is known for sure, and the policy's patterns say who may take mail. Where
            // the MX set is secure, a host outside it may have TLSA records that bind first (PD-02).
            None if !has_secure_set(findings) && own.is_enforced() => Ok(Self {
                duty: Duty::WebPki,
                ..own
            }),
            None => Err(StrangeHost),
        }
    }

    /// RFC 7672, 2.2.1: records behind an insecure MX set say nothing of who the host should be
    /// (MX-22).
    pub(super) fn binds_nothing(&self) -> bool {
        let dane = self.dane.as_ref();
        dane.is_some_and(|evidence| evidence.mx != SecurityStatus::Secure)
    }

    fn owing(self, duty: Duty, findings: Option<&Findings>) -> Self {
        let demand = match duty {
            Duty::OwnWebPki => own_names(findings),
            _ => Demand::Nothing,
        };
        Self {
            duty,
            demand,
            ..self
        }
    }

    fn is_enforced(&self) -> bool {
        self.sts.is_some_and(|sts| sts.mode == StsMode::Enforce)
    }

    /// What a session owed by evidence that came with its report: usable records first (RFC 8461,
    /// 2), then an enforced policy; `None` where there is no evidence.
    #[must_use]
    pub fn by_evidence(
        records: Option<TlsaSet>,
        names: ReferenceNames,
        base: Option<TlsaBaseDomain>,
        sts: Option<&'a StsPolicy>,
        authorities: &'a [TrustAnchor<'static>],
    ) -> Option<Self> {
        // RFC 8461, 5: such a policy is as good as none.
        let sts = sts.filter(|sts| sts.mode != StsMode::None);
        let enforced = sts.is_some_and(|sts| sts.mode == StsMode::Enforce);
        let duty = match &records {
            None if sts.is_none() => return None,
            Some(set) if set.is_usable() => Duty::Dane,
            // RFC 7672, 2.2: records that cannot be used still oblige TLS.
            Some(set) if !set.unusable.is_empty() && !enforced => Duty::Encrypt,
            _ if enforced => Duty::WebPki,
            _ => Duty::Free,
        };
        Some(Self {
            duty,
            dane: records.map(|records| DaneEvidence {
                base,
                records,
                names,
                mx: SecurityStatus::Secure,
            }),
            sts,
            demand: Demand::Nothing,
            authorities,
        })
    }

    /// Tells one policy from another: a resumed session may rest on what was judged under the same
    /// (RFC 8446, 2.2; SV-05).
    #[must_use]
    pub fn generation(&self) -> [u8; 32] {
        let mut digest = Sha256::new();
        let mut add = |part: &str| {
            digest.update(part.len().to_be_bytes());
            digest.update(part.as_bytes());
        };
        add(self.duty.word());
        if let Some(dane) = &self.dane {
            for record in &dane.records.usable {
                add(&record.record.to_string());
            }
            dane.names.iter().for_each(|name| add(name.as_str()));
        }
        add(self.sts.map_or("", |sts| &sts.text));
        match &self.demand {
            Demand::Nothing => {}
            Demand::Pins(pins) => pins.iter().for_each(|pin| add(pin)),
            Demand::Names(names) => names.iter().for_each(|name| add(&name.to_string())),
        }
        digest.finalize().into()
    }
}

/// A rule of the operator stands above what the destination published (PD-01).
fn by_operator(
    verdict: &Verdict,
    own: &Owed<'_>,
    findings: Option<&Findings>,
    finding: Option<&HostFinding>,
) -> Option<(Duty, Demand)> {
    if verdict.hands_off() {
        return Some((Duty::Free, Demand::Nothing));
    }
    if verdict.row != Row::Rule && verdict.reason != Reason::RuleFallback {
        return None;
    }
    Some(match &verdict.answer {
        Answer::None | Answer::May => (Duty::Free, Demand::Nothing),
        Answer::Encrypt => (Duty::Encrypt, Demand::Nothing),
        Answer::Fingerprint(pins) => (Duty::OwnWebPki, Demand::Pins(pins.clone())),
        Answer::Secure(names) | Answer::Verify(names) => {
            (Duty::OwnWebPki, Demand::Names(names.clone()))
        }
        // What the DNS holds was not asked for a pinned level: whoever judges asks it first.
        Answer::Dane | Answer::DaneOnly if findings.is_none() => return None,
        Answer::Dane if finding.is_none() && has_secure_set(findings) => return None,
        Answer::Dane | Answer::DaneOnly => {
            (by_dane(&verdict.answer, own, finding), Demand::Nothing)
        }
        Answer::Temp => (Duty::Refuse, Demand::Nothing),
        // No rule gives either.
        Answer::NotFound | Answer::Anchored { .. } => return None,
    })
}

/// The operator's level `dane` or `dane-only`: DANE where there is any, which an insecure MX set
/// has not (RFC 7672, 2.2.1), and no session where that is not known (RFC 7672, 2.1.2).
fn by_dane(level: &Answer, own: &Owed<'_>, finding: Option<&HostFinding>) -> Duty {
    let is_failed = |addresses: &AddressFinding| matches!(addresses, AddressFinding::Failed(_));
    let failed = finding.is_some_and(|finding| match &finding.dane {
        DaneFinding::Failed(_) => true,
        DaneFinding::NotAsked => is_failed(&finding.ipv4) || is_failed(&finding.ipv6),
        _ => false,
    });
    let secure = own.dane.as_ref();
    match secure.filter(|dane| dane.mx == SecurityStatus::Secure) {
        Some(dane) if dane.records.is_usable() => Duty::Dane,
        _ if failed || *level == Answer::DaneOnly => Duty::Refuse,
        Some(_) => Duty::Encrypt,
        None => Duty::Free,
    }
}

/// The floor `secure` asks for the next hop's own names, as Postfix has it.
fn own_names(findings: Option<&Findings>) -> Demand {
    let name = findings.and_then(|findings| findings.next_hop.name());
    let names = name.into_iter().flat_map(|name| {
        [
            MatchName::Host(name.clone()),
            MatchName::Below(name.clone()),
        ]
    });
    Demand::Names(names.collect())
}

fn named<'a>(findings: &'a Findings, host: &DomainName) -> Option<&'a HostFinding> {
    findings.hosts.iter().find(|own| own.host.0 == *host)
}

fn is_mandatory(verdict: &Verdict) -> bool {
    let rule = verdict.rule.as_ref();
    rule.is_some_and(|rule| rule.mode == Mode::Mandatory)
}

/// True where no host owes more than the mail server's own level asks of all.
fn asks_no_more(verdict: &Verdict, floor: Floor) -> bool {
    let own_level = [Duty::Free, raised(Duty::Free, floor)];
    let mut hosts = verdict.hosts.iter();
    hosts.all(|host| own_level.contains(&host.duty))
}

fn has_secure_set(findings: Option<&Findings>) -> bool {
    findings.is_some_and(|findings| match findings.mx {
        MxFinding::Hosts(selection) => selection.status() == SecurityStatus::Secure,
        MxFinding::NoHosts { .. } | MxFinding::Failed(_) => false,
    })
}

fn in_force(findings: &Findings, now: Moment) -> Option<&StsPolicy> {
    match &findings.sts {
        StsFinding::Policy { remembered, .. }
            if !remembered.remaining(now).is_zero() && remembered.policy.mode != StsMode::None =>
        {
            Some(&remembered.policy)
        }
        _ => None,
    }
}

fn evidence(
    finding: &HostFinding,
    findings: &Findings,
    tlsa: &TlsaOptions,
) -> Option<DaneEvidence> {
    let DaneFinding::Records { base, rdata } = &finding.dane else {
        return None;
    };
    let MxFinding::Hosts(selection) = findings.mx else {
        return None;
    };
    Some(DaneEvidence {
        base: Some(base.clone()),
        records: TlsaSet::read(rdata.iter().map(Vec::as_slice), tlsa),
        names: reference_names(finding, findings)?,
        mx: selection.status(),
    })
}

/// Which names count for a host under DANE-TA (RFC 7672, 3.2.2; CM-26, CM-27).
pub(crate) fn reference_names(
    finding: &HostFinding,
    findings: &Findings,
) -> Option<ReferenceNames> {
    let DaneFinding::Records { base, .. } = &finding.dane else {
        return None;
    };
    let MxFinding::Hosts(selection) = findings.mx else {
        return None;
    };
    let domain = findings.next_hop.name()?;
    Some(match (selection, &findings.next_hop) {
        (_, NextHop::Host { host, .. }) => ReferenceNames::without_mx(base, &host.0),
        (Selection::Mx(SecurityStatus::Secure), _) => {
            let expanded = findings.expanded_domain();
            ReferenceNames::behind_secure_mx(base, domain, expanded)
        }
        (Selection::Srv(SecurityStatus::Secure), _) => {
            ReferenceNames::behind_secure_srv(base, &finding.host.0, domain)
        }
        (Selection::Implicit(_) | Selection::Named, _) => {
            ReferenceNames::without_mx(base, &finding.host.0)
        }
        (Selection::Mx(_) | Selection::Srv(_), _) => ReferenceNames::behind_insecure_mx(base),
    })
}
