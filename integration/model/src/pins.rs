//! Postfix without DANE of its own (profile F), to which the answer pushes validated TLSA data:
//! which pins and anchors there are, why each may stand in an answer, and why the others may not.

use crate::{Entry, Floor, Host, Level, Name, Outcome, Reply, State, TlsaRecord, Truth, by_names};
use sha2::{Digest, Sha256, Sha512};

plain_data! {
    /// Who asks, and what is known besides DNS: the mail server's DANE; the operator's rules and
    /// the second that it is; how many of the hosts are examined, the best first (MX-20); how many
    /// addresses the mail server tries, none for all; whether it can be told what to send as SNI
    /// (PF-11); what verified probes have brought; the hosts that were reported to show a
    /// certificate that no DANE-EE record matches but a DANE-TA record does (DT-19).
    pub struct Site { pub profile: Profile, pub rules: Vec<Entry>, pub now: u64,
        pub examined: Option<usize>, pub address_limit: Option<usize>, pub servername: bool,
        pub probed: Vec<Probed>, pub mismatched: Vec<Name> }
    /// How DANE comes about: by the mail server's own lookups (P), or pushed to it (F).
    pub enum Profile { OwnDane, Pins(Pins) }
    /// The switches of profile F. `digest` is the matching type that stands for the mail server's
    /// fingerprints; `digests` those that count in TLSA records, the strongest first (TU-08,
    /// CM-25); `map_pkix_usages` and `all_anchors_known` are those of TU-03; `bare_keys`: the mail
    /// server takes public keys in its CA file.
    pub struct Pins { pub strict: bool, pub probe: bool, pub digest: u8, pub digests: Vec<u8>,
        pub trust_anchor_digests: bool, pub map_pkix_usages: bool, pub all_anchors_known: bool,
        pub bare_keys: bool }
    /// The chain of a host that was verified by its own TLSA records.
    pub struct Probed { pub host: Name, pub leaf: Certificate, pub issuers: Vec<Certificate> }
    /// DER of a certificate and of its SubjectPublicKeyInfo (selectors 0 and 1).
    pub struct Certificate { pub whole: Vec<u8>, pub key: Vec<u8> }
    /// What a CA file holds: a certificate, or a bare key.
    pub enum Anchor { Certificate(Vec<u8>), Key(Vec<u8>) }
    /// A host, one of its usable TLSA records unless the reason lies with the host, and its fate.
    pub struct Line { pub host: Name, pub record: Option<TlsaRecord>, pub fate: Fate }
    /// What becomes of a record. It stands in `match=` as this digest (lower-case hexadecimal), or
    /// in the CA file as one of these. Or not: no address; the address lookup failed; hosts found
    /// insecurely; the lookup failed; no records, or none secure; none usable; DANE-TA, and a
    /// stronger digest of the kind is there (agility); DANE-EE in a digest that the mail server has
    /// not; DANE-EE that the certificate shown did not match; an anchor whose bytes nobody has.
    pub enum Fate { Pinned(String), Anchored(Vec<Anchor>), Unreachable, AddressFailed, MxInsecure,
        LookupFailed, NoRecords, NoneUsable, Weaker, OtherDigest, Mismatched, NoBytes }
}

impl Default for Site {
    fn default() -> Self {
        let (rules, probed, mismatched) = (vec![], vec![], vec![]);
        let (profile, servername, now) = (Profile::OwnDane, true, 0);
        let (examined, address_limit) = (None, None);
        Self { profile, rules, now, examined, address_limit, servername, probed, mismatched }
    }
}

impl Default for Pins {
    fn default() -> Self {
        let (strict, probe, digest, digests, trust_anchor_digests) =
            (false, true, 1, vec![2, 1], true);
        let (map_pkix_usages, all_anchors_known, bare_keys) = (false, false, false);
        Self {
            strict,
            probe,
            digest,
            digests,
            trust_anchor_digests,
            map_pkix_usages,
            all_anchors_known,
            bare_keys,
        }
    }
}

impl Profile {
    /// The switches of profile F.
    pub(crate) fn pins(&self) -> Option<&Pins> {
        match self {
            Self::OwnDane => None,
            Self::Pins(pins) => Some(pins),
        }
    }
}

/// What becomes of every usable record of every host, and so of every host.
pub fn account(truth: &Truth) -> Vec<Line> {
    truth.hosts.iter().flat_map(|host| lines(truth, host)).collect()
}

/// The same for one host.
pub(crate) fn lines(truth: &Truth, host: &Host) -> Vec<Line> {
    let line = |record, fate| Line { host: host.name.clone(), record, fate };
    let whole = |fate| vec![line(None, fate)];
    match &host.state {
        State::Unreachable => whole(Fate::Unreachable), // MX-14: a dead host's keys are not pinned
        State::AddressFailed => whole(Fate::AddressFailed), // MX-13
        _ if !truth.mx_secure() => whole(Fate::MxInsecure), // PD-07: never pins
        State::Failed => whole(Fate::LookupFailed),     // RFC 7672, 2.1.2; MX-20
        State::NoneSecure | State::NoneInsecure => whole(Fate::NoRecords),
        State::Unusable => whole(Fate::NoneUsable),
        State::Usable(records) => {
            let fate = |record| (Some(record), fate(truth, host, records, record));
            records.iter().map(fate).map(|(at, fate)| line(at.cloned(), fate)).collect()
        }
    }
}

