//! What is published for a host, and what the host serves.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use futures_util::future::join_all;
use hoplock_policy::dns::{
    Answer, LookupFailure, Question, RecordData, RecordType, SecurityStatus,
};
use hoplock_policy::findings::Validation;
use hoplock_policy::moment::Timestamp;
use hoplock_policy::name::DomainName;

use super::Place;
use crate::cli::check::probe::{ADDRESSES, prober};
use crate::config::Config;
use crate::serve::engine::{Engine, Memory};
use crate::world::probe::{Engine as TlsEngine, ProbeTarget, Probed};

/// All that was found out.
pub(super) struct Found {
    pub(super) records: Published,
    /// What the host is an alias of.
    pub(super) alias: Option<DomainName>,
    /// Why its addresses are not known, where that is so.
    pub(super) no_addresses: Option<LookupFailure>,
    pub(super) served: Vec<Probed>,
    pub(super) validation: Validation,
    pub(super) now: Timestamp,
}

/// What stands in the DNS.
pub(super) enum Published {
    /// RDATA of records.
    Records {
        status: SecurityStatus,
        ttl: Duration,
        rdata: Vec<Vec<u8>>,
    },
    /// None.
    None { status: SecurityStatus },
    /// Nobody knows.
    Failed(LookupFailure),
}

impl Found {
    /// The records that are published.
    pub(super) fn rdata(&self) -> &[Vec<u8>] {
        match &self.records {
            Published::Records { rdata, .. } => rdata,
            Published::None { .. } | Published::Failed(_) => &[],
        }
    }
}

/// Asks the DNS, and speaks to every address.
pub(super) async fn find(
    config: &Config,
    place: &Place,
    helo: Option<DomainName>,
) -> Result<Found, String> {
    let prober = prober(TlsEngine::Rustls, helo).await?;
    let engine = Engine::start(config, &Memory::InProcess)
        .await
        .map_err(|error| error.to_string())?;
    let ask = |name: &DomainName, record_type| {
        engine
            .resolver()
            .lookup(Question::new(name.clone(), record_type))
    };
    let (records, ipv4, ipv6) = tokio::join!(
        ask(&place.owner, RecordType::Tlsa),
        ask(&place.host, RecordType::A),
        ask(&place.host, RecordType::Aaaa),
    );
    let answers = [ipv4.answer, ipv6.answer];
    let alias = answers.iter().find_map(|answer| answer.aliases().last());
    let failed = answers.iter().find_map(|answer| match answer {
        Answer::Failed(failure) => Some(failure.clone()),
        _ => None,
    });
    let addresses: Vec<IpAddr> = answers.iter().flat_map(addresses).take(ADDRESSES).collect();
    let probes = addresses.iter().map(|address| {
        let address = SocketAddr::new(*address, place.port);
        prober.probe(ProbeTarget::new(address, place.host.clone()))
    });
    Ok(Found {
        records: published(records.answer),
        alias: alias.cloned(),
        no_addresses: failed.filter(|_| addresses.is_empty()),
        served: join_all(probes).await,
        validation: engine.resolver().validation(),
        now: engine.clock.now().wall,
    })
}

fn published(answer: Answer) -> Published {
    match answer {
        Answer::Records {
            status, data, ttl, ..
        } => Published::Records {
            status,
            ttl,
            rdata: data
                .into_iter()
                .filter_map(|data| match data {
                    RecordData::Tlsa(rdata) => Some(rdata),
                    _ => None,
                })
                .collect(),
        },
        Answer::NoData(denial) | Answer::NxDomain(denial) => Published::None {
            status: denial.status,
        },
        Answer::Failed(failure) => Published::Failed(failure),
    }
}

fn addresses(answer: &Answer) -> Vec<IpAddr> {
    let Answer::Records { data, .. } = answer else {
        return Vec::new();
    };
    let addresses = data.iter().filter_map(|data| match data {
        RecordData::A(address) => Some(IpAddr::from(*address)),
        RecordData::Aaaa(address) => Some(IpAddr::from(*address)),
        _ => None,
    });
    addresses.collect()
}
