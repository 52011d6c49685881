//! Destinations that must be authenticated by DANE because the operator says so, and what is done where
//! they have none (PD-09, PD-10): the same under DANE and under pins.

use std::fmt::Write as _;

use crate::lab::certificates::Flaw;
use crate::lab::deliveries::{Delivery, Fate, Table};
use crate::lab::mail_host::Manner;
use crate::lab::stage::Lab;
use crate::lab::zones::Plan;

/// What is published, the rules, and what must happen.
pub(super) struct Orders {
    pub(super) rules: String,
    pub(super) deliveries: Vec<Delivery>,
}

impl Orders {
    fn rule(&mut self, domain: &str, more: &str) {
        writeln!(
            self.rules,
            "[rules.\"{domain}\"]\nmode = \"mandatory\"\n{more}\n"
        )
        .unwrap();
    }
}

pub(super) fn plan(plan: &mut Plan) -> Orders {
    let mut orders = Orders {
        rules: String::new(),
        deliveries: Vec::new(),
    };
    let mut table = Table {
        plan,
        deliveries: Vec::new(),
    };
    without_dane(&mut table, &mut orders);
    failing(&mut table, &mut orders);
    elsewhere(&mut table, &mut orders);
    orders.deliveries = table.deliveries;
    orders
}

/// PD-09: proved to have no DANE: each strategy where it serves, and where it does not.
fn without_dane(table: &mut Table<'_>, orders: &mut Orders) {
    let refused = Fate::Waits("Server certificate not verified");
    let verified = Fate::Verified("mx.");
    let key = |record: &str| record.rsplit(' ').next().unwrap().to_owned();

    table.lone("must-defer.test", Manner::Good, Flaw::None);
    orders.rule("must-defer.test", "");
    let reply = "TEMP dane-required: ";
    table.expect(
        "must-defer.test",
        "PD-09 DT-23",
        reply,
        Fate::Waits("4.7.5"),
    );

    let other = table.plan.authority.issue("other.test", Flaw::None);
    for (domain, fate) in [
        ("must-fingerprint.test", verified),
        ("must-fingerprint-wrong.test", refused),
    ] {
        let own = table.lone(domain, Manner::Good, Flaw::SelfSigned);
        let pinned = if fate == verified { &own } else { &other };
        let digest = key(&pinned.end_entity(1, 1));
        let more = format!("fallback = \"fingerprint\"\nfingerprints = [\"{digest}\"]");
        orders.rule(domain, &more);
        table.expect(domain, "PD-09 DT-23", "OK fingerprint match=", fate);
    }
    // The names are the operator's, and no others: not even the host's own.
    for (domain, name, fate) in [
        ("must-secure.test", "mx.must-secure.test", verified),
        ("must-secure-wrong.test", "agreed.test", refused),
    ] {
        table.lone(domain, Manner::Good, Flaw::None);
        let more = format!("fallback = \"secure\"\nnames = [\"{name}\"]");
        orders.rule(domain, &more);
        table.expect(domain, "PD-09 DT-23 PD-17", "OK secure match=", fate);
    }
    let stripped = Fate::Waits("TLS is required, but was not offered");
    for (domain, manner, fate) in [
        ("must-encrypt.test", Manner::Good, Fate::Encrypted("mx.")),
        ("must-encrypt-strip.test", Manner::Strip, stripped),
    ] {
        table.lone(domain, manner, Flaw::SelfSigned);
        orders.rule(domain, "fallback = \"encrypt\"");
        table.expect(domain, "PD-09 DT-23", "OK encrypt", fate);
    }
}

