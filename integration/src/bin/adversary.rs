//! Searches for answers that are weaker than the truth or that strand mail for nothing, and for verdicts
//! on sessions that are better than what happened, or alarms for nothing.
//!
//! `adversary attacked|honest [--runs N] [--from SEED] [--jobs N] [--seconds N]` plays runs with
//! fresh seeds and stops at the first breach, which it cuts down and prints, or with `--all` counts
//! breaches by their kinds and does not stop, or with `--only TEXT` cares for kinds that hold the text;
//! `adversary attacked|honest --seed SEED` plays one run and prints its answers. `strictest` in place of
//! `attacked` sets everything as strictly as can be, so that less is declared.

#![allow(
    clippy::disallowed_methods,
    reason = "a search has a beginning and an end"
)]

use std::collections::BTreeMap;
use std::process::ExitCode;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use hoplock_integration::adversary::plan::{Event, Plan};
use hoplock_integration::adversary::session::happened::Happened;
use hoplock_integration::adversary::shrink::shrink;
use hoplock_integration::adversary::violation::{About, Violation};
use hoplock_integration::adversary::{draft, generate, play, run};

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let text = |name: &str| {
        let at = arguments.iter().position(|argument| argument == name)?;
        arguments.get(at + 1).cloned()
    };
    let number = |name: &str| text(name)?.parse().ok();
    let unknown = arguments
        .iter()
        .any(|argument| argument.starts_with('-') && !OPTIONS.contains(&argument.as_str()));
    let kind = match arguments.first().map(String::as_str) {
        Some("attacked") if !unknown => Search::Attacked,
        Some("honest") if !unknown => Search::Honest,
        Some("strictest") if !unknown => Search::Strictest,
        _ => {
            eprintln!(
                "usage: adversary attacked|strictest|honest [--runs N] [--from SEED] [--jobs N] \
                 [--seconds N] [--all | --only KIND] | --seed SEED"
            );
            return ExitCode::from(2);
        }
    };
    if let Some(seed) = number("--seed") {
        return show(&kind.plan(seed));
    }
    let search = Searching {
        kind,
        next: AtomicU64::new(number("--from").unwrap_or_else(fresh)),
        left: AtomicU64::new(number("--runs").unwrap_or(u64::MAX)),
        until: number("--seconds").map(|seconds| Instant::now() + Duration::from_secs(seconds)),
        answers: AtomicU64::new(0),
        sessions: AtomicU64::new(0),
        found: Mutex::new(None),
        only: text("--only"),
        kinds: arguments
            .iter()
            .any(|argument| argument == "--all")
            .then(Mutex::default),
    };
    search.search(number("--jobs").unwrap_or(2))
}

const OPTIONS: [&str; 7] = [
    "--runs",
    "--from",
    "--jobs",
    "--seconds",
    "--all",
    "--only",
    "--seed",
];

/// A seed that was hardly used before.
fn fresh() -> u64 {
    fastrand::u64(..1 << 48)
}

#[derive(Clone, Copy)]
enum Search {
    Attacked,
    Honest,
    Strictest,
}

impl Search {
    fn plan(self, seed: u64) -> Plan {
        match self {
            Self::Attacked => generate::attacked(seed),
            Self::Honest => generate::honest(seed, DESTINATIONS),
            Self::Strictest => generate::strictest(seed),
        }
    }
}

struct Searching {
    kind: Search,
    next: AtomicU64,
    left: AtomicU64,
    until: Option<Instant>,
    answers: AtomicU64,
    sessions: AtomicU64,
    found: Mutex<Option<(Plan, Violation)>>,
    /// Only breaches of a kind that holds this text.
    only: Option<String>,
    /// Breaches by kind, where the search does not stop at the first: how many, and the first seed.
    kinds: Option<Mutex<BTreeMap<String, (u64, u64)>>>,
}

impl Searching {
    fn search(&self, jobs: u64) -> ExitCode {
        let started = Instant::now();
        let from = self.next.load(Ordering::Relaxed);
        let played = AtomicU64::new(0);
        std::thread::scope(|scope| {
            for _ in 0..jobs {
                scope.spawn(|| {
                    while let Some(seed) = self.take() {
                        self.play(seed);
                        played.fetch_add(1, Ordering::Relaxed);
                    }
                });
            }
        });
        let runs = played.load(Ordering::Relaxed);
        let asked = self.answers.load(Ordering::Relaxed);
        let seconds = started.elapsed().as_secs_f32();
        let sessions = self.sessions.load(Ordering::Relaxed);
        println!(
            "{runs} runs from seed {from}, {asked} answers and {sessions} sessions judged, {seconds:.1} s"
        );
        if let Some(kinds) = &self.kinds {
            return told(&kinds.lock().unwrap_or_else(PoisonError::into_inner));
        }
        let found = self.found.lock().unwrap_or_else(PoisonError::into_inner);
        let Some((plan, violation)) = found.as_ref() else {
            println!("no breach");
            return ExitCode::SUCCESS;
        };
        println!(
            "seed {} shows {:?}: {}",
            plan.seed, violation.kind, violation.words
        );
        let breach = violation.kind;
        let is_it = |other: &Violation| other.kind == breach && self.is_wanted(other);
        let (small, violation) = shrink(plan, &is_it);
        print(&small);
        println!("{violation:#?}");
        println!("as a scenario:\n{}", draft::scenario(&small, &violation));
        ExitCode::FAILURE
    }

