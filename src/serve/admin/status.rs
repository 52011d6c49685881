//! How the daemon is: one look for a postmaster, with every alarm's cause and cure.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use axum::Json;
use axum::extract::State;
use hoplock_policy::findings::Validation;
use hoplock_policy::moment::Moment;
use hoplock_policy::next_hop::NextHop;
use hoplock_policy::profile::{Family, OwnDane, OwnDaneSeen, Profile};
use hoplock_policy::rules::RulePattern;
use serde::Serialize;

use super::negative_anchors::{self, OrderLine};
use super::observed::Observing;
use super::reporting::Reporting;
use super::rules::RuleLine;
use super::{Admin, reporting, sessions, time, watch};
use crate::metrics::AlarmKind;
use crate::serve::negative_anchors::{Order, Standing as OrderStanding};
use crate::serve::rulebook::{Listed, Standing};
use crate::world::Lasts;

/// All of it.
#[derive(Serialize)]
pub(super) struct Status {
    pub(super) version: &'static str,
    pub(super) uptime: u64,
    pub(super) resolver: Resolver,
    pub(super) postfix: Postfix,
    pub(super) store: Store,
    pub(super) cache: Cache,
    pub(super) connections: usize,
    pub(super) answers_last_hour: BTreeMap<&'static str, u64>,
    pub(super) sessions_last_hour: BTreeMap<&'static str, u64>,
    pub(super) journal: Journal,
    pub(super) reports: Reporting,
    pub(super) alarms: Vec<Alarm>,
    pub(super) rules: Vec<RuleLine>,
    pub(super) observing: Observing,
    pub(super) negative_trust_anchors: Vec<OrderLine>,
}

#[derive(Serialize)]
pub(super) struct Resolver {
    pub(super) state: &'static str,
    pub(super) believed: bool,
    pub(super) servers: Vec<Server>,
}

#[derive(Serialize)]
pub(super) struct Server {
    pub(super) address: String,
    pub(super) state: &'static str,
}

#[derive(Serialize)]
pub(super) struct Postfix {
    pub(super) own_dane: &'static str,
    pub(super) words: &'static str,
}

#[derive(Serialize)]
pub(super) struct Store {
    pub(super) path: Option<String>,
    pub(super) policies: usize,
}

#[derive(Serialize)]
pub(super) struct Cache {
    pub(super) entries: usize,
    pub(super) answered_from: u64,
    pub(super) lookups: u64,
    pub(super) ahead_of_expiry: u64,
    /// For surveys, beside the others and not kept.
    pub(super) surveyed: u64,
}

#[derive(Serialize)]
pub(super) struct Journal {
    pub(super) sessions: usize,
    pub(super) failed: usize,
    /// Since the start.
    pub(super) not_kept: u64,
}

/// Something that somebody should look at.
#[derive(Serialize)]
pub(super) struct Alarm {
    /// Its kind.
    pub(super) alarm: AlarmKind,
    /// What is the matter, and since when.
    pub(super) what: String,
    /// Why, as far as it is known.
    pub(super) cause: String,
    /// What helps.
    pub(super) cure: String,
}

pub(super) async fn status(State(admin): State<Arc<Admin>>) -> Json<Status> {
    let now = admin.engine.answerer.world().clock.now();
    let rules = admin.rulebook.list(now.wall).await;
    Json(collect(&admin, &rules, now).await)
}

/// All of it, as it is now, with the rules as they are listed.
pub(super) async fn collect(admin: &Admin, rules: &[Listed], now: Moment) -> Status {
    let answerer = &admin.engine.answerer;
    let world = answerer.world();
    let orders = admin.orders(now.wall).await;
    let counters = answerer.counters();
    let servers = world.resolver.servers();
    let seen = world.mta.own_dane();
    let journal = admin.sessions.journal().figures();
    Status {
        version: env!("CARGO_PKG_VERSION"),
        uptime: admin.engine.running().as_secs(),
        resolver: Resolver {
            state: word(world.resolver.validation()),
            believed: world.resolver.is_believed(),
            servers: servers
                .iter()
                .map(|server| Server {
                    address: server.address.to_string(),
                    state: word(server.validation),
                })
                .collect(),
        },
        postfix: Postfix {
            own_dane: match seen {
                OwnDaneSeen::Works => "works",
                OwnDaneSeen::LookupsOff => "lookups-off",
                OwnDaneSeen::ResolverDoesNotValidate => "resolver-not-validating",
                OwnDaneSeen::ResolverUnknown => "resolver-unknown",
                OwnDaneSeen::NotFound => "not-found",
            },
            words: seen.words(),
        },
        store: Store {
            path: admin.engine.state_file.clone(),
            policies: world.store.policies().len(),
        },
        cache: Cache {
            entries: answerer.cache().len(),
            answered_from: counters.cached.load(Ordering::Relaxed),
            lookups: counters.gathered.load(Ordering::Relaxed),
            ahead_of_expiry: counters.renewed.load(Ordering::Relaxed),
            surveyed: counters.surveyed.load(Ordering::Relaxed),
        },
        connections: admin.connections.count(),
        answers_last_hour: admin.metrics.last_hour(),
        sessions_last_hour: admin.sessions.last_hour(now),
        journal: Journal {
            sessions: journal.alarms + journal.others,
            failed: journal.alarms,
            not_kept: journal.too_many + journal.not_written,
        },
        reports: Reporting::of(admin),
        alarms: alarms(admin, rules, &orders, now).await,
        rules: rules
            .iter()
            .filter(|listed| listed.standing != Standing::Expired)
            .map(RuleLine::of)
            .collect(),
        observing: Observing::of(admin, now.wall),
        negative_trust_anchors: negative_anchors::lines(&orders),
    }
}

