//! The one thread that touches the file. What waits together is committed together.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;

use hoplock_policy::findings::RememberedPolicy;
use hoplock_policy::name::PolicyDomain;
use hoplock_policy::next_hop::NextHop;
use rusqlite::Connection;
use tokio::sync::oneshot;

use super::keeper::{Keeper, Task};
use super::rows::{self, Opened, RowError};
use crate::world::{DaneMemory, StoreFailure, StoredRule};

/// What is to be written.
pub(super) enum Order {
    /// A policy, durable before it is used.
    Policy {
        domain: PolicyDomain,
        policy: Arc<RememberedPolicy>,
        used: Duration,
    },
    /// That a policy was used.
    Used(PolicyDomain, Duration),
    /// A policy is to be forgotten.
    Forget(PolicyDomain),
    /// What was seen of a destination's TLSA records.
    Dane(NextHop, DaneMemory),
    /// What has long expired at this uptime is to be taken out.
    Sweep(Duration),
    /// A rule.
    KeepRule(StoredRule),
    /// A rule is to be dropped.
    DropRule(String),
}

type Done = oneshot::Sender<Result<(), StoreFailure>>;
type Reading = Box<dyn FnOnce(&Connection) + Send>;
type Running = Box<dyn FnOnce(&mut Connection) + Send>;

enum Job {
    Write(Order, Option<Done>),
    Read(Reading),
    Run(Running),
    Journal(Task),
}

/// Hands jobs to the thread.
pub(super) struct Writer {
    jobs: Option<Sender<Job>>,
    thread: Option<JoinHandle<()>>,
    /// The last commit failed.
    fails: Arc<AtomicBool>,
}

impl Writer {
    pub(super) fn start(
        connection: Connection,
        opened: Opened,
        keeper: Keeper,
    ) -> std::io::Result<Self> {
        let (jobs, received) = channel();
        let fails = Arc::new(AtomicBool::new(false));
        let told = Arc::clone(&fails);
        let work = move || work(connection, opened, keeper, &received, &told);
        let thread = std::thread::Builder::new()
            .name("state".to_owned())
            .spawn(work)?;
        Ok(Self {
            jobs: Some(jobs),
            thread: Some(thread),
            fails,
        })
    }

    /// Whether what was to be written last could not be.
    pub(super) fn fails(&self) -> bool {
        self.fails.load(Ordering::Relaxed)
    }

    /// Writes, and returns when it is on the disk.
    pub(super) async fn write(&self, order: Order) -> Result<(), StoreFailure> {
        let (done, outcome) = oneshot::channel();
        self.hand(Job::Write(order, Some(done)))?;
        outcome.await.map_err(|_| ended())?
    }

    /// Writes some time; a failure is told in the log.
    pub(super) fn note(&self, order: Order) {
        // A thread that ended is told of by the next write that somebody waits for.
        let _ = self.hand(Job::Write(order, None));
    }

    /// Has something done for the journal some time.
    pub(super) fn journal(&self, task: Task) {
        // As above.
        let _ = self.hand(Job::Journal(task));
    }

    /// Reads, behind what was ordered before.
    pub(super) async fn read<T: Send + 'static>(
        &self,
        read: impl FnOnce(&Connection) -> Result<T, RowError> + Send + 'static,
    ) -> Result<T, StoreFailure> {
        let (done, outcome) = oneshot::channel();
        let job = Job::Read(Box::new(move |connection| {
            // Nobody waits any more: as good as read.
            let _ = done.send(read(connection));
        }));
        self.hand(job)?;
        let read = outcome.await.map_err(|_| ended())?;
        read.map_err(|error| StoreFailure(error.to_string()))
    }

    /// Writes in a commit of its own, behind what was ordered before.
    pub(super) async fn run<T: Send + 'static>(
        &self,
        run: impl FnOnce(&mut Connection) -> Result<T, RowError> + Send + 'static,
    ) -> Result<T, StoreFailure> {
        let (done, outcome) = oneshot::channel();
        self.run_some_time(move |connection| {
            // Nobody waits any more: done all the same.
            let _ = done.send(run(connection));
        });
        let ran = outcome.await.map_err(|_| ended())?;
        ran.map_err(|error| StoreFailure(error.to_string()))
    }

    /// The same, and nobody waits for it: what it comes to it tells itself.
    pub(super) fn run_some_time(&self, run: impl FnOnce(&mut Connection) + Send + 'static) {
        // As above.
        let _ = self.hand(Job::Run(Box::new(run)));
    }

    fn hand(&self, job: Job) -> Result<(), StoreFailure> {
        let jobs = self.jobs.as_ref().ok_or_else(ended)?;
        jobs.send(job).map_err(|_| ended())
    }
}

