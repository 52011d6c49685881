//! What a certificate says of itself, as far as a path needs it (RFC 5280, 4.2).

use x509_parser::prelude::{
    ASN1Time, ExtendedKeyUsage, FromDer as _, GeneralName, KeyUsage, NameConstraints,
    ParsedExtension, X509Certificate, X509Name, X509Version,
};

use x509_parser::oid_registry::{
    OID_X509_EXT_AUTHORITY_KEY_IDENTIFIER, OID_X509_EXT_BASIC_CONSTRAINTS,
    OID_X509_EXT_EXTENDED_KEY_USAGE, OID_X509_EXT_KEY_USAGE, OID_X509_EXT_NAME_CONSTRAINTS,
    OID_X509_EXT_SUBJECT_ALT_NAME, OID_X509_EXT_SUBJECT_KEY_IDENTIFIER, Oid,
};

use super::certificate::{Certificate, contents};
use crate::moment::Timestamp;
use crate::name::DomainName;
use crate::reason::Reason;

/// A certificate that was read.
pub(super) struct Read<'a> {
    /// Its octets.
    pub(super) der: &'a [u8],
    /// Its fields.
    pub(super) parsed: X509Certificate<'a>,
}

impl<'a> Read<'a> {
    pub(super) fn of(certificate: &'a Certificate) -> Option<Self> {
        Self::of_der(certificate.der())
    }

    pub(super) fn of_der(der: &'a [u8]) -> Option<Self> {
        match X509Certificate::from_der(der) {
            Ok(([], parsed)) => Some(Self { der, parsed }),
            _ => None,
        }
    }

    /// The subject's name without its header, as it is compared: octet by octet.
    pub(super) fn subject(&self) -> &[u8] {
        contents(self.parsed.subject().as_raw())
    }

    /// The issuer's name, likewise.
    pub(super) fn issuer(&self) -> &[u8] {
        contents(self.parsed.issuer().as_raw())
    }

    pub(super) fn is_self_issued(&self) -> bool {
        self.subject() == self.issuer()
    }

    /// Whether its issuer has the name of that one, whatever case, blanks and kind of string make of the
    /// octets (RFC 5280, 7.1). Good for finding whom a limit binds; paths follow the octets alone.
    pub(super) fn names(&self, issuer: &Self) -> bool {
        folded(self.parsed.issuer()) == folded(issuer.parsed.subject())
    }

    /// RFC 5280, 4.1.2.5: both ends belong to the period.
    pub(super) fn dates(&self, now: Timestamp) -> Result<(), Reason> {
        let seconds = i64::try_from(now.0 / 1000).unwrap_or(i64::MAX);
        let at = |time: ASN1Time| time.timestamp();
        let validity = self.parsed.validity();
        if seconds < at(validity.not_before) {
            return Err(Reason::CertificateNotYetValid);
        }
        if seconds > at(validity.not_after) {
            return Err(Reason::CertificateExpired);
        }
        Ok(())
    }

    /// RFC 5280, 4.2.1.9: it may issue. A self-issued anchor of version 1 could not say so, and is
    /// taken for one, as OpenSSL does.
    pub(super) fn is_authority(&self) -> bool {
        let constraints = self.extension(|extension| match extension {
            ParsedExtension::BasicConstraints(constraints) => Some(constraints.ca),
            _ => None,
        });
        constraints.unwrap_or(self.parsed.version() == X509Version::V1 && self.is_self_issued())
    }

    /// RFC 5280, 4.2.1.9: how many issuers may stand below it.
    pub(super) fn path_length(&self) -> Option<usize> {
        let length = self.extension(|extension| match extension {
            ParsedExtension::BasicConstraints(constraints) => constraints.path_len_constraint,
            _ => None,
        })?;
        usize::try_from(length).ok()
    }

    /// RFC 5280, 4.2.1.3: where it says what its key is for, that includes signing certificates.
    pub(super) fn may_sign(&self) -> bool {
        self.key_usage().is_none_or(KeyUsage::key_cert_sign)
    }

    /// RFC 5280, 4.2.1.3: where a leaf says what its key is for, that includes some part of TLS; and so
    /// does Netscape's older word for the same, which OpenSSL still heeds.
    pub(super) fn may_serve(&self) -> bool {
        let by_usage = self.key_usage().is_none_or(|usage| {
            usage.digital_signature() || usage.key_encipherment() || usage.key_agreement()
        });
        let kind = self.extension(|extension| match extension {
            ParsedExtension::NSCertType(kind) => Some(kind.ssl_server()),
            _ => None,
        });
        by_usage && kind != Some(false)
    }

    fn key_usage(&self) -> Option<&KeyUsage> {
        self.extension(|extension| match extension {
            ParsedExtension::KeyUsage(usage) => Some(usage),
            _ => None,
        })
    }

