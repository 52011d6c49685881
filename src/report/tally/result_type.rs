//! Our reasons as result types of RFC 8460, 4.3: each is exactly one of the eleven that are registered
//! (RP-03).

use hoplock_policy::findings::StsFailureKind;
use hoplock_policy::reason::Reason;
use hoplock_wire::tlsrpt::ResultType;

/// The result type of a session or a destination that failed for this reason. What RFC 8460 has no word
/// for is a validation failure, and the reason's own word goes beside it as the failure reason code.
#[must_use]
pub fn result_type(reason: Reason) -> ResultType {
    match reason {
        Reason::StarttlsNotOffered | Reason::StarttlsRefused => ResultType::StarttlsNotSupported,
        Reason::CertificateNameMismatch | Reason::NameNotPermitted => {
            ResultType::CertificateHostMismatch
        }
        Reason::CertificateExpired | Reason::CertificateNotYetValid => {
            ResultType::CertificateExpired
        }
        Reason::CertificateNotTrusted
        | Reason::AnchorNotIssuer
        | Reason::IssuerNotAuthority
        | Reason::PathTooLong
        | Reason::PathSearchExhausted
        | Reason::PurposeMismatch
        | Reason::SignatureInvalid
        | Reason::SignatureWeak
        | Reason::ExtensionUnknown
        | Reason::CertificateUnreadable => ResultType::CertificateNotTrusted,
        // RFC 8460, 4.3.2.1: none of the published records matched, or none can be used (RP-04).
        Reason::TlsaNoMatch
        | Reason::AnchorNotInChain
        | Reason::AnchorIsLeaf
        | Reason::RawKeyNotUsable
        | Reason::TlsaUnusable => ResultType::TlsaInvalid,
        // RFC 8460, 4.3.2.1: signatures are wrong, or records that should be there cannot be had.
        Reason::MxLookupFailed
        | Reason::TlsaLookupFailed
        | Reason::AddressLookupFailed
        | Reason::ResolverNotValidating => ResultType::DnssecInvalid,
        // RFC 8460, 4.3.2.1: the sender demands DANE, and there is none.
        Reason::DaneRequired | Reason::MxInsecure => ResultType::DaneRequired,
        Reason::StsFirstContact | Reason::StoreFailed => ResultType::StsPolicyFetchError,
        Reason::StsNoMxMatches | Reason::StsHostNotListed => ResultType::ValidationFailure,
        Reason::NotADomain
        | Reason::ParentKey
        | Reason::SrvOff
        | Reason::NoHosts
        | Reason::NoPolicy
        | Reason::ImplicitTls
        | Reason::DaneAllHosts
        | Reason::DaneSomeHosts
        | Reason::DaneEndEntityOnly
        | Reason::DaneTrustAnchors
        | Reason::PinsWouldBend
        | Reason::HalfDane
        | Reason::StsEnforce
        | Reason::MtaCannotAuthenticate
        | Reason::TlsRequiredNo
        | Reason::Rule
        | Reason::RuleFallback
        | Reason::RuleAudit
        | Reason::RuleOff
        | Reason::Deadline
        | Reason::UnknownMap
        | Reason::BadRequest
        | Reason::Busy
        | Reason::ReplyTooLong
        | Reason::Internal
        | Reason::TlsaMatch
        | Reason::StsMatch
        | Reason::NameMatch
        | Reason::PinMatch
        | Reason::OpportunisticTls
        | Reason::EncryptedAsOwed
        | Reason::Resumed
        | Reason::ResumedUnknown
        | Reason::ReportIncomplete
        | Reason::PolicyUnknown
        | Reason::HandshakeFailed
        | Reason::TlsVersionTooOld
        | Reason::CipherUnauthenticated
        | Reason::PeerTooOld
        | Reason::HostNotReached
        | Reason::HostNotReady
        | Reason::HostRefused
        | Reason::HostUnknown
        | Reason::PinNoMatch
        | Reason::MtaVerified
        | Reason::MtaRefused
        | Reason::MtaPolicyWeaker => ResultType::ValidationFailure,
    }
}

