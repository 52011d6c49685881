//! What an MTA asks about: the key of a policy lookup, read once, compared for ever.
//!
//! Postfix asks `domain`, `[host]`, `[host]:port`, `domain:port`, `.parent` and literals
//! (smtp_tls_policy_maps); `_submission._tcp.domain` is a service that is found by SRV, where the
//! operator lets it. Reading never fails: what is no destination is a value too, and is
//! answered without a lookup.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use nom::Parser as _;
use nom::bytes::complete::{tag, take_until};
use nom::combinator::{rest, verify};

use crate::name::{DomainName, MalformedName, MxHost, PolicyDomain};

/// A destination as the MTA names it. Equal spellings are equal values (ID-02).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum NextHop {
    /// A mail domain or relay name: resolved by MX.
    Domain {
        /// The policy domain (RFC 8461, 3.4).
        domain: PolicyDomain,
        /// The port that will be used.
        port: u16,
    },
    /// A host in brackets: no MX lookup; its choice counts as trusted (RFC 7672, 2.2).
    Host {
        /// The host.
        host: MxHost,
        /// The port that will be used.
        port: u16,
    },
    /// Where a domain's users hand in mail: resolved by SRV (RFC 6186, 3.1; RFC 8314, 5.1).
    Service {
        /// The domain whose service it is.
        domain: PolicyDomain,
        /// Which service.
        service: SubmissionService,
    },
    /// `.parent`: Postfix walks up by itself; answered by a rule for that suffix or not at all.
    Parent(DomainName),
    /// Nothing that the public DNS is asked about: not found, without a lookup.
    NotADomain(NotADomain),
}

/// Services that SRV records lead to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SubmissionService {
    /// TLS by STARTTLS (RFC 6186, 3.1).
    Submission,
    /// TLS from the first byte (RFC 8314, 5.1).
    Submissions,
}

/// Why a key is no destination. The caller answers "not found" and asks nothing.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum NotADomain {
    /// An address literal; a rule may still be written for it.
    Address(IpAddr),
    /// `localhost`, or another name of one label.
    SingleLabel(DomainName),
    /// A path of a local socket.
    Path,
    /// A port that is neither a number from 1 to 65535 nor a known service.
    Port,
    /// A text that no rule of names lets pass.
    Malformed(MalformedName),
}

impl NextHop {
    /// Reads a key as the MTA sends it. Never fails.
    #[must_use]
    pub fn parse(key: &str) -> Self {
        if key.starts_with('/') || key.starts_with("unix:") || key.starts_with("inet:") {
            return Self::NotADomain(NotADomain::Path);
        }
        if let Some(parent) = key.strip_prefix('.') {
            return match DomainName::parse(parent) {
                Ok(name) => Self::Parent(name),
                Err(why) => Self::NotADomain(NotADomain::Malformed(why)),
            };
        }
        if let Some(address) = bare_address(key) {
            return Self::NotADomain(NotADomain::Address(address));
        }
        match bracketed(key) {
            Ok(("", (host, port))) => Self::in_brackets(host, port),
            _ => Self::unbracketed(key),
        }
    }

    /// The name that rules and policies are looked up under.
    #[must_use]
    pub fn name(&self) -> Option<&DomainName> {
        match self {
            Self::Domain { domain, .. } | Self::Service { domain, .. } => Some(&domain.0),
            Self::Host { host, .. } => Some(&host.0),
            Self::Parent(name) => Some(name),
            Self::NotADomain(_) => None,
        }
    }

    /// The port that will be used; none where SRV records tell it.
    #[must_use]
    pub fn port(&self) -> Option<u16> {
        match self {
            Self::Domain { port, .. } | Self::Host { port, .. } => Some(*port),
            Self::Service { .. } | Self::Parent(_) | Self::NotADomain(_) => None,
        }
    }

    /// True for submission, where MTA-STS does not apply (RFC 8461, 1; SB-01).
    #[must_use]
    pub fn is_submission(&self) -> bool {
        matches!(self, Self::Service { .. }) || self.port().is_some_and(is_submission_port)
    }

    /// True where TLS begins with the connection, by the name of the service (RFC 8314, 3.3).
    #[must_use]
    pub fn begins_with_tls(&self) -> bool {
        matches!(
            self,
            Self::Service {
                service: SubmissionService::Submissions,
                ..
            }
        )
    }

