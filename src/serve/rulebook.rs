//! Rules of the configuration and rules added at run time, put in force together.
//!
//! A rule that was added at run time stands in place of the configuration's for the same
//! destinations: it is the way out at three in the morning. It is stored before it counts.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use hoplock_policy::moment::Timestamp;
use hoplock_policy::render::rule::says;
use hoplock_policy::rules::{Mode, PinnedLevel, Rule, RulePattern};

use super::negative_anchors::is_order;
use crate::answer::{Answerer, Settings};
use crate::config::{Config, Severity};
use crate::world::{StoreFailure, StoredRule};

/// All rules.
pub struct Rulebook {
    answerer: Arc<Answerer>,
    /// What the configuration says, without the stored rules.
    configured: Mutex<Settings>,
    /// One change at a time: the last one that was acknowledged is in force.
    changing: tokio::sync::Mutex<()>,
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
    /// It was added by another version, and is not understood: its destinations wait.
    NotUnderstood,
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
    /// The rules of the configuration; nothing is in force yet: see [`Rulebook::begin`].
    #[must_use]
    pub fn new(answerer: Arc<Answerer>, configured: Settings) -> Self {
        Self {
            answerer,
            configured: Mutex::new(configured),
            changing: tokio::sync::Mutex::default(),
        }
    }

    /// Takes over a new configuration.
    pub async fn reload(&self, configured: Settings) {
        let _changing = self.changing.lock().await;
        *self.configured() = configured;
        self.put_in_force().await;
    }

    /// Puts everything in force at the start, and drops what ended long ago.
    pub async fn begin(&self, now: Timestamp) {
        let _changing = self.changing.lock().await;
        let ended = Timestamp(now.0.saturating_sub(KEPT_AFTER_ITS_END_MILLIS));
        for (rule, stored, _) in self.stored().await {
            if rule.is_expired(ended) {
                // What cannot be dropped does no harm.
                let _ = self.answerer.world().store.drop_rule(stored.pattern).await;
            }
        }
        // What is known of those that hold was in force before, too.
        self.answerer.begin(self.all().await);
    }

    /// To be called while nothing else changes.
    async fn put_in_force(&self) {
        self.answerer.reload(self.all().await);
    }

    /// The settings with all rules that there are.
    async fn all(&self) -> Settings {
        let stored = self.stored().await;
        for (_, stored, read) in &stored {
            if let Read::NotAtAll(why) = read {
                let pattern = &stored.pattern;
                tracing::error!(
                    pattern,
                    why,
                    "a rule that was added at run time is not understood any more: its \
                     destinations wait"
                );
            }
        }
        let since = |(rule, stored, _): (Rule, StoredRule, Read)| Rule {
            since: Some(stored.added),
            ..rule
        };
        let later = stored.into_iter().map(since).collect();
        let mut settings = self.configured().clone();
        settings.rules = settings.rules.overlaid(later);
        settings
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
        let _changing = self.changing.lock().await;
        let pattern = read.pattern.to_string();
        let rule = StoredRule { pattern, ..rule };
        tracing::info!(
            pattern = rule.pattern,
            by = rule.by,
            says = says(&read),
            "rule added"
        );
        self.answerer.world().store.keep_rule(rule).await?;
        self.put_in_force().await;
        Ok(())
    }

    /// Removes a rule that was added at run time, under any spelling of its pattern; false where there
    /// is none.
    ///
    /// # Errors
    /// [`StoreFailure`] where it cannot be forgotten; it stays in force then.
    pub async fn remove(&self, pattern: &str, by: &str) -> Result<bool, StoreFailure> {
        let _changing = self.changing.lock().await;
        let store = &self.answerer.world().store;
        let known = store.rules().await?;
        let meant = pattern_of(pattern).map_or_else(|| pattern.to_owned(), |own| own.to_string());
        let mut known = known.iter().filter(|stored| !is_order(stored));
        let Some(rule) = known.find(|rule| rule.pattern == meant) else {
            return Ok(false);
        };
        let removed = store.drop_rule(rule.pattern.clone()).await?;
        tracing::info!(pattern = rule.pattern, by, "rule removed");
        self.put_in_force().await;
        Ok(removed)
    }

    /// All rules, those of the configuration first.
    pub async fn list(&self, now: Timestamp) -> Vec<Listed> {
        let stored = self.stored().await;
        let configured = self.configured().rules.clone();
        let overlaid = |rule: &Rule| {
            let stands = |own: &Rule| own.pattern == rule.pattern && !own.is_expired(now);
            stored.iter().any(|(own, ..)| stands(own))
        };
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
        listed.extend(stored.into_iter().map(|(rule, stored, read)| Listed {
            says: says(&rule),
            added: Some((stored.by, stored.added)),
            standing: match read {
                Read::NotAtAll(_) if !rule.is_expired(now) => Standing::NotUnderstood,
                Read::Well | Read::NotAtAll(_) => standing(&rule, now),
            },
            rule,
        }));
        listed
    }

