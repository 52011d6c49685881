//! The attributes for Postfix 3.10: accepted, reported with, and enforced.

use super::sessions::Relay;
use super::stage::{Lab, Mapped};

/// What a real Postfix 3.10 makes of `policy_type` and its companions.
pub(super) fn attributes(lab: &mut Lab<'_>, mapped: &Mapped, relay: &Relay) {
    let log = mapped.postfix.log();
    lab.report.check(!log.contains("invalid attribute"), || {
        "Postfix 3.10 does not know an attribute".to_owned()
    });
    // PF-13: the datagram for the domain that asks for reports speaks of the policy.
    let all = relay.seen().join("\n");
    for words in ["sts.test", "mode: enforce", "mx: *.sts.test"] {
        lab.report.check(all.contains(words), || {
            format!("no TLSRPT datagram holds {words:?}: {all}")
        });
    }
    lab.report.check(
        log.contains("TLSRPT: status=success, domain=sts.test"),
        || "Postfix 3.10 reports no success for sts.test".to_owned(),
    );
    // PF-12: a host that the policy does not list is not even connected to.
    let words = "MX name 'mx2.sts-second.test' does not match STS MX pattern";
    lab.report.check(log.contains(words), || {
        format!("Postfix 3.10 does not say {words:?}")
    });
    let connected = lab
        .sessions
        .lock()
        .unwrap()
        .iter()
        .any(|session| session.host == "mx2.sts-second.test");
    lab.report.check(!connected, || {
        "Postfix 3.10 connected to a host that the policy does not list".to_owned()
    });
}
