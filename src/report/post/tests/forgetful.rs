//! A store of reports that takes nothing down for a while, and answers all questions.

use std::sync::atomic::{AtomicBool, Ordering};

use hoplock_policy::moment::{Moment, Timestamp};

use super::super::*;
use crate::world::Waiting;
use crate::world::reports::ReportFigures;
use crate::world::reports::received::Received;
use crate::world::reports::tally::{Counter, Counts};

pub(super) struct Forgetful {
    pub(super) inner: Arc<dyn Reports>,
    pub(super) refuses: AtomicBool,
}

type Answer<'a, T> = Waiting<'a, Result<T, StoreFailure>>;

impl Forgetful {
    fn unless_it_refuses<'a, T: Send + 'a>(&self, work: Answer<'a, T>) -> Answer<'a, T> {
        if self.refuses.load(Ordering::Relaxed) {
            drop(work);
            return Box::pin(async { Err(StoreFailure("disk full".to_owned())) });
        }
        work
    }
}

impl Reports for Forgetful {
    fn count(&self, day: Day, domain: &DomainName, counts: Counts) {
        self.inner.count(day, domain, counts);
    }

    fn flush(&self) {
        self.inner.flush();
    }

    fn settle(&self) -> Answer<'_, ()> {
        self.inner.settle()
    }

    fn close(&self, day: Day) -> Answer<'_, ()> {
        self.inner.close(day)
    }

    fn missing(&self, day: Day) -> Answer<'_, Vec<String>> {
        self.inner.missing(day)
    }

    fn days(&self) -> Answer<'_, Vec<Day>> {
        self.inner.days()
    }

    fn domains(
        &self,
        day: Day,
        after: Option<DomainName>,
        limit: usize,
    ) -> Answer<'_, Vec<DomainName>> {
        self.inner.domains(day, after, limit)
    }

    fn counts(&self, day: Day, domain: DomainName) -> Answer<'_, BTreeMap<Counter, u64>> {
        self.inner.counts(day, domain)
    }

    fn elect(&self) -> Answer<'_, bool> {
        self.inner.elect()
    }

    fn resign(&self) -> Answer<'_, Resigned> {
        self.inner.resign()
    }

    fn claim(&self, report: Outgoing) -> Answer<'_, Outgoing> {
        self.unless_it_refuses(self.inner.claim(report))
    }

    fn report(&self, key: ReportKey) -> Answer<'_, Option<Outgoing>> {
        self.inner.report(key)
    }

    fn progress(&self, report: Outgoing) -> Answer<'_, ()> {
        self.unless_it_refuses(self.inner.progress(report))
    }

    fn due(&self, now: Timestamp, limit: usize) -> Answer<'_, Vec<Outgoing>> {
        self.inner.due(now, limit)
    }

    fn list(&self, day: Option<Day>, limit: usize) -> Answer<'_, Vec<Outgoing>> {
        self.inner.list(day, limit)
    }

    fn mailed(&self, day: Day, domain: DomainName) -> Answer<'_, u64> {
        self.inner.mailed(day, domain)
    }

    fn note_mailed(&self, day: Day, domain: DomainName) -> Answer<'_, ()> {
        self.unless_it_refuses(self.inner.note_mailed(day, domain))
    }

    fn receive(&self, report: Received) -> Answer<'_, bool> {
        self.unless_it_refuses(self.inner.receive(report))
    }

    fn received(&self, limit: usize) -> Answer<'_, Vec<Received>> {
        self.inner.received(limit)
    }

    fn installation(&self) -> Answer<'_, String> {
        self.inner.installation()
    }

    fn drop_old(&self, now: Moment) {
        self.inner.drop_old(now);
    }

    fn figures(&self) -> ReportFigures {
        self.inner.figures()
    }
}
