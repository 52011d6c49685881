//! What people and programs are told about an answer, page by page, as it must stand.
//!
//! Each page under `explain/` is the whole text; evidence is built here by hand, and decided by the
//! law itself.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "tests"
)]

use std::sync::Arc;
use std::time::Duration;

use hoplock_policy::dns::{
    Answer, Denial, Exchange, FailureKind, LookupFailure, Question, RecordData, RecordType, Reply,
    SecurityStatus,
};
use hoplock_policy::findings::{
    AddressFinding, DaneFinding, Findings, HostFinding, MxFinding, NoHosts, PolicySource,
    RememberedPolicy, Selection, StsFailure, StsFailureKind, StsFinding, Validation,
};
use hoplock_policy::law::{Conditions, LawOptions, Verdict, decide, decide_without_lookup};
use hoplock_policy::moment::{Moment, Timestamp};
use hoplock_policy::name::{DomainName, MxHost, TlsaBaseDomain};
use hoplock_policy::next_hop::NextHop;
use hoplock_policy::profile::{Floor, OwnDaneSeen, Profile, Version};
use hoplock_policy::reason::Reason;
use hoplock_policy::render::{View, explain, json, render};
use hoplock_policy::rules::{Mode, Rule, RulePattern, Rules};
use hoplock_policy::sts::StsPolicy;
use serde_json::{Value, json};

const SECURE: SecurityStatus = SecurityStatus::Secure;
const NOW: Moment = Moment {
    wall: Timestamp(1_800_000_000_000),
    uptime: Duration::from_secs(7200),
};

fn name(text: &str) -> DomainName {
    DomainName::parse(text).unwrap()
}

fn digest(byte: u8) -> Vec<u8> {
    [vec![3, 1, 1], vec![byte; 32]].concat()
}

/// One destination in the making: findings and the lookups that brought them.
struct World {
    findings: Findings,
    rules: Vec<Rule>,
    profile: Profile,
    own_dane: OwnDaneSeen,
}

impl World {
    fn new(next_hop: &str, status: SecurityStatus) -> Self {
        let next_hop = NextHop::parse(next_hop);
        let findings = Findings {
            next_hop,
            mx: MxFinding::Hosts(Selection::Mx(status)),
            hosts: Vec::new(),
            sts: StsFinding::Absent("no record at _mta-sts.example.com".to_owned()),
            anchors: Vec::new(),
            anchor_failures: Vec::new(),
            end_entity_failed: Vec::new(),
            lookups: Vec::new(),
            warnings: Vec::new(),
            gathered: NOW,
            lifetime: Duration::from_secs(300),
        };
        let mut world = Self {
            findings,
            rules: Vec::new(),
            profile: Profile::built_in("postfix").unwrap(),
            own_dane: OwnDaneSeen::Works,
        };
        let exchange = RecordData::Mx {
            preference: 10,
            exchange: Exchange::Host(name("mx1.example.com")),
        };
        world.records("example.com", RecordType::Mx, status, vec![exchange]);
        world
    }

    fn host(mut self, host: &str, preference: u16, dane: DaneFinding) -> Self {
        let status = match dane {
            DaneFinding::NoneInsecure => SecurityStatus::Insecure,
            _ => SECURE,
        };
        let address = RecordData::A([192, 0, 2, 1].into());
        self.records(host, RecordType::A, status, vec![address]);
        let owner = format!("_25._tcp.{host}");
        match &dane {
            DaneFinding::Records { rdata, .. } => {
                let data = rdata.iter().cloned().map(RecordData::Tlsa).collect();
                self.records(&owner, RecordType::Tlsa, status, data);
            }
            DaneFinding::Failed(failure) => {
                self.lookup(&owner, RecordType::Tlsa, Answer::Failed(failure.clone()));
            }
            DaneFinding::NoneSecure => {
                let denial = Denial {
                    status,
                    aliases: Vec::new(),
                    ttl: Duration::from_secs(900),
                };
                self.lookup(&owner, RecordType::Tlsa, Answer::NxDomain(denial));
            }
            DaneFinding::NoneInsecure | DaneFinding::NotAsked => {}
        }
        self.findings.hosts.push(HostFinding {
            host: MxHost(name(host)),
            preference,
            aliased: false,
            ipv4: AddressFinding::Present { status, count: 1 },
            ipv6: AddressFinding::Absent { status },
            dane,
        });
        self
    }

