//! Outcome: what an MTA does to one host under one answer.
//!
//! One function per family of MTAs, taken from its source and confirmed with the real program:
//! `postfix`, `pins`, `exim`, `sendmail`.

mod exim;
mod pins;
mod postfix;
mod sendmail;

pub use self::sendmail::MATCH_LIMIT;

use super::choice::Abilities;
use super::duty::Duty;
use super::situation::{HostSituation, HostState, MxSecurity, Situation};
use crate::profile::{Family, OwnDane};

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
    /// Pinned keys and certificates: whoever has none of them is skipped.
    Fingerprint,
    /// Trust anchors by their bytes: whoever leads to none of them is skipped.
    Anchored,
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
    pub const ALL: [Self; 7] = [
        Self::DaneOnly,
        Self::Fingerprint,
        Self::Anchored,
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
            Self::Fingerprint => "fingerprint",
            Self::Anchored => "secure tafile",
            Self::Secure => "secure",
            Self::Encrypt => "encrypt",
            Self::Dane => "dane",
            Self::NotFound => "none",
        }
    }
}

/// What the MTA of `abilities` does to `host`, which has this duty, under `answer`.
#[must_use]
pub fn outcome(
    answer: Candidate,
    host: &HostSituation,
    duty: Duty,
    situation: &Situation,
    abilities: Abilities,
) -> Outcome {
    let named = is_named(host.state, duty, situation.mx, abilities);
    match abilities.family {
        Family::Postfix => postfix::outcome(answer, host, named, situation, abilities.floor),
        Family::Pins => pins::outcome(answer, host, named, situation, abilities.floor),
        Family::Exim => exactly(duty),
        Family::Sendmail => {
            let by_itself = sendmail::outcome(answer, host, named, situation, abilities);
            // The session check refuses what is below the duty before RCPT: the duty is left.
            if abilities.verifier && !keeps(by_itself, duty) {
                exactly(duty)
            } else {
                by_itself
            }
        }
    }
}

/// What it does where the lookup of the host's addresses failed for us alone, and not for it: what an MTA
/// without DANE of its own would do to a host that MX-13 has it skip. Of others it is said already.
#[must_use]
pub fn once_resolved(
    answer: Candidate,
    host: &HostSituation,
    duty: Duty,
    situation: &Situation,
    abilities: Abilities,
) -> Outcome {
    match (abilities.family, host.state) {
        (Family::Pins, HostState::AddressFailed) => {
            let named = is_named(host.state, duty, situation.mx, abilities);
            pins::once_resolved(answer, host, named, situation, abilities.floor)
        }
        _ => Outcome::Skip,
    }
}

/// The answers that the choice is among for this MTA, failing closed first; the others it does not
/// understand, or cannot keep.
#[must_use]
pub fn understood(duties: &[Duty], abilities: Abilities) -> Vec<Candidate> {
    let knows = |candidate: &Candidate| match abilities.family {
        // PD-11: an MTA without DANE of its own is never relied on to do DANE.
        // PD-11: never a word of DANE to an MTA that has none.
        Family::Pins => !matches!(candidate, Candidate::DaneOnly | Candidate::Dane),
        Family::Postfix => match candidate {
            Candidate::DaneOnly | Candidate::Dane => abilities.own_dane != OwnDane::No,
            Candidate::Fingerprint | Candidate::Anchored => false,
            Candidate::Secure | Candidate::Encrypt | Candidate::NotFound => true,
        },
        Family::Exim => exim::answer(duties) == Some(*candidate),
        Family::Sendmail => matches!(candidate, Candidate::Secure | Candidate::NotFound),
    };
    Candidate::ALL.into_iter().filter(knows).collect()
}

/// True where the host's name stands in the `match=` of `secure`: exactly the hosts that owe web PKI,
/// save those that the MTA would not hold to it.
#[must_use]
pub fn is_named(state: HostState, duty: Duty, mx: MxSecurity, abilities: Abilities) -> bool {
    let is_left_to_dane =
        abilities.family == Family::Sendmail && sendmail::leaves_to_dane(state, mx, abilities);
    duty == Duty::WebPki && !is_left_to_dane
}

/// True for the two cells in which an outcome weaker than the duty is declared and let.
///
/// A Sendmail with DANE of its own and no session check only encrypts to a host whose TLSA records are
/// all unusable, whatever an enforced MTA-STS policy that names it demands (DT-09s, DT-11s, DT-14s). And
/// where the best tier owes nothing beyond encryption, an MTA without DANE gives hosts behind it no more
/// than that either, unless the profile is `strict` (DT-07b).
#[must_use]
pub fn is_declared(
    host: &HostSituation,
    duty: Duty,
    outcome: Outcome,
    situation: &Situation,
    abilities: Abilities,
) -> bool {
    match abilities.family {
        Family::Sendmail => {
            !abilities.verifier
                && duty == Duty::WebPki
                && sendmail::leaves_to_dane(host.state, situation.mx, abilities)
        }
        Family::Pins => pins::is_declared(duty, outcome, situation, abilities),
        Family::Postfix | Family::Exim => false,
    }
}

/// The outcome that is the duty and nothing more.
#[must_use]
pub fn exactly(duty: Duty) -> Outcome {
    match duty {
        Duty::Free => Outcome::Clear,
        Duty::Encrypt => Outcome::Encrypt,
        Duty::WebPki => Outcome::WebPki,
        Duty::OwnWebPki => Outcome::OwnWebPki,
        Duty::Dane => Outcome::Dane,
        Duty::Refuse => Outcome::Skip,
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
    outcome == exactly(duty)
}
