//! Playing of scenarios against the scripted world, with a clock that is set by hand.

mod publish;

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use hoplock::answer::{Answered, Answerer, Settings};
use hoplock::config::Config;
use hoplock::discover::DiscoverOptions;
use hoplock::world::Clock as _;
use hoplock::world::scripted::ScriptedWorld;
use hoplock_policy::dns::RecordType;
use hoplock_policy::name::DomainName;
use hoplock_policy::profile::Profile;
use hoplock_policy::render::json;
use tempfile::TempDir;
use tokio::time::Instant;

use super::expect::Last;
use super::load::{Scenario, duration};
use super::log::Log;
use super::store::{Faults, StagedStore};
use super::words::{Looked, resolver};
use super::{Step, WallStep};

/// Plays one scenario; every fault with its line.
pub fn run(scenario: &Scenario) -> Vec<String> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .unwrap();
    let log = Log::default();
    let playing = async {
        let mut stage = Stage::new(scenario, log.clone());
        let mut faults = Vec::new();
        for (line, step) in &scenario.steps {
            if let Err(words) = stage.play(step).await {
                faults.push(format!("{}:{line}: {words}", scenario.file.display()));
            }
        }
        faults
    };
    log.during(|| runtime.block_on(playing))
}

/// The scripted world, the answerer over it, and what came of the last question.
struct Stage {
    world: Arc<ScriptedWorld>,
    folder: TempDir,
    faults: Arc<Faults>,
    entries: usize,
    answerer: Answerer,
    /// Section, key and value of each option.
    options: Vec<(&'static str, String, String)>,
    rules: String,
    /// Lines of rules came since the configuration was read: the last of them makes it whole.
    are_rules_new: bool,
    profile: Vec<(String, String)>,
    /// Names and types already written in the section at hand.
    written: Vec<(DomainName, RecordType)>,
    log: Log,
    last: Option<Last>,
}

impl Stage {
    fn new(scenario: &Scenario, log: Log) -> Self {
        let world = ScriptedWorld::new();
        let entries = scenario.steps.iter().find_map(|(_, step)| match step {
            Step::Option(name, value) if name == "cache_entries" => value.parse().ok(),
            _ => None,
        });
        let entries = entries.unwrap_or(1000);
        let folder = tempfile::tempdir().unwrap();
        let faults = Arc::default();
        let answerer = answerer(&world, &folder, &faults, entries);
        Self {
            world,
            folder,
            faults,
            entries,
            answerer,
            options: Vec::new(),
            rules: String::new(),
            are_rules_new: false,
            profile: Vec::new(),
            written: Vec::new(),
            log,
            last: None,
        }
    }

    async fn play(&mut self, step: &Step) -> Result<(), String> {
        if !matches!(step, Step::Dns(_)) {
            self.written.clear();
        }
        match step {
            Step::Option(name, value) => self.option(name, value),
            Step::Profile(name, value) => {
                self.profile.retain(|(own, _)| own != name);
                self.profile.push((name.clone(), value.clone()));
                self.configure()
            }
            Step::Rule(line) => {
                // A rule stands on several lines: it counts when something is asked.
                self.rules.push_str(line);
                self.rules.push('\n');
                self.are_rules_new = true;
                Ok(())
            }
            Step::Resolver(words) => {
                match resolver(words)? {
                    Looked::Resolver(validation) => self.world.validates(validation),
                    Looked::WhenTested(validation) => self.world.will_validate(validation),
                    Looked::Postfix(seen) => self.world.mta(seen),
                }
                Ok(())
            }
            Step::Dns(line) => self.dns(line),
            Step::Https(line) => self.https(line),
            Step::Pass(by) => {
                self.world.pass(*by);
                Ok(())
            }
            Step::Wall(WallStep::To(millis)) => {
                self.world.set_wall(*millis);
                Ok(())
            }
            Step::Wall(WallStep::By(millis)) => {
                self.world.step_wall(*millis);
                Ok(())
            }
            Step::Round => {
                self.round().await;
                Ok(())
            }
            Step::Rounds(whole, step) => {
                let mut passed = Duration::ZERO;
                while passed < *whole {
                    self.world.pass(*step);
                    passed += *step;
                    self.round().await;
                }
                Ok(())
            }
            Step::Restart => {
                // The file has one owner: the old process is gone before the new one comes.
                let nobody = ScriptedWorld::new();
                let elsewhere = tempfile::tempdir().unwrap();
                self.answerer = answerer(&nobody, &elsewhere, &self.faults, 1);
                self.settle().await;
                self.answerer = answerer(&self.world, &self.folder, &self.faults, self.entries);
                self.configure()
            }
            Step::Store(words) => self.faults.order(words),
            Step::Ask(key, profile, times) => self.ask(key, profile, *times).await,
            Step::Expect(line) => self.expect(line),
        }
    }

    /// One background round, and all that it started.
    async fn round(&self) {
        for started in self.answerer.background() {
            started.await.unwrap();
        }
    }

    /// Lets tasks that nobody waits for end.
    async fn settle(&self) {
        for _ in 0..100 {
            tokio::task::yield_now().await;
        }
    }

