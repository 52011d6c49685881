//! `hoplock doctor`: looks at everything that a deferral may come from, each finding with its cure.
//! Read only: nothing is changed anywhere.
//!
//! * [`ours`]: configuration, daemon, resolver, roots, state, clock; [`sockets`]: whether they answer.
//! * [`postfix`]: Postfix's settings; [`map`] and [`table`]: how it asks us; [`ways`]: what goes around
//!   us; [`files`]: what it can read; [`pins`]: what it is handed in place of DANE.
//! * [`fit`]: which profile fits; [`rules`]: rules that never count or cannot be said; [`surveyed`]: what a
//!   survey found.
//! * [`exim`], [`sendmail`]: the same of those.
//! * [`reporting`]: whether TLS reports can leave.
//! * [`alarms`]: what the running daemon sees otherwise.

mod alarms;
mod exim;
mod files;
mod fit;
mod map;
mod ours;
mod pins;
mod postfix;
mod reporting;
mod rules;
mod sendmail;
mod sockets;
mod surveyed;
mod table;
mod ways;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use serde::Serialize;

use super::engine::load;
use super::{ConfigFile, complain, exit, print, query};
use crate::adapters::clock::SystemClock;
use crate::adapters::dns::system;
use crate::adapters::postfix::Settings;
use crate::adapters::program::{ProgramError, is_root};
use crate::config::Config;
use crate::world::Clock as _;

#[derive(Args)]
pub(super) struct Arguments {
    /// Print JSON.
    #[arg(long)]
    json: bool,
    /// What `hoplock survey --json` printed, or its --resume file: which destinations will wait, and why.
    #[arg(long, value_name = "FILE")]
    survey: Option<PathBuf>,
    #[command(flatten)]
    file: ConfigFile,
}

/// One thing that was looked at.
#[derive(Clone, Debug, Serialize)]
struct Finding {
    /// A stable word.
    check: &'static str,
    state: State,
    /// What was seen.
    what: String,
    /// What to do; empty where nothing is to be done.
    #[serde(skip_serializing_if = "String::is_empty")]
    cure: String,
}

/// How it stands with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum State {
    /// Nothing to do.
    Fine,
    /// Could be better; mail is as safe as promised.
    Advice,
    /// Mail will wait, or is less safe than promised.
    Problem,
}

/// Everything that was looked at.
#[derive(Default)]
struct Findings(Vec<Finding>);

impl Findings {
    fn fine(&mut self, check: &'static str, what: impl Into<String>) {
        self.add(check, State::Fine, what.into(), String::new());
    }

    fn advice(&mut self, check: &'static str, what: impl Into<String>, cure: impl Into<String>) {
        self.add(check, State::Advice, what.into(), cure.into());
    }

    fn problem(&mut self, check: &'static str, what: impl Into<String>, cure: impl Into<String>) {
        self.add(check, State::Problem, what.into(), cure.into());
    }

    fn add(&mut self, check: &'static str, state: State, what: String, cure: String) {
        self.0.push(Finding {
            check,
            state,
            what,
            cure,
        });
    }

    /// Whether one of these checks found a problem.
    fn any_problem(&self, checks: &[&str]) -> bool {
        self.0
            .iter()
            .any(|finding| finding.state == State::Problem && checks.contains(&finding.check))
    }

    fn count(&self, state: State) -> usize {
        self.0
            .iter()
            .filter(|finding| finding.state == state)
            .count()
    }
}

#[derive(Serialize)]
struct Report<'a> {
    problems: usize,
    findings: &'a [Finding],
}

pub(super) fn run(arguments: &Arguments) -> ExitCode {
    let runtime = match tokio::runtime::Runtime::new() {
        Ok(runtime) => runtime,
        Err(error) => {
            complain(&error.to_string());
            return exit::failed();
        }
    };
    let mut findings = runtime.block_on(examine(&arguments.file));
    if let Some(path) = &arguments.survey {
        surveyed::survey(&mut findings, path);
    }
    let problems = findings.count(State::Problem);
    if arguments.json {
        print(&query::pretty(&Report {
            problems,
            findings: &findings.0,
        }));
    } else {
        print(&page(&findings));
    }
    if problems == 0 {
        exit::FINE
    } else {
        exit::failed()
    }
}

async fn examine(file: &ConfigFile) -> Findings {
    let mut findings = Findings::default();
    let loaded = match load(file) {
        Ok(loaded) => loaded,
        Err(why) => {
            findings.problem(
                "configuration",
                why,
                "name a file that can be read: --config FILE",
            );
            return findings;
        }
    };
    let Some(config) = ours::configuration(&mut findings, &loaded) else {
        return findings;
    };
    let running = ours::daemon(&mut findings, file, &config).await;
    ours::resolver(&mut findings, &config).await;
    ours::roots(&mut findings, &config);
    sockets::sockets(&mut findings, &config).await;
    ours::datagrams(&mut findings, &config);
    ours::state(&mut findings, &config);
    reporting::reporting(&mut findings, &config).await;
    let is_postfix = mail_servers(&mut findings, &config).await;
    let now = SystemClock::new().now().wall;
    rules::of_configuration(&mut findings, &config, &asking(&config, is_postfix), now);
    // Last, since what was found above need not be told twice.
    if let Some(status) = running {
        let status = ours::settled(&findings, file, status).await;
        rules::of_daemon(&mut findings, &status);
        alarms::of(&mut findings, &status, &config, is_postfix);
    }
    findings
}

