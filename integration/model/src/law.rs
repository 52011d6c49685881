//! What the destination has proved, and so what a session with each of its hosts owes it.

use crate::sts::{covers, in_force};
use crate::{Answer, Data, Mode, Name, Order, Policy, Profile, Site, State, Type, World};
use crate::{order_for, tlsa::host_state};

plain_data! {
    /// Where mail is to go: a domain, reached through its MX, or a bracketed host.
    pub enum NextHop { Domain(Name), Host(Name) }
    /// A question: `remembered` is an unexpired policy, `remembered_id` the id that it came with.
    pub struct Question { pub next_hop: NextHop, pub port: u16, pub settings: Settings,
        pub remembered: Option<Policy>, pub remembered_id: Option<String> }
    /// `half_dane`: DANE over an insecure MX set (PD-07); `believed`: the resolver's word counts
    /// (MX-15, MX-17); `seen_with_dane`: usable TLSA was seen here within 30 days (MX-17).
    pub struct Settings { pub floor: Floor, pub half_dane: bool, pub rule: Rule,
        pub believed: bool, pub seen_with_dane: bool }
    /// The mail server's own level, below which no answer may fall (PD-16).
    #[derive(Copy)] pub enum Floor { May, Dane, Encrypt, Secure }
    /// The operator's rule where no entry of the site is for the destination: none, neither DANE
    /// nor MTA-STS (OP-03), nothing but DANE (PD-09).
    #[derive(Copy)] pub enum Rule { None, Off, Mandatory }
    /// What the standards say: `enforced` are the patterns of the enforce policy in force, `order`
    /// is the operator's; `absent`: so is what it may fall back on, the absence of usable records
    /// being established; `half_dane`: it is used; `names` are those of the domain that a
    /// certificate may have under DANE-TA, none where there is no MX record (CM-26, CM-27).
    pub struct Truth { pub selection: Selection, pub hosts: Vec<Host>,
        pub enforced: Option<Vec<Name>>, pub settings: Settings, pub site: Site, pub order: Order,
        pub absent: bool, pub half_dane: bool, pub names: Vec<Name> }
    /// The MX lookup failed; NXDOMAIN, null MX or no host that has an address; or there are hosts.
    #[derive(Copy)] pub enum Selection { Failed, NoHosts { secure: bool }, Hosts { secure: bool } }
    /// A host of the destination; they stand by preference, the unreachable ones too. `base` is
    /// its TLSA base domain, `addresses` their number, `owed` the duty before the floor.
    pub struct Host { pub name: Name, pub preference: u16, pub state: State, pub duty: Duty,
        pub owed: Duty, pub base: Option<Name>, pub addresses: usize }
    /// What a session owes, from least to most: nothing; TLS; web PKI under the mail server's own
    /// names; web PKI for the host, which the policy names; its TLSA records; not to happen.
    #[derive(Copy, PartialOrd, Ord)] pub enum Duty { Free, Encrypt, OwnNames, WebPki, Dane, Refuse }
    /// What a mail server does with a host: passes it over, or fulfils the duty of that name.
    #[derive(Copy, PartialOrd, Ord)]
    pub enum Outcome { Skip, Clear, Encrypt, OwnNames, WebPki, Dane }
}

/// What the standards say of a question in a world, for a Postfix with DANE of its own.
pub fn truth(world: &World, question: &Question) -> Truth {
    truth_at(world, question, &Site::default())
}