/// PD-10: a lookup that fails proves no absence, and opens no way.
fn failing(table: &mut Table<'_>, orders: &mut Orders) {
    let cases: [(&'static str, &str); 4] = [
        (
            "bogus-fingerprint.test",
            "fallback = \"fingerprint\"\nfingerprints = [\"KEY\"]",
        ),
        (
            "bogus-secure.test",
            "fallback = \"secure\"\nnames = [\"mx.bogus-secure.test\"]",
        ),
        ("bogus-encrypt.test", "fallback = \"encrypt\""),
        ("silent-encrypt.test", "fallback = \"encrypt\""),
    ];
    for (domain, more) in cases {
        let own = table.lone(domain, Manner::Good, Flaw::None);
        let record = own.end_entity(1, 1);
        let host = format!("mx.{domain}");
        if domain.starts_with("silent") {
            // A name server that never answers.
            let line = format!("_tcp.{host}. 300 IN NS ns.hole.test.");
            table.plan.record(&line);
        } else {
            table.plan.tlsa(&host, &record);
            table.plan.spoil(&format!("_25._tcp.{host}"), "TLSA");
        }
        let key = record.rsplit(' ').next().unwrap();
        orders.rule(domain, &more.replace("KEY", key));
        let reply = "TEMP tlsa-lookup-failed: ";
        table.expect(domain, "PD-10 DT-25", reply, Fate::Waits("4.7.5"));
    }
}

/// PD-08, DT-22, DT-24: behind an unsigned MX set, and with another host in front.
fn elsewhere(table: &mut Table<'_>, orders: &mut Orders) {
    let reply = "TEMP mx-insecure: ";
    let waits = Fate::Waits("4.7.5");
    table.lone("must.plain.test", Manner::Good, Flaw::None);
    orders.rule("must.plain.test", "fallback = \"encrypt\"");
    table.expect("must.plain.test", "PD-08 DT-24", reply, waits);
    table.lone("may-fall.plain.test", Manner::Good, Flaw::SelfSigned);
    let more = "fallback = \"encrypt\"\nfallback_on_insecure = true";
    orders.rule("may-fall.plain.test", more);
    let encrypted = Fate::Encrypted("mx.");
    table.expect(
        "may-fall.plain.test",
        "DT-24 PD-10",
        "OK encrypt",
        encrypted,
    );
    for (preference, host) in [(10, "mx1.must-second.test"), (20, "mx2.must-second.test")] {
        table.plan.mx("must-second.test", preference, host);
        let own = table.plan.host(host, Manner::Good, Flaw::None);
        if preference == 20 {
            table.plan.tlsa(host, &own.end_entity(1, 1));
        }
    }
    orders.rule("must-second.test", "");
    let second = Fate::Verified("mx2.");
    table.expect("must-second.test", "DT-22 PD-08", DANE, second);
}

/// What each Postfix is told where DANE is there.
pub(super) fn told(orders: &[Delivery], dane: &'static str) -> Vec<Delivery> {
    let own = orders.iter().map(|order| Delivery {
        reply: if order.reply == DANE {
            dane
        } else {
            order.reply
        },
        ..order.clone()
    });
    own.collect()
}

/// PD-09: the log names the strategy of each answer that rests on one, when it is first given.
pub(super) fn are_logged(lab: &mut Lab<'_>) {
    let log = lab.hoplock.log();
    let said = |domain: &str, words: &[&str]| {
        let name = format!("next_hop={domain} ");
        log.lines()
            .any(|line| line.contains(&name) && words.iter().all(|word| line.contains(word)))
    };
    for (domain, words) in [
        ("must-defer.test", ["mail waits", "dane-required"]),
        (
            "must-fingerprint.test",
            ["verdict=\"fingerprint\"", "rule-fallback"],
        ),
        ("must-secure.test", ["verdict=\"secure\"", "rule-fallback"]),
        (
            "must-encrypt.test",
            ["verdict=\"encrypt\"", "rule-fallback"],
        ),
        ("bogus-encrypt.test", ["mail waits", "tlsa-lookup-failed"]),
    ] {
        lab.report.check(said(domain, &words), || {
            let own: Vec<&str> = log.lines().filter(|line| line.contains(domain)).collect();
            format!("the log lacks {words:?}: {own:#?}")
        });
    }
}

/// Stands for the answer of each Postfix.
const DANE: &str = "(DANE)";
