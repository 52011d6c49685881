//! The policy text (RFC 8461, 3.2) and the response that brings it (RFC 8461, 3.3).

use std::fmt;
use std::time::Duration;

use nom::bytes::complete::take_while1;
use nom::character::complete::{char, space0};
use nom::combinator::{rest, verify};
use nom::sequence::separated_pair;
use nom::{IResult, Parser as _};
use thiserror::Error;

use crate::name::DomainName;

/// A policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StsPolicy {
    /// What is to be done with failures.
    pub mode: StsMode,
    /// How long it may be kept.
    pub max_age: Duration,
    /// Who may take mail.
    pub mx: Vec<MxPattern>,
    /// The text as it came: what is stored, and parsed anew.
    pub text: String,
}

/// What is to be done with failures (RFC 8461, 5).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum StsMode {
    /// Hosts that fail get no mail.
    Enforce,
    /// Failures are only told.
    Testing,
    /// As if there were no policy.
    None,
}

impl StsMode {
    /// The word of the policy text.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Enforce => "enforce",
            Self::Testing => "testing",
            Self::None => "none",
        }
    }
}

/// Who may take mail (RFC 8461, 4.1).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum MxPattern {
    /// This host.
    Exact(DomainName),
    /// Any host exactly one label below.
    Wildcard(DomainName),
}

/// Which rule a policy breaks: it is as if there were none.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum MalformedPolicy {
    /// Not UTF-8.
    #[error("the policy is not text")]
    NotText,
    /// A line that is not `key: value`.
    #[error("line {0} of the policy is not \"key: value\"")]
    Line(usize),
    /// `version` is missing or not STSv1.
    #[error("the policy's version is not STSv1")]
    Version,
    /// `mode` is missing or unknown.
    #[error("the policy's mode is not enforce, testing or none")]
    Mode,
    /// `max_age` is missing or not 1 to 10 digits.
    #[error("the policy's max_age is not 1 to 10 digits")]
    MaxAge,
    /// An `mx` value that is no host name or wildcard.
    #[error("line {0} of the policy names no MX host")]
    Mx(usize),
    /// No `mx` at all.
    #[error("the policy names no MX host")]
    NoMx,
}

/// Why a response is no policy.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum PolicyResponseFault {
    /// A status other than 200; redirects included.
    #[error("the policy host answered with status {0}")]
    Status(u16),
    /// A media type other than text/plain.
    #[error("the policy host answered with media type {0:?}")]
    MediaType(String),
    /// Longer than 64 KiB.
    #[error("the policy is longer than 64 KiB")]
    TooLong,
    /// The text is no policy.
    #[error(transparent)]
    Malformed(#[from] MalformedPolicy),
}

impl StsPolicy {
    /// Reads a policy text.
    ///
    /// # Errors
    /// [`MalformedPolicy`] names the rule that is broken, and the line where there is one.
    pub fn parse(body: &[u8]) -> Result<Self, MalformedPolicy> {
        let text = std::str::from_utf8(body).map_err(|_| MalformedPolicy::NotText)?;
        let (mut version, mut mode, mut max_age, mut mx) = (None, None, None, Vec::new());
        for (number, line) in text.lines().enumerate() {
            // Blank lines say nothing; refusing them would take protection away for a slip.
            if line.trim().is_empty() {
                continue;
            }
            let number = number + 1;
            let (_, (key, value)) = field(line).map_err(|_| MalformedPolicy::Line(number))?;
            match key {
                // RFC 8461, 3.2: of repeated keys the first counts.
                "version" => _ = version.get_or_insert(value),
                "mode" => _ = mode.get_or_insert(value),
                "max_age" => _ = max_age.get_or_insert(value),
                "mx" => mx.push(MxPattern::parse(value).ok_or(MalformedPolicy::Mx(number))?),
                _ => {}
            }
        }
        if version != Some("STSv1") {
            return Err(MalformedPolicy::Version);
        }
        let mode = match mode {
            Some("enforce") => StsMode::Enforce,
            Some("testing") => StsMode::Testing,
            Some("none") => StsMode::None,
            _ => return Err(MalformedPolicy::Mode),
        };
        let digits = max_age.filter(|text| {
            (1..=10).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit())
        });
        let seconds: u64 = digits
            .and_then(|text| text.parse().ok())
            .ok_or(MalformedPolicy::MaxAge)?;
        if mx.is_empty() && mode != StsMode::None {
            return Err(MalformedPolicy::NoMx);
        }
        let max_age = Duration::from_secs(seconds.min(LONGEST_MAX_AGE));
        Ok(Self {
            mode,
            max_age,
            mx,
            text: text.to_owned(),
        })
    }

    /// True where the policy permits mail to this host.
    #[must_use]
    pub fn permits(&self, host: &DomainName) -> bool {
        self.mx.iter().any(|pattern| pattern.matches(host))
    }
}

