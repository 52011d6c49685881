//! What people and programs are told, sentence by sentence; whole pages stand in `explain.rs`.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "tests"
)]

mod advice;
mod evidence;
mod headline;
mod others;
mod postfix;
mod rules;

use std::time::Duration;

use hoplock_policy::dns::{Answer, FailureKind, LookupFailure, Question, RecordType, Reply};
use hoplock_policy::findings::{
    AddressFinding, DaneFinding, Findings, HostFinding, MxFinding, Selection, StsFinding,
};
use hoplock_policy::law::duty::Duty;
use hoplock_policy::law::outcome::Outcome;
use hoplock_policy::law::rows::Row;
use hoplock_policy::law::situation::HostState;
use hoplock_policy::law::{Answer as Told, JudgedHost, Verdict};
use hoplock_policy::moment::{Moment, Timestamp};
use hoplock_policy::name::{DomainName, MxHost};
use hoplock_policy::next_hop::NextHop;
use hoplock_policy::profile::Profile;
use hoplock_policy::reason::Reason;
use hoplock_policy::render::{View, explain, json, render};
use hoplock_policy::rules::Rules;
use serde_json::Value;

const SECURE: hoplock_policy::dns::SecurityStatus = hoplock_policy::dns::SecurityStatus::Secure;
const NOW: Moment = Moment {
    wall: Timestamp(1_800_000_000_000),
    uptime: Duration::from_secs(7200),
};

/// One answer in the making, with its evidence.
struct Case {
    asked: &'static str,
    verdict: Verdict,
    findings: Findings,
    rules: Rules,
    profile: Profile,
}

impl Case {
    fn new(answer: Told, reason: Reason) -> Self {
        Self {
            asked: "example.com",
            verdict: Verdict::plain(answer, Row::Law, reason, "words".to_owned()),
            findings: Findings {
                next_hop: NextHop::parse("example.com"),
                mx: MxFinding::Hosts(Selection::Mx(SECURE)),
                hosts: Vec::new(),
                sts: StsFinding::NotApplicable,
                anchors: Vec::new(),
                anchor_failures: Vec::new(),
                end_entity_failed: Vec::new(),
                lookups: Vec::new(),
                warnings: Vec::new(),
                gathered: NOW,
                lifetime: Duration::from_secs(300),
            },
            rules: Rules::default(),
            profile: Profile::built_in("postfix").unwrap(),
        }
    }

    /// With a host `mx1.example.com`, `mx2.example.com` and so on.
    fn host(mut self, state: HostState, outcome: Outcome) -> Self {
        let index = self.findings.hosts.len();
        let host = name(&format!("mx{}.example.com", index + 1));
        self.findings.hosts.push(HostFinding {
            host: MxHost(host),
            preference: 10,
            aliased: false,
            ipv4: AddressFinding::Present {
                status: SECURE,
                count: 1,
            },
            ipv6: AddressFinding::Absent { status: SECURE },
            dane: DaneFinding::NoneSecure,
        });
        self.verdict.hosts.push(JudgedHost {
            index,
            state,
            duty: Duty::Free,
            outcome,
            listed: false,
        });
        self
    }

    fn lookup(&mut self, owner: &str, record_type: RecordType, answer: Answer) {
        self.findings.lookups.push(Reply {
            question: Question::new(name(owner), record_type),
            answer,
            took: Duration::from_millis(12),
        });
    }

    fn view<T>(&self, with: impl FnOnce(&View<'_>) -> T) -> T {
        let profile = &self.profile;
        let rendered = render(&self.verdict, profile);
        let next_hop = NextHop::parse(self.asked);
        let findings = matches!(next_hop, NextHop::Domain { .. } | NextHop::Host { .. });
        with(&View {
            asked: self.asked,
            next_hop: &next_hop,
            profile: "postfix",
            family: profile.family,
            verdict: &self.verdict,
            findings: findings.then_some(&self.findings),
            rendered: &rendered,
            rules: &self.rules,
            now: NOW,
        })
    }

    fn text(&self) -> String {
        self.view(explain::text)
    }

    fn explain(&self) -> Value {
        self.view(|view| serde_json::to_value(json::explain(view)).unwrap())
    }

    /// The first line without the destination in front.
    fn sentence(&self) -> String {
        let text = self.text();
        let line = text.lines().next().unwrap();
        let start = format!("{}: ", self.asked);
        line.strip_prefix(&start).expect(line).to_owned()
    }

    /// The words beside a label of the page's head, joined where they go on in further lines.
    fn fact(&self, label: &str) -> String {
        let text = self.text();
        let mut lines = text
            .lines()
            .take_while(|line| !line.starts_with("MX records"))
            .skip_while(|line| !line.starts_with(&format!("  {label} ")));
        let first = lines.next().unwrap_or_default().get(12..);
        let more = lines
            .take_while(|line| line.starts_with("            "))
            .map(str::trim_start);
        let words: Vec<&str> = first.into_iter().chain(more).collect();
        words.join(" ")
    }

    fn has(&self, words: &str) {
        let text = self.text();
        assert!(text.contains(words), "no {words:?} in\n{text}");
    }

    /// The same, wherever lines break.
    fn has_words(&self, words: &str) {
        let text = self.text();
        let text: Vec<&str> = text.split_whitespace().collect();
        let text = text.join(" ");
        assert!(text.contains(words), "no {words:?} in\n{text}");
    }

    fn has_not(&self, words: &str) {
        let text = self.text();
        assert!(!text.contains(words), "{words:?} in\n{text}");
    }
}

fn name(text: &str) -> DomainName {
    DomainName::parse(text).unwrap()
}

fn failure(kind: FailureKind) -> LookupFailure {
    LookupFailure {
        kind,
        detail: "no answer".to_owned(),
    }
}
