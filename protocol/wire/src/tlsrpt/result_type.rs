//! Result types (RFC 8460, 4.3) and the numbers that libtlsrpt gives them.

use std::fmt::{self, Display, Formatter};

use serde::{Deserialize, Serialize};

/// The result types of RFC 8460, 4.3: all that are registered (RFC 8460, 6.6).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ResultType {
    /// The host did not offer STARTTLS, or refused it.
    StarttlsNotSupported,
    /// The certificate is for other names.
    CertificateHostMismatch,
    /// The certificate leads to no trusted authority.
    CertificateNotTrusted,
    /// The certificate has expired.
    CertificateExpired,
    /// Anything else; a reason may say more.
    ValidationFailure,
    /// The MTA-STS policy could not be fetched.
    StsPolicyFetchError,
    /// The MTA-STS policy could not be read.
    StsPolicyInvalid,
    /// The policy host's certificate is not valid.
    StsWebpkiInvalid,
    /// No TLSA record matched, or none can be used.
    TlsaInvalid,
    /// DNSSEC says that the answers are not to be believed.
    DnssecInvalid,
    /// The sender demands DANE, and the domain has none.
    DaneRequired,
}

impl ResultType {
    /// All of them, in the order of their numbers.
    pub const ALL: [Self; 11] = [
        Self::StarttlsNotSupported,
        Self::CertificateHostMismatch,
        Self::CertificateNotTrusted,
        Self::CertificateExpired,
        Self::ValidationFailure,
        Self::StsPolicyFetchError,
        Self::StsPolicyInvalid,
        Self::StsWebpkiInvalid,
        Self::TlsaInvalid,
        Self::DnssecInvalid,
        Self::DaneRequired,
    ];

    /// The word of RFC 8460, 4.3.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::StarttlsNotSupported => "starttls-not-supported",
            Self::CertificateHostMismatch => "certificate-host-mismatch",
            Self::CertificateNotTrusted => "certificate-not-trusted",
            Self::CertificateExpired => "certificate-expired",
            Self::ValidationFailure => "validation-failure",
            Self::StsPolicyFetchError => "sts-policy-fetch-error",
            Self::StsPolicyInvalid => "sts-policy-invalid",
            Self::StsWebpkiInvalid => "sts-webpki-invalid",
            Self::TlsaInvalid => "tlsa-invalid",
            Self::DnssecInvalid => "dnssec-invalid",
            Self::DaneRequired => "dane-required",
        }
    }

    /// Reads the word of RFC 8460, 4.3.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|own| own.word() == word)
    }

    /// The number in libtlsrpt's `tlsrpt.h`.
    #[must_use]
    pub fn code(self) -> i64 {
        match self {
            Self::StarttlsNotSupported => 201,
            Self::CertificateHostMismatch => 202,
            Self::CertificateNotTrusted => 203,
            Self::CertificateExpired => 204,
            Self::ValidationFailure => 205,
            Self::StsPolicyFetchError => 301,
            Self::StsPolicyInvalid => 302,
            Self::StsWebpkiInvalid => 303,
            Self::TlsaInvalid => 304,
            Self::DnssecInvalid => 305,
            Self::DaneRequired => 306,
        }
    }

    /// The result type with this number, or `None`.
    #[must_use]
    pub fn from_code(code: i64) -> Option<Self> {
        Self::ALL.into_iter().find(|own| own.code() == code)
    }
}

impl Display for ResultType {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.word())
    }
}

/// The kind of a failure, as the datagram gives it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(from = "i64", into = "i64")]
pub enum FailureCode {
    /// A registered result type.
    Known(ResultType),
    /// Another number: of a later library, or 901, its word for a policy that was never finished.
    /// Count it as `validation-failure`, and name the number as the reason (RP-03).
    Unknown(i64),
}

impl From<i64> for FailureCode {
    fn from(code: i64) -> Self {
        ResultType::from_code(code).map_or(Self::Unknown(code), Self::Known)
    }
}

impl From<FailureCode> for i64 {
    fn from(code: FailureCode) -> Self {
        match code {
            FailureCode::Known(known) => known.code(),
            FailureCode::Unknown(code) => code,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::{FailureCode, ResultType};

    /// RP-03: the eleven registered types, with the words of RFC 8460 and the numbers of libtlsrpt.
    #[test]
    fn there_are_eleven_types() {
        let expected = [
            (201, "starttls-not-supported"),
            (202, "certificate-host-mismatch"),
            (203, "certificate-not-trusted"),
            (204, "certificate-expired"),
            (205, "validation-failure"),
            (301, "sts-policy-fetch-error"),
            (302, "sts-policy-invalid"),
            (303, "sts-webpki-invalid"),
            (304, "tlsa-invalid"),
            (305, "dnssec-invalid"),
            (306, "dane-required"),
        ];
        let all = ResultType::ALL.map(|own| (own.code(), own.word()));
        assert_eq!(all, expected);
        assert_eq!(BTreeSet::from(ResultType::ALL).len(), 11);
        for own in ResultType::ALL {
            assert_eq!(ResultType::parse(own.word()), Some(own));
            assert_eq!(ResultType::from_code(own.code()), Some(own));
            assert_eq!(FailureCode::from(own.code()), FailureCode::Known(own));
        }
    }

    /// RP-03: what is not registered is kept as its number.
    #[test]
    fn other_codes_are_kept() {
        for code in [i64::MIN, -1, 0, 200, 206, 300, 307, 901, i64::MAX] {
            assert_eq!(ResultType::from_code(code), None);
            assert_eq!(FailureCode::from(code), FailureCode::Unknown(code));
            assert_eq!(i64::from(FailureCode::Unknown(code)), code);
        }
        for word in ["", "STARTTLS-NOT-SUPPORTED", "starttls_not_supported", "ok"] {
            assert_eq!(ResultType::parse(word), None);
        }
    }
}
