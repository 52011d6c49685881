//! Playing of scenarios against the scripted world, with a clock that is set by hand.

use std::sync::Arc;
use std::time::Duration;

use hoplock::answer::{Answered, Answerer, Settings};
use hoplock::config::Config;
use hoplock::discover::DiscoverOptions;
use hoplock::store::memory::MemoryStore;
use hoplock::world::scripted::{Scripted, ScriptedPolicy, ScriptedWorld, Zone};
use hoplock::world::{FetchFailureKind, PolicyResponse, Validation};
use hoplock_policy::dns::{
    Exchange, FailureKind, Question, RecordData, RecordType, SecurityStatus,
};
use hoplock_policy::law::FirstContact;
use hoplock_policy::name::DomainName;
use hoplock_policy::profile::Profile;
use hoplock_policy::render::json;
use serde_json::Value;
use tokio::time::Instant;

use super::load::{Scenario, duration};
use super::{Step, WallStep};

/// Plays one scenario; every fault with its line.
pub fn run(scenario: &Scenario) -> Vec<String> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .unwrap();
    runtime.block_on(async {
        let mut stage = Stage::new(scenario);
        let mut faults = Vec::new();
        for (line, step) in &scenario.steps {
            if let Err(words) = stage.play(step).await {
                faults.push(format!("{}:{line}: {words}", scenario.file.display()));
            }
        }
        faults
    })
}

/// The scripted world, the answerer over it, and what came of the last question.
struct Stage {
    world: Arc<ScriptedWorld>,
    answerer: Answerer,
    config: String,
    rules: String,
    profile: Vec<(String, String)>,
    /// Names and types already written in the section at hand.
    written: Vec<(DomainName, RecordType)>,
    last: Option<Last>,
}

struct Last {
    json: Value,
    asked: Vec<Question>,
    fetched: usize,
    waited: Duration,
    replies: Vec<String>,
}

impl Stage {
    fn new(scenario: &Scenario) -> Self {
        let world = ScriptedWorld::new();
        let mut options = DiscoverOptions::default();
        for (_, step) in &scenario.steps {
            if let Step::Option(name, value) = step {
                match name.as_str() {
                    "dane" => options.dane = value == "true",
                    "sts" => options.sts = value == "true",
                    "force_insecure_host_tlsa" => {
                        options.force_insecure_host_tlsa = value == "true";
                    }
                    "mx_hosts" => options.mx_hosts = value.parse().unwrap(),
                    _ => {}
                }
            }
        }
        let entries = scenario.steps.iter().find_map(|(_, step)| match step {
            Step::Option(name, value) if name == "cache_entries" => value.parse().ok(),
            _ => None,
        });
        let entries = entries.unwrap_or(1000);
        let outside = world.world(Arc::new(MemoryStore::new(entries)));
        let answerer = Answerer::new(outside, options, Settings::default(), entries);
        Self {
            world,
            answerer,
            config: String::new(),
            rules: String::new(),
            profile: Vec::new(),
            written: Vec::new(),
            last: None,
        }
    }

    async fn play(&mut self, step: &Step) -> Result<(), String> {
        if !matches!(step, Step::Dns(_)) {
            self.written.clear();
        }
        match step {
            Step::Option(name, value) => self.option(name, value),
            Step::Profile(name, value) => {
                self.profile.retain(|(own, _)| own != name);
                self.profile.push((name.clone(), value.clone()));
                self.configure()
            }
            Step::Rule(line) => {
                // A rule stands on several lines: it counts when something is asked.
                self.rules.push_str(line);
                self.rules.push('\n');
                Ok(())
            }
            Step::Resolver(word) => {
                self.world.validates(match word.as_str() {
                    "validating" => Validation::Validating,
                    "not-validating" => Validation::NotValidating,
                    "unknown" => Validation::Unknown,
                    _ => return Err(format!("unknown word {word:?}")),
                });
                Ok(())
            }
            Step::Dns(line) => self.dns(line),
            Step::Https(line) => self.https(line),
            Step::Pass(by) => {
                self.world.pass(*by);
                Ok(())
            }
            Step::Wall(WallStep::To(millis)) => {
                self.world.set_wall(*millis);
                Ok(())
            }
            Step::Wall(WallStep::By(millis)) => {
                self.world.step_wall(*millis);
                Ok(())
            }
            Step::Ask(key, profile, times) => self.ask(key, profile, *times).await,
            Step::Expect(line) => self.expect(line),
        }
    }

