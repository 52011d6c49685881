//! A report that somebody sent us about our own domains.

use hoplock_policy::moment::Timestamp;

/// What is kept of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Received {
    /// When it was read in.
    pub at: Timestamp,
    /// Who reports.
    pub organization: String,
    /// The reporter's own id, unique together with the organization.
    pub report_id: String,
    /// The time that it covers, as reported.
    pub begins: Timestamp,
    /// Its end.
    pub ends: Timestamp,
    /// Sessions that kept their policy, all policies together.
    pub successful: u64,
    /// Sessions that did not.
    pub failed: u64,
    /// The JSON, as it was read.
    pub document: Vec<u8>,
}