fn fate(truth: &Truth, host: &Host, records: &[TlsaRecord], record: &TlsaRecord) -> Fate {
    let default = Pins::default();
    let pins = truth.site.profile.pins().unwrap_or(&default);
    // RFC 7671, 9; CM-22 to CM-24: within usage and selector, never against full data. Each host
    // by itself, before the union: the digests of one do not silence those of another. Among the
    // digests that the client supports: for pins that is one, so that no DANE-EE silences another
    let rank = |record: &TlsaRecord| pins.digests.iter().position(|digest| *digest == record.2);
    let rivals = records.iter().filter(|at| (at.0, at.1) == (record.0, record.1) && at.2 != 0);
    if record.0 != 3 && record.2 != 0 && rivals.map(rank).any(|rival| rival < rank(record)) {
        return Fate::Weaker;
    }
    let shown = truth.site.probed.iter().filter(|probed| pins.probe && probed.host == host.name);
    let is = |at: &&Certificate| matched(record, at);
    if record.0 == 3 && truth.site.mismatched.contains(&host.name) {
        Fate::Mismatched // DT-19: the DANE-TA records remain
    } else if record.0 == 3 {
        let selected = |leaf: &Certificate| selected(record.1, leaf).to_vec();
        // DT-17: only where no DANE-EE record of the host is a pin as it stands
        let taken = |at: &TlsaRecord| at.0 == 3 && (at.2 == 0 || at.2 == pins.digest);
        let lacking = !records.iter().any(taken);
        let leaf = shown.map(|probed| &probed.leaf).filter(|_| lacking).find(is);
        match record.2 {
            0 => Fate::Pinned(hex(&digest(pins.digest, &record.3))), // PF-09
            same if same == pins.digest => Fate::Pinned(hex(&record.3)),
            _ => leaf.map_or(Fate::OtherDigest, |leaf| {
                Fate::Pinned(hex(&digest(pins.digest, &selected(leaf))))
            }),
        }
    } else {
        // DT-16: from DNS where it has all the bytes, else from the chain that a probe was shown
        let issuers = shown.flat_map(|probed| &probed.issuers).filter(is);
        let mut anchors: Vec<Anchor> =
            issuers.map(|issuer| Anchor::Certificate(issuer.whole.clone())).collect();
        match (record.1, record.2) {
            (0, 0) => anchors = vec![Anchor::Certificate(record.3.clone())],
            (1, 0) if pins.bare_keys => anchors.push(Anchor::Key(record.3.clone())),
            _ => {}
        }
        if anchors.is_empty() { Fate::NoBytes } else { Fate::Anchored(anchors) }
    }
}

/// RFC 6698, 2.1; CM-02, CM-03.
fn matched(record: &TlsaRecord, certificate: &Certificate) -> bool {
    let selected = selected(record.1, certificate);
    match record.2 {
        0 => selected == record.3.as_slice(),
        matching => digest(matching, selected) == record.3,
    }
}

fn selected(selector: u8, certificate: &Certificate) -> &[u8] {
    if selector == 0 { &certificate.whole } else { &certificate.key }
}

fn digest(matching: u8, data: &[u8]) -> Vec<u8> {
    if matching == 2 { Sha512::digest(data).to_vec() } else { Sha256::digest(data).to_vec() }
}

fn hex(data: &[u8]) -> String {
    data.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A pin as [`Fate::Pinned`] has it.
pub(crate) fn plain(pin: &str) -> String {
    pin.replace(':', "").to_ascii_lowercase()
}

/// The names that a certificate of a host may have under DANE-TA (CM-26; without MX CM-27).
pub fn reference_names(truth: &Truth, host: &Host) -> Vec<Name> {
    let beside = if truth.names.is_empty() { vec![host.name.clone()] } else { truth.names.clone() };
    let mut names: Vec<Name> = host.base.iter().cloned().chain(beside).collect();
    names.sort();
    names.dedup();
    names
}

/// What Postfix without DANE of its own does with a host. Whether the pins and anchors are those
/// of the host is seen here; whether there are others too, through which an impostor would pass,
/// is not (see [`crate::faults`]).
pub(crate) fn pushed(truth: &Truth, reply: &Reply, host: &Host) -> Outcome {
    let filed = |attributes: &[(String, String)]| attributes.iter().any(|(at, _)| at == "tafile");
    let lines = || lines(truth, host).into_iter().map(|line| line.fate);
    match (reply, truth.settings.floor) {
        // MX-13, MX-14: it cannot reach what it cannot resolve
        _ if matches!(host.state, State::Unreachable | State::AddressFailed) => Outcome::Skip,
        (Reply::Temp(_), _) => Outcome::Skip,
        (Reply::NotFound, Floor::May | Floor::Dane) => Outcome::Clear, // PF-08: `dane` acts as `may`
        (Reply::NotFound, Floor::Encrypt) => Outcome::Encrypt,
        (Reply::NotFound, Floor::Secure) => Outcome::OwnNames,
        (Reply::Level { level, matches, attributes }, _) => match level {
            Level::May | Level::Dane => Outcome::Clear,
            Level::Encrypt => Outcome::Encrypt,
            Level::DaneOnly => Outcome::Skip, // PD-11: it defers all
            Level::Fingerprint => {
                let listed = |pin: &String| matches.iter().any(|at| plain(at) == *pin);
                let pinned = lines().any(|fate| matches!(fate, Fate::Pinned(pin) if listed(&pin)));
                if pinned { Outcome::Dane } else { Outcome::Skip }
            }
            Level::Verify | Level::Secure if filed(attributes) => {
                let named = reference_names(truth, host).iter().any(|name| matches.contains(name));
                let anchored = lines().any(|fate| matches!(fate, Fate::Anchored(_)));
                if named && anchored { Outcome::Dane } else { Outcome::Skip }
            }
            Level::Verify | Level::Secure => by_names(matches, &host.name),
        },
    }
}
