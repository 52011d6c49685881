//! The golden table: one example for each row, decided by the law and printed for people.
//!
//! `docs/decisions.md` is this module's output; a test keeps the two equal.

mod text;

use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use self::text::{FOOTER, HEADER};
use super::decide::{Conditions, decide};
use super::options::LawOptions;
use super::outcome::is_exactly;
use super::rows::Row;
use super::verdict::{Answer, JudgedHost, MatchName, Verdict};
use crate::dns::{FailureKind, LookupFailure, SecurityStatus};
use crate::findings::{
    AddressFinding, DaneFinding, Findings, HostFinding, MxFinding, NoHosts, PolicySource,
    RememberedPolicy, Selection, StsFinding, Validation,
};
use crate::moment::Moment;
use crate::name::{DomainName, MxHost, TlsaBaseDomain};
use crate::next_hop::NextHop;
use crate::profile::{Family, Floor, OwnDane, OwnDaneSeen, Profile};
use crate::render::exim::{Level, level};
use crate::rules::{Mode, Rule, RulePattern, Rules};
use crate::sts::StsPolicy;

/// One example of a row.
#[derive(Clone, Copy, Debug)]
pub struct Example {
    /// The row that it must be named.
    pub row: Row,
    /// Security of the MX set; `None` where there is no set: the lookup failed.
    pub mx: Option<SecurityStatus>,
    /// Hosts as `preference:state`, `(unlisted)` where the policy does not name them.
    pub hosts: &'static str,
    /// An MTA-STS policy is enforced.
    pub enforce: bool,
    /// A rule demands DANE.
    pub mandatory: bool,
}

const SECURE: Option<SecurityStatus> = Some(SecurityStatus::Secure);
const INSECURE: Option<SecurityStatus> = Some(SecurityStatus::Insecure);

const fn free(row: Row, mx: Option<SecurityStatus>, hosts: &'static str) -> Example {
    Example {
        row,
        mx,
        hosts,
        enforce: false,
        mandatory: false,
    }
}

const fn enforced(row: Row, mx: Option<SecurityStatus>, hosts: &'static str) -> Example {
    Example {
        row,
        mx,
        hosts,
        enforce: true,
        mandatory: false,
    }
}

const fn demanded(row: Row, mx: Option<SecurityStatus>, hosts: &'static str) -> Example {
    Example {
        row,
        mx,
        hosts,
        enforce: false,
        mandatory: true,
    }
}

/// The table.
pub const EXAMPLES: &[Example] = &[
    free(Row::Dt01, SECURE, ""),
    enforced(Row::Dt01s, SECURE, ""),
    free(Row::Dt02, None, ""),
    free(Row::Dt03, INSECURE, "10:none"),
    enforced(Row::Dt04, INSECURE, "10:ee, 20:none"),
    free(Row::Dt05, SECURE, "10:none"),
    enforced(Row::Dt05s, SECURE, "10:none, 20:none(unlisted)"),
    free(Row::Dt06, SECURE, "10:ee, 20:ee"),
    free(Row::Dt07, SECURE, "10:ee, 20:none"),
    free(Row::Dt07b, SECURE, "10:none, 20:ee"),
    free(Row::Dt07c, SECURE, "10:ee, 10:none"),
    enforced(Row::Dt08, SECURE, "10:ee, 20:none"),
    enforced(Row::Dt08b, SECURE, "10:none, 20:ee"),
    enforced(Row::Dt08c, SECURE, "10:none(unlisted), 20:ee"),
    free(Row::Dt09, SECURE, "10:unusable"),
    enforced(Row::Dt09s, SECURE, "10:unusable"),
    free(Row::Dt10, SECURE, "10:ee, 20:unusable"),
    enforced(Row::Dt10s, SECURE, "10:ee, 20:unusable"),
    free(Row::Dt11, SECURE, "10:unusable, 20:none"),
    enforced(Row::Dt11s, SECURE, "10:unusable, 20:none"),
    free(Row::Dt12, SECURE, "10:ee, 20:failed"),
    free(Row::Dt12u, SECURE, "10:ee, 20:unusable, 30:failed"),
    free(Row::Dt13, SECURE, "10:none, 20:failed"),
    free(Row::Dt13a, SECURE, "10:none, 20:address-failed"),
    enforced(Row::Dt13s, SECURE, "10:none, 20:failed"),
    free(Row::Dt13u, SECURE, "10:ee, 20:none, 30:failed"),
    free(Row::Dt14, SECURE, "10:unusable, 20:failed"),
    enforced(Row::Dt14s, SECURE, "10:unusable, 20:failed"),
    free(Row::Dt15, SECURE, "10:failed"),
    enforced(Row::Dt15s, SECURE, "10:failed"),
    free(Row::Dt16, SECURE, "10:ta"),
    free(Row::Dt18, SECURE, "10:ee, 20:ta"),
    free(Row::Dt20, INSECURE, "10:ee, 20:none"),
    free(Row::Dt20f, INSECURE, "10:ee, 20:failed"),
    free(Row::Dt20n, INSECURE, "10:none, 20:failed"),
    demanded(Row::Dt22, SECURE, "10:none, 20:ee, 30:failed"),
    demanded(Row::Dt25, SECURE, "10:none, 20:failed"),
    enforced(Row::Dt26, SECURE, "10:none(unlisted)"),
];

