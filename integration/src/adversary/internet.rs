//! The simulated outside: name servers with caches, policy hosts, and the attacker between them and us.
//!
//! What is true comes from the plan, at the time at which it is asked. Every delay and every draw of
//! the attacker's dice is a function of the plan's seed and of the question, so that taking one attack
//! out of a plan leaves the others as they were.

use std::collections::{HashMap, VecDeque};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use hoplock::adapters::dns::{Datagrams, Transport};
use hoplock::world::Waiting;
use hoplock_model::{Answer, Data, Name, Type, World};
use tokio::time::sleep;

use super::attacker::attackers;
use super::life::Life;
use super::plan::{Attack, Kind, Millis, NameServer, Plan, Target};
use super::site::Ttls;
use super::wire::{Flags, NOERROR, NXDOMAIN, Query, REFUSED, SERVFAIL};

/// The outside of one process.
pub(super) struct Internet {
    pub(super) plan: Arc<Plan>,
    pub(super) life: Arc<Life>,
    caches: Arc<Caches>,
}

/// What the name servers have in their caches; outlives the service's processes.
#[derive(Default)]
pub(super) struct Caches {
    known: Mutex<HashMap<(usize, Name, Type), Known>>,
    asked: Mutex<HashMap<(Name, u16), u64>>,
    /// MX sets of the first server: the domain, since when, and until when.
    kept: Mutex<Vec<(Name, Millis, Millis)>>,
}

impl Caches {
    /// Every MX set that the first server kept, for what Postfix sees through it.
    pub(super) fn take_kept(&self) -> Vec<(Name, Millis, Millis)> {
        std::mem::take(&mut *lock(&self.kept))
    }
}

#[derive(Clone)]
struct Known {
    since: Millis,
    ttl: u32,
    ttls: Ttls,
    answer: Answer,
}

/// What comes back: after how long, and what.
type Replies = VecDeque<(Duration, Vec<u8>)>;

impl Internet {
    pub(super) fn new(plan: Arc<Plan>, life: Arc<Life>, caches: Arc<Caches>) -> Arc<Self> {
        Arc::new(Self { plan, life, caches })
    }

    /// Nothing comes back where the queue ends.
    fn replies(&self, server: SocketAddr, bytes: &[u8], stream: bool) -> io::Result<Replies> {
        let Some(query) = Query::read(bytes) else {
            return Ok(Replies::new());
        };
        let now = self.life.now();
        let number = server_number(server);
        let nth = self.count(&query);
        let latency = Duration::from_millis(1 + self.dice((&query.name, query.number, nth)) % 40);
        let attack = self.plan.attack(now, |attack| {
            self.hits(attack, &query, number, nth) && attack.kind.is_dns()
        });
        let honest = |now| (latency, self.honest(&query, number, now));
        let alone = |reply| Replies::from([(latency, reply)]);
        let Some(attack) = attack else {
            return Ok(Replies::from([honest(now)]));
        };
        Ok(match attack.kind {
            Kind::Drop => Replies::new(),
            Kind::Delay(by) => {
                let (latency, reply) = honest(now);
                Replies::from([(latency + Duration::from_millis(by), reply)])
            }
            Kind::ServFail => alone(query.bare(SERVFAIL, Flags::default())),
            Kind::Refused => alone(query.bare(REFUSED, Flags::default())),
            Kind::Truncate(works) if stream => {
                if !works {
                    return Err(io::Error::from(io::ErrorKind::ConnectionReset));
                }
                Replies::from([honest(now)])
            }
            Kind::Truncate(_) => {
                let truncated = Flags {
                    truncated: true,
                    ..Flags::default()
                };
                alone(query.bare(NOERROR, truncated))
            }
            Kind::NxDomain | Kind::NoData | Kind::ForgeMx | Kind::ForgeAddress => {
                alone(self.forged(&query, number, attack.kind, now))
            }
            Kind::Stale(ago) => Replies::from([honest(now.saturating_sub(ago))]),
            Kind::Garbage => alone(vec![0x17; 9]),
            Kind::ForeignFirst => {
                let foreign = (Duration::from_millis(1), query.foreign());
                Replies::from([foreign.clone(), foreign, honest(now)])
            }
            Kind::Reset
            | Kind::Redirect
            | Kind::WrongCertificate
            | Kind::Slow(_)
            | Kind::ProbeLost
            | Kind::ProbeLate(_)
            | Kind::ProbeMet(_) => Replies::from([honest(now)]),
        })
    }

