//! What a Postfix without DNSSEC delivers to: pinned keys, trust anchors, and what an attacker makes of
//! a resolver that does not validate.

use std::net::Ipv4Addr;

use crate::lab::certificates::{Authority, Flaw, Identity};
use crate::lab::deliveries::{Delivery, Fate, Table};
use crate::lab::mail_host::Manner;
use crate::lab::zones::Plan;

/// Beside those that everybody delivers to.
pub(super) fn table(plan: &mut Plan) -> Vec<Delivery> {
    let mut table = Table {
        plan,
        deliveries: Vec::new(),
    };
    // Nobody trusts it but those whose records name it.
    let private = Authority::named("Private CA of Some Domains");
    pinned(&mut table);
    anchored(&mut table, &private);
    both(&mut table, &private);
    forged_certificates(&mut table, &private);
    forged_lookups(&mut table, &private);
    table.deliveries
}

/// What such a Postfix is answered about the destinations that everybody delivers to, and does with it:
/// column F of the law.
pub(super) fn of_everybody(deliveries: &[Delivery]) -> Vec<Delivery> {
    let in_column_f = |own: &Delivery| {
        let (reply, fate) = match (own.domain, own.reply) {
            // DT-17: Postfix compares SHA-256, and the record is of SHA-512.
            ("ee-512.test", _) => ("TEMP mta-cannot-authenticate: ", Fate::Waits("4.7.5")),
            // DT-16: a digest names the anchor, and a probe brings it.
            ("ta-whole.test" | "ta-key.test", _) => ("OK secure match=mx.ta-", own.fate),
            // DT-07b, DT-20: nothing is pinned.
            ("behind.test" | "half.plain.test", _) => ("NOTFOUND ", own.fate),
            // Its own resolver finds what the other has seen to be forged.
            ("bogus-host.test", reply) => (reply, Fate::Waits("4.7.5")),
            (_, "OK dane-only" | "OK dane") => ("OK fingerprint match=", own.fate),
            (_, reply) => (reply, own.fate),
        };
        Delivery {
            reply,
            fate,
            ..own.clone()
        }
    };
    deliveries.iter().map(in_column_f).collect()
}

/// DANE-EE with full data, which is hashed, and two hosts in one list.
fn pinned(table: &mut Table<'_>) {
    for (domain, selector) in [("ee-full.test", 0), ("ee-full-key.test", 1)] {
        let identity = table.lone(domain, Manner::Good, Flaw::SelfSigned);
        let record = identity.end_entity(selector, 0);
        table.plan.tlsa(&format!("mx.{domain}"), &record);
        let verified = Fate::Verified("mx.");
        table.expect(domain, "PF-09 DT-06", "OK fingerprint match=", verified);
    }
    let identity = table.lone("two-records.test", Manner::Good, Flaw::SelfSigned);
    let other = table.plan.authority.issue("other.test", Flaw::None);
    for record in [other.end_entity(1, 1), identity.end_entity(0, 1)] {
        table.plan.tlsa("mx.two-records.test", &record);
    }
    let verified = Fate::Verified("mx.");
    table.expect(
        "two-records.test",
        "PF-09 DT-06",
        "OK fingerprint match=",
        verified,
    );
}

