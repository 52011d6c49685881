//! Every answer of a run against the model: never weaker than the truth, never a refusal for nothing,
//! never words that Postfix cannot read, never below its own level.
//!
//! An answer may rest on anything that was true within the lifetimes of the records, so the model is
//! asked for every version of the truth in that window, and the answer must be permitted by one of
//! them.

use hoplock_model::postfix::{Reply, best_tier, parse_reply};
use hoplock_model::{
    Name, NextHop, Pins, Profile, Question, Rule, Settings, Truth, World, truth, truth_at,
};

use super::exceptions;
use super::history::{Asked, History};
use super::memory::{Memory, memories};
use super::mta::{Seeing, as_attacked, delivers, demanded, seen};
use super::pins::{has_file, read_anchors};
use super::plan::{Event, Key, Millis, NameServer, Plan, Pushed};
use super::session::judge::judge as sessions;
use super::site::{Server, Site};
use super::violation::{About, Breach, Violation};

/// Judges all answers of a run, and all verdicts on sessions.
#[must_use]
pub fn judge(plan: &Plan, history: &History) -> Vec<Violation> {
    let judged = history.answers.iter().filter_map(|asked| {
        let Some((_, Event::Ask(key, _))) = plan.events.get(asked.event) else {
            return None;
        };
        let took = asked.answered - asked.asked;
        let case = Case::spanning(plan, history, asked, key, took, plan.pushed())?;
        let (kind, words) = case.judge()?;
        Some(Violation {
            kind,
            about: About::Answer(asked.clone()),
            key: key.clone(),
            words,
        })
    });
    judged.chain(sessions(plan, history)).collect()
}

/// One answer, and what is to be known about it.
pub(super) struct Case<'a> {
    pub(super) plan: &'a Plan,
    pub(super) history: &'a History,
    pub(super) asked: &'a Asked,
    pub(super) key: &'a Key,
    pub(super) number: usize,
    /// What is published when the answer leaves.
    pub(super) site: &'a Site,
    /// Milliseconds that what the answer rests on may be old.
    pub(super) oldest: Millis,
    half_dane: bool,
    /// What is set where the mail server has no DANE of its own.
    pub(super) pushed: Option<Pushed>,
}

impl<'a> Case<'a> {
    /// `took`: how long the work took that the answer rests on.
    pub(super) fn spanning(
        plan: &'a Plan,
        history: &'a History,
        asked: &'a Asked,
        key: &'a Key,
        took: Millis,
        pushed: Option<Pushed>,
    ) -> Option<Self> {
        let number = key.site();
        let site = plan.site(number, asked.answered)?;
        let versions = plan.sites.get(number)?;
        let ttl = versions.iter().map(|(_, site)| site.ttls.longest());
        let ttl = u64::from(ttl.max().unwrap_or(0)) * 1000;
        // A resolver rounds what is left of a TTL up to a whole second.
        Some(Self {
            plan,
            history,
            asked,
            key,
            number,
            site,
            oldest: ttl + 1_000 + took.max(500),
            half_dane: plan.half_dane && plan.own_dane && pushed.is_none(),
            pushed,
        })
    }

    /// The same case.
    pub(super) fn as_it_is(&self) -> Self {
        self.with_half_dane(self.half_dane)
    }

    /// The same case under another `[dane] half_dane`, where that is on at all.
    pub(super) fn with_half_dane(&self, half_dane: bool) -> Self {
        Self {
            half_dane: half_dane && self.half_dane,
            ..*self
        }
    }

