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
    /// Whether the MTA asks the map `verifier` about each session and refuses what it does not allow
    /// (Sendmail's session check).
    pub verifier: bool,
    /// Address families that the MTA uses.
    pub families: AddressFamilies,
    /// How many addresses the MTA tries for one delivery; 0 is no limit.
    pub address_limit: usize,
    /// Digest algorithm of `fingerprint` answers.
    pub digest: PinDigest,
    /// Whether a verified probe may turn trust-anchor digests into CA files.
    pub probe: bool,
    /// Where hoplock writes files of trust anchors; empty: nowhere, and no answer names one.
    pub anchor_directory: String,
    /// The same directory as the MTA sees it; empty: under the same path.
    pub anchor_directory_in_chroot: String,
    /// Pins also where they bend mail away from better hosts.
    pub strict: bool,
    /// After this long a query is answered TEMP while the lookup goes on (PF-04).
    pub deadline: Duration,
    /// Follow MX exchanges that are aliases; off: such hosts count as failed (MX-10).
    pub follow_mx_aliases: bool,
    /// Ask for TLS 1.2 at mandatory levels; never at opportunistic ones (PF-16).
    pub require_tls12: bool,
    /// The MTA begins with TLS on every connection (RFC 8314, 3.3; SB-05).
    pub wrapper: bool,
    /// For messages that opt out of what destinations publish (`TLS-Required: No`, RFC 8689, 3).
    pub bypass: bool,
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

impl Family {
    /// The MTA's name, for people.
    #[must_use]
    pub fn mta(self) -> &'static str {
        match self {
            Self::Postfix | Self::Pins => "Postfix",
            Self::Exim => "Exim",
            Self::Sendmail => "Sendmail",
        }
    }
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
    /// The directory of trust anchors as the MTA sees it: smtp(8) reads inside its chroot. Empty where
    /// there is none.
    #[must_use]
    pub fn anchors_told(&self) -> &str {
        if self.anchor_directory.is_empty() || self.anchor_directory_in_chroot.is_empty() {
            &self.anchor_directory
        } else {
            &self.anchor_directory_in_chroot
        }
    }

    /// The profile with what was found out about the MTA in place of `auto`; the same where the
    /// operator said it. Only Postfix is looked at: what was seen says nothing of another MTA. A Postfix
    /// without DANE of its own takes pins instead (PD-11, D4), with all its other settings.
    #[must_use]
    pub fn as_seen(&self, seen: OwnDaneSeen) -> Self {
        let own_dane = match (self.own_dane, seen, self.family) {
            (OwnDane::Auto, OwnDaneSeen::Works, Family::Postfix) => OwnDane::Yes,
            (OwnDane::Auto, ..) => OwnDane::No,
            (said, ..) => said,
        };
        let family = match (self.family, own_dane) {
            (Family::Postfix, OwnDane::No) => Family::Pins,
            (family, _) => family,
        };
        Self {
            family,
            own_dane,
            ..self.clone()
        }
    }

    /// The same MTA for a message with `TLS-Required: No` (RQ-03), under a name of its own.
    #[must_use]
    pub fn opting_out(&self) -> Self {
        Self {
            name: format!("{}-{BYPASS}", self.name),
            bypass: true,
            ..self.clone()
        }
    }

    /// What keeps this MTA's own DANE from being relied on, in words for people, with the cure.
    #[must_use]
    pub fn words_of(&self, seen: OwnDaneSeen) -> &'static str {
        match self.family {
            Family::Postfix | Family::Pins => seen.words(),
            Family::Exim | Family::Sendmail => {
                "own_dane = \"auto\": only Postfix's settings are looked at; where this MTA does DANE \
                 and its resolver validates, say own_dane = \"yes\" in its profile"
            }
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
            BYPASS => (BYPASS, Family::Postfix, (3, 7), POSTFIX_DEADLINE),
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
            verifier: false,
            families: AddressFamilies::Both,
            address_limit: if family == Family::Postfix {
                POSTFIX_ADDRESS_LIMIT
            } else {
                0
            },
            digest: PinDigest::Sha256,
            probe: true,
            anchor_directory: String::new(),
            anchor_directory_in_chroot: String::new(),
            strict: false,
            deadline,
            follow_mx_aliases: true,
            require_tls12: false,
            wrapper: false,
            bypass: name == BYPASS,
        })
    }
}

