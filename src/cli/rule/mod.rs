//! `hoplock rule`: rules at run time, stored with who, when and until when.

mod negative_anchors;

use std::process::ExitCode;
use std::time::Duration;

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::control::{Daemon, Ended, percent_encoded};
use super::status::{number, text};
use super::table::table;
use super::{ConfigFile, end, exit, query};
use crate::adapters::clock::SystemClock;
use crate::config::Config;
use crate::world::Clock as _;

#[derive(Subcommand)]
pub(super) enum Command {
    /// Add a rule, in place of any for the same destinations. `rule add '*' --mode audit --until 2h`
    /// lets all mail out for two hours, save what a closer rule of yours demands.
    Add(Box<New>),
    /// All rules, those of the configuration too.
    List {
        /// Print JSON.
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        file: ConfigFile,
    },
    /// What rules of mode audit let pass: destinations that would have been held to something.
    Observed {
        /// Print JSON.
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        file: ConfigFile,
    },
    /// Remove a rule that was added at run time.
    Remove {
        /// As it is listed: a domain, .domain for all below it, or '*'.
        pattern: String,
        /// Not a rule, but the order to survive that domain's DNSSEC trouble.
        #[arg(long)]
        survive_dnssec_trouble: bool,
        /// Who removes it; without it, the user.
        #[arg(long)]
        by: Option<String>,
        #[command(flatten)]
        file: ConfigFile,
    },
}

#[derive(Args)]
pub(super) struct New {
    /// A domain, .domain for all below it, or '*'.
    pattern: String,
    /// off, audit, opportunistic, mandatory.
    #[arg(long)]
    mode: Option<String>,
    /// A level given whatever is found: none, may, encrypt, dane, dane-only, fingerprint, verify,
    /// secure, defer.
    #[arg(long)]
    answer: Option<String>,
    /// Digests for fingerprint, of a certificate or of its public key (SPKI), SHA-256 unless the profile
    /// says otherwise; `hoplock tlsa` prints both.
    #[arg(long = "fingerprint", value_name = "HEX")]
    fingerprints: Vec<String>,
    /// Reference names for secure and verify.
    #[arg(long = "name", value_name = "NAME")]
    names: Vec<String>,
    /// A PEM file whose authorities alone count for secure and verify, where Postfix finds it.
    #[arg(long, value_name = "FILE")]
    ca_file: Option<String>,
    /// Where DANE is mandatory and absent: defer, fingerprint, secure, encrypt.
    #[arg(long)]
    fallback: Option<String>,
    /// MTA-STS does not count.
    #[arg(long)]
    no_sts: bool,
    /// Not a rule: says what to tell Unbound so that mail for this domain survives its DNSSEC trouble for a
    /// time, watches until that works, and reminds when it is over. Changes nothing by itself.
    #[arg(long, requires = "until", conflicts_with_all = [
        "mode", "answer", "fingerprints", "names", "ca_file", "fallback", "no_sts"
    ])]
    survive_dnssec_trouble: bool,
    /// The zone whose DNSSEC is to be set aside, where it cannot be found out.
    #[arg(long, requires = "survive_dnssec_trouble")]
    zone: Option<String>,
    /// When it ends: a span such as 90m, 2h, 7d, or a time such as 2026-12-31T12:00:00Z.
    #[arg(long, value_name = "SPAN|TIME")]
    until: Option<String>,
    /// Why.
    #[arg(long, default_value = "")]
    comment: String,
    /// Who adds it; without it, the user.
    #[arg(long)]
    by: Option<String>,
    #[command(flatten)]
    file: ConfigFile,
}

pub(super) fn run(command: &Command) -> ExitCode {
    end(match command {
        Command::Add(new) if new.survive_dnssec_trouble => negative_anchors::add(new),
        Command::Add(new) => add(new),
        Command::List { json, file } => listed(*json, file),
        Command::Observed { json, file } => observed(*json, file),
        Command::Remove {
            pattern,
            survive_dnssec_trouble: true,
            by,
            file,
        } => negative_anchors::remove(pattern, by.as_deref(), file),
        Command::Remove {
            pattern, by, file, ..
        } => remove(pattern, by.as_deref(), file),
    })
}

fn add(new: &New) -> Result<(String, ExitCode), Ended> {
    let text = section(new).map_err(|why| (why, exit::bad_input()))?;
    let daemon = Daemon::of(&new.file)?;
    let order = json!({ "text": text, "by": who(new.by.as_deref()) });
    daemon.post("/api/v1/rules", order.to_string())?;
    let mut words = format!("in force: {:?}\n", new.pattern);
    if new.until.is_none() {
        words.push_str("it has no end; `--until` gives it one\n");
    }
    if new.pattern == "*" {
        words.push_str(&closer(&daemon)?);
    }
    Ok((words, exit::FINE))
}

/// The rules that go on in spite of one for everything.
fn closer(daemon: &Daemon) -> Result<String, Ended> {
    let rules: Value = serde_json::from_str(&daemon.get("/api/v1/rules")?).unwrap_or_default();
    let in_force = |rule: &&Value| {
        let standing = text(rule, "/standing");
        text(rule, "/pattern") != "*" && (standing == "active" || standing == "near expiry")
    };
    let lines = rules
        .as_array()
        .into_iter()
        .flatten()
        .filter(in_force)
        .map(|rule| format!("  {:?}: {}\n", text(rule, "/pattern"), text(rule, "/says")));
    let lines: String = lines.collect();
    Ok(if lines.is_empty() {
        lines
    } else {
        format!("closer rules go on:\n{lines}")
    })
}

