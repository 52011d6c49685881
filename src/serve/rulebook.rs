//! Rules of the configuration and rules added at run time, put in force together.
//!
//! A rule that was added at run time stands in place of the configuration's for the same
//! destinations: it is the way out at three in the morning. It is stored before it counts.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use hoplock_policy::moment::Timestamp;
use hoplock_policy::render::json::{level_word, mode_word};
use hoplock_policy::rules::{Mode, PinnedLevel, Rule};

use crate::answer::{Answerer, Settings};
use crate::config::{Config, Severity};
use crate::world::{StoreFailure, StoredRule};

/// All rules.
pub struct Rulebook {
    answerer: Arc<Answerer>,
    /// What the configuration says, without the stored rules.
    configured: Mutex<Settings>,
}

/// A rule, for people.
#[derive(Clone, Debug)]
pub struct Listed {
    /// The rule.
    pub rule: Rule,
    /// What it says: `mode audit`, `answer encrypt`.
    pub says: String,
    /// Who added it at run time, and when; none: it stands in the configuration.
    pub added: Option<(String, Timestamp)>,
    /// Whether it counts.
    pub standing: Standing,
}

/// Whether a rule counts (OP-05).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It does.
    Active,
    /// It does, and will end soon.
    NearExpiry,
    /// It does not any more.
    Expired,
    /// It does not any more, and it demanded more than the destination does: an alarm.
    ExpiredProtection,
    /// A rule added at run time stands in its place.
    Overlaid,
}

/// Why a rule cannot be added.
#[derive(Debug, thiserror::Error)]
pub enum RuleError {
    /// It is none, with all complaints.
    #[error("{0}")]
    Malformed(String),
    /// It cannot be kept.
    #[error(transparent)]
    Store(#[from] StoreFailure),
}

impl Rulebook {
    /// The rules of the configuration; nothing is in force yet: see [`Rulebook::apply`].
    #[must_use]
    pub fn new(answerer: Arc<Answerer>, configured: Settings) -> Self {
        Self {
            answerer,
            configured: Mutex::new(configured),
        }
    }

    /// Takes over a new configuration.
    pub async fn reload(&self, configured: Settings) {
        *self.configured() = configured;
        self.apply().await;
    }

    /// Puts everything in force.
    pub async fn apply(&self) {
        let later = self
            .stored()
            .await
            .into_iter()
            .map(|(rule, _)| rule)
            .collect();
        let mut settings = self.configured().clone();
        settings.rules = settings.rules.overlaid(later);
        self.answerer.reload(settings);
    }

    /// Adds a rule: stored, then in force.
    ///
    /// # Errors
    /// [`RuleError`] with the cure; nothing changed then.
    pub async fn add(&self, rule: StoredRule) -> Result<(), RuleError> {
        let read = read(&rule.text).map_err(RuleError::Malformed)?;
        if read.is_expired(rule.added) {
            let words = "the rule would end before it begins; give it a later time".to_owned();
            return Err(RuleError::Malformed(words));
        }
        let pattern = read.pattern.to_string();
        let rule = StoredRule { pattern, ..rule };
        tracing::info!(
            pattern = rule.pattern,
            by = rule.by,
            says = says(&read),
            "rule added"
        );
        self.answerer.world().store.keep_rule(rule).await?;
        self.apply().await;
        Ok(())
    }

    /// Removes a rule that was added at run time; false where there is none.
    ///
    /// # Errors
    /// [`StoreFailure`] where it cannot be forgotten; it stays in force then.
    pub async fn remove(&self, pattern: &str, by: &str) -> Result<bool, StoreFailure> {
        let store = &self.answerer.world().store;
        let known = store.rules().await?;
        let Some(rule) = known
            .iter()
            .find(|rule| rule.pattern.eq_ignore_ascii_case(pattern))
        else {
            return Ok(false);
        };
        let removed = store.drop_rule(rule.pattern.clone()).await?;
        tracing::info!(pattern = rule.pattern, by, "rule removed");
        self.apply().await;
        Ok(removed)
    }

    /// All rules, those of the configuration first.
    pub async fn list(&self, now: Timestamp) -> Vec<Listed> {
        let stored = self.stored().await;
        let configured = self.configured().rules.clone();
        let overlaid = |rule: &Rule| stored.iter().any(|(own, _)| own.pattern == rule.pattern);
        let mut listed: Vec<Listed> = configured
            .iter()
            .map(|rule| Listed {
                says: says(rule),
                added: None,
                standing: if overlaid(rule) {
                    Standing::Overlaid
                } else {
                    standing(rule, now)
                },
                rule: rule.clone(),
            })
            .collect();
        listed.extend(stored.into_iter().map(|(rule, stored)| Listed {
            says: says(&rule),
            added: Some((stored.by, stored.added)),
            standing: standing(&rule, now),
            rule,
        }));
        listed
    }

    async fn stored(&self) -> Vec<(Rule, StoredRule)> {
        let stored = match self.answerer.world().store.rules().await {
            Ok(stored) => stored,
            Err(error) => {
                tracing::error!(%error, "rules that were added at run time cannot be read");
                return Vec::new();
            }
        };
        let mut rules = Vec::new();
        for stored in stored {
            match read(&stored.text) {
                Ok(rule) => rules.push((rule, stored)),
                Err(why) => tracing::error!(
                    pattern = stored.pattern,
                    why,
                    "a rule that was added at run time is not understood any more"
                ),
            }
        }
        rules
    }

    fn configured(&self) -> std::sync::MutexGuard<'_, Settings> {
        self.configured
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

/// Exactly one rule, as a configuration would have it.
fn read(text: &str) -> Result<Rule, String> {
    let (config, complaints) = Config::parse(text, &[]);
    let faults: Vec<String> = complaints
        .iter()
        .filter(|complaint| complaint.severity == Severity::Error)
        .map(|complaint| complaint.text.clone())
        .collect();
    let Some(config) = config else {
        return Err(faults.join("; "));
    };
    let mut rules = config.rules.iter();
    match (rules.next(), rules.next()) {
        (Some(rule), None) => Ok(rule.clone()),
        _ => Err("write one [rules.\"…\"] section".to_owned()),
    }
}

/// What a rule says, in a few words.
fn says(rule: &Rule) -> String {
    match rule.answer {
        Some(level) => format!("answer {}", level_word(level)),
        None => format!("mode {}", mode_word(rule.mode)),
    }
}

fn standing(rule: &Rule, now: Timestamp) -> Standing {
    if rule.is_expired(now) {
        return if protects(rule) {
            Standing::ExpiredProtection
        } else {
            Standing::Expired
        };
    }
    let left = rule
        .expires
        .map(|at| Duration::from_millis(at.0.saturating_sub(now.0)));
    match left {
        Some(left) if left < NEAR => Standing::NearExpiry,
        _ => Standing::Active,
    }
}

/// True where a rule demands more than the destination by itself may.
fn protects(rule: &Rule) -> bool {
    match rule.answer {
        Some(PinnedLevel::None | PinnedLevel::May) => false,
        Some(_) => true,
        None => rule.mode == Mode::Mandatory,
    }
}

/// OP-05: warned of three days before.
const NEAR: Duration = Duration::from_secs(3 * 86_400);