/// The map for messages with `TLS-Required: No` (RQ-03).
pub const BYPASS: &str = "bypass";
/// Postfix gives up after 100 s; a postmaster who runs `postmap -q` long before.
const POSTFIX_DEADLINE: Duration = Duration::from_secs(20);
/// Exim and Sendmail give up after 5 s.
const SHORT_DEADLINE: Duration = Duration::from_secs(4);
/// Postfix tries five addresses for one delivery (`smtp_mx_address_limit`).
const POSTFIX_ADDRESS_LIMIT: usize = 5;

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    /// PD-11: an MTA whose own DANE is to be found out may be told to do it only once it was seen to
    /// work, and takes pins till then; what the operator said stands.
    #[test]
    fn own_dane_is_relied_on_only_where_it_works() {
        let profile = |own_dane| Profile {
            own_dane,
            ..Profile::built_in("postfix").unwrap()
        };
        for seen in [
            OwnDaneSeen::Works,
            OwnDaneSeen::LookupsOff,
            OwnDaneSeen::ResolverDoesNotValidate,
            OwnDaneSeen::ResolverUnknown,
            OwnDaneSeen::NotFound,
        ] {
            // D4: whatever else is set stays as it is.
            let pins = Profile {
                family: Family::Pins,
                ..profile(OwnDane::No)
            };
            let found_out = if seen == OwnDaneSeen::Works {
                profile(OwnDane::Yes)
            } else {
                pins.clone()
            };
            assert_eq!(profile(OwnDane::Auto).as_seen(seen), found_out);
            assert_eq!(profile(OwnDane::Yes).as_seen(seen), profile(OwnDane::Yes));
            assert_eq!(profile(OwnDane::No).as_seen(seen), pins);
        }
    }

    /// PD-11: what was seen of Postfix says nothing of another MTA, which is then not relied on; the
    /// words name the cure that there is.
    #[test]
    fn what_was_seen_is_of_postfix_alone() {
        for (name, works) in [
            ("exim", OwnDane::No),
            ("sendmail", OwnDane::No),
            ("postfix", OwnDane::Yes),
        ] {
            let auto = Profile::built_in(name).unwrap();
            assert_eq!(auto.as_seen(OwnDaneSeen::Works).own_dane, works, "{name}");
            let said = Profile {
                own_dane: OwnDane::Yes,
                ..auto.clone()
            };
            assert_eq!(said.as_seen(OwnDaneSeen::NotFound), said);
            let words = auto.words_of(OwnDaneSeen::LookupsOff);
            let is_postfix = words == OwnDaneSeen::LookupsOff.words();
            assert_eq!(is_postfix, name == "postfix", "{words}");
            assert!(
                is_postfix || words.contains("own_dane = \"yes\""),
                "{words}"
            );
        }
    }

    /// PD-11: whatever keeps an MTA from being told has its cure in the same words.
    #[test]
    fn what_was_seen_is_told_with_its_cure() {
        for (seen, cure) in [
            (OwnDaneSeen::LookupsOff, "smtp_dns_support_level = dnssec"),
            (OwnDaneSeen::ResolverDoesNotValidate, "unbound"),
            (OwnDaneSeen::ResolverUnknown, "hoplock doctor"),
            (OwnDaneSeen::NotFound, "own_dane = \"yes\""),
        ] {
            let words = seen.words();
            assert!(words.starts_with("own_dane = \"auto\": "), "{words}");
            assert!(words.contains(cure), "{words}");
        }
        assert!(OwnDaneSeen::Works.words().contains("seen to work"));
    }

    /// OP-07: each map name chooses its profile, with what that MTA is known to do.
    #[test]
    fn map_names_choose_profiles() {
        let rows = [
            ("postfix", "postfix", Family::Postfix, (3, 7), 20),
            ("QUERY", "postfix", Family::Postfix, (3, 7), 20),
            ("postfix310", "postfix310", Family::Postfix, (3, 10), 20),
            (
                "QUERYwithTLSRPT",
                "postfix310",
                Family::Postfix,
                (3, 10),
                20,
            ),
            ("pins", "pins", Family::Pins, (3, 7), 20),
            ("exim", "exim", Family::Exim, (4, 96), 4),
            ("sendmail", "sendmail", Family::Sendmail, (8, 18), 4),
            ("sts", "sendmail", Family::Sendmail, (8, 18), 4),
        ];
        for (map, name, family, (major, minor), deadline) in rows {
            let profile = Profile::built_in(map).unwrap();
            assert_eq!((profile.name.as_str(), profile.family), (name, family));
            assert_eq!(profile.version, Version { major, minor }, "{map}");
            assert_eq!(profile.deadline.as_secs(), deadline, "{map}");
            // Postfix tries five addresses; pinned keys are for those that do no DANE.
            let limit = if family == Family::Postfix { 5 } else { 0 };
            assert_eq!(profile.address_limit, limit, "{map}");
            let without_dane = family == Family::Pins;
            assert_eq!(profile.own_dane == OwnDane::No, without_dane, "{map}");
        }
        for map in ["", "Postfix", "postfix311", "pin"] {
            assert_eq!(Profile::built_in(map), None, "{map}");
        }
    }
}
