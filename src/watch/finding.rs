//! What a look brings to light: one vocabulary of findings for alarms, metrics, log and page.

use std::net::IpAddr;

use hoplock_policy::name::DomainName;

/// How much a finding matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// Worth knowing; nobody need do anything.
    Note,
    /// Protection is weaker than is published, or mail to the domain will be in danger.
    Warning,
    /// Mail to the domain fails at senders that keep the standards, or will within days.
    Alarm,
}

impl Severity {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Note, Self::Warning, Self::Alarm];

    /// The word of logs, JSON and metrics.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Note => "note",
            Self::Warning => "warning",
            Self::Alarm => "alarm",
        }
    }
}

/// What a finding rests on: where that could not be looked at, an older finding stays.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Basis {
    /// MX records and addresses.
    Hosts,
    /// TLSA records.
    Tlsa,
    /// TLSA records, and a session with the host.
    Dane,
    /// A session with the host.
    Session,
    /// The MTA-STS record.
    StsRecord,
    /// The MTA-STS policy's text.
    Policy,
    /// The policy and the MX records.
    PolicyHosts,
    /// The policy, and a session with the host.
    WebPki,
    /// The TLSRPT record.
    Tlsrpt,
    /// Nothing but the look itself: it is over with it.
    Look,
}

macro_rules! kinds {
    ($($(#[$meta:meta])* $kind:ident => $word:literal, $basis:ident;)*) => {
        /// The kinds of findings. docs/watch.md has each with its cure.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Kind {
            $($(#[$meta])* $kind,)*
        }

        impl Kind {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$kind,)*];

            /// The word among the alarms of `hoplock status`, where the finding is one.
            #[must_use]
            pub fn alarm(self) -> &'static str {
                match self {
                    $(Self::$kind => concat!("watch-", $word),)*
                }
            }

            /// The word of log, JSON and metrics.
            #[must_use]
            pub fn word(self) -> &'static str {
                match self {
                    $(Self::$kind => $word,)*
                }
            }

            pub(super) fn basis(self) -> Basis {
                match self {
                    $(Self::$kind => Basis::$basis,)*
                }
            }
        }
    };
}