/// DANE-TA in all its forms, of an authority that the MTA knows from nowhere else.
fn anchored(table: &mut Table<'_>, private: &Authority) {
    let cases: [(&'static str, u8, u8); 5] = [
        ("ta-full.test", 0, 0),
        ("ta-full-key.test", 1, 0),
        ("ta-digest.test", 0, 1),
        ("ta-digest-key.test", 1, 1),
        ("ta-digest-512.test", 0, 2),
    ];
    for (domain, selector, matching) in cases {
        let host = format!("mx.{domain}");
        table.lone(domain, Manner::Good, Flaw::None);
        shows(table, private.issue(&host, Flaw::None));
        let record = private.anchor_as(selector, matching);
        table.plan.tlsa(&host, &record);
        let verified = Fate::Verified("mx.");
        table.expect(domain, "DT-16 PF-11", "OK secure match=mx.ta-", verified);
    }
    // CM-26: the recipient's domain is a reference name, too.
    table.lone("ta-domain.test", Manner::Good, Flaw::None);
    shows(table, private.issue("ta-domain.test", Flaw::None));
    table
        .plan
        .tlsa("mx.ta-domain.test", &private.anchor_as(0, 0));
    let reply = "OK secure match=mx.ta-domain.test:ta-domain.test";
    let verified = Fate::Verified("mx.");
    table.expect("ta-domain.test", "DT-16 CM-26", reply, verified);
}

/// Records of both kinds, at one host and at two.
fn both(table: &mut Table<'_>, private: &Authority) {
    let identity = table.lone("ee-and-ta.test", Manner::Good, Flaw::None);
    for record in [identity.end_entity(1, 1), private.anchor_as(0, 1)] {
        table.plan.tlsa("mx.ee-and-ta.test", &record);
    }
    let reply = "OK fingerprint match=";
    let verified = Fate::Verified("mx.");
    table.expect("ee-and-ta.test", "DT-19 PF-09", reply, verified);
    table.plan.mx("ee-then-ta.test", 10, "mx1.ee-then-ta.test");
    let identity = table
        .plan
        .host("mx1.ee-then-ta.test", Manner::Good, Flaw::None);
    let record = identity.end_entity(1, 1);
    table.plan.tlsa("mx1.ee-then-ta.test", &record);
    table.plan.mx("ee-then-ta.test", 20, "mx2.ee-then-ta.test");
    table
        .plan
        .host("mx2.ee-then-ta.test", Manner::Good, Flaw::None);
    table
        .plan
        .tlsa("mx2.ee-then-ta.test", &private.anchor_as(0, 0));
    table.expect("ee-then-ta.test", "DT-18", reply, Fate::Verified("mx1."));
}

/// A certificate for the right name, of an authority that everybody trusts, and not the one of the
/// records.
fn forged_certificates(table: &mut Table<'_>, private: &Authority) {
    let refused = Fate::Waits("Server certificate not verified");
    let other = table.plan.authority.issue("other.test", Flaw::None);
    let cases = [
        ("forged-ee.test", other.end_entity(1, 1), "OK fingerprint "),
        (
            "forged-ee-full.test",
            other.end_entity(0, 0),
            "OK fingerprint ",
        ),
        (
            "forged-ta.test",
            private.anchor_as(0, 0),
            "OK secure match=",
        ),
        (
            "forged-ta-key.test",
            private.anchor_as(1, 0),
            "OK secure match=",
        ),
    ];
    for (domain, record, reply) in cases {
        table.lone(domain, Manner::Good, Flaw::None);
        table.plan.tlsa(&format!("mx.{domain}"), &record);
        table.expect(domain, "PD-13 DT-16 PF-10", reply, refused);
    }
    // Whoever is asked for the anchor shows another one, which no digest proves.
    let nobody = Authority::named("Private CA of Nobody");
    table.lone("forged-digest.test", Manner::Good, Flaw::None);
    table
        .plan
        .tlsa("mx.forged-digest.test", &nobody.anchor_as(0, 1));
    let reply = "TEMP mta-cannot-authenticate: ";
    let waits = Fate::Waits("4.7.5");
    table.expect("forged-digest.test", "DT-16 PD-13", reply, waits);
    // The right authority, and a name that is not the host's.
    table.lone("forged-name.test", Manner::Good, Flaw::None);
    shows(table, private.issue("mx.forged-name.test", Flaw::WrongName));
    table
        .plan
        .tlsa("mx.forged-name.test", &private.anchor_as(0, 0));
    table.expect("forged-name.test", "DT-16 CM-26", "OK secure ", refused);
}

/// The resolver of the MTA is lied to: another MX host, another address. Both show certificates that
/// everybody trusts, for their names.
fn forged_lookups(table: &mut Table<'_>, private: &Authority) {
    let refused = Fate::Waits("Server certificate not verified");
    let cases = [
        ("forged-mx.test", "evil.forged-mx.test", "OK fingerprint "),
        ("forged-mx-ta.test", "evil.forged-mx-ta.test", "OK secure "),
        (
            "forged-mx-sts.test",
            "evil.forged-mx-sts.test",
            "OK secure ",
        ),
    ];
    for (domain, evil, reply) in cases {
        let host = format!("mx.{domain}");
        let identity = table.lone(domain, Manner::Good, Flaw::None);
        if evil.contains("-ta") {
            table.plan.tlsa(&host, &private.anchor_as(0, 0));
        } else if evil.contains("-sts") {
            table.sts(domain, "enforce", &host);
        } else {
            table.plan.tlsa(&host, &identity.end_entity(1, 1));
        }
        table.plan.host(evil, Manner::Good, Flaw::None);
        let line = format!("{domain}. 300 IN MX 10 {evil}.");
        table.plan.forged.push(line);
        table.expect(domain, "PD-11 PF-09 DT-16", reply, refused);
    }
    let cases = [
        (
            "forged-address.test",
            "evil.forged-address.test",
            "OK fingerprint ",
        ),
        (
            "forged-address-ta.test",
            "evil.forged-address-ta.test",
            "OK secure ",
        ),
    ];
    for (domain, evil, reply) in cases {
        let host = format!("mx.{domain}");
        let identity = table.lone(domain, Manner::Good, Flaw::None);
        let record = if evil.contains("-ta") {
            private.anchor_as(0, 0)
        } else {
            identity.end_entity(1, 1)
        };
        table.plan.tlsa(&host, &record);
        table.plan.host(evil, Manner::Good, Flaw::None);
        let forged = table.plan.authority.issue(&host, Flaw::None);
        let address = shows(table, forged);
        let line = format!("{host}. 300 IN A {address}");
        table.plan.forged.push(line);
        table.expect(domain, "PD-11 PF-09 DT-16", reply, refused);
    }
}

/// The last host shows this; returns its address.
fn shows(table: &mut Table<'_>, identity: Identity) -> Ipv4Addr {
    let host = table.plan.hosts.last_mut().unwrap();
    host.identity = identity;
    host.address
}
