//! The demonstration: a small internet of good and broken domains, as readable values.
//!
//! `hoplock demo` runs the real daemon over it. Nothing here waits, and nothing reaches a network.
//!
//! * [`domains`]: the destinations, each with what it shows.
//! * [`world`]: their records and policies, in a scripted world.
//! * [`config`]: what the daemon is told, rules included.
//! * [`reports`]: what mail servers and other sites tell the daemon.

pub mod config;
pub mod domains;
pub mod reports;
pub mod world;

pub use self::domains::DOMAINS;

use hoplock_policy::next_hop::NextHop;

/// A destination of the demonstration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DemoDomain {
    /// As a mail server asks for it.
    pub name: &'static str,
    /// What it shows, in a sentence for people.
    pub shows: &'static str,
    /// The map that it is asked by: the profile of a mail server.
    pub map: &'static str,
    mx: MxRecords,
    hosts: &'static str,
    zone: &'static str,
    sts: StsHost,
    rule: &'static str,
}

/// What stands at the name itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum MxRecords {
    /// MX records that are proved by DNSSEC.
    Secure,
    /// MX records in a zone that is not signed.
    Insecure,
    /// No MX record: the domain is its own host (RFC 5321, 5.1).
    Implicit,
    /// One that says that no mail is taken (RFC 7505).
    Null,
    /// An alias of another destination.
    Alias(&'static str),
    /// Nothing at all.
    Nothing,
    /// A lookup that fails.
    Fails(Fault),
}

/// How a lookup fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    /// Its signatures are wrong.
    Bogus,
    /// No server of the zone answers.
    Silent,
}

/// MTA-STS at the domain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum StsHost {
    /// No record.
    None,
    /// A policy of this mode for the hosts that are not marked as unlisted.
    Serves(&'static str),
    /// A record, and a policy host that cannot be reached.
    Down,
    /// The same, once its policy has been fetched; that one ends soon.
    GoesDown,
}

impl DemoDomain {
    const fn new(name: &'static str, shows: &'static str) -> Self {
        Self {
            name,
            shows,
            map: "postfix",
            mx: MxRecords::Secure,
            hosts: "",
            zone: "",
            sts: StsHost::None,
            rule: "",
        }
    }

    /// With these hosts, in the words of the table of answers (`docs/decisions.md`) and a few more:
    /// `PREFERENCE:STATE`, `(unlisted)` where a policy leaves the host out.
    const fn hosts(self, hosts: &'static str) -> Self {
        Self { hosts, ..self }
    }

    const fn mx(self, mx: MxRecords) -> Self {
        Self { mx, ..self }
    }

    /// Not signed; its hosts are, where they stand in a `zone` of somebody else's.
    const fn unsigned(self, zone: &'static str) -> Self {
        Self {
            mx: MxRecords::Insecure,
            zone,
            ..self
        }
    }

    const fn sts(self, sts: StsHost) -> Self {
        Self { sts, ..self }
    }

    const fn enforced(self) -> Self {
        self.sts(StsHost::Serves("enforce"))
    }

    /// Under a rule of the configuration: its keys.
    const fn rule(self, rule: &'static str) -> Self {
        Self { rule, ..self }
    }

    const fn asked_by(self, map: &'static str) -> Self {
        Self { map, ..self }
    }
}

/// What a destination shows, where it is one of these; written in any spelling.
#[must_use]
pub fn shows(domains: &'static [DemoDomain], next_hop: &str) -> Option<&'static str> {
    let asked = NextHop::parse(next_hop);
    let found = domains
        .iter()
        .find(|domain| NextHop::parse(domain.name) == asked);
    found.map(|domain| domain.shows)
}

#[cfg(test)]
mod tests;