kinds! {
    /// The MX lookup fails: bogus, or an answer that is no answer.
    MxLookupFailed => "mx-lookup-failed", Hosts;
    /// There is no host that takes mail.
    NoMailHost => "no-mail-host", Hosts;
    /// A host without an address.
    HostWithoutAddress => "host-without-address", Hosts;
    /// A host whose addresses cannot be looked up.
    AddressLookupFailed => "address-lookup-failed", Hosts;
    /// An MX record that points at an alias, or names no host.
    MxMalformed => "mx-malformed", Hosts;
    /// TLSA records stand behind MX records that DNSSEC does not sign.
    MxInsecure => "mx-insecure", Tlsa;
    /// The lookup of TLSA records fails: mail to the host waits.
    TlsaLookupFailed => "tlsa-lookup-failed", Tlsa;
    /// TLSA records stand in a zone that DNSSEC does not sign.
    TlsaInsecure => "tlsa-insecure", Tlsa;
    /// Records that no sender can use.
    TlsaUnusable => "tlsa-unusable", Tlsa;
    /// A host without TLSA records beside hosts that have some.
    TlsaMissing => "tlsa-missing", Tlsa;
    /// No record matches what the host shows.
    TlsaNoMatch => "tlsa-no-match", Dane;
    /// The host does not send the issuer that its records name.
    TlsaAnchorMissing => "tlsa-anchor-missing", Dane;
    /// Under DANE-TA the certificate is for other names.
    TlsaNameMismatch => "tlsa-name-mismatch", Dane;
    /// Under DANE-TA the chain does not hold.
    TlsaChainInvalid => "tlsa-chain-invalid", Dane;
    /// Only the certificate or key in use is published, and its certificate is soon to be renewed.
    TlsaRollover => "tlsa-rollover", Dane;
    /// A record that matches nothing, beside one that does.
    TlsaStale => "tlsa-stale", Dane;
    /// The host does not offer STARTTLS.
    StarttlsNotOffered => "starttls-not-offered", Session;
    /// It offers STARTTLS, and TLS does not come about.
    StarttlsFailed => "starttls-failed", Session;
    /// Nobody was there.
    HostUnreachable => "host-unreachable", Look;
    /// The host spoke, and nothing can be said of its TLS.
    HostInconclusive => "host-inconclusive", Look;
    /// A certificate that ends soon.
    CertificateExpires => "certificate-expires", Session;
    /// A certificate that has ended.
    CertificateExpired => "certificate-expired", Session;
    /// The MTA-STS record is not exactly one valid one.
    StsRecordInvalid => "sts-record-invalid", StsRecord;
    /// The MTA-STS record is gone, and senders remember the policy.
    StsRecordGone => "sts-record-gone", StsRecord;
    /// The lookup of the MTA-STS record fails.
    StsRecordLookupFailed => "sts-record-lookup-failed", StsRecord;
    /// The policy cannot be fetched.
    StsFetchFailed => "sts-fetch-failed", StsRecord;
    /// The certificate of the policy host is not valid for it.
    StsPolicyHostInvalid => "sts-policy-host-invalid", StsRecord;
    /// The certificate of the policy host ends soon.
    StsPolicyHostExpires => "sts-policy-host-expires", Policy;
    /// What is fetched is no policy.
    StsPolicyInvalid => "sts-policy-invalid", StsRecord;
    /// The policy has changed, and its id has not: senders go on with the old one.
    StsIdUnchanged => "sts-id-unchanged", Policy;
    /// The id has changed, and the policy has not.
    StsPolicyUnchanged => "sts-policy-unchanged", Policy;
    /// Senders may keep the policy for a short time only.
    StsMaxAgeShort => "sts-max-age-short", Policy;
    /// The policy binds nobody: its mode is testing or none.
    StsNotEnforced => "sts-not-enforced", Policy;
    /// MX hosts that the policy does not permit.
    StsHostNotListed => "sts-host-not-listed", PolicyHosts;
    /// Patterns of the policy that no MX host matches.
    StsPatternUnused => "sts-pattern-unused", PolicyHosts;
    /// A host whose certificate is for other names.
    StsHostName => "sts-host-name", WebPki;
    /// A host whose certificate no public authority vouches for.
    StsHostCertificate => "sts-host-certificate", WebPki;
    /// There is DANE or MTA-STS, and nobody would tell of its failures.
    TlsrptMissing => "tlsrpt-missing", Tlsrpt;
    /// The TLSRPT record is not exactly one valid one.
    TlsrptInvalid => "tlsrpt-invalid", Tlsrpt;
    /// Targets of the TLSRPT record that no report can be sent to.
    TlsrptTarget => "tlsrpt-target", Tlsrpt;
    /// This machine sees no DNSSEC, so nothing is said of DANE.
    ResolverNotValidating => "resolver-not-validating", Look;
    /// This machine has no name to introduce itself by, so hosts were not spoken to.
    NotProbed => "not-probed", Look;
    /// A question to the DNS had no answer.
    LookupUnanswered => "lookup-unanswered", Look;
}

impl Kind {
    /// Those that can be of severity `alarm`: every kind of alarm that the watch raises.
    pub const ALARMS: [Self; 16] = [
        Self::MxLookupFailed,
        Self::NoMailHost,
        Self::HostWithoutAddress,
        Self::AddressLookupFailed,
        Self::TlsaLookupFailed,
        Self::TlsaNoMatch,
        Self::TlsaAnchorMissing,
        Self::TlsaNameMismatch,
        Self::TlsaChainInvalid,
        Self::StarttlsNotOffered,
        Self::StarttlsFailed,
        Self::CertificateExpires,
        Self::CertificateExpired,
        Self::StsHostNotListed,
        Self::StsHostName,
        Self::StsHostCertificate,
    ];
}

/// One thing that was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// Which.
    pub kind: Kind,
    /// How much it matters.
    pub severity: Severity,
    /// The host that it is about; none: the domain.
    pub host: Option<DomainName>,
    /// The address of the host; none: all of it.
    pub address: Option<IpAddr>,
    /// What is the matter.
    pub what: String,
    /// Why, or what comes of it.
    pub cause: String,
    /// What helps.
    pub cure: String,
}

impl Finding {
    /// About the domain.
    pub(super) fn new(
        kind: Kind,
        severity: Severity,
        what: impl Into<String>,
        cause: impl Into<String>,
        cure: impl Into<String>,
    ) -> Self {
        Self {
            kind,
            severity,
            host: None,
            address: None,
            what: printable(&what.into()),
            cause: printable(&cause.into()),
            cure: printable(&cure.into()),
        }
    }