/// The same at a site.
pub fn truth_at(world: &World, question: &Question, site: &Site) -> Truth {
    let (settings, site) = (question.settings.clone(), site.clone());
    let (believed, pins) = (settings.believed, site.profile.pins().cloned());
    let (NextHop::Domain(name) | NextHop::Host(name)) = &question.next_hop;
    let order = order_for(&site.rules, name, site.now).unwrap_or_else(|| settings.rule.into());
    let (policy, found) = match &question.next_hop {
        // RFC 7672, 2.2.2; NX-01: the operator's own choice is trusted, and under no policy
        NextHop::Host(host) => (None, Some((true, vec![(0, host.clone())], vec![]))),
        NextHop::Domain(name) => (in_force(world, name, question), select(world, name, believed)),
    };
    // RFC 8461, 1; SB-01: for mail, not for submission; ST-23, ST-24
    let policy = policy.filter(|policy| policy.mode == Mode::Enforce && question.port == 25);
    let enforced = policy.map(|policy| policy.patterns);
    let (secure, exchanges, names) = found.clone().unwrap_or_default();
    let examined = site.examined.unwrap_or(exchanges.len());
    let mut hosts: Vec<Host> = Vec::new();
    for (preference, name) in exchanges {
        let (state, base) = match hosts.len() < examined {
            true => host_state(world, &name, question.port, believed, pins.as_ref()),
            false => (State::Failed, None), // MX-20
        };
        let addresses = [Type::A, Type::Aaaa].map(|family| match world.lookup(&name, family) {
            Answer::Records { data, .. } => data.len(),
            _ => 0,
        });
        let (duty, addresses) = (Duty::Refuse, addresses.iter().sum());
        hosts.push(Host { name, preference, state, duty, owed: duty, base, addresses });
    }
    let reachable = hosts.iter().any(|host| host.state != State::Unreachable);
    let selection = match found {
        None => Selection::Failed, // RFC 7672, 2.2.1; MX-03
        Some(_) if reachable => Selection::Hosts { secure },
        Some(_) => Selection::NoHosts { secure }, // MX-06, MX-08, MX-14
    };
    let (absent, half_dane) = (false, false);
    let mut truth =
        Truth { selection, hosts, enforced, settings, site, order, absent, half_dane, names };
    truth.absent = truth.is_absence_established();
    truth.half_dane = truth.uses_half_dane();
    let owed = |host: &Host| truth.owed(&host.name, &host.state);
    let owed: Vec<Duty> = truth.hosts.iter().map(owed).collect();
    truth.hosts.iter_mut().zip(owed).for_each(|(host, owed)| host.owed = owed);
    truth.relax();
    let floor = truth.floor();
    truth.hosts.iter_mut().for_each(|host| host.duty = host.owed.max(floor));
    truth
}

type Selected = (bool, Vec<(u16, Name)>, Vec<Name>);

/// Whether the hosts are found securely, the hosts by preference, and the names that the domain
/// has where it has MX records; nothing if that failed.
fn select(world: &World, domain: &str, believed: bool) -> Option<Selected> {
    let (secure, data, names) = match world.follow(domain, Type::Mx, believed, vec![]) {
        Answer::Failed => return None,
        // RFC 5321, 5.1; MX-06: no implicit MX
        Answer::NxDomain { secure, .. } => (secure, vec![], vec![]),
        // MX-05
        Answer::NoData { secure, .. } => (secure, vec![Data::Mx(0, domain.to_owned())], vec![]),
        // MX-07: no falling back to it; RFC 7672, 3.2.2: its own name, and that at the alias's end
        Answer::Records { secure, data, aliases } => {
            let expanded = aliases.last().filter(|name| *name != domain).cloned();
            (secure, data, [domain.to_owned()].into_iter().chain(expanded).collect())
        }
    };
    let exchanges = data.into_iter().filter_map(|data| match data {
        Data::Mx(preference, exchange) if !exchange.is_empty() => Some((preference, exchange)),
        _ => None, // RFC 7505, 3, 4; MX-08: alone it means "no mail", beside others it is an error
    });
    let mut exchanges: Vec<(u16, Name)> = exchanges.collect();
    exchanges.sort(); // RFC 5321, 5.1; MX-09: by preference, whatever their security
    Some((secure, exchanges, names))
}

impl Truth {
    /// Whether the hosts were found through a secure answer.
    pub fn mx_secure(&self) -> bool {
        self.selection == Selection::Hosts { secure: true }
    }

    /// The duty of what the mail server takes for an MX, in an open set an attacker's forgery too.
    pub fn duty_of(&self, host: &str) -> Duty {
        let closed = self.mx_secure() || self.selection == Selection::Failed;
        let law = matches!(self.order, Order::Opportunistic | Order::Mandatory { .. });
        match self.hosts.iter().find(|known| known.name == host) {
            Some(known) => known.duty,
            None if closed && law => Duty::Refuse, // RFC 7672, 2.2.1
            None => self.owed(host, &State::NoneInsecure).max(self.floor()),
        }
    }

    /// PD-10, DT-24: established are proved denial and records that are there and of no use; that
    /// a zone is unsigned, where the operator allows it; never a failed lookup.
    fn is_absence_established(&self) -> bool {
        let Order::Mandatory { on_insecure, .. } = self.order else { return false };
        let open = matches!(
            self.selection,
            Selection::Hosts { secure: false } | Selection::NoHosts { secure: false }
        );
        let absent = |host: &Host| match host.state {
            State::Unreachable | State::NoneSecure | State::Unusable => true,
            State::NoneInsecure => on_insecure, // NX-04
            State::Usable(_) => open,           // PD-08: over such a set they do not count
            State::Failed | State::AddressFailed => false,
        };
        let known = self.selection != Selection::Failed && self.settings.believed; // MX-03, MX-17
        known && (on_insecure || !open) && self.hosts.iter().all(absent)
    }

