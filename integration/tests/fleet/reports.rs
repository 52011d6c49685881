//! Counting and reports between two hosts.

use std::sync::Arc;
use std::time::Duration;

use hoplock::store::reports_checks as checks;
use hoplock::store::sqlite::{SqliteReports, SqliteStore};
use hoplock::store::valkey::{FleetClient, FleetOptions, ValkeyReports};
use hoplock::world::Clock as _;
use hoplock::world::reports::local::LocalTally;
use hoplock::world::reports::outgoing::{DeliveryState, Outgoing};
use hoplock::world::reports::{FleetState, Reports};
use hoplock_policy::moment::Timestamp;
use hoplock_policy::name::DomainName;
use hoplock_policy::tlsrpt::Day;

use crate::policies::clock;
use crate::server::{Server, not_reached, reached, until};

pub(crate) struct Node {
    pub(crate) reports: ValkeyReports,
    local: Arc<SqliteReports>,
    client: Arc<FleetClient>,
}

const AT_ONCE: FleetOptions = FleetOptions {
    between_rounds: Duration::from_millis(100),
    settling: Duration::ZERO,
};

impl Node {
    pub(crate) async fn new(server: &Server) -> Self {
        Self::over(server, local(), AT_ONCE).await
    }

    /// The process of a host that has counted this already.
    async fn over(server: &Server, local: Arc<SqliteReports>, options: FleetOptions) -> Self {
        let client = server.client().await;
        let reports = ValkeyReports::new(local.clone(), client.clone(), clock(0), options);
        Self {
            reports,
            local,
            client,
        }
    }

    pub(crate) fn count(&self, day: Day, name: &str, successful: u64) {
        let own = domain(name);
        let counts = checks::counts(&own, successful, 0);
        self.reports.count(day, &own, counts);
        self.reports.flush();
    }

    /// How many sessions all hosts counted.
    async fn counted(&self, day: Day, name: &str) -> u64 {
        let counts = self.reports.counts(day, domain(name)).await;
        counts.map_or(0, |counts| counts.values().sum())
    }

    pub(crate) async fn arrives(&self, day: Day, name: &str, count: u64) {
        until(&format!("{count} of {name} are there"), async || {
            self.counted(day, name).await == count
        })
        .await;
    }
}

/// The half that stays on a host, in a state file of its own.
pub(crate) fn local() -> Arc<SqliteReports> {
    let store = SqliteStore::in_memory(clock(0).now()).unwrap();
    Arc::new(SqliteReports::of(Arc::new(store)))
}

fn domain(name: &str) -> DomainName {
    DomainName::parse(name).unwrap()
}

pub(crate) fn today() -> Day {
    Day::of(clock(0).now().wall)
}

fn report(name: &str) -> Outgoing {
    let mut report = checks::outgoing(name, 100).unwrap();
    report.key.day = today();
    report
}

fn sent(mut report: Outgoing) -> Outgoing {
    report.deliveries[0].state = DeliveryState::Delivered { at: Timestamp(200) };
    report
}

/// The same trait, the same tests.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn does_what_every_store_does() {
    let server = Server::start(true);
    let node = Node::new(&server).await;
    checks::counts_what_it_should(&node.reports).await.unwrap();
    checks::claims_once(&node.reports).await.unwrap();
    checks::keeps_what_came(&node.reports).await.unwrap();
    for key in server.keys() {
        let left: i64 = redis::cmd("TTL")
            .arg(&key)
            .query(&mut server.stranger())
            .unwrap();
        let of_day = [
            "tally:",
            "domains:",
            "closed:",
            "mailed:",
            "report:",
            "received:",
        ];
        let ends = of_day
            .iter()
            .any(|part| key.starts_with(&format!("hoplock:{part}")));
        assert!(!ends || left > 0, "{key} never expires");
    }
}

