//! What the lab publishes, and what must happen to a message for each destination.

use super::certificates::Flaw;
use super::mail_host::Manner;
use super::policy_host::Behaviour;
use super::zones::Plan;

mod dane;
mod rest;
mod sts;

/// One destination and what must happen.
#[derive(Clone)]
pub struct Delivery {
    /// The domain of the recipient.
    pub domain: &'static str,
    /// What Postfix asks the map, where it is not the domain.
    pub next_hop: &'static str,
    /// Requirements that it shows, at most three.
    pub ids: &'static str,
    /// How the answer begins.
    pub reply: &'static str,
    /// What becomes of the message.
    pub fate: Fate,
}

/// What becomes of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// Delivered over a session that Postfix calls verified, to this host.
    Verified(&'static str),
    /// Delivered over TLS without more, to this host.
    Encrypted(&'static str),
    /// Delivered in clear text, to this host.
    Clear(&'static str),
    /// Waits: Postfix says so in these words. Without the map, the attacker's sink gets it.
    Waits(&'static str),
    /// Not sent at all: only the answer is looked at.
    AnswerOnly,
}

/// The plan, and what it makes happen.
pub(super) struct Table<'a> {
    pub plan: &'a mut Plan,
    pub deliveries: Vec<Delivery>,
}

impl Table<'_> {
    pub(super) fn expect(
        &mut self,
        domain: &'static str,
        ids: &'static str,
        reply: &'static str,
        fate: Fate,
    ) {
        self.expect_at(domain, domain, ids, reply, fate);
    }

    fn expect_at(
        &mut self,
        domain: &'static str,
        next_hop: &'static str,
        ids: &'static str,
        reply: &'static str,
        fate: Fate,
    ) {
        assert!(ids.split(' ').count() <= 3, "{domain}: at most three ids");
        self.deliveries.push(Delivery {
            domain,
            next_hop,
            ids,
            reply,
            fate,
        });
    }

    /// A domain with one MX host `mx.DOMAIN`.
    pub(super) fn lone(
        &mut self,
        domain: &str,
        manner: Manner,
        flaw: Flaw,
    ) -> super::certificates::Identity {
        let host = format!("mx.{domain}");
        self.plan.mx(domain, 10, &host);
        self.plan.host(&host, manner, flaw)
    }

    pub(super) fn sts(&mut self, domain: &str, mode: &str, mx: &str) {
        self.plan
            .sts(domain, Behaviour::Policy(policy(mode, mx)), Flaw::None);
    }
}

fn policy(mode: &str, mx: &str) -> String {
    format!("version: STSv1\r\nmode: {mode}\r\nmx: {mx}\r\nmax_age: 86400\r\n")
}

/// Fills the plan and says what must happen.
pub fn table(plan: &mut Plan) -> Vec<Delivery> {
    let mut table = Table {
        plan,
        deliveries: Vec::new(),
    };
    dane::usable(&mut table);
    dane::attacked(&mut table);
    dane::mixed(&mut table);
    dane::names(&mut table);
    rest::without_dane(&mut table);
    sts::mta_sts(&mut table);
    sts::broken_policy_hosts(&mut table);
    sts::black_holes(&mut table);
    sts::changing(&mut table);
    // RFC 8460, 3: Postfix reports sessions only of those who ask for it.
    let asking: Vec<&'static str> = table
        .deliveries
        .iter()
        .map(|delivery| delivery.domain)
        .filter(|domain| domain.is_ascii() && *domain != BELOW_A_DNAME)
        .collect();
    for domain in asking {
        table.plan.asks_for_reports(domain);
    }
    table.deliveries
}

/// Below a DNAME there are no records of its own (RFC 6672, 2.4): NSD refuses the whole zone.
const BELOW_A_DNAME: &str = "sub.old.test";

/// A domain of those whose policies are refreshed while hoplock is killed.
pub fn many(number: usize) -> String {
    format!("p{number}.plain.test")
}

/// How many there are.
pub const MANY: usize = 100;
/// Their `max_age` in seconds: refreshed after nine to twelve of them.
pub const MANY_LIFE: u64 = 24;
/// The `max_age` of the policy that ends while the lab looks on.
pub const SHORT_LIFE: u64 = 12;
