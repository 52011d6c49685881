//! Reference names: who a host may say it is (RFC 7672, 3.2.2), and what a certificate says
//! (RFC 9525, 6; RFC 7672, 3.2.3).

use crate::name::{DomainName, TlsaBaseDomain};

/// The names of which one must stand in the certificate.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ReferenceNames(Vec<DomainName>);

impl ReferenceNames {
    /// These names and no others.
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