/// RP-10: hosts add up, and what is handed over twice is counted once.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hosts_add_up() {
    let server = Server::start(false);
    let (one, two) = (Node::new(&server).await, Node::new(&server).await);
    let day = today();
    one.count(day, "a.test", 3);
    two.count(day, "a.test", 4);
    one.arrives(day, "a.test", 7).await;
    two.local.all_dirty(day).await.unwrap();
    one.count(day, "a.test", 1);
    two.arrives(day, "a.test", 8).await;
    // A process that starts anew hands over all, and adds nothing.
    let Node { reports, local, .. } = two;
    drop(reports);
    let two = Node::over(&server, local, AT_ONCE).await;
    two.count(day, "a.test", 2);
    one.arrives(day, "a.test", 10).await;
    // Whose day is closed where.
    let name = two.local.node().await.unwrap();
    let other = one.local.node().await.unwrap();
    one.reports.close(day).await.unwrap();
    assert_eq!(one.reports.missing(day).await.unwrap(), [name]);
    two.reports.close(day).await.unwrap();
    assert_eq!(
        one.reports.missing(day.before()).await.unwrap(),
        [] as [String; 0]
    );
    assert_eq!(two.reports.missing(day).await.unwrap(), [] as [String; 0]);
    let late = two
        .reports
        .missing(Day::numbered(day.number() + 1))
        .await
        .unwrap();
    assert!(late.len() == 2 && late.contains(&other));
    let (first, second) = (
        one.reports.installation().await,
        two.reports.installation().await,
    );
    assert_eq!(first.unwrap(), second.unwrap());
    one.reports
        .note_mailed(day, domain("m.test"))
        .await
        .unwrap();
    two.reports
        .note_mailed(day, domain("m.test"))
        .await
        .unwrap();
    until("both are known", async || {
        one.reports.mailed(day, domain("m.test")).await.unwrap() == 2
    })
    .await;
}

/// "With Valkey down every node loses nothing, and what it counted arrives when Valkey is back, once."
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_lost() {
    for keeps in [true, false] {
        let mut server = Server::start(keeps);
        let (one, two) = (Node::new(&server).await, Node::new(&server).await);
        let day = today();
        one.count(day, "a.test", 3);
        two.count(day, "a.test", 4);
        one.arrives(day, "a.test", 7).await;
        let claimed = one.reports.claim(report("a.test")).await.unwrap();
        two.reports.close(day.before()).await.unwrap();
        let name = one.reports.installation().await.unwrap();
        server.kill();
        not_reached(&one.client).await;
        not_reached(&two.client).await;
        one.count(day, "a.test", 10);
        one.count(day, "b.test", 1);
        assert!(one.reports.counts(day, domain("a.test")).await.is_err());
        assert!(one.reports.close(day.before()).await.is_err());
        // It was sent just when the server went.
        one.reports.progress(sent(claimed.clone())).await.unwrap();
        assert!(matches!(
            one.reports.figures().fleet,
            Some(FleetState::NotReached(_))
        ));
        server.run();
        reached(&one.client).await;
        one.arrives(day, "a.test", 17).await;
        two.arrives(day, "b.test", 1).await;
        until("all have closed", async || {
            two.reports.missing(day.before()).await.unwrap() == [] as [String; 0]
        })
        .await;
        until("it is known that it was sent", async || {
            two.reports.report(claimed.key.clone()).await.unwrap() == Some(sent(claimed.clone()))
        })
        .await;
        assert_eq!(
            two.reports.due(Timestamp(u64::MAX >> 12), 9).await.unwrap(),
            []
        );
        assert_eq!(
            two.reports.claim(report("a.test")).await.unwrap(),
            sent(claimed.clone())
        );
        let again = Node::new(&server).await;
        if keeps {
            assert_eq!(again.reports.installation().await.unwrap(), name);
        }
        // Emptied under our hands.
        let _: () = redis::cmd("FLUSHALL")
            .query(&mut server.stranger())
            .unwrap();
        one.arrives(day, "a.test", 17).await;
        until("the report is back", async || {
            again.reports.report(claimed.key.clone()).await.unwrap() == Some(sent(claimed.clone()))
        })
        .await;
        until("all have closed", async || {
            let missing = again.reports.missing(day.before()).await.unwrap();
            missing.len() == 1
        })
        .await;
    }
}

/// Whatever stands in whatever key, counting goes on and what this host knows comes back.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn garbage_in_every_key() {
    let server = Server::start(false);
    let (one, two) = (Node::new(&server).await, Node::new(&server).await);
    let day = today();
    one.count(day, "a.test", 3);
    two.count(day, "a.test", 4);
    one.arrives(day, "a.test", 7).await;
    one.reports.close(day.before()).await.unwrap();
    one.reports.claim(report("a.test")).await.unwrap();
    one.reports
        .note_mailed(day, domain("m.test"))
        .await
        .unwrap();
    assert!(one.reports.elect().await.unwrap());
    one.reports.installation().await.unwrap();
    let mut stranger = server.stranger();
    // Of another kind.
    for key in server.keys() {
        let kind: String = redis::cmd("TYPE").arg(&key).query(&mut stranger).unwrap();
        let _: () = redis::cmd("DEL").arg(&key).query(&mut stranger).unwrap();
        let command = if kind == "string" { "LPUSH" } else { "SET" };
        let _: redis::Value = redis::cmd(command)
            .arg(&key)
            .arg("garbage")
            .query(&mut stranger)
            .unwrap();
    }
    one.count(day, "a.test", 1);
    one.arrives(day, "a.test", 8).await;
    until("one is elected", async || {
        matches!(one.reports.elect().await, Ok(true))
    })
    .await;
    until("it is claimed", async || {
        one.reports.claim(report("a.test")).await.is_ok()
    })
    .await;
    until("it can be listed", async || {
        two.reports
            .list(None, 9)
            .await
            .is_ok_and(|listed| listed.len() == 1)
    })
    .await;
}

