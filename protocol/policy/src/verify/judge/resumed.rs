//! Sessions that resume another: they show nothing, and inherit what was said of that one (SV-05).

use super::super::dane::VerifyOptions;
use super::super::owed::Owed;
use super::super::session::Session;
use super::super::verdict::SessionVerdict;
use super::verify;
use crate::moment::Timestamp;
use crate::name::DomainName;
use crate::reason::Reason;

/// Takes over the verdict on the session that was resumed (RFC 8446, 2.2), where host and policy
/// are the same, and the report of the resumed session itself is complete (SV-01, SV-05).
#[must_use]
pub fn verify_resumed(
    session: &Session,
    owed: &Owed<'_>,
    now: Timestamp,
    options: &VerifyOptions,
    original: Option<&Original>,
) -> SessionVerdict {
    let own = verify(session, owed, now, options);
    let inherits = own.reason == Reason::ResumedUnknown;
    match original {
        Some(original)
            if inherits
                && session.missing().is_none()
                && session.mx_host.as_ref().map(|host| &host.0) == Some(&original.host)
                && owed.generation() == original.generation =>
        {
            let mut verdict = original.verdict.clone();
            verdict.detail = "as the session that it resumed".to_owned();
            if verdict.outcome.is_authenticated() {
                verdict.reason = Reason::Resumed;
            }
            verdict
        }
        _ => own,
    }
}

/// A judged session that others may resume.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Original {
    /// With which host.
    pub host: DomainName,
    /// Under which policy, see [`Owed::generation`].
    pub generation: [u8; 32],
    /// What was said of it.
    pub verdict: SessionVerdict,
}