    fn judge(&self) -> Option<(Breach, String)> {
        let reply = match parse_reply(&self.asked.reply) {
            Ok(reply) => reply,
            Err(why) => return Some((Breach::Unreadable, why)),
        };
        let truths = self.truths();
        if let Some(words) = self.disobeys(&reply, &truths) {
            return Some((Breach::Disobeyed, words));
        }
        let anchors = match &self.asked.anchors {
            Some(text) => read_anchors(text),
            None if has_file(&reply) && self.pushed.is_some() => None,
            None => Some(Vec::new()),
        };
        let Some(anchors) = anchors else {
            let words = format!("no trust anchors to be read for {}", self.asked.reply);
            return Some((Breach::Unreadable, words));
        };
        // PD-01: it is no fault of the answer what it does, and where it strands.
        if exceptions::is_ordered(&reply, &truths)
            || exceptions::is_ordered_over_forged(self, &reply, &truths)
        {
            return None;
        }
        let weaker = match self.pushed {
            Some(_) => self.weaker_when_led(&reply, &anchors, &truths),
            None => self.weaker(&reply, &truths),
        };
        if weaker.is_some() || !self.is_calm() {
            return weaker;
        }
        let stranded = match self.pushed {
            Some(_) => self.stranded_without_dane(&reply, &anchors, &truths),
            None => self.stranded(&reply, &self.postfix_sees(), &truths),
        };
        stranded
            .map(|words| (Breach::Stranded, words))
            .or_else(|| self.is_another(&reply, &anchors))
    }

    /// In calm, mail goes to the best hosts that a safe answer reaches.
    fn stranded(&self, reply: &Reply, hosts: &[Seeing], truths: &[Truth]) -> Option<String> {
        let reached = hosts
            .iter()
            .filter(|seeing| {
                let outcome = demanded(self.plan, reply, seeing);
                delivers(outcome, seeing, self.server(&seeing.name))
            })
            .map(|seeing| seeing.preference)
            .min();
        self.short_of_the_best(reply, reached, truths)
    }

    pub(super) fn short_of_the_best(
        &self,
        reply: &Reply,
        reached: Option<u16>,
        truths: &[Truth],
    ) -> Option<String> {
        let best: Vec<Option<u16>> = truths.iter().map(best_tier).collect();
        let is_best = |best: &Option<u16>| match (best, reached) {
            (None, _) => true,
            (Some(best), Some(reached)) => reached <= *best,
            (Some(_), None) => false,
        };
        if best.iter().any(is_best) || exceptions::own_level_acts(reply, truths) {
            return None;
        }
        Some(format!("reached tier {reached:?}, could be {best:?}"))
    }

    /// The hosts that Postfix finds when the answer has come, through the name server that it shares
    /// with the service.
    pub(super) fn postfix_sees(&self) -> Vec<Seeing> {
        let at = self.asked.answered;
        let domain = self.site.domain_name();
        let mut kept = self.history.kept.iter().rev();
        let kept = kept.find(|(own, since, until)| *own == domain && *since <= at && at < *until);
        let kept = kept.and_then(|(_, since, _)| self.plan.site(self.number, *since));
        let site = kept.map_or_else(|| self.site.clone(), |kept| self.site.found_by(kept));
        let world = as_attacked(self.plan, &site, at);
        // Where Postfix's own name server stops to validate is found out apart (PD-11, PF-08).
        let settings = Settings {
            believed: self.plan.own_dane,
            ..self.settings(true)
        };
        seen(&truth(&world, &self.question(settings, None)))
    }

    /// Every truth that the answer may rest on.
    pub(super) fn truths(&self) -> Vec<Truth> {
        self.truths_over(&Site::published, &self.memories())
    }

    /// What was remembered while the answer was made.
    pub(super) fn memories(&self) -> Vec<Option<Memory>> {
        let (asked, answered) = (self.asked.asked, self.asked.answered);
        memories(self.plan, self.history, self.number, asked, answered)
    }

