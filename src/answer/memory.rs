//! What is remembered of destinations with DANE, over restarts (MX-17, CA-09).

use std::time::Duration;

use hoplock_policy::dns::SecurityStatus;
use hoplock_policy::findings::{DaneFinding, Findings, MxFinding, Validation};
use hoplock_policy::moment::Moment;
use hoplock_policy::next_hop::NextHop;

use super::Answered;
use crate::cache::Entry;
use crate::world::{DaneMemory, Gone, Patience, Proof, World};

/// MX-17: seen with usable TLSA records within the last 30 days, and not proved gone since. What
/// cannot be read may say so: it binds.
pub(super) async fn holds(world: &World, next_hop: &NextHop, now: Moment) -> bool {
    match world.store.dane(next_hop.clone()).await {
        Err(_) => true,
        Ok(None) => false,
        Ok(Some(memory)) => is_remembered(memory, now) && !is_proved_gone(memory),
    }
}

/// True where a destination that had usable TLSA records shows none, and something on the way to them
/// is merely said: not proved by anybody.
pub(super) async fn looks_lost(world: &World, findings: &Findings) -> bool {
    let merely_said = match &findings.mx {
        MxFinding::Hosts(selection) => {
            selection.status() == SecurityStatus::Insecure
                || findings
                    .hosts
                    .iter()
                    .any(|host| host.dane == DaneFinding::NoneInsecure)
        }
        MxFinding::NoHosts { status, .. } => *status == SecurityStatus::Insecure,
        MxFinding::Failed(_) => false,
    };
    if !merely_said {
        return false;
    }
    let reading = world.store.dane(findings.next_hop.clone());
    match Patience::of(READING).wait(reading).await {
        Some(Ok(memory)) => memory.is_some_and(|memory| {
            is_remembered(memory, findings.gathered) && !is_proved_gone(memory)
        }),
        // It may have had them.
        Some(Err(_)) | None => true,
    }
}

/// Takes over what findings say of a destination; true where its DANE was lost just now.
///
/// The change is honoured at once, and told once (CA-09). Findings with failures say nothing. What
/// holds for one next hop says nothing of another port, or of a host in brackets.
pub(super) async fn note(world: &World, entry: &Entry<Answered>, has_dane: bool) -> bool {
    let findings = &entry.findings;
    let (next_hop, now) = (&findings.next_hop, findings.gathered);
    if has_dane {
        world.store.remember_dane(
            next_hop.clone(),
            DaneMemory {
                seen: now,
                gone: None,
            },
        );
        return false;
    }
    let Some(proof) = absence(findings) else {
        return false;
    };
    // Where the resolver is known not to validate, everything looks insecure.
    if entry.under == Validation::NotValidating {
        return false;
    }
    let Ok(Some(memory)) = world.store.dane(next_hop.clone()).await else {
        return false;
    };
    if !is_remembered(memory, now) {
        return false;
    }
    let told = memory.gone.is_some();
    if told && (is_proved_gone(memory) || proof == Proof::Said) {
        return false;
    }
    let since = memory.gone.map_or(now, |gone| gone.since);
    let gone = Some(Gone { since, proof });
    world
        .store
        .remember_dane(next_hop.clone(), DaneMemory { gone, ..memory });
    if !told {
        let proved = match proof {
            Proof::Proved => "proved absent",
            Proof::Said => "insecure",
        };
        tracing::warn!(%next_hop, proved,
            "this destination had usable TLSA records and has none any more; mail goes out by what \
             it publishes now");
    }
    !told
}

/// That no host has usable records, where nothing failed: proved by signed answers, or merely said.
fn absence(findings: &Findings) -> Option<Proof> {
    let MxFinding::Hosts(selection) = &findings.mx else {
        return None;
    };
    if findings.has_failure() || findings.hosts.is_empty() {
        return None;
    }
    let secure = selection.status() == SecurityStatus::Secure;
    let proved = findings.hosts.iter().all(|host| {
        matches!(
            host.dane,
            DaneFinding::NoneSecure | DaneFinding::Records { .. }
        )
    });
    Some(if secure && proved {
        Proof::Proved
    } else {
        Proof::Said
    })
}

fn is_remembered(memory: DaneMemory, now: Moment) -> bool {
    !memory.seen.remaining(REMEMBERED, now).is_zero()
}

fn is_proved_gone(memory: DaneMemory) -> bool {
    memory.gone.is_some_and(|gone| gone.proof == Proof::Proved)
}

/// A disk that hangs holds nobody for longer.
const READING: Duration = Duration::from_secs(2);
/// How long a destination with DANE is remembered (MX-17).
const REMEMBERED: Duration = Duration::from_secs(30 * 86_400);
