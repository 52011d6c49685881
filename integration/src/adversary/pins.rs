//! A Postfix without DANE of its own: where the attacker leads it, what it accepts there under an answer,
//! and whether the message was owed to whoever then reads it.
//!
//! Its resolver does not validate, so he forges what he likes: MX records, addresses, and denials. What
//! counts is therefore not the name of a host but who stands at the other end: somebody who holds a key
//! that the destination has published, or whom the policy in force names; or, where a host owes no such
//! thing, anybody.

use hoplock_model::postfix::{Level, Reply};
use hoplock_model::{
    Anchor, Certificate, Duty, Floor, Host, Name, Outcome, Probed, State, Truth, covers,
    reference_names,
};

use super::internet::{ATTACKER, ATTACKERS_KEY};
use super::judge::Case;
use super::plan::Millis;
use super::records::{GIVEN_UP, UNUSABLE};
use super::session::certificates::{Leaf, Vouching, of_key, selected};
use super::session::happened::{attackers, own};
use super::session::keeping::{counting, is_of_issuer, is_of_key};
use super::site::{Addresses, MailHost, Site};

/// Somebody who answers where the mail server comes to.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Reader {
    /// For people.
    pub(super) who: String,
    /// What he shows; without it, he offers no TLS.
    pub(super) leaf: Option<Leaf>,
}

impl Reader {
    /// A host itself.
    pub(super) fn of(host: &MailHost) -> Self {
        reader(&host.name, host.server.tls.then(|| own(host)))
    }
}

/// Whoever may answer at a name: all hosts of all destinations, and the attacker, with everything that he
/// can get hold of: keys that were given up or that stand in unusable records, certificates under his own
/// name from any authority, and under the name in question from nobody.
pub(super) fn readers(case: &Case<'_>, name: &str) -> Vec<Reader> {
    let mut readers = vec![
        reader("nobody with TLS", None),
        reader("the attacker", Some(attackers())),
    ];
    let at = case.asked.answered;
    let mut keys = vec![ATTACKERS_KEY, GIVEN_UP, UNUSABLE];
    for number in 0..case.plan.sites.len() {
        let Some(site) = case.plan.site(number, at) else {
            continue;
        };
        for host in &site.hosts {
            readers.push(Reader::of(host));
        }
    }
    let versions = case.plan.sites.get(case.number).into_iter().flatten();
    for (_, site) in versions.filter(|(from, _)| *from <= at) {
        for host in &site.hosts {
            let shown = own(host);
            keys.push(shown.key);
            // The authority of the host vouches for the attacker too, under his own name.
            let misled = Leaf {
                key: ATTACKERS_KEY,
                names: vec![ATTACKER.to_owned()],
                ..shown
            };
            readers.push(reader("the attacker, vouched for", Some(misled)));
        }
    }
    keys.sort_unstable();
    keys.dedup();
    for key in keys {
        let leaf = Leaf {
            key,
            issuer: Vouching::Impostor(key),
            names: vec![name.to_owned(), case.site.domain_name()],
            expired: false,
        };
        readers.push(reader("an impostor", Some(leaf)));
    }
    readers.dedup();
    readers
}

fn reader(who: &str, leaf: Option<Leaf>) -> Reader {
    Reader {
        who: who.to_owned(),
        leaf,
    }
}

/// The names that the mail server may be led to take for the destination's hosts.
pub(super) fn names(case: &Case<'_>) -> Vec<Name> {
    let at = case.asked.answered;
    let versions = case.plan.sites.get(case.number).into_iter().flatten();
    let known = versions.filter(|(from, _)| *from <= at);
    let hosts = known.flat_map(|(_, site)| site.hosts.iter().map(|host| host.name.clone()));
    let mut names: Vec<Name> = hosts.collect();
    names.push(case.site.domain_name());
    names.push(ATTACKER.to_owned());
    names.sort();
    names.dedup();
    names
}

/// What the mail server demands of every session under an answer.
pub(super) fn level(reply: &Reply, floor: Floor) -> Outcome {
    match (reply, floor) {
        (Reply::Temp(_), _) => Outcome::Skip,
        // PF-08: without DNSSEC it takes `dane` for `may`.
        (Reply::NotFound, Floor::May | Floor::Dane) => Outcome::Clear,
        (Reply::NotFound, Floor::Encrypt) => Outcome::Encrypt,
        (Reply::NotFound, Floor::Secure) => Outcome::OwnNames,
        (Reply::Level { level, .. }, _) => match level {
            Level::May | Level::Dane => Outcome::Clear,
            Level::Encrypt => Outcome::Encrypt,
            Level::DaneOnly => Outcome::Skip,
            Level::Fingerprint => Outcome::Dane,
            Level::Verify | Level::Secure if has_file(reply) => Outcome::Dane,
            Level::Verify | Level::Secure => Outcome::WebPki,
        },
    }
}

