//! What the destination has proved, and so what a session with each of its hosts owes it.

use crate::sts::{covers, in_force};
use crate::{Answer, Data, Mode, Name, Policy, State, Type, World, tlsa::host_state};

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
    /// The operator's rule: none, neither DANE nor MTA-STS (OP-03), nothing but DANE (PD-09).
    #[derive(Copy)] pub enum Rule { None, Off, Mandatory }
    /// What the standards say: `enforced` are the patterns of the enforce policy in force.
    pub struct Truth { pub selection: Selection, pub hosts: Vec<Host>,
        pub enforced: Option<Vec<Name>>, pub settings: Settings }
    /// The MX lookup failed; NXDOMAIN, null MX or no host that has an address; or there are hosts.
    #[derive(Copy)] pub enum Selection { Failed, NoHosts { secure: bool }, Hosts { secure: bool } }
    /// A host of the destination; they stand by preference, the unreachable ones too.
    pub struct Host { pub name: Name, pub preference: u16, pub state: State, pub duty: Duty }
    /// What a session owes, from least to most: nothing; TLS; web PKI under the mail server's own
    /// names; web PKI for the host, which the policy names; its TLSA records; not to happen.
    #[derive(Copy, PartialOrd, Ord)] pub enum Duty { Free, Encrypt, OwnNames, WebPki, Dane, Refuse }
    /// What a mail server does with a host: passes it over, or fulfils the duty of that name.
    #[derive(Copy, PartialOrd, Ord)]
    pub enum Outcome { Skip, Clear, Encrypt, OwnNames, WebPki, Dane }
}

/// What the standards say of a question in a world.
pub fn truth(world: &World, question: &Question) -> Truth {
    let (settings, believed) = (question.settings.clone(), question.settings.believed);
    let (policy, found) = match &question.next_hop {
        // RFC 7672, 2.2.2; NX-01: the operator's own choice is trusted, and under no policy
        NextHop::Host(host) => (None, Some((true, vec![(0, host.clone())]))),
        NextHop::Domain(name) => (in_force(world, name, question), select(world, name, believed)),
    };
    // RFC 8461, 1; SB-01: for mail, not for submission; ST-23, ST-24
    let policy = policy.filter(|policy| policy.mode == Mode::Enforce && question.port == 25);
    let enforced = policy.map(|policy| policy.patterns);
    let (secure, exchanges) = found.clone().unwrap_or_default();
    let state = |name: &str| host_state(world, name, question.port, believed);
    let states: Vec<State> = exchanges.iter().map(|(_, name)| state(name)).collect();
    let reachable = states.iter().any(|state| *state != State::Unreachable);
    let selection = match found {
        None => Selection::Failed, // RFC 7672, 2.2.1; MX-03
        Some(_) if reachable => Selection::Hosts { secure },
        Some(_) => Selection::NoHosts { secure }, // MX-06, MX-08, MX-14
    };
    // RFC 7672, 2.2.1 (MAY); PD-01, PD-07: over an insecure set, after MTA-STS
    let bound = states.iter().any(|state| matches!(state, State::Usable(_) | State::Unusable));
    let wanted = settings.half_dane && settings.rule == Rule::None && enforced.is_none();
    let low = matches!(settings.floor, Floor::May | Floor::Dane);
    let half_dane = bound && wanted && low && selection == Selection::Hosts { secure: false };
    let mut truth = Truth { selection, hosts: Vec::new(), enforced, settings };
    for ((preference, name), state) in exchanges.into_iter().zip(states) {
        let duty = truth.duty(&name, &state, half_dane);
        truth.hosts.push(Host { name, preference, state, duty });
    }
    truth
}

/// Whether the hosts are found securely, and the hosts by preference; nothing if that failed.
fn select(world: &World, domain: &str, believed: bool) -> Option<(bool, Vec<(u16, Name)>)> {
    let (secure, data) = match world.follow(domain, Type::Mx, believed, vec![]) {
        Answer::Failed => return None,
        Answer::NxDomain { secure, .. } => (secure, vec![]), // RFC 5321, 5.1; MX-06: no implicit MX
        Answer::NoData { secure, .. } => (secure, vec![Data::Mx(0, domain.to_owned())]), // MX-05
        Answer::Records { secure, data, .. } => (secure, data), // MX-07: no falling back to it
    };
    let exchanges = data.into_iter().filter_map(|data| match data {
        Data::Mx(preference, exchange) if !exchange.is_empty() => Some((preference, exchange)),
        _ => None, // RFC 7505, 3, 4; MX-08: alone it means "no mail", beside others it is an error
    });
    let mut exchanges: Vec<(u16, Name)> = exchanges.collect();
    exchanges.sort(); // RFC 5321, 5.1; MX-09: by preference, whatever their security
    Some((secure, exchanges))
}

impl Truth {
    /// Whether the hosts were found through a secure answer.
    pub fn mx_secure(&self) -> bool {
        self.selection == Selection::Hosts { secure: true }
    }

    /// The duty of what the mail server takes for an MX, in an open set an attacker's forgery too.
    pub fn duty_of(&self, host: &str) -> Duty {
        let closed = self.mx_secure() || self.selection == Selection::Failed;
        match self.hosts.iter().find(|known| known.name == host) {
            Some(known) => known.duty,
            None if closed && self.settings.rule != Rule::Off => Duty::Refuse, // RFC 7672, 2.2.1
            None => self.duty(host, &State::NoneInsecure, false),
        }
    }

    /// The duty of a host: the law, from the first line that applies, and then the floor (PD-16).
    fn duty(&self, name: &str, state: &State, half_dane: bool) -> Duty {
        let (settings, secure) = (&self.settings, self.mx_secure());
        let named = |patterns: &Vec<Name>| patterns.iter().any(|pattern| covers(pattern, name));
        let law = match (state, self.enforced.as_ref().map(named)) {
            _ if settings.rule == Rule::Off => Duty::Free, // OP-03
            _ if settings.seen_with_dane && !settings.believed => Duty::Refuse, // MX-17
            (State::Usable(_), _) if secure => Duty::Dane, // RFC 7672, 2.2; PD-01, PD-02
            _ if settings.rule == Rule::Mandatory => Duty::Refuse, // RFC 7672, 6; PD-08, PD-09
            // RFC 7672, 2.1.2; PD-03: MTA-STS may not stand in for a failed lookup
            (State::Failed | State::AddressFailed, _) if secure || half_dane => Duty::Refuse,
            // RFC 8461, 4.1, 5; PD-05; over an insecure set whatever TLSA the host has (PD-06)
            (_, Some(true)) => Duty::WebPki,
            (_, Some(false)) => Duty::Refuse,
            (State::Unusable, None) if secure => Duty::Encrypt, // RFC 7672, 2.2; TU-07
            (_, None) => Duty::Free,                            // RFC 7672, 2.2, 2.2.1; TB-09
        };
        law.max(match settings.floor {
            Floor::May | Floor::Dane => Duty::Free,
            Floor::Encrypt => Duty::Encrypt,
            Floor::Secure => Duty::OwnNames,
        })
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