    fn option(&mut self, name: &str, value: &str) -> Result<(), String> {
        let line = match name {
            "dane" => format!("[dane]\nenabled = {value}\n"),
            "half_dane" | "map_pkix_usages" | "complete_ca_set" | "trust_anchor_digests" => {
                format!("[dane]\n{name} = {value}\n")
            }
            "sts" => format!("[sts]\nenabled = {value}\n"),
            "testing_as_enforce" => format!("[sts]\n{name} = {value}\n"),
            "first_contact" => {
                let _: FirstContact = FirstContact::Ignore;
                format!("[sts]\non_first_contact_failure = \"{value}\"\n")
            }
            "mx_hosts" | "cache_entries" | "force_insecure_host_tlsa" => return Ok(()),
            _ => return Err(format!("unknown option {name:?}")),
        };
        self.config.push_str(&line);
        self.configure()
    }

    /// Rules, options and profile as the configuration reads them.
    fn configure(&mut self) -> Result<(), String> {
        let mut text = format!("{}\n{}\n", self.config, self.rules);
        if !self.profile.is_empty() {
            text.push_str("[profile.postfix]\n");
            for (name, value) in &self.profile {
                text.push_str(&format!("{name} = {value}\n"));
            }
        }
        let (config, complaints) = Config::parse(&text, &[]);
        let Some(config) = config else {
            // A rule is written over several lines; the last one makes it whole.
            let words: Vec<String> = complaints.iter().map(ToString::to_string).collect();
            return Err(words.join("; "));
        };
        self.answerer
            .reload(hoplock::serve::engine::settings(&config));
        Ok(())
    }

    /// `zone NAME STATUS [negative SECONDS]` or `[STATUS] NAME [TTL] TYPE DATA`.
    fn dns(&mut self, line: &str) -> Result<(), String> {
        let words: Vec<&str> = line.split_whitespace().collect();
        if let ["zone", name, status, rest @ ..] = words.as_slice() {
            let negative = match rest {
                [] => Duration::from_secs(300),
                ["negative", seconds] => {
                    Duration::from_secs(seconds.parse().map_err(|_| "a bad TTL")?)
                }
                _ => return Err("write zone NAME STATUS negative SECONDS".to_owned()),
            };
            let (name, status) = (domain(name)?, status_of(status).ok_or("a bad status")?);
            self.world.zone(Zone {
                name,
                status,
                negative,
            });
            return Ok(());
        }
        if let [from, "DNAME", to] = words.as_slice() {
            self.world.redirect(domain(from)?, domain(to)?);
            return Ok(());
        }
        let (status, words) = match words.split_first() {
            Some((first, rest)) => match status_of(first) {
                Some(status) => (status, rest),
                None => (SecurityStatus::Secure, words.as_slice()),
            },
            None => return Err("an empty line".to_owned()),
        };
        let (name, words) = words.split_first().ok_or("no name")?;
        let name = domain(name)?;
        let (ttl, words) = match words.split_first() {
            Some((first, rest)) if first.bytes().all(|byte| byte.is_ascii_digit()) => (
                Duration::from_secs(first.parse().map_err(|_| "a bad TTL")?),
                rest,
            ),
            _ => (Duration::from_secs(300), words),
        };
        let (kind, data) = words.split_first().ok_or("no type")?;
        let record_type = type_of(kind)?;
        let place = (name.clone(), record_type);
        if !self.written.contains(&place) {
            self.world.clear(&name, record_type);
            self.written.push(place);
        }
        let scripted = match data {
            ["NODATA"] => Some(Scripted::NoData(status, ttl)),
            ["NXDOMAIN"] => Some(Scripted::NxDomain(status, ttl)),
            ["HANGS"] => Some(Scripted::Hangs),
            ["PANICS"] => Some(Scripted::Panics),
            [word] => failure(word).map(Scripted::Fails),
            _ => None,
        };
        match scripted {
            Some(scripted) => self.world.set(name, record_type, scripted),
            None => self
                .world
                .add(name, status, ttl, record(record_type, data)?),
        }
        Ok(())
    }

