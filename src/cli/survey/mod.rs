//! `hoplock survey`: what a list of domains, or the recipients of a mail log, would be answered.
//!
//! * [`destinations`]: the input.
//! * [`ask`]: whoever answers; [`journal`]: what is finished.
//! * [`answers`]: which are weak, and counts; [`page`]: how they are printed.
//! * [`progress`]: how far it is.

mod answers;
mod ask;
mod destinations;
mod journal;
mod page;
mod progress;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use futures_util::stream::{self, StreamExt as _};
use tokio::signal::unix::{SignalKind, signal};
use tokio::time::{Interval, MissedTickBehavior, interval};

pub(super) use self::answers::Surveyed;
use self::ask::Oracle;
use self::destinations::{Destination, Destinations};
use self::journal::{Finished, Head, Journal};
use self::progress::Progress;
use super::control::Ended;
use super::engine::{Loaded, load};
use super::{ConfigFile, complain, exit, print};
use crate::config::Config;

#[derive(Args)]
pub(super) struct Arguments {
    /// A list with a domain, next hop or address in each line, or a log of Postfix, Exim or Sendmail,
    /// whose recipients' domains count by their messages; which it is shows in its lines. `-` reads
    /// standard input.
    #[arg(value_name = "FILE|-")]
    file: PathBuf,
    /// Which MTA would ask; may be given more than once.
    #[arg(long = "profile", value_name = "P", default_value = "postfix")]
    profiles: Vec<String>,
    /// Print JSON: a line for each destination, and one with the counts.
    #[arg(long, conflicts_with = "csv")]
    json: bool,
    /// Print CSV: a row for each destination and profile; the counts go to standard error.
    #[arg(long)]
    csv: bool,
    /// Note what is finished in this file, and go on from it where a survey was interrupted.
    #[arg(long, value_name = "FILE")]
    resume: Option<PathBuf>,
    /// At most so many destinations a second; 0 for no such bound.
    #[arg(long, value_name = "N", default_value_t = 25)]
    rate: u32,
    /// Resolve in this process: no daemon, no cache, no store.
    #[arg(long)]
    direct: bool,
    #[command(flatten)]
    config: ConfigFile,
}

/// How it is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    Table,
    Csv,
    Json,
}

/// What was found out.
struct Outcome {
    profiles: Vec<String>,
    /// The broken and the weak ones first.
    all: Vec<Surveyed>,
    /// Destinations that the input names.
    total: usize,
    /// Lines of it that name none and should.
    unreadable: u64,
}

/// Why it ended before all were asked.
enum Stopped {
    ByOrder,
    Failed(Ended),
}

pub(super) fn run(arguments: &Arguments) -> ExitCode {
    let form = match (arguments.json, arguments.csv) {
        (true, _) => Form::Json,
        (false, true) => Form::Csv,
        (false, false) => Form::Table,
    };
    match survey(arguments) {
        Ok((outcome, stopped)) => {
            print(&page::page(&outcome, form));
            if form == Form::Csv {
                complain(page::summary(&outcome).trim_end());
            }
            let Some(stopped) = stopped else {
                return exit::FINE;
            };
            let (why, status) = match stopped {
                Stopped::ByOrder => ("stopped".to_owned(), exit::FINE),
                Stopped::Failed(ended) => ended,
            };
            let asked = format!("{} of {} were asked", outcome.all.len(), outcome.total);
            let way = match &arguments.resume {
                Some(_) => "the same command goes on from here",
                None => "with `--resume FILE` another run could have gone on from here",
            };
            complain(&format!("{why}: {asked}; {way}"));
            status
        }
        Err((why, status)) => {
            complain(&why);
            status
        }
    }
}