    fn in_brackets(host: &str, port: &str) -> Self {
        let literal = host
            .strip_prefix("IPv6:")
            .or_else(|| host.strip_prefix("ipv6:"));
        let address = literal.map_or_else(
            || bare_address(host),
            |text| text.parse::<Ipv6Addr>().ok().map(IpAddr::V6),
        );
        if let Some(address) = address {
            return Self::NotADomain(NotADomain::Address(address));
        }
        let Some(port) = read_port(port) else {
            return Self::NotADomain(NotADomain::Port);
        };
        match read_name(host) {
            Ok(name) => Self::Host {
                host: MxHost(name),
                port,
            },
            Err(what) => Self::NotADomain(what),
        }
    }

    fn unbracketed(key: &str) -> Self {
        let (name, port) = match key.rsplit_once(':') {
            None => (key, ""),
            Some((name, port)) => (name, port),
        };
        if key.contains(':') && port.is_empty() {
            return Self::NotADomain(NotADomain::Port);
        }
        if let Some(address) = bare_address(name) {
            return Self::NotADomain(NotADomain::Address(address));
        }
        let Some(port) = read_port(port) else {
            return Self::NotADomain(NotADomain::Port);
        };
        match read_name(name) {
            Ok(name) => match SubmissionService::of(&name) {
                Some((service, domain)) if !key.contains(':') => Self::service(service, domain),
                // The port stands in the SRV records.
                Some(_) => Self::NotADomain(NotADomain::Port),
                None => Self::Domain {
                    domain: PolicyDomain(name),
                    port,
                },
            },
            Err(what) => Self::NotADomain(what),
        }
    }

    fn service(service: SubmissionService, domain: &str) -> Self {
        match read_name(domain) {
            Ok(name) => Self::Service {
                domain: PolicyDomain(name),
                service,
            },
            Err(what) => Self::NotADomain(what),
        }
    }
}

impl fmt::Display for NextHop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Domain { domain, port: SMTP } => write!(f, "{domain}"),
            Self::Domain { domain, port } => write!(f, "{domain}:{port}"),
            Self::Host { host, port: SMTP } => write!(f, "[{host}]"),
            Self::Host { host, port } => write!(f, "[{host}]:{port}"),
            Self::Service { domain, service } => write!(f, "{}{domain}", service.prefix()),
            Self::Parent(name) => write!(f, ".{name}"),
            Self::NotADomain(NotADomain::Address(address)) => write!(f, "[{address}]"),
            Self::NotADomain(NotADomain::SingleLabel(name)) => write!(f, "{name}"),
            Self::NotADomain(NotADomain::Path) => f.write_str("a local socket"),
            Self::NotADomain(NotADomain::Port) => f.write_str("a name with a bad port"),
            Self::NotADomain(NotADomain::Malformed(_)) => f.write_str("a malformed name"),
        }
    }
}

impl SubmissionService {
    /// RFC 2782: the service and its protocol, in front of the domain.
    #[must_use]
    pub fn prefix(self) -> &'static str {
        match self {
            Self::Submission => "_submission._tcp.",
            Self::Submissions => "_submissions._tcp.",
        }
    }

    /// The name that SRV records stand at.
    #[must_use]
    pub fn owner(self, domain: &PolicyDomain) -> Option<DomainName> {
        DomainName::parse(&format!("{}{domain}", self.prefix())).ok()
    }

    fn of(name: &DomainName) -> Option<(Self, &str)> {
        let services = [Self::Submission, Self::Submissions];
        services.into_iter().find_map(|service| {
            let domain = name.as_str().strip_prefix(service.prefix())?;
            Some((service, domain))
        })
    }
}

impl NotADomain {
    /// The address, where it is a literal: rules may be written for it (NX-03).
    #[must_use]
    pub fn address(&self) -> Option<IpAddr> {
        match self {
            Self::Address(address) => Some(*address),
            _ => None,
        }
    }
}

/// `[host]`, then what follows a colon, or nothing.
fn bracketed(key: &str) -> nom::IResult<&str, (&str, &str)> {
    let (input, _) = tag("[")(key)?;
    let (input, host) = take_until("]")(input)?;
    let (input, _) = tag("]")(input)?;
    if input.is_empty() {
        return Ok((input, (host, "")));
    }
    let (input, _) = tag(":")(input)?;
    let (input, port) = verify(rest, |port: &str| !port.is_empty()).parse(input)?;
    Ok((input, (host, port)))
}

fn bare_address(text: &str) -> Option<IpAddr> {
    text.parse::<Ipv4Addr>()
        .ok()
        .map(IpAddr::V4)
        .or_else(|| text.parse().ok())
}

