//! What result types mean for the one who is reported to, and what he can do.

use hoplock_wire::tlsrpt::{DocumentPolicyType, DocumentResult, ResultType};

/// What went wrong (RFC 8460, 4.3), in words that go on from "N sessions:".
pub(super) fn meaning(result: &DocumentResult) -> &'static str {
    let DocumentResult::Known(known) = result else {
        return "something that RFC 8460 has no word for";
    };
    match known {
        ResultType::StarttlsNotSupported => "the host did not offer STARTTLS, or refused it",
        ResultType::CertificateHostMismatch => "the certificate is for other names",
        ResultType::CertificateNotTrusted => {
            "the certificate leads to nobody that the sender trusts"
        }
        ResultType::CertificateExpired => "the certificate had expired",
        ResultType::ValidationFailure => "some other failure",
        ResultType::StsPolicyFetchError => "the MTA-STS policy could not be fetched",
        ResultType::StsPolicyInvalid => "the MTA-STS policy could not be read",
        ResultType::StsWebpkiInvalid => "the certificate of the MTA-STS policy host is not valid",
        ResultType::TlsaInvalid => "no TLSA record fitted the certificate, or none can be used",
        ResultType::DnssecInvalid => "DNSSEC validation failed",
        ResultType::DaneRequired => "the sender demands DANE, and found none",
    }
}

/// What to do about it, where that is obvious.
pub(super) fn cure(result: &DocumentResult, policy: &DocumentPolicyType) -> Option<&'static str> {
    let DocumentResult::Known(known) = result else {
        return None;
    };
    Some(match (known, policy) {
        (ResultType::StarttlsNotSupported, _) => {
            "let the host offer STARTTLS to everybody, and no filter or firewall take it out; if it does, \
             somebody on the way may"
        }
        (ResultType::CertificateHostMismatch, _) => {
            "give the host a certificate with the name that its MX record has"
        }
        (ResultType::CertificateNotTrusted, DocumentPolicyType::Tlsa) => {
            "compare: `hoplock tlsa FILE.pem --host HOST`; publish the record of a new certificate before \
             it is used"
        }
        (ResultType::CertificateNotTrusted, _) => {
            "let the host show a certificate of a public authority, with all certificates between"
        }
        (ResultType::CertificateExpired, _) => {
            "renew the certificate, and reload the mail server whenever it is renewed"
        }
        (ResultType::StsPolicyFetchError, _) => {
            "let https://mta-sts.DOMAIN/.well-known/mta-sts.txt answer with status 200, without a redirect"
        }
        (ResultType::StsPolicyInvalid, _) => {
            "correct the policy: version, mode, max_age, and an mx line for each host"
        }
        (ResultType::StsWebpkiInvalid, _) => {
            "renew the certificate of the host mta-sts.DOMAIN, with just that name in it"
        }
        (ResultType::TlsaInvalid, _) => {
            "compare: `hoplock tlsa FILE.pem --host HOST`; publish the record of a new certificate before \
             it is used, and take the old one out after"
        }
        (ResultType::DnssecInvalid, _) => {
            "see that the zone is signed, that no signature has run out, and that the parent's DS records \
             fit its keys"
        }
        (ResultType::DaneRequired, _) => {
            "publish TLSA records in a signed zone: `hoplock tlsa FILE.pem` prints them"
        }
        (ResultType::ValidationFailure, _) => return None,
    })
}
