//! Words of the configuration beside the values that they stand for, for reading and printing.

use hoplock_policy::guard::OnRequireTls;
use hoplock_policy::law::FirstContact;
use hoplock_policy::profile::{AddressFamilies, Family, Floor, OwnDane, PinDigest};
use hoplock_policy::rules::{Fallback, Mode, PinnedLevel};

use super::guard::{DecideAt, OnTrouble};
use super::literal::quoted;
use super::report::{Collector, Dkim};
use super::types::LogFormat;
use crate::adapters::dns::Trust;

/// Words of one key.
pub(super) type Words<T> = &'static [(&'static str, T)];

/// The word for a value, as it would be written.
pub(super) fn word<T: PartialEq>(words: Words<T>, value: T) -> String {
    let found = words.iter().find(|(_, own)| *own == value);
    quoted(found.map_or("", |(word, _)| word))
}

pub(super) const TRUST: Words<Trust> = &[
    ("loopback", Trust::Loopback),
    ("always", Trust::Always),
    ("never", Trust::Never),
];

pub(super) const FIRST_CONTACT: Words<FirstContact> = &[
    ("ignore", FirstContact::Ignore),
    ("defer", FirstContact::Defer),
];

pub(super) const LOG_FORMATS: Words<LogFormat> = &[
    ("auto", LogFormat::Auto),
    ("text", LogFormat::Text),
    ("json", LogFormat::Json),
];

pub(super) const LOG_LEVELS: Words<&str> = &[
    ("error", "error"),
    ("warn", "warn"),
    ("info", "info"),
    ("debug", "debug"),
    ("trace", "trace"),
];

pub(super) const ON_TROUBLE: Words<OnTrouble> =
    &[("dunno", OnTrouble::Dunno), ("defer", OnTrouble::Defer)];

pub(super) const DECIDE_AT: Words<DecideAt> = &[("rcpt", DecideAt::Rcpt), ("end", DecideAt::End)];

pub(super) const ON_REQUIRE_TLS: Words<OnRequireTls> = &[
    ("reject", OnRequireTls::Reject),
    ("defer", OnRequireTls::Defer),
    ("ignore", OnRequireTls::Ignore),
];

pub(super) const COLLECTORS: Words<Collector> =
    &[("hoplock", Collector::Hoplock), ("mta", Collector::Mta)];

pub(super) const DKIM: Words<Dkim> = &[("", Dkim::Nobody), ("mta", Dkim::Mta), ("key", Dkim::Key)];

pub(super) const GUARD_ACTIONS: Words<&str> = &[
    ("dunno", "dunno"),
    ("defer", "defer"),
    ("reject", "reject"),
    ("hold", "hold"),
    ("warn", "warn"),
    ("filter", "filter"),
    ("prepend", "prepend"),
];

pub(super) const FAMILIES: Words<Family> = &[
    ("postfix", Family::Postfix),
    ("pins", Family::Pins),
    ("exim", Family::Exim),
    ("sendmail", Family::Sendmail),
];

pub(super) const OWN_DANE: Words<OwnDane> = &[
    ("auto", OwnDane::Auto),
    ("yes", OwnDane::Yes),
    ("no", OwnDane::No),
];

pub(super) const FLOORS: Words<Floor> = &[
    ("may", Floor::May),
    ("dane", Floor::Dane),
    ("encrypt", Floor::Encrypt),
    ("secure", Floor::Secure),
];

pub(super) const ADDRESS_FAMILIES: Words<AddressFamilies> = &[
    ("auto", AddressFamilies::Both),
    ("4", AddressFamilies::Ipv4),
    ("6", AddressFamilies::Ipv6),
];

pub(super) const DIGESTS: Words<PinDigest> =
    &[("sha256", PinDigest::Sha256), ("sha512", PinDigest::Sha512)];

pub(super) const MODES: Words<Mode> = &[
    ("off", Mode::Off),
    ("audit", Mode::Audit),
    ("opportunistic", Mode::Opportunistic),
    ("mandatory", Mode::Mandatory),
];

pub(super) const FALLBACKS: Words<Fallback> = &[
    ("defer", Fallback::Defer),
    ("fingerprint", Fallback::Fingerprint),
    ("secure", Fallback::Secure),
    ("encrypt", Fallback::Encrypt),
];

pub(super) const ANSWERS: Words<Option<PinnedLevel>> = &[
    ("", None),
    ("none", Some(PinnedLevel::None)),
    ("may", Some(PinnedLevel::May)),
    ("encrypt", Some(PinnedLevel::Encrypt)),
    ("dane", Some(PinnedLevel::Dane)),
    ("dane-only", Some(PinnedLevel::DaneOnly)),
    ("fingerprint", Some(PinnedLevel::Fingerprint)),
    ("verify", Some(PinnedLevel::Verify)),
    ("secure", Some(PinnedLevel::Secure)),
    ("defer", Some(PinnedLevel::Defer)),
];
