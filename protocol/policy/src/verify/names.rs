//! Reference names: who a host may say it is (RFC 7672, 3.2.2), and what a certificate says
//! (RFC 7672, 3.2.3; RFC 9525, 6).

use x509_parser::prelude::{GeneralName, ParsedExtension, X509Certificate};

use crate::law::MatchName;
use crate::name::{DomainName, TlsaBaseDomain};

/// The names of which one must stand in the certificate (RFC 7672, 3.2.2; RFC 9525, 6.1).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ReferenceNames(Vec<DomainName>);

impl ReferenceNames {
    /// These names and no others, each once: RFC 8461, 4.2 asks for that of the MX host alone.
    #[must_use]
    pub fn exactly(names: impl IntoIterator<Item = DomainName>) -> Self {
        let mut all = Self::default();
        for name in names {
            if !all.0.contains(&name) {
                all.0.push(name);
            }
        }
        all
    }

    /// RFC 7672, 3.2.2, behind a secure MX set: the base, the next hop's domain, and what that domain
    /// is an alias of (CM-26).
    #[must_use]
    pub fn behind_secure_mx(
        base: &TlsaBaseDomain,
        next_hop: &DomainName,
        expanded: Option<&DomainName>,
    ) -> Self {
        let names = [Some(&base.0), Some(next_hop), expanded];
        Self::exactly(names.into_iter().flatten().cloned())
    }

    /// RFC 7672, 3.2.2, without MX: the base, and the original name where the base is what that is an
    /// alias of (CM-27).
    #[must_use]
    pub fn without_mx(base: &TlsaBaseDomain, original: &DomainName) -> Self {
        Self::exactly([base.0.clone(), original.clone()])
    }

    /// RFC 7673, 4, behind a secure SRV set: the base and the target host first, and the domain whose
    /// service it is (SB-04).
    #[must_use]
    pub fn behind_secure_srv(
        base: &TlsaBaseDomain,
        target: &DomainName,
        domain: &DomainName,
    ) -> Self {
        Self::exactly([base.0.clone(), target.clone(), domain.clone()])
    }

    /// Behind an insecure MX set the base alone: the next hop's domain proves nothing about a host that
    /// anybody may have named (CM-27).
    #[must_use]
    pub fn behind_insecure_mx(base: &TlsaBaseDomain) -> Self {
        Self::exactly([base.0.clone()])
    }

    /// The names, the first one first.
    pub fn iter(&self) -> impl Iterator<Item = &DomainName> {
        self.0.iter()
    }
}

/// What counts as a name of a certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct NameRules {
    /// The common name counts where there is no DNS-ID: DANE only (RFC 7672, 3.2.3; CM-28).
    pub(super) common_name: bool,
    /// A wildcard covers more than one label: a local policy that RFC 7672, 3.2.3 permits (CM-29).
    pub(super) multi_label_wildcards: bool,
}

/// A name of the certificate that is one of the reference names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct NameMatch {
    /// As the certificate has it.
    pub(super) presented: String,
    /// It stands in the subject alone.
    pub(super) is_common_name: bool,
}

/// Looks for one of the reference names in a certificate.
pub(super) fn matching(
    certificate: &X509Certificate<'_>,
    references: &ReferenceNames,
    rules: NameRules,
) -> Option<NameMatch> {
    find(certificate, rules.common_name, |name| {
        let multi_label = rules.multi_label_wildcards;
        references
            .iter()
            .any(|reference| matches(name, reference, multi_label))
    })
}

/// Looks for a name of the operator's in a certificate; as Postfix does, in the subject too where it
/// stands nowhere else.
pub(super) fn demanded(
    certificate: &X509Certificate<'_>,
    demanded: &[MatchName],
) -> Option<NameMatch> {
    find(certificate, true, |name| {
        demanded.iter().any(|demanded| match demanded {
            MatchName::Host(host) => matches(name, host, false),
            MatchName::Below(parent) => {
                let labels = name.strip_prefix("*.").unwrap_or(name);
                let is_wildcard = labels.len() < name.len();
                DomainName::parse(labels).is_ok_and(|labels| {
                    let below = labels.as_str().strip_suffix(parent.as_str());
                    below
                        .is_some_and(|rest| rest.ends_with('.') || (is_wildcard && rest.is_empty()))
                })
            }
        })
    })
}

fn find(
    certificate: &X509Certificate<'_>,
    common_name: bool,
    is_wanted: impl Fn(&str) -> bool,
) -> Option<NameMatch> {
    let presented = Presented::of(certificate);
    let (candidates, is_common_name) = match presented {
        // RFC 6125, 6.4.4: where there is any DNS-ID, only DNS-IDs count.
        Presented::DnsIds(names) => (names, false),
        Presented::CommonNames(names) if common_name => (names, true),
        Presented::CommonNames(_) => return None,
    };
    let found = candidates.into_iter().find(|name| is_wanted(name))?;
    Some(NameMatch {
        presented: found,
        is_common_name,
    })
}

/// The names that a certificate presents.
enum Presented {
    /// DNS-IDs (RFC 9525, 2): there is at least one, or nobody can tell.
    DnsIds(Vec<String>),
    /// Common names of the subject; there is no DNS-ID.
    CommonNames(Vec<String>),
}

