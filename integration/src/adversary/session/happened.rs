//! Who really stood at the other end of a session, by the plan alone.

use std::collections::HashMap;

use hoplock_model::{Name, covers};

use super::super::internet::{ATTACKER, ATTACKERS_KEY};
use super::super::plan::{Event, Millis, Plan};
use super::super::site::{Addresses, MailHost, Server};
use super::certificates::{Leaf, Vouching};
use super::{Contact, Peer, Resumes, Shows, Starttls, Strength};

/// What really happened in a session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Happened {
    /// When.
    pub at: Millis,
    /// The host that the mail server took, by the name in the MX record.
    pub host: Name,
    /// The name that this is an alias of.
    pub alias: Option<Name>,
    /// What became of STARTTLS.
    pub starttls: Starttls,
    /// What the session was worth.
    pub strength: Strength,
    /// Who stood at the other end; nobody knows where nobody was authenticated.
    pub end: Option<End>,
    /// It resumed another one.
    pub resumed: bool,
    /// The plan's event of the full handshake that all this comes from.
    pub handshake: usize,
    /// Nobody touched it.
    pub untouched: bool,
}

/// Who stood at the other end of a session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct End {
    /// The number of the key that it proved to have.
    pub key: u8,
    /// The certificate; none where a bare key was shown.
    pub certificate: Option<Certificate>,
    /// Certificates of somebody else that stood behind it.
    pub(crate) padding: Option<Leaf>,
}

/// A certificate, as its issuer knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Certificate {
    /// Itself.
    pub(crate) leaf: Leaf,
}

impl Certificate {
    /// The authority of all vouches for it, today, under this name.
    #[must_use]
    pub fn is_trusted(&self) -> bool {
        matches!(self.leaf.issuer, Vouching::Public(_)) && !self.leaf.expired
    }

    /// The names that it is for.
    #[must_use]
    pub fn names(&self) -> &[Name] {
        &self.leaf.names
    }

    /// The number of the issuer that really signed it.
    #[must_use]
    pub fn issuer(&self) -> Option<u8> {
        match self.leaf.issuer {
            Vouching::Public(number) | Vouching::Private(number) => Some(number),
            Vouching::Impostor(_) => None,
        }
    }
}

impl Happened {
    /// What each event of the plan stands for, where it is a session that could happen.
    #[must_use]
    pub fn all(plan: &Plan) -> Vec<Option<Self>> {
        let mut all: Vec<Option<Self>> = (0..plan.events.len()).map(|_| None).collect();
        let mut fresh: Vec<(usize, &Contact, Self)> = Vec::new();
        for (event, (planned, what)) in plan.events.iter().enumerate() {
            if let Event::Session(contact) = what {
                let at = planned.saturating_sub(contact.ago);
                fresh.extend(
                    Self::fresh(plan, event, at, contact).map(|own| (event, &**contact, own)),
                );
            }
        }
        fresh.sort_by_key(|(event, _, own)| (own.at, *event));
        // The mail server keeps the last ticket of every host and port.
        let mut tickets: HashMap<(Name, u16), Self> = HashMap::new();
        for (event, contact, own) in fresh {
            let original = own.resumed(plan, contact, &tickets).cloned();
            let happened = match original {
                Some(original) => Self {
                    end: original.end,
                    resumed: true,
                    handshake: original.handshake,
                    untouched: own.untouched
                        && original.untouched
                        && contact.resumes == Resumes::Last,
                    ..own
                },
                None => own,
            };
            if !happened.resumed && happened.end.is_some() {
                let host = (happened.host.clone(), contact.key.port());
                tickets.insert(host, happened.clone());
            }
            all[event] = Some(happened);
        }
        all
    }

    /// Who stood at the other end, where a session can tell at all (RFC 7672, 8.2; RFC 8996; SV-09, RQ-01).
    pub(super) fn end(&self) -> Option<&End> {
        let tells = self.starttls == Starttls::Untouched && self.strength == Strength::Modern;
        self.end.as_ref().filter(|_| tells)
    }

    /// These patterns name the host, and the authority of all vouches for it (RFC 8461, 4.1 and 4.2).
    pub(in super::super) fn is_vouched_for(&self, patterns: &[Name]) -> bool {
        let is_named = patterns.iter().any(|pattern| covers(pattern, &self.host));
        is_named && self.is_trusted_for(|name| *name == self.host)
    }

    /// The authority of all vouches for this next hop, or for something below it (PD-16).
    pub(in super::super) fn has_name_of(&self, next_hop: &str) -> bool {
        let name = next_hop.split(':').next().unwrap_or_default();
        let name = name.trim_matches(['[', ']']);
        let below = format!(".{name}");
        self.is_trusted_for(|own| own == name || own.ends_with(&below))
    }

    fn is_trusted_for(&self, wanted: impl Fn(&Name) -> bool) -> bool {
        let certificate = self.end().and_then(|end| end.certificate.as_ref());
        certificate.is_some_and(|own| own.is_trusted() && own.names().iter().any(wanted))
    }

    /// True where the session hides what is said in it.
    #[must_use]
    pub fn is_encrypted(&self) -> bool {
        self.starttls == Starttls::Untouched && self.strength != Strength::Null
    }

