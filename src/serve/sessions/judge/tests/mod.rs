//! The judge over a scripted world: what was in force, what is in force now, and whom nobody knows.

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use hoplock_policy::dns::{Exchange, RecordData, RecordType, SecurityStatus};
use hoplock_policy::name::{DomainName, MxHost};
use hoplock_policy::next_hop::NextHop;
use hoplock_policy::rules::{Mode, PinnedLevel, Rule, RulePattern, Rules};
use hoplock_policy::tlsa::{TlsaOptions, TlsaRecord};
use hoplock_policy::verify::{Certificate, Session, Sni, Starttls, TlsVersion};

use super::*;
use crate::answer::Settings;
use crate::discover::DiscoverOptions;
use crate::report::reported::Evidence;
use crate::store::memory::MemoryStore;
use crate::world::scripted::{Scripted, ScriptedPolicy, ScriptedWorld, Zone};
use crate::world::{Clock as _, FetchFailureKind, PolicyResponse};

mod rules;

const TTL: Duration = Duration::from_secs(300);

pub(super) fn name(text: &str) -> DomainName {
    DomainName::parse(text).unwrap()
}

pub(super) fn certificate(host: &str) -> Certificate {
    let made = rcgen::generate_simple_self_signed(vec![host.to_owned()]).unwrap();
    Certificate::from_der(made.cert.der().to_vec())
}

pub(super) fn record(certificate: &Certificate) -> Vec<u8> {
    TlsaRecord::naming(certificate, 3, 1, 1).unwrap().rdata()
}

/// A signed domain with one host that has these TLSA records.
pub(super) fn world(records: &[Vec<u8>]) -> Arc<ScriptedWorld> {
    let world = ScriptedWorld::new();
    world.zone(Zone {
        name: name("test"),
        status: SecurityStatus::Secure,
        negative: TTL,
    });
    let add = |owner: &str, data| world.add(name(owner), SecurityStatus::Secure, TTL, data);
    let exchange = |host: &str| RecordData::Mx {
        preference: 10,
        exchange: Exchange::Host(name(host)),
    };
    add("e.test", exchange("mx.e.test"));
    add("mx.e.test", RecordData::A(Ipv4Addr::new(192, 0, 2, 1)));
    publish(&world, records);
    world
}

fn publish(world: &ScriptedWorld, records: &[Vec<u8>]) {
    let data = records.iter().cloned().map(RecordData::Tlsa).collect();
    let owner = name("_25._tcp.mx.e.test");
    world.set(
        owner,
        RecordType::Tlsa,
        Scripted::Records(SecurityStatus::Secure, TTL, data),
    );
}

pub(super) fn judge(world: &Arc<ScriptedWorld>) -> SessionJudge {
    judge_under(world, Settings::default())
}

pub(super) fn judge_under(world: &Arc<ScriptedWorld>, settings: Settings) -> SessionJudge {
    let store = Arc::new(MemoryStore::new(100));
    let options = DiscoverOptions::default();
    let answerer = Answerer::new(world.world(store), options, settings, 100);
    SessionJudge::new(Arc::new(answerer), Vec::new(), JudgeOptions::default())
}

pub(super) fn case(world: &ScriptedWorld, host: &str, shown: &Certificate) -> Case {
    Case {
        session: Session {
            next_hop: Some(NextHop::parse("e.test")),
            mx_host: Some(MxHost(name(host))),
            address: Some(IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1))),
            port: Some(25),
            starttls: Some(Starttls::Used),
            tls_version: Some(TlsVersion::Tls13),
            cipher: Some("TLS_AES_256_GCM_SHA384".to_owned()),
            sni: Sni::Sent(name("mx.e.test")),
            presented: Presented::Chain(vec![shown.clone()]),
            resumed: false,
        },
        time: world.now().wall,
        evidence: Evidence::default(),
        word: MtaWord::Nothing,
        carries: Carries::Mail,
    }
}

/// SV-04, CA-07: the key rolled over between lookup and session: a second look at fresh DNS settles it,
/// once in half a minute, and says so; the destination is renewed by it.
#[tokio::test(start_paused = true)]
async fn a_key_that_rolled_over_meanwhile() {
    let (old, new) = (certificate("mx.e.test"), certificate("mx.e.test"));
    let world = world(&[record(&old)]);
    let judge = judge(&world);
    let judged = judge.judge(&case(&world, "mx.e.test", &old)).await;
    assert_eq!(judged.verdict.outcome, SessionOutcome::AuthenticatedDane);
    assert!(!judged.second_look);
    publish(&world, &[record(&new)]);
    world.pass(Duration::from_secs(10));
    let judged = judge.judge(&case(&world, "mx.e.test", &new)).await;
    assert_eq!(judged.verdict.outcome, SessionOutcome::AuthenticatedDane);
    assert_eq!(judged.verdict.warnings, [Warning::StaleCache]);
    assert!(judged.second_look);
    let judged = judge.judge(&case(&world, "mx.e.test", &new)).await;
    assert!(judged.verdict.warnings.is_empty(), "renewed");
}

