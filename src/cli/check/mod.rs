//! `hoplock check`: every host of a destination, spoken to now, and judged by what it owes.
//!
//! * `probe`: looks up and connects; `judge`: what a probe comes to.
//! * `page` with `block`, and `json`: what is printed; `advice`: what to do about it.
//! * `watched`: `--watch`, one's own domains.

mod advice;
mod block;
mod json;
mod judge;
mod page;
pub(super) mod probe;
mod watched;

use std::collections::BTreeMap;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Args, ValueEnum};
use futures_util::stream::{self, StreamExt as _};
use hoplock_policy::moment::Timestamp;
use hoplock_policy::name::DomainName;
use hoplock_policy::next_hop::{NextHop, NotADomain};
use serde_json::{Value, json};
use tokio::time::MissedTickBehavior;

use self::judge::Standing;
use self::probe::{Checked, Checker};
use super::engine::{Loaded, load};
use super::query::pretty;
use super::{ConfigFile, complain, exit, is_read, print};
use crate::config::Config;
use crate::world::probe::Engine;

#[derive(Args)]
#[command(after_long_help = HELP)]
pub(super) struct Arguments {
    /// What mail would be delivered to: a domain, [host], [host]:port. With --watch one's own domains;
    /// without any, those of [watch] domains.
    #[arg(value_name = "NEXTHOP", required_unless_present = "watch")]
    next_hops: Vec<String>,
    /// Print JSON: one object for all destinations; with --repeat one line for each that has changed.
    #[arg(long)]
    json: bool,
    /// Who does TLS: `rustls`, in this process, or the program `openssl`, which also speaks what is too
    /// old for rustls, and says by itself what it makes of TLSA records.
    #[arg(long, value_name = "ENGINE", default_value = "rustls")]
    engine: TlsEngine,
    /// Look at one's own domains as the daemon watches them: what they publish and what their hosts show,
    /// ahead of trouble.
    #[arg(long, conflicts_with = "repeat")]
    watch: bool,
    /// Look again every minute and print what has changed, until Ctrl-C.
    #[arg(long)]
    repeat: bool,
    /// The name to say in EHLO; without it the one that Postfix says, else this machine's.
    #[arg(long, value_name = "NAME")]
    helo: Option<String>,
    #[command(flatten)]
    file: ConfigFile,
}

/// Who does TLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum TlsEngine {
    /// In this process.
    Rustls,
    /// The program of that name.
    Openssl,
}

impl From<TlsEngine> for Engine {
    fn from(engine: TlsEngine) -> Self {
        match engine {
            TlsEngine::Rustls => Self::Rustls,
            TlsEngine::Openssl => Self::Openssl,
        }
    }
}

pub(super) fn run(arguments: &Arguments) -> ExitCode {
    if arguments.watch {
        return watched::run(arguments);
    }
    let (config, helo) = match prepared(arguments) {
        Ok(prepared) => prepared,
        Err(why) => {
            complain(&why);
            return exit::bad_input();
        }
    };
    let runtime = match tokio::runtime::Runtime::new() {
        Ok(runtime) => runtime,
        Err(error) => {
            complain(&error.to_string());
            return exit::inconclusive();
        }
    };
    let outcome = runtime.block_on(async {
        let checker = Checker::start(&config, arguments.engine.into(), helo).await?;
        Ok::<_, String>(if arguments.repeat {
            again(arguments, &checker).await
        } else {
            once(arguments, &checker).await
        })
    });
    match outcome {
        Ok(standings) => status(&standings),
        Err(why) => {
            complain(&why);
            exit::inconclusive()
        }
    }
}

/// Nothing is connected to before everything that was asked can be read.
fn prepared(arguments: &Arguments) -> Result<(Config, Option<DomainName>), String> {
    for asked in &arguments.next_hops {
        readable(asked)?;
    }
    let helo = helo(arguments)?;
    let config = load(&arguments.file).and_then(Loaded::usable)?;
    let is_service = |asked: &&String| matches!(NextHop::parse(asked), NextHop::Service { .. });
    let service = arguments.next_hops.iter().find(is_service);
    if let Some(asked) = service.filter(|_| !config.dane.srv_submission) {
        let words = "its hosts are found by SRV records; say [dane] srv_submission = true";
        return Err(format!("{asked:?} is no destination to check: {words}"));
    }
    Ok((config, helo))
}

