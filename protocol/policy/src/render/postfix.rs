//! Postfix: `smtp_tls_policy_maps` results.

use super::Rendered;
use crate::law::{Answer, Verdict};
use crate::profile::Profile;

/// The verdict as a Postfix policy.
#[must_use]
pub fn render(verdict: &Verdict, _profile: &Profile) -> Rendered {
    match &verdict.answer {
        Answer::NotFound => Rendered::NotFound,
        Answer::Temp => Rendered::Temp(format!("{}: {}", verdict.reason, verdict.detail)),
        Answer::Secure(names) => {
            let names: Vec<String> = names.iter().map(ToString::to_string).collect();
            Rendered::Ok(format!(
                "secure match={} servername=hostname",
                names.join(":")
            ))
        }
        other => Rendered::Ok(other.word().to_owned()),
    }
}
