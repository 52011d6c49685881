//! What one MTA understands and can do: the answer never claims more (PD-11).

use std::time::Duration;

/// One MTA as the operator described it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Profile {
    /// The name that selects it (the map name of a socketmap request).
    pub name: String,
    /// Which outcome function and renderer apply.
    pub family: Family,
    /// The MTA's version, major and minor: decides which words it knows.
    pub version: Version,
    /// The MTA's own default level: no answer is weaker (PD-16).
    pub floor: Floor,
    /// Whether the MTA validates and does DANE by itself (D4).
    pub own_dane: OwnDane,
    /// Address families that the MTA uses.
    pub families: AddressFamilies,
    /// How many addresses the MTA tries for one delivery; 0 is no limit.
    pub address_limit: usize,
    /// Digest algorithm of `fingerprint` answers.
    pub digest: PinDigest,
    /// Whether a verified probe may turn trust-anchor digests into CA files.
    pub probe: bool,
    /// Pins also where they bend mail away from better hosts.
    pub strict: bool,
    /// After this long a query is answered TEMP while the lookup goes on (PF-04).
    pub deadline: Duration,
    /// Follow MX exchanges that are aliases; off: such hosts count as failed (MX-10).
    pub follow_mx_aliases: bool,
    /// Ask for TLS 1.2 at mandatory levels; never at opportunistic ones (PF-16).
    pub require_tls12: bool,
}

/// Families of MTAs, one outcome function each.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Family {
    /// Postfix with DANE of its own.
    Postfix,
    /// An MTA without DANE that takes pinned keys.
    Pins,
    /// Exim.
    Exim,
    /// Sendmail.
    Sendmail,
}

/// A version, major and minor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Version {
    /// Before the first dot.
    pub major: u16,
    /// After it.
    pub minor: u16,
}

/// The MTA's own default level. Other levels are refused by the configuration, with the cure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Floor {
    /// Opportunistic TLS.
    May,
    /// Opportunistic DANE.
    Dane,
    /// Mandatory TLS.
    Encrypt,
    /// Mandatory TLS with the MTA's own reference names.
    Secure,
}

/// Whether the MTA does DANE by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum OwnDane {
    /// To be found out: see [`OwnDaneSeen`].
    Auto,
    /// It does, over a resolver that validates.
    Yes,
    /// It does not: it is never told `dane` or `dane-only`.
    No,
}

/// What was seen of an MTA whose own DANE is to be found out (PD-11, D4).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum OwnDaneSeen {
    /// Its resolvers validate and its settings make use of that: it may be told to do DANE.
    Works,
    /// Its settings make it take `dane` for `may`: it must not be told.
    LookupsOff,
    /// One of its resolvers does not validate: it must not be told.
    ResolverDoesNotValidate,
    /// Its resolvers gave no answer that tells: it must not be told yet.
    ResolverUnknown,
    /// Its settings cannot be read here: it must not be told until the operator vouches for it.
    NotFound,
}

impl OwnDaneSeen {
    /// What was seen, in words for people, with the cure.
    #[must_use]
    pub fn words(self) -> &'static str {
        match self {
            Self::Works => "Postfix's own DNSSEC was seen to work",
            Self::LookupsOff => {
                "own_dane = \"auto\": Postfix's own DNSSEC lookups are off; set \
                 smtp_dns_support_level = dnssec in main.cf; see `hoplock doctor` for \
                 smtp_host_lookup, ignore_mx_lookup_error and smtp_dns_resolver_options"
            }
            Self::ResolverDoesNotValidate => {
                "own_dane = \"auto\": a name server that Postfix asks (resolv.conf) does not validate \
                 DNSSEC; run a validating resolver such as unbound and name it alone there"
            }
            Self::ResolverUnknown => {
                "own_dane = \"auto\": nothing was learnt yet of the name servers that Postfix asks \
                 (resolv.conf); see `hoplock doctor`"
            }
            Self::NotFound => {
                "own_dane = \"auto\": Postfix's settings cannot be read here (postconf); where it runs \
                 elsewhere and validates, say own_dane = \"yes\" in its profile"
            }
        }
    }
}

/// Address families that an MTA uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum AddressFamilies {
    /// Both.
    Both,
    /// IPv4 only.
    Ipv4,
    /// IPv6 only.
    Ipv6,
}

/// Digest algorithms of `fingerprint` answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PinDigest {
    /// SHA-256, which everybody must know (TU-09).
    Sha256,
    /// SHA-512.
    Sha512,
}

impl Profile {
    /// The profile with what was found out about the MTA in place of `auto`; the same where the
    /// operator said it.
    #[must_use]
    pub fn as_seen(&self, seen: OwnDaneSeen) -> Self {
        let own_dane = match (self.own_dane, seen) {
            (OwnDane::Auto, OwnDaneSeen::Works) => OwnDane::Yes,
            (OwnDane::Auto, _) => OwnDane::No,
            (said, _) => said,
        };
        Self {
            own_dane,
            ..self.clone()
        }
    }

    /// The built-in profile of that name, if there is one.
    ///
    /// `QUERY`, `QUERYwithTLSRPT` and `sts` are aliases: users of other servers switch by address.
    #[must_use]
    pub fn built_in(name: &str) -> Option<Self> {
        let (name, family, version, deadline) = match name {
            "postfix" | "QUERY" => ("postfix", Family::Postfix, (3, 7), POSTFIX_DEADLINE),
            "postfix310" | "QUERYwithTLSRPT" => {
                ("postfix310", Family::Postfix, (3, 10), POSTFIX_DEADLINE)
            }
            "pins" => ("pins", Family::Pins, (3, 7), POSTFIX_DEADLINE),
            "exim" => ("exim", Family::Exim, (4, 96), SHORT_DEADLINE),
            "sendmail" | "sts" => ("sendmail", Family::Sendmail, (8, 18), SHORT_DEADLINE),
            _ => return None,
        };
        Some(Self {
            name: name.to_owned(),
            family,
            version: Version {
                major: version.0,
                minor: version.1,
            },
            floor: Floor::May,
            own_dane: if family == Family::Pins {
                OwnDane::No
            } else {
                OwnDane::Auto
            },
            families: AddressFamilies::Both,
            address_limit: if family == Family::Postfix {
                POSTFIX_ADDRESS_LIMIT
            } else {
                0
            },
            digest: PinDigest::Sha256,
            probe: true,
            strict: false,
            deadline,
            follow_mx_aliases: true,
            require_tls12: false,
        })
    }
}

/// Postfix gives up after 100 s; a postmaster who runs `postmap -q` long before.
const POSTFIX_DEADLINE: Duration = Duration::from_secs(20);
/// Exim and Sendmail give up after 5 s.
const SHORT_DEADLINE: Duration = Duration::from_secs(4);
/// Postfix tries five addresses for one delivery (`smtp_mx_address_limit`).
const POSTFIX_ADDRESS_LIMIT: usize = 5;
