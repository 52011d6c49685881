//! Why Exim refused: in its own words, and in hoplock's journal.

use super::rounds::recipient;
use super::{Asks, Client};
use crate::lab::stage::Lab;

/// EX-06, EX-08, SV-10: each wrong certificate was refused for what is wrong with it, and the journal says
/// that this was before any mail; each right one is there as authenticated.
pub(super) fn all(lab: &mut Lab<'_>, clients: &[&dyn Client]) {
    for (domain, reason) in REFUSED {
        for client in clients {
            let asks = Asks::At(client.port());
            let log = client.log(asks);
            // Exim's line names the message, and no host.
            let (_, outcome) = client.outcome(asks, &recipient(*client, "right", domain));
            let message = outcome.split(' ').nth(2).unwrap_or_default();
            let words = format!(
                "{message} SSL verify denied by event-action: depth=0: hoplock: refuse {reason}: "
            );
            let is_told = !message.is_empty() && log.contains(&words);
            lab.report.check(is_told, || {
                let own = log.lines().filter(|line| line.contains(domain));
                let own: Vec<&str> = own.collect();
                format!(
                    "{} {domain}: not refused for {reason}: {own:#?}",
                    client.name()
                )
            });
        }
        judged(lab, domain, "failed", reason);
    }
    judged(lab, "dane.test", "authenticated-dane", "tlsa-match");
    judged(lab, "ta-key.test", "authenticated-dane", "tlsa-match");
    judged(lab, "sts.test", "authenticated-sts", "");
}

/// What the journal says of the sessions that Exim asked about.
fn judged(lab: &mut Lab<'_>, domain: &str, verdict: &str, reason: &str) {
    let output = lab.hoplock.tool(&["sessions", domain, "--json"]);
    let entries: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap_or_default();
    let entries = entries.as_array().cloned().unwrap_or_default();
    let fits = entries.iter().any(|entry| {
        entry["source"] == "exim"
            && entry["judged"] == "before-mail"
            && entry["verdict"] == verdict
            && (reason.is_empty() || entry["reason"] == reason)
    });
    lab.report.check(fits, || {
        format!("{domain}: no {verdict} {reason} in the journal: {entries:#?}")
    });
}

/// Destinations whose host shows a wrong certificate, and what is wrong with it.
const REFUSED: [(&str, &str); 5] = [
    ("wrong-key.test", "tlsa-no-match"),
    ("sts-dane.test", "tlsa-no-match"),
    ("sts-wrongname.test", "certificate-host-mismatch"),
    ("sts-expired.test", "certificate-expired"),
    ("sts-selfsigned.test", "certificate-not-trusted"),
];
