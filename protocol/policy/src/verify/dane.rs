//! TLSA records against what a host showed (RFC 7671; RFC 7672, 3).

use super::names::ReferenceNames;
use super::session::Presented;
use super::verdict::{Matched, Warning};
use crate::moment::Timestamp;
use crate::reason::Reason;
use crate::tlsa::TlsaSet;

/// What may be judged one way or another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifyOptions {
    /// Matching types, strongest first (RFC 7671, 9; CM-25).
    pub digest_order: Vec<u8>,
    /// An expired anchor authenticates nothing, though it is an intermediate (CM-17).
    pub ta_check_dates: bool,
    /// Under DANE the subject's common name counts where there is no alternative name (CM-28).
    pub common_name: bool,
    /// A wildcard covers more than one label (CM-29).
    pub multi_label_wildcards: bool,
}

impl Default for VerifyOptions {
    fn default() -> Self {
        Self {
            digest_order: vec![2, 1],
            ta_check_dates: false,
            common_name: true,
            multi_label_wildcards: false,
        }
    }
}

/// The host is who it should be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Authenticated {
    /// By which record, at which depth.
    pub matched: Matched,
    /// Worth a word.
    pub warnings: Vec<Warning>,
}

/// The host is not known to be who it should be: the session keeps nothing of what DANE promises.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// Why.
    pub reason: Reason,
    /// For people.
    pub detail: String,
}

/// Judges what was shown by the records of the host (RFC 7671, 5; RFC 7672, 3.1).
///
/// # Errors
/// [`Refused`] where no usable record authenticates it.
pub fn authenticate(
    presented: &Presented,
    records: &TlsaSet,
    names: &ReferenceNames,
    now: Timestamp,
    options: &VerifyOptions,
) -> Result<Authenticated, Refused> {
    let _ = (presented, records, names, now, options);
    Err(Refused {
        reason: Reason::Internal,
        detail: String::new(),
    })
}
