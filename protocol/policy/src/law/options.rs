//! What the operator may switch of the law.

use crate::tlsa::TlsaOptions;
use crate::verify::VerifyOptions;

/// Switches of the configuration that the law reads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LawOptions {
    /// DANE counts at all.
    pub dane: bool,
    /// MTA-STS counts at all.
    pub sts: bool,
    /// Submission services are found by SRV records (SB-02).
    pub srv_submission: bool,
    /// DANE behind an insecure MX set may be used.
    pub half_dane: bool,
    /// Policies in testing mode are enforced.
    pub testing_as_enforce: bool,
    /// What to do where a policy may exist and was never seen.
    pub first_contact: FirstContact,
    /// Which TLSA records are usable.
    pub tlsa: TlsaOptions,
    /// Matching types of digests, strongest first (RFC 7671, 9; CM-25).
    pub digest_order: Vec<u8>,
}

/// What to do where MTA-STS cannot be asked and nothing is remembered (ST-13, ST-14).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FirstContact {
    /// Go on as if there were no policy (RFC 8461, 3.3).
    Ignore,
    /// Wait until it can be asked.
    Defer,
}

impl Default for LawOptions {
    fn default() -> Self {
        Self {
            dane: true,
            sts: true,
            srv_submission: false,
            half_dane: true,
            testing_as_enforce: false,
            first_contact: FirstContact::Ignore,
            tlsa: TlsaOptions::default(),
            digest_order: VerifyOptions::default().digest_order,
        }
    }
}