    /// A session as if it resumed none.
    fn fresh(plan: &Plan, event: usize, at: Millis, contact: &Contact) -> Option<Self> {
        let (name, host) = taken(plan, contact, at)?;
        let server = host.map_or(ATTACKERS, |host| host.server);
        let is_itself = matches!(contact.shows, Shows::Own | Shows::Expired);
        let offered = server.tls || !is_itself;
        let starttls = match contact.starttls {
            Starttls::Untouched if !offered => Starttls::Stripped,
            own => own,
        };
        let is_own = contact.shows == Shows::Own && host.is_some();
        let untouched = is_own
            && contact.starttls == Starttls::Untouched
            && contact.strength == Strength::Modern
            && matches!(contact.peer, Peer::Own(_));
        let end = End::of(plan, contact, host, at);
        let is_known = starttls == Starttls::Untouched && contact.strength != Strength::Anonymous;
        Some(Self {
            at,
            host: name,
            alias: host.and_then(|host| host.alias.clone()),
            starttls,
            strength: contact.strength,
            end: end.filter(|_| is_known),
            resumed: false,
            handshake: event,
            untouched,
        })
    }

    /// The session that this one resumes.
    fn resumed<'a>(
        &self,
        plan: &Plan,
        contact: &Contact,
        tickets: &'a HashMap<(Name, u16), Self>,
    ) -> Option<&'a Self> {
        let port = contact.key.port();
        let same = tickets.get(&(self.host.clone(), port));
        let same = same.filter(|_| self.end.is_some());
        match contact.resumes {
            Resumes::Nothing => None,
            Resumes::Last => same,
            Resumes::Another(_) if same.is_some() || self.end.is_none() => None,
            Resumes::Another(place) => {
                let site = plan.site(contact.key.site(), self.at)?;
                tickets.get(&(site.hosts.get(place)?.name.clone(), port))
            }
        }
    }
}

impl End {
    /// Who answers.
    fn of(plan: &Plan, contact: &Contact, host: Option<&MailHost>, at: Millis) -> Option<Self> {
        let own = host.map_or_else(attackers, own);
        let impostor = |key| Leaf {
            key,
            issuer: Vouching::Impostor(own.key),
            expired: false,
            ..own.clone()
        };
        let mut padding = None;
        let leaf = match contact.shows {
            Shows::Own => own,
            Shows::Expired => Leaf {
                expired: true,
                ..own
            },
            Shows::Attackers => attackers(),
            Shows::Misissued => Leaf {
                key: ATTACKERS_KEY,
                issuer: Vouching::Public(ATTACKERS_KEY),
                ..own
            },
            Shows::Impostor => impostor(ATTACKERS_KEY),
            Shows::Padded => {
                padding = Some(own.clone());
                impostor(ATTACKERS_KEY)
            }
            Shows::OtherKey => impostor(other_key(plan, contact, own.key).unwrap_or(ATTACKERS_KEY)),
            Shows::Host(site, place) => {
                let site = plan.site(site, at)?;
                site.hosts.get(place).map(self::own)?
            }
        };
        Some(Self {
            key: leaf.key,
            certificate: (!contact.bare).then_some(Certificate { leaf }),
            padding: padding.filter(|_| !contact.bare),
        })
    }
}

/// What a host itself shows.
pub(crate) fn own(host: &MailHost) -> Leaf {
    let key = host.server.key;
    let mut names = vec![host.name.clone()];
    names.extend(host.alias.clone());
    if host.server.own_names {
        // Its names tell whose it is: `m0.d7.test`, `m0.h7.test`.
        let number = super::super::internet::site_of(&host.name);
        names.extend(number.map(|number| format!("d{number}.test")));
        names.dedup();
    }
    Leaf {
        key,
        issuer: host.server.issuer(key),
        names,
        expired: false,
    }
}

pub(crate) fn attackers() -> Leaf {
    Leaf {
        key: ATTACKERS_KEY,
        issuer: Vouching::Public(ATTACKERS_KEY),
        names: vec![ATTACKER.to_owned()],
        expired: false,
    }
}

/// A key that the host has at another time.
fn other_key(plan: &Plan, contact: &Contact, own: u8) -> Option<u8> {
    let (site, place) = match contact.peer {
        Peer::Own(place) => (contact.key.site(), place),
        Peer::Of(site, place) => (site, place),
        Peer::Attacker => return None,
    };
    let versions = plan.sites.get(site)?;
    let mut keys = versions
        .iter()
        .filter_map(|(_, site)| site.hosts.get(place))
        .map(|host| host.server.key);
    keys.find(|key| *key != own)
}

/// The host that the mail server took, where it can be reached at all.
fn taken<'a>(
    plan: &'a Plan,
    contact: &Contact,
    at: Millis,
) -> Option<(Name, Option<&'a MailHost>)> {
    let (site, place) = match contact.peer {
        Peer::Own(place) => (contact.key.site(), place),
        Peer::Of(site, place) => (site, place),
        Peer::Attacker => return Some((ATTACKER.to_owned(), None)),
    };
    let host = plan.site(site, at)?.hosts.get(place)?;
    (host.addresses != Addresses::None).then(|| (host.name.clone(), Some(host)))
}

/// The attacker's own host.
const ATTACKERS: Server = Server {
    tls: true,
    key: ATTACKERS_KEY,
    web_pki: true,
    own_names: false,
};
