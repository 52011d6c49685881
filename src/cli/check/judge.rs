//! What one probe comes to: whether the host kept its duty, as far as the probe can tell.

use hoplock_policy::dns::FailureKind;
use hoplock_policy::findings::{DaneFinding, HostFinding};
use hoplock_policy::law::duty::Duty;
use hoplock_policy::law::situation::HostState;
use hoplock_policy::moment::Timestamp;
use hoplock_policy::name::MxHost;
use hoplock_policy::next_hop::NextHop;
use hoplock_policy::reason::Reason;
use hoplock_policy::verify::dane::authenticate;
use hoplock_policy::verify::{
    Authenticated, Owed, Presented, ReferenceNames, Refused, Session, SessionOutcome,
    SessionVerdict, VerifyOptions, by_web_pki, verify,
};

use crate::world::probe::{HandshakeFailure, Probed, Signature, Stage, Unverifiable};

/// How a host stands to its duty; the worse ones last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Standing {
    /// Nobody was there: nothing is known, and nothing is owed to nobody.
    Unreachable,
    /// It keeps what it owes.
    Kept,
    /// It spoke, and nothing can be said.
    Inconclusive,
    /// It does not keep what it owes.
    Failed,
}

impl Standing {
    /// The word of the JSON output.
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Unreachable => "unreachable",
            Self::Kept => "kept",
            Self::Inconclusive => "inconclusive",
            Self::Failed => "failed",
        }
    }

    fn of(outcome: SessionOutcome) -> Self {
        match outcome {
            SessionOutcome::Failed => Self::Failed,
            SessionOutcome::Indeterminate => Self::Inconclusive,
            SessionOutcome::AuthenticatedDane
            | SessionOutcome::AuthenticatedSts
            | SessionOutcome::AuthenticatedPinned
            | SessionOutcome::Encrypted
            | SessionOutcome::Cleartext => Self::Kept,
        }
    }
}

/// One address of a host, probed and judged.
pub(super) struct CheckedAddress {
    pub(super) probed: Probed,
    pub(super) standing: Standing,
    pub(super) verdict: SessionVerdict,
    /// What the host's TLSA records say of what it showed, whether or not they bind.
    pub(super) by_tlsa: Option<Compared>,
    /// What web PKI says of it under the host's name, likewise.
    pub(super) by_web_pki: Option<Compared>,
}

/// What one policy alone says of a chain.
pub(super) type Compared = Result<Authenticated, Refused>;

/// What a host is judged by.
pub(super) struct Bar<'a> {
    pub(super) next_hop: &'a NextHop,
    pub(super) host: &'a HostFinding,
    pub(super) state: Option<HostState>,
    /// What it owes, or why nobody knows.
    pub(super) owed: Result<Owed<'a>, Refused>,
    pub(super) options: &'a VerifyOptions,
}

impl Bar<'_> {
    /// Judges one address.
    pub(super) fn judge(&self, probed: Probed, now: Timestamp) -> CheckedAddress {
        let verdict = self.verdict(&probed, now);
        let standing = match probed.stage {
            Stage::Unreachable { .. } => Standing::Unreachable,
            _ => Standing::of(verdict.outcome),
        };
        let chain = proved(&probed);
        let records = self.owed.as_ref().ok().and_then(|owed| owed.dane.as_ref());
        let by_tlsa = chain.zip(records.filter(|own| own.records.is_usable()));
        let by_tlsa = by_tlsa.map(|(chain, own)| {
            let presented = Presented::Chain(chain.to_vec());
            authenticate(&presented, &own.records, &own.names, now, self.options)
        });
        let authorities = self.owed.as_ref().ok().map(|owed| owed.authorities);
        let by_web_pki = chain.zip(authorities).map(|(chain, authorities)| {
            let names = ReferenceNames::exactly([self.host.host.0.clone()]);
            by_web_pki(chain, authorities, &names, now)
        });
        CheckedAddress {
            probed,
            standing,
            verdict,
            by_tlsa,
            by_web_pki,
        }
    }

    /// The verdict on a host that has no address to speak to; `None` where that is known to be so.
    pub(super) fn without_address(&self) -> Option<SessionVerdict> {
        let unknown = self.state != Some(HostState::Unreachable);
        unknown.then(|| match &self.owed {
            Err(refused) => indeterminate(refused.reason, refused.detail.clone()),
            Ok(_) => indeterminate(
                Reason::AddressLookupFailed,
                "its addresses could not be looked up",
            ),
        })
    }

    fn verdict(&self, probed: &Probed, now: Timestamp) -> SessionVerdict {
        let owed = match &self.owed {
            Ok(owed) => owed,
            Err(refused) => return indeterminate(refused.reason, refused.detail.clone()),
        };
        let session = probed.session();
        if owed.duty == Duty::Refuse && !matches!(probed.stage, Stage::Unreachable { .. }) {
            let session = session.unwrap_or_else(Session::unknown);
            return self.refused(&session, owed, now);
        }
        let Some(session) = session else {
            return nothing_to_judge(&probed.stage);
        };
        let session = Session {
            next_hop: Some(self.next_hop.clone()),
            mx_host: Some(MxHost(self.host.host.0.clone())),
            ..session
        };
        let verdict = verify(&session, owed, now, self.options);
        match probed.tls.as_ref().map(|tls| tls.signature) {
            // Without that the chain says nothing, whoever is right.
            Some(Signature::NotVerifiable(why))
                if verdict.outcome == SessionOutcome::Indeterminate =>
            {
                indeterminate(Reason::PeerTooOld, unverifiable(why))
            }
            _ => verdict,
        }
    }

    /// No mail may go there, whatever the session is worth. Where a lookup failed for lack of an answer,
    /// it is not the host that failed.
    fn refused(&self, session: &Session, owed: &Owed<'_>, now: Timestamp) -> SessionVerdict {
        let verdict = verify(session, owed, now, self.options);
        let failure = match &self.host.dane {
            DaneFinding::Failed(failure) if self.state == Some(HostState::Failed) => failure,
            _ => return verdict,
        };
        let detail = format!(
            "its TLSA records could not be looked up ({}): {}",
            failure.kind.word(),
            failure.detail
        );
        match failure.kind {
            FailureKind::Timeout | FailureKind::Unreachable | FailureKind::NotExamined => {
                indeterminate(Reason::TlsaLookupFailed, detail)
            }
            FailureKind::Bogus
            | FailureKind::ServFail
            | FailureKind::Refused
            | FailureKind::Malformed
            | FailureKind::AliasLoop => SessionVerdict {
                reason: Reason::TlsaLookupFailed,
                detail,
                ..verdict
            },
        }
    }
}

