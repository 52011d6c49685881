//! A bound on how many different things are counted of one domain on one day.
//!
//! Whoever runs a mail host can let it fail in ever new words, and its zone show ever new records: beyond
//! a number that no honest domain reaches, details are counted by their type alone and policies by their
//! kind, so that the counts stay right and the rows stay few.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::hash::{BuildHasher as _, RandomState};

use hoplock_policy::name::DomainName;
use hoplock_policy::tlsrpt::Day;

use crate::world::reports::tally::{Counter, Counts, TalliedFailure, TalliedPolicy};

/// What was seen today, and yesterday while sessions still come for it.
#[derive(Default)]
pub(super) struct Variety {
    days: BTreeMap<Day, HashMap<DomainName, Seen>>,
    hasher: RandomState,
}

/// What was seen of one domain.
#[derive(Default)]
struct Seen {
    counters: HashSet<u64>,
    octets: usize,
}

impl Variety {
    /// The same counts, in no more words than there is room for.
    pub(super) fn bounded(&mut self, day: Day, domain: &DomainName, counts: Counts) -> Counts {
        while self.days.len() > DAYS
            && self
                .days
                .first_key_value()
                .is_some_and(|(own, _)| *own < day)
        {
            self.days.pop_first();
        }
        let domains = self.days.entry(day).or_default();
        if domains.len() >= DOMAINS && !domains.contains_key(domain) {
            // As many domains as this in a day are no small site's, and each of them is small.
            domains.clear();
        }
        let seen = domains.entry(domain.clone()).or_default();
        let mut bounded = Counts::new();
        for (counter, count) in counts {
            let hash = self.hasher.hash_one(&counter);
            let counter = if seen.counters.contains(&hash) {
                Some(counter)
            } else {
                let octets = seen.octets.saturating_add(counter.key().len());
                if seen.counters.len() < MOST && octets <= MOST_OCTETS {
                    seen.counters.insert(hash);
                    seen.octets = octets;
                    Some(counter)
                } else {
                    general(counter)
                }
            };
            if let Some(counter) = counter {
                *bounded.entry(counter).or_default() += count;
            }
        }
        bounded
    }
}

/// The same without what can be chosen by others.
fn general(counter: Counter) -> Option<Counter> {
    let policy = |own: TalliedPolicy| TalliedPolicy {
        strings: Vec::new(),
        mx_hosts: Vec::new(),
        domain: String::new(),
        ..own
    };
    Some(match counter {
        Counter::Successful(own) => Counter::Successful(policy(own)),
        Counter::Failed(own) => Counter::Failed(policy(own)),
        Counter::Detail(own, failure) => {
            Counter::Detail(policy(own), TalliedFailure::of(failure.result))
        }
        // One of those known serves.
        Counter::Record(_) => return None,
    })
}

/// Different counters of a domain and a day: a domain with a dozen hosts that each fail in a dozen ways
/// has fewer.
const MOST: usize = 500;
/// Octets of all their texts: each repeats its policy, and policies may be long.
const MOST_OCTETS: usize = 256 * 1024;
/// Domains whose counters are told apart: some hundred bytes each.
const DOMAINS: usize = 200_000;
/// Days that sessions come for at once.
const DAYS: usize = 2;

#[cfg(test)]
mod tests {
    use hoplock_wire::tlsrpt::{PolicyType, ResultType};

    use super::*;

    /// RP-09: the counts stay right however many words a host invents.
    #[test]
    #[allow(clippy::unwrap_used, reason = "tests")]
    fn words_are_bounded_and_counts_are_not() {
        let mut variety = Variety::default();
        let (day, domain) = (Day::numbered(1), DomainName::parse("a.test").unwrap());
        let policy = TalliedPolicy {
            kind: PolicyType::NoPolicyFound,
            domain: "a.test".to_owned(),
            strings: Vec::new(),
            mx_hosts: Vec::new(),
        };
        let mut all = Counts::new();
        for number in 0..3_000 {
            let failure = TalliedFailure {
                helo: Some(format!("h{number}")),
                ..TalliedFailure::of(ResultType::CertificateExpired)
            };
            let counts = Counts::from([
                (Counter::Failed(policy.clone()), 1),
                (Counter::Detail(policy.clone(), failure), 1),
            ]);
            for (counter, count) in variety.bounded(day, &domain, counts) {
                *all.entry(counter).or_default() += count;
            }
        }
        assert_eq!(all[&Counter::Failed(policy)], 3_000);
        let details = all
            .iter()
            .filter(|(own, _)| matches!(own, Counter::Detail(..)));
        assert_eq!(details.map(|(_, count)| count).sum::<u64>(), 3_000);
        assert_eq!(all.len(), MOST + 1);
    }
}
