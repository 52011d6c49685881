//! Where reports go (RFC 8460, 3): a URI of the domain's `rua`.

use std::fmt::{self, Display, Formatter};

/// A URI that reports can be sent to.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ReportTarget {
    /// `mailto:` and this address, decoded.
    Mailto(String),
    /// This `https://` URL.
    Https(String),
}

impl ReportTarget {
    /// Reads a URI; `None` where its scheme is another, or what follows is no address and no host.
    #[must_use]
    pub fn parse(uri: &str) -> Option<Self> {
        let (scheme, rest) = uri.split_once(':')?;
        if scheme.eq_ignore_ascii_case("mailto") {
            // RFC 6068: header fields behind the question mark are none of ours to set.
            let address = rest.split('?').next().unwrap_or_default();
            let address = percent_decoded(address)?;
            return is_address(&address).then_some(Self::Mailto(address));
        }
        if scheme.eq_ignore_ascii_case("https") {
            let behind = rest.strip_prefix("//")?;
            let authority = behind.split(['/', '?', '#']).next().unwrap_or_default();
            let is_plain =
                |c: char| c.is_ascii_graphic() && !matches!(c, '<' | '>' | '"' | '\\' | '#');
            // No password is sent to anybody because his record says so.
            let is_good = !authority.is_empty()
                && !authority.contains('@')
                && behind.len() <= LONGEST
                && behind.chars().all(is_plain);
            let target = is_good.then(|| Self::Https(format!("https://{behind}")))?;
            // A port alone is nobody.
            return Some(target).filter(|target| !target.receiver().is_empty());
        }
        None
    }

    /// The domain or host that the report goes to, in lower case: what lists of allowed and denied
    /// receivers go by.
    #[must_use]
    pub fn receiver(&self) -> String {
        let text = match self {
            Self::Mailto(address) => address.rsplit_once('@').map_or("", |(_, domain)| domain),
            Self::Https(url) => {
                let behind = url.strip_prefix("https://").unwrap_or_default();
                let authority = behind.split(['/', '?']).next().unwrap_or_default();
                let is_port = |port: &str| port.bytes().all(|byte| byte.is_ascii_digit());
                match authority.rsplit_once(':') {
                    Some((host, port)) if is_port(port) => host,
                    _ => authority,
                }
            }
        };
        text.trim_end_matches('.').to_ascii_lowercase()
    }
}

impl Display for ReportTarget {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Mailto(address) => {
                f.write_str("mailto:")?;
                for c in address.chars() {
                    match c {
                        '%' | '?' | ',' | '!' | '&' | '#' => write!(f, "%{:02X}", u32::from(c))?,
                        _ => write!(f, "{c}")?,
                    }
                }
                Ok(())
            }
            Self::Https(url) => f.write_str(url),
        }
    }
}

/// An address that can stand in an SMTP command without quotes: nothing that a program could take for an
/// option or for more than one.
fn is_address(text: &str) -> bool {
    let Some((local, domain)) = text.rsplit_once('@') else {
        return false;
    };
    let in_local = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-/=?^_`{|}~.".contains(c);
    let in_domain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_');
    !local.is_empty()
        && !local.starts_with(['-', '.'])
        && !local.ends_with('.')
        && !local.contains("..")
        && local.chars().all(in_local)
        && !domain.is_empty()
        && !domain.starts_with(['-', '.'])
        && domain.chars().all(in_domain)
        && text.len() <= LONGEST_ADDRESS
}

fn percent_decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::new();
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let mut digit = || char::from(rest.next()?).to_digit(16);
        let value = digit()? * 16 + digit()?;
        bytes.push(u8::try_from(value).ok()?);
    }
    String::from_utf8(bytes).ok()
}

/// Longer URLs are nobody's reporting address.
const LONGEST: usize = 1_024;
/// RFC 5321, 4.5.3.1.3.
const LONGEST_ADDRESS: usize = 254;

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    /// RP-02: mailto and https, nothing else, and no address that could be taken for something else.
    #[test]
    fn targets() {
        for (uri, receiver, shown) in [
            ("mailto:r@a.test", "a.test", "mailto:r@a.test"),
            ("MAILTO:r@A.test?subject=x", "a.test", "mailto:r@A.test"),
            ("mailto:r%2Bt%21@a.test", "a.test", "mailto:r+t%21@a.test"),
            ("https://a.test/v1/r", "a.test", "https://a.test/v1/r"),
            ("HTTPS://A.test:8443", "a.test", "https://A.test:8443"),
            (
                "https://[2001:db8::1]:8443/x",
                "[2001:db8::1]",
                "https://[2001:db8::1]:8443/x",
            ),
        ] {
            let target = ReportTarget::parse(uri).unwrap();
            assert_eq!(target.receiver(), receiver, "{uri}");
            assert_eq!(target.to_string(), shown);
            assert_eq!(ReportTarget::parse(shown), Some(target), "reads back");
        }
        for uri in [
            "",
            "r@a.test",
            "http://a.test/",
            "ftp://a.test/",
            "https:/a.test",
            "https://",
            "https://:443/",
            "https://u:p@a.test/",
            "https://a.test/a b",
            "mailto:",
            "mailto:a.test",
            "mailto:-f@a.test",
            "mailto:a@-o.test",
            "mailto:a%0d@b.test",
            "mailto:a@b.test%20c",
            "mailto:a,b@c.test",
            "mailto:a%2Cb@c.test",
            "mailto:\"a\"@c.test",
            "mailto:a%zz@b.test",
            "mailto:a%e4@b.test",
        ] {
            assert_eq!(ReportTarget::parse(uri), None, "{uri}");
        }
    }
}
