//! What one message of the DNS amounts to, and which findings rest on a lookup that failed.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

use std::sync::Arc;
use std::time::Duration;

use hoplock_policy::dns::{
    Answer, Denial, Exchange, FailureKind, LookupFailure, MAX_ALIASES, Message, Question, Record,
    RecordData, RecordType, SecurityStatus, follow,
};
use hoplock_policy::findings::{
    AddressFinding, DaneFinding, Findings, HostFinding, MxFinding, PolicySource, RememberedPolicy,
    Selection, StsFailure, StsFailureKind, StsFinding,
};
use hoplock_policy::moment::Moment;
use hoplock_policy::name::{DomainName, MxHost};
use hoplock_policy::next_hop::NextHop;
use hoplock_policy::sts::StsPolicy;

fn name(text: &str) -> DomainName {
    DomainName::parse(text).unwrap()
}

fn record(owner: &str, ttl: u64, data: RecordData) -> Record {
    Record {
        owner: name(owner),
        ttl: Duration::from_secs(ttl),
        data,
    }
}

fn alias(owner: &str, target: &str) -> Record {
    record(owner, 600, RecordData::Cname(name(target)))
}

fn address(last: u8) -> RecordData {
    RecordData::A([192, 0, 2, last].into())
}

fn message(records: Vec<Record>) -> Message {
    Message {
        status: SecurityStatus::Secure,
        name_error: false,
        records,
        negative_ttl: Some(Duration::from_secs(900)),
    }
}

fn followed(records: Vec<Record>) -> Answer {
    let question = Question::new(name("a.test"), RecordType::A);
    follow(&question, &message(records))
}

/// So many aliases from `a.test` on, one after the other, and an address at the end.
fn chain(length: usize) -> Vec<Record> {
    let at = |number: usize| match number {
        0 => "a.test".to_owned(),
        number => format!("a{number}.test"),
    };
    let mut records: Vec<Record> = (0..length)
        .map(|number| alias(&at(number), &at(number + 1)))
        .collect();
    records.push(record(&at(length), 300, address(1)));
    records
}

/// MX-02, CA-01: only what stands on the alias chain is taken, with the chain's smallest TTL.
#[test]
fn only_records_on_the_alias_chain_are_taken() {
    let of = |aliases: &[&str], data: Vec<RecordData>, ttl| Answer::Records {
        status: SecurityStatus::Secure,
        aliases: aliases.iter().map(|text| name(text)).collect(),
        data,
        ttl: Duration::from_secs(ttl),
    };
    let elsewhere = || record("b.test", 5, address(9));
    for (records, expected) in [
        (
            vec![
                record("a.test", 300, address(1)),
                elsewhere(),
                record("a.test", 5, RecordData::Soa),
                record("a.test", 200, address(2)),
            ],
            of(&[], vec![address(1), address(2)], 200),
        ),
        (
            vec![
                alias("x.test", "b.test"),
                record("c.test", 1000, address(3)),
                alias("a.test", "c.test"),
                elsewhere(),
            ],
            of(&["c.test"], vec![address(3)], 600),
        ),
        (
            vec![
                alias("c.test", "d.test"),
                record("d.test", 60, address(4)),
                alias("a.test", "c.test"),
            ],
            of(&["c.test", "d.test"], vec![address(4)], 60),
        ),
    ] {
        assert_eq!(followed(records.clone()), expected, "{records:#?}");
    }
}

/// CA-02: records elsewhere leave an absence an absence, kept for the chain's time and three hours
/// at most.
#[test]
fn what_stands_elsewhere_is_no_answer() {
    let denial = |aliases: &[&str], ttl| Denial {
        status: SecurityStatus::Secure,
        aliases: aliases.iter().map(|text| name(text)).collect(),
        ttl: Duration::from_secs(ttl),
    };
    let elsewhere = vec![record("b.test", 5, address(9)), alias("x.test", "b.test")];
    assert_eq!(followed(elsewhere), Answer::NoData(denial(&[], 900)));
    let dangling = vec![alias("a.test", "c.test")];
    let question = Question::new(name("a.test"), RecordType::A);
    let mut told = message(dangling);
    told.name_error = true;
    let answer = follow(&question, &told);
    assert_eq!(answer, Answer::NxDomain(denial(&["c.test"], 600)));
    assert_eq!(answer.aliases(), [name("c.test")]);
    for (said, kept) in [(None, 0), (Some(10_800), 10_800), (Some(86_400), 10_800)] {
        let mut told = message(Vec::new());
        told.negative_ttl = said.map(Duration::from_secs);
        assert_eq!(
            follow(&question, &told),
            Answer::NoData(denial(&[], kept)),
            "{said:?}"
        );
    }
}

/// MX-11: sixteen aliases are followed; a longer chain and a circle are failed lookups.
#[test]
fn alias_chains_end_in_time() {
    let longest = followed(chain(MAX_ALIASES));
    assert_eq!(longest.rcode(), "NOERROR");
    assert_eq!(longest.aliases().len(), MAX_ALIASES);
    for (records, words) in [
        (chain(MAX_ALIASES + 1), "more than 16 aliases"),
        (chain(MAX_ALIASES + 5), "more than 16 aliases"),
        (
            vec![alias("a.test", "b.test"), alias("b.test", "a.test")],
            "aliases return to a.test",
        ),
        (
            vec![
                alias("a.test", "b.test"),
                alias("b.test", "c.test"),
                alias("c.test", "b.test"),
            ],
            "aliases return to b.test",
        ),
        (vec![alias("a.test", "a.test")], "aliases return to a.test"),
    ] {
        let failed = Answer::failed(FailureKind::AliasLoop, words);
        assert_eq!(followed(records), failed);
        assert_eq!(failed.aliases(), []);
    }
}

