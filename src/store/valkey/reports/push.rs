//! Each second what this host counted goes to the fleet's store: absolute numbers, so that handing over twice
//! counts once. And each time it is asked whether that store still knows what it was told.

use std::collections::BTreeMap;
use std::sync::Weak;
use std::sync::atomic::Ordering;
use std::time::Duration;

use hoplock_policy::name::DomainName;
use hoplock_policy::tlsrpt::Day;
use tokio::time::sleep;

use super::super::batch::{Batch, Kind};
use super::super::client::Trouble;
use super::super::scripts;
use super::super::values::{list, number, text};
use super::Inner;
use super::keys::{DAYS_KEPT, Keys, expires};
use crate::world::StoreFailure;
use crate::world::reports::local::TallyRow;

/// Where the handing over stands.
pub(super) struct Pushing {
    /// Tells this process from one before it.
    boot: u64,
    beats: u64,
    /// What the fleet's store must know us by.
    said: Option<String>,
    since: Option<u64>,
    connection: Option<u64>,
    server: Option<String>,
    /// All is to be handed over anew.
    lost: bool,
    strangers: u32,
    marked: Option<Day>,
    trimmed: Option<Duration>,
}

impl Pushing {
    pub(super) fn new() -> Self {
        Self {
            boot: rand::random(),
            beats: 0,
            said: None,
            since: None,
            connection: None,
            server: None,
            // What was handed over before this process is not known.
            lost: true,
            strangers: 0,
            marked: None,
            trimmed: None,
        }
    }
}

/// Until the reports are gone.
pub(super) async fn push(inner: Weak<Inner>) {
    while let Some(inner) = inner.upgrade() {
        if inner.client.connection().is_some()
            && let Err(error) = inner.round().await
        {
            tracing::debug!(%error, "what was counted is not handed over, and will be");
        }
        let pause = inner.options.between_rounds;
        drop(inner);
        sleep(pause).await;
    }
}

impl Inner {
    /// Hands over all there is, and says which days are complete.
    pub(super) async fn round(&self) -> Result<(), StoreFailure> {
        let mut pushing = self.pushing.lock().await;
        let node = self.node().await?;
        self.beat(&mut pushing, node).await?;
        if pushing.lost {
            let today = Day::of(self.clock.now().wall);
            self.local.all_dirty(today.before().before()).await?;
            pushing.marked = None;
            self.everything_behind(today).await?;
            pushing.lost = false;
        }
        self.catch_up(node).await?;
        let rest = self.rows(node).await?;
        self.mark(&mut pushing, node, rest).await?;
        self.trim(&mut pushing).await?;
        Ok(())
    }

    /// Says that we are there, and looks whether what we said last is still known.
    async fn beat(&self, pushing: &mut Pushing, node: &str) -> Result<(), Trouble> {
        let keys = Keys(&self.client);
        let connection = self.client.connection();
        if connection != pushing.connection {
            let server = self.server().await?;
            let is_other = server.is_none() || server != pushing.server;
            // Another server, or the same one anew: it may be behind what we were told was written.
            if pushing.said.is_some() && is_other {
                pushing.lost = true;
                let mut lost = Batch::default();
                lost.script(scripts::LOST, [keys.since()])
                    .arg(MOMENT_MILLIS);
                lost.work(&self.client).await?;
            }
            pushing.server = server;
            pushing.connection = connection;
        }
        pushing.beats += 1;
        let says = format!("{:016x}:{}", pushing.boot, pushing.beats);
        let mut beat = Batch::default();
        beat.script(scripts::BEAT, [keys.beats(), keys.hosts(), keys.since()])
            .arg(node)
            .arg(&says);
        let values = beat.work(&self.client).await?;
        let found = list(values.into_iter().next());
        let before = found.first().and_then(text).unwrap_or_default();
        let since = found.get(1).and_then(number);
        if let Some(said) = &pushing.said {
            let is_forgotten = before != said;
            if is_forgotten || since != pushing.since {
                tracing::info!(
                    "the fleet's store may have lost something; all is handed over anew"
                );
                pushing.lost = true;
            }
            self.look_for_strangers(pushing, node, before);
        }
        pushing.since = since;
        pushing.said = Some(says);
        Ok(())
    }

    /// Two hosts of one name overwrite each other's numbers: a state file was copied.
    fn look_for_strangers(&self, pushing: &mut Pushing, node: &str, before: &str) {
        let own = format!("{:016x}:", pushing.boot);
        if before.is_empty() || before.starts_with(&own) {
            pushing.strangers = 0;
            return;
        }
        pushing.strangers += 1;
        if pushing.strangers == STRANGERS {
            tracing::error!(
                node,
                "another host hands over under this host's name: its state file is a copy of ours, and what \
                 both count overwrites each other; stop hoplock there, remove its state file, start it again"
            );
        }
    }

    /// Which server this is, by the number it makes at each start.
    async fn server(&self) -> Result<Option<String>, Trouble> {
        let mut info = redis::pipe();
        info.cmd("INFO").arg("server");
        let values = self.client.work(&info).await?;
        // Where it may not be asked, each connection is to another server.
        let told = match values.into_iter().next() {
            Some(redis::Value::VerbatimString { text, .. }) => Some(text),
            Some(value) => text(&value).map(str::to_owned),
            None => None,
        };
        let told = told.unwrap_or_default();
        let line = told.lines().find_map(|line| line.strip_prefix("run_id:"));
        Ok(line.map(|id| id.trim().to_owned()))
    }

