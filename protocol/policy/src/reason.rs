//! One vocabulary of reasons: log word, metric label, TEMP text, `explain` and report use the same.

use std::fmt;

macro_rules! reasons {
    ($($(#[doc = $doc:literal])+ $variant:ident => $word:literal,)+) => {
        /// Why an answer is what it is. The word is stable; monitoring may rely on it.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Reason { $($(#[doc = $doc])+ $variant,)+ }

        impl Reason {
            /// Every reason, for tables and metrics.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)+];

            /// The stable word.
            #[must_use]
            pub fn word(self) -> &'static str {
                match self { $(Self::$variant => $word,)+ }
            }
        }
    };
}

reasons! {
    /// The key is no domain: a literal, a single label, a path, a malformed name.
    NotADomain => "not-a-domain",
    /// The key is `.parent`, and no rule is written for it.
    ParentKey => "parent-key",
    /// The destination has no host to deliver to.
    NoHosts => "no-hosts",
    /// Nothing is demanded: the MTA's own default acts.
    NoPolicy => "no-policy",
    /// Every host that can be reached must be authenticated by DANE.
    DaneAllHosts => "dane-all-hosts",
    /// Some hosts must be authenticated by DANE, others need not.
    DaneSomeHosts => "dane-some-hosts",
    /// TLSA records exist and none is usable: TLS without authentication (RFC 7672, 2.2).
    TlsaUnusable => "tlsa-unusable",
    /// DANE behind an insecure MX set (RFC 7672, 2.2.1).
    HalfDane => "half-dane",
    /// An MTA-STS policy is enforced (RFC 8461, 5).
    StsEnforce => "sts-enforce",
    /// An enforced MTA-STS policy permits none of the current MX hosts.
    StsNoMxMatches => "sts-no-mx-matches",
    /// The MTA-STS policy could not be had, and the operator asked to wait for it.
    StsFirstContact => "sts-first-contact",
    /// What is remembered of the destination's MTA-STS policy cannot be read or kept.
    StoreFailed => "store-failed",
    /// The MX or alias lookup failed.
    MxLookupFailed => "mx-lookup-failed",
    /// A TLSA lookup failed, and nothing else can be reached safely.
    TlsaLookupFailed => "tlsa-lookup-failed",
    /// An address lookup failed, and nothing else can be reached safely.
    AddressLookupFailed => "address-lookup-failed",
    /// The operator demands DANE, and the destination has none that is usable.
    DaneRequired => "dane-required",
    /// The operator demands DANE, and the MX set is insecure.
    MxInsecure => "mx-insecure",
    /// The resolver does not validate, and this destination must be or was authenticated.
    ResolverNotValidating => "resolver-not-validating",
    /// The MTA has no word that would keep every host at its duty.
    MtaCannotAuthenticate => "mta-cannot-authenticate",
    /// A rule gives the level.
    Rule => "rule",
    /// A rule's fallback strategy was used: unauthenticated or under the operator's names.
    RuleFallback => "rule-fallback",
    /// A rule says that findings are only to be told.
    RuleAudit => "rule-audit",
    /// A rule switches hoplock off for this destination.
    RuleOff => "rule-off",
    /// The lookup takes longer than the MTA waits; it goes on and will answer the next query.
    Deadline => "deadline",
    /// The request names a map that does not exist.
    UnknownMap => "unknown-map",
    /// The request cannot be read.
    BadRequest => "bad-request",
    /// Too many connections or lookups at once.
    Busy => "busy",
    /// The answer would be longer than the MTA reads.
    ReplyTooLong => "reply-too-long",
    /// A fault of ours in this one lookup.
    Internal => "internal-error",
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.word())
    }
}