/// SV-04: a session of before the change is judged by what was in force then, though it is reported
/// late.
#[tokio::test(start_paused = true)]
async fn what_was_in_force_then() {
    let (old, new) = (certificate("mx.e.test"), certificate("mx.e.test"));
    let world = world(&[record(&old)]);
    let judge = judge(&world);
    let before = case(&world, "mx.e.test", &old);
    assert_eq!(
        judge.judge(&before).await.verdict.outcome,
        SessionOutcome::AuthenticatedDane
    );
    publish(&world, &[record(&new)]);
    world.pass(TTL + Duration::from_secs(1));
    let now = case(&world, "mx.e.test", &new);
    assert_eq!(
        judge.judge(&now).await.verdict.outcome,
        SessionOutcome::AuthenticatedDane
    );
    let late = judge.judge(&before).await;
    assert_eq!(late.verdict.outcome, SessionOutcome::AuthenticatedDane);
    assert!(!late.second_look);
    // A session of now with the old key has no such excuse.
    let stale = judge.judge(&case(&world, "mx.e.test", &old)).await;
    assert_eq!(stale.verdict.reason, Reason::TlsaNoMatch);
}

/// SV-04, CA-07: a peer with a wrong key buys one set of lookups in half a minute, and stays a failure;
/// that DANE is gone by then makes up for nothing.
#[tokio::test(start_paused = true)]
async fn a_second_look_excuses_nothing_but_by_a_match() {
    let (own, other) = (certificate("mx.e.test"), certificate("mx.e.test"));
    let world = world(&[record(&own)]);
    let judge = judge(&world);
    let _ = judge.judge(&case(&world, "mx.e.test", &own)).await;
    let _ = world.take_asked();
    for number in 0..5 {
        let judged = judge.judge(&case(&world, "mx.e.test", &other)).await;
        assert_eq!(judged.verdict.reason, Reason::TlsaNoMatch);
        assert_eq!(judged.second_look, number == 0);
        let asked = world.take_asked();
        assert_eq!(asked.is_empty(), number > 0, "{asked:?}");
    }
    world.clear(&name("_25._tcp.mx.e.test"), RecordType::Tlsa);
    world.pass(Duration::from_secs(31));
    let judged = judge.judge(&case(&world, "mx.e.test", &other)).await;
    assert_eq!(judged.verdict.outcome, SessionOutcome::Failed);
    assert!(judged.second_look);
}

/// SV-03, RQ-06: no second look at what no lookup could change.
#[tokio::test(start_paused = true)]
async fn a_stripped_session_is_not_looked_at_again() {
    let own = certificate("mx.e.test");
    let world = world(&[record(&own)]);
    let judge = judge(&world);
    let mut stripped = case(&world, "mx.e.test", &own);
    stripped.session.starttls = Some(Starttls::NotOffered);
    let judged = judge.judge(&stripped).await;
    assert_eq!(judged.verdict.reason, Reason::StarttlsNotOffered);
    assert_eq!(judged.verdict.outcome, SessionOutcome::Failed);
    assert!(!judged.second_look);
}

/// PD-13: a host that the destination does not name, however good its certificate.
#[tokio::test(start_paused = true)]
async fn a_host_that_nobody_named() {
    let own = certificate("mx.e.test");
    let world = world(&[record(&own)]);
    let judge = judge(&world);
    let judged = judge.judge(&case(&world, "mx.other.test", &own)).await;
    assert_eq!(judged.verdict.reason, Reason::HostUnknown);
    assert_eq!(judged.verdict.outcome, SessionOutcome::Failed);
}