    /// `DOMAIN MODE max_age=N mx=P mx=P…`, `DOMAIN says STATUS TYPE BODY`, or a fault.
    fn https(&mut self, line: &str) -> Result<(), String> {
        let (name, rest) = line.split_once(' ').ok_or("write DOMAIN WHAT")?;
        let name = domain(name)?;
        let response = |status, kind: &str, body: &str| PolicyResponse {
            status,
            media_type: Some(kind.to_owned()),
            body: body.replace("\\n", "\n").replace("\\r", "\r").into_bytes(),
        };
        let fault = |kind| ScriptedPolicy::Fails(kind);
        let policy = match rest {
            "HANGS" => ScriptedPolicy::Hangs,
            "WEBPKI" => fault(FetchFailureKind::WebPki),
            "REFUSED" => fault(FetchFailureKind::Connection),
            "TIMEOUT" => fault(FetchFailureKind::Timeout),
            "TOO-LARGE" => fault(FetchFailureKind::TooLarge),
            "LOOKUP" => fault(FetchFailureKind::Lookup),
            _ => {
                if let Some(said) = rest.strip_prefix("says ") {
                    let mut words = said.splitn(3, ' ');
                    let status = words.next().unwrap().parse().map_err(|_| "a bad status")?;
                    let kind = words.next().unwrap_or("text/plain");
                    let body = words.next().unwrap_or_default();
                    ScriptedPolicy::Responds(response(status, kind, body), Duration::ZERO)
                } else {
                    policy(rest, response)?
                }
            }
        };
        self.world.policy(name, policy);
        Ok(())
    }

    async fn ask(&mut self, key: &str, profile: &str, times: usize) -> Result<(), String> {
        if !self.rules.is_empty() {
            self.configure()?;
        }
        self.world.take_asked();
        self.world.take_fetched();
        let profile: Arc<Profile> = self
            .answerer
            .profile(profile)
            .ok_or_else(|| format!("no profile {profile:?}"))?;
        #[allow(clippy::disallowed_methods, reason = "the paused clock of the runtime")]
        let started = Instant::now();
        let questions = (0..times).map(|_| self.answerer.answer(key, &profile));
        let answers: Vec<Arc<Answered>> = futures_util::future::join_all(questions).await;
        let waited = started.elapsed();
        let answered = answers.last().ok_or("ask at least once")?;
        let settings = self.answerer.settings();
        let view = answered.view(key, &profile.name, &settings.rules);
        let json = serde_json::to_value(json::explain(&view)).unwrap();
        self.last = Some(Last {
            json,
            asked: self.world.take_asked(),
            fetched: self.world.take_fetched().len(),
            waited,
            replies: answers
                .iter()
                .map(|answered| answered.rendered.to_string())
                .collect(),
        });
        Ok(())
    }

    fn expect(&mut self, line: &str) -> Result<(), String> {
        let last = self.last.as_mut().ok_or("nothing was asked yet")?;
        // What the background did meanwhile counts too.
        last.asked.extend(self.world.take_asked());
        last.fetched += self.world.take_fetched().len();
        last.holds(line)
    }
}

