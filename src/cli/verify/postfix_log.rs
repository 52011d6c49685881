//! The sessions of a log of Postfix, judged by what their destinations publish now.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use futures_util::stream::{self, StreamExt as _};
use hoplock_policy::moment::Timestamp;
use hoplock_policy::verify::{SessionOutcome, SessionVerdict};
use hoplock_wire::postfix_log::{Correlator, LoggedSession, parse_line};

use super::super::certificates::open;
use super::super::engine::{Loaded, load};
use super::super::{complain, exit, print};
use super::Arguments;
use crate::config::Config;
use crate::report::logged::{self, Attribution};
use crate::report::reported;
use crate::report::reported::Evidence;
use crate::serve::engine::{Engine, Memory};
use crate::serve::sessions::{Carries, Case, SessionJudge, judge_options};

pub(super) fn run(arguments: &Arguments, path: &Path) -> ExitCode {
    let prepared = load(&arguments.file)
        .and_then(Loaded::usable)
        .and_then(|config| Ok((config, sessions(path)?)));
    let (config, sessions) = match prepared {
        Ok(prepared) => prepared,
        Err(why) => {
            complain(&why);
            return exit::bad_input();
        }
    };
    let judged = tokio::runtime::Runtime::new()
        .map_err(|error| error.to_string())
        .and_then(|runtime| runtime.block_on(judge(&config, sessions)));
    match judged {
        Ok(judged) => told(&judged, arguments.json),
        Err(why) => {
            complain(&why);
            exit::failed()
        }
    }
}

/// A session for one destination, and what it comes to.
struct Judged {
    case: Case,
    told_at: String,
    verdict: SessionVerdict,
}

fn sessions(path: &Path) -> Result<Vec<LoggedSession>, String> {
    let mut input = BufReader::new(open(path)?);
    let mut correlator = Correlator::new();
    let (mut sessions, mut line) = (Vec::new(), Vec::new());
    loop {
        line.clear();
        let read = input.read_until(b'\n', &mut line);
        if read.map_err(|error| format!("{}: {error}", path.display()))? == 0 {
            break;
        }
        let text = String::from_utf8_lossy(&line);
        if let Some(line) = parse_line(text.trim_end_matches(['\r', '\n'])) {
            sessions.extend(correlator.feed(&line));
        }
    }
    sessions.extend(correlator.finish());
    let mut attribution = Attribution::default();
    let mut attributed: Vec<LoggedSession> = sessions
        .into_iter()
        .flat_map(|ended| attribution.take(ended))
        .collect();
    attributed.extend(attribution.finish());
    Ok(attributed)
}

async fn judge(config: &Config, sessions: Vec<LoggedSession>) -> Result<Vec<Judged>, String> {
    let engine = Engine::start(config, &Memory::InProcess)
        .await
        .map_err(|error| error.to_string())?;
    let now = engine.answerer.world().clock.now().wall;
    let judge = SessionJudge::new(
        Arc::clone(&engine.answerer),
        engine.authorities.clone(),
        judge_options(config),
    );
    let cases = sessions.iter().flat_map(|entry| cases(entry, now));
    let judged = stream::iter(cases).map(|(told_at, case)| {
        let judge = &judge;
        async move {
            let verdict = judge.judge(&case).await.verdict;
            Judged {
                case,
                told_at,
                verdict,
            }
        }
    });
    Ok(judged.buffered(AT_ONCE).collect().await)
}

fn cases(entry: &LoggedSession, now: Timestamp) -> Vec<(String, Case)> {
    let time = logged::time(entry, now);
    logged::sessions(entry)
        .into_iter()
        .map(|own| {
            let case = Case {
                session: own.session,
                time,
                evidence: Evidence::default(),
                word: own.word,
                carries: Carries::Mail,
            };
            (entry.time.clone(), case)
        })
        .collect()
}

fn told(judged: &[Judged], as_json: bool) -> ExitCode {
    let mut text = Vec::new();
    for own in judged {
        if as_json {
            reported::encode(&own.verdict, Some(&described(own)), &mut text);
        } else {
            text.extend_from_slice(line(own).as_bytes());
        }
    }
    if !as_json {
        text.extend_from_slice(summary(judged).as_bytes());
    }
    print(&String::from_utf8_lossy(&text));
    let failed = judged
        .iter()
        .any(|own| own.verdict.outcome == SessionOutcome::Failed);
    if failed { exit::failed() } else { exit::FINE }
}

/// Which session: when, for whom, with whom.
fn described(own: &Judged) -> String {
    let session = &own.case.session;
    let or = |text: Option<String>| text.unwrap_or_else(|| "?".to_owned());
    let next_hop = or(session.next_hop.as_ref().map(ToString::to_string));
    let host = or(session.mx_host.as_ref().map(ToString::to_string));
    let address = session.address.map(|address| format!("[{address}]"));
    let port = session.port.map(|port| format!(":{port}"));
    format!(
        "{} {next_hop} {host}{}{}",
        own.told_at,
        address.unwrap_or_default(),
        port.unwrap_or_default()
    )
}

fn line(own: &Judged) -> String {
    let verdict = &own.verdict;
    let (outcome, reason) = (verdict.outcome.word(), verdict.reason.word());
    let detail = if verdict.detail.is_empty() {
        String::new()
    } else {
        format!(": {}", verdict.detail)
    };
    format!("{} {outcome} ({reason}{detail})\n", described(own))
}

fn summary(judged: &[Judged]) -> String {
    let counts = SessionOutcome::ALL.map(|outcome| {
        let own = judged.iter().filter(|own| own.verdict.outcome == outcome);
        (outcome, own.count())
    });
    let words: Vec<String> = counts
        .iter()
        .filter(|(_, count)| *count > 0)
        .map(|(outcome, count)| format!("{count} {}", outcome.word()))
        .collect();
    if words.is_empty() {
        "no sessions that the log tells of\n".to_owned()
    } else {
        format!("{} sessions: {}\n", judged.len(), words.join(", "))
    }
}

/// Destinations looked up at once.
const AT_ONCE: usize = 32;
