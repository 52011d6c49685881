//! What the lab publishes, and what must happen to a message for each destination.

use super::certificates::Flaw;
use super::mail_host::Manner;
use super::policy_host::Behaviour;
use super::zones::{BLACK_HOLE, NOBODY, POLICY_HOST, Plan};

/// One destination and what must happen.
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

struct Table<'a> {
    plan: &'a mut Plan,
    deliveries: Vec<Delivery>,
}

impl Table<'_> {
    fn expect(&mut self, domain: &'static str, ids: &'static str, reply: &'static str, fate: Fate) {
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
    fn lone(&mut self, domain: &str, manner: Manner, flaw: Flaw) -> super::certificates::Identity {
        let host = format!("mx.{domain}");
        self.plan.mx(domain, 10, &host);
        self.plan.host(&host, manner, flaw)
    }

    fn sts(&mut self, domain: &str, mode: &str, mx: &str) {
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
    usable(&mut table);
    attacked(&mut table);
    mixed(&mut table);
    names(&mut table);
    without_dane(&mut table);
    mta_sts(&mut table);
    broken_policy_hosts(&mut table);
    black_holes(&mut table);
    table.deliveries
}

/// DANE that is well: delivered, authenticated.
fn usable(table: &mut Table<'_>) {
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
fn attacked(table: &mut Table<'_>) {
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
fn mixed(table: &mut Table<'_>) {
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
fn names(table: &mut Table<'_>) {
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

/// Nothing to demand: delivered as before.
fn without_dane(table: &mut Table<'_>) {
    let cases: [(&'static str, &'static str, Manner, &'static str); 5] = [
        ("none.test", "mx.none.test", Manner::Good, "DT-05 PD-12"),
        (
            "none-clear.test",
            "mx.none-clear.test",
            Manner::Strip,
            "DT-05 RQ-02",
        ),
        (
            "free.n3.test",
            "mx.free.n3.test",
            Manner::Good,
            "TB-09 DT-05",
        ),
        ("plain.test", "mx.plain.test", Manner::Strip, "DT-03 TB-01"),
        (
            "tls.plain.test",
            "mx.tls.plain.test",
            Manner::Good,
            "DT-03 TB-01",
        ),
    ];
    for (domain, host, manner, ids) in cases {
        table.plan.mx(domain, 10, host);
        table.plan.host(host, manner, Flaw::SelfSigned);
        let fate = if manner == Manner::Good {
            Fate::Encrypted("mx.")
        } else {
            Fate::Clear("mx.")
        };
        table.expect(domain, ids, "NOTFOUND ", fate);
    }
    table.plan.record("nullmx.test. 300 IN MX 0 .");
    table.expect("nullmx.test", "MX-08 DT-01", "NOTFOUND ", Fate::AnswerOnly);
    table.expect("nowhere.test", "MX-06 DT-01", "NOTFOUND ", Fate::AnswerOnly);
}

/// MTA-STS, well and attacked.
fn mta_sts(table: &mut Table<'_>) {
    let verify = "Server certificate not verified";
    let cases: [(&'static str, Manner, Flaw, &'static str); 5] = [
        ("sts.test", Manner::Good, Flaw::None, ""),
        ("sts-wrongname.test", Manner::Good, Flaw::WrongName, verify),
        (
            "sts-selfsigned.test",
            Manner::Good,
            Flaw::SelfSigned,
            verify,
        ),
        ("sts-expired.test", Manner::Good, Flaw::Expired, verify),
        (
            "sts-strip.test",
            Manner::Strip,
            Flaw::None,
            "TLS is required, but was not offered",
        ),
    ];
    for (domain, manner, flaw, words) in cases {
        table.lone(domain, manner, flaw);
        table.sts(domain, "enforce", &format!("*.{domain}"));
        let fate = if words.is_empty() {
            Fate::Verified("mx.")
        } else {
            Fate::Waits(words)
        };
        table.expect(domain, "DT-05s PF-12 ST-22", "OK secure match=mx.sts", fate);
    }
    table.lone("sts-unlisted.test", Manner::Good, Flaw::None);
    table.sts("sts-unlisted.test", "enforce", "other.sts-unlisted.test");
    let ids = "DT-26 PD-17 ST-20";
    let reply = "TEMP sts-no-mx-matches: ";
    table.expect("sts-unlisted.test", ids, reply, Fate::Waits("4.7.5"));
    for (domain, mode) in [("sts-testing.test", "testing"), ("sts-none.test", "none")] {
        table.lone(domain, Manner::Good, Flaw::SelfSigned);
        table.sts(domain, mode, "other.test");
        table.expect(domain, "ST-23 ST-24", "NOTFOUND ", Fate::Encrypted("mx."));
    }
    // A valid certificate and policy do not cover for DANE that fails.
    let other = table.plan.authority.issue("other.test", Flaw::None);
    table.lone("sts-dane.test", Manner::Good, Flaw::None);
    table.plan.tlsa("mx.sts-dane.test", &other.end_entity(1, 1));
    table.sts("sts-dane.test", "enforce", "mx.sts-dane.test");
    let ids = "PD-02 PD-01";
    table.expect("sts-dane.test", ids, "OK dane-only", Fate::Waits(verify));
    // An insecure MX set: the policy decides, TLSA at the host or not.
    table.plan.mx("sts.plain.test", 10, "mx.sts-plain.test");
    let identity = table
        .plan
        .host("mx.sts-plain.test", Manner::Good, Flaw::None);
    table
        .plan
        .tlsa("mx.sts-plain.test", &identity.end_entity(1, 1));
    table.sts("sts.plain.test", "enforce", "mx.sts-plain.test");
    let reply = "OK secure match=mx.sts-plain.test servername=hostname";
    table.expect(
        "sts.plain.test",
        "DT-04 PD-06",
        reply,
        Fate::Verified("mx."),
    );
}

/// Policy hosts that cannot be believed: as if there were no policy, and never a wait.
fn broken_policy_hosts(table: &mut Table<'_>) {
    let good = policy("enforce", "other.test");
    let html = Behaviour::Response("200 OK", "text/html", good.clone());
    let absent = Behaviour::Response("404 Not Found", "text/plain", good.clone());
    let cases: [(&'static str, Behaviour, Flaw, &'static str); 9] = [
        ("sts-301.test", Behaviour::Redirect, Flaw::None, "ST-08"),
        ("sts-404.test", absent, Flaw::None, "ST-08"),
        ("sts-html.test", html, Flaw::None, "ST-10"),
        ("sts-endless.test", Behaviour::Endless, Flaw::None, "ST-11"),
        ("sts-hang.test", Behaviour::Hang, Flaw::None, "ST-11 ST-13"),
        (
            "sts-badname.test",
            Behaviour::Policy(good.clone()),
            Flaw::WrongName,
            "ST-07",
        ),
        (
            "sts-badcert.test",
            Behaviour::Policy(good.clone()),
            Flaw::SelfSigned,
            "ST-07",
        ),
        (
            "sts-oldcert.test",
            Behaviour::Policy(good),
            Flaw::Expired,
            "ST-07",
        ),
        (
            "sts-nonsense.test",
            Behaviour::Policy("nonsense".into()),
            Flaw::None,
            "ST-16",
        ),
    ];
    for (domain, behaviour, flaw, ids) in cases {
        table.lone(domain, Manner::Good, Flaw::SelfSigned);
        table.plan.sts(domain, behaviour, flaw);
        table.expect(domain, ids, "NOTFOUND ", Fate::Encrypted("mx."));
    }
    table.lone("sts-dead.test", Manner::Good, Flaw::SelfSigned);
    table
        .plan
        .record("_mta-sts.sts-dead.test. 300 IN TXT \"v=STSv1; id=1;\"");
    table
        .plan
        .record(&format!("mta-sts.sts-dead.test. 300 IN A {NOBODY}"));
    assert_ne!(NOBODY, POLICY_HOST);
    table.expect(
        "sts-dead.test",
        "ST-13",
        "NOTFOUND ",
        Fate::Encrypted("mx."),
    );
}

/// Name servers that never answer cost no destination a TEMP that the law does not give.
fn black_holes(table: &mut Table<'_>) {
    let identity = table.lone("dead-backup.test", Manner::Good, Flaw::None);
    table
        .plan
        .tlsa("mx.dead-backup.test", &identity.end_entity(1, 1));
    table.plan.mx("dead-backup.test", 20, "mx.hole.test");
    let ids = "MX-13 FT-02";
    table.expect(
        "dead-backup.test",
        ids,
        "OK dane-only",
        Fate::Verified("mx.dead-backup"),
    );
    table.lone("hole-txt.test", Manner::Good, Flaw::SelfSigned);
    table
        .plan
        .record("_mta-sts.hole-txt.test. 300 IN NS ns.hole.test.");
    assert_ne!(BLACK_HOLE, POLICY_HOST);
    table.expect(
        "hole-txt.test",
        "ST-14",
        "NOTFOUND ",
        Fate::Encrypted("mx."),
    );
}
