//! What Postfix sees and does: its own lookups, by a resolver that validates, under the attacks that
//! hit everyone; and what comes of a session.

use hoplock_model::postfix::{Reply, Seen, outcome};
use hoplock_model::{Data, Outcome, Record, Selection, State, Type, World};

use super::internet::{ATTACKER, ATTACKERS_KEY, is_in_signed_zone};
use super::plan::{Kind, Millis, NameServer, Plan, Target, Victim};
use super::session::certificates::{issuer_digest, key_digest};
use super::site::{Server, Site};

/// One host as Postfix sees it.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Seeing {
    pub(super) name: String,
    pub(super) preference: u16,
    pub(super) mx_secure: bool,
    pub(super) state: State,
}

/// What stands in the DNS for Postfix: what is published, and what the attacker makes of it.
pub(super) fn as_attacked(plan: &Plan, site: &Site, at: Millis) -> World {
    let mut world = site.published();
    // Signatures protect whoever asks a validator over a path of his own. A Postfix without one is
    // told `fingerprint` or to wait wherever a session must be authenticated (PD-11).
    let forges_signed = plan.servers.contains(&NameServer::Remote);
    for attack in &plan.attacks {
        let under_way = attack.from <= at && at < attack.until;
        let target = match attack.target {
            Target::Site(number) => number == site.number,
            Target::All => true,
            Target::SelfTest | Target::NameServer(_) => false,
        };
        if !under_way || !target || attack.victim != Victim::Everyone || !attack.kind.is_dns() {
            continue;
        }
        let types: &[Type] = if attack.types.is_empty() {
            &ALL
        } else {
            &attack.types
        };
        // What is asked for an alias alone changes nothing of what lies behind it.
        for record_type in types.iter().filter(|own| **own != Type::Cname) {
            attacked(&mut world, site, attack.kind, *record_type, forges_signed);
        }
    }
    world
}

fn attacked(world: &mut World, site: &Site, kind: Kind, record_type: Type, forges_signed: bool) {
    let mut owners: Vec<String> = world
        .records
        .iter()
        .map(|record| record.owner.clone())
        .collect();
    owners.push(site.domain_name());
    owners.sort();
    owners.dedup();
    for owner in owners {
        let signed = is_in_signed_zone(world, &owner) && !forges_signed;
        let forges = matches!(kind, Kind::NxDomain | Kind::NoData | Kind::ForgeMx);
        let fails = match kind {
            Kind::Drop | Kind::ServFail | Kind::Refused | Kind::Garbage => true,
            Kind::Truncate(works) => !works,
            Kind::NxDomain | Kind::NoData => signed,
            Kind::ForgeMx => signed && record_type == Type::Mx,
            _ => false,
        };
        let is_hit = |record: &Record| record.owner == owner && is_type(&record.data, record_type);
        if fails {
            world.records.retain(|record| !is_hit(record));
            world.records.push(Record {
                owner,
                data: Data::Fails(record_type),
            });
        } else if forges && kind != Kind::ForgeMx {
            world.records.retain(|record| !is_hit(record));
        } else if forges && record_type == Type::Mx && owner == site.domain_name() {
            world.records.retain(|record| !is_hit(record));
            world.records.push(Record {
                owner,
                data: Data::Mx(1, ATTACKER.to_owned()),
            });
        }
    }
}

fn is_type(data: &Data, record_type: Type) -> bool {
    match data {
        Data::A => record_type == Type::A,
        Data::Aaaa => record_type == Type::Aaaa,
        // An alias stands for every type.
        Data::Cname(_) => record_type == Type::Cname,
        Data::Mx(..) => record_type == Type::Mx,
        Data::Tlsa(_) => record_type == Type::Tlsa,
        Data::Txt(_) => record_type == Type::Txt,
        Data::Fails(own) => *own == record_type,
    }
}

/// The hosts that Postfix would try.
pub(super) fn seen(truth: &hoplock_model::Truth) -> Vec<Seeing> {
    let mx_secure = matches!(truth.selection, Selection::Hosts { secure: true });
    let seen = truth.hosts.iter().map(|host| {
        let is_attackers = host.name == ATTACKER;
        Seeing {
            name: host.name.clone(),
            preference: host.preference,
            mx_secure,
            state: if is_attackers {
                State::Usable(vec![(3, 1, 1, key_digest(ATTACKERS_KEY).to_vec())])
            } else {
                host.state.clone()
            },
        }
    });
    seen.collect()
}

/// What Postfix demands of a session with this host.
pub(super) fn demanded(plan: &Plan, reply: &Reply, seeing: &Seeing) -> Outcome {
    let seen = Seen {
        name: &seeing.name,
        mx_secure: seeing.mx_secure,
        state: seeing.state.clone(),
    };
    outcome(reply, plan.floor, &seen)
}

/// True where the host's server keeps what is demanded, so that mail goes out.
pub(super) fn delivers(outcome: Outcome, seeing: &Seeing, server: Server) -> bool {
    match outcome {
        Outcome::Skip => false,
        Outcome::Clear => true,
        Outcome::Encrypt => server.tls,
        Outcome::OwnNames => server.tls && server.own_names,
        Outcome::WebPki => server.tls && server.web_pki,
        Outcome::Dane => {
            let State::Usable(records) = &seeing.state else {
                return false;
            };
            let names = |(usage, _, _, data): &(u8, u8, u8, Vec<u8>)| match usage {
                2 => data[..] == issuer_digest(server.key),
                _ => data[..] == key_digest(server.key),
            };
            server.tls && records.iter().any(names)
        }
    }
}

const ALL: [Type; 5] = [Type::A, Type::Aaaa, Type::Mx, Type::Tlsa, Type::Txt];