/// MX-10: Postfix reports a host by the name that its MX name is an alias of.
#[tokio::test(start_paused = true)]
async fn a_host_by_the_name_that_it_is_an_alias_of() {
    let own = certificate("real.test");
    let world = world(&[record(&own)]);
    world.clear(&name("mx.e.test"), RecordType::A);
    let alias = RecordData::Cname(name("real.test"));
    world.add(name("mx.e.test"), SecurityStatus::Secure, TTL, alias);
    let address = RecordData::A(Ipv4Addr::new(192, 0, 2, 1));
    world.add(name("real.test"), SecurityStatus::Secure, TTL, address);
    let judge = judge(&world);
    let judged = judge.judge(&case(&world, "real.test", &own)).await;
    assert_eq!(
        judged.verdict.outcome,
        SessionOutcome::AuthenticatedDane,
        "{:?}",
        judged.verdict
    );
}

/// SV-05: a resumed session inherits from the same host under the same policy; after a change of the
/// records, or with another host, nothing is known of it.
#[tokio::test(start_paused = true)]
async fn resumed_sessions() {
    let (own, new) = (certificate("mx.e.test"), certificate("mx.e.test"));
    let world = world(&[record(&own)]);
    let judge = judge(&world);
    let _ = judge.judge(&case(&world, "mx.e.test", &own)).await;
    let resumed = |world: &ScriptedWorld| {
        let mut resumed = case(world, "mx.e.test", &own);
        resumed.session.presented = Presented::Unknown;
        resumed.session.resumed = true;
        resumed
    };
    let judged = judge.judge(&resumed(&world)).await;
    assert_eq!(judged.verdict.outcome, SessionOutcome::AuthenticatedDane);
    assert_eq!(judged.verdict.reason, Reason::Resumed);
    let mut elsewhere = resumed(&world);
    elsewhere.session.address = Some(IpAddr::V4(Ipv4Addr::new(192, 0, 2, 9)));
    let judged = judge.judge(&elsewhere).await;
    assert_eq!(judged.verdict.reason, Reason::ResumedUnknown);
    publish(&world, &[record(&new)]);
    world.pass(TTL + Duration::from_secs(1));
    let judged = judge.judge(&resumed(&world)).await;
    assert_eq!(judged.verdict.outcome, SessionOutcome::Indeterminate);
    assert_eq!(judged.verdict.reason, Reason::ResumedUnknown);
}

/// ST-25: a session that fails under MTA-STS sets off one check of the record and, where that changed,
/// of the policy.
#[tokio::test(start_paused = true)]
async fn a_failure_under_mta_sts_asks_for_the_record() {
    let world = ScriptedWorld::new();
    world.zone(Zone {
        name: name("test"),
        status: SecurityStatus::Insecure,
        negative: TTL,
    });
    let insecure = SecurityStatus::Insecure;
    let exchange = RecordData::Mx {
        preference: 10,
        exchange: Exchange::Host(name("mx.e.test")),
    };
    world.add(name("e.test"), insecure, TTL, exchange);
    let address = RecordData::A(Ipv4Addr::new(192, 0, 2, 1));
    world.add(name("mx.e.test"), insecure, TTL, address);
    let announce = |id: &str| {
        let text = vec![format!("v=STSv1; id={id};").into_bytes()];
        let data = vec![RecordData::Txt(text)];
        let scripted = Scripted::Records(insecure, TTL, data);
        world.set(name("_mta-sts.e.test"), RecordType::Txt, scripted);
    };
    let serve = |mx: &str| {
        let body = format!("version: STSv1\nmode: enforce\nmx: {mx}\nmax_age: 86400\n");
        let response = PolicyResponse {
            status: 200,
            media_type: Some("text/plain".to_owned()),
            body: body.into_bytes(),
            certificate: None,
        };
        world.policy(
            name("e.test"),
            ScriptedPolicy::Responds(response, Duration::ZERO),
        );
    };
    announce("1");
    serve("other.e.test");
    let judge = judge(&world);
    let shown = certificate("mx.e.test");
    let judged = judge.judge(&case(&world, "mx.e.test", &shown)).await;
    assert_eq!(judged.verdict.reason, Reason::StsHostNotListed);
    let _ = (world.take_asked(), world.take_fetched());
    announce("2");
    serve("mx.e.test");
    world.pass(Duration::from_secs(60));
    let judged = judge.judge(&case(&world, "mx.e.test", &shown)).await;
    assert!(judged.second_look);
    let asked = world.take_asked();
    let records = asked
        .iter()
        .filter(|question| question.name == name("_mta-sts.e.test"));
    assert_eq!(records.count(), 1, "{asked:?}");
    assert_eq!(world.take_fetched().len(), 1);
    // The host is listed by now, and its certificate is nobody's: still a failure.
    assert_eq!(judged.verdict.outcome, SessionOutcome::Failed);
    world.policy(
        name("e.test"),
        ScriptedPolicy::Fails(FetchFailureKind::Timeout),
    );
}