    /// The rules added at run time. One that is not understood may have demanded anything: its
    /// destinations wait, and an alarm says why.
    async fn stored(&self) -> Vec<(Rule, StoredRule, Read)> {
        let stored = match self.answerer.world().store.rules().await {
            Ok(stored) => stored,
            Err(error) => {
                tracing::error!(%error, "rules that were added at run time cannot be read");
                return Vec::new();
            }
        };
        let mut rules = Vec::new();
        for stored in stored.into_iter().filter(|stored| !is_order(stored)) {
            match read(&stored.text) {
                Ok(rule) => rules.push((rule, stored, Read::Well)),
                Err(why) => match in_its_place(&stored) {
                    Ok(rule) => rules.push((rule, stored, Read::NotAtAll(why))),
                    Err(_) => tracing::error!(
                        pattern = stored.pattern,
                        "a rule that was added at run time is for nobody who is known"
                    ),
                },
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
pub(super) fn read(text: &str) -> Result<Rule, String> {
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

/// Whether a stored rule is understood.
enum Read {
    Well,
    /// With the complaints.
    NotAtAll(String),
}

/// What a rule that is not understood comes to: its destinations wait, for as long as it was given,
/// and without end where that is not understood either.
pub(super) fn in_its_place(stored: &StoredRule) -> Result<Rule, String> {
    read(&waits(stored)).or_else(|_| {
        let endless = StoredRule {
            text: String::new(),
            ..stored.clone()
        };
        read(&waits(&endless))
    })
}

fn waits(stored: &StoredRule) -> String {
    let pattern = Config::quoted(&stored.pattern);
    let table = stored.text.parse::<toml::Table>().ok();
    let expires = table.as_ref().and_then(|table| {
        let rules = table.get("rules")?.as_table()?;
        rules
            .values()
            .find_map(|rule| rule.get("expires")?.as_str())
    });
    let expires = expires.map_or_else(String::new, |at| {
        format!("expires = {}\n", Config::quoted(at))
    });
    format!("[rules.{pattern}]\nanswer = \"defer\"\n{expires}")
}

/// A pattern in the one form that rules are stored under.
pub(super) fn pattern_of(text: &str) -> Option<RulePattern> {
    let section = format!("[rules.{}]\nmode = \"audit\"\n", Config::quoted(text));
    read(&section).ok().map(|rule| rule.pattern)
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
/// For a week people may look at a rule that has ended.
const KEPT_AFTER_ITS_END_MILLIS: u64 = 7 * 86_400_000;

#[cfg(test)]
mod tests {
    use super::*;

    /// OP-05: a rule that is not understood makes its destinations wait, for as long as it says, and
    /// without end where that is not understood either.
    #[test]
    fn what_is_not_understood_waits() {
        let waits = |expires: &str| {
            let stored = StoredRule {
                pattern: "e.test".to_owned(),
                text: format!("[rules.\"e.test\"]\nlater = 1\nexpires = \"{expires}\"\n"),
                by: String::new(),
                added: Timestamp(0),
            };
            assert!(read(&stored.text).is_err());
            in_its_place(&stored).unwrap()
        };
        for (expires, until) in [
            ("1970-01-01T00:00:01Z", Some(Timestamp(1000))),
            ("when pigs fly", None),
        ] {
            let rule = waits(expires);
            assert_eq!(rule.answer, Some(PinnedLevel::Defer), "{expires}");
            assert_eq!(rule.expires, until, "{expires}");
        }
    }

    /// SV-04, OP-05: a rule that was stored before the start is known to count since it was added, and one of
    /// the configuration since nobody knows when; what changes later is a change.
    #[tokio::test(start_paused = true)]
    async fn stored_rules_have_a_beginning() {
        use crate::discover::DiscoverOptions;
        use crate::store::memory::MemoryStore;
        use crate::world::scripted::ScriptedWorld;
        let world = ScriptedWorld::new().world(Arc::new(MemoryStore::new(10)));
        let stored = |pattern: &str, added| StoredRule {
            pattern: pattern.to_owned(),
            text: format!("[rules.\"{pattern}\"]\nmode = \"audit\"\n"),
            by: String::new(),
            added: Timestamp(added),
        };
        world.store.keep_rule(stored("a.test", 1000)).await.unwrap();
        let (options, none) = (DiscoverOptions::default(), Settings::default());
        let answerer = Arc::new(Answerer::new(world, options, none, 10));
        let configured = read("[rules.\"b.test\"]\nmode = \"off\"\n").unwrap();
        let configured = Settings {
            rules: hoplock_policy::rules::Rules::new(vec![configured]),
            ..Settings::default()
        };
        let rulebook = Rulebook::new(Arc::clone(&answerer), configured);
        rulebook.begin(Timestamp(2000)).await;
        let since = || {
            let settings = answerer.settings();
            let rules = settings.rules.iter();
            rules
                .map(|rule| (rule.pattern.to_string(), rule.since))
                .collect::<Vec<_>>()
        };
        let expected =
            |pattern: &str, since: Option<u64>| (pattern.to_owned(), since.map(Timestamp));
        let mut all = vec![expected("a.test", Some(1000)), expected("b.test", None)];
        assert_eq!(since(), all);
        rulebook.add(stored("c.test", 3000)).await.unwrap();
        all.push(expected("c.test", Some(3000)));
        assert_eq!(since(), all);
    }

    /// NX-03: rules for addresses are found under each spelling of the address.
    #[test]
    fn addresses_in_disguise() {
        let address = pattern_of("192.0.2.1");
        assert!(matches!(address, Some(RulePattern::Address(_))));
        for text in ["192.0.2.1.", "[192.0.2.1]", "\u{ff11}92.0.2.1"] {
            assert_eq!(pattern_of(text), address, "{text}");
        }
    }
}
