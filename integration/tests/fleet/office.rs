//! The post office of a host in a fleet: whose counts it waits for.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use hoplock::report::dkim::Signing;
use hoplock::report::post::{Orders, PostOffice, Reporter};
use hoplock::world::Waiting;
use hoplock::world::courier::{Courier, Undelivered};
use hoplock::world::reports::Reports;
use hoplock::world::reports::outgoing::ReportKey;
use hoplock::world::scripted::ScriptedWorld;
use hoplock_policy::dns::{RecordData, SecurityStatus};
use hoplock_policy::name::DomainName;
use hoplock_policy::tlsrpt::Day;

use crate::reports::{Node, today};
use crate::server::Server;

/// Takes every mail, and remembers to whom it was.
#[derive(Clone, Default)]
struct Taken(Arc<Mutex<Vec<String>>>);

impl Courier for Taken {
    fn mail(&self, _: String, to: String, _: Vec<u8>) -> Waiting<'_, Result<(), Undelivered>> {
        self.0.lock().unwrap().push(to);
        Box::pin(async { Ok(()) })
    }

    fn post(&self, _: String, _: &'static str, _: Vec<u8>) -> Waiting<'_, Result<(), Undelivered>> {
        Box::pin(async { Ok(()) })
    }
}

fn name(text: &str) -> DomainName {
    DomainName::parse(text).unwrap()
}

fn orders() -> Orders {
    Orders {
        enabled: true,
        reporter: Reporter {
            organization: "Sender Ltd".to_owned(),
            contact: "help@o.test".to_owned(),
            submitter: "o.test".to_owned(),
        },
        from: "tlsrpt@o.test".to_owned(),
        submitter: Some(name("o.test")),
        signing: Ok(Signing::ByMta),
        delay: Duration::ZERO,
        allow: Vec::new(),
        deny: Vec::new(),
        redirect: None,
        daily_limit: 10_000,
        min_sessions: 1,
    }
}

/// A world at a time after the end of this day, in which the domain asks for reports.
fn after(day: Day, domain: &str, millis: u64) -> Arc<ScriptedWorld> {
    let world = ScriptedWorld::new();
    world.set_wall(i64::try_from(day.is_over_at().0 + millis).unwrap());
    let record = format!("v=TLSRPTv1; rua=mailto:r@{domain}");
    let data = RecordData::Txt(vec![record.into_bytes()]);
    let owner = name(&format!("_smtp._tls.{domain}"));
    world.add(
        owner,
        SecurityStatus::Insecure,
        Duration::from_secs(300),
        data,
    );
    world
}

/// RP-09, RP-16: a day is not reported while a host that was seen has not handed in what it counted; it is
/// when all have, and after half a day without the one that is missing.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_day_waits_for_all_hosts() {
    for comes_back in [true, false] {
        let server = Server::start(false);
        let (one, two) = (Node::new(&server).await, Node::new(&server).await);
        let day = today();
        one.count(day, "a.test", 3);
        two.count(day, "a.test", 4);
        one.arrives(day, "a.test", 7).await;
        let reports: Arc<dyn Reports> = Arc::new(one.reports);
        let world = after(day, "a.test", 300_000);
        let taken = Taken::default();
        let office = PostOffice::new(
            Arc::clone(&reports),
            world.clone(),
            Box::new(taken.clone()),
            world.clone(),
            orders(),
        );
        let key = || ReportKey {
            day,
            domain: name("a.test"),
        };
        let all = async || {
            office.stand().await;
            office.round().await;
            office.deliveries().await;
        };
        for _ in 0..3 {
            all().await;
            world.pass(Duration::from_secs(60));
        }
        assert_eq!(reports.missing(day).await.unwrap().len(), 1);
        assert_eq!(reports.report(key()).await.unwrap(), None);
        if comes_back {
            // What it counted in the last seconds is in the report.
            two.count(day, "a.test", 5);
            two.reports.close(day).await.unwrap();
        } else {
            world.pass(Duration::from_secs(12 * 3_600));
        }
        all().await;
        let report = reports.report(key()).await.unwrap().unwrap();
        assert_eq!(report.successful, if comes_back { 12 } else { 7 });
        assert_eq!(*taken.0.lock().unwrap(), ["r@a.test"]);
    }
}
