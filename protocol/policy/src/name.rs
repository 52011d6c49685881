//! Domain names as this service uses them: absolute, A-labels, lower case (RFC 5890, RFC 1035).
//!
//! One parser for keys, MX exchanges, policy patterns and reports, so that a name compares equal
//! to itself wherever it came from. Not done here: DNS wire format (see the daemon's adapters).

use std::fmt;
use std::net::Ipv4Addr;
use std::sync::Arc;

/// A domain name other than the root: at least one label, no trailing dot, A-labels, lower case.
///
/// Letters, digits, hyphens and underscores are allowed in labels: underscores stand in MX hosts
/// seen in practice and in TLSA owner names (ID-05).
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DomainName(Arc<str>);

/// Why a text is no domain name. The caller asks nothing of the DNS and answers "not found".
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum MalformedName {
    /// Nothing, or only the root.
    #[error("the name is empty")]
    Empty,
    /// A label with no octets, as in `a..b`.
    #[error("a label is empty")]
    EmptyLabel,
    /// More than 63 octets in one label (RFC 1035, 2.3.4).
    #[error("a label is longer than 63 octets")]
    LabelTooLong,
    /// More than 253 octets of text (RFC 1035, 2.3.4: 255 on the wire).
    #[error("the name is longer than 253 octets")]
    TooLong,
    /// A label that begins or ends with a hyphen (RFC 5890, 2.3.1).
    #[error("a label begins or ends with a hyphen")]
    Hyphen,
    /// An octet outside letters, digits, hyphen and underscore.
    #[error("the name holds a character that no host name has")]
    Character,
    /// A U-label that has no valid A-label (RFC 5891).
    #[error("the internationalised name cannot be converted to A-labels")]
    Idna,
}

impl DomainName {
    /// Parses a name in A-label or U-label form; one trailing dot is dropped, case is folded.
    ///
    /// # Errors
    /// [`MalformedName`] says which rule of RFC 1035 or RFC 5890 the text breaks.
    pub fn parse(text: &str) -> Result<Self, MalformedName> {
        let text = text.strip_suffix('.').unwrap_or(text);
        if text.is_empty() {
            return Err(MalformedName::Empty);
        }
        if !text.is_ascii() {
            // RFC 5890, 2.3.2.1: questions to the DNS are asked in A-labels (ID-01).
            let labels: Result<Vec<String>, _> =
                text.split(DOTS).map(idna::domain_to_ascii_strict).collect();
            let ascii = labels.map_err(|_| MalformedName::Idna)?.join(".");
            return Self::parse_ascii(&ascii);
        }
        Self::parse_ascii(text)
    }

    fn parse_ascii(text: &str) -> Result<Self, MalformedName> {
        if text.len() > MAX_TEXT {
            return Err(MalformedName::TooLong);
        }
        text.split('.').try_for_each(check_label)?;
        let folded = text.to_ascii_lowercase();
        // A broken A-label is no name either: it would be echoed to people as something else. Each is
        // judged by itself: RFC 5893, 2 lets neither `_25` nor `_mta-sts` stand in a name beside
        // labels that are written from right to left, and there they must stand.
        folded
            .split('.')
            .filter(|label| label.starts_with("xn--"))
            .try_for_each(|label| idna::domain_to_unicode(label).1)
            .map_err(|_| MalformedName::Idna)?;
        Ok(Self(folded.into()))
    }

    /// The name as text: A-labels, lower case, no trailing dot.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// True for `localhost` and for names of one label, about which the public DNS is never asked.
    #[must_use]
    pub fn is_single_label(&self) -> bool {
        !self.0.contains('.')
    }

    /// True where the name is the text of an IPv4 address (MX-21: DANE cannot apply to it).
    #[must_use]
    pub fn is_address(&self) -> bool {
        self.0.parse::<Ipv4Addr>().is_ok()
    }

    /// This name with `label` put in front, or `None` where it would be too long.
    #[must_use]
    pub fn child(&self, label: &str) -> Option<Self> {
        Self::parse(&format!("{label}.{self}")).ok()
    }

