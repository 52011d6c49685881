//! `hoplock cache`: what the running daemon keeps, and forgetting it.

use std::process::ExitCode;

use clap::{Args, Subcommand};
use hoplock_policy::next_hop::escaped;
use serde_json::Value;

use super::control::{Daemon, Ended, percent_encoded};
use super::status::{list, number, text};
use super::table::{span, table};
use super::{ConfigFile, end, exit, query};

#[derive(Subcommand)]
pub(super) enum Command {
    /// Destinations with their answers, and remembered MTA-STS policies.
    List {
        #[command(flatten)]
        common: Common,
    },
    /// All that is kept of one next hop; nothing is looked up.
    Show {
        /// A domain, [host], [host]:port.
        #[arg(value_name = "NEXTHOP")]
        next_hop: String,
        #[command(flatten)]
        common: Common,
    },
    /// Forget findings, so that the next question is looked up anew. Remembered MTA-STS policies
    /// stay.
    Purge {
        /// A domain, [host], [host]:port.
        #[arg(value_name = "NEXTHOP", required_unless_present = "all")]
        next_hop: Option<String>,
        /// Everything.
        #[arg(long, conflicts_with = "next_hop")]
        all: bool,
        /// Remembered MTA-STS policies too: until they are learnt again they protect nobody.
        #[arg(long)]
        policies: bool,
        #[command(flatten)]
        common: Common,
    },
    /// Everything as one JSON document.
    Export {
        #[command(flatten)]
        common: Common,
    },
}

#[derive(Args)]
pub(super) struct Common {
    /// Print JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    file: ConfigFile,
}

pub(super) fn run(command: &Command) -> ExitCode {
    end(outcome(command))
}

fn outcome(command: &Command) -> Result<(String, ExitCode), Ended> {
    let (Command::List { common }
    | Command::Show { common, .. }
    | Command::Purge { common, .. }
    | Command::Export { common }) = command;
    let daemon = Daemon::of(&common.file)?;
    let body = match command {
        Command::List { .. } => daemon.get("/api/v1/cache")?,
        Command::Show { next_hop, .. } => daemon.get(&format!(
            "/api/v1/cache/show?next_hop={}",
            percent_encoded(next_hop)
        ))?,
        Command::Export { .. } => daemon.get("/api/v1/cache/export")?,
        Command::Purge {
            next_hop, policies, ..
        } => {
            let what = match next_hop {
                Some(next_hop) => format!("next_hop={}", percent_encoded(next_hop)),
                None => "all=true".to_owned(),
            };
            let target = format!("/api/v1/cache/purge?{what}&policies={policies}");
            daemon.post(&target, String::new())?
        }
    };
    let value: Value = serde_json::from_str(&body).map_err(|error| {
        (
            format!("the daemon's answer is no JSON: {error}"),
            exit::failed(),
        )
    })?;
    let page = match command {
        _ if common.json => query::pretty(&value),
        Command::List { .. } => listed(&value),
        Command::Purge { .. } => format!(
            "forgotten: findings of {} destinations, {} policies\n",
            number(&value, "/findings"),
            number(&value, "/policies")
        ),
        Command::Show { next_hop, .. } if is_nothing(&value) => {
            format!("nothing is kept of {}\n", escaped(next_hop))
        }
        // A page for people is `hoplock explain`; here everything is shown as it is kept.
        Command::Show { .. } | Command::Export { .. } => query::pretty(&value),
    };
    Ok((page, exit::FINE))
}

fn is_nothing(shown: &Value) -> bool {
    let known = |name: &str| shown.get(name).is_some_and(|value| !value.is_null());
    !known("findings") && !known("dane_seen") && list(shown, "/policies").is_empty()
}

fn listed(value: &Value) -> String {
    let head = |words: [&str; 4]| words.map(ToOwned::to_owned).to_vec();
    let mut destinations = vec![head(["NEXT HOP", "ANSWERS", "EXPIRES IN", "QUERIES"])];
    for destination in list(value, "/destinations") {
        let verdicts: Vec<String> = list(destination, "/verdicts")
            .iter()
            .map(|verdict| format!("{} {}", text(verdict, "/0"), text(verdict, "/1")))
            .collect();
        let left = number(destination, "/expires_in");
        destinations.push(vec![
            text(destination, "/next_hop"),
            verdicts.join(", "),
            if left == 0 {
                "expired".to_owned()
            } else {
                span(left)
            },
            number(destination, "/hits").to_string(),
        ]);
    }
    let mut policies = vec![head(["MTA-STS POLICY", "MODE", "EXPIRES IN", "HOSTS"])];
    for policy in list(value, "/policies") {
        let hosts: Vec<&str> = list(policy, "/mx")
            .iter()
            .filter_map(Value::as_str)
            .collect();
        policies.push(vec![
            text(policy, "/domain"),
            text(policy, "/mode"),
            span(number(policy, "/expires_in")),
            hosts.join(" "),
        ]);
    }
    let (destinations, policies) = (table(&destinations), table(&policies));
    match (destinations.is_empty(), policies.is_empty()) {
        (true, true) => "nothing is kept yet\n".to_owned(),
        (false, false) => format!("{destinations}\n{policies}"),
        _ => destinations + &policies,
    }
}