    /// What an honest server says. It keeps answers for their TTL.
    fn honest(&self, query: &Query, number: usize, now: Millis) -> Vec<u8> {
        let validates = self.validates(number, now);
        let Some(record_type) = query.record_type() else {
            return query.soa(validates);
        };
        let Some(site) = site_of(&query.name) else {
            return query.answer(&attackers(&query.name, record_type), HOUR, 0, validates);
        };
        let key = (number, query.name.clone(), record_type);
        let real = self.life.now();
        let mut known = lock(&self.caches.known);
        if now == real
            && let Some(known) = known.get(&key)
            && now < known.since + u64::from(known.ttl) * 1000
        {
            let age = u32::try_from((now - known.since) / 1000).unwrap_or(u32::MAX);
            let authentic = validates && is_secure(&known.answer);
            return query.answer(&known.answer, known.ttls, age, authentic);
        }
        let Some(site) = self.plan.site(site, now) else {
            return query.bare(NXDOMAIN, Flags::default());
        };
        let answer = site.published().lookup(&query.name, record_type);
        let bogus = matches!(answer, Answer::Failed) && validates;
        if bogus {
            let flags = Flags {
                bogus: self.dice(&query.name).is_multiple_of(2),
                ..Flags::default()
            };
            return query.bare(SERVFAIL, flags);
        }
        let authentic = validates && is_secure(&answer);
        let bytes = query.answer(&answer, site.ttls, 0, authentic);
        if now == real {
            let ttl = life_of(&answer, record_type, site.ttls);
            let ttls = site.ttls;
            let since = now;
            if number == 0 && record_type == Type::Mx {
                let until = now + u64::from(ttl) * 1000;
                lock(&self.caches.kept).push((query.name.clone(), now, until));
            }
            known.insert(
                key,
                Known {
                    since,
                    ttl,
                    ttls,
                    answer,
                },
            );
        }
        bytes
    }

    /// What the attacker says. He cannot sign: a validator finds him out where the name is signed.
    fn forged(&self, query: &Query, number: usize, kind: Kind, now: Millis) -> Vec<u8> {
        let kind_of_server = self.plan.servers.get(number);
        let signed = self.is_signed(&query.name, now);
        let forges = match (kind, query.record_type()) {
            (Kind::ForgeAddress, own) => matches!(own, Some(Type::A | Type::Aaaa)),
            _ => true,
        };
        let is_found_out = forges && signed && self.validates(number, now);
        if kind_of_server == Some(&NameServer::Validating) && is_found_out {
            let flags = Flags {
                bogus: true,
                ..Flags::default()
            };
            return query.bare(SERVFAIL, flags);
        }
        // Before a server elsewhere he sets AD as he likes (RFC 4035, 4.9.3).
        let authentic = kind_of_server == Some(&NameServer::Remote);
        let secure = authentic;
        let aliases = Vec::new();
        let is_mx = query.record_type() == Some(Type::Mx);
        let answer = match kind {
            Kind::ForgeMx if is_mx => Answer::Records {
                secure,
                data: vec![Data::Mx(1, ATTACKER.to_owned())],
                aliases,
            },
            Kind::ForgeAddress if query.record_type() == Some(Type::A) => Answer::Records {
                secure,
                data: vec![Data::A],
                aliases,
            },
            Kind::ForgeMx | Kind::ForgeAddress => return self.honest(query, number, now),
            Kind::NoData => Answer::NoData { secure, aliases },
            _ => Answer::NxDomain { secure, aliases },
        };
        let ttls = site_of(&query.name).and_then(|site| self.plan.site(site, now));
        query.answer(&answer, ttls.map_or(HOUR, |site| site.ttls), 0, authentic)
    }

    fn is_signed(&self, name: &str, now: Millis) -> bool {
        let site = site_of(name).and_then(|site| self.plan.site(site, now));
        site.is_none_or(|site| is_in_signed_zone(&site.published(), name))
    }

    fn validates(&self, number: usize, now: Millis) -> bool {
        let blind = self.plan.blind_from.is_some_and(|from| now >= from);
        let server = self.plan.servers.get(number).copied();
        !blind && server.is_some_and(|server| server != NameServer::Plain)
    }

    fn hits(&self, attack: &Attack, query: &Query, number: usize, nth: u64) -> bool {
        let target = match attack.target {
            Target::All => query.name != SELF_TEST,
            Target::Site(site) => site_of(&query.name) == Some(site),
            Target::SelfTest => query.name == SELF_TEST,
            Target::NameServer(own) => own == number,
        };
        let record_type = query.record_type();
        let typed = attack.types.is_empty()
            || record_type.is_some_and(|own| attack.types.contains(&own))
            || attack.target == Target::SelfTest;
        let drawn = self.dice((&query.name, query.number, nth, attack.from)) % 100;
        target && typed && drawn < u64::from(attack.share)
    }

