//! MTA-STS of a domain: its record, and the policy to go by (RFC 8461, 3.1).

use std::sync::Arc;

use hoplock_policy::dns::Reply;
use hoplock_policy::findings::StsFinding;
use hoplock_policy::name::PolicyDomain;

use super::policies::Policies;
use super::record::{question, record};
use crate::world::{Patience, World};

/// Finds the policy of a domain, and the lookups that were made for it.
pub(super) async fn find(
    world: &World,
    policies: &Arc<Policies>,
    domain: &PolicyDomain,
    patience: Patience,
) -> (StsFinding, Vec<Reply>) {
    let Some(question) = question(domain) else {
        let why = "the name is too long for an MTA-STS record".to_owned();
        return (StsFinding::Absent(why), Vec::new());
    };
    let reply = match patience.wait(world.resolver.lookup(question.clone())).await {
        Some(reply) => reply,
        None => super::out_of_time(question),
    };
    let finding = policies.find(domain, record(&reply.answer), patience).await;
    (finding, vec![reply])
}
