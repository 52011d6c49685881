//! Destinations that demand nothing.

use super::{Fate, Table};
use crate::lab::certificates::Flaw;
use crate::lab::mail_host::Manner;

/// Nothing to demand: delivered as before.
pub(super) fn without_dane(table: &mut Table<'_>) {
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