impl MxPattern {
    /// Reads one `mx` value.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        if !text.is_ascii() || text.ends_with('.') || text.contains('_') {
            return None;
        }
        let (wild, name) = match text.strip_prefix("*.") {
            Some(name) => (true, name),
            None => (false, text),
        };
        let name = DomainName::parse(name)
            .ok()
            .filter(|name| !name.is_address())?;
        Some(if wild {
            Self::Wildcard(name)
        } else {
            Self::Exact(name)
        })
    }

    /// RFC 8461, 4.1: a wildcard covers exactly the first label.
    #[must_use]
    pub fn matches(&self, host: &DomainName) -> bool {
        match self {
            Self::Exact(name) => name == host,
            Self::Wildcard(name) => host.parent().as_ref() == Some(name),
        }
    }
}

impl fmt::Display for MxPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exact(name) => write!(f, "{name}"),
            Self::Wildcard(name) => write!(f, "*.{name}"),
        }
    }
}

/// RFC 8461, 3.2: `key: value`, blanks behind the colon and at the end of the line.
fn field(line: &str) -> IResult<&str, (&str, &str)> {
    let is_key = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
    let key = verify(take_while1(is_key), |key: &str| key.len() <= LONGEST_KEY);
    let (left, (key, value)) = separated_pair(key, (char(':'), space0), rest).parse(line)?;
    Ok((left, (key, value.trim_end_matches([' ', '\t']))))
}

/// Reads an HTTP response as a policy.
///
/// # Errors
/// [`PolicyResponseFault`] where it is none.
pub fn read_response(
    status: u16,
    media_type: Option<&str>,
    body: &[u8],
) -> Result<StsPolicy, PolicyResponseFault> {
    // RFC 8461, 3.3: only 200 counts, redirects are not followed.
    if status != 200 {
        return Err(PolicyResponseFault::Status(status));
    }
    let media_type = media_type.unwrap_or_default();
    let bare = media_type.split(';').next().unwrap_or_default().trim();
    if !bare.eq_ignore_ascii_case("text/plain") {
        return Err(PolicyResponseFault::MediaType(media_type.to_owned()));
    }
    if body.len() > POLICY_LIMIT {
        return Err(PolicyResponseFault::TooLong);
    }
    Ok(StsPolicy::parse(body)?)
}