/// What the host showed, where it proved that it holds the key.
pub(super) fn proved(probed: &Probed) -> Option<&[hoplock_policy::verify::Certificate]> {
    let tls = probed.tls.as_ref()?;
    let shown = tls.signature == Signature::Proved && !probed.chain.is_empty();
    shown.then_some(probed.chain.as_slice())
}

/// A probe that ended before there was anything to judge.
fn nothing_to_judge(stage: &Stage) -> SessionVerdict {
    let reason = match stage {
        Stage::Unreachable { .. } => Reason::HostNotReached,
        Stage::EngineFailed { .. } => Reason::Internal,
        Stage::HandshakeFailed {
            kind: HandshakeFailure::PeerTooOld,
            ..
        } => {
            let words = "host and engine have no version or cipher of TLS in common";
            return indeterminate(Reason::PeerTooOld, words);
        }
        _ => Reason::HostNotReady,
    };
    indeterminate(reason, stage.to_string())
}

fn unverifiable(why: Unverifiable) -> &'static str {
    match why {
        Unverifiable::WeakKey => {
            "its RSA key is shorter than this engine can check signatures of, so whether it holds the \
             key of its certificate is not known"
        }
        Unverifiable::UnknownKey => {
            "its key is of a kind that this engine does not know, so whether it holds the key of its \
             certificate is not known"
        }
        Unverifiable::NoKey => {
            "no key is found in its certificate, so whether it holds that key is not known"
        }
    }
}