    fn records(
        &mut self,
        owner: &str,
        record_type: RecordType,
        status: SecurityStatus,
        data: Vec<RecordData>,
    ) {
        let answer = Answer::Records {
            status,
            aliases: Vec::new(),
            data,
            ttl: Duration::from_secs(3600),
        };
        self.lookup(owner, record_type, answer);
    }

    fn lookup(&mut self, owner: &str, record_type: RecordType, answer: Answer) {
        self.findings.lookups.push(Reply {
            question: Question::new(name(owner), record_type),
            answer,
            took: Duration::from_millis(12),
        });
    }

    fn policy(mut self, text: &str, trouble: Option<StsFailure>) -> Self {
        self.findings.sts = StsFinding::Policy {
            remembered: Arc::new(RememberedPolicy {
                policy: StsPolicy::parse(text.as_bytes()).unwrap(),
                id: "20260101T000000".to_owned(),
                fetched: NOW,
            }),
            source: PolicySource::Cache,
            trouble,
        };
        self
    }

    fn rule(mut self, mode: Mode, comment: &str) -> Self {
        self.rules.push(Rule {
            comment: comment.to_owned(),
            expires: Some(Timestamp(NOW.wall.0 + 7_200_000)),
            ..Rule::new(RulePattern::Exact(name("example.com")), mode)
        });
        self
    }

    fn decide(&self) -> Verdict {
        self.decide_under(&LawOptions::default())
    }

    fn decide_under(&self, options: &LawOptions) -> Verdict {
        let rules = Rules::new(self.rules.clone());
        let conditions = Conditions {
            validation: Validation::Validating,
            remembered_dane: false,
            own_dane: self.own_dane,
            now: NOW,
        };
        decide(&self.findings, &rules, &self.profile, options, conditions)
    }

    fn told(&self, asked: &str) -> Told {
        self.told_of(asked, &self.decide(), Some(&self.findings))
    }

    fn told_of(&self, asked: &str, verdict: &Verdict, findings: Option<&Findings>) -> Told {
        let rules = Rules::new(self.rules.clone());
        let rendered = render(verdict, &self.profile);
        let next_hop = NextHop::parse(asked);
        let view = View {
            asked,
            next_hop: &next_hop,
            profile: &self.profile.name,
            family: self.profile.family,
            verdict,
            findings,
            rendered: &rendered,
            rules: &rules,
            now: NOW,
        };
        Told {
            text: explain::text(&view),
            query: serde_json::to_value(json::query(&view)).unwrap(),
            explain: serde_json::to_value(json::explain(&view)).unwrap(),
        }
    }
}

struct Told {
    text: String,
    query: Value,
    explain: Value,
}

impl Told {
    fn is_page(&self, page: &str) {
        assert!(
            self.text == page,
            "--- told\n{}\n--- page\n{page}",
            self.text
        );
        for line in self.text.lines().filter(|line| !line.contains("TLSA ")) {
            assert!(
                line.len() <= 100,
                "{line:?} is longer than a terminal is wide"
            );
        }
    }

    fn first_line(&self) -> &str {
        self.text.lines().next().unwrap()
    }
}

fn usable(host: &str, byte: u8) -> DaneFinding {
    DaneFinding::Records {
        base: TlsaBaseDomain(name(host)),
        rdata: vec![digest(byte)],
    }
}

fn failed(kind: FailureKind, detail: &str) -> DaneFinding {
    DaneFinding::Failed(LookupFailure {
        kind,
        detail: detail.to_owned(),
    })
}

fn all_dane() -> World {
    World::new("example.com", SECURE)
        .host("mx1.example.com", 10, usable("mx1.example.com", 0xab))
        .host("mx2.example.com", 20, usable("mx2.example.com", 0xcd))
}

/// DT-13 under a floor that `dane` would fall below.
fn none_and_failed() -> World {
    let failure = failed(FailureKind::ServFail, "no reachable authority");
    let mut world = World::new("example.com", SECURE)
        .host("mx1.example.com", 10, DaneFinding::NoneSecure)
        .host("mx2.example.com", 20, failure);
    world.profile.floor = Floor::Encrypt;
    world
}

fn enforced() -> World {
    let policy = "version: STSv1\nmode: enforce\nmx: mx1.example.com\nmx: *.mail.example.com\n\
                  max_age: 86400\n";
    let trouble = StsFailure {
        kind: StsFailureKind::Fetch,
        detail: "status 404".to_owned(),
    };
    World::new("example.com", SecurityStatus::Insecure)
        .host("mx1.example.com", 10, DaneFinding::NoneInsecure)
        .host("mx9.example.com", 20, DaneFinding::NoneInsecure)
        .policy(policy, Some(trouble))
}

