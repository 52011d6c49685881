//! What is to be said of a session (SV-02).

use crate::reason::Reason;
use crate::tlsa::TlsaRecord;

/// The verdict on one session (SV-02), in terms from which reports are made (RFC 8460, 4.3).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionVerdict {
    /// What it comes to.
    pub outcome: SessionOutcome,
    /// Why.
    pub reason: Reason,
    /// For people: names the record, the certificate or the field that decided.
    pub detail: String,
    /// What matched, where something did.
    pub matched: Option<Matched>,
    /// Worth a word, and no failure.
    pub warnings: Vec<Warning>,
    /// One for each policy that applies, where both DANE and MTA-STS do (SV-08); one for a policy that
    /// is only tested (ST-23).
    pub results: Vec<PolicyResult>,
}

/// What a session comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SessionOutcome {
    /// A TLSA record matched.
    AuthenticatedDane,
    /// The certificate is valid for a host that the MTA-STS policy permits.
    AuthenticatedSts,
    /// A pin of the operator matched.
    AuthenticatedPinned,
    /// TLS without authentication, and none was owed.
    Encrypted,
    /// Clear text, and no more was owed.
    Cleartext,
    /// Below what was owed: an alarm.
    Failed,
    /// The report does not say enough.
    Indeterminate,
}

impl SessionOutcome {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::AuthenticatedDane,
        Self::AuthenticatedSts,
        Self::AuthenticatedPinned,
        Self::Encrypted,
        Self::Cleartext,
        Self::Failed,
        Self::Indeterminate,
    ];

    /// The word of the JSON interface.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::AuthenticatedDane => "authenticated-dane",
            Self::AuthenticatedSts => "authenticated-sts",
            Self::AuthenticatedPinned => "authenticated-pinned",
            Self::Encrypted => "encrypted",
            Self::Cleartext => "cleartext",
            Self::Failed => "failed",
            Self::Indeterminate => "indeterminate",
        }
    }

    /// True where the session was authenticated by one policy or another.
    #[must_use]
    pub fn is_authenticated(self) -> bool {
        matches!(
            self,
            Self::AuthenticatedDane | Self::AuthenticatedSts | Self::AuthenticatedPinned
        )
    }

    /// True where what was owed is known and kept. What is not known is not kept: mail that waits for the
    /// verdict must not go out on a doubt (RFC 7672, 2.1.2).
    #[must_use]
    pub fn keeps(self) -> bool {
        !matches!(self, Self::Failed | Self::Indeterminate)
    }
}

/// What matched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Matched {
    /// A TLSA record, at this depth: 0 is the leaf.
    Tlsa {
        /// The record.
        record: TlsaRecord,
        /// Where in the path.
        depth: usize,
    },
    /// A pin of the operator, as it is written.
    Pin(String),
    /// A name of the certificate, under web PKI.
    Name(String),
}

/// The result under one policy (RFC 8460, 4.4).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolicyResult {
    /// Which.
    pub policy: PolicyKind,
    /// What the session comes to under it alone.
    pub outcome: SessionOutcome,
    /// Why.
    pub reason: Reason,
    /// For people.
    pub detail: String,
}

/// The policies that a session can be under.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PolicyKind {
    /// DANE (RFC 7672).
    Dane,
    /// MTA-STS (RFC 8461).
    Sts,
    /// Pins of the operator.
    Pins,
}

impl PolicyKind {
    /// The word of the JSON interface, and of RFC 8460, 4.4 where it has one.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Dane => "tlsa",
            Self::Sts => "sts",
            Self::Pins => "pins",
        }
    }
}

/// Worth a word, and no failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Warning {
    /// No server name was asked for (CM-31).
    SniMissing,
    /// Another server name was asked for than the TLSA base domain (CM-31).
    SniOther,
    /// The matched anchor has expired, and is an intermediate, which OpenSSL does not look at (CM-17).
    AnchorExpired,
    /// The name stands in the subject alone, not among the alternative names (CM-28).
    CommonName,
    /// Not authenticated by that: TLS 1.0 or 1.1 (RQ-01).
    TlsVersionOld,
    /// The record matched only when it was looked up anew (SV-04).
    StaleCache,
    /// TLSA records bind nothing here, and the certificate does not match them (PD-06).
    DaneDisagrees,
    /// A record matched behind an insecure MX set: it proves nothing about which host it should have
    /// been (MX-22).
    MxInsecure,
    /// A raw key was accepted, though not every record is one that can match it (CM-08).
    RawKeyUnexpected,
    /// The verdict rests on the mail server's word: the report holds nothing that could be checked.
    MtaWord,
    /// The mail server says otherwise.
    MtaDisagrees,
    /// The leaf has expired or is not valid yet, which DANE-EE does not look at (CM-05).
    CertificateDates,
}

impl Warning {
    /// All of them.
    pub const ALL: [Self; 12] = [
        Self::SniMissing,
        Self::SniOther,
        Self::AnchorExpired,
        Self::CommonName,
        Self::TlsVersionOld,
        Self::StaleCache,
        Self::DaneDisagrees,
        Self::MxInsecure,
        Self::RawKeyUnexpected,
        Self::MtaWord,
        Self::MtaDisagrees,
        Self::CertificateDates,
    ];

    /// The stable word.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::SniMissing => "sni-missing",
            Self::SniOther => "sni-other",
            Self::AnchorExpired => "anchor-expired",
            Self::CommonName => "common-name",
            Self::TlsVersionOld => "tls-version-old",
            Self::StaleCache => "stale-cache",
            Self::DaneDisagrees => "dane-disagrees",
            Self::MxInsecure => "mx-insecure",
            Self::RawKeyUnexpected => "raw-key-unexpected",
            Self::MtaWord => "mta-word",
            Self::MtaDisagrees => "mta-disagrees",
            Self::CertificateDates => "certificate-dates",
        }
    }
}
