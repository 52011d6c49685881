//! `--survive-dnssec-trouble`: what to tell Unbound, for how long, and what came of it (OP-02).

use std::process::ExitCode;

use serde_json::{Value, json};

use super::super::control::{Daemon, Ended, percent_encoded};
use super::super::status::{list, text};
use super::super::{ConfigFile, exit};
use super::{New, time, who};

pub(super) fn add(new: &New) -> Result<(String, ExitCode), Ended> {
    let until = new.until.as_deref().unwrap_or_default();
    let expires = time(until).map_err(|why| (why, exit::bad_input()))?;
    let daemon = Daemon::of(&new.file)?;
    let order = json!({
        "domain": new.pattern,
        "zone": new.zone,
        "expires": expires,
        "comment": new.comment,
        "by": who(new.by.as_deref()),
    });
    let order = read(&daemon.post(PATH, order.to_string())?)?;
    Ok((page(&order), exit::FINE))
}

/// The lines to be copied stand alone, and shortest first.
fn page(order: &Value) -> String {
    let field = |name: &str| text(order, &format!("/{name}"));
    let indented = |pointer: &str| {
        let lines = list(order, pointer).iter().filter_map(Value::as_str);
        lines
            .map(|line| format!("    {line}\n"))
            .collect::<String>()
    };
    let (add, remove) = (indented("/add"), indented("/remove"));
    let until = field("expires");
    let commands = list(order, "/remove").iter().filter_map(Value::as_str);
    let commands = commands.collect::<Vec<_>>().join("; ");
    format!(
        "{}: {}\n\
         The zone to set aside is {}. hoplock cannot do that: only the resolver can. In Unbound, now:\n\
         {add}\
         or, where it must outlive a restart, below `server:` in its configuration:\n    {}\n\
         Nothing below that zone is protected by DNSSEC then. At {until} at the latest:\n\
         {remove}\
         which ends by itself where you say so now:\n    \
         systemd-run --on-calendar='{}' sh -c '{commands}'\n\
         hoplock watches whether it works, and says so in its log and in `hoplock status`.\n",
        field("domain"),
        field("trouble"),
        field("zone"),
        field("line"),
        calendar(&until),
    )
}

/// A time as systemd.time(7) reads it.
fn calendar(until: &str) -> String {
    let seconds = until.split(['.', 'Z']).next().unwrap_or_default();
    format!("{} UTC", seconds.replace('T', " "))
}

pub(super) fn remove(
    domain: &str,
    by: Option<&str>,
    file: &ConfigFile,
) -> Result<(String, ExitCode), Ended> {
    let target = format!(
        "{PATH}?domain={}&by={}",
        percent_encoded(domain),
        percent_encoded(&who(by))
    );
    let order = read(&Daemon::of(file)?.delete(&target)?)?;
    let lines = list(&order, "/remove").iter().filter_map(Value::as_str);
    let lines: String = lines.map(|line| format!("    {line}\n")).collect();
    let words = format!("removed; if validation is set aside, put it back in Unbound:\n{lines}");
    Ok((words, exit::FINE))
}

/// Orders among the rules of `rule list`.
pub(super) fn rows(daemon: &Daemon) -> Result<Vec<Vec<String>>, Ended> {
    let orders = read(&daemon.get(PATH)?)?;
    let orders = orders.as_array().into_iter().flatten();
    let row = |order: &Value| {
        let field = |name: &str| text(order, &format!("/{name}"));
        vec![
            field("domain"),
            format!("DNSSEC of {} set aside", field("zone")),
            field("standing"),
            field("expires"),
            format!("{}, {}", field("by"), field("added")),
            field("comment"),
        ]
    };
    Ok(orders.map(row).collect())
}

fn read(body: &str) -> Result<Value, Ended> {
    serde_json::from_str(body).map_err(|error| {
        let words = format!("the daemon's answer is no JSON: {error}");
        (words, exit::failed())
    })
}

const PATH: &str = "/api/v1/negative-trust-anchors";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_of_systemd() {
        for until in ["2026-11-26T12:00:00Z", "2026-11-26T12:00:00.123Z"] {
            assert_eq!(calendar(until), "2026-11-26 12:00:00 UTC");
        }
    }
}