    /// The same, with something else published or remembered.
    pub(super) fn truths_over(
        &self,
        published: &dyn Fn(&Site) -> World,
        memories: &[Option<Memory>],
    ) -> Vec<Truth> {
        let (asked, answered) = (self.asked.asked, self.asked.answered);
        let from = asked.saturating_sub(self.oldest + exceptions::replayed(self));
        let orders = self.orders();
        let mut truths = Vec::new();
        for at in self.plan.instants(self.number, from, answered) {
            let Some(site) = self.plan.site(self.number, at) else {
                continue;
            };
            let world = published(site);
            let known = self.known_of_anchors(site);
            for memory in memories {
                for (rules, now) in &orders {
                    for believed in self.beliefs() {
                        for (probed, mismatched) in &known {
                            let question = self.question(self.settings(believed), memory.as_ref());
                            let asker = hoplock_model::Site {
                                profile: self.profile(),
                                rules: rules.clone(),
                                now: *now,
                                probed: probed.clone(),
                                mismatched: mismatched.clone(),
                                ..hoplock_model::Site::default()
                            };
                            let truth = truth_at(&world, &question, &asker);
                            if !truths.contains(&truth) {
                                truths.push(truth);
                            }
                        }
                    }
                }
            }
        }
        truths
    }

    fn profile(&self) -> Profile {
        self.pushed.map_or(Profile::OwnDane, |pushed| {
            Profile::Pins(Pins {
                strict: pushed.strict,
                probe: pushed.probe && pushed.has_place,
                digest: pushed.digest,
                bare_keys: true,
                ..Pins::default()
            })
        })
    }

    fn question(&self, settings: Settings, memory: Option<&Memory>) -> Question {
        question(self.plan, self.key, settings, memory)
    }

    fn settings(&self, believed: bool) -> Settings {
        let seen = &self.history.seen_with_dane;
        Settings {
            floor: self.plan.floor,
            half_dane: self.half_dane,
            rule: Rule::None,
            believed,
            seen_with_dane: seen
                .iter()
                .rfind(|(at, key, _)| *at < self.asked.asked && *key == self.asked.key)
                .is_some_and(|(_, _, seen)| *seen),
        }
    }

    /// Whether the service's name servers are to be believed: both, while it cannot know yet.
    fn beliefs(&self) -> Vec<bool> {
        let servers = &self.plan.servers;
        if servers.contains(&NameServer::Remote) || !servers.contains(&NameServer::Validating) {
            return vec![false];
        }
        match self.plan.blind_from {
            Some(_) if self.is_untested() => vec![true, false],
            Some(from) if self.asked.answered >= from => vec![false],
            _ => vec![true],
        }
    }

    /// True where the name servers have stopped to validate, and the service cannot know it yet.
    pub(super) fn is_untested(&self) -> bool {
        self.plan.blind_from.is_some_and(|from| {
            self.asked.answered >= from && self.asked.asked <= from + exceptions::CONVICTION
        })
    }

    /// True where it stands for a session.
    pub(super) fn is_of_session(&self) -> bool {
        self.asked.reply.is_empty()
    }

    /// The name of the destination's domain.
    pub(super) fn domain(&self) -> Name {
        self.site.domain_name()
    }

    fn server(&self, name: &str) -> Server {
        let host = self.site.host(name).map(|host| host.server);
        host.unwrap_or(Server {
            tls: true,
            key: super::internet::ATTACKERS_KEY,
            web_pki: true,
            own_names: false,
        })
    }
}

/// A key as the model is asked about it.
pub(super) fn question(
    plan: &Plan,
    key: &Key,
    settings: Settings,
    memory: Option<&Memory>,
) -> Question {
    let domain = || NextHop::Domain(format!("d{}.test", key.site()));
    let host = |number: usize| {
        let hosts = plan.site(key.site(), 0).map(|site| &site.hosts);
        let name = hosts.and_then(|hosts| hosts.get(number));
        let name = name.map(|host| host.name.clone());
        NextHop::Host(name.unwrap_or_else(|| format!("m0.d{}.test", key.site())))
    };
    let (next_hop, port) = match key {
        Key::Domain(_) => (domain(), 25),
        Key::Submission(_) => (domain(), 587),
        Key::Host(_, number) => (host(*number), 25),
        Key::HostSubmission(_, number) => (host(*number), 587),
    };
    Question {
        next_hop,
        port,
        settings,
        remembered: memory.map(|memory| memory.policy.clone()),
        remembered_id: memory.map(|memory| memory.id.clone()),
    }
}
