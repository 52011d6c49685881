//! An office with a scripted outside: a clock, a zone, and a courier who takes what he is given.

use hoplock_policy::dns::{RecordData, SecurityStatus};
use hoplock_policy::moment::Moment;
use hoplock_wire::tlsrpt::{PolicyType, ResultType};

use super::super::*;
use crate::store::sqlite::{SqliteReports, SqliteStore};
use crate::world::Waiting;
use crate::world::courier::Undelivered;
use crate::world::reports::tally::{Counter, Counts, TalliedFailure, TalliedPolicy};
use crate::world::scripted::ScriptedWorld;

/// A mail as it was handed over: from, to, and the message.
pub(super) type Mailed = (String, String, String);

/// A post: where, and the body.
pub(super) type Posted = (String, Vec<u8>);

/// Takes everything, or refuses everything.
#[derive(Clone, Default)]
pub(super) struct Taken {
    pub(super) mails: Arc<Mutex<Vec<Mailed>>>,
    pub(super) posts: Arc<Mutex<Vec<Posted>>>,
    pub(super) refuses: Arc<Mutex<Option<Undelivered>>>,
}

impl Courier for Taken {
    fn mail(
        &self,
        from: String,
        to: String,
        message: Vec<u8>,
    ) -> Waiting<'_, Result<(), Undelivered>> {
        let message = String::from_utf8(message).unwrap();
        self.mails.lock().unwrap().push((from, to, message));
        let refuses = self.refuses.lock().unwrap().clone();
        Box::pin(async move { refuses.map_or(Ok(()), Err) })
    }

    fn post(
        &self,
        url: String,
        media_type: &'static str,
        body: Vec<u8>,
    ) -> Waiting<'_, Result<(), Undelivered>> {
        assert_eq!(media_type, "application/tlsrpt+gzip");
        self.posts.lock().unwrap().push((url, body));
        let refuses = self.refuses.lock().unwrap().clone();
        Box::pin(async move { refuses.map_or(Ok(()), Err) })
    }
}

pub(super) struct Scene {
    pub(super) world: Arc<ScriptedWorld>,
    pub(super) reports: Arc<dyn Reports>,
    pub(super) taken: Taken,
    pub(super) office: PostOffice,
}

pub(super) fn orders() -> Orders {
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
        delay: Duration::from_secs(4 * 3_600),
        allow: Vec::new(),
        deny: Vec::new(),
        redirect: None,
        daily_limit: 10_000,
        min_sessions: 1,
    }
}

pub(super) fn name(text: &str) -> DomainName {
    DomainName::parse(text).unwrap()
}

impl Scene {
    /// At noon of the day that is counted.
    pub(super) fn new(orders: Orders) -> Self {
        let world = ScriptedWorld::new();
        world.set_wall(i64::try_from(DAY.begins().0 + 43_200_000).unwrap());
        let store = Arc::new(SqliteStore::in_memory(world.now()).unwrap());
        Self::over(world, Arc::new(SqliteReports::of(store)), orders)
    }

    pub(super) fn over(
        world: Arc<ScriptedWorld>,
        reports: Arc<dyn Reports>,
        orders: Orders,
    ) -> Self {
        let taken = Taken::default();
        let office = PostOffice::new(
            Arc::clone(&reports),
            world.clone(),
            Box::new(taken.clone()),
            world.clone(),
            orders,
        );
        Self {
            world,
            reports,
            taken,
            office,
        }
    }

    pub(super) fn record(&self, domain: &str, text: &str) {
        let owner = name(&format!("_smtp._tls.{domain}"));
        let data = RecordData::Txt(vec![text.as_bytes().to_vec()]);
        let ttl = Duration::from_secs(300);
        self.world.add(owner, SecurityStatus::Insecure, ttl, data);
    }

    pub(super) fn count(&self, domain: &str, good: u64, failed: u64) {
        let policy = TalliedPolicy {
            kind: PolicyType::Sts,
            domain: domain.to_owned(),
            strings: vec!["version: STSv1".to_owned()],
            mx_hosts: vec![format!("*.{domain}")],
        };
        let failure = TalliedFailure::of(ResultType::CertificateExpired);
        let mut counts = Counts::new();
        for (counter, count) in [
            (Counter::Successful(policy.clone()), good),
            (Counter::Failed(policy.clone()), failed),
            (Counter::Detail(policy, failure), failed),
        ] {
            if count > 0 {
                counts.insert(counter, count);
            }
        }
        self.reports.count(DAY, &name(domain), counts);
    }

    pub(super) fn now(&self) -> Moment {
        self.world.now()
    }

    /// Rounds every five minutes, for so long.
    pub(super) async fn hours(&self, hours: u64) {
        for _ in 0..hours * 12 {
            self.world.pass(Duration::from_secs(300));
            self.office.stand().await;
            self.office.round().await;
            self.office.deliveries().await;
        }
    }

    pub(super) fn mails(&self) -> Vec<Mailed> {
        self.taken.mails.lock().unwrap().clone()
    }

    pub(super) async fn report(&self, domain: &str) -> Option<Outgoing> {
        self.reports.report(key(DAY, name(domain))).await.unwrap()
    }
}

pub(super) fn field<'a>(message: &'a str, field: &str) -> &'a str {
    let lines = message.lines();
    let mut found = lines.filter_map(|line| line.strip_prefix(field)?.strip_prefix(": "));
    found.next().unwrap_or_default()
}

pub(super) const DAY: Day = Day::numbered(20_784);
