//! Every kind of alarm that `hoplock status` knows: its word there, and a label of metrics.

use serde::{Serialize, Serializer};

use crate::watch::finding::Kind;

macro_rules! alarm_kinds {
    ($($(#[doc = $doc:literal])+ $variant:ident => $word:literal,)+) => {
        /// A kind of alarm. The word is stable; monitoring may rely on it.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum AlarmKind {
            $($(#[doc = $doc])+ $variant,)+
            /// A finding about a watched domain.
            Watch(Kind),
        }

        impl AlarmKind {
            /// Every kind: metrics show each of them, also where none stands.
            pub fn all() -> impl Iterator<Item = Self> {
                let watched = Kind::ALARMS.into_iter().map(Self::Watch);
                [$(Self::$variant,)+].into_iter().chain(watched)
            }

            /// The stable word.
            #[must_use]
            pub fn word(self) -> &'static str {
                match self {
                    $(Self::$variant => $word,)+
                    Self::Watch(kind) => kind.alarm(),
                }
            }
        }
    };
}

alarm_kinds! {
    /// A destination has been answered TEMP for hours (D14).
    MailWaits => "mail-waits",
    /// The resolver was seen not to validate (MX-17).
    ResolverNotValidating => "resolver-not-validating",
    /// The resolver's word on DNSSEC is not believed (MX-15).
    ResolverNotBelieved => "resolver-not-believed",
    /// Whether the resolver validates is not known.
    ResolverUnknown => "resolver-unknown",
    /// Postfix's own DNSSEC was not seen to work (PD-11).
    PostfixDnssec => "postfix-dnssec",
    /// A destination lost its usable TLSA records (CA-09).
    DaneLost => "dane-lost",
    /// Sessions stayed below their policy (SV-10).
    SessionFailed => "session-failed",
    /// Validation is still set aside after the order for it ended (OP-02).
    DnssecSetAside => "dnssec-set-aside",
    /// A rule that protected has come to its end (OP-05).
    RuleExpired => "rule-expired",
    /// A rule of another version is not understood.
    RuleNotUnderstood => "rule-not-understood",
    /// Nothing outlives the process.
    NoState => "no-state",
    /// TLS reports do not leave by mail, since nobody signs them (RP-12).
    ReportsUnsigned => "reports-unsigned",
    /// Sessions are missing in TLS reports.
    ReportCountsLost => "report-counts-lost",
    /// The store that a fleet shares is not reached.
    FleetStore => "fleet-store",
    /// A lookup broke by a fault of ours (FT-04).
    InternalError => "internal-error",
}

impl Serialize for AlarmKind {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.word())
    }
}