impl Drop for Writer {
    /// What was ordered is written before the process goes.
    fn drop(&mut self) {
        self.jobs = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn work(
    mut connection: Connection,
    opened: Opened,
    mut keeper: Keeper,
    jobs: &Receiver<Job>,
    told: &AtomicBool,
) {
    while let Ok(first) = jobs.recv() {
        let mut orders = Vec::new();
        let mut next = Some(first);
        // One commit for all that came while the last one was on its way to the disk.
        while let Some(job) = next {
            match job {
                Job::Write(order, done) => orders.push((order, done)),
                Job::Read(read) => {
                    finish(&mut connection, opened, &mut orders, told);
                    read(&connection);
                }
                Job::Run(run) => {
                    finish(&mut connection, opened, &mut orders, told);
                    run(&mut connection);
                }
                Job::Journal(task) => {
                    finish(&mut connection, opened, &mut orders, told);
                    keeper.work(&mut connection, task);
                }
            }
            next = (orders.len() < LARGEST_COMMIT)
                .then(|| jobs.try_recv().ok())
                .flatten();
        }
        finish(&mut connection, opened, &mut orders, told);
    }
    // What was noted in the last second.
    keeper.work(&mut connection, Task::Write);
}

fn finish(
    connection: &mut Connection,
    opened: Opened,
    orders: &mut Vec<(Order, Option<Done>)>,
    told: &AtomicBool,
) {
    if orders.is_empty() {
        return;
    }
    let written = commit(connection, opened, orders);
    // One line for each change of state, not one for each order.
    match &written {
        Err(error) if !told.swap(true, Ordering::Relaxed) => tracing::error!(
            "the state file cannot be written: {error}; policies that are new wait, what is \
             remembered goes on"
        ),
        Ok(()) if told.swap(false, Ordering::Relaxed) => {
            tracing::info!("the state file can be written again");
        }
        _ => {}
    }
    let outcome = written.map_err(|error| StoreFailure(error.to_string()));
    for (_, done) in orders.drain(..) {
        if let Some(done) = done {
            let _ = done.send(outcome.clone());
        }
    }
}

/// All of it or nothing.
fn commit(
    connection: &mut Connection,
    opened: Opened,
    orders: &[(Order, Option<Done>)],
) -> rusqlite::Result<()> {
    let transaction = connection.transaction()?;
    for (order, _) in orders {
        match order {
            Order::Policy {
                domain,
                policy,
                used,
            } => rows::put_policy(&transaction, opened, domain, policy, *used)?,
            Order::Used(domain, used) => rows::put_used(&transaction, opened, domain, *used)?,
            Order::Forget(domain) => rows::drop_policy(&transaction, domain)?,
            Order::Dane(destination, memory) => {
                rows::put_dane(&transaction, opened, destination, *memory)?;
            }
            Order::Sweep(now) => rows::sweep(&transaction, opened, *now)?,
            Order::KeepRule(rule) => rows::put_rule(&transaction, rule)?,
            Order::DropRule(pattern) => rows::drop_rule(&transaction, pattern)?,
        }
    }
    transaction.commit()
}

fn ended() -> StoreFailure {
    StoreFailure("the state file is closed".to_owned())
}

/// Orders in one commit: keeps the wait of the first one short.
const LARGEST_COMMIT: usize = 1_000;
