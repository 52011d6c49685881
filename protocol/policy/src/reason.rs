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
    /// The key is a service that SRV records lead to, and the operator has not switched that on.
    SrvOff => "srv-off",
    /// The destination has no host to deliver to.
    NoHosts => "no-hosts",
    /// Nothing is demanded: the MTA's own default acts.
    NoPolicy => "no-policy",
    /// Every host that can be reached must be authenticated by DANE.
    DaneAllHosts => "dane-all-hosts",
    /// Some hosts must be authenticated by DANE, others need not.
    DaneSomeHosts => "dane-some-hosts",
    /// Hosts are pinned by their DANE-EE records, and their records of trust anchors go unused.
    DaneEndEntityOnly => "dane-end-entity-only",
    /// Hosts must lead to a trust anchor that their DANE-TA records name, handed over as a file.
    DaneTrustAnchors => "dane-trust-anchors",
    /// Pins would bend mail away from better hosts, which owe nothing beyond encryption; the hosts behind
    /// are given no more than that either, though their TLSA records ask for it.
    PinsWouldBend => "pins-would-bend",
    /// TLSA records exist and none is usable: TLS without authentication (RFC 7672, 2.2).
    TlsaUnusable => "tlsa-unusable",
    /// Nothing more is demanded than the TLS with which connections begin (RFC 8314, 3.3).
    ImplicitTls => "implicit-tls",
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
    /// The MX, SRV or alias lookup failed.
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
    /// The message asks that what the destination publishes be set aside (`TLS-Required: No`).
    TlsRequiredNo => "tls-required-no",
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
    /// A TLSA record matched what the host showed.
    TlsaMatch => "tlsa-match",
    /// The certificate is valid by web PKI for a host that the MTA-STS policy permits.
    StsMatch => "sts-match",
    /// The certificate is valid by web PKI for a name that the operator demands.
    NameMatch => "name-match",
    /// A pin of the operator matched.
    PinMatch => "pin-match",
    /// TLS, and nobody had to be authenticated.
    OpportunisticTls => "opportunistic-tls",
    /// TLS was owed and used; authentication was not possible (RFC 7672, 2.2).
    EncryptedAsOwed => "encrypted-as-owed",
    /// The session resumed one that was judged under the same policy.
    Resumed => "resumed",
    /// The session resumed one that is unknown, or was under another policy.
    ResumedUnknown => "resumed-unknown",
    /// The report leaves out what the verdict rests on.
    ReportIncomplete => "report-incomplete",
    /// Nobody knows what the host owed.
    PolicyUnknown => "policy-unknown",
    /// The host did not offer STARTTLS.
    StarttlsNotOffered => "starttls-not-offered",
    /// The host said no to STARTTLS.
    StarttlsRefused => "starttls-refused",
    /// The TLS handshake failed.
    HandshakeFailed => "handshake-failed",
    /// A protocol version too old to authenticate anything (RFC 8996).
    TlsVersionTooOld => "tls-version-too-old",
    /// A cipher that authenticates nobody, or hides nothing (RFC 7672, 8.2).
    CipherUnauthenticated => "cipher-unauthenticated",
    /// The host only offers what this program's TLS lacks: no verdict.
    PeerTooOld => "peer-too-old",
    /// No connection to the host came about.
    HostNotReached => "host-not-reached",
    /// The host spoke, and did not let us come as far as TLS: it takes nobody, or not us.
    HostNotReady => "host-not-ready",
    /// A session with a host that should have got none.
    HostRefused => "host-refused",
    /// The destination has no such host.
    HostUnknown => "host-unknown",
    /// No TLSA record matches.
    TlsaNoMatch => "tlsa-no-match",
    /// No anchor of the TLSA records is among the certificates shown.
    AnchorNotInChain => "anchor-not-in-chain",
    /// The record of a trust anchor matches the leaf itself, which it cannot vouch for.
    AnchorIsLeaf => "anchor-is-leaf",
    /// The anchor was shown, and signed nothing on a way to the leaf.
    AnchorNotIssuer => "anchor-not-issuer",
    /// An issuer that must not issue: no CA flag, or no right to sign certificates.
    IssuerNotAuthority => "issuer-not-authority",
    /// More certificates below an issuer than it permits.
    PathTooLong => "path-too-long",
    /// A name outside what an issuer may vouch for.
    NameNotPermitted => "name-not-permitted",
    /// A certificate that is not made for servers.
    PurposeMismatch => "purpose-mismatch",
    /// A signature that is false.
    SignatureInvalid => "signature-invalid",
    /// A signature or a key too weak to prove anything (RFC 9325, 4.5).
    SignatureWeak => "signature-weak",
    /// A critical part of a certificate that nobody here knows.
    ExtensionUnknown => "extension-unknown",
    /// The ways through the certificates shown are too many to try.
    PathSearchExhausted => "path-search-exhausted",
    /// A certificate that cannot be read.
    CertificateUnreadable => "certificate-unreadable",
    /// A certificate that has expired.
    CertificateExpired => "certificate-expired",
    /// A certificate that is not valid yet.
    CertificateNotYetValid => "certificate-not-yet-valid",
    /// The certificate is for other names.
    CertificateNameMismatch => "certificate-host-mismatch",
    /// The certificate leads to no authority that is trusted.
    CertificateNotTrusted => "certificate-not-trusted",
    /// A bare key, where only a certificate can match.
    RawKeyNotUsable => "raw-key-not-usable",
    /// No pin of the operator matches.
    PinNoMatch => "pin-no-match",
    /// The MTA-STS policy in force does not permit the host (RFC 8461, 4.1).
    StsHostNotListed => "sts-host-not-listed",
    /// The mail server itself says that the session was authenticated; nothing else was reported.
    MtaVerified => "mta-verified",
    /// The mail server itself says that the session failed.
    MtaRefused => "mta-refused",
    /// The mail server used a weaker policy than was in force.
    MtaPolicyWeaker => "mta-policy-weaker",
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.word())
    }
}