    fn option(&mut self, name: &str, value: &str) -> Result<(), String> {
        let (section, key) = match name {
            "dane" => ("dane", "enabled"),
            "half_dane"
            | "srv_submission"
            | "map_pkix_usages"
            | "complete_ca_set"
            | "trust_anchor_digests"
            | "force_insecure_host_tlsa" => ("dane", name),
            "sts" => ("sts", "enabled"),
            "testing_as_enforce" => ("sts", name),
            "first_contact" => ("sts", "on_first_contact_failure"),
            "mx_hosts" => ("limits", name),
            // The cache is made with its size.
            "cache_entries" => return Ok(()),
            _ => return Err(format!("unknown option {name:?}")),
        };
        let is_word = value.parse::<u32>().is_err() && value.parse::<bool>().is_err();
        let value = if is_word {
            format!("{value:?}")
        } else {
            value.to_owned()
        };
        self.options
            .retain(|(own, name, _)| (*own, name.as_str()) != (section, key));
        self.options.push((section, key.to_owned(), value));
        self.configure()
    }

    /// Rules, options and profile as the configuration reads them.
    fn configure(&mut self) -> Result<(), String> {
        let mut text = String::new();
        for section in ["dane", "sts", "limits"] {
            text.push_str(&format!("[{section}]\n"));
            for (_, key, value) in self.options.iter().filter(|(own, ..)| *own == section) {
                text.push_str(&format!("{key} = {value}\n"));
            }
        }
        text.push_str(&self.rules);
        if !self.profile.is_empty() {
            text.push_str("[profile.postfix]\n");
            for (name, value) in &self.profile {
                text.push_str(&format!("{name} = {value}\n"));
            }
        }
        let (config, complaints) = Config::parse(&text, &[]);
        let Some(config) = config else {
            // A rule is written over several lines; the last one makes it whole.
            let words: Vec<String> = complaints.iter().map(ToString::to_string).collect();
            return Err(words.join("; "));
        };
        let options = hoplock::serve::engine::discover_options(&config);
        self.answerer.reload_discovery(options);
        self.answerer
            .reload(hoplock::serve::engine::settings(&config));
        Ok(())
    }

    async fn ask(&mut self, key: &str, profile: &str, times: usize) -> Result<(), String> {
        if self.are_rules_new {
            self.configure()?;
            self.are_rules_new = false;
        }
        self.world.take_asked();
        self.world.take_fetched();
        let profile: Arc<Profile> = self
            .answerer
            .profile(profile)
            .ok_or_else(|| format!("no profile {profile:?}"))?;
        #[allow(clippy::disallowed_methods, reason = "the paused clock of the runtime")]
        let started = Instant::now();
        let questions = (0..times).map(|_| self.answerer.answer(key, &profile));
        let answers: Vec<Arc<Answered>> = futures_util::future::join_all(questions).await;
        let waited = started.elapsed();
        let answered = answers.last().ok_or("ask at least once")?;
        let settings = self.answerer.settings();
        let view = answered.view(key, &profile.name, &settings.rules);
        let json = serde_json::to_value(json::explain(&view)).unwrap();
        self.last = Some(Last {
            json,
            asked: self.world.take_asked(),
            fetched: self.world.take_fetched().len(),
            waited,
            replies: answers
                .iter()
                .map(|answered| answered.rendered.to_string())
                .collect(),
        });
        Ok(())
    }

    fn expect(&mut self, line: &str) -> Result<(), String> {
        let last = self.last.as_mut().ok_or("nothing was asked yet")?;
        // What the background did meanwhile counts too.
        if let Some(wanted) = line.strip_prefix("dane lost = ") {
            let lost = self.answerer.counters().dane_lost.load(Ordering::Relaxed);
            return if wanted.parse() == Ok(lost) {
                Ok(())
            } else {
                Err(format!("found {lost}, expected {line:?}"))
            };
        }
        if let Some((long, wanted)) = line
            .strip_prefix("waiting for ")
            .and_then(|rest| rest.split_once(" = "))
        {
            let waiting = self.answerer.waiting();
            let waiting = waiting.longer_than(duration(long)?, self.world.now()).len();
            return if wanted.parse() == Ok(waiting) {
                Ok(())
            } else {
                Err(format!("found {waiting}, expected {line:?}"))
            };
        }
        if let Some((words, wanted)) = line
            .strip_prefix("logged ")
            .and_then(|rest| rest.rsplit_once(" = "))
        {
            let lines = self.log.count(words);
            return if wanted.parse() == Ok(lines) {
                Ok(())
            } else {
                Err(format!("found {lines}, expected {line:?}"))
            };
        }
        last.asked.extend(self.world.take_asked());
        last.fetched += self.world.take_fetched().len();
        last.holds(line)
    }
}

fn answerer(
    world: &Arc<ScriptedWorld>,
    folder: &TempDir,
    faults: &Arc<Faults>,
    entries: usize,
) -> Answerer {
    let store = StagedStore::open(folder, entries, world.now(), faults);
    let options = DiscoverOptions::default();
    Answerer::new(world.world(store), options, Settings::default(), entries)
}