fn indeterminate(reason: Reason, detail: impl Into<String>) -> SessionVerdict {
    SessionVerdict::unknown(reason, detail)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use hoplock_policy::dns::{LookupFailure, SecurityStatus};
    use hoplock_policy::findings::AddressFinding;
    use hoplock_policy::name::{DomainName, TlsaBaseDomain};
    use hoplock_policy::tlsa::{TlsaOptions, TlsaSet};
    use hoplock_policy::verify::{Certificate, DaneEvidence, Demand, TlsVersion};

    use super::*;
    use crate::world::probe::{Engine, Phase, ProbeTarget, SmtpReply, TlsSeen, UnreachableKind};

    fn name() -> DomainName {
        DomainName::parse("mx.e.test").unwrap()
    }

    fn finding(dane: DaneFinding) -> HostFinding {
        let present = AddressFinding::Present {
            status: SecurityStatus::Secure,
            count: 1,
        };
        HostFinding {
            host: MxHost(name()),
            preference: 10,
            aliased: false,
            ipv4: present.clone(),
            ipv6: present,
            dane,
        }
    }

    fn owed(duty: Duty) -> Owed<'static> {
        let base = TlsaBaseDomain(name());
        let rdata = [[3, 1, 1].to_vec(), vec![7; 32]].concat();
        Owed {
            duty,
            dane: (duty == Duty::Dane).then(|| DaneEvidence {
                names: ReferenceNames::exactly([name()]),
                base: Some(base),
                records: TlsaSet::read([&rdata[..]], &TlsaOptions::default()),
                mx: SecurityStatus::Secure,
            }),
            sts: None,
            demand: Demand::Nothing,
            authorities: &[],
        }
    }

    fn probed(stage: Stage) -> Probed {
        let target = ProbeTarget::new("192.0.2.1:25".parse().unwrap(), name());
        Probed {
            stage,
            ..Probed::nothing(target, Engine::Rustls)
        }
    }

    fn established(signature: Signature) -> Probed {
        Probed {
            chain: vec![Certificate::from_der(*b"leaf")],
            tls: Some(TlsSeen {
                version: Some(TlsVersion::Tls13),
                cipher: "TLS_AES_128_GCM_SHA256".to_owned(),
                group: None,
                signature,
            }),
            ..probed(Stage::Established)
        }
    }

    fn judged(probed: Probed, duty: Duty, dane: DaneFinding) -> (Standing, Reason) {
        let host = finding(dane);
        let bar = Bar {
            next_hop: &NextHop::parse("e.test"),
            state: Some(match &host.dane {
                DaneFinding::Failed(_) => HostState::Failed,
                _ => HostState::NoneSecure,
            }),
            host: &host,
            owed: Ok(owed(duty)),
            options: &VerifyOptions::default(),
        };
        let judged = bar.judge(probed, Timestamp(1_800_000_000_000));
        (judged.standing, judged.verdict.reason)
    }

    /// SV-01, SV-03: what was seen to be wrong is a failure; what could not be seen is none.
    #[test]
    fn doubt_is_no_failure() {
        let handshake = |kind| {
            probed(Stage::HandshakeFailed {
                kind,
                detail: String::new(),
            })
        };
        let reply = SmtpReply {
            code: 554,
            lines: vec!["no".to_owned()],
        };
        let silent = || {
            probed(Stage::Unreachable {
                kind: UnreachableKind::Timeout,
                detail: String::new(),
            })
        };
        let lost = Stage::Lost {
            phase: Phase::Ehlo,
            detail: String::new(),
        };
        let weak = Signature::NotVerifiable(Unverifiable::WeakKey);
        let (failed, kept, unclear) = (Standing::Failed, Standing::Kept, Standing::Inconclusive);
        for (probed, duty, expected) in [
            (
                probed(Stage::NotOffered),
                Duty::Dane,
                (failed, Reason::StarttlsNotOffered),
            ),
            (
                probed(Stage::NotOffered),
                Duty::Free,
                (kept, Reason::StarttlsNotOffered),
            ),
            (
                handshake(HandshakeFailure::Alert),
                Duty::Encrypt,
                (failed, Reason::HandshakeFailed),
            ),
            (
                handshake(HandshakeFailure::PeerTooOld),
                Duty::Dane,
                (unclear, Reason::PeerTooOld),
            ),
            (established(weak), Duty::Dane, (unclear, Reason::PeerTooOld)),
            (
                established(weak),
                Duty::Encrypt,
                (kept, Reason::EncryptedAsOwed),
            ),
            (
                established(Signature::Proved),
                Duty::Dane,
                (failed, Reason::TlsaNoMatch),
            ),
            (
                probed(Stage::BadGreeting(reply)),
                Duty::Dane,
                (unclear, Reason::HostNotReady),
            ),
            (probed(lost), Duty::Dane, (unclear, Reason::HostNotReady)),
            (
                silent(),
                Duty::Dane,
                (Standing::Unreachable, Reason::HostNotReached),
            ),
            (
                silent(),
                Duty::Refuse,
                (Standing::Unreachable, Reason::HostNotReached),
            ),
        ] {
            let words = format!("{:?} {duty:?}", probed.stage);
            assert_eq!(
                judged(probed, duty, DaneFinding::NoneSecure),
                expected,
                "{words}"
            );
        }
    }

    /// A host that must get no mail fails whatever it shows; where nobody answered what it owes, nothing
    /// can be said.
    #[test]
    fn hosts_that_are_refused() {
        let dane = |kind| {
            DaneFinding::Failed(LookupFailure {
                kind,
                detail: String::new(),
            })
        };
        let of = |dane| judged(established(Signature::Proved), Duty::Refuse, dane);
        let expected = (Standing::Failed, Reason::HostRefused);
        assert_eq!(of(DaneFinding::NoneSecure), expected);
        let expected = (Standing::Failed, Reason::TlsaLookupFailed);
        assert_eq!(of(dane(FailureKind::Bogus)), expected);
        let expected = (Standing::Inconclusive, Reason::TlsaLookupFailed);
        assert_eq!(of(dane(FailureKind::Timeout)), expected);
    }
}
