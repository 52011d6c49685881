//! The law beyond its table: rules, switches, clocks, what an MTA cannot do, and the words for it.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "tests"
)]

mod choices;
mod conditions;
mod reasons;
mod rows;
mod rules;
mod states;

use std::sync::Arc;

use hoplock_policy::dns::SecurityStatus;
use hoplock_policy::findings::{
    AddressFinding, Findings, PolicySource, RememberedPolicy, StsFinding, Validation,
};
use hoplock_policy::law::golden::{Example, postfix};
use hoplock_policy::law::rows::Row;
use hoplock_policy::law::{Answer, Conditions, LawOptions, MatchName, Verdict, decide};
use hoplock_policy::moment::Moment;
use hoplock_policy::name::DomainName;
use hoplock_policy::profile::{Floor, OwnDaneSeen, Profile};
use hoplock_policy::rules::{Mode, Rule, RulePattern, Rules};
use hoplock_policy::sts::StsPolicy;

const SECURE: SecurityStatus = SecurityStatus::Secure;
const INSECURE: SecurityStatus = SecurityStatus::Insecure;

/// One question to the law: hosts are written as in the golden table, and `10:gone` has no address.
struct Case {
    findings: Findings,
    rules: Vec<Rule>,
    profile: Profile,
    options: LawOptions,
    conditions: Conditions,
}

impl Case {
    fn new(mx: SecurityStatus, hosts: &'static str) -> Self {
        Self::of(mx, hosts, false)
    }

    /// With an enforced policy that lists all hosts but those marked `(unlisted)`.
    fn enforced(mx: SecurityStatus, hosts: &'static str) -> Self {
        Self::of(mx, hosts, true)
    }

    fn of(mx: SecurityStatus, hosts: &'static str, enforce: bool) -> Self {
        let written: &'static str = Box::leak(hosts.replace("gone", "none").into_boxed_str());
        let example = Example {
            row: Row::Law,
            mx: Some(mx),
            hosts: written,
            enforce,
            mandatory: false,
        };
        let mut findings = example.findings();
        for (host, spec) in findings.hosts.iter_mut().zip(hosts.split(", ")) {
            if spec.contains("gone") {
                host.ipv4 = AddressFinding::Absent { status: SECURE };
            }
        }
        Self {
            findings,
            rules: Vec::new(),
            profile: postfix(Floor::May),
            options: LawOptions::default(),
            conditions: Conditions {
                validation: Validation::Validating,
                remembered_dane: false,
                own_dane: OwnDaneSeen::Works,
                now: Moment::default(),
            },
        }
    }

    fn floor(mut self, floor: Floor) -> Self {
        self.profile.floor = floor;
        self
    }

    fn rule(mut self, rule: Rule) -> Self {
        self.rules.push(rule);
        self
    }

    /// With this policy instead, fetched at the origin of time.
    fn policy(mut self, text: &str, source: PolicySource) -> Self {
        self.findings.sts = StsFinding::Policy {
            remembered: Arc::new(RememberedPolicy {
                policy: StsPolicy::parse(text.as_bytes()).unwrap(),
                id: "1".to_owned(),
                fetched: Moment::default(),
            }),
            source,
            trouble: None,
        };
        self
    }

    fn verdict(&self) -> Verdict {
        decide(
            &self.findings,
            &Rules::new(self.rules.clone()),
            &self.profile,
            &self.options,
            self.conditions,
        )
    }

    /// The answer's word, the row's id and the reason's word.
    fn said(&self) -> (&'static str, &'static str, &'static str) {
        let verdict = self.verdict();
        let answer = match verdict.answer {
            Answer::NotFound => "NOTFOUND",
            Answer::Temp => "TEMP",
            other => other.word(),
        };
        (answer, verdict.row.id(), verdict.reason.word())
    }
}

/// A rule for `example.com` that orders nothing beyond its mode.
fn rule(mode: Mode) -> Rule {
    Rule::new(RulePattern::Exact(name("example.com")), mode)
}

fn name(text: &str) -> DomainName {
    DomainName::parse(text).unwrap()
}

fn hosts(names: &[&str]) -> Vec<MatchName> {
    names
        .iter()
        .map(|text| MatchName::Host(name(text)))
        .collect()
}

/// The origin of time, so many seconds later on both clocks.
fn at(seconds: u64) -> Moment {
    let mut now = Moment::default();
    now.wall.0 = seconds * 1000;
    now.uptime = std::time::Duration::from_secs(seconds);
    now
}
