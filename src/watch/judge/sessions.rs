//! STARTTLS and certificates of each host (RFC 7672, 2.2; RFC 8461, 4.2).

use hoplock_policy::reason::Reason;
use hoplock_policy::sts::StsMode;
use hoplock_policy::tlsa::TlsaUsage;
use hoplock_policy::verify::{
    Certificate, CertificateFacts, Matched, ReferenceNames, Refused, Starttls, by_web_pki,
};

use super::{
    Bar, Doubt, Finding, HostView, Kind, Notes, Seen, Severity, day, rollover, seconds, span, tlsa,
};
use crate::watch::finding::{Basis, printable};
use crate::watch::shown::{WatchedAddress, WatchedCertificate, WatchedHost};
use crate::world::probe::{Probed, Signature, Stage};

/// Judges every host, and says what each showed.
pub(super) fn judge(
    notes: &mut Notes,
    seen: &Seen,
    hosts: &[HostView<'_>],
    bar: &Bar<'_>,
) -> Vec<WatchedHost> {
    if seen.sessions.is_none() {
        notes.doubt(Doubt::on(OF_SESSION));
        notes.find(Finding::new(
            Kind::NotProbed,
            Severity::Note,
            "the mail hosts were not spoken to",
            "this machine has no name to say in EHLO",
            "give it a full host name (hostname --fqdn), or say --helo to hoplock check",
        ));
    }
    let judged: Vec<(WatchedHost, usize)> = hosts
        .iter()
        .map(|host| {
            let mut own = OfHost::new(seen, host, bar);
            for probed in host.sessions.iter().flat_map(|own| &own.probed) {
                own.address(notes, probed);
            }
            own.whole(notes);
            (own.shown, own.reached)
        })
        .collect();
    let is_any_there = hosts.iter().any(|host| {
        let sessions = host.sessions;
        sessions.is_some_and(|own| !own.probed.is_empty())
    });
    if is_any_there && judged.iter().all(|(_, reached)| *reached == 0) {
        notes.doubt(Doubt::on(OF_SESSION));
    }
    judged.into_iter().map(|(shown, _)| shown).collect()
}

/// One host in the making.
struct OfHost<'a> {
    seen: &'a Seen,
    host: &'a HostView<'a>,
    bar: &'a Bar<'a>,
    /// What it showed, at each address that showed something.
    chains: Vec<&'a [Certificate]>,
    /// The records take all of these.
    all_match: bool,
    /// Some of them by an issuer, whose certificates must not have ended.
    by_anchor: bool,
    reached: usize,
    shown: WatchedHost,
}

/// What an address showed.
enum Shown<'a> {
    Chain(&'a [Certificate]),
    Unreachable,
    Inconclusive,
    Broken(Kind),
}

impl<'a> Shown<'a> {
    fn of(probed: &'a Probed) -> Self {
        if let Stage::Unreachable { .. } = probed.stage {
            return Self::Unreachable;
        }
        let proved = probed
            .tls
            .as_ref()
            .is_some_and(|tls| tls.signature == Signature::Proved);
        match probed.stage.starttls() {
            Some(Starttls::Used) if proved && !probed.chain.is_empty() => {
                Self::Chain(&probed.chain)
            }
            None | Some(Starttls::Used) => Self::Inconclusive,
            Some(Starttls::NotOffered) => Self::Broken(Kind::StarttlsNotOffered),
            Some(Starttls::Refused | Starttls::Failed) => Self::Broken(Kind::StarttlsFailed),
        }
    }
}

impl<'a> OfHost<'a> {
    fn new(seen: &'a Seen, host: &'a HostView<'a>, bar: &'a Bar<'a>) -> Self {
        Self {
            seen,
            host,
            bar,
            chains: Vec::new(),
            all_match: true,
            by_anchor: false,
            reached: 0,
            shown: WatchedHost::new(host.name, host.finding.preference, &host.records),
        }
    }