fn helo(arguments: &Arguments) -> Result<Option<DomainName>, String> {
    let Some(text) = &arguments.helo else {
        return Ok(None);
    };
    let name = DomainName::parse(text);
    name.map(Some)
        .map_err(|why| format!("--helo {text:?} is no name: {why}"))
}

fn readable(asked: &str) -> Result<(), String> {
    let why = match NextHop::parse(asked) {
        NextHop::Domain { .. } | NextHop::Host { .. } | NextHop::Service { .. } => return Ok(()),
        NextHop::Parent(_) => "it stands for all domains below it, and has no hosts".to_owned(),
        NextHop::NotADomain(NotADomain::Malformed(why)) => why.to_string(),
        NextHop::NotADomain(NotADomain::Address(_)) => {
            "an address publishes nothing that it could be held to".to_owned()
        }
        NextHop::NotADomain(NotADomain::SingleLabel(_)) => {
            "a name of one label has no policy".to_owned()
        }
        NextHop::NotADomain(NotADomain::Path) => "it is a socket on this machine".to_owned(),
        NextHop::NotADomain(NotADomain::Port) => "its port cannot be read".to_owned(),
    };
    Err(format!("{asked:?} is no destination to check: {why}"))
}

async fn once(arguments: &Arguments, checker: &Checker) -> Vec<Standing> {
    let mut all = stream::iter(&arguments.next_hops)
        .map(|asked| checker.check(asked))
        .buffered(AT_ONCE);
    let (mut standings, mut objects) = (Vec::new(), Vec::new());
    while let Some(checked) = all.next().await {
        if arguments.json {
            objects.push(object(checker, &checked));
        } else {
            if !standings.is_empty() {
                print("\n");
            }
            let text: Vec<String> = parts(&checked).into_iter().map(|part| part.text).collect();
            print(&text.join("\n"));
        }
        standings.push(checked.standing());
    }
    if arguments.json {
        let worst = worst(&standings);
        print(&pretty(&json!({
            "engine": Engine::from(arguments.engine).word(),
            "result": worst.word(),
            "next_hops": objects,
        })));
    }
    standings
}

/// Until Ctrl-C, or nobody reads any more; the standings are those of the last round that was finished.
async fn again(arguments: &Arguments, checker: &Checker) -> Vec<Standing> {
    let mut ticks = tokio::time::interval(EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut before: BTreeMap<String, Vec<Part>> = BTreeMap::new();
    let mut standings = Vec::new();
    let rounds = async {
        loop {
            ticks.tick().await;
            let mut now = Vec::new();
            let mut all = stream::iter(&arguments.next_hops)
                .map(|asked| checker.check(asked))
                .buffered(AT_ONCE);
            while let Some(checked) = all.next().await {
                now.push(checked.standing());
                let parts = parts(&checked);
                let old = before.get(&checked.asked).map(Vec::as_slice);
                let text = match (arguments.json, old == Some(&parts)) {
                    (_, true) => String::new(),
                    (true, false) => format!("{}\n", object(checker, &checked)),
                    (false, false) => changes(&checked.asked, checked.time, old, &parts),
                };
                if !is_read(&text) {
                    return;
                }
                before.insert(checked.asked.clone(), parts);
            }
            standings = now;
        }
    };
    tokio::select! {
        () = rounds => {}
        _ = tokio::signal::ctrl_c() => {}
    }
    standings
}

/// A part of what is said of a destination: its head, or one host.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Part {
    /// The host; none: the head.
    host: Option<String>,
    text: String,
}

fn parts(checked: &Checked) -> Vec<Part> {
    let head = Part {
        host: None,
        text: page::head(checked),
    };
    let hosts = checked.hosts.iter().map(|host| Part {
        host: Some(host.host.to_string()),
        text: block::host(host),
    });
    std::iter::once(head).chain(hosts).collect()
}

/// What is new, with the time; nothing where nothing is.
fn changes(asked: &str, time: Timestamp, old: Option<&[Part]>, new: &[Part]) -> String {
    let time = json::rfc3339(time);
    let Some(old) = old else {
        let text: Vec<&str> = new.iter().map(|part| part.text.as_str()).collect();
        return format!("{time}\n{}\n", text.join("\n"));
    };
    let mut text: String = new
        .iter()
        .filter(|part| !old.contains(part))
        .map(|part| format!("{}\n", part.text))
        .collect();
    for part in old {
        let host = part.host.as_ref();
        if let Some(host) = host.filter(|_| new.iter().all(|other| other.host != part.host)) {
            text.push_str(&format!("{host} is no host of {asked} any more\n\n"));
        }
    }
    if text.is_empty() {
        return text;
    }
    format!("{time} {asked} has changed\n{text}")
}

