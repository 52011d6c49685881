//! How the scripted world resolves: aliases followed, the status being that of the whole chain.

use std::time::Duration;

use hoplock_policy::dns::{
    Answer, FailureKind, Message, Question, Record, RecordData, RecordType, SecurityStatus, follow,
};
use hoplock_policy::name::DomainName;

use super::{Scripted, Silence, State};

impl State {
    /// Follows aliases as a resolver does, the status being that of the whole chain.
    pub(super) fn resolve(&self, question: &Question) -> Result<Answer, Silence> {
        let mut records = Vec::new();
        let mut status = SecurityStatus::Secure;
        let mut name = question.name.clone();
        for _ in 0..LONGEST_CHAIN {
            match self.dns.get(&(name.clone(), question.record_type)) {
                Some(Scripted::Records(own, ttl, data)) => {
                    records.extend(data.iter().map(|data| record(&name, *ttl, data.clone())));
                    return Ok(message(question, status.and(*own), false, records, None));
                }
                Some(Scripted::NoData(own, ttl)) => {
                    return Ok(message(
                        question,
                        status.and(*own),
                        false,
                        records,
                        Some(*ttl),
                    ));
                }
                Some(Scripted::NxDomain(own, ttl)) => {
                    return Ok(message(
                        question,
                        status.and(*own),
                        true,
                        records,
                        Some(*ttl),
                    ));
                }
                Some(Scripted::Fails(kind)) => {
                    return Ok(Answer::failed(*kind, format!("{kind:?}, says the script")));
                }
                Some(Scripted::Hangs) => return Err(Silence::Hangs),
                Some(Scripted::Panics) => return Err(Silence::Panics),
                None => {}
            }
            match self.alias(&name) {
                Some(Ok((own, ttl, target))) => {
                    status = status.and(own);
                    records.push(record(&name, ttl, RecordData::Cname(target.clone())));
                    name = target;
                }
                Some(Err(kind)) => {
                    return Ok(Answer::failed(kind, format!("{kind:?}, says the script")));
                }
                None => {
                    let (own, negative) = self.unwritten(&name);
                    let name_error = !self.exists(&name);
                    let status = status.and(own);
                    return Ok(message(
                        question,
                        status,
                        name_error,
                        records,
                        Some(negative),
                    ));
                }
            }
        }
        Ok(message(question, status, false, records, None))
    }

    fn alias(
        &self,
        name: &DomainName,
    ) -> Option<Result<(SecurityStatus, Duration, DomainName), FailureKind>> {
        match self.dns.get(&(name.clone(), RecordType::Cname)) {
            Some(Scripted::Records(status, ttl, data)) => match data.first() {
                Some(RecordData::Cname(target)) => Some(Ok((*status, *ttl, target.clone()))),
                _ => None,
            },
            Some(Scripted::Fails(kind)) => Some(Err(*kind)),
            _ => {
                let (from, to) = self
                    .delegations
                    .iter()
                    .find(|(from, _)| is_below(name, from))?;
                let front = name.as_str().strip_suffix(from.as_str())?;
                let target = DomainName::parse(&format!("{front}{to}")).ok()?;
                let (status, ttl) = self.unwritten(from);
                Some(Ok((status, ttl, target)))
            }
        }
    }

    fn exists(&self, name: &DomainName) -> bool {
        self.dns
            .keys()
            .any(|(own, _)| own == name || is_below(own, name))
    }

    fn unwritten(&self, name: &DomainName) -> (SecurityStatus, Duration) {
        let zone = self
            .zones
            .iter()
            .find(|zone| zone.name == *name || is_below(name, &zone.name));
        zone.map_or((SecurityStatus::Secure, NEGATIVE), |zone| {
            (zone.status, zone.negative)
        })
    }
}

fn message(
    question: &Question,
    status: SecurityStatus,
    name_error: bool,
    records: Vec<Record>,
    negative_ttl: Option<Duration>,
) -> Answer {
    follow(
        question,
        &Message {
            status,
            name_error,
            records,
            negative_ttl,
        },
    )
}

fn record(owner: &DomainName, ttl: Duration, data: RecordData) -> Record {
    Record {
        owner: owner.clone(),
        ttl,
        data,
    }
}

fn is_below(name: &DomainName, zone: &DomainName) -> bool {
    let front = name.as_str().strip_suffix(zone.as_str());
    front.is_some_and(|front| front.ends_with('.'))
}

/// TTL of denials where the script says nothing.
const NEGATIVE: Duration = Duration::from_secs(300);
/// Longer than any chain that is followed, so that the limit itself is met.
const LONGEST_CHAIN: usize = 40;