    fn address(&mut self, notes: &mut Notes, probed: &'a Probed) {
        let address = probed.target.address.ip();
        let mut line = WatchedAddress::new(address, printable(&probed.stage.to_string()));
        let name = self.host.name;
        match Shown::of(probed) {
            Shown::Unreachable => {
                notes.doubt(Doubt {
                    address: Some(address),
                    weighs: false,
                    ..Doubt::on(OF_SESSION).of(name)
                });
                let finding = Finding::new(
                    Kind::HostUnreachable,
                    Severity::Note,
                    format!("{name} was not reached at {address}"),
                    line.stage.clone(),
                    "nothing, if mail comes in: many networks let nobody but mail servers out to port 25, \
                     and many machines have no IPv6",
                );
                notes.find(finding.of(name).at(address));
            }
            Shown::Inconclusive => {
                self.reached += 1;
                notes.doubt(Doubt {
                    address: Some(address),
                    ..Doubt::on(OF_SESSION).of(name)
                });
                let finding = Finding::new(
                    Kind::HostInconclusive,
                    Severity::Note,
                    format!("nothing can be said of the TLS of {name} at {address}"),
                    line.stage.clone(),
                    "look with hoplock check --engine openssl, and from another machine",
                );
                notes.find(finding.of(name).at(address));
            }
            Shown::Broken(kind) => {
                self.reached += 1;
                self.all_match = false;
                notes.find(self.broken(kind, &line.stage).of(name).at(address));
            }
            Shown::Chain(chain) => {
                self.reached += 1;
                self.chain(notes, chain, &mut line);
            }
        }
        self.shown.addresses.push(line);
    }

    fn broken(&self, kind: Kind, stage: &str) -> Finding {
        let name = self.host.name;
        let (severity, comes) = match self.host.owes_tls() {
            true => (
                Severity::Alarm,
                "senders that keep DANE or MTA-STS deliver no mail to it",
            ),
            false => (Severity::Warning, "mail to it travels in clear text"),
        };
        let (what, cure) = match kind {
            Kind::StarttlsNotOffered => (
                format!("{name} does not offer STARTTLS"),
                "switch it on (Postfix: smtpd_tls_security_level = may); if it is on, something between here \
                 and there takes it out: look from another network",
            ),
            _ => (
                format!("{name} offers STARTTLS, and TLS does not come about"),
                "see the host's log: most often its certificate or key cannot be read",
            ),
        };
        Finding::new(kind, severity, what, format!("{comes}: {stage}"), cure)
    }

    fn chain(&mut self, notes: &mut Notes, chain: &'a [Certificate], line: &mut WatchedAddress) {
        self.chains.push(chain);
        let leaf = chain.first().and_then(CertificateFacts::of);
        let now = seconds(self.seen.time);
        let has_ended = leaf.as_ref().is_some_and(|facts| facts.not_after < now);
        line.certificate = leaf.as_ref().map(WatchedCertificate::of);
        if let Some((base, set)) = self.host.records.usable() {
            match tlsa::compare(chain, base, set, self.seen) {
                Ok(good) => {
                    let anchor = matches!(&good.matched, Matched::Tlsa { depth, .. } if *depth > 0);
                    self.by_anchor |= anchor;
                    line.matched_by(&good.matched);
                }
                Err(refused) => {
                    self.all_match = false;
                    line.refused = Some(printable(&format!(
                        "{}: {}",
                        refused.reason, refused.detail
                    )));
                    self.by_anchor |= refused.reason == Reason::CertificateExpired;
                    // That it has ended is told once.
                    if !(has_ended && refused.reason == Reason::CertificateExpired) {
                        let finding = tlsa::refused(self.host.name, base, chain, &refused);
                        notes.find(finding.at(line.address));
                    }
                }
            }
        }
        let names = ReferenceNames::exactly([self.host.name.clone()]);
        let by_authority = by_web_pki(chain, self.bar.authorities, &names, self.seen.time);
        line.web_pki = Some(match &by_authority {
            Ok(_) => "valid".to_owned(),
            Err(refused) => refused.reason.word().to_owned(),
        });
        if let (Err(refused), Some(mode)) = (&by_authority, self.host.mode)
            && mode != StsMode::None
            && !(has_ended && refused.reason == Reason::CertificateExpired)
        {
            let finding = self.not_by_web_pki(refused, mode);
            notes.find(finding.of(self.host.name).at(line.address));
        }
    }