/// PD-18: what is told of each host is what happens to it, also where another word is said than the
/// law chose: `may` for a half-DANE that is switched off, a delay where no address is known.
#[test]
fn outcomes_are_those_of_the_words_that_are_said() {
    let mut world = World::new("example.com", SecurityStatus::Insecure)
        .host("mx1.example.com", 10, usable("mx1.example.com", 0xab))
        .host("mx2.example.com", 20, failed(FailureKind::ServFail, "x"));
    let outcomes = |world: &World, half_dane| {
        let options = LawOptions {
            half_dane,
            ..LawOptions::default()
        };
        let verdict = world.decide_under(&options);
        let outcomes = verdict.hosts.iter().map(|host| host.outcome.word());
        (verdict.answer.word(), outcomes.collect::<Vec<_>>())
    };
    world.profile.floor = Floor::Dane;
    assert_eq!(outcomes(&world, true), ("dane", vec!["dane", "skip"]));
    assert_eq!(outcomes(&world, false), ("may", vec!["clear", "clear"]));
    let unknown = LookupFailure {
        kind: FailureKind::Timeout,
        detail: "no answer".to_owned(),
    };
    for host in &mut world.findings.hosts {
        host.ipv4 = AddressFinding::Failed(unknown.clone());
    }
    world.profile.floor = Floor::Encrypt;
    assert_eq!(outcomes(&world, true), ("defer", vec!["skip", "skip"]));
}

/// PD-15, PD-18: all hosts by DANE.
#[test]
fn dane_only() {
    all_dane()
        .told("example.com")
        .is_page(include_str!("explain/dane-only.txt"));
}

/// PD-15, PD-18: some hosts by DANE.
#[test]
fn mixed_dane() {
    World::new("example.com", SECURE)
        .host("mx1.example.com", 10, usable("mx1.example.com", 0xab))
        .host("mx2.example.com", 20, DaneFinding::NoneSecure)
        .told("example.com")
        .is_page(include_str!("explain/mixed-dane.txt"));
}

/// PD-15, PD-18: an MTA-STS policy, and a host that it does not permit.
#[test]
fn secure() {
    enforced()
        .told("example.com")
        .is_page(include_str!("explain/secure.txt"));
}

/// PD-15, PD-18: mail waits: which lookup of which host, whose problem, what to do.
#[test]
fn waiting() {
    none_and_failed()
        .told("example.com")
        .is_page(include_str!("explain/waiting.txt"));
}

/// PD-11, PD-15, D4: a Postfix whose own DNSSEC does not work is told pins, and the page says why; hosts that
/// only a probe could bring in are shown with what came of it.
#[test]
fn pinned() {
    let anchor = DaneFinding::Records {
        base: TlsaBaseDomain(name("mx2.example.com")),
        rdata: vec![[&[2, 1, 1][..], &[0xcd; 32]].concat()],
    };
    let mut world = World::new("example.com", SECURE)
        .host("mx1.example.com", 10, usable("mx1.example.com", 0xab))
        .host("mx2.example.com", 20, anchor);
    let failed = (
        MxHost(name("mx2.example.com")),
        "STARTTLS was not offered".to_owned(),
    );
    world.findings.anchor_failures.push(failed);
    world.own_dane = OwnDaneSeen::LookupsOff;
    let told = world.told("example.com");
    told.is_page(include_str!("explain/pinned.txt"));
    assert_eq!(told.query["verdict"], "fingerprint");
    assert_eq!(told.query["reason"], "dane-all-hosts");
    let hosts = &told.query["mx"]["hosts"];
    assert_eq!(hosts[1]["outcome"], "skip");
    assert_eq!(hosts[1]["duty"], "dane");
    let trouble = hosts[1]["trouble"].as_str().unwrap();
    assert!(trouble.contains("STARTTLS was not offered"), "{trouble}");
}

/// PD-12, PD-15: nothing is demanded.
#[test]
fn nothing_demanded() {
    World::new("example.com", SecurityStatus::Insecure)
        .host("mx1.example.com", 10, DaneFinding::NoneInsecure)
        .told("example.com")
        .is_page(include_str!("explain/nothing.txt"));
}

/// PD-15: a rule only audits, and says what it keeps from being done.
#[test]
fn audited() {
    all_dane()
        .rule(Mode::Audit, "gateway moves, ticket 7")
        .told("example.com")
        .is_page(include_str!("explain/audit.txt"));
}