    fn count(&self, query: &Query) -> u64 {
        let mut asked = lock(&self.caches.asked);
        let count = asked.entry((query.name.clone(), query.number)).or_default();
        *count += 1;
        *count
    }

    fn dice(&self, of: impl Hash) -> u64 {
        let mut hasher = DefaultHasher::new();
        (self.plan.seed, of).hash(&mut hasher);
        hasher.finish()
    }
}

impl Transport for Internet {
    fn datagram(
        &self,
        server: SocketAddr,
        bytes: Vec<u8>,
    ) -> Waiting<'_, io::Result<Box<dyn Datagrams>>> {
        Box::pin(async move {
            self.life.step().await;
            let replies = self.replies(server, &bytes, false)?;
            let life = Arc::clone(&self.life);
            Ok(Box::new(Port { replies, life }) as Box<dyn Datagrams>)
        })
    }

    fn stream(&self, server: SocketAddr, bytes: Vec<u8>) -> Waiting<'_, io::Result<Vec<u8>>> {
        Box::pin(async move {
            self.life.step().await;
            let mut replies = self.replies(server, &bytes, true)?;
            next(&mut replies, &self.life).await
        })
    }
}

struct Port {
    replies: Replies,
    life: Arc<Life>,
}

impl Datagrams for Port {
    fn next(&mut self) -> Waiting<'_, io::Result<Vec<u8>>> {
        Box::pin(next(&mut self.replies, &self.life))
    }
}

async fn next(replies: &mut Replies, life: &Life) -> io::Result<Vec<u8>> {
    let Some((after, bytes)) = replies.pop_front() else {
        return std::future::pending().await;
    };
    sleep(after).await;
    life.step().await;
    Ok(bytes)
}

/// How long a resolver keeps this answer.
fn life_of(answer: &Answer, record_type: Type, ttls: Ttls) -> u32 {
    let own = match (answer, record_type) {
        (Answer::NoData { .. } | Answer::NxDomain { .. }, _) => ttls.negative,
        (_, Type::Mx) => ttls.mx,
        (_, Type::Tlsa) => ttls.tlsa,
        (_, Type::Txt) => ttls.txt,
        _ => ttls.address,
    };
    match answer {
        Answer::Records { aliases, .. }
        | Answer::NoData { aliases, .. }
        | Answer::NxDomain { aliases, .. }
            if !aliases.is_empty() =>
        {
            own.min(ttls.address)
        }
        _ => own,
    }
}

pub(super) fn is_secure(answer: &Answer) -> bool {
    match answer {
        Answer::Records { secure, .. }
        | Answer::NoData { secure, .. }
        | Answer::NxDomain { secure, .. } => *secure,
        Answer::Failed => false,
    }
}

/// True where the zone that the name belongs to is signed, whatever its aliases lead to.
pub(super) fn is_in_signed_zone(world: &World, name: &str) -> bool {
    let is_below = |apex: &str| name == apex || name.ends_with(&format!(".{apex}"));
    let zones = world.zones.iter().filter(|zone| is_below(&zone.apex));
    let zone = zones.max_by_key(|zone| zone.apex.len());
    zone.is_none_or(|zone| zone.signing != hoplock_model::Signing::Unsigned)
}

/// The site that a name belongs to: the number in its last label but one.
pub(super) fn site_of(name: &str) -> Option<usize> {
    let mut labels = name.rsplit('.');
    if labels.next() != Some("test") {
        return None;
    }
    let label = labels.next()?;
    label.trim_start_matches(['d', 'h', 'a']).parse().ok()
}

fn server_number(server: SocketAddr) -> usize {
    usize::from(server.port()).saturating_sub(FIRST_PORT)
}

/// Where the service finds its name servers.
pub(super) fn addresses(plan: &Plan) -> Vec<SocketAddr> {
    let address = |(number, server): (usize, &NameServer)| {
        let port = u16::try_from(FIRST_PORT + number).unwrap_or(u16::MAX);
        let ip = match server {
            NameServer::Remote => [192, 0, 2, 1],
            NameServer::Validating | NameServer::Plain => [127, 0, 0, 1],
        };
        SocketAddr::from((ip, port))
    };
    plan.servers.iter().enumerate().map(address).collect()
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The name of the self-test.
pub(super) const SELF_TEST: &str = "com";
/// The attacker's mail host.
pub(super) const ATTACKER: &str = "mx.evil.test";
/// The number of its key.
pub(super) const ATTACKERS_KEY: u8 = 66;
const HOUR: Ttls = Ttls {
    mx: 3600,
    address: 3600,
    tlsa: 3600,
    txt: 3600,
    negative: 3600,
};
const FIRST_PORT: usize = 5300;