    /// RFC 5280, 4.2.1.12: where purposes are listed, authenticating servers is one of them (CM-19).
    pub(super) fn is_for_servers(&self) -> bool {
        let purposes: Option<&ExtendedKeyUsage<'_>> = self.extension(|extension| match extension {
            ParsedExtension::ExtendedKeyUsage(purposes) => Some(purposes),
            _ => None,
        });
        purposes.is_none_or(|purposes| purposes.server_auth)
    }

    /// RFC 5280, 4.2: a critical extension that is not understood makes it unusable; so does one that
    /// cannot be read.
    pub(super) fn has_unknown_critical(&self) -> bool {
        self.parsed.extensions().iter().any(|extension| {
            let parsed = extension.parsed_extension();
            extension.critical && (parsed.unsupported() || parsed.error().is_some())
        })
    }

    /// RFC 5280, 4.2: each extension stands once, and those that bind an issuer can be read. What cannot
    /// be read may have said anything.
    pub(super) fn is_sound(&self) -> bool {
        let extensions = self.parsed.extensions();
        extensions.iter().enumerate().all(|(number, extension)| {
            let is_again = extensions
                .iter()
                .take(number)
                .any(|other| other.oid == extension.oid);
            let is_unreadable =
                extension.parsed_extension().error().is_some() && BINDING.contains(&extension.oid);
            !is_again && !is_unreadable
        })
    }

    /// True where there are extensions that its version does not have (RFC 5280, 4.1.2.1), and some of
    /// them limit for whom it may vouch: webpki would not look at them.
    pub(super) fn hides_constraints(&self) -> bool {
        self.parsed.version() != X509Version::V3 && self.constraints().is_some()
    }

    pub(super) fn constraints(&self) -> Option<&NameConstraints<'_>> {
        self.extension(|extension| match extension {
            ParsedExtension::NameConstraints(constraints) => Some(constraints),
            _ => None,
        })
    }

    fn extension<'b, T>(
        &'b self,
        pick: impl Fn(&'b ParsedExtension<'a>) -> Option<T>,
    ) -> Option<T> {
        let mut extensions = self.parsed.extensions().iter();
        extensions.find_map(|extension| pick(extension.parsed_extension()))
    }
}

/// The parts of a name, each in its words. Strings of two or four octets for each character differ from
/// others by zeros.
fn folded(name: &X509Name<'_>) -> Vec<(String, Vec<Vec<u8>>)> {
    let words = |text: &[u8]| {
        let text: Vec<u8> = text.iter().copied().filter(|octet| *octet != 0).collect();
        text.split(u8::is_ascii_whitespace)
            .filter(|word| !word.is_empty())
            .map(<[u8]>::to_ascii_lowercase)
            .collect()
    };
    name.iter_attributes()
        .map(|part| (part.attr_type().to_id_string(), words(part.as_slice())))
        .collect()
}

/// The extensions by which OpenSSL, too, takes an issuer for nobody where they cannot be read.
const BINDING: [Oid<'static>; 7] = [
    OID_X509_EXT_BASIC_CONSTRAINTS,
    OID_X509_EXT_KEY_USAGE,
    OID_X509_EXT_EXTENDED_KEY_USAGE,
    OID_X509_EXT_SUBJECT_ALT_NAME,
    OID_X509_EXT_NAME_CONSTRAINTS,
    OID_X509_EXT_SUBJECT_KEY_IDENTIFIER,
    OID_X509_EXT_AUTHORITY_KEY_IDENTIFIER,
];

/// RFC 5280, 4.2.1.10, for a host name that stands in the subject alone: nobody else looks at it.
pub(super) fn permits(constraints: &NameConstraints<'_>, name: &DomainName) -> bool {
    let covers = |base: &GeneralName<'_>| match base {
        GeneralName::DNSName(base) => Some(is_below(name, base)),
        _ => None,
    };
    let excluded = constraints.excluded_subtrees.iter().flatten();
    if excluded
        .filter_map(|subtree| covers(&subtree.base))
        .any(|covered| covered)
    {
        return false;
    }
    let mut permitted = constraints
        .permitted_subtrees
        .iter()
        .flatten()
        .filter_map(|subtree| covers(&subtree.base))
        .peekable();
    permitted.peek().is_none() || permitted.any(|covered| covered)
}

fn is_below(name: &DomainName, base: &str) -> bool {
    // OpenSSL and webpki take a leading dot for "below it alone"; RFC 5280 gives such a form to URIs only.
    let (base, is_strict) = match base.strip_prefix('.') {
        Some(rest) => (rest, true),
        None => (base, false),
    };
    let base = base.to_ascii_lowercase();
    let below = name.as_str().strip_suffix(&base);
    below.is_some_and(|rest| {
        base.is_empty() || rest.ends_with('.') || (rest.is_empty() && !is_strict)
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    /// CM-18, CM-28: a constraint covers its own name and those below it; with a leading dot those below
    /// it alone.
    #[test]
    fn constraints_cover_names() {
        let name = DomainName::parse("mail.e.test").unwrap();
        for (base, expected) in [
            ("e.test", true),
            ("mail.e.test", true),
            ("E.Test", true),
            (".e.test", true),
            (".mail.e.test", false),
            ("il.e.test", false),
            ("x.mail.e.test", false),
            ("", true),
        ] {
            assert_eq!(is_below(&name, base), expected, "{base:?}");
        }
    }
}