impl Example {
    /// The verdict for the MTA of `profile`, where Postfix's own DANE was seen to work.
    #[must_use]
    pub fn verdict(&self, profile: &Profile) -> Verdict {
        let rules = if self.mandatory {
            demand_dane()
        } else {
            Rules::default()
        };
        let conditions = Conditions {
            validation: Validation::Validating,
            remembered_dane: false,
            own_dane: OwnDaneSeen::Works,
            now: Moment::default(),
        };
        decide(
            &self.findings(),
            &rules,
            profile,
            &LawOptions::default(),
            conditions,
        )
    }

    /// The example as evidence.
    #[must_use]
    pub fn findings(&self) -> Findings {
        let specs = self.hosts.split(", ").filter(|spec| !spec.is_empty());
        let hosts: Vec<HostFinding> = specs
            .clone()
            .enumerate()
            .filter_map(|(at, spec)| host(at, spec))
            .collect();
        let mx = match self.mx {
            None => MxFinding::Failed(failure()),
            Some(status) if hosts.is_empty() => MxFinding::NoHosts {
                why: NoHosts::NxDomain,
                status,
            },
            Some(status) => MxFinding::Hosts(Selection::Mx(status)),
        };
        let listed = hosts
            .iter()
            .zip(specs)
            .filter(|(_, spec)| !spec.ends_with("(unlisted)"));
        let mut patterns: Vec<String> = listed.map(|(host, _)| host.host.to_string()).collect();
        if patterns.is_empty() {
            patterns.push("*.listed.example".to_owned());
        }
        Findings {
            next_hop: NextHop::parse("example.com"),
            mx,
            hosts,
            sts: if self.enforce {
                policy(&patterns)
            } else {
                StsFinding::Absent(String::new())
            },
            anchors: Vec::new(),
            anchor_failures: Vec::new(),
            end_entity_failed: Vec::new(),
            lookups: Vec::new(),
            warnings: Vec::new(),
            gathered: Moment::default(),
            lifetime: Duration::from_secs(300),
        }
    }

    /// A verdict in the words of the table: hosts by `preference:state`.
    #[must_use]
    pub fn words(&self, verdict: &Verdict) -> String {
        match &verdict.answer {
            Answer::NotFound => "NOTFOUND".to_owned(),
            Answer::Temp => "TEMP".to_owned(),
            Answer::Secure(_) if verdict.row == Row::Dt01s => "secure match=PATTERNS".to_owned(),
            Answer::Secure(names) => {
                let listed = |at: usize| names.iter().any(|name| is_host(name, at));
                format!("secure match={{{}}}", self.specs(listed))
            }
            Answer::Fingerprint(digests) => {
                let listed = |at: usize| digests.contains(&hexadecimal(&digest(at)));
                format!("fingerprint match={{{}}}", self.specs(listed))
            }
            other => other.word().to_owned(),
        }
    }

    fn specs(&self, is_listed: impl Fn(usize) -> bool) -> String {
        let specs = self.hosts.split(", ").enumerate();
        let listed = specs.filter(|(at, _)| is_listed(*at));
        listed.map(|(_, spec)| spec).collect::<Vec<_>>().join(",")
    }
}

impl Example {
    /// A verdict for Exim in the words of the table: its level, and each host's duty.
    #[must_use]
    pub fn words_for_exim(&self, verdict: &Verdict) -> String {
        let level = match level(verdict) {
            Level::Defer(_) => "defer".to_owned(),
            level => level.to_string(),
        };
        let hosts = &verdict.hosts;
        let waits = verdict.answer == Answer::Temp;
        let is_kept = |host: &JudgedHost| waits || is_exactly(host.outcome, host.duty);
        if !hosts.iter().all(is_kept) {
            return format!("{level}, and a host not at its duty");
        }
        let specs: Vec<&str> = self.hosts.split(", ").collect();
        let duties: Vec<String> = hosts
            .iter()
            .filter_map(|host| Some(format!("{} {}", specs.get(host.index)?, host.duty.word())))
            .collect();
        match (&level[..], duties.is_empty()) {
            ("enforce", false) => format!("each host its duty: {}", duties.join(", ")),
            _ => format!("each host its duty: {level}"),
        }
    }
}

