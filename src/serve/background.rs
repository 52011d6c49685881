//! What happens behind everybody's back: refreshing, renewing, counting minutes, telling of rules.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use hoplock_policy::profile::OwnDaneSeen;
use tokio::time::{MissedTickBehavior, interval};

use super::admin::Admin;
use super::negative_anchors::BETWEEN_LOOKS;
use super::rulebook::Standing;
use crate::answer::Answerer;

/// Refreshes policies and renews findings as they come due; never ends.
pub(super) async fn every_second(answerer: Arc<Answerer>) {
    let mut ticks = interval(Duration::from_secs(1));
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        drop(answerer.background());
    }
}

/// Has judged sessions written; never ends. Alarms that stood before the start are taken over first.
pub(super) async fn journal(admin: Arc<Admin>) {
    let (sessions, clock) = (&admin.sessions, &admin.engine.clock);
    match sessions.begin(clock.now()).await {
        Ok(counts) if counts.is_empty() => {}
        Ok(counts) => {
            let words = counts
                .iter()
                .map(|(outcome, count)| format!("{count} {}", outcome.word()));
            let words = words.collect::<Vec<_>>().join(", ");
            tracing::info!("sessions of the last 24 hours in the journal: {words}");
        }
        Err(error) => {
            tracing::warn!(%error, "the journal cannot be read: alarms of sessions begin anew");
        }
    }
    let mut ticks = interval(Duration::from_secs(1));
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        sessions.second();
    }
}

/// Looks whether DNSSEC trouble that is to be survived is (OP-02); never ends.
pub(super) async fn negative_anchors(admin: Arc<Admin>) {
    let mut ticks = interval(BETWEEN_LOOKS);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        admin.negative_anchors.watch().await;
    }
}

/// Counts the last hour, and tells of rules that end (OP-05); never ends.
pub(super) async fn every_minute(admin: Arc<Admin>) {
    let mut ticks = interval(Duration::from_secs(60));
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut told: BTreeMap<(String, bool), Standing> = BTreeMap::new();
    loop {
        ticks.tick().await;
        admin.metrics.minute();
        let now = admin.engine.answerer.world().clock.now();
        admin.engine.answerer.today().minute(now);
        admin.sessions.minute(now);
        let files = Arc::clone(&admin.engine.answerer.world().anchor_files);
        // Not waited for: a disk that hangs must hold up nothing else.
        tokio::spawn(async move { files.sweep(now.uptime).await });
        for listed in admin.rulebook.list(now.wall).await {
            let pattern = listed.rule.pattern.to_string();
            // A rule added at run time and one of the configuration may share a pattern.
            let key = (pattern.clone(), listed.added.is_some());
            if told.insert(key, listed.standing) == Some(listed.standing) {
                continue;
            }
            let says = &listed.says;
            match listed.standing {
                Standing::NearExpiry => tracing::warn!(pattern, says, "this rule ends soon"),
                Standing::Expired => tracing::info!(pattern, says, "this rule has expired"),
                Standing::ExpiredProtection => {
                    tracing::error!(pattern, says, "this rule has expired, and it protected");
                }
                Standing::Active | Standing::Overlaid | Standing::NotUnderstood => {}
            }
        }
    }
}

/// One line when what is seen of Postfix's own DANE changes. No Postfix is no trouble by itself: the mail
/// server may be another.
pub(super) fn tell_own_dane(before: OwnDaneSeen, after: OwnDaneSeen) {
    let words = after.words();
    if matches!(after, OwnDaneSeen::Works | OwnDaneSeen::NotFound) {
        tracing::info!(?before, "{words}");
    } else {
        tracing::warn!(?before, "{words}");
    }
}
