//! One run as a value: what is published and when, what the attacker does, what is asked.
//!
//! A plan decides everything: the same plan gives the same run. So a plan that shows a fault can be
//! cut down, piece by piece, as long as it still shows it.

use hoplock_model::{Entry, Floor, Pattern, Type};

use super::session::{Contact, Shows};
use super::site::Site;

/// Milliseconds since the run began.
pub type Millis = u64;

/// One run.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    /// What it was made from; decides delays too.
    pub seed: u64,
    /// The name servers of the service, first one preferred.
    pub servers: Vec<NameServer>,
    /// The mail server's own default level.
    pub floor: Floor,
    /// Postfix's own name server validates; else its own DANE does not work.
    pub own_dane: bool,
    /// It asks by the profile `pins`.
    pub pins: Option<Pushed>,
    /// How long the mail server waits for an answer.
    pub deadline: Millis,
    /// `[dane] half_dane`.
    pub half_dane: bool,
    /// `[sts] on_first_contact_failure` is `defer`.
    pub first_contact_defers: bool,
    /// The rules of the configuration.
    pub rules: Vec<Entry>,
    /// Whether the state is a real file, over restarts.
    pub file: bool,
    /// The destinations, each with its versions: from when, and what.
    pub sites: Vec<Vec<(Millis, Site)>>,
    /// What the attacker does.
    pub attacks: Vec<Attack>,
    /// What happens, in order of time.
    pub events: Vec<(Millis, Event)>,
    /// From then on none of the name servers validates.
    pub blind_from: Option<Millis>,
}

/// What is set for a mail server without DANE of its own: it is told what DANE would have it find.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pushed {
    /// The matching type of its fingerprints: 1 for SHA-256, 2 for SHA-512.
    pub digest: u8,
    /// `strict`.
    pub strict: bool,
    /// `probe`.
    pub probe: bool,
    /// There is a directory for trust anchors.
    pub has_place: bool,
}

/// A name server of the service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NameServer {
    /// On loopback; validates.
    Validating,
    /// On loopback; does not validate, and an attacker stands behind it.
    Plain,
    /// Elsewhere; validates, but an attacker stands before it, who sets AD too.
    Remote,
}

/// What happens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// Postfix asks, this many times at once.
    Ask(Key, usize),
    /// The wall clock is stepped.
    Wall(i64),
    /// The process ends in order and starts anew after so many milliseconds, in which the wall
    /// clock is stepped.
    Restart(Millis, i64),
    /// The process is killed at the n-th call to its outside from now, and starts anew at once.
    Crash(u64),
    /// The operator gives a rule, in place of an earlier one for the same destinations.
    Rule(Box<Entry>),
    /// He takes the one back that he gave for these destinations.
    Lift(Pattern),
    /// The mail server reports a session.
    Session(Box<Contact>),
}

/// What Postfix asks about.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Key {
    /// `d7.test`.
    Domain(usize),
    /// `d7.test:587`.
    Submission(usize),
    /// `[HOST]`: a site, and one of its hosts.
    Host(usize, usize),
    /// `[HOST]:587`.
    HostSubmission(usize, usize),
}

impl Key {
    /// Whose.
    #[must_use]
    pub fn site(&self) -> usize {
        match self {
            Self::Domain(site)
            | Self::Submission(site)
            | Self::Host(site, _)
            | Self::HostSubmission(site, _) => *site,
        }
    }
}

impl Key {
    /// At which port.
    #[must_use]
    pub fn port(&self) -> u16 {
        match self {
            Self::Submission(_) | Self::HostSubmission(..) => 587,
            Self::Domain(_) | Self::Host(..) => 25,
        }
    }
}

/// One thing that the attacker does.
#[derive(Clone, Debug, PartialEq)]
pub struct Attack {
    /// Since when.
    pub from: Millis,
    /// Until when.
    pub until: Millis,
    /// Whom it hits.
    pub victim: Victim,
    /// What it hits.
    pub target: Target,
    /// Only questions of these types; none: all.
    pub types: Vec<Type>,
    /// Of a hundred questions, how many.
    pub share: u8,
    /// How.
    pub kind: Kind,
}

/// Whom an attack hits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Victim {
    /// The service alone.
    Service,
    /// The service and Postfix.
    Everyone,
}

/// What an attack hits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    /// Names of one site.
    Site(usize),
    /// Every name.
    All,
    /// The name of the self-test.
    SelfTest,
    /// Everything asked of one name server.
    NameServer(usize),
}