    /// Hands over rows; the first one that is left, where some could not be.
    async fn rows(&self, node: &str) -> Result<Option<Day>, StoreFailure> {
        loop {
            let rows = self.local.dirty(ROWS).await?;
            let waiting = u64::try_from(rows.len()).unwrap_or(u64::MAX);
            self.not_handed_over.store(waiting, Ordering::Relaxed);
            if rows.is_empty() {
                return Ok(None);
            }
            self.hand_over(node, &rows).await?;
            let is_all = rows.len() < ROWS;
            self.local.handed_over(rows).await?;
            if is_all {
                self.not_handed_over.store(0, Ordering::Relaxed);
                // What was counted meanwhile is of today, or late.
                let left = self.local.dirty(1).await?;
                return Ok(left.first().map(|row| row.day));
            }
        }
    }

    async fn hand_over(&self, node: &str, rows: &[TallyRow]) -> Result<(), Trouble> {
        let keys = Keys(&self.client);
        let now = self.clock.now().wall;
        let mut days: BTreeMap<Day, BTreeMap<&DomainName, Vec<&TallyRow>>> = BTreeMap::new();
        for row in rows {
            let domains = days.entry(row.day).or_default();
            domains.entry(&row.domain).or_default().push(row);
        }
        let mut batch = Batch::default();
        for (day, domains) in days {
            let until = expires(day, now);
            let (key, kind) = keys.days();
            batch
                .add("ZADD", key, kind)
                .arg(day.number())
                .arg(day.number());
            let (index, sorted) = keys.domains(day);
            let command = batch.add("ZADD", index.clone(), sorted);
            for domain in domains.keys() {
                command.arg(0).arg(domain.as_str());
            }
            batch.add("EXPIREAT", index, sorted).arg(until);
            for (domain, rows) in domains {
                let (tally, hash) = keys.tally(day, domain);
                let command = batch.add("HSET", tally.clone(), hash);
                for row in rows {
                    command.arg(format!("{node}|{}", row.key)).arg(row.count);
                }
                batch.add("EXPIREAT", tally, hash).arg(until);
            }
        }
        batch.work(&self.client).await.map(drop)
    }

    /// Says which of the open days are complete.
    async fn mark(
        &self,
        pushing: &mut Pushing,
        node: &str,
        rest: Option<Day>,
    ) -> Result<(), StoreFailure> {
        let Some(closed) = self.local.closed().await? else {
            return Ok(());
        };
        // What is left of a day keeps it open.
        if rest.is_some_and(|rest| rest <= closed) || pushing.marked >= Some(closed) {
            return Ok(());
        }
        let (keys, now) = (Keys(&self.client), self.clock.now().wall);
        let mut batch = Batch::default();
        for day in [closed, closed.before(), closed.before().before()] {
            let (key, kind) = keys.closed(day);
            batch.add("SADD", key.clone(), kind).arg(node);
            batch.add("EXPIREAT", key, kind).arg(expires(day, now));
        }
        batch.work(&self.client).await?;
        pushing.marked = Some(closed);
        Ok(())
    }

    /// Takes out of indices what has expired, now and then.
    async fn trim(&self, pushing: &mut Pushing) -> Result<(), Trouble> {
        let now = self.clock.now();
        let due = |last: Duration| now.uptime.saturating_sub(last) >= BETWEEN_TRIMS;
        if !pushing.trimmed.is_none_or(due) {
            return Ok(());
        }
        let keys = Keys(&self.client);
        let today = u64::from(Day::of(now.wall).number());
        let first = today.saturating_sub(DAYS_KEPT + 1);
        let millis = |days: u64| now.wall.0.saturating_sub(days * 86_400_000);
        let mut gone = Batch::default();
        gone.add("ZRANGEBYSCORE", keys.hosts().0, keys.hosts().1)
            .arg("-inf")
            .arg(format!("({}", millis(HOSTS_KEPT)));
        let gone = list(gone.work(&self.client).await?.into_iter().next());
        let gone: Vec<&str> = gone.iter().filter_map(text).collect();
        if !gone.is_empty() {
            let (beats, kind) = keys.beats();
            let mut drop = Batch::default();
            drop.add("HDEL", beats, kind).arg(&gone);
            drop.work(&self.client).await?;
        }
        let mut batch = Batch::default();
        let mut trim = |(key, kind): (String, Kind), before: u64| {
            batch
                .add("ZREMRANGEBYSCORE", key, kind)
                .arg("-inf")
                .arg(format!("({before}"));
        };
        trim(keys.days(), first);
        trim(keys.reports(), first);
        trim(keys.hosts(), millis(HOSTS_KEPT));
        trim(keys.all_received(), millis(super::RECEIVED_KEPT_DAYS));
        batch.work(&self.client).await?;
        pushing.trimmed = Some(now.uptime);
        Ok(())
    }
}

/// In one step: some hundred kilobytes.
const ROWS: usize = 500;
/// So often in a row.
const STRANGERS: u32 = 5;
/// Hosts find out one after the other that the server was started anew.
const MOMENT_MILLIS: u64 = 30_000;
/// Days after which a host that was not seen is gone.
const HOSTS_KEPT: u64 = 30;
const BETWEEN_TRIMS: Duration = Duration::from_secs(3_600);
