//! `hoplock status`: how the running daemon is; status 1 where an alarm stands.

use std::process::ExitCode;

use clap::Args;
use serde_json::Value;

use super::control::{Daemon, Ended};
use super::table::span;
use super::{ConfigFile, end, exit};

#[derive(Args)]
pub(super) struct Arguments {
    /// Print JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    file: ConfigFile,
}

pub(super) fn run(arguments: &Arguments) -> ExitCode {
    end(status(arguments))
}

fn status(arguments: &Arguments) -> Result<(String, ExitCode), Ended> {
    let body = Daemon::of(&arguments.file)?.get("/api/v1/status")?;
    let value: Value = serde_json::from_str(&body).map_err(|error| {
        (
            format!("the daemon's answer is no JSON: {error}"),
            exit::failed(),
        )
    })?;
    let alarms = list(&value, "/alarms");
    let code = if alarms.is_empty() {
        exit::FINE
    } else {
        exit::failed()
    };
    let text = if arguments.json {
        super::query::pretty(&value)
    } else {
        page(&value)
    };
    Ok((text, code))
}

fn page(value: &Value) -> String {
    let mut lines = Vec::new();
    let alarms = list(value, "/alarms");
    match alarms.len() {
        0 => lines.push("All is well.".to_owned()),
        1 => lines.push("One alarm:".to_owned()),
        count => lines.push(format!("{count} alarms:")),
    }
    for alarm in alarms {
        lines.push(format!(
            "  {}: {}",
            text(alarm, "/alarm"),
            text(alarm, "/what")
        ));
        lines.push(format!("    cause: {}", text(alarm, "/cause")));
        lines.push(format!("    cure:  {}", text(alarm, "/cure")));
    }
    lines.push(String::new());
    let mut fact = |name: &str, words: String| lines.push(format!("{name:<12} {words}"));
    fact(
        "hoplock",
        format!(
            "{}, up for {}, {} connections",
            text(value, "/version"),
            span(number(value, "/uptime")),
            number(value, "/connections")
        ),
    );
    fact("resolver", resolver(value));
    fact("postfix", text(value, "/postfix/words"));
    let path = value.pointer("/store/path").and_then(Value::as_str);
    fact(
        "state",
        format!(
            "{}, {} MTA-STS policies",
            path.unwrap_or("in memory alone"),
            number(value, "/store/policies")
        ),
    );
    fact(
        "cache",
        format!(
            "{} destinations, {} answers from it, {} lookups ({} of them ahead of expiry)",
            number(value, "/cache/entries"),
            number(value, "/cache/answered_from"),
            number(value, "/cache/lookups"),
            number(value, "/cache/ahead_of_expiry")
        ),
    );
    let answers = counts(value, "/answers_last_hour");
    fact(
        "last hour",
        if answers.is_empty() {
            "no answers".to_owned()
        } else {
            let words = answers
                .iter()
                .map(|(word, count)| format!("{word} {count}"));
            words.collect::<Vec<_>>().join(", ")
        },
    );
    let sessions = counts(value, "/sessions_last_hour");
    let sessions = sessions
        .iter()
        .map(|(outcome, count)| format!("{count} {outcome}"));
    let sessions = sessions.collect::<Vec<_>>().join(", ");
    let none = sessions.is_empty();
    fact(
        "sessions",
        format!(
            "in the last hour: {}; {} in the journal, {} of them failed",
            if none { "none" } else { sessions.as_str() },
            number(value, "/journal/sessions"),
            number(value, "/journal/failed")
        ),
    );
    if let Some(words) = reports(value) {
        fact("reports", words);
    }
    if let Some(state) = value.pointer("/reports/fleet").and_then(Value::as_str) {
        let waiting = number(value, "/reports/fleet_rows_waiting");
        fact(
            "fleet",
            format!("its store is {state}, {waiting} counters wait for it"),
        );
    }
    for (name, words) in orders(value) {
        fact(name, words);
    }
    lines.join("\n") + "\n"
}