/// How the attacker attacks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// No answer comes.
    Drop,
    /// The answer comes late.
    Delay(Millis),
    /// SERVFAIL.
    ServFail,
    /// REFUSED.
    Refused,
    /// Cut short, and the stream works or not.
    Truncate(bool),
    /// "No such name", forged: where the name is signed, the validator says bogus.
    NxDomain,
    /// "No such record", the same.
    NoData,
    /// The attacker's own mail host as the only MX, the same.
    ForgeMx,
    /// What was true so long ago, replayed.
    Stale(Millis),
    /// Bytes that are no message.
    Garbage,
    /// Answers with a wrong id before the right one.
    ForeignFirst,
    /// The connection to the policy host is reset.
    Reset,
    /// It is redirected.
    Redirect,
    /// It ends at a host with another certificate.
    WrongCertificate,
    /// It is slow.
    Slow(Millis),
    /// The attacker's own address for every host; where the name is signed, the validator says bogus.
    ForgeAddress,
    /// Nobody answers when the service asks a mail host for its certificates.
    ProbeLost,
    /// It is answered late.
    ProbeLate(Millis),
    /// The attacker answers, and shows this.
    ProbeMet(Shows),
}

impl Kind {
    /// True for attacks on the policy fetch.
    #[must_use]
    pub fn is_https(self) -> bool {
        matches!(
            self,
            Self::Reset | Self::Redirect | Self::WrongCertificate | Self::Slow(_)
        )
    }

    /// True for attacks on the asking of mail hosts.
    #[must_use]
    pub fn is_on_probes(self) -> bool {
        matches!(
            self,
            Self::ProbeLost | Self::ProbeLate(_) | Self::ProbeMet(_)
        )
    }

    /// True for attacks on the DNS.
    #[must_use]
    pub fn is_dns(self) -> bool {
        !self.is_https() && !self.is_on_probes()
    }
}

impl Plan {
    /// What site `number` publishes at this time.
    #[must_use]
    pub fn site(&self, number: usize, at: Millis) -> Option<&Site> {
        let versions = self.sites.get(number)?;
        let reached = versions.iter().rev().find(|(from, _)| *from <= at);
        reached.or(versions.first()).map(|(_, site)| site)
    }

    /// The times between which nothing published by a site changes, within a span; the first is the
    /// span's beginning.
    #[must_use]
    pub fn instants(&self, number: usize, from: Millis, to: Millis) -> Vec<Millis> {
        let mut instants = vec![from];
        let versions = self.sites.get(number).map_or(&[][..], Vec::as_slice);
        let within = versions.iter().map(|(at, _)| *at);
        instants.extend(within.filter(|at| *at > from && *at <= to));
        instants
    }

    /// The key as Postfix writes it.
    #[must_use]
    pub fn key(&self, key: &Key) -> String {
        let host = |site: usize, host: usize| {
            let hosts = self.site(site, 0).map(|site| site.hosts.clone());
            let name = hosts.and_then(|hosts| hosts.get(host).map(|host| host.name.clone()));
            name.unwrap_or_else(|| format!("m0.d{site}.test"))
        };
        match key {
            Key::Domain(site) => format!("d{site}.test"),
            Key::Submission(site) => format!("d{site}.test:587"),
            Key::Host(site, number) => format!("[{}]", host(*site, *number)),
            Key::HostSubmission(site, number) => format!("[{}]:587", host(*site, *number)),
        }
    }

    /// What the mail server is told in place of DANE, where it has none of its own (D4, PD-11).
    #[must_use]
    pub fn pushed(&self) -> Option<Pushed> {
        let fallen_back = Pushed {
            digest: 1,
            strict: false,
            probe: true,
            has_place: false,
        };
        self.pins.or((!self.own_dane).then_some(fallen_back))
    }

    /// True where the name servers are to be believed at this time, which a mail server knows that asks the
    /// service.
    #[must_use]
    pub fn believes(&self, at: Millis) -> bool {
        let blind = self.blind_from.is_some_and(|from| at >= from);
        let remote = self.servers.contains(&NameServer::Remote);
        !blind && !remote && self.servers.contains(&NameServer::Validating)
    }

    /// How far the wall clock was stepped until then, in milliseconds.
    #[must_use]
    pub fn stepped(&self, at: Millis) -> i64 {
        let before = self.events.iter().filter(|(when, _)| *when <= at);
        let steps = before.map(|(_, event)| match event {
            Event::Wall(by) | Event::Restart(_, by) => *by,
            _ => 0,
        });
        steps.sum()
    }

    /// True where the mail server names its hosts in reports by what their MX names are aliases of, as
    /// Postfix does in its log.
    #[must_use]
    pub fn names_by_alias(&self) -> bool {
        self.seed.is_multiple_of(4)
    }

    /// When the last thing happens.
    #[must_use]
    pub fn end(&self) -> Millis {
        self.events.last().map_or(0, |(at, _)| *at)
    }

    /// The first attack that hits this question.
    pub fn attack(&self, at: Millis, matches: impl Fn(&Attack) -> bool) -> Option<&Attack> {
        let under_way = |attack: &&Attack| attack.from <= at && at < attack.until;
        self.attacks
            .iter()
            .filter(under_way)
            .find(|attack| matches(attack))
    }
}
