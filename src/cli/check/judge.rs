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
