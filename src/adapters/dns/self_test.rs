//! Does the resolver validate? Three results, and only one of them changes anything (MX-17).
//!
//! An attacker who spoils the probe, or an outage, gives "unknown", which leaves everything as it
//! was. Only a clean answer without AD, three times running, means "does not validate".

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use hoplock_policy::dns::{Question, RecordType};
use hoplock_policy::findings::Validation;
use tokio::time::sleep;

use super::message::{ServerReply, is_answer};
use super::observed::{Observation, Observed};
use super::stub::{DnsStub, ask_one, is_failure};
use super::system;
use super::transport::{Network, Transport};
use crate::world::Resolver as _;

/// Tests every server once, or as often as it takes to be sure.
pub async fn test(stub: &DnsStub) {
    let Some(name) = stub.options().self_test.clone() else {
        return;
    };
    let signed = Question::new(name, RecordType::Soa);
    let broken = stub.options().self_test_bogus.clone();
    let broken = broken.map(|name| Question::new(name, RecordType::Soa));
    for server in stub.report() {
        for _ in 0..Observed::CONVICTION {
            let observation =
                probe(stub.transport(), server.address, &signed, broken.as_ref()).await;
            stub.observe(server.address, |observed| observed.after(observation));
            if observation != Observation::Plain {
                break;
            }
        }
    }
}

/// Tests again and again, and whenever the system's list of servers changes; never ends.
pub async fn watch(stub: Arc<DnsStub>, told: impl Fn(Validation, Validation)) {
    let mut since_test = Duration::ZERO;
    loop {
        sleep(LOOK).await;
        since_test += LOOK;
        let before = stub.validation();
        let changed = stub.options().servers.is_empty() && follow_system(&stub);
        let interval = match before {
            Validation::Validating => WHEN_WELL,
            Validation::NotValidating | Validation::Unknown => WHEN_NOT,
        };
        if changed || since_test >= interval {
            since_test = Duration::ZERO;
            test(&stub).await;
        }
        let after = stub.validation();
        if before != after {
            told(before, after);
        }
    }
}

/// Takes over the system's list of servers; true where it changed.
fn follow_system(stub: &DnsStub) -> bool {
    let Ok(servers) = system::servers() else {
        return false;
    };
    let known: Vec<SocketAddr> = stub.report().iter().map(|server| server.address).collect();
    if servers.is_empty() || servers == known {
        return false;
    }
    tracing::info!(?servers, "the system's name servers changed");
    stub.use_servers(&servers);
    true
}

/// Asks one server once for a signed name.
pub async fn probe_once(server: SocketAddr, signed: &Question) -> Observation {
    probe(&Network, server, signed, None).await
}

async fn probe(
    transport: &dyn Transport,
    server: SocketAddr,
    signed: &Question,
    broken: Option<&Question>,
) -> Observation {
    let Some(reply) = ask_one(transport, server, signed, PATIENCE).await else {
        return Observation::Nothing;
    };
    let observation = read(&reply);
    match broken {
        Some(question) if observation == Observation::Authentic => {
            match ask_one(transport, server, question, PATIENCE).await {
                Some(reply) if is_failure(&reply) => Observation::Authentic,
                Some(_) => Observation::Plain,
                None => Observation::Nothing,
            }
        }
        _ => observation,
    }
}

fn read(reply: &ServerReply) -> Observation {
    // A signed name that "does not exist" is an attack or an odd network: it teaches nothing.
    if !is_answer(reply) || reply.rcode != 0 {
        Observation::Nothing
    } else if reply.authentic {
        Observation::Authentic
    } else {
        Observation::Plain
    }
}

/// A resolver that has to ask the root first needs a while.
const PATIENCE: Duration = Duration::from_secs(5);
/// How often resolv.conf is looked at.
const LOOK: Duration = Duration::from_secs(5);
/// How often a resolver is tested that validates.
const WHEN_WELL: Duration = Duration::from_secs(600);
/// How often one is tested that does not, or is not known to.
const WHEN_NOT: Duration = Duration::from_secs(60);