    fn is_wanted(&self, violation: &Violation) -> bool {
        let only = self.only.as_ref();
        only.is_none_or(|only| kind_of(violation).contains(only))
    }

    fn take(&self) -> Option<u64> {
        let over = self.until.is_some_and(|until| Instant::now() >= until);
        let found = self
            .found
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .is_some();
        if over || found {
            return None;
        }
        self.left
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| {
                left.checked_sub(1)
            })
            .ok()?;
        Some(self.next.fetch_add(1, Ordering::Relaxed))
    }

    fn play(&self, seed: u64) {
        let plan = Arc::new(self.kind.plan(seed));
        let asked = plan.events.iter().map(|(_, event)| match event {
            Event::Ask(_, times) => u64::try_from(*times).unwrap_or(0),
            _ => 0,
        });
        self.answers.fetch_add(asked.sum(), Ordering::Relaxed);
        let reported = plan
            .events
            .iter()
            .filter(|(_, event)| matches!(event, Event::Session(_)));
        let reported = u64::try_from(reported.count()).unwrap_or(0);
        self.sessions.fetch_add(reported, Ordering::Relaxed);
        let violations = run(&plan);
        if let Some(kinds) = &self.kinds {
            let mut kinds = kinds.lock().unwrap_or_else(PoisonError::into_inner);
            for violation in &violations {
                let (count, _) = kinds.entry(kind_of(violation)).or_insert((0, seed));
                *count += 1;
            }
        } else if let Some(violation) = violations.into_iter().find(|own| self.is_wanted(own)) {
            let mut found = self.found.lock().unwrap_or_else(PoisonError::into_inner);
            found.get_or_insert((Plan::clone(&plan), violation));
        }
    }
}

/// What breaches are counted by.
fn kind_of(violation: &Violation) -> String {
    let what = match &violation.about {
        About::Answer(asked) => format!("{} ({})", asked.row, asked.reason),
        About::Session(judged, _) => format!("{} ({})", judged.outcome.word(), judged.reason),
    };
    format!("{:?} {what}", violation.kind)
}

fn told(kinds: &BTreeMap<String, (u64, u64)>) -> ExitCode {
    for (kind, (count, seed)) in kinds {
        println!("{count} times, first from seed {seed}: {kind}");
    }
    if kinds.is_empty() {
        println!("no breach");
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

/// A plan, without the destinations that nobody asks about.
fn print(plan: &Plan) {
    let head = (&plan.servers, plan.floor, plan.half_dane, plan.file);
    println!(
        "servers, floor, half_dane, file: {head:?}; blind from {:?}",
        plan.blind_from
    );
    let own = (plan.own_dane, plan.pins, plan.first_contact_defers);
    println!("own DANE, pins, first contact defers: {own:?}");
    for rule in &plan.rules {
        println!("{rule:?}");
    }
    for versions in &plan.sites {
        for (from, site) in versions.iter().filter(|(_, site)| !site.hosts.is_empty()) {
            println!(
                "from {from}: {:?} {:?} {:?} signed {:?} {:?} {:?}",
                site.domain_name(),
                site.mx,
                site.ttls,
                site.domain,
                site.outside,
                site.aliases
            );
            for host in &site.hosts {
                println!("  {host:?}");
            }
            println!("  {:?}", site.sts);
        }
    }
    for attack in &plan.attacks {
        println!("{attack:?}");
    }
    for event in &plan.events {
        println!("{event:?}");
    }
}

fn show(plan: &Plan) -> ExitCode {
    let plan = Arc::new(plan.clone());
    print(&plan);
    let history = play(&plan);
    for asked in history.answers {
        println!("{asked:?}");
    }
    for remembered in history.memory {
        println!("{remembered:?}");
    }
    let happened = Happened::all(&plan);
    for judged in history.sessions {
        println!("{judged:?}");
        println!("  {:?}", happened.get(judged.event));
    }
    let violations = run(&plan);
    for violation in &violations {
        println!("{violation:#?}");
    }
    if violations.is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

/// Of one honest run.
const DESTINATIONS: usize = 100;