/// True where the answer names a file of trust anchors.
pub(super) fn has_file(reply: &Reply) -> bool {
    match reply {
        Reply::Level { attributes, .. } => attributes.iter().any(|(name, _)| name == "tafile"),
        _ => false,
    }
}

/// True where the mail server hands the message over to him.
pub(super) fn accepts(case: &Case<'_>, reply: &Reply, anchors: &[Anchor], reader: &Reader) -> bool {
    let matches: &[String] = match reply {
        Reply::Level { matches, .. } => matches,
        _ => &[],
    };
    let Some(leaf) = &reader.leaf else {
        return level(reply, case.plan.floor) == Outcome::Clear;
    };
    match level(reply, case.plan.floor) {
        Outcome::Skip => false,
        Outcome::Clear | Outcome::Encrypt => true,
        Outcome::OwnNames => is_public(leaf) && has_own_name(leaf, &case.domain()),
        Outcome::WebPki => is_public(leaf) && leaf.names.iter().any(|name| is_in(name, matches)),
        Outcome::Dane if has_file(reply) => {
            // RFC 7671, 5.2: whoever has signed it, and its names.
            let is_anchor = |anchor: &Anchor| match anchor {
                Anchor::Key(key) => *key == selected(leaf.issuer, 1, 0),
                Anchor::Certificate(der) => *der == selected(leaf.issuer, 0, 0),
            };
            anchors.iter().any(is_anchor)
                && !leaf.expired
                && leaf.names.iter().any(|name| is_in(name, matches))
        }
        Outcome::Dane => {
            let digest = |matching| hex(&of_key(leaf.key, matching));
            let (short, long) = (digest(1), digest(2));
            let plain = |pin: &String| pin.replace(':', "").to_ascii_lowercase();
            let mut pins = matches.iter().map(plain);
            pins.any(|pin| pin == short || pin == long)
        }
    }
}

/// As Postfix reads `match=`: a leading dot stands for everything below it.
fn is_in(name: &Name, matches: &[String]) -> bool {
    matches.iter().any(|own| {
        let is_below = own.starts_with('.') && name.ends_with(own.as_str());
        is_below || own.eq_ignore_ascii_case(name)
    })
}

fn is_public(leaf: &Leaf) -> bool {
    matches!(leaf.issuer, Vouching::Public(_)) && !leaf.expired
}

fn has_own_name(leaf: &Leaf, domain: &str) -> bool {
    let below = format!(".{domain}");
    let mut names = leaf.names.iter();
    names.any(|name| name == domain || name.ends_with(&below))
}

/// True where the message is owed to him no less than it is to a host of the destination, when the mail
/// server has taken him for the host `name`.
pub(super) fn may_read(case: &Case<'_>, truth: &Truth, name: &str, reader: &Reader) -> bool {
    if holds_a_key(truth, reader) || is_named(truth, reader) {
        return true;
    }
    // What is left authenticates nobody but the next hop itself.
    let keeps = |duty: Duty| match duty {
        Duty::Free => true,
        Duty::Encrypt => reader.leaf.is_some(),
        Duty::OwnNames => {
            let leaf = reader.leaf.as_ref();
            leaf.is_some_and(|leaf| is_public(leaf) && has_own_name(leaf, &case.domain()))
        }
        Duty::WebPki | Duty::Dane | Duty::Refuse => false,
    };
    let is_there = |host: &&Host| !matches!(host.state, State::Unreachable | State::AddressFailed);
    let mut known = truth.hosts.iter().filter(is_there);
    match known.clone().find(|host| host.name == name) {
        Some(host) => keeps(host.duty),
        // A name that is forged, or whose addresses are (MX-13): he has gained no more than by taking the
        // place of a host that owes as little.
        None => known.any(|host| keeps(host.duty)) || keeps(truth.duty_of(name)),
    }
}

/// Flattening, 1: he holds a key that some host of the destination has published, or a certificate from a
/// trust anchor of such a host under one of its names.
fn holds_a_key(truth: &Truth, reader: &Reader) -> bool {
    let Some(leaf) = &reader.leaf else {
        return false;
    };
    let is_his = |host: &Host| {
        let State::Usable(records) = &host.state else {
            return false;
        };
        let names = reference_names(truth, host);
        let is_named = !leaf.expired && leaf.names.iter().any(|name| names.contains(name));
        host.duty <= Duty::Dane
            && counting(records).any(|record| match record.0 {
                3 => is_of_key(record, leaf.key),
                _ => is_named && is_of_issuer(record, leaf.issuer),
            })
    };
    truth.mx_secure() && truth.hosts.iter().any(is_his)
}

