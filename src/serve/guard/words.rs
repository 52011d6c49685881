//! What is done with a recipient, in codes and words for its sender.

use hoplock_policy::guard::{Capability, Lack};
use hoplock_policy::reason::Reason;
use hoplock_wire::header_field::HeaderField;
use hoplock_wire::refusal::{EnhancedStatus, Refusal, Words};

use super::desk::{Fate, Found, Target};

/// A rule's own words, or what was found.
pub(super) fn said(text: &str, target: &Target, found: Option<&Found>) -> String {
    if !text.is_empty() {
        return text.to_owned();
    }
    let domain = &target.shown;
    let Some(found) = found else {
        return format!("mail for {domain} is not taken here, by order of the postmaster");
    };
    let protection = found.protection.word();
    match &found.answered {
        Some(answered) => {
            let (reason, detail) = (answered.verdict.reason, &answered.verdict.detail);
            format!("mail for {domain} would be {protection}: {reason}: {detail}")
        }
        None => format!("nothing is known of {domain} now"),
    }
}

/// Refused for good.
pub(super) fn reject(words: &str) -> Fate {
    refused(550, POLICY, words, Fate::Reject)
}

/// Refused for now.
pub(super) fn defer(words: &str) -> Fate {
    refused(450, POLICY, words, Fate::Defer)
}

/// RFC 8689, 4.2.1, 5: the message cannot be kept from hosts that are not authenticated.
pub(super) fn require_tls(target: &Target, lack: Lack) -> Fate {
    let words = format!(
        "REQUIRETLS cannot be kept for {}: {}",
        target.shown,
        lack.words()
    );
    refused(550, REQUIRE_TLS, &words, Fate::Reject)
}

/// The same, for now.
pub(super) fn require_tls_later(
    target: &Target,
    lack: Option<Lack>,
    found: Option<&Found>,
) -> Fate {
    let why = match (lack, found.and_then(|found| found.answered.as_ref())) {
        (Some(lack), _) => lack.words().to_owned(),
        (None, Some(_)) if found.is_some_and(|found| found.capability == Capability::Some) => {
            "not every host of the destination can be authenticated".to_owned()
        }
        (None, Some(answered)) => {
            format!("{}: {}", answered.verdict.reason, answered.verdict.detail)
        }
        (None, None) => "it takes long to find out; try again".to_owned(),
    };
    let words = format!("REQUIRETLS for {}: {why}", target.shown);
    refused(450, REQUIRE_TLS, &words, Fate::Defer)
}

/// Nothing is known in time of a domain, or of some.
pub(super) fn trouble(domain: &str) -> Fate {
    let words = format!(
        "{}: what protects mail for {domain} is not known yet; try again",
        Reason::Deadline,
    );
    defer(&words)
}

/// More recipients than are kept: the client sends another message to the others (RFC 5321, 4.5.3.1.10).
pub(super) fn too_many() -> Fate {
    let words = format!("{}: too many recipients of one message", Reason::Busy);
    refused(452, TOO_MANY, &words, Fate::Defer)
}

/// Nothing could be read.
pub(super) fn unreadable(why: &str) -> Fate {
    defer(&format!("{}: {why}", Reason::BadRequest))
}

/// What protects the recipient's domain, as a field of the message: `DOMAIN; protection=WORD;
/// answer=LEVEL; reason=REASON`. `None` where the domain has no name, or nothing can be told.
pub(super) fn record(name: &str, target: &Target, found: &Found) -> Option<HeaderField> {
    let domain = target.domain.as_ref()?;
    let answered = found.answered.as_ref()?;
    let value = format!(
        "{domain}; protection={}; answer={}; reason={}",
        found.protection.word(),
        answered.verdict.answer.word(),
        answered.verdict.reason
    );
    HeaderField::new(name, &value).ok()
}

/// A refusal. Each code and status here is one; should it not be, the message is held rather than let go.
fn refused(
    code: u16,
    (subject, detail): (u16, u16),
    words: &str,
    fate: impl Fn(Refusal) -> Fate,
) -> Fate {
    let status = EnhancedStatus::new(subject, detail);
    let refusal = status.and_then(|status| Refusal::new(code, status, words).ok());
    refusal.map_or_else(|| Fate::Hold(Words::new(words)), fate)
}

/// RFC 3463, 3.8: X.7.1, delivery not authorized.
const POLICY: (u16, u16) = (7, 1);
/// RFC 3463, 3.6: X.5.3, too many recipients.
const TOO_MANY: (u16, u16) = (5, 3);
/// RFC 8689, 8: X.7.30, REQUIRETLS needed.
const REQUIRE_TLS: (u16, u16) = (7, 30);