/// Of the right kind, and nonsense: what can be read counts, and another version's is its own business.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nonsense_is_passed_over() {
    let server = Server::start(false);
    let (one, two) = (Node::new(&server).await, Node::new(&server).await);
    let day = today();
    one.count(day, "a.test", 8);
    one.arrives(day, "a.test", 8).await;
    one.reports.claim(report("a.test")).await.unwrap();
    let mut stranger = server.stranger();
    let tally = format!("hoplock:tally:{}:a.test", day.number());
    for field in ["x", "a|b", "a|{\"ok\":1}"] {
        let _: () = redis::cmd("HSET")
            .arg(&tally)
            .arg(field)
            .arg("nonsense")
            .query(&mut stranger)
            .unwrap();
    }
    for (key, member) in [
        ("days", "soon"),
        (&*format!("domains:{}", day.number()), "-"),
        ("due", "x"),
        ("reports", "x"),
        ("received", "x"),
    ] {
        let _: () = redis::cmd("ZADD")
            .arg(format!("hoplock:{key}"))
            .arg(0)
            .arg(member)
            .query(&mut stranger)
            .unwrap();
    }
    let due = two.reports.due(Timestamp(5_000), 9).await.unwrap();
    assert_eq!(due, [report("a.test")]);
    let later = r#"{"v":2,"all":"new"}"#;
    let name = format!("{}:b.test", day.number());
    let _: () = redis::cmd("SET")
        .arg(format!("hoplock:report:{name}"))
        .arg(later)
        .query(&mut stranger)
        .unwrap();
    let _: () = redis::cmd("ZADD")
        .arg("hoplock:due")
        .arg(1)
        .arg(&name)
        .query(&mut stranger)
        .unwrap();
    let _: () = redis::cmd("ZADD")
        .arg("hoplock:reports")
        .arg(day.number())
        .arg(&name)
        .query(&mut stranger)
        .unwrap();
    assert_eq!(one.counted(day, "a.test").await, 8);
    assert_eq!(one.reports.days().await.unwrap(), [day]);
    assert_eq!(
        one.reports.domains(day, None, 1).await.unwrap(),
        [domain("a.test")]
    );
    assert_eq!(
        two.reports.due(Timestamp(5_000), 1).await.unwrap(),
        [report("a.test")]
    );
    assert_eq!(
        two.reports.list(Some(day), 9).await.unwrap(),
        [report("a.test")]
    );
    assert!(two.reports.report(report("b.test").key).await.is_err());
    assert!(
        two.reports.claim(report("b.test")).await.is_err(),
        "another version has claimed it"
    );
    assert!(two.reports.claim(report("c.test")).await.is_ok());
}

/// RP-16: one host sends; another when it is gone, and nobody while it is not known who has counted what.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_host_is_elected() {
    let server = Server::start(false);
    let (one, two) = (Node::new(&server).await, Node::new(&server).await);
    assert!(one.reports.elect().await.unwrap());
    assert!(!two.reports.elect().await.unwrap() && one.reports.elect().await.unwrap());
    let left: i64 = redis::cmd("PTTL")
        .arg("hoplock:leader")
        .query(&mut server.stranger())
        .unwrap();
    assert!((30_000..=45_000).contains(&left), "{left}");
    let _: () = redis::cmd("PEXPIRE")
        .arg("hoplock:leader")
        .arg(1)
        .query(&mut server.stranger())
        .unwrap();
    tokio::time::sleep(Duration::from_millis(20)).await;
    assert!(two.reports.elect().await.unwrap() && !one.reports.elect().await.unwrap());
    let patient = FleetOptions {
        settling: Duration::from_secs(3),
        ..AT_ONCE
    };
    let third = Node::over(&server, local(), patient).await;
    let _: () = redis::cmd("FLUSHALL")
        .query(&mut server.stranger())
        .unwrap();
    assert!(
        !third.reports.elect().await.unwrap(),
        "not before all had time"
    );
    until("it is elected", async || {
        third.reports.elect().await.unwrap()
    })
    .await;
}