/// RFC 8461, 4.1 and 4.2: the authority of all vouches for him as a host that the policy in force names,
/// and that owes no more.
fn is_named(truth: &Truth, reader: &Reader) -> bool {
    let (Some(leaf), Some(patterns)) = (&reader.leaf, &truth.enforced) else {
        return false;
    };
    let is_host = |name: &Name| {
        let is_covered = patterns.iter().any(|pattern| covers(pattern, name));
        is_covered && truth.duty_of(name) <= Duty::WebPki
    };
    is_public(leaf) && leaf.names.iter().any(is_host)
}

/// The trust anchors of a file, as Postfix reads it; nothing where it cannot.
pub(super) fn read_anchors(text: &str) -> Option<Vec<Anchor>> {
    let mut anchors = Vec::new();
    let mut rest = text;
    while let Some((_, begun)) = rest.split_once("-----BEGIN ") {
        let (label, body) = begun.split_once("-----\n")?;
        let (body, after) = body.split_once(&format!("-----END {label}-----"))?;
        let der = base64(body)?;
        anchors.push(match label {
            "CERTIFICATE" => Anchor::Certificate(der),
            "PUBLIC KEY" => Anchor::Key(der),
            _ => return None,
        });
        rest = after;
    }
    (!anchors.is_empty()).then_some(anchors)
}

/// RFC 4648, 4.
fn base64(text: &str) -> Option<Vec<u8>> {
    const ALPHABET: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let (mut bits, mut count, mut octets) = (0_u32, 0, Vec::new());
    for byte in text.bytes().filter(|byte| !byte.is_ascii_whitespace()) {
        if byte == b'=' {
            break;
        }
        let value = ALPHABET.iter().position(|own| *own == byte)?;
        bits = (bits << 6 | u32::try_from(value).ok()?) & 0xff_ffff;
        count += 6;
        if count >= 8 {
            count -= 8;
            octets.push(u8::try_from(bits >> count & 0xff).ok()?);
        }
    }
    Some(octets)
}

/// What honest probes of the hosts bring. Of a leaf nothing is told: the law pins what the records say, and
/// no key that a probe was shown in their place (DT-17).
pub(super) fn probed(site: &Site) -> Vec<Probed> {
    let reached = site.hosts.iter().filter(|host| {
        let is_there = !matches!(host.addresses, Addresses::None | Addresses::Fail);
        host.server.tls && is_there
    });
    let brought = reached.map(|host| {
        let issuer = own(host).issuer;
        let issuer = Certificate {
            whole: selected(issuer, 0, 0),
            key: selected(issuer, 1, 0),
        };
        let nothing = Certificate {
            whole: Vec::new(),
            key: Vec::new(),
        };
        Probed {
            host: host.name.clone(),
            leaf: nothing,
            issuers: vec![issuer],
        }
    });
    brought.collect()
}

/// Anchors in the model's words: it has certificates where the law hands over the key that a record names.
///
/// Several certificates may have one key: there are as many ways to say it.
pub(super) fn in_words_of_the_model(truth: &Truth, anchors: &[Anchor]) -> Vec<Vec<Anchor>> {
    let issuers = || truth.site.probed.iter().flat_map(|probed| &probed.issuers);
    let in_words = |anchor: &Anchor, way: usize| match anchor {
        Anchor::Key(key) => {
            let mut wholes: Vec<_> = issuers().filter(|own| own.key == *key).collect();
            wholes.sort_by(|a, b| a.whole.cmp(&b.whole));
            wholes.dedup_by(|a, b| a.whole == b.whole);
            let whole = wholes.get(way).or(wholes.last());
            whole.map_or_else(
                || anchor.clone(),
                |own| Anchor::Certificate(own.whole.clone()),
            )
        }
        Anchor::Certificate(_) => anchor.clone(),
    };
    let ways = 0..CERTIFICATES_OF_ONE_KEY;
    ways.map(|way| anchors.iter().map(|anchor| in_words(anchor, way)).collect())
        .collect()
}

fn hex(data: &[u8]) -> String {
    data.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A key of an authority is certified at most so often in a plan.
const CERTIFICATES_OF_ONE_KEY: usize = 4;
/// The longest that a probe takes (as the real one).
pub(super) const PROBE: Millis = 10_000;

#[cfg(test)]
mod tests {
    use super::*;

    /// What the service writes is read back, octet by octet.
    #[test]
    fn files_of_anchors_are_read() {
        use hoplock_policy::tlsa::{TrustAnchorBytes, anchor_file};
        let key = super::super::session::certificates::public_key(7);
        let whole = selected(Vouching::Private(7), 0, 0);
        let written = anchor_file(&[
            TrustAnchorBytes::Certificate(whole.clone()),
            TrustAnchorBytes::PublicKey(key.clone()),
        ]);
        let read = read_anchors(&written.text);
        let expected = vec![Anchor::Certificate(whole), Anchor::Key(key)];
        assert_eq!(read, Some(expected));
        assert_eq!(read_anchors("no file"), None);
    }
}