fn object(checker: &Checker, checked: &Checked) -> Value {
    let settings = checker.engine().answerer.settings();
    json::destination(checked, checker.profile(), &settings.rules)
}

/// One failure is more than any doubt, and any doubt more than all that is well.
fn worst(standings: &[Standing]) -> Standing {
    let has = |standing| standings.contains(&standing);
    let order = [
        Standing::Failed,
        Standing::Inconclusive,
        Standing::Unreachable,
    ];
    let found = order.into_iter().find(|standing| has(*standing));
    match found {
        Some(standing) => standing,
        None if standings.is_empty() => Standing::Inconclusive,
        None => Standing::Kept,
    }
}

fn status(standings: &[Standing]) -> ExitCode {
    match worst(standings) {
        Standing::Failed => exit::failed(),
        Standing::Inconclusive | Standing::Unreachable => exit::inconclusive(),
        Standing::Kept => exit::FINE,
    }
}

/// Between two looks. Each is a connection that brings no mail, for every address of every host; at
/// more than one a minute many hosts take us for a robot and shut us out. Records are kept for their
/// TTL in between, so an oftener look would not see them sooner.
const EVERY: Duration = Duration::from_secs(60);
/// Destinations looked up side by side. Connections have a bound of their own, and one address is
/// never spoken to twice at once.
const AT_ONCE: usize = 8;

const HELP: &str = "\
It resolves in this process, without the daemon, its memory and its rules at run time; connects to \
every address of every MX host with STARTTLS, as a mail server would; sends no mail; and judges each \
session by what the host owes: its TLSA records (DANE), an enforced MTA-STS policy, or nothing.

A host KEEPS its duty, FAILS it, is INCONCLUSIVE (it spoke, and nothing can be said: it offers only \
what is too old for rustls, or does not take this machine for a mail server), or is not reachable.

With --watch it looks at domains of your own, once, as the daemon does every hour for those of [watch] \
domains: TLSA records against what the hosts show and against the next certificate, the MTA-STS policy \
against the MX hosts, the TLSRPT record, the ends of certificates. Findings are alarms (mail to you \
fails, or will within days), warnings and notes; docs/watch.md has each with its cure.

Exit status: 0 every host that was reached keeps its duty; 1 some fail; 2 bad input; 4 some are \
inconclusive, or nobody was reached. 1 wins over 4. With --watch: 1 there are alarms; 4 something could \
not be looked at.";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_worst_decides() {
        use Standing::{Failed, Inconclusive, Kept, Unreachable};
        for (standings, expected) in [
            (&[Kept, Kept][..], Kept),
            (&[Kept, Failed, Inconclusive], Failed),
            (&[Kept, Inconclusive, Unreachable], Inconclusive),
            (&[Kept, Unreachable], Unreachable),
            (&[], Inconclusive),
        ] {
            assert_eq!(worst(standings), expected, "{standings:?}");
        }
    }

    /// One line for each change, and none for what stays.
    #[test]
    fn only_changes_are_told() {
        let part = |host: Option<&str>, text: &str| Part {
            host: host.map(str::to_owned),
            text: format!("{text}\n"),
        };
        let old = [
            part(None, "head"),
            part(Some("a"), "A"),
            part(Some("b"), "B"),
        ];
        let at = Timestamp(1_800_000_000_000);
        assert_eq!(changes("e.test", at, Some(&old), &old), "");
        let new = [part(None, "head"), part(Some("a"), "other")];
        assert_eq!(
            changes("e.test", at, Some(&old), &new),
            "2027-01-15T08:00:00Z e.test has changed\nother\n\nb is no host of e.test any more\n\n"
        );
        let first = changes("e.test", at, None, &old);
        assert_eq!(first, "2027-01-15T08:00:00Z\nhead\n\nA\n\nB\n\n");
    }

    #[test]
    fn destinations_have_hosts() {
        for good in ["e.test", "[mx.e.test]:587", "e.test:25"] {
            assert_eq!(readable(good), Ok(()));
        }
        for bad in [
            "192.0.2.1",
            ".e.test",
            "localhost",
            "/socket",
            "a..b",
            "e.test:x",
        ] {
            assert!(readable(bad).is_err(), "{bad}");
        }
    }
}