/// RFC 8461, 3.3 suggests 64 kilobytes.
pub const POLICY_LIMIT: usize = 64 * 1024;
/// RFC 8461, 3.2: at most 31557600 seconds, about a year; larger values are capped, not refused.
const LONGEST_MAX_AGE: u64 = 31_557_600;
/// RFC 8461, 3.2: names of extensions have at most 32 characters.
const LONGEST_KEY: usize = 32;

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    const GOOD: &str = "version: STSv1\nmode: enforce\nmx: mx.e.test\nmax_age: 86400\n";

    fn with(from: &str, to: &str) -> Result<StsPolicy, MalformedPolicy> {
        StsPolicy::parse(GOOD.replace(from, to).as_bytes())
    }

    /// ST-15: line ends, blanks, unknown keys, repeated keys; the first of those counts.
    #[test]
    fn forms_that_say_the_same() {
        let plain = with("", "").unwrap();
        assert_eq!(
            (plain.mode, plain.max_age.as_secs()),
            (StsMode::Enforce, 86_400)
        );
        for (from, to) in [
            ("\n", "\r\n"),
            ("mode: enforce", "mode:enforce  "),
            ("mode: enforce", "mode: enforce\nmode: none"),
            ("version", "x-y_z.1: { match=evil }\nversion"),
            ("86400\n", "86400"),
            ("86400\n", "86400\n\n"),
        ] {
            let other = with(from, to).unwrap();
            assert_eq!(
                (other.mode, other.max_age, other.mx),
                (plain.mode, plain.max_age, plain.mx.clone())
            );
        }
    }

    /// ST-16, ST-17, ST-18: what a policy must have, and which values it may.
    #[test]
    fn broken_policies() {
        for (from, to, why) in [
            ("version: STSv1\n", "", MalformedPolicy::Version),
            ("STSv1", "STSv2", MalformedPolicy::Version),
            ("mode: enforce\n", "", MalformedPolicy::Mode),
            ("enforce", "report", MalformedPolicy::Mode),
            ("enforce", "Enforce", MalformedPolicy::Mode),
            ("max_age: 86400\n", "", MalformedPolicy::MaxAge),
            ("86400", "99999999999", MalformedPolicy::MaxAge),
            ("86400", "-1", MalformedPolicy::MaxAge),
            ("86400", "1 day", MalformedPolicy::MaxAge),
            ("mx: mx.e.test\n", "", MalformedPolicy::NoMx),
            ("mode: enforce", "mode enforce", MalformedPolicy::Line(2)),
        ] {
            assert_eq!(with(from, to), Err(why), "{from:?} to {to:?}");
        }
        assert_eq!(
            with("86400", "9999999999").unwrap().max_age.as_secs(),
            31_557_600
        );
        assert_eq!(with("86400", "0").unwrap().max_age.as_secs(), 0);
        assert!(StsPolicy::parse(b"version: STSv1\nmode: none\nmax_age: 1\n").is_ok());
        assert_eq!(StsPolicy::parse(&[0xff]), Err(MalformedPolicy::NotText));
    }

    /// ST-19, ST-30: names of hosts and wildcards, and nothing else.
    #[test]
    fn names_of_hosts() {
        for good in ["mx.e.test", "*.e.test", "MX.E.test", "xn--bcher-kva.test"] {
            assert!(with("mx.e.test", good).is_ok(), "{good}");
        }
        for bad in [
            "*.*.e.test",
            "**.e.test",
            "a.*.e.test",
            "*e.test",
            "192.0.2.1",
            "[192.0.2.1]",
            "b\u{fc}cher.test",
            "mx-.e.test",
            "mx.e.test.",
            "mx.e.test ciphers=low",
            "*",
            "*.",
            "",
            "mx_1.e.test",
        ] {
            assert_eq!(with("mx.e.test", bad), Err(MalformedPolicy::Mx(3)), "{bad}");
        }
    }

    /// ST-20: a wildcard covers exactly the first label.
    #[test]
    fn wildcards() {
        let policy = with("mx.e.test", "*.b.test").unwrap();
        let permits = |name| policy.permits(&DomainName::parse(name).unwrap());
        assert!(permits("m.b.test") && permits("M.B.test"));
        assert!(!permits("b.test") && !permits("x.m.b.test") && !permits("mb.test"));
    }

    /// ST-08, ST-10: only 200, only text/plain.
    #[test]
    fn responses() {
        let read = |status, kind| read_response(status, kind, GOOD.as_bytes());
        assert!(read(200, Some("text/plain")).is_ok());
        assert!(read(200, Some("Text/PLAIN ; charset=utf-8")).is_ok());
        for status in [204, 301, 302, 404, 500] {
            assert_eq!(
                read(status, Some("text/plain")),
                Err(PolicyResponseFault::Status(status))
            );
        }
        for kind in [None, Some("text/html"), Some("text/plainer"), Some("")] {
            assert!(
                matches!(read(200, kind), Err(PolicyResponseFault::MediaType(_))),
                "{kind:?}"
            );
        }
        let long = vec![b'\n'; POLICY_LIMIT + 1];
        let read = read_response(200, Some("text/plain"), &long);
        assert_eq!(read, Err(PolicyResponseFault::TooLong));
    }

    /// ST-17: each mode is read as what it says, and told by the same word.
    #[test]
    fn modes() {
        for (mode, word) in [
            (StsMode::Enforce, "enforce"),
            (StsMode::Testing, "testing"),
            (StsMode::None, "none"),
        ] {
            assert_eq!(with("enforce", word).unwrap().mode, mode);
            assert_eq!(mode.word(), word);
        }
    }

    /// ST-11: a policy may fill the limit to the last octet.
    #[test]
    fn the_longest_response() {
        let mut body = GOOD.as_bytes().to_vec();
        body.resize(64 * 1024, b'\n');
        let read = |body: &[u8]| read_response(200, Some("text/plain"), body);
        assert_eq!(read(&body).unwrap().mode, StsMode::Enforce);
        body.push(b'\n');
        assert_eq!(read(&body), Err(PolicyResponseFault::TooLong));
    }
}