/// RP-16, SV-01: a report without a host is good only where the mail server's word is good for one of
/// the destination's hosts.
#[tokio::test(start_paused = true)]
async fn a_word_without_a_host() {
    use hoplock_policy::verify::PolicyKind;
    let own = certificate("mx.e.test");
    let world = world(&[record(&own)]);
    let judge = judge(&world);
    let told = |word: MtaWord| {
        let mut told = case(&world, "mx.e.test", &own);
        told.session.mx_host = None;
        told.session.presented = Presented::Unknown;
        told.session.tls_version = None;
        told.session.cipher = None;
        told.word = word;
        told
    };
    let dane = MtaWord::Authenticated(Some(PolicyKind::Dane));
    let judged = judge.judge(&told(dane)).await.verdict;
    assert_eq!(judged.outcome, SessionOutcome::AuthenticatedDane);
    assert_eq!(judged.warnings, [Warning::MtaWord]);
    let sts = MtaWord::Authenticated(Some(PolicyKind::Sts));
    let judged = judge.judge(&told(sts)).await.verdict;
    assert_eq!(judged.reason, Reason::MtaPolicyWeaker);
    let judged = judge.judge(&told(MtaWord::Encrypted)).await.verdict;
    assert_eq!(judged.reason, Reason::MtaPolicyWeaker);
    assert_eq!(judged.outcome, SessionOutcome::Failed);
}

/// MX-22, SV-01: records that a report brings authenticate nobody: whoever lied to the mail server may have
/// made them. What they contradict is a failure.
#[tokio::test(start_paused = true)]
async fn evidence_of_a_report() {
    let own = certificate("mx.e.test");
    let evidence = || Evidence {
        records: Some(hoplock_policy::tlsa::TlsaSet::read(
            [record(&own).as_slice()],
            &TlsaOptions::default(),
        )),
        ..Evidence::default()
    };
    for status in [SecurityStatus::Insecure, SecurityStatus::Secure] {
        let world = ScriptedWorld::new();
        world.zone(Zone {
            name: name("test"),
            status,
            negative: TTL,
        });
        let exchange = RecordData::Mx {
            preference: 10,
            exchange: Exchange::Host(name("mx.e.test")),
        };
        world.add(name("e.test"), status, TTL, exchange);
        let address = RecordData::A(Ipv4Addr::new(192, 0, 2, 1));
        world.add(name("mx.e.test"), status, TTL, address);
        let judge = judge(&world);
        let mut told = case(&world, "mx.e.test", &own);
        told.evidence = evidence();
        let judged = judge.judge(&told).await.verdict;
        assert_eq!(judged.outcome, SessionOutcome::Encrypted, "{judged:?}");
        let other = certificate("mx.e.test");
        told.session.presented = Presented::Chain(vec![other]);
        let judged = judge.judge(&told).await.verdict;
        assert_eq!(judged.outcome, SessionOutcome::Failed, "{judged:?}");
    }
}

/// PD-01: where a rule switches protection off, or gives a level of its own, no evidence of a report makes
/// a failure. A level that asks for DANE leaves it to count.
#[tokio::test(start_paused = true)]
async fn evidence_under_a_rule() {
    let own = certificate("mx.e.test");
    let world = world(&[record(&own)]);
    let mut told = case(&world, "mx.e.test", &certificate("mx.e.test"));
    told.evidence.records = Some(hoplock_policy::tlsa::TlsaSet::read(
        [record(&own).as_slice()],
        &TlsaOptions::default(),
    ));
    let rule = |mode| Rule::new(RulePattern::Any, mode);
    let pinned = |level| Rule {
        answer: Some(level),
        ..rule(Mode::Opportunistic)
    };
    for (rule, expected) in [
        (rule(Mode::Off), SessionOutcome::Encrypted),
        (rule(Mode::Audit), SessionOutcome::Encrypted),
        (pinned(PinnedLevel::May), SessionOutcome::Encrypted),
        (pinned(PinnedLevel::Encrypt), SessionOutcome::Encrypted),
        (pinned(PinnedLevel::Dane), SessionOutcome::Failed),
    ] {
        let settings = Settings {
            rules: Rules::new(vec![rule]),
            ..Settings::default()
        };
        let judged = judge_under(&world, settings).judge(&told).await.verdict;
        assert_eq!(judged.outcome, expected, "{judged:?}");
    }
    let judged = judge(&world).judge(&told).await.verdict;
    assert_eq!(judged.outcome, SessionOutcome::Failed, "{judged:?}");
}
