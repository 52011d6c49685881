//! Outcome: what an MTA does to one host under one answer.
//!
//! One function per family of MTAs, taken from its source and confirmed with the real program.
//! Postfix is here; the others come with their MTAs.

use super::duty::Duty;
use super::situation::{HostSituation, MxSecurity, Situation, StateClass};
use crate::profile::Floor;

/// What happens to one host. [`Outcome::Skip`] is always safe.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Outcome {
    /// Not used: the next host is tried, or the mail waits.
    Skip,
    /// Used, in clear text where TLS is not offered.
    Clear,
    /// Used over TLS only.
    Encrypt,
    /// Used over TLS with a certificate for the MX host's name only.
    WebPki,
    /// Used over TLS with a certificate for the MTA's own reference names only.
    OwnWebPki,
    /// Used over TLS authenticated by TLSA records only.
    Dane,
}

impl Outcome {
    /// The word of the JSON interface.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Skip => "skip",
            Self::Clear => "clear",
            Self::Encrypt => "encrypt",
            Self::WebPki | Self::OwnWebPki => "web-pki",
            Self::Dane => "dane",
        }
    }
}

/// Answers that the law chooses among, in the order of "failing closed first".
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Candidate {
    /// DANE for every host; others are skipped.
    DaneOnly,
    /// Web PKI for exactly the hosts that owe it, under their names.
    Secure,
    /// TLS for every host.
    Encrypt,
    /// DANE for hosts that have it, what they offer for the others.
    Dane,
    /// The MTA's own default.
    NotFound,
}

impl Candidate {
    /// All, failing closed first.
    pub const ALL: [Self; 5] = [
        Self::DaneOnly,
        Self::Secure,
        Self::Encrypt,
        Self::Dane,
        Self::NotFound,
    ];

    /// The word of the answer.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::DaneOnly => "dane-only",
            Self::Secure => "secure",
            Self::Encrypt => "encrypt",
            Self::Dane => "dane",
            Self::NotFound => "none",
        }
    }
}

/// What Postfix with a validating resolver does to `host` under `answer`.
///
/// `owes_web_pki` is the host's membership in `match=`: exactly the hosts with that duty stand there.
#[must_use]
pub fn postfix(
    answer: Candidate,
    host: &HostSituation,
    owes_web_pki: bool,
    situation: &Situation,
    floor: Floor,
) -> Outcome {
    let Some(class) = host.state.class() else {
        return Outcome::Skip;
    };
    match answer {
        // Postfix, smtp_connect: `dane-only` behind an insecure MX set skips every host.
        Candidate::DaneOnly => match (situation.mx, class) {
            (MxSecurity::Secure, StateClass::Usable) => Outcome::Dane,
            _ => Outcome::Skip,
        },
        Candidate::Secure if owes_web_pki => Outcome::WebPki,
        Candidate::Secure => Outcome::Skip,
        Candidate::Encrypt => Outcome::Encrypt,
        Candidate::Dane => postfix_dane(class),
        Candidate::NotFound => match floor {
            Floor::May => Outcome::Clear,
            Floor::Dane => postfix_dane(class),
            Floor::Encrypt => Outcome::Encrypt,
            Floor::Secure => Outcome::OwnWebPki,
        },
    }
}

fn postfix_dane(class: StateClass) -> Outcome {
    match class {
        StateClass::Usable => Outcome::Dane,
        StateClass::Unusable => Outcome::Encrypt,
        StateClass::None => Outcome::Clear,
        StateClass::Failed => Outcome::Skip,
    }
}

/// True where `outcome` is no weaker than `duty`.
///
/// DANE does not stand in for web PKI: the one binds the host, the other the host to the domain's
/// policy, and the latter is owed only where the former does not apply in full (RFC 7672, 2.2.1).
#[must_use]
pub fn keeps(outcome: Outcome, duty: Duty) -> bool {
    match (outcome, duty) {
        (Outcome::Skip, _) | (_, Duty::Free) => true,
        (_, Duty::Refuse) | (Outcome::Clear, _) => false,
        (_, Duty::Encrypt) => true,
        (Outcome::WebPki, Duty::WebPki)
        | (Outcome::OwnWebPki, Duty::OwnWebPki)
        | (Outcome::Dane, Duty::Dane) => true,
        (_, Duty::WebPki | Duty::OwnWebPki | Duty::Dane) => false,
    }
}

/// True where `outcome` asks exactly what `duty` owes: asking more strands mail.
#[must_use]
pub fn is_exactly(outcome: Outcome, duty: Duty) -> bool {
    matches!(
        (outcome, duty),
        (Outcome::Skip, Duty::Refuse)
            | (Outcome::Clear, Duty::Free)
            | (Outcome::Encrypt, Duty::Encrypt)
            | (Outcome::WebPki, Duty::WebPki)
            | (Outcome::OwnWebPki, Duty::OwnWebPki)
            | (Outcome::Dane, Duty::Dane)
    )
}