impl Last {
    fn holds(&self, line: &str) -> Result<(), String> {
        let text = |pointer: &str| {
            let value = self.json.pointer(pointer).cloned().unwrap_or(Value::Null);
            value
                .as_str()
                .map_or_else(|| value.to_string(), ToOwned::to_owned)
        };
        let same = |found: String, wanted: &str| {
            if found == wanted {
                Ok(())
            } else {
                Err(format!("found {found:?}, expected {line:?}"))
            }
        };
        if let Some(rest) = line.strip_prefix("host ") {
            return self.host(rest, line);
        }
        if let Some(rest) = line.strip_prefix("asked ") {
            let (what, count) = rest.split_once(" = ").ok_or("write asked NAME TYPE = N")?;
            return same(self.count(what)?.to_string(), count);
        }
        if let Some(what) = line.strip_prefix("not asked ") {
            return same(self.count(what)?.to_string(), "0");
        }
        if let Some(wanted) = line.strip_prefix("reply begins ") {
            let found = text("/reply");
            return if found.starts_with(wanted) {
                Ok(())
            } else {
                same(found, wanted)
            };
        }
        if let Some(wanted) = line.strip_prefix("detail holds ") {
            let found = text("/detail");
            return if found.contains(wanted) {
                Ok(())
            } else {
                same(found, wanted)
            };
        }
        if let Some(wanted) = line.strip_prefix("waited under ") {
            let limit = duration(wanted)?;
            return if self.waited < limit {
                Ok(())
            } else {
                Err(format!("waited {:?}", self.waited))
            };
        }
        if let Some(wanted) = line.strip_prefix("warning holds ") {
            let found = text("/warnings");
            return if found.contains(wanted) {
                Ok(())
            } else {
                same(found, wanted)
            };
        }
        if line == "no wait" {
            return if self.waited.is_zero() {
                Ok(())
            } else {
                Err(format!("waited {:?}", self.waited))
            };
        }
        if line == "all replies equal" {
            let first = self.replies.first();
            return if self.replies.iter().all(|reply| Some(reply) == first) {
                Ok(())
            } else {
                Err(format!("{:?}", self.replies))
            };
        }
        let (name, wanted) = line.split_once(" = ").ok_or("write NAME = VALUE")?;
        // The blank at the end of NOTFOUND cannot be seen in a file.
        let wanted = if wanted == "NOTFOUND" {
            "NOTFOUND "
        } else {
            wanted
        };
        match name {
            "reply" | "row" | "reason" | "verdict" | "domain" | "rule" | "would_fail"
            | "expires_in" => same(text(&format!("/{name}")), wanted),
            "mx" => same(text("/mx/status"), wanted),
            "sts" => same(text("/sts/state"), wanted),
            "sts id" => same(text("/sts/id"), wanted),
            "sts source" => same(text("/sts/source"), wanted),
            "hosts" => same(
                self.json["mx"]["hosts"]
                    .as_array()
                    .unwrap()
                    .len()
                    .to_string(),
                wanted,
            ),
            "queries" => same(self.asked.len().to_string(), wanted),
            "fetches" => same(self.fetched.to_string(), wanted),
            _ => Err(format!("unknown word {name:?}")),
        }
    }

    /// `NAME state=… duty=… outcome=… base=… addresses=…`
    fn host(&self, rest: &str, line: &str) -> Result<(), String> {
        let mut words = rest.split_whitespace();
        let name = words.next().ok_or("host without a name")?;
        let hosts = self.json["mx"]["hosts"].as_array().unwrap();
        let host = hosts.iter().find(|host| host["host"] == name);
        let host = host.ok_or_else(|| format!("no host {name} in {hosts:?}"))?;
        for word in words {
            let (field, wanted) = word.split_once('=').ok_or("write field=value")?;
            let field = if field == "base" { "tlsa_base" } else { field };
            let found = &host[field];
            let found = found
                .as_str()
                .map_or_else(|| found.to_string(), ToOwned::to_owned);
            if found != wanted {
                return Err(format!("{name}: {field} is {found}, expected {line:?}"));
            }
        }
        Ok(())
    }

    /// `NAME TYPE`, `any TYPE`, `below NAME`.
    fn count(&self, what: &str) -> Result<usize, String> {
        let words: Vec<&str> = what.split_whitespace().collect();
        Ok(match words.as_slice() {
            ["any", kind] => {
                let kind = type_of(kind)?;
                self.asked
                    .iter()
                    .filter(|question| question.record_type == kind)
                    .count()
            }
            ["below", suffix] => {
                let suffix = format!(".{suffix}");
                self.asked
                    .iter()
                    .filter(|q| q.name.as_str().ends_with(&suffix))
                    .count()
            }
            [name, kind] => {
                let question = Question::new(domain(name)?, type_of(kind)?);
                self.asked
                    .iter()
                    .filter(|asked| **asked == question)
                    .count()
            }
            _ => return Err("write asked NAME TYPE = N".to_owned()),
        })
    }
}