    /// RFC 7672, 2.2.1 (MAY); PD-01, PD-07: over an insecure set, after MTA-STS, by own lookups.
    fn uses_half_dane(&self) -> bool {
        let bound = |host: &Host| matches!(host.state, State::Usable(_) | State::Unusable);
        self.settings.half_dane
            && self.site.profile == Profile::OwnDane
            && self.order == Order::Opportunistic
            && self.enforced.is_none()
            && matches!(self.settings.floor, Floor::May | Floor::Dane)
            && self.selection == Selection::Hosts { secure: false }
            && self.hosts.iter().any(bound)
    }

    /// The duty of a host before the floor: the law, from the first line that applies.
    fn owed(&self, name: &str, state: &State) -> Duty {
        let (settings, secure) = (&self.settings, self.mx_secure());
        let named = |patterns: &Vec<Name>| patterns.iter().any(|pattern| covers(pattern, name));
        if let Some(duty) = self.order.duty(self.absent) {
            return duty; // PD-01
        }
        match (state, self.enforced.as_ref().map(named)) {
            _ if settings.seen_with_dane && !settings.believed => Duty::Refuse, // MX-17
            (State::Usable(_), _) if secure => Duty::Dane, // RFC 7672, 2.2; PD-01, PD-02
            // RFC 7672, 6; PD-08, PD-09
            _ if matches!(self.order, Order::Mandatory { .. }) => Duty::Refuse,
            // RFC 7672, 2.1.2; PD-03: MTA-STS may not stand in for a failed lookup
            (State::Failed | State::AddressFailed, _) if secure || self.half_dane => Duty::Refuse,
            // RFC 8461, 4.1, 5; PD-05; over an insecure set whatever TLSA the host has (PD-06)
            (_, Some(true)) => Duty::WebPki,
            (_, Some(false)) => Duty::Refuse,
            (State::Unusable, None) if secure => Duty::Encrypt, // RFC 7672, 2.2; TU-07
            (_, None) => Duty::Free,                            // RFC 7672, 2.2, 2.2.1; TB-09
        }
    }

    /// What the mail server's own level demands of every host (PD-16).
    pub(crate) fn floor(&self) -> Duty {
        match self.settings.floor {
            Floor::May | Floor::Dane => Duty::Free,
            Floor::Encrypt => Duty::Encrypt,
            Floor::Secure => Duty::OwnNames,
        }
    }

    /// Profile F, unless `strict`: where the best tier owes nothing beyond encryption, usable hosts
    /// behind it owe no more than it does (DT-07b): an attacker would choose the free host.
    fn relax(&mut self) {
        if self.site.profile.pins().is_none_or(|pins| pins.strict) {
            return;
        }
        let there = |host: &&Host| !matches!(host.state, State::Unreachable | State::AddressFailed);
        let best = self.hosts.iter().filter(there).map(|host| host.preference).min();
        let tier = self.hosts.iter().filter(there).filter(|host| Some(host.preference) == best);
        let Some(most) = tier.map(|host| host.owed).max() else { return };
        if most.max(self.floor()) <= Duty::Encrypt {
            let usable = |host: &&mut Host| matches!(host.state, State::Usable(_));
            self.hosts.iter_mut().filter(usable).for_each(|host| host.owed = host.owed.min(most));
        }
    }

    /// Whether what a mail server does with a host fulfils the host's duty.
    pub fn permits(&self, host: &str, outcome: Outcome) -> bool {
        let duty = self.duty_of(host);
        match outcome {
            Outcome::Skip => true, // RFC 7672, 2.2; FT-01: delay is always safe
            Outcome::Clear => duty == Duty::Free,
            Outcome::Encrypt => duty <= Duty::Encrypt,
            Outcome::OwnNames => duty <= Duty::OwnNames,
            Outcome::WebPki => duty <= Duty::WebPki,
            // RFC 8461, 2; PD-06: over an insecure set DANE is no substitute for MTA-STS
            Outcome::Dane => duty <= Duty::Dane && (duty != Duty::WebPki || self.mx_secure()),
        }
    }
}