fn read_name(text: &str) -> Result<DomainName, NotADomain> {
    let name = DomainName::parse(text).map_err(NotADomain::Malformed)?;
    // With a dot at its end, or in digits of another script, it is an address all the same.
    if let Some(address) = bare_address(name.as_str()) {
        return Err(NotADomain::Address(address));
    }
    let local = name.is_single_label() || name.as_str().ends_with(".localhost");
    if local {
        Err(NotADomain::SingleLabel(name))
    } else {
        Ok(name)
    }
}

fn read_port(text: &str) -> Option<u16> {
    match text.to_ascii_lowercase().as_str() {
        "" | "smtp" | "mail" => Some(SMTP),
        "submission" | "msp" => Some(SUBMISSION),
        "submissions" | "smtps" | "ssmtp" | "urd" => Some(SUBMISSIONS),
        digits if digits.bytes().all(|b| b.is_ascii_digit()) => {
            digits.parse().ok().filter(|port| *port != 0)
        }
        _ => None,
    }
}

/// True for 587 and 465 (RFC 6409, 3.1; RFC 8314, 3.3).
#[must_use]
pub fn is_submission_port(port: u16) -> bool {
    matches!(port, SUBMISSION | SUBMISSIONS)
}

/// What people have at hand: of an address of mail the domain, anything else as it is. No next hop holds an @.
#[must_use]
pub fn without_mailbox(text: &str) -> &str {
    text.rsplit_once('@').map_or(text, |(_, domain)| domain)
}

/// Any text, safe for logs and replies: what is not plain ASCII is escaped, and it ends in time.
#[must_use]
pub fn escaped(text: &str) -> impl fmt::Display {
    let mut safe = String::new();
    for character in text.chars() {
        if safe.len() > LONGEST_ECHO {
            safe.push_str("...");
            break;
        }
        match character {
            ' '..='~' => safe.push(character),
            other => safe.extend(other.escape_default()),
        }
    }
    safe
}