fn policy(
    rest: &str,
    response: impl Fn(u16, &str, &str) -> PolicyResponse,
) -> Result<ScriptedPolicy, String> {
    let mut words = rest.split_whitespace();
    let mode = words.next().ok_or("no mode")?;
    if !["enforce", "testing", "none"].contains(&mode) {
        return Err(format!("unknown behaviour {rest:?}"));
    }
    let mut body = format!("version: STSv1\nmode: {mode}\n");
    let mut max_age = "86400".to_owned();
    let mut after = Duration::ZERO;
    for word in words {
        match word.split_once('=') {
            Some(("mx", pattern)) => body.push_str(&format!("mx: {pattern}\n")),
            Some(("max_age", seconds)) => seconds.clone_into(&mut max_age),
            Some(("after", delay)) => after = duration(delay)?,
            _ => return Err(format!("unknown word {word:?}")),
        }
    }
    body.push_str(&format!("max_age: {max_age}\n"));
    Ok(ScriptedPolicy::Responds(
        response(200, "text/plain", &body),
        after,
    ))
}

fn record(record_type: RecordType, data: &[&str]) -> Result<RecordData, String> {
    Ok(match (record_type, data) {
        (RecordType::A, [address]) => RecordData::A(address.parse().map_err(|_| "a bad address")?),
        (RecordType::Aaaa, [address]) => {
            RecordData::Aaaa(address.parse().map_err(|_| "a bad address")?)
        }
        (RecordType::Cname, [target]) => RecordData::Cname(domain(target)?),
        (RecordType::Mx, [preference, exchange]) => RecordData::Mx {
            preference: preference.parse().map_err(|_| "a bad preference")?,
            exchange: match *exchange {
                "." => Exchange::Null,
                text => match DomainName::parse(text) {
                    Ok(name) => Exchange::Host(name),
                    Err(_) => Exchange::Malformed(text.to_owned()),
                },
            },
        },
        (RecordType::Txt, strings) => {
            let joined = strings.join(" ");
            let parts = joined.split('|').map(|part| part.as_bytes().to_vec());
            RecordData::Txt(parts.collect())
        }
        (RecordType::Tlsa, words) => RecordData::Tlsa(tlsa(words)?),
        _ => return Err(format!("bad data {data:?}")),
    })
}

/// `ee`, `ee2`, `ta`, `pkix`, `short`, or `U S M HEX`.
fn tlsa(words: &[&str]) -> Result<Vec<u8>, String> {
    let digest = |head: [u8; 3], byte| [&head[..], &[byte; 32]].concat();
    Ok(match words {
        ["ee"] => digest([3, 1, 1], 0xab),
        ["ee2"] => digest([3, 1, 1], 0xcd),
        ["ta"] => digest([2, 0, 1], 0xab),
        ["pkix"] => digest([1, 1, 1], 0xab),
        ["short"] => vec![3, 1],
        [usage, selector, matching, hex] => {
            let number = |text: &str| text.parse::<u8>().map_err(|_| "a bad number".to_owned());
            let mut rdata = vec![number(usage)?, number(selector)?, number(matching)?];
            for at in (0..hex.len()).step_by(2) {
                let pair = hex.get(at..at + 2).ok_or("odd hexadecimal")?;
                rdata.push(u8::from_str_radix(pair, 16).map_err(|_| "bad hexadecimal")?);
            }
            rdata
        }
        _ => return Err(format!("bad TLSA data {words:?}")),
    })
}

fn domain(text: &str) -> Result<DomainName, String> {
    DomainName::parse(text).map_err(|why| format!("{text:?}: {why}"))
}

fn status_of(word: &str) -> Option<SecurityStatus> {
    match word {
        "secure" => Some(SecurityStatus::Secure),
        "insecure" => Some(SecurityStatus::Insecure),
        _ => None,
    }
}

fn failure(word: &str) -> Option<FailureKind> {
    Some(match word {
        "SERVFAIL" => FailureKind::ServFail,
        "BOGUS" => FailureKind::Bogus,
        "TIMEOUT" => FailureKind::Timeout,
        "REFUSED" => FailureKind::Refused,
        "MALFORMED" => FailureKind::Malformed,
        "UNREACHABLE" => FailureKind::Unreachable,
        _ => return None,
    })
}

fn type_of(word: &str) -> Result<RecordType, String> {
    Ok(match word {
        "A" => RecordType::A,
        "AAAA" => RecordType::Aaaa,
        "CNAME" => RecordType::Cname,
        "MX" => RecordType::Mx,
        "TLSA" => RecordType::Tlsa,
        "TXT" => RecordType::Txt,
        _ => return Err(format!("unknown type {word:?}")),
    })
}