/// The profiles of whoever asks here.
fn asking(config: &Config, is_postfix: bool) -> Vec<&'static str> {
    let mut profiles = Vec::new();
    if is_postfix {
        profiles.push("postfix");
    }
    if !config.listen.readsocket.is_empty() {
        profiles.push("exim");
    } else if !is_postfix {
        profiles.push("sendmail");
    }
    profiles
}

/// Each that is installed; usually there is one. False where that is another than Postfix.
async fn mail_servers(findings: &mut Findings, config: &Config) -> bool {
    let now = SystemClock::new().now().wall;
    let missing = match tokio::task::spawn_blocking(Settings::read).await {
        Ok(Ok(settings)) => {
            let own_dane = if pins::are_asked_for(&settings, config) {
                pins::own_dane_works(&settings, config).await
            } else {
                postfix::dnssec(findings, &settings, config).await;
                !findings.any_problem(fit::OWN_DANE)
            };
            fit::postfix(findings, &settings, config, own_dane);
            pins::anchors(findings, &settings, config);
            postfix::levels(findings, &settings, config);
            files::certificates(findings, &settings);
            map::policy_maps(findings, &settings, config);
            ways::around(findings, &settings, config, now);
            false
        }
        Ok(Err(ProgramError::NotInstalled(_))) => true,
        Ok(Err(error)) => {
            findings.problem(
                "postfix",
                format!("Postfix's settings cannot be read: {error}"),
                "`postconf` must work for this user; `postfix check` says what is wrong",
            );
            false
        }
        Err(error) => {
            findings.problem("postfix", error.to_string(), "please report this");
            false
        }
    };
    let others = [
        of_exim(findings, config, missing).await,
        of_sendmail(findings, config, missing).await,
    ];
    let is_other = missing && others.contains(&true);
    if missing && !is_other {
        findings.advice(
            "postfix",
            "there is no Postfix, Exim or Sendmail on this machine; no settings were looked at",
            "run `hoplock doctor` where the mail server runs; for a Postfix elsewhere say own_dane = \
             \"yes\" in its profile once it validates",
        );
    }
    !is_other
}

/// False where there is no Exim. Beside a Postfix one that does not ask is left alone: it was left
/// behind.
async fn of_exim(findings: &mut Findings, config: &Config, is_alone: bool) -> bool {
    use crate::adapters::exim::Settings;
    let settings = match tokio::task::spawn_blocking(Settings::read).await {
        Ok(Ok(settings)) => settings,
        Ok(Err(ProgramError::NotInstalled(_))) => return false,
        Ok(Err(error)) => {
            let what = format!("Exim's settings cannot be read: {error}");
            if is_alone && is_root() {
                let cure = "`exim -bP config` must work; `exim -bV` says what is wrong";
                findings.problem("exim", what, cure);
            } else if is_alone {
                findings.advice("exim", what, ours::AS_ROOT);
            }
            return true;
        }
        Err(_) => return false,
    };
    if !is_alone && config.listen.readsocket.is_empty() {
        return true;
    }
    if settings.is_hidden() && !is_root() {
        let what = "Exim shows its settings to its administrators only";
        findings.advice("exim", what, ours::AS_ROOT);
        return true;
    }
    let resolv_conf = system::resolv_conf();
    if exim::settings(findings, &settings, config, resolv_conf.as_deref()) {
        exim::answer(findings, &settings);
    }
    true
}

/// False where there is no Sendmail.
async fn of_sendmail(findings: &mut Findings, config: &Config, is_alone: bool) -> bool {
    use crate::adapters::sendmail::Settings;
    let (settings, abilities) = match tokio::task::spawn_blocking(Settings::read).await {
        Ok(Ok(Some(both))) => both,
        Ok(Ok(None)) | Err(_) => return false,
        Ok(Err(error)) => {
            let what = format!("sendmail.cf cannot be read: {error}");
            findings.advice("sendmail", what, ours::AS_ROOT);
            return true;
        }
    };
    if !is_alone && settings.map_named(sendmail::STS).is_none() {
        return true;
    }
    if sendmail::settings(findings, &settings, &abilities, config) {
        sendmail::answers(findings, &settings, config).await;
    }
    true
}

fn page(findings: &Findings) -> String {
    let mut text = String::new();
    for finding in &findings.0 {
        let mark = match finding.state {
            State::Fine => "ok      ",
            State::Advice => "advice  ",
            State::Problem => "PROBLEM ",
        };
        text.push_str(&format!("{mark}{}: {}\n", finding.check, finding.what));
        if !finding.cure.is_empty() {
            text.push_str(&format!("        cure: {}\n", finding.cure));
        }
    }
    let (problems, advice) = (
        findings.count(State::Problem),
        findings.count(State::Advice),
    );
    text.push_str(&match (problems, advice) {
        (0, 0) => "\nNothing to do.\n".to_owned(),
        (0, _) => "\nNothing that must be done.\n".to_owned(),
        (1, _) => "\nOne problem.\n".to_owned(),
        (count, _) => format!("\n{count} problems.\n"),
    });
    text
}