/// The whole table in Markdown.
#[must_use]
pub fn markdown() -> String {
    let mut page = String::from(HEADER);
    for example in EXAMPLES {
        let words = |profile| example.words(&example.verdict(&profile));
        let (row, text) = (example.row, example.row.words());
        let hosts = if example.hosts.is_empty() {
            String::new()
        } else {
            format!(" ({})", example.hosts)
        };
        let _ = writeln!(
            page,
            "| {} | {text}{hosts} | {} | {} | {} | {} | {} |",
            row.id(),
            words(postfix(Floor::May)),
            words(postfix(Floor::Encrypt)),
            words(built_in("pins", Floor::May)),
            words(built_in("sendmail", Floor::May)),
            example.words_for_exim(&example.verdict(&built_in("exim", Floor::May))),
        );
    }
    page.push_str(FOOTER);
    page
}

/// Postfix with DANE of its own, and this default level.
#[must_use]
pub fn postfix(floor: Floor) -> Profile {
    built_in("postfix", floor)
}

/// The MTA of a built-in profile with DANE of its own, where it can have any, and this default level.
#[must_use]
pub fn built_in(name: &str, floor: Floor) -> Profile {
    let built_in = Profile::built_in(name);
    let mut profile = built_in.unwrap_or_else(|| unreachable!("`{name}` is built in"));
    profile.floor = floor;
    if profile.family != Family::Pins {
        profile.own_dane = OwnDane::Yes;
    }
    profile
}

fn host(at: usize, spec: &str) -> Option<HostFinding> {
    let (preference, state) = spec.split_once(':')?;
    let state = state.trim_end_matches("(unlisted)");
    let host = MxHost(DomainName::parse(&format!("mx{at}.example.com")).ok()?);
    let records = |rdata: Vec<u8>| DaneFinding::Records {
        base: TlsaBaseDomain(host.0.clone()),
        rdata: vec![rdata],
    };
    let digest = digest(at);
    let (ipv4, dane) = match state {
        "ee" => (present(), records([&[3, 1, 1][..], &digest].concat())),
        "ta" => (present(), records([&[2, 0, 1][..], &digest].concat())),
        "unusable" => (present(), records([&[1, 1, 1][..], &digest].concat())),
        "none" => (present(), DaneFinding::NoneSecure),
        "failed" => (present(), DaneFinding::Failed(failure())),
        "address-failed" => (AddressFinding::Failed(failure()), DaneFinding::NotAsked),
        _ => return None,
    };
    let ipv6 = AddressFinding::Absent {
        status: SecurityStatus::Secure,
    };
    Some(HostFinding {
        host,
        preference: preference.parse().ok()?,
        aliased: false,
        ipv4,
        ipv6,
        dane,
    })
}

/// Each host has a key of its own.
fn digest(at: usize) -> [u8; 32] {
    [u8::try_from(at).unwrap_or(u8::MAX); 32]
}

fn hexadecimal(octets: &[u8]) -> String {
    octets.iter().map(|octet| format!("{octet:02x}")).collect()
}

fn is_host(name: &MatchName, at: usize) -> bool {
    matches!(name, MatchName::Host(host) if host.as_str() == format!("mx{at}.example.com"))
}

fn present() -> AddressFinding {
    AddressFinding::Present {
        status: SecurityStatus::Secure,
        count: 1,
    }
}

fn failure() -> LookupFailure {
    LookupFailure {
        kind: FailureKind::ServFail,
        detail: "SERVFAIL".to_owned(),
    }
}

fn policy(patterns: &[String]) -> StsFinding {
    let lines: Vec<String> = patterns
        .iter()
        .map(|pattern| format!("mx: {pattern}\n"))
        .collect();
    let text = format!(
        "version: STSv1\nmode: enforce\n{}max_age: 86400\n",
        lines.concat()
    );
    match StsPolicy::parse(text.as_bytes()) {
        Ok(policy) => {
            let id = "1".to_owned();
            let remembered = RememberedPolicy {
                policy,
                id,
                fetched: Moment::default(),
            };
            let remembered = Arc::new(remembered);
            StsFinding::Policy {
                remembered,
                source: PolicySource::Cache,
                trouble: None,
            }
        }
        Err(why) => StsFinding::Absent(why.to_string()),
    }
}

fn demand_dane() -> Rules {
    Rules::new(vec![Rule::new(RulePattern::Any, Mode::Mandatory)])
}