const SMTP: u16 = 25;
const SUBMISSION: u16 = 587;
const SUBMISSIONS: u16 = 465;
/// Longer than any name; what is longer is no name anyway.
const LONGEST_ECHO: usize = 300;

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn an_address_counts_by_its_domain() {
        for (text, expected) in [
            ("e.test", "e.test"),
            ("somebody@e.test", "e.test"),
            ("\"a@b\"@e.test", "e.test"),
            ("[mx.e.test]:587", "[mx.e.test]:587"),
            ("", ""),
        ] {
            assert_eq!(without_mailbox(text), expected);
        }
    }

    /// PF-05, NX-03, NX-05: the forms of keys, and what each is.
    #[test]
    fn keys() {
        let canonical = [
            ("e.test", "e.test"),
            ("E.Test.", "e.test"),
            ("e.test:25", "e.test"),
            ("e.test:smtp", "e.test"),
            ("e.test:2525", "e.test:2525"),
            ("e.test:submission", "e.test:587"),
            ("[mx.e.test]", "[mx.e.test]"),
            ("[mx.e.test]:25", "[mx.e.test]"),
            ("[MX.e.test]:smtps", "[mx.e.test]:465"),
            (".e.test", ".e.test"),
            ("_Submission._TCP.E.test.", "_submission._tcp.e.test"),
            ("_submissions._tcp.e.test", "_submissions._tcp.e.test"),
            ("b\u{fc}cher.test", "xn--bcher-kva.test"),
            ("XN--BCHER-KVA.test", "xn--bcher-kva.test"),
        ];
        for (key, text) in canonical {
            assert_eq!(NextHop::parse(key).to_string(), text, "{key}");
        }
        let nothing = [
            "",
            ".",
            "..",
            "localhost",
            "com",
            "mail.localhost",
            "192.0.2.1",
            "[192.0.2.1]",
            "[192.0.2.1]:25",
            "2001:db8::1",
            "[IPv6:2001:db8::1]",
            "[ipv6:2001:db8::1]:587",
            "[]",
            "[e.test",
            "e.test]",
            "[e.test]x",
            "[e.test]:",
            "e.test:",
            "e.test:0",
            "e.test:65536",
            "e.test:nosuch",
            "/run/lmtp",
            "unix:/run/lmtp",
            "a b.test",
            "a..test",
            "-a.test",
            "a\0.test",
            "\u{202e}tset.e",
            "xn--zzzzzzzz99999.test",
        ];
        for key in nothing {
            let read = NextHop::parse(key);
            assert!(matches!(read, NextHop::NotADomain(_)), "{key:?}: {read:?}");
        }
        let long = format!("{}.test", "a".repeat(64));
        assert!(matches!(NextHop::parse(&long), NextHop::NotADomain(_)));
        let long = vec!["a".repeat(50); 5].join(".") + ".test";
        assert!(matches!(NextHop::parse(&long), NextHop::NotADomain(_)));
    }

    /// ID-02: equal spellings are equal values.
    #[test]
    fn spellings() {
        assert_eq!(
            NextHop::parse("B\u{dc}CHER.test."),
            NextHop::parse("xn--bcher-kva.test")
        );
        assert_ne!(NextHop::parse("[e.test]"), NextHop::parse("e.test"));
    }

    /// NX-03: an address is one in every spelling that reads as a name, too.
    #[test]
    fn addresses_in_disguise() {
        let address = NextHop::parse("192.0.2.1");
        assert!(matches!(&address, NextHop::NotADomain(what) if what.address().is_some()));
        for key in [
            "192.0.2.1.",
            "[192.0.2.1.]",
            "192.0.2.1.:25",
            "\u{ff11}92.0.2.1",
            "[192.0.2.\u{ff11}]:587",
        ] {
            assert_eq!(NextHop::parse(key), address, "{key}");
        }
    }

    /// ID-04: what cannot be shown plainly is escaped, and nothing is endless.
    #[test]
    fn escapes() {
        let text = format!("{}", escaped("a\r\nb\u{202e}c\0\u{1b}[2J"));
        assert_eq!(text, "a\\r\\nb\\u{202e}c\\u{0}\\u{1b}[2J");
        let long = format!("{}", escaped(&"\u{fc}".repeat(5000)));
        assert!(long.len() < 400);
    }

    /// PF-05, NX-05: what a key is instead of a destination, and the address that rules may speak of.
    #[test]
    fn keys_that_are_no_destination_say_why() {
        let malformed = |why| NotADomain::Malformed(why);
        let local = |text| NotADomain::SingleLabel(DomainName::parse(text).unwrap());
        for (key, why) in [
            ("/run/lmtp", NotADomain::Path),
            ("unix:/run/lmtp", NotADomain::Path),
            ("inet:e.test:24", NotADomain::Path),
            ("e.test:+25", NotADomain::Port),
            ("e.test:0", NotADomain::Port),
            ("[e.test]:-1", NotADomain::Port),
            ("e.test:", NotADomain::Port),
            ("mail.localhost", local("mail.localhost")),
            ("a..test", malformed(MalformedName::EmptyLabel)),
        ] {
            let read = NextHop::parse(key);
            assert_eq!(read, NextHop::NotADomain(why.clone()), "{key}");
            assert_eq!(
                (why.address(), read.name(), read.port()),
                (None, None, None)
            );
        }
        for (key, address) in [
            ("[192.0.2.1]", "192.0.2.1"),
            ("192.0.2.1:25", "192.0.2.1"),
            ("[IPv6:2001:db8::1]", "2001:db8::1"),
        ] {
            let address: IpAddr = address.parse().unwrap();
            let NextHop::NotADomain(what) = NextHop::parse(key) else {
                panic!("{key} is read as a destination");
            };
            assert_eq!(what.address(), Some(address), "{key}");
        }
    }

    /// SB-01: MTA-STS is for port 25 and other relays, not for submission.
    #[test]
    fn submission_is_known_by_its_ports() {
        for (key, is_submission) in [
            ("e.test", false),
            ("e.test:587", true),
            ("[mx.e.test]:submissions", true),
            ("e.test:2525", false),
            ("_submission._tcp.e.test", true),
            (".e.test", false),
            ("localhost", false),
        ] {
            assert_eq!(NextHop::parse(key).is_submission(), is_submission, "{key}");
        }
    }

    /// ID-04: text is cut behind its limit, not before, and where it is cut it says so.
    #[test]
    fn only_what_is_too_long_is_cut() {
        let whole = "a".repeat(LONGEST_ECHO + 1);
        assert_eq!(format!("{}", escaped(&whole)), whole);
        let longer = format!("{}", escaped(&"a".repeat(LONGEST_ECHO + 2)));
        assert_eq!(longer, format!("{whole}..."));
        let wide = format!("{}", escaped(&"\u{fc}".repeat(52)));
        assert_eq!(wide, format!("{}...", "\\u{fc}".repeat(51)));
    }
}
