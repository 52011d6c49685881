//! What hoplock answers in place of Exim's own lookups, beside these; and policies by plain DNS.

use std::collections::BTreeSet;

use super::exim::Exim;
use crate::lab::stage::Lab;

/// EX-01: the text of each `${lookup dnsdb{…}}` that hoplock serves is Exim's own.
pub(super) fn equal(lab: &mut Lab<'_>, exim: &Exim) {
    for question in QUESTIONS {
        let own = format!("${{lookup dnsdb{{{question}}}{{value $value}}{{none}}}}");
        let own = exim.expand(&own);
        let served = served(exim, question);
        // Which of the records comes first is the resolver's choice.
        let (own, told) = (in_any_order(&own), in_any_order(&served));
        lab.report.check(own == told, || {
            format!("{question}: Exim has {own:?}, hoplock {served:?}")
        });
    }
    println!("{} lookups compared", QUESTIONS.len());
}

/// EX-01: policies as TXT records, by Exim's own lookup and the stub zone of the lab's resolver.
pub(super) fn by_dns(lab: &mut Lab<'_>, exim: &Exim) {
    for (domain, expected) in [
        ("dane.test", "enforce"),
        ("sts.test", "enforce"),
        ("none.test", "may"),
        // Nothing is known, and that is no absence.
        ("bogus.test", "Failed: lookup"),
    ] {
        let zone = "policy.hoplock.internal";
        let lookup = format!("${{lookup dnsdb{{txt={domain}.{zone}}}{{$value}}{{none}}}}");
        let told = exim.expand(&lookup);
        let fits = told.starts_with(expected);
        lab.report
            .check(fits, || format!("{domain} by DNS: {told}"));
    }
    let policy = served(exim, "policy=dane.test");
    lab.report.check(
        policy.starts_with("value enforce ") && policy.contains("dane=mx.dane.test"),
        || format!("policy=dane.test: {policy}"),
    );
}

fn served(exim: &Exim, question: &str) -> String {
    let socket = "inet:127.0.0.1:8427";
    exim.expand(&format!(
        "${{readsocket{{{socket}}}{{{question}\\n}}{{5s}}{{}}{{no answer}}}}"
    ))
}

/// The first word, and the records; of a failure that it is one.
fn in_any_order(text: &str) -> (&str, BTreeSet<&str>) {
    if text.starts_with("Failed: ") || text.starts_with("defer ") {
        return ("failed", BTreeSet::new());
    }
    let (word, records) = text.split_once(' ').unwrap_or((text, ""));
    (word, records.split(['\n', '|']).collect())
}

/// Each type, each way of joining, absence and failure, signed and unsigned.
const QUESTIONS: [&str; 18] = [
    "tlsa=_25._tcp.mx.dane.test",
    "tlsa=_25._tcp.mx.ee-512.test",
    ">| tlsa=_25._tcp.mx.dane.test",
    ">|,; tlsa=_25._tcp.mx.dane.test",
    "tlsa=_25._tcp.mx.none.test",
    "tlsa=_25._tcp.mx.bogus-tlsa.test",
    "mx=mixed.test",
    ">|,; mx=mixed.test",
    "mxh=mixed.test",
    ">| mxh=mixed.test",
    "mx=nowhere.test",
    "mx=bogus.test",
    "txt=_mta-sts.sts.test",
    ">|,; txt=_mta-sts.sts.test",
    "dnssec_strict,mx=dane.test",
    "dnssec_strict,mx=plain.test",
    "dnssec_lax,mx=plain.test",
    "dnssec_never,mx=dane.test",
];