/// Every alarm that stands now.
pub(super) async fn every_alarm(admin: &Admin, now: Moment) -> Vec<Alarm> {
    let rules = admin.rulebook.list(now.wall).await;
    let orders = admin.orders(now.wall).await;
    alarms(admin, &rules, &orders, now).await
}

async fn alarms(
    admin: &Admin,
    rules: &[Listed],
    orders: &[(Order, OrderStanding)],
    now: Moment,
) -> Vec<Alarm> {
    let mut alarms = resolver(admin);
    alarms.extend(own_dane(admin));
    alarms.extend(store(admin));
    alarms.extend(lost_dane(admin, rules, now).await);
    alarms.extend(sessions::alarms(admin, now));
    alarms.extend(reporting::alarms(admin));
    for (next_hop, waiting) in admin.engine.answerer.waiting().longer_than(LONG_WAIT, now) {
        let hours = waiting
            .last
            .uptime
            .saturating_sub(waiting.since.uptime)
            .as_secs()
            / 3600;
        alarms.push(Alarm {
            alarm: AlarmKind::MailWaits,
            what: format!(
                "mail for {next_hop} has been waiting for {hours} h, since {}",
                time(waiting.since.wall)
            ),
            cause: format!("{}: {}", waiting.reason, waiting.detail),
            cure: format!("hoplock explain '{next_hop}' says whose it is and what helps"),
        });
    }
    for listed in rules
        .iter()
        .filter(|listed| listed.standing == Standing::ExpiredProtection)
    {
        let pattern = listed.rule.pattern.to_string();
        alarms.push(Alarm {
            alarm: AlarmKind::RuleExpired,
            what: format!("the rule {pattern:?} ({}) has expired", listed.says),
            cause: "it protected; now the destination's own word counts alone".to_owned(),
            cure: "give it a later time, or remove it".to_owned(),
        });
    }
    for listed in rules
        .iter()
        .filter(|listed| listed.standing == Standing::NotUnderstood)
    {
        let pattern = listed.rule.pattern.to_string();
        alarms.push(Alarm {
            alarm: AlarmKind::RuleNotUnderstood,
            what: format!("mail for {pattern:?} waits"),
            cause: "its rule was added at run time by another version, and is not understood"
                .to_owned(),
            cure: format!("hoplock rule remove '{pattern}', and add it anew"),
        });
    }
    let broken = admin
        .engine
        .answerer
        .counters()
        .broken
        .load(Ordering::Relaxed);
    if broken > 0 {
        alarms.push(Alarm {
            alarm: AlarmKind::InternalError,
            what: format!("{broken} lookups broke by a fault of hoplock"),
            cause: "a bug".to_owned(),
            cure: "please report it with the lines of the log".to_owned(),
        });
    }
    alarms.extend(negative_anchors::alarms(orders));
    alarms.extend(watch::alarms(admin));
    alarms
}

fn resolver(admin: &Admin) -> Vec<Alarm> {
    let resolver = admin.engine.resolver();
    if !resolver.is_believed() {
        return vec![Alarm {
            alarm: AlarmKind::ResolverNotBelieved,
            what: "DANE is off: the resolver's word on DNSSEC is not believed".to_owned(),
            cause: "it is not on this machine, or is a known forwarder".to_owned(),
            cure: "run a validating resolver (unbound) on 127.0.0.1 and name it in [dns] servers"
                .to_owned(),
        }];
    }
    match resolver.validation() {
        Validation::Validating => Vec::new(),
        Validation::NotValidating => vec![Alarm {
            alarm: AlarmKind::ResolverNotValidating,
            what: "DANE is off: the resolver does not validate DNSSEC".to_owned(),
            cause: "a signed name came back without the AD flag, three times running".to_owned(),
            cure: "make it validate (unbound: auto-trust-anchor-file), or name another in [dns] \
                   servers"
                .to_owned(),
        }],
        Validation::Unknown => vec![Alarm {
            alarm: AlarmKind::ResolverUnknown,
            what: "whether the resolver validates DNSSEC is not known".to_owned(),
            cause: "it does not answer the self-test, or the self-test is switched off".to_owned(),
            cure: "hoplock doctor; see [dns] self_test".to_owned(),
        }],
    }
}