impl Presented {
    fn of(certificate: &X509Certificate<'_>) -> Self {
        let mut ids = Vec::new();
        let mut has_ids = false;
        for extension in certificate.extensions() {
            match extension.parsed_extension() {
                ParsedExtension::SubjectAlternativeName(names) => {
                    for name in &names.general_names {
                        match name {
                            GeneralName::DNSName(name) => {
                                has_ids = true;
                                ids.push((*name).to_owned());
                            }
                            // A list of names that cannot be read may hold any.
                            GeneralName::Invalid(..) => has_ids = true,
                            _ => {}
                        }
                    }
                }
                ParsedExtension::ParseError { .. } if extension.oid == SUBJECT_ALT_NAME => {
                    has_ids = true;
                }
                _ => {}
            }
        }
        if has_ids {
            return Self::DnsIds(ids);
        }
        let common = certificate.subject().iter_common_name();
        Self::CommonNames(
            common
                .filter_map(|name| name.as_str().ok())
                .map(str::to_owned)
                .collect(),
        )
    }
}

/// The names of a certificate for people, at most a few.
pub(super) fn told(certificate: &X509Certificate<'_>) -> String {
    let (names, kind) = match Presented::of(certificate) {
        Presented::DnsIds(names) => (names, "names"),
        Presented::CommonNames(names) => (names, "no names but the subject's"),
    };
    let shown: Vec<String> = names
        .iter()
        .take(TOLD)
        .map(|name| name.escape_debug().to_string())
        .collect();
    let more = if names.len() > TOLD { " ..." } else { "" };
    format!("{kind} {}{more}", shown.join(" "))
}

/// RFC 9525, 6.3: labels are compared as A-labels, whatever their case; a wildcard stands for the
/// whole leftmost label and covers exactly one (CM-29).
fn matches(presented: &str, reference: &DomainName, multi_label: bool) -> bool {
    // CM-30: what is no ASCII is no A-label; an embedded NUL makes it no name; an address is none.
    if !presented.is_ascii() || reference.is_address() {
        return false;
    }
    let Some(parent) = presented.strip_prefix("*.") else {
        return DomainName::parse(presented).is_ok_and(|name| name == *reference);
    };
    // A wildcard right below the root would cover whole registries.
    let Some(parent) = DomainName::parse(parent)
        .ok()
        .filter(|name| !name.is_single_label())
    else {
        return false;
    };
    let Some(below) = reference
        .as_str()
        .strip_suffix(parent.as_str())
        .and_then(|labels| labels.strip_suffix('.'))
    else {
        return false;
    };
    let is_host = |label: &str| {
        !label.is_empty()
            && label
                .bytes()
                .all(|octet| octet.is_ascii_alphanumeric() || octet == b'-')
    };
    if multi_label {
        below.split('.').all(is_host)
    } else {
        is_host(below)
    }
}

/// id-ce-subjectAltName (RFC 5280, 4.2.1.6).
const SUBJECT_ALT_NAME: x509_parser::oid_registry::Oid<'static> =
    x509_parser::oid_registry::OID_X509_EXT_SUBJECT_ALT_NAME;
/// Names told of one certificate: a certificate may hold hundreds.
const TOLD: usize = 4;

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    /// CM-29, CM-30: wildcards, case, trailing dots, and what is no name.
    #[test]
    fn the_table() {
        for (presented, reference, expected) in [
            ("mx.a.example", "mx.a.example", true),
            ("MX.A.Example", "mx.a.example", true),
            ("mx.a.example.", "mx.a.example", true),
            ("*.a.example", "m.a.example", true),
            ("*.A.EXAMPLE", "m.a.example", true),
            ("*.a.example", "a.example", false),
            ("*.a.example", "x.m.a.example", false),
            ("m*.a.example", "mx.a.example", false),
            ("*m.a.example", "xm.a.example", false),
            ("m.*.example", "m.a.example", false),
            ("*", "a.example", false),
            ("*.example", "a.example", false),
            ("*.*.example", "m.a.example", false),
            ("*.a.example", "_25.a.example", false),
            ("*.a.example", "xn--bcher-kva.a.example", true),
            ("a.example\0.b.example", "a.example", false),
            ("a.example\0", "a.example", false),
            ("b\u{fc}cher.example", "xn--bcher-kva.example", false),
            ("xn--bcher-kva.example", "xn--bcher-kva.example", true),
            ("", "a.example", false),
            (" a.example", "a.example", false),
        ] {
            let name = DomainName::parse(reference).unwrap();
            assert_eq!(
                matches(presented, &name, false),
                expected,
                "{presented:?} for {reference}"
            );
        }
        let deep = DomainName::parse("x.m.a.example").unwrap();
        assert!(matches("*.a.example", &deep, true));
        assert!(!matches(
            "*.a.example",
            &DomainName::parse("a.example").unwrap(),
            true
        ));
    }

    /// CM-26, CM-27: which names count, by how the host was reached.
    #[test]
    fn reference_names() {
        let name = |text: &str| DomainName::parse(text).unwrap();
        let base = TlsaBaseDomain(name("mx.e.test"));
        let listed = |names: &ReferenceNames| {
            let names: Vec<String> = names.iter().map(ToString::to_string).collect();
            names.join(" ")
        };
        let secure =
            ReferenceNames::behind_secure_mx(&base, &name("e.test"), Some(&name("x.test")));
        assert_eq!(listed(&secure), "mx.e.test e.test x.test");
        let same = ReferenceNames::behind_secure_mx(&base, &name("e.test"), Some(&name("e.test")));
        assert_eq!(listed(&same), "mx.e.test e.test");
        let without = ReferenceNames::without_mx(&base, &name("e.test"));
        assert_eq!(listed(&without), "mx.e.test e.test");
        let is_base = TlsaBaseDomain(name("e.test"));
        let original = ReferenceNames::without_mx(&is_base, &name("e.test"));
        assert_eq!(listed(&original), "e.test");
        let insecure = ReferenceNames::behind_insecure_mx(&base);
        assert_eq!(listed(&insecure), "mx.e.test");
    }
}
