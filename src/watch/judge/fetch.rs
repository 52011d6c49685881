//! An MTA-STS policy that cannot be had: each step that can fail, with its cure (RFC 8461, 3.3).

use hoplock_policy::sts::PolicyResponseFault;

use super::sts::{OF_POLICY, read};
use super::{Doubt, Finding, Kind, Notes, Seen, Severity};
use crate::world::{FetchFailure, FetchFailureKind};

/// Where a record announces a policy, and it could not be had.
pub(super) fn judge(notes: &mut Notes, seen: &Seen) {
    let kind = match &seen.policy {
        Some(Err(failure)) => Some(failure.kind),
        _ => None,
    };
    // These may be the fault of the way between here and there.
    let weighs = matches!(
        kind,
        Some(
            FetchFailureKind::Lookup
                | FetchFailureKind::Connection
                | FetchFailureKind::Timeout
                | FetchFailureKind::Refused
        )
    );
    notes.doubt(Doubt {
        weighs,
        ..Doubt::on(OF_POLICY)
    });
    notes.find(without_policy(seen));
}

fn without_policy(seen: &Seen) -> Finding {
    let host = format!("mta-sts.{}", seen.domain);
    let invalid = |why: String, cure: &str| {
        Finding::new(
            Kind::StsPolicyInvalid,
            Severity::Warning,
            format!("what {host} serves is no policy: new senders see no MTA-STS"),
            why,
            cure,
        )
    };
    match &seen.policy {
        Some(Ok(response)) => match read(response) {
            Err(fault @ PolicyResponseFault::Malformed(_)) => invalid(
                fault.to_string(),
                "mend the text: version: STSv1, mode, max_age and one mx line for each host \
                 (RFC 8461, 3.2)",
            ),
            Err(fault @ PolicyResponseFault::MediaType(_)) => {
                invalid(fault.to_string(), "serve it as text/plain (RFC 8461, 3.3)")
            }
            Err(fault) => invalid(
                fault.to_string(),
                "serve the policy itself under /.well-known/mta-sts.txt, with status 200: redirects are \
                 not followed (RFC 8461, 3.3)",
            ),
            // It was read a moment ago.
            Ok(_) => invalid("it cannot be read".to_owned(), "look again"),
        },
        Some(Err(failure)) => not_fetched(failure, &host),
        None => invalid("it was not fetched".to_owned(), "look again"),
    }
}

fn not_fetched(failure: &FetchFailure, host: &str) -> Finding {
    let detail = failure.detail.clone();
    let failed = |severity, cure: String| {
        Finding::new(
            Kind::StsFetchFailed,
            severity,
            format!("the MTA-STS policy cannot be fetched from {host}"),
            detail.clone(),
            cure,
        )
    };
    match failure.kind {
        FetchFailureKind::WebPki => Finding::new(
            Kind::StsPolicyHostInvalid,
            Severity::Warning,
            format!("the certificate of {host} is not valid: new senders see no MTA-STS"),
            detail,
            format!(
                "get a certificate of a public authority for {host}, and serve it with its chain"
            ),
        ),
        // Ours alone: others may fetch it.
        FetchFailureKind::Refused => failed(
            Severity::Note,
            "nothing, if the policy host stands in a private network on purpose: [sts] \
             refuse_private_addresses"
                .to_owned(),
        ),
        FetchFailureKind::Lookup => failed(
            Severity::Warning,
            format!("publish addresses of {host}, or take the record at _mta-sts out"),
        ),
        FetchFailureKind::Connection => failed(
            Severity::Warning,
            format!(
                "see whether a web server answers at {host}, port 443, from another network too"
            ),
        ),
        FetchFailureKind::Timeout => failed(
            Severity::Warning,
            "let it answer within a minute, as senders wait no longer (RFC 8461, 3.3)".to_owned(),
        ),
        FetchFailureKind::TooLarge => failed(
            Severity::Warning,
            "serve the policy alone, which has less than 64 KiB (RFC 8461, 3.3)".to_owned(),
        ),
        FetchFailureKind::Protocol => failed(
            Severity::Warning,
            "let a web server answer there that speaks HTTP/1.1".to_owned(),
        ),
    }
}
