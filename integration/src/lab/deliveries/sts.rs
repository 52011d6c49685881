//! Destinations with MTA-STS, and name servers that never answer.

use super::{Fate, MANY, MANY_LIFE, SHORT_LIFE, Table, many, policy};
use crate::lab::certificates::Flaw;
use crate::lab::mail_host::Manner;
use crate::lab::policy_host::Behaviour;
use crate::lab::zones::{BLACK_HOLE, NOBODY, POLICY_HOST};

/// MTA-STS, well and attacked.
pub(super) fn mta_sts(table: &mut Table<'_>) {
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
    // A host that the policy does not list gets no mail, though the listed one is down.
    table.plan.mx("sts-second.test", 10, "mx1.sts-second.test");
    table
        .plan
        .record(&format!("mx1.sts-second.test. 300 IN A {NOBODY}"));
    table.plan.mx("sts-second.test", 20, "mx2.sts-second.test");
    table
        .plan
        .host("mx2.sts-second.test", Manner::Good, Flaw::None);
    table.sts("sts-second.test", "enforce", "mx1.sts-second.test");
    let reply = "OK secure match=mx1.sts-second.test servername=hostname";
    let ids = "PF-12 ST-20 ST-22";
    table.expect("sts-second.test", ids, reply, Fate::Waits("dsn=4"));
    // A better host that the policy does not list is passed over; the listed one behind it serves.
    for (preference, host) in [(10, "mx1.sts-next.test"), (20, "mx2.sts-next.test")] {
        table.plan.mx("sts-next.test", preference, host);
        table.plan.host(host, Manner::Good, Flaw::None);
    }
    table.sts("sts-next.test", "enforce", "mx2.sts-next.test");
    let reply = "OK secure match=mx2.sts-next.test servername=hostname";
    let next = Fate::Verified("mx2.");
    table.expect("sts-next.test", "EX-07 ST-20 FT-02", reply, next);
    // One host of two destinations, whose policy lists it for the one and not for the other.
    table.plan.host("mx.shared.test", Manner::Good, Flaw::None);
    table.plan.mx("share-yes.test", 10, "mx.shared.test");
    table.sts("share-yes.test", "enforce", "mx.shared.test");
    let reply = "OK secure match=mx.shared.test servername=hostname";
    let shared = Fate::Verified("mx.shared.");
    table.expect("share-yes.test", "EX-07 SV-06", reply, shared);
    table.plan.mx("share-no.test", 10, "mx.shared.test");
    table.plan.mx("share-no.test", 20, "mx2.share-no.test");
    table
        .plan
        .record(&format!("mx2.share-no.test. 300 IN A {NOBODY}"));
    table.sts("share-no.test", "enforce", "mx2.share-no.test");
    let reply = "OK secure match=mx2.share-no.test servername=hostname";
    let waits = Fate::Waits("dsn=4");
    table.expect("share-no.test", "EX-07 SV-06", reply, waits);
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

/// What changes while the lab runs: see `memory`.
pub(super) fn changing(table: &mut Table<'_>) {
    for host in ["old", "new"] {
        let name = format!("{host}.change.plain.test");
        table.plan.record(&format!("{name}. 3 IN A 127.0.3.1"));
    }
    table
        .plan
        .record("change.plain.test. 3 IN MX 10 old.change.plain.test.");
    table.plan.sts_for(
        "change.plain.test",
        3,
        Behaviour::Policy(policy("enforce", "old.change.plain.test")),
    );
    table
        .plan
        .record("short.plain.test. 3 IN MX 10 old.change.plain.test.");
    let short = short_policy("old.change.plain.test", SHORT_LIFE);
    table
        .plan
        .sts_for("short.plain.test", 3, Behaviour::Policy(short));
    for number in 0..MANY {
        let domain = many(number);
        table
            .plan
            .record(&format!("{domain}. 300 IN MX 10 old.change.plain.test."));
        let policy = short_policy("old.change.plain.test", MANY_LIFE);
        table.plan.sts_for(&domain, 300, Behaviour::Policy(policy));
    }
}

fn short_policy(mx: &str, max_age: u64) -> String {
    format!("version: STSv1\nmode: enforce\nmx: {mx}\nmax_age: {max_age}\n")
}

/// Policy hosts that cannot be believed: as if there were no policy, and never a wait.
pub(super) fn broken_policy_hosts(table: &mut Table<'_>) {
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
pub(super) fn black_holes(table: &mut Table<'_>) {
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
