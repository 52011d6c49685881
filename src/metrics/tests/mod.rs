//! Figures as they are counted, taken over and shown. `page`: their page; `everything`: a daemon with all.

mod everything;
mod page;

use hoplock_policy::dns::{FailureKind, Question, RecordType, Reply};
use hoplock_policy::law::Answer;
use hoplock_policy::law::rows::Row;
use hoplock_policy::name::{DomainName, PolicyDomain};

use self::everything::everything;
use super::outside::lookup_end;
use super::*;
use crate::answer::Settings;
use crate::discover::DiscoverOptions;
use crate::store::memory::MemoryStore;
use crate::world::scripted::ScriptedWorld;
use crate::world::{FetchFailureKind, NameServer, Resolver, Validation, Waiting};

/// MX-17, CA-09, SV-10: every kind of alarm is a row of `hoplock_alarms`, also where none stands, and counts
/// what stands.
#[test]
fn every_alarm_is_a_figure() {
    let metrics = Metrics::new();
    metrics.take_over_alarms(&[AlarmKind::DaneLost, AlarmKind::DaneLost], 1_795_478_400);
    let text = metrics.open_metrics();
    for kind in AlarmKind::all() {
        let count = 2 * u8::from(kind == AlarmKind::DaneLost);
        let line = format!("hoplock_alarms{{alarm=\"{}\"}} {count}", kind.word());
        assert!(text.lines().any(|own| own == line), "{line}\n{text}");
    }
    metrics.take_over_alarms(&[], 1_795_478_401);
    let text = metrics.open_metrics();
    assert!(text.contains("hoplock_alarms{alarm=\"dane-lost\"} 0"));
    assert!(text.contains("hoplock_alarms_looked_at_timestamp_seconds 1795478401"));
}

/// A row of the tables is where its reason says.
#[test]
fn reasons_are_numbered_in_their_order() {
    for (place, reason) in Reason::ALL.iter().enumerate() {
        assert_eq!(*reason as usize, place);
    }
    for (place, evidence) in Evidence::ALL.iter().enumerate() {
        assert_eq!(*evidence as usize, place);
    }
    let metrics = Metrics::new();
    let mut verdict = Verdict::temp(Row::Law, Reason::MtaPolicyWeaker, "words");
    verdict.answer = Answer::NotFound;
    metrics.answered(&verdict, Evidence::Gathered, Duration::from_millis(700));
    let text = metrics.open_metrics();
    for line in [
        "hoplock_answers_total{verdict=\"none\",reason=\"mta-policy-weaker\"} 1",
        "hoplock_answer_seconds_bucket{le=\"0.5\",evidence=\"gathered\",reason=\"mta-policy-weaker\"} 0",
        "hoplock_answer_seconds_bucket{le=\"1.0\",evidence=\"gathered\",reason=\"mta-policy-weaker\"} 1",
        "hoplock_answer_seconds_sum{evidence=\"gathered\",reason=\"mta-policy-weaker\"} 0.7",
    ] {
        assert!(text.lines().any(|own| own == line), "{line}\n{text}");
    }
    assert_eq!(metrics.last_hour(), BTreeMap::from([("none", 1)]));
}

/// Text 0.0.4 has counters under the names that they are scraped by, and nothing that it does not know.
#[test]
fn the_older_text_names_counters_whole() {
    let text = everything().prometheus();
    assert!(text.contains("# TYPE hoplock_answers_total counter\n"));
    assert!(text.contains("# HELP hoplock_answers_total "));
    assert!(text.contains("# TYPE hoplock_answer_seconds histogram\n"));
    assert!(text.contains("hoplock_policies_soonest_expiry_seconds NaN\n"));
    for line in text.lines() {
        let is_known = !line.starts_with('#')
            || line.starts_with("# HELP hoplock_")
            || line.starts_with("# TYPE hoplock_");
        assert!(is_known, "{line}");
    }
}