    fn not_by_web_pki(&self, refused: &Refused, mode: StsMode) -> Finding {
        let name = self.host.name;
        let (severity, comes) = match mode {
            StsMode::Enforce => (
                Severity::Alarm,
                "senders that keep MTA-STS deliver no mail to it",
            ),
            StsMode::Testing | StsMode::None => (
                Severity::Warning,
                "under mode: enforce senders would deliver no mail to it",
            ),
        };
        let (kind, what, cure) = match refused.reason {
            Reason::CertificateNameMismatch => (
                Kind::StsHostName,
                format!("the certificate of {name} is for other names"),
                format!("get one with {name} among its names (RFC 8461, 4.2)"),
            ),
            _ => (
                Kind::StsHostCertificate,
                format!("no public authority vouches for the certificate of {name}"),
                "get one of a public authority, and let the host send its intermediate certificates"
                    .to_owned(),
            ),
        };
        let cause = format!("{comes}: {} ({})", refused.detail, refused.reason);
        Finding::new(kind, severity, what, cause, cure)
    }

    /// What all addresses together come to.
    fn whole(&mut self, notes: &mut Notes) {
        if self.chains.is_empty() {
            let basis = OF_SESSION;
            let has_sessions = self.host.sessions.is_some_and(|own| !own.probed.is_empty());
            if has_sessions {
                notes.doubt(Doubt {
                    weighs: false,
                    ..Doubt::on(basis).of(self.host.name)
                });
            }
            return;
        }
        self.validity(notes);
        if let (Some(records), true) = (self.host.records.usable(), self.all_match) {
            let (name, chains) = (self.host.name, &self.chains);
            rollover::judge(notes, name, records, chains, self.seen, self.bar);
        }
    }

    fn validity(&self, notes: &mut Notes) {
        let ends = self
            .chains
            .iter()
            .filter_map(|chain| CertificateFacts::of(chain.first()?));
        let Some(first) = ends.map(|facts| facts.not_after).min() else {
            return;
        };
        let left = first.saturating_sub(seconds(self.seen.time));
        let before = i64::try_from(self.bar.before.as_secs()).unwrap_or(i64::MAX);
        if left >= before {
            return;
        }
        let name = self.host.name;
        let usable = self.host.records.usable();
        let names_leaf_alone = usable.is_some_and(|(_, set)| {
            let mut records = set.usable.iter();
            records.all(|own| own.usage == TlsaUsage::EndEntity)
        });
        // RFC 7671, 5.1: under DANE-EE dates do not count; under DANE-TA and MTA-STS they do.
        let counts = self.by_anchor || self.host.mode == Some(StsMode::Enforce);
        let severity = match (counts, names_leaf_alone) {
            (true, _) if left < LAST => Severity::Alarm,
            (true, _) | (false, false) => Severity::Warning,
            (false, true) => Severity::Note,
        };
        let cause = match (counts, names_leaf_alone) {
            (true, _) => {
                "senders that keep DANE or MTA-STS deliver no mail to it once it has ended"
            }
            (false, true) => {
                "its TLSA records name the certificate or key, and no date counts then"
            }
            (false, false) => "some senders refuse a certificate that has ended",
        };
        let on = day(first);
        let (kind, what) = match left {
            ..0 => (
                Kind::CertificateExpired,
                format!("the certificate of {name} has ended on {on}"),
            ),
            _ => (
                Kind::CertificateExpires,
                format!("the certificate of {name} ends in {}, on {on}", span(left)),
            ),
        };
        let cure = "renew it, and let the host load it; see whether what should have done so by itself \
                    still runs";
        notes.find(Finding::new(kind, severity, what, cause, cure).of(name));
    }
}

/// What rests on a session.
const OF_SESSION: &[Basis] = &[Basis::Dane, Basis::Session, Basis::WebPki];
/// Seconds before the end at which mail is as good as lost if nobody acts.
const LAST: i64 = 3 * 86_400;
