//! The destinations of the demonstration, by what Postfix is told.
//!
//! Their names say what they are, and the words of their hosts are those of the table of answers.

use super::{DemoDomain, Fault, MxRecords, StsHost};

/// All destinations, in the order in which they are shown.
pub const DOMAINS: &[DemoDomain] = &[
    // dane-only
    DemoDomain::new(
        "dane-all-hosts.test",
        "every host publishes its key: only that key gets mail",
    )
    .hosts("10:ee, 20:ee"),
    DemoDomain::new(
        "dane-trust-anchor.test",
        "the record names an authority, not a key (DANE-TA)",
    )
    .hosts("10:ta"),
    DemoDomain::new("dane-two-ways.test", "a key in front, an authority behind")
        .hosts("10:ee, 20:ta"),
    DemoDomain::new(
        "key-rollover.test",
        "the old and the next key are published: either will do",
    )
    .hosts("10:rollover"),
    DemoDomain::new(
        "alias-mx.test",
        "its mail host is an alias: TLSA is found at the target",
    )
    .hosts("10:alias"),
    DemoDomain::new(
        "implicit-mx.test",
        "no MX record: the domain is its own mail host",
    )
    .mx(MxRecords::Implicit)
    .hosts("0:ee"),
    DemoDomain::new(
        "alias.test",
        "the domain itself is an alias of dane-all-hosts.test",
    )
    .mx(MxRecords::Alias("dane-all-hosts.test")),
    DemoDomain::new("bücher.test", "a name in letters beyond ASCII").hosts("10:ee"),
    DemoDomain::new(
        "wrong-certificate.test",
        "its host shows another key: see `hoplock sessions`",
    )
    .hosts("10:ee"),
    DemoDomain::new(
        "starttls-stripped.test",
        "STARTTLS has vanished: see `hoplock sessions`",
    )
    .hosts("10:ee"),
    DemoDomain::new(
        "one-tlsa-servfail.test",
        "a lookup failed: mail goes by the host that is sure",
    )
    .hosts("10:ee, 20:failed"),
    DemoDomain::new(
        "dane-and-sts.test",
        "DANE, and an MTA-STS policy for the host without it",
    )
    .enforced()
    .hosts("10:ee, 20:none"),
    DemoDomain::new(
        "dane-behind-sts.test",
        "the best host is not in the policy, the other has DANE",
    )
    .enforced()
    .hosts("10:none(unlisted), 20:ee"),
    DemoDomain::new(
        "dane-sts-unusable.test",
        "the host behind has records that nobody can use",
    )
    .enforced()
    .hosts("10:ee, 20:unusable"),
    DemoDomain::new(
        "mandatory.test",
        "your rule demands DANE: hosts without it get no mail",
    )
    .hosts("10:none, 20:ee, 30:failed")
    .rule("mode = \"mandatory\""),
    DemoDomain::new(
        "equal-hosts-sts.test",
        "two equal hosts and a policy: the law alone, no row",
    )
    .enforced()
    .hosts("10:ee, 10:none"),
    // dane
    DemoDomain::new(
        "one-host-without-tlsa.test",
        "the spare host has no TLSA: TLS as it comes there",
    )
    .hosts("10:ee, 20:none"),
    DemoDomain::new(
        "best-host-without-tlsa.test",
        "the best host has no TLSA, the spare one has",
    )
    .hosts("10:none, 20:ee"),
    DemoDomain::new(
        "equal-hosts.test",
        "of two equal hosts one has TLSA records",
    )
    .hosts("10:ee, 10:none"),
    DemoDomain::new(
        "one-host-unusable.test",
        "one host's records cannot be used: TLS, unproved",
    )
    .hosts("10:ee, 20:unusable"),
    DemoDomain::new(
        "unusable-and-none.test",
        "unusable records at one host, none at the other",
    )
    .hosts("10:unusable, 20:none"),
    DemoDomain::new(
        "three-states.test",
        "DANE, unusable records, and a lookup that failed",
    )
    .hosts("10:ee, 20:unusable, 30:failed"),
    DemoDomain::new(
        "three-more-states.test",
        "DANE, no records, and a lookup that failed",
    )
    .hosts("10:ee, 20:none, 30:failed"),
    DemoDomain::new(
        "unusable-and-servfail.test",
        "unusable records, and a lookup that failed",
    )
    .hosts("10:unusable, 20:failed"),
    DemoDomain::new(
        "none-and-servfail.test",
        "no records, and a lookup that failed: never weaker",
    )
    .hosts("10:none, 20:failed"),
    DemoDomain::new(
        "address-servfail.test",
        "no records, and a host whose address is unknown",
    )
    .hosts("10:none, 20:address-failed"),
    DemoDomain::new(
        "half-dane.test",
        "MX not signed, hosts signed: DANE as far as it goes",
    )
    .unsigned("hosting.test")
    .hosts("10:ee, 20:none"),
    DemoDomain::new(
        "half-dane-servfail.test",
        "the same, and a TLSA lookup that failed",
    )
    .unsigned("hosting.test")
    .hosts("10:ee, 20:failed"),
    // secure
    DemoDomain::new(
        "sts-enforce.test",
        "an MTA-STS policy is enforced: names and authorities count",
    )
    .enforced()
    .unsigned("")
    .hosts("10:none, 20:none"),
    DemoDomain::new(
        "sts-signed.test",
        "the same in a signed zone, with a host not in the policy",
    )
    .enforced()
    .hosts("10:none, 20:none(unlisted)"),
    DemoDomain::new(
        "sts-host-gone.test",
        "its policy host is gone: the policy holds till it ends",
    )
    .sts(StsHost::GoesDown)
    .unsigned("")
    .hosts("10:none"),
    DemoDomain::new(
        "sts-before-dane.test",
        "the best host is bound by MTA-STS, the other has DANE",
    )
    .enforced()
    .hosts("10:none, 20:ee"),
    DemoDomain::new(
        "sts-tlsa-unusable.test",
        "TLSA records cannot be used, and the policy holds",
    )
    .enforced()
    .hosts("10:unusable"),
    DemoDomain::new(
        "sts-unusable-none.test",
        "unusable records and none, under a policy",
    )
    .enforced()
    .hosts("10:unusable, 20:none"),
    DemoDomain::new(
        "sts-none-servfail.test",
        "a TLSA lookup failed: the other host is named alone",
    )
    .enforced()
    .hosts("10:none, 20:failed"),
    DemoDomain::new(
        "sts-unusable-servfail.test",
        "unusable records, a failed lookup, and a policy",
    )
    .enforced()
    .hosts("10:unusable, 20:failed"),
    DemoDomain::new(
        "sts-no-host.test",
        "a policy, and no host at present: its patterns are named",
    )
    .enforced()
    .mx(MxRecords::Nothing),
    DemoDomain::new(
        "names-by-rule.test",
        "your rule gives the names that a certificate must hold",
    )
    .unsigned("")
    .hosts("10:none")
    .rule("answer = \"secure\"\nnames = [\"mx1.names-by-rule.test\"]"),
    // fingerprint
    DemoDomain::new(
        "pinned-by-rule.test",
        "your rule pins the key of a partner's host",
    )
    .unsigned("")
    .hosts("10:none")
    .rule(PINNED),
    DemoDomain::new(
        "dane-as-pins.test",
        "for a Postfix without DNSSEC: keys by their fingerprints",
    )
    .hosts("10:ee, 20:ee")
    .asked_by("pins"),
    // verify
    DemoDomain::new(
        "verify-by-rule.test",
        "your rule asks for a certificate of the domain's own name",
    )
    .unsigned("")
    .hosts("10:none")
    .rule("answer = \"verify\"\nnames = [\"verify-by-rule.test\"]"),
    // encrypt
    DemoDomain::new(
        "tlsa-unusable.test",
        "no TLSA record can be used: TLS is a must, proof is not",
    )
    .hosts("10:unusable"),
    DemoDomain::new(
        "encrypt-by-rule.test",
        "your rule wants TLS, whoever is there",
    )
    .unsigned("")
    .hosts("10:none")
    .rule("answer = \"encrypt\""),
    DemoDomain::new(
        "rule-near-expiry.test",
        "a rule given at run time, which ends tomorrow",
    )
    .unsigned("")
    .hosts("10:none"),
    // may
    DemoDomain::new(
        "may-by-rule.test",
        "your rule lets mail out with TLS as it comes",
    )
    .hosts("10:ee")
    .rule("answer = \"may\""),
    // none
    DemoDomain::new(
        "cleartext-by-rule.test",
        "your rule wants no TLS at all: level none",
    )
    .unsigned("")
    .hosts("10:none")
    .rule("answer = \"none\""),
    DemoDomain::new(
        "plain.test",
        "nothing is published: your own default level acts",
    )
    .unsigned("")
    .hosts("10:none, 20:none"),
    DemoDomain::new(
        "signed-plain.test",
        "signed, and proved to have no TLSA records",
    )
    .hosts("10:none"),
    DemoDomain::new("null-mx.test", "takes no mail, and says so").mx(MxRecords::Null),
    DemoDomain::new(
        "no-such-domain.test",
        "does not exist: Postfix will give the mail back",
    )
    .mx(MxRecords::Nothing),
    DemoDomain::new(
        "sts-testing.test",
        "an MTA-STS policy in testing: seen, not enforced",
    )
    .sts(StsHost::Serves("testing"))
    .unsigned("")
    .hosts("10:none"),
    DemoDomain::new(
        "sts-none.test",
        "an MTA-STS policy that says there is none any more",
    )
    .sts(StsHost::Serves("none"))
    .unsigned("")
    .hosts("10:none"),
    DemoDomain::new(
        "policy-host-down.test",
        "a policy is announced and was never seen",
    )
    .sts(StsHost::Down)
    .unsigned("")
    .hosts("10:none"),
    DemoDomain::new(
        "half-dane-none.test",
        "MX not signed, one host without records, one lookup failed",
    )
    .unsigned("hosting.test")
    .hosts("10:none, 20:failed"),
    DemoDomain::new(
        "lost-dane.test",
        "had DANE and has none any more: see `hoplock status`",
    )
    .hosts("10:lost"),
    DemoDomain::new(
        "audit.test",
        "your rule only watches: DANE would have been demanded",
    )
    .hosts("10:ee")
    .rule("mode = \"audit\""),
    DemoDomain::new("off.test", "your rule switches hoplock off for it")
        .hosts("10:ee")
        .rule("mode = \"off\""),
    DemoDomain::new(
        "rule-expired.test",
        "a rule that protected has ended: see `hoplock status`",
    )
    .unsigned("")
    .hosts("10:none")
    .rule(EXPIRED),
    // defer
    DemoDomain::new(
        "dnssec-broken.test",
        "the signatures of its MX records are wrong: mail waits",
    )
    .mx(MxRecords::Fails(Fault::Bogus)),
    DemoDomain::new(
        "silent-zone.test",
        "its name servers do not answer: mail waits",
    )
    .mx(MxRecords::Fails(Fault::Silent)),
    DemoDomain::new(
        "tlsa-servfail.test",
        "TLSA lookups fail, as under attack: mail waits",
    )
    .hosts("10:failed"),
    DemoDomain::new(
        "tlsa-servfail-sts.test",
        "the same, and an MTA-STS policy changes nothing",
    )
    .enforced()
    .hosts("10:failed"),
    DemoDomain::new(
        "sts-wrong-mx.test",
        "no MX host is in the enforced policy: mail waits",
    )
    .enforced()
    .unsigned("")
    .hosts("10:none(unlisted)"),
    DemoDomain::new(
        "mandatory-without-dane.test",
        "your rule demands DANE, and there is none",
    )
    .hosts("10:none")
    .rule("mode = \"mandatory\""),
    DemoDomain::new(
        "mandatory-unsigned.test",
        "your rule demands DANE, and its MX is not signed",
    )
    .unsigned("hosting.test")
    .hosts("10:ee")
    .rule("mode = \"mandatory\""),
    DemoDomain::new(
        "mandatory-servfail.test",
        "your rule demands DANE, and a lookup failed",
    )
    .hosts("10:none, 20:failed")
    .rule("mode = \"mandatory\""),
    DemoDomain::new("held-by-rule.test", "your rule holds all mail to it")
        .unsigned("")
        .hosts("10:none")
        .rule("answer = \"defer\""),
];

/// The key of `certificates/stranger.pem`.
const PINNED: &str = "answer = \"fingerprint\"\n\
    fingerprints = [\"c0c131dae7264b7c40822b37d64f7a21d615f8a82ff300043cf24f371da43352\"]";

/// When it ended is filled in.
const EXPIRED: &str = "answer = \"encrypt\"\nexpires = \"{an hour ago}\"";