/// The result type of trouble on the way to an MTA-STS policy (RFC 8460, 4.3.2.2), also where a policy
/// that is remembered covered the delivery (RP-05); `None` for what is no failure of the domain's.
#[must_use]
pub fn sts_result_type(kind: StsFailureKind) -> Option<ResultType> {
    match kind {
        StsFailureKind::Fetch | StsFailureKind::Record => Some(ResultType::StsPolicyFetchError),
        StsFailureKind::WebPki => Some(ResultType::StsWebpkiInvalid),
        StsFailureKind::Invalid | StsFailureKind::RecordInvalid => {
            Some(ResultType::StsPolicyInvalid)
        }
        StsFailureKind::Pending | StsFailureKind::Store => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RP-03: every reason has one of the eleven words, and each of those that sessions can have is
    /// reached.
    #[test]
    fn every_reason_has_its_word() {
        let reached: std::collections::BTreeSet<&str> = Reason::ALL
            .iter()
            .map(|reason| result_type(*reason).word())
            .chain(
                [
                    StsFailureKind::Fetch,
                    StsFailureKind::WebPki,
                    StsFailureKind::Invalid,
                ]
                .into_iter()
                .filter_map(|kind| Some(sts_result_type(kind)?.word())),
            )
            .collect();
        let all: std::collections::BTreeSet<&str> =
            ResultType::ALL.iter().map(|own| own.word()).collect();
        assert_eq!(reached, all);
        assert_eq!(all.len(), 11);
    }

    /// RP-03: the reasons for which RFC 8460 has a word of their own.
    #[test]
    fn words_of_reasons() {
        use Reason::*;
        for (word, reasons) in [
            (
                "starttls-not-supported",
                &[StarttlsNotOffered, StarttlsRefused][..],
            ),
            (
                "certificate-host-mismatch",
                &[CertificateNameMismatch, NameNotPermitted],
            ),
            (
                "certificate-expired",
                &[CertificateExpired, CertificateNotYetValid],
            ),
            (
                "certificate-not-trusted",
                &[
                    CertificateNotTrusted,
                    AnchorNotIssuer,
                    SignatureInvalid,
                    CertificateUnreadable,
                ],
            ),
            (
                "tlsa-invalid",
                &[TlsaNoMatch, AnchorNotInChain, RawKeyNotUsable, TlsaUnusable],
            ),
            (
                "dnssec-invalid",
                &[
                    MxLookupFailed,
                    AddressLookupFailed,
                    TlsaLookupFailed,
                    ResolverNotValidating,
                ],
            ),
            ("dane-required", &[DaneRequired, MxInsecure]),
            ("sts-policy-fetch-error", &[StsFirstContact]),
            (
                "validation-failure",
                &[StsHostNotListed, HandshakeFailed, TlsVersionTooOld],
            ),
        ] {
            for reason in reasons {
                assert_eq!(result_type(*reason).word(), word, "{reason}");
            }
        }
    }

    /// RP-04: the three types of DANE.
    #[test]
    fn types_of_dane() {
        for (reason, expected) in [
            (Reason::TlsaNoMatch, "tlsa-invalid"),
            (Reason::TlsaUnusable, "tlsa-invalid"),
            (Reason::TlsaLookupFailed, "dnssec-invalid"),
            (Reason::MxLookupFailed, "dnssec-invalid"),
            (Reason::DaneRequired, "dane-required"),
        ] {
            assert_eq!(result_type(reason).word(), expected, "{reason}");
        }
    }

    /// RP-05: fetch, syntax and the policy host's certificate are three types.
    #[test]
    fn types_of_mta_sts() {
        for (kind, expected) in [
            (StsFailureKind::Fetch, Some("sts-policy-fetch-error")),
            (StsFailureKind::Invalid, Some("sts-policy-invalid")),
            (StsFailureKind::WebPki, Some("sts-webpki-invalid")),
            (StsFailureKind::Store, None),
        ] {
            assert_eq!(sts_result_type(kind).map(ResultType::word), expected);
        }
    }
}