/// Each question is answered by data of its own type and by no other.
#[test]
fn a_question_takes_its_own_type_only() {
    let all = [
        (RecordType::A, address(1)),
        (
            RecordType::Aaaa,
            RecordData::Aaaa(std::net::Ipv6Addr::LOCALHOST),
        ),
        (RecordType::Cname, RecordData::Cname(name("b.test"))),
        (
            RecordType::Mx,
            RecordData::Mx {
                preference: 10,
                exchange: Exchange::Null,
            },
        ),
        (RecordType::Soa, RecordData::Soa),
        (RecordType::Tlsa, RecordData::Tlsa(vec![3, 1, 1, 7])),
        (RecordType::Txt, RecordData::Txt(vec![b"words".to_vec()])),
    ];
    // The alias comes last: it would lead every other question away.
    for (record_type, data) in &all {
        let records = all
            .iter()
            .filter(|(other, _)| *other != RecordType::Cname || *record_type == RecordType::Cname)
            .map(|(_, data)| record("a.test", 300, data.clone()))
            .collect();
        let question = Question::new(name("a.test"), *record_type);
        match follow(&question, &message(records)) {
            Answer::Records { data: taken, .. } => assert_eq!(&taken, std::slice::from_ref(data)),
            other => panic!("{record_type}: {other:?}"),
        }
    }
}

/// MX-04: what failed is bogus or indeterminate, never insecure.
#[test]
fn failures_have_a_status_of_their_own() {
    for (kind, status, rcode) in [
        (FailureKind::Bogus, SecurityStatus::Bogus, "SERVFAIL"),
        (
            FailureKind::ServFail,
            SecurityStatus::Indeterminate,
            "SERVFAIL",
        ),
        (
            FailureKind::Timeout,
            SecurityStatus::Indeterminate,
            "TIMEOUT",
        ),
        (
            FailureKind::NotExamined,
            SecurityStatus::Indeterminate,
            "NOT-EXAMINED",
        ),
    ] {
        let answer = Answer::failed(kind, "");
        assert_eq!((answer.status(), answer.rcode()), (status, rcode));
        assert_eq!(answer.ttl(), None);
    }
}

fn failure() -> LookupFailure {
    LookupFailure {
        kind: FailureKind::ServFail,
        detail: String::new(),
    }
}

/// Findings in which every lookup had an answer.
fn findings() -> Findings {
    let status = SecurityStatus::Secure;
    Findings {
        next_hop: NextHop::parse("a.test"),
        mx: MxFinding::Hosts(Selection::Mx(status)),
        hosts: vec![HostFinding {
            host: MxHost(name("mx.a.test")),
            preference: 10,
            aliased: false,
            ipv4: AddressFinding::Present { status, count: 1 },
            ipv6: AddressFinding::Absent { status },
            dane: DaneFinding::NoneSecure,
        }],
        sts: StsFinding::Absent(String::new()),
        anchors: Vec::new(),
        anchor_failures: Vec::new(),
        end_entity_failed: Vec::new(),
        lookups: Vec::new(),
        warnings: Vec::new(),
        gathered: Moment::default(),
        lifetime: Duration::from_secs(300),
    }
}

/// CA-03: one failed lookup, whichever it is, makes findings short-lived; none does not.
#[test]
fn one_failed_lookup_is_noticed() {
    assert!(!findings().has_failure());
    type Change = fn(&mut Findings);
    let changes: [(&str, Change); 4] = [
        ("mx", |found| found.mx = MxFinding::Failed(failure())),
        ("tlsa", |found| {
            for host in &mut found.hosts {
                host.dane = DaneFinding::Failed(failure());
            }
        }),
        ("ipv4", |found| {
            for host in &mut found.hosts {
                host.ipv4 = AddressFinding::Failed(failure());
            }
        }),
        ("ipv6", |found| {
            for host in &mut found.hosts {
                host.ipv6 = AddressFinding::Failed(failure());
            }
        }),
    ];
    for (what, change) in changes {
        let mut found = findings();
        change(&mut found);
        assert!(found.has_failure(), "{what}");
    }
}

/// ST-25, CA-03: of a policy's troubles, those after which another policy may be announced or on its
/// way are looked after soon; a policy that is broken at its source is not.
#[test]
fn troubles_that_may_hide_a_newer_policy_are_noticed() {
    let text = b"version: STSv1\nmode: none\nmax_age: 86400\n";
    let remembered = Arc::new(RememberedPolicy {
        policy: StsPolicy::parse(text).unwrap(),
        id: "1".to_owned(),
        fetched: Moment::default(),
    });
    let has_failure = |sts: StsFinding| {
        let mut found = findings();
        found.sts = sts;
        found.has_failure()
    };
    assert!(!has_failure(StsFinding::NotApplicable));
    let with = |kind: Option<StsFailureKind>| StsFinding::Policy {
        remembered: Arc::clone(&remembered),
        source: PolicySource::Cache,
        trouble: kind.map(|kind| StsFailure {
            kind,
            detail: String::new(),
        }),
    };
    assert!(!has_failure(with(None)));
    for (kind, noticed) in [
        (StsFailureKind::Record, true),
        (StsFailureKind::Pending, true),
        (StsFailureKind::Store, true),
        (StsFailureKind::RecordInvalid, false),
        (StsFailureKind::Fetch, false),
        (StsFailureKind::WebPki, false),
        (StsFailureKind::Invalid, false),
    ] {
        assert_eq!(has_failure(with(Some(kind))), noticed, "{kind:?}");
        let detail = String::new();
        assert!(has_failure(StsFinding::Failed(StsFailure { kind, detail })));
    }
}