/// What the resolver is seen to do, and each server of it, where they have addresses.
fn resolver(value: &Value) -> String {
    let servers = list(value, "/resolver/servers").iter();
    let servers: Vec<String> = servers
        .map(|server| format!("{} ({})", text(server, "/address"), text(server, "/state")))
        .collect();
    let state = text(value, "/resolver/state");
    if servers.is_empty() {
        state
    } else {
        format!("{state}: {}", servers.join(", "))
    }
}

/// How TLS reports stand, where they are made.
fn reports(value: &Value) -> Option<String> {
    let is_enabled = value.pointer("/reports/enabled") == Some(&Value::Bool(true));
    let of = |name: &str| number(value, &format!("/reports/{name}"));
    is_enabled.then(|| {
        format!(
            "{} sessions counted since the start, {} reports delivered, {} attempts failed, {} given up",
            of("sessions_counted"),
            of("delivered"),
            of("attempts_failed"),
            of("given_up")
        )
    })
}

/// What the operator ordered: observing, DNSSEC set aside, rules.
fn orders(value: &Value) -> Vec<(&'static str, String)> {
    let mut all = Vec::new();
    if let Some(words) = observing(value) {
        all.push(("observing", words));
    }
    for order in list(value, "/negative_trust_anchors") {
        let field = |name: &str| text(order, &format!("/{name}"));
        let (zone, domain, until) = (field("zone"), field("domain"), field("expires"));
        let standing = field("standing");
        let words = format!("of {zone} set aside for {domain} until {until} ({standing})");
        all.push(("dnssec", words));
    }
    for rule in list(value, "/rules") {
        let until = rule.pointer("/expires").and_then(Value::as_str);
        let until = until.map_or_else(String::new, |until| format!(" until {until}"));
        let words = format!(
            "{:?} {}{until} ({}, {})",
            text(rule, "/pattern"),
            text(rule, "/says"),
            text(rule, "/standing"),
            text(rule, "/source")
        );
        all.push(("rule", words));
    }
    all
}

/// OP-03: that nothing is demanded must not be overlooked.
pub(super) fn observing(status: &Value) -> Option<String> {
    let everything = status.pointer("/observing/everything") == Some(&Value::Bool(true));
    let destinations = number(status, "/observing/destinations");
    let mut words = match (everything, destinations) {
        (false, 0) => return None,
        (false, _) => "a rule of mode audit lets mail out".to_owned(),
        (true, _) => {
            let until = text(status, "/observing/until");
            let until = if until.is_empty() {
                "without end".to_owned()
            } else {
                format!("until {until}")
            };
            let closer = match number(status, "/observing/closer_rules") {
                0 => String::new(),
                1 => " save by one closer rule,".to_owned(),
                count => format!(" save by {count} closer rules,"),
            };
            format!("NOTHING IS DEMANDED of any destination,{closer} {until}")
        }
    };
    words.push_str(&format!(
        "; {destinations} destinations would have been held to something (hoplock rule observed)"
    ));
    Some(words)
}

/// Numbers by word.
fn counts(value: &Value, pointer: &str) -> Vec<(String, u64)> {
    let counts = value.pointer(pointer).and_then(Value::as_object);
    let counts = counts.into_iter().flatten();
    counts
        .map(|(word, count)| (word.clone(), count.as_u64().unwrap_or(0)))
        .collect()
}

pub(super) fn list<'a>(value: &'a Value, pointer: &str) -> &'a [Value] {
    let list = value.pointer(pointer).and_then(Value::as_array);
    list.map_or(&[], Vec::as_slice)
}

pub(super) fn text(value: &Value, pointer: &str) -> String {
    let text = value.pointer(pointer).and_then(Value::as_str);
    text.unwrap_or_default().to_owned()
}

pub(super) fn number(value: &Value, pointer: &str) -> u64 {
    value.pointer(pointer).and_then(Value::as_u64).unwrap_or(0)
}