fn survey(arguments: &Arguments) -> Result<(Outcome, Option<Stopped>), Ended> {
    let bad_input = |why| (why, exit::bad_input());
    let config = load(&arguments.config)
        .and_then(Loaded::usable)
        .map_err(bad_input)?;
    let runtime =
        tokio::runtime::Runtime::new().map_err(|error| (error.to_string(), exit::failed()))?;
    runtime.block_on(async {
        let input = destinations::read(&arguments.file, complain).map_err(bad_input)?;
        let oracle = oracle(arguments, &config).await?;
        let profiles = oracle.profiles();
        let head = Head {
            survey: 1,
            profiles: profiles.clone(),
            direct: arguments.direct,
        };
        let (journal, finished) = match &arguments.resume {
            Some(path) => {
                let (journal, finished) = Journal::open(path, &head).map_err(bad_input)?;
                (Some(journal), finished)
            }
            None => (None, Finished::new()),
        };
        let (total, unreadable) = (input.all.len(), input.unreadable);
        let (mut all, todo) = divide(input, finished);
        let asking = Asking {
            oracle: &oracle,
            rate: arguments.rate,
            progress: Progress::new(total, all.len()),
            journal,
        };
        let stopped = asking.all(todo, &mut all).await;
        answers::sort(&mut all);
        let outcome = Outcome {
            profiles,
            all,
            total,
            unreadable,
        };
        Ok((outcome, stopped))
    })
}

async fn oracle(arguments: &Arguments, config: &Config) -> Result<Oracle, Ended> {
    if arguments.direct {
        Oracle::direct(config, &arguments.profiles).await
    } else {
        Oracle::daemon(config, &arguments.profiles).await
    }
}

/// What is finished, with the weights of this input, and what is left to be asked.
fn divide(input: Destinations, mut finished: Finished) -> (Vec<Surveyed>, Vec<Destination>) {
    let (mut all, mut todo) = (Vec::new(), Vec::new());
    for own in input.all {
        match finished.remove(&own.next_hop) {
            Some(answers) => all.push(Surveyed {
                next_hop: own.next_hop,
                weight: own.weight,
                answers,
            }),
            None => todo.push(own),
        }
    }
    (all, todo)
}

struct Asking<'a> {
    oracle: &'a Oracle,
    rate: u32,
    progress: Progress,
    journal: Option<Journal>,
}

impl Asking<'_> {
    /// Asks for all that is left; whatever stops it, what is finished is kept.
    async fn all(mut self, todo: Vec<Destination>, all: &mut Vec<Surveyed>) -> Option<Stopped> {
        let stopped = self.until_stopped(todo, all).await;
        self.progress.clear();
        let synced = self.journal.as_mut().map_or(Ok(()), Journal::sync);
        match (stopped, synced) {
            (None | Some(Stopped::ByOrder), Err(why)) => {
                Some(Stopped::Failed((why, exit::failed())))
            }
            (stopped, _) => stopped,
        }
    }

    async fn until_stopped(
        &mut self,
        todo: Vec<Destination>,
        all: &mut Vec<Surveyed>,
    ) -> Option<Stopped> {
        let signals = (
            signal(SignalKind::interrupt()),
            signal(SignalKind::terminate()),
        );
        let (Ok(mut interrupt), Ok(mut terminate)) = signals else {
            let words = "signals cannot be listened to".to_owned();
            return Some(Stopped::Failed((words, exit::failed())));
        };
        let oracle = self.oracle;
        let ticks = ticks(self.rate);
        let started = stream::unfold((todo.into_iter(), ticks), |(mut todo, mut ticks)| async {
            let next = todo.next()?;
            if let Some(ticks) = &mut ticks {
                ticks.tick().await;
            }
            Some((next, (todo, ticks)))
        });
        let asked = started
            .map(|own| async move { (oracle.ask(&own.next_hop).await, own) })
            .buffer_unordered(AT_ONCE);
        let mut asked = std::pin::pin!(asked);
        loop {
            let next = tokio::select! {
                _ = interrupt.recv() => return Some(Stopped::ByOrder),
                _ = terminate.recv() => return Some(Stopped::ByOrder),
                next = asked.next() => next?,
            };
            let (answers, own) = match next {
                (Ok(answers), own) => (answers, own),
                (Err(ended), _) => return Some(Stopped::Failed(ended)),
            };
            let own = Surveyed {
                next_hop: own.next_hop,
                weight: own.weight,
                answers,
            };
            if let Some(journal) = &mut self.journal
                && let Err(why) = journal.note(&own)
            {
                return Some(Stopped::Failed((why, exit::failed())));
            }
            all.push(own);
            self.progress.step();
        }
    }
}

fn ticks(rate: u32) -> Option<Interval> {
    // Faster than a clock counts is without a limit.
    let period = Duration::from_secs(1)
        .checked_div(rate)
        .filter(|period| !period.is_zero())?;
    let mut ticks = interval(period);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    Some(ticks)
}

/// As many as the daemon has seats for.
const AT_ONCE: usize = 16;