    /// The name without its leftmost label, `None` at the top.
    #[must_use]
    pub fn parent(&self) -> Option<Self> {
        self.0.split_once('.').map(|(_, rest)| Self(rest.into()))
    }
}

impl fmt::Display for DomainName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for DomainName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", &*self.0)
    }
}

/// The domain a policy belongs to: the next hop being resolved (RFC 8461, 3.4), never its parent.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PolicyDomain(pub DomainName);

/// A host to which mail for a domain is delivered, under the name that the MX record gives.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MxHost(pub DomainName);

/// The name under which a host's TLSA records stand (RFC 7672, 2.2.3): SNI and first reference name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TlsaBaseDomain(pub DomainName);

impl TlsaBaseDomain {
    /// The owner name of the TLSA records: `_<port>._tcp.<base>` (RFC 6698, 3), with the port
    /// really used; `None` where that name would be too long.
    #[must_use]
    pub fn owner(&self, port: u16) -> Option<DomainName> {
        self.0.child("_tcp")?.child(&format!("_{port}"))
    }
}

macro_rules! display_as_name {
    ($($type:ty),*) => {$(
        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    )*};
}
display_as_name!(PolicyDomain, MxHost, TlsaBaseDomain);

fn check_label(label: &str) -> Result<(), MalformedName> {
    if label.is_empty() {
        return Err(MalformedName::EmptyLabel);
    }
    if label.len() > MAX_LABEL {
        return Err(MalformedName::LabelTooLong);
    }
    if label.starts_with('-') || label.ends_with('-') {
        return Err(MalformedName::Hyphen);
    }
    if !label
        .bytes()
        .all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
    {
        return Err(MalformedName::Character);
    }
    Ok(())
}

/// RFC 3490, 3.1: what divides labels beside the full stop itself.
const DOTS: [char; 4] = ['.', '\u{3002}', '\u{ff0e}', '\u{ff61}'];
/// RFC 1035, 2.3.4: a label has at most 63 octets.
const MAX_LABEL: usize = 63;
/// RFC 1035, 2.3.4: 255 octets on the wire are 253 characters of text without the final dot.
const MAX_TEXT: usize = 253;

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    /// ID-04: a name in words for developers stands in quotes, so that nothing can pose as text.
    #[test]
    fn names_are_quoted_where_they_are_debugged() {
        let name = DomainName::parse("MX.e.test").unwrap();
        assert_eq!(format!("{name:?}"), "\"mx.e.test\"");
        assert_eq!(format!("{:?}", MxHost(name)), "MxHost(\"mx.e.test\")");
    }

    /// MX-21: the text of an IPv4 address reads as a name, and is known for what it is.
    #[test]
    fn addresses_are_told_from_names() {
        for (text, is_address) in [
            ("192.0.2.1", true),
            ("1.2.3", false),
            ("1.2.3.256", false),
            ("1.2.3.4.test", false),
        ] {
            let name = DomainName::parse(text).unwrap();
            assert_eq!(name.is_address(), is_address, "{text}");
        }
        assert_eq!(
            DomainName::parse("2001:db8::1"),
            Err(MalformedName::Character)
        );
    }

    /// TB-02, ST-01, ID-02: a name that is written from right to left has TLSA records and a policy
    /// like any other, and is the same name in either form.
    #[test]
    fn names_written_from_right_to_left() {
        let name = DomainName::parse("mx1.xn--4dbrk0ce.test").unwrap();
        let owner = TlsaBaseDomain(name.clone()).owner(25).unwrap();
        assert_eq!(owner.as_str(), "_25._tcp.mx1.xn--4dbrk0ce.test");
        assert!(name.child("_mta-sts").is_some());
        let shown = "mx1.\u{5d9}\u{5e9}\u{5e8}\u{5d0}\u{5dc}.test";
        assert_eq!(DomainName::parse(shown), Ok(name));
        let numbered = "1.\u{5d9}\u{5e9}\u{5e8}\u{5d0}\u{5dc}\u{3002}test";
        let same = DomainName::parse("1.xn--4dbrk0ce.test");
        assert_eq!(DomainName::parse(numbered), same);
        assert!(same.is_ok());
    }
}
