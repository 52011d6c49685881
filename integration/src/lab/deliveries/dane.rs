//! Destinations with DANE: well, attacked, mixed, behind aliases.

use super::{Fate, Table};
use crate::lab::certificates::Flaw;
use crate::lab::mail_host::Manner;

/// DANE that is well: delivered, authenticated.
pub(super) fn usable(table: &mut Table<'_>) {
    let cases: [(&'static str, u8, u8, Flaw); 5] = [
        ("dane.test", 1, 1, Flaw::None),
        ("ee-whole.test", 0, 1, Flaw::None),
        ("ee-512.test", 1, 2, Flaw::None),
        ("ee-expired.test", 1, 1, Flaw::Expired),
        ("ee-wrongname.test", 1, 1, Flaw::WrongName),
    ];
    for (domain, selector, matching, flaw) in cases {
        let identity = table.lone(domain, Manner::Good, flaw);
        let host = format!("mx.{domain}");
        table
            .plan
            .tlsa(&host, &identity.end_entity(selector, matching));
        table.expect(
            domain,
            "DT-06 TU-01 PD-04",
            "OK dane-only",
            Fate::Verified("mx."),
        );
    }
    for (domain, selector) in [("ta-whole.test", 0), ("ta-key.test", 1)] {
        table.lone(domain, Manner::Good, Flaw::None);
        let anchor = table.plan.authority.anchor(selector);
        table.plan.tlsa(&format!("mx.{domain}"), &anchor);
        table.expect(domain, "DT-16 TU-01", "OK dane-only", Fate::Verified("mx."));
    }
    let identity = table.lone("dane.n3.test", Manner::Good, Flaw::None);
    table
        .plan
        .tlsa("mx.dane.n3.test", &identity.end_entity(1, 1));
    table.expect(
        "dane.n3.test",
        "MX-01",
        "OK dane-only",
        Fate::Verified("mx."),
    );
}

/// DANE under attack: waits, and without the map the sink gets it.
pub(super) fn attacked(table: &mut Table<'_>) {
    let other = table.plan.authority.issue("other.test", Flaw::None);
    let refused = "4.7.5";
    let cases: [(&'static str, Manner, &'static str); 4] = [
        (
            "strip.test",
            Manner::Strip,
            "TLS is required, but was not offered",
        ),
        (
            "refuse454.test",
            Manner::Refuse,
            "TLS is required, but host",
        ),
        (
            "garbage.test",
            Manner::Garbage,
            "Cannot start TLS: handshake failure",
        ),
        (
            "wrong-key.test",
            Manner::Good,
            "Server certificate not verified",
        ),
    ];
    for (domain, manner, words) in cases {
        let identity = table.lone(domain, manner, Flaw::SelfSigned);
        let record = if manner == Manner::Good {
            &other
        } else {
            &identity
        };
        table
            .plan
            .tlsa(&format!("mx.{domain}"), &record.end_entity(1, 1));
        table.expect(
            domain,
            "PD-13 FT-05 PF-07",
            "OK dane-only",
            Fate::Waits(words),
        );
    }
    let identity = table.lone("bogus-tlsa.test", Manner::Good, Flaw::SelfSigned);
    table
        .plan
        .tlsa("mx.bogus-tlsa.test", &identity.end_entity(1, 1));
    table.plan.spoil("_25._tcp.mx.bogus-tlsa.test", "TLSA");
    let ids = "TB-10 DT-15 FT-01";
    table.expect(
        "bogus-tlsa.test",
        ids,
        "TEMP tlsa-lookup-failed: ",
        Fate::Waits(refused),
    );
    // Postfix finds no MX here by itself; what the map says is looked at all the same.
    table.plan.record("www.bogus.test. 300 IN A 127.0.1.1");
    table.expect(
        "bogus.test",
        "MX-03 DT-02",
        "TEMP mx-lookup-failed: ",
        Fate::AnswerOnly,
    );
    table.plan.mx("bogus-host.test", 10, "www.bogus.test");
    let ids = "MX-13 DT-15";
    table.expect(
        "bogus-host.test",
        ids,
        "TEMP address-lookup-failed: ",
        Fate::AnswerOnly,
    );
    // Records that cannot be used still oblige TLS.
    for (domain, manner) in [
        ("unusable.test", Manner::Good),
        ("unusable-strip.test", Manner::Strip),
    ] {
        table.lone(domain, manner, Flaw::SelfSigned);
        let digest = "ab".repeat(32);
        table
            .plan
            .tlsa(&format!("mx.{domain}"), &format!("1 1 1 {digest}"));
        let fate = match manner {
            Manner::Strip => Fate::Waits("TLS is required, but was not offered"),
            _ => Fate::Encrypted("mx."),
        };
        table.expect(domain, "TU-02 TU-07 DT-09", "OK encrypt", fate);
    }
}

/// Several hosts in different states.
pub(super) fn mixed(table: &mut Table<'_>) {
    let hosts: [(&'static str, &str, Flaw, bool); 8] = [
        ("mixed.test", "mx1.mixed.test", Flaw::None, true),
        ("mixed.test", "mx2.mixed.test", Flaw::None, false),
        ("behind.test", "mx1.behind.test", Flaw::SelfSigned, false),
        ("behind.test", "mx2.behind.test", Flaw::None, true),
        ("failover.test", "mx1.failover.test", Flaw::SelfSigned, true),
        ("failover.test", "mx2.failover.test", Flaw::None, true),
        ("one-bogus.test", "mx1.one-bogus.test", Flaw::None, true),
        ("one-bogus.test", "mx2.one-bogus.test", Flaw::None, true),
    ];
    let other = table.plan.authority.issue("other.test", Flaw::None);
    for (domain, host, flaw, has_tlsa) in hosts {
        let preference = if host.starts_with("mx1") { 10 } else { 20 };
        table.plan.mx(domain, preference, host);
        let identity = table.plan.host(host, Manner::Good, flaw);
        if has_tlsa {
            let wrong = host == "mx1.failover.test";
            let record = if wrong { &other } else { &identity };
            table.plan.tlsa(host, &record.end_entity(1, 1));
        }
    }
    table.plan.spoil("_25._tcp.mx2.one-bogus.test", "TLSA");
    table.expect(
        "mixed.test",
        "DT-07 MX-09 TB-11",
        "OK dane",
        Fate::Verified("mx1."),
    );
    table.expect(
        "behind.test",
        "DT-07b MX-09",
        "OK dane",
        Fate::Encrypted("mx1."),
    );
    table.expect(
        "failover.test",
        "FT-02 DT-06",
        "OK dane-only",
        Fate::Verified("mx2."),
    );
    table.expect(
        "one-bogus.test",
        "DT-12 FT-02",
        "OK dane-only",
        Fate::Verified("mx1."),
    );
    // Half-DANE: an unsigned domain behind a signed host.
    table.plan.mx("half.plain.test", 10, "mx.half-host.test");
    let identity = table
        .plan
        .host("mx.half-host.test", Manner::Good, Flaw::None);
    table
        .plan
        .tlsa("mx.half-host.test", &identity.end_entity(1, 1));
    table.expect(
        "half.plain.test",
        "DT-20 PD-07",
        "OK dane",
        Fate::Encrypted("mx."),
    );
}

/// Aliases, wildcards, ports, internationalised names.
pub(super) fn names(table: &mut Table<'_>) {
    let identity = table.plan.host("mx.target.test", Manner::Good, Flaw::None);
    let record = identity.end_entity(1, 1);
    table.plan.tlsa("mx.target.test", &record);
    table.plan.mx("cname-host.test", 10, "mx.cname-host.test");
    table
        .plan
        .record("mx.cname-host.test. 300 IN CNAME mx.target.test.");
    let verified = Fate::Verified("mx.");
    table.expect("cname-host.test", "TB-03 MX-10", "OK dane-only", verified);

    let identity = table
        .plan
        .host("mx.bare-target.test", Manner::Good, Flaw::None);
    table
        .plan
        .mx("cname-original.test", 10, "mx.cname-original.test");
    table
        .plan
        .record("mx.cname-original.test. 300 IN CNAME mx.bare-target.test.");
    table
        .plan
        .tlsa("mx.cname-original.test", &identity.end_entity(1, 1));
    table.expect(
        "cname-original.test",
        "TB-03 TB-04",
        "OK dane-only",
        verified,
    );

    table.plan.record("old.test. 300 IN DNAME new.test.");
    table.plan.mx("sub.new.test", 10, "mx.dane.test");
    table.expect("sub.old.test", "MX-12", "OK dane-only", verified);

    let identity = table.lone("wildcard.test", Manner::Good, Flaw::None);
    let record = identity.end_entity(1, 1);
    table
        .plan
        .record(&format!("*._tcp.mx.wildcard.test. 300 IN TLSA {record}"));
    table.expect("wildcard.test", "TB-02", "OK dane-only", verified);

    let identity = table.lone("tlsa-cname.test", Manner::Good, Flaw::None);
    table
        .plan
        .record("_25._tcp.mx.tlsa-cname.test. 300 IN CNAME shared.tlsa-cname.test.");
    let record = identity.end_entity(1, 1);
    table
        .plan
        .record(&format!("shared.tlsa-cname.test. 300 IN TLSA {record}"));
    table.expect("tlsa-cname.test", "TB-07", "OK dane-only", verified);

    let identity = table.plan.host("implicit.test", Manner::Good, Flaw::None);
    table.plan.tlsa("implicit.test", &identity.end_entity(1, 1));
    let at_domain = Fate::Verified("implicit.");
    table.expect("implicit.test", "MX-05", "OK dane-only", at_domain);

    let identity = table.lone("xn--bcher-kva.test", Manner::Good, Flaw::None);
    table
        .plan
        .tlsa("mx.xn--bcher-kva.test", &identity.end_entity(1, 1));
    table.expect(
        "xn--bcher-kva.test",
        "ID-01 ID-02",
        "OK dane-only",
        verified,
    );
    table.expect_at(
        "bücher.test",
        "bücher.test",
        "ID-01 ID-02",
        "OK dane-only",
        Fate::AnswerOnly,
    );

    let identity = table
        .plan
        .host_at("submit.test", 587, Manner::Good, Flaw::None);
    let record = identity.end_entity(1, 1);
    table
        .plan
        .record(&format!("_587._tcp.submit.test. 300 IN TLSA {record}"));
    let at_host = Fate::Verified("submit.");
    table.expect_at(
        "relayed.test",
        "[submit.test]:587",
        "NX-01 TB-02",
        "OK dane-only",
        at_host,
    );
}
