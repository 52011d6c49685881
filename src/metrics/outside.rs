//! How long the outside takes: a resolver and a fetcher of policies that count it, around the real ones.

use std::sync::Arc;
use std::time::Duration;

use hoplock_policy::dns::{Answer, FailureKind, Question, RecordType, Reply};
use hoplock_policy::findings::Validation;
use hoplock_policy::name::PolicyDomain;
use hoplock_policy::sts::{PolicyResponseFault, read_response};

use super::register::Register;
use super::tables::Durations;
use crate::adapters::clock::Stopwatch;
use crate::world::{
    FetchFailure, FetchFailureKind, NameServer, PolicyFetcher, PolicyResponse, Resolver, Waiting,
};

/// Times of lookups by record type and how they ended, and of fetches by how they ended.
#[derive(Debug)]
pub struct Outside {
    lookups: Durations,
    fetches: Durations,
}

impl Default for Outside {
    fn default() -> Self {
        let lookups = TYPES.iter().flat_map(|(_, record_type)| {
            lookup_ends().map(move |end| vec![("type", *record_type), ("end", end)])
        });
        let fetches = fetch_ends().map(|end| vec![("end", end)]);
        Self {
            lookups: Durations::new(lookups),
            fetches: Durations::new(fetches),
        }
    }
}

impl Outside {
    pub(super) fn register(&self, register: &mut Register) {
        register.durations(
            "dns_lookup",
            "Lookups by record type and how they ended, the resolver's self-test left out",
            self.lookups.clone(),
        );
        register.durations(
            "policy_fetch",
            "Fetches of MTA-STS policies over HTTPS by how they ended",
            self.fetches.clone(),
        );
    }

    /// `resolver`, with each of its lookups counted.
    #[must_use]
    pub fn around_resolver(self: &Arc<Self>, resolver: Arc<dyn Resolver>) -> Arc<dyn Resolver> {
        Arc::new(Timed {
            inner: resolver,
            outside: Arc::clone(self),
        })
    }

    /// `fetcher`, with each of its fetches counted.
    #[must_use]
    pub fn around_fetcher(
        self: &Arc<Self>,
        fetcher: Arc<dyn PolicyFetcher>,
    ) -> Arc<dyn PolicyFetcher> {
        Arc::new(Timed {
            inner: fetcher,
            outside: Arc::clone(self),
        })
    }

    pub(super) fn looked_up(&self, record_type: RecordType, answer: &Answer, took: Duration) {
        let end = lookup_end(answer);
        let row = TYPES.iter().position(|(own, _)| *own == record_type);
        let column = lookup_ends().position(|own| own == end);
        if let (Some(row), Some(column)) = (row, column) {
            let place = row * lookup_ends().count() + column;
            self.lookups.observe(place, took);
        }
    }

    pub(super) fn fetched(&self, outcome: &Result<PolicyResponse, FetchFailure>, took: Duration) {
        let end = fetch_end(outcome);
        if let Some(place) = fetch_ends().position(|own| own == end) {
            self.fetches.observe(place, took);
        }
    }
}

/// Something of the outside, and where its times are counted.
struct Timed<T: ?Sized> {
    outside: Arc<Outside>,
    inner: Arc<T>,
}

impl Resolver for Timed<dyn Resolver> {
    fn lookup(&self, question: Question) -> Waiting<'_, Reply> {
        Box::pin(async move {
            let reply = self.inner.lookup(question).await;
            let record_type = reply.question.record_type;
            self.outside
                .looked_up(record_type, &reply.answer, reply.took);
            reply
        })
    }

    fn validation(&self) -> Validation {
        self.inner.validation()
    }

    fn test(&self) -> Waiting<'_, Validation> {
        self.inner.test()
    }

    fn is_believed(&self) -> bool {
        self.inner.is_believed()
    }

    fn servers(&self) -> Vec<NameServer> {
        self.inner.servers()
    }
}

impl PolicyFetcher for Timed<dyn PolicyFetcher> {
    fn fetch(&self, domain: PolicyDomain) -> Waiting<'_, Result<PolicyResponse, FetchFailure>> {
        Box::pin(async move {
            let stopwatch = Stopwatch::start();
            let outcome = self.inner.fetch(domain).await;
            self.outside.fetched(&outcome, stopwatch.elapsed());
            outcome
        })
    }
}

/// Every way a lookup may end.
fn lookup_ends() -> impl Iterator<Item = &'static str> {
    let failed = FailureKind::ALL.into_iter().map(FailureKind::word);
    [RECORDS, NO_DATA, NO_NAME].into_iter().chain(failed)
}

/// Every way a fetch may end.
fn fetch_ends() -> impl Iterator<Item = &'static str> {
    let failed = FetchFailureKind::ALL
        .into_iter()
        .map(FetchFailureKind::word);
    [POLICY, NO_POLICY, INVALID].into_iter().chain(failed)
}

pub(super) fn lookup_end(answer: &Answer) -> &'static str {
    match answer {
        Answer::Records { .. } => RECORDS,
        Answer::NoData(_) => NO_DATA,
        Answer::NxDomain(_) => NO_NAME,
        Answer::Failed(failure) => failure.kind.word(),
    }
}

fn fetch_end(outcome: &Result<PolicyResponse, FetchFailure>) -> &'static str {
    let response = match outcome {
        Ok(response) => response,
        Err(failure) => return failure.kind.word(),
    };
    let media_type = response.media_type.as_deref();
    match read_response(response.status, media_type, &response.body) {
        Ok(_) => POLICY,
        Err(PolicyResponseFault::TooLong) => FetchFailureKind::TooLarge.word(),
        Err(PolicyResponseFault::Malformed(_)) => INVALID,
        Err(PolicyResponseFault::Status(_) | PolicyResponseFault::MediaType(_)) => NO_POLICY,
    }
}

const RECORDS: &str = "records";
const NO_DATA: &str = "no-data";
const NO_NAME: &str = "no-name";
const POLICY: &str = "policy";
const NO_POLICY: &str = "no-policy";
const INVALID: &str = "policy-invalid";

const TYPES: [(RecordType, &str); 8] = [
    (RecordType::A, "A"),
    (RecordType::Aaaa, "AAAA"),
    (RecordType::Cname, "CNAME"),
    (RecordType::Mx, "MX"),
    (RecordType::Soa, "SOA"),
    (RecordType::Srv, "SRV"),
    (RecordType::Tlsa, "TLSA"),
    (RecordType::Txt, "TXT"),
];