/// Every reason for a delay has a first line that names it, and a way out.
#[test]
fn every_delay_says_what_to_do() {
    let world = all_dane();
    for reason in Reason::ALL {
        let verdict = Verdict::temp(hoplock_policy::law::rows::Row::Law, *reason, "some words");
        let told = world.told_of("example.com", &verdict, Some(&world.findings));
        let lines: Vec<&str> = told
            .text
            .lines()
            .take_while(|line| !line.is_empty())
            .collect();
        assert!(
            lines[0].starts_with("example.com: MAIL WAITS: "),
            "{}",
            lines[0]
        );
        let has = |label: &str| {
            lines
                .iter()
                .any(|line| line.starts_with(&format!("  {label} ")))
        };
        assert!(has("whose") && has("way out"), "{reason}: {lines:#?}");
        assert_eq!(told.query["verdict"], "defer");
    }
}

/// Where the MX lookup failed, its own question is named, not a host's.
#[test]
fn a_failed_mx_lookup_is_named() {
    let mut world = World::new("example.com", SECURE);
    let failure = LookupFailure {
        kind: FailureKind::Bogus,
        detail: "signature expired".to_owned(),
    };
    world.findings.lookups.clear();
    world.lookup(
        "example.com",
        RecordType::Mx,
        Answer::Failed(failure.clone()),
    );
    world.findings.mx = MxFinding::Failed(failure);
    let told = world.told("example.com");
    assert_eq!(
        told.first_line(),
        "example.com: MAIL WAITS: the MX lookup of example.com failed (dnssec-bogus)."
    );
    assert!(
        told.text
            .contains("\n  look      dig +dnssec MX example.com\n"),
        "{}",
        told.text
    );
    assert_eq!(told.query["mx"], json!({"status": "failed", "hosts": []}));
}

/// A null MX says so instead of "demands nothing".
#[test]
fn a_domain_without_mail_says_so() {
    let mut world = World::new("example.com", SECURE);
    world.findings.mx = MxFinding::NoHosts {
        why: NoHosts::NullMx,
        status: SECURE,
    };
    let line = world.told("example.com").text;
    assert!(line.starts_with("example.com: this domain takes no mail (null MX); Postfix's own"));
}

/// PD-15, RQ-04: the interface for programs, field by field and word by word.
#[test]
fn the_answer_as_json() {
    let told = all_dane().told("example.com");
    let host = |host: &str, preference: u16, byte: &str| {
        json!({"host": host, "preference": preference, "addresses": "secure", "tlsa_base": host,
               "state": "usable", "tlsa": [format!("3 1 1 {}", byte.repeat(32))],
               "duty": "dane", "outcome": "dane"})
    };
    let expected = json!({
        "next_hop": "example.com", "domain": "example.com", "profile": "postfix",
        "verdict": "dane-only", "reply": "OK dane-only", "row": "DT-06",
        "reason": "dane-all-hosts", "detail": "every host used must match its TLSA records",
        "requiretls_ok": true, "expires_in": 300,
        "mx": {"status": "secure", "hosts": [
            host("mx1.example.com", 10, "ab"), host("mx2.example.com", 20, "cd")]},
        "sts": {"state": "absent", "trouble": "no record at _mta-sts.example.com"},
    });
    assert_eq!(told.query, expected);
    let mut explained = told.explain.as_object().unwrap().clone();
    let lookups = explained.remove("lookups").unwrap();
    assert_eq!(
        lookups[0],
        json!({"name": "example.com", "type": "MX", "status": "secure", "rcode": "NOERROR",
               "ttl": 3600, "ms": 12})
    );
    assert_eq!(lookups.as_array().unwrap().len(), 5);
    assert_eq!(explained.remove("rules").unwrap(), json!([]));
    assert_eq!(explained.remove("warnings").unwrap(), json!([]));
    let lost = explained.remove("lost").unwrap();
    let weaker = json!({"answer": "none", "why": "a host would come out weaker than its duty",
                        "host": "mx1.example.com"});
    assert!(lost.as_array().unwrap().contains(&weaker), "{lost:#}");
    assert_eq!(Value::Object(explained), expected);
}

/// PD-15: a policy in JSON, with the trouble of its last fetch.
#[test]
fn a_policy_as_json() {
    let told = enforced().told("example.com");
    assert_eq!(
        told.query["sts"],
        json!({"state": "enforce", "id": "20260101T000000", "max_age": 86400,
               "mx": ["mx1.example.com", "*.mail.example.com"], "expires_in": 86400,
               "source": "cache", "trouble": "sts-policy-fetch-error: status 404"})
    );
    assert_eq!(told.query["mx"]["hosts"][0]["outcome"], "web-pki");
    assert_eq!(told.query["mx"]["hosts"][1]["duty"], "refuse");
    let reply = "OK secure match=mx1.example.com servername=hostname";
    assert_eq!(
        (&told.query["verdict"], &told.query["reply"]),
        (&"secure".into(), &reply.into())
    );
}

