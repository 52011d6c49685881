//! `hoplock query` and `hoplock explain`: the answer for one next hop, from the daemon or directly.

use std::process::ExitCode;

use clap::Args;
use hoplock_policy::next_hop::{NextHop, NotADomain, without_mailbox};
use hoplock_policy::render::{explain, json};
use serde_json::Value;

use super::control::{get, percent_encoded};
use super::engine::{load, state_folder};
use super::{ConfigFile, complain, exit, print};
use crate::config::{Config, Endpoint};
use crate::serve::engine::{Engine, Memory};

#[derive(Args)]
pub(super) struct Arguments {
    /// What the MTA would ask about: a domain, [host], [host]:port; or an address of mail, of which the domain
    /// counts.
    #[arg(value_name = "NEXTHOP", value_parser = next_hop)]
    next_hop: String,
    /// Which MTA asks.
    #[arg(long, default_value = "postfix")]
    profile: String,
    /// Print JSON.
    #[arg(long)]
    json: bool,
    /// Resolve in this process: no daemon, no cache, no store.
    #[arg(long)]
    direct: bool,
    #[command(flatten)]
    file: ConfigFile,
}

fn next_hop(text: &str) -> Result<String, std::convert::Infallible> {
    Ok(without_mailbox(text).to_owned())
}

/// How much is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Depth {
    /// The answer.
    Answer,
    /// All its evidence.
    Evidence,
}

/// What is printed, and with which exit status.
struct Printed {
    text: String,
    status: ExitCode,
}

pub(super) fn run(arguments: &Arguments, depth: Depth) -> ExitCode {
    let read = NextHop::parse(&arguments.next_hop);
    if let NextHop::NotADomain(NotADomain::Malformed(why)) = read {
        complain(&format!("{:?} is no next hop: {why}", arguments.next_hop));
        return exit::bad_input();
    }
    let config = match load(&arguments.file).and_then(super::engine::Loaded::usable) {
        Ok(config) => config,
        Err(why) => {
            complain(&why);
            return exit::bad_input();
        }
    };
    let runtime = match tokio::runtime::Runtime::new() {
        Ok(runtime) => runtime,
        Err(error) => {
            complain(&error.to_string());
            return exit::failed();
        }
    };
    let outcome = if arguments.direct {
        runtime.block_on(directly(arguments, depth, &config))
    } else {
        runtime.block_on(from_the_daemon(arguments, depth, &config))
    };
    match outcome {
        Ok(printed) => {
            print(&printed.text);
            printed.status
        }
        Err((why, status)) => {
            complain(&why);
            status
        }
    }
}

async fn directly(
    arguments: &Arguments,
    depth: Depth,
    config: &Config,
) -> Result<Printed, (String, ExitCode)> {
    let engine = Engine::start(config, &Memory::InProcess)
        .await
        .map_err(|error| (error.to_string(), exit::failed()))?;
    let Some(profile) = engine.answerer.profile(&arguments.profile) else {
        let words = format!("there is no profile {:?}; try postfix", arguments.profile);
        return Err((words, exit::bad_input()));
    };
    let answered = engine.answerer.answer(&arguments.next_hop, &profile).await;
    let settings = engine.answerer.settings();
    let view = answered.view(&arguments.next_hop, &profile.name, &settings.rules);
    let text = match (depth, arguments.json) {
        (Depth::Answer, false) => format!("{}\n", answered.rendered.to_string().trim_end()),
        (Depth::Answer, true) => pretty(&json::query(&view)),
        (Depth::Evidence, false) => explain::text(&view),
        (Depth::Evidence, true) => pretty(&json::explain(&view)),
    };
    let waits = answered.rendered.waits();
    Ok(Printed {
        text,
        status: if waits { exit::failed() } else { exit::FINE },
    })
}

async fn from_the_daemon(
    arguments: &Arguments,
    depth: Depth,
    config: &Config,
) -> Result<Printed, (String, ExitCode)> {
    let Endpoint::Unix(socket) = config.control(&state_folder()) else {
        let words = "[listen] control is no unix socket: `--direct` asks without the daemon";
        return Err((words.to_owned(), exit::not_reachable()));
    };
    let target = format!(
        "/api/v1/query?next_hop={}&profile={}",
        percent_encoded(&arguments.next_hop),
        percent_encoded(&arguments.profile)
    );
    let ask = async |evidence: &str| {
        let response = get(&socket, &format!("{target}{evidence}"))
            .await
            .map_err(|error| {
                let words = format!("{error} `--direct` asks without the daemon");
                (words, exit::not_reachable())
            })?;
        match response.status {
            200 => Ok(response.body),
            404 => Err((response.body.trim_end().to_owned(), exit::bad_input())),
            status => Err((format!("the daemon answered {status}"), exit::failed())),
        }
    };
    let evidence = if depth == Depth::Evidence {
        "&evidence=full"
    } else {
        ""
    };
    let body = ask(evidence).await?;
    let value: Value = serde_json::from_str(&body).map_err(|error| {
        (
            format!("the daemon's answer is no JSON: {error}"),
            exit::failed(),
        )
    })?;
    let field = |name: &str| value.get(name).and_then(Value::as_str).unwrap_or_default();
    let status = if field("verdict") == "defer" {
        exit::failed()
    } else {
        exit::FINE
    };
    let text = match (depth, arguments.json) {
        (_, true) => pretty(&value),
        (Depth::Answer, false) => format!("{}\n", field("reply").trim_end()),
        (Depth::Evidence, false) => ask("&evidence=text").await?,
    };
    Ok(Printed { text, status })
}

pub(super) fn pretty(value: &impl serde::Serialize) -> String {
    let text = serde_json::to_string_pretty(value);
    text.map_or_else(
        |error| format!("{{\"error\":\"{error}\"}}\n"),
        |text| text + "\n",
    )
}
