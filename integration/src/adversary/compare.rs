//! Answers against the law: what the operator has ordered, and what stands in an answer in calm.

use hoplock_model::postfix::{Level, Reply};
use hoplock_model::{Anchor, Fault, Floor, Name, Order, Permitted, Probed, Truth, faults};

use super::judge::Case;
use super::pins::{in_words_of_the_model, probed};
use super::plan::Event;
use super::site::{MailHost, Site, Tlsa};
use super::violation::Breach;

impl Case<'_> {
    pub(super) fn has_anchors(&self) -> bool {
        let versions = self.plan.sites.get(self.number).into_iter().flatten();
        let mut hosts = versions.flat_map(|(_, site)| &site.hosts);
        hosts.any(|host| matches!(host.tlsa, Tlsa::Anchor(_) | Tlsa::Both(_)))
    }

    /// DT-19: a host with records of both kinds is pinned, though by its anchors it could be reached together
    /// with a host that has no others, or none in the profile's digest (DT-17). The model counts the hosts,
    /// and the law keeps to the row.
    fn is_pinned_beside_anchors(&self) -> bool {
        let Some(pushed) = self.pushed else {
            return false;
        };
        let versions = self.plan.sites.get(self.number).into_iter().flatten();
        let can_be_pinned = |host: &MailHost| [0, pushed.digest].contains(&host.form.matching);
        let is_pinned = |host: &MailHost| matches!(host.tlsa, Tlsa::Both(_)) && can_be_pinned(host);
        let is_anchored = |host: &MailHost| match host.tlsa {
            Tlsa::Anchor(_) => true,
            Tlsa::Both(_) => !can_be_pinned(host),
            _ => false,
        };
        let is_mixed =
            |site: &Site| site.hosts.iter().any(is_pinned) && site.hosts.iter().any(is_anchored);
        versions.into_iter().any(|(_, site)| is_mixed(site))
    }

    /// Where the operator's order does not depend on what is published, it is followed to the letter.
    pub(super) fn disobeys(&self, reply: &Reply, truths: &[Truth]) -> Option<String> {
        let depends =
            |truth: &Truth| matches!(truth.order, Order::Opportunistic | Order::Mandatory { .. });
        let obeyed = |truth: &Truth| faults(truth, reply, &[]).is_empty();
        if truths.iter().any(depends) || truths.iter().any(obeyed) {
            return None;
        }
        let wrong = truths.first().map(|truth| faults(truth, reply, &[]));
        Some(format!("{:?}", wrong.unwrap_or_default()))
    }

    /// In calm, the answer is one of those that the law permits, with everything that stands in it.
    ///
    /// What a Postfix with DANE of its own is told where the operator says nothing is compared with a copy of
    /// the whole table elsewhere.
    pub(super) fn is_another(&self, reply: &Reply, anchors: &[Anchor]) -> Option<(Breach, String)> {
        let truths = self.truths();
        let is_plain = |truth: &Truth| truth.order == Order::Opportunistic;
        if self.pushed.is_none() && truths.iter().all(is_plain) || self.is_pinned_beside_anchors() {
            return None;
        }
        let wrong = |truth: &Truth| {
            let ways = in_words_of_the_model(truth, anchors);
            let mut least = ways.iter().map(|anchors| faults(truth, reply, anchors));
            let least = least.by_ref().min_by_key(Vec::len);
            let mut faults = least.unwrap_or_default();
            faults.retain(|fault| !is_as_good(fault, truth, reply));
            faults
        };
        if truths.iter().any(|truth| wrong(truth).is_empty()) {
            return None;
        }
        let wrong: Vec<_> = truths.iter().map(wrong).collect();
        Some((Breach::Another, format!("{wrong:?}")))
    }

    /// What may be known of trust anchors: what probes have brought, and where a session has shown that the
    /// pins do not match and the anchors do (DT-19). Mail that goes out waits for no probe.
    pub(super) fn known_of_anchors(&self, site: &Site) -> Vec<(Vec<Probed>, Vec<Name>)> {
        if !self
            .pushed
            .is_some_and(|pushed| pushed.probe && pushed.has_place)
        {
            return vec![(Vec::new(), Vec::new())];
        }
        let probed = probed(site);
        let waits = self.asked.reply.starts_with("TEMP");
        let hosts = site.hosts.iter();
        let both = hosts.filter(|host| matches!(host.tlsa, Tlsa::Both(_)));
        let both: Vec<Name> = both.map(|host| host.name.clone()).collect();
        let has_sessions = || {
            let mut events = self.plan.events.iter();
            events.any(|(_, event)| matches!(event, Event::Session(_)))
        };
        let mut known = vec![(probed.clone(), Vec::new())];
        if !waits {
            known.extend(without_some(site, &probed).map(|some| (some, Vec::new())));
        }
        if !both.is_empty() && has_sessions() {
            known.push((probed, both));
        }
        known
    }
}

/// RFC 7672, 8.1: the TLSA base domain of all the hosts that are used may be told as the server name. And
/// a level that is the mail server's own is as good as none.
fn is_as_good(fault: &Fault, truth: &Truth, reply: &Reply) -> bool {
    let Reply::Level {
        level, attributes, ..
    } = reply
    else {
        // Where a delay has several true reasons, which of them is told is the law's own choice.
        return matches!(fault, Fault::Reason(_));
    };
    match fault {
        Fault::Servername => {
            let mut told = attributes.iter().filter(|(name, _)| name == "servername");
            told.all(|(_, name)| {
                let mut hosts = truth.hosts.iter();
                name == "hostname" || hosts.any(|host| host.base.as_ref() == Some(name))
            })
        }
        Fault::Word(permitted) => {
            // PF-08: without DNSSEC it takes `dane` for `may`.
            let own = match truth.settings.floor {
                Floor::Dane => Level::May,
                _ => Level::Encrypt,
            };
            let is_own = matches!(truth.settings.floor, Floor::Dane | Floor::Encrypt);
            is_own && *level == own && *permitted == [Permitted::NotFound]
        }
        _ => false,
    }
}

/// What is known while probes of some of the hosts have not come back.
fn without_some(site: &Site, probed: &[Probed]) -> impl Iterator<Item = Vec<Probed>> {
    let hosts = site.hosts.iter();
    let asked = hosts.filter(|host| matches!(host.tlsa, Tlsa::Anchor(_) | Tlsa::Both(_)));
    let asked: Vec<&Name> = asked.map(|host| &host.name).take(4).collect();
    let lacking = (1..1_u32 << asked.len()).map(move |set| {
        let lacks = |name: &Name| {
            let place = asked.iter().position(|own| *own == name);
            place.is_some_and(|place| set >> place & 1 == 1)
        };
        let known = probed.iter().filter(|own| !lacks(&own.host));
        known.cloned().collect()
    });
    lacking.collect::<Vec<_>>().into_iter()
}