/// PD-15: the rule that took part, and one that did not.
#[test]
fn rules_as_json() {
    let mut world = all_dane().rule(Mode::Audit, "ticket 7");
    world.rules.push(Rule {
        pattern: RulePattern::Any,
        expires: None,
        ..world.rules[0].clone()
    });
    let told = world.told("example.com");
    assert_eq!(told.query["rule"], "example.com");
    assert_eq!(told.query["would_fail"], "dane-all-hosts");
    assert_eq!(told.query["reply"], "NOTFOUND ");
    assert_eq!(
        told.explain["rules"],
        json!([
            {"pattern": "example.com", "mode": "audit", "comment": "ticket 7", "expires_in": 7200,
             "applied": true},
            {"pattern": "*", "mode": "audit", "comment": "ticket 7", "applied": false}])
    );
}

/// PD-14: hosts in another order give the same reply and the same hosts.
#[test]
fn order_of_hosts_changes_nothing() {
    let mut turned = all_dane();
    turned.findings.hosts.reverse();
    let (one, other) = (all_dane().told("example.com"), turned.told("example.com"));
    assert_eq!(one.query, other.query);
    assert_eq!(one.text, other.text);
    let mut wide = enforced();
    let policy = "version: STSv1\nmode: enforce\nmx: *.example.com\nmax_age: 86400\n";
    wide = wide.policy(policy, None);
    wide.profile.version = Version {
        major: 3,
        minor: 10,
    };
    let before = wide.told("example.com").query;
    wide.findings.hosts.reverse();
    assert_eq!(before, wide.told("example.com").query);
}

/// ID-04: nothing that others wrote reaches a terminal as it came.
#[test]
fn foreign_text_is_escaped() {
    let evil = "\u{1b}[2J\u{202e}evil\r\nexample.com: all is well\0";
    let mut world = World::new("example.com", SECURE)
        .host("mx1.example.com", 10, failed(FailureKind::ServFail, evil))
        .rule(Mode::Opportunistic, evil);
    world.findings.warnings.push(evil.to_owned());
    let why = StsFailure {
        kind: StsFailureKind::Fetch,
        detail: evil.to_owned(),
    };
    for sts in [StsFinding::Absent(evil.to_owned()), StsFinding::Failed(why)] {
        world.findings.sts = sts;
        let told = world.told("example.com");
        let is_plain = |text: &str| text.chars().all(|c| c == '\n' || (' '..='~').contains(&c));
        assert!(is_plain(&told.text), "{}", told.text);
        assert!(!told.text.contains("\nexample.com: all"), "{}", told.text);
        for field in ["detail", "sts", "mx", "reply"] {
            assert!(is_plain(&told.query[field].to_string()), "{}", told.query);
            assert!(!told.query[field].to_string().contains("\\u0000"));
        }
    }
    let key = "a\u{202e}b c.test";
    let next_hop = NextHop::parse(key);
    let verdict = decide_without_lookup(
        &next_hop,
        &Rules::default(),
        &world.profile,
        &LawOptions::default(),
        OwnDaneSeen::Works,
        NOW,
    )
    .unwrap();
    let told = world.told_of(key, &verdict, None);
    assert_eq!(
        (&told.query["next_hop"], &told.query["domain"]),
        (&"a\\u{202e}b c.test".into(), &Value::Null)
    );
    assert!(
        told.text
            .starts_with("a\\u{202e}b c.test: this is no mail domain"),
        "{}",
        told.text
    );
}

/// ID-03: the domain is told by its A-labels, beside what was typed.
#[test]
fn names_are_a_labels() {
    let mut world = all_dane();
    world.findings.next_hop = NextHop::parse("b\u{fc}cher.example");
    let told = world.told("b\u{fc}cher.example");
    assert_eq!(told.query["domain"], "xn--bcher-kva.example");
    assert_eq!(told.query["next_hop"], "b\u{fc}cher.example");
    assert!(told.first_line().starts_with("xn--bcher-kva.example: "));
    assert!(
        told.text.contains("\n  asked as  b\\u{fc}cher.example\n"),
        "{}",
        told.text
    );
}
