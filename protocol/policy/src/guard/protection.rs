//! What protects a message on its way to a destination, as far as can be said before it leaves.

use crate::findings::Findings;
use crate::law::outcome::Outcome;
use crate::law::{Answer, Verdict};
use crate::profile::{Floor, OwnDane, Profile};
use crate::reason::Reason;

/// The least that is between a message and whoever is on its way. Each can be named in a rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Protection {
    /// Nobody knows now: a lookup failed, or is under way. Ask again; conclude nothing.
    Unknown,
    /// It must be authenticated and cannot be. The mail waits until the destination or the operator
    /// changes something.
    Refused,
    /// What the host offers: clear text, where somebody takes TLS away.
    Opportunistic,
    /// TLS with whoever answers.
    Encrypted,
    /// Some hosts are authenticated; others that may be used are not.
    Partly,
    /// Each host that may be used is authenticated.
    Authenticated,
}

impl Protection {
    /// All of them.
    pub const ALL: [Self; 6] = [
        Self::Unknown,
        Self::Refused,
        Self::Opportunistic,
        Self::Encrypted,
        Self::Partly,
        Self::Authenticated,
    ];

    /// The word of rules and header fields.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::Refused => "refused",
            Self::Opportunistic => "opportunistic",
            Self::Encrypted => "encrypted",
            Self::Partly => "partly",
            Self::Authenticated => "authenticated",
        }
    }
}

/// What is expected under `verdict`, which rests on `findings`, for the MTA of `profile`.
#[must_use]
pub fn expected(verdict: &Verdict, findings: Option<&Findings>, profile: &Profile) -> Protection {
    let floor = profile.floor;
    if verdict.answer == Answer::Temp {
        return if is_established(verdict, findings, profile) {
            Protection::Refused
        } else {
            Protection::Unknown
        };
    }
    if verdict.hosts.is_empty() {
        return by_level(&verdict.answer, floor);
    }
    let used = || {
        let outcomes = verdict.hosts.iter().map(|host| host.outcome);
        outcomes.filter(|outcome| *outcome != Outcome::Skip)
    };
    match (used().min(), used().max()) {
        // Nobody is let through, or nobody is there.
        (None, _) | (_, None) => by_level(&verdict.answer, floor),
        // RFC 7672, 2.2.1: whoever chooses the hosts has his own authenticated (PD-07).
        (Some(least), _) if is_authenticated(least) && verdict.reason == Reason::HalfDane => {
            Protection::Partly
        }
        (Some(least), _) if is_authenticated(least) => Protection::Authenticated,
        (_, Some(most)) if is_authenticated(most) => Protection::Partly,
        (Some(Outcome::Encrypt), _) => Protection::Encrypted,
        _ => Protection::Opportunistic,
    }
}

/// No host is known, as under a level that a rule gives (PD-01): what the level itself lets through.
fn by_level(answer: &Answer, floor: Floor) -> Protection {
    match answer {
        Answer::Temp => Protection::Unknown,
        Answer::None | Answer::May => Protection::Opportunistic,
        Answer::Encrypt => Protection::Encrypted,
        Answer::Dane => Protection::Partly,
        Answer::DaneOnly
        | Answer::Verify(_)
        | Answer::Secure(_)
        | Answer::Fingerprint(_)
        | Answer::Anchored { .. } => Protection::Authenticated,
        Answer::NotFound => match floor {
            Floor::May | Floor::Dane => Protection::Opportunistic,
            Floor::Encrypt => Protection::Encrypted,
            Floor::Secure => Protection::Authenticated,
        },
    }
}

fn is_authenticated(outcome: Outcome) -> bool {
    matches!(
        outcome,
        Outcome::WebPki | Outcome::OwnWebPki | Outcome::Dane
    )
}

/// True where the mail waits for what was found, and not for what could not be: the next lookup would
/// bring the same, and so would the next mail server.
fn is_established(verdict: &Verdict, findings: Option<&Findings>, profile: &Profile) -> bool {
    if findings.is_none_or(Findings::has_failure) {
        return false;
    }
    match verdict.reason {
        Reason::DaneRequired
        | Reason::MxInsecure
        | Reason::StsNoMxMatches
        | Reason::ReplyTooLong => true,
        // A probe may bring what is missing (DT-16); and what was not seen of the MTA's own DANE may be seen
        // soon (PD-11).
        Reason::MtaCannotAuthenticate => {
            verdict.anchors_wanted.is_empty() && profile.own_dane != OwnDane::Auto
        }
        _ => false,
    }
}