/// The section that the configuration would have: one grammar for both.
fn section(new: &New) -> Result<String, String> {
    let quoted = |text: &str| Config::quoted(text);
    let list = |items: &[String]| {
        let items: Vec<String> = items.iter().map(|item| quoted(item)).collect();
        format!("[{}]", items.join(", "))
    };
    if new.mode.is_none() && new.answer.is_none() && !new.no_sts {
        return Err("say what it does: --mode, --answer or --no-sts".to_owned());
    }
    let mut text = format!("[rules.{}]\n", quoted(&new.pattern));
    let mut line = |key: &str, value: String| text.push_str(&format!("{key} = {value}\n"));
    for (key, value) in [
        ("mode", &new.mode),
        ("answer", &new.answer),
        ("fallback", &new.fallback),
        ("ca_file", &new.ca_file),
    ] {
        if let Some(value) = value {
            line(key, quoted(value));
        }
    }
    if !new.fingerprints.is_empty() {
        line("fingerprints", list(&new.fingerprints));
    }
    if !new.names.is_empty() {
        line("names", list(&new.names));
    }
    if new.no_sts {
        line("sts", "false".to_owned());
    }
    if !new.comment.is_empty() {
        line("comment", quoted(&new.comment));
    }
    if let Some(until) = &new.until {
        line("expires", quoted(&time(until)?));
    }
    Ok(text)
}

/// A span from now, or a time.
fn time(until: &str) -> Result<String, String> {
    if until.parse::<jiff::Timestamp>().is_ok() {
        return Ok(until.to_owned());
    }
    let (digits, unit) = until
        .split_at_checked(until.len().saturating_sub(1))
        .unwrap_or((until, ""));
    let unit = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 3600,
        "d" => 86_400,
        _ => 0,
    };
    let bad = || format!("--until {until:?}: write a span (90m, 2h, 7d) or a time (RFC 3339)");
    let seconds = digits
        .parse::<u64>()
        .ok()
        .and_then(|number| number.checked_mul(unit));
    let seconds = seconds.filter(|seconds| *seconds > 0).ok_or_else(bad)?;
    let end = SystemClock::new()
        .now()
        .later(Duration::from_secs(seconds))
        .wall;
    let millis = i64::try_from(end.0).map_err(|_| bad())?;
    let end = jiff::Timestamp::from_millisecond(millis).map_err(|_| bad())?;
    Ok(end.to_string())
}

fn listed(as_json: bool, file: &ConfigFile) -> Result<(String, ExitCode), Ended> {
    let daemon = Daemon::of(file)?;
    let body = daemon.get("/api/v1/rules")?;
    let value: Value = serde_json::from_str(&body).map_err(|error| {
        (
            format!("the daemon's answer is no JSON: {error}"),
            exit::failed(),
        )
    })?;
    if as_json {
        return Ok((query::pretty(&value), exit::FINE));
    }
    let heads = ["PATTERN", "SAYS", "STANDING", "UNTIL", "FROM", "COMMENT"];
    let mut rows = vec![heads.map(ToOwned::to_owned).to_vec()];
    for rule in value.as_array().into_iter().flatten() {
        let by = text(rule, "/by");
        let from = if by.is_empty() {
            text(rule, "/source")
        } else {
            format!("{by}, {}", text(rule, "/added"))
        };
        rows.push(vec![
            text(rule, "/pattern"),
            text(rule, "/says"),
            text(rule, "/standing"),
            text(rule, "/expires"),
            from,
            text(rule, "/comment"),
        ]);
    }
    rows.extend(negative_anchors::rows(&daemon)?);
    let page = table(&rows);
    let page = if page.is_empty() {
        "no rules\n".to_owned()
    } else {
        page
    };
    Ok((page, exit::FINE))
}

fn observed(as_json: bool, file: &ConfigFile) -> Result<(String, ExitCode), Ended> {
    let body = Daemon::of(file)?.get("/api/v1/observed")?;
    let value: Value = serde_json::from_str(&body).map_err(|error| {
        (
            format!("the daemon's answer is no JSON: {error}"),
            exit::failed(),
        )
    })?;
    if as_json {
        return Ok((query::pretty(&value), exit::FINE));
    }
    let heads = ["DESTINATION", "PROFILE", "ANSWERS", "LAST", "RULE", "WHAT"];
    let mut rows = vec![heads.map(ToOwned::to_owned).to_vec()];
    for own in value.as_array().into_iter().flatten() {
        rows.push(vec![
            text(own, "/next_hop"),
            text(own, "/profile"),
            number(own, "/answers").to_string(),
            text(own, "/last"),
            text(own, "/rule"),
            text(own, "/detail"),
        ]);
    }
    let page = table(&rows);
    let nothing = "nothing was kept from being done in the last week\n";
    let page = if page.is_empty() {
        nothing.to_owned()
    } else {
        page
    };
    Ok((page, exit::FINE))
}

fn remove(pattern: &str, by: Option<&str>, file: &ConfigFile) -> Result<(String, ExitCode), Ended> {
    let target = format!(
        "/api/v1/rules?pattern={}&by={}",
        percent_encoded(pattern),
        percent_encoded(&who(by))
    );
    Daemon::of(file)?.delete(&target)?;
    Ok((format!("removed: {pattern:?}\n"), exit::FINE))
}

/// Who gives the order: named, or the user behind sudo, or the user.
fn who(named: Option<&str>) -> String {
    #[allow(clippy::disallowed_methods, reason = "commands read their environment")]
    let variable = |name| std::env::var(name).ok().filter(|value| !value.is_empty());
    named
        .map(ToOwned::to_owned)
        .or_else(|| variable("SUDO_USER"))
        .or_else(|| variable("USER"))
        .or_else(|| variable("LOGNAME"))
        .unwrap_or_else(|| "unknown".to_owned())
}
