//! The third function of the law: which answers are permitted, and what is wrong with another.

use crate::{
    Anchor, Duty, Fallback, Fate, Floor, Host, Level, Line, Order, Outcome, Profile, Reply,
};
use crate::{Name, Selection, State, Truth, account, delivered, is_safe, plain, reference_names};
use std::cmp::Reverse;

plain_data! {
    /// An answer that is permitted: no policy; delay, with the word that its reason begins with,
    /// where that is laid down; or a level, with what must stand in `match=`, what may stand there
    /// besides, and the CA file.
    pub enum Permitted { NotFound, Temp(&'static str),
        Level { level: Level, needed: Vec<String>, allowed: Vec<String>, file: File } }
    /// No CA file; one with anchors from TLSA records; the operator's own.
    pub enum File { None, Anchors, Named(String) }
    /// What is wrong with a reply: its level, or that there is one (these are permitted); the reason
    /// of a delay; an element of `match=` that stands twice, that stands there for nothing (for
    /// pins [`account`] has no host for it), or is missing (for pins it names the host); the SNI
    /// attribute; the CA file attribute; an anchor there for nothing, or missing.
    pub enum Fault { Word(Vec<Permitted>), Reason(&'static str), Twice(String), Stray(String),
        Lost(String), Servername, Tafile, StrayAnchor(Anchor), LostAnchor(Line) }
}

/// What is wrong with a reply; `anchors` is what stands in the CA files that it names.
pub fn faults(truth: &Truth, reply: &Reply, anchors: &[Anchor]) -> Vec<Fault> {
    let permitted = permitted(truth);
    let faults = permitted.iter().filter_map(|at| at.faults(truth, reply, anchors));
    faults.min_by_key(Vec::len).unwrap_or_else(|| vec![Fault::Word(permitted.clone())])
}

/// The answers that are permitted: one, or more where the requirements leave it open.
pub fn permitted(truth: &Truth) -> Vec<Permitted> {
    if let Some(answers) = ordered(truth) {
        return answers;
    }
    let settings = &truth.settings;
    let closed = matches!(truth.order, Order::Mandatory { .. })
        || settings.seen_with_dane && !settings.believed;
    match (truth.selection, &truth.enforced) {
        (Selection::Failed, _) => vec![Permitted::Temp("")], // DT-02
        (Selection::NoHosts { .. }, _) if closed => vec![Permitted::Temp("")], // RFC 7672, 6; MX-17
        (Selection::NoHosts { .. }, None) => vec![Permitted::NotFound], // DT-01
        (Selection::NoHosts { .. }, Some(patterns)) => {
            // DT-01s: a leading dot is Postfix's wildcard
            let plain = |at: &Name| at.strip_prefix('*').unwrap_or(at).to_ascii_lowercase();
            vec![level(Level::Secure, patterns.iter().map(plain).collect())]
        }
        (Selection::Hosts { .. }, _) => chosen(truth),
    }
}

/// The answers that the operator has ordered.
fn ordered(truth: &Truth) -> Option<Vec<Permitted>> {
    let own_dane = truth.site.profile == Profile::OwnDane;
    let answer = match &truth.order {
        // OP-03: the own DANE is off too
        Order::Off | Order::Audit => match truth.settings.floor {
            Floor::Dane => level(Level::May, vec![]),
            Floor::Encrypt => level(Level::Encrypt, vec![]),
            Floor::May | Floor::Secure => Permitted::NotFound,
        },
        // PD-11: what the mail server cannot do it is not told to do
        Order::Pinned { level: Level::Dane | Level::DaneOnly, .. } if !own_dane => {
            Permitted::Temp("")
        }
        Order::Pinned { level: at, matches, tafile } => match (level(*at, matches.clone()), tafile)
        {
            (Permitted::Level { level, needed, allowed, .. }, Some(path))
                if level >= Level::Verify =>
            {
                Permitted::Level { level, needed, allowed, file: File::Named(path.clone()) }
            }
            (answer, _) => answer,
        },
        Order::Mandatory { fallback, .. } if truth.absent => match fallback {
            Fallback::Defer => Permitted::Temp(reason(truth)),
            Fallback::Fingerprint(pins) => level(Level::Fingerprint, pins.clone()),
            Fallback::Secure(names) => level(Level::Secure, names.clone()),
            Fallback::Encrypt => level(Level::Encrypt, vec![]),
        },
        _ => return None,
    };
    // Whether a domain without hosts lacks usable records is not said
    let fallback = matches!(truth.order, Order::Mandatory { .. });
    let open = fallback && matches!(truth.selection, Selection::NoHosts { .. });
    Some(if open { vec![answer, Permitted::Temp("")] } else { vec![answer] })
}

/// A level with exactly these elements; PF-10, PD-17: never without, where it needs them.
fn level(level: Level, mut needed: Vec<String>) -> Permitted {
    match level {
        Level::Fingerprint => needed.iter_mut().for_each(|pin| *pin = plain(pin)),
        Level::Verify | Level::Secure => needed.iter_mut().for_each(|at| at.make_ascii_lowercase()),
        _ => needed.clear(), // PF-14
    }
    needed.sort();
    needed.dedup();
    match level {
        Level::Fingerprint | Level::Verify | Level::Secure if needed.is_empty() => {
            Permitted::Temp("")
        }
        _ => Permitted::Level { level, needed, allowed: vec![], file: File::None },
    }
}

/// The law's choice for a domain with hosts.
fn chosen(truth: &Truth) -> Vec<Permitted> {
    let there = |host: &&Host| host.state != State::Unreachable;
    let hosts: Vec<&Host> = truth.hosts.iter().filter(there).collect();
    let unresolved = hosts.iter().all(|host| host.state == State::AddressFailed);
    if hosts.iter().all(|host| host.owed == Duty::Free) && !truth.half_dane {
        let mut answers = vec![Permitted::NotFound];
        let bound = |host: &&Host| matches!(host.state, State::Usable(_) | State::Unusable);
        let own_dane =
            truth.site.profile == Profile::OwnDane && truth.settings.floor == Floor::Dane;
        if own_dane && hosts.iter().any(bound) {
            answers.push(level(Level::May, vec![])); // PD-07: the set is insecure, so no DANE is claimed
        }
        answers.extend(unresolved.then_some(Permitted::Temp(""))); // MX-13
        return answers;
    }
    let safe = candidates(truth).into_iter().map(|answer| (answer.reply(), answer));
    let delivering = |reply: &Reply| delivered(truth, reply).next().is_some();
    let safe = safe.filter(|(reply, _)| is_safe(truth, reply) && delivering(reply));
    let keyed: Vec<_> = safe.map(|(reply, answer)| (key(truth, &reply), answer)).collect();
    let best = keyed.iter().map(|(key, _)| *key).max();
    let best = keyed.iter().filter(|(key, _)| Some(*key) == best);
    let mut answers: Vec<Permitted> = best.map(|(_, answer)| answer.clone()).collect();
    let many = |answer: &Permitted| match answer {
        Permitted::Level { level: Level::Fingerprint, needed, .. } => needed.len() > 1000,
        _ => false,
    };
    if answers.is_empty() || answers.iter().any(many) {
        answers.push(Permitted::Temp(reason(truth))); // a list is never cut short
    }
    answers
}

/// All answers that this mail server understands, hosts and pins as the law has them.
pub(crate) fn candidates(truth: &Truth) -> Vec<Permitted> {
    let named = |host: &&Host| host.duty == Duty::WebPki;
    let own_dane = truth.site.profile == Profile::OwnDane;
    let there = |host: &&Host| match host.state {
        State::Unreachable => false,
        State::AddressFailed => own_dane, // MX-13: P leaves it to Postfix
        _ => true,
    };
    let name = |host: &Host| host.name.to_ascii_lowercase();
    let owing = truth.hosts.iter().filter(named);
    let secure = Permitted::Level {
        level: Level::Secure, // PF-12: exactly the current hosts that owe it
        needed: owing.clone().filter(there).map(name).collect(),
        allowed: owing.map(name).collect(), // those without addresses do no harm
        file: File::None,
    };
    let own = [Level::DaneOnly, Level::Dane].map(|at| level(at, vec![]));
    let (mut pins, mut anchored): (Vec<String>, Vec<Name>) = (vec![], vec![]);
    for Line { host, fate, .. } in account(truth) {
        match fate {
            Fate::Pinned(pin) => pins.push(pin),
            Fate::Anchored(_) => anchored.push(host),
            _ => {}
        }
    }
    let anchored = truth.hosts.iter().filter(|host| anchored.contains(&host.name));
    let names = anchored.flat_map(|host| reference_names(truth, host)).collect();
    let anchors = match level(Level::Secure, names) {
        Permitted::Level { level, needed, allowed, .. } => {
            Permitted::Level { level, needed, allowed, file: File::Anchors }
        }
        other => other,
    };
    let pushed = [level(Level::Fingerprint, pins), anchors];
    let dane = if own_dane { own } else { pushed };
    let others = [secure, level(Level::Encrypt, vec![]), Permitted::NotFound];
    dane.into_iter().chain(others).filter(|answer| !matches!(answer, Permitted::Temp(_))).collect()
}

/// What the law compares, in its order (b) to (f); the greatest is chosen.
fn key(truth: &Truth, reply: &Reply) -> (bool, Reverse<Option<u16>>, usize, usize, Reverse<u8>) {
    let level = match reply {
        Reply::Level { level, .. } => Some(*level),
        _ => None,
    };
    let rank = match level {
        Some(Level::DaneOnly) => 0,
        Some(Level::Fingerprint) => 1,
        Some(Level::Secure) => 2,
        Some(Level::Encrypt) => 3,
        Some(Level::Dane) => 4,
        _ => 5,
    };
    let reached = |host: &Host| {
        let better = truth.hosts.iter().filter(|other| other.preference < host.preference);
        let tried: usize = better.map(|host| host.addresses).sum();
        truth.site.address_limit.is_none_or(|limit| tried < limit)
    };
    let delivered = || delivered(truth, reply).filter(|(host, _)| reached(host));
    let exact = |(host, outcome): &(&Host, Outcome)| {
        let exactly = match host.duty {
            Duty::Free => Outcome::Clear,
            Duty::Encrypt => Outcome::Encrypt,
            Duty::OwnNames => Outcome::OwnNames,
            Duty::WebPki => Outcome::WebPki,
            Duty::Dane => Outcome::Dane,
            Duty::Refuse => Outcome::Skip,
        };
        *outcome == exactly
    };
    let half_dane = truth.half_dane && level == Some(Level::Dane);
    let best = delivered().map(|(host, _)| host.preference).min();
    let best = Reverse(best.or(Some(u16::MAX)));
    (half_dane, best, delivered().count(), delivered().filter(exact).count(), Reverse(rank))
}

/// The word that the reason of a delay begins with, where the requirements say so.
fn reason(truth: &Truth) -> &'static str {
    let open = truth.selection == Selection::Hosts { secure: false };
    let known = truth.settings.believed;
    let strict = matches!(truth.order, Order::Mandatory { on_insecure: false, .. });
    let known_here = |host: &Host| match host.state {
        State::Unreachable | State::AddressFailed => false,
        State::Usable(_) | State::Failed => !truth.mx_secure(), // PD-06
        State::Unusable | State::NoneSecure | State::NoneInsecure => true,
    };
    match &truth.order {
        _ if !known => "",
        Order::Mandatory { .. } if open && strict => "mx-insecure", // PD-08
        Order::Opportunistic if truth.enforced.is_some() && truth.hosts.iter().all(known_here) => {
            let refused = truth.hosts.iter().all(|host| host.owed == Duty::Refuse);
            if refused { "sts-no-mx-matches" } else { "" } // PD-17, DT-26
        }
        _ => "",
    }
}

impl Permitted {
    /// The reply that says it.
    pub(crate) fn reply(&self) -> Reply {
        match self {
            Self::NotFound => Reply::NotFound,
            Self::Temp(reason) => Reply::Temp((*reason).to_owned()),
            Self::Level { level, needed, file, .. } => {
                let filed = |path: &str| vec![("tafile".to_owned(), path.to_owned())];
                let attributes = match file {
                    File::None => vec![],
                    File::Anchors => filed("/anchors"),
                    File::Named(path) => filed(path),
                };
                Reply::Level { level: *level, matches: needed.clone(), attributes }
            }
        }
    }

    /// What is wrong with a reply that means to be this one; nothing if it is another.
    fn faults(&self, truth: &Truth, reply: &Reply, anchors: &[Anchor]) -> Option<Vec<Fault>> {
        let (level, needed, allowed, file) = match (self, reply) {
            (Self::NotFound, Reply::NotFound) => return Some(vec![]),
            (Self::Temp(word), Reply::Temp(reason)) if reason.starts_with(word) => {
                return Some(vec![]);
            }
            (Self::Temp(word), Reply::Temp(_)) => return Some(vec![Fault::Reason(word)]),
            (Self::Level { level, needed, allowed, file }, Reply::Level { level: said, .. })
                if level == said =>
            {
                (*level, needed, allowed, file)
            }
            _ => return None,
        };
        let Reply::Level { matches, attributes, .. } = reply else { return None };
        let values = |wanted: &str| {
            let of = attributes.iter().filter(|(name, _)| name == wanted);
            of.map(|(_, value)| value.clone()).collect::<Vec<_>>()
        };
        let files = values("tafile");
        if files.is_empty() != (*file == File::None) {
            return None; // by other names and anchors altogether
        }
        let said = matches.iter().map(|at| match level {
            Level::Fingerprint => plain(at),
            _ => at.to_ascii_lowercase(),
        });
        let said: Vec<String> = said.collect();
        let mut faults = Vec::new();
        for (index, element) in said.iter().enumerate() {
            if said.iter().take(index).any(|earlier| earlier == element) {
                faults.push(Fault::Twice(element.clone())); // PD-14
            } else if !needed.contains(element) && !allowed.contains(element) {
                faults.push(Fault::Stray(element.clone()));
            }
        }
        let lost = needed.iter().filter(|element| !said.contains(element));
        faults.extend(lost.cloned().map(Fault::Lost));
        if matches!(level, Level::Fingerprint | Level::Secure) {
            let wanted = server_names(truth);
            let told = values("servername");
            let right = told.iter().all(|name| wanted.contains(name));
            if !right || told.is_empty() != wanted.is_empty() {
                faults.push(Fault::Servername); // RFC 7672, 8.1; RFC 8461, 7.1; PF-11
            }
        }
        match file {
            File::None => {}
            File::Named(path) if files == [path.clone()] => {}
            File::Named(_) => faults.push(Fault::Tafile),
            File::Anchors => faults.extend(anchor_faults(truth, anchors)),
        }
        Some(faults)
    }
}

/// What may be told as SNI; where the only host's TLSA base domain is not its name, that too.
fn server_names(truth: &Truth) -> Vec<String> {
    let there = truth.hosts.iter().filter(|host| host.state != State::Unreachable);
    let mut bases = there.map(|host| host.base.clone());
    let (first, more) = (bases.next().flatten(), bases.next().is_some());
    let base = first.filter(|_| !more);
    let names = ["hostname".to_owned()].into_iter().chain(base);
    if truth.site.servername { names.collect() } else { vec![] }
}

/// An anchor may stand in the CA file where a DANE-TA record of a host is for it, and must where
/// the record's bytes are to be had: one for each record (the CAs of a cross-signed key are two).
fn anchor_faults(truth: &Truth, anchors: &[Anchor]) -> Vec<Fault> {
    let lines = account(truth).into_iter();
    let wanted: Vec<(Line, Vec<Anchor>)> = lines
        .filter_map(|line| match &line.fate {
            Fate::Anchored(anchors) => Some((line.clone(), anchors.clone())),
            _ => None,
        })
        .collect();
    let known = |anchor: &&Anchor| wanted.iter().any(|(_, known)| known.contains(anchor));
    let stray = anchors.iter().filter(|anchor| !known(anchor)).cloned().map(Fault::StrayAnchor);
    let lost = wanted.iter().filter(|(_, any)| !any.iter().any(|at| anchors.contains(at)));
    stray.chain(lost.map(|(line, _)| Fault::LostAnchor(line.clone()))).collect()
}