    /// About a host.
    pub(super) fn of(self, host: &DomainName) -> Self {
        Self {
            host: Some(host.clone()),
            ..self
        }
    }

    /// About one of its addresses.
    pub(super) fn at(self, address: IpAddr) -> Self {
        Self {
            address: Some(address),
            ..self
        }
    }

    /// What is the matter, and at which address.
    #[must_use]
    pub fn told(&self) -> String {
        match self.address {
            Some(address) => format!("{} ({address})", self.what),
            None => self.what.clone(),
        }
    }

    /// True where the other is about the same: one takes the place of the other.
    #[must_use]
    pub fn is_same(&self, other: &Self) -> bool {
        (self.kind, &self.host, self.address) == (other.kind, &other.host, other.address)
    }
}

/// Hosts and zones write what they like; none of it moves a terminal or fills a page.
pub(super) fn printable(text: &str) -> String {
    let mut plain = String::new();
    for character in text.chars() {
        if plain.len() > LONGEST {
            plain.push_str("...");
            break;
        }
        match character {
            ' '..='~' => plain.push(character),
            other => plain.extend(other.escape_default()),
        }
    }
    plain
}

/// Longer than all that is said here, records to publish included.
const LONGEST: usize = 2_000;

/// What could not be looked at: findings that rest on it stay as they were.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Doubt {
    /// On what it is.
    pub basis: &'static [Basis],
    /// The host; none: all of them, and the domain.
    pub host: Option<DomainName>,
    /// The address; none: all of the host.
    pub address: Option<IpAddr>,
    /// False where others were seen in its place, so that the look counts all the same.
    pub weighs: bool,
}

impl Doubt {
    /// On all that rests on this, of every host.
    pub(super) fn on(basis: &'static [Basis]) -> Self {
        Self {
            basis,
            host: None,
            address: None,
            weighs: true,
        }
    }

    /// On this host alone.
    pub(super) fn of(self, host: &DomainName) -> Self {
        Self {
            host: Some(host.clone()),
            ..self
        }
    }

    /// Whether a finding of an earlier look may still be true for all that is known.
    #[must_use]
    pub fn covers(&self, finding: &Finding) -> bool {
        self.basis.contains(&finding.kind.basis())
            && (self.host.is_none() || self.host == finding.host)
            && (self.address.is_none() || self.address == finding.address)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Words are stable, and no two kinds share one.
    #[test]
    fn words_differ() {
        let words: std::collections::BTreeSet<&str> =
            Kind::ALL.iter().map(|kind| kind.word()).collect();
        assert_eq!(words.len(), Kind::ALL.len());
        for kind in Kind::ALL {
            assert_eq!(kind.alarm().strip_prefix("watch-"), Some(kind.word()));
        }
    }

    /// Words of others reach no terminal as they are.
    #[test]
    fn findings_are_printable() {
        let long = "x".repeat(3_000);
        let finding = Finding::new(Kind::MxMalformed, Severity::Note, "\u{1b}[2J\nx", long, "ü");
        assert_eq!(finding.what, "\\u{1b}[2J\\nx");
        assert!(finding.cause.len() < 2_100 && finding.cause.ends_with("..."));
        assert_eq!(finding.cure, "\\u{fc}");
    }

    /// What could not be seen says nothing against what was seen before.
    #[test]
    fn doubts_cover_what_rests_on_them() {
        let name = |text| DomainName::parse(text).unwrap();
        let (a, b) = (name("a.test"), name("b.test"));
        let address: IpAddr = "192.0.2.1".parse().unwrap();
        let finding = Finding::new(Kind::TlsaNoMatch, Severity::Alarm, "", "", "").of(&a);
        let at = finding.clone().at(address);
        let doubt = Doubt::on(&[Basis::Dane]);
        assert!(doubt.covers(&finding) && doubt.covers(&at));
        assert!(doubt.clone().of(&a).covers(&at) && !doubt.clone().of(&b).covers(&at));
        let one = Doubt {
            address: Some(address),
            ..doubt.of(&a)
        };
        assert!(one.covers(&at) && !one.covers(&finding));
        assert!(!Doubt::on(&[Basis::Hosts]).covers(&finding));
    }
}
