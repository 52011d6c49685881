//! What is only observed: whether everything is, and the destinations that a rule of mode `audit` kept
//! from being held to anything (OP-03).

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use hoplock_policy::moment::Timestamp;
use hoplock_policy::rules::{Mode, Rule, RulePattern, Rules};
use serde::Serialize;

use super::{Admin, time};

/// What the rules say of everything.
#[derive(Serialize)]
pub(super) struct Observing {
    /// No destination is held to anything, save by a closer rule.
    everything: bool,
    /// When that ends.
    #[serde(skip_serializing_if = "Option::is_none")]
    until: Option<String>,
    /// Rules for fewer destinations, which go on.
    closer_rules: usize,
    /// Destinations of the last week that something was owed by.
    destinations: usize,
    /// Answers to them since the start.
    answers: u64,
}

/// One destination.
#[derive(Serialize)]
pub(super) struct Line {
    next_hop: String,
    profile: String,
    answers: u64,
    first: String,
    last: String,
    reason: &'static str,
    detail: String,
    rule: String,
}

impl Observing {
    pub(super) fn of(admin: &Admin, now: Timestamp) -> Self {
        let answerer = &admin.engine.answerer;
        let settings = answerer.settings();
        let rule = for_everything(&settings.rules, now).filter(|rule| observes(rule));
        let closer = settings
            .rules
            .iter()
            .filter(|own| own.pattern != RulePattern::Any && !own.is_expired(now));
        Self {
            everything: rule.is_some(),
            until: rule.and_then(|rule| rule.expires).map(time),
            closer_rules: closer.count(),
            destinations: answerer.observed().len(),
            answers: answerer.observed().answers(),
        }
    }
}

fn for_everything(rules: &Rules, now: Timestamp) -> Option<&Rule> {
    let mut rules = rules.iter();
    rules.find(|rule| rule.pattern == RulePattern::Any && !rule.is_expired(now))
}

fn observes(rule: &Rule) -> bool {
    rule.mode == Mode::Audit && rule.answer.is_none()
}

pub(super) async fn list(State(admin): State<Arc<Admin>>) -> Json<Vec<Line>> {
    let answerer = &admin.engine.answerer;
    let all = answerer.observed().all(answerer.world().clock.now());
    let lines = all.into_iter().map(|(next_hop, profile, own)| Line {
        next_hop: next_hop.to_string(),
        profile,
        answers: own.answers,
        first: time(own.first.wall),
        last: time(own.last.wall),
        reason: own.reason.word(),
        detail: own.detail,
        rule: own.rule,
    });
    Json(lines.collect())
}
