//! TLS reports in the daemon: the configuration as orders, and a round every few seconds.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt as _;
use hoplock_policy::name::DomainName;
use tokio::time::{MissedTickBehavior, interval};

use super::admin::Admin;
use super::engine::Engine;
use crate::adapters::courier::{CourierOptions, Mailer, ReportCourier, SENDMAIL, WHOLE};
use crate::adapters::https::RootsError;
use crate::adapters::key_file;
use crate::adapters::smtp::own_name;
use crate::config::{self, Config, Dkim, ReportConfig};
use crate::report::dkim::{DkimKey, Signing};
use crate::report::post::{Orders, PostOffice, Reporter};
use crate::report::tally::{Collecting, Tally};
use crate::world::courier::Courier;

/// What counts sessions, by the configuration.
#[must_use]
pub fn tally(config: &Config, engine: &Engine) -> Tally {
    Tally::new(Arc::clone(&engine.reports), collecting(config))
}

/// What sends reports, by the configuration.
///
/// # Errors
/// [`RootsError`] names a file of roots that cannot be read or holds none.
pub fn post_office(config: &Config, engine: &Engine) -> Result<PostOffice, RootsError> {
    Ok(PostOffice::new(
        Arc::clone(&engine.reports),
        Arc::clone(engine.resolver()),
        courier(config, engine)?,
        Arc::clone(&engine.clock),
        orders(&config.report),
    ))
}

/// Takes another configuration over. Who reads the log, and whose reports it passes by, stays as it was at
/// the start.
pub fn reload(config: &Config, admin: &Admin) {
    // Sockets are those of the start.
    let by_datagrams = admin.tally.collecting().by_datagrams;
    admin.tally.reload(Collecting {
        by_datagrams,
        ..collecting(config)
    });
    match courier(config, &admin.engine) {
        Ok(courier) => admin.post.reload(orders(&config.report), courier),
        Err(error) => tracing::error!(%error, "[report] stays as it was"),
    }
}

/// What the configuration says of counting.
#[must_use]
pub fn collecting(config: &Config) -> Collecting {
    Collecting {
        enabled: config.report.counts(),
        by_datagrams: !config.listen.tlsrpt.is_empty(),
    }
}

fn courier(config: &Config, engine: &Engine) -> Result<Box<dyn Courier>, RootsError> {
    let helo = own_name()
        .or_else(|| config.report.submitter())
        .or_else(|| DomainName::parse("localhost").ok());
    let options = CourierOptions {
        mailer: match (&config.report.mailer, helo) {
            (config::Mailer::Program(path), _) => Mailer::Program(path.clone()),
            (config::Mailer::Smtp(address), Some(helo)) => Mailer::Server {
                address: address.clone(),
                helo,
            },
            // That is a name, so there is one.
            (config::Mailer::Smtp(_), None) => Mailer::Program(SENDMAIL.into()),
        },
        roots: config.sts.roots.clone(),
        refuse_private_addresses: config.report.refuse_private_addresses,
        ignore_certificate: config.report.ignore_certificate,
        timeout: WHOLE,
    };
    Ok(Box::new(ReportCourier::new(
        Arc::clone(engine.resolver()),
        options,
    )?))
}

fn orders(config: &ReportConfig) -> Orders {
    let submitter = config.submitter();
    let named = submitter.as_ref().map(ToString::to_string);
    Orders {
        enabled: config.counts(),
        reporter: Reporter {
            organization: config.organization.clone(),
            contact: config.contact.clone(),
            submitter: named.unwrap_or_default(),
        },
        from: config.from.clone(),
        signing: signing(config, submitter.clone()),
        submitter,
        delay: config.delay,
        allow: config.allow.clone(),
        deny: config.deny.clone(),
        redirect: config.redirect.clone(),
        daily_limit: config.daily_limit,
        min_sessions: u64::try_from(config.min_sessions).unwrap_or(u64::MAX),
    }
}

/// RP-12: who signs; nobody is an error that shows, and no mail leaves.
fn signing(config: &ReportConfig, submitter: Option<DomainName>) -> Result<Signing, String> {
    match config.dkim {
        Dkim::Mta => Ok(Signing::ByMta),
        Dkim::Nobody => Err("not sent by mail: nobody signs it; see [report] dkim".to_owned()),
        Dkim::Key => {
            let parts = config
                .dkim_key
                .as_ref()
                .zip(config.dkim_selector.clone())
                .zip(submitter);
            let Some(((path, selector), domain)) = parts else {
                return Err(
                    "[report] dkim = \"key\" needs from, dkim_key and dkim_selector".to_owned(),
                );
            };
            let pem = key_file::read(path).map_err(|error| error.to_string());
            let key = pem.and_then(|pem| {
                DkimKey::from_pem(&pem, domain, selector)
                    .map_err(|error| format!("the key {}: {error}", path.display()))
            });
            if let (Err(words), true) = (&key, config.counts()) {
                tracing::error!("TLS reports do not leave by mail: {words}");
            }
            key.map(|key| Signing::Key(Box::new(key)))
        }
    }
}

/// Has what is counted written every second; never ends.
pub(super) async fn every_second(admin: Arc<Admin>) {
    every(Duration::from_secs(1), || async { admin.tally.second() }).await;
}

/// Closes days and stands for election; never ends.
pub(super) async fn stand(admin: Arc<Admin>) {
    every(BETWEEN_ROUNDS, || admin.post.stand()).await;
}

/// Claims what is due; never ends.
pub(super) async fn rounds(admin: Arc<Admin>) {
    every(BETWEEN_ROUNDS, || admin.post.round()).await;
}

/// Sends what is due; never ends.
pub(super) async fn deliveries(admin: Arc<Admin>) {
    every(BETWEEN_ROUNDS, || admin.post.deliveries()).await;
}

/// Takes out what is too old, a part each time; never ends.
pub(super) async fn sweeps(admin: Arc<Admin>) {
    every(BETWEEN_SWEEPS, || async {
        admin.post.reports().drop_old(admin.engine.clock.now());
    })
    .await;
}

/// Again and again; a fault of ours in one round is none of the next.
async fn every<Work: Future<Output = ()>>(pause: Duration, work: impl Fn() -> Work) {
    let mut ticks = interval(pause);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        if AssertUnwindSafe(work()).catch_unwind().await.is_err() {
            tracing::error!(
                "TLS reports: a round broke by a fault of hoplock; the next begins anew"
            );
        }
    }
}

/// Many small steps: a large site makes a million rows a day.
const BETWEEN_SWEEPS: Duration = Duration::from_secs(20);
/// Often enough that a report leaves when it should, and a waiting one costs a question to the store.
const BETWEEN_ROUNDS: Duration = Duration::from_secs(5);