/// The time of each lookup and each fetch is counted by whoever stands before the real one.
#[tokio::test]
async fn what_the_outside_takes_is_counted() {
    let world = ScriptedWorld::new();
    let outside = Arc::new(Outside::default());
    let metrics = Metrics::with(&outside);
    let name = DomainName::parse("e.test").unwrap();
    let resolver = outside.around_resolver(world.clone());
    let reply = resolver
        .lookup(Question::new(name.clone(), RecordType::Tlsa))
        .await;
    assert_eq!(reply.question.name, name);
    assert_eq!(resolver.validation(), world.validation());
    let fetcher = outside.around_fetcher(world);
    let outcome = fetcher.fetch(PolicyDomain(name)).await;
    assert_eq!(outcome.unwrap_err().kind, FetchFailureKind::Lookup);
    let text = metrics.open_metrics();
    let lines = text.lines().filter(|line| line.contains("_count{"));
    let lines: Vec<&str> = lines.collect();
    let end = lookup_end(&reply.answer);
    let expected = [
        format!("hoplock_dns_lookup_seconds_count{{type=\"TLSA\",end=\"{end}\"}} 1"),
        "hoplock_policy_fetch_seconds_count{end=\"lookup-failed\"} 1".to_owned(),
    ];
    assert_eq!(lines, expected);
}

/// CA-01: an answer counts as kept where its evidence was at hand, as gathered where lookups were waited for,
/// and as neither where nothing was looked up.
#[tokio::test]
async fn an_answer_is_timed_by_where_its_evidence_came_from() {
    let world = ScriptedWorld::new();
    let store = Arc::new(MemoryStore::new(10));
    let (options, settings) = (DiscoverOptions::default(), Settings::default());
    let answerer = Answerer::new(world.world(store), options, settings, 10);
    let profile = Profile::built_in("postfix").unwrap();
    let metrics = Metrics::new();
    for (key, counted) in [
        ("[192.0.2.1]", [1, 0, 0]),
        ("e.test", [1, 0, 1]),
        ("e.test", [1, 1, 1]),
        ("e.test", [1, 2, 1]),
        ("other.test", [1, 2, 2]),
    ] {
        metrics.ask(&answerer, key, &profile).await;
        let text = metrics.open_metrics();
        let of = |evidence: Evidence| -> u64 {
            let label = format!(
                "hoplock_answer_seconds_count{{evidence=\"{}\"",
                evidence.word()
            );
            let lines = text.lines().filter(|line| line.starts_with(&label));
            let values = lines.map(|line| line.rsplit(' ').next().unwrap());
            values.map(|value| value.parse::<u64>().unwrap()).sum()
        };
        assert_eq!(Evidence::ALL.map(of), counted, "{key}\n{text}");
    }
}

/// MX-15, MX-17: the word of the real resolver on itself passes through whole: one that is not believed would
/// else be.
#[tokio::test]
async fn what_counts_changes_nothing() {
    struct Doubtful;

    impl Resolver for Doubtful {
        fn lookup(&self, question: Question) -> Waiting<'_, Reply> {
            Box::pin(async move {
                Reply {
                    question,
                    answer: hoplock_policy::dns::Answer::failed(FailureKind::Refused, "no"),
                    took: Duration::from_millis(7),
                }
            })
        }

        fn validation(&self) -> Validation {
            Validation::NotValidating
        }

        fn test(&self) -> Waiting<'_, Validation> {
            Box::pin(async { Validation::Unknown })
        }

        fn is_believed(&self) -> bool {
            false
        }

        fn servers(&self) -> Vec<NameServer> {
            vec![NameServer {
                address: "192.0.2.53:53".parse().unwrap(),
                validation: Validation::NotValidating,
            }]
        }
    }

    let outside = Arc::new(Outside::default());
    let resolver = outside.around_resolver(Arc::new(Doubtful));
    let question = Question::new(DomainName::parse("e.test").unwrap(), RecordType::Mx);
    let reply = resolver.lookup(question.clone()).await;
    assert_eq!(reply, Doubtful.lookup(question).await);
    assert_eq!(resolver.validation(), Doubtful.validation());
    assert_eq!(resolver.test().await, Doubtful.test().await);
    assert_eq!(resolver.is_believed(), Doubtful.is_believed());
    assert_eq!(resolver.servers(), Doubtful.servers());
}