/// Only where a profile that is asked leaves it to be found out.
fn own_dane(admin: &Admin) -> Option<Alarm> {
    let answerer = &admin.engine.answerer;
    let seen = answerer.world().mta.own_dane();
    let settings = answerer.settings();
    let served = settings.profiles.values();
    let found_out = relies_on_what_is_seen(
        served.map(|profile| (&**profile, answerer.was_asked(&profile.name))),
    );
    (found_out && seen != OwnDaneSeen::Works).then(|| Alarm {
        alarm: AlarmKind::PostfixDnssec,
        what: "destinations with DANE are reached by pins, or wait: Postfix's own DNSSEC was not seen to \
               work"
            .to_owned(),
        cause: seen.words().to_owned(),
        cure: "hoplock doctor".to_owned(),
    })
}

/// Whether a profile of Postfix that is asked leaves its DANE to be found out; before anybody asks,
/// whether all do. Where Exim or Sendmail asks and Postfix does not, there is none to be found out about.
fn relies_on_what_is_seen<'a>(served: impl Iterator<Item = (&'a Profile, bool)>) -> bool {
    let (mut all, mut asked, mut is_elsewhere) = (true, None, false);
    for (profile, was_asked) in served {
        match profile.family {
            Family::Postfix => {
                let is_auto = profile.own_dane == OwnDane::Auto;
                all &= is_auto;
                if was_asked {
                    asked = Some(asked.unwrap_or(false) || is_auto);
                }
            }
            // Pins are asked for because there is none.
            Family::Exim | Family::Sendmail | Family::Pins => is_elsewhere |= was_asked,
        }
    }
    asked.unwrap_or(all && !is_elsewhere)
}

fn store(admin: &Admin) -> Option<Alarm> {
    let lasts = admin.engine.answerer.world().store.lasts();
    (lasts == Lasts::Process).then(|| Alarm {
        alarm: AlarmKind::NoState,
        what: "nothing that is remembered will survive a restart".to_owned(),
        cause: "started with --no-state".to_owned(),
        cure: "mend the state file and start without --no-state".to_owned(),
    })
}

/// CA-09: told for a week, or until a rule for exactly that destination says what is wanted.
async fn lost_dane(admin: &Admin, rules: &[Listed], now: Moment) -> Vec<Alarm> {
    let lost = admin.engine.answerer.world().store.dane_gone().await;
    let lost = lost.unwrap_or_default().into_iter();
    let has_rule = |next_hop: &NextHop| {
        rules.iter().any(|listed| {
            let exactly = RulePattern::Exact;
            let name = next_hop.name().cloned().map(exactly);
            name.as_ref() == Some(&listed.rule.pattern) && !listed.rule.is_expired(now.wall)
        })
    };
    lost.filter(|(_, gone)| !gone.since.remaining(TOLD_FOR, now).is_zero())
        .filter(|(next_hop, _)| !has_rule(next_hop))
        .map(|(destination, gone)| Alarm {
            alarm: AlarmKind::DaneLost,
            what: format!(
                "{destination} had usable TLSA records and has none since {}",
                time(gone.since.wall)
            ),
            cause: "its operator withdrew them; or somebody can sign, or strip, its zone"
                .to_owned(),
            cure: format!(
                "ask its operator; `hoplock rule add {destination} --mode mandatory` demands DANE, \
                 and `--mode opportunistic` takes it as it is; either ends this alarm"
            ),
        })
        .collect()
}

fn word(validation: Validation) -> &'static str {
    match validation {
        Validation::Validating => "validating",
        Validation::NotValidating => "not-validating",
        Validation::Unknown => "unknown",
    }
}

/// D14: a long TEMP is a slow bounce.
const LONG_WAIT: Duration = Duration::from_secs(4 * 3600);
const TOLD_FOR: Duration = Duration::from_secs(7 * 86_400);

#[cfg(test)]
mod tests {
    use super::*;

    /// PD-11: the alarm is for a Postfix that asks, or that may come to ask.
    #[test]
    fn own_dane_matters_where_postfix_asks() {
        let of = |name: &str, own_dane| Profile {
            own_dane,
            ..Profile::built_in(name).unwrap()
        };
        let (auto, no) = (OwnDane::Auto, OwnDane::No);
        let two = |first, second| [of("postfix", first), of("postfix310", second)];
        let others = [of("exim", auto), of("sendmail", auto), of("pins", no)];
        let relies = |own: &[Profile], asked: &[&str]| {
            let all = own.iter().chain(&others);
            relies_on_what_is_seen(all.map(|profile| (profile, asked.contains(&&*profile.name))))
        };
        for (first, second, asked, expected) in [
            (auto, auto, &[][..], true),
            (auto, no, &[], false),
            (auto, no, &["postfix"], true),
            (auto, no, &["postfix310"], false),
            (auto, no, &["postfix", "postfix310", "exim"], true),
            (auto, auto, &["pins"], false),
            (auto, auto, &["exim"], false),
            (auto, auto, &["sendmail"], false),
            (auto, auto, &["exim", "postfix310"], true),
        ] {
            assert_eq!(relies(&two(first, second), asked), expected, "{asked:?}");
        }
    }
}
