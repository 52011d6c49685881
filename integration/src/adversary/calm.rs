//! Whether anything stood in the way of an answer, so that it could not be the best one.

use super::exceptions;
use super::judge::Case;
use super::orders;
use super::plan::{Event, Millis};
use super::site::{Site, StsHost};

impl Case<'_> {
    /// True where nothing was attacked and nothing changed for as long as anything is kept, and the
    /// mail server can do what it is told (PD-11).
    pub(super) fn is_calm(&self) -> bool {
        let (asked, answered) = (self.asked.asked, self.asked.answered);
        let since = |span: Millis| asked.saturating_sub(span);
        let has_sts = self
            .plan
            .sites
            .get(self.number)
            .is_some_and(|versions| versions.iter().any(|(_, site)| site.sts.is_some()));
        let dns = since(self.oldest + LONGEST_FAILURE);
        let policy = since(self.oldest + LONGEST_RETRY);
        let attacked = self.plan.attacks.iter().any(|attack| {
            let since = if has_sts { policy.min(dns) } else { dns };
            exceptions::concerns(attack, self.number)
                && attack.until > since
                && attack.from <= answered
        });
        // The disk is a real one, and the clock is not.
        let is_unwritten = self.asked.reply.contains("are not yet written");
        let attacked = attacked
            || is_unwritten
            || exceptions::waits_for_test(self)
            || exceptions::is_test_spoiled(self);
        let versions = self.plan.sites.get(self.number);
        let failed = versions.is_some_and(|versions| versions.iter().any(|(_, site)| site.fails()));
        let begin = if failed { dns } else { since(self.oldest) };
        let changed = self.plan.instants(self.number, begin, answered).len() > 1;
        let fetchable = |site: &Site| {
            site.sts
                .as_ref()
                .is_none_or(|sts| sts.host == StsHost::Serves)
        };
        let recovering = has_sts
            && versions.is_some_and(|versions| {
                let now = fetchable(self.site);
                versions
                    .iter()
                    .any(|(at, site)| *at <= answered && fetchable(site) != now)
            });
        let stepped = self.plan.events.iter().any(|(_, event)| {
            matches!(event, Event::Wall(_)) || matches!(event, Event::Restart(_, by) if *by != 0)
        });
        let ruled = orders::change(self.plan, begin, answered);
        let blind = self.plan.blind_from.is_some_and(|from| answered >= from);
        let crowded = self.plan.events.iter().any(|(at, event)| {
            matches!(event, Event::Crash(_)) && *at <= answered && *at + 5_000 > asked
        });
        let waits = self.plan.first_contact_defers
            && versions.is_some_and(|versions| versions.iter().any(|(_, site)| !fetchable(site)));
        let authenticates = match self.pushed {
            // DT-16: without a place for them nobody is handed trust anchors.
            Some(pushed) => pushed.has_place || !self.has_anchors(),
            None => self.plan.own_dane,
        };
        authenticates
            && !waits
            && !(attacked || changed || recovering || stepped || ruled || blind || crowded)
    }
}

/// RFC 2308, 7.1: a failed lookup is kept for five minutes at most; and a little.
const LONGEST_FAILURE: Millis = 320_000;
/// A policy that could not be fetched is tried again within an hour; and a little.
const LONGEST_RETRY: Millis = 3_700_000;
